//! What an operator sees and can do: the status of everything, a signal that changes nothing, commands
//! where no server runs, and backups made while the store is written to.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use crate::harness::eventually;
use crate::harness::lab::{self, Lab};
use crate::harness::programs;
use crate::harness::serving::Serving;
use crate::verbs;

const ZONE: &str = "example.com.";
const OTHER: &str = "2.0.192.in-addr.arpa.";
const ADD: &str = "zone example.com\nupdate add new.example.com. 60 A 192.0.2.1";
const EMPTY: &str = "zone example.com\nupdate delete api.example.com. A";

#[test]
fn the_status_has_all_there_is_to_know_of_server_and_zones() {
    let lab = Lab::demo();
    assert_eq!(lab.update(ADD), "NOERROR");
    assert_eq!(lab.update(EMPTY), "REFUSED");
    lab.cli(&["freeze", "--zone", OTHER, "--reason", "INC-5"])
        .expect_ok();
    lab.settle(ZONE);
    assert!(lab.cli(&["status"]).ok(), "a freeze is no trouble");
    lab.sql(BROKEN);
    let zone = lab.until(ZONE, "holding");
    assert_eq!(zone["serial"], lab.serial("example.com"));
    let ran = lab.cli(&["--json", "status"]);
    assert_eq!(ran.code, Some(1), "{ran}");
    let all = ran.json();
    assert_eq!(zone["revision"], 2);
    assert!(zone["held_secs"].is_u64(), "{zone}");
    let reason = zone["reason"].as_str().expect("a reason");
    assert!(reason.contains("min-members"), "{reason}");
    assert_eq!(zone["snapshot_revision"], 2);
    assert_eq!(zone["snapshot_lag_secs"], 0);
    assert_eq!(zone["last_update"]["actor"], "key demo.");
    assert_eq!(zone["last_refusal"]["rule"], "min-members");
    let other = lab.status(OTHER);
    assert_eq!(other["state"], "live");
    assert!(other["frozen"].to_string().contains(OTHER), "{other}");
    let server = &all["server"];
    assert!(server["uptime_secs"].is_u64(), "{server}");
    assert!(server["queries"].as_u64() > Some(0), "{server}");
    assert_eq!(server["updates"]["committed"], 1, "{server}");
    // The update and the edit by hand.
    assert_eq!(server["refusals"]["min-members"], 2, "{server}");

    // The same for people.
    let text = lab.cli(&["status"]).stdout;
    let refusal = zone["last_refusal"]["reference"].as_str().expect("one");
    let update = zone["last_update"]["reference"].as_str().expect("one");
    for words in [
        &["lastgood 0.", ", up ", " s, on 127.0.0.1:"][..],
        &[" queries, "],
        &["refused by rule: 2 min-members"],
        &[
            "example.com.",
            &lab.serial("example.com").to_string(),
            "  2  ",
            "holding for ",
        ],
        &["example.com. is holding: ", reason],
        &["2.0.192.in-addr.arpa.", "live, frozen"],
        &["Frozen: zone 2.0.192.in-addr.arpa. since ", "INC-5"],
        &["example.com.", "last update", update, "key demo."],
        &["example.com.", "last refusal", refusal, "min-members"],
    ] {
        let mut lines = text.lines();
        let found = lines.any(|line| words.iter().all(|word| line.contains(word)));
        assert!(found, "{words:?} in a line of\n{text}");
    }
}

#[test]
fn a_hangup_with_an_error_or_less_protection_keeps_what_runs_and_the_log_says_why() {
    let serving = Serving::start(Lab::prepared_demo(), ZONE);
    let lab = &serving.lab;
    let config = lab.read("lastgood.toml");
    let unmet = config.replace("min_members = 2", "min_members = 7");
    for (text, said) in [
        (
            config.replace("min_members", "min_member"),
            "did you mean `min_members`?",
        ),
        ("[server]\nlisten = 3\n".to_owned(), "listen"),
        (unmet, "at least 7"),
        (
            config.replace("min_members = 2", "min_members = 1"),
            "--weaker",
        ),
    ] {
        lab.write("lastgood.toml", &text);
        lab.shell(&format!("kill -HUP {}", serving.pid));
        eventually(&format!("the log says: {said}"), || {
            let log = serving.said();
            let found = log
                .lines()
                .any(|line| line.contains("ERROR") && line.contains(said));
            found.then_some(()).ok_or(log)
        });
        let reply = lab::dig(serving.at, "api.example.com A");
        assert_eq!(reply.data(), ["192.0.2.10", "192.0.2.11"]);
    }
    // What was in force still is.
    let status = lab.status(ZONE);
    assert_eq!(status["findings"], serde_json::json!([]), "{status}");
    lab.write("lastgood.toml", &config);
    lab.cli(&["reload"]).expect_ok();
}

#[test]
fn what_serve_prints_as_json_is_documented_field_by_field() {
    let lab = Lab::prepared_demo();
    let mut child = lab
        .command(&["--json", "serve"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    let said = child.stdout.take().expect("piped");
    let mut objects = serde_json::Deserializer::from_reader(said).into_iter();
    let printed = objects
        .next()
        .expect("it says that it serves")
        .expect("JSON");
    programs::run(Command::new("kill").arg(child.id().to_string()), "");
    programs::wait(&mut child, Duration::from_secs(20)).expect("it ends");
    assert_eq!(
        verbs::printed_fields(&printed),
        verbs::documented()["serve"]
    );
}

#[test]
fn where_no_server_runs_each_command_does_it_or_says_that_it_needs_one() {
    let mut lab = Lab::demo();
    assert_eq!(lab.update(ADD), "NOERROR");
    assert_eq!(lab.update(EMPTY), "REFUSED");
    let reference = lab.status(ZONE)["last_refusal"]["reference"].to_string();
    let reference = reference.trim_matches('"');
    lab.settle(ZONE);
    let copy = lab.path("with.db").display().to_string();
    let same = [
        &["zone", "export", ZONE][..],
        &["snapshot", "export", ZONE],
        &["why", reference],
        &["log"],
        &["log", ZONE, "--limit", "1"],
        &["diff", ZONE, "1", "2"],
        &["verify"],
    ];
    let with: Vec<String> = same
        .iter()
        .map(|words| lab.cli(words).expect_ok())
        .collect();
    lab.cli(&["backup", &copy]).expect_ok();
    lab.stop();
    assert!(!lab.path("data/demo.sock").exists());
    for (words, with) in same.iter().zip(with) {
        assert_eq!(lab.cli(words).expect_ok(), with, "{words:?}");
    }
    let without = lab.path("without.db").display().to_string();
    lab.cli(&["backup", &without]).expect_ok();
    let listed = lab.cli(&["--json", "zone", "list"]).json();
    assert_eq!(listed.as_array().map(Vec::len), Some(2), "{listed}");
    assert_eq!(listed[1]["revision"], 2, "{listed}");
    for words in [&["status"][..], &["reload"]] {
        let ran = lab.cli(words);
        assert_eq!(ran.code, Some(2), "{ran}");
        assert!(ran.stderr.contains("demo.sock"), "{ran}");
    }
    // Nothing of it is left over, and nothing was changed.
    assert!(!lab.path("data/demo.sock").exists());
    lab.start();
    assert_eq!(lab.status(ZONE)["revision"], 2);
    assert_eq!(lab.state(ZONE), "live");
}

#[test]
fn a_backup_made_under_load_is_a_state_that_was_and_restoring_it_loses_nothing_acknowledged() {
    let mut lab = Lab::demo();
    let copy = lab.path("backup.db").display().to_string();
    thread_of_updates(&lab, || {
        eventually(
            "updates are coming in",
            || match lab.status(ZONE)["revision"].as_u64() {
                Some(revision) if revision > 5 => Ok(()),
                other => Err(format!("{other:?}")),
            },
        );
        let ran = lab.cli(&["backup", &copy]);
        assert!(ran.ok() && ran.stdout.ends_with("whole\n"), "{ran}");
    });
    let last = lab.status(ZONE)["revision"].as_u64().expect("a revision");
    let inside = "SELECT revision FROM zone WHERE origin = 'example.com.'";
    let kept: u64 = lab
        .sql_in(copy.as_ref(), inside)
        .trim()
        .parse()
        .expect("one");
    assert!(
        kept > 5 && kept < last,
        "in the middle of them: {kept} of {last}"
    );
    lab.settle(ZONE);
    lab.stop();
    for suffix in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(format!("{}{suffix}", lab.database().display()));
    }
    fs::copy(&copy, lab.database()).expect("put in place");
    lab.start();
    let status = lab.until(ZONE, "holding");
    let reason = status["reason"].to_string();
    assert!(reason.contains(&format!("revision {kept}")), "{reason}");
    let mend = status["mend"].as_str().expect("ways out");
    for way in ["snapshot restore example.com.", "zone accept example.com."] {
        assert!(mend.contains(way), "both ways are offered: {mend}");
    }
    assert_eq!(
        lab.data("n39.example.com A"),
        ["192.0.2.1"],
        "of the snapshot"
    );
    lab.cli(&["snapshot", "restore", ZONE]).expect_ok();
    lab.until(ZONE, "live");
    assert_eq!(lab.data("n39.example.com A"), ["192.0.2.1"]);
    assert_eq!(lab.update(ADD), "NOERROR");
    lab.cli(&["verify"]).expect_ok();
}

/// Forty updates, one after the other, while `meanwhile` is done.
fn thread_of_updates(lab: &Lab, meanwhile: impl FnOnce()) {
    thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0..40 {
                let add = ADD.replace("new", &format!("n{number}"));
                assert_eq!(lab.update(&add), "NOERROR");
            }
        });
        meanwhile();
    });
}

#[test]
fn a_backup_that_cannot_be_made_leaves_nothing_and_names_why() {
    let lab = Lab::demo();
    lab.write("there.db", "somebody's");
    lab.shell(&format!(
        "ln -s /nowhere/at/all '{}'",
        lab.path("link.db").display()
    ));
    for (file, code, said) in [
        ("there.db", 1, "exists already"),
        ("link.db", 1, "exists already"),
        ("data/demo.db", 1, "exists already"),
        ("data/demo.snapshot.db", 1, "exists already"),
        ("data", 1, "exists already"),
        ("no/folder.db", 2, "No such file or directory"),
        ("there.db/below.db", 2, "Not a directory"),
    ] {
        let path = lab.path(file).display().to_string();
        let ran = lab.cli(&["backup", &path]);
        assert_eq!(ran.code, Some(code), "{file}: {ran}");
        assert!(
            ran.stderr.contains(said) && ran.stderr.contains(&path),
            "{file}: {ran}"
        );
    }
    assert_eq!(lab.read("there.db"), "somebody's");
    let left = lab.shell(&format!(
        "find '{}' -name '*.part-*'",
        lab.path("").display()
    ));
    assert_eq!(left, "");
    assert_eq!(lab.state(ZONE), "live");
    assert_eq!(lab.update(ADD), "NOERROR");
}

/// Where a link leads is where the store is, with its log and its lock.
#[test]
fn a_store_and_a_snapshot_that_are_links_are_where_these_lead() {
    let mut lab = Lab::prepared_demo();
    for folder in ["data", "disk", "other"] {
        fs::create_dir(lab.path(folder)).expect("a folder");
    }
    let (store, snapshot) = (lab.path("disk/real.db"), lab.path("other/real.db"));
    symlink(&store, lab.database()).expect("a link");
    symlink(&snapshot, lab.snapshot()).expect("a link");
    lab.start();
    assert_eq!(lab.update(ADD), "NOERROR");
    lab.settle(ZONE);
    lab.restart();
    assert_eq!(lab.data("new.example.com A"), ["192.0.2.1"]);
    lab.sql(BROKEN);
    lab.until(ZONE, "holding");
    lab.cli(&["snapshot", "restore", ZONE]).expect_ok();
    lab.until(ZONE, "live");
    lab.stop();
    // The store goes; the link stays, and so does what it is for.
    for suffix in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(format!("{}{suffix}", store.display()));
    }
    lab.start();
    lab.until(ZONE, "holding");
    assert_eq!(lab.data("new.example.com A"), ["192.0.2.1"]);
    lab.cli(&["snapshot", "restore", "--all"]).expect_ok();
    lab.until(ZONE, "live");
    assert_eq!(lab.update(ADD), "NOERROR");
    for (link, file) in [(lab.database(), store), (lab.snapshot(), snapshot)] {
        assert_eq!(fs::read_link(&link).expect("still a link"), file);
        assert!(file.is_file());
    }
}

const BROKEN: &str = "DELETE FROM record WHERE owner = 'api.example.com.' AND type = 'A'";

#[test]
fn two_servers_on_one_store_are_one_too_many_by_whatever_name() {
    let lab = Lab::demo();
    symlink(lab.database(), lab.path("data/link.db")).expect("a link");
    let config = lab.read("lastgood.toml");
    let config = config.replace("data/demo.sock", "data/second.sock");
    let config = config.replace(&format!(":{}\"", lab.port), ":0\"");
    for name in ["data/demo.db", "data/../data/demo.db", "data/link.db"] {
        let mut second = Lab::prepared(&config.replace("data/demo.db", name), &[]);
        let moved = second.read("lastgood.toml");
        let there = lab.path("data").display().to_string();
        second.write(
            "lastgood.toml",
            &moved.replace("\"data/", &format!("\"{there}/")),
        );
        let error = second.try_start().expect_err("it is in use");
        assert!(error.contains("is in use by process"), "{name}: {error}");
    }
    assert_eq!(lab.update(ADD), "NOERROR");
}

#[test]
fn store_snapshot_and_socket_in_one_file_are_an_error_and_nothing_is_touched() {
    let mut lab = Lab::stopped_demo(ADD);
    let before = fs::read(lab.database()).expect("the store");
    let config = lab.read("lastgood.toml");
    for (from, to, said) in [
        (
            "[store]\n",
            "[store]\nsnapshot = \"data/demo.db\"\n",
            "the store and the snapshot are one file",
        ),
        (
            "[store]\n",
            "[store]\nsnapshot = \"./data/../data/demo.db\"\n",
            "the store and the snapshot are one file",
        ),
        (
            "data/demo.sock",
            "data/demo.db",
            "the store and the control socket are one file",
        ),
        (
            "data/demo.sock",
            "data/demo.snapshot.db",
            "the snapshot and the control socket are one file",
        ),
    ] {
        let changed = config.replace(from, to);
        assert_ne!(changed, config);
        lab.write("lastgood.toml", &changed);
        let ran = lab.cli(&["serve"]);
        assert_eq!(ran.code, Some(2), "{ran}");
        assert!(ran.stderr.contains(said), "{ran}");
    }
    assert!(fs::read(lab.database()).expect("the store") == before);
    lab.write("lastgood.toml", &config);
    lab.start();
    assert_eq!(lab.data("new.example.com A"), ["192.0.2.1"]);
}

#[test]
fn the_ways_out_of_a_hold_taken_twice_or_while_frozen_do_no_harm() {
    let lab = Lab::demo();
    assert_eq!(lab.update(ADD), "NOERROR");
    let forced = ["--override", "min-members", "--reason", "INC-7"];
    let accept = [&["zone", "accept", ZONE][..], &forced].concat();
    let restore = ["snapshot", "restore", ZONE];
    let file = lab.path("served.zone").display().to_string();
    lab.write(
        "served.zone",
        &lab.cli(&["zone", "export", ZONE]).expect_ok(),
    );
    let import = ["zone", "import", ZONE, &file];
    let replace = [&import[..], &["--replace"]].concat();
    let hold = || {
        lab.sql(BROKEN);
        lab.until(ZONE, "holding");
    };

    hold();
    lab.cli(&["freeze", "--zone", ZONE, "--reason", "INC-6"])
        .expect_ok();
    for words in [&accept[..], &restore, &replace] {
        let ran = lab.cli(words);
        assert_eq!(ran.code, Some(1), "{words:?}: {ran}");
        assert!(ran.stderr.contains("thaw"), "{words:?}: {ran}");
    }
    assert_eq!(lab.state(ZONE), "holding");
    lab.cli(&["thaw", "--zone", ZONE]).expect_ok();

    // An import is judged against what is served, and not against what is broken.
    assert_eq!(lab.cli(&import).code, Some(1), "it is there");
    let less = lab.read("served.zone").replace("192.0.2.10", "192.0.2.11");
    lab.write("less.zone", &less);
    let less = lab.path("less.zone").display().to_string();
    let ran = lab.cli(&["zone", "import", ZONE, &less, "--replace"]);
    assert!(
        ran.code == Some(1) && ran.stderr.contains("min-members"),
        "{ran}"
    );
    assert_eq!(lab.state(ZONE), "holding");
    let serial = lab.serial("example.com");
    lab.cli(&replace).expect_ok();
    lab.until(ZONE, "live");
    assert!(lab.serial("example.com") > serial);

    hold();
    lab.cli(&restore).expect_ok();
    let again = lab.cli(&restore);
    assert_eq!(again.code, Some(1), "{again}");
    assert_eq!(lab.data("api.example.com A").len(), 2);

    hold();
    lab.cli(&accept).expect_ok();
    let serial = lab.serial("example.com");
    lab.cli(&accept).expect_ok();
    assert_eq!(
        lab.serial("example.com"),
        serial,
        "the second time is no change"
    );
    assert_eq!(lab.cli(&restore).code, Some(1), "it is too late for that");
    assert_eq!(lab.data("api.example.com A"), [""; 0]);
    lab.cli(&["verify"]).expect_ok();
}

#[test]
fn the_head_of_the_audit_is_in_the_log_and_proves_later_what_was_not_rewritten() {
    let serving = Serving::start(Lab::prepared_demo(), ZONE);
    let lab = serving.stop();
    let log = lab.read("stderr");
    let head = log
        .lines()
        .rev()
        .find_map(|line| line.split_once("lastgood verify --head "));
    let (_, head) = head.unwrap_or_else(|| panic!("a head in {log}"));
    let head = head.split(' ').next().expect("a word").to_owned();
    let serving = Serving::start(lab, ZONE);
    serving
        .lab
        .cli(&["freeze", "--reason", "a row more"])
        .expect_ok();
    let said = serving.lab.cli(&["verify", "--head", &head]).expect_ok();
    assert!(said.contains("nothing up to it was rewritten"), "{said}");
    let lab = serving.stop();
    lab.sql("DROP TRIGGER audit_update; UPDATE audit SET hash = zeroblob(32) WHERE id = 1;");
    assert_eq!(lab.cli(&["verify", "--head", &head]).code, Some(1));
}
