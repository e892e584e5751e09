//! lastgood: an authoritative DNS server that cannot be talked into an outage.
//!
//! Rooms stand on floors and import only from floors below; `tests/floors.rs` checks it.

pub mod check;
pub mod guard;
pub mod rr;
pub mod zone;
