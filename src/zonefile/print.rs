//! From an image to a zone file.

use std::fmt::Write;

use crate::rr::{Record, Rtype, rdata};
use crate::zone::ZoneImage;

/// Widest column that owners are padded to; longer ones push their line to the right.
const OWNER_COLUMNS_MAX: usize = 40;

/// Types that BIND, Knot DNS or NSD do not read in the form of their own: MD, MF, MB, MG, MR, X25,
/// ISDN, NSAP, SIG, PX, GPOS, HIP, AVC, DLV.
const SELDOM_READ: [u16; 14] = [3, 4, 7, 8, 9, 19, 20, 22, 24, 26, 27, 55, 258, 32769];

fn is_seldom_read(record: &Record) -> bool {
    // A KEY without a key says that there is none (RFC 2535 §3.1.2).
    let is_no_key = record.rtype == Rtype::KEY && record.rdata.len() == 4;
    SELDOM_READ.contains(&record.rtype.0) || is_no_key
}

/// The zone in canonical order, the SOA first, one record a line, every name absolute. It reads back
/// to the same image, here and in other servers: data that some of them cannot read otherwise are
/// written in the generic form (RFC 3597 §5), the form of the type as a comment behind it.
pub fn print(image: &ZoneImage) -> String {
    let width = image
        .iter()
        .filter(|node| !node.is_empty())
        .map(|node| node.name().to_string().len())
        .max()
        .unwrap_or_default()
        .min(OWNER_COLUMNS_MAX);
    let mut out = format!("$ORIGIN {}\n", image.origin());
    for node in image.iter() {
        let owner = node.name().to_string();
        let mut rrsets: Vec<_> = node.rrsets().iter().collect();
        rrsets.sort_by_key(|rrset| rrset.rtype() != Rtype::SOA);
        for record in rrsets.iter().flat_map(|rrset| rrset.records(node.name())) {
            let _ = write!(out, "{owner:width$} {:<7} IN ", record.ttl);
            // Padding applies to strings alone, not to what implements `Display` by pieces.
            let rtype = record.rtype.to_string();
            let text = record.rdata_text();
            let _ = match is_seldom_read(&record) {
                false => writeln!(out, "{rtype:<6} {text}"),
                true => {
                    let generic = rdata::generic_text(&record.rdata);
                    writeln!(out, "TYPE{} {generic} ; {rtype} {text}", record.rtype.0)
                }
            };
        }
    }
    out
}
