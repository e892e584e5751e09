//! Who has a TCP connection, and who gives his up when there are too many.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;

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
}

/// One connection's seat, given back when dropped.
pub(super) struct Seat {
    seats: Arc<Seats>,
    place: Arc<Place>,
}

/// Whose seat a newcomer got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taking {
    Free,
    /// Somebody else's, who is told.
    Evicting,
}

impl Seats {
    pub fn new(limits: &TcpLimits) -> Arc<Seats> {
        Arc::new(Seats {
            max: limits.connections_max.max(1),
            per_address_max: limits.connections_per_address_max.max(1),
            started: Instant::now(),
            taken: Mutex::default(),
        })
    }

    pub fn take(seats: &Arc<Seats>, address: IpAddr) -> (Seat, Taking) {
        let host = host(address);
        let place = Arc::new(Place {
            host,
            used: AtomicU64::new(seats.now()),
            wanted: Notify::new(),
        });
        let mut taken = seats.lock();
        let of_host = taken.by_host.get(&host).map_or(0, Vec::len);
        let taking = if of_host >= seats.per_address_max {
            taken.evict_of(host)
        } else if taken.all >= seats.max {
            taken.evict()
        } else {
            Taking::Free
        };
        taken.all += 1;
        taken.by_host.entry(host).or_default().push(place.clone());
        drop(taken);
        let seats = seats.clone();
        (Seat { seats, place }, taking)
    }

    /// Frees a seat although there are more: the system has no room for another connection.
    pub fn evict(&self) -> Taking {
        self.lock().evict()
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
    fn evict(&mut self) -> Taking {
        let longest = longest_unused(self.by_host.values().flatten());
        self.evicted(longest)
    }

    fn evict_of(&mut self, host: IpAddr) -> Taking {
        let longest = longest_unused(self.by_host.get(&host).into_iter().flatten());
        self.evicted(longest)
    }

    fn evicted(&mut self, place: Option<Arc<Place>>) -> Taking {
        let Some(place) = place else {
            return Taking::Free;
        };
        self.remove(&place);
        place.wanted.notify_one();
        Taking::Evicting
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
    use std::time::Duration;

    use super::*;

    fn seats(max: usize, per_address_max: usize) -> Arc<Seats> {
        Seats::new(&TcpLimits {
            connections_max: max,
            connections_per_address_max: per_address_max,
            ..TcpLimits::default()
        })
    }

    fn take(seats: &Arc<Seats>, address: &str) -> (Seat, Taking) {
        // No two at the same microsecond.
        std::thread::sleep(Duration::from_millis(1));
        Seats::take(seats, address.parse().unwrap())
    }

    fn is_evicted(seat: &Seat) -> bool {
        let evicted = pin!(seat.evicted());
        evicted
            .poll(&mut Context::from_waker(Waker::noop()))
            .is_ready()
    }

    #[test]
    fn a_host_that_has_its_share_loses_its_own_least_used_connection() {
        let seats = seats(10, 2);
        let (other, _) = take(&seats, "192.0.2.1");
        let (first, taking) = take(&seats, "2001:db8::1");
        assert_eq!(taking, Taking::Free);
        let (second, _) = take(&seats, "2001:db8::2");
        std::thread::sleep(Duration::from_millis(1));
        first.used();
        let (third, taking) = take(&seats, "2001:db8::3");
        assert_eq!(taking, Taking::Evicting, "the same /64");
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
        let (third, taking) = take(&seats, "192.0.2.3");
        assert_eq!(taking, Taking::Evicting);
        assert!(is_evicted(&first) && !is_evicted(&second) && !is_evicted(&third));
        drop(first);
        assert_eq!(seats.lock().all, 2, "a seat is given back once");
        drop(second);
        assert_eq!(take(&seats, "192.0.2.4").1, Taking::Free);
    }

    #[test]
    fn a_seat_can_be_freed_before_all_are_taken() {
        let seats = seats(10, 10);
        assert_eq!(seats.evict(), Taking::Free, "there is nobody");
        let (only, _) = take(&seats, "192.0.2.1");
        assert_eq!(seats.evict(), Taking::Evicting);
        assert!(is_evicted(&only));
    }
}
