//! One submission: judged, written, told.

use std::sync::Arc;

use super::account::{self, Course, Moment};
use super::ending;
use super::judge::{self, Bench, Decision, Judged, Stored};
use super::known::Known;
use super::reconcile::Desk;
use super::startup;
use super::turn::{Note, Turn, refused};
use super::{Body, Committed, Outcome, Submission};
use crate::guard::{Freeze, FreezeScope, Verdict};
use crate::metrics::Clock;
use crate::rr::Rtype;
use crate::store::{Accepted, NewRevision, RETRANSMIT_US, StoreError, Transaction};
use crate::zone::Diff;

/// Judges one submission and writes what comes of it.
pub(super) fn decide(
    desk: &mut Desk<'_>,
    tx: &Transaction<'_>,
    turn: &mut Turn,
    submission: &Submission,
    clock: &mut Clock<'_>,
) -> Result<Outcome, StoreError> {
    let moment = Moment::now();
    let mac = match &submission.body {
        Body::Update { mac, .. } => Some(mac.as_slice()),
        Body::Freeze { scope, reason } => {
            return freeze(tx, turn, submission, scope, Some(reason), moment);
        }
        Body::Thaw { scope } => return freeze(tx, turn, submission, scope, None, moment),
        _ => None,
    };
    if let Some(mac) = mac
        && let Some(known) = answered(desk.known, tx, mac, moment)?
    {
        return Ok(known);
    }
    let judged = clock.judge(|| match &submission.body {
        Body::Accept => ending::judge_acceptance(desk, tx, turn, submission, moment),
        Body::Import { .. } => {
            let stored = match tx.zone(&submission.zone)? {
                Some(Err(_)) => startup::as_committed(tx, &submission.zone)?,
                row => row.and_then(Result::ok),
            };
            let stored = Stored {
                zone: stored.as_ref(),
                ..Stored::default()
            };
            Ok(guarded(&desk.bench(turn, moment), submission, stored))
        }
        Body::Update { message, .. } => {
            // Nothing is read for somebody who has no right here.
            let rows = match judge::stranger(&desk.bench(turn, moment), submission) {
                Some(_) => None,
                None => ending::rows_to_mend(desk, tx, turn, &submission.zone, message)?,
            };
            let stored = Stored {
                rows: rows.as_ref(),
                ..Stored::default()
            };
            Ok(guarded(&desk.bench(turn, moment), submission, stored))
        }
        _ => {
            let bench = desk.bench(turn, moment);
            Ok(guarded(&bench, submission, Stored::default()))
        }
    })?;
    let origin = &submission.zone;
    let mut course = Course::default();
    if let Some(zone) = turn.view.zone(origin).and_then(|served| served.zone()) {
        course.base_revision = Some(zone.revision);
        course.old_serial = zone.image.soa().map(|soa| soa.serial);
    }
    match &judged.decision {
        Decision::Commit(commit) => {
            let revision = write(tx, submission, commit, course, moment)?;
            course.revision = Some(revision);
            course.new_serial = Some(commit.new_serial);
            match commit.whole {
                true => turn.change_whole(commit.after.clone(), revision),
                false => turn.change(commit.after.clone(), revision, &commit.diff),
            }
            desk.contested.remove(origin);
        }
        Decision::Remove => {
            course.revision = Some(remove(tx, submission, &judged.diff, course, moment)?);
            course.new_serial = course.old_serial;
            turn.remove(origin);
        }
        _ => {}
    }
    let known = desk.repeats.again(submission, &judged.decision, moment);
    let repeated = known.is_some();
    let reference = match known {
        Some(reference) => reference,
        None => tx.add_audit(account::row(submission, &judged, course, moment, mac))?,
    };
    if !repeated {
        desk.repeats
            .first(submission, &judged.decision, &reference, moment);
        turn.observe(origin, judged.verdict.as_ref(), &reference);
    }
    let is_accepted = matches!(judged.decision, Decision::Commit(_) | Decision::Unchanged);
    if let Some(mac) = mac.filter(|_| is_accepted) {
        turn.accepted.push(Arc::new(Accepted {
            mac: mac.into(),
            reference: reference.clone(),
            at_unix_us: moment.unix_us,
        }));
    }
    let outcome = conclude(turn, submission, judged, course, reference, moment);
    if repeated && let Some(Note::Refused { again, .. }) = turn.notes.last_mut() {
        *again = true;
    }
    Ok(outcome)
}

/// The same message once more: it has been applied, and gets its first result. Where that cannot be
/// said, it has to wait.
fn answered(
    known: &Known,
    tx: &Transaction<'_>,
    mac: &[u8],
    moment: Moment,
) -> Result<Option<Outcome>, StoreError> {
    let since = moment.unix_us.saturating_sub(RETRANSMIT_US) / 1_000_000;
    let reference = match known.find(mac, moment) {
        Some(reference) => Some(reference.to_owned()),
        None => tx
            .find_mac(mac, u64::try_from(since).unwrap_or_default())?
            .map(|(_, reference, _)| reference),
    };
    if let Some(reference) = reference {
        return Ok(Some(Outcome::Unchanged {
            reference,
            ignored: Vec::new(),
        }));
    }
    Ok(known.unsure_secs(moment).map(|secs| Outcome::Unavailable {
        reason: format!(
            "whether this update was applied before the store was lost is not known: for {secs} s \
             none is taken"
        ),
    }))
}

/// What errs refuses the change (P6): whatever a panic says of us, serving and the other updates go
/// on.
fn guarded(bench: &Bench<'_>, submission: &Submission, stored: Stored<'_>) -> Judged {
    let judge = std::panic::AssertUnwindSafe(|| judge::judge(bench, submission, stored));
    std::panic::catch_unwind(judge).unwrap_or_else(|_| {
        tracing::error!(zone = %submission.zone, "judging failed; the change is refused");
        let verdict = Verdict::of_an_error();
        let decision = judge::refusal(&verdict).expect("an error refuses");
        Judged {
            verdict: Some(verdict),
            ..Judged::plain(decision)
        }
    })
}

pub(super) fn write(
    tx: &Transaction<'_>,
    submission: &Submission,
    commit: &judge::Commit,
    course: Course,
    moment: Moment,
) -> Result<u64, StoreError> {
    let origin = &submission.zone;
    if commit.whole {
        tx.restore_zone(origin, course.base_revision.unwrap_or(0))?;
        tx.rewrite_zone(origin, &commit.after)?;
        tx.clear_touched(origin)?;
    } else {
        tx.write_diff(origin, &commit.diff)?;
    }
    tx.add_revision(NewRevision {
        zone: origin,
        path: submission.path.as_str(),
        actor: &submission.actor.name,
        old_serial: commit.old_serial.map(|serial| serial.0),
        new_serial: commit.new_serial.0,
        digest: commit.after.digest(),
        at_unix_us: moment.unix_us,
        diff: &commit.diff,
    })
}

/// The last revision of a zone says that it went.
fn remove(
    tx: &Transaction<'_>,
    submission: &Submission,
    diff: &Diff,
    course: Course,
    moment: Moment,
) -> Result<u64, StoreError> {
    let origin = &submission.zone;
    tx.restore_zone(origin, course.base_revision.unwrap_or(0))?;
    let serial = course.old_serial.map(|serial| serial.0);
    let revision = tx.add_revision(NewRevision {
        zone: origin,
        path: "remove",
        actor: &submission.actor.name,
        old_serial: serial,
        new_serial: serial.unwrap_or(0),
        digest: crate::zone::Digest::default(),
        at_unix_us: moment.unix_us,
        diff,
    })?;
    tx.remove_zone(origin)?;
    Ok(revision)
}

/// The outcome of what was decided, and the note of it.
fn conclude(
    turn: &mut Turn,
    submission: &Submission,
    judged: Judged,
    course: Course,
    reference: String,
    moment: Moment,
) -> Outcome {
    let (zone, actor) = (submission.zone.clone(), submission.actor.clone());
    match judged.decision {
        Decision::Commit(commit) => {
            let not_soa = |record: &crate::rr::Record| record.rtype != Rtype::SOA;
            let outcome = Committed {
                reference: reference.clone(),
                revision: course.revision.unwrap_or_default(),
                old_serial: commit.old_serial.map(|serial| serial.0),
                new_serial: commit.new_serial.0,
                removed: commit.diff.removed().filter(not_soa).count(),
                added: commit.diff.added().filter(not_soa).count(),
                ignored: judged.ignored,
                warnings: judged.warnings,
            };
            turn.notes.push(Note::Committed {
                zone,
                reference,
                actor,
                moment,
                outcome: outcome.clone(),
            });
            Outcome::Committed(outcome)
        }
        Decision::Remove => {
            let not_soa = |record: &crate::rr::Record| record.rtype != Rtype::SOA;
            let outcome = Committed {
                reference: reference.clone(),
                revision: course.revision.unwrap_or_default(),
                old_serial: course.old_serial.map(|serial| serial.0),
                new_serial: course.new_serial.map_or(0, |serial| serial.0),
                removed: judged.diff.removed().filter(not_soa).count(),
                added: 0,
                ignored: Vec::new(),
                warnings: judged.warnings,
            };
            turn.notes.push(Note::Removed {
                zone,
                actor,
                reference,
            });
            Outcome::Committed(outcome)
        }
        Decision::Unchanged => Outcome::Unchanged {
            reference,
            ignored: judged.ignored,
        },
        Decision::Failed { rcode, reason } => Outcome::Failed { rcode, reason },
        decision @ Decision::Refused { .. } => {
            let refused = refused(&decision, reference);
            turn.notes.push(Note::Refused {
                path: submission.path,
                zone,
                actor,
                refused: refused.clone(),
                moment,
                again: false,
            });
            Outcome::Refused(refused)
        }
    }
}

/// Freezes with a reason, thaws without one.
fn freeze(
    tx: &Transaction<'_>,
    turn: &mut Turn,
    submission: &Submission,
    scope: &FreezeScope,
    reason: Option<&str>,
    moment: Moment,
) -> Result<Outcome, StoreError> {
    let is_it = |freeze: &Freeze| freeze.scope == *scope;
    let had = turn.freezes.iter().any(is_it);
    // By the spelling it was written with: to the store, names are texts.
    for freeze in turn.freezes.extract_if(.., |freeze| is_it(freeze)) {
        tx.clear_freeze(&freeze.scope.to_string())?;
    }
    if let Some(reason) = reason {
        let freeze = Freeze {
            scope: scope.clone(),
            since_unix: moment.unix_secs(),
            reason: reason.to_owned(),
            actor: submission.actor.name.clone(),
        };
        tx.set_freeze(&scope.to_string(), reason, &freeze.actor, freeze.since_unix)?;
        turn.freezes.push(freeze);
    }
    let mut judged = Judged::plain(Decision::Unchanged);
    judged.warnings.push(match reason {
        Some(reason) => format!("froze {scope}: {reason}"),
        None if had => format!("thawed {scope}"),
        None => format!("{scope} was not frozen"),
    });
    tracing::warn!(actor = %submission.actor.name, "{}", judged.warnings[0]);
    let reference = tx.add_audit(account::row(
        submission,
        &judged,
        Course::default(),
        moment,
        None,
    ))?;
    Ok(Outcome::Unchanged {
        reference,
        ignored: judged.warnings,
    })
}
