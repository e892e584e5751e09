//! What others do to the store: rows that are no records, files that go, schemas that change.

use std::fs;
use std::path::Path;

use rusqlite::Connection;

use super::*;

type Change = fn(&Path);

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
        "A data do not parse: there is another line behind them",
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
    let changes: [(&str, Change); 7] = [
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
    for (sentence, change) in changes {
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
