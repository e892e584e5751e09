//! Which owners a change may give other findings than before.
//!
//! Those whose records change, and those whose look-ups meet what changed: through the reverse
//! index of references, backwards along aliases. Too many are harmless, one too few is not; the
//! property test would find it.

use std::collections::{BTreeMap, HashSet};

use super::walk::{has_address, target_of};
use crate::rr::{Key, Name, OrderKey, Rtype};
use crate::zone::{Diff, Node, RrsetChange, ZoneImage};

/// Their keys. Some may exist in one of the images alone.
pub(super) fn owners(before: &ZoneImage, diff: &Diff, after: &ZoneImage) -> HashSet<Key> {
    let mut search = Search {
        images: [before, after],
        owners: HashSet::new(),
        seen: HashSet::new(),
        queue: Vec::new(),
        dname_targets: HashSet::new(),
    };
    let mut changed: BTreeMap<OrderKey, Vec<&RrsetChange>> = BTreeMap::new();
    for change in &diff.changes {
        let key = change.owner.order_key();
        changed.entry(key).or_default().push(change);
    }
    for changes in changed.values() {
        search.changed_name(&changes[0].owner);
        for change in changes {
            search.changed_rrset(change);
        }
    }
    search.run();
    search.owners
}

/// Names whose look-up may end elsewhere than before.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Moved {
    Name(Name),
    /// This one and all below it.
    Tree(Name),
}

/// What of a node others meet when they look it up. Addresses themselves are not among it.
#[derive(PartialEq)]
struct Sight {
    exists: bool,
    empty: bool,
    address: bool,
    delegates: bool,
    cname: Option<Name>,
    dname: Option<Name>,
}

impl Sight {
    fn of(node: Option<&Node>) -> Sight {
        let has = |rtype| node.is_some_and(|node| node.rrset(rtype).is_some());
        Sight {
            exists: node.is_some(),
            empty: node.is_none_or(Node::is_empty),
            address: node.is_some_and(has_address),
            delegates: has(Rtype::NS),
            cname: node.and_then(|node| target_of(node, Rtype::CNAME)),
            dname: node.and_then(|node| target_of(node, Rtype::DNAME)),
        }
    }
}

struct Search<'a> {
    images: [&'a ZoneImage; 2],
    owners: HashSet<Key>,
    seen: HashSet<Moved>,
    queue: Vec<Moved>,
    /// Names whose referring DNAMEs have been found.
    dname_targets: HashSet<Name>,
}

impl Search<'_> {
    fn origin(&self) -> &Name {
        self.images[0].origin()
    }

    fn exists(&self, name: &Name) -> [bool; 2] {
        self.images.map(|image| image.node(name).is_some())
    }

    fn moved(&mut self, moved: Moved) {
        if self.seen.insert(moved.clone()) {
            self.queue.push(moved);
        }
    }

    fn changed_name(&mut self, owner: &Name) {
        self.owners.insert(owner.key());
        let [was, is] = self
            .images
            .map(|image| Sight::of(image.node(owner).map(|node| &**node)));
        if was == is {
            return;
        }
        if was.exists != is.exists {
            self.came_or_went(owner);
        } else {
            self.moved(Moved::Name(owner.clone()));
            self.uncover(owner);
        }
        let is_apex = owner == self.origin();
        if was.dname != is.dname || (was.delegates != is.delegates && !is_apex) {
            self.moved(Moved::Tree(owner.clone()));
        }
        // What is below a delegation or a DNAME is judged otherwise than what is not.
        let broke = |sight: &Sight| (sight.delegates && !is_apex, sight.dname.is_some());
        if broke(&was) != broke(&is) {
            for image in self.images {
                let below = image.below(owner).map(|node| node.name().key());
                self.owners.extend(below);
            }
        }
    }

    /// Names that came or went take their empty ancestors with them, and change what the wildcards
    /// above the topmost of these cover (RFC 4592 §3.3.1).
    fn came_or_went(&mut self, owner: &Name) {
        let mut top = owner.clone();
        while let Some(parent) = top.parent().filter(|parent| {
            let [was, is] = self.exists(parent);
            parent.is_below(self.origin()) && was != is
        }) {
            top = parent;
        }
        self.uncover(&top);
        self.moved(Moved::Tree(top));
    }

    /// A wildcard answers for every missing name below its parent.
    fn uncover(&mut self, owner: &Name) {
        if owner.is_wildcard()
            && let Some(parent) = owner.parent()
            && owner != self.origin()
        {
            self.moved(Moved::Tree(parent));
        }
    }

    fn changed_rrset(&mut self, change: &RrsetChange) {
        match change.rtype {
            // Whether an address below a delegation is glue depends on who leads to it.
            Rtype::NS => {
                let sets = [&change.before, &change.after].into_iter().flatten();
                for target in sets.flat_map(|rrset| rrset.targets()) {
                    self.owners.insert(target.key());
                }
            }
            // How much glue a referral carries depends on the addresses themselves.
            Rtype::A | Rtype::AAAA => {
                for image in self.images {
                    let cut = image.cut_at_or_above(&change.owner);
                    self.owners.extend(cut.map(|cut| cut.name().key()));
                }
            }
            _ => {}
        }
    }

    fn run(&mut self) {
        while let Some(moved) = self.queue.pop() {
            for image in self.images {
                let referrers: Vec<(Name, Rtype)> = match &moved {
                    Moved::Name(name) => image
                        .referrers(name)
                        .map(|(owner, rtype)| (owner.clone(), rtype))
                        .collect(),
                    Moved::Tree(name) => image
                        .referrers_at_or_below(name)
                        .map(|(_, owner, rtype)| (owner.clone(), rtype))
                        .collect(),
                };
                for (owner, rtype) in referrers {
                    self.referrer(owner, rtype);
                }
            }
            let (Moved::Name(name) | Moved::Tree(name)) = moved;
            self.led_here_by_dname(&name);
        }
    }

    /// The owner of a record whose target moved; where it is an alias, it moved itself.
    fn referrer(&mut self, owner: Name, rtype: Rtype) {
        self.owners.insert(owner.key());
        match rtype {
            Rtype::CNAME => {
                self.uncover(&owner);
                self.moved(Moved::Name(owner));
            }
            Rtype::DNAME => self.moved(Moved::Tree(owner)),
            _ => {}
        }
    }

    /// Names below a DNAME whose target is above what moved may have been led to it.
    fn led_here_by_dname(&mut self, name: &Name) {
        let mut above = name.parent();
        while let Some(target) = above.filter(|above| above.is_at_or_below(self.origin())) {
            // Once for each name above: popular ones have many referrers.
            if !self.dname_targets.insert(target.clone()) {
                return;
            }
            for image in self.images {
                let dnames: Vec<Name> = image
                    .referrers(&target)
                    .filter(|(_, rtype)| *rtype == Rtype::DNAME)
                    .map(|(owner, _)| owner.clone())
                    .collect();
                for dname in dnames {
                    self.referrer(dname, Rtype::DNAME);
                }
            }
            above = target.parent();
        }
    }
}
