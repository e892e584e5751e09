//! Reading the rows that somebody touched, or that a scrub doubts, says what reading all of them says.

use std::process::Command;

use super::*;
use crate::rr::{Record, rdata};
use crate::store::{NewRevision, Retention, Settings, Store, differing, scrub};

const ZONE: &str = "example.com.";

/// As a person types them into `sqlite3`.
const EDITS: &[&str] = &[
    "UPDATE record SET rdata = '192.0.2.9' WHERE owner = 'www.example.com.' AND type = 'A'",
    "UPDATE record SET ttl = 5 WHERE owner = 'www.example.com.'",
    "DELETE FROM record WHERE owner = 'www.example.com.'",
    "DELETE FROM record WHERE owner = 'example.com.' AND type = 'SOA'",
    "DELETE FROM record",
    "UPDATE record SET owner = 'other.example.com.' WHERE owner = 'www.example.com.'",
    "UPDATE record SET owner = 'WWW.Example.com.' WHERE type = 'TXT'",
    "UPDATE record SET owner = '\\119ww.example.com.', rdata = '192.0.2.7' WHERE type = 'A' AND rdata = '192.0.2.1'",
    "INSERT INTO record (zone, owner, ttl, type, rdata) VALUES ('EXAMPLE.com.', 'a.b.c.example.com.', 9, 'a', '192.0.2.3')",
    "INSERT INTO record (zone, owner, ttl, type, rdata) VALUES ('example.com.', '\\119ww.example.com.', 9, 'TYPE1', '\\# 4 c0000203')",
    "INSERT INTO record (zone, owner, ttl, type, rdata) VALUES ('example.com.', 'www.example.com.', 60, 'A', '192.0.2.1')",
    "INSERT INTO record (zone, owner, ttl, type, rdata) VALUES ('example.com.', 'www.example.org.', 60, 'A', '192.0.2.1')",
    "INSERT INTO record (zone, owner, ttl, type, rdata) VALUES ('example.com.', 'www', 60, 'A', '192.0.2.1')",
    "INSERT INTO record (zone, owner, ttl, type, rdata) VALUES ('example.com.', CAST(x'ff2e' AS TEXT), 60, 'A', '192.0.2.1')",
    "UPDATE record SET rdata = 'nonsense' WHERE owner = 'api.example.com.'",
    "UPDATE record SET type = 'NONSENSE' WHERE owner = 'x.y.example.com.'",
    "UPDATE record SET zone = 'example.org.' WHERE owner = 'x.y.example.com.'",
    "UPDATE record SET id = id + 100",
    "REPLACE INTO record (id, zone, owner, ttl, type, rdata) SELECT id, 'example.com.', 'new.example.com.', 1, 'A', '192.0.2.1' FROM record WHERE type = 'TXT'",
    "UPDATE record SET owner = 'x.y.example.com.' WHERE owner = 'www.example.com.'; \
     UPDATE record SET owner = 'www.example.com.' WHERE owner = 'api.example.com.'",
];

fn served() -> ZoneImage {
    let record = |owner: &str, rtype: Rtype, text: &str| Record {
        owner: owner.parse().unwrap(),
        rtype,
        ttl: 60,
        rdata: rdata::from_text(rtype, text).unwrap(),
    };
    let records = [
        record(ZONE, Rtype::SOA, "ns. h. 1 2 3 4 5"),
        record(ZONE, Rtype::NS, "ns1.example.net."),
        record(ZONE, Rtype::NS, "ns2.example.net."),
        record("www.example.com.", Rtype::A, "192.0.2.1"),
        record("www.example.com.", Rtype::A, "192.0.2.2"),
        record("www.example.com.", Rtype::TXT, "\"x\""),
        record("api.example.com.", Rtype::A, "192.0.2.3"),
        record("x.y.example.com.", Rtype::CNAME, "www.example.com."),
    ];
    ZoneImage::from_records(ZONE.parse().unwrap(), records).unwrap()
}

fn store(served: &ZoneImage) -> (tempfile::TempDir, Settings, Store) {
    let dir = tempfile::tempdir().unwrap();
    let settings = Settings {
        path: dir.path().join("s.db"),
        snapshot: dir.path().join("s.snapshot.db"),
        busy_timeout_ms: 1000,
        retention: Retention::default(),
    };
    let mut store = Store::open(&settings).unwrap();
    let tx = store.begin().unwrap();
    let zone = served.origin();
    tx.create_zone(zone).unwrap();
    let diff = Diff::between(&ZoneImage::empty(zone.clone()), served);
    tx.write_diff(zone, &diff).unwrap();
    tx.add_revision(NewRevision {
        zone,
        path: "import",
        actor: "test",
        old_serial: None,
        new_serial: 1,
        digest: served.digest(),
        at_unix_us: 1,
        diff: &diff,
    })
    .unwrap();
    tx.commit().unwrap();
    (dir, settings, store)
}

fn by_hand(settings: &Settings, head: &str, sql: &str) {
    let mut command = Command::new("sqlite3");
    command.args(["-bail", "-cmd", head]).arg(&settings.path);
    let ran = command.arg(sql).output();
    let ran = ran.expect("sqlite3 runs (tests/run installs what is needed)");
    assert!(ran.status.success(), "{ran:?}");
}

#[track_caller]
fn same(tx: &Transaction<'_>, served: &ZoneImage, beside: &BTreeSet<String>, what: &str) {
    let loaded = tx.load(served.origin()).unwrap();
    let (whole, flaw) = build(served.origin(), &loaded);
    let (part, image, flaw_of_part) = with_touched(tx, served, beside).unwrap();
    assert!(Diff::between(&whole, &image).is_empty(), "{what}");
    assert_eq!(whole.digest(), image.digest(), "{what}");
    assert_eq!(whole.record_count(), image.record_count(), "{what}");
    let sorted = |mut bad: Vec<BadRow>| {
        bad.sort_by_key(|row| row.id);
        bad
    };
    assert_eq!(sorted(loaded.bad), sorted(part.bad), "{what}");
    assert_eq!(flaw.is_some(), flaw_of_part.is_some(), "{what}");
}

#[test]
fn the_rows_of_touched_owners_say_what_all_rows_say() {
    for (number, first) in EDITS.iter().enumerate() {
        for apart in [1, 7] {
            let second = EDITS[(number + apart) % EDITS.len()];
            let served = served();
            let (_dir, settings, mut store) = store(&served);
            by_hand(&settings, "", &format!("{first}; {second};"));
            let tx = store.begin().unwrap();
            assert!(
                !tx.load_touched(served.origin(), &BTreeSet::new())
                    .unwrap()
                    .touched
                    .is_empty()
            );
            same(
                &tx,
                &served,
                &BTreeSet::new(),
                &format!("{first}; {second}"),
            );
        }
    }
}

#[test]
fn the_owners_that_a_scrub_doubts_say_what_all_rows_say() {
    for damage in EDITS {
        let served = served();
        let (_dir, settings, mut store) = store(&served);
        by_hand(&settings, ".dbconfig enable_trigger off", damage);
        let never = Arc::new(|| false);
        let found = scrub(&settings, never.clone()).unwrap();
        let owners = differing(&settings, never, &served, 1).unwrap();
        // An owner that is no text cannot be asked for by its text.
        assert_eq!(owners.is_none(), damage.contains("CAST"), "{damage}");
        let Some(owners) = owners else { continue };
        assert_eq!(owners.is_empty(), found.suspects.is_empty(), "{damage}");
        let tx = store.begin().unwrap();
        same(&tx, &served, &owners, damage);
    }
}
