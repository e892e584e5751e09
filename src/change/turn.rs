//! What a group would make true, and what is told once it is.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::account::{self, Moment};
use super::board::{Board, FINDINGS_SHOWN, LastRefusal, LastUpdate};
use super::judge::Decision;
use super::reach::Moved;
use super::{Committed, Refused};
use crate::guard::{Actor, Freeze, Path, Verdict};
use crate::metrics::{Counters, Fate};
use crate::publish;
use crate::rr::{Name, Serial};
use crate::store::{Accepted, Extent};
use crate::zone::{Diff, Published, Served, ZoneImage};

/// Serials reserved at once.
const SERIAL_BLOCK: u32 = 1_000;

/// What a transaction would make true; it becomes so when the transaction is on disk.
pub(super) struct Turn {
    pub view: Published,
    pub freezes: Vec<Freeze>,
    pub notes: Vec<Note>,
    /// Updates that were accepted, and are not to be applied again.
    pub accepted: Vec<Arc<Accepted>>,
    /// What the snapshot is to take over.
    pub promotions: BTreeMap<Name, Extent>,
    pub removed: Vec<Name>,
    /// The end of the audit, where rows were added to it.
    pub audit_head: Option<String>,
    /// What look-ups through zones that changed may have become.
    pub moved: RefCell<Moved>,
}

/// Something to tell once it is true.
pub(super) enum Note {
    Committed {
        zone: Name,
        reference: String,
        actor: Actor,
        moment: Moment,
        outcome: Committed,
    },
    Refused {
        path: Path,
        zone: Name,
        actor: Actor,
        refused: Refused,
        moment: Moment,
        /// As one within the last minute: counted, and not told again.
        again: bool,
    },
    /// What a rule that only observes would have refused.
    Observed {
        zone: Name,
        rule: &'static str,
        reason: String,
        reference: String,
    },
    Edited {
        zone: Name,
        reference: String,
        moment: Moment,
        removed: usize,
        added: usize,
    },
    Admitted {
        zone: Name,
        findings: Vec<String>,
    },
    /// Rows that changed while the server was down.
    Traced {
        zone: Name,
        warning: String,
        reference: String,
    },
    /// With a reason only when it is news.
    Held {
        zone: Name,
        reason: Option<String>,
        mend: String,
    },
    Released {
        zone: Name,
    },
    Removed {
        zone: Name,
        actor: Actor,
        reference: String,
    },
}

impl Note {
    /// Counts edits by hand, and what was observed. What was submitted is counted as it is answered.
    pub(super) fn count(&self, counters: &Counters) {
        let fate = match self {
            Note::Observed { rule, .. } => return counters.observed(rule),
            Note::Edited { .. } => Fate::Committed,
            Note::Refused {
                path: Path::HandEdit,
                refused,
                ..
            } => {
                counters.refusal(&refused.rule);
                Fate::Refused
            }
            _ => return,
        };
        counters.update(Path::HandEdit.as_str(), fate);
    }

    /// The refusal of an edit by hand.
    pub(super) fn refused(
        zone: &Name,
        actor: &Actor,
        decision: &Decision,
        reference: String,
        moment: Moment,
    ) -> Note {
        let refused = refused(decision, reference);
        Note::Refused {
            path: Path::HandEdit,
            zone: zone.clone(),
            actor: actor.clone(),
            refused,
            moment,
            again: false,
        }
    }
}

pub(super) fn refused(decision: &Decision, reference: String) -> Refused {
    match decision {
        Decision::Refused {
            rule,
            reason,
            accepted,
            why,
        } => Refused {
            reference,
            rule: rule.clone(),
            reason: reason.clone(),
            accepted: accepted.clone(),
            why: *why,
        },
        _ => unreachable!("only a refusal is told as one"),
    }
}

impl Turn {
    pub(super) fn new(view: Published, freezes: Vec<Freeze>) -> Turn {
        Turn {
            view,
            freezes,
            notes: Vec::new(),
            accepted: Vec::new(),
            promotions: BTreeMap::new(),
            removed: Vec::new(),
            audit_head: None,
            moved: RefCell::default(),
        }
    }

    /// A fit image that the snapshot has, or will be compared with.
    pub(super) fn serve(&mut self, image: ZoneImage, revision: u64) {
        self.moved.get_mut().note(&self.view, image.origin());
        self.view = publish::live(&self.view, image, revision);
    }

    /// A new revision.
    pub(super) fn change(&mut self, image: ZoneImage, revision: u64, diff: &Diff) {
        self.moved.get_mut().note(&self.view, image.origin());
        let owners = diff
            .changes
            .iter()
            .map(|change| change.owner.clone())
            .collect();
        match self
            .promotions
            .entry(image.origin().clone())
            .or_insert(Extent::Owners(owners))
        {
            Extent::Whole => {}
            Extent::Owners(known) => {
                known.extend(diff.changes.iter().map(|change| change.owner.clone()));
            }
        }
        self.removed.retain(|zone| zone != image.origin());
        self.view = publish::live(&self.view, image, revision);
    }

    /// A zone put in the place of another, or of none.
    pub(super) fn change_whole(&mut self, image: ZoneImage, revision: u64) {
        self.moved.get_mut().note(&self.view, image.origin());
        self.promotions
            .insert(image.origin().clone(), Extent::Whole);
        self.removed.retain(|zone| zone != image.origin());
        self.view = publish::live(&self.view, image, revision);
    }

    pub(super) fn remove(&mut self, zone: &Name) {
        self.moved.get_mut().note(&self.view, zone);
        self.promotions.remove(zone);
        self.removed.push(zone.clone());
        self.view = self.view.without(zone);
    }

    /// Notes what the rules that only observe would have refused.
    pub(super) fn observe(&mut self, zone: &Name, verdict: Option<&Verdict>, reference: &str) {
        let observed = verdict.into_iter().flat_map(Verdict::observed);
        self.notes.extend(observed.map(|rule| Note::Observed {
            zone: zone.clone(),
            rule: rule.rule,
            reason: rule.text.clone(),
            reference: reference.to_owned(),
        }));
    }

    /// The serials that must be reserved before this may be served: in blocks, written ahead.
    pub(super) fn to_reserve(&self, ceilings: &HashMap<Name, u32>) -> Vec<(Name, u32)> {
        let zones = self
            .promotions
            .keys()
            .filter_map(|zone| self.view.zone(zone)?.zone());
        zones
            .filter_map(|zone| {
                let (origin, serial) = (zone.image.origin(), zone.image.soa()?.serial);
                let covers = |ceiling: &u32| !serial.is_after(Serial(*ceiling));
                let is_covered = ceilings.get(origin).is_some_and(covers);
                let ceiling = serial.0.wrapping_add(SERIAL_BLOCK);
                (!is_covered).then(|| (origin.clone(), ceiling))
            })
            .collect()
    }

    pub(super) fn hold(&mut self, zone: &Name, reason: &str, mend: String) {
        // Without data too it takes names over from the zone above it.
        if self.view.zone(zone).is_none() {
            self.moved.get_mut().note(&self.view, zone);
        }
        let known = self.view.zone(zone).is_some_and(|served| match &**served {
            Served::Zone(zone) => zone.hold.as_ref().is_some_and(|hold| hold.reason == reason),
            Served::Unavailable { reason: known, .. } => known == reason,
        });
        self.view = publish::held(&self.view, zone, reason);
        let reason = (!known).then(|| reason.to_owned());
        self.notes.push(Note::Held {
            zone: zone.clone(),
            reason,
            mend,
        });
    }

    pub(super) fn release(&mut self, zone: &Name) {
        let served = self
            .view
            .zone(zone)
            .and_then(|served| served.zone())
            .cloned();
        if let Some(served) = served {
            self.view = publish::live(&self.view, (*served.image).clone(), served.revision);
            self.notes.push(Note::Released { zone: zone.clone() });
        }
    }
}

/// Puts a note on the board.
pub(super) fn show(board: &Board, published: &Published, note: &Note) {
    match note {
        Note::Committed {
            zone,
            reference,
            actor,
            moment,
            ..
        } => {
            board.note_zone(published, zone);
            board.note_update(zone, last_update(reference, *moment, &actor.name));
        }
        Note::Refused {
            zone,
            actor,
            refused,
            moment,
            ..
        } => {
            let last = LastRefusal {
                reference: refused.reference.clone(),
                at: moment.text(),
                actor: actor.name.clone(),
                rule: refused.rule.clone(),
                reason: refused.reason.clone(),
            };
            board.note_refusal(zone, actor, last);
        }
        Note::Edited {
            zone,
            reference,
            moment,
            ..
        } => {
            board.note_zone(published, zone);
            board.note_update(zone, last_update(reference, *moment, "edit by hand"));
        }
        Note::Admitted { zone, findings } => {
            board.note_zone(published, zone);
            board.note_findings(zone, findings);
        }
        Note::Held { zone, mend, .. } => {
            board.note_zone(published, zone);
            board.note_mend(zone, mend.clone());
        }
        Note::Removed { zone, .. } | Note::Released { zone } => board.note_zone(published, zone),
        Note::Observed { .. } | Note::Traced { .. } => {}
    }
}

fn last_update(reference: &str, moment: Moment, actor: &str) -> LastUpdate {
    LastUpdate {
        reference: reference.to_owned(),
        at: moment.text(),
        actor: actor.to_owned(),
    }
}

/// Puts a note in the log.
pub(super) fn log(note: &Note) {
    match note {
        Note::Committed {
            zone,
            reference,
            actor,
            outcome,
            ..
        } => tracing::info!(
            zone = %zone, actor = %actor.name, %reference, revision = outcome.revision,
            serial = outcome.new_serial, removed = outcome.removed, added = outcome.added,
            "committed"
        ),
        // As one within the last minute.
        Note::Refused { again: true, .. } => {}
        Note::Refused {
            zone,
            actor,
            refused,
            ..
        } => account::log_refusal(zone, actor, refused),
        Note::Observed {
            zone,
            rule,
            reason,
            reference,
        } => {
            tracing::warn!(zone = %zone, guard = rule, %reference, "observed, not refused: {reason}");
        }
        Note::Edited {
            zone,
            reference,
            removed,
            added,
            ..
        } => tracing::info!(zone = %zone, %reference, removed, added, "took in an edit by hand"),
        Note::Admitted { zone, findings } => {
            for finding in findings.iter().take(FINDINGS_SHOWN) {
                tracing::warn!(zone = %zone, "served with {finding}");
            }
            let more = findings.len().saturating_sub(FINDINGS_SHOWN);
            if more > 0 {
                tracing::warn!(zone = %zone, "served with {more} more findings: lastgood zone check");
            }
        }
        Note::Traced {
            zone,
            warning,
            reference,
        } => tracing::warn!(zone = %zone, %reference, "{warning}"),
        Note::Held { zone, reason, .. } => {
            if let Some(reason) = reason {
                tracing::error!(zone = %zone, "holds: {reason}");
            }
        }
        Note::Removed {
            zone,
            actor,
            reference,
        } => tracing::warn!(zone = %zone, actor = %actor.name, %reference, "removed the zone"),
        Note::Released { zone } => {
            tracing::info!(zone = %zone, "the live data are fit again: the hold ends");
        }
    }
}
