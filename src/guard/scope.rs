//! The rule `scope`: a key may do what one of its permits allows, and nothing else.

use super::verdict::Judged;
use super::{Change, Facts, Mode, Path, Permit};
use crate::rr::{Name, Rtype};
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
    let allows_type = |rtype| here.iter().any(|permit| permit.allows_type(rtype));
    match operation {
        Operation::Add(record) | Operation::DeleteRecord(record) => {
            let allowed = here.iter().any(|permit| {
                permit.allows_type(record.rtype) && permit.allows_data(record.rtype, &record.rdata)
            });
            (!allowed).then(|| operation.to_string())
        }
        Operation::DeleteRrset { rtype, .. } => {
            (!allows_type(*rtype)).then(|| operation.to_string())
        }
        // Denied for a foreign owner even where nothing is left to delete, lest the answer tell
        // what exists.
        Operation::DeleteName { .. } if here.is_empty() => Some(operation.to_string()),
        Operation::DeleteName { .. } => would_remove(before, owner)
            .find(|&rtype| !allows_type(rtype))
            .map(|rtype| format!("{operation}, which would remove its {rtype} RRset")),
    }
}

/// The types that deleting a whole name removes: at the apex all but SOA and NS
/// (RFC 2136 §3.4.2.3).
fn would_remove<'a>(before: &'a ZoneImage, owner: &Name) -> impl Iterator<Item = Rtype> + 'a {
    let is_apex = owner == before.origin();
    before
        .node(owner)
        .into_iter()
        .flat_map(|node| node.rrsets().iter().map(|rrset| rrset.rtype()))
        .filter(move |&rtype| !(is_apex && matches!(rtype, Rtype::SOA | Rtype::NS)))
}

fn accepted(permits: &[&Permit], origin: &Name) -> String {
    if permits.is_empty() {
        return format!("nothing in {origin}: no `allow` of this key names the zone");
    }
    let each: Vec<String> = permits.iter().map(ToString::to_string).collect();
    format!("in {origin}: {}", each.join("; or "))
}
