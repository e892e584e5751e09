use std::net::IpAddr;

use super::*;
use crate::rr::{Name, Record, Rtype, rdata};
use crate::zone::{Diff, Operation};

mod aliases;
mod crowds;
mod ranges;
mod rights;
mod services;
mod ttls;

/// A rule that errs, for tests of what becomes of such a change: it panics where this owner stands.
pub(crate) const FAULTY: &str = "a-rule-errs-here";

pub(super) fn err(after: &ZoneImage) {
    let owner = after.origin().child(FAULTY.as_bytes()).unwrap();
    assert!(after.node(&owner).is_none(), "a rule that errs, on purpose");
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn record(owner: &str, rtype: Rtype, data: &str) -> Record {
    Record {
        owner: name(owner),
        rtype,
        ttl: 60,
        rdata: rdata::from_text(rtype, data).unwrap(),
    }
}

fn zone() -> ZoneImage {
    ZoneImage::from_records(
        name("example.com."),
        [
            record("example.com.", Rtype::SOA, "ns1. h. 1 3600 600 864000 300"),
            record("example.com.", Rtype::NS, "ns1.example.net."),
            record("example.com.", Rtype::TXT, "\"v=spf1 -all\""),
            record("api.example.com.", Rtype::A, "192.0.2.1"),
            record("api.example.com.", Rtype::A, "192.0.2.2"),
            record("mail.example.com.", Rtype::A, "192.0.2.9"),
            record("mail.example.com.", Rtype::TXT, "\"x\""),
            record("shop.example.com.", Rtype::CNAME, "www.example.com."),
        ],
    )
    .unwrap()
}

fn permit(names: &[&str], types: &[Rtype], ranges: &[&str]) -> Permit {
    Permit {
        zone: Some(name("example.com.")),
        names: names.iter().map(|text| text.parse().unwrap()).collect(),
        types: types.to_vec(),
        rdata: ranges.iter().map(|text| text.parse().unwrap()).collect(),
        operations: Vec::new(),
        from: Vec::new(),
    }
}

fn actor() -> Actor {
    Actor {
        name: "key enactor-a.".into(),
        key: Some(name("enactor-a.")),
    }
}

struct Case {
    path: Path,
    permits: Vec<Permit>,
    freezes: Vec<Freeze>,
    counted: Vec<Counted>,
    findings: Vec<NewFinding>,
    validate: Mode,
    scope: Mode,
    source: Option<IpAddr>,
    override_: Option<Override>,
    operations: Vec<Operation>,
}

impl Default for Case {
    fn default() -> Self {
        Case {
            path: Path::Update,
            permits: vec![permit(&["**"], &[], &[])],
            freezes: Vec::new(),
            counted: Vec::new(),
            findings: Vec::new(),
            validate: Mode::Enforce,
            scope: Mode::Enforce,
            source: Some(IpAddr::from([192, 0, 2, 1])),
            override_: None,
            operations: Vec::new(),
        }
    }
}

impl Case {
    fn judge(&self) -> Verdict {
        let zone = zone();
        let facts = Facts {
            path: self.path,
            actor: &actor(),
            permits: &self.permits,
            source: self.source,
            scope: self.scope,
            freezes: &self.freezes,
            counted: &self.counted,
            findings: &self.findings,
            validate: self.validate,
            ttl: Ttls::default(),
            override_: self.override_.as_ref(),
        };
        let change = Change {
            operations: &self.operations,
            diff: &Diff::default(),
        };
        evaluate(&zone, &change, &zone, &facts)
    }

    fn refused_by(&self) -> Option<&'static str> {
        self.judge().refusal.map(|refusal| refusal.rule)
    }

    fn reason(&self) -> String {
        self.judge().refusal.expect("it is refused").reason
    }
}

fn scope_allows(permits: &[Permit], operation: Operation) -> bool {
    Case {
        permits: permits.to_vec(),
        operations: vec![operation],
        ..Case::default()
    }
    .refused_by()
    .is_none()
}

fn count(members: usize) -> Count {
    Count {
        members,
        end: "data".into(),
        ..Count::default()
    }
}

fn outside(target: &str) -> Count {
    Count {
        via_outside: Some(name(target)),
        end: "outside our zones".into(),
        ..Count::default()
    }
}

fn counted(minimum: usize, before: Count, after: Count) -> Counted {
    Counted {
        protection_name: name("api.example.com."),
        rtype: Rtype::A,
        minimum,
        mode: Mode::Enforce,
        external: vec![name("cdn.example.net.")],
        before,
        after,
    }
}

fn min_members_refuses(minimum: usize, before: Count, after: Count) -> bool {
    Case {
        counted: vec![counted(minimum, before, after)],
        ..Case::default()
    }
    .refused_by()
        == Some("min-members")
}

#[test]
fn a_key_without_permits_may_do_nothing() {
    let add = Operation::Add(record("api.example.com.", Rtype::A, "192.0.2.3"));
    assert!(!scope_allows(&[], add.clone()));
    let mut elsewhere = permit(&["**"], &[], &[]);
    elsewhere.zone = Some(name("example.org."));
    assert!(!may_touch(
        &[elsewhere.clone()],
        &name("example.com."),
        None
    ));
    assert!(!scope_allows(&[elsewhere.clone()], add.clone()));
    elsewhere.zone = None;
    assert!(may_touch(&[elsewhere.clone()], &name("example.com."), None));
    assert!(scope_allows(&[elsewhere], add));
    let nothing = permit(&[], &[], &[]);
    assert!(!may_touch(&[nothing], &name("example.com."), None));
}

#[test]
fn owner_patterns_are_relative_to_the_zone() {
    let origin = name("example.com.");
    for (pattern, inside, outside) in [
        ("@", vec!["example.com."], vec!["api.example.com."]),
        (
            "api",
            vec!["API.example.com."],
            vec!["x.api.example.com.", "api.example.org."],
        ),
        (
            "_gen.api",
            vec!["_gen.api.example.com."],
            vec!["api.example.com."],
        ),
        (
            "*.dyn",
            vec![
                "a.dyn.example.com.",
                "a.b.dyn.example.com.",
                "*.dyn.example.com.",
            ],
            vec!["dyn.example.com.", "adyn.example.com."],
        ),
        (
            "*",
            vec!["a.example.com.", "a.b.example.com."],
            vec!["example.com."],
        ),
        (
            "**",
            vec!["example.com.", "a.b.example.com."],
            vec!["example.org."],
        ),
    ] {
        let parsed: OwnerPattern = pattern.parse().unwrap();
        assert_eq!(parsed.to_string(), pattern);
        for owner in inside {
            assert!(
                parsed.matches(&name(owner), &origin),
                "{owner} is in {pattern}"
            );
        }
        for owner in outside {
            assert!(
                !parsed.matches(&name(owner), &origin),
                "{owner} is not in {pattern}"
            );
        }
    }
    for bad in ["", "api.example.com.", "a..b", "*."] {
        assert!(bad.parse::<OwnerPattern>().is_err(), "{bad:?}");
    }
}

#[test]
fn deleting_a_name_needs_the_right_to_every_rrset_on_it() {
    let delete = |owner: &str| Operation::DeleteName { owner: name(owner) };
    let addresses = [permit(&["mail", "api", "@"], &[Rtype::A], &[])];
    assert!(scope_allows(&addresses, delete("api.example.com.")));
    assert!(!scope_allows(&addresses, delete("mail.example.com.")));
    assert!(
        !scope_allows(&addresses, delete("example.com.")),
        "the apex has TXT"
    );
    let text = [permit(&["mail", "@"], &[Rtype::TXT], &[])];
    assert!(
        scope_allows(&text, delete("example.com.")),
        "SOA and NS stay anyway"
    );
    assert!(
        !scope_allows(&text, delete("absent.example.com.")),
        "no oracle"
    );
    let both = [addresses[0].clone(), text[0].clone()];
    assert!(scope_allows(&both, delete("mail.example.com.")));
    let refused = Case {
        permits: addresses.to_vec(),
        operations: vec![delete("mail.example.com.")],
        ..Case::default()
    };
    assert_eq!(
        refused.reason(),
        "key enactor-a. may not delete mail.example.com., which would remove its TXT RRset \
         (1 of 1 operations are not allowed)"
    );
    assert_eq!(
        refused.judge().refusal.unwrap().accepted,
        "in example.com.: names mail, api, @ with types A"
    );
}

#[test]
fn scope_judges_updates_alone() {
    let mut case = Case {
        permits: Vec::new(),
        operations: vec![Operation::DeleteName {
            owner: name("api.example.com."),
        }],
        ..Case::default()
    };
    assert_eq!(case.refused_by(), Some("scope"));
    for path in [Path::Cli, Path::Import, Path::HandEdit] {
        case.path = path;
        assert_eq!(case.refused_by(), None);
    }
}

#[test]
fn a_protected_name_does_not_fall_below_its_minimum() {
    assert!(min_members_refuses(1, count(2), count(0)));
    assert!(min_members_refuses(2, count(3), count(1)));
    assert!(!min_members_refuses(2, count(3), count(2)));
    let case = Case {
        counted: vec![counted(1, count(2), count(0))],
        ..Case::default()
    };
    let refusal = case.judge().refusal.unwrap();
    assert_eq!(
        refusal.reason,
        "api.example.com. A would go from 2 members to 0; at least 1 must stay"
    );
    assert_eq!(
        refusal.accepted,
        "replace the addresses in one message, or keep at least 1"
    );
    // There are no messages in sqlite3 and in a zone file.
    for path in [Path::HandEdit, Path::Import, Path::Cli] {
        let accepted = Case {
            path,
            counted: vec![counted(1, count(2), count(0))],
            ..Case::default()
        };
        let accepted = accepted.judge().refusal.unwrap().accepted;
        assert!(!accepted.contains("message"), "{path}: {accepted}");
    }
}

#[test]
fn what_is_below_its_minimum_already_may_stay_or_rise() {
    assert!(!min_members_refuses(3, count(1), count(1)));
    assert!(!min_members_refuses(3, count(1), count(2)));
    assert!(!min_members_refuses(3, count(0), count(0)));
    assert!(min_members_refuses(3, count(2), count(1)));
}

#[test]
fn an_alias_out_of_our_zones_counts_when_listed_or_when_it_stood_so() {
    assert!(!min_members_refuses(
        2,
        count(2),
        outside("x.cdn.example.net.")
    ));
    assert!(min_members_refuses(2, count(2), outside("cdn.elsewhere.")));
    assert!(!min_members_refuses(
        2,
        outside("old.elsewhere."),
        outside("OLD.elsewhere.")
    ));
    assert!(min_members_refuses(
        2,
        outside("old.elsewhere."),
        outside("new.elsewhere.")
    ));
    assert!(min_members_refuses(2, outside("old.elsewhere."), count(1)));
    assert!(
        !min_members_refuses(2, count(0), outside("cdn.elsewhere.")),
        "no worse"
    );
    let case = Case {
        counted: vec![counted(1, count(2), outside("cdn.elsewhere."))],
        ..Case::default()
    };
    assert!(
        case.reason()
            .contains("an alias leads to cdn.elsewhere., outside our zones")
    );
}

#[test]
fn the_way_to_a_lost_member_is_told() {
    let after = Count {
        end: "NXDOMAIN".into(),
        walk: vec![name("api.example.com."), name("plan-7.example.com.")],
        ..Count::default()
    };
    let case = Case {
        counted: vec![counted(1, count(2), after)],
        ..Case::default()
    };
    assert_eq!(
        case.reason(),
        "api.example.com. A would go from 2 members to 0 (the look-up ends in NXDOMAIN on the way \
         api.example.com. → plan-7.example.com.); at least 1 must stay"
    );
}

#[test]
fn observe_records_and_off_is_silent() {
    let mut case = Case {
        counted: vec![counted(1, count(2), count(0))],
        ..Case::default()
    };
    case.counted[0].mode = Mode::Observe;
    let verdict = case.judge();
    assert_eq!(verdict.refusal, None);
    let rule = verdict
        .rules
        .iter()
        .find(|rule| rule.rule == "min-members")
        .unwrap();
    assert!(
        !rule.passed && rule.mode == Mode::Observe && rule.text.contains("from 2 members to 0")
    );
    case.counted[0].mode = Mode::Off;
    assert!(case.judge().rules.iter().all(|rule| rule.passed));
    // Each name is judged as its own zone says.
    case.counted.push(counted(1, count(1), count(0)));
    assert_eq!(case.refused_by(), Some("min-members"));
}

fn finding(fatal: bool) -> NewFinding {
    NewFinding {
        fatal,
        sentence: "the NS target ns9.example.com. has no address".into(),
    }
}

#[test]
fn new_errors_refuse_on_every_path_but_edits_by_hand_and_fatal_ones_everywhere() {
    for path in [Path::Update, Path::Cli, Path::Import, Path::HandEdit] {
        let mut case = Case {
            path,
            findings: vec![finding(false)],
            ..Case::default()
        };
        let by_hand = path == Path::HandEdit;
        assert_eq!(
            case.refused_by(),
            (!by_hand).then_some("validate"),
            "{path}"
        );
        let reported = case.judge().rules.into_iter().any(|rule| !rule.passed);
        assert!(reported, "{path}");
        case.findings.push(finding(true));
        assert_eq!(case.refused_by(), Some("validate"), "{path}");
        case.validate = Mode::Off;
        assert_eq!(case.refused_by(), Some("validate"), "{path}, errors off");
    }
}

fn overriding(rule: &str) -> Option<Override> {
    Some(Override {
        rule: rule.into(),
        reason: "moving the mail to the new provider".into(),
    })
}

#[test]
fn an_override_lifts_errors_and_members_on_the_command_line_alone() {
    for path in [Path::Update, Path::Cli, Path::Import, Path::HandEdit] {
        let lifted = matches!(path, Path::Cli | Path::Import);
        let case = Case {
            path,
            counted: vec![counted(1, count(2), count(0))],
            override_: overriding("min-members"),
            ..Case::default()
        };
        let verdict = case.judge();
        assert_eq!(verdict.refusal.is_none(), lifted, "{path}");
        let rule = verdict
            .rules
            .iter()
            .find(|rule| rule.rule == "min-members")
            .unwrap();
        assert_eq!(rule.overridden.is_some(), lifted, "{path}");
        assert!(!rule.passed, "an override does not hide the breach");
    }
    let mut case = Case {
        path: Path::Cli,
        findings: vec![finding(false)],
        override_: overriding("validate"),
        ..Case::default()
    };
    assert_eq!(case.refused_by(), None);
    case.findings.push(finding(true));
    assert_eq!(case.refused_by(), Some("validate"), "never a fatal one");
}

#[test]
fn an_override_names_one_rule_and_has_a_reason() {
    let mut case = Case {
        path: Path::Import,
        counted: vec![counted(1, count(2), count(0))],
        findings: vec![finding(false)],
        override_: overriding("min-members"),
        ..Case::default()
    };
    assert_eq!(case.refused_by(), Some("validate"));
    case.findings.clear();
    case.override_ = Some(Override {
        rule: "min-members".into(),
        reason: " ".into(),
    });
    assert_eq!(case.refused_by(), Some("min-members"));
}

#[test]
fn a_freeze_stops_server_zone_or_key_until_thawed() {
    let frozen = |scope: &str, path| {
        let case = Case {
            path,
            freezes: vec![Freeze {
                scope: scope.parse().unwrap(),
                since_unix: 1_760_000_000,
                reason: "incident 7".into(),
                actor: "cli root".into(),
            }],
            override_: overriding("freeze"),
            ..Case::default()
        };
        case.judge()
    };
    for scope in ["server", "zone EXAMPLE.com.", "key enactor-a."] {
        assert_eq!(frozen(scope, Path::Update).refusal.unwrap().rule, "freeze");
        assert!(frozen(scope, Path::Cli).refusal.is_some(), "no override");
        assert!(frozen(scope, Path::Import).refusal.is_some());
        let by_hand = frozen(scope, Path::HandEdit);
        assert!(by_hand.refusal.is_none() && !by_hand.rules[0].passed);
    }
    for scope in ["zone example.org.", "key enactor-b."] {
        assert!(frozen(scope, Path::Update).refusal.is_none(), "{scope}");
    }
    let refusal = frozen("zone example.com.", Path::Update).refusal.unwrap();
    assert_eq!(
        refusal.reason,
        "the zone example.com. is frozen since 2025-10-09T08:53:20Z by cli root: incident 7"
    );
    assert!(
        refusal
            .accepted
            .contains("lastgood thaw --zone example.com.")
    );
    assert!("planet earth.".parse::<FreezeScope>().is_err());
}

#[test]
fn the_first_failing_rule_in_order_is_the_refusal_and_all_are_told() {
    let mut case = Case {
        permits: Vec::new(),
        operations: vec![Operation::Add(record(
            "api.example.com.",
            Rtype::A,
            "192.0.2.1",
        ))],
        freezes: vec![Freeze {
            scope: FreezeScope::Server,
            since_unix: 0,
            reason: "drill".into(),
            actor: "cli root".into(),
        }],
        findings: vec![finding(true)],
        counted: vec![counted(1, count(2), count(0))],
        ..Case::default()
    };
    let verdict = case.judge();
    let failed = verdict.rules.iter().filter(|rule| !rule.passed);
    let failed: Vec<&str> = failed.map(|rule| rule.rule).collect();
    assert_eq!(failed, ["freeze", "scope", "validate", "min-members"]);
    assert_eq!(verdict.refusal.unwrap().rule, "freeze");
    case.freezes.clear();
    assert_eq!(case.refused_by(), Some("scope"));
    case.permits = vec![permit(&["**"], &[], &[])];
    assert_eq!(case.refused_by(), Some("validate"));
    case.findings.clear();
    assert_eq!(case.refused_by(), Some("min-members"));
    case.counted.clear();
    assert_eq!(case.refused_by(), None);
}

#[test]
fn verdicts_and_freezes_are_plain_json() {
    let verdict = Case::default().judge();
    let json = serde_json::to_value(&verdict).unwrap();
    assert_eq!(json["rules"][0]["rule"], "freeze");
    assert_eq!(json["rules"][0]["mode"], "enforce");
    let scope = FreezeScope::Zone(name("example.com."));
    let text = serde_json::to_string(&scope).unwrap();
    assert_eq!(text, "\"zone example.com.\"");
    assert_eq!(serde_json::from_str::<FreezeScope>(&text).unwrap(), scope);
}
