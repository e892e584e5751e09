//! Names in a message: which were written where, so that later ones can point to them
//! (RFC 1035 §4.1.4), and where names stand in RDATA.

use crate::rr::Rtype;

/// Names remembered; a referral with thirteen servers needs no more than a few.
const NAMES_MAX: usize = 64;
/// A pointer has fourteen bits.
const OFFSET_MAX: usize = 0x3FFF;

/// The names of one message that are written out at least in part.
pub(super) struct Names {
    known: [Known; NAMES_MAX],
    count: usize,
}

#[derive(Clone, Copy)]
struct Known {
    /// Where it stands in the message.
    offset: u16,
    /// Its length, when written out.
    octets: u8,
    /// How many of these are; the rest is a pointer.
    literal: u8,
}

impl Names {
    pub fn new() -> Names {
        let none = Known {
            offset: 0,
            octets: 0,
            literal: 0,
        };
        Names {
            known: [none; NAMES_MAX],
            count: 0,
        }
    }

    pub fn count(&self) -> usize {
        self.count
    }

    /// Forgets all but the first `count`.
    pub fn truncate(&mut self, count: usize) {
        self.count = count;
    }

    /// Remembers a name that stands at `offset`, the first `literal` octets of it written out.
    pub fn remember(&mut self, offset: usize, name: &[u8], literal: usize) {
        if literal > 0 && offset + literal <= OFFSET_MAX && self.count < NAMES_MAX {
            self.known[self.count] = Known {
                offset: offset as u16,
                octets: name.len() as u8,
                literal: literal as u8,
            };
            self.count += 1;
        }
    }

    /// The longest suffix of `name` that stands in the message, spelled alike, since the zone's
    /// spelling is to be kept: where it starts in `name`, and its offset.
    pub fn longest_suffix(&self, message: &[u8], name: &[u8]) -> Option<(usize, u16)> {
        label_starts(name).find_map(|start| {
            let suffix = &name[start..];
            let mut known = self.known[..self.count].iter();
            let place = known.find_map(|known| known.place_of(suffix, message))?;
            Some((start, place))
        })
    }
}

impl Known {
    /// Where a suffix stands, if it begins in the part written out.
    fn place_of(&self, suffix: &[u8], message: &[u8]) -> Option<u16> {
        let before = usize::from(self.octets).checked_sub(suffix.len())?;
        let literal = usize::from(self.literal).checked_sub(before + 1)? + 1;
        let (start, place) = (usize::from(self.offset), usize::from(self.offset) + before);
        let end = place + literal;
        let is_there = message[place..end] == suffix[..literal]
            && label_starts(&message[start..end]).find(|&at| at >= before) == Some(before)
            && (literal == suffix.len() || stands_at(message, end, &suffix[literal..], <[u8]>::eq));
        is_there.then_some(place as u16)
    }
}

/// Whether `name` is what our own message has at `at`, where a label or pointer of ours begins; labels
/// are compared by `same`.
pub(super) fn stands_at(
    message: &[u8],
    mut at: usize,
    name: &[u8],
    same: impl Fn(&[u8], &[u8]) -> bool,
) -> bool {
    let mut rest = name;
    loop {
        let octet = message[at];
        if octet >= 0xC0 {
            at = usize::from(octet & 0x3F) << 8 | usize::from(message[at + 1]);
            continue;
        }
        let len = 1 + usize::from(octet);
        if octet != rest[0] || !same(&message[at + 1..at + len], &rest[1..len]) {
            return false;
        }
        if octet == 0 {
            return true;
        }
        at += len;
        rest = &rest[len..];
    }
}

/// Where the labels of an uncompressed name start, or of the part in front of a pointer; the root
/// label, which such a part lacks, is left out.
fn label_starts(name: &[u8]) -> impl Iterator<Item = usize> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at;
        let len = *name.get(start)?;
        at += 1 + usize::from(len);
        (len != 0).then_some(start)
    })
}

/// Whether `name` stands at or below `ancestor`, whatever the case.
pub(super) fn is_at_or_below(name: &[u8], ancestor: &[u8]) -> bool {
    let Some(skip) = name.len().checked_sub(ancestor.len()) else {
        return false;
    };
    let at_a_label = skip == 0 || ancestor.len() == 1 || label_starts(name).any(|at| at == skip);
    at_a_label && name[skip..].eq_ignore_ascii_case(ancestor)
}

/// The uncompressed name at the start of checked RDATA.
pub(super) fn name_prefix(rdata: &[u8]) -> &[u8] {
    let mut at = 0;
    while rdata[at] != 0 {
        at += 1 + usize::from(rdata[at]);
    }
    &rdata[..at + 1]
}

/// Where names stand in the RDATA of a type.
pub(super) struct Layout {
    /// Octets before the first name.
    pub before: usize,
    /// Names in a row.
    pub names: usize,
    /// Only the types of RFC 1035 may be compressed (RFC 3597 §4).
    pub compressible: bool,
}

/// `None`: no names, or none worth pointing to.
pub(super) fn layout(rtype: Rtype) -> Option<Layout> {
    let (before, names, compressible) = match rtype {
        Rtype::NS | Rtype::CNAME | Rtype::PTR => (0, 1, true),
        Rtype::MX => (2, 1, true),
        Rtype::SOA => (0, 2, true),
        Rtype::DNAME => (0, 1, false),
        Rtype::SRV => (6, 1, false),
        Rtype::SVCB | Rtype::HTTPS => (2, 1, false),
        _ => return None,
    };
    Some(Layout {
        before,
        names,
        compressible,
    })
}

/// The name whose addresses go along with a record of this type.
pub(super) fn target(rtype: Rtype, rdata: &[u8]) -> Option<&[u8]> {
    let before = match rtype {
        Rtype::NS | Rtype::MX | Rtype::SRV | Rtype::SVCB | Rtype::HTTPS => layout(rtype)?.before,
        // Order, preference, three character-strings (RFC 3403 §4.1).
        Rtype::NAPTR => (0..3).fold(4, |at, _| at + 1 + usize::from(rdata[at])),
        _ => return None,
    };
    Some(name_prefix(&rdata[before..]))
}
