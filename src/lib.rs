//! lastgood: an authoritative DNS server that cannot be talked into an outage.
//!
//! Rooms stand on floors and import only from floors below; `tests/floors.rs` checks it.

pub mod answer;
pub mod rr;
pub mod zone;
