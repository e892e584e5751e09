//! No room on the disk, and somebody who keeps the store locked.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Stdio};
use std::time::{Duration, Instant};

use super::*;
use crate::harness::querier::Querier;

/// A small file system of its own in the place of a folder, for as long as this lives.
struct Small(std::path::PathBuf);

impl Small {
    /// `None` where this process may not mount one, which is said.
    fn mount(at: std::path::PathBuf, size: &str) -> Option<Small> {
        std::fs::create_dir_all(&at).expect("a folder");
        let mut mount = Command::new("mount");
        mount
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"])
            .arg(&at);
        let ran = programs::run(&mut mount, "");
        if !ran.ok() {
            programs::not_here(format!("for lack of the right to mount a tmpfs: {ran}"));
            return None;
        }
        Some(Small(at))
    }

    /// Takes all the room there is.
    fn fill(&self) {
        let fill = "cat /dev/zero > filler 2>/dev/null; true";
        let ran = programs::run(
            Command::new("sh").args(["-c", fill]).current_dir(&self.0),
            "",
        );
        ran.expect_ok();
    }

    fn make_room(&self) {
        std::fs::remove_file(self.0.join("filler")).expect("the filler");
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        // Lazily: a test that failed may have files open in it.
        let _ = programs::run(Command::new("umount").arg("-l").arg(&self.0), "");
    }
}

#[test]
fn a_full_disk_fails_updates_and_nothing_else() {
    let lab = prepared();
    let Some(small) = Small::mount(lab.path("data"), "3m") else {
        return;
    };
    let mut lab = lab;
    lab.start();
    acknowledge(&lab, "before");
    let querier = Querier::of_demo(lab.v4());
    let mut acknowledged = vec!["before".to_owned()];
    for round in 0..2 {
        small.fill();
        // What still fits into the log is let in, and kept.
        let mut number = 0;
        eventually("there is no room left", || {
            number += 1;
            let name = format!("r{round}n{number}");
            match &*lab.update(&add(&name)) {
                "NOERROR" => {
                    acknowledged.push(name);
                    Err("still room".into())
                }
                "SERVFAIL" => Ok(()),
                other => panic!("{other}"),
            }
        });
        assert_eq!(metric(&lab, "lastgood_store_failing"), 1.0);
        let told = notices(&lab);
        assert!(
            told.contains("full") && told.contains("make room"),
            "{told}"
        );
        let (rcode, ede) = refusal_of_update(&lab);
        assert_eq!((&*rcode, ede), ("Server Failure", Some(0)));
        assert_eq!(
            lab.state(ZONE),
            "live",
            "what is served is what was acknowledged"
        );
        small.make_room();
        // By itself, though nobody asks for a change.
        eventually("the store can be written", || {
            match metric(&lab, "lastgood_store_failing") {
                0.0 => Ok(()),
                _ => Err(notices(&lab)),
            }
        });
        acknowledge(&lab, &format!("after{round}"));
        acknowledged.push(format!("after{round}"));
    }
    let seen = querier.end();
    assert!(seen.marks.is_empty(), "{:?}", seen.marks);
    lab.settle(ZONE);
    lab.restart();
    for name in &acknowledged {
        is_there(&lab, name);
    }
    lab.cli(&["verify"]).expect_ok();
    lab.stop();
    drop(small);
}

#[test]
fn a_disk_too_full_for_a_checkpoint_or_a_start_loses_nothing() {
    let mut lab = prepared();
    let Some(small) = Small::mount(lab.path("data"), "4m") else {
        return;
    };
    lab.start();
    for number in 0..20 {
        acknowledge(&lab, &format!("n{number}"));
    }
    lab.settle(ZONE);
    small.fill();
    // Everything that is written at a stop finds no room.
    lab.restart();
    let querier = Querier::of_demo(lab.v4());
    for number in 0..20 {
        is_there(&lab, &format!("n{number}"));
    }
    assert_eq!(lab.state(ZONE), "live", "{}", lab.status(ZONE));
    small.make_room();
    acknowledge(&lab, "after");
    lab.settle(ZONE);
    querier.end();
    lab.restart();
    for name in ["n0", "n19", "after"] {
        is_there(&lab, name);
    }
    lab.cli(&["verify"]).expect_ok();
    lab.stop();
    drop(small);
}

#[test]
fn a_snapshot_on_a_full_disk_waits_and_catches_up() {
    let mut lab = prepared();
    let config = lab.read("lastgood.toml");
    let apart = config.replace("[store]\n", "[store]\nsnapshot = \"small/s.db\"\n");
    lab.write("lastgood.toml", &apart);
    let Some(small) = Small::mount(lab.path("small"), "2m") else {
        return;
    };
    lab.start();
    acknowledge(&lab, "before");
    lab.settle(ZONE);
    let querier = Querier::of_demo(lab.v4());
    small.fill();
    let mut number = 0;
    eventually("the snapshot cannot be written", || {
        number += 1;
        acknowledge(&lab, &format!("n{number}"));
        match metric(&lab, "lastgood_snapshot_failing") {
            1.0 => Ok(()),
            _ => Err("not yet".into()),
        }
    });
    let ran = lab.cli(&["status"]);
    assert!(ran.stdout.contains("cannot be written"), "{ran}");
    acknowledge(&lab, "meanwhile");
    small.make_room();
    lab.settle(ZONE);
    assert_eq!(metric(&lab, "lastgood_snapshot_failing"), 0.0);
    querier.end();
    lab.stop();
    std::fs::remove_file(lab.database()).expect("the store");
    lab.start();
    lab.until(ZONE, "holding");
    is_there(&lab, "meanwhile");
    lab.stop();
    drop(small);
}

/// A person at `sqlite3` who keeps the store locked until this is dropped.
struct Locked {
    child: Child,
    stdin: Option<ChildStdin>,
}

impl Locked {
    fn by(lab: &Lab, statement: &str) -> Locked {
        let mut child = Command::new("sqlite3")
            .args(["-bail", "-cmd", ".timeout 5000"])
            .arg(lab.database())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("sqlite3");
        let mut stdin = child.stdin.take().expect("piped");
        writeln!(stdin, "{statement}; SELECT 'locked';").expect("sent");
        let mut said = String::new();
        let mut stdout = BufReader::new(child.stdout.take().expect("piped"));
        while !said.contains("locked") {
            assert!(stdout.read_line(&mut said).expect("said") > 0, "{said}");
        }
        let stdin = Some(stdin);
        Locked { child, stdin }
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        // At the end of its input it goes, and its transaction with it.
        drop(self.stdin.take());
        programs::wait(&mut self.child, Duration::from_secs(10));
    }
}

/// A minute where `LASTGOOD_TESTS=long` asks for it, else until it has been seen what happens.
fn how_long() -> Duration {
    match std::env::var("LASTGOOD_TESTS").as_deref() {
        Ok("long") => Duration::from_secs(60),
        _ => Duration::ZERO,
    }
}

#[test]
fn a_store_locked_by_somebody_fails_updates_after_a_while_and_stops_no_answer() {
    let lab = demo();
    acknowledge(&lab, "before");
    let querier = Querier::of_demo(lab.v4());
    let since = Instant::now();
    let locked = Locked::by(&lab, "BEGIN EXCLUSIVE");
    loop {
        let asked = Instant::now();
        let (rcode, ede) = refusal_of_update(&lab);
        assert_eq!((&*rcode, ede), ("Server Failure", Some(0)));
        assert!(
            asked.elapsed() < Duration::from_secs(12),
            "{:?}",
            asked.elapsed()
        );
        // Looking is not writing.
        assert_eq!(lab.state(ZONE), "live");
        assert_eq!(metric(&lab, "lastgood_store_failing"), 1.0);
        let told = notices(&lab);
        assert!(
            told.contains("another process") && told.contains("fuser"),
            "{told}"
        );
        if since.elapsed() >= how_long() {
            break;
        }
    }
    drop(locked);
    acknowledge(&lab, "after");
    eventually("nothing is wrong any more", || {
        match metric(&lab, "lastgood_store_failing") {
            0.0 => Ok(()),
            _ => Err(notices(&lab)),
        }
    });
    let seen = querier.end();
    assert!(seen.marks.is_empty(), "{:?}", seen.marks);
    for name in ["before", "after"] {
        is_there(&lab, name);
    }
}

#[test]
fn an_edit_held_back_in_a_transaction_counts_when_it_is_committed() {
    let lab = demo();
    let querier = Querier::of_demo(lab.v4());
    let mut locked = Locked::by(
        &lab,
        "BEGIN IMMEDIATE; DELETE FROM record WHERE owner = 'api.example.com.' AND type = 'A'",
    );
    assert_eq!(lab.state(ZONE), "live");
    let stdin = locked.stdin.as_mut().expect("open");
    writeln!(stdin, "COMMIT;").expect("sent");
    lab.until(ZONE, "holding");
    drop(locked);
    mend(&lab, ZONE);
    querier.end();
}
