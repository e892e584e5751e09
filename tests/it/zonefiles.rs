//! Zone files: what is wrong with each flawed one, and whether BIND, Knot DNS and NSD make the same
//! of what we export as of what we were given.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use lastgood::rr::{Name, Record, rdata};
use lastgood::server::read_zone_file;

use crate::harness::eventually;
use crate::harness::lab::{Lab, apex, head};
use crate::harness::ports;
use crate::harness::programs::{self, Ran};

fn tests(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests")
        .join(name)
}

/// `zone check`, which needs neither server nor configuration.
fn zone_check(file: &Path) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lastgood"));
    command.args(["--json", "zone", "check"]).arg(file);
    command.args(["--origin", "example.com."]);
    programs::run(&mut command, "")
}

/// All that is wrong, each as a line of the flawed files tells it: `severity check owner data`, or
/// `unread [file] line N column N reason`.
fn told(checked: &Ran) -> BTreeSet<String> {
    let found = checked.json();
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let problems = found["problems"].as_array().expect("a list");
    let unread = problems.iter().map(|problem| {
        let file = problem["file"].as_str().map(|file| format!("{file} "));
        format!(
            "unread {}line {} column {} {}",
            file.unwrap_or_default(),
            problem["line"],
            problem["column"],
            text(&problem["reason"]).replace(&tests("flaws").display().to_string(), "FOLDER")
        )
    });
    let findings = found["findings"].as_array().expect("a list");
    let findings = findings.iter().map(|finding| {
        let owner = text(&finding["owner"]);
        let owner = match owner.strip_suffix("example.com.") {
            Some("") => "@",
            Some(relative) => relative.trim_end_matches('.'),
            None => &owner,
        };
        let (severity, check) = (text(&finding["severity"]), text(&finding["check"]));
        let line = format!("{severity} {check} {owner} {}", text(&finding["data"]));
        line.trim_end().to_owned()
    });
    unread.chain(findings).collect()
}

fn zones_of(folder: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(tests(folder)).expect("a folder of zone files");
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|end| end == "zone"))
        .collect();
    files.sort();
    files
}

#[test]
fn every_flaw_is_named_and_no_other_is_seen() {
    let mut wrong = Vec::new();
    for file in zones_of("flaws") {
        let text = fs::read_to_string(&file).expect("a zone file");
        let expected: BTreeSet<String> = text
            .lines()
            .filter_map(|line| line.strip_prefix("; expects: "))
            .map(str::to_owned)
            .collect();
        assert!(!expected.is_empty(), "{} expects nothing", file.display());
        let checked = zone_check(&file);
        let told = told(&checked);
        if told != expected {
            wrong.push(format!(
                "{}\n  not told: {:#?}\n  told: {:#?}",
                file.display(),
                expected.difference(&told).collect::<Vec<_>>(),
                told.difference(&expected).collect::<Vec<_>>()
            ));
        }
        let is_unfit = expected
            .iter()
            .any(|line| line.starts_with("unread") || line.starts_with("fatal"));
        assert_eq!(
            checked.code,
            Some(i32::from(is_unfit)),
            "{}",
            file.display()
        );
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What a zone file alone can show of the checks that there are; `rdata-malformed` and the size of
/// a zone are for rows and configurations.
#[test]
fn every_check_has_a_flawed_zone() {
    let mut checks = BTreeSet::new();
    for entry in fs::read_dir(tests("../src/check")).expect("the room") {
        let path = entry.expect("an entry").path();
        if path.is_file() {
            let text = fs::read_to_string(&path).expect("a source");
            // Checks are the only words in quotes there that have hyphens within.
            checks.extend(
                text.split('"')
                    .skip(1)
                    .step_by(2)
                    .filter(|word| {
                        word.trim_matches('-').contains('-')
                            && word.chars().all(|c| c.is_ascii_lowercase() || c == '-')
                    })
                    .map(str::to_owned),
            );
        }
    }
    assert!(checks.len() > 30, "{checks:?}");
    let flawed: String = zones_of("flaws")
        .iter()
        .map(|file| fs::read_to_string(file).expect("a zone file"))
        .collect();
    let is_shown = |check: &String| flawed.contains(&format!(" {check} "));
    let missing: Vec<&String> = checks.iter().filter(|check| !is_shown(check)).collect();
    let only_rows = ["rdata-malformed", "zone-records"];
    // What is wrong with service bindings is one check.
    let part_of_svcb = "alias-beside-services";
    // A zone is never too wide for a check; what changes in it may be.
    let of_changes = "change-too-wide";
    assert_eq!(
        missing,
        [part_of_svcb, of_changes, only_rows[0], only_rows[1]]
    );
}

#[test]
fn a_zone_file_with_an_unreadable_line_is_not_imported_by_halves() {
    let config = head() + "[[zone]]\nname = \"example.com.\"\n";
    let lab = Lab::of(&config, &[]);
    let flaw = tests("flaws/included-file-in-error.zone");
    let ran = lab.cli(&[
        "zone",
        "import",
        "example.com.",
        &flaw.display().to_string(),
    ]);
    assert_eq!(ran.code, Some(1), "{ran}");
    assert!(
        ran.stderr
            .contains("include/flawed.part:2:7: A data: expected an IPv4 address"),
        "{ran}"
    );
    assert_eq!(lab.sql("SELECT count(*) FROM record").trim(), "0");
}

/// A server that has the file's zone, and the zone as it exports it.
fn exported(file: &Path) -> (Lab, String) {
    let config = head() + "[[zone]]\nname = \"example.com.\"\nfile = \"example.com.zone\"\n";
    let text = fs::read_to_string(file).expect("a zone file");
    let lab = Lab::of(&config, &[("example.com.zone", &text)]);
    let export = lab.cli(&["zone", "export", "example.com."]).expect_ok();
    lab.write("export.zone", &export);
    (lab, export)
}

/// The zone as BIND compiles it, one record a line, in canonical order.
fn named_compiled(file: &Path) -> String {
    let mut command = Command::new("named-compilezone");
    command.args([
        "-i",
        "none",
        "-k",
        "ignore",
        "-F",
        "text",
        "-s",
        "full",
        "-o",
        "-",
        "example.com",
    ]);
    let ran = programs::run(command.arg(file), "");
    let compiled = ran.expect_ok();
    assert!(compiled.lines().count() > 10, "{compiled}");
    compiled
}

/// The zone as NSD compiles it, one record a line, sorted: within an RRset it keeps the file's order.
fn nsd_compiled(file: &Path) -> Vec<String> {
    let mut command = Command::new("nsd-checkzone");
    let compiled = programs::run(command.args(["-p", "example.com"]).arg(file), "").expect_ok();
    let one_line = compiled.replace("(\n", "");
    let (mut origin, mut owner) = ("", "");
    let mut records = Vec::new();
    for line in one_line.lines() {
        if let Some(name) = line.strip_prefix("$ORIGIN ") {
            origin = name;
        } else if let Some((first, rest)) = line.split_once('\t') {
            owner = if first.is_empty() { owner } else { first };
            records.push(format!("{owner}.{origin}\t{rest}"));
        }
    }
    records.sort();
    assert!(records.len() > 10, "{compiled}");
    records
}

/// The zone as Knot DNS transfers it, sorted.
fn knot_transferred(lab: &Lab, file: &Path) -> Vec<String> {
    let port = ports::free();
    let folder = lab.path(&format!("knot-{port}"));
    fs::create_dir(&folder).expect("a folder");
    let at = folder.display();
    lab.write(
        &format!("knot-{port}/knot.conf"),
        &format!(
            "server:\n  rundir: {at}\n  listen: 127.0.0.1@{port}\n  tcp-workers: 1\n  udp-workers: 1\n\
             \x20 background-workers: 1\n\
             database:\n  storage: {at}\nacl:\n  - id: all\n    address: 127.0.0.1\n    action: transfer\n\
             template:\n  - id: default\n    storage: {at}\n    journal-content: none\n\
             zone:\n  - domain: example.com\n    file: {}\n    acl: all\n",
            file.display()
        ),
    );
    let mut command = Command::new("knotd");
    let mut knot = command
        .args(["-c", &format!("{at}/knot.conf")])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("knotd (tests/run installs it)");
    let transfer = || {
        let mut command = Command::new("kdig");
        command.args(["@127.0.0.1", "-p", &port.to_string(), "example.com", "AXFR"]);
        command.args(["+noall", "+answer", "+generic", "+timeout=2"]);
        let ran = programs::run(&mut command, "");
        match ran.ok() && ran.stdout.lines().count() > 10 {
            true => Ok(ran.stdout),
            false => Err(ran.both()),
        }
    };
    let text = eventually("knotd transfers the zone", transfer);
    knot.kill().expect("our own child");
    knot.wait().expect("our own child");
    let mut records: Vec<String> = text.lines().map(str::to_owned).collect();
    records.sort();
    records
}

fn knot_loads(file: &Path) -> Ran {
    let mut command = Command::new("kzonecheck");
    programs::run(command.args(["-o", "example.com"]).arg(file), "")
}

#[test]
fn our_export_compiles_to_what_the_original_compiles_to() {
    for name in ["every-type.zone", "seldom-read.zone"] {
        let original = tests("zonefiles").join(name);
        let (lab, export) = exported(&original);
        let ours = lab.path("export.zone");
        assert_eq!(named_compiled(&ours), named_compiled(&original), "{name}");
        // What they do not read of the original, they read of ours.
        knot_loads(&ours).expect_ok();
        let theirs = nsd_compiled(&ours);
        if name == "every-type.zone" {
            knot_loads(&original).expect_ok();
            assert_eq!(theirs, nsd_compiled(&original), "{name}");
            let knot = |file| knot_transferred(&lab, file);
            assert_eq!(knot(&ours), knot(&original), "{name}");
        }
        // And the export of the export is the export.
        lab.cli(&[
            "zone",
            "import",
            "example.com.",
            "--replace",
            &ours.display().to_string(),
        ])
        .expect_ok();
        assert_eq!(
            lab.cli(&["zone", "export", "example.com."]).expect_ok(),
            export,
            "{name}"
        );
    }
}

/// A zone with no record but its apex, and a key that may do everything.
fn empty_zone() -> Lab {
    let config = head() + "[[zone]]\nname = \"example.com.\"\nfile = \"example.com.zone\"\n";
    Lab::of(&config, &[("example.com.zone", &apex("example.com."))])
}

/// Records of every type, those of the apex left out.
fn every_record() -> Vec<Record> {
    let origin: Name = "example.com.".parse().expect("a name");
    let mut records = Vec::new();
    for name in ["every-type.zone", "seldom-read.zone"] {
        let file = tests("zonefiles").join(name);
        let parsed = read_zone_file(&file, &origin).expect("a file");
        assert_eq!(parsed.problems, [], "{name}");
        records.extend(
            parsed
                .records
                .into_iter()
                .filter(|record| record.owner != origin),
        );
    }
    assert!(records.len() > 80, "{}", records.len());
    records
}

#[test]
fn records_of_every_type_go_in_by_update_and_out_by_query() {
    let lab = empty_zone();
    let records = every_record();
    // Delegations would hide what is below them; a type that nsupdate does not read, it reads so.
    let generic = |record: &Record| {
        let data = rdata::generic_text(&record.rdata);
        format!(
            "{} {} TYPE{} {data}",
            record.owner, record.ttl, record.rtype.0
        )
    };
    let script = records.iter().fold(
        "check-names no\nzone example.com\n".to_owned(),
        |script, record| script + "update add " + &generic(record) + "\n",
    );
    assert_eq!(lab.update(&script), "NOERROR");
    let mut asked = BTreeSet::new();
    for record in &records {
        let question = format!("-q {} -t TYPE{}", record.owner, record.rtype.0);
        let is_hidden = record.owner.to_string().contains("child.types");
        if is_hidden || record.owner.is_wildcard() || !asked.insert(question.clone()) {
            continue;
        }
        // dig's words for the data, read again; it knows all these types.
        let reply = lab.dig(&question);
        let mut told: Vec<Box<[u8]>> = Vec::new();
        for line in reply.text.lines().filter(|line| !line.starts_with(';')) {
            let mut words = line.split_whitespace();
            let Some(rtype) = words.nth(3) else { continue };
            let data: Vec<&str> = words.collect();
            let data = rdata::from_text(record.rtype, &data.join(" "));
            assert_eq!(rtype.parse(), Ok(record.rtype), "{line}");
            told.push(data.unwrap_or_else(|error| panic!("{line}: {error}")));
        }
        let same = |other: &&Record| other.owner == record.owner && other.rtype == record.rtype;
        let mut wanted: Vec<Box<[u8]>> = records
            .iter()
            .filter(same)
            .map(|r| r.rdata.clone())
            .collect();
        told.sort();
        wanted.sort();
        assert_eq!(told, wanted, "{question}: {}", reply.text);
    }
    assert!(asked.len() > 60, "{}", asked.len());
}

#[test]
fn a_row_rewritten_in_the_generic_form_is_no_edit_and_may_hold_one() {
    let lab = empty_zone();
    let add = "zone example.com\nupdate add w.example.com. 60 LOC 52 N 4 E 0m\n\
               update add w.example.com. 60 MX 10 mail.example.net.";
    assert_eq!(lab.update(add), "NOERROR");
    let revision = lab.status("example.com.")["revision"].clone();
    let serial = lab.serial("example.com");
    // The same data, as an older store would have them, and a type by its number.
    lab.sql(
        "UPDATE record SET rdata = '\\# 16 001216138B28720080DBBA0000989680' WHERE type = 'LOC';
         UPDATE record SET type = 'type15', rdata = '\\# 20 000A046D61696C076578616D706C65036E657400'
          WHERE type = 'MX';",
    );
    // Then an edit that is one, in that form: what came before it was seen too.
    lab.sql(
        "INSERT INTO record (zone, owner, ttl, type, rdata)
         VALUES ('example.com.', 'x.example.com.', 60, 'TYPE1', '\\# 4 C0000207')",
    );
    eventually("the edit is served", || {
        let reply = lab.dig("x.example.com A");
        (reply.data() == ["192.0.2.7"])
            .then_some(())
            .ok_or(reply.text)
    });
    let status = lab.status("example.com.");
    assert_eq!(status["state"], "live", "{status}");
    assert_eq!(
        status["revision"].as_u64(),
        revision.as_u64().map(|n| n + 1),
        "{status}"
    );
    assert!(lab.serial("example.com") > serial);
    let diff = lab.cli(&[
        "diff",
        "example.com.",
        &revision.to_string(),
        &status["revision"].to_string(),
    ]);
    let diff = diff.expect_ok();
    assert!(
        diff.contains("192.0.2.7") && !diff.contains("LOC") && !diff.contains(" MX "),
        "{diff}"
    );
    // And both can be taken away by update.
    let delete =
        "zone example.com\nupdate delete w.example.com. LOC\nupdate delete w.example.com. MX";
    assert_eq!(lab.update(delete), "NOERROR");
    assert_eq!(lab.dig("w.example.com LOC").status, "NXDOMAIN");
    assert_eq!(
        lab.sql("SELECT count(*) FROM record WHERE owner = 'w.example.com.'")
            .trim(),
        "0"
    );
    assert_eq!(lab.cli(&["verify"]).code, Some(0));
}
