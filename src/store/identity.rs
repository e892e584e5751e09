//! Whether the files on the path are those that we have open.
//!
//! Asked by `stat` alone: opening the database file ourselves and closing it again would drop the
//! locks that SQLite holds on it (POSIX locks belong to the process).

use std::cell::Cell;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::StoreError;
use super::index::Index;

#[derive(Debug)]
pub(super) struct Identity {
    database: Known,
    /// The write-ahead log and its index: a commit into a log that is unlinked is lost just so.
    beside: Vec<Known>,
    index: Index,
    /// Octets of the database when last looked at.
    size: Cell<u64>,
}

#[derive(Debug)]
struct Known {
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl Known {
    fn of(path: PathBuf) -> Result<(Known, Metadata), StoreError> {
        let meta = stat(&path)?;
        let known = Known {
            device: meta.dev(),
            inode: meta.ino(),
            path,
        };
        Ok((known, meta))
    }

    fn check(&self) -> Result<Metadata, StoreError> {
        let meta = stat(&self.path)?;
        if (meta.dev(), meta.ino()) != (self.device, self.inode) {
            return Err(StoreError::Replaced(self.path.clone()));
        }
        Ok(meta)
    }
}

fn stat(path: &Path) -> Result<Metadata, StoreError> {
    std::fs::metadata(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory => {
            StoreError::Gone(path.to_owned())
        }
        _ => StoreError::io(path)(error),
    })
}

/// The name of a file that SQLite keeps beside the database.
pub(super) fn beside(database: &Path, suffix: &str) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

impl Identity {
    /// Of a database just opened and read from, so that log and index exist.
    pub fn of(path: &Path) -> Result<Identity, StoreError> {
        let (database, meta) = Known::of(path.to_owned())?;
        let beside = ["-wal", "-shm"]
            .map(|suffix| Known::of(beside(path, suffix)).map(|(known, _)| known))
            .into_iter()
            .collect::<Result<_, _>>()?;
        Ok(Identity {
            database,
            beside,
            index: Index::of(path),
            size: Cell::new(meta.size()),
        })
    }

    pub fn path(&self) -> &Path {
        &self.database.path
    }

    /// Whether the database is the one that had this `stat` before it was opened.
    pub fn same_as(&self, before: &Metadata) -> Result<(), StoreError> {
        match (before.dev(), before.ino()) == (self.database.device, self.database.inode) {
            true => Ok(()),
            false => Err(StoreError::Replaced(self.database.path.clone())),
        }
    }

    pub fn index(&self) -> &Index {
        &self.index
    }

    pub fn check(&self, connection: &Connection) -> Result<(), StoreError> {
        let size = self.database.check()?.size();
        self.beside
            .iter()
            .try_for_each(|known| known.check().map(drop))?;
        // Before the database is asked for anything.
        self.index.is_doubtful()?;
        // The file never shrinks by what we do. By VACUUM it may, but then the database says so too.
        if size == 0 || (size < self.size.get() && size < expected_size(connection)?) {
            return Err(StoreError::Truncated(self.database.path.clone()));
        }
        self.size.set(size);
        Ok(())
    }
}

fn expected_size(connection: &Connection) -> Result<u64, StoreError> {
    let number = |pragma: &str| connection.pragma_query_value(None, pragma, |row| row.get(0));
    let pages: i64 = number("page_count")?;
    let octets: i64 = number("page_size")?;
    Ok(u64::try_from(pages.saturating_mul(octets)).unwrap_or_default())
}
