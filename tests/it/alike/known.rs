//! Differences that have a reason: the section of the RFC that says lastgood is right, or that leaves
//! both free.

use std::fmt;

use lastgood::rr::{Name, Rtype, Soa, rdata};

use super::wire::{ANY, IN, Message, NONE, Row};
use super::zone::Zone;
use super::{Made, NAMES};

/// In the place of an RCODE.
pub const SILENT: u8 = 255;

/// What one of the others made of a message, beside what lastgood made of it.
pub struct Pair<'a> {
    pub origin: &'a Name,
    pub message: &'a Message,
    pub before: &'a Zone,
    pub who: &'static str,
    pub rcodes: [u8; 2],
    /// The other has ended.
    pub has_fallen: bool,
    pub zones: [&'a Zone; 2],
}

/// A reason for other RCODEs; the zones then differ as they must.
pub struct KnownRcode {
    pub what: &'static str,
    pub section: &'static str,
    pub is_it: fn(&Pair<'_>) -> bool,
}

/// A reason for another RRset.
pub struct KnownSet {
    pub what: &'static str,
    pub section: &'static str,
    pub is_it: fn(&Pair<'_>, &(Name, Rtype)) -> bool,
}

const NOERROR: u8 = 0;
const FORMERR: u8 = 1;
const SERVFAIL: u8 = 2;
const REFUSED: u8 = 5;
const YXDOMAIN: u8 = 6;
const NXRRSET: u8 = 8;
const NOTAUTH: u8 = 9;
const NOTZONE: u8 = 10;
/// NXDOMAIN, YXDOMAIN, YXRRSET and NXRRSET.
const OF_PREREQUISITES: [u8; 4] = [3, YXDOMAIN, 7, NXRRSET];

pub const RCODES: &[KnownRcode] = &[
    KnownRcode {
        what: "named looks over the updates before the prerequisites, lastgood after them",
        section: "RFC 2136 §3.2, §3.4.1: in this order",
        is_it: |pair| {
            pair.who == "named"
                && OF_PREREQUISITES.contains(&pair.rcodes[0])
                && match pair.rcodes[1] {
                    FORMERR => {
                        pair.message.updates.iter().any(is_wrong) || has_odd_ds(pair.message)
                    }
                    NOTZONE => pair.message.updates.iter().any(|row| pair.is_outside(row)),
                    _ => false,
                }
        },
    },
    KnownRcode {
        what: "knotd reads RDATA before the prerequisites where there should be none",
        section: "RFC 2136 §3.4.1.2: part of the prescan, which comes after them",
        is_it: |pair| {
            pair.who == "knotd"
                && OF_PREREQUISITES.contains(&pair.rcodes[0])
                && pair.rcodes[1] == FORMERR
                && pair.message.updates.iter().any(is_wrong)
        },
    },
    KnownRcode {
        what: "a prerequisite of a type of questions is judged in its turn",
        section: "RFC 2136 §3.2: the first that does not hold decides",
        is_it: |pair| {
            let mut rows = pair.message.prerequisites.iter();
            OF_PREREQUISITES.contains(&pair.rcodes[0])
                && pair.rcodes[1] == FORMERR
                && rows.any(|row| row.class == IN && row.rtype.is_meta())
        },
    },
    KnownRcode {
        what: "a zone of class CH, ANY or NONE is none of ours",
        section: "RFC 2136 §3.1.2",
        is_it: |pair| {
            pair.rcodes[0] == NOTAUTH && pair.message.zones.iter().any(|zone| zone.class != IN)
        },
    },
    KnownRcode {
        what: "a record twice among the prerequisites is once in the RRset that is wanted",
        section: "RFC 2136 §2.4.2, RFC 2181 §5: an RRset has no duplicates",
        is_it: |pair| {
            let rows = &pair.message.prerequisites;
            let twice = |at: usize| rows[..at].iter().any(|row| is_same(row, &rows[at]));
            pair.who == "named"
                && pair.rcodes[1] == NXRRSET
                && (0..rows.len()).any(|at| rows[at].class == IN && twice(at))
        },
    },
    KnownRcode {
        what: "named refuses what leaves an apex NS without an address",
        section: "a check of its own; lastgood's is the rule `validate`, which is off here",
        is_it: |pair| {
            pair.who == "named" && pair.rcodes == [NOERROR, REFUSED] && pair.has_lost_ns()
        },
    },
    KnownRcode {
        what: "knotd refuses data below a DNAME",
        section: "RFC 6672 §5.2: a DNAME that is added occludes them",
        is_it: |pair| {
            pair.who == "knotd" && pair.rcodes == [NOERROR, REFUSED] && pair.has_occluded()
        },
    },
    KnownRcode {
        what: "named fails on a SOA that is half the circle away",
        section: "RFC 1982 §3.2: neither is after the other",
        is_it: |pair| {
            let away = |row: &Row| soa_serial(row).wrapping_sub(pair.before.serial) == 1 << 31;
            let soas = pair.message.updates.iter();
            let mut soas = soas.filter(|row| row.rtype == Rtype::SOA && row.class == IN);
            pair.who == "named" && pair.rcodes == [NOERROR, SERVFAIL] && soas.any(away)
        },
    },
    KnownRcode {
        what: "knotd takes a deletion with a TTL, or without data, for one of nothing",
        section: "RFC 2136 §3.4.1.2: FORMERR",
        is_it: |pair| {
            pair.who == "knotd"
                && pair.rcodes[0] == FORMERR
                && pair.message.updates.iter().any(is_wrong)
        },
    },
    KnownRcode {
        what: "knotd takes RDATA that cannot be read",
        section: "RFC 2136 §3: what cannot be read is FORMERR",
        is_it: |pair| {
            let Message {
                prerequisites,
                updates,
                ..
            } = pair.message;
            let mut rows = prerequisites.iter().chain(updates);
            pair.who == "knotd"
                && pair.rcodes[0] == FORMERR
                && rows.any(|row| {
                    let has_some = row.class == IN || !row.rdata.is_empty();
                    has_some && row.is_malformed()
                })
        },
    },
    KnownRcode {
        what: "knotd says nothing to a zone section that is not of one record",
        section: "RFC 2136 §3.1.1: FORMERR",
        is_it: |pair| {
            pair.who == "knotd" && pair.rcodes == [FORMERR, SILENT] && pair.message.zones.len() != 1
        },
    },
    KnownRcode {
        what: "knotd falls over it, as over a SOA that is not at the apex",
        section: "no answer to compare with",
        is_it: |pair| pair.who == "knotd" && pair.has_fallen,
    },
    KnownRcode {
        what: "named reads the digest of a DS",
        section: "RFC 4034 §5.1.4 gives its length; lastgood keeps it as it came",
        is_it: |pair| pair.who == "named" && pair.rcodes[1] == FORMERR && has_odd_ds(pair.message),
    },
    KnownRcode {
        what: "named refuses a zone section of no record",
        section: "RFC 2136 §3.1.1: FORMERR",
        is_it: |pair| {
            pair.who == "named"
                && pair.rcodes == [FORMERR, REFUSED]
                && pair.message.zones.is_empty()
        },
    },
];

/// A DS whose digest is not as long as its algorithm's, of which named alone takes notice.
fn has_odd_ds(message: &Message) -> bool {
    const DIGEST: usize = 4 + 32;
    let mut rows = message.updates.iter().chain(&message.additional);
    rows.any(|row| row.rtype == Rtype::DS && !row.rdata.is_empty() && row.rdata.len() != DIGEST)
}

/// An update that the prescan does not let through (RFC 2136 §3.4.1.2), its name aside.
fn is_wrong(row: &Row) -> bool {
    let is_meta = row.rtype.is_meta() && !(row.rtype == Rtype::ANY && row.class == ANY);
    let has_data = !row.rdata.is_empty();
    is_meta
        || match row.class {
            IN => row.is_malformed(),
            NONE => row.ttl != 0 || row.is_malformed(),
            ANY => row.ttl != 0 || has_data,
            _ => true,
        }
}

fn is_same(one: &Row, other: &Row) -> bool {
    let data = |row: &Row| rdata::canonical(row.rtype, &row.rdata).into_owned();
    (&one.owner, one.rtype, one.class) == (&other.owner, other.rtype, other.class)
        && data(one) == data(other)
}

fn soa_serial(row: &Row) -> u32 {
    Soa::from_rdata(&row.rdata).map_or(0, |soa| soa.serial.0)
}

impl Pair<'_> {
    fn is_outside(&self, row: &Row) -> bool {
        !row.owner.is_at_or_below(self.origin)
    }

    fn has(&self, owner: &Name, rtype: Rtype) -> bool {
        self.zones[0].sets.contains_key(&(owner.clone(), rtype))
    }

    fn has_lost_ns(&self) -> bool {
        let apex = (self.origin.clone(), Rtype::NS);
        let Some(set) = self.zones[0].sets.get(&apex) else {
            return false;
        };
        let targets = set
            .rdatas
            .iter()
            .filter_map(|data| Name::from_wire(data).ok());
        let mut ours = targets.filter(|target| target.is_at_or_below(self.origin));
        ours.any(|target| {
            let has_address = self.has(&target, Rtype::A) || self.has(&target, Rtype::AAAA);
            !has_address || self.is_occluded(&target)
        })
    }

    /// Below a DNAME, or below a cut.
    fn is_occluded(&self, owner: &Name) -> bool {
        let above = std::iter::successors(owner.parent(), Name::parent);
        let mut above = above.take_while(|name| name.is_at_or_below(self.origin));
        above.any(|name| {
            self.has(&name, Rtype::DNAME) || name != *self.origin && self.has(&name, Rtype::NS)
        })
    }

    fn has_occluded(&self) -> bool {
        let below_dname = |owner: &Name| {
            let above = std::iter::successors(owner.parent(), Name::parent);
            let mut above = above.take_while(|name| name.is_at_or_below(self.origin));
            above.any(|name| self.has(&name, Rtype::DNAME))
        };
        self.zones[0]
            .sets
            .keys()
            .any(|(owner, _)| below_dname(owner))
    }
}

pub const SETS: &[KnownSet] = &[
    KnownSet {
        what: "named ignores DS where no delegation is",
        section: "RFC 4035 §2.4; lastgood's rule `validate` refuses it, and is off here",
        is_it: |pair, (owner, rtype)| {
            let is_cut = owner != pair.origin && pair.has(owner, Rtype::NS);
            pair.who == "named" && *rtype == Rtype::DS && !is_cut
        },
    },
    KnownSet {
        what: "named ignores NS and DNAME at a wildcard",
        section: "RFC 4592 §4.2, §4.4: discouraged, and left open",
        is_it: |pair, (owner, rtype)| {
            let is_one = *rtype == Rtype::NS || *rtype == Rtype::DNAME;
            pair.who == "named" && owner.is_wildcard() && is_one
        },
    },
    KnownSet {
        what: "a TTL of more than 31 bits counts as zero",
        section: "RFC 2181 §8",
        is_it: |pair, key| {
            let bounded = |which: usize| {
                let set = pair.zones[which].sets.get(key)?;
                let ttls = set.ttls.iter();
                let ttls: Vec<u32> = ttls
                    .map(|ttl| if *ttl >= 1 << 31 { 0 } else { *ttl })
                    .collect();
                Some((ttls, set.rdatas.clone()))
            };
            bounded(0) == bounded(1)
        },
    },
    KnownSet {
        what: "knotd leaves the TTL of a record that is there already",
        section: "RFC 2136 §3.4.2.2: the zone's record is replaced by the update's",
        is_it: |pair, key| {
            let data = |zone: &Zone| zone.sets.get(key).map(|set| set.rdatas.clone());
            let (owner, rtype) = key;
            let adds = pair.message.updates.iter();
            let mut adds = adds.filter(|row| row.owner == *owner && row.rtype == *rtype);
            pair.who == "knotd"
                && data(pair.zones[0]) == data(pair.zones[1])
                && adds.any(|row| row.class == super::wire::IN)
        },
    },
];

/// A reason for another serial where nothing else is.
const SPELLING: (&str, &str) = (
    "named takes another spelling of an owner for a change",
    "RFC 4343 §3: it is the same name, and nothing has changed",
);

const ZERO: (&str, &str) = (
    "in the place of a serial of 0, lastgood takes 1",
    "RFC 1982 §7 leaves 0 to be one; some servers read it as none, and lastgood never serves it",
);

/// Why these two differ: all the reasons it takes, or none where one is missing.
pub fn reasons(pair: &Pair<'_>) -> Option<Vec<&'static str>> {
    if pair.rcodes[0] != pair.rcodes[1] {
        let known = RCODES.iter().find(|known| (known.is_it)(pair));
        return known.map(|known| vec![known.what]);
    }
    let mut reasons = Vec::new();
    for key in pair.zones[0].differing(pair.zones[1]) {
        let known = SETS.iter().find(|known| (known.is_it)(pair, &key))?;
        reasons.push(known.what);
    }
    if pair.zones[0].serial != pair.zones[1].serial && reasons.is_empty() {
        let is_zero = |row: &Row| row.rtype == Rtype::SOA && soa_serial(row) == 0;
        let serials = [pair.zones[0].serial, pair.zones[1].serial];
        if serials == [1, 0] && pair.message.updates.iter().any(is_zero) {
            return Some(vec![ZERO.0]);
        }
        let is_spelling = pair.who == "named" && pair.zones[0].serial == pair.before.serial;
        return is_spelling.then(|| vec![SPELLING.0]);
    }
    reasons.sort();
    reasons.dedup();
    Some(reasons)
}

/// Where the RFC says so.
pub fn section(reason: &str) -> &'static str {
    let rcodes = RCODES.iter().map(|known| (known.what, known.section));
    let sets = SETS.iter().map(|known| (known.what, known.section));
    let mut all = rcodes.chain(sets).chain([SPELLING, ZERO]);
    let found = all.find(|(what, _)| *what == reason);
    found.map_or("", |(_, section)| section)
}

/// One message and what the three made of it, to be read.
pub struct Case<'a> {
    pub origin: &'a Name,
    pub number: usize,
    pub message: &'a Message,
    pub before: &'a Zone,
    pub made: &'a Made,
}

impl<'a> Case<'a> {
    pub fn pair(&self, which: usize) -> Pair<'a> {
        let Made {
            rcodes,
            zones,
            fallen,
        } = self.made;
        Pair {
            origin: self.origin,
            message: self.message,
            before: self.before,
            who: NAMES[which],
            rcodes: [rcodes[0], rcodes[which]],
            has_fallen: *fallen == Some(which),
            zones: [&zones[0], &zones[which]],
        }
    }
}

impl fmt::Display for Case<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const RCODES: [&str; 11] = [
            "NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED", "YXDOMAIN",
            "YXRRSET", "NXRRSET", "NOTAUTH", "NOTZONE",
        ];
        writeln!(f, "message {}", self.number)?;
        write!(f, "{}", self.message)?;
        let Made { rcodes, zones, .. } = self.made;
        for (at, name) in NAMES.iter().enumerate() {
            let rcode = RCODES.get(usize::from(rcodes[at])).unwrap_or(&"silent");
            let (from, to) = (self.before.serial, zones[at].serial);
            let changed = self.before.differing(&zones[at]);
            writeln!(f, "  {name}: {rcode}, serial {from} to {to}")?;
            if !changed.is_empty() {
                let was = self.before.text(&changed).replace("      ", "    - ");
                let is = zones[at].text(&changed).replace("      ", "    + ");
                write!(f, "{was}{is}")?;
            }
        }
        Ok(())
    }
}
