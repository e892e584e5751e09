//! Zone files (RFC 1035 §5): from text to records, and from an image back to text.
//!
//! Read in order: `parse` (directives, owners, TTLs, classes), `generate` (`$GENERATE`), `print`.
//! Not here: how text is cut into tokens and how RDATA are read and written (`rr`), whether the
//! records make a fit zone (`check`), which files `$INCLUDE` may read (the caller's closure).

mod generate;
mod parse;
mod print;

use std::io;
use std::path::Path;

use crate::rr::{Name, Record};

pub use parse::{INCLUDED_OCTETS_MAX, parse};
pub use print::print;

/// Reads a file for `$INCLUDE`: the folder of the including file, from the folder of the zone file,
/// and what the directive says.
pub type Include<'a> = &'a dyn Fn(&Path, &str) -> io::Result<Vec<u8>>;

/// What is wrong at one place of a zone file: what was read, and what was expected.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Problem {
    /// The included file, from the folder of the zone file. `None`: the zone file itself.
    pub file: Option<String>,
    pub line: usize,
    pub column: usize,
    pub reason: String,
}

impl Problem {
    /// As compilers tell it: `file:line:column: reason`.
    pub fn in_file(&self, zone_file: &Path) -> String {
        let file = match &self.file {
            Some(included) => zone_file.with_file_name(included),
            None => zone_file.to_owned(),
        };
        let Problem {
            line,
            column,
            reason,
            ..
        } = self;
        format!("{}:{line}:{column}: {reason}", file.display())
    }
}

impl std::fmt::Display for Problem {
    /// Where the name of the zone file is not known.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "{file} ")?;
        }
        write!(
            f,
            "line {} column {}: {}",
            self.line, self.column, self.reason
        )
    }
}

/// What a zone file says, and what could not be read of it. With problems the records are only
/// part of the zone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parsed {
    pub records: Vec<Record>,
    pub problems: Vec<Problem>,
    /// Owners whose TTL was larger than one can be, and taken for 0 (RFC 2181 §8).
    pub large_ttls: Vec<(Name, u64)>,
}

#[cfg(test)]
mod tests;
