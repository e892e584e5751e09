//! Names at and below delegations and DNAMEs.

use super::walk::has_address;
use super::{
    Finding,
    Severity::{Error, Warning},
};
use crate::rr::message::{HEADER_OCTETS, UDP_OCTETS_MAX};
use crate::rr::{Name, Rtype};
use crate::zone::{Node, ZoneImage};

/// Octets of a record before its RDATA when its owner is a pointer.
const RECORD_HEAD: usize = POINTER + 10;
const POINTER: usize = 2;
const OPT_OCTETS: usize = 11;

/// A name strictly below a delegation: nothing there is ever an answer. Only addresses that some
/// NS of the zone needs as glue belong there.
pub(super) fn judge_occluded(image: &ZoneImage, node: &Node, cut: &Node, out: &mut Vec<Finding>) {
    for rtype in unsigned_types(node) {
        match rtype {
            Rtype::A | Rtype::AAAA => orphan(image, node, rtype, cut, out),
            Rtype::NS => out.push(Finding::new(
                Error,
                "ns-below-cut",
                node.name(),
                "",
                format!("{} has NS below the delegation {}", node.name(), cut.name()),
            )),
            rtype => occluded(node, rtype, cut, out),
        }
    }
    ds_without_delegation(image, node, out);
}

/// The delegation itself: beside NS and DS, its own addresses may be glue.
pub(super) fn judge_cut(image: &ZoneImage, node: &Node, out: &mut Vec<Finding>) {
    for rtype in unsigned_types(node) {
        match rtype {
            Rtype::NS | Rtype::DS => {}
            Rtype::A | Rtype::AAAA => orphan(image, node, rtype, node, out),
            Rtype::DNAME => out.push(Finding::new(
                Error,
                "ns-beside-dname",
                node.name(),
                "",
                // RFC 6672 §2.3.
                format!("{} has NS beside a DNAME, and is not the apex", node.name()),
            )),
            rtype => occluded(node, rtype, node, out),
        }
    }
    glue(image, node, out);
}

/// A name strictly below a DNAME: look-ups are led away from it (RFC 6672 §2.4).
pub(super) fn judge_below_dname(node: &Node, dname: &Node, out: &mut Vec<Finding>) {
    for rtype in unsigned_types(node) {
        out.push(Finding::new(
            Error,
            "below-dname",
            node.name(),
            rtype.to_string(),
            format!(
                "{} {rtype} stands below the DNAME {}",
                node.name(),
                dname.name()
            ),
        ));
    }
}

/// DS belongs to the parent's side of a delegation (RFC 4035 §2.4).
pub(super) fn ds_without_delegation(image: &ZoneImage, node: &Node, out: &mut Vec<Finding>) {
    let delegates = node.rrset(Rtype::NS).is_some() && node.name() != image.origin();
    if node.rrset(Rtype::DS).is_some() && !delegates {
        out.push(Finding::new(
            Error,
            "ds-without-delegation",
            node.name(),
            "",
            format!("{} has a DS, but is not a delegation", node.name()),
        ));
    }
}

/// The types of a node but those that signing puts there.
fn unsigned_types(node: &Node) -> impl Iterator<Item = Rtype> {
    node.rrsets()
        .iter()
        .map(|rrset| rrset.rtype())
        .filter(|rtype| !matches!(*rtype, Rtype::RRSIG | Rtype::NSEC | Rtype::NSEC3))
}

fn occluded(node: &Node, rtype: Rtype, cut: &Node, out: &mut Vec<Finding>) {
    out.push(Finding::new(
        Warning,
        "occluded",
        node.name(),
        rtype.to_string(),
        format!(
            "{} {rtype} is hidden by the delegation {}",
            node.name(),
            cut.name()
        ),
    ));
}

fn orphan(image: &ZoneImage, node: &Node, rtype: Rtype, cut: &Node, out: &mut Vec<Finding>) {
    let mut needing = image.referrers_of_type(node.name(), Rtype::NS);
    if needing.next().is_none() {
        out.push(Finding::new(
            Warning,
            "glue-orphan",
            node.name(),
            rtype.to_string(),
            format!(
                "{} {rtype} stands at or below the delegation {}, but no NS leads to it",
                node.name(),
                cut.name()
            ),
        ));
    }
}

/// Name servers at or below their own delegation cannot be found without glue (RFC 9471 §2.1), and
/// a referral that cannot hold it is truncated.
pub(super) fn glue(image: &ZoneImage, cut: &Node, out: &mut Vec<Finding>) {
    let owner = cut.name();
    let mut octets = HEADER_OCTETS + owner.len() + 4 + OPT_OCTETS;
    let targets = cut.rrset(Rtype::NS).into_iter().flat_map(|ns| ns.targets());
    for target in targets {
        octets += RECORD_HEAD + compressed_len(&target, owner, image.origin());
        if !target.is_at_or_below(owner) {
            continue;
        }
        let node = image.node(&target).filter(|node| has_address(node));
        let Some(node) = node else {
            out.push(Finding::new(
                Error,
                "glue-missing",
                owner,
                target.to_string().to_ascii_lowercase(),
                format!("the delegation {owner} needs glue for {target}, which has no address"),
            ));
            continue;
        };
        for rtype in [Rtype::A, Rtype::AAAA] {
            octets += node.rrset(rtype).map_or(0, |rrset| rrset.body().len());
        }
    }
    octets += cut.rrset(Rtype::DS).map_or(0, |ds| ds.body().len());
    if octets > UDP_OCTETS_MAX {
        out.push(Finding::new(
            Warning,
            "referral-large",
            owner,
            "",
            format!(
                "a referral to {owner} takes {octets} octets, more than the {UDP_OCTETS_MAX} of a \
                 UDP answer"
            ),
        ));
    }
}

/// Octets of an NS target in a referral, where the owner stands in the question.
fn compressed_len(target: &Name, owner: &Name, origin: &Name) -> usize {
    [owner, origin]
        .into_iter()
        .find(|above| target.is_at_or_below(above))
        .map_or(target.len(), |above| target.len() - above.len() + POINTER)
}
