//! What works and is probably not meant: warnings that one name's own records show.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::reference::{lower, targets};
use super::{Finding, Severity::Warning, zone_wide::is_doubled};
use crate::rr::{Name, Rtype, Soa};
use crate::zone::{Node, ZoneImage};

pub(super) fn judge(image: &ZoneImage, node: &Node, out: &mut Vec<Finding>) {
    if node.name() == image.origin() {
        apex(node, out);
    }
    for rrset in node.rrsets().iter().filter(|rrset| rrset.ttl() == 0) {
        warn(node, "ttl-zero", rrset.rtype().to_string(), out, |owner| {
            format!(
                "{owner} {} has a TTL of 0, so nobody caches it",
                rrset.rtype()
            )
        });
    }
    names(image, node, out);
    if !is_private_zone(image.origin()) {
        private_addresses(node, out);
    }
}

fn warn(
    node: &Node,
    check: &'static str,
    data: impl Into<String>,
    out: &mut Vec<Finding>,
    sentence: impl FnOnce(&Name) -> String,
) {
    let owner = node.name();
    out.push(Finding::new(Warning, check, owner, data, sentence(owner)));
}

fn apex(node: &Node, out: &mut Vec<Finding>) {
    if node.rrset(Rtype::NS).is_some_and(|ns| ns.len() < 2) {
        // RFC 2182 §5.
        warn(node, "ns-few", "", out, |owner| {
            format!("the zone {owner} has one NS; two or more are usual")
        });
    }
    let soa = node.rrset(Rtype::SOA);
    let Some(soa) = soa.and_then(|soa| Soa::from_rdata(soa.first())) else {
        return;
    };
    if soa.serial.0 == 0 {
        warn(node, "serial-zero", "", out, |owner| {
            format!("the serial of {owner} is 0, which some servers take for unset")
        });
    }
    if soa.rname.labels().any(|label| label.contains(&b'@')) {
        warn(node, "rname-at", lower(&soa.rname), out, |owner| {
            // RFC 1035 §8.
            format!("the RNAME of {owner} has an @, where its first dot belongs")
        });
    }
    timers(node, &soa, out);
    zonemd(node, &soa, out);
}

/// A digest of another version than this one tells nobody anything (RFC 8976 §4).
fn zonemd(node: &Node, soa: &Soa, out: &mut Vec<Finding>) {
    let rdatas = node
        .rrset(Rtype::ZONEMD)
        .into_iter()
        .flat_map(|set| set.rdatas());
    let serials = rdatas.filter_map(|data| Some(u32::from_be_bytes(*data.first_chunk()?)));
    if let Some(other) = serials.into_iter().find(|serial| *serial != soa.serial.0) {
        warn(node, "zonemd-serial", "", out, |owner| {
            format!(
                "the ZONEMD of {owner} is of serial {other}, not {}",
                soa.serial.0
            )
        });
    }
}

/// Ranges wide enough for what RFC 1912 §2.2 and RIPE-203 advise and for what is usual since.
fn timers(node: &Node, soa: &Soa, out: &mut Vec<Finding>) {
    const DAY: u32 = 86400;
    let usual = [
        ("refresh", soa.refresh, 300, 2 * DAY),
        ("retry", soa.retry, 60, soa.refresh.max(60)),
        ("expire", soa.expire, 7 * DAY, 60 * DAY),
        // It is the TTL of negative answers (RFC 2308 §5).
        ("minimum", soa.minimum, 1, 2 * DAY),
    ];
    for (timer, secs, low, high) in usual {
        if !(low..=high).contains(&secs) {
            warn(
                node,
                "soa-timers",
                format!("{timer} {secs}"),
                out,
                |owner| format!("the SOA {timer} of {owner} is {secs} s; {low} to {high} is usual"),
            );
        }
    }
}

fn names(image: &ZoneImage, node: &Node, out: &mut Vec<Finding>) {
    let origin = image.origin();
    if is_doubled(node.name(), origin) {
        warn(node, "doubled-origin", "", out, |owner| {
            format!("{owner} repeats the name of the zone; is a last dot missing?")
        });
    }
    let has_host_data = [Rtype::A, Rtype::AAAA, Rtype::MX]
        .iter()
        .any(|&rtype| node.rrset(rtype).is_some());
    if has_host_data && !is_host_name(node.name()) {
        warn(node, "host-name", "", out, |owner| {
            format!("{owner} has addresses or mail, but is not a host name (RFC 952, RFC 1123)")
        });
    }
    for (rtype, target) in targets(node) {
        if is_doubled(&target, origin) {
            warn(node, "doubled-origin", lower(&target), out, |owner| {
                format!("{owner} {rtype} leads to {target}, which repeats the name of the zone")
            });
        }
        if !matches!(rtype, Rtype::NS | Rtype::MX | Rtype::SRV | Rtype::PTR) || target.is_root() {
            continue;
        }
        if is_address_literal(&target, origin) {
            warn(node, "address-literal", lower(&target), out, |owner| {
                format!("{owner} {rtype} leads to {target}, an address where a name belongs")
            });
        } else if (rtype != Rtype::PTR || is_reverse(origin)) && !is_host_name(&target) {
            warn(node, "host-name", lower(&target), out, |owner| {
                format!("{owner} {rtype} leads to {target}, which is not a host name")
            });
        }
    }
}

/// Letters, digits and inner hyphens (RFC 1123 §2.1); a wildcard stands for such names.
fn is_host_name(name: &Name) -> bool {
    let skip = usize::from(name.is_wildcard());
    name.labels().skip(skip).all(|label| {
        let inner = |octet: &u8| octet.is_ascii_alphanumeric() || *octet == b'-';
        label.iter().all(inner) && !label.starts_with(b"-") && !label.ends_with(b"-")
    })
}

fn is_reverse(origin: &Name) -> bool {
    let arpa = |label: &[u8]| label.eq_ignore_ascii_case(b"arpa");
    origin.labels().last().is_some_and(arpa)
}

/// An IPv4 address written as a name, as it stands or relative to the zone.
fn is_address_literal(target: &Name, origin: &Name) -> bool {
    let own = match target.is_at_or_below(origin) {
        true => target.label_count() - origin.label_count(),
        false => target.label_count(),
    };
    let octet = |label: &[u8]| {
        let text = std::str::from_utf8(label).ok();
        label.len() <= 3 && text.is_some_and(|text| text.parse::<u8>().is_ok())
    };
    own == 4 && target.labels().take(4).all(octet)
}

/// Zones that never are in the public tree: RFC 6762 App. G, RFC 8375, RFC 6761, and `internal`.
fn is_private_zone(origin: &Name) -> bool {
    const TOPS: [&str; 10] = [
        "internal",
        "intranet",
        "private",
        "corp",
        "home",
        "lan",
        "local",
        "localdomain",
        "localhost",
        "test",
    ];
    let mut last_two = (&b""[..], &b""[..]);
    for label in origin.labels() {
        last_two = (last_two.1, label);
    }
    let is = |label: &[u8], text: &str| label.eq_ignore_ascii_case(text.as_bytes());
    TOPS.iter().any(|top| is(last_two.1, top)) || (is(last_two.0, "home") && is(last_two.1, "arpa"))
}

fn private_addresses(node: &Node, out: &mut Vec<Finding>) {
    let addresses = [Rtype::A, Rtype::AAAA]
        .into_iter()
        .filter_map(|rtype| node.rrset(rtype))
        .flat_map(|rrset| rrset.rdatas());
    for data in addresses {
        let (private, address) = if let Ok(octets) = <[u8; 4]>::try_from(data) {
            let ip = Ipv4Addr::from(octets);
            let shared = octets[0] == 100 && octets[1] & 0xC0 == 64;
            let private = ip.is_private() || ip.is_loopback() || ip.is_link_local() || shared;
            (private || octets[0] == 0, ip.to_string())
        } else if let Ok(octets) = <[u8; 16]>::try_from(data) {
            let ip = Ipv6Addr::from(octets);
            let local = ip.is_unique_local() || ip.is_unicast_link_local();
            (
                local || ip.is_loopback() || ip.is_unspecified(),
                ip.to_string(),
            )
        } else {
            continue;
        };
        if private {
            warn(node, "private-address", address.clone(), out, |owner| {
                format!("{owner} has {address}, which cannot be reached from the Internet")
            });
        }
    }
}
