//! What is measured while something goes on: how long updates and queries take, and what each thread
//! of the server works.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RecordType;

use crate::harness::library::{self, Transport};

/// Between two updates, and two queries: the cores are shared with what is measured.
const BETWEEN_UPDATES: Duration = Duration::from_millis(4);
const BETWEEN_QUERIES: Duration = Duration::from_millis(1);
/// An answer later than this was not given.
const LOST: Duration = Duration::from_secs(5);

/// Durations of one kind, sorted.
#[derive(Default)]
pub struct Latencies(Vec<Duration>);

impl Latencies {
    pub fn count(&self) -> usize {
        self.0.len()
    }

    fn at(&self, share: f64) -> Duration {
        let index = (self.0.len() as f64 * share) as usize;
        let last = self.0.len().saturating_sub(1);
        self.0.get(index.min(last)).copied().unwrap_or_default()
    }

    pub fn max(&self) -> Duration {
        self.at(1.0)
    }
}

impl fmt::Display for Latencies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |share| self.at(share).as_secs_f64() * 1e3;
        let (median, late, most) = (ms(0.5), ms(0.99), ms(1.0));
        write!(f, "{median:.2}/{late:.2}/{most:.1}")
    }
}

/// One who does the same again and again, and writes down how long each took.
struct Runner {
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<Vec<Duration>>>,
}

impl Runner {
    fn start(between: Duration, mut once: impl FnMut(usize) + Send + 'static) -> Runner {
        let over = Arc::new(AtomicBool::new(false));
        let until = over.clone();
        let thread = thread::spawn(move || {
            let mut took = Vec::new();
            while !until.load(Ordering::Relaxed) {
                let began = Instant::now();
                once(took.len());
                took.push(began.elapsed());
                thread::sleep(between);
            }
            took.sort();
            took
        });
        Runner {
            over,
            thread: Some(thread),
        }
    }

    fn end(mut self) -> Latencies {
        self.over.store(true, Ordering::Relaxed);
        let thread = self.thread.take().expect("ended once");
        Latencies(thread.join().expect("no update or query goes wrong"))
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

/// Everything that is measured at once.
pub struct Probes {
    pid: u32,
    updates: Runner,
    queries: Runner,
    /// Who only sleeps: what the machine itself is late by.
    idle: Runner,
    began: Instant,
    worked: BTreeMap<String, Duration>,
}

/// What came of it.
pub struct Measured {
    pub took: Duration,
    pub updates: Latencies,
    pub queries: Latencies,
    pub idle: Latencies,
    /// CPU time by the name of the thread.
    pub worked: BTreeMap<String, Duration>,
}

impl Probes {
    /// Durable updates of `zone`, and queries for `name` with an answer that stays.
    pub fn start(pid: u32, at: SocketAddr, zone: &str, name: &str) -> Probes {
        Probes {
            pid,
            updates: updates(at, zone.to_owned()),
            queries: queries(at, name),
            idle: Runner::start(Duration::ZERO, |_| thread::sleep(BETWEEN_QUERIES)),
            began: Instant::now(),
            worked: worked(pid),
        }
    }

    pub fn end(self) -> Measured {
        let now = worked(self.pid);
        let before = |name: &String| self.worked.get(name).copied().unwrap_or_default();
        Measured {
            took: self.began.elapsed(),
            worked: now
                .iter()
                .map(|(name, now)| (name.clone(), now.saturating_sub(before(name))))
                .collect(),
            updates: self.updates.end(),
            queries: self.queries.end(),
            idle: self.idle.end(),
        }
    }
}

impl Measured {
    pub fn of(&self, thread: &str) -> Duration {
        self.worked.get(thread).copied().unwrap_or_default()
    }
}

fn updates(at: SocketAddr, zone: String) -> Runner {
    let owner = format!("probe.{zone}");
    Runner::start(BETWEEN_UPDATES, move |number| {
        let number = number as u32;
        let update = library::update(&zone, library::demo_key(), true, |section| {
            section.delete_a(&owner);
            section.add_a(&owner, (0x0a00_0000 | (number & 0xff_ffff)).to_be_bytes());
        });
        let response = update.send(at, Transport::Udp);
        let errors = library::extended_errors(&response);
        let code = response.metadata.response_code;
        assert_eq!(code, ResponseCode::NoError, "{errors:?}");
    })
}

fn queries(at: SocketAddr, name: &str) -> Runner {
    let request = library::query(name, RecordType::A, Some(1232));
    let request = request.to_vec().expect("a request");
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket");
    socket.connect(at).expect("an address");
    socket.set_read_timeout(Some(LOST)).expect("a time-out");
    let mut first: Option<Vec<u8>> = None;
    let mut buffer = [0; 4096];
    Runner::start(BETWEEN_QUERIES, move |_| {
        socket.send(&request).expect("sent");
        let size = socket.recv(&mut buffer).expect("an answer in time");
        // But for the marks of a hold, which stand at the end.
        let answer = &buffer[..size.min(request.len())];
        assert_eq!(buffer[3] & 0x0f, 0, "NOERROR");
        assert_eq!(&buffer[6..8], [0, 1], "one record");
        let first = first.get_or_insert_with(|| answer.to_vec());
        assert_eq!(
            first[12..40.min(first.len())],
            answer[12..40.min(answer.len())]
        );
    })
}

/// CPU time by the name of the thread; of those that have ended nothing is left.
pub fn worked(pid: u32) -> BTreeMap<String, Duration> {
    let mut worked = BTreeMap::new();
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).expect("a running process");
    for task in tasks.filter_map(Result::ok) {
        let read = |file: &str| fs::read_to_string(task.path().join(file));
        // A thread may end meanwhile.
        let (Ok(name), Ok(times)) = (read("comm"), read("schedstat")) else {
            continue;
        };
        let nanos = times.split(' ').next().and_then(|text| text.parse().ok());
        let nanos = Duration::from_nanos(nanos.expect("nanoseconds"));
        *worked.entry(name.trim().to_owned()).or_default() += nanos;
    }
    worked
}
