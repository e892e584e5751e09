//! The audit: what was asked and what came of it, each row chained to the one before by its hash.

use rusqlite::types::{Type, Value, ValueRef};
use rusqlite::{Connection, OptionalExtension, Row, params_from_iter};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::rows::shown;
use super::{StoreError, head};
use crate::rr::Name;

pub struct NewAudit<'a> {
    /// Microseconds since 1970, UTC.
    pub at_unix_us: i64,
    pub path: &'a str,
    pub actor: &'a str,
    pub source: Option<String>,
    pub transport: Option<&'a str>,
    pub zone: Option<&'a Name>,
    pub base_revision: Option<u64>,
    pub revision: Option<u64>,
    pub old_serial: Option<u32>,
    pub new_serial: Option<u32>,
    /// "committed", "unchanged", "refused", "repeated", "failed", "observed", "checkpoint", "continued"
    pub outcome: &'a str,
    pub rule: Option<&'a str>,
    pub reason: &'a str,
    pub rcode: &'a str,
    pub ede: Option<u16>,
    /// Of the signed request; of updates whose retransmission gets the same answer.
    pub mac: Option<&'a [u8]>,
    pub detail: serde_json::Value,
    pub duration_us: u64,
}

/// An audit row read back.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AuditRow {
    pub id: i64,
    pub reference: String,
    pub at_unix_us: i64,
    pub path: String,
    pub actor: String,
    pub source: Option<String>,
    pub transport: Option<String>,
    pub zone: Option<String>,
    pub base_revision: Option<i64>,
    pub revision: Option<i64>,
    pub old_serial: Option<u32>,
    pub new_serial: Option<u32>,
    pub outcome: String,
    pub rule: Option<String>,
    pub reason: String,
    pub rcode: String,
    pub ede: Option<u16>,
    /// Hexadecimal, as the hash.
    pub mac: Option<String>,
    pub detail: serde_json::Value,
    pub duration_us: i64,
    pub hash: String,
}

/// Every column but the hash, in the order in which they are hashed.
pub(super) const COLUMNS: &str = "previous, id, reference, at_us, path, actor, source, transport, zone, \
     base_revision, revision, old_serial, new_serial, outcome, rule, reason, rcode, ede, mac, \
     detail, duration_us";
pub(super) const COLUMN_COUNT: usize = 21;
pub(super) const HEAD_KEY: &str = "audit_head";
/// Without I, L, O and U, which are misread.
const CROCKFORD: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const REFERENCE_CHARS: usize = 4;

/// The end of the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Head {
    pub id: i64,
    pub hash: [u8; 32],
}

impl std::fmt::Display for Head {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.id, hex(&self.hash))
    }
}

/// Lengths and types are hashed with the values, so that nothing can move from one to the next.
pub(super) fn hash_value(hash: &mut Sha256, value: ValueRef) {
    let mut part = |kind: u8, octets: &[u8]| {
        hash.update([kind]);
        hash.update((octets.len() as u64).to_be_bytes());
        hash.update(octets);
    };
    match value {
        ValueRef::Null => part(0, &[]),
        ValueRef::Integer(number) => part(1, &number.to_be_bytes()),
        ValueRef::Real(number) => part(2, &number.to_be_bytes()),
        ValueRef::Text(octets) => part(3, octets),
        ValueRef::Blob(octets) => part(4, octets),
    }
}

pub(super) fn write_head(connection: &Connection, head: Head) -> Result<(), StoreError> {
    connection
        .prepare_cached("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)")?
        .execute((HEAD_KEY, head.to_string()))?;
    Ok(())
}

/// Writes a row behind `end`; returns its reference and the new head.
pub(super) fn add(
    connection: &Connection,
    end: Head,
    new: NewAudit,
) -> Result<(String, Head), StoreError> {
    let id = head::next_id(connection, end)?;
    let reference = free_reference(connection)?;
    let mut values = row_values(end, id, &reference, new);
    let mut hash = Sha256::new();
    values
        .iter()
        .for_each(|value| hash_value(&mut hash, value.into()));
    let hash: [u8; 32] = hash.finalize().into();
    values.push(Value::Blob(hash.to_vec()));
    let places = ["?"; COLUMN_COUNT + 1].join(", ");
    connection
        .prepare_cached(&format!(
            "INSERT INTO audit ({COLUMNS}, hash) VALUES ({places})"
        ))?
        .execute(params_from_iter(values))?;
    Ok((reference, Head { id, hash }))
}

/// In the order of [`COLUMNS`].
fn row_values(head: Head, id: i64, reference: &str, new: NewAudit) -> Vec<Value> {
    let text = |text: Option<&str>| text.map_or(Value::Null, |text| text.to_owned().into());
    // SQLite's numbers are signed; nothing of ours comes near.
    let number = |number: Option<u64>| {
        number.map_or(Value::Null, |number| {
            i64::try_from(number).unwrap_or(i64::MAX).into()
        })
    };
    vec![
        Value::Blob(head.hash.to_vec()),
        id.into(),
        reference.to_owned().into(),
        new.at_unix_us.into(),
        new.path.to_owned().into(),
        new.actor.to_owned().into(),
        text(new.source.as_deref()),
        text(new.transport),
        text(new.zone.map(Name::to_string).as_deref()),
        number(new.base_revision),
        number(new.revision),
        number(new.old_serial.map(u64::from)),
        number(new.new_serial.map(u64::from)),
        new.outcome.to_owned().into(),
        text(new.rule),
        new.reason.to_owned().into(),
        new.rcode.to_owned().into(),
        number(new.ede.map(u64::from)),
        new.mac.map_or(Value::Null, |mac| mac.to_vec().into()),
        new.detail.to_string().into(),
        number(Some(new.duration_us)),
    ]
}

/// A reference that no row has; one character longer for every one that was taken.
fn free_reference(connection: &Connection) -> Result<String, StoreError> {
    let mut statement = connection.prepare_cached("SELECT 1 FROM audit WHERE reference = ?")?;
    let mut chars = REFERENCE_CHARS;
    loop {
        let mut octets = vec![0; chars];
        getrandom::fill(&mut octets).map_err(StoreError::Random)?;
        let reference: String = octets
            .iter()
            .map(|octet| char::from(CROCKFORD[usize::from(octet % 32)]))
            .collect();
        if !statement.exists([&reference])? {
            return Ok(reference);
        }
        chars += 1;
    }
}

/// A reference as a person typed it: case, dashes and look-alikes do not count.
pub(super) fn normal_reference(typed: &str) -> String {
    typed
        .chars()
        .filter(|c| !matches!(c, '-' | ' '))
        .map(|c| match c.to_ascii_uppercase() {
            'O' => '0',
            'I' | 'L' => '1',
            other => other,
        })
        .collect()
}

/// (revision, or 0 where none was made; reference; RCODE) of the first answer to the request that
/// had this MAC.
pub(super) fn find_mac(
    connection: &Connection,
    mac: &[u8],
    not_before_unix: u64,
) -> Result<Option<(u64, String, u16)>, StoreError> {
    let not_before_us =
        i64::try_from(not_before_unix.saturating_mul(1_000_000)).unwrap_or(i64::MAX);
    let found = connection
        .prepare_cached(
            "SELECT coalesce(revision, base_revision, 0), reference, rcode FROM audit
             WHERE mac = ? AND at_us >= ? ORDER BY at_us, id LIMIT 1",
        )?
        .query_row((mac, not_before_us), |row| {
            let text = |column| Ok::<_, rusqlite::Error>(shown(row.get_ref(column)?, usize::MAX));
            let revision = row.get_ref(0)?.as_i64().unwrap_or_default();
            Ok((revision, text(1)?, text(2)?))
        })
        .optional()?;
    let Some((revision, reference, rcode)) = found else {
        return Ok(None);
    };
    // Only what was accepted carries a MAC: a row that was altered must not have it applied again.
    let code = rcode_of(&rcode).unwrap_or_default();
    Ok(Some((revision.max(0) as u64, reference, code)))
}

fn rcode_of(text: &str) -> Option<u16> {
    use crate::rr::message::Rcode::*;
    [
        NoError, FormErr, ServFail, NxDomain, NotImp, Refused, YxDomain, YxRrset, NxRrset, NotAuth,
        NotZone, BadVers,
    ]
    .into_iter()
    .find(|rcode| rcode.to_string() == text)
    .map(|rcode| rcode.code())
}

/// Rows of the audit by a condition, in the order it asks for.
pub(super) fn select(
    connection: &Connection,
    condition: &str,
    values: impl rusqlite::Params,
) -> Result<Vec<AuditRow>, StoreError> {
    let mut statement =
        connection.prepare_cached(&format!("SELECT {COLUMNS}, hash FROM audit {condition}"))?;
    let rows = statement.query_map(values, audit_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn audit_row(row: &Row) -> rusqlite::Result<AuditRow> {
    let mac: Option<Vec<u8>> = row.get(18)?;
    let hash: Vec<u8> = row.get(COLUMN_COUNT)?;
    Ok(AuditRow {
        id: row.get(1)?,
        reference: row.get(2)?,
        at_unix_us: row.get(3)?,
        path: row.get(4)?,
        actor: row.get(5)?,
        source: row.get(6)?,
        transport: row.get(7)?,
        zone: row.get(8)?,
        base_revision: row.get(9)?,
        revision: row.get(10)?,
        old_serial: row.get(11)?,
        new_serial: row.get(12)?,
        outcome: row.get(13)?,
        rule: row.get(14)?,
        reason: row.get(15)?,
        rcode: row.get(16)?,
        ede: row.get(17)?,
        mac: mac.map(|octets| hex(&octets)),
        detail: json(row, 19)?,
        duration_us: row.get(20)?,
        hash: hex(&hash),
    })
}

pub(super) fn json(row: &Row, column: usize) -> rusqlite::Result<serde_json::Value> {
    let text: String = row.get(column)?;
    serde_json::from_str(&text).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(error))
    })
}

pub(super) fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}
