//! Messages: written octet by octet, so that a client costs next to nothing; answers are read by
//! hickory-proto.

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::rdata::opt::{EdnsCode, EdnsOption};
use hickory_proto::rr::{RData, RecordType};

pub const A: u16 = 1;
pub const CNAME: u16 = 5;
pub const SOA: u16 = 6;
pub const TXT: u16 = 16;

const IN: u16 = 1;
const ANY: u16 = 255;

/// The wire form of a name without escapes.
pub fn name(text: &str) -> Vec<u8> {
    let mut wire = Vec::with_capacity(text.len() + 2);
    for label in text.split('.').filter(|label| !label.is_empty()) {
        wire.push(label.len() as u8);
        wire.extend_from_slice(label.as_bytes());
    }
    wire.push(0);
    wire
}

/// One character string.
pub fn txt(text: &str) -> Vec<u8> {
    [&[text.len() as u8], text.as_bytes()].concat()
}

/// A query with EDNS, so that the answer can say that it is stale.
pub fn query(id: u16, owner: &str, rtype: u16) -> Vec<u8> {
    let mut message = id.to_be_bytes().to_vec();
    message.extend_from_slice(&[0, 0, 0, 1, 0, 0, 0, 0, 0, 1]);
    message.extend_from_slice(&name(owner));
    message.extend_from_slice(&rtype.to_be_bytes());
    message.extend_from_slice(&IN.to_be_bytes());
    message.extend_from_slice(&[0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0]);
    message
}

/// An update (RFC 2136 §2) being written: prerequisites first.
pub struct Update {
    message: Vec<u8>,
    prerequisites: u16,
    updates: u16,
}

impl Update {
    pub fn of(id: u16, zone: &str) -> Update {
        let mut message = id.to_be_bytes().to_vec();
        message.extend_from_slice(&[0x28, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
        message.extend_from_slice(&name(zone));
        message.extend_from_slice(&[0, SOA as u8, 0, IN as u8]);
        Update {
            message,
            prerequisites: 0,
            updates: 0,
        }
    }

    fn put(&mut self, owner: &str, rtype: u16, class: u16, ttl: u32, rdata: &[u8]) {
        self.message.extend_from_slice(&name(owner));
        self.message.extend_from_slice(&rtype.to_be_bytes());
        self.message.extend_from_slice(&class.to_be_bytes());
        self.message.extend_from_slice(&ttl.to_be_bytes());
        let octets = rdata.len() as u16;
        self.message.extend_from_slice(&octets.to_be_bytes());
        self.message.extend_from_slice(rdata);
    }

    /// The RRset exists, and this record is all of it (§2.4.2).
    pub fn require(mut self, owner: &str, rtype: u16, rdata: &[u8]) -> Update {
        assert_eq!(self.updates, 0, "prerequisites come first");
        self.put(owner, rtype, IN, 0, rdata);
        self.prerequisites += 1;
        self
    }

    pub fn add(mut self, owner: &str, rtype: u16, rdata: &[u8]) -> Update {
        self.put(owner, rtype, IN, 60, rdata);
        self.updates += 1;
        self
    }

    pub fn delete(mut self, owner: &str, rtype: u16) -> Update {
        self.put(owner, rtype, ANY, 0, &[]);
        self.updates += 1;
        self
    }

    /// Not signed yet.
    pub fn octets(mut self) -> Vec<u8> {
        self.message[6..8].copy_from_slice(&self.prerequisites.to_be_bytes());
        self.message[8..10].copy_from_slice(&self.updates.to_be_bytes());
        self.message
    }
}

/// What a test wants to know of a response.
#[derive(Debug)]
pub struct Response {
    pub rcode: ResponseCode,
    /// In the order of the message, as text without quotes: the target of an alias, an address, a
    /// text, the serial of a SOA.
    pub answers: Vec<(RecordType, String)>,
    /// Codes of extended errors (RFC 8914).
    pub extended: Vec<u16>,
}

impl Response {
    pub fn read(octets: &[u8]) -> Response {
        let message = Message::from_vec(octets)
            .unwrap_or_else(|error| panic!("{error}: a response that decodes: {octets:02x?}"));
        let answers = message.answers.iter().map(|record| {
            let text = match &record.data {
                RData::SOA(soa) => soa.serial.to_string(),
                RData::TXT(txt) => txt.to_string(),
                other => other.to_string(),
            };
            (record.record_type(), text.replace('"', ""))
        });
        Response {
            rcode: message.metadata.response_code,
            answers: answers.collect(),
            extended: extended(&message),
        }
    }

    /// The data of one type, sorted.
    pub fn data(&self, rtype: RecordType) -> Vec<&str> {
        let of_type = self.answers.iter().filter(|(found, _)| *found == rtype);
        let mut data: Vec<&str> = of_type.map(|(_, text)| text.as_str()).collect();
        data.sort_unstable();
        data
    }
}

fn extended(message: &Message) -> Vec<u16> {
    let options = message.edns.iter().flat_map(|edns| edns.options().as_ref());
    let codes = options.filter_map(|(code, option)| match (code, option) {
        (EdnsCode::Unknown(15), EdnsOption::Unknown(_, data)) => {
            data.first_chunk().map(|code| u16::from_be_bytes(*code))
        }
        _ => None,
    });
    codes.collect()
}
