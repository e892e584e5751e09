use super::*;

fn delegating() -> Published {
    example(
        "ns1.example. 60 A 192.0.2.1
         sub.example. 60 NS ns.SUB.example.
         sub.example. 60 NS ns1.example.
         sub.example. 60 NS ns.sibling.example.
         sub.example. 60 NS ns.elsewhere.
         sub.example. 60 DS 1 8 2 0000000000000000000000000000000000000000000000000000000000000000
         ns.sub.example. 60 A 192.0.2.2
         ns.sub.example. 60 AAAA 2001:db8::2
         deep.sub.example. 60 NS ns.elsewhere.
         www.deep.sub.example. 60 A 192.0.2.3
         sibling.example. 60 NS ns.sibling.example.
         ns.sibling.example. 60 A 192.0.2.4
         example. 60 MX 1 ns.sub.example.",
    )
}

#[test]
fn names_at_and_below_a_cut_are_referred_with_glue() {
    let zone = delegating();
    for (qname, rtype) in [
        ("sub.example.", "A"),
        ("sub.example.", "NS"),
        ("sub.example.", "ANY"),
        ("a.sub.example.", "SOA"),
        ("ns.sub.example.", "A"),
        ("a.sub.example.", "DS"),
        ("deep.sub.example.", "DS"),
        ("www.deep.sub.example.", "A"),
    ] {
        let seen = ask(&zone, qname, rtype);
        assert_eq!(seen.rcode, ResponseCode::NoError, "{qname} {rtype}");
        assert!(
            !seen.aa && !seen.tc && seen.answer.is_empty(),
            "{qname} {rtype}"
        );
        assert_eq!(seen.authority.len(), 4);
        assert!(
            seen.authority
                .iter()
                .all(|ns| ns.starts_with("sub.example. 60 IN NS "))
        );
        assert_eq!(
            seen.additional,
            [
                "ns.sub.example. 60 IN A 192.0.2.2",
                "ns.sub.example. 60 IN AAAA 2001:db8::2",
                "ns.sibling.example. 60 IN A 192.0.2.4",
                "ns1.example. 60 IN A 192.0.2.1",
            ],
            "in-domain glue goes first"
        );
    }
}

#[test]
fn ds_is_answered_at_the_parent_side_of_the_cut() {
    let zone = delegating();
    let seen = ask(&zone, "sub.example.", "DS");
    assert!(
        seen.aa && seen.answer.len() == 1 && seen.authority.is_empty(),
        "{seen:?}"
    );
    ask(&zone, "sibling.example.", "DS").is_negative(ResponseCode::NoError);
    let child = served(&format!(
        "sub.example. {SOA}\nsub.example. 60 NS ns.sub.example."
    ));
    let both = zone.with(child.clone());
    assert_eq!(ask(&both, "sub.example.", "DS").answer.len(), 1);
    let alone = Published::default().with(child);
    let seen = ask(&alone, "sub.example.", "DS");
    assert!(seen.aa && seen.answer.is_empty());
    assert!(seen.authority[0].starts_with("sub.example. 300 IN SOA"));
}

#[test]
fn the_child_answers_when_both_sides_of_a_cut_are_served() {
    let both = delegating().with(served(&format!(
        "sub.example. {SOA}\nsub.example. 60 NS ns.sub.example.\nwww.sub.example. 60 A 192.0.2.9"
    )));
    let seen = ask(&both, "www.sub.example.", "A");
    assert_eq!(seen.answer, ["www.sub.example. 60 IN A 192.0.2.9"]);
    assert!(seen.aa);
}

#[test]
fn addresses_of_targets_below_a_cut_are_glue() {
    let seen = ask(&delegating(), "example.", "MX");
    assert_eq!(seen.additional.len(), 2);
}

#[test]
fn in_domain_glue_that_does_not_fit_truncates_and_other_glue_does_not() {
    let long = "x".repeat(50);
    let referral = |place: &str| {
        let mut lines = format!("in.{place}. 60 A 192.0.2.1\n");
        for n in 0..9 {
            lines += &format!(
                "sub.example. 60 NS n{n}.{place}.\nn{n}.{place}. 60 A 192.0.2.{n}\nn{n}.{place}. 60 AAAA 2001:db8::{n}\n"
            );
        }
        example(&lines)
    };
    let inside = referral(&format!("{long}.sub.example"));
    let seen = ask(&inside, "w.sub.example.", "A");
    assert!(seen.tc && seen.authority.len() == 9, "{seen:?}");
    assert!(Ask::new(&inside, "w.sub.example.", "A").octets().len() <= 512);
    let seen = Ask::new(&inside, "w.sub.example.", "A").edns(1232).get();
    assert!(!seen.tc && seen.additional.len() == 18);
    let beside = referral(&format!("{long}.example"));
    let seen = ask(&beside, "w.sub.example.", "A");
    assert!(!seen.tc && seen.authority.len() == 9);
    assert!(!seen.additional.is_empty() && seen.additional.len() < 18);
}

#[test]
fn what_stands_at_or_below_a_cut_is_hidden_by_the_topmost_one() {
    let zone = example(
        "sub.example. 60 NS ns.sub.example.
         sub.example. 60 TXT \"beside the cut\"
         ns.sub.example. 60 A 192.0.2.1
         alias.sub.example. 60 CNAME www.example.
         dname.sub.example. 60 DNAME example.
         *.sub.example. 60 A 192.0.2.2
         low.sub.example. 60 NS ns.low.sub.example.
         ns.low.sub.example. 60 A 192.0.2.3",
    );
    for qname in [
        "sub.example.",
        "ns.sub.example.",
        "alias.sub.example.",
        "x.dname.sub.example.",
        "covered.sub.example.",
        "low.sub.example.",
        "ns.low.sub.example.",
        "x.low.sub.example.",
    ] {
        for rtype in [
            "A", "NS", "SOA", "CNAME", "TXT", "DNAME", "ANY", "NSEC", "RRSIG",
        ] {
            let seen = ask(&zone, qname, rtype);
            assert_eq!((seen.rcode, seen.aa), (ResponseCode::NoError, false));
            assert!(seen.answer.is_empty(), "{qname} {rtype}: {seen:?}");
            assert_eq!(seen.authority, ["sub.example. 60 IN NS ns.sub.example."]);
            assert_eq!(seen.additional, ["ns.sub.example. 60 IN A 192.0.2.1"]);
        }
    }
}

#[test]
fn servers_at_the_cut_itself_and_at_the_apex_have_their_addresses_with_the_referral() {
    let zone = example(
        "example. 60 A 192.0.2.1
         at.example. 60 NS at.example.
         at.example. 60 A 192.0.2.2
         above.example. 60 NS example.
         covered.example. 60 NS any.w.example.
         *.w.example. 60 AAAA 2001:db8::1
         alias.example. 60 NS www.example.
         www.example. 60 CNAME example.
         inside.example. 60 NS ns.deep.inside.example.
         inside.example. 60 NS ns.of.deep.inside.example.
         *.deep.inside.example. 60 A 192.0.2.3
         of.deep.inside.example. 60 TXT \"the encloser of the second\"",
    );
    for (cut, glue) in [
        ("at.example.", &["at.example. 60 IN A 192.0.2.2"][..]),
        ("above.example.", &["example. 60 IN A 192.0.2.1"]),
        (
            "covered.example.",
            &["any.w.example. 60 IN AAAA 2001:db8::1"],
        ),
        ("alias.example.", &[]),
        (
            "inside.example.",
            &["ns.deep.inside.example. 60 IN A 192.0.2.3"],
        ),
    ] {
        let seen = ask(&zone, &format!("x.{cut}"), "A");
        assert!(!seen.authority.is_empty() && !seen.tc, "{cut}");
        assert_eq!(seen.additional, glue, "{cut}");
    }
}
