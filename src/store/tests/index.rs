//! The index of the write-ahead log, cut short under those who have it mapped. Cut by another program:
//! closing the file in this process would drop the locks that SQLite holds on it.

use std::path::Path;

use super::*;
use crate::store::identity::beside;
use crate::store::index::Index;

fn cut(path: &Path, octets: u64) {
    let mut truncate = std::process::Command::new("truncate");
    truncate.args(["-s", &octets.to_string()]);
    let status = truncate.arg(beside(path, "-shm")).status().unwrap();
    assert!(status.success());
}

fn octets(path: &Path) -> u64 {
    std::fs::metadata(beside(path, "-shm")).unwrap().len()
}

/// What another program sees.
fn elsewhere(path: &Path, sql: &str) -> String {
    let ran = std::process::Command::new("sqlite3")
        .args(["-readonly".as_ref(), path.as_os_str(), sql.as_ref()])
        .output()
        .unwrap();
    String::from_utf8_lossy(&ran.stdout).trim().to_owned()
}

/// Gives `www` another address, as the next revision.
fn change(s: &mut Scratch, last: u8) -> u64 {
    let before = s.stored();
    let mut records = company();
    let address = format!("192.0.2.{last}");
    records.push(record("www.example.com.", 60, Rtype::A, &address));
    commit(&mut s.store, &before, &image(&records), 2)
}

#[test]
fn an_index_cut_short_is_made_anew_before_anything_is_asked_and_nothing_is_lost() {
    let mut s = scratch();
    for (n, left) in [0, 1, 100, 4096, 20_000].into_iter().enumerate() {
        cut(&s.path(), left);
        s.store.check_identity().unwrap();
        assert_eq!(octets(&s.path()), 32_768, "{left}");
        let revision = change(&mut s, n as u8 + 1);
        assert_eq!(revision, n as u64 + 2);
        assert_eq!(s.load().bad, []);
        // Another program finds all of it in the log.
        let seen = elsewhere(&s.path(), "SELECT revision FROM zone");
        assert_eq!(seen, revision.to_string(), "{left}");
    }
    assert_eq!(elsewhere(&s.path(), "PRAGMA integrity_check"), "ok");
}

#[test]
fn who_runs_into_what_was_cut_off_goes_on_and_a_commit_of_his_is_not_believed() {
    let mut s = scratch();
    for left in [0, 4096] {
        // Nobody looks at its size before the map is touched.
        let path = s.path();
        cut(&path, left);
        let count: Result<i64, _> =
            s.store
                .connection
                .query_row("SELECT count(*) FROM zone", [], |row| row.get(0));
        // A header that was whole leads to what is there no more.
        assert!(left > 0 || count == Ok(1), "{count:?}");
        let tx = s.store.begin().unwrap();
        tx.set_value("k", "lost").unwrap();
        cut(&path, left);
        assert!(matches!(tx.commit(), Err(StoreError::Truncated(_))));
        let tx = s.store.begin().unwrap();
        assert_eq!(tx.value("k").unwrap(), None);
        tx.commit().unwrap();
    }
    assert_eq!(elsewhere(&s.path(), "PRAGMA integrity_check"), "ok");
}

#[test]
fn more_was_mapped_than_anybody_knew() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s.db");
    let connection = Connection::open(&path).unwrap();
    connection
        .execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; PRAGMA synchronous = OFF;
             CREATE TABLE t (x)",
        )
        .unwrap();
    let index = Index::of(&path);
    let mut pages = 0;
    while octets(&path) < 5 * 32_768 {
        connection
            .execute("INSERT INTO t VALUES (zeroblob(4000000))", [])
            .unwrap();
        pages += 1;
        assert!(pages < 1000);
    }
    cut(&path, 0);
    let count = |connection: &Connection| -> i64 {
        connection
            .query_row("SELECT count(*) FROM t", [], |row| row.get(0))
            .unwrap()
    };
    assert_eq!(count(&connection), pages);
    assert!(index.is_doubtful().unwrap());
    index.heal(&connection).unwrap();
    assert!(!index.is_doubtful().unwrap(), "it is made anew once");
    assert_eq!(count(&connection), pages);
}

#[test]
fn an_index_that_sqlite_itself_begins_anew_is_none_that_was_cut() {
    let mut s = scratch();
    for n in 0..3 {
        change(&mut s, n);
        let settings = s.settings();
        drop(s.store);
        s.store = Store::open_existing(&settings).unwrap();
        assert!(!s.store.identity.index().is_doubtful().unwrap());
    }
}
