//! Rows against images: edits by hand are judged and taken in, damage makes a zone hold.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::path::Path as FilePath;

use super::account::{Account, Course, Moment};
use super::admission::admit;
use super::judge::{self, Bench, Commit, Decision, Judged, Proposal};
use super::reach::Reach;
use super::repeats::Repeats;
use super::startup::Keepsake;
use super::turn::{Note, Turn};
use super::{Policy, RefusedWhy, Submission, repair};
use crate::guard::{self, Actor, Path};
use crate::publish;
use crate::rr::message::{Rcode, ede};
use crate::rr::{Key, Name, Serial};
use crate::store::{BadRow, Loaded, NewAudit, NewRevision, StoreError, Transaction, ZoneRow};
use crate::zone::{Diff, Digest, ZoneImage};

/// Why a zone that was never imported is not served.
pub(super) const NO_DATA: &str = "it has no data yet";

/// What comparing needs to know beside the transaction and the turn.
pub(super) struct Desk<'a> {
    pub policy: &'a Policy,
    pub path: &'a FilePath,
    pub ceilings: &'a HashMap<Name, u32>,
    /// What the snapshot had at start; empty later on, when the image in memory is the last good.
    pub keepsake: &'a Keepsake,
    /// The rows of held zones as they were when last judged, so that one edit is audited once.
    pub judged: &'a mut HashMap<Name, Digest>,
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
    served: ZoneImage,
    revision: u64,
    loaded: Loaded,
    /// Of the rows, as far as they could be read.
    image: ZoneImage,
    /// From the image served to that of the rows.
    diff: Diff,
}

/// Why a zone's rows are not fit to be served.
pub(super) struct Unfit {
    reason: String,
    refusal: Option<Decision>,
    verdict: Option<guard::Verdict>,
}

pub(super) fn by_hand() -> Actor {
    Actor {
        name: "edit by hand".into(),
        key: None,
    }
}

/// Compares every zone served with its rows.
pub(super) fn all(
    desk: &mut Desk<'_>,
    tx: &Transaction<'_>,
    turn: &mut Turn,
) -> Result<(), StoreError> {
    let rows: HashMap<Name, ZoneRow> = tx
        .zones()?
        .into_iter()
        .map(|row| (row.origin.clone(), row))
        .collect();
    let mut waiting: Vec<Name> = turn
        .view
        .zones()
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
            return unfit
                .iter()
                .try_for_each(|(case, unfit)| hold(desk, tx, turn, case, unfit));
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
            desk.judged.remove(origin);
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
        Some(reason) => Some(Unfit {
            reason,
            refusal: None,
            verdict: None,
        }),
        None => edit(desk, tx, turn, &case)?,
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
    let weighed = judge::weigh(
        &desk.bench(turn, Moment::now()),
        &Proposal {
            submission_path: Path::HandEdit,
            actor: &by_hand(),
            source: None,
            override_: None,
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
    desk.judged.remove(&row.origin);
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

/// Judges rows that differ from what is served; takes them in, or says why not.
fn edit(
    desk: &mut Desk<'_>,
    tx: &Transaction<'_>,
    turn: &mut Turn,
    case: &Case,
) -> Result<Option<Unfit>, StoreError> {
    let moment = Moment::now();
    let Case {
        served,
        revision,
        loaded,
        image,
        diff,
    } = case;
    let (origin, revision) = (served.origin(), *revision);
    let plain = |reason: String| {
        Some(Unfit {
            reason,
            refusal: None,
            verdict: None,
        })
    };
    if let Some(owner) = damaged(diff, &loaded.touched) {
        return Ok(plain(format!(
            "the rows of {owner} changed without a trace of who did it: this is damage"
        )));
    }
    let actor = by_hand();
    let proposal = Proposal {
        submission_path: Path::HandEdit,
        actor: &actor,
        source: None,
        override_: None,
        before: served,
        operations: &[],
        diff,
        after: image,
        after_view: &publish::live(&turn.view, image.clone(), revision + 1),
    };
    let bench = desk.bench(turn, moment);
    let weighed = judge::weigh(&bench, &proposal);
    if let Some(refusal) = judge::refusal(&weighed.verdict) {
        let Decision::Refused { rule, reason, .. } = &refusal else {
            unreachable!()
        };
        return Ok(Some(Unfit {
            reason: format!("an edit by hand was refused by {rule}: {reason}"),
            verdict: Some(weighed.verdict),
            refusal: Some(refusal),
        }));
    }
    let old = served.soa().map(|soa| soa.serial);
    let new = image.soa().map(|soa| soa.serial);
    let behind = old.filter(|&old| new.is_none_or(|new| !new.is_after(old)));
    let decision = judge::commit(&bench, served, image.clone(), behind, false);
    let Decision::Commit(commit) = decision else {
        return Ok(plain("the zone has no SOA".into()));
    };
    let account = Account {
        operations: &[],
        diff,
        ignored: &[],
        warnings: &weighed.warnings,
        verdict: Some(&weighed.verdict),
        accepted: None,
        override_: None,
    };
    let course = Course {
        base_revision: Some(revision),
        old_serial: old,
        ..Course::default()
    };
    let (next, reference) = take_in(tx, &commit, &account, course, moment)?;
    desk.judged.remove(origin);
    turn.change(commit.after, next, &commit.diff);
    turn.observe(origin, Some(&weighed.verdict), &reference);
    turn.notes.push(Note::Edited {
        zone: origin.clone(),
        reference,
        moment,
        removed: diff.removed().count(),
        added: diff.added().count(),
    });
    Ok(None)
}

/// Makes rows that somebody edited a revision of their own: its number, and its audit row's
/// reference.
pub(super) fn take_in(
    tx: &Transaction<'_>,
    commit: &Commit,
    account: &Account<'_>,
    course: Course,
    moment: Moment,
) -> Result<(u64, String), StoreError> {
    let (origin, actor) = (commit.after.origin(), by_hand());
    tx.rewrite_rrsets(origin, &commit.diff)?;
    tx.clear_touched(origin)?;
    let revision = tx.add_revision(NewRevision {
        zone: origin,
        path: Path::HandEdit.as_str(),
        actor: &actor.name,
        old_serial: course.old_serial.map(|serial| serial.0),
        new_serial: commit.new_serial.0,
        digest: commit.after.digest(),
        at_unix_us: moment.unix_us,
        diff: &commit.diff,
    })?;
    let course = Course {
        revision: Some(revision),
        new_serial: Some(commit.new_serial),
        ..course
    };
    let decision = Decision::Unchanged;
    let row = audit_row(origin, &actor, account, course, moment, &decision);
    Ok((revision, tx.add_audit(row)?))
}

/// The first owner that differs and that no trigger noted.
fn damaged(diff: &Diff, touched: &[String]) -> Option<Name> {
    let touched: HashSet<Key> = touched
        .iter()
        .filter_map(|owner| owner.parse::<Name>().ok())
        .map(|owner| owner.key())
        .collect();
    let owner = diff
        .changes
        .iter()
        .find(|change| !touched.contains(&change.owner.key()));
    owner.map(|change| change.owner.clone())
}

pub(super) fn hold(
    desk: &mut Desk<'_>,
    tx: &Transaction<'_>,
    turn: &mut Turn,
    case: &Case,
    unfit: &Unfit,
) -> Result<(), StoreError> {
    let Case {
        served,
        image,
        diff,
        ..
    } = case;
    let origin = served.origin();
    let ids: Vec<i64> = case.loaded.bad.iter().map(|row| row.id).collect();
    let mut mend = repair::sql(desk.path, origin, &ids, diff);
    mend.push_str(&format!("\n{}", repair::restore_hint(origin)));
    if let Some(Decision::Refused { rule, .. }) = &unfit.refusal
        && guard::OVERRIDABLE.contains(&rule.as_str())
    {
        mend.push_str(&format!("\n{}", repair::accept_hint(origin, rule)));
    }
    let seen = desk.judged.insert(origin.clone(), image.digest());
    if let Some(refusal) = &unfit.refusal
        && seen != Some(image.digest())
    {
        let accepted = match refusal {
            Decision::Refused { accepted, .. } => Some(accepted.as_str()),
            _ => None,
        };
        let account = Account {
            operations: &[],
            diff,
            ignored: &[],
            warnings: &[],
            verdict: unfit.verdict.as_ref(),
            accepted,
            override_: None,
        };
        let course = Course {
            base_revision: Some(case.revision),
            old_serial: served.soa().map(|soa| soa.serial),
            ..Course::default()
        };
        let actor = by_hand();
        let moment = Moment::now();
        let reference =
            tx.add_audit(audit_row(origin, &actor, &account, course, moment, refusal))?;
        turn.observe(origin, unfit.verdict.as_ref(), &reference);
        turn.notes
            .push(Note::refused(origin, &actor, refusal, reference, moment));
    }
    turn.hold(origin, &unfit.reason, mend);
    Ok(())
}

fn audit_row<'a>(
    zone: &'a Name,
    actor: &'a Actor,
    account: &Account<'_>,
    course: Course,
    moment: Moment,
    decision: &'a Decision,
) -> NewAudit<'a> {
    let (outcome, rule, reason, rcode, ede) = match decision {
        Decision::Refused {
            rule, reason, why, ..
        } => (
            "refused",
            Some(rule.as_str()),
            reason.as_str(),
            Rcode::Refused,
            Some(if *why == RefusedWhy::Guard {
                ede::OTHER
            } else {
                ede::NOT_READY
            }),
        ),
        _ => ("committed", None, "", Rcode::NoError, None),
    };
    NewAudit {
        at_unix_us: moment.unix_us,
        path: Path::HandEdit.as_str(),
        actor: &actor.name,
        source: None,
        transport: None,
        zone: Some(zone),
        base_revision: course.base_revision,
        revision: course.revision,
        old_serial: course.old_serial.map(|serial: Serial| serial.0),
        new_serial: course.new_serial.map(|serial| serial.0),
        outcome,
        rule,
        reason,
        rcode: rcode.as_str(),
        ede,
        mac: None,
        detail: account.detail(),
        duration_us: u64::try_from(moment.started.elapsed().as_micros()).unwrap_or(u64::MAX),
    }
}

/// Judges `zone accept`: the live rows of a zone that holds are taken as they are, by the rules of
/// the command line.
pub(super) fn judge_acceptance(
    desk: &Desk<'_>,
    tx: &Transaction<'_>,
    turn: &Turn,
    submission: &Submission,
    moment: Moment,
) -> Result<Judged, StoreError> {
    let origin = &submission.zone;
    let refused = |reason: String, accepted: &str| {
        Judged::plain(Decision::Refused {
            rule: "accept".into(),
            reason,
            accepted: accepted.to_owned(),
            why: RefusedWhy::Guard,
        })
    };
    if tx.zone(origin)?.is_none() {
        return Ok(refused(
            format!("the store does not know {origin}"),
            "`lastgood snapshot restore`, or a zone that the store has",
        ));
    }
    let loaded = tx.load(origin)?;
    let (image, flaw) = build(origin, &loaded);
    if let Some(flaw) = flaw {
        return Ok(refused(
            flaw,
            "rows that can be read; `lastgood status` says which cannot",
        ));
    }
    Ok(judge::judge_replacement(
        &desk.bench(turn, moment),
        submission,
        image,
        None,
    ))
}
