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
use questions::Question;
use report::Report;
use response::View;
use verdict::Case;
use zones::Zone;

/// How many zones to make up, and from which seed on.
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
    for (n, zone) in zones.iter().enumerate() {
        report.zone(zone);
        for form in Form::ALL {
            ask(zone, form, &ours, &peers, &mut report);
        }
        if n % 50 == 49 {
            println!("{} zones, {} unexplained", n + 1, report.unexplained());
        }
    }
    println!("{report}");
    assert_eq!(
        report.unexplained(),
        0,
        "unexplained differences, see above"
    );
}

fn ask(zone: &Zone, form: Form, ours: &Ours, peers: &[Peer; 4], report: &mut Report) {
    let questions = &questions::of(zone);
    let at = [ours.at, peers[0].at, peers[1].at, peers[2].at, peers[3].at];
    let replies = &thread::scope(|scope| {
        let asking = at.map(|at| scope.spawn(move || Asker::new(at).ask(questions, form)));
        asking.map(|thread| thread.join().expect("it asks"))
    });
    thread::scope(|scope| {
        // Taking replies apart is more work than getting them.
        let half = questions.len() / 2;
        let halves = [0..half, half..questions.len()];
        let halves = halves.map(|part| {
            scope.spawn(move || {
                let mut report = Report::default();
                for n in part {
                    let replies = replies.each_ref().map(|of| of[n].as_deref());
                    compare(zone, &questions[n], form, replies, &mut report);
                }
                report
            })
        });
        for half in halves {
            report.add(half.join().expect("it compares"));
        }
    });
}

fn compare(
    zone: &Zone,
    question: &Question,
    form: Form,
    [ours, theirs @ ..]: [Option<&[u8]>; 5],
    report: &mut Report,
) {
    let own = View::of(ours);
    // The same octets need no second look.
    let others = theirs.map(|reply| (reply != ours).then(|| View::of(reply)));
    report.take(&Case {
        zone,
        question,
        form,
        ours: &own,
        theirs: others
            .each_ref()
            .map(|other| other.as_ref().unwrap_or(&own)),
    });
}

#[test]
fn each_known_difference_stands_in_the_documentation() {
    let page = include_str!("../../docs/conformance.md");
    for entry in known::KNOWN {
        let (name, section) = (entry.name, entry.section);
        let said = page
            .lines()
            .any(|line| line.contains(&format!("`{name}`")) && line.contains(section));
        assert!(
            said,
            "docs/conformance.md has no line with `{name}` and {section}"
        );
    }
}
