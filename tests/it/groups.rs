//! Updates that are decided together: each for itself, in the order they came, and all or none where
//! the disk says no.

use std::io::Write;
use std::net::{SocketAddr, UdpSocket};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hickory_proto::op::{Message as Decoded, ResponseCode};
use lastgood::rr::{Name, Rtype};

use crate::alike::wire::{self, ANY, IN, Message, Row};
use crate::harness::eventually;
use crate::harness::lab::{self, Lab, PUBLIC_SECRET};
use crate::harness::library::{self, Transport};
use crate::harness::process::Process;
use crate::harness::programs;

const NOERROR: u8 = 0;
const SERVFAIL: u8 = 2;
const REFUSED: u8 = 5;
const YXDOMAIN: u8 = 6;
const NOTZONE: u8 = 10;

fn name(text: &str) -> Name {
    text.parse().expect("a name")
}

fn add(owner: &str, rtype: Rtype, rdata: &[u8]) -> Row {
    Row {
        owner: name(owner),
        rtype,
        class: IN,
        ttl: 60,
        rdata: rdata.to_vec(),
    }
}

fn remove(owner: &str, rtype: Rtype) -> Row {
    Row {
        owner: name(owner),
        rtype,
        class: ANY,
        ttl: 0,
        rdata: Vec::new(),
    }
}

/// A signed update with EDNS.
fn signed(id: u16, prerequisites: Vec<Row>, updates: Vec<Row>) -> Vec<u8> {
    let opt = Row {
        owner: Name::root(),
        rtype: Rtype::OPT,
        class: 1232,
        ttl: 0,
        rdata: Vec::new(),
    };
    let message = Message {
        prerequisites,
        updates,
        additional: vec![opt],
        ..Message::of(&name("example.com."))
    };
    let secret = STANDARD.decode(PUBLIC_SECRET).expect("base64");
    wire::sign(message.octets(id), "demo.", &secret)
}

fn replace(id: u16, owner: &str, last: u8) -> Vec<u8> {
    let address = add(owner, Rtype::A, &[192, 0, 2, last]);
    signed(id, Vec::new(), vec![remove(owner, Rtype::A), address])
}

#[test]
fn what_one_client_sends_is_applied_in_its_order() {
    let lab = Lab::demo();
    let before = lab.serial("example.com");
    let rounds: u16 = 100;
    // Over TCP, as many at once as a connection takes; answers come in any order.
    let mut stream = library::connect(lab.v4());
    let mut reading = stream.try_clone().expect("a socket");
    let reader = thread::spawn(move || {
        (0..rounds)
            .map(|_| library::receive(&mut reading)[3] & 15)
            .collect::<Vec<_>>()
    });
    for round in 1..=rounds {
        library::send(
            &mut stream,
            &replace(round, "last.example.com.", round as u8),
        );
    }
    let rcodes = reader.join().expect("the reader");
    assert!(rcodes.iter().all(|rcode| *rcode == NOERROR), "{rcodes:?}");
    assert_eq!(lab.data("last.example.com A"), ["192.0.2.100"]);
    assert_eq!(lab.serial("example.com"), before + u32::from(rounds));

    // Over UDP, without waiting for an answer.
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let patience = Some(Duration::from_secs(20));
    socket.set_read_timeout(patience).expect("a time-out");
    for round in 1..=50 {
        let packet = replace(1000 + round, "last.example.com.", 200 - round as u8);
        socket.send_to(&packet, lab.v4()).expect("sent");
    }
    let mut buffer = [0; 1232];
    for _ in 1..=50 {
        socket.recv(&mut buffer).expect("an answer in time");
        assert_eq!(buffer[3] & 15, NOERROR);
    }
    assert_eq!(lab.data("last.example.com A"), ["192.0.2.150"]);
    // Each revision stands on the one before.
    let rows = lab
        .cli(&["--json", "log", "example.com.", "--limit", "200"])
        .json();
    let serials: Vec<u64> = rows
        .as_array()
        .expect("rows")
        .iter()
        .filter(|row| row["path"] == "update" && row["outcome"] == "committed")
        .filter_map(|row| row["new_serial"].as_u64())
        .collect();
    assert_eq!(serials.len(), 150);
    assert!(serials.is_sorted_by(|later, earlier| later == &(earlier + 1)));
}

#[test]
fn one_that_is_not_let_in_harms_no_neighbour() {
    let lab = Lab::demo();
    let before = lab.serial("example.com");
    let number = |n: u16| format!("good{n}.example.com.");
    // Good ones between all kinds of others, in one segment.
    let (mut packets, mut expected) = (Vec::new(), Vec::new());
    for round in 0..12 {
        let id = round * 10;
        let good = add(&number(round), Rtype::A, &[192, 0, 2, 1]);
        let exists = remove("api.example.com.", Rtype::ANY);
        let exists = Row {
            class: wire::NONE,
            ..exists
        };
        let outside = add("x.example.org.", Rtype::A, &[192, 0, 2, 1]);
        let garbage = Row {
            rdata: vec![1],
            ..good.clone()
        };
        let empties = remove("api.example.com.", Rtype::A);
        for (at, packet, rcode) in [
            (0, signed(id, vec![], vec![good.clone()]), NOERROR),
            (
                1,
                signed(id + 1, vec![], vec![good.clone(), empties]),
                REFUSED,
            ),
            (
                2,
                signed(id + 2, vec![exists], vec![good.clone()]),
                YXDOMAIN,
            ),
            (3, signed(id + 3, vec![], vec![good, outside]), NOTZONE),
            (4, signed(id + 4, vec![], vec![garbage]), 1),
        ] {
            packets.push(packet);
            expected.push((id + at, rcode));
        }
    }
    let mut stream = library::connect(lab.v4());
    let framed: Vec<u8> = packets
        .iter()
        .flat_map(|packet| [&(packet.len() as u16).to_be_bytes()[..], packet].concat())
        .collect();
    let mut writing = stream.try_clone().expect("a socket");
    let writer = thread::spawn(move || writing.write_all(&framed).expect("sent"));
    let mut seen: Vec<(u16, u8)> = (0..packets.len())
        .map(|_| library::receive(&mut stream))
        .map(|answer| (u16::from_be_bytes([answer[0], answer[1]]), answer[3] & 15))
        .collect();
    writer.join().expect("the writer");
    seen.sort_unstable();
    assert_eq!(seen, expected);
    assert_eq!(lab.serial("example.com"), before + 12);
    for round in 0..12 {
        assert_eq!(lab.data(&format!("{} A", number(round))), ["192.0.2.1"]);
    }
    assert_eq!(lab.data("api.example.com A").len(), 2);
    lab.cli(&["verify"]).expect_ok();
}

/// A `sqlite3` that has begun to write and does not end.
struct Locking {
    child: Child,
    stdin: Option<ChildStdin>,
}

impl Locking {
    fn of(lab: &Lab) -> Locking {
        let mark = lab.path("locked");
        let mut child = Command::new("sqlite3")
            .arg(lab.database())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("sqlite3 starts");
        let mut stdin = child.stdin.take().expect("piped");
        let script = format!(
            ".timeout 5000\nBEGIN IMMEDIATE;\n.output {}\nSELECT 1;\n.output stdout\n",
            mark.display()
        );
        stdin.write_all(script.as_bytes()).expect("written");
        stdin.flush().expect("written");
        eventually("the store is locked", || {
            let is_there = std::fs::read(&mark).is_ok_and(|octets| !octets.is_empty());
            is_there.then_some(()).ok_or("not yet".to_owned())
        });
        Locking {
            child,
            stdin: Some(stdin),
        }
    }
}

impl Drop for Locking {
    fn drop(&mut self) {
        // It ends with its input, and what it began is rolled back.
        drop(self.stdin.take());
        programs::wait(&mut self.child, Duration::from_secs(20));
    }
}

#[test]
fn a_full_queue_is_servfail_with_the_reason_and_queries_go_on() {
    let lab = Lab::prepared_demo();
    let server = Process::start(&lab, "error");
    let at = server.at;
    let locking = Locking::of(&lab);
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    socket.connect(at).expect("an address");
    socket.set_nonblocking(true).expect("an option");
    let started = Instant::now();
    let (mut sent, mut told) = (0_u32, None);
    let mut buffer = [0; 1232];
    while told.is_none() && started.elapsed() < Duration::from_secs(60) {
        let owner = format!("n{sent}.example.com.");
        let packet = signed(
            sent as u16,
            vec![],
            vec![add(&owner, Rtype::A, &[192, 0, 2, 1])],
        );
        // A full buffer loses it, as the net would.
        let _ = socket.send(&packet);
        sent += 1;
        while let Ok(octets) = socket.recv(&mut buffer) {
            let answer = Decoded::from_vec(&buffer[..octets]).expect("an answer that decodes");
            assert_eq!(answer.metadata.response_code, ResponseCode::ServFail);
            let errors = library::extended_errors(&answer);
            let is_full = |(_, text): &&(u16, String)| text.contains("too many updates");
            told = told.or(errors.iter().find(is_full).cloned());
        }
        if sent % 1000 == 0 {
            let data = lab::dig(at, "api.example.com A").data();
            assert_eq!(data.len(), 2, "queries go on");
        }
    }
    let told = told.expect("a full queue is told of");
    assert_eq!(told, (0, "too many updates are waiting".to_owned()));
    drop(locking);
    // Those that waited are let in now.
    socket.set_nonblocking(false).expect("an option");
    let patience = Some(Duration::from_secs(20));
    socket.set_read_timeout(patience).expect("a time-out");
    let landed = loop {
        let octets = socket.recv(&mut buffer).expect("an answer in time");
        assert!(octets > 12);
        match buffer[3] & 15 {
            NOERROR => break u16::from_be_bytes([buffer[0], buffer[1]]),
            other => assert_eq!(other, SERVFAIL),
        }
    };
    let data = lab::dig(at, &format!("n{landed}.example.com. A")).data();
    assert_eq!(data, ["192.0.2.1"]);
    // The thousands that still wait are not waited for.
    server.kill();
}

/// Sends an update of many kilobytes.
fn heavy(at: SocketAddr, owner: &str) -> (u8, Vec<(u16, String)>) {
    let text = [&[250][..], &[b'x'; 250]].concat();
    let rows = (0..100_u8).map(|number| {
        let text = [&text[..], &[1, number]].concat();
        add(owner, Rtype::TXT, &text)
    });
    let packet = signed(1, vec![], rows.collect());
    let answer = library::exchange(at, Transport::Tcp, &packet);
    let decoded = Decoded::from_vec(&answer).expect("an answer that decodes");
    (answer[3] & 15, library::extended_errors(&decoded))
}

fn limit_files(server: &Process, octets: &str) {
    let (pid, limit) = (
        format!("--pid={}", server.id()),
        format!("--fsize={octets}:"),
    );
    programs::run(Command::new("prlimit").args([pid, limit]), "").expect_ok();
}

#[test]
fn a_commit_that_fails_fails_for_all_that_waited_and_publishes_nothing() {
    let lab = Lab::prepared_demo();
    let server = Process::start(&lab, "warn");
    let at = server.at;
    let serial = || {
        lab.status("example.com.")["serial"]
            .as_u64()
            .expect("a serial")
    };
    assert_eq!(heavy(at, "first.example.com.").0, NOERROR);
    let before = serial();
    // From here on no file grows, as on a disk that is full.
    let largest = ["demo.db", "demo.db-wal"].map(|file| {
        let found = lab.path(&format!("data/{file}")).metadata();
        found.map_or(0, |found| found.len())
    });
    limit_files(&server, &largest.iter().max().expect("two").to_string());
    let mut outcomes = Vec::new();
    let mut round = 0;
    while !outcomes.iter().any(|(_, (rcode, _))| *rcode == SERVFAIL) {
        assert!(round < 50, "the disk is never full");
        let names: Vec<String> = (0..8)
            .map(|n| format!("r{round}n{n}.example.com."))
            .collect();
        thread::scope(|scope| {
            let clients: Vec<_> = names
                .iter()
                .map(|owner| (owner, scope.spawn(move || heavy(at, owner))))
                .collect();
            for (owner, client) in clients {
                outcomes.push((owner.clone(), client.join().expect("a client")));
            }
        });
        round += 1;
    }
    let landed = |at: SocketAddr| {
        let mut count = 0;
        for (owner, (rcode, errors)) in &outcomes {
            let status = lab::dig(at, &format!("+tcp {owner} TXT")).status;
            match *rcode {
                NOERROR => assert_eq!(status, "NOERROR", "{owner} was acknowledged"),
                SERVFAIL => {
                    assert_eq!(status, "NXDOMAIN", "{owner} was not");
                    let told = errors.first().expect("an extended error");
                    assert!(
                        told.0 == 0 && told.1.contains("the store failed"),
                        "{told:?}"
                    );
                }
                other => panic!("{owner}: RCODE {other}"),
            }
            count += u64::from(*rcode == NOERROR);
        }
        count
    };
    assert_eq!(
        serial(),
        before + landed(at),
        "nothing of the others is published"
    );
    assert_eq!(lab::dig(at, "api.example.com A").status, "NOERROR");

    limit_files(&server, "unlimited");
    eventually("updates are taken again", || {
        let (rcode, errors) = heavy(at, "after.example.com.");
        (rcode == NOERROR)
            .then_some(())
            .ok_or(format!("{errors:?}"))
    });
    let after = serial();
    server.kill();
    let server = Process::start(&lab, "warn");
    assert_eq!(serial(), after);
    landed(server.at);
    assert_eq!(lab.state("example.com."), "live");
    lab.cli(&["verify"]).expect_ok();
}
