//! P8: between versions, never between a version and nothing.

use std::fs;

use crate::harness::attack::protect;
use crate::harness::lab::{self, Lab};

/// Policies that nobody should have, in force or not after a reload and after a start.
#[test]
fn p8_no_policy_takes_a_zone_off_the_air() {
    let zone = lab::apex("s.test.")
        + "www A 192.0.2.1\nalias CNAME www\nout CNAME gone.invalid.\nw.sub A 192.0.2.2\n\
           bad MX 10 alias\nlong 2000000 A 192.0.2.3\n*.wild A 192.0.2.4\n";
    let head = lab::head();
    let stanza = "[[zone]]\nname = \"s.test.\"\nfile = \"s.zone\"\n";
    let mut lab = Lab::of(&(head + stanza), &[("s.zone", &zone)]);
    let config = lab.read("lastgood.toml");
    let questions = [
        "s.test SOA",
        "s.test NS",
        "www.s.test A",
        "alias.s.test A",
        "out.s.test A",
        "w.sub.s.test A",
        "bad.s.test MX",
        "long.s.test A",
        "x.wild.s.test A",
        "none.s.test A",
    ];
    let answers = |lab: &Lab| {
        let ask = |words: &&str| {
            let reply = lab.dig(words);
            (reply.status.clone(), reply.data())
        };
        questions.iter().map(ask).collect::<Vec<_>>()
    };
    let good = answers(&lab);
    lab.write("empty.zone", "");
    lab.write("sub.zone", &lab::apex("sub.s.test."));
    let protect_all = |name: &str| protect(name, "\"A\", \"AAAA\", \"MX\", \"TYPE65280\"", 1000);
    let policies = [
        protect_all("www") + &protect_all("none") + &protect_all("@") + &protect_all("*.wild"),
        protect_all("s.test.") + "external = [\".\"]\n",
        "strict = true\n".into(),
        "[zone.limits]\nttl = { mode = \"enforce\", min = 2147483647, max = 2147483647 }\n".into(),
        "[zone.limits]\nttl = { mode = \"enforce\", min = 0, max = 0 }\nvalidate = \"off\"\n"
            .into(),
        "[zone.limits]\nscope = { mode = \"observe\" }\nmin_members = \"off\"\n".into(),
        "[[zone]]\nname = \"sub.s.test.\"\n".into(),
        "[[zone]]\nname = \"sub.s.test.\"\nfile = \"empty.zone\"\n".into(),
        "[[zone]]\nname = \"w.sub.s.test.\"\nfile = \"none.zone\"\n".into(),
        format!(
            "{}[[zone]]\nname = \"sub.s.test.\"\nfile = \"sub.zone\"\n",
            protect("w.sub", "\"A\"", 1)
        ),
        "[[zone]]\nname = \"test.\"\n[[zone]]\nname = \".\"\n".into(),
        "[[zone]]\nname = \"test.\"\nfile = \"empty.zone\"\n".into(),
    ];
    for policy in &policies {
        lab.write("lastgood.toml", &(config.clone() + policy));
        let ran = lab.cli(&["reload", "--weaker"]);
        assert_eq!(answers(&lab), good, "reloaded: {policy}\n{ran}");
        // Started with it, and with nothing but the snapshot left.
        lab.restart();
        assert_eq!(answers(&lab), good, "started: {policy}");
        assert_eq!(lab.state("s.test."), "live", "{policy}");
        lab.write("lastgood.toml", &config);
        lab.cli(&["reload", "--weaker"]);
        assert_eq!(answers(&lab), good, "as before: {policy}");
    }
    lab.write("lastgood.toml", &(config.clone() + &policies[0]));
    lab.stop();
    for name in ["demo.db", "demo.db-wal", "demo.db-shm"] {
        let file = lab.path("data").join(name);
        if file.exists() {
            fs::remove_file(file).expect("a file of the lab");
        }
    }
    lab.start();
    assert_eq!(answers(&lab), good, "from the snapshot");
    assert_eq!(lab.state("s.test."), "holding");
}
