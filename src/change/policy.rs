//! The policies in force: from the configuration, and of zones whose stanza vanished the last ones.

use std::borrow::Cow;
use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Settings;
use crate::guard::{Actor, Mode, Permit, Protection, Ttls};
use crate::rr::Name;
use crate::update::SerialPolicy;

/// What an operator lays down for one zone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ZonePolicy {
    pub origin: Name,
    pub serial: SerialPolicy,
    pub protections: Vec<Protection>,
    pub validate: Mode,
    pub min_members: Mode,
    #[serde(default = "enforced")]
    pub scope: Mode,
    #[serde(default)]
    pub ttl: Ttls,
    /// Errors of a zone as it is imported are as bad as fatal findings.
    pub strict: bool,
    /// How long the last good version is answered from while the live data are not fit. `None`: for
    /// as long as it takes.
    #[serde(default)]
    pub max_age_secs: Option<u64>,
}

/// For policies that were kept before the rule could be set.
fn enforced() -> Mode {
    Mode::Enforce
}

impl ZonePolicy {
    /// The policy of a zone that no stanza ever named.
    pub fn default_for(origin: Name) -> ZonePolicy {
        ZonePolicy {
            origin,
            serial: SerialPolicy::Increment,
            protections: Vec::new(),
            validate: Mode::Enforce,
            min_members: Mode::Enforce,
            scope: Mode::Enforce,
            ttl: Ttls::default(),
            strict: false,
            max_age_secs: None,
        }
    }

    pub(super) fn max_age(&self) -> Option<Duration> {
        self.max_age_secs.map(Duration::from_secs)
    }

    /// In what `new` protects less than this policy, in sentences.
    fn weakened_by(&self, new: &ZonePolicy) -> Vec<String> {
        let zone = &self.origin;
        let mut weaker = Vec::new();
        for (what, old, new) in [
            ("validate", self.validate, new.validate),
            ("min_members", self.min_members, new.min_members),
            ("scope", self.scope, new.scope),
            ("ttl", self.ttl.mode, new.ttl.mode),
        ] {
            if new < old {
                weaker.push(format!(
                    "{zone} {what} would be {}, not {}",
                    word(new),
                    word(old)
                ));
            }
        }
        // Bounds that nobody enforces keep nothing out.
        let is_wider = new.ttl.min < self.ttl.min || new.ttl.max > self.ttl.max;
        if self.ttl.mode == Mode::Enforce && new.ttl.mode == Mode::Enforce && is_wider {
            let ([min, max], [old_min, old_max]) = (new.ttl.bounds(), self.ttl.bounds());
            weaker.push(format!(
                "{zone} would let in TTLs of {min} to {max}, not {old_min} to {old_max}"
            ));
        }
        if self.strict && !new.strict {
            weaker.push(format!("{zone} would not be strict any more"));
        }
        for old in &self.protections {
            let name = &old.name;
            let kept = new
                .protections
                .iter()
                .filter(|protection| protection.name == *name);
            for rtype in &old.types {
                let now = kept
                    .clone()
                    .filter(|p| p.types.contains(rtype))
                    .collect::<Vec<_>>();
                let Some(most) = now.iter().map(|p| p.min_members).max() else {
                    weaker.push(format!("{name} {rtype} would not be protected any more"));
                    continue;
                };
                if most < old.min_members {
                    weaker.push(format!(
                        "{name} {rtype} would need {most} members, not {}",
                        old.min_members
                    ));
                }
                // One that trusts no more than before is enough: each protection judges by itself.
                let is_wider = |p: &&&Protection| {
                    p.external
                        .iter()
                        .any(|e| !old.external.iter().any(|o| e.is_at_or_below(o)))
                };
                if now.iter().filter(is_wider).count() == now.len() {
                    weaker.push(format!("{name} would trust more external targets"));
                }
            }
        }
        weaker
    }
}

fn word(mode: Mode) -> &'static str {
    match mode {
        Mode::Off => "off",
        Mode::Observe => "observe",
        Mode::Enforce => "enforce",
    }
}

/// The policies, by what they are asked for.
pub(super) struct Policy {
    pub zones: HashMap<Name, ZonePolicy>,
    /// Zones whose stanza is gone: neither zone nor protection goes with it.
    pub orphaned: BTreeSet<Name>,
    permits: HashMap<Name, Vec<Permit>>,
    pub limits: crate::check::Limits,
}

impl Policy {
    /// Of the configuration, and of `kept` those that it does not name.
    pub(super) fn new(settings: &Settings, kept: impl IntoIterator<Item = ZonePolicy>) -> Policy {
        let mut zones: HashMap<Name, ZonePolicy> = settings
            .zones
            .iter()
            .map(|zone| (zone.origin.clone(), zone.clone()))
            .collect();
        let mut orphaned = BTreeSet::new();
        for policy in kept {
            let origin = policy.origin.clone();
            if let Entry::Vacant(place) = zones.entry(origin.clone()) {
                place.insert(policy);
                orphaned.insert(origin);
            }
        }
        Policy {
            zones,
            orphaned,
            permits: settings.keys.iter().cloned().collect(),
            limits: crate::check::Limits::default(),
        }
    }

    pub(super) fn zone(&self, origin: &Name) -> Cow<'_, ZonePolicy> {
        match self.zones.get(origin) {
            Some(policy) => Cow::Borrowed(policy),
            None => Cow::Owned(ZonePolicy::default_for(origin.clone())),
        }
    }

    pub(super) fn permits(&self, actor: &Actor) -> &[Permit] {
        actor
            .key
            .as_ref()
            .and_then(|key| self.permits.get(key))
            .map_or(&[], Vec::as_slice)
    }

    /// In what another set of policies protects less.
    pub(super) fn weakened_by(&self, new: &Policy) -> Vec<String> {
        let mut weaker: Vec<String> = self
            .zones
            .values()
            .flat_map(|old| old.weakened_by(&new.zone(&old.origin)))
            .collect();
        weaker.sort();
        weaker
    }

    /// For the store and the snapshot.
    pub(super) fn to_json(&self) -> String {
        let mut zones: Vec<&ZonePolicy> = self.zones.values().collect();
        zones.sort_by(|a, b| a.origin.cmp(&b.origin));
        serde_json::to_string(&zones).expect("names and numbers are JSON")
    }
}

/// What [`Policy::to_json`] wrote; nothing when it cannot be read.
pub(super) fn from_json(text: &str) -> Vec<ZonePolicy> {
    serde_json::from_str(text).unwrap_or_else(|error| {
        tracing::error!("the policies kept in the store cannot be read: {error}");
        Vec::new()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rr::Rtype;

    fn policy(minimum: usize, types: &[Rtype], external: &[&str]) -> ZonePolicy {
        let origin: Name = "example.com.".parse().unwrap();
        ZonePolicy {
            protections: vec![Protection {
                zone: origin.clone(),
                name: "api.example.com.".parse().unwrap(),
                types: types.to_vec(),
                min_members: minimum,
                external: external.iter().map(|name| name.parse().unwrap()).collect(),
                declared: true,
            }],
            ..ZonePolicy::default_for(origin)
        }
    }

    #[test]
    fn less_protection_is_told_in_sentences_and_more_is_not() {
        let both = [Rtype::A, Rtype::AAAA];
        let old = policy(2, &both, &["cdn.example.net."]);
        assert_eq!(old.weakened_by(&old), [""; 0]);
        assert_eq!(old.weakened_by(&policy(3, &both, &[])), [""; 0]);
        assert_eq!(
            old.weakened_by(&policy(3, &both, &["x.cdn.example.net."])),
            [""; 0]
        );
        assert_eq!(
            old.weakened_by(&policy(1, &[Rtype::A], &["cdn.example.net."])),
            [
                "api.example.com. A would need 1 members, not 2",
                "api.example.com. AAAA would not be protected any more",
            ]
        );
        assert_eq!(
            policy(1, &[Rtype::A], &[]).weakened_by(&policy(1, &[Rtype::A], &["example.net."])),
            ["api.example.com. would trust more external targets"]
        );
        let observed = ZonePolicy {
            validate: Mode::Observe,
            ..old.clone()
        };
        assert_eq!(
            old.weakened_by(&observed),
            ["example.com. validate would be observe, not enforce"]
        );
    }

    #[test]
    fn wider_bounds_of_a_ttl_are_less_protection_where_they_are_enforced() {
        let with = |mode, min, max| ZonePolicy {
            ttl: Ttls { mode, min, max },
            ..policy(1, &[Rtype::A], &[])
        };
        let strict = with(Mode::Enforce, 30, 3600);
        for new in [with(Mode::Enforce, 30, 3600), with(Mode::Enforce, 60, 600)] {
            assert_eq!(strict.weakened_by(&new), [""; 0]);
        }
        for (new, told) in [
            (
                with(Mode::Enforce, 0, 3600),
                "example.com. would let in TTLs of 0 to 3600, not 30 to 3600",
            ),
            (
                with(Mode::Enforce, 30, 3601),
                "example.com. would let in TTLs of 30 to 3601, not 30 to 3600",
            ),
            (
                with(Mode::Observe, 30, 3600),
                "example.com. ttl would be observe, not enforce",
            ),
        ] {
            assert_eq!(strict.weakened_by(&new), [told]);
        }
        let observed = with(Mode::Observe, 30, 3600);
        assert_eq!(observed.weakened_by(&with(Mode::Observe, 0, 9999)), [""; 0]);
        let scope = ZonePolicy {
            scope: Mode::Observe,
            ..strict.clone()
        };
        assert_eq!(
            strict.weakened_by(&scope),
            ["example.com. scope would be observe, not enforce"]
        );
    }

    /// What a store kept before there was a setting must not cost the settings there were.
    #[test]
    fn policies_that_an_older_version_kept_are_read() {
        let mut kept = serde_json::to_value([policy(2, &[Rtype::A], &[])]).unwrap();
        let zone = kept[0].as_object_mut().unwrap();
        zone.remove("scope").unwrap();
        zone.remove("ttl").unwrap();
        let read = from_json(&kept.to_string());
        assert_eq!(read, [policy(2, &[Rtype::A], &[])]);
    }

    #[test]
    fn a_stanza_that_vanished_leaves_its_policy() {
        let kept = from_json(&serde_json::to_string(&[policy(2, &[Rtype::A], &[])]).unwrap());
        let settings = Settings {
            had_store: false,
            store: crate::store::Settings {
                path: "x".into(),
                snapshot: "y".into(),
                busy_timeout_ms: 1,
                retention: crate::store::Retention::default(),
            },
            zones: Vec::new(),
            keys: Vec::new(),
            queue: 1,
            poll: std::time::Duration::from_secs(1),
            scrub: None,
        };
        let policy = Policy::new(&settings, kept);
        let origin = "example.com.".parse().unwrap();
        assert!(policy.orphaned.contains(&origin));
        assert_eq!(policy.zone(&origin).protections.len(), 1);
        assert_eq!(from_json(&policy.to_json()).len(), 1);
        assert!(from_json("{").is_empty());
    }
}
