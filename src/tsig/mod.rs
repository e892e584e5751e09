//! Signed messages (TSIG, RFC 8945): checking requests, refusing them, signing answers.
//!
//! Read in order: `keys` (names, algorithms, secrets), `record` (the TSIG record and where it must
//! stand), `check` (from a request to what it is worth), `sign` (MACs of our answers).
//! Verification is the library's (`domain::tsig`). Answers are signed here: the library signs only
//! what its own builder made, and over a server time of eight octets where BADTIME has six.
//! Not here: what a key may do (`guard`), telling retransmissions from replays (`change`).

mod check;
mod keys;
mod record;
mod sign;

#[cfg(test)]
mod tests;

pub use check::{Checked, check};
pub use keys::{Algorithm, BadAlgorithm, KeyError, Keys, generate_secret};
pub use sign::{SignError, Signed};

/// The seconds by which clocks may differ: ours in answers, and the most we grant in requests, so
/// that nobody can make a message that stays valid for longer.
pub const FUDGE_SECS: u16 = 300;
