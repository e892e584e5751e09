//! What becomes of changes, and how long it takes. Behind locks: the writer's thread alone is here
//! often, and it has just waited for a disk.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use prometheus_client::metrics::histogram::Histogram;

/// What became of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    Committed,
    Unchanged,
    Refused,
    /// The request was wrong, or a prerequisite did not hold.
    Failed,
    /// Our own breakage.
    Unavailable,
}

impl Fate {
    pub(super) const ALL: [Fate; 5] = [
        Fate::Committed,
        Fate::Unchanged,
        Fate::Refused,
        Fate::Failed,
        Fate::Unavailable,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Fate::Committed => "committed",
            Fate::Unchanged => "unchanged",
            Fate::Refused => "refused",
            Fate::Failed => "failed",
            Fate::Unavailable => "unavailable",
        }
    }
}

/// From what a judgement in memory takes to what a disk in trouble does.
const BUCKETS_SECS: [f64; 16] = [
    0.000_025, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
    0.5, 1.0, 2.5, 10.0,
];

#[derive(Debug)]
pub(super) struct Updates {
    fates: Mutex<BTreeMap<(&'static str, Fate), u64>>,
    refusals: Mutex<BTreeMap<String, u64>>,
    observed: Mutex<BTreeMap<String, u64>>,
    pub judge: Histogram,
    pub commit: Histogram,
    pub publish: Histogram,
    pub tsig_failures: AtomicU64,
    pub unsigned: AtomicU64,
}

impl Default for Updates {
    fn default() -> Updates {
        // There from the start, so that the first one is seen as an increase.
        let fates = Fate::ALL.map(|fate| (("update", fate), 0));
        Updates {
            fates: Mutex::new(fates.into()),
            refusals: Mutex::default(),
            observed: Mutex::default(),
            judge: Histogram::new(BUCKETS_SECS),
            commit: Histogram::new(BUCKETS_SECS),
            publish: Histogram::new(BUCKETS_SECS),
            tsig_failures: AtomicU64::new(0),
            unsigned: AtomicU64::new(0),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn count_one(counts: &Mutex<BTreeMap<String, u64>>, rule: &str) {
    let mut counts = lock(counts);
    match counts.get_mut(rule) {
        Some(count) => *count += 1,
        None => {
            counts.insert(rule.to_owned(), 1);
        }
    }
}

impl Updates {
    pub fn count(&self, path: &'static str, fate: Fate) {
        *lock(&self.fates).entry((path, fate)).or_default() += 1;
    }

    pub fn refusal(&self, rule: &str) {
        count_one(&self.refusals, rule);
    }

    pub fn observed(&self, rule: &str) {
        count_one(&self.observed, rule);
    }

    pub fn fates(&self) -> BTreeMap<(&'static str, Fate), u64> {
        lock(&self.fates).clone()
    }

    pub fn of_path(&self, path: &str) -> BTreeMap<&'static str, u64> {
        let of_path = |((of, fate), count): ((&str, Fate), u64)| {
            (of == path).then_some((fate.as_str(), count))
        };
        self.fates().into_iter().filter_map(of_path).collect()
    }

    pub fn refusals(&self) -> BTreeMap<String, u64> {
        lock(&self.refusals).clone()
    }

    pub fn observations(&self) -> BTreeMap<String, u64> {
        lock(&self.observed).clone()
    }
}

/// Measures one group of changes, which is committed and published as one.
#[derive(Debug)]
pub struct Clock<'a> {
    updates: &'a Updates,
    since: Instant,
    judging: Duration,
}

impl Clock<'_> {
    pub(super) fn start(updates: &Updates) -> Clock<'_> {
        Clock {
            updates,
            since: Instant::now(),
            judging: Duration::ZERO,
        }
    }

    /// Judges one change.
    pub fn judge<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let since = Instant::now();
        let judged = work();
        let took = since.elapsed();
        self.judging += took;
        self.updates.judge.observe(took.as_secs_f64());
        judged
    }

    /// The group is on disk. All since the start counts, but what judging took.
    pub fn committed(&mut self) {
        let took = self.since.elapsed().saturating_sub(self.judging);
        self.updates.commit.observe(took.as_secs_f64());
        self.since = Instant::now();
    }

    /// Every query is answered from it, and the answers may go out.
    pub fn published(self) {
        let took = self.since.elapsed();
        self.updates.publish.observe(took.as_secs_f64());
    }
}
