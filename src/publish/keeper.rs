//! Keeps the snapshot up with what is served, on a thread of its own.
//!
//! Promotions are gathered for up to a second and written in one transaction. A snapshot that is
//! damaged, or gone from its path, is set aside and written anew from what is served.

mod rounds;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::os::unix::fs::MetadataExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender, SyncSender};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::rr::Name;
use crate::store::{
    ACCEPTED_MAX, Accepted, Extent, Promotion, RETRANSMIT_US, Snapshot, StoreError, set_aside,
};
use crate::zone::{Reader, ZoneImage};

/// How long promotions are gathered.
const BATCH: Duration = Duration::from_secs(1);
/// The same where a zone is among them that the file has never had: until then nothing stands behind it.
const BATCH_OF_NEW: Duration = Duration::from_millis(50);
/// Commits that the thread is woken for at once, and how long the first of them may wait for that: to
/// be woken for each would cost more than what there is to do.
const BEHIND_MAX: usize = 64;
pub const BEHIND: Duration = Duration::from_millis(20);
/// How long a serial block waits for the disk before the update that needs it fails.
const RESERVE_TIMEOUT: Duration = Duration::from_secs(10);

/// A value with this key has the thread panic in test builds.
const FAULTY: &str = "faulty";

/// How far the snapshot has come.
#[derive(Debug, Clone, Default, Serialize)]
pub struct SnapshotStatus {
    pub path: PathBuf,
    pub zones: Vec<SnapshotZone>,
    /// Since when something waits to be written.
    pub lag_secs: u64,
    /// Why nothing can be written.
    pub trouble: Option<String>,
}

#[derive(Debug, Clone, Serialize)]
pub struct SnapshotZone {
    pub zone: Name,
    pub revision: u64,
    pub records: usize,
    /// No serial above it has been served.
    pub ceiling: Option<u32>,
    pub lag_secs: u64,
}

/// What a commit leaves to the snapshot.
#[derive(Default)]
pub struct Commit {
    /// Updates that are not to be applied again.
    pub accepted: Vec<Arc<Accepted>>,
    pub removed: Vec<Name>,
    pub promoted: Vec<Promotion>,
    /// The end of the audit.
    pub audit_head: Option<String>,
}

impl Commit {
    fn is_empty(&self) -> bool {
        self.accepted.is_empty()
            && self.removed.is_empty()
            && self.promoted.is_empty()
            && self.audit_head.is_none()
    }
}

enum Order {
    Commits(Vec<Commit>),
    Value(&'static str, String),
    /// Compare with what is served, and write where it differs.
    CatchUp(HashMap<Name, Since>),
    /// Somebody who read the file says that it is damaged, or gone.
    Examine(String),
    Reserve(Vec<(Name, u32)>, SyncSender<Result<(), String>>),
    Stop,
}

/// The owners that changed in a zone after a revision, up to the one that is served.
#[derive(Debug, Default)]
pub struct Since {
    pub revision: u64,
    pub owners: BTreeSet<Name>,
}

/// The door to the thread that writes the snapshot.
pub struct Keeper {
    orders: Sender<Order>,
    /// Commits that it was not woken for yet, and since when the first of them is here.
    behind: RefCell<Vec<Commit>>,
    behind_since: Cell<Instant>,
    report: Arc<Mutex<Report>>,
    thread: Option<JoinHandle<()>>,
}

/// Asks how far the snapshot has come.
#[derive(Clone)]
pub struct KeeperStatus(Arc<Mutex<Report>>);

#[derive(Default)]
struct Report {
    path: PathBuf,
    zones: BTreeMap<Name, Promoted>,
    ceilings: HashMap<Name, u32>,
    waiting: HashMap<Name, Instant>,
    trouble: Option<String>,
}

struct Promoted {
    revision: u64,
    records: usize,
}

fn lock(report: &Mutex<Report>) -> std::sync::MutexGuard<'_, Report> {
    report
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

impl KeeperStatus {
    pub fn status(&self) -> SnapshotStatus {
        let report = lock(&self.0);
        let since = |zone: &Name| {
            report
                .waiting
                .get(zone)
                .map_or(0, |at| at.elapsed().as_secs())
        };
        let zones = report.zones.iter().map(|(zone, promoted)| SnapshotZone {
            zone: zone.clone(),
            revision: promoted.revision,
            records: promoted.records,
            ceiling: report.ceilings.get(zone).copied(),
            lag_secs: since(zone),
        });
        SnapshotStatus {
            path: report.path.clone(),
            zones: zones.collect(),
            lag_secs: report.waiting.keys().map(since).max().unwrap_or(0),
            trouble: report.trouble.clone(),
        }
    }
}

impl Keeper {
    /// Starts the thread.
    pub fn start(path: PathBuf, ceilings: HashMap<Name, u32>, reader: Reader) -> Keeper {
        let report = Report {
            path: path.clone(),
            ceilings: ceilings.clone(),
            ..Report::default()
        };
        let report = Arc::new(Mutex::new(report));
        let (orders, incoming) = mpsc::channel();
        let mut worker = Worker {
            file: None,
            snapshot: None,
            path,
            reader,
            pending: BTreeMap::new(),
            removed: BTreeSet::new(),
            values: BTreeMap::new(),
            values_pending: BTreeSet::new(),
            accepted: VecDeque::new(),
            accepted_pending: 0,
            ceilings,
            since: None,
            has_new: false,
            has_failed: false,
            report: report.clone(),
        };
        let thread = std::thread::Builder::new()
            .name("snapshot".into())
            .spawn(move || {
                worker.snapshot = Snapshot::open_existing(&worker.path).ok();
                worker.file = worker.snapshot.as_ref().and_then(|_| file_id(&worker.path));
                worker.run(&incoming);
            })
            .expect("a thread can be started");
        Keeper {
            orders,
            behind: RefCell::default(),
            behind_since: Cell::new(Instant::now()),
            report,
            thread: Some(thread),
        }
    }

    pub fn status(&self) -> KeeperStatus {
        KeeperStatus(self.report.clone())
    }

    /// To be called once, when what is to be served after the start is published. What changed since
    /// the revision that the file has is all that is written, where that is known.
    pub fn catch_up(&self, since: HashMap<Name, Since>) {
        self.send(Order::CatchUp(since));
    }

    /// The snapshot was found damaged, or gone: where that is so, it is written anew.
    pub fn examine(&self, why: String) {
        self.send(Order::Examine(why));
    }

    /// Takes over a commit whole; the thread is woken for many at once, or by [`Keeper::pass_on`].
    pub fn committed(&self, commit: Commit) {
        if commit.is_empty() {
            return;
        }
        let mut behind = self.behind.borrow_mut();
        if behind.is_empty() {
            self.behind_since.set(Instant::now());
        }
        behind.push(commit);
        let is_due = behind.len() >= BEHIND_MAX || self.behind_since.get().elapsed() >= BEHIND;
        drop(behind);
        if is_due {
            self.pass_on();
        }
    }

    /// Whether [`Keeper::pass_on`] is to be called within [`BEHIND`].
    pub fn is_behind(&self) -> bool {
        !self.behind.borrow().is_empty()
    }

    /// As [`Keeper::pass_on`], where the first of them has waited for long enough.
    pub fn pass_on_late(&self) {
        if self.is_behind() && self.behind_since.get().elapsed() >= BEHIND {
            self.pass_on();
        }
    }

    pub fn pass_on(&self) {
        let commits = self.behind.take();
        if !commits.is_empty() && self.orders.send(Order::Commits(commits)).is_err() {
            lock(&self.report).trouble = Some("its thread has ended".into());
        }
    }

    pub fn keep(&self, key: &'static str, value: String) {
        self.send(Order::Value(key, value));
    }

    /// Writes serial ceilings; on disk when this returns.
    pub fn reserve(&self, ceilings: Vec<(Name, u32)>) -> Result<(), String> {
        let (reply, answer) = mpsc::sync_channel(1);
        self.send(Order::Reserve(ceilings, reply));
        answer
            .recv_timeout(RESERVE_TIMEOUT)
            .unwrap_or_else(|_| Err("the snapshot's disk does not answer".into()))
    }

    fn send(&self, order: Order) {
        self.pass_on();
        if self.orders.send(order).is_err() {
            lock(&self.report).trouble = Some("its thread has ended".into());
        }
    }
}

impl Drop for Keeper {
    /// Writes what still waits.
    fn drop(&mut self) {
        self.send(Order::Stop);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the snapshot's thread had panicked");
        }
    }
}

/// Device and inode, and the octets: it grows, and never shrinks by what we do.
type FileId = ((u64, u64), u64);

fn file_id(path: &Path) -> Option<FileId> {
    std::fs::metadata(path)
        .ok()
        .map(|meta| ((meta.dev(), meta.ino()), meta.size()))
}

struct Worker {
    path: PathBuf,
    snapshot: Option<Snapshot>,
    /// Of the file that we have open.
    file: Option<FileId>,
    reader: Reader,
    pending: BTreeMap<Name, Promotion>,
    removed: BTreeSet<Name>,
    values: BTreeMap<&'static str, String>,
    values_pending: BTreeSet<&'static str>,
    /// The latest, the oldest first; of these so many, at the end, are not written yet.
    accepted: VecDeque<Arc<Accepted>>,
    accepted_pending: usize,
    ceilings: HashMap<Name, u32>,
    /// When the oldest of what is pending came.
    since: Option<Instant>,
    /// Zones wait that the file has never had.
    has_new: bool,
    /// It panicked: what it knows of the file is not to be trusted.
    has_failed: bool,
    report: Arc<Mutex<Report>>,
}

impl Worker {
    fn run(&mut self, incoming: &Receiver<Order>) {
        loop {
            let wait = self.since.map_or(BATCH * 5, |since| {
                self.batch().saturating_sub(since.elapsed())
            });
            let order = match incoming.recv_timeout(wait) {
                Ok(Order::Stop) | Err(RecvTimeoutError::Disconnected) => {
                    self.survive(Worker::flush);
                    if let Some(Err(error)) = self.snapshot.take().map(Snapshot::close) {
                        tracing::error!(snapshot = %self.path.display(), "snapshot: {error}");
                    }
                    return;
                }
                Ok(order) => Some(order),
                Err(RecvTimeoutError::Timeout) => None,
            };
            self.survive(|worker| worker.work(order));
        }
    }

    fn reserve(&mut self, ceilings: Vec<(Name, u32)>) -> Result<(), String> {
        if !self.is_ours() {
            self.begin_anew("it could not be read, or is not there");
        }
        self.ceilings.extend(ceilings.iter().cloned());
        let mut outcome = self.write_ceilings(&ceilings);
        if let Err(StoreError::Damaged(why)) = &outcome {
            // Nothing else would mend it: without serials there are no updates to be promoted.
            let why = why.clone();
            self.begin_anew(&why);
            outcome = self.write_ceilings(&ceilings);
        }
        let outcome = outcome.map_err(|error| error.to_string());
        let mut report = lock(&self.report);
        report.ceilings.extend(ceilings);
        if let Err(error) = &outcome {
            report.trouble = Some(error.clone());
        }
        outcome
    }

    fn write_ceilings(&mut self, ceilings: &[(Name, u32)]) -> Result<(), StoreError> {
        match &mut self.snapshot {
            Some(snapshot) => snapshot.reserve(ceilings),
            None => Err(StoreError::Gone(self.path.clone())),
        }
    }

    /// After a start: what is another revision than the one served is written. Whether the rest adds up
    /// is for a scrub to say, since that takes long, and updates may have to wait for serials.
    fn catch_up(&mut self, since: HashMap<Name, Since>) {
        let found = match &self.snapshot {
            Some(snapshot) => self.compare(snapshot, since),
            None if Snapshot::is_there(&self.path) => Err("it could not be read".to_owned()),
            None => return self.write_anew(),
        };
        match found {
            Ok(behind) => {
                for promotion in behind {
                    self.add(promotion);
                }
                self.since = Some(Instant::now());
            }
            Err(why) => self.begin_anew(&why),
        }
    }

    /// Looks again, since whoever found it damaged may have seen it half written: by us alone.
    fn examine(&mut self, why: &str) {
        let never = std::sync::Arc::new(|| false);
        if !self.is_ours() || Snapshot::scrub(&self.path, never).is_err() {
            self.begin_anew(why);
        }
    }

    fn served(&self) -> Vec<(Arc<ZoneImage>, u64)> {
        let published = self.reader.load();
        let zones = published.zones().filter_map(|served| served.zone());
        zones
            .map(|zone| (zone.image.clone(), zone.revision))
            .collect()
    }

    /// The zones of which the snapshot has another version; an error when it is damaged.
    fn compare(
        &self,
        snapshot: &Snapshot,
        mut since: HashMap<Name, Since>,
    ) -> Result<Vec<Promotion>, String> {
        let rows = snapshot.zones().map_err(|error| error.to_string())?;
        let mut rows: HashMap<Name, _> = rows
            .into_iter()
            .map(|row| (row.origin.clone(), row))
            .collect();
        let mut behind = Vec::new();
        for (image, revision) in self.served() {
            let row = rows.remove(image.origin());
            let from = row.as_ref().map(|row| row.revision);
            let Some(row) = row.filter(|row| row.revision == revision) else {
                let since = since.remove(image.origin());
                let since = since.filter(|since| Some(since.revision) == from);
                behind.push(Promotion {
                    extent: since.map_or(Extent::Whole, |since| Extent::Owners(since.owners)),
                    image,
                    revision,
                });
                continue;
            };
            if row.digest != image.digest() {
                let zone = &row.origin;
                return Err(format!(
                    "it has other data of {zone} at revision {revision}"
                ));
            }
            let records = image.record_count();
            let zones = &mut lock(&self.report).zones;
            zones.insert(row.origin, Promoted { revision, records });
        }
        Ok(behind)
    }

    /// Whether the file on the path is the one that we write to, and nobody has cut it off.
    fn is_ours(&mut self) -> bool {
        let (Some(known), Some(now)) = (self.file, file_id(&self.path)) else {
            return false;
        };
        let is_ours = self.snapshot.is_some() && now.0 == known.0 && now.1 >= known.1;
        if is_ours {
            self.file = Some(now);
        }
        is_ours
    }

    /// Sets aside what is on the path, and has everything written to a new file.
    fn begin_anew(&mut self, why: &str) {
        // In trouble this is tried every second, and has been told.
        if lock(&self.report).trouble.is_none() {
            tracing::error!(snapshot = %self.path.display(), "snapshot: {why}; writing a new one");
        }
        self.write_anew();
    }

    fn write_anew(&mut self) {
        (self.snapshot, self.file) = (None, None);
        // It waits from now on, whether or not there will be a file to write it to.
        for (image, revision) in self.served() {
            self.add(Promotion {
                image,
                revision,
                extent: Extent::Whole,
            });
        }
        self.values_pending.extend(self.values.keys());
        self.accepted_pending = self.accepted.len();
        let opened = set_aside(&self.path).and_then(|aside| {
            for (from, to) in aside {
                tracing::warn!(from = %from.display(), to = %to.display(), "snapshot: set aside");
            }
            let ceilings: Vec<_> = self.ceilings.clone().into_iter().collect();
            Snapshot::create(&self.path, &ceilings)
        });
        match opened {
            Ok(snapshot) => {
                self.file = file_id(&self.path);
                self.snapshot = Some(snapshot);
            }
            Err(error) => return self.fail(&error),
        }
        self.since = Some(Instant::now());
    }

    fn flush(&mut self) {
        let waits = !self.pending.is_empty()
            || !self.removed.is_empty()
            || !self.values_pending.is_empty()
            || self.accepted_pending > 0;
        if !waits && self.snapshot.is_some() {
            self.since = None;
            return;
        }
        if !self.is_ours() {
            self.begin_anew("it is not there");
        }
        let Some(snapshot) = &mut self.snapshot else {
            return;
        };
        let promotions: Vec<Promotion> = std::mem::take(&mut self.pending).into_values().collect();
        let removed: Vec<Name> = self.removed.iter().cloned().collect();
        let values: Vec<(&str, String)> = self
            .values_pending
            .iter()
            .map(|key| (*key, self.values[key].clone()))
            .collect();
        let written = self.accepted.len() - self.accepted_pending;
        let accepted: Vec<_> = self.accepted.range(written..).cloned().collect();
        match snapshot.promote(&promotions, &removed, &values, &accepted) {
            Ok(()) => {
                self.accepted_pending = 0;
                self.removed.clear();
                self.values_pending.clear();
                self.since = None;
                self.promoted(promotions);
            }
            Err(error) => {
                for promotion in promotions {
                    self.add(promotion);
                }
                match error {
                    StoreError::Damaged(why) => self.begin_anew(&why),
                    error => self.fail(&error),
                }
            }
        }
    }

    fn promoted(&self, promotions: Vec<Promotion>) {
        let mut report = lock(&self.report);
        report.trouble = None;
        for promotion in promotions {
            let zone = promotion.image.origin().clone();
            report.waiting.remove(&zone);
            let records = promotion.image.record_count();
            report.zones.insert(
                zone,
                Promoted {
                    revision: promotion.revision,
                    records,
                },
            );
        }
    }

    /// Tries again after another batch's time.
    fn fail(&mut self, error: &StoreError) {
        let text = error.to_string();
        let mut report = lock(&self.report);
        if report.trouble.as_ref() != Some(&text) {
            tracing::error!(snapshot = %self.path.display(), "snapshot: {text}");
        }
        report.trouble = Some(text);
        self.since = Some(Instant::now());
    }
}

#[cfg(test)]
mod tests;
