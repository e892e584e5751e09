//! Trouble that anybody on the network can cause a million times is logged once in a while.

use std::sync::Mutex;
use std::time::{Duration, Instant};

const PAUSE: Duration = Duration::from_secs(10);

/// One kind of trouble.
pub(super) struct Seldom(Mutex<State>);

struct State {
    last: Option<Instant>,
    unsaid: u64,
}

impl Seldom {
    pub const fn new() -> Seldom {
        Seldom(Mutex::new(State {
            last: None,
            unsaid: 0,
        }))
    }

    /// Whether to log now, and how many times it happened since the last line without one.
    pub fn due(&self) -> Option<u64> {
        self.due_at(Instant::now())
    }

    fn due_at(&self, now: Instant) -> Option<u64> {
        let mut state = self.0.lock().unwrap_or_else(|broken| broken.into_inner());
        if state.last.is_some_and(|last| now < last + PAUSE) {
            state.unsaid += 1;
            return None;
        }
        state.last = Some(now);
        Some(std::mem::take(&mut state.unsaid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_trouble_is_one_line_with_its_count() {
        let (seldom, start) = (Seldom::new(), Instant::now());
        assert_eq!(seldom.due_at(start), Some(0));
        for _ in 0..1000 {
            assert_eq!(seldom.due_at(start), None);
        }
        assert_eq!(seldom.due_at(start + PAUSE), Some(1000));
        assert_eq!(seldom.due_at(start + PAUSE + PAUSE), Some(0));
    }
}
