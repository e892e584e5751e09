//! The slow path, for UDP and TCP alike: signed messages and updates.

use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Instant, SystemTime};

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tracing::{error, info, warn};

use super::datagram::{Arrival, Door, Envelope};
use super::rcode::Verdict;
use super::seldom::Seldom;
use super::{Service, udp};
use crate::answer::{self, Transport};
use crate::change::{self, Submission};
use crate::guard::{Actor, Path};
use crate::metrics::Fate;
use crate::rr::Name;
use crate::rr::message::{HEADER_OCTETS, OPCODE_UPDATE, Rcode};
use crate::tsig::{self, Checked, Signed};
use crate::update;

static UNVERIFIED: Seldom = Seldom::new();
static UNSIGNABLE: Seldom = Seldom::new();
static UNAVAILABLE: Seldom = Seldom::new();

/// What is to be done about a request.
pub(super) enum Reply {
    Silent,
    Ready(Vec<u8>),
    Update(Box<Update>),
}

/// An update that can be read and is signed by whom it says, to be submitted.
pub(super) struct Update {
    submission: Submission,
    signed: Signed,
}

/// The way of the UDP threads to the slow path.
#[derive(Clone)]
pub(super) struct SlowPath {
    service: Arc<Service>,
    queue: mpsc::Sender<Datagram>,
    /// Of what was put into the queue, what is not taken in yet.
    waiting: Arc<AtomicUsize>,
}

/// A datagram that waits.
struct Datagram {
    door: Arc<Door>,
    envelope: Envelope,
    request: Vec<u8>,
}

/// The longest message that a UDP thread takes in itself: no more of its time than some queries.
const AT_ONCE_OCTETS: usize = 4096;
/// Datagrams that may wait; beyond it they are dropped, and clients ask again.
const QUEUE: usize = 1024;

impl SlowPath {
    /// Starts the task that takes in what waits, in the order in which it came, until the last of
    /// the ways to it is gone.
    pub fn start(service: Arc<Service>) -> (SlowPath, JoinHandle<()>) {
        let (queue, mut datagrams) = mpsc::channel::<Datagram>(QUEUE);
        let path = SlowPath {
            service: service.clone(),
            queue,
            waiting: Arc::default(),
        };
        let waiting = path.waiting.clone();
        let task = tokio::spawn(async move {
            while let Some(datagram) = datagrams.recv().await {
                let Datagram {
                    door,
                    envelope,
                    request,
                } = datagram;
                // One that went wrong must not end the way of all others.
                let taken = catch_unwind(AssertUnwindSafe(|| {
                    take_datagram(&service, &request, envelope, &door);
                }));
                if taken.is_err() {
                    error!(source = %envelope.peer, "a request caused a panic and gets no answer");
                }
                waiting.fetch_sub(1, Ordering::Release);
            }
        });
        (path, task)
    }

    /// Takes in what comes alone, on the thread that has received it: a client that waits for each
    /// answer is spared two changes of thread. What comes with others, or behind others, or is long
    /// is queued, so that a flood of it costs the queries little; false: there is no room. Updates of
    /// one client are submitted in the order in which they came.
    #[must_use]
    pub fn pass(
        &self,
        request: &[u8],
        envelope: Envelope,
        door: &Arc<Door>,
        arrival: Arrival,
    ) -> bool {
        if arrival == Arrival::Alone
            && request.len() <= AT_ONCE_OCTETS
            && self.waiting.load(Ordering::Acquire) == 0
        {
            take_datagram(&self.service, request, envelope, door);
            return true;
        }
        let datagram = Datagram {
            door: door.clone(),
            envelope,
            request: request.to_vec(),
        };
        self.waiting.fetch_add(1, Ordering::Relaxed);
        // Never wait here: clients ask again, queries behind this one would not be answered.
        let is_queued = self.queue.try_send(datagram).is_ok();
        if !is_queued {
            self.waiting.fetch_sub(1, Ordering::Release);
        }
        is_queued
    }
}

/// Answers a datagram, or leaves that to the writer's thread: sending does not wait.
fn take_datagram(service: &Arc<Service>, request: &[u8], envelope: Envelope, door: &Arc<Door>) {
    match take(service, request, envelope.peer, Transport::Udp) {
        Reply::Silent => {}
        Reply::Ready(reply) => send(service, door, &envelope, &reply),
        Reply::Update(update) => {
            let Update { submission, signed } = *update;
            let (to_send, door) = (service.clone(), door.clone());
            service.change.submit_to(submission, move |outcome| {
                if let Some(reply) = tell(signed, &outcome) {
                    send(&to_send, &door, &envelope, &reply);
                }
            });
        }
    }
}

fn send(service: &Service, door: &Door, envelope: &Envelope, reply: &[u8]) {
    if !udp::send(door, envelope, reply) {
        service.counters.response_lost();
    }
}

/// Takes in a request that is not a plain query.
pub(super) fn take(
    service: &Service,
    request: &[u8],
    source: SocketAddr,
    transport: Transport,
) -> Reply {
    let desk = Desk {
        service,
        source,
        transport,
    };
    // As at the UDP door: no octets of a peer's may cost us the slow path.
    catch_unwind(AssertUnwindSafe(|| desk.take(request))).unwrap_or_else(|_| {
        error!(%source, "a request caused a panic and gets no answer");
        Reply::Silent
    })
}

struct Desk<'a> {
    service: &'a Service,
    source: SocketAddr,
    transport: Transport,
}

impl Desk<'_> {
    fn take(&self, request: &[u8]) -> Reply {
        let counters = &self.service.counters;
        match tsig::check(&self.service.keys.load(), request, now_unix()) {
            Checked::Malformed => {
                counters.tsig_failure();
                self.counted(request, respond(request, &Verdict::plain(Rcode::FormErr)))
            }
            Checked::Rejected { response, reason } => {
                counters.tsig_failure();
                if let Some(unsaid) = UNVERIFIED.due() {
                    info!(source = %self.source, reason, unsaid, "a signature was not accepted");
                }
                self.counted(request, Reply::Ready(response))
            }
            Checked::Unsigned => {
                if is_update(request) {
                    counters.unsigned_update();
                }
                let told = self.told_without_signature(request);
                let reply = told.unwrap_or_else(|| respond(request, &self.unsigned(request)));
                self.counted(request, reply)
            }
            Checked::Signed(signed) if is_update(request) => self.update(signed),
            Checked::Signed(signed) => self.query(signed),
        }
    }

    /// Counts the answer to a query that was not looked into; no such answer has an RCODE that
    /// does not fit the header.
    fn counted(&self, request: &[u8], reply: Reply) -> Reply {
        if let Reply::Ready(reply) = &reply
            && !is_update(request)
        {
            self.service.count(self.transport, header_rcode(reply));
        }
        reply
    }

    /// Without a signature neither an update nor a question about a key's refusals is looked into
    /// further than RFC 2136 §3.1 asks; nothing is submitted, so strangers write no audit rows.
    fn unsigned(&self, request: &[u8]) -> Verdict {
        match is_update(request).then(|| self.readable(request)) {
            Some(Err(verdict)) => verdict,
            Some(Ok(_)) | None => Verdict::not_signed(),
        }
    }

    /// An update that can be read, for a zone of ours (RFC 2136 §3.1).
    fn readable(&self, request: &[u8]) -> Result<update::UpdateMessage, Verdict> {
        if answer::has_later_edns(request) {
            return Err(Verdict::plain(Rcode::BadVers));
        }
        let message = update::parse(request).map_err(|failure| Verdict::plain(failure.rcode))?;
        match self.service.published.load().zone(&message.zone) {
            Some(_) => Ok(message),
            None => Err(Verdict::plain(Rcode::NotAuth)),
        }
    }

    fn update(&self, signed: Signed) -> Reply {
        let message = match self.readable(&signed.message) {
            Ok(message) => message,
            Err(verdict) => {
                self.service
                    .counters
                    .update(Path::Update.as_str(), Fate::Failed);
                let mut reply = Vec::new();
                put(&signed.message, &verdict, &mut reply);
                return sign(signed, reply);
            }
        };
        let submission = Submission {
            zone: message.zone.clone(),
            actor: Actor {
                name: format!("key {}", signed.key),
                key: Some(signed.key.clone()),
            },
            path: Path::Update,
            source: Some(self.source),
            transport: Some(match self.transport {
                Transport::Udp => "udp",
                Transport::Tcp => "tcp",
            }),
            body: change::Body::Update {
                message,
                mac: signed.mac.clone(),
            },
            override_: None,
        };
        Reply::Update(Box::new(Update { submission, signed }))
    }

    fn query(&self, signed: Signed) -> Reply {
        let mut reply = Vec::new();
        let (request, reserve) = (&signed.message, signed.octets());
        let outcome = self
            .service
            .answer(request, self.transport, reserve, &mut reply);
        let rcode = match outcome {
            answer::Outcome::Answered(rcode) => rcode.code(),
            answer::Outcome::Silent => return Reply::Silent,
            answer::Outcome::Elsewhere => {
                self.last_refusal(&signed, &mut reply);
                header_rcode(&reply)
            }
        };
        self.service.count(self.transport, rcode);
        sign(signed, reply)
    }

    /// CH TXT `last-refusal.<key>.lastgood.`, for the key itself.
    fn last_refusal(&self, signed: &Signed, reply: &mut Vec<u8>) {
        if last_refusal_key(&signed.message).as_ref() != Some(&signed.key) {
            return put(&signed.message, &Verdict::not_this_key(), reply);
        }
        self.tell_refusal(&signed.message, &signed.key, signed.octets(), reply);
    }

    /// The same of any key, for whoever asks from an address that may (`ask_from`).
    fn told_without_signature(&self, request: &[u8]) -> Option<Reply> {
        let address = self.source.ip().to_canonical();
        let mut from = self.service.ask_from.iter();
        if is_update(request) || !from.any(|prefix| prefix.contains(address)) {
            return None;
        }
        let mut reply = Vec::new();
        let outcome = self.service.answer(request, self.transport, 0, &mut reply);
        if !matches!(outcome, answer::Outcome::Elsewhere) {
            return None;
        }
        let key = last_refusal_key(request)?;
        self.tell_refusal(request, &key, 0, &mut reply);
        Some(Reply::Ready(reply))
    }

    fn tell_refusal(&self, request: &[u8], key: &Name, reserve: usize, reply: &mut Vec<u8>) {
        let text = self.service.change.last_refusal(key);
        let text = text.unwrap_or_else(|| "no update of this key was refused".into());
        let context = answer::Context {
            published: &self.service.published.load(),
            settings: &self.service.answer,
            transport: self.transport,
            now: Instant::now(),
            reserve,
        };
        answer::respond_txt(request, &[text], &context, reply);
    }
}

impl Update {
    /// Submits it before this returns. What is returned has the signed answer, once it is known.
    pub fn submit(self, change: &change::Handle) -> impl Future<Output = Option<Vec<u8>>> + use<> {
        let outcome = change.submit(self.submission);
        async move {
            // The writer drops what it can no longer answer only when it stops.
            let outcome = outcome.await.unwrap_or(change::Outcome::Unavailable {
                reason: "the server is stopping".into(),
            });
            tell(self.signed, &outcome)
        }
    }
}

/// The signed answer to an update.
fn tell(signed: Signed, outcome: &change::Outcome) -> Option<Vec<u8>> {
    if let change::Outcome::Unavailable { reason } = outcome
        && let Some(unsaid) = UNAVAILABLE.due()
    {
        warn!(reason, unsaid, "an update is answered with SERVFAIL");
    }
    let mut reply = Vec::new();
    put(&signed.message, &Verdict::of(outcome), &mut reply);
    match sign(signed, reply) {
        Reply::Ready(reply) => Some(reply),
        _ => None,
    }
}

fn respond(request: &[u8], verdict: &Verdict) -> Reply {
    let mut reply = Vec::new();
    put(request, verdict, &mut reply);
    match reply.is_empty() {
        true => Reply::Silent,
        false => Reply::Ready(reply),
    }
}

fn put(request: &[u8], verdict: &Verdict, reply: &mut Vec<u8>) {
    let ede = verdict.ede.as_ref();
    answer::respond(
        request,
        verdict.rcode,
        ede.map(|(code, text)| (*code, text.as_str())),
        reply,
    );
}

fn sign(signed: Signed, mut reply: Vec<u8>) -> Reply {
    match signed.sign(&mut reply, now_unix()) {
        Ok(()) => Reply::Ready(reply),
        // An unsigned answer would be thrown away by the client, or believed without reason.
        Err(error) => {
            if let Some(unsaid) = UNSIGNABLE.due() {
                warn!(%error, unsaid, "an answer cannot be signed and is not sent");
            }
            Reply::Silent
        }
    }
}

/// The key whose refusal is asked for by the first question of a message.
fn last_refusal_key(message: &[u8]) -> Option<Name> {
    const LAST: &[u8] = b"\x08lastgood\x00";
    let (name, _) = Name::from_message(message, HEADER_OCTETS).ok()?;
    let below = name.parent()?;
    let split = below.len().checked_sub(LAST.len())?;
    let (key, last) = below.as_wire().split_at(split);
    let first = name.labels().next()?;
    if !first.eq_ignore_ascii_case(b"last-refusal") || !last.eq_ignore_ascii_case(LAST) {
        return None;
    }
    Name::from_wire(&[key, &[0]].concat()).ok()
}

fn is_update(message: &[u8]) -> bool {
    message
        .get(2)
        .is_some_and(|flags| flags >> 3 & 0xF == OPCODE_UPDATE)
}

/// The part of the RCODE that the header holds.
fn header_rcode(message: &[u8]) -> u16 {
    message.get(3).map_or(0, |flags| u16::from(flags & 0xF))
}

fn now_unix() -> u64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(name: &str) -> Vec<u8> {
        let mut message = vec![0; HEADER_OCTETS];
        message.extend_from_slice(name.parse::<Name>().unwrap().as_wire());
        message
    }

    #[test]
    fn the_key_of_a_question_about_refusals_stands_between_the_fixed_labels() {
        let asked = |name| last_refusal_key(&question(name));
        let key = |name: &str| Some(name.parse::<Name>().unwrap());
        assert_eq!(asked("last-refusal.enactor-a.lastgood."), key("enactor-a."));
        assert_eq!(asked("LAST-Refusal.a.b.LASTGOOD."), key("a.b."));
        assert_eq!(asked("last-refusal.lastgood."), key("."));
        assert_eq!(asked("last-refusal.enactor-a.example."), None);
        assert_eq!(asked("refusal.enactor-a.lastgood."), None);
        // The same octets at the end, but not the label.
        assert_eq!(asked("last-refusal.x\\008lastgood."), None);
        assert_eq!(last_refusal_key(&[0; 5]), None);
    }
}
