//! From wire form to presentation form, field by field.

use std::fmt::Write;
use std::net::{Ipv4Addr, Ipv6Addr};

use data_encoding::{BASE32HEX_NOPAD, BASE64, HEXUPPER};

use super::form::Field;
use super::{apl, bitmap, hip, loc, sigtime, svcb, text};
use crate::rr::{Rtype, name};

/// Appends a field of checked RDATA. `Err`: what would be written would not be read back.
pub(super) fn field(field: Field, octets: &[u8], out: &mut String) -> std::fmt::Result {
    // What may be empty brings its own blanks.
    if !out.is_empty() && !matches!(field, Field::Params | Field::Bitmap) && !octets.is_empty() {
        out.push(' ');
    }
    match (field, octets) {
        (Field::Name, _) => name::write_wire(octets, out)?,
        (Field::U8 | Field::Algorithm, _) => write!(out, "{}", octets[0])?,
        (Field::Type, &[high, low]) => write!(out, "{}", Rtype(u16::from_be_bytes([high, low])))?,
        (Field::U16 | Field::CertType, &[high, low]) => {
            write!(out, "{}", u16::from_be_bytes([high, low]))?;
        }
        (Field::U32 | Field::Secs, &[a, b, c, d]) => {
            write!(out, "{}", u32::from_be_bytes([a, b, c, d]))?;
        }
        (Field::SigTime, &[a, b, c, d]) => {
            out.push_str(&sigtime::print(u32::from_be_bytes([a, b, c, d])));
        }
        (Field::Ipv4, &[a, b, c, d]) => write!(out, "{}", Ipv4Addr::new(a, b, c, d))?,
        (Field::Ipv6, _) => {
            let octets: [u8; 16] = octets.try_into().map_err(|_| std::fmt::Error)?;
            write!(out, "{}", Ipv6Addr::from(octets))?;
        }
        (Field::String | Field::StringIfAny | Field::Strings, _) => {
            text::print_strings(octets, out);
        }
        (Field::Text, []) => out.push_str(" \"\""),
        (Field::Text, _) => text::print(octets, out),
        (Field::Tag, [_, tag @ ..]) => out.extend(tag.iter().map(|octet| char::from(*octet))),
        (Field::Hex | Field::Digest, _) => HEXUPPER.encode_append(octets, out),
        (Field::Base64 | Field::Base64IfAny, _) => BASE64.encode_append(octets, out),
        (Field::Salt, [0]) => out.push('-'),
        (Field::Salt, [_, salt @ ..]) => HEXUPPER.encode_append(salt, out),
        (Field::Hash, [_, hash @ ..]) => BASE32HEX_NOPAD.encode_append(hash, out),
        (Field::Bitmap, _) => {
            for rtype in bitmap::types(octets) {
                let separator = if out.is_empty() { "" } else { " " };
                write!(out, "{separator}{rtype}")?;
            }
        }
        (Field::Gateway, []) => out.push_str(" ."),
        (Field::Eui48 | Field::Eui64, _) => {
            let pairs: Vec<String> = octets.iter().map(|octet| format!("{octet:02x}")).collect();
            out.push_str(&pairs.join("-"));
        }
        (Field::Locator64, _) => {
            let group = |pair: &[u8]| format!("{:02x}{:02x}", pair[0], pair[1]);
            let groups: Vec<String> = octets.chunks_exact(2).map(group).collect();
            out.push_str(&groups.join(":"));
        }
        (Field::Location, _) => loc::print(octets, out)?,
        (Field::Nsap, _) => {
            out.push_str("0x");
            HEXUPPER.encode_append(octets, out);
        }
        (Field::Prefixes, _) => apl::print(octets, out)?,
        (Field::HostIdentity, _) => {
            let (algorithm, identity, key) = hip::parts(octets);
            write!(out, "{algorithm} ")?;
            HEXUPPER.encode_append(identity, out);
            out.push(' ');
            BASE64.encode_append(key, out);
        }
        (Field::Params, _) => svcb::print(octets, out),
        _ => return Err(std::fmt::Error),
    }
    Ok(())
}
