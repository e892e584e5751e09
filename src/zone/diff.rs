//! What lies between two images of one zone, RRset by RRset.

use std::sync::Arc;

use super::ZoneImage;
use crate::rr::{Name, Record, RrSet, Rtype};

/// One RRset that appeared, went or changed.
#[derive(Debug, Clone, PartialEq)]
pub struct RrsetChange {
    pub owner: Name,
    pub rtype: Rtype,
    pub before: Option<Arc<RrSet>>,
    pub after: Option<Arc<RrSet>>,
}

/// The changes from one image to another, in canonical order of owners, then by type.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Diff {
    pub changes: Vec<RrsetChange>,
}

impl RrsetChange {
    /// Records that go: of `before`, those not in `after` with the same TTL.
    pub fn removed(&self) -> Vec<Record> {
        missing(&self.owner, self.before.as_deref(), self.after.as_deref())
    }

    pub fn added(&self) -> Vec<Record> {
        missing(&self.owner, self.after.as_deref(), self.before.as_deref())
    }
}

fn missing(owner: &Name, of: Option<&RrSet>, other: Option<&RrSet>) -> Vec<Record> {
    let other = other.filter(|other| of.is_some_and(|of| of.ttl() == other.ttl()));
    let kept: std::collections::HashSet<&[u8]> =
        other.into_iter().flat_map(RrSet::rdatas).collect();
    of.into_iter()
        .flat_map(|of| of.records(owner))
        .filter(|record| !kept.contains(&*record.rdata))
        .collect()
}

impl Diff {
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// All records that go, then all that come: the halves of an IXFR sequence (RFC 1995 §4).
    pub fn removed(&self) -> impl Iterator<Item = Record> {
        self.changes.iter().flat_map(RrsetChange::removed)
    }

    pub fn added(&self) -> impl Iterator<Item = Record> {
        self.changes.iter().flat_map(RrsetChange::added)
    }

    /// The same diff without the change of the SOA at the apex.
    pub fn is_only_soa(&self) -> bool {
        self.changes.iter().all(|change| change.rtype == Rtype::SOA)
    }

    /// Between any two images of one zone. What they share is skipped, so that it costs in the
    /// size of the difference where one came from the other.
    pub fn between(before: &ZoneImage, after: &ZoneImage) -> Diff {
        let mut changes = Vec::new();
        for (old, new) in before.nodes_that_differ(after) {
            let name = new.or(old).expect("one of them differs").name();
            let types: std::collections::BTreeSet<Rtype> = [old, new]
                .into_iter()
                .flatten()
                .flat_map(|node| node.rrsets().iter().map(|rrset| rrset.rtype()))
                .collect();
            for rtype in types {
                let before = old.and_then(|node| node.rrset(rtype));
                let after = new.and_then(|node| node.rrset(rtype));
                if before != after {
                    changes.push(RrsetChange {
                        owner: name.clone(),
                        rtype,
                        before: before.cloned(),
                        after: after.cloned(),
                    });
                }
            }
        }
        Diff { changes }
    }
}
