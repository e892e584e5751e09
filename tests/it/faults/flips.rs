//! Single bits flipped at random places of store and snapshot, one at a time, each in a fresh copy of
//! the files: no answer is ever wrong, whatever the bit meant, and nothing acknowledged is lost.
//!
//! `LASTGOOD_FLIPS` is how many, `LASTGOOD_SEED` where the dice begin: see `tests/flips`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use hickory_proto::rr::RecordType;

use super::*;
use crate::harness::library;

/// What became of one flip.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fate {
    /// Served live: the bit lay where nothing is served from.
    Live,
    /// A zone held, in memory or from the snapshot.
    Held,
    /// A file was set aside and written anew.
    SetAside,
    /// The update after it failed, and was not acknowledged.
    Failed,
}

/// Numbers that look random (SplitMix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % bound
    }
}

fn number(variable: &str, otherwise: u64) -> u64 {
    let text = std::env::var(variable).ok();
    text.map_or(otherwise, |text| {
        text.parse()
            .unwrap_or_else(|_| panic!("{variable} is a number: {text}"))
    })
}

/// Files as they were at one moment, and what is answered from them.
struct Original {
    folder: PathBuf,
    files: Vec<(String, u64)>,
    answers: Vec<(String, RecordType, Vec<String>)>,
}

fn copy_all(from: &Path, to: &Path) -> Vec<(String, u64)> {
    let _ = fs::remove_dir_all(to);
    fs::create_dir_all(to).expect("a folder");
    let mut files = Vec::new();
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let name = entry.file_name().into_string().expect("a name");
        // The index is made anew from the log; a socket is no file.
        if name.contains(".db") && !name.ends_with("-shm") && !name.ends_with(".lock") {
            let octets = fs::copy(entry.path(), to.join(&name)).expect("copied");
            files.push((name, octets));
        }
    }
    files.retain(|(_, octets)| *octets > 0);
    files.sort();
    files
}

impl Original {
    /// After some updates: as a stop leaves the files, or with all that a crash leaves in the logs.
    fn of(lab: &mut Lab, folder: &str) -> Original {
        for number in 0..12 {
            acknowledge(lab, &format!("n{number}"));
        }
        lab.settle(ZONE);
        let answers = questions(lab);
        if folder == "stopped" {
            lab.stop();
        } else {
            // By another program: closing them here would drop the locks of the server.
            let script = format!(
                "cd '{}'; mkdir crash; cp data/*.db data/*-wal crash",
                lab.path(".").display()
            );
            lab.shell(&script);
            lab.stop();
            copy_all(&lab.path("crash"), &lab.path("data"));
        }
        let folder = lab.path(folder);
        Original {
            files: copy_all(&lab.path("data"), &folder),
            folder,
            answers,
        }
    }
}

/// Every name and type that the zones have, and some that they do not.
fn questions(lab: &Lab) -> Vec<(String, RecordType, Vec<String>)> {
    let mut asked = BTreeSet::new();
    for zone in [ZONE, OTHER] {
        for line in lab.cli(&["zone", "export", zone]).expect_ok().lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            if let [owner, _, "IN", rtype, ..] = words[..]
                && rtype != "SOA"
                && let Ok(rtype) = rtype.parse::<RecordType>()
            {
                asked.insert((owner.to_owned(), rtype.to_string()));
            }
        }
        asked.insert((format!("nothing.{zone}"), "A".to_owned()));
        asked.insert((zone.to_owned(), "TXT".to_owned()));
    }
    assert!(asked.len() > 30, "{asked:?}");
    let asked = asked.into_iter().map(|(owner, rtype)| {
        let rtype = rtype.parse().expect("a type");
        let answer = answer(lab, &owner, rtype);
        (owner, rtype, answer)
    });
    asked.collect()
}

/// RCODE and records, with their TTL.
fn answer(lab: &Lab, owner: &str, rtype: RecordType) -> Vec<String> {
    let request = library::query(owner, rtype, Some(1232));
    let response = library::ask(lab.v4(), Transport::Udp, &request);
    let mut records: Vec<String> = response.answers.iter().map(ToString::to_string).collect();
    records.sort();
    records.insert(0, response.metadata.response_code.to_string());
    records
}

#[track_caller]
fn answers_are_right(lab: &Lab, original: &Original, what: &str) {
    for (owner, rtype, expected) in &original.answers {
        let found = answer(lab, owner, *rtype);
        assert_eq!(&found, expected, "{what}: {owner} {rtype}");
    }
}

fn states(lab: &Lab, what: &str) -> BTreeSet<Fate> {
    let mut fates = BTreeSet::new();
    for zone in [ZONE, OTHER] {
        match &*lab.state(zone) {
            "live" => fates.insert(Fate::Live),
            "holding" => fates.insert(Fate::Held),
            other => panic!("{what}: {zone} is {other}: {}", lab.status(zone)),
        };
    }
    if fates.contains(&Fate::Held) {
        fates.remove(&Fate::Live);
    }
    let data = fs::read_dir(lab.path("data")).expect("a folder");
    let mut names = data.map(|entry| entry.expect("an entry").file_name());
    if names.any(|name| name.to_string_lossy().contains(".aside-")) {
        fates.insert(Fate::SetAside);
    }
    fates
}

/// One flip: where, and what is told of it should it go wrong.
struct Flip {
    file: String,
    offset: u64,
    bit: u8,
}

impl Flip {
    fn random(original: &Original, dice: &mut Dice) -> Flip {
        let all: u64 = original.files.iter().map(|(_, octets)| octets).sum();
        let mut at = dice.below(all);
        let bit = dice.below(8) as u8;
        for (file, octets) in &original.files {
            if at < *octets {
                let file = file.clone();
                return Flip {
                    file,
                    offset: at,
                    bit,
                };
            }
            at -= octets;
        }
        unreachable!("it is below the sum")
    }

    fn is_of_snapshot(&self) -> bool {
        self.file.contains("snapshot")
    }

    /// No server runs.
    fn at_rest(&self, data: &Path) {
        let path = data.join(&self.file);
        let mut octets = fs::read(&path).expect("a file");
        octets[usize::try_from(self.offset).expect("small")] ^= 1 << self.bit;
        fs::write(&path, octets).expect("a file");
    }

    /// Beside a server, by another program; whether there was such a place.
    fn beside(&self, lab: &Lab) -> bool {
        let path = lab.path("data").join(&self.file);
        let script = format!(
            "set -e; f='{}'; o={}
             old=$(od -An -tu1 -j $o -N1 \"$f\" | tr -d ' ')
             if [ -z \"$old\" ]; then echo none; exit 0; fi
             printf \"\\\\$(printf %03o $((old ^ {})))\" |
               dd of=\"$f\" bs=1 seek=$o conv=notrunc status=none",
            path.display(),
            self.offset,
            1u8 << self.bit
        );
        lab.shell(&script).is_empty()
    }
}

/// The files as they were, with one bit flipped before the start.
fn flip_at_start(lab: &mut Lab, original: &Original, flip: &Flip, what: &str) -> BTreeSet<Fate> {
    copy_all(&original.folder, &lab.path("data"));
    flip.at_rest(&lab.path("data"));
    lab.start();
    answers_are_right(lab, original, what);
    scrubbed(lab);
    answers_are_right(lab, original, what);
    let fates = states(lab, what);
    if flip.is_of_snapshot() && !flip.file.ends_with("-wal") {
        assert!(
            !fates.contains(&Fate::Held),
            "{what}: the store is good: {}",
            lab.status(ZONE)
        );
    }
    let fates = update_and_restart(lab, original, fates, what);
    lab.stop();
    fates
}

/// The same while a server runs on them.
fn flip_while_serving(
    lab: &mut Lab,
    original: &Original,
    flip: &Flip,
    what: &str,
) -> BTreeSet<Fate> {
    copy_all(&original.folder, &lab.path("data"));
    lab.start();
    if !flip.beside(lab) {
        lab.stop();
        return BTreeSet::new();
    }
    answers_are_right(lab, original, what);
    scrubbed(lab);
    answers_are_right(lab, original, what);
    let fates = states(lab, what);
    let fates = update_and_restart(lab, original, fates, what);
    lab.stop();
    fates
}

/// Waits for a scrub that has begun after now.
fn scrubbed(lab: &Lab) {
    let count = || metric(lab, "lastgood_scrubs_total");
    let before = count();
    eventually("it was scrubbed", || match count() {
        now if now >= before + 2.0 => Ok(()),
        now => Err(now.to_string()),
    });
}

/// What is acknowledged on the damaged files outlives a restart.
fn update_and_restart(
    lab: &mut Lab,
    original: &Original,
    mut fates: BTreeSet<Fate>,
    what: &str,
) -> BTreeSet<Fate> {
    let status = lab.update(&add("flipped"));
    match &*status {
        "NOERROR" => {}
        "REFUSED" => assert!(fates.contains(&Fate::Held), "{what}: {}", lab.status(ZONE)),
        _ => {
            fates.insert(Fate::Failed);
        }
    }
    let is_acknowledged = status == "NOERROR";
    lab.restart();
    answers_are_right(lab, original, what);
    if is_acknowledged {
        let found = answer(lab, "flipped.example.com.", RecordType::A);
        assert_eq!(found.len(), 2, "{what}: acknowledged, and gone: {found:?}");
    }
    fates.extend(states(lab, what));
    if fates.contains(&Fate::Held) {
        fates.remove(&Fate::Live);
    }
    fates
}

type How = fn(&mut Lab, &Original, &Flip, &str) -> BTreeSet<Fate>;

/// Some threads, for they mostly wait; each with a server of its own.
fn many(how: How, name: &'static str) {
    const THREADS: u64 = 4;
    // Half of them at a start, half while serving.
    let count = number("LASTGOOD_FLIPS", 24).div_ceil(2);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let seed = number("LASTGOOD_SEED", now.expect("after 1970").as_secs());
    println!("{count} flips {name}: LASTGOOD_SEED={seed}");
    let threads: Vec<_> = (0..THREADS)
        .map(|thread| {
            std::thread::spawn(move || {
                // Other places for each thread, and for each of the two ways.
                let stream = thread + THREADS * name.len() as u64;
                let mut dice = Dice(seed.wrapping_add(stream << 32));
                let mut lab = demo();
                let folder = if thread % 2 == 0 {
                    "stopped"
                } else {
                    "crashed"
                };
                let original = Original::of(&mut lab, folder);
                let mut sums: BTreeMap<String, u64> = BTreeMap::new();
                for _ in 0..count.div_ceil(THREADS) {
                    let flip = Flip::random(&original, &mut dice);
                    let Flip { file, offset, bit } = &flip;
                    let what =
                        format!("{name}, {folder}, seed {seed}: {file} octet {offset} bit {bit}");
                    let fates = how(&mut lab, &original, &flip, &what);
                    *sums.entry(format!("{file}: {fates:?}")).or_default() += 1;
                }
                (folder, sums)
            })
        })
        .collect();
    for thread in threads {
        let (folder, sums) = thread.join().expect("no answer was wrong");
        for (fate, sum) in sums {
            println!("{name}, {folder}: {sum} {fate}");
        }
    }
}

#[test]
fn a_bit_flipped_before_a_start_never_makes_an_answer_wrong() {
    many(flip_at_start, "before a start");
}

#[test]
fn a_bit_flipped_while_serving_never_makes_an_answer_wrong() {
    many(flip_while_serving, "while serving");
}
