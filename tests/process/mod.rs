//! A server in a process of its own, to be treated badly, and clients that are fast enough to do it.
//!
//! Read in order: `server` (the process), `message` (what clients send and what they read of the
//! answers), `client` (over UDP and TCP), `random`.

pub mod client;
pub mod message;
pub mod random;
pub mod server;

#[path = "../it/harness/ports.rs"]
pub mod ports;
#[path = "../../fuzz/src/sign.rs"]
pub mod sign;
