//! What is counted where queries are answered: no lock, no allocation, no cache line in common.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::Counters;

/// How a query came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    Udp,
    Tcp,
}

/// By code (IANA's registry of RCODEs); the last is the only one above 15 that we send.
pub(super) const RCODES: [&str; 17] = [
    "NOERROR",
    "FORMERR",
    "SERVFAIL",
    "NXDOMAIN",
    "NOTIMP",
    "REFUSED",
    "YXDOMAIN",
    "YXRRSET",
    "NXRRSET",
    "NOTAUTH",
    "NOTZONE",
    "DSOTYPENI",
    "RCODE12",
    "RCODE13",
    "RCODE14",
    "RCODE15",
    "BADVERS",
];

/// The counts of one thread, or of several that are not in a hurry. Aligned so that no two share
/// what a core fetches at once (two lines of 64 octets).
#[derive(Debug, Default)]
#[repr(align(128))]
struct Counts {
    answers: [AtomicU64; RCODES.len()],
    responses_lost: AtomicU64,
    slow_path_full: AtomicU64,
}

/// Counts that only its owner adds to (there is no second one to them, and every method wants it
/// mutable), so that adding is a load and a store.
#[derive(Debug)]
pub struct Tally(Arc<Counts>);

fn add(count: &AtomicU64) {
    count.store(count.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
}

fn slot(rcode: u16) -> usize {
    usize::from(rcode).min(RCODES.len() - 1)
}

impl Tally {
    pub fn answered(&mut self, rcode: u16) {
        add(&self.0.answers[slot(rcode)]);
    }

    /// The system did not take a response.
    pub fn response_lost(&mut self) {
        add(&self.0.responses_lost);
    }

    /// The queue of updates and signed queries was full.
    pub fn slow_path_full(&mut self) {
        add(&self.0.slow_path_full);
    }
}

/// Counts that any thread may add to.
pub(super) struct Shared<'a>(&'a Counts);

impl Shared<'_> {
    pub fn answered(&self, rcode: u16) {
        self.0.answers[slot(rcode)].fetch_add(1, Ordering::Relaxed);
    }

    pub fn response_lost(&self) {
        self.0.responses_lost.fetch_add(1, Ordering::Relaxed);
    }
}

#[derive(Debug, Default)]
pub(super) struct Queries {
    threads: Mutex<Vec<Arc<Counts>>>,
    udp: Counts,
    tcp: Counts,
    pub open: AtomicU64,
    pub accepted: AtomicU64,
    pub evicted: AtomicU64,
}

/// Sums over all threads.
#[derive(Debug, Default)]
pub(super) struct Sums {
    pub udp: [u64; RCODES.len()],
    pub tcp: [u64; RCODES.len()],
    pub responses_lost: u64,
    pub slow_path_full: u64,
}

impl Queries {
    pub fn tally(&self) -> Tally {
        let counts = Arc::new(Counts::default());
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        threads.push(counts.clone());
        Tally(counts)
    }

    pub fn shared(&self, transport: Transport) -> Shared<'_> {
        Shared(match transport {
            Transport::Udp => &self.udp,
            Transport::Tcp => &self.tcp,
        })
    }

    pub fn sums(&self) -> Sums {
        let mut sums = Sums::default();
        let threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        for counts in threads.iter().map(|counts| &**counts).chain([&self.udp]) {
            gather(&mut sums.udp, counts);
            sums.responses_lost += counts.responses_lost.load(Ordering::Relaxed);
            sums.slow_path_full += counts.slow_path_full.load(Ordering::Relaxed);
        }
        gather(&mut sums.tcp, &self.tcp);
        sums
    }

    pub fn total(&self) -> u64 {
        let sums = self.sums();
        sums.udp.iter().chain(&sums.tcp).sum()
    }
}

fn gather(into: &mut [u64; RCODES.len()], counts: &Counts) {
    for (sum, count) in into.iter_mut().zip(&counts.answers) {
        *sum += count.load(Ordering::Relaxed);
    }
}

/// A TCP connection that is open.
#[derive(Debug)]
pub struct Connection(Counters);

impl Connection {
    pub(super) fn open(counters: Counters) -> Connection {
        let queries = &counters.0.queries;
        queries.open.fetch_add(1, Ordering::Relaxed);
        queries.accepted.fetch_add(1, Ordering::Relaxed);
        Connection(counters)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.0.queries.open.fetch_sub(1, Ordering::Relaxed);
    }
}
