//! A server process under mutated packets for a long time: it goes on answering, and right, and does
//! not grow. `tests/soak --packets 1000000` is the long form.

use std::time::{Duration, Instant};

use hickory_proto::rr::RecordType;

use super::mutate;
use super::process::client::{Client, Failure, Transport};
use super::process::message::{self, Response};
use super::process::random::{self, Random};
use super::process::server::Place;
use super::process::sign;
use super::targets::world;

/// Packets sent before the memory is measured for the first time.
const WARM_UP: usize = 20_000;
/// Between two good queries; as many as a socket's buffer surely holds.
const BURST: usize = 64;
/// One in so many bursts is sent over TCP.
const OVER_TCP: usize = 10;
const SIGNED: usize = 20;
/// What may come and go with threads and buffers of the allocator.
const SLACK: u64 = 8 << 20;

fn packets() -> usize {
    let given = std::env::var("PACKETS").ok();
    given.map_or(100_000, |text| text.parse().expect("PACKETS is a number"))
}

#[test]
fn mutated_packets_make_no_server_grow() {
    let (seed, packets) = (random::seed(), packets());
    println!("SEED={seed} PACKETS={packets}");
    let place = place();
    let origins: Vec<&str> = world::ZONES.iter().map(|(origin, _)| *origin).collect();
    let server = place.start(&origins);
    let mut soak = Soak::new(&place, seed);
    soak.send(WARM_UP);
    let (before, mut highest) = (server.resident(), 0);
    let begun = Instant::now();
    for _ in 0..10 {
        soak.send(packets / 10);
        highest = highest.max(server.resident());
        println!(
            "{} packets: resident {} KiB",
            soak.sent,
            server.resident() / 1024
        );
    }
    let log = place.log();
    println!(
        "{} packets in {:.1} s, {} of them over TCP, {} answered by the queries between; resident {} KiB \
         after {WARM_UP} packets, at most {} KiB later",
        soak.sent,
        begun.elapsed().as_secs_f32(),
        soak.over_tcp,
        soak.asked,
        before / 1024,
        highest / 1024
    );
    let taken = place.json(&["status"])["server"]["queries"].as_u64();
    println!("{taken:?} of them were answered");
    assert!(
        taken > Some(packets as u64 / 4),
        "most were never taken: {taken:?}"
    );
    assert!(!log.contains("panic"), "{}", place.log_end());
    assert!(highest < before + SLACK, "{before} octets, then {highest}");
    assert!(soak.sent >= packets && soak.over_tcp > 0 && soak.asked > packets / BURST / 2);
    server.kill();
}

fn place() -> Place {
    let place = Place::new();
    let mut text = place.head();
    for (origin, zone) in world::ZONES {
        let zone = String::from_utf8_lossy(zone);
        place.write(&format!("{origin}zone"), &zone);
        text += &format!("[[zone]]\nname = \"{origin}\"\nfile = \"{origin}zone\"\n");
    }
    place.write("lastgood.toml", &text);
    place
}

struct Soak {
    random: Random,
    corpus: Vec<Vec<u8>>,
    client: Client,
    flood: std::net::UdpSocket,
    sent: usize,
    over_tcp: usize,
    asked: usize,
}

impl Soak {
    fn new(place: &Place, seed: u64) -> Soak {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/corpus/packet");
        let files = std::fs::read_dir(folder).expect("a corpus is committed");
        let read = |file: std::io::Result<std::fs::DirEntry>| {
            std::fs::read(file.expect("a file").path()).expect("a file")
        };
        let flood = std::net::UdpSocket::bind("127.0.0.1:0").expect("a socket");
        flood.connect(place.at).expect("an address");
        Soak {
            random: Random::of(seed),
            corpus: files.map(read).collect(),
            client: Client::of(place.at),
            flood,
            sent: 0,
            over_tcp: 0,
            asked: 0,
        }
    }

    fn send(&mut self, packets: usize) {
        for burst in 0..packets.div_ceil(BURST) {
            for _ in 0..BURST {
                let packet = self.packet();
                if burst % OVER_TCP == 0 {
                    self.over_tcp(&packet);
                } else {
                    // One that is too long, or meets a full buffer, is no loss.
                    let _ = self.flood.send(&packet);
                }
                self.sent += 1;
            }
            self.ask();
        }
    }

    /// One in so many of what would be signed is, by a key that may change everything. What those
    /// change is not what is asked for in between. They are few because the store's cache grows
    /// with what they leave in it, until it is full.
    fn packet(&mut self) -> Vec<u8> {
        let input = mutate::mutated(&self.corpus, &mut self.random);
        let (how, packet) = input.split_first().unwrap_or((&0, &[]));
        match how & 2 != 0 && self.random.below(SIGNED) == 0 {
            true => sign::signed(packet, now_unix()),
            false => packet.to_vec(),
        }
    }

    fn over_tcp(&mut self, packet: &[u8]) {
        self.over_tcp += 1;
        if packet.len() > 12 && packet[2] & 0x80 == 0 {
            let deadline = Instant::now() + Duration::from_millis(20);
            // An answer is not owed to everything; whatever comes must be one.
            let gone = || Instant::now() > deadline;
            if let Ok(answer) = self.client.exchange(Transport::Tcp, packet, &gone) {
                assert!(answer.len() >= 12 && answer[2] & 0x80 != 0, "{answer:02x?}");
            }
        }
    }

    fn ask(&mut self) {
        self.asked += 1;
        let query = message::query(self.random.next() as u16, "apex.test", message::SOA);
        let answer = match self.client.exchange(Transport::Udp, &query, &|| false) {
            Ok(answer) => Response::read(&answer),
            Err(Failure::Gone | Failure::Silent) => panic!("no answer after {} packets", self.sent),
        };
        assert_eq!(answer.data(RecordType::SOA).len(), 1, "{answer:?}");
        assert!(answer.extended.is_empty(), "{answer:?}");
    }
}

fn now_unix() -> u64 {
    let now = std::time::SystemTime::now();
    now.duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}
