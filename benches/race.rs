//! Durable updates per second: lastgood and BIND's named beside each other, in one run, with the same
//! client, on the same disk, at one client and at many. Each client waits for an answer before it
//! sends its next update; each update replaces the address of a name in a zone of 1,000.
//!
//! `cargo bench --bench race` wants named (apt: bind9). `ROUNDS` and `SPAN_SECS` make it longer; the
//! servers take turns, so that a machine which is busy is busy for both. With `ALONE=1` named is left
//! out, for whoever looks at lastgood with a profiler.

#[path = "../tests/process/mod.rs"]
#[allow(dead_code, reason = "the tests need other parts of it")]
mod process;

use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hickory_proto::op::ResponseCode;

use process::client::{Client, Transport};
use process::message::{self, Response, Update};
use process::server::Place;
use process::{ports, sign};

const ZONE: &str = "race.test";
const NAMES: usize = 1_000;
const CLIENTS: [usize; 2] = [1, 32];
const START: Duration = Duration::from_secs(30);

fn number(variable: &str, default: u64) -> u64 {
    let given = std::env::var(variable).ok();
    given.map_or(default, |text| text.parse().expect("a number"))
}

fn main() {
    let (rounds, span) = (
        number("ROUNDS", 5),
        Duration::from_secs(number("SPAN_SECS", 4)),
    );
    let place = Place::new();
    place.write("race.zone", &zone_file());
    let text = place.head() + &format!("[[zone]]\nname = \"{ZONE}.\"\nfile = \"race.zone\"\n");
    place.write("lastgood.toml", &text);
    let ours = place.start(&[ZONE]);
    if std::env::var_os("ALONE").is_some() {
        for clients in CLIENTS {
            for _ in 0..rounds {
                println!(
                    "{clients:>2} clients: lastgood {:.0}",
                    rate(place.at, clients, span)
                );
            }
        }
        return ours.kill();
    }
    let named = Named::start(&place);
    println!(
        "updates per second, {} rounds of {span:?} each, over UDP",
        rounds
    );
    for clients in CLIENTS {
        let (mut of_ours, mut of_named) = (Vec::new(), Vec::new());
        for round in 0..=rounds {
            let pair = [place.at, named.at].map(|at| rate(at, clients, span));
            // The first one warms up.
            if round > 0 {
                of_ours.push(pair[0]);
                of_named.push(pair[1]);
                println!(
                    "  {clients:>2} clients: lastgood {:.0}, named {:.0}",
                    pair[0], pair[1]
                );
            }
        }
        let (ours, named) = (median(&mut of_ours), median(&mut of_named));
        println!(
            "{clients:>2} clients: lastgood {ours:.0}, named {named:.0}: {:.2}",
            ours / named
        );
    }
    ours.kill();
}

fn median(rates: &mut [f64]) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

fn zone_file() -> String {
    let mut text = "$TTL 300\n@ SOA ns.invalid. host.invalid. 1 7200 900 1209600 300\n\
                    @ NS ns1.invalid.\n@ NS ns2.invalid.\n"
        .to_owned();
    for number in 0..NAMES {
        text += &format!("h{number} A 192.0.2.1\n");
    }
    text
}

/// BIND with its defaults: a journal that is synced before an update is answered.
struct Named {
    child: Child,
    at: SocketAddr,
}

impl Named {
    fn start(place: &Place) -> Named {
        let at = SocketAddr::from(([127, 0, 0, 1], ports::free()));
        let folder = place.path("named");
        std::fs::create_dir(&folder).expect("a folder");
        place.write("named/race.zone", &zone_file());
        let folder = folder.display();
        place.write(
            "named/named.conf",
            &format!(
                "options {{ directory \"{folder}\"; listen-on port {} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};\n\
                 pid-file \"{folder}/pid\"; session-keyfile \"{folder}/session.key\"; recursion no; }};\n\
                 controls {{}};\nkey \"fuzz.\" {{ algorithm hmac-sha256; secret \"{}\"; }};\n\
                 zone \"{ZONE}\" {{ type primary; file \"race.zone\"; allow-update {{ key \"fuzz.\"; }}; }};\n",
                at.port(),
                STANDARD.encode(sign::SECRET)
            ),
        );
        let log = std::fs::File::create(place.path("named/log")).expect("a log");
        let child = Command::new("named")
            .args(["-g", "-c"])
            .arg(place.path("named/named.conf"))
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("named is there (apt: bind9)");
        let named = Named { child, at };
        let begun = Instant::now();
        let mut client = Client::of(at);
        let soa = message::query(1, ZONE, message::SOA);
        let gone = || begun.elapsed() > START;
        while client.exchange(Transport::Udp, &soa, &gone).is_err() {
            assert!(!gone(), "named does not answer");
            std::thread::sleep(Duration::from_millis(5));
        }
        named
    }
}

impl Drop for Named {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Acknowledged updates per second.
fn rate(at: SocketAddr, clients: usize, span: Duration) -> f64 {
    let stop = AtomicBool::new(false);
    let begun = Instant::now();
    let done: u64 = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..clients)
            .map(|number| {
                let stop = &stop;
                scope.spawn(move || update(at, number, stop))
            })
            .collect();
        std::thread::sleep(span);
        stop.store(true, Ordering::Relaxed);
        threads
            .into_iter()
            .map(|thread| thread.join().expect("a client"))
            .sum()
    });
    done as f64 / begun.elapsed().as_secs_f64()
}

fn update(at: SocketAddr, number: usize, stop: &AtomicBool) -> u64 {
    let mut client = Client::of(at);
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("a clock");
    // Another run's messages are other messages.
    let mut step = now.subsec_micros();
    let mut done = 0;
    while !stop.load(Ordering::Relaxed) {
        step = step.wrapping_add(1);
        let owner = format!("h{}.{ZONE}", (step as usize * 31 + number * 97) % NAMES);
        let [_, a, b, c] = step.to_be_bytes();
        let octets = Update::of(step as u16, ZONE)
            .delete(&owner, message::A)
            .add(&owner, message::A, &[10 + number as u8, a, b, c])
            .octets();
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .expect("a clock");
        let signed = sign::signed(&octets, now.as_secs());
        let answer = client
            .exchange(Transport::Udp, &signed, &|| false)
            .expect("an answer");
        assert!(sign::verifies(&signed, &answer), "{answer:02x?}");
        assert_eq!(Response::read(&answer).rcode, ResponseCode::NoError);
        done += 1;
    }
    done
}
