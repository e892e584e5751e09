//! The steps of one answer, from the question to the RCODE: aliases are followed inside the zone,
//! and what stands at the end of the chain gives RCODE and authority (RFC 6604).

use super::additional::{add_glue, add_targets};
use super::compress::is_at_or_below;
use super::lookup::{Source, Step, step, zone_for};
use super::reply::{Owner, Reply, Section};
use super::request::Question;
use super::{ALIASES_MAX, Transport};
use crate::rr::message::Rcode;
use crate::rr::{RrSet, Rtype};
use crate::zone::{Node, Published, ZoneImage};

/// Writes the records that answer a question, which must be at or below the zone's origin. Returns
/// the RCODE, and whether the answer is authoritative.
pub(super) fn resolve(
    published: &Published,
    image: &ZoneImage,
    question: &Question,
    transport: Transport,
    reply: &mut Reply,
) -> (Rcode, bool) {
    let mut walk = Walk {
        published,
        image,
        rtype: question.rtype,
        transport,
        reply,
        at: None,
        aliases: [None; ALIASES_MAX],
        aliases_count: 0,
        dnames: [None; ALIASES_MAX],
    };
    loop {
        let name = match &walk.at {
            None => question.key(),
            Some(target) => target.key(),
        };
        let end = match step(image, name, question.rtype) {
            Step::Data(source, rrset) => Some(walk.data(source, rrset, question)),
            Step::Everything(source) => Some(walk.everything(source)),
            Step::NoData => Some(walk.negative(Rcode::NoError)),
            Step::NxDomain => Some(walk.negative(Rcode::NxDomain)),
            Step::Referral(cut, ns) => {
                walk.referral(cut, ns);
                // AA is about the first owner (RFC 1035 §4.1.1): an alias of ours.
                return (Rcode::NoError, walk.aliases_count > 0);
            }
            Step::Cname(source, cname) => walk.cname(source, cname),
            Step::Dname(node, dname) => walk.dname(node, dname, question),
        };
        if let Some(rcode) = end {
            return (rcode, true);
        }
    }
}

struct Walk<'w, 'z, 'o> {
    published: &'w Published,
    image: &'z ZoneImage,
    rtype: Rtype,
    transport: Transport,
    reply: &'w mut Reply<'o>,
    /// Where aliases have led; `None` at the question.
    at: Option<Target>,
    /// Where in the reply the alias records stand, those that fit.
    aliases: [Option<usize>; ALIASES_MAX],
    aliases_count: usize,
    /// The DNAME behind each alias: one may be used twice, and stands in the reply once.
    dnames: [Option<&'z Node>; ALIASES_MAX],
}

/// Methods that end the walk return its RCODE.
impl<'z> Walk<'_, 'z, '_> {
    fn data(&mut self, source: Source, rrset: &RrSet, question: &Question) -> Rcode {
        if self.is_there(source.node, rrset) {
            return Rcode::NoError;
        }
        let owner = owner(&self.at, source);
        if self.reply.add(Section::Answer, owner, rrset) {
            let own = self.at.as_ref().map_or(question.key(), Target::key);
            add_targets(self.image, own, rrset, self.reply);
        } else {
            self.reply.truncate();
        }
        Rcode::NoError
    }

    /// ANY: the smallest RRset over UDP (RFC 8482 §4.1), all over TCP, where nobody is flooded.
    fn everything(&mut self, source: Source) -> Rcode {
        let rrsets = source.node.rrsets();
        let rrsets = match self.transport {
            Transport::Tcp => rrsets,
            Transport::Udp => {
                let smallest = (0..rrsets.len()).min_by_key(|&i| rrsets[i].body().len());
                smallest.map_or(&[][..], |i| &rrsets[i..=i])
            }
        };
        let owner = owner(&self.at, source);
        for rrset in rrsets {
            if self.is_there(source.node, rrset) {
                continue;
            }
            if !self.reply.add(Section::Answer, owner, rrset) {
                self.reply.truncate();
                break;
            }
        }
        Rcode::NoError
    }

    /// Whether this is a DNAME that led here: an RRset stands in a message once.
    fn is_there(&self, node: &Node, rrset: &RrSet) -> bool {
        let mut dnames = self.dnames.iter().flatten();
        rrset.rtype() == Rtype::DNAME && dnames.any(|seen| std::ptr::eq(*seen, node))
    }

    /// The SOA with the TTL of negative answers (RFC 2308 §3, §5).
    fn negative(&mut self, rcode: Rcode) -> Rcode {
        if let Some(soa) = self.image.apex().rrset(Rtype::SOA) {
            let minimum = soa
                .first()
                .last_chunk()
                .map(|last| u32::from_be_bytes(*last));
            let ttl = soa.ttl().min(minimum.unwrap_or(0));
            let origin = Owner::Name(self.image.origin().as_wire());
            if !self
                .reply
                .add_with_ttl(Section::Authority, origin, soa, ttl)
            {
                self.reply.truncate();
            }
        }
        rcode
    }

    fn referral(&mut self, cut: &Node, ns: &RrSet) {
        let owner = Owner::Name(cut.name().as_wire());
        if self
            .reply
            .add_with_ttl(Section::Authority, owner, ns, ns.ttl())
        {
            add_glue(self.image, cut, ns, self.reply);
        } else {
            self.reply.truncate();
        }
    }

    fn cname(&mut self, source: Source, cname: &RrSet) -> Option<Rcode> {
        let position = self.reply.position();
        let fits = self
            .reply
            .add(Section::Answer, owner(&self.at, source), cname);
        self.follow(fits.then_some(position), Target::new(cname.first()))
    }

    fn dname(&mut self, node: &'z Node, dname: &RrSet, question: &Question) -> Option<Rcode> {
        let is_this = |seen: &&Node| std::ptr::eq(*seen, node);
        if !self.dnames.iter().flatten().any(is_this)
            && !self
                .reply
                .add(Section::Answer, Owner::Name(node.name().as_wire()), dname)
        {
            self.reply.truncate();
        }
        self.dnames[self.aliases_count] = Some(node);
        let (spelled, key, owner) = match &self.at {
            None => (self.reply.question_name(), question.key(), Owner::Question),
            Some(target) => (
                target.spelled(),
                target.key(),
                Owner::Name(target.spelled()),
            ),
        };
        let kept = key.len() - node.name().len();
        let Some(target) = Target::joined(&spelled[..kept], dname.first()) else {
            // RFC 6672 §2.2.
            return Some(Rcode::YxDomain);
        };
        let position = self.reply.position();
        let fits = self.reply.add_cname(owner, dname.ttl(), target.spelled());
        let end = self.follow(fits.then_some(position), target);
        match self.rtype {
            // The synthesised CNAME is what was asked for.
            Rtype::CNAME => Some(Rcode::NoError),
            _ => end,
        }
    }

    /// Whether this zone, not another that we serve, a child perhaps, answers for a name; for the DS
    /// of a child it is this one.
    fn is_ours(&self, name: &[u8]) -> bool {
        let origin = self.image.origin();
        let answers = [
            self.published.find(name),
            zone_for(self.published, name, self.rtype),
        ];
        is_at_or_below(name, origin.as_wire())
            && answers
                .into_iter()
                .flatten()
                .any(|served| served.origin() == origin)
    }

    /// Goes on to the target of the alias written at `position`, inside the zone only: resolvers
    /// do not believe us beyond it. A loop, or a chain too long, ends with what was gathered. What
    /// does not fit is followed all the same: the RCODE is that of the end (RFC 6604 §3).
    fn follow(&mut self, position: Option<usize>, target: Target) -> Option<Rcode> {
        if position.is_none() {
            self.reply.truncate();
        }
        self.aliases[self.aliases_count] = position;
        self.aliases_count += 1;
        let ends = self.aliases_count == ALIASES_MAX
            || !self.is_ours(target.key())
            || self
                .aliases
                .iter()
                .flatten()
                .any(|&alias| self.reply.is_owned_by(alias, target.key()));
        self.at = Some(target);
        ends.then_some(Rcode::NoError)
    }
}

/// The owner of records taken from a node: spelled as in the zone, or, where a wildcard stands for
/// it, as asked.
fn owner<'n>(at: &'n Option<Target>, source: Source<'n>) -> Owner<'n> {
    match at {
        None => Owner::Question,
        Some(target) if source.synthesised => Owner::Name(target.spelled()),
        Some(_) => Owner::Name(source.node.name().as_wire()),
    }
}

/// A name that an alias leads to.
struct Target {
    spelled: [u8; 255],
    key: [u8; 255],
    len: usize,
}

impl Target {
    fn new(name: &[u8]) -> Target {
        Target::joined(&[], name).expect("a name of a zone is at most 255 octets long")
    }

    /// Labels put in front of a name; `None` when too long.
    fn joined(labels: &[u8], name: &[u8]) -> Option<Target> {
        let len = labels.len() + name.len();
        let mut spelled = [0; 255];
        spelled.get_mut(..labels.len())?.copy_from_slice(labels);
        spelled.get_mut(labels.len()..len)?.copy_from_slice(name);
        let key = spelled.map(|octet| octet.to_ascii_lowercase());
        Some(Target { spelled, key, len })
    }

    fn spelled(&self) -> &[u8] {
        &self.spelled[..self.len]
    }

    fn key(&self) -> &[u8] {
        &self.key[..self.len]
    }
}
