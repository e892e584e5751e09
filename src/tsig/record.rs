//! The TSIG record (RFC 8945 §4.2): finding it in a message, reading and writing it.

use crate::rr::message::{CLASS_ANY, HEADER_OCTETS};
use crate::rr::{Name, Rtype};

/// The data of a TSIG record, and its owner, the key.
#[derive(Debug, Clone)]
pub(super) struct Tsig {
    pub key: Name,
    pub algorithm: Name,
    /// Seconds since 1970, 48 bits.
    pub time_signed: u64,
    pub fudge: u16,
    pub mac: Vec<u8>,
    pub original_id: u16,
    pub error: u16,
    pub other: Vec<u8>,
}

/// What walking over a message has found.
pub(super) struct Walked {
    /// The record and the offset where it starts.
    pub tsig: Option<(Tsig, usize)>,
    /// Behind the first question.
    pub question_end: Option<usize>,
    pub has_opt: bool,
}

/// The message cannot be read, or its TSIG record is not where and what it must be.
#[derive(Debug)]
pub(super) struct Malformed;

/// Walks over all records. A TSIG record must be the last thing in the message, of class ANY and
/// TTL 0 (§4.2, §5.2); octets behind it would not be signed.
pub(super) fn walk(message: &[u8]) -> Result<Walked, Malformed> {
    if message.len() < HEADER_OCTETS || message.len() > usize::from(u16::MAX) {
        return Err(Malformed);
    }
    let mut walked = Walked {
        tsig: None,
        question_end: None,
        has_opt: false,
    };
    let mut cursor = Cursor {
        message,
        at: HEADER_OCTETS,
        end: message.len(),
    };
    let count = |at: usize| u16::from_be_bytes([message[at], message[at + 1]]);
    for _ in 0..count(4) {
        cursor.name()?;
        cursor.octets::<4>()?;
        walked.question_end.get_or_insert(cursor.at);
    }
    let additional = u32::from(count(6)) + u32::from(count(8));
    let records = additional + u32::from(count(10));
    for index in 0..records {
        let start = cursor.at;
        let owner = cursor.name()?;
        let rtype = Rtype(cursor.number()?);
        let class_ttl = cursor.octets::<6>()?;
        let rdata_octets = usize::from(cursor.number()?);
        let rdata = cursor.split(rdata_octets)?;
        walked.has_opt |= rtype == Rtype::OPT;
        if rtype == Rtype::TSIG {
            let is_last = index >= additional && index + 1 == records && cursor.at == cursor.end;
            let [high, low, ttl @ ..] = class_ttl;
            if !is_last || u16::from_be_bytes([high, low]) != CLASS_ANY || ttl != [0; 4] {
                return Err(Malformed);
            }
            walked.tsig = Some((Tsig::read(owner, rdata)?, start));
        }
    }
    Ok(walked)
}

struct Cursor<'a> {
    message: &'a [u8],
    at: usize,
    end: usize,
}

impl<'a> Cursor<'a> {
    fn slice(&mut self, octets: usize) -> Result<&'a [u8], Malformed> {
        if self.end - self.at < octets {
            return Err(Malformed);
        }
        self.at += octets;
        Ok(&self.message[self.at - octets..self.at])
    }

    fn octets<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        self.slice(N)?.try_into().map_err(|_| Malformed)
    }

    fn number(&mut self) -> Result<u16, Malformed> {
        self.octets().map(u16::from_be_bytes)
    }

    fn name(&mut self) -> Result<Name, Malformed> {
        let (name, next) =
            Name::from_message(&self.message[..self.end], self.at).map_err(|_| Malformed)?;
        self.at = next;
        Ok(name)
    }

    /// A cursor over the next octets, which this one passes.
    fn split(&mut self, octets: usize) -> Result<Cursor<'a>, Malformed> {
        let at = self.at;
        self.slice(octets)?;
        Ok(Cursor {
            message: self.message,
            at,
            end: self.at,
        })
    }
}

impl Tsig {
    fn read(key: Name, mut rdata: Cursor<'_>) -> Result<Tsig, Malformed> {
        let algorithm = rdata.name()?;
        let [a, b, c, d, e, f] = rdata.octets()?;
        let fudge = rdata.number()?;
        let mac_octets = usize::from(rdata.number()?);
        let mac = rdata.slice(mac_octets)?.to_vec();
        let original_id = rdata.number()?;
        let error = rdata.number()?;
        let other_octets = usize::from(rdata.number()?);
        let other = rdata.slice(other_octets)?.to_vec();
        if rdata.at != rdata.end {
            return Err(Malformed);
        }
        Ok(Tsig {
            key,
            algorithm,
            time_signed: u64::from_be_bytes([0, 0, a, b, c, d, e, f]),
            fudge,
            mac,
            original_id,
            error,
            other,
        })
    }

    /// Appends the record; the header's count is the caller's.
    pub fn write(&self, message: &mut Vec<u8>) {
        message.extend_from_slice(self.key.as_wire());
        message.extend_from_slice(&Rtype::TSIG.0.to_be_bytes());
        message.extend_from_slice(&CLASS_ANY.to_be_bytes());
        message.extend_from_slice(&[0; 4]);
        let rdata_octets = self.octets() - self.key.len() - RECORD_HEAD;
        message.extend_from_slice(&(rdata_octets as u16).to_be_bytes());
        message.extend_from_slice(self.algorithm.as_wire());
        message.extend_from_slice(&time48(self.time_signed));
        message.extend_from_slice(&self.fudge.to_be_bytes());
        message.extend_from_slice(&(self.mac.len() as u16).to_be_bytes());
        message.extend_from_slice(&self.mac);
        message.extend_from_slice(&self.original_id.to_be_bytes());
        message.extend_from_slice(&self.error.to_be_bytes());
        message.extend_from_slice(&(self.other.len() as u16).to_be_bytes());
        message.extend_from_slice(&self.other);
    }

    /// Octets of the whole record, uncompressed.
    pub fn octets(&self) -> usize {
        let names = self.key.len() + self.algorithm.len();
        names + RECORD_HEAD + FIXED + self.mac.len() + self.other.len()
    }
}

/// Type, class, TTL and length.
const RECORD_HEAD: usize = 10;
/// The fields of the data whose length is fixed.
const FIXED: usize = 6 + 2 + 2 + 2 + 2 + 2;

/// A time of 48 bits.
pub(super) fn time48(secs: u64) -> [u8; 6] {
    let [_, _, time @ ..] = secs.to_be_bytes();
    time
}
