//! What clients get with the options and limits of their messages: EDNS, sizes, TCP, the names that
//! the server gives itself; and what a flood of nonsense does.

use std::net::{Ipv4Addr, UdpSocket};
use std::process::Command;
use std::time::{Duration, Instant};

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RecordType;

use crate::harness::lab::{Lab, apex, head};
use crate::harness::library::{self, Transport};
use crate::harness::programs;
use crate::harness::serving::Serving;

/// A lab with one zone, `example.`, and more lines in `[server]`.
fn lab(server: &str, lines: &str) -> Lab {
    let mut lab = prepared(server, lines);
    lab.start();
    lab
}

fn prepared(server: &str, lines: &str) -> Lab {
    let head = head().replace("[store]", &format!("{server}\n[store]"));
    let config = format!("{head}[[zone]]\nname = \"example.\"\nfile = \"zone\"\n");
    let zone = format!("{}a A 192.0.2.1\n{lines}", apex("example."));
    Lab::prepared(&config, &[("zone", &zone)])
}

/// An RRset of about so many octets.
fn texts(owner: &str, octets: usize) -> String {
    let line = |n| format!("{owner} TXT \"{n:04}{}\"\n", "x".repeat(96));
    (0..octets / 113).map(line).collect()
}

/// `;; MSG SIZE  rcvd: 56`
fn size(text: &str) -> usize {
    let (_, rest) = text.split_once("rcvd: ").expect("a size");
    let number = rest.split_whitespace().next().expect("a number");
    number.parse().expect("a number")
}

#[test]
fn the_server_says_which_one_it_is_where_it_has_an_identity() {
    let lab = lab("identity = \"ams-1\"\nversion = \"lastgood of ours\"", "");
    for words in [
        "a.example A +nsid",
        "nobody.test A +nsid",
        "a.example A +nsid +tcp",
    ] {
        let text = lab.dig(words).text;
        assert!(
            text.contains("NSID: 61 6d 73 2d 31 (\"ams-1\")"),
            "{words}: {text}"
        );
        let text = lab.kdig(words).text;
        assert!(
            text.contains("NSID:") && text.contains("\"ams-1\""),
            "{words}: {text}"
        );
    }
    assert!(
        !lab.dig("a.example A").text.contains("NSID"),
        "not asked for"
    );
    for (name, text) in [
        ("id.server", "ams-1"),
        ("hostname.bind", "ams-1"),
        ("version.server", "lastgood of ours"),
        ("version.bind", "lastgood of ours"),
    ] {
        for transport in ["", " +tcp"] {
            let reply = lab.dig(&format!("CH TXT {name}{transport}"));
            assert_eq!(reply.answer, [format!("{name}. 0 CH TXT \"{text}\"")]);
        }
    }
}

#[test]
fn the_server_hides_its_name_by_default_and_its_version_when_told() {
    let lab = lab("version = \"off\"", "");
    for name in [
        "id.server",
        "hostname.bind",
        "version.server",
        "version.bind",
    ] {
        let reply = lab.dig(&format!("CH TXT {name}"));
        assert_eq!(
            (&*reply.status, reply.answer.len()),
            ("REFUSED", 0),
            "{name}"
        );
    }
    let reply = lab.dig("a.example A +nsid");
    assert!(
        reply.status == "NOERROR" && !reply.text.contains("NSID"),
        "{}",
        reply.text
    );
}

#[test]
fn what_is_unknown_in_edns_is_ignored_and_a_later_version_is_told_ours() {
    let lab = lab("", "");
    for words in [
        "+ednsopt=65001:abcd",
        "+ednsopt=65001 +ednsopt=65002:00",
        "+ednsflags=0x7fff",
        "+subnet=192.0.2.0/24",
        "+cookie=0123456789abcdef",
        "+padding=128",
        "+dnssec +nsid +expire",
    ] {
        let reply = lab.dig(&format!("a.example A {words}"));
        assert_eq!(reply.data(), ["192.0.2.1"], "{words}: {}", reply.text);
        let version = "EDNS: version: 0";
        assert!(reply.text.contains(version), "{words}: {}", reply.text);
        for echoed in ["MBZ", "OPT=", "CLIENT-SUBNET", "COOKIE", "PAD"] {
            assert!(!reply.text.contains(echoed), "{words}: {}", reply.text);
        }
    }
    assert_eq!(
        lab.kdig("a.example A +padding=64 +nsid").data(),
        ["192.0.2.1"]
    );
    let reply = lab.dig("a.example A +edns=1 +noednsnegotiation");
    assert!(
        reply.status == "BADVERS" && reply.answer.is_empty(),
        "{}",
        reply.text
    );
    assert!(reply.text.contains("EDNS: version: 0"), "{}", reply.text);
    let negotiated = lab.dig("a.example A +edns=1");
    assert_eq!(negotiated.data(), ["192.0.2.1"], "dig asks again with ours");
    assert!(!lab.dig("a.example A +noedns").text.contains("EDNS"));
}

#[test]
fn a_datagram_is_never_larger_than_asked_for_nor_than_1232() {
    let lines = texts("small", 700) + &texts("medium", 1100) + &texts("large", 3000);
    let lab = lab("", &lines);
    for (name, options, fits) in [
        ("small", "+noedns", false),
        ("small", "+bufsize=512", false),
        ("small", "+bufsize=100", false),
        ("small", "+bufsize=1000", true),
        ("small", "+bufsize=4096", true),
        ("medium", "+bufsize=1000", false),
        ("medium", "+bufsize=1232", true),
        ("large", "+bufsize=1232", false),
        ("large", "+bufsize=4096", false),
        ("large", "+bufsize=65535", false),
    ] {
        let words = format!("{name}.example TXT {options}");
        let reply = lab.dig(&format!("{words} +ignore"));
        let asked = options
            .strip_prefix("+bufsize=")
            .map(|n| n.parse().expect("a number"));
        let most: usize = asked.unwrap_or(512).clamp(512, 1232);
        assert!(size(&reply.text) <= most, "{words}: {}", reply.text);
        assert_eq!(reply.has("tc"), !fits, "{words}: {}", reply.text);
        assert_eq!(reply.answer.is_empty(), !fits, "whole RRsets: {words}");
        assert_eq!(
            reply.text.contains("EDNS: version: 0"),
            options != "+noedns",
            "{words}"
        );
        // dig and kdig come again over TCP.
        let whole = lab.dig(&words);
        assert!(!whole.answer.is_empty() && !whole.has("tc"), "{words}");
        assert_eq!(lab.kdig(&words).data(), whole.data(), "{words}");
    }
}

#[test]
fn names_and_rrsets_as_large_as_they_can_be_are_answered() {
    let label = "a".repeat(63);
    // With `example.` 255 octets, and 127 labels.
    let long = format!("{label}.{label}.{label}.{}.example.", "b".repeat(53));
    let deep = format!("{}example.", "c.".repeat(123));
    let mut lines = format!("{long} A 192.0.2.2\n{deep} A 192.0.2.3\n");
    let octets: usize = 1 + long
        .split('.')
        .filter(|l| !l.is_empty())
        .map(|l| l.len() + 1)
        .sum::<usize>();
    assert_eq!(octets, 255);
    // 65535 octets but for some fifty: 12 and 16 for header and question, then 12 and 256 each.
    for number in 0..244 {
        lines += &format!("big TXT \"{number:03}{}\"\n", "x".repeat(252));
    }
    let lab = lab("", &lines);
    for words in ["", " +tcp", " +noedns"] {
        assert_eq!(lab.data(&format!("{long} A{words}")), ["192.0.2.2"]);
        assert_eq!(lab.data(&format!("{deep} A{words}")), ["192.0.2.3"]);
    }
    let big = lab.dig("big.example TXT");
    assert_eq!(big.answer.len(), 244);
    assert!(size(&big.text) > 65_000, "{}", size(&big.text));
    assert!(lab.dig("big.example TXT +ignore").has("tc"));
}

#[test]
fn a_connection_is_kept_open_for_more_questions_and_is_told_for_how_long() {
    let lab = lab("tcp_idle_secs = 7", "b A 192.0.2.2\nc A 192.0.2.3\n");
    let mut command = Command::new("kdig");
    command.args([&format!("@{}", lab.v4().ip()), "-p", &lab.port.to_string()]);
    command.args([
        "+tcp",
        "+keepopen",
        "+stats",
        "a.example",
        "b.example",
        "c.example",
    ]);
    let text = programs::run(&mut command, "").expect_ok();
    for last in 1..=3 {
        assert!(text.contains(&format!("192.0.2.{last}")), "{text}");
    }
    let reply = lab.dig("a.example A +tcp +keepalive");
    let told = "TCP KEEPALIVE: 7.0 secs";
    assert!(reply.text.contains(told), "{}", reply.text);
    let reply = lab.dig("a.example A +keepalive");
    assert!(!reply.text.contains("KEEPALIVE"), "{}", reply.text);
    let mut stream = library::connect(lab.v4());
    let request = library::query("a.example.", RecordType::A, None)
        .to_vec()
        .expect("a request");
    library::send(&mut stream, &request);
    library::receive(&mut stream);
    let began = Instant::now();
    let mut rest = Vec::new();
    std::io::Read::read_to_end(&mut stream, &mut rest).expect("an end in time");
    let idle = began.elapsed();
    assert!(rest.is_empty() && idle > Duration::from_secs(6), "{idle:?}");
}

/// Numbers that look random, from a seed.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (self.0 >> 33) as usize % limit
    }
}

/// A message that was well formed before some of its octets were others: a query, an update, one of
/// them with a signature; or octets of no meaning at all.
fn nonsense(numbers: &mut Numbers) -> Vec<u8> {
    let mut octets = library::query("a.example.", RecordType::A, Some(4096))
        .to_vec()
        .expect("a request");
    match numbers.below(5) {
        0 => {
            octets = library::update("example.", library::demo_key(), true, |section| {
                section.add_txt("a.example.", "x");
            })
            .octets
        }
        1 => {
            octets = (0..numbers.below(1400))
                .map(|_| numbers.below(256) as u8)
                .collect()
        }
        2 => octets[2] = (numbers.below(16) as u8) << 3,
        // As large as a datagram gets, for the queue of the slow path.
        3 => {
            octets[2] = 5 << 3;
            octets.resize(60_000, 0xC0);
        }
        _ => {}
    }
    for _ in 0..numbers.below(6) {
        if let Some(at) = octets.len().checked_sub(1) {
            let at = numbers.below(at.min(80) + 1);
            octets[at] = numbers.below(256) as u8;
        }
    }
    octets
}

#[test]
fn a_flood_of_nonsense_neither_stops_the_answers_nor_grows_the_server() {
    let serving = Serving::start(prepared("", ""), "example.");
    let seed = u64::from(std::process::id());
    println!("seed {seed}");
    let mut numbers = Numbers(seed);
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket");
    socket.connect(serving.at).expect("an address");
    let request = library::query("a.example.", RecordType::A, None);
    let mut flood = || {
        for _ in 0..200 {
            for _ in 0..20 {
                // The system may have no room for more; so be it.
                let _ = socket.send(&nonsense(&mut numbers));
            }
            let response = library::ask(serving.at, Transport::Tcp, &request);
            assert_eq!(response.answers.len(), 1);
            let plain = request.to_vec().expect("a request");
            let answered = (0..50).any(|_| {
                library::try_exchange_udp(serving.at, &plain, Duration::from_millis(400)).is_some()
            });
            assert!(answered, "no answer over UDP");
        }
        serving.memory_kib("VmRSS")
    };
    let first = flood();
    let second = flood();
    let third = flood();
    assert!(
        third < second.max(first) + 16_384,
        "{first}, {second}, {third} KiB"
    );
    assert!(!serving.said().contains("panic"), "{}", serving.said());
    let response = library::ask(serving.at, Transport::Udp, &request);
    assert_eq!(response.metadata.response_code, ResponseCode::NoError);
}
