//! What makes a zone unfit to be served: fatal, wherever it stands.

use super::{Finding, Limits, Severity::Fatal};
use crate::rr::{RrSet, Rtype, rdata};
use crate::zone::{Node, ZoneImage};

pub(super) fn judge(image: &ZoneImage, node: &Node, limits: &Limits, out: &mut Vec<Finding>) {
    if node.name() == image.origin() {
        apex(node, out);
    } else if node.rrset(Rtype::SOA).is_some() {
        out.push(Finding::new(
            Fatal,
            "soa-not-at-apex",
            node.name(),
            "",
            format!("{} has a SOA, but is not the apex of the zone", node.name()),
        ));
    }
    exclusive(node, out);
    if node.rrsets().len() > limits.types_per_name {
        out.push(Finding::new(
            Fatal,
            "name-types",
            node.name(),
            "",
            format!(
                "{} has {} types; at most {} are allowed",
                node.name(),
                node.rrsets().len(),
                limits.types_per_name
            ),
        ));
    }
    for rrset in node.rrsets() {
        size(node, rrset, limits, out);
        for data in rrset.rdatas() {
            if let Err(error) = rdata::check(rrset.rtype(), data) {
                out.push(Finding::new(
                    Fatal,
                    "rdata-malformed",
                    node.name(),
                    rdata::to_text(rrset.rtype(), data),
                    format!("{}: {error}", node.name()),
                ));
            }
        }
    }
}

fn apex(node: &Node, out: &mut Vec<Finding>) {
    let mut fatal = |check, sentence: String| {
        out.push(Finding::new(Fatal, check, node.name(), "", sentence));
    };
    match node.rrset(Rtype::SOA).map(|soa| soa.len()) {
        Some(1) => {}
        None => fatal(
            "soa-missing",
            format!("the zone {} has no SOA", node.name()),
        ),
        Some(count) => fatal(
            "soa-several",
            format!("the zone {} has {count} SOA records", node.name()),
        ),
    }
    if node.rrset(Rtype::NS).is_none() {
        fatal(
            "ns-missing",
            format!("the zone {} has no NS at its apex", node.name()),
        );
    }
}

/// CNAME stands alone (RFC 2181 §10.1) but for the records that sign it (RFC 4035 §2.5), and
/// CNAME and DNAME are single (RFC 6672 §2.4).
fn exclusive(node: &Node, out: &mut Vec<Finding>) {
    for (rtype, check) in [
        (Rtype::CNAME, "cname-several"),
        (Rtype::DNAME, "dname-several"),
    ] {
        if let Some(rrset) = node.rrset(rtype).filter(|rrset| rrset.len() > 1) {
            out.push(Finding::new(
                Fatal,
                check,
                node.name(),
                "",
                format!("{} has {} {rtype} records", node.name(), rrset.len()),
            ));
        }
    }
    if node.rrset(Rtype::CNAME).is_none() {
        return;
    }
    let others: Vec<String> = node
        .rrsets()
        .iter()
        .map(|rrset| rrset.rtype())
        .filter(|&rtype| !matches!(rtype, Rtype::CNAME | Rtype::RRSIG | Rtype::NSEC))
        .map(|rtype| rtype.to_string())
        .collect();
    if !others.is_empty() {
        out.push(Finding::new(
            Fatal,
            "cname-and-other-data",
            node.name(),
            "",
            format!("{} has a CNAME beside {}", node.name(), others.join(", ")),
        ));
    }
}

/// Octets of a message before its question, and of the question after its name (RFC 1035 §4.1).
const HEADER: usize = 12;
const QUESTION_TAIL: usize = 4;

fn size(node: &Node, rrset: &RrSet, limits: &Limits, out: &mut Vec<Finding>) {
    // Alone in an answer to a question for it, without EDNS: what is larger no client ever gets.
    let octets = HEADER + node.name().len() + QUESTION_TAIL + rrset.body().len();
    for (check, found, max, unit) in [
        (
            "rrset-records",
            rrset.len(),
            limits.records_per_rrset,
            "records",
        ),
        (
            "rrset-octets",
            octets,
            limits.rrset_octets,
            "octets in an answer",
        ),
    ] {
        if found > max {
            let (owner, rtype) = (node.name(), rrset.rtype());
            out.push(Finding::new(
                Fatal,
                check,
                owner,
                rtype.to_string(),
                format!("{owner} {rtype} has {found} {unit}; at most {max} are allowed"),
            ));
        }
    }
}
