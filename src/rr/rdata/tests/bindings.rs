//! Service bindings as large as they can be made.

use super::*;

/// The most parameters that fit into a record together with a list of all of them: two octets there,
/// four of its own.
const MOST: u16 = 10_900;

/// A binding with so many parameters, all of them mandatory, as it is written.
fn written() -> String {
    let keys: Vec<String> = (10..10 + MOST).map(|n| format!("key{n}")).collect();
    format!("1 . mandatory={} {}", keys.join(","), keys.join(" "))
}

#[test]
fn as_many_mandatory_parameters_as_there_is_room_for_are_read_and_written() {
    let wire = from_text(Rtype::SVCB, &written()).unwrap();
    assert!(wire.len() > 65_000, "{}", wire.len());
    check(Rtype::SVCB, &wire).unwrap();
    assert_eq!(to_text(Rtype::SVCB, &wire), written());
}

#[test]
fn the_one_that_is_missing_is_found_in_a_long_list() {
    let text = written().replace(" key5000 ", " ");
    let error = from_text(Rtype::SVCB, &text).unwrap_err().to_string();
    assert!(
        error.contains("key5000 is mandatory and not there"),
        "{error}"
    );
}
