//! The rule `validate`: a change must not make the zone worse than it was found to be.

use super::verdict::{Judged, first_few};
use super::{Facts, Mode, NewFinding, Path};

pub(super) const RULE: &str = "validate";

pub(super) fn judge(facts: &Facts) -> Judged {
    let fatal: Vec<&NewFinding> = facts.findings.iter().filter(|f| f.fatal).collect();
    if !fatal.is_empty() {
        // Whatever the mode, and override or not: a zone in this state would not be served, so
        // letting the change in would only make the zone hold.
        return failed(&fatal, facts.findings.len(), Mode::Enforce, facts.path);
    }
    let mode = match facts.path {
        Path::HandEdit => facts.validate.min(Mode::Observe),
        Path::Update | Path::Cli | Path::Import => facts.validate,
    };
    if mode == Mode::Off {
        return Judged::idle(RULE, "no new fatal finding; errors are off in this zone");
    }
    if facts.findings.is_empty() {
        return Judged::passed(RULE, mode, "0 new findings".to_owned());
    }
    let all: Vec<&NewFinding> = facts.findings.iter().collect();
    failed(&all, all.len(), mode, facts.path).overridden(facts.override_of(RULE))
}

fn failed(shown: &[&NewFinding], count: usize, mode: Mode, path: Path) -> Judged {
    let fatal = shown.iter().filter(|finding| finding.fatal).count();
    let noun = if count == 1 { "finding" } else { "findings" };
    let sentences = first_few(shown.iter().map(|finding| finding.sentence.clone()));
    let text = format!("{count} new {noun}, {fatal} fatal: {sentences}");
    let together = match path {
        Path::Update => " in the same message",
        Path::HandEdit => " in the same transaction",
        Path::Import | Path::Cli => "",
    };
    let accepted = format!(
        "the same change without what these findings name, or with what they miss{together}"
    );
    Judged::failed(RULE, mode, text, accepted)
}
