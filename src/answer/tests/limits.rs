//! Names and RRsets as large as they can be.

use super::*;

/// A name below example. of exactly 255 octets, its first label `first`.
fn longest(first: &str) -> String {
    // 255 = 9 for example., 3 × 64, and 54 for the first label.
    let middle = format!("{}.", "m".repeat(63)).repeat(3);
    let name = format!("{}{}.{middle}example.", first, "f".repeat(53 - first.len()));
    assert_eq!(super::name(&name).len(), 255);
    name
}

/// A name of 127 labels, the most that 255 octets hold.
fn most_labels(first: &str) -> String {
    let name = format!("{first}.{}", "l.".repeat(126));
    assert_eq!(super::name(&name).len(), 255);
    name
}

#[test]
fn a_name_of_255_octets_has_data_aliases_and_neighbours() {
    let (owner, alias, gone) = (longest("a"), longest("b"), longest("c"));
    let zone = example(&format!(
        "{owner} 60 A 192.0.2.1\n{owner} 60 MX 1 {owner}\n{alias} 60 CNAME {owner}"
    ));
    assert_eq!(ask(&zone, &owner, "A").answer.len(), 1);
    ask(&zone, &owner, "TXT").is_negative(ResponseCode::NoError);
    ask(&zone, &gone, "A").is_negative(ResponseCode::NXDomain);
    let ent = &owner[owner.find('.').unwrap() + 1..];
    ask(&zone, ent, "A").is_negative(ResponseCode::NoError);
    let seen = ask(&zone, &alias, "A");
    assert_eq!(seen.answer[1], format!("{owner} 60 IN A 192.0.2.1"));
    let seen = ask(&zone, &owner, "MX");
    assert_eq!(seen.additional, [format!("{owner} 60 IN A 192.0.2.1")]);
}

#[test]
fn a_wildcard_stands_for_a_name_of_255_octets() {
    let name = longest("a");
    let zone = example("*.example. 60 CNAME example.\nexample. 60 A 192.0.2.1");
    let seen = ask(&zone, &name, "A");
    assert_eq!(seen.answer[0], format!("{name} 60 IN CNAME example."));
    assert_eq!(seen.answer.len(), 2);
}

#[test]
fn names_of_127_labels_are_found_referred_redirected_and_compressed() {
    let root = |lines: &str| {
        Published::default().with(served(&format!(
            ". 60 SOA a. h. 1 2 3 4 5\n. 60 NS a.\na. 60 A 192.0.2.9\n{lines}"
        )))
    };
    let (owner, other) = (most_labels("a"), most_labels("b"));
    let zone = root(&format!(
        "{owner} 60 A 192.0.2.1\n{other} 60 CNAME {owner}\n*.l. 60 TXT \"one down\""
    ));
    assert_eq!(ask(&zone, &owner, "A").answer.len(), 1);
    let octets = Ask::new(&zone, &other, "A").octets();
    let seen = Seen::of(&octets);
    assert_eq!((seen.answer.len(), seen.tc), (2, false), "{seen:?}");
    // The name once in the question, its target by its first label, its address by a pointer.
    assert_eq!(
        octets.len(),
        12 + 259 + 12 + 4 + 16,
        "all but the first label is shared"
    );
    assert_eq!(ask(&zone, "x.l.", "TXT").answer.len(), 1);
    let seen = ask(&zone, &most_labels("c"), "A");
    assert_eq!(seen.rcode, ResponseCode::NXDomain);
    let seen = ask(&root("l. 60 NS a.\n"), &owner, "A");
    assert_eq!(seen.authority, ["l. 60 IN NS a."]);
    assert_eq!(seen.additional, ["a. 60 IN A 192.0.2.9"]);
    let dname = root("l. 60 DNAME a.\n");
    let seen = Ask::new(&dname, &owner, "A").edns(1232).get();
    assert_eq!(seen.answer.len(), 2);
    assert_eq!(seen.rcode, ResponseCode::NXDomain);
}

/// RDATA of TXT with so many octets, in strings of at most 255.
fn text(octets: usize) -> String {
    let strings = (0..octets).step_by(256);
    let words = strings.map(|at| format!("\"{}\"", "t".repeat((octets - at).min(256) - 1)));
    words.collect::<Vec<_>>().join(" ")
}

#[test]
fn an_rrset_that_fills_a_tcp_message_to_the_last_octet_is_sent_and_one_more_octet_is_tc() {
    // Header, question, the head of the record.
    let around = 12 + 15 + 12;
    let zone = |octets| example(&format!("a.example. 60 TXT {}", text(octets)));
    let full = zone(65_535 - around);
    let octets = Ask::new(&full, "a.example.", "TXT").tcp().octets();
    assert_eq!(octets.len(), 65_535);
    assert_eq!(Seen::of(&octets).answer.len(), 1);
    let seen = Ask::new(&full, "a.example.", "TXT").tcp().edns(1232).get();
    assert!(seen.tc && seen.answer.is_empty() && seen.edns.is_some());
    let seen = Ask::new(&zone(65_536 - around), "a.example.", "TXT")
        .tcp()
        .get();
    assert!(seen.tc && seen.answer.is_empty());
    assert_eq!(seen.rcode, ResponseCode::NoError);
    let seen = ask(&full, "a.example.", "TXT");
    assert!(seen.tc && seen.answer.is_empty());
}

#[test]
fn many_large_records_of_one_rrset_come_whole_over_tcp() {
    let lines: String = (0..250)
        .map(|n| format!("a.example. 60 TXT \"{n:03}{}\"\n", "x".repeat(240)))
        .collect();
    let seen = Ask::new(&example(&lines), "a.example.", "TXT").tcp().get();
    assert_eq!((seen.answer.len(), seen.tc), (250, false));
}
