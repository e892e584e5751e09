//! The audit as others may leave it: updates go on, and it is said what they did.

use super::*;
use crate::harness::process::Process;

/// A row of a stranger in the last place there is.
const LAST_PLACE: &str = "INSERT INTO audit (id, reference, at_us, path, actor, outcome, reason, rcode, \
     detail, duration_us, previous, hash) \
     VALUES (9223372036854775807, 'X', 0, 'p', 'a', 'refused', '', 'REFUSED', '{}', 0, x'', x'')";

const DEEDS: [&str; 5] = [
    "UPDATE audit SET hash = x'00' WHERE id = (SELECT max(id) FROM audit)",
    "DELETE FROM audit WHERE id = (SELECT max(id) FROM audit)",
    "UPDATE meta SET value = 'nothing' WHERE key = 'audit_head'",
    "UPDATE meta SET value = CAST(x'31ff' AS TEXT) WHERE key = 'audit_head'",
    LAST_PLACE,
];

fn notices(lab: &Lab) -> String {
    lab.cli(&["--json", "status"]).json()["notices"].to_string()
}

fn meddle(lab: &Lab, deed: &str) {
    lab.sql(&format!(
        "DROP TRIGGER audit_update; DROP TRIGGER audit_delete; {deed}"
    ));
}

#[test]
fn whatever_others_do_to_the_end_of_the_audit_updates_go_on_and_it_is_told() {
    let lab = demo();
    for (number, deed) in DEEDS.iter().enumerate() {
        let before = metric(&lab, "lastgood_audit_altered_total");
        meddle(&lab, deed);
        // The very first one, too.
        let name = format!("next{number}");
        assert_eq!(lab.update(&add(&name)), "NOERROR", "{deed}");
        is_there(&lab, &name);
        eventually("it is told", || match notices(&lab) {
            told if told.contains("audit: ") => Ok(()),
            told => Err(told),
        });
        assert!(
            metric(&lab, "lastgood_audit_altered_total") > before,
            "{deed}"
        );
        assert_eq!(lab.state(ZONE), "live", "{deed}");
        lab.cli(&["status"]).expect_ok();
    }
    let verified = lab.cli(&["verify"]);
    assert!(!verified.ok(), "{verified}");
    // The rows that say where it goes on are read as any other.
    let log = lab.cli(&["log"]).expect_ok();
    assert!(log.contains("continued"), "{log}");
}

#[test]
fn an_audit_whose_end_was_altered_before_a_start_is_told_and_written_on() {
    let lab = prepared();
    for (number, deed) in DEEDS.iter().enumerate() {
        let server = Process::start(&lab, "info");
        let update = library::update(ZONE, library::demo_key(), false, |section| {
            section.add_a(&format!("r{number}.example.com."), [192, 0, 2, 1]);
        });
        let response = update.send(server.at, Transport::Tcp);
        assert_eq!(
            response.metadata.response_code.to_string(),
            "No Error",
            "{deed}"
        );
        if number > 0 {
            eventually("it is told", || match notices(&lab) {
                told if told.contains("audit: ") => Ok(()),
                told => Err(told),
            });
        }
        server.kill();
        meddle(&lab, deed);
    }
}

#[test]
fn a_reference_that_is_no_text_keeps_no_start_from_being_whole() {
    let lab = prepared();
    let update = library::update(ZONE, library::demo_key(), false, |section| {
        section.add_a("r.example.com.", [192, 0, 2, 1]);
    });
    let server = Process::start(&lab, "info");
    let response = update.send(server.at, Transport::Tcp);
    assert_eq!(response.metadata.response_code.to_string(), "No Error");
    server.kill();
    meddle(
        &lab,
        "UPDATE audit SET reference = CAST(x'ff' AS TEXT) WHERE id = (SELECT max(id) FROM audit)",
    );
    let server = Process::start(&lab, "info");
    lab.cli(&["status"]).expect_ok();
    server.kill();
}
