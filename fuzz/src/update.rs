//! An update message to the zone as it would become: whatever is accepted can be stored, read back,
//! served, and equals what building the zone anew would give.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use lastgood::check::{self, Finding, Limits};
use lastgood::rr::{Name, Record, Serial, rdata};
use lastgood::update::{self, SerialPolicy};
use lastgood::zone::{Diff, ZoneImage};

use super::{sign, world};

/// Of TTLs (RFC 2181 §8).
const TTL_MAX: u32 = i32::MAX as u32;

/// With an odd first octet the rest is a message as it stands; else it is composed of pieces.
pub fn run(data: &[u8]) {
    let Some((&how, rest)) = data.split_first() else {
        return;
    };
    match how & 1 {
        1 => judge(rest),
        _ => judge(&composed(rest)),
    }
}

fn zone() -> &'static ZoneImage {
    static ZONE: OnceLock<ZoneImage> = OnceLock::new();
    ZONE.get_or_init(|| {
        let (origin, text) = world::ZONES[0];
        world::image(origin, text)
    })
}

fn judge(message: &[u8]) {
    let before = zone();
    let Ok(read) = update::parse(message) else {
        return;
    };
    let met = update::check_prerequisites(&read, before);
    let Ok(operations) = update::prescan(&read, before.origin()) else {
        return;
    };
    if met.is_err() {
        return;
    }
    let applied = update::apply(before, &operations);
    let after = &applied.after;
    assert_eq!(
        applied.diff,
        Diff::between(before, after),
        "the diff is what differs"
    );
    assert!(after.soa().is_some(), "the SOA stays (RFC 2136 §3.4.2)");
    for record in applied.diff.added() {
        storable(&record);
    }
    let records = after.iter().flat_map(|node| {
        let rrsets = node.rrsets().iter();
        rrsets.flat_map(|rrset| rrset.records(node.name()))
    });
    let anew = ZoneImage::from_records(before.origin().clone(), records.collect::<Vec<_>>());
    let anew = anew.expect("all of it is in the zone");
    assert!(anew.digest() == after.digest() && anew.record_count() == after.record_count());
    assert_eq!(anew.node_count(), after.node_count());
    let limits = Limits::default();
    let all = |image: &ZoneImage| -> BTreeSet<Finding> {
        check::full(image, &limits).into_iter().collect()
    };
    let added: BTreeSet<Finding> = check::added(before, &applied.diff, after, &limits)
        .into_iter()
        .collect();
    let expected: BTreeSet<Finding> = all(after).difference(&all(before)).cloned().collect();
    assert_eq!(
        added, expected,
        "what is found in the change is what is found in the whole"
    );
    let serial = after.soa().map_or(Serial(0), |soa| soa.serial);
    for policy in [
        SerialPolicy::Increment,
        SerialPolicy::UnixTime,
        SerialPolicy::Date,
    ] {
        let next = update::next_serial(policy, serial, sign::NOW_UNIX);
        assert!(next.0 != 0 && next.is_after(serial));
        let raised = update::with_serial(after, next);
        assert_eq!(raised.soa().map(|soa| soa.serial), Some(next));
    }
}

/// A row of it reads back as the very record.
pub fn storable(record: &Record) {
    assert!(record.ttl <= TTL_MAX, "the TTL of {record}");
    let text = record.rdata_text();
    let read = rdata::from_text(record.rtype, &text);
    assert_eq!(read.as_deref(), Ok(&*record.rdata), "{record}");
    let owner: Name = record.owner.to_string().parse().expect("a name");
    assert!(owner.same_spelling(&record.owner), "{record}");
    let rtype = record.rtype.to_string().parse();
    assert_eq!(rtype.ok(), Some(record.rtype), "{record}");
}

/// Octets as decisions: which owner, type, class and data each record has.
fn composed(octets: &[u8]) -> Vec<u8> {
    let mut message = vec![0x12, 0x34, 0x28, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    put_name(&mut message, "example.com.");
    message.extend_from_slice(&[0, 6, 0, 1]);
    let mut octets = octets.iter().copied();
    let mut counts = [0u16; 2];
    while let Some(head) = octets.next() {
        let mut next = || octets.next().unwrap_or_default();
        // Prerequisites stand before updates.
        let section = usize::from(head & 3 != 0 || counts[1] > 0);
        counts[section] += 1;
        put_owner(&mut message, next());
        let rtype = TYPES[usize::from(next()) % TYPES.len()];
        let class: u16 = [1, 1, 255, 254][usize::from(head >> 2 & 3)];
        message.extend_from_slice(&rtype.to_be_bytes());
        message.extend_from_slice(&class.to_be_bytes());
        let ttl: u32 = match (class, next()) {
            (1, ttl) => [0, 60, 3600, 86_400, TTL_MAX, u32::MAX][usize::from(ttl) % 6],
            (_, 255) => 1,
            _ => 0,
        };
        message.extend_from_slice(&ttl.to_be_bytes());
        let at = message.len();
        message.extend_from_slice(&[0, 0]);
        let kind = next();
        if class != 255 || head & 0x80 != 0 {
            put_rdata(&mut message, rtype, kind, &mut next);
        }
        let len = (message.len() - at - 2) as u16;
        message[at..at + 2].copy_from_slice(&len.to_be_bytes());
    }
    message[6..8].copy_from_slice(&counts[0].to_be_bytes());
    message[8..10].copy_from_slice(&counts[1].to_be_bytes());
    message
}

const TYPES: &[u16] = &[
    1, 28, 5, 2, 6, 15, 16, 33, 39, 12, 43, 46, 47, 48, 35, 64, 65, 257, 52, 44, 13, 17, 18, 29,
    37, 45, 49, 50, 51, 55, 99, 250, 252, 255, 256, 65_280, 65_535, 0, 41,
];

const OWNERS: &[&str] = &[
    "example.com.",
    "api.example.com.",
    "www.example.com.",
    "web.example.com.",
    "new.example.com.",
    "*.example.com.",
    "a.b.c.example.com.",
    "ns1.example.com.",
    "mail.example.com.",
    "EXAMPLE.com.",
    "API.example.COM.",
    "sub.example.com.",
    "x.sub.example.com.",
    "other.test.",
    ".",
];

fn put_owner(message: &mut Vec<u8>, choice: u8) {
    match choice {
        200.. => {
            // One label of any octets below the zone, the zone being compressed.
            message.extend_from_slice(&[2, choice, choice.wrapping_mul(37), 0xC0, 12]);
        }
        _ => put_name(message, OWNERS[usize::from(choice) % OWNERS.len()]),
    }
}

fn put_name(message: &mut Vec<u8>, name: &str) {
    message.extend_from_slice(world::name(name).as_wire());
}

fn put_rdata(message: &mut Vec<u8>, rtype: u16, kind: u8, next: &mut dyn FnMut() -> u8) {
    if kind & 1 == 1 {
        let len = usize::from(next() % 40);
        message.extend((0..len).map(|_| next()));
        return;
    }
    let numbers = match rtype {
        1 => &[192, 0, 2][..],
        15 => &[0, 10],
        33 => &[0, 10, 0, 5, 20, 111],
        16 => &[2, 97],
        _ => &[],
    };
    message.extend_from_slice(numbers);
    match rtype {
        2 | 5 | 12 | 15 | 33 | 39 => put_owner(message, next()),
        6 => {
            put_owner(message, next());
            put_name(message, "hostmaster.example.com.");
            let serial = [0x78, 0xC4, next(), next()];
            message.extend_from_slice(&serial);
            message.extend_from_slice(&[0, 0, 28, 32, 0, 0, 3, 132, 0, 18, 117, 0, 0, 0, 1, 44]);
        }
        28 => message.extend((0..16).map(|_| next())),
        _ => message.push(next()),
    }
}
