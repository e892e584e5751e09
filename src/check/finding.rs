//! One thing that is wrong, and the limits that some of them are measured by.

use std::cmp::{Ordering, Reverse};
use std::fmt;
use std::hash::{Hash, Hasher};

use serde::Serialize;

use crate::rr::{Name, OrderKey};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Reported, never silent.
    Warning,
    /// A change may not add one; what a zone already had does not block unrelated changes.
    Error,
    /// The zone is unfit to be served.
    Fatal,
}

/// One reason why a zone is not as it should be. Two findings are the same when check, owner and
/// offending data are: the sentence is for people, and may count or name more.
#[derive(Debug, Clone, Serialize)]
pub struct Finding {
    pub severity: Severity,
    /// In kebab case, as `ns-no-address`.
    pub check: &'static str,
    pub owner: Name,
    /// The offending data: a type, a target in lower case, a number; may be empty.
    pub data: String,
    pub sentence: String,
}

impl Finding {
    pub(super) fn new(
        severity: Severity,
        check: &'static str,
        owner: &Name,
        data: impl Into<String>,
        sentence: String,
    ) -> Finding {
        Finding {
            severity,
            check,
            owner: owner.clone(),
            data: data.into(),
            sentence,
        }
    }

    pub(super) fn rank(&self) -> (Reverse<Severity>, OrderKey, &'static str, String) {
        (
            Reverse(self.severity),
            self.owner.order_key(),
            self.check,
            self.data.clone(),
        )
    }

    fn identity(&self) -> (Severity, &'static str, &Name, &str) {
        (self.severity, self.check, &self.owner, &self.data)
    }
}

impl PartialEq for Finding {
    fn eq(&self, other: &Self) -> bool {
        self.identity() == other.identity()
    }
}

impl Eq for Finding {}

impl Hash for Finding {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.identity().hash(state);
    }
}

impl PartialOrd for Finding {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Finding {
    /// The worst first, then in canonical order of owners.
    fn cmp(&self, other: &Self) -> Ordering {
        self.rank().cmp(&other.rank())
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Severity::Warning => "warning",
            Severity::Error => "error",
            Severity::Fatal => "fatal",
        })
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} [{}]", self.severity, self.sentence, self.check)
    }
}

/// How large a zone and its parts may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    pub records_per_rrset: usize,
    pub types_per_name: usize,
    /// Of the message that an RRset fills alone: header, question, and its records behind pointers.
    pub rrset_octets: usize,
    pub records_per_zone: Option<usize>,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            records_per_rrset: 1000,
            types_per_name: 100,
            // No message over TCP is longer (RFC 1035 §4.2.2).
            rrset_octets: 65535,
            records_per_zone: None,
        }
    }
}
