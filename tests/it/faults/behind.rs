//! A snapshot that is behind its store, as after a crash, while the store is not fit either.

use super::files::shell;
use super::*;
use crate::harness::lab;
use crate::harness::serving::Serving;

#[track_caller]
fn update(server: &Serving, change: impl FnOnce(&mut library::Section)) {
    let response = library::update(ZONE, library::demo_key(), false, change);
    let response = response.send(server.at, Transport::Tcp);
    assert_eq!(response.metadata.response_code.to_string(), "No Error");
}

#[test]
fn a_hold_on_an_older_version_ends_with_the_rows_of_the_newer_one_and_that_is_told() {
    let mut lab = demo();
    lab.settle(ZONE);
    lab.stop();
    shell(&lab, "cp \"$snapshot\" \"$snapshot\".older");
    lab.start();
    acknowledge(&lab, "later");
    lab.settle(ZONE);
    let newer = lab.status(ZONE)["revision"].clone();
    lab.stop();
    // The history does not tell what came since, and the rows are not fit.
    shell(
        &lab,
        "rm -f \"$snapshot\"-wal \"$snapshot\"-shm; cp \"$snapshot\".older \"$snapshot\"",
    );
    lab.sql(
        "UPDATE revision SET diff = 'x' WHERE zone = 'example.com.'
             AND number = (SELECT max(number) FROM revision WHERE zone = 'example.com.');
         UPDATE record SET rdata = 'nonsense' WHERE owner = 'later.example.com.';",
    );
    let server = Serving::start(lab, ZONE);
    let status = holds_as_it_should(&server.lab, ZONE);
    assert!(status["revision"].as_u64() < newer.as_u64(), "{status}");
    let reply = lab::dig(server.at, "later.example.com A");
    assert_eq!(reply.status, "NXDOMAIN");

    // As a person may spell it.
    server.lab.sql(
        "UPDATE record SET owner = '\\108ater.example.com.', rdata = '192.0.2.1'
             WHERE owner = 'later.example.com.';",
    );
    let status = server.lab.until(ZONE, "live");
    assert_eq!(status["revision"], newer, "{status}");
    for over in ["reason", "mend", "held_secs"] {
        assert!(status[over].is_null(), "{over}: {status}");
    }
    let hold = format!("lastgood_zone_hold{{zone=\"{ZONE}\"}}");
    assert_eq!(metric(&server.lab, &hold), 0.0);
    let reply = lab::dig(server.at, "later.example.com A +edns");
    assert_eq!(reply.data(), ["192.0.2.1"]);
    assert!(!reply.text.contains("EDE"), "{}", reply.text);
    assert!(server.said().contains("the hold ends"), "{}", server.said());

    // It is as if it had never been otherwise.
    server.lab.settle(ZONE);
    assert_eq!(server.lab.sql("SELECT count(*) FROM touched"), "0\n");
    update(&server, |section| section.delete_a("later.example.com."));
    let reply = lab::dig(server.at, "later.example.com A");
    assert_eq!(reply.status, "NXDOMAIN");
    let rows = "SELECT count(*) FROM record WHERE owner LIKE '%ater.example.com.'";
    assert_eq!(server.lab.sql(rows), "0\n", "by its own spelling");
    // Nothing is wrong but what was done to the history.
    let verified = server.lab.cli(&["verify"]);
    let of_the_history = format!("revision {newer} of example.com.");
    let mut faults = verified.stderr.lines();
    assert!(
        faults.all(|fault| fault.starts_with(&of_the_history)),
        "{verified}"
    );
    assert_eq!(server.lab.state(ZONE), "live");
    server.lab.settle(ZONE);
    let mut lab = server.stop();
    lab.start();
    live(&lab);
}
