//! Where the audit ends, as it was noted with the last commit and as its rows have it.
//!
//! Rows that others wrote, altered or took away at its end are told of, and are never a reason to stop
//! writing: the chain goes on from what was noted, and `verify` tells where it is broken.

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, Row};

use super::StoreError;
use super::audit::{HEAD_KEY, Head};
use super::rows::shown;

/// Ids from here on are not ours: whoever wrote them left no room for the rows to come.
const ID_END: i64 = 1 << 62;

/// The end of the audit.
#[derive(Debug)]
pub(super) struct End {
    /// What the next row follows.
    pub head: Head,
    /// What was written last is no longer there as it was.
    pub altered: Option<String>,
    /// Rows are there that this server did not write.
    pub strangers: Option<String>,
}

enum Noted {
    Nothing,
    Unreadable,
    Head(Head),
}

pub(super) fn end(connection: &Connection) -> Result<End, StoreError> {
    let (head, altered) = match noted(connection)? {
        Noted::Head(head) => {
            let flaw = match hash_at(connection, head.id)? {
                Some(Some(hash)) if hash == head.hash => None,
                Some(_) => Some("is not as it was written"),
                None => Some("is gone"),
            };
            let id = head.id;
            let told = flaw.map(|flaw| format!("row {id}, the last one written, {flaw}"));
            (head, told)
        }
        // It is written with the first row, and stays.
        noted => match last_sound(connection)? {
            None if matches!(noted, Noted::Nothing) => (Head::default(), None),
            last => {
                let why = "what was noted of its last row is gone or cannot be read";
                (last.unwrap_or_default(), Some(why.to_owned()))
            }
        },
    };
    Ok(End {
        strangers: strangers(connection, head)?,
        altered,
        head,
    })
}

fn noted(connection: &Connection) -> Result<Noted, StoreError> {
    let text: Option<String> = connection
        .prepare_cached("SELECT value FROM meta WHERE key = ?")?
        .query_row([HEAD_KEY], |row| Ok(shown(row.get_ref(0)?, usize::MAX)))
        .optional()?;
    Ok(match text {
        None => Noted::Nothing,
        Some(text) => parse(&text).map_or(Noted::Unreadable, Noted::Head),
    })
}

fn parse(text: &str) -> Option<Head> {
    let (id, hash) = text.split_once(' ')?;
    let id = id.parse().ok().filter(|id| (1..ID_END).contains(id))?;
    let hash = super::verify::hash_of(hash)?;
    Some(Head { id, hash })
}

fn hash_in(row: &Row, column: usize) -> rusqlite::Result<Option<[u8; 32]>> {
    Ok(match row.get_ref(column)? {
        ValueRef::Blob(octets) => octets.try_into().ok(),
        _ => None,
    })
}

/// `None` where there is no such row, and within it where it has no hash.
fn hash_at(connection: &Connection, id: i64) -> Result<Option<Option<[u8; 32]>>, StoreError> {
    Ok(connection
        .prepare_cached("SELECT hash FROM audit WHERE id = ?")?
        .query_row([id], |row| hash_in(row, 0))
        .optional()?)
}

/// The last row that can be followed.
fn last_sound(connection: &Connection) -> Result<Option<Head>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT id, hash FROM audit WHERE id > 0 AND id < ? AND length(hash) = 32
         ORDER BY id DESC LIMIT 1",
    )?;
    let found = statement
        .query_row([ID_END], |row| Ok((row.get(0)?, hash_in(row, 1)?)))
        .optional()?;
    Ok(found.and_then(|(id, hash)| hash.map(|hash| Head { id, hash })))
}

fn strangers(connection: &Connection, head: Head) -> Result<Option<String>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT * FROM (SELECT id FROM audit WHERE id > ? ORDER BY id LIMIT 1)
         UNION ALL SELECT * FROM (SELECT id FROM audit WHERE id < 1 ORDER BY id LIMIT 1)",
    )?;
    let id: Option<i64> = statement
        .query_row([head.id], |row| row.get(0))
        .optional()?;
    Ok(id.map(|id| {
        format!(
            "row {id} was not written by this server; to mend it, in sqlite3: DROP TRIGGER \
             audit_delete; DELETE FROM audit WHERE id = {id}; (the trigger is made again)"
        )
    }))
}

/// The id of the next row: the one after the head, unless somebody has taken it.
pub(super) fn next_id(connection: &Connection, head: Head) -> Result<i64, StoreError> {
    let next = head.id.saturating_add(1);
    if hash_at(connection, next)?.is_none() {
        return Ok(next);
    }
    let free: Option<i64> = connection
        .prepare_cached(
            "SELECT id + 1 FROM audit WHERE id >= ?1 AND id < ?2
             AND NOT EXISTS (SELECT 1 FROM audit AS after WHERE after.id = audit.id + 1)
             ORDER BY id LIMIT 1",
        )?
        .query_row((next, i64::MAX), |row| row.get(0))
        .optional()?;
    free.ok_or_else(|| StoreError::Damaged("no id is left for a row of the audit".to_owned()))
}
