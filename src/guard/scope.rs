//! The rule `scope`: a key may do what one of its permits allows, and nothing else.

use super::verdict::Judged;
use super::{Change, Facts, Path, Permit, Right};
use crate::rr::{Name, Record, RrSet, Rtype, rdata};
use crate::zone::{Operation, ZoneImage};

pub(super) const RULE: &str = "scope";

pub(super) fn judge(before: &ZoneImage, change: &Change, facts: &Facts) -> Judged {
    if facts.path != Path::Update {
        return Judged::idle(RULE, format!("does not judge the path {}", facts.path));
    }
    let origin = before.origin();
    let of_zone = || facts.permits.iter().filter(|permit| permit.is_for(origin));
    let desk = Desk {
        before,
        permits: of_zone()
            .filter(|permit| permit.is_from(facts.source))
            .collect(),
    };
    let operations = change.operations;
    let denied: Vec<String> = operations.iter().filter_map(|o| desk.denied(o)).collect();
    let count = operations.len();
    match denied.first() {
        None => Judged::passed(
            RULE,
            facts.scope,
            format!("{count} of {count} operations are allowed"),
        ),
        Some(first) => Judged::failed(
            RULE,
            facts.scope,
            format!(
                "{} may not {first} ({} of {count} operations are not allowed)",
                facts.actor.name,
                denied.len()
            ),
            accepted(&of_zone().collect::<Vec<_>>(), origin),
        ),
    }
}

/// What a key may do from where it asks, and the zone it wants to change.
struct Desk<'a> {
    before: &'a ZoneImage,
    permits: Vec<&'a Permit>,
}

impl Desk<'_> {
    fn at(&self, owner: &Name, right: Right) -> impl Iterator<Item = &Permit> {
        let origin = self.before.origin();
        let permits = self.permits.iter().copied();
        permits.filter(move |permit| permit.allows(right) && permit.allows_owner(owner, origin))
    }

    fn allows(&self, owner: &Name, right: Right, rtype: Rtype, rdata: &[u8]) -> bool {
        self.at(owner, right)
            .any(|permit| permit.allows_type(rtype) && permit.allows_data(rtype, rdata))
    }

    /// What a range keeps a key from deleting record by record it may not delete by the RRset.
    fn keeps(&self, owner: &Name, rrset: &RrSet) -> bool {
        let rtype = rrset.rtype();
        rrset
            .rdatas()
            .any(|rdata| !self.allows(owner, Right::Delete, rtype, rdata))
    }

    /// What of an operation no permit allows.
    fn denied(&self, operation: &Operation) -> Option<String> {
        let owner = operation.owner();
        match operation {
            Operation::Add(record) => self.denied_addition(record).map(|why| match why {
                "" => operation.to_string(),
                why => format!("{operation}, {why} {}", record.rtype),
            }),
            Operation::DeleteRecord(record) => {
                let (rtype, rdata) = (record.rtype, &record.rdata);
                let rights = [Right::DeleteRecord, Right::Delete];
                let allowed = rights.map(|right| self.allows(owner, right, rtype, rdata));
                (!allowed.contains(&true)).then(|| operation.to_string())
            }
            Operation::DeleteRrset { rtype, .. } => {
                let mut here = self.at(owner, Right::Delete);
                let allows_type = here.any(|permit| permit.allows_type(*rtype));
                let keeps = self
                    .before
                    .rrset(owner, *rtype)
                    .is_some_and(|rrset| self.keeps(owner, rrset));
                (!allows_type || keeps).then(|| operation.to_string())
            }
            // Denied for a foreign owner even where nothing is left to delete, lest the answer tell
            // what exists.
            Operation::DeleteName { .. } if self.at(owner, Right::Delete).next().is_none() => {
                Some(operation.to_string())
            }
            Operation::DeleteName { .. } => {
                let mut removed = would_remove(self.before, owner);
                let kept = removed.find(|rrset| self.keeps(owner, rrset))?;
                let rtype = kept.rtype();
                Some(format!("{operation}, which would remove its {rtype} RRset"))
            }
        }
    }

    /// Why a record may not be added: not at all, or for what it would do to those that stand there.
    fn denied_addition(&self, record: &Record) -> Option<&'static str> {
        let (owner, rtype) = (&record.owner, record.rtype);
        if !self.allows(owner, Right::Add, rtype, &record.rdata) {
            return Some("");
        }
        // A SOA is only ever replaced.
        if rtype == Rtype::SOA {
            return None;
        }
        let standing = self.before.rrset(owner, rtype)?;
        let own = rdata::canonical(rtype, &record.rdata);
        let is_kept = |data: &&[u8]| {
            rdata::canonical(rtype, data) != own && !self.allows(owner, Right::Delete, rtype, data)
        };
        let mut kept = standing.rdatas().filter(is_kept).peekable();
        kept.peek()?;
        // What takes the place of the one that stands there (RFC 2136 §3.4.2.2).
        let is_replaced = match rtype {
            Rtype::CNAME | Rtype::DNAME => true,
            Rtype::WKS => {
                let service = rdata::service(&own);
                service.is_some() && kept.any(|data| rdata::service(data) == service)
            }
            _ => false,
        };
        if is_replaced {
            return Some("which would replace its");
        }
        // An RRset has one TTL, that of the record added last.
        (standing.ttl() != record.ttl).then_some("which would change the TTL of other")
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
