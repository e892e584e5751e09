//! The writer's thread: one group of submissions, one transaction, one swap.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};

use super::account::{self, Course, Moment};
use super::board::Board;
use super::custody::{Custody, Loss, Watched};
use super::judge::{self, Decision, Judged};
use super::reconcile::{self, Desk};
use super::turn::{Note, Turn, refused, tell};
use super::{Body, Committed, Job, Order, Outcome, Policy, Settings, Submission, members};
use crate::guard::{Freeze, FreezeScope};
use crate::publish::{self, Publisher};
use crate::rr::{Name, Rtype};
use crate::store::{NewRevision, Store, StoreError, Transaction};
use crate::zone::{Digest, Published, Served, Writer};

/// Submissions that share one commit.
const GROUP_MAX: usize = 256;
/// A message known by its MAC is not applied again: twice the fudge of TSIG (RFC 8945 §5.2.3).
const RETRANSMIT_SECS: u64 = 600;

pub(super) struct WriterThread {
    policy: Policy,
    settings: Settings,
    custody: Custody,
    publisher: Publisher,
    freezes: Vec<Freeze>,
    judged: HashMap<Name, Digest>,
    board: Arc<Board>,
}

enum TurnError {
    /// The rows could not be read.
    Reading(StoreError),
    /// A statement or the commit failed.
    Writing(StoreError),
}

impl WriterThread {
    pub(super) fn new(
        settings: Settings,
        publish: Writer,
        store: Store,
        board: Arc<Board>,
    ) -> Result<WriterThread, StoreError> {
        let mut thread = WriterThread {
            policy: Policy::new(&settings),
            custody: Custody::new(settings.store.clone(), store),
            settings,
            publisher: Publisher::new(publish),
            freezes: Vec::new(),
            judged: HashMap::new(),
            board,
        };
        thread.begin()?;
        Ok(thread)
    }

    /// Serves what the store holds, as far as it is fit.
    fn begin(&mut self) -> Result<(), StoreError> {
        let store = self.custody.store().expect("the store was just opened");
        self.freezes = store
            .freezes()?
            .into_iter()
            .map(|(scope, since_unix, reason, actor)| {
                let scope = scope.parse().map_err(|error: crate::guard::GuardError| {
                    StoreError::Damaged(error.to_string())
                })?;
                Ok(Freeze {
                    scope,
                    since_unix,
                    reason,
                    actor,
                })
            })
            .collect::<Result<_, StoreError>>()?;
        let tx = store.begin()?;
        let mut turn = Turn {
            view: Published::default(),
            freezes: self.freezes.clone(),
            notes: Vec::new(),
        };
        let rows = tx.zones()?;
        let path = self.settings.store.path.clone();
        let mut desk = Desk {
            policy: &self.policy,
            path: &path,
            judged: &mut self.judged,
        };
        for row in &rows {
            reconcile::admit(&mut desk, &tx, &mut turn, row)?;
        }
        for origin in self.policy.zones.keys() {
            if turn.view.zone(origin).is_none() {
                turn.view = publish::held(&turn.view, origin, reconcile::NO_DATA);
            }
        }
        let version = tx.data_version()?;
        tx.commit()?;
        self.custody.committed(version);
        self.report_breaches(&mut turn);
        self.finish(turn);
        self.board.set_freezes(&self.freezes);
        for origin in self.policy.zones.keys() {
            self.board.note_zone(&self.publisher.current(), origin);
        }
        Ok(())
    }

    /// A zone that does not meet its policy at start is served all the same, and says so.
    fn report_breaches(&self, turn: &mut Turn) {
        for zone in self.policy.zones.values() {
            for counted in members::counted(&self.policy, &turn.view, &turn.view, &zone.origin) {
                if counted.after.members < counted.minimum && counted.after.via_outside.is_none() {
                    turn.notes.push(Note::Findings {
                        zone: zone.origin.clone(),
                        finding: format!(
                            "{} {} has {} members; its policy asks for {}",
                            counted.protection_name,
                            counted.rtype,
                            counted.after.members,
                            counted.minimum
                        ),
                    });
                }
            }
        }
    }

    pub(super) fn run(mut self, incoming: &Receiver<Order>) {
        let mut stop = false;
        while !stop {
            let mut jobs = Vec::new();
            match incoming.recv_timeout(self.settings.poll) {
                Ok(Order::Job(job)) => jobs.push(*job),
                Ok(Order::Stop) | Err(RecvTimeoutError::Disconnected) => stop = true,
                Err(RecvTimeoutError::Timeout) => {}
            }
            while jobs.len() < GROUP_MAX {
                match incoming.try_recv() {
                    Ok(Order::Job(job)) => jobs.push(*job),
                    Ok(Order::Stop) => stop = true,
                    Err(_) => break,
                }
            }
            self.turn(jobs);
        }
        self.custody.close();
    }

    /// Watches the store, then decides a group.
    fn turn(&mut self, jobs: Vec<Job>) {
        let published = self.publisher.current();
        match self.custody.watch(&published) {
            Err(loss) => {
                self.hold_all(&loss);
                return answer_all(jobs, &account::refused_without_store(&loss.reason));
            }
            Ok(Watched::Same) if jobs.is_empty() => return self.custody.checkpoint_when_due(),
            Ok(_) => {}
        }
        match self.group(&jobs) {
            Ok((turn, outcomes)) => {
                self.finish(turn);
                for (job, outcome) in jobs.into_iter().zip(outcomes) {
                    let _ = job.reply.send(outcome);
                }
            }
            Err(error) => self.failed(jobs, error),
        }
    }

    fn failed(&mut self, jobs: Vec<Job>, error: TurnError) {
        let (is_reading, error) = match error {
            TurnError::Reading(error) => (true, error),
            TurnError::Writing(error) => (false, error),
        };
        tracing::error!(store = %self.custody.path().display(), "store: {error}");
        let unavailable = Outcome::Unavailable {
            reason: format!("the store failed: {error}"),
        };
        answer_all(jobs, &unavailable);
        if matches!(error, StoreError::Busy) {
            return;
        }
        self.custody.distrust();
        // What was said of edits by hand was rolled back: it is to be said again.
        self.judged.clear();
        if is_reading {
            self.hold_all(&Loss {
                reason: format!("the store cannot be read: {error}"),
                mend: format!(
                    "put a whole copy of the database back at {}; `lastgood zone export NAME` \
                     prints what is served",
                    self.custody.path().display()
                ),
            });
        }
    }

    fn hold_all(&mut self, loss: &Loss) {
        let published = self.publisher.current();
        let mut turn = Turn {
            view: (*published).clone(),
            freezes: self.freezes.clone(),
            notes: Vec::new(),
        };
        for served in published.zones() {
            let reason = match &**served {
                Served::Zone(zone) => zone.hold.as_ref().map(|hold| &hold.reason),
                Served::Unavailable { reason, .. } => Some(reason),
            };
            if reason != Some(&loss.reason) {
                turn.hold(served.origin(), &loss.reason, loss.mend.clone());
            }
        }
        if !turn.notes.is_empty() {
            self.finish(turn);
        }
    }

    fn group(&mut self, jobs: &[Job]) -> Result<(Turn, Vec<Outcome>), TurnError> {
        let mut turn = Turn {
            view: (*self.publisher.current()).clone(),
            freezes: self.freezes.clone(),
            notes: Vec::new(),
        };
        let path = self.settings.store.path.clone();
        let agreed = self.custody.agreed();
        let store = self.custody.store().expect("watched just now");
        let tx = store.begin().map_err(TurnError::Writing)?;
        let version = tx.data_version().map_err(TurnError::Reading)?;
        if agreed != Some(version) {
            let mut desk = Desk {
                policy: &self.policy,
                path: &path,
                judged: &mut self.judged,
            };
            reconcile::all(&mut desk, &tx, &mut turn).map_err(TurnError::Reading)?;
        }
        let outcomes = jobs
            .iter()
            .map(|job| decide(&self.policy, &tx, &mut turn, &job.submission))
            .collect::<Result<Vec<Outcome>, StoreError>>()
            .map_err(TurnError::Writing)?;
        tx.commit().map_err(TurnError::Writing)?;
        self.custody.committed(version);
        Ok((turn, outcomes))
    }

    /// What was decided is on disk: serve it, then tell of it.
    fn finish(&mut self, turn: Turn) {
        self.publisher.publish(turn.view);
        self.freezes = turn.freezes;
        self.board.set_freezes(&self.freezes);
        let published = self.publisher.current();
        for note in turn.notes {
            tell(&self.board, &published, note);
        }
    }
}

fn answer_all(jobs: Vec<Job>, outcome: &Outcome) {
    for job in jobs {
        let _ = job.reply.send(outcome.clone());
    }
}

/// Judges one submission and writes what comes of it.
fn decide(
    policy: &Policy,
    tx: &Transaction<'_>,
    turn: &mut Turn,
    submission: &Submission,
) -> Result<Outcome, StoreError> {
    let moment = Moment::now();
    let mac = match &submission.body {
        Body::Update { mac, .. } => Some(mac.as_slice()),
        Body::Freeze { scope, reason } => {
            return freeze(tx, turn, submission, scope, Some(reason), moment);
        }
        Body::Thaw { scope } => return freeze(tx, turn, submission, scope, None, moment),
        Body::Import { .. } => None,
    };
    if let Some(mac) = mac
        && let Some((_, reference, _)) =
            tx.find_mac(mac, moment.unix_secs().saturating_sub(RETRANSMIT_SECS))?
    {
        // The same message once more: it has been applied, and gets its first result.
        return Ok(Outcome::Unchanged {
            reference,
            ignored: Vec::new(),
        });
    }
    let stored = match submission.body {
        Body::Import { .. } => tx.zones()?,
        _ => Vec::new(),
    };
    let stored = stored.iter().find(|row| row.origin == submission.zone);
    let judged = judge::judge(
        policy,
        &turn.view,
        &turn.freezes,
        submission,
        stored,
        moment.unix_secs(),
    );
    let mut course = Course::default();
    if let Some(zone) = turn
        .view
        .zone(&submission.zone)
        .and_then(|served| served.zone())
    {
        course.base_revision = Some(zone.revision);
        course.old_serial = zone.image.soa().map(|soa| soa.serial);
    }
    if let Decision::Commit(commit) = &judged.decision {
        let revision = write(tx, submission, commit, moment)?;
        course.revision = Some(revision);
        course.new_serial = Some(commit.new_serial);
        turn.view = publish::live(&turn.view, commit.after.clone(), revision);
    }
    let reference = tx.add_audit(account::row(submission, &judged, course, moment, mac))?;
    Ok(conclude(
        turn, submission, judged, course, reference, moment,
    ))
}

fn write(
    tx: &Transaction<'_>,
    submission: &Submission,
    commit: &judge::Commit,
    moment: Moment,
) -> Result<u64, StoreError> {
    let origin = &submission.zone;
    if commit.whole {
        if !tx.zones()?.iter().any(|row| row.origin == *origin) {
            tx.create_zone(origin)?;
        }
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
        Decision::Unchanged => Outcome::Unchanged {
            reference,
            ignored: judged.ignored,
        },
        Decision::Failed { rcode, reason } => Outcome::Failed { rcode, reason },
        decision @ Decision::Refused { .. } => {
            let refused = refused(&decision, reference);
            turn.notes.push(Note::Refused {
                zone,
                actor,
                refused: refused.clone(),
                moment,
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
