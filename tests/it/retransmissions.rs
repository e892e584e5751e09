//! The same signed packet once more: applied once, answered as often as it comes.

use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hickory_proto::op::ResponseCode;
use lastgood::rr::{Name, Rtype, rdata};

use crate::alike::wire::{self, IN, Message, NONE, Row};
use crate::harness::eventually;
use crate::harness::lab::{self, Lab, PUBLIC_SECRET};
use crate::harness::library::{self, Transport};
use crate::harness::process::Process;

const NOERROR: u8 = 0;
const YXDOMAIN: u8 = 6;
const NXRRSET: u8 = 8;

fn name(text: &str) -> Name {
    text.parse().expect("a name")
}

/// An update that can be applied once: the name must not be there before. Signed.
fn once(owner: &str, id: u16) -> Vec<u8> {
    let mut message = Message::of(&name("example.com."));
    message.prerequisites.push(Row {
        owner: name(owner),
        rtype: Rtype::ANY,
        class: NONE,
        ttl: 0,
        rdata: Vec::new(),
    });
    message.updates.push(a(owner));
    signed(&message, id)
}

fn a(owner: &str) -> Row {
    Row {
        owner: name(owner),
        rtype: Rtype::A,
        class: IN,
        ttl: 60,
        rdata: vec![192, 0, 2, 1],
    }
}

fn signed(message: &Message, id: u16) -> Vec<u8> {
    let secret = STANDARD.decode(PUBLIC_SECRET).expect("base64");
    wire::sign(message.octets(id), "demo.", &secret)
}

fn rcode(at: SocketAddr, transport: Transport, packet: &[u8]) -> u8 {
    library::exchange(at, transport, packet)[3] & 15
}

fn serial(lab: &Lab) -> u64 {
    let status = lab.status("example.com.");
    status["serial"].as_u64().expect("a serial")
}

#[test]
fn a_packet_is_known_after_a_sigkill_and_answered_anew() {
    let lab = Lab::prepared_demo();
    let server = Process::start(&lab, "info");
    let first = library::update("example.com.", library::demo_key(), false, |section| {
        section.add_a("again.example.com.", [192, 0, 2, 1]);
    });
    let answer = library::exchange(server.at, Transport::Udp, &first.octets);
    assert_eq!(answer[3] & 15, NOERROR);
    // Somebody else takes it away: a second application would bring it back.
    let delete = library::update("example.com.", library::demo_key(), false, |section| {
        section.delete_a("again.example.com.");
    });
    let answer = delete.send(server.at, Transport::Udp);
    assert_eq!(answer.metadata.response_code, ResponseCode::NoError);
    let before = serial(&lab);
    server.kill();

    let server = Process::start(&lab, "info");
    let again = library::exchange(server.at, Transport::Udp, &first.octets);
    assert_eq!(again[3] & 15, NOERROR);
    first.verify(again);
    let answer = lab::dig(server.at, "again.example.com A");
    assert_eq!(answer.status, "NXDOMAIN");
    assert_eq!(serial(&lab), before, "it was applied once");
    lab.cli(&["verify"]).expect_ok();
}

#[test]
fn a_packet_that_a_sigkill_left_without_an_answer_is_applied_once() {
    let lab = Lab::prepared_demo();
    let mut server = Process::start(&lab, "info");
    let before = serial(&lab);
    let rounds = 8;
    for round in 0..rounds {
        let packet = once(&format!("once{round}.example.com."), round);
        let at = server.at;
        let sender = thread::spawn({
            let packet = packet.clone();
            move || library::try_exchange_tcp(at, &packet)
        });
        // From before it arrives to after its answer.
        thread::sleep(Duration::from_micros(u64::from(round) * 1500));
        server.kill();
        let answered = sender.join().expect("the sender");
        server = Process::start(&lab, "info");
        // Whether it was applied or not, its name would now be there the second time.
        for _ in 0..3 {
            let again = rcode(server.at, Transport::Udp, &packet);
            assert_eq!(again, NOERROR, "round {round}, answered {answered:?}");
        }
    }
    assert_eq!(serial(&lab), before + u64::from(rounds), "each once");
    lab.cli(&["verify"]).expect_ok();
}

#[test]
fn one_that_still_waits_is_joined() {
    let lab = Lab::demo();
    let before = lab.serial("example.com");
    let rounds = 20;
    for round in 0..rounds {
        let packet = once(&format!("twin{round}.example.com."), round);
        thread::scope(|scope| {
            let twins = [Transport::Udp, Transport::Udp, Transport::Tcp].map(|transport| {
                let (at, packet) = (lab.v4(), &packet);
                scope.spawn(move || rcode(at, transport, packet))
            });
            for twin in twins {
                assert_eq!(twin.join().expect("a client"), NOERROR, "round {round}");
            }
        });
        // A message of its own is not one that is known.
        let other = once(&format!("twin{round}.example.com."), 1000 + round);
        assert_eq!(rcode(lab.v4(), Transport::Udp, &other), YXDOMAIN);
    }
    assert_eq!(lab.serial("example.com"), before + u32::from(rounds));
}

#[test]
fn what_was_not_accepted_is_looked_at_again() {
    let lab = Lab::demo();
    let mut message = Message::of(&name("example.com."));
    message.prerequisites.push(Row {
        ttl: 0,
        ..a("wanted.example.com.")
    });
    message.updates.push(a("granted.example.com."));
    let packet = signed(&message, 7);
    assert_eq!(rcode(lab.v4(), Transport::Udp, &packet), NXRRSET);
    let script = "zone example.com\nupdate add wanted.example.com. 60 A 192.0.2.1";
    assert_eq!(lab.update(script), "NOERROR");
    assert_eq!(rcode(lab.v4(), Transport::Udp, &packet), NOERROR);
    assert_eq!(lab.data("granted.example.com A"), ["192.0.2.1"]);
}

/// The largest message that there is: 65,535 octets with its signature.
fn largest() -> Vec<u8> {
    let mut message = Message::of(&name("example.com."));
    let text = |octets: usize| {
        let strings = vec![b'x'; octets];
        let strings = strings
            .chunks(255)
            .flat_map(|part| [&[part.len() as u8], part].concat());
        strings.collect::<Vec<u8>>()
    };
    for number in 0.. {
        let row = Row {
            owner: name(&format!("large{number}.example.com.")),
            rtype: Rtype::TXT,
            class: IN,
            ttl: 60,
            rdata: text(1000),
        };
        message.updates.push(row);
        let octets = signed(&message, 9).len();
        if octets > usize::from(u16::MAX) {
            // The last one gives way, octet by octet.
            let extra = octets - usize::from(u16::MAX);
            let last = message.updates.last_mut().expect("a row");
            let whole = last.rdata.len();
            last.rdata = text(whole.saturating_sub(extra + whole.div_ceil(256)));
            while whole - last.rdata.len() > extra {
                let string = last.rdata.len() - 1;
                // Octets go to the last string, whose length stands before it.
                let at = string - string % 256;
                last.rdata[at] += 1;
                last.rdata.push(b'x');
            }
            break;
        }
    }
    signed(&message, 9)
}

#[test]
fn a_message_of_65535_octets_is_taken_over_tcp() {
    let lab = Lab::demo();
    let packet = largest();
    assert_eq!(packet.len(), usize::from(u16::MAX));
    let before = lab.serial("example.com");
    assert_eq!(rcode(lab.v4(), Transport::Tcp, &packet), NOERROR);
    assert_eq!(lab.serial("example.com"), before + 1);
    assert_eq!(rcode(lab.v6(), Transport::Tcp, &packet), NOERROR, "known");
    assert_eq!(lab.serial("example.com"), before + 1);
    let data = lab.data("+tcp large50.example.com TXT");
    let wire = rdata::from_text(Rtype::TXT, &data[0]).expect("TXT");
    assert_eq!(wire.len(), 1004);
    eventually("the snapshot has it", || {
        let lag = &lab.status("example.com.")["snapshot_lag_secs"];
        (lag == 0).then_some(()).ok_or(lag.to_string())
    });
}

/// An update that adds a name, and one that takes it away; both accepted.
fn added_and_taken_away(at: SocketAddr) -> Vec<u8> {
    let packet = {
        let mut message = Message::of(&name("example.com."));
        message.updates.push(a("again.example.com."));
        signed(&message, 11)
    };
    assert_eq!(rcode(at, Transport::Udp, &packet), NOERROR);
    let delete = library::update("example.com.", library::demo_key(), false, |section| {
        section.delete_a("again.example.com.");
    });
    let answer = delete.send(at, Transport::Udp);
    assert_eq!(answer.metadata.response_code, ResponseCode::NoError);
    packet
}

/// Takes the store away, and what belongs to it.
fn lose_the_store(lab: &Lab) {
    for end in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{end}", lab.database().display()));
    }
}

/// The packet is not applied once more, and the next one is.
fn is_known(at: SocketAddr, packet: &[u8], next: &str) {
    assert_eq!(rcode(at, Transport::Udp, packet), NOERROR);
    assert_eq!(lab::dig(at, "again.example.com A").status, "NXDOMAIN");
    assert_eq!(rcode(at, Transport::Udp, &once(next, 12)), NOERROR);
    assert_eq!(lab::dig(at, &format!("{next} A")).status, "NOERROR");
}

#[test]
fn a_packet_is_known_after_the_store_was_lost_and_restored() {
    let lab = Lab::demo();
    let packet = added_and_taken_away(lab.v4());
    lose_the_store(&lab);
    lab.until("example.com.", "holding");
    lab.cli(&["snapshot", "restore", "--all"]).expect_ok();
    lab.until("example.com.", "live");
    is_known(lab.v4(), &packet, "first.example.com.");
    // A snapshot that is made anew has it, too.
    lab.settle("example.com.");
    std::fs::remove_file(lab.snapshot()).expect("ours to remove");
    eventually("there is another snapshot", || {
        let tables = "SELECT count(*) FROM sqlite_schema WHERE name = 'accepted'";
        let rows = "SELECT count(*) FROM accepted";
        let is_there = lab.snapshot().exists() && lab.sql_in(&lab.snapshot(), tables).trim() == "1";
        match is_there && lab.sql_in(&lab.snapshot(), rows).trim() == "3" {
            true => Ok(()),
            false => Err("not yet".to_owned()),
        }
    });
}

#[test]
fn a_packet_is_known_after_a_sigkill_and_the_loss_of_the_store() {
    let lab = Lab::prepared_demo();
    let server = Process::start(&lab, "info");
    let packet = added_and_taken_away(server.at);
    lab.settle("example.com.");
    server.kill();
    lose_the_store(&lab);
    lab.cli(&["snapshot", "restore", "--all"]).expect_ok();
    for next in ["first.example.com.", "second.example.com."] {
        let server = Process::start(&lab, "info");
        is_known(server.at, &packet, next);
        server.kill();
    }
}
