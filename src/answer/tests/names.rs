//! Which names exist: NODATA, NXDOMAIN, empty non-terminals, wildcards.

use super::*;

#[test]
fn a_missing_type_is_nodata_and_a_missing_name_nxdomain_with_the_negative_ttl() {
    let zone = example("www.example. 60 A 192.0.2.1");
    ask(&zone, "www.example.", "AAAA").is_negative(ResponseCode::NoError);
    ask(&zone, "www.example.", "SOA").is_negative(ResponseCode::NoError);
    ask(&zone, "no.example.", "A").is_negative(ResponseCode::NXDomain);
    ask(&zone, "no.www.example.", "A").is_negative(ResponseCode::NXDomain);
    assert_eq!(
        ask(&zone, "example.", "SOA").answer,
        ["example. 3600 IN SOA ns1.example. host.example. 1 2 3 4 300"]
    );
    let seen = ask(&zone, "NO.EXAMPLE.", "A");
    assert_eq!(seen.authority, [NEGATIVE_SOA], "in the zone's spelling");
}

#[test]
fn an_empty_non_terminal_is_nodata() {
    let zone = example("a.b.c.example. 60 A 192.0.2.1");
    for ent in ["b.c.example.", "c.example."] {
        ask(&zone, ent, "A").is_negative(ResponseCode::NoError);
        ask(&zone, ent, "ANY").is_negative(ResponseCode::NoError);
    }
}

/// The zone of RFC 4592 §2.2.1.
fn rfc_4592() -> Published {
    example(
        "example. 3600 NS ns.example.com.
         *.example. 3600 TXT \"this is a wildcard\"
         *.example. 3600 MX 10 host1.example.
         sub.*.example. 3600 TXT \"this is not a wildcard\"
         host1.example. 3600 A 192.0.2.1
         _ssh._tcp.host1.example. 3600 SRV 0 0 22 host1.example.
         _ssh._tcp.host2.example. 3600 SRV 0 0 22 host1.example.
         subdel.example. 3600 NS ns.example.com.
         subdel.example. 3600 NS ns.example.net.",
    )
}

#[test]
fn wildcards_stand_for_missing_names_below_their_encloser() {
    let zone = rfc_4592();
    let seen = ask(&zone, "Host3.example.", "MX");
    assert_eq!(seen.answer, ["Host3.example. 3600 IN MX 10 host1.example."]);
    assert_eq!(seen.additional, ["host1.example. 3600 IN A 192.0.2.1"]);
    ask(&zone, "host3.example.", "A").is_negative(ResponseCode::NoError);
    assert_eq!(
        ask(&zone, "foo.bar.example.", "TXT").answer,
        ["foo.bar.example. 3600 IN TXT this is a wildcard"]
    );
}

#[test]
fn wildcards_do_not_stand_for_names_that_exist_or_have_another_encloser() {
    let zone = rfc_4592();
    ask(&zone, "host1.example.", "MX").is_negative(ResponseCode::NoError);
    ask(&zone, "sub.*.example.", "MX").is_negative(ResponseCode::NoError);
    ask(&zone, "_telnet._tcp.host1.example.", "SRV").is_negative(ResponseCode::NXDomain);
    ask(&zone, "ghost.*.example.", "MX").is_negative(ResponseCode::NXDomain);
    ask(&zone, "_tcp.host2.example.", "MX").is_negative(ResponseCode::NoError);
    let seen = ask(&zone, "host.subdel.example.", "A");
    assert_eq!((seen.aa, seen.authority.len()), (false, 2));
    assert_eq!(
        ask(&zone, "*.example.", "TXT").answer,
        ["*.example. 3600 IN TXT this is a wildcard"]
    );
}

#[test]
fn a_wildcard_that_is_an_empty_non_terminal_is_nodata() {
    let zone = example("host.*.sub.example. 60 A 192.0.2.1");
    ask(&zone, "other.sub.example.", "A").is_negative(ResponseCode::NoError);
    ask(&zone, "x.host.*.sub.example.", "A").is_negative(ResponseCode::NXDomain);
}

#[test]
fn a_wildcard_alias_is_followed_but_not_when_it_is_asked_for() {
    let zone = example(
        "*.w.example. 60 CNAME WWW.example.
         www.example. 60 A 192.0.2.1
         *.v.example. 60 CNAME Deep.w.example.",
    );
    assert_eq!(
        ask(&zone, "a.w.example.", "A").answer,
        [
            "a.w.example. 60 IN CNAME WWW.example.",
            "www.example. 60 IN A 192.0.2.1"
        ]
    );
    assert_eq!(
        ask(&zone, "a.w.example.", "CNAME").answer,
        ["a.w.example. 60 IN CNAME WWW.example."]
    );
    assert_eq!(
        ask(&zone, "a.v.example.", "A").answer,
        [
            "a.v.example. 60 IN CNAME Deep.w.example.",
            "Deep.w.example. 60 IN CNAME WWW.example.",
            "www.example. 60 IN A 192.0.2.1"
        ]
    );
}

#[test]
fn empty_non_terminals_below_an_asterisk_block_wildcards_as_anywhere() {
    let zone = example(
        "*.example. 60 A 192.0.2.1
         *.sub.example. 60 TXT \"covers\"
         host.*.sub.example. 60 A 192.0.2.2
         leaf.ent.*.sub.example. 60 A 192.0.2.3",
    );
    assert_eq!(ask(&zone, "other.sub.example.", "TXT").answer.len(), 1);
    // `sub` is the closest encloser: its wildcard has no address, and the one above is not asked.
    ask(&zone, "other.sub.example.", "A").is_negative(ResponseCode::NoError);
    ask(&zone, "host.other.sub.example.", "A").is_negative(ResponseCode::NoError);
    ask(&zone, "ent.*.sub.example.", "A").is_negative(ResponseCode::NoError);
    for missing in [
        "x.host.*.sub.example.",
        "x.ent.*.sub.example.",
        "x.*.sub.example.",
    ] {
        ask(&zone, missing, "A").is_negative(ResponseCode::NXDomain);
    }
}

#[test]
fn an_asterisk_in_a_question_or_as_a_target_is_an_ordinary_label() {
    let zone = example(
        "*.w.example. 60 A 192.0.2.1
         to.example. 60 CNAME *.w.example.
         below.example. 60 CNAME x.*.w.example.
         star.example. 60 CNAME *.empty.example.
         a.empty.example. 60 A 192.0.2.2",
    );
    assert_eq!(
        ask(&zone, "*.w.example.", "A").answer,
        ["*.w.example. 60 IN A 192.0.2.1"]
    );
    assert_eq!(
        ask(&zone, "to.example.", "A").answer[1],
        "*.w.example. 60 IN A 192.0.2.1"
    );
    // Names below the wildcard's own have it as their encloser, which has no wildcard.
    ask(&zone, "x.*.w.example.", "A").is_negative(ResponseCode::NXDomain);
    ask(&zone, "below.example.", "A").is_negative(ResponseCode::NXDomain);
    ask(&zone, "star.example.", "A").is_negative(ResponseCode::NXDomain);
    ask(&zone, "*.empty.example.", "A").is_negative(ResponseCode::NXDomain);
    // An asterisk that is not the whole label, or not the first, covers nothing.
    let zone = example("*a.example. 60 A 192.0.2.1");
    ask(&zone, "ba.example.", "A").is_negative(ResponseCode::NXDomain);
    let zone = example("x.*.example. 60 A 192.0.2.2");
    ask(&zone, "y.example.", "A").is_negative(ResponseCode::NoError);
    ask(&zone, "x.y.example.", "A").is_negative(ResponseCode::NoError);
}
