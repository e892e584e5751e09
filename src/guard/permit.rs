//! What a key may do: owners, types and data.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use serde::{Serialize, Serializer};

use super::GuardError;
use crate::rr::{Name, Rtype, rdata};

/// One thing that a key may do. What no permit allows is denied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Permit {
    /// `None`: every zone.
    pub zone: Option<Name>,
    pub names: Vec<OwnerPattern>,
    /// Empty: any.
    pub types: Vec<Rtype>,
    /// Empty: any. A range limits the types it fits.
    pub rdata: Vec<RdataRange>,
}

/// Owners, relative to the zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OwnerPattern {
    /// `@`
    Apex,
    /// `api`: this owner. Its labels stand under the root here.
    Exact(Name),
    /// `*.dyn`: all owners strictly below this one, the wildcard `*.dyn` among them; `*`: all but
    /// the apex.
    Below(Name),
    /// `**`
    Whole,
}

/// Which data a permit is limited to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RdataRange {
    /// Addresses: A and AAAA.
    Net(IpAddr, u8),
    /// Names at or below this one: the targets of CNAME, DNAME, NS, MX, SRV, SVCB, HTTPS, NAPTR,
    /// and PTR.
    Suffix(Name),
}

/// Whether a key with these permits has any right in a zone. One without is told nothing else.
pub fn may_touch(permits: &[Permit], zone: &Name) -> bool {
    permits
        .iter()
        .any(|permit| permit.is_for(zone) && !permit.names.is_empty())
}

impl Permit {
    pub(super) fn is_for(&self, zone: &Name) -> bool {
        self.zone.as_ref().is_none_or(|own| own == zone)
    }

    pub(super) fn allows_owner(&self, owner: &Name, origin: &Name) -> bool {
        self.is_for(origin) && self.names.iter().any(|name| name.matches(owner, origin))
    }

    pub(super) fn allows_type(&self, rtype: Rtype) -> bool {
        self.types.is_empty() || self.types.contains(&rtype)
    }

    /// Ranges that fit the type must contain the data; where none fits, any data will do.
    pub(super) fn allows_data(&self, rtype: Rtype, data: &[u8]) -> bool {
        let mut fitting = self
            .rdata
            .iter()
            .filter(|range| range.fits(rtype))
            .peekable();
        fitting.peek().is_none() || fitting.any(|range| range.contains(rtype, data))
    }
}

impl OwnerPattern {
    /// Whether an absolute owner is one of these in the zone `origin`.
    pub fn matches(&self, owner: &Name, origin: &Name) -> bool {
        let absolute = |relative: &Name| relative.replace_suffix(&Name::root(), origin).ok();
        match self {
            OwnerPattern::Apex => owner == origin,
            OwnerPattern::Exact(relative) => absolute(relative).as_ref() == Some(owner),
            OwnerPattern::Below(relative) => {
                absolute(relative).is_some_and(|above| owner.is_below(&above))
            }
            OwnerPattern::Whole => owner.is_at_or_below(origin),
        }
    }
}

impl FromStr for OwnerPattern {
    type Err = GuardError;

    fn from_str(text: &str) -> Result<Self, GuardError> {
        let relative = |text: &str| -> Result<Name, GuardError> {
            let bad = || GuardError::BadOwner(text.to_owned());
            // A last dot would say that the name is absolute.
            if text.is_empty() || text.ends_with('.') {
                return Err(bad());
            }
            text.parse().map_err(|_| bad())
        };
        match text {
            "@" => Ok(OwnerPattern::Apex),
            "**" => Ok(OwnerPattern::Whole),
            "*" => Ok(OwnerPattern::Below(Name::root())),
            _ => match text.strip_prefix("*.") {
                Some(above) => relative(above).map(OwnerPattern::Below),
                None => relative(text).map(OwnerPattern::Exact),
            },
        }
    }
}

impl fmt::Display for OwnerPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let relative = |name: &Name| {
            let mut text = name.to_string();
            text.pop();
            text
        };
        match self {
            OwnerPattern::Apex => f.write_str("@"),
            OwnerPattern::Exact(name) => f.write_str(&relative(name)),
            OwnerPattern::Below(name) if name.is_root() => f.write_str("*"),
            OwnerPattern::Below(name) => write!(f, "*.{}", relative(name)),
            OwnerPattern::Whole => f.write_str("**"),
        }
    }
}

impl Serialize for OwnerPattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl RdataRange {
    /// A prefix limits both address types: one of IPv4 alone must not leave AAAA open.
    fn fits(&self, rtype: Rtype) -> bool {
        match self {
            RdataRange::Net(..) => matches!(rtype, Rtype::A | Rtype::AAAA),
            RdataRange::Suffix(_) => matches!(
                rtype,
                Rtype::CNAME
                    | Rtype::DNAME
                    | Rtype::NS
                    | Rtype::MX
                    | Rtype::SRV
                    | Rtype::SVCB
                    | Rtype::HTTPS
                    | Rtype::NAPTR
                    | Rtype::PTR
            ),
        }
    }

    fn contains(&self, rtype: Rtype, data: &[u8]) -> bool {
        match self {
            RdataRange::Net(IpAddr::V4(net), len) if rtype == Rtype::A => <[u8; 4]>::try_from(data)
                .is_ok_and(|octets| {
                    let differ = net.to_bits() ^ Ipv4Addr::from(octets).to_bits();
                    differ.leading_zeros() >= u32::from(*len)
                }),
            RdataRange::Net(IpAddr::V6(net), len) if rtype == Rtype::AAAA => {
                <[u8; 16]>::try_from(data).is_ok_and(|octets| {
                    let differ = net.to_bits() ^ Ipv6Addr::from(octets).to_bits();
                    differ.leading_zeros() >= u32::from(*len)
                })
            }
            RdataRange::Net(..) => false,
            RdataRange::Suffix(suffix) => {
                let target = match rtype {
                    // No look-up follows it, so that it is none of `rdata::target`.
                    Rtype::PTR => Name::from_wire_prefix(data).ok(),
                    _ => rdata::target(rtype, data),
                };
                target.is_some_and(|target| target.is_at_or_below(suffix))
            }
        }
    }
}

impl FromStr for RdataRange {
    type Err = GuardError;

    fn from_str(text: &str) -> Result<Self, GuardError> {
        let bad = || GuardError::BadRange(text.to_owned());
        if let Ok(address) = text.parse::<IpAddr>() {
            let len = if address.is_ipv4() { 32 } else { 128 };
            return Ok(RdataRange::Net(address, len));
        }
        if let Some((address, len)) = text.split_once('/') {
            let address: IpAddr = address.parse().map_err(|_| bad())?;
            let len: u8 = len.parse().map_err(|_| bad())?;
            let bits = if address.is_ipv4() { 32 } else { 128 };
            return (len <= bits)
                .then_some(RdataRange::Net(address, len))
                .ok_or_else(bad);
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
            RdataRange::Net(address, len) => write!(f, "{address}/{len}"),
            RdataRange::Suffix(name) => name.fmt(f),
        }
    }
}

impl Serialize for RdataRange {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for Permit {
    /// For people who ask what would be accepted.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fn list<T: ToString>(items: &[T]) -> String {
            if items.is_empty() {
                return "any".to_owned();
            }
            let items: Vec<String> = items.iter().map(ToString::to_string).collect();
            items.join(", ")
        }
        write!(f, "names {}", list(&self.names))?;
        write!(f, " with types {}", list(&self.types))?;
        match self.rdata.as_slice() {
            [] => Ok(()),
            ranges => write!(f, " and data in {}", list(ranges)),
        }
    }
}
