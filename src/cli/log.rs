//! `log`: the latest changes, one line each.

use serde::Deserialize;
use serde_json::Value;

use super::offline::{self, Source};
use super::record::{Record, RuleVerdict};
use super::{Exit, Globals, print};
use crate::rr::Name;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Changes of this zone only
    zone: Option<Name>,
    /// How many
    #[arg(long, value_name = "N", default_value_t = 20)]
    limit: usize,
}

pub(super) fn run(globals: &Globals, args: &Args) -> anyhow::Result<Exit> {
    let config = globals.config()?;
    let rows: Value = match offline::source(&config)? {
        Source::Server(control) => {
            let limit = args.limit.to_string();
            let zone = args.zone.as_ref().map(ToString::to_string);
            let mut query = vec![("limit", limit.as_str())];
            query.extend(zone.as_deref().map(|zone| ("zone", zone)));
            match control.get("/v1/log", &query)?.json()? {
                Some(rows) => rows,
                None => return Ok(Exit::Wanting),
            }
        }
        Source::Store(lock) => {
            let history = offline::history(&config, &lock)?;
            serde_json::to_value(history.list(args.zone.as_ref(), args.limit)?)?
        }
    };
    match globals.json {
        true => print::json(&rows)?,
        false => print::out(&render(&Vec::<Record>::deserialize(&rows)?))?,
    }
    Ok(Exit::Done)
}

fn render(rows: &[Record]) -> String {
    let header = ["TIME (UTC)", "REF", "ZONE", "BY", "OUTCOME", ""];
    let mut table = vec![header.map(str::to_owned).to_vec()];
    table.extend(rows.iter().map(|row| {
        vec![
            print::time(row.at_unix_us),
            row.reference.clone(),
            // What is about no zone is filed under the root.
            match row.zone.as_deref() {
                None | Some(".") => "-".to_owned(),
                Some(zone) => zone.to_owned(),
            },
            row.actor.clone(),
            row.outcome.clone(),
            gist(row),
        ]
    }));
    print::table(&table)
}

/// The row in half a line.
fn gist(row: &Record) -> String {
    let observed = observed(row);
    if let Some(revision) = row.revision {
        let removed = row.count("removed");
        let added = row.count("added");
        let serial = row
            .new_serial
            .map_or(String::new(), |s| format!(", serial {s}"));
        return format!("revision {revision}{serial}, -{removed} +{added}{observed}");
    }
    if row.outcome == "repeated" {
        return row.texts("warnings").join("; ");
    }
    match (&row.rule, row.reason.as_str()) {
        (Some(rule), reason) => format!("{rule}: {reason}"),
        (None, "") => row.texts("warnings").join("; "),
        (None, reason) => format!("{}: {reason}", row.rcode),
    }
}

/// The rules that observe and would have refused a change that was let in.
fn observed(row: &Record) -> String {
    let is_observed = |rule: &RuleVerdict| !rule.passed && rule.mode == "observe";
    let rules = row.rules().into_iter().filter(is_observed);
    let names: Vec<String> = rules.map(|rule| rule.rule).collect();
    match names.is_empty() {
        true => String::new(),
        false => format!("; observed: {}", names.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cli::why::tests::refused;

    #[test]
    fn a_large_change_is_counted_whole() {
        let mut row = refused();
        (row.revision, row.rule) = (Some(1), None);
        row.detail = json!({ "removed": [], "added": ["a. 1 A 192.0.2.1", "and 30001 more"] });
        assert_eq!(gist(&row), "revision 1, -0 +30002");
    }

    #[test]
    fn what_is_about_no_zone_has_none() {
        let mut row = refused();
        row.zone = Some(".".to_owned());
        assert!(render(&[row]).contains("  7Q2K  -     key demo."));
    }

    #[test]
    fn each_change_is_a_line() {
        let mut committed = refused();
        committed.reference = "1ABC".to_owned();
        committed.outcome = "committed".to_owned();
        (committed.rule, committed.reason) = (None, String::new());
        (committed.revision, committed.new_serial) = (Some(4), Some(2_026_070_104));
        committed.detail = json!({ "removed": [], "added": ["a.example.com. 60 A 192.0.2.1"] });
        assert_eq!(
            render(&[committed, refused()]),
            "\
TIME (UTC)           REF   ZONE          BY         OUTCOME
2025-10-20 07:48:11  1ABC  example.com.  key demo.  committed  revision 4, serial 2026070104, -0 +1
2025-10-20 07:48:11  7Q2K  example.com.  key demo.  refused    min-members: api.example.com. A would go from 2 to 0
"
        );
    }
}
