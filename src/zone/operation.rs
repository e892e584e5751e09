//! What a change asks for, one by one, as RFC 2136 §2.5 says it and every other path borrows.

use std::fmt;

use crate::rr::{Name, Record, Rtype};

/// One operation on a zone. TTLs are in seconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// Add a record to an RRset, whose TTL becomes the record's (RFC 2136 §2.5.1).
    Add(Record),
    /// Delete one record; its TTL counts nothing (§2.5.4).
    DeleteRecord(Record),
    /// Delete an RRset (§2.5.2).
    DeleteRrset { owner: Name, rtype: Rtype },
    /// Delete all RRsets of a name (§2.5.3).
    DeleteName { owner: Name },
}

impl Operation {
    pub fn owner(&self) -> &Name {
        match self {
            Operation::Add(record) | Operation::DeleteRecord(record) => &record.owner,
            Operation::DeleteRrset { owner, .. } | Operation::DeleteName { owner } => owner,
        }
    }

    /// `None` when it is about all types.
    pub fn rtype(&self) -> Option<Rtype> {
        match self {
            Operation::Add(record) | Operation::DeleteRecord(record) => Some(record.rtype),
            Operation::DeleteRrset { rtype, .. } => Some(*rtype),
            Operation::DeleteName { .. } => None,
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Operation::Add(record) => write!(f, "add {record}"),
            Operation::DeleteRecord(r) => {
                write!(f, "delete {} {} {}", r.owner, r.rtype, r.rdata_text())
            }
            Operation::DeleteRrset { owner, rtype } => write!(f, "delete {owner} {rtype}"),
            Operation::DeleteName { owner } => write!(f, "delete {owner}"),
        }
    }
}
