//! Is everything in the store as it was written? The database itself, the chain of the audit, the
//! rows against each zone's digest, and the revisions: each must be the one that its audit row tells
//! of, and lead from the digest of the one before to its own.

use rusqlite::Connection;
use serde::{Deserialize, Serialize};

use super::chain::{self, Chain, Witness};
use super::changes::{self, Step};
use super::{History, Settings, StoreError, ZoneRow, revision, rows, scrub, zones};
use crate::guard;
use crate::zone::{Diff, Digest, ZoneImage};

/// More faults of one kind than this are not listed.
const LISTED_MAX: usize = 20;

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verification {
    /// Nothing is wrong.
    pub whole: bool,
    /// The hash of the last audit row; empty where the chain is broken. Noted elsewhere, it proves
    /// later that nothing up to here was rewritten.
    pub head: String,
    pub audit_rows: u64,
    /// Rows that went before them by retention.
    pub audit_pruned: u64,
    /// The earlier head that was asked for.
    pub witness: Option<Witness>,
    pub zones: usize,
    pub records: usize,
    pub revisions: u64,
    pub faults: Vec<String>,
    /// What is no fault, and worth knowing.
    pub notes: Vec<String>,
}

/// Verifies the store on a connection of its own, which has seen no page of it before.
pub fn verify(settings: &Settings, head: Option<&str>) -> Result<Verification, StoreError> {
    match History::open(settings).and_then(|history| history.verify(head)) {
        Err(error @ (StoreError::Damaged(_) | StoreError::Truncated(_))) => Ok(Verification {
            faults: vec![error.to_string()],
            ..Verification::default()
        }),
        result => result,
    }
}

pub(super) fn all(connection: &Connection, head: Option<&str>) -> Result<Verification, StoreError> {
    let mut found = Verification::default();
    found.look("the database", |found| integrity(connection, found))?;
    found.look("the audit", |found| audit(connection, head, found))?;
    let mut zones = Vec::new();
    found.look("the zones", |found| {
        let listed = zones::zones(connection)?;
        zones = listed.rows;
        let bad = listed.bad.iter();
        found.faults.extend(bad.map(|bad| bad.to_string()));
        Ok(())
    })?;
    found.zones = zones.len();
    for zone in &zones {
        found.look(&format!("the zone {}", zone.origin), |found| {
            records(connection, zone, found)?;
            revisions(connection, zone, found)
        })?;
    }
    found.look("the revisions", |found| audited(connection, found))?;
    found.whole = found.faults.is_empty();
    Ok(found)
}

impl Verification {
    /// What cannot be read is a fault; the rest is looked at all the same.
    fn look(
        &mut self,
        what: &str,
        part: impl FnOnce(&mut Verification) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        match part(self) {
            Err(StoreError::Damaged(reason)) => {
                self.faults.push(format!("{what}: {reason}"));
                Ok(())
            }
            result => result,
        }
    }
}

fn integrity(connection: &Connection, found: &mut Verification) -> Result<(), StoreError> {
    let faults = scrub::structure(connection)?;
    let sentences = faults.iter().map(|fault| format!("the database: {fault}"));
    found.faults.extend(sentences);
    Ok(())
}

fn audit(
    connection: &Connection,
    head: Option<&str>,
    found: &mut Verification,
) -> Result<(), StoreError> {
    let sought = head.map(hash_of);
    if sought == Some(None) {
        found
            .faults
            .push("a head is written as 64 hexadecimal digits".to_owned());
    }
    let sought = sought.flatten();
    let walk = chain::walk(connection, sought.as_ref())?;
    found.audit_pruned = walk.pruned;
    match walk.chain {
        Chain::Whole { rows, head } => (found.audit_rows, found.head) = (rows, head),
        Chain::Broken { id, reason } => found.faults.push(format!("audit row {id}: {reason}")),
    }
    if sought.is_some() && walk.witness.is_none() {
        let pruned = match walk.pruned {
            0 => "the audit was rewritten, or this is another store".to_owned(),
            rows => {
                format!("it is one of the {rows} rows that were pruned, or the audit was rewritten")
            }
        };
        found.faults.push(format!(
            "no audit row has the hash {}: {pruned}",
            head.unwrap_or_default()
        ));
    }
    found.witness = walk.witness;
    Ok(())
}

pub(super) fn hash_of(text: &str) -> Option<[u8; 32]> {
    let text = text.trim();
    if text.len() != 64 || !text.bytes().all(|octet| octet.is_ascii_hexdigit()) {
        return None;
    }
    let mut hash = [0; 32];
    for (octet, at) in hash.iter_mut().zip((0..64).step_by(2)) {
        *octet = u8::from_str_radix(&text[at..at + 2], 16).ok()?;
    }
    Some(hash)
}

/// The rows against the digest that the server noted for them.
fn records(
    connection: &Connection,
    zone: &ZoneRow,
    found: &mut Verification,
) -> Result<(), StoreError> {
    let origin = &zone.origin;
    let loaded = rows::load(connection, origin)?;
    found.records += loaded.records.len();
    let image = ZoneImage::from_records(origin.clone(), loaded.records)
        .map_err(|error| StoreError::Damaged(error.to_string()))?;
    if loaded.bad.is_empty() && image.digest() == zone.digest {
        return Ok(());
    }
    let bad = loaded
        .bad
        .first()
        .map_or(String::new(), |bad| format!("; {bad}"));
    match loaded.touched.is_empty() {
        true => found.faults.push(format!(
            "the rows of {origin} are not those of revision {}, and nobody edited them: this is \
             damage{bad}",
            zone.revision
        )),
        // Edits by hand are noted, and the server has not taken these in.
        false => found.notes.push(format!(
            "the rows of {origin} were edited by hand since revision {}, at {}{bad}",
            zone.revision,
            loaded.touched.join(", ")
        )),
    }
    Ok(())
}

/// The revisions, from the first one kept to that of the zone.
fn revisions(
    connection: &Connection,
    zone: &ZoneRow,
    found: &mut Verification,
) -> Result<(), StoreError> {
    let origin = &zone.origin;
    let mut faults = Vec::new();
    let mut last: Option<(i64, u32, Digest)> = None;
    changes::each(connection, &origin.to_string(), (1, i64::MAX), |step| {
        found.revisions += 1;
        let number = step.number;
        let digest: Option<Digest> = step.digest.parse().ok();
        match (step.diff(), digest) {
            (Err(reason), _) => faults.push(format!("revision {number} of {origin}: {reason}")),
            (_, None) => faults.push(format!("revision {number} of {origin} has no digest")),
            (Ok(diff), Some(digest)) => {
                let flaw = match last {
                    None if number == 1 => leads(Digest::default(), &diff, digest),
                    None => None,
                    Some((before, ..)) if before.checked_add(1) != Some(number) => Some(format!(
                        "the revisions from {} to {} are missing",
                        before.saturating_add(1),
                        number.saturating_sub(1)
                    )),
                    Some((.., before)) => leads(before, &diff, digest),
                };
                let what = flaw.map(|flaw| format!("before revision {number} of {origin}, {flaw}"));
                match what {
                    None => {}
                    Some(what) if step.path == guard::Path::Update.as_str() => faults.push(what),
                    // It put the zone on its feet again, after its rows or the store were lost.
                    Some(what) => found
                        .notes
                        .push(format!("{what}; it came by {}", step.path)),
                }
            }
        }
        last = Some((number, step.new_serial, digest.unwrap_or_default()));
        Ok(())
    })?;
    let stands = i64::try_from(zone.revision).unwrap_or(i64::MAX);
    match last {
        None if stands == 0 => {}
        Some((number, serial, digest))
            if number == stands && Some(serial) == zone.serial && digest == zone.digest => {}
        _ => faults.push(format!(
            "{origin} is at revision {stands}, serial {}, which its last revision is not",
            zone.serial
                .map_or("none".to_owned(), |serial| serial.to_string())
        )),
    }
    let more = faults.len().saturating_sub(LISTED_MAX);
    faults.truncate(LISTED_MAX);
    found.faults.extend(faults);
    if more > 0 {
        found.faults.push(format!("{more} more of {origin}"));
    }
    Ok(())
}

/// Whether a diff leads from one digest to the other.
fn leads(before: Digest, diff: &Diff, after: Digest) -> Option<String> {
    (Step::leads_to(before, diff) != after).then(|| "the zone was not as its diff says".to_owned())
}

/// The revisions against the hashes that the audit, which cannot be rewritten unseen, has of them.
fn audited(connection: &Connection, found: &mut Verification) -> Result<(), StoreError> {
    let columns: Vec<String> = revision::COLUMNS
        .split(", ")
        .map(|column| format!("revision.{column}"))
        .collect();
    let mut statement = connection.prepare(&format!(
        "SELECT {}, audit.reference,
                CASE WHEN json_valid(audit.detail)
                     THEN json_extract(audit.detail, '$.revision_hash') END AS noted
         FROM audit
         JOIN revision ON revision.zone = audit.zone AND revision.number = audit.revision
         WHERE noted IS NOT NULL ORDER BY audit.id",
        columns.join(", ")
    ))?;
    let mut rows = statement.query([])?;
    let mut wrong = 0;
    while let Some(row) = rows.next()? {
        let reference: String = row.get(columns.len())?;
        let noted: String = row.get(columns.len() + 1)?;
        if revision::hash_of(row)? == noted {
            continue;
        }
        wrong += 1;
        if wrong <= LISTED_MAX {
            found.faults.push(format!(
                "revision {} of {} is not the one that audit row {reference} tells of",
                row.get::<_, i64>(1)?,
                row.get::<_, String>(0)?,
            ));
        }
    }
    Ok(())
}
