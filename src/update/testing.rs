//! What the tests of this room are written in: zones as zone text, messages record by record.

use crate::rr::message::{CLASS_ANY, CLASS_IN, CLASS_NONE, OPCODE_UPDATE};
use crate::rr::token::Lexer;
use crate::rr::{Name, Record, Rtype, rdata};
use crate::zone::ZoneImage;

pub const ORIGIN: &str = "example.com.";

pub fn name(text: &str) -> Name {
    text.parse().unwrap()
}

/// Records in zone text, relative to example.com.: `owner TTL [IN] type RDATA`.
pub fn records(text: &str) -> Vec<Record> {
    let origin = name(ORIGIN);
    let mut lexer = Lexer::new(text.as_bytes());
    let mut tokens = Vec::new();
    let mut records = Vec::new();
    while let Some(opening) = lexer.entry(&mut tokens) {
        opening.unwrap();
        let word = |at: usize| std::str::from_utf8(tokens[at].text).unwrap();
        let at = if word(2) == "IN" { 3 } else { 2 };
        let rtype: Rtype = word(at).parse().unwrap();
        records.push(Record {
            owner: Name::from_zone_text(tokens[0].text, Some(&origin)).unwrap(),
            rtype,
            ttl: word(1).parse().unwrap(),
            rdata: rdata::from_tokens(rtype, &tokens[at + 1..], Some(&origin)).unwrap(),
        });
    }
    records
}

pub fn image(text: &str) -> ZoneImage {
    ZoneImage::from_records(name(ORIGIN), records(text)).unwrap()
}

/// What a zone holds, a line for each record.
pub fn lines(image: &ZoneImage) -> Vec<String> {
    image
        .iter()
        .flat_map(|node| {
            node.rrsets()
                .iter()
                .flat_map(|set| set.records(node.name()))
        })
        .map(|record| record.to_string())
        .collect()
}

/// A message of opcode UPDATE for example.com., in which anything may be wrong.
#[derive(Clone)]
pub struct Request {
    pub octets: Vec<u8>,
}

pub const PREREQUISITE: usize = 6;
pub const UPDATE: usize = 8;
pub const ADDITIONAL: usize = 10;

impl Request {
    pub fn new() -> Request {
        Request::of_zone(Rtype::SOA, CLASS_IN)
    }

    pub fn of_zone(rtype: Rtype, class: u16) -> Request {
        let mut octets = vec![0x12, 0x34, OPCODE_UPDATE << 3, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        octets.extend_from_slice(name(ORIGIN).as_wire());
        octets.extend_from_slice(&rtype.0.to_be_bytes());
        octets.extend_from_slice(&class.to_be_bytes());
        Request { octets }
    }

    /// Appends a record to a section; sections must be filled in their order.
    pub fn raw(
        mut self,
        section: usize,
        owner: &[u8],
        rtype: Rtype,
        class: u16,
        ttl: u32,
        rdata: &[u8],
    ) -> Request {
        let octets = &mut self.octets;
        octets.extend_from_slice(owner);
        octets.extend_from_slice(&rtype.0.to_be_bytes());
        octets.extend_from_slice(&class.to_be_bytes());
        octets.extend_from_slice(&ttl.to_be_bytes());
        octets.extend_from_slice(&(rdata.len() as u16).to_be_bytes());
        octets.extend_from_slice(rdata);
        let count = u16::from_be_bytes([octets[section], octets[section + 1]]) + 1;
        octets[section..section + 2].copy_from_slice(&count.to_be_bytes());
        self
    }

    /// A record given in zone text; its TTL and data count as the class allows.
    pub fn record(self, section: usize, class: u16, text: &str) -> Request {
        records(text).into_iter().fold(self, |request, r| {
            request.raw(section, r.owner.as_wire(), r.rtype, class, r.ttl, &r.rdata)
        })
    }

    /// Without data and TTL: of a name and a type.
    pub fn bare(self, section: usize, class: u16, owner: &str, rtype: Rtype) -> Request {
        self.raw(section, name(owner).as_wire(), rtype, class, 0, &[])
    }

    pub fn add(self, text: &str) -> Request {
        self.record(UPDATE, CLASS_IN, text)
    }

    /// The TTL must be 0 in the text.
    pub fn delete(self, text: &str) -> Request {
        self.record(UPDATE, CLASS_NONE, text)
    }

    pub fn delete_rrset(self, owner: &str, rtype: Rtype) -> Request {
        self.bare(UPDATE, CLASS_ANY, owner, rtype)
    }

    pub fn delete_name(self, owner: &str) -> Request {
        self.delete_rrset(owner, Rtype::ANY)
    }
}
