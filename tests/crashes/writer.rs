//! One writer: its slots, what it was told, and what it was not told before the server went.

use std::sync::atomic::Ordering;
use std::time::{SystemTime, UNIX_EPOCH};

use hickory_proto::op::ResponseCode;

use crate::model::{self, Question, Seen, WRITERS, ZONES};
use crate::process::client::{Client, Failure, Transport};
use crate::process::message::Response;
use crate::process::random::Random;
use crate::process::sign;
use crate::watcher::ask;

pub struct Writer {
    number: usize,
    random: Random,
    /// By zone: the step that was acknowledged.
    steps: [u64; ZONES.len()],
    /// (zone, number) of what was counted and acknowledged, the last ones.
    pub counted: Vec<(usize, u64)>,
    /// Sent, and not answered when the server went.
    pending: Option<Pending>,
    pub acknowledged: u64,
    pub refused: u64,
    pub resent: u64,
}

struct Pending {
    what: What,
    transport: Transport,
    octets: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum What {
    Step { zone: usize, step: u64 },
    Count { zone: usize, next: u64 },
    Outage { zone: usize },
}

impl Writer {
    pub fn new(number: usize, random: Random) -> Writer {
        Writer {
            number,
            random,
            steps: [0; ZONES.len()],
            counted: Vec::new(),
            pending: None,
            acknowledged: 0,
            refused: 0,
            resent: 0,
        }
    }

    /// Writes until the server has gone.
    pub fn run(&mut self, client: &mut Client, seen: &Seen) {
        while !seen.gone.load(Ordering::SeqCst) {
            let Some((what, message)) = self.next(client, seen) else {
                return;
            };
            // Half of the writers mostly over UDP, half mostly over TCP.
            let udp = self.number.is_multiple_of(2) == (self.random.below(4) != 0);
            let transport = if udp { Transport::Udp } else { Transport::Tcp };
            let pending = Pending {
                what,
                transport,
                octets: sign::signed(&message, now_unix()),
            };
            if !self.send(client, seen, pending) {
                return;
            }
        }
    }

    fn next(&mut self, client: &mut Client, seen: &Seen) -> Option<(What, Vec<u8>)> {
        let (zone, id) = (self.random.below(ZONES.len()), self.random.next() as u16);
        Some(match self.random.below(10) {
            0 => (What::Outage { zone }, model::empty_the_protected(id, zone)),
            1..=3 => {
                let count = ask(client, seen, Question::Count { zone }, &mut self.random)?;
                let message = model::count_on(id, zone, self.number, count);
                (
                    What::Count {
                        zone,
                        next: count + 1,
                    },
                    message,
                )
            }
            _ => {
                let step = self.steps[zone] + 1;
                (
                    What::Step { zone, step },
                    model::move_slot(id, zone, self.number, step),
                )
            }
        })
    }

    /// Whether there was an answer.
    fn send(&mut self, client: &mut Client, seen: &Seen, pending: Pending) -> bool {
        let gone = || seen.gone.load(Ordering::SeqCst);
        let answer = match client.exchange(pending.transport, &pending.octets, &gone) {
            Ok(answer) => answer,
            Err(Failure::Gone) => {
                self.pending = Some(pending);
                return false;
            }
            Err(Failure::Silent) => panic!("{:?}: no answer", pending.what),
        };
        assert!(
            sign::verifies(&pending.octets, &answer),
            "the answer's signature: {answer:02x?}"
        );
        let rcode = Response::read(&answer).rcode;
        // While it stops it may turn updates away: then nothing has become of them.
        if !(rcode == ResponseCode::ServFail && gone()) {
            self.learn(pending.what, rcode);
        }
        // Acknowledged means served.
        if let (What::Step { zone, step }, ResponseCode::NoError) = (pending.what, rcode) {
            let question = match self.random.below(2) {
                0 => Question::Pair {
                    zone,
                    writer: self.number,
                },
                _ => Question::Alias {
                    zone,
                    writer: self.number,
                },
            };
            if let Some(served) = ask(client, seen, question, &mut self.random) {
                assert_eq!(served, step, "{:?} was acknowledged", pending.what);
            }
        }
        true
    }

    fn learn(&mut self, what: What, rcode: ResponseCode) {
        match (what, rcode) {
            (What::Step { zone, step }, ResponseCode::NoError) => {
                self.steps[zone] = step;
                self.acknowledged += 1;
            }
            (What::Count { zone, next }, ResponseCode::NoError) => {
                self.counted.push((zone, next));
                if self.counted.len() > 2 * model::ENTRIES as usize {
                    self.counted.remove(0);
                }
                self.acknowledged += 1;
            }
            // Somebody else was quicker.
            (What::Count { .. }, ResponseCode::NXRRSet) => {}
            (What::Outage { .. }, ResponseCode::Refused) => self.refused += 1,
            _ => panic!("writer {}: {what:?} was answered with {rcode}", self.number),
        }
    }

    /// After a restart: what was acknowledged is there, and of what was not, all or nothing. Then
    /// the same octets are sent again, and are not applied twice.
    pub fn verify(&mut self, client: &mut Client, seen: &Seen) {
        let pending = self.pending.take();
        for (zone, step) in self.steps.into_iter().enumerate() {
            let open = match pending.as_ref().map(|pending| pending.what) {
                Some(What::Step { zone: of, step }) if of == zone => Some(step),
                _ => None,
            };
            let writer = self.number;
            let pair = Question::Pair { zone, writer };
            let pair = ask(client, seen, pair, &mut self.random).expect("it runs");
            let alias = Question::Alias { zone, writer };
            let alias = ask(client, seen, alias, &mut self.random).expect("it runs");
            assert_eq!(
                pair, alias,
                "writer {writer}, zone {zone}: one of two parts of a message"
            );
            assert!(
                pair == step || Some(pair) == open,
                "writer {writer}, zone {zone}: step {step} was acknowledged, {open:?} was sent, \
                 {pair} is served"
            );
        }
        if let Some(pending) = pending {
            let what = pending.what;
            self.resent += 1;
            assert!(self.send(client, seen, pending), "{what:?}: it runs");
            if let What::Count { zone, next } = what
                && !self.counted.contains(&(zone, next))
            {
                let by = model::entry(client, seen, zone, next, &mut self.random);
                let me = format!("w{}", self.number);
                assert_ne!(
                    by, me,
                    "{what:?} was applied, and its repetition was not known"
                );
            }
        }
    }
}

/// Nobody counted but by what is noted: the count, and an entry for each number, by the one who was
/// told so.
pub fn verify_counts(writers: &[Writer], client: &mut Client, seen: &Seen, random: &mut Random) {
    for zone in 0..ZONES.len() {
        let count = ask(client, seen, Question::Count { zone }, random).expect("it runs");
        let mine = |number: u64| {
            let by = writers.iter().find(|w| w.counted.contains(&(zone, number)));
            by.map(|writer| format!("w{}", writer.number))
        };
        let past: Vec<_> = writers.iter().flat_map(|w| &w.counted).collect();
        let ahead = past
            .iter()
            .find(|(of, number)| *of == zone && *number > count);
        assert!(
            ahead.is_none(),
            "{ahead:?} was acknowledged, the count is {count}"
        );
        let first = (count + 1).saturating_sub(model::ENTRIES);
        for number in first..=count {
            let by = model::entry(client, seen, zone, number, random);
            if let Some(writer) = mine(number) {
                assert_eq!(
                    by, writer,
                    "{number} in zone {zone} was acknowledged to another"
                );
            }
            assert!(
                number == 0 || by.starts_with('w'),
                "{number} in zone {zone}: {by}"
            );
        }
        if first > 0 {
            let gone = model::entry(client, seen, zone, first - 1, random);
            assert_eq!(gone, "", "the message that added {count} deleted it");
        }
    }
    assert_eq!(writers.len(), WRITERS);
}

pub fn now_unix() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |since| since.as_secs())
}
