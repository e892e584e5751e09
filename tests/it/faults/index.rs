//! The index of a write-ahead log, `-shm`, which the server has mapped into its memory: cut short, or
//! overwritten. Nothing is in it that the log has not, so nothing may come of it. Who touches a map
//! of what is no longer there is killed: this process, since the server runs in it.

use std::sync::atomic::{AtomicBool, Ordering};

use super::files::shell;
use super::*;
use crate::harness::querier::Querier;

/// All that was acknowledged is there, in memory and on disk.
fn all_is_there(lab: &mut Lab, names: &[String]) {
    live(lab);
    for name in names {
        is_there(lab, name);
    }
    lab.cli(&["verify"]).expect_ok();
    lab.settle(ZONE);
    lab.restart();
    live(lab);
    for name in names {
        is_there(lab, name);
    }
    lab.cli(&["verify"]).expect_ok();
}

#[test]
fn an_index_cut_short_while_nobody_writes_costs_nothing() {
    // Its scrub comes in ten minutes: the poll alone looks.
    let mut lab = Lab::demo();
    let querier = Querier::of_demo(lab.v4());
    let mut names = Vec::new();
    for index in ["$db-shm", "$snapshot-shm"] {
        for left in [0, 100, 4096, 20_000] {
            let name = format!("n{}", names.len());
            acknowledge(&lab, &name);
            names.push(name);
            lab.settle(ZONE);
            shell(&lab, &format!("truncate -s {left} \"{index}\""));
            if index == "$db-shm" {
                let size = format!("stat -c %s \"{index}\"");
                eventually("it is put right unasked", || match &*shell(&lab, &size) {
                    "32768\n" => Ok(()),
                    other => Err(other.to_owned()),
                });
            }
        }
    }
    live(&lab);
    acknowledge(&lab, "last");
    names.push("last".to_owned());
    lab.settle(ZONE);
    querier.end();
    all_is_there(&mut lab, &names);
}

#[test]
fn an_index_cut_short_again_and_again_under_updates_and_scrubs_loses_nothing() {
    let mut lab = demo();
    let querier = Querier::of_demo(lab.v4());
    let is_over = AtomicBool::new(false);
    let names = std::thread::scope(|scope| {
        scope.spawn(|| {
            let cut = "truncate -s $((RANDOM_OCTETS)) \"$db\"-shm \"$snapshot\"-shm";
            let mut octets = 0;
            while !is_over.load(Ordering::Relaxed) {
                octets = (octets + 7_919) % 40_000;
                let octets = if octets < 8_000 {
                    0
                } else {
                    octets.min(32_767)
                };
                shell(&lab, &cut.replace("RANDOM_OCTETS", &octets.to_string()));
            }
        });
        let mut names = Vec::new();
        for number in 0..150 {
            let name = format!("n{number}");
            if lab.update(&add(&name)) == "NOERROR" {
                names.push(name);
            }
        }
        is_over.store(true, Ordering::Relaxed);
        names
    });
    assert!(names.len() > 20, "{} got through", names.len());
    acknowledge(&lab, "last");
    querier.end();
    all_is_there(&mut lab, &names);
}

#[test]
fn bits_flipped_in_an_index_are_answered_by_nothing_wrong_and_nothing_is_lost() {
    let mut lab = demo();
    let querier = Querier::of_demo(lab.v4());
    let mut names = Vec::new();
    // Header and its copy, marks of readers, locks, page numbers, the table that finds them.
    for (number, at) in [0, 17, 50, 95, 101, 112, 125, 137, 200, 16_390, 20_000]
        .iter()
        .enumerate()
    {
        let name = format!("n{number}");
        acknowledge(&lab, &name);
        names.push(name);
        lab.settle(ZONE);
        for index in ["$db-shm", "$snapshot-shm"] {
            let flip = format!(
                "octet=$(od -An -tu1 -j {at} -N 1 \"{index}\")\n\
                 printf \"\\\\$(printf %o $(($octet ^ 1 << {} )))\" |\n\
                 dd of=\"{index}\" bs=1 seek={at} conv=notrunc status=none",
                number % 8
            );
            shell(&lab, &flip);
        }
    }
    acknowledge(&lab, "last");
    querier.end();
    all_is_there(&mut lab, &names);
}
