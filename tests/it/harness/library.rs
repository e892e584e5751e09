//! A client that is a library: hickory-proto decodes, `domain` signs; the server uses neither of them
//! for what is tested with it here (our own encoder, and the server side of TSIG).

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::str::FromStr;
use std::time::Duration;

use domain::base::iana::{Class, Opcode};
use domain::base::message_builder::AuthorityBuilder;
use domain::base::{Message as Raw, MessageBuilder, Name as RawName, Rtype, Ttl};
use domain::rdata::tsig::Time48;
use domain::rdata::{A, Cname, Txt};
use domain::tsig::{Algorithm, ClientTransaction, Key, KeyName};
use hickory_proto::op::{Edns, Message, Query};
use hickory_proto::rr::rdata::opt::{EdnsCode, EdnsOption};
use hickory_proto::rr::{Name, RecordType};

const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Transport {
    Udp,
    Tcp,
}

/// One request, one response, as octets.
pub fn exchange(at: SocketAddr, transport: Transport, request: &[u8]) -> Vec<u8> {
    match transport {
        Transport::Udp => {
            let local: IpAddr = match at {
                SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
                SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
            };
            let socket = UdpSocket::bind((local, 0)).expect("a socket");
            socket.set_read_timeout(Some(PATIENCE)).expect("a time-out");
            socket.connect(at).expect("an address");
            socket.send(request).expect("sent");
            let mut response = vec![0; 65535];
            let size = socket.recv(&mut response).expect("a response in time");
            response.truncate(size);
            response
        }
        Transport::Tcp => {
            let mut stream = connect(at);
            send(&mut stream, request);
            receive(&mut stream)
        }
    }
}

/// The same over UDP where nothing may come.
pub fn try_exchange_udp(at: SocketAddr, request: &[u8], patience: Duration) -> Option<Vec<u8>> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket");
    socket.set_read_timeout(Some(patience)).expect("a time-out");
    socket.connect(at).expect("an address");
    socket.send(request).ok()?;
    let mut response = vec![0; 65535];
    match socket.recv(&mut response) {
        Ok(size) => response.truncate(size),
        Err(error) => {
            // Nobody listens yet.
            if error.kind() == std::io::ErrorKind::ConnectionRefused {
                std::thread::sleep(patience);
            }
            return None;
        }
    }
    Some(response)
}

/// The same over TCP where the other end may go away.
pub fn try_exchange_tcp(at: SocketAddr, request: &[u8]) -> Option<Vec<u8>> {
    let mut stream = TcpStream::connect_timeout(&at, PATIENCE).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    let length = u16::try_from(request.len()).ok()?.to_be_bytes();
    stream.write_all(&[&length, request].concat()).ok()?;
    let mut length = [0; 2];
    stream.read_exact(&mut length).ok()?;
    let mut message = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut message).ok()?;
    Some(message)
}

pub fn connect(at: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect_timeout(&at, PATIENCE).expect("a connection");
    stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    stream.set_nodelay(true).expect("an option");
    stream
}

pub fn send(stream: &mut TcpStream, message: &[u8]) {
    let length = u16::try_from(message.len())
        .expect("a message")
        .to_be_bytes();
    stream
        .write_all(&[&length, message].concat())
        .expect("sent");
}

pub fn receive(stream: &mut TcpStream) -> Vec<u8> {
    let mut length = [0; 2];
    stream.read_exact(&mut length).expect("a response in time");
    let mut message = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut message).expect("a whole response");
    message
}

/// A query as it goes over the wire; `edns` is the size of UDP payload it offers.
pub fn query(name: &str, rtype: RecordType, edns: Option<u16>) -> Message {
    let mut message = Message::query();
    message.add_query(Query::query(Name::from_str(name).expect("a name"), rtype));
    if let Some(octets) = edns {
        let mut offered = Edns::new();
        offered.set_max_payload(octets);
        message.set_edns(offered);
    }
    message
}

/// Asks, and takes the response apart; ids and questions must match.
pub fn ask(at: SocketAddr, transport: Transport, request: &Message) -> Message {
    let octets = exchange(at, transport, &request.to_vec().expect("a request"));
    let response = Message::from_vec(&octets).expect("a response that decodes");
    assert_eq!(
        response.metadata.id, request.metadata.id,
        "the id comes back"
    );
    assert_eq!(response.queries, request.queries, "the question comes back");
    response
}

/// The extended errors (RFC 8914) of a response.
pub fn extended_errors(response: &Message) -> Vec<(u16, String)> {
    let Some(edns) = &response.edns else {
        return Vec::new();
    };
    edns.options()
        .as_ref()
        .iter()
        .filter_map(|(code, option)| match (code, option) {
            (EdnsCode::Unknown(15), EdnsOption::Unknown(_, data)) if data.len() >= 2 => Some((
                u16::from_be_bytes([data[0], data[1]]),
                String::from_utf8_lossy(&data[2..]).into_owned(),
            )),
            _ => None,
        })
        .collect()
}

/// A key, as a client holds it.
pub fn key(name: &str, algorithm: Algorithm, secret: &str) -> Key {
    use base64::Engine;
    let secret = base64::engine::general_purpose::STANDARD
        .decode(secret)
        .expect("base64");
    let name = KeyName::from_str(name).expect("a key name");
    Key::new(algorithm, &secret, name, None, None).expect("a key")
}

pub fn demo_key() -> Key {
    key("demo.", Algorithm::Sha256, super::lab::PUBLIC_SECRET)
}

/// A signed update: its octets, and what is needed to check the answer.
pub struct Update {
    pub octets: Vec<u8>,
    pub transaction: ClientTransaction<Key>,
    /// From the true time to that of whoever signs.
    ahead_secs: i64,
}

/// An update of `zone`; `fill` writes its update section.
pub fn update(zone: &str, key: Key, edns: bool, fill: impl FnOnce(&mut Section)) -> Update {
    update_at(0, zone, key, edns, fill)
}

/// The same by a client whose clock is another.
pub fn update_at(
    ahead_secs: i64,
    zone: &str,
    key: Key,
    edns: bool,
    fill: impl FnOnce(&mut Section),
) -> Update {
    let mut message = MessageBuilder::new_vec();
    message.header_mut().set_random_id();
    message.header_mut().set_opcode(Opcode::UPDATE);
    let mut message = message.question();
    message.push((name(zone), Rtype::SOA)).expect("room");
    let mut section = Section(message.authority());
    fill(&mut section);
    let mut message = section.0.additional();
    if edns {
        message
            .opt(|opt| {
                opt.set_udp_payload_size(1232);
                Ok(())
            })
            .expect("room");
    }
    let transaction =
        ClientTransaction::request(key, &mut message, clock(ahead_secs)).expect("room");
    Update {
        octets: message.finish(),
        transaction,
        ahead_secs,
    }
}

fn clock(ahead_secs: i64) -> Time48 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now = now.expect("after 1970").as_secs();
    Time48::from_u64(now.saturating_add_signed(ahead_secs))
}

/// The update section (RFC 2136 §2.5).
pub struct Section(AuthorityBuilder<Vec<u8>>);

impl Section {
    pub fn add_a(&mut self, owner: &str, address: [u8; 4]) {
        let address = A::from_octets(address[0], address[1], address[2], address[3]);
        self.0
            .push((name(owner), Class::IN, Ttl::from_secs(60), address))
            .expect("room");
    }

    pub fn add_txt(&mut self, owner: &str, text: &str) {
        let text: Txt<Vec<u8>> = Txt::build_from_slice(text.as_bytes()).expect("a text");
        self.0
            .push((name(owner), Class::IN, Ttl::from_secs(60), text))
            .expect("room");
    }

    /// Takes the place of the alias that stands there.
    pub fn add_cname(&mut self, owner: &str, target: &str) {
        let target = Cname::new(name(target));
        self.0
            .push((name(owner), Class::IN, Ttl::from_secs(60), target))
            .expect("room");
    }

    pub fn delete_one_a(&mut self, owner: &str, address: [u8; 4]) {
        let address = A::from_octets(address[0], address[1], address[2], address[3]);
        self.0
            .push((name(owner), Class::NONE, Ttl::from_secs(0), address))
            .expect("room");
    }

    pub fn delete_a(&mut self, owner: &str) {
        let nothing: domain::base::UnknownRecordData<&[u8]> =
            domain::base::UnknownRecordData::from_octets(Rtype::A, &[][..]).expect("no octets");
        self.0
            .push((name(owner), Class::ANY, Ttl::from_secs(0), nothing))
            .expect("room");
    }
}

fn name(text: &str) -> RawName<Vec<u8>> {
    RawName::from_str(text).expect("a name")
}

impl Update {
    /// Sends it, checks the signature of the answer, and gives the answer.
    pub fn send(self, at: SocketAddr, transport: Transport) -> Message {
        let response = exchange(at, transport, &self.octets);
        self.verify(response)
    }

    pub fn verify(self, response: Vec<u8>) -> Message {
        let mut message = Raw::from_octets(response).expect("a header");
        self.transaction
            .answer(&mut message, clock(self.ahead_secs))
            .expect("a signature that verifies");
        Message::from_vec(message.as_octets()).expect("a response that decodes")
    }
}
