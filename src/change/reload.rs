//! A new configuration: in force as a whole, or not at all.

use tokio::sync::oneshot;

use super::Settings;
use super::members;
use super::policy::Policy;
use super::reconcile::NO_DATA;
use crate::answer::{self, WalkEnd};
use crate::publish;
use crate::rr::{Name, Rtype};
use crate::zone::{Published, Served};

/// What became of a reload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reloaded {
    Done {
        /// Zones whose stanza is gone; they and their protection stay.
        orphaned: Vec<Name>,
        /// Zones that nobody has known before.
        unknown: Vec<Name>,
        /// What protects less than before, as was asked for.
        weaker: Vec<String>,
    },
    Refused {
        /// What would protect less than before.
        weaker: Vec<String>,
        /// Where the data served do not meet what is asked of them.
        unmet: Vec<String>,
    },
}

pub(super) struct Reload {
    pub settings: Settings,
    pub weaker: bool,
    pub reply: oneshot::Sender<Reloaded>,
}

/// The policies of new settings, if they may be put in force.
pub(super) fn consider(
    old: &Policy,
    published: &Published,
    settings: &Settings,
    weaker_allowed: bool,
) -> Result<(Policy, Vec<String>), Reloaded> {
    let new = Policy::new(settings, old.zones.values().cloned());
    let weaker = old.weakened_by(&new);
    let unmet: Vec<String> = new
        .zones
        .values()
        .filter(|zone| {
            published
                .zone(&zone.origin)
                .is_some_and(|served| served.zone().is_some())
        })
        .flat_map(|zone| {
            let known = members::shortfalls(&old.zone(&zone.origin).protections, published);
            let mut short = members::shortfalls(&zone.protections, published);
            short.retain(|sentence| !known.contains(sentence));
            short
        })
        .collect();
    if !unmet.is_empty() || (!weaker.is_empty() && !weaker_allowed) {
        return Err(Reloaded::Refused { weaker, unmet });
    }
    Ok((new, weaker))
}

/// Drops zones that no stanza names any more and that nobody has: removed, or never imported.
pub(super) fn forget(policy: &mut Policy, published: &Published) -> (Published, Vec<Name>) {
    let has_nothing = |zone: &&Name| match published.zone(zone).map(|served| &**served) {
        Some(Served::Unavailable { reason, .. }) => reason == NO_DATA,
        Some(Served::Zone(_)) => false,
        None => true,
    };
    let gone: Vec<Name> = policy
        .orphaned
        .iter()
        .filter(has_nothing)
        .cloned()
        .collect();
    let mut view = published.clone();
    for zone in &gone {
        policy.orphaned.remove(zone);
        policy.zones.remove(zone);
        view = view.without(zone);
    }
    (view, gone)
}

/// Zones of the configuration that are not served yet: they are ours, and have no data. Until they
/// have some, a zone above them that answers for their names goes on doing so, and aliases into them
/// lead out of our zones as before: no stanza takes off the air what is served (P8), and their first
/// import is judged against what they will hide.
pub(super) fn unknown(policy: &Policy, published: &Published) -> (Published, Vec<Name>) {
    let mut view = published.clone();
    let mut unknown: Vec<Name> = policy
        .zones
        .keys()
        .filter(|zone| published.zone(zone).is_none())
        .cloned()
        .collect();
    unknown.sort();
    let protections = policy.zones.values().map(|zone| &zone.protections);
    let targets: Vec<Name> = protections
        .flat_map(|protections| members::targets_outside(protections, published))
        .collect();
    for zone in &unknown {
        let is_target = targets.iter().any(|target| target.is_at_or_below(zone));
        if !is_target && !is_answered_for(published, zone) {
            view = publish::held(&view, zone, NO_DATA);
        }
    }
    (view, unknown)
}

/// Whether a zone above has anything to say of this name but that it does not exist.
fn is_answered_for(published: &Published, zone: &Name) -> bool {
    let found = answer::members(published, zone, Rtype::SOA);
    let is_alias = found.walk.len() > 1;
    let says_nothing = matches!(
        found.end,
        WalkEnd::NxDomain | WalkEnd::Unavailable | WalkEnd::Outside(_)
    );
    is_alias || !says_nothing
}
