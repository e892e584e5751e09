//! The outcome of a change in JSON, as the control socket sends it and the command line reads it.

use serde::{Deserialize, Serialize};

use crate::change::{Committed, Outcome, Refused};

/// What became of a change. The names are part of the interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "lowercase")]
pub enum Report {
    Committed {
        reference: String,
        revision: u64,
        old_serial: Option<u32>,
        new_serial: u32,
        removed: usize,
        added: usize,
        ignored: Vec<String>,
        warnings: Vec<String>,
    },
    Unchanged {
        reference: String,
        ignored: Vec<String>,
    },
    Refused {
        reference: String,
        rule: String,
        reason: String,
        accepted: String,
    },
    Failed {
        rcode: String,
        reason: String,
    },
    Unavailable {
        reason: String,
    },
}

impl From<Outcome> for Report {
    fn from(outcome: Outcome) -> Report {
        match outcome {
            Outcome::Committed(committed) => committed.into(),
            Outcome::Unchanged { reference, ignored } => Report::Unchanged { reference, ignored },
            Outcome::Refused(refused) => refused.into(),
            Outcome::Failed { rcode, reason } => Report::Failed {
                rcode: rcode.to_string(),
                reason,
            },
            Outcome::Unavailable { reason } => Report::Unavailable { reason },
        }
    }
}

impl From<Committed> for Report {
    fn from(committed: Committed) -> Report {
        Report::Committed {
            reference: committed.reference,
            revision: committed.revision,
            old_serial: committed.old_serial,
            new_serial: committed.new_serial,
            removed: committed.removed,
            added: committed.added,
            ignored: committed.ignored,
            warnings: committed.warnings,
        }
    }
}

impl From<Refused> for Report {
    fn from(refused: Refused) -> Report {
        Report::Refused {
            reference: refused.reference,
            rule: refused.rule,
            reason: refused.reason,
            accepted: refused.accepted,
        }
    }
}
