//! What is wrong with a configuration, and where. Each error tells its cause in its own sentence.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::SecretError;

/// A line of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub file: Arc<Path>,
    pub line: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file.display(), self.line)
    }
}

#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("there is no configuration: neither {} exists; name one with --config FILE",
        super::DEFAULT_PATHS.join(" nor "))]
    Nowhere,
    #[error("{}: cannot be read: {reason}", file.display())]
    Unreadable {
        file: PathBuf,
        reason: std::io::Error,
    },
    #[error("{place}: {reason}")]
    Syntax { place: Place, reason: String },
    #[error("{place}: unknown key `{key}` in {section}; {}", advice(*nearest, known))]
    UnknownKey {
        place: Place,
        key: String,
        section: String,
        nearest: Option<&'static str>,
        known: &'static [&'static str],
    },
    #[error("{place}: `{key}` in {section} is {found}; expected {expected}")]
    Value {
        place: Place,
        key: &'static str,
        section: String,
        found: String,
        expected: String,
    },
    #[error("{place}: {section} lacks `{key}`: {expected}")]
    Missing {
        place: Place,
        key: &'static str,
        section: String,
        expected: &'static str,
    },
    #[error("{place}: key {name}: {reason}")]
    Secret {
        place: Place,
        name: String,
        reason: SecretError,
    },
    #[error("{}: {first} and {second} are one file: {}", file.display(), path.display())]
    OneFile {
        file: PathBuf,
        first: String,
        second: String,
        path: PathBuf,
    },
    #[error("{}: {reason}", file.display())]
    Keys { file: Arc<Path>, reason: String },
}

fn advice(nearest: Option<&str>, known: &[&str]) -> String {
    match nearest {
        Some(nearest) => format!("did you mean `{nearest}`?"),
        None => format!("there are: {}", known.join(", ")),
    }
}
