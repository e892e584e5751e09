//! What records of served names refer to: name servers, mail exchangers, services, aliases.

use super::walk::{self, End, Place, Ways, has_address};
use super::{
    Finding,
    Severity::{Error, Warning},
    delegation,
};
use crate::rr::{Name, Rtype, rdata};
use crate::zone::{Node, ZoneImage};

/// Resolvers give up on longer chains, each at its own number.
const CHAIN_MAX: usize = 8;

pub(super) fn judge(ways: &mut Ways<'_>, node: &Node, out: &mut Vec<Finding>) {
    let image = ways.image;
    delegation::ds_without_delegation(image, node, out);
    judge_name_servers(image, node, out);
    services(image, node, out);
    if let Some(target) = walk::target_of(node, Rtype::CNAME) {
        cname(ways, node.name(), &target, out);
    }
    if let Some(target) = walk::target_of(node, Rtype::DNAME) {
        dname(image, node, &target, out);
    }
}

/// The targets of NS: not aliases (RFC 2181 §10.3), and with an address where they are ours.
pub(super) fn judge_name_servers(image: &ZoneImage, node: &Node, out: &mut Vec<Finding>) {
    let Some(ns) = node.rrset(Rtype::NS) else {
        return;
    };
    let owner = node.name();
    for target in ns.targets() {
        let (check, what) = match walk::place(image, &target) {
            Place::Alias(_) | Place::TooLong => ("ns-alias", "which is an alias"),
            Place::Here(node) if has_address(node) => continue,
            Place::Here(_) | Place::Nothing => ("ns-no-address", "which has no address"),
            // Glue is `delegation`'s.
            Place::Outside | Place::Delegated => continue,
        };
        out.push(Finding::new(
            Error,
            check,
            owner,
            lower(&target),
            format!("{owner} NS leads to {target}, {what}"),
        ));
    }
}

/// The targets of MX and SRV: not aliases (RFC 2181 §10.3, RFC 2782), and with an address.
fn services(image: &ZoneImage, node: &Node, out: &mut Vec<Finding>) {
    let owner = node.name();
    for (rtype, alias, no_address) in [
        (Rtype::MX, "mx-alias", "mx-no-address"),
        (Rtype::SRV, "srv-alias", "srv-no-address"),
    ] {
        let targets = node.rrset(rtype).into_iter().flat_map(|set| set.targets());
        // A target of "." says that there is no service (RFC 7505 §3, RFC 2782).
        for target in targets.filter(|target| !target.is_root()) {
            let (severity, check, what) = match walk::place(image, &target) {
                Place::Alias(_) | Place::TooLong => (Error, alias, "which is an alias"),
                Place::Here(node) if has_address(node) => continue,
                Place::Here(_) | Place::Nothing => (Warning, no_address, "which has no address"),
                Place::Outside | Place::Delegated => continue,
            };
            out.push(Finding::new(
                severity,
                check,
                owner,
                lower(&target),
                format!("{owner} {rtype} leads to {target}, {what}"),
            ));
        }
    }
}

fn cname(ways: &mut Ways<'_>, owner: &Name, target: &Name, out: &mut Vec<Finding>) {
    let (aliases, end) = ways.follow(owner);
    let data = lower(target);
    let mut found = |severity, check, sentence: String| {
        out.push(Finding::new(severity, check, owner, data.clone(), sentence));
    };
    match end {
        End::Fine => {}
        End::NoData(name) => found(
            Warning,
            "alias-no-data",
            format!("the alias {owner} leads to {name}, where nothing is"),
        ),
        End::Loop(name) => {
            return found(
                Error,
                "alias-loop",
                format!("the alias {owner} leads into a loop through {name}"),
            );
        }
        End::TooLong => found(
            Warning,
            "alias-too-long",
            format!("the alias {owner} leads below a DNAME that makes it longer than 255 octets"),
        ),
    }
    if aliases > CHAIN_MAX {
        found(
            Warning,
            "alias-chain",
            format!("{owner} leads through {aliases} aliases; some resolvers follow fewer"),
        );
    }
}

fn dname(image: &ZoneImage, node: &Node, target: &Name, out: &mut Vec<Finding>) {
    let owner = node.name();
    if walk::dname_loops(image, node) {
        out.push(Finding::new(
            Error,
            "alias-loop",
            owner,
            lower(target),
            format!("the DNAME {owner} leads names below it round in a loop"),
        ));
    } else if matches!(walk::place(image, target), Place::Nothing) {
        out.push(Finding::new(
            Warning,
            "alias-no-data",
            owner,
            lower(target),
            format!("the DNAME {owner} leads to {target}, where nothing is"),
        ));
    }
}

/// Targets are compared without case, so that a respelled one is no new finding.
pub(super) fn lower(target: &Name) -> String {
    target.to_string().to_ascii_lowercase()
}

/// All names that the records of a node refer to, PTR included.
pub(super) fn targets(node: &Node) -> impl Iterator<Item = (Rtype, Name)> {
    node.rrsets().iter().flat_map(|rrset| {
        let rtype = rrset.rtype();
        rrset.rdatas().filter_map(move |data| {
            let target = match rtype {
                Rtype::PTR => Name::from_wire_prefix(data).ok(),
                _ => rdata::target(rtype, data),
            };
            Some((rtype, target?))
        })
    })
}
