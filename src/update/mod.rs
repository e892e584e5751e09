//! Dynamic update (RFC 2136): from a message and a zone to the zone as it would become.
//!
//! Read in order: `message` (§2, what came), `prerequisite` (§3.2), `prescan` (§3.4.1, from
//! records to operations), `apply` (§3.4.2, through `draft`, one name being changed), `serial`
//! (§3.6, which serial comes next).
//! Not here: signatures (`tsig`), who may ask (`guard`), whether the result is fit (`check`),
//! keeping it (`store`).

mod apply;
mod draft;
mod message;
mod prerequisite;
mod prescan;
mod serial;

#[cfg(test)]
mod testing;

pub use apply::{Applied, apply};
pub use message::{Failure, UpdateMessage, parse};
pub use prerequisite::check_prerequisites;
pub use prescan::{prescan, readable};
pub use serial::{SerialPolicy, next_serial, with_serial};
