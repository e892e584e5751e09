//! The message (RFC 2136 §2): zone, prerequisites and updates, as they came.

use crate::rr::message::{CLASS_IN, CLASS_NONE, HEADER_OCTETS, OPCODE_UPDATE, Rcode};
use crate::rr::rdata::{self, RdataError};
use crate::rr::{Name, Rtype};

/// An update message that could be read. What its records ask for is judged section by section, so
/// that the RCODE is that of the first thing wrong in the order of the RFC.
#[derive(Debug, Clone)]
pub struct UpdateMessage {
    pub zone: Name,
    pub(super) prerequisites: Vec<Entry>,
    pub(super) updates: Vec<Entry>,
}

impl UpdateMessage {
    /// The owners that the update section names.
    pub fn owners(&self) -> impl Iterator<Item = &Name> {
        self.updates.iter().map(|entry| &entry.owner)
    }
}

/// One record of the prerequisite or of the update section.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub owner: Name,
    pub rtype: Rtype,
    pub class: u16,
    pub ttl: u32,
    /// Octets of RDATA in the message.
    pub rdata_octets: usize,
    /// The RDATA uncompressed, or why there are none. Of class ANY, which has none, empty.
    pub rdata: Result<Box<[u8]>, RdataError>,
}

/// Why a message is answered with an error, by the rules of the RFC alone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{rcode}: {reason}")]
pub struct Failure {
    pub rcode: Rcode,
    /// One sentence.
    pub reason: String,
}

impl Failure {
    pub(super) fn new(rcode: Rcode, reason: impl Into<String>) -> Failure {
        Failure {
            rcode,
            reason: reason.into(),
        }
    }

    pub(super) fn formerr(reason: impl Into<String>) -> Failure {
        Failure::new(Rcode::FormErr, reason)
    }

    pub(super) fn notzone(owner: &Name, origin: &Name) -> Failure {
        Failure::new(
            Rcode::NotZone,
            format!("{owner} is outside the zone {origin}"),
        )
    }
}

/// Reads a message of opcode UPDATE. The additional section (§2.6) must be well formed and is not
/// looked at: TSIG has been taken off before, OPT is the door's, and offered glue is not needed.
pub fn parse(message: &[u8]) -> Result<UpdateMessage, Failure> {
    let short = || Failure::formerr("the message is shorter than its header");
    let header = message.first_chunk::<HEADER_OCTETS>().ok_or_else(short)?;
    if message.len() > usize::from(u16::MAX) {
        return Err(Failure::formerr("the message is longer than 65535 octets"));
    }
    if header[2] & 0x80 != 0 || (header[2] >> 3) & 0x0F != OPCODE_UPDATE {
        return Err(Failure::formerr("the message is not an update request"));
    }
    let count = |at: usize| u16::from_be_bytes([header[at], header[at + 1]]);
    if count(4) != 1 {
        return Err(Failure::formerr(format!(
            "the zone section has {} records, not one",
            count(4)
        )));
    }
    let mut cursor = Cursor {
        message,
        at: HEADER_OCTETS,
    };
    let zone = cursor.zone()?;
    let prerequisites = cursor.section(count(6), "prerequisite")?;
    let updates = cursor.section(count(8), "update")?;
    for index in 0..count(10) {
        cursor
            .head()
            .and_then(|head| cursor.skip(head.rdata_octets))
            .map_err(|reason| broken("additional", index, &reason))?;
    }
    match message.len() - cursor.at {
        0 => Ok(UpdateMessage {
            zone,
            prerequisites,
            updates,
        }),
        extra => Err(Failure::formerr(format!(
            "{extra} octets follow the last record"
        ))),
    }
}

fn broken(section: &str, index: u16, reason: &str) -> Failure {
    let number = index + 1;
    Failure::formerr(format!(
        "record {number} of the {section} section cannot be read: {reason}"
    ))
}

struct Cursor<'a> {
    message: &'a [u8],
    at: usize,
}

/// A record up to its RDATA.
struct Head {
    owner: Name,
    rtype: Rtype,
    class: u16,
    ttl: u32,
    rdata_octets: usize,
}

impl Cursor<'_> {
    fn octets<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let octets = self.message[self.at..]
            .first_chunk::<N>()
            .ok_or("the message ends in it")?;
        self.at += N;
        Ok(*octets)
    }

    fn number(&mut self) -> Result<u16, String> {
        self.octets().map(u16::from_be_bytes)
    }

    fn name(&mut self) -> Result<Name, String> {
        let (name, next) =
            Name::from_message(self.message, self.at).map_err(|error| error.to_string())?;
        self.at = next;
        Ok(name)
    }

    fn skip(&mut self, octets: usize) -> Result<(), String> {
        if self.message.len() - self.at < octets {
            return Err("the message ends in its data".to_owned());
        }
        self.at += octets;
        Ok(())
    }

    /// §3.1.1. A zone of a class other than IN is one that we cannot have (§3.1.2).
    fn zone(&mut self) -> Result<Name, Failure> {
        let mut read = || Ok((self.name()?, Rtype(self.number()?), self.number()?));
        let (zone, rtype, class) = read().map_err(|reason: String| {
            Failure::formerr(format!("the zone section cannot be read: {reason}"))
        })?;
        if rtype != Rtype::SOA {
            return Err(Failure::formerr(format!(
                "the type of the zone section is {rtype}, not SOA"
            )));
        }
        if class != CLASS_IN {
            return Err(Failure::new(
                Rcode::NotAuth,
                format!("{zone} of class {class} is not a zone of this server, which has IN alone"),
            ));
        }
        Ok(zone)
    }

    fn head(&mut self) -> Result<Head, String> {
        Ok(Head {
            owner: self.name()?,
            rtype: Rtype(self.number()?),
            class: self.number()?,
            ttl: self.octets().map(u32::from_be_bytes)?,
            rdata_octets: usize::from(self.number()?),
        })
    }

    fn section(&mut self, count: u16, what: &str) -> Result<Vec<Entry>, Failure> {
        let mut entries = Vec::new();
        for index in 0..count {
            let entry = self.entry().map_err(|why| broken(what, index, &why))?;
            entries.push(entry);
        }
        Ok(entries)
    }

    fn entry(&mut self) -> Result<Entry, String> {
        let head = self.head()?;
        if head.rtype == Rtype::OPT {
            return Err("OPT stands in the additional section alone (RFC 6891 §6.1.1)".to_owned());
        }
        let start = self.at;
        self.skip(head.rdata_octets)?;
        let rdata = match head.class {
            CLASS_IN | CLASS_NONE => {
                rdata::from_message(head.rtype, self.message, start, head.rdata_octets)
            }
            _ => Ok(Box::default()),
        };
        // A message that cannot be read is not looked into further. Which types may stand where,
        // and which records have no data, is judged in its turn (§3.2, §3.4.1).
        if let Err(error) = &rdata
            && !matches!(error, RdataError::MetaType(_))
            && !(head.class == CLASS_NONE && head.rdata_octets == 0)
        {
            return Err(error.to_string());
        }
        Ok(Entry {
            owner: head.owner,
            rtype: head.rtype,
            class: head.class,
            ttl: head.ttl,
            rdata_octets: head.rdata_octets,
            rdata,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rr::message::{CLASS_ANY, CLASS_CH};
    use crate::update::testing::{ADDITIONAL, PREREQUISITE, Request, UPDATE, name};

    fn rcode(octets: &[u8]) -> Result<(), Rcode> {
        parse(octets).map(drop).map_err(|failure| failure.rcode)
    }

    fn patched(at: usize, octet: u8) -> Vec<u8> {
        let mut octets = Request::new().octets;
        octets[at] = octet;
        octets
    }

    #[test]
    fn a_zone_section_that_is_not_one_soa_question_is_formerr() {
        assert_eq!(rcode(&Request::new().octets), Ok(()));
        for (what, octets) in [
            ("no zone", patched(5, 0)),
            ("two zones", patched(5, 2)),
            ("type A", Request::of_zone(Rtype::A, CLASS_IN).octets),
            ("type ANY", Request::of_zone(Rtype::ANY, CLASS_IN).octets),
        ] {
            assert_eq!(rcode(&octets), Err(Rcode::FormErr), "{what}");
        }
    }

    #[test]
    fn a_zone_of_another_class_is_not_ours() {
        for class in [CLASS_CH, CLASS_NONE, CLASS_ANY, 0] {
            let octets = Request::of_zone(Rtype::SOA, class).octets;
            assert_eq!(rcode(&octets), Err(Rcode::NotAuth), "class {class}");
        }
    }

    #[test]
    fn messages_that_are_no_update_or_end_early_or_late_are_formerr() {
        let whole = Request::new().add("www 60 A 192.0.2.1").raw(
            ADDITIONAL,
            &[0],
            Rtype::OPT,
            1232,
            0,
            &[],
        );
        assert_eq!(rcode(&whole.octets), Ok(()));
        for end in 0..whole.octets.len() {
            assert_eq!(rcode(&whole.octets[..end]), Err(Rcode::FormErr), "{end}");
        }
        let mut late = whole.octets.clone();
        late.push(0);
        assert_eq!(rcode(&late), Err(Rcode::FormErr));
        assert_eq!(rcode(&patched(2, 0xA8)), Err(Rcode::FormErr), "a response");
        assert_eq!(rcode(&patched(2, 0)), Err(Rcode::FormErr), "a query");
        for section in [PREREQUISITE, UPDATE, ADDITIONAL] {
            let octets = patched(section + 1, 1);
            assert_eq!(rcode(&octets), Err(Rcode::FormErr), "count at {section}");
        }
        assert_eq!(rcode(&vec![0x28; 70_000]), Err(Rcode::FormErr));
    }

    #[test]
    fn data_that_do_not_parse_are_formerr_wherever_they_stand() {
        let www = b"\x03www\xC0\x0C";
        let short = [192, 0, 2];
        for section in [PREREQUISITE, UPDATE] {
            let opt = Request::new().raw(section, &[0], Rtype::OPT, 1232, 0, &[]);
            assert_eq!(rcode(&opt.octets), Err(Rcode::FormErr));
            for class in [CLASS_IN, CLASS_NONE] {
                let octets = Request::new().raw(section, www, Rtype::A, class, 0, &short);
                assert_eq!(rcode(&octets.octets), Err(Rcode::FormErr), "class {class}");
            }
            // These have no data, or none that could parse: it is judged in its turn.
            for (class, rtype) in [
                (CLASS_NONE, Rtype::A),
                (CLASS_ANY, Rtype::A),
                (CLASS_IN, Rtype::ANY),
            ] {
                let octets = Request::new().raw(section, www, rtype, class, 0, &[]);
                assert_eq!(rcode(&octets.octets), Ok(()), "class {class}");
            }
        }
    }

    #[test]
    fn what_stands_in_the_additional_section_is_skipped() {
        let message = Request::new()
            .add("www 60 A 192.0.2.1")
            .raw(
                ADDITIONAL,
                b"\x01k\0",
                Rtype::TSIG,
                CLASS_ANY,
                0,
                &[1, 2, 3],
            )
            .raw(ADDITIONAL, &[0], Rtype::SIG, CLASS_ANY, 0, &[9; 20])
            .raw(ADDITIONAL, &[0xC0, 12], Rtype::A, CLASS_IN, 0, &[1]);
        assert_eq!(parse(&message.octets).unwrap().updates.len(), 1);
    }

    #[test]
    fn compressed_names_are_read_in_owners_and_data() {
        let message = Request::new()
            .raw(
                UPDATE,
                b"\x03Www\xC0\x0C",
                Rtype::CNAME,
                CLASS_IN,
                5,
                b"\x03api\xC0\x0C",
            )
            .raw(
                UPDATE,
                b"\xC0\x0C",
                Rtype::MX,
                CLASS_IN,
                5,
                b"\0\x0A\xC0\x1D",
            );
        let message = parse(&message.octets).unwrap();
        assert_eq!(message.zone, name("example.com."));
        let [www, mx] = &message.updates[..] else {
            panic!("two updates");
        };
        assert!(www.owner.same_spelling(&name("Www.example.com.")));
        assert_eq!(
            www.rdata.as_deref().unwrap(),
            name("api.example.com.").as_wire()
        );
        assert_eq!(mx.owner, name("example.com."));
        assert_eq!(
            mx.rdata.as_deref().unwrap()[2..],
            *name("Www.example.com.").as_wire()
        );
    }
}
