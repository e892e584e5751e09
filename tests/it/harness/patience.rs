//! Waiting for a condition.

use std::thread;
use std::time::{Duration, Instant};

/// Far beyond what any condition here takes, so that only what never comes true runs into it.
const BOUND: Duration = Duration::from_secs(20);
const STEP: Duration = Duration::from_millis(20);

/// Asks again and again until the condition gives a value; what it last said otherwise is told.
pub fn eventually<T>(what: &str, mut condition: impl FnMut() -> Result<T, String>) -> T {
    let start = Instant::now();
    loop {
        match condition() {
            Ok(value) => return value,
            Err(last) if start.elapsed() > BOUND => {
                panic!("{what}: not within {BOUND:?}; at last: {last}")
            }
            Err(_) => thread::sleep(STEP),
        }
    }
}
