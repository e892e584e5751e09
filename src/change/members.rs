//! What the guard is told of protected names: their members before and after, by our own look-up.

use super::Policy;
use crate::answer::{self, WalkEnd};
use crate::guard::{Count, Counted, Protection};
use crate::rr::{Name, Rtype};
use crate::zone::Published;

/// Every protected name whose look-up goes through `changed`, in this zone or another, counted
/// before and after: of `concerned`, which holds them all and may hold others.
pub(super) fn counted(
    policy: &Policy,
    before: &Published,
    after: &Published,
    changed: &Name,
    concerned: Vec<&Protection>,
) -> Vec<Counted> {
    let apex = Protection {
        zone: changed.clone(),
        name: changed.clone(),
        types: vec![Rtype::NS],
        min_members: 2,
        external: Vec::new(),
        declared: false,
    };
    let count = |protection: &Protection| -> Vec<Counted> {
        let types = protection.types.iter();
        types
            .filter_map(|&rtype| count(policy, protection, rtype, before, after, changed))
            .collect()
    };
    let mut counted = Vec::new();
    let mut is_freed = false;
    for protection in concerned {
        let these = count(protection);
        is_freed |= protection.declared && these.iter().any(is_raised);
        counted.extend(these);
    }
    // A zone that keeps a protected name from its members may go: what it is asked to keep of its own,
    // which nobody declared, does not stand in the way of that.
    let goes = after.zone(changed).is_none();
    if !(goes && is_freed) {
        counted.extend(count(&apex));
    }
    counted
}

/// From below the minimum to more.
fn is_raised(count: &Counted) -> bool {
    let (was, is) = (count.before.members, count.after.members);
    was < count.minimum && is > was
}

fn count(
    policy: &Policy,
    protection: &Protection,
    rtype: Rtype,
    before: &Published,
    after: &Published,
    changed: &Name,
) -> Option<Counted> {
    let was = answer::members(before, &protection.name, rtype);
    let is = answer::members(after, &protection.name, rtype);
    // What a look-up gives depends on nothing but the zones it goes through. A zone that is new
    // takes over names that were answered from the zone above it, or from nowhere here.
    let concerns = |members: &answer::Members| members.zones.contains(changed);
    if !concerns(&was) && !concerns(&is) && protection.zone != *changed {
        return None;
    }
    let minimum = match protection.declared {
        true => protection.min_members,
        // Nobody asked for it: it keeps a zone from losing what it has, and asks no more of it.
        false => protection.min_members.min(was.rdatas.len().max(1)),
    };
    Some(Counted {
        protection_name: protection.name.clone(),
        rtype,
        minimum,
        mode: policy.zone(&protection.zone).min_members,
        external: protection.external.clone(),
        before: plain(was, changed),
        after: plain(is, changed),
    })
}

/// Where protected names have fewer members than their policy asks for, in sentences.
pub(super) fn shortfalls(protections: &[Protection], published: &Published) -> Vec<String> {
    let mut sentences = Vec::new();
    for protection in protections {
        for &rtype in &protection.types {
            let members = answer::members(published, &protection.name, rtype);
            // Where an alias leaves our zones there is nothing to count.
            let outside = matches!(members.end, WalkEnd::Outside(_));
            if members.rdatas.len() < protection.min_members && !outside {
                sentences.push(format!(
                    "{} {rtype} has {} of at least {} members",
                    protection.name,
                    members.rdatas.len(),
                    protection.min_members
                ));
            }
        }
    }
    sentences
}

/// The alias targets outside our zones that protected names lead to.
pub(super) fn targets_outside(protections: &[Protection], published: &Published) -> Vec<Name> {
    let looked_up = protections.iter().flat_map(|protection| {
        let types = protection.types.iter();
        types.map(|&rtype| answer::members(published, &protection.name, rtype))
    });
    let target = |members: answer::Members| match members.end {
        WalkEnd::Outside(target) if members.walk.len() > 1 => Some(target),
        _ => None,
    };
    looked_up.filter_map(target).collect()
}

fn plain(members: answer::Members, changed: &Name) -> Count {
    // A protected name that is in no zone of ours, or in one without data, has no members.
    let is_alias = members.walk.len() > 1;
    let is_other = members.zones.last() != Some(changed);
    let (mut via_outside, mut via_unavailable) = (None, None);
    let end = match members.end {
        WalkEnd::Data => "data",
        WalkEnd::NoData => "no data",
        WalkEnd::NxDomain => "a name that does not exist",
        WalkEnd::Referral => "a delegation",
        WalkEnd::Loop => "a loop",
        WalkEnd::Outside(target) => {
            via_outside = is_alias.then_some(target);
            "a name outside our zones"
        }
        WalkEnd::Unavailable => {
            // The zone itself, when it gets data: whatever it brings is better than none.
            let target = members.walk.last().filter(|_| is_alias && is_other);
            via_unavailable = target.cloned();
            "a zone that cannot be served"
        }
    };
    Count {
        members: members.rdatas.len(),
        via_outside,
        via_unavailable,
        end: end.to_owned(),
        walk: members.walk,
    }
}
