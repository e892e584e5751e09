//! What is served first: of the store where it is fit, else of the snapshot.

use super::*;
use crate::change::account::Moment;
use crate::change::custody::Loss;
use crate::change::{admission, known, policy, repair, startup};
use crate::publish::Since;
use crate::store::{Accepted, RETRANSMIT_US};

/// What is to be done once zones are served.
pub(super) struct Begun {
    /// Zones of the configuration that neither store nor snapshot has ever known.
    pub unknown: Vec<Name>,
    /// What the snapshot is behind by.
    pub since: HashMap<Name, Since>,
}

impl WriterThread {
    pub(super) fn begin(&mut self, keepsake: &Keepsake, snapshot_unfit: bool) -> Begun {
        let mut since = HashMap::new();
        let now = Moment::now();
        let mut accepted = keepsake.accepted().unwrap_or_else(|error| {
            tracing::error!("snapshot: which updates it has is not known: {error}");
            self.known.is_unsure(now);
            Vec::new()
        });
        let mut turn = match self.begin_with_store(keepsake, &mut since, (&mut accepted, now)) {
            Some(Ok(turn)) => turn,
            Some(Err(error)) => {
                tracing::error!(store = %self.custody.path().display(), "store: {error}");
                self.custody.distrust();
                self.begin_without_store(keepsake, Loss::at_start(&self.settings.store, &error))
            }
            None => {
                let loss = self.custody.loss_at_start();
                self.begin_without_store(keepsake, loss)
            }
        };
        // Store and snapshot have the same ones.
        turn.accepted = known::each_once(accepted);
        let is_lost = self.custody.store().is_none();
        if !is_lost && !snapshot_unfit {
            (turn.view, _) = reload::forget(&mut self.policy, &turn.view);
        }
        let (view, mut unknown) = reload::unknown(&self.policy, &turn.view);
        turn.view = view;
        self.reach.take();
        // Whether these were ever served nobody can tell: importing their file might put an old
        // zone in the place of what was lost, at this start or at a later one.
        self.lost = keepsake.lost();
        if snapshot_unfit || (is_lost && !keepsake.is_there()) {
            self.lost.extend(unknown.iter().cloned());
        }
        let reason = match is_lost {
            true => "the store is lost, and the snapshot has no version fit to be served",
            false => "store and snapshot have lost it",
        };
        let mend = match is_lost {
            true => repair::lost_hint(self.custody.path()),
            false => String::new(),
        };
        unknown.retain(|zone| {
            let is_lost = is_lost || self.lost.contains(zone);
            if is_lost {
                turn.hold(
                    zone,
                    reason,
                    mend.clone() + &repair::first_import_hint(zone),
                );
            }
            !is_lost
        });
        self.standing.wait_for(&unknown, &turn.view);
        self.finish(turn);
        self.board.set_orphaned(&self.policy.orphaned);
        let published = self.publisher.current();
        for served in published.zones() {
            self.board.note_zone(&published, served.origin());
        }
        if !is_lost {
            startup::recall(&self.settings.store, &self.board);
        }
        Begun { unknown, since }
    }

    /// `None` when there is no store.
    fn begin_with_store(
        &mut self,
        keepsake: &Keepsake,
        since: &mut HashMap<Name, Since>,
        (accepted, now): (&mut Vec<Accepted>, Moment),
    ) -> Option<Result<Turn, StoreError>> {
        let path = self.settings.store.path.clone();
        let store = self.custody.store()?;
        let mut begin = || {
            let tx = store.begin()?;
            self.upkeep.look_again(&path, tx.mend_schema()?);
            let flaws = tx.audit_flaws()?;
            self.upkeep.found_audit(&path, flaws, &self.counters);
            // A store that was put back may be older than the snapshot: nothing that protects is
            // forgotten for that.
            let mut kept = read_policies(tx.value("policies")?.as_deref());
            kept.extend(keepsake.policies());
            self.policy = Policy::new(&self.settings, kept);
            tx.set_value("policies", &self.policy.to_json())?;
            let freezes = startup::all_freezes(&tx, keepsake)?;
            let mut turn = Turn::new(Published::default(), freezes);
            let mut desk = Desk {
                policy: &self.policy,
                path: &path,
                ceilings: &self.ceilings,
                keepsake,
                contested: &mut self.contested,
                repeats: &mut self.repeats,
                known: &self.known,
                reach: &self.reach,
                unclaimed: &mut self.unclaimed,
            };
            admission::at_start(&mut desk, &tx, &mut turn)?;
            let served = turn.view.zones().filter_map(|served| served.zone());
            let recently = now.unix_us.saturating_sub(RETRANSMIT_US);
            accepted.extend(tx.accepted(recently)?);
            for zone in served {
                let origin = zone.image.origin();
                match keepsake.since(&tx, zone) {
                    Ok(behind) => since.extend(behind.map(|behind| (origin.clone(), behind))),
                    // The snapshot's version is written whole instead.
                    Err(error) => tracing::warn!(zone = %origin, "store: {error}"),
                }
            }
            let version = tx.data_version()?;
            let reserve = turn.to_reserve(&self.ceilings);
            if !reserve.is_empty()
                && let Err(error) = self.keeper.reserve(reserve.clone())
            {
                // Its serials are above those served before all the same: the store knows them.
                tracing::error!("no serials can be reserved: {error}");
            }
            tx.commit()?;
            self.ceilings.extend(reserve);
            Ok((turn, version))
        };
        let begun = begin();
        Some(begun.map(|(turn, version)| {
            self.custody.committed(version);
            self.counters.store_seen();
            turn
        }))
    }

    fn begin_without_store(&mut self, keepsake: &Keepsake, loss: Loss) -> Turn {
        self.policy = Policy::new(&self.settings, keepsake.policies());
        let mut turn = Turn::new(Published::default(), keepsake.freezes());
        let desk = Desk {
            policy: &self.policy,
            path: &self.settings.store.path,
            ceilings: &self.ceilings,
            keepsake,
            contested: &mut self.contested,
            repeats: &mut self.repeats,
            known: &self.known,
            reach: &self.reach,
            unclaimed: &mut self.unclaimed,
        };
        let zones: Vec<Name> = keepsake.zones().cloned().collect();
        for zone in &zones {
            startup::without_rows(&desk, &mut turn, zone, &loss.reason, &loss.mend);
        }
        turn
    }
}

fn read_policies(text: Option<&str>) -> Vec<policy::ZonePolicy> {
    text.map_or_else(Vec::new, policy::from_json)
}
