//! One client: sends a message, waits for its answer, and notices when the server has gone.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

/// How often a client that waits looks whether it still should.
const LOOK: Duration = Duration::from_millis(50);
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    Udp,
    Tcp,
}

pub struct Client {
    at: SocketAddr,
    udp: UdpSocket,
    tcp: Option<TcpStream>,
}

/// Why there is no answer.
#[derive(Debug)]
pub enum Failure {
    /// The server has gone, or was told to go.
    Gone,
    /// It runs, and keeps silent.
    Silent,
}

impl Client {
    pub fn of(at: SocketAddr) -> Client {
        let udp = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        udp.connect(at).expect("an address");
        udp.set_read_timeout(Some(LOOK)).expect("a time-out");
        Client { at, udp, tcp: None }
    }

    /// The answer with the message's id. `gone` tells that the server was ended meanwhile.
    pub fn exchange(
        &mut self,
        transport: Transport,
        message: &[u8],
        gone: &dyn Fn() -> bool,
    ) -> Result<Vec<u8>, Failure> {
        let answer = match transport {
            Transport::Udp => self.datagram(message, gone),
            Transport::Tcp => self.stream(message, gone),
        };
        answer.map_err(|error| match error.kind() {
            ErrorKind::TimedOut if !gone() => Failure::Silent,
            _ => {
                self.tcp = None;
                Failure::Gone
            }
        })
    }

    fn datagram(&mut self, message: &[u8], gone: &dyn Fn() -> bool) -> io::Result<Vec<u8>> {
        let deadline = Instant::now() + PATIENCE;
        let mut answer = vec![0; 4096];
        self.udp.send(message)?;
        loop {
            match self.udp.recv(&mut answer) {
                // An answer to an earlier message may still come.
                Ok(size) if answer[..2] != message[..2] || size < 12 => {}
                Ok(size) => {
                    answer.truncate(size);
                    return Ok(answer);
                }
                Err(error) => waits(error, deadline, gone)?,
            }
        }
    }

    fn stream(&mut self, message: &[u8], gone: &dyn Fn() -> bool) -> io::Result<Vec<u8>> {
        let deadline = Instant::now() + PATIENCE;
        let mut stream = match self.tcp.take() {
            Some(stream) => stream,
            None => TcpStream::connect_timeout(&self.at, PATIENCE)?,
        };
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(LOOK))?;
        let octets = u16::try_from(message.len()).expect("a message");
        stream.write_all(&[&octets.to_be_bytes(), message].concat())?;
        let mut read = Vec::new();
        let mut piece = [0; 4096];
        loop {
            match stream.read(&mut piece) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(size) => read.extend_from_slice(&piece[..size]),
                Err(error) => waits(error, deadline, gone)?,
            }
            if let Some((octets, answer)) = read.split_first_chunk()
                && answer.len() >= usize::from(u16::from_be_bytes(*octets))
            {
                self.tcp = Some(stream);
                return Ok(answer.to_vec());
            }
        }
    }
}

/// Whether it is worth waiting on after this error.
fn waits(error: io::Error, deadline: Instant, gone: &dyn Fn() -> bool) -> io::Result<()> {
    let is_look = matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
    match is_look && Instant::now() < deadline && !gone() {
        true => Ok(()),
        false if is_look => Err(ErrorKind::TimedOut.into()),
        false => Err(error),
    }
}
