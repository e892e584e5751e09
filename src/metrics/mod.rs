//! What is counted, and the page of it that Prometheus reads.
//!
//! Read in order: `queries` (what a thread that answers counts, for itself alone), `updates` (what
//! became of changes, and how long it took), `process` (what the system says of us), `page`
//! (everything as text), `classic` (the older of the two text formats).
//! Not here: the doors at which the page is served (`admin`); what is counted where (`wire`,
//! `change`). Names and rules come in as text: of DNS, this room knows the names of RCODEs.

mod classic;
mod page;
mod process;
mod queries;
#[cfg(test)]
mod tests;
mod updates;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

pub use classic::classic;
pub use page::{Scrape, Snapshot, State, Zone};
pub use queries::{Connection, Tally, Transport};
pub use updates::{Clock, Fate};

/// Everything counted in one server. Clones count into the same.
#[derive(Debug, Clone)]
pub struct Counters(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    started: Instant,
    started_at: SystemTime,
    queries: queries::Queries,
    updates: updates::Updates,
    /// Milliseconds from the start to when the live data were last looked at, and one more; 0:
    /// never.
    store_seen: AtomicU64,
    /// Changes fail, because the store cannot be written.
    store_failing: AtomicBool,
    /// Times that others were found to have altered the end of the audit.
    audit_altered: AtomicU64,
    /// Threads that panicked and went on.
    panics: AtomicU64,
    scrubs: AtomicU64,
    /// What the last scrub found.
    scrub_faults: AtomicU64,
}

/// Sums for people, who look at `status`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Totals {
    pub queries: u64,
    /// Updates (RFC 2136) by what became of them.
    pub updates: BTreeMap<&'static str, u64>,
    /// Of updates and of every other change.
    pub refusals: BTreeMap<String, u64>,
    /// What would have been refused, by rule.
    pub observed: BTreeMap<String, u64>,
    pub tsig_failures: u64,
    pub unsigned_updates: u64,
}

impl Default for Counters {
    fn default() -> Counters {
        Counters(Arc::new(Inner {
            started: Instant::now(),
            started_at: SystemTime::now(),
            queries: queries::Queries::default(),
            updates: updates::Updates::default(),
            store_seen: AtomicU64::new(0),
            store_failing: AtomicBool::new(false),
            audit_altered: AtomicU64::new(0),
            panics: AtomicU64::new(0),
            scrubs: AtomicU64::new(0),
            scrub_faults: AtomicU64::new(0),
        }))
    }
}

impl Counters {
    /// Counts for one thread that answers queries.
    pub fn tally(&self) -> Tally {
        self.0.queries.tally()
    }

    /// Counts a query that was answered elsewhere than on a thread with a [`Tally`].
    pub fn query(&self, transport: Transport, rcode: u16) {
        self.0.queries.shared(transport).answered(rcode);
    }

    /// A response that the system did not take, on no thread with a [`Tally`].
    pub fn response_lost(&self) {
        self.0.queries.shared(Transport::Udp).response_lost();
    }

    /// Counts a TCP connection, open until this is dropped.
    pub fn connection(&self) -> Connection {
        Connection::open(self.clone())
    }

    /// One that had to make room for another.
    pub fn connection_evicted(&self) {
        self.0.queries.evicted.fetch_add(1, Ordering::Relaxed);
    }

    /// A signature that was not accepted, or that could not be read.
    pub fn tsig_failure(&self) {
        self.0.updates.tsig_failures.fetch_add(1, Ordering::Relaxed);
    }

    pub fn unsigned_update(&self) {
        self.0.updates.unsigned.fetch_add(1, Ordering::Relaxed);
    }

    /// What became of a change that came by `path`.
    pub fn update(&self, path: &'static str, fate: Fate) {
        self.0.updates.count(path, fate);
    }

    pub fn refusal(&self, rule: &str) {
        self.0.updates.refusal(rule);
    }

    /// A rule that only observes would have refused a change.
    pub fn observed(&self, rule: &str) {
        self.0.updates.observed(rule);
    }

    /// Begins to measure a group of changes.
    pub fn clock(&self) -> Clock<'_> {
        Clock::start(&self.0.updates)
    }

    /// The live data could be looked at just now.
    pub fn store_seen(&self) {
        let millis = self.0.started.elapsed().as_millis();
        let millis = u64::try_from(millis).unwrap_or(u64::MAX).saturating_add(1);
        self.0.store_seen.store(millis, Ordering::Relaxed);
    }

    /// Whether changes fail because the store cannot be written.
    pub fn store_failing(&self, is_so: bool) {
        self.0.store_failing.store(is_so, Ordering::Relaxed);
    }

    /// Others have altered the end of the audit.
    pub fn audit_altered(&self) {
        self.0.audit_altered.fetch_add(1, Ordering::Relaxed);
    }

    /// A thread that works behind the answers panicked.
    pub fn panicked(&self) {
        self.0.panics.fetch_add(1, Ordering::Relaxed);
    }

    /// Store and snapshot were read through; so many faults were found.
    pub fn scrubbed(&self, faults: usize) {
        self.0.scrub_faults.store(faults as u64, Ordering::Relaxed);
        self.0.scrubs.fetch_add(1, Ordering::Relaxed);
    }

    /// How long ago the live data were last looked at.
    fn store_unseen(&self) -> Option<Duration> {
        let seen = self.0.store_seen.load(Ordering::Relaxed).checked_sub(1)?;
        let uptime = self.0.started.elapsed();
        Some(uptime.saturating_sub(Duration::from_millis(seen)))
    }

    pub fn totals(&self) -> Totals {
        let updates = &self.0.updates;
        Totals {
            queries: self.0.queries.total(),
            updates: updates.of_path("update"),
            refusals: updates.refusals(),
            observed: updates.observations(),
            tsig_failures: updates.tsig_failures.load(Ordering::Relaxed),
            unsigned_updates: updates.unsigned.load(Ordering::Relaxed),
        }
    }
}
