//! `zone remove` and `zone accept`.

use serde::Serialize;

use super::control::Control;
use super::overriding::Overriding;
use super::{Exit, Globals, offline};
use crate::rr::Name;

#[derive(Debug, clap::Args, Serialize)]
pub(super) struct Args {
    /// The zone's name
    #[arg(value_name = "NAME")]
    zone: Name,
    #[command(flatten)]
    #[serde(flatten)]
    overriding: Overriding,
}

pub(super) fn remove(globals: &Globals, args: &Args) -> anyhow::Result<Exit> {
    let exit = post(globals, "/v1/zone/remove", args)?;
    let config = globals.config()?;
    let stanza = config
        .zones
        .iter()
        .find(|stanza| stanza.origin == args.zone);
    if exit == Exit::Done
        && let Some(stanza) = stanza
    {
        let what = match stanza.file {
            Some(_) => "its file is imported again",
            None => "it answers SERVFAIL again",
        };
        eprintln!(
            "{} has a stanza in {} still: with the next reload or start {what}",
            args.zone,
            config.file.display()
        );
    }
    Ok(exit)
}

pub(super) fn accept(globals: &Globals, args: &Args) -> anyhow::Result<Exit> {
    post(globals, "/v1/zone/accept", args)
}

fn post(globals: &Globals, path: &str, args: &Args) -> anyhow::Result<Exit> {
    let config = globals.config()?;
    offline::with_server(&config, |socket| {
        Control::open(socket)?
            .post_json(path, args)?
            .report(globals.json)
    })
}
