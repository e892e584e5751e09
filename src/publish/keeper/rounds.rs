//! One round of the thread that writes the snapshot, and what it does after a fault of our own.

use super::*;

impl Worker {
    pub(super) fn work(&mut self, order: Option<Order>) {
        if std::mem::take(&mut self.has_failed) {
            self.snapshot = Snapshot::open_existing(&self.path).ok();
            self.file = self.snapshot.as_ref().and_then(|_| file_id(&self.path));
            self.catch_up(HashMap::new());
        }
        if let Some(order) = order {
            self.take(order);
        }
        if self.file.is_some() && !self.is_ours() {
            self.begin_anew("it is no longer whole on its path");
        }
        if self.since.is_some_and(|since| since.elapsed() >= BATCH) {
            self.flush();
        }
    }

    /// Does a part of the work. After a panic in it the file is opened anew, and compared with what is
    /// served: what was about to be written is not forgotten.
    pub(super) fn survive(&mut self, work: impl FnOnce(&mut Worker)) {
        if catch_unwind(AssertUnwindSafe(|| work(self))).is_ok() {
            return;
        }
        let path = self.path.display();
        tracing::error!(snapshot = %path, "snapshot: the thread that writes it failed, and goes on");
        lock(&self.report).trouble = Some("the thread that writes it failed; see the log".into());
        (self.snapshot, self.file, self.has_failed) = (None, None, true);
        self.values_pending.extend(self.values.keys());
        self.accepted_pending = self.accepted.len();
        self.since = Some(Instant::now());
        // Whatever it is about may come again at once.
        std::thread::sleep(BATCH / 8);
    }

    pub(super) fn accept(&mut self, accepted: Vec<Arc<Accepted>>) {
        self.accepted_pending += accepted.len();
        self.accepted.extend(accepted);
        let newest = self.accepted.back().map_or(0, |last| last.at_unix_us);
        let since = newest.saturating_sub(RETRANSMIT_US);
        let is_old = |one: &Arc<Accepted>| one.at_unix_us < since;
        while self.accepted.len() > ACCEPTED_MAX || self.accepted.front().is_some_and(is_old) {
            self.accepted.pop_front();
        }
        self.accepted_pending = self.accepted_pending.min(self.accepted.len());
    }
}
