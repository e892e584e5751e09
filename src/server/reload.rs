//! Reading the configuration anew while the server runs: all of it, or nothing.

use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;

use super::compare::{self, Read};
use super::import;
use crate::admin::{ReloadReport, ReloadRequest};
use crate::change::{self, Reloaded};
use crate::config::{Config, LoadedKeys};
use crate::rr::Name;
use crate::tsig::Keys;
use crate::zone::Reader;

/// Sentences of one kind that are logged; a client is told all.
const LOGGED_MAX: usize = 20;

pub(super) struct Reloader {
    /// What the process was started with: some of it cannot be changed while it runs.
    started: Arc<Config>,
    /// Held for as long as a reload takes: there is one at a time.
    in_force: Mutex<InForce>,
    keys: Arc<ArcSwap<Keys>>,
    change: change::Handle,
    reader: Reader,
}

struct InForce {
    config: Arc<Config>,
    /// Zones that nobody has ever known and whose file could not be brought in.
    waiting: Vec<Name>,
}

impl Reloader {
    pub(super) fn new(
        started: Arc<Config>,
        keys: Arc<ArcSwap<Keys>>,
        change: change::Handle,
        reader: Reader,
        waiting: Vec<Name>,
    ) -> Reloader {
        let config = started.clone();
        Reloader {
            started,
            in_force: Mutex::new(InForce { config, waiting }),
            keys,
            change,
            reader,
        }
    }

    /// Blocks until it is done.
    pub(super) fn reload(&self, request: ReloadRequest) -> ReloadReport {
        let mut in_force = self.in_force.lock().unwrap_or_else(PoisonError::into_inner);
        let _telling = super::tell_reloading();
        let report = self.report(&mut in_force, request);
        log(&report);
        report
    }

    fn report(&self, in_force: &mut InForce, request: ReloadRequest) -> ReloadReport {
        let read = Config::load(&self.started.file);
        let read = read.and_then(|config| Ok((config.load_keys()?, config)));
        let (LoadedKeys { keys, warnings }, config) = match read {
            Ok(read) => read,
            Err(error) => {
                return ReloadReport::Unreadable {
                    reason: error.to_string(),
                };
            }
        };
        let outcome = self.change.reload(config.change.clone(), request.weaker);
        let (orphaned, mut unknown, weaker) = match outcome.blocking_recv() {
            Ok(Reloaded::Done {
                orphaned,
                unknown,
                weaker,
            }) => (orphaned, unknown, weaker),
            Ok(Reloaded::Refused { weaker, unmet }) => {
                return ReloadReport::Refused { weaker, unmet };
            }
            Err(_) => {
                return ReloadReport::Unavailable {
                    reason: "too many updates are waiting, or the server is stopping".to_owned(),
                };
            }
        };
        let old_keys = self.keys.load_full();
        let old = Read {
            config: &in_force.config,
            keys: &old_keys,
        };
        let new = Read {
            config: &config,
            keys: &keys,
        };
        let changed = compare::changes(old, new);
        // After the rights of the keys: none is accepted before it is known what it may do.
        self.keys.store(Arc::new(keys));
        unknown.append(&mut in_force.waiting);
        let brought = import::missing(&config, &unknown, &self.change, &self.reader);
        let mut all_warnings = config.warnings.clone();
        all_warnings.extend(warnings);
        all_warnings.extend(super::idle_permits(&config, &self.reader));
        all_warnings.extend(brought.lacking.iter().map(import::lacking));
        let report = ReloadReport::Done {
            changed,
            restart: compare::needs_restart(&self.started, &config),
            orphaned: texts(&orphaned),
            weaker,
            imported: texts(&brought.imported),
            failed: brought.failed.iter().map(ToString::to_string).collect(),
            warnings: all_warnings,
        };
        in_force.waiting = brought.waiting();
        in_force.config = Arc::new(config);
        report
    }
}

fn texts(zones: &[Name]) -> Vec<String> {
    zones.iter().map(ToString::to_string).collect()
}

fn log(report: &ReloadReport) {
    match report {
        ReloadReport::Done {
            changed,
            restart,
            orphaned,
            weaker: _, // Told where it came in force.
            imported: _,
            failed,
            warnings,
        } => {
            tracing::info!(changed = changed.len(), "the configuration was read anew");
            each(changed, |text| tracing::info!("reload: {text}"));
            each(restart, |text| tracing::warn!("reload: {text}"));
            each(orphaned, |zone| {
                tracing::warn!(%zone, "reload: no stanza names it; it stays, with its protection");
            });
            each(failed, |text| tracing::error!("reload: {text}"));
            each(warnings, |text| tracing::warn!("{text}"));
        }
        ReloadReport::Refused { weaker, unmet } => {
            tracing::error!("reload refused: what was in force stays");
            each(unmet, |text| tracing::error!("reload: {text}"));
            each(weaker, |text| {
                tracing::error!("reload: less protection: {text}");
            });
            // A signal has nobody to say it to but the log.
            if unmet.is_empty() && !weaker.is_empty() {
                tracing::error!("reload: to let less protection in: lastgood reload --weaker");
            }
        }
        ReloadReport::Unreadable { reason } | ReloadReport::Unavailable { reason } => {
            tracing::error!("reload failed, what was in force stays: {reason}");
        }
    }
}

fn each(texts: &[String], tell: impl Fn(&str)) {
    for text in texts.iter().take(LOGGED_MAX) {
        tell(text);
    }
    let more = texts.len().saturating_sub(LOGGED_MAX);
    if more > 0 {
        tell(&format!("and {more} more"));
    }
}
