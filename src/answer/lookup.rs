//! One step of a look-up in one image (RFC 1034 §4.3.2, RFC 4592, RFC 6672).

use std::sync::Arc;

use crate::rr::{RrSet, Rtype};
use crate::zone::{Found, Node, Published, Served, ZoneImage};

/// The node that an answer is taken from.
#[derive(Clone, Copy)]
pub(super) struct Source<'z> {
    pub node: &'z Node,
    /// It is a wildcard that stands for the name asked: that name is the owner.
    pub synthesised: bool,
}

/// Where a name and type lead.
pub(super) enum Step<'z> {
    Data(Source<'z>, &'z RrSet),
    /// A question for ANY, and there is something.
    Everything(Source<'z>),
    Cname(Source<'z>, &'z RrSet),
    /// A DNAME above the name.
    Dname(&'z Node, &'z RrSet),
    NoData,
    NxDomain,
    /// The cut, and its NS.
    Referral(&'z Node, &'z RrSet),
}

/// The zone that answers for a name, in lower case, and a type: the one with the longest origin,
/// but DS stands above the cut (RFC 4035 §3.1.4.1).
pub(super) fn zone_for<'p>(
    published: &'p Published,
    name: &[u8],
    rtype: Rtype,
) -> Option<&'p Arc<Served>> {
    let zone = published.find(name)?;
    if rtype == Rtype::DS
        && zone.origin().len() == name.len()
        && let Some(parent) = above(name)
    {
        return published.find(parent).or(Some(zone));
    }
    Some(zone)
}

/// The name one label up.
fn above(name: &[u8]) -> Option<&[u8]> {
    match name[0] {
        0 => None,
        len => Some(&name[1 + usize::from(len)..]),
    }
}

/// Looks up a name, in lower case and at or below the origin.
pub(super) fn step<'z>(image: &'z ZoneImage, name: &[u8], rtype: Rtype) -> Step<'z> {
    match image.find(name) {
        Found::Exact(node) => at_node(node, rtype, false),
        Found::Cut(node) => {
            if rtype == Rtype::DS && node.name().len() == name.len() {
                return at_parent_side(node);
            }
            match node.rrset(Rtype::NS) {
                Some(ns) => Step::Referral(node, ns),
                None => Step::NoData,
            }
        }
        Found::Dname(node) => match node.rrset(Rtype::DNAME) {
            Some(dname) => Step::Dname(node, dname),
            None => Step::NoData,
        },
        Found::Missing { encloser } => match wildcard(image, encloser, name) {
            Some(node) => at_node(node, rtype, true),
            None => Step::NxDomain,
        },
    }
}

/// The source of synthesis below the closest encloser of a missing name (RFC 4592 §3.3.1); it may
/// be an ENT.
pub(super) fn wildcard<'z>(
    image: &'z ZoneImage,
    encloser: &Node,
    name: &[u8],
) -> Option<&'z Arc<Node>> {
    let above = &name[name.len() - encloser.name().len()..];
    // The missing name is at least two octets longer than its encloser, so the wildcard fits.
    let mut wire = [0; 255];
    wire[..2].copy_from_slice(b"\x01*");
    wire[2..2 + above.len()].copy_from_slice(above);
    image.node_at(&wire[..2 + above.len()])
}

fn at_node(node: &Node, rtype: Rtype, synthesised: bool) -> Step<'_> {
    let source = Source { node, synthesised };
    if rtype == Rtype::ANY {
        return match node.is_empty() {
            true => Step::NoData,
            false => Step::Everything(source),
        };
    }
    if let Some(rrset) = node.rrset(rtype) {
        return Step::Data(source, rrset);
    }
    match node.rrset(Rtype::CNAME) {
        // These stand beside an alias and are asked for at its own name (RFC 4035 §2.5).
        Some(_) if matches!(rtype, Rtype::NSEC | Rtype::RRSIG) => Step::NoData,
        Some(cname) => Step::Cname(source, cname),
        None => Step::NoData,
    }
}

fn at_parent_side(node: &Node) -> Step<'_> {
    let source = Source {
        node,
        synthesised: false,
    };
    match node.rrset(Rtype::DS) {
        Some(ds) => Step::Data(source, ds),
        None => Step::NoData,
    }
}
