//! The configuration file: TOML in, each room's own `Settings` out.
//!
//! Read in order: `stanza`, `server` and `limits` (which keys there are and what they mean), `section`
//! (reading a table so that every error names file, line and key), `secret` (key files), `files`, `error`.
//! Not here: acting on any of it (`server`). Secrets are read when a server starts and not before,
//! so that a command which only wants the control socket needs no right to them.

mod error;
mod files;
mod limits;
mod secret;
mod section;
mod server;
mod stanza;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use error::{ConfigError, Place};
pub use secret::{SecretError, key_clause};
pub use server::LogFormat;
pub use stanza::{KeyStanza, SecretSource, ZoneStanza};

use crate::rr::Name;
use crate::tsig::{Algorithm, Keys};
use crate::{admin, change, store, wire};

/// Where the configuration is looked for when nobody says.
pub const DEFAULT_PATHS: [&str; 2] = ["lastgood.toml", "/etc/lastgood/lastgood.toml"];

/// A configuration that was read whole, without its secrets.
#[derive(Debug)]
pub struct Config {
    /// The file, as it was named; for messages and hints.
    pub file: Arc<Path>,
    pub log: LogFormat,
    pub wire: wire::Settings,
    pub store: store::Settings,
    pub admin: admin::Settings,
    pub change: change::Settings,
    pub keys: Vec<KeyStanza>,
    pub zones: Vec<ZoneStanza>,
    /// What is allowed and most likely not meant.
    pub warnings: Vec<String>,
}

/// The keys with their secrets, and what is unwise about how these are kept.
#[derive(Debug)]
pub struct LoadedKeys {
    pub keys: Keys,
    pub warnings: Vec<String>,
}

impl Config {
    pub fn load(path: &Path) -> Result<Config, ConfigError> {
        let octets = std::fs::read(path).map_err(|reason| ConfigError::Unreadable {
            file: path.to_owned(),
            reason,
        })?;
        let text = match std::str::from_utf8(&octets) {
            Ok(text) => text,
            Err(error) => return Err(not_text(path, &octets[..error.valid_up_to()])),
        };
        stanza::read(text, path, path.parent().unwrap_or(Path::new("")))
    }

    /// A configuration given as text; relative paths in it are relative to `dir`.
    pub fn from_str(text: &str, dir: &Path) -> Result<Config, ConfigError> {
        stanza::read(text, &dir.join("lastgood.toml"), dir)
    }

    /// The first of [`DEFAULT_PATHS`] that exists.
    pub fn default_path() -> Result<PathBuf, ConfigError> {
        DEFAULT_PATHS
            .iter()
            .map(PathBuf::from)
            .find(|path| path.exists())
            .ok_or(ConfigError::Nowhere)
    }

    /// Whether everybody on this machine may read the file, and secrets that stand in it.
    pub fn is_readable_by_others(&self) -> bool {
        secret::others_may_read(&self.file)
    }

    /// Reads the secrets of all keys.
    pub fn load_keys(&self) -> Result<LoadedKeys, ConfigError> {
        let mut warnings = Vec::new();
        if self.keys.iter().any(KeyStanza::is_inline) && self.is_readable_by_others() {
            warnings.push(format!(
                "{} holds secrets and everybody on this machine may read it: chmod o-rw {0}",
                self.file.display()
            ));
        }
        let mut keys: Vec<(Name, Algorithm, Vec<u8>)> = Vec::new();
        for stanza in &self.keys {
            let (algorithm, octets) = stanza.read_secret(&mut warnings)?;
            keys.push((stanza.name.clone(), algorithm, octets));
        }
        let keys = Keys::new(keys).map_err(|error| ConfigError::Keys {
            file: self.file.clone(),
            reason: error.to_string(),
        })?;
        Ok(LoadedKeys { keys, warnings })
    }
}

/// An octet that is no text comes right behind what could be read.
fn not_text(file: &Path, read: &[u8]) -> ConfigError {
    ConfigError::Syntax {
        place: Place {
            file: Arc::from(file),
            line: 1 + read.iter().filter(|&&octet| octet == b'\n').count(),
        },
        reason: "this is not UTF-8".to_owned(),
    }
}
