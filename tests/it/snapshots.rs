//! The snapshot's file, while the live data are good: verified after a start, and never read for answers.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
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

fn snapshot(lab: &Lab) -> PathBuf {
    lab.path("data/demo.snapshot.db")
}

/// Waits until the snapshot has what is served.
fn settle(lab: &Lab) {
    eventually("the snapshot has caught up", || {
        let status = lab.status("example.com.");
        if status["snapshot_revision"] == status["revision"] {
            Ok(())
        } else {
            Err(status.to_string())
        }
    });
}

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
        settle(&lab);
        lab.stop();
        damage(&snapshot(&lab), &lab);
        let damaged = fs::read(snapshot(&lab)).expect("the snapshot");

        let served = Served::start(&lab);
        let path = snapshot(&lab).display().to_string();
        eprintln!("{name}");
        served.logs(&["ERROR", &path, "writing a new one"]);
        let aside = served.logs(&["WARN", &format!("from={path} "), "set aside"]);
        let (_, aside) = aside.split_once(" to=").expect("its new name");
        let kept = fs::read(aside.split(' ').next().expect("a word")).expect("what was there");
        assert!(kept == damaged, "{name}: as it was found");

        let at = SocketAddr::from(([127, 0, 0, 1], lab.port));
        let reply = lab::dig(at, "api.example.com A +edns");
        assert_eq!(reply.data(), API, "{name}");
        assert!(!reply.text.contains("EDE"), "{name}: live\n{}", reply.text);
        settle(&lab);
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
    settle(&lab);
    forge(&snapshot(&lab), &lab);
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

    lab.restart();
    let reply = lab.dig("api.example.com A +edns");
    assert_eq!(reply.status, "SERVFAIL", "never what does not add up");
    assert!(reply.text.contains("EDE: 24"), "{}", reply.text);
    assert_eq!(
        lab.state("2.0.192.in-addr.arpa."),
        "holding",
        "each zone for itself"
    );
}
