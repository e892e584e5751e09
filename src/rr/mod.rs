//! The vocabulary of the DNS: names, types, RDATA, RRsets, serials. Everything is in wire form.
//!
//! Read in order: `name` (owner names and their two keys), `rtype`, `token` (zone text cut into its
//! pieces), `rdata` (wire and presentation form), `rrset` (records of one owner and type, ready to send), `serial` (RFC 1982), `message`
//! (the few constants of the message format).
//! Not here: zones (`zone`), messages as a whole (`answer`, `update`), zone files (`zonefile`).

pub mod message;
mod name;
pub mod rdata;
mod rrset;
mod rtype;
mod serial;
pub mod token;

pub use name::{Key, Name, NameError, OrderKey};
pub use rdata::{RdataError, Soa};
pub use rrset::{Record, RrSet};
pub use rtype::Rtype;
pub use serial::Serial;
