//! The command line: what each verb does, and that its JSON is JSON.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::harness::lab::{self, Lab};

#[test]
fn every_command_has_help_with_an_example() {
    let lab = Lab::prepared_demo();
    for words in [
        &["serve"][..],
        &["status"],
        &["zone", "list"],
        &["zone", "check"],
        &["zone", "import"],
        &["zone", "export"],
        &["why"],
        &["log"],
        &["diff"],
        &["verify"],
        &["backup"],
        &["freeze"],
        &["thaw"],
        &["key", "generate"],
    ] {
        let help = lab.cli(&[words, &["--help"]].concat()).expect_ok();
        let example = format!("lastgood {}", words.join(" "));
        let examples = help
            .split("Example")
            .nth(1)
            .unwrap_or_else(|| panic!("{words:?}: {help}"));
        let flat = examples.replace("--config zones/demo.toml ", "");
        assert!(flat.contains(&example), "{words:?}: {help}");
    }
    let help = lab.cli(&["--help"]).expect_ok();
    for verb in [
        "serve", "status", "zone", "why", "log", "freeze", "thaw", "key",
    ] {
        assert!(help.contains(verb), "{verb} in {help}");
    }
    assert_eq!(lab.cli(&["sreve"]).code, Some(2));
}

#[test]
fn whatever_prints_prints_json_when_asked() {
    let lab = Lab::demo();
    lab.write("x.zone", &(lab::apex("x.test.") + "www A 192.0.2.1\n"));
    let file = lab.path("x.zone").display().to_string();
    for words in [
        &["status"][..],
        &["zone", "list"],
        &["zone", "check", &file, "--origin", "x.test."],
        &["zone", "export", "example.com."],
        &["freeze", "--reason", "test"],
        &["thaw"],
        &["log"],
        &["diff", "example.com.", "0", "1"],
        &["verify"],
        &["key", "generate", "k."],
    ] {
        let ran = lab.cli(&[&["--json"], words].concat());
        assert!(ran.ok(), "{words:?}: {ran}");
        let value = ran.json();
        assert!(value.is_object() || value.is_array(), "{words:?}: {ran}");
        if words == ["thaw"] {
            lab.cli(&["freeze", "--reason", "again"]).expect_ok();
        }
        let after = lab.cli(&[words, &["--json"]].concat());
        assert!(after.ok(), "after the verb as well: {words:?}: {after}");
        after.json();
    }
}

#[test]
fn without_a_server_a_command_that_needs_one_says_so() {
    let lab = Lab::prepared_demo();
    let ran = lab.cli(&["status"]);
    assert_eq!(ran.code, Some(2), "{ran}");
    assert!(ran.stderr.contains("demo.sock"), "{ran}");
}

#[test]
fn the_control_socket_is_for_its_owner_alone() {
    let lab = Lab::demo();
    let mode = fs::metadata(lab.path("data/demo.sock"))
        .expect("the socket")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn the_zones_are_listed() {
    let lab = Lab::demo();
    let text = lab.cli(&["zone", "list"]).expect_ok();
    for word in ["example.com.", "2.0.192.in-addr.arpa.", "2026070101"] {
        assert!(text.contains(word), "{word} in {text}");
    }
}

#[test]
fn a_zone_file_is_checked_with_line_and_reason() {
    let lab = Lab::prepared_demo();
    let check = |text: &str| {
        lab.write("c.zone", text);
        let file = lab.path("c.zone").display().to_string();
        lab.cli(&["zone", "check", &file, "--origin", "c.test."])
    };
    let apex = lab::apex("c.test.");
    let good = check(&(apex.clone() + "$GENERATE 1-3 host$ A 192.0.2.$\nwww CNAME host1\n"));
    assert!(good.ok(), "{good}");
    for (flaw, word) in [
        ("www A 192.0.2.300\n", "6"),
        ("www A\n", "6"),
        ("www CNAME host\nwww A 192.0.2.1\n", "CNAME"),
        ("www.c.test.c.test A\n", "6"),
    ] {
        let ran = check(&(apex.clone() + flaw));
        assert_eq!(ran.code, Some(1), "{flaw}: {ran}");
        assert!(ran.both().contains(word), "{flaw}: {ran}");
    }
    let ran = check("$ORIGIN c.test.\nwww 60 A 192.0.2.1\n");
    assert_eq!(ran.code, Some(1), "{ran}");
    assert!(ran.both().contains("SOA"), "{ran}");
    let ran = lab.cli(&["zone", "check", "/nowhere.zone", "--origin", "c.test."]);
    assert_eq!(ran.code, Some(2), "{ran}");
    for name in ["example.com", "2.0.192.in-addr.arpa"] {
        let file = lab.path(&format!("{name}.zone")).display().to_string();
        let ran = lab.cli(&["zone", "check", &file, "--origin", &format!("{name}.")]);
        assert!(ran.ok(), "{ran}");
    }
}

#[test]
fn an_export_imported_again_is_no_change() {
    let lab = Lab::demo();
    for zone in ["example.com.", "2.0.192.in-addr.arpa."] {
        let exported = lab.cli(&["zone", "export", zone]).expect_ok();
        lab.write("again.zone", &exported);
        let file = lab.path("again.zone").display().to_string();
        let serial = lab.serial(zone);
        let ran = lab.cli(&["zone", "import", zone, &file, "--replace"]);
        assert!(ran.ok(), "{ran}");
        assert_eq!(lab.serial(zone), serial, "{ran}");
        assert_eq!(lab.cli(&["zone", "export", zone]).expect_ok(), exported);
    }
}

#[test]
fn an_import_passes_the_guards_and_can_be_overridden_with_a_reason() {
    let lab = Lab::demo();
    let exported = lab.cli(&["zone", "export", "example.com."]).expect_ok();
    let without: String = exported
        .lines()
        .filter(|line| !line.starts_with("api.example.com.") && !line.starts_with("api\t"))
        .filter(|line| !line.starts_with("api "))
        .map(|line| format!("{line}\n"))
        .collect();
    assert_ne!(
        without, exported,
        "the export names its owners at the line's start: {exported}"
    );
    lab.write("without.zone", &without);
    let file = lab.path("without.zone").display().to_string();
    let words = ["zone", "import", "example.com.", &file];
    let ran = lab.cli(&words);
    assert_eq!(
        ran.code,
        Some(1),
        "an import over a zone needs --replace: {ran}"
    );
    let replace = [&words[..], &["--replace"]].concat();
    let ran = lab.cli(&replace);
    assert_eq!(ran.code, Some(1), "{ran}");
    assert!(ran.stderr.contains("min-members"), "{ran}");
    assert_eq!(lab.data("api.example.com A").len(), 2);
    let forced = [
        &replace[..],
        &["--override", "min-members", "--reason", "the service ends"],
    ]
    .concat();
    let ran = lab.cli(&forced);
    assert!(ran.ok(), "{ran}");
    assert_eq!(lab.dig("api.example.com A").status, "NXDOMAIN");
    assert!(
        lab.cli(&["--json", "log"])
            .expect_ok()
            .contains("the service ends")
    );
}

#[test]
fn a_new_zone_is_served_as_soon_as_it_is_imported() {
    let lab = Lab::demo();
    lab.write("new.zone", &(lab::apex("new.test.") + "www A 192.0.2.1\n"));
    let file = lab.path("new.zone").display().to_string();
    assert_eq!(lab.dig("www.new.test A").status, "REFUSED");
    lab.cli(&["zone", "import", "new.test.", &file]).expect_ok();
    assert_eq!(lab.data("www.new.test A"), ["192.0.2.1"]);
    assert_eq!(lab.state("new.test."), "live");
}

#[test]
fn a_generated_key_is_what_nsupdate_and_the_configuration_take() {
    let mut lab = Lab::prepared_demo();
    let stanza = lab.cli(&["key", "generate", "fresh."]).expect_ok();
    let secret = stanza
        .split("secret \"")
        .nth(1)
        .and_then(|rest| rest.split('"').next());
    let secret = secret.expect("a secret");
    lab.write("fresh.key", &stanza);
    fs::set_permissions(lab.path("fresh.key"), fs::Permissions::from_mode(0o600)).expect("ours");
    let config = lab.read("lastgood.toml")
        + "\n[[key]]\nname = \"fresh.\"\nalgorithm = \"hmac-sha256\"\nsecret_file = \"fresh.key\"\n\
           allow = [{ zone = \"example.com.\", names = [\"fresh\"] }]\n";
    lab.write("lastgood.toml", &config);
    lab.start();
    let file = lab.path("fresh.key").display().to_string();
    let script = "zone example.com\nupdate add fresh.example.com. 60 A 192.0.2.1";
    assert_eq!(lab.nsupdate(&["-k", &file], script), "NOERROR");
    assert_eq!(lab.data("fresh.example.com A"), ["192.0.2.1"]);
    let other = lab.cli(&["key", "generate", "fresh."]).expect_ok();
    assert!(!other.contains(secret), "never twice the same");
}

#[test]
fn serve_prints_what_it_serves_and_what_to_type_next() {
    // Another port than the demo's, otherwise as the README's first command.
    let lab = Lab::prepared_demo();
    let mut child = lab
        .command(&["serve"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("the program starts");
    let out = child.stdout.take().expect("piped");
    let mut screen = String::new();
    for line in std::io::BufRead::lines(std::io::BufReader::new(out)) {
        let line = line.expect("text");
        screen += &line;
        screen.push('\n');
        if screen.contains("dig") && screen.contains("nsupdate") && screen.contains("send") {
            break;
        }
    }
    child.kill().expect("our own child");
    child.wait().expect("our own child");
    for word in [
        "example.com.",
        "2.0.192.in-addr.arpa.",
        "127.0.0.1",
        "hmac-sha256:demo",
    ] {
        assert!(screen.contains(word), "{word} in:\n{screen}");
    }
}
