//! Other name servers with one zone, to see what they do where the RFCs leave a choice.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use hickory_proto::rr::RecordType;
use tempfile::TempDir;

use super::{library, ports};

const PATIENCE: Duration = Duration::from_secs(30);
const STARTS_MAX: usize = 5;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Named,
    Knotd,
    Nsd,
}

impl Kind {
    pub const ALL: [Kind; 3] = [Kind::Named, Kind::Knotd, Kind::Nsd];
}

/// A running server. It ends with the value.
pub struct Peer {
    pub kind: Kind,
    pub at: SocketAddr,
    child: Child,
    folder: TempDir,
}

impl Peer {
    /// Starts a server for the zone `origin`, and waits until it answers.
    pub fn start(kind: Kind, origin: &str, zone: &str) -> Peer {
        for _ in 0..STARTS_MAX {
            let mut peer = Peer::spawn(kind, origin, zone);
            match peer.wait(origin) {
                Ok(()) => return peer,
                // Somebody else was quicker to take the port.
                Err(log) if log.contains("in use") => {}
                Err(log) => panic!("{kind:?} does not answer:\n{log}"),
            }
        }
        panic!("{kind:?}: no port in {STARTS_MAX} attempts");
    }

    fn spawn(kind: Kind, origin: &str, zone: &str) -> Peer {
        let folder = TempDir::new().expect("a scratch folder");
        let port = ports::free();
        fs::write(folder.path().join("zone"), zone).expect("a file");
        let config = folder.path().join("conf");
        let (program, options, text) = match kind {
            Kind::Named => (
                "named",
                &["-g", "-n", "1", "-c"][..],
                named(origin, folder.path(), port),
            ),
            Kind::Knotd => ("knotd", &["-c"][..], knotd(origin, folder.path(), port)),
            Kind::Nsd => ("nsd", &["-d", "-c"][..], nsd(origin, folder.path(), port)),
        };
        fs::write(&config, text).expect("a file");
        let log = File::create(folder.path().join("log")).expect("a file");
        let child = Command::new(program)
            .args(options)
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a descriptor"))
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| panic!("{program}: {error} (tests/run installs it)"));
        Peer {
            kind,
            at: SocketAddr::from(([127, 0, 0, 1], port)),
            child,
            folder,
        }
    }

    fn wait(&mut self, origin: &str) -> Result<(), String> {
        let began = Instant::now();
        let request = library::query(origin, RecordType::SOA, None);
        let request = request.to_vec().expect("a request");
        loop {
            let reply = library::try_exchange_udp(self.at, &request, Duration::from_millis(50));
            // A zone that is still being loaded is SERVFAIL, or refused.
            if reply.is_some_and(|reply| reply[3] & 0xF == 0 && reply[7] == 1) {
                return Ok(());
            }
            let ended = self.child.try_wait().expect("our own child").is_some();
            if ended || began.elapsed() > PATIENCE {
                let log = fs::read_to_string(self.folder.path().join("log"));
                let own = fs::read_to_string(self.folder.path().join("nsd.log"));
                return Err(log.unwrap_or_default() + &own.unwrap_or_default());
            }
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It is gentle to end nsd so: its children would stay.
        let pid = self.child.id().to_string();
        Command::new("kill").arg(pid).status().ok();
        if super::programs::wait(&mut self.child, Duration::from_secs(20)).is_none() {
            eprintln!("{:?} had to be killed", self.kind);
        }
    }
}

fn named(origin: &str, folder: &Path, port: u16) -> String {
    let folder = folder.display();
    format!(
        "options {{ directory \"{folder}\"; listen-on port {port} {{ 127.0.0.1; }};
  listen-on-v6 {{ none; }}; pid-file \"{folder}/pid\"; session-keyfile \"{folder}/session.key\";
  lock-file none; managed-keys-directory \"{folder}\"; recursion no; dnssec-validation no;
  empty-zones-enable no; notify no; }};
controls {{}};
zone \"{origin}\" {{ type primary; file \"{folder}/zone\"; }};\n"
    )
}

fn knotd(origin: &str, folder: &Path, port: u16) -> String {
    let folder = folder.display();
    format!(
        "server:
  rundir: {folder}
  listen: 127.0.0.1@{port}
  udp-workers: 1
  tcp-workers: 1
  background-workers: 1
database:
  storage: {folder}
log:
  - target: stderr
    any: notice
zone:
  - domain: {origin}
    file: {folder}/zone
    zonefile-sync: -1
    zonefile-load: whole
    journal-content: none\n"
    )
}

fn nsd(origin: &str, folder: &Path, port: u16) -> String {
    let folder = folder.display();
    format!(
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
  pidfile: \"{folder}/pid\"
  logfile: \"{folder}/nsd.log\"
  rrl-ratelimit: 0
remote-control:
  control-enable: no
zone:
  name: \"{origin}\"
  zonefile: \"{folder}/zone\"\n"
    )
}
