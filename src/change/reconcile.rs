//! Rows against images: what differs is an edit by hand, or damage.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::Path as FilePath;

use super::account::Moment;
use super::admission::admit;
use super::custody::Extent;
use super::edits::{self, Contested, Unfit, by_hand};
use super::judge::{self, Bench, Decision};
use super::reach::Reach;
use super::repeats::Repeats;
use super::startup::Keepsake;
use super::turn::Turn;
use super::weigh::{self, Asker, Proposal};
use super::{Policy, repair};
use crate::publish;
use crate::rr::Name;
use crate::store::{BadRow, Loaded, StoreError, Transaction, ZoneRow};
use crate::zone::{Diff, Served, ZoneImage};

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
    pub reach: &'a RefCell<Reach>,
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
    suspects: &BTreeSet<Name>,
) -> Result<(), StoreError> {
    let rows: HashMap<Name, ZoneRow> = tx
        .zones()?
        .into_iter()
        .map(|row| (row.origin.clone(), row))
        .collect();
    let touched: HashSet<Name> = tx.touched_zones()?.into_iter().collect();
    let differs = |served: &Served| {
        let (origin, zone) = (served.origin(), served.zone());
        let row = rows.get(origin);
        let is_as_served = zone.zip(row).is_some_and(|(zone, row)| {
            let same = row.revision == zone.revision && row.digest == zone.image.digest();
            same && zone.hold.is_none()
        });
        !is_as_served || touched.contains(origin) || suspects.contains(origin)
    };
    let mut waiting: Vec<Name> = turn
        .view
        .zones()
        .filter(|served| extent == Extent::Everything || differs(served))
        .map(|served| served.origin().clone())
        .collect();
    // What one zone is refused for, because an alias leads into another, may be mended by what the
    // same edit did to that other one: while any is taken in, the refused ones are judged again.
    loop {
        let mut unfit = Vec::new();
        let count = waiting.len();
        for origin in waiting {
            unfit.extend(compare(desk, tx, turn, &origin, rows.get(&origin))?);
        }
        if unfit.len() == count || unfit.iter().all(|(_, unfit)| unfit.refusal.is_none()) {
            return edits::jointly(desk, tx, turn, unfit)?
                .iter()
                .try_for_each(|(case, unfit)| edits::hold(desk, tx, turn, case, unfit));
        }
        waiting = unfit
            .iter()
            .map(|(case, _)| case.served.origin().clone())
            .collect();
    }
}

/// One zone; returned where its rows are not fit to be served.
fn compare(
    desk: &mut Desk<'_>,
    tx: &Transaction<'_>,
    turn: &mut Turn,
    origin: &Name,
    row: Option<&ZoneRow>,
) -> Result<Option<(Case, Unfit)>, StoreError> {
    let served = turn.view.zone(origin).and_then(|served| served.zone());
    let image = served.map(|zone| ((*zone.image).clone(), zone.revision, zone.hold.is_some()));
    match (image, row) {
        (Some(served), Some(row)) => return one(desk, tx, turn, served, row),
        (Some(_), None) => {
            let reason = "the store does not know the zone any more";
            turn.hold(origin, reason, repair::restore_hint(origin));
        }
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
) -> Result<Option<(Case, Unfit)>, StoreError> {
    let origin = &row.origin;
    if row.revision < revision {
        hold_on_older(turn, origin, row.revision, revision);
        return Ok(None);
    }
    let loaded = tx.load(origin)?;
    let (image, flaw) = build(origin, &loaded);
    if row.revision > revision {
        // What is served is the snapshot's, and older: the rows of the last revision mend that.
        if flaw.is_none() && image.digest() == row.digest {
            take_later(desk, turn, &served, image, row);
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

/// Puts a revision in service that the store has and the snapshot has not: one that was committed,
/// unless somebody made it up.
fn take_later(
    desk: &mut Desk<'_>,
    turn: &mut Turn,
    served: &ZoneImage,
    image: ZoneImage,
    row: &ZoneRow,
) {
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
        let mend = repair::accept_hint(&row.origin, &rule);
        return turn.hold(&row.origin, &format!("refused by {rule}: {reason}"), mend);
    }
    desk.contested.remove(&row.origin);
    turn.change_whole(image, row.revision);
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
