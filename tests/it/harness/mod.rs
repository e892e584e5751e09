//! What the tests stand on.
//!
//! `lab` starts and stops servers, `serving` one as a process of its own, `process` one that is
//! killed, `peers` those of others; `programs` runs other programs with a bound on their time, `dig`
//! reads what dig and kdig print, `exposition` what Prometheus is told, `library` is the client that
//! is no program, `attack` sends what is refused and what passes, `querier` asks all the time while
//! something goes wrong, `pages` follows the documentation, `patience` waits for a condition instead
//! of a length of time, `ports` finds free ones.

pub mod attack;
pub mod dig;
pub mod exposition;
pub mod lab;
pub mod library;
pub mod pages;
pub mod patience;
pub mod peers;
pub mod ports;
pub mod process;
pub mod programs;
pub mod querier;
pub mod serving;

pub use patience::eventually;
