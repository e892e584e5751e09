//! `why`: the account of one change.

use serde::Deserialize;
use serde_json::Value;

use super::offline::{self, Source};
use super::record::{Record, RuleVerdict};
use super::{Exit, Globals, print};
use crate::rr::message::ede;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// As it was printed, logged, or sent with a refusal
    #[arg(value_name = "REF")]
    reference: String,
}

/// Lines of one kind that are shown; `--json` has them all.
const LINES_MAX: usize = 20;

pub(super) fn run(globals: &Globals, args: &Args) -> anyhow::Result<Exit> {
    let config = globals.config()?;
    // References are in capitals; people type as they like.
    let reference = args.reference.to_ascii_uppercase();
    let row: Option<Value> = match offline::source(&config)? {
        Source::Server(control) => control
            .get("/v1/why", &[("reference", &reference)])?
            .json()?,
        Source::Store(lock) => match offline::history(&config, &lock)?.audit(&reference)? {
            Some(row) => Some(serde_json::to_value(row)?),
            None => {
                eprintln!("no change has the reference {reference:?}");
                None
            }
        },
    };
    let Some(row) = row else {
        return Ok(Exit::Wanting);
    };
    match globals.json {
        true => print::json(&row)?,
        false => print::out(&render(&Record::deserialize(&row)?))?,
    }
    Ok(Exit::Done)
}

fn render(row: &Record) -> String {
    let mut account = Account(Vec::new());
    account.line(
        "when",
        format!("{} UTC, took {}", print::time(row.at_unix_us), took(row)),
    );
    let path = match row.actor == row.path {
        true => String::new(),
        false => format!(" ({})", row.path),
    };
    account.line("who", format!("{}{path}", row.actor));
    if let Some(source) = &row.source {
        let over = row
            .transport
            .as_deref()
            .map_or(String::new(), |t| format!(" over {t}"));
        account.line("from", format!("{source}{over}"));
    }
    if let Some(zone) = row.zone.as_deref().filter(|&zone| zone != ".") {
        account.line("zone", format!("{zone}{}", course(row)));
    }
    account.lines("asked", row.texts("operations"), row.count("operations"));
    let (removes, adds) = match row.outcome.as_str() {
        "committed" => ("removed", "added"),
        _ => ("removes", "adds"),
    };
    account.lines(removes, row.texts("removed"), row.count("removed"));
    account.lines(adds, row.texts("added"), row.count("added"));
    account.lines("ignored", row.texts("ignored"), row.count("ignored"));
    account.lines("noted", row.texts("warnings"), row.count("warnings"));
    let judged = rules(&row.rules());
    let count = judged.len();
    account.lines("rules", judged, count);
    if let Some((rule, reason)) = row.override_() {
        account.line("override", format!("{rule}: {reason}"));
    }
    if !row.reason.is_empty() {
        account.line("reason", row.reason.clone());
    }
    if let Some(accepted) = row.text("would_be_accepted") {
        account.line("would pass", accepted.to_owned());
    }
    // Others were answered nothing over DNS.
    if row.path == "update" {
        let ede = row.ede.map_or(String::new(), |ede| {
            format!(", extended error {}", extended(ede))
        });
        account.line("answer", format!("{}{ede}", row.rcode));
    }
    format!("{}\n{}", headline(row), print::table(&account.0))
}

/// A code of RFC 8914 with its name.
fn extended(code: u16) -> String {
    match code {
        ede::OTHER => format!("{code} (Other)"),
        ede::NOT_READY => format!("{code} (Not Ready)"),
        ede::PROHIBITED => format!("{code} (Prohibited)"),
        _ => code.to_string(),
    }
}

fn headline(row: &Record) -> String {
    match &row.rule {
        Some(rule) => format!("{}: {} by {rule}", row.reference, row.outcome),
        None => format!("{}: {}", row.reference, row.outcome),
    }
}

fn took(row: &Record) -> String {
    match row.duration_us {
        us @ 0..1_000 => format!("{us} µs"),
        us => format!("{}.{} ms", us / 1_000, us / 100 % 10),
    }
}

/// Revisions and serials, before and after.
fn course(row: &Record) -> String {
    let arrow = |what: &str, old: Option<u64>, new: Option<u64>| match (old, new) {
        (Some(old), Some(new)) => format!(", {what} {old} to {new}"),
        (Some(only), None) | (None, Some(only)) => format!(", {what} {only}"),
        (None, None) => String::new(),
    };
    arrow("revision", row.base_revision, row.revision)
        + &arrow(
            "serial",
            row.old_serial.map(u64::from),
            row.new_serial.map(u64::from),
        )
}

fn rules(verdicts: &[RuleVerdict]) -> Vec<String> {
    let rows: Vec<Vec<String>> = verdicts
        .iter()
        .flat_map(|verdict| {
            let judged = match (&verdict.overridden, verdict.passed, verdict.mode.as_str()) {
                (Some(_), _, _) => "overridden",
                (None, true, _) => "passed",
                (None, false, "enforce") => "refused",
                (None, false, _) => "observed",
            };
            // What passed is a list of comparisons, each on a line; what failed is sentences.
            let texts: Vec<&str> = match verdict.passed {
                true => verdict.text.split("; ").collect(),
                false => vec![&verdict.text],
            };
            texts.into_iter().enumerate().map(move |(at, text)| {
                let first = |word: &str| if at == 0 { word } else { "" }.to_owned();
                vec![first(&verdict.rule), first(judged), text.to_owned()]
            })
        })
        .collect();
    print::table(&rows).lines().map(str::to_owned).collect()
}

/// Lines with a word in front that says what they are.
struct Account(Vec<Vec<String>>);

impl Account {
    fn line(&mut self, what: &str, text: String) {
        self.0.push(vec![format!("  {what}"), text]);
    }

    /// The first of `count` texts.
    fn lines(&mut self, what: &str, mut texts: Vec<String>, count: usize) {
        let more = count.saturating_sub(LINES_MAX);
        texts.truncate(LINES_MAX);
        if more > 0 {
            texts.push(format!("and {more} more"));
        }
        for (at, text) in texts.into_iter().enumerate() {
            self.line(if at == 0 { what } else { "" }, text);
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::*;

    pub fn refused() -> Record {
        serde_json::from_value(json!({
            "reference": "7Q2K", "at_unix_us": 1_760_946_491_000_000_i64,
            "path": "update", "actor": "key demo.",
            "source": "127.0.0.1:4242", "transport": "udp", "zone": "example.com.",
            "base_revision": 3, "revision": null,
            "old_serial": 2_026_070_103, "new_serial": null,
            "outcome": "refused", "rule": "min-members",
            "reason": "api.example.com. A would go from 2 to 0",
            "rcode": "REFUSED", "ede": 0, "duration_us": 1840,
            "detail": {
                "operations": ["delete api.example.com. A"],
                "removed": [
                    "api.example.com. 60 A 192.0.2.10", "api.example.com. 60 A 192.0.2.11",
                ],
                "added": [], "ignored": [], "warnings": [],
                "rules": [
                    { "rule": "scope", "mode": "enforce", "passed": true, "text": "1 of 1 allowed; none forbidden" },
                    {
                        "rule": "min-members", "mode": "enforce", "passed": false,
                        "text": "api.example.com. A: 2 to 0; the least is 2",
                    },
                ],
                "would_be_accepted": "a change that leaves 2 members",
                "override": null,
            },
        }))
        .unwrap()
    }

    #[test]
    fn why_tells_who_when_what_and_how_each_rule_judged() {
        assert_eq!(
            render(&refused()),
            "\
7Q2K: refused by min-members
  when        2025-10-20 07:48:11 UTC, took 1.8 ms
  who         key demo. (update)
  from        127.0.0.1:4242 over udp
  zone        example.com., revision 3, serial 2026070103
  asked       delete api.example.com. A
  removes     api.example.com. 60 A 192.0.2.10
              api.example.com. 60 A 192.0.2.11
  rules       scope        passed   1 of 1 allowed
                                    none forbidden
              min-members  refused  api.example.com. A: 2 to 0; the least is 2
  reason      api.example.com. A would go from 2 to 0
  would pass  a change that leaves 2 members
  answer      REFUSED, extended error 0 (Other)
"
        );
    }

    #[test]
    fn only_updates_were_answered_over_dns() {
        let mut row = refused();
        assert!(render(&row).contains("\n  answer "));
        for path in ["edit by hand", "import", "cli"] {
            row.path = path.to_owned();
            assert!(!render(&row).contains("answer"), "{path}");
        }
    }

    #[test]
    fn a_long_account_says_how_much_is_left_out() {
        let mut row = refused();
        row.detail = json!({ "operations": vec!["add x. 0 A 192.0.2.1"; 30] });
        let text = render(&row);
        assert!(text.contains("and 10 more"), "{text}");
        let mut operations = vec!["add x. 0 A 192.0.2.1"; 30];
        operations.push("and 1000 more");
        row.detail = json!({ "operations": operations });
        let text = render(&row);
        assert!(text.contains("and 1010 more"), "{text}");
    }
}
