//! A fault of our own in the writer's thread: the group it happened in fails, and nothing else does.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::*;
use crate::change::Job;
use crate::change::account::Moment;
use crate::store::RETRANSMIT_US;

/// Faults that follow each other at once are told no more often than this.
const REST: Duration = Duration::from_millis(250);

/// Where test builds have the thread panic, by the name of whoever asks for a change.
pub(super) const BEFORE_THE_COMMIT: &str = "panics before the commit";
pub(super) const AFTER_THE_COMMIT: &str = "panics after the commit";
const AFTER_PUBLISHING: &str = "panics after publishing";
const FOR_GOOD: &str = "panics for good";

pub(super) fn provoke(jobs: &[Job], at: &str) {
    let by = |name: &str| jobs.iter().any(|job| job.submission.actor.name == name);
    if cfg!(test) && by(FOR_GOOD) {
        panic!("{FOR_GOOD}");
    }
    if cfg!(test) && by(at) {
        panic!("{at}");
    }
}

/// As [`provoke`], when it is served and nobody was told.
pub(super) fn provoke_in_the_end(notes: &[Note]) {
    let is_by = |note: &Note| matches!(note, Note::Committed { actor, .. } if actor.name == AFTER_PUBLISHING);
    if cfg!(test) && notes.iter().any(is_by) {
        panic!("{AFTER_PUBLISHING}");
    }
}

/// After a panic: what was committed and never told, of what is not found out by comparing rows and
/// images. A freeze that was lifted is in force until somebody lifts it once more.
pub(super) fn level(
    tx: &Transaction<'_>,
    turn: &mut Turn,
    known: &Known,
) -> Result<(), StoreError> {
    startup::add_freezes(tx, &mut turn.freezes)?;
    let since = Moment::now().unix_us.saturating_sub(RETRANSMIT_US);
    let accepted = tx.accepted(since)?.into_iter();
    let untold = accepted.filter(|one| known.lacks(one)).map(Arc::new);
    turn.accepted.extend(untold);
    Ok(())
}

/// Runs the thread; where it ends by a panic that nothing could catch, that is seen.
pub(in crate::change) fn run_to_the_end(
    thread: WriterThread,
    incoming: Receiver<Order>,
    (board, counters): (Arc<Board>, Counters),
) {
    // `incoming` is let go of after what is said here: whoever is turned away is told why.
    let run = AssertUnwindSafe(|| thread.run(&incoming));
    if let Err(panic) = catch_unwind(run) {
        let why = why(&*panic);
        let sentence = format!(
            "the thread that writes has ended by a fault of the server ({why}): what is served stays \
             as it is, nothing is watched and every change fails until lastgood is started again"
        );
        tracing::error!("{sentence}");
        board.set_death(sentence);
        counters.panicked();
        counters.store_failing(true);
    }
}

/// What a panic says.
pub(in crate::change) fn why(panic: &(dyn Any + Send)) -> &str {
    let owned = panic.downcast_ref::<String>().map(String::as_str);
    let text = owned.or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("it does not say why")
}

impl WriterThread {
    /// Then the snapshot gets all that it may lack.
    pub(super) fn level_snapshot(&mut self) {
        self.keeper.catch_up(HashMap::new());
        self.keep_values();
        match self.custody.store().map(|store| store.audit_head()) {
            Some(Ok((_, head))) => self.keeper.keep("audit_head", head),
            Some(Err(error)) => tracing::warn!("store: {error}"),
            None => {}
        }
    }

    /// Does a part of a round. After a panic in it the connection is opened anew, rows and images are
    /// compared, and whoever waited for an answer has one: see `Job`.
    pub(super) fn survive(&mut self, work: impl FnOnce(&mut WriterThread)) {
        let done = catch_unwind(AssertUnwindSafe(|| work(self)));
        let Err(panic) = done else {
            return;
        };
        let why = why(&*panic).to_owned();
        if cfg!(test) && why.contains(FOR_GOOD) {
            std::panic::resume_unwind(panic);
        }
        tracing::error!("the thread that writes failed, and goes on: {why}");
        self.counters.panicked();
        self.repeats.roll_back();
        std::mem::take(self.reach.get_mut());
        // Whether it committed is not known, and what was judged meanwhile is not true.
        self.custody.let_go();
        self.forget_contested();
        let cause = format!("the server itself failed: {why}");
        self.changes_fail(why, &cause, "see the log; what is served does not suffer");
        let is_one_of_many = self.panicked.is_some_and(|last| last.elapsed() < REST * 2);
        if is_one_of_many {
            std::thread::sleep(REST);
        }
        self.is_to_level = true;
        self.panicked = Some(Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::tests::{addition, import, is_served, settings, submission};
    use crate::change::{Body, Handle, start};
    use crate::guard::Path;
    use crate::zone;

    fn begin(folder: &std::path::Path) -> (Handle, Reader, Counters) {
        let (publish, reader) = zone::pointer();
        let counters = Counters::default();
        let started = start(settings(folder), counters.clone(), publish, reader.clone());
        let handle = started.handle;
        let imported = handle.submit(submission(Path::Import, "", import(&["api"])));
        let imported = imported.blocking_recv().unwrap();
        assert!(matches!(imported, Outcome::Committed(_)), "{imported:?}");
        (handle, reader, counters)
    }

    fn ask(handle: &Handle, who: &str, owner: &str) -> Outcome {
        let mut submission = submission(Path::Update, "writer.", addition(owner));
        submission.actor.name = who.to_owned();
        handle.submit(submission).blocking_recv().unwrap()
    }

    fn failed(outcome: &Outcome) -> &str {
        match outcome {
            Outcome::Unavailable { reason } => reason,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_panic_fails_one_group_and_is_told() {
        for (at, is_kept) in [(BEFORE_THE_COMMIT, false), (AFTER_THE_COMMIT, true)] {
            let folder = tempfile::tempdir().unwrap();
            let (handle, reader, counters) = begin(folder.path());
            let outcome = ask(&handle, at, "broken");
            assert!(
                failed(&outcome).contains("failed in the middle"),
                "{outcome:?}"
            );
            for _ in 0..3 {
                ask(&handle, at, "again");
            }
            let told = handle.failing().expect("it is told");
            assert!(told.contains(at), "{told}");
            let page = counters.page(crate::metrics::Scrape::default());
            assert!(page.contains("lastgood_panics_total "), "{page}");
            assert!(!page.contains("lastgood_panics_total 0"), "{page}");
            let next = ask(&handle, "test", "next");
            assert!(matches!(next, Outcome::Committed(_)), "{next:?}");
            assert_eq!(handle.failing(), None);
            assert!(is_served(&reader, "next"));
            assert_eq!(
                is_served(&reader, "broken"),
                is_kept,
                "{at}: as it is on disk"
            );
            let zones = handle.status();
            assert_eq!(zones[0].state, "live", "{:?}", zones[0].reason);
            handle.stop();
            let verified = crate::store::verify(&settings(folder.path()).store, None).unwrap();
            assert!(verified.whole, "{:?}", verified.faults);
        }
    }

    fn snapshot(folder: &std::path::Path, query: &str) -> String {
        let mut sqlite3 = std::process::Command::new("sqlite3");
        sqlite3.args(["-readonly", "-cmd", ".timeout 5000"]);
        sqlite3.arg(folder.join("lastgood.snapshot.db")).arg(query);
        let ran = sqlite3.output().expect("sqlite3 (tests/run installs it)");
        String::from_utf8_lossy(&ran.stdout).trim().to_owned()
    }

    #[track_caller]
    fn until(what: &str, is_so: impl Fn() -> bool) {
        let since = Instant::now();
        while !is_so() {
            assert!(since.elapsed() < Duration::from_secs(30), "{what}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn a_freeze_counts_if_it_was_committed_before_the_panic() {
        for (at, is_kept) in [(BEFORE_THE_COMMIT, false), (AFTER_THE_COMMIT, true)] {
            let folder = tempfile::tempdir().unwrap();
            let (handle, reader, _) = begin(folder.path());
            let freeze = Body::Freeze {
                scope: "zone example.com.".parse().unwrap(),
                reason: "an incident".into(),
            };
            let mut freeze = submission(Path::Cli, "", freeze);
            freeze.actor.name = at.to_owned();
            failed(&handle.submit(freeze).blocking_recv().unwrap());
            // The very next one.
            let outcome = ask(&handle, "test", "next");
            let is_refused = match &outcome {
                Outcome::Refused(refused) => refused.rule == "freeze",
                _ => false,
            };
            assert_eq!(is_refused, is_kept, "{at}: {outcome:?}");
            assert_eq!(is_served(&reader, "next"), !is_kept);
            assert_eq!(handle.freezes().len(), usize::from(is_kept));
            // Should the store be lost now.
            let freezes = "SELECT value FROM meta WHERE key = 'freezes'";
            until("the snapshot has as much", || {
                let kept = snapshot(folder.path(), freezes);
                !kept.is_empty() && kept.contains("an incident") == is_kept
            });
            handle.stop();
        }
    }

    #[test]
    fn the_snapshot_has_what_was_committed_before_the_panic() {
        for at in [AFTER_THE_COMMIT, AFTER_PUBLISHING] {
            catches_up_after_a_panic(at);
        }
    }

    fn catches_up_after_a_panic(at: &str) {
        let folder = tempfile::tempdir().unwrap();
        let (handle, reader, _) = begin(folder.path());
        until("it has the zone", || {
            snapshot(folder.path(), "SELECT revision FROM zone") == "1"
        });
        failed(&ask(&handle, at, "broken"));
        // Nobody asks for another change.
        until("it has the change", || {
            snapshot(folder.path(), "SELECT revision FROM zone") == "2"
        });
        assert!(is_served(&reader, "broken"));
        assert_eq!(handle.status()[0].state, "live");
        until("it knows the message that it came by", || {
            let macs = "SELECT group_concat(hex(mac)) FROM accepted";
            snapshot(folder.path(), macs) == "62726F6B656E"
        });
        let head = crate::store::verify(&settings(folder.path()).store, None).unwrap();
        until("it has the head of the audit", || {
            let kept = "SELECT value FROM meta WHERE key = 'audit_head'";
            snapshot(folder.path(), kept) == head.head
        });
        handle.stop();
    }

    #[test]
    fn a_thread_that_has_ended_is_shown_and_says_why() {
        let folder = tempfile::tempdir().unwrap();
        let (handle, reader, _) = begin(folder.path());
        failed(&ask(&handle, FOR_GOOD, "broken"));
        let outcome = (0..100).find_map(|_| {
            let outcome = ask(&handle, "test", "next");
            std::thread::sleep(Duration::from_millis(10));
            failed(&outcome)
                .contains("started again")
                .then_some(outcome)
        });
        assert!(outcome.is_some(), "it says why");
        let told = handle.failing().expect("it is told");
        assert!(told.contains("nothing is watched"), "{told}");
        assert_eq!(handle.notices()[0], told);
        assert!(is_served(&reader, "api"));
        handle.stop();
    }
}
