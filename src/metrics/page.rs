//! Everything counted, as text (OpenMetrics 1.0). Names follow Prometheus's conventions: the prefix
//! of the program, base units, `_total`; what every program has is called what it is called
//! everywhere (`process_…`).

use std::fmt;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::process::Process;
use super::queries::{RCODES, Sums};
use super::{Counters, Inner};

/// What is not counted, but looked at when the page is asked for.
#[derive(Debug, Default)]
pub struct Scrape {
    pub zones: Vec<Zone>,
    /// `None`: none is kept.
    pub snapshot: Option<Snapshot>,
}

/// A zone as it is served.
#[derive(Debug)]
pub struct Zone {
    pub name: String,
    pub serial: Option<u32>,
    pub revision: Option<u64>,
    pub records: Option<u64>,
    pub state: State,
}

#[derive(Debug, Clone, Copy)]
pub enum State {
    Live,
    /// Served from an image that the live data have not backed since then.
    Holding {
        since: Instant,
    },
    /// Holding for longer than it may: it is not answered from its image any more.
    Expired {
        since: Instant,
    },
    /// There is no version fit to be served.
    Unavailable,
}

impl State {
    fn is_answered(self) -> bool {
        matches!(self, State::Live | State::Holding { .. })
    }

    fn held_since(self) -> Option<Instant> {
        match self {
            State::Holding { since } | State::Expired { since } => Some(since),
            State::Live | State::Unavailable => None,
        }
    }
}

/// The last-known-good snapshot.
#[derive(Debug, Default)]
pub struct Snapshot {
    /// For how long it has lacked something that is served.
    pub lag: Duration,
    /// Nothing can be written to it.
    pub is_failing: bool,
    /// The revision that it has of each zone.
    pub revisions: Vec<(String, u64)>,
}

impl Counters {
    /// The page, in the format OpenMetrics; [`super::classic`] makes the older format of it.
    pub fn page(&self, scrape: Scrape) -> String {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(Page {
            counters: self.clone(),
            process: Process::read(),
            scrape,
        }));
        let mut text = String::new();
        text::encode(&mut text, &registry).expect("a String takes all text");
        text
    }
}

#[derive(Debug)]
struct Page {
    counters: Counters,
    process: Process,
    scrape: Scrape,
}

impl Collector for Page {
    fn encode(&self, encoder: DescriptorEncoder) -> fmt::Result {
        let mut writer = Families(encoder);
        self.queries(&mut writer)?;
        self.updates(&mut writer)?;
        self.zones(&mut writer)?;
        self.store(&mut writer)?;
        self.snapshot(&mut writer)?;
        self.process(&mut writer)
    }
}

/// Writes one family after the other.
struct Families<'e>(DescriptorEncoder<'e>);

impl Families<'_> {
    fn begin(
        &mut self,
        name: &'static str,
        unit: Option<&'static Unit>,
        kind: MetricType,
        help: &str,
    ) -> Result<MetricEncoder<'_>, fmt::Error> {
        self.0.encode_descriptor(name, help, unit, kind)
    }

    fn counter(&mut self, name: &'static str, help: &str, value: u64) -> fmt::Result {
        ConstCounter::new(value).encode(self.begin(name, None, MetricType::Counter, help)?)
    }

    fn gauge(
        &mut self,
        name: &'static str,
        unit: Option<&'static Unit>,
        help: &str,
        value: f64,
    ) -> fmt::Result {
        put_gauge(value, self.begin(name, unit, MetricType::Gauge, help)?)
    }

    /// Each row is the values of its labels, and its count.
    fn counters<'r, const N: usize>(
        &mut self,
        name: &'static str,
        help: &str,
        labels: [&str; N],
        rows: impl Iterator<Item = ([&'r str; N], u64)>,
    ) -> fmt::Result {
        let mut family = self.begin(name, None, MetricType::Counter, help)?;
        for (values, count) in rows {
            let labels: [(&str, &str); N] = std::array::from_fn(|at| (labels[at], values[at]));
            ConstCounter::new(count).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }

    /// A number for each zone that has one.
    fn zones<'r>(
        &mut self,
        name: &'static str,
        unit: Option<&'static Unit>,
        help: &str,
        rows: impl Iterator<Item = (&'r str, f64)>,
    ) -> fmt::Result {
        let mut family = self.begin(name, unit, MetricType::Gauge, help)?;
        for (zone, number) in rows {
            let label = [("zone", zone)];
            put_gauge(number, family.encode_family(&label)?)?;
        }
        Ok(())
    }
}

/// Whole numbers look like it: a serial is compared by eye.
fn put_gauge(number: f64, to: MetricEncoder) -> fmt::Result {
    match number.fract() == 0.0 {
        true => ConstGauge::new(number as i64).encode(to),
        false => ConstGauge::new(number).encode(to),
    }
}

impl Page {
    fn inner(&self) -> &Inner {
        &self.counters.0
    }

    fn queries(&self, to: &mut Families) -> fmt::Result {
        let queries = &self.inner().queries;
        let sums = queries.sums();
        to.counters(
            "lastgood_queries",
            "Requests answered, updates apart, by transport and RCODE of the answer",
            ["transport", "rcode"],
            answered(&sums),
        )?;
        to.counter(
            "lastgood_udp_responses_dropped",
            "Responses that the system did not take",
            sums.responses_lost,
        )?;
        to.counter(
            "lastgood_slow_path_dropped",
            "Updates and signed queries over UDP that found the queue of the slow path full",
            sums.slow_path_full,
        )?;
        to.gauge(
            "lastgood_tcp_connections_open",
            None,
            "TCP connections that are open",
            queries.open.load(Ordering::Relaxed) as f64,
        )?;
        to.counter(
            "lastgood_tcp_connections_accepted",
            "TCP connections that were served",
            queries.accepted.load(Ordering::Relaxed),
        )?;
        to.counter(
            "lastgood_tcp_connections_evicted",
            "TCP connections closed to make room for another",
            queries.evicted.load(Ordering::Relaxed),
        )
    }

    fn updates(&self, to: &mut Families) -> fmt::Result {
        let updates = &self.inner().updates;
        to.counters(
            "lastgood_updates",
            "Changes by the path on which they came and what became of them",
            ["path", "outcome"],
            updates
                .fates()
                .into_iter()
                .map(|((path, fate), count)| ([path, fate.as_str()], count)),
        )?;
        let refusals = updates.refusals();
        to.counters(
            "lastgood_refusals",
            "Changes refused, by the rule that refused them",
            ["rule"],
            refusals.iter().map(|(rule, count)| ([&**rule], *count)),
        )?;
        let observed = updates.observations();
        to.counters(
            "lastgood_observed",
            "Changes that a rule which only observes would have refused, by rule",
            ["rule"],
            observed.iter().map(|(rule, count)| ([&**rule], *count)),
        )?;
        let mut stages = to.begin(
            "lastgood_update_stage_duration",
            Some(&Unit::Seconds),
            MetricType::Histogram,
            "Time from judging a change, to writing its group to the disk, to serving it",
        )?;
        let mut stage = |name, histogram: &Histogram| {
            histogram.encode(stages.encode_family(&[("stage", name)])?)
        };
        stage("judge", &updates.judge)?;
        stage("commit", &updates.commit)?;
        stage("publish", &updates.publish)?;
        to.counter(
            "lastgood_tsig_failures",
            "Requests whose signature was not accepted, or could not be read",
            updates.tsig_failures.load(Ordering::Relaxed),
        )?;
        to.counter(
            "lastgood_unsigned_updates",
            "Updates without a signature",
            updates.unsigned.load(Ordering::Relaxed),
        )
    }

    fn zones(&self, to: &mut Families) -> fmt::Result {
        let zones = &self.scrape.zones;
        let rows = |number: fn(&Zone) -> Option<f64>| {
            zones
                .iter()
                .filter_map(move |zone| Some((&*zone.name, number(zone)?)))
        };
        to.zones(
            "lastgood_zone_serial",
            None,
            "Serial served",
            rows(|zone| zone.serial.map(f64::from)),
        )?;
        to.zones(
            "lastgood_zone_revision",
            None,
            "Revision served",
            rows(|zone| zone.revision.map(|revision| revision as f64)),
        )?;
        to.zones(
            "lastgood_zone_records",
            None,
            "Records served",
            rows(|zone| zone.records.map(|records| records as f64)),
        )?;
        to.zones(
            "lastgood_zone_available",
            None,
            "1: the zone is answered from its data; 0: there are none fit to be served",
            rows(|zone| Some(truth(zone.state.is_answered()))),
        )?;
        to.zones(
            "lastgood_zone_hold",
            None,
            "1: the last good version is served in place of live data that are not fit",
            rows(|zone| Some(truth(zone.state.held_since().is_some()))),
        )?;
        let unseen = self.counters.store_unseen();
        let age = |zone: &Zone| match zone.state {
            State::Live => unseen,
            State::Holding { since } | State::Expired { since } => Some(since.elapsed()),
            State::Unavailable => None,
        };
        to.zones(
            "lastgood_zone_age",
            Some(&Unit::Seconds),
            "Time since the live data of the zone were last seen fit",
            zones
                .iter()
                .filter_map(|zone| Some((&*zone.name, age(zone)?.as_secs_f64()))),
        )
    }

    fn store(&self, to: &mut Families) -> fmt::Result {
        let inner = self.inner();
        to.gauge(
            "lastgood_store_failing",
            None,
            "1: changes fail, because the store cannot be written",
            truth(inner.store_failing.load(Ordering::Relaxed)),
        )?;
        to.counter(
            "lastgood_audit_altered",
            "Times that the end of the audit was found altered by others",
            inner.audit_altered.load(Ordering::Relaxed),
        )?;
        to.counter(
            "lastgood_panics",
            "Times that a thread behind the answers failed and was started again",
            inner.panics.load(Ordering::Relaxed),
        )?;
        to.counter(
            "lastgood_scrubs",
            "Times that store and snapshot were read through for damage",
            inner.scrubs.load(Ordering::Relaxed),
        )?;
        to.gauge(
            "lastgood_scrub_faults",
            None,
            "Faults of the store that the last scrub found",
            inner.scrub_faults.load(Ordering::Relaxed) as f64,
        )
    }

    fn snapshot(&self, to: &mut Families) -> fmt::Result {
        let Some(snapshot) = &self.scrape.snapshot else {
            return Ok(());
        };
        to.gauge(
            "lastgood_snapshot_lag",
            Some(&Unit::Seconds),
            "For how long the snapshot has lacked something that is served",
            snapshot.lag.as_secs_f64(),
        )?;
        to.gauge(
            "lastgood_snapshot_failing",
            None,
            "1: nothing can be written to the snapshot",
            truth(snapshot.is_failing),
        )?;
        let revisions = snapshot.revisions.iter();
        to.zones(
            "lastgood_zone_snapshot_revision",
            None,
            "Revision that the snapshot has of the zone",
            revisions.map(|(zone, revision)| (&**zone, *revision as f64)),
        )
    }

    fn process(&self, to: &mut Families) -> fmt::Result {
        let inner = self.inner();
        let version = [("version", env!("CARGO_PKG_VERSION"))];
        to.begin("lastgood_build", None, MetricType::Info, "What is running")?
            .encode_info(&version)?;
        to.gauge(
            "lastgood_uptime",
            Some(&Unit::Seconds),
            "Time since the server was started",
            inner.started.elapsed().as_secs_f64(),
        )?;
        let started = inner.started_at.duration_since(SystemTime::UNIX_EPOCH);
        to.gauge(
            "process_start_time",
            Some(&Unit::Seconds),
            "When the server was started, in seconds since 1970",
            started.unwrap_or_default().as_secs_f64(),
        )?;
        let process = &self.process;
        if let Some(secs) = process.cpu_secs {
            let help = "CPU time used, in user and system mode";
            let cpu = to.begin(
                "process_cpu",
                Some(&Unit::Seconds),
                MetricType::Counter,
                help,
            )?;
            ConstCounter::new(secs).encode(cpu)?;
        }
        let bytes = Some(&Unit::Bytes);
        for (name, unit, help, number) in [
            (
                "process_resident_memory",
                bytes,
                "Memory in use, as the system counts it",
                process.resident_octets,
            ),
            (
                "process_virtual_memory",
                bytes,
                "Address space in use",
                process.virtual_octets,
            ),
            (
                "process_open_fds",
                None,
                "File descriptors that are open",
                process.open_fds,
            ),
            (
                "process_max_fds",
                None,
                "File descriptors that may be open",
                process.max_fds,
            ),
            ("process_threads", None, "Threads", process.threads),
        ] {
            if let Some(number) = number {
                to.gauge(name, unit, help, number as f64)?;
            }
        }
        Ok(())
    }
}

fn truth(is_so: bool) -> f64 {
    f64::from(u8::from(is_so))
}

/// Every RCODE that we give; of the others, those that were given nevertheless.
fn answered(sums: &Sums) -> impl Iterator<Item = ([&'static str; 2], u64)> {
    const UNUSED: std::ops::Range<usize> = 11..16;
    let of = |transport, counts: &[u64; RCODES.len()]| {
        let counts = *counts;
        (0..RCODES.len())
            .filter(move |&code| counts[code] > 0 || !UNUSED.contains(&code))
            .map(move |code| ([transport, RCODES[code]], counts[code]))
    };
    of("udp", &sums.udp).chain(of("tcp", &sums.tcp))
}
