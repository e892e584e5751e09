//! What hostile octets are thrown at: one module for each way in, each with a function `run` that
//! takes any octets and panics when something comes of them that must not.
//!
//! cargo-fuzz calls them from `fuzz_targets/`, the deterministic run of `tests/hostile/` includes
//! this very file. Read in order: `world` (what is served), `sign` (a client with a key), `packet`
//! (a message to its answer), `doors` (a server with sockets), `update` (a message to the zone after
//! it), `zonefile`, `rows`, `tsig`.

pub mod doors;
pub mod packet;
pub mod rows;
pub mod sign;
pub mod tsig;
pub mod update;
pub mod world;
pub mod zonefile;
