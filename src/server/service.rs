//! What the service manager is told (`sd_notify`), where one listens; without one, nothing happens.
//!
//! Only the program says these things, not every server in a process: see `cli::serve`.

use std::time::Duration;

use sd_notify::NotifyState;

use super::Running;

impl Running {
    /// The doors are open: `systemctl start` returns, and what is ordered after us may start.
    pub fn tell_ready(&self) {
        let status = format!("listening on {}", super::joined(&self.addresses));
        tell(&[NotifyState::Ready, NotifyState::Status(&status)]);
        let watchdog = sd_notify::watchdog_enabled().filter(|patience| !patience.is_zero());
        if let Some(patience) = watchdog {
            self.runtime.spawn(feed_watchdog(patience));
        }
    }

    /// Called before the doors close.
    pub fn tell_stopping(&self) {
        tell(&[NotifyState::Stopping, NotifyState::Status("stopping")]);
    }
}

/// A reload is under way until this is dropped, whichever way it ends.
#[must_use = "the reload is over when this is dropped"]
pub struct Reloading(());

/// Says that a reload begins.
pub fn tell_reloading() -> Reloading {
    // With the time from systemd 253 on, for `Type=notify-reload`; older ones pass over it.
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(_) => tell(&[NotifyState::Reloading]),
    }
    Reloading(())
}

impl Drop for Reloading {
    fn drop(&mut self) {
        tell(&[NotifyState::Ready]);
    }
}

/// Shows that tasks still run here. On purpose it asks no question of our own doors: under a flood
/// that question could be lost, and a restart would turn a slow server into none.
async fn feed_watchdog(patience: Duration) {
    let mut tick = tokio::time::interval(patience / 3);
    loop {
        tick.tick().await;
        tell(&[NotifyState::Watchdog]);
    }
}

/// A manager that does not hear us is no reason to stop serving.
fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!("the service manager cannot be told: {error}");
    }
}
