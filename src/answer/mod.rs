//! From the octets of a query to the octets of its answer, for every transport: the look-up in an
//! immutable image and the one encoder.
//!
//! Read in order: `request` (what is asked, strictly), `lookup` (one step of RFC 1034 §4.3.2),
//! `resolve` (the steps of one answer: aliases, negative answers, referrals), `additional` (glue and
//! addresses), `reply` (the encoder; `compress` is its names), `members` (the same steps across all
//! our zones, for those who count what a name leads to).
//! Not here: sockets (`wire`), signatures on messages (`tsig`), updates (`update`), transfers.

mod additional;
mod compress;
mod lookup;
mod members;
mod reply;
mod request;
mod resolve;
#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

use crate::rr::Rtype;
use crate::rr::message::{
    CLASS_ANY, CLASS_CH, CLASS_IN, OPCODE_QUERY, OPCODE_UPDATE, Rcode, UDP_OCTETS_MAX,
    UDP_OCTETS_PLAIN, ede,
};
use crate::zone::{Published, Served, ServedZone};
pub use members::{Members, WalkEnd, members};
use reply::{Reply, Room};
use request::{Edns, Question, Request};

/// Alias records in one answer. Resolvers follow eleven, so data behind more are out of reach.
const ALIASES_MAX: usize = 12;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    Udp,
    Tcp,
}

#[derive(Debug, Clone)]
pub struct Settings {
    /// The text of CH TXT `version.server.` and `version.bind.`; `None`: REFUSED.
    pub version: Option<String>,
    /// The name of this server among others: CH TXT `id.server.` and `hostname.bind.` (RFC 4892),
    /// and the option NSID (RFC 5001). `None`: REFUSED, and no option. At most 255 octets.
    pub identity: Option<String>,
    /// Largest UDP answer, whatever the client offers.
    pub udp_octets_max: usize,
    /// How long a TCP connection may idle, for clients that ask (RFC 7828).
    pub tcp_idle: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            version: None,
            identity: None,
            udp_octets_max: UDP_OCTETS_MAX,
            tcp_idle: Duration::from_secs(30),
        }
    }
}

/// What an answer depends on besides the query.
pub struct Context<'a> {
    pub published: &'a Published,
    pub settings: &'a Settings,
    pub transport: Transport,
    pub now: Instant,
    /// Octets to leave free for a TSIG.
    pub reserve: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The answer is in `out`, and has this RCODE.
    Answered(Rcode),
    /// Nothing is to be sent: a reply to a reply is how loops begin.
    Silent,
    /// Not a question to the zones: an UPDATE, a message with a TSIG, or CH TXT
    /// `last-refusal.*.lastgood.`; `out` is untouched.
    Elsewhere,
}

/// Answers a query. A caller that has verified a TSIG strips it first.
pub fn answer(request: &[u8], context: &Context, out: &mut Vec<u8>) -> Outcome {
    match request::opcode(request) {
        None => return Outcome::Silent,
        Some(OPCODE_UPDATE) => return Outcome::Elsewhere,
        Some(_) => {}
    }
    let Some(request) = Request::scan(request) else {
        return Outcome::Silent;
    };
    if request.opcode() != OPCODE_QUERY {
        // Whatever else it is, a later EDNS is told ours first (RFC 6891 §6.1.3). What stands behind
        // the header is for those to judge who know the opcode (RFC 1035 §4.1.1: NOTIMP).
        let rcode = match request.edns {
            Some(edns) if edns.version > 0 => Rcode::BadVers,
            _ => Rcode::NotImp,
        };
        return refuse(&request, context, rcode, out);
    }
    if request.signed {
        return Outcome::Elsewhere;
    }
    let question = match &request.question {
        Some(question) if !request.malformed => question,
        _ => return refuse(&request, context, Rcode::FormErr, out),
    };
    if request.edns.is_some_and(|edns| edns.version > 0) {
        return refuse(&request, context, Rcode::BadVers, out);
    }
    match question.class {
        CLASS_IN | CLASS_ANY => answer_in(&request, question, context, out),
        CLASS_CH => answer_ch(&request, question, context, out),
        _ => refuse(&request, context, Rcode::Refused, out),
    }
}

fn answer_in(
    request: &Request,
    question: &Question,
    context: &Context,
    out: &mut Vec<u8>,
) -> Outcome {
    let refusal = match question.rtype {
        Rtype::AXFR | Rtype::IXFR => Some(Rcode::Refused),
        MAILA | MAILB => Some(Rcode::NotImp),
        // Types of the message's own machinery are no questions.
        Rtype::OPT | TKEY | Rtype::TSIG => Some(Rcode::FormErr),
        _ => None,
    };
    if let Some(rcode) = refusal {
        return refuse(request, context, rcode, out);
    }
    match lookup::zone_for(context.published, question.key(), question.rtype).map(|z| &**z) {
        None => refuse(request, context, Rcode::Refused, out),
        Some(Served::Unavailable { reason, .. }) => no_data(request, reason, context, out),
        // RFC 8914 §4.25: "too old or having expired".
        Some(Served::Zone(ServedZone {
            hold: Some(hold), ..
        })) if hold.is_expired => no_data(request, &hold.reason, context, out),
        Some(Served::Zone(zone)) => {
            Outcome::Answered(answer_from(zone, request, question, context, out))
        }
    }
}

fn no_data(request: &Request, reason: &str, context: &Context, out: &mut Vec<u8>) -> Outcome {
    let reply = Reply::start(request, room(request, context), out);
    let ede = Some((ede::INVALID_DATA, shortened(reason)));
    Outcome::Answered(reply.finish(Rcode::ServFail, false, ede))
}

const MAILB: Rtype = Rtype(253);
const MAILA: Rtype = Rtype(254);
const TKEY: Rtype = Rtype(249);

/// Octets to keep free of optional records for the EDE option of a held zone.
const HOLD_EDE_OCTETS: usize = 64;

fn answer_from(
    zone: &ServedZone,
    request: &Request,
    question: &Question,
    context: &Context,
    out: &mut Vec<u8>,
) -> Rcode {
    let mut room = room(request, context);
    if zone.hold.is_some() && request.edns.is_some() {
        room.option_octets = HOLD_EDE_OCTETS;
    }
    let mut reply = Reply::start(request, room, out);
    let walk = |reply: &mut Reply| {
        resolve::resolve(
            context.published,
            &zone.image,
            question,
            context.transport,
            reply,
        )
    };
    let (mut rcode, mut authoritative) = walk(&mut reply);
    if reply.begins_anew() {
        (rcode, authoritative) = walk(&mut reply);
    }
    // What covers one class is no authority for all of them (RFC 1035 §6.2).
    authoritative &= question.class == CLASS_IN;
    let Some(hold) = &zone.hold else {
        return reply.finish(rcode, authoritative, None);
    };
    let code = match rcode {
        Rcode::NxDomain => ede::STALE_NXDOMAIN,
        _ => ede::STALE_ANSWER,
    };
    let held = context.now.saturating_duration_since(hold.since).as_secs();
    let text = format!("lastgood rev={} held={held}s", zone.revision);
    reply.finish(rcode, authoritative, Some((code, &text)))
}

fn answer_ch(
    request: &Request,
    question: &Question,
    context: &Context,
    out: &mut Vec<u8>,
) -> Outcome {
    if question.rtype != Rtype::TXT {
        return refuse(request, context, Rcode::Refused, out);
    }
    let key = question.key();
    if key.starts_with(b"\x0clast-refusal") && key.ends_with(b"\x08lastgood\0") {
        return Outcome::Elsewhere;
    }
    let text = match key {
        b"\x07version\x06server\0" | b"\x07version\x04bind\0" => &context.settings.version,
        b"\x02id\x06server\0" | b"\x08hostname\x04bind\0" => &context.settings.identity,
        _ => &None,
    };
    if let Some(text) = text {
        let text = std::slice::from_ref(text);
        return Outcome::Answered(texts(request, text, context, out));
    }
    refuse(request, context, Rcode::Refused, out)
}

fn refuse(request: &Request, context: &Context, rcode: Rcode, out: &mut Vec<u8>) -> Outcome {
    let reply = Reply::start(request, room(request, context), out);
    Outcome::Answered(reply.finish(rcode, false, None))
}

fn room<'s>(request: &Request, context: &Context<'s>) -> Room<'s> {
    let announced = context.settings.udp_octets_max.max(UDP_OCTETS_PLAIN);
    let octets = match (context.transport, request.edns) {
        (Transport::Tcp, _) => usize::from(u16::MAX),
        (Transport::Udp, None) => UDP_OCTETS_PLAIN,
        // Values below 512 count as 512 (RFC 6891 §6.2.3).
        (Transport::Udp, Some(Edns { octets, .. })) => octets.clamp(UDP_OCTETS_PLAIN, announced),
    };
    let asks = |option: fn(&Edns) -> bool| request.edns.as_ref().is_some_and(option);
    let idle_tenths = context.settings.tcp_idle.as_millis() / 100;
    let keepalive = u16::try_from(idle_tenths).unwrap_or(u16::MAX);
    Room {
        octets: octets.saturating_sub(context.reserve),
        option_octets: 0,
        announced: announced.min(usize::from(u16::MAX)) as u16,
        identity: (context.settings.identity.as_deref()).filter(|_| asks(|edns| edns.identity)),
        // Over UDP the option means nothing (RFC 7828 §3.2.2).
        keepalive: (context.transport == Transport::Tcp && asks(|edns| edns.keepalive))
            .then_some(keepalive),
    }
}

/// Whether a request of any opcode has an EDNS that is later than ours (RFC 6891 §6.1.3).
pub fn has_later_edns(request: &[u8]) -> bool {
    let edns = Request::scan(request).and_then(|request| request.edns);
    edns.is_some_and(|edns| edns.version > 0)
}

/// Answers a request of any opcode with an RCODE and no records: the question or zone is echoed
/// when it parses, and there is an OPT, with an extended error if one is given, only if the request
/// had one. Leaves `out` empty when there is nothing to reply to.
pub fn respond(request: &[u8], rcode: Rcode, ede: Option<(u16, &str)>, out: &mut Vec<u8>) {
    out.clear();
    let Some(request) = Request::scan(request) else {
        return;
    };
    let room = Room {
        octets: UDP_OCTETS_PLAIN,
        option_octets: 0,
        announced: UDP_OCTETS_MAX as u16,
        identity: None,
        keepalive: None,
    };
    let ede = ede.map(|(code, text)| (code, shortened(text)));
    Reply::start(&request, room, out).finish(rcode, false, ede);
}

/// Answers a CH TXT question with one record for each text, TTL 0. Leaves `out` empty when there is
/// nothing to reply to.
pub fn respond_txt(request: &[u8], texts: &[String], context: &Context, out: &mut Vec<u8>) {
    out.clear();
    if let Some(request) = Request::scan(request) {
        self::texts(&request, texts, context, out);
    }
}

fn texts(request: &Request, texts: &[String], context: &Context, out: &mut Vec<u8>) -> Rcode {
    let mut reply = Reply::start(request, room(request, context), out);
    if request.question.is_none() {
        return reply.finish(Rcode::FormErr, false, None);
    }
    reply.chaos_texts(texts);
    reply.finish(Rcode::NoError, true, None)
}

/// A sentence short enough for an EDE option in the smallest message.
fn shortened(text: &str) -> &str {
    const EDE_TEXT_OCTETS: usize = 160;
    let mut ends = (0..=text.len().min(EDE_TEXT_OCTETS)).rev();
    let end = ends.find(|&end| text.is_char_boundary(end));
    &text[..end.unwrap_or(0)]
}
