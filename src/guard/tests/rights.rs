//! Permits that are limited to some operations, or to where a request comes from.

use super::*;

fn limited(operations: &[Right], types: &[Rtype], ranges: &[&str]) -> Vec<Permit> {
    vec![Permit {
        operations: operations.to_vec(),
        ..permit(&["**"], types, ranges)
    }]
}

fn add(owner: &str, rtype: Rtype, data: &str) -> Operation {
    Operation::Add(record(owner, rtype, data))
}

fn delete_record(owner: &str, rtype: Rtype, data: &str) -> Operation {
    Operation::DeleteRecord(record(owner, rtype, data))
}

fn delete_rrset(owner: &str, rtype: Rtype) -> Operation {
    let owner = name(owner);
    Operation::DeleteRrset { owner, rtype }
}

fn delete_name(owner: &str) -> Operation {
    Operation::DeleteName { owner: name(owner) }
}

#[test]
fn each_form_of_an_operation_needs_its_right() {
    let api = "api.example.com.";
    let one = delete_record(api, Rtype::A, "192.0.2.1");
    let forms = [
        add(api, Rtype::A, "192.0.2.3"),
        one,
        delete_rrset(api, Rtype::A),
        delete_name(api),
    ];
    for (rights, allowed) in [
        (vec![], [true, true, true, true]),
        (vec![Right::Add], [true, false, false, false]),
        (vec![Right::Delete], [false, true, true, true]),
        (vec![Right::DeleteRecord], [false, true, false, false]),
        (
            vec![Right::Add, Right::DeleteRecord],
            [true, true, false, false],
        ),
        (vec![Right::Add, Right::Delete], [true, true, true, true]),
    ] {
        let permits = limited(&rights, &[], &[]);
        let got = forms.clone().map(|form| scope_allows(&permits, form));
        assert_eq!(got, allowed, "{rights:?}");
    }
    // A right to one thing and a right to another do not add up to a third.
    let mut two = limited(&[Right::Add], &[Rtype::A], &[]);
    two.extend(limited(&[Right::Delete], &[Rtype::TXT], &[]));
    let got = forms.map(|form| scope_allows(&two, form));
    assert_eq!(got, [true, false, false, false]);
    assert!(scope_allows(
        &two,
        delete_rrset("mail.example.com.", Rtype::TXT)
    ));
    assert!(!scope_allows(&two, delete_name("mail.example.com.")));
}

#[test]
fn what_may_only_be_added_may_not_be_replaced() {
    let permits = limited(&[Right::Add, Right::DeleteRecord], &[], &[]);
    let other = add("shop.example.com.", Rtype::CNAME, "api.example.com.");
    assert!(!scope_allows(&permits, other.clone()));
    let case = Case {
        permits,
        operations: vec![other],
        ..Case::default()
    };
    let reason = case.reason();
    assert!(reason.contains("which would replace its CNAME"), "{reason}");
    // The alias that stands there, once more.
    let same = add("shop.example.com.", Rtype::CNAME, "WWW.example.com.");
    assert!(scope_allows(&case.permits, same));
}

#[test]
fn the_ttl_of_records_that_a_key_may_not_delete_is_not_its_to_change() {
    let with_ttl = |ttl, data| {
        let record = record("api.example.com.", Rtype::A, data);
        Operation::Add(Record { ttl, ..record })
    };
    for permits in [
        limited(&[], &[Rtype::A], &["192.0.2.128/25"]),
        limited(&[Right::Add], &[Rtype::A], &[]),
    ] {
        assert!(scope_allows(&permits, with_ttl(60, "192.0.2.200")));
        let case = Case {
            permits,
            operations: vec![with_ttl(0, "192.0.2.200")],
            ..Case::default()
        };
        let reason = case.reason();
        assert!(
            reason.contains("which would change the TTL of other A"),
            "{reason}"
        );
    }
    let all = limited(&[], &[Rtype::A], &["192.0.2.0/24"]);
    assert!(scope_allows(&all, with_ttl(0, "192.0.2.200")));
    // Its own record alone, refreshed with another TTL.
    let mail = |ttl| {
        let record = record("mail.example.com.", Rtype::A, "192.0.2.9");
        Operation::Add(Record { ttl, ..record })
    };
    let adds = limited(&[Right::Add], &[], &[]);
    assert!(scope_allows(&adds, mail(5)));
}

#[test]
fn a_soa_is_only_ever_replaced_and_that_is_an_addition() {
    let soa = "ns1. h. 2 3600 600 864000 300";
    let permits = limited(&[Right::Add], &[Rtype::SOA], &[]);
    assert!(scope_allows(&permits, add("example.com.", Rtype::SOA, soa)));
    let permits = limited(&[Right::Delete], &[Rtype::SOA], &[]);
    assert!(!scope_allows(
        &permits,
        add("example.com.", Rtype::SOA, soa)
    ));
}

fn from(prefixes: &[&str]) -> Permit {
    Permit {
        from: prefixes.iter().map(|text| text.parse().unwrap()).collect(),
        ..permit(&["**"], &[], &[])
    }
}

#[test]
fn a_right_from_some_addresses_is_none_from_others() {
    let permits = [from(&["192.0.2.0/28", "2001:db8::/32", "198.51.100.7"])];
    let allowed = |source: &str| {
        let case = Case {
            permits: permits.to_vec(),
            source: Some(source.parse().unwrap()),
            operations: vec![add("x.example.com.", Rtype::A, "192.0.2.1")],
            ..Case::default()
        };
        let may_touch = may_touch(&permits, &name("example.com."), case.source);
        assert_eq!(case.refused_by().is_none(), may_touch, "{source}");
        may_touch
    };
    for inside in [
        "192.0.2.0",
        "192.0.2.15",
        "2001:db8:ffff::1",
        "198.51.100.7",
        // As a socket for both families shows it.
        "::ffff:192.0.2.3",
    ] {
        assert!(allowed(inside), "{inside}");
    }
    for outside in [
        "192.0.2.16",
        "2001:db9::1",
        "198.51.100.6",
        "::192.0.2.3",
        "::1",
    ] {
        assert!(!allowed(outside), "{outside}");
    }
    assert!(!may_touch(&permits, &name("example.com."), None));
    assert!(may_touch(
        &[from(&[])],
        &name("example.com."),
        Some(IpAddr::from([203, 0, 113, 1]))
    ));
    let all = from(&["0.0.0.0/0"]);
    assert!(all.is_from(Some(IpAddr::from([203, 0, 113, 1]))));
    assert!(!all.is_from(Some("::1".parse().unwrap())));
}

#[test]
fn each_permit_counts_from_its_own_addresses() {
    let text_from_anywhere = permit(&["**"], &[Rtype::TXT], &[]);
    let case = |operation| Case {
        permits: vec![from(&["198.51.100.0/24"]), text_from_anywhere.clone()],
        operations: vec![operation],
        ..Case::default()
    };
    let address = case(add("x.example.com.", Rtype::A, "192.0.2.1"));
    let refusal = address.judge().refusal.expect("from elsewhere");
    assert!(
        refusal.accepted.contains("from 198.51.100.0/24"),
        "{}",
        refusal.accepted
    );
    let text = case(add("x.example.com.", Rtype::TXT, "x"));
    assert_eq!(text.refused_by(), None);
}

#[test]
fn a_scope_that_observes_lets_in_and_records() {
    let case = Case {
        scope: Mode::Observe,
        permits: limited(&[Right::Add], &[], &[]),
        operations: vec![delete_name("api.example.com.")],
        ..Case::default()
    };
    let verdict = case.judge();
    assert_eq!(verdict.refusal, None);
    let observed: Vec<&str> = verdict.observed().map(|rule| rule.rule).collect();
    assert_eq!(observed, ["scope"]);
}
