//! Applying the operations (RFC 2136 §3.4.2) to an image.

use std::collections::BTreeMap;

use super::draft::Draft;
use crate::rr::OrderKey;
use crate::zone::{Diff, Operation, ZoneImage};

/// What became of the operations.
#[derive(Debug, Clone)]
pub struct Applied {
    pub after: ZoneImage,
    pub diff: Diff,
    /// What was asked for and, as the RFC says, silently not done: a sentence each. Deleting what
    /// is not there and adding what is are not among them: the zone is as it was asked to be.
    pub ignored: Vec<String>,
    /// The message itself raised the serial of the SOA.
    pub serial_set: bool,
}

/// Performs the operations in their order. Only what stands at one owner decides about an
/// operation, so each owner is drafted on its own and every RRset is compiled once, however many
/// operations it had. The serial is not raised here (§3.6).
pub fn apply(image: &ZoneImage, operations: &[Operation]) -> Applied {
    let mut drafts: BTreeMap<OrderKey, Draft> = BTreeMap::new();
    let mut ignored = Vec::new();
    for operation in operations {
        let owner = operation.owner();
        if !owner.is_at_or_below(image.origin()) {
            let origin = image.origin();
            ignored.push(format!("{owner} was left alone: it is outside {origin}"));
            continue;
        }
        let draft = drafts
            .entry(owner.order_key())
            .or_insert_with(|| Draft::of(image, owner));
        ignored.extend(draft.perform(operation));
    }
    let mut editor = image.edit();
    let mut serial_set = false;
    for draft in drafts.into_values() {
        serial_set |= draft.serial_was_set();
        draft
            .write(&mut editor)
            .expect("every draft is of an owner in the zone");
    }
    let (after, diff) = editor.finish();
    Applied {
        after,
        diff,
        ignored,
        serial_set,
    }
}

#[cfg(test)]
mod tests;
