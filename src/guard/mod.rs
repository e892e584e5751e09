//! The guard: whether a change may happen. The same images, change and facts always give the same
//! verdict.
//!
//! Read in order: `facts` (what is known besides the images), `permit` and `range` (what a key may
//! do), `verdict` (the outcome), then one file per rule: `freeze`, `scope`, `validate`,
//! `min_members`, `ttl`.
//! Not here: counting members (`answer`) and finding what is wrong with a zone (`check`), whose
//! results come in as facts; keeping freezes and verdicts (`store`); choosing RCODE and EDE.

mod facts;
mod freeze;
mod min_members;
mod permit;
mod range;
mod scope;
mod ttl;
mod validate;
mod verdict;

pub use facts::{
    Actor, Change, Count, Counted, Facts, Freeze, FreezeScope, Mode, NewFinding, Override, Path,
    Protection, Ttls,
};
pub use permit::{OwnerPattern, Permit, Right, may_touch};
pub use range::{Prefix, RdataRange};
pub use verdict::{Refusal, RuleVerdict, Verdict};

use crate::zone::ZoneImage;

/// The rules that a person may set aside, one at a time and with a reason.
pub const OVERRIDABLE: [&str; 2] = [min_members::RULE, validate::RULE];

/// What configuration or a stored row says that no guard understands.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GuardError {
    #[error("{0:?} is not an owner relative to the zone: \"@\", \"api\", \"*.dyn\" or \"**\"")]
    BadOwner(String),
    #[error("{0:?} is neither a prefix such as 192.0.2.0/24 nor a name with its last dot")]
    BadRange(String),
    #[error("{0:?} is neither an address nor a prefix such as 192.0.2.0/24")]
    BadPrefix(String),
    #[error("{0:?} is not what a key can be allowed: \"add\", \"delete\" or \"delete-record\"")]
    BadRight(String),
    #[error("{0:?} is not what a freeze can cover: \"server\", \"zone NAME\" or \"key NAME\"")]
    BadFreezeScope(String),
}

/// Judges a change by every rule. All of them speak, so that the audit shows each with its numbers;
/// the first one that fails and is enforced gives the refusal, in the order in which a person would
/// have to solve them: frozen, not allowed, broken, too little left.
pub fn evaluate(before: &ZoneImage, change: &Change, after: &ZoneImage, facts: &Facts) -> Verdict {
    #[cfg(test)]
    tests::err(after);
    Verdict::of([
        freeze::judge(before, facts),
        scope::judge(before, change, facts),
        validate::judge(facts),
        min_members::judge(facts),
        ttl::judge(before, change, after, facts),
    ])
}

#[cfg(test)]
pub(crate) mod tests;
