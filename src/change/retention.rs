//! Letting go of the past while nobody waits: old revisions and audit rows, a batch at a time.

use std::time::{Duration, Instant};

use super::account::Moment;
use super::custody::{Custody, Extent};
use crate::store::{Pruned, Retention, StoreError};

/// How often it is looked whether something has grown too old.
const EVERY: Duration = Duration::from_secs(600);
/// A server that is never idle does it all the same then.
const OVERDUE: Duration = Duration::from_secs(3_600);

pub(super) struct Pruning {
    next: Instant,
    /// Since the last pass ended.
    sum: Pruned,
}

impl Pruning {
    pub(super) fn new(now: Instant) -> Pruning {
        Pruning {
            next: now,
            sum: Pruned::default(),
        }
    }

    /// Whether it has waited so long for an idle moment that it has to be now.
    pub(super) fn is_overdue(&self, now: Instant) -> bool {
        now >= self.next + OVERDUE
    }

    /// One batch, where it is time for one.
    pub(super) fn step(&mut self, custody: &mut Custody, retention: Retention, moment: Moment) {
        let now = moment.started;
        if now < self.next {
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
