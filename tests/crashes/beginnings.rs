//! Kills before there is anything: the database, the snapshot and the first import half made.

use std::thread;
use std::time::Duration;

use crate::model::{self, ZONES};
use crate::process::random::Random;
use crate::process::server::Place;

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
        assert_eq!(zone["serial"], 1, "{zone}");
    }
    let found = place.json(&["verify"]);
    assert_eq!(found["whole"], true, "{found}");
    server.kill();
}
