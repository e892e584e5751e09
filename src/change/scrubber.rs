//! The thread that reads store and snapshot as they lie on disk, again and again, and tells the
//! writer what it found. It takes a quarter of one core at most, and no lock that anybody waits for.

use std::collections::{BTreeSet, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::Order;
use crate::rr::Name;
use crate::store::{Pause, Scrubbed, Settings, Snapshot, StoreError, differing, scrub};
use crate::zone::Reader;

/// How long it works before it rests three times as long.
const WORK: Duration = Duration::from_millis(4);
const REST: Duration = Duration::from_millis(12);
/// Scrubs that are asked for are not nearer to each other than this, times as long as one took.
const APART: u32 = 4;
const APART_LEAST: Duration = Duration::from_millis(500);

/// What a scrub found in both files.
#[derive(Debug)]
pub(super) struct Report {
    pub store: Result<Scrubbed, StoreError>,
    /// Where rows are not what is served: the owners, as they are written; of zones in which they are
    /// not too many.
    pub differing: HashMap<Name, BTreeSet<String>>,
    pub snapshot: Result<(), StoreError>,
    pub took: Duration,
    /// It panicked instead; the next scrub is another try.
    pub has_failed: bool,
}

/// The door to the thread.
pub(super) struct Scrubber {
    asks: Option<SyncSender<()>>,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// Asks for a scrub soon, from anywhere.
#[derive(Clone)]
pub(super) struct Bell(SyncSender<()>);

impl Bell {
    pub(super) fn ring(&self) {
        // One that waits already is as good.
        let _ = self.0.try_send(());
    }
}

impl Scrubber {
    /// Starts the thread. Without `every` it scrubs only when it is asked to.
    pub(super) fn start(
        settings: Settings,
        every: Option<Duration>,
        orders: SyncSender<Order>,
        reader: Reader,
    ) -> Scrubber {
        let (asks, asked) = sync_channel(1);
        let is_over = Arc::new(AtomicBool::new(false));
        let round = Round {
            settings,
            every,
            orders,
            reader,
            is_over: is_over.clone(),
        };
        let thread = std::thread::Builder::new()
            .name("scrub".into())
            .spawn(move || round.run(&asked))
            .expect("a thread can be started");
        Scrubber {
            asks: Some(asks),
            is_over,
            thread: Some(thread),
        }
    }

    pub(super) fn bell(&self) -> Bell {
        Bell(self.asks.clone().expect("there until it is dropped"))
    }
}

impl Drop for Scrubber {
    /// Ends it in the middle of what it reads.
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        if let Some(asks) = self.asks.take() {
            let _ = asks.try_send(());
        }
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the scrub's thread had panicked");
        }
    }
}

struct Round {
    settings: Settings,
    every: Option<Duration>,
    orders: SyncSender<Order>,
    reader: Reader,
    is_over: Arc<AtomicBool>,
}

impl Round {
    fn run(self, asked: &Receiver<()>) {
        let mut next = self.every.map(|every| Instant::now() + every);
        let mut not_before = Instant::now();
        while !self.is_over.load(Ordering::Relaxed) {
            let wait = next.map_or(Duration::MAX, |at| {
                at.saturating_duration_since(Instant::now())
            });
            let is_asked = match asked.recv_timeout(wait) {
                Ok(()) => true,
                Err(RecvTimeoutError::Timeout) => false,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            let now = Instant::now();
            if is_asked && now < not_before {
                // A little later, for this one and all that ask until then.
                next = Some(next.map_or(not_before, |at| at.min(not_before)));
                continue;
            }
            let report = self.scrub_or_fail();
            not_before = Instant::now() + (report.took * APART).max(APART_LEAST);
            next = self.every.map(|every| Instant::now() + every);
            if !self.tell(report) {
                return;
            }
        }
    }

    /// Whatever it is that a fault of ours stumbles over, the thread goes on.
    fn scrub_or_fail(&self) -> Report {
        catch_unwind(AssertUnwindSafe(|| self.scrub())).unwrap_or_else(|_| {
            tracing::error!("scrub: it failed in the middle; damage may stay unseen");
            Report {
                store: Err(StoreError::Interrupted),
                differing: HashMap::new(),
                snapshot: Err(StoreError::Interrupted),
                took: APART_LEAST,
                has_failed: true,
            }
        })
    }

    fn scrub(&self) -> Report {
        let since = Instant::now();
        let store = scrub(&self.settings, pause(self.is_over.clone()));
        let suspects = store.iter().flat_map(|found| &found.suspects);
        let differing = suspects.filter_map(|zone| Some((zone.clone(), self.differing(zone)?)));
        Report {
            differing: differing.collect(),
            store,
            snapshot: Snapshot::scrub(&self.settings.snapshot, pause(self.is_over.clone())),
            took: since.elapsed(),
            has_failed: false,
        }
    }

    /// Here, so that the writer need not read all of a large zone while others wait for it.
    fn differing(&self, zone: &Name) -> Option<BTreeSet<String>> {
        let served = self.reader.load().zone(zone)?.clone();
        let served = served.zone()?;
        let pause = pause(self.is_over.clone());
        let owners = differing(&self.settings, pause, &served.image, served.revision);
        owners.unwrap_or_else(|error| {
            tracing::debug!(%zone, "scrub: {error}");
            None
        })
    }

    /// Whether there is anybody to tell.
    fn tell(&self, report: Report) -> bool {
        let mut order = Order::Scrubbed(Box::new(report));
        // The writer ends this thread and must not be waited for meanwhile.
        while !self.is_over.load(Ordering::Relaxed) {
            order = match self.orders.try_send(order) {
                Ok(()) => return true,
                Err(TrySendError::Disconnected(_)) => return false,
                Err(TrySendError::Full(order)) => order,
            };
            std::thread::sleep(REST);
        }
        false
    }
}

fn pause(is_over: Arc<AtomicBool>) -> Pause {
    let since = std::sync::Mutex::new(Instant::now());
    Arc::new(move || {
        let mut since = since
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if since.elapsed() >= WORK {
            std::thread::sleep(REST);
            *since = Instant::now();
        }
        is_over.load(Ordering::Relaxed)
    })
}
