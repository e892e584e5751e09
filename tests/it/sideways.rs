//! Ways around the guard, and holds that must end.

use crate::harness::eventually;
use crate::harness::lab::{Lab, apex, head};

/// Two zones: `www` of the first is protected and an alias into the second.
fn two_zones(limits_of_second: &str) -> Lab {
    let config = format!(
        "{}[[zone]]\nname = \"a.test.\"\nfile = \"a.zone\"\n\
         [[zone.protect]]\nname = \"www\"\ntypes = [\"A\"]\n\
         [[zone.protect]]\nname = \"api\"\ntypes = [\"A\"]\n\
         [[zone]]\nname = \"b.test.\"\nfile = \"b.zone\"\n{limits_of_second}",
        head()
    );
    let a = format!(
        "{}www CNAME web.b.test.\napi A 192.0.2.1\n",
        apex("a.test.")
    );
    let b = format!("{}web A 192.0.2.2\n", apex("b.test."));
    Lab::of(&config, &[("a.zone", &a), ("b.zone", &b)])
}

#[test]
fn a_new_zone_put_over_a_protected_name_is_refused() {
    let lab = two_zones("");
    lab.write("child.zone", &apex("api.a.test."));
    let file = lab.path("child.zone");
    let file = file.to_str().expect("a path");
    let ran = lab.cli(&["zone", "import", "api.a.test.", file]);
    assert!(!ran.ok(), "{ran}");
    assert!(ran.both().contains("min-members"), "{ran}");
    assert_eq!(lab.data("api.a.test A"), ["192.0.2.1"]);
    // With the address in it, nothing is lost.
    lab.write(
        "child.zone",
        &format!("{}@ A 192.0.2.9\n", apex("api.a.test.")),
    );
    lab.cli(&["zone", "import", "api.a.test.", file])
        .expect_ok();
    assert_eq!(lab.data("api.a.test A"), ["192.0.2.9"]);
}

#[test]
fn a_zone_without_the_rule_cannot_empty_what_another_zone_protects() {
    let lab = two_zones("[zone.limits]\nmin_members = \"off\"\n");
    let script = "zone b.test\nupdate delete web.b.test. A";
    assert_eq!(lab.update(script), "REFUSED");
    assert_eq!(lab.data("web.b.test A"), ["192.0.2.2"]);
}

#[test]
fn one_edit_by_hand_of_two_zones_is_taken_in_whole() {
    let lab = two_zones("");
    for (round, name) in ["one", "two", "three", "four"].iter().enumerate() {
        // Whichever zone is looked at first, the alias needs what the other one gets.
        lab.sql(&format!(
            "BEGIN;
             INSERT INTO record (zone, owner, ttl, type, rdata)
             VALUES ('b.test.', '{name}.b.test.', 60, 'A', '192.0.2.{round}');
             UPDATE record SET rdata = '{name}.b.test.' WHERE owner = 'www.a.test.';
             COMMIT;"
        ));
        eventually("the new alias", || {
            let reply = lab.dig("www.a.test A");
            match reply.answer.iter().any(|line| line.contains(name)) {
                true => Ok(()),
                false => Err(format!("{} {}", reply.text, lab.status("a.test."))),
            }
        });
        assert_eq!(lab.state("a.test."), "live");
        assert_eq!(lab.state("b.test."), "live");
    }
}

#[test]
fn a_thaw_lasts_however_the_name_is_spelled() {
    let mut lab = Lab::demo();
    lab.cli(&["freeze", "--zone", "EXAMPLE.com."]).expect_ok();
    let script = "zone example.com\nupdate add x.example.com. 60 A 192.0.2.1";
    assert_eq!(lab.update(script), "REFUSED");
    lab.cli(&["thaw", "--zone", "example.com."]).expect_ok();
    lab.restart();
    assert_eq!(lab.update(script), "NOERROR");
}

#[test]
fn rows_spelled_anew_by_hand_do_not_outlive_their_deletion() {
    let mut lab = Lab::demo();
    // The same records for the DNS, other texts for SQL.
    lab.sql(
        "UPDATE record SET owner = '\\099hat.example.com.' WHERE owner = 'chat.example.com.';
         UPDATE record SET type = 'TYPE1' WHERE owner = 'vip.customers.example.com.';",
    );
    let spelled = "SELECT count(*) FROM record WHERE owner LIKE '\\%' OR type LIKE 'TYPE%';";
    eventually("rows as the server writes them", || {
        match lab.sql(spelled).trim() {
            "0" => Ok(()),
            rows => Err(format!("{rows} {}", lab.status("example.com."))),
        }
    });
    let script = "zone example.com\nupdate delete vip.customers.example.com. A
                  update add chat.example.com. 60 A 192.0.2.31
                  update delete chat.example.com. A 192.0.2.30";
    assert_eq!(lab.update(script), "NOERROR");
    lab.restart();
    assert_eq!(lab.state("example.com."), "live");
    assert_eq!(lab.data("chat.example.com A"), ["192.0.2.31"]);
    assert_eq!(lab.data("vip.customers.example.com A"), ["192.0.2.90"]);
}

/// Exports the zone and imports it in the place of itself.
#[track_caller]
fn put_back(lab: &Lab) {
    let text = lab.cli(&["zone", "export", "example.com."]).expect_ok();
    lab.write("saved.zone", &text);
    let file = lab.path("saved.zone");
    let file = file.to_str().expect("a path");
    lab.cli(&["zone", "import", "example.com.", file, "--replace"])
        .expect_ok();
}

#[test]
fn a_zone_that_the_store_forgot_is_put_back_from_what_is_served() {
    let lab = Lab::demo();
    let update = |name: &str| {
        lab.update(&format!(
            "zone example.com\nupdate add {name}.example.com. 60 A 192.0.2.1"
        ))
    };
    assert_eq!(update("first"), "NOERROR");
    let before = lab.serial("example.com");
    let revision = lab.status("example.com.")["revision"].as_u64();
    for damage in [
        "DELETE FROM zone WHERE origin = 'example.com.';",
        "UPDATE zone SET revision = 0 WHERE origin = 'example.com.';",
    ] {
        lab.sql(damage);
        let status = lab.until("example.com.", "holding");
        let mend = status["mend"].as_str().unwrap_or_default();
        assert!(
            mend.contains("snapshot restore example.com."),
            "{damage} {mend}"
        );
        put_back(&lab);
        lab.until("example.com.", "live");
        assert_eq!(update("second"), "NOERROR");
    }
    assert!(lab.serial("example.com") > before);
    assert!(lab.status("example.com.")["revision"].as_u64() > revision);
}

#[test]
fn a_zone_imported_over_unreadable_rows_goes_on_with_its_serial() {
    let mut lab = Lab::demo();
    let script = "zone example.com\nupdate add x.example.com. 60 A 192.0.2.1";
    assert_eq!(lab.update(script), "NOERROR");
    let serial = lab.serial("example.com");
    lab.stop();
    lab.sql("UPDATE record SET rdata = 'nonsense' WHERE owner = 'chat.example.com.';");
    lab.start();
    assert_eq!(lab.state("example.com."), "holding");
    let zone = lab.path("example.com.zone");
    let words = [
        "zone",
        "import",
        "example.com.",
        zone.to_str().expect("a path"),
    ];
    let ran = lab.cli(&words);
    assert!(ran.both().contains("--replace"), "rows are there: {ran}");
    lab.cli(&[&words[..], &["--replace"]].concat()).expect_ok();
    assert_eq!(lab.state("example.com."), "live");
    assert!(lab.serial("example.com") > serial);
}
