//! Where no server runs: reading the store under its lock, and changing it as a server would.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use anyhow::Context;

use super::control::{Control, ControlError};
use crate::config::Config;
use crate::server::{self, Indoors, StoreLock};
use crate::store::{History, Store};

/// Where an answer is to be had.
pub(super) enum Source {
    Server(Control),
    /// No server runs, and none may start while this is held.
    Store(StoreLock),
}

/// Where an answer about the snapshot is to be had.
pub(super) enum SnapshotSource {
    Server(Control),
    File(StoreLock),
}

/// The running server, or the right to read the store of one that does not run.
pub(super) fn source(config: &Config) -> anyhow::Result<Source> {
    Ok(match server_or_lock(config, &[&config.store.path])? {
        Ok(control) => Source::Server(control),
        Err(lock) => Source::Store(lock),
    })
}

/// As [`source`], for the snapshot file.
pub(super) fn snapshot_source(config: &Config) -> anyhow::Result<SnapshotSource> {
    Ok(match server_or_lock(config, &[&config.store.snapshot])? {
        Ok(control) => SnapshotSource::Server(control),
        Err(lock) => SnapshotSource::File(lock),
    })
}

/// Lets `ask` speak to the running server, or to one without doors that goes on no longer than
/// that. There must be something to change: store or snapshot.
pub(super) fn with_server<T>(
    config: &Config,
    ask: impl FnOnce(&Path) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let files = [&*config.store.path, &config.store.snapshot];
    asking(config, server_or_lock(config, &files)?, ask)
}

/// As [`with_server`], where there may be nothing yet.
pub(super) fn with_server_or_anew<T>(
    config: &Config,
    ask: impl FnOnce(&Path) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    asking(config, server_or_lock(config, &[])?, ask)
}

fn asking<T>(
    config: &Config,
    found: Result<Control, StoreLock>,
    ask: impl FnOnce(&Path) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let socket = &config.admin.socket;
    let lock = match found {
        Ok(control) => {
            drop(control);
            return ask(socket);
        }
        Err(lock) => lock,
    };
    let _logs = server::init_quiet_logging();
    let indoors = Indoors::open(config, lock)?;
    let answer = ask(socket);
    indoors.stop();
    answer
}

/// The running server, or else the lock. Where one of `files` must be there, and none is, that is
/// told as well.
fn server_or_lock(config: &Config, files: &[&Path]) -> anyhow::Result<Result<Control, StoreLock>> {
    match Control::open(&config.admin.socket) {
        Ok(control) => Ok(Ok(control)),
        Err(error @ ControlError::NoServer(_)) => {
            if let Some(first) = files.first()
                && !files.iter().any(|file| file.exists())
            {
                anyhow::bail!("{error}, and there is nothing at {}", first.display());
            }
            must_be_owner(config)?;
            let lock = StoreLock::take(&config.store.path).context(error)?;
            Ok(Err(lock))
        }
        Err(error) => Err(error.into()),
    }
}

/// Files that root leaves beside another user's store keep that user's server from starting.
fn must_be_owner(config: &Config) -> anyhow::Result<()> {
    let user = nix::unistd::geteuid();
    let store = &config.store.path;
    let owner = |path: &Path| std::fs::metadata(path).ok().map(|found| found.uid());
    let folder = || store.parent().and_then(owner).filter(|_| user.is_root());
    let owner = owner(store)
        .or_else(|| owner(&config.store.snapshot))
        .or_else(folder);
    let Some(owner) = owner.filter(|&owner| owner != user.as_raw()) else {
        return Ok(());
    };
    let name = match nix::unistd::User::from_uid(owner.into()) {
        Ok(Some(user)) => user.name,
        _ => format!("#{owner}"),
    };
    anyhow::bail!(
        "no server answers at {}, and the store {} is another user's: sudo -u {name} lastgood …",
        config.admin.socket.display(),
        store.display()
    )
}

/// The store, while `lock` is held.
pub(super) fn store(config: &Config, _lock: &StoreLock) -> anyhow::Result<Store> {
    Store::open_existing(&config.store)
        .with_context(|| format!("the store {}", config.store.path.display()))
}

/// The history in the store, while `lock` is held.
pub(super) fn history(config: &Config, _lock: &StoreLock) -> anyhow::Result<History> {
    History::open(&config.store)
        .with_context(|| format!("the store {}", config.store.path.display()))
}
