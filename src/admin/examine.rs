//! What is wrong with a zone's text, before anybody serves it.

use serde::Serialize;

use crate::check::{self, Finding, Limits, Severity};
use crate::rr::Name;
use crate::zone::ZoneImage;
use crate::zonefile::Parsed;

/// Text that is no record of the zone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Complaint {
    /// An included file; absent for the zone file itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    pub line: usize,
    pub column: usize,
    pub reason: String,
}

/// The text of a zone, judged.
#[derive(Debug, Clone, Serialize)]
pub struct Examined {
    pub zone: Name,
    pub records: usize,
    pub serial: Option<u32>,
    pub problems: Vec<Complaint>,
    /// The worst first.
    pub findings: Vec<Finding>,
}

impl Examined {
    /// Whether a server would serve it.
    pub fn is_fit(&self) -> bool {
        let fatal = |finding: &Finding| finding.severity == Severity::Fatal;
        self.problems.is_empty() && !self.findings.iter().any(fatal)
    }
}

impl std::fmt::Display for Complaint {
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

pub fn examine(origin: &Name, parsed: Parsed) -> Examined {
    let problems: Vec<Complaint> = parsed
        .problems
        .into_iter()
        .map(|problem| Complaint {
            file: problem.file,
            line: problem.line,
            column: problem.column,
            reason: problem.reason,
        })
        .collect();
    let mut findings = check::of_records(&parsed.records);
    let large = parsed.large_ttls.iter();
    findings.extend(large.map(|(owner, ttl)| check::of_large_ttl(owner, *ttl)));
    let image = ZoneImage::from_records(origin.clone(), parsed.records)
        .expect("the reader lets no record in from outside the zone");
    findings.extend(check::full(&image, &Limits::default()));
    findings.sort_by(|a, b| b.severity.cmp(&a.severity).then_with(|| a.cmp(b)));
    Examined {
        zone: origin.clone(),
        records: image.record_count(),
        serial: image.soa().map(|soa| soa.serial.0),
        problems,
        findings,
    }
}
