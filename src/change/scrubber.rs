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
use super::writer::why;
use crate::rr::Name;
use crate::store::{Pause, Scrubbed, Settings, Snapshot, StoreError, differing, scrub};
use crate::zone::Reader;

/// How long it works before it rests three times as long.
const WORK: Duration = Duration::from_millis(4);
const REST: Duration = Duration::from_millis(12);
/// Scrubs that are asked for are not nearer to each other than this, times as long as one took.
const APART: u32 = 4;
const APART_LEAST: Duration = Duration::from_millis(500);
/// After one that failed the next comes within this, though nobody asks for it: whoever had asked for that
/// one waits.
const ANOTHER_TRY: Duration = Duration::from_secs(60);

/// In test builds a scrub panics as long as there is a file of this ending beside the store.
const FAULTY: &str = "faulty";

/// What a scrub found in both files.
#[derive(Debug)]
pub(super) struct Report {
    pub store: Result<Scrubbed, StoreError>,
    /// Where rows are not what is served: the owners, as they are written; of zones in which they are
    /// not too many.
    pub differing: HashMap<Name, BTreeSet<String>>,
    pub snapshot: Result<(), StoreError>,
    pub took: Duration,
    /// It panicked instead, and why; the next scrub is another try.
    pub failed: Option<String>,
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
            let another_try = report.failed.is_some().then_some(ANOTHER_TRY);
            let wait = self.every.into_iter().chain(another_try).min();
            next = wait.map(|wait| Instant::now() + wait);
            if !self.tell(report) {
                return;
            }
        }
    }

    /// Whatever it is that a fault of ours stumbles over, the thread goes on.
    fn scrub_or_fail(&self) -> Report {
        catch_unwind(AssertUnwindSafe(|| self.scrub())).unwrap_or_else(|panic| {
            let failed = Some(why(&*panic).to_owned());
            Report {
                store: Err(StoreError::Interrupted),
                differing: HashMap::new(),
                snapshot: Err(StoreError::Interrupted),
                took: APART_LEAST,
                failed,
            }
        })
    }

    fn scrub(&self) -> Report {
        let since = Instant::now();
        if cfg!(test) && self.settings.path.with_extension(FAULTY).exists() {
            panic!("{FAULTY}");
        }
        let store = scrub(&self.settings, pause(self.is_over.clone()));
        let suspects = store.iter().flat_map(|found| &found.suspects);
        let differing = suspects.filter_map(|zone| Some((zone.clone(), self.differing(zone)?)));
        Report {
            differing: differing.collect(),
            store,
            snapshot: Snapshot::scrub(&self.settings.snapshot, pause(self.is_over.clone())),
            took: since.elapsed(),
            failed: None,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::tests::{import, settings, submission};
    use crate::change::{Handle, start};
    use crate::guard::Path;
    use crate::metrics::{Counters, Scrape};
    use crate::zone;

    fn until<T>(what: &str, found: impl Fn() -> Option<T>) -> T {
        let since = Instant::now();
        loop {
            if let Some(found) = found() {
                return found;
            }
            assert!(since.elapsed() < Duration::from_secs(60), "{what}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn sample(counters: &Counters, name: &str) -> u64 {
        let page = counters.page(Scrape::default());
        let found = page.lines().find_map(|line| line.strip_prefix(name));
        found.unwrap().trim().parse().unwrap()
    }

    #[test]
    fn a_scrub_that_panics_is_told_and_the_next_one_finds_damage() {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(folder.path());
        let store = settings.store.path.clone();
        let faulty = store.with_extension(FAULTY);
        std::fs::write(&faulty, "").unwrap();
        let (publish, reader) = zone::pointer();
        let counters = Counters::default();
        let handle: Handle = start(settings, counters.clone(), publish, reader).handle;
        let imported = handle.submit(submission(Path::Import, "", import(&["api"])));
        imported.blocking_recv().unwrap();
        let told = |handle: &Handle| {
            let notices = handle.notices().into_iter();
            notices
                .filter(|note| note.contains("the scrub failed"))
                .count()
        };
        // Again and again, and it is one sentence.
        for count in 1..=2 {
            handle.scrub();
            until("it panics", || {
                (sample(&counters, "lastgood_panics_total") >= count).then_some(())
            });
        }
        until("it is told", || (told(&handle) == 1).then_some(()));
        assert_eq!(handle.failing(), None, "changes do not suffer");
        assert_eq!(sample(&counters, "lastgood_scrubs_total"), 0);

        std::fs::remove_file(&faulty).unwrap();
        let noted = "INSERT INTO record (zone, owner, ttl, type, rdata)
             VALUES ('example.com.', 'x.example.com.', 60, 'A', '192.0.2.1')";
        // As nobody notes it: only a scrub can see it.
        let mut sqlite3 = std::process::Command::new("sqlite3");
        sqlite3.args([
            "-cmd",
            ".timeout 5000",
            "-cmd",
            ".dbconfig enable_trigger off",
        ]);
        assert!(sqlite3.arg(&store).arg(noted).status().unwrap().success());
        handle.scrub();
        until("it scrubs again, and finds it", || {
            let zone = handle.status().remove(0);
            (zone.state == "holding").then_some(())
        });
        assert_eq!(told(&handle), 0);
        handle.stop();
    }
}
