//! The doors of port 53: UDP and TCP, and what is shared between them.
//!
//! Read in order: `bind` (sockets), `udp` with `datagram` (threads that answer the plain shape at
//! once), `tcp` with `seats` and `connection`, `slow` (all that is more than a plain query:
//! signatures and updates), `rcode` (outcomes to RCODE and extended error, in this place alone),
//! `seldom` (trouble that is logged, but not for each packet).
//! Not here: how an answer is made (`answer`), what becomes of an update (`change`, which also
//! writes the line about a refusal), the control socket (`admin`).

mod bind;
mod connection;
mod datagram;
mod rcode;
mod seats;
mod seldom;
mod slow;
mod tcp;
#[cfg(test)]
mod tests;
mod udp;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::guard::Prefix;
use crate::zone::Reader;
use crate::{answer, change, metrics, tsig};

/// What is in flight when we stop has this long to be finished.
const STOP_GRACE: Duration = Duration::from_secs(5);

#[derive(Debug, Clone)]
pub struct Settings {
    /// Where to listen, each over UDP and TCP. Port 0: any that is free for both.
    pub listen: Vec<SocketAddr>,
    /// Threads for each address.
    pub udp_threads: usize,
    pub answer: answer::Settings,
    /// From where the last refusal of a key may be asked for without its signature.
    pub ask_from: Vec<Prefix>,
    pub tcp: TcpLimits,
}

#[derive(Debug, Clone)]
pub struct TcpLimits {
    /// Connections in all; one more makes the least used give way.
    pub connections_max: usize,
    /// Connections from one IPv4 address or one IPv6 /64, which is what one host can have.
    pub connections_per_address_max: usize,
    /// How long a connection may stay without a message.
    pub idle: Duration,
    /// How long a message may take to come in once begun, and a response to be taken.
    pub message: Duration,
    /// How long a connection may stay at all: a client that has more to ask opens another.
    pub life: Duration,
}

impl Default for TcpLimits {
    fn default() -> Self {
        TcpLimits {
            connections_max: 1000,
            connections_per_address_max: 100,
            idle: Duration::from_secs(30),
            message: Duration::from_secs(10),
            life: Duration::from_secs(3600),
        }
    }
}

/// Sockets that are bound, so that a wrong address is known before anything is started.
pub struct Doors {
    bound: Vec<bind::Bound>,
    answer: answer::Settings,
    ask_from: Vec<Prefix>,
    tcp: TcpLimits,
}

/// What every door needs to answer.
struct Service {
    published: Reader,
    change: change::Handle,
    keys: Arc<ArcSwap<tsig::Keys>>,
    answer: answer::Settings,
    ask_from: Vec<Prefix>,
    counters: metrics::Counters,
}

impl Service {
    /// Answers a plain query. The published pointer is held no longer than this takes: a thread
    /// that waits for the next request holds nothing from before.
    fn answer(
        &self,
        request: &[u8],
        transport: answer::Transport,
        reserve: usize,
        out: &mut Vec<u8>,
    ) -> answer::Outcome {
        let published = self.published.load();
        let context = answer::Context {
            published: &published,
            settings: &self.answer,
            transport,
            now: Instant::now(),
            reserve,
        };
        answer::answer(request, &context, out)
    }

    /// Counts an answer given anywhere but on a UDP thread.
    fn count(&self, transport: answer::Transport, rcode: u16) {
        let transport = match transport {
            answer::Transport::Udp => metrics::Transport::Udp,
            answer::Transport::Tcp => metrics::Transport::Tcp,
        };
        self.counters.query(transport, rcode);
    }
}

impl Doors {
    pub fn bind(settings: &Settings) -> io::Result<Doors> {
        let bound = settings
            .listen
            .iter()
            .map(|&address| bind::bind(address, settings.udp_threads.max(1)))
            .collect::<io::Result<_>>()?;
        Ok(Doors {
            bound,
            answer: settings.answer.clone(),
            ask_from: settings.ask_from.clone(),
            tcp: settings.tcp.clone(),
        })
    }

    /// The addresses bound, in the order of the settings, with the ports that 0 became.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.bound.iter().map(|bound| bound.address).collect()
    }

    /// Starts answering. What is put in the place of `keys` counts from the next message on.
    ///
    /// # Panics
    /// When the system gives no more threads, or the runtime was built without I/O.
    pub fn open(
        self,
        published: Reader,
        change: change::Handle,
        keys: Arc<ArcSwap<tsig::Keys>>,
        counters: metrics::Counters,
        runtime: tokio::runtime::Handle,
    ) -> Running {
        let _entered = runtime.enter();
        let service = Arc::new(Service {
            published,
            change,
            keys,
            answer: self.answer,
            ask_from: self.ask_from,
            counters,
        });
        let stop = StopSwitch::new();
        let seats = seats::Seats::new(&self.tcp);
        let (slow, task) = slow::SlowPath::start(service.clone());
        let mut threads = Vec::new();
        let mut tasks = vec![task];
        for bound in self.bound {
            for (number, door) in bound.udp.into_iter().enumerate() {
                let (service, slow) = (service.clone(), slow.clone());
                let stopping = stop.stopping.clone();
                let thread = std::thread::Builder::new()
                    .name(format!("udp-{number}"))
                    .spawn(move || udp::serve(&Arc::new(door), &service, &slow, &stopping))
                    .expect("the system gives a thread for each UDP socket");
                threads.push(thread);
            }
            let listener = tokio::net::TcpListener::from_std(bound.tcp)
                .expect("the runtime was built with I/O");
            let terms = Arc::new(tcp::Terms {
                service: service.clone(),
                limits: self.tcp.clone(),
                stopping: stop.notice.subscribe(),
            });
            tasks.push(runtime.spawn(tcp::accept(listener, terms, seats.clone())));
        }
        Running {
            stop,
            threads,
            tasks,
        }
    }
}

/// Tells threads and tasks to stop; also when dropped, so that none outlives its doors for long.
struct StopSwitch {
    stopping: Arc<AtomicBool>,
    notice: watch::Sender<bool>,
}

impl StopSwitch {
    fn new() -> StopSwitch {
        StopSwitch {
            stopping: Arc::default(),
            notice: watch::Sender::new(false),
        }
    }

    fn pull(&self) {
        self.stopping.store(true, Ordering::Release);
        self.notice.send_replace(true);
    }
}

impl Drop for StopSwitch {
    fn drop(&mut self) {
        self.pull();
    }
}

/// Doors that are open. Dropped without [`Running::stop`], they close without waiting for what is
/// in flight.
pub struct Running {
    stop: StopSwitch,
    threads: Vec<std::thread::JoinHandle<()>>,
    tasks: Vec<JoinHandle<()>>,
}

impl Running {
    /// Takes no more requests, answers those that have come, and returns when that is done or has
    /// taken too long. `change` must still be running: updates in flight wait for its outcome.
    pub async fn stop(self) {
        self.stop.pull();
        let deadline = tokio::time::Instant::now() + STOP_GRACE;
        let threads = self.threads;
        let joined = tokio::task::spawn_blocking(move || {
            for thread in threads {
                // Such a thread catches its panics and logs them.
                let _ = thread.join();
            }
        });
        let _ = tokio::time::timeout_at(deadline, joined).await;
        for mut task in self.tasks {
            if tokio::time::timeout_at(deadline, &mut task).await.is_err() {
                tracing::warn!("requests still in flight are given up");
                task.abort();
            }
        }
    }
}
