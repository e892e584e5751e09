//! Reading the store where no server runs, under its lock.

use anyhow::Context;

use super::control::{Control, ControlError};
use crate::config::Config;
use crate::server::StoreLock;
use crate::store::{History, Store};

/// Where an answer is to be had.
pub(super) enum Source {
    Server(Control),
    /// No server runs, and none may start while this is held.
    Store(StoreLock),
}

/// The running server, or the right to read the store of one that does not run.
pub(super) fn source(config: &Config) -> anyhow::Result<Source> {
    match Control::open(&config.admin.socket) {
        Ok(control) => Ok(Source::Server(control)),
        Err(error @ ControlError::NoServer(_)) => {
            if !config.store.path.exists() {
                let store = config.store.path.display();
                anyhow::bail!("{error}, and there is no store at {store}");
            }
            let lock = StoreLock::take(&config.store.path).context(error)?;
            Ok(Source::Store(lock))
        }
        Err(error) => Err(error.into()),
    }
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
