//! Sets of types (RFC 4034 §4.1.2): windows of up to 32 octets, the lowest first.

use std::collections::BTreeSet;

use super::walk::Flaw;
use crate::rr::Rtype;

const WINDOW_OCTETS_MAX: usize = 32;

pub(super) fn check(bitmap: &[u8]) -> Result<&[u8], Flaw> {
    let mut rest = bitmap;
    let mut lowest = 0u16;
    while let [window, len, tail @ ..] = rest {
        let len = usize::from(*len);
        if u16::from(*window) < lowest {
            return Err("the windows of the type bitmap are not in order".into());
        }
        lowest = u16::from(*window) + 1;
        if !(1..=WINDOW_OCTETS_MAX).contains(&len) || len > tail.len() {
            return Err("a window of the type bitmap has a wrong length".into());
        }
        if tail[len - 1] == 0 {
            return Err("a window of the type bitmap ends in an empty octet".into());
        }
        rest = &tail[len..];
    }
    match rest {
        [] => Ok(bitmap),
        _ => Err("the type bitmap ends too early".into()),
    }
}

/// The types of a checked bitmap, in order.
pub(super) fn types(bitmap: &[u8]) -> impl Iterator<Item = Rtype> {
    let mut rest = bitmap;
    let windows = std::iter::from_fn(move || {
        let [window, len, tail @ ..] = rest else {
            return None;
        };
        let (bits, tail) = tail.split_at(usize::from(*len));
        rest = tail;
        Some((u16::from(*window) << 8, bits))
    });
    windows.flat_map(|(base, bits)| {
        (0..bits.len() as u16 * 8)
            .filter(|bit| bits[usize::from(bit / 8)] & (0x80 >> (bit % 8)) != 0)
            .map(move |bit| Rtype(base + bit))
    })
}

pub(super) fn write(types: &BTreeSet<Rtype>, wire: &mut Vec<u8>) {
    let mut window: Option<(u8, usize)> = None;
    for rtype in types {
        let [high, low] = rtype.0.to_be_bytes();
        let start = match window {
            Some((open, start)) if open == high => start,
            _ => {
                wire.extend_from_slice(&[high, 0]);
                window = Some((high, wire.len()));
                wire.len()
            }
        };
        let octet = start + usize::from(low / 8);
        wire.resize(octet + 1, 0);
        wire[octet] |= 0x80 >> (low % 8);
        wire[start - 1] = (octet + 1 - start) as u8;
    }
}
