//! Inputs made from others: what a fuzzer does, without looking at what comes of it.

use crate::process::random::Random;

const OCTETS: [u8; 10] = [0, 1, 0x0c, 0x3f, 0x40, 0x7f, 0x80, 0xc0, 0xfe, 0xff];
const LENGTH_MAX: usize = 4096;

pub fn mutated(corpus: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut input = random.pick(corpus).clone();
    for _ in 0..=random.below(5) {
        change(&mut input, corpus, random);
    }
    input.truncate(LENGTH_MAX);
    input
}

fn change(input: &mut Vec<u8>, corpus: &[Vec<u8>], random: &mut Random) {
    if input.is_empty() {
        input.push(random.next() as u8);
    }
    let at = random.below(input.len());
    let len = 1 + random.below((input.len() - at).min(16));
    match random.below(9) {
        0 => input[at] ^= 1 << random.below(8),
        1 => input[at] = random.next() as u8,
        2 => input[at] = *random.pick(&OCTETS),
        3 => input.truncate(at),
        4 => drop(input.drain(at..at + len)),
        5 => drop(input.splice(at..at, (0..len).map(|_| random.next() as u8))),
        6 => {
            let again = input[at..at + len].to_vec();
            drop(input.splice(at..at, again));
        }
        // A piece of another.
        7 => {
            let other = random.pick(corpus);
            let from = random.below(other.len().max(1)).min(other.len());
            let until = (from + 1 + random.below(32)).min(other.len());
            drop(input.splice(at..at, other[from..until].iter().copied()));
        }
        // A count or a length, one more or one less.
        _ => input[at] = input[at].wrapping_add(if random.below(2) == 0 { 1 } else { 255 }),
    }
}
