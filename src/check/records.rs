//! What only the list of records shows that an image is made of: what the image leaves out of it.

use std::collections::HashMap;

use super::{Finding, Severity::Warning, sorted};
use crate::rr::{Name, Record, Rtype, rdata};

/// The TTLs and the data of one RRset, as they were listed.
struct Listed<'a> {
    lowest: u32,
    highest: u32,
    /// Canonical.
    rdatas: Vec<std::borrow::Cow<'a, [u8]>>,
}

/// The warnings that a list of records deserves, whatever zone becomes of it: TTLs that differ
/// within an RRset, of which the lowest is taken (RFC 2181 §5.2), and duplicates, kept once.
pub fn of_records(records: &[Record]) -> Vec<Finding> {
    let mut rrsets: HashMap<(&Name, Rtype), Listed> = HashMap::new();
    for record in records {
        let listed = rrsets
            .entry((&record.owner, record.rtype))
            .or_insert_with(|| Listed {
                lowest: record.ttl,
                highest: record.ttl,
                rdatas: Vec::new(),
            });
        listed.lowest = listed.lowest.min(record.ttl);
        listed.highest = listed.highest.max(record.ttl);
        listed
            .rdatas
            .push(rdata::canonical(record.rtype, &record.rdata));
    }
    let mut findings = Vec::new();
    for ((owner, rtype), mut listed) in rrsets {
        // Signatures of different types have different TTLs (RFC 4034 §3).
        if listed.lowest != listed.highest && rtype != Rtype::RRSIG {
            let sentence = format!(
                "{owner} {rtype} has TTLs from {} to {}; the lowest is taken",
                listed.lowest, listed.highest
            );
            findings.push(Finding::new(
                Warning,
                "ttl-differs",
                owner,
                rtype.to_string(),
                sentence,
            ));
        }
        listed.rdatas.sort_unstable();
        for twice in listed
            .rdatas
            .chunk_by(|a, b| a == b)
            .filter(|same| same.len() > 1)
        {
            let text = rdata::to_text(rtype, &twice[0]);
            let sentence = format!(
                "{owner} {rtype} {text} is there {} times; once counts",
                twice.len()
            );
            let data = format!("{rtype} {text}");
            findings.push(Finding::new(Warning, "duplicate", owner, data, sentence));
        }
    }
    sorted(findings)
}

/// The warning about a TTL that is larger than one can be, and is taken for 0 (RFC 2181 §8).
pub fn of_large_ttl(owner: &Name, stated: u64) -> Finding {
    let sentence =
        format!("{owner} has a TTL of {stated}, more than 2147483647; it is taken for 0");
    Finding::new(Warning, "ttl-large", owner, stated.to_string(), sentence)
}
