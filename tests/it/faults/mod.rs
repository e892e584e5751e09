//! Everything that can go wrong with the data, done for real while the server runs. Somebody asks the
//! whole time: no answer is wrong, none is missing, and zones that have nothing to do with it are as
//! they were.
//!
//! `rows` and `schema`: what a person with `sqlite3` can do; `files`: what can happen to the files;
//! `index`: what to the maps of their logs' indexes; `moved`: what to their folder;
//! `flips`: single bits; `disk`: no room, or somebody who keeps the store locked; `clock`: another
//! year; `age`: holds that last; `behind`: a snapshot older than the store; `audit`: the book that
//! changes are written into; `serials`: which one ends a hold; `together`: edits and holds of more
//! than one zone.

mod age;
mod audit;
mod behind;
mod clock;
mod disk;
mod files;
mod flips;
mod index;
mod moved;
mod rows;
mod schema;
mod serials;
mod together;

use std::process::Command;

use serde_json::Value;

use crate::harness::eventually;
use crate::harness::lab::Lab;
use crate::harness::library::{self, Transport};
use crate::harness::programs;

const ZONE: &str = "example.com.";
const OTHER: &str = "2.0.192.in-addr.arpa.";

/// The demo, with store and snapshot read through for damage all the time.
fn demo() -> Lab {
    let mut lab = prepared();
    lab.start();
    lab
}

fn prepared() -> Lab {
    let lab = Lab::prepared_demo();
    let config = lab.read("lastgood.toml");
    let scrubbed = config.replace("[store]\n", "[store]\nscrub = \"1s\"\n");
    assert_ne!(config, scrubbed, "there is a section for the store");
    lab.write("lastgood.toml", &scrubbed);
    lab
}

/// An update that adds a name of its own.
fn add(name: &str) -> String {
    format!("zone example.com\nupdate add {name}.example.com. 60 A 192.0.2.1")
}

#[track_caller]
fn acknowledge(lab: &Lab, name: &str) {
    eventually("an update is let in", || match &*lab.update(&add(name)) {
        "NOERROR" => Ok(()),
        other => Err(format!("{other} {}", lab.status(ZONE))),
    });
}

#[track_caller]
fn is_there(lab: &Lab, name: &str) {
    let words = format!("{name}.example.com A");
    assert_eq!(lab.data(&words), ["192.0.2.1"]);
}

/// The RCODE and the extended error of an update that speaks EDNS.
fn refusal_of_update(lab: &Lab) -> (String, Option<u16>) {
    let update = library::update(ZONE, library::demo_key(), true, |section| {
        section.add_a("meanwhile.example.com.", [192, 0, 2, 1]);
    });
    let response = update.send(lab.v4(), Transport::Tcp);
    let code = library::extended_errors(&response)
        .first()
        .map(|(code, _)| *code);
    (response.metadata.response_code.to_string(), code)
}

/// What the metrics say now, by the name of the sample.
#[track_caller]
fn metric(lab: &Lab, sample: &str) -> f64 {
    let mut curl = Command::new("curl");
    curl.args(["-s", "--unix-socket"])
        .arg(lab.path("data/demo.sock"));
    let text = programs::run(curl.arg("http://localhost/metrics"), "").expect_ok();
    let value = text
        .lines()
        .find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
    let value = value.unwrap_or_else(|| panic!("{sample} is in {text}"));
    value.parse().expect("a number")
}

/// Everything that is said of a zone which holds, and what is refused meanwhile.
#[track_caller]
fn holds_as_it_should(lab: &Lab, zone: &str) -> Value {
    let status = lab.until(zone, "holding");
    for said in ["reason", "mend"] {
        assert!(
            !status[said].as_str().unwrap_or_default().is_empty(),
            "{said}: {status}"
        );
    }
    assert_eq!(
        metric(lab, &format!("lastgood_zone_hold{{zone=\"{zone}\"}}")),
        1.0
    );
    assert_eq!(
        metric(lab, &format!("lastgood_zone_available{{zone=\"{zone}\"}}")),
        1.0
    );
    let ran = lab.cli(&["status"]);
    assert_eq!(ran.code, Some(1), "{ran}");
    assert!(ran.stdout.contains("To mend it:"), "{ran}");
    status
}

#[track_caller]
fn refuses_with_not_ready(lab: &Lab) {
    let (rcode, ede) = refusal_of_update(lab);
    let status = lab.status(ZONE);
    assert_eq!((&*rcode, ede), ("Query Refused", Some(14)), "{status}");
}

/// What is to be done, by what the status says: lines for the shell.
#[track_caller]
fn mend(lab: &Lab, zone: &str) {
    let status = lab.status(zone);
    let mend = status["mend"].as_str().unwrap_or_default();
    assert!(mend.starts_with("sqlite3 "), "{status}");
    lab.shell(mend);
    lab.until(zone, "live");
}

#[track_caller]
fn live(lab: &Lab) {
    for zone in [ZONE, OTHER] {
        lab.until(zone, "live");
    }
}

/// Notes of `status` that are about no zone.
fn notices(lab: &Lab) -> String {
    lab.cli(&["--json", "status"]).json()["notices"].to_string()
}
