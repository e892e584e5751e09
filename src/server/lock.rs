//! One server for one store: a lock on a file beside it, held for life.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use crate::store::strangers;

/// The right to open a store. The kernel takes it back when the process ends, however it ends.
#[derive(Debug)]
pub struct StoreLock {
    file: Flock<File>,
    had_store: bool,
}

/// The second line of the file, behind the process that has the lock, from when there was a store on.
const HAD_STORE: &str = "there was a store here";

#[derive(Debug, thiserror::Error)]
pub enum LockError {
    #[error("the store {} is in use by {holder}", store.display())]
    Held { store: PathBuf, holder: String },
    /// Mostly root's, who ran a command while no server did.
    #[error("{0}")]
    NotOurs(String),
    #[error("{}: {reason}", path.display())]
    Io { path: PathBuf, reason: io::Error },
}

impl StoreLock {
    /// Takes the lock, or says who has it. Creates the folder of a store that is not there yet.
    pub fn take(store: &Path) -> Result<StoreLock, LockError> {
        let path = beside(store);
        let io_error = |reason| LockError::Io {
            path: path.clone(),
            reason,
        };
        if let Some(dir) = store.parent() {
            let made = DirBuilder::new().recursive(true).mode(0o750).create(dir);
            made.map_err(io_error)?;
        }
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            // Whoever may open it may lock us out.
            .mode(0o600)
            .open(&path)
            .map_err(|reason| match strangers(store) {
                Some(told) if reason.kind() == io::ErrorKind::PermissionDenied => {
                    LockError::NotOurs(told)
                }
                _ => io_error(reason),
            })?;
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(file) => {
                let mut lock = StoreLock {
                    had_store: had_store(&file).map_err(io_error)?,
                    file,
                };
                lock.write().map_err(io_error)?;
                Ok(lock)
            }
            Err((file, Errno::EWOULDBLOCK)) => Err(LockError::Held {
                store: store.to_owned(),
                holder: holder(file),
            }),
            Err((_, error)) => Err(io_error(error.into())),
        }
    }

    /// Whether there was a store once. Where it is gone, and the snapshot with it, nothing else tells
    /// that from a first start, at which zone files are imported.
    pub fn had_store(&self) -> bool {
        self.had_store
    }

    /// There is a store now.
    pub fn note_store(&mut self) -> io::Result<()> {
        match std::mem::replace(&mut self.had_store, true) {
            true => Ok(()),
            false => self.write(),
        }
    }

    fn write(&mut self) -> io::Result<()> {
        let mut text = format!("{}\n", std::process::id());
        if self.had_store {
            text = text + HAD_STORE + "\n";
        }
        // The line is never missing in between: the one before it may be longer or shorter.
        self.file.rewind()?;
        self.file.write_all(text.as_bytes())?;
        self.file.set_len(text.len() as u64)
    }
}

fn had_store(file: &File) -> io::Result<bool> {
    let mut text = Vec::new();
    file.take(1_000).read_to_end(&mut text)?;
    Ok(text.split(|octet| *octet == b'\n').nth(1) == Some(HAD_STORE.as_bytes()))
}

fn beside(store: &Path) -> PathBuf {
    let mut name = store.as_os_str().to_owned();
    name.push(".lock");
    PathBuf::from(name)
}

fn holder(file: File) -> String {
    let mut text = String::new();
    let read = file.take(20).read_to_string(&mut text);
    match (read, text.lines().next()) {
        (Ok(_), Some(process)) => format!("process {}", process.trim()),
        _ => "another process".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_server_on_the_same_store_is_told_who_has_it() {
        let dir = tempfile::tempdir().unwrap();
        let store = dir.path().join("new/lastgood.db");
        let lock = StoreLock::take(&store).unwrap();
        let error = StoreLock::take(&store).unwrap_err().to_string();
        let told = format!("is in use by process {}", std::process::id());
        assert!(error.ends_with(&told), "{error}");
        drop(lock);
        StoreLock::take(&store).unwrap();
    }

    #[test]
    fn that_there_was_a_store_is_known_to_whoever_takes_the_lock_next() {
        let dir = tempfile::tempdir().unwrap();
        let store = dir.path().join("lastgood.db");
        assert!(!StoreLock::take(&store).unwrap().had_store());
        assert!(!StoreLock::take(&store).unwrap().had_store());
        StoreLock::take(&store).unwrap().note_store().unwrap();
        let lock = StoreLock::take(&store).unwrap();
        assert!(lock.had_store());
        let error = StoreLock::take(&store).unwrap_err().to_string();
        let told = format!("is in use by process {}", std::process::id());
        assert!(error.ends_with(&told), "{error}");
        drop(lock);
        assert!(StoreLock::take(&store).unwrap().had_store());
    }
}
