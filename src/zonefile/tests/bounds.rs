//! Short files that would grow without end: they come to a problem that names file and line, and
//! neither time nor memory goes on growing behind it.

use std::cell::Cell;

use super::super::parse::{Bounds, parse_within};
use super::*;

const MIB: usize = 1 << 20;

fn bounds() -> Bounds {
    Bounds {
        includes: 100,
        generated: 1_000,
        octets: MIB,
    }
}

fn told(parsed: &Parsed) -> Vec<String> {
    parsed.problems.iter().map(|p| p.to_string()).collect()
}

/// What is kept of a file, and how often something was read for it.
fn read_within(text: &str, file: &dyn Fn(&str) -> Vec<u8>) -> (Parsed, usize) {
    let reads = Cell::new(0);
    let include = |_: &Path, name: &str| {
        reads.set(reads.get() + 1);
        Ok(file(name))
    };
    let parsed = parse_within(bounds(), text.as_bytes(), &name("example.com."), &include);
    (parsed, reads.get())
}

#[test]
fn what_is_included_again_and_again_comes_to_an_end() {
    // 300 KiB each time: the fourth is too much.
    let large = |_: &str| {
        let mut text = b"a 60 A 192.0.2.1\n".to_vec();
        text.resize(300 << 10, b' ');
        text
    };
    let (parsed, reads) = read_within(&"$INCLUDE hosts\n".repeat(50), &large);
    assert_eq!((parsed.records.len(), reads), (3, 4));
    let found = told(&parsed);
    assert_eq!(found.len(), 47);
    assert_eq!(
        found[0],
        "line 4 column 10: hosts is not included: more than 1 MiB are included or generated"
    );
}

#[test]
fn files_that_include_each_other_come_to_an_end() {
    // Two of itself each: 255 would be read without the bound on all of them.
    let (parsed, reads) = read_within("$INCLUDE twice\n", &|_| b"$INCLUDE twice\n".repeat(2));
    assert!(reads <= 100, "{reads}");
    let last = &parsed.problems[parsed.problems.len() - 1];
    assert_eq!((last.file.as_deref(), last.line), (Some("twice"), 2));
    let why = "there are more than 8 files inside one another, or 100 in all";
    assert!(last.reason.contains(why), "{last}");
}

#[test]
fn an_included_file_that_goes_on_generating_is_named_with_its_line() {
    let file = |_: &str| {
        b"; 600 twice\n$GENERATE 1-600 a$ 60 A 192.0.2.1\n$GENERATE 1-600 b$ 60 A 192.0.2.1\n"
            .to_vec()
    };
    let (parsed, _) = read_within("$INCLUDE hosts\n", &file);
    assert_eq!(parsed.records.len(), 1_000);
    assert_eq!(
        told(&parsed),
        ["hosts line 3 column 11: more than 1000 generated records"]
    );
}

#[test]
fn few_generated_records_of_many_octets_come_to_an_end() {
    let long = format!("\"{}\" ", "x".repeat(250)).repeat(200);
    let text = format!("$GENERATE 1-900 a$ 60 TXT {long}\n").repeat(3);
    let (parsed, _) = read_within(&text, &|_| unreachable!());
    let kept: usize = parsed.records.iter().map(|r| r.rdata.len()).sum();
    // 50,200 octets each.
    assert!(kept <= MIB && kept > MIB - 60_000, "{kept}");
    let lines: Vec<usize> = parsed.problems.iter().map(|p| p.line).collect();
    assert_eq!(lines, [1, 2, 3]);
    assert_eq!(
        told(&parsed)[0],
        "line 1 column 11: more than 1 MiB are included or generated"
    );
}

#[test]
fn the_bounds_in_force_let_a_large_zone_in() {
    let text = "$GENERATE 0-65535 a$ 60 A 192.0.2.1\n";
    assert_eq!(problems(text), [""; 0]);
}
