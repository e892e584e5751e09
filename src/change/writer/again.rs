//! Zones to be compared with their rows though nobody has committed anything since, and from when on.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::super::reconcile::Reading;
use crate::rr::Name;

/// Zones are judged again no more often than this, whatever changes beside them.
const EVERY: Duration = Duration::from_secs(1);
/// Times as long as judging took is left for changes. A large zone that is refused must not keep the
/// others from being changed.
const REST: u32 = 8;

pub(super) struct Again {
    /// And how much of each is to be read.
    zones: BTreeMap<Name, Reading>,
    due: Instant,
    /// How long it took last to compare zones with their rows.
    took: Duration,
}

impl Again {
    pub(super) fn new(now: Instant) -> Again {
        Again {
            zones: BTreeMap::new(),
            due: now,
            took: Duration::ZERO,
        }
    }

    pub(super) fn is_due(&self, now: Instant) -> bool {
        !self.zones.is_empty() && now >= self.due
    }

    /// Those to be looked at now.
    pub(super) fn due(&self, now: Instant) -> BTreeMap<Name, Reading> {
        match self.is_due(now) {
            true => self.zones.clone(),
            false => BTreeMap::new(),
        }
    }

    /// Something may be wrong with them.
    pub(super) fn at_once(
        &mut self,
        zones: impl IntoIterator<Item = (Name, Reading)>,
        now: Instant,
    ) {
        for (zone, reading) in zones {
            match reading {
                // Whatever is to be read of it holds that.
                Reading::Touched => self.add(zone),
                more => {
                    self.zones.insert(zone, more);
                }
            }
            self.due = now;
        }
    }

    /// What was found out about them was lost: not at once, where another process keeps us from
    /// writing.
    pub(super) fn later(&mut self, zones: Vec<Name>, now: Instant) {
        if !zones.is_empty() {
            zones.into_iter().for_each(|zone| self.add(zone));
            self.due = self.due.max(now + self.gap());
        }
    }

    /// Something beside them has changed. Those that wait already do not wait longer for it.
    pub(super) fn beside(&mut self, zones: Vec<Name>, now: Instant) {
        if !zones.is_empty() && self.zones.is_empty() {
            self.due = now + self.gap();
        }
        zones.into_iter().for_each(|zone| self.add(zone));
    }

    /// They, or all that others had changed, were compared, which took so long.
    pub(super) fn judged(&mut self, zones: &BTreeMap<Name, Reading>, took: Duration) {
        self.zones.retain(|zone, _| !zones.contains_key(zone));
        self.took = took;
    }

    fn add(&mut self, zone: Name) {
        self.zones.entry(zone).or_insert(Reading::Touched);
    }

    fn gap(&self) -> Duration {
        EVERY.max(self.took * REST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: Duration = Duration::from_millis(10);

    /// How often zones are judged in 1,000 s in which something changes beside them all the time.
    fn judged_beside(took: Duration) -> u32 {
        let start = Instant::now();
        let zone: Vec<Name> = vec!["large.test.".parse().unwrap()];
        let mut again = Again::new(start);
        let (mut now, mut count) = (start, 0);
        while now < start + Duration::from_secs(1_000) {
            again.beside(zone.clone(), now);
            let due = again.due(now);
            if !due.is_empty() {
                assert_eq!(
                    due.keys().collect::<Vec<_>>(),
                    zone.iter().collect::<Vec<_>>()
                );
                count += 1;
                now += took;
                again.judged(&due, took);
            }
            now += STEP;
        }
        count
    }

    #[test]
    fn judging_a_large_zone_again_leaves_most_of_the_time_to_changes() {
        for (millis, least, most) in [
            (0, 980, 1_000),
            (100, 880, 910),
            (2_000, 50, 56),
            (60_000, 1, 2),
        ] {
            let count = judged_beside(Duration::from_millis(millis));
            assert!(
                (least..=most).contains(&count),
                "{millis} ms each: {count} times"
            );
        }
    }

    #[test]
    fn what_waits_is_not_put_off_by_the_next_change_and_damage_not_at_all() {
        let start = Instant::now();
        let of = |text: &str| vec![text.parse::<Name>().unwrap()];
        let mut again = Again::new(start);
        again.judged(&BTreeMap::new(), Duration::from_secs(10));
        again.beside(of("a."), start);
        again.beside(of("b."), start + EVERY * 79);
        assert!(!again.is_due(start + EVERY * 79));
        assert_eq!(again.due(start + EVERY * 80).len(), 2);
        let whole = |zone| (zone, Reading::Whole);
        again.at_once(of("c.").into_iter().map(whole), start + EVERY * 2);
        assert_eq!(again.due(start + EVERY * 2).len(), 3);
        again.later(of("d."), start + EVERY * 2);
        assert!(!again.is_due(start + EVERY * 81));
        assert_eq!(again.due(start + EVERY * 82).len(), 4);
        again.later(Vec::new(), start + EVERY * 82);
        assert!(again.is_due(start + EVERY * 82));
    }
}
