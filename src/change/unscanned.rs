//! Updates that the prescan does not let through (RFC 2136 §3.4.1).

use super::judge::{Bench, Decision, Judged, failed, refusal};
use super::weigh::{Asker, Proposal, weigh};
use super::{RefusedWhy, Submission};
use crate::update;
use crate::zone::{Diff, ZoneImage};

/// An update that the prescan does not let through. Who may not do the rest of it is told that,
/// since permission comes first (RFC 2136 §3.3, §3.4).
pub(super) fn judge(
    bench: &Bench<'_>,
    submission: &Submission,
    message: &update::UpdateMessage,
    image: &ZoneImage,
    failure: update::Failure,
) -> Judged {
    let operations = update::readable(message, &submission.zone);
    let weighed = weigh(
        bench,
        &Proposal {
            asker: Asker::of(submission),
            before: image,
            operations: &operations,
            diff: &Diff::default(),
            after: image,
            after_view: bench.published,
        },
    );
    match refusal(&weighed.verdict) {
        Some(
            decision @ Decision::Refused {
                why: RefusedWhy::Prohibited,
                ..
            },
        ) => Judged {
            operations,
            verdict: Some(weighed.verdict),
            ..Judged::plain(decision)
        },
        _ => failed(failure),
    }
}
