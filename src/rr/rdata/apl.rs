//! Address prefixes (RFC 3123): `1:192.0.2.0/24`, `!2:2001:db8::/32`.

use std::fmt::Write;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::walk::Flaw;

const IPV4: u16 = 1;
const IPV6: u16 = 2;

pub(super) fn check(prefixes: &[u8]) -> Result<&[u8], Flaw> {
    let mut rest = prefixes;
    while let [high, low, prefix, len, tail @ ..] = rest {
        let len = usize::from(len & 0x7F);
        let address = tail.get(..len).ok_or("a prefix ends too early")?;
        let (octets_max, bits_max) = match u16::from_be_bytes([*high, *low]) {
            IPV4 => (4, 32),
            IPV6 => (16, 128),
            // Nothing is known of its addresses.
            _ => (usize::MAX, u8::MAX),
        };
        if len > octets_max || *prefix > bits_max {
            return Err("a prefix is longer than its address".into());
        }
        // §4: they must not be there.
        if octets_max <= 16 && address.last() == Some(&0) {
            return Err("an address of a prefix ends in zeros".into());
        }
        rest = &tail[len..];
    }
    match rest {
        [] => Ok(prefixes),
        _ => Err("a prefix ends too early".into()),
    }
}

/// Checked prefixes as they are written; `Err` when there is a family that has no form.
pub(super) fn print(prefixes: &[u8], out: &mut String) -> std::fmt::Result {
    let mut rest = prefixes;
    let mut separator = "";
    while let [high, low, prefix, len, tail @ ..] = rest {
        let family = u16::from_be_bytes([*high, *low]);
        let negation = if len & 0x80 != 0 { "!" } else { "" };
        let (address, tail) = tail.split_at(usize::from(len & 0x7F));
        write!(out, "{separator}{negation}{family}:")?;
        match family {
            IPV4 => write!(out, "{}", Ipv4Addr::from(filled(address)))?,
            IPV6 => write!(out, "{}", Ipv6Addr::from(filled(address)))?,
            _ => return Err(std::fmt::Error),
        }
        write!(out, "/{prefix}")?;
        separator = " ";
        rest = tail;
    }
    Ok(())
}

fn filled<const N: usize>(octets: &[u8]) -> [u8; N] {
    let mut address = [0; N];
    address[..octets.len()].copy_from_slice(octets);
    address
}

/// One prefix as it is written.
pub(super) fn scan(text: &str) -> Option<Vec<u8>> {
    let (negation, text) = match text.strip_prefix('!') {
        Some(text) => (0x80, text),
        None => (0, text),
    };
    let (family, text) = text.split_once(':')?;
    let (address, prefix) = text.split_once('/')?;
    let prefix: u8 = super::scan::number(prefix)?;
    let (family, address, bits_max) = match family.parse().ok()? {
        IPV4 => (
            IPV4,
            address.parse::<Ipv4Addr>().ok()?.octets().to_vec(),
            32,
        ),
        IPV6 => (
            IPV6,
            address.parse::<Ipv6Addr>().ok()?.octets().to_vec(),
            128,
        ),
        _ => return None,
    };
    if prefix > bits_max {
        return None;
    }
    let len = address
        .iter()
        .rposition(|octet| *octet != 0)
        .map_or(0, |last| last + 1);
    let mut wire = vec![0, family as u8, prefix, negation | len as u8];
    wire.extend_from_slice(&address[..len]);
    Some(wire)
}
