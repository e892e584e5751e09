//! P1: one transaction, and what it looks at in which order.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RecordType;
use serde_json::Value;

use super::{FEW, few, lab_with_few, last_row, text};
use crate::harness::attack::{exported, lab_of, passes, protect};
use crate::harness::lab::{Lab, PUBLIC_SECRET};
use crate::harness::library::{self, Transport};

const PROBES: [&str; 8] = [
    "update add new.a.test. 60 A 192.0.2.1",
    "update delete www.a.test.",
    "update delete none.a.test. A",
    "prereq yxdomain www.a.test.\nupdate add new.a.test. 60 A 192.0.2.1",
    "prereq nxdomain www.a.test.\nupdate add new.a.test. 60 A 192.0.2.1",
    "prereq yxrrset none.a.test. A\nupdate add new.a.test. 60 A 192.0.2.1",
    "prereq nxrrset www.a.test. TXT",
    "prereq yxrrset www.a.test. A 192.0.2.1",
];

#[test]
fn p1_a_stranger_is_refused_before_anything_is_looked_at() {
    for allow in [
        "{ zone = \"b.test.\", names = [\"**\"] }",
        "{ zone = \"a.test.\", names = [\"**\"], from = [\"192.0.2.0/24\", \"2001:db8::/32\"] }",
    ] {
        let lab = lab_with_few(allow);
        let zone = exported(&lab, "a.test.");
        let probe = |lab: &Lab| {
            for script in PROBES {
                let status = lab.update_as(&few(), &format!("zone a.test\n{script}"));
                assert_eq!(status, "REFUSED", "{script}");
                let last = lab.status("a.test.")["last_refusal"].clone();
                assert_eq!(last["rule"], "scope", "{script}");
                let row = lab.cli(&["--json", "why", text(&last["reference"])]).json();
                assert_eq!(row["ede"], 18, "{row:#}");
                assert_eq!(
                    row["detail"]["removed"],
                    Value::Array(Vec::new()),
                    "{row:#}"
                );
                assert!(row["detail"]["would_be_accepted"].is_string(), "{row:#}");
            }
        };
        probe(&lab);
        assert_eq!(exported(&lab, "a.test."), zone);
        // Nor is it told that the zone holds.
        lab.sql("DELETE FROM record WHERE zone = 'a.test.' AND type = 'SOA'");
        lab.until("a.test.", "holding");
        probe(&lab);
    }
}

#[test]
fn p1_a_right_counts_from_its_addresses() {
    let lab = lab_with_few(
        "{ zone = \"a.test.\", names = [\"*\"], from = [\"::1\"] }, \
         { zone = \"a.test.\", names = [\"*\"], types = [\"TXT\"], from = [\"127.0.0.0/8\"] }",
    );
    let key = || library::key(FEW, domain::tsig::Algorithm::Sha256, PUBLIC_SECRET);
    let send = |at, transport, name: &str| {
        let update = library::update("a.test.", key(), false, |section| {
            section.add_a(name, [192, 0, 2, 1]);
        });
        update.send(at, transport).metadata.response_code
    };
    for transport in [Transport::Udp, Transport::Tcp] {
        let four = send(lab.v4(), transport, "four.a.test.");
        assert_eq!(four, ResponseCode::Refused, "{transport:?}");
        let six = send(lab.v6(), transport, "six.a.test.");
        assert_eq!(six, ResponseCode::NoError, "{transport:?}");
    }
    let reason = last_refusal(&lab, "a.test.");
    assert!(reason.contains("may not add four.a.test."), "{reason}");
    let text = "zone a.test\nupdate add t.a.test. 60 TXT x";
    assert_eq!(lab.update_as(&few(), text), "NOERROR");
}

fn last_refusal(lab: &Lab, zone: &str) -> String {
    let status = lab.status(zone);
    status["last_refusal"]["reason"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

#[test]
fn p1_prerequisites_come_before_permission_and_permission_before_the_rules() {
    let lab = lab_with_few("{ zone = \"a.test.\", names = [\"mine\"] }");
    let says = |script: &str| lab.update_as(&few(), &format!("zone a.test\n{script}"));
    let foreign = "update delete www.a.test.";
    let failing = format!("prereq yxrrset mine.a.test. A\n{foreign}");
    assert_eq!(says(&failing), "NXRRSET");
    let met = format!("prereq nxrrset mine.a.test. A\n{foreign}");
    assert_eq!(says(&met), "REFUSED");
    // All operations are looked at, and the first that is not allowed is told.
    let both = format!("update add mine.a.test. 60 A 192.0.2.1\n{foreign}");
    assert_eq!(says(&both), "REFUSED");
    assert_eq!(lab.dig("mine.a.test A").status, "NXDOMAIN");
    let row = last_row(&lab, "a.test.");
    let reason = text(&row["reason"]);
    assert!(
        reason.contains("may not delete www.a.test.") && reason.contains("1 of 2 operations"),
        "{reason}"
    );
}

/// Enactors whose checks are true when they make them: each leaves enough, all together would not.
#[test]
fn p1_nothing_overtakes_a_check_on_its_way_to_the_commit() {
    const MEMBERS: usize = 8;
    const LEAST: usize = 2;
    let pool: String = (1..=MEMBERS)
        .map(|n| format!("pool A 192.0.2.{n}\n"))
        .collect();
    let lab = lab_of(&[("p.test.", &pool, &protect("pool", "\"A\"", LEAST))]);
    let (v4, v6) = (lab.v4(), lab.v6());
    for round in 0..10 {
        let let_in = AtomicUsize::new(0);
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            let watcher = scope.spawn(|| {
                let query = library::query("pool.p.test.", RecordType::A, None);
                while !done.load(Ordering::Relaxed) {
                    let seen = library::ask(v4, Transport::Udp, &query).answers.len();
                    assert!(seen >= LEAST, "{seen} members are served");
                }
            });
            let clients: Vec<_> = (1..=MEMBERS)
                .map(|number| {
                    let let_in = &let_in;
                    scope.spawn(move || {
                        let number = u8::try_from(number).expect("few");
                        let key = library::demo_key();
                        let update = library::update("p.test.", key, false, |section| {
                            section.delete_one_a("pool.p.test.", [192, 0, 2, number]);
                        });
                        let (at, transport) = match number % 4 {
                            0 => (v4, Transport::Udp),
                            1 => (v6, Transport::Tcp),
                            2 => (v4, Transport::Tcp),
                            _ => (v6, Transport::Udp),
                        };
                        match update.send(at, transport).metadata.response_code {
                            ResponseCode::NoError => {
                                let_in.fetch_add(1, Ordering::Relaxed);
                            }
                            other => assert_eq!(other, ResponseCode::Refused),
                        }
                    })
                })
                .collect();
            for client in clients {
                client.join().expect("a client");
            }
            done.store(true, Ordering::Relaxed);
            watcher.join().expect("the watcher");
        });
        assert_eq!(let_in.into_inner(), MEMBERS - LEAST, "round {round}");
        assert_eq!(lab.data("pool.p.test A").len(), LEAST);
        let back: String = (1..=MEMBERS)
            .map(|n| format!("update add pool.p.test. 300 A 192.0.2.{n}\n"))
            .collect();
        passes(&lab, "p.test.", &[&back]);
    }
}

/// The planner's enactors repoint the endpoint, and the clean-up deletes plans that it believes old.
#[test]
fn p1_no_clean_up_overtakes_an_alias() {
    const PLANS: usize = 4;
    let plans: String = (0..PLANS)
        .map(|n| format!("plan-{n} A 192.0.2.{n}\n"))
        .collect();
    let lab = lab_of(&[(
        "e.test.",
        &(plans + "api CNAME plan-0\n"),
        &protect("api", "\"A\"", 1),
    )]);
    let at = lab.v4();
    let done = AtomicBool::new(false);
    let send = |fill: &dyn Fn(&mut library::Section)| {
        let update = library::update("e.test.", library::demo_key(), false, |section| {
            fill(section);
        });
        update.send(at, Transport::Tcp).metadata.response_code
    };
    let [repointed, deleted] = [AtomicUsize::new(0), AtomicUsize::new(0)];
    thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let query = library::query("api.e.test.", RecordType::A, None);
            while !done.load(Ordering::Relaxed) {
                let seen = library::ask(at, Transport::Udp, &query);
                let is_address =
                    |record: &&hickory_proto::rr::Record| record.record_type() == RecordType::A;
                assert_eq!(seen.answers.iter().filter(is_address).count(), 1);
            }
        });
        let enactors: Vec<_> = (0..3)
            .map(|first| {
                let (send, repointed) = (&send, &repointed);
                scope.spawn(move || {
                    for round in 0..30 {
                        let plan = format!("plan-{}.e.test.", (first + round) % PLANS);
                        let status = send(&|section| section.add_cname("api.e.test.", &plan));
                        if status == ResponseCode::NoError {
                            repointed.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                })
            })
            .collect();
        let cleaners: Vec<_> = (0..3)
            .map(|first| {
                let (send, deleted) = (&send, &deleted);
                scope.spawn(move || {
                    for round in 0..30 {
                        let number = (first + round) % PLANS;
                        let plan = format!("plan-{number}.e.test.");
                        if send(&|section| section.delete_a(&plan)) == ResponseCode::NoError {
                            deleted.fetch_add(1, Ordering::Relaxed);
                        }
                        let address = [192, 0, 2, u8::try_from(number).expect("few")];
                        let status = send(&|section| section.add_a(&plan, address));
                        assert_eq!(status, ResponseCode::NoError);
                    }
                })
            })
            .collect();
        for client in enactors.into_iter().chain(cleaners) {
            client.join().expect("a client");
        }
        done.store(true, Ordering::Relaxed);
        watcher.join().expect("the watcher");
    });
    // Both sides had their way, or this has attacked nothing.
    assert!(repointed.into_inner() > 0 && deleted.into_inner() > 0);
    assert!(lab.cli(&["verify"]).ok(), "each change with its audit row");
}
