//! Ways out of a hold, other than rows that are put right by hand: `zone accept` takes the rows as
//! they are, an update puts right all that is wrong with them.

use super::account::Moment;
use super::judge::{self, Decision, Judged};
use super::reconcile::{Desk, build, with_touched};
use super::turn::Turn;
use super::{RefusedWhy, Submission};
use crate::rr::{Name, Rtype};
use crate::store::{StoreError, Transaction};
use crate::update::{self, UpdateMessage};
use crate::zone::{Diff, Operation, ZoneImage};

/// Judges `zone accept`: the live rows of a zone that holds are taken as they are, by the rules of
/// the command line.
pub(super) fn judge_acceptance(
    desk: &Desk<'_>,
    tx: &Transaction<'_>,
    turn: &Turn,
    submission: &Submission,
    moment: Moment,
) -> Result<Judged, StoreError> {
    let origin = &submission.zone;
    let refused = |reason: String, accepted: &str| {
        Judged::plain(Decision::Refused {
            rule: "accept".into(),
            reason,
            accepted: accepted.to_owned(),
            why: RefusedWhy::Guard,
        })
    };
    match tx.zone(origin)? {
        Some(Ok(_)) => {}
        Some(Err(bad)) => {
            return Ok(refused(
                bad.to_string(),
                "a row that can be read; `lastgood status` says how to put it right",
            ));
        }
        None => {
            return Ok(refused(
                format!("the store does not know {origin}"),
                "`lastgood snapshot restore`, or a zone that the store has",
            ));
        }
    }
    let loaded = tx.load(origin)?;
    let (image, flaw) = build(origin, &loaded);
    if let Some(flaw) = flaw {
        return Ok(refused(
            flaw,
            "rows that can be read; `lastgood status` says which cannot",
        ));
    }
    Ok(judge::judge_replacement(
        &desk.bench(turn, moment),
        submission,
        image,
        None,
    ))
}

/// The live rows of a zone that holds, where an update might put them right: all of them can be read,
/// and it says something of every name at which they differ from what is served.
pub(super) fn rows_to_mend(
    desk: &Desk<'_>,
    tx: &Transaction<'_>,
    turn: &Turn,
    origin: &Name,
    message: &UpdateMessage,
) -> Result<Option<ZoneImage>, StoreError> {
    let held = turn.view.zone(origin).and_then(|served| served.zone());
    let Some(held) = held.filter(|zone| zone.hold.is_some()) else {
        return Ok(None);
    };
    // Known without reading a large zone for every update that is sent meanwhile.
    let contested = desk.contested.get(origin);
    let Some((contested, diff)) =
        contested.and_then(|contested| Some((contested, contested.diff.as_ref()?)))
    else {
        return Ok(None);
    };
    let is_asked = |owner: &Name| message.owners().any(|asked| asked == owner);
    let mut owners = diff
        .changes
        .iter()
        .filter(|change| change.rtype != Rtype::SOA);
    if !owners.all(|change| is_asked(&change.owner)) {
        return Ok(None);
    }
    let row = tx.zone(origin)?.and_then(Result::ok);
    if row.is_none_or(|row| row.revision != held.revision) {
        return Ok(None);
    }
    let (image, flaw) = match contested.beside() {
        Some(beside) => {
            let (_, image, flaw) = with_touched(tx, &held.image, beside)?;
            (image, flaw)
        }
        None => build(origin, &tx.load(origin)?),
    };
    Ok(flaw.is_none().then_some(image))
}

/// Whether the same operations lead from the rows to what they lead to from the image served: then
/// nothing is left of what was wrong with them. Serials may differ, for a new one is given.
pub(super) fn mends(from_served: &ZoneImage, rows: &ZoneImage, operations: &[Operation]) -> bool {
    let from_rows = update::apply(rows, operations).after;
    let Some(soa) = from_served.soa() else {
        return false;
    };
    let from_rows = update::with_serial(&from_rows, soa.serial);
    Diff::between(from_served, &from_rows).is_empty()
}
