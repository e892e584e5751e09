//! The immutable image: nodes by name for look-ups, and in canonical order for everything else.

use std::ops::Bound;
use std::sync::Arc;

use super::Digest;
use crate::rr::{Key, Name, OrderKey, RrSet, Rtype, Soa};

/// A name that exists in a zone: with RRsets, or an empty non-terminal (RFC 4592 §2.2.2).
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    pub(super) name: Name,
    /// By ascending type.
    pub(super) rrsets: Vec<Arc<RrSet>>,
}

impl Node {
    /// As it is spelled in the zone.
    pub fn name(&self) -> &Name {
        &self.name
    }

    pub fn rrsets(&self) -> &[Arc<RrSet>] {
        &self.rrsets
    }

    pub fn rrset(&self, rtype: Rtype) -> Option<&Arc<RrSet>> {
        self.rrsets.iter().find(|rrset| rrset.rtype() == rtype)
    }

    /// An empty non-terminal.
    pub fn is_empty(&self) -> bool {
        self.rrsets.is_empty()
    }
}

/// Where a look-up ends (RFC 1034 §4.3.2), before wildcards and types are thought of.
#[derive(Debug, Clone, Copy)]
pub enum Found<'a> {
    /// The topmost delegation at or above the name.
    Cut(&'a Arc<Node>),
    /// The topmost DNAME strictly above the name, with no cut above it.
    Dname(&'a Arc<Node>),
    Exact(&'a Arc<Node>),
    /// The name does not exist; this is its closest encloser (RFC 4592 §3.3.1).
    Missing {
        encloser: &'a Arc<Node>,
    },
}

/// Target, type and owner of a record that refers to a name.
pub(super) type Reference = (OrderKey, Rtype, OrderKey);

/// No record of this type refers to anything (it is reserved, RFC 6895 §3.1).
const BEHIND_ALL: Rtype = Rtype(u16::MAX);

/// One version of a zone. Cloning is cheap: versions share what they have in common.
#[derive(Clone)]
pub struct ZoneImage {
    pub(super) origin: Name,
    pub(super) origin_key: Key,
    pub(super) nodes: imbl::HashMap<Key, Arc<Node>>,
    pub(super) order: imbl::OrdMap<OrderKey, Arc<Node>>,
    /// Of every record that refers to a name, in this zone or another.
    pub(super) referrers: imbl::OrdSet<Reference>,
    /// Nodes other than the apex with NS, and nodes with DNAME: without any, no look-up need ask.
    pub(super) breaks: usize,
    pub(super) rrset_count: usize,
    pub(super) record_count: usize,
    pub(super) digest: Digest,
}

impl ZoneImage {
    /// A zone whose apex exists and holds nothing: where builders start, not fit to be served.
    pub fn empty(origin: Name) -> ZoneImage {
        let apex = Arc::new(Node {
            name: origin.clone(),
            rrsets: Vec::new(),
        });
        ZoneImage {
            origin_key: origin.key(),
            nodes: imbl::HashMap::unit(origin.key(), apex.clone()),
            order: imbl::OrdMap::unit(origin.order_key(), apex),
            referrers: imbl::OrdSet::new(),
            breaks: 0,
            rrset_count: 0,
            record_count: 0,
            digest: Digest::default(),
            origin,
        }
    }

    pub fn origin(&self) -> &Name {
        &self.origin
    }

    pub fn origin_key(&self) -> &Key {
        &self.origin_key
    }

    pub fn apex(&self) -> &Arc<Node> {
        self.nodes
            .get(&self.origin_key)
            .expect("the apex always exists")
    }

    /// The node of a name, an ENT included.
    pub fn node(&self, owner: &Name) -> Option<&Arc<Node>> {
        self.nodes.get(&owner.key())
    }

    /// The node of a name given in lower-case wire form.
    pub fn node_at(&self, key: &[u8]) -> Option<&Arc<Node>> {
        self.nodes.get(key)
    }

    pub fn rrset(&self, owner: &Name, rtype: Rtype) -> Option<&Arc<RrSet>> {
        self.node(owner)?.rrset(rtype)
    }

    /// The zone's SOA; `None` in an image that is not fit to be served.
    pub fn soa(&self) -> Option<Soa> {
        Soa::from_rdata(self.apex().rrset(Rtype::SOA)?.first())
    }

    pub fn record_count(&self) -> usize {
        self.record_count
    }

    pub fn rrset_count(&self) -> usize {
        self.rrset_count
    }

    /// Names that exist, ENTs included.
    pub fn node_count(&self) -> usize {
        self.order.len()
    }

    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// All nodes in canonical order, the apex first.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Node>> {
        self.order.values()
    }

    /// The nodes strictly below a name, in canonical order.
    pub fn below(&self, name: &Name) -> impl Iterator<Item = &Arc<Node>> {
        let above = name.order_key();
        self.order
            .range((Bound::Excluded(above.clone()), Bound::Unbounded))
            .take_while(move |(key, _)| key.is_at_or_below(&above))
            .map(|(_, node)| node)
    }

    /// Goes from the apex down to `qname`, given in lower-case wire form, which must stand at or
    /// below the origin.
    pub fn find(&self, qname: &[u8]) -> Found<'_> {
        if self.breaks == 0
            && let Some(node) = self.nodes.get(qname)
        {
            return Found::Exact(node);
        }
        let mut starts = [0u8; 128];
        let mut count = 0;
        let mut at = 0;
        let top = qname.len().saturating_sub(self.origin.len());
        while at < top {
            starts[count] = at as u8;
            count += 1;
            at += 1 + usize::from(qname[at]);
        }
        let mut node = self.apex();
        for &start in starts[..count].iter().rev() {
            if node.rrset(Rtype::DNAME).is_some() {
                return Found::Dname(node);
            }
            match self.nodes.get(&qname[usize::from(start)..]) {
                None => return Found::Missing { encloser: node },
                Some(next) if next.rrset(Rtype::NS).is_some() => return Found::Cut(next),
                Some(next) => node = next,
            }
        }
        Found::Exact(node)
    }

    /// The topmost delegation at or above a name of this zone.
    pub fn cut_at_or_above(&self, name: &Name) -> Option<&Arc<Node>> {
        let key = name.key();
        match self.find(key.as_bytes()) {
            Found::Cut(node) => Some(node),
            _ => None,
        }
    }

    /// The owners and types of the records in this zone that refer to `target` (see
    /// [`crate::rr::rdata::target`]), by type.
    pub fn referrers(&self, target: &Name) -> impl Iterator<Item = (&Name, Rtype)> {
        let wanted = target.order_key();
        self.references_from(wanted.clone(), Rtype(0))
            .take_while(move |(key, ..)| *key == wanted)
            .filter_map(|reference| self.referrer(reference))
    }

    /// The owners of those of one type, which are found however many there are of others.
    pub fn referrers_of_type(&self, target: &Name, rtype: Rtype) -> impl Iterator<Item = &Name> {
        let wanted = target.order_key();
        self.references_from(wanted.clone(), rtype)
            .take_while(move |(key, own, _)| *key == wanted && *own == rtype)
            .filter_map(|reference| Some(self.referrer(reference)?.0))
    }

    /// As [`ZoneImage::referrers`], for every target strictly below a name.
    pub fn referrers_below(&self, target: &Name) -> impl Iterator<Item = (&Name, Rtype)> {
        let wanted = target.order_key();
        self.references_from(wanted.clone(), BEHIND_ALL)
            .take_while(move |(key, ..)| key.is_at_or_below(&wanted))
            .filter_map(|reference| self.referrer(reference))
    }

    /// Of those below `parent`, the ones whose target a wildcard there answers for: no child of
    /// `parent` on the way to it exists (RFC 4592 §3.3.1). What refers to names that exist is
    /// stepped over, and costs nothing.
    pub fn referrers_to_missing_below(
        &self,
        parent: &Name,
    ) -> impl Iterator<Item = (&Name, Rtype)> {
        let above = parent.order_key();
        let mut rest = self.references_from(above.clone(), BEHIND_ALL);
        std::iter::from_fn(move || {
            loop {
                let reference = rest.next()?;
                let child = above.child_toward(&reference.0)?;
                if self.order.contains_key(&child) {
                    rest = self.references_from(child.past_tree(), Rtype(0));
                } else if let Some(referrer) = self.referrer(reference) {
                    return Some(referrer);
                }
            }
        })
    }

    fn referrer(&self, (_, rtype, owner): &Reference) -> Option<(&Name, Rtype)> {
        Some((self.order.get(owner)?.name(), *rtype))
    }

    fn references_from(
        &self,
        target: OrderKey,
        rtype: Rtype,
    ) -> impl Iterator<Item = &Reference> + use<'_> {
        let root = Name::root().order_key();
        self.referrers.range((target, rtype, root)..)
    }

    /// Pairs of nodes that are not the same in both, in canonical order.
    pub(super) fn nodes_that_differ<'a>(
        &'a self,
        other: &'a ZoneImage,
    ) -> impl Iterator<Item = (Option<&'a Arc<Node>>, Option<&'a Arc<Node>>)> {
        use imbl::ordmap::DiffItem;
        self.order.diff(&other.order).map(|item| match item {
            DiffItem::Add(_, node) => (None, Some(node)),
            DiffItem::Remove(_, node) => (Some(node), None),
            DiffItem::Update {
                old: (_, old),
                new: (_, new),
            } => (Some(old), Some(new)),
        })
    }
}

impl std::fmt::Debug for ZoneImage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "zone {} ({} records)", self.origin, self.record_count)
    }
}
