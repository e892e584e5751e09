//! Judging a change equals judging both images whole, and costs in its own size.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;
use crate::rr::{Name, Record, RrSet, Rtype, rdata};

const ORIGIN: &str = "z.";

/// Few enough names that cuts, DNAMEs, aliases, wildcards and references meet all the time.
fn owner() -> impl Strategy<Value = String> {
    let label = prop_oneof![3 => Just("a"), 3 => Just("b"), 2 => Just("*"), 1 => Just("z")];
    proptest::collection::vec(label, 0..4).prop_map(|labels| {
        labels
            .iter()
            .map(|label| format!("{label}."))
            .collect::<String>()
            + ORIGIN
    })
}

fn target() -> impl Strategy<Value = String> {
    prop_oneof![9 => owner(), 1 => Just("out.side.".to_owned()), 1 => Just(".".to_owned())]
}

/// Owner, type, TTL, and the presentation of up to two records; none: the RRset goes.
type Step = (String, Rtype, u32, Vec<String>);

fn step() -> impl Strategy<Value = Step> {
    let rtype = prop_oneof![
        4 => Just(Rtype::A),
        1 => Just(Rtype::AAAA),
        4 => Just(Rtype::CNAME),
        3 => Just(Rtype::NS),
        2 => Just(Rtype::DNAME),
        2 => Just(Rtype::MX),
        1 => Just(Rtype::SRV),
        1 => Just(Rtype::HTTPS),
        1 => Just(Rtype::TXT),
        1 => Just(Rtype::DS),
        1 => Just(Rtype::SOA),
    ];
    let targets = prop_oneof![
        2 => Just(0usize),
        5 => Just(1),
        1 => Just(2),
    ]
    .prop_flat_map(|count| proptest::collection::vec((target(), any::<u8>()), count));
    (
        owner(),
        rtype,
        prop_oneof![9 => Just(60u32), 1 => Just(0)],
        targets,
    )
        .prop_map(|(owner, rtype, ttl, targets)| {
            let texts = targets
                .into_iter()
                .map(|(target, n)| text(rtype, &target, n))
                .collect();
            (owner, rtype, ttl, texts)
        })
}

fn text(rtype: Rtype, target: &str, n: u8) -> String {
    match rtype {
        Rtype::A => format!("192.0.2.{n}"),
        Rtype::AAAA => format!("2001:db8::{n}"),
        Rtype::MX => format!("10 {target}"),
        Rtype::SRV => format!("0 0 53 {target}"),
        Rtype::HTTPS => format!("{} {target}", n % 2),
        Rtype::TXT => format!("\"{n}\""),
        Rtype::DS => format!("{n} 13 2 00"),
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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn what_a_change_adds_is_what_the_full_checks_differ_by(
        zone in proptest::collection::vec(step(), 0..24),
        edits in proptest::collection::vec(step(), 1..6),
    ) {
        let limits = Limits {
            records_per_zone: Some(20),
            types_per_name: 3,
            ..Limits::default()
        };
        let (before, _) = apply(&ZoneImage::empty(ORIGIN.parse().unwrap()), &zone);
        let (after, diff) = apply(&before, &edits);
        let old = full(&before, &limits);
        let new = full(&after, &limits);
        let expected = told(new.iter().filter(|finding| !old.contains(finding)));
        let found = added(&before, &diff, &after, &limits);
        prop_assert_eq!(told(&found), expected, "{:?}", diff);
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
