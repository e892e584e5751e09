//! Numbers that a seed decides (xorshift64*).

use std::time::{SystemTime, UNIX_EPOCH};

#[derive(Clone)]
pub struct Random(u64);

impl Random {
    pub fn of(seed: u64) -> Random {
        // Neighbouring seeds must not give neighbouring numbers, and zero gives none at all.
        Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// Below `bound`, which is not zero.
    pub fn below(&mut self, bound: usize) -> usize {
        ((self.next() >> 16) % bound as u64) as usize
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

/// From the environment variable `SEED`, or from the clock.
pub fn seed() -> u64 {
    let given = std::env::var("SEED").ok().map(|text| {
        text.parse()
            .unwrap_or_else(|_| panic!("SEED is a number, not {text:?}"))
    });
    let now = || SystemTime::now().duration_since(UNIX_EPOCH);
    given.unwrap_or_else(|| now().map_or(1, |since| since.as_micros() as u64))
}
