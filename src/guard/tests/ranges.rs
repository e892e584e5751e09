//! Permits that are limited to some data.

use super::*;

#[test]
fn a_permit_limits_types_and_data() {
    let permits = [permit(
        &["api"],
        &[Rtype::A, Rtype::AAAA, Rtype::TXT, Rtype::CNAME],
        &["192.0.2.0/24", "2001:db8::/32", "cdn.example.net."],
    )];
    let add = |rtype, data| Operation::Add(record("api.example.com.", rtype, data));
    let delete = |rtype, data| Operation::DeleteRecord(record("api.example.com.", rtype, data));
    assert!(scope_allows(&permits, add(Rtype::A, "192.0.2.200")));
    assert!(!scope_allows(&permits, add(Rtype::A, "192.0.3.1")));
    assert!(scope_allows(&permits, add(Rtype::AAAA, "2001:db8:ffff::1")));
    assert!(!scope_allows(&permits, add(Rtype::AAAA, "2001:db9::1")));
    assert!(scope_allows(
        &permits,
        add(Rtype::CNAME, "x.CDN.example.net.")
    ));
    assert!(!scope_allows(&permits, add(Rtype::CNAME, "example.net.")));
    assert!(scope_allows(
        &permits,
        add(Rtype::TXT, "\"no range fits text\"")
    ));
    assert!(!scope_allows(
        &permits,
        add(Rtype::MX, "10 x.cdn.example.net.")
    ));
    assert!(!scope_allows(&permits, delete(Rtype::A, "198.51.100.1")));
    let delete_rrset = |rtype| Operation::DeleteRrset {
        owner: name("api.example.com."),
        rtype,
    };
    assert!(scope_allows(&permits, delete_rrset(Rtype::A)));
    assert!(!scope_allows(&permits, delete_rrset(Rtype::MX)));
    let upper_half = [permit(&["api", "mail"], &[Rtype::A], &["192.0.2.8/29"])];
    assert!(
        !scope_allows(&upper_half, delete_rrset(Rtype::A)),
        "the RRset holds data outside the range"
    );
    let delete_name = |owner| Operation::DeleteName { owner: name(owner) };
    assert!(!scope_allows(&upper_half, delete_name("api.example.com.")));
    let ipv4_alone = [permit(&["api"], &[], &["192.0.2.0/24"])];
    assert!(!scope_allows(&ipv4_alone, add(Rtype::AAAA, "2001:db8::1")));
    for bad in [
        "192.0.2.0/33",
        "2001:db8::/129",
        "example.net",
        "192.0.2.0/x",
        "",
    ] {
        assert!(bad.parse::<RdataRange>().is_err(), "{bad:?}");
    }
}

#[test]
fn an_alias_that_a_key_may_not_delete_it_may_not_replace_either() {
    let permits = [permit(&["shop"], &[Rtype::CNAME], &["cdn.example.net."])];
    let (owner, to) = ("shop.example.com.", "x.cdn.example.net.");
    let replace = Operation::Add(record(owner, Rtype::CNAME, to));
    assert!(!scope_allows(&permits, replace.clone()));
    let both = ["cdn.example.net.", "WWW.example.com."];
    let permits = [permit(&["shop"], &[Rtype::CNAME], &both)];
    assert!(scope_allows(&permits, replace));
}

#[test]
fn a_suffix_limits_the_names_of_a_reverse_zone_too() {
    let permits = [permit(&["**"], &[Rtype::PTR], &["example.net."])];
    let add = |target| Operation::Add(record("7.example.com.", Rtype::PTR, target));
    assert!(scope_allows(&permits, add("host.Example.net.")));
    assert!(!scope_allows(&permits, add("www.bank.example.")));
}

#[test]
fn a_suffix_limits_whatever_has_a_target() {
    let permits = [permit(&["**"], &[], &["example.net."])];
    for (rtype, front) in [
        (Rtype::CNAME, ""),
        (Rtype::DNAME, ""),
        (Rtype::NS, ""),
        (Rtype::PTR, ""),
        (Rtype::MX, "10 "),
        (Rtype::SRV, "0 5 443 "),
        (Rtype::SVCB, "1 "),
        (Rtype::HTTPS, "0 "),
        (Rtype::NAPTR, "1 1 \"u\" \"E2U+sip\" \"\" "),
    ] {
        let add = |target: &str| {
            let data = format!("{front}{target}");
            Operation::Add(record("x.example.com.", rtype, &data))
        };
        assert!(scope_allows(&permits, add("a.b.EXAMPLE.net.")), "{rtype}");
        assert!(scope_allows(&permits, add("example.net.")), "{rtype}");
        assert!(!scope_allows(&permits, add("badexample.net.")), "{rtype}");
        assert!(!scope_allows(&permits, add("net.")), "{rtype}");
    }
}

#[test]
fn a_suffix_limits_types_that_only_clients_follow() {
    let permits = [permit(&["**"], &[], &["example.net."])];
    let target = |text: &str| name(text).as_wire().to_vec();
    // MB, AFSDB, KX.
    for (number, front) in [(7, &[][..]), (18, &[0, 1][..]), (36, &[0, 10][..])] {
        let add = |text: &str| {
            Operation::Add(Record {
                owner: name("x.example.com."),
                rtype: Rtype(number),
                ttl: 60,
                rdata: [front, &target(text)].concat().into(),
            })
        };
        assert!(scope_allows(&permits, add("a.example.net.")), "{number}");
        assert!(!scope_allows(&permits, add("a.example.org.")), "{number}");
    }
}

#[test]
fn addresses_that_a_service_hints_at_are_addresses_too() {
    let permits = [permit(
        &["**"],
        &[Rtype::HTTPS],
        &["192.0.2.0/24", "2001:db8::/32", "example.net."],
    )];
    let add = |data: &str| Operation::Add(record("x.example.com.", Rtype::HTTPS, data));
    for (data, allowed) in [
        ("1 cdn.example.net.", true),
        (
            "1 cdn.example.net. alpn=h2 ipv4hint=192.0.2.1,192.0.2.2",
            true,
        ),
        ("1 cdn.example.net. ipv6hint=2001:db8::1", true),
        ("1 cdn.example.net. ipv4hint=192.0.2.1,198.51.100.1", false),
        (
            "1 cdn.example.net. ipv4hint=192.0.2.1 ipv6hint=2001:db9::1",
            false,
        ),
        ("1 cdn.example.org. ipv4hint=192.0.2.1", false),
    ] {
        assert_eq!(scope_allows(&permits, add(data)), allowed, "{data}");
    }
}
