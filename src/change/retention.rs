//! Letting go of the past while nobody waits: old revisions and audit rows, a batch at a time.

use std::time::{Duration, Instant};

use super::account::Moment;
use super::custody::{Custody, Extent};
use crate::store::{Pruned, Retention, StoreError};

/// How often it is looked whether something has grown too old.
const EVERY: Duration = Duration::from_secs(600);
/// A server that is never idle does it all the same then.
const OVERDUE: Duration = Duration::from_secs(3_600);

/// A wall clock that is this far from where the other clock says it should be was set.
const JUMP: Duration = Duration::from_secs(3_600);
/// What is too old by a clock that was set is kept for so long: it may be set right again.
const DISTRUST: Duration = Duration::from_secs(86_400);

pub(super) struct Pruning {
    next: Instant,
    /// When it was last looked at both clocks.
    clocks: Option<Moment>,
    /// Since the last pass ended.
    sum: Pruned,
}

impl Pruning {
    pub(super) fn new(now: Instant) -> Pruning {
        Pruning {
            next: now,
            clocks: None,
            sum: Pruned::default(),
        }
    }

    /// Whether it has waited so long for an idle moment that it has to be now.
    pub(super) fn is_overdue(&self, now: Instant) -> bool {
        now >= self.next + OVERDUE
    }

    /// Whether somebody set the wall clock since it was last looked.
    fn was_set(&mut self, moment: Moment) -> bool {
        let Some(before) = self.clocks.replace(moment) else {
            return false;
        };
        let passed = moment.started.saturating_duration_since(before.started);
        let passed_us = i64::try_from(passed.as_micros()).unwrap_or(i64::MAX);
        let expected = before.unix_us.saturating_add(passed_us);
        u128::from(moment.unix_us.abs_diff(expected)) > JUMP.as_micros()
    }

    /// One batch, where it is time for one.
    pub(super) fn step(&mut self, custody: &mut Custody, retention: Retention, moment: Moment) {
        let now = moment.started;
        if now < self.next {
            return;
        }
        if self.was_set(moment) {
            tracing::warn!("the clock was set: nothing is pruned by age for a day");
            self.next = now + DISTRUST;
            return;
        }
        match batch(custody, retention, moment) {
            Ok(pruned) if pruned.is_nothing() => {
                if !self.sum.is_nothing() {
                    let Pruned { revisions, audit } = std::mem::take(&mut self.sum);
                    tracing::info!(revisions, audit, "pruned what is too old to be kept");
                }
                self.next = now + EVERY;
            }
            // More may be left: the next idle moment is soon.
            Ok(pruned) => {
                self.sum.revisions += pruned.revisions;
                self.sum.audit += pruned.audit;
                self.next = now;
            }
            Err(error) => {
                tracing::warn!(store = %custody.path().display(), "store: pruning: {error}");
                self.next = now + EVERY;
            }
        }
    }
}

fn batch(
    custody: &mut Custody,
    retention: Retention,
    moment: Moment,
) -> Result<Pruned, StoreError> {
    let Some((tx, version, Extent::Nothing)) = custody.begin()? else {
        // Somebody was quicker: their edit comes first.
        return Ok(Pruned::default());
    };
    let pruned = tx.prune(retention, moment.unix_us)?;
    if !pruned.is_nothing() {
        tx.commit()?;
        custody.committed(version);
    }
    Ok(pruned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_set_by_a_year_is_not_believed_and_one_that_runs_is() {
        let start = Instant::now();
        let mut pruning = Pruning::new(start);
        let mut at = |secs: u64, unix_secs: i64| {
            pruning.was_set(Moment {
                started: start + Duration::from_secs(secs),
                unix_us: unix_secs * 1_000_000,
            })
        };
        let year = 365 * 86_400;
        assert!(!at(0, 1_000_000_000));
        assert!(!at(600, 1_000_000_600));
        assert!(
            !at(1_200, 1_000_001_000),
            "a clock that is off by minutes is one"
        );
        assert!(at(1_800, 1_000_001_800 + year));
        assert!(
            !at(90_000, 1_000_090_000 + year),
            "it has been so for a day"
        );
        assert!(at(90_600, 1_000_090_600));
    }
}
