//! Taking zones in service: at start, or when rows that could not be served have been repaired.

use std::collections::HashSet;

use super::account::{Account, Course, Moment};
use super::edits::{Unfit, hold, take_in};
use super::judge::{self, Decision};
use super::reconcile::{
    Case, Desk, Reading, build, hold_on_older, is_of_revision, none_beside, one, settle,
};
use super::repair;
use super::startup::{self, LastGood};
use super::turn::{Note, Turn};
use super::unclaimed;
use crate::check::{self, Finding, Severity};
use crate::rr::{Name, Serial};
use crate::store::{Loaded, StoreError, Transaction, ZoneRow, Zones};
use crate::zone::{Diff, ZoneImage};

/// At start: everything that store or snapshot know.
pub(super) fn at_start(
    desk: &mut Desk<'_>,
    tx: &Transaction<'_>,
    turn: &mut Turn,
) -> Result<(), StoreError> {
    let Zones { rows, bad } = tx.zones()?;
    let (mut known, mut arrived) = (HashSet::new(), Vec::new());
    for row in &rows {
        if unclaimed::is_known(desk, tx, &row.origin)? {
            known.insert(&row.origin);
            admit(desk, tx, turn, row)?;
        } else {
            arrived.push(row);
        }
    }
    let mut nameless = Vec::new();
    for bad in &bad {
        match &bad.origin {
            Some(origin) if unclaimed::is_known(desk, tx, origin)? => {
                known.insert(origin);
                admit_as_committed(desk, tx, turn, origin, &bad.to_string())?;
            }
            _ => nameless.push(bad),
        }
    }
    unclaimed::note_bad(desk, tx, &nameless)?;
    let keepsake = desk.keepsake;
    for zone in keepsake.zones().filter(|zone| !known.contains(zone)) {
        if tx.removed_at(zone)? > keepsake.revision(zone) {
            // It was meant to go; the server was killed before the snapshot had heard of it.
            turn.removed.push(zone.clone());
            continue;
        }
        let reason = "the store does not know the zone";
        let mend = format!(
            "put back the database that had it, or say that it shall go: lastgood zone remove {zone}"
        );
        startup::without_rows(desk, turn, zone, reason, &mend);
    }
    unclaimed::judge_all(desk, tx, turn, arrived)
}

/// A zone whose row cannot be read: it is served as it was committed last, and holds.
fn admit_as_committed(
    desk: &mut Desk<'_>,
    tx: &Transaction<'_>,
    turn: &mut Turn,
    origin: &Name,
    reason: &str,
) -> Result<(), StoreError> {
    let Some(row) = startup::as_committed(tx, origin)? else {
        let mend = repair::first_import_hint(origin) + " --replace";
        startup::without_rows(desk, turn, origin, reason, &mend);
        return Ok(());
    };
    admit(desk, tx, turn, &row)?;
    let served = turn.view.zone(origin).and_then(|served| served.zone());
    // An edit that was taken in has written the row anew.
    if served.is_some_and(|zone| zone.revision == row.revision && zone.hold.is_none()) {
        turn.hold(origin, reason, repair::zone_row(desk.path, &row));
    }
    Ok(())
}

/// Takes a zone of the store in service that is not served yet: at start, or when rows that could
/// not be served have been repaired.
pub(super) fn admit(
    desk: &mut Desk<'_>,
    tx: &Transaction<'_>,
    turn: &mut Turn,
    row: &ZoneRow,
) -> Result<(), StoreError> {
    let origin = &row.origin;
    let known = desk.keepsake.revision(origin).unwrap_or(0);
    if known > row.revision
        && let Some(good) = desk.keepsake.last_good(origin, &desk.policy.limits)
        // The same data to the last serial are not older, whatever their number says.
        && good.image.digest() != row.digest
    {
        let served = good.revision;
        startup::hold_on(turn, good, "", String::new());
        hold_on_older(turn, origin, row.revision, served);
        return Ok(());
    }
    let loaded = tx.load(origin)?;
    let (image, flaw) = build(origin, &loaded);
    let findings = check::full(&image, &desk.policy.limits);
    let fatal = findings.iter().find(|f| f.severity == Severity::Fatal);
    if let Some(reason) = flaw.or(fatal.map(ToString::to_string)) {
        let unfit = Unfit::plain(reason);
        return unfit_at_start(desk, tx, turn, row, (image, loaded), &unfit);
    }
    let is_made_up = image.digest() == row.digest && !is_committed(desk, tx, row)?;
    if image.digest() != row.digest || is_made_up {
        // What was committed last, if the snapshot still tells: the edit is judged against it.
        let is_that = |good: &LastGood| is_made_up || good.image.digest() == row.digest;
        let good = last_good(desk, tx, row)?.filter(is_that);
        let as_they_are = ZoneRow {
            digest: image.digest(),
            ..row.clone()
        };
        return match good {
            Some(good) => {
                turn.serve(good.image.clone(), good.revision);
                match one(
                    desk,
                    tx,
                    turn,
                    (good.image, good.revision, false),
                    row,
                    Reading::Whole,
                )? {
                    Some((case, unfit)) => hold(desk, tx, turn, &case, &unfit),
                    None => Ok(()),
                }
            }
            None if is_of_revision(tx, &as_they_are)? => {
                tracing::warn!(zone = %origin, "store: the digest of the zone was damaged, its rows are not");
                tx.note_digest(origin, image.digest())?;
                serve(tx, turn, row, image, &findings, &loaded)
            }
            // What history and snapshot have both lost is served rather than nothing.
            None if loaded.touched.is_empty() && !is_made_up => {
                let reason = "its rows are not those that were committed, and nobody edited them: \
                              this is damage";
                {
                    let unfit = Unfit::damage(reason.to_owned());
                    unfit_at_start(desk, tx, turn, row, (image, loaded), &unfit)
                }
            }
            None => {
                turn.serve(image.clone(), row.revision);
                changed_while_down(desk, tx, turn, row, image, &loaded)
            }
        };
    }
    serve(tx, turn, row, image, &findings, &loaded)
}

/// Serves rows that are those of the last revision.
fn serve(
    tx: &Transaction<'_>,
    turn: &mut Turn,
    row: &ZoneRow,
    image: ZoneImage,
    findings: &[Finding],
    loaded: &Loaded,
) -> Result<(), StoreError> {
    let origin = &row.origin;
    let errors = findings.iter().filter(|f| f.severity == Severity::Error);
    let findings: Vec<String> = errors.map(ToString::to_string).collect();
    turn.serve(image, row.revision);
    turn.notes.push(Note::Admitted {
        zone: origin.clone(),
        findings,
    });
    settle(tx, origin, loaded)
}

/// Whether what the row of a zone says was committed once, as far as history or snapshot tell.
fn is_committed(desk: &Desk<'_>, tx: &Transaction<'_>, row: &ZoneRow) -> Result<bool, StoreError> {
    if desk.keepsake.digest(&row.origin) == Some(row.digest) || is_of_revision(tx, row)? {
        return Ok(true);
    }
    let last = tx.last_revision(&row.origin)?;
    Ok(last.is_some_and(|last| last.digest == row.digest.to_string()))
}

/// The snapshot's version of a zone, brought up to the store's last revision where that can be done.
fn last_good(
    desk: &Desk<'_>,
    tx: &Transaction<'_>,
    row: &ZoneRow,
) -> Result<Option<LastGood>, StoreError> {
    match desk.keepsake.last_good(&row.origin, &desk.policy.limits) {
        Some(good) => startup::replay(tx, good, row.revision).map(Some),
        None => Ok(None),
    }
}

fn unfit_at_start(
    desk: &mut Desk<'_>,
    tx: &Transaction<'_>,
    turn: &mut Turn,
    row: &ZoneRow,
    (image, loaded): (ZoneImage, Loaded),
    unfit: &Unfit,
) -> Result<(), StoreError> {
    let origin = &row.origin;
    let Some(good) = last_good(desk, tx, row)? else {
        let mut mend = format!(
            "correct the rows of {origin} with sqlite3, or import the zone again: \
             lastgood zone import {origin} FILE --replace"
        );
        if unfit.is_damage {
            mend.push_str(&format!("\n{}", repair::accept_plain_hint(origin)));
        }
        turn.hold(origin, &unfit.reason, mend);
        return Ok(());
    };
    turn.serve(good.image.clone(), good.revision);
    let diff = Diff::between(&good.image, &image);
    let case = Case {
        beside: none_beside(&diff, &loaded),
        diff,
        served: good.image,
        revision: good.revision,
        loaded,
        image,
    };
    hold(desk, tx, turn, &case, unfit)
}

/// The rows are fit but not those of the last revision: they become one of their own, whose diff
/// nobody can tell, since what was there before is gone.
fn changed_while_down(
    desk: &Desk<'_>,
    tx: &Transaction<'_>,
    turn: &mut Turn,
    row: &ZoneRow,
    image: ZoneImage,
    loaded: &Loaded,
) -> Result<(), StoreError> {
    let origin = &row.origin;
    let moment = Moment::now();
    let warning = format!(
        "rows were edited by hand while the server was down: {}",
        loaded.touched.join(", ")
    );
    let old = row.serial.map(Serial);
    let new = image.soa().map(|soa| soa.serial);
    let behind = old.filter(|&old| new.is_none_or(|new| !new.is_after(old)));
    let decision = judge::commit(
        &desk.bench(turn, moment),
        &image,
        image.clone(),
        behind,
        false,
    );
    let Decision::Commit(commit) = decision else {
        return Ok(());
    };
    let account = Account {
        operations: &[],
        diff: &commit.diff,
        ignored: &[],
        warnings: std::slice::from_ref(&warning),
        verdict: None,
        accepted: None,
        override_: None,
    };
    let course = Course {
        base_revision: Some(row.revision),
        old_serial: old,
        ..Course::default()
    };
    let (revision, reference) = take_in(tx, &commit, &account, course, moment)?;
    turn.change(commit.after, revision, &commit.diff);
    turn.notes.push(Note::Traced {
        zone: origin.clone(),
        warning,
        reference,
    });
    Ok(())
}
