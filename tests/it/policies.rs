//! What the configuration of a zone changes: the serial's policy, rules that only observe, keys with
//! ranges.

use crate::harness::lab::{self, Lab, PUBLIC_SECRET};

fn lab_with(policy: &str, records: &str) -> Lab {
    let config =
        lab::head() + &format!("[[zone]]\nname = \"a.test.\"\nfile = \"a.zone\"\n{policy}\n");
    Lab::of(&config, &[("a.zone", &(lab::apex("a.test.") + records))])
}

#[test]
fn a_serial_by_the_clock_or_by_the_date_goes_up_with_every_change() {
    for policy in ["unixtime", "date"] {
        let lab = lab_with(&format!("serial = \"{policy}\""), "");
        let mut last = 1;
        for number in 1..=5 {
            let script = format!("zone a.test\nupdate add n{number}.a.test. 60 A 192.0.2.1");
            assert_eq!(lab.update(&script), "NOERROR");
            let serial = lab.serial("a.test");
            assert!(serial > last, "{policy}: {serial} after {last}");
            last = serial;
        }
        let floor = if policy == "date" {
            2_025_010_100
        } else {
            1_735_689_600
        };
        assert!(last > floor, "{policy}: {last}");
    }
}

#[test]
fn a_rule_that_observes_lets_in_and_tells() {
    let lab = lab_with(
        "[zone.limits]\nmin_members = { mode = \"observe\" }\n\
         [[zone.protect]]\nname = \"www\"\ntypes = [\"A\"]\nmin_members = 1",
        "www A 192.0.2.1\n",
    );
    assert_eq!(
        lab.update("zone a.test\nupdate delete www.a.test. A"),
        "NOERROR"
    );
    assert_eq!(lab.dig("www.a.test A").status, "NXDOMAIN");
    let told = lab.cli(&["--json", "log", "a.test."]).expect_ok();
    assert!(
        told.contains("\"observe\"") && told.contains("www.a.test."),
        "{told}"
    );
}

#[test]
fn a_rule_that_is_off_is_off() {
    let lab = lab_with(
        "[zone.limits]\nmin_members = \"off\"\nvalidate = \"off\"\n\
         [[zone.protect]]\nname = \"www\"\ntypes = [\"A\"]\nmin_members = 1",
        "www A 192.0.2.1\n",
    );
    assert_eq!(
        lab.update("zone a.test\nupdate delete www.a.test. A"),
        "NOERROR"
    );
}

#[test]
fn a_key_keeps_to_its_names_types_and_ranges() {
    let config = lab::head()
        + &format!(
            "[[key]]\nname = \"few.\"\nalgorithm = \"hmac-sha256\"\nsecret = \"{PUBLIC_SECRET}\"\n\
             allow = [{{ zone = \"a.test.\", names = [\"@\", \"*.dyn\"], types = [\"A\", \"AAAA\", \"CNAME\"], \
             rdata = [\"192.0.2.0/25\", \"2001:db8::/32\", \"example.net.\"] }}]\n\
             [[zone]]\nname = \"a.test.\"\nfile = \"a.zone\"\n"
        );
    let zone = lab::apex("a.test.") + "www A 192.0.2.1\nold.dyn A 198.51.100.1\nold.dyn TXT x\n";
    let lab = Lab::of(&config, &[("a.zone", &zone)]);
    let key = format!("hmac-sha256:few:{PUBLIC_SECRET}");
    for (line, status) in [
        ("update add a.test. 60 A 192.0.2.1", "NOERROR"),
        ("update add x.dyn.a.test. 60 A 192.0.2.127", "NOERROR"),
        ("update add X.Y.DYN.a.test. 60 AAAA 2001:db8::1", "NOERROR"),
        (
            "update add c.dyn.a.test. 60 CNAME www.example.net.",
            "NOERROR",
        ),
        ("update add x.dyn.a.test. 60 A 192.0.2.128", "REFUSED"),
        ("update add x.dyn.a.test. 60 AAAA 2001:db9::1", "REFUSED"),
        (
            "update add c2.dyn.a.test. 60 CNAME www.example.org.",
            "REFUSED",
        ),
        (
            "update add c2.dyn.a.test. 60 CNAME wwwexample.net.",
            "REFUSED",
        ),
        ("update add x.dyn.a.test. 60 TXT x", "REFUSED"),
        ("update add dyn.a.test. 60 A 192.0.2.1", "REFUSED"),
        ("update add www.a.test. 60 A 192.0.2.2", "REFUSED"),
        ("update add mydyn.a.test. 60 A 192.0.2.2", "REFUSED"),
        // Of what is there, some is not its own.
        ("update delete old.dyn.a.test.", "REFUSED"),
        ("update delete old.dyn.a.test. TXT", "REFUSED"),
        ("update delete x.dyn.a.test.", "NOERROR"),
    ] {
        assert_eq!(
            lab.update_as(&key, &format!("zone a.test\n{line}")),
            status,
            "{line}"
        );
    }
}

#[test]
fn names_are_the_same_however_they_are_spelled() {
    let lab = Lab::demo();
    for line in [
        "update delete API.Example.COM. A",
        "update delete WEB.example.com.",
        "update delete aPi.example.com. A 192.0.2.10",
    ] {
        assert_eq!(
            lab.update(&format!("zone EXAMPLE.com\n{line}")),
            "REFUSED",
            "{line}"
        );
    }
    assert_eq!(
        lab.update("zone Example.Com\nupdate add New.EXAMPLE.com. 60 A 192.0.2.1"),
        "NOERROR"
    );
    assert_eq!(lab.data("nEW.example.com A"), ["192.0.2.1"]);
}
