//! `zone import`: a zone file into the server, whole or not at all.

use std::fmt::Write;
use std::path::PathBuf;

use anyhow::Context;

use super::control::Control;
use super::overriding::Overriding;
use super::{Exit, Globals, offline};
use crate::check;
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
    #[command(flatten)]
    overriding: Overriding,
}

pub(super) fn run(globals: &Globals, args: &Args) -> anyhow::Result<Exit> {
    let config = globals.config()?;
    let file = args.file.display();
    let parsed = read_zone_file(&args.file, &args.name).with_context(|| file.to_string())?;
    if !parsed.problems.is_empty() {
        for problem in parsed.problems.iter().take(PROBLEMS_MAX) {
            eprintln!("{}", problem.in_file(&args.file));
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
    for (owner, ttl) in &parsed.large_ttls {
        eprintln!("{}", check::of_large_ttl(owner, *ttl));
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
    query.extend(args.overriding.pairs());
    offline::with_server_or_anew(&config, |socket| {
        let answer = Control::open(socket)?.post_text("/v1/zone/import", &query, text)?;
        answer.report(globals.json)
    })
}
