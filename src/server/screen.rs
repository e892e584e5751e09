//! The first screen: what is served, where, and lines to type that show what this server does.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use super::Running;
use crate::config::{Config, KeyStanza, SecretSource};
use crate::guard::{Mode, OwnerPattern, Permit, Protection, RdataRange, Right};
use crate::rr::{Name, Rtype};
use crate::tsig::Algorithm;
use crate::zone::ZoneImage;

/// Zones listed; the others are a number.
const ZONES_SHOWN: usize = 8;

/// What the screen says, apart from how.
#[derive(Debug, Clone, PartialEq)]
pub struct Screen {
    pub program: String,
    /// As the operator named it; `None` where the default was found.
    pub config: Option<PathBuf>,
    pub addresses: Vec<SocketAddr>,
    pub control: PathBuf,
    pub zones: Vec<ServedLine>,
    /// A question worth asking.
    pub question: Option<(Name, Rtype)>,
    /// How `nsupdate` is told the key, where one may change the zone asked about.
    pub key: Option<String>,
    pub zone: Option<Name>,
    /// An update that passes, such as `add x.example. 60 TXT "hello"`.
    pub harmless: Option<String>,
    /// An update that a guard refuses, such as `delete api.example. A`.
    pub harmful: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct ServedLine {
    pub zone: Name,
    pub serial: Option<u32>,
    pub records: usize,
    pub state: &'static str,
}

impl Screen {
    pub(super) fn of(running: &Running, program: &str, config: Option<&Path>) -> Screen {
        let served = running.change.status();
        let zones = served
            .iter()
            .map(|status| ServedLine {
                zone: status.zone.clone(),
                serial: status.serial,
                records: status.records,
                state: status.state,
            })
            .collect();
        let mut screen = Screen {
            program: program.to_owned(),
            config: config.map(Path::to_owned),
            addresses: running.addresses.clone(),
            control: running.control.clone(),
            zones,
            question: None,
            key: None,
            zone: None,
            harmless: None,
            harmful: None,
        };
        let published = running.reader.load();
        let first = running.config.zones.iter().find_map(|stanza| {
            let served = published.zone(&stanza.origin)?;
            Some(served.zone()?.image.clone())
        });
        if let Some(image) = first {
            screen.add_hints(&running.config, &image);
        }
        screen
    }

    fn add_hints(&mut self, config: &Config, image: &ZoneImage) {
        let zone = image.origin();
        let policy = config
            .change
            .zones
            .iter()
            .find(|policy| policy.origin == *zone);
        let protections = policy.map_or(&[][..], |policy| &policy.protections);
        self.question = protections
            .iter()
            .find_map(|protection| standing(protection, image))
            .or(Some((zone.clone(), Rtype::SOA)));
        self.zone = Some(zone.clone());
        let addition = |key: &KeyStanza| {
            let addition = key
                .permits
                .iter()
                .find_map(|permit| addition(permit, image))?;
            Some((nsupdate_key(key, config), addition))
        };
        if let Some((key, addition)) = config.keys.iter().find_map(addition) {
            self.key = Some(key);
            self.harmless = Some(addition);
        }
        if policy.is_some_and(|policy| policy.min_members == Mode::Enforce) {
            let target = protections.iter().find_map(|p| removable(p, image));
            self.harmful = target.map(|(owner, rtype)| format!("delete {owner} {rtype}"));
        }
    }
}

/// A protected name and type that hold records of their own.
fn standing(protection: &Protection, image: &ZoneImage) -> Option<(Name, Rtype)> {
    let types = protection.types.iter();
    types
        .map(|&rtype| (protection.name.clone(), rtype))
        .find(|(name, rtype)| image.rrset(name, *rtype).is_some())
}

/// What to delete so that a protected name has no members left: its records, or its alias.
fn removable(protection: &Protection, image: &ZoneImage) -> Option<(Name, Rtype)> {
    standing(protection, image).or_else(|| {
        image.rrset(&protection.name, Rtype::CNAME)?;
        Some((protection.name.clone(), Rtype::CNAME))
    })
}

/// Something that a permit lets its key add to the zone.
fn addition(permit: &Permit, image: &ZoneImage) -> Option<String> {
    let origin = image.origin();
    let here = Some(IpAddr::V4(Ipv4Addr::LOCALHOST));
    if !permit.allows(Right::Add) || !permit.is_from(here) {
        return None;
    }
    if permit.zone.as_ref().is_some_and(|zone| zone != origin) {
        return None;
    }
    let mut owners = permit
        .names
        .iter()
        .filter_map(|pattern| owner(pattern, origin));
    // Beside a CNAME nothing else may stand: it would be ignored.
    let owner = owners.find(|owner| image.rrset(owner, Rtype::CNAME).is_none())?;
    let may = |rtype: Rtype| permit.types.is_empty() || permit.types.contains(&rtype);
    let addresses = |v4: bool| {
        let ranges = permit.rdata.iter().filter_map(RdataRange::prefix);
        ranges
            .map(|prefix| prefix.address)
            .find(|address| address.is_ipv4() == v4)
    };
    let data = if may(Rtype::TXT) {
        "TXT \"hello\"".to_owned()
    } else if may(Rtype::A) {
        let address = addresses(true).unwrap_or(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)));
        format!("A {address}")
    } else if may(Rtype::AAAA) {
        let documentation = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
        let address = addresses(false).unwrap_or(IpAddr::V6(documentation));
        format!("AAAA {address}")
    } else {
        return None;
    };
    Some(format!("add {owner} 60 {data}"))
}

fn owner(pattern: &OwnerPattern, origin: &Name) -> Option<Name> {
    let below = |relative: &Name| relative.replace_suffix(&Name::root(), origin).ok();
    match pattern {
        OwnerPattern::Apex => Some(origin.clone()),
        OwnerPattern::Exact(relative) => below(relative),
        OwnerPattern::Below(relative) => below(relative)?.child(b"hello").ok(),
        OwnerPattern::Whole => origin.child(b"hello").ok(),
    }
}

/// The option that gives `nsupdate` this key. A secret that stands in a file which everybody may
/// read is shown, as the demo's is; one that is kept is not.
fn nsupdate_key(key: &KeyStanza, config: &Config) -> String {
    match &key.secret {
        SecretSource::File(path) => format!("-k {}", path.display()),
        SecretSource::Inline(secret) => {
            let algorithm = key.algorithm.unwrap_or(Algorithm::HmacSha256);
            let shown = match config.is_readable_by_others() {
                true => secret.to_base64(),
                false => "SECRET".to_owned(),
            };
            format!("-y {algorithm}:{}:{shown}", key.name)
        }
    }
}

/// An address to reach a listener at: one that listens on all listens on loopback too.
fn reachable(address: SocketAddr) -> IpAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    }
}

impl fmt::Display for Screen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "lastgood {} serves over UDP and TCP on {}",
            env!("CARGO_PKG_VERSION"),
            super::joined(&self.addresses)
        )?;
        let width = self
            .zones
            .iter()
            .map(|line| line.zone.to_string().len())
            .max();
        for line in self.zones.iter().take(ZONES_SHOWN) {
            let serial = line
                .serial
                .map_or("-".to_owned(), |serial| serial.to_string());
            let zone = line.zone.to_string();
            writeln!(
                f,
                "  {zone:width$}  serial {serial:<10}  {} records, {}",
                line.records,
                line.state,
                width = width.unwrap_or(0)
            )?;
        }
        let more = self.zones.len().saturating_sub(ZONES_SHOWN);
        if more > 0 {
            writeln!(f, "  and {more} more")?;
        }
        self.write_hints(f)?;
        let lastgood = match &self.config {
            Some(config) => format!("{} --config {}", self.program, config.display()),
            None => self.program.clone(),
        };
        writeln!(f, "\nThen see what happened, why, and how the zones are:")?;
        writeln!(f, "  {lastgood} log")?;
        writeln!(f, "  {lastgood} why REF")?;
        writeln!(f, "  {lastgood} status")
    }
}

impl Screen {
    fn write_hints(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(&address) = self.addresses.first() else {
            return Ok(());
        };
        if let Some((name, rtype)) = &self.question {
            let (ip, port) = (reachable(address), address.port());
            writeln!(f, "\nAsk it:\n  dig @{ip} -p {port} {name} {rtype}")?;
        }
        if let Some(update) = &self.harmless {
            writeln!(
                f,
                "\nChange something; no error means that it is on disk, and served:"
            )?;
            self.write_update(f, address, update)?;
        }
        if let Some(update) = &self.harmful {
            writeln!(f, "\nTry to cause an outage; it is refused:")?;
            self.write_update(f, address, update)?;
        }
        Ok(())
    }

    /// In the first column, so that what is copied is what a shell takes.
    fn write_update(
        &self,
        f: &mut fmt::Formatter<'_>,
        address: SocketAddr,
        update: &str,
    ) -> fmt::Result {
        let (Some(key), Some(zone)) = (&self.key, &self.zone) else {
            return Ok(());
        };
        writeln!(f, "nsupdate {key} <<END")?;
        writeln!(f, "server {} {}", reachable(address), address.port())?;
        writeln!(f, "zone {zone}\nupdate {update}\nsend\nEND")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn screen() -> Screen {
        Screen {
            program: "lastgood".to_owned(),
            config: Some("zones/demo.toml".into()),
            addresses: vec![
                "0.0.0.0:5300".parse().unwrap(),
                "[::1]:5300".parse().unwrap(),
            ],
            control: "data/demo.sock".into(),
            zones: vec![
                ServedLine {
                    zone: "example.com.".parse().unwrap(),
                    serial: Some(7),
                    records: 43,
                    state: "live",
                };
                9
            ],
            question: Some(("api.example.com.".parse().unwrap(), Rtype::A)),
            key: Some("-k demo.key".to_owned()),
            zone: Some("example.com.".parse().unwrap()),
            harmless: Some("add hello.example.com. 60 TXT \"hello\"".to_owned()),
            harmful: Some("delete api.example.com. A".to_owned()),
        }
    }

    #[test]
    fn one_screen_says_what_is_served_where_and_what_to_type() {
        let text = screen().to_string();
        assert!(text.lines().count() <= 40, "one screen:\n{text}");
        for line in [
            "lastgood 0.1.0 serves over UDP and TCP on 0.0.0.0:5300, [::1]:5300",
            "  example.com.  serial 7           43 records, live",
            "  and 1 more",
            "  dig @127.0.0.1 -p 5300 api.example.com. A",
            "nsupdate -k demo.key <<END",
            "server 127.0.0.1 5300",
            "update add hello.example.com. 60 TXT \"hello\"",
            "update delete api.example.com. A",
            "  lastgood --config zones/demo.toml why REF",
        ] {
            assert!(
                text.lines().any(|l| l == line),
                "{line:?} is missing in:\n{text}"
            );
        }
    }

    #[test]
    fn without_a_key_no_update_is_suggested() {
        let mut screen = screen();
        (screen.key, screen.harmless, screen.harmful) = (None, None, None);
        assert!(!screen.to_string().contains("nsupdate"));
    }
}
