//! The command line where a zone holds, where no server runs, and what `--json` prints.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::harness::lab::{self, Lab, PUBLIC_SECRET};
use crate::harness::library::{self, Transport};
use crate::harness::programs::{self, Ran};

const FORCED: [&str; 4] = ["--override", "min-members", "--reason", "INC-421"];

/// Deletes what is protected, behind the server's back.
fn break_by_hand(lab: &Lab) {
    lab.sql("DELETE FROM record WHERE owner = 'api.example.com.' AND type = 'A';");
    lab.until("example.com.", "holding");
}

fn forced(lab: &Lab, words: &[&str]) -> Ran {
    lab.cli(&[words, &FORCED].concat())
}

#[test]
fn every_new_command_has_help_with_an_example() {
    let lab = Lab::prepared_demo();
    for words in [
        &["reload"][..],
        &["zone", "remove"],
        &["zone", "accept"],
        &["snapshot", "show"],
        &["snapshot", "export"],
        &["snapshot", "restore"],
    ] {
        let help = lab.cli(&[words, &["--help"]].concat()).expect_ok();
        let example = format!("Example:\n  lastgood {}", words.join(" "));
        assert!(help.contains(&example), "{words:?}: {help}");
    }
}

#[test]
fn live_data_that_were_refused_are_accepted_with_a_reason() {
    let lab = Lab::demo();
    break_by_hand(&lab);
    let ran = lab.cli(&["zone", "accept", "example.com."]);
    assert_eq!(ran.code, Some(1), "{ran}");
    assert!(ran.stderr.contains("min-members"), "{ran}");
    assert!(
        !ran.stderr.contains("message"),
        "rows are no messages: {ran}"
    );
    assert_eq!(lab.data("api.example.com A").len(), 2);
    let ran = forced(&lab, &["zone", "accept", "example.com."]);
    assert!(ran.ok(), "{ran}");
    lab.until("example.com.", "live");
    assert_eq!(lab.data("api.example.com A"), [""; 0]);
    assert!(lab.cli(&["log"]).expect_ok().contains("cli "));
}

#[test]
fn live_data_are_rebuilt_from_what_is_served() {
    let lab = Lab::demo();
    let ran = lab.cli(&["snapshot", "restore", "example.com."]);
    assert_eq!(ran.code, Some(1), "it does not hold: {ran}");
    break_by_hand(&lab);
    let serial = lab.serial("example.com");
    let said = lab.cli(&["snapshot", "restore", "--all"]).expect_ok();
    assert!(said.starts_with("example.com.: "), "{said}");
    lab.until("example.com.", "live");
    assert_eq!(lab.data("api.example.com A").len(), 2);
    assert!(lab.serial("example.com") > serial);
    let count = "SELECT count(*) FROM record WHERE owner = 'api.example.com.' AND type = 'A';";
    assert_eq!(lab.sql(count).trim(), "2");
    let said = lab.cli(&["snapshot", "restore", "--all"]).expect_ok();
    assert_eq!(said, "no zone holds\n");
}

#[test]
fn a_zone_is_removed_only_with_an_override_while_it_is_protected() {
    let mut lab = Lab::demo();
    let ran = lab.cli(&["zone", "remove", "example.com."]);
    assert_eq!(ran.code, Some(1), "{ran}");
    assert_eq!(lab.data("api.example.com A").len(), 2);
    let ran = forced(&lab, &["zone", "remove", "example.com."]);
    assert!(ran.ok(), "{ran}");
    assert!(ran.stderr.contains("has a stanza in"), "{ran}");
    assert_eq!(lab.dig("api.example.com A").status, "REFUSED");
    let ran = lab.cli(&["zone", "remove", "example.com."]);
    assert_eq!(ran.code, Some(1), "it is gone: {ran}");
    lab.restart();
    assert_eq!(lab.data("api.example.com A").len(), 2, "as was said");
}

#[test]
fn the_snapshot_is_shown_and_printed_with_and_without_a_server() {
    let mut lab = Lab::demo();
    lab.settle("example.com.");
    let shown = |lab: &Lab| {
        let value = lab.cli(&["--json", "snapshot", "show"]).json();
        assert_eq!(value["trouble"], Value::Null, "{value}");
        value["zones"].clone()
    };
    let served = lab.cli(&["zone", "export", "example.com."]).expect_ok();
    let export = ["snapshot", "export", "example.com."];
    assert_eq!(lab.cli(&export).expect_ok(), served);
    let with = shown(&lab);
    assert_eq!(with.as_array().map(Vec::len), Some(2), "{with}");
    lab.stop();
    assert_eq!(shown(&lab), with);
    assert_eq!(lab.cli(&export).expect_ok(), served);
    let ran = lab.cli(&["snapshot", "export", "nowhere.test."]);
    assert_eq!(ran.code, Some(1), "{ran}");

    // What does not add up is not printed.
    let file = lab.snapshot();
    lab.sql_in(
        &file,
        "DELETE FROM node WHERE key = (SELECT max(key) FROM node);",
    );
    let rans = [
        lab.cli(&["snapshot", "show"]),
        lab.cli(&export),
        lab.cli(&["snapshot", "export", "2.0.192.in-addr.arpa."]),
    ];
    assert_eq!(rans[0].code, Some(1), "{}", rans[0]);
    assert!(rans[1..].iter().any(|ran| ran.code == Some(2)), "{rans:?}");
    fs::remove_file(&file).expect("ours");
    assert_eq!(lab.cli(&["snapshot", "show"]).code, Some(2));
}

#[test]
fn without_a_server_changes_are_made_by_the_same_rules() {
    let mut lab = Lab::prepared_demo();
    let import = |lab: &Lab, zone: &str| {
        let file = lab.path(&format!("{zone}zone")).display().to_string();
        lab.cli(&["zone", "import", zone, &file])
    };
    let ran = lab.cli(&["freeze"]);
    assert_eq!(ran.code, Some(2), "there is nothing to freeze yet: {ran}");
    import(&lab, "example.com.").expect_ok();
    assert!(!lab.path("data/demo.sock").exists());
    assert_eq!(import(&lab, "example.com.").code, Some(1), "it is there");
    let listed = lab.cli(&["zone", "list"]).expect_ok();
    assert!(
        listed.contains("example.com.") && !listed.contains("arpa"),
        "{listed}"
    );

    lab.cli(&["freeze", "--zone", "example.com.", "--reason", "INC-7"])
        .expect_ok();
    let ran = forced(&lab, &["zone", "remove", "example.com."]);
    assert_eq!(ran.code, Some(1), "it is frozen: {ran}");
    assert!(ran.stderr.contains("INC-7"), "{ran}");
    lab.start();
    let script = "zone example.com\nupdate add n.example.com. 60 A 192.0.2.1";
    assert_eq!(lab.update(script), "REFUSED");
    lab.stop();
    lab.cli(&["thaw", "--zone", "example.com."]).expect_ok();
    assert_eq!(lab.cli(&["thaw", "--zone", "example.com."]).code, Some(1));
    lab.start();
    assert_eq!(lab.update(script), "NOERROR");
    lab.stop();

    lab.sql("DELETE FROM record WHERE owner = 'api.example.com.' AND type = 'A';");
    let restored = lab.cli(&["snapshot", "restore", "--all"]);
    assert!(
        restored.ok() && restored.stdout.contains("example.com."),
        "{restored}"
    );
    lab.sql("DELETE FROM record WHERE owner = 'api.example.com.' AND type = 'A';");
    assert_eq!(lab.cli(&["zone", "accept", "example.com."]).code, Some(1));
    let ran = forced(&lab, &["zone", "accept", "example.com."]);
    assert!(ran.ok(), "{ran}");
    let log = lab.cli(&["log"]).expect_ok();
    assert!(log.contains("cli "), "{log}");
    lab.start();
    assert_eq!(lab.data("api.example.com A"), [""; 0]);
    assert_eq!(lab.data("n.example.com A"), ["192.0.2.1"]);
}

#[test]
fn a_store_that_is_lost_is_made_anew_without_a_server() {
    let mut lab = Lab::demo();
    lab.settle("example.com.");
    lab.stop();
    fs::remove_file(lab.database()).expect("ours");
    let ran = lab.cli(&["snapshot", "restore", "--all"]);
    assert!(ran.ok(), "{ran}");
    lab.start();
    assert_eq!(lab.state("example.com."), "live");
    assert_eq!(lab.data("api.example.com A").len(), 2);
}

#[test]
fn what_is_not_frozen_cannot_be_thawed() {
    let lab = Lab::demo();
    for (words, told) in [
        (&["thaw"][..], "the server is not frozen"),
        (
            &["thaw", "--zone", "example.com."],
            "zone example.com. is not frozen",
        ),
        (&["thaw", "--key", "demo."], "key demo. is not frozen"),
    ] {
        let ran = lab.cli(words);
        assert_eq!(ran.code, Some(1), "{ran}");
        assert!(ran.stderr.contains(told), "{ran}");
    }
    lab.cli(&["freeze", "--key", "demo."]).expect_ok();
    lab.cli(&["thaw", "--key", "Demo."]).expect_ok();
}

#[test]
fn after_a_restart_the_last_refusal_is_told_still() {
    let mut lab = Lab::demo();
    assert_eq!(
        lab.update("zone example.com\nupdate delete api.example.com. A"),
        "REFUSED"
    );
    let refused = lab.status("example.com.")["last_refusal"].clone();
    let script =
        "zone 2.0.192.in-addr.arpa\nupdate add 9.2.0.192.in-addr.arpa. 60 PTR a.example.com.";
    assert_eq!(lab.update(script), "NOERROR");
    let updated = lab.status("2.0.192.in-addr.arpa.")["last_update"].clone();
    lab.restart();
    assert_eq!(lab.status("example.com.")["last_refusal"], refused);
    assert_eq!(lab.status("2.0.192.in-addr.arpa.")["last_update"], updated);
    let reply = lab.dig(&format!(
        "-y hmac-sha256:demo:{PUBLIC_SECRET} CH TXT last-refusal.demo.lastgood."
    ));
    let reference = refused["reference"].as_str().expect("a reference");
    assert!(reply.text.contains(reference), "{}", reply.text);
}

#[test]
fn a_reader_of_the_log_that_hangs_stops_nobody() {
    let lab = Lab::prepared_demo();
    let at = std::net::SocketAddr::from(([127, 0, 0, 1], lab.port));
    let mut child = lab
        .command(&["--json", "serve"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    // Nobody ever reads it, and it holds one page.
    let log = child.stderr.take().expect("piped");
    let size = nix::fcntl::FcntlArg::F_SETPIPE_SZ(4096);
    nix::fcntl::fcntl(&log, size).expect("the pipe is ours");
    let mut said = BufReader::new(child.stdout.take().expect("piped"));
    let mut first = String::new();
    said.read_line(&mut first).expect("it says that it serves");
    for number in 0..80 {
        let update = library::update("example.com.", library::demo_key(), false, |section| {
            section.add_a(&format!("unread{number}.example.com."), [192, 0, 2, 1]);
        });
        let response = update.send(at, Transport::Udp);
        assert_eq!(
            response.metadata.response_code,
            hickory_proto::op::ResponseCode::NoError,
            "update {number}"
        );
    }
    let line = format!("kill -TERM {}", child.id());
    programs::run(Command::new("sh").args(["-c", &line]), "").expect_ok();
    let ended = programs::wait(&mut child, Duration::from_secs(20)).expect("it ends in time");
    assert_eq!(ended.code(), Some(0));
    drop(log);
}

#[test]
fn only_what_came_over_dns_has_an_answer() {
    let lab = Lab::demo();
    break_by_hand(&lab);
    let refusal = lab.status("example.com.")["last_refusal"].clone();
    let reference = refusal["reference"].as_str().expect("a reference");
    let text = lab.cli(&["why", reference]).expect_ok();
    assert!(
        text.contains("edit by hand") && !text.contains("answer"),
        "{text}"
    );
    assert!(!text.contains("in one message"), "{text}");
}

/// The fields of a value, such as `zones[].zone`.
fn fields(value: &Value, path: &str, into: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                // Their keys are the rules that refused something, or would have.
                let key = match path {
                    "server.refusals" | "server.observed" => "RULE",
                    _ => key,
                };
                let dot = if path.is_empty() { "" } else { "." };
                fields(value, &format!("{path}{dot}{key}"), into);
            }
        }
        Value::Array(items) => {
            if items.is_empty() {
                into.insert(format!("{path}[]"));
            }
            for item in items {
                fields(item, &format!("{path}[]"), into);
            }
        }
        _ => {
            into.insert(path.to_owned());
        }
    }
}

pub fn printed_fields(value: &Value) -> BTreeSet<String> {
    let mut printed = BTreeSet::new();
    fields(value, "", &mut printed);
    printed
}

/// What `docs/json.md` lists, by command.
pub fn documented() -> BTreeMap<String, BTreeSet<String>> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/json.md");
    let page = fs::read_to_string(page).expect("docs/json.md");
    let mut commands = BTreeMap::new();
    for section in page.split("\n## ").skip(1) {
        let (title, text) = section.split_once('\n').expect("a section has a text");
        let rows = text.lines().filter_map(|line| line.strip_prefix("| `"));
        let fields: BTreeSet<String> = rows
            .filter_map(|row| Some(row.split_once('`')?.0.to_owned()))
            .collect();
        for command in title.split(", ") {
            commands.insert(command.to_owned(), fields.clone());
        }
    }
    let why = &commands["why"];
    let log = why.iter().map(|field| format!("[].{field}")).collect();
    commands.insert("log".to_owned(), log);
    commands
}

/// Runs commands, and keeps which fields each of them printed.
struct Printed<'a> {
    lab: &'a Lab,
    by_command: BTreeMap<String, BTreeSet<String>>,
}

impl Printed<'_> {
    /// The command is the first `verbs` words.
    #[track_caller]
    fn run(&mut self, verbs: usize, words: &[&str]) -> Value {
        let ran = self.lab.cli(&[&["--json"], words].concat());
        let value = ran.json();
        let seen = self.by_command.entry(words[..verbs].join(" ")).or_default();
        fields(&value, "", seen);
        value
    }
}

#[test]
fn what_json_prints_is_documented_field_by_field() {
    let lab = Lab::demo();
    // Longer than a week, which is observed.
    let script = "zone example.com\nupdate add n.example.com. 700000 A 192.0.2.1";
    assert_eq!(lab.update(script), "NOERROR");
    assert_eq!(
        lab.update("zone example.com\nupdate delete api.example.com. A"),
        "REFUSED"
    );
    lab.write(
        "broken.zone",
        &(lab::apex("b.test.") + "www A 192.0.2.300\n"),
    );
    let broken = lab.path("broken.zone").display().to_string();
    lab.write(
        "new.zone",
        &(lab::apex("new.test.") + "www A 192.0.2.1\nwww 0 TXT x\n"),
    );
    let new = lab.path("new.zone").display().to_string();
    let mut printed = Printed {
        lab: &lab,
        by_command: BTreeMap::new(),
    };
    let p = &mut printed;
    p.run(2, &["zone", "check", &broken, "--origin", "b.test."]);
    p.run(2, &["zone", "check", &new, "--origin", "new.test."]);
    p.run(2, &["zone", "export", "example.com."]);
    lab.settle("example.com.");
    p.run(2, &["snapshot", "export", "example.com."]);
    p.run(2, &["snapshot", "show"]);
    p.run(2, &["key", "generate", "k."]);
    p.run(2, &["zone", "import", "new.test.", &new]);
    p.run(2, &["zone", "import", "new.test.", &new]);
    p.run(1, &["freeze", "--reason", "x"]);
    p.run(1, &["status"]);
    let verified = p.run(1, &["verify"]);
    p.run(
        1,
        &[
            "verify",
            "--head",
            verified["head"].as_str().expect("a hash"),
        ],
    );
    p.run(1, &["diff", "example.com.", "1", "2"]);
    let copy = lab.path("copy.db").display().to_string();
    p.run(1, &["backup", &copy]);
    p.run(2, &["zone", "list"]);
    p.run(1, &["thaw"]);
    p.run(2, &["snapshot", "restore", "example.com.", "nowhere.test."]);
    break_by_hand(&lab);
    p.run(2, &["snapshot", "restore", "example.com."]);
    p.run(2, &["zone", "remove", "nowhere.test."]);
    let remove = [&["zone", "remove", "2.0.192.in-addr.arpa."][..], &FORCED].concat();
    let removed = p.run(2, &remove);
    p.run(2, &["zone", "accept", "example.com."]);
    for row in p.run(1, &["log"]).as_array().expect("rows") {
        p.run(1, &["why", row["reference"].as_str().expect("a reference")]);
    }
    assert_eq!(removed["outcome"], "committed", "{removed}");
    let config = lab.read("lastgood.toml");
    p.run(1, &["reload"]);
    lab.write(
        "lastgood.toml",
        &config.replace("min_members = 2", "min_members = 1"),
    );
    p.run(1, &["reload"]);
    let with_b = "[[zone]]\nname = \"b.test.\"\nfile = \"broken.zone\"\n";
    let (head, _) = config.split_once("[[zone]]").expect("zones");
    let other = head.replace("udp_threads = 2", "udp_threads = 3") + with_b;
    lab.write("lastgood.toml", &other);
    p.run(1, &["reload"]);
    p.run(1, &["reload", "--weaker"]);
    let many = config.replace("min_members = 2", "min_members = 9") + with_b;
    lab.write("lastgood.toml", &many);
    p.run(1, &["reload"]);
    lab.write("lastgood.toml", "nonsense");
    p.run(1, &["reload"]);
    compare(&printed.by_command);
}

fn compare(printed: &BTreeMap<String, BTreeSet<String>>) {
    // Their outcomes are those of all changes; no one command has every one of them.
    const CHANGES: [&str; 5] = [
        "zone import",
        "zone remove",
        "zone accept",
        "freeze",
        "thaw",
    ];
    let documented = documented();
    let mut wrong = Vec::new();
    for command in documented.keys() {
        // That one has its own test, in `operating`.
        if command != "serve" && !printed.contains_key(command) {
            wrong.push(format!("{command} was not run"));
        }
    }
    for (command, seen) in printed {
        let Some(known) = documented.get(command) else {
            wrong.push(format!("{command} is not in docs/json.md"));
            continue;
        };
        // `null` may stand in the place of an object or an array.
        let is_known = |field: &str| {
            let mut inside = known.iter().filter_map(|known| known.strip_prefix(field));
            inside.any(|inside| inside.is_empty() || inside.starts_with(['.', '[']))
        };
        let unknown = seen.iter().filter(|field| !is_known(field));
        wrong.extend(unknown.map(|field| format!("{command}: `{field}` is not documented")));
        if CHANGES.contains(&command.as_str()) {
            continue;
        }
        let unseen = known.difference(seen);
        wrong.extend(unseen.map(|field| format!("{command}: `{field}` is not printed")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
