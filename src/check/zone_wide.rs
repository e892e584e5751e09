//! What only the zone as a whole shows. Cheap: nothing here looks at every name.

use super::{
    Finding, Limits,
    Severity::{Error, Fatal},
};
use crate::rr::Name;
use crate::zone::ZoneImage;

pub(super) fn findings(image: &ZoneImage, limits: &Limits) -> Vec<Finding> {
    let mut out = Vec::new();
    let origin = image.origin();
    let records = image.record_count();
    if let Some(max) = limits.records_per_zone.filter(|&max| records > max) {
        out.push(Finding::new(
            Fatal,
            "zone-records",
            origin,
            "",
            format!("the zone {origin} has {records} records; at most {max} are allowed"),
        ));
    }
    if let Some(doubled) = doubled_share(image) {
        out.push(Finding::new(
            Error,
            "doubled-origin-share",
            origin,
            "",
            format!(
                "{doubled} or more of the {} names of {origin} repeat the name of the zone, as if \
                 last dots were missing; at most 1 % is let in",
                image.node_count()
            ),
        ));
    }
    out
}

/// The origin put behind itself, as happens when a last dot is missing.
fn doubled(origin: &Name) -> Option<Name> {
    match origin.is_root() {
        true => None,
        false => origin.replace_suffix(&Name::root(), origin).ok(),
    }
}

pub(super) fn is_doubled(name: &Name, origin: &Name) -> bool {
    // Most names are too short to be one: no allocation for them.
    name.label_count() >= 2 * origin.label_count()
        && doubled(origin).is_some_and(|doubled| name.is_at_or_below(&doubled))
}

/// How many names are doubled, if they are more than one in a hundred; counting stops there.
fn doubled_share(image: &ZoneImage) -> Option<usize> {
    let doubled = doubled(image.origin())?;
    let most = image.node_count() / 100;
    let count = image
        .node(&doubled)
        .into_iter()
        .chain(image.below(&doubled))
        .filter(|node| !node.is_empty())
        .take(most + 1)
        .count();
    (count > most).then_some(count)
}
