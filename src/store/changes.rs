//! Revisions read back as changes: what lies between two of them, and whether each leads from the
//! digest of the one before to its own.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension};
use serde::{Deserialize, Serialize};

use super::StoreError;
use super::revision::ChangeText;
use crate::rr::{Name, RrSet, Rtype};
use crate::zone::{Diff, Digest, RrsetChange};

/// What lies between two revisions of a zone, in presentation form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changes {
    pub zone: String,
    pub from: u64,
    pub to: u64,
    pub from_serial: Option<u32>,
    pub to_serial: Option<u32>,
    /// In canonical order of owners, then by type.
    pub changes: Vec<Change>,
    /// What could not be told.
    pub notes: Vec<String>,
}

/// One RRset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    pub owner: String,
    #[serde(rename = "type")]
    pub rtype: String,
    pub removed: Vec<String>,
    pub added: Vec<String>,
}

/// One revision, as far as it is needed here.
pub(super) struct Step {
    pub number: i64,
    pub path: String,
    pub new_serial: u32,
    pub digest: String,
    diff: String,
}

impl Step {
    pub fn diff(&self) -> Result<Diff, String> {
        let texts: Vec<ChangeText> =
            serde_json::from_str(&self.diff).map_err(|error| error.to_string())?;
        let changes = texts.into_iter().map(RrsetChange::try_from);
        Ok(Diff {
            changes: changes.collect::<Result<_, _>>()?,
        })
    }

    /// Where a diff leads that was applied to data of this digest.
    pub fn leads_to(mut from: Digest, diff: &Diff) -> Digest {
        for change in &diff.changes {
            if let Some(before) = &change.before {
                from.subtract(&change.owner, before);
            }
            if let Some(after) = &change.after {
                from.add(&change.owner, after);
            }
        }
        from
    }
}

/// Hands over the revisions `from..=to` of a zone, one after another.
pub(super) fn each(
    connection: &Connection,
    zone: &str,
    (from, to): (i64, i64),
    mut take: impl FnMut(Step) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT number, path, new_serial, digest, diff FROM revision
         WHERE zone = ? AND number BETWEEN ? AND ? ORDER BY number",
    )?;
    let mut rows = statement.query((zone, from, to))?;
    while let Some(row) = rows.next()? {
        take(Step {
            number: row.get(0)?,
            path: row.get(1)?,
            new_serial: row.get(2)?,
            digest: row.get(3)?,
            diff: row.get(4)?,
        })?;
    }
    Ok(())
}

/// RRsets as they were and as they are, by owner in canonical order and type.
type Net = BTreeMap<(Name, Rtype), (Option<Arc<RrSet>>, Option<Arc<RrSet>>)>;

pub(super) fn between(
    connection: &Connection,
    zone: &Name,
    from: u64,
    to: u64,
) -> Result<Changes, StoreError> {
    let origin = zone.to_string();
    let (low, high) = (from.min(to), from.max(to));
    check_range(connection, zone, low, high)?;
    // Revision 0 is the empty zone, before anything was committed.
    let known = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let mut start = match low {
        0 => Some((None, Digest::default())),
        _ => end_of(connection, &origin, known(low))?,
    };
    let from_serial = start.as_ref().and_then(|(serial, _)| *serial);
    let mut net = Net::new();
    let mut notes = Vec::new();
    let mut to_serial = from_serial;
    each(
        connection,
        &origin,
        (known(low).saturating_add(1), known(high)),
        |step| {
            let diff = step.diff().map_err(|reason| {
                StoreError::Damaged(format!("revision {} of {zone}: {reason}", step.number))
            })?;
            let digest: Option<Digest> = step.digest.parse().ok();
            if let Some((_, before)) = start
                && Some(Step::leads_to(before, &diff)) != digest
            {
                notes.push(format!(
                    "revision {} took in data that had changed without a record: what lies before \
                 it is not told whole",
                    step.number
                ));
            }
            start = digest.map(|digest| (Some(step.new_serial), digest));
            to_serial = Some(step.new_serial);
            diff.changes
                .into_iter()
                .for_each(|change| join(&mut net, change));
            Ok(())
        },
    )?;
    let is_back = from > to;
    let (from_serial, to_serial) = match is_back {
        false => (from_serial, to_serial),
        true => (to_serial, from_serial),
    };
    Ok(Changes {
        zone: origin,
        from,
        to,
        from_serial,
        to_serial,
        changes: net
            .into_iter()
            .filter_map(|((owner, rtype), (before, after))| match is_back {
                false => told(owner, rtype, before, after),
                true => told(owner, rtype, after, before),
            })
            .collect(),
        notes,
    })
}

/// Puts a later change behind those before it.
fn join(net: &mut Net, change: RrsetChange) {
    match net.entry((change.owner, change.rtype)) {
        Entry::Vacant(place) => {
            place.insert((change.before, change.after));
        }
        Entry::Occupied(mut place) => place.get_mut().1 = change.after,
    }
}

fn told(
    owner: Name,
    rtype: Rtype,
    before: Option<Arc<RrSet>>,
    after: Option<Arc<RrSet>>,
) -> Option<Change> {
    let change = RrsetChange {
        owner,
        rtype,
        before,
        after,
    };
    let texts = |records: Vec<crate::rr::Record>| records.iter().map(ToString::to_string).collect();
    let (removed, added): (Vec<String>, Vec<String>) =
        (texts(change.removed()), texts(change.added()));
    (!removed.is_empty() || !added.is_empty()).then(|| Change {
        owner: change.owner.to_string(),
        rtype: rtype.to_string(),
        removed,
        added,
    })
}

/// Serial and digest at the end of a revision; `None` where it was pruned.
fn end_of(
    connection: &Connection,
    zone: &str,
    number: i64,
) -> Result<Option<(Option<u32>, Digest)>, StoreError> {
    let mut end = None;
    each(connection, zone, (number, number), |step| {
        end = step
            .digest
            .parse()
            .ok()
            .map(|digest| (Some(step.new_serial), digest));
        Ok(())
    })?;
    Ok(end)
}

/// Whether the zone has had these revisions, and all that is needed is kept.
fn check_range(
    connection: &Connection,
    zone: &Name,
    low: u64,
    high: u64,
) -> Result<(), StoreError> {
    let kept: (Option<i64>, Option<i64>) = connection
        .prepare_cached("SELECT min(number), max(number) FROM revision WHERE zone = ?")?
        .query_row([zone.to_string()], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let stands: Option<i64> = connection
        .prepare_cached("SELECT revision FROM zone WHERE origin = ?")?
        .query_row([zone.to_string()], |row| row.get(0))
        .optional()?;
    let (oldest, newest) = match (kept, stands) {
        ((None, _), None) => return Err(StoreError::NoZone(zone.clone())),
        ((oldest, newest), stands) => {
            let newest = newest.or(stands).unwrap_or_default();
            (oldest.unwrap_or(newest.saturating_add(1)), newest)
        }
    };
    let newest = u64::try_from(newest).unwrap_or_default();
    if high > newest {
        return Err(StoreError::NoRevision {
            zone: zone.clone(),
            wanted: high,
            newest,
        });
    }
    // The diff of a revision leads from the one before it, which itself need not be there.
    let earliest = u64::try_from(oldest).unwrap_or_default().saturating_sub(1);
    if low < earliest && low != high {
        return Err(StoreError::Pruned {
            zone: zone.clone(),
            wanted: low,
            earliest,
        });
    }
    Ok(())
}
