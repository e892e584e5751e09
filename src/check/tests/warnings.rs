//! Zones with one thing each that is probably not meant.

use super::*;

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
fn a_zone_digest_of_another_version() {
    let digest = "ZONEMD 7 1 1 00112233445566778899AABBCCDDEEFF";
    assert_eq!(with(&[&format!("@ {digest}")]), ["warning zonemd-serial @"]);
    let digest = digest.replace(" 7 ", " 1 ");
    sound(&[&format!("@ {digest}")]);
}

#[test]
fn ttls_that_differ_and_duplicates_in_a_list_of_records() {
    let with_ttl = |line: &str, ttl| Record {
        ttl,
        ..record(line)
    };
    let records = [
        with_ttl("a A 192.0.2.1", 60),
        with_ttl("A A 192.0.2.2", 70),
        with_ttl("a NS b.example.com.", 60),
        with_ttl("a NS B.example.com.", 60),
        with_ttl("b A 192.0.2.1", 60),
    ];
    assert_eq!(
        told(&super::super::of_records(&records)),
        [
            "warning duplicate a NS b.example.com.",
            "warning ttl-differs a A"
        ]
    );
}
