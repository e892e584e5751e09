//! Zones whose live data are not fit: the last good answer, and that it is one.

use super::*;

fn held(zone: &Published) -> Published {
    let Served::Zone(zone) = &**zone.zone(&name("example.")).unwrap() else {
        panic!();
    };
    Published::default().with(Served::Zone(ServedZone {
        hold: Some(Hold {
            is_expired: false,
            since: Instant::now() - Duration::from_secs(95),
            reason: "the database is gone".into(),
        }),
        ..zone.clone()
    }))
}

#[test]
fn a_held_zone_keeps_answering_and_says_so_to_those_who_speak_edns() {
    let zone = held(&example("a.example. 60 A 192.0.2.1"));
    let seen = ask(&zone, "a.example.", "A");
    assert_eq!((seen.answer.len(), seen.edns.is_none()), (1, true));
    let seen = Ask::new(&zone, "a.example.", "A").edns(1232).get();
    assert_eq!(seen.answer.len(), 1);
    assert_eq!(seen.ede(), Some((3, "lastgood rev=812 held=95s".into())));
    let seen = Ask::new(&zone, "no.example.", "A").edns(1232).get();
    assert_eq!(seen.ede(), Some((19, "lastgood rev=812 held=95s".into())));
    let seen = Ask::new(&zone, "a.example.", "AAAA").edns(1232).get();
    assert_eq!(seen.ede().unwrap().0, 3);
}

#[test]
fn the_note_of_a_hold_never_truncates_and_loses_its_text_first() {
    // With an OPT of 11 octets, 29 records leave 512 - 27 - 464 - 11 = 10 octets.
    let lines: String = (0..29)
        .map(|n| format!("a.example. 60 A 10.0.0.{n}\n"))
        .collect();
    let seen = Ask::new(&held(&example(&lines)), "a.example.", "A")
        .edns(512)
        .get();
    assert_eq!((seen.answer.len(), seen.tc), (29, false));
    assert_eq!(seen.ede(), Some((3, String::new())));
    let lines = lines + "a.example. 60 AAAA 2001:db8::1";
    let mut ask = Ask::new(&held(&example(&lines)), "a.example.", "A").edns(512);
    ask.reserve = 5;
    let seen = ask.get();
    assert_eq!((seen.answer.len(), seen.tc, seen.ede()), (29, false, None));
}

#[test]
fn the_note_of_a_hold_goes_before_optional_addresses() {
    let mut lines = String::new();
    for n in 0..14 {
        lines +=
            &format!("m.example. 60 MX {n} m{n}.example.\nm{n}.example. 60 AAAA 2001:db8::{n}\n");
    }
    let seen = Ask::new(&held(&example(&lines)), "m.example.", "MX")
        .edns(512)
        .get();
    assert!(!seen.tc && seen.answer.len() == 14 && !seen.additional.is_empty());
    assert_eq!(seen.ede(), Some((3, "lastgood rev=812 held=95s".into())));
}

#[test]
fn a_zone_with_nothing_fit_to_serve_is_servfail_never_empty() {
    let zone = Published::default().with(Served::Unavailable {
        origin: name("example."),
        reason: "two SOA records at the apex; ".repeat(20),
    });
    let seen = Ask::new(&zone, "a.example.", "A").edns(1232).get();
    assert_eq!(seen.rcode, ResponseCode::ServFail);
    assert!(!seen.aa && seen.authority.is_empty());
    let (code, text) = seen.ede().unwrap();
    assert_eq!(code, 24);
    assert!(text.starts_with("two SOA records") && text.len() <= 160);
    assert_eq!(ask(&zone, "example.", "SOA").rcode, ResponseCode::ServFail);
}
