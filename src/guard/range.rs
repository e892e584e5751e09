//! Ranges: addresses that data may hold or requests may come from, and suffixes of targets.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use super::GuardError;
use crate::rr::{Name, Rtype, rdata};

/// All addresses with these first bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prefix {
    pub address: IpAddr,
    pub bits: u8,
}

/// Which data a permit is limited to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RdataRange {
    /// Every address that the data hold: A and AAAA, and the hints of SVCB and HTTPS.
    Addresses(Prefix),
    /// Names at or below this one: what the data refer to.
    Suffix(Name),
}

/// Whether data are in some of the ranges. Each kind of range limits the data it is about: where
/// there are addresses, none but these; where there are suffixes, no other target.
pub(super) fn allow(ranges: &[RdataRange], rtype: Rtype, data: &[u8]) -> bool {
    allow_addresses(ranges, rtype, data) && allow_target(ranges, rtype, data)
}

fn allow_addresses(ranges: &[RdataRange], rtype: Rtype, data: &[u8]) -> bool {
    let prefixes: Vec<&Prefix> = ranges.iter().filter_map(RdataRange::prefix).collect();
    let is_in = |address: &IpAddr| prefixes.iter().any(|prefix| prefix.contains(*address));
    prefixes.is_empty() || addresses(rtype, data).is_some_and(|all| all.iter().all(is_in))
}

fn allow_target(ranges: &[RdataRange], rtype: Rtype, data: &[u8]) -> bool {
    let Some(target) = target(rtype, data) else {
        return true;
    };
    let suffixes: Vec<&Name> = ranges.iter().filter_map(RdataRange::suffix).collect();
    let is_in = |suffix: &&Name| target.is_at_or_below(suffix);
    suffixes.is_empty() || suffixes.iter().any(is_in)
}

/// The addresses that data hold; `None` when they cannot be read.
fn addresses(rtype: Rtype, data: &[u8]) -> Option<Vec<IpAddr>> {
    match rtype {
        Rtype::A => Some(vec![IpAddr::from(<[u8; 4]>::try_from(data).ok()?)]),
        Rtype::AAAA => Some(vec![IpAddr::from(<[u8; 16]>::try_from(data).ok()?)]),
        Rtype::SVCB | Rtype::HTTPS => hints(data),
        _ => Some(Vec::new()),
    }
}

/// ipv4hint and ipv6hint (RFC 9460 §7.3): clients may connect to them.
fn hints(data: &[u8]) -> Option<Vec<IpAddr>> {
    const IPV4: u16 = 4;
    const IPV6: u16 = 6;
    let target = Name::from_wire_prefix(data.get(2..)?).ok()?;
    let mut rest = &data[2 + target.len()..];
    let mut found = Vec::new();
    while !rest.is_empty() {
        let key = u16::from_be_bytes(*rest.first_chunk()?);
        let octets = u16::from_be_bytes(*rest[2..].first_chunk()?);
        let value = rest.get(4..4 + usize::from(octets))?;
        rest = &rest[4 + value.len()..];
        match key {
            IPV4 => found.extend(value.as_chunks::<4>().0.iter().map(|a| IpAddr::from(*a))),
            IPV6 => found.extend(value.as_chunks::<16>().0.iter().map(|a| IpAddr::from(*a))),
            _ => {}
        }
    }
    Some(found)
}

/// The name that data refer to. Look-ups follow some of them; the others send people or mail there.
fn target(rtype: Rtype, data: &[u8]) -> Option<Name> {
    // MB, MG, MR, PTR; AFSDB, RT, KX, LP.
    const BARE: [u16; 4] = [7, 8, 9, Rtype::PTR.0];
    const BEHIND_A_PREFERENCE: [u16; 4] = [18, 21, 36, 107];
    let at = match rtype.0 {
        number if BARE.contains(&number) => 0,
        number if BEHIND_A_PREFERENCE.contains(&number) => 2,
        _ => return rdata::target(rtype, data),
    };
    Name::from_wire_prefix(data.get(at..)?).ok()
}

impl Prefix {
    pub fn contains(&self, address: IpAddr) -> bool {
        let (differ, spare) = match (self.address, address) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                (u128::from(own.to_bits() ^ other.to_bits()), 96)
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => (own.to_bits() ^ other.to_bits(), 0),
            _ => return false,
        };
        differ.leading_zeros() >= spare + u32::from(self.bits)
    }
}

impl FromStr for Prefix {
    type Err = GuardError;

    /// `192.0.2.0/24`, or one address.
    fn from_str(text: &str) -> Result<Self, GuardError> {
        let bad = || GuardError::BadPrefix(text.to_owned());
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| bad())?;
        let all = if address.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            Some(bits) => bits.parse().map_err(|_| bad())?,
            None => all,
        };
        (bits <= all)
            .then_some(Prefix { address, bits })
            .ok_or_else(bad)
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

impl Serialize for Prefix {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl RdataRange {
    pub fn prefix(&self) -> Option<&Prefix> {
        match self {
            RdataRange::Addresses(prefix) => Some(prefix),
            RdataRange::Suffix(_) => None,
        }
    }

    fn suffix(&self) -> Option<&Name> {
        match self {
            RdataRange::Addresses(_) => None,
            RdataRange::Suffix(name) => Some(name),
        }
    }
}

impl FromStr for RdataRange {
    type Err = GuardError;

    fn from_str(text: &str) -> Result<Self, GuardError> {
        let bad = || GuardError::BadRange(text.to_owned());
        if let Ok(prefix) = text.parse() {
            return Ok(RdataRange::Addresses(prefix));
        }
        // A prefix gone wrong is no name, though a name may have a slash in it.
        let is_prefix = |(address, _): (&str, &str)| address.parse::<IpAddr>().is_ok();
        if text.split_once('/').is_some_and(is_prefix) {
            return Err(bad());
        }
        // Without its last dot it might be meant as relative to the zone.
        let absolute = text.strip_suffix('.').is_some();
        let name = text.parse().map_err(|_| bad())?;
        absolute.then_some(RdataRange::Suffix(name)).ok_or_else(bad)
    }
}

impl fmt::Display for RdataRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RdataRange::Addresses(prefix) => prefix.fmt(f),
            RdataRange::Suffix(name) => name.fmt(f),
        }
    }
}

impl Serialize for RdataRange {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
