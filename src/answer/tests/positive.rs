use super::*;

#[test]
fn a_positive_answer_is_the_rrset_with_its_owner_pointing_to_the_question() {
    let zone = example("www.example. 60 A 192.0.2.1\nwww.example. 60 A 192.0.2.2");
    let octets = Ask::new(&zone, "WwW.eXaMple.", "A").octets();
    let seen = Seen::of(&octets);
    assert_eq!(seen.rcode, ResponseCode::NoError);
    assert!(seen.aa && !seen.tc);
    assert_eq!(seen.question, ["WwW.eXaMple. IN A"]);
    assert_eq!(
        seen.answer,
        [
            "WwW.eXaMple. 60 IN A 192.0.2.1",
            "WwW.eXaMple. 60 IN A 192.0.2.2"
        ]
    );
    assert!(seen.authority.is_empty() && seen.additional.is_empty() && seen.edns.is_none());
    assert_eq!(octets.len(), 12 + 13 + 4 + 2 * 16);
    assert_eq!(octets[..4], [0xAB, 0xCD, 0x85, 0x00]);
}

#[test]
fn recursion_desired_and_checking_disabled_come_back_and_nothing_else_does() {
    let ask = Ask::new(&example(""), "example.", "SOA");
    let mut query = ask.query();
    query[3] = 0x70;
    let (_, octets) = ask.send(&query);
    assert_eq!(octets[2..4], [0x85, 0x10]);
}

#[test]
fn unknown_types_are_answered_with_their_octets() {
    let zone = example("x.example. 60 TYPE65280 \\# 3 010203");
    let octets = Ask::new(&zone, "x.example.", "TYPE65280").octets();
    assert!(octets.ends_with(&[0xFF, 0, 0, 1, 0, 0, 0, 60, 0, 3, 1, 2, 3]));
}

#[test]
fn addresses_of_targets_in_the_zone_go_along_once() {
    let zone = example(
        "example. 60 MX 10 mail.example.
         example. 60 MX 20 mail.elsewhere.
         mail.example. 60 A 192.0.2.1
         mail.example. 60 AAAA 2001:db8::1
         _sip._tcp.example. 60 SRV 0 5 5060 mail.example.
         _sip._tcp.example. 60 SRV 0 5 5061 MAIL.example.
         *.example. 60 A 192.0.2.9
         n.example. 60 NAPTR 1 1 \"s\" \"SIP+D2U\" \"\" mail.example.
         svc.example. 60 HTTPS 1 . alpn=h2
         svc.example. 60 A 192.0.2.7
         w.example. 60 MX 1 dynamic.example.",
    );
    let mail = [
        "mail.example. 60 IN A 192.0.2.1",
        "mail.example. 60 IN AAAA 2001:db8::1",
    ];
    assert_eq!(ask(&zone, "example.", "MX").additional, mail);
    assert_eq!(ask(&zone, "_sip._tcp.example.", "SRV").additional, mail);
    assert_eq!(ask(&zone, "n.example.", "NAPTR").additional, mail);
    assert_eq!(
        ask(&zone, "svc.example.", "HTTPS").additional,
        ["svc.example. 60 IN A 192.0.2.7"]
    );
    assert_eq!(
        ask(&zone, "w.example.", "MX").additional,
        ["dynamic.example. 60 IN A 192.0.2.9"]
    );
}

#[test]
fn every_type_with_a_host_in_its_data_brings_the_addresses_of_the_host() {
    let zone = example(
        "example. 60 NS host.example.
         t.example. 60 MX 1 host.example.
         t.example. 60 SRV 0 0 1 host.example.
         t.example. 60 NAPTR 1 1 \"a\" \"x\" \"\" host.example.
         t.example. 60 SVCB 1 host.example.
         t.example. 60 HTTPS 0 host.example.
         t.example. 60 PTR host.example.
         host.example. 60 A 192.0.2.1",
    );
    let host = ["host.example. 60 IN A 192.0.2.1"];
    for rtype in ["MX", "SRV", "NAPTR", "SVCB", "HTTPS"] {
        assert_eq!(ask(&zone, "t.example.", rtype).additional, host, "{rtype}");
    }
    assert_eq!(ask(&zone, "example.", "NS").additional, host);
    assert!(ask(&zone, "t.example.", "PTR").additional.is_empty());
}

#[test]
fn all_but_the_owner_asked_for_is_spelled_as_in_the_zone() {
    let zone = example(
        "Www.Example. 60 MX 10 Mail.Example.
         Mail.Example. 60 A 192.0.2.1
         alias.example. 60 CNAME WWW.example.",
    );
    let seen = ask(&zone, "wWW.eXAMPLE.", "MX");
    assert_eq!(seen.question, ["wWW.eXAMPLE. IN MX"]);
    assert_eq!(seen.answer, ["wWW.eXAMPLE. 60 IN MX 10 Mail.Example."]);
    assert_eq!(seen.additional, ["Mail.Example. 60 IN A 192.0.2.1"]);
    assert_eq!(
        ask(&zone, "ALIAS.example.", "MX").answer,
        [
            "ALIAS.example. 60 IN CNAME WWW.example.",
            "Www.Example. 60 IN MX 10 Mail.Example.",
        ]
    );
}

#[test]
fn types_of_signed_zones_are_data_like_any_other_in_an_unsigned_one() {
    let zone = example(
        "a.example. 60 A 192.0.2.1
         c.example. 60 CNAME a.example.
         d.example. 60 DS 1 8 2 0000000000000000000000000000000000000000000000000000000000000000",
    );
    for rtype in ["DS", "DNSKEY", "NSEC", "RRSIG", "NSEC3PARAM", "CDS"] {
        ask(&zone, "a.example.", rtype).is_negative(ResponseCode::NoError);
        let seen = Ask::new(&zone, "no.example.", rtype).edns(1232).get();
        seen.is_negative(ResponseCode::NXDomain);
    }
    assert_eq!(ask(&zone, "d.example.", "DS").answer.len(), 1);
    assert_eq!(ask(&zone, "c.example.", "DS").answer.len(), 1, "the alias");
}

#[test]
fn any_is_one_small_rrset_over_udp_and_whole_over_tcp() {
    let zone = example(
        "a.example. 60 TXT \"a text that is far longer than an address\"
         a.example. 60 A 192.0.2.1
         a.example. 60 MX 10 a.example.",
    );
    let seen = ask(&zone, "a.example.", "ANY");
    assert_eq!(seen.answer, ["a.example. 60 IN A 192.0.2.1"]);
    assert!(seen.aa && !seen.tc);
    let seen = Ask::new(&zone, "a.example.", "ANY").tcp().get();
    assert_eq!(seen.answer.len(), 3);
    assert!(seen.additional.is_empty());
    let zone = example("c.example. 60 CNAME a.example.\na.example. 60 A 192.0.2.1");
    for ask in [
        Ask::new(&zone, "c.example.", "ANY"),
        Ask::new(&zone, "c.example.", "ANY").tcp(),
    ] {
        assert_eq!(ask.get().answer, ["c.example. 60 IN CNAME a.example."]);
    }
}

#[test]
fn types_of_transfers_and_of_the_message_itself_are_no_data() {
    let zone = example("a.example. 60 A 192.0.2.1");
    for (rtype, rcode) in [
        (251, ResponseCode::Refused),
        (252, ResponseCode::Refused),
        (253, ResponseCode::NotImp),
        (254, ResponseCode::NotImp),
        (41, ResponseCode::FormErr),
        (249, ResponseCode::FormErr),
        (250, ResponseCode::FormErr),
        (200, ResponseCode::NoError),
    ] {
        let mut ask = Ask::new(&zone, "a.example.", "A").tcp();
        ask.rtype = rtype;
        let seen = ask.get();
        assert_eq!(seen.rcode, rcode, "TYPE{rtype}");
        assert!(seen.answer.is_empty());
    }
}

#[test]
fn zones_that_are_not_ours_and_unknown_classes_are_refused_without_data() {
    let zone = example("a.example. 60 A 192.0.2.1");
    for ask in [
        Ask::new(&zone, "a.elsewhere.", "A"),
        Ask::new(&zone, ".", "NS"),
        Ask::new(&zone, "a.example.", "A").class(4),
        Ask::new(&zone, "a.example.", "A").class(254),
        Ask::new(&zone, "a.elsewhere.", "A").class(255),
    ] {
        let seen = ask.get();
        assert_eq!(seen.rcode, ResponseCode::Refused);
        assert!(!seen.aa && seen.question.len() == 1);
        assert!(seen.answer.is_empty() && seen.authority.is_empty() && seen.additional.is_empty());
    }
}

#[test]
fn a_question_for_any_class_is_answered_from_class_in_without_authority() {
    let zone = example("a.example. 60 A 192.0.2.1");
    for qname in ["a.example.", "no.example."] {
        let plain = ask(&zone, qname, "A");
        let seen = Ask::new(&zone, qname, "A").class(255).get();
        assert_eq!((seen.rcode, seen.aa), (plain.rcode, false));
        assert_eq!(seen.answer, plain.answer);
        assert_eq!(seen.authority, plain.authority);
    }
}

#[test]
fn the_root_zone_is_a_zone_like_any_other() {
    let root = Published::default().with(served(
        ". 60 SOA a.ns. h.ns. 1 2 3 4 5\n. 60 NS a.ns.\na.ns. 60 A 192.0.2.1\nb. 60 NS x.b.\nx.b. 60 A 192.0.2.2",
    ));
    let seen = ask(&root, ".", "NS");
    assert_eq!(seen.answer, [". 60 IN NS a.ns."]);
    assert_eq!(seen.additional, ["a.ns. 60 IN A 192.0.2.1"]);
    assert_eq!(ask(&root, "nothing.", "A").rcode, ResponseCode::NXDomain);
    assert_eq!(ask(&root, ".", "DS").rcode, ResponseCode::NoError);
    assert_eq!(
        ask(&root, "c.b.", "A").additional,
        ["x.b. 60 IN A 192.0.2.2"]
    );
}
