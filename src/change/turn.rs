//! What a group would make true, and what is told once it is.

use super::account::{self, Moment};
use super::board::{Board, LastRefusal, LastUpdate};
use super::judge::Decision;
use super::{Committed, Refused};
use crate::guard::{Actor, Freeze};
use crate::publish;
use crate::rr::Name;
use crate::zone::{Published, Served};

/// What a transaction would make true; it becomes so when the transaction is on disk.
pub(super) struct Turn {
    pub view: Published,
    pub freezes: Vec<Freeze>,
    pub notes: Vec<Note>,
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
        zone: Name,
        actor: Actor,
        refused: Refused,
        moment: Moment,
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
}

impl Note {
    pub(super) fn refused(
        zone: &Name,
        actor: &Actor,
        decision: &Decision,
        reference: String,
        moment: Moment,
    ) -> Note {
        let refused = refused(decision, reference);
        Note::Refused {
            zone: zone.clone(),
            actor: actor.clone(),
            refused,
            moment,
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
    pub(super) fn hold(&mut self, zone: &Name, reason: &str, mend: String) {
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

/// Puts a note on the board and in the log.
pub(super) fn tell(board: &Board, published: &Published, note: Note) {
    match note {
        Note::Committed {
            zone,
            reference,
            actor,
            moment,
            outcome,
        } => {
            board.note_zone(published, &zone);
            tracing::info!(
                zone = %zone, actor = %actor.name, %reference, revision = outcome.revision,
                serial = outcome.new_serial, removed = outcome.removed, added = outcome.added,
                "committed"
            );
            let update = LastUpdate {
                reference,
                at: moment.text(),
                actor: actor.name,
            };
            board.note_update(&zone, update);
        }
        Note::Refused {
            zone,
            actor,
            refused,
            moment,
        } => {
            account::log_refusal(&zone, &actor, &refused);
            let last = LastRefusal {
                reference: refused.reference,
                at: moment.text(),
                actor: actor.name.clone(),
                rule: refused.rule,
                reason: refused.reason,
            };
            board.note_refusal(&zone, &actor, last);
        }
        Note::Edited {
            zone,
            reference,
            moment,
            removed,
            added,
        } => {
            board.note_zone(published, &zone);
            tracing::info!(zone = %zone, %reference, removed, added, "took in an edit by hand");
            let actor = "edit by hand".to_owned();
            board.note_update(
                &zone,
                LastUpdate {
                    reference,
                    at: moment.text(),
                    actor,
                },
            );
        }
        Note::Admitted { zone, findings } => {
            board.note_zone(published, &zone);
            for finding in &findings {
                tracing::warn!(zone = %zone, "served with an error: {finding}");
            }
            board.note_findings(&zone, findings);
        }
        Note::Traced {
            zone,
            warning,
            reference,
        } => {
            tracing::warn!(zone = %zone, %reference, "{warning}");
        }
        Note::Held { zone, reason, mend } => {
            if let Some(reason) = reason {
                tracing::error!(zone = %zone, "holds: {reason}");
            }
            board.note_zone(published, &zone);
            board.note_mend(&zone, mend);
        }
        Note::Released { zone } => {
            tracing::info!(zone = %zone, "the live data are fit again: the hold ends");
            board.note_zone(published, &zone);
        }
    }
}
