//! The snapshot's file, while the live data are good: verified after a start, and never read for answers.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

use crate::harness::eventually;
use crate::harness::lab::{self, Lab};
use crate::harness::programs;

const API: [&str; 2] = ["192.0.2.10", "192.0.2.11"];
const CHANGE: &str = "zone example.com\nupdate add first.example.com. 60 A 192.0.2.1";

/// Owners as the snapshot has them.
const API_KEY: &str = "x'03617069076578616d706c6503636f6d00'";
const WEB_KEY: &str = "x'03776562076578616d706c6503636f6d00'";

/// What is in the file is well-formed and says something else than what is served.
fn forge(snapshot: &Path, lab: &Lab) {
    let forged = format!(
        "UPDATE node SET data = (SELECT data FROM node WHERE key = {WEB_KEY}) WHERE key = {API_KEY}; \
         SELECT changes()"
    );
    assert_eq!(lab.sql_in(snapshot, &forged).trim(), "1");
}

/// The program itself, with its log in a file.
struct Served<'a> {
    lab: &'a Lab,
    child: Child,
}

impl Served<'_> {
    fn start(lab: &Lab) -> Served<'_> {
        let log = fs::File::create(lab.path("log")).expect("a file");
        let mut command = lab.command(&["serve"]);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let child = command.stderr(log).spawn().expect("the program starts");
        Served { lab, child }
    }

    /// The first line of the log that has all of it.
    #[track_caller]
    fn logs(&self, parts: &[&str]) -> String {
        eventually(&parts.join(" … "), || {
            let log = self.lab.read("log");
            let mut lines = log.lines();
            let found = lines.find(|line| parts.iter().all(|part| line.contains(part)));
            found.map(str::to_owned).ok_or(log)
        })
    }
}

impl Drop for Served<'_> {
    fn drop(&mut self) {
        let term = format!("kill -TERM {}", self.child.id());
        self.lab.shell(&term);
        programs::wait(&mut self.child, Duration::from_secs(20));
    }
}

#[test]
fn a_snapshot_damaged_while_the_server_was_down_is_found_set_aside_named_and_written_anew() {
    type Damage = fn(&Path, &Lab);
    let damages: [(&str, Damage); 4] = [
        ("other data", forge),
        ("a page of it", |path, _| {
            let mut octets = fs::read(path).expect("the snapshot");
            // Not the first, which says what kind of file it is.
            let page = octets
                .windows(7)
                .rposition(|window| window == b"example")
                .expect("an owner")
                / 4096;
            assert!(page > 0);
            octets[page * 4096..(page + 1) * 4096].fill(0xA5);
            fs::write(path, octets).expect("damaged");
        }),
        ("its head", |path, _| {
            let mut octets = fs::read(path).expect("the snapshot");
            octets[..4096].fill(0);
            fs::write(path, octets).expect("damaged");
        }),
        ("other digest", |path, lab| {
            let digest = "UPDATE zone SET digest = (SELECT digest FROM zone WHERE \
                          hex(origin) NOT LIKE '076578616D706C65%') WHERE hex(origin) LIKE '076578616D706C65%'";
            lab.sql_in(path, digest);
        }),
    ];
    for (name, damage) in damages {
        let mut lab = Lab::demo();
        assert_eq!(lab.update(CHANGE), "NOERROR");
        lab.settle("example.com.");
        lab.stop();
        damage(&lab.snapshot(), &lab);
        let damaged = fs::read(lab.snapshot()).expect("the snapshot");

        let served = Served::start(&lab);
        let path = lab.snapshot().display().to_string();
        served.logs(&["ERROR", &path, "writing a new one"]);
        let aside = served.logs(&["WARN", &format!("from={path} "), "set aside"]);
        let (_, aside) = aside.split_once(" to=").expect("its new name");
        let kept = fs::read(aside.split(' ').next().expect("a word")).expect("what was there");
        assert!(kept == damaged, "{name}: as it was found");

        let at = SocketAddr::from(([127, 0, 0, 1], lab.port));
        let reply = lab::dig(at, "api.example.com A +edns");
        assert_eq!(reply.data(), API, "{name}");
        assert!(!reply.text.contains("EDE"), "{name}: live\n{}", reply.text);
        lab.settle("example.com.");
        drop(served);
        // Read without a server: it adds up, and is what is served.
        let exported = lab.cli(&["snapshot", "export", "example.com."]).expect_ok();
        let live = lab.cli(&["zone", "export", "example.com."]).expect_ok();
        assert_eq!(exported, live, "{name}");
    }
}

/// The image in memory is what is served through whatever happens to both files; the snapshot is for
/// the next start, and there only if it adds up.
#[test]
fn while_the_server_runs_nothing_of_the_snapshot_is_served() {
    let mut lab = Lab::demo();
    assert_eq!(lab.update(CHANGE), "NOERROR");
    lab.settle("example.com.");
    forge(&lab.snapshot(), &lab);
    lab.sql("DELETE FROM record WHERE owner = 'api.example.com.' AND type = 'A'");
    lab.until("example.com.", "holding");
    assert_eq!(lab.data("api.example.com A"), API, "the rows are gone");
    lab.cli(&["reload"]).expect_ok();
    assert_eq!(lab.data("api.example.com A"), API, "after a reload");
    for end in ["", "-wal", "-shm"] {
        let file = format!("{}{end}", lab.database().display());
        fs::remove_file(file).expect("a file of the store");
    }
    eventually("the loss is noticed", || {
        let status = lab.status("example.com.").to_string();
        match status.contains("is gone") {
            true => Ok(()),
            false => Err(status),
        }
    });
    assert_eq!(lab.data("api.example.com A"), API, "the store is gone");

    // The scrub may have found it and have had a new one written.
    lab.stop();
    forge(&lab.snapshot(), &lab);
    lab.start();
    let reply = lab.dig("api.example.com A +edns");
    assert_eq!(reply.status, "SERVFAIL", "never what does not add up");
    assert!(reply.text.contains("EDE: 24"), "{}", reply.text);
    assert_eq!(
        lab.state("2.0.192.in-addr.arpa."),
        "holding",
        "each zone for itself"
    );
}

fn remove(database: &Path) {
    for end in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(format!("{}{end}", database.display()));
    }
}

/// With a good store, whatever stands where the snapshot was becomes a snapshot that is worth something.
#[test]
fn whatever_stands_in_the_snapshots_place_the_store_is_served_and_a_good_one_written() {
    type Damage = fn(&Lab);
    let damages: [(&str, Damage); 5] = [
        ("an older one", |lab| {
            let older = lab.path("older.db");
            fs::copy(older, lab.snapshot()).expect("an older snapshot");
        }),
        ("another server's", |lab| {
            let config = format!(
                "{}[[zone]]\nname = \"other.test.\"\nfile = \"other.zone\"\n",
                lab::head()
            );
            let mut other = Lab::of(&config, &[("other.zone", &lab::apex("other.test."))]);
            eventually("the other snapshot", || {
                let status = other.status("other.test.");
                match status["snapshot_revision"].is_u64() {
                    true => Ok(()),
                    false => Err(status.to_string()),
                }
            });
            other.stop();
            fs::copy(other.snapshot(), lab.snapshot()).expect("another's snapshot");
        }),
        ("a log alone", |lab| {
            let log = format!("{}-wal", lab.snapshot().display());
            fs::rename(lab.snapshot(), log).expect("a log");
        }),
        ("another schema", |lab| {
            let statement = "ALTER TABLE node RENAME COLUMN data TO content";
            lab.sql_in(&lab.snapshot(), statement);
        }),
        ("serials and policy gone", |lab| {
            lab.sql_in(&lab.snapshot(), "DELETE FROM ceiling; DELETE FROM meta");
        }),
    ];
    for (name, damage) in damages {
        let mut lab = Lab::stopped_demo(CHANGE);
        fs::copy(lab.snapshot(), lab.path("older.db")).expect("a copy");
        lab.start();
        let later = "zone example.com\nupdate add later.example.com. 60 A 192.0.2.2";
        assert_eq!(lab.update(later), "NOERROR");
        lab.settle("example.com.");
        lab.stop();
        damage(&lab);
        lab.start();
        assert_eq!(lab.state("example.com."), "live", "{name}");
        if name == "another server's" {
            // As far as this can tell the store has forgotten a zone: shown, and gone when told so.
            assert_eq!(lab.state("other.test."), "holding");
            let meant = ["--override", "min-members", "--reason", "not ours"];
            lab.cli(&[&["zone", "remove", "other.test."], &meant[..]].concat())
                .expect_ok();
        }
        lab.settle("example.com.");
        let serial = lab.serial("example.com");
        lab.stop();
        remove(&lab.database());
        lab.start();
        assert_eq!(lab.state("example.com."), "holding", "{name}");
        assert_eq!(lab.data("later.example.com A"), ["192.0.2.2"], "{name}");
        let empty = "zone example.com\nupdate delete api.example.com. A";
        lab.cli(&["snapshot", "restore", "--all"]).expect_ok();
        lab.until("example.com.", "live");
        assert!(lab.serial("example.com") > serial, "{name}");
        assert_eq!(lab.update(empty), "REFUSED", "{name}");
        assert_eq!(lab.dig("other.test SOA").status, "REFUSED", "{name}");
    }
}

/// What the store's tables are like is known; what lacks a part of them is not guessed at.
#[test]
fn a_store_that_lacks_a_table_or_column_holds_and_says_which() {
    for (statement, lacks) in [
        ("ALTER TABLE record RENAME COLUMN rdata TO data", "rdata"),
        ("ALTER TABLE record RENAME TO records", "record"),
        ("ALTER TABLE zone DROP COLUMN serial", "serial"),
        ("DROP TABLE revision", "revision"),
        ("DROP TABLE audit", "audit"),
        ("DROP TABLE meta", "meta"),
        ("DROP TABLE touched", "touched"),
    ] {
        let mut lab = Lab::stopped_demo(CHANGE);
        lab.sql(&format!("DROP VIEW zone_file; {statement}"));
        lab.start();
        let status = lab.until("example.com.", "holding").to_string();
        assert!(
            status.contains(&format!("`{lacks}`")),
            "{statement}: {status}"
        );
        assert_eq!(lab.data("api.example.com A"), API, "{statement}");
        assert_eq!(
            lab.data("first.example.com A"),
            ["192.0.2.1"],
            "{statement}"
        );
        assert_eq!(lab.update(CHANGE), "REFUSED", "{statement}");
        lab.cli(&["snapshot", "restore", "--all"]).expect_ok();
        lab.until("example.com.", "live");
        let second = "zone example.com\nupdate add second.example.com. 60 A 192.0.2.2";
        assert_eq!(lab.update(second), "NOERROR", "{statement}");
    }
}

/// What somebody added for himself is no damage, nor is a view less.
#[test]
fn a_store_with_tables_or_columns_more_is_served() {
    let mut lab = Lab::stopped_demo(CHANGE);
    lab.sql(
        "ALTER TABLE record ADD COLUMN note TEXT; CREATE TABLE mine (id INTEGER); DROP VIEW zone_file",
    );
    lab.start();
    assert_eq!(lab.state("example.com."), "live");
    let second = "zone example.com\nupdate add second.example.com. 60 A 192.0.2.2";
    assert_eq!(lab.update(second), "NOERROR");
    lab.restart();
    assert_eq!(lab.data("second.example.com A"), ["192.0.2.2"]);
}

#[test]
fn a_table_dropped_beneath_a_running_server_holds_and_says_which() {
    let lab = Lab::demo();
    lab.sql("DROP TABLE audit");
    let update = lab.update(CHANGE);
    assert!(
        update.contains("SERVFAIL") || update.contains("REFUSED"),
        "{update}"
    );
    let status = lab.until("example.com.", "holding").to_string();
    assert!(status.contains("`audit`"), "{status}");
    assert_eq!(lab.data("api.example.com A"), API);
}
