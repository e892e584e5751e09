//! What a zone is served with although it should not be so: errors it came with, and protected
//! names with fewer members than their policy asks for (P8: it is served all the same, and says so).

use std::collections::BTreeSet;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::board::Board;
use super::{Policy, members};
use crate::check::{self, Limits, Severity};
use crate::rr::Name;
use crate::zone::{Published, ZoneImage};

/// Times as long as a check took until the next one: what it costs grows with the zone.
const REST: u32 = 8;

/// Which zones are to be looked at again.
#[derive(Default)]
pub(super) struct Standing {
    breached: BTreeSet<Name>,
    flawed: BTreeSet<Name>,
    unchecked: BTreeSet<Name>,
    checking: Option<Checking>,
    not_before: Option<Instant>,
    /// Zones that have a stanza and no data, and for which the zone above them answers.
    waiting: Vec<Name>,
}

impl Standing {
    /// These have no data, and are not served.
    pub(super) fn wait_for(&mut self, unknown: &[Name], published: &Published) {
        let zones = unknown.iter();
        let not_served = |zone: &&Name| published.zone(zone).is_none();
        self.waiting = zones.filter(not_served).cloned().collect();
    }

    /// After zones were taken in service or changed: members are counted at once, for they are few.
    pub(super) fn changed<'a>(
        &mut self,
        policy: &Policy,
        published: &Published,
        board: &Board,
        zones: impl Iterator<Item = &'a Name>,
    ) {
        let mut again = std::mem::take(&mut self.breached);
        again.extend(zones.cloned());
        for zone in again {
            let mut breaches = breaches(policy, published, &zone);
            breaches.extend(self.answers_for(published, &zone));
            breaches.extend(self.leads_into(policy, published, &zone));
            for breach in &breaches {
                if board.is_new_breach(&zone, breach) {
                    tracing::warn!(zone = %zone, "{breach}");
                }
            }
            if !breaches.is_empty() {
                self.breached.insert(zone.clone());
            }
            board.note_breaches(&zone, breaches);
        }
    }

    fn answers_for(&self, published: &Published, zone: &Name) -> Vec<String> {
        let is_above = |below: &&Name| {
            let served = published.find(below.key().as_bytes());
            served.is_some_and(|served| served.origin() == zone)
        };
        let told = |below: &Name| {
            format!("{below} has no data yet, so that {zone} goes on answering for its names")
        };
        self.waiting.iter().filter(is_above).map(told).collect()
    }

    fn leads_into(&self, policy: &Policy, published: &Published, zone: &Name) -> Vec<String> {
        let stanza = policy.zones.get(zone).filter(|_| !self.waiting.is_empty());
        let Some(stanza) = stanza else {
            return Vec::new();
        };
        let targets = members::targets_outside(&stanza.protections, published);
        let is_led_to = |below: &&Name| targets.iter().any(|t| t.is_at_or_below(below));
        let told = |below: &Name| {
            format!("{below} has no data yet, and protected names of {zone} lead into it")
        };
        self.waiting.iter().filter(is_led_to).map(told).collect()
    }

    /// This zone came with errors.
    pub(super) fn is_flawed(&mut self, zone: &Name) {
        self.flawed.insert(zone.clone());
    }

    /// The whole of this zone is to be checked when there is time.
    pub(super) fn is_to_check(&mut self, zone: &Name) {
        self.unchecked.insert(zone.clone());
    }

    /// As [`Standing::is_to_check`], for a zone that is known to have errors; the guard keeps the
    /// others from having any.
    pub(super) fn may_have_mended(&mut self, zone: &Name) {
        if self.flawed.contains(zone) {
            self.unchecked.insert(zone.clone());
        }
    }

    /// Has one zone checked at a time, elsewhere, and tells what was found in the last one.
    pub(super) fn check_next(&mut self, policy: &Policy, published: &Published, board: &Board) {
        match self.checking.take() {
            Some(checking) if !checking.thread.is_finished() => self.checking = Some(checking),
            Some(checking) => self.checked(checking, published, board),
            None if self.not_before.is_some_and(|at| Instant::now() < at) => {}
            None => self.checking = self.next(published, &policy.limits),
        }
    }

    fn next(&mut self, published: &Published, limits: &Limits) -> Option<Checking> {
        let zone = self.unchecked.pop_first()?;
        let image = image(published, &zone)?.clone();
        Some(Checking::start(zone, image, limits.clone()))
    }

    fn checked(&mut self, checking: Checking, published: &Published, board: &Board) {
        let Checking {
            zone,
            image: checked,
            thread,
        } = checking;
        let Ok((errors, took)) = thread.join() else {
            // It would end in the same way again.
            tracing::error!(%zone, "the check of the whole zone panicked");
            return;
        };
        self.not_before = Some(Instant::now() + took * REST);
        let Some(image) = image(published, &zone) else {
            return;
        };
        // No change can have added an error meanwhile; it may have mended one.
        if !errors.is_empty() && !Arc::ptr_eq(image, &checked) {
            self.unchecked.insert(zone.clone());
        }
        match errors.is_empty() {
            true => self.flawed.remove(&zone),
            false => self.flawed.insert(zone.clone()),
        };
        board.note_findings(&zone, &errors);
    }
}

/// A check of a whole zone under way.
struct Checking {
    zone: Name,
    image: Arc<ZoneImage>,
    thread: JoinHandle<(Vec<String>, Duration)>,
}

impl Checking {
    fn start(zone: Name, image: Arc<ZoneImage>, limits: Limits) -> Checking {
        let seen = image.clone();
        let thread = std::thread::Builder::new()
            .name("check".into())
            .spawn(move || {
                let begun = Instant::now();
                let errors = check::full(&seen, &limits)
                    .iter()
                    .filter(|finding| finding.severity >= Severity::Error)
                    .map(ToString::to_string)
                    .collect();
                (errors, begun.elapsed())
            })
            .expect("a thread can be started");
        Checking {
            zone,
            image,
            thread,
        }
    }
}

fn image<'p>(published: &'p Published, zone: &Name) -> Option<&'p Arc<ZoneImage>> {
    let served = published.zone(zone)?.zone()?;
    Some(&served.image)
}

fn breaches(policy: &Policy, published: &Published, zone: &Name) -> Vec<String> {
    let Some(stanza) = policy.zones.get(zone) else {
        return Vec::new();
    };
    if published
        .zone(zone)
        .is_none_or(|served| served.zone().is_none())
    {
        return Vec::new();
    }
    members::shortfalls(&stanza.protections, published)
}
