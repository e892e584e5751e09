//! Differences from the others that we stand by, each with its reason and the RFC section for it.
//! `docs/conformance.md` has each by name.

use lastgood::rr::Rtype;

use crate::asking::Form;
use crate::response::{Record, View};
use crate::verdict::{Case, Field};

pub struct Known {
    pub name: &'static str,
    pub field: Field,
    pub why: &'static str,
    pub section: &'static str,
    /// Whether this is it; `theirs` is the view of one that the others agree with, or of any where
    /// they do not.
    pub holds: fn(&Case, theirs: &View) -> bool,
}

pub const KNOWN: &[Known] = &[
    Known {
        name: "no-ns-beside-data",
        field: Field::Authority,
        why: "an answer has what was asked for; named and nsd add the zone's NS, knotd does not",
        section: "RFC 1034 §4.3.2, step 3.a",
        holds: no_ns_beside_data,
    },
    Known {
        name: "any-over-udp",
        field: Field::Answer,
        why: "ANY over UDP gets the smallest RRset of the name; knotd and nsd give the first, named all",
        section: "RFC 8482 §4.1",
        holds: any_over_udp,
    },
    Known {
        name: "any-over-tcp",
        field: Field::Answer,
        why: "ANY over TCP gets all, as from named; knotd and nsd give one RRset over TCP too",
        section: "RFC 8482 §4.4",
        holds: any_over_tcp,
    },
    Known {
        name: "rcode-of-truncated-any",
        field: Field::Rcode,
        why: "the RCODE is the chain's end's, for ANY and for what does not fit too",
        section: "RFC 6604 §3",
        holds: |case, theirs| case.question.rtype == Rtype::ANY && case.ours.tc && theirs.tc,
    },
    Known {
        name: "fits-compressed",
        field: Field::Tc,
        why: "what fits is sent; the others compress less and truncate",
        section: "RFC 2181 §9",
        holds: fits_compressed,
    },
];

fn no_ns_beside_data(case: &Case, theirs: &View) -> bool {
    let apex = theirs.authority.first().map(|record| &record.owner);
    let is_own = |record: &Record| record.rtype == Rtype::NS && Some(&record.owner) == apex;
    let is_above = |record: &Record| apex.is_some_and(|apex| record.owner.ends_with(apex));
    case.ours.aa
        && case.ours.authority.is_empty()
        && case.ours.answer.iter().any(is_above)
        && theirs.authority.iter().all(is_own)
}

fn any_over_udp(case: &Case, theirs: &View) -> bool {
    let is_alias = |record: &&Record| matches!(record.rtype, Rtype::CNAME | Rtype::DNAME);
    let octets = |view: &View| -> usize {
        let chain = |record: &&Record| is_alias(record) && case.ours.answer.contains(record);
        let data = view.answer.iter().filter(|record| !chain(record));
        data.map(|record| record.rdata.len() + 12).sum()
    };
    let mut data = case.ours.answer.iter().filter(|record| !is_alias(record));
    let one = match data.next() {
        None => true,
        Some(first) => data.all(|r| (&r.owner, r.rtype) == (&first.owner, first.rtype)),
    };
    case.question.rtype == Rtype::ANY
        && case.form != Form::Tcp
        && one
        && octets(case.ours) <= octets(theirs)
}

fn any_over_tcp(case: &Case, theirs: &View) -> bool {
    case.question.rtype == Rtype::ANY
        && case.form == Form::Tcp
        && theirs
            .answer
            .iter()
            .all(|record| case.ours.answer.contains(record))
}

fn fits_compressed(case: &Case, theirs: &View) -> bool {
    // Someone who did fit it in says the same.
    let agrees = |other: &&View| {
        let own = (&case.ours.answer, &case.ours.authority);
        !other.tc && (&other.answer, &other.authority) == own
    };
    case.form != Form::Tcp && theirs.tc && !case.ours.tc && case.theirs.iter().any(agrees)
}
