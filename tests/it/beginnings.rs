//! What is served after a start, when the store or the snapshot is not what it was.

use std::fs;
use std::path::{Path, PathBuf};

use crate::harness::lab::{Lab, apex, head};

const API: [&str; 2] = ["192.0.2.10", "192.0.2.11"];
const CHANGE: &str = "zone example.com\nupdate add first.example.com. 60 A 192.0.2.1";
const LATER: &str = "zone example.com\nupdate add later.example.com. 60 A 192.0.2.2";

/// The database, its log and its index.
fn all_of(database: &Path) -> Vec<PathBuf> {
    ["", "-wal", "-shm"]
        .map(|end| PathBuf::from(format!("{}{end}", database.display())))
        .into()
}

fn remove(database: &Path) {
    for file in all_of(database) {
        let _ = fs::remove_file(file);
    }
}

/// Files of the store's folder whose name says that they were set aside.
fn aside(lab: &Lab) -> Vec<String> {
    let folder = fs::read_dir(lab.path("data")).expect("the store's folder");
    let names = folder.map(|entry| {
        entry
            .expect("an entry")
            .file_name()
            .into_string()
            .expect("a name")
    });
    names.filter(|name| name.contains(".aside-")).collect()
}

/// Everything acknowledged is answered, and marked as the last good.
#[track_caller]
fn serves_the_snapshot(lab: &Lab) {
    let status = lab.until("example.com.", "holding");
    let reply = lab.dig("api.example.com A +edns");
    assert_eq!(reply.data(), API, "{status}");
    assert!(reply.text.contains("EDE: 3"), "{}", reply.text);
    assert_eq!(lab.data("first.example.com A"), ["192.0.2.1"]);
    assert_eq!(lab.update(LATER), "REFUSED");
    assert!(
        !lab.cli(&["status"]).ok(),
        "status exits 1 while a zone holds"
    );
}

#[test]
fn protected_rows_deleted_while_the_server_was_down_are_served_from_the_snapshot() {
    let mut lab = Lab::stopped_demo(CHANGE);
    lab.sql("DELETE FROM record WHERE owner = 'api.example.com.'");
    lab.start();
    serves_the_snapshot(&lab);
    let mend = lab.status("example.com.")["mend"]
        .as_str()
        .expect("a mend")
        .to_owned();
    lab.shell(&mend);
    lab.until("example.com.", "live");
    assert_eq!(lab.update(LATER), "NOERROR");
}

#[test]
fn a_good_edit_made_while_the_server_was_down_becomes_a_revision_with_its_diff() {
    let mut lab = Lab::stopped_demo(CHANGE);
    let before = lab.sql("SELECT serial FROM zone WHERE origin = 'example.com.'");
    lab.sql("UPDATE record SET rdata = '192.0.2.77' WHERE owner = 'first.example.com.'");
    lab.start();
    assert_eq!(lab.state("example.com."), "live");
    assert_eq!(lab.data("first.example.com A"), ["192.0.2.77"]);
    assert!(lab.serial("example.com") > before.trim().parse().expect("a serial"));
    let diff = lab
        .sql("SELECT diff FROM revision WHERE zone = 'example.com.' ORDER BY number DESC LIMIT 1");
    assert!(
        diff.contains("192.0.2.1\"") && diff.contains("192.0.2.77"),
        "{diff}"
    );
}

#[test]
fn rows_that_became_unfit_while_the_server_was_down_hold_on_the_snapshot() {
    for damage in [
        "UPDATE record SET rdata = 'nonsense' WHERE owner = 'web.example.com.' AND type = 'A'",
        "DELETE FROM record WHERE type = 'SOA' AND zone = 'example.com.'",
        "INSERT INTO record (zone, owner, ttl, type, rdata) VALUES \
         ('example.com.', 'api.example.com.', 60, 'CNAME', 'x.')",
        "INSERT INTO record (zone, owner, ttl, type, rdata) VALUES \
         ('example.com.', 'example.com.', 60, 'SOA', 'a. b. 1 2 3 4 5')",
        "DELETE FROM zone WHERE origin = 'example.com.'",
    ] {
        let mut lab = Lab::stopped_demo(CHANGE);
        lab.sql(damage);
        lab.start();
        serves_the_snapshot(&lab);
        assert_eq!(lab.state("2.0.192.in-addr.arpa."), "live", "{damage}");
    }
}

#[test]
fn a_policy_tightened_beyond_what_any_version_has_is_served_and_reported() {
    let mut lab = Lab::stopped_demo(CHANGE);
    let config = lab.read("lastgood.toml");
    lab.write(
        "lastgood.toml",
        &config.replace("min_members = 2", "min_members = 5"),
    );
    lab.start();
    let status = lab.status("example.com.");
    assert_eq!(status["state"], "live", "{status}");
    assert!(
        status["findings"].to_string().contains("at least 5"),
        "{status}"
    );
    assert_eq!(lab.data("api.example.com A"), API);
    let fewer = "zone example.com\nupdate delete api.example.com. A 192.0.2.10";
    assert_eq!(lab.update(fewer), "REFUSED");
    let more = "zone example.com\nupdate add api.example.com. 60 A 192.0.2.12";
    assert_eq!(lab.update(more), "NOERROR");
}

#[test]
fn a_store_that_is_missing_is_not_made_anew_from_the_zone_files() {
    let mut lab = Lab::stopped_demo(CHANGE);
    remove(&lab.database());
    lab.start();
    serves_the_snapshot(&lab);
    assert!(!lab.database().exists());
    let serial = lab.serial("example.com");
    lab.cli(&["snapshot", "restore", "--all"]).expect_ok();
    lab.until("example.com.", "live");
    lab.until("2.0.192.in-addr.arpa.", "live");
    assert!(
        lab.serial("example.com") > serial + 900,
        "above every serial that may have been served"
    );
    assert_eq!(lab.update(LATER), "NOERROR");
    lab.restart();
    assert_eq!(lab.data("later.example.com A"), ["192.0.2.2"]);
    assert_eq!(lab.data("api.example.com A"), API);
}

#[test]
fn a_log_without_its_database_is_left_alone() {
    let mut lab = Lab::stopped_demo(CHANGE);
    remove(&lab.database());
    let log = &all_of(&lab.database())[1];
    fs::write(log, "the last commits of somebody").expect("a log");
    lab.start();
    serves_the_snapshot(&lab);
    assert_eq!(
        fs::read_to_string(log).expect("the log"),
        "the last commits of somebody"
    );
    lab.cli(&["snapshot", "restore", "--all"]).expect_ok();
    lab.until("example.com.", "live");
    assert_eq!(aside(&lab).len(), 1, "{:?}", aside(&lab));
}

#[test]
fn a_store_that_is_no_store_of_ours_holds_on_the_snapshot_and_is_set_aside_whole() {
    type Damage = fn(&Lab);
    let damages: [(&str, Damage); 7] = [
        ("garbage", |lab| {
            fs::write(lab.database(), vec![0xA5; 40_000]).expect("garbage")
        }),
        ("empty", |lab| {
            fs::write(lab.database(), "").expect("nothing")
        }),
        ("truncated", |lab| {
            let file = fs::OpenOptions::new()
                .write(true)
                .open(lab.database())
                .expect("the store");
            file.set_len(5_000).expect("a shorter file");
        }),
        ("no table", |lab| drop(lab.sql("DROP TABLE record"))),
        ("newer", |lab| drop(lab.sql("PRAGMA user_version = 99"))),
        ("unreadable", |lab| {
            remove(&lab.database());
            fs::create_dir(lab.database()).expect("a folder in its place");
        }),
        ("foreign", |lab| {
            remove(&lab.database());
            lab.sql("CREATE TABLE accounts (id INTEGER)");
        }),
    ];
    for (name, damage) in damages {
        let mut lab = Lab::stopped_demo(CHANGE);
        damage(&lab);
        lab.start();
        serves_the_snapshot(&lab);
        lab.cli(&["snapshot", "restore", "--all"]).expect_ok();
        lab.until("example.com.", "live");
        assert!(!aside(&lab).is_empty(), "{name}: what was there is kept");
        assert_eq!(lab.update(LATER), "NOERROR", "{name}");
    }
}

#[test]
fn a_restored_backup_that_is_older_holds_until_somebody_says_which() {
    for accept in [false, true] {
        let mut lab = Lab::stopped_demo(CHANGE);
        fs::copy(lab.database(), lab.path("old.db")).expect("a backup");
        lab.start();
        assert_eq!(lab.update(LATER), "NOERROR");
        lab.settle("example.com.");
        lab.stop();
        remove(&lab.database());
        fs::copy(lab.path("old.db"), lab.database()).expect("the backup back");
        lab.start();
        serves_the_snapshot(&lab);
        assert_eq!(lab.data("later.example.com A"), ["192.0.2.2"]);
        let (serial, revision) = (
            lab.serial("example.com"),
            lab.status("example.com.")["revision"].as_u64(),
        );
        match accept {
            false => lab
                .cli(&["snapshot", "restore", "example.com."])
                .expect_ok(),
            true => lab.cli(&["zone", "accept", "example.com."]).expect_ok(),
        };
        lab.until("example.com.", "live");
        let status = lab.dig("later.example.com A").status;
        assert_eq!(status, if accept { "NXDOMAIN" } else { "NOERROR" });
        assert!(lab.serial("example.com") > serial);
        assert!(lab.status("example.com.")["revision"].as_u64() > revision);
    }
}

#[test]
fn the_database_of_another_server_is_not_taken_for_ours() {
    let mut lab = Lab::stopped_demo(CHANGE);
    let mut other = Lab::of(
        &format!(
            "{}[[zone]]\nname = \"other.test.\"\nfile = \"other.zone\"\n",
            head()
        ),
        &[("other.zone", &apex("other.test."))],
    );
    other.stop();
    remove(&lab.database());
    fs::copy(other.database(), lab.database()).expect("another's database");
    lab.start();
    serves_the_snapshot(&lab);
}

#[test]
fn with_neither_store_nor_snapshot_the_answer_is_servfail_and_nothing_is_imported() {
    let mut lab = Lab::stopped_demo(CHANGE);
    remove(&lab.database());
    remove(&lab.snapshot());
    fs::write(lab.snapshot(), vec![0x5A; 20_000]).expect("a damaged snapshot");
    lab.start();
    let reply = lab.dig("api.example.com A +edns");
    assert!(
        reply.text.contains("SERVFAIL") && reply.text.contains("EDE: 24"),
        "{}",
        reply.text
    );
    assert_eq!(lab.state("example.com."), "unavailable");
    assert!(!lab.cli(&["status"]).ok());
    // Not at a later start either, whatever store and snapshot are by then.
    lab.restart();
    assert_eq!(lab.state("example.com."), "unavailable");
    fs::write(lab.database(), vec![0xA5; 40_000]).expect("a damaged store");
    lab.restart();
    assert_eq!(lab.state("example.com."), "unavailable");
    // Until somebody says which data it shall be.
    let file = lab.path("example.com.zone");
    let file = file.to_str().expect("a path");
    lab.cli(&["zone", "import", "example.com.", file])
        .expect_ok();
    lab.restart();
    assert_eq!(lab.state("example.com."), "live");
    assert_eq!(lab.data("api.example.com A"), API);
    assert_eq!(lab.state("2.0.192.in-addr.arpa."), "unavailable");
}

#[test]
fn a_damaged_snapshot_is_set_aside_and_written_anew_while_the_store_is_good() {
    type Damage = fn(&Lab);
    let damages: [(&str, Damage); 9] = [
        ("garbage", |lab| {
            fs::write(lab.snapshot(), vec![0x5A; 20_000]).expect("garbage")
        }),
        ("empty", |lab| {
            fs::write(lab.snapshot(), "").expect("nothing")
        }),
        ("truncated", |lab| {
            let file = fs::OpenOptions::new().write(true).open(lab.snapshot());
            let file = file.expect("the snapshot");
            file.set_len(6_000).expect("a shorter file");
        }),
        ("newer", |lab| {
            drop(lab.sql_in(&lab.snapshot(), "PRAGMA user_version = 99"))
        }),
        ("foreign", |lab| {
            remove(&lab.snapshot());
            lab.sql_in(&lab.snapshot(), "CREATE TABLE accounts (id INTEGER)");
        }),
        ("unreadable", |lab| {
            remove(&lab.snapshot());
            fs::create_dir(lab.snapshot()).expect("a folder in its place");
        }),
        ("gone", |lab| remove(&lab.snapshot())),
        ("rows lost", |lab| {
            lab.sql_in(&lab.snapshot(), "DELETE FROM node WHERE length(owner) > 20");
        }),
        ("schema", |lab| {
            drop(lab.sql_in(&lab.snapshot(), "DROP TABLE node"))
        }),
    ];
    for (name, damage) in damages {
        let mut lab = Lab::stopped_demo(CHANGE);
        damage(&lab);
        lab.start();
        assert_eq!(lab.state("example.com."), "live", "{name}");
        lab.settle("example.com.");
        lab.stop();
        // It is worth something again.
        remove(&lab.database());
        lab.start();
        serves_the_snapshot(&lab);
    }
}

#[test]
fn a_snapshot_that_does_not_add_up_is_never_served() {
    let mut lab = Lab::stopped_demo(CHANGE);
    lab.sql_in(
        &lab.snapshot(),
        "UPDATE node SET data = x'' WHERE length(data) > 60",
    );
    remove(&lab.database());
    lab.start();
    let reply = lab.dig("api.example.com A +edns");
    assert!(
        reply.text.contains("SERVFAIL") && reply.text.contains("EDE: 24"),
        "{}",
        reply.text
    );
}

#[test]
fn a_store_that_comes_back_while_serving_ends_the_hold() {
    let mut lab = Lab::stopped_demo(CHANGE);
    fs::rename(lab.database(), lab.path("away.db")).expect("the store away");
    lab.start();
    serves_the_snapshot(&lab);
    fs::rename(lab.path("away.db"), lab.database()).expect("the store back");
    lab.until("example.com.", "live");
    assert_eq!(lab.update(LATER), "NOERROR");
}

#[test]
fn freezes_and_the_policy_of_a_vanished_stanza_outlive_the_store() {
    let mut lab = Lab::stopped_demo(CHANGE);
    lab.start();
    lab.cli(&[
        "freeze",
        "--zone",
        "2.0.192.in-addr.arpa.",
        "--reason",
        "audit",
    ])
    .expect_ok();
    lab.settle("example.com.");
    lab.stop();
    remove(&lab.database());
    // Everything from the first zone stanza on is gone.
    let config = lab.read("lastgood.toml");
    let end = config.find("[[zone]]").expect("a zone stanza");
    lab.write("lastgood.toml", &config[..end]);
    lab.start();
    serves_the_snapshot(&lab);
    lab.cli(&["snapshot", "restore", "example.com."])
        .expect_ok();
    let status = lab.until("example.com.", "live");
    assert_eq!(status["orphaned"], true, "{status}");
    let empty = "zone example.com\nupdate delete api.example.com. A";
    assert_eq!(lab.update(empty), "REFUSED");
    let frozen = lab.status("2.0.192.in-addr.arpa.")["frozen"].to_string();
    assert!(frozen.contains("audit"), "{frozen}");
}

#[test]
fn a_zone_removed_just_before_a_crash_stays_removed() {
    let mut lab = Lab::demo();
    lab.write("gone.zone", &apex("gone.example."));
    let file = lab.path("gone.zone");
    let file = file.to_str().expect("a path in UTF-8");
    lab.cli(&["zone", "import", "gone.example.", file])
        .expect_ok();
    lab.restart();
    let before = lab.path("before.snapshot.db");
    lab.settle("example.com.");
    lab.stop();
    fs::copy(lab.snapshot(), &before).expect("the snapshot");
    lab.start();
    let meant = ["--override", "min-members", "--reason", "moved away"];
    lab.cli(&[&["zone", "remove", "gone.example."], &meant[..]].concat())
        .expect_ok();
    lab.stop();
    // As it is when the server was killed before the snapshot followed.
    fs::copy(&before, lab.snapshot()).expect("the snapshot");
    lab.start();
    assert_eq!(lab.dig("gone.example SOA").status, "REFUSED");
    assert_eq!(lab.update(CHANGE), "NOERROR");
    lab.restart();
    assert_eq!(lab.dig("gone.example SOA").status, "REFUSED");
}

#[test]
fn a_freeze_outlives_a_backup_from_before_it() {
    let mut lab = Lab::stopped_demo(CHANGE);
    fs::copy(lab.database(), lab.path("old.db")).expect("a backup");
    lab.start();
    lab.cli(&["freeze", "--reason", "audit"]).expect_ok();
    lab.stop();
    remove(&lab.database());
    fs::copy(lab.path("old.db"), lab.database()).expect("the backup back");
    lab.start();
    assert_eq!(
        lab.state("example.com."),
        "live",
        "nothing was committed since"
    );
    assert_eq!(lab.update(LATER), "REFUSED");
    lab.cli(&["thaw"]).expect_ok();
    lab.restart();
    assert_eq!(lab.update(LATER), "NOERROR");
}
