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
        if self
            .since
            .is_some_and(|since| since.elapsed() >= self.batch())
        {
            // Where it fails it is tried again, but not as often.
            self.has_new = false;
            self.flush();
        }
    }

    /// How long what came first may wait for what comes after it.
    pub(super) fn batch(&self) -> Duration {
        match self.has_new {
            true => BATCH_OF_NEW,
            false => BATCH,
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

    pub(super) fn take(&mut self, order: Order) {
        match order {
            Order::Commits(commits) => commits.into_iter().for_each(|commit| self.follow(commit)),
            Order::Value(key, value) => {
                if cfg!(test) && key == FAULTY {
                    panic!("{key}");
                }
                self.set_value(key, value);
            }
            Order::Reserve(ceilings, reply) => {
                let _ = reply.send(self.reserve(ceilings));
                return;
            }
            Order::Examine(why) => return self.examine(&why),
            Order::CatchUp(since) => return self.catch_up(since),
            Order::Stop => return,
        }
        self.since.get_or_insert_with(Instant::now);
    }

    pub(super) fn follow(&mut self, commit: Commit) {
        self.accept(commit.accepted);
        for zone in commit.removed {
            self.drop_zone(zone);
        }
        for promotion in commit.promoted {
            let zone = promotion.image.origin();
            self.has_new |= !lock(&self.report).zones.contains_key(zone);
            self.add(promotion);
        }
        if let Some(head) = commit.audit_head {
            self.set_value("audit_head", head);
        }
    }

    pub(super) fn set_value(&mut self, key: &'static str, value: String) {
        self.values.insert(key, value);
        self.values_pending.insert(key);
    }

    pub(super) fn drop_zone(&mut self, zone: Name) {
        self.pending.remove(&zone);
        let mut report = lock(&self.report);
        report.zones.remove(&zone);
        report.waiting.remove(&zone);
        drop(report);
        self.removed.insert(zone);
    }

    pub(super) fn add(&mut self, promotion: Promotion) {
        let Promotion {
            image,
            revision,
            extent,
        } = promotion;
        let zone = image.origin().clone();
        lock(&self.report)
            .waiting
            .entry(zone.clone())
            .or_insert_with(Instant::now);
        self.removed.remove(&zone);
        let extent = match (
            self.pending.remove(&zone).map(|earlier| earlier.extent),
            extent,
        ) {
            (Some(Extent::Owners(mut before)), Extent::Owners(more)) => {
                before.extend(more);
                Extent::Owners(before)
            }
            (None, extent) => extent,
            _ => Extent::Whole,
        };
        self.pending.insert(
            zone,
            Promotion {
                image,
                revision,
                extent,
            },
        );
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
