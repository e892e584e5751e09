//! The same random updates (RFC 2136) to `named`, `knotd` and lastgood with its guards off: the same
//! RCODE and the same zone afterwards, or a reason with its section in `known`.
//!
//! Read in order: `wire` (messages and signatures), `generate` (which messages), `servers` and `zone`
//! (whom they go to, and what the zone is then), `known` (differences that have a reason).
//! `tests/alike --messages 3000 --seed 7` is the long form.

mod generate;
mod known;
mod random;
mod servers;
pub mod wire;
mod zone;

use std::collections::BTreeMap;
use std::env;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lastgood::rr::{Name, Rtype};

use crate::harness::eventually;
use crate::harness::lab::{self, Lab, PUBLIC_SECRET};
use crate::harness::library::Transport;
use generate::{Generator, ZONE_TEXT};
use known::Case;
use servers::Server;
use wire::{ANY, IN, Message, NONE, Row};
use zone::Zone;

const ORIGIN: &str = "alike.test.";
const MESSAGES: usize = 250;
/// Of the short form; `tests/alike` takes a new one each time.
const SEED: u64 = 2136;
/// Differences without a reason that are told before it is enough.
const TOLD_MAX: usize = 25;
/// A message up to this size goes by UDP, now and then.
const DATAGRAM_OCTETS: usize = 1200;

/// What three servers made of one message, in the order of [`NAMES`].
#[derive(Clone, Debug)]
pub struct Made {
    pub rcodes: [u8; 3],
    pub zones: [Zone; 3],
    /// Who runs no more.
    pub fallen: Option<usize>,
}

const KNOTD: usize = 2;
const NAMES: [&str; 3] = ["lastgood", "named", "knotd"];

struct Trio {
    origin: Name,
    lab: Lab,
    others: [Server; 2],
    secret: Vec<u8>,
    id: u16,
    /// How often all had to begin again.
    anew: usize,
}

impl Trio {
    fn start() -> Trio {
        // Each rule that can refuse an update is off.
        let config = lab::head()
            + "[[zone]]\nname = \"alike.test.\"\nfile = \"alike.zone\"\n\
               [zone.limits]\nvalidate = \"off\"\nmin_members = \"off\"\nttl = \"off\"\n";
        Trio {
            origin: ORIGIN.parse().expect("a name"),
            lab: Lab::of(&config, &[("alike.zone", ZONE_TEXT)]),
            others: [
                servers::named(ORIGIN, ZONE_TEXT),
                servers::knotd(ORIGIN, ZONE_TEXT),
            ],
            secret: STANDARD.decode(PUBLIC_SECRET).expect("base64"),
            id: 0,
            anew: 0,
        }
    }

    /// What all have, and who has fallen, which has what it had.
    fn zones(&mut self, before: &Zone) -> ([Zone; 3], Option<usize>) {
        let ours = zone::export(&self.lab.path("data/demo.sock"), &self.origin);
        let mut zones = [ours, before.clone(), before.clone()];
        let mut fallen = None;
        for (at, server) in self.others.iter_mut().enumerate() {
            match zone::transfer(server.at, &self.origin) {
                Some(zone) => zones[at + 1] = zone,
                None => {
                    eventually("a server that is silent has ended", || {
                        let ended = server.has_ended();
                        ended.then_some(()).ok_or("it runs".to_owned())
                    });
                    fallen = Some(at + 1);
                }
            }
        }
        (zones, fallen)
    }

    /// None where one has fallen.
    fn all_zones(&mut self) -> Option<[Zone; 3]> {
        let (zones, fallen) = self.zones(&Zone::default());
        fallen.is_none().then_some(zones)
    }

    fn signed(&mut self, message: &Message) -> Vec<u8> {
        self.id = self.id.wrapping_add(1);
        wire::sign(message.octets(self.id), servers::KEY, &self.secret)
    }

    fn rcode(&self, which: usize, transport: Transport, octets: &[u8]) -> u8 {
        let at = match which {
            0 => self.lab.v4(),
            _ => self.others[which - 1].at,
        };
        // knotd says nothing to a zone section that is not of one record.
        let patience = match which == KNOTD && octets[4..6] != [0, 1] {
            true => servers::SILENCE,
            false => servers::PATIENCE,
        };
        let Some(answer) = servers::exchange(at, transport, octets, patience) else {
            return known::SILENT;
        };
        assert_eq!(answer[..2], octets[..2], "the id comes back");
        answer[3] & 15
    }

    fn send(&mut self, message: &Message) -> [u8; 3] {
        let octets = self.signed(message);
        let transport = match octets.len() > DATAGRAM_OCTETS || self.id.is_multiple_of(8) {
            true => Transport::Tcp,
            false => Transport::Udp,
        };
        [0, 1, 2].map(|which| self.rcode(which, transport, &octets))
    }

    /// Makes all three zones the same again, the serials too: what lastgood has, or what all had
    /// before the message where another will not have that.
    fn bring_together(&mut self, zones: &[Zone; 3], before: &Zone) -> [Zone; 3] {
        if let Some(now) = self.bring_to(zones, &zones[0]) {
            return now;
        }
        if let Some(zones) = self.all_zones()
            && let Some(now) = self.bring_to(&zones, before)
        {
            return now;
        }
        self.start_anew()
    }

    /// The way of last resort.
    fn start_anew(&mut self) -> [Zone; 3] {
        let anew = self.anew + 1;
        *self = Trio::start();
        self.anew = anew;
        self.all_zones().expect("nothing has happened yet")
    }

    fn bring_to(&mut self, zones: &[Zone; 3], target: &Zone) -> Option<[Zone; 3]> {
        let serials = zones.each_ref().map(|zone| zone.serial);
        for (which, zone) in zones.iter().enumerate() {
            let differing = target.differing(zone);
            let mend = mend(&self.origin, target, zone, &differing);
            if !differing.is_empty() && self.send_to(which, &mend) != 0 {
                return None;
            }
        }
        let now = self.all_zones()?;
        let serials = [serials, now.each_ref().map(|zone| zone.serial)].concat();
        let is_ahead =
            |serial: &u32| *serial != 0 && serials.iter().all(|other| is_after(*serial, *other));
        let next = serials.iter().map(|serial| serial.wrapping_add(1));
        let serial = next.into_iter().find(is_ahead)?;
        let message = soa(&self.origin, target, serial);
        if (0..3).any(|which| self.send_to(which, &message) != 0) {
            return None;
        }
        let now = self.all_zones()?;
        now.iter().all(|zone| *zone == now[0]).then_some(now)
    }

    fn send_to(&mut self, which: usize, message: &Message) -> u8 {
        let octets = self.signed(message);
        self.rcode(which, Transport::Tcp, &octets)
    }
}

/// RFC 1982 §3.2.
fn is_after(one: u32, other: u32) -> bool {
    one != other && one.wrapping_sub(other) < 1 << 31
}

/// An update from what a server has to what it should have.
fn mend(origin: &Name, wanted: &Zone, has: &Zone, differing: &[(Name, Rtype)]) -> Message {
    let mut message = Message::of(origin);
    let rows_of = |zone: &Zone, owner: &Name, rtype: Rtype| -> Vec<Row> {
        let rows = zone.rows().into_iter();
        rows.filter(|row| row.owner == *owner && row.rtype == rtype)
            .collect()
    };
    let is_apex_ns = |(owner, rtype): &(Name, Rtype)| owner == origin && *rtype == Rtype::NS;
    for (owner, rtype) in differing.iter().filter(|key| !is_apex_ns(key)) {
        if *rtype != Rtype::SOA {
            message.updates.push(Row {
                owner: owner.clone(),
                rtype: *rtype,
                class: ANY,
                ttl: 0,
                rdata: Vec::new(),
            });
        }
    }
    for key in differing {
        let (owner, rtype) = key;
        let mut wanted = rows_of(wanted, owner, *rtype);
        if *rtype == Rtype::SOA {
            for row in &mut wanted {
                let at = row.rdata.len() - 20;
                let serial = has.serial.wrapping_add(1);
                row.rdata[at..at + 4].copy_from_slice(&serial.to_be_bytes());
            }
        }
        message.updates.extend(wanted.iter().cloned());
        if is_apex_ns(key) {
            let gone = rows_of(has, owner, *rtype).into_iter();
            let gone = gone.filter(|row| !wanted.iter().any(|w| w.rdata == row.rdata));
            message.updates.extend(gone.map(|row| Row {
                class: NONE,
                ttl: 0,
                ..row
            }));
        }
    }
    message
}

/// The SOA of a zone with another serial.
fn soa(origin: &Name, zone: &Zone, serial: u32) -> Message {
    let mut message = Message::of(origin);
    let is_soa = |row: &Row| row.owner == *origin && row.rtype == Rtype::SOA;
    let mut row = zone.rows().into_iter().find(is_soa).expect("a SOA");
    let at = row.rdata.len() - 20;
    row.rdata[at..at + 4].copy_from_slice(&serial.to_be_bytes());
    row.class = IN;
    message.updates.push(row);
    message
}

/// From the environment, as `tests/alike` sets it.
fn number(variable: &str) -> Option<u64> {
    let text = env::var(variable).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{variable} is {text:?}")),
    )
}

/// What was counted, and told.
#[derive(Default)]
struct Tally {
    messages: usize,
    /// By server: as lastgood; otherwise, for a reason of the table; otherwise, without one.
    same: [usize; 3],
    known: [usize; 3],
    alone: [usize; 3],
    reasons: BTreeMap<(&'static str, &'static str), usize>,
    /// As neither, without a reason.
    unlike: Vec<String>,
    rcodes: BTreeMap<u8, usize>,
}

impl Tally {
    fn add(&mut self, case: &Case<'_>) {
        self.messages += 1;
        *self.rcodes.entry(case.made.rcodes[0]).or_default() += 1;
        let mut unexplained = Vec::new();
        for which in 1..3 {
            let pair = case.pair(which);
            if pair.rcodes[0] == pair.rcodes[1] && pair.zones[0] == pair.zones[1] {
                self.same[which] += 1;
                continue;
            }
            match known::reasons(&pair) {
                Some(reasons) => {
                    self.known[which] += 1;
                    for reason in reasons {
                        *self.reasons.entry((pair.who, reason)).or_default() += 1;
                    }
                }
                None => unexplained.push(which),
            }
        }
        if unexplained.len() == 2 {
            self.unlike.push(case.to_string());
        }
        for which in unexplained {
            self.alone[which] += 1;
            if env::var_os("ALIKE_TELL").is_some() {
                println!("{} alone: {case}", NAMES[which]);
            }
        }
    }

    fn tell(&self, seed: u64) {
        println!(
            "alike: {} messages, seed {seed}; RCODEs {:?}",
            self.messages, self.rcodes
        );
        for (which, name) in NAMES.iter().enumerate().skip(1) {
            let (same, known, alone) = (self.same[which], self.known[which], self.alone[which]);
            println!(
                "  {name}: {same} the same, {known} different for a reason, {alone} alone without one"
            );
        }
        for ((who, reason), count) in &self.reasons {
            println!("  {count} {who}: {reason} ({})", known::section(reason));
        }
    }
}

#[test]
fn random_updates_end_as_with_named_and_knotd() {
    let messages = number("ALIKE_MESSAGES").map_or(MESSAGES, |number| number as usize);
    let seed = number("ALIKE_SEED").unwrap_or(SEED);
    println!("seed {seed}");
    let mut trio = Trio::start();
    let mut generator = Generator::new(seed, trio.origin.clone());
    let mut before = trio.all_zones().expect("nothing has happened yet");
    assert!(
        before.iter().all(|zone| *zone == before[0]),
        "one beginning"
    );
    let mut tally = Tally::default();
    for number in 0..messages {
        let message = generator.message(&before[0]);
        let rcodes = trio.send(&message);
        let (zones, fallen) = trio.zones(&before[0]);
        let made = Made {
            rcodes,
            zones,
            fallen,
        };
        tally.add(&Case {
            origin: &trio.origin,
            number,
            message: &message,
            before: &before[0],
            made: &made,
        });
        before = match made.zones.iter().all(|zone| *zone == made.zones[0]) {
            _ if fallen.is_some() => trio.start_anew(),
            true => made.zones,
            false => trio.bring_together(&made.zones, &before[0]),
        };
        if tally.unlike.len() >= TOLD_MAX {
            break;
        }
    }
    tally.tell(seed);
    println!("  all three started anew: {}", trio.anew);
    assert!(
        tally.unlike.is_empty(),
        "seed {seed}:\n{}",
        tally.unlike.join("\n")
    );
}

/// From the last serial there is to 0: the others serve that, as RFC 1982 lets them.
#[test]
fn a_serial_of_0_is_served_by_the_others_alone() {
    let mut trio = Trio::start();
    let [before, ..] = trio.all_zones().expect("nothing has happened yet");
    for serial in [1 << 31, u32::MAX] {
        let message = soa(&trio.origin, &before, serial);
        assert_eq!(trio.send(&message), [0; 3], "{serial}");
    }
    let zones = trio.all_zones().expect("all run");
    assert!(zones.iter().all(|zone| zone.serial == u32::MAX));
    let message = soa(&trio.origin, &before, 0);
    let rcodes = trio.send(&message);
    let made = Made {
        rcodes,
        zones: trio.all_zones().expect("all run"),
        fallen: None,
    };
    let serials = made.zones.each_ref().map(|zone| zone.serial);
    assert_eq!((rcodes, serials), ([0; 3], [1, 0, 0]));
    let case = Case {
        origin: &trio.origin,
        number: 0,
        message: &message,
        before: &zones[0],
        made: &made,
    };
    for which in [1, 2] {
        let reasons = known::reasons(&case.pair(which)).expect("it is known");
        assert!(known::section(reasons[0]).contains("RFC 1982"));
    }
}
