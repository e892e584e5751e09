//! The command line: one file for each command.
//!
//! Read first: [`run`] and `Command` here, then `control` (asking the running server), `offline`
//! (the same work where no server runs) and `print`.
//! Not here: what the commands ask for (`admin` answers them), the server itself (`server`).

mod backup;
mod control;
mod diff;
mod freeze;
mod import;
mod key;
mod log;
mod offline;
mod overriding;
#[cfg(test)]
mod paper;
mod print;
mod record;
mod reload;
mod serve;
mod snapshot;
mod status;
mod verbs;
mod verify;
mod why;
mod zone;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::Config;

#[derive(Debug, Parser)]
#[command(
    name = "lastgood",
    version,
    about = "An authoritative DNS server that cannot be talked into an outage",
    after_help = "Exit codes: 0 done; 1 refused or found wanting, the reason on standard error; \
                  2 usage or environment.\n\nExample:\n  lastgood --config zones/demo.toml serve"
)]
struct Cli {
    #[command(flatten)]
    globals: Globals,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Args)]
struct Globals {
    /// The configuration [default: lastgood.toml, then /etc/lastgood/lastgood.toml]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print JSON
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the configured zones until SIGTERM
    #[command(after_help = "Example:\n  lastgood --config zones/demo.toml serve")]
    Serve,
    /// Read the configuration anew; refused where it protects less or what is served does not meet it
    #[command(after_help = "Example:\n  lastgood reload\n  lastgood reload --weaker")]
    Reload(reload::Args),
    /// How the server and its zones are; exit code 1 when a zone holds or cannot be served
    #[command(after_help = "Example:\n  lastgood status\n  lastgood --json status")]
    Status,
    /// List, check, import, export, remove and accept zones
    #[command(subcommand)]
    Zone(zone::ZoneCommand),
    /// Look at the last-known-good versions, and rebuild live data from them
    #[command(subcommand)]
    Snapshot(snapshot::SnapshotCommand),
    /// Tell who asked for a change, what was asked, and how each rule judged it
    #[command(after_help = "Example:\n  lastgood why 7Q2K")]
    Why(why::Args),
    /// The latest changes, refused ones included
    #[command(after_help = "Example:\n  lastgood log example.com. --limit 50")]
    Log(log::Args),
    /// What lies between two revisions of a zone
    #[command(after_help = "Example:\n  lastgood diff example.com. 3 5")]
    Diff(diff::Args),
    /// Read the whole store and compare it with what was written; exit code 1 when it differs
    #[command(after_help = "Example:\n  lastgood verify\n  lastgood verify --head HASH")]
    Verify(verify::Args),
    /// Copy the store to a new file, while the server goes on
    #[command(after_help = "Example:\n  lastgood backup /var/lib/lastgood/backup.db")]
    Backup(backup::Args),
    /// Refuse every change of the server, of a zone or by a key, until thawed
    #[command(after_help = "Example:\n  lastgood freeze --zone example.com. --reason \"INC-421\"")]
    Freeze(freeze::FreezeArgs),
    /// End a freeze
    #[command(after_help = "Example:\n  lastgood thaw --zone example.com.")]
    Thaw(freeze::ThawArgs),
    /// Make keys for signed updates
    #[command(subcommand)]
    Key(key::KeyCommand),
}

/// How a command ended that could do its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Exit {
    Done,
    /// Refused, or found wanting; the reason has been printed on standard error.
    Wanting,
}

impl Globals {
    fn config_path(&self) -> anyhow::Result<PathBuf> {
        match &self.config {
            Some(path) => Ok(path.clone()),
            None => Ok(Config::default_path()?),
        }
    }

    fn config(&self) -> anyhow::Result<Config> {
        Ok(Config::load(&self.config_path()?)?)
    }

    fn given_config(&self) -> Option<&Path> {
        self.config.as_deref()
    }
}

/// Runs the command that this process was started with.
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    let globals = &cli.globals;
    let result = match cli.command {
        Command::Serve => serve::run(globals),
        Command::Reload(args) => reload::run(globals, &args),
        Command::Status => status::run(globals),
        Command::Zone(command) => zone::run(globals, command),
        Command::Snapshot(command) => snapshot::run(globals, &command),
        Command::Why(args) => why::run(globals, &args),
        Command::Log(args) => log::run(globals, &args),
        Command::Diff(args) => diff::run(globals, &args),
        Command::Verify(args) => verify::run(globals, &args),
        Command::Backup(args) => backup::run(globals, &args),
        Command::Freeze(args) => freeze::freeze(globals, args),
        Command::Thaw(args) => freeze::thaw(globals, args),
        Command::Key(command) => key::run(globals, command),
    };
    match result {
        Ok(Exit::Done) => ExitCode::SUCCESS,
        Ok(Exit::Wanting) => ExitCode::from(1),
        Err(error) => {
            eprintln!("lastgood: {error:#}");
            ExitCode::from(2)
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_help_of_every_command_has_an_example() {
        fn walk(command: &clap::Command) {
            if command.get_name() == "help" {
                return;
            }
            if command.get_subcommands().next().is_none() {
                let help = command.get_after_help().map(ToString::to_string);
                let help = help.unwrap_or_default();
                assert!(
                    help.contains("Example:\n  lastgood "),
                    "{}",
                    command.get_name()
                );
            }
            command.get_subcommands().for_each(walk);
        }
        let command = Cli::command();
        command.clone().debug_assert();
        walk(&command);
    }

    #[test]
    fn an_override_needs_a_reason_and_a_thaw_is_about_one_thing() {
        for wrong in [
            "lastgood zone import a. a.zone --override min-members",
            "lastgood thaw --zone a. --key b.",
            "lastgood zone remove a. --override min-members",
            "lastgood zone accept a. --reason x",
            "lastgood snapshot restore",
            "lastgood snapshot restore a. --all",
            "lastgood zone import a. a.zone --override min_members --reason x",
            "lastgood freeze --reason=",
            "lastgood zone check a.zone",
            "lastgood why",
        ] {
            assert!(Cli::try_parse_from(wrong.split(' ')).is_err(), "{wrong}");
        }
        Cli::try_parse_from("lastgood zone export a. --json --config x.toml".split(' ')).unwrap();
    }
}
