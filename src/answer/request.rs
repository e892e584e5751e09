//! What a request asks: a strict scan of its octets (RFC 1035 §4, RFC 6891 §6.1).

use crate::rr::message::{CLASS_IN, HEADER_OCTETS, OPCODE_QUERY};
use crate::rr::{Name, NameError, Rtype, rdata};

const NAME_OCTETS_MAX: usize = 255;
const RESPONSE: u8 = 0x80;

/// The first entry of the question section.
pub(super) struct Question {
    key: [u8; NAME_OCTETS_MAX],
    len: usize,
    pub rtype: Rtype,
    pub class: u16,
}

impl Question {
    /// QNAME in lower case.
    pub fn key(&self) -> &[u8] {
        &self.key[..self.len]
    }

    /// Where the question section of one entry ends: its name, the first in the message, cannot be
    /// compressed.
    pub fn end(&self) -> usize {
        HEADER_OCTETS + self.len + 4
    }
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Edns {
    /// The largest UDP message that the client takes.
    pub octets: usize,
    pub version: u8,
    pub dnssec_ok: bool,
    /// The name of the server is asked for (RFC 5001).
    pub identity: bool,
    /// How long a connection may idle is asked for (RFC 7828).
    pub keepalive: bool,
}

const OPTION_NSID: u16 = 3;
const OPTION_KEEPALIVE: u16 = 11;

impl Edns {
    /// From the class, the TTL and the RDATA of an OPT; `None` when its options do not fill it
    /// exactly (RFC 6891 §6.1.2). What an option may hold besides its code is not looked at: a
    /// server ignores it (RFC 5001 §2.1), as it does options that it does not know.
    fn read(class: u16, ttl: [u8; 4], mut rdata: &[u8]) -> Option<Edns> {
        let mut edns = Edns {
            octets: usize::from(class),
            version: ttl[1],
            dnssec_ok: ttl[2] & 0x80 != 0,
            identity: false,
            keepalive: false,
        };
        while !rdata.is_empty() {
            let number =
                |at: usize| Some(u16::from_be_bytes([*rdata.get(at)?, *rdata.get(at + 1)?]));
            let (code, len) = (number(0)?, number(2)?);
            rdata = rdata.get(4 + usize::from(len)..)?;
            // What a later version calls by these codes is not known.
            match code {
                OPTION_NSID => edns.identity = edns.version == 0,
                OPTION_KEEPALIVE => edns.keepalive = edns.version == 0,
                _ => {}
            }
        }
        Some(edns)
    }
}

/// A request as far as it could be read.
pub(super) struct Request<'r> {
    pub octets: &'r [u8],
    pub question: Option<Question>,
    pub edns: Option<Edns>,
    /// Whether a TSIG is present; it may be malformed or misplaced.
    pub signed: bool,
    /// FORMERR is due.
    pub malformed: bool,
}

/// The opcode of a request; `None` when no reply is due.
pub(super) fn opcode(octets: &[u8]) -> Option<u8> {
    (octets.len() >= HEADER_OCTETS && octets[2] & RESPONSE == 0).then(|| octets[2] >> 3 & 0xF)
}

#[derive(PartialEq, Clone, Copy)]
enum Section {
    Answer,
    Authority,
    Additional,
}

/// The message ends early, or a name in it is broken: nothing behind can be read.
struct Broken;

impl From<NameError> for Broken {
    fn from(_: NameError) -> Self {
        Broken
    }
}

impl<'r> Request<'r> {
    /// `None` when no reply is due: less than a header, or itself a reply.
    pub fn scan(octets: &'r [u8]) -> Option<Request<'r>> {
        opcode(octets)?;
        let mut request = Request {
            octets,
            question: None,
            edns: None,
            signed: false,
            malformed: false,
        };
        // What stands behind the last record is ignored, as by BIND and NSD; where it matters, behind
        // a signature, `tsig` looks.
        if request.sections().is_err() {
            request.malformed = true;
        }
        Some(request)
    }

    pub fn opcode(&self) -> u8 {
        self.octets[2] >> 3 & 0xF
    }

    fn sections(&mut self) -> Result<(), Broken> {
        let mut at = HEADER_OCTETS;
        let questions = self.u16_at(4)?;
        // One question a message (RFC 9619); the rest is read on for its OPT.
        self.malformed = questions != 1;
        for _ in 0..questions {
            at = self.question(at)?;
        }
        for (section, count_at) in [
            (Section::Answer, 6),
            (Section::Authority, 8),
            (Section::Additional, 10),
        ] {
            for _ in 0..self.u16_at(count_at)? {
                at = self.record(section, at)?;
            }
        }
        Ok(())
    }

    fn u16_at(&self, at: usize) -> Result<u16, Broken> {
        match self.octets.get(at..at + 2) {
            Some(octets) => Ok(u16::from_be_bytes([octets[0], octets[1]])),
            None => Err(Broken),
        }
    }

    fn question(&mut self, at: usize) -> Result<usize, Broken> {
        let mut key = [0; NAME_OCTETS_MAX];
        let (len, end) = Name::read(self.octets, at, &mut key)?;
        let (rtype, class) = (Rtype(self.u16_at(end)?), self.u16_at(end + 2)?);
        if self.question.is_none() {
            key[..len].make_ascii_lowercase();
            self.question = Some(Question {
                key,
                len,
                rtype,
                class,
            });
        }
        Ok(end + 4)
    }

    fn record(&mut self, section: Section, at: usize) -> Result<usize, Broken> {
        let mut owner = [0; NAME_OCTETS_MAX];
        let (owner_len, at) = Name::read(self.octets, at, &mut owner)?;
        let rtype = Rtype(self.u16_at(at)?);
        let rdata_at = at + 10;
        let end = rdata_at + usize::from(self.u16_at(at + 8)?);
        let rdata = self.octets.get(rdata_at..end).ok_or(Broken)?;
        match rtype {
            Rtype::OPT => {
                let is_placed = section == Section::Additional && owner_len == 1;
                let (class, ttl) = (self.u16_at(at + 2)?, &self.octets[at + 4..at + 8]);
                let ttl = ttl.try_into().expect("four octets");
                match Edns::read(class, ttl, rdata) {
                    Some(edns) if is_placed && self.edns.is_none() => self.edns = Some(edns),
                    _ => self.malformed = true,
                }
            }
            Rtype::TSIG if section == Section::Additional => self.signed = true,
            // RFC 8945 §5.1.
            Rtype::TSIG => self.malformed = true,
            // Records have no business in a query; one that is broken is FORMERR to everybody else.
            _ if self.opcode() == OPCODE_QUERY && self.u16_at(at + 2)? == CLASS_IN => {
                self.malformed |=
                    rdata::from_message(rtype, self.octets, rdata_at, rdata.len()).is_err();
            }
            _ => {}
        }
        Ok(end)
    }
}
