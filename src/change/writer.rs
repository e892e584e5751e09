//! The writer's thread: one group of submissions, one transaction, one swap.
//!
//! In `begin` is how it comes to what is served first, in `again` which zones it looks at twice, in
//! `haste` how it waits for what comes, in `trouble` what it does about a store that is damaged, full
//! or locked, in `panics` what about a fault of our own.

mod again;
mod begin;
mod haste;
mod panics;
mod trouble;

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::time::{Duration, Instant};

use super::alarm::Alarms;
use super::board::Board;
use super::custody::{Custody, Extent, Watched};
use super::decide::decide;
use super::edits::Contested;
use super::known::Known;
use super::policy::Policy;
use super::reach::Reach;
use super::reconcile::{self, Desk, Reading};
use super::reload::{self, Reload, Reloaded};
use super::repeats::Repeats;
use super::scrubber::{Bell, Report, Scrubber};
use super::standing::Standing;
use super::startup::{self, Keepsake, Opened};
use super::turn::{self, Note, Turn};
use super::unclaimed::Unclaimed;
use super::upkeep::Upkeep;
use super::{Job, Order, Outcome, Settings};
use crate::guard::Freeze;
use crate::metrics::{Clock, Counters};
use crate::publish::{BEHIND, Commit, Keeper, KeeperStatus, Publisher};
use crate::rr::Name;
use crate::store::{Promotion, StoreError, Transaction};
use crate::zone::{Published, Reader, Writer};
use again::Again;
use haste::Haste;

pub(super) use panics::{run_to_the_end, why};

/// Submissions that share one commit.
const GROUP_MAX: usize = 256;

pub(super) struct WriterThread {
    policy: Policy,
    settings: Settings,
    custody: Custody,
    publisher: Publisher,
    keeper: Keeper,
    /// Serials that may be served, by zone, as the snapshot has them.
    ceilings: HashMap<Name, u32>,
    freezes: Vec<Freeze>,
    /// Zones of which everything was lost, until somebody imports them.
    lost: BTreeSet<Name>,
    contested: HashMap<Name, Contested>,
    unclaimed: Unclaimed,
    again: Again,
    /// The store was opened anew to look at these: not because somebody committed.
    reopened_to_look: bool,
    standing: Standing,
    alarms: Alarms,
    repeats: Repeats,
    known: Known,
    reach: RefCell<Reach>,
    upkeep: Upkeep,
    scrubber: Scrubber,
    trouble: trouble::Trouble,
    haste: Haste,
    panicked: Option<Instant>,
    /// After a panic: it is not known whether freezes and snapshot have what was committed.
    /// See `panics::level`.
    is_to_level: bool,
    board: Arc<Board>,
    counters: Counters,
}

/// What a turn leaves to snapshot and log.
struct Kept {
    commit: Commit,
    are_values_new: bool,
    is_policy_new: bool,
    notes: Vec<Note>,
}

enum TurnError {
    /// The rows could not be read.
    Reading(StoreError),
    /// A statement or the commit failed.
    Writing(StoreError),
    /// The serials to be served could not be reserved.
    Snapshot(String),
}

impl WriterThread {
    /// Serves what store or snapshot hold, as far as it is fit. Also the zones of the configuration
    /// that neither has ever known.
    pub(super) fn new(
        settings: Settings,
        counters: Counters,
        publish: Writer,
        reader: Reader,
        board: Arc<Board>,
        orders: SyncSender<Order>,
    ) -> (WriterThread, Vec<Name>) {
        let Opened {
            store,
            snapshot,
            mut snapshot_unfit,
        } = startup::open(&settings.store, settings.had_store);
        let keepsake = Keepsake::read(snapshot).unwrap_or_else(|error| {
            tracing::error!(snapshot = %settings.store.snapshot.display(), "snapshot: {error}");
            snapshot_unfit = true;
            Keepsake::default()
        });
        let mut thread = WriterThread {
            policy: Policy::new(&settings, []),
            custody: Custody::new(settings.store.clone(), store),
            publisher: Publisher::new(publish),
            keeper: Keeper::start(
                settings.store.snapshot.clone(),
                keepsake.ceilings.clone(),
                reader.clone(),
            ),
            ceilings: keepsake.ceilings.clone(),
            repeats: Repeats::default(),
            known: Known::default(),
            reach: RefCell::default(),
            upkeep: Upkeep::new(settings.store.retention),
            scrubber: Scrubber::start(settings.store.clone(), settings.scrub, orders, reader),
            trouble: trouble::Trouble::default(),
            haste: Haste::default(),
            panicked: None,
            is_to_level: false,
            settings,
            freezes: Vec::new(),
            lost: BTreeSet::new(),
            contested: HashMap::new(),
            unclaimed: Unclaimed::default(),
            again: Again::new(Instant::now()),
            reopened_to_look: false,
            standing: Standing::default(),
            alarms: Alarms::default(),
            board,
            counters,
        };
        let begun = thread.begin(&keepsake, snapshot_unfit);
        thread.keeper.catch_up(begun.since);
        // What the snapshot has besides is looked through in a while.
        thread.scrubber.bell().ring();
        thread.keep_values();
        thread.upkeep.tell_head(&mut thread.custody);
        (thread, begun.unknown)
    }

    pub(super) fn keeper_status(&self) -> KeeperStatus {
        self.keeper.status()
    }

    pub(super) fn has_store(&mut self) -> bool {
        self.custody.store().is_some()
    }

    pub(super) fn bell(&self) -> Bell {
        self.scrubber.bell()
    }

    pub(super) fn run(mut self, incoming: &Receiver<Order>) {
        let mut stop = false;
        while !stop {
            let (mut jobs, mut reloads, mut reports) = (Vec::new(), Vec::new(), Vec::new());
            let mut take = |order| match order {
                Order::Job(job) => jobs.push(*job),
                Order::Reload(reload) => reloads.push(*reload),
                Order::Scrubbed(report) => reports.push(*report),
                Order::Stop => stop = true,
            };
            let wait = match self.keeper.is_behind() {
                true => BEHIND.min(self.settings.poll),
                false => self.settings.poll,
            };
            match self.haste.next(incoming, wait) {
                Ok(order) => take(order),
                Err(RecvTimeoutError::Disconnected) => take(Order::Stop),
                Err(RecvTimeoutError::Timeout) => {}
            }
            for order in incoming.try_iter().take(GROUP_MAX - 1) {
                take(order);
            }
            self.survive(|thread| {
                for report in reports {
                    thread.scrubbed(report);
                }
                thread.turn(jobs);
                thread.raise_alarms();
            });
            self.survive(|thread| {
                for reload in reloads {
                    thread.reload(reload);
                }
            });
            self.haste.is_done();
        }
        self.repeats.end(Instant::now());
        if self.repeats.is_due(Instant::now()) {
            self.survive(|thread| thread.turn(Vec::new()));
        }
        self.upkeep.tell_head(&mut self.custody);
        self.custody.close();
    }

    /// Watches the store, then decides what waits.
    fn turn(&mut self, jobs: Vec<Job>) {
        // Whatever becomes of the store, or of what is asked.
        self.keeper.pass_on_late();
        // Whoever else has committed is found out when the transaction begins.
        if self.haste.is_on() && !jobs.is_empty() && self.custody.is_in_place() {
            return self.settle(jobs);
        }
        let published = self.publisher.current();
        match self.custody.watch(&published) {
            Err(loss) => {
                self.hold_all(&loss);
                return self.without_store(jobs, &loss);
            }
            Ok(Watched::Same) if jobs.is_empty() && !self.is_due(Instant::now()) => {
                self.counters.store_seen();
                self.publisher.retire();
                self.keeper.pass_on();
                self.probe();
                self.upkeep.idle(&mut self.custody, &self.board);
                self.custody.checkpoint_when_due();
                return self
                    .standing
                    .check_next(&self.policy, &published, &self.board);
            }
            Ok(_) => {}
        }
        self.settle(jobs);
    }

    /// Whether there is something to write though nobody asked for it.
    fn is_due(&self, now: Instant) -> bool {
        self.repeats.is_due(now) || self.again.is_due(now) || self.unclaimed.is_due(now)
    }

    /// Decides a group.
    fn settle(&mut self, jobs: Vec<Job>) {
        let counters = self.counters.clone();
        let mut clock = counters.clock();
        match self.group(&jobs, &mut clock) {
            Ok((turn, outcomes)) => {
                self.repeats.keep();
                self.look_beside(&turn);
                let kept = self.show(turn);
                if !jobs.is_empty() {
                    self.well_again();
                }
                clock.published();
                counters.store_seen();
                for (job, outcome) in jobs.into_iter().zip(outcomes) {
                    job.answer(outcome);
                }
                // Nobody waits for what follows.
                self.keep(kept);
                if std::mem::take(&mut self.is_to_level) {
                    self.level_snapshot();
                }
                self.upkeep.committed(&mut self.custody);
            }
            Err(error) => {
                self.repeats.roll_back();
                self.failed(jobs, error);
            }
        }
    }

    fn group(
        &mut self,
        jobs: &[Job],
        clock: &mut Clock<'_>,
    ) -> Result<(Turn, Vec<Outcome>), TurnError> {
        let mut turn = Turn::new((*self.publisher.current()).clone(), self.freezes.clone());
        let path = self.settings.store.path.clone();
        let is_to_level = self.is_to_level;
        let begun = self.custody.begin().map_err(TurnError::Writing)?;
        let (tx, version, extent) = begun.expect("watched just now");
        let suspects = self.again.due(Instant::now());
        let keepsake = Keepsake::default();
        let mut desk = Desk {
            policy: &self.policy,
            path: &path,
            ceilings: &self.ceilings,
            keepsake: &keepsake,
            contested: &mut self.contested,
            repeats: &mut self.repeats,
            known: &self.known,
            reach: &self.reach,
            unclaimed: &mut self.unclaimed,
        };
        if extent != Extent::Nothing {
            let mended = tx.mend_schema().map_err(TurnError::Reading)?;
            self.upkeep.look_again(&path, mended);
        }
        if is_to_level {
            panics::level(&tx, &mut turn, desk.known).map_err(TurnError::Reading)?;
        }
        let flaws = tx.audit_flaws().map_err(TurnError::Reading)?;
        self.upkeep.found_audit(&path, flaws, &self.counters);
        let mut judging = None;
        let begun = Instant::now();
        let is_due = !suspects.is_empty() || desk.unclaimed.is_due(begun);
        if extent != Extent::Nothing || is_due {
            reconcile::all(&mut desk, &tx, &mut turn, extent, &suspects)
                .map_err(TurnError::Reading)?;
            judging = Some(begun.elapsed());
        }
        // Whoever can commit can also keep the triggers from noting it. A scrub that ended with
        // this look must not bring about the next one.
        if extent != Extent::Nothing && !std::mem::take(&mut self.reopened_to_look) {
            self.scrubber.bell().ring();
        }
        desk.repeats
            .close(&tx, Instant::now())
            .map_err(TurnError::Writing)?;
        let outcomes = jobs
            .iter()
            .map(|job| decide(&mut desk, &tx, &mut turn, &job.submission, clock))
            .collect::<Result<Vec<Outcome>, StoreError>>()
            .map_err(TurnError::Writing)?;
        panics::provoke(jobs, panics::BEFORE_THE_COMMIT);
        let reserve = turn.to_reserve(&self.ceilings);
        if !reserve.is_empty() {
            self.keeper
                .reserve(reserve.clone())
                .map_err(TurnError::Snapshot)?;
        }
        let head = tx.audit_head().map_err(TurnError::Writing)?;
        tx.commit().map_err(TurnError::Writing)?;
        panics::provoke(jobs, panics::AFTER_THE_COMMIT);
        clock.committed();
        self.ceilings.extend(reserve);
        self.custody.committed(version);
        if let Some(took) = judging {
            self.again.judged(&suspects, took);
        }
        if !turn.notes.is_empty() {
            turn.audit_head = Some(head);
            self.upkeep.audit_goes_on();
        }
        Ok((turn, outcomes))
    }

    fn finish(&mut self, turn: Turn) {
        let kept = self.show(turn);
        self.keep(kept);
    }

    /// What was decided is on disk: serve it, then tell of it. What is returned is for [`Self::keep`],
    /// which no answer has to wait for.
    fn show(&mut self, turn: Turn) -> Kept {
        self.reach.get_mut().later(turn.moved.take());
        self.publisher.publish(turn.view);
        panics::provoke_in_the_end(&turn.notes);
        let published = self.publisher.current();
        self.known.remember(turn.accepted.iter().cloned());
        let mut removed = turn.removed.iter();
        let is_forgotten = removed.any(|zone| self.policy.orphaned.contains(zone));
        if is_forgotten {
            // No stanza asks for its protection, and there is nothing left to protect.
            reload::forget(&mut self.policy, &published);
            self.reach.take();
            self.board.set_orphaned(&self.policy.orphaned);
        }
        let are_values_new = self.freezes != turn.freezes;
        self.freezes = turn.freezes;
        self.board.set_freezes(&self.freezes);
        self.unclaimed
            .forget(|zone| published.zone(zone).is_some_and(|s| s.zone().is_some()));
        self.upkeep.unclaimed(self.unclaimed.sentences());
        let mut changed = BTreeSet::new();
        for note in &turn.notes {
            changed.extend(self.reconsider(note));
            note.count(&self.counters);
            turn::show(&self.board, &published, note);
        }
        if !changed.is_empty() {
            let zones = changed.iter();
            self.standing
                .changed(&self.policy, &published, &self.board, zones);
        }
        let promotion = |(zone, extent)| {
            let served = published.zone(&zone).and_then(|served| served.zone())?;
            Some(Promotion {
                image: served.image.clone(),
                revision: served.revision,
                extent,
            })
        };
        Kept {
            commit: Commit {
                accepted: turn.accepted,
                removed: turn.removed,
                promoted: turn.promotions.into_iter().filter_map(promotion).collect(),
                audit_head: turn.audit_head,
            },
            are_values_new,
            is_policy_new: is_forgotten,
            notes: turn.notes,
        }
    }

    /// Gives to snapshot and log what they are to have of a turn.
    fn keep(&mut self, kept: Kept) {
        let Kept {
            commit,
            are_values_new,
            is_policy_new,
            notes,
        } = kept;
        notes.iter().for_each(turn::log);
        let lost = self.lost.len();
        for promotion in &commit.promoted {
            self.lost.remove(promotion.image.origin());
        }
        for zone in &commit.removed {
            self.lost.remove(zone);
        }
        let is_less_lost = self.lost.len() < lost;
        self.keeper.committed(commit);
        if is_less_lost {
            self.keep_lost();
        }
        if is_policy_new {
            self.keep_policy();
        }
        if are_values_new {
            self.keep_values();
        }
    }

    fn answer_all(&self, jobs: Vec<Job>, outcome: &Outcome) {
        for job in jobs {
            job.answer(outcome.clone());
        }
    }

    /// What the snapshot carries besides the zones.
    fn keep_values(&self) {
        let freezes = serde_json::to_string(&self.freezes).expect("texts and numbers are JSON");
        self.keeper.keep("freezes", freezes);
        self.keeper.keep("policies", self.policy.to_json());
        self.keep_lost();
    }

    fn keep_lost(&self) {
        let lost = serde_json::to_string(&self.lost).expect("names are JSON");
        self.keeper.keep("lost", lost);
    }

    /// The zone that has another image now, if the note is of one.
    fn reconsider(&mut self, note: &Note) -> Option<Name> {
        match note {
            Note::Committed { zone, outcome, .. } if outcome.revision == 1 => {
                self.standing.is_to_check(zone);
                Some(zone.clone())
            }
            Note::Committed { zone, .. } | Note::Edited { zone, .. } => {
                self.standing.may_have_mended(zone);
                Some(zone.clone())
            }
            Note::Admitted { zone, findings } => {
                if !findings.is_empty() {
                    self.standing.is_flawed(zone);
                }
                Some(zone.clone())
            }
            Note::Held {
                zone,
                reason: Some(_),
                ..
            }
            | Note::Traced { zone, .. }
            | Note::Released { zone } => Some(zone.clone()),
            _ => None,
        }
    }

    fn reload(&mut self, reload: Reload) {
        let published = self.publisher.current();
        let considered =
            reload::consider(&self.policy, &published, &reload.settings, reload.weaker);
        let outcome = match considered {
            Err(refused) => refused,
            Ok((mut policy, weaker)) => {
                for less in &weaker {
                    tracing::warn!("less protection by reload: {less}");
                }
                let (view, gone) = reload::forget(&mut policy, &published);
                self.policy = policy;
                self.reach.take();
                self.keep_policy();
                self.settings.zones = reload.settings.zones;
                self.settings.keys = reload.settings.keys;
                let (view, unknown) = reload::unknown(&self.policy, &view);
                self.standing.wait_for(&unknown, &view);
                let mut turn = Turn::new(view, self.freezes.clone());
                turn.notes.extend(unknown.iter().map(|zone| Note::Held {
                    zone: zone.clone(),
                    reason: None,
                    mend: format!("lastgood zone import {zone} FILE"),
                }));
                self.finish(turn);
                let published = self.publisher.current();
                for zone in &gone {
                    self.board.note_zone(&published, zone);
                }
                let zones: Vec<Name> = self.policy.zones.keys().cloned().collect();
                self.standing
                    .changed(&self.policy, &published, &self.board, zones.iter());
                let orphaned = self.policy.orphaned.iter().cloned().collect();
                Reloaded::Done {
                    orphaned,
                    unknown,
                    weaker,
                }
            }
        };
        let _ = reload.reply.send(outcome);
    }

    fn keep_policy(&mut self) {
        self.board.set_orphaned(&self.policy.orphaned);
        let policies = self.policy.to_json();
        let written = self.custody.store().map(|store| {
            let tx: Transaction<'_> = store.begin()?;
            tx.set_value("policies", &policies)?;
            tx.commit()
        });
        if let Some(Err(error)) = written {
            // The snapshot has it too, and the next reload or start writes it again.
            tracing::error!("the policies could not be written to the store: {error}");
        }
        self.keeper.keep("policies", policies);
    }
}

#[cfg(test)]
mod tests;
