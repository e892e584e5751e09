//! Over RDATA in wire form, field by field: the one place that says whether it is well formed.

use std::ops::Range;

use super::form::{Field, Form, Names};
use super::{apl, bitmap, hip, loc, svcb};
use crate::rr::name::{NAME_OCTETS_MAX, Name, wire_len};

/// Why octets are no RDATA of their type.
pub(super) type Flaw = std::borrow::Cow<'static, str>;

/// Whether names may be pointers into the message (RFC 1035 §4.1.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pointers {
    /// Where the type allows them.
    Followed,
    Refused,
}

/// Calls `visit` with each field of the RDATA at `place` of `message` and its octets: names
/// uncompressed, lengths and what is counted by them together. A gateway comes as what it is.
pub(super) fn walk<'m>(
    form: &Form,
    message: &'m [u8],
    place: Range<usize>,
    pointers: Pointers,
    visit: &mut dyn FnMut(Field, &[u8]),
) -> Result<(), Flaw> {
    let Range { start, end } = place;
    let may_point = matches!(form.names, Names::Compressed | Names::Legacy);
    let mut walk = Walk {
        message,
        start,
        at: start,
        end,
        pointers: match may_point {
            true => pointers,
            false => Pointers::Refused,
        },
    };
    for &field in form.fields {
        walk.field(field, visit)?;
    }
    match end - walk.at {
        0 => Ok(()),
        1 => Err("there is an octet too many".into()),
        extra => Err(format!("there are {extra} octets too many").into()),
    }
}

struct Walk<'m> {
    message: &'m [u8],
    start: usize,
    at: usize,
    end: usize,
    pointers: Pointers,
}

impl<'m> Walk<'m> {
    fn rest(&self) -> &'m [u8] {
        &self.message[self.at..self.end]
    }

    fn take(&mut self, octets: usize) -> Result<&'m [u8], Flaw> {
        match self.rest().get(..octets) {
            Some(taken) => {
                self.at += octets;
                Ok(taken)
            }
            None => Err("they end too early".into()),
        }
    }

    fn counted(&mut self) -> Result<&'m [u8], Flaw> {
        let octets = self.rest().first().map_or(1, |len| 1 + usize::from(*len));
        self.take(octets)
    }

    fn all(&mut self) -> &'m [u8] {
        let rest = self.rest();
        self.at = self.end;
        rest
    }

    fn some(&mut self) -> Result<&'m [u8], Flaw> {
        match self.all() {
            [] => Err("they end too early".into()),
            rest => Ok(rest),
        }
    }

    fn name(&mut self, visit: &mut dyn FnMut(Field, &[u8])) -> Result<(), Flaw> {
        let wrong = |error| Flaw::from(format!("{error}"));
        if self.pointers == Pointers::Followed {
            let mut buffer = [0; NAME_OCTETS_MAX];
            let (len, next) = Name::read(self.message, self.at, &mut buffer).map_err(wrong)?;
            if next > self.end {
                return Err("a name in them goes on behind their end".into());
            }
            self.at = next;
            visit(Field::Name, &buffer[..len]);
        } else {
            let len = wire_len(self.rest()).map_err(wrong)?;
            visit(Field::Name, self.take(len)?);
        }
        Ok(())
    }

    fn field(&mut self, field: Field, visit: &mut dyn FnMut(Field, &[u8])) -> Result<(), Flaw> {
        let octets = match field {
            Field::Name => return self.name(visit),
            Field::Names => {
                while !self.rest().is_empty() {
                    self.name(visit)?;
                }
                return Ok(());
            }
            Field::Gateway => return self.gateway(visit),
            Field::U8 | Field::Algorithm => self.take(1)?,
            Field::U16 | Field::Type | Field::CertType => self.take(2)?,
            Field::U32 | Field::Secs | Field::SigTime | Field::Ipv4 => self.take(4)?,
            Field::Eui48 => self.take(6)?,
            Field::Eui64 | Field::Locator64 => self.take(8)?,
            Field::Ipv6 => self.take(16)?,
            Field::String | Field::Salt => self.counted()?,
            Field::StringIfAny if self.rest().is_empty() => return Ok(()),
            Field::StringIfAny => self.counted()?,
            Field::Strings => {
                let start = self.at;
                self.counted()?;
                while !self.rest().is_empty() {
                    self.counted()?;
                }
                &self.message[start..self.end]
            }
            Field::Tag => tag(self.counted()?)?,
            Field::Hash => match self.counted()? {
                [_] => return Err("the hash is empty".into()),
                hash => hash,
            },
            Field::Text | Field::Base64IfAny => self.all(),
            Field::Hex | Field::Base64 | Field::Nsap => self.some()?,
            Field::Digest => {
                let kind = self.message[self.at - 1];
                digest(kind, self.some()?)?
            }
            Field::Bitmap => bitmap::check(self.all())?,
            Field::Location => loc::check(self.some()?)?,
            Field::Prefixes => apl::check(self.all())?,
            Field::Params => svcb::check(self.all())?,
            Field::HostIdentity => {
                let len = hip::len(self.rest())?;
                self.take(len)?
            }
        };
        visit(field, octets);
        Ok(())
    }

    fn gateway(&mut self, visit: &mut dyn FnMut(Field, &[u8])) -> Result<(), Flaw> {
        match self.message[self.start + 1] {
            // It is written as a dot all the same.
            0 => visit(Field::Gateway, &[]),
            1 => visit(Field::Ipv4, self.take(4)?),
            2 => visit(Field::Ipv6, self.take(16)?),
            3 => self.name(visit)?,
            other => return Err(format!("there is no gateway type {other}").into()),
        }
        Ok(())
    }
}

fn tag(counted: &[u8]) -> Result<&[u8], Flaw> {
    match &counted[1..] {
        [] => Err("the tag is empty".into()),
        tag if !tag.iter().all(u8::is_ascii_alphanumeric) => {
            Err("the tag has other characters than letters and digits".into())
        }
        _ => Ok(counted),
    }
}

/// Digests of a known type have its length (RFC 3658 §2.4, RFC 4509 §2.2, RFC 6605 §2).
fn digest(kind: u8, digest: &[u8]) -> Result<&[u8], Flaw> {
    let octets = match kind {
        1 => 20,
        2 => 32,
        4 => 48,
        _ => return Ok(digest),
    };
    match digest.len() == octets {
        true => Ok(digest),
        false => Err(format!(
            "a digest of type {kind} has {octets} octets, this one {}",
            digest.len()
        )
        .into()),
    }
}
