//! Differences from the others that we stand by, each with its reason and the RFC section for it.
//! `docs/conformance.md` has each by name.

use std::iter::{once, successors};

use lastgood::rr::message::CLASS_ANY;
use lastgood::rr::{Name, Rtype};

use crate::asking::Form;
use crate::response::{Record, View};
use crate::verdict::{Case, Field};

pub struct Known {
    pub name: &'static str,
    pub fields: &'static [Field],
    pub why: &'static str,
    pub section: &'static str,
    /// Whether this is it; `theirs` is the view of one that the others agree with, or of any where
    /// they do not.
    pub holds: fn(&Case, theirs: &View) -> bool,
}

pub const KNOWN: &[Known] = &[
    Known {
        name: "no-ns-beside-data",
        fields: &[Field::Authority],
        why: "an answer has what was asked for; named and nsd add the zone's NS, knotd does not",
        section: "RFC 1034 §4.3.2, step 3.a",
        holds: no_ns_beside_data,
    },
    Known {
        name: "any-over-udp",
        fields: &[Field::Answer],
        why: "ANY over UDP gets the smallest RRset of the name; knotd and nsd give the first, named all",
        section: "RFC 8482 §4.1",
        holds: any_over_udp,
    },
    Known {
        name: "any-over-tcp",
        fields: &[Field::Answer],
        why: "ANY over TCP gets all, as from named; knotd and nsd give one RRset over TCP too",
        section: "RFC 8482 §4.4",
        holds: any_over_tcp,
    },
    Known {
        name: "meta-types",
        fields: &[Field::Rcode, Field::Aa, Field::Answer, Field::Authority],
        why: "types of transactions and of mailboxes are no data: FORMERR or NOTIMP, as from named",
        section: "RFC 6895 §3.1",
        holds: |case, _| {
            matches!(case.question.rtype.0, 41 | 249 | 250 | 253 | 254)
                && case.ours.rcode == case.theirs[0].rcode
        },
    },
    Known {
        name: "any-class-without-aa",
        fields: &[Field::Aa],
        why: "what covers class IN has no authority for all classes; nsd says so too, but for aliases",
        section: "RFC 1035 §6.2",
        holds: |case, _| case.question.class == CLASS_ANY && !case.ours.aa,
    },
    Known {
        name: "soa-for-any-class",
        fields: &[Field::Authority],
        why: "a negative answer to a question of class ANY has its SOA, as from knotd",
        section: "RFC 2308 §3",
        holds: |case, _| case.question.class == CLASS_ANY && case.is_alike(Field::Authority, 1),
    },
    Known {
        name: "endless-chain",
        fields: &[Field::Rcode, Field::Tc, Field::Answer, Field::Authority],
        why: "a chain without end stops at twelve aliases; each of the others has a bound of its own",
        section: "RFC 1034 §3.6.2",
        holds: endless_chain,
    },
    Known {
        name: "rcode-of-chain",
        fields: &[Field::Rcode],
        why: "the RCODE is the chain's end's, for ANY and for what does not fit too, as from one of them",
        section: "RFC 6604 §3",
        holds: rcode_of_chain,
    },
    Known {
        name: "glue-or-tc",
        fields: &[Field::Tc],
        why: "a referral without room for the glue it cannot do without is truncated; others leave it out",
        section: "RFC 9471 §3.1",
        holds: glue_or_tc,
    },
    Known {
        name: "spelling-kept",
        fields: &[Field::Tc, Field::Glue],
        why: "names in data keep the zone's spelling, and point to no name that is spelled otherwise",
        section: "RFC 4343 §4.1",
        holds: spelling_kept,
    },
    Known {
        name: "fits-compressed",
        fields: &[Field::Tc, Field::Authority],
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

/// Ours has as many aliases as there may be in an answer, or would have.
fn endless_chain(case: &Case, _: &View) -> bool {
    let answer = &case.ours.answer;
    let aliases = answer.iter().filter(|r| r.rtype == Rtype::CNAME).count();
    let by_dname = answer.iter().any(|r| r.rtype == Rtype::DNAME);
    aliases == 12 || case.ours.tc && by_dname && aliases > 5
}

fn any_over_tcp(case: &Case, theirs: &View) -> bool {
    case.question.rtype == Rtype::ANY
        && case.form == Form::Tcp
        && theirs
            .answer
            .iter()
            .all(|record| case.ours.answer.contains(record))
}

fn fits_compressed(case: &Case, _: &View) -> bool {
    let others = case.theirs.iter();
    let (truncated, whole): (Vec<&View>, Vec<&View>) = others.partition(|view| view.tc);
    // knotd leaves out the SOA without a word.
    let is_whole = |view: &&View| view.answer == case.ours.answer;
    let is_part = |view: &&View| view.answer.iter().all(|r| case.ours.answer.contains(r));
    case.form != Form::Tcp
        && !case.ours.tc
        && !truncated.is_empty()
        && (whole.iter().any(is_whole) || truncated.iter().all(is_part))
}

/// Theirs lacks an address, which the zone has, of a server at or below the cut.
fn glue_or_tc(case: &Case, theirs: &View) -> bool {
    let image = &case.zone.image;
    let cut = theirs.authority.iter().find(|r| r.rtype == Rtype::NS);
    let Some(cut) = cut.and_then(|ns| Name::from_wire(&ns.owner).ok()) else {
        return false;
    };
    let targets = image
        .rrset(&cut, Rtype::NS)
        .into_iter()
        .flat_map(|ns| ns.targets());
    let addresses = |target: Name| {
        let types = [Rtype::A, Rtype::AAAA].into_iter();
        let sets = types.filter_map(move |rtype| Some((rtype, image.rrset(&target, rtype)?.len())));
        sets.map(|(_, len)| len).sum::<usize>()
    };
    let needed: usize = targets
        .filter(|target| target.is_at_or_below(&cut))
        .map(addresses)
        .sum();
    case.ours.tc && !theirs.tc && theirs.additional.len() < needed
}

/// Something in the reply has capitals in the names of its data.
fn spelling_kept(case: &Case, theirs: &View) -> bool {
    let image = &case.zone.image;
    let name = |record: &Record| Name::from_wire(&record.owner).expect("a name");
    let in_data = |record: &Record| {
        let owner = name(record);
        let wildcards = successors(owner.parent(), Name::parent)
            .filter_map(|ancestor| ancestor.child(b"*").ok());
        let mut owners = once(owner).chain(wildcards);
        let rrset = owners.find_map(|owner| image.rrset(&owner, record.rtype));
        matches!(record.rtype, Rtype::NS | Rtype::CNAME | Rtype::MX)
            && rrset.is_some_and(|rrset| rrset.body().iter().any(u8::is_ascii_uppercase))
    };
    let in_owner = |record: &Record| {
        let node = image.node(&name(record));
        node.is_some_and(|node| node.name().as_wire().iter().any(u8::is_ascii_uppercase))
    };
    let mut records = theirs.answer.iter().chain(&theirs.authority);
    let is_spelled = records.any(in_data) || theirs.additional.iter().any(in_owner);
    // Glue that is not needed is left out without TC.
    let mut ours = case.ours.additional.iter();
    let lacks_glue = ours.all(|record| theirs.additional.contains(record));
    let is_less = case.ours.tc && !theirs.tc || case.form == Form::Plain && lacks_glue;
    case.form != Form::Tcp && is_spelled && is_less
}

/// Others give NOERROR where they stop following a chain: at ANY, and where the room ends.
fn rcode_of_chain(case: &Case, theirs: &View) -> bool {
    let truncated = |view: &&View| view.tc;
    let is_any = case.question.rtype == Rtype::ANY;
    let any_truncated = case.ours.tc || case.theirs.iter().any(truncated);
    let binding = &case.theirs[..3];
    let another_says_so = binding.iter().any(|view| view.rcode == case.ours.rcode);
    let explained = match is_any {
        true => any_truncated || another_says_so,
        false => case.ours.tc && theirs.tc && another_says_so,
    };
    theirs.rcode == 0 && explained
}
