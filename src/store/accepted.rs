//! Updates that were accepted lately, as the audit and the snapshot tell of them.

use rusqlite::{Connection, OptionalExtension};

use super::rows::shown;
use super::{StoreError, head};

/// A message known by its MAC is not applied again: twice the fudge of TSIG (RFC 8945 §5.2.3).
pub const RETRANSMIT_US: i64 = 600 * 1_000_000;
/// More are not remembered outside the store.
pub const ACCEPTED_MAX: usize = 100_000;

/// An update that was accepted: the MAC of its message, and its first answer's audit row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    pub mac: Box<[u8]>,
    pub reference: String,
    pub at_unix_us: i64,
}

/// Those that the audit has since then, the oldest first.
pub(super) fn in_audit(
    connection: &Connection,
    since_unix_us: i64,
) -> Result<Vec<Accepted>, StoreError> {
    let mut statement = connection
        .prepare_cached("SELECT mac, reference, at_us FROM audit WHERE id <= ? ORDER BY id DESC")?;
    // Rows of strangers come after ours.
    let mut rows = statement.query([head::end(connection)?.head.id])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let at_unix_us: i64 = row.get(2)?;
        if at_unix_us < since_unix_us || found.len() > ACCEPTED_MAX {
            break;
        }
        if let Ok(mac) = row.get_ref(0)?.as_blob() {
            found.push(Accepted {
                mac: mac.into(),
                reference: shown(row.get_ref(1)?, usize::MAX),
                at_unix_us,
            });
        }
    }
    found.reverse();
    Ok(found)
}

/// One more than are remembered may be there, so that it shows that not all are.
const TABLE: &str = "CREATE TABLE IF NOT EXISTS accepted (
    at_us     INTEGER NOT NULL,
    mac       BLOB    NOT NULL,
    reference TEXT    NOT NULL,
    PRIMARY KEY (at_us, mac)
) STRICT, WITHOUT ROWID";

/// Those that a snapshot has, the oldest first.
pub(super) fn in_snapshot(connection: &Connection) -> Result<Vec<Accepted>, StoreError> {
    let is_there = connection
        .prepare("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'accepted'")?
        .query_row([], |_| Ok(()))
        .optional()?;
    if is_there.is_none() {
        return Ok(Vec::new());
    }
    let mut statement = connection
        .prepare("SELECT mac, reference, at_us FROM accepted ORDER BY at_us DESC LIMIT ?")?;
    let rows = statement.query_map([ACCEPTED_MAX as i64 + 1], |row| {
        Ok(Accepted {
            mac: row.get::<_, Vec<u8>>(0)?.into(),
            reference: row.get(1)?,
            at_unix_us: row.get(2)?,
        })
    })?;
    let mut found = rows.collect::<Result<Vec<_>, _>>()?;
    found.reverse();
    Ok(found)
}

/// Adds to those of a snapshot, and lets go of what is too old.
pub(super) fn write<'a>(
    connection: &Connection,
    accepted: impl IntoIterator<Item = &'a Accepted>,
) -> Result<(), StoreError> {
    let mut accepted = accepted.into_iter().peekable();
    if accepted.peek().is_none() {
        return Ok(());
    }
    // One that was written by an earlier version has no such table.
    connection.execute_batch(TABLE)?;
    let mut insert = connection.prepare_cached(
        "INSERT OR IGNORE INTO accepted (at_us, mac, reference) VALUES (?, ?, ?)",
    )?;
    let mut newest = i64::MIN;
    for one in accepted {
        insert.execute((one.at_unix_us, &one.mac[..], &one.reference))?;
        newest = newest.max(one.at_unix_us);
    }
    connection
        .prepare_cached(
            "DELETE FROM accepted WHERE at_us < max(?, coalesce(
                 (SELECT at_us FROM accepted ORDER BY at_us DESC LIMIT 1 OFFSET ?), ?1))",
        )?
        .execute((newest.saturating_sub(RETRANSMIT_US), ACCEPTED_MAX as i64))?;
    Ok(())
}
