//! Revisions: one for every committed change of a zone, with what lies between it and the one before.

use std::sync::Arc;

use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, OptionalExtension, Row, named_params, params_from_iter};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::StoreError;
use super::audit::{hash_value, hex};
use crate::rr::{Name, RdataError, RrSet, Rtype, rdata};
use crate::zone::{Diff, Digest, RrsetChange};

pub struct NewRevision<'a> {
    pub zone: &'a Name,
    pub path: &'a str,
    pub actor: &'a str,
    pub old_serial: Option<u32>,
    pub new_serial: u32,
    /// Of the image as it is served now.
    pub digest: Digest,
    /// Microseconds since 1970, UTC.
    pub at_unix_us: i64,
    pub diff: &'a Diff,
}

/// A revision read back.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RevisionRow {
    pub zone: String,
    pub number: i64,
    pub at_unix_us: i64,
    pub path: String,
    pub actor: String,
    pub old_serial: Option<u32>,
    pub new_serial: u32,
    pub digest: String,
    /// RRsets that changed: `[{owner, type, before: {ttl, rdata: […]} | null, after}]`.
    pub diff: serde_json::Value,
}

/// A change of one RRset, as it is stored.
#[derive(Serialize, Deserialize)]
pub(super) struct ChangeText {
    owner: String,
    #[serde(rename = "type")]
    rtype: Rtype,
    before: Option<RrsetText>,
    after: Option<RrsetText>,
}

#[derive(Serialize, Deserialize)]
struct RrsetText {
    ttl: u32,
    rdata: Vec<String>,
}

impl RrsetText {
    fn of(rrset: &RrSet) -> RrsetText {
        RrsetText {
            ttl: rrset.ttl(),
            rdata: rrset
                .rdatas()
                .map(|octets| rdata::to_text(rrset.rtype(), octets))
                .collect(),
        }
    }

    fn rrset(&self, rtype: Rtype) -> Result<Option<RrSet>, RdataError> {
        let rdatas = self.rdata.iter().map(|text| rdata::from_text(rtype, text));
        Ok(RrSet::new(
            rtype,
            self.ttl,
            rdatas.collect::<Result<Vec<_>, _>>()?,
        ))
    }
}

impl RevisionRow {
    /// What each RRset that changed was afterwards.
    pub fn changes(&self) -> Result<Vec<(Name, Rtype, Option<RrSet>)>, StoreError> {
        let damaged = |reason: &dyn std::fmt::Display| {
            let (zone, number) = (&self.zone, self.number);
            StoreError::Damaged(format!("revision {number} of {zone}: {reason}"))
        };
        let changes: Vec<ChangeText> =
            serde_json::from_value(self.diff.clone()).map_err(|error| damaged(&error))?;
        changes
            .into_iter()
            .map(|change| {
                let owner = change.owner.parse().map_err(|error| damaged(&error))?;
                let after = match &change.after {
                    None => None,
                    Some(text) => text.rrset(change.rtype).map_err(|error| damaged(&error))?,
                };
                Ok((owner, change.rtype, after))
            })
            .collect()
    }
}

impl TryFrom<ChangeText> for RrsetChange {
    type Error = String;

    fn try_from(text: ChangeText) -> Result<RrsetChange, String> {
        let rtype = text.rtype;
        let read = |rrset: Option<RrsetText>| match rrset {
            None => Ok(None),
            Some(text) => text
                .rrset(rtype)
                .map(|rrset| rrset.map(Arc::new))
                .map_err(|error| error.to_string()),
        };
        Ok(RrsetChange {
            owner: text
                .owner
                .parse()
                .map_err(|error: crate::rr::NameError| error.to_string())?,
            rtype,
            before: read(text.before)?,
            after: read(text.after)?,
        })
    }
}

impl ChangeText {
    fn of(change: &RrsetChange) -> ChangeText {
        ChangeText {
            owner: change.owner.to_string(),
            rtype: change.rtype,
            before: change.before.as_deref().map(RrsetText::of),
            after: change.after.as_deref().map(RrsetText::of),
        }
    }
}

/// Every column, in the order in which they are hashed.
pub(super) const COLUMNS: &str =
    "zone, number, at_us, path, actor, old_serial, new_serial, digest, diff";
const COLUMN_COUNT: usize = 9;

/// The hash of a revision's row, which begins with its [`COLUMNS`], as its audit row carries it.
pub(super) fn hash_of(row: &Row) -> rusqlite::Result<String> {
    let values = (0..COLUMN_COUNT).map(|column| row.get_ref(column));
    Ok(hash_values(values.collect::<Result<Vec<_>, _>>()?))
}

fn hash_values<'a>(values: impl IntoIterator<Item = ValueRef<'a>>) -> String {
    let mut hash = Sha256::new();
    for value in values {
        hash_value(&mut hash, value);
    }
    hex(&hash.finalize())
}

/// Numbers from here on are not ours: others wrote them.
pub(super) const NUMBER_END: i64 = 1 << 62;

/// Writes the zone's next revision; returns its number and the hash of its row.
pub(super) fn add(connection: &Connection, new: &NewRevision) -> Result<(u64, String), StoreError> {
    let zone = new.zone.to_string();
    let last: Option<i64> = connection
        .prepare_cached(
            // A number set back by hand must not run into those that were given, and one set so
            // high that none can follow does not count.
            "SELECT max(iif(revision < :end, revision, 0),
                 (SELECT coalesce(max(number), 0) FROM revision
                  WHERE zone = :zone AND number < :end))
             FROM zone WHERE origin = :zone",
        )?
        .query_row(named_params! { ":zone": zone, ":end": NUMBER_END }, |row| {
            row.get(0)
        })
        .optional()?;
    let number = last.ok_or_else(|| StoreError::NoZone(new.zone.clone()))? + 1;
    let digest = new.digest.to_string();
    connection
        .prepare_cached("UPDATE zone SET revision = ?, serial = ?, digest = ? WHERE origin = ?")?
        .execute((number, new.new_serial, &digest, &zone))?;
    let changes: Vec<ChangeText> = new.diff.changes.iter().map(ChangeText::of).collect();
    let diff = serde_json::to_string(&changes).expect("texts and numbers are JSON");
    // In the order of the columns.
    let values: [Value; COLUMN_COUNT] = [
        zone.clone().into(),
        number.into(),
        new.at_unix_us.into(),
        new.path.to_owned().into(),
        new.actor.to_owned().into(),
        new.old_serial.map(i64::from).into(),
        i64::from(new.new_serial).into(),
        digest.into(),
        diff.into(),
    ];
    let hash = hash_values(values.iter().map(ValueRef::from));
    let places = ["?"; COLUMN_COUNT].join(", ");
    connection
        .prepare_cached(&format!(
            "INSERT INTO revision ({COLUMNS}) VALUES ({places})"
        ))?
        .execute(params_from_iter(&values))?;
    let number = u64::try_from(number)
        .map_err(|_| StoreError::Damaged(format!("the zone {zone} is at revision {number}")))?;
    Ok((number, hash))
}

pub(super) fn read(
    connection: &Connection,
    zone: &Name,
    number: i64,
) -> Result<Option<RevisionRow>, StoreError> {
    Ok(connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM revision WHERE zone = ? AND number = ?"
        ))?
        .query_row((zone.to_string(), number), |row| {
            Ok(RevisionRow {
                zone: row.get(0)?,
                number: row.get(1)?,
                at_unix_us: row.get(2)?,
                path: row.get(3)?,
                actor: row.get(4)?,
                old_serial: row.get(5)?,
                new_serial: row.get(6)?,
                digest: row.get(7)?,
                diff: super::audit::json(row, 8)?,
            })
        })
        .optional()?)
}
