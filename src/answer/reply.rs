//! The encoder: header, question as the client spelled it, whole RRsets as long as there is room,
//! OPT.

use super::compress::{Layout, Names, layout, name_prefix, stands_at};
use super::request::{Edns, Request};
use crate::rr::message::{CLASS_CH, CLASS_IN, HEADER_OCTETS, OPCODE_QUERY, Rcode};
use crate::rr::{RrSet, Rtype};

const QUESTION_POINTER: [u8; 2] = [0xC0, HEADER_OCTETS as u8];
const OPT_OCTETS: usize = 11;
const OPTION_NSID: u16 = 3;
const OPTION_KEEPALIVE: u16 = 11;
const OPTION_EDE: u16 = 15;
const OPTION_HEAD_OCTETS: usize = 4;

const FLAG_RESPONSE: u8 = 0x80;
const FLAG_AUTHORITATIVE: u8 = 0x04;
const FLAG_TRUNCATED: u8 = 0x02;
const FLAG_RECURSION_DESIRED: u8 = 0x01;
const FLAG_CHECKING_DISABLED: u8 = 0x10;
const OPCODE_BITS: u8 = 0x78;

/// What a reply may fill, and with what else than records.
pub(super) struct Room<'s> {
    /// The whole message.
    pub octets: usize,
    /// Of these, what optional records leave free for options of the OPT.
    pub option_octets: usize,
    /// The UDP size that the OPT announces.
    pub announced: u16,
    /// The name of the server, for a client that asks (RFC 5001).
    pub identity: Option<&'s str>,
    /// How long a connection may idle, in tenths of a second (RFC 7828 §3.1).
    pub keepalive: Option<u16>,
}

impl Room<'_> {
    /// The OPT with the options that are not left out.
    fn opt_octets(&self) -> usize {
        let identity = self
            .identity
            .map_or(0, |text| OPTION_HEAD_OCTETS + text.len());
        let keepalive = self.keepalive.map_or(0, |_| OPTION_HEAD_OCTETS + 2);
        OPT_OCTETS + identity + keepalive
    }
}

#[derive(Clone, Copy)]
pub(super) enum Section {
    Answer,
    Authority,
    Additional,
}

/// The owner of records.
#[derive(Clone, Copy)]
pub(super) enum Owner<'n> {
    /// The name asked for.
    Question,
    /// An uncompressed name.
    Name(&'n [u8]),
}

/// A reply being written. Sections are filled in their order; records that do not fit are left out
/// by the whole RRset.
pub(super) struct Reply<'o> {
    out: &'o mut Vec<u8>,
    room: Room<'o>,
    /// What records may fill.
    limit: usize,
    edns: Option<Edns>,
    names: Names,
    question_octets: usize,
    counts: [u16; 3],
    truncated: bool,
    copying: Copying,
}

/// Whether RRsets of the name asked for are put in as they are compiled, the names in their RDATA
/// written out.
#[derive(PartialEq)]
enum Copying {
    Allowed,
    /// It was done, and took octets that compression would have spared.
    Wasteful,
    Forbidden,
}

impl<'o> Reply<'o> {
    pub fn start(request: &Request, room: Room<'o>, out: &'o mut Vec<u8>) -> Reply<'o> {
        out.clear();
        out.extend_from_slice(&request.octets[..4]);
        out.extend_from_slice(&[0; 8]);
        let kept = match request.opcode() {
            OPCODE_QUERY => [OPCODE_BITS | FLAG_RECURSION_DESIRED, FLAG_CHECKING_DISABLED],
            _ => [OPCODE_BITS, 0],
        };
        out[2] = out[2] & kept[0] | FLAG_RESPONSE;
        out[3] &= kept[1];
        let mut names = Names::new();
        let mut question_octets = 0;
        if let Some(question) = &request.question {
            out.extend_from_slice(&request.octets[HEADER_OCTETS..question.end()]);
            out[5] = 1;
            question_octets = question.key().len();
            let name = &request.octets[HEADER_OCTETS..HEADER_OCTETS + question_octets];
            names.remember(HEADER_OCTETS, name, name.len());
        }
        let mut reply = Reply {
            limit: 0,
            out,
            room,
            edns: request.edns,
            names,
            question_octets,
            counts: [0; 3],
            truncated: false,
            copying: Copying::Allowed,
        };
        // A long name of ours behind a long question, where 512 octets are all there is.
        if reply.whole_limit() < reply.out.len() {
            reply.room.identity = None;
        }
        reply.limit = reply.whole_limit();
        reply
    }

    /// Whether something needed did not fit, but might if all names were compressed. If so, the
    /// reply is as after its start, and will compress them.
    pub fn begins_anew(&mut self) -> bool {
        if !self.truncated || self.copying != Copying::Wasteful {
            return false;
        }
        self.copying = Copying::Forbidden;
        self.truncated = false;
        self.counts = [0; 3];
        self.limit = self.whole_limit();
        self.out.truncate(HEADER_OCTETS + self.question_octets + 4);
        self.names.truncate(1);
        true
    }

    /// What records may fill, the needed ones.
    fn whole_limit(&self) -> usize {
        let opt = match self.edns {
            Some(_) => self.room.opt_octets(),
            None => 0,
        };
        self.room.octets.saturating_sub(opt)
    }

    /// Puts in an RRset; `false` when it does not fit.
    pub fn add(&mut self, section: Section, owner: Owner, rrset: &RrSet) -> bool {
        let body = rrset.body();
        let at = self.out.len();
        // The plain answer: a copy.
        if matches!(owner, Owner::Question)
            && self.copying != Copying::Forbidden
            && at + body.len() <= self.limit
        {
            self.out.extend_from_slice(body);
            self.counts[section as usize] += rrset.len() as u16;
            self.remember_names_of_copy(at, rrset);
            return true;
        }
        self.add_with_ttl(section, owner, rrset, rrset.ttl())
    }

    /// As [`Reply::add`], with another TTL, and names in RDATA compressed where they may be.
    pub fn add_with_ttl(
        &mut self,
        section: Section,
        owner: Owner,
        rrset: &RrSet,
        ttl: u32,
    ) -> bool {
        let start = (self.out.len(), self.names.count());
        for rdata in rrset.rdatas() {
            self.record(owner, rrset.rtype(), CLASS_IN, ttl);
            self.rdata(rrset.rtype(), rdata);
            if !self.fits_or_goes_back(start) {
                return false;
            }
        }
        self.counts[section as usize] += rrset.len() as u16;
        true
    }

    /// Puts in the CNAME that a DNAME stands for (RFC 6672 §3.1); `false` when it does not fit.
    pub fn add_cname(&mut self, owner: Owner, ttl: u32, target: &[u8]) -> bool {
        let start = (self.out.len(), self.names.count());
        self.record(owner, Rtype::CNAME, CLASS_IN, ttl);
        self.rdata(Rtype::CNAME, target);
        let fits = self.fits_or_goes_back(start);
        self.counts[Section::Answer as usize] += u16::from(fits);
        fits
    }

    /// Puts in texts of the server itself: CH TXT, all or none.
    pub fn chaos_texts(&mut self, texts: &[String]) {
        let start = (self.out.len(), self.names.count());
        for text in texts {
            self.record(Owner::Question, Rtype::TXT, CLASS_CH, 0);
            let at = self.out.len();
            self.out.extend_from_slice(&[0, 0]);
            for part in text.as_bytes().chunks(255) {
                self.out.push(part.len() as u8);
                self.out.extend_from_slice(part);
            }
            if text.is_empty() {
                self.out.push(0);
            }
            self.end_rdata(at);
            if !self.fits_or_goes_back(start) {
                self.counts[Section::Answer as usize] = 0;
                return self.truncate();
            }
            self.counts[Section::Answer as usize] += 1;
        }
    }

    /// What was needed did not fit (RFC 2181 §9): nothing else is put in.
    pub fn truncate(&mut self) {
        self.truncated = true;
        self.limit = self.limit.min(self.out.len());
    }

    /// From here on records are optional: they leave the options of the OPT their room.
    pub fn optional_from_here(&mut self) {
        let left = self.whole_limit().saturating_sub(self.room.option_octets);
        self.limit = self.limit.min(left);
    }

    /// The name asked for, as the client spelled it.
    pub fn question_name(&self) -> &[u8] {
        &self.out[HEADER_OCTETS..HEADER_OCTETS + self.question_octets]
    }

    /// Where the next record's owner will stand.
    pub fn position(&self) -> usize {
        self.out.len()
    }

    /// Whether the record at `position` is owned by this name.
    pub fn is_owned_by(&self, position: usize, name: &[u8]) -> bool {
        stands_at(self.out, position, name, <[u8]>::eq_ignore_ascii_case)
    }

    /// Fills in the header and appends the OPT. An extended error that does not fit loses its text
    /// first. Gives back the RCODE.
    pub fn finish(self, rcode: Rcode, authoritative: bool, ede: Option<(u16, &str)>) -> Rcode {
        let out = self.out;
        out[2] |= if authoritative { FLAG_AUTHORITATIVE } else { 0 };
        out[2] |= if self.truncated { FLAG_TRUNCATED } else { 0 };
        out[3] |= rcode.code() as u8 & 0xF;
        let additional = self.counts[2] + u16::from(self.edns.is_some());
        for (at, count) in [(6, self.counts[0]), (8, self.counts[1]), (10, additional)] {
            out[at..at + 2].copy_from_slice(&count.to_be_bytes());
        }
        let Some(edns) = self.edns else {
            return rcode;
        };
        let left = self
            .room
            .octets
            .saturating_sub(out.len() + self.room.opt_octets());
        let ede = match ede {
            Some((code, text)) if left >= 6 + text.len() => Some((code, text)),
            Some((code, _)) if left >= 6 => Some((code, "")),
            _ => None,
        };
        out.extend_from_slice(&[0, 0, Rtype::OPT.0 as u8]);
        out.extend_from_slice(&self.room.announced.to_be_bytes());
        let flags = if edns.dnssec_ok { 0x80 } else { 0 };
        out.extend_from_slice(&[(rcode.code() >> 4) as u8, 0, flags, 0, 0, 0]);
        let options_at = out.len();
        if let Some(text) = self.room.identity {
            put_option(out, OPTION_NSID, &[text.as_bytes()]);
        }
        if let Some(tenths) = self.room.keepalive {
            put_option(out, OPTION_KEEPALIVE, &[&tenths.to_be_bytes()]);
        }
        if let Some((code, text)) = ede {
            put_option(out, OPTION_EDE, &[&code.to_be_bytes(), text.as_bytes()]);
        }
        let octets = (out.len() - options_at) as u16;
        out[options_at - 2..options_at].copy_from_slice(&octets.to_be_bytes());
        rcode
    }

    fn fits_or_goes_back(&mut self, (octets, names): (usize, usize)) -> bool {
        let fits = self.out.len() <= self.limit;
        if !fits {
            self.out.truncate(octets);
            self.names.truncate(names);
        }
        fits
    }

    /// A record up to its RDLENGTH.
    fn record(&mut self, owner: Owner, rtype: Rtype, class: u16, ttl: u32) {
        match owner {
            Owner::Question => self.out.extend_from_slice(&QUESTION_POINTER),
            Owner::Name(name) if self.is_question(name) => {
                self.out.extend_from_slice(&QUESTION_POINTER)
            }
            Owner::Name(name) => self.name(name),
        }
        self.out.extend_from_slice(&rtype.0.to_be_bytes());
        self.out.extend_from_slice(&class.to_be_bytes());
        self.out.extend_from_slice(&ttl.to_be_bytes());
    }

    /// Whether a name is the one asked for, which every owner equal to it points to.
    fn is_question(&self, name: &[u8]) -> bool {
        self.question_octets > 0 && self.question_name().eq_ignore_ascii_case(name)
    }

    fn name(&mut self, name: &[u8]) {
        let start = self.out.len();
        let (literal, pointer) = match self.names.longest_suffix(self.out, name) {
            Some((literal, offset)) => (literal, Some(offset)),
            None => (name.len(), None),
        };
        self.out.extend_from_slice(&name[..literal]);
        if let Some(offset) = pointer {
            self.out.extend_from_slice(&(0xC000 | offset).to_be_bytes());
        }
        self.names.remember(start, name, literal);
    }

    fn rdata(&mut self, rtype: Rtype, rdata: &[u8]) {
        let at = self.out.len();
        self.out.extend_from_slice(&[0, 0]);
        let Some(Layout {
            before,
            names,
            compressible,
        }) = layout(rtype)
        else {
            self.out.extend_from_slice(rdata);
            return self.end_rdata(at);
        };
        let (head, mut rest) = rdata.split_at(before);
        self.out.extend_from_slice(head);
        for _ in 0..names {
            let name = name_prefix(rest);
            rest = &rest[name.len()..];
            if compressible {
                self.name(name);
            } else {
                self.names.remember(self.out.len(), name, name.len());
                self.out.extend_from_slice(name);
            }
        }
        self.out.extend_from_slice(rest);
        self.end_rdata(at);
    }

    /// Sets the RDLENGTH at `at` to what was written behind it. What was longer than it can say is
    /// longer than any message, and is taken back.
    fn end_rdata(&mut self, at: usize) {
        let octets = (self.out.len() - at - 2) as u16;
        self.out[at..at + 2].copy_from_slice(&octets.to_be_bytes());
    }

    /// The names in a copied RRset, for owners of its additional records to point to.
    fn remember_names_of_copy(&mut self, at: usize, rrset: &RrSet) {
        let Some(layout) = layout(rrset.rtype()) else {
            return;
        };
        self.copying = Copying::Wasteful;
        let mut end = at;
        for (record, rdata) in rrset.compiled().zip(rrset.rdatas()) {
            end += record.len();
            let name = name_prefix(&rdata[layout.before..]);
            let offset = end - rdata.len() + layout.before;
            self.names.remember(offset, name, name.len());
        }
    }
}

fn put_option(out: &mut Vec<u8>, code: u16, parts: &[&[u8]]) {
    let octets: usize = parts.iter().map(|part| part.len()).sum();
    out.extend_from_slice(&code.to_be_bytes());
    out.extend_from_slice(&(octets as u16).to_be_bytes());
    for part in parts {
        out.extend_from_slice(part);
    }
}
