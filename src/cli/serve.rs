//! `serve`: a server until SIGTERM.

use serde_json::json;

use super::{Exit, Globals, print};
use crate::config::LogFormat;
use crate::server;

pub(super) fn run(globals: &Globals) -> anyhow::Result<Exit> {
    let config = globals.config()?;
    let log = config.log;
    server::init_logging(log);
    let running = server::start(config)?;
    if globals.json {
        print::json(&json!({
            "addresses": running.addresses,
            "control": running.control,
            "pid": std::process::id(),
        }))?;
    } else if log == LogFormat::Human {
        let program = std::env::args().next().unwrap_or("lastgood".to_owned());
        let screen = running.screen(&program, globals.given_config());
        print::out(&screen.to_string())?;
    }
    running.wait_for_signal()?;
    running.stop();
    Ok(Exit::Done)
}
