//! A message of any kind to its answer, as the doors do it: plain queries, signed ones, updates.

use std::sync::OnceLock;
use std::time::Instant;

use hickory_proto::op::Message;
use lastgood::answer::{self, Context, Outcome, Settings, Transport};
use lastgood::rr::message::Rcode;
use lastgood::tsig::{self, Checked, Keys};
use lastgood::update;

use super::{sign, world};

/// The first octet is how it comes: bit 0 TCP, bit 1 signed by a key that we know.
pub fn run(data: &[u8]) {
    let Some((&how, message)) = data.split_first() else {
        return;
    };
    let transport = match how & 1 {
        0 => Transport::Udp,
        _ => Transport::Tcp,
    };
    match how & 2 {
        0 => handle(message, transport),
        _ => handle(&sign::signed(message, sign::NOW_UNIX), transport),
    }
}

pub fn keys() -> &'static Keys {
    static KEYS: OnceLock<Keys> = OnceLock::new();
    KEYS.get_or_init(|| {
        let algorithm = "hmac-sha256".parse().expect("an algorithm");
        let key = (world::name("fuzz."), algorithm, sign::SECRET.to_vec());
        Keys::new([key]).expect("a key")
    })
}

fn settings() -> &'static Settings {
    static SETTINGS: OnceLock<Settings> = OnceLock::new();
    SETTINGS.get_or_init(|| Settings {
        version: Some("lastgood".into()),
        ..Settings::default()
    })
}

fn context(transport: Transport, reserve: usize) -> Context<'static> {
    Context {
        published: world::published(),
        settings: settings(),
        transport,
        now: Instant::now(),
        reserve,
    }
}

fn handle(message: &[u8], transport: Transport) {
    let mut out = Vec::new();
    match answer::answer(message, &context(transport, 0), &mut out) {
        Outcome::Silent => assert!(out.is_empty(), "silence of {} octets", out.len()),
        Outcome::Answered(rcode) => {
            check(message, &out, transport);
            assert_eq!(out[3] & 15, (rcode.code() & 15) as u8);
        }
        Outcome::Elsewhere => slow(message, transport),
    }
}

/// Signed messages and updates.
fn slow(message: &[u8], transport: Transport) {
    match tsig::check(keys(), message, sign::NOW_UNIX) {
        Checked::Malformed => refuse(message, Rcode::FormErr, transport),
        Checked::Rejected { response, .. } => check(message, &response, transport),
        Checked::Unsigned => {
            let read = update::parse(message);
            let rcode = read.err().map_or(Rcode::Refused, |failure| failure.rcode);
            refuse(message, rcode, transport);
        }
        Checked::Signed(signed) => {
            let mut out = Vec::new();
            let reserve = signed.octets();
            let request = signed.message.clone();
            match answer::answer(&request, &context(transport, reserve), &mut out) {
                Outcome::Silent => return,
                Outcome::Answered(_) => {}
                Outcome::Elsewhere => {
                    let read = update::parse(&request);
                    let rcode = read.err().map_or(Rcode::NoError, |failure| failure.rcode);
                    answer::respond(&request, rcode, Some((0, "a reason")), &mut out);
                }
            }
            if !out.is_empty() {
                signed
                    .sign(&mut out, sign::NOW_UNIX)
                    .expect("room was left for it");
                check(message, &out, transport);
            }
        }
    }
}

fn refuse(message: &[u8], rcode: Rcode, transport: Transport) {
    let mut out = Vec::new();
    answer::respond(message, rcode, Some((18, "a reason")), &mut out);
    if !out.is_empty() {
        check(message, &out, transport);
    }
}

/// What holds for every response: it is one, to this request, within bounds, and others can read it.
pub fn check(request: &[u8], response: &[u8], transport: Transport) {
    let limit = match transport {
        Transport::Udp => 1232,
        Transport::Tcp => 65_535,
    };
    assert!(response.len() <= limit, "{} octets", response.len());
    assert!(response.len() >= 12 && request.len() >= 12, "a header");
    assert_eq!(request[2] & 0x80, 0, "a response to a response");
    assert_eq!(response[2] & 0x80, 0x80, "a response");
    assert_eq!(response[..2], request[..2], "the id comes back");
    assert_eq!(
        response[2] & 0x78,
        request[2] & 0x78,
        "the opcode comes back"
    );
    assert_eq!(response[3] & 0x40, 0, "a reserved bit");
    let read = Message::from_vec(response)
        .unwrap_or_else(|error| panic!("{error}: {response:02x?} to {request:02x?}"));
    assert!(read.queries.len() <= 1);
    let question_end = 12
        + read.queries.first().map_or(0, |_| {
            let name = response[12..].iter().position(|&octet| octet == 0);
            name.expect("a name that ends") + 5
        });
    // The question as it was spelled.
    assert_eq!(response[12..question_end], request[12..question_end]);
}
