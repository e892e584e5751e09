//! The audit row of one submission, and the answer that goes with it.

use serde_json::{Value, json};

use super::judge::{Decision, Judged};
use super::{Outcome, Refused, RefusedWhy, Submission};
use crate::guard::{Actor, Override, Path, Verdict};
use crate::rr::message::{Rcode, ede};
use crate::rr::{Name, Record, Serial};
use crate::store::NewAudit;
use crate::zone::{Diff, Operation};

/// Records beyond this are a number in the audit row; the revision has them all.
const RECORDS_SHOWN: usize = 1_000;

/// When something began, by both clocks.
#[derive(Clone, Copy)]
pub(super) struct Moment {
    pub started: std::time::Instant,
    pub unix_us: i64,
}

impl Moment {
    pub(super) fn now() -> Moment {
        let since = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap_or_default();
        Moment {
            started: std::time::Instant::now(),
            unix_us: i64::try_from(since.as_micros()).unwrap_or(i64::MAX),
        }
    }

    pub(super) fn unix_secs(self) -> u64 {
        u64::try_from(self.unix_us / 1_000_000).unwrap_or(0)
    }

    /// RFC 3339, UTC, to the second.
    pub(super) fn text(self) -> String {
        utc(self.unix_us)
    }

    fn elapsed_us(self) -> u64 {
        u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX)
    }
}

/// RFC 3339, to the second.
pub(super) fn utc(unix_us: i64) -> String {
    jiff::Timestamp::from_second(unix_us / 1_000_000)
        .map_or_else(|_| "unknown".into(), |time| time.to_string())
}

/// Where the zone stood and stands.
#[derive(Clone, Copy, Default)]
pub(super) struct Course {
    pub base_revision: Option<u64>,
    pub revision: Option<u64>,
    pub old_serial: Option<Serial>,
    pub new_serial: Option<Serial>,
}

/// The part of an audit row that says what was asked and how it was judged.
pub(super) struct Account<'a> {
    pub operations: &'a [Operation],
    pub diff: &'a Diff,
    pub ignored: &'a [String],
    pub warnings: &'a [String],
    pub verdict: Option<&'a Verdict>,
    pub accepted: Option<&'a str>,
    pub override_: Option<&'a Override>,
}

impl Account<'_> {
    pub(super) fn detail(&self) -> Value {
        json!({
            "operations": shown(self.operations.iter().map(ToString::to_string)),
            "removed": shown(self.diff.removed().map(|record: Record| record.to_string())),
            "added": shown(self.diff.added().map(|record: Record| record.to_string())),
            "ignored": shown(self.ignored.iter().cloned()),
            "warnings": shown(self.warnings.iter().cloned()),
            "rules": self.verdict.map(|verdict| &verdict.rules),
            "would_be_accepted": self.accepted,
            "override": self.override_.map(|o| json!({"rule": o.rule, "reason": o.reason})),
        })
    }
}

fn shown(texts: impl Iterator<Item = String>) -> Vec<String> {
    let mut texts = texts.peekable();
    let mut first: Vec<String> = texts.by_ref().take(RECORDS_SHOWN).collect();
    if texts.peek().is_some() {
        first.push(format!("and {} more", texts.count()));
    }
    first
}

/// What came of a change, in the words of the audit.
#[derive(Clone, Copy)]
pub(super) struct Told<'a> {
    outcome: &'a str,
    rule: Option<&'a str>,
    reason: &'a str,
    pub accepted: Option<&'a str>,
    rcode: Rcode,
    ede: Option<u16>,
}

impl Told<'_> {
    pub(super) const COMMITTED: Told<'static> = Told {
        outcome: "committed",
        rule: None,
        reason: "",
        accepted: None,
        rcode: Rcode::NoError,
        ede: None,
    };

    pub(super) fn of(decision: &Decision) -> Told<'_> {
        match decision {
            Decision::Commit(_) | Decision::Remove => Told::COMMITTED,
            Decision::Unchanged => Told {
                outcome: "unchanged",
                ..Told::COMMITTED
            },
            Decision::Refused {
                rule,
                reason,
                accepted,
                why,
            } => Told {
                outcome: "refused",
                rule: Some(rule),
                reason,
                accepted: Some(accepted),
                rcode: Rcode::Refused,
                ede: Some(match why {
                    RefusedWhy::Guard => ede::OTHER,
                    RefusedWhy::Prohibited => ede::PROHIBITED,
                    RefusedWhy::NotReady => ede::NOT_READY,
                }),
            },
            Decision::Failed { rcode, reason } => Told {
                outcome: "failed",
                reason,
                rcode: *rcode,
                ..Told::COMMITTED
            },
        }
    }
}

/// The audit row of a judged submission.
pub(super) fn row<'a>(
    submission: &'a Submission,
    judged: &'a Judged,
    course: Course,
    moment: Moment,
    mac: Option<&'a [u8]>,
) -> NewAudit<'a> {
    let told = Told::of(&judged.decision);
    let account = Account {
        operations: &judged.operations,
        diff: &judged.diff,
        ignored: &judged.ignored,
        warnings: &judged.warnings,
        verdict: judged.verdict.as_ref(),
        accepted: told.accepted,
        override_: submission.override_.as_ref(),
    };
    let (zone, path, actor) = (&submission.zone, submission.path, &submission.actor);
    NewAudit {
        source: submission.source.map(|source| source.to_string()),
        transport: submission.transport,
        mac: mac.filter(|_| matches!(judged.decision, Decision::Commit(_) | Decision::Unchanged)),
        ..entry(zone, (path, actor), &account, course, moment, told)
    }
}

/// The audit row of what came from nowhere outside.
pub(super) fn entry<'a>(
    zone: &'a Name,
    (path, actor): (Path, &'a Actor),
    account: &Account<'_>,
    course: Course,
    moment: Moment,
    told: Told<'a>,
) -> NewAudit<'a> {
    NewAudit {
        at_unix_us: moment.unix_us,
        path: path.as_str(),
        actor: &actor.name,
        source: None,
        transport: None,
        zone: Some(zone),
        base_revision: course.base_revision,
        revision: course.revision,
        old_serial: course.old_serial.map(|serial| serial.0),
        new_serial: course.new_serial.map(|serial| serial.0),
        outcome: told.outcome,
        rule: told.rule,
        reason: told.reason,
        rcode: told.rcode.as_str(),
        ede: told.ede,
        mac: None,
        detail: account.detail(),
        duration_us: moment.elapsed_us(),
    }
}

/// One line for every refusal, with what somebody looking for it would search by.
pub(super) fn log_refusal(zone: &Name, actor: &Actor, refused: &Refused) {
    tracing::warn!(
        zone = %zone,
        actor = %actor.name,
        guard = %refused.rule,
        reference = %refused.reference,
        accepted = %refused.accepted,
        "refused: {}",
        refused.reason
    );
}

/// The outcome of a submission that could not be judged because the store is gone.
pub(super) fn refused_without_store(reason: &str) -> Outcome {
    Outcome::Refused(Refused {
        reference: String::new(),
        rule: "hold".into(),
        reason: reason.to_owned(),
        accepted: "bring the store back; `lastgood status` says how".into(),
        why: RefusedWhy::NotReady,
    })
}
