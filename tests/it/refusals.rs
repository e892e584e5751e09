//! What the guards do not let in: the ways an outage has been written, and that nothing changed.

use crate::harness::attack::{lab_of, passes, protect, refused};
use crate::harness::lab::Lab;

#[test]
fn a_protected_name_cannot_be_emptied_whichever_way_it_is_written() {
    let lab = Lab::demo();
    refused(
        &lab,
        "example.com.",
        &[
            "update delete api.example.com. A",
            "update delete api.example.com. A 192.0.2.10",
            "update delete api.example.com. AAAA",
            "update delete api.example.com.",
            "update delete api.example.com. A 192.0.2.10\nupdate delete api.example.com. A 192.0.2.11",
            // To an alias that leads nowhere, to too few, or out of our zones.
            "update delete api.example.com.\nupdate add api.example.com. 60 CNAME gone.example.com.",
            "update delete api.example.com.\nupdate add api.example.com. 60 CNAME mail.example.com.",
            "update delete api.example.com.\nupdate add api.example.com. 60 CNAME a.example.net.",
            "update delete api.example.com.\nupdate add api.example.com. 60 CNAME api.example.com.",
            // Replaced by fewer.
            "update delete api.example.com. A\nupdate add api.example.com. 60 A 192.0.2.20",
            // Put under a name server of somebody else.
            "update add api.example.com. 60 NS ns.example.net.",
        ],
    );
    assert_eq!(lab.data("api.example.com A"), ["192.0.2.10", "192.0.2.11"]);
}

#[test]
fn what_an_alias_leads_to_is_protected_with_it() {
    let lab = Lab::demo();
    refused(
        &lab,
        "example.com.",
        &[
            "update delete web.example.com.",
            "update delete web.example.com. A",
            "update delete web.example.com. A 192.0.2.80",
            "update delete www.example.com. CNAME",
            "update delete www.example.com.",
            "update delete web.example.com.\nupdate add web.example.com. 60 CNAME gone.example.com.",
            "update delete www.example.com.\nupdate add www.example.com. 60 CNAME other.example.net.",
            "update add web.example.com. 60 NS ns.example.net.",
        ],
    );
    passes(
        &lab,
        "example.com.",
        &[
            "update delete web.example.com. A\nupdate add web.example.com. 60 A 192.0.2.81",
            "update delete www.example.com.\nupdate add www.example.com. 60 CNAME mail.example.com.",
            // Outside our zones, and listed.
            "update delete www.example.com.\nupdate add www.example.com. 60 CNAME x.cdn.example.net.",
            // Nobody needs it any longer.
            "update delete web.example.com.",
        ],
    );
}

#[test]
fn record_by_record_ends_at_the_minimum() {
    let lab = Lab::demo();
    passes(
        &lab,
        "example.com.",
        &["update delete example.com. MX 20 mail2.example.com."],
    );
    refused(
        &lab,
        "example.com.",
        &[
            "update delete example.com. MX 10 mail.example.com.",
            "update delete example.com. MX",
        ],
    );
    passes(
        &lab,
        "example.com.",
        &["update delete example.com. MX\nupdate add example.com. 60 MX 5 mail2.example.com."],
    );
}

#[test]
fn the_amazon_outage_of_october_2025_stops_at_the_clean_up() {
    // Encoding (b): the endpoint is an alias to the plan, the clean-up deletes the old plan, which a
    // delayed enactor has just put back.
    let lab = lab_of(&[(
        "aws.test.",
        "endpoint CNAME plan-1\nplan-1 A 192.0.2.1\nplan-1 A 192.0.2.2\n",
        &protect("endpoint", "\"A\"", 1),
    )]);
    passes(
        &lab,
        "aws.test.",
        &[
            "update add plan-9.aws.test. 60 A 192.0.2.91
             update add plan-9.aws.test. 60 A 192.0.2.92
             update delete endpoint.aws.test.
             update add endpoint.aws.test. 5 CNAME plan-9.aws.test.",
            "update delete endpoint.aws.test.\nupdate add endpoint.aws.test. 5 CNAME plan-1.aws.test.",
        ],
    );
    refused(&lab, "aws.test.", &["update delete plan-1.aws.test."]);
    assert_eq!(lab.data("endpoint.aws.test A").len(), 3, "degraded, and up");
}

#[test]
fn a_delegation_put_over_a_deeper_protected_name_is_refused() {
    let lab = lab_of(&[(
        "deep.test.",
        "a.b.c A 192.0.2.1\nother.c A 192.0.2.2\n",
        &protect("a.b.c", "\"A\"", 1),
    )]);
    refused(
        &lab,
        "deep.test.",
        &[
            "update add c.deep.test. 60 NS ns.example.net.",
            "update add b.c.deep.test. 60 NS ns.example.net.",
            "update add a.b.c.deep.test. 60 NS ns.example.net.",
            "update add c.deep.test. 60 DNAME elsewhere.example.net.",
        ],
    );
    passes(
        &lab,
        "deep.test.",
        &["update add other.c.deep.test. 60 A 192.0.2.3"],
    );
}

#[test]
fn a_name_that_lives_by_a_wildcard_is_not_hidden() {
    let lab = lab_of(&[(
        "wild.test.",
        "*.big A 192.0.2.1\n",
        &protect("customer.big", "\"A\"", 1),
    )]);
    refused(
        &lab,
        "wild.test.",
        &[
            "update delete *.big.wild.test. A",
            "update add customer.big.wild.test. 60 TXT hides",
            // An empty non-terminal hides as well.
            "update add below.customer.big.wild.test. 60 TXT hides",
        ],
    );
    passes(
        &lab,
        "wild.test.",
        &[
            "update add neighbour.big.wild.test. 60 TXT harmless",
            "update add customer.big.wild.test. 60 A 192.0.2.2",
            "update delete *.big.wild.test. A",
        ],
    );
}

#[test]
fn an_alias_into_another_zone_protects_there_too() {
    let lab = lab_of(&[
        (
            "front.test.",
            "shop CNAME pool.back.test.\n",
            &protect("shop", "\"A\", \"AAAA\"", 2),
        ),
        (
            "back.test.",
            "pool CNAME one.pool\none.pool A 192.0.2.1\none.pool A 192.0.2.2\none.pool AAAA 2001:db8::1\n\
             one.pool AAAA 2001:db8::2\nspare A 192.0.2.9\n",
            "",
        ),
    ]);
    refused(
        &lab,
        "back.test.",
        &[
            "update delete one.pool.back.test. A",
            "update delete one.pool.back.test. A 192.0.2.1",
            "update delete one.pool.back.test.",
            "update delete pool.back.test.",
            "update delete pool.back.test.\nupdate add pool.back.test. 60 CNAME spare.back.test.",
            "update add one.pool.back.test. 60 NS ns.example.net.",
        ],
    );
    refused(
        &lab,
        "front.test.",
        &["update delete shop.front.test. CNAME"],
    );
    passes(
        &lab,
        "back.test.",
        &[
            "update delete spare.back.test.",
            "update delete one.pool.back.test. A\nupdate add one.pool.back.test. 60 A 192.0.2.3\n\
             update add one.pool.back.test. 60 A 192.0.2.4",
        ],
    );
}

#[test]
fn the_apex_keeps_its_name_servers() {
    let lab = Lab::demo();
    refused(
        &lab,
        "example.com.",
        &["update delete example.com. NS ns2.example.com."],
    );
    passes(
        &lab,
        "example.com.",
        &["update add ns3.example.com. 60 A 192.0.2.54
             update add example.com. 3600 NS ns3.example.com.
             update delete example.com. NS ns2.example.com."],
    );
    // RFC 2136 §3.4.2.3: deleting all of them is ignored, not refused.
    let before = lab.data("example.com NS");
    passes(&lab, "example.com.", &["update delete example.com. NS"]);
    assert_eq!(lab.data("example.com NS"), before);
}

#[test]
fn what_is_below_its_minimum_may_grow_and_not_shrink() {
    let lab = lab_of(&[(
        "few.test.",
        "pool A 192.0.2.1\npool A 192.0.2.2\nother A 192.0.2.9\n",
        &protect("pool", "\"A\"", 4),
    )]);
    refused(
        &lab,
        "few.test.",
        &["update delete pool.few.test. A 192.0.2.1"],
    );
    passes(
        &lab,
        "few.test.",
        &[
            "update delete other.few.test.",
            "update add pool.few.test. 60 A 192.0.2.3",
            "update delete pool.few.test. A 192.0.2.1\nupdate add pool.few.test. 60 A 192.0.2.4",
        ],
    );
}

#[test]
fn an_update_may_not_add_an_error_to_the_zone() {
    let lab = Lab::demo();
    refused(
        &lab,
        "example.com.",
        &[
            // The mail goes to an alias.
            "update add example.com. 60 MX 5 www.example.com.",
            // Glue that is not there.
            "update add branch.example.com. 60 NS ns.branch.example.com.",
            // A circle of two.
            "update add ping.example.com. 60 CNAME pong.example.com.\n\
             update add pong.example.com. 60 CNAME ping.example.com.",
            // The address of a name server of ours.
            "update delete ns1.example.com.",
        ],
    );
    passes(
        &lab,
        "example.com.",
        &[
            "update add branch.example.com. 60 NS ns.branch.example.com.\n\
           update add ns.branch.example.com. 60 A 203.0.113.1",
        ],
    );
}

#[test]
fn an_error_that_a_zone_already_had_blocks_nothing_else() {
    let lab = lab_of(&[(
        "old.test.",
        "@ MX 10 alias\nalias CNAME host\nhost A 192.0.2.1\n",
        "",
    )]);
    passes(
        &lab,
        "old.test.",
        &["update add new.old.test. 60 A 192.0.2.2"],
    );
    refused(
        &lab,
        "old.test.",
        &[
            "update add old.test. 60 MX 20 alias.old.test.\nupdate add x.old.test. 60 MX 1 alias.old.test.",
        ],
    );
}

#[test]
fn a_frozen_zone_takes_nothing_until_it_thaws() {
    let lab = Lab::demo();
    let add = "zone example.com\nupdate add frost.example.com. 60 A 192.0.2.1";
    lab.cli(&[
        "freeze",
        "--zone",
        "example.com.",
        "--reason",
        "deployment under way",
    ])
    .expect_ok();
    assert_eq!(lab.update(add), "REFUSED");
    assert_eq!(lab.dig("frost.example.com A").status, "NXDOMAIN");
    let reverse =
        "zone 2.0.192.in-addr.arpa\nupdate add 7.2.0.192.in-addr.arpa. 60 PTR x.example.com.";
    assert_eq!(
        lab.update(reverse),
        "NOERROR",
        "the other zone is not frozen"
    );
    assert!(
        lab.cli(&["status"])
            .expect_ok()
            .contains("deployment under way")
    );
    lab.cli(&["thaw", "--zone", "example.com."]).expect_ok();
    assert_eq!(lab.update(add), "NOERROR");
}

#[test]
fn a_freeze_of_a_key_or_of_the_server_outlives_a_restart() {
    let mut lab = Lab::demo();
    let add = "zone example.com\nupdate add frost.example.com. 60 A 192.0.2.1";
    for words in [&["--key", "demo."][..], &[]] {
        lab.cli(&[&["freeze"], words, &["--reason", "night"]].concat())
            .expect_ok();
        assert_eq!(lab.update(add), "REFUSED", "{words:?}");
        lab.restart();
        assert_eq!(lab.update(add), "REFUSED", "{words:?}");
        lab.cli(&[&["thaw"], words].concat()).expect_ok();
        assert_eq!(lab.update(add), "NOERROR", "{words:?}");
    }
}
