//! How the snapshot is kept: what is in it, in which steps it follows, and when it is read.

use std::collections::HashMap;
use std::fs;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

use hickory_proto::op::ResponseCode;

use crate::harness::eventually;
use crate::harness::lab::{self, Lab};
use crate::harness::library::{self, Transport};
use crate::harness::programs;
use crate::harness::serving::Serving;

const ZONE: &str = "example.com.";
/// The zone's name as the snapshot has it.
const KEY: &str = "x'076578616d706c6503636f6d00'";

/// What a reader of the snapshot sees at one moment.
#[derive(Debug)]
struct Seen {
    revision: u64,
    digest: String,
    ceiling: u32,
    audit_row: u64,
    audit_hash: String,
}

fn look(lab: &Lab) -> Option<Seen> {
    let query = format!(
        "SELECT revision, digest,
            (SELECT serial FROM ceiling WHERE origin = {KEY}),
            (SELECT value FROM meta WHERE key = 'audit_head')
         FROM zone WHERE origin = {KEY}"
    );
    let mut command = Command::new("sqlite3");
    command.args(["-readonly", "-separator", " ", "-cmd", ".timeout 5000"]);
    let ran = programs::run(command.arg(lab.snapshot()), &query);
    let words: Vec<&str> = ran.stdout.split_whitespace().collect();
    let [revision, digest, ceiling, row, hash] = words[..] else {
        return None;
    };
    Some(Seen {
        revision: revision.parse().expect("a number"),
        digest: digest.to_owned(),
        ceiling: ceiling.parse().expect("a serial"),
        audit_row: row.parse().expect("a number"),
        audit_hash: hash.to_owned(),
    })
}

/// Rows of the store, by their first column.
fn by_number(lab: &Lab, query: &str) -> HashMap<u64, String> {
    let rows = lab.sql(query);
    let rows = rows.lines().filter_map(|row| row.split_once('|'));
    rows.map(|(number, rest)| (number.parse().expect("a number"), rest.to_owned()))
        .collect()
}

#[test]
fn the_snapshot_follows_in_the_order_of_revisions_a_batch_at_a_time() {
    // More than the serials of one block, by so many clients.
    const UPDATES: u32 = 1_200;
    const CLIENTS: usize = 4;
    let lab = Lab::demo();
    lab.settle(ZONE);
    let (at, is_over) = (lab.v4(), AtomicBool::new(false));
    let began = Instant::now();
    let seen = thread::scope(|scope| {
        let updates = scope.spawn(|| {
            let send = |number: u32| {
                let update = library::update(ZONE, library::demo_key(), false, |section| {
                    section.add_a(&format!("n{number}.example.com."), [192, 0, 2, 1]);
                });
                let answer = update.send(at, Transport::Tcp);
                assert_eq!(answer.metadata.response_code, ResponseCode::NoError);
            };
            thread::scope(|scope| {
                for client in 0..CLIENTS {
                    scope.spawn(move || (0..UPDATES).skip(client).step_by(CLIENTS).for_each(send));
                }
            });
            is_over.store(true, Ordering::Relaxed);
        });
        let mut seen: Vec<(Seen, u32)> = Vec::new();
        while !is_over.load(Ordering::Relaxed) && !updates.is_finished() {
            // Asked first: the ceiling was on disk before this serial was served.
            let serial = lab.serial("example.com");
            seen.extend(look(&lab).map(|looked| (looked, serial)));
        }
        updates.join().expect("every update is let in");
        seen
    });
    let took = began.elapsed();
    lab.settle(ZONE);

    assert!(seen.len() > 3, "{seen:?}");
    let ordered = seen.is_sorted_by(|(a, _), (b, _)| {
        a.revision <= b.revision && a.ceiling <= b.ceiling && a.audit_row <= b.audit_row
    });
    assert!(ordered, "{seen:?}");
    let digests = by_number(
        &lab,
        &format!("SELECT number, digest FROM revision WHERE zone = '{ZONE}'"),
    );
    let hashes = by_number(&lab, "SELECT id, lower(hex(hash)) FROM audit");
    let mut batches = Vec::new();
    for (seen, serial) in &seen {
        assert_eq!(digests.get(&seen.revision), Some(&seen.digest), "{seen:?}");
        assert_eq!(
            hashes.get(&seen.audit_row),
            Some(&seen.audit_hash),
            "{seen:?}"
        );
        assert!(seen.ceiling >= *serial, "{serial} was served: {seen:?}");
        batches.push(seen.revision);
    }
    batches.dedup();
    // Up to a second is gathered. The first look and the last may each be in the middle of one.
    let most = usize::try_from(took.as_secs()).expect("seconds") + 3;
    assert!(batches.len() <= most, "{batches:?} within {took:?}");
    // More than a block of serials.
    let last = look(&lab).expect("a snapshot");
    assert_eq!(last.revision, u64::from(UPDATES) + 1);
    assert!(last.ceiling >= lab.serial("example.com"), "{last:?}");
}

#[test]
fn policy_and_freezes_are_in_the_snapshot_a_moment_after_they_are_in_force() {
    let lab = Lab::demo();
    lab.settle(ZONE);
    lab.cli(&["freeze", "--zone", ZONE, "--reason", "INC-9"])
        .expect_ok();
    let config = lab.read("lastgood.toml");
    let more = config.replace(
        "[[zone.protect]]\nname = \"www\"",
        "[[zone.protect]]\nname = \"mail\"\n[[zone.protect]]\nname = \"www\"",
    );
    assert_ne!(config, more);
    lab.write("lastgood.toml", &more);
    lab.cli(&["reload"]).expect_ok();
    eventually("both are in the file", || {
        let value = |key: &str| {
            let query = format!("SELECT value FROM meta WHERE key = '{key}'");
            lab.sql_in(&lab.snapshot(), &query)
        };
        let (policies, freezes) = (value("policies"), value("freezes"));
        match policies.contains("mail.example.com.") && freezes.contains("INC-9") {
            true => Ok(()),
            false => Err(policies + &freezes),
        }
    });
}

/// How many octets of the snapshot were read, by the system calls in a trace.
fn octets_read<'a>(trace: impl Iterator<Item = &'a str>) -> u64 {
    let reads =
        trace.filter(|line| line.contains("demo.snapshot.db>") && line.contains("pread64("));
    reads
        .filter_map(|line| line.rsplit_once(" = ")?.1.trim().parse::<u64>().ok())
        .sum()
}

/// A zone of some megabytes in store and snapshot.
fn stopped_large() -> Lab {
    let mut records = lab::apex("example.com.");
    for number in 0..20_000 {
        records += &format!(
            "n{number} TXT \"{number} and some text to make it longer than an address\"\n"
        );
    }
    let config = lab::head() + "[[zone]]\nname = \"example.com.\"\nfile = \"zone\"\n";
    let mut lab = Lab::of(&config, &[("zone", &records)]);
    lab.settle(ZONE);
    lab.stop();
    lab
}

#[test]
fn after_a_good_start_the_zones_of_the_snapshot_are_read_by_the_scrub_and_by_nobody_else() {
    let lab = stopped_large();
    let size = fs::metadata(lab.snapshot()).expect("the snapshot").len();
    assert!(size > 1_000_000, "{size}");
    let options = ["-y", "-e", "trace=pread64,prctl"];
    let Some(serving) = Serving::start_traced(lab, ZONE, &options) else {
        return;
    };
    assert_eq!(serving.lab.state(ZONE), "live");
    let (by_scrub, by_others) = eventually("all of it was read", || {
        let trace = serving.lab.read("trace");
        let named = trace.lines().find(|line| line.contains("\"scrub\""));
        let thread = named.and_then(|line| line.split(' ').next());
        let thread = thread.ok_or("no scrub yet")?;
        let is_scrub = |line: &&str| line.split(' ').next() == Some(thread);
        let by_scrub = octets_read(trace.lines().filter(is_scrub));
        match by_scrub >= size {
            true => Ok((by_scrub, octets_read(trace.lines()) - by_scrub)),
            false => Err(format!("{by_scrub} of {size} octets")),
        }
    });
    assert!(
        by_others < size / 10,
        "{by_others}, and {by_scrub} by the scrub"
    );
}

#[test]
fn after_the_store_is_lost_the_snapshot_is_read_whole_before_the_doors_open() {
    let lab = stopped_large();
    let size = fs::metadata(lab.snapshot()).expect("the snapshot").len();
    fs::remove_file(lab.database()).expect("the store");
    let options = ["-y", "-s", "400", "-e", "trace=pread64,write"];
    let Some(serving) = Serving::start_traced(lab, ZONE, &options) else {
        return;
    };
    let trace = eventually("the doors are open", || {
        let trace = serving.lab.read("trace");
        trace
            .contains(" INFO serving ")
            .then_some(trace)
            .ok_or("not yet".to_owned())
    });
    let doors = trace.find(" INFO serving ").expect("seen");
    let before = octets_read(trace[..doors].lines());
    assert!(before > size / 2, "{before} of {size} octets");
    assert_eq!(serving.lab.state(ZONE), "holding");
    let reply = lab::dig(serving.at, "n19999.example.com TXT +edns");
    assert_eq!(reply.ede.map(|(code, _)| code), Some(3), "{}", reply.text);
}
