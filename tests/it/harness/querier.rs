//! Somebody who asks all the time, and notices every answer that is late or other than the first.

use std::collections::BTreeSet;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::RecordType;

use super::library::{self, Transport};

/// An answer later than this was not given.
const LATE: Duration = Duration::from_secs(5);
/// Between two questions: a core is shared with what is tested.
const PAUSE: Duration = Duration::from_millis(1);

/// What a question is answered with: RCODE and records, without their order and TTL.
type Answer = (ResponseCode, BTreeSet<String>);

struct Question {
    /// A part of the zone's name.
    zone: String,
    request: Message,
    answer: Answer,
}

/// What was seen.
#[derive(Debug, Default)]
pub struct Seen {
    pub asked: usize,
    /// Zone, and code of an extended error, as they came up.
    pub marks: BTreeSet<(String, u16)>,
    /// Wrong or missing answers, a sentence each.
    pub wrong: Vec<String>,
}

pub struct Querier {
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<Seen>>,
}

impl Querier {
    /// Each question is asked once, over TCP, and its answer is what the others have to be. What is
    /// asked is the zone's name, the name, and the type.
    pub fn start(at: SocketAddr, questions: &[(&str, &str, RecordType)]) -> Querier {
        let questions: Vec<Question> = questions
            .iter()
            .map(|(zone, name, rtype)| {
                let request = library::query(name, *rtype, Some(1232));
                let response = library::ask(at, Transport::Tcp, &request);
                Question {
                    zone: (*zone).to_owned(),
                    answer: answer(&response),
                    request,
                }
            })
            .collect();
        let over = Arc::new(AtomicBool::new(false));
        let until = over.clone();
        let thread = std::thread::spawn(move || ask(at, &questions, &until));
        Querier {
            over,
            thread: Some(thread),
        }
    }

    /// Of the demo: names that its tests leave alone.
    pub fn of_demo(at: SocketAddr) -> Querier {
        let zone = "example.com.";
        Querier::start(
            at,
            &[
                (zone, "api.example.com.", RecordType::A),
                (zone, "api.example.com.", RecordType::AAAA),
                (zone, "www.example.com.", RecordType::A),
                (zone, "example.com.", RecordType::NS),
                (zone, "chat.example.com.", RecordType::A),
                (zone, "nothing.example.com.", RecordType::A),
                (zone, "chat.example.com.", RecordType::MX),
                (
                    "2.0.192.in-addr.arpa.",
                    "25.2.0.192.in-addr.arpa.",
                    RecordType::PTR,
                ),
            ],
        )
    }

    /// Stops; nothing may have been wrong.
    #[track_caller]
    pub fn end(mut self) -> Seen {
        self.over.store(true, Ordering::Relaxed);
        let thread = self.thread.take().expect("ended once");
        let seen = thread.join().expect("the querier does not panic");
        assert!(seen.wrong.is_empty(), "{:#?}", seen.wrong);
        assert!(seen.asked > 10, "it did ask: {}", seen.asked);
        seen
    }
}

impl Drop for Querier {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

impl Seen {
    /// The extended errors that came with answers from a zone.
    pub fn marks_of(&self, zone: &str) -> Vec<u16> {
        let marks = self.marks.iter().filter(|(of, _)| of == zone);
        marks.map(|(_, code)| *code).collect()
    }
}

fn ask(at: SocketAddr, questions: &[Question], until: &AtomicBool) -> Seen {
    let mut seen = Seen::default();
    let local: SocketAddr = match at {
        SocketAddr::V4(_) => ([127, 0, 0, 1], 0).into(),
        SocketAddr::V6(_) => (std::net::Ipv6Addr::LOCALHOST, 0).into(),
    };
    let socket = UdpSocket::bind(local).expect("a socket");
    socket.connect(at).expect("an address");
    let start = Instant::now();
    while !until.load(Ordering::Relaxed) && seen.wrong.len() < 10 {
        for question in questions {
            let wrong = one(&socket, question, &mut seen);
            seen.asked += 1;
            if let Err(wrong) = wrong {
                let name = &question.request.queries[0];
                seen.wrong
                    .push(format!("after {:?}: {name}: {wrong}", start.elapsed()));
            }
        }
        std::thread::sleep(PAUSE);
    }
    seen
}

fn one(socket: &UdpSocket, question: &Question, seen: &mut Seen) -> Result<(), String> {
    let mut request = question.request.clone();
    request.metadata.id = (seen.asked % 65_536) as u16;
    let octets = request.to_vec().expect("a request");
    socket.send(&octets).map_err(|error| error.to_string())?;
    let sent = Instant::now();
    let mut buffer = [0; 4096];
    let response = loop {
        let left = LATE.saturating_sub(sent.elapsed());
        if left.is_zero() {
            return Err(format!("no answer within {LATE:?}"));
        }
        socket.set_read_timeout(Some(left)).expect("a time-out");
        let Ok(size) = socket.recv(&mut buffer) else {
            continue;
        };
        let response = Message::from_vec(&buffer[..size]).map_err(|error| error.to_string())?;
        if response.metadata.id == request.metadata.id {
            break response;
        }
    };
    let marks = library::extended_errors(&response).into_iter();
    seen.marks
        .extend(marks.map(|(code, _)| (question.zone.clone(), code)));
    let answer = answer(&response);
    match answer == question.answer {
        true => Ok(()),
        false => Err(format!("{answer:?}, not {:?}", question.answer)),
    }
}

fn answer(response: &Message) -> Answer {
    let records = response.answers.iter().map(|record| {
        let data = &record.data;
        format!("{} {data}", record.name)
    });
    (response.metadata.response_code, records.collect())
}
