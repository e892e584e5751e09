//! Parameters of services (RFC 9460 §2.1, §2.2 and appendix A).

use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::{Ipv4Addr, Ipv6Addr};

use data_encoding::BASE64;

use super::scan::{Scan, ScanError};
use super::text;
use super::walk::Flaw;

const MANDATORY: u16 = 0;
const ALPN: u16 = 1;
const NO_DEFAULT_ALPN: u16 = 2;
const PORT: u16 = 3;
const IPV4HINT: u16 = 4;
const ECH: u16 = 5;
const IPV6HINT: u16 = 6;

/// The keys whose values have a form of their own; others are text, and written `keyN`, which every
/// server reads.
const KEYS: [(u16, &str); 7] = [
    (MANDATORY, "mandatory"),
    (ALPN, "alpn"),
    (NO_DEFAULT_ALPN, "no-default-alpn"),
    (PORT, "port"),
    (IPV4HINT, "ipv4hint"),
    (ECH, "ech"),
    (IPV6HINT, "ipv6hint"),
];
/// Names of such others: RFC 9461, RFC 9540, RFC 9848.
const TEXT_KEYS: [(u16, &str); 2] = [(7, "dohpath"), (8, "ohttp")];

/// The parameters, each a key and its value.
fn split(params: &[u8]) -> impl Iterator<Item = Result<(u16, &[u8]), Flaw>> {
    let mut rest = params;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let [k0, k1, l0, l1, tail @ ..] = rest else {
            rest = &[];
            return Some(Err("a parameter ends too early".into()));
        };
        let (key, len) = (
            u16::from_be_bytes([*k0, *k1]),
            u16::from_be_bytes([*l0, *l1]),
        );
        let Some((value, tail)) = tail.split_at_checked(usize::from(len)) else {
            rest = &[];
            return Some(Err("a parameter ends too early".into()));
        };
        rest = tail;
        Some(Ok((key, value)))
    })
}

pub(super) fn check(params: &[u8]) -> Result<&[u8], Flaw> {
    let mut last = None;
    let mut mandatory: &[u8] = &[];
    for param in split(params) {
        let (key, value) = param?;
        if last.is_some_and(|last| key <= last) {
            return Err("the parameters are not in order".into());
        }
        last = Some(key);
        if !fits(key, value) {
            return Err(format!("the value of {} is malformed", name(key)).into());
        }
        if key == MANDATORY {
            mandatory = value;
        }
    }
    // §8: a client throws away the record otherwise.
    let own = split(params).flatten().map(|(key, _)| key);
    match first_missing(mandatory.chunks_exact(2).map(key_of), own) {
        Some(key) => Err(format!("{} is mandatory and not there", name(key)).into()),
        None => Ok(params),
    }
}

/// The first of the mandatory keys that is not there. Both lists ascend, so each is gone through once:
/// there may be ten thousand of them.
fn first_missing(
    mut mandatory: impl Iterator<Item = u16>,
    mut own: impl Iterator<Item = u16>,
) -> Option<u16> {
    mandatory.find(|key| !own.any(|own| own == *key))
}

fn key_of(octets: &[u8]) -> u16 {
    u16::from_be_bytes([octets[0], octets[1]])
}

/// Whether a value has the form that its key asks for (§7, §8).
fn fits(key: u16, value: &[u8]) -> bool {
    let some_of = |octets| !value.is_empty() && value.len().is_multiple_of(octets);
    match key {
        MANDATORY => {
            let keys = value.chunks_exact(2).map(key_of);
            some_of(2)
                && keys.clone().all(|key| key != MANDATORY)
                && keys.is_sorted_by(|a, b| a < b)
        }
        ALPN => {
            let mut rest = value;
            while let [len @ 1..=255, tail @ ..] = rest {
                match tail.get(usize::from(*len)..) {
                    Some(tail) => rest = tail,
                    None => return false,
                }
            }
            rest.is_empty() && !value.is_empty()
        }
        NO_DEFAULT_ALPN => value.is_empty(),
        PORT => value.len() == 2,
        IPV4HINT => some_of(4),
        IPV6HINT => some_of(16),
        ECH => !value.is_empty(),
        _ => true,
    }
}

fn name(key: u16) -> String {
    match KEYS.iter().find(|(own, _)| *own == key) {
        Some((_, name)) => (*name).to_owned(),
        None => format!("key{key}"),
    }
}

/// Checked parameters as they are written, a blank before each.
pub(super) fn print(params: &[u8], out: &mut String) {
    for (key, value) in split(params).flatten() {
        let _ = write!(out, " {}", name(key));
        if !value.is_empty() {
            out.push('=');
            print_value(key, value, out);
        }
    }
}

fn print_value(key: u16, value: &[u8], out: &mut String) {
    let list = |values: Vec<String>| values.join(",");
    match key {
        MANDATORY => out.push_str(&list(
            value.chunks_exact(2).map(|k| name(key_of(k))).collect(),
        )),
        ALPN => print_ids(value, out),
        PORT => out.push_str(&key_of(value).to_string()),
        IPV4HINT => {
            let address = |octets: &[u8]| <[u8; 4]>::try_from(octets).map(Ipv4Addr::from);
            let addresses = value.chunks_exact(4).flat_map(address);
            out.push_str(&list(addresses.map(|a| a.to_string()).collect()));
        }
        IPV6HINT => {
            let address = |octets: &[u8]| <[u8; 16]>::try_from(octets).map(Ipv6Addr::from);
            let addresses = value.chunks_exact(16).flat_map(address);
            out.push_str(&list(addresses.map(|a| a.to_string()).collect()));
        }
        ECH => BASE64.encode_append(value, out),
        _ => text::print(value, out),
    }
}

/// Protocol identifiers: commas and backslashes in them are escaped twice (appendix A.1).
fn print_ids(value: &[u8], out: &mut String) {
    let mut escaped = Vec::new();
    let mut rest = value;
    while let [len, tail @ ..] = rest {
        let (id, tail) = tail.split_at(usize::from(*len));
        if !escaped.is_empty() {
            escaped.push(b',');
        }
        for &octet in id {
            if matches!(octet, b',' | b'\\') {
                escaped.push(b'\\');
            }
            escaped.push(octet);
        }
        rest = tail;
    }
    let is_plain = |octet: &u8| octet.is_ascii_alphanumeric() || b"-_./+:,".contains(octet);
    match escaped.iter().all(is_plain) {
        true => out.extend(escaped.iter().map(|octet| char::from(*octet))),
        false => text::print(&escaped, out),
    }
}

/// Parameters up to the end of the record, in any order.
pub(super) fn scan(scan: &mut Scan<'_, '_>) -> Result<(), ScanError> {
    let mut params: BTreeMap<u16, Vec<u8>> = BTreeMap::new();
    while !scan.is_at_end() {
        let expected = "a parameter, as key=value";
        let word = scan.octets(expected)?;
        let (name, value) = match word.iter().position(|octet| *octet == b'=') {
            Some(at) => (&word[..at], Some(&word[at + 1..])),
            None => (word, None),
        };
        let (key, form) = key(name).ok_or_else(|| scan.wrong(expected))?;
        // A quoted value is a token of its own, without a blank before it.
        let value = match (value, scan.adjacent_quoted()) {
            (Some(b""), Some(quoted)) => Some(quoted),
            (value, None) => value,
            (_, Some(_)) => return Err(scan.wrong(expected)),
        };
        let value = match value.map(text::unescaped) {
            None => Vec::new(),
            Some(None) => return Err(scan.wrong(text::ESCAPES)),
            Some(Some(value)) if form == Form::Octets => value,
            Some(Some(value)) => wire_value(key, &value).ok_or_else(|| scan.wrong(form_of(key)))?,
        };
        if !fits(key, &value) {
            return Err(scan.wrong(form_of(key)));
        }
        if u16::try_from(value.len()).is_err() {
            return Err(scan.wrong("a value of up to 65535 octets"));
        }
        if params.insert(key, value).is_some() {
            return Err(scan.wrong("each parameter once"));
        }
    }
    let start = scan.wire.len();
    for (key, value) in params {
        scan.wire.extend_from_slice(&key.to_be_bytes());
        scan.wire
            .extend_from_slice(&(value.len() as u16).to_be_bytes());
        scan.wire.extend_from_slice(&value);
    }
    match check(&scan.wire[start..]) {
        Ok(_) => Ok(()),
        Err(flaw) => Err(scan.flawed(flaw)),
    }
}

/// How a value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// As its key has it.
    Own,
    /// As the octets of the wire, for a key written by its number (§2.1).
    Octets,
}

fn key(name: &[u8]) -> Option<(u16, Form)> {
    let name = std::str::from_utf8(name).ok()?;
    if let Some((key, _)) = KEYS.iter().find(|(_, own)| *own == name) {
        return Some((*key, Form::Own));
    }
    let key = match TEXT_KEYS.iter().find(|(_, own)| *own == name) {
        Some((key, _)) => *key,
        None => super::scan::number(name.strip_prefix("key")?)?,
    };
    Some((key, Form::Octets))
}

/// What the value of a key looks like.
fn form_of(key: u16) -> &'static str {
    match key {
        MANDATORY => "a list of keys other than mandatory, each once",
        ALPN => "a list of protocols",
        NO_DEFAULT_ALPN => "no value",
        PORT => "a port from 0 to 65535",
        IPV4HINT => "a list of IPv4 addresses",
        ECH => "base64",
        IPV6HINT => "a list of IPv6 addresses",
        _ => "text",
    }
}

/// The value on the wire, of the text without quotes and escapes.
fn wire_value(key: u16, value: &[u8]) -> Option<Vec<u8>> {
    let text = || std::str::from_utf8(value).ok();
    let items = || text().map(|text| text.split(','));
    Some(match key {
        MANDATORY => {
            let key = |name: &str| Some(self::key(name.as_bytes())?.0);
            let mut keys = items()?.map(key).collect::<Option<Vec<u16>>>()?;
            keys.sort_unstable();
            keys.iter().flat_map(|key| key.to_be_bytes()).collect()
        }
        ALPN => ids(value)?,
        PORT => super::scan::number::<u16>(text()?)?.to_be_bytes().to_vec(),
        IPV4HINT => {
            let addresses = items()?.map(|text| text.parse::<Ipv4Addr>().map(|a| a.octets()));
            addresses.collect::<Result<Vec<_>, _>>().ok()?.concat()
        }
        IPV6HINT => {
            let addresses = items()?.map(|text| text.parse::<Ipv6Addr>().map(|a| a.octets()));
            addresses.collect::<Result<Vec<_>, _>>().ok()?.concat()
        }
        ECH => BASE64.decode(value).ok()?,
        _ => value.to_vec(),
    })
}

/// Protocol identifiers between commas that no backslash escapes, each with its length.
fn ids(value: &[u8]) -> Option<Vec<u8>> {
    let mut ids = vec![Vec::new()];
    let mut octets = value.iter();
    while let Some(&octet) = octets.next() {
        let id: &mut Vec<u8> = ids.last_mut()?;
        match octet {
            b',' => ids.push(Vec::new()),
            b'\\' => id.push(*octets.next()?),
            _ => id.push(octet),
        }
    }
    let mut wire = Vec::with_capacity(value.len() + 1);
    for id in ids {
        wire.push(u8::try_from(id.len()).ok()?);
        wire.extend_from_slice(&id);
    }
    Some(wire)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn the_parameters_are_gone_through_once_however_many_are_mandatory() {
        let steps = Cell::new(0);
        let own = |step| {
            (1..10_001)
                .step_by(step)
                .inspect(|_| steps.set(steps.get() + 1))
        };
        assert_eq!(first_missing(1..10_001, own(1)), None);
        assert_eq!(steps.take(), 10_000);
        assert_eq!(first_missing((1..10_001).step_by(2), own(1)), None);
        assert!(steps.take() <= 10_000);
        assert_eq!(first_missing(1..10_001, own(2)), Some(2));
        assert!(steps.take() <= 10_000);
        assert_eq!(first_missing(0..0, own(1)), None);
        assert_eq!(first_missing(10_000..10_002, own(1)), Some(10_001));
    }
}
