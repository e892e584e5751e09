//! Service bindings as large as they can be made.

use std::hint::black_box;
use std::time::{Duration, Instant};

use super::*;

/// The most parameters that fit into a record together with a list of all of them: two octets there,
/// four of its own.
const MOST: u16 = 10_900;

/// A binding with so many parameters, all of them mandatory, as it is written.
fn written(params: u16) -> String {
    let keys: Vec<String> = (10..10 + params).map(|n| format!("key{n}")).collect();
    format!("1 . mandatory={} {}", keys.join(","), keys.join(" "))
}

/// The least of many runs: what others do on the machine only ever adds to it.
fn least(mut run: impl FnMut()) -> Duration {
    let first = Instant::now();
    let mut least = Duration::MAX;
    for _ in 0..20 {
        let begun = Instant::now();
        run();
        least = least.min(begun.elapsed());
        if first.elapsed() > Duration::from_secs(2) {
            break;
        }
    }
    least
}

#[test]
fn a_list_of_mandatory_parameters_costs_in_its_length_and_not_in_its_square() {
    let sizes = [MOST / 8, MOST];
    let texts = sizes.map(written);
    let wires = texts
        .each_ref()
        .map(|text| from_text(Rtype::SVCB, text).unwrap());
    assert!(wires[1].len() > 65_000, "{}", wires[1].len());
    for (wire, text) in wires.iter().zip(&texts) {
        assert_eq!(to_text(Rtype::SVCB, wire), *text);
    }
    let checking = wires
        .each_ref()
        .map(|wire| least(|| check(Rtype::SVCB, black_box(wire)).unwrap()));
    let reading = texts
        .each_ref()
        .map(|text| least(|| drop(from_text(Rtype::SVCB, black_box(text)).unwrap())));
    // Eight times as many cost eight times as much; by the square it would be sixty-four times.
    for [few, many] in [checking, reading] {
        assert!(many < few * 28, "{few:?}, {many:?}");
    }
}

#[test]
fn the_one_that_is_missing_is_found_in_a_long_list() {
    let text = written(MOST).replace(" key5000 ", " ");
    let error = from_text(Rtype::SVCB, &text).unwrap_err();
    let error = error.to_string();
    assert!(
        error.contains("key5000 is mandatory and not there"),
        "{error}"
    );
}
