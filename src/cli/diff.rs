//! `diff`: what lies between two revisions of a zone.

use serde::Deserialize;
use serde_json::Value;

use super::offline::{self, Source};
use super::{Exit, Globals, print};
use crate::rr::Name;
use crate::store::{Changes, StoreError};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    zone: Name,
    /// A revision; 0 is the zone before anything was in it
    #[arg(value_name = "A")]
    from: u64,
    /// Another, later or earlier
    #[arg(value_name = "B")]
    to: u64,
}

pub(super) fn run(globals: &Globals, args: &Args) -> anyhow::Result<Exit> {
    let config = globals.config()?;
    let value: Value = match offline::source(&config)? {
        Source::Server(control) => {
            let (zone, from, to) = (
                args.zone.to_string(),
                args.from.to_string(),
                args.to.to_string(),
            );
            let query = [("zone", &*zone), ("from", &*from), ("to", &*to)];
            match control.get("/v1/diff", &query)?.json()? {
                Some(value) => value,
                None => return Ok(Exit::Wanting),
            }
        }
        Source::Store(lock) => {
            let history = offline::history(&config, &lock)?;
            match history.between(&args.zone, args.from, args.to) {
                Ok(changes) => serde_json::to_value(changes)?,
                Err(
                    error @ (StoreError::NoZone(_)
                    | StoreError::NoRevision { .. }
                    | StoreError::Pruned { .. }),
                ) => {
                    eprintln!("{error}");
                    return Ok(Exit::Wanting);
                }
                Err(error) => return Err(error.into()),
            }
        }
    };
    let changes = Changes::deserialize(&value)?;
    for note in &changes.notes {
        eprintln!("note: {note}");
    }
    match globals.json {
        true => print::json(&value)?,
        false => print::out(&render(&changes))?,
    }
    Ok(Exit::Done)
}

fn render(changes: &Changes) -> String {
    let serial = |serial: Option<u32>| serial.map_or(String::new(), |s| format!(", serial {s}"));
    let mut text = format!(
        "--- {} revision {}{}\n+++ {0} revision {}{}\n",
        changes.zone,
        changes.from,
        serial(changes.from_serial),
        changes.to,
        serial(changes.to_serial),
    );
    for change in &changes.changes {
        let removed = change.removed.iter().map(|record| ('-', record));
        let added = change.added.iter().map(|record| ('+', record));
        for (sign, record) in removed.chain(added) {
            text.push_str(&format!("{sign} {record}\n"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Change;

    #[test]
    fn records_that_go_and_come_have_a_sign_each() {
        let changes = Changes {
            zone: "example.com.".to_owned(),
            from: 3,
            to: 0,
            from_serial: Some(2_026_070_103),
            to_serial: None,
            changes: vec![Change {
                owner: "api.example.com.".to_owned(),
                rtype: "A".to_owned(),
                removed: vec!["api.example.com. 60 A 192.0.2.10".to_owned()],
                added: vec!["api.example.com. 60 A 192.0.2.12".to_owned()],
            }],
            notes: Vec::new(),
        };
        assert_eq!(
            render(&changes),
            "--- example.com. revision 3, serial 2026070103\n+++ example.com. revision 0\n\
             - api.example.com. 60 A 192.0.2.10\n+ api.example.com. 60 A 192.0.2.12\n"
        );
    }
}
