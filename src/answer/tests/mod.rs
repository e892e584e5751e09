//! What the world sees, decoded by a library that shares nothing with our encoder.

mod aliases;
mod delegations;
mod doors;
mod fit;
mod held;
mod limits;
mod members;
mod mutations;
mod names;
mod positive;

use std::sync::Arc;
use std::time::{Duration, Instant};

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::RData;
use hickory_proto::rr::rdata::opt::{EdnsCode, EdnsOption};

use super::*;
use crate::rr::message::{HEADER_OCTETS, OPCODE_QUERY};
use crate::rr::{Name, Record, rdata};
use crate::zone::{Hold, ZoneImage};

const SOA: &str = "3600 SOA ns1.example. host.example. 1 2 3 4 300";

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

/// A zone of lines `owner TTL TYPE RDATA`, names absolute; the first line's owner is the origin.
fn image(text: &str) -> Arc<ZoneImage> {
    let records = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let records: Vec<Record> = records
        .map(|line| {
            let fields: Vec<&str> = line.splitn(4, ' ').collect();
            let [owner, ttl, rtype, data] = fields[..] else {
                panic!("{line:?}");
            };
            let rtype = rtype.parse().unwrap();
            Record {
                owner: name(owner),
                rtype,
                ttl: ttl.parse().unwrap(),
                rdata: rdata::from_text(rtype, data).unwrap(),
            }
        })
        .collect();
    Arc::new(ZoneImage::from_records(records[0].owner.clone(), records).unwrap())
}

fn served(text: &str) -> Served {
    Served::Zone(ServedZone {
        image: image(text),
        revision: 812,
        hold: None,
    })
}

/// The zone `example.` with these lines.
fn example(lines: &str) -> Published {
    let text = format!("example. {SOA}\nexample. 3600 NS ns1.example.\n{lines}");
    Published::default().with(served(&text))
}

/// A question and the circumstances in which it is asked.
#[derive(Clone)]
struct Ask {
    published: Published,
    name: Vec<u8>,
    rtype: u16,
    class: u16,
    edns: Option<(u16, u8, u16)>,
    transport: Transport,
    reserve: usize,
    version: Option<String>,
    identity: Option<String>,
    octets_max: usize,
}

impl Ask {
    fn new(published: &Published, qname: &str, rtype: &str) -> Ask {
        Ask {
            published: published.clone(),
            name: name(qname).as_wire().to_vec(),
            rtype: rtype.parse::<Rtype>().unwrap().0,
            class: CLASS_IN,
            edns: None,
            transport: Transport::Udp,
            reserve: 0,
            version: Some("lastgood test".into()),
            identity: None,
            octets_max: 1232,
        }
    }

    fn edns(mut self, octets: u16) -> Ask {
        self.edns = Some((octets, 0, 0));
        self
    }

    fn tcp(mut self) -> Ask {
        self.transport = Transport::Tcp;
        self
    }

    fn class(mut self, class: u16) -> Ask {
        self.class = class;
        self
    }

    fn query(&self) -> Vec<u8> {
        let mut query = vec![0xAB, 0xCD, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        query.extend_from_slice(&self.name);
        query.extend_from_slice(&self.rtype.to_be_bytes());
        query.extend_from_slice(&self.class.to_be_bytes());
        if let Some((octets, version, flags)) = self.edns {
            query[11] = 1;
            query.extend_from_slice(&opt(octets, version, flags, &[]));
        }
        query
    }

    fn send(&self, query: &[u8]) -> (Outcome, Vec<u8>) {
        let settings = Settings {
            version: self.version.clone(),
            identity: self.identity.clone(),
            udp_octets_max: self.octets_max,
            ..Settings::default()
        };
        let context = Context {
            published: &self.published,
            settings: &settings,
            transport: self.transport,
            now: Instant::now(),
            reserve: self.reserve,
        };
        let mut out = b"untouched".to_vec();
        let outcome = answer(query, &context, &mut out);
        (outcome, out)
    }

    fn octets(&self) -> Vec<u8> {
        let (outcome, octets) = self.send(&self.query());
        let rcode = u16::from(Seen::of(&octets).rcode);
        assert!(
            matches!(outcome, Outcome::Answered(told) if told.code() == rcode),
            "{outcome:?}, and sent {rcode}"
        );
        octets
    }

    fn get(&self) -> Seen {
        Seen::of(&self.octets())
    }
}

fn opt(octets: u16, version: u8, flags: u16, options: &[u8]) -> Vec<u8> {
    let mut opt = vec![0, 0, 41];
    opt.extend_from_slice(&octets.to_be_bytes());
    opt.extend_from_slice(&[0, version]);
    opt.extend_from_slice(&flags.to_be_bytes());
    opt.extend_from_slice(&(options.len() as u16).to_be_bytes());
    opt.extend_from_slice(options);
    opt
}

fn ask(published: &Published, qname: &str, rtype: &str) -> Seen {
    Ask::new(published, qname, rtype).get()
}

/// A response as it is seen from outside, records as `owner TTL CLASS TYPE RDATA`.
#[derive(Debug)]
struct Seen {
    rcode: ResponseCode,
    aa: bool,
    tc: bool,
    question: Vec<String>,
    answer: Vec<String>,
    authority: Vec<String>,
    additional: Vec<String>,
    edns: Option<hickory_proto::op::Edns>,
}

impl Seen {
    fn of(octets: &[u8]) -> Seen {
        let message = Message::from_vec(octets).unwrap_or_else(|e| panic!("{e}: {octets:x?}"));
        let texts = |records: &[hickory_proto::rr::Record]| records.iter().map(in_text).collect();
        Seen {
            rcode: message.metadata.response_code,
            aa: message.metadata.authoritative,
            tc: message.metadata.truncation,
            question: message.queries.iter().map(|q| q.to_string()).collect(),
            answer: texts(&message.answers),
            authority: texts(&message.authorities),
            additional: texts(&message.additionals),
            edns: message.edns.clone(),
        }
    }

    /// Code and text of the extended error.
    fn ede(&self) -> Option<(u16, String)> {
        match self.edns.as_ref()?.option(EdnsCode::Unknown(15))? {
            EdnsOption::Unknown(_, data) => Some((
                u16::from_be_bytes([data[0], data[1]]),
                String::from_utf8(data[2..].to_vec()).unwrap(),
            )),
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    fn is_negative(&self, rcode: ResponseCode) {
        assert_eq!(self.rcode, rcode, "{self:?}");
        assert!(self.aa, "{self:?}");
        assert_eq!(self.authority, [NEGATIVE_SOA], "{self:?}");
    }
}

/// The decoder knows no DNAME.
fn in_text(record: &hickory_proto::rr::Record) -> String {
    let RData::Unknown { code, rdata: data } = &record.data else {
        return record.to_string();
    };
    let rtype = Rtype((*code).into());
    let data = rdata::to_text(rtype, &data.anything);
    format!("{} {} IN {rtype} {data}", record.name, record.ttl)
}

/// TTL 300, not 3600: the SOA's MINIMUM is lower.
const NEGATIVE_SOA: &str = "example. 300 IN SOA ns1.example. host.example. 1 2 3 4 300";
