//! The rule `ttl`.

use super::*;

fn record_for(ttl: u32, owner: &str, rtype: Rtype, data: &str) -> Record {
    Record {
        ttl,
        ..record(owner, rtype, data)
    }
}

fn image(records: &[Record]) -> ZoneImage {
    let apex = [
        record("example.com.", Rtype::SOA, "ns1. h. 1 3600 600 864000 300"),
        record("example.com.", Rtype::NS, "ns1.example.net."),
    ];
    ZoneImage::from_records(name("example.com."), apex.iter().chain(records).cloned()).unwrap()
}

fn walking(names: &[&str]) -> Counted {
    let walk: Vec<Name> = names.iter().map(|text| name(text)).collect();
    let count = |members| Count {
        members,
        walk: walk.clone(),
        ..Count::default()
    };
    counted(1, count(1), count(1))
}

/// The verdict of `ttl` on the way from one zone to another.
fn ttl_says(
    ttl: Ttls,
    path: Path,
    (before, after): (&[Record], &[Record]),
    counted: &[Counted],
) -> RuleVerdict {
    let (before, after) = (image(before), image(after));
    let diff = Diff::between(&before, &after);
    let permits = [permit(&["**"], &[], &[])];
    let facts = Facts {
        path,
        actor: &actor(),
        permits: &permits,
        source: None,
        scope: Mode::Enforce,
        freezes: &[],
        counted,
        findings: &[],
        validate: Mode::Enforce,
        ttl,
        override_: None,
    };
    let change = Change {
        operations: &[],
        diff: &diff,
    };
    let verdict = evaluate(&before, &change, &after, &facts);
    let is_ttl = |rule: &RuleVerdict| rule.rule == "ttl";
    verdict.rules.into_iter().find(is_ttl).unwrap()
}

const BOUNDS: Ttls = Ttls {
    mode: Mode::Enforce,
    min: 30,
    max: 3600,
};
const A: Rtype = Rtype::A;
const X: &str = "x.example.com.";
const API: &str = "api.example.com.";

#[test]
fn a_ttl_stays_between_its_bounds() {
    for (ttl, passed) in [
        (0, false),
        (29, false),
        (30, true),
        (3600, true),
        (3601, false),
    ] {
        let added = [record_for(ttl, X, A, "192.0.2.1")];
        let verdict = ttl_says(BOUNDS, Path::Update, (&[], &added), &[]);
        assert_eq!(verdict.passed, passed, "{ttl}: {}", verdict.text);
        if !passed {
            assert_eq!(
                verdict.text,
                format!("x.example.com. A would have the TTL {ttl}, which is not in 30 to 3600")
            );
        }
        // The TTL alone.
        let had = [record_for(60, X, A, "192.0.2.1")];
        let verdict = ttl_says(BOUNDS, Path::Update, (&had, &added), &[]);
        assert_eq!(verdict.passed, passed, "{ttl}: {}", verdict.text);
        // What stands is no fault of a change of its data, or of its end.
        let had = [record_for(ttl, X, A, "192.0.2.7")];
        for after in [&added[..], &[]] {
            assert!(ttl_says(BOUNDS, Path::Update, (&had, after), &[]).passed);
        }
    }
}

#[test]
fn other_data_at_a_protected_name_are_not_kept_for_longer_than_what_was_there() {
    let had = [
        record_for(60, API, A, "192.0.2.1"),
        record_for(60, "web.example.com.", A, "192.0.2.9"),
    ];
    let refused = |walk: &[&str], after: &[Record]| {
        !ttl_says(BOUNDS, Path::Update, (&had, after), &[walking(walk)]).passed
    };
    let with = |api: Record| [api, had[1].clone()];
    let (own, same, other) = (&[API][..], "192.0.2.1", "192.0.2.2");
    assert!(refused(own, &with(record_for(61, API, A, other))));
    assert!(!refused(own, &with(record_for(60, API, A, other))), "data");
    assert!(!refused(own, &with(record_for(30, API, A, other))), "lower");
    assert!(!refused(own, &with(record_for(900, API, A, same))), "TTL");
    assert!(
        !refused(&[X], &with(record_for(900, API, A, other))),
        "its own"
    );
    // An alias in its place, and what an alias leads to.
    let alias = record_for(300, API, Rtype::CNAME, "web.example.com.");
    assert!(refused(own, &with(alias)));
    assert!(refused(
        &["www.example.com.", API],
        &with(record_for(900, API, A, other))
    ));
    let verdict = ttl_says(
        BOUNDS,
        Path::Update,
        (&had, &with(record_for(61, API, A, other))),
        &[walking(own)],
    );
    assert_eq!(
        verdict.text,
        "api.example.com. A would have other data and the TTL 61, raised from 60"
    );
}

#[test]
fn a_dname_above_a_protected_name_counts_as_its_own() {
    let dname = |ttl, to| [record_for(ttl, "d.example.com.", Rtype::DNAME, to)];
    let (before, after) = (dname(60, "a.example.com."), dname(600, "b.example.com."));
    let walk = ["x.d.example.com.", "x.a.example.com."];
    let says = |walk: &[&str]| ttl_says(BOUNDS, Path::Update, (&before, &after), &[walking(walk)]);
    assert!(!says(&walk).passed);
    assert!(says(&[API]).passed);
}

#[test]
fn ttl_observes_on_the_command_line_and_leaves_edits_by_hand_alone() {
    let added = [record_for(0, X, A, "192.0.2.1")];
    for (path, mode, passed) in [
        (Path::Update, Mode::Enforce, false),
        (Path::Import, Mode::Observe, false),
        (Path::Cli, Mode::Observe, false),
        (Path::HandEdit, Mode::Off, true),
    ] {
        let verdict = ttl_says(BOUNDS, path, (&[], &added), &[]);
        assert_eq!((verdict.mode, verdict.passed), (mode, passed), "{path}");
    }
}

#[test]
fn unless_somebody_says_otherwise_a_ttl_beyond_a_week_is_observed() {
    for (ttl, passed) in [(0, true), (604_800, true), (604_801, false)] {
        let added = [record_for(ttl, X, A, "192.0.2.1")];
        let verdict = ttl_says(Ttls::default(), Path::Update, (&[], &added), &[]);
        assert_eq!(
            (verdict.mode, verdict.passed),
            (Mode::Observe, passed),
            "{ttl}"
        );
    }
}

#[test]
fn of_many_breaches_a_few_are_told_and_the_others_counted() {
    let owner = |number: u32| format!("n{number}.example.com.");
    let added: Vec<Record> = (0..12)
        .map(|number| record_for(number, &owner(number), A, "192.0.2.1"))
        .collect();
    let text = ttl_says(BOUNDS, Path::Update, (&[], &added), &[]).text;
    assert_eq!(text.matches("would have the TTL").count(), 5, "{text}");
    assert!(text.ends_with("; and 7 more"), "{text}");
}
