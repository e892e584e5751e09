//! The rule `ttl`: for how long resolvers keep what they are told. A TTL stays between its bounds,
//! and what is new at a protected name is not kept for longer than what was there: whoever notices
//! that it is wrong can take it back, and resolvers soon know.

use std::collections::HashSet;

use super::verdict::{Judged, first_few};
use super::{Change, Counted, Facts, Mode, Path, Ttls};
use crate::rr::{Name, RrSet, Rtype};
use crate::zone::{RrsetChange, ZoneImage};

pub(super) const RULE: &str = "ttl";

pub(super) fn judge(
    before: &ZoneImage,
    change: &Change,
    after: &ZoneImage,
    facts: &Facts,
) -> Judged {
    let Ttls { mode, min, max } = facts.ttl;
    let mode = match facts.path {
        Path::Update => mode,
        // A person who brings a whole zone has looked at it.
        Path::Cli | Path::Import => mode.min(Mode::Observe),
        Path::HandEdit => Mode::Off,
    };
    if mode == Mode::Off {
        return Judged::idle(RULE, "does not judge this change");
    }
    let outside = change.diff.changes.iter().filter_map(|change| {
        let ttl = brought(change)?;
        (!(min..=max).contains(&ttl)).then(|| {
            let RrsetChange { owner, rtype, .. } = change;
            format!("{owner} {rtype} would have the TTL {ttl}, which is not in {min} to {max}")
        })
    });
    let raised = raised(before, change, after, facts.counted);
    let text = first_few(outside.chain(raised.into_iter().map(sentence)));
    if text.is_empty() {
        let text = format!("every TTL is in {min} to {max}, none of other data is raised");
        return Judged::passed(RULE, mode, text);
    }
    let accepted = format!(
        "TTLs of {min} to {max} s, and at protected names new data or a higher TTL, one at a time"
    );
    Judged::failed(RULE, mode, text, accepted)
}

/// The TTL of an RRset, if it has not stood there with it.
fn brought(change: &RrsetChange) -> Option<u32> {
    let ttl = change.after.as_ref()?.ttl();
    let had = change.before.as_ref().map(|before| before.ttl());
    (had != Some(ttl)).then_some(ttl)
}

struct Raised {
    owner: Name,
    rtype: Rtype,
    from: u32,
    to: u32,
}

impl Raised {
    fn between(owner: &Name, was: &RrSet, is: &RrSet) -> Option<Raised> {
        let is_same = was.rtype() == is.rtype() && was.same_data(is);
        (!is_same && is.ttl() > was.ttl()).then(|| Raised {
            owner: owner.clone(),
            rtype: is.rtype(),
            from: was.ttl(),
            to: is.ttl(),
        })
    }
}

fn sentence(raised: Raised) -> String {
    let Raised {
        owner,
        rtype,
        from,
        to,
    } = raised;
    format!("{owner} {rtype} would have other data and the TTL {to}, raised from {from}")
}

/// What stands on the way of a protected name with other data than before and a higher TTL.
fn raised(
    before: &ZoneImage,
    change: &Change,
    after: &ZoneImage,
    counted: &[Counted],
) -> Vec<Raised> {
    let changed: HashSet<&Name> = change.diff.changes.iter().map(|c| &c.owner).collect();
    let mut seen = HashSet::new();
    let mut found = Vec::new();
    for protected in counted {
        let walks = protected.before.walk.iter().chain(&protected.after.walk);
        for owner in walks.filter(|owner| changed.contains(owner)) {
            let rtype = protected.rtype;
            let (Some(was), Some(is)) = (gives(before, owner, rtype), gives(after, owner, rtype))
            else {
                continue;
            };
            if let Some(raised) = Raised::between(owner, was, is)
                && seen.insert((owner, is.rtype()))
            {
                found.push(raised);
            }
        }
    }
    let walks = || counted.iter().flat_map(|c| &c.before.walk);
    found.extend(change.diff.changes.iter().filter_map(|change| {
        let (Rtype::DNAME, Some(was), Some(is)) = (change.rtype, &change.before, &change.after)
        else {
            return None;
        };
        // It stands above the names that it leads elsewhere.
        walks().find(|name| name.is_below(&change.owner))?;
        Raised::between(&change.owner, was, is)
    }));
    found
}

/// What a resolver that asks for the type takes from a name: its data, or an alias.
fn gives<'a>(image: &'a ZoneImage, owner: &Name, rtype: Rtype) -> Option<&'a RrSet> {
    let alias = || image.rrset(owner, Rtype::CNAME);
    image
        .rrset(owner, rtype)
        .or_else(alias)
        .map(|rrset| &**rrset)
}
