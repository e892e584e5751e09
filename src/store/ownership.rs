//! Whether the store's files are ours to write. `sudo sqlite3`, or a backup copied back by root,
//! leaves files that the server's own user cannot write.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::unistd::{AccessFlags, Uid, User, access};

use super::StoreError;
use super::identity::beside;

/// What holds of a store that it would not hold for root.
struct Stranger {
    path: PathBuf,
    uid: u32,
    is_writable: bool,
}

/// What SQLite writes to.
const DATABASE: &[&str] = &["", "-wal", "-shm"];
/// Also the lock of the server's.
const ALL: &[&str] = &["", "-wal", "-shm", ".lock"];

fn strangers_to(database: &Path, suffixes: &[&str], user: u32) -> Vec<Stranger> {
    if user == 0 {
        return Vec::new();
    }
    suffixes
        .iter()
        .filter_map(|suffix| {
            let path = beside(database, suffix);
            let uid = std::fs::metadata(&path).ok()?.uid();
            let is_writable = access(&path, AccessFlags::R_OK | AccessFlags::W_OK).is_ok();
            (uid != user || !is_writable).then_some(Stranger {
                path,
                uid,
                is_writable,
            })
        })
        .collect()
}

fn name_of(uid: u32) -> String {
    match User::from_uid(uid.into()) {
        Ok(Some(user)) => user.name,
        _ => uid.to_string(),
    }
}

/// The line that gives files back to a user.
fn chown(files: &[&Path], user: u32) -> String {
    let group = match User::from_uid(user.into()) {
        Ok(Some(user)) => nix::unistd::Group::from_gid(user.gid)
            .ok()
            .flatten()
            .map_or(user.gid.to_string(), |group| group.name),
        _ => user.to_string(),
    };
    let files: Vec<String> = files.iter().map(|file| quoted(file)).collect();
    format!("sudo chown {}:{group} {}", name_of(user), files.join(" "))
}

/// A path as a shell takes it.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+@%,:".contains(c);
    match text.chars().all(plain) {
        true => text,
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

/// A sentence with the line to type, where files of the store belong to somebody else, although
/// they may still be written.
pub fn strangers(database: &Path) -> Option<String> {
    told(database, Uid::effective().as_raw())
}

fn told(database: &Path, user: u32) -> Option<String> {
    let strangers = strangers_to(database, ALL, user);
    let first = strangers.first()?;
    let paths: Vec<&Path> = strangers.iter().map(|stranger| &*stranger.path).collect();
    let shown: Vec<String> = paths
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    Some(format!(
        "{} belongs to {}, not to {}; to mend it: {}",
        shown.join(" and "),
        name_of(first.uid),
        name_of(user),
        chown(&paths, user)
    ))
}

/// Whether the store can be written by this process.
pub(super) fn check(database: &Path) -> Result<(), StoreError> {
    let user = Uid::effective().as_raw();
    let closed: Vec<PathBuf> = strangers_to(database, DATABASE, user)
        .into_iter()
        .filter(|stranger| !stranger.is_writable)
        .map(|stranger| stranger.path)
        .collect();
    if closed.is_empty() {
        return Ok(());
    }
    let paths: Vec<&Path> = closed.iter().map(PathBuf::as_path).collect();
    let mend = match strangers_to(database, DATABASE, user)
        .iter()
        .all(|s| s.uid == user)
    {
        true => format!(
            "chmod u+rw {}",
            paths
                .iter()
                .map(|p| quoted(p))
                .collect::<Vec<_>>()
                .join(" ")
        ),
        false => chown(&paths, user),
    };
    Err(StoreError::NotOurs {
        mend,
        user: name_of(user),
        files: closed,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_another_user_are_named_with_the_line_that_gives_them_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("last good.db");
        for suffix in ["", "-wal"] {
            std::fs::write(beside(&path, suffix), "x").unwrap();
        }
        let ours = std::fs::metadata(&path).unwrap().uid();
        assert_eq!(told(&path, ours), None);
        let somebody = 54_321;
        let text = told(&path, somebody).unwrap();
        let line = format!("sudo chown 54321:54321 '{0}' '{0}-wal'", path.display());
        assert!(text.contains(&line), "{text}");
        assert!(text.contains("not to 54321"), "{text}");
        assert_eq!(told(&path, 0), None, "root writes what it likes");
    }
}
