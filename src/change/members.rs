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
    concerned
        .into_iter()
        .chain([&apex])
        .flat_map(|protection| {
            protection
                .types
                .iter()
                .map(move |&rtype| (protection, rtype))
        })
        .filter_map(|(protection, rtype)| count(policy, protection, rtype, before, after, changed))
        .collect()
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
        before: plain(was),
        after: plain(is),
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

fn plain(members: answer::Members) -> Count {
    let (end, via_outside) = match members.end {
        WalkEnd::Data => ("data", None),
        WalkEnd::NoData => ("no data", None),
        WalkEnd::NxDomain => ("a name that does not exist", None),
        WalkEnd::Referral => ("a delegation", None),
        WalkEnd::Loop => ("a loop", None),
        WalkEnd::Outside(target) => ("a name outside our zones", Some(target)),
        WalkEnd::Unavailable => ("a zone that cannot be served", None),
    };
    Count {
        members: members.rdatas.len(),
        via_outside,
        end: end.to_owned(),
        walk: members.walk,
    }
}
