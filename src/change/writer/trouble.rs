//! A store that is lost, damaged, full or locked: what is served stays, and it is said what is wrong.

use super::*;
use crate::change::account::Moment;
use crate::change::custody::Loss;
use crate::change::edits::Contested;
use crate::change::{Body, ZonePolicy, account};
use crate::store::{Scrubbed, faults};
use crate::zone::Served;

/// How often it is tried, while nobody asks for a change, whether the store can be written again.
const PROBE_EVERY: Duration = Duration::from_secs(1);

/// Why changes fail, and since when.
#[derive(Default)]
pub(super) struct Trouble {
    now: Option<Current>,
}

struct Current {
    reason: String,
    probe_at: Instant,
}

impl WriterThread {
    /// The store is lost: there will be another one if somebody asks for it.
    pub(super) fn without_store(&mut self, jobs: Vec<Job>, loss: &Loss) {
        // Where nothing is served there is nothing to restore, and a zone may come from outside.
        let published = self.publisher.current();
        let serves_nothing = published.zones().all(|served| served.zone().is_none());
        let restores = |job: &Job| match job.submission.body {
            Body::Restore => true,
            Body::Import { .. } => serves_nothing,
            _ => false,
        };
        if jobs.iter().any(restores) && !self.custody.is_fresh() && self.make_store() {
            return self.settle(jobs);
        }
        self.answer_all(jobs, &account::refused_without_store(&loss.reason));
    }

    /// A new store in the place of the one that is lost, for zones to be restored into.
    fn make_store(&mut self) -> bool {
        let freezes = self.freezes.clone();
        let policies = self.policy.to_json();
        let made = self.custody.create_anew().and_then(|store| {
            let tx = store.begin()?;
            for freeze in &freezes {
                let scope = freeze.scope.to_string();
                tx.set_freeze(&scope, &freeze.reason, &freeze.actor, freeze.since_unix)?;
            }
            tx.set_value("policies", &policies)?;
            tx.commit()
        });
        if let Err(error) = &made {
            tracing::error!(store = %self.custody.path().display(), "store: {error}");
            self.custody.distrust();
        }
        if made.is_ok() {
            self.known.store_is_new(Moment::now());
        }
        made.is_ok()
    }

    pub(super) fn failed(&mut self, jobs: Vec<Job>, error: TurnError) {
        self.forget_contested();
        let (is_reading, error) = match error {
            TurnError::Reading(error) => (true, error),
            TurnError::Writing(error) => (false, error),
            TurnError::Snapshot(error) => {
                tracing::error!("no serials can be reserved: {error}");
                let reason = format!("the snapshot failed: {error}");
                return self.answer_all(jobs, &Outcome::Unavailable { reason });
            }
        };
        let error = self.custody.cause(error);
        match error {
            // Another process writes: whoever asked may ask again.
            StoreError::Busy => {}
            StoreError::Damaged(damage) if is_reading => {
                let loss = self.custody.condemn(&damage);
                self.hold_all(&loss);
                return self.without_store(jobs, &loss);
            }
            ref error if is_reading && !matches!(error, StoreError::Full) => {
                self.custody.distrust();
                let loss = Loss {
                    reason: format!("the store cannot be read: {error}"),
                    mend: self.custody.mend(),
                };
                self.hold_all(&loss);
                return self.without_store(jobs, &loss);
            }
            StoreError::Damaged(_) => {
                self.custody.distrust();
                self.scrubber.bell().ring();
            }
            _ => self.custody.let_go(),
        }
        self.in_trouble(&error);
        let reason = format!("the store failed: {error}");
        self.answer_all(jobs, &Outcome::Unavailable { reason });
    }

    /// What was said of edits by hand was rolled back: it is to be found and said again.
    pub(super) fn forget_contested(&mut self) {
        for contested in self.contested.values_mut() {
            contested.is_to_be_told();
        }
        self.unclaimed.is_to_be_told();
        self.again.later(self.held(), Instant::now());
    }

    /// Zones that are not served from their rows.
    fn held(&self) -> Vec<Name> {
        let published = self.publisher.current();
        let held = published.zones().filter(|served| match &***served {
            Served::Zone(zone) => zone.hold.is_some(),
            Served::Unavailable { .. } => true,
        });
        held.map(|served| served.origin().clone()).collect()
    }

    pub(super) fn hold_all(&mut self, loss: &Loss) {
        let published = self.publisher.current();
        let mut turn = Turn::new((*published).clone(), self.freezes.clone());
        for served in published.zones() {
            let reason = match &**served {
                Served::Zone(zone) => zone.hold.as_ref().map(|hold| &hold.reason),
                // It has been without data for a reason of its own.
                Served::Unavailable { .. } => continue,
            };
            if reason != Some(&loss.reason) {
                turn.hold(served.origin(), &loss.reason, loss.mend.clone());
            }
        }
        if !turn.notes.is_empty() {
            self.finish(turn);
        }
    }

    /// A change could not be written; the next ones will hardly fare better.
    fn in_trouble(&mut self, error: &StoreError) {
        let path = self.custody.path().display().to_string();
        let advice = match error {
            StoreError::Busy => format!("see who keeps it locked: fuser -v {path}"),
            StoreError::Full => format!("make room on its disk: df -h {path}"),
            _ => "see the log; what is served does not suffer".to_owned(),
        };
        let cause = format!("the store cannot be written: {error}");
        self.changes_fail(error.to_string(), &cause, &advice);
    }

    /// Until one succeeds, or a probe does.
    pub(super) fn changes_fail(&mut self, reason: String, cause: &str, advice: &str) {
        let path = self.custody.path().display();
        let is_news = match &self.trouble.now {
            Some(known) => known.reason != reason,
            None => true,
        };
        if is_news {
            tracing::error!(
                store = %path,
                "store: {reason}; changes fail until it is mended"
            );
            self.board
                .set_trouble(Some(format!("changes fail, because {cause}; {advice}")));
            self.counters.store_failing(true);
        }
        self.trouble.now = Some(Current {
            reason,
            probe_at: Instant::now() + PROBE_EVERY,
        });
    }

    /// A change was written.
    pub(super) fn well_again(&mut self) {
        if self.trouble.now.take().is_some() {
            tracing::info!(store = %self.custody.path().display(), "store: it can be written again");
            self.board.set_trouble(None);
            self.counters.store_failing(false);
        }
    }

    /// Nobody waits for an answer: has what was wrong come to an end?
    pub(super) fn probe(&mut self) {
        let now = Instant::now();
        match &mut self.trouble.now {
            Some(trouble) if now >= trouble.probe_at => trouble.probe_at = now + PROBE_EVERY,
            _ => return,
        }
        let policies = self.policy.to_json();
        let written = self.custody.begin().and_then(|begun| {
            let Some((tx, version, Extent::Nothing)) = begun else {
                return Ok(None);
            };
            tx.set_value("policies", &policies)?;
            tx.commit()?;
            Ok(Some(version))
        });
        match written {
            Ok(Some(version)) => {
                self.custody.committed(version);
                self.well_again();
            }
            Ok(None) | Err(StoreError::Busy) => {}
            Err(error) => {
                self.custody.let_go();
                self.in_trouble(&error);
            }
        }
    }

    /// What the scrub found. It may have seen a file that was just being made: who writes looks again
    /// before anything is held for it.
    pub(super) fn scrubbed(&mut self, report: Report) {
        let unscrubbed = report.failed.map(|why| {
            self.counters.panicked();
            let store = self.custody.path().display();
            tracing::error!(%store, "scrub: it failed in the middle: {why}");
            format!(
                "the scrub failed by a fault of the server ({why}): damage to store and snapshot may stay \
                 unseen until one comes to its end; see the log, and run lastgood verify"
            )
        });
        self.board.set_unscrubbed(unscrubbed);
        match report.store {
            Ok(found) => {
                let damage = match found.faults.is_empty() {
                    true => None,
                    false => faults(&self.settings.store)
                        .ok()
                        .and_then(|faults| faults.into_iter().next()),
                };
                self.counters
                    .scrubbed(usize::from(damage.is_some()) + found.suspects.len());
                match damage {
                    // One that could not be opened is not written to.
                    Some(damage) if self.custody.store().is_some() => {
                        tracing::error!(store = %self.custody.path().display(), "scrub: {damage}");
                        self.custody.condemn(&damage);
                    }
                    Some(_) => {}
                    None if self.custody.is_condemned() => self.custody.pardon(),
                    None => self.suspect(&found, report.differing),
                }
            }
            // It is looked after elsewhere whether the store is there, and whose it is.
            Err(error) => tracing::debug!("scrub: the store cannot be read: {error}"),
        }
        match report.snapshot {
            Ok(()) | Err(StoreError::Interrupted | StoreError::Busy) => {}
            Err(StoreError::Damaged(damage)) => self.keeper.examine(damage),
            Err(error) => self.keeper.examine(error.to_string()),
        }
        tracing::debug!(took = ?report.took, "scrub");
    }

    /// Has zones compared with their rows by a connection that has not seen them before, and those
    /// that hold: what was wrong may have been put right without a commit. Rows that were damaged
    /// before, and have stayed as they were, are not read again.
    fn suspect(&mut self, found: &Scrubbed, mut differing: HashMap<Name, BTreeSet<String>>) {
        let held = self.held();
        let is_news = |zone: &Name| {
            let contested = self.contested.get(zone);
            !contested.is_some_and(|known| known.is(found.contents.get(zone)))
        };
        let is_traced = |zone: &Name| {
            let contested = self.contested.get(zone);
            contested.is_some_and(|known| known.beside().is_some_and(BTreeSet::is_empty))
        };
        let (traced, untraced): (Vec<Name>, Vec<Name>) = held.into_iter().partition(is_traced);
        let zones = untraced.iter().chain(&found.suspects);
        let doubted: BTreeSet<Name> = zones.filter(|zone| is_news(zone)).cloned().collect();
        if !doubted.is_empty() {
            self.custody.let_go();
            self.reopened_to_look = true;
        }
        let reading_of = |zone: Name| {
            let reading = match differing.remove(&zone) {
                Some(owners) => Reading::Beside(owners),
                // What was wrong may be so no longer.
                None if !found.suspects.contains(&zone) => Reading::Touched,
                None => Reading::Whole,
            };
            (zone, reading)
        };
        let doubted = doubted.into_iter().map(reading_of);
        let traced = traced.into_iter().map(|zone| (zone, Reading::Touched));
        self.again.at_once(traced.chain(doubted), Instant::now());
    }

    /// Tells of holds that last, and ends those that are not to last longer.
    pub(super) fn raise_alarms(&mut self) {
        let published = self.publisher.current();
        let max_age = |zone: &Name| self.policy.zones.get(zone).and_then(ZonePolicy::max_age);
        let Some(raised) = self.alarms.look(&published, max_age, Instant::now()) else {
            return;
        };
        for (zone, age, reason) in raised.told {
            tracing::error!(%zone, held_secs = age.as_secs(), "still holds: {reason}");
        }
        let long = raised.long.iter().map(|(zone, age)| {
            let minutes = age.as_secs() / 60;
            format!("{zone} has been served from its last good version for {minutes} minutes")
        });
        self.board.set_stale(long.collect());
        if raised.turned.is_empty() {
            return;
        }
        let mut view = (*published).clone();
        for (zone, is_expired) in &raised.turned {
            view = crate::publish::aged(&view, zone, *is_expired);
            match is_expired {
                true => {
                    tracing::error!(%zone, "older than its `max_age`: answered SERVFAIL from now on");
                }
                false => tracing::warn!(%zone, "its `max_age` is another now: answered again"),
            }
        }
        self.publisher.publish(view);
        let published = self.publisher.current();
        for (zone, _) in &raised.turned {
            self.board.note_zone(&published, zone);
        }
    }

    /// Zones that changed may have mended what another one was refused for.
    pub(super) fn look_beside(&mut self, turn: &Turn) {
        let is_anew = turn.moved.borrow().is_anew() || !turn.removed.is_empty();
        let may_mend = |zone: &Name, contested: &Contested| {
            let mut others = turn.promotions.keys().filter(|other| *other != zone);
            contested.is_refused() && (is_anew || others.any(|other| contested.depends_on(other)))
        };
        let again: Vec<Name> = self
            .contested
            .iter()
            .filter(|(zone, contested)| may_mend(zone, contested))
            .map(|(zone, _)| zone.clone())
            .collect();
        self.again.beside(again, Instant::now());
    }
}
