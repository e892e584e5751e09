//! The serial of an update that ends a hold: what was acknowledged before may have been lost with the
//! rows, so it is above every serial that may ever have been served.

use super::*;

const REPAIR: &str = "zone example.com
    update add api.example.com. 60 A 192.0.2.10
    update add api.example.com. 60 A 192.0.2.11";

/// The highest serial that may be served without writing to the snapshot first.
fn ceiling(lab: &Lab) -> u32 {
    let serial = lab.sql_in(
        &lab.snapshot(),
        "SELECT serial FROM ceiling WHERE origin = x'076578616d706c6503636f6d00'",
    );
    serial.trim().parse().expect("a serial")
}

/// A lab with a protected name gone from its rows, and with serials reserved.
fn holding() -> Lab {
    let lab = demo();
    acknowledge(&lab, "before");
    assert!(ceiling(&lab) > lab.serial(ZONE) + 100, "{}", ceiling(&lab));
    lab.sql("DELETE FROM record WHERE owner = 'api.example.com.' AND type = 'A';");
    lab.until(ZONE, "holding");
    lab
}

/// The repair, with a SOA of its own.
fn with_serial(lab: &Lab, serial: u32) -> String {
    let soa = lab.data("example.com SOA").remove(0);
    let mut words: Vec<String> = soa.split(' ').map(str::to_owned).collect();
    words[2] = serial.to_string();
    format!(
        "{REPAIR}\nupdate add example.com. 3600 SOA {}",
        words.join(" ")
    )
}

#[track_caller]
fn is_mended(lab: &Lab, update: &str) -> u32 {
    assert_eq!(lab.update(update), "NOERROR", "{}", lab.status(ZONE));
    lab.until(ZONE, "live");
    let serial = lab.serial(ZONE);
    assert!(serial <= ceiling(lab), "reserved before it is served");
    serial
}

#[test]
fn an_update_that_ends_a_hold_gets_a_serial_above_all_that_may_have_been_served() {
    let lab = holding();
    let reserved = ceiling(&lab);
    assert_eq!(is_mended(&lab, REPAIR), reserved + 1);
}

#[test]
fn a_serial_of_its_own_that_may_have_been_served_does_not_stand_in_an_update_that_ends_a_hold() {
    for is_last in [false, true] {
        let lab = holding();
        let reserved = ceiling(&lab);
        let own = match is_last {
            true => reserved,
            false => lab.serial(ZONE) + 1,
        };
        let serial = is_mended(&lab, &with_serial(&lab, own));
        assert_eq!(serial, reserved + 1, "it asked for {own}");
    }
}

#[test]
fn a_serial_of_its_own_above_all_that_may_have_been_served_stands() {
    let lab = holding();
    let own = ceiling(&lab) + 7;
    assert_eq!(is_mended(&lab, &with_serial(&lab, own)), own);
}
