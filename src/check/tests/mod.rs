//! One small zone per check, named by its flaw: the fatal ones here, then `errors`, `warnings`; and
//! what a change adds: `changes`, `random_changes`.

mod changes;
mod cost;
mod errors;
mod random_changes;
mod warnings;

use super::*;
use crate::rr::{Name, Record, Rtype, rdata};

/// `owner [ttl] TYPE rdata`, the owner relative to example.com., the rest absolute.
fn record(line: &str) -> Record {
    let mut words = line.splitn(3, ' ');
    let owner = match words.next().unwrap() {
        "@" => "example.com.".to_owned(),
        relative => format!("{relative}.example.com."),
    };
    let mut next = words.next().unwrap();
    let mut rest = words.next().unwrap();
    let mut ttl = 300;
    if let Ok(secs) = next.parse() {
        ttl = secs;
        (next, rest) = rest.split_once(' ').unwrap();
    }
    let rtype: Rtype = next.parse().unwrap();
    Record {
        owner: owner.parse().unwrap(),
        rtype,
        ttl,
        rdata: rdata::from_text(rtype, rest).unwrap_or_else(|e| panic!("{line}: {e}")),
    }
}

const SOA: &str = "@ SOA ns1.example.com. hostmaster.example.com. 1 3600 600 1209600 300";
const NS: [&str; 3] = [
    "@ NS ns1.example.com.",
    "@ NS ns2.example.net.",
    "ns1 A 192.0.2.53",
];

fn image(lines: &[&str]) -> ZoneImage {
    let origin: Name = "example.com.".parse().unwrap();
    ZoneImage::from_records(origin, lines.iter().map(|line| record(line))).unwrap()
}

/// `severity check owner data` of every finding, the owner relative to the zone.
fn told(findings: &[Finding]) -> Vec<String> {
    let one = |finding: &Finding| {
        let owner = finding.owner.to_string();
        let owner = match owner.strip_suffix("example.com.") {
            Some("") => "@",
            Some(relative) => relative.trim_end_matches('.'),
            None => &owner,
        };
        let Finding {
            severity,
            check,
            data,
            ..
        } = finding;
        format!("{severity} {check} {owner} {data}")
            .trim_end()
            .to_owned()
    };
    findings.iter().map(one).collect()
}

fn of(lines: &[&str]) -> Vec<String> {
    told(&full(&image(lines), &Limits::default()))
}

/// Findings of a good zone with these records added.
fn with(extra: &[&str]) -> Vec<String> {
    let mut lines = vec![SOA];
    lines.extend(NS);
    lines.extend(extra);
    of(&lines)
}

fn sound(extra: &[&str]) {
    assert_eq!(with(extra), [] as [&str; 0]);
}

#[test]
fn a_sound_zone_has_no_findings() {
    sound(&[]);
    sound(&[
        "@ MX 10 mail.example.com.",
        "@ MX 0 .",
        "mail A 192.0.2.25",
        "_sip._tcp SRV 0 5 5060 mail.example.com.",
        "_ldap._tcp SRV 0 0 0 .",
        "www CNAME mail.example.com.",
        "out CNAME www.example.net.",
        "*.apps A 192.0.2.80",
        "@ CAA 0 issue \"ca.example.net\"",
        "_gen.mail TXT \"gen=1\"",
        "odd TYPE65280 \\# 2 0102",
        "sub NS ns.sub.example.com.",
        "sub NS ns.example.net.",
        "sub DS 1 13 2 0000000000000000000000000000000000000000000000000000000000000000",
        "ns.sub A 192.0.2.54",
        "old DNAME new.example.com.",
        "new TXT \"x\"",
        "@ HTTPS 1 . alpn=h2",
    ]);
}

#[test]
fn soa_missing_twice_or_not_at_the_apex() {
    assert_eq!(of(&NS), ["fatal soa-missing @"]);
    let second = "@ SOA ns1.example.com. other.example.com. 2 3600 600 1209600 300";
    assert_eq!(with(&[second]), ["fatal soa-several @"]);
    let below = "sub SOA ns1.example.com. other.example.com. 2 3600 600 1209600 300";
    assert_eq!(with(&[below]), ["fatal soa-not-at-apex sub"]);
}

#[test]
fn ns_missing_or_single_at_the_apex() {
    assert_eq!(of(&[SOA]), ["fatal ns-missing @"]);
    assert_eq!(of(&[SOA, NS[1]]), ["warning ns-few @"]);
}

#[test]
fn cname_beside_other_data() {
    assert_eq!(
        with(&["www CNAME ns1.example.com.", "www TXT \"x\""]),
        ["fatal cname-and-other-data www"]
    );
    let signed = "www NSEC a.example.com. CNAME NSEC";
    sound(&["www CNAME ns1.example.com.", signed]);
}

#[test]
fn several_cnames_or_dnames() {
    assert_eq!(
        with(&["www CNAME ns1.example.com.", "www CNAME ns2.example.net."]),
        ["fatal cname-several www"]
    );
    assert_eq!(
        with(&["d DNAME example.net.", "d DNAME example.org."]),
        ["fatal dname-several d"]
    );
}

#[test]
fn rdata_that_does_not_parse() {
    let mut records: Vec<Record> = NS.iter().map(|line| record(line)).collect();
    records.push(record(SOA));
    records.push(Record {
        rdata: Box::from(&[192, 0, 2][..]),
        ..record("www A 192.0.2.1")
    });
    let image = ZoneImage::from_records("example.com.".parse().unwrap(), records).unwrap();
    assert_eq!(
        told(&full(&image, &Limits::default())),
        ["fatal rdata-malformed www \\# 3 C00002"]
    );
}

#[test]
fn over_the_limits() {
    let limits = Limits {
        records_per_rrset: 2,
        types_per_name: 2,
        rrset_octets: 95,
        records_per_zone: Some(8),
    };
    let mut lines = vec![SOA];
    lines.extend(NS);
    let fine = image(&lines);
    let unlimited = Limits {
        rrset_octets: 125,
        ..limits.clone()
    };
    assert_eq!(told(&full(&fine, &unlimited)), [] as [&str; 0]);
    lines.extend(["a A 192.0.2.1", "a A 192.0.2.2", "a A 192.0.2.3"]);
    lines.extend(["a AAAA 2001:db8::1", "a TXT \"x\""]);
    assert_eq!(
        told(&full(&image(&lines), &limits)),
        [
            "fatal rrset-octets @ SOA",
            "fatal zone-records @",
            "fatal name-types a",
            "fatal rrset-records a A",
        ]
    );
    assert_eq!(
        told(&full(&image(&lines), &Limits::default())),
        [] as [&str; 0]
    );
}
