//! The principles that the guards stand on, each attacked by its number. That a rule which errs
//! refuses (P6) is tested beside the writer, where a rule can be made to err.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RecordType;
use serde_json::Value;

use crate::harness::attack::{exported, lab_of, passes, protect, refused};
use crate::harness::lab::{self, Lab, PUBLIC_SECRET};
use crate::harness::library::{self, Transport};

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

const PROBES: [&str; 8] = [
    "update add new.a.test. 60 A 192.0.2.1",
    "update delete www.a.test.",
    "update delete none.a.test. A",
    "prereq yxdomain www.a.test.\nupdate add new.a.test. 60 A 192.0.2.1",
    "prereq nxdomain www.a.test.\nupdate add new.a.test. 60 A 192.0.2.1",
    "prereq yxrrset none.a.test. A\nupdate add new.a.test. 60 A 192.0.2.1",
    "prereq nxrrset www.a.test. TXT",
    "prereq yxrrset www.a.test. A 192.0.2.1",
];

#[test]
fn p1_a_stranger_is_refused_before_anything_is_looked_at() {
    for allow in [
        "{ zone = \"b.test.\", names = [\"**\"] }",
        "{ zone = \"a.test.\", names = [\"**\"], from = [\"192.0.2.0/24\", \"2001:db8::/32\"] }",
    ] {
        let lab = lab_with_few(allow);
        let zone = exported(&lab, "a.test.");
        let probe = |lab: &Lab| {
            for script in PROBES {
                let status = lab.update_as(&few(), &format!("zone a.test\n{script}"));
                assert_eq!(status, "REFUSED", "{script}");
                let last = lab.status("a.test.")["last_refusal"].clone();
                assert_eq!(last["rule"], "scope", "{script}");
                let row = lab.cli(&["--json", "why", text(&last["reference"])]).json();
                assert_eq!(row["ede"], 18, "{row:#}");
                assert_eq!(
                    row["detail"]["removed"],
                    Value::Array(Vec::new()),
                    "{row:#}"
                );
                assert!(row["detail"]["would_be_accepted"].is_string(), "{row:#}");
            }
        };
        probe(&lab);
        assert_eq!(exported(&lab, "a.test."), zone);
        // Nor is it told that the zone holds.
        lab.sql("DELETE FROM record WHERE zone = 'a.test.' AND type = 'SOA'");
        lab.until("a.test.", "holding");
        probe(&lab);
    }
}

#[test]
fn p1_a_right_counts_from_its_addresses() {
    let lab = lab_with_few(
        "{ zone = \"a.test.\", names = [\"*\"], from = [\"::1\"] }, \
         { zone = \"a.test.\", names = [\"*\"], types = [\"TXT\"], from = [\"127.0.0.0/8\"] }",
    );
    let key = || library::key(FEW, domain::tsig::Algorithm::Sha256, PUBLIC_SECRET);
    let send = |at, transport, name: &str| {
        let update = library::update("a.test.", key(), false, |section| {
            section.add_a(name, [192, 0, 2, 1]);
        });
        update.send(at, transport).metadata.response_code
    };
    for transport in [Transport::Udp, Transport::Tcp] {
        let four = send(lab.v4(), transport, "four.a.test.");
        assert_eq!(four, ResponseCode::Refused, "{transport:?}");
        let six = send(lab.v6(), transport, "six.a.test.");
        assert_eq!(six, ResponseCode::NoError, "{transport:?}");
    }
    let reason = last_refusal(&lab, "a.test.");
    assert!(reason.contains("may not add four.a.test."), "{reason}");
    let text = "zone a.test\nupdate add t.a.test. 60 TXT x";
    assert_eq!(lab.update_as(&few(), text), "NOERROR");
}

fn last_refusal(lab: &Lab, zone: &str) -> String {
    let status = lab.status(zone);
    status["last_refusal"]["reason"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

#[test]
fn p1_prerequisites_come_before_permission_and_permission_before_the_rules() {
    let lab = lab_with_few("{ zone = \"a.test.\", names = [\"mine\"] }");
    let says = |script: &str| lab.update_as(&few(), &format!("zone a.test\n{script}"));
    let foreign = "update delete www.a.test.";
    let failing = format!("prereq yxrrset mine.a.test. A\n{foreign}");
    assert_eq!(says(&failing), "NXRRSET");
    let met = format!("prereq nxrrset mine.a.test. A\n{foreign}");
    assert_eq!(says(&met), "REFUSED");
    // All operations are looked at, and the first that is not allowed is told.
    let both = format!("update add mine.a.test. 60 A 192.0.2.1\n{foreign}");
    assert_eq!(says(&both), "REFUSED");
    assert_eq!(lab.dig("mine.a.test A").status, "NXDOMAIN");
    let row = last_row(&lab, "a.test.");
    let reason = text(&row["reason"]);
    assert!(
        reason.contains("may not delete www.a.test.") && reason.contains("1 of 2 operations"),
        "{reason}"
    );
}

/// Enactors whose checks are true when they make them: each leaves enough, all together would not.
#[test]
fn p1_nothing_overtakes_a_check_on_its_way_to_the_commit() {
    const MEMBERS: usize = 8;
    const LEAST: usize = 2;
    let pool: String = (1..=MEMBERS)
        .map(|n| format!("pool A 192.0.2.{n}\n"))
        .collect();
    let lab = lab_of(&[("p.test.", &pool, &protect("pool", "\"A\"", LEAST))]);
    let (v4, v6) = (lab.v4(), lab.v6());
    for round in 0..10 {
        let let_in = AtomicUsize::new(0);
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            let watcher = scope.spawn(|| {
                let query = library::query("pool.p.test.", RecordType::A, None);
                while !done.load(Ordering::Relaxed) {
                    let seen = library::ask(v4, Transport::Udp, &query).answers.len();
                    assert!(seen >= LEAST, "{seen} members are served");
                }
            });
            let clients: Vec<_> = (1..=MEMBERS)
                .map(|number| {
                    let let_in = &let_in;
                    scope.spawn(move || {
                        let number = u8::try_from(number).expect("few");
                        let key = library::demo_key();
                        let update = library::update("p.test.", key, false, |section| {
                            section.delete_one_a("pool.p.test.", [192, 0, 2, number]);
                        });
                        let (at, transport) = match number % 4 {
                            0 => (v4, Transport::Udp),
                            1 => (v6, Transport::Tcp),
                            2 => (v4, Transport::Tcp),
                            _ => (v6, Transport::Udp),
                        };
                        match update.send(at, transport).metadata.response_code {
                            ResponseCode::NoError => {
                                let_in.fetch_add(1, Ordering::Relaxed);
                            }
                            other => assert_eq!(other, ResponseCode::Refused),
                        }
                    })
                })
                .collect();
            for client in clients {
                client.join().expect("a client");
            }
            done.store(true, Ordering::Relaxed);
            watcher.join().expect("the watcher");
        });
        assert_eq!(let_in.into_inner(), MEMBERS - LEAST, "round {round}");
        assert_eq!(lab.data("pool.p.test A").len(), LEAST);
        let back: String = (1..=MEMBERS)
            .map(|n| format!("update add pool.p.test. 300 A 192.0.2.{n}\n"))
            .collect();
        passes(&lab, "p.test.", &[&back]);
    }
}

/// The planner's enactors repoint the endpoint, and the clean-up deletes plans that it believes old.
#[test]
fn p1_no_clean_up_overtakes_an_alias() {
    const PLANS: usize = 4;
    let plans: String = (0..PLANS)
        .map(|n| format!("plan-{n} A 192.0.2.{n}\n"))
        .collect();
    let lab = lab_of(&[(
        "e.test.",
        &(plans + "api CNAME plan-0\n"),
        &protect("api", "\"A\"", 1),
    )]);
    let at = lab.v4();
    let done = AtomicBool::new(false);
    let send = |fill: &dyn Fn(&mut library::Section)| {
        let update = library::update("e.test.", library::demo_key(), false, |section| {
            fill(section);
        });
        update.send(at, Transport::Tcp).metadata.response_code
    };
    let [repointed, deleted] = [AtomicUsize::new(0), AtomicUsize::new(0)];
    thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let query = library::query("api.e.test.", RecordType::A, None);
            while !done.load(Ordering::Relaxed) {
                let seen = library::ask(at, Transport::Udp, &query);
                let is_address =
                    |record: &&hickory_proto::rr::Record| record.record_type() == RecordType::A;
                assert_eq!(seen.answers.iter().filter(is_address).count(), 1);
            }
        });
        let enactors: Vec<_> = (0..3)
            .map(|first| {
                let (send, repointed) = (&send, &repointed);
                scope.spawn(move || {
                    for round in 0..30 {
                        let plan = format!("plan-{}.e.test.", (first + round) % PLANS);
                        let status = send(&|section| section.add_cname("api.e.test.", &plan));
                        if status == ResponseCode::NoError {
                            repointed.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                })
            })
            .collect();
        let cleaners: Vec<_> = (0..3)
            .map(|first| {
                let (send, deleted) = (&send, &deleted);
                scope.spawn(move || {
                    for round in 0..30 {
                        let number = (first + round) % PLANS;
                        let plan = format!("plan-{number}.e.test.");
                        if send(&|section| section.delete_a(&plan)) == ResponseCode::NoError {
                            deleted.fetch_add(1, Ordering::Relaxed);
                        }
                        let address = [192, 0, 2, u8::try_from(number).expect("few")];
                        let status = send(&|section| section.add_a(&plan, address));
                        assert_eq!(status, ResponseCode::NoError);
                    }
                })
            })
            .collect();
        for client in enactors.into_iter().chain(cleaners) {
            client.join().expect("a client");
        }
        done.store(true, Ordering::Relaxed);
        watcher.join().expect("the watcher");
    });
    // Both sides had their way, or this has attacked nothing.
    assert!(repointed.into_inner() > 0 && deleted.into_inner() > 0);
    assert!(lab.cli(&["verify"]).ok(), "each change with its audit row");
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
fn p5_each_rule_is_off_observes_or_enforces() {
    for (name, key, script) in RULES {
        let script = format!("zone r.test\n{script}");
        let lab = lab_of_limits(&format!("{key} = {{ mode = \"enforce\" }}"));
        assert_eq!(lab.update_as(&few(), &script), "REFUSED", "{name}");
        let row = last_row(&lab, "r.test.");
        assert_eq!(row["rule"], name);
        assert_eq!(rule(&row, name)["mode"], "enforce");

        let lab = lab_of_limits(&format!("{key} = {{ mode = \"observe\" }}"));
        assert_eq!(lab.update_as(&few(), &script), "NOERROR", "{name}");
        observed(&lab, name);

        // Nobody may open a zone to every key by mistake.
        if name == "scope" {
            continue;
        }
        let lab = lab_of_limits(&format!("{key} = \"off\""));
        assert_eq!(lab.update_as(&few(), &script), "NOERROR", "{name}");
        let row = last_row(&lab, "r.test.");
        let verdict = rule(&row, name);
        assert_eq!(
            (&verdict["mode"], &verdict["passed"]),
            (&"off".into(), &true.into())
        );
        assert!(!lab.cli(&["log", "r.test."]).stdout.contains("observed"));
    }
}

/// What a rule that only observes would have refused is told wherever one looks.
#[track_caller]
fn observed(lab: &Lab, name: &str) {
    let row = last_row(lab, "r.test.");
    assert_eq!(
        (&row["outcome"], &row["rule"]),
        (&"committed".into(), &Value::Null)
    );
    let verdict = rule(&row, name);
    assert_eq!(
        (&verdict["mode"], &verdict["passed"]),
        (&"observe".into(), &false.into()),
        "{verdict}"
    );
    let why = lab.cli(&["why", text(&row["reference"])]).expect_ok();
    let line = why.lines().find(|line| line.contains(name));
    assert!(line.is_some_and(|line| line.contains("observed")), "{why}");
    let log = lab.cli(&["log", "r.test.", "--limit", "1"]).expect_ok();
    assert!(log.contains(&format!("; observed: {name}")), "{log}");
    let status = lab.cli(&["--json", "status"]).json();
    assert_eq!(status["server"]["observed"][name], 1, "{status}");
    let text = lab.cli(&["status"]).both();
    assert!(
        text.contains(&format!("observed, not refused, by rule: 1 {name}")),
        "{text}"
    );
    let mut curl = Command::new("curl");
    curl.args(["-s", "--unix-socket"])
        .arg(lab.path("data/demo.sock"));
    let page = crate::harness::programs::run(curl.arg("http://localhost/metrics"), "").expect_ok();
    let sample = format!("lastgood_observed_total{{rule=\"{name}\"}} 1");
    assert!(page.lines().any(|line| line == sample), "{sample}: {page}");
}

#[test]
fn p5_an_override_names_one_rule_and_why() {
    let lab = lab_of_limits("");
    let zone = lab::apex("r.test.") + "alias CNAME www\n@ MX 10 alias\n";
    lab.write("both.zone", &zone);
    let file = lab.path("both.zone").display().to_string();
    let import = |words: &[&str]| {
        let all = [&["zone", "import", "r.test.", &file, "--replace"], words].concat();
        lab.cli(&all)
    };
    // It breaks two rules; one of them set aside leaves the other.
    for (given, left) in [("validate", "min-members"), ("min-members", "validate")] {
        let ran = import(&["--override", given, "--reason", "moving"]);
        assert_eq!(ran.code, Some(1), "{ran}");
        assert!(ran.stderr.contains(left), "{given}: {ran}");
        assert_eq!(lab.data("www.r.test A"), ["192.0.2.1"]);
    }
    for words in [
        &["--override", "min-members"][..],
        &["--override", "min-members", "--reason", " "],
        &["--override", "all", "--reason", "moving"],
        &["--override", "scope", "--reason", "moving"],
        &["--reason", "moving"],
    ] {
        let ran = import(words);
        assert_ne!(ran.code, Some(0), "{words:?}: {ran}");
        assert_eq!(lab.data("www.r.test A"), ["192.0.2.1"], "{words:?}");
    }
    lab.write("both.zone", &(lab::apex("r.test.") + "other A 192.0.2.2\n"));
    import(&["--override", "min-members", "--reason", "INC-7, www goes"]).expect_ok();
    let row = last_row(&lab, "r.test.");
    assert_eq!(row["detail"]["override"]["rule"], "min-members");
    assert_eq!(rule(&row, "min-members")["overridden"], "INC-7, www goes");
    // What was set aside is still told, and no other change has it.
    assert_eq!(rule(&row, "min-members")["passed"], false);
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

/// Policies that nobody should have, in force or not after a reload and after a start.
#[test]
fn p8_no_policy_takes_a_zone_off_the_air() {
    let zone = lab::apex("s.test.")
        + "www A 192.0.2.1\nalias CNAME www\nout CNAME gone.invalid.\nw.sub A 192.0.2.2\n\
           bad MX 10 alias\nlong 2000000 A 192.0.2.3\n*.wild A 192.0.2.4\n";
    let head = lab::head();
    let stanza = "[[zone]]\nname = \"s.test.\"\nfile = \"s.zone\"\n";
    let mut lab = Lab::of(&(head + stanza), &[("s.zone", &zone)]);
    let config = lab.read("lastgood.toml");
    let questions = [
        "s.test SOA",
        "s.test NS",
        "www.s.test A",
        "alias.s.test A",
        "out.s.test A",
        "w.sub.s.test A",
        "bad.s.test MX",
        "long.s.test A",
        "x.wild.s.test A",
        "none.s.test A",
    ];
    let answers = |lab: &Lab| {
        let ask = |words: &&str| {
            let reply = lab.dig(words);
            (reply.status.clone(), reply.data())
        };
        questions.iter().map(ask).collect::<Vec<_>>()
    };
    let good = answers(&lab);
    lab.write("empty.zone", "");
    lab.write("sub.zone", &lab::apex("sub.s.test."));
    let protect_all = |name: &str| protect(name, "\"A\", \"AAAA\", \"MX\", \"TYPE65280\"", 1000);
    let policies = [
        protect_all("www") + &protect_all("none") + &protect_all("@") + &protect_all("*.wild"),
        protect_all("s.test.") + "external = [\".\"]\n",
        "strict = true\n".into(),
        "[zone.limits]\nttl = { mode = \"enforce\", min = 2147483647, max = 2147483647 }\n".into(),
        "[zone.limits]\nttl = { mode = \"enforce\", min = 0, max = 0 }\nvalidate = \"off\"\n"
            .into(),
        "[zone.limits]\nscope = { mode = \"observe\" }\nmin_members = \"off\"\n".into(),
        "[[zone]]\nname = \"sub.s.test.\"\n".into(),
        "[[zone]]\nname = \"sub.s.test.\"\nfile = \"empty.zone\"\n".into(),
        "[[zone]]\nname = \"w.sub.s.test.\"\nfile = \"none.zone\"\n".into(),
        format!(
            "{}[[zone]]\nname = \"sub.s.test.\"\nfile = \"sub.zone\"\n",
            protect("w.sub", "\"A\"", 1)
        ),
        "[[zone]]\nname = \"test.\"\n[[zone]]\nname = \".\"\n".into(),
        "[[zone]]\nname = \"test.\"\nfile = \"empty.zone\"\n".into(),
    ];
    for policy in &policies {
        lab.write("lastgood.toml", &(config.clone() + policy));
        let ran = lab.cli(&["reload", "--weaker"]);
        assert_eq!(answers(&lab), good, "reloaded: {policy}\n{ran}");
        // Started with it, and with nothing but the snapshot left.
        lab.restart();
        assert_eq!(answers(&lab), good, "started: {policy}");
        assert_eq!(lab.state("s.test."), "live", "{policy}");
        lab.write("lastgood.toml", &config);
        lab.cli(&["reload", "--weaker"]);
        assert_eq!(answers(&lab), good, "as before: {policy}");
    }
    lab.write("lastgood.toml", &(config.clone() + &policies[0]));
    lab.stop();
    for name in ["demo.db", "demo.db-wal", "demo.db-shm"] {
        let file = lab.path("data").join(name);
        if file.exists() {
            fs::remove_file(file).expect("a file of the lab");
        }
    }
    lab.start();
    assert_eq!(answers(&lab), good, "from the snapshot");
    assert_eq!(lab.state("s.test."), "holding");
}
