//! `freeze` and `thaw`.

use clap::builder::NonEmptyStringValueParser;
use serde::Serialize;

use super::control::Control;
use super::{Exit, Globals, offline};
use crate::rr::Name;

/// What a freeze is about; the whole server when it is about nothing else.
#[derive(Debug, clap::Args, Serialize)]
#[group(multiple = false)]
struct Scope {
    /// Changes of this zone
    #[arg(long, value_name = "ZONE")]
    zone: Option<Name>,
    /// Changes by this key
    #[arg(long, value_name = "KEY")]
    key: Option<Name>,
}

#[derive(Debug, clap::Args, Serialize)]
pub(super) struct FreezeArgs {
    #[command(flatten)]
    #[serde(flatten)]
    scope: Scope,
    /// Why, for those whose changes are refused and for the audit
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "no reason was given",
        value_parser = NonEmptyStringValueParser::new()
    )]
    reason: String,
}

#[derive(Debug, clap::Args, Serialize)]
pub(super) struct ThawArgs {
    #[command(flatten)]
    #[serde(flatten)]
    scope: Scope,
}

pub(super) fn freeze(globals: &Globals, args: FreezeArgs) -> anyhow::Result<Exit> {
    post(globals, "/v1/freeze", &args)
}

pub(super) fn thaw(globals: &Globals, args: ThawArgs) -> anyhow::Result<Exit> {
    post(globals, "/v1/thaw", &args)
}

fn post(globals: &Globals, path: &str, request: &impl Serialize) -> anyhow::Result<Exit> {
    let config = globals.config()?;
    offline::with_server(&config, |socket| {
        Control::open(socket)?
            .post_json(path, request)?
            .report(globals.json)
    })
}
