//! `zone list | check | import | export | remove | accept`.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Subcommand;

use super::offline::{self, Source};
use super::status::{Zone, zone_table};
use super::{Exit, Globals, import, print, verbs};
use crate::admin::{Examined, examine};
use crate::check::Severity;
use crate::config::Config;
use crate::rr::Name;
use crate::server::{StoreLock, read_zone_file};
use crate::zone::ZoneImage;
use crate::zonefile;

#[derive(Debug, Subcommand)]
pub(super) enum ZoneCommand {
    /// List the zones
    #[command(after_help = "Example:\n  lastgood zone list")]
    List,
    /// Say everything that is wrong with a zone file; needs neither server nor configuration
    #[command(
        after_help = "Example:\n  lastgood zone check example.com.zone --origin example.com."
    )]
    Check {
        /// The zone file
        file: PathBuf,
        /// The zone's name
        #[arg(long, value_name = "NAME")]
        origin: Name,
    },
    /// Bring a zone file into the server, whole or not at all
    #[command(
        after_help = "Example:\n  lastgood zone import example.com. example.com.zone --replace"
    )]
    Import(import::Args),
    /// Print a zone as a zone file, as it is served
    #[command(after_help = "Example:\n  lastgood zone export example.com. > example.com.zone")]
    Export {
        /// The zone's name
        name: Name,
    },
    /// Take a zone away, with all its records
    #[command(after_help = "Example:\n  lastgood zone remove example.com.\n  \
                      lastgood zone remove example.com. --override min-members --reason INC-421")]
    Remove(verbs::Args),
    /// Take the live data of a zone that holds as they are
    #[command(
        after_help = "Example:\n  lastgood zone accept example.com. --override min-members --reason INC-421"
    )]
    Accept(verbs::Args),
}

pub(super) fn run(globals: &Globals, command: ZoneCommand) -> anyhow::Result<Exit> {
    match command {
        ZoneCommand::List => list(globals),
        ZoneCommand::Check { file, origin } => check(globals, &file, &origin),
        ZoneCommand::Import(args) => import::run(globals, &args),
        ZoneCommand::Export { name } => export(globals, &name),
        ZoneCommand::Remove(args) => verbs::remove(globals, &args),
        ZoneCommand::Accept(args) => verbs::accept(globals, &args),
    }
}

fn list(globals: &Globals) -> anyhow::Result<Exit> {
    let config = globals.config()?;
    let zones: Vec<Zone> = match offline::source(&config)? {
        Source::Server(control) => match control.get("/v1/zones", &[])?.json()? {
            Some(zones) => zones,
            None => return Ok(Exit::Wanting),
        },
        Source::Store(lock) => stored(&config, &lock)?,
    };
    match globals.json {
        true => print::json(&zones)?,
        false => print::out(&zone_table(&zones))?,
    }
    Ok(Exit::Done)
}

/// The zones of a store that no server has open.
fn stored(config: &Config, lock: &StoreLock) -> anyhow::Result<Vec<Zone>> {
    let zones = offline::store(config, lock)?.zones()?;
    for bad in &zones.bad {
        eprintln!("{bad}");
    }
    let zone = |row: crate::store::ZoneRow| Zone {
        zone: row.origin.to_string(),
        serial: row.serial,
        revision: row.revision,
        records: None,
        state: "not served".to_owned(),
        held_secs: None,
        reason: None,
        mend: None,
        orphaned: false,
        snapshot_revision: None,
        snapshot_lag_secs: None,
        frozen: Vec::new(),
        last_update: None,
        last_refusal: None,
        findings: Vec::new(),
    };
    Ok(zones.rows.into_iter().map(zone).collect())
}

fn export(globals: &Globals, name: &Name) -> anyhow::Result<Exit> {
    let config = globals.config()?;
    let text = match offline::source(&config)? {
        Source::Server(control) => {
            let answer = control.get("/v1/zone/export", &[("zone", &name.to_string())])?;
            if !answer.status.is_success() {
                answer.complain()?;
                return Ok(Exit::Wanting);
            }
            String::from_utf8_lossy(&answer.body).into_owned()
        }
        Source::Store(lock) => match stored_text(&config, &lock, name)? {
            Ok(text) => text,
            Err(reason) => {
                eprintln!("{reason}");
                return Ok(Exit::Wanting);
            }
        },
    };
    match globals.json {
        true => print::json(&serde_json::json!({ "zone": name, "text": text }))?,
        false => print::out(&text)?,
    }
    Ok(Exit::Done)
}

/// A zone of a store that no server has open, or why it cannot be told whole.
fn stored_text(
    config: &Config,
    lock: &StoreLock,
    name: &Name,
) -> anyhow::Result<Result<String, String>> {
    let store = offline::store(config, lock)?;
    let zones = store.zones()?;
    if let Some(bad) = zones
        .bad
        .iter()
        .find(|bad| bad.origin.as_ref() == Some(name))
    {
        return Ok(Err(bad.to_string()));
    }
    if !zones.rows.iter().any(|row| row.origin == *name) {
        return Ok(Err(format!("the store does not know the zone {name}")));
    }
    let loaded = store.load(name)?;
    if let Some(bad) = loaded.bad.first() {
        return Ok(Err(format!(
            "row {} of {name} cannot be read: {}",
            bad.id, bad.reason
        )));
    }
    let image = ZoneImage::from_records(name.clone(), loaded.records);
    Ok(match image {
        Ok(image) => Ok(zonefile::print(&image)),
        Err(outside) => Err(outside.to_string()),
    })
}

fn check(globals: &Globals, file: &Path, origin: &Name) -> anyhow::Result<Exit> {
    let parsed = read_zone_file(file, origin).with_context(|| file.display().to_string())?;
    let examined = examine(origin, parsed);
    match globals.json {
        true => print::json(&examined)?,
        false => print::out(&render(&examined, file))?,
    }
    if examined.is_fit() {
        return Ok(Exit::Done);
    }
    eprintln!("{} is not fit to be served", file.display());
    Ok(Exit::Wanting)
}

fn render(examined: &Examined, file: &Path) -> String {
    let serial = examined
        .serial
        .map_or("no serial".to_owned(), |serial| format!("serial {serial}"));
    let mut text = format!(
        "{}: {} records, {serial}\n",
        examined.zone, examined.records
    );
    let mut rows: Vec<Vec<String>> = examined
        .problems
        .iter()
        .map(|problem| vec!["unread".to_owned(), problem.in_file(file)])
        .collect();
    rows.extend(examined.findings.iter().map(|finding| {
        let severity = match finding.severity {
            Severity::Fatal => "fatal",
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        vec![severity.to_owned(), finding.sentence.clone()]
    }));
    text.push_str(&print::table(&rows));
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Finding;
    use crate::zonefile::Problem;

    #[test]
    fn a_check_prints_every_finding() {
        let finding = |severity, sentence: &str| Finding {
            severity,
            check: "some-check",
            owner: "example.com.".parse().unwrap(),
            data: String::new(),
            sentence: sentence.to_owned(),
        };
        let examined = Examined {
            zone: "example.com.".parse().unwrap(),
            records: 12,
            serial: None,
            problems: vec![Problem {
                file: None,
                line: 3,
                column: 5,
                reason: "a TTL is missing".to_owned(),
            }],
            findings: vec![
                finding(Severity::Fatal, "example.com. has no SOA"),
                finding(Severity::Warning, "example.com. has one NS"),
            ],
        };
        assert_eq!(
            render(&examined, Path::new("a.zone")),
            "example.com.: 12 records, no serial\n\
             unread   a.zone:3:5: a TTL is missing\n\
             fatal    example.com. has no SOA\n\
             warning  example.com. has one NS\n"
        );
        assert!(!examined.is_fit());
    }
}
