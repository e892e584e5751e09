//! What the zones hold, and what must be true whenever they are asked.
//!
//! Each writer has slots, one in each zone, that it moves from step to step: a text of two records,
//! and an alias to a name made in the same message, two addresses behind it. All writers together
//! count, each message taking for granted the number it has read, and noting who counted.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RecordType;

use crate::process::client::{Client, Transport};
use crate::process::message::{self, Response, Update};
use crate::process::random::Random;

pub const ZONES: [&str; 3] = ["a.test", "b.test", "c.test"];
/// Imported as a whole, again and again.
pub const BIG: &str = "big.test";
pub const BIG_NAMES: usize = 1_500;
pub const WRITERS: usize = 8;
/// Entries of the count that are kept.
pub const ENTRIES: u64 = 40;

/// What anybody has been told, so that nobody is ever told less.
#[derive(Default)]
pub struct Seen {
    /// By zone; the last is `BIG`.
    serials: [AtomicU32; ZONES.len() + 1],
    /// By zone and writer.
    steps: [[AtomicU64; WRITERS]; ZONES.len()],
    counts: [AtomicU64; ZONES.len()],
    /// The server was ended, or is about to be.
    pub gone: AtomicBool,
    pub asked: AtomicU64,
}

pub fn zone_text(zone: &str) -> String {
    let mut text = format!(
        "$ORIGIN {zone}.\n$TTL 60\n@ SOA ns.invalid. host.invalid. 1 7200 900 1209600 300\n\
         @ NS ns1.invalid.\n@ NS ns2.invalid.\napi A 192.0.2.1\napi A 192.0.2.2\n\
         count TXT \"0\"\nentry-0 TXT \"nobody\"\n"
    );
    for writer in 0..WRITERS {
        text += &format!(
            "pair.w{writer} TXT \"0-a\"\npair.w{writer} TXT \"0-b\"\nalias.w{writer} CNAME t0.w{writer}\n\
             t0.w{writer} A 10.1.0.0\nt0.w{writer} A 10.2.0.0\n"
        );
    }
    text
}

pub fn big_text(version: u32) -> String {
    let mut text = format!(
        "$ORIGIN {BIG}.\n$TTL 60\n@ SOA ns.invalid. host.invalid. 1 7200 900 1209600 300\n\
         @ NS ns1.invalid.\n@ NS ns2.invalid.\n"
    );
    for number in 0..BIG_NAMES {
        text += &format!("h{number} TXT \"{version}\"\n");
    }
    text
}

fn address(net: u8, step: u64) -> [u8; 4] {
    [10, net, (step >> 8) as u8, step as u8]
}

/// The message that moves a slot to its next step.
pub fn move_slot(id: u16, zone: usize, writer: usize, step: u64) -> Vec<u8> {
    let zone = ZONES[zone];
    let pair = format!("pair.w{writer}.{zone}");
    let alias = format!("alias.w{writer}.{zone}");
    let old = format!("t{}.w{writer}.{zone}", step - 1);
    let new = format!("t{step}.w{writer}.{zone}");
    Update::of(id, zone)
        .delete(&pair, message::TXT)
        .add(&pair, message::TXT, &message::txt(&format!("{step}-a")))
        .add(&pair, message::TXT, &message::txt(&format!("{step}-b")))
        .delete(&alias, message::CNAME)
        .delete(&old, message::A)
        .add(&new, message::A, &address(1, step))
        .add(&new, message::A, &address(2, step))
        .add(&alias, message::CNAME, &message::name(&new))
        .octets()
}

/// The message that counts from `count` to the next number, if nobody was quicker.
pub fn count_on(id: u16, zone: usize, writer: usize, count: u64) -> Vec<u8> {
    let zone = ZONES[zone];
    let owner = format!("count.{zone}");
    let next = count + 1;
    let mut update = Update::of(id, zone)
        .require(&owner, message::TXT, &message::txt(&count.to_string()))
        .delete(&owner, message::TXT)
        .add(&owner, message::TXT, &message::txt(&next.to_string()))
        .add(
            &format!("entry-{next}.{zone}"),
            message::TXT,
            &message::txt(&format!("w{writer}")),
        );
    if next >= ENTRIES {
        update = update.delete(&format!("entry-{}.{zone}", next - ENTRIES), message::TXT);
    }
    update.octets()
}

/// The outage itself: the protected name emptied.
pub fn empty_the_protected(id: u16, zone: usize) -> Vec<u8> {
    let zone = ZONES[zone];
    Update::of(id, zone)
        .delete(&format!("api.{zone}"), message::A)
        .octets()
}

/// A question of which the answer is known in part.
#[derive(Clone, Copy, Debug)]
pub enum Question {
    Serial { zone: usize },
    Pair { zone: usize, writer: usize },
    Alias { zone: usize, writer: usize },
    Count { zone: usize },
    Protected { zone: usize },
    Big { name: usize },
}

/// RFC 1982.
fn is_before(serial: u32, other: u32) -> bool {
    (serial.wrapping_sub(other) as i32) < 0
}

impl Question {
    pub fn octets(self, id: u16) -> Vec<u8> {
        let (owner, rtype) = match self {
            Question::Serial { zone } => (zone_name(zone).to_owned(), message::SOA),
            Question::Pair { zone, writer } => {
                (format!("pair.w{writer}.{}", ZONES[zone]), message::TXT)
            }
            Question::Alias { zone, writer } => {
                (format!("alias.w{writer}.{}", ZONES[zone]), message::A)
            }
            Question::Count { zone } => (format!("count.{}", ZONES[zone]), message::TXT),
            Question::Protected { zone } => (format!("api.{}", ZONES[zone]), message::A),
            Question::Big { name } => (format!("h{name}.{BIG}"), message::TXT),
        };
        message::query(id, &owner, rtype)
    }
}

fn zone_name(zone: usize) -> &'static str {
    ZONES.get(zone).copied().unwrap_or(BIG)
}

impl Seen {
    /// What the answer must not be less than: to be taken before the question is sent.
    pub fn before(&self, question: Question) -> u64 {
        match question {
            Question::Serial { zone } => u64::from(self.serials[zone].load(Ordering::SeqCst)),
            Question::Pair { zone, writer } | Question::Alias { zone, writer } => {
                self.steps[zone][writer].load(Ordering::SeqCst)
            }
            Question::Count { zone } => self.counts[zone].load(Ordering::SeqCst),
            Question::Protected { .. } | Question::Big { .. } => 0,
        }
    }

    /// Judges an answer; what it says: a serial, a step, a count, a version.
    pub fn judge(&self, question: Question, before: u64, response: &Response) -> u64 {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let judged = match response.rcode {
            ResponseCode::NoError if response.extended.is_empty() => self.read(question, response),
            ResponseCode::NoError => Err("a zone holds, and nothing was wrong with it"),
            _ => Err("not NOERROR"),
        };
        let judged = judged.and_then(|said| match (question, before) {
            (Question::Serial { .. }, 1..) if is_before(said as u32, before as u32) => {
                Err("the serial went back")
            }
            (Question::Serial { .. }, _) => Ok(said),
            _ if said < before => Err("something newer was served before"),
            _ => Ok(said),
        });
        judged
            .unwrap_or_else(|wrong| panic!("{question:?}, {before} before: {wrong}: {response:?}"))
    }

    /// What an answer says, which is noted, or what is wrong with it.
    fn read(&self, question: Question, response: &Response) -> Result<u64, &'static str> {
        let number = |text: &str| text.parse().map_err(|_| "not a number");
        let one = |rtype| match response.data(rtype)[..] {
            [text] => Ok(text),
            _ => Err("not one record"),
        };
        match question {
            Question::Serial { zone } => {
                let serial: u32 = one(RecordType::SOA)?.parse().map_err(|_| "not a serial")?;
                let newer = |seen| (seen == 0 || is_before(seen, serial)).then_some(serial);
                let _ = self.serials[zone].fetch_update(Ordering::SeqCst, Ordering::SeqCst, newer);
                Ok(u64::from(serial))
            }
            Question::Pair { zone, writer } => {
                let step = pair(&response.data(RecordType::TXT)).ok_or("a step by half")?;
                self.steps[zone][writer].fetch_max(step, Ordering::SeqCst);
                Ok(step)
            }
            Question::Alias { zone, writer } => {
                let target = one(RecordType::CNAME)?.split('.').next();
                let step = target.and_then(|label| label.strip_prefix('t'));
                let step = number(step.ok_or("not a target")?)?;
                let expected = [1, 2].map(|net| Ipv4Addr::from(address(net, step)).to_string());
                if response.data(RecordType::A) != expected {
                    return Err("an alias without its addresses");
                }
                self.steps[zone][writer].fetch_max(step, Ordering::SeqCst);
                Ok(step)
            }
            Question::Count { zone } => {
                let count = number(one(RecordType::TXT)?)?;
                self.counts[zone].fetch_max(count, Ordering::SeqCst);
                Ok(count)
            }
            Question::Protected { .. } => match response.data(RecordType::A)[..] {
                ["192.0.2.1", "192.0.2.2"] => Ok(0),
                _ => Err("a protected name is not as it was"),
            },
            Question::Big { .. } => number(one(RecordType::TXT)?),
        }
    }
}

/// The step of which these are the two texts.
fn pair(texts: &[&str]) -> Option<u64> {
    let [first, second] = texts else { return None };
    let step = first.strip_suffix("-a")?;
    (second.strip_suffix("-b")? == step).then_some(())?;
    step.parse().ok()
}

/// Who is noted to have counted to a number; nobody: an empty text.
pub fn entry(
    client: &mut Client,
    seen: &Seen,
    zone: usize,
    number: u64,
    random: &mut Random,
) -> String {
    let owner = format!("entry-{number}.{}", ZONES[zone]);
    let query = message::query(random.next() as u16, &owner, message::TXT);
    let gone = || seen.gone.load(Ordering::SeqCst);
    let answer = client
        .exchange(Transport::Udp, &query, &gone)
        .expect("it runs");
    let response = Response::read(&answer);
    match response.rcode {
        ResponseCode::NoError => response.data(RecordType::TXT).join(" "),
        ResponseCode::NXDomain => String::new(),
        other => panic!("{owner}: {other}"),
    }
}
