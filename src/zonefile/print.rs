//! From an image to a zone file.

use std::fmt::Write;

use crate::rr::Rtype;
use crate::zone::ZoneImage;

/// Widest column that owners are padded to; longer ones push their line to the right.
const OWNER_COLUMNS_MAX: usize = 40;

/// The zone in canonical order, the SOA first, one record a line, every name absolute. It reads back
/// to the same image.
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
            // Padding applies to strings alone, not to what implements `Display` by pieces.
            let rtype = record.rtype.to_string();
            let _ = writeln!(
                out,
                "{owner:width$} {:<7} IN {rtype:<6} {}",
                record.ttl,
                record.rdata_text()
            );
        }
    }
    out
}
