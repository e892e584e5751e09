//! One who asks, all the time, and believes nothing.

use std::sync::atomic::Ordering;

use crate::model::{BIG_NAMES, Question, Seen, WRITERS, ZONES};
use crate::process::client::{Client, Failure, Transport};
use crate::process::message::Response;
use crate::process::random::Random;

/// Asks, and judges the answer; `None` when the server has gone.
pub fn ask(
    client: &mut Client,
    seen: &Seen,
    question: Question,
    random: &mut Random,
) -> Option<u64> {
    let transport = match random.below(8) {
        0 => Transport::Tcp,
        _ => Transport::Udp,
    };
    let before = seen.before(question);
    let octets = question.octets(random.next() as u16);
    let gone = || seen.gone.load(Ordering::SeqCst);
    match client.exchange(transport, &octets, &gone) {
        Ok(answer) => Some(seen.judge(question, before, &Response::read(&answer))),
        Err(Failure::Gone) => None,
        Err(Failure::Silent) => panic!("{question:?}: no answer"),
    }
}

pub fn any(random: &mut Random) -> Question {
    let (zone, writer) = (random.below(ZONES.len()), random.below(WRITERS));
    match random.below(8) {
        0 => Question::Serial {
            zone: random.below(ZONES.len() + 1),
        },
        1 | 2 => Question::Pair { zone, writer },
        3 | 4 => Question::Alias { zone, writer },
        5 => Question::Count { zone },
        6 => Question::Protected { zone },
        _ => Question::Big {
            name: random.below(BIG_NAMES),
        },
    }
}

/// Asks until the server has gone. While `starting`, that there is none yet is no end.
pub fn run(client: &mut Client, seen: &Seen, random: &mut Random) {
    while !seen.gone.load(Ordering::SeqCst) {
        if ask(client, seen, any(random), random).is_none() {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
    }
}
