//! What anybody who asks the demo sees, through each of its doors.

use std::io::Write;
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use hickory_proto::op::{OpCode, ResponseCode};
use hickory_proto::rr::RecordType;

use crate::harness::dig::Reply;
use crate::harness::lab::{self, Lab};
use crate::harness::library::{self, Transport};

/// Asks by UDP and TCP over IPv4 and IPv6; the four must agree.
#[track_caller]
fn everywhere(lab: &Lab, words: &str) -> Reply {
    let reply = lab.dig(words);
    let others = [
        lab.dig(&format!("{words} +tcp")),
        lab.dig6(words),
        lab.dig6(&format!("{words} +tcp")),
    ];
    for other in others {
        assert_eq!(other.status, reply.status, "{words}");
        assert_eq!(other.flags, reply.flags, "{words}");
        assert_eq!(sorted(&other.answer), sorted(&reply.answer), "{words}");
        assert_eq!(
            sorted(&other.authority),
            sorted(&reply.authority),
            "{words}"
        );
        assert_eq!(
            sorted(&other.additional),
            sorted(&reply.additional),
            "{words}"
        );
    }
    reply
}

fn sorted(records: &[String]) -> Vec<String> {
    let mut records = records.to_vec();
    records.sort();
    records
}

const SOA: &str = "example.com. 300 IN SOA ns1.example.com. hostmaster.example.com. \
                   2026070101 7200 900 1209600 300";

#[test]
fn the_demo_answers_with_its_data_through_every_door() {
    let lab = Lab::demo();
    for (words, data) in [
        ("api.example.com A", &["192.0.2.10", "192.0.2.11"][..]),
        ("api.example.com AAAA", &["2001:db8::10", "2001:db8::11"]),
        (
            "example.com MX",
            &["10 mail.example.com.", "20 mail2.example.com."],
        ),
        ("example.com NS", &["ns1.example.com.", "ns2.example.com."]),
        (
            "example.com TXT",
            &["\"v=spf1 mx ip4:192.0.2.0/24 ip6:2001:db8::/32 -all\""],
        ),
        (
            "example.com CAA",
            &[
                "0 iodef \"mailto:security@example.com\"",
                "0 issue \"ca.example.net\"",
            ],
        ),
        (
            "_xmpp-client._tcp.example.com SRV",
            &["5 0 5222 chat.example.com."],
        ),
        ("www.example.com A", &["192.0.2.80", "web.example.com."]),
        (
            "shop.example.com AAAA",
            &["2001:db8::80", "web.example.com.", "www.example.com."],
        ),
        ("anyone.customers.example.com A", &["192.0.2.90"]),
        ("-x 192.0.2.25", &["mail.example.com."]),
    ] {
        let reply = everywhere(&lab, words);
        assert_eq!(
            (reply.status.as_str(), reply.data()),
            ("NOERROR", strings(data)),
            "{words}"
        );
        assert!(
            reply.has("qr") && reply.has("aa") && !reply.has("ra"),
            "{}",
            reply.text
        );
        assert_eq!(reply.ede, None, "{words}");
    }
}

fn strings(of: &[&str]) -> Vec<String> {
    of.iter().map(|text| text.to_string()).collect()
}

#[test]
fn a_name_without_the_type_and_a_name_that_is_not_get_the_soa_with_its_negative_ttl() {
    let lab = Lab::demo();
    for (words, status) in [
        ("chat.example.com MX", "NOERROR"),
        ("_tcp.example.com A", "NOERROR"),
        ("vip.customers.example.com AAAA", "NOERROR"),
        ("nothing.example.com A", "NXDOMAIN"),
        ("below.api.example.com A", "NXDOMAIN"),
    ] {
        let reply = everywhere(&lab, words);
        assert_eq!(reply.status, status, "{words}");
        assert!(reply.has("aa") && reply.answer.is_empty(), "{}", reply.text);
        assert_eq!(reply.authority, [SOA], "{words}");
    }
}

#[test]
fn a_delegated_name_gets_a_referral_with_glue() {
    let lab = Lab::demo();
    for words in [
        "host.lab.example.com A",
        "lab.example.com NS",
        "ns.lab.example.com A",
    ] {
        let reply = everywhere(&lab, words);
        assert_eq!(reply.status, "NOERROR", "{words}");
        assert!(
            !reply.has("aa") && reply.answer.is_empty(),
            "{}",
            reply.text
        );
        assert_eq!(
            sorted(&reply.authority),
            [
                "lab.example.com. 3600 IN NS ns.lab.example.com.",
                "lab.example.com. 3600 IN NS ns2.example.com.",
            ]
        );
        for glue in [
            "ns.lab.example.com. 3600 IN A 203.0.113.53",
            "ns.lab.example.com. 3600 IN AAAA 2001:db8:2::53",
        ] {
            assert!(
                reply.additional.iter().any(|record| record == glue),
                "{}",
                reply.text
            );
        }
    }
}

#[test]
fn an_alias_stands_before_what_it_leads_to() {
    let lab = Lab::demo();
    let reply = lab.dig("shop.example.com A");
    assert_eq!(
        reply.answer,
        [
            "shop.example.com. 3600 IN CNAME www.example.com.",
            "www.example.com. 300 IN CNAME web.example.com.",
            "web.example.com. 300 IN A 192.0.2.80",
        ]
    );
}

#[test]
fn a_zone_that_is_not_served_is_refused() {
    let lab = Lab::demo();
    for words in [
        "example.org A",
        "com NS",
        ". NS",
        "3.0.192.in-addr.arpa PTR",
    ] {
        let reply = everywhere(&lab, words);
        assert_eq!(reply.status, "REFUSED", "{words}");
        assert!(
            reply.answer.is_empty() && reply.authority.is_empty(),
            "{}",
            reply.text
        );
    }
}

#[test]
fn kdig_and_dig_see_the_same() {
    let lab = Lab::demo();
    for words in [
        "api.example.com A",
        "nothing.example.com A",
        "host.lab.example.com A",
    ] {
        for options in ["", " +tcp", " +edns"] {
            let dig = lab.dig(words);
            let kdig = lab.kdig(&format!("{words}{options}"));
            assert_eq!(kdig.status, dig.status, "{words}{options}");
            assert_eq!(
                sorted(&kdig.answer),
                sorted(&dig.answer),
                "{words}{options}"
            );
            assert_eq!(
                sorted(&kdig.authority),
                sorted(&dig.authority),
                "{words}{options}"
            );
        }
    }
}

#[test]
fn the_version_is_told_in_class_chaos() {
    let lab = Lab::demo();
    let reply = everywhere(&lab, "CH TXT version.server");
    let version = format!("lastgood {}", env!("CARGO_PKG_VERSION"));
    assert_eq!(
        reply.answer,
        [format!("version.server. 0 CH TXT \"{version}\"")]
    );
    assert_eq!(lab.dig("CH TXT hostname.nowhere").status, "REFUSED");
}

#[test]
fn an_opt_record_is_answered_with_one_and_only_then() {
    let lab = Lab::demo();
    for transport in [Transport::Udp, Transport::Tcp] {
        for (edns, size) in [
            (None, 512),
            (Some(512), 512),
            (Some(1232), 1232),
            (Some(4096), 1232),
        ] {
            let request = library::query("api.example.com.", RecordType::A, edns);
            let response = library::ask(lab.v4(), transport, &request);
            assert_eq!(response.metadata.response_code, ResponseCode::NoError);
            assert_eq!(response.answers.len(), 2);
            assert_eq!(
                response.edns.is_some(),
                edns.is_some(),
                "{transport:?} {edns:?} {size}"
            );
        }
    }
    assert_eq!(
        lab.dig("api.example.com A +edns=1 +noednsneg").status,
        "BADVERS"
    );
}

#[test]
fn the_spelling_of_the_question_comes_back() {
    let lab = Lab::demo();
    let request = library::query("aPi.ExAmPlE.cOm.", RecordType::A, None);
    let octets = request.to_vec().expect("a request");
    let response = library::exchange(lab.v4(), Transport::Udp, &octets);
    assert_eq!(
        response[12..octets.len()],
        octets[12..],
        "the question section"
    );
}

#[test]
fn one_connection_carries_many_questions_at_once() {
    let lab = Lab::demo();
    let mut stream = library::connect(lab.v6());
    let requests: Vec<_> = (0..20)
        .map(|at| {
            library::query(
                &format!("c{at}.customers.example.com."),
                RecordType::A,
                None,
            )
        })
        .collect();
    for request in &requests {
        library::send(&mut stream, &request.to_vec().expect("a request"));
    }
    let mut ids: Vec<u16> = requests.iter().map(|request| request.metadata.id).collect();
    let mut answered = Vec::new();
    for _ in &requests {
        let octets = library::receive(&mut stream);
        let response = hickory_proto::op::Message::from_vec(&octets).expect("it decodes");
        assert_eq!(response.answers.len(), 1);
        answered.push(response.metadata.id);
    }
    ids.sort_unstable();
    answered.sort_unstable();
    assert_eq!(answered, ids);
}

/// What comes back for a datagram that may get no answer: the next good question tells.
fn after(at: SocketAddr, datagram: &[u8]) -> Option<Vec<u8>> {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    socket.connect(at).expect("an address");
    socket
        .set_read_timeout(Some(Duration::from_secs(10)))
        .expect("a time-out");
    socket.send(datagram).expect("sent");
    let mut probe = library::query("api.example.com.", RecordType::A, None);
    probe.metadata.id = 0x4242;
    let mut octets = vec![0; 65535];
    let mut first = None;
    // The two may be answered out of turn: the probe is repeated until both had their chance.
    for _ in 0..2 {
        socket
            .send(&probe.to_vec().expect("a request"))
            .expect("sent");
        loop {
            let size = socket.recv(&mut octets).expect("the server still answers");
            if octets[..2] == [0x42, 0x42] {
                break;
            }
            first = Some(octets[..size].to_vec());
        }
    }
    first
}

#[test]
fn octets_that_are_no_question_do_no_harm() {
    let lab = Lab::demo();
    let good = library::query("api.example.com.", RecordType::A, Some(1232));
    let good = good.to_vec().expect("a request");
    // Too short for a header, or a response: silence.
    let mut response = good.clone();
    response[2] |= 0x80;
    for silent in [&[][..], &[7; 11], &response] {
        assert_eq!(after(lab.v4(), silent), None, "{silent:?}");
    }
    // A header that promises more than there is: FORMERR.
    let answer = after(lab.v4(), &good[..14]).expect("an answer");
    assert_eq!(answer[3] & 15, 1, "FORMERR");
    // An opcode nobody knows: NOTIMP.
    let mut unknown = library::query("api.example.com.", RecordType::A, None);
    unknown.metadata.op_code = OpCode::Status;
    let answer = after(lab.v4(), &unknown.to_vec().expect("a request")).expect("an answer");
    assert_eq!(answer[3] & 15, 4, "NOTIMP");
    // Every truncation and many a changed octet of a good request.
    for length in 0..good.len() {
        after(lab.v4(), &good[..length]);
    }
    for at in 2..good.len() {
        let mut changed = good.clone();
        changed[at] ^= 0xff;
        after(lab.v4(), &changed);
    }
}

#[test]
fn a_connection_that_says_nonsense_ends_alone() {
    let lab = Lab::demo();
    let mut stream = library::connect(lab.v4());
    stream.write_all(&[0, 3, 1, 2, 3]).expect("sent");
    let mut half = library::connect(lab.v4());
    half.write_all(&[0xff]).expect("sent");
    drop(half);
    assert_eq!(
        lab::dig(lab.v4(), "api.example.com A +tcp").status,
        "NOERROR"
    );
}
