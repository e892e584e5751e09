use super::*;

fn walked(members: &Members) -> Vec<String> {
    members.walk.iter().map(Name::to_string).collect()
}

fn zones() -> Published {
    let mut chain = String::new();
    for n in 0..40 {
        chain += &format!("c{n}.example. 60 CNAME c{}.example.\n", n + 1);
    }
    example(&format!(
        "www.example. 60 CNAME Api.other.
         a.example. 60 CNAME b.example.
         b.example. 60 CNAME a.example.
         out.example. 60 CNAME cdn.elsewhere.
         old.example. 60 DNAME other.
         sub.example. 60 NS ns.elsewhere.
         cut.example. 60 CNAME w.sub.example.
         down.example. 60 CNAME x.down.
         *.wild.example. 60 A 192.0.2.7
         {chain}"
    ))
    .with(served(&format!(
        "other. {SOA}\nother. 60 NS Ns.Example.\napi.other. 60 A 192.0.2.1\napi.other. 60 A 192.0.2.2"
    )))
    .with(Served::Unavailable {
        origin: name("down."),
        reason: "gone".into(),
    })
}

#[test]
fn members_are_found_through_aliases_across_all_our_zones() {
    let found = members(&zones(), &name("www.example."), Rtype::A);
    assert_eq!(found.end, WalkEnd::Data);
    assert_eq!(walked(&found), ["www.example.", "Api.other."]);
    assert_eq!(found.zones, [name("example."), name("other.")]);
    assert!(
        found
            .rdatas
            .iter()
            .map(|r| &**r)
            .eq([[192, 0, 2, 1], [192, 0, 2, 2]])
    );
    let found = members(&zones(), &name("api.old.example."), Rtype::A);
    assert_eq!((found.rdatas.len(), found.end), (2, WalkEnd::Data));
    let found = members(&zones(), &name("any.wild.example."), Rtype::A);
    assert_eq!((found.rdatas.len(), found.end), (1, WalkEnd::Data));
    let found = members(&zones(), &name("other."), Rtype::NS);
    assert!(
        found.rdatas.contains(&b"\x02ns\x07example\0"[..]),
        "canonical"
    );
}

#[test]
fn a_walk_without_data_says_where_it_ended() {
    for (start, end) in [
        ("www.elsewhere.", WalkEnd::Outside(name("www.elsewhere."))),
        ("out.example.", WalkEnd::Outside(name("cdn.elsewhere."))),
        ("a.example.", WalkEnd::Loop),
        ("c0.example.", WalkEnd::Loop),
        ("cut.example.", WalkEnd::Referral),
        ("sub.example.", WalkEnd::Referral),
        ("down.example.", WalkEnd::Unavailable),
        ("api.other.", WalkEnd::NoData),
        ("no.example.", WalkEnd::NxDomain),
        ("no.old.example.", WalkEnd::NxDomain),
    ] {
        let found = members(&zones(), &name(start), Rtype::TXT);
        assert_eq!(found.end, end, "{start}");
        assert!(found.rdatas.is_empty());
    }
    let chain = members(&zones(), &name("c0.example."), Rtype::A);
    assert_eq!(chain.walk.len(), ALIASES_MAX + 1);
    let chain = members(&zones(), &name("c30.example."), Rtype::A);
    assert_eq!(chain.end, WalkEnd::NxDomain);
}
