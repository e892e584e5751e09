//! From one image to the next: set RRsets one by one, and learn what changed.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use super::{Diff, Node, RrsetChange, ZoneImage};
use crate::rr::{Key, Name, OrderKey, Record, RrSet, Rtype};

/// An image being changed. The image it started from stays as it is; a change to one name copies
/// the path to it, not the zone.
pub struct Editor {
    image: ZoneImage,
    /// What stood where something was set, before the first setting.
    touched: BTreeMap<(OrderKey, Rtype), Former>,
}

/// An owner and the RRset that it had.
type Former = (Name, Option<Arc<RrSet>>);
/// An owner, a TTL, and the RDATA gathered for them.
type Group = (Name, u32, Vec<Box<[u8]>>);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{owner} is outside the zone {origin}")]
pub struct OutsideZone {
    pub owner: Name,
    pub origin: Name,
}

impl ZoneImage {
    pub fn edit(&self) -> Editor {
        Editor {
            image: self.clone(),
            touched: BTreeMap::new(),
        }
    }

    /// An image of these records. Of TTLs that differ within an RRset the lowest is taken
    /// (RFC 2181 §5.2); duplicates are kept once.
    pub fn from_records(
        origin: Name,
        records: impl IntoIterator<Item = Record>,
    ) -> Result<ZoneImage, OutsideZone> {
        let mut groups: std::collections::HashMap<(Key, Rtype), Group> =
            std::collections::HashMap::new();
        let mut order = Vec::new();
        for record in records {
            let key = (record.owner.key(), record.rtype);
            let group = groups.entry(key.clone()).or_insert_with(|| {
                order.push(key);
                (record.owner, record.ttl, Vec::new())
            });
            group.1 = group.1.min(record.ttl);
            group.2.push(record.rdata);
        }
        let mut image = ZoneImage::empty(origin);
        for key in order {
            let (owner, ttl, rdatas) = groups.remove(&key).expect("each key was pushed once");
            image.put(&owner, key.1, RrSet::new(key.1, ttl, rdatas).map(Arc::new))?;
        }
        Ok(image)
    }

    /// Replaces the RRset of an owner and type, in place; returns what stood there.
    fn put(
        &mut self,
        owner: &Name,
        rtype: Rtype,
        rrset: Option<Arc<RrSet>>,
    ) -> Result<Option<Arc<RrSet>>, OutsideZone> {
        if !owner.is_at_or_below(&self.origin) {
            return Err(OutsideZone {
                owner: owner.clone(),
                origin: self.origin.clone(),
            });
        }
        let order_key = owner.order_key();
        let existing = self.order.get(&order_key).cloned();
        let old = existing
            .as_ref()
            .and_then(|node| node.rrset(rtype))
            .cloned();
        if old == rrset {
            return Ok(old);
        }
        let was_break = existing.as_ref().is_some_and(|node| self.is_break(node));
        let mut node = match existing {
            Some(node) => Arc::unwrap_or_clone(node),
            None => Node {
                name: owner.clone(),
                rrsets: Vec::new(),
            },
        };
        // A name spelled anew takes its new spelling only when nothing else is left of it.
        if node.rrsets.iter().all(|rrset| rrset.rtype() == rtype) && !owner.is_same_apex(self) {
            node.name = owner.clone();
        }
        if let Some(old) = &old {
            self.forget(&order_key, owner, old);
            node.rrsets.retain(|rrset| rrset.rtype() != rtype);
        }
        if let Some(new) = rrset {
            self.remember(&order_key, owner, &new);
            let at = node.rrsets.partition_point(|rrset| rrset.rtype() < rtype);
            node.rrsets.insert(at, new);
        }
        let is_break = self.is_break(&node);
        self.breaks = self.breaks + usize::from(is_break) - usize::from(was_break);
        if node.is_empty() && !self.has_below(&order_key) && *owner != self.origin {
            self.order.remove(&order_key);
            self.nodes.remove(&owner.key());
            self.remove_empty_ancestors(owner);
        } else {
            let node = Arc::new(node);
            self.nodes.insert(owner.key(), node.clone());
            if self.order.insert(order_key, node).is_none() {
                self.add_missing_ancestors(owner);
            }
        }
        Ok(old)
    }

    fn is_break(&self, node: &Node) -> bool {
        node.rrset(Rtype::DNAME).is_some()
            || (node.rrset(Rtype::NS).is_some() && node.name != self.origin)
    }

    fn has_below(&self, key: &OrderKey) -> bool {
        self.order
            .range((Bound::Excluded(key.clone()), Bound::Unbounded))
            .next()
            .is_some_and(|(next, _)| next.is_at_or_below(key))
    }

    fn add_missing_ancestors(&mut self, owner: &Name) {
        let mut name = owner.clone();
        while let Some(parent) = name.parent().filter(|parent| parent.is_below(&self.origin)) {
            let key = parent.key();
            if self.nodes.contains_key(&key) {
                return;
            }
            let ent = Arc::new(Node {
                name: parent.clone(),
                rrsets: Vec::new(),
            });
            self.nodes.insert(key, ent.clone());
            self.order.insert(parent.order_key(), ent);
            name = parent;
        }
    }

    fn remove_empty_ancestors(&mut self, owner: &Name) {
        let mut name = owner.clone();
        while let Some(parent) = name.parent().filter(|parent| parent.is_below(&self.origin)) {
            let order_key = parent.order_key();
            let idle = self
                .order
                .get(&order_key)
                .is_some_and(|node| node.is_empty());
            if !idle || self.has_below(&order_key) {
                return;
            }
            self.order.remove(&order_key);
            self.nodes.remove(&parent.key());
            name = parent;
        }
    }

    fn forget(&mut self, key: &OrderKey, owner: &Name, rrset: &RrSet) {
        for target in rrset.targets() {
            self.referrers
                .remove(&(target.order_key(), rrset.rtype(), key.clone()));
        }
        self.rrset_count -= 1;
        self.record_count -= rrset.len();
        self.digest.subtract(owner, rrset);
    }

    fn remember(&mut self, key: &OrderKey, owner: &Name, rrset: &RrSet) {
        for target in rrset.targets() {
            self.referrers
                .insert((target.order_key(), rrset.rtype(), key.clone()));
        }
        self.rrset_count += 1;
        self.record_count += rrset.len();
        self.digest.add(owner, rrset);
    }
}

impl Name {
    /// The apex keeps the spelling of the zone's name.
    fn is_same_apex(&self, image: &ZoneImage) -> bool {
        *self == image.origin
    }
}

impl Editor {
    /// The image as it has become so far.
    pub fn image(&self) -> &ZoneImage {
        &self.image
    }

    /// Puts an RRset, or nothing, in the place of what `owner` has of `rtype`.
    pub fn set(
        &mut self,
        owner: &Name,
        rtype: Rtype,
        rrset: Option<RrSet>,
    ) -> Result<(), OutsideZone> {
        self.set_shared(owner, rtype, rrset.map(Arc::new))
    }

    /// As [`Editor::set`], with an RRset that another image has too.
    pub fn set_shared(
        &mut self,
        owner: &Name,
        rtype: Rtype,
        rrset: Option<Arc<RrSet>>,
    ) -> Result<(), OutsideZone> {
        let old = self.image.put(owner, rtype, rrset)?;
        self.touched
            .entry((owner.order_key(), rtype))
            .or_insert_with(|| (owner.clone(), old));
        Ok(())
    }

    /// Applies what lies between two other images of the zone: for each change, what is `after`.
    pub fn apply(&mut self, diff: &Diff) -> Result<(), OutsideZone> {
        diff.changes
            .iter()
            .try_for_each(|c| self.set_shared(&c.owner, c.rtype, c.after.clone()))
    }

    /// The new image, and what changed from the one it started from.
    pub fn finish(self) -> (ZoneImage, Diff) {
        let image = self.image;
        let changes = self
            .touched
            .into_iter()
            .filter_map(|((order_key, rtype), (owner, before))| {
                let node = image.order.get(&order_key);
                let after = node.and_then(|node| node.rrset(rtype)).cloned();
                let owner = node.map_or(owner, |node| node.name.clone());
                (before != after).then_some(RrsetChange {
                    owner,
                    rtype,
                    before,
                    after,
                })
            })
            .collect();
        (image, Diff { changes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rr::rdata;
    use crate::zone::Found;
    use proptest::prelude::*;

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    fn rrset(rtype: Rtype, text: &str) -> RrSet {
        RrSet::new(rtype, 60, [rdata::from_text(rtype, text).unwrap()]).unwrap()
    }

    #[test]
    fn empty_non_terminals_come_and_go_with_what_is_below_them() {
        let mut editor = ZoneImage::empty(name("example.")).edit();
        let deep = name("a.b.c.example.");
        editor
            .set(&deep, Rtype::A, Some(rrset(Rtype::A, "192.0.2.1")))
            .unwrap();
        let (image, diff) = editor.finish();
        assert_eq!(diff.changes.len(), 1);
        assert!(image.node(&name("b.c.example.")).unwrap().is_empty());
        let mut editor = image.edit();
        editor
            .set(
                &name("c.example."),
                Rtype::A,
                Some(rrset(Rtype::A, "192.0.2.2")),
            )
            .unwrap();
        editor.set(&deep, Rtype::A, None).unwrap();
        let (image, _) = editor.finish();
        assert!(image.node(&name("b.c.example.")).is_none());
        assert_eq!(image.node_count(), 2);
        assert!(editor_outside(&image).is_err());
    }

    fn editor_outside(image: &ZoneImage) -> Result<(), OutsideZone> {
        image.edit().set(&name("other."), Rtype::A, None)
    }

    #[test]
    fn find_stops_at_the_topmost_cut_and_at_a_dname_above() {
        let mut editor = ZoneImage::empty(name("example.")).edit();
        let ns = |t| rrset(Rtype::NS, t);
        editor
            .set(&name("example."), Rtype::NS, Some(ns("ns.example.")))
            .unwrap();
        editor
            .set(
                &name("sub.example."),
                Rtype::NS,
                Some(ns("ns.sub.example.")),
            )
            .unwrap();
        editor
            .set(&name("x.sub.example."), Rtype::NS, Some(ns("ns.other.")))
            .unwrap();
        editor
            .set(
                &name("d.example."),
                Rtype::DNAME,
                Some(rrset(Rtype::DNAME, "o.")),
            )
            .unwrap();
        let (image, _) = editor.finish();
        let find = |text: &str| image.find(name(text).key().as_bytes());
        assert!(
            matches!(find("y.x.sub.example."), Found::Cut(n) if *n.name() == name("sub.example."))
        );
        assert!(matches!(find("a.d.example."), Found::Dname(_)));
        assert!(matches!(find("d.example."), Found::Exact(_)));
        assert!(
            matches!(find("q.r.example."), Found::Missing { encloser } if *encloser.name() == name("example."))
        );
        assert!(matches!(find("example."), Found::Exact(_)));
        assert_eq!(image.referrers(&name("ns.sub.example.")).count(), 1);
        assert_eq!(image.referrers_below(&name("example.")).count(), 2);
    }

    proptest! {
        /// However an image came to be, it equals one built at once from the same records.
        #[test]
        fn changes_one_by_one_equal_building_at_once(
            steps in proptest::collection::vec((0..3u8, 0..3u8, 0..3u8, 0..4u8, any::<bool>()), 0..60)
        ) {
            let origin = name("example.");
            let mut image = ZoneImage::empty(origin.clone());
            for (a, b, depth, kind, add) in steps {
                let owner = match depth {
                    0 => format!("n{a}.example."),
                    1 => format!("n{a}.n{b}.example."),
                    _ => format!("x.n{a}.n{b}.example."),
                };
                let (rtype, text) = [
                    (Rtype::A, "192.0.2.1"), (Rtype::CNAME, "n1.example."),
                    (Rtype::NS, "n2.n1.example."), (Rtype::DNAME, "n0.example."),
                ][usize::from(kind)];
                let before = image.clone();
                let mut editor = image.edit();
                editor.set(&name(&owner), rtype, add.then(|| rrset(rtype, text))).unwrap();
                let (after, diff) = editor.finish();
                prop_assert_eq!(&diff, &Diff::between(&before, &after));
                image = after;
            }
            let records = image
                .iter()
                .flat_map(|node| node.rrsets().iter().flat_map(|set| set.records(node.name())))
                .collect::<Vec<_>>();
            let whole = ZoneImage::from_records(origin, records).unwrap();
            prop_assert_eq!(image.digest(), whole.digest());
            prop_assert_eq!(image.node_count(), whole.node_count());
            prop_assert_eq!(image.breaks, whole.breaks);
            prop_assert_eq!(image.record_count(), whole.record_count());
            prop_assert_eq!(&image.referrers, &whole.referrers);
            prop_assert_eq!(image.nodes.len(), whole.nodes.len());
            prop_assert!(Diff::between(&image, &whole).is_empty());
        }
    }
}
