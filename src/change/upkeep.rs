//! What the writer does beside changes: it lets go of the past, tells the log where the audit ends,
//! and tells people what is odd about the store though nothing holds.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use super::account::Moment;
use super::board::Board;
use super::custody::Custody;
use super::retention::Pruning;
use super::startup::odd_freezes;
use crate::metrics::Counters;
use crate::store::{AuditFlaws, BadRow, Mended, Retention, strangers};

/// The head of the audit goes to the log after so many commits, or so long after one.
const HEAD_COMMITS: u32 = 1_000;
const HEAD_EVERY: Duration = Duration::from_secs(600);
/// How often it is looked whom the store's files belong to.
const FILES_EVERY: Duration = Duration::from_secs(5);

pub(super) struct Upkeep {
    retention: Retention,
    pruning: Pruning,
    head: HeadLog,
    /// Rows of others are there that nobody has looked at.
    strays_due: bool,
    files_due: Instant,
    strays: Vec<String>,
    /// Of the table `zone`.
    unclaimed: Vec<String>,
    freezes: Vec<String>,
    files: Option<String>,
    /// What others made in the place of an index or a view of ours.
    hindered: Vec<String>,
    /// What others did to the end of the audit since the start: once it is written on, only `verify`
    /// finds it.
    altered: Option<String>,
    /// And nothing was written behind it yet.
    is_altered: bool,
    /// Rows of others in the audit, as long as they are there.
    intruders: Option<String>,
    /// What the log has been told.
    told: BTreeSet<String>,
}

struct HeadLog {
    commits: u32,
    at: Instant,
    told: i64,
}

impl Upkeep {
    pub(super) fn new(retention: Retention) -> Upkeep {
        let now = Instant::now();
        Upkeep {
            retention,
            pruning: Pruning::new(now),
            head: HeadLog {
                commits: 0,
                at: now,
                told: 0,
            },
            strays_due: true,
            files_due: now,
            strays: Vec::new(),
            unclaimed: Vec::new(),
            freezes: Vec::new(),
            files: None,
            hindered: Vec::new(),
            altered: None,
            is_altered: false,
            intruders: None,
            told: BTreeSet::new(),
        }
    }

    /// Tells where the audit ends as the server starts, or stops.
    pub(super) fn tell_head(&mut self, custody: &mut Custody) {
        self.head.tell(custody);
    }

    /// Others have written to the store at `path`, and this became of its schema.
    pub(super) fn look_again(&mut self, path: &Path, mended: Mended) {
        for repair in mended.made_anew {
            tracing::warn!(store = %path.display(), "store: {repair}");
        }
        let sentences = mended.hindered.into_iter();
        self.hindered = sentences.map(|why| format!("store: {why}")).collect();
        self.strays_due = true;
    }

    /// What was found at the end of the audit before it is written on.
    pub(super) fn found_audit(&mut self, path: &Path, flaws: AuditFlaws, counters: &Counters) {
        let store = path.display();
        if let Some(altered) = flaws.altered {
            let sentence = format!(
                "audit: {altered}; changes go on behind it, and `lastgood verify` tells where the \
                 chain is broken"
            );
            // It is found until something is written behind it.
            if !self.is_altered || self.altered.as_ref() != Some(&sentence) {
                tracing::error!(%store, "{sentence}");
                counters.audit_altered();
                (self.altered, self.files_due) = (Some(sentence), Instant::now());
            }
            self.is_altered = true;
        }
        let intruders = flaws.strangers.map(|found| format!("audit: {found}"));
        if intruders != self.intruders {
            if let Some(sentence) = &intruders {
                tracing::error!(%store, "{sentence}");
                counters.audit_altered();
            }
            (self.intruders, self.files_due) = (intruders, Instant::now());
        }
    }

    /// Something was written behind what was found.
    pub(super) fn audit_goes_on(&mut self) {
        self.is_altered = false;
    }

    /// What is told of rows of the table `zone` that no zone has.
    pub(super) fn unclaimed(&mut self, sentences: Vec<String>) {
        if self.unclaimed != sentences {
            self.unclaimed = sentences;
            self.strays_due = true;
        }
    }

    /// After a commit: what cannot wait for an idle moment.
    pub(super) fn committed(&mut self, custody: &mut Custody) {
        self.head.commits += 1;
        if self.head.commits >= HEAD_COMMITS {
            self.head.tell(custody);
        }
        let moment = Moment::now();
        if self.pruning.is_overdue(moment.started) {
            self.pruning.step(custody, self.retention, moment);
        }
    }

    /// Nobody waits for an answer.
    pub(super) fn idle(&mut self, custody: &mut Custody, board: &Board) {
        let moment = Moment::now();
        self.pruning.step(custody, self.retention, moment);
        if self.head.at + HEAD_EVERY <= moment.started {
            self.head.tell(custody);
        }
        if self.notice(custody, moment.started) {
            let odd = self.altered.iter().chain(&self.intruders);
            let odd = odd.chain(&self.hindered).chain(&self.unclaimed);
            let odd = odd.chain(&self.freezes).chain(&self.strays);
            let odd = odd.chain(&self.files);
            let notices: Vec<String> = odd.cloned().collect();
            for notice in &notices {
                if self.told.insert(notice.clone()) {
                    tracing::warn!("{notice}");
                }
            }
            self.told.retain(|told| notices.contains(told));
            board.set_notices(notices);
        }
    }

    /// Whether something was looked at.
    fn notice(&mut self, custody: &mut Custody, now: Instant) -> bool {
        let looks = self.strays_due || now >= self.files_due;
        let path = custody.path().to_owned();
        if std::mem::take(&mut self.strays_due)
            && let Some(store) = custody.store()
        {
            match store.strays() {
                Ok(rows) => self.strays = sentences(&rows),
                Err(error) => tracing::warn!("store: {error}"),
            }
            match store.freezes() {
                Ok(rows) => self.freezes = odd_freezes(&path, rows),
                Err(error) => tracing::warn!("store: {error}"),
            }
        }
        if now >= self.files_due {
            self.files_due = now + FILES_EVERY;
            self.files = strangers(custody.path());
        }
        looks
    }
}

/// One for each zone that there is not.
fn sentences(rows: &[BadRow]) -> Vec<String> {
    let mut sentences = Vec::new();
    let mut rest = rows;
    while let Some(first) = rest.first() {
        let same = rest.iter().take_while(|row| row.reason == first.reason);
        let count = same.count();
        let more = match count {
            1 => String::new(),
            _ => format!(" (and {} more rows)", count - 1),
        };
        sentences.push(format!("served by nobody: {first}{more}"));
        rest = &rest[count..];
    }
    sentences
}

impl HeadLog {
    fn tell(&mut self, custody: &mut Custody) {
        (self.commits, self.at) = (0, Instant::now());
        let Some(store) = custody.store() else {
            return;
        };
        match store.audit_head() {
            Ok((row, _)) if row == self.told => {}
            Ok((row, head)) => {
                self.told = row;
                // Whoever keeps the log can prove with it that nothing before was rewritten.
                tracing::info!(row, %head, "audit: lastgood verify --head {head}");
            }
            Err(error) => tracing::warn!("store: {error}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_nobody_serves_are_one_sentence_a_zone() {
        let row = |id, zone: &str| BadRow {
            id,
            owner: format!("www.{zone}"),
            rtype: "A".to_owned(),
            rdata: "192.0.2.1".to_owned(),
            reason: format!("there is no zone {zone}"),
        };
        assert_eq!(
            sentences(&[row(1, "a.test"), row(2, "a.test"), row(3, "b.test.")]),
            [
                "served by nobody: row 1 (www.a.test A 192.0.2.1): there is no zone a.test \
                 (and 1 more rows)",
                "served by nobody: row 3 (www.b.test. A 192.0.2.1): there is no zone b.test.",
            ]
        );
        assert_eq!(sentences(&[]), [""; 0]);
    }
}
