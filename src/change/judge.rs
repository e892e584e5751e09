//! One submission, judged on images in memory: nothing is written here, and the same inputs always
//! give the same decision.

use std::cell::RefCell;
use std::collections::HashMap;

use super::ending;
use super::reach::Reach;
use super::weigh::{Asker, Proposal, weigh};
use super::{Body, Policy, RefusedWhy, Submission, unscanned};
use crate::check::{self, Finding};
use crate::guard::{self, Freeze, Verdict};
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
    /// The zone goes, with all its records.
    Remove,
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

/// What every change is judged against.
#[derive(Clone, Copy)]
pub(super) struct Bench<'a> {
    pub reach: &'a RefCell<Reach>,
    pub policy: &'a Policy,
    pub published: &'a Published,
    pub freezes: &'a [Freeze],
    /// Serials that may have been served, by zone.
    pub ceilings: &'a HashMap<Name, u32>,
    pub now_unix: u64,
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

pub(super) fn failed(failure: update::Failure) -> Judged {
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

/// What the store has of a zone, where that counts beside what is published.
#[derive(Clone, Copy, Default)]
pub(super) struct Stored<'a> {
    /// For an import.
    pub zone: Option<&'a ZoneRow>,
    /// For an update of a zone that holds, where it may put them right.
    pub rows: Option<&'a ZoneImage>,
}

/// Judges one submission about a zone against what is published, and against what the store has.
pub(super) fn judge(bench: &Bench<'_>, submission: &Submission, stored: Stored<'_>) -> Judged {
    match &submission.body {
        Body::Update { message, .. } => judge_update(bench, submission, message, stored.rows),
        Body::Import { records, replace } => {
            judge_import(bench, submission, (records, *replace), stored.zone)
        }
        Body::Remove => judge_removal(bench, submission),
        Body::Restore => judge_restore(bench, submission),
        Body::Accept | Body::Freeze { .. } | Body::Thaw { .. } => {
            Judged::plain(Decision::Unchanged)
        }
    }
}

/// The zone that an update may change, or why it may not.
fn updatable<'a>(
    bench: &Bench<'a>,
    submission: &Submission,
    rows: Option<&ZoneImage>,
) -> Result<&'a ServedZone, Box<Judged>> {
    let origin = &submission.zone;
    let no = |decision| Box::new(Judged::plain(decision));
    let Some(served) = bench.published.zone(origin) else {
        return Err(no(Decision::Failed {
            rcode: Rcode::NotAuth,
            reason: format!("{origin} is not a zone of this server"),
        }));
    };
    // Before anything that would tell a stranger what the zone holds.
    if let Some(refused) = stranger(bench, submission) {
        return Err(no(refused));
    }
    match served.zone() {
        Some(ServedZone {
            hold: Some(hold), ..
        }) if rows.is_none() => Err(no(not_ready(origin, &hold.reason))),
        None => Err(no(not_ready(origin, "it has no data fit to be served"))),
        Some(zone) => Ok(zone),
    }
}

/// Refuses a key that has no right in the zone from where it asks.
pub(super) fn stranger(bench: &Bench<'_>, submission: &Submission) -> Option<Decision> {
    let (origin, actor) = (&submission.zone, &submission.actor.name);
    let permits = bench.policy.permits(&submission.actor);
    let source = submission.source.map(|source| source.ip());
    if guard::may_touch(permits, origin, source) {
        return None;
    }
    let from = source.map(|source| source.to_canonical().to_string());
    let (reason, accepted) = match permits.iter().any(|permit| permit.is_for(origin)) {
        true => (
            format!(
                "{actor} has no right in {origin} from {}",
                from.unwrap_or_else(|| "nowhere".into())
            ),
            "the same from an address in `from` of the key's `allow`",
        ),
        false => (
            format!("{actor} has no right in {origin}"),
            "an `allow` entry for this zone in the key's stanza",
        ),
    };
    Some(Decision::Refused {
        rule: "scope".into(),
        reason,
        accepted: accepted.into(),
        why: RefusedWhy::Prohibited,
    })
}

fn judge_update(
    bench: &Bench<'_>,
    submission: &Submission,
    message: &update::UpdateMessage,
    rows: Option<&ZoneImage>,
) -> Judged {
    let origin = &submission.zone;
    let zone = match updatable(bench, submission, rows) {
        Ok(zone) => zone,
        Err(judged) => return *judged,
    };
    if let Err(failure) = update::check_prerequisites(message, &zone.image) {
        return failed(failure);
    }
    let operations = match update::prescan(message, origin) {
        Ok(operations) => operations,
        Err(failure) => return unscanned::judge(bench, submission, message, &zone.image, failure),
    };
    let applied = update::apply(&zone.image, &operations);
    let weighed = weigh(
        bench,
        &Proposal {
            asker: Asker::of(submission),
            before: &zone.image,
            operations: &operations,
            diff: &applied.diff,
            after: &applied.after,
            after_view: &as_live(bench, &applied.after),
        },
    );
    let mends = rows.map(|rows| ending::mends(&applied.after, rows, &operations));
    let decision = match (refusal(&weighed.verdict), &zone.hold, mends) {
        (Some(refused), ..) => refused,
        (None, Some(hold), Some(false)) => not_ready(origin, &hold.reason),
        (None, Some(_), Some(true)) => {
            let highest = highest_served(bench, origin, &zone.image);
            let own = applied.after.soa().map(|soa| soa.serial);
            let pass = highest.filter(|&high| own.is_none_or(|own| !own.is_after(high)));
            commit(bench, &zone.image, applied.after, pass, true)
        }
        (None, ..) if applied.diff.is_empty() => Decision::Unchanged,
        (None, ..) => {
            let old = zone.image.soa().map(|soa| soa.serial);
            let pass = old.filter(|_| !applied.serial_set);
            commit(bench, &zone.image, applied.after, pass, false)
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

fn as_live(bench: &Bench<'_>, after: &ZoneImage) -> Published {
    // What is counted on it asks for no revision.
    publish::live(bench.published, after.clone(), 0)
}

fn judge_import(
    bench: &Bench<'_>,
    submission: &Submission,
    (records, replace): (&[Record], bool),
    stored: Option<&ZoneRow>,
) -> Judged {
    let origin = &submission.zone;
    let zone = bench
        .published
        .zone(origin)
        .and_then(|served| served.zone());
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
    match ZoneImage::from_records(origin.clone(), records.iter().cloned()) {
        Ok(after) => {
            let mut judged = judge_replacement(bench, submission, after, stored);
            let listed = check::of_records(records);
            judged
                .warnings
                .extend(listed.iter().map(Finding::to_string));
            judged
        }
        Err(outside) => Judged::plain(Decision::Failed {
            rcode: Rcode::NotZone,
            reason: outside.to_string(),
        }),
    }
}

/// Judges a whole zone put in the place of what is served: imported, or the live data of a zone
/// that holds, taken as they are.
pub(super) fn judge_replacement(
    bench: &Bench<'_>,
    submission: &Submission,
    after: ZoneImage,
    stored: Option<&ZoneRow>,
) -> Judged {
    let origin = &submission.zone;
    let zone = bench
        .published
        .zone(origin)
        .and_then(|served| served.zone());
    let before = match zone {
        Some(zone) => (*zone.image).clone(),
        None => ZoneImage::empty(origin.clone()),
    };
    let diff = Diff::between(&before, &after);
    let weighed = weigh(
        bench,
        &Proposal {
            asker: Asker::of(submission),
            before: &before,
            operations: &[],
            diff: &diff,
            after: &after,
            after_view: &as_live(bench, &after),
        },
    );
    let is_live = zone.is_some_and(|zone| zone.hold.is_none());
    let decision = match refusal(&weighed.verdict) {
        Some(refused) => refused,
        None if diff.is_empty() && is_live => Decision::Unchanged,
        None => {
            let new = after.soa().map(|soa| soa.serial);
            let pass = match is_live {
                true => before.soa().map(|soa| soa.serial),
                false => {
                    highest_served(bench, origin, &before).or_else(|| stored?.serial.map(Serial))
                }
            };
            // Secondaries follow a serial that goes forward and no other.
            let pass = pass.filter(|&old| new.is_none_or(|new| !new.is_after(old)));
            commit(bench, &before, after, pass, !is_live)
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

/// The highest serial that anybody can have seen of a zone whose live data were lost.
fn highest_served(bench: &Bench<'_>, origin: &Name, before: &ZoneImage) -> Option<Serial> {
    let ceiling = bench.ceilings.get(origin).map(|&ceiling| Serial(ceiling));
    match (ceiling, before.soa().map(|soa| soa.serial)) {
        (Some(ceiling), Some(serial)) if serial.is_after(ceiling) => Some(serial),
        (Some(ceiling), _) => Some(ceiling),
        (None, serial) => serial,
    }
}

/// Judges `snapshot restore`: the rows are written anew from what is served.
fn judge_restore(bench: &Bench<'_>, submission: &Submission) -> Judged {
    let origin = &submission.zone;
    let refused = |reason: String, accepted: &str| {
        Judged::plain(Decision::Refused {
            rule: "restore".into(),
            reason,
            accepted: accepted.into(),
            why: RefusedWhy::Guard,
        })
    };
    let zone = match bench.published.zone(origin).map(|served| served.zone()) {
        Some(Some(zone)) if zone.hold.is_some() => zone,
        Some(Some(_)) => {
            return refused(
                format!("{origin} does not hold: its live data are what is served"),
                "a zone that holds",
            );
        }
        Some(None) => {
            return refused(
                format!("there is no version of {origin} fit to be served"),
                "`lastgood zone import` of a whole zone",
            );
        }
        None => return not_ours(origin),
    };
    let weighed = weigh(
        bench,
        &Proposal {
            asker: Asker::of(submission),
            before: &zone.image,
            operations: &[],
            diff: &Diff::default(),
            after: &zone.image,
            after_view: bench.published,
        },
    );
    let decision = refusal(&weighed.verdict).unwrap_or_else(|| {
        let pass = highest_served(bench, origin, &zone.image);
        commit(bench, &zone.image, (*zone.image).clone(), pass, true)
    });
    Judged {
        verdict: Some(weighed.verdict),
        ..Judged::plain(decision)
    }
}

fn not_ours(origin: &Name) -> Judged {
    Judged::plain(Decision::Failed {
        rcode: Rcode::NotAuth,
        reason: format!("{origin} is not a zone of this server"),
    })
}

fn judge_removal(bench: &Bench<'_>, submission: &Submission) -> Judged {
    let origin = &submission.zone;
    let Some(served) = bench.published.zone(origin) else {
        return not_ours(origin);
    };
    let empty = ZoneImage::empty(origin.clone());
    let before = served
        .zone()
        .map_or_else(|| empty.clone(), |zone| (*zone.image).clone());
    let diff = Diff::between(&before, &empty);
    let weighed = weigh(
        bench,
        &Proposal {
            asker: Asker::of(submission),
            before: &before,
            operations: &[],
            diff: &diff,
            after: &empty,
            after_view: &bench.published.without(origin),
        },
    );
    Judged {
        decision: refusal(&weighed.verdict).unwrap_or(Decision::Remove),
        diff,
        verdict: Some(weighed.verdict),
        ..Judged::plain(Decision::Unchanged)
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
    bench: &Bench<'_>,
    before: &ZoneImage,
    after: ZoneImage,
    pass: Option<Serial>,
    whole: bool,
) -> Decision {
    let after = match pass {
        Some(old) => {
            let policy = bench.policy.zone(before.origin()).serial;
            update::with_serial(&after, update::next_serial(policy, old, bench.now_unix))
        }
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
