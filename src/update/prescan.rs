//! The prescan (RFC 2136 §3.4.1): every update record is one of the four forms of §2.5, or nothing
//! of the message is applied.

use super::message::{Entry, Failure, UpdateMessage};
use crate::rr::message::{CLASS_ANY, CLASS_IN, CLASS_NONE};
use crate::rr::{Name, Record, Rtype};
use crate::zone::Operation;

/// The operations of a message, in its order.
pub fn prescan(message: &UpdateMessage, origin: &Name) -> Result<Vec<Operation>, Failure> {
    let updates = message.updates.iter();
    updates.map(|entry| operation(entry, origin)).collect()
}

/// Those that the prescan lets through, where it does not let all of them through: permission is
/// asked for before it (§3.3).
pub fn readable(message: &UpdateMessage, origin: &Name) -> Vec<Operation> {
    let updates = message.updates.iter();
    updates
        .filter_map(|entry| operation(entry, origin).ok())
        .collect()
}

fn operation(entry: &Entry, origin: &Name) -> Result<Operation, Failure> {
    let (owner, rtype) = (&entry.owner, entry.rtype);
    let wrong = |what: &str| Failure::formerr(format!("the update of {owner} {rtype} {what}"));
    if !owner.is_at_or_below(origin) {
        return Err(Failure::notzone(owner, origin));
    }
    // Deleting the RRset of type 0 deletes nothing: it is of no use in a zone, but no type of
    // questions either (§3.4.1.2).
    let may_be_deleted = |rtype| rtype == Rtype::ANY || rtype == Rtype(0);
    if rtype.is_meta() && !(entry.class == CLASS_ANY && may_be_deleted(rtype)) {
        return Err(wrong("is of a type that no zone holds"));
    }
    if entry.ttl != 0 && matches!(entry.class, CLASS_ANY | CLASS_NONE) {
        return Err(wrong("deletes and has a TTL"));
    }
    let record = |ttl: u32| match &entry.rdata {
        Ok(rdata) => Ok(Record {
            owner: owner.clone(),
            rtype,
            ttl,
            rdata: rdata.clone(),
        }),
        Err(error) => Err(Failure::formerr(format!("the update of {owner}: {error}"))),
    };
    match entry.class {
        CLASS_IN => Ok(Operation::Add(record(ttl(entry.ttl))?)),
        CLASS_NONE => Ok(Operation::DeleteRecord(record(0)?)),
        CLASS_ANY if entry.rdata_octets != 0 => Err(wrong("deletes an RRset and has data")),
        CLASS_ANY if rtype == Rtype::ANY => Ok(Operation::DeleteName {
            owner: owner.clone(),
        }),
        CLASS_ANY => Ok(Operation::DeleteRrset {
            owner: owner.clone(),
            rtype,
        }),
        class => Err(wrong(&format!("is of class {class}"))),
    }
}

/// A TTL with its highest bit set counts as zero (RFC 2181 §8).
fn ttl(received: u32) -> u32 {
    if received > i32::MAX as u32 {
        0
    } else {
        received
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rr::message::{CLASS_CH, Rcode};
    use crate::update::parse;
    use crate::update::testing::{ORIGIN, Request, UPDATE, name};

    fn scan(request: Request) -> Result<Vec<String>, Rcode> {
        let message = parse(&request.octets).map_err(|failure| failure.rcode)?;
        prescan(&message, &name(ORIGIN))
            .map(|operations| operations.iter().map(Operation::to_string).collect())
            .map_err(|failure| failure.rcode)
    }

    #[test]
    fn the_four_forms_become_operations_in_order() {
        let request = Request::new()
            .add("www 60 A 192.0.2.1")
            .delete("www 0 A 192.0.2.2")
            .delete_rrset("www.example.com.", Rtype::AAAA)
            .delete_name("old.example.com.")
            .add("x 7 TYPE65280 \\# 0");
        assert_eq!(
            scan(request).unwrap(),
            [
                "add www.example.com. 60 A 192.0.2.1",
                "delete www.example.com. A 192.0.2.2",
                "delete www.example.com. AAAA",
                "delete old.example.com.",
                "add x.example.com. 7 TYPE65280 \\# 0",
            ]
        );
    }

    #[test]
    fn nothing_is_let_through_when_one_record_is_wrong() {
        let www = b"\x03www\xC0\x0C";
        let out = b"\x03www\x07example\x03org\x00";
        let meta = [0, 41, 128, 249, 250, 251, 252, 253, 254].map(Rtype);
        let mut rows = vec![
            (
                Rcode::NotZone,
                &out[..],
                Rtype::A,
                CLASS_IN,
                5,
                &[1, 2, 3, 4][..],
            ),
            (Rcode::NotZone, out, Rtype::ANY, CLASS_ANY, 0, &[]),
            // NOTZONE comes before what is wrong with the record.
            (Rcode::NotZone, out, Rtype::AXFR, CLASS_CH, 5, &[]),
            (Rcode::FormErr, www, Rtype::ANY, CLASS_IN, 5, &[]),
            (Rcode::FormErr, www, Rtype::ANY, CLASS_NONE, 0, &[]),
            (Rcode::FormErr, www, Rtype::A, CLASS_IN, 5, &[1, 2, 3]),
            (Rcode::FormErr, www, Rtype::A, CLASS_IN, 5, &[]),
            (
                Rcode::FormErr,
                www,
                Rtype::A,
                CLASS_NONE,
                0,
                &[1, 2, 3, 4, 5],
            ),
            (Rcode::FormErr, www, Rtype::A, CLASS_NONE, 5, &[1, 2, 3, 4]),
            (Rcode::FormErr, www, Rtype::A, CLASS_ANY, 5, &[]),
            (Rcode::FormErr, www, Rtype::A, CLASS_ANY, 0, &[1, 2, 3, 4]),
            (Rcode::FormErr, www, Rtype::ANY, CLASS_ANY, 0, &[1]),
            (Rcode::FormErr, www, Rtype::A, CLASS_CH, 5, &[1, 2, 3, 4]),
        ];
        for rtype in meta {
            rows.push((Rcode::FormErr, www, rtype, CLASS_IN, 5, &[]));
            if rtype != Rtype(0) {
                rows.push((Rcode::FormErr, www, rtype, CLASS_ANY, 0, &[]));
            }
            rows.push((Rcode::FormErr, www, rtype, CLASS_NONE, 0, &[]));
        }
        for (rcode, owner, rtype, class, ttl, rdata) in rows {
            let request = Request::new()
                .add("www 60 A 192.0.2.1")
                .raw(UPDATE, owner, rtype, class, ttl, rdata);
            assert_eq!(scan(request), Err(rcode), "{rtype} class {class} {rdata:?}");
        }
    }

    #[test]
    fn a_ttl_beyond_31_bits_counts_as_zero() {
        let add = |ttl| {
            let request = Request::new();
            scan(request.raw(
                UPDATE,
                &[0xC0, 12],
                Rtype::A,
                CLASS_IN,
                ttl,
                &[192, 0, 2, 1],
            ))
        };
        assert_eq!(
            add(0x7FFF_FFFF).unwrap(),
            ["add example.com. 2147483647 A 192.0.2.1"]
        );
        assert_eq!(
            add(0x8000_0000).unwrap(),
            ["add example.com. 0 A 192.0.2.1"]
        );
    }
}
