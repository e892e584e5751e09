//! Judging a change equals judging both images whole, and costs in its own size.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::super::*;
use crate::rr::{Name, Record, RrSet, Rtype, rdata};

const ORIGIN: &str = "z.";
const CASES: u32 = 300;

/// Few enough names that cuts, DNAMEs, aliases, wildcards and references meet all the time.
fn owner() -> impl Strategy<Value = String> {
    let label = prop_oneof![4 => Just("a"), 4 => Just("b"), 3 => Just("*"), 1 => Just("z")];
    let count = prop_oneof![1 => Just(0usize), 6 => Just(1), 6 => Just(2), 2 => Just(3)];
    count
        .prop_flat_map(move |count| proptest::collection::vec(label.clone(), count))
        .prop_map(|labels| {
            labels
                .iter()
                .fold(String::new(), |name, label| name + label + ".")
        })
        .prop_map(|name| name + ORIGIN)
}

fn target() -> impl Strategy<Value = String> {
    prop_oneof![18 => owner(), 1 => Just("out.side.".to_owned()), 1 => Just(".".to_owned())]
}

/// Owner, type, TTL, and the presentation of up to two records; none: the RRset goes.
type Step = (String, Rtype, u32, Vec<String>);

type Mix = &'static [(u32, Rtype)];

/// What meets in a zone: everything, or few types so often that they form long ways.
const ALL: Mix = &[
    (4, Rtype::A),
    (1, Rtype::AAAA),
    (4, Rtype::CNAME),
    (2, Rtype::NS),
    (2, Rtype::DNAME),
    (2, Rtype::MX),
    (1, Rtype::SRV),
    (1, Rtype::HTTPS),
    (1, Rtype::TXT),
    (1, Rtype::DS),
    (1, Rtype::SOA),
];
const ALIASES: Mix = &[
    (8, Rtype::CNAME),
    (2, Rtype::DNAME),
    (3, Rtype::A),
    (1, Rtype::MX),
];
const DELEGATIONS: Mix = &[
    (4, Rtype::NS),
    (4, Rtype::A),
    (1, Rtype::CNAME),
    (1, Rtype::MX),
];
const REFERENCES: Mix = &[
    (3, Rtype::MX),
    (3, Rtype::A),
    (3, Rtype::CNAME),
    (1, Rtype::HTTPS),
];

fn step(mix: Mix) -> impl Strategy<Value = Step> {
    let rtype = proptest::strategy::Union::new_weighted(
        mix.iter()
            .map(|&(weight, rtype)| (weight, Just(rtype)))
            .collect(),
    );
    let targets = prop_oneof![2 => Just(0usize), 6 => Just(1), 1 => Just(2)]
        .prop_flat_map(|count| proptest::collection::vec((target(), any::<u8>()), count));
    let ttl = prop_oneof![9 => Just(60u32), 1 => Just(0)];
    (owner(), rtype, ttl, targets).prop_map(|(owner, rtype, ttl, targets)| {
        let texts = targets
            .into_iter()
            .map(|(target, n)| text(rtype, &target, n))
            .collect();
        (owner, rtype, ttl, texts)
    })
}

/// So many names in a row that chains of aliases grow longer than anybody follows.
fn link() -> impl Strategy<Value = Step> {
    let kind = prop_oneof![
        30 => Just((Rtype::CNAME, "")),
        6 => Just((Rtype::DNAME, "")),
        4 => Just((Rtype::CNAME, "x.")),
        1 => Just((Rtype::MX, "")),
        1 => Just((Rtype::A, "")),
    ];
    let onward = prop_oneof![12 => Just(1usize), 1 => Just(2), 1 => Just(45), 1 => 0..48usize];
    (0..48usize, kind, onward).prop_map(|(at, (rtype, front), onward)| {
        let target = format!("{front}n{}.{ORIGIN}", (at + onward) % 48);
        (
            format!("n{at}.{ORIGIN}"),
            rtype,
            60,
            vec![text(rtype, &target, 1)],
        )
    })
}

fn chains() -> impl Strategy<Value = (Vec<Step>, Vec<Step>)> {
    let gone = link().prop_map(|(owner, rtype, ttl, _)| (owner, rtype, ttl, Vec::new()));
    (
        proptest::collection::vec(link(), 40..120),
        proptest::collection::vec(prop_oneof![link(), gone], 1..4),
    )
}

/// A zone, and what is then done to it.
fn zone_and_edits(mix: Mix) -> impl Strategy<Value = (Vec<Step>, Vec<Step>)> {
    (
        proptest::collection::vec(step(mix), 0..16),
        proptest::collection::vec(step(mix), 1..4),
    )
}

fn text(rtype: Rtype, target: &str, n: u8) -> String {
    match rtype {
        Rtype::A => format!("192.0.2.{n}"),
        Rtype::AAAA => format!("2001:db8::{n}"),
        Rtype::MX => format!("10 {target}"),
        Rtype::SRV => format!("0 0 53 {target}"),
        Rtype::HTTPS => format!("{} {target}", n % 2),
        Rtype::TXT => format!("\"{n}\""),
        Rtype::DS => format!("{n} 13 3 00"),
        Rtype::SOA => format!("{target} h.z. {} 3600 600 1209600 300", n % 2),
        _ => target.to_owned(),
    }
}

fn apply(image: &ZoneImage, steps: &[Step]) -> (ZoneImage, Diff) {
    let mut editor = image.edit();
    for (owner, rtype, ttl, texts) in steps {
        let rdatas = texts
            .iter()
            .map(|text| rdata::from_text(*rtype, text).unwrap());
        let owner = owner.parse().unwrap();
        let rrset = RrSet::new(*rtype, *ttl, rdatas);
        editor.set(&owner, *rtype, rrset).unwrap();
    }
    editor.finish()
}

fn told<'a>(findings: impl IntoIterator<Item = &'a Finding>) -> BTreeSet<String> {
    findings
        .into_iter()
        .map(|finding| format!("{finding} {} {}", finding.owner, finding.data))
        .collect()
}

fn incremental_equals_full(case: (Vec<Step>, Vec<Step>)) -> Result<(), TestCaseError> {
    incremental_within(usize::MAX, case)
}

/// With few steps to take, everything is found all the same, or an error says that it was not.
fn incremental_within(
    steps_max: usize,
    (zone, edits): (Vec<Step>, Vec<Step>),
) -> Result<(), TestCaseError> {
    let limits = Limits {
        records_per_zone: Some(12),
        types_per_name: 3,
        ..Limits::default()
    };
    let (before, _) = apply(&ZoneImage::empty(ORIGIN.parse().unwrap()), &zone);
    let (after, diff) = apply(&before, &edits);
    let old: HashSet<Finding> = full(&before, &limits).into_iter().collect();
    let new = full(&after, &limits);
    let mut expected = new;
    expected.retain(|finding| !old.contains(finding));
    let (mut found, _) = added_within(steps_max, &before, &diff, &after, &limits);
    if found
        .iter()
        .any(|finding| finding.check == "change-too-wide")
    {
        let is_fatal = |finding: &Finding| finding.severity == Severity::Fatal;
        found.retain(is_fatal);
        expected.retain(is_fatal);
    }
    prop_assert_eq!(told(&found), told(&expected), "{:?}", diff);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(CASES))]

    #[test]
    fn what_a_change_adds_is_what_the_full_checks_differ_by(case in zone_and_edits(ALL)) {
        incremental_equals_full(case)?;
    }

    #[test]
    fn what_a_change_adds_along_aliases_is_found(case in zone_and_edits(ALIASES)) {
        incremental_equals_full(case)?;
    }

    #[test]
    fn what_a_change_adds_along_chains_longer_than_are_followed_is_found(case in chains()) {
        incremental_equals_full(case)?;
    }

    #[test]
    fn a_change_that_reaches_too_far_to_be_judged_says_so(
        steps_max in 0usize..40,
        case in zone_and_edits(ALL),
    ) {
        incremental_within(steps_max, case)?;
    }

    #[test]
    fn what_a_change_adds_around_delegations_is_found(case in zone_and_edits(DELEGATIONS)) {
        incremental_equals_full(case)?;
    }

    #[test]
    fn what_a_change_adds_to_services_is_found(case in zone_and_edits(REFERENCES)) {
        incremental_equals_full(case)?;
    }
}

fn fastest(times: usize, mut run: impl FnMut()) -> Duration {
    (0..times)
        .map(|_| {
            let start = Instant::now();
            run();
            start.elapsed()
        })
        .min()
        .expect("it ran at least once")
}

#[test]
fn one_record_in_a_zone_of_20_000_names_costs_a_hundredth_of_the_full_check_at_most() {
    let origin: Name = "example.com.".parse().unwrap();
    let record = |owner: String, rtype, text: &str| Record {
        owner: owner.parse().unwrap(),
        rtype,
        ttl: 300,
        rdata: rdata::from_text(rtype, text).unwrap(),
    };
    let hosts = (0..20_000).map(|n| record(format!("h{n}.example.com."), Rtype::A, "192.0.2.1"));
    let apex = [
        (
            Rtype::SOA,
            "h1.example.com. h.example.com. 1 3600 600 1209600 300",
        ),
        (Rtype::NS, "h1.example.com."),
        (Rtype::NS, "h2.example.com."),
        (Rtype::MX, "10 h3.example.com."),
    ]
    .map(|(rtype, text)| record("example.com.".into(), rtype, text));
    let before = ZoneImage::from_records(origin, hosts.chain(apex)).unwrap();
    let limits = Limits::default();
    let mut editor = before.edit();
    editor
        .set(&"h3.example.com.".parse().unwrap(), Rtype::A, None)
        .unwrap();
    let (after, diff) = editor.finish();
    let found = added(&before, &diff, &after, &limits);
    assert_eq!(found.len(), 1, "{found:?}");
    let whole = fastest(2, || drop(full(&after, &limits)));
    let change = fastest(20, || drop(added(&before, &diff, &after, &limits)));
    assert!(
        change * 100 < whole,
        "{change:?} for the change, {whole:?} for the zone"
    );
}
