//! What fits: limits, truncation, what is dropped first.

use super::*;

fn addresses(count: usize) -> Published {
    let lines = (0..count).map(|n| format!("a.example. 60 A 10.0.{}.{}\n", n / 256, n % 256));
    example(&lines.collect::<String>())
}

#[test]
fn an_rrset_that_does_not_fit_is_left_out_whole_with_tc_and_opt() {
    // 12 + 15 octets, and 16 for each record: 30 fit into 512.
    let seen = ask(&addresses(30), "a.example.", "A");
    assert_eq!((seen.answer.len(), seen.tc), (30, false));
    let zone = addresses(31);
    let seen = ask(&zone, "a.example.", "A");
    assert_eq!((seen.answer.len(), seen.tc), (0, true));
    assert_eq!(seen.rcode, ResponseCode::NoError);
    let seen = Ask::new(&zone, "a.example.", "A").edns(100).get();
    assert!(seen.tc && seen.edns.is_some(), "a size below 512 is 512");
    let seen = Ask::new(&zone, "a.example.", "A").edns(1232).get();
    assert_eq!((seen.answer.len(), seen.tc), (31, false));
    let zone = addresses(100);
    let seen = Ask::new(&zone, "a.example.", "A").edns(65535).get();
    assert!(
        seen.tc && seen.answer.is_empty(),
        "our limit, whatever is offered"
    );
    assert_eq!(
        Ask::new(&zone, "a.example.", "A").tcp().get().answer.len(),
        100
    );
    let zone = addresses(4094);
    assert_eq!(
        Ask::new(&zone, "a.example.", "A").tcp().get().answer.len(),
        4094
    );
    let seen = Ask::new(&addresses(4095), "a.example.", "A").tcp().get();
    assert!(seen.tc && seen.answer.is_empty());
}

#[test]
fn octets_reserved_for_a_signature_stay_free() {
    let mut ask = Ask::new(&addresses(30), "a.example.", "A");
    // 507 octets are written.
    ask.reserve = 6;
    assert!(ask.get().tc);
    ask.transport = Transport::Tcp;
    assert!(!ask.get().tc);
}

#[test]
fn optional_addresses_are_dropped_before_they_truncate() {
    let mut lines = String::new();
    for n in 0..16 {
        lines +=
            &format!("m.example. 60 MX {n} m{n}.example.\nm{n}.example. 60 AAAA 2001:db8::{n}\n");
    }
    let seen = ask(&example(&lines), "m.example.", "MX");
    assert!(!seen.tc && seen.answer.len() == 16);
    assert!(!seen.additional.is_empty() && seen.additional.len() < 16);
}

#[test]
fn names_are_compressed_when_an_rrset_would_not_fit_otherwise() {
    let long = "x".repeat(60);
    let lines: String = (0..12)
        .map(|n| format!("m.{long}.example. 60 MX {n} mail{n}.{long}.example.\n"))
        .collect();
    let ask = Ask::new(&example(&lines), &format!("m.{long}.example."), "MX");
    assert!(ask.octets().len() <= 512);
    let seen = ask.get();
    assert_eq!((seen.answer.len(), seen.tc), (12, false));
    assert!(seen.answer[7].ends_with(&format!("MX 7 mail7.{long}.example.")));
}

#[test]
fn names_already_copied_are_compressed_when_what_follows_would_not_fit_otherwise() {
    let long = "x".repeat(60);
    let (text, other) = ("t".repeat(250), "o".repeat(40));
    let zone = example(&format!(
        "w.{long}.example. 60 CNAME t.{long}.example.
         t.{long}.example. 60 TXT \"{text}\"
         t.{long}.example. 60 TXT \"{other}\"\n"
    ));
    let octets = Ask::new(&zone, &format!("w.{long}.example."), "TXT").octets();
    let seen = Seen::of(&octets);
    assert_eq!(
        (seen.answer.len(), seen.tc),
        (3, false),
        "{} octets",
        octets.len()
    );
    assert!(octets.len() <= 512 && octets.len() + long.len() > 512);
}

#[test]
fn names_of_many_labels_are_compressed_as_well() {
    let labels = "l.".repeat(100);
    let mut lines = String::new();
    for n in 0..8 {
        lines += &format!("{n}.{labels}example. 60 CNAME {}.{labels}example.\n", n + 1);
    }
    let seen = ask(&example(&lines), &format!("0.{labels}example."), "A");
    assert_eq!((seen.answer.len(), seen.tc), (8, false));
}
