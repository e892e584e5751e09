//! One name of the zone while operations change it (RFC 2136 §3.4.2.2 - §3.4.2.4).

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::rr::{Name, Record, RrSet, Rtype, Serial, Soa, rdata};
use crate::zone::{Editor, Operation, OutsideZone, ZoneImage};

/// The most records that an RRset is compiled of.
const RECORDS_MAX: usize = u16::MAX as usize;

pub(super) struct Draft {
    owner: Name,
    is_apex: bool,
    slots: BTreeMap<Rtype, Slot>,
    serial_was_set: bool,
}

/// What a name has of one type: as the image has it until something touches its records.
enum Slot {
    Kept(Arc<RrSet>),
    Drafted(Records),
}

/// Records of one type: their RDATA by canonical form, so that each operation costs a look-up.
#[derive(Default)]
struct Records {
    ttl: u32,
    rdatas: BTreeMap<Box<[u8]>, Box<[u8]>>,
}

impl Draft {
    pub fn of(image: &ZoneImage, owner: &Name) -> Draft {
        let node = image.node(owner).filter(|node| !node.is_empty());
        let rrsets = node.into_iter().flat_map(|node| node.rrsets());
        Draft {
            // A name in use keeps its spelling.
            owner: node.map_or(owner, |node| node.name()).clone(),
            is_apex: owner == image.origin(),
            slots: rrsets
                .map(|rrset| (rrset.rtype(), Slot::Kept(rrset.clone())))
                .collect(),
            serial_was_set: false,
        }
    }

    pub fn serial_was_set(&self) -> bool {
        self.serial_was_set
    }

    /// Performs one operation; returns what of it the RFC says to ignore.
    pub fn perform(&mut self, operation: &Operation) -> Option<String> {
        match operation {
            Operation::Add(record) if record.rtype == Rtype::SOA => self.replace_soa(record),
            Operation::Add(record) => self.add(record),
            Operation::DeleteRecord(record) => self.delete_record(record),
            Operation::DeleteRrset { rtype, .. } => self.delete_rrset(*rtype),
            Operation::DeleteName { .. } => self.delete_name(),
        }
    }

    /// Writes what was drafted into an image.
    pub fn write(self, editor: &mut Editor) -> Result<(), OutsideZone> {
        for (rtype, slot) in self.slots {
            if let Slot::Drafted(records) = slot {
                let rrset = RrSet::new(rtype, records.ttl, records.rdatas.into_values());
                editor.set(&self.owner, rtype, rrset)?;
            }
        }
        Ok(())
    }

    fn has(&self, rtype: Rtype) -> bool {
        self.slots.get(&rtype).is_some_and(|slot| !slot.is_empty())
    }

    /// The records of a type, to be changed.
    fn records(&mut self, rtype: Rtype) -> &mut Records {
        let slot = self
            .slots
            .entry(rtype)
            .or_insert_with(|| Slot::Drafted(Records::default()));
        slot.draft()
    }

    /// §3.4.2.2 for all types but SOA.
    fn add(&mut self, record: &Record) -> Option<String> {
        let (owner, rtype) = (&self.owner, record.rtype);
        if let Some(standing) = self.conflict(rtype) {
            return Some(format!(
                "{owner} {rtype} was not added: it cannot stand beside the {standing} there"
            ));
        }
        let key = rdata::canonical(rtype, &record.rdata).into_owned();
        let records = self.records(rtype);
        match rtype {
            // One at a name: the new takes the place of the old (RFC 6672 §5.2 for DNAME).
            Rtype::CNAME | Rtype::DNAME => records.rdatas.retain(|standing, _| **standing == *key),
            Rtype::WKS => records.forget_service(&key),
            _ => {}
        }
        if records.rdatas.len() >= RECORDS_MAX && !records.rdatas.contains_key(&*key) {
            let owner = &self.owner;
            return Some(format!(
                "{owner} {rtype} was not added: an RRset has at most {RECORDS_MAX} records"
            ));
        }
        // An RRset has one TTL (RFC 2181 §5.2): that of what came last.
        records.ttl = record.ttl;
        // The same data in another spelling are a duplicate (§1.1.1), and no change.
        let standing = records.rdatas.entry(key.into());
        standing.or_insert_with(|| record.rdata.clone());
        None
    }

    /// What stands at the name beside which a record of this type may not: an alias has no other
    /// data (§3.4.2.2), and neither DNAME nor CNAME gives way to the other (RFC 6672 §5.2).
    fn conflict(&self, rtype: Rtype) -> Option<Rtype> {
        if stands_beside_alias(rtype) {
            return None;
        }
        if rtype != Rtype::CNAME {
            return self.has(Rtype::CNAME).then_some(Rtype::CNAME);
        }
        self.slots
            .iter()
            .filter(|(other, slot)| !slot.is_empty() && !stands_beside_alias(**other))
            .map(|(other, _)| *other)
            .find(|other| *other != Rtype::CNAME)
    }

    /// The SOA is replaced by one whose serial is after its own (RFC 1982), and by no other. In the
    /// place of 0, which some servers read as "unset", 1 is taken: see [`Serial::next`].
    fn replace_soa(&mut self, record: &Record) -> Option<String> {
        let owner = &self.owner;
        let standing = self.slots.get(&Rtype::SOA).and_then(Slot::soa);
        let (Some(standing), true) = (standing, self.is_apex) else {
            return Some(format!(
                "{owner} SOA was not added: only a SOA that stands at the apex can be replaced"
            ));
        };
        let new = Soa::from_rdata(&record.rdata);
        let wanted = new.as_ref().map(|soa| soa.serial);
        let is_zero = wanted == Some(Serial(0));
        let taken = if is_zero { Some(Serial(1)) } else { wanted };
        let mut both = wanted.into_iter().chain(taken);
        let is_after = both.all(|serial| serial.is_after(standing.serial));
        let (Some(mut new), Some(taken)) = (new, taken.filter(|_| is_after)) else {
            let wanted = wanted.map_or("none".to_owned(), |wanted| wanted.to_string());
            return Some(format!(
                "{owner} SOA was not replaced: its serial {wanted} is not after {}",
                standing.serial
            ));
        };
        let told = is_zero.then(|| {
            format!("{owner} SOA has the serial 1 in the place of 0, which is never served")
        });
        let rdata = match is_zero {
            true => {
                new.serial = taken;
                new.to_rdata().into()
            }
            false => record.rdata.clone(),
        };
        let key = rdata::canonical(Rtype::SOA, &rdata).into_owned();
        let records = self.records(Rtype::SOA);
        records.ttl = record.ttl;
        records.rdatas = BTreeMap::from([(key.into(), rdata)]);
        self.serial_was_set = true;
        told
    }

    /// §3.4.2.4.
    fn delete_record(&mut self, record: &Record) -> Option<String> {
        let (is_apex, rtype) = (self.is_apex, record.rtype);
        if is_apex && rtype == Rtype::SOA {
            return Some(self.kept("SOA"));
        }
        if !self.has(rtype) {
            return None;
        }
        let key = rdata::canonical(rtype, &record.rdata);
        let records = self.records(rtype);
        let is_last = records.rdatas.len() == 1 && records.rdatas.contains_key(&*key);
        if is_apex && rtype == Rtype::NS && is_last {
            return Some(self.kept("last NS"));
        }
        records.rdatas.remove(&*key);
        None
    }

    /// §3.4.2.3 with a type.
    fn delete_rrset(&mut self, rtype: Rtype) -> Option<String> {
        if self.is_apex && (rtype == Rtype::SOA || rtype == Rtype::NS) {
            return Some(self.kept(&rtype.to_string()));
        }
        if let Some(slot) = self.slots.get_mut(&rtype) {
            *slot = Slot::Drafted(Records::default());
        }
        None
    }

    /// §3.4.2.3 with type ANY.
    fn delete_name(&mut self) -> Option<String> {
        for (rtype, slot) in &mut self.slots {
            if !(self.is_apex && matches!(*rtype, Rtype::SOA | Rtype::NS)) {
                *slot = Slot::Drafted(Records::default());
            }
        }
        self.is_apex.then(|| self.kept("SOA and NS"))
    }

    fn kept(&self, what: &str) -> String {
        let owner = &self.owner;
        format!("{owner} keeps its {what}: the apex of a zone cannot be without")
    }
}

/// RFC 4035 §2.5.
fn stands_beside_alias(rtype: Rtype) -> bool {
    matches!(rtype, Rtype::RRSIG | Rtype::NSEC)
}

impl Slot {
    fn is_empty(&self) -> bool {
        match self {
            Slot::Kept(_) => false,
            Slot::Drafted(records) => records.rdatas.is_empty(),
        }
    }

    fn soa(&self) -> Option<Soa> {
        Soa::from_rdata(match self {
            Slot::Kept(rrset) => rrset.first(),
            Slot::Drafted(records) => records.rdatas.values().next()?,
        })
    }

    fn draft(&mut self) -> &mut Records {
        if let Slot::Kept(rrset) = self {
            *self = Slot::Drafted(Records::of(rrset));
        }
        match self {
            Slot::Drafted(records) => records,
            Slot::Kept(_) => unreachable!("it was drafted above"),
        }
    }
}

impl Records {
    fn of(rrset: &RrSet) -> Records {
        let canonical = |rdata| rdata::canonical(rrset.rtype(), rdata).into_owned();
        Records {
            ttl: rrset.ttl(),
            rdatas: rrset
                .rdatas()
                .map(|rdata| (canonical(rdata).into(), rdata.into()))
                .collect(),
        }
    }

    /// Removes the services of the same address and protocol (§3.4.2.2).
    fn forget_service(&mut self, new: &[u8]) {
        let Some(wanted) = rdata::service(new) else {
            return;
        };
        let from = Box::<[u8]>::from(wanted);
        let standing: Vec<_> = self
            .rdatas
            .range(from..)
            .take_while(|(key, _)| key.starts_with(wanted))
            .map(|(key, _)| key.clone())
            .collect();
        for key in standing {
            self.rdatas.remove(&key);
        }
    }
}
