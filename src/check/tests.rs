//! One small zone per check, named by its flaw.

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
        rrset_octets: 70,
        records_per_zone: Some(8),
    };
    let mut lines = vec![SOA];
    lines.extend(NS);
    let fine = image(&lines);
    let unlimited = Limits {
        rrset_octets: 100,
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

#[test]
fn ns_target_without_address() {
    assert_eq!(
        with(&["@ NS ns9.example.com."]),
        ["error ns-no-address @ ns9.example.com."]
    );
    assert_eq!(
        with(&["sub NS NS9.example.com.", "ns9 TXT \"x\""]),
        ["error ns-no-address sub ns9.example.com."]
    );
    sound(&["sub NS ns9.w.example.com.", "*.w A 192.0.2.1"]);
    assert_eq!(
        with(&[
            "sub NS ns9.w.example.com.",
            "*.w A 192.0.2.1",
            "x.ns9.w TXT \"x\""
        ]),
        ["error ns-no-address sub ns9.w.example.com."],
        "an empty non-terminal is not covered by the wildcard"
    );
}

#[test]
fn ns_target_that_is_an_alias() {
    assert_eq!(
        with(&["@ NS a.example.com.", "a CNAME ns1.example.com."]),
        ["error ns-alias @ a.example.com."]
    );
    assert_eq!(
        with(&["@ NS x.d.example.com.", "d DNAME example.net."]),
        ["error ns-alias @ x.d.example.com."]
    );
    assert_eq!(
        with(&["@ NS a.w.example.com.", "*.w CNAME ns1.example.com."]),
        ["error ns-alias @ a.w.example.com."]
    );
}

#[test]
fn glue_missing() {
    assert_eq!(
        with(&["sub NS ns.sub.example.com.", "sub NS ns1.example.com."]),
        ["error glue-missing sub ns.sub.example.com."]
    );
    assert_eq!(
        with(&["sub NS sub.example.com."]),
        ["error glue-missing sub sub.example.com."]
    );
    sound(&["sub NS sub.example.com.", "sub A 192.0.2.1"]);
    // The glue of a sibling is that sibling's to have.
    sound(&["a NS ns.b.example.com.", "b NS ns1.example.com."]);
}

#[test]
fn data_below_a_dname() {
    assert_eq!(
        with(&["d DNAME example.net.", "x.y.d A 192.0.2.1", "d TXT \"x\""]),
        ["error below-dname x.y.d A"]
    );
}

#[test]
fn ns_beside_a_dname_off_the_apex() {
    assert_eq!(
        with(&["d DNAME example.net.", "d NS ns1.example.com."]),
        ["error ns-beside-dname d"]
    );
    let apex = of(&[SOA, "@ NS ns.example.net.", NS[1], "@ DNAME example.net."]);
    assert_eq!(apex, [] as [&str; 0]);
}

#[test]
fn alias_loops() {
    let alone = with(&["a CNAME a.example.com."]);
    assert_eq!(alone, ["error alias-loop a a.example.com."]);
    assert_eq!(
        with(&[
            "a CNAME b.example.com.",
            "b CNAME c.example.com.",
            "c CNAME b.example.com."
        ]),
        [
            "error alias-loop a b.example.com.",
            "error alias-loop b c.example.com.",
            "error alias-loop c b.example.com.",
        ]
    );
    assert_eq!(
        with(&["d DNAME x.d.example.com."]),
        ["error alias-loop d x.d.example.com."]
    );
    assert_eq!(
        with(&["d DNAME e.example.com.", "e DNAME d.example.com."]),
        [
            "error alias-loop d e.example.com.",
            "error alias-loop e d.example.com.",
        ]
    );
    assert_eq!(
        with(&["a CNAME x.w.example.com.", "*.w CNAME a.example.com."]),
        [
            "error alias-loop a x.w.example.com.",
            "error alias-loop *.w a.example.com.",
        ]
    );
}

#[test]
fn ds_where_no_delegation_is() {
    let ds = "DS 1 13 2 0000000000000000000000000000000000000000000000000000000000000000";
    assert_eq!(
        with(&[&format!("a {ds}"), &format!("@ {ds}")]),
        [
            "error ds-without-delegation @",
            "error ds-without-delegation a"
        ]
    );
}

#[test]
fn ns_and_other_data_below_a_cut() {
    assert_eq!(
        with(&[
            "sub NS ns.sub.example.com.",
            "ns.sub A 192.0.2.1",
            "x.sub NS ns2.example.net.",
            "y.sub TXT \"x\"",
            "sub MX 10 ns1.example.com.",
            "z.sub AAAA 2001:db8::1",
        ]),
        [
            "error ns-below-cut x.sub",
            "warning occluded sub MX",
            "warning occluded y.sub TXT",
            "warning glue-orphan z.sub AAAA",
        ]
    );
}

#[test]
fn mx_or_srv_target_that_is_an_alias() {
    assert_eq!(
        with(&[
            "@ MX 10 a.example.com.",
            "_sip._tcp SRV 0 5 5060 a.example.com.",
            "a CNAME ns1.example.com.",
        ]),
        [
            "error mx-alias @ a.example.com.",
            "error srv-alias _sip._tcp a.example.com.",
        ]
    );
}

#[test]
fn mx_or_srv_target_without_address_or_an_address_literal() {
    assert_eq!(
        with(&[
            "@ MX 10 a.example.com.",
            "_sip._tcp SRV 0 5 5060 ns1.nowhere.example.com.",
            "b MX 10 192.0.2.1.",
        ]),
        [
            "warning mx-no-address @ a.example.com.",
            "warning srv-no-address _sip._tcp ns1.nowhere.example.com.",
            "warning address-literal b 192.0.2.1.",
        ]
    );
}

#[test]
fn doubled_origin() {
    assert_eq!(
        with(&["x.example.com A 192.0.2.1"]),
        [
            "error doubled-origin-share @",
            "warning doubled-origin x.example.com",
        ]
    );
    let mut lines: Vec<String> = (0..200).map(|n| format!("h{n} A 192.0.2.1")).collect();
    lines.push("x.example.com A 192.0.2.1".into());
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    assert_eq!(with(&lines), ["warning doubled-origin x.example.com"]);
    assert_eq!(
        with(&["a CNAME ns1.example.com.example.com."]),
        [
            "warning alias-no-data a ns1.example.com.example.com.",
            "warning doubled-origin a ns1.example.com.example.com.",
        ]
    );
}

#[test]
fn serial_zero_and_timers_and_an_at_in_rname() {
    let soa = "@ SOA ns1.example.com. host@example.com. 0 30 600 1209600 300";
    let lines: Vec<&str> = [soa].into_iter().chain(NS).collect();
    assert_eq!(
        of(&lines),
        [
            "warning rname-at @ host\\@example.com.",
            "warning serial-zero @",
            "warning soa-timers @ refresh 30",
            "warning soa-timers @ retry 600",
        ]
    );
}

#[test]
fn aliases_that_lead_nowhere_or_far() {
    assert_eq!(
        with(&[
            "a CNAME gone.example.com.",
            "b CNAME a.example.com.",
            "d DNAME gone.example.com."
        ]),
        [
            "warning alias-no-data a gone.example.com.",
            "warning alias-no-data b a.example.com.",
            "warning alias-no-data d gone.example.com.",
        ]
    );
    let empty = ["a CNAME ent.example.com.", "x.ent A 192.0.2.1"];
    assert_eq!(with(&empty), ["warning alias-no-data a ent.example.com."]);
    let mut chain: Vec<String> = (1..9)
        .map(|n| format!("c{n} CNAME c{}.example.com.", n + 1))
        .collect();
    chain.push("c9 CNAME ns1.example.com.".into());
    let chain: Vec<&str> = chain.iter().map(String::as_str).collect();
    assert_eq!(with(&chain), ["warning alias-chain c1 c2.example.com."]);
    let label = "l".repeat(60);
    let long = format!("{label}.{label}.{label}");
    assert_eq!(
        with(&[
            &format!("d DNAME {label}.{label}.example.net."),
            &format!("a CNAME {long}.d.example.com."),
        ]),
        [format!("warning alias-too-long a {long}.d.example.com.")]
    );
}

#[test]
fn ttl_zero() {
    assert_eq!(with(&["a 0 A 192.0.2.1"]), ["warning ttl-zero a A"]);
}

#[test]
fn bad_host_names() {
    assert_eq!(
        with(&[
            "a_b A 192.0.2.1",
            "c MX 10 -x.example.net.",
            "*.w A 192.0.2.1"
        ]),
        [
            "warning host-name a_b",
            "warning host-name c -x.example.net.",
        ]
    );
}

#[test]
fn private_and_loopback_addresses_in_a_public_zone() {
    assert_eq!(
        with(&[
            "a A 10.1.2.3",
            "a A 127.0.0.1",
            "a A 100.64.0.1",
            "a AAAA fd00::1",
            "a AAAA ::1"
        ]),
        [
            "warning private-address a 10.1.2.3",
            "warning private-address a 100.64.0.1",
            "warning private-address a 127.0.0.1",
            "warning private-address a ::1",
            "warning private-address a fd00::1",
        ]
    );
    let record = Record {
        owner: "a.corp.internal.".parse().unwrap(),
        ..record("a A 10.1.2.3")
    };
    let private = ZoneImage::from_records("corp.internal.".parse().unwrap(), [record]).unwrap();
    let findings = full(&private, &Limits::default());
    assert!(findings.iter().all(|f| f.check != "private-address"));
}

#[test]
fn service_bindings_that_contradict_themselves() {
    assert_eq!(
        with(&[
            "a HTTPS 0 ns1.example.com.",
            "a HTTPS 1 . alpn=h2",
            "b HTTPS 1 gone.example.com. alpn=h2",
            "c SVCB 0 c.example.com.",
            "d HTTPS 1 . no-default-alpn",
        ]),
        [
            "warning svcb a HTTPS alias-beside-services",
            "warning svcb b HTTPS 1 gone.example.com. address",
            "warning svcb c SVCB 0 c.example.com. params",
            "warning svcb d HTTPS 1 . params",
        ]
    );
}

#[test]
fn a_referral_that_would_be_truncated() {
    let mut lines = Vec::new();
    for n in 0..24 {
        lines.push(format!(
            "sub NS a-long-name-of-a-server-{n}.sub.example.com."
        ));
        lines.push(format!("a-long-name-of-a-server-{n}.sub A 192.0.2.1"));
    }
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    assert_eq!(with(&lines), ["warning referral-large sub"]);
    sound(&lines[..20]);
}

#[test]
fn what_a_zone_already_had_is_not_added_by_an_unrelated_change() {
    let mut lines = vec![SOA];
    lines.extend(NS);
    lines.extend(["a CNAME a.example.com.", "@ NS gone.example.com."]);
    let before = image(&lines);
    lines.push("b A 192.0.2.1");
    let after = image(&lines);
    let diff = Diff::between(&before, &after);
    let limits = Limits::default();
    assert_eq!(
        told(&added(&before, &diff, &after, &limits)),
        [] as [&str; 0]
    );
    let diff = Diff::between(&after, &before);
    assert_eq!(
        told(&added(&after, &diff, &before, &limits)),
        [] as [&str; 0]
    );
}

#[test]
fn findings_far_from_the_change_are_found() {
    let mut lines = vec![SOA];
    lines.extend(NS);
    lines.extend([
        "mail A 192.0.2.25",
        "@ MX 10 mail.example.com.",
        "www CNAME mail.example.com.",
        "w CNAME www.example.com.",
    ]);
    let before = image(&lines);
    lines.retain(|line| !line.starts_with("mail"));
    let after = image(&lines);
    let diff = Diff::between(&before, &after);
    assert_eq!(
        told(&added(&before, &diff, &after, &Limits::default())),
        [
            "warning mx-no-address @ mail.example.com.",
            "warning alias-no-data w www.example.com.",
            "warning alias-no-data www mail.example.com.",
        ]
    );
}
