//! A fault of our own in the writer's thread: the group it happened in fails, and nothing else does.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::*;
use crate::change::Job;

/// Faults that follow each other at once are told no more often than this.
const REST: Duration = Duration::from_millis(250);

/// Where test builds have the thread panic, by the name of whoever asks for a change.
pub(super) const BEFORE_THE_COMMIT: &str = "panics before the commit";
pub(super) const AFTER_THE_COMMIT: &str = "panics after the commit";
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

/// Runs the thread; where it ends by a panic that nothing could catch, that is seen.
pub(in crate::change) fn run_to_the_end(
    thread: WriterThread,
    incoming: Receiver<Order>,
    (board, counters): (Arc<Board>, Counters),
) {
    // `incoming` is let go of after what is said here: whoever is turned away is told why.
    let run = AssertUnwindSafe(|| thread.run(&incoming));
    if let Err(panic) = catch_unwind(run) {
        let why = text(&*panic);
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

fn text(panic: &(dyn Any + Send)) -> &str {
    let owned = panic.downcast_ref::<String>().map(String::as_str);
    let text = owned.or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("it does not say why")
}

impl WriterThread {
    /// Does a part of a round. After a panic in it the connection is opened anew, rows and images are
    /// compared, and whoever waited for an answer has one: see `Job`.
    pub(super) fn survive(&mut self, work: impl FnOnce(&mut WriterThread)) {
        let done = catch_unwind(AssertUnwindSafe(|| work(self)));
        let Err(panic) = done else {
            return;
        };
        let why = text(&*panic).to_owned();
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
    use crate::change::{Handle, start};
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
