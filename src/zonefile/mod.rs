//! Zone files (RFC 1035 §5): from text to records, and from an image back to text.
//!
//! Read in order: `entry` (text to entries: quotes, parentheses, comments), `parse` (directives,
//! owners, TTLs, classes; RDATA by the library), `generate` (`$GENERATE`), `print`.
//! Not here: whether the records make a fit zone (`check`), which files `$INCLUDE` may read (the
//! caller's closure).

mod entry;
mod generate;
mod parse;
mod print;

use crate::rr::Record;

pub use parse::parse;
pub use print::print;

/// What is wrong with one line of a zone file. In an included file it is the line of the
/// `$INCLUDE`, and the reason names file and line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub line: usize,
    pub reason: String,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "line {}: {}", self.line, self.reason)
    }
}

/// What a zone file says, and what could not be read of it. With problems the records are only
/// part of the zone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parsed {
    pub records: Vec<Record>,
    pub problems: Vec<Problem>,
}

#[cfg(test)]
mod tests;
