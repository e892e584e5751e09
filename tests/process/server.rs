//! The program itself, serving from a folder.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::client::{Client, Transport};
use super::message::{self, Response};
use super::{ports, sign};

const PATIENCE: Duration = Duration::from_secs(60);

/// Where a server has its configuration, its zones and its store.
pub struct Place {
    pub folder: tempfile::TempDir,
    pub at: SocketAddr,
}

pub struct Server {
    child: Child,
    log: PathBuf,
}

impl Place {
    pub fn new() -> Place {
        Place {
            folder: tempfile::TempDir::new().expect("a scratch folder"),
            at: SocketAddr::from(([127, 0, 0, 1], ports::free())),
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("a file in the scratch folder");
    }

    /// The head of a configuration: the key `fuzz.` may do everything.
    pub fn head(&self) -> String {
        format!(
            "[server]\nlisten = [\"{}\"]\nudp_threads = 2\n\
             [store]\npath = \"store.db\"\nretain_revisions = 1000\nretain_days = 1\n\
             [control]\nsocket = \"control.sock\"\n\
             [[key]]\nname = \"fuzz.\"\nalgorithm = \"hmac-sha256\"\nsecret = \"{}\"\n\
             allow = [{{ zone = \"*\", names = [\"**\"] }}]\n",
            self.at,
            STANDARD.encode(sign::SECRET)
        )
    }

    pub fn command(&self, words: &[&str]) -> Command {
        // Another build, such as an installed one, is tried by naming it.
        let program = std::env::var_os("LASTGOOD");
        let program = program.unwrap_or_else(|| env!("CARGO_BIN_EXE_lastgood").into());
        let mut command = Command::new(program);
        command.arg("--config").arg(self.path("lastgood.toml"));
        command.args(words);
        command
    }

    /// Runs a subcommand to its end.
    pub fn cli(&self, words: &[&str]) -> Output {
        self.command(words).output().expect("the program runs")
    }

    /// What a subcommand prints with `--json`; it must succeed.
    #[track_caller]
    pub fn json(&self, words: &[&str]) -> serde_json::Value {
        let output = self.cli(&[&["--json"], words].concat());
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success(),
            "{words:?}: {text}{}\n{}",
            String::from_utf8_lossy(&output.stderr),
            self.log_end()
        );
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// Starts a server, and does not wait for it.
    pub fn spawn(&self) -> Server {
        let log = self.path("server.log");
        let file = File::options().create(true).append(true).open(&log);
        let file = file.expect("a log");
        let child = self
            .command(&["serve"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(file)
            .spawn()
            .expect("the program runs");
        Server { child, log }
    }

    /// Starts a server, and waits until it answers for each of these zones.
    pub fn start(&self, zones: &[&str]) -> Server {
        let mut server = self.spawn();
        let begun = Instant::now();
        let mut client = Client::of(self.at);
        for (id, zone) in zones.iter().enumerate() {
            loop {
                let soa = message::query(id as u16, zone, message::SOA);
                let ended = server.child.try_wait().expect("our own child");
                assert!(ended.is_none(), "the server ended: {}", self.log_end());
                assert!(begun.elapsed() < PATIENCE, "{zone}: {}", self.log_end());
                match client.exchange(Transport::Udp, &soa, &|| begun.elapsed() > PATIENCE) {
                    Ok(answer) if !Response::read(&answer).answers.is_empty() => break,
                    // Not there yet; a zone may be imported after the doors are open.
                    _ => std::thread::sleep(Duration::from_millis(2)),
                }
            }
        }
        server
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.path("server.log")).unwrap_or_default()
    }

    /// The last lines of the log, for a failed assertion.
    pub fn log_end(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }
}

impl Server {
    /// `TERM` or `HUP`.
    pub fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", signal, &pid]).status();
        assert!(sent.expect("kill runs").success(), "our own child");
    }

    /// SIGKILL: nothing in it is finished.
    pub fn kill(mut self) {
        self.child.kill().expect("our own child");
        self.child.wait().expect("our own child");
    }

    /// Resident memory in octets.
    pub fn resident(&self) -> u64 {
        let status =
            fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("our child");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
        kib.and_then(|kib| kib.parse().ok())
            .map_or(0, |kib: u64| kib * 1024)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        // A test that fails wants to know what the server said.
        if std::thread::panicking() {
            let log = fs::read_to_string(&self.log).unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            eprintln!("{}", lines[lines.len().saturating_sub(40)..].join("\n"));
        }
    }
}
