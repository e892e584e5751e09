//! Reading everything that is served from, again and again, as it lies on disk: what was overwritten
//! in place tells nobody.
//!
//! Each time on a connection of its own, which has no page from before in its cache, and which cannot
//! write. Whoever scrubs says how fast: see [`Pause`]. Damage below the system's own cache is found
//! when the page is next read from the disk.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use rusqlite::Connection;

use super::{Content, Settings, StoreError, open, rows, schema, zones};
use crate::rr::{Name, RrSet, Rtype};
use crate::zone::ZoneImage;

/// Called every few thousand steps of SQLite's machine; true ends the reading.
pub type Pause = Arc<dyn Fn() -> bool + Send + Sync>;

/// Steps of SQLite's machine between two calls: well below a millisecond.
const STEPS: std::ffi::c_int = 2_000;
/// More faults than this are not listed.
const FAULTS_MAX: usize = 20;

/// Owners beyond this are not listed one by one.
const OWNERS_MAX: usize = 10_000;

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scrubbed {
    /// Of the database itself: pages, trees, indexes.
    pub faults: Vec<String>,
    /// Zones whose rows are not those that were committed, though nobody edited them.
    pub suspects: Vec<Name>,
    /// What the rows of those and of edited zones add up to instead.
    pub contents: HashMap<Name, Content>,
    pub zones: usize,
    pub records: u64,
}

/// Reads the store as it lies on disk. An error is one of reading: [`StoreError::Interrupted`] when
/// it was ended.
pub fn scrub(settings: &Settings, pause: Pause) -> Result<Scrubbed, StoreError> {
    let mut found = Scrubbed::default();
    match read(settings, pause, &mut found) {
        Err(StoreError::Damaged(fault)) => found.faults.push(fault),
        Err(error @ StoreError::Truncated(_)) => found.faults.push(error.to_string()),
        result => result?,
    }
    Ok(found)
}

fn read(settings: &Settings, pause: Pause, found: &mut Scrubbed) -> Result<(), StoreError> {
    let connection = open::read_only(settings)?;
    pace(&connection, pause)?;
    found.faults = structure(&connection)?;
    // A row that cannot be read is told of by whoever writes.
    let zones = zones::zones(&connection)?.rows;
    found.zones = zones.len();
    for zone in zones {
        // Rows and digest must be of one moment; of one zone, so that the log does not grow for
        // long behind it.
        let read = connection.unchecked_transaction()?;
        let origin = &zone.origin;
        let Some(Ok(zone)) = zones::zone(&read, origin)? else {
            continue;
        };
        let (content, records) = rows::content(&read, origin)?;
        found.records += records;
        if content.digest != zone.digest || content.bad > 0 {
            found.contents.insert(origin.clone(), content);
            // An edit by hand that is being judged is no damage.
            if rows::touched(&read, origin)?.is_empty() {
                found.suspects.push(zone.origin);
            }
        }
        read.finish()?;
    }
    Ok(())
}

/// The owners, as they are written, of which the rows are not what an image has: of one at the
/// revision that the zone is at. `None` where that is another, or where they cannot be listed: too
/// many, or one that is not text.
pub fn differing(
    settings: &Settings,
    pause: Pause,
    image: &ZoneImage,
    revision: u64,
) -> Result<Option<BTreeSet<String>>, StoreError> {
    let connection = open::read_only(settings)?;
    pace(&connection, pause)?;
    let read = connection.unchecked_transaction()?;
    let zone = zones::zone(&read, image.origin())?;
    if !zone.is_some_and(|zone| zone.is_ok_and(|zone| zone.revision == revision)) {
        return Ok(None);
    }
    let mut comparison = Comparison::new(image);
    rows::each_rrset(&read, image.origin(), |owner, rrset| {
        match owner {
            Some(owner) => comparison.take(owner, rrset),
            None => comparison.is_futile = true,
        }
        !comparison.is_futile && comparison.owners.len() <= OWNERS_MAX
    })?;
    Ok(comparison.end())
}

/// Rows, RRset by RRset, beside an image.
struct Comparison<'a> {
    image: &'a ZoneImage,
    owners: BTreeSet<String>,
    /// One of them cannot be listed.
    is_futile: bool,
    /// Those that are as they should be, by a hash: there may be millions.
    same: HashSet<u64>,
    hashes: RandomState,
}

impl<'a> Comparison<'a> {
    fn new(image: &'a ZoneImage) -> Comparison<'a> {
        Comparison {
            image,
            owners: BTreeSet::new(),
            is_futile: false,
            same: HashSet::with_capacity(image.rrset_count()),
            hashes: RandomState::new(),
        }
    }

    fn take(&mut self, written: &str, rrset: Option<(&Name, RrSet)>) {
        let is_same = rrset.is_some_and(|(owner, rrset)| {
            let served = self.image.rrset(owner, rrset.rtype());
            let is_same = served.is_some_and(|served| **served == rrset);
            is_same && self.same.insert(self.hash(owner, rrset.rtype()))
        });
        if !is_same {
            self.owners.insert(written.to_owned());
        }
    }

    fn hash(&self, owner: &Name, rtype: Rtype) -> u64 {
        self.hashes.hash_one((owner.key(), rtype))
    }

    fn end(mut self) -> Option<BTreeSet<String>> {
        if !self.is_futile && self.same.len() < self.image.rrset_count() {
            for node in self.image.iter() {
                let is_same = |rrset: &std::sync::Arc<RrSet>| {
                    self.same.contains(&self.hash(node.name(), rrset.rtype()))
                };
                if !node.rrsets().iter().all(is_same) {
                    self.owners.insert(node.name().to_string());
                }
                if self.owners.len() > OWNERS_MAX {
                    break;
                }
            }
        }
        let is_listed = !self.is_futile && self.owners.len() <= OWNERS_MAX;
        is_listed.then_some(self.owners)
    }
}

/// What is wrong with the pages, trees and indexes of the store, read anew.
pub fn faults(settings: &Settings) -> Result<Vec<String>, StoreError> {
    let found = open::read_only(settings).and_then(|connection| {
        let found = structure(&connection);
        connection.check()?;
        found
    });
    match found {
        Err(StoreError::Damaged(fault)) => Ok(vec![fault]),
        result => result,
    }
}

/// What is wrong with a database as SQLite sees it.
pub(super) fn structure(connection: &Connection) -> Result<Vec<String>, StoreError> {
    match integrity(connection, &FAULTS_MAX.to_string()) {
        // A table of somebody else asks for a function that this program has not, as `sqlite3` has
        // REGEXP: that is no damage. Ours never do.
        Err(rusqlite::Error::SqlInputError { .. }) => {
            let mut faults = Vec::new();
            for table in schema::tables() {
                faults.extend(integrity(connection, table)?);
            }
            Ok(faults)
        }
        found => Ok(found?),
    }
}

/// `of` is a table, or how many faults there may be in the whole before it is enough.
fn integrity(connection: &Connection, of: &str) -> rusqlite::Result<Vec<String>> {
    let mut statement = connection.prepare(&format!("PRAGMA integrity_check({of})"))?;
    let mut rows = statement.query([])?;
    let mut faults = Vec::new();
    while let Some(row) = rows.next()? {
        let line: String = row.get(0)?;
        if line != "ok" {
            faults.push(line);
        }
    }
    Ok(faults)
}

pub(super) fn pace(connection: &Connection, pause: Pause) -> Result<(), StoreError> {
    Ok(connection.progress_handler(STEPS, Some(move || pause()))?)
}
