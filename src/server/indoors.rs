//! A server without doors: where none runs, a command does its change as a server would, with the
//! same store, snapshot, rules and audit, at the same control socket, and nobody is answered over DNS.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Instant;

use super::{StartError, StoreLock, logging};
use crate::admin::{self, ReloadReport};
use crate::config::Config;
use crate::rr::Name;
use crate::{change, metrics, zone};

/// It goes on until [`Indoors::stop`].
pub struct Indoors {
    change: change::Handle,
    admin: admin::Running,
    runtime: tokio::runtime::Runtime,
    _lock: StoreLock,
}

impl Indoors {
    /// Serves the control socket alone. No file of a zone is brought in.
    pub fn open(config: &Config, mut lock: StoreLock) -> Result<Indoors, StartError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .map_err(StartError::Runtime)?;
        let listener = admin::Listener::bind(&config.admin.socket)?;
        let (writer, reader) = zone::pointer();
        let counters = metrics::Counters::default();
        let started =
            super::open_store(config, &mut lock, counters.clone(), writer, reader.clone());
        let change = started.handle;
        let keys: HashSet<Name> = config.keys.iter().map(|key| key.name.clone()).collect();
        let server = admin::Server {
            settings: config.admin.clone(),
            counters,
            about: admin::About {
                metrics: None,
                config: config.file.to_path_buf(),
                addresses: Vec::new(),
                started: Instant::now(),
                lost_log_lines: logging::lost_lines,
            },
            store: config.store.clone(),
            reader,
            change: change.clone(),
            has_key: Arc::new(move |key| keys.contains(key)),
            reload: Arc::new(|_| ReloadReport::Unavailable {
                reason: "no server runs".to_owned(),
            }),
        };
        let within = runtime.enter();
        let admin =
            admin::open(listener, None, server).map_err(|reason| admin::SocketError::Io {
                path: config.admin.socket.clone(),
                reason,
            })?;
        drop(within);
        Ok(Indoors {
            change,
            admin,
            runtime,
            _lock: lock,
        })
    }

    /// Finishes what was asked for, and closes store and snapshot.
    pub fn stop(self) {
        self.runtime.block_on(self.admin.stop());
        self.change.stop();
    }
}
