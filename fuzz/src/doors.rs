//! Octets to a server that runs, over its own sockets: datagrams and streams, cut as it comes.
//! Whatever was sent, the next good query is answered, and right.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream, UdpSocket};
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lastgood::answer::Transport;
use lastgood::config::Config;
use lastgood::server;

use super::{packet, sign, world};

const PATIENCE: Duration = Duration::from_secs(10);
/// `apex.test. NS`: a question of which the answer never changes, whoever updates.
const SENTINEL: &[u8] = b"\x05\x65\x01\0\0\x01\0\0\0\0\0\0\x04apex\x04test\0\0\x02\0\x01";

/// The first octet: bit 0 TCP, bit 1 signed; the bits above say how a stream is cut.
pub fn run(data: &[u8]) {
    let Some((&how, octets)) = data.split_first() else {
        return;
    };
    let at = server();
    let message = match how & 2 {
        0 => octets.to_vec(),
        _ => sign::signed(octets, now_unix()),
    };
    match how & 1 {
        0 => datagram(at, &message),
        _ => stream(at, &message, usize::from(how >> 2)),
    }
}

/// Where it listens: started with the first call, for as long as the process lives.
fn server() -> SocketAddr {
    static SERVER: OnceLock<(SocketAddr, Mutex<server::Running>, tempfile::TempDir)> =
        OnceLock::new();
    SERVER
        .get_or_init(|| {
            let folder = tempfile::TempDir::new().expect("a scratch folder");
            let mut text = format!(
                "[server]\nlisten = [\"127.0.0.1:0\"]\nudp_threads = 1\n[store]\npath = \"fuzz.db\"\n\
                 [control]\nsocket = \"fuzz.sock\"\n[[key]]\nname = \"fuzz.\"\n\
                 algorithm = \"hmac-sha256\"\nsecret = \"{}\"\n\
                 allow = [{{ zone = \"example.com.\", names = [\"**\"] }}]\n",
                STANDARD.encode(sign::SECRET)
            );
            for (origin, zone) in world::ZONES {
                let file = format!("{origin}zone");
                std::fs::write(folder.path().join(&file), zone).expect("a file");
                text += &format!("[[zone]]\nname = \"{origin}\"\nfile = \"{file}\"\n");
            }
            let config = Config::from_str(&text, folder.path()).expect("a configuration");
            let running = server::start(config).expect("a server");
            let at = running.addresses[0];
            (at, Mutex::new(running), folder)
        })
        .0
}

fn now_unix() -> u64 {
    let now = std::time::SystemTime::now();
    now.duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

fn datagram(at: SocketAddr, message: &[u8]) {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    socket.connect(at).expect("an address");
    socket.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    // Longer than a datagram can be: nothing to be seen by the server.
    if socket.send(message).is_err() {
        return;
    }
    socket.send(SENTINEL).expect("sent");
    let mut response = vec![0; 65_535];
    loop {
        let size = match socket.recv(&mut response) {
            // The fuzzer's own clock.
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            received => received.expect("the door still answers"),
        };
        let response = &response[..size];
        if is_sentinel(response) {
            return;
        }
        packet::check(message, response, Transport::Udp);
    }
}

/// An answer to the sentinel: the right one, or it panics.
fn is_sentinel(response: &[u8]) -> bool {
    if response.get(..2) != Some(&SENTINEL[..2])
        || response
            .get(12..)
            .is_none_or(|rest| !rest.starts_with(&SENTINEL[12..]))
    {
        return false;
    }
    assert_eq!(response[3] & 15, 0, "NOERROR: {response:02x?}");
    assert!(response[6..8] != [0, 0], "name servers: {response:02x?}");
    true
}

fn stream(at: SocketAddr, octets: &[u8], piece: usize) {
    let mut stream = TcpStream::connect(at).expect("a connection");
    stream.set_nodelay(true).expect("an option");
    stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    // Half of the inputs are one message in a frame, half are frames already.
    let sent = match piece & 1 {
        0 => octets.to_vec(),
        _ => [&(octets.len().min(65_535) as u16).to_be_bytes(), octets].concat(),
    };
    let mut reader = stream.try_clone().expect("a second handle");
    std::thread::scope(|scope| {
        let answers = scope.spawn(move || {
            let mut read = Vec::new();
            match reader.read_to_end(&mut read) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => panic!("no end of answers"),
                _ => read,
            }
        });
        for piece in sent.chunks((piece / 2 * 7 + 1).max(sent.len() / 8)) {
            // The server may have had enough.
            if stream.write_all(piece).is_err() {
                break;
            }
        }
        let _ = stream.shutdown(Shutdown::Write);
        frames(&answers.join().expect("a reader"));
    });
    // No waiting of this end's after the close: there are only so many ports.
    let socket = socket2::SockRef::from(&stream);
    socket.set_linger(Some(Duration::ZERO)).expect("an option");
    drop(stream);
    datagram(at, SENTINEL);
}

/// All that came back is whole responses.
fn frames(mut rest: &[u8]) {
    while let Some((len, behind)) = rest.split_first_chunk::<2>() {
        let len = usize::from(u16::from_be_bytes(*len));
        let Some((response, behind)) = behind.split_at_checked(len) else {
            return;
        };
        assert!(len >= 12 && response[2] & 0x80 != 0, "{response:02x?}");
        hickory_proto::op::Message::from_vec(response)
            .unwrap_or_else(|error| panic!("{error}: {response:02x?}"));
        rest = behind;
    }
}
