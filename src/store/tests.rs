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
    Settings {
        path: dir.path().join("data/lastgood.db"),
        busy_timeout_ms: 50,
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
    let row = s.store.zones().unwrap().pop().unwrap();
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
            "owner": "Api.Example.COM.", "type": "AAAA", "before": null,
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
    assert_eq!(s.store.zones().unwrap().len(), 1);
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
fn a_row_that_is_no_record_is_told_with_its_reason() {
    let s = scratch();
    s.by_hand(
        "INSERT INTO record (zone, owner, ttl, type, rdata) VALUES
         ('example.com.', 'x.example.com.', 60, 'A', '192.0.2.300'),
         ('example.com.', 'x.example.com.', 60, 'A', '192.0.2.1' || char(10) || 'y A 192.0.2.2'),
         ('example.com.', 'x.example.com.', 2147483648, 'A', '192.0.2.1'),
         ('example.com.', 'x.example.com.', -1, 'A', '192.0.2.1'),
         ('example.com.', 'x.example.com.', 60, 'NONSENSE', '192.0.2.1'),
         ('example.com.', 'x.example.com.', 60, 'ANY', '\\# 0'),
         ('example.com.', 'x.example.com', 60, 'A', '192.0.2.1'),
         ('example.com.', 'x.example.org.', 60, 'A', '192.0.2.1'),
         ('example.com.', replace(printf('%70d', 0), ' ', 'x') || '.example.com.', 60, 'A', '192.0.2.1'),
         ('example.com.', replace(printf('%200d', 0), ' ', 'x.') || '.example.com.', 60, 'A', '192.0.2.1'),
         ('example.com.', '', 60, 'A', '192.0.2.1'),
         ('example.com.', 'x.example.com.', 60, 'TXT', '\"' || printf('%500000d', 0) || '\"'),
         ('example.com.', 'x.example.com.', 60, 'TXT', CAST(X'22FF22' AS TEXT)),
         ('example.com', 'x.example.com.', 60, 'A', '192.0.2.1')",
    );
    let mut reasons = s.reasons();
    reasons.sort();
    let expected = [
        "A data do not parse: it goes on after",
        "A data do not parse",
        "ANY is a type of questions",
        "\"NONSENSE\" is not a record type",
        "the TTL -1 is not within",
        "the TTL 2147483648 is not within",
        "the owner does not end in a dot",
        "the owner does not end in a dot",
        "the owner is not a name: a label is longer than 63",
        "the owner is not a name: a name is longer than 255",
        "the rdata is longer than any can be",
        "the rdata is not text",
        "x.example.org. is outside the zone example.com.",
    ];
    assert_eq!(reasons.len(), expected.len(), "{reasons:#?}");
    for wanted in expected {
        let at = reasons.iter().position(|reason| reason.starts_with(wanted));
        reasons.remove(at.unwrap_or_else(|| panic!("{wanted:?} in {reasons:#?}")));
    }
    assert_eq!(s.load().records.len(), company().len());
    let strays = s.store.strays().unwrap();
    assert_eq!(strays.len(), 1);
    assert_eq!(
        strays[0].reason,
        "there is no zone example.com; zones end in a dot"
    );
}

#[test]
fn rows_of_any_type_are_survived() {
    let s = scratch();
    // Without STRICT a column takes anything.
    s.by_hand(
        "DROP TABLE record;
         CREATE TABLE record (id INTEGER PRIMARY KEY, zone, owner, ttl, type, rdata);
         INSERT INTO record (zone, owner, ttl, type, rdata) VALUES
         ('example.com.', 1, 2, 3, 4), ('example.com.', X'00', X'01', X'02', X'03'),
         ('example.com.', NULL, NULL, NULL, NULL), ('example.com.', 'a.example.com.', 1.5, 'A', '192.0.2.1')",
    );
    assert_eq!(s.load().records, []);
    assert_eq!(s.reasons().len(), 4);
}

#[test]
fn ttls_that_differ_within_an_rrset_are_told() {
    let s = scratch();
    s.by_hand("UPDATE record SET ttl = 30 WHERE rdata = '192.0.2.11'");
    let loaded = s.load();
    assert_eq!(loaded.mixed_ttls, [(name("api.example.com."), Rtype::A)]);
    assert_eq!(loaded.bad, []);
}

#[test]
fn a_file_deleted_replaced_or_truncated_is_noticed_and_gets_no_commit() {
    let change: [(&str, fn(&std::path::Path)); 7] = [
        ("is gone", |path| fs::remove_file(path).unwrap()),
        ("was replaced", |path| {
            fs::copy(path, path.with_extension("copy")).unwrap();
            fs::rename(path.with_extension("copy"), path).unwrap();
        }),
        ("was truncated", |path| fs::write(path, "").unwrap()),
        ("was truncated", |path| {
            fs::File::options()
                .write(true)
                .open(path)
                .unwrap()
                .set_len(8192)
                .unwrap();
        }),
        ("-wal is gone", |path| {
            fs::remove_file(identity::beside(path, "-wal")).unwrap()
        }),
        ("-shm is gone", |path| {
            fs::remove_file(identity::beside(path, "-shm")).unwrap()
        }),
        ("is gone", |path| {
            fs::remove_dir_all(path.parent().unwrap()).unwrap()
        }),
    ];
    for (sentence, change) in change {
        let mut s = scratch();
        s.store.checkpoint().unwrap();
        s.store.check_identity().unwrap();
        let path = s.path();
        let tx = s.store.begin().unwrap();
        tx.create_zone(&name("example.org.")).unwrap();
        change(&path);
        let error = tx.commit().unwrap_err();
        assert!(error.to_string().contains(sentence), "{error}");
        assert!(s.store.check_identity().is_err());
        assert!(s.store.begin().is_err());
        assert!(s.store.checkpoint().is_err());
    }
}

#[test]
fn a_vacuum_by_hand_is_no_truncation() {
    let mut s = scratch();
    let mut records = company();
    records.extend(
        (0..3_000).map(|n| record(&format!("n{n}.example.com."), 60, Rtype::A, "192.0.2.1")),
    );
    commit(&mut s.store, &image(&company()), &image(&records), 2);
    commit(&mut s.store, &image(&records), &image(&company()), 3);
    s.store.checkpoint().unwrap();
    let large = fs::metadata(s.path()).unwrap().len();
    s.store.check_identity().unwrap();
    s.by_hand("DELETE FROM revision; VACUUM; PRAGMA wal_checkpoint(TRUNCATE)");
    assert!(fs::metadata(s.path()).unwrap().len() < large);
    s.store.check_identity().unwrap();
    commit(&mut s.store, &image(&company()), &image(&records), 4);
}

#[test]
fn a_store_that_is_gone_is_not_made_anew_by_mistake() {
    let dir = tempfile::tempdir().unwrap();
    let settings = settings(&dir);
    assert!(matches!(
        Store::open_existing(&settings),
        Err(StoreError::Gone(_))
    ));
    assert!(matches!(History::open(&settings), Err(StoreError::Gone(_))));
    assert!(!settings.path.exists());
    let s = scratch();
    let path = s.path();
    drop(s.store);
    fs::remove_file(&path).unwrap();
    assert!(matches!(
        Store::open(&self::settings(&s.dir)),
        Err(StoreError::LogAlone(_))
    ));
    assert!(!path.exists());
    fs::write(&path, "").unwrap();
    assert!(matches!(
        Store::open(&self::settings(&s.dir)),
        Err(StoreError::Truncated(_))
    ));
    assert!(matches!(
        Store::open_existing(&self::settings(&s.dir)),
        Err(StoreError::Truncated(_))
    ));
}

#[test]
fn what_is_no_store_of_ours_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let settings = settings(&dir);
    fs::create_dir_all(settings.path.parent().unwrap()).unwrap();
    let garbage = vec![b'x'; 20_000];
    fs::write(&settings.path, &garbage).unwrap();
    assert!(matches!(
        Store::open(&settings),
        Err(StoreError::Damaged(_))
    ));
    assert_eq!(fs::read(&settings.path).unwrap(), garbage);
    fs::remove_file(&settings.path).unwrap();
    Connection::open(&settings.path)
        .unwrap()
        .execute_batch("CREATE TABLE theirs (x)")
        .unwrap();
    assert!(matches!(
        Store::open(&settings),
        Err(StoreError::Foreign(_))
    ));
    let s = scratch();
    s.by_hand("PRAGMA user_version = 99");
    drop(s.store);
    assert!(matches!(
        Store::open(&self::settings(&s.dir)),
        Err(StoreError::SchemaTooNew { found: 99, .. })
    ));
}

#[test]
fn a_schema_that_is_lost_is_an_error_and_no_empty_zone() {
    let s = scratch();
    s.by_hand("DROP TABLE record");
    assert!(matches!(
        s.store.load(&name(ZONE)),
        Err(StoreError::Damaged(_))
    ));
    s.by_hand("UPDATE zone SET digest = 'x'");
    assert!(matches!(s.store.zones(), Err(StoreError::Damaged(_))));
    s.by_hand("DROP TABLE zone");
    assert!(matches!(s.store.zones(), Err(StoreError::Damaged(_))));
}

#[test]
fn overwritten_pages_are_an_error_and_no_smaller_zone() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(&settings(&dir)).unwrap();
    let mut records = company();
    records
        .extend((0..500).map(|n| record(&format!("n{n}.example.com."), 60, Rtype::A, "192.0.2.1")));
    commit(
        &mut store,
        &ZoneImage::empty(name(ZONE)),
        &image(&records),
        1,
    );
    store.close().unwrap();
    let path = settings(&dir).path;
    let mut octets = fs::read(&path).unwrap();
    octets[4096..]
        .iter_mut()
        .step_by(3)
        .for_each(|octet| *octet = 0xA5);
    fs::write(&path, octets).unwrap();
    let read = Store::open_existing(&settings(&dir)).and_then(|store| store.load(&name(ZONE)));
    assert!(matches!(read, Err(StoreError::Damaged(_))), "{read:?}");
}

#[test]
fn another_writer_makes_us_wait_and_then_say_busy() {
    let mut s = scratch();
    let person = s.person();
    person.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert!(matches!(s.store.begin().map(drop), Err(StoreError::Busy)));
    person.execute_batch("COMMIT").unwrap();
    s.store.begin().unwrap();
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
fn the_audit_is_read_back_by_its_reference_zone_and_actor() {
    let mut s = scratch();
    let references = s.add_audits(&[
        ("a", "refused"),
        ("b", "refused"),
        ("a", "committed"),
        ("b", "refused"),
    ]);
    assert_eq!(references[0].len(), 4);
    let history = History::open(&s.settings()).unwrap();
    let row = history
        .audit(&references[0].to_lowercase())
        .unwrap()
        .unwrap();
    assert_eq!(
        (row.actor.as_str(), row.outcome.as_str(), row.ede),
        ("a", "refused", Some(0))
    );
    assert_eq!(row.detail, json!({"rules": [1, 2]}));
    assert_eq!(history.audit("????").unwrap(), None);
    let listed = |rows: Vec<AuditRow>| {
        rows.into_iter()
            .map(|row| row.reference)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        listed(history.list(None, 2).unwrap()),
        [references[3].clone(), references[2].clone()]
    );
    assert_eq!(listed(history.list(Some(&name(ZONE)), 9).unwrap()), [""; 0]);
    assert_eq!(
        listed(history.last_refusals().unwrap()),
        [references[0].clone(), references[3].clone()]
    );
    assert!(
        serde_json::to_string(&row)
            .unwrap()
            .contains("\"reference\"")
    );
    assert_eq!(super::audit::normal_reference("o1-iL"), "0111");
}

#[test]
fn a_retransmission_is_found_by_its_mac() {
    let mut s = scratch();
    let tx = s.store.begin().unwrap();
    let reference = tx
        .add_audit(NewAudit {
            mac: Some(b"mac"),
            revision: Some(7),
            rcode: "NOERROR",
            ..audit("a", "committed")
        })
        .unwrap();
    assert_eq!(tx.find_mac(b"mac", 5).unwrap(), Some((7, reference, 0)));
    assert_eq!(tx.find_mac(b"mac", 6).unwrap(), None);
    assert_eq!(tx.find_mac(b"other", 0).unwrap(), None);
}

#[test]
fn tampering_with_the_audit_is_found() {
    let tampering = [
        (
            "UPDATE audit SET reason = 'none' WHERE id = 2",
            "its columns do not give its hash",
        ),
        (
            "UPDATE audit SET rule = NULL WHERE id = 2",
            "its columns do not give its hash",
        ),
        (
            "DELETE FROM audit WHERE id = 2",
            "rows before this one are missing",
        ),
        (
            "DELETE FROM audit WHERE id = 3",
            "the last one written was another",
        ),
        ("DELETE FROM audit", "the last one written was another"),
        (
            "UPDATE audit SET previous = zeroblob(32) WHERE id = 3",
            "the hash of the row before",
        ),
        ("DELETE FROM meta", "the last one written was another"),
    ];
    for (sql, sentence) in tampering {
        let mut s = scratch();
        s.add_audits(&[("a", "refused"), ("a", "refused")]);
        s.add_audits(&[("a", "refused")]);
        assert!(matches!(s.chain(), Chain::Whole { rows: 3, .. }));
        if sql.contains(" audit") {
            let refused = s.person().execute_batch(sql).unwrap_err().to_string();
            assert!(refused.contains("audit rows are never"), "{refused}");
        }
        s.by_hand(&format!(
            "DROP TRIGGER audit_update; DROP TRIGGER audit_delete; {sql}"
        ));
        match s.chain() {
            Chain::Broken { reason, .. } => assert!(reason.contains(sentence), "{reason}"),
            whole => panic!("{sql}: {whole:?}"),
        }
    }
}

#[test]
fn freezes_last_until_they_are_cleared() {
    let mut s = scratch();
    let tx = s.store.begin().unwrap();
    tx.set_freeze("zone example.com.", "move", "cli root", 9)
        .unwrap();
    tx.set_freeze("zone example.com.", "still", "cli root", 10)
        .unwrap();
    tx.commit().unwrap();
    let frozen = (
        "zone example.com.".to_owned(),
        10,
        "still".to_owned(),
        "cli root".to_owned(),
    );
    assert_eq!(s.store.freezes().unwrap(), [frozen]);
    let tx = s.store.begin().unwrap();
    assert!(tx.clear_freeze("zone example.com.").unwrap());
    assert!(!tx.clear_freeze("server").unwrap());
    tx.commit().unwrap();
    assert_eq!(s.store.freezes().unwrap(), []);
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

#[test]
fn history_cannot_write() {
    let s = scratch();
    let history = open::read_only(&s.settings()).unwrap();
    assert!(history.execute_batch("DELETE FROM record").is_err());
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
        prop_assert_eq!(s.store.zones().unwrap()[0].digest, before.digest());
    }
}
