//! What the rules and the checks make of one change, whoever wants it.

use std::collections::HashSet;
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::judge::Bench;
use super::{Policy, Submission, members};
use crate::check::{self, Finding, Severity};
use crate::guard::{self, Change, Facts, NewFinding, Override, Path, Verdict};
use crate::zone::{Diff, Operation, Published, ZoneImage};

/// What rules and checks make of a change.
pub(super) struct Weighed {
    pub verdict: Verdict,
    pub warnings: Vec<String>,
}

/// Who wants a change, and how.
#[derive(Clone, Copy)]
pub(super) struct Asker<'a> {
    pub path: Path,
    pub actor: &'a guard::Actor,
    /// Where it came from, if from a network.
    pub source: Option<IpAddr>,
    pub override_: Option<&'a Override>,
}

impl<'a> Asker<'a> {
    pub(super) fn of(submission: &'a Submission) -> Asker<'a> {
        Asker {
            path: submission.path,
            actor: &submission.actor,
            source: submission.source.map(|source| source.ip()),
            override_: submission.override_.as_ref(),
        }
    }

    /// Somebody with `sqlite3`.
    pub(super) fn by_hand(actor: &'a guard::Actor) -> Asker<'a> {
        Asker {
            path: Path::HandEdit,
            actor,
            source: None,
            override_: None,
        }
    }
}

/// A change of one zone as the rules see it.
pub(super) struct Proposal<'a> {
    pub asker: Asker<'a>,
    pub before: &'a ZoneImage,
    pub operations: &'a [Operation],
    pub diff: &'a Diff,
    pub after: &'a ZoneImage,
    /// Everything as it would be served.
    pub after_view: &'a Published,
}

/// Runs the rules over a proposal. One that errs refuses it (P6), on whichever path it came: what
/// is served goes on, and so does the writer.
pub(super) fn weigh(bench: &Bench<'_>, proposal: &Proposal<'_>) -> Weighed {
    let rules = AssertUnwindSafe(|| run_rules(bench, proposal));
    catch_unwind(rules).unwrap_or_else(|_| {
        tracing::error!(zone = %proposal.before.origin(), "a rule failed; the change is refused");
        Weighed {
            verdict: Verdict::of_an_error(),
            warnings: Vec::new(),
        }
    })
}

fn run_rules(bench: &Bench<'_>, proposal: &Proposal<'_>) -> Weighed {
    let Bench {
        policy,
        published,
        freezes,
        ..
    } = *bench;
    let zone = policy.zone(proposal.before.origin());
    let findings = new_findings(policy, proposal);
    let is_first = proposal.before.record_count() == 0;
    let judged = |finding: &&Finding| {
        // A zone that comes to us with errors is served with them, as other servers do.
        finding.severity == Severity::Fatal
            || finding.severity == Severity::Error && (!is_first || zone.strict)
    };
    let new_findings: Vec<NewFinding> = findings
        .iter()
        .filter(judged)
        .map(|finding| NewFinding {
            fatal: finding.severity == Severity::Fatal || is_first,
            sentence: finding.to_string(),
        })
        .collect();
    let origin = proposal.before.origin();
    let concerned = bench.reach.borrow().through(policy, published, origin);
    let counted = members::counted(policy, published, proposal.after_view, origin, concerned);
    let verdict = guard::evaluate(
        proposal.before,
        &Change {
            operations: proposal.operations,
            diff: proposal.diff,
        },
        proposal.after,
        &Facts {
            path: proposal.asker.path,
            actor: proposal.asker.actor,
            permits: policy.permits(proposal.asker.actor),
            source: proposal.asker.source,
            scope: zone.scope,
            freezes,
            counted: &counted,
            findings: &new_findings,
            validate: zone.validate,
            ttl: zone.ttl,
            override_: proposal.asker.override_,
        },
    );
    let warnings = findings
        .iter()
        .filter(|f| !judged(f))
        .map(Finding::to_string)
        .collect();
    Weighed { verdict, warnings }
}

/// Findings of the zone as it would become that the zone served does not have.
fn new_findings(policy: &Policy, proposal: &Proposal<'_>) -> Vec<Finding> {
    let (before, after) = (proposal.before, proposal.after);
    // A zone that goes is not judged for what it lacks, one that stays as it is for what it has.
    if proposal.after_view.zone(before.origin()).is_none() || proposal.diff.is_empty() {
        return Vec::new();
    }
    if matches!(proposal.asker.path, Path::Update | Path::HandEdit) {
        return check::added(before, proposal.diff, after, &policy.limits);
    }
    let had: HashSet<Finding> = match before.record_count() {
        0 => HashSet::new(),
        _ => check::full(before, &policy.limits).into_iter().collect(),
    };
    let mut findings = check::full(after, &policy.limits);
    if proposal.asker.path == Path::Import {
        findings.extend(check::of_digest(after));
    }
    findings.retain(|finding| !had.contains(finding));
    findings
}
