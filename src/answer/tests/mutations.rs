//! Whatever comes in, what goes out is well formed and within its limit.

use proptest::prelude::*;

use super::*;

fn everything() -> Published {
    let mut lines = "a.example. 60 A 192.0.2.1
         c.example. 60 CNAME a.example.
         l.example. 60 CNAME m.example.
         m.example. 60 CNAME l.example.
         d.example. 60 DNAME x.d.example.
         e.example. 60 DNAME long-label-after-long-label-after-long-label.e.example.
         sub.example. 60 NS ns.sub.example.
         ns.sub.example. 60 A 192.0.2.1
         *.w.example. 60 CNAME y.sub.example.
         x.y.z.example. 60 TXT \"deep\"\n"
        .to_owned();
    for n in 0..60 {
        lines +=
            &format!("b.example. 60 MX {n} m{n}.b.example.\nm{n}.b.example. 60 A 192.0.2.{n}\n");
        lines +=
            &format!("big.example. 60 NS n{n}.big.example.\nn{n}.big.example. 60 A 192.0.2.{n}\n");
    }
    example(&lines)
}

fn qname() -> impl Strategy<Value = String> {
    let label = prop::sample::select(vec![
        "a",
        "b",
        "c",
        "d",
        "e",
        "l",
        "w",
        "x",
        "y",
        "z",
        "*",
        "sub",
        "ns",
        "big",
        "n1",
        "m1",
        "Q",
        "long-label-after-long-label-after-long-label",
    ]);
    prop::collection::vec(label, 0..6).prop_map(|labels| match labels.is_empty() {
        true => "example.".to_owned(),
        false => format!("{}.EXample.", labels.join(".")),
    })
}

fn rtype() -> impl Strategy<Value = u16> {
    prop_oneof![
        prop::sample::select(vec![1u16, 2, 5, 6, 15, 16, 28, 33, 39, 43, 64, 255]),
        any::<u16>()
    ]
}

fn check(ask: &Ask, query: &[u8]) -> Result<(), TestCaseError> {
    let (outcome, octets) = ask.send(query);
    match outcome {
        Outcome::Answered(_) => {
            let offered = ask.edns.map_or(512, |(octets, _, _)| usize::from(octets));
            let limit = match ask.transport {
                Transport::Udp => offered.clamp(512, 1232),
                Transport::Tcp => 65535,
            };
            prop_assert!(octets.len() <= limit, "{} > {limit}", octets.len());
            prop_assert!(octets[2] & 0x80 != 0 && octets[..2] == query[..2]);
        }
        Outcome::Silent | Outcome::Elsewhere => prop_assert_eq!(&octets[..], b"untouched"),
    }
    let mut out = Vec::new();
    respond(query, Rcode::Refused, Some((18, "no")), &mut out);
    prop_assert!(out.len() <= 512);
    Ok(())
}

proptest! {
    #[test]
    fn any_question_gets_a_well_formed_answer_within_its_limit(
        qname in qname(),
        rtype in rtype(),
        edns in prop::option::of((any::<u16>(), 0..2u8, any::<u16>())),
        tcp in any::<bool>(),
        reserve in 0..100usize,
    ) {
        let mut ask = Ask::new(&everything(), &qname, "A");
        ask.rtype = rtype;
        ask.edns = edns;
        ask.transport = if tcp { Transport::Tcp } else { Transport::Udp };
        ask.reserve = reserve;
        let query = ask.query();
        check(&ask, &query)?;
        let (outcome, octets) = ask.send(&query);
        if matches!(outcome, Outcome::Answered(_)) {
            let seen = Seen::of(&octets);
            prop_assert_eq!(seen.question.len(), 1);
            prop_assert_eq!(seen.edns.is_some(), edns.is_some());
            prop_assert!(octets[HEADER_OCTETS..].starts_with(&ask.name), "spelled as asked");
        }
    }

    #[test]
    fn mutated_queries_never_panic_nor_exceed_the_limit(
        qname in qname(),
        edns in any::<bool>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut ask = Ask::new(&everything(), &qname, "A");
        if edns {
            ask.edns = Some((1232, 0, 0));
        }
        let mut query = ask.query();
        for (at, octet) in changes {
            let at = at.index(query.len());
            query[at] = octet;
        }
        if let Some(cut) = cut {
            query.truncate(cut.index(query.len()));
        }
        // A mutation may offer anything.
        ask.edns = Some((1232, 0, 0));
        check(&ask, &query)?;
    }

    #[test]
    fn random_octets_never_panic(
        octets in prop::collection::vec(any::<u8>(), 0..200),
        query in any::<bool>(),
    ) {
        let mut octets = octets;
        if query && octets.len() > 12 {
            octets[2] &= 1;
            octets[4..12].fill(0);
            octets[5] = 1;
            octets[11] = 1;
        }
        let ask = Ask::new(&everything(), "a.example.", "A").edns(1232);
        check(&ask, &octets)?;
    }
}

#[test]
fn the_opcode_of_a_query_is_the_only_one_answered_with_data() {
    let ask = Ask::new(&everything(), "a.example.", "A");
    for opcode in 0..16u8 {
        let mut query = ask.query();
        query[2] = opcode << 3;
        let (outcome, octets) = ask.send(&query);
        let data = matches!(outcome, Outcome::Answered(_)) && !Seen::of(&octets).answer.is_empty();
        assert_eq!(data, opcode == OPCODE_QUERY);
    }
}
