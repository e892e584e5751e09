//! Messages octet by octet, in which anything may be wrong, and their signatures (RFC 8945 §4.3):
//! an implementation of its own, which any key of the three servers' configurations fits.

use std::fmt;
use std::time::UNIX_EPOCH;

use hmac::{Hmac, KeyInit, Mac};
use lastgood::rr::{Name, Rtype, rdata};
use sha2::{Digest, Sha256};

pub const IN: u16 = 1;
pub const CH: u16 = 3;
pub const NONE: u16 = 254;
pub const ANY: u16 = 255;

const HEADER_OCTETS: usize = 12;
const TSIG: u16 = 250;
const FUDGE: u16 = 300;

/// A record of the prerequisite, update or additional section.
#[derive(Clone, PartialEq)]
pub struct Row {
    pub owner: Name,
    pub rtype: Rtype,
    pub class: u16,
    pub ttl: u32,
    pub rdata: Vec<u8>,
}

/// A question of the zone section.
#[derive(Clone, PartialEq)]
pub struct ZoneRow {
    pub name: Name,
    pub rtype: Rtype,
    pub class: u16,
}

#[derive(Clone, Default, PartialEq)]
pub struct Message {
    pub zones: Vec<ZoneRow>,
    pub prerequisites: Vec<Row>,
    pub updates: Vec<Row>,
    pub additional: Vec<Row>,
}

impl Row {
    pub fn is_malformed(&self) -> bool {
        rdata::check(self.rtype, &self.rdata).is_err()
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let class = match self.class {
            IN => "IN".to_owned(),
            CH => "CH".to_owned(),
            NONE => "NONE".to_owned(),
            ANY => "ANY".to_owned(),
            other => format!("CLASS{other}"),
        };
        let data = match self.rdata.is_empty() {
            true => "(no data)".to_owned(),
            false if self.is_malformed() => format!("(malformed) {:02x?}", self.rdata),
            false => rdata::to_text(self.rtype, &self.rdata),
        };
        let Row {
            owner, rtype, ttl, ..
        } = self;
        write!(f, "{owner} {ttl} {class} {rtype} {data}")
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for zone in &self.zones {
            let ZoneRow { name, rtype, class } = zone;
            writeln!(f, "    zone {name} class {class} {rtype}")?;
        }
        let sections = [
            ("prerequisite", &self.prerequisites),
            ("update", &self.updates),
            ("additional", &self.additional),
        ];
        for (what, rows) in sections {
            for row in rows {
                writeln!(f, "    {what} {row}")?;
            }
        }
        Ok(())
    }
}

impl Message {
    pub fn of(zone: &Name) -> Message {
        Message {
            zones: vec![ZoneRow {
                name: zone.clone(),
                rtype: Rtype::SOA,
                class: IN,
            }],
            ..Message::default()
        }
    }

    /// Unsigned, uncompressed.
    pub fn octets(&self, id: u16) -> Vec<u8> {
        let count = |length: usize| (length as u16).to_be_bytes();
        let mut octets = id.to_be_bytes().to_vec();
        octets.extend([5 << 3, 0]);
        octets.extend(count(self.zones.len()));
        octets.extend(count(self.prerequisites.len()));
        octets.extend(count(self.updates.len()));
        octets.extend(count(self.additional.len()));
        for zone in &self.zones {
            octets.extend(zone.name.as_wire());
            octets.extend(zone.rtype.0.to_be_bytes());
            octets.extend(zone.class.to_be_bytes());
        }
        for row in [&self.prerequisites, &self.updates, &self.additional]
            .into_iter()
            .flatten()
        {
            octets.extend(row.owner.as_wire());
            octets.extend(row.rtype.0.to_be_bytes());
            octets.extend(row.class.to_be_bytes());
            octets.extend(row.ttl.to_be_bytes());
            octets.extend((row.rdata.len() as u16).to_be_bytes());
            octets.extend(&row.rdata);
        }
        octets
    }
}

/// Signs with HMAC-SHA256 at this moment.
pub fn sign(message: Vec<u8>, key: &str, secret: &[u8]) -> Vec<u8> {
    let now = UNIX_EPOCH.elapsed().expect("after 1970").as_secs();
    sign_at(message, key, secret, now, Sha256::output_size())
}

/// Signs at another time, with only so many octets of the MAC.
pub fn sign_at(
    mut message: Vec<u8>,
    key: &str,
    secret: &[u8],
    now: u64,
    mac_octets: usize,
) -> Vec<u8> {
    let key: Name = key.parse().expect("a key name");
    let algorithm: Name = "hmac-sha256.".parse().expect("a name");
    let mut clock = now.to_be_bytes()[2..].to_vec();
    clock.extend(FUDGE.to_be_bytes());

    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("any length");
    mac.update(&message);
    mac.update(key.as_wire());
    mac.update(&[0, 255, 0, 0, 0, 0]);
    mac.update(algorithm.as_wire());
    mac.update(&clock);
    mac.update(&[0, 0, 0, 0]);
    let mac = mac.finalize().into_bytes();
    let mac = &mac[..mac_octets];

    let (id, zeros) = ([message[0], message[1]], [0; 4]);
    let length = (mac.len() as u16).to_be_bytes();
    let rdata = [algorithm.as_wire(), &clock, &length, mac, &id, &zeros].concat();
    message.extend(key.as_wire());
    message.extend(TSIG.to_be_bytes());
    message.extend([0, 255, 0, 0, 0, 0]);
    message.extend((rdata.len() as u16).to_be_bytes());
    message.extend(rdata);
    let count = u16::from_be_bytes([message[10], message[11]]) + 1;
    message[10..HEADER_OCTETS].copy_from_slice(&count.to_be_bytes());
    message
}
