//! Keeping hold of the store: is the database on the path still the one that we write to?
//!
//! A database file that was deleted goes on working for whoever has it open, so that every commit
//! would seem to succeed and be lost. It is therefore looked at before each group.

use std::collections::HashMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::rr::Name;
use crate::store::{Settings, Store, StoreError, Transaction, ZoneRow, faults, set_aside};
use crate::zone::Published;

/// The store, or why there is none.
pub(super) struct Custody {
    settings: Settings,
    store: Option<Store>,
    /// Of the database and of its write-ahead log, as we last had them open.
    file: Option<FileId>,
    log: Option<FileId>,
    agreed: Agreed,
    /// Something was committed since the log was last written back to the database.
    log_grew: bool,
    /// Made anew, and nothing was ever committed to it.
    is_fresh: bool,
    /// A file that turned out not to be ours, and why; looked at again when it changes.
    stranger: Option<(Stamp, Loss)>,
    /// A scrub found pages that are damaged: what is there is to be looked through before it is
    /// written to again.
    is_condemned: bool,
    /// It could not be had when it was last looked for.
    is_missed: bool,
}

/// How rows and images were last known to stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Agreed {
    /// They agree, at this `data_version`.
    At(i64),
    /// They did when something failed: a commit may have gone through or not.
    Lately,
    Never,
}

impl Agreed {
    fn to_compare(self, version: i64) -> Extent {
        match self {
            Agreed::At(agreed) if agreed == version => Extent::Nothing,
            Agreed::At(_) | Agreed::Lately => Extent::Changed,
            Agreed::Never => Extent::Everything,
        }
    }
}

/// Which rows are to be read and compared with what is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// None: nobody else has committed anything.
    Nothing,
    /// Of zones that others have changed, as their own triggers tell.
    Changed,
    Everything,
}

/// The store is not to be had.
#[derive(Debug, Clone)]
pub(super) struct Loss {
    pub reason: String,
    pub mend: String,
}

pub(super) enum Watched {
    /// Nobody but us has committed anything.
    Same,
    /// Somebody else has, or the store was opened anew.
    Changed,
}

type FileId = (u64, u64);
type Stamp = (FileId, u64, [Option<(i64, i64)>; 3]);

fn id(path: &Path) -> Option<FileId> {
    std::fs::metadata(path)
        .ok()
        .map(|meta| (meta.dev(), meta.ino()))
}

fn stamp(path: &Path) -> Option<Stamp> {
    let meta = std::fs::metadata(path).ok()?;
    // What keeps a database from being opened may be one of the files beside it.
    let changed = ["", "-wal", "-shm"].map(|suffix| {
        let meta = std::fs::metadata(beside(path, suffix)).ok()?;
        Some((meta.ctime(), meta.ctime_nsec()))
    });
    Some(((meta.dev(), meta.ino()), meta.size(), changed))
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn mend(path: &Path) -> String {
    format!(
        "# put a whole copy of the database back at {}; serving goes on until then, updates are \
         refused\n# or, to make a new one from what is served: lastgood snapshot restore --all",
        path.display()
    )
}

impl Loss {
    /// Of a store that cannot be opened.
    pub(super) fn at_start(settings: &Settings, error: &StoreError) -> Loss {
        Loss {
            reason: format!("the store is not fit: {error}"),
            mend: error
                .mend()
                .map_or_else(|| mend(&settings.path), str::to_owned),
        }
    }
}

impl Custody {
    pub(super) fn new(settings: Settings, store: Result<Store, Loss>) -> Custody {
        let mut custody = Custody {
            settings,
            store: None,
            file: None,
            log: None,
            agreed: Agreed::Never,
            log_grew: false,
            is_fresh: false,
            stranger: None,
            is_condemned: false,
            is_missed: false,
        };
        match store {
            Ok(store) => custody.take(store),
            Err(loss) => {
                custody.stranger = stamp(&custody.settings.path).map(|stamp| (stamp, loss));
            }
        }
        custody
    }

    /// Makes a new, empty store; what is on the path is set aside.
    pub(super) fn create_anew(&mut self) -> Result<&mut Store, StoreError> {
        self.distrust();
        self.is_condemned = false;
        for (from, to) in set_aside(&self.settings.path)? {
            tracing::warn!(from = %from.display(), to = %to.display(), "store: set aside");
        }
        let store = Store::open(&self.settings)?;
        tracing::warn!(store = %self.settings.path.display(), "store: made a new one");
        self.take(store);
        self.is_fresh = true;
        Ok(self.store.as_mut().expect("taken just now"))
    }

    /// Why there is no store after a start.
    pub(super) fn loss_at_start(&self) -> Loss {
        match &self.stranger {
            Some((_, loss)) => loss.clone(),
            None => self.loss(&self.settings.path, "is gone"),
        }
    }

    /// What brings a store back.
    pub(super) fn mend(&self) -> String {
        mend(&self.settings.path)
    }

    fn take(&mut self, store: Store) {
        self.file = id(&self.settings.path);
        self.log = id(&beside(&self.settings.path, "-wal"));
        self.store = Some(store);
        self.stranger = None;
    }

    pub(super) fn path(&self) -> &Path {
        &self.settings.path
    }

    pub(super) fn store(&mut self) -> Option<&mut Store> {
        self.store.as_mut()
    }

    /// Begins to write, where there is a store: with the `data_version` of its rows, and which of
    /// them are to be compared first.
    pub(super) fn begin(&mut self) -> Result<Option<(Transaction<'_>, i64, Extent)>, StoreError> {
        let agreed = self.agreed;
        let Some(store) = &mut self.store else {
            return Ok(None);
        };
        let tx = store.begin()?;
        let version = tx.data_version()?;
        Ok(Some((tx, version, agreed.to_compare(version))))
    }

    /// Rows and images agree, and `version` is that of the rows.
    pub(super) fn committed(&mut self, version: i64) {
        self.agreed = Agreed::At(version);
        self.log_grew = true;
        self.is_fresh = false;
    }

    /// A new store that failed at once is no reason to make another.
    pub(super) fn is_fresh(&self) -> bool {
        self.is_fresh
    }

    /// Writes the log back into the database while nobody waits for an answer.
    pub(super) fn checkpoint_when_due(&mut self) {
        if let Some(store) = &self.store
            && std::mem::take(&mut self.log_grew)
            && let Err(error) = store.checkpoint()
        {
            tracing::warn!(store = %self.settings.path.display(), "store: checkpoint: {error}");
        }
    }

    pub(super) fn close(&mut self) {
        if let Some(store) = self.store.take()
            && let Err(error) = store.close()
        {
            tracing::error!(store = %self.settings.path.display(), "store: {error}");
        }
    }

    /// What this connection believes is not to be trusted, nor what lies on disk.
    pub(super) fn distrust(&mut self) {
        self.store = None;
        self.agreed = Agreed::Never;
    }

    /// What this connection believes is not to be trusted: it is opened anew, with no page of before
    /// in its cache.
    pub(super) fn let_go(&mut self) {
        self.store = None;
        if self.agreed != Agreed::Never {
            self.agreed = Agreed::Lately;
        }
    }

    /// The database cannot be read, or only with damage: it is not opened again before its files
    /// have changed.
    pub(super) fn condemn(&mut self, damage: &str) -> Loss {
        self.distrust();
        self.is_condemned = true;
        let path = self.settings.path.clone();
        let loss = self.loss(&path, &format!("is damaged: {damage}"));
        self.stranger = stamp(&path).map(|stamp| (stamp, loss.clone()));
        loss
    }

    /// What an error is to be taken for: with the index of the log cut short, what looked like damage
    /// was none.
    pub(super) fn cause(&self, error: StoreError) -> StoreError {
        match (&self.store, error) {
            (Some(store), StoreError::Damaged(_)) if store.is_doubtful() => {
                StoreError::Truncated(beside(&self.settings.path, "-shm"))
            }
            (_, error) => error,
        }
    }

    /// Whether there is a store, and its files are where they were.
    pub(super) fn is_in_place(&self) -> bool {
        let store = self.store.as_ref();
        store.is_some_and(|store| store.check_identity().is_ok())
    }

    pub(super) fn is_condemned(&self) -> bool {
        self.is_condemned
    }

    /// A scrub has found nothing wrong with what was damaged before.
    pub(super) fn pardon(&mut self) {
        (self.is_condemned, self.stranger) = (false, None);
    }

    /// Looks whether the store is there and whether others have changed it.
    pub(super) fn watch(&mut self, published: &Published) -> Result<Watched, Loss> {
        if let Some(store) = &self.store {
            match store.check_identity().and_then(|()| store.data_version()) {
                Ok(version) if self.agreed == Agreed::At(version) && !store.is_doubtful() => {
                    return Ok(Watched::Same);
                }
                Ok(_) => return Ok(Watched::Changed),
                Err(error) => {
                    tracing::error!(store = %self.settings.path.display(), "store: {error}");
                    self.distrust();
                }
            }
        }
        let opened = self.reopen(published);
        self.is_missed = opened.is_err();
        opened.map(|()| Watched::Changed)
    }

    fn reopen(&mut self, published: &Published) -> Result<(), Loss> {
        let path = self.settings.path.clone();
        let Some(now) = stamp(&path) else {
            return Err(self.loss(&path, "is gone"));
        };
        if now.1 == 0 {
            return Err(self.loss(&path, "is empty"));
        }
        if let Some((seen, loss)) = &self.stranger
            && *seen == now
        {
            return Err(loss.clone());
        }
        let ours = self.file == Some(now.0);
        if !ours {
            self.set_log_aside(&path);
        }
        let outcome = Store::open_existing(&self.settings)
            .and_then(|store| self.look_through(store))
            .map_err(|error| (error.to_string(), error.mend().map(str::to_owned)))
            .and_then(|store| match ours || published.zones().next().is_none() {
                true => Ok(store),
                false => same_zones(&store, published)
                    .map(|()| store)
                    .map_err(|why| (why, None)),
            });
        match outcome {
            Ok(store) => {
                if self.is_missed || !ours {
                    tracing::info!(store = %path.display(), "store: opened again");
                }
                if !ours {
                    self.agreed = Agreed::Never;
                }
                self.take(store);
                self.is_condemned = false;
                Ok(())
            }
            Err((why, mend)) => {
                let mut loss = self.loss(&path, &format!("is not fit: {why}"));
                loss.mend = mend.unwrap_or(loss.mend);
                self.stranger = stamp(&path).map(|stamp| (stamp, loss.clone()));
                Err(loss)
            }
        }
    }

    /// A database that was damaged is believed again when there is no damage left.
    fn look_through(&self, store: Store) -> Result<Store, StoreError> {
        match self.is_condemned {
            false => Ok(store),
            true => match faults(&self.settings)?.first() {
                None => Ok(store),
                Some(fault) => Err(StoreError::Damaged(fault.clone())),
            },
        }
    }

    /// A log that belongs to another file would be played into the one on the path.
    fn set_log_aside(&self, path: &Path) {
        for suffix in ["-wal", "-shm"] {
            let log = beside(path, suffix);
            let is_ours = suffix == "-shm" || id(&log) == self.log;
            if self.log.is_none() || !is_ours || !log.exists() {
                continue;
            }
            let now = jiff::Timestamp::now().as_millisecond();
            let aside = beside(path, &format!("{suffix}.aside-{now}"));
            match std::fs::rename(&log, &aside) {
                Ok(()) => tracing::warn!(
                    from = %log.display(), to = %aside.display(),
                    "store: set aside the log of the database that was replaced"
                ),
                Err(error) => tracing::error!(file = %log.display(), "store: {error}"),
            }
        }
    }

    fn loss(&self, path: &Path, what: &str) -> Loss {
        Loss {
            reason: format!("the database {} {what}", path.display()),
            mend: mend(path),
        }
    }
}

/// Whether a database that appeared in place of ours holds exactly what is served.
fn same_zones(store: &Store, published: &Published) -> Result<(), String> {
    let zones = store
        .zones()
        .map_err(|error: StoreError| error.to_string())?;
    let rows: HashMap<&Name, &ZoneRow> = zones.rows.iter().map(|row| (&row.origin, row)).collect();
    for served in published.zones() {
        let Some(zone) = served.zone() else { continue };
        let origin = zone.image.origin();
        let row = rows
            .get(origin)
            .ok_or_else(|| format!("it does not know the zone {origin}"))?;
        if row.revision != zone.revision || row.digest != zone.image.digest() {
            return Err(format!(
                "it has revision {} of {origin}, and revision {} is served",
                row.revision, zone.revision
            ));
        }
    }
    Ok(())
}
