//! Kills before there is anything: the database, the snapshot and the first import half made.
//!
//! The snapshot's ceiling is reserved before an import is committed. A kill between the two leaves
//! a ceiling and no zone, and nobody can tell whether a serial up to it was served: the import
//! that follows gets the serial after it.

use std::thread;
use std::time::Duration;

use crate::model::{self, ZONES};
use crate::process::random::Random;
use crate::process::server::Place;

/// The ceiling that the first import reserves, and one more.
const AFTER_THE_CEILING: u64 = 1002;

/// In a new folder: a few starts that are killed, then one that must serve all there is.
pub fn run(random: &mut Random) {
    let place = Place::new();
    let mut text = place.head();
    for zone in ZONES {
        place.write(&format!("{zone}.zone"), &model::zone_text(zone));
        text += &format!("[[zone]]\nname = \"{zone}.\"\nfile = \"{zone}.zone\"\n");
    }
    place.write("lastgood.toml", &text);
    for _ in 0..=random.below(3) {
        let server = place.spawn();
        thread::sleep(Duration::from_micros(random.below(120_000) as u64));
        server.kill();
    }
    let server = place.start(&ZONES);
    let status = place.json(&["status"]);
    for zone in status["zones"].as_array().expect("zones") {
        assert_eq!(zone["state"], "live", "{zone}\n{}", place.log_end());
        let serial = zone["serial"].as_u64().expect("a serial");
        assert!(
            serial == 1 || serial == AFTER_THE_CEILING,
            "{zone}\n{}",
            place.log_end()
        );
    }
    let found = place.json(&["verify"]);
    assert_eq!(found["whole"], true, "{found}");
    server.kill();
}
