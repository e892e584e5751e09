//! Starts after which nothing is left, or nothing that is fit: no old zone file comes in the place of
//! what was lost, nothing that was found is deleted, and the log says where it is.

use std::fs;
use std::path::{Path, PathBuf};

use crate::harness::dig::Reply;
use crate::harness::lab::{self, Lab};
use crate::harness::serving::Serving;

const ZONE: &str = "example.com.";
const OTHER: &str = "2.0.192.in-addr.arpa.";
const CHANGE: &str = "zone example.com\nupdate add first.example.com. 60 A 192.0.2.1";
const LATER: &str = "zone example.com\nupdate add later.example.com. 60 A 192.0.2.2";
const API: [&str; 2] = ["192.0.2.10", "192.0.2.11"];

fn part(database: &Path, suffix: &str) -> PathBuf {
    PathBuf::from(format!("{}{suffix}", database.display()))
}

fn remove(database: &Path) {
    for suffix in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(part(database, suffix));
    }
}

fn ask(serving: &Serving, words: &str) -> Reply {
    lab::dig(serving.at, words)
}

#[track_caller]
fn answers_for_neither_zone(serving: &Serving) {
    for words in [
        "api.example.com A",
        "first.example.com A",
        "nothing.example.com A",
        "example.com SOA +tcp",
        "-x 192.0.2.25",
    ] {
        let reply = ask(serving, words);
        assert_eq!(reply.status, "SERVFAIL", "{words}: {}", reply.text);
        assert_eq!(
            reply.ede.as_ref().map(|(code, _)| *code),
            Some(24),
            "{words}: {}",
            reply.text
        );
        assert!(reply.answer.is_empty(), "{}", reply.text);
    }
    for zone in [ZONE, OTHER] {
        assert_eq!(serving.lab.state(zone), "unavailable");
    }
    let ran = serving.lab.cli(&["status"]);
    assert_eq!(ran.code, Some(1), "{ran}");
    let said = serving.said();
    assert!(!said.contains("imported"), "{said}");
}

#[test]
fn with_both_files_deleted_no_zone_file_is_served_in_their_place() {
    // As it is after an orderly stop, and where a log without its database is left.
    for left in [None, Some("-wal")] {
        let lab = Lab::stopped_demo(CHANGE);
        fs::copy(lab.database(), lab.path("backup.db")).expect("a backup");
        remove(&lab.database());
        remove(&lab.snapshot());
        if let Some(suffix) = left {
            fs::write(part(&lab.database(), suffix), "last commits").expect("a file");
        }
        let serving = Serving::start(lab, ZONE);
        answers_for_neither_zone(&serving);
        assert!(!serving.lab.database().exists(), "no empty one is made");
        // The second start finds the snapshot that the first one began.
        let serving = Serving::start(serving.stop(), ZONE);
        answers_for_neither_zone(&serving);
        let lab = serving.stop();
        remove(&lab.snapshot());
        let serving = Serving::start(lab, ZONE);
        answers_for_neither_zone(&serving);

        // As the status says.
        let mend = serving.lab.status(ZONE)["mend"].to_string();
        assert!(mend.contains("put a whole copy"), "{mend}");
        assert!(
            mend.contains("lastgood zone import example.com. FILE"),
            "{mend}"
        );
        let lab = serving.stop();
        if let Some(suffix) = left {
            let log = part(&lab.database(), suffix);
            assert_eq!(fs::read_to_string(&log).expect("the log"), "last commits");
            fs::remove_file(log).expect("ours");
        }
        fs::copy(lab.path("backup.db"), lab.database()).expect("the backup back");
        let serving = Serving::start(lab, ZONE);
        assert_eq!(serving.lab.state(ZONE), "live");
        assert_eq!(ask(&serving, "first.example.com A").data(), ["192.0.2.1"]);
    }
}

#[test]
fn a_backup_put_back_beneath_a_server_that_lost_everything_is_served() {
    let lab = Lab::stopped_demo(CHANGE);
    fs::rename(lab.database(), lab.path("backup.db")).expect("a backup");
    remove(&lab.snapshot());
    let serving = Serving::start(lab, ZONE);
    answers_for_neither_zone(&serving);
    let lab = &serving.lab;
    fs::rename(lab.path("backup.db"), lab.database()).expect("the backup back");
    lab.until(ZONE, "live");
    lab.until(OTHER, "live");
    assert_eq!(ask(&serving, "first.example.com A").data(), ["192.0.2.1"]);
    assert_eq!(ask(&serving, "api.example.com A").ede, None);
}

#[test]
fn without_a_trace_of_a_store_it_begins_with_the_zone_files() {
    let mut lab = Lab::stopped_demo(CHANGE);
    remove(&lab.database());
    remove(&lab.snapshot());
    fs::remove_file(part(&lab.database(), ".lock")).expect("the trace");
    lab.start();
    assert_eq!(lab.state(ZONE), "live");
    assert_eq!(lab.data("api.example.com A"), API);
    assert_eq!(lab.dig("first.example.com A").status, "NXDOMAIN");
}

type Damage = fn(&Lab);

/// What may stand where the snapshot was, none of it fit to be served.
const SNAPSHOTS: [(&str, Damage); 9] = [
    ("garbage", |lab| {
        fs::write(lab.snapshot(), vec![0x5A; 20_000]).expect("garbage");
    }),
    ("empty", |lab| {
        fs::write(lab.snapshot(), "").expect("nothing");
    }),
    ("truncated", |lab| {
        let file = fs::OpenOptions::new().write(true).open(lab.snapshot());
        file.expect("the snapshot").set_len(6_000).expect("cut");
    }),
    ("newer", |lab| {
        lab.sql_in(&lab.snapshot(), "PRAGMA user_version = 99");
    }),
    ("foreign", |lab| {
        remove(&lab.snapshot());
        lab.sql_in(&lab.snapshot(), "CREATE TABLE accounts (id INTEGER)");
    }),
    ("a store", |lab| {
        fs::copy(lab.path("store.db"), lab.snapshot()).expect("a store");
    }),
    ("a folder", |lab| {
        remove(&lab.snapshot());
        fs::create_dir(lab.snapshot()).expect("a folder");
    }),
    ("no table", |lab| {
        lab.sql_in(&lab.snapshot(), "DROP TABLE node");
    }),
    ("rows lost", |lab| {
        lab.sql_in(
            &lab.snapshot(),
            "DELETE FROM node WHERE key IN (SELECT max(key) FROM node GROUP BY zone)",
        );
    }),
];

fn octets(path: &Path) -> Option<Vec<u8>> {
    fs::read(path).ok()
}

/// Where the log says that a file was set aside.
fn moved_to(said: &str, path: &Path) -> Option<PathBuf> {
    let from = format!("from={} to=", path.display());
    let (_, to) = said.lines().find_map(|line| line.split_once(&from))?;
    to.split(' ').next().map(PathBuf::from)
}

#[test]
fn once_the_store_is_lost_no_damaged_snapshot_is_served_nor_thrown_away() {
    for (name, damage) in SNAPSHOTS {
        let lab = Lab::stopped_demo(CHANGE);
        fs::rename(lab.database(), lab.path("store.db")).expect("the store away");
        remove(&lab.database());
        damage(&lab);
        let found = octets(&lab.snapshot());
        let serving = Serving::start(lab, ZONE);
        eprintln!("the snapshot: {name}");
        answers_for_neither_zone(&serving);
        let said = serving.said();
        let lab = serving.stop();
        // It is where it was, or where the log says.
        let now = moved_to(&said, &lab.snapshot()).unwrap_or(lab.snapshot());
        match found {
            Some(found) => assert!(octets(&now) == Some(found), "{name}: {said}"),
            None => assert!(now.is_dir(), "{name}: {said}"),
        }
        // Nor at the next start, whatever the server has made of it.
        let serving = Serving::start(lab, ZONE);
        answers_for_neither_zone(&serving);
        // The store was only away.
        let lab = &serving.lab;
        fs::rename(lab.path("store.db"), lab.database()).expect("the store back");
        lab.until(ZONE, "live");
        assert_eq!(ask(&serving, "first.example.com A").data(), ["192.0.2.1"]);
    }
}

#[test]
fn a_store_that_is_not_fit_stays_until_it_is_replaced_and_then_the_log_names_where_it_is() {
    let damages: [(&str, Damage); 4] = [
        ("garbage with a log", |lab| {
            fs::write(lab.database(), vec![0xA5; 40_000]).expect("garbage");
            fs::write(part(&lab.database(), "-wal"), "a log of it").expect("a log");
        }),
        ("newer", |lab| drop(lab.sql("PRAGMA user_version = 99"))),
        ("foreign", |lab| {
            remove(&lab.database());
            lab.sql("CREATE TABLE accounts (id INTEGER)");
        }),
        ("truncated", |lab| {
            let file = fs::OpenOptions::new().write(true).open(lab.database());
            file.expect("the store").set_len(5_000).expect("cut");
        }),
    ];
    for (name, damage) in damages {
        let lab = Lab::stopped_demo(CHANGE);
        damage(&lab);
        let parts: Vec<(PathBuf, Vec<u8>)> = ["", "-wal"]
            .iter()
            .map(|suffix| part(&lab.database(), suffix))
            .filter_map(|path| Some((path.clone(), octets(&path)?)))
            .collect();
        let serving = Serving::start(lab, ZONE);
        let lab = &serving.lab;
        lab.until(ZONE, "holding");
        let reply = ask(&serving, "first.example.com A +edns");
        assert_eq!(reply.data(), ["192.0.2.1"], "{name}");
        assert_eq!(reply.ede.as_ref().map(|(code, _)| *code), Some(3), "{name}");
        for (path, before) in &parts {
            assert!(
                octets(path).as_ref() == Some(before),
                "{name}: {}",
                path.display()
            );
        }
        lab.cli(&["snapshot", "restore", "--all"]).expect_ok();
        lab.until(ZONE, "live");
        let said = serving.said();
        for (path, before) in &parts {
            let moved = moved_to(&said, path);
            let moved = moved.unwrap_or_else(|| panic!("{name}: {} in {said}", path.display()));
            assert!(octets(&moved).as_ref() == Some(before), "{name}: {moved:?}");
        }
        assert_eq!(ask(&serving, "first.example.com A").data(), ["192.0.2.1"]);
        let lab = serving.stop();
        let serving = Serving::start(lab, ZONE);
        assert_eq!(serving.lab.state(ZONE), "live", "{name}");
    }
}

/// A snapshot from before what the configuration says now: the policy in force is the stricter
/// configuration's, and what is served is as it was.
#[test]
fn store_lost_and_stanzas_changed_at_once_serve_the_snapshot_under_the_new_policy() {
    let lab = Lab::stopped_demo(CHANGE);
    remove(&lab.database());
    let config = lab.read("lastgood.toml");
    let end = config.rfind("[[zone]]").expect("the second stanza");
    let config = config[..end].replace("min_members = 2", "min_members = 3");
    lab.write("new.test.zone", &lab::apex("new.test."));
    let new = "[[zone]]\nname = \"new.test.\"\nfile = \"new.test.zone\"\n";
    lab.write("lastgood.toml", &(config + new));
    let serving = Serving::start(lab, ZONE);
    let lab = &serving.lab;
    for (zone, orphaned) in [(ZONE, false), (OTHER, true)] {
        let status = lab.until(zone, "holding");
        assert_eq!(status["orphaned"], orphaned, "{status}");
    }
    let findings = lab.status(ZONE)["findings"].to_string();
    assert!(findings.contains("at least 3"), "{findings}");
    assert_eq!(ask(&serving, "first.example.com A").data(), ["192.0.2.1"]);
    assert_eq!(ask(&serving, "-x 192.0.2.25").data(), ["mail.example.com."]);
    // Neither file has ever had it, and nowhere is a store to import it into.
    assert_eq!(ask(&serving, "new.test SOA").status, "SERVFAIL");
    lab.cli(&["snapshot", "restore", "--all"]).expect_ok();
    lab.until(ZONE, "live");
    lab.until(OTHER, "live");
    let lab = serving.stop();
    let serving = Serving::start(lab, ZONE);
    assert_eq!(serving.lab.state("new.test."), "live");
    assert_eq!(serving.lab.status(OTHER)["orphaned"], true);
}

#[test]
fn an_update_after_both_were_lost_is_refused_and_not_lost_silently() {
    let mut lab = Lab::stopped_demo(CHANGE);
    remove(&lab.database());
    remove(&lab.snapshot());
    lab.start();
    assert_ne!(lab.update(LATER), "NOERROR");
    let file = lab.path("example.com.zone").display().to_string();
    lab.cli(&["zone", "import", ZONE, &file]).expect_ok();
    assert_eq!(lab.update(LATER), "NOERROR");
    lab.restart();
    assert_eq!(lab.data("later.example.com A"), ["192.0.2.2"]);
    assert_eq!(lab.state(OTHER), "unavailable", "each for itself");
}
