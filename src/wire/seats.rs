//! Who has a TCP connection, and who gives his up when there are too many.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::TcpLimits;

/// Connections that are open, at all addresses together.
///
/// A newcomer always gets a seat. Where all are taken, or all of its host's, it is that of whoever
/// has used his own the least lately: turned away instead, everybody else would be kept out by
/// those who connect and say nothing, while a client that lost an idle connection opens another
/// (RFC 7766 §6.2.4).
pub(super) struct Seats {
    max: usize,
    per_address_max: usize,
    started: Instant,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    all: usize,
    by_host: HashMap<IpAddr, Vec<Arc<Place>>>,
}

struct Place {
    host: IpAddr,
    /// Microseconds from the start of all seats to when a message came in, or answers went out.
    used: AtomicU64,
    wanted: Notify,
    left: Notify,
}

/// One connection's seat, given back when dropped.
pub(super) struct Seat {
    seats: Arc<Seats>,
    place: Arc<Place>,
}

/// Somebody who was told to give up his seat.
pub(super) struct Leaving(Arc<Place>);

impl Seats {
    pub fn new(limits: &TcpLimits) -> Arc<Seats> {
        Arc::new(Seats {
            max: limits.connections_max.max(1),
            per_address_max: limits.connections_per_address_max.max(1),
            started: Instant::now(),
            taken: Mutex::default(),
        })
    }

    /// A seat for a newcomer, and whoever had it.
    pub fn take(seats: &Arc<Seats>, address: IpAddr) -> (Seat, Option<Leaving>) {
        let host = host(address);
        let place = Arc::new(Place {
            host,
            used: AtomicU64::new(seats.now()),
            wanted: Notify::new(),
            left: Notify::new(),
        });
        let mut taken = seats.lock();
        let of_host = taken.by_host.get(&host).map_or(0, Vec::len);
        let leaving = if of_host >= seats.per_address_max {
            longest_unused(taken.by_host.get(&host).into_iter().flatten())
        } else if taken.all >= seats.max {
            longest_unused(taken.by_host.values().flatten())
        } else {
            None
        };
        let leaving = leaving.map(|place| taken.evict(place));
        taken.all += 1;
        taken.by_host.entry(host).or_default().push(place.clone());
        drop(taken);
        let seats = seats.clone();
        (Seat { seats, place }, leaving)
    }

    /// Frees a seat although there are more, where one was not used for so long: the system has no
    /// room for another connection.
    pub fn evict(&self, unused: Duration) -> Option<Leaving> {
        let mut taken = self.lock();
        let place = longest_unused(taken.by_host.values().flatten())?;
        let used = Duration::from_micros(place.used.load(Ordering::Relaxed));
        (used + unused <= Duration::from_micros(self.now())).then(|| taken.evict(place))
    }

    fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken
            .lock()
            .unwrap_or_else(|broken| broken.into_inner())
    }
}

impl Taken {
    fn evict(&mut self, place: Arc<Place>) -> Leaving {
        self.remove(&place);
        place.wanted.notify_one();
        Leaving(place)
    }

    fn remove(&mut self, place: &Arc<Place>) {
        let Some(of_host) = self.by_host.get_mut(&place.host) else {
            return;
        };
        let Some(at) = of_host.iter().position(|other| Arc::ptr_eq(other, place)) else {
            return;
        };
        of_host.swap_remove(at);
        if of_host.is_empty() {
            self.by_host.remove(&place.host);
        }
        self.all -= 1;
    }
}

fn longest_unused<'a>(places: impl Iterator<Item = &'a Arc<Place>>) -> Option<Arc<Place>> {
    places
        .min_by_key(|place| place.used.load(Ordering::Relaxed))
        .cloned()
}

impl Seat {
    /// A message has come in, or answers went out.
    pub fn used(&self) {
        self.place.used.store(self.seats.now(), Ordering::Relaxed);
    }

    /// Returns when somebody else has got the seat.
    pub async fn evicted(&self) {
        self.place.wanted.notified().await;
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.seats.lock().remove(&self.place);
        self.place.left.notify_one();
    }
}

impl Leaving {
    /// Returns when the seat was given back, and with it what the connection had open.
    pub async fn left(self) {
        self.0.left.notified().await;
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
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Waker};

    use super::*;

    fn seats(max: usize, per_address_max: usize) -> Arc<Seats> {
        Seats::new(&TcpLimits {
            connections_max: max,
            connections_per_address_max: per_address_max,
            ..TcpLimits::default()
        })
    }

    fn take(seats: &Arc<Seats>, address: &str) -> (Seat, Option<Leaving>) {
        // No two at the same microsecond.
        std::thread::sleep(Duration::from_millis(1));
        Seats::take(seats, address.parse().unwrap())
    }

    fn is_ready(future: impl Future) -> bool {
        let mut context = Context::from_waker(Waker::noop());
        pin!(future).poll(&mut context).is_ready()
    }

    fn is_evicted(seat: &Seat) -> bool {
        is_ready(seat.evicted())
    }

    #[test]
    fn a_host_that_has_its_share_loses_its_own_least_used_connection() {
        let seats = seats(10, 2);
        let (other, _) = take(&seats, "192.0.2.1");
        let (first, leaving) = take(&seats, "2001:db8::1");
        assert!(leaving.is_none());
        let (second, _) = take(&seats, "2001:db8::2");
        std::thread::sleep(Duration::from_millis(1));
        first.used();
        let (third, leaving) = take(&seats, "2001:db8::3");
        assert!(leaving.is_some(), "the same /64");
        assert!(is_evicted(&second) && !is_evicted(&first) && !is_evicted(&other));
        drop((first, second, third, other));
        let taken = seats.lock();
        assert!(taken.all == 0 && taken.by_host.is_empty());
    }

    #[test]
    fn when_all_seats_are_taken_whoever_used_his_the_least_lately_goes() {
        let seats = seats(2, 2);
        let (first, _) = take(&seats, "192.0.2.1");
        let (second, _) = take(&seats, "192.0.2.2");
        let (third, leaving) = take(&seats, "192.0.2.3");
        let mut leaving = Box::pin(leaving.expect("the first").left());
        assert!(!is_ready(leaving.as_mut()), "not yet");
        assert!(is_evicted(&first) && !is_evicted(&second) && !is_evicted(&third));
        drop(first);
        assert!(is_ready(leaving.as_mut()));
        assert_eq!(seats.lock().all, 2, "a seat is given back once");
        drop(second);
        assert!(take(&seats, "192.0.2.4").1.is_none());
    }

    #[test]
    fn a_seat_that_is_not_used_can_be_freed_before_all_are_taken() {
        let seats = seats(10, 10);
        assert!(seats.evict(Duration::ZERO).is_none(), "there is nobody");
        let (only, _) = take(&seats, "192.0.2.1");
        assert!(seats.evict(Duration::from_secs(60)).is_none(), "in use");
        assert!(!is_evicted(&only));
        assert!(seats.evict(Duration::ZERO).is_some());
        assert!(is_evicted(&only));
    }
}
