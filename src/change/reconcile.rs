//! Rows against images: what differs is an edit by hand, or damage.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::Path as FilePath;
use std::sync::Arc;
use std::time::Instant;

use super::account::Moment;
use super::admission::admit;
use super::custody::Extent;
use super::edits::{self, Contested, Unfit, by_hand};
use super::judge::{self, Bench, Decision};
use super::known::Known;
use super::reach::Reach;
use super::repeats::Repeats;
use super::startup::Keepsake;
use super::turn::{Note, Turn};
use super::unclaimed::{self, Unclaimed};
use super::weigh::{self, Asker, Proposal};
use super::{Policy, repair};
use crate::publish;
use crate::rr::{Name, Rtype};
use crate::store::{BadRow, BadZone, Loaded, StoreError, Transaction, ZoneRow, Zones};
use crate::zone::{Diff, Node, Served, ZoneImage};

/// Why a zone that was never imported is not served.
pub(super) const NO_DATA: &str = "it has no data yet";

/// What comparing needs to know beside the transaction and the turn.
pub(super) struct Desk<'a> {
    pub policy: &'a Policy,
    pub path: &'a FilePath,
    pub ceilings: &'a HashMap<Name, u32>,
    /// What the snapshot had at start; empty later on, when the image in memory is the last good.
    pub keepsake: &'a Keepsake,
    /// What was judged of the rows of zones that hold.
    pub contested: &'a mut HashMap<Name, Contested>,
    pub repeats: &'a mut Repeats,
    pub known: &'a Known,
    pub reach: &'a RefCell<Reach>,
    /// What is told of rows of the table `zone` that no zone has.
    pub unclaimed: &'a mut Unclaimed,
}

/// Which rows of a zone are compared with what is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reading {
    /// Of the owners that others have changed, as the triggers tell: what it costs depends on what
    /// they did, not on the zone.
    Touched,
    /// And of these, as the scrub found them written, which nobody noted.
    Beside(BTreeSet<String>),
    /// All of them: it may be that nobody told.
    Whole,
}

impl Desk<'_> {
    pub(super) fn bench<'b>(&'b self, turn: &'b Turn, moment: Moment) -> Bench<'b> {
        self.reach.borrow_mut().follow(self.policy, turn);
        Bench {
            reach: self.reach,
            policy: self.policy,
            published: &turn.view,
            freezes: &turn.freezes,
            ceilings: self.ceilings,
            now_unix: moment.unix_secs(),
        }
    }
}

/// A zone's rows beside the image that is served.
pub(super) struct Case {
    pub served: ZoneImage,
    pub revision: u64,
    pub loaded: Loaded,
    /// The owners that differ though no trigger noted them, as they are written; `None` where that is
    /// not known.
    pub beside: Option<BTreeSet<String>>,
    /// Of the rows, as far as they could be read.
    pub image: ZoneImage,
    /// From the image served to that of the rows.
    pub diff: Diff,
}

/// Compares zones served with their rows: those that others have changed, as far as the triggers
/// tell, those that are not served as their row says, and the suspects.
pub(super) fn all(
    desk: &mut Desk<'_>,
    tx: &Transaction<'_>,
    turn: &mut Turn,
    extent: Extent,
    suspects: &BTreeMap<Name, Reading>,
) -> Result<(), StoreError> {
    let Zones { rows, bad } = tx.zones()?;
    let rows: HashMap<Name, ZoneRow> = rows
        .into_iter()
        .map(|row| (row.origin.clone(), row))
        .collect();
    if extent != Extent::Nothing {
        hold_bad(desk, tx, turn, &bad)?;
    }
    let is_bad = |zone: &Name| bad.iter().any(|bad| bad.origin.as_ref() == Some(zone));
    let touched: HashSet<Name> = tx.touched_zones()?.into_iter().collect();
    let differs = |served: &Served| {
        let (origin, zone) = (served.origin(), served.zone());
        let row = rows.get(origin);
        let is_as_served = zone.zip(row).is_some_and(|(zone, row)| {
            let same = row.revision == zone.revision && row.digest == zone.image.digest();
            same && zone.hold.is_none()
        });
        !is_as_served || touched.contains(origin) || suspects.contains_key(origin)
    };
    let mut waiting: Vec<Name> = turn
        .view
        .zones()
        .filter(|served| extent == Extent::Everything || differs(served))
        .filter(|served| !is_bad(served.origin()))
        .map(|served| served.origin().clone())
        .collect();
    let reading = |origin: &Name| match extent {
        Extent::Everything => Reading::Whole,
        _ => suspects.get(origin).cloned().unwrap_or(Reading::Touched),
    };
    // What one zone is refused for, because an alias leads into another, may be mended by what the
    // same edit did to that other one: while any is taken in, the refused ones are judged again.
    loop {
        let mut unfit = Vec::new();
        let count = waiting.len();
        for origin in waiting {
            let (row, reading) = (rows.get(&origin), reading(&origin));
            unfit.extend(compare(desk, tx, turn, &origin, row, reading)?);
        }
        if unfit.len() == count || unfit.iter().all(|(_, unfit)| unfit.refusal.is_none()) {
            for (case, unfit) in edits::jointly(desk, tx, turn, unfit)? {
                edits::hold(desk, tx, turn, &case, &unfit)?;
            }
            break;
        }
        waiting = unfit
            .iter()
            .map(|(case, _)| case.served.origin().clone())
            .collect();
    }
    match extent {
        Extent::Nothing if !desk.unclaimed.is_due(Instant::now()) => Ok(()),
        _ => judge_unclaimed(desk, tx, turn, &rows),
    }
}

/// Holds the zones whose rows in the table `zone` cannot be read, and no others.
fn hold_bad(
    desk: &mut Desk<'_>,
    tx: &Transaction<'_>,
    turn: &mut Turn,
    bad: &[BadZone],
) -> Result<(), StoreError> {
    let mut nameless = Vec::new();
    for bad in bad {
        let served = bad.origin.as_ref().and_then(|zone| turn.view.zone(zone));
        let Some(served) = served.and_then(|served| served.zone()) else {
            nameless.push(bad);
            continue;
        };
        let row = ZoneRow {
            origin: served.image.origin().clone(),
            revision: served.revision,
            serial: served.image.soa().map(|soa| soa.serial.0),
            digest: served.image.digest(),
        };
        let mend = repair::zone_row(desk.path, &row);
        turn.hold(&row.origin, &bad.to_string(), mend);
    }
    unclaimed::note_bad(desk, tx, &nameless)
}

/// Rows of zones that are not served, and that nobody committed or that stopped being ours.
fn judge_unclaimed(
    desk: &mut Desk<'_>,
    tx: &Transaction<'_>,
    turn: &mut Turn,
    rows: &HashMap<Name, ZoneRow>,
) -> Result<(), StoreError> {
    let mut arrived = Vec::new();
    for row in rows.values() {
        let is_new = match turn.view.zone(&row.origin) {
            None => true,
            Some(served) if served.zone().is_none() => !unclaimed::is_known(desk, tx, &row.origin)?,
            Some(_) => false,
        };
        if is_new {
            arrived.push(row);
        }
    }
    arrived.sort_by(|a, b| a.origin.cmp(&b.origin));
    let begun = Instant::now();
    if desk.unclaimed.may_wait(&arrived, begun) {
        return Ok(());
    }
    let judged = unclaimed::judge_all(desk, tx, turn, arrived);
    desk.unclaimed.judged(begun, Instant::now());
    judged
}

/// One zone; returned where its rows are not fit to be served.
fn compare(
    desk: &mut Desk<'_>,
    tx: &Transaction<'_>,
    turn: &mut Turn,
    origin: &Name,
    row: Option<&ZoneRow>,
    reading: Reading,
) -> Result<Option<(Case, Unfit)>, StoreError> {
    let served = turn.view.zone(origin).and_then(|served| served.zone());
    let image = served.map(|zone| ((*zone.image).clone(), zone.revision, zone.hold.is_some()));
    match (image, row) {
        (Some(served), Some(row)) => return one(desk, tx, turn, served, row, reading),
        (Some(_), None) => {
            let reason = "the store does not know the zone any more";
            turn.hold(origin, reason, repair::restore_hint(origin));
        }
        // One that nobody committed is judged with those that are not served at all.
        (None, Some(_)) if !unclaimed::is_known(desk, tx, origin)? => {}
        (None, Some(row)) => admit(desk, tx, turn, row)?,
        // Another reason, that the store was gone, may be over.
        (None, None) => turn.hold(origin, NO_DATA, repair::first_import_hint(origin)),
    }
    Ok(None)
}

pub(super) fn one(
    desk: &mut Desk<'_>,
    tx: &Transaction<'_>,
    turn: &mut Turn,
    (served, revision, is_held): (ZoneImage, u64, bool),
    row: &ZoneRow,
    reading: Reading,
) -> Result<Option<(Case, Unfit)>, StoreError> {
    let origin = &row.origin;
    if row.revision < revision {
        hold_on_older(turn, origin, row.revision, revision);
        return Ok(None);
    }
    // The rest of its rows is known to be what is served, as far as the triggers and the last scrub
    // tell; that a hold is for rows not noted anywhere is kept in mind.
    let is_as_served = row.revision == revision && row.digest == served.digest();
    let beside = match (is_as_served, reading) {
        (false, _) | (true, Reading::Whole) => None,
        (true, Reading::Beside(owners)) => Some(owners),
        (true, Reading::Touched) if !is_held => Some(BTreeSet::new()),
        (true, Reading::Touched) => desk
            .contested
            .get(origin)
            .and_then(Contested::beside)
            .cloned(),
    };
    let (loaded, image, flaw) = match &beside {
        Some(beside) => with_touched(tx, &served, beside)?,
        None => {
            let loaded = tx.load(origin)?;
            let (image, flaw) = build(origin, &loaded);
            (loaded, image, flaw)
        }
    };
    if row.revision > revision {
        // What is served is the snapshot's, and older: the rows of the last revision mend that.
        if !is_of_revision(tx, row)? {
            hold_on_made_up(desk, turn, (&served, revision), row);
        } else if flaw.is_none() && image.digest() == row.digest {
            take_later(desk, tx, turn, &served, (image, &loaded), row)?;
        } else {
            let reason = flaw
                .unwrap_or_else(|| format!("the rows are not those of revision {}", row.revision));
            turn.hold(origin, &reason, repair::restore_hint(origin));
        }
        return Ok(None);
    }
    let diff = Diff::between(&served, &image);
    if flaw.is_none() && diff.is_empty() {
        if is_held {
            desk.contested.remove(origin);
            turn.release(origin);
        }
        settle(tx, origin, &loaded)?;
        return Ok(None);
    }
    let case = Case {
        served,
        revision,
        beside: beside.or_else(|| none_beside(&diff, &loaded)),
        loaded,
        image,
        diff,
    };
    let unfit = match flaw {
        Some(reason) => Some(Unfit::plain(reason)),
        None => edits::edit(desk, tx, turn, &case)?,
    };
    Ok(unfit.map(|unfit| (case, unfit)))
}

/// Of rows that were all read: no owner, where the triggers noted every one that differs.
pub(super) fn none_beside(diff: &Diff, loaded: &Loaded) -> Option<BTreeSet<String>> {
    let is_all_noted = loaded.bad.is_empty() && edits::damaged(diff, &loaded.touched).is_none();
    is_all_noted.then(BTreeSet::new)
}

/// What is served, with the rows of touched owners, and of those `beside` them, in the place of what
/// it has of them; and what is wrong with those rows.
pub(super) fn with_touched(
    tx: &Transaction<'_>,
    served: &ZoneImage,
    beside: &BTreeSet<String>,
) -> Result<(Loaded, ZoneImage, Option<String>), StoreError> {
    let origin = served.origin();
    let loaded = tx.load_touched(origin, beside)?;
    let (rows, flaw) = build(origin, &loaded);
    let mut editor = served.edit();
    let owners = loaded.touched.iter().chain(beside);
    let owners = owners.filter_map(|text| text.parse().ok());
    for owner in owners.filter(|owner: &Name| owner.is_at_or_below(origin)) {
        let (was, is) = (served.node(&owner), rows.node(&owner));
        let types = |node: Option<&Arc<Node>>| -> Vec<Rtype> {
            let rrsets = node.map_or(&[][..], |node| node.rrsets());
            rrsets.iter().map(|rrset| rrset.rtype()).collect()
        };
        let name = is.map_or(&owner, |node| node.name());
        for rtype in types(was).into_iter().chain(types(is)) {
            let rrset = is.and_then(|node| node.rrset(rtype)).cloned();
            editor
                .set_shared(name, rtype, rrset)
                .map_err(|outside| StoreError::Damaged(outside.to_string()))?;
        }
    }
    Ok((loaded, editor.finish().0, flaw))
}

/// Whether the history has the revision that the row of a zone says the zone is at.
pub(super) fn is_of_revision(tx: &Transaction<'_>, row: &ZoneRow) -> Result<bool, StoreError> {
    let digest = tx.revision_digest(&row.origin, row.revision)?;
    Ok(digest.is_some_and(|digest| digest == row.digest.to_string()))
}

/// The row of a zone says that there was one more revision, and nobody committed it.
fn hold_on_made_up(
    desk: &Desk<'_>,
    turn: &mut Turn,
    (served, revision): (&ZoneImage, u64),
    row: &ZoneRow,
) {
    let reason = format!(
        "the table zone says that it is at revision {}, which nobody committed",
        row.revision
    );
    let good = ZoneRow {
        origin: row.origin.clone(),
        revision,
        serial: served.soa().map(|soa| soa.serial.0),
        digest: served.digest(),
    };
    turn.hold(&row.origin, &reason, repair::zone_row(desk.path, &good));
}

/// Puts a revision in service that the store has and the snapshot has not.
fn take_later(
    desk: &mut Desk<'_>,
    tx: &Transaction<'_>,
    turn: &mut Turn,
    served: &ZoneImage,
    (image, loaded): (ZoneImage, &Loaded),
    row: &ZoneRow,
) -> Result<(), StoreError> {
    let diff = Diff::between(served, &image);
    let weighed = weigh::weigh(
        &desk.bench(turn, Moment::now()),
        &Proposal {
            asker: Asker::by_hand(&by_hand()),
            before: served,
            operations: &[],
            diff: &diff,
            after: &image,
            after_view: &publish::live(&turn.view, image.clone(), row.revision),
        },
    );
    if let Some(Decision::Refused { rule, reason, .. }) = judge::refusal(&weighed.verdict) {
        let mend = repair::accept_hint_for(&row.origin, &rule)
            .unwrap_or_else(|| repair::restore_hint(&row.origin));
        turn.hold(&row.origin, &format!("refused by {rule}: {reason}"), mend);
        return Ok(());
    }
    desk.contested.remove(&row.origin);
    let zone = row.origin.clone();
    let served = turn.view.zone(&zone).and_then(|served| served.zone());
    let note = match served.is_some_and(|served| served.hold.is_some()) {
        true => Note::Released { zone },
        false => Note::Admitted {
            zone,
            findings: Vec::new(),
        },
    };
    turn.notes.push(note);
    turn.change_whole(image, row.revision);
    settle(tx, &row.origin, loaded)
}

/// Rows that say what is served, however they are spelled: they become what we would have written,
/// because it is by our own spelling that an update finds the rows it takes away.
pub(super) fn settle(
    tx: &Transaction<'_>,
    origin: &Name,
    loaded: &Loaded,
) -> Result<(), StoreError> {
    if loaded.touched.is_empty() {
        return Ok(());
    }
    tx.rewrite_rrsets(origin, &Diff::default())?;
    tx.clear_touched(origin)
}

pub(super) fn hold_on_older(turn: &mut Turn, origin: &Name, found: u64, served: u64) {
    let reason =
        format!("the store is at revision {found}, which is older than revision {served} served");
    let mend = format!(
        "put back the database that was there\n{}\n{}",
        repair::restore_hint(origin),
        repair::accept_hint(origin, "RULE")
    );
    turn.hold(origin, &reason, mend);
}

/// The image of the rows that could be read, and what is wrong with the others.
pub(super) fn build(origin: &Name, loaded: &Loaded) -> (ZoneImage, Option<String>) {
    let flaw = loaded.bad.first().map(|bad| bad_row(bad, loaded.bad.len()));
    match ZoneImage::from_records(origin.clone(), loaded.records.iter().cloned()) {
        Ok(image) => (image, flaw),
        Err(outside) => (ZoneImage::empty(origin.clone()), Some(outside.to_string())),
    }
}

fn bad_row(bad: &BadRow, count: usize) -> String {
    let more = match count {
        1 => String::new(),
        _ => format!(" (and {} more rows)", count - 1),
    };
    format!(
        "row {} ({} {} {:?}) cannot be read: {}{more}",
        bad.id, bad.owner, bad.rtype, bad.rdata, bad.reason
    )
}

#[cfg(test)]
mod tests;
