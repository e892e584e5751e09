//! `serve`: a server until SIGTERM.

use std::io::Write;

use serde_json::json;

use super::{Exit, Globals, print};
use crate::config::LogFormat;
use crate::server::{self, Running};

pub(super) fn run(globals: &Globals) -> anyhow::Result<Exit> {
    // Secrets will be in our memory: whatever happens, it is not written to a disk. Before any is
    // read; where the system will not have it, the limit of the service remains.
    let _ = nix::sys::prctl::set_dumpable(false);
    let config = globals.config()?;
    let log = config.log;
    let _logs = server::init_logging(log);
    let mut running = server::start_process(config)?;
    running.tell_ready();
    if let Some(text) = first_words(globals, log, &running)? {
        show(&text);
    }
    running.wait_for_signal();
    running.tell_stopping();
    running.stop();
    Ok(Exit::Done)
}

fn first_words(
    globals: &Globals,
    log: LogFormat,
    running: &Running,
) -> anyhow::Result<Option<String>> {
    if globals.json {
        return print::json_text(&json!({
            "addresses": running.addresses,
            "control": running.control,
            "pid": std::process::id(),
        }))
        .map(Some);
    }
    let program = || std::env::args().next().unwrap_or("lastgood".to_owned());
    let screen = || {
        running
            .screen(&program(), globals.given_config())
            .to_string()
    };
    Ok((log == LogFormat::Human).then(screen))
}

/// A server serves whether or not anybody reads what it says.
fn show(text: &str) {
    let mut stdout = std::io::stdout().lock();
    if let Err(error) = stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
    {
        tracing::warn!(%error, "the first screen could not be shown");
    }
}
