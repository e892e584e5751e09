//! Addresses that go along: the glue of referrals, and the targets of NS, MX, SRV, NAPTR,
//! SVCB and HTTPS.

use std::sync::Arc;

use super::compress::{is_at_or_below, target};
use super::lookup::wildcard;
use super::reply::{Owner, Reply, Section};
use crate::rr::{RrSet, Rtype};
use crate::zone::{Found, Node, ZoneImage};

/// Targets whose addresses are added to an answer; they are a courtesy.
const TARGETS_MAX: usize = 32;

/// Adds the glue of a referral. That of servers at or below the cut must be there, or TC
/// (RFC 9471 §3.1); that of sibling and other servers of the zone is added while there is room.
pub(super) fn add_glue(image: &ZoneImage, cut: &Node, ns: &RrSet, reply: &mut Reply) {
    let in_domain = |target: &[u8]| is_at_or_below(target, cut.name().as_wire());
    for target in ns.rdatas().filter(|target| in_domain(target)) {
        if !add_addresses(image, target, reply) {
            return reply.truncate();
        }
    }
    reply.optional_from_here();
    for target in ns.rdatas().filter(|target| !in_domain(target)) {
        if !add_addresses(image, target, reply) {
            return;
        }
    }
}

/// Adds what addresses the zone has of the names that an answer refers to, while there is room.
pub(super) fn add_targets(image: &ZoneImage, owner: &[u8], rrset: &RrSet, reply: &mut Reply) {
    reply.optional_from_here();
    // Services on several ports of one host have one target; a message has an RRset once.
    let mut seen: [&[u8]; TARGETS_MAX] = [&[]; TARGETS_MAX];
    let mut count = 0;
    for rdata in rrset.rdatas() {
        let Some(mut target) = target(rrset.rtype(), rdata) else {
            return;
        };
        if target == [0] && matches!(rrset.rtype(), Rtype::SVCB | Rtype::HTTPS) {
            // "." is the owner itself (RFC 9460 §2.5.2).
            target = owner;
        }
        if seen[..count].iter().any(|t| t.eq_ignore_ascii_case(target)) {
            continue;
        }
        if count == TARGETS_MAX || !add_addresses(image, target, reply) {
            return;
        }
        seen[count] = target;
        count += 1;
    }
}

/// Adds A and AAAA of a name of the zone, glue included; `false` when one does not fit.
fn add_addresses(image: &ZoneImage, target: &[u8], reply: &mut Reply) -> bool {
    if !is_at_or_below(target, image.origin().as_wire()) {
        return true;
    }
    let mut key = [0; 255];
    let key = &mut key[..target.len()];
    key.copy_from_slice(target);
    key.make_ascii_lowercase();
    let (node, owner) = match image.find(key) {
        Found::Exact(node) => (Some(node), None),
        Found::Cut(_) => below_cut(image, key, target),
        Found::Missing { encloser } => (wildcard(image, encloser, key), Some(target)),
        Found::Dname(_) => (None, None),
    };
    let Some(node) = node else {
        return true;
    };
    let owner = Owner::Name(owner.unwrap_or(node.name().as_wire()));
    [Rtype::A, Rtype::AAAA]
        .into_iter()
        .filter_map(|rtype| node.rrset(rtype))
        .all(|rrset| reply.add(Section::Additional, owner, rrset))
}

/// What stands below a cut is nobody's answer, but glue; a wildcard there gives glue to names that are
/// missing, as from NSD and Knot. The second is the owner, where it is not the node's.
fn below_cut<'i, 't>(
    image: &'i ZoneImage,
    key: &[u8],
    target: &'t [u8],
) -> (Option<&'i Arc<Node>>, Option<&'t [u8]>) {
    let mut rest = key;
    // The cut exists, and stands above.
    while rest[0] != 0 {
        if let Some(node) = image.node_at(rest) {
            return match rest.len() == key.len() {
                true => (Some(node), None),
                false => (wildcard(image, node, key), Some(target)),
            };
        }
        rest = &rest[1 + usize::from(rest[0])..];
    }
    (None, None)
}
