//! Record types (RFC 1035 §3.2.2 and the registry).

use std::fmt;
use std::str::FromStr;

/// A record type, known by name or not (RFC 3597).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Rtype(pub u16);

impl Rtype {
    pub const A: Rtype = Rtype(1);
    pub const NS: Rtype = Rtype(2);
    pub const CNAME: Rtype = Rtype(5);
    pub const SOA: Rtype = Rtype(6);
    pub const WKS: Rtype = Rtype(11);
    pub const PTR: Rtype = Rtype(12);
    pub const MX: Rtype = Rtype(15);
    pub const TXT: Rtype = Rtype(16);
    pub const SIG: Rtype = Rtype(24);
    pub const KEY: Rtype = Rtype(25);
    pub const AAAA: Rtype = Rtype(28);
    pub const SRV: Rtype = Rtype(33);
    pub const NAPTR: Rtype = Rtype(35);
    pub const DNAME: Rtype = Rtype(39);
    pub const OPT: Rtype = Rtype(41);
    pub const DS: Rtype = Rtype(43);
    pub const RRSIG: Rtype = Rtype(46);
    pub const NSEC: Rtype = Rtype(47);
    pub const DNSKEY: Rtype = Rtype(48);
    pub const NSEC3: Rtype = Rtype(50);
    pub const CDS: Rtype = Rtype(59);
    pub const CDNSKEY: Rtype = Rtype(60);
    pub const ZONEMD: Rtype = Rtype(63);
    pub const SVCB: Rtype = Rtype(64);
    pub const HTTPS: Rtype = Rtype(65);
    pub const TSIG: Rtype = Rtype(250);
    pub const IXFR: Rtype = Rtype(251);
    pub const AXFR: Rtype = Rtype(252);
    pub const ANY: Rtype = Rtype(255);

    /// All ways in which it may be written: `TYPEn`, and its mnemonic if it has one.
    pub fn spellings(self) -> [String; 2] {
        let mnemonic = domain::base::Rtype::from_int(self.0);
        [format!("TYPE{}", self.0), mnemonic.to_string()]
    }

    /// A type of questions or of messages, which no zone holds: OPT, TKEY, TSIG, the Q-types
    /// and the meta types (RFC 6895 §3.1).
    pub fn is_meta(self) -> bool {
        self == Rtype::OPT || self.0 == 0 || (128..=255).contains(&self.0)
    }
}

impl fmt::Display for Rtype {
    /// The mnemonic of a type whose data have a form of their own, and of the meta types; others
    /// are `TYPEn`, which every server reads (RFC 3597 §5).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.is_meta() || super::rdata::has_own_form(*self) {
            true => domain::base::Rtype::from_int(self.0).fmt(f),
            false => write!(f, "TYPE{}", self.0),
        }
    }
}

impl fmt::Debug for Rtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a record type")]
pub struct BadRtype(String);

impl FromStr for Rtype {
    type Err = BadRtype;

    fn from_str(text: &str) -> Result<Self, BadRtype> {
        domain::base::Rtype::from_str(text)
            .map(|rtype| Rtype(rtype.to_int()))
            .map_err(|_| BadRtype(text.to_owned()))
    }
}

impl serde::Serialize for Rtype {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Rtype {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        std::borrow::Cow::<str>::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_named_as_in_zone_files() {
        assert_eq!(Rtype::AAAA.to_string(), "AAAA");
        assert_eq!(Rtype(65280).to_string(), "TYPE65280");
        for code in 1..=65535u16 {
            assert_eq!(Rtype(code).to_string().parse(), Ok(Rtype(code)));
        }
        assert!("NONSENSE".parse::<Rtype>().is_err());
    }
}
