//! Names and RRsets as large as they can be, from a zone file to the client.

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RecordType;

use crate::harness::lab::{self, Lab};
use crate::harness::library::{self, Transport};

/// A zone `big.test.` with these lines.
fn zone(lines: &str) -> Lab {
    let config = lab::head() + "[[zone]]\nname = \"big.test.\"\nfile = \"big.zone\"\n";
    Lab::of(&config, &[("big.zone", &(lab::apex("big.test.") + lines))])
}

#[test]
fn names_of_255_octets_and_of_127_labels_are_served() {
    // `big.test.` has ten octets.
    let long = format!("{0}.{0}.{0}.{1}.big.test.", "n".repeat(63), "e".repeat(52));
    let deep = format!("{}aa.big.test.", "l.".repeat(121));
    let lab = zone(&format!(
        "{long} A 192.0.2.1\n{deep} A 192.0.2.2\nto CNAME {deep}\n"
    ));
    for (name, address) in [(&long, "192.0.2.1"), (&deep, "192.0.2.2")] {
        assert_eq!(lab.data(&format!("{name} A")), [address]);
        let gone = name.replacen(['n', 'l'], "x", 1);
        assert_eq!(lab.dig(&format!("{gone} A")).status, "NXDOMAIN");
    }
    assert_eq!(lab.data("to.big.test A"), ["192.0.2.2", deep.as_str()]);
}

#[test]
fn an_rrset_of_64_kilobytes_is_whole_over_tcp_or_truncated_when_it_cannot_be() {
    let record = |n: usize, octets: usize| format!("a TXT \"{n:03}{}\"\n", "t".repeat(octets - 3));
    // A question without EDNS has room for eleven octets more: to that one it is sent whole, so it may
    // be there.
    // 12 + 16 + 11 octets around, 12 + 1 before each text: 65,535 in all.
    let most: String = (0..244).map(|n| record(n, 255)).collect();
    let last = 65_535 - 39 - 244 * 268 - 13;
    for (octets, whole) in [(last, true), (last + 1, false)] {
        let lab = zone(&(most.clone() + &record(244, octets)));
        let query = library::query("a.big.test.", RecordType::TXT, Some(1232));
        let reply = library::ask(lab.v4(), Transport::Tcp, &query);
        assert_eq!(reply.metadata.response_code, ResponseCode::NoError);
        assert_eq!(reply.metadata.truncation, !whole, "{octets}");
        assert_eq!(reply.answers.len(), if whole { 245 } else { 0 });
        let reply = library::ask(lab.v4(), Transport::Udp, &query);
        assert!(reply.metadata.truncation && reply.answers.is_empty());
    }
}

/// Words of a record `a.big.test.` that fills a message of so many octets.
fn filling(octets: usize) -> String {
    // Header, question, the head of the record.
    let rdata = octets - 12 - 16 - 12;
    format!("TYPE65281 \\# {rdata} {}", "0".repeat(2 * rdata))
}

#[test]
fn an_rrset_that_no_message_can_hold_is_let_in_by_no_door() {
    let said = "65536 octets in an answer; at most 65535 are allowed";
    // 12 + 16, and 268 for each text.
    let texts: String = (0..244)
        .map(|n| format!("b TXT \"{n:03}{}\"\n", "t".repeat(252)))
        .collect();
    let lab = zone(&format!("a {}\n{texts}", filling(65_535)));
    let one_more = "t".repeat(255);
    assert_eq!(
        lab.update(&format!(
            "zone big.test\nupdate add b.big.test. 300 TXT {one_more}"
        )),
        "REFUSED"
    );
    let query = library::query("a.big.test.", RecordType::Unknown(65_281), None);
    let whole = |lab: &Lab| {
        let reply = library::ask(lab.v4(), Transport::Tcp, &query);
        assert!(!reply.metadata.truncation);
        assert_eq!(reply.answers.len(), 1);
    };
    whole(&lab);
    let file = lab::apex("big.test.") + &format!("a {}\n", filling(65_536));
    lab.write("larger.zone", &file);
    let path = lab.path("larger.zone").display().to_string();
    let ran = lab.cli(&["zone", "import", "big.test", &path, "--replace"]);
    assert!(!ran.ok(), "{ran}");
    assert!(ran.to_string().contains(said), "{ran}");
    // By hand, one octet more.
    lab.sql(
        "UPDATE record SET rdata = replace(rdata, '65495 ', '65496 00') WHERE type = 'TYPE65281'",
    );
    let status = lab.until("big.test.", "holding");
    assert!(status["reason"].to_string().contains(said), "{status}");
    whole(&lab);
}
