//! What is wrong with a zone's text, before anybody serves it.

use serde::Serialize;

use crate::check::{self, Finding, Limits, Severity};
use crate::rr::Name;
use crate::zone::ZoneImage;
use crate::zonefile::{Parsed, Problem};

/// The text of a zone, judged.
#[derive(Debug, Clone, Serialize)]
pub struct Examined {
    pub zone: Name,
    pub records: usize,
    pub serial: Option<u32>,
    pub problems: Vec<Problem>,
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

pub fn examine(origin: &Name, parsed: Parsed) -> Examined {
    let mut findings = check::of_records(&parsed.records);
    let large = parsed.large_ttls.iter();
    findings.extend(large.map(|(owner, ttl)| check::of_large_ttl(owner, *ttl)));
    let image = ZoneImage::from_records(origin.clone(), parsed.records)
        .expect("the reader lets no record in from outside the zone");
    findings.extend(check::full(&image, &Limits::default()));
    findings.extend(check::of_digest(&image));
    findings.sort_by(|a, b| b.severity.cmp(&a.severity).then_with(|| a.cmp(b)));
    Examined {
        zone: origin.clone(),
        records: image.record_count(),
        serial: image.soa().map(|soa| soa.serial.0),
        problems: parsed.problems,
        findings,
    }
}
