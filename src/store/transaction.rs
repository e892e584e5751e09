//! Writing: everything that one group of changes leaves behind goes in together or not at all.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::BTreeSet;

use rusqlite::{CachedStatement, Connection, OptionalExtension, named_params};

use super::accepted::{self, Accepted};
use super::audit::{self, Head, NewAudit};
use super::head::End;
use super::identity::Identity;
use super::retention::{self, Pruned, Retention};
use super::revision::{self, NewRevision, RevisionRow};
use super::rows::{self, FreezeRow, Loaded, Reader};
use super::schema::Mended;
use super::zones::{self, BadZone, LastRevision, ZoneRow, Zones};
use super::{StoreError, TTL_MAX, head, open, schema};
use crate::rr::{Name, RrSet, Rtype, rdata};
use crate::zone::{Diff, Digest, RrsetChange, ZoneImage};

/// What others did to the end of the audit, a sentence each. The next row follows what was noted of it.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct AuditFlaws {
    /// The last row is not as it was; the next one will be, so that this is seen once.
    pub altered: Option<String>,
    /// Rows that this server did not write, and how to be rid of them.
    pub strangers: Option<String>,
}

/// Writes to the store; dropped without [`Transaction::commit`] it leaves nothing.
#[derive(Debug)]
pub struct Transaction<'a> {
    inner: rusqlite::Transaction<'a>,
    identity: &'a Identity,
    /// The end of the audit as it was before, once it was asked for.
    end: OnceCell<End>,
    /// The end of the audit, once a row was added here.
    head: Cell<Option<Head>>,
    /// The last revision added here: its zone, its number, the hash of its row.
    revised: RefCell<Option<(Name, u64, String)>>,
}

impl<'a> Transaction<'a> {
    pub(super) fn begin(
        connection: &'a Connection,
        identity: &'a Identity,
    ) -> Result<Transaction<'a>, StoreError> {
        identity.check(connection)?;
        Ok(Transaction {
            inner: identity.index().begin(connection)?,
            identity,
            end: OnceCell::new(),
            head: Cell::new(None),
            revised: RefCell::new(None),
        })
    }

    /// As [`super::Store::data_version`]: nobody else commits until this transaction ends.
    pub fn data_version(&self) -> Result<i64, StoreError> {
        rows::data_version(&self.inner)
    }

    pub fn load(&self, zone: &Name) -> Result<Loaded, StoreError> {
        rows::load(&self.inner, zone)
    }

    /// The rows of those owners alone that others changed, as far as the triggers tell, and of those
    /// `beside` them.
    pub fn load_touched(
        &self,
        zone: &Name,
        beside: &BTreeSet<String>,
    ) -> Result<Loaded, StoreError> {
        rows::load_touched(&self.inner, zone, beside)
    }

    pub fn zones(&self) -> Result<Zones, StoreError> {
        zones::zones(&self.inner)
    }

    /// Zones of which others changed rows, as far as they are names.
    pub fn touched_zones(&self) -> Result<Vec<Name>, StoreError> {
        let texts = rows::touched_zones(&self.inner)?;
        Ok(texts.iter().filter_map(|text| text.parse().ok()).collect())
    }

    /// Whether the tables are ours; what of the schema others took away is put back where no data
    /// went with it, and told of.
    pub fn mend_schema(&self) -> Result<Mended, StoreError> {
        open::check_schema(&self.inner, self.identity.path())?;
        schema::mend(&self.inner)
    }

    pub fn zone(&self, origin: &Name) -> Result<Option<Result<ZoneRow, BadZone>>, StoreError> {
        zones::zone(&self.inner, origin)
    }

    /// The digest that the history has for a revision.
    pub fn revision_digest(&self, zone: &Name, number: u64) -> Result<Option<String>, StoreError> {
        let Ok(number) = i64::try_from(number) else {
            return Ok(None);
        };
        zones::revision_digest(&self.inner, zone, number)
    }

    /// What the history says of a zone last.
    pub fn last_revision(&self, zone: &Name) -> Result<Option<LastRevision>, StoreError> {
        zones::last_revision(&self.inner, zone)
    }

    pub fn freezes(&self) -> Result<Vec<FreezeRow>, StoreError> {
        rows::freezes(&self.inner)
    }

    /// Makes a zone without records. One that is there stays as it is; one that was there before
    /// goes on counting its revisions.
    pub fn create_zone(&self, zone: &Name) -> Result<(), StoreError> {
        self.inner
            .prepare_cached(
                "INSERT OR IGNORE INTO zone (origin, revision, serial, digest)
                 SELECT ?1, coalesce(max(number), 0), NULL, ?2 FROM revision WHERE zone = ?1",
            )?
            .execute((zone.to_string(), Digest::default().to_string()))?;
        Ok(())
    }

    /// As [`Transaction::create_zone`], for a zone that was served at a revision the store may not
    /// know: the next one will be above it, and above those of the history, whatever the row says.
    pub fn restore_zone(&self, zone: &Name, revision: u64) -> Result<(), StoreError> {
        self.create_zone(zone)?;
        self.inner
            .prepare_cached(
                "UPDATE zone SET revision = max(?1, (SELECT coalesce(max(number), 0)
                     FROM revision WHERE zone = ?2 AND number < ?3)) WHERE origin = ?2",
            )?
            .execute((
                i64::try_from(revision).unwrap_or(i64::MAX),
                zone.to_string(),
                revision::NUMBER_END,
            ))?;
        Ok(())
    }

    /// Takes a zone and its records away; its revisions and audit rows stay.
    pub fn remove_zone(&self, zone: &Name) -> Result<(), StoreError> {
        let zone = zone.to_string();
        for statement in [
            "DELETE FROM record WHERE zone = ?",
            "DELETE FROM touched WHERE zone = ?",
            "DELETE FROM zone WHERE origin = ?",
        ] {
            self.inner.prepare_cached(statement)?.execute([&zone])?;
        }
        Ok(())
    }

    pub fn revision(&self, zone: &Name, number: u64) -> Result<Option<RevisionRow>, StoreError> {
        revision::read(&self.inner, zone, i64::try_from(number).unwrap_or(i64::MAX))
    }

    /// The last revision of a zone that was removed, if nothing came after.
    pub fn removed_at(&self, zone: &Name) -> Result<Option<u64>, StoreError> {
        let last = self.last_revision(zone)?;
        Ok(last.filter(|last| last.is_removal).map(|last| last.number))
    }

    /// A value kept beside the zones, such as the policy in force.
    pub fn value(&self, key: &str) -> Result<Option<String>, StoreError> {
        Ok(self
            .inner
            .prepare_cached("SELECT value FROM meta WHERE key = ?")?
            .query_row([key], |row| Ok(rows::shown(row.get_ref(0)?, usize::MAX)))
            .optional()?)
    }

    pub fn set_value(&self, key: &str, value: &str) -> Result<(), StoreError> {
        self.inner
            .prepare_cached("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)")?
            .execute((key, value))?;
        Ok(())
    }

    /// The end of the audit's chain, as it will be when this is committed.
    pub fn audit_head(&self) -> Result<String, StoreError> {
        Ok(self.head()?.to_string())
    }

    /// Puts in the place of every changed RRset's rows, however their type is spelled, what is there
    /// after the change.
    pub fn write_diff(&self, zone: &Name, diff: &Diff) -> Result<(), StoreError> {
        let zone = zone.to_string();
        let mut delete = self
            .inner
            .prepare_cached("DELETE FROM record WHERE zone = ? AND owner = ? AND type IN (?, ?)")?;
        let mut insert = self.insertion()?;
        // Spares the index, which most of the cost of a small change is.
        let mut update = self.inner.prepare_cached(
            "UPDATE record SET ttl = ?, rdata = ?
             WHERE zone = ? AND owner = ? AND type IN (?, ?)",
        )?;
        for change in &diff.changes {
            let owner = change.owner.to_string();
            let [number, mnemonic] = change.rtype.spellings();
            if let Some((ttl, rdata)) = one_for_one(change)? {
                // One record may have had several rows, which are all to go.
                let rows = update.execute((ttl, rdata, &zone, &owner, &number, &mnemonic))?;
                if rows == 1 {
                    continue;
                }
            }
            delete.execute((&zone, &owner, number, mnemonic))?;
            if let Some(after) = &change.after {
                insert_rrset(&mut insert, &zone, &change.owner, after)?;
            }
        }
        Ok(())
    }

    /// As [`Transaction::write_diff`], after an edit by hand was taken in: the rows of the touched
    /// owners, however they were written, first become what we would have written for them.
    pub fn rewrite_rrsets(&self, zone: &Name, diff: &Diff) -> Result<(), StoreError> {
        let touched: BTreeSet<String> = rows::touched(&self.inner, zone)?
            .into_iter()
            .flat_map(|text| {
                let canonical = text.parse::<Name>().map(|name| name.to_string());
                [Some(text), canonical.ok()].into_iter().flatten()
            })
            .collect();
        let origin = zone.to_string();
        let mut delete = self
            .inner
            .prepare_cached("DELETE FROM record WHERE id = ?")?;
        let mut records = Vec::new();
        for (id, record) in self.readable_rows(zone, &touched)? {
            delete.execute([id])?;
            records.push(record);
        }
        let image = ZoneImage::from_records(zone.clone(), records)
            .map_err(|error| StoreError::Damaged(error.to_string()))?;
        let mut insert = self.insertion()?;
        for node in image.iter() {
            for rrset in node.rrsets() {
                insert_rrset(&mut insert, &origin, node.name(), rrset)?;
            }
        }
        self.write_diff(zone, diff)
    }

    /// The records of some owners, each with its row; what is no record is left alone.
    fn readable_rows(
        &self,
        zone: &Name,
        owners: &BTreeSet<String>,
    ) -> Result<std::collections::BTreeMap<i64, crate::rr::Record>, StoreError> {
        let mut select = self.inner.prepare_cached(
            "SELECT id, owner, ttl, type, rdata FROM record WHERE zone = ? AND owner = ?",
        )?;
        let mut found = std::collections::BTreeMap::new();
        let origin = zone.to_string();
        let mut reader = Reader::default();
        for owner in owners {
            let mut rows = select.query((&origin, owner))?;
            while let Some(row) = rows.next()? {
                if let Ok(record) = reader.record(row, zone) {
                    found.insert(row.get(0)?, record);
                }
            }
        }
        Ok(found)
    }

    /// Puts a whole zone in the place of its rows, the unreadable ones too.
    pub fn rewrite_zone(&self, zone: &Name, image: &ZoneImage) -> Result<(), StoreError> {
        let zone = zone.to_string();
        self.inner
            .prepare_cached("DELETE FROM record WHERE zone = ?")?
            .execute([&zone])?;
        let mut insert = self.insertion()?;
        for node in image.iter() {
            for rrset in node.rrsets() {
                insert_rrset(&mut insert, &zone, node.name(), rrset)?;
            }
        }
        Ok(())
    }

    fn insertion(&self) -> Result<CachedStatement<'_>, StoreError> {
        Ok(self.inner.prepare_cached(
            "INSERT INTO record (zone, owner, ttl, type, rdata) VALUES (?, ?, ?, ?, ?)",
        )?)
    }

    /// Writes the zone's next revision and puts the zone at it; returns its number.
    pub fn add_revision(&self, new: NewRevision) -> Result<u64, StoreError> {
        let (number, hash) = revision::add(&self.inner, &new)?;
        *self.revised.borrow_mut() = Some((new.zone.clone(), number, hash));
        Ok(number)
    }

    /// Writes an audit row; returns its reference, which no other row has.
    pub fn add_audit(&self, mut new: NewAudit) -> Result<String, StoreError> {
        self.add_revision_hash(&mut new);
        let mut head = self.head()?;
        if self.head.get().is_none() {
            head = self.go_on(head, new.at_unix_us)?;
        }
        let (reference, head) = audit::add(&self.inner, head, new)?;
        self.head.set(Some(head));
        Ok(reference)
    }

    fn head(&self) -> Result<Head, StoreError> {
        match self.head.get() {
            Some(head) => Ok(head),
            None => Ok(self.end()?.head),
        }
    }

    /// Nobody else writes until this ends.
    fn end(&self) -> Result<&End, StoreError> {
        if let Some(end) = self.end.get() {
            return Ok(end);
        }
        let end = head::end(&self.inner)?;
        Ok(self.end.get_or_init(|| end))
    }

    /// Where others have altered the end of the audit, a row of its own says so before any other.
    fn go_on(&self, head: Head, now_unix_us: i64) -> Result<Head, StoreError> {
        let end = self.end()?;
        let reason = match (&end.altered, &end.strangers) {
            (Some(altered), _) => altered,
            (None, Some(strangers))
                if head::next_id(&self.inner, head)? != head.id.saturating_add(1) =>
            {
                strangers
            }
            _ => return Ok(head),
        };
        let row = retention::continuation_row(reason, now_unix_us);
        Ok(audit::add(&self.inner, head, row)?.1)
    }

    /// What others did to the end of the audit.
    pub fn audit_flaws(&self) -> Result<AuditFlaws, StoreError> {
        let end = self.end()?;
        Ok(AuditFlaws {
            altered: end.altered.clone(),
            strangers: end.strangers.clone(),
        })
    }

    /// With this the hash chain of the audit covers the revisions too.
    fn add_revision_hash(&self, new: &mut NewAudit) {
        if let Some((zone, number, hash)) = &*self.revised.borrow()
            && new.zone == Some(zone)
            && new.revision == Some(*number)
            && let serde_json::Value::Object(detail) = &mut new.detail
        {
            detail.insert("revision_hash".to_owned(), hash.as_str().into());
        }
    }

    /// Lets go of a few of the revisions and audit rows that are too old to be kept.
    pub fn prune(&self, retention: Retention, now_unix_us: i64) -> Result<Pruned, StoreError> {
        let revisions = retention::prune_revisions(&self.inner, retention, now_unix_us)?;
        let checkpoint = retention::prune_audit(&self.inner, self.head()?, retention, now_unix_us)?;
        let audit = checkpoint
            .as_ref()
            .map_or(0, |checkpoint| checkpoint.pruned);
        if let Some(checkpoint) = checkpoint {
            let reason = format!(
                "pruned {audit} rows; the first one kept is {}",
                checkpoint.first_reference
            );
            self.add_audit(retention::checkpoint_row(&checkpoint, &reason, now_unix_us))?;
        }
        Ok(Pruned { revisions, audit })
    }

    /// The first answer to a request with this MAC since then: (revision, or 0 where there is
    /// none; reference; RCODE).
    pub fn find_mac(
        &self,
        mac: &[u8],
        not_before_unix: u64,
    ) -> Result<Option<(u64, String, u16)>, StoreError> {
        audit::find_mac(&self.inner, mac, not_before_unix)
    }

    /// Updates that were accepted since then, the oldest first.
    pub fn accepted(&self, since_unix_us: i64) -> Result<Vec<Accepted>, StoreError> {
        accepted::in_audit(&self.inner, since_unix_us)
    }

    /// Writes anew what the rows of a zone add up to.
    pub fn note_digest(&self, zone: &Name, digest: Digest) -> Result<(), StoreError> {
        self.inner
            .prepare_cached("UPDATE zone SET digest = ? WHERE origin = ?")?
            .execute((digest.to_string(), zone.to_string()))?;
        Ok(())
    }

    /// Forgets which owners were edited by hand: the edit was taken in.
    pub fn clear_touched(&self, zone: &Name) -> Result<(), StoreError> {
        self.inner
            .prepare_cached("DELETE FROM touched WHERE zone = ?")?
            .execute([zone.to_string()])?;
        Ok(())
    }

    pub fn set_freeze(
        &self,
        scope: &str,
        reason: &str,
        actor: &str,
        at_unix: u64,
    ) -> Result<(), StoreError> {
        self.inner
            .prepare_cached(
                "INSERT OR REPLACE INTO freeze (scope, since_unix, reason, actor)
                 VALUES (:scope, :since, :reason, :actor)",
            )?
            .execute(named_params! {
                ":scope": scope,
                ":since": i64::try_from(at_unix).unwrap_or(i64::MAX),
                ":reason": reason,
                ":actor": actor,
            })?;
        Ok(())
    }

    /// Whether there was one.
    pub fn clear_freeze(&self, scope: &str) -> Result<bool, StoreError> {
        let removed = self
            .inner
            .prepare_cached("DELETE FROM freeze WHERE scope = ?")?
            .execute([scope])?;
        Ok(removed > 0)
    }

    /// Makes it last: on disk when this returns, unless the file is no longer the one on the path.
    pub fn commit(self) -> Result<(), StoreError> {
        if let Some(head) = self.head.get() {
            audit::write_head(&self.inner, head)?;
        }
        self.identity.check(&self.inner)?;
        self.identity.index().commit(self.inner)
    }
}

/// TTL and data of the one record that takes the place of one.
fn one_for_one(change: &RrsetChange) -> Result<Option<(u32, String)>, StoreError> {
    let (Some(before), Some(after)) = (&change.before, &change.after) else {
        return Ok(None);
    };
    let mut rdatas = after.rdatas();
    let (Some(octets), None) = (rdatas.next(), rdatas.next()) else {
        return Ok(None);
    };
    if before.len() != 1 {
        return Ok(None);
    }
    storable(&change.owner, after)?;
    Ok(Some((after.ttl(), rdata::to_text(after.rtype(), octets))))
}

/// It would come back as a bad row, and hold the zone.
fn storable(owner: &Name, rrset: &RrSet) -> Result<(), StoreError> {
    if rrset.ttl() <= TTL_MAX {
        return Ok(());
    }
    Err(StoreError::Unstorable {
        owner: owner.clone(),
        rtype: rrset.rtype(),
        reason: format!("the TTL {} is more than {TTL_MAX}", rrset.ttl()),
    })
}

fn insert_rrset(
    insert: &mut CachedStatement,
    zone: &str,
    owner: &Name,
    rrset: &RrSet,
) -> Result<(), StoreError> {
    storable(owner, rrset)?;
    let rtype: Rtype = rrset.rtype();
    let (owner, type_text) = (owner.to_string(), rtype.to_string());
    for octets in rrset.rdatas() {
        let data = rdata::to_text(rtype, octets);
        insert.execute((zone, &owner, rrset.ttl(), &type_text, data))?;
    }
    Ok(())
}
