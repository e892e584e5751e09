//! Whether a ZONEMD has the digest of the zone (RFC 8976). Costs in the size of the zone, so it is
//! asked of a zone that comes in whole: a change gets a new serial from us, and a digest of another
//! serial is no longer one of this zone.

use std::collections::HashMap;

use sha2::{Sha384, Sha512};

use super::{Finding, Severity::Fatal};
use crate::rr::message::CLASS_IN;
use crate::rr::{RrSet, Rtype, rdata};
use crate::zone::{Node, ZoneImage};

/// Octets before the digest: serial, scheme, algorithm.
const HEAD: usize = 6;
/// The one scheme that there is: the zone as one sequence of records.
const SIMPLE: u8 = 1;

/// The finding of a zone that none of its digests is one of.
pub fn of_digest(image: &ZoneImage) -> Option<Finding> {
    let zonemd = image.apex().rrset(Rtype::ZONEMD)?;
    let serial = image.soa()?.serial.0.to_be_bytes();
    let mut digests: HashMap<u8, Vec<&[u8]>> = HashMap::new();
    for data in zonemd.rdatas().filter(|data| data.len() > HEAD) {
        let (head, digest) = data.split_at(HEAD);
        if head[..4] == serial && head[4] == SIMPLE {
            digests.entry(head[5]).or_default().push(digest);
        }
    }
    // §4: two of one scheme and algorithm tell nothing.
    let mut verdicts = digests
        .into_iter()
        .filter(|(_, digests)| digests.len() == 1)
        .filter_map(|(algorithm, digests)| Some(of_zone(image, algorithm)? == digests[0]));
    let first = verdicts.next()?;
    let fits = first || verdicts.any(|fits| fits);
    let origin = image.origin();
    (!fits).then(|| {
        let sentence = format!("the ZONEMD of {origin} is not of the records that are there");
        Finding::new(Fatal, "zonemd-mismatch", origin, "", sentence)
    })
}

/// The digest of a zone, by an algorithm that we know.
fn of_zone(image: &ZoneImage, algorithm: u8) -> Option<Vec<u8>> {
    match algorithm {
        1 => Some(hashed::<Sha384>(image)),
        2 => Some(hashed::<Sha512>(image)),
        _ => None,
    }
}

/// §3.3.1, §3.4.1: every record once, in canonical order and form, but for the apex ZONEMD and the
/// signatures over it.
fn hashed<H: sha2::Digest>(image: &ZoneImage) -> Vec<u8> {
    let mut hash = H::new();
    for node in image.iter() {
        let mut rrsets: Vec<&RrSet> = node.rrsets().iter().map(|rrset| &**rrset).collect();
        rrsets.sort_by_key(|rrset| rrset.rtype());
        for rrset in rrsets {
            add(&mut hash, image, node, rrset);
        }
    }
    hash.finalize().to_vec()
}

fn add(hash: &mut impl sha2::Digest, image: &ZoneImage, node: &Node, rrset: &RrSet) {
    let is_apex = node.name() == image.origin();
    let rtype = rrset.rtype();
    if is_apex && rtype == Rtype::ZONEMD {
        return;
    }
    for data in rrset.rdatas() {
        let covers_zonemd = data.starts_with(&Rtype::ZONEMD.0.to_be_bytes());
        if is_apex && rtype == Rtype::RRSIG && covers_zonemd {
            continue;
        }
        // Signatures have the TTL of what they cover (RFC 4034 §3), and the image one for all of an owner.
        let ttl = match (rtype, data.first_chunk()) {
            (Rtype::RRSIG, Some(covered)) => node.rrset(Rtype(u16::from_be_bytes(*covered))),
            _ => None,
        };
        let ttl = ttl.map_or(rrset.ttl(), |covered| covered.ttl());
        let data = rdata::canonical(rtype, data);
        hash.update(node.name().as_wire().to_ascii_lowercase());
        hash.update(rtype.0.to_be_bytes());
        hash.update(CLASS_IN.to_be_bytes());
        hash.update(ttl.to_be_bytes());
        hash.update((data.len() as u16).to_be_bytes());
        hash.update(&*data);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rr::{Name, Record};

    fn image(lines: &[&str]) -> ZoneImage {
        let records = lines.iter().map(|line| {
            let words: Vec<&str> = line.splitn(4, ' ').collect();
            let rtype: Rtype = words[2].parse().unwrap();
            Record {
                owner: words[0].parse().unwrap(),
                ttl: words[1].parse().unwrap(),
                rtype,
                rdata: rdata::from_text(rtype, words[3]).unwrap(),
            }
        });
        let origin: Name = "example.".parse().unwrap();
        ZoneImage::from_records(origin, records).unwrap()
    }

    /// The example of RFC 8976 A.1, its letters in other cases.
    const EXAMPLE: [&str; 5] = [
        "example. 86400 SOA ns1.example. ADMIN.example. 2018031900 1800 900 604800 86400",
        "example. 86400 NS NS1.example.",
        "example. 86400 NS ns2.example.",
        "Ns1.example. 3600 A 203.0.113.63",
        "ns2.example. 3600 AAAA 2001:db8::63",
    ];
    const DIGEST: &str = "c68090d90a7aed716bc459f9340e3d7c1370d4d24b7e2fc3\
                          a1ddc0b9a87153b9a9713b3c9ae5cc27777f98b8e730044c";

    fn with(zonemd: &[&str]) -> Option<&'static str> {
        let zonemd: Vec<String> = zonemd
            .iter()
            .map(|data| format!("example. 86400 ZONEMD {data}"))
            .collect();
        let lines: Vec<&str> = EXAMPLE
            .into_iter()
            .chain(zonemd.iter().map(String::as_str))
            .collect();
        of_digest(&image(&lines)).map(|finding| finding.check)
    }

    #[test]
    fn a_zone_is_held_against_the_digests_that_are_of_its_serial() {
        let good = format!("2018031900 1 1 {DIGEST}");
        let bad = good.replace("c68090", "c68091");
        let other_serial = bad.replace("1900", "1899");
        let other_scheme = bad.replace(" 1 1 ", " 240 1 ");
        let other_algorithm = bad.replace(" 1 1 ", " 1 240 ");
        let mismatch = Some("zonemd-mismatch");
        assert_eq!(with(&[]), None);
        assert_eq!(with(&[&good]), None);
        assert_eq!(with(&[&bad]), mismatch);
        for unknown in [&other_serial, &other_scheme, &other_algorithm] {
            assert_eq!(with(&[unknown]), None);
        }
        assert_eq!(with(&[&bad, &other_algorithm]), mismatch);
        assert_eq!(with(&[&bad, &good]), None, "two of one algorithm");
        let sha512 = format!("2018031900 1 2 {DIGEST}{}", &DIGEST[..32]);
        assert_eq!(with(&[&good, &sha512]), None, "one that fits is enough");
        assert_eq!(with(&[&sha512]), mismatch);
    }

    /// The digest is dnspython's.
    #[test]
    fn signatures_count_with_the_ttl_of_what_they_cover() {
        const DIGEST: &str = "d4ce197226e4b7416739a020d0203147c29f6263a4edf8bb\
                              abac059858c9b9998f9551adde2684d5cff0ccfb040ee566";
        let times = "20300101000000 20200101000000";
        let zone = [
            "example. 3600 SOA ns1.example. admin.example. 7 1800 900 604800 300",
            "example. 3600 NS ns1.example.",
            "example. 300 NSEC ns1.example. NS SOA RRSIG NSEC",
            &format!("example. 3600 RRSIG NS 13 1 3600 {times} 1 example. AQID"),
            &format!("example. 300 RRSIG NSEC 13 1 300 {times} 1 example. BAUG"),
            "ns1.example. 3600 A 192.0.2.1",
            &format!("example. 3600 ZONEMD 7 1 1 {DIGEST}"),
        ];
        assert_eq!(of_digest(&image(&zone)), None);
    }
}
