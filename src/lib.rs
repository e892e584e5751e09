//! lastgood: an authoritative DNS server that cannot be talked into an outage.
//!
//! Rooms stand on floors and import only from floors below; `tests/floors.rs` checks it.

pub mod admin;
pub mod answer;
pub mod change;
pub mod check;
pub mod cli;
pub mod config;
pub mod guard;
pub mod metrics;
pub mod publish;
pub mod rr;
pub mod server;
pub mod store;
pub mod tsig;
pub mod update;
pub mod wire;
pub mod zone;
pub mod zonefile;
