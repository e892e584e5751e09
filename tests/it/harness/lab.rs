//! A lab: a folder of its own with a configuration, zone files, a store, and a server that runs in
//! this process on a port of its own.

use std::env;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use lastgood::config::Config;
use lastgood::server::{self, Running};
use tempfile::TempDir;

use super::dig::Reply;
use super::patience::eventually;
use super::ports;
use super::programs::{self, Ran};

/// The secret of the key `demo.`, which stands in `zones/demo.toml` for everybody to read.
pub const PUBLIC_SECRET: &str = "WKZ39kkvgpba4UEvEnSvhgCfMXhnuX13l6llAW7bRXk=";

pub struct Lab {
    folder: TempDir,
    pub port: u16,
    running: Option<Running>,
    addresses: Vec<SocketAddr>,
}

/// The repository's `zones`.
pub fn zones() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("zones")
}

/// The head of a configuration: one store, both loopbacks, the key `demo.` with every right.
pub fn head() -> String {
    format!(
        "[server]\nlisten = [\"127.0.0.1:0\", \"[::1]:0\"]\nudp_threads = 1\n\
         [store]\npath = \"data/demo.db\"\n[control]\nsocket = \"data/demo.sock\"\n\
         [[key]]\nname = \"demo.\"\nalgorithm = \"hmac-sha256\"\nsecret = \"{PUBLIC_SECRET}\"\n\
         allow = [{{ zone = \"*\", names = [\"**\"] }}]\n"
    )
}

/// A zone file's SOA and NS.
pub fn apex(origin: &str) -> String {
    format!(
        "$ORIGIN {origin}\n$TTL 300\n@ SOA ns1.invalid. hostmaster.invalid. 1 7200 900 1209600 300\n\
         @ NS ns1.invalid.\n@ NS ns2.invalid.\n"
    )
}

impl Lab {
    /// The demo of `zones/`, as it stands there, but for the port.
    pub fn demo() -> Lab {
        let mut lab = Lab::prepared_demo();
        lab.start();
        lab
    }

    /// The demo after an update, with everything in both files, and stopped.
    pub fn stopped_demo(update: &str) -> Lab {
        let mut lab = Lab::demo();
        assert_eq!(lab.update(update), "NOERROR");
        lab.settle("example.com.");
        lab.stop();
        lab
    }

    /// The demo's files in place, no server yet.
    pub fn prepared_demo() -> Lab {
        let demo = fs::read_to_string(zones().join("demo.toml")).expect("zones/demo.toml");
        let lab = Lab::prepared(&demo.replace(":5300\"", ":0\""), &[]);
        for name in ["example.com.zone", "2.0.192.in-addr.arpa.zone"] {
            fs::copy(zones().join(name), lab.path(name)).expect("a zone file of the demo");
        }
        lab
    }

    /// A configuration and files of its own.
    pub fn of(config: &str, files: &[(&str, &str)]) -> Lab {
        let mut lab = Lab::prepared(config, files);
        lab.start();
        lab
    }

    pub fn prepared(config: &str, files: &[(&str, &str)]) -> Lab {
        let folder = TempDir::new().expect("a scratch folder");
        let port = ports::free();
        let lab = Lab {
            folder,
            port,
            running: None,
            addresses: Vec::new(),
        };
        // Port 0 stands for the lab's own.
        lab.write(
            "lastgood.toml",
            &config.replace(":0\"", &format!(":{port}\"")),
        );
        for (name, text) in files {
            lab.write(name, text);
        }
        lab
    }

    pub fn start(&mut self) {
        // Another run of the tests may have taken it while no server of ours ran.
        if !ports::is_free(self.port) {
            self.take_another_port();
        }
        while let Err(error) = self.try_start() {
            // Somebody else was quicker to take the port.
            assert!(error.contains("Address already in use"), "{error}");
            self.take_another_port();
        }
    }

    fn take_another_port(&mut self) {
        let config = self.read("lastgood.toml");
        let (old, new) = (self.port, ports::free());
        let config = config.replace(&format!(":{old}\""), &format!(":{new}\""));
        self.write("lastgood.toml", &config);
        self.port = new;
    }

    pub fn try_start(&mut self) -> Result<(), String> {
        assert!(self.running.is_none(), "one server at a time");
        let text = self.read("lastgood.toml");
        let config = Config::from_str(&text, self.folder.path()).map_err(|e| e.to_string())?;
        let running = server::start(config).map_err(|error| format!("{error:#}"))?;
        self.addresses.clone_from(&running.addresses);
        self.running = Some(running);
        Ok(())
    }

    pub fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            running.stop();
        }
    }

    pub fn restart(&mut self) {
        self.stop();
        self.start();
    }

    pub fn v4(&self) -> SocketAddr {
        *self
            .addresses
            .iter()
            .find(|address| address.is_ipv4())
            .expect("an IPv4 address")
    }

    pub fn v6(&self) -> SocketAddr {
        *self
            .addresses
            .iter()
            .find(|address| address.is_ipv6())
            .expect("an IPv6 address")
    }

    /// Where metrics are read over TCP.
    pub fn metrics(&self) -> Option<SocketAddr> {
        self.running.as_ref().and_then(|running| running.metrics)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn database(&self) -> PathBuf {
        self.path("data/demo.db")
    }

    /// The last-known-good.
    pub fn snapshot(&self) -> PathBuf {
        self.path("data/demo.snapshot.db")
    }

    /// Waits until the snapshot has what is served of a zone.
    #[track_caller]
    pub fn settle(&self, zone: &str) {
        eventually("the snapshot has caught up", || {
            let status = self.status(zone);
            match status["snapshot_revision"] == status["revision"] {
                true => Ok(()),
                false => Err(status.to_string()),
            }
        });
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).expect("a file of the lab")
    }

    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("a file of the lab");
    }

    /// `dig NAME TYPE …` over UDP and IPv4 unless the words say otherwise.
    #[track_caller]
    pub fn dig(&self, words: &str) -> Reply {
        dig(self.v4(), words)
    }

    #[track_caller]
    pub fn dig6(&self, words: &str) -> Reply {
        dig(self.v6(), words)
    }

    /// The sorted RDATA of an answer that is no error.
    #[track_caller]
    pub fn data(&self, words: &str) -> Vec<String> {
        let reply = self.dig(words);
        assert_eq!(reply.status, "NOERROR", "{words}: {}", reply.text);
        reply.data()
    }

    #[track_caller]
    pub fn kdig(&self, words: &str) -> Reply {
        let mut command = Command::new("kdig");
        command.args([
            format!("@{}", self.v4().ip()),
            "-p".into(),
            self.v4().port().to_string(),
        ]);
        command.args(words.split_whitespace());
        Reply::read(&programs::run(&mut command, "").expect_ok())
    }

    #[track_caller]
    pub fn serial(&self, zone: &str) -> u32 {
        let data = self.data(&format!("{zone} SOA"));
        let soa = data.first().unwrap_or_else(|| panic!("{zone} has no SOA"));
        soa.split(' ')
            .nth(2)
            .expect("a serial")
            .parse()
            .expect("a serial")
    }

    /// nsupdate with the key `demo.`: "NOERROR", or what it says went wrong.
    #[track_caller]
    pub fn update(&self, script: &str) -> String {
        self.update_as(&format!("hmac-sha256:demo:{PUBLIC_SECRET}"), script)
    }

    #[track_caller]
    pub fn update_as(&self, key: &str, script: &str) -> String {
        self.nsupdate(&["-y", key], script)
    }

    /// nsupdate with arguments of its own; the server's address is given for it.
    #[track_caller]
    pub fn nsupdate(&self, words: &[&str], script: &str) -> String {
        let mut command = Command::new("nsupdate");
        command.args(["-t", "25"]).args(words);
        let at = self.v4();
        let input = format!(
            "server {} {}\n{}\nsend\n",
            at.ip(),
            at.port(),
            outdent(script)
        );
        let ran = programs::run(&mut command, &input);
        if ran.ok() {
            return "NOERROR".to_owned();
        }
        match ran.both().split_once("update failed: ") {
            Some((_, status)) => status.trim().to_owned(),
            None => ran.both().trim().to_owned(),
        }
    }

    /// The program itself, with this lab's configuration; another build of it where the variable
    /// `LASTGOOD_PROGRAM` names one.
    pub fn command(&self, words: &[&str]) -> Command {
        let program = env::var_os("LASTGOOD_PROGRAM");
        let ours = || env!("CARGO_BIN_EXE_lastgood").into();
        let mut command = Command::new(program.unwrap_or_else(ours));
        command
            .arg("--config")
            .arg(self.path("lastgood.toml"))
            .args(words);
        command
    }

    pub fn cli(&self, words: &[&str]) -> Ran {
        programs::run(&mut self.command(words), "")
    }

    /// `status --json` of one zone.
    #[track_caller]
    pub fn status(&self, zone: &str) -> serde_json::Value {
        let ran = self.cli(&["--json", "status"]);
        let all = ran.json();
        let zones = all["zones"].as_array().cloned().unwrap_or_default();
        zones
            .into_iter()
            .find(|row| row["zone"] == zone)
            .unwrap_or_else(|| panic!("{zone} is in the status: {ran}"))
    }

    pub fn state(&self, zone: &str) -> String {
        self.status(zone)["state"]
            .as_str()
            .unwrap_or("none")
            .to_owned()
    }

    /// Waits until the status says so.
    #[track_caller]
    pub fn until(&self, zone: &str, state: &str) -> serde_json::Value {
        eventually(&format!("{zone} is {state}"), || {
            let status = self.status(zone);
            if status["state"] == state {
                Ok(status)
            } else {
                Err(status.to_string())
            }
        })
    }

    /// What a person types into sqlite3.
    #[track_caller]
    pub fn sql(&self, statement: &str) -> String {
        self.sql_in(&self.database(), statement)
    }

    #[track_caller]
    pub fn sql_in(&self, database: &Path, statement: &str) -> String {
        let mut command = Command::new("sqlite3");
        command
            .args(["-bail", "-cmd", ".timeout 5000"])
            .arg(database);
        programs::run(&mut command, statement).expect_ok()
    }

    /// What a person pastes into a shell.
    #[track_caller]
    pub fn shell(&self, script: &str) -> String {
        programs::run(&mut Command::new("sh"), script).expect_ok()
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        self.stop();
    }
}

#[track_caller]
pub fn dig(at: SocketAddr, words: &str) -> Reply {
    let mut command = Command::new("dig");
    command.args([format!("@{}", at.ip()), "-p".into(), at.port().to_string()]);
    command.args(["+time=5", "+tries=3", "+norecurse"]);
    command.args(words.split_whitespace());
    Reply::read(&programs::run(&mut command, "").expect_ok())
}

/// Scripts stand indented in the tests.
fn outdent(script: &str) -> String {
    // An empty line would send what stands before it.
    let lines = script.lines().map(str::trim);
    lines
        .filter(|line| !line.is_empty())
        .collect::<Vec<_>>()
        .join("\n")
}
