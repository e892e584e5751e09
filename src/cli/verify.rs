//! `verify`: is everything in the store as it was written?

use serde::Deserialize;
use serde_json::Value;

use super::offline::{self, Source};
use super::{Exit, Globals, print};
use crate::store::{self, Verification};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A head noted earlier: prove that nothing up to it was rewritten
    #[arg(long, value_name = "HASH")]
    head: Option<String>,
}

pub(super) fn run(globals: &Globals, args: &Args) -> anyhow::Result<Exit> {
    let config = globals.config()?;
    let head = args.head.as_deref();
    let value: Value = match offline::source(&config)? {
        Source::Server(control) => {
            let query: Vec<_> = head.map(|head| ("head", head)).into_iter().collect();
            match control.get("/v1/verify", &query)?.json()? {
                Some(value) => value,
                None => return Ok(Exit::Wanting),
            }
        }
        Source::Store(_lock) => serde_json::to_value(store::verify(&config.store, head)?)?,
    };
    let found = Verification::deserialize(&value)?;
    match globals.json {
        true => print::json(&value)?,
        false => print::out(&render(&found))?,
    }
    Ok(verdict(&found))
}

/// Faults go to standard error.
pub(super) fn verdict(found: &Verification) -> Exit {
    for fault in &found.faults {
        eprintln!("{fault}");
    }
    match found.whole {
        true => Exit::Done,
        false => Exit::Wanting,
    }
}

pub(super) fn render(found: &Verification) -> String {
    let pruned = match found.audit_pruned {
        0 => String::new(),
        rows => format!(", after {rows} that were pruned"),
    };
    let mut text = format!(
        "audit: {} rows{pruned}\nhead: {}\nstore: {} zones, {} records, {} revisions\n",
        found.audit_rows,
        match found.head.as_str() {
            "" => "none, the chain is broken",
            head => head,
        },
        found.zones,
        found.records,
        found.revisions
    );
    if let Some(witness) = &found.witness {
        let reference =
            witness
                .reference
                .as_deref()
                .map_or("which was pruned".to_owned(), |reference| {
                    format!(
                        "{reference} of {} UTC",
                        print::time(witness.at_unix_us.unwrap_or(0))
                    )
                });
        text.push_str(&format!(
            "earlier head: row {}, {reference}; nothing up to it was rewritten, and {} rows came \
             after it\n",
            witness.id, witness.since
        ));
    }
    for note in &found.notes {
        text.push_str(&format!("note: {note}\n"));
    }
    text.push_str(match found.whole {
        true => "whole\n",
        false => "NOT whole\n",
    });
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Witness;

    #[test]
    fn the_head_is_printed_to_be_noted_and_an_earlier_one_is_proved() {
        let found = Verification {
            whole: true,
            head: "ab".repeat(32),
            audit_rows: 1_100,
            audit_pruned: 500,
            witness: Some(Witness {
                id: 812,
                reference: Some("7Q2K".to_owned()),
                at_unix_us: Some(1_760_946_491_000_000),
                since: 34,
            }),
            zones: 2,
            records: 45,
            revisions: 12,
            ..Verification::default()
        };
        assert_eq!(
            render(&found),
            format!(
                "audit: 1100 rows, after 500 that were pruned\nhead: {}\n\
                 store: 2 zones, 45 records, 12 revisions\n\
                 earlier head: row 812, 7Q2K of 2025-10-20 07:48:11 UTC; nothing up to it was \
                 rewritten, and 34 rows came after it\nwhole\n",
                "ab".repeat(32)
            )
        );
        assert!(render(&Verification::default()).ends_with("NOT whole\n"));
    }
}
