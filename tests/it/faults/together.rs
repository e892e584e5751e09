//! Edits and holds of more than one zone.

use super::*;
use crate::harness::lab::{apex, head};
use crate::harness::querier::Querier;
use hickory_proto::rr::RecordType;

/// Two zones whose protected aliases lead into each other.
fn two() -> Lab {
    let zone = |name: &str| {
        format!(
            "[[zone]]\nname = \"{name}.test.\"\nfile = \"{name}.zone\"\n\
             [[zone.protect]]\nname = \"www\"\ntypes = [\"A\"]\n"
        )
    };
    let text = |name: &str, other: &str| {
        format!(
            "{}www CNAME web.{other}.test.\nweb A 192.0.2.1\nstill A 192.0.2.9\n",
            apex(&format!("{name}.test."))
        )
    };
    let config = head() + &zone("a") + &zone("b");
    Lab::of(
        &config,
        &[("a.zone", &text("a", "b")), ("b.zone", &text("b", "a"))],
    )
}

fn querier(lab: &Lab) -> Querier {
    Querier::start(
        lab.v4(),
        &[
            ("a.test.", "still.a.test.", RecordType::A),
            ("b.test.", "still.b.test.", RecordType::A),
        ],
    )
}

fn row(zone: &str, owner: &str) -> String {
    format!(
        "INSERT INTO record (zone, owner, ttl, type, rdata)
         VALUES ('{zone}.test.', '{owner}.{zone}.test.', 60, 'A', '192.0.2.2');"
    )
}

/// Both zones move their `web` to a new name, each the target of the other.
fn moved(zone: &str, other: &str) -> String {
    format!(
        "{} DELETE FROM record WHERE owner = 'web.{zone}.test.';
         UPDATE record SET rdata = 'new.{other}.test.' WHERE owner = 'www.{zone}.test.';",
        row(zone, "new")
    )
}

#[track_caller]
fn both(lab: &Lab, state: &str) {
    for zone in ["a.test.", "b.test."] {
        lab.until(zone, state);
    }
}

#[test]
fn edits_of_two_zones_that_need_each_other_are_taken_in_together() {
    let lab = two();
    let querier = querier(&lab);
    lab.sql(&format!(
        "BEGIN; {} {} COMMIT;",
        moved("a", "b"),
        moved("b", "a")
    ));
    for zone in ["a", "b"] {
        eventually("the new alias", || {
            let reply = lab.dig(&format!("www.{zone}.test A"));
            match reply.data().iter().any(|target| target.starts_with("new.")) {
                true => Ok(()),
                false => Err(format!(
                    "{} {}",
                    reply.text,
                    lab.status(&format!("{zone}.test."))
                )),
            }
        });
    }
    both(&lab, "live");
    querier.end();
}

#[test]
fn edits_made_one_after_the_other_end_each_others_hold() {
    let lab = two();
    let querier = querier(&lab);
    lab.sql(&format!("BEGIN; {} COMMIT;", moved("a", "b")));
    lab.until("a.test.", "holding");
    assert_eq!(lab.state("b.test."), "live");
    lab.sql(&format!("BEGIN; {} COMMIT;", moved("b", "a")));
    both(&lab, "live");
    assert_eq!(lab.data("www.a.test A"), ["new.b.test."]);
    querier.end();
}

#[test]
fn what_is_unfit_whatever_the_other_zone_does_stays_out_alone() {
    let lab = two();
    let querier = querier(&lab);
    // `www.b` leads nowhere even with all of it taken in; `a` is fit by itself.
    lab.sql(&format!(
        "BEGIN; {} UPDATE record SET rdata = 'nowhere.a.test.' WHERE owner = 'www.b.test.'; COMMIT;",
        row("a", "new")
    ));
    lab.until("b.test.", "holding");
    lab.until("a.test.", "live");
    assert_eq!(lab.data("new.a.test A"), ["192.0.2.2"]);
    assert_eq!(lab.data("www.b.test A"), ["web.a.test."]);
    querier.end();
}

#[test]
fn a_held_zone_is_judged_again_when_an_update_of_another_mends_it() {
    let lab = two();
    let querier = querier(&lab);
    lab.sql("UPDATE record SET rdata = 'later.b.test.' WHERE owner = 'www.a.test.';");
    lab.until("a.test.", "holding");
    let script = "zone b.test\nupdate add unrelated.b.test. 60 TXT x";
    assert_eq!(lab.update(script), "NOERROR");
    assert_eq!(lab.state("a.test."), "holding");
    let script = "zone b.test\nupdate add later.b.test. 60 A 192.0.2.3";
    assert_eq!(lab.update(script), "NOERROR");
    lab.until("a.test.", "live");
    assert_eq!(lab.data("www.a.test A"), ["later.b.test."]);
    querier.end();
}

#[test]
fn a_held_zone_is_judged_again_when_a_zone_comes_that_it_leads_into() {
    let lab = two();
    let querier = querier(&lab);
    lab.sql("UPDATE record SET rdata = 'www.c.test.' WHERE owner = 'www.a.test.';");
    lab.until("a.test.", "holding");
    lab.write("c.zone", &(apex("c.test.") + "www A 192.0.2.4\n"));
    let file = lab.path("c.zone").display().to_string();
    lab.cli(&["zone", "import", "c.test.", &file]).expect_ok();
    lab.until("a.test.", "live");
    assert_eq!(lab.data("www.a.test A"), ["www.c.test."]);
    querier.end();
}
