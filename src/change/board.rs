//! What `status` and clients may ask at any time, kept beside the writer's thread.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Mutex;
use std::time::Instant;

use serde::Serialize;

use crate::guard::{Actor, Freeze, FreezeScope};
use crate::rr::Name;
use crate::zone::{Published, Served};

/// The state of one zone. Times are seconds, or RFC 3339 in UTC.
#[derive(Debug, Clone, Serialize)]
pub struct ZoneStatus {
    pub zone: Name,
    pub serial: Option<u32>,
    pub revision: u64,
    pub records: usize,
    /// "live", "holding" or "unavailable".
    pub state: &'static str,
    pub held_secs: Option<u64>,
    /// What is wrong with the live data.
    pub reason: Option<String>,
    /// What to do about it.
    pub mend: Option<String>,
    /// Its stanza vanished from the configuration; zone and policy stay.
    pub orphaned: bool,
    /// The revision that the snapshot has.
    pub snapshot_revision: Option<u64>,
    /// Since when a newer one waits to be written.
    pub snapshot_lag_secs: Option<u64>,
    /// The freezes that stop changes of this zone.
    pub frozen: Vec<String>,
    pub last_update: Option<LastUpdate>,
    pub last_refusal: Option<LastRefusal>,
    /// Breaches of the policy, and errors that the zone is served with.
    pub findings: Vec<String>,
}

#[derive(Debug, Clone, Serialize)]
pub struct LastUpdate {
    pub reference: String,
    pub at: String,
    pub actor: String,
}

#[derive(Debug, Clone, Serialize)]
pub struct LastRefusal {
    pub reference: String,
    pub at: String,
    pub actor: String,
    pub rule: String,
    pub reason: String,
}

#[derive(Default)]
pub(super) struct Board(Mutex<Sheet>);

#[derive(Default)]
struct Sheet {
    zones: BTreeMap<Name, Line>,
    freezes: Vec<Freeze>,
    orphaned: BTreeSet<Name>,
    refusals: HashMap<Name, LastRefusal>,
    notices: Vec<String>,
    /// Why changes fail.
    trouble: Option<String>,
    /// Why there will be no more changes until somebody starts the server again.
    death: Option<String>,
    /// Zones that have held for long.
    stale: Vec<String>,
    /// Why nobody looks for damage.
    unscrubbed: Option<String>,
}

#[derive(Clone)]
struct Line {
    serial: Option<u32>,
    revision: u64,
    records: usize,
    since: Option<Instant>,
    available: bool,
    reason: Option<String>,
    mend: Option<String>,
    last_update: Option<LastUpdate>,
    last_refusal: Option<LastRefusal>,
    breaches: Vec<String>,
    findings: Vec<String>,
}

/// More findings than this are a number.
pub(super) const FINDINGS_SHOWN: usize = 20;

impl Board {
    fn sheet(&self) -> std::sync::MutexGuard<'_, Sheet> {
        self.0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    pub(super) fn zones(&self) -> Vec<ZoneStatus> {
        let sheet = self.sheet();
        sheet
            .zones
            .iter()
            .map(|(zone, line)| ZoneStatus {
                orphaned: sheet.orphaned.contains(zone),
                ..line.status(zone, &sheet.freezes)
            })
            .collect()
    }

    pub(super) fn freezes(&self) -> Vec<Freeze> {
        self.sheet().freezes.clone()
    }

    pub(super) fn last_refusal(&self, key: &Name) -> Option<String> {
        let sheet = self.sheet();
        let last = sheet.refusals.get(key)?;
        Some(format!(
            "ref={} at={} guard={}: {}",
            last.reference, last.at, last.rule, last.reason
        ))
    }

    pub(super) fn notices(&self) -> Vec<String> {
        let sheet = self.sheet();
        let notices = sheet.death.iter().chain(&sheet.trouble);
        let notices = notices.chain(&sheet.stale).chain(&sheet.unscrubbed);
        let notices = notices.chain(&sheet.notices);
        notices.cloned().collect()
    }

    pub(super) fn set_trouble(&self, trouble: Option<String>) {
        self.sheet().trouble = trouble;
    }

    pub(super) fn trouble(&self) -> Option<String> {
        let sheet = self.sheet();
        sheet.death.as_ref().or(sheet.trouble.as_ref()).cloned()
    }

    pub(super) fn death(&self) -> Option<String> {
        self.sheet().death.clone()
    }

    pub(super) fn set_death(&self, death: String) {
        self.sheet().death = Some(death);
    }

    pub(super) fn set_stale(&self, stale: Vec<String>) {
        self.sheet().stale = stale;
    }

    pub(super) fn set_unscrubbed(&self, unscrubbed: Option<String>) {
        self.sheet().unscrubbed = unscrubbed;
    }

    pub(super) fn set_notices(&self, notices: Vec<String>) {
        self.sheet().notices = notices;
    }

    pub(super) fn set_freezes(&self, freezes: &[Freeze]) {
        self.sheet().freezes = freezes.to_vec();
    }

    pub(super) fn set_orphaned(&self, orphaned: &BTreeSet<Name>) {
        self.sheet().orphaned = orphaned.clone();
    }

    /// Takes over how a zone is served now.
    pub(super) fn note_zone(&self, published: &Published, origin: &Name) {
        let Some(served) = published.zone(origin) else {
            self.sheet().zones.remove(origin);
            return;
        };
        let mut sheet = self.sheet();
        let line = sheet.zones.entry(origin.clone()).or_insert_with(Line::new);
        match &**served {
            Served::Zone(zone) => {
                line.serial = zone.image.soa().map(|soa| soa.serial.0);
                line.revision = zone.revision;
                line.records = zone.image.record_count();
                let is_expired = zone.hold.as_ref().is_some_and(|hold| hold.is_expired);
                line.available = !is_expired;
                line.since = zone.hold.as_ref().map(|hold| hold.since);
                line.reason = zone.hold.as_ref().map(|hold| match is_expired {
                    true => format!("older than its max_age; {}", hold.reason),
                    false => hold.reason.clone(),
                });
                if zone.hold.is_none() {
                    line.mend = None;
                }
            }
            Served::Unavailable { reason, .. } => {
                line.available = false;
                line.reason = Some(reason.clone());
            }
        }
    }

    pub(super) fn note_mend(&self, origin: &Name, mend: String) {
        if let Some(line) = self.sheet().zones.get_mut(origin) {
            line.mend = Some(mend);
        }
    }

    pub(super) fn note_findings(&self, origin: &Name, findings: &[String]) {
        let more = findings.len().saturating_sub(FINDINGS_SHOWN);
        let shown = findings.iter().take(FINDINGS_SHOWN).cloned();
        let shown = shown.chain((more > 0).then(|| format!("and {more} more")));
        if let Some(line) = self.sheet().zones.get_mut(origin) {
            line.findings = shown.collect();
        }
    }

    pub(super) fn is_new_breach(&self, origin: &Name, breach: &str) -> bool {
        let sheet = self.sheet();
        let known = sheet
            .zones
            .get(origin)
            .map_or(&[][..], |line| &line.breaches);
        !known.iter().any(|known| known == breach)
    }

    pub(super) fn note_breaches(&self, origin: &Name, breaches: Vec<String>) {
        if let Some(line) = self.sheet().zones.get_mut(origin) {
            line.breaches = breaches;
        }
    }

    pub(super) fn note_update(&self, origin: &Name, update: LastUpdate) {
        if let Some(line) = self.sheet().zones.get_mut(origin) {
            line.last_update = Some(update);
        }
    }

    pub(super) fn note_refusal(&self, origin: &Name, actor: &Actor, refusal: LastRefusal) {
        let mut sheet = self.sheet();
        if let Some(line) = sheet.zones.get_mut(origin) {
            line.last_refusal = Some(refusal.clone());
        }
        if let Some(key) = &actor.key {
            sheet.refusals.insert(key.clone(), refusal);
        }
    }
}

impl Line {
    fn new() -> Line {
        Line {
            serial: None,
            revision: 0,
            records: 0,
            since: None,
            available: false,
            reason: None,
            mend: None,
            last_update: None,
            last_refusal: None,
            breaches: Vec::new(),
            findings: Vec::new(),
        }
    }

    fn status(&self, zone: &Name, freezes: &[Freeze]) -> ZoneStatus {
        let frozen = freezes
            .iter()
            .filter(|freeze| match &freeze.scope {
                FreezeScope::Server => true,
                FreezeScope::Zone(frozen) => frozen == zone,
                FreezeScope::Key(_) => false,
            })
            .map(|freeze| format!("{} by {}: {}", freeze.scope, freeze.actor, freeze.reason))
            .collect();
        ZoneStatus {
            zone: zone.clone(),
            serial: self.serial,
            revision: self.revision,
            records: self.records,
            state: match (self.available, self.since) {
                (false, _) => "unavailable",
                (true, Some(_)) => "holding",
                (true, None) => "live",
            },
            held_secs: self.since.map(|since| since.elapsed().as_secs()),
            reason: self.reason.clone(),
            mend: self.mend.clone(),
            orphaned: false,
            snapshot_revision: None,
            snapshot_lag_secs: None,
            frozen,
            last_update: self.last_update.clone(),
            last_refusal: self.last_refusal.clone(),
            findings: self
                .breaches
                .iter()
                .chain(&self.findings)
                .cloned()
                .collect(),
        }
    }
}
