//! Zone files on disk, and the first import of those that a stanza names.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::StartError;
use crate::change::{self, Body, Outcome, Submission};
use crate::check;
use crate::config::Config;
use crate::guard::{self, Actor};
use crate::rr::Name;
use crate::zone::Reader;
use crate::zonefile::{self, Parsed, Problem};

/// Problems shown for one file, and warnings.
const SHOWN_MAX: usize = 20;

/// Reads a zone file. `$INCLUDE` reaches files at or below the folder of the including file.
pub fn read_zone_file(file: &Path, origin: &Name) -> io::Result<Parsed> {
    let text = std::fs::read(file)?;
    let folder = match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let include = |inner: &Path, name: &str| read_below(folder, inner, name);
    Ok(zonefile::parse(&text, origin, &include))
}

/// A file below the folder `inner`, which is below `top` itself, wherever links lead.
fn read_below(top: &Path, inner: &Path, name: &str) -> io::Result<Vec<u8>> {
    let top = top.canonicalize()?;
    let folder = top.join(inner).canonicalize()?;
    let path = folder.join(name).canonicalize()?;
    let refused = |kind, reason: String| Err(io::Error::new(kind, reason));
    if !path.starts_with(&folder) || !path.starts_with(&top) {
        let reason = format!("it is not below {}", folder.display());
        return refused(io::ErrorKind::PermissionDenied, reason);
    }
    // A pipe would be waited for without end.
    if !path.is_file() {
        return refused(io::ErrorKind::InvalidInput, "it is not a file".to_owned());
    }
    let most = zonefile::INCLUDED_OCTETS_MAX as u64;
    let mut octets = Vec::new();
    // One more, so that it is seen to be too large without being read to its end.
    let file = File::open(path)?;
    file.take(most + 1).read_to_end(&mut octets)?;
    Ok(octets)
}

/// What became of the files of zones that nobody has ever known.
#[derive(Default)]
pub(super) struct Brought {
    pub imported: Vec<Name>,
    pub failed: Vec<StartError>,
    /// Zones whose stanza names no file.
    pub lacking: Vec<Name>,
}

impl Brought {
    /// Zones to be tried again when their file may be another.
    pub fn waiting(&self) -> Vec<Name> {
        let failed = self.failed.iter().filter_map(|error| match error {
            StartError::Import { zone, .. } => Some(zone),
            _ => None,
        });
        failed.chain(&self.lacking).cloned().collect()
    }
}

/// What an operator is told of a zone without data and without a file.
pub(super) fn lacking(zone: &Name) -> String {
    format!("{zone} has no data yet; bring some with: lastgood zone import {zone} FILE")
}

/// Imports the `file` of each stanza whose zone nobody has ever known.
pub(super) fn missing(
    config: &Config,
    unknown: &[Name],
    change: &change::Handle,
    reader: &Reader,
) -> Brought {
    let unknown: HashSet<&Name> = unknown.iter().collect();
    let mut brought = Brought::default();
    for stanza in &config.zones {
        let origin = &stanza.origin;
        let is_served = || {
            let published = reader.load();
            published
                .zone(origin)
                .is_some_and(|served| served.zone().is_some())
        };
        if !unknown.contains(origin) || is_served() {
            continue;
        }
        match &stanza.file {
            Some(file) => match import(file, origin, change) {
                Ok(()) => brought.imported.push(origin.clone()),
                Err(error) => brought.failed.push(error),
            },
            None => brought.lacking.push(origin.clone()),
        }
    }
    brought
}

fn import(file: &Path, origin: &Name, change: &change::Handle) -> Result<(), StartError> {
    let failed = |problems: Vec<String>| StartError::Import {
        zone: origin.clone(),
        file: file.to_owned(),
        problems,
    };
    let parsed = read_zone_file(file, origin).map_err(|error| failed(vec![error.to_string()]))?;
    if !parsed.problems.is_empty() {
        return Err(failed(shown(file, &parsed)));
    }
    for (owner, ttl) in parsed.large_ttls.iter().take(SHOWN_MAX) {
        tracing::warn!(zone = %origin, "{}", check::of_large_ttl(owner, *ttl));
    }
    let more = parsed.large_ttls.len().saturating_sub(SHOWN_MAX);
    if more > 0 {
        tracing::warn!(zone = %origin, "and {more} more TTLs that are too large");
    }
    let records = parsed.records.len();
    let outcome = change.submit(Submission {
        zone: origin.clone(),
        actor: Actor {
            name: "configuration".to_owned(),
            key: None,
        },
        path: guard::Path::Import,
        source: None,
        transport: None,
        body: Body::Import {
            records: parsed.records,
            replace: false,
        },
        override_: None,
    });
    let stopped = || Outcome::Unavailable {
        reason: "the writer stopped".to_owned(),
    };
    match outcome.blocking_recv().unwrap_or_else(|_| stopped()) {
        Outcome::Committed(committed) => {
            // A million addresses can be a million warnings.
            for warning in committed.warnings.iter().take(SHOWN_MAX) {
                tracing::warn!(zone = %origin, "imported, with {warning}");
            }
            let more = committed.warnings.len().saturating_sub(SHOWN_MAX);
            if more > 0 {
                let file = file.display();
                tracing::warn!(
                    zone = %origin,
                    "and {more} more: lastgood zone check {file} --origin {origin} shows all"
                );
            }
            tracing::info!(zone = %origin, records, file = %file.display(), "imported");
            Ok(())
        }
        Outcome::Unchanged { .. } => Ok(()),
        Outcome::Refused(refused) => Err(failed(vec![format!(
            "refused by {}: {}; {}",
            refused.rule, refused.reason, refused.accepted
        )])),
        Outcome::Failed { reason, .. } | Outcome::Unavailable { reason } => {
            Err(failed(vec![reason]))
        }
    }
}

/// The first problems, each with the file it is in.
fn shown(file: &Path, parsed: &Parsed) -> Vec<String> {
    let at = |problem: &Problem| problem.in_file(file);
    let mut lines: Vec<String> = parsed.problems.iter().take(SHOWN_MAX).map(at).collect();
    let more = parsed.problems.len().saturating_sub(SHOWN_MAX);
    if more > 0 {
        lines.push(format!("and {more} more"));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_include_does_not_leave_the_folder_of_its_file() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("zones");
        std::fs::create_dir_all(folder.join("part")).unwrap();
        std::fs::write(folder.join("part/a.zone"), "inside").unwrap();
        std::fs::write(dir.path().join("secret"), "outside").unwrap();
        std::os::unix::fs::symlink("../secret", folder.join("link")).unwrap();
        std::os::unix::fs::symlink(dir.path(), folder.join("out")).unwrap();
        let read = |inner: &str, name: &str| read_below(&folder, Path::new(inner), name);
        assert_eq!(read("", "part/a.zone").unwrap(), b"inside");
        assert_eq!(read("part", "a.zone").unwrap(), b"inside");
        for (inner, name) in [
            ("", "../secret"),
            ("", "link"),
            ("", "part/../../secret"),
            ("", "/etc/hostname"),
            ("part", "../part/../link"),
            // As a file that was included through a link from outside would ask.
            ("out", "secret"),
        ] {
            let error = read(inner, name).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::PermissionDenied, "{name}");
        }
    }
}
