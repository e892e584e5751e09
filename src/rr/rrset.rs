//! RRsets, compiled into the octets that answers are copied from.

use super::message::CLASS_IN;
use super::{Name, Rtype, rdata};

/// One record of class IN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    pub owner: Name,
    pub rtype: Rtype,
    /// Seconds.
    pub ttl: u32,
    /// Uncompressed.
    pub rdata: Box<[u8]>,
}

impl Record {
    /// RDATA in presentation form.
    pub fn rdata_text(&self) -> String {
        rdata::to_text(self.rtype, &self.rdata)
    }
}

impl std::fmt::Display for Record {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} {} {} {}",
            self.owner,
            self.ttl,
            self.rtype,
            self.rdata_text()
        )
    }
}

/// The records of one owner and type: at least one, distinct (RFC 2181 §5), in canonical order of
/// their RDATA (RFC 4034 §6.3).
///
/// It holds one block of octets: each record as it stands in a message whose question is the owner,
/// that is a pointer to offset 12, type, class, TTL, length, RDATA.
#[derive(Clone, PartialEq, Eq)]
pub struct RrSet {
    rtype: Rtype,
    ttl: u32,
    count: u32,
    body: Box<[u8]>,
}

/// Octets of a compiled record before its RDATA.
pub const RECORD_HEAD: usize = 12;
const OWNER_POINTER: [u8; 2] = [0xC0, 0x0C];

impl RrSet {
    /// An RRset of these RDATA; duplicates are kept once. `None` when there are none, or one is
    /// longer than 65,535 octets.
    pub fn new<R: AsRef<[u8]>>(
        rtype: Rtype,
        ttl: u32,
        rdatas: impl IntoIterator<Item = R>,
    ) -> Option<RrSet> {
        let mut rdatas: Vec<R> = rdatas.into_iter().collect();
        if rdatas.len() > 1 {
            rdatas.sort_by_cached_key(|r| rdata::canonical(rtype, r.as_ref()).into_owned());
            rdatas.dedup_by(|a, b| {
                rdata::canonical(rtype, a.as_ref()) == rdata::canonical(rtype, b.as_ref())
            });
        }
        let count = u32::try_from(rdatas.len())
            .ok()
            .filter(|&count| count > 0)?;
        let octets = rdatas.iter().map(|r| RECORD_HEAD + r.as_ref().len()).sum();
        let mut body = Vec::with_capacity(octets);
        for rdata in &rdatas {
            let rdata = rdata.as_ref();
            body.extend_from_slice(&OWNER_POINTER);
            body.extend_from_slice(&rtype.0.to_be_bytes());
            body.extend_from_slice(&CLASS_IN.to_be_bytes());
            body.extend_from_slice(&ttl.to_be_bytes());
            body.extend_from_slice(&u16::try_from(rdata.len()).ok()?.to_be_bytes());
            body.extend_from_slice(rdata);
        }
        Some(RrSet {
            rtype,
            ttl,
            count,
            body: body.into(),
        })
    }

    pub fn rtype(&self) -> Rtype {
        self.rtype
    }

    /// Seconds.
    pub fn ttl(&self) -> u32 {
        self.ttl
    }

    /// How many records.
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> usize {
        self.count as usize
    }

    /// All records as they stand in an answer to a question for their owner, the owner being a
    /// pointer to offset 12.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The compiled records, one by one; RDATA starts at [`RECORD_HEAD`].
    pub fn compiled(&self) -> impl Iterator<Item = &[u8]> + Clone {
        let mut rest = &self.body[..];
        std::iter::from_fn(move || {
            let len = rest.get(RECORD_HEAD - 2..RECORD_HEAD)?;
            let len = RECORD_HEAD + usize::from(u16::from_be_bytes([len[0], len[1]]));
            let (record, tail) = rest.split_at(len);
            rest = tail;
            Some(record)
        })
    }

    pub fn rdatas(&self) -> impl Iterator<Item = &[u8]> + Clone {
        self.compiled().map(|record| &record[RECORD_HEAD..])
    }

    /// The first RDATA, the only one of CNAME, DNAME and SOA.
    pub fn first(&self) -> &[u8] {
        self.rdatas().next().expect("an RRset has a record")
    }

    /// Whether `rdata` is one of ours, names compared without case.
    pub fn contains(&self, rdata: &[u8]) -> bool {
        let wanted = rdata::canonical(self.rtype, rdata);
        self.rdatas()
            .any(|own| rdata::canonical(self.rtype, own) == wanted)
    }

    /// Same type and same RDATA, whatever the TTL and the case of names.
    pub fn same_data(&self, other: &RrSet) -> bool {
        self.rtype == other.rtype
            && self.len() == other.len()
            && self
                .rdatas()
                .zip(other.rdatas())
                .all(|(a, b)| rdata::canonical(self.rtype, a) == rdata::canonical(self.rtype, b))
    }

    pub fn records(&self, owner: &Name) -> impl Iterator<Item = Record> {
        self.rdatas().map(move |rdata| Record {
            owner: owner.clone(),
            rtype: self.rtype,
            ttl: self.ttl,
            rdata: rdata.into(),
        })
    }

    /// The names that the records refer to (see [`rdata::target`]).
    pub fn targets(&self) -> impl Iterator<Item = Name> {
        self.rdatas()
            .filter_map(|rdata| rdata::target(self.rtype, rdata))
    }
}

impl std::fmt::Debug for RrSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.ttl, self.rtype)?;
        for rdata in self.rdatas() {
            write!(f, " [{}]", rdata::to_text(self.rtype, rdata))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_distinct_whatever_their_case_and_in_canonical_order() {
        let wire = |text: &str| rdata::from_text(Rtype::NS, text).unwrap();
        let set = RrSet::new(
            Rtype::NS,
            60,
            [wire("b.example."), wire("A.example."), wire("a.example.")],
        )
        .unwrap();
        assert_eq!(set.len(), 2);
        assert_eq!(set.first(), &*wire("A.example."));
        assert!(set.contains(&wire("B.EXAMPLE.")));
        assert_eq!(RrSet::new(Rtype::A, 60, Vec::<Vec<u8>>::new()), None);
    }

    #[test]
    fn the_body_is_what_a_message_holds() {
        let set = RrSet::new(Rtype::A, 300, [[192, 0, 2, 1]]).unwrap();
        assert_eq!(
            set.body(),
            b"\xC0\x0C\0\x01\0\x01\0\0\x01\x2C\0\x04\xC0\0\x02\x01"
        );
    }
}
