//! Ways past the guard that somebody might think of: none of them is one.

use crate::harness::attack::{lab_of, passes, protect, refused};
use crate::harness::eventually;
use crate::harness::lab::{self, Lab};

const OVERRIDE: [&str; 4] = ["--override", "min-members", "--reason", "moving"];

fn pool() -> Lab {
    lab_of(&[(
        "p.test.",
        "pool A 192.0.2.1\npool A 192.0.2.2\npool AAAA 2001:db8::1\npool AAAA 2001:db8::2\n\
         www CNAME pool\nspare A 192.0.2.9\nspare A 192.0.2.10\n",
        &(protect("pool", "\"A\", \"AAAA\"", 2) + &protect("www", "\"A\"", 2)),
    )])
}

#[test]
fn no_spelling_of_a_name_gets_past() {
    refused(
        &pool(),
        "p.test.",
        &[
            "update delete POOL.P.Test. A",
            "update delete \\112ool.p.test. A",
            "update delete p\\o\\o\\l.p.test. A",
            "update delete \\080\\079OL.p.test.",
            "update delete pool.p.test. TYPE1",
            "update delete pool.p.test. A \\# 4 C0000201",
        ],
    );
}

#[test]
fn members_are_counted_by_type_and_by_distinct_data() {
    refused(
        &pool(),
        "p.test.",
        &[
            // As many as before, of which one stood there already.
            "update delete pool.p.test. A\nupdate add pool.p.test. 30 A 192.0.2.1\n\
             update add pool.p.test. 60 A 192.0.2.1",
            // As many addresses, of the other family.
            "update delete pool.p.test. A\nupdate add pool.p.test. 60 AAAA 2001:db8::3\n\
             update add pool.p.test. 60 AAAA 2001:db8::4",
            "update delete pool.p.test. AAAA\nupdate add pool.p.test. 60 A 192.0.2.3",
            // The order within a message: what comes last counts.
            "update add pool.p.test. 60 A 192.0.2.3\nupdate delete pool.p.test. A",
            // What looks like an address of the right family.
            "update delete pool.p.test. AAAA\nupdate add pool.p.test. 60 AAAA ::ffff:192.0.2.1",
        ],
    );
}

#[test]
fn an_alias_to_nowhere_does_not_count_however_long_the_way() {
    let lab = pool();
    refused(
        &lab,
        "p.test.",
        &[
            "update delete pool.p.test.\nupdate add pool.p.test. 60 CNAME pool.p.test.",
            "update delete www.p.test.\nupdate add www.p.test. 60 CNAME www.p.test.",
            "update delete pool.p.test.\nupdate add pool.p.test. 60 CNAME www.p.test.",
            "update add www.p.test. 60 CNAME a.p.test.\nupdate add a.p.test. 60 CNAME www.p.test.",
            "update add www.p.test. 60 CNAME none.p.test.",
            "update add www.p.test. 60 CNAME x.elsewhere.test.",
        ],
    );
    // A chain that nobody follows to its end.
    let mut chain = "update add www.p.test. 60 CNAME c0.p.test.\n".to_owned();
    for number in 0..40 {
        let next = number + 1;
        chain += &format!("update add c{number}.p.test. 60 CNAME c{next}.p.test.\n");
    }
    chain += "update add c40.p.test. 60 A 192.0.2.1\nupdate add c40.p.test. 60 A 192.0.2.2";
    refused(&lab, "p.test.", &[&chain]);
    // And one that is followed.
    passes(
        &lab,
        "p.test.",
        &[
            "update add www.p.test. 60 CNAME one.p.test.\nupdate add one.p.test. 60 CNAME spare.p.test.",
        ],
    );
}

#[test]
fn a_dname_leads_protected_names_away_from_nowhere_it_stands() {
    let lab = lab_of(&[
        (
            "d.test.",
            "a.deep A 192.0.2.1\n",
            &protect("a.deep", "\"A\"", 1),
        ),
        ("e.test.", "a.deep A 192.0.2.2\n", ""),
    ]);
    refused(
        &lab,
        "d.test.",
        &[
            "update add d.test. 60 DNAME elsewhere.test.",
            "update add deep.d.test. 60 DNAME elsewhere.test.",
            "update add deep.d.test. 60 DNAME deep.d.test.",
            // Where it leads there is as much, but what is below a DNAME is an error.
            "update add d.test. 60 DNAME e.test.",
            "update delete a.deep.d.test.\nupdate add deep.d.test. 60 DNAME e.test.",
        ],
    );
    passes(
        &lab,
        "d.test.",
        &["update delete a.deep.d.test.\nupdate add deep.d.test. 60 DNAME deep.e.test."],
    );
    assert!(lab.dig("a.deep.d.test A").text.contains("deep.e.test."));
    refused(
        &lab,
        "e.test.",
        &[
            "update delete a.deep.e.test.",
            "update add deep.e.test. 60 NS ns.elsewhere.test.",
            "update add a.deep.e.test. 60 CNAME gone.e.test.\nupdate delete a.deep.e.test. A",
        ],
    );
}

#[test]
fn targets_outside_count_only_under_a_listed_suffix() {
    let lab = lab_of(&[(
        "x.test.",
        "www A 192.0.2.1\n",
        &(protect("www", "\"A\"", 1) + "external = [\"cdn.example.net.\"]\n"),
    )]);
    let to = |target: &str| {
        format!("update delete www.x.test. A\nupdate add www.x.test. 60 CNAME {target}")
    };
    for target in [
        "evilcdn.example.net.",
        "example.net.",
        "cdn.example.net.evil.test.",
        "cdn\\.example.net.",
        "net.",
        ".",
    ] {
        refused(&lab, "x.test.", &[&to(target)]);
    }
    passes(&lab, "x.test.", &[&to("a.b.CDN.Example.NET.")]);
    passes(&lab, "x.test.", &[&to("cdn.example.net.")]);
    refused(&lab, "x.test.", &[&to("elsewhere.test.")]);
    // No longer listed: what stands so may stay, and goes nowhere else.
    let config = lab.read("lastgood.toml");
    lab.write(
        "lastgood.toml",
        &config.replace("external = [\"cdn.example.net.\"]", ""),
    );
    lab.cli(&["reload"]).expect_ok();
    passes(&lab, "x.test.", &["update add other.x.test. 60 TXT x"]);
    refused(&lab, "x.test.", &[&to("a.cdn.example.net.")]);
    // A zone of ours takes over the name that the alias leads to, and has nothing there.
    lab.write("net.zone", &lab::apex("example.net."));
    let net = lab.path("net.zone").display().to_string();
    let ran = lab.cli(&["zone", "import", "example.net.", &net]);
    assert_eq!(ran.code, Some(1), "{ran}");
    assert!(
        ran.stderr.contains("www.x.test. A would go from 1"),
        "{ran}"
    );
    lab.write(
        "net.zone",
        &(lab::apex("example.net.") + "cdn A 192.0.2.7\n"),
    );
    lab.cli(&["zone", "import", "example.net.", &net])
        .expect_ok();
    refused(&lab, "example.net.", &["update delete cdn.example.net."]);
    // What would make it leave our zones again, to where it stood before.
    let ran = lab.cli(&["zone", "remove", "example.net."]);
    assert_eq!(ran.code, Some(1), "{ran}");
}

/// The names of a zone, hidden by one that is served below it.
#[test]
fn a_zone_below_hides_no_protected_name() {
    let lab = lab_of(&[(
        "up.test.",
        "api A 192.0.2.1\nw.sub A 192.0.2.2\nfar CNAME api\n",
        &(protect("api", "\"A\"", 1) + &protect("w.sub", "\"A\"", 1) + &protect("far", "\"A\"", 1)),
    )]);
    for below in ["api.up.test.", "sub.up.test.", "w.sub.up.test."] {
        lab.write("below.zone", &lab::apex(below));
        let file = lab.path("below.zone").display().to_string();
        let ran = lab.cli(&["zone", "import", below, &file]);
        assert_eq!(ran.code, Some(1), "{ran}");
        assert!(ran.stderr.contains("min-members"), "{ran}");
    }
    // With what it hides it may come, and from then on it is what is protected.
    lab.write(
        "below.zone",
        &(lab::apex("sub.up.test.") + "w A 192.0.2.3\n"),
    );
    let file = lab.path("below.zone").display().to_string();
    lab.cli(&["zone", "import", "sub.up.test.", &file])
        .expect_ok();
    assert_eq!(lab.data("w.sub.up.test A"), ["192.0.2.3"]);
    refused(&lab, "sub.up.test.", &["update delete w.sub.up.test."]);
    // What the zone above has there is behind it.
    passes(&lab, "up.test.", &["update delete w.sub.up.test."]);
    let ran = lab.cli(&["zone", "remove", "sub.up.test."]);
    assert_eq!(ran.code, Some(1), "{ran}");
    let words = [&["zone", "remove", "sub.up.test."], &OVERRIDE[..]].concat();
    lab.cli(&words).expect_ok();
    assert_eq!(lab.dig("w.sub.up.test A").status, "NXDOMAIN");
}

/// A stanza for a zone that has no data took its names off the air, whatever the zone above had
/// there; and as they were gone, a file that lacked them was let in.
#[test]
fn a_stanza_without_data_hides_nothing_and_its_file_is_judged_by_what_it_would_hide() {
    let mut lab = lab_of(&[(
        "up.test.",
        "api A 192.0.2.1\nw.sub A 192.0.2.2\n*.wild A 192.0.2.3\nmoved CNAME api\n",
        &protect("w.sub", "\"A\"", 1),
    )]);
    let config = lab.read("lastgood.toml");
    let stanza = |name: &str, file: &str| format!("[[zone]]\nname = \"{name}.up.test.\"\n{file}\n");
    lab.write(
        "poor.zone",
        &(lab::apex("sub.up.test.") + "other A 192.0.2.9\n"),
    );
    lab.write("broken.zone", "@ SOA is not one\n");
    let stanzas = [
        stanza("api", ""),
        stanza("sub", "file = \"poor.zone\""),
        stanza("moved", "file = \"broken.zone\""),
        stanza("new.wild", ""),
        stanza("nothing.here", ""),
    ];
    lab.write("lastgood.toml", &(config.clone() + &stanzas.concat()));
    let check = |lab: &Lab| {
        assert_eq!(lab.data("api.up.test A"), ["192.0.2.1"]);
        assert_eq!(lab.data("w.sub.up.test A"), ["192.0.2.2"]);
        assert_eq!(lab.data("new.wild.up.test A"), ["192.0.2.3"]);
        assert_eq!(lab.data("x.new.wild.up.test A"), ["192.0.2.3"]);
        assert_eq!(lab.data("moved.up.test A"), ["192.0.2.1", "api.up.test."]);
        // Nobody has anything there: whoever asks is told to come back.
        assert_eq!(lab.dig("nothing.here.up.test A").status, "SERVFAIL");
        let findings = lab.status("up.test.")["findings"].to_string();
        assert!(
            findings.contains("sub.up.test. has no data yet, so that up.test. goes on"),
            "{findings}"
        );
        refused(lab, "up.test.", &["update delete w.sub.up.test."]);
    };
    let ran = lab.cli(&["reload"]);
    assert!(
        ran.both()
            .contains("w.sub.up.test. A would go from 1 member to 0"),
        "{ran}"
    );
    check(&lab);
    // The same at a start.
    lab.restart();
    check(&lab);
    // A better file comes in at the next reload.
    lab.write(
        "poor.zone",
        &(lab::apex("sub.up.test.") + "w A 192.0.2.8\n"),
    );
    lab.cli(&["reload"]);
    assert_eq!(lab.data("w.sub.up.test A"), ["192.0.2.8"]);
    assert_eq!(lab.data("api.up.test A"), ["192.0.2.1"]);
    refused(&lab, "sub.up.test.", &["update delete w.sub.up.test."]);
    let findings = lab.status("up.test.")["findings"].to_string();
    assert!(!findings.contains("sub.up.test."), "{findings}");
}

#[test]
fn the_name_servers_of_a_delegation_can_be_protected() {
    let lab = lab_of(&[(
        "reg.test.",
        "child NS ns1.host.invalid.\nchild NS ns2.host.invalid.\n",
        &protect("child", "\"NS\"", 2),
    )]);
    refused(
        &lab,
        "reg.test.",
        &[
            "update delete child.reg.test.",
            "update delete child.reg.test. NS",
            "update delete child.reg.test. NS ns1.host.invalid.",
        ],
    );
    passes(
        &lab,
        "reg.test.",
        &[
            "update delete child.reg.test. NS\nupdate add child.reg.test. 60 NS a.other.invalid.\n\
           update add child.reg.test. 60 NS b.other.invalid.",
        ],
    );
}

#[test]
fn one_edit_by_hand_in_two_zones_is_judged_by_where_it_ends() {
    let lab = lab_of(&[
        (
            "front.test.",
            "www CNAME old.back.test.\n",
            &protect("www", "\"A\"", 1),
        ),
        ("back.test.", "old A 192.0.2.1\n", ""),
    ]);
    // Repointed, to what the zone that is judged after it has only now.
    lab.sql(
        "BEGIN; UPDATE record SET rdata = 'new.back.test.' WHERE type = 'CNAME';
         INSERT INTO record (zone, owner, ttl, type, rdata)
         VALUES ('back.test.', 'new.back.test.', 60, 'A', '192.0.2.2'); COMMIT;",
    );
    eventually("it is taken in", || {
        match lab.dig("www.front.test CNAME").data() {
            data if data == ["new.back.test."] => Ok(()),
            data => Err(format!("{data:?}")),
        }
    });
    assert_eq!(lab.data("new.back.test A"), ["192.0.2.2"]);

    // In one transaction each takes away what the other still needs.
    lab.sql(
        "BEGIN; UPDATE record SET rdata = 'newer.back.test.' WHERE type = 'CNAME';
         UPDATE record SET owner = 'newer.back.test.' WHERE owner = 'new.back.test.'; COMMIT;",
    );
    eventually("it is taken in", || {
        match lab.dig("www.front.test CNAME").data() {
            data if data == ["newer.back.test."] => Ok(()),
            data => Err(format!("{data:?}")),
        }
    });
    // What it does not lead to any more may go, what it leads to may not.
    lab.sql("DELETE FROM record WHERE owner = 'old.back.test.'");
    eventually("it is taken in", || {
        match lab.dig("old.back.test A").status {
            status if status == "NXDOMAIN" => Ok(()),
            status => Err(status),
        }
    });
    lab.sql("DELETE FROM record WHERE owner = 'newer.back.test.'");
    lab.until("back.test.", "holding");
    assert_eq!(lab.data("newer.back.test A"), ["192.0.2.2"]);
}

#[test]
fn a_message_of_ten_thousand_deletions_is_one_change() {
    let lab = lab_of(&[(
        "big.test.",
        &(0..2000)
            .map(|n| format!("m A 10.0.{}.{}\n", n / 250, n % 250))
            .take(900)
            .collect::<String>(),
        &protect("m", "\"A\"", 3),
    )]);
    let all = |keep: usize| {
        (keep..900)
            .map(|n| format!("update delete m.big.test. A 10.0.{}.{}\n", n / 250, n % 250))
            .collect::<String>()
    };
    refused(&lab, "big.test.", &[&all(2), &all(0)]);
    passes(&lab, "big.test.", &[&all(3)]);
    assert_eq!(lab.dig("m.big.test A +tcp").data().len(), 3);
}

#[test]
fn what_rfc_2136_ignores_helps_nobody() {
    let lab = pool();
    let before = lab.cli(&["zone", "export", "p.test."]).expect_ok();
    passes(
        &lab,
        "p.test.",
        &[
            // Beside data no alias can stand, beside an alias no data.
            "update add pool.p.test. 60 CNAME none.p.test.",
            "update add www.p.test. 60 A 198.51.100.1",
            // The apex keeps its SOA and its last NS, a SOA does not go back.
            "update delete p.test. SOA",
            "update delete p.test. NS",
            "update delete p.test.",
            "update add p.test. 60 SOA other.invalid. h.invalid. 1 1 1 1 1",
            "update add www.p.test. 60 SOA other.invalid. h.invalid. 9 1 1 1 1",
            // What is not there.
            "update delete pool.p.test. A 198.51.100.1",
            "update delete none.p.test.",
        ],
    );
    assert_eq!(lab.cli(&["zone", "export", "p.test."]).expect_ok(), before);
    refused(
        &lab,
        "p.test.",
        &["update delete p.test. NS ns1.invalid.\nupdate delete p.test. NS ns2.invalid."],
    );
}

/// As a resolver would find it through a delegation to elsewhere, which gives no members.
#[test]
fn names_below_a_cut_have_no_members_and_glue_is_none() {
    let lab = lab_of(&[(
        "cut.test.",
        "host A 192.0.2.1\n",
        &protect("host", "\"A\"", 1),
    )]);
    refused(
        &lab,
        "cut.test.",
        &[
            "update add host.cut.test. 60 NS host.cut.test.",
            "update add host.cut.test. 60 NS ns.elsewhere.test.",
        ],
    );
}

/// A stanza for the zone that an alias leads to made its end one that cannot be served, so that the
/// alias counted for nothing, and whatever came next was no worse.
#[test]
fn a_stanza_for_the_target_of_an_alias_does_not_make_it_worth_nothing() {
    let mut lab = lab_of(&[(
        "al.test.",
        "www CNAME x.target.test.\n",
        &protect("www", "\"A\"", 1),
    )]);
    let config = lab.read("lastgood.toml");
    let stanza = "[[zone]]\nname = \"target.test.\"\nfile = \"target.zone\"\n";
    lab.write("lastgood.toml", &(config + stanza));
    lab.write("target.zone", &lab::apex("target.test."));
    let check = |lab: &Lab, when: &str| {
        refused(
            lab,
            "al.test.",
            &[
                "update delete www.al.test.",
                "update add www.al.test. 60 CNAME none.al.test.",
            ],
        );
        assert_eq!(lab.dig("x.target.test A").status, "REFUSED", "{when}");
        let findings = lab.status("al.test.")["findings"].to_string();
        assert!(
            findings.contains("target.test. has no data yet, and protected names of al.test."),
            "{when}: {findings}"
        );
    };
    let said = lab.cli(&["reload"]).both();
    assert!(
        said.contains("www.al.test. A would go from 1 member to 0"),
        "{said}"
    );
    check(&lab, "reloaded");
    lab.restart();
    check(&lab, "started");
    lab.write(
        "target.zone",
        &(lab::apex("target.test.") + "x A 192.0.2.7\n"),
    );
    lab.cli(&["reload"]).expect_ok();
    assert_eq!(lab.data("x.target.test A"), ["192.0.2.7"]);
    refused(&lab, "target.test.", &["update delete x.target.test."]);
}

/// The zone of the target is ours and its data are lost: the alias may be led to what is there, and
/// is not thrown away meanwhile.
#[test]
fn an_alias_into_a_zone_without_data_may_be_mended_and_not_deleted() {
    let stanza = |name: &str, rest: &str| format!("[[zone]]\nname = \"{name}\"\n{rest}\n");
    let config = lab::head()
        + &stanza(
            "al.test.",
            &("file = \"al.zone\"\n".to_owned() + &protect("www", "\"A\"", 2)),
        )
        + &stanza("target.test.", "");
    let zone = lab::apex("al.test.") + "www CNAME x.target.test.\none A 192.0.2.1\n";
    let lab = Lab::of(&config, &[("al.zone", &zone)]);
    assert_eq!(lab.state("target.test."), "unavailable");
    refused(
        &lab,
        "al.test.",
        &[
            "update delete www.al.test.",
            "update add www.al.test. 60 CNAME y.target.test.",
        ],
    );
    let file = lab.path("target.zone").display().to_string();
    lab.write("target.zone", &lab::apex("target.test."));
    passes(
        &lab,
        "al.test.",
        &["update add www.al.test. 60 CNAME one.al.test."],
    );
    // Whatever comes is more than nothing.
    lab.cli(&["zone", "import", "target.test.", &file])
        .expect_ok();
}

#[test]
fn a_zone_whose_names_are_listed_as_outside_is_not_removed_for_that() {
    let lab = lab_of(&[(
        "out.test.",
        "www A 192.0.2.1\n",
        &(protect("www", "\"A\"", 1) + "external = [\"out.test.\", \".\"]\n"),
    )]);
    let ran = lab.cli(&["zone", "remove", "out.test."]);
    assert_eq!(ran.code, Some(1), "{ran}");
    assert_eq!(lab.data("www.out.test A"), ["192.0.2.1"]);
    // Once it is gone there is nothing to lose, and a poorer one may come.
    let words = [&["zone", "remove", "out.test."], &OVERRIDE[..]].concat();
    lab.cli(&words).expect_ok();
    lab.write("poor.zone", &lab::apex("out.test."));
    let file = lab.path("poor.zone").display().to_string();
    lab.cli(&["zone", "import", "out.test.", &file]).expect_ok();
}
