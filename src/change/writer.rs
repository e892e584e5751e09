//! The writer's thread: one group of submissions, one transaction, one swap.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Instant;

use super::board::Board;
use super::custody::{Custody, Loss, Watched};
use super::decide::decide;
use super::policy::{self, Policy};
use super::reach::Reach;
use super::reconcile::{self, Desk};
use super::reload::{self, Reload, Reloaded};
use super::repeats::Repeats;
use super::standing::Standing;
use super::startup::{self, Keepsake, Opened};
use super::turn::{Note, Turn, tell};
use super::upkeep::Upkeep;
use super::{Body, Job, Order, Outcome, Settings};
use super::{account, admission};
use crate::guard::Freeze;
use crate::metrics::{Clock, Counters};
use crate::publish::{Keeper, KeeperStatus, Publisher};
use crate::rr::Name;
use crate::store::{StoreError, Transaction};
use crate::zone::{Digest, Published, Reader, Served, Writer};

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
    judged: HashMap<Name, Digest>,
    standing: Standing,
    repeats: Repeats,
    reach: RefCell<Reach>,
    upkeep: Upkeep,
    board: Arc<Board>,
    counters: Counters,
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
    ) -> (WriterThread, Vec<Name>) {
        let Opened {
            store,
            snapshot,
            mut snapshot_unfit,
        } = startup::open(&settings.store);
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
                reader,
            ),
            ceilings: keepsake.ceilings.clone(),
            repeats: Repeats::default(),
            reach: RefCell::default(),
            upkeep: Upkeep::new(settings.store.retention),
            settings,
            freezes: Vec::new(),
            lost: BTreeSet::new(),
            judged: HashMap::new(),
            standing: Standing::default(),
            board,
            counters,
        };
        let unknown = thread.begin(&keepsake, snapshot_unfit);
        thread.keeper.catch_up();
        thread.keep_values();
        thread.upkeep.tell_head(&mut thread.custody);
        (thread, unknown)
    }

    pub(super) fn keeper_status(&self) -> KeeperStatus {
        self.keeper.status()
    }

    fn begin(&mut self, keepsake: &Keepsake, snapshot_unfit: bool) -> Vec<Name> {
        let mut turn = match self.begin_with_store(keepsake) {
            Some(Ok(turn)) => turn,
            Some(Err(error)) => {
                tracing::error!(store = %self.custody.path().display(), "store: {error}");
                self.custody.distrust();
                self.begin_without_store(keepsake, Loss::at_start(&self.settings.store, &error))
            }
            None => {
                let loss = self.custody.loss_at_start();
                self.begin_without_store(keepsake, loss)
            }
        };
        let is_lost = self.custody.store().is_none();
        if !is_lost && !snapshot_unfit {
            (turn.view, _) = reload::forget(&mut self.policy, &turn.view);
        }
        let (view, mut unknown) = reload::unknown(&self.policy, &turn.view);
        turn.view = view;
        self.reach.take();
        // Whether these were ever served nobody can tell: importing their file might put an old
        // zone in the place of what was lost, at this start or at a later one.
        self.lost = keepsake.lost();
        if snapshot_unfit || (is_lost && !keepsake.is_there()) {
            self.lost.extend(unknown.iter().cloned());
        }
        let reason = match is_lost {
            true => "the store is lost, and the snapshot has no version fit to be served",
            false => "store and snapshot have lost it",
        };
        unknown.retain(|zone| {
            let is_lost = is_lost || self.lost.contains(zone);
            if is_lost {
                let mend = format!("lastgood zone import {zone} FILE");
                turn.hold(zone, reason, mend);
            }
            !is_lost
        });
        self.standing.wait_for(&unknown, &turn.view);
        self.finish(turn);
        self.board.set_orphaned(&self.policy.orphaned);
        let published = self.publisher.current();
        for served in published.zones() {
            self.board.note_zone(&published, served.origin());
        }
        if !is_lost {
            startup::recall(&self.settings.store, &self.board);
        }
        unknown
    }

    /// `None` when there is no store.
    fn begin_with_store(&mut self, keepsake: &Keepsake) -> Option<Result<Turn, StoreError>> {
        let path = self.settings.store.path.clone();
        let store = self.custody.store()?;
        let mut begin = || {
            let tx = store.begin()?;
            // A store that was put back may be older than the snapshot: nothing that protects is
            // forgotten for that.
            let mut kept = read_policies(tx.value("policies")?.as_deref());
            kept.extend(keepsake.policies());
            self.policy = Policy::new(&self.settings, kept);
            tx.set_value("policies", &self.policy.to_json())?;
            let freezes = startup::all_freezes(&tx, keepsake)?;
            let mut turn = Turn::new(Published::default(), freezes);
            let mut desk = Desk {
                policy: &self.policy,
                path: &path,
                ceilings: &self.ceilings,
                keepsake,
                judged: &mut self.judged,
                repeats: &mut self.repeats,
                reach: &self.reach,
            };
            admission::at_start(&mut desk, &tx, &mut turn)?;
            let version = tx.data_version()?;
            let reserve = turn.to_reserve(&self.ceilings);
            if !reserve.is_empty()
                && let Err(error) = self.keeper.reserve(reserve.clone())
            {
                // Its serials are above those served before all the same: the store knows them.
                tracing::error!("no serials can be reserved: {error}");
            }
            tx.commit()?;
            self.ceilings.extend(reserve);
            Ok((turn, version))
        };
        let begun = begin();
        Some(begun.map(|(turn, version)| {
            self.custody.committed(version);
            self.counters.store_seen();
            turn
        }))
    }

    fn begin_without_store(&mut self, keepsake: &Keepsake, loss: Loss) -> Turn {
        self.policy = Policy::new(&self.settings, keepsake.policies());
        let mut turn = Turn::new(Published::default(), keepsake.freezes());
        let desk = Desk {
            policy: &self.policy,
            path: &self.settings.store.path,
            ceilings: &self.ceilings,
            keepsake,
            judged: &mut self.judged,
            repeats: &mut self.repeats,
            reach: &self.reach,
        };
        let zones: Vec<Name> = keepsake.zones().cloned().collect();
        for zone in &zones {
            startup::without_rows(&desk, &mut turn, zone, &loss.reason, &loss.mend);
        }
        turn
    }

    pub(super) fn run(mut self, incoming: &Receiver<Order>) {
        let mut stop = false;
        while !stop {
            let (mut jobs, mut reloads) = (Vec::new(), Vec::new());
            let mut take = |order| match order {
                Order::Job(job) => jobs.push(*job),
                Order::Reload(reload) => reloads.push(*reload),
                Order::Stop => stop = true,
            };
            match incoming.recv_timeout(self.settings.poll) {
                Ok(order) => take(order),
                Err(RecvTimeoutError::Disconnected) => take(Order::Stop),
                Err(RecvTimeoutError::Timeout) => {}
            }
            for order in incoming.try_iter().take(GROUP_MAX - 1) {
                take(order);
            }
            self.turn(jobs);
            for reload in reloads {
                self.reload(reload);
            }
        }
        self.repeats.end(Instant::now());
        if self.repeats.is_due(Instant::now()) {
            self.turn(Vec::new());
        }
        self.upkeep.tell_head(&mut self.custody);
        self.custody.close();
    }

    /// Watches the store, then decides what waits.
    fn turn(&mut self, jobs: Vec<Job>) {
        let published = self.publisher.current();
        match self.custody.watch(&published) {
            Err(loss) => {
                self.hold_all(&loss);
                return self.without_store(jobs, &loss);
            }
            Ok(Watched::Same) if jobs.is_empty() && !self.repeats.is_due(Instant::now()) => {
                self.counters.store_seen();
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

    /// The store is lost: there will be another one if somebody asks for it.
    fn without_store(&mut self, jobs: Vec<Job>, loss: &Loss) {
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

    /// Decides a group.
    fn settle(&mut self, jobs: Vec<Job>) {
        let counters = self.counters.clone();
        let mut clock = counters.clock();
        match self.group(&jobs, &mut clock) {
            Ok((turn, outcomes)) => {
                self.repeats.keep();
                self.finish(turn);
                clock.published();
                counters.store_seen();
                for (job, outcome) in jobs.into_iter().zip(outcomes) {
                    job.answer(&counters, outcome);
                }
                self.upkeep.committed(&mut self.custody);
            }
            Err(error) => {
                self.repeats.roll_back();
                self.failed(jobs, error);
            }
        }
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
        made.is_ok()
    }

    fn failed(&mut self, jobs: Vec<Job>, error: TurnError) {
        let (is_reading, error) = match error {
            TurnError::Reading(error) => (true, error),
            TurnError::Writing(error) => (false, error),
            TurnError::Snapshot(error) => {
                tracing::error!("no serials can be reserved: {error}");
                let reason = format!("the snapshot failed: {error}");
                return self.answer_all(jobs, &Outcome::Unavailable { reason });
            }
        };
        // Another process writes: whoever asked may ask again.
        let is_busy = matches!(error, StoreError::Busy);
        if !is_busy {
            self.custody.distrust();
            // What was said of edits by hand was rolled back: it is to be said again.
            self.judged.clear();
        }
        if is_reading && !is_busy {
            let loss = Loss {
                reason: format!("the store cannot be read: {error}"),
                mend: self.custody.mend(),
            };
            self.hold_all(&loss);
            return self.without_store(jobs, &loss);
        }
        tracing::error!(store = %self.custody.path().display(), "store: {error}");
        let reason = format!("the store failed: {error}");
        self.answer_all(jobs, &Outcome::Unavailable { reason });
    }

    fn hold_all(&mut self, loss: &Loss) {
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

    fn group(
        &mut self,
        jobs: &[Job],
        clock: &mut Clock<'_>,
    ) -> Result<(Turn, Vec<Outcome>), TurnError> {
        let mut turn = Turn::new((*self.publisher.current()).clone(), self.freezes.clone());
        let path = self.settings.store.path.clone();
        let agreed = self.custody.agreed();
        let store = self.custody.store().expect("watched just now");
        let tx = store.begin().map_err(TurnError::Writing)?;
        let version = tx.data_version().map_err(TurnError::Reading)?;
        let keepsake = Keepsake::default();
        let mut desk = Desk {
            policy: &self.policy,
            path: &path,
            ceilings: &self.ceilings,
            keepsake: &keepsake,
            judged: &mut self.judged,
            repeats: &mut self.repeats,
            reach: &self.reach,
        };
        if agreed != Some(version) {
            reconcile::all(&mut desk, &tx, &mut turn).map_err(TurnError::Reading)?;
            self.upkeep.look_again();
        }
        desk.repeats
            .close(&tx, Instant::now())
            .map_err(TurnError::Writing)?;
        let outcomes = jobs
            .iter()
            .map(|job| decide(&mut desk, &tx, &mut turn, &job.submission, clock))
            .collect::<Result<Vec<Outcome>, StoreError>>()
            .map_err(TurnError::Writing)?;
        let reserve = turn.to_reserve(&self.ceilings);
        if !reserve.is_empty() {
            self.keeper
                .reserve(reserve.clone())
                .map_err(TurnError::Snapshot)?;
        }
        let head = tx.audit_head().map_err(TurnError::Writing)?;
        tx.commit().map_err(TurnError::Writing)?;
        clock.committed();
        self.ceilings.extend(reserve);
        self.custody.committed(version);
        if !turn.notes.is_empty() {
            self.keeper.keep("audit_head", head);
        }
        Ok((turn, outcomes))
    }

    /// What was decided is on disk: serve it, then tell of it.
    fn finish(&mut self, turn: Turn) {
        self.reach.get_mut().later(turn.moved.take());
        self.publisher.publish(turn.view);
        let published = self.publisher.current();
        for zone in &turn.removed {
            self.keeper.remove(zone);
        }
        let lost = self.lost.len();
        self.lost
            .retain(|zone| !turn.promotions.contains_key(zone) && !turn.removed.contains(zone));
        if self.lost.len() < lost {
            self.keep_lost();
        }
        if turn
            .removed
            .iter()
            .any(|z| self.policy.orphaned.contains(z))
        {
            // No stanza asks for its protection, and there is nothing left to protect.
            reload::forget(&mut self.policy, &published);
            self.reach.take();
            self.keep_policy();
        }
        for (zone, extent) in turn.promotions {
            if let Some(zone) = published.zone(&zone).and_then(|served| served.zone()) {
                self.keeper
                    .promote(zone.image.clone(), zone.revision, extent);
            }
        }
        if self.freezes != turn.freezes {
            self.freezes = turn.freezes;
            self.keep_values();
        }
        self.board.set_freezes(&self.freezes);
        let mut changed = BTreeSet::new();
        for note in turn.notes {
            changed.extend(self.reconsider(&note));
            note.count(&self.counters);
            tell(&self.board, &published, note);
        }
        if !changed.is_empty() {
            let zones = changed.iter();
            self.standing
                .changed(&self.policy, &published, &self.board, zones);
        }
    }

    fn answer_all(&self, jobs: Vec<Job>, outcome: &Outcome) {
        for job in jobs {
            job.answer(&self.counters, outcome.clone());
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
            | Note::Traced { zone, .. } => Some(zone.clone()),
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

fn read_policies(text: Option<&str>) -> Vec<policy::ZonePolicy> {
    text.map_or_else(Vec::new, policy::from_json)
}
