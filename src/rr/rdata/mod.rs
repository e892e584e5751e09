//! RDATA: checked and uncompressed from messages, to and from presentation form.
//!
//! Read in order: `form` (the table of what each type is made of), `walk` (over wire form), `scan`
//! (from presentation form), `print` (to it); then what has a form of its own: `bitmap`, `loc`,
//! `svcb`, `apl`, `hip`, `sigtime`, `mnemonic`, `text`. `soa` is the one whose numbers we count by.
//!
//! RDATA of a type that the table lacks is kept as it came (RFC 3597), and written in the generic
//! form `\# length hex`. So is what presentation form would not bring back to the same octets.

mod apl;
mod bitmap;
mod form;
mod hip;
mod loc;
mod mnemonic;
mod print;
mod scan;
mod sigtime;
mod soa;
mod svcb;
#[cfg(test)]
pub mod testing;
#[cfg(test)]
mod tests;
mod text;
mod walk;

use std::borrow::Cow;
use std::fmt::Write;

use form::{Field, Names};
use scan::Scan;
use walk::Pointers;

use super::token::{Lexer, Token};
use super::{Name, Rtype};

pub use scan::{ScanError, duration_secs};
pub use soa::Soa;
pub use text::unescaped;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RdataError {
    #[error("{0} is a type of questions, not of data")]
    MetaType(Rtype),
    #[error("{rtype} data do not parse: {reason}")]
    Malformed { rtype: Rtype, reason: String },
    #[error("RDATA is longer than 65535 octets")]
    Long,
}

fn malformed(rtype: Rtype, reason: impl std::fmt::Display) -> RdataError {
    RdataError::Malformed {
        rtype,
        reason: reason.to_string(),
    }
}

/// The RDATA that stands at `start..start + len` of a message: checked, names uncompressed, their
/// spelling kept.
pub fn from_message(
    rtype: Rtype,
    message: &[u8],
    start: usize,
    len: usize,
) -> Result<Box<[u8]>, RdataError> {
    if rtype.is_meta() {
        return Err(RdataError::MetaType(rtype));
    }
    let place = start..start.saturating_add(len);
    let octets = message
        .get(place.clone())
        .ok_or_else(|| malformed(rtype, "they go on behind the end of the message"))?;
    let Some(form) = form::form(rtype) else {
        return Ok(octets.into());
    };
    let mut wire = Vec::with_capacity(len);
    let mut append = |_, octets: &[u8]| wire.extend_from_slice(octets);
    walk::walk(form, message, place, Pointers::Followed, &mut append)
        .map_err(|flaw| malformed(rtype, flaw))?;
    match wire.len() {
        0..=0xFFFF => Ok(wire.into()),
        _ => Err(RdataError::Long),
    }
}

/// Checks RDATA that is already uncompressed.
pub fn check(rtype: Rtype, rdata: &[u8]) -> Result<(), RdataError> {
    if rtype.is_meta() {
        return Err(RdataError::MetaType(rtype));
    }
    if rdata.len() > usize::from(u16::MAX) {
        return Err(RdataError::Long);
    }
    fields(rtype, rdata, |_, _| {}).map_err(|flaw| malformed(rtype, flaw))
}

/// Calls `visit` with the fields of uncompressed RDATA, of which an unknown type has none.
fn fields(
    rtype: Rtype,
    rdata: &[u8],
    mut visit: impl FnMut(Field, &[u8]),
) -> Result<(), walk::Flaw> {
    match form::form(rtype) {
        Some(form) => walk::walk(form, rdata, 0..rdata.len(), Pointers::Refused, &mut visit),
        None => Ok(()),
    }
}

/// RDATA as it is compared (RFC 2136 §1.1.1, RFC 4034 §6.2): names inside in lower case, of the
/// types that RFC 4034 lists.
pub fn canonical(rtype: Rtype, rdata: &[u8]) -> Cow<'_, [u8]> {
    let keeps_case = form::form(rtype).is_none_or(|form| form.names == Names::Plain);
    if keeps_case || !rdata.iter().any(u8::is_ascii_uppercase) {
        return Cow::Borrowed(rdata);
    }
    let mut wire = Vec::with_capacity(rdata.len());
    let lowered = fields(rtype, rdata, |field, octets| match field {
        Field::Name => wire.extend(octets.iter().map(u8::to_ascii_lowercase)),
        _ => wire.extend_from_slice(octets),
    });
    match lowered {
        Ok(()) => Cow::Owned(wire),
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

/// Address and protocol of a record of well-known services (WKS, RFC 1035 §3.4.2): a name has one
/// record of each pair.
pub fn service(rdata: &[u8]) -> Option<&[u8]> {
    rdata.get(..5)
}

/// Whether data of this type are written in a form of their own.
pub fn has_own_form(rtype: Rtype) -> bool {
    form::form(rtype).is_some()
}

/// Presentation form, names absolute, on one line.
pub fn to_text(rtype: Rtype, rdata: &[u8]) -> String {
    typed_text(rtype, rdata).unwrap_or_else(|| generic_text(rdata))
}

/// The form that the type has of its own, where it has one that reads back to the same octets.
fn typed_text(rtype: Rtype, rdata: &[u8]) -> Option<String> {
    form::form(rtype)?;
    let mut text = String::new();
    let mut printed = Ok(());
    fields(rtype, rdata, |field, octets| {
        printed = printed.and_then(|()| print::field(field, octets, &mut text));
    })
    .ok()?;
    printed.ok().map(|()| text)
}

/// The form that any data have: `\# length octets` (RFC 3597 §5).
pub fn generic_text(rdata: &[u8]) -> String {
    let mut text = format!("\\# {}", rdata.len());
    if !rdata.is_empty() {
        text.push(' ');
    }
    for octet in rdata {
        let _ = write!(text, "{octet:02X}");
    }
    text
}

/// Reads presentation form; every name must be absolute.
pub fn from_text(rtype: Rtype, text: &str) -> Result<Box<[u8]>, RdataError> {
    if rtype.is_meta() {
        return Err(RdataError::MetaType(rtype));
    }
    let mut lexer = Lexer::new(text.as_bytes());
    let mut tokens = Vec::new();
    if let Some(Err(uncut)) = lexer.entry(&mut tokens) {
        return Err(malformed(rtype, uncut));
    }
    let wire = from_tokens(rtype, &tokens, None).map_err(|error| malformed(rtype, error))?;
    match lexer.entry(&mut Vec::new()) {
        None => Ok(wire),
        Some(_) => Err(malformed(rtype, "there is another line behind them")),
    }
}

/// Reads presentation form from the tokens of a zone file; names may be relative to the origin.
pub fn from_tokens(
    rtype: Rtype,
    tokens: &[Token],
    origin: Option<&Name>,
) -> Result<Box<[u8]>, ScanError> {
    let mut scan = Scan::new(tokens, origin);
    match (scan.generic(), form::form(rtype)) {
        (Some(read), _) => read?,
        (None, Some(form)) => {
            for &field in form.fields {
                scan.field(field)?;
            }
            scan.end()?;
        }
        (None, None) => {
            return Err(ScanError {
                token: 0,
                reason: format!("expected \\# LENGTH HEX, the form of {rtype} data (RFC 3597 §5)"),
            });
        }
    }
    match check(rtype, &scan.wire) {
        Ok(()) => Ok(scan.wire.into()),
        Err(RdataError::Malformed { reason, .. }) => Err(scan.flawed(reason)),
        Err(error) => Err(scan.flawed(error)),
    }
}
