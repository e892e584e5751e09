//! A reply as it is compared: decoded by `domain`, which the server's encoder does not use, names in
//! lower case, records in order.

use std::fmt;

use domain::base::iana::Class;
use domain::base::message::RecordSection;
use domain::base::rdata::ComposeRecordData;
use domain::base::{Message, ParsedName, Rtype, ToName};
use domain::rdata::ZoneRecordData;
use lastgood::rr::{self, rdata};

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Record {
    /// Wire form, lower case.
    pub owner: Vec<u8>,
    pub rtype: rr::Rtype,
    pub class: u16,
    pub ttl: u32,
    pub rdata: Vec<u8>,
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let owner = rr::Name::from_wire(&self.owner).expect("a name");
        let class = Class::from_int(self.class);
        let (ttl, rtype) = (self.ttl, self.rtype);
        let data = rdata::to_text(rtype, &self.rdata);
        write!(f, "{owner} {ttl} {class} {rtype} {data}")
    }
}

/// What one server said to one question.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct View {
    pub rcode: u16,
    pub aa: bool,
    pub tc: bool,
    pub answer: Vec<Record>,
    pub authority: Vec<Record>,
    pub additional: Vec<Record>,
    /// Of the message.
    pub octets: usize,
    /// Nothing came, or nothing that decodes.
    pub lost: Option<String>,
}

impl View {
    pub fn of(reply: Option<&[u8]>) -> View {
        let lost = |why: &str| View {
            lost: Some(why.to_owned()),
            ..View::default()
        };
        match reply {
            None => lost("silent"),
            Some(octets) => View::read(octets).unwrap_or_else(|| lost("broken")),
        }
    }

    fn read(octets: &[u8]) -> Option<View> {
        let message = Message::from_octets(octets).ok()?;
        let header = message.header();
        let (_, answer, authority, additional) = message.sections().ok()?;
        Some(View {
            rcode: message.opt_rcode().to_int(),
            aa: header.aa(),
            tc: header.tc(),
            answer: records(answer)?,
            authority: records(authority)?,
            additional: records(additional)?,
            octets: octets.len(),
            lost: None,
        })
    }

    /// Whether this is what a zone that is served says of its SOA.
    pub fn is_loaded(&self) -> bool {
        self.lost.is_none() && self.aa && self.answer.iter().any(|r| r.rtype == rr::Rtype::SOA)
    }

    /// The NS of a cut, where this is a referral.
    pub fn is_referral(&self) -> bool {
        !self.authority.is_empty()
            && self.authority.iter().any(|r| r.rtype == rr::Rtype::NS)
            && (!self.aa || self.answer.iter().any(|r| r.rtype == rr::Rtype::CNAME))
    }
}

fn records(section: RecordSection<'_, &[u8]>) -> Option<Vec<Record>> {
    let mut records = Vec::new();
    for record in section {
        let record = record.ok()?;
        if record.rtype() == Rtype::OPT {
            continue;
        }
        let (owner, class, ttl) = (record.owner(), record.class(), record.ttl());
        let rtype = record.rtype().to_int();
        let mut canonical = Vec::new();
        let wire = owner.to_canonical_name::<Vec<u8>>().into_octets();
        let known = record
            .to_record::<ZoneRecordData<_, ParsedName<_>>>()
            .ok()??;
        known.data().compose_canonical_rdata(&mut canonical).ok()?;
        records.push(Record {
            owner: wire,
            rtype: rr::Rtype(rtype),
            class: class.to_int(),
            ttl: ttl.as_secs(),
            // The library does not know the names in data of every type.
            rdata: rdata::canonical(rr::Rtype(rtype), &canonical).into_owned(),
        });
    }
    records.sort();
    Some(records)
}

impl fmt::Display for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(lost) = &self.lost {
            return write!(f, "{lost}");
        }
        write!(f, "{} octets, rcode {}", self.octets, self.rcode)?;
        for (flag, set) in [("aa", self.aa), ("tc", self.tc)] {
            if set {
                write!(f, " {flag}")?;
            }
        }
        for (section, records) in [
            ("answer", &self.answer),
            ("authority", &self.authority),
            ("additional", &self.additional),
        ] {
            for record in records {
                write!(f, "\n      {section} {record}")?;
            }
        }
        Ok(())
    }
}
