//! Letting go of old revisions and audit rows, a little at a time.
//!
//! What is younger than some days stays, and so do the newest rows, however old they are. Both
//! tables lose rows at their old end only, so that what is kept has no gaps.

use rusqlite::{Connection, OptionalExtension};
use serde::{Deserialize, Serialize};

use super::audit::{Head, NewAudit, hex};
use super::{StoreError, zones};

/// The least that may be kept of each zone's revisions, and of the audit.
pub const REVISIONS_LEAST: u64 = 1_000;
/// Rows of a kind that one transaction lets go of: somebody may begin to wait for an answer.
const BATCH: i64 = 500;
/// Fewer audit rows are not worth the checkpoint row: it will have to go one day itself.
const AUDIT_LEAST: i64 = 100;
const DAY_US: i64 = 86_400 * 1_000_000;

/// The outcome of a row that tells of rows pruned.
pub(super) const CHECKPOINT: &str = "checkpoint";

/// What is kept at least: so many of the newest, and whatever is younger than so many days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Revisions of each zone, and rows of the audit. Not below [`REVISIONS_LEAST`].
    pub revisions: u64,
    pub days: u64,
}

impl Default for Retention {
    fn default() -> Retention {
        Retention {
            revisions: REVISIONS_LEAST,
            days: 90,
        }
    }
}

/// What one transaction has let go of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pruned {
    pub revisions: u64,
    pub audit: u64,
}

impl Pruned {
    pub fn is_nothing(self) -> bool {
        self == Pruned::default()
    }
}

/// Where the audit begins since rows were pruned; the detail of a checkpoint row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Checkpoint {
    pub first_id: i64,
    pub first_reference: String,
    pub hash_before: String,
    pub pruned: u64,
}

impl Retention {
    fn kept(self) -> i64 {
        i64::try_from(self.revisions.max(REVISIONS_LEAST)).unwrap_or(i64::MAX)
    }

    /// What is older than this may go.
    fn cutoff_us(self, now_unix_us: i64) -> i64 {
        let days = i64::try_from(self.days).unwrap_or(i64::MAX);
        now_unix_us.saturating_sub(days.saturating_mul(DAY_US))
    }
}

/// Deletes old revisions of zones that there are. Those of zones that were removed stay: they tell
/// that it was meant.
pub(super) fn prune_revisions(
    connection: &Connection,
    retention: Retention,
    now_unix_us: i64,
) -> Result<u64, StoreError> {
    let cutoff = retention.cutoff_us(now_unix_us);
    let mut oldest = connection.prepare_cached(
        "SELECT number, at_us FROM revision WHERE zone = ? ORDER BY number LIMIT 1",
    )?;
    let mut young = connection.prepare_cached(
        "SELECT number FROM revision WHERE zone = ? AND number BETWEEN ? AND ? AND at_us >= ?
         ORDER BY number LIMIT 1",
    )?;
    let mut delete =
        connection.prepare_cached("DELETE FROM revision WHERE zone = ? AND number < ?")?;
    let mut left = BATCH;
    for row in zones::zones(connection)?.rows {
        let newest = i64::try_from(row.revision).unwrap_or(i64::MAX);
        if left == 0 || newest <= retention.kept() {
            continue;
        }
        let zone = row.origin.to_string();
        let first: Option<(i64, i64)> = oldest
            .query_row([&zone], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let last = newest - retention.kept();
        let Some((first, _)) = first.filter(|&(first, at)| first <= last && at < cutoff) else {
            continue;
        };
        let last = last.min(first + left - 1);
        let stop = young
            .query_row((&zone, first, last, cutoff), |row| row.get(0))
            .optional()?
            .unwrap_or(last + 1);
        left -= i64::try_from(delete.execute((&zone, stop))?).unwrap_or(left);
    }
    Ok(u64::try_from(BATCH - left).unwrap_or_default())
}

/// Deletes old rows of the audit; says where it begins then.
pub(super) fn prune_audit(
    connection: &Connection,
    head: Head,
    retention: Retention,
    now_unix_us: i64,
) -> Result<Option<Checkpoint>, StoreError> {
    let first: Option<i64> = connection
        .prepare_cached("SELECT id FROM audit ORDER BY id LIMIT 1")?
        .query_row([], |row| row.get(0))
        .optional()?;
    let last = head.id.saturating_sub(retention.kept());
    let Some(first) = first.filter(|first| last.saturating_sub(*first) >= AUDIT_LEAST) else {
        return Ok(None);
    };
    let last = last.min(first + BATCH - 1);
    let stop: i64 = connection
        .prepare_cached(
            "SELECT id FROM audit WHERE id BETWEEN ? AND ? AND at_us >= ? ORDER BY id LIMIT 1",
        )?
        .query_row((first, last, retention.cutoff_us(now_unix_us)), |row| {
            row.get(0)
        })
        .optional()?
        .unwrap_or(last + 1);
    if stop.saturating_sub(first) < AUDIT_LEAST {
        return Ok(None);
    }
    // Rows of strangers may leave gaps, and carry anything.
    let kept: Option<(i64, String, Vec<u8>)> = connection
        .prepare_cached(
            "SELECT id, reference, previous FROM audit WHERE id >= ? ORDER BY id LIMIT 1",
        )?
        .query_row([stop], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    let Some((stop, first_reference, before)) = kept else {
        return Ok(None);
    };
    let pruned = connection
        .prepare_cached("DELETE FROM audit WHERE id < ?")?
        .execute([stop])?;
    Ok(Some(Checkpoint {
        first_id: stop,
        first_reference,
        hash_before: hex(&before),
        pruned: pruned as u64,
    }))
}

/// The row that keeps the chain verifiable.
pub(super) fn checkpoint_row<'a>(
    checkpoint: &Checkpoint,
    reason: &'a str,
    now_unix_us: i64,
) -> NewAudit<'a> {
    NewAudit {
        outcome: CHECKPOINT,
        detail: serde_json::to_value(checkpoint).expect("texts and numbers are JSON"),
        ..of_the_server("retention", reason, now_unix_us)
    }
}

/// The first row behind an end that others have altered.
pub(super) fn continuation_row(reason: &str, now_unix_us: i64) -> NewAudit<'_> {
    NewAudit {
        outcome: "continued",
        ..of_the_server("audit", reason, now_unix_us)
    }
}

fn of_the_server<'a>(path: &'a str, reason: &'a str, now_unix_us: i64) -> NewAudit<'a> {
    NewAudit {
        at_unix_us: now_unix_us,
        path,
        actor: "lastgood",
        source: None,
        transport: None,
        zone: None,
        base_revision: None,
        revision: None,
        old_serial: None,
        new_serial: None,
        outcome: "",
        rule: None,
        reason,
        rcode: "NOERROR",
        ede: None,
        mac: None,
        detail: serde_json::json!({}),
        duration_us: 0,
    }
}
