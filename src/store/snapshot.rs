//! The last-known-good snapshot: a database of its own, written after the store, read when the
//! store is not fit to be served.
//!
//! Each owner is one row of wire form, so that a promotion costs in the size of the change. What is
//! read back is served only when it adds up to the digest that was written with it.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use rusqlite::{Connection, OpenFlags, OptionalExtension};

use super::StoreError;
use super::accepted::{self, Accepted};
use super::identity::beside;
use super::index::{self, Index};
use super::scrub::Pause;
use crate::rr::{Name, Record, RrSet, Rtype, rdata};
use crate::zone::{Digest, ZoneImage};

const SCHEMA: &str = include_str!("../../migrations/snapshot/001_snapshot.sql");
/// "LGSN"
const APPLICATION_ID: i64 = 0x4C47_534E;
const SCHEMA_VERSION: i64 = 1;
const BUSY_MS: u64 = 5_000;

/// The connection to a snapshot.
#[derive(Debug)]
pub struct Snapshot {
    connection: Connection,
    index: Index,
}

/// A zone as the snapshot has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotRow {
    pub origin: Name,
    pub revision: u64,
    pub digest: Digest,
    /// Records, for people: reading verifies them.
    pub records: u64,
}

/// What of a zone is to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Extent {
    Whole,
    Owners(std::collections::BTreeSet<Name>),
}

#[derive(Debug)]
pub struct Promotion {
    pub image: Arc<ZoneImage>,
    pub revision: u64,
    pub extent: Extent,
}

impl Snapshot {
    /// Whether there is a file on the path, whatever is in it.
    pub fn is_there(path: &Path) -> bool {
        std::fs::symlink_metadata(path).is_ok()
    }

    /// Makes a new snapshot where there is none, with these ceilings. It comes into being under
    /// another name: what a crash leaves half made must not be taken for one that was damaged. What
    /// cannot be finished, on a disk that is full, is taken away again: it will be tried often. Its
    /// folder must be there: one that was moved away is to find its place free when it comes back.
    pub fn create(path: &Path, ceilings: &[(Name, u32)]) -> Result<Snapshot, StoreError> {
        if Snapshot::is_there(path) {
            return Err(StoreError::InTheWay(path.to_owned()));
        }
        let folder = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty())
            .unwrap_or(Path::new("."));
        // SQLite does not say what is wrong with it.
        std::fs::read_dir(folder).map_err(StoreError::io(folder))?;
        let new = beside(path, ".new");
        remove(&new);
        let made = prepare(&new, ceilings).and_then(|()| {
            std::fs::rename(&new, path).map_err(StoreError::io(path))?;
            // Without this the name may be gone after a power cut, and serials would be reserved nowhere.
            let folder = std::fs::File::open(folder).and_then(|folder| folder.sync_all());
            folder.map_err(StoreError::io(path))?;
            Snapshot::open_existing(path)
        });
        if made.is_err() {
            remove(&new);
            remove(path);
        }
        made
    }

    /// Opens the snapshot, which must be there.
    pub fn open_existing(path: &Path) -> Result<Snapshot, StoreError> {
        if !Snapshot::is_there(path) {
            return Err(StoreError::Gone(path.to_owned()));
        }
        index::look_at(path)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        super::open::harden(&connection, BUSY_MS)?;
        // What is not ours is to stay as it was found.
        let snapshot = Snapshot::checked(connection, path)?;
        write_ahead(&snapshot.connection)?;
        Ok(snapshot)
    }

    fn checked(connection: Connection, path: &Path) -> Result<Snapshot, StoreError> {
        let number = |pragma: &str| connection.pragma_query_value(None, pragma, |row| row.get(0));
        let application: i64 = number("application_id")?;
        let found: i64 = number("user_version")?;
        if application != APPLICATION_ID {
            return Err(StoreError::Foreign(path.to_owned()));
        }
        if found > SCHEMA_VERSION {
            return Err(StoreError::SchemaTooNew {
                found,
                known: SCHEMA_VERSION,
            });
        }
        Ok(Snapshot {
            connection,
            index: Index::of(path),
        })
    }

    /// Ends with everything in the file itself.
    pub fn close(self) -> Result<(), StoreError> {
        self.index.heal(&self.connection)?;
        super::open::checkpoint(&self.connection, "TRUNCATE")?;
        self.connection.close().map_err(|(_, error)| error.into())
    }

    pub fn zones(&self) -> Result<Vec<SnapshotRow>, StoreError> {
        self.index.heal(&self.connection)?;
        let mut statement = self
            .connection
            .prepare_cached("SELECT name, revision, digest, records FROM zone")?;
        let mut rows = statement.query([])?;
        let mut zones = Vec::new();
        while let Some(row) = rows.next()? {
            let origin: Vec<u8> = row.get(0)?;
            let digest: String = row.get(2)?;
            zones.push(SnapshotRow {
                origin: Name::from_wire(&origin).map_err(damaged)?,
                revision: u64::try_from(row.get::<_, i64>(1)?).map_err(damaged)?,
                digest: digest.parse().map_err(damaged)?,
                records: u64::try_from(row.get::<_, i64>(3)?).map_err(damaged)?,
            });
        }
        Ok(zones)
    }

    /// The image of a zone, if it adds up to the digest it was written with.
    pub fn load(&self, zone: &SnapshotRow) -> Result<ZoneImage, StoreError> {
        self.index.heal(&self.connection)?;
        let mut statement = self
            .connection
            .prepare_cached("SELECT owner, data FROM node WHERE zone = ?")?;
        let mut rows = statement.query([zone.origin.key().as_bytes()])?;
        let mut records = Vec::new();
        while let Some(row) = rows.next()? {
            let owner = row.get_ref(0)?.as_blob().map_err(damaged)?;
            let owner = Name::from_wire(owner).map_err(damaged)?;
            let data = row.get_ref(1)?.as_blob().map_err(damaged)?;
            decode(&owner, data, &mut records)
                .ok_or_else(|| damaged(format!("the data of {owner} do not parse")))?;
        }
        let image = ZoneImage::from_records(zone.origin.clone(), records).map_err(damaged)?;
        if image.digest() != zone.digest {
            return Err(damaged(format!(
                "the records of {} do not add up",
                zone.origin
            )));
        }
        Ok(image)
    }

    /// Reads the whole of a snapshot as it lies on disk, on a connection of its own that cannot write,
    /// and compares it with the digests it was written with. `pause` is called again and again; when
    /// it says so, reading ends.
    pub fn scrub(path: &Path, pause: Pause) -> Result<(), StoreError> {
        if !Snapshot::is_there(path) {
            return Err(StoreError::Gone(path.to_owned()));
        }
        index::look_at(path)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        super::open::harden(&connection, BUSY_MS)?;
        super::scrub::pace(&connection, pause)?;
        let snapshot = Snapshot::checked(connection, path)?;
        let found = snapshot.scrubbed();
        // With the index of the log cut short, nothing that was read tells anything.
        match snapshot.index.is_doubtful()? {
            true => Err(StoreError::Interrupted),
            false => found,
        }
    }

    fn scrubbed(&self) -> Result<(), StoreError> {
        if let Some(fault) = super::scrub::structure(&self.connection)?.first() {
            return Err(damaged(fault));
        }
        // Rows and digests must be of one moment.
        let read = self.connection.unchecked_transaction()?;
        for zone in self.zones()? {
            self.adds_up(&zone)?;
        }
        read.finish()?;
        Ok(())
    }

    /// As [`Snapshot::load`], for a zone that nobody wants to serve.
    fn adds_up(&self, zone: &SnapshotRow) -> Result<(), StoreError> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT owner, data FROM node WHERE zone = ?")?;
        let mut rows = statement.query([zone.origin.key().as_bytes()])?;
        let mut digest = Digest::default();
        let mut records = Vec::new();
        while let Some(row) = rows.next()? {
            let owner = row.get_ref(0)?.as_blob().map_err(damaged)?;
            let owner = Name::from_wire(owner).map_err(damaged)?;
            let data = row.get_ref(1)?.as_blob().map_err(damaged)?;
            records.clear();
            decode(&owner, data, &mut records)
                .ok_or_else(|| damaged(format!("the data of {owner} do not parse")))?;
            for rrset in records.chunk_by(|a, b| a.rtype == b.rtype) {
                let rdatas = rrset.iter().map(|record| &record.rdata);
                if let Some(rrset) = RrSet::new(rrset[0].rtype, rrset[0].ttl, rdatas) {
                    digest.add(&owner, &rrset);
                }
            }
        }
        match digest == zone.digest {
            true => Ok(()),
            false => Err(damaged(format!(
                "the records of {} do not add up",
                zone.origin
            ))),
        }
    }

    /// The serial below which everything may have been served, by zone.
    pub fn ceilings(&self) -> Result<HashMap<Name, u32>, StoreError> {
        self.index.heal(&self.connection)?;
        let mut statement = self
            .connection
            .prepare_cached("SELECT origin, serial FROM ceiling")?;
        let rows = statement.query_map([], |row| Ok((row.get::<_, Vec<u8>>(0)?, row.get(1)?)))?;
        rows.map(|row| {
            let (origin, serial) = row?;
            Ok((Name::from_wire(&origin).map_err(damaged)?, serial))
        })
        .collect()
    }

    /// Writes ceilings; on disk when this returns.
    pub fn reserve(&mut self, ceilings: &[(Name, u32)]) -> Result<(), StoreError> {
        let tx = self.index.begin(&self.connection)?;
        for (origin, serial) in ceilings {
            tx.prepare_cached("INSERT OR REPLACE INTO ceiling (origin, serial) VALUES (?, ?)")?
                .execute((origin.key().as_bytes(), serial))?;
        }
        self.index.commit(tx)
    }

    /// Writes what is to be served should the store be lost, all of it or nothing.
    pub fn promote(
        &mut self,
        promotions: &[Promotion],
        removed: &[Name],
        values: &[(&str, String)],
        accepted: &[Arc<Accepted>],
    ) -> Result<(), StoreError> {
        let tx = self.index.begin(&self.connection)?;
        for origin in removed {
            delete_zone(&tx, origin)?;
        }
        for promotion in promotions {
            write_zone(&tx, promotion)?;
        }
        for (key, value) in values {
            tx.prepare_cached("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)")?
                .execute((key, value))?;
        }
        accepted::write(&tx, accepted.iter().map(|one| &**one))?;
        self.index.commit(tx)
    }

    /// Updates whose changes it has, as far as they are not long ago.
    pub fn accepted(&self) -> Result<Vec<Accepted>, StoreError> {
        self.index.heal(&self.connection)?;
        accepted::in_snapshot(&self.connection)
    }

    /// A value kept beside the zones: the policy in force, the freezes, the head of the audit.
    pub fn value(&self, key: &str) -> Result<Option<String>, StoreError> {
        self.index.heal(&self.connection)?;
        Ok(self
            .connection
            .prepare_cached("SELECT value FROM meta WHERE key = ?")?
            .query_row([key], |row| row.get(0))
            .optional()?)
    }
}

/// A database with the schema and the ceilings, without a log beside it.
fn prepare(path: &Path, ceilings: &[(Name, u32)]) -> Result<(), StoreError> {
    use std::os::unix::fs::PermissionsExt;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_CREATE)?;
    super::open::harden(&connection, BUSY_MS)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.execute_batch(SCHEMA)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))
        .map_err(StoreError::io(path))?;
    let index = Index::of(path);
    let mut snapshot = Snapshot { connection, index };
    snapshot.reserve(ceilings)?;
    snapshot
        .connection
        .close()
        .map_err(|(_, error)| error.into())
}

/// Of a snapshot in which nothing is.
fn remove(path: &Path) {
    for suffix in ["-journal", "-wal", "-shm", ""] {
        let _ = std::fs::remove_file(beside(path, suffix));
    }
}

fn damaged(reason: impl std::fmt::Display) -> StoreError {
    StoreError::Damaged(reason.to_string())
}

fn write_ahead(connection: &Connection) -> Result<(), StoreError> {
    let mode: String =
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
    if !mode.eq_ignore_ascii_case("wal") {
        return Err(damaged(format!("its journal mode stays {mode}, not WAL")));
    }
    connection.pragma_update(None, "synchronous", "FULL")?;
    Ok(())
}

fn delete_zone(connection: &Connection, origin: &Name) -> Result<(), StoreError> {
    let key = origin.key();
    connection
        .prepare_cached("DELETE FROM node WHERE zone = ?")?
        .execute([key.as_bytes()])?;
    connection
        .prepare_cached("DELETE FROM zone WHERE origin = ?")?
        .execute([key.as_bytes()])?;
    Ok(())
}

fn write_zone(connection: &Connection, promotion: &Promotion) -> Result<(), StoreError> {
    let image = &promotion.image;
    let zone = image.origin_key().as_bytes();
    let mut insert = connection.prepare_cached(
        "INSERT OR REPLACE INTO node (zone, key, owner, data) VALUES (?, ?, ?, ?)",
    )?;
    let mut put = |node: &crate::zone::Node| {
        let (key, owner) = (node.name().key(), node.name());
        insert.execute((zone, key.as_bytes(), owner.as_wire(), encode(node)))
    };
    match &promotion.extent {
        Extent::Whole => {
            connection
                .prepare_cached("DELETE FROM node WHERE zone = ?")?
                .execute([zone])?;
            for node in image.iter().filter(|node| !node.is_empty()) {
                put(node)?;
            }
        }
        Extent::Owners(owners) => {
            let mut delete =
                connection.prepare_cached("DELETE FROM node WHERE zone = ? AND key = ?")?;
            for owner in owners {
                match image.node(owner).filter(|node| !node.is_empty()) {
                    Some(node) => put(node)?,
                    None => delete.execute((zone, owner.key().as_bytes()))?,
                };
            }
        }
    }
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO zone (origin, name, revision, digest, records)
             VALUES (?, ?, ?, ?, ?)",
        )?
        .execute((
            zone,
            image.origin().as_wire(),
            i64::try_from(promotion.revision).map_err(damaged)?,
            image.digest().to_string(),
            i64::try_from(image.record_count()).map_err(damaged)?,
        ))?;
    Ok(())
}

/// RRset by RRset: type, TTL, count, then each RDATA behind its length.
fn encode(node: &crate::zone::Node) -> Vec<u8> {
    let mut out = Vec::new();
    for rrset in node.rrsets() {
        out.extend_from_slice(&rrset.rtype().0.to_be_bytes());
        out.extend_from_slice(&rrset.ttl().to_be_bytes());
        out.extend_from_slice(&(rrset.len() as u32).to_be_bytes());
        for rdata in rrset.rdatas() {
            out.extend_from_slice(&(rdata.len() as u16).to_be_bytes());
            out.extend_from_slice(rdata);
        }
    }
    out
}

fn decode(owner: &Name, mut data: &[u8], records: &mut Vec<Record>) -> Option<()> {
    while !data.is_empty() {
        let rtype = Rtype(u16::from_be_bytes(take(&mut data)?));
        let ttl = u32::from_be_bytes(take(&mut data)?);
        for _ in 0..u32::from_be_bytes(take(&mut data)?) {
            let len = usize::from(u16::from_be_bytes(take(&mut data)?));
            let octets = data.get(..len)?;
            data = &data[len..];
            rdata::check(rtype, octets).ok()?;
            records.push(Record {
                owner: owner.clone(),
                rtype,
                ttl,
                rdata: octets.into(),
            });
        }
    }
    Some(())
}

fn take<const N: usize>(data: &mut &[u8]) -> Option<[u8; N]> {
    let (head, tail) = data.split_first_chunk::<N>()?;
    *data = tail;
    Some(*head)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    fn image(last: u8) -> ZoneImage {
        let record = |owner: &str, rtype: Rtype, text: &str| Record {
            owner: name(owner),
            rtype,
            ttl: 60,
            rdata: rdata::from_text(rtype, text).unwrap(),
        };
        ZoneImage::from_records(
            name("Example."),
            [
                record("example.", Rtype::SOA, "ns. h. 1 2 3 4 5"),
                record("example.", Rtype::NS, "ns.example."),
                record("WwW.example.", Rtype::A, &format!("192.0.2.{last}")),
                record("WwW.example.", Rtype::A, "192.0.2.250"),
                record("a.b.example.", Rtype::TXT, "\"x\" \"y\""),
            ],
        )
        .unwrap()
    }

    fn promotion(image: ZoneImage, revision: u64, extent: Extent) -> Promotion {
        Promotion {
            image: Arc::new(image),
            revision,
            extent,
        }
    }

    #[test]
    fn a_zone_comes_back_as_it_was_promoted_whole_or_by_owner() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s.db");
        let mut snapshot = Snapshot::create(&path, &[]).unwrap();
        snapshot
            .promote(
                &[promotion(image(1), 1, Extent::Whole)],
                &[],
                &[("k", "v".into())],
                &[],
            )
            .unwrap();
        let owners = [name("www.example."), name("gone.example.")].into();
        snapshot
            .promote(
                &[promotion(image(2), 2, Extent::Owners(owners))],
                &[],
                &[],
                &[],
            )
            .unwrap();
        snapshot.reserve(&[(name("example."), 1001)]).unwrap();
        drop(snapshot);
        let snapshot = Snapshot::open_existing(&path).unwrap();
        let row = snapshot.zones().unwrap().remove(0);
        assert_eq!((row.revision, row.records), (2, 5));
        let back = snapshot.load(&row).unwrap();
        assert!(crate::zone::Diff::between(&back, &image(2)).is_empty());
        assert!(
            back.node(&name("www.example."))
                .unwrap()
                .name()
                .same_spelling(&name("WwW.example."))
        );
        assert_eq!(snapshot.value("k").unwrap().as_deref(), Some("v"));
        assert_eq!(snapshot.ceilings().unwrap()[&name("example.")], 1001);
    }

    #[test]
    fn a_snapshot_that_does_not_add_up_is_not_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s.db");
        let mut snapshot = Snapshot::create(&path, &[]).unwrap();
        snapshot
            .promote(&[promotion(image(1), 1, Extent::Whole)], &[], &[], &[])
            .unwrap();
        let row = snapshot.zones().unwrap().remove(0);
        snapshot
            .connection
            .execute(
                "DELETE FROM node WHERE key = ?",
                [name("www.example.").key().as_bytes()],
            )
            .unwrap();
        assert!(matches!(snapshot.load(&row), Err(StoreError::Damaged(_))));
        snapshot
            .connection
            .execute("UPDATE node SET data = x'0001'", [])
            .unwrap();
        assert!(matches!(snapshot.load(&row), Err(StoreError::Damaged(_))));
        snapshot
            .promote(&[], &[name("example.")], &[], &[])
            .unwrap();
        assert!(snapshot.zones().unwrap().is_empty());
    }

    #[test]
    fn a_snapshot_that_cannot_be_finished_leaves_no_litter() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s.db");
        std::fs::create_dir(dir.path().join("s.db-wal")).unwrap();
        assert!(Snapshot::create(&path, &[]).is_err());
        assert!(!path.exists(), "it would be set aside, once a second");
        std::fs::remove_dir(dir.path().join("s.db-wal")).unwrap();
        // What a crash has left half made is no obstacle, and no snapshot.
        std::fs::write(dir.path().join("s.db.new"), [0; 100]).unwrap();
        Snapshot::create(&path, &[(name("example."), 7)]).unwrap();
        let left: Vec<_> = std::fs::read_dir(dir.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.contains(".new"))
            .collect();
        assert!(left.is_empty(), "{left:?}");
    }

    #[test]
    fn other_files_are_not_taken_for_a_snapshot() {
        let dir = tempfile::tempdir().unwrap();
        let garbage = dir.path().join("garbage");
        std::fs::write(&garbage, [7u8; 5000]).unwrap();
        assert!(Snapshot::open_existing(&garbage).is_err());
        let foreign = dir.path().join("foreign");
        Connection::open(&foreign)
            .unwrap()
            .execute_batch("CREATE TABLE t (x)")
            .unwrap();
        assert!(matches!(
            Snapshot::open_existing(&foreign),
            Err(StoreError::Foreign(_))
        ));
        assert!(matches!(
            Snapshot::open_existing(&dir.path().join("no")),
            Err(StoreError::Gone(_))
        ));
    }
}
