//! What a name leads to: our own look-up, continued through aliases into every zone served here.
//! Answers do not cross zones; resolvers do, and what they find at the end is what counts.

use std::collections::BTreeSet;

use super::ALIASES_MAX;
use super::lookup::{Step, step, zone_for};
use crate::rr::{Name, RrSet, Rtype, rdata};
use crate::zone::{Published, Served};

#[derive(Debug, Clone, PartialEq)]
pub struct Members {
    /// The distinct data found at the end, in canonical form.
    pub rdatas: BTreeSet<Box<[u8]>>,
    /// The name asked for, and every alias target reached, in order.
    pub walk: Vec<Name>,
    /// Origins of the zones visited, in order.
    pub zones: Vec<Name>,
    pub end: WalkEnd,
}

#[derive(Debug, Clone, PartialEq)]
pub enum WalkEnd {
    Data,
    NoData,
    /// The name does not exist, or a DNAME makes it too long to exist.
    NxDomain,
    /// A delegation to a zone that is not served here.
    Referral,
    /// A loop of aliases, or more of them than anybody follows.
    Loop,
    /// A name outside of our zones.
    Outside(Name),
    /// A zone of ours that has nothing fit to be served.
    Unavailable,
}

/// Follows a name and type to their data.
pub fn members(published: &Published, name: &Name, rtype: Rtype) -> Members {
    let mut members = Members {
        rdatas: BTreeSet::new(),
        walk: vec![name.clone()],
        zones: Vec::new(),
        end: WalkEnd::Loop,
    };
    let mut at = name.clone();
    while members.walk.len() <= ALIASES_MAX {
        match members.go_on(published, &at, rtype) {
            Ok(target) => {
                let been_there = members.walk.contains(&target);
                members.walk.push(target.clone());
                if been_there {
                    break;
                }
                at = target;
            }
            Err(end) => {
                members.end = end;
                break;
            }
        }
    }
    members
}

impl Members {
    /// One step: the alias target that it leads to, or the end.
    fn go_on(&mut self, published: &Published, at: &Name, rtype: Rtype) -> Result<Name, WalkEnd> {
        let key = at.key();
        let zone = match zone_for(published, key.as_bytes(), rtype).map(|zone| &**zone) {
            None => return Err(WalkEnd::Outside(at.clone())),
            Some(zone) => zone,
        };
        if !self.zones.contains(zone.origin()) {
            self.zones.push(zone.origin().clone());
        }
        let Served::Zone(zone) = zone else {
            return Err(WalkEnd::Unavailable);
        };
        match step(&zone.image, key.as_bytes(), rtype) {
            Step::Data(_, rrset) => self.gather(rrset),
            Step::Everything(source) => {
                source.node.rrsets().iter().for_each(|set| self.gather(set))
            }
            Step::NoData => return Err(WalkEnd::NoData),
            Step::NxDomain => return Err(WalkEnd::NxDomain),
            // The delegation itself: resolvers take its NS from the referral.
            Step::Referral(cut, ns) if rtype == Rtype::NS && cut.name() == at => self.gather(ns),
            Step::Referral(..) => return Err(WalkEnd::Referral),
            Step::Cname(_, cname) => return alias_target(cname),
            Step::Dname(node, dname) => {
                return at
                    .replace_suffix(node.name(), &alias_target(dname)?)
                    .map_err(|_| WalkEnd::NxDomain);
            }
        }
        Err(WalkEnd::Data)
    }

    fn gather(&mut self, rrset: &RrSet) {
        let canonical = |data| rdata::canonical(rrset.rtype(), data).into_owned().into();
        self.rdatas.extend(rrset.rdatas().map(canonical));
    }
}

fn alias_target(rrset: &RrSet) -> Result<Name, WalkEnd> {
    rrset.targets().next().ok_or(WalkEnd::NoData)
}
