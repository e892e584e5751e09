//! Where a name leads when something in the zone refers to it.

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
#[derive(Debug, PartialEq, Eq)]
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

/// Follows aliases from `start`: how many there were, and how it ends.
pub(super) fn follow(image: &ZoneImage, start: &Name) -> (usize, End) {
    let mut seen: Vec<Name> = Vec::new();
    let mut name = start.clone();
    while seen.len() < ALIASES_MAX {
        let next = match place(image, &name) {
            Place::Alias(next) => next,
            Place::Outside | Place::Delegated => return (seen.len(), End::Fine),
            Place::Here(node) if !node.is_empty() => return (seen.len(), End::Fine),
            Place::Here(_) | Place::Nothing => return (seen.len(), End::NoData(name)),
            Place::TooLong => return (seen.len(), End::TooLong),
        };
        if seen.contains(&name) {
            return (seen.len(), End::Loop(next));
        }
        seen.push(std::mem::replace(&mut name, next));
    }
    (seen.len(), End::Fine)
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
