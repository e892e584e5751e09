//! Many at once.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RecordType;

use crate::harness::lab::Lab;
use crate::harness::library::{self, Transport};

const CLIENTS: usize = 8;
const EACH: usize = 25;

#[test]
fn updates_of_eight_clients_all_land() {
    let lab = Lab::demo();
    let serial = lab.serial("example.com");
    let (v4, v6) = (lab.v4(), lab.v6());
    thread::scope(|scope| {
        for client in 0..CLIENTS {
            scope.spawn(move || {
                let at = if client % 2 == 0 { v4 } else { v6 };
                let transport = if client % 4 < 2 {
                    Transport::Udp
                } else {
                    Transport::Tcp
                };
                for number in 0..EACH {
                    let name = format!("n{number}.c{client}.example.com.");
                    let key = library::demo_key();
                    let update = library::update("example.com.", key, false, |section| {
                        section.add_a(&name, [192, 0, 2, 1]);
                    });
                    let response = update.send(at, transport);
                    assert_eq!(
                        response.metadata.response_code,
                        ResponseCode::NoError,
                        "{name}"
                    );
                    let query = library::query(&name, RecordType::A, None);
                    let seen = library::ask(at, Transport::Udp, &query);
                    assert_eq!(
                        seen.answers.len(),
                        1,
                        "{name} is served once it is acknowledged"
                    );
                }
            });
        }
    });
    let changes = u32::try_from(CLIENTS * EACH).expect("few");
    assert_eq!(
        lab.serial("example.com"),
        serial + changes,
        "each is a revision of its own"
    );
    let exported = lab.cli(&["zone", "export", "example.com."]).expect_ok();
    let is_ours =
        |line: &&str| line.starts_with('n') && line[1..].starts_with(|c: char| c.is_ascii_digit());
    let landed = exported
        .lines()
        .filter(is_ours)
        .filter(|line| line.contains(".c"))
        .count();
    assert_eq!(landed, CLIENTS * EACH);
}

#[test]
fn two_that_each_leave_enough_never_leave_too_few_together() {
    // Each alone would leave one of two; both together would leave none.
    let lab = Lab::demo();
    let v4 = lab.v4();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let done = &done;
        let watcher = scope.spawn(move || {
            let query = library::query("example.com.", RecordType::MX, None);
            while !done.load(Ordering::Relaxed) {
                let seen = library::ask(v4, Transport::Udp, &query);
                assert!(!seen.answers.is_empty(), "mail always goes somewhere");
            }
        });
        for _ in 0..10 {
            let one = || {
                lab.update("zone example.com\nupdate delete example.com. MX 10 mail.example.com.")
            };
            let other = || {
                lab.update("zone example.com\nupdate delete example.com. MX 20 mail2.example.com.")
            };
            let (first, second) = thread::scope(|pair| {
                let first = pair.spawn(one);
                let second = pair.spawn(other);
                (
                    first.join().expect("a client"),
                    second.join().expect("a client"),
                )
            });
            let mut outcomes = [first, second];
            outcomes.sort();
            assert_eq!(outcomes, ["NOERROR", "REFUSED"]);
            let back = "zone example.com
                update add example.com. 3600 MX 10 mail.example.com.
                update add example.com. 3600 MX 20 mail2.example.com.";
            assert_eq!(lab.update(back), "NOERROR");
        }
        done.store(true, Ordering::Relaxed);
        watcher.join().expect("the watcher");
    });
}

#[test]
fn a_replacement_is_never_seen_half_done() {
    let lab = Lab::demo();
    let v4 = lab.v4();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let done = &done;
        let watchers: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(move || {
                    let query = library::query("api.example.com.", RecordType::A, None);
                    let mut seen = 0;
                    while !done.load(Ordering::Relaxed) {
                        let response = library::ask(v4, Transport::Udp, &query);
                        let mut data: Vec<String> = response
                            .answers
                            .iter()
                            .map(|record| record.data.to_string())
                            .collect();
                        data.sort();
                        let last =
                            |text: &str| text.rsplit('.').next().unwrap_or_default().to_owned();
                        assert_eq!(data.len(), 2, "{data:?}");
                        assert_eq!(last(&data[0])[..1], last(&data[1])[..1], "{data:?}");
                        seen += 1;
                    }
                    seen
                })
            })
            .collect();
        for round in 0..40 {
            // .10 and .11, then .20 and .21, and so on: the tens always agree.
            let tens = (round % 8 + 2) * 10;
            let status = lab.update(&format!(
                "zone example.com
                 update delete api.example.com. A
                 update add api.example.com. 60 A 192.0.2.{tens}
                 update add api.example.com. 60 A 192.0.2.{}",
                tens + 1
            ));
            assert_eq!(status, "NOERROR");
        }
        done.store(true, Ordering::Relaxed);
        for watcher in watchers {
            assert!(watcher.join().expect("a watcher") > 0);
        }
    });
}
