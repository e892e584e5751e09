//! Our answers beside those of `named`, `knotd`, `nsd` and `pdns_server`, all with the same zones.
//!
//! Read in order: `zones` and `generator` (what is served), `peers` and `ours` (by whom), `questions`
//! and `asking` (what is asked, and how), `response` (what came back), `verdict` (who agrees with whom),
//! `known` (what we stand by), `report`.
//!
//! `tests/conformance --zones 500` is the long form.

#[path = "../it/harness/ports.rs"]
mod ports;

mod asking;
mod generator;
mod known;
mod ours;
mod peers;
mod questions;
mod report;
mod response;
mod verdict;
mod zones;

use std::thread;

use asking::{Asker, Form};
use ours::Ours;
use peers::{Kind, Peer};
use report::Report;
use response::View;
use verdict::Case;
use zones::Zone;

/// Zones in memory at a time: what five servers say of one is some megabytes.
const ZONES: &str = "CONFORMANCE_ZONES";
const SEED: &str = "CONFORMANCE_SEED";

fn setting(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text
            .parse()
            .unwrap_or_else(|_| panic!("{name}={text} is no number")),
        Err(_) => default,
    }
}

#[test]
fn answers_are_those_of_named_knotd_and_nsd_where_two_of_them_agree() {
    let (count, seed) = (setting(ZONES, 30) as usize, setting(SEED, 1));
    println!("{count} generated zones of the seeds from {seed}");
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let mut zones = zones::of_the_repository();
    zones.extend(zones::generated(count, seed, scratch.path()));
    let ours = Ours::start(&zones, scratch.path());
    let peers = thread::scope(|scope| {
        let (zones, folder) = (&zones, scratch.path());
        let starting = Kind::ALL.map(|kind| scope.spawn(move || Peer::start(kind, zones, folder)));
        starting.map(|thread| thread.join().expect("it starts"))
    });
    let mut report = Report::default();
    for zone in &zones {
        ask(zone, &ours, &peers, &mut report);
    }
    println!("{report}");
    assert_eq!(
        report.unexplained(),
        0,
        "unexplained differences, see above"
    );
}

fn ask(zone: &Zone, ours: &Ours, peers: &[Peer; 4], report: &mut Report) {
    let questions = &questions::of(zone);
    report.zones += 1;
    report.names += zone.image.node_count();
    let at = [ours.at, peers[0].at, peers[1].at, peers[2].at, peers[3].at];
    for form in Form::ALL {
        let [ours, theirs @ ..] = thread::scope(|scope| {
            let views = at.map(|at| {
                scope.spawn(move || {
                    let replies = Asker::new(at).ask(questions, form);
                    let views = replies.iter().map(|reply| View::of(reply.as_deref()));
                    views.collect::<Vec<View>>()
                })
            });
            views.map(|thread| thread.join().expect("it asks"))
        });
        for (n, question) in questions.iter().enumerate() {
            report.take(&Case {
                zone,
                question,
                form,
                ours: &ours[n],
                theirs: [&theirs[0][n], &theirs[1][n], &theirs[2][n], &theirs[3][n]],
            });
        }
    }
}
