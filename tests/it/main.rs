//! The whole server, seen from outside: real sockets on ports the system chose, a fresh store for each
//! test, and the programs that people use as clients (dig, nsupdate, kdig, knsupdate, sqlite3) beside
//! an independent library.
//!
//! Start at `harness/lab.rs`: a lab is a folder with a configuration, zones and a running server.

mod harness;

mod answers;
mod commands;
mod commands3;
mod endings;
mod handedits;
mod holding;
mod readme;
mod reasons;
mod refusals;
mod reload;
mod sideways;
mod situations;
mod together;
mod updates;
