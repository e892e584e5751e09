//! The README's commands, run in their order, print what the README says they print (see
//! `harness::pages`).

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use lastgood::config::Config;

use crate::harness::eventually;
use crate::harness::lab::{self, Lab};
use crate::harness::pages::{self, Block, Page, Scene};
use crate::harness::programs::{self, Ran};

/// What is run when this is.
pub const ITSELF: &str = "tests/run\n";

/// A copy of what the README starts from: the demo, and the program where cargo would put it.
struct Copy {
    lab: Lab,
    port: u16,
    prelude: String,
    server: Option<Child>,
}

impl Copy {
    fn new() -> Copy {
        let lab = Lab::prepared("", &[]);
        for folder in ["zones", "target/release", "bin"] {
            fs::create_dir_all(lab.path(folder)).expect("a folder");
        }
        for entry in fs::read_dir(lab::zones()).expect("zones") {
            let path = entry.expect("a file").path();
            if path.is_file() {
                let name = path.file_name().expect("a name");
                fs::copy(&path, lab.path("zones").join(name)).expect("copied");
            }
        }
        let port = lab.port;
        let demo = lab
            .read("zones/demo.toml")
            .replace(":5300\"", &format!(":{port}\""));
        lab.write("zones/demo.toml", &demo);
        symlink(
            env!("CARGO_BIN_EXE_lastgood"),
            lab.path("target/release/lastgood"),
        )
        .expect("a link");
        // It is built already: `cargo run … -- words` only runs it.
        let shim = "#!/bin/sh\nwhile [ \"$1\" != -- ]; do shift; done; shift\n\
                    exec target/release/lastgood \"$@\"\n";
        lab.write("bin/cargo", shim);
        fs::set_permissions(lab.path("bin/cargo"), fs::Permissions::from_mode(0o755))
            .expect("ours");
        Copy {
            lab,
            port,
            prelude: String::new(),
            server: None,
        }
    }

    fn bash(&self, commands: &str) -> Command {
        let commands = format!("{}{commands}", self.prelude);
        let commands = commands.replace("5300", &self.port.to_string());
        let path = std::env::var("PATH").unwrap_or_default();
        let mut command = Command::new("bash");
        command.args(["-c", &commands]);
        command.env("PATH", format!("{}:{path}", self.lab.path("bin").display()));
        command.current_dir(self.lab.path(""));
        command
    }

    /// `exec`, so that the process we end is the server itself.
    fn serve(&mut self, block: &Block) {
        assert!(self.server.is_none(), "served once");
        let mut command = self.bash(&format!("exec {}", block.commands.trim()));
        let log = fs::File::create(self.lab.path("log")).expect("a file");
        let both = log.try_clone().expect("a file");
        let child = command
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(both)
            .spawn();
        self.server = Some(child.expect("the server starts"));
        let prints = block
            .prints
            .as_ref()
            .expect("the README shows the first screen");
        eventually("the first screen", || {
            let screen = pages::comparable(&self.lab.read("log"), &[]);
            match pages::missing(&pages::comparable(prints, &[]), &screen) {
                None => Ok(()),
                Some(line) => Err(format!("no line `{line}` in its place in {screen:#?}")),
            }
        });
    }

    fn program(&self, words: &[&str]) -> Ran {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lastgood"));
        command
            .arg("--config")
            .arg(self.lab.path("zones/demo.toml"))
            .args(words);
        programs::run(&mut command, "")
    }
}

impl Scene for Copy {
    fn run(&self, commands: &str) -> Ran {
        programs::run(&mut self.bash(commands), "")
    }

    fn log(&self) -> Vec<serde_json::Value> {
        let rows = self.program(&["--json", "log", "--limit", "500"]).json();
        rows.as_array().expect("rows").clone()
    }

    fn write(&self, path: &Path, text: &str) {
        fs::write(self.lab.path("").join(path), text).expect("a file");
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        if let Some(mut server) = self.server.take() {
            let _ = server.kill();
            let _ = server.wait();
        }
    }
}

#[test]
fn every_command_of_the_readme_does_what_the_readme_says() {
    let readme = Page::read("README.md");
    assert!(readme.blocks.len() > 8, "the README has commands");
    let mut copy = Copy::new();
    for block in &readme.blocks {
        if block.commands.contains(" serve") {
            copy.serve(block);
        } else if block.commands.contains("() {") {
            copy.prelude += &block.commands;
        } else if block.commands != ITSELF {
            readme.follow(&copy, block);
        }
    }
}

#[test]
fn every_configuration_in_the_readme_is_one() {
    let readme = Page::read("README.md");
    let parts = readme.fenced("toml");
    assert!(!parts.is_empty(), "the README shows a configuration");
    for part in parts {
        if let Err(error) = Config::from_str(&part, Path::new("/")) {
            panic!("{error}");
        }
    }
}
