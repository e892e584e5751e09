//! lastgood itself, in this process, with the zones of all.

use std::fmt::Write;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use lastgood::config::Config;
use lastgood::server::{self, Running};

use crate::ports;
use crate::zones::Zone;

pub struct Ours {
    pub at: SocketAddr,
    running: Option<Running>,
}

impl Drop for Ours {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            running.stop();
        }
    }
}

impl Ours {
    pub fn start(zones: &[Zone], scratch: &Path) -> Ours {
        let folder = scratch.join("lastgood");
        fs::create_dir(&folder).expect("a scratch folder");
        loop {
            let config = Config::from_str(&configuration(zones), &folder);
            match server::start(config.expect("a configuration")) {
                Ok(running) => {
                    return Ours {
                        at: running.addresses[0],
                        running: Some(running),
                    };
                }
                // Somebody else was quicker to take the port.
                Err(error) if format!("{error:#}").contains("Address already in use") => {}
                Err(error) => panic!("lastgood: {error:#}"),
            }
        }
    }
}

fn configuration(zones: &[Zone]) -> String {
    let port = ports::free();
    let mut text = format!(
        "[server]\nlisten = [\"127.0.0.1:{port}\"]\nudp_threads = 1\n\
         [store]\npath = \"lastgood.db\"\n[control]\nsocket = \"lastgood.sock\"\n"
    );
    for zone in zones {
        let (origin, file) = (&zone.origin, zone.file.display());
        write!(text, "[[zone]]\nname = \"{origin}\"\nfile = \"{file}\"\n").expect("memory");
    }
    text
}
