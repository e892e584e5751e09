//! How the writer waits for what comes next.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::Order;

/// A client that waits for each answer sends the next update within this time. Longer than it takes to
/// put a thread to sleep and wake it again, which such a client would wait for each time.
const SOON: Duration = Duration::from_micros(250);

/// Whether updates come one right after the other: only then is the next one waited for awake.
#[derive(Default)]
pub(super) struct Haste {
    is_hasty: bool,
    done: Option<Instant>,
}

impl Haste {
    /// As `recv_timeout`, which it is where nobody is in haste.
    pub fn next(
        &mut self,
        incoming: &Receiver<Order>,
        wait: Duration,
    ) -> Result<Order, RecvTimeoutError> {
        let since = self.done.unwrap_or_else(Instant::now);
        while self.is_hasty {
            if let Ok(order) = incoming.try_recv() {
                return Ok(order);
            }
            self.is_hasty = since.elapsed() < SOON;
            std::thread::yield_now();
        }
        let next = incoming.recv_timeout(wait);
        self.is_hasty = matches!(next, Ok(Order::Job(_))) && since.elapsed() < SOON;
        next
    }

    pub fn is_on(&self) -> bool {
        self.is_hasty
    }

    /// What came is answered.
    pub fn is_done(&mut self) {
        self.done = Some(Instant::now());
    }
}

#[cfg(test)]
impl Haste {
    pub fn on() -> Haste {
        Haste {
            is_hasty: true,
            done: Some(Instant::now()),
        }
    }
}
