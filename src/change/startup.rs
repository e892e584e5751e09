//! What is served after a start: the live data where they are fit, else the snapshot.

use std::collections::{BTreeSet, HashMap};

use super::account;
use super::board::{Board, LastRefusal, LastUpdate};
use super::custody::Loss;
use super::policy::{self, ZonePolicy};
use super::reconcile::Desk;
use super::repair;
use super::turn::Turn;
use crate::check::{self, Limits, Severity};
use crate::guard::Actor;
use crate::guard::{Freeze, FreezeScope};
use crate::publish::Since;
use crate::rr::Name;
use crate::store::{
    Accepted, AuditRow, FreezeRow, History, Settings, Snapshot, SnapshotRow, Store, StoreError,
    Transaction, ZoneRow,
};
use crate::zone::{Digest, ServedZone, ZoneImage};

/// Puts on the board what came of the last changes before the stop: whoever was refused then may
/// ask for the reason now.
pub(super) fn recall(settings: &Settings, board: &Board) {
    if let Err(error) = recall_rows(settings, board) {
        tracing::warn!("which changes were the last ones is not known: {error}");
    }
}

fn recall_rows(settings: &Settings, board: &Board) -> Result<(), StoreError> {
    let history = History::open(settings)?;
    let zone = |row: &AuditRow| {
        let zone = row.zone.as_deref().map(str::parse).transpose();
        zone.ok().flatten().unwrap_or_else(Name::root)
    };
    for row in history.last_commits()? {
        let (zone, at) = (zone(&row), account::utc(row.at_unix_us));
        let (reference, actor) = (row.reference, row.actor);
        board.note_update(
            &zone,
            LastUpdate {
                reference,
                at,
                actor,
            },
        );
    }
    for row in history.last_refusals()? {
        let zone = zone(&row);
        let key = row.actor.strip_prefix("key ");
        let actor = Actor {
            key: key.and_then(|key| key.parse().ok()),
            name: row.actor,
        };
        let refusal = LastRefusal {
            reference: row.reference,
            at: account::utc(row.at_unix_us),
            actor: actor.name.clone(),
            rule: row.rule.unwrap_or_default(),
            reason: row.reason,
        };
        board.note_refusal(&zone, &actor, refusal);
    }
    Ok(())
}

/// The two files as they were found.
pub(super) struct Opened {
    pub store: Result<Store, Loss>,
    pub snapshot: Option<Snapshot>,
    /// There is a snapshot, and it cannot be read.
    pub snapshot_unfit: bool,
}

/// Opens store and snapshot. A store is created only where neither was ever seen.
pub(super) fn open(settings: &Settings, had_store: bool) -> Opened {
    let was_there = Snapshot::is_there(&settings.snapshot);
    if !was_there {
        // Now or never: while running, a folder that is gone was moved away, and may come back.
        make_folders(settings);
    }
    let snapshot = match Snapshot::open_existing(&settings.snapshot) {
        Ok(snapshot) => Some(snapshot),
        Err(error) if was_there => {
            tracing::error!(snapshot = %settings.snapshot.display(), "snapshot: {error}");
            None
        }
        Err(_) => None,
    };
    let store = match was_there || had_store {
        true => Store::open_existing(settings),
        false => Store::open(settings),
    };
    let store = store.map_err(|error| {
        tracing::error!(store = %settings.path.display(), "store: {error}");
        Loss::at_start(settings, &error)
    });
    Opened {
        store,
        snapshot_unfit: was_there && snapshot.is_none(),
        snapshot,
    }
}

fn make_folders(settings: &Settings) {
    for file in [&settings.path, &settings.snapshot] {
        let folder = file
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        if let Some(folder) = folder
            && let Err(error) = std::fs::create_dir_all(folder)
        {
            tracing::error!(folder = %folder.display(), "cannot be made: {error}");
        }
    }
}

/// A snapshot that lags by more revisions is written anew.
const REVISIONS_MAX: u64 = 10_000;

/// A version of a zone that was fit when it was served.
pub(super) struct LastGood {
    pub image: ZoneImage,
    pub revision: u64,
}

/// The snapshot, to be asked for one zone after another.
#[derive(Default)]
pub(super) struct Keepsake {
    snapshot: Option<Snapshot>,
    rows: HashMap<Name, SnapshotRow>,
    pub ceilings: HashMap<Name, u32>,
    policies: Option<String>,
    freezes: Option<String>,
    lost: Option<String>,
}

impl Keepsake {
    /// Reads what is small; an error in any of it makes the whole snapshot unfit.
    pub(super) fn read(snapshot: Option<Snapshot>) -> Result<Keepsake, StoreError> {
        let Some(snapshot) = snapshot else {
            return Ok(Keepsake::default());
        };
        let rows = snapshot.zones()?;
        Ok(Keepsake {
            rows: rows
                .into_iter()
                .map(|row| (row.origin.clone(), row))
                .collect(),
            ceilings: snapshot.ceilings()?,
            policies: snapshot.value("policies")?,
            freezes: snapshot.value("freezes")?,
            lost: snapshot.value("lost")?,
            snapshot: Some(snapshot),
        })
    }

    pub(super) fn zones(&self) -> impl Iterator<Item = &Name> {
        self.rows.keys()
    }

    /// The policies in force when it was written.
    pub(super) fn policies(&self) -> Vec<ZonePolicy> {
        self.policies
            .as_deref()
            .map_or_else(Vec::new, policy::from_json)
    }

    pub(super) fn is_there(&self) -> bool {
        self.snapshot.is_some()
    }

    /// Zones of which everything was lost once, and that nobody has brought back.
    pub(super) fn lost(&self) -> BTreeSet<Name> {
        let names = self.lost.as_deref().map(serde_json::from_str);
        names.and_then(Result::ok).unwrap_or_default()
    }

    /// Updates whose changes it has.
    pub(super) fn accepted(&self) -> Result<Vec<Accepted>, StoreError> {
        let snapshot = self.snapshot.as_ref();
        snapshot.map_or_else(|| Ok(Vec::new()), Snapshot::accepted)
    }

    /// The freezes in force when it was written.
    pub(super) fn freezes(&self) -> Vec<Freeze> {
        self.freezes.as_deref().map_or_else(Vec::new, |text| {
            serde_json::from_str(text).unwrap_or_else(|error| {
                tracing::error!("the freezes kept in the snapshot cannot be read: {error}");
                Vec::new()
            })
        })
    }

    pub(super) fn digest(&self, zone: &Name) -> Option<Digest> {
        self.rows.get(zone).map(|row| row.digest)
    }

    pub(super) fn revision(&self, zone: &Name) -> Option<u64> {
        self.rows.get(zone).map(|row| row.revision)
    }

    /// The owners that changed in a zone since the revision that the snapshot has, as far as the store
    /// tells.
    pub(super) fn since(
        &self,
        tx: &Transaction<'_>,
        zone: &ServedZone,
    ) -> Result<Option<Since>, StoreError> {
        let origin = zone.image.origin();
        let Some(row) = self.rows.get(origin) else {
            return Ok(None);
        };
        let is_known = (1..=REVISIONS_MAX).contains(&zone.revision.saturating_sub(row.revision));
        let last = match is_known {
            true => tx.revision(origin, row.revision)?,
            false => None,
        };
        if last.is_none_or(|last| last.digest != row.digest.to_string()) {
            return Ok(None);
        }
        let mut since = Since {
            revision: row.revision,
            owners: BTreeSet::new(),
        };
        for number in row.revision + 1..=zone.revision {
            let Some(revision) = tx.revision(origin, number)? else {
                return Ok(None);
            };
            let changes = revision.changes()?.into_iter();
            since.owners.extend(changes.map(|(owner, ..)| owner));
        }
        Ok(Some(since))
    }

    /// The zone as the snapshot has it, if it adds up and is fit to be served.
    pub(super) fn last_good(&self, zone: &Name, limits: &Limits) -> Option<LastGood> {
        let row = self.rows.get(zone)?;
        let image = match self.snapshot.as_ref()?.load(row) {
            Ok(image) => image,
            Err(error) => {
                tracing::error!(%zone, "snapshot: {error}");
                return None;
            }
        };
        let findings = check::full(&image, limits);
        if let Some(fatal) = findings.iter().find(|f| f.severity == Severity::Fatal) {
            tracing::error!(%zone, "snapshot: {fatal}");
            return None;
        }
        Some(LastGood {
            image,
            revision: row.revision,
        })
    }
}

/// The row of a zone as it was when it was last committed, by the history.
pub(super) fn as_committed(
    tx: &Transaction<'_>,
    origin: &Name,
) -> Result<Option<ZoneRow>, StoreError> {
    let last = tx.last_revision(origin)?.filter(|last| !last.is_removal);
    Ok(last.and_then(|last| {
        Some(ZoneRow {
            origin: origin.clone(),
            revision: last.number,
            serial: last.serial,
            digest: last.digest.parse().ok()?,
        })
    }))
}

/// Brings a version of the snapshot up to a later revision by the diffs that the store has of those
/// between: what was acknowledged in the last second before a crash is not in the snapshot yet.
pub(super) fn replay(
    tx: &Transaction<'_>,
    good: LastGood,
    up_to: u64,
) -> Result<LastGood, StoreError> {
    let mut editor = good.image.edit();
    let origin = good.image.origin().clone();
    for number in good.revision + 1..=up_to {
        // One that cannot be read is as good as none.
        let readable = |error| match error {
            StoreError::Damaged(_) => Ok(None),
            error => Err(error),
        };
        let Some(row) = tx.revision(&origin, number).or_else(readable)? else {
            return Ok(good);
        };
        let Ok(changes) = row.changes() else {
            return Ok(good);
        };
        for (owner, rtype, after) in changes {
            if editor.set(&owner, rtype, after).is_err() {
                return Ok(good);
            }
        }
        if editor.image().digest().to_string() != row.digest {
            return Ok(good);
        }
    }
    Ok(LastGood {
        image: editor.finish().0,
        revision: up_to,
    })
}

/// Serves a zone from the snapshot while its live data are not fit.
pub(super) fn hold_on(turn: &mut Turn, good: LastGood, reason: &str, mend: String) {
    let origin = good.image.origin().clone();
    turn.serve(good.image, good.revision);
    turn.hold(&origin, reason, mend);
}

/// A zone whose live data cannot be had at all.
pub(super) fn without_rows(
    desk: &Desk<'_>,
    turn: &mut Turn,
    zone: &Name,
    reason: &str,
    mend: &str,
) {
    match desk.keepsake.last_good(zone, &desk.policy.limits) {
        Some(good) => {
            let mend = format!("{mend}\n{}", repair::restore_hint(zone));
            hold_on(turn, good, reason, mend);
        }
        None => {
            let reason = format!("{reason}, and the snapshot has no version fit to be served");
            turn.hold(zone, &reason, mend.to_owned());
        }
    }
}

/// Those of the store, and those that only the snapshot has, which the store takes over.
/// Adds those of the store that are not in force.
pub(super) fn add_freezes(
    tx: &Transaction<'_>,
    freezes: &mut Vec<Freeze>,
) -> Result<(), StoreError> {
    let (stored, _) = read_freezes(tx.freezes()?);
    for freeze in stored {
        if !freezes.iter().any(|known| known.scope == freeze.scope) {
            freezes.push(freeze);
        }
    }
    Ok(())
}

pub(super) fn all_freezes(
    tx: &Transaction<'_>,
    keepsake: &Keepsake,
) -> Result<Vec<Freeze>, StoreError> {
    // What cannot be read is told of; where it was in force, the snapshot still has it.
    let (mut freezes, _) = read_freezes(tx.freezes()?);
    for freeze in keepsake.freezes() {
        if freezes.iter().any(|known| known.scope == freeze.scope) {
            continue;
        }
        let scope = freeze.scope.to_string();
        tracing::warn!("the store had lost a freeze: {scope} by {}", freeze.actor);
        tx.set_freeze(&scope, &freeze.reason, &freeze.actor, freeze.since_unix)?;
        freezes.push(freeze);
    }
    Ok(freezes)
}

/// Those that can be read, and the others as they are written.
fn read_freezes(rows: Vec<FreezeRow>) -> (Vec<Freeze>, Vec<(String, String)>) {
    let (mut freezes, mut odd) = (Vec::new(), Vec::new());
    for (text, since_unix, reason, actor) in rows {
        match text.parse::<FreezeScope>() {
            Ok(scope) => freezes.push(Freeze {
                scope,
                since_unix,
                reason,
                actor,
            }),
            Err(error) => odd.push((text, error.to_string())),
        }
    }
    (freezes, odd)
}

/// What is told of freezes in the store that freeze nothing.
pub(super) fn odd_freezes(path: &std::path::Path, rows: Vec<FreezeRow>) -> Vec<String> {
    let (_, odd) = read_freezes(rows);
    let told = odd.into_iter().map(|(text, error)| {
        let mend = repair::odd_freeze(path, &text);
        format!("a row of the table freeze freezes nothing: {error}; {mend}")
    });
    told.collect()
}
