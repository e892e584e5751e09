//! RDATA of every type, well formed and otherwise random, for the tests of any room.

use proptest::prelude::*;

use super::form::{self, Field};
use crate::rr::Rtype;

/// The types whose data have a form of their own.
pub fn own_forms() -> Vec<Rtype> {
    let types = (0..=u16::MAX).map(Rtype);
    types.filter(|rtype| form::form(*rtype).is_some()).collect()
}

/// A type, known or not, and data of it.
pub fn any_rdata() -> impl Strategy<Value = (Rtype, Vec<u8>)> {
    let mut types = own_forms();
    types.extend([Rtype(10), Rtype(731), Rtype(65280)]);
    let octets = proptest::collection::vec(any::<u8>(), 0..120);
    (proptest::sample::select(types), octets).prop_map(|(rtype, octets)| {
        let data = of_type(rtype, &octets);
        (rtype, data)
    })
}

/// Well-formed data of a type, made of these octets.
pub fn of_type(rtype: Rtype, octets: &[u8]) -> Vec<u8> {
    let Some(form) = form::form(rtype) else {
        return octets.to_vec();
    };
    let mut made = Made {
        source: octets.iter().copied(),
        wire: Vec::new(),
    };
    form.fields.iter().for_each(|field| made.field(*field));
    made.wire
}

struct Made<'a> {
    source: std::iter::Copied<std::slice::Iter<'a, u8>>,
    wire: Vec<u8>,
}

impl Made<'_> {
    fn octet(&mut self) -> u8 {
        self.source.next().unwrap_or_default()
    }

    fn below(&mut self, end: u8) -> u8 {
        self.octet() % end
    }

    fn octets(&mut self, count: u8) -> Vec<u8> {
        (0..count).map(|_| self.octet()).collect()
    }

    fn push(&mut self, count: u8) {
        let octets = self.octets(count);
        self.wire.extend(octets);
    }

    /// A length and as many octets.
    fn counted(&mut self, least: u8) {
        let len = least + self.below(20);
        self.wire.push(len);
        self.push(len);
    }

    fn name(&mut self) {
        for _ in 0..self.below(4) {
            let len = 1 + self.below(12);
            self.wire.push(len);
            self.push(len);
        }
        self.wire.push(0);
    }

    fn param(&mut self, key: u16, value: &[u8]) {
        self.wire.extend(key.to_be_bytes());
        self.wire.extend((value.len() as u16).to_be_bytes());
        self.wire.extend(value);
    }

    fn params(&mut self) {
        let chosen = self.octet();
        if chosen & 0x81 == 0x81 {
            self.param(0, &[0, 3, 0, 4]);
        }
        if chosen & 2 != 0 {
            let first = 1 + self.below(5);
            let mut ids = vec![first];
            ids.extend(self.octets(first));
            ids.extend(*b"\x02h2\x04a,\\\"");
            self.param(1, &ids);
        }
        if chosen & 4 != 0 {
            self.param(2, &[]);
        }
        for (bit, key, octets) in [
            (1, 3, 2),
            (1, 4, 8),
            (8, 5, 9),
            (16, 6, 32),
            (32, 7, 5),
            (64, 9999, 7),
        ] {
            if chosen & bit != 0 {
                let value = self.octets(octets);
                self.param(key, &value);
            }
        }
        if chosen & 64 != 0 {
            self.param(65535, &[]);
        }
    }

    fn field(&mut self, field: Field) {
        match field {
            Field::Name => self.name(),
            Field::Names => (0..self.below(3)).for_each(|_| self.name()),
            Field::U8 | Field::Algorithm => {
                // The second octet of IPSECKEY decides what its gateway is.
                let octet = match self.wire.len() {
                    1 => self.below(4),
                    _ => self.octet(),
                };
                self.wire.push(octet);
            }
            Field::U16 | Field::Type | Field::CertType => self.push(2),
            Field::U32 | Field::Secs | Field::SigTime | Field::Ipv4 => self.push(4),
            Field::Ipv6 => self.push(16),
            Field::Eui48 => self.push(6),
            Field::Eui64 | Field::Locator64 => self.push(8),
            Field::String | Field::Salt => self.counted(0),
            Field::Hash => self.counted(1),
            Field::StringIfAny => (0..self.below(2)).for_each(|_| self.counted(0)),
            Field::Strings => (0..1 + self.below(3)).for_each(|_| self.counted(0)),
            Field::Tag => self.wire.extend(*b"\x05isSu3"),
            Field::Text | Field::Base64IfAny => {
                let count = self.below(30);
                self.push(count);
            }
            Field::Hex | Field::Base64 | Field::Nsap => {
                let count = 1 + self.below(30);
                self.push(count);
            }
            Field::Digest => {
                let count = match self.wire[self.wire.len() - 1] {
                    1 => 20,
                    2 => 32,
                    4 => 48,
                    _ => 1 + self.below(9),
                };
                self.push(count);
            }
            Field::Bitmap => {
                let types = (0..self.below(6)).map(|_| {
                    let octets = [self.octet(), self.octet()];
                    Rtype(u16::from_be_bytes(octets))
                });
                let types = types.collect();
                super::bitmap::write(&types, &mut self.wire);
            }
            Field::Gateway => match self.wire[1] {
                0 => {}
                1 => self.push(4),
                2 => self.push(16),
                _ => self.name(),
            },
            Field::Location => self.location(),
            Field::Prefixes => (0..self.below(4)).for_each(|_| self.prefix()),
            Field::HostIdentity => {
                let (identity, key) = (1 + self.below(9), 1 + self.below(9));
                let algorithm = self.octet();
                self.wire.extend([identity, algorithm, 0, key]);
                self.push(identity + key);
            }
            Field::Params => self.params(),
        }
    }

    fn location(&mut self) {
        self.wire.push(0);
        for _ in 0..3 {
            let size = self.below(10) << 4 | self.below(10);
            self.wire.push(size);
        }
        for degrees in [90, 180] {
            let angle = u32::from_be_bytes(self.octets(4).try_into().unwrap());
            let angle = (1 << 31) + angle % (degrees * 3_600_000 + 1);
            // To the south and west as well.
            let angle = if angle % 2 == 0 {
                angle
            } else {
                angle.wrapping_neg()
            };
            self.wire.extend(angle.to_be_bytes());
        }
        self.push(4);
    }

    fn prefix(&mut self) {
        let is_ipv6 = self.octet() % 2 == 1;
        let (family, octets_max, bits_max) = if is_ipv6 { (2, 16, 128) } else { (1, 4, 32) };
        let prefix = self.octet() % (bits_max + 1);
        let len = self.below(octets_max + 1);
        let mut address = self.octets(len);
        if let Some(last) = address.last_mut() {
            *last |= 1;
        }
        let negation = self.octet() & 0x80;
        self.wire.extend([0, family, prefix, negation | len]);
        self.wire.extend(address);
    }
}
