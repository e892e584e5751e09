//! Rows that a person deletes, spoils or adds.

use super::*;
use crate::harness::lab::{apex, head};
use crate::harness::querier::Querier;
use hickory_proto::rr::RecordType;

const DAMAGES: [&str; 5] = [
    "DELETE FROM record WHERE owner = 'api.example.com.' AND type = 'A';",
    "UPDATE record SET rdata = 'no address' WHERE owner = 'chat.example.com.' AND type = 'A';",
    "INSERT INTO record (zone, owner, ttl, type, rdata) VALUES ('example.com.', 'example.com.', 60,
     'SOA', 'ns9.example.com. hostmaster.example.com. 9 7200 900 1209600 300');",
    "UPDATE record SET ttl = -1 WHERE owner = 'web.example.com.' AND type = 'A';",
    "INSERT INTO record (zone, owner, ttl, type, rdata) VALUES
     ('example.com.', 'api.example.com.', 60, 'CNAME', 'elsewhere.example.net.');",
];

#[test]
fn rows_spoiled_while_serving_are_answered_from_the_last_good_and_mended_as_status_says() {
    let lab = demo();
    acknowledge(&lab, "before");
    let querier = Querier::of_demo(lab.v4());
    for (round, damage) in DAMAGES.iter().enumerate() {
        lab.sql(damage);
        holds_as_it_should(&lab, ZONE);
        refuses_with_not_ready(&lab);
        assert_eq!(lab.state(OTHER), "live", "{damage}");
        mend(&lab, ZONE);
        acknowledge(&lab, &format!("round{round}"));
    }
    let seen = querier.end();
    assert_eq!(seen.marks_of(ZONE), [3, 19]);
    assert_eq!(seen.marks_of(OTHER), [0u16; 0]);
    is_there(&lab, "before");
    is_there(&lab, "round4");
}

#[test]
fn an_update_that_puts_right_all_that_is_wrong_ends_the_hold() {
    let mut lab = demo();
    let querier = Querier::of_demo(lab.v4());
    let serial = lab.serial("example.com");
    lab.sql("DELETE FROM record WHERE owner = 'api.example.com.' AND type IN ('A', 'AAAA');");
    lab.until(ZONE, "holding");
    // One half is not enough: the other would be lost.
    let half = "zone example.com
        update add api.example.com. 60 A 192.0.2.10
        update add api.example.com. 60 A 192.0.2.11";
    assert_eq!(lab.update(half), "REFUSED");
    assert_eq!(lab.state(ZONE), "holding");
    let addresses = lab.sql("SELECT count(*) FROM record WHERE owner = 'api.example.com.';");
    assert_eq!(addresses.trim(), "0", "nothing of it was written");
    let whole = format!(
        "{half}
        update add api.example.com. 60 AAAA 2001:db8::10
        update add api.example.com. 60 AAAA 2001:db8::11"
    );
    assert_eq!(lab.update(&whole), "NOERROR");
    lab.until(ZONE, "live");
    assert!(lab.serial("example.com") > serial);
    querier.end();
    lab.restart();
    assert_eq!(lab.state(ZONE), "live");
    assert_eq!(lab.data("api.example.com A"), ["192.0.2.10", "192.0.2.11"]);
    let verified = lab.cli(&["verify"]);
    assert!(verified.ok(), "{verified}");
}

#[test]
fn an_update_that_repairs_by_other_data_is_judged_like_any_other() {
    let lab = demo();
    lab.sql("DELETE FROM record WHERE owner = 'api.example.com.' AND type = 'A';");
    lab.until(ZONE, "holding");
    let one = "zone example.com
        update delete api.example.com. A
        update add api.example.com. 60 A 192.0.2.20";
    assert_eq!(lab.update(one), "REFUSED", "two addresses have to stay");
    assert_eq!(lab.state(ZONE), "holding");
    let two = format!("{one}\nupdate add api.example.com. 60 A 192.0.2.21");
    assert_eq!(lab.update(&two), "NOERROR");
    lab.until(ZONE, "live");
    assert_eq!(lab.data("api.example.com A"), ["192.0.2.20", "192.0.2.21"]);
}

const MANY: usize = 5_000;

/// A zone of many names, one of them protected, and another zone.
fn many() -> Lab {
    let names: String = (1..=MANY)
        .map(|n| format!("n{n} A 192.0.2.{}\n", n % 250))
        .collect();
    let config = format!(
        "{}[[zone]]\nname = \"many.test.\"\nfile = \"many.zone\"\n\
         [[zone.protect]]\nname = \"n7\"\ntypes = [\"A\"]\n\
         [[zone]]\nname = \"other.test.\"\nfile = \"other.zone\"\n",
        head().replace("[store]\n", "[store]\nscrub = \"1s\"\n")
    );
    let (many, other) = (
        apex("many.test.") + &names,
        apex("other.test.") + "a A 192.0.2.1\n",
    );
    Lab::of(&config, &[("many.zone", &many), ("other.zone", &other)])
}

#[test]
fn one_row_repaired_by_an_update_does_not_carry_five_thousand_deletions_with_it() {
    let lab = many();
    let zone = "many.test.";
    let querier = Querier::start(
        lab.v4(),
        &[
            (zone, "n7.many.test.", RecordType::A),
            (zone, "n8.many.test.", RecordType::A),
            (zone, "n4999.many.test.", RecordType::A),
            (zone, "nothing.many.test.", RecordType::A),
            ("other.test.", "a.other.test.", RecordType::A),
        ],
    );
    lab.sql("DELETE FROM record WHERE zone = 'many.test.' AND type = 'A';");
    lab.until(zone, "holding");
    let repair = "zone many.test\nupdate add n7.many.test. 300 A 192.0.2.7";
    assert_eq!(lab.update(repair), "REFUSED");
    // The same by a message that repairs many and not all.
    let some: String = (1..=400)
        .map(|n| format!("update add n{n}.many.test. 300 A 192.0.2.{}\n", n % 250))
        .collect();
    assert_eq!(
        lab.nsupdate(&["-v", "-y", &key()], &format!("zone many.test\n{some}")),
        "REFUSED"
    );
    assert_eq!(lab.state(zone), "holding");
    assert_eq!(lab.state("other.test."), "live");
    lab.cli(&["snapshot", "restore", zone]).expect_ok();
    lab.until(zone, "live");
    let rows = lab.sql("SELECT count(*) FROM record WHERE zone = 'many.test.' AND type = 'A';");
    assert_eq!(rows.trim(), MANY.to_string());
    let seen = querier.end();
    assert_eq!(seen.marks_of("other.test."), [0u16; 0]);
}

fn key() -> String {
    format!("hmac-sha256:demo:{}", crate::harness::lab::PUBLIC_SECRET)
}

#[test]
fn rows_changed_with_the_triggers_off_are_damage_and_no_edit() {
    let lab = demo();
    acknowledge(&lab, "before");
    let querier = Querier::of_demo(lab.v4());
    // A change that would be welcome as an edit by hand.
    let damage =
        "UPDATE record SET rdata = '192.0.2.99' WHERE owner = 'chat.example.com.' AND type = 'A';";
    untraced(&lab, damage);
    let status = holds_as_it_should(&lab, ZONE);
    assert!(status["reason"].to_string().contains("damage"), "{status}");
    refuses_with_not_ready(&lab);
    assert_eq!(lab.state(OTHER), "live");
    mend(&lab, ZONE);
    assert_eq!(lab.data("chat.example.com A"), ["192.0.2.30"]);
    let seen = querier.end();
    assert_eq!(seen.marks_of(OTHER), [0u16; 0]);
    // Whoever knows better may say so.
    untraced(&lab, damage);
    lab.until(ZONE, "holding");
    lab.cli(&["zone", "accept", ZONE]).expect_ok();
    lab.until(ZONE, "live");
    assert_eq!(lab.data("chat.example.com A"), ["192.0.2.99"]);
    is_there(&lab, "before");
}

/// By a connection that fires no triggers, as ours.
fn untraced(lab: &Lab, statements: &str) {
    let mut command = Command::new("sqlite3");
    command.args(["-bail", "-cmd", ".timeout 5000"]);
    command
        .args(["-cmd", ".dbconfig enable_trigger off"])
        .arg(lab.database());
    programs::run(&mut command, statements).expect_ok();
}

#[test]
fn damage_that_no_snapshot_can_tell_of_is_not_served_until_somebody_says_so() {
    let mut lab = demo();
    acknowledge(&lab, "before");
    lab.stop();
    untraced(
        &lab,
        "UPDATE record SET rdata = '192.0.2.99' WHERE owner = 'chat.example.com.' AND type = 'A';",
    );
    for end in ["", "-wal", "-shm"] {
        let file = lab.path(&format!("data/demo.snapshot.db{end}"));
        let _ = std::fs::remove_file(file);
    }
    lab.start();
    let status = lab.until(ZONE, "unavailable");
    assert!(status["reason"].to_string().contains("damage"), "{status}");
    assert!(
        status["mend"].to_string().contains("zone accept"),
        "{status}"
    );
    let reply = lab.dig("chat.example.com A");
    assert_eq!(
        (&*reply.status, reply.ede.map(|(code, _)| code)),
        ("SERVFAIL", Some(24))
    );
    assert_eq!(lab.state(OTHER), "live");
    lab.cli(&["zone", "accept", ZONE]).expect_ok();
    lab.until(ZONE, "live");
    assert_eq!(lab.data("chat.example.com A"), ["192.0.2.99"]);
    is_there(&lab, "before");
}

#[test]
fn a_hold_that_a_start_found_is_ended_by_an_update_too() {
    let mut lab = demo();
    acknowledge(&lab, "before");
    lab.settle(ZONE);
    lab.stop();
    lab.sql(
        "INSERT INTO record (zone, owner, ttl, type, rdata) VALUES
         ('example.com.', 'before.example.com.', 60, 'CNAME', 'elsewhere.example.net.')",
    );
    lab.start();
    lab.until(ZONE, "holding");
    let querier = Querier::of_demo(lab.v4());
    is_there(&lab, "before");
    assert_eq!(lab.update(&add("unrelated")), "REFUSED");
    let repair = "zone example.com
        update delete before.example.com. CNAME
        update add before.example.com. 60 A 192.0.2.1";
    assert_eq!(lab.update(repair), "NOERROR");
    lab.until(ZONE, "live");
    is_there(&lab, "before");
    querier.end();
    lab.restart();
    assert_eq!(lab.state(ZONE), "live");
}
