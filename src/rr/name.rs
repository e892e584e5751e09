//! Domain names in uncompressed wire form (RFC 1035 §3.1), with the spelling they were given.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;
use std::sync::Arc;

/// A domain name: at most 255 octets on the wire, ending in the root label. It keeps its spelling;
/// comparison, order and hash ignore the case of ASCII letters, and the order is the canonical one
/// (RFC 4034 §6.1).
#[derive(Clone)]
pub struct Name(Arc<[u8]>);

/// A name in lower case, the key of hash look-ups. Borrows as `[u8]`, so that a query is looked up
/// from its own bytes.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(Arc<[u8]>);

/// A name as bytes whose plain order is the canonical order of names: labels from the root down,
/// lower-cased and escaped so that a name's key is a prefix of the keys of all names below it.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OrderKey(Arc<[u8]>);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    #[error("a name ends before its root label")]
    Short,
    #[error("a label is longer than 63 octets")]
    LongLabel,
    #[error("a name is longer than 255 octets")]
    LongName,
    #[error("a label is empty")]
    EmptyLabel,
    #[error("it does not end in a dot, and no origin is known")]
    Relative,
    #[error("a name has a compression pointer where none may stand")]
    Pointer,
    #[error("a compression pointer does not point back to an earlier name")]
    BadPointer,
    #[error("a backslash is not followed by a character or three decimal digits up to 255")]
    BadEscape,
}

pub const NAME_OCTETS_MAX: usize = 255;
/// Labels of the longest name, the root left out.
const LABELS_MAX: usize = 127;
const LABEL_OCTETS_MAX: usize = 63;

impl Name {
    pub fn root() -> Self {
        Name(Arc::from(&[0u8][..]))
    }

    /// Reads one uncompressed name that fills `wire` whole.
    pub fn from_wire(wire: &[u8]) -> Result<Self, NameError> {
        let len = wire_len(wire)?;
        if len != wire.len() {
            return Err(NameError::Short);
        }
        Ok(Name(Arc::from(wire)))
    }

    /// Reads one uncompressed name at the start of `wire`; what follows it is left alone.
    pub fn from_wire_prefix(wire: &[u8]) -> Result<Self, NameError> {
        Ok(Name(Arc::from(&wire[..wire_len(wire)?])))
    }

    /// Reads a name of a message, following compression pointers, which must lead backwards
    /// (RFC 1035 §4.1.4). Returns the name and the offset behind it.
    pub fn from_message(message: &[u8], offset: usize) -> Result<(Self, usize), NameError> {
        let mut buf = [0u8; NAME_OCTETS_MAX];
        let (len, next) = Self::read(message, offset, &mut buf)?;
        Ok((Name(Arc::from(&buf[..len])), next))
    }

    /// As [`Name::from_message`], into a buffer: the length of the name and the offset behind it.
    pub fn read(
        message: &[u8],
        offset: usize,
        out: &mut [u8; NAME_OCTETS_MAX],
    ) -> Result<(usize, usize), NameError> {
        let (mut at, mut len, mut next, mut pointers) = (offset, 0, None, 0);
        // Each pointer must lead before the place where the labels that hold it began.
        let mut earliest = offset;
        loop {
            let octet = *message.get(at).ok_or(NameError::Short)? as usize;
            match octet {
                0 => {
                    if len >= NAME_OCTETS_MAX {
                        return Err(NameError::LongName);
                    }
                    out[len] = 0;
                    return Ok((len + 1, next.unwrap_or(at + 1)));
                }
                1..=LABEL_OCTETS_MAX => {
                    let label = message.get(at..at + 1 + octet).ok_or(NameError::Short)?;
                    if len + label.len() >= NAME_OCTETS_MAX {
                        return Err(NameError::LongName);
                    }
                    out[len..len + label.len()].copy_from_slice(label);
                    len += label.len();
                    at += label.len();
                }
                0xC0..=0xFF => {
                    let low = *message.get(at + 1).ok_or(NameError::Short)? as usize;
                    let target = (octet & 0x3F) << 8 | low;
                    next.get_or_insert(at + 2);
                    // No name needs more pointers than it can have labels: a message full of
                    // pointers to pointers would be walked from each of them.
                    pointers += 1;
                    let is_long = pointers > LABELS_MAX;
                    // The header holds no names.
                    if target >= earliest || target < super::message::HEADER_OCTETS || is_long {
                        return Err(NameError::BadPointer);
                    }
                    earliest = target;
                    at = target;
                }
                _ => return Err(NameError::LongLabel),
            }
        }
    }

    /// A name of a zone file: `@`, or relative to the origin unless it ends in a dot (RFC 1035 §5.1).
    /// Without an origin it must end in a dot.
    pub fn from_zone_text(text: &[u8], origin: Option<&Name>) -> Result<Name, NameError> {
        let origin = || origin.ok_or(NameError::Relative);
        if text == b"@" {
            return origin().cloned();
        }
        let (labels, is_absolute) = labels_from_text(text)?;
        match is_absolute {
            true => Name::ending_in(labels, &[0]),
            false => Name::ending_in(labels, origin()?.as_wire()),
        }
    }

    fn ending_in(mut labels: Vec<u8>, end: &[u8]) -> Result<Name, NameError> {
        labels.extend_from_slice(end);
        match labels.len() {
            0..=NAME_OCTETS_MAX => Ok(Name(labels.into())),
            _ => Err(NameError::LongName),
        }
    }

    pub fn as_wire(&self) -> &[u8] {
        &self.0
    }

    /// Octets on the wire.
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_root(&self) -> bool {
        self.0.len() == 1
    }

    /// Labels without the root label.
    pub fn label_count(&self) -> usize {
        self.labels().count()
    }

    /// The labels from the first one up, without the root label.
    pub fn labels(&self) -> impl Iterator<Item = &[u8]> + Clone {
        labels(&self.0)
    }

    /// The name one label up; `None` for the root.
    pub fn parent(&self) -> Option<Name> {
        (!self.is_root()).then(|| Name(Arc::from(&self.0[1 + self.0[0] as usize..])))
    }

    /// Whether this name stands at or below `ancestor`.
    pub fn is_at_or_below(&self, ancestor: &Name) -> bool {
        suffix_of(&self.0, ancestor.as_wire())
    }

    pub fn is_below(&self, ancestor: &Name) -> bool {
        self.len() > ancestor.len() && self.is_at_or_below(ancestor)
    }

    /// Whether the first label is `*` (RFC 4592 §2.1.1).
    pub fn is_wildcard(&self) -> bool {
        self.0.starts_with(&[1, b'*'])
    }

    /// `label` put in front of this name.
    pub fn child(&self, label: &[u8]) -> Result<Name, NameError> {
        if label.is_empty() {
            return Err(NameError::EmptyLabel);
        }
        if label.len() > LABEL_OCTETS_MAX {
            return Err(NameError::LongLabel);
        }
        if label.len() + 1 + self.len() > NAME_OCTETS_MAX {
            return Err(NameError::LongName);
        }
        let mut wire = Vec::with_capacity(label.len() + 1 + self.len());
        wire.push(label.len() as u8);
        wire.extend_from_slice(label);
        wire.extend_from_slice(&self.0);
        Ok(Name(Arc::from(wire)))
    }

    /// The name with its suffix `from` replaced by `to`: the substitution of a DNAME
    /// (RFC 6672 §2.2). `self` must be below `from`.
    pub fn replace_suffix(&self, from: &Name, to: &Name) -> Result<Name, NameError> {
        let keep = self.len() - from.len();
        if keep + to.len() > NAME_OCTETS_MAX {
            return Err(NameError::LongName);
        }
        let mut wire = Vec::with_capacity(keep + to.len());
        wire.extend_from_slice(&self.0[..keep]);
        wire.extend_from_slice(to.as_wire());
        Ok(Name(Arc::from(wire)))
    }

    pub fn key(&self) -> Key {
        Key(self.0.to_ascii_lowercase().into())
    }

    pub fn order_key(&self) -> OrderKey {
        OrderKey::of_wire(&self.0)
    }

    /// Equal to the letter, case included.
    pub fn same_spelling(&self, other: &Name) -> bool {
        self.0 == other.0
    }
}

/// The length of the uncompressed name at the start of `wire`.
pub(super) fn wire_len(wire: &[u8]) -> Result<usize, NameError> {
    let mut at = 0;
    loop {
        let octet = *wire.get(at).ok_or(NameError::Short)? as usize;
        if octet >= 0xC0 {
            return Err(NameError::Pointer);
        }
        if octet > LABEL_OCTETS_MAX {
            return Err(NameError::LongLabel);
        }
        at += 1 + octet;
        if at > NAME_OCTETS_MAX {
            return Err(NameError::LongName);
        }
        if octet == 0 {
            return Ok(at);
        }
    }
}

fn labels(wire: &[u8]) -> impl Iterator<Item = &[u8]> + Clone {
    let mut rest = wire;
    std::iter::from_fn(move || {
        let len = *rest.first()? as usize;
        if len == 0 {
            return None;
        }
        let (label, tail) = rest[1..].split_at(len);
        rest = tail;
        Some(label)
    })
}

/// Where the labels start, and how many there are, the root's not counted.
fn label_starts(wire: &[u8]) -> ([u8; 128], usize) {
    let mut starts = [0u8; 128];
    let mut count = 0;
    let mut at = 0;
    while wire[at] != 0 {
        starts[count] = at as u8;
        count += 1;
        at += 1 + wire[at] as usize;
    }
    (starts, count)
}

/// The octets of the label at `start`, as they are compared.
fn label_at(wire: &[u8], start: u8) -> impl Iterator<Item = u8> + '_ {
    let start = usize::from(start);
    let label = &wire[start + 1..start + 1 + usize::from(wire[start])];
    label.iter().map(u8::to_ascii_lowercase)
}

/// Whether `ancestor` is `wire` or a suffix of it at a label's start, whatever the case.
fn suffix_of(wire: &[u8], ancestor: &[u8]) -> bool {
    let Some(skip) = wire.len().checked_sub(ancestor.len()) else {
        return false;
    };
    let mut at = 0;
    while at < skip {
        at += 1 + wire[at] as usize;
    }
    at == skip && wire[skip..].eq_ignore_ascii_case(ancestor)
}

impl Key {
    /// The key of a name given as wire bytes in any case.
    pub fn of_wire(wire: &[u8]) -> Self {
        Key(wire.to_ascii_lowercase().into())
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The name one label up; `None` for the root.
    pub fn parent(&self) -> Option<&[u8]> {
        (self.0.len() > 1).then(|| &self.0[1 + self.0[0] as usize..])
    }
}

impl std::borrow::Borrow<[u8]> for Key {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

impl OrderKey {
    /// Labels from the root down; each ends in 0x00, and 0x00 and 0x01 inside a label become
    /// 0x01 0x01 and 0x01 0x02, so that bytes compare as labels do.
    pub fn of_wire(wire: &[u8]) -> Self {
        let (starts, count) = label_starts(wire);
        let mut out = Vec::with_capacity(wire.len() + 4);
        for &start in starts[..count].iter().rev() {
            let start = start as usize;
            for &octet in &wire[start + 1..start + 1 + wire[start] as usize] {
                match octet {
                    0 => out.extend_from_slice(&[1, 1]),
                    1 => out.extend_from_slice(&[1, 2]),
                    other => out.push(other.to_ascii_lowercase()),
                }
            }
            out.push(0);
        }
        OrderKey(out.into())
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether this name stands at or below `ancestor`.
    pub fn is_at_or_below(&self, ancestor: &OrderKey) -> bool {
        self.0.starts_with(&ancestor.0)
    }

    /// The name one label below this one on the way to `below`; `None` for what is not below it.
    pub fn child_toward(&self, below: &OrderKey) -> Option<OrderKey> {
        let rest = below.0.strip_prefix(&*self.0)?;
        let label = 1 + rest.iter().position(|&octet| octet == 0)?;
        Some(OrderKey(below.0[..self.0.len() + label].into()))
    }

    /// Where, in order, all that is at or below this name has ended; no name itself.
    pub fn past_tree(&self) -> OrderKey {
        let mut out = self.0.to_vec();
        match out.last_mut() {
            // The end of the label: no octet of a longer one is less.
            Some(end) => *end = 1,
            None => out.push(0xFF),
        }
        OrderKey(out.into())
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for Name {}

impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for octet in self.0.iter() {
            state.write_u8(octet.to_ascii_lowercase());
        }
    }
}

impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Name {
    /// Canonical order (RFC 4034 §6.1).
    fn cmp(&self, other: &Self) -> Ordering {
        let (ours, count) = label_starts(&self.0);
        let (theirs, count_theirs) = label_starts(&other.0);
        let from_root = ours[..count].iter().rev();
        for (&one, &two) in from_root.zip(theirs[..count_theirs].iter().rev()) {
            let order = label_at(&self.0, one).cmp(label_at(&other.0, two));
            if order.is_ne() {
                return order;
            }
        }
        count.cmp(&count_theirs)
    }
}

impl FromStr for Name {
    type Err = NameError;

    /// Presentation form (RFC 1035 §5.1), always absolute: a missing last dot is supplied.
    fn from_str(text: &str) -> Result<Self, NameError> {
        let (labels, _) = labels_from_text(text.as_bytes())?;
        Name::ending_in(labels, &[0])
    }
}

/// The labels of a name in presentation form, on the wire but for their end, and whether it ends in
/// a dot.
fn labels_from_text(text: &[u8]) -> Result<(Vec<u8>, bool), NameError> {
    let mut wire = Vec::with_capacity(text.len() + 1);
    if text == b"." {
        return Ok((wire, true));
    }
    let mut label = Vec::new();
    let mut octets = text.iter().copied();
    let mut ended = false;
    while let Some(octet) = octets.next() {
        ended = octet == b'.';
        match octet {
            b'.' => {
                push_label(&mut wire, &label)?;
                label.clear();
            }
            b'\\' => label.push(escaped(&mut octets).ok_or(NameError::BadEscape)?),
            other => label.push(other),
        }
    }
    if !ended {
        push_label(&mut wire, &label)?;
    }
    Ok((wire, ended))
}

fn push_label(wire: &mut Vec<u8>, label: &[u8]) -> Result<(), NameError> {
    match label.len() {
        0 => Err(NameError::EmptyLabel),
        1..=LABEL_OCTETS_MAX => {
            wire.push(label.len() as u8);
            wire.extend_from_slice(label);
            Ok(())
        }
        _ => Err(NameError::LongLabel),
    }
}

/// The octet that stands behind a backslash: a character, or three decimal digits up to 255
/// (RFC 1035 §5.1).
pub(super) fn escaped(octets: &mut impl Iterator<Item = u8>) -> Option<u8> {
    let first = octets.next()?;
    if !first.is_ascii_digit() {
        return Some(first);
    }
    let mut value = u32::from(first - b'0');
    for _ in 0..2 {
        let digit = octets.next().filter(u8::is_ascii_digit)?;
        value = value * 10 + u32::from(digit - b'0');
    }
    u8::try_from(value).ok()
}

/// Presentation form with a last dot; what a zone file would misread is escaped.
pub(super) fn write_wire(wire: &[u8], f: &mut impl fmt::Write) -> fmt::Result {
    if wire == [0] {
        return f.write_char('.');
    }
    for label in labels(wire) {
        for &octet in label {
            match octet {
                b'.' | b'\\' | b'"' | b';' | b'(' | b')' | b'@' | b'$' => {
                    f.write_char('\\')?;
                    f.write_char(octet as char)?
                }
                0x21..=0x7E => f.write_char(octet as char)?,
                _ => write!(f, "\\{octet:03}")?,
            }
        }
        f.write_char('.')?;
    }
    Ok(())
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_wire(&self.0, f)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Name(self.0.clone()), f)
    }
}

impl fmt::Debug for OrderKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.escape_ascii().to_string())
    }
}

impl serde::Serialize for Name {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Name {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(|error| {
            serde::de::Error::custom(format!("{text:?} is not a domain name: {error}"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    #[test]
    fn names_are_read_and_written_with_their_spelling_and_escapes() {
        for text in [
            "WwW.Example.com.",
            "a\\.b.example.",
            "\\000\\032x.example.",
            ".",
        ] {
            assert_eq!(name(text).to_string(), text);
        }
        assert_eq!(name("\\087ww.example"), name("www.example."));
        assert_eq!("a..b".parse::<Name>(), Err(NameError::EmptyLabel));
        assert_eq!("\\256.a".parse::<Name>(), Err(NameError::BadEscape));
        let label = "a".repeat(63);
        let longest = format!("{label}.{label}.{label}.{}.", "b".repeat(61));
        assert_eq!(name(&longest).len(), 255);
        assert_eq!(
            format!("x.{longest}").parse::<Name>(),
            Err(NameError::LongName)
        );
    }

    #[test]
    fn canonical_order_is_that_of_rfc_4034() {
        // The example of RFC 4034 §6.1.
        let sorted = [
            "example.",
            "a.example.",
            "yljkjljk.a.example.",
            "Z.a.example.",
            "zABC.a.EXAMPLE.",
            "z.example.",
            "\\001.z.example.",
            "*.z.example.",
            "\\200.z.example.",
        ];
        for pair in sorted.windows(2) {
            assert!(
                name(pair[0]) < name(pair[1]),
                "{} before {}",
                pair[0],
                pair[1]
            );
            assert!(name(pair[0]).order_key() < name(pair[1]).order_key());
        }
        assert_eq!(name("A.b.").cmp(&name("a.B.")), Ordering::Equal);
        assert!(name("\\000.example.") < name("\\000\\000.example."));
        assert!(name("a\\000.example.") < name("a\\001.example."));
    }

    #[test]
    fn an_order_key_is_a_prefix_of_those_below_it_alone() {
        let above = name("b.example.").order_key();
        assert!(name("x.b.example.").order_key().is_at_or_below(&above));
        assert!(!name("bb.example.").order_key().is_at_or_below(&above));
        assert!(!name("b\\000.example.").order_key().is_at_or_below(&above));
    }

    #[test]
    fn a_message_full_of_pointers_to_pointers_is_not_walked_from_each() {
        let mut message = vec![0; 13];
        for hop in 0..200u16 {
            let target = if hop == 0 { 12 } else { 13 + 2 * (hop - 1) };
            message.extend_from_slice(&(0xC000 | target).to_be_bytes());
        }
        let read = |hop: usize| Name::read(&message, 13 + 2 * hop, &mut [0; NAME_OCTETS_MAX]);
        assert_eq!(read(126), Ok((1, 13 + 2 * 127)));
        assert_eq!(read(127), Err(NameError::BadPointer));
    }

    #[test]
    fn compression_pointers_lead_back_or_are_refused() {
        let mut message = vec![0u8; 12];
        message.extend_from_slice(b"\x07example\x00\x01a\xC0\x0C");
        let (read, next) = Name::from_message(&message, 21).unwrap();
        assert_eq!((read, next), (name("a.example."), 25));
        for (at, octets) in [(12, [0xC0, 12]), (12, [0xC0, 14]), (12, [0xC0, 2])] {
            let mut message = vec![0u8; 12];
            message.extend_from_slice(&octets);
            message.extend_from_slice(b"\x01a\xC0\x0E");
            assert_eq!(
                Name::from_message(&message, at).unwrap_err(),
                NameError::BadPointer
            );
        }
    }

    #[test]
    fn below_counts_whole_labels() {
        assert!(name("a.Example.").is_below(&name("example.")));
        assert!(!name("aexample.").is_at_or_below(&name("example.")));
        assert!(!name("example.").is_below(&name("example.")));
    }
}
