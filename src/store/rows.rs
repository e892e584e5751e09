//! Reading what lies in the tables. Anybody may have written there: a row that is no record becomes
//! a [`BadRow`] with its reason, never a panic and never a zone that is silently smaller.

use std::collections::{BTreeSet, HashSet};

use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row, Rows};

use super::{StoreError, TTL_MAX};
use crate::rr::{Name, Record, RrSet, Rtype, rdata};
use crate::zone::Digest;

/// A row of the table `record` that is no record of its zone. Texts are cut when they are long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadRow {
    pub id: i64,
    pub owner: String,
    pub rtype: String,
    pub rdata: String,
    pub reason: String,
}

impl std::fmt::Display for BadRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "row {} ({} {} {}): {}",
            self.id, self.owner, self.rtype, self.rdata, self.reason
        )
    }
}

/// What the rows of a zone add up to: of those that are records, and how many are none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Content {
    pub digest: Digest,
    pub bad: usize,
}

/// What the rows of a zone say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Loaded {
    pub records: Vec<Record>,
    pub bad: Vec<BadRow>,
    /// Owners, as they were written, whose rows somebody else changed.
    pub touched: Vec<String>,
    /// RRsets whose rows differ in TTL; the lowest counts (RFC 2181 §5.2).
    pub mixed_ttls: Vec<(Name, Rtype)>,
}

/// (scope, since when in Unix seconds, reason, actor)
pub type FreezeRow = (String, u64, String, String);

/// Octets that the longest RDATA could take as text, every one written `\DDD`, with room for quotes.
const TEXT_OCTETS_MAX: usize = 65_535 * 6;
/// Of a text that is shown to a person.
pub(super) const SHOWN_CHARS_MAX: usize = 200;
/// Rows that no zone serves which are told of.
const STRAYS_MAX: i64 = 100;

pub(super) fn data_version(connection: &Connection) -> Result<i64, StoreError> {
    Ok(connection
        .prepare_cached("PRAGMA data_version")?
        .query_row([], |row| row.get(0))?)
}

pub(super) fn load(connection: &Connection, zone: &Name) -> Result<Loaded, StoreError> {
    let mut loaded = Loaded::default();
    let mut statement = connection.prepare_cached(
        "SELECT id, owner, ttl, type, rdata FROM record WHERE zone = ? ORDER BY owner, type",
    )?;
    loaded.take(statement.query([zone.to_string()])?, zone)?;
    loaded.touched = touched(connection, zone)?;
    Ok(loaded)
}

/// The rows of those owners that somebody else changed, however their names are written, and those
/// `beside` them.
pub(super) fn load_touched(
    connection: &Connection,
    zone: &Name,
    beside: &BTreeSet<String>,
) -> Result<Loaded, StoreError> {
    let touched = touched(connection, zone)?;
    let mut loaded = Loaded::default();
    let origin = zone.to_string();
    // In SQL, because an owner that is not even text is to be found as well.
    let mut statement = connection.prepare_cached(
        "SELECT id, owner, ttl, type, rdata FROM record
         WHERE zone = ?1 AND owner IN (SELECT owner FROM touched WHERE zone = ?1)
         ORDER BY owner, type",
    )?;
    loaded.take(statement.query([&origin])?, zone)?;
    let written: HashSet<String> = touched.iter().map(|t| t.to_ascii_lowercase()).collect();
    let ours = touched.iter().chain(beside);
    let ours = ours.filter_map(|text| Some(text.parse::<Name>().ok()?.to_string()));
    let others: BTreeSet<String> = beside
        .iter()
        .cloned()
        .chain(ours)
        .map(|text| text.to_ascii_lowercase())
        .filter(|text| !written.contains(text))
        .collect();
    let mut statement = connection.prepare_cached(
        "SELECT id, owner, ttl, type, rdata FROM record WHERE zone = ? AND owner = ? ORDER BY type",
    )?;
    for owner in others {
        loaded.take(statement.query((&origin, owner))?, zone)?;
    }
    loaded.touched = touched;
    Ok(loaded)
}

/// What the rows of a zone add up to, read one after another, and how many records there are.
pub(super) fn content(connection: &Connection, zone: &Name) -> Result<(Content, u64), StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT id, owner, ttl, type, rdata FROM record WHERE zone = ? ORDER BY owner, type",
    )?;
    let mut rows = statement.query([zone.to_string()])?;
    let (mut reader, mut content, mut count) = (Reader::default(), Content::default(), 0);
    let mut rrset: Vec<Record> = Vec::new();
    while let Some(row) = rows.next()? {
        let Ok(record) = reader.record(row, zone) else {
            content.bad += 1;
            continue;
        };
        count += 1;
        let is_next = rrset
            .first()
            .is_some_and(|first| first.rtype != record.rtype || first.owner != record.owner);
        if is_next {
            add(&mut content.digest, &rrset);
            rrset.clear();
        }
        rrset.push(record);
    }
    add(&mut content.digest, &rrset);
    Ok((content, count))
}

/// Reads a zone's rows RRset by RRset, each with its owner as it is written, where that is text;
/// without an RRset where a row is no record. Ends when `take` says no more.
pub(super) fn each_rrset(
    connection: &Connection,
    zone: &Name,
    mut take: impl FnMut(Option<&str>, Option<(&Name, RrSet)>) -> bool,
) -> Result<(), StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT id, owner, ttl, type, rdata FROM record WHERE zone = ? ORDER BY owner, type",
    )?;
    let mut rows = statement.query([zone.to_string()])?;
    let mut reader = Reader::default();
    let mut rrset: Vec<Record> = Vec::new();
    let mut written = String::new();
    while let Some(row) = rows.next()? {
        let Ok(record) = reader.record(row, zone) else {
            if !take(row.get_ref(1)?.as_str().ok(), None) {
                return Ok(());
            }
            continue;
        };
        let is_next = rrset
            .first()
            .is_none_or(|first| first.rtype != record.rtype || first.owner != record.owner);
        if is_next {
            if !give(&mut take, &written, &rrset) {
                return Ok(());
            }
            rrset.clear();
            written = shown(row.get_ref(1)?, usize::MAX);
        }
        rrset.push(record);
    }
    give(&mut take, &written, &rrset);
    Ok(())
}

fn give(
    take: &mut impl FnMut(Option<&str>, Option<(&Name, RrSet)>) -> bool,
    written: &str,
    records: &[Record],
) -> bool {
    let Some(first) = records.first() else {
        return true;
    };
    take(
        Some(written),
        rrset_of(records).map(|rrset| (&first.owner, rrset)),
    )
}

/// As in an image: the lowest TTL counts (RFC 2181 §5.2), and what is there twice counts once.
fn add(digest: &mut Digest, records: &[Record]) {
    if let Some(rrset) = rrset_of(records) {
        digest.add(&records[0].owner, &rrset);
    }
}

fn rrset_of(records: &[Record]) -> Option<RrSet> {
    let ttl = records.iter().map(|record| record.ttl).min()?;
    RrSet::new(
        records[0].rtype,
        ttl,
        records.iter().map(|record| &record.rdata),
    )
}

/// Zones of which somebody else changed rows, as they were written.
pub(super) fn touched_zones(connection: &Connection) -> Result<Vec<String>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT DISTINCT zone FROM touched")?;
    let mut rows = statement.query([])?;
    let mut zones = Vec::new();
    while let Some(row) = rows.next()? {
        zones.push(shown(row.get_ref(0)?, usize::MAX));
    }
    Ok(zones)
}

impl Loaded {
    fn take(&mut self, mut rows: Rows<'_>, zone: &Name) -> Result<(), StoreError> {
        let mut reader = Reader::default();
        while let Some(row) = rows.next()? {
            match reader.record(row, zone) {
                Ok(record) => {
                    self.note_ttl(&record);
                    self.records.push(record);
                }
                Err(reason) => self.bad.push(bad_row(row, reason)?),
            }
        }
        Ok(())
    }

    /// Rows come RRset by RRset.
    fn note_ttl(&mut self, record: &Record) {
        let Some(last) = self.records.last() else {
            return;
        };
        let same_rrset = last.rtype == record.rtype && last.owner == record.owner;
        if same_rrset && last.ttl != record.ttl {
            let rrset = (record.owner.clone(), record.rtype);
            if self.mixed_ttls.last() != Some(&rrset) {
                self.mixed_ttls.push(rrset);
            }
        }
    }
}

pub(super) fn touched(connection: &Connection, zone: &Name) -> Result<Vec<String>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT owner FROM touched WHERE zone = ?")?;
    let mut rows = statement.query([zone.to_string()])?;
    let mut owners = Vec::new();
    while let Some(row) = rows.next()? {
        owners.push(shown(row.get_ref(0)?, usize::MAX));
    }
    Ok(owners)
}

pub(super) fn strays(connection: &Connection) -> Result<Vec<BadRow>, StoreError> {
    // From zone to zone along the index, not from row to row.
    let mut statement = connection.prepare_cached(
        "WITH RECURSIVE named(zone) AS (
             SELECT min(zone) FROM record
             UNION ALL
             SELECT (SELECT min(zone) FROM record WHERE record.zone > named.zone)
               FROM named WHERE named.zone IS NOT NULL)
         SELECT id, owner, ttl, type, rdata, zone FROM record
         WHERE zone IN (SELECT zone FROM named EXCEPT SELECT origin FROM zone)
         LIMIT ?",
    )?;
    let mut rows = statement.query([STRAYS_MAX])?;
    let mut strays = Vec::new();
    while let Some(row) = rows.next()? {
        let zone = shown(row.get_ref(5)?, SHOWN_CHARS_MAX);
        let reason = match zone.ends_with('.') {
            true => format!("there is no zone {zone}"),
            false => format!("there is no zone {zone}; zones end in a dot"),
        };
        strays.push(bad_row(row, reason)?);
    }
    Ok(strays)
}

pub(super) fn freezes(connection: &Connection) -> Result<Vec<FreezeRow>, StoreError> {
    let mut statement =
        connection.prepare_cached("SELECT scope, since_unix, reason, actor FROM freeze")?;
    // What a person froze is frozen, however the reason is written.
    let text = |row: &Row, column| row.get_ref(column).map(|text| shown(text, usize::MAX));
    let rows = statement.query_map([], |row| {
        let since: i64 = row.get(1)?;
        let since = u64::try_from(since).unwrap_or_default();
        Ok((text(row, 0)?, since, text(row, 2)?, text(row, 3)?))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Reads rows (id, owner, ttl, type, rdata); keeps the last owner and type, which the next row
/// mostly has too.
#[derive(Default)]
pub(super) struct Reader {
    owner: Option<(String, Name)>,
    rtype: Option<(String, Rtype)>,
}

impl Reader {
    pub fn record(&mut self, row: &Row, zone: &Name) -> Result<Record, String> {
        let owner = text(row, 1, "owner")?;
        let ttl = match row.get_ref(2) {
            Ok(ValueRef::Integer(ttl)) => u32::try_from(ttl)
                .ok()
                .filter(|ttl| *ttl <= TTL_MAX)
                .ok_or_else(|| format!("the TTL {ttl} is not within 0 and {TTL_MAX}"))?,
            _ => return Err("the TTL is not a number".to_owned()),
        };
        let rtype = text(row, 3, "type")?;
        let data = text(row, 4, "rdata")?;
        let owner = match &self.owner {
            Some((text, name)) if text == owner => name.clone(),
            _ => {
                let name = owner_name(owner)?;
                self.owner = Some((owner.to_owned(), name.clone()));
                name
            }
        };
        if !owner.is_at_or_below(zone) {
            return Err(format!("{owner} is outside the zone {zone}"));
        }
        let rtype = match self.rtype {
            Some((ref text, known)) if text == rtype => known,
            _ => {
                let known: Rtype = rtype.parse().map_err(|_| not_a_type(rtype))?;
                self.rtype = Some((rtype.to_owned(), known));
                known
            }
        };
        let rdata = rdata::from_text(rtype, data).map_err(|error| error.to_string())?;
        Ok(Record {
            owner,
            rtype,
            ttl,
            rdata,
        })
    }
}

fn not_a_type(text: &str) -> String {
    let shown: String = text.chars().take(SHOWN_CHARS_MAX).collect();
    format!("{shown:?} is not a record type")
}

fn owner_name(text: &str) -> Result<Name, String> {
    // `www` would otherwise be taken for a name below the root.
    if !text.ends_with('.') {
        return Err("the owner does not end in a dot: owners are absolute".to_owned());
    }
    text.parse()
        .map_err(|error| format!("the owner is not a name: {error}"))
}

fn text<'r>(row: &'r Row, column: usize, what: &str) -> Result<&'r str, String> {
    match row.get_ref(column) {
        Ok(ValueRef::Text(octets)) if octets.len() > TEXT_OCTETS_MAX => {
            Err(format!("the {what} is longer than any can be"))
        }
        Ok(ValueRef::Text(octets)) => {
            std::str::from_utf8(octets).map_err(|_| format!("the {what} is not text"))
        }
        _ => Err(format!("the {what} is not text")),
    }
}

fn bad_row(row: &Row, reason: String) -> Result<BadRow, StoreError> {
    Ok(BadRow {
        id: row.get(0)?,
        owner: shown(row.get_ref(1)?, SHOWN_CHARS_MAX),
        rtype: shown(row.get_ref(3)?, SHOWN_CHARS_MAX),
        rdata: shown(row.get_ref(4)?, SHOWN_CHARS_MAX),
        reason,
    })
}

/// Any value as text for a person.
pub(super) fn shown(value: ValueRef, chars_max: usize) -> String {
    match value {
        ValueRef::Null => "NULL".to_owned(),
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(number) => number.to_string(),
        ValueRef::Text(octets) => cut(octets, chars_max),
        ValueRef::Blob(octets) => format!("a blob of {} octets", octets.len()),
    }
}

pub(super) fn cut(octets: &[u8], chars_max: usize) -> String {
    // Four octets a character at most, so that a gigabyte is not copied to be cut.
    let head = &octets[..octets.len().min(chars_max.saturating_mul(4))];
    let text = String::from_utf8_lossy(head);
    match text.char_indices().nth(chars_max) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None if head.len() < octets.len() => format!("{text}…"),
        None => text.into_owned(),
    }
}
