//! A client that knows just enough of the DNS, and nothing of ours but names.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use domain::base::opt::ExtendedError;
use domain::base::{Message, Rtype};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::{SECRET, name};

/// Longer than anything here should take; a test that waits so long fails.
const PATIENCE: Duration = Duration::from_secs(10);
const QUERY: u8 = 0;
const UPDATE: u8 = 5 << 3;
const IN: u16 = 1;
const ANY: u16 = 255;

pub fn query(id: u16, qname: &str, rtype: u16) -> Vec<u8> {
    question(id, qname, rtype, IN)
}

pub fn question(id: u16, qname: &str, rtype: u16, class: u16) -> Vec<u8> {
    message(id, QUERY, qname, rtype, class)
}

/// An update of a zone: (owner, type, class, TTL, RDATA).
pub fn update(id: u16, zone: &str, records: &[(&str, u16, u16, u32, &[u8])]) -> Vec<u8> {
    let mut message = message(id, UPDATE, zone, 6, IN);
    message[9] = records.len() as u8;
    for (owner, rtype, class, ttl, rdata) in records {
        put_record(&mut message, owner, *rtype, *class, *ttl, rdata);
    }
    message
}

pub fn add_a(id: u16, owner: &str, last: u8) -> Vec<u8> {
    update(
        id,
        "example.com.",
        &[(owner, 1, IN, 60, &[192, 0, 2, last])],
    )
}

pub fn delete_rrset(id: u16, owner: &str) -> Vec<u8> {
    update(id, "example.com.", &[(owner, 1, ANY, 0, &[])])
}

fn message(id: u16, flags: u8, qname: &str, rtype: u16, class: u16) -> Vec<u8> {
    let [high, low] = id.to_be_bytes();
    let mut message = vec![high, low, flags, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    message.extend_from_slice(name(qname).as_wire());
    message.extend_from_slice(&rtype.to_be_bytes());
    message.extend_from_slice(&class.to_be_bytes());
    message
}

fn put_record(out: &mut Vec<u8>, owner: &str, rtype: u16, class: u16, ttl: u32, rdata: &[u8]) {
    out.extend_from_slice(name(owner).as_wire());
    out.extend_from_slice(&rtype.to_be_bytes());
    out.extend_from_slice(&class.to_be_bytes());
    out.extend_from_slice(&ttl.to_be_bytes());
    out.extend_from_slice(&(rdata.len() as u16).to_be_bytes());
    out.extend_from_slice(rdata);
}

pub fn with_edns(mut message: Vec<u8>) -> Vec<u8> {
    put_record(&mut message, ".", 41, 1232, 0, &[]);
    message[11] += 1;
    message
}

/// Signs as RFC 8945 §4.3 says, now.
pub fn signed(message: Vec<u8>, key: &str) -> Vec<u8> {
    signed_with(message, key, SECRET)
}

pub fn signed_with(mut message: Vec<u8>, key: &str, secret: &[u8]) -> Vec<u8> {
    let id = [message[0], message[1]];
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let algorithm = name("hmac-sha256.");
    let mut clock = now.to_be_bytes()[2..].to_vec();
    clock.extend_from_slice(&300u16.to_be_bytes());
    let mut context = Hmac::<Sha256>::new_from_slice(secret).unwrap();
    context.update(&message);
    context.update(name(key).as_wire());
    context.update(&[0, 255, 0, 0, 0, 0]);
    context.update(algorithm.as_wire());
    context.update(&clock);
    context.update(&[0, 0, 0, 0]);
    let mac = context.finalize().into_bytes();
    let mut rdata = [algorithm.as_wire(), &clock, &[0, 32], &mac].concat();
    rdata.extend_from_slice(&[id[0], id[1], 0, 0, 0, 0]);
    put_record(&mut message, key, 250, ANY, 0, &rdata);
    message[11] += 1;
    message
}

/// What of a response the tests look at.
#[derive(Debug, PartialEq)]
pub struct Response {
    pub id: u16,
    pub rcode: u8,
    pub truncated: bool,
    pub answers: u16,
    pub ede: Option<(u16, String)>,
    pub signed: bool,
    pub octets: Vec<u8>,
}

impl Response {
    fn read(octets: Vec<u8>) -> Response {
        let message = Message::from_octets(octets.as_slice()).expect("a header");
        assert!(message.header().qr(), "a response");
        let ede = message.opt().and_then(|opt| {
            let error = opt.opt().iter::<ExtendedError<_>>().next()?.unwrap();
            let text = error.text().map(|text| text.unwrap().to_string());
            Some((error.code().to_int(), text.unwrap_or_default()))
        });
        let records = || message.additional().unwrap();
        let last = records().last().map(|record| record.unwrap().rtype());
        Response {
            id: message.header().id(),
            rcode: message.header().rcode().to_int(),
            truncated: message.header().tc(),
            answers: message.header_counts().ancount(),
            ede,
            signed: last == Some(Rtype::TSIG),
            octets: octets.clone(),
        }
    }

    /// Whether some text stands in it, as in a TXT record.
    pub fn says(&self, text: &str) -> bool {
        let sought = text.as_bytes();
        self.octets.windows(sought.len()).any(|part| part == sought)
    }
}

pub const NOERROR: u8 = 0;
pub const FORMERR: u8 = 1;
pub const REFUSED: u8 = 5;
pub const NOTAUTH: u8 = 9;

/// A UDP socket that hears its server alone.
pub struct Udp(UdpSocket);

impl Udp {
    pub fn to(server: SocketAddr) -> Udp {
        let any = match server.is_ipv4() {
            true => "0.0.0.0:0",
            false => "[::]:0",
        };
        let socket = UdpSocket::bind(any).unwrap();
        socket.connect(server).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Udp(socket)
    }

    pub fn send(&self, message: &[u8]) {
        self.0.send(message).unwrap();
    }

    pub fn receive(&self) -> Response {
        let mut buffer = vec![0; 65535];
        let len = self.0.recv(&mut buffer).expect("a response");
        buffer.truncate(len);
        Response::read(buffer)
    }

    pub fn ask(&self, message: &[u8]) -> Response {
        self.send(message);
        self.receive()
    }
}

pub struct Tcp(pub TcpStream);

impl Tcp {
    pub fn to(server: SocketAddr) -> Tcp {
        let stream = TcpStream::connect(server).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Tcp(stream)
    }

    pub fn send(&mut self, messages: &[Vec<u8>]) {
        self.0.write_all(&frames(messages)).unwrap();
    }

    /// The next response; `None` when the server has closed.
    pub fn receive(&mut self) -> Option<Response> {
        let mut len = [0; 2];
        match self.0.read_exact(&mut len) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                panic!("neither a response nor an end")
            }
            Err(_) => return None,
        }
        let mut octets = vec![0; usize::from(u16::from_be_bytes(len))];
        self.0.read_exact(&mut octets).unwrap();
        Some(Response::read(octets))
    }

    pub fn ask(&mut self, message: Vec<u8>) -> Response {
        self.send(&[message]);
        self.receive().expect("a response")
    }
}

pub fn frames(messages: &[Vec<u8>]) -> Vec<u8> {
    let mut frames = Vec::new();
    for message in messages {
        frames.extend_from_slice(&(message.len() as u16).to_be_bytes());
        frames.extend_from_slice(message);
    }
    frames
}
