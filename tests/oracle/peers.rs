//! The name servers that are asked beside ours, each with a folder of its own and all with the same
//! zone files.

use std::fmt::Write;
use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::asking::{Asker, Form};
use crate::ports;
use crate::questions::Question;
use crate::response::View;
use crate::zones::Zone;

/// Far beyond what any of them takes to load five hundred zones.
const PATIENCE: Duration = Duration::from_secs(60);
/// How named and nsd say that they do not load a zone, and all that somebody has their port.
const GAVE_UP: [&str; 4] = [
    "not loaded due to errors",
    ".zone read with",
    "address in use",
    "already in use",
];
const STARTS_MAX: usize = 5;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Named,
    Knotd,
    Nsd,
    Pdns,
}

impl Kind {
    pub const ALL: [Kind; 4] = [Kind::Named, Kind::Knotd, Kind::Nsd, Kind::Pdns];

    pub fn program(self) -> &'static str {
        match self {
            Kind::Named => "named",
            Kind::Knotd => "knotd",
            Kind::Nsd => "nsd",
            Kind::Pdns => "pdns_server",
        }
    }
}

/// A running server. It ends with the value.
pub struct Peer {
    pub at: SocketAddr,
    child: Child,
    log: PathBuf,
}

impl Drop for Peer {
    fn drop(&mut self) {
        // Nothing of it is kept, so there is nothing to be gentle about.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Peer {
    /// Starts a server on a port of its own, and waits until it serves every zone.
    pub fn start(kind: Kind, zones: &[Zone], scratch: &Path) -> Peer {
        for attempt in 0..STARTS_MAX {
            let folder = scratch.join(format!("{}-{attempt}", kind.program()));
            fs::create_dir(&folder).expect("a scratch folder");
            let mut peer = Peer::spawn(kind, zones, &folder);
            match peer.wait_until_loaded(zones) {
                Ok(()) => return peer,
                // Somebody else was quicker to take the port.
                Err(error) if error.contains("in use") => {}
                Err(error) => panic!("{}: {error}", kind.program()),
            }
        }
        panic!("{}: no port in {STARTS_MAX} attempts", kind.program());
    }

    fn spawn(kind: Kind, zones: &[Zone], folder: &Path) -> Peer {
        let port = ports::free();
        let config = folder.join("server.conf");
        let mut command = Command::new(kind.program());
        let text = match kind {
            Kind::Named => {
                command.args(["-g", "-n", "1", "-c"]).arg(&config);
                named(zones, folder, port)
            }
            Kind::Knotd => {
                command.arg("-c").arg(&config);
                knotd(zones, folder, port)
            }
            Kind::Nsd => {
                command.args(["-d", "-c"]).arg(&config);
                nsd(zones, folder, port)
            }
            Kind::Pdns => {
                fs::write(folder.join("bind.conf"), bind_backend(zones)).expect("a file");
                command.arg(format!("--config-dir={}", folder.display()));
                fs::write(folder.join("pdns.conf"), pdns(folder, port)).expect("a file");
                String::new()
            }
        };
        fs::write(&config, text).expect("a file");
        let log = folder.join("log");
        let output = File::create(&log).expect("a file");
        let child = command
            .stdin(Stdio::null())
            .stdout(output.try_clone().expect("a descriptor"))
            .stderr(output)
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error} (tests/run installs it)", kind.program()));
        Peer {
            at: (Ipv4Addr::LOCALHOST, port).into(),
            child,
            log,
        }
    }

    /// Each zone must answer for its SOA; a server that refused one would agree with nobody.
    fn wait_until_loaded(&mut self, zones: &[Zone]) -> Result<(), String> {
        let start = Instant::now();
        let asker = Asker::new(self.at).impatient();
        let mut left: Vec<&Zone> = zones.iter().collect();
        loop {
            let questions: Vec<Question> =
                left.iter().map(|zone| zone.question_for_soa()).collect();
            let replies = asker.ask(&questions, Form::Edns);
            left = left
                .into_iter()
                .zip(&replies)
                .filter(|(_, reply)| !View::of(reply.as_deref()).is_loaded())
                .map(|(zone, _)| zone)
                .collect();
            if left.is_empty() {
                return Ok(());
            }
            let ended = self.child.try_wait().expect("our own child");
            let log = fs::read_to_string(&self.log).unwrap_or_default();
            let gave_up = ended.is_some() || GAVE_UP.iter().any(|why| log.contains(why));
            if gave_up || start.elapsed() > PATIENCE {
                let tail: Vec<&str> = log.lines().rev().take(40).collect();
                let names: Vec<&str> = left
                    .iter()
                    .map(|zone| zone.origin.as_str())
                    .take(5)
                    .collect();
                return Err(format!(
                    "it does not serve {} zones, {names:?} among them; {ended:?}; the end of its log, upside down:\n{}",
                    left.len(),
                    tail.join("\n")
                ));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

fn named(zones: &[Zone], folder: &Path, port: u16) -> String {
    let folder = folder.display();
    let mut text = format!(
        "options {{ directory \"{folder}\"; listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};
  pid-file \"{folder}/named.pid\"; session-keyfile \"{folder}/session.key\"; lock-file none;
  managed-keys-directory \"{folder}\"; recursion no; dnssec-validation no; empty-zones-enable no;
  notify no; minimal-responses no; minimal-any no; zone-statistics none; querylog no;
  edns-udp-size 1232; max-udp-size 1232; rate-limit {{ responses-per-second 0; }};
  check-names primary ignore; check-integrity no; check-mx ignore; check-mx-cname ignore;
  check-srv-cname ignore; check-sibling no; check-wildcard no; check-spf ignore;
  check-dup-records ignore; tcp-clients 200; }};
controls {{}};\n"
    );
    for zone in zones {
        let (origin, file) = (&zone.origin, zone.file.display());
        writeln!(
            text,
            "zone \"{origin}\" {{ type primary; file \"{file}\"; }};"
        )
        .expect("memory");
    }
    text
}

fn knotd(zones: &[Zone], folder: &Path, port: u16) -> String {
    let folder = folder.display();
    let mut text = format!(
        "server:
  rundir: {folder}
  listen: 127.0.0.1@{port}
  udp-workers: 1
  tcp-workers: 1
  background-workers: 1
  tcp-io-timeout: 0
database:
  storage: {folder}
log:
  - target: stderr
    any: notice
template:
  - id: default
    zonefile-sync: -1
    zonefile-load: whole
    journal-content: none
    semantic-checks: off
zone:\n"
    );
    for zone in zones {
        let (origin, file) = (&zone.origin, zone.file.display());
        writeln!(text, "  - domain: {origin}\n    file: {file}").expect("memory");
    }
    text
}

fn nsd(zones: &[Zone], folder: &Path, port: u16) -> String {
    let folder = folder.display();
    let mut text = format!(
        "server:
  ip-address: 127.0.0.1@{port}
  server-count: 1
  username: \"\"
  chroot: \"\"
  zonesdir: \"\"
  database: \"\"
  zonelistfile: \"{folder}/zone.list\"
  xfrdfile: \"{folder}/xfrd.state\"
  xfrdir: \"{folder}\"
  pidfile: \"{folder}/nsd.pid\"
  minimal-responses: no
  confine-to-zone: yes
  refuse-any: no
  round-robin: no
  rrl-ratelimit: 0
  rrl-whitelist-ratelimit: 0
  tcp-count: 100
remote-control:
  control-enable: no\n"
    );
    for zone in zones {
        let (origin, file) = (&zone.origin, zone.file.display());
        writeln!(text, "zone:\n  name: \"{origin}\"\n  zonefile: \"{file}\"").expect("memory");
    }
    text
}

fn pdns(folder: &Path, port: u16) -> String {
    let folder = folder.display();
    format!(
        "launch=bind
bind-config={folder}/bind.conf
bind-check-interval=0
local-address=127.0.0.1
local-port={port}
socket-dir={folder}
daemon=no
guardian=no
loglevel=3
cache-ttl=0
query-cache-ttl=0
negquery-cache-ttl=0
receiver-threads=1
distributor-threads=1
dname-processing=yes
any-to-tcp=no
udp-truncation-threshold=1232
zone-cache-refresh-interval=0
version-string=anonymous\n"
    )
}

fn bind_backend(zones: &[Zone]) -> String {
    let mut text = String::new();
    for zone in zones {
        let (origin, file) = (zone.origin.trim_end_matches('.'), zone.file.display());
        writeln!(
            text,
            "zone \"{origin}\" {{ type master; file \"{file}\"; }};"
        )
        .expect("memory");
    }
    text
}
