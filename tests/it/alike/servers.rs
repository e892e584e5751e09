//! named and knotd with one zone and one key, as they are for everybody who installs them.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use hickory_proto::rr::RecordType;
use tempfile::TempDir;

use crate::harness::lab::PUBLIC_SECRET;
use crate::harness::library::{self, Transport};
use crate::harness::{eventually, ports, programs};

pub const KEY: &str = "demo.";
/// Who has not answered by then does not answer, however much else the machine does.
pub const PATIENCE: Duration = Duration::from_secs(15);
/// Where nothing else is expected.
pub const SILENCE: Duration = Duration::from_secs(1);

/// A process that ends with the value.
pub struct Server {
    pub at: SocketAddr,
    process: Child,
    folder: TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        // Ours, and still running unless it fell over.
        let pid = self.process.id().to_string();
        programs::run(Command::new("kill").arg(pid), "");
        programs::wait(&mut self.process, Duration::from_secs(20));
    }
}

impl Server {
    fn start(folder: TempDir, port: u16, origin: &str, command: &mut Command) -> Server {
        let log = File::create(folder.path().join("log")).expect("a log");
        let process = command
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a log"))
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error} (tests/run installs it)"));
        let at = SocketAddr::from(([127, 0, 0, 1], port));
        let server = Server {
            at,
            process,
            folder,
        };
        eventually("the server answers", || server.answers(origin));
        server
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    pub fn has_ended(&mut self) -> bool {
        self.process.try_wait().expect("our own child").is_some()
    }

    fn answers(&self, origin: &str) -> Result<(), String> {
        let log = || self.log();
        let query = library::query(origin, RecordType::SOA, None);
        let query = query.to_vec().expect("a query");
        let answer = library::try_exchange_tcp(self.at, &query).ok_or_else(log)?;
        match answer[3] & 15 == 0 && answer[7] > 0 {
            true => Ok(()),
            false => Err(log()),
        }
    }
}

/// One request, one response; silence is none.
pub fn exchange(
    at: SocketAddr,
    transport: Transport,
    request: &[u8],
    patience: Duration,
) -> Option<Vec<u8>> {
    if transport == Transport::Tcp {
        return library::try_exchange_tcp(at, request);
    }
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket");
    socket.set_read_timeout(Some(patience)).expect("a time-out");
    socket.connect(at).expect("an address");
    socket.send(request).expect("sent");
    let mut response = vec![0; 65535];
    let size = socket.recv(&mut response).ok()?;
    response.truncate(size);
    Some(response)
}

pub fn named(origin: &str, zone: &str) -> Server {
    let (folder, port) = (TempDir::new().expect("a scratch folder"), ports::free());
    let dir = folder.path().display();
    fs::write(folder.path().join("zone"), zone).expect("a zone file");
    let config = format!(
        "options {{ directory \"{dir}\"; listen-on port {port} {{ 127.0.0.1; }};
           listen-on-v6 {{ none; }}; pid-file \"{dir}/pid\"; session-keyfile none;
           recursion no; notify no; check-names primary ignore; check-integrity no;
           check-mx ignore; check-mx-cname ignore; check-srv-cname ignore; }};
         controls {{}};
         key \"{KEY}\" {{ algorithm hmac-sha256; secret \"{PUBLIC_SECRET}\"; }};
         zone \"{origin}\" {{ type primary; file \"zone\"; allow-update {{ key \"{KEY}\"; }};
           allow-transfer {{ 127.0.0.1; }}; }};\n"
    );
    let file = folder.path().join("named.conf");
    fs::write(&file, config).expect("a configuration");
    let mut command = Command::new("named");
    command.args(["-g", "-n", "1", "-c"]).arg(file);
    Server::start(folder, port, origin, &mut command)
}

pub fn knotd(origin: &str, zone: &str) -> Server {
    let (folder, port) = (TempDir::new().expect("a scratch folder"), ports::free());
    let dir = folder.path().display();
    fs::write(folder.path().join("zone"), zone).expect("a zone file");
    fs::create_dir(folder.path().join("data")).expect("a folder");
    let config = format!(
        "server:\n  rundir: {dir}\n  listen: 127.0.0.1@{port}\n  udp-workers: 1\n  tcp-workers: 1
  background-workers: 1\n\
         database:\n  storage: {dir}/data\n\
         log:\n  - target: stderr\n    any: info\n\
         key:\n  - id: {KEY}\n    algorithm: hmac-sha256\n    secret: {PUBLIC_SECRET}\n\
         acl:\n  - id: update\n    key: {KEY}\n    action: update\n\
         \x20 - id: transfer\n    address: 127.0.0.1\n    action: transfer\n\
         zone:\n  - domain: {origin}\n    storage: {dir}\n    file: zone\n    zonefile-sync: -1
    acl: [update, transfer]\n"
    );
    let file = folder.path().join("knot.conf");
    fs::write(&file, config).expect("a configuration");
    let mut command = Command::new("knotd");
    command.arg("-c").arg(file);
    Server::start(folder, port, origin, &mut command)
}
