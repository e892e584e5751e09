//! `zone import`: a zone file into the running server.

use std::fmt::Write;
use std::path::PathBuf;

use anyhow::Context;
use clap::builder::PossibleValuesParser;

use super::control::Control;
use super::{Exit, Globals};
use crate::guard;
use crate::rr::Name;
use crate::server::read_zone_file;

/// Problems of a file that are shown; `zone check` shows all.
const PROBLEMS_MAX: usize = 20;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The zone's name
    name: Name,
    /// Its zone file
    file: PathBuf,
    /// Put the file in the place of a zone that is served
    #[arg(long)]
    replace: bool,
    /// Let this rule, and no other, be broken
    #[arg(
        long = "override",
        value_name = "RULE",
        requires = "reason",
        value_parser = PossibleValuesParser::new(guard::OVERRIDABLE)
    )]
    rule: Option<String>,
    /// Why, for the audit
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

pub(super) fn run(globals: &Globals, args: &Args) -> anyhow::Result<Exit> {
    let config = globals.config()?;
    let file = args.file.display();
    let parsed = read_zone_file(&args.file, &args.name).with_context(|| file.to_string())?;
    if !parsed.problems.is_empty() {
        for problem in parsed.problems.iter().take(PROBLEMS_MAX) {
            eprintln!("{file}: {problem}");
        }
        let more = parsed.problems.len().saturating_sub(PROBLEMS_MAX);
        if more > 0 {
            eprintln!(
                "and {more} more: lastgood zone check {file} --origin {}",
                args.name
            );
        }
        return Ok(Exit::Wanting);
    }
    // Sent record by record: the files that the text includes are on this side of the socket.
    let mut text = String::new();
    for record in &parsed.records {
        writeln!(text, "{record}")?;
    }
    let name = args.name.to_string();
    let mut query = vec![("zone", name.as_str())];
    if args.replace {
        query.push(("replace", "true"));
    }
    if let Some(rule) = &args.rule {
        query.push(("override", rule));
    }
    if let Some(reason) = &args.reason {
        query.push(("reason", reason));
    }
    let control = Control::open(&config.admin.socket)?;
    let answer = control.post_text("/v1/zone/import", &query, text)?;
    answer.report(globals.json)
}
