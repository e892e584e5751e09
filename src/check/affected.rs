//! Which owners a change may give other findings than before.
//!
//! Those whose records change, and those whose look-ups meet what changed: through the reverse
//! index of references, backwards along as many aliases as are followed forwards. Too many are
//! harmless, one too few is not; the property test would find it.

use std::collections::{BTreeMap, HashSet, VecDeque};

use super::walk::{ALIASES_MAX, Place, has_address, place, target_of};
use crate::rr::{Key, Name, OrderKey, Rtype};
use crate::zone::{Diff, Node, RrsetChange, ZoneImage};

/// Keys of owners, some of which may exist in one of the images alone; none stands in two sets.
#[derive(Default)]
pub(super) struct Affected {
    /// Their records changed.
    pub changed: HashSet<Key>,
    /// They stand otherwise than before: below a delegation or DNAME that came or went, or as glue.
    pub nearby: HashSet<Key>,
    /// They refer to what changed, and are judged otherwise for that alone.
    pub referring: HashSet<Key>,
    /// Records and names that were looked at to find them.
    pub steps: usize,
}

/// They, or `None` where finding them takes more than `steps_max`.
pub(super) fn owners(
    before: &ZoneImage,
    diff: &Diff,
    after: &ZoneImage,
    steps_max: usize,
) -> Option<Affected> {
    let mut search = Search {
        images: [before, after],
        found: Affected::default(),
        steps_max,
        seen: HashSet::new(),
        queue: VecDeque::new(),
        dname_targets: HashSet::new(),
    };
    let mut changed: BTreeMap<OrderKey, Vec<&RrsetChange>> = BTreeMap::new();
    for change in &diff.changes {
        let key = change.owner.order_key();
        changed.entry(key).or_default().push(change);
    }
    for changes in changed.values() {
        search.changed_name(&changes[0].owner)?;
        for change in changes {
            search.changed_rrset(change);
        }
    }
    search.run()?;
    let mut found = search.found;
    found.nearby.retain(|key| !found.changed.contains(key));
    let is_whole = |key: &Key| found.changed.contains(key) || found.nearby.contains(key);
    found.referring.retain(|key| !is_whole(key));
    Some(found)
}

/// Names whose look-up may end elsewhere than before.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Moved {
    Name(Name),
    Below(Name),
    /// Those that a wildcard below this name answers for.
    Covered(Name),
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
    found: Affected,
    steps_max: usize,
    seen: HashSet<Moved>,
    /// With the aliases that lead from each to what changed, the fewest first.
    queue: VecDeque<(Moved, usize)>,
    /// Names whose referring DNAMEs have been found.
    dname_targets: HashSet<Name>,
}

impl<'a> Search<'a> {
    fn origin(&self) -> &'a Name {
        self.images[0].origin()
    }

    fn exists(&self, name: &Name) -> [bool; 2] {
        self.images.map(|image| image.node(name).is_some())
    }

    /// `None`: this is one more than we may take.
    fn step(&mut self) -> Option<()> {
        self.found.steps += 1;
        (self.found.steps <= self.steps_max).then_some(())
    }

    fn moved(&mut self, moved: Moved, aliases: usize) {
        if self.seen.insert(moved.clone()) {
            self.queue.push_back((moved, aliases));
        }
    }

    fn moved_tree(&mut self, top: &Name, aliases: usize) {
        self.moved(Moved::Name(top.clone()), aliases);
        self.moved(Moved::Below(top.clone()), aliases);
    }

    fn changed_name(&mut self, owner: &Name) -> Option<()> {
        self.found.changed.insert(owner.key());
        let [was, is] = self
            .images
            .map(|image| Sight::of(image.node(owner).map(|node| &**node)));
        if was == is {
            return Some(());
        }
        if was.exists != is.exists {
            self.came_or_went(owner);
        }
        if !self.only_gained(owner, &was, &is) {
            self.moved(Moved::Name(owner.clone()), 0);
        }
        self.uncover(owner, 0);
        let is_apex = owner == self.origin();
        if was.dname != is.dname || (was.delegates != is.delegates && !is_apex) {
            self.moved_tree(owner, 0);
        }
        // What is below a delegation or a DNAME is judged otherwise than what is not.
        let broke = |sight: &Sight| (sight.delegates && !is_apex, sight.dname.is_some());
        if broke(&was) != broke(&is) {
            for image in self.images {
                for node in image.below(owner) {
                    self.step()?;
                    self.found.nearby.insert(node.name().key());
                }
            }
        }
        Some(())
    }

    /// Whether this name has an address now, and before led nowhere else: then nothing that refers
    /// to it can be worse off, however much does.
    fn only_gained(&self, owner: &Name, was: &Sight, is: &Sight) -> bool {
        let is_plain = |sight: &Sight| sight.cname.is_none() && sight.dname.is_none();
        is.address
            && is_plain(is)
            && is_plain(was)
            && was.delegates == is.delegates
            && matches!(
                place(self.images[0], owner),
                Place::Here(_) | Place::Nothing
            )
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
        self.uncover(&top, 0);
        self.moved(Moved::Below(top.clone()), 0);
        if top != *owner {
            self.moved(Moved::Name(top), 0);
        }
    }

    /// A wildcard answers for every missing name below its parent.
    fn uncover(&mut self, owner: &Name, aliases: usize) {
        if owner.is_wildcard()
            && let Some(parent) = owner.parent()
            && owner != self.origin()
        {
            self.moved(Moved::Covered(parent), aliases);
        }
    }

    fn changed_rrset(&mut self, change: &RrsetChange) {
        match change.rtype {
            // Whether an address below a delegation is glue depends on who leads to it.
            Rtype::NS => {
                let sets = [&change.before, &change.after].into_iter().flatten();
                for target in sets.flat_map(|rrset| rrset.targets()) {
                    self.found.nearby.insert(target.key());
                }
            }
            // How much glue a referral carries depends on the addresses themselves.
            Rtype::A | Rtype::AAAA => {
                for image in self.images {
                    let cut = image.cut_at_or_above(&change.owner);
                    self.found.nearby.extend(cut.map(|cut| cut.name().key()));
                }
            }
            _ => {}
        }
    }

    fn run(&mut self) -> Option<()> {
        while let Some((moved, aliases)) = self.queue.pop_front() {
            // From further away it is not met.
            if aliases == ALIASES_MAX {
                continue;
            }
            for image in self.images {
                match &moved {
                    Moved::Name(name) if aliases == 0 => {
                        self.referrers(image.referrers(name), aliases)?;
                    }
                    Moved::Name(name) => self.aliases_to(image, name, aliases)?,
                    Moved::Below(name) => {
                        self.referrers(image.referrers_below(name), aliases)?;
                        self.dnames_to(image, name, aliases)?;
                    }
                    Moved::Covered(parent) => {
                        self.referrers(image.referrers_to_missing_below(parent), aliases)?;
                        self.dnames_to(image, parent, aliases)?;
                    }
                }
            }
            let (Moved::Name(name) | Moved::Below(name) | Moved::Covered(name)) = moved;
            self.led_here_by_dname(&name, aliases)?;
        }
        Some(())
    }

    /// Other records see no further than the name that they lead to.
    fn aliases_to(&mut self, image: &'a ZoneImage, name: &Name, aliases: usize) -> Option<()> {
        let owners = image.referrers_of_type(name, Rtype::CNAME);
        self.referrers(owners.map(|owner| (owner, Rtype::CNAME)), aliases)?;
        self.dnames_to(image, name, aliases)
    }

    /// What is below them is led below `name`.
    fn dnames_to(&mut self, image: &'a ZoneImage, name: &Name, aliases: usize) -> Option<()> {
        let owners = image.referrers_of_type(name, Rtype::DNAME);
        self.referrers(owners.map(|owner| (owner, Rtype::DNAME)), aliases)
    }

    /// The owners of records whose target moved; where one is an alias, it moved itself.
    fn referrers<'b>(
        &mut self,
        referrers: impl Iterator<Item = (&'b Name, Rtype)>,
        aliases: usize,
    ) -> Option<()> {
        for (owner, rtype) in referrers {
            self.step()?;
            self.found.referring.insert(owner.key());
            match rtype {
                Rtype::CNAME => {
                    self.uncover(owner, aliases + 1);
                    self.moved(Moved::Name(owner.clone()), aliases + 1);
                }
                Rtype::DNAME => self.moved_tree(owner, aliases + 1),
                _ => {}
            }
        }
        Some(())
    }

    /// Names below a DNAME whose target is above what moved may have been led to it.
    fn led_here_by_dname(&mut self, name: &Name, aliases: usize) -> Option<()> {
        let mut above = name.parent();
        while let Some(target) = above.filter(|above| above.is_at_or_below(self.origin())) {
            // Once for each name above: popular ones have many referrers.
            if !self.dname_targets.insert(target.clone()) {
                break;
            }
            for image in self.images {
                self.dnames_to(image, &target, aliases)?;
            }
            above = target.parent();
        }
        Some(())
    }
}
