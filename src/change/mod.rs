//! The only way in: every change of a zone, whoever asks for it, is submitted here.
//!
//! One thread writes. It takes what waits as one group: one transaction, each submission judged in
//! turn on images in memory, accepted diffs and audit rows written, one commit, one swap of what is
//! served, then the answers. Between groups it watches the store for edits by others.
//!
//! Read in order: `writer` (the thread and the group), `turn` (what becomes true with it), `judge`
//! (one submission), `members` (what the guard is told of protected names), `reconcile` (edits by
//! hand, damage, holding), `custody` (losing and regaining the store), `account` (audit rows),
//! `repair` (what to tell the operator), `standing` (what a zone is served with although it should
//! not be so), `board` (status).
//! Not here: what a rule says (`guard`), what a fit zone is (`check`), how rows are kept (`store`).

mod account;
mod board;
mod custody;
mod judge;
mod members;
mod reconcile;
mod repair;
mod standing;
mod turn;
mod writer;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, TrySendError};
use std::time::Duration;

use serde::Serialize;
use tokio::sync::oneshot;

pub use board::{LastRefusal, LastUpdate, ZoneStatus};

use crate::guard::{Actor, Freeze, FreezeScope, Mode, Override, Path, Permit, Protection};
use crate::rr::message::Rcode;
use crate::rr::{Name, Record};
use crate::store::{self, Store, StoreError};
use crate::update::{SerialPolicy, UpdateMessage};
use crate::zone::Writer;

/// What an operator lays down for one zone.
#[derive(Debug, Clone)]
pub struct ZonePolicy {
    pub origin: Name,
    pub serial: SerialPolicy,
    pub protections: Vec<Protection>,
    pub validate: Mode,
    pub min_members: Mode,
    /// Errors of a zone as it is imported are as bad as fatal findings.
    pub strict: bool,
}

impl ZonePolicy {
    /// The policy of a zone that no stanza names.
    pub fn default_for(origin: Name) -> ZonePolicy {
        ZonePolicy {
            origin,
            serial: SerialPolicy::Increment,
            protections: Vec::new(),
            validate: Mode::Enforce,
            min_members: Mode::Enforce,
            strict: false,
        }
    }
}

#[derive(Debug, Clone)]
pub struct Settings {
    pub store: store::Settings,
    pub zones: Vec<ZonePolicy>,
    pub keys: Vec<(Name, Vec<Permit>)>,
    /// Submissions that may wait; one more is answered SERVFAIL.
    pub queue: usize,
    /// How often the store is watched while nothing is submitted.
    pub poll: Duration,
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

/// A submission and where its outcome goes.
struct Job {
    submission: Submission,
    reply: oneshot::Sender<Outcome>,
}

enum Order {
    Job(Box<Job>),
    Stop,
}

/// The door to the writer's thread. Clones lead to the same thread.
#[derive(Clone)]
pub struct Handle {
    orders: SyncSender<Order>,
    board: Arc<board::Board>,
    thread: Arc<std::sync::Mutex<Option<std::thread::JoinHandle<()>>>>,
}

/// Loads and judges what the store holds, publishes what is fit, and starts the writer's thread.
pub fn start(settings: Settings, publish: Writer, store: Store) -> Result<Handle, StoreError> {
    let board = Arc::new(board::Board::default());
    let queue = settings.queue.max(1);
    let writer = writer::WriterThread::new(settings, publish, store, board.clone())?;
    let (orders, incoming) = std::sync::mpsc::sync_channel(queue);
    let thread = std::thread::Builder::new()
        .name("writer".into())
        .spawn(move || writer.run(&incoming))
        .expect("a thread can be started");
    Ok(Handle {
        orders,
        board,
        thread: Arc::new(std::sync::Mutex::new(Some(thread))),
    })
}

impl Handle {
    /// Hands a change to the writer. Never blocks: a full queue answers at once.
    pub fn submit(&self, submission: Submission) -> oneshot::Receiver<Outcome> {
        let (reply, outcome) = oneshot::channel();
        let order = Order::Job(Box::new(Job { submission, reply }));
        if let Err(error) = self.orders.try_send(order) {
            let (order, reason) = match error {
                TrySendError::Full(order) => (order, "too many updates are waiting"),
                TrySendError::Disconnected(order) => (order, "the server is stopping"),
            };
            if let Order::Job(job) = order {
                let _ = job.reply.send(Outcome::Unavailable {
                    reason: reason.into(),
                });
            }
        }
        outcome
    }

    pub fn status(&self) -> Vec<ZoneStatus> {
        self.board.zones()
    }

    /// The last refusal of a key, in one line.
    pub fn last_refusal(&self, key: &Name) -> Option<String> {
        self.board.last_refusal(key)
    }

    pub fn freezes(&self) -> Vec<Freeze> {
        self.board.freezes()
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

/// The policies, by what they are asked for.
struct Policy {
    zones: HashMap<Name, ZonePolicy>,
    permits: HashMap<Name, Vec<Permit>>,
    limits: crate::check::Limits,
}

impl Policy {
    fn new(settings: &Settings) -> Policy {
        Policy {
            zones: settings
                .zones
                .iter()
                .map(|z| (z.origin.clone(), z.clone()))
                .collect(),
            permits: settings.keys.iter().cloned().collect(),
            limits: crate::check::Limits::default(),
        }
    }

    fn zone(&self, origin: &Name) -> std::borrow::Cow<'_, ZonePolicy> {
        match self.zones.get(origin) {
            Some(policy) => std::borrow::Cow::Borrowed(policy),
            None => std::borrow::Cow::Owned(ZonePolicy::default_for(origin.clone())),
        }
    }

    fn permits(&self, actor: &Actor) -> &[Permit] {
        actor
            .key
            .as_ref()
            .and_then(|key| self.permits.get(key))
            .map_or(&[], Vec::as_slice)
    }
}
