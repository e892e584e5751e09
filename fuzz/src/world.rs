//! Zones of every situation, as one server would have them.

use std::sync::OnceLock;
use std::time::Instant;

use lastgood::rr::Name;
use lastgood::zone::{Hold, Published, Served, ServedZone, ZoneImage};
use lastgood::zonefile;

/// Origin, zone file.
pub const ZONES: &[(&str, &[u8])] = &[
    (
        "example.com.",
        include_bytes!("../../zones/example.com.zone"),
    ),
    (
        "2.0.192.in-addr.arpa.",
        include_bytes!("../../zones/2.0.192.in-addr.arpa.zone"),
    ),
    (
        "apex.test.",
        include_bytes!("../../zones/situations/apex.test.zone"),
    ),
    (
        "cname.test.",
        include_bytes!("../../zones/situations/cname.test.zone"),
    ),
    (
        "delegation.test.",
        include_bytes!("../../zones/situations/delegation.test.zone"),
    ),
    (
        "dname.test.",
        include_bytes!("../../zones/situations/dname.test.zone"),
    ),
    (
        "ent.test.",
        include_bytes!("../../zones/situations/ent.test.zone"),
    ),
    (
        "longtxt.test.",
        include_bytes!("../../zones/situations/longtxt.test.zone"),
    ),
    (
        "loop.test.",
        include_bytes!("../../zones/situations/loop.test.zone"),
    ),
    (
        "nodata.test.",
        include_bytes!("../../zones/situations/nodata.test.zone"),
    ),
    (
        "types.test.",
        include_bytes!("../../zones/situations/types.test.zone"),
    ),
    (
        "wildcard.test.",
        include_bytes!("../../zones/situations/wildcard.test.zone"),
    ),
];

pub fn name(text: &str) -> Name {
    text.parse().expect("a name")
}

pub fn image(origin: &str, text: &[u8]) -> ZoneImage {
    let origin = name(origin);
    let parsed = zonefile::parse(text, &origin, &|_, _| {
        Err(std::io::Error::other("no files here"))
    });
    assert!(parsed.problems.is_empty(), "{:?}", parsed.problems);
    ZoneImage::from_records(origin, parsed.records).expect("records of the zone")
}

/// All of them live, but for one that holds and one that is lost.
pub fn published() -> &'static Published {
    static WORLD: OnceLock<Published> = OnceLock::new();
    WORLD.get_or_init(|| {
        let mut world = Published::default();
        for (number, (origin, text)) in ZONES.iter().enumerate() {
            let hold = (*origin == "cname.test.").then(|| Hold {
                since: Instant::now(),
                reason: "a test".into(),
                is_expired: false,
            });
            world = world.with(Served::Zone(ServedZone {
                image: image(origin, text).into(),
                revision: number as u64 + 1,
                hold,
            }));
        }
        world.with(Served::Unavailable {
            origin: name("lost.test."),
            reason: "store and snapshot have lost it".into(),
        })
    })
}
