//! The writer turned by hand, one turn after the other, so that nothing happens in between.

use std::io::{BufRead, BufReader, Write};
use std::path::Path as FilePath;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;
use tokio::sync::oneshot;

use super::*;
use crate::change::tests::{ZONE, addition, import, name, settings, sql, submission};
use crate::change::{Body, RefusedWhy, Submission, ZonePolicy};
use crate::guard::Path;
use crate::zone::{self, Served};

/// Longer than scrubs which bring about each other are apart.
const QUIET: Duration = Duration::from_secs(2);

struct Stage {
    folder: TempDir,
    thread: WriterThread,
    scrubs: Receiver<Order>,
}

impl Stage {
    /// With the zone imported, and zones of which there are no data.
    fn of(without_data: &[&str]) -> Stage {
        let folder = tempfile::tempdir().unwrap();
        let mut settings = settings(folder.path());
        settings.store.busy_timeout_ms = 50;
        let more = without_data.iter().map(|zone| name(zone));
        settings.zones.extend(more.map(ZonePolicy::default_for));
        let (publish, reader) = zone::pointer();
        let (orders, scrubs) = std::sync::mpsc::sync_channel(8);
        let (counters, board) = (Counters::default(), Arc::default());
        let (thread, _) = WriterThread::new(settings, counters, publish, reader, board, orders);
        let mut stage = Stage {
            folder,
            thread,
            scrubs,
        };
        let imported = stage.ask(submission(Path::Import, "", import(&["api"])));
        assert!(matches!(imported, Outcome::Committed(_)), "{imported:?}");
        stage
    }

    fn ask(&mut self, submission: Submission) -> Outcome {
        let (reply, outcome) = oneshot::channel();
        let reply = Box::new(|outcome| drop(reply.send(outcome)));
        let job = Job::new(submission, reply, &self.thread.counters);
        self.thread.turn(vec![job]);
        outcome.blocking_recv().unwrap()
    }

    fn sql(&self, statement: &str) {
        sql(self.folder.path(), statement);
    }

    fn is_held(&self) -> bool {
        let published = self.thread.publisher.current();
        let served = published.zone(&name(ZONE)).unwrap();
        served.zone().unwrap().hold.is_some()
    }

    /// Somebody deletes one of the two name servers by hand, which is one too many.
    fn hold(&mut self) {
        self.sql("DELETE FROM record WHERE rdata = 'ns2.a.'");
        self.thread.turn(Vec::new());
        assert!(self.is_held());
    }

    /// How many scrubs there are until none comes any more.
    fn scrubs(&mut self) -> usize {
        let mut count = 0;
        while let Ok(order) = self.scrubs.recv_timeout(QUIET) {
            let Order::Scrubbed(report) = order else {
                panic!("only the scrub sends orders here");
            };
            count += 1;
            assert!(count < 5, "they bring about each other");
            self.thread.scrubbed(*report);
            for _ in 0..3 {
                self.thread.turn(Vec::new());
            }
        }
        count
    }
}

/// An update that adds what somebody deleted.
fn repair() -> Body {
    let mut octets = vec![0, 1, 0x28, 0, 0, 1, 0, 0, 0, 1, 0, 0];
    octets.extend_from_slice(name(ZONE).as_wire());
    octets.extend_from_slice(&[0, 6, 0, 1]);
    octets.extend_from_slice(name(ZONE).as_wire());
    let server = name("ns2.a.");
    octets.extend_from_slice(&[0, 2, 0, 1, 0, 0, 0, 60, 0, server.as_wire().len() as u8]);
    octets.extend_from_slice(server.as_wire());
    Body::Update {
        message: crate::update::parse(&octets).unwrap(),
        mac: b"repair".to_vec(),
    }
}

fn by(key: &str, body: Body) -> Submission {
    submission(Path::Update, key, body)
}

#[test]
fn a_zone_that_holds_is_not_scrubbed_without_end() {
    let mut stage = Stage::of(&[]);
    assert_eq!(stage.scrubs(), 1, "after the start");
    stage.hold();
    assert_eq!(stage.scrubs(), 1, "for the commit of somebody else");
    assert!(stage.is_held());
    // The next one is noticed all the same.
    stage.sql("CREATE TABLE notes (text)");
    stage.thread.turn(Vec::new());
    assert_eq!(stage.scrubs(), 1);
    let repaired = stage.ask(by("writer.", repair()));
    assert!(matches!(repaired, Outcome::Committed(_)), "{repaired:?}");
}

#[test]
fn a_zone_without_data_is_not_scrubbed_without_end() {
    let mut stage = Stage::of(&["nothing.test."]);
    assert_eq!(stage.scrubs(), 1, "after the start");
    let published = stage.thread.publisher.current();
    let nothing = published.zone(&name("nothing.test.")).unwrap();
    assert!(matches!(&**nothing, Served::Unavailable { .. }));
    stage.sql("CREATE TABLE notes (text)");
    stage.thread.turn(Vec::new());
    assert_eq!(stage.scrubs(), 1);
}

/// Another process that writes and does not come to an end.
struct Lock(Child);

impl Lock {
    fn on(folder: &FilePath) -> Lock {
        let mut sqlite3 = Command::new("sqlite3");
        sqlite3.arg(folder.join("lastgood.db"));
        sqlite3.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = sqlite3.spawn().expect("sqlite3 (tests/run installs it)");
        let mut stdin = child.stdin.as_ref().unwrap();
        writeln!(stdin, "BEGIN IMMEDIATE; SELECT 'locked';").unwrap();
        let mut said = String::new();
        let stdout = child.stdout.as_mut().unwrap();
        BufReader::new(stdout).read_line(&mut said).unwrap();
        assert_eq!(said, "locked\n");
        Lock(child)
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

#[test]
fn a_hold_can_be_ended_after_a_group_that_found_the_store_locked() {
    let mut stage = Stage::of(&[]);
    stage.hold();
    let lock = Lock::on(stage.folder.path());
    let locked = stage.ask(by("writer.", repair()));
    assert!(matches!(locked, Outcome::Unavailable { .. }), "{locked:?}");
    drop(lock);
    // What was known of the rows was forgotten. Nobody commits anything: it is looked at again.
    let start = Instant::now();
    loop {
        stage.thread.turn(Vec::new());
        match stage.ask(by("writer.", repair())) {
            Outcome::Committed(_) => break,
            Outcome::Refused(refused) => assert_eq!(refused.why, RefusedWhy::NotReady),
            other => panic!("{other:?}"),
        }
        assert!(
            start.elapsed() < Duration::from_secs(60),
            "it is never judged again"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(!stage.is_held());
    let next = stage.ask(by("writer.", addition("next")));
    assert!(matches!(next, Outcome::Committed(_)), "{next:?}");
}

#[test]
fn no_row_is_read_for_somebody_without_any_right_in_the_zone() {
    let mut stage = Stage::of(&[]);
    stage.hold();
    // Whatever reads the rows fails from now on.
    stage.sql("ALTER TABLE record RENAME TO elsewhere");
    let mut decide_for = |key: &str| {
        let thread = &mut stage.thread;
        let path = thread.settings.store.path.clone();
        let keepsake = Keepsake::default();
        let mut desk = Desk {
            policy: &thread.policy,
            path: &path,
            ceilings: &thread.ceilings,
            keepsake: &keepsake,
            contested: &mut thread.contested,
            repeats: &mut thread.repeats,
            known: &thread.known,
            reach: &thread.reach,
            unclaimed: &mut thread.unclaimed,
        };
        let mut turn = Turn::new((*thread.publisher.current()).clone(), Vec::new());
        let (tx, ..) = thread.custody.begin().unwrap().expect("there is a store");
        let mut clock = thread.counters.clock();
        decide(&mut desk, &tx, &mut turn, &by(key, repair()), &mut clock)
    };
    match decide_for("stranger.") {
        Ok(Outcome::Refused(refused)) => assert_eq!(refused.why, RefusedWhy::Prohibited),
        other => panic!("{other:?}"),
    }
    let read = decide_for("writer.");
    assert!(matches!(read, Err(StoreError::Damaged(_))), "{read:?}");
}

impl Stage {
    /// What is told of zones that came by rows alone.
    fn told(&self, zone: &str) -> String {
        let sentences = self.thread.unclaimed.sentences().into_iter();
        sentences.filter(|told| told.contains(zone)).collect()
    }

    /// As if judging these zones had taken so long, up to now.
    fn judged_for(&mut self, took: Duration) {
        let now = Instant::now();
        self.thread.unclaimed.judged(now - took, now);
    }
}

fn zone_row(zone: &str) -> String {
    let digest = "0".repeat(64);
    format!("INSERT INTO zone VALUES ('{zone}', 1, 1, '{digest}');")
}

fn record_row(zone: &str, rtype: &str, rdata: &str) -> String {
    format!(
        "INSERT INTO record (zone, owner, ttl, type, rdata)
         VALUES ('{zone}', '{zone}', 60, '{rtype}', '{rdata}');"
    )
}

/// Somebody has put in a row for `one.test.`, and no records; also what is told of that.
fn with_a_zone_by_rows_alone() -> (Stage, String) {
    let mut stage = Stage::of(&[]);
    stage.sql(&zone_row("one.test."));
    stage.thread.turn(Vec::new());
    let told = stage.told("one.test.");
    assert!(told.contains("no records"), "{told}");
    (stage, told)
}

#[test]
fn zones_by_rows_alone_that_were_refused_are_judged_again_when_they_have_rested_and_not_before() {
    let (mut stage, first) = with_a_zone_by_rows_alone();

    stage.judged_for(Duration::from_secs(60));
    for number in 0..5 {
        let rdata = format!("192.0.2.{number}");
        stage.sql(&record_row("one.test.", "A", &rdata));
        stage.thread.turn(Vec::new());
        assert_eq!(stage.told("one.test."), first, "it was judged again");
    }
    assert!(!stage.thread.is_due(Instant::now()));
    let next = stage.ask(by("writer.", addition("next")));
    assert!(matches!(next, Outcome::Committed(_)), "{next:?}");
    assert_eq!(stage.told("one.test."), first);

    // Nobody commits anything from now on.
    let rested = Instant::now() + Duration::from_secs(60 * 8);
    assert!(stage.thread.is_due(rested));
    stage.judged_for(Duration::ZERO);
    stage.thread.turn(Vec::new());
    let second = stage.told("one.test.");
    assert!(second.contains("no NS"), "{second}");
    assert!(!stage.thread.is_due(rested), "once is enough");
}

#[test]
fn a_zone_by_rows_alone_that_is_new_waits_for_none_that_was_refused() {
    let mut stage = Stage::of(&[]);
    stage.sql(&zone_row("one.test."));
    stage.thread.turn(Vec::new());
    stage.judged_for(Duration::from_secs(60));
    stage.sql(&zone_row("two.test."));
    stage.thread.turn(Vec::new());
    assert!(!stage.told("two.test.").is_empty());
    // Nor does it when it is fit.
    stage.judged_for(Duration::from_secs(60));
    let zone = "three.test.";
    let records = [
        ("SOA", "ns1.a. h.a. 1 3600 600 864000 300"),
        ("NS", "ns1.a."),
        ("NS", "ns2.a."),
    ];
    let records = records.map(|(rtype, rdata)| record_row(zone, rtype, rdata));
    let (row, records) = (zone_row(zone), records.concat());
    stage.sql(&format!("BEGIN; {row} {records} COMMIT;"));
    stage.thread.turn(Vec::new());
    let published = stage.thread.publisher.current();
    assert!(published.zone(&name(zone)).is_some());
}

#[test]
fn what_is_told_of_zones_by_rows_alone_outlives_a_group_that_failed() {
    let (mut stage, told) = with_a_zone_by_rows_alone();
    let lock = Lock::on(stage.folder.path());
    let locked = stage.ask(by("writer.", addition("locked")));
    assert!(matches!(locked, Outcome::Unavailable { .. }), "{locked:?}");
    drop(lock);
    let next = stage.ask(by("writer.", addition("next")));
    assert!(matches!(next, Outcome::Committed(_)), "{next:?}");
    assert_eq!(stage.told("one.test."), told);

    // One that fails when they have just been judged: its judgement is made anew.
    stage.judged_for(Duration::from_secs(60));
    stage.sql(&record_row("one.test.", "A", "192.0.2.1"));
    stage.thread.turn(Vec::new());
    assert_eq!(stage.told("one.test."), told);
    stage.judged_for(Duration::ZERO);
    let fails = submission(Path::Update, "writer.", addition("fails"));
    let fails = Submission {
        actor: crate::guard::Actor {
            name: panics::BEFORE_THE_COMMIT.to_owned(),
            ..fails.actor
        },
        ..fails
    };
    let job = Job::new(fails, Box::new(drop), &stage.thread.counters);
    stage.thread.survive(|thread| thread.turn(vec![job]));
    assert_eq!(stage.told("one.test."), told, "it is as if it never was");
    stage.judged_for(Duration::ZERO);
    stage.thread.turn(Vec::new());
    let told = stage.told("one.test.");
    assert!(told.contains("no NS"), "{told}");
}

/// Turns without anything to do, until the snapshot's thread was told of all.
fn rest(stage: &mut Stage) {
    let began = Instant::now();
    while stage.thread.keeper.is_behind() {
        assert!(began.elapsed() < Duration::from_secs(20), "kept back");
        stage.thread.turn(Vec::new());
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn what_was_committed_goes_to_the_snapshot_though_the_store_is_lost_right_after() {
    let mut stage = Stage::of(&[]);
    rest(&mut stage);
    let done = stage.ask(submission(Path::Update, "writer.", addition("late")));
    assert!(matches!(done, Outcome::Committed(_)), "{done:?}");
    for suffix in ["", "-wal", "-shm"] {
        std::fs::remove_file(stage.folder.path().join(format!("lastgood.db{suffix}"))).unwrap();
    }
    stage.thread.turn(Vec::new());
    assert!(stage.is_held());
    rest(&mut stage);
}

#[test]
fn what_was_committed_goes_to_the_snapshot_though_what_comes_after_changes_nothing() {
    let mut stage = Stage::of(&[]);
    rest(&mut stage);
    let update = || submission(Path::Update, "writer.", addition("late"));
    let done = stage.ask(update());
    assert!(matches!(done, Outcome::Committed(_)), "{done:?}");
    let began = Instant::now();
    while stage.thread.keeper.is_behind() {
        assert!(began.elapsed() < Duration::from_secs(20), "kept back");
        let again = stage.ask(update());
        assert!(matches!(again, Outcome::Unchanged { .. }), "{again:?}");
    }
}

#[test]
fn a_store_that_goes_while_updates_come_one_right_after_the_other_holds_at_once() {
    let mut stage = Stage::of(&[]);
    let update = |owner: &str| submission(Path::Update, "writer.", addition(owner));
    let done = stage.ask(update("one"));
    assert!(matches!(done, Outcome::Committed(_)), "{done:?}");
    std::fs::remove_file(stage.folder.path().join("lastgood.db")).unwrap();
    stage.thread.haste = Haste::on();
    let refused = stage.ask(update("two"));
    assert!(matches!(refused, Outcome::Refused(_)), "{refused:?}");
    assert!(stage.is_held());
}
