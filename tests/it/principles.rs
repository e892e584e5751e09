//! The principles that the guards stand on, each attacked by its number; P1 in `transaction`, P5 in
//! `modes`, P8 in `serving`. That a rule which errs refuses (P6) is tested beside the writer
//! (`src/change/tests.rs`), where a rule can be made to err.

mod modes;
mod serving;
mod transaction;

use std::collections::BTreeSet;

use serde_json::Value;

use crate::harness::attack::{lab_of, passes, protect, refused};
use crate::harness::lab::{self, Lab, PUBLIC_SECRET};

const FEW: &str = "few.";

/// A zone `a.test.` and one `b.test.`, and the key `few.` with `allow`.
fn lab_with_few(allow: &str) -> Lab {
    let zone = |origin: &str| format!("[[zone]]\nname = \"{origin}\"\nfile = \"{origin}zone\"\n");
    let config = lab::head()
        + &format!("[[key]]\nname = \"{FEW}\"\nsecret = \"{PUBLIC_SECRET}\"\nallow = [{allow}]\n")
        + &zone("a.test.")
        + &zone("b.test.");
    let records = "www A 192.0.2.1\nwww TXT x\n";
    Lab::of(
        &config,
        &[
            ("a.test.zone", &(lab::apex("a.test.") + records)),
            ("b.test.zone", &(lab::apex("b.test.") + records)),
        ],
    )
}

fn few() -> String {
    format!("hmac-sha256:few:{PUBLIC_SECRET}")
}

/// The latest audit row of a zone.
#[track_caller]
fn last_row(lab: &Lab, zone: &str) -> Value {
    let rows = lab.cli(&["--json", "log", zone, "--limit", "1"]).json();
    rows[0].clone()
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

fn rule<'a>(row: &'a Value, name: &str) -> &'a Value {
    let rules = row["detail"]["rules"].as_array().expect("verdicts");
    let found = rules.iter().find(|rule| rule["rule"] == name);
    found.unwrap_or_else(|| panic!("{name} in {row:#}"))
}

/// Every way in; each is to leave `www` without an address, in one of the ways that one can.
#[test]
fn p2_no_path_leads_around_the_door() {
    let mut lab = lab_of(&[(
        "d.test.",
        "www A 192.0.2.1\nother A 192.0.2.9\n",
        &protect("www", "\"A\"", 1),
    )]);
    let there = |lab: &Lab, path: &str| {
        assert_eq!(lab.data("www.d.test A"), ["192.0.2.1"], "{path}");
        assert_eq!(lab.data("other.d.test A"), ["192.0.2.9"], "{path}");
    };
    refused(&lab, "d.test.", &["update delete www.d.test."]);
    there(&lab, "update");

    lab.write("less.zone", &(lab::apex("d.test.") + "other A 192.0.2.9\n"));
    lab.write("below.zone", &lab::apex("www.d.test."));
    let (less, below) = (lab.path("less.zone"), lab.path("below.zone"));
    let (less, below) = (less.display().to_string(), below.display().to_string());
    let commands: [&[&str]; 3] = [
        &["zone", "import", "d.test.", &less, "--replace"],
        &["zone", "import", "www.d.test.", &below],
        &["zone", "remove", "d.test."],
    ];
    let attack = |lab: &Lab, path: &str| {
        for words in commands {
            let ran = lab.cli(words);
            assert_eq!(ran.code, Some(1), "{path}, {words:?}: {ran}");
            assert!(
                ran.stderr.contains("min-members"),
                "{path}, {words:?}: {ran}"
            );
        }
    };
    attack(&lab, "command line");
    there(&lab, "command line");

    // By hand: the zone holds, and what it holds is served.
    let gone = "DELETE FROM record WHERE owner = 'www.d.test.'";
    let back = "INSERT INTO record (zone, owner, ttl, type, rdata)
                VALUES ('d.test.', 'www.d.test.', 300, 'A', '192.0.2.1')";
    lab.sql(gone);
    lab.until("d.test.", "holding");
    there(&lab, "edit by hand");
    let ran = lab.cli(&["zone", "accept", "d.test."]);
    assert_eq!(ran.code, Some(1), "{ran}");
    lab.sql(back);
    lab.until("d.test.", "live");

    // A reload with another file, or with a zone that hides the name.
    let config = lab.read("lastgood.toml");
    let stanza = format!("[[zone]]\nname = \"www.d.test.\"\nfile = \"{below}\"\n");
    lab.write("lastgood.toml", &(config.clone() + &stanza));
    lab.cli(&["reload"]);
    there(&lab, "reload");
    lab.write("lastgood.toml", &config.replace("d.test.zone", "less.zone"));
    lab.cli(&["reload"]);
    there(&lab, "reload");
    lab.write("lastgood.toml", &config);

    // Without a server, and in between.
    lab.stop();
    attack(&lab, "without a server");
    lab.start();
    there(&lab, "without a server");
    lab.stop();
    lab.sql(gone);
    lab.start();
    there(&lab, "edited while it was down");
    assert_eq!(lab.state("d.test."), "holding");
    lab.sql(back);
    lab.until("d.test.", "live");
    there(&lab, "in the end");
}

#[test]
fn p3_a_message_is_judged_by_where_it_ends_and_taken_whole_or_not_at_all() {
    let lab = lab_of(&[(
        "w.test.",
        "api A 192.0.2.1\napi A 192.0.2.2\nalias CNAME api\n",
        &(protect("api", "\"A\"", 2) + &protect("alias", "\"A\"", 2)),
    )]);
    passes(
        &lab,
        "w.test.",
        &[
            "update delete api.w.test. A\nupdate add api.w.test. 60 A 192.0.2.3\n\
             update add api.w.test. 60 A 192.0.2.4",
            "update add api.w.test. 60 A 192.0.2.5\nupdate add api.w.test. 60 A 192.0.2.6\n\
             update delete api.w.test. A 192.0.2.3\nupdate delete api.w.test. A 192.0.2.4",
            // Through nothing at all, and an alias to elsewhere on the way.
            "update delete api.w.test.\nupdate add api.w.test. 60 CNAME none.w.test.\n\
             update delete api.w.test. CNAME\nupdate add api.w.test. 60 A 192.0.2.7\n\
             update add api.w.test. 60 A 192.0.2.8",
            // The address moves to another name, and an alias takes its place.
            "update delete api.w.test.\nupdate add api.w.test. 60 CNAME two.w.test.\n\
             update add two.w.test. 60 A 192.0.2.1\nupdate add two.w.test. 60 A 192.0.2.2",
        ],
    );
    assert_eq!(lab.data("two.w.test A"), ["192.0.2.1", "192.0.2.2"]);
    refused(
        &lab,
        "w.test.",
        &[
            // The good ones come first, and do not land.
            "update add fine.w.test. 60 A 192.0.2.1\nupdate delete two.w.test. A",
            "update delete two.w.test. A\nupdate add fine.w.test. 60 A 192.0.2.1",
        ],
    );
    assert_eq!(lab.dig("fine.w.test A").status, "NXDOMAIN");
}

#[test]
fn p4_what_has_too_few_members_may_improve() {
    let lab = lab_of(&[(
        "i.test.",
        "pool A 192.0.2.1\nempty CNAME nothing\nother A 192.0.2.9\n",
        &(protect("pool", "\"A\"", 3) + &protect("empty", "\"A\"", 2)),
    )]);
    let findings = lab.status("i.test.")["findings"].to_string();
    assert!(
        findings.contains("pool.i.test. A has 1 of at least 3"),
        "{findings}"
    );
    refused(
        &lab,
        "i.test.",
        &[
            "update delete pool.i.test. A",
            "update add pool.i.test. 60 NS ns.invalid.",
        ],
    );
    passes(
        &lab,
        "i.test.",
        &[
            // Not below it yet, and it does not stand in the way of anything else.
            "update delete other.i.test.",
            "update add pool.i.test. 60 A 192.0.2.2",
            "update delete pool.i.test. A 192.0.2.1\nupdate add pool.i.test. 60 A 192.0.2.3",
            "update add nothing.i.test. 60 A 192.0.2.1",
            "update add pool.i.test. 60 A 192.0.2.4",
        ],
    );
    refused(
        &lab,
        "i.test.",
        &[
            "update delete pool.i.test. A 192.0.2.3",
            "update delete nothing.i.test. A",
        ],
    );
    // Improvement is no right: it has a scope like everything else.
    let lab = lab_with_few("{ zone = \"a.test.\", names = [\"other\"] }");
    let better = "zone a.test\nupdate add www.a.test. 60 A 192.0.2.2";
    assert_eq!(lab.update_as(&few(), better), "REFUSED");
}

/// A rule, what it would refuse, and the stanza of `[zone.limits]` without the mode.
const RULES: [(&str, &str, &str); 4] = [
    ("min-members", "min_members", "update delete www.r.test. A"),
    (
        "validate",
        "validate",
        "update add r.test. 60 MX 10 alias.r.test.",
    ),
    ("ttl", "ttl", "update add t.r.test. 700000 A 192.0.2.1"),
    (
        "scope",
        "scope",
        "update add foreign.r.test. 60 A 192.0.2.1",
    ),
];

fn lab_of_limits(limits: &str) -> Lab {
    let config = lab::head()
        + &format!(
            "[[key]]\nname = \"{FEW}\"\nsecret = \"{PUBLIC_SECRET}\"\n\
             allow = [{{ zone = \"r.test.\", names = [\"@\", \"www\", \"t\"] }}]\n\
             [[zone]]\nname = \"r.test.\"\nfile = \"r.zone\"\n[zone.limits]\n{limits}\n"
        )
        + &protect("www", "\"A\"", 1);
    let zone = lab::apex("r.test.") + "www A 192.0.2.1\nalias CNAME www\n";
    Lab::of(&config, &[("r.zone", &zone)])
}

#[test]
fn p7_no_refusal_is_without_a_reference_numbers_and_what_would_pass() {
    let lab = lab_of_limits("ttl = { mode = \"enforce\", min = 5 }");
    let mut seen = BTreeSet::new();
    let mut check = |lab: &Lab, what: &str| {
        let row = last_row(lab, "r.test.");
        assert_eq!(row["outcome"], "refused", "{what}: {row:#}");
        let accepted = row["detail"]["would_be_accepted"].as_str();
        assert!(!text(&row["reason"]).is_empty(), "{what}: {row:#}");
        assert!(accepted.is_some_and(|a| !a.is_empty()), "{what}: {row:#}");
        let why = lab.cli(&["why", text(&row["reference"])]).expect_ok();
        for line in ["\n  reason  ", "\n  would pass  "] {
            assert!(why.contains(line), "{what}: {why}");
        }
        assert!(
            why.contains(&format!("refused by {}", text(&row["rule"]))),
            "{why}"
        );
        seen.insert(text(&row["rule"]).to_owned());
    };
    for (name, _, script) in RULES {
        let script = script.replace("700000", "4");
        assert_eq!(
            lab.update_as(&few(), &format!("zone r.test\n{script}")),
            "REFUSED"
        );
        check(&lab, name);
    }
    let zone = ["--zone", "r.test."];
    let freeze = [&["freeze"], &zone[..], &["--reason", "moving"]].concat();
    lab.cli(&freeze).expect_ok();
    assert_eq!(
        lab.update("zone r.test\nupdate add x.r.test. 60 TXT x"),
        "REFUSED"
    );
    check(&lab, "freeze");
    lab.cli(&[&["thaw"], &zone[..]].concat()).expect_ok();
    let ran = lab.cli(&["snapshot", "restore", "r.test."]);
    assert_eq!(ran.code, Some(1), "{ran}");
    check(&lab, "restore of a zone that does not hold");
    let file = lab.path("r.zone").display().to_string();
    let ran = lab.cli(&["zone", "import", "r.test.", &file]);
    assert_eq!(ran.code, Some(1), "{ran}");
    check(&lab, "import without --replace");
    lab.sql("DELETE FROM record WHERE owner = 'www.r.test.'");
    lab.until("r.test.", "holding");
    check(&lab, "edit by hand");
    assert_eq!(
        lab.update("zone r.test\nupdate add x.r.test. 60 TXT x"),
        "REFUSED"
    );
    check(&lab, "hold");
    let wanted = [
        "freeze",
        "hold",
        "import",
        "min-members",
        "restore",
        "scope",
        "ttl",
        "validate",
    ];
    assert_eq!(seen, wanted.map(str::to_owned).into());
}
