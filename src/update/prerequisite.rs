//! Prerequisites (RFC 2136 §3.2), against the RRsets as they stand: no wildcard, no referral.

use std::collections::HashMap;

use super::message::{Entry, Failure, UpdateMessage};
use crate::rr::message::{CLASS_ANY, CLASS_IN, CLASS_NONE, Rcode};
use crate::rr::{Key, Name, RrSet, Rtype};
use crate::zone::ZoneImage;

/// Checks them in their order; the RRsets that are wanted by value come last, as a whole each.
pub fn check_prerequisites(message: &UpdateMessage, image: &ZoneImage) -> Result<(), Failure> {
    let mut wanted = Wanted::default();
    for entry in &message.prerequisites {
        let (owner, rtype) = (&entry.owner, entry.rtype);
        if entry.ttl != 0 {
            return Err(Failure::formerr(format!(
                "the prerequisite {owner} {rtype} has a TTL"
            )));
        }
        if !owner.is_at_or_below(image.origin()) {
            return Err(Failure::notzone(owner, image.origin()));
        }
        // Nothing is said of types that no zone holds (§3.2): of these there is no RRset.
        match entry.class {
            CLASS_ANY | CLASS_NONE if entry.rdata_octets != 0 => {
                return Err(Failure::formerr(format!(
                    "the prerequisite {owner} {rtype} has data and is of a class without"
                )));
            }
            CLASS_ANY => must_exist(image, owner, rtype)?,
            CLASS_NONE => must_not_exist(image, owner, rtype)?,
            CLASS_IN => wanted.add(entry),
            class => {
                return Err(Failure::formerr(format!(
                    "the prerequisite {owner} {rtype} is of class {class}"
                )));
            }
        }
    }
    wanted.compare(image)
}

/// A name is in use when it owns a record; an ENT is not (§2.4.4).
fn in_use(image: &ZoneImage, owner: &Name) -> bool {
    image.node(owner).is_some_and(|node| !node.is_empty())
}

/// §2.4.1, §2.4.4.
fn must_exist(image: &ZoneImage, owner: &Name, rtype: Rtype) -> Result<(), Failure> {
    if rtype == Rtype::ANY {
        return match in_use(image, owner) {
            true => Ok(()),
            false => Err(Failure::new(
                Rcode::NxDomain,
                format!("{owner} should be in use and is not"),
            )),
        };
    }
    match image.rrset(owner, rtype) {
        Some(_) => Ok(()),
        None => Err(Failure::new(
            Rcode::NxRrset,
            format!("{owner} {rtype} should exist and does not"),
        )),
    }
}

/// §2.4.3, §2.4.5.
fn must_not_exist(image: &ZoneImage, owner: &Name, rtype: Rtype) -> Result<(), Failure> {
    if rtype == Rtype::ANY {
        return match in_use(image, owner) {
            false => Ok(()),
            true => Err(Failure::new(
                Rcode::YxDomain,
                format!("{owner} should not be in use and is"),
            )),
        };
    }
    match image.rrset(owner, rtype) {
        None => Ok(()),
        Some(_) => Err(Failure::new(
            Rcode::YxRrset,
            format!("{owner} {rtype} should not exist and does"),
        )),
    }
}

/// RRsets that must exist with exactly these data (§2.4.2), in the order they first came.
#[derive(Default)]
struct Wanted<'a> {
    places: HashMap<(Key, Rtype), usize>,
    rrsets: Vec<(&'a Name, Rtype, Vec<&'a [u8]>)>,
}

impl<'a> Wanted<'a> {
    fn add(&mut self, entry: &'a Entry) {
        let next = self.rrsets.len();
        let key = (entry.owner.key(), entry.rtype);
        let place = *self.places.entry(key).or_insert(next);
        if place == next {
            self.rrsets.push((&entry.owner, entry.rtype, Vec::new()));
        }
        // Of a type that no zone holds there are no data, and no RRset either.
        if let Ok(rdata) = &entry.rdata {
            self.rrsets[place].2.push(rdata);
        }
    }

    fn compare(self, image: &ZoneImage) -> Result<(), Failure> {
        for (owner, rtype, rdatas) in self.rrsets {
            let wanted = RrSet::new(rtype, 0, rdatas);
            let same = match (image.rrset(owner, rtype), &wanted) {
                (Some(rrset), Some(wanted)) => rrset.same_data(wanted),
                _ => false,
            };
            if !same {
                return Err(Failure::new(
                    Rcode::NxRrset,
                    format!("{owner} {rtype} does not have exactly the data it should have"),
                ));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rr::message::CLASS_CH;
    use crate::update::parse;
    use crate::update::testing::{PREREQUISITE, Request, image};

    fn zone() -> ZoneImage {
        image(
            "@ 60 SOA ns1 h 1 2 3 4 5\n@ 60 NS ns1\nwww 60 A 192.0.2.1\nwww 60 A 192.0.2.2\n\
             mail 60 MX 10 Mx.example.com.\na.ent 60 TXT x\n*.wild 60 A 192.0.2.9\n\
             cut 60 NS ns.cut\nns.cut 60 A 192.0.2.8",
        )
    }

    fn check(request: Request) -> Result<(), Rcode> {
        let message = parse(&request.octets).map_err(|failure| failure.rcode)?;
        check_prerequisites(&message, &zone()).map_err(|failure| failure.rcode)
    }

    fn bare(class: u16, owner: &str, rtype: Rtype) -> Result<(), Rcode> {
        check(Request::new().bare(PREREQUISITE, class, owner, rtype))
    }

    fn exact(text: &str) -> Result<(), Rcode> {
        check(Request::new().record(PREREQUISITE, CLASS_IN, text))
    }

    #[test]
    fn rrset_exists_whatever_its_value() {
        for (owner, rtype, expected) in [
            ("www.example.com.", Rtype::A, Ok(())),
            ("WWW.Example.COM.", Rtype::A, Ok(())),
            ("www.example.com.", Rtype::AAAA, Err(Rcode::NxRrset)),
            ("none.example.com.", Rtype::A, Err(Rcode::NxRrset)),
            ("x.wild.example.com.", Rtype::A, Err(Rcode::NxRrset)),
            ("*.wild.example.com.", Rtype::A, Ok(())),
            ("ns.cut.example.com.", Rtype::A, Ok(())),
            ("example.org.", Rtype::A, Err(Rcode::NotZone)),
            ("com.", Rtype::A, Err(Rcode::NotZone)),
            ("www.example.com.", Rtype::AXFR, Err(Rcode::NxRrset)),
        ] {
            assert_eq!(bare(CLASS_ANY, owner, rtype), expected, "{owner} {rtype}");
        }
    }

    #[test]
    fn rrset_does_not_exist() {
        for (owner, rtype, expected) in [
            ("www.example.com.", Rtype::A, Err(Rcode::YxRrset)),
            ("www.example.com.", Rtype::AAAA, Ok(())),
            ("none.example.com.", Rtype::A, Ok(())),
            ("x.wild.example.com.", Rtype::A, Ok(())),
            ("example.org.", Rtype::A, Err(Rcode::NotZone)),
            ("www.example.com.", Rtype::AXFR, Ok(())),
        ] {
            assert_eq!(bare(CLASS_NONE, owner, rtype), expected, "{owner} {rtype}");
        }
    }

    #[test]
    fn names_in_use_own_a_record() {
        for (owner, used) in [
            ("www.example.com.", true),
            ("example.com.", true),
            ("ent.example.com.", false),
            ("a.ent.example.com.", true),
            ("x.wild.example.com.", false),
            ("x.cut.example.com.", false),
        ] {
            let wanted = |yes: bool, rcode| if yes { Ok(()) } else { Err(rcode) };
            let got = bare(CLASS_ANY, owner, Rtype::ANY);
            assert_eq!(got, wanted(used, Rcode::NxDomain), "{owner}");
            let got = bare(CLASS_NONE, owner, Rtype::ANY);
            assert_eq!(got, wanted(!used, Rcode::YxDomain), "{owner}");
        }
    }

    #[test]
    fn rrset_exists_with_exactly_these_data() {
        for (text, expected) in [
            ("www 0 A 192.0.2.1\nwww 0 A 192.0.2.2", Ok(())),
            (
                "www 0 A 192.0.2.2\nWWW 0 A 192.0.2.1\nwww 0 A 192.0.2.1",
                Ok(()),
            ),
            ("mail 0 MX 10 mx.EXAMPLE.com.", Ok(())),
            ("www 0 A 192.0.2.1", Err(Rcode::NxRrset)),
            (
                "www 0 A 192.0.2.1\nwww 0 A 192.0.2.2\nwww 0 A 192.0.2.3",
                Err(Rcode::NxRrset),
            ),
            ("www 0 A 192.0.2.1\nwww 0 A 192.0.2.3", Err(Rcode::NxRrset)),
            ("x.wild 0 A 192.0.2.9", Err(Rcode::NxRrset)),
            ("none 0 A 192.0.2.9", Err(Rcode::NxRrset)),
            (
                "www 60 A 192.0.2.1\nwww 60 A 192.0.2.2",
                Err(Rcode::FormErr),
            ),
            ("www.example.org. 0 A 192.0.2.1", Err(Rcode::NotZone)),
        ] {
            assert_eq!(exact(text), expected, "{text}");
        }
    }

    #[test]
    fn malformed_prerequisites_are_formerr() {
        let www = b"\x03www\xC0\x0C";
        let one = |rtype, class, ttl, rdata: &[u8]| {
            check(Request::new().raw(PREREQUISITE, www, rtype, class, ttl, rdata))
        };
        for (what, got) in [
            ("TTL, ANY", one(Rtype::A, CLASS_ANY, 1, &[])),
            ("TTL, NONE", one(Rtype::AAAA, CLASS_NONE, 1, &[])),
            ("data, ANY", one(Rtype::A, CLASS_ANY, 0, &[192, 0, 2, 1])),
            ("data, NONE", one(Rtype::AAAA, CLASS_NONE, 0, &[0; 16])),
            ("class CH", one(Rtype::A, CLASS_CH, 0, &[192, 0, 2, 1])),
            ("bad data", one(Rtype::A, CLASS_IN, 0, &[192, 0, 2])),
            ("no data", one(Rtype::A, CLASS_IN, 0, &[])),
        ] {
            assert_eq!(got, Err(Rcode::FormErr), "{what}");
        }
        for rtype in [Rtype::ANY, Rtype::AXFR, Rtype(0)] {
            let got = one(rtype, CLASS_IN, 0, &[1]);
            assert_eq!(got, Err(Rcode::NxRrset), "{rtype} by value");
        }
    }

    #[test]
    fn the_first_thing_wrong_decides_and_values_are_compared_last() {
        let request = Request::new()
            .record(PREREQUISITE, CLASS_IN, "www 0 A 192.0.2.77")
            .bare(PREREQUISITE, CLASS_NONE, "www.example.com.", Rtype::ANY)
            .bare(PREREQUISITE, CLASS_ANY, "none.example.com.", Rtype::ANY);
        assert_eq!(check(request), Err(Rcode::YxDomain));
        let request = Request::new()
            .bare(PREREQUISITE, CLASS_ANY, "none.example.com.", Rtype::ANY)
            .bare(PREREQUISITE, CLASS_ANY, "example.org.", Rtype::A);
        assert_eq!(check(request), Err(Rcode::NxDomain));
        // Updates are not looked at before the prerequisites hold.
        let request = Request::new()
            .bare(PREREQUISITE, CLASS_ANY, "none.example.com.", Rtype::A)
            .delete_rrset("example.org.", Rtype::AXFR);
        assert_eq!(check(request), Err(Rcode::NxRrset));
    }
}
