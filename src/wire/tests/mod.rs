//! Doors on loopback addresses, with a store and a writer behind them, and clients outside.

mod client;
mod connections;
mod counting;
mod queries;
mod updates;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;

use super::{Doors, Running, Settings, TcpLimits};
use crate::change::{self, Body, Outcome, Submission, ZonePolicy};
use crate::guard::{Actor, OwnerPattern, Path, Permit, Protection};
use crate::rr::{Name, Rtype};
use crate::store;
use crate::tsig::{Algorithm, Keys};
use crate::{answer, metrics, zone, zonefile};

const LOOPBACK: &str = "127.0.0.1:0";
const SECRET: &[u8] = b"not a secret, but thirty-two oct";

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn settings(listen: &[&str]) -> Settings {
    Settings {
        listen: listen.iter().map(|text| text.parse().unwrap()).collect(),
        udp_threads: 2,
        answer: answer::Settings::default(),
        ask_from: Vec::new(),
        tcp: TcpLimits::default(),
    }
}

/// Doors with everything behind them. Field order: doors close before the runtime ends.
struct House {
    addresses: Vec<SocketAddr>,
    running: Option<Running>,
    change: change::Handle,
    counters: metrics::Counters,
    runtime: tokio::runtime::Runtime,
    _scratch: tempfile::TempDir,
}

impl House {
    fn open() -> House {
        House::with(&settings(&[LOOPBACK]))
    }

    /// Serves `example.com.`, where the addresses of `api` are protected and the key `writer.` may
    /// change everything.
    fn with(settings: &Settings) -> House {
        let scratch = tempfile::tempdir().unwrap();
        let (publish, published) = zone::pointer();
        let counters = metrics::Counters::default();
        let ends = (publish, published.clone());
        let change = change_of(scratch.path(), counters.clone(), ends);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let secret = SECRET.to_vec();
        let keys = Keys::new([
            (name("writer."), Algorithm::HmacSha256, secret.clone()),
            (name("idle."), Algorithm::HmacSha256, secret),
        ]);
        let doors = Doors::bind(settings).unwrap();
        House {
            addresses: doors.addresses(),
            running: Some(doors.open(
                published,
                change.clone(),
                Arc::new(ArcSwap::from_pointee(keys.unwrap())),
                counters.clone(),
                runtime.handle().clone(),
            )),
            change,
            counters,
            runtime,
            _scratch: scratch,
        }
    }

    fn address(&self) -> SocketAddr {
        self.addresses[0]
    }

    fn stop_doors(&mut self) {
        if let Some(running) = self.running.take() {
            self.runtime.block_on(running.stop());
        }
    }
}

impl Drop for House {
    fn drop(&mut self) {
        self.running = None;
        self.change.stop();
    }
}

fn change_of(
    dir: &std::path::Path,
    counters: metrics::Counters,
    (publish, reader): (zone::Writer, zone::Reader),
) -> change::Handle {
    let store = store::Settings {
        path: dir.join("lastgood.db"),
        snapshot: dir.join("lastgood.snapshot.db"),
        busy_timeout_ms: 1000,
        retention: store::Retention::default(),
    };
    let zone = name("example.com.");
    let policy = ZonePolicy {
        protections: vec![Protection {
            zone: zone.clone(),
            name: name("api.example.com."),
            types: vec![Rtype::A],
            min_members: 1,
            external: Vec::new(),
            declared: true,
        }],
        ..ZonePolicy::default_for(zone.clone())
    };
    let anything = Permit {
        zone: None,
        names: vec![OwnerPattern::Whole],
        types: Vec::new(),
        rdata: Vec::new(),
        operations: Vec::new(),
        from: Vec::new(),
    };
    let settings = change::Settings {
        store,
        had_store: false,
        zones: vec![policy],
        keys: vec![(name("writer."), vec![anything])],
        queue: 64,
        poll: Duration::from_secs(1),
        scrub: None,
    };
    let change = change::start(settings, counters, publish, reader).handle;
    let parsed = zonefile::parse(zone_text().as_bytes(), &zone, &|_, _| unreachable!());
    assert!(parsed.problems.is_empty(), "{:?}", parsed.problems);
    let import = change.submit(Submission {
        zone,
        actor: Actor {
            name: "cli test".into(),
            key: None,
        },
        path: Path::Import,
        source: None,
        transport: None,
        body: Body::Import {
            records: parsed.records,
            replace: false,
        },
        override_: None,
    });
    match import.blocking_recv().unwrap() {
        Outcome::Committed(_) => change,
        other => panic!("{other:?}"),
    }
}

/// `big` is larger than a datagram may be, and large enough to fill a slow reader's buffers.
fn zone_text() -> String {
    let mut text = String::from(
        "$TTL 300\n\
         @ SOA ns1 hostmaster 1 7200 3600 1209600 300\n\
         @ NS ns1\n\
         @ NS ns2\n\
         ns1 A 192.0.2.1\n\
         ns2 A 192.0.2.2\n\
         api A 192.0.2.10\n",
    );
    for number in 0..200 {
        text.push_str(&format!("big TXT {number}{}\n", "x".repeat(240)));
    }
    text
}
