//! Signed messages (TSIG, RFC 8945): checking requests, refusing them, signing answers.
//!
//! Read in order: `algorithm` (and its MACs), `keys` (names and secrets), `record` (the TSIG record
//! and where it must stand), `check` (from a request to what it is worth), `sign` (what a MAC is of).
//! HMAC is a library's; what it is made of is put together here: the DNS libraries know no SHA-224,
//! sign only what their own builders made, and answer BADTIME without our time or with a wrong one.
//! Not here: what a key may do (`guard`), telling retransmissions from replays (`change`).

mod algorithm;
mod check;
mod keys;
mod record;
mod sign;

#[cfg(test)]
mod tests;

pub use algorithm::{Algorithm, BadAlgorithm};
pub use check::{Checked, check};
pub use keys::{KeyError, Keys, generate_secret};
pub use sign::{SignError, Signed};

/// The seconds by which clocks may differ: ours in answers, and the most we grant in requests, so
/// that nobody can make a message that stays valid for longer.
pub const FUDGE_SECS: u16 = 300;
