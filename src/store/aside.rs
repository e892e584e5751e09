//! Setting files aside: nothing that may hold somebody's data is ever deleted.

use std::path::{Path, PathBuf};

use super::StoreError;
use super::identity::beside;

/// Renames a database and what SQLite keeps beside it, as far as it is there. Returns the old and
/// new names.
pub fn set_aside(database: &Path) -> Result<Vec<(PathBuf, PathBuf)>, StoreError> {
    let stamp = jiff::Timestamp::now().as_millisecond();
    let mut moved = Vec::new();
    // The log first: a database without it is merely older, a log without a database is a riddle.
    for suffix in ["-wal", "-shm", ""] {
        let from = beside(database, suffix);
        if std::fs::symlink_metadata(&from).is_err() {
            continue;
        }
        let to = free_name(database, stamp, suffix);
        std::fs::rename(&from, &to).map_err(StoreError::io(&from))?;
        moved.push((from, to));
    }
    Ok(moved)
}

/// The log keeps standing beside its database, so that `sqlite3` finds both together.
fn free_name(database: &Path, stamp: i64, suffix: &str) -> PathBuf {
    (stamp..)
        .map(|stamp| beside(&beside(database, &format!(".aside-{stamp}")), suffix))
        .find(|path| std::fs::symlink_metadata(path).is_err())
        .expect("some number is free")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_aside_keeps_its_content_under_a_new_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.db");
        std::fs::write(&path, "database").unwrap();
        std::fs::write(beside(&path, "-wal"), "log").unwrap();
        let moved = set_aside(&path).unwrap();
        assert_eq!(moved.len(), 2);
        assert!(!path.exists());
        let contents: Vec<String> = moved
            .iter()
            .map(|(_, to)| std::fs::read_to_string(to).unwrap())
            .collect();
        assert_eq!(contents, ["log", "database"]);
        assert!(set_aside(&path).unwrap().is_empty());
    }
}
