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

use crate::rr::{Key, Name};
use crate::zone::{Diff, Node, ZoneImage};

/// All findings, the worst first, then in canonical order of owners.
pub fn full(image: &ZoneImage, limits: &Limits) -> Vec<Finding> {
    let mut findings = zone_wide::findings(image, limits);
    for node in image.iter() {
        node::judge(image, node, limits, &mut findings);
    }
    sorted(findings)
}

/// More records and names than this are not looked at for one change: the writer has other zones to
/// attend to. It is half a second's work, and more than nearly every zone has.
const STEPS_MAX: usize = 400_000;

/// The findings of `after` that `before` lacks, given what lies between the two. Costs in the size
/// of the change, and of what refers to the names whose existence, addresses or aliases it changed.
/// Where that is too much, an error says so and stands for those it may have hidden: none of them is
/// fatal, since such follow from a name's own records.
pub fn added(before: &ZoneImage, diff: &Diff, after: &ZoneImage, limits: &Limits) -> Vec<Finding> {
    // An edit by hand may be as large as a zone.
    let steps_max = STEPS_MAX.max(8 * diff.changes.len());
    added_within(steps_max, before, diff, after, limits).0
}

/// And the steps that it took.
fn added_within(
    steps_max: usize,
    before: &ZoneImage,
    diff: &Diff,
    after: &ZoneImage,
    limits: &Limits,
) -> (Vec<Finding>, usize) {
    let mut both = Both {
        before,
        after,
        new: Vec::new(),
        steps: 0,
    };
    let old = zone_wide::findings(before, limits);
    both.new = zone_wide::findings(after, limits);
    both.new.retain(|finding| !old.contains(finding));
    for owner in owners_of(diff) {
        both.judge(&owner.key(), |image, node, out| {
            node::judge(image, node, limits, out);
        });
    }
    let own = both.new.len();
    let affected = affected::owners(before, diff, after, steps_max);
    let is_whole = affected.is_some_and(|affected| {
        both.steps = affected.steps;
        let nearby = affected.nearby.iter().all(|key| {
            both.judge(key, |image, node, out| {
                node::judge(image, node, limits, out)
            }) <= steps_max
        });
        nearby
            && affected
                .referring
                .iter()
                .all(|key| both.judge(key, node::judge_references) <= steps_max)
    });
    if !is_whole {
        // What was found beside depends on the order in which it was looked for.
        both.new.truncate(own);
        both.new.push(too_wide(after, steps_max));
    }
    (sorted(both.new), both.steps)
}

fn owners_of(diff: &Diff) -> impl Iterator<Item = &Name> {
    // Changes of one owner stand together.
    let mut last = None;
    diff.changes
        .iter()
        .map(|change| &change.owner)
        .filter(move |&owner| last.replace(owner) != Some(owner))
}

fn too_wide(image: &ZoneImage, steps_max: usize) -> Finding {
    let sentence = format!(
        "more than {steps_max} records are below the names that this change makes, removes or leads \
         elsewhere, or refer to them: too many to tell in time whether it breaks them; \
         `lastgood zone import --replace` takes that time"
    );
    Finding::new(
        Severity::Error,
        "change-too-wide",
        image.origin(),
        "",
        sentence,
    )
}

/// The two images that a change lies between.
struct Both<'a> {
    before: &'a ZoneImage,
    after: &'a ZoneImage,
    new: Vec<Finding>,
    steps: usize,
}

impl Both<'_> {
    /// Notes what an owner has now and had not before; returns the steps taken so far.
    fn judge(&mut self, key: &Key, judge: impl Fn(&ZoneImage, &Node, &mut Vec<Finding>)) -> usize {
        let Some(node) = self.after.node_at(key.as_bytes()) else {
            return self.steps;
        };
        self.steps += 1 + node.rrsets().iter().map(|set| set.len()).sum::<usize>();
        let mut found = Vec::new();
        judge(self.after, node, &mut found);
        if let Some(node) = self.before.node_at(key.as_bytes())
            && !found.is_empty()
        {
            let mut had = Vec::new();
            judge(self.before, node, &mut had);
            let had: HashSet<Finding> = had.into_iter().collect();
            found.retain(|finding| !had.contains(finding));
        }
        self.new.extend(found);
        self.steps
    }
}

fn sorted(mut findings: Vec<Finding>) -> Vec<Finding> {
    findings.sort_by_cached_key(Finding::rank);
    findings
}

#[cfg(test)]
mod tests;
