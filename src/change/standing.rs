//! What a zone is served with although it should not be so: errors it came with, and protected
//! names with fewer members than their policy asks for (P8: it is served all the same, and says so).

use std::collections::BTreeSet;

use super::board::Board;
use super::{Policy, members};
use crate::check::{self, Severity};
use crate::rr::Name;
use crate::zone::Published;

/// Which zones are to be looked at again.
#[derive(Default)]
pub(super) struct Standing {
    breached: BTreeSet<Name>,
    flawed: BTreeSet<Name>,
    unchecked: BTreeSet<Name>,
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

    /// Checks one zone, while nobody waits for an answer.
    pub(super) fn check_next(&mut self, policy: &Policy, published: &Published, board: &Board) {
        let Some(zone) = self.unchecked.pop_first() else {
            return;
        };
        let Some(served) = published.zone(&zone).and_then(|served| served.zone()) else {
            return;
        };
        let errors: Vec<String> = check::full(&served.image, &policy.limits)
            .iter()
            .filter(|finding| finding.severity >= Severity::Error)
            .map(ToString::to_string)
            .collect();
        match errors.is_empty() {
            true => self.flawed.remove(&zone),
            false => self.flawed.insert(zone.clone()),
        };
        board.note_findings(&zone, errors);
    }
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
