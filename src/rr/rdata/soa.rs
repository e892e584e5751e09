//! The data of a SOA record.

use crate::rr::{Name, Serial};

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
