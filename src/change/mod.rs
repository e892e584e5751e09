//! The only way in: every change of a zone, whoever asks for it, is submitted here.
//!
//! One thread writes. It takes what waits as one group: one transaction, each submission judged in
//! turn on images in memory, accepted diffs and audit rows written, one commit, one swap of what is
//! served, then the answers. Between groups it watches the store for edits by others.
//!
//! Read in order: `writer` (the thread and the group), `turn` (what becomes true with it), `decide`
//! and `judge` (one submission; `unscanned` those that are not well formed), `weigh` (what the rules
//! make of it), `members` (what they are told of protected names), `startup` and `admission` (store
//! or snapshot), `reconcile` (rows that differ from what is served), `edits` (taking them in, or
//! holding), `ending` (ways out of a hold), `custody` (losing and regaining the store), `scrubber`
//! (looking for damage), `alarm` (holds that last), `reload` and `policy` (a new configuration, and
//! the last one of zones that it does not name), `account` (audit rows), `repair` (what to tell the
//! operator), `standing` (what a zone is served with although it should not be so), `repeats`
//! (refusals in a flood), `known` (updates that are not applied again), `upkeep` and `retention`
//! (what is done while nobody waits), `board` (status).
//! Not here: what a rule says (`guard`), what a fit zone is (`check`), how rows are kept (`store`).

mod account;
mod admission;
mod alarm;
mod board;
mod custody;
mod decide;
mod edits;
mod ending;
mod judge;
mod known;
mod members;
mod policy;
mod reach;
mod reconcile;
mod reload;
mod repair;
mod repeats;
mod retention;
mod scrubber;
mod standing;
mod startup;
mod turn;
mod unclaimed;
mod unscanned;
mod upkeep;
mod weigh;
mod writer;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, TrySendError};
use std::time::Duration;

use serde::Serialize;
use tokio::sync::oneshot;

pub use board::{LastRefusal, LastUpdate, ZoneStatus};
pub use policy::ZonePolicy;
pub use reload::Reloaded;

pub use crate::publish::{SnapshotStatus, SnapshotZone};

use policy::Policy;

use crate::guard::{Actor, Freeze, FreezeScope, Override, Path, Permit};
use crate::metrics::{Counters, Fate};
use crate::publish::KeeperStatus;
use crate::rr::message::Rcode;
use crate::rr::{Name, Record};
use crate::store;
use crate::update::UpdateMessage;
use crate::zone::{Reader, Writer};

#[derive(Debug, Clone)]
pub struct Settings {
    pub store: store::Settings,
    /// There was a store once: where neither it nor the snapshot is there, both were lost, and this is
    /// no first start. Told by whoever holds the lock.
    pub had_store: bool,
    pub zones: Vec<ZonePolicy>,
    pub keys: Vec<(Name, Vec<Permit>)>,
    /// Submissions that may wait; one more is answered SERVFAIL.
    pub queue: usize,
    /// How often the store is watched while nothing is submitted.
    pub poll: Duration,
    /// How often store and snapshot are read through for damage; `None`: after a start, and when
    /// something asks for it.
    pub scrub: Option<Duration>,
}

/// One change asked for.
#[derive(Debug)]
pub struct Submission {
    pub zone: Name,
    pub actor: Actor,
    pub path: Path,
    pub source: Option<SocketAddr>,
    pub transport: Option<&'static str>,
    pub body: Body,
    pub override_: Option<Override>,
}

#[derive(Debug)]
pub enum Body {
    /// RFC 2136, with the MAC that its TSIG carried.
    Update {
        message: UpdateMessage,
        mac: Vec<u8>,
    },
    /// The records of a zone file.
    Import {
        records: Vec<Record>,
        replace: bool,
    },
    /// Take a zone away.
    Remove,
    /// Take the live rows of a zone that holds as they are.
    Accept,
    /// Write the live rows of a zone that holds anew from what is served.
    Restore,
    Freeze {
        scope: FreezeScope,
        reason: String,
    },
    Thaw {
        scope: FreezeScope,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Committed(Committed),
    /// Accepted, and nothing was different afterwards.
    Unchanged {
        reference: String,
        ignored: Vec<String>,
    },
    Refused(Refused),
    /// The request was wrong, or a prerequisite did not hold.
    Failed {
        #[serde(serialize_with = "as_text")]
        rcode: Rcode,
        reason: String,
    },
    /// Our own breakage: nothing was decided and nothing changed.
    Unavailable {
        reason: String,
    },
}

fn as_text<S: serde::Serializer>(rcode: &Rcode, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(rcode)
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Committed {
    /// Of the audit row; see `lastgood why`.
    pub reference: String,
    pub revision: u64,
    pub old_serial: Option<u32>,
    pub new_serial: u32,
    /// Records that went and came, the SOA not counted.
    pub removed: usize,
    pub added: usize,
    /// What RFC 2136 says to ignore silently.
    pub ignored: Vec<String>,
    pub warnings: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refused {
    /// Empty when the store could not take an audit row.
    pub reference: String,
    pub rule: String,
    pub reason: String,
    /// What would be let in.
    pub accepted: String,
    pub why: RefusedWhy,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusedWhy {
    Guard,
    Prohibited,
    NotReady,
}

/// Takes an outcome to who waits for it.
type Reply = Box<dyn FnOnce(Outcome) + Send>;

/// A submission and where its outcome goes. One that is dropped without an answer, by a panic, gets
/// one all the same.
struct Job {
    submission: Submission,
    reply: Option<Reply>,
    counters: Counters,
}

impl Job {
    fn new(submission: Submission, reply: Reply, counters: &Counters) -> Job {
        Job {
            submission,
            reply: Some(reply),
            counters: counters.clone(),
        }
    }

    /// Counts the outcome, then tells it: whoever knows it finds it counted.
    fn answer(mut self, outcome: Outcome) {
        self.tell(outcome);
    }

    fn tell(&mut self, outcome: Outcome) {
        if let Some(reply) = self.reply.take() {
            outcome.count(&self.counters, self.submission.path);
            // What goes wrong on the way to one who waits must not be told to the others.
            if catch_unwind(AssertUnwindSafe(|| reply(outcome))).is_err() {
                tracing::error!("the answer to a change caused a panic and was not given");
            }
        }
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        let reason = "the server failed in the middle of it; see its log".into();
        self.tell(Outcome::Unavailable { reason });
    }
}

impl Outcome {
    fn count(&self, counters: &Counters, path: Path) {
        let fate = match self {
            Outcome::Committed(_) => Fate::Committed,
            Outcome::Unchanged { .. } => Fate::Unchanged,
            Outcome::Refused(refused) => {
                counters.refusal(&refused.rule);
                Fate::Refused
            }
            Outcome::Failed { .. } => Fate::Failed,
            Outcome::Unavailable { .. } => Fate::Unavailable,
        };
        counters.update(path.as_str(), fate);
    }
}

enum Order {
    Job(Box<Job>),
    Reload(Box<reload::Reload>),
    Scrubbed(Box<scrubber::Report>),
    Stop,
}

/// The door to the writer's thread. Clones lead to the same thread.
#[derive(Clone)]
pub struct Handle {
    orders: SyncSender<Order>,
    board: Arc<board::Board>,
    keeper: KeeperStatus,
    scrub: scrubber::Bell,
    thread: Arc<std::sync::Mutex<Option<std::thread::JoinHandle<()>>>>,
    counters: Counters,
}

/// A writer that has begun.
pub struct Started {
    pub handle: Handle,
    /// Zones of the configuration that neither store nor snapshot has ever known: theirs is the
    /// first import.
    pub unknown: Vec<Name>,
    /// Whether a store could be opened, or made.
    pub has_store: bool,
}

/// Opens store and snapshot, publishes what is fit, and starts the writer's thread. A store that
/// is lost or damaged is no reason not to start: what the snapshot has is served.
pub fn start(settings: Settings, counters: Counters, publish: Writer, reader: Reader) -> Started {
    let board = Arc::new(board::Board::default());
    let (orders, incoming) = std::sync::mpsc::sync_channel(settings.queue.max(1));
    let (mut writer, unknown) = writer::WriterThread::new(
        settings,
        counters.clone(),
        publish,
        reader,
        board.clone(),
        orders.clone(),
    );
    let (keeper, scrub) = (writer.keeper_status(), writer.bell());
    let has_store = writer.has_store();
    let told = (board.clone(), counters.clone());
    let thread = std::thread::Builder::new()
        .name("writer".into())
        .spawn(move || writer::run_to_the_end(writer, incoming, told))
        .expect("a thread can be started");
    let thread = Arc::new(std::sync::Mutex::new(Some(thread)));
    Started {
        handle: Handle {
            orders,
            board,
            keeper,
            scrub,
            thread,
            counters,
        },
        unknown,
        has_store,
    }
}

impl Handle {
    /// Hands a change to the writer. Never blocks: a full queue answers at once.
    pub fn submit(&self, submission: Submission) -> oneshot::Receiver<Outcome> {
        let (reply, outcome) = oneshot::channel();
        self.submit_to(submission, move |outcome| {
            // Nobody waits any more where a client has gone away.
            let _ = reply.send(outcome);
        });
        outcome
    }

    /// As [`Handle::submit`], with the outcome given to `reply`: mostly on the writer's thread, which
    /// must not be made to wait there.
    pub fn submit_to(&self, submission: Submission, reply: impl FnOnce(Outcome) + Send + 'static) {
        let job = Job::new(submission, Box::new(reply), &self.counters);
        if let Err(error) = self.orders.try_send(Order::Job(Box::new(job))) {
            let (order, reason) = match error {
                TrySendError::Full(order) => (order, "too many updates are waiting".into()),
                TrySendError::Disconnected(order) => {
                    let death = self.board.death();
                    (
                        order,
                        death.unwrap_or_else(|| "the server is stopping".into()),
                    )
                }
            };
            if let Order::Job(job) = order {
                job.answer(Outcome::Unavailable { reason });
            }
        }
    }

    pub fn status(&self) -> Vec<ZoneStatus> {
        let snapshot = self.snapshot();
        let kept: HashMap<&Name, &SnapshotZone> = snapshot
            .zones
            .iter()
            .map(|zone| (&zone.zone, zone))
            .collect();
        let mut zones = self.board.zones();
        for zone in &mut zones {
            if let Some(kept) = kept.get(&zone.zone) {
                zone.snapshot_revision = Some(kept.revision);
                zone.snapshot_lag_secs = Some(kept.lag_secs);
            }
        }
        zones
    }

    /// How far the last-known-good snapshot has come.
    pub fn snapshot(&self) -> SnapshotStatus {
        self.keeper.status()
    }

    /// Puts new policies and keys in force, or says why not. With `weaker`, less protection than
    /// before is let in.
    pub fn reload(&self, settings: Settings, weaker: bool) -> oneshot::Receiver<Reloaded> {
        let (reply, outcome) = oneshot::channel();
        let order = Order::Reload(Box::new(reload::Reload {
            settings,
            weaker,
            reply,
        }));
        // Without a thread the receiver learns from the dropped sender.
        let _ = self.orders.try_send(order);
        outcome
    }

    /// Has store and snapshot read through soon, because something about them is odd.
    pub fn scrub(&self) {
        self.scrub.ring();
    }

    /// The last refusal of a key, in one line.
    pub fn last_refusal(&self, key: &Name) -> Option<String> {
        self.board.last_refusal(key)
    }

    pub fn freezes(&self) -> Vec<Freeze> {
        self.board.freezes()
    }

    /// What is odd about the store though nothing holds, a sentence each.
    pub fn notices(&self) -> Vec<String> {
        self.board.notices()
    }

    /// Why changes fail, where they do whoever asks for them.
    pub fn failing(&self) -> Option<String> {
        self.board.trouble()
    }

    /// Finishes what was submitted before, closes the store and ends the thread.
    pub fn stop(&self) {
        let _ = self.orders.send(Order::Stop);
        let thread = self
            .thread
            .lock()
            .expect("nobody panics with this lock")
            .take();
        if let Some(thread) = thread
            && thread.join().is_err()
        {
            tracing::error!("the writer thread had panicked");
        }
    }
}
