//! The writer's thread with a rule that errs (P6): there is one in the guard of test builds.

use std::path::Path as FilePath;
use std::process::Command;
use std::time::{Duration, Instant};

use super::*;
use crate::guard::tests::FAULTY;
use crate::rr::{Rtype, rdata};
use crate::zone;

pub(super) const ZONE: &str = "example.com.";

pub(super) fn name(text: &str) -> Name {
    text.parse().unwrap()
}

pub(super) fn record(owner: &str, rtype: Rtype, text: &str) -> Record {
    Record {
        owner: name(owner),
        rtype,
        ttl: 60,
        rdata: rdata::from_text(rtype, text).unwrap(),
    }
}

pub(super) fn settings(dir: &FilePath) -> Settings {
    Settings {
        had_store: false,
        store: store::Settings {
            path: dir.join("lastgood.db"),
            snapshot: dir.join("lastgood.snapshot.db"),
            busy_timeout_ms: 1000,
            retention: store::Retention::default(),
        },
        zones: vec![ZonePolicy::default_for(name(ZONE))],
        keys: vec![(name("writer."), vec![anything()])],
        queue: 64,
        poll: Duration::from_millis(20),
        scrub: None,
    }
}

fn begin(dir: &FilePath) -> (Handle, Reader, Counters) {
    let settings = settings(dir);
    let (publish, reader) = zone::pointer();
    let counters = Counters::default();
    let started = start(settings, counters.clone(), publish, reader.clone());
    (started.handle, reader, counters)
}

pub(super) fn anything() -> Permit {
    Permit {
        zone: None,
        names: vec!["**".parse().unwrap()],
        types: Vec::new(),
        rdata: Vec::new(),
        operations: Vec::new(),
        from: Vec::new(),
    }
}

pub(super) fn submission(path: Path, key: &str, body: Body) -> Submission {
    Submission {
        zone: name(ZONE),
        actor: Actor {
            name: "test".into(),
            key: (path == Path::Update).then(|| name(key)),
        },
        path,
        source: None,
        transport: None,
        body,
        override_: None,
    }
}

fn ask(handle: &Handle, path: Path, body: Body) -> Outcome {
    let submission = submission(path, "writer.", body);
    handle.submit(submission).blocking_recv().unwrap()
}

pub(super) fn import(owners: &[&str]) -> Body {
    let mut records = vec![
        record(ZONE, Rtype::SOA, "ns1.a. h.a. 1 3600 600 864000 300"),
        record(ZONE, Rtype::NS, "ns1.a."),
        record(ZONE, Rtype::NS, "ns2.a."),
    ];
    let a = |owner: &&str| record(&format!("{owner}.{ZONE}"), Rtype::A, "192.0.2.1");
    records.extend(owners.iter().map(a));
    Body::Import {
        records,
        replace: true,
    }
}

/// An update that adds an address, as it comes over the wire.
pub(super) fn addition(owner: &str) -> Body {
    let mut octets = vec![0, 1, 0x28, 0, 0, 1, 0, 0, 0, 1, 0, 0];
    octets.extend_from_slice(name(ZONE).as_wire());
    octets.extend_from_slice(&[0, 6, 0, 1]);
    octets.extend_from_slice(name(&format!("{owner}.{ZONE}")).as_wire());
    octets.extend_from_slice(&[0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1]);
    Body::Update {
        message: crate::update::parse(&octets).unwrap(),
        mac: owner.as_bytes().to_vec(),
    }
}

fn rule_of(outcome: Outcome) -> String {
    match outcome {
        Outcome::Refused(refused) => {
            assert!(!refused.reference.is_empty() && !refused.accepted.is_empty());
            refused.rule
        }
        other => panic!("{other:?}"),
    }
}

#[track_caller]
pub(super) fn is_served(reader: &Reader, owner: &str) -> bool {
    let published = reader.load();
    let zone = published.zone(&name(ZONE)).unwrap().zone().unwrap();
    let owner = name(&format!("{owner}.{ZONE}"));
    zone.image.rrset(&owner, Rtype::A).is_some()
}

pub(super) fn sql(dir: &FilePath, statement: &str) {
    let mut sqlite3 = Command::new("sqlite3");
    sqlite3.args(["-bail", "-cmd", ".timeout 5000"]);
    let status = sqlite3
        .arg(dir.join("lastgood.db"))
        .arg(statement)
        .status()
        .expect("sqlite3 (tests/run installs it)");
    assert!(status.success());
}

fn until(what: &str, condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < Duration::from_secs(20), "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn an_answer_that_cannot_be_given_costs_neither_the_change_nor_the_next_ones() {
    let folder = tempfile::tempdir().unwrap();
    let (publish, reader) = zone::pointer();
    let started = start(
        settings(folder.path()),
        Counters::default(),
        publish,
        reader.clone(),
    );
    let handle = started.handle;
    ask(&handle, Path::Import, import(&["api"]));
    let update = |owner: &str| submission(Path::Update, "writer.", addition(owner));
    handle.submit_to(update("first"), |_| panic!("on the way to who waits"));
    let next = handle.submit(update("next")).blocking_recv().unwrap();
    assert!(matches!(next, Outcome::Committed(_)), "{next:?}");
    assert!(is_served(&reader, "first") && is_served(&reader, "next"));
    assert_eq!(handle.failing(), None);
    handle.stop();
}

#[test]
fn a_rule_that_errs_refuses_on_every_path_and_the_writer_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let (handle, reader, counters) = begin(dir.path());
    assert!(matches!(
        ask(&handle, Path::Import, import(&["api"])),
        Outcome::Committed(_)
    ));
    assert_eq!(
        rule_of(ask(&handle, Path::Update, addition(FAULTY))),
        "error"
    );
    assert_eq!(
        rule_of(ask(&handle, Path::Import, import(&["api", FAULTY]))),
        "error"
    );
    // Other changes do not suffer for it.
    let good = ask(&handle, Path::Update, addition("good"));
    assert!(matches!(good, Outcome::Committed(_)), "{good:?}");

    // By hand: the zone holds, and says why.
    let row = |owner: &str| {
        format!(
            "INSERT INTO record (zone, owner, ttl, type, rdata) \
             VALUES ('{ZONE}', '{owner}.{ZONE}', 60, 'A', '192.0.2.9')"
        )
    };
    sql(dir.path(), &row(FAULTY));
    until("the zone holds", || handle.status()[0].state == "holding");
    let status = &handle.status()[0];
    let reason = status.reason.clone().unwrap_or_default();
    assert!(reason.contains("a rule failed on this change"), "{reason}");
    let mend = status.mend.clone().unwrap_or_default();
    assert!(!mend.contains("--override error"), "{mend}");
    assert_eq!(rule_of(ask(&handle, Path::Cli, Body::Accept)), "error");
    assert!(is_served(&reader, "api") && is_served(&reader, "good"));
    assert!(!is_served(&reader, FAULTY));
    sql(
        dir.path(),
        &format!("DELETE FROM record WHERE owner = '{FAULTY}.{ZONE}'"),
    );
    until("the hold ends", || handle.status()[0].state == "live");
    let last = ask(&handle, Path::Update, addition("last"));
    assert!(matches!(last, Outcome::Committed(_)), "{last:?}");
    assert!(is_served(&reader, "last"));
    assert_eq!(counters.totals().refusals["error"], 4);
    handle.stop();
}

fn reference_of(outcome: &Outcome) -> &str {
    match outcome {
        Outcome::Committed(committed) => &committed.reference,
        Outcome::Unchanged { reference, .. } => reference,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_message_once_more_after_a_start_has_its_first_result() {
    let dir = tempfile::tempdir().unwrap();
    let (handle, ..) = begin(dir.path());
    ask(&handle, Path::Import, import(&["api"]));
    let first = ask(&handle, Path::Update, addition("www"));
    assert!(matches!(first, Outcome::Committed(_)), "{first:?}");
    // Somebody takes it away again.
    ask(&handle, Path::Import, import(&["api"]));
    let serial = handle.status()[0].serial;
    // From both files, from the store alone, from both again.
    for lost in [None, Some("lastgood.snapshot.db"), None] {
        handle.stop();
        if let Some(file) = lost {
            std::fs::remove_file(dir.path().join(file)).unwrap();
        }
        let (handle, reader, _) = begin(dir.path());
        for _ in 0..2 {
            let again = ask(&handle, Path::Update, addition("www"));
            assert_eq!(reference_of(&again), reference_of(&first), "{again:?}");
        }
        assert!(!is_served(&reader, "www"), "it was applied again");
        assert_eq!(handle.status()[0].serial, serial);
        handle.stop();
    }
}
