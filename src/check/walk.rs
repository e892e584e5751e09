//! Where a name leads when something in the zone refers to it.

use std::collections::HashMap;

use crate::rr::{Name, Rtype, rdata};
use crate::zone::{Found, Node, ZoneImage};

/// What stands at a name, as a look-up from outside would meet it.
pub(super) enum Place<'a> {
    /// Not in this zone.
    Outside,
    /// At or below this delegation: others know.
    Delegated,
    /// By CNAME or DNAME, also by a wildcard's.
    Alias(Name),
    /// A DNAME makes it longer than a name can be.
    TooLong,
    /// Its own node, or the wildcard that covers it.
    Here(&'a Node),
    Nothing,
}

pub(super) fn place<'a>(image: &'a ZoneImage, name: &Name) -> Place<'a> {
    #[cfg(test)]
    LOOKED_UP.set(LOOKED_UP.get() + 1);
    if !name.is_at_or_below(image.origin()) {
        return Place::Outside;
    }
    match image.find(name.key().as_bytes()) {
        Found::Cut(_) => Place::Delegated,
        Found::Dname(dname) => substituted(name, dname),
        Found::Exact(node) => at(node),
        Found::Missing { encloser } => {
            let wildcard = encloser.name().child(b"*").ok();
            match wildcard.and_then(|wildcard| image.node(&wildcard)) {
                // What NS at a wildcard mean is not defined (RFC 4592 §4.2): nothing to complain of.
                Some(node) if node.rrset(Rtype::NS).is_some() => Place::Delegated,
                Some(node) => at(node),
                None => Place::Nothing,
            }
        }
    }
}

fn at(node: &Node) -> Place<'_> {
    match target_of(node, Rtype::CNAME) {
        Some(target) => Place::Alias(target),
        None => Place::Here(node),
    }
}

fn substituted<'a>(name: &Name, dname: &'a Node) -> Place<'a> {
    match target_of(dname, Rtype::DNAME) {
        None => Place::Here(dname),
        Some(target) => match name.replace_suffix(dname.name(), &target) {
            Ok(name) => Place::Alias(name),
            Err(_) => Place::TooLong,
        },
    }
}

pub(super) fn target_of(node: &Node, rtype: Rtype) -> Option<Name> {
    rdata::target(rtype, node.rrset(rtype)?.first())
}

pub(super) fn has_address(node: &Node) -> bool {
    node.rrset(Rtype::A).is_some() || node.rrset(Rtype::AAAA).is_some()
}

/// How following aliases ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum End {
    /// At data, outside, below a delegation, or beyond the aliases that we follow.
    Fine,
    /// At this name, where nothing is.
    NoData(Name),
    /// This name comes up twice.
    Loop(Name),
    TooLong,
}

/// No resolver follows more, and our own answers stop earlier: what is behind them nobody meets.
/// So a name is judged by so many others at most, and a change reaches no further back.
pub(super) const ALIASES_MAX: usize = 16;

/// Where the aliases of one image end, kept for the time of one check: names that lead the same way
/// are followed once, however many they are and however long the way is.
pub(super) struct Ways<'a> {
    pub image: &'a ZoneImage,
    ends: HashMap<Name, (usize, End)>,
    /// Names looked up on the way.
    pub steps: usize,
}

impl<'a> Ways<'a> {
    pub(super) fn of(image: &'a ZoneImage) -> Ways<'a> {
        Ways {
            image,
            ends: HashMap::new(),
            steps: 0,
        }
    }

    /// Follows aliases from `start`: how many there were, and how it ends.
    pub(super) fn follow(&mut self, start: &Name) -> (usize, End) {
        let mut way: Vec<Name> = Vec::new();
        let mut name = start.clone();
        let (mut aliases, mut end) = loop {
            if let Some(known) = self.ends.get(&name) {
                break known.clone();
            }
            // Twice as far as counts, so that it is known of half of them how they end: each
            // alias of an endless chain is then looked at twice, and not as often as counts.
            if way.len() == 2 * ALIASES_MAX {
                way.truncate(ALIASES_MAX + 1);
                break (ALIASES_MAX, End::Fine);
            }
            self.steps += 1;
            let next = match place(self.image, &name) {
                Place::Alias(next) => next,
                Place::Outside | Place::Delegated => break (0, End::Fine),
                Place::Here(node) if !node.is_empty() => break (0, End::Fine),
                Place::Here(_) | Place::Nothing => break (0, End::NoData(name)),
                Place::TooLong => break (0, End::TooLong),
            };
            if let Some(entry) = way.iter().position(|passed| *passed == name) {
                break self.round(&mut way, entry, next);
            }
            way.push(std::mem::replace(&mut name, next));
        };
        for name in way.into_iter().rev() {
            aliases += 1;
            if aliases >= ALIASES_MAX {
                (aliases, end) = (ALIASES_MAX, End::Fine);
            }
            self.keep(name, (aliases, end.clone()));
        }
        (aliases, end)
    }

    /// Takes a loop off the way: each name of it goes round through the one that follows it.
    fn round(&mut self, way: &mut Vec<Name>, entry: usize, second: Name) -> (usize, End) {
        let names = way.split_off(entry);
        let counted = |through: Name| match names.len() < ALIASES_MAX {
            true => (names.len(), End::Loop(through)),
            false => (ALIASES_MAX, End::Fine),
        };
        // Whoever comes upon one that is kept must have met no other name of the loop before.
        if names.iter().all(|name| self.image.node(name).is_some()) {
            for (at, name) in names.iter().enumerate() {
                let next = names.get(at + 1).unwrap_or(&names[0]);
                self.keep(name.clone(), counted(next.clone()));
            }
        }
        counted(second)
    }

    /// Names that are not there themselves are without number, where a DNAME or wildcard leads them.
    fn keep(&mut self, name: Name, known: (usize, End)) {
        if self.image.node(&name).is_some() {
            self.ends.insert(name, known);
        }
    }
}

/// Whether the names below this DNAME go round: its target leads, by this or other DNAMEs, back
/// to where it was or ever further down.
pub(super) fn dname_loops(image: &ZoneImage, dname: &Node) -> bool {
    let Some(mut name) = target_of(dname, Rtype::DNAME) else {
        return false;
    };
    let mut passed: Vec<Passed<'_>> = Vec::new();
    while passed.len() < ALIASES_MAX && name.is_at_or_below(image.origin()) {
        let above = match image.find(name.key().as_bytes()) {
            Found::Dname(node) | Found::Exact(node) => node,
            Found::Cut(_) | Found::Missing { .. } => return false,
        };
        let Some(target) = target_of(above, Rtype::DNAME) else {
            return false;
        };
        let Ok(next) = name.replace_suffix(above.name(), &target) else {
            return true;
        };
        let kept = name.label_count() - above.name().label_count();
        if passed.iter().any(|earlier| earlier.name == name) || grows(&passed, above, kept) {
            return true;
        }
        let name = std::mem::replace(&mut name, next);
        passed.push(Passed { name, above, kept });
    }
    false
}

/// A name on its way through DNAMEs.
struct Passed<'a> {
    name: Name,
    /// The DNAME that led it on.
    above: &'a Node,
    /// Labels that the DNAME left in front.
    kept: usize,
}

/// Whether a name comes to a DNAME again with all that it had in front: since then only labels
/// behind those were exchanged, so it goes the same way again and again, growing each time.
fn grows(passed: &[Passed<'_>], above: &Node, kept: usize) -> bool {
    let mut least = kept;
    passed.iter().rev().any(|earlier| {
        least = least.min(earlier.kept);
        earlier.above.name() == above.name() && least == earlier.kept
    })
}

#[cfg(test)]
thread_local! {
    static LOOKED_UP: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// How many names this thread has looked up so far.
#[cfg(test)]
pub(super) fn looked_up() -> usize {
    LOOKED_UP.get()
}
