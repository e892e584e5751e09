use super::*;

#[test]
fn aliases_are_followed_inside_the_zone_and_the_end_gives_rcode_and_authority() {
    let zone = example(
        "www.example. 60 CNAME host.example.
         host.example. 60 A 192.0.2.1
         gone.example. 60 CNAME no.example.
         out.example. 60 CNAME www.elsewhere.
         cut.example. 60 CNAME a.sub.example.
         sub.example. 60 NS ns.sub.example.
         ns.sub.example. 60 A 192.0.2.2",
    );
    let www = "www.example. 60 IN CNAME host.example.";
    let seen = ask(&zone, "www.example.", "A");
    assert_eq!(seen.answer, [www, "host.example. 60 IN A 192.0.2.1"]);
    assert!(seen.aa && seen.authority.is_empty());
    let seen = ask(&zone, "www.example.", "AAAA");
    assert_eq!(seen.answer, [www]);
    seen.is_negative(ResponseCode::NoError);
    assert_eq!(ask(&zone, "www.example.", "CNAME").answer, [www]);
    let seen = ask(&zone, "gone.example.", "A");
    assert_eq!(seen.answer, ["gone.example. 60 IN CNAME no.example."]);
    seen.is_negative(ResponseCode::NXDomain);
    let seen = ask(&zone, "out.example.", "A");
    assert_eq!(seen.answer, ["out.example. 60 IN CNAME www.elsewhere."]);
    assert_eq!(seen.rcode, ResponseCode::NoError);
    assert!(seen.aa && seen.authority.is_empty());
    let seen = ask(&zone, "cut.example.", "A");
    assert_eq!(seen.authority, ["sub.example. 60 IN NS ns.sub.example."]);
    assert_eq!(seen.additional, ["ns.sub.example. 60 IN A 192.0.2.2"]);
    assert!(seen.aa, "the first owner is ours");
}

#[test]
fn what_may_stand_beside_an_alias_is_asked_for_at_its_own_name() {
    let zone = example("www.example. 60 CNAME host.example.\nhost.example. 60 A 192.0.2.1");
    for rtype in ["NSEC", "RRSIG"] {
        let seen = ask(&zone, "www.example.", rtype);
        assert!(seen.answer.is_empty(), "{seen:?}");
        seen.is_negative(ResponseCode::NoError);
    }
}

#[test]
fn an_alias_does_not_lead_into_another_zone_served_here() {
    let zones = example("www.example. 60 CNAME www.other.").with(served(&format!(
        "other. {SOA}\nother. 60 NS ns1.example.\nwww.other. 60 A 192.0.2.1"
    )));
    assert_eq!(
        ask(&zones, "www.example.", "A").answer,
        ["www.example. 60 IN CNAME www.other."]
    );
}

#[test]
fn an_alias_into_a_child_that_is_served_ends_there_whatever_the_parent_has_below_the_cut() {
    let parent = "www.example. 60 CNAME host.kid.example.
         gone.example. 60 CNAME no.kid.example.
         apex.example. 60 CNAME kid.example.
         kid.example. 60 NS ns.kid.example.
         ns.kid.example. 60 A 192.0.2.1";
    let child = served(&format!(
        "kid.example. {SOA}\nkid.example. 60 NS ns.kid.example.\nhost.kid.example. 60 A 192.0.2.2"
    ));
    let zones = example(parent).with(child);
    for qname in ["www.example.", "gone.example.", "apex.example."] {
        let seen = ask(&zones, qname, "A");
        assert_eq!((seen.rcode, seen.aa), (ResponseCode::NoError, true));
        assert_eq!(seen.answer.len(), 1, "{seen:?}");
        assert!(seen.authority.is_empty() && seen.additional.is_empty());
    }
    let seen = ask(&zones, "apex.example.", "DS");
    assert_eq!((seen.rcode, seen.answer.len()), (ResponseCode::NoError, 1));
    assert!(seen.authority[0].contains("SOA"), "the parent's: {seen:?}");
    assert!(ask(&zones, "www.example.", "DS").authority.is_empty());
}

#[test]
fn loops_and_long_chains_end_in_a_bounded_answer() {
    let mut lines = "self.example. 60 CNAME Self.example.
         a.example. 60 CNAME b.example.
         b.example. 60 CNAME A.example.
         in.example. 60 CNAME a.example.
         *.wild.example. 60 CNAME x.y.wild.example.\n"
        .to_owned();
    for n in 0..100 {
        lines += &format!("c{n}.example. 60 CNAME c{}.example.\n", n + 1);
    }
    let zone = example(&lines);
    for (start, aliases) in [
        ("self.example.", 1),
        ("a.example.", 2),
        ("in.example.", 3),
        ("q.wild.example.", 2),
        ("c0.example.", ALIASES_MAX),
    ] {
        for ask in [
            Ask::new(&zone, start, "A").edns(1232),
            Ask::new(&zone, start, "A").tcp(),
        ] {
            let seen = ask.get();
            assert_eq!(seen.rcode, ResponseCode::NoError);
            assert_eq!(seen.answer.len(), aliases, "{start}: {seen:?}");
            assert!(seen.aa && !seen.tc && seen.authority.is_empty());
        }
    }
}

#[test]
fn a_dname_gives_itself_and_an_alias_with_its_ttl_for_names_below_it() {
    let zone = example(
        "old.example. 77 DNAME new.example.
         old.example. 60 TXT \"own\"
         www.new.example. 60 A 192.0.2.1
         away.example. 60 DNAME elsewhere.",
    );
    let dname = "old.example. 77 IN DNAME new.example.";
    let cname = "WWW.old.example. 77 IN CNAME WWW.new.example.";
    assert_eq!(
        ask(&zone, "WWW.old.example.", "A").answer,
        [dname, cname, "www.new.example. 60 IN A 192.0.2.1"]
    );
    let seen = ask(&zone, "WWW.old.example.", "CNAME");
    assert_eq!(seen.answer, [dname, cname]);
    assert_eq!(
        ask(&zone, "WWW.old.example.", "ANY").answer,
        [dname, cname, "www.new.example. 60 IN A 192.0.2.1"],
        "only an alias that is asked for ends the walk"
    );
    let seen = ask(&zone, "no.old.example.", "A");
    assert_eq!(seen.answer.len(), 2);
    seen.is_negative(ResponseCode::NXDomain);
    assert_eq!(ask(&zone, "old.example.", "TXT").answer.len(), 1);
    assert_eq!(ask(&zone, "old.example.", "DNAME").answer, [dname]);
    ask(&zone, "old.example.", "A").is_negative(ResponseCode::NoError);
    let seen = ask(&zone, "a.b.away.example.", "A");
    assert_eq!(
        seen.answer[1],
        "a.b.away.example. 60 IN CNAME a.b.elsewhere."
    );
    assert!(seen.aa && seen.authority.is_empty());
}

#[test]
fn a_dname_that_led_to_itself_stands_in_the_answer_once() {
    let zone = example("b.example. 60 DNAME c.example.\n*.c.example. 60 CNAME b.example.");
    let chain = [
        "b.example. 60 IN DNAME c.example.",
        "x.b.example. 60 IN CNAME x.c.example.",
        "x.c.example. 60 IN CNAME b.example.",
    ];
    assert_eq!(ask(&zone, "x.b.example.", "DNAME").answer, chain);
    let seen = Ask::new(&zone, "x.b.example.", "ANY").tcp().get();
    assert_eq!(seen.answer, chain);
}

/// Labels may hold what looks like the length of another.
#[test]
fn names_with_odd_octets_are_compressed_like_others() {
    let zone = example(
        "d.example. 60 DNAME t.example.
         sub.example. 60 NS 0.x\\001a.example.
         sub.example. 60 NS a.example.",
    );
    let seen = ask(&zone, "x\\002.d.example.", "A");
    assert_eq!(seen.answer.len(), 2, "{seen:?}");
    seen.is_negative(ResponseCode::NXDomain);
    assert_eq!(ask(&zone, "sub.example.", "A").authority.len(), 2);
}

#[test]
fn dnames_chain_and_stand_in_the_answer_once() {
    let zone = example(
        "a.example. 60 DNAME b.example.
         b.example. 60 DNAME x.a.example.
         c.example. 60 DNAME d.example.
         d.example. 60 DNAME e.example.
         w.e.example. 60 A 192.0.2.1",
    );
    assert_eq!(
        ask(&zone, "w.c.example.", "A").answer,
        [
            "c.example. 60 IN DNAME d.example.",
            "w.c.example. 60 IN CNAME w.d.example.",
            "d.example. 60 IN DNAME e.example.",
            "w.d.example. 60 IN CNAME w.e.example.",
            "w.e.example. 60 IN A 192.0.2.1",
        ]
    );
    let seen = Ask::new(&zone, "w.a.example.", "A").tcp().get();
    assert_eq!(seen.rcode, ResponseCode::NoError);
    assert_eq!(seen.answer.len(), 2 + ALIASES_MAX, "{seen:?}");
}

#[test]
fn a_name_made_too_long_by_a_dname_is_yxdomain() {
    let long = "x".repeat(60);
    let zone = example(&format!("a.example. 60 DNAME {long}.{long}.example."));
    let seen = ask(&zone, &format!("{long}.{long}.{long}.a.example."), "A");
    assert_eq!(seen.rcode, ResponseCode::YXDomain);
    assert_eq!(seen.answer.len(), 1, "the DNAME: {seen:?}");
    assert!(seen.aa);
    assert_eq!(
        ask(&zone, &format!("{long}.a.example."), "A").rcode,
        ResponseCode::NXDomain
    );
}

#[test]
fn a_dname_at_the_apex_redirects_everything_below() {
    let zone = example("example. 60 DNAME other.\nw.example. 60 A 192.0.2.1");
    assert_eq!(
        ask(&zone, "w.example.", "A").answer,
        [
            "example. 60 IN DNAME other.",
            "w.example. 60 IN CNAME w.other."
        ]
    );
    assert_eq!(ask(&zone, "example.", "NS").answer.len(), 1);
}

#[test]
fn the_end_of_a_chain_gives_the_rcode_even_where_the_chain_does_not_fit() {
    let name = |n: usize| format!("{0}.{0}.example.", n.to_string().repeat(60));
    let lines: String = (0..5)
        .map(|n| format!("{} 60 CNAME {}\n", name(n), name(n + 1)))
        .collect();
    let zone = example(&lines);
    let start = name(0);
    let seen = ask(&zone, &start, "A");
    assert!(seen.tc && seen.aa, "{seen:?}");
    assert_eq!(seen.rcode, ResponseCode::NXDomain);
    assert!(seen.authority.is_empty());
    let whole = Ask::new(&zone, &start, "A").tcp().get();
    assert_eq!((whole.rcode, whole.tc), (ResponseCode::NXDomain, false));
    assert_eq!(whole.answer.len(), 5);
    assert_eq!(seen.answer, whole.answer[..seen.answer.len()]);
}
