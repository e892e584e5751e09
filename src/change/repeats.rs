//! Refusals that repeat: automation gone mad sends the same update over and over. The first refusal
//! gets its row in the audit; those after it are counted, answered with its reference, and written
//! as one closing row when the minute is over. So a flood does not cost one sync of the disk each.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use serde_json::json;

use super::account::Moment;
use super::judge::Decision;
use super::{RefusedWhy, Submission};
use crate::guard::Path;
use crate::rr::Name;
use crate::rr::message::{Rcode, ede};
use crate::store::{NewAudit, StoreError, Transaction};

const WINDOW: Duration = Duration::from_secs(60);
/// Kinds of refusals that are counted at once; the others have a row each.
const KINDS_MAX: usize = 4_096;

/// What makes two refusals the same.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Kind {
    actor: String,
    zone: Name,
    rule: String,
    reason: String,
}

/// The minute after a refusal.
#[derive(Clone)]
struct Window {
    reference: String,
    ends: Instant,
    ede: u16,
    count: u64,
    /// Of the last repeat.
    at_unix_us: i64,
    source: Option<String>,
    transport: Option<&'static str>,
}

/// The refusals of the last minute.
#[derive(Default)]
pub(super) struct Repeats {
    open: HashMap<Kind, Window>,
    /// When the first window ends.
    due: Option<Instant>,
    /// What was before the transaction that is not committed yet.
    undo: Vec<(Kind, Option<Window>)>,
}

fn kind_of(submission: &Submission, decision: &Decision) -> Option<(Kind, u16)> {
    let Decision::Refused {
        rule, reason, why, ..
    } = decision
    else {
        return None;
    };
    // People at the command line are no flood.
    if submission.path != Path::Update {
        return None;
    }
    let kind = Kind {
        actor: submission.actor.name.clone(),
        zone: submission.zone.clone(),
        rule: rule.clone(),
        reason: reason.clone(),
    };
    Some((
        kind,
        match why {
            RefusedWhy::Guard => ede::OTHER,
            RefusedWhy::Prohibited => ede::PROHIBITED,
            RefusedWhy::NotReady => ede::NOT_READY,
        },
    ))
}

impl Repeats {
    /// Counts a refusal that has been there within the minute; returns the first one's reference.
    pub(super) fn again(
        &mut self,
        submission: &Submission,
        decision: &Decision,
        moment: Moment,
    ) -> Option<String> {
        let (kind, _) = kind_of(submission, decision)?;
        let window = self.open.get_mut(&kind)?;
        if window.ends <= moment.started {
            return None;
        }
        self.undo.push((kind, Some(window.clone())));
        window.count += 1;
        window.at_unix_us = moment.unix_us;
        window.source = submission.source.map(|source| source.to_string());
        window.transport = submission.transport;
        Some(window.reference.clone())
    }

    /// Notes a refusal that has its row.
    pub(super) fn first(
        &mut self,
        submission: &Submission,
        decision: &Decision,
        reference: &str,
        moment: Moment,
    ) {
        let Some((kind, ede)) = kind_of(submission, decision) else {
            return;
        };
        if self.open.len() >= KINDS_MAX || self.open.contains_key(&kind) {
            return;
        }
        let ends = moment.started + WINDOW;
        self.due = Some(self.due.map_or(ends, |due| due.min(ends)));
        self.undo.push((kind.clone(), None));
        let window = Window {
            reference: reference.to_owned(),
            ends,
            ede,
            count: 0,
            at_unix_us: moment.unix_us,
            source: None,
            transport: None,
        };
        self.open.insert(kind, window);
    }

    /// Whether a minute is over.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.due.is_some_and(|due| due <= now)
    }

    /// Ends every minute at once: the server stops.
    pub(super) fn end(&mut self, now: Instant) {
        self.open.values_mut().for_each(|window| window.ends = now);
        self.due = (!self.open.is_empty()).then_some(now);
    }

    /// Writes the closing rows of the minutes that are over.
    pub(super) fn close(&mut self, tx: &Transaction<'_>, now: Instant) -> Result<(), StoreError> {
        if !self.is_due(now) {
            return Ok(());
        }
        let over: Vec<Kind> = self
            .open
            .iter()
            .filter(|(_, window)| window.ends <= now)
            .map(|(kind, _)| kind.clone())
            .collect();
        for kind in over {
            let Some(window) = self.open.remove(&kind) else {
                continue;
            };
            self.undo.push((kind.clone(), Some(window.clone())));
            if window.count > 0 {
                tx.add_audit(closing_row(&kind, &window))?;
                tracing::warn!(
                    zone = %kind.zone, actor = %kind.actor, guard = %kind.rule,
                    reference = %window.reference, count = window.count,
                    "refused again: {}", kind.reason
                );
            }
        }
        self.due = self.open.values().map(|window| window.ends).min();
        Ok(())
    }

    /// The transaction is on disk.
    pub(super) fn keep(&mut self) {
        self.undo.clear();
    }

    /// The transaction came to nothing, and so did what it counted.
    pub(super) fn roll_back(&mut self) {
        while let Some((kind, before)) = self.undo.pop() {
            match before {
                Some(window) => self.open.insert(kind, window),
                None => self.open.remove(&kind),
            };
        }
        self.due = self.open.values().map(|window| window.ends).min();
    }
}

fn closing_row<'a>(kind: &'a Kind, window: &Window) -> NewAudit<'a> {
    let times = match window.count {
        1 => "once more".to_owned(),
        count => format!("{count} times more"),
    };
    NewAudit {
        at_unix_us: window.at_unix_us,
        path: Path::Update.as_str(),
        actor: &kind.actor,
        source: window.source.clone(),
        transport: window.transport,
        zone: Some(&kind.zone),
        base_revision: None,
        revision: None,
        old_serial: None,
        new_serial: None,
        outcome: "repeated",
        rule: Some(&kind.rule),
        reason: &kind.reason,
        rcode: Rcode::Refused.as_str(),
        ede: Some(window.ede),
        mac: None,
        detail: json!({
            "count": window.count,
            "first_reference": window.reference,
            "warnings": [format!("refused {times} within a minute of {}", window.reference)],
        }),
        duration_us: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::Body;
    use crate::guard::Actor;
    use crate::store::{Chain, History, Retention, Settings, Store};

    fn submission(actor: &str, path: Path) -> Submission {
        Submission {
            zone: "example.com.".parse().unwrap(),
            actor: Actor {
                name: actor.to_owned(),
                key: None,
            },
            path,
            source: Some("192.0.2.7:53".parse().unwrap()),
            transport: Some("udp"),
            body: Body::Remove,
            override_: None,
        }
    }

    fn refused(reason: &str) -> Decision {
        Decision::Refused {
            rule: "scope".to_owned(),
            reason: reason.to_owned(),
            accepted: String::new(),
            why: RefusedWhy::Guard,
        }
    }

    fn store(dir: &tempfile::TempDir) -> (Store, Settings) {
        let settings = Settings {
            path: dir.path().join("x.db"),
            snapshot: dir.path().join("x.snapshot.db"),
            busy_timeout_ms: 50,
            retention: Retention::default(),
        };
        (Store::open(&settings).unwrap(), settings)
    }

    #[test]
    fn a_flood_is_one_row_at_its_start_and_one_a_minute() {
        let dir = tempfile::tempdir().unwrap();
        let (mut store, settings) = store(&dir);
        let (mut repeats, moment) = (Repeats::default(), Moment::now());
        let flood = submission("key a.", Path::Update);
        let no = refused("no");
        assert_eq!(repeats.again(&flood, &no, moment), None);
        repeats.first(&flood, &no, "7Q2K", moment);
        repeats.keep();
        for _ in 0..500 {
            let reference = repeats.again(&flood, &no, moment);
            assert_eq!(reference.as_deref(), Some("7Q2K"));
        }
        assert_eq!(repeats.again(&flood, &refused("another"), moment), None);
        let other = submission("key b.", Path::Update);
        assert_eq!(repeats.again(&other, &no, moment), None);
        assert!(!repeats.is_due(moment.started));
        let later = moment.started + WINDOW;
        assert!(repeats.is_due(later));
        let tx = store.begin().unwrap();
        repeats.close(&tx, later).unwrap();
        tx.commit().unwrap();
        repeats.keep();
        assert!(!repeats.is_due(later + WINDOW));
        assert_eq!(repeats.again(&flood, &no, moment), None, "a new minute");
        let history = History::open(&settings).unwrap();
        let rows = history.list(None, 9).unwrap();
        assert_eq!(rows.len(), 1);
        assert_eq!(
            (rows[0].outcome.as_str(), rows[0].rule.as_deref()),
            ("repeated", Some("scope"))
        );
        assert_eq!(rows[0].detail["count"], 500);
        assert_eq!(rows[0].detail["first_reference"], "7Q2K");
        assert!(matches!(
            history.verify_chain().unwrap(),
            Chain::Whole { rows: 1, .. }
        ));
    }

    #[test]
    fn what_was_not_committed_was_not_counted() {
        let dir = tempfile::tempdir().unwrap();
        let (mut store, _) = store(&dir);
        let (mut repeats, moment) = (Repeats::default(), Moment::now());
        let (flood, no) = (submission("key a.", Path::Update), refused("no"));
        repeats.first(&flood, &no, "7Q2K", moment);
        repeats.roll_back();
        assert_eq!(
            repeats.again(&flood, &no, moment),
            None,
            "its row is not there"
        );
        repeats.first(&flood, &no, "8R3L", moment);
        repeats.again(&flood, &no, moment);
        repeats.keep();
        repeats.again(&flood, &no, moment);
        let later = moment.started + WINDOW;
        let tx = store.begin().unwrap();
        repeats.close(&tx, later).unwrap();
        drop(tx);
        repeats.roll_back();
        assert!(repeats.is_due(later));
        assert_eq!(repeats.open.values().next().unwrap().count, 1);
        repeats.end(moment.started);
        assert!(repeats.is_due(moment.started), "a stop waits for no minute");
    }

    #[test]
    fn people_at_the_command_line_have_a_row_each() {
        let (mut repeats, moment) = (Repeats::default(), Moment::now());
        let (person, no) = (submission("cli root", Path::Import), refused("no"));
        repeats.first(&person, &no, "7Q2K", moment);
        assert_eq!(repeats.again(&person, &no, moment), None);
    }
}
