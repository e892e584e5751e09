//! The store: zones, their records, revisions and the audit in one SQLite file, which people may
//! read and edit with `sqlite3`.
//!
//! Read in order: `../../migrations/` (the tables and why they are so), `open` (connection, schema),
//! `identity` (is the file on the path still the one we opened?), `index` (is the log's whole?), `ownership` (and ours to write?),
//! `schema` (are the tables still ours?), `rows` (reading records, every one of them hostile),
//! `transaction` (writing), `revision`, `audit` (references), `head` (where it ends), `accepted`
//! (what is not to be applied again), `history` (reading back), `changes` (what lies between revisions), `chain` and `verify` (is all as it was
//! written?), `scrub` (is what is served, asked again and again?), `retention` (what may go),
//! `backup`, `snapshot` (the last-known-good, a database of its own). No other room knows SQLite.
//! Not here: whether a change is let in (`change` and `guard`), whether what was read is fit to be
//! served (`check`).

mod accepted;
mod aside;
mod audit;
mod backup;
mod chain;
mod changes;
mod error;
mod head;
mod history;
mod identity;
mod index;
mod open;
mod ownership;
mod retention;
mod revision;
mod rows;
mod schema;
mod scrub;
mod snapshot;
mod transaction;
mod verify;
mod zones;

#[cfg(test)]
mod tests;

use std::path::PathBuf;

use rusqlite::Connection;

use crate::rr::Name;
use identity::Identity;

pub use accepted::{ACCEPTED_MAX, Accepted, RETRANSMIT_US};
pub use aside::set_aside;
pub use audit::{AuditRow, NewAudit};
pub use backup::{Backup, backup};
pub use chain::{Chain, Witness};
pub use changes::{Change, Changes};
pub use error::StoreError;
pub use history::History;
pub use ownership::strangers;
pub use retention::{Pruned, REVISIONS_LEAST, Retention};
pub use revision::{NewRevision, RevisionRow};
pub use rows::{BadRow, Content, FreezeRow, Loaded};
pub use schema::Mended;
pub use scrub::{Pause, Scrubbed, differing, faults, scrub};
pub use snapshot::{Extent, Promotion, Snapshot, SnapshotRow};
pub use transaction::{AuditFlaws, Transaction};
pub use verify::{Verification, verify};
pub use zones::{BadZone, LastRevision, ZoneRow, Zones, literal};

/// Seconds; RFC 2181 §8.
const TTL_MAX: u32 = i32::MAX as u32;

#[derive(Debug, Clone)]
pub struct Settings {
    pub path: PathBuf,
    /// The last-known-good snapshot, a file of its own.
    pub snapshot: PathBuf,
    /// How long to wait for another process that writes.
    pub busy_timeout_ms: u64,
    pub retention: Retention,
}

/// The connection that writes. There is one; its own changes fire no triggers.
#[derive(Debug)]
pub struct Store {
    connection: Connection,
    identity: Identity,
}

impl Store {
    /// Opens the store; creates the file where there is none, in a folder that is there.
    pub fn open(settings: &Settings) -> Result<Store, StoreError> {
        open::create_or_open(settings)
    }

    /// Opens the store, which must be there: one that is gone is not to be mistaken for a new one.
    pub fn open_existing(settings: &Settings) -> Result<Store, StoreError> {
        open::existing(settings)
    }

    /// Whether the files on the path are still those that were opened. Commits would go on without
    /// an error into files that nobody can find any more.
    pub fn check_identity(&self) -> Result<(), StoreError> {
        self.identity.check(&self.connection)
    }

    /// Whether the index of the log was cut short, and nobody has begun to write since: what is read
    /// may be old, and an error may have come of that, and of no damage.
    pub fn is_doubtful(&self) -> bool {
        self.identity.index().is_doubtful().unwrap_or(true)
    }

    /// Changes when another connection has committed, never by our own commits.
    pub fn data_version(&self) -> Result<i64, StoreError> {
        rows::data_version(&self.connection)
    }

    pub fn zones(&self) -> Result<Zones, StoreError> {
        zones::zones(&self.connection)
    }

    /// The records of a zone as they lie there now.
    pub fn load(&self, zone: &Name) -> Result<Loaded, StoreError> {
        // Records and touched owners must be of one moment.
        let read = self.connection.unchecked_transaction()?;
        rows::load(&read, zone)
    }

    /// Id and hash of the last audit row; 0 and zeros where there is none.
    pub fn audit_head(&self) -> Result<(i64, String), StoreError> {
        let head = head::end(&self.connection)?.head;
        Ok((head.id, audit::hex(&head.hash)))
    }

    /// Rows of zones that there are not: they are served by nobody. The first of them, where there
    /// are many.
    pub fn strays(&self) -> Result<Vec<BadRow>, StoreError> {
        rows::strays(&self.connection)
    }

    pub fn freezes(&self) -> Result<Vec<FreezeRow>, StoreError> {
        rows::freezes(&self.connection)
    }

    /// Begins to write: nobody else does until the transaction ends.
    pub fn begin(&mut self) -> Result<Transaction<'_>, StoreError> {
        Transaction::begin(&self.connection, &self.identity)
    }

    /// Moves what the write-ahead log holds into the database, as far as readers let it. Commits do
    /// it only when the log has grown long: call this when nobody waits for an answer.
    pub fn checkpoint(&self) -> Result<(), StoreError> {
        self.check_identity()?;
        self.identity.index().check()?;
        open::checkpoint(&self.connection, "PASSIVE")
    }

    /// Ends with everything in the database file itself, and an empty write-ahead log.
    pub fn close(self) -> Result<(), StoreError> {
        self.check_identity()?;
        self.identity.index().heal(&self.connection)?;
        open::checkpoint(&self.connection, "TRUNCATE")?;
        self.connection.close().map_err(|(_, error)| error.into())
    }
}
