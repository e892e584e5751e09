//! One submission, judged on images in memory: nothing is written here, and the same inputs always
//! give the same decision.

use std::collections::HashSet;

use super::{Body, Policy, RefusedWhy, Submission, members};
use crate::check::{self, Finding, Severity};
use crate::guard::{self, Change, Facts, Freeze, NewFinding, Override, Path, Verdict};
use crate::publish;
use crate::rr::message::Rcode;
use crate::rr::{Name, Record, Serial};
use crate::store::ZoneRow;
use crate::update;
use crate::zone::{Diff, Operation, Published, ServedZone, ZoneImage};

/// What is to be done, and everything that the audit row tells of it.
pub(super) struct Judged {
    pub decision: Decision,
    pub operations: Vec<Operation>,
    /// What was asked, as a diff: without the serial that we raise ourselves.
    pub diff: Diff,
    pub verdict: Option<Verdict>,
    pub ignored: Vec<String>,
    pub warnings: Vec<String>,
}

pub(super) enum Decision {
    Commit(Box<Commit>),
    Unchanged,
    Refused {
        rule: String,
        reason: String,
        accepted: String,
        why: RefusedWhy,
    },
    Failed {
        rcode: Rcode,
        reason: String,
    },
}

pub(super) struct Commit {
    pub after: ZoneImage,
    /// From the image served to `after`, the serial included.
    pub diff: Diff,
    pub old_serial: Option<Serial>,
    pub new_serial: Serial,
    /// The rows are not those of the image served: write the zone anew.
    pub whole: bool,
}

/// What rules and checks make of a change.
pub(super) struct Weighed {
    pub verdict: Verdict,
    pub warnings: Vec<String>,
}

/// A change of one zone as the rules see it.
pub(super) struct Proposal<'a> {
    pub submission_path: Path,
    pub actor: &'a guard::Actor,
    pub override_: Option<&'a Override>,
    pub before: &'a ZoneImage,
    pub operations: &'a [Operation],
    pub diff: &'a Diff,
    pub after: &'a ZoneImage,
    pub revision: u64,
}

impl Judged {
    pub(super) fn plain(decision: Decision) -> Judged {
        Judged {
            decision,
            operations: Vec::new(),
            diff: Diff::default(),
            verdict: None,
            ignored: Vec::new(),
            warnings: Vec::new(),
        }
    }
}

fn failed(failure: update::Failure) -> Judged {
    Judged::plain(Decision::Failed {
        rcode: failure.rcode,
        reason: failure.reason,
    })
}

pub(super) fn not_ready(zone: &Name, reason: &str) -> Decision {
    Decision::Refused {
        rule: "hold".into(),
        reason: format!("{zone} holds: {reason}"),
        accepted: "repair the live data first; `lastgood status` says how".into(),
        why: RefusedWhy::NotReady,
    }
}

/// Runs the rules over a proposal.
pub(super) fn weigh(
    policy: &Policy,
    published: &Published,
    freezes: &[Freeze],
    proposal: &Proposal<'_>,
) -> Weighed {
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
    let after = publish::live(published, proposal.after.clone(), proposal.revision);
    let counted = members::counted(policy, published, &after, proposal.before.origin());
    let verdict = guard::evaluate(
        proposal.before,
        &Change {
            operations: proposal.operations,
            diff: proposal.diff,
        },
        proposal.after,
        &Facts {
            path: proposal.submission_path,
            actor: proposal.actor,
            permits: policy.permits(proposal.actor),
            freezes,
            counted: &counted,
            findings: &new_findings,
            validate: zone.validate,
            override_: proposal.override_,
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
    if proposal.submission_path == Path::Update {
        return check::added(before, proposal.diff, after, &policy.limits);
    }
    let had: HashSet<Finding> = match before.record_count() {
        0 => HashSet::new(),
        _ => check::full(before, &policy.limits).into_iter().collect(),
    };
    let mut findings = check::full(after, &policy.limits);
    findings.retain(|finding| !had.contains(finding));
    findings
}

/// Judges one submission about a zone against what is published; an import against what the store
/// has of its zone too.
pub(super) fn judge(
    policy: &Policy,
    published: &Published,
    freezes: &[Freeze],
    submission: &Submission,
    stored: Option<&ZoneRow>,
    now_unix: u64,
) -> Judged {
    match &submission.body {
        Body::Update { message, .. } => {
            judge_update(policy, published, freezes, submission, message, now_unix)
        }
        Body::Import { records, replace } => judge_import(
            policy,
            published,
            freezes,
            submission,
            (records, *replace, stored),
            now_unix,
        ),
        Body::Freeze { .. } | Body::Thaw { .. } => Judged::plain(Decision::Unchanged),
    }
}

fn judge_update(
    policy: &Policy,
    published: &Published,
    freezes: &[Freeze],
    submission: &Submission,
    message: &update::UpdateMessage,
    now_unix: u64,
) -> Judged {
    let origin = &submission.zone;
    let Some(served) = published.zone(origin) else {
        return Judged::plain(Decision::Failed {
            rcode: Rcode::NotAuth,
            reason: format!("{origin} is not a zone of this server"),
        });
    };
    // Before anything that would tell a stranger what the zone holds.
    if !guard::may_touch(policy.permits(&submission.actor), origin) {
        return Judged::plain(Decision::Refused {
            rule: "scope".into(),
            reason: format!("{} has no right in {origin}", submission.actor.name),
            accepted: "an `allow` entry for this zone in the key's stanza".into(),
            why: RefusedWhy::Prohibited,
        });
    }
    let zone = match served.zone() {
        Some(ServedZone {
            hold: Some(hold), ..
        }) => {
            return Judged::plain(not_ready(origin, &hold.reason));
        }
        None => return Judged::plain(not_ready(origin, "it has no data fit to be served")),
        Some(zone) => zone,
    };
    if let Err(failure) = update::check_prerequisites(message, &zone.image) {
        return failed(failure);
    }
    let operations = match update::prescan(message, origin) {
        Ok(operations) => operations,
        Err(failure) => return failed(failure),
    };
    let applied = update::apply(&zone.image, &operations);
    let weighed = weigh(
        policy,
        published,
        freezes,
        &Proposal {
            submission_path: submission.path,
            actor: &submission.actor,
            override_: submission.override_.as_ref(),
            before: &zone.image,
            operations: &operations,
            diff: &applied.diff,
            after: &applied.after,
            revision: zone.revision + 1,
        },
    );
    let decision = match refusal(&weighed.verdict) {
        Some(refused) => refused,
        None if applied.diff.is_empty() => Decision::Unchanged,
        None => {
            let old = zone.image.soa().map(|soa| soa.serial);
            let set = applied.serial_set;
            let serial = (policy.zone(origin).serial, old.filter(|_| !set));
            commit(&zone.image, applied.after, serial, now_unix, false)
        }
    };
    Judged {
        decision,
        operations,
        diff: applied.diff,
        verdict: Some(weighed.verdict),
        ignored: applied.ignored,
        warnings: weighed.warnings,
    }
}

fn judge_import(
    policy: &Policy,
    published: &Published,
    freezes: &[Freeze],
    submission: &Submission,
    (records, replace, stored): (&[Record], bool, Option<&ZoneRow>),
    now_unix: u64,
) -> Judged {
    let origin = &submission.zone;
    let zone = published.zone(origin).and_then(|served| served.zone());
    // Rows that cannot be served are rows all the same, and may be repaired.
    let stored = stored.filter(|row| row.revision > 0);
    if (zone.is_some() || stored.is_some()) && !replace {
        return Judged::plain(Decision::Refused {
            rule: "import".into(),
            reason: match zone {
                Some(_) => format!("{origin} is served already"),
                None => format!("the store has rows of {origin}, which are not fit to be served"),
            },
            accepted: "the same with --replace".into(),
            why: RefusedWhy::Guard,
        });
    }
    let after = match ZoneImage::from_records(origin.clone(), records.iter().cloned()) {
        Ok(after) => after,
        Err(outside) => {
            return Judged::plain(Decision::Failed {
                rcode: Rcode::NotZone,
                reason: outside.to_string(),
            });
        }
    };
    let before = match zone {
        Some(zone) => (*zone.image).clone(),
        None => ZoneImage::empty(origin.clone()),
    };
    let diff = Diff::between(&before, &after);
    let weighed = weigh(
        policy,
        published,
        freezes,
        &Proposal {
            submission_path: submission.path,
            actor: &submission.actor,
            override_: submission.override_.as_ref(),
            before: &before,
            operations: &[],
            diff: &diff,
            after: &after,
            revision: zone.map_or(1, |zone| zone.revision + 1),
        },
    );
    let held = zone.is_some_and(|zone| zone.hold.is_some());
    let decision = match refusal(&weighed.verdict) {
        Some(refused) => refused,
        None if diff.is_empty() && !held => Decision::Unchanged,
        None => {
            let served = before.soa().map(|soa| soa.serial);
            let old = served.or_else(|| stored?.serial.map(Serial));
            let new = after.soa().map(|soa| soa.serial);
            // Secondaries follow a serial that goes forward and no other.
            let behind = old.filter(|&old| new.is_none_or(|new| !new.is_after(old)));
            let serial = (policy.zone(origin).serial, behind);
            commit(&before, after, serial, now_unix, zone.is_none() || held)
        }
    };
    Judged {
        decision,
        operations: Vec::new(),
        diff,
        verdict: Some(weighed.verdict),
        ignored: Vec::new(),
        warnings: weighed.warnings,
    }
}

pub(super) fn refusal(verdict: &Verdict) -> Option<Decision> {
    verdict.refusal.as_ref().map(|refusal| Decision::Refused {
        rule: refusal.rule.to_owned(),
        reason: refusal.reason.clone(),
        accepted: refusal.accepted.clone(),
        why: match refusal.rule {
            "scope" => RefusedWhy::Prohibited,
            "freeze" => RefusedWhy::NotReady,
            _ => RefusedWhy::Guard,
        },
    })
}

/// The commit of `after`, its serial raised above the one to be passed, if one is given.
pub(super) fn commit(
    before: &ZoneImage,
    after: ZoneImage,
    (policy, pass): (update::SerialPolicy, Option<Serial>),
    now_unix: u64,
    whole: bool,
) -> Decision {
    let after = match pass {
        Some(old) => update::with_serial(&after, update::next_serial(policy, old, now_unix)),
        None => after,
    };
    let Some(new_serial) = after.soa().map(|soa| soa.serial) else {
        // Only with `validate` switched off does a zone without SOA come this far.
        return Decision::Refused {
            rule: "validate".into(),
            reason: format!("{} would have no SOA", after.origin()),
            accepted: "a zone with one SOA at its apex".into(),
            why: RefusedWhy::Guard,
        };
    };
    Decision::Commit(Box::new(Commit {
        diff: Diff::between(before, &after),
        old_serial: before.soa().map(|soa| soa.serial),
        new_serial,
        after,
        whole,
    }))
}
