//! SIGKILL at random moments, under eight writers and two who ask: what was acknowledged is there
//! afterwards, nothing by half, and nobody ever saw anything that was not fit to be served.
//!
//! `tests/crash --kills 1000` is the long form. Read in order: `model` (what the zones hold, and what
//! must be true of it), `writer`, `watcher` (the clients), `lab` (kills and what is verified after
//! each), `beginnings` (kills before there is anything).

mod beginnings;
mod lab;
mod model;
#[path = "../process/mod.rs"]
#[allow(dead_code, reason = "tests/hostile needs other parts of it")]
mod process;
mod watcher;
mod writer;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use process::random::{self, Random};

/// Servers killed beside each other: waiting is most of what each does.
const LABS: usize = 3;
/// Kills of one store, before the next begins anew.
const KILLS_EACH: usize = 40;

fn kills() -> usize {
    let given = std::env::var("KILLS").ok();
    given.map_or(30, |text| text.parse().expect("KILLS is a number"))
}

/// A share of the kills that are left.
fn take(left: &AtomicUsize) -> Option<usize> {
    let share = |left: usize| left.min(KILLS_EACH).min(kills().div_ceil(LABS));
    let taken = left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| match left {
        0 => None,
        left => Some(left - share(left)),
    });
    taken.ok().map(share)
}

#[test]
fn what_was_acknowledged_survives_kills_at_any_moment() {
    let (seed, kills) = (random::seed(), kills());
    println!("SEED={seed} KILLS={kills}");
    let (left, sum) = (AtomicUsize::new(kills), Mutex::new(lab::Tally::default()));
    thread::scope(|scope| {
        for number in 0..LABS {
            let (left, sum) = (&left, &sum);
            let mut random = Random::of(seed.wrapping_add(number as u64));
            scope.spawn(move || {
                while let Some(kills) = take(left) {
                    let tally = lab::run(kills, Random::of(random.next()));
                    let mut sum = sum.lock().expect("no lab has failed");
                    sum.add(tally);
                    println!("{sum}");
                }
            });
        }
    });
    let sum = sum.into_inner().expect("no lab has failed");
    println!("{sum}");
    assert_eq!(sum.kills(), kills);
    assert!(
        sum.acknowledged > kills as u64,
        "nothing was put to the test: {sum}"
    );
    assert!(
        sum.asked > kills as u64,
        "nothing was put to the test: {sum}"
    );
}

#[test]
fn a_first_start_that_is_killed_is_followed_by_one_that_serves() {
    let (seed, kills) = (random::seed(), kills());
    println!("SEED={seed}");
    let mut random = Random::of(seed.wrapping_add(77));
    for _ in 0..kills.div_ceil(3) {
        beginnings::run(&mut random);
    }
}
