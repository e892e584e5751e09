//! What can go wrong with the store, by what a caller can do about it.

use std::path::PathBuf;

use rusqlite::ErrorCode;

use crate::rr::{Name, Rtype};

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("{} is gone", .0.display())]
    Gone(PathBuf),
    #[error("{} was replaced by another file", .0.display())]
    Replaced(PathBuf),
    #[error("{} was truncated", .0.display())]
    Truncated(PathBuf),
    /// Opening it would delete the log, and with it the last commits of a database that is
    /// somewhere else.
    #[error("{} is the write-ahead log of a database that is gone; put them together again, or set it aside", .0.display())]
    LogAlone(PathBuf),
    #[error("another process is writing to the store")]
    Busy,
    #[error("the disk is full")]
    Full,
    #[error("the store is damaged: {0}")]
    Damaged(String),
    #[error("the store is at schema {found}, newer than this program's {known}")]
    SchemaTooNew { found: i64, known: i64 },
    #[error("{} is a database of another program", .0.display())]
    Foreign(PathBuf),
    /// They belong to somebody else: mostly to root, who was here with `sudo`.
    #[error(
        "{} cannot be written by {user}, whom it should belong to; to mend it: {mend}",
        listed(files)
    )]
    NotOurs {
        files: Vec<PathBuf>,
        user: String,
        mend: String,
    },
    #[error("the store has no zone {0}")]
    NoZone(Name),
    #[error("{zone} has no revision {wanted}: its last one is {newest}")]
    NoRevision {
        zone: Name,
        wanted: u64,
        newest: u64,
    },
    #[error(
        "revision {wanted} of {zone} cannot be told any more: what came before {earliest} was pruned (`retain_revisions` and `retain_days` say how much is kept)"
    )]
    Pruned {
        zone: Name,
        wanted: u64,
        earliest: u64,
    },
    #[error("{} exists already; nothing is overwritten", .0.display())]
    InTheWay(PathBuf),
    /// Written, it could not be read back.
    #[error("{owner} {rtype} cannot be stored: {reason}")]
    Unstorable {
        owner: Name,
        rtype: Rtype,
        reason: String,
    },
    #[error("{}: {source}", path.display())]
    Io {
        path: PathBuf,
        source: std::io::Error,
    },
    /// Whoever read said that it was enough.
    #[error("reading was ended")]
    Interrupted,
    #[error("no random numbers for a reference: {0}")]
    Random(getrandom::Error),
    #[error(transparent)]
    Sqlite(rusqlite::Error),
}

fn listed(files: &[PathBuf]) -> String {
    let names: Vec<String> = files
        .iter()
        .map(|file| file.display().to_string())
        .collect();
    names.join(" and ")
}

impl StoreError {
    /// What to type, where that is known.
    pub fn mend(&self) -> Option<&str> {
        match self {
            StoreError::NotOurs { mend, .. } => Some(mend),
            _ => None,
        }
    }

    pub(super) fn io(path: &std::path::Path) -> impl FnOnce(std::io::Error) -> StoreError {
        let path = path.to_owned();
        move |source| StoreError::Io { path, source }
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> StoreError {
        use rusqlite::Error::*;
        match &error {
            // Our statements are fixed: one that is not understood has found another schema.
            SqlInputError { msg, .. } => return StoreError::Damaged(msg.clone()),
            FromSqlConversionFailure(..)
            | InvalidColumnType(..)
            | IntegralValueOutOfRange(..)
            | Utf8Error(..)
            | QueryReturnedNoRows => return StoreError::Damaged(error.to_string()),
            _ => {}
        }
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreError::Busy,
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                StoreError::Damaged(error.to_string())
            }
            Some(ErrorCode::DiskFull) => StoreError::Full,
            Some(ErrorCode::OperationInterrupted) => StoreError::Interrupted,
            // Another process changed the schema under us, or made it unreadable.
            Some(ErrorCode::SchemaChanged | ErrorCode::Unknown) => {
                StoreError::Damaged(error.to_string())
            }
            _ => StoreError::Sqlite(error),
        }
    }
}
