//! What a server has of the zone: as it transfers it, or as lastgood exports it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use lastgood::rr::{Name, Rtype, rdata};
use lastgood::zonefile;

use super::wire::{IN, Row};

const PATIENCE: Duration = Duration::from_secs(20);

/// An RRset; RDATA in canonical form, by which they are compared, and as it came.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Set {
    pub ttls: BTreeSet<u32>,
    pub rdatas: BTreeSet<Vec<u8>>,
}

/// A zone without its serial, and the serial.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Zone {
    pub sets: BTreeMap<(Name, Rtype), Set>,
    pub serial: u32,
}

impl Zone {
    fn add(&mut self, owner: &Name, rtype: Rtype, ttl: u32, data: &[u8]) {
        let mut canonical = rdata::canonical(rtype, data).into_owned();
        if rtype == Rtype::SOA {
            let at = canonical.len() - 20;
            let serial: [u8; 4] = canonical[at..at + 4].try_into().expect("four octets");
            self.serial = u32::from_be_bytes(serial);
            canonical[at..at + 4].fill(0);
        }
        let set = self.sets.entry((owner.clone(), rtype)).or_default();
        set.ttls.insert(ttl);
        set.rdatas.insert(canonical);
    }

    /// Its records of class IN; the SOA has the serial of the zone.
    pub fn rows(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        for ((owner, rtype), set) in &self.sets {
            for data in &set.rdatas {
                let mut data = data.clone();
                if *rtype == Rtype::SOA {
                    let at = data.len() - 20;
                    data[at..at + 4].copy_from_slice(&self.serial.to_be_bytes());
                }
                rows.push(Row {
                    owner: owner.clone(),
                    rtype: *rtype,
                    class: IN,
                    ttl: *set.ttls.first().expect("a TTL"),
                    rdata: data,
                });
            }
        }
        rows
    }

    /// Where the two differ, the serial aside.
    pub fn differing(&self, other: &Zone) -> Vec<(Name, Rtype)> {
        let keys: BTreeSet<_> = self.sets.keys().chain(other.sets.keys()).collect();
        let differs = |key: &&(Name, Rtype)| self.sets.get(*key) != other.sets.get(*key);
        keys.into_iter().filter(differs).cloned().collect()
    }

    /// A line for each record of these RRsets.
    pub fn text(&self, of: &[(Name, Rtype)]) -> String {
        let rows = self.rows().into_iter();
        rows.filter(|row| of.contains(&(row.owner.clone(), row.rtype)))
            .map(|row| format!("      {row}\n"))
            .collect()
    }
}

/// Asks for a transfer (RFC 5936), unsigned; `None` where the server goes away.
pub fn transfer(at: SocketAddr, origin: &Name) -> Option<Zone> {
    let mut request = vec![0x77, 0x77, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    request.extend(origin.as_wire());
    request.extend([0, 252, 0, 1]);
    let mut stream = TcpStream::connect(at).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    let length = (request.len() as u16).to_be_bytes();
    stream.write_all(&[&length, &request[..]].concat()).ok()?;
    let (mut zone, mut soas) = (Zone::default(), 0);
    while soas < 2 {
        let mut length = [0; 2];
        stream.read_exact(&mut length).ok()?;
        let mut message = vec![0; usize::from(u16::from_be_bytes(length))];
        stream.read_exact(&mut message).ok()?;
        let count = |at: usize| u16::from_be_bytes([message[at], message[at + 1]]);
        assert_eq!(message[3] & 15, 0, "a transfer from {at}");
        let mut cursor = 12;
        let read = |cursor: &mut usize| {
            let (name, next) = Name::from_message(&message, *cursor).expect("a name");
            *cursor = next;
            name
        };
        for _ in 0..count(4) {
            read(&mut cursor);
            cursor += 4;
        }
        for _ in 0..count(6) {
            let owner = read(&mut cursor);
            let rtype = Rtype(count(cursor));
            let ttl = u32::from_be_bytes(message[cursor + 4..cursor + 8].try_into().expect("four"));
            let length = usize::from(count(cursor + 8));
            cursor += 10;
            // What lastgood would not have in a zone is compared as it is.
            let data = rdata::from_message(rtype, &message, cursor, length)
                .unwrap_or_else(|_| message[cursor..cursor + length].into());
            cursor += length;
            zone.add(&owner, rtype, ttl, &data);
            soas += usize::from(rtype == Rtype::SOA);
        }
    }
    Some(zone)
}

/// Asks at the control socket of lastgood, which has no transfers to give.
pub fn export(socket: &Path, origin: &Name) -> Zone {
    let mut stream = UnixStream::connect(socket).expect("the control socket");
    let request = format!(
        "GET /v1/zone/export?zone={origin} HTTP/1.1\r\nhost: lastgood\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).expect("sent");
    let mut response = String::new();
    stream.read_to_string(&mut response).expect("a response");
    let (head, body) = response.split_once("\r\n\r\n").expect("a head");
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    read(body, origin)
}

/// A zone file.
pub fn read(text: &str, origin: &Name) -> Zone {
    let parsed = zonefile::parse(text.as_bytes(), origin, &|_, _| {
        Err(std::io::ErrorKind::Unsupported.into())
    });
    assert!(parsed.problems.is_empty(), "{:?}", parsed.problems);
    let mut zone = Zone::default();
    for record in parsed.records {
        zone.add(&record.owner, record.rtype, record.ttl, &record.rdata);
    }
    zone
}
