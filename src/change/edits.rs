//! Edits by hand: judged alone or together, taken in as a revision, or the reason why a zone holds.

use std::collections::{BTreeSet, HashSet};

use super::account::{self, Account, Course, Moment, Told};
use super::judge::{self, Bench, Commit, Decision};
use super::reconcile::{Case, Desk};
use super::repair;
use super::turn::{Note, Turn};
use super::weigh::{self, Asker, Proposal, Weighed};
use crate::answer;
use crate::guard::{Actor, Path};
use crate::publish;
use crate::rr::{Key, Name};
use crate::store::{Content, NewRevision, StoreError, Transaction};
use crate::zone::{Diff, Published};

/// Why a zone's rows are not fit to be served.
pub(super) struct Unfit {
    pub reason: String,
    pub refusal: Option<Decision>,
    /// The rows are fit, but nobody is known to have changed them.
    pub is_damage: bool,
    verdict: Option<crate::guard::Verdict>,
}

impl Unfit {
    pub(super) fn plain(reason: String) -> Unfit {
        Unfit {
            reason,
            refusal: None,
            is_damage: false,
            verdict: None,
        }
    }

    pub(super) fn damage(reason: String) -> Unfit {
        Unfit {
            is_damage: true,
            ..Unfit::plain(reason)
        }
    }

    fn refused(refusal: Decision, verdict: crate::guard::Verdict) -> Unfit {
        let reason = match &refusal {
            Decision::Refused { rule, reason, .. } => {
                format!("an edit by hand was refused by {rule}: {reason}")
            }
            _ => unreachable!("only a refusal is told as one"),
        };
        Unfit {
            refusal: Some(refusal),
            verdict: Some(verdict),
            ..Unfit::plain(reason)
        }
    }
}

/// Changes beyond this are not remembered: no update could put them right.
const REMEMBERED_MAX: usize = 8_192;

/// The rows of a zone that holds, as they were when last judged.
pub(super) struct Contested {
    /// What these rows add up to.
    content: Content,
    /// They were told of in the audit, so that one edit is told of once.
    is_told: bool,
    /// As in [`Case::beside`].
    beside_touched: Option<BTreeSet<String>>,
    /// From what is served to the rows, where every row can be read and they are not too many.
    pub diff: Option<Diff>,
    /// The zones that protected names are looked up through, as these rows would have them; empty
    /// where it is no rule that refuses them.
    beside: BTreeSet<Name>,
}

impl Contested {
    fn of(desk: &Desk<'_>, turn: &Turn, case: &Case, unfit: &Unfit) -> Contested {
        let is_known = case.loaded.bad.is_empty() && case.diff.changes.len() <= REMEMBERED_MAX;
        Contested {
            content: Content {
                digest: case.image.digest(),
                bad: case.loaded.bad.len(),
            },
            is_told: true,
            beside_touched: case.beside.clone(),
            diff: is_known.then(|| case.diff.clone()),
            beside: match unfit.refusal {
                Some(_) => beside(desk, turn, case),
                None => BTreeSet::new(),
            },
        }
    }

    /// Whether a change of that other zone may make these rows fit.
    pub(super) fn depends_on(&self, zone: &Name) -> bool {
        self.beside.contains(zone)
    }

    /// As in [`Case::beside`].
    pub(super) fn beside(&self) -> Option<&BTreeSet<String>> {
        self.beside_touched.as_ref()
    }

    /// Whether these are the rows that a scrub found, so that there is nothing new to be seen.
    pub(super) fn is(&self, content: Option<&Content>) -> bool {
        content == Some(&self.content)
    }

    /// What was said of them was rolled back.
    pub(super) fn is_to_be_told(&mut self) {
        self.is_told = false;
    }

    pub(super) fn is_refused(&self) -> bool {
        !self.beside.is_empty()
    }
}

fn beside(desk: &Desk<'_>, turn: &Turn, case: &Case) -> BTreeSet<Name> {
    let origin = case.served.origin();
    let view = with(&turn.view, case);
    let bench = desk.bench(turn, Moment::now());
    let protections = bench.reach.borrow();
    let protections = protections.through(bench.policy, bench.published, origin);
    let mut zones = BTreeSet::from([origin.clone()]);
    for protection in protections {
        for &rtype in &protection.types {
            zones.extend(answer::members(&view, &protection.name, rtype).zones);
        }
    }
    zones
}

pub(super) fn by_hand() -> Actor {
    Actor {
        name: "edit by hand".into(),
        key: None,
    }
}

/// Judges rows that differ from what is served; takes them in, or says why not.
pub(super) fn edit(
    desk: &mut Desk<'_>,
    tx: &Transaction<'_>,
    turn: &mut Turn,
    case: &Case,
) -> Result<Option<Unfit>, StoreError> {
    let moment = Moment::now();
    if let Some(owner) = damaged(&case.diff, &case.loaded.touched) {
        return Ok(Some(Unfit::damage(format!(
            "the rows of {owner} changed without a trace of who did it: this is damage"
        ))));
    }
    let after_view = with(&turn.view, case);
    let weighed = weigh(&desk.bench(turn, moment), case, &after_view);
    match judge::refusal(&weighed.verdict) {
        Some(refusal) => Ok(Some(Unfit::refused(refusal, weighed.verdict))),
        None => accept(desk, tx, turn, case, &weighed, moment),
    }
}

fn with(view: &Published, case: &Case) -> Published {
    publish::live(view, case.image.clone(), case.revision + 1)
}

fn weigh(bench: &Bench<'_>, case: &Case, after_view: &Published) -> Weighed {
    weigh::weigh(
        bench,
        &Proposal {
            asker: Asker::by_hand(&by_hand()),
            before: &case.served,
            operations: &[],
            diff: &case.diff,
            after: &case.image,
            after_view,
        },
    )
}

/// Edits of several zones that are unfit each without the others, and fit together, are taken in
/// together. Returned is what is still unfit.
pub(super) fn jointly(
    desk: &mut Desk<'_>,
    tx: &Transaction<'_>,
    turn: &mut Turn,
    unfit: Vec<(Case, Unfit)>,
) -> Result<Vec<(Case, Unfit)>, StoreError> {
    let moment = Moment::now();
    let (mut together, mut apart): (Vec<_>, Vec<_>) = unfit
        .into_iter()
        .partition(|(_, unfit)| unfit.refusal.is_some());
    // Those that are refused even with all the others in are left out, until the rest is fit.
    while together.len() > 1 {
        let after_view = together
            .iter()
            .fold(turn.view.clone(), |view, (case, _)| with(&view, case));
        let bench = desk.bench(turn, moment);
        let weighed: Vec<Weighed> = together
            .iter()
            .map(|(case, _)| weigh(&bench, case, &after_view))
            .collect();
        let is_fit = |weighed: &Weighed| judge::refusal(&weighed.verdict).is_none();
        if weighed.iter().all(is_fit) {
            for ((case, _), weighed) in together.into_iter().zip(weighed) {
                if let Some(unfit) = accept(desk, tx, turn, &case, &weighed, moment)? {
                    apart.push((case, unfit));
                }
            }
            return Ok(apart);
        }
        let (fit, refused): (Vec<_>, Vec<_>) = together
            .into_iter()
            .zip(weighed)
            .partition(|(_, weighed)| is_fit(weighed));
        together = fit.into_iter().map(|(case, _)| case).collect();
        apart.extend(refused.into_iter().map(|(case, _)| case));
    }
    apart.extend(together);
    Ok(apart)
}

/// Makes fit rows that somebody edited a revision of their own.
fn accept(
    desk: &mut Desk<'_>,
    tx: &Transaction<'_>,
    turn: &mut Turn,
    case: &Case,
    weighed: &Weighed,
    moment: Moment,
) -> Result<Option<Unfit>, StoreError> {
    let Case { served, image, .. } = case;
    let origin = served.origin();
    let old = served.soa().map(|soa| soa.serial);
    let new = image.soa().map(|soa| soa.serial);
    let behind = old.filter(|&old| new.is_none_or(|new| !new.is_after(old)));
    let bench = desk.bench(turn, moment);
    let decision = judge::commit(&bench, served, image.clone(), behind, false);
    let Decision::Commit(commit) = decision else {
        return Ok(Some(Unfit::plain("the zone has no SOA".into())));
    };
    let account = Account {
        operations: &[],
        diff: &case.diff,
        ignored: &[],
        warnings: &weighed.warnings,
        verdict: Some(&weighed.verdict),
        accepted: None,
        override_: None,
    };
    let course = Course {
        base_revision: Some(case.revision),
        old_serial: old,
        ..Course::default()
    };
    let (next, reference) = take_in(tx, &commit, &account, course, moment)?;
    desk.contested.remove(origin);
    turn.change(commit.after, next, &commit.diff);
    turn.observe(origin, Some(&weighed.verdict), &reference);
    turn.notes.push(Note::Edited {
        zone: origin.clone(),
        reference,
        moment,
        removed: case.diff.removed().count(),
        added: case.diff.added().count(),
    });
    Ok(None)
}

/// Makes rows that somebody edited a revision of their own: its number, and its audit row's
/// reference.
pub(super) fn take_in(
    tx: &Transaction<'_>,
    commit: &Commit,
    account: &Account<'_>,
    course: Course,
    moment: Moment,
) -> Result<(u64, String), StoreError> {
    let (origin, actor) = (commit.after.origin(), by_hand());
    tx.rewrite_rrsets(origin, &commit.diff)?;
    tx.clear_touched(origin)?;
    let revision = tx.add_revision(NewRevision {
        zone: origin,
        path: Path::HandEdit.as_str(),
        actor: &actor.name,
        old_serial: course.old_serial.map(|serial| serial.0),
        new_serial: commit.new_serial.0,
        digest: commit.after.digest(),
        at_unix_us: moment.unix_us,
        diff: &commit.diff,
    })?;
    let course = Course {
        revision: Some(revision),
        new_serial: Some(commit.new_serial),
        ..course
    };
    let by = (Path::HandEdit, &actor);
    let row = account::entry(origin, by, account, course, moment, Told::COMMITTED);
    Ok((revision, tx.add_audit(row)?))
}

/// The first owner that differs and that no trigger noted.
pub(super) fn damaged(diff: &Diff, touched: &[String]) -> Option<Name> {
    let touched: HashSet<Key> = touched
        .iter()
        .filter_map(|owner| owner.parse::<Name>().ok())
        .map(|owner| owner.key())
        .collect();
    let owner = diff
        .changes
        .iter()
        .find(|change| !touched.contains(&change.owner.key()));
    owner.map(|change| change.owner.clone())
}

pub(super) fn hold(
    desk: &mut Desk<'_>,
    tx: &Transaction<'_>,
    turn: &mut Turn,
    case: &Case,
    unfit: &Unfit,
) -> Result<(), StoreError> {
    let Case {
        served,
        image,
        diff,
        ..
    } = case;
    let origin = served.origin();
    let ids: Vec<i64> = case.loaded.bad.iter().map(|row| row.id).collect();
    let mut mend = repair::sql(desk.path, origin, &ids, diff);
    mend.push_str(&format!("\n{}", repair::restore_hint(origin)));
    match &unfit.refusal {
        Some(Decision::Refused { rule, .. }) => {
            if let Some(hint) = repair::accept_hint_for(origin, rule) {
                mend.push_str(&format!("\n{hint}"));
            }
        }
        None if unfit.is_damage => {
            mend.push_str(&format!("\n{}", repair::accept_plain_hint(origin)));
        }
        _ => {}
    }
    let contested = Contested::of(desk, turn, case, unfit);
    let seen = desk.contested.insert(origin.clone(), contested);
    let is_told = seen.is_some_and(|seen| seen.is_told && seen.content.digest == image.digest());
    if let Some(refusal) = &unfit.refusal
        && !is_told
    {
        let (actor, moment, told) = (by_hand(), Moment::now(), Told::of(refusal));
        let account = Account {
            operations: &[],
            diff,
            ignored: &[],
            warnings: &[],
            verdict: unfit.verdict.as_ref(),
            accepted: told.accepted,
            override_: None,
        };
        let course = Course {
            base_revision: Some(case.revision),
            old_serial: served.soa().map(|soa| soa.serial),
            ..Course::default()
        };
        let by = (Path::HandEdit, &actor);
        let reference = tx.add_audit(account::entry(origin, by, &account, course, moment, told))?;
        turn.observe(origin, unfit.verdict.as_ref(), &reference);
        turn.notes
            .push(Note::refused(origin, &actor, refusal, reference, moment));
    }
    turn.hold(origin, &unfit.reason, mend);
    Ok(())
}
