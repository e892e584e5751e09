mod audit;
mod damage;
mod ends;
mod index;
mod ledger;
mod scrub;
mod types;

use std::fs;

use proptest::prelude::*;
use rusqlite::Connection;
use serde_json::json;
use tempfile::TempDir;

use super::*;
use crate::rr::{Record, Rtype, rdata};
use crate::zone::{Diff, ZoneImage};

const ZONE: &str = "example.com.";

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn record(owner: &str, ttl: u32, rtype: Rtype, text: &str) -> Record {
    Record {
        owner: name(owner),
        rtype,
        ttl,
        rdata: rdata::from_text(rtype, text).unwrap(),
    }
}

fn image(records: &[Record]) -> ZoneImage {
    ZoneImage::from_records(name(ZONE), records.iter().cloned()).unwrap()
}

fn company() -> Vec<Record> {
    vec![
        record(
            ZONE,
            3600,
            Rtype::SOA,
            "ns1.example.com. h.example.com. 1 2 3 4 5",
        ),
        record(ZONE, 3600, Rtype::NS, "ns1.example.com."),
        record("ns1.example.com.", 300, Rtype::A, "192.0.2.1"),
        record("API.example.com.", 60, Rtype::A, "192.0.2.10"),
        record("api.example.com.", 60, Rtype::A, "192.0.2.11"),
        record(
            "a\\.b\\032c.example.com.",
            60,
            Rtype::TXT,
            "\"x ' y\" \"\\000\"",
        ),
        record("other.example.com.", 60, Rtype(65280), "\\# 2 ABCD"),
    ]
}

struct Scratch {
    dir: TempDir,
    store: Store,
}

fn settings(dir: &TempDir) -> Settings {
    fs::create_dir_all(dir.path().join("data")).unwrap();
    Settings {
        snapshot: dir.path().join("store.snapshot.db"),
        path: dir.path().join("data/lastgood.db"),
        busy_timeout_ms: 50,
        retention: Retention::default(),
    }
}

/// A store with one zone at revision 1.
fn scratch() -> Scratch {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(&settings(&dir)).unwrap();
    commit(
        &mut store,
        &ZoneImage::empty(name(ZONE)),
        &image(&company()),
        1,
    );
    Scratch { dir, store }
}

fn commit(store: &mut Store, before: &ZoneImage, after: &ZoneImage, serial: u32) -> u64 {
    let tx = store.begin().unwrap();
    let zone = after.origin();
    tx.create_zone(zone).unwrap();
    let diff = Diff::between(before, after);
    tx.write_diff(zone, &diff).unwrap();
    let revision = tx
        .add_revision(revision(zone, after, &diff, serial))
        .unwrap();
    tx.commit().unwrap();
    revision
}

fn revision<'a>(
    zone: &'a Name,
    after: &ZoneImage,
    diff: &'a Diff,
    new_serial: u32,
) -> NewRevision<'a> {
    NewRevision {
        zone,
        path: "update",
        actor: "key k.",
        old_serial: None,
        new_serial,
        digest: after.digest(),
        at_unix_us: 1_000_000,
        diff,
    }
}

fn audit<'a>(actor: &'a str, outcome: &'a str) -> NewAudit<'a> {
    NewAudit {
        at_unix_us: 5_000_000,
        path: "update",
        actor,
        source: Some("192.0.2.7:4711".to_owned()),
        transport: Some("udp"),
        zone: None,
        base_revision: Some(1),
        revision: None,
        old_serial: Some(1),
        new_serial: None,
        outcome,
        rule: Some("min-members"),
        reason: "1 of 2",
        rcode: "REFUSED",
        ede: Some(0),
        mac: None,
        detail: json!({"rules": [1, 2]}),
        duration_us: 12,
    }
}

impl Scratch {
    fn settings(&self) -> Settings {
        settings(&self.dir)
    }

    fn path(&self) -> PathBuf {
        self.settings().path
    }

    /// As a person with `sqlite3` comes.
    fn person(&self) -> Connection {
        Connection::open(self.path()).unwrap()
    }

    fn by_hand(&self, sql: &str) {
        self.person().execute_batch(sql).unwrap();
    }

    fn load(&self) -> Loaded {
        self.store.load(&name(ZONE)).unwrap()
    }

    fn reasons(&self) -> Vec<String> {
        self.load()
            .bad
            .iter()
            .map(|row| row.reason.clone())
            .collect()
    }

    /// The image of what lies in the store.
    fn stored(&self) -> ZoneImage {
        image(&self.load().records)
    }

    fn add_audits(&mut self, outcomes: &[(&str, &str)]) -> Vec<String> {
        let tx = self.store.begin().unwrap();
        let references = outcomes
            .iter()
            .map(|(actor, outcome)| tx.add_audit(audit(actor, outcome)).unwrap())
            .collect();
        tx.commit().unwrap();
        references
    }

    fn chain(&self) -> Chain {
        History::open(&self.settings())
            .unwrap()
            .verify_chain()
            .unwrap()
    }
}

#[test]
fn what_is_written_is_read_back() {
    let mut s = scratch();
    let first = image(&company());
    assert_eq!(s.load().bad, []);
    assert_eq!(s.load().mixed_ttls, []);
    assert_eq!(s.stored().digest(), first.digest());
    let row = s.store.zones().unwrap().rows.pop().unwrap();
    assert_eq!(
        (row.origin, row.revision, row.serial),
        (name(ZONE), 1, Some(1))
    );
    assert_eq!(row.digest, first.digest());

    let mut records = company();
    records.retain(|record| record.rtype != Rtype::TXT);
    records[2].ttl = 77;
    records.push(record("Api.Example.COM.", 60, Rtype::AAAA, "2001:db8::1"));
    let second = image(&records);
    assert_eq!(commit(&mut s.store, &first, &second, 2), 2);
    assert_eq!(s.stored().digest(), second.digest());
    s.store.close().unwrap();
    let store = Store::open_existing(&settings(&s.dir)).unwrap();
    assert_eq!(
        image(&store.load(&name(ZONE)).unwrap().records).digest(),
        second.digest()
    );

    let history = History::open(&settings(&s.dir)).unwrap();
    let revision = history.revision(&name(ZONE), 2).unwrap().unwrap();
    assert_eq!(revision.new_serial, 2);
    assert_eq!(
        revision.diff[1],
        json!({
            "owner": "API.example.com.", "type": "AAAA", "before": null,
            "after": {"ttl": 60, "rdata": ["2001:db8::1"]},
        })
    );
    assert_eq!(history.revision(&name(ZONE), 3).unwrap(), None);
}

#[test]
fn the_file_is_the_owners_alone_and_synced_on_every_commit() {
    use std::os::unix::fs::PermissionsExt;
    let s = scratch();
    for file in [s.path(), identity::beside(&s.path(), "-wal")] {
        assert_eq!(
            fs::metadata(file).unwrap().permissions().mode() & 0o777,
            0o600
        );
    }
    let pragma = |name| {
        let value = s
            .store
            .connection
            .pragma_query_value(None, name, |row| row.get(0));
        rusqlite::Result::<i64>::unwrap(value)
    };
    assert_eq!(pragma("synchronous"), 2);
    assert_eq!(pragma("trusted_schema"), 0);
    assert_eq!(pragma("mmap_size"), 0);
}

#[test]
fn a_transaction_dropped_leaves_nothing() {
    let mut s = scratch();
    let tx = s.store.begin().unwrap();
    tx.rewrite_zone(&name(ZONE), &ZoneImage::empty(name(ZONE)))
        .unwrap();
    tx.create_zone(&name("example.org.")).unwrap();
    tx.add_audit(audit("a", "refused")).unwrap();
    tx.set_freeze("server", "r", "a", 1).unwrap();
    assert_eq!(tx.load(&name(ZONE)).unwrap().records.len(), 0);
    drop(tx);
    assert_eq!(s.load().records.len(), company().len());
    assert_eq!(s.store.zones().unwrap().rows.len(), 1);
    assert_eq!(s.store.freezes().unwrap(), []);
    assert_eq!(
        s.chain(),
        Chain::Whole {
            rows: 0,
            head: "0".repeat(64)
        }
    );
}

#[test]
fn edits_by_hand_are_noted_and_ours_are_not() {
    let mut s = scratch();
    let version = s.store.data_version().unwrap();
    commit(
        &mut s.store,
        &ZoneImage::empty(name("example.org.")),
        &ZoneImage::empty(name("example.org.")),
        1,
    );
    assert_eq!(s.store.data_version().unwrap(), version);
    assert_eq!(s.load().touched, [""; 0]);

    s.by_hand("UPDATE record SET rdata = '192.0.2.99' WHERE owner = 'API.EXAMPLE.COM.' AND rdata = '192.0.2.10'");
    assert_ne!(s.store.data_version().unwrap(), version);
    assert_eq!(s.load().touched, ["API.example.com."]);
    s.by_hand("DELETE FROM record WHERE type = 'ns'");
    s.by_hand("INSERT INTO record (zone, owner, ttl, type, rdata) VALUES ('example.com.', 'new.example.com.', 5, 'a', '192.0.2.5')");
    s.by_hand("REPLACE INTO record SELECT id, zone, 'moved.example.com.', ttl, type, rdata FROM record WHERE owner = 'other.example.com.'");
    let mut touched = s.load().touched;
    touched.sort();
    assert_eq!(
        touched,
        [
            "API.example.com.",
            "example.com.",
            "moved.example.com.",
            "new.example.com.",
            "other.example.com.",
        ]
    );
    let tx = s.store.begin().unwrap();
    tx.clear_touched(&name("EXAMPLE.com.")).unwrap();
    tx.commit().unwrap();
    assert_eq!(s.load().touched, [""; 0]);
}

#[test]
fn what_a_person_wrote_is_rewritten_as_we_would_have() {
    let mut s = scratch();
    let before = s.stored();
    s.by_hand(
        "INSERT INTO record (zone, owner, ttl, type, rdata) VALUES
         ('Example.com.', '\\097pi.example.com.', 30, 'TYPE1', '\\# 4 C000020C'),
         ('example.com.', 'api.example.com.', 60, 'a', '192.0.2.11'),
         ('example.com.', 'www.example.com.', 60, 'aaaa', '2001:DB8:0:0::1')",
    );
    let after = s.stored();
    let tx = s.store.begin().unwrap();
    tx.rewrite_rrsets(&name(ZONE), &Diff::between(&before, &after))
        .unwrap();
    tx.commit().unwrap();
    assert_eq!(s.stored().digest(), after.digest());
    let texts: Vec<String> = s
        .load()
        .records
        .iter()
        .map(|record| record.to_string())
        .collect();
    assert_eq!(texts.len(), after.record_count());
    assert_eq!(s.load().mixed_ttls, []);
    let rows: i64 = s
        .person()
        .query_row(
            "SELECT count(*) FROM record WHERE owner = 'api.example.com.' AND type = 'A' AND ttl = 30",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(rows, 3);
    // The next change finds them all.
    let mut editor = after.edit();
    editor
        .set(&name("api.example.com."), Rtype::A, None)
        .unwrap();
    let gone = editor.finish().0;
    commit(&mut s.store, &after, &gone, 2);
    assert_eq!(s.stored().digest(), gone.digest());
}

#[test]
fn one_record_in_several_rows_is_replaced_by_one_row() {
    let mut s = scratch();
    // The same record four times, as people may write it.
    s.by_hand(
        "INSERT INTO record (zone, owner, ttl, type, rdata) VALUES
         ('EXAMPLE.com.', 'one.example.com.', 60, 'A', '192.0.2.1'),
         ('example.com.', 'ONE.example.com.', 60, 'a', '192.0.2.1'),
         ('example.com.', 'one.example.com.', 60, 'TYPE1', '192.0.2.1'),
         ('example.com.', 'one.example.com.', 60, 'A', '\\# 4 c0000201')",
    );
    let rows = |s: &Scratch| -> Vec<String> {
        let person = s.person();
        let mut statement = person
            .prepare("SELECT ttl || ' ' || type || ' ' || rdata FROM record WHERE owner = 'one.example.com.'")
            .unwrap();
        let rows = statement.query_map([], |row| row.get(0)).unwrap();
        rows.map(Result::unwrap).collect()
    };
    assert_eq!(rows(&s).len(), 4);
    let before = s.stored();
    let with = |ttl, address| {
        let mut records = company();
        records.push(record("one.example.com.", ttl, Rtype::A, address));
        image(&records)
    };
    assert_eq!(
        before.digest(),
        with(60, "192.0.2.1").digest(),
        "one record"
    );
    let after = with(61, "192.0.2.2");
    commit(&mut s.store, &before, &after, 2);
    assert_eq!(rows(&s), ["61 A 192.0.2.2"]);
    // And from then on it is the row that is changed.
    commit(&mut s.store, &after, &with(62, "192.0.2.3"), 3);
    assert_eq!(rows(&s), ["62 A 192.0.2.3"]);
    assert_eq!(s.stored().digest(), with(62, "192.0.2.3").digest());
}

#[test]
fn a_ttl_that_could_not_be_read_back_is_not_written() {
    let mut s = scratch();
    let before = s.stored();
    let mut records = company();
    records.push(record("x.example.com.", 1 << 31, Rtype::A, "192.0.2.1"));
    let tx = s.store.begin().unwrap();
    let written = tx.write_diff(&name(ZONE), &Diff::between(&before, &image(&records)));
    assert!(matches!(written, Err(StoreError::Unstorable { .. })));
}

#[test]
fn a_revision_of_a_zone_that_is_not_there_is_refused() {
    let mut s = scratch();
    let zone = name("example.net.");
    let (empty, diff) = (ZoneImage::empty(zone.clone()), Diff::default());
    let tx = s.store.begin().unwrap();
    let added = tx.add_revision(revision(&zone, &empty, &diff, 1));
    assert!(matches!(added, Err(StoreError::NoZone(_))));
}

#[test]
fn a_person_reads_a_zone_as_its_zone_file() {
    let s = scratch();
    let person = s.person();
    let mut statement = person
        .prepare("SELECT line FROM zone_file WHERE zone = 'example.com.'")
        .unwrap();
    let lines: Vec<String> = statement
        .query_map([], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert!(
        lines[0].contains(" IN SOA    ns1.example.com."),
        "{}",
        lines[0]
    );
    assert!(lines[1].starts_with("example.com.  ") && lines[1].contains(" IN NS "));
    assert_eq!(lines.len(), company().len());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    /// After any changes the rows are those of the last image.
    #[test]
    fn rows_follow_the_image(
        steps in proptest::collection::vec((0..4u8, 0..3u8, 0..4u8, 1..300u32, any::<bool>()), 1..25)
    ) {
        let mut s = scratch();
        let mut before = s.stored();
        for (serial, (owner, kind, value, ttl, add)) in (2..).zip(steps) {
            let spelled = [format!("n{owner}.example.com."), format!("N{owner}.EXAMPLE.com.")];
            let owner = name(&spelled[usize::from(value % 2)]);
            let (rtype, text) = [
                (Rtype::A, format!("192.0.2.{value}")),
                (Rtype::TXT, format!("\"{value}\"")),
                (Rtype(65280), format!("\\# 1 0{value}")),
            ][usize::from(kind)].clone();
            let rdata = rdata::from_text(rtype, &text).unwrap();
            let mut editor = before.edit();
            let set = crate::rr::RrSet::new(rtype, ttl, [rdata]);
            editor.set(&owner, rtype, set.filter(|_| add)).unwrap();
            let after = editor.finish().0;
            commit(&mut s.store, &before, &after, serial);
            before = after;
        }
        prop_assert_eq!(s.stored().digest(), before.digest());
        prop_assert_eq!(s.load().records.len(), before.record_count());
        prop_assert_eq!(s.store.zones().unwrap().rows[0].digest, before.digest());
    }
}
