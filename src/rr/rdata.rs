//! RDATA: checked and uncompressed from messages, to and from presentation form.
//!
//! The library `domain` knows the types; RDATA of a type it does not know is kept as it came
//! (RFC 3597). What its presentation form would not bring back to the same octets is written in the
//! generic form `\# length hex`, so that what we print can always be read again.

use std::borrow::Cow;

use bytes::Bytes;
use domain::base::name::FlattenInto;
use domain::base::rdata::{ComposeRecordData, ParseRecordData, UnknownRecordData};
use domain::base::zonefile_fmt::{DisplayKind, ZonefileFmt};
use domain::base::{Name as LibraryName, ParsedName, Rtype as LibraryRtype};
use domain::dep::octseq::Parser;
use domain::rdata::ZoneRecordData;
use domain::zonefile::inplace::{Entry, ScannedRecordData, Zonefile};

use super::{Name, Rtype, Serial};

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RdataError {
    #[error("{0} is a type of questions, not of data")]
    MetaType(Rtype),
    #[error("{rtype} data do not parse: {reason}")]
    Malformed { rtype: Rtype, reason: String },
    #[error("{rtype} data have {extra} octets too many")]
    Trailing { rtype: Rtype, extra: usize },
    #[error("RDATA is longer than 65535 octets")]
    Long,
}

const SPF: Rtype = Rtype(99);
const CAA: Rtype = Rtype(257);

type Parsed<'a> = ZoneRecordData<&'a [u8], ParsedName<&'a [u8]>>;

fn malformed(rtype: Rtype, reason: impl std::fmt::Display) -> RdataError {
    RdataError::Malformed {
        rtype,
        reason: reason.to_string(),
    }
}

fn parse(rtype: Rtype, message: &[u8], start: usize, len: usize) -> Result<Parsed<'_>, RdataError> {
    if rtype.is_meta() {
        return Err(RdataError::MetaType(rtype));
    }
    let mut parser = Parser::from_ref(message);
    parser
        .advance(start)
        .map_err(|error| malformed(rtype, error))?;
    let mut parser = parser
        .parse_parser(len)
        .map_err(|error| malformed(rtype, error))?;
    let data = Parsed::parse_rdata(LibraryRtype::from_int(rtype.0), &mut parser)
        .map_err(|error| malformed(rtype, error))?
        .ok_or(RdataError::MetaType(rtype))?;
    match parser.remaining() {
        0 => lacks_nothing(rtype, &message[start..start + len]).map(|()| data),
        extra => Err(RdataError::Trailing { rtype, extra }),
    }
}

/// What the library lets pass: texts without a string (RFC 1035 §3.3.14), a tag without an octet
/// (RFC 8659 §4.1).
fn lacks_nothing(rtype: Rtype, rdata: &[u8]) -> Result<(), RdataError> {
    match (rtype, rdata) {
        (Rtype::TXT | SPF, []) => Err(malformed(rtype, "there is no string in it")),
        (CAA, [_, 0, ..]) => Err(malformed(rtype, "its tag is empty")),
        _ => Ok(()),
    }
}

fn compose(data: &impl ComposeRecordData, canonical: bool) -> Vec<u8> {
    let mut wire = Vec::new();
    let done = if canonical {
        data.compose_canonical_rdata(&mut wire)
    } else {
        data.compose_rdata(&mut wire)
    };
    done.expect("a Vec takes any length");
    wire
}

/// The RDATA that stands at `start..start + len` of a message: checked, names uncompressed, their
/// spelling kept.
pub fn from_message(
    rtype: Rtype,
    message: &[u8],
    start: usize,
    len: usize,
) -> Result<Box<[u8]>, RdataError> {
    let wire = compose(&parse(rtype, message, start, len)?, false);
    if wire.len() > usize::from(u16::MAX) {
        return Err(RdataError::Long);
    }
    Ok(wire.into())
}

/// Checks RDATA that is already uncompressed.
pub fn check(rtype: Rtype, rdata: &[u8]) -> Result<(), RdataError> {
    let wire = from_message(rtype, rdata, 0, rdata.len())?;
    if *wire != *rdata {
        return Err(malformed(rtype, "a name in it is compressed"));
    }
    Ok(())
}

/// RDATA as it is compared (RFC 2136 §1.1.1, RFC 4034 §6.2): names inside in lower case.
pub fn canonical(rtype: Rtype, rdata: &[u8]) -> Cow<'_, [u8]> {
    const WITH_NAMES: [u16; 17] = [2, 3, 4, 5, 6, 7, 8, 9, 12, 14, 15, 17, 33, 35, 36, 39, 46];
    if !WITH_NAMES.contains(&rtype.0) || !rdata.iter().any(u8::is_ascii_uppercase) {
        return Cow::Borrowed(rdata);
    }
    match parse(rtype, rdata, 0, rdata.len()) {
        Ok(data) => Cow::Owned(compose(&data, true)),
        Err(_) => Cow::Borrowed(rdata),
    }
}

/// The name that this RDATA refers to, where look-ups follow it: the target of CNAME, DNAME, NS,
/// MX, SRV, SVCB, HTTPS and the replacement of NAPTR.
pub fn target(rtype: Rtype, rdata: &[u8]) -> Option<Name> {
    let at = match rtype {
        Rtype::NS | Rtype::CNAME | Rtype::DNAME => 0,
        Rtype::MX | Rtype::SVCB | Rtype::HTTPS => 2,
        Rtype::SRV => 6,
        Rtype::NAPTR => {
            let mut at = 4;
            for _ in 0..3 {
                at += 1 + usize::from(*rdata.get(at)?);
            }
            at
        }
        _ => return None,
    };
    Name::from_wire_prefix(rdata.get(at..)?).ok()
}

/// The data of a SOA record (RFC 1035 §3.3.13). Times in seconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Soa {
    pub mname: Name,
    pub rname: Name,
    pub serial: Serial,
    pub refresh: u32,
    pub retry: u32,
    pub expire: u32,
    pub minimum: u32,
}

impl Soa {
    pub fn from_rdata(rdata: &[u8]) -> Option<Soa> {
        let mname = Name::from_wire_prefix(rdata).ok()?;
        let rname = Name::from_wire_prefix(&rdata[mname.len()..]).ok()?;
        let numbers = &rdata[mname.len() + rname.len()..];
        let number = |at: usize| {
            Some(u32::from_be_bytes(
                numbers.get(at * 4..at * 4 + 4)?.try_into().ok()?,
            ))
        };
        (numbers.len() == 20).then_some(())?;
        Some(Soa {
            mname,
            rname,
            serial: Serial(number(0)?),
            refresh: number(1)?,
            retry: number(2)?,
            expire: number(3)?,
            minimum: number(4)?,
        })
    }

    pub fn to_rdata(&self) -> Vec<u8> {
        let mut wire = Vec::with_capacity(self.mname.len() + self.rname.len() + 20);
        wire.extend_from_slice(self.mname.as_wire());
        wire.extend_from_slice(self.rname.as_wire());
        for number in [
            self.serial.0,
            self.refresh,
            self.retry,
            self.expire,
            self.minimum,
        ] {
            wire.extend_from_slice(&number.to_be_bytes());
        }
        wire
    }
}

/// Presentation form, names absolute, on one line.
pub fn to_text(rtype: Rtype, rdata: &[u8]) -> String {
    if let Ok(data) = parse(rtype, rdata, 0, rdata.len()) {
        let text = data.display_zonefile(DisplayKind::Simple).to_string();
        if from_text(rtype, &text).is_ok_and(|back| *back == *rdata) {
            return text;
        }
    }
    let mut text = format!("\\# {}", rdata.len());
    if !rdata.is_empty() {
        text.push(' ');
    }
    for octet in rdata {
        text.push_str(&format!("{octet:02X}"));
    }
    text
}

/// Reads presentation form; every name must be absolute.
pub fn from_text(rtype: Rtype, text: &str) -> Result<Box<[u8]>, RdataError> {
    if rtype.is_meta() {
        return Err(RdataError::MetaType(rtype));
    }
    // The library's scanner runs over the end of a text whose parentheses do not close.
    if !closes(text) {
        return Err(malformed(rtype, "a parenthesis is opened and never closed"));
    }
    let mut file = Zonefile::from(format!(". 0 IN {rtype} {text}\n").as_str());
    let entry = file
        .next_entry()
        .map_err(|error| malformed(rtype, plain(&error)))?;
    let Some(Entry::Record(record)) = entry else {
        return Err(malformed(rtype, "it is not one record"));
    };
    match file.next_entry() {
        Ok(None) => {}
        _ => return Err(malformed(rtype, "it goes on after the end of the record")),
    }
    from_scanned(rtype, record.into_data())
}

/// Whether every parenthesis outside quotes and comments is closed again.
fn closes(text: &str) -> bool {
    let (mut open, mut quoted, mut comment) = (0usize, false, false);
    let mut octets = text.bytes();
    while let Some(octet) = octets.next() {
        match octet {
            b'\n' => comment = false,
            _ if comment => {}
            b'\\' => drop(octets.next()),
            b'"' => quoted = !quoted,
            b';' => comment = !quoted,
            b'(' if !quoted => open += 1,
            b')' if !quoted => open = open.saturating_sub(1),
            _ => {}
        }
    }
    open == 0
}

/// Scanner errors name a line and column of the scanned text; of one record's data only the reason
/// is of use.
fn plain(error: &domain::zonefile::inplace::Error) -> String {
    let text = error.to_string();
    match text.split_once(": ") {
        Some((place, reason)) if place.chars().all(|c| c.is_ascii_digit() || c == ':') => {
            reason.to_owned()
        }
        _ => text,
    }
}

/// RDATA as the zone file scanner gives it, checked: data written as `TYPEn` or in the generic form
/// are those of the type all the same (RFC 3597 §5).
pub fn from_scanned(rtype: Rtype, data: ScannedRecordData) -> Result<Box<[u8]>, RdataError> {
    let wire = match &data {
        ZoneRecordData::Unknown(unknown) => unknown_octets(unknown).to_vec(),
        known => {
            let known: ZoneRecordData<Bytes, LibraryName<Bytes>> = known.clone().flatten_into();
            compose(&known, false)
        }
    };
    if wire.len() > usize::from(u16::MAX) {
        return Err(RdataError::Long);
    }
    check(rtype, &wire)?;
    Ok(wire.into())
}

fn unknown_octets(data: &UnknownRecordData<Bytes>) -> &[u8] {
    data.data().as_ref()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presentation_form_comes_back_to_the_same_octets() {
        for (rtype, text) in [
            (Rtype::A, "192.0.2.1"),
            (Rtype::AAAA, "2001:db8::1"),
            (Rtype::CNAME, "WwW.example.com."),
            (Rtype::MX, "10 mail.example.com."),
            (Rtype::TXT, "\"v=spf1 -all\" \"a;b\\\"c\\\\d\""),
            (Rtype::SOA, "ns1.example. h\\.m.example. 1 2 3 4 5"),
            (Rtype::SRV, "0 5 5060 sip.example.com."),
            (Rtype(257), "0 issue \"ca.example.net\""),
            (Rtype::HTTPS, "1 . alpn=h2,h3"),
            (Rtype::DNAME, "other.example."),
            (Rtype(65280), "\\# 3 010203"),
            (Rtype(65280), "\\# 0"),
        ] {
            let wire = from_text(rtype, text).unwrap_or_else(|e| panic!("{rtype} {text}: {e}"));
            let again = from_text(rtype, &to_text(rtype, &wire)).unwrap();
            assert_eq!(
                wire,
                again,
                "{rtype} {text} printed as {}",
                to_text(rtype, &wire)
            );
        }
        assert_eq!(
            *from_text(Rtype::A, "\\# 4 C0000201").unwrap(),
            [192, 0, 2, 1]
        );
        assert_eq!(
            *from_text(Rtype(29), "\\# 1 00").unwrap(),
            [0],
            "LOC stays as it came"
        );
    }

    #[test]
    fn data_that_lack_what_their_type_must_have_do_not_parse() {
        for (rtype, rdata) in [
            (Rtype::TXT, &[][..]),
            (SPF, &[]),
            (CAA, &[0, 0, b'x']),
            (CAA, &[0]),
            (CAA, &[]),
            (Rtype::A, &[]),
        ] {
            let error = check(rtype, rdata);
            assert!(
                matches!(error, Err(RdataError::Malformed { .. })),
                "{rtype} {rdata:?}: {error:?}"
            );
        }
        assert_eq!(check(Rtype::TXT, &[0]), Ok(()));
        assert_eq!(check(CAA, &[0, 1, b'x']), Ok(()));
        assert!(from_text(Rtype::TXT, "\\# 0").is_err());
    }

    #[test]
    fn rows_cannot_smuggle_a_second_record() {
        for (rtype, text) in [
            (Rtype::A, "192.0.2.1\nx. 0 IN A 192.0.2.2"),
            (Rtype::A, "192.0.2.1\n$INCLUDE /etc/passwd"),
            (Rtype::A, "192.0.2.1 192.0.2.2"),
            (Rtype::A, ""),
            (Rtype::A, "\\# 3 000000"),
            (Rtype::CNAME, "relative"),
            (Rtype::OPT, "\\# 0"),
            (Rtype::A, "192.0.2.1 ("),
            (Rtype::TXT, "a text("),
            (Rtype::TXT, "(\"a)\" ;)"),
        ] {
            assert!(from_text(rtype, text).is_err(), "{rtype} {text:?}");
        }
        assert_eq!(
            from_text(Rtype::A, "300.1.1.1")
                .unwrap_err()
                .to_string()
                .split(':')
                .next(),
            Some("A data do not parse")
        );
    }

    #[test]
    fn names_in_a_message_are_uncompressed_and_keep_their_case() {
        let mut message = vec![0u8; 12];
        message.extend_from_slice(b"\x07Example\x00\x00\x0A\x01m\xC0\x0C");
        let rdata = from_message(Rtype::MX, &message, 21, 6).unwrap();
        assert_eq!(*rdata, *b"\x00\x0A\x01m\x07Example\x00");
        assert_eq!(
            *canonical(Rtype::MX, &rdata),
            *b"\x00\x0A\x01m\x07example\x00"
        );
        assert_eq!(
            target(Rtype::MX, &rdata),
            Some("m.example.".parse().unwrap())
        );
        assert!(from_message(Rtype::A, &message, 21, 6).is_err());
        assert!(from_message(Rtype::A, &message, 21, 60).is_err());
    }
}
