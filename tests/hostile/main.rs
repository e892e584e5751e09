//! Hostile input: what the fuzzers of `fuzz/` do for hours, done here for moments, by the same
//! functions, from the same corpora, with mutations that a seed decides; and a soak of a server
//! process.

// The clients of `process` sign as those of `targets` do.
#![allow(clippy::duplicate_mod)]

mod mutate;
#[path = "../process/mod.rs"]
#[allow(dead_code, reason = "tests/crashes needs other parts of it")]
mod process;
mod soak;
#[path = "../../fuzz/src/lib.rs"]
mod targets;

use std::fs;
use std::path::Path;
use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};

use process::random::Random;

/// So that a failure is seen again; the fuzzers are there for what is new.
const SEED: u64 = 2136;

/// Panics of any thread: a server catches its own.
static PANICS: AtomicUsize = AtomicUsize::new(0);

fn count_panics() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            PANICS.fetch_add(1, Ordering::SeqCst);
            hook(info);
        }));
    });
}

/// The corpus of a target as it is, then so many inputs made from it.
fn run(target: &str, inputs: usize, judge: fn(&[u8])) {
    count_panics();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/corpus")
        .join(target);
    let files = fs::read_dir(&folder).expect("a corpus is committed");
    let mut paths: Vec<_> = files.map(|file| file.expect("a file").path()).collect();
    paths.sort();
    assert!(paths.len() > 5, "{}", folder.display());
    let corpus: Vec<Vec<u8>> = paths
        .iter()
        .map(|path| fs::read(path).expect("a file"))
        .collect();
    corpus.iter().for_each(|input| judge(input));
    let mut random = Random::of(SEED);
    for _ in 0..inputs {
        let input = mutate::mutated(&corpus, &mut random);
        if let Err(panic) = std::panic::catch_unwind(|| judge(&input)) {
            eprintln!("{target}: {input:02x?}");
            std::panic::resume_unwind(panic);
        }
    }
    assert_eq!(
        PANICS.load(Ordering::SeqCst),
        0,
        "a thread of the server has panicked"
    );
}

#[test]
fn any_message_gets_a_well_formed_answer_or_none() {
    run("packet", 40_000, targets::packet::run);
}

#[test]
fn whatever_comes_to_the_doors_the_next_query_is_answered() {
    run("doors", 3_000, targets::doors::run);
}

#[test]
fn an_update_that_is_accepted_can_be_stored_and_served() {
    run("update", 3_000, targets::update::run);
}

#[test]
fn a_zone_file_that_can_be_read_prints_to_one_that_reads_the_same() {
    run("zonefile", 10_000, targets::zonefile::run);
}

#[test]
fn rows_of_any_kind_are_records_or_are_told_of() {
    run("rows", 1_500, targets::rows::run);
}

#[test]
fn what_was_changed_on_its_way_is_not_taken_for_signed() {
    run("tsig", 40_000, targets::tsig::run);
}
