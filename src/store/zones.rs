//! Which zones the store says it has. Anybody may have written there: a row that cannot be read
//! becomes a [`BadZone`] with its reason, and says nothing of the other zones.

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, Row};

use super::StoreError;
use super::rows::{SHOWN_CHARS_MAX, cut, shown};
use crate::rr::Name;
use crate::zone::Digest;

/// A zone at its last revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ZoneRow {
    pub origin: Name,
    /// 0: created, nothing committed yet.
    pub revision: u64,
    pub serial: Option<u32>,
    pub digest: Digest,
}

/// The rows of the table `zone`. One that cannot be read says nothing of the others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Zones {
    pub rows: Vec<ZoneRow>,
    pub bad: Vec<BadZone>,
}

/// A row of the table `zone` that is none of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadZone {
    /// The name as it is written, which need not be text.
    pub written: Vec<u8>,
    /// Which zone it is about, where it names one as we would.
    pub origin: Option<Name>,
    pub reason: String,
}

impl BadZone {
    /// As SQL finds it.
    pub fn literal(&self) -> String {
        literal(&self.written)
    }
}

impl std::fmt::Display for BadZone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = cut(&self.written, SHOWN_CHARS_MAX);
        write!(f, "the row {shown:?} of the table zone: {}", self.reason)
    }
}

/// A text in SQL, in a way that a terminal shows and a shell passes on.
pub fn literal(text: &[u8]) -> String {
    match std::str::from_utf8(text) {
        Ok(plain) if text.iter().all(|octet| (b' '..=b'~').contains(octet)) => {
            format!("'{}'", plain.replace('\'', "''"))
        }
        _ => {
            let hex: String = text.iter().map(|octet| format!("{octet:02X}")).collect();
            format!("CAST(x'{hex}' AS TEXT)")
        }
    }
}

/// What a zone's last revision says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastRevision {
    pub number: u64,
    pub serial: Option<u32>,
    pub digest: String,
    /// The zone went with it.
    pub is_removal: bool,
}

pub(super) fn zones(connection: &Connection) -> Result<Zones, StoreError> {
    let mut statement =
        connection.prepare_cached("SELECT origin, revision, serial, digest FROM zone")?;
    let mut rows = statement.query([])?;
    let mut zones = Zones::default();
    while let Some(row) = rows.next()? {
        match zone_row(row)? {
            Ok(row) => zones.rows.push(row),
            Err(bad) => zones.bad.push(bad),
        }
    }
    Ok(zones)
}

pub(super) fn zone(
    connection: &Connection,
    origin: &Name,
) -> Result<Option<Result<ZoneRow, BadZone>>, StoreError> {
    let mut statement = connection
        .prepare_cached("SELECT origin, revision, serial, digest FROM zone WHERE origin = ?")?;
    let mut rows = statement.query([origin.to_string()])?;
    rows.next()?.map(zone_row).transpose()
}

fn zone_row(row: &Row<'_>) -> Result<Result<ZoneRow, BadZone>, StoreError> {
    let written = match row.get_ref(0)? {
        ValueRef::Text(octets) => octets.to_vec(),
        other => shown(other, SHOWN_CHARS_MAX).into_bytes(),
    };
    let origin = match zone_name(&written) {
        Ok(origin) => origin,
        Err(reason) => {
            let bad = BadZone {
                written,
                origin: None,
                reason,
            };
            return Ok(Err(bad));
        }
    };
    let (number, serial, digest) = (row.get_ref(1)?, row.get_ref(2)?, row.get_ref(3)?);
    Ok(
        match (
            revision_number(number),
            serial_number(serial),
            digest_of(digest),
        ) {
            (Ok(revision), Ok(serial), Ok(digest)) => Ok(ZoneRow {
                origin,
                revision,
                serial,
                digest,
            }),
            (Err(reason), ..) | (_, Err(reason), _) | (.., Err(reason)) => Err(BadZone {
                written,
                origin: Some(origin),
                reason,
            }),
        },
    )
}

/// A zone is found by its name as we write it; what is written otherwise would be a second one.
fn zone_name(written: &[u8]) -> Result<Name, String> {
    let text = std::str::from_utf8(written).map_err(|_| "its name is not text".to_owned())?;
    if !text.ends_with('.') {
        return Err("it names no zone: zones end in a dot".to_owned());
    }
    let name: Name = text
        .parse()
        .map_err(|error| format!("it names no zone: {error}"))?;
    match name.to_string().eq_ignore_ascii_case(text) {
        true => Ok(name),
        false => Err(format!("it names no zone: {name} is written otherwise")),
    }
}

fn revision_number(value: ValueRef) -> Result<u64, String> {
    let number = match value {
        ValueRef::Integer(number) => u64::try_from(number).ok(),
        _ => None,
    };
    number.ok_or_else(|| format!("{} is no revision", shown(value, SHOWN_CHARS_MAX)))
}

fn serial_number(value: ValueRef) -> Result<Option<u32>, String> {
    match value {
        ValueRef::Null => Ok(None),
        ValueRef::Integer(number) => u32::try_from(number)
            .map(Some)
            .map_err(|_| format!("{number} is no serial")),
        other => Err(format!("{} is no serial", shown(other, SHOWN_CHARS_MAX))),
    }
}

fn digest_of(value: ValueRef) -> Result<Digest, String> {
    let text = shown(value, SHOWN_CHARS_MAX);
    text.parse()
        .map_err(|error| format!("{text:?} is no digest: {error}"))
}

/// What the history says of a zone last.
/// The digest that the history has for a revision, whatever else its row says.
pub(super) fn revision_digest(
    connection: &Connection,
    zone: &Name,
    number: i64,
) -> Result<Option<String>, StoreError> {
    Ok(connection
        .prepare_cached("SELECT digest FROM revision WHERE zone = ? AND number = ?")?
        .query_row((zone.to_string(), number), |row| {
            Ok(shown(row.get_ref(0)?, SHOWN_CHARS_MAX))
        })
        .optional()?)
}

pub(super) fn last_revision(
    connection: &Connection,
    zone: &Name,
) -> Result<Option<LastRevision>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT number, new_serial, digest, path = 'remove' FROM revision WHERE zone = ?
         ORDER BY number DESC LIMIT 1",
    )?;
    let mut rows = statement.query([zone.to_string()])?;
    let Some(row) = rows.next()? else {
        return Ok(None);
    };
    Ok(Some(LastRevision {
        number: row.get::<_, i64>(0)?.unsigned_abs(),
        serial: serial_number(row.get_ref(1)?).unwrap_or_default(),
        digest: shown(row.get_ref(2)?, SHOWN_CHARS_MAX),
        is_removal: row.get(3)?,
    }))
}
