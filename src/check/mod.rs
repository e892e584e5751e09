//! What is wrong with a zone, in three severities.
//!
//! Read in order: `finding` (what comes out), `node` (which checks a name gets, by where it
//! stands), `structure` (fatal), `delegation` and `reference` (errors, mostly), `style` and `svcb`
//! (warnings), `zone_wide`; then `affected`, which makes a change cost in its own size, and
//! `records`, for lists that an image is made of; `zone_digest`, for a zone that comes in whole.
//!
//! Each finding belongs to one owner and follows from what that owner's look-ups meet. So the
//! findings that a change adds are found by judging again the owners whose look-ups it may have
//! changed, in both images; a property test holds that equal to judging everything.
//!
//! Not here: owners outside the zone, which no image can hold; what a finding leads to (`guard`,
//! `publish`).

mod affected;
mod delegation;
mod finding;
mod node;
mod records;
mod reference;
mod structure;
mod style;
mod svcb;
mod walk;
mod zone_digest;
mod zone_wide;

pub use finding::{Finding, Limits, Severity};
pub use records::{of_large_ttl, of_records};
pub use zone_digest::of_digest;

use std::collections::HashSet;

use crate::zone::{Diff, ZoneImage};

/// All findings, the worst first, then in canonical order of owners.
pub fn full(image: &ZoneImage, limits: &Limits) -> Vec<Finding> {
    let mut findings = zone_wide::findings(image, limits);
    for node in image.iter() {
        node::judge(image, node, limits, &mut findings);
    }
    sorted(findings)
}

/// The findings of `after` that `before` lacks, given what lies between the two. Costs in the size
/// of the change, and of what refers to the names whose existence, addresses or aliases it changed.
pub fn added(before: &ZoneImage, diff: &Diff, after: &ZoneImage, limits: &Limits) -> Vec<Finding> {
    let mut old = zone_wide::findings(before, limits);
    let mut new = zone_wide::findings(after, limits);
    for key in affected::owners(before, diff, after) {
        for (image, findings) in [(before, &mut old), (after, &mut new)] {
            if let Some(node) = image.node_at(key.as_bytes()) {
                node::judge(image, node, limits, findings);
            }
        }
    }
    let old: HashSet<Finding> = old.into_iter().collect();
    new.retain(|finding| !old.contains(finding));
    sorted(new)
}

fn sorted(mut findings: Vec<Finding>) -> Vec<Finding> {
    findings.sort_by_cached_key(Finding::rank);
    findings
}

#[cfg(test)]
mod tests;
