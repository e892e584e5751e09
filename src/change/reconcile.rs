//! Rows against images: edits by hand are judged and taken in, damage makes a zone hold.

use std::collections::{HashMap, HashSet};
use std::path::Path as FilePath;

use super::account::{Account, Course, Moment};
use super::judge::{self, Decision, Proposal};
use super::turn::{Note, Turn};
use super::{Policy, RefusedWhy, repair};
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
    /// The rows of held zones as they were when last judged, so that one edit is audited once.
    pub judged: &'a mut HashMap<Name, Digest>,
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
                let mend = repair::sql(desk.path, &origin, &[], &lost(&image));
                let reason = "the store does not know the zone any more".to_owned();
                turn.hold(&origin, &reason, mend);
            }
            (None, Some(row)) => admit(desk, tx, turn, row)?,
            (None, None) => {}
        }
    }
    Ok(())
}

/// The diff from an image to nothing.
fn lost(image: &ZoneImage) -> Diff {
    Diff::between(image, &ZoneImage::empty(image.origin().clone()))
}

fn one(
    desk: &mut Desk<'_>,
    tx: &Transaction<'_>,
    turn: &mut Turn,
    (served, revision, is_held): (ZoneImage, u64, bool),
    row: &ZoneRow,
) -> Result<(), StoreError> {
    let origin = served.origin();
    if row.revision != revision {
        let reason = format!(
            "the store is at revision {}, and revision {revision} is served",
            row.revision
        );
        turn.hold(
            origin,
            &reason,
            "put back the database that was there".into(),
        );
        return Ok(());
    }
    let loaded = tx.load(origin)?;
    let (image, flaw) = build(origin, &loaded);
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
        revision: revision + 1,
    };
    let weighed = judge::weigh(desk.policy, &turn.view, &turn.freezes, &proposal);
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
    let serial = (desk.policy.zone(origin).serial, behind);
    let decision = judge::commit(served, image.clone(), serial, moment.unix_secs(), false);
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
    turn.view = publish::live(&turn.view, commit.after, next);
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
    let mend = repair::sql(desk.path, origin, &ids, diff);
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
    let loaded = tx.load(origin)?;
    let (image, flaw) = build(origin, &loaded);
    if let Some(reason) = flaw {
        turn.hold(
            origin,
            &reason,
            "correct or delete that row with sqlite3".into(),
        );
        return Ok(());
    }
    let findings = check::full(&image, &desk.policy.limits);
    if let Some(fatal) = findings.iter().find(|f| f.severity == Severity::Fatal) {
        let mend = format!(
            "correct the rows of {origin} with sqlite3, or import the zone again: \
             `lastgood zone import {origin} FILE --replace`"
        );
        turn.hold(origin, &fatal.to_string(), mend);
        return Ok(());
    }
    let shown: Vec<String> = findings
        .iter()
        .filter(|f| f.severity == Severity::Error)
        .map(ToString::to_string)
        .collect();
    let digest = image.digest();
    turn.view = publish::live(&turn.view, image.clone(), row.revision);
    turn.notes.push(Note::Admitted {
        zone: origin.clone(),
        findings: shown,
    });
    if digest != row.digest {
        changed_while_down(desk, tx, turn, row, image, &loaded)?;
    } else if !loaded.touched.is_empty() {
        tx.clear_touched(origin)?;
    }
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
    let serial = (desk.policy.zone(origin).serial, behind);
    let decision = judge::commit(&image, image.clone(), serial, moment.unix_secs(), false);
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
    turn.view = publish::live(&turn.view, commit.after, revision);
    turn.notes.push(Note::Traced {
        zone: origin.clone(),
        warning,
        reference,
    });
    Ok(())
}
