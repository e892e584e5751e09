//! Rows against images: edits by hand are judged and taken in, damage makes a zone hold.

use std::collections::{HashMap, HashSet};
use std::path::Path as FilePath;

use super::account::{Account, Course, Moment};
use super::judge::{self, Bench, Decision, Judged, Proposal};
use super::startup::{self, Keepsake, LastGood};
use super::turn::{Note, Turn};
use super::{Policy, RefusedWhy, Submission, repair};
use crate::check::{self, Severity};
use crate::guard::{Actor, Path};
use crate::publish;
use crate::rr::message::{Rcode, ede};
use crate::rr::{Key, Name, Serial};
use crate::store::{BadRow, Loaded, NewAudit, NewRevision, StoreError, Transaction, ZoneRow};
use crate::zone::{Diff, Digest, ZoneImage};

/// What comparing needs to know beside the transaction and the turn.
pub(super) struct Desk<'a> {
    pub policy: &'a Policy,
    pub path: &'a FilePath,
    pub ceilings: &'a HashMap<Name, u32>,
    /// What the snapshot had at start; empty later on, when the image in memory is the last good.
    pub keepsake: &'a Keepsake,
    /// The rows of held zones as they were when last judged, so that one edit is audited once.
    pub judged: &'a mut HashMap<Name, Digest>,
}

impl Desk<'_> {
    pub(super) fn bench<'b>(&'b self, turn: &'b Turn, moment: Moment) -> Bench<'b> {
        Bench {
            policy: self.policy,
            published: &turn.view,
            freezes: &turn.freezes,
            ceilings: self.ceilings,
            now_unix: moment.unix_secs(),
        }
    }
}

/// A zone's rows beside the image that is served.
struct Case<'a> {
    served: &'a ZoneImage,
    revision: u64,
    loaded: &'a Loaded,
    /// Of the rows, as far as they could be read.
    image: &'a ZoneImage,
    /// From the image served to that of the rows.
    diff: &'a Diff,
}

/// Why a zone's rows are not fit to be served.
struct Unfit {
    reason: String,
    refusal: Option<Decision>,
    verdict: Option<crate::guard::Verdict>,
}

fn by_hand() -> Actor {
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
    let origins: Vec<Name> = turn
        .view
        .zones()
        .map(|served| served.origin().clone())
        .collect();
    for origin in origins {
        let image = turn
            .view
            .zone(&origin)
            .and_then(|served| served.zone())
            .map(|zone| ((*zone.image).clone(), zone.revision, zone.hold.is_some()));
        match (image, rows.get(&origin)) {
            (Some(served), Some(row)) => one(desk, tx, turn, served, row)?,
            (Some((image, ..)), None) => {
                let reason = "the store does not know the zone any more";
                turn.hold(&origin, reason, repair::restore_hint(image.origin()));
            }
            (None, Some(row)) => admit(desk, tx, turn, row)?,
            (None, None) => {}
        }
    }
    Ok(())
}

/// At start: everything that store or snapshot know.
pub(super) fn at_start(
    desk: &mut Desk<'_>,
    tx: &Transaction<'_>,
    turn: &mut Turn,
) -> Result<(), StoreError> {
    let rows = tx.zones()?;
    for row in &rows {
        admit(desk, tx, turn, row)?;
    }
    let unknown: Vec<&Name> = desk
        .keepsake
        .zones()
        .filter(|zone| !rows.iter().any(|row| row.origin == **zone))
        .collect();
    for zone in unknown {
        let reason = "the store does not know the zone";
        let mend = format!(
            "put back the database that had it, or say that it shall go: lastgood zone remove {zone}"
        );
        startup::without_rows(desk, turn, zone, reason, &mend);
    }
    Ok(())
}

fn one(
    desk: &mut Desk<'_>,
    tx: &Transaction<'_>,
    turn: &mut Turn,
    (served, revision, is_held): (ZoneImage, u64, bool),
    row: &ZoneRow,
) -> Result<(), StoreError> {
    let origin = served.origin();
    if row.revision < revision {
        hold_on_older(turn, origin, row.revision, revision);
        return Ok(());
    }
    let loaded = tx.load(origin)?;
    let (image, flaw) = build(origin, &loaded);
    if row.revision > revision {
        // What is served is the snapshot's, and older: the rows of the last revision mend that.
        if flaw.is_none() && image.digest() == row.digest {
            desk.judged.remove(origin);
            turn.serve(image, row.revision);
        }
        return Ok(());
    }
    let diff = Diff::between(&served, &image);
    let case = Case {
        served: &served,
        revision,
        loaded: &loaded,
        image: &image,
        diff: &diff,
    };
    let unfit = match flaw {
        None if diff.is_empty() => {
            if is_held {
                desk.judged.remove(origin);
                turn.release(origin);
            }
            if !loaded.touched.is_empty() {
                tx.clear_touched(origin)?;
            }
            return Ok(());
        }
        Some(reason) => Some(Unfit {
            reason,
            refusal: None,
            verdict: None,
        }),
        None => edit(desk, tx, turn, &case)?,
    };
    match unfit {
        Some(unfit) => hold(desk, tx, turn, &case, &unfit),
        None => Ok(()),
    }
}

fn hold_on_older(turn: &mut Turn, origin: &Name, found: u64, served: u64) {
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
fn build(origin: &Name, loaded: &Loaded) -> (ZoneImage, Option<String>) {
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
    case: &Case<'_>,
) -> Result<Option<Unfit>, StoreError> {
    let moment = Moment::now();
    let Case {
        served,
        revision,
        loaded,
        image,
        diff,
    } = *case;
    let origin = served.origin();
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
    tx.rewrite_rrsets(origin, &commit.diff)?;
    tx.clear_touched(origin)?;
    let next = tx.add_revision(NewRevision {
        zone: origin,
        path: Path::HandEdit.as_str(),
        actor: &actor.name,
        old_serial: old.map(|serial| serial.0),
        new_serial: commit.new_serial.0,
        digest: commit.after.digest(),
        at_unix_us: moment.unix_us,
        diff: &commit.diff,
    })?;
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
        revision: Some(next),
        old_serial: old,
        new_serial: Some(commit.new_serial),
    };
    let reference = tx.add_audit(audit_row(
        origin,
        &actor,
        &account,
        course,
        moment,
        &Decision::Unchanged,
    ))?;
    desk.judged.remove(origin);
    turn.change(commit.after, next, &commit.diff);
    turn.notes.push(Note::Edited {
        zone: origin.clone(),
        reference,
        moment,
        removed: diff.removed().count(),
        added: diff.added().count(),
    });
    Ok(None)
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

fn hold(
    desk: &mut Desk<'_>,
    tx: &Transaction<'_>,
    turn: &mut Turn,
    case: &Case<'_>,
    unfit: &Unfit,
) -> Result<(), StoreError> {
    let Case {
        served,
        image,
        diff,
        ..
    } = *case;
    let origin = served.origin();
    let ids: Vec<i64> = case.loaded.bad.iter().map(|row| row.id).collect();
    let mut mend = repair::sql(desk.path, origin, &ids, diff);
    mend.push_str(&format!("\n{}", repair::restore_hint(origin)));
    if let Some(Decision::Refused { rule, .. }) = &unfit.refusal {
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
        return unfit_at_start(desk, tx, turn, row, &loaded, &image, &reason);
    }
    if image.digest() != row.digest {
        // What was committed last, if the snapshot still tells: the edit is judged against it.
        let good = last_good(desk, tx, row)?.filter(|good| good.image.digest() == row.digest);
        return match good {
            Some(good) => {
                turn.serve(good.image.clone(), good.revision);
                one(desk, tx, turn, (good.image, good.revision, false), row)
            }
            None => {
                turn.serve(image.clone(), row.revision);
                changed_while_down(desk, tx, turn, row, image, &loaded)
            }
        };
    }
    let errors = findings.iter().filter(|f| f.severity == Severity::Error);
    let findings: Vec<String> = errors.map(ToString::to_string).collect();
    turn.serve(image, row.revision);
    turn.notes.push(Note::Admitted {
        zone: origin.clone(),
        findings,
    });
    if !loaded.touched.is_empty() {
        tx.clear_touched(origin)?;
    }
    Ok(())
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
    loaded: &Loaded,
    image: &ZoneImage,
    reason: &str,
) -> Result<(), StoreError> {
    let origin = &row.origin;
    let Some(good) = last_good(desk, tx, row)? else {
        let mend = format!(
            "correct the rows of {origin} with sqlite3, or import the zone again: \
             lastgood zone import {origin} FILE --replace"
        );
        turn.hold(origin, reason, mend);
        return Ok(());
    };
    let ids: Vec<i64> = loaded.bad.iter().map(|bad| bad.id).collect();
    let mend = repair::sql(desk.path, origin, &ids, &Diff::between(&good.image, image));
    startup::hold_on(
        turn,
        good,
        reason,
        format!("{mend}\n{}", repair::restore_hint(origin)),
    );
    Ok(())
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
    let traced = !loaded.touched.is_empty();
    let warning = match traced {
        true => format!(
            "rows were edited by hand while the server was down: {}",
            loaded.touched.join(", ")
        ),
        false => "rows changed without a trace while the server was down".to_owned(),
    };
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
    tx.rewrite_rrsets(origin, &commit.diff)?;
    tx.clear_touched(origin)?;
    let actor = by_hand();
    let revision = tx.add_revision(NewRevision {
        zone: origin,
        path: Path::HandEdit.as_str(),
        actor: &actor.name,
        old_serial: row.serial,
        new_serial: commit.new_serial.0,
        digest: commit.after.digest(),
        at_unix_us: moment.unix_us,
        diff: &commit.diff,
    })?;
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
        revision: Some(revision),
        old_serial: old,
        new_serial: Some(commit.new_serial),
    };
    let reference = tx.add_audit(audit_row(
        origin,
        &actor,
        &account,
        course,
        moment,
        &Decision::Unchanged,
    ))?;
    turn.change(commit.after, revision, &commit.diff);
    turn.notes.push(Note::Traced {
        zone: origin.clone(),
        warning,
        reference,
    });
    Ok(())
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
    if !tx.zones()?.iter().any(|row| row.origin == *origin) {
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
    ))
}
