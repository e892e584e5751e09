//! The rule `scope`: a key may do what one of its permits allows, and nothing else.

use super::verdict::Judged;
use super::{Change, Facts, Mode, Path, Permit};
use crate::rr::{Name, RrSet, Rtype};
use crate::zone::{Operation, ZoneImage};

pub(super) const RULE: &str = "scope";

pub(super) fn judge(before: &ZoneImage, change: &Change, facts: &Facts) -> Judged {
    if facts.path != Path::Update {
        return Judged::idle(RULE, format!("does not judge the path {}", facts.path));
    }
    let origin = before.origin();
    let permits: Vec<&Permit> = facts
        .permits
        .iter()
        .filter(|permit| permit.is_for(origin))
        .collect();
    let denied: Vec<String> = change
        .operations
        .iter()
        .filter_map(|operation| denied(before, &permits, operation))
        .collect();
    let operations = change.operations.len();
    match denied.first() {
        None => Judged::passed(
            RULE,
            Mode::Enforce,
            format!("{operations} of {operations} operations are allowed"),
        ),
        Some(first) => Judged::failed(
            RULE,
            Mode::Enforce,
            format!(
                "{} may not {first} ({} of {operations} operations are not allowed)",
                facts.actor.name,
                denied.len()
            ),
            accepted(&permits, origin),
        ),
    }
}

/// What of an operation no permit allows.
fn denied(before: &ZoneImage, permits: &[&Permit], operation: &Operation) -> Option<String> {
    let origin = before.origin();
    let owner = operation.owner();
    let here: Vec<&&Permit> = permits
        .iter()
        .filter(|permit| permit.allows_owner(owner, origin))
        .collect();
    let allows = |rtype, rdata: &[u8]| {
        here.iter()
            .any(|permit| permit.allows_type(rtype) && permit.allows_data(rtype, rdata))
    };
    // What a range keeps a key from deleting record by record it may not delete by the RRset.
    let keeps = |rrset: &RrSet| rrset.rdatas().any(|rdata| !allows(rrset.rtype(), rdata));
    match operation {
        Operation::Add(record) | Operation::DeleteRecord(record)
            if !allows(record.rtype, &record.rdata) =>
        {
            Some(operation.to_string())
        }
        // The new alias takes the place of the one that stands there (RFC 2136 §3.4.2.2), which
        // the key might not be allowed to delete.
        Operation::Add(record) if matches!(record.rtype, Rtype::CNAME | Rtype::DNAME) => {
            let rtype = record.rtype;
            let standing = before.rrset(owner, rtype)?;
            keeps(standing).then(|| format!("{operation}, which would replace its {rtype}"))
        }
        Operation::Add(_) | Operation::DeleteRecord(_) => None,
        Operation::DeleteRrset { rtype, .. } => {
            let allows_type = here.iter().any(|permit| permit.allows_type(*rtype));
            let keeps = before
                .rrset(owner, *rtype)
                .is_some_and(|rrset| keeps(rrset));
            (!allows_type || keeps).then(|| operation.to_string())
        }
        // Denied for a foreign owner even where nothing is left to delete, lest the answer tell
        // what exists.
        Operation::DeleteName { .. } if here.is_empty() => Some(operation.to_string()),
        Operation::DeleteName { .. } => {
            let kept = would_remove(before, owner).find(|rrset| keeps(rrset))?;
            let rtype = kept.rtype();
            Some(format!("{operation}, which would remove its {rtype} RRset"))
        }
    }
}

/// The RRsets that deleting a whole name removes: at the apex all but SOA and NS
/// (RFC 2136 §3.4.2.3).
fn would_remove<'a>(before: &'a ZoneImage, owner: &Name) -> impl Iterator<Item = &'a RrSet> + 'a {
    let is_apex = owner == before.origin();
    before
        .node(owner)
        .into_iter()
        .flat_map(|node| node.rrsets().iter().map(|rrset| &**rrset))
        .filter(move |rrset| !(is_apex && matches!(rrset.rtype(), Rtype::SOA | Rtype::NS)))
}

fn accepted(permits: &[&Permit], origin: &Name) -> String {
    if permits.is_empty() {
        return format!("nothing in {origin}: no `allow` of this key names the zone");
    }
    let each: Vec<String> = permits.iter().map(ToString::to_string).collect();
    format!("in {origin}: {}", each.join("; or "))
}
