//! A running server: every room assembled, started in order, and stopped.
//!
//! Read in order: `start` and [`Running::stop`] here, `lock` (one server for one store), `import`
//! (zones that the store does not know yet), `reload` and `compare` (a new configuration), `indoors`
//! (a server for one command), `limits` (open files), `screen` (what the operator sees first),
//! `service` (what systemd is told), `logging`.
//! Not here: what any of the parts does; the command line (`cli`).

mod compare;
mod import;
mod indoors;
mod limits;
mod lock;
mod logging;
mod reload;
mod screen;
mod service;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

pub use import::read_zone_file;
pub use indoors::Indoors;
pub use lock::{LockError, StoreLock};
pub use logging::{LogLines, init as init_logging, init_quiet as init_quiet_logging};
pub use screen::{Screen, ServedLine};
pub use service::{Reloading, tell_reloading};

use arc_swap::ArcSwap;
use tokio::signal::unix::{Signal, SignalKind, signal};

use self::reload::Reloader;
use crate::admin::ReloadRequest;
use crate::config::{Config, ConfigError, LoadedKeys};
use crate::rr::Name;
use crate::zone::Reader;
use crate::{admin, change, metrics, wire, zone};

#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error(transparent)]
    Doors(std::io::Error),
    #[error(transparent)]
    Socket(#[from] admin::SocketError),
    #[error("the address for metrics, {address}: {reason}")]
    Metrics {
        address: SocketAddr,
        reason: std::io::Error,
    },
    #[error("zone {zone} has no data yet, and {} cannot be imported:\n{}", file.display(), problems.join("\n"))]
    Import {
        zone: Name,
        file: PathBuf,
        problems: Vec<String>,
    },
    #[error("the runtime cannot start: {0}")]
    Runtime(std::io::Error),
}

/// The signals that a server heeds.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    /// To be called within a runtime.
    fn listen() -> std::io::Result<Signals> {
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }
}

/// A server in this process. It goes on until [`Running::stop`].
pub struct Running {
    /// Where DNS is answered, ports resolved.
    pub addresses: Vec<SocketAddr>,
    /// The control socket.
    pub control: PathBuf,
    /// Where metrics are read over TCP, the port resolved.
    pub metrics: Option<SocketAddr>,
    pub change: change::Handle,
    pub reader: Reader,
    /// What it was started with.
    pub config: Arc<Config>,
    reloader: Arc<Reloader>,
    signals: Option<Signals>,
    doors: wire::Running,
    admin: admin::Running,
    runtime: tokio::runtime::Runtime,
    // Let go of last: until then no other server may open the store.
    _lock: StoreLock,
}

/// Starts a server and returns when it answers. Not to be called within a runtime. The signals of
/// the process are left alone.
pub fn start(config: Config) -> Result<Running, StartError> {
    begin(config, || Ok(None))
}

/// As [`start`], for a process that is a server and nothing else: its signals are listened to from
/// before the doors open, so that none that comes early ends it in the middle of something.
pub fn start_process(config: Config) -> Result<Running, StartError> {
    begin(config, || Signals::listen().map(Some))
}

fn begin(
    config: Config,
    signals: impl FnOnce() -> std::io::Result<Option<Signals>>,
) -> Result<Running, StartError> {
    let started = Instant::now();
    let LoadedKeys { keys, warnings } = config.load_keys()?;
    for warning in config.warnings.iter().chain(&warnings) {
        tracing::warn!("{warning}");
    }
    let keys = Arc::new(ArcSwap::from_pointee(keys));
    let config = Arc::new(config);
    let mut lock = StoreLock::take(&config.store.path)?;
    let open_files = limits::raise_open_files();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("lastgood")
        .build()
        .map_err(StartError::Runtime)?;
    let signals = {
        let _within = runtime.enter();
        signals().map_err(StartError::Runtime)?
    };
    // Bound first, so that a port or a socket in use is known before anything is written.
    let doors = {
        let _within = runtime.enter();
        wire::Doors::bind(&limits::within(open_files, &config.wire)).map_err(StartError::Doors)?
    };
    let listener = admin::Listener::bind(&config.admin.socket)?;
    let window = config.admin.metrics.map(bind_metrics).transpose()?;
    let (window, metrics) = window.unzip();
    let counters = metrics::Counters::default();
    let (change, reader, waiting) = open_zones(&config, &mut lock, counters.clone())?;
    for warning in idle_permits(&config, &reader) {
        tracing::warn!("{warning}");
    }
    let reloader = Arc::new(Reloader::new(
        config.clone(),
        keys.clone(),
        change.clone(),
        reader.clone(),
        waiting,
    ));
    let addresses = doors.addresses();
    let server = admin::Server {
        settings: config.admin.clone(),
        about: admin::About {
            config: config.file.to_path_buf(),
            addresses: addresses.clone(),
            metrics,
            started,
            lost_log_lines: logging::lost_lines,
        },
        store: config.store.clone(),
        reader: reader.clone(),
        change: change.clone(),
        counters: counters.clone(),
        has_key: {
            let keys = keys.clone();
            Arc::new(move |name| keys.load().contains(name))
        },
        reload: {
            let reloader = reloader.clone();
            Arc::new(move |request| reloader.reload(request))
        },
    };
    let within = runtime.enter();
    let admin = admin::open(listener, window, server).map_err(|reason| admin::SocketError::Io {
        path: config.admin.socket.clone(),
        reason,
    })?;
    let doors = doors.open(
        reader.clone(),
        change.clone(),
        keys,
        counters,
        runtime.handle().clone(),
    );
    drop(within);
    tracing::info!(listen = %joined(&addresses), "serving");
    Ok(Running {
        addresses,
        control: config.admin.socket.clone(),
        metrics,
        change,
        reader,
        config,
        reloader,
        signals,
        doors,
        admin,
        runtime,
        _lock: lock,
    })
}

fn bind_metrics(address: SocketAddr) -> Result<(admin::Window, SocketAddr), StartError> {
    admin::Window::bind(address)
        .and_then(|window| window.address().map(|bound| (window, bound)))
        .map_err(|reason| StartError::Metrics { address, reason })
}

/// Serves what store or snapshot hold. A store is made where there never was one.
fn open_store(
    config: &Config,
    lock: &mut StoreLock,
    counters: metrics::Counters,
    writer: zone::Writer,
    reader: Reader,
) -> change::Started {
    let settings = change::Settings {
        had_store: lock.had_store(),
        ..config.change.clone()
    };
    let started = change::start(settings, counters, writer, reader);
    if started.has_store
        && let Err(error) = lock.note_store()
    {
        tracing::warn!(store = %config.store.path.display(), "the lock of the store: {error}");
    }
    started
}

/// Serves what store or snapshot hold, and imports what neither has ever known. Also the zones of
/// which nothing could be imported.
fn open_zones(
    config: &Config,
    lock: &mut StoreLock,
    counters: metrics::Counters,
) -> Result<(change::Handle, Reader, Vec<Name>), StartError> {
    let (writer, reader) = zone::pointer();
    let started = open_store(config, lock, counters, writer, reader.clone());
    let serves = reader.load().zones().any(|served| served.zone().is_some());
    let mut brought = import::missing(config, &started.unknown, &started.handle, &reader);
    for zone in &brought.lacking {
        tracing::warn!("{}", import::lacking(zone));
    }
    let waiting = brought.waiting();
    if !serves && !brought.failed.is_empty() {
        started.handle.stop();
        return Err(brought.failed.swap_remove(0));
    }
    // The file of a new zone is no reason not to serve the others again.
    for error in brought.failed {
        tracing::error!("{error}");
    }
    Ok((started.handle, reader, waiting))
}

/// A permit for a zone that is not here lets nobody do anything; most likely its name is misspelled.
fn idle_permits(config: &Config, reader: &Reader) -> Vec<String> {
    let published = reader.load();
    let mut warnings = Vec::new();
    for key in &config.keys {
        let zones = key.permits.iter().filter_map(|permit| permit.zone.as_ref());
        let idle = zones.filter(|zone| published.zone(zone).is_none());
        warnings.extend(idle.map(|zone| {
            let key = &key.name;
            format!("key {key}: `allow` is for {zone}, which is not served")
        }));
    }
    warnings
}

fn joined(addresses: &[SocketAddr]) -> String {
    let texts: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    texts.join(", ")
}

impl Running {
    /// Waits for SIGTERM or SIGINT; reads the configuration anew at each SIGHUP. Of a server that
    /// was not started as a process of its own this returns at once.
    pub fn wait_for_signal(&mut self) {
        let Some(mut signals) = self.signals.take() else {
            return;
        };
        self.runtime.block_on(async {
            loop {
                tokio::select! {
                    _ = signals.terminate.recv() => return,
                    _ = signals.interrupt.recv() => return,
                    _ = signals.hangup.recv() => {
                        // On a thread of its own: a long one is not in the way of SIGTERM.
                        let reloader = self.reloader.clone();
                        tokio::task::spawn_blocking(move || {
                            reloader.reload(ReloadRequest::default())
                        });
                    }
                }
            }
        });
    }

    /// What to show an operator who has just started it.
    pub fn screen(&self, program: &str, config: Option<&Path>) -> Screen {
        Screen::of(self, program, config)
    }

    /// Takes nothing new, finishes what is in flight, and closes the store.
    pub fn stop(self) {
        tracing::info!("stopping");
        self.runtime.block_on(self.doors.stop());
        self.runtime.block_on(self.admin.stop());
        self.change.stop();
        tracing::info!("stopped");
    }
}
