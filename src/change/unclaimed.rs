//! Rows of the table `zone` that no zone of ours has: one that neither history nor snapshot knows came
//! by rows alone, and is judged as a whole zone put in the place of none before it takes any name
//! from the zone above it; one that cannot be read is told of, with what takes it away.

use std::collections::BTreeMap;
use std::time::Instant;

use super::account::{self, Course, Moment};
use super::decide;
use super::edits::by_hand;
use super::judge::{self, Decision, Judged};
use super::reconcile::{Desk, build};
use super::turn::{Note, Turn};
use super::{Body, Submission, repair};
use crate::check::{self, Finding, Severity};
use crate::guard::Path;
use crate::rr::Name;
use crate::store::{BadZone, Loaded, StoreError, Transaction, ZoneRow};
use crate::zone::{Digest, ZoneImage};

/// What is told of such rows while they are there.
#[derive(Default)]
pub(super) struct Unclaimed {
    /// By the zone that they would be.
    arrivals: BTreeMap<Name, Told>,
    /// Of rows that name none of our zones.
    bad: Vec<String>,
    /// What was told before they were judged in a turn that is not over.
    before: Option<BTreeMap<Name, Told>>,
    /// What judging costs grows with the zones that come: those that were refused are not judged again
    /// before then, however often somebody commits.
    rest_until: Option<Instant>,
    is_waiting: bool,
}

/// Times as long as judging took is left for changes.
const REST: u32 = 8;

#[derive(Clone)]
struct Told {
    /// What the rows added up to, and what was said of them: one refusal is told of once.
    digest: Digest,
    reason: String,
    sentence: String,
}

impl Unclaimed {
    /// Whether those that were refused wait to be judged again, and have waited long enough.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.is_waiting && self.rest_until.is_none_or(|until| now >= until)
    }

    /// Whether these were all judged a moment ago; then they wait.
    pub(super) fn may_wait(&mut self, rows: &[&ZoneRow], now: Instant) -> bool {
        let is_known = |row: &&ZoneRow| self.arrivals.contains_key(&row.origin);
        let rests = self.rest_until.is_some_and(|until| now < until);
        self.is_waiting = rests && !rows.is_empty() && rows.iter().all(is_known);
        if !self.is_waiting {
            self.before = Some(self.arrivals.clone());
        }
        self.is_waiting
    }

    pub(super) fn judged(&mut self, since: Instant, now: Instant) {
        self.rest_until = Some(now + now.saturating_duration_since(since) * REST);
    }

    pub(super) fn sentences(&self) -> Vec<String> {
        let arrivals = self.arrivals.values().map(|told| &told.sentence);
        arrivals.chain(&self.bad).cloned().collect()
    }

    /// The turn was rolled back: what was judged in it is to be judged and told once more, though nobody
    /// commits anything.
    pub(super) fn is_to_be_told(&mut self) {
        if let Some(before) = self.before.take() {
            (self.arrivals, self.is_waiting) = (before, true);
        }
    }

    /// The turn is over: these are zones of ours now, or gone.
    pub(super) fn forget(&mut self, is_settled: impl Fn(&Name) -> bool) {
        self.before = None;
        self.arrivals.retain(|zone, _| !is_settled(zone));
    }
}

/// Whether a zone of the store is one that was committed once.
pub(super) fn is_known(
    desk: &Desk<'_>,
    tx: &Transaction<'_>,
    origin: &Name,
) -> Result<bool, StoreError> {
    Ok(match tx.last_revision(origin)? {
        // A removal leaves no row: one that is there beside it was not made by us, or the removal was not.
        Some(last) => !last.is_removal || desk.keepsake.revision(origin).is_some(),
        None => desk.keepsake.revision(origin).is_some(),
    })
}

/// Notes rows that name no zone that is served.
pub(super) fn note_bad(
    desk: &mut Desk<'_>,
    tx: &Transaction<'_>,
    bad: &[&BadZone],
) -> Result<(), StoreError> {
    let mut told = Vec::new();
    for bad in bad {
        let is_ours = |zone| is_known(desk, tx, zone);
        let known = match bad.origin.as_ref() {
            Some(zone) if is_ours(zone)? => Some(zone),
            _ => None,
        };
        let mend = match known {
            // Its records may be all that there is of it.
            Some(zone) => format!("{} --replace", repair::first_import_hint(zone)),
            None => repair::unclaimed(desk.path, &bad.literal()),
        };
        told.push(format!("{bad}; {mend}"));
    }
    desk.unclaimed.bad = told;
    Ok(())
}

/// Why rows are no zone.
enum Unfit {
    Flawed(String),
    Refused(Box<(Judged, Submission, Moment)>),
}

/// Takes in zones that came by rows alone, or tells why not.
pub(super) fn judge_all(
    desk: &mut Desk<'_>,
    tx: &Transaction<'_>,
    turn: &mut Turn,
    rows: Vec<&ZoneRow>,
) -> Result<(), StoreError> {
    let mut waiting = rows;
    // One may be fit only beside another.
    loop {
        let mut unfit = Vec::new();
        let count = waiting.len();
        for row in waiting {
            let loaded = tx.load(&row.origin)?;
            let (image, flaw) = build(&row.origin, &loaded);
            let digest = image.digest();
            if let Some(why) = judge_one(desk, tx, turn, (image, flaw), &loaded)? {
                unfit.push((row, digest, why));
            }
        }
        if unfit.len() == count || unfit.is_empty() {
            return tell_all(desk, tx, turn, unfit);
        }
        waiting = unfit.into_iter().map(|(row, ..)| row).collect();
    }
}

fn judge_one(
    desk: &mut Desk<'_>,
    tx: &Transaction<'_>,
    turn: &mut Turn,
    (image, flaw): (ZoneImage, Option<String>),
    loaded: &Loaded,
) -> Result<Option<Unfit>, StoreError> {
    if loaded.records.is_empty() && flaw.is_none() {
        return Ok(Some(Unfit::Flawed("it has no records".to_owned())));
    }
    let findings = check::full(&image, &desk.policy.limits);
    let fatal = findings.iter().find(|f| f.severity == Severity::Fatal);
    if let Some(reason) = flaw.or(fatal.map(ToString::to_string)) {
        return Ok(Some(Unfit::Flawed(reason)));
    }
    let moment = Moment::now();
    let submission = Submission {
        zone: image.origin().clone(),
        actor: by_hand(),
        path: Path::HandEdit,
        source: None,
        transport: None,
        body: Body::Accept,
        override_: None,
    };
    let judged = judge::judge_replacement(&desk.bench(turn, moment), &submission, image, None);
    if !matches!(judged.decision, Decision::Commit(_)) {
        let refused = Box::new((judged, submission, moment));
        return Ok(Some(Unfit::Refused(refused)));
    }
    take_in(desk, tx, turn, &judged, &submission, &findings, moment)?;
    Ok(None)
}

fn take_in(
    desk: &mut Desk<'_>,
    tx: &Transaction<'_>,
    turn: &mut Turn,
    judged: &Judged,
    submission: &Submission,
    findings: &[Finding],
    moment: Moment,
) -> Result<(), StoreError> {
    let Decision::Commit(commit) = &judged.decision else {
        return Ok(());
    };
    let zone = &submission.zone;
    let revision = decide::write(tx, submission, commit, Course::default(), moment)?;
    let course = Course {
        revision: Some(revision),
        new_serial: Some(commit.new_serial),
        ..Course::default()
    };
    let reference = tx.add_audit(account::row(submission, judged, course, moment, None))?;
    desk.contested.remove(zone);
    turn.change_whole(commit.after.clone(), revision);
    turn.observe(zone, judged.verdict.as_ref(), &reference);
    turn.notes.push(Note::Edited {
        zone: zone.clone(),
        reference,
        moment,
        removed: 0,
        added: commit.after.record_count(),
    });
    let errors = findings.iter().filter(|f| f.severity == Severity::Error);
    turn.notes.push(Note::Admitted {
        zone: zone.clone(),
        findings: errors.map(ToString::to_string).collect(),
    });
    Ok(())
}

fn tell_all(
    desk: &mut Desk<'_>,
    tx: &Transaction<'_>,
    turn: &mut Turn,
    unfit: Vec<(&ZoneRow, Digest, Unfit)>,
) -> Result<(), StoreError> {
    let mut told = BTreeMap::new();
    for (row, digest, why) in unfit {
        let zone = &row.origin;
        let reason = match &why {
            Unfit::Flawed(reason) => reason.clone(),
            Unfit::Refused(refused) => match &refused.0.decision {
                Decision::Refused { rule, reason, .. } => format!("refused by {rule}: {reason}"),
                _ => "it has nothing to be served".to_owned(),
            },
        };
        let seen = desk.unclaimed.arrivals.get(zone);
        let is_told = seen.is_some_and(|seen| seen.digest == digest && seen.reason == reason);
        if let Unfit::Refused(refused) = &why
            && let (judged, submission, moment) = &**refused
            && matches!(judged.decision, Decision::Refused { .. })
            && !is_told
        {
            let audit = account::row(submission, judged, Course::default(), *moment, None);
            let reference = tx.add_audit(audit)?;
            turn.observe(zone, judged.verdict.as_ref(), &reference);
            let (actor, decision) = (&submission.actor, &judged.decision);
            turn.notes
                .push(Note::refused(zone, actor, decision, reference, *moment));
        }
        let mend = mend(desk, zone);
        // A zone of the configuration is missed where nobody answers for its names.
        let above = turn.view.find(zone.key().as_bytes());
        let is_ours = desk.policy.zones.contains_key(zone);
        if above.map_or(is_ours, |served| served.origin() == zone) {
            turn.hold(zone, &reason, mend.clone());
        }
        let sentence = format!(
            "served by nobody: the zone {zone}, which has rows in the store and was never imported: \
             {reason}; {mend}"
        );
        let entry = Told {
            digest,
            reason,
            sentence,
        };
        told.insert(zone.clone(), entry);
    }
    desk.unclaimed.arrivals = told;
    Ok(())
}

fn mend(desk: &Desk<'_>, zone: &Name) -> String {
    let literal = crate::store::literal(zone.to_string().as_bytes());
    format!(
        "{}; or, to make a zone of it: lastgood zone import {zone} FILE --replace",
        repair::unclaimed(desk.path, &literal)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_judged_in_a_turn_that_failed_is_judged_again_unasked() {
        let row = ZoneRow {
            origin: "one.test.".parse().unwrap(),
            revision: 1,
            serial: None,
            digest: Digest::default(),
        };
        let now = Instant::now();
        for fails in [false, true] {
            let mut unclaimed = Unclaimed::default();
            assert!(!unclaimed.may_wait(&[&row], now));
            unclaimed.judged(now, now);
            match fails {
                true => unclaimed.is_to_be_told(),
                false => unclaimed.forget(|_| false),
            }
            assert_eq!(unclaimed.is_due(now), fails);
            // It is over then.
            assert!(!unclaimed.may_wait(&[], now));
            unclaimed.forget(|_| false);
            assert!(!unclaimed.is_due(now));
        }
    }
}
