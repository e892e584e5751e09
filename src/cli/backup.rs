//! `backup`: a copy of the store in one file, while the server goes on.

use std::path::PathBuf;

use serde::Deserialize;
use serde_json::{Value, json};

use super::offline::{self, Source};
use super::{Exit, Globals, print, verify};
use crate::store::{self, Backup, StoreError};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The copy; written by the server, so where its user may write. Nothing is overwritten
    file: PathBuf,
}

pub(super) fn run(globals: &Globals, args: &Args) -> anyhow::Result<Exit> {
    let config = globals.config()?;
    let file = std::path::absolute(&args.file)?;
    let value: Value = match offline::source(&config)? {
        Source::Server(control) => {
            let answer = control.post_json("/v1/backup", &json!({ "file": file }))?;
            match answer.json()? {
                Some(value) => value,
                None => return Ok(Exit::Wanting),
            }
        }
        Source::Store(_lock) => match store::backup(&config.store, &file) {
            Ok(backup) => serde_json::to_value(backup)?,
            Err(error @ StoreError::InTheWay(_)) => {
                eprintln!("{error}");
                return Ok(Exit::Wanting);
            }
            Err(error) => return Err(error.into()),
        },
    };
    let made = Backup::deserialize(&value)?;
    match globals.json {
        true => print::json(&value)?,
        false => print::out(&render(&made))?,
    }
    // The copy holds what the store holds, its faults as well.
    Ok(verify::verdict(&made.verification))
}

fn render(made: &Backup) -> String {
    format!(
        "{}: {} octets\n{}",
        made.file.display(),
        made.octets,
        verify::render(&made.verification)
    )
}
