//! What is asked of a zone: every name it has, and names below, beside and `*` below each, of every type.

use std::collections::BTreeSet;

use lastgood::rr::message::CLASS_IN;
use lastgood::rr::{Name, Rtype};

use crate::zones::Zone;

#[derive(Clone, Debug)]
pub struct Question {
    pub name: Name,
    pub rtype: Rtype,
    pub class: u16,
}

impl Question {
    pub fn new(name: Name, rtype: Rtype) -> Question {
        Question {
            name,
            rtype,
            class: CLASS_IN,
        }
    }
}

impl std::fmt::Display for Question {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} CLASS{} {}", self.name, self.class, self.rtype)
    }
}

/// Types that are asked for whether a zone has them or not: those that a look-up treats in a way of
/// their own, and some that it does not.
const TYPES: &[Rtype] = &[
    Rtype::A,
    Rtype::NS,
    Rtype::CNAME,
    Rtype::SOA,
    Rtype::MX,
    Rtype::TXT,
    Rtype::AAAA,
    Rtype::SRV,
    Rtype::NAPTR,
    Rtype::DNAME,
    Rtype::DS,
    Rtype::RRSIG,
    Rtype::NSEC,
    Rtype::DNSKEY,
    Rtype::HTTPS,
    Rtype::ANY,
    Rtype(65280),
];

/// One that is unassigned among the meta types, TKEY, MAILB, MAILA, OPT, TSIG.
const META_TYPES: [u16; 6] = [200, 249, 253, 254, 41, 250];
/// HS, NONE, ANY, one that is unassigned. CH is a server's own business, and nsd does not always answer it.
const CLASSES: [u16; 4] = [4, 254, 255, 77];

pub fn of(zone: &Zone) -> Vec<Question> {
    let image = &zone.image;
    let mut types: BTreeSet<Rtype> = TYPES.iter().copied().collect();
    types.extend(
        image
            .iter()
            .flat_map(|node| node.rrsets())
            .map(|rrset| rrset.rtype()),
    );
    let mut names = BTreeSet::new();
    for node in image.iter() {
        let name = node.name();
        names.insert(name.clone());
        for label in ["below", "*"] {
            names.extend(name.child(label.as_bytes()));
        }
        // What is beside the apex is another zone's.
        if let Some(parent) = name.parent().filter(|_| name != image.origin()) {
            names.extend(parent.child(b"beside"));
        }
        let special = name.is_wildcard() || node.rrset(Rtype::NS).is_some();
        if special || node.rrset(Rtype::DNAME).is_some() {
            names.extend(deeper(name));
        }
        if node.rrset(Rtype::DNAME).is_some() {
            names.insert(longest(name));
        }
    }
    names.insert("beside.all.zones.".parse().expect("a name"));
    let mut questions: Vec<Question> = names
        .iter()
        .flat_map(|name| {
            types
                .iter()
                .map(|&rtype| Question::new(name.clone(), rtype))
        })
        .collect();
    questions.extend(out_of_the_ordinary(image.origin()));
    questions
}

/// Types that no zone holds, and classes other than IN.
fn out_of_the_ordinary(origin: &Name) -> impl Iterator<Item = Question> {
    let names = [Some(origin.clone()), origin.child(b"beside").ok()];
    names.into_iter().flatten().flat_map(|name| {
        let types = META_TYPES.map(|code| Question::new(name.clone(), Rtype(code)));
        let classes = CLASSES.map(|class| Question {
            class,
            ..Question::new(name.clone(), Rtype::A)
        });
        types.into_iter().chain(classes)
    })
}

fn deeper(name: &Name) -> Option<Name> {
    name.child(b"below").ok()?.child(b"deep").ok()
}

/// A name of 255 octets, or almost, below this one.
fn longest(name: &Name) -> Name {
    let mut long = name.clone();
    while let Ok(longer) = long.child(b"long") {
        long = longer;
    }
    long
}
