//! What one update costs, in a small zone and in a large one: octets allocated (whatever is copied is
//! allocated first), octets written, time. `tests/costs --records 1000000` is the long form.

mod counting;
#[path = "../process/message.rs"]
#[allow(dead_code, reason = "a cost needs little of it")]
mod message;

use std::fmt;
use std::time::{Duration, Instant};

use lastgood::change::{self, Body, Outcome, Submission};
use lastgood::config::Config;
use lastgood::guard::{Actor, Path};
use lastgood::metrics::Counters;
use lastgood::rr::{Name, Record, Rtype, rdata};
use lastgood::{update, zone};

const ZONE: &str = "cost.test.";
const SMALL: usize = 1_000;
/// Before anything is measured: caches fill, statements are prepared.
const WARM_UP: u32 = 100;
const MEASURED: u32 = 400;
/// A large zone has two or three levels more in each of its trees, and nothing else.
const FACTOR_MAX: f64 = 2.0;

#[derive(Debug, Clone, Copy)]
struct Cost {
    records: usize,
    allocated: u64,
    written: u64,
    median: Duration,
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Cost {
            records,
            allocated,
            written,
            median,
        } = self;
        write!(
            f,
            "{records:>8} records: {allocated} octets allocated, {written} written, {median:?} (median of \
             {MEASURED} updates)"
        )
    }
}

fn large() -> usize {
    let given = std::env::var("RECORDS").ok();
    given.map_or(30_000, |text| text.parse().expect("RECORDS is a number"))
}

#[test]
fn an_update_costs_the_same_in_a_large_zone() {
    let small = measure(SMALL);
    println!("{small}");
    let large = measure(large());
    println!("{large}");
    for (what, small, large) in [
        ("allocated", small.allocated, large.allocated),
        ("written", small.written, large.written),
    ] {
        let factor = large as f64 / small as f64;
        println!("{what}: factor {factor:.2}");
        assert!(factor < FACTOR_MAX, "octets {what}: {small} and {large}");
    }
    let factor = large.median.as_secs_f64() / small.median.as_secs_f64();
    println!("time: factor {factor:.2}");
}

fn name(text: &str) -> Name {
    text.parse().expect("a name")
}

fn records(count: usize) -> Vec<Record> {
    let record = |owner: String, rtype, text: &str| Record {
        owner: name(&owner),
        rtype,
        ttl: 300,
        rdata: rdata::from_text(rtype, text).expect("RDATA"),
    };
    let mut records = vec![
        record(
            ZONE.into(),
            Rtype::SOA,
            "ns.invalid. host.invalid. 1 7200 900 1209600 300",
        ),
        record(ZONE.into(), Rtype::NS, "ns1.invalid."),
        record(ZONE.into(), Rtype::NS, "ns2.invalid."),
    ];
    for number in records.len()..count {
        let [_, a, b, c] = (number as u32).to_be_bytes();
        records.push(Record {
            owner: name(&format!("h{number}.{ZONE}")),
            rtype: Rtype::A,
            ttl: 300,
            rdata: Box::new([10, a, b, c]),
        });
    }
    records
}

fn settings(folder: &std::path::Path) -> change::Settings {
    let text = format!(
        "[server]\nlisten = [\"127.0.0.1:0\"]\n[store]\npath = \"cost.db\"\n[[key]]\nname = \"cost.\"\n\
         algorithm = \"hmac-sha256\"\nsecret = \"bm90IG11Y2ggb2YgYSBzZWNyZXQgYXQgYWxs\"\n\
         allow = [{{ zone = \"*\", names = [\"**\"] }}]\n[[zone]]\nname = \"{ZONE}\"\n"
    );
    let config = Config::from_str(&text, folder).expect("a configuration");
    config.change
}

fn submission(actor: &str, path: Path, body: Body) -> Submission {
    Submission {
        zone: name(ZONE),
        actor: Actor {
            name: actor.into(),
            key: (path == Path::Update).then(|| name("cost.")),
        },
        path,
        source: None,
        transport: None,
        body,
        override_: None,
    }
}

fn measure(count: usize) -> Cost {
    let folder = tempfile::TempDir::new().expect("a scratch folder");
    let (publish, reader) = zone::pointer();
    let started = change::start(
        settings(folder.path()),
        Counters::default(),
        publish,
        reader,
    );
    let handle = started.handle;
    let import = Body::Import {
        records: records(count),
        replace: true,
    };
    let outcome = handle
        .submit(submission("cli", Path::Import, import))
        .blocking_recv();
    assert!(matches!(outcome, Ok(Outcome::Committed(_))), "{outcome:?}");
    let mut times = Vec::new();
    let (mut allocated, mut written) = (0, 0);
    for number in 0..WARM_UP + MEASURED {
        if number == WARM_UP {
            settle(&handle);
            (allocated, written) = (counting::allocated(), counting::written());
        }
        let begun = Instant::now();
        let outcome = handle.submit(replacement(number, count)).blocking_recv();
        if number >= WARM_UP {
            times.push(begun.elapsed());
        }
        assert!(matches!(outcome, Ok(Outcome::Committed(_))), "{outcome:?}");
    }
    // The snapshot's share is in it.
    settle(&handle);
    allocated = counting::allocated() - allocated;
    written = counting::written() - written;
    handle.stop();
    times.sort_unstable();
    Cost {
        records: count,
        allocated: allocated / u64::from(MEASURED),
        written: written / u64::from(MEASURED),
        median: times[times.len() / 2],
    }
}

/// Waits until the snapshot has all.
fn settle(handle: &change::Handle) {
    let begun = Instant::now();
    while handle
        .status()
        .iter()
        .any(|zone| Some(zone.revision) != zone.snapshot_revision)
    {
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "{:?}",
            handle.status()
        );
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Another address for one of the names, here and there in the zone.
fn replacement(number: u32, count: usize) -> Submission {
    let host = 3 + number as usize * 7_919 % (count - 3);
    let owner = format!("h{host}.{ZONE}");
    let octets = message::Update::of(number as u16, ZONE)
        .delete(&owner, message::A)
        .add(
            &owner,
            message::A,
            &[192, 0, (number >> 8) as u8, number as u8],
        )
        .octets();
    let message = update::parse(&octets).expect("an update");
    let mac = number.to_be_bytes().to_vec();
    submission("key cost.", Path::Update, Body::Update { message, mac })
}
