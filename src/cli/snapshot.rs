//! `snapshot show | export | restore`: the last-known-good versions.

use clap::Subcommand;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::control::Control;
use super::offline::{self, SnapshotSource};
use super::overriding::Overriding;
use super::status::Zone;
use super::{Exit, Globals, print};
use crate::admin::{Report, snapshot_status, snapshot_text};
use crate::rr::Name;

#[derive(Debug, Subcommand)]
pub(super) enum SnapshotCommand {
    /// What the last-known-good snapshot holds
    #[command(after_help = "Example:\n  lastgood snapshot show")]
    Show,
    /// Print a zone as the snapshot file has it; refused where it does not add up
    #[command(after_help = "Example:\n  lastgood snapshot export example.com. > example.com.zone")]
    Export {
        /// The zone's name
        zone: Name,
    },
    /// Write the live data of zones that hold anew, from what is served
    #[command(after_help = "Example:\n  lastgood snapshot restore example.com.\n  \
                      lastgood snapshot restore --all")]
    Restore(RestoreArgs),
}

#[derive(Debug, clap::Args)]
pub(super) struct RestoreArgs {
    /// The zones' names
    #[arg(value_name = "ZONE", required_unless_present = "all")]
    zones: Vec<Name>,
    /// Every zone that holds
    #[arg(long, conflicts_with = "zones")]
    all: bool,
    #[command(flatten)]
    overriding: Overriding,
}

pub(super) fn run(globals: &Globals, command: &SnapshotCommand) -> anyhow::Result<Exit> {
    match command {
        SnapshotCommand::Show => show(globals),
        SnapshotCommand::Export { zone } => export(globals, zone),
        SnapshotCommand::Restore(args) => restore(globals, args),
    }
}

/// What is printed of it; `--json` prints all there is.
#[derive(Debug, Deserialize)]
struct Shown {
    path: String,
    lag_secs: u64,
    trouble: Option<String>,
    zones: Vec<Kept>,
}

#[derive(Debug, Deserialize)]
struct Kept {
    zone: String,
    revision: u64,
    records: u64,
    ceiling: Option<u32>,
    lag_secs: u64,
}

fn show(globals: &Globals) -> anyhow::Result<Exit> {
    let config = globals.config()?;
    let value: Value = match offline::snapshot_source(&config)? {
        SnapshotSource::Server(control) => match control.get("/v1/snapshot", &[])?.json()? {
            Some(value) => value,
            None => return Ok(Exit::Wanting),
        },
        SnapshotSource::File(_lock) => serde_json::to_value(snapshot_status(&config.store)?)?,
    };
    let shown = Shown::deserialize(&value)?;
    match globals.json {
        true => print::json(&value)?,
        false => print::out(&render(&shown))?,
    }
    match &shown.trouble {
        None => Ok(Exit::Done),
        Some(trouble) => {
            eprintln!("the snapshot is not in order: {trouble}");
            Ok(Exit::Wanting)
        }
    }
}

fn render(shown: &Shown) -> String {
    let mut text = shown.path.clone();
    if shown.lag_secs > 0 {
        text.push_str(&format!(", {} behind", print::span(shown.lag_secs)));
    }
    text.push_str("\n\n");
    let header = ["ZONE", "REVISION", "RECORDS", "SERIALS UP TO", "BEHIND"];
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    rows.extend(shown.zones.iter().map(|zone| {
        vec![
            zone.zone.clone(),
            zone.revision.to_string(),
            zone.records.to_string(),
            zone.ceiling.map_or("-".to_owned(), |c| c.to_string()),
            match zone.lag_secs {
                0 => "-".to_owned(),
                secs => print::span(secs),
            },
        ]
    }));
    text + &print::table(&rows)
}

fn export(globals: &Globals, zone: &Name) -> anyhow::Result<Exit> {
    let config = globals.config()?;
    let text = match offline::snapshot_source(&config)? {
        SnapshotSource::Server(control) => {
            let query = [("zone", &*zone.to_string())];
            let answer = control.get("/v1/snapshot/export", &query)?;
            if !answer.status.is_success() {
                answer.complain()?;
                return Ok(Exit::Wanting);
            }
            String::from_utf8_lossy(&answer.body).into_owned()
        }
        SnapshotSource::File(_lock) => match snapshot_text(&config.store, zone)? {
            Some(text) => text,
            None => {
                eprintln!("the snapshot does not know the zone {zone}");
                return Ok(Exit::Wanting);
            }
        },
    };
    match globals.json {
        true => print::json(&serde_json::json!({ "zone": zone, "text": text }))?,
        false => print::out(&text)?,
    }
    Ok(Exit::Done)
}

#[derive(Serialize)]
struct Request<'a> {
    zone: &'a str,
    #[serde(flatten)]
    overriding: &'a Overriding,
}

/// What became of one zone.
#[derive(Serialize)]
struct Restored {
    zone: String,
    #[serde(flatten)]
    report: Report,
}

fn restore(globals: &Globals, args: &RestoreArgs) -> anyhow::Result<Exit> {
    let config = globals.config()?;
    offline::with_server(&config, |socket| {
        let zones: Vec<String> = match args.all {
            false => args.zones.iter().map(ToString::to_string).collect(),
            true => {
                let zones: Option<Vec<Zone>> =
                    Control::open(socket)?.get("/v1/zones", &[])?.json()?;
                let zones = zones.unwrap_or_default().into_iter();
                let holding = zones.filter(|zone| zone.state == "holding");
                holding.map(|zone| zone.zone).collect()
            }
        };
        let mut restored = Vec::new();
        let mut exit = Exit::Done;
        for zone in zones {
            let request = Request {
                zone: &zone,
                overriding: &args.overriding,
            };
            let control = Control::open(socket)?;
            let answer = control.post_json("/v1/snapshot/restore", &request)?;
            let Some(report) = answer.outcome()? else {
                exit = Exit::Wanting;
                continue;
            };
            if !report.is_done() {
                exit = Exit::Wanting;
            }
            if !globals.json {
                report.tell(&format!("{zone}: "))?;
            }
            restored.push(Restored { zone, report });
        }
        if globals.json {
            print::json(&restored)?;
        } else if args.all && restored.is_empty() && exit == Exit::Done {
            print::out("no zone holds\n")?;
        }
        Ok(exit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_is_shown_zone_by_zone() {
        let shown: Shown = serde_json::from_value(serde_json::json!({
            "path": "lastgood.snapshot.db", "lag_secs": 3, "trouble": null,
            "zones": [
                { "zone": "a.", "revision": 7, "records": 12, "ceiling": 1007, "lag_secs": 3 },
                { "zone": "b.", "revision": 1, "records": 4, "ceiling": null, "lag_secs": 0 },
            ],
        }))
        .unwrap();
        assert_eq!(
            render(&shown),
            "\
lastgood.snapshot.db, 3 s behind

ZONE  REVISION  RECORDS  SERIALS UP TO  BEHIND
a.    7         12       1007           3 s
b.    1         4        -              -
"
        );
    }
}
