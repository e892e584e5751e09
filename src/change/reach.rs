//! Which protected names are looked up through which zone, so that a change of one zone is judged in
//! the time that its own protections take, however many others there are.
//!
//! What is known here may be too much, never too little: look-ups that once went through a zone stay
//! noted, and so a transaction that comes to nothing leaves nothing wrong behind.

use std::collections::{BTreeSet, HashMap};

use super::Policy;
use super::turn::Turn;
use crate::answer;
use crate::guard::Protection;
use crate::rr::Name;
use crate::zone::Published;

/// A protection by its place in the policy: its zone, and its number there.
type Place = (Name, usize);

#[derive(Default)]
pub(super) struct Reach {
    /// Of the policy and of what was published; false: to be found out anew.
    is_known: bool,
    through: HashMap<Name, BTreeSet<Place>>,
    later: Moved,
}

/// Zones that have another image since look-ups were last followed.
#[derive(Debug, Default)]
pub(super) struct Moved {
    zones: BTreeSet<Name>,
    /// A zone that is new takes names over from the one above it, or from nowhere.
    is_anew: bool,
}

impl Moved {
    /// `zone` is to be another than in `view`.
    pub(super) fn note(&mut self, view: &Published, zone: &Name) {
        self.is_anew |= view.zone(zone).is_none();
        self.zones.insert(zone.clone());
    }

    /// Whether a zone came where none was.
    pub(super) fn is_anew(&self) -> bool {
        self.is_anew
    }

    fn add(&mut self, more: Moved) {
        self.is_anew |= more.is_anew;
        self.zones.extend(more.zones);
    }
}

impl Reach {
    /// What was published moved; to be followed when it is next asked for.
    pub(super) fn later(&mut self, moved: Moved) {
        self.later.add(moved);
    }

    /// Follows the look-ups that led through zones that have moved.
    pub(super) fn follow(&mut self, policy: &Policy, turn: &Turn) {
        self.later.add(turn.moved.take());
        let moved = std::mem::take(&mut self.later);
        let places: BTreeSet<Place> = if self.is_known && !moved.is_anew {
            let through = moved.zones.iter().filter_map(|zone| self.through.get(zone));
            through.flatten().cloned().collect()
        } else {
            self.through.clear();
            let zones = policy.zones.values();
            zones
                .flat_map(|zone| {
                    let numbers = 0..zone.protections.len();
                    numbers.map(|number| (zone.origin.clone(), number))
                })
                .collect()
        };
        self.is_known = true;
        for place in places {
            self.look_up(policy, &turn.view, place);
        }
    }

    fn look_up(&mut self, policy: &Policy, published: &Published, place: Place) {
        let Some(protection) = at(policy, &place) else {
            return;
        };
        let mut zones = BTreeSet::from([protection.zone.clone()]);
        for &rtype in &protection.types {
            zones.extend(answer::members(published, &protection.name, rtype).zones);
        }
        for zone in zones {
            self.through.entry(zone).or_default().insert(place.clone());
        }
    }

    /// The protections whose look-up may go through `zone`, before it changes or afterwards.
    pub(super) fn through<'a>(
        &self,
        policy: &'a Policy,
        published: &Published,
        zone: &Name,
    ) -> Vec<&'a Protection> {
        if published.zone(zone).is_none() {
            let zones = policy.zones.values();
            return zones.flat_map(|zone| &zone.protections).collect();
        }
        let places = self.through.get(zone).into_iter().flatten();
        places.filter_map(|place| at(policy, place)).collect()
    }
}

fn at<'a>(policy: &'a Policy, (zone, number): &Place) -> Option<&'a Protection> {
    policy.zones.get(zone)?.protections.get(*number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::{Settings, ZonePolicy};
    use crate::rr::{Record, Rtype, rdata};
    use crate::zone::ZoneImage;

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    fn image(origin: &str, rtype: Rtype, text: &str) -> ZoneImage {
        let record = |owner: String, rtype, text: &str| Record {
            owner: name(&owner),
            rtype,
            ttl: 60,
            rdata: rdata::from_text(rtype, text).unwrap(),
        };
        let soa = record(origin.to_owned(), Rtype::SOA, "ns. h. 1 2 3 4 5");
        let api = record(format!("api.{origin}"), rtype, text);
        ZoneImage::from_records(name(origin), [soa, api]).unwrap()
    }

    fn policy(zones: &[&str]) -> Policy {
        let zones = zones.iter().map(|origin| ZonePolicy {
            protections: vec![Protection {
                zone: name(origin),
                name: name(&format!("api.{origin}")),
                types: vec![Rtype::A],
                min_members: 1,
                external: Vec::new(),
                declared: true,
            }],
            ..ZonePolicy::default_for(name(origin))
        });
        let settings = Settings {
            had_store: false,
            store: crate::store::Settings {
                path: "x".into(),
                snapshot: "y".into(),
                busy_timeout_ms: 1,
                retention: crate::store::Retention::default(),
            },
            zones: zones.collect(),
            keys: Vec::new(),
            queue: 1,
            poll: std::time::Duration::from_secs(1),
            scrub: None,
        };
        Policy::new(&settings, [])
    }

    #[track_caller]
    fn concerned(reach: &mut Reach, policy: &Policy, turn: &Turn, zone: &str) -> Vec<String> {
        reach.follow(policy, turn);
        let found = reach.through(policy, &turn.view, &name(zone));
        let mut names: Vec<String> = found.iter().map(|found| found.name.to_string()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_change_concerns_the_protections_looked_up_through_its_zone_and_no_others() {
        let policy = policy(&["a.", "b.", "c.", "d."]);
        let mut turn = Turn::new(Published::default(), Vec::new());
        let alias = |from: &str, to: &str| image(from, Rtype::CNAME, to);
        turn.serve(alias("a.", "api.b."), 1);
        turn.serve(alias("b.", "api.c."), 1);
        for origin in ["c.", "d."] {
            turn.serve(image(origin, Rtype::A, "192.0.2.1"), 1);
        }
        let mut reach = Reach::default();
        let all = ["api.a.", "api.b.", "api.c."];
        assert_eq!(concerned(&mut reach, &policy, &turn, "c."), all);
        assert_eq!(concerned(&mut reach, &policy, &turn, "d."), ["api.d."]);
        // An alias that is led elsewhere leads the one before it there too.
        turn.change_whole(alias("b.", "api.d."), 2);
        let all = ["api.a.", "api.b.", "api.d."];
        assert_eq!(concerned(&mut reach, &policy, &turn, "d."), all);
        // A zone that is new takes over a name that another zone's alias leads to.
        turn.change_whole(alias("b.", "api.sub.d."), 3);
        turn.change_whole(image("sub.d.", Rtype::A, "192.0.2.1"), 1);
        let mut later = Turn::new(turn.view.clone(), Vec::new());
        reach.later(turn.moved.take());
        assert_eq!(
            concerned(&mut reach, &policy, &later, "sub.d."),
            ["api.a.", "api.b."]
        );
        // So does one that has no data, which is not seen as a change of any image.
        let mut held = Turn::new(later.view.without(&name("sub.d.")), Vec::new());
        reach.later(Moved {
            zones: [name("sub.d.")].into(),
            is_anew: false,
        });
        assert!(!concerned(&mut reach, &policy, &held, "d.").is_empty());
        held.hold(&name("sub.d."), "no data", String::new());
        assert_eq!(
            concerned(&mut reach, &policy, &held, "sub.d."),
            ["api.a.", "api.b."]
        );
        later.remove(&name("sub.d."));
        let all = concerned(&mut reach, &policy, &later, "d.");
        assert_eq!(all, ["api.a.", "api.b.", "api.d."]);
    }
}
