//! Opening the database: which files may be touched, how the connection is set, the schema.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use super::identity::{Identity, beside};
use super::index::{self, Index};
use super::{Settings, Store, StoreError, ownership, rows, schema, zones};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

/// As the first migration sets it.
const APPLICATION_ID: i64 = 0x4C41_5354;
/// Pages of 4 KB in the log before a commit moves them into the database by itself. Long, so that
/// it is seldom on the way of an answer.
const LOG_PAGES: u32 = 8_000;
const CACHE_KIB: i64 = 32 * 1024;
const STATEMENTS_KEPT: usize = 64;

pub(super) fn create_or_open(settings: &Settings) -> Result<Store, StoreError> {
    let path = &settings.path;
    match fs::metadata(path) {
        // An empty file is one that was never written, unless its log says otherwise.
        Ok(meta) if meta.len() > 0 => existing(settings),
        Ok(_) if log_has_content(path) => Err(StoreError::Truncated(path.clone())),
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(StoreError::io(path)(error))
        }
        Err(_) if log_has_content(path) => Err(StoreError::LogAlone(beside(path, "-wal"))),
        found => {
            let connection = connect(settings, OpenFlags::SQLITE_OPEN_CREATE)?;
            if found.is_err() {
                // Before anything is in it; log and index take their mode from it.
                fs::set_permissions(path, fs::Permissions::from_mode(0o600))
                    .map_err(StoreError::io(path))?;
            }
            writable(connection, settings)
        }
    }
}

pub(super) fn existing(settings: &Settings) -> Result<Store, StoreError> {
    let path = &settings.path;
    let before = match fs::metadata(path) {
        Ok(meta) if meta.len() == 0 => return Err(StoreError::Truncated(path.clone())),
        Ok(meta) => meta,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(StoreError::Gone(path.clone()));
        }
        Err(error) => return Err(StoreError::io(path)(error)),
    };
    // SQLite would open it for reading only, and fail at the first commit.
    ownership::check(path)?;
    let store = writable(connect(settings, OpenFlags::empty())?, settings)?;
    store.identity.same_as(&before)?;
    Ok(store)
}

fn log_has_content(path: &Path) -> bool {
    fs::metadata(beside(path, "-wal")).is_ok_and(|meta| meta.len() > 0)
}

fn connect(settings: &Settings, create: OpenFlags) -> Result<Connection, StoreError> {
    // No URIs: a path is a path.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | create;
    let connection = Connection::open_with_flags(&settings.path, flags)?;
    harden(&connection, settings.busy_timeout_ms)?;
    Ok(connection)
}

/// What holds for every connection: the file may have been prepared by somebody else.
pub(super) fn harden(connection: &Connection, busy_timeout_ms: u64) -> Result<(), StoreError> {
    // Nothing was read yet, and so nothing is mapped.
    index::catch_sigbus();
    connection.busy_timeout(Duration::from_millis(busy_timeout_ms))?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
    // Closing would delete the log by its path, though it may be another database's by then.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    // A truncated file under a memory map kills the process.
    connection.pragma_update(None, "mmap_size", 0)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
    Ok(())
}

fn writable(mut connection: Connection, settings: &Settings) -> Result<Store, StoreError> {
    check_schema(&connection, &settings.path)?;
    let mode: String =
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
    if !mode.eq_ignore_ascii_case("wal") {
        return Err(StoreError::Damaged(format!(
            "its journal mode stays {mode}, not WAL"
        )));
    }
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "wal_autocheckpoint", LOG_PAGES)?;
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    connection.pragma_update(None, "foreign_keys", false)?;
    if is_older(&connection, &settings.path)? {
        schema::migrations()
            .to_latest(&mut connection)
            .map_err(|error| match error {
                rusqlite_migration::Error::RusqliteError { err, .. } => err.into(),
                other => StoreError::Damaged(other.to_string()),
            })?;
    }
    schema::check(&connection)?;
    // Reads, so that log and index are there to be remembered.
    rows::data_version(&connection)?;
    zones::zones(&connection)?;
    let identity = Identity::of(&settings.path)?;
    Ok(Store {
        connection,
        identity,
    })
}

/// Whether it wants migrations. With the index of its log cut short, a database may look as it did
/// before its first one, and all its tables would be made anew over what is in the log.
fn is_older(connection: &Connection, path: &Path) -> Result<bool, StoreError> {
    rows::data_version(connection)?;
    let index = Index::of(path);
    index.heal(connection)?;
    let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    index.check()?;
    Ok(found < schema::known())
}

/// Whether this is a database of ours, and not of a newer program.
pub(super) fn check_schema(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let number = |pragma: &str| connection.pragma_query_value(None, pragma, |row| row.get(0));
    let found: i64 = number("user_version")?;
    let application: i64 = number("application_id")?;
    let known = schema::known();
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    match found {
        0 if tables > 0 => Err(StoreError::Foreign(path.to_owned())),
        0 => Ok(()),
        _ if application != APPLICATION_ID => Err(StoreError::Foreign(path.to_owned())),
        _ if found > known => Err(StoreError::SchemaTooNew { found, known }),
        _ => Ok(()),
    }
}

/// A connection that only reads.
#[derive(Debug)]
pub(super) struct ReadOnly {
    connection: Connection,
    index: Index,
}

impl ReadOnly {
    /// Whether what was read is of one moment: not, where the index of the log was cut short meanwhile.
    pub fn check(&self) -> Result<(), StoreError> {
        self.index.check()
    }
}

impl std::ops::Deref for ReadOnly {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.connection
    }
}

pub(super) fn read_only(settings: &Settings) -> Result<ReadOnly, StoreError> {
    index::look_at(&settings.path)?;
    if !settings.path.exists() {
        return Err(StoreError::Gone(settings.path.clone()));
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(&settings.path, flags)?;
    harden(&connection, settings.busy_timeout_ms)?;
    connection.pragma_update(None, "query_only", true)?;
    check_schema(&connection, &settings.path)?;
    Ok(ReadOnly {
        connection,
        index: Index::of(&settings.path),
    })
}

/// `how` is PASSIVE or TRUNCATE.
pub(super) fn checkpoint(connection: &Connection, how: &str) -> Result<(), StoreError> {
    // (busy, frames in the log, frames moved): that readers are in the way is no error.
    connection.query_row(&format!("PRAGMA wal_checkpoint({how})"), [], |_| Ok(()))?;
    Ok(())
}
