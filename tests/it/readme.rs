//! The README's commands, run in their order, print what the README says they print.
//!
//! A block fenced as `sh` is run; a block fenced as `text` right after it is what it prints. Numbers,
//! times and references differ from run to run and are not compared; nor is what the README leaves out:
//! its lines must come in their order among those printed. A block that only looks (see `looks`) is
//! asked again until it shows what it should, since a hold is noticed a moment after the damage.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use lastgood::config::Config;

use crate::harness::eventually;
use crate::harness::lab::{self, Lab};
use crate::harness::programs::{self, Ran};

struct Block {
    line: usize,
    commands: String,
    /// Nothing when the README shows no output.
    prints: Option<String>,
}

fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")
}

fn blocks(readme: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut fence: Option<(&str, usize, String)> = None;
    for (number, line) in readme.lines().enumerate() {
        match (&mut fence, line.strip_prefix("```")) {
            (None, Some(language)) => fence = Some((language, number + 1, String::new())),
            (Some((_, _, body)), None) => *body += &format!("{line}\n"),
            (Some(_), Some(_)) => match fence.take().expect("just seen") {
                ("sh", line, commands) => blocks.push(Block {
                    line,
                    commands,
                    prints: None,
                }),
                ("text", _, body) => {
                    let block = blocks.last_mut().expect("a command before its output");
                    assert!(block.prints.is_none(), "one output for line {}", block.line);
                    block.prints = Some(body);
                }
                _ => {}
            },
            (None, None) => {}
        }
    }
    blocks
}

/// Commands that change nothing may be repeated.
fn looks(commands: &str) -> bool {
    let verbs = [
        "ask ",
        "lastgood status",
        "lastgood why",
        "lastgood log",
        "lastgood zone list",
    ];
    commands
        .lines()
        .all(|line| verbs.iter().any(|verb| line.starts_with(verb)))
}

/// Digits as `0`, references as `0`, one space between words, small times alike.
fn comparable(text: &str, references: &[String]) -> Vec<String> {
    let plain = |line: &str| {
        let mut line = line.replace("µs", "ms");
        for reference in references {
            line = line.replace(reference, "0");
        }
        let mut told = String::new();
        for letter in line
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
            .chars()
        {
            if !letter.is_ascii_digit() {
                told.push(letter);
            } else if !told.ends_with('0') {
                told.push('0');
            }
        }
        // A time of one digit or of two.
        told.replace("0.0 ms", "0 ms")
    };
    text.lines()
        .map(plain)
        .filter(|line| !line.is_empty())
        .collect()
}

/// The first expected line that does not come where it should.
fn missing(expected: &[String], printed: &[String]) -> Option<String> {
    let mut rest = printed.iter();
    expected
        .iter()
        .filter(|line| *line != "…")
        .find(|line| !rest.any(|other| other == *line))
        .cloned()
}

/// The README's references: what its `lastgood why` is given.
fn references(readme: &[Block]) -> Vec<String> {
    let lines = readme.iter().flat_map(|block| block.commands.lines());
    lines
        .filter_map(|line| line.strip_prefix("lastgood why "))
        .map(str::to_owned)
        .collect()
}

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

    fn run(&self, commands: &str) -> Ran {
        programs::run(&mut self.bash(commands), "")
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
            let screen = comparable(&self.lab.read("log"), &[]);
            match missing(&comparable(prints, &[]), &screen) {
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

    /// Every reference so far, the newest first.
    fn references(&self) -> Vec<String> {
        let rows = self.program(&["--json", "log", "--limit", "500"]).json();
        let rows = rows.as_array().expect("rows");
        let of = |row: &serde_json::Value| row["reference"].as_str().map(str::to_owned);
        rows.iter().filter_map(of).collect()
    }

    /// The reference of the newest refusal.
    fn refusal(&self) -> String {
        let rows = self.program(&["--json", "log", "--limit", "500"]).json();
        let rows = rows.as_array().expect("rows");
        let refused = rows
            .iter()
            .find(|row| row["outcome"] == "refused")
            .expect("a refusal");
        refused["reference"]
            .as_str()
            .expect("a reference")
            .to_owned()
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
    let readme = blocks(&fs::read_to_string(path()).expect("the README"));
    assert!(readme.len() > 8, "the README has commands");
    let written = references(&readme);
    let mut copy = Copy::new();
    for block in &readme {
        if block.commands.contains(" serve") {
            copy.serve(block);
        } else if block.commands.contains("() {") {
            copy.prelude += &block.commands;
        } else if !block.commands.starts_with("tests/") && !block.commands.starts_with("git ") {
            follow(&copy, block, &written);
        }
    }
}

#[test]
fn every_configuration_in_the_readme_is_one() {
    let text = fs::read_to_string(path()).expect("the README");
    let parts: Vec<&str> = text.split("```toml\n").skip(1).collect();
    assert!(!parts.is_empty(), "the README shows a configuration");
    for part in parts {
        let config = part.split("```").next().expect("the start of a part");
        if let Err(error) = Config::from_str(config, Path::new("/")) {
            panic!("{error}");
        }
    }
}

/// Runs one block and compares what it prints.
fn follow(copy: &Copy, block: &Block, written: &[String]) {
    let mut commands = block.commands.clone();
    for reference in written {
        if commands.contains(&format!("why {reference}")) {
            commands = commands.replace(reference, &copy.refusal());
        }
    }
    let attempt = || {
        let ran = copy.run(&commands);
        let Some(prints) = &block.prints else {
            return if ran.ok() {
                Ok(())
            } else {
                Err(ran.to_string())
            };
        };
        let printed = comparable(&ran.both(), &copy.references());
        match missing(&comparable(prints, written), &printed) {
            None => Ok(()),
            Some(line) => Err(format!("no line `{line}` in its place in {printed:#?}")),
        }
    };
    let what = format!("README line {}: {commands}", block.line);
    if looks(&commands) {
        eventually(&what, attempt);
    } else if let Err(reason) = attempt() {
        panic!("{what}: {reason}");
    }
}

#[test]
fn a_missing_line_of_output_is_noticed() {
    let expected = comparable(
        "api   60 IN A 192.0.2.10\n…\nref=7Q2K\n",
        &["7Q2K".to_owned()],
    );
    let printed = comparable(
        "x\napi 60 IN A 192.0.2.77\ny\nref=9ZZZ",
        &["9ZZZ".to_owned()],
    );
    assert_eq!(missing(&expected, &printed), None);
    assert_eq!(missing(&expected, &printed[1..2]), Some("ref=0".to_owned()));
}
