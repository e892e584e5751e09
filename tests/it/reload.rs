//! A configuration read anew while the server runs: in force as a whole, or not at all.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::harness::eventually;
use crate::harness::lab::{self, Lab, PUBLIC_SECRET};
use crate::harness::programs;

const OTHER_SECRET: &str = "b3RoZXIgc2VjcmV0IG90aGVyIHNlY3JldCBvdGhlciE=";

fn zone(name: &str, rest: &str) -> String {
    format!("[[zone]]\nname = \"{name}\"\nfile = \"{name}zone\"\n{rest}\n")
}

fn protect(owner: &str, members: usize) -> String {
    format!("[[zone.protect]]\nname = \"{owner}\"\ntypes = [\"A\"]\nmin_members = {members}\n")
}

fn file(name: &str) -> String {
    lab::apex(name) + "api A 192.0.2.1\napi A 192.0.2.2\n"
}

/// A server with the zone `a.test.`, whose `api` needs `members`.
fn lab_with(members: usize) -> Lab {
    let config = lab::head() + &zone("a.test.", &protect("api", members));
    let lab = Lab::of(&config, &[("a.test.zone", &file("a.test."))]);
    assert_eq!(lab.data("api.a.test A").len(), 2);
    lab
}

fn delete_one(lab: &Lab) -> String {
    lab.update("zone a.test\nupdate delete api.a.test. A 192.0.2.1")
}

#[test]
fn zones_keys_and_rights_change_without_a_restart() {
    let lab = lab_with(1);
    lab.write("b.test.zone", &file("b.test."));
    let key = format!(
        "[[key]]\nname = \"second.\"\nsecret = \"{OTHER_SECRET}\"\n\
         allow = [{{ zone = \"b.test.\", names = [\"**\"] }}]\n"
    );
    let config = lab.read("lastgood.toml");
    lab.write("lastgood.toml", &(key + &config + &zone("b.test.", "")));
    let said = lab.cli(&["reload"]).expect_ok();
    for word in [
        "zone b.test.: a new stanza",
        "key second.: new",
        "Imported:",
    ] {
        assert!(said.contains(word), "{word} in {said}");
    }
    assert_eq!(lab.data("api.b.test A").len(), 2);
    let second = format!("hmac-sha256:second:{OTHER_SECRET}");
    let script = "zone b.test\nupdate add x.b.test. 60 A 192.0.2.9";
    assert_eq!(lab.update_as(&second, script), "NOERROR");

    // Rolled over, and given another right.
    let config = lab
        .read("lastgood.toml")
        .replace(OTHER_SECRET, PUBLIC_SECRET)
        .replace(
            "names = [\"**\"] }]\n[server]",
            "names = [\"y\"] }]\n[server]",
        );
    lab.write("lastgood.toml", &config);
    let said = lab.cli(&["reload"]).expect_ok();
    assert!(said.contains("key second.: another secret"), "{said}");
    assert!(said.contains("key second.: allow"), "{said}");
    assert_ne!(lab.update_as(&second, script), "NOERROR", "the old secret");
    let second = format!("hmac-sha256:second:{PUBLIC_SECRET}");
    assert_eq!(lab.update_as(&second, script), "REFUSED", "the old right");
    let script = "zone b.test\nupdate add y.b.test. 60 A 192.0.2.9";
    assert_eq!(lab.update_as(&second, script), "NOERROR");
}

#[test]
fn an_error_keeps_what_runs_and_says_why() {
    let lab = lab_with(1);
    let config = lab.read("lastgood.toml");
    lab.write(
        "lastgood.toml",
        &config.replace("min_members", "min_member"),
    );
    let ran = lab.cli(&["reload"]);
    assert_eq!(ran.code, Some(1), "{ran}");
    assert!(ran.stderr.contains("did you mean `min_members`?"), "{ran}");
    assert!(ran.stderr.contains("stays in force"), "{ran}");
    let ran = lab.cli(&["--json", "reload"]);
    assert_eq!(ran.json()["outcome"], "unreadable", "{ran}");
    // A secret is read by the server alone.
    let broken = config.replace(
        "[[zone]]",
        "[[key]]\nname = \"k.\"\nsecret_file = \"none\"\n[[zone]]",
    );
    lab.write("lastgood.toml", &broken);
    let ran = lab.cli(&["reload"]);
    assert_eq!(ran.code, Some(1), "{ran}");
    assert!(ran.stderr.contains("key generate k."), "{ran}");
    assert_eq!(delete_one(&lab), "NOERROR");
    assert_eq!(
        lab.update("zone a.test\nupdate delete api.a.test. A"),
        "REFUSED"
    );
}

#[test]
fn less_protection_needs_weaker() {
    let lab = lab_with(2);
    let config = lab
        .read("lastgood.toml")
        .replace("min_members = 2", "min_members = 1");
    lab.write("lastgood.toml", &config);
    let ran = lab.cli(&["reload"]);
    assert_eq!(ran.code, Some(1), "{ran}");
    assert!(
        ran.stderr
            .contains("api.a.test. A would need 1 members, not 2"),
        "{ran}"
    );
    assert!(ran.stderr.contains("lastgood reload --weaker"), "{ran}");
    assert_eq!(delete_one(&lab), "REFUSED", "the old policy is in force");
    let ran = lab.cli(&["--json", "reload", "--weaker"]);
    assert_eq!(ran.code, Some(0), "{ran}");
    assert_eq!(
        ran.json()["weaker"].as_array().map(Vec::len),
        Some(1),
        "{ran}"
    );
    assert_eq!(delete_one(&lab), "NOERROR");
}

#[test]
fn a_policy_that_is_not_met_is_refused_with_the_list() {
    let lab = lab_with(1);
    let config = lab
        .read("lastgood.toml")
        .replace("min_members = 1", "min_members = 3");
    lab.write("lastgood.toml", &config);
    for words in [&["reload"][..], &["reload", "--weaker"]] {
        let ran = lab.cli(words);
        assert_eq!(ran.code, Some(1), "{ran}");
        assert!(ran.stderr.contains("api.a.test. A"), "{ran}");
    }
    let refused = lab.cli(&["--json", "reload"]).json();
    assert_eq!(refused["outcome"], "refused");
    assert_eq!(
        refused["unmet"].as_array().map(Vec::len),
        Some(1),
        "{refused}"
    );
    assert_eq!(delete_one(&lab), "NOERROR", "one is enough as before");
}

#[test]
fn a_stanza_that_vanished_takes_neither_zone_nor_protection_away() {
    let mut lab = lab_with(2);
    lab.write("lastgood.toml", &lab::head());
    let said = lab.cli(&["reload"]).expect_ok();
    assert!(
        said.contains("lastgood zone remove") && said.contains("a.test."),
        "{said}"
    );
    lab.restart();
    assert_eq!(lab.status("a.test.")["orphaned"], true);
    let text = lab.cli(&["status"]).expect_ok();
    assert!(text.contains("live, orphaned"), "{text}");
    assert_eq!(delete_one(&lab), "REFUSED");

    let ran = lab.cli(&["zone", "remove", "a.test."]);
    assert_eq!(ran.code, Some(1), "{ran}");
    assert!(ran.stderr.contains("min-members"), "{ran}");
    let forced = ["--override", "min-members", "--reason", "the service ends"];
    let ran = lab.cli(&[&["zone", "remove", "a.test."], &forced[..]].concat());
    assert!(ran.ok() && !ran.stderr.contains("stanza"), "{ran}");
    assert_eq!(lab.dig("api.a.test A").status, "REFUSED");
    let listed = |lab: &Lab| lab.cli(&["--json", "zone", "list"]).json();
    assert_eq!(listed(&lab).as_array().map(Vec::len), Some(0));
    lab.cli(&["reload"]).expect_ok();
    assert_eq!(listed(&lab).as_array().map(Vec::len), Some(0));
    lab.restart();
    assert_eq!(listed(&lab).as_array().map(Vec::len), Some(0));
}

#[test]
fn a_zone_named_by_mistake_goes_with_its_stanza() {
    let mut lab = lab_with(1);
    let config = lab.read("lastgood.toml");
    lab.write(
        "lastgood.toml",
        &(config.clone() + "[[zone]]\nname = \"tpyo.test.\"\n"),
    );
    let said = lab.cli(&["reload"]).expect_ok();
    assert!(said.contains("zone import tpyo.test. FILE"), "{said}");
    assert_eq!(lab.dig("tpyo.test SOA").status, "SERVFAIL");
    let status = lab.cli(&["status"]);
    assert_eq!(status.code, Some(1), "{status}");
    lab.write("lastgood.toml", &config);
    lab.cli(&["reload"]).expect_ok();
    assert_eq!(lab.dig("tpyo.test SOA").status, "REFUSED");
    lab.cli(&["status"]).expect_ok();
    lab.restart();
    lab.cli(&["status"]).expect_ok();
}

#[test]
fn a_file_that_cannot_be_imported_is_told_and_tried_again() {
    let mut lab = lab_with(1);
    lab.write("b.test.zone", "@ A 192.0.2.300\n");
    let config = lab.read("lastgood.toml") + &zone("b.test.", "");
    lab.write("lastgood.toml", &config);
    let ran = lab.cli(&["reload"]);
    assert_eq!(ran.code, Some(1), "{ran}");
    assert!(ran.stderr.contains("b.test.zone:1"), "{ran}");
    lab.restart();
    assert_eq!(
        lab.data("api.a.test A").len(),
        2,
        "the others are served again"
    );
    assert_eq!(lab.state("b.test."), "unavailable");
    lab.write("b.test.zone", &file("b.test."));
    lab.cli(&["reload"]).expect_ok();
    assert_eq!(lab.data("api.b.test A").len(), 2);
}

#[test]
fn what_needs_a_restart_is_told() {
    let lab = lab_with(1);
    let config = lab
        .read("lastgood.toml")
        .replace("udp_threads = 1", "udp_threads = 2")
        .replace("data/demo.db", "data/other.db");
    lab.write("lastgood.toml", &config);
    let said = lab.cli(&["reload"]).expect_ok();
    for word in ["Waits for a restart:", "udp_threads stays 1", "other.db"] {
        assert!(said.contains(word), "{word} in {said}");
    }
    assert!(!lab.path("data/other.db").exists());
}

#[test]
fn ten_thousand_stanzas_are_read_in_under_two_seconds() {
    let lab = lab_with(2);
    let mut config = lab.read("lastgood.toml");
    for number in 0..10_000 {
        config += &format!(
            "[[zone]]\nname = \"z{number}.test.\"\n{}",
            protect("api", 2)
        );
    }
    lab.write("lastgood.toml", &config);
    // A build without optimization takes several times as long; `.ci/smoke` times the other one.
    let bound = Duration::from_secs(if cfg!(debug_assertions) { 8 } else { 2 });
    for round in ["new", "the same"] {
        let start = Instant::now();
        let ran = lab.cli(&["--json", "reload"]);
        let took = start.elapsed();
        assert!(ran.ok(), "{ran}");
        assert!(took < bound, "{round}: {took:?}");
    }
    assert_eq!(lab.dig("z9999.test SOA").status, "SERVFAIL");
    assert_eq!(lab.data("api.a.test A").len(), 2);
}

#[test]
fn a_hangup_signal_is_a_reload() {
    let lab = Lab::prepared(
        &(lab::head() + &zone("a.test.", "")),
        &[("a.test.zone", &file("a.test."))],
    );
    let at = std::net::SocketAddr::from(([127, 0, 0, 1], lab.port));
    let config = lab.read("lastgood.toml");
    let mut child = lab
        .command(&["serve"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let stderr = child.stderr.take().expect("piped");
    let log = thread::spawn(move || {
        let lines = BufReader::new(stderr).lines();
        lines.map_while(Result::ok).collect::<Vec<_>>().join("\n")
    });
    eventually("the server answers", || {
        let ran = lab.cli(&["status"]);
        if ran.ok() {
            Ok(())
        } else {
            Err(ran.to_string())
        }
    });
    let hang_up = || {
        let line = format!("kill -HUP {}", child.id());
        programs::run(Command::new("sh").args(["-c", &line]), "").expect_ok();
    };
    lab.write("lastgood.toml", "[server]\nlisten = 3\n");
    hang_up();
    lab.write("b.test.zone", &file("b.test."));
    // The first one may not have been read yet; the server goes on with either.
    eventually("the new zone is served", || {
        lab.write("lastgood.toml", &(config.clone() + &zone("b.test.", "")));
        hang_up();
        match lab::dig(at, "api.b.test A").data().len() {
            2 => Ok(()),
            found => Err(format!("{found} addresses")),
        }
    });
    let line = format!("kill -TERM {}", child.id());
    programs::run(Command::new("sh").args(["-c", &line]), "").expect_ok();
    let ended = programs::wait(&mut child, Duration::from_secs(20)).expect("it ends in time");
    assert_eq!(ended.code(), Some(0));
    let log = log.join().expect("the reader does not panic");
    assert!(log.contains("the configuration was read anew"), "{log}");
}
