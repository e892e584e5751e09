//! The index of the write-ahead log, cut short under those who have it mapped. Cut by another program:
//! closing the file in this process would drop the locks that SQLite holds on it.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::*;
use crate::store::identity::beside;
use crate::store::index::Index;
use crate::store::open;

fn cut(path: &Path, octets: u64) {
    let mut truncate = Command::new("truncate");
    truncate.args(["-s", &octets.to_string()]);
    let status = truncate.arg(beside(path, "-shm")).status().unwrap();
    assert!(status.success());
}

fn octets(path: &Path) -> u64 {
    std::fs::metadata(beside(path, "-shm")).unwrap().len()
}

/// What another program sees.
fn elsewhere(path: &Path, sql: &str) -> String {
    let ran = Command::new("sqlite3")
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

/// Set for a process of its own, with the folder it is to work in: what its first connection does is
/// not what this process has done before, and if it is killed, the others are not.
const FOLDER: &str = "LASTGOOD_TEST_INDEX_FOLDER";

/// In such a process: its folder. In this one: has the test run in such a process, under that many
/// descriptors.
fn alone(test: &str, folder: &Path, descriptors: u32) -> Option<PathBuf> {
    if let Some(folder) = std::env::var_os(FOLDER) {
        return Some(folder.into());
    }
    let limit = format!("ulimit -n {descriptors}; exec \"$0\" \"$@\"");
    let ran = Command::new("sh")
        .args(["-c", &limit])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture", &format!("{}::{test}", module())])
        .env(FOLDER, folder)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success() && said.contains("1 passed"), "{ran:?}");
    None
}

/// As the test runner calls it.
fn module() -> &'static str {
    let (_, within) = module_path!().split_once("::").unwrap();
    within
}

/// Opened as all are, and read from.
fn opened(path: &Path) -> Connection {
    let connection = Connection::open(path).unwrap();
    open::harden(&connection, 1_000).unwrap();
    connection
        .execute_batch(
            "PRAGMA journal_mode = WAL; CREATE TABLE IF NOT EXISTS t (x); INSERT INTO t VALUES (7)",
        )
        .unwrap();
    connection
}

/// By its name: no descriptor is needed, and none is closed.
fn cut_by_name(path: &Path) {
    nix::unistd::truncate(&beside(path, "-shm"), 0).unwrap();
}

fn read(connection: &Connection) -> i64 {
    connection
        .query_row("SELECT x FROM t", [], |row| row.get(0))
        .unwrap()
}

#[test]
fn an_index_cut_short_while_its_database_is_being_opened_kills_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let name = "an_index_cut_short_while_its_database_is_being_opened_kills_nobody";
    let Some(folder) = alone(name, dir.path(), 1_000) else {
        return;
    };
    // The first one is the first connection that this process has; and most openings fail.
    let mut given_up = Vec::new();
    for number in 0..40 {
        let path = folder.join(format!("{number}.db"));
        let connection = opened(&path);
        for _ in 0..3 {
            cut_by_name(&path);
            assert_eq!(read(&connection), 7, "{number}");
        }
        if number % 10 > 0 {
            given_up.push(connection);
            continue;
        }
        let before = std::fs::read_dir("/proc/self/fd").unwrap().count();
        let index = Index::of(&path);
        assert!(index.is_doubtful().unwrap(), "{number}: who read knew less");
        let after = std::fs::read_dir("/proc/self/fd").unwrap().count();
        assert_eq!(before, after, "{number}: it was opened once");
        index.heal(&connection).unwrap();
        assert_eq!(read(&connection), 7);
    }
}

#[test]
fn an_index_is_put_right_where_no_descriptor_is_left() {
    let dir = tempfile::tempdir().unwrap();
    let name = "an_index_is_put_right_where_no_descriptor_is_left";
    let Some(folder) = alone(name, dir.path(), 60) else {
        return;
    };
    let path = folder.join("s.db");
    let connection = opened(&path);
    let index = Index::of(&path);
    let taken: Vec<fs::File> = std::iter::from_fn(|| fs::File::open("/dev/null").ok()).collect();
    assert!((10..60).contains(&taken.len()), "{}", taken.len());
    for _ in 0..3 {
        cut_by_name(&path);
        assert_eq!(read(&connection), 7);
        assert!(index.is_doubtful().unwrap());
        index.heal(&connection).unwrap();
    }
}

/// A file system of its own, for as long as this lives.
struct Mounted(PathBuf);

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn an_index_is_told_from_one_of_the_same_number_on_another_file_system() {
    let dir = tempfile::tempdir().unwrap();
    let name = "an_index_is_told_from_one_of_the_same_number_on_another_file_system";
    let mut mounted = Vec::new();
    if std::env::var_os(FOLDER).is_none() {
        for folder in ["a", "b"].map(|name| dir.path().join(name)) {
            fs::create_dir(&folder).unwrap();
            let mut mount = Command::new("mount");
            mount.args(["-t", "tmpfs", "-o", "size=4m", "tmpfs"]);
            if !mount.arg(&folder).status().is_ok_and(|ran| ran.success()) {
                eprintln!("NOT TESTED, for lack of the right to mount a tmpfs");
                return;
            }
            mounted.push(Mounted(folder));
        }
    }
    let Some(folder) = alone(name, dir.path(), 1_000) else {
        return;
    };
    let number = |path: &Path| {
        let meta = fs::metadata(beside(path, "-shm")).unwrap();
        std::os::unix::fs::MetadataExt::ino(&meta)
    };
    let [a, b] = ["a/s.db", "b/s.db"].map(|name| folder.join(name));
    let (first, second) = (opened(&a), opened(&b));
    if number(&a) != number(&b) {
        eprintln!("NOT TESTED: each file system counts its files in another way");
        return;
    }
    let (index_a, index_b) = (Index::of(&a), Index::of(&b));
    for _ in 0..3 {
        cut_by_name(&b);
        assert_eq!((read(&first), read(&second)), (7, 7));
        assert!(index_b.is_doubtful().unwrap());
        assert!(!index_a.is_doubtful().unwrap());
        index_b.heal(&second).unwrap();
    }
}

#[test]
fn an_index_that_is_opened_again_keeps_its_locks_though_many_were_opened_before() {
    let dir = tempfile::tempdir().unwrap();
    let name = "an_index_that_is_opened_again_keeps_its_locks_though_many_were_opened_before";
    let Some(folder) = alone(name, dir.path(), 1_000) else {
        return;
    };
    let of = |number: u32| folder.join(format!("{number}.db"));
    // As many as are kept, and the first of them is left last.
    for number in (0..64).chain([0]) {
        let connection = opened(&of(number));
        drop((Index::of(&of(number)), connection));
    }
    let again = opened(&of(0));
    assert_eq!(read(&again), 7);
    let descriptors = || {
        let all = fs::read_dir("/proc/self/fd").unwrap();
        let links = all.filter_map(|entry| fs::read_link(entry.unwrap().path()).ok());
        links.filter(|link| *link == beside(&of(0), "-shm")).count()
    };
    let before = descriptors();
    let _more = opened(&of(64));
    let _index = Index::of(&of(64));
    assert_eq!(
        (before, descriptors()),
        (2, 2),
        "closing one drops the locks of all"
    );
}
