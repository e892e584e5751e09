//! The TCP door: who gets a connection (RFC 7766 §6.1, §10).

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::warn;

use super::seldom::Seldom;
use super::{Service, TcpLimits, connection};

/// After an error of `accept` that lasts, such as no more file descriptors.
const ERROR_PAUSE: Duration = Duration::from_millis(50);

static ACCEPT_FAILS: Seldom = Seldom::new();
static SEATS_TAKEN: Seldom = Seldom::new();

/// On what terms connections are served.
pub(super) struct Terms {
    pub service: Arc<Service>,
    pub limits: TcpLimits,
    pub stopping: watch::Receiver<bool>,
}

/// Accepts until told to stop, and returns when the last connection has ended. No error of
/// `accept` ends it: a peer can cause most of them.
pub(super) async fn accept(listener: TcpListener, terms: Arc<Terms>, seats: Arc<Seats>) {
    let mut stopping = terms.stopping.clone();
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
            _ = stopping.wait_for(|stop| *stop) => break,
        };
        match accepted {
            Ok((stream, peer)) => match Seats::take(&seats, peer.ip()) {
                Some(seat) => {
                    let terms = terms.clone();
                    let counted = terms.service.counters.connection();
                    connections.spawn(async move {
                        connection::serve(stream, peer, &terms).await;
                        drop((seat, counted));
                    });
                }
                None => {
                    terms.service.counters.connection_refused();
                    if let Some(unsaid) = SEATS_TAKEN.due() {
                        warn!(%peer, unsaid, "too many TCP connections: closed");
                    }
                }
            },
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                if let Some(unsaid) = ACCEPT_FAILS.due() {
                    warn!(%error, unsaid, "accepting TCP connections fails");
                }
                tokio::time::sleep(ERROR_PAUSE).await;
            }
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

/// The peer gave up before its turn came.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
    )
}

/// Connections that are open, at all addresses together.
pub(super) struct Seats {
    max: usize,
    per_address_max: usize,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    all: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// One connection's place, given back when dropped.
pub(super) struct Seat {
    seats: Arc<Seats>,
    host: IpAddr,
}

impl Seats {
    pub fn new(limits: &TcpLimits) -> Arc<Seats> {
        Arc::new(Seats {
            max: limits.connections_max,
            per_address_max: limits.connections_per_address_max,
            taken: Mutex::default(),
        })
    }

    pub fn take(seats: &Arc<Seats>, address: IpAddr) -> Option<Seat> {
        let host = host(address);
        let mut taken = seats.lock();
        let of_host = taken.by_address.get(&host).copied().unwrap_or(0);
        if taken.all >= seats.max || of_host >= seats.per_address_max {
            return None;
        }
        taken.all += 1;
        taken.by_address.insert(host, of_host + 1);
        Some(Seat {
            seats: seats.clone(),
            host,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken
            .lock()
            .unwrap_or_else(|broken| broken.into_inner())
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.lock();
        taken.all -= 1;
        if let Some(count) = taken.by_address.get_mut(&self.host) {
            *count -= 1;
            if *count == 0 {
                taken.by_address.remove(&self.host);
            }
        }
    }
}

/// What counts as one host: an IPv4 address, or an IPv6 /64.
fn host(address: IpAddr) -> IpAddr {
    const PREFIX: u128 = !0 << 64;
    match address.to_canonical() {
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & PREFIX).into(),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seats() -> Arc<Seats> {
        Seats::new(&TcpLimits {
            connections_max: 3,
            connections_per_address_max: 2,
            ..TcpLimits::default()
        })
    }

    #[test]
    fn one_host_cannot_take_the_seats_of_all() {
        let seats = seats();
        let take = |address: &str| Seats::take(&seats, address.parse().unwrap());
        let first = take("2001:db8::1");
        let second = take("2001:db8::2");
        assert!(first.is_some() && second.is_some());
        assert!(take("2001:db8::3").is_none(), "the same /64");
        let third = take("192.0.2.1");
        assert!(third.is_some());
        assert!(take("192.0.2.2").is_none(), "all are taken");
        drop(first);
        assert!(take("2001:db8::3").is_some(), "a seat was given back");
        drop((second, third));
        assert!(seats.lock().by_address.is_empty());
    }
}
