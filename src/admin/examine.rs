//! What is wrong with a zone's text, before anybody serves it.

use serde::Serialize;

use crate::check::{self, Finding, Limits, Severity};
use crate::rr::Name;
use crate::zone::ZoneImage;
use crate::zonefile::Parsed;

/// Text that is no record of the zone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Complaint {
    /// `None`: the record reads well, and cannot stand in this zone.
    pub line: Option<usize>,
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
        match self.line {
            Some(line) => write!(f, "line {line}: {}", self.reason),
            None => f.write_str(&self.reason),
        }
    }
}

pub fn examine(origin: &Name, parsed: Parsed) -> Examined {
    let mut problems: Vec<Complaint> = parsed
        .problems
        .into_iter()
        .map(|problem| Complaint {
            line: Some(problem.line),
            reason: problem.reason,
        })
        .collect();
    let (inside, outside): (Vec<_>, Vec<_>) = parsed
        .records
        .into_iter()
        .partition(|record| record.owner.is_at_or_below(origin));
    problems.extend(outside.iter().map(|record| Complaint {
        line: None,
        reason: format!(
            "{} {} is outside the zone {origin}",
            record.owner, record.rtype
        ),
    }));
    let image = ZoneImage::from_records(origin.clone(), inside)
        .expect("the records outside the zone were left out");
    let mut findings = check::full(&image, &Limits::default());
    findings.sort_by(|a, b| b.severity.cmp(&a.severity).then_with(|| a.cmp(b)));
    Examined {
        zone: origin.clone(),
        records: image.record_count(),
        serial: image.soa().map(|soa| soa.serial.0),
        problems,
        findings,
    }
}
