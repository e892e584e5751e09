//! Reading back what happened, on a connection of its own that cannot write.

use super::audit::{self, AuditRow};
use super::chain::{self, Chain};
use super::changes::{self, Changes};
use super::revision::{self, RevisionRow};
use super::verify::{self, Verification};
use super::{Settings, StoreError, open};
use crate::rr::Name;

#[derive(Debug)]
pub struct History(open::ReadOnly);

impl History {
    pub fn open(settings: &Settings) -> Result<History, StoreError> {
        open::read_only(settings).map(History)
    }

    /// The row of a reference, however it was typed.
    pub fn audit(&self, reference: &str) -> Result<Option<AuditRow>, StoreError> {
        let reference = audit::normal_reference(reference);
        Ok(audit::select(&self.0, "WHERE reference = ?", [reference])?.pop())
    }

    /// The newest rows, newest first.
    pub fn list(&self, zone: Option<&Name>, limit: usize) -> Result<Vec<AuditRow>, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        match zone {
            Some(zone) => audit::select(
                &self.0,
                "WHERE zone = ? ORDER BY id DESC LIMIT ?",
                (zone.to_string(), limit),
            ),
            None => audit::select(&self.0, "ORDER BY id DESC LIMIT ?", [limit]),
        }
    }

    /// The last refusal of each actor in each zone, the oldest first.
    pub fn last_refusals(&self) -> Result<Vec<AuditRow>, StoreError> {
        self.last("refused", "actor, zone")
    }

    /// The last commit in each zone, the oldest first.
    pub fn last_commits(&self) -> Result<Vec<AuditRow>, StoreError> {
        self.last("committed", "zone")
    }

    /// Of the newest rows: a start does not wait until years of them have been read.
    fn last(&self, outcome: &str, each: &str) -> Result<Vec<AuditRow>, StoreError> {
        const LOOKED_AT: i64 = 50_000;
        let of_each = format!(
            "WHERE id IN (SELECT max(id) FROM audit
                          WHERE outcome = ? AND id > (SELECT max(id) FROM audit) - {LOOKED_AT}
                          GROUP BY {each})
             ORDER BY id"
        );
        audit::select(&self.0, &of_each, [outcome])
    }

    pub fn revision(&self, zone: &Name, number: u64) -> Result<Option<RevisionRow>, StoreError> {
        match i64::try_from(number) {
            Ok(number) => revision::read(&self.0, zone, number),
            Err(_) => Ok(None),
        }
    }

    /// Computes the hash chain of the audit anew, from its first row.
    pub fn verify_chain(&self) -> Result<Chain, StoreError> {
        // Rows and noted head must be of one moment.
        let read = self.0.unchecked_transaction()?;
        Ok(chain::walk(&read, None)?.chain)
    }

    /// Reads everything there is and compares it with what was written; `head` is the hash of an
    /// audit row that must still be there, 64 hexadecimal digits.
    pub fn verify(&self, head: Option<&str>) -> Result<Verification, StoreError> {
        let read = self.0.unchecked_transaction()?;
        verify::all(&read, head)
    }

    /// What lies between two revisions of a zone; 0 is the empty zone that it began as.
    pub fn between(&self, zone: &Name, from: u64, to: u64) -> Result<Changes, StoreError> {
        let read = self.0.unchecked_transaction()?;
        changes::between(&read, zone, from, to)
    }
}
