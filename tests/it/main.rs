//! The whole server, seen from outside: real sockets on ports of their own, a fresh store for each
//! test, and the programs that people use as clients (dig, nsupdate, kdig, knsupdate, sqlite3) beside
//! an independent library.
//!
//! Start at `harness/lab.rs`: a lab is a folder with a configuration, zones and a running server.

mod harness;

mod alike;
mod answers;
mod beginnings;
mod bypasses;
mod clients;
mod commands;
mod crowded;
mod docs;
mod doors;
mod endings;
mod faults;
mod fences;
mod groups;
mod handedits;
mod holding;
mod keeping;
mod keys;
mod large;
mod ledger;
mod losses;
mod malformed;
mod metrics;
mod operating;
mod packaging;
mod playbooks;
mod policies;
mod principles;
mod readme;
mod reasons;
mod refusals;
mod reload;
mod retransmissions;
mod scale;
mod sideways;
mod signatures;
mod situations;
mod sizes;
mod snapshots;
mod syncs;
mod together;
mod updates;
mod verbs;
mod verdicts;
mod zonefiles;
mod zonerows;
