//! Rolling a key over, step by step as `docs/keys.md` says.

use std::fs;

use crate::harness::lab::{self, Lab};

const ALLOW: &str = "allow = [{ zone = \"example.com.\", names = [\"api\"], types = [\"A\"] }]\n";

/// What `key generate` prints, with the rights of this test.
fn stanza(lab: &Lab, name: &str) -> String {
    let file = lab.path(&format!("{name}key")).display().to_string();
    let printed = lab
        .cli(&["key", "generate", name, "--file", &file])
        .expect_ok();
    let head = printed.split("allow").next().expect("a stanza");
    format!("{head}{ALLOW}")
}

fn configuration(stanzas: &[&str]) -> String {
    let zone = "[[zone]]\nname = \"example.com.\"\nfile = \"example.com.zone\"\n";
    format!("{}{}{zone}", lab::head(), stanzas.concat())
}

#[track_caller]
fn add(lab: &Lab, key: &str, address: &str) -> String {
    let file = lab.path(&format!("{key}key")).display().to_string();
    let script = format!("zone example.com\nupdate add api.example.com. 60 A {address}");
    lab.nsupdate(&["-k", &file], &script)
}

/// Who made the committed changes, the latest first.
fn actors(lab: &Lab) -> Vec<String> {
    let rows = lab
        .cli(&["--json", "log", "example.com.", "--limit", "50"])
        .json();
    let rows = rows.as_array().expect("rows").clone();
    rows.iter()
        .filter(|row| row["outcome"] == "committed")
        .filter_map(|row| row["actor"].as_str().map(str::to_owned))
        .collect()
}

#[test]
fn a_key_is_rolled_over_while_both_live_and_the_log_tells_them_apart() {
    let apex = lab::apex("example.com.") + "api A 192.0.2.1\n";
    let mut lab = Lab::prepared("", &[("example.com.zone", &apex)]);
    let old = stanza(&lab, "enactor-a.");
    lab.write("lastgood.toml", &configuration(&[&old]));
    lab.start();
    assert_eq!(add(&lab, "enactor-a.", "192.0.2.2"), "NOERROR");

    let new = stanza(&lab, "enactor-a-2.");
    lab.write("lastgood.toml", &configuration(&[&old, &new]));
    lab.restart();
    assert_eq!(add(&lab, "enactor-a-2.", "192.0.2.3"), "NOERROR");
    assert_eq!(add(&lab, "enactor-a.", "192.0.2.4"), "NOERROR");
    let outside = "zone example.com\nupdate add other.example.com. 60 A 192.0.2.9";
    for key in ["enactor-a.", "enactor-a-2."] {
        let file = lab.path(&format!("{key}key")).display().to_string();
        assert_eq!(lab.nsupdate(&["-k", &file], outside), "REFUSED", "{key}");
    }
    let told = ["key enactor-a.", "key enactor-a-2.", "key enactor-a."];
    assert_eq!(actors(&lab)[..3], told);

    lab.write("lastgood.toml", &configuration(&[&new]));
    lab.restart();
    let refused = add(&lab, "enactor-a.", "192.0.2.5");
    assert!(refused.contains("NOTAUTH"), "{refused}");
    assert!(refused.contains("BADKEY"), "{refused}");
    assert_eq!(add(&lab, "enactor-a-2.", "192.0.2.6"), "NOERROR");
    assert_eq!(
        lab.data("api.example.com A"),
        [
            "192.0.2.1",
            "192.0.2.2",
            "192.0.2.3",
            "192.0.2.4",
            "192.0.2.6"
        ]
    );
    let text = lab.cli(&["log", "example.com."]).expect_ok();
    let committed = text.lines().filter(|line| line.contains("committed"));
    let by: Vec<bool> = committed
        .take(2)
        .map(|line| line.contains("key enactor-a-2. "))
        .collect();
    assert_eq!(by, [true, false], "the old key keeps its history: {text}");
}

#[test]
fn a_key_whose_secret_got_out_is_frozen_and_the_other_goes_on() {
    let apex = lab::apex("example.com.") + "api A 192.0.2.1\n";
    let mut lab = Lab::prepared("", &[("example.com.zone", &apex)]);
    let (old, new) = (stanza(&lab, "enactor-a."), stanza(&lab, "enactor-a-2."));
    lab.write("lastgood.toml", &configuration(&[&old, &new]));
    lab.start();
    let words = [
        "freeze",
        "--key",
        "enactor-a.",
        "--reason",
        "known to others",
    ];
    lab.cli(&words).expect_ok();
    assert_eq!(add(&lab, "enactor-a.", "192.0.2.2"), "REFUSED");
    assert_eq!(add(&lab, "enactor-a-2.", "192.0.2.3"), "NOERROR");
    lab.restart();
    assert_eq!(add(&lab, "enactor-a.", "192.0.2.2"), "REFUSED");
}

#[test]
fn no_secret_is_in_the_store() {
    let apex = lab::apex("example.com.") + "api A 192.0.2.1\n";
    let mut lab = Lab::prepared("", &[("example.com.zone", &apex)]);
    let key = stanza(&lab, "enactor-a.");
    lab.write("lastgood.toml", &configuration(&[&key]));
    lab.start();
    assert_eq!(add(&lab, "enactor-a.", "192.0.2.2"), "NOERROR");
    let clause = lab.read("enactor-a.key");
    let secret = clause.split('"').nth(3).expect("a secret").to_owned();
    assert!(secret.len() > 40);
    lab.stop();
    for entry in fs::read_dir(lab.path("data")).expect("the store's folder") {
        let path = entry.expect("a file").path();
        let octets = fs::read(&path).unwrap_or_default();
        let found = octets
            .windows(secret.len())
            .any(|window| window == secret.as_bytes());
        assert!(!found, "{}", path.display());
    }
}
