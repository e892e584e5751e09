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
    _file: Flock<File>,
}

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
            Ok(mut lock) => {
                note_holder(&mut lock).map_err(io_error)?;
                Ok(StoreLock { _file: lock })
            }
            Err((file, Errno::EWOULDBLOCK)) => Err(LockError::Held {
                store: store.to_owned(),
                holder: holder(file),
            }),
            Err((_, error)) => Err(io_error(error.into())),
        }
    }
}

fn beside(store: &Path) -> PathBuf {
    let mut name = store.as_os_str().to_owned();
    name.push(".lock");
    PathBuf::from(name)
}

fn note_holder(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())
}

fn holder(file: File) -> String {
    let mut text = String::new();
    match file.take(20).read_to_string(&mut text) {
        Ok(_) if !text.trim().is_empty() => format!("process {}", text.trim()),
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
}
