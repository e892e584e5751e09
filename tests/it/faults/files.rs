//! What happens to the files of store and snapshot while the server has them open. It happens by other
//! programs: this process runs the server, and must not open its database beside SQLite.

use super::*;
use crate::harness::querier::Querier;

/// The store's files: the database, its log, its index.
const PARTS: [&str; 3] = ["", "-wal", "-shm"];

pub(super) fn shell(lab: &Lab, script: &str) -> String {
    let database = lab.database().display().to_string();
    let snapshot = lab.snapshot().display().to_string();
    lab.shell(&format!(
        "set -e\ndb='{database}'\nsnapshot='{snapshot}'\n{script}\n"
    ))
}

/// A copy of everything, as it is when no server runs.
fn with_copy() -> Lab {
    let mut lab = demo();
    acknowledge(&lab, "before");
    lab.settle(ZONE);
    lab.stop();
    shell(&lab, "cp \"$db\" \"$db\".copy");
    lab.start();
    lab
}

/// Everything is in the database itself then, once nobody reads from the log.
fn empty_the_log(lab: &Lab) {
    let checkpoint = "sqlite3 \"$db\" 'PRAGMA wal_checkpoint(TRUNCATE)'; stat -c %s \"$db\"-wal";
    eventually("the log is empty", || match &*shell(lab, checkpoint) {
        "0|0|0\n0\n" => Ok(()),
        other => Err(other.to_owned()),
    });
}

#[test]
fn a_database_overwritten_in_place_with_random_bytes_is_found_by_the_scrub() {
    let lab = with_copy();
    let querier = Querier::of_demo(lab.v4());
    // All of it; its header alone; pages in the middle. With nothing left in the log: what it has of
    // them would mend them.
    for (what, first) in [("all", 0), ("the header", 0), ("the middle", 3)] {
        let count = match what {
            "all" => "$(( $(stat -c %s \"$db\") / 4096 ))",
            "the header" => "1",
            _ => "4",
        };
        empty_the_log(&lab);
        shell(
            &lab,
            &format!(
                "dd if=/dev/urandom of=\"$db\" bs=4096 seek={first} count={count} conv=notrunc status=none"
            ),
        );
        let status = holds_as_it_should(&lab, ZONE);
        assert!(
            status["reason"].to_string().contains("damage"),
            "{what}: {status}"
        );
        refuses_with_not_ready(&lab);
        // A whole copy put back in place, the log of the other one gone.
        shell(
            &lab,
            "rm -f \"$db\"-wal \"$db\"-shm; cat \"$db\".copy > \"$db\"",
        );
        live(&lab);
        acknowledge(&lab, "after");
        lab.cli(&["verify"]).expect_ok();
        // What is in the copy is what is in the store again.
        let gone = "zone example.com\nupdate delete after.example.com. A";
        assert_eq!(lab.update(gone), "NOERROR");
        lab.settle(ZONE);
        shell(
            &lab,
            "sqlite3 \"$db\" \"VACUUM INTO '$db.new'\" && mv \"$db\".new \"$db\".copy",
        );
    }
    querier.end();
    is_there(&lab, "before");
}

#[test]
fn damage_that_the_log_mends_ends_no_serving_and_loses_nothing() {
    let mut lab = demo();
    acknowledge(&lab, "before");
    let querier = Querier::of_demo(lab.v4());
    for round in 0..3 {
        acknowledge(&lab, &format!("n{round}"));
        lab.settle(ZONE);
        // Its first page is in the log then, and soon in the database as well.
        lab.sql(&format!("CREATE TABLE notes{round} (text)"));
        shell(
            &lab,
            "dd if=/dev/urandom of=\"$db\" bs=4096 count=1 conv=notrunc status=none",
        );
        // It may hold until then; nobody does anything about it.
        eventually("it is whole again", || {
            let ran = lab.cli(&["verify"]);
            match ran.ok() && lab.state(ZONE) == "live" {
                true => Ok(()),
                false => Err(ran.to_string()),
            }
        });
    }
    acknowledge(&lab, "last");
    querier.end();
    lab.restart();
    live(&lab);
    for name in ["before", "n0", "n1", "n2", "last"] {
        is_there(&lab, name);
    }
    lab.cli(&["verify"]).expect_ok();
}

#[test]
fn a_database_overwritten_in_place_is_found_by_verify() {
    // Its scrub comes in ten minutes.
    let mut lab = Lab::demo();
    acknowledge(&lab, "before");
    lab.restart();
    let querier = Querier::of_demo(lab.v4());
    eventually("the first scrub is over", || {
        match metric(&lab, "lastgood_scrubs_total") {
            count if count >= 1.0 => Ok(()),
            count => Err(count.to_string()),
        }
    });
    shell(
        &lab,
        "dd if=/dev/urandom of=\"$db\" bs=4096 seek=2 count=3 conv=notrunc status=none",
    );
    assert_eq!(lab.state(ZONE), "live", "nobody has looked yet");
    assert!(!lab.cli(&["verify"]).ok());
    holds_as_it_should(&lab, ZONE);
    assert!(metric(&lab, "lastgood_scrub_faults") > 0.0);
    lab.cli(&["snapshot", "restore", "--all"]).expect_ok();
    live(&lab);
    acknowledge(&lab, "after");
    querier.end();
    lab.restart();
    is_there(&lab, "before");
    lab.cli(&["verify"]).expect_ok();
}

#[test]
fn files_cut_replaced_or_removed_while_serving_are_missed_and_welcomed_back() {
    let lab = with_copy();
    let querier = Querier::of_demo(lab.v4());
    for damage in [
        "truncate -s 8192 \"$db\"",
        "truncate -s 100 \"$db\"",
        ": > \"$db\"",
        "rm \"$db\"",
        "rm \"$db\" \"$db\"-wal \"$db\"-shm",
        "rm \"$db\"; sqlite3 \"$db\" 'CREATE TABLE other (x)'",
        "rm \"$db\"; head -c 50000 /dev/urandom > \"$db\"",
        "rm \"$db\"; mkdir \"$db\"",
    ] {
        shell(&lab, damage);
        holds_as_it_should(&lab, ZONE);
        lab.until(OTHER, "holding");
        refuses_with_not_ready(&lab);
        shell(
            &lab,
            "rm -rf \"$db\" \"$db\"-wal \"$db\"-shm; cp \"$db\".copy \"$db\"",
        );
        live(&lab);
    }
    acknowledge(&lab, "after");
    querier.end();
    is_there(&lab, "before");
}

#[test]
fn a_log_or_an_index_removed_while_serving_loses_nothing_that_the_disk_still_has() {
    let lab = demo();
    let querier = Querier::of_demo(lab.v4());
    for (round, part) in PARTS[1..].iter().enumerate() {
        acknowledge(&lab, &format!("before{round}"));
        lab.settle(ZONE);
        shell(&lab, &format!("rm \"$db\"{part}"));
        // What the lost log had is in the snapshot, or the database had it already.
        eventually("it goes on, or says what to do", || {
            if lab.update(&add(&format!("after{round}"))) == "NOERROR" {
                return Ok(());
            }
            if lab.state(ZONE) == "holding" {
                lab.cli(&["snapshot", "restore", "--all"]);
            }
            Err(lab.status(ZONE).to_string())
        });
        is_there(&lab, &format!("before{round}"));
    }
    live(&lab);
    querier.end();
}

#[test]
fn a_snapshot_spoiled_or_removed_while_serving_is_written_anew() {
    let mut lab = demo();
    acknowledge(&lab, "before");
    for (round, damage) in [
        "dd if=/dev/urandom of=\"$snapshot\" bs=4096 seek=1 count=3 conv=notrunc status=none",
        "dd if=/dev/urandom of=\"$snapshot\" bs=100 count=1 conv=notrunc status=none",
        "rm \"$snapshot\"",
        "truncate -s 5000 \"$snapshot\"",
        "sqlite3 \"$snapshot\" \"DELETE FROM node WHERE length(owner) > 20\"",
        "sqlite3 \"$snapshot\" 'DROP TABLE node'",
    ]
    .iter()
    .enumerate()
    {
        lab.settle(ZONE);
        // All of it is in the file itself then, not in its log.
        lab.restart();
        let querier = Querier::of_demo(lab.v4());
        shell(&lab, damage);
        let set_aside = "ls \"$snapshot\".aside-*-shm 2>/dev/null | wc -l";
        eventually("it is set aside", || {
            let count = shell(&lab, set_aside);
            match count.trim() == (round + 1).to_string() {
                true => Ok(()),
                false => Err(format!("{damage}: {count}")),
            }
        });
        eventually("the new one has all zones", || {
            let zones = "sqlite3 -readonly \"$snapshot\" 'SELECT count(*) FROM zone' 2>&1 || true";
            match &*shell(&lab, zones) {
                "2\n" => Ok(()),
                other => Err(other.to_owned()),
            }
        });
        live(&lab);
        querier.end();
    }
    // It is worth something: the store goes, and the snapshot has everything.
    lab.stop();
    shell(&lab, "rm -f \"$db\" \"$db\"-wal \"$db\"-shm");
    lab.start();
    lab.until(ZONE, "holding");
    is_there(&lab, "before");
}
