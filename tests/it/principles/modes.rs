//! P5: off, observe, enforce; and setting one rule aside.

use std::process::Command;

use serde_json::Value;

use super::{RULES, few, lab_of_limits, last_row, rule, text};
use crate::harness::lab::{self, Lab};
use crate::harness::programs;

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
    let page = programs::run(curl.arg("http://localhost/metrics"), "").expect_ok();
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
