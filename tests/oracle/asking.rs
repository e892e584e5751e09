//! Many questions to one server, a window of them on their way at a time.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use crate::questions::Question;

/// Questions on their way to one server: few enough for the buffers of any socket.
const WINDOW: usize = 64;
/// What is silent for so long, again and again, is silent.
const PATIENCE: Duration = Duration::from_secs(2);
const ATTEMPTS: usize = 10;

/// How a question is put.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Form {
    /// UDP without EDNS.
    Plain,
    /// UDP with EDNS, 1232 octets.
    Edns,
    /// As `Edns`, the name in mixed case.
    Mixed,
    Tcp,
}

impl Form {
    pub const ALL: [Form; 4] = [Form::Plain, Form::Edns, Form::Mixed, Form::Tcp];

    /// The message, id zero.
    fn message(self, question: &Question) -> Vec<u8> {
        let mut message = vec![0; 12];
        message[5] = 1;
        match self {
            Form::Mixed => message.extend(mixed(question.name.as_wire())),
            _ => message.extend_from_slice(question.name.as_wire()),
        }
        message.extend_from_slice(&question.rtype.0.to_be_bytes());
        message.extend_from_slice(&question.class.to_be_bytes());
        if matches!(self, Form::Edns | Form::Mixed) {
            message[11] = 1;
            message.extend_from_slice(&[0, 0, 41, 0x04, 0xD0, 0, 0, 0, 0, 0, 0]);
        }
        message
    }
}

/// Every other letter in upper case, from the second on.
fn mixed(name: &[u8]) -> impl Iterator<Item = u8> {
    name.iter().enumerate().map(|(at, octet)| match at % 3 {
        // Octets that are lengths are no letters: the longest label has 63.
        0 => octet.to_ascii_uppercase(),
        _ => octet.to_ascii_lowercase(),
    })
}

/// Asks one server.
pub struct Asker {
    at: SocketAddr,
    patience: Duration,
    attempts: usize,
}

impl Asker {
    pub fn new(at: SocketAddr) -> Asker {
        Asker {
            at,
            patience: PATIENCE,
            attempts: ATTEMPTS,
        }
    }

    /// For servers that are only starting.
    pub fn impatient(self) -> Asker {
        Asker {
            patience: Duration::from_millis(200),
            attempts: 1,
            ..self
        }
    }

    /// The replies, in the order of the questions; `None` where the server was silent.
    pub fn ask(&self, questions: &[Question], form: Form) -> Vec<Option<Vec<u8>>> {
        let mut replies = Vec::with_capacity(questions.len());
        // Ids tell questions on their way apart.
        for batch in questions.chunks(usize::from(u16::MAX)) {
            let mut batch = Batch {
                messages: batch.iter().map(|q| form.message(q)).collect(),
                replies: vec![None; batch.len()],
            };
            for (id, message) in batch.messages.iter_mut().enumerate() {
                message[..2].copy_from_slice(&(id as u16).to_be_bytes());
            }
            for attempt in 0..self.attempts {
                match form {
                    Form::Tcp => self.tcp(&mut batch).ok(),
                    _ => self.udp(&mut batch, self.patience_at(attempt)).ok(),
                };
                if batch.replies.iter().all(Option::is_some) {
                    break;
                }
            }
            replies.append(&mut batch.replies);
        }
        replies
    }

    /// A datagram that was lost is missed soon; a server that is only slow is waited for in the end.
    fn patience_at(&self, attempt: usize) -> Duration {
        self.patience
            .min(Duration::from_millis(100) * (1 << attempt))
    }

    fn udp(&self, batch: &mut Batch, patience: Duration) -> io::Result<()> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.connect(self.at)?;
        socket.set_read_timeout(Some(patience))?;
        let waiting = batch.waiting();
        let mut waiting = waiting.iter();
        let mut under_way = 0;
        let mut buffer = vec![0; 65_535];
        loop {
            while under_way < WINDOW
                && let Some(&id) = waiting.next()
            {
                socket.send(&batch.messages[id])?;
                under_way += 1;
            }
            if under_way == 0 {
                return Ok(());
            }
            match socket.recv(&mut buffer) {
                Ok(len) => under_way -= batch.take(&buffer[..len]),
                // What is under way is lost; the next attempt asks again.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => under_way = 0,
                Err(error) => return Err(error),
            }
        }
    }

    fn tcp(&self, batch: &mut Batch) -> io::Result<()> {
        let mut stream = TcpStream::connect_timeout(&self.at, self.patience)?;
        stream.set_read_timeout(Some(self.patience))?;
        stream.set_nodelay(true)?;
        let start = Instant::now();
        let waiting = batch.waiting();
        let mut waiting = waiting.iter();
        let mut under_way = 0;
        loop {
            // Servers bound the life of a connection; better to begin anew before they do.
            let young = start.elapsed() < Duration::from_secs(5);
            let mut octets = Vec::new();
            while young
                && under_way < WINDOW
                && let Some(&id) = waiting.next()
            {
                let message = &batch.messages[id];
                octets.extend_from_slice(&(message.len() as u16).to_be_bytes());
                octets.extend_from_slice(message);
                under_way += 1;
            }
            stream.write_all(&octets)?;
            if under_way == 0 {
                return match waiting.next() {
                    Some(_) => self.tcp(batch),
                    None => Ok(()),
                };
            }
            let mut len = [0; 2];
            stream.read_exact(&mut len)?;
            let mut reply = vec![0; usize::from(u16::from_be_bytes(len))];
            stream.read_exact(&mut reply)?;
            under_way -= batch.take(&reply);
        }
    }
}

struct Batch {
    messages: Vec<Vec<u8>>,
    replies: Vec<Option<Vec<u8>>>,
}

impl Batch {
    fn waiting(&self) -> Vec<usize> {
        let ids = 0..self.messages.len();
        ids.filter(|&id| self.replies[id].is_none()).collect()
    }

    /// Keeps a reply; says how many questions it answers, none if it was known already.
    fn take(&mut self, reply: &[u8]) -> usize {
        let Some(id) = reply.first_chunk().map(|id| u16::from_be_bytes(*id)) else {
            return 0;
        };
        match self.replies.get_mut(usize::from(id)) {
            Some(place @ None) => {
                *place = Some(reply.to_vec());
                1
            }
            _ => 0,
        }
    }
}
