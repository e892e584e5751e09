//! The hash chain of the audit, computed anew.
//!
//! Rows at its old end may have been pruned: the checkpoint row that was written along with it, in
//! the chain itself, says which row is the first now and which hash it must carry.

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, Row};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::StoreError;
use super::audit::{COLUMN_COUNT, COLUMNS, HEAD_KEY, Head, hash_value, hex};
use super::retention::{CHECKPOINT, Checkpoint};

/// Whether the audit is as it was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum Chain {
    Whole {
        rows: u64,
        head: String,
    },
    /// The first row that does not follow from those before it.
    Broken {
        id: i64,
        reason: String,
    },
}

/// An earlier head that the chain still goes through: nothing before it was rewritten.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Witness {
    pub id: i64,
    /// Of the row; `None` where it was pruned, and a checkpoint has kept its hash.
    pub reference: Option<String>,
    pub at_unix_us: Option<i64>,
    /// How many rows came after it.
    pub since: i64,
}

/// What a walk along the chain has found.
pub(super) struct Walk {
    pub chain: Chain,
    /// Rows that were pruned, as a checkpoint attests.
    pub pruned: u64,
    /// The row whose hash was asked for.
    pub witness: Option<Witness>,
}

/// On the way from the first row to the last.
struct Walker<'a> {
    sought: Option<&'a [u8; 32]>,
    head: Head,
    /// What the first row takes for granted.
    before: Head,
    rows: u64,
    checkpoint: Option<Checkpoint>,
    witness: Option<Witness>,
}

/// Walks the chain; `sought` is the hash of a row that should be on it. Rows and noted head must be
/// of one moment: the caller holds a transaction.
pub(super) fn walk(connection: &Connection, sought: Option<&[u8; 32]>) -> Result<Walk, StoreError> {
    let mut walker = Walker {
        sought,
        head: Head::default(),
        before: Head::default(),
        rows: 0,
        checkpoint: None,
        witness: None,
    };
    let mut statement =
        connection.prepare_cached(&format!("SELECT {COLUMNS}, hash FROM audit ORDER BY id"))?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        if let Some(reason) = walker.step(row)? {
            let id = row.get(1)?;
            return Ok(walker.end(Some(broken(id, reason))));
        }
    }
    let noted: Option<String> = connection
        .prepare_cached("SELECT value FROM meta WHERE key = ?")?
        .query_row([HEAD_KEY], |row| row.get(0))
        .optional()?;
    let flaw = walker.flaw(noted);
    Ok(walker.end(flaw))
}

fn broken(id: i64, reason: &str) -> Chain {
    Chain::Broken {
        id,
        reason: reason.to_owned(),
    }
}

impl Walker<'_> {
    /// Takes the next row; says what is wrong with it.
    fn step(&mut self, row: &Row) -> Result<Option<&'static str>, StoreError> {
        let id: i64 = row.get(1)?;
        if self.rows == 0 && id > 1 {
            let Ok(hash) = row.get(0) else {
                return Ok(Some("it does not carry the hash of the row before it"));
            };
            self.before = Head { id: id - 1, hash };
            self.head = self.before;
        }
        if Some(id) != self.head.id.checked_add(1) {
            return Ok(Some("rows before this one are missing"));
        }
        if row.get_ref(0)? != ValueRef::Blob(&self.head.hash) {
            return Ok(Some("it does not carry the hash of the row before it"));
        }
        let mut hash = Sha256::new();
        for column in 0..COLUMN_COUNT {
            hash_value(&mut hash, row.get_ref(column)?);
        }
        let hash: [u8; 32] = hash.finalize().into();
        if row.get_ref(COLUMN_COUNT)? != ValueRef::Blob(&hash) {
            return Ok(Some("its columns do not give its hash"));
        }
        (self.head, self.rows) = (Head { id, hash }, self.rows + 1);
        if row.get_ref(13)? == ValueRef::Text(CHECKPOINT.as_bytes()) {
            self.note_checkpoint(&row.get::<_, String>(19)?);
        }
        if self.sought == Some(&hash) {
            self.witness = Some(Witness {
                id,
                reference: row.get(2)?,
                at_unix_us: row.get(3)?,
                since: 0,
            });
        }
        Ok(None)
    }

    fn note_checkpoint(&mut self, detail: &str) {
        let checkpoint: Option<Checkpoint> = serde_json::from_str(detail).ok();
        if let Some(checkpoint) = &checkpoint
            && self
                .sought
                .is_some_and(|sought| hex(sought) == checkpoint.hash_before)
            && self.witness.is_none()
        {
            self.witness = Some(Witness {
                id: checkpoint.first_id.saturating_sub(1),
                reference: None,
                at_unix_us: None,
                since: 0,
            });
        }
        self.checkpoint = checkpoint;
    }

    /// What is wrong with the ends of the chain.
    fn flaw(&self, noted: Option<String>) -> Option<Chain> {
        // The last checkpoint tells of the last pruning.
        let first = self.before.id.saturating_add(1);
        let attested = self.checkpoint.as_ref().is_some_and(|checkpoint| {
            checkpoint.first_id == first && checkpoint.hash_before == hex(&self.before.hash)
        });
        if self.before.id > 0 && !attested {
            return Some(broken(first, "rows before this one are missing"));
        }
        if noted.unwrap_or_else(|| Head::default().to_string()) != self.head.to_string() {
            let reason = "the rows end here, and the last one written was another";
            return Some(broken(self.head.id, reason));
        }
        None
    }

    fn end(self, flaw: Option<Chain>) -> Walk {
        let whole = Chain::Whole {
            rows: self.rows,
            head: hex(&self.head.hash),
        };
        Walk {
            chain: flaw.unwrap_or(whole),
            pruned: u64::try_from(self.before.id).unwrap_or_default(),
            witness: self.witness.map(|witness| Witness {
                since: self.head.id.saturating_sub(witness.id),
                ..witness
            }),
        }
    }
}
