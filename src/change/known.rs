//! Updates that were accepted lately, by their MAC: the same message once more is not applied again,
//! also when the store whose audit tells of it was lost.
//!
//! The snapshot has them too, with the batch that carries what they changed, so that whoever serves
//! from it knows which updates that is. Where more were accepted than are remembered, and the store
//! does not tell either, nothing that could be one of them is applied.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::account::Moment;
use crate::store::{ACCEPTED_MAX, Accepted, RETRANSMIT_US};

#[derive(Default)]
pub(super) struct Known {
    macs: HashMap<Box<[u8]>, Arc<Accepted>>,
    /// The same, the oldest first.
    order: VecDeque<Arc<Accepted>>,
    /// Not all that were accepted up to then are remembered; microseconds since 1970.
    unsure_up_to: Option<i64>,
    /// The audit of the store does not tell of those before it was made, then.
    store_made_at: Option<i64>,
}

impl Known {
    pub(super) fn remember(&mut self, accepted: impl IntoIterator<Item = Arc<Accepted>>) {
        for one in accepted {
            let known = self.macs.insert(one.mac.clone(), one.clone());
            if known.is_none() {
                self.order.push_back(one);
            }
        }
        let newest = self.order.back().map_or(0, |last| last.at_unix_us);
        while let Some(first) = self.order.front() {
            let is_old = first.at_unix_us < newest.saturating_sub(RETRANSMIT_US);
            if !is_old && self.order.len() <= ACCEPTED_MAX {
                break;
            }
            if !is_old {
                self.unsure_up_to = self.unsure_up_to.max(Some(first.at_unix_us));
            }
            self.macs.remove(&first.mac);
            self.order.pop_front();
        }
    }

    pub(super) fn lacks(&self, one: &Accepted) -> bool {
        !self.macs.contains_key(&one.mac)
    }

    /// The reference of the first answer to this message.
    pub(super) fn find(&self, mac: &[u8], moment: Moment) -> Option<&str> {
        let known = self.macs.get(mac)?;
        let is_late = known.at_unix_us >= moment.unix_us.saturating_sub(RETRANSMIT_US);
        is_late.then_some(&*known.reference)
    }

    /// What was accepted so far may have been forgotten by the snapshot.
    pub(super) fn is_unsure(&mut self, moment: Moment) {
        self.unsure_up_to = self.unsure_up_to.max(Some(moment.unix_us));
    }

    /// From now on the store tells of nothing that was before.
    pub(super) fn store_is_new(&mut self, moment: Moment) {
        self.store_made_at = Some(moment.unix_us);
    }

    /// For how long, in seconds, nobody can say of a message that it was not applied already. By then
    /// its signature is too old to be accepted: it is at most one fudge behind, and was at most one
    /// ahead (RFC 8945 §5.2.3).
    pub(super) fn unsure_secs(&self, moment: Moment) -> Option<i64> {
        let up_to = self.unsure_up_to?.min(self.store_made_at?);
        let left_us = up_to
            .saturating_add(RETRANSMIT_US)
            .saturating_sub(moment.unix_us);
        (left_us > 0).then_some(left_us / 1_000_000 + 1)
    }
}

/// Those of several sources, the oldest first.
pub(super) fn each_once(mut accepted: Vec<Accepted>) -> Vec<Arc<Accepted>> {
    accepted.sort_by(|a, b| (a.at_unix_us, &a.mac).cmp(&(b.at_unix_us, &b.mac)));
    accepted.dedup_by(|a, b| a.mac == b.mac);
    accepted.into_iter().map(Arc::new).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    fn at(secs: i64) -> Moment {
        Moment {
            started: Instant::now(),
            unix_us: secs * 1_000_000,
        }
    }

    fn accepted(number: usize, secs: i64) -> Arc<Accepted> {
        Arc::new(Accepted {
            mac: number.to_be_bytes().into(),
            reference: format!("R{number}"),
            at_unix_us: secs * 1_000_000,
        })
    }

    #[test]
    fn what_was_accepted_is_known_for_twice_the_fudge_and_then_let_go_of() {
        let mut known = Known::default();
        known.remember([accepted(1, 1_000), accepted(2, 1_001)]);
        let mac = 1_usize.to_be_bytes();
        assert_eq!(known.find(&mac, at(1_600)), Some("R1"));
        assert_eq!(known.find(&mac, at(1_601)), None);
        known.remember([accepted(3, 1_601)]);
        assert_eq!(known.order.len(), 2, "the first is too old");
        assert_eq!(known.macs.len(), 2);
        known.store_is_new(at(1_601));
        assert_eq!(
            known.unsure_secs(at(1_601)),
            None,
            "none was forgotten early"
        );
    }

    #[test]
    fn what_store_and_snapshot_both_have_is_one() {
        let of = |number: usize, secs: i64| (*accepted(number, secs)).clone();
        let snapshot = [of(2, 1_000), of(1, 1_000), of(3, 1_001)];
        let store = [of(1, 1_000), of(3, 1_001), of(4, 1_000), of(5, 1_002)];
        let all = each_once(snapshot.into_iter().chain(store).collect());
        let references: Vec<&str> = all.iter().map(|one| &*one.reference).collect();
        assert_eq!(references, ["R1", "R2", "R4", "R3", "R5"]);
    }

    #[test]
    fn what_is_told_twice_is_remembered_once() {
        // As after a start, from store and snapshot.
        let mut known = Known::default();
        let most = (0..ACCEPTED_MAX).map(|number| accepted(number, 1_000));
        let most: Vec<_> = most.collect();
        known.remember(most.iter().cloned());
        known.remember(most);
        assert_eq!(
            (known.order.len(), known.macs.len()),
            (ACCEPTED_MAX, ACCEPTED_MAX)
        );
        known.store_is_new(at(1_001));
        assert_eq!(known.unsure_secs(at(1_001)), None, "none was forgotten");
        assert_eq!(known.find(&0_usize.to_be_bytes(), at(1_600)), Some("R0"));
        known.remember([accepted(ACCEPTED_MAX, 1_601)]);
        assert_eq!((known.order.len(), known.macs.len()), (1, 1));
    }

    #[test]
    fn more_than_can_be_remembered_are_told_of_where_the_store_does_not_know_either() {
        let mut known = Known::default();
        known.remember((0..ACCEPTED_MAX + 5).map(|number| accepted(number, 1_000)));
        assert_eq!(known.order.len(), ACCEPTED_MAX);
        assert_eq!(known.macs.len(), ACCEPTED_MAX);
        assert_eq!(known.unsure_secs(at(1_000)), None, "the store knows them");
        known.store_is_new(at(1_601));
        assert_eq!(known.unsure_secs(at(1_000)), Some(601));
        assert_eq!(known.unsure_secs(at(1_599)), Some(2));
        assert_eq!(known.unsure_secs(at(1_600)), None);
    }

    #[test]
    fn what_is_forgotten_after_the_store_was_made_is_known_to_the_store() {
        let mut known = Known::default();
        known.store_is_new(at(1_000));
        known.remember((0..ACCEPTED_MAX + 5).map(|number| accepted(number, 2_000)));
        assert_eq!(known.unsure_secs(at(2_000)), None);
        // And of those before it nobody knows for as long as they may come again.
        assert_eq!(known.unsure_secs(at(1_599)), Some(2));
    }
}
