//! What is let in: headers, sections, opcodes, EDNS, class CH.

use super::*;

fn zone() -> Published {
    example("a.example. 60 A 192.0.2.1")
}

fn plain() -> Ask {
    Ask::new(&zone(), "a.example.", "A")
}

#[track_caller]
fn rcode(query: &[u8]) -> ResponseCode {
    let (outcome, octets) = plain().send(query);
    let rcode = Seen::of(&octets).rcode;
    assert!(
        matches!(outcome, Outcome::Answered(told) if told.code() == u16::from(rcode)),
        "{outcome:?}, and sent {rcode}"
    );
    rcode
}

#[test]
fn replies_and_scraps_get_no_reply() {
    let mut reply = plain().query();
    reply[2] |= 0x80;
    for silent in [&reply[..], &reply[..11], &[], &plain().query()[..11]] {
        let (outcome, octets) = plain().send(silent);
        assert_eq!(outcome, Outcome::Silent);
        assert_eq!(octets, b"untouched");
        let mut out = b"x".to_vec();
        respond(silent, Rcode::Refused, None, &mut out);
        assert!(out.is_empty());
    }
}

#[test]
fn malformed_queries_are_formerr() {
    let query = plain().query();
    let with = |at: usize, value: u8| {
        let mut query = query.clone();
        query[at] = value;
        query
    };
    let mut two = with(5, 2);
    two.extend_from_slice(&query[12..]);
    let mut cases = vec![
        query[..12].to_vec(),
        query[..query.len() - 1].to_vec(),
        two,
        with(5, 0),
        with(7, 1),
        with(11, 1),
        with(12, 0x40),
    ];
    for pointer in [0u8, 2, 11, 12, 14, 200] {
        let mut query = with(12, 0xC0);
        query[13] = pointer;
        cases.push(query);
    }
    for case in cases {
        assert_eq!(rcode(&case), ResponseCode::FormErr, "{case:x?}");
    }
    let (_, octets) = plain().send(&query[..12]);
    assert_eq!(octets.len(), 12);
}

#[test]
fn octets_behind_a_query_are_ignored() {
    let mut query = plain().edns(1232).query();
    let (_, expected) = plain().send(&query);
    query.extend_from_slice(b"what is this");
    assert_eq!(plain().send(&query).1, expected);
}

#[test]
fn a_record_in_a_query_is_ignored_unless_it_is_broken() {
    let with = |count_at: usize, record: &[u8]| {
        let mut query = plain().query();
        query[count_at] = 1;
        query.extend_from_slice(record);
        rcode(&query)
    };
    let whole = b"\x01a\0\0\x01\0\x01\0\0\0\0\0\x04\xC0\0\x02\x01";
    let short = b"\x01a\0\0\x01\0\x01\0\0\0\0\0\x03\xC0\0\x02";
    let unknown = b"\x01a\0\xFE\xFE\0\x01\0\0\0\0\0\x01x";
    let tsig = b"\x01a\0\0\xFA\0\xFF\0\0\0\0\0\0";
    for count_at in [7, 9, 11] {
        assert_eq!(with(count_at, whole), ResponseCode::NoError);
        assert_eq!(with(count_at, short), ResponseCode::FormErr);
        assert_eq!(with(count_at, unknown), ResponseCode::NoError);
    }
    assert_eq!(with(7, tsig), ResponseCode::FormErr);
    assert_eq!(with(9, tsig), ResponseCode::FormErr);
}

#[test]
fn other_opcodes_are_notimp_and_updates_go_elsewhere() {
    for opcode in [1u8, 2, 3, 4, 6, 15] {
        let mut query = plain().query();
        query[2] = opcode << 3;
        let (_, octets) = plain().send(&query);
        assert_eq!(Seen::of(&octets).rcode, ResponseCode::NotImp);
        assert_eq!(octets[2], 0x80 | opcode << 3);
    }
    let mut update = plain().query();
    update[2] = 5 << 3;
    let (outcome, octets) = plain().send(&update);
    assert_eq!(
        (outcome, &octets[..]),
        (Outcome::Elsewhere, &b"untouched"[..])
    );
}

#[test]
fn a_signed_query_goes_elsewhere() {
    let mut query = plain().query();
    query[11] = 1;
    query.extend_from_slice(b"\x03key\0\0\xFA\0\xFF\0\0\0\0\0\0");
    assert_eq!(plain().send(&query).0, Outcome::Elsewhere);
}

#[test]
fn edns_is_answered_with_edns_and_our_size() {
    let mut ask = plain().edns(4096);
    ask.edns = Some((4096, 0, 0xFFFF));
    let edns = ask.get().edns.unwrap();
    assert_eq!((edns.max_payload(), edns.version()), (1232, 0));
    assert!(edns.flags().dnssec_ok, "echoed");
    assert_eq!(edns.flags().z, 0, "unknown flags are ignored");
    let edns = plain().edns(1232).get().edns.unwrap();
    assert!(!edns.flags().dnssec_ok);
    assert_eq!(plain().get().edns, None);
    let mut query = plain().query();
    query[11] = 1;
    query.extend(opt(1232, 0, 0, b"\xFD\xE9\0\x02hi\0\x03\0\0"));
    assert_eq!(
        rcode(&query),
        ResponseCode::NoError,
        "unknown options are ignored"
    );
}

#[test]
fn a_later_version_of_edns_is_badvers_with_ours() {
    let mut ask = plain();
    ask.edns = Some((1232, 1, 0));
    let seen = ask.get();
    assert_eq!(u16::from(seen.rcode), 16);
    assert_eq!(seen.edns.as_ref().unwrap().version(), 0);
    assert!(seen.answer.is_empty());
    // Of whatever opcode.
    let mut status = ask.query();
    assert!(!has_later_edns(&plain().edns(1232).query()) && has_later_edns(&status));
    status[2] = 2 << 3;
    let (_, octets) = ask.send(&status);
    assert_eq!(u16::from(Seen::of(&octets).rcode), 16);
}

#[test]
fn a_second_or_misplaced_or_broken_opt_is_formerr() {
    let opt_at = |count_at: usize, opts: &[u8], count: u8| {
        let mut query = plain().query();
        query[count_at] = count;
        query.extend_from_slice(opts);
        query
    };
    let good = opt(1232, 0, 0, &[]);
    let mut named = b"\x01a".to_vec();
    named.extend_from_slice(&good);
    for query in [
        opt_at(11, &[good.clone(), good.clone()].concat(), 2),
        opt_at(7, &good, 1),
        opt_at(9, &good, 1),
        opt_at(11, &named, 1),
        opt_at(11, &opt(1232, 0, 0, &[0, 3, 0]), 1),
        opt_at(11, &opt(1232, 0, 0, &[0, 3, 0, 9, 1]), 1),
    ] {
        assert_eq!(rcode(&query), ResponseCode::FormErr);
    }
}

#[test]
fn the_version_is_told_in_class_ch_and_nothing_else() {
    let chaos = |qname: &str| Ask::new(&zone(), qname, "TXT").class(CLASS_CH);
    for qname in ["version.server.", "VERSION.bind."] {
        let seen = chaos(qname).get();
        assert_eq!(seen.answer, [format!("{qname} 0 CH TXT lastgood test")]);
        let mut silent = chaos(qname);
        silent.version = None;
        assert_eq!(silent.get().rcode, ResponseCode::Refused);
    }
    for ask in [
        chaos("example."),
        chaos("authors.bind."),
        Ask::new(&zone(), "version.bind.", "A").class(CLASS_CH),
    ] {
        assert_eq!(ask.get().rcode, ResponseCode::Refused);
    }
    let last = chaos("last-refusal.enactor-a.lastgood.");
    assert_eq!(last.send(&last.query()).0, Outcome::Elsewhere);
}

#[test]
fn the_identity_is_told_in_class_ch_where_there_is_one() {
    let chaos = |qname: &str| Ask::new(&zone(), qname, "TXT").class(CLASS_CH);
    for qname in ["id.server.", "HOSTNAME.bind."] {
        assert_eq!(chaos(qname).get().rcode, ResponseCode::Refused);
        let mut named = chaos(qname);
        named.identity = Some("one".into());
        named.version = None;
        assert_eq!(named.get().answer, [format!("{qname} 0 CH TXT one")]);
        named.class = CLASS_IN;
        assert_eq!(named.get().rcode, ResponseCode::Refused, "no zone of ours");
    }
}

/// The options of the OPT at the end of a message without other additional records.
fn options(octets: &[u8]) -> Vec<(u16, Vec<u8>)> {
    let edns = Seen::of(octets).edns.expect("an OPT");
    let options = edns.options().as_ref().iter();
    options
        .map(|(code, option)| ((*code).into(), option.try_into().unwrap()))
        .collect()
}

fn with_option(ask: &Ask, version: u8, option: &[u8]) -> Vec<u8> {
    let mut query = ask.query();
    query[11] = 1;
    query.extend(opt(1232, version, 0, option));
    query
}

const NSID: &[u8] = &[0, 3, 0, 0];
const KEEPALIVE: &[u8] = &[0, 11, 0, 0];

#[test]
fn nsid_is_answered_where_there_is_an_identity_and_only_to_those_who_ask() {
    let mut named = plain();
    named.identity = Some("one".into());
    let asked = |ask: &Ask, version, option: &[u8]| {
        let (_, octets) = ask.send(&with_option(ask, version, option));
        options(&octets)
    };
    let one = [(3, b"one".to_vec())];
    assert_eq!(asked(&named, 0, NSID), one);
    // What stands in the option of a query is ignored (RFC 5001 §2.1).
    assert_eq!(asked(&named, 0, b"\0\x03\0\x02hi"), one);
    assert_eq!(asked(&named, 0, b"\xFD\xE9\0\x01x\0\x03\0\0"), one);
    assert_eq!(asked(&named, 0, b""), []);
    assert_eq!(asked(&named, 1, NSID), [], "not ours to understand");
    assert_eq!(asked(&plain(), 0, NSID), []);
    // Whatever else comes of the question: who refuses is what one wants to know.
    named.name = name("elsewhere.").as_wire().to_vec();
    assert_eq!(asked(&named, 0, NSID), one);
}

#[test]
fn a_connection_is_told_how_long_it_may_idle_and_a_datagram_is_not() {
    let (udp, tcp) = (plain(), plain().tcp());
    let asked = |ask: &Ask, option: &[u8]| options(&ask.send(&with_option(ask, 0, option)).1);
    // Thirty seconds, in tenths.
    assert_eq!(asked(&tcp, KEEPALIVE), [(11, vec![1, 44])]);
    assert_eq!(asked(&tcp, b""), []);
    assert_eq!(asked(&udp, KEEPALIVE), []);
}

#[test]
fn a_truncated_message_is_well_formed_and_keeps_its_opt() {
    let texts = (0..9).map(|n| format!("a.example. 60 TXT \"{n}{}\"\n", "x".repeat(200)));
    let zone = example(&texts.collect::<String>());
    for (octets, most) in [
        (0, 512),
        (511, 512),
        (600, 600),
        (1232, 1232),
        (65535, 1232),
    ] {
        let mut ask = Ask::new(&zone, "a.example.", "TXT").edns(octets);
        ask.identity = Some("i".repeat(200));
        for query in [ask.query(), with_nsid(&ask, octets)] {
            let (_, response) = ask.send(&query);
            let seen = Seen::of(&response);
            assert!(response.len() <= most && seen.tc, "{octets}: {seen:?}");
            assert!(seen.answer.is_empty(), "an RRset is whole or not there");
            assert_eq!(seen.edns.unwrap().max_payload(), 1232);
        }
    }
    let without = Ask::new(&zone, "a.example.", "TXT").get();
    assert!(without.tc && without.edns.is_none());
}

fn with_nsid(ask: &Ask, octets: u16) -> Vec<u8> {
    let plain = ask.query().len() - opt(0, 0, 0, &[]).len();
    let mut query = ask.query()[..plain].to_vec();
    query.extend(opt(octets, 0, 0, NSID));
    query
}

#[test]
fn an_identity_that_does_not_fit_beside_the_question_is_left_out() {
    let mut ask = plain();
    ask.name = [&b"\x3f"[..], &[b'a'; 63]].concat().repeat(3);
    ask.name.extend(b"\x3d");
    ask.name.extend([b'a'; 61]);
    ask.name.push(0);
    assert_eq!(ask.name.len(), 255);
    ask.identity = Some("i".repeat(255));
    let mut query = ask.query();
    query[11] = 1;
    query.extend(opt(512, 0, 0, NSID));
    let (_, octets) = ask.send(&query);
    assert!(octets.len() <= 512);
    assert_eq!(options(&octets), []);
    ask.identity = Some("i".repeat(200));
    assert_eq!(options(&ask.send(&query).1).len(), 1);
}

#[test]
fn texts_of_the_server_are_one_record_each() {
    let ask = Ask::new(&zone(), "last-refusal.k.lastgood.", "TXT").class(CLASS_CH);
    let settings = Settings::default();
    let context = Context {
        published: &ask.published,
        settings: &settings,
        transport: Transport::Udp,
        now: Instant::now(),
        reserve: 0,
    };
    let mut out = Vec::new();
    let texts = ["ref=7Q2K".to_owned(), "x".repeat(300)];
    respond_txt(&ask.query(), &texts, &context, &mut out);
    let seen = Seen::of(&out);
    assert_eq!(seen.answer.len(), 2);
    assert_eq!(seen.answer[0], "last-refusal.k.lastgood. 0 CH TXT ref=7Q2K");
    respond_txt(&ask.query(), &["x".repeat(600)], &context, &mut out);
    let seen = Seen::of(&out);
    assert!(seen.tc && seen.answer.is_empty());
}

#[test]
fn a_response_without_data_echoes_zone_and_opt_of_any_opcode() {
    let mut update = plain().edns(1232).query();
    update[2] = 5 << 3;
    let mut out = Vec::new();
    let text = "guard=min-members ref=7Q2K";
    respond(&update, Rcode::Refused, Some((0, text)), &mut out);
    let seen = Seen::of(&out);
    assert_eq!(seen.rcode, ResponseCode::Refused);
    assert_eq!(seen.ede(), Some((0, text.to_owned())));
    assert_eq!(out[2], 0x80 | 5 << 3);
    assert_eq!(seen.question.len(), 1);
    let long = "é".repeat(500);
    respond(&update, Rcode::ServFail, Some((0, &long)), &mut out);
    assert!(out.len() <= 512 && long.starts_with(&Seen::of(&out).ede().unwrap().1));
    update.truncate(update.len() - 11);
    update[11] = 0;
    respond(&update, Rcode::NotAuth, Some((0, text)), &mut out);
    assert_eq!(Seen::of(&out).edns, None);
}
