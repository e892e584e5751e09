//! Reading everything through for damage.

use std::io::{Seek, SeekFrom, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

fn scrubbed(s: &Scratch) -> Scrubbed {
    scrub(&s.settings(), Arc::new(|| false)).unwrap()
}

/// As somebody whose triggers are off.
fn untraced(s: &Scratch, sql: &str) {
    let person = s.person();
    person
        .set_db_config(
            rusqlite::config::DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER,
            false,
        )
        .unwrap();
    person.execute_batch(sql).unwrap();
}

#[test]
fn a_store_as_it_was_written_is_whole() {
    let s = scratch();
    let found = scrubbed(&s);
    let records = company().len() as u64;
    let whole = Scrubbed {
        zones: 1,
        records,
        ..Scrubbed::default()
    };
    assert_eq!(found, whole);
}

#[test]
fn an_edit_that_is_traced_is_no_damage_and_one_that_is_not_is() {
    let s = scratch();
    s.by_hand("UPDATE record SET ttl = 61 WHERE owner = 'api.example.com.'");
    assert!(scrubbed(&s).suspects.is_empty());
    for damage in [
        "UPDATE record SET ttl = 61 WHERE owner = 'api.example.com.'",
        "DELETE FROM record WHERE type = 'TXT'",
        "UPDATE record SET rdata = '192.0.2.999' WHERE owner = 'ns1.example.com.'",
        "INSERT INTO record (zone, owner, ttl, type, rdata)
         VALUES ('example.com.', 'x.example.com.', 1, 'A', '192.0.2.1')",
        "UPDATE zone SET digest = replace(digest, substr(digest, 1, 1), 'f') || ''
          WHERE substr(digest, 1, 1) <> 'f'; UPDATE record SET ttl = ttl + 1",
    ] {
        let s = scratch();
        untraced(&s, damage);
        assert_eq!(scrubbed(&s).suspects, [name(ZONE)], "{damage}");
    }
}

/// What is there twice counts once, and of several TTLs the lowest: an image says the same.
#[test]
fn rows_add_up_to_what_an_image_of_them_does() {
    let s = scratch();
    untraced(
        &s,
        "INSERT INTO record (zone, owner, ttl, type, rdata) VALUES
         ('example.com.', 'API.example.COM.', 30, 'A', '192.0.2.10'),
         ('example.com.', 'api.example.com.', 90, 'a', '192.0.2.12'),
         ('example.com.', 'other.example.com.', 60, 'TYPE65280', '\\# 2 abcd'),
         ('example.com.', 'other.example.com.', 60, 'MX', '10 Ns1.example.com.'),
         ('example.com.', 'other.example.com.', 60, 'MX', '10 ns1.EXAMPLE.com.')",
    );
    let digest = s.stored().digest();
    s.person()
        .execute("UPDATE zone SET digest = ?", [digest.to_string()])
        .unwrap();
    assert!(scrubbed(&s).suspects.is_empty());
}

#[test]
fn pages_overwritten_in_place_are_found() {
    let s = scratch();
    s.store.checkpoint().unwrap();
    let (path, settings) = (s.path(), s.settings());
    let Scratch { dir: _dir, store } = s;
    store.close().unwrap();
    let length = fs::metadata(&path).unwrap().len();
    for at in (0..length).step_by(4096) {
        let whole = fs::read(&path).unwrap();
        let mut file = fs::OpenOptions::new().write(true).open(&path).unwrap();
        file.seek(SeekFrom::Start(at)).unwrap();
        file.write_all(&[0xA5; 4096]).unwrap();
        drop(file);
        let found = scrub(&settings, Arc::new(|| false));
        let is_found = match &found {
            Ok(found) => !found.faults.is_empty() || !found.suspects.is_empty(),
            Err(error) => matches!(error, StoreError::Foreign(_)),
        };
        assert!(is_found, "page at {at}: {found:?}");
        let is_whole = faults(&settings).is_ok_and(|faults| faults.is_empty());
        assert!(!is_whole, "page at {at}");
        fs::write(&path, whole).unwrap();
    }
    assert!(faults(&settings).unwrap().is_empty());
}

#[test]
fn a_scrub_ends_when_it_is_told_to() {
    let s = scratch();
    let mut person = s.person();
    let tx = person.transaction().unwrap();
    for number in 0..3_000 {
        tx.execute(
            "INSERT INTO record (zone, owner, ttl, type, rdata) VALUES (?, ?, 60, 'A', '192.0.2.1')",
            (ZONE, format!("n{number}.{ZONE}")),
        )
        .unwrap();
    }
    tx.commit().unwrap();
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = asked.clone();
    let pause: Pause = Arc::new(move || counted.fetch_add(1, Ordering::Relaxed) >= 2);
    let ended = scrub(&s.settings(), pause);
    assert!(matches!(ended, Err(StoreError::Interrupted)), "{ended:?}");
    assert_eq!(asked.load(Ordering::Relaxed), 3);
}
