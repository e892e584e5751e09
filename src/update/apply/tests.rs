use proptest::prelude::*;

use super::*;
use crate::rr::message::{CLASS_IN, Rcode};
use crate::rr::{Name, Record, Rtype, Soa, rdata};
use crate::update::testing::{ORIGIN, PREREQUISITE, Request, image, lines, name, records};
use crate::update::{Failure, check_prerequisites, parse, prescan};

mod services;

const APEX: &str = "@ 60 SOA ns1 h 10 2 3 4 5\n@ 60 NS ns1";

/// The whole of §3.2 - §3.4 on one message.
fn update(image: &ZoneImage, request: Request) -> Result<Applied, Failure> {
    let message = parse(&request.octets)?;
    check_prerequisites(&message, image)?;
    let operations = prescan(&message, image.origin())?;
    Ok(apply(image, &operations))
}

struct Case {
    what: &'static str,
    before: &'static str,
    request: Request,
    after: &'static str,
    ignored: &'static [&'static str],
}

fn judge(cases: impl IntoIterator<Item = Case>) {
    for case in cases {
        let before = image(&format!("{APEX}\n{}", case.before));
        let applied = update(&before, case.request).unwrap();
        let after = image(&format!("{APEX}\n{}", case.after));
        assert_eq!(lines(&applied.after), lines(&after), "{}", case.what);
        assert_eq!(applied.diff, Diff::between(&before, &applied.after));
        assert_eq!(applied.ignored, case.ignored, "{}", case.what);
        assert!(!applied.serial_set, "{}", case.what);
    }
}

fn case(what: &'static str, before: &'static str, request: Request, after: &'static str) -> Case {
    Case {
        what,
        before,
        request,
        after,
        ignored: &[],
    }
}

fn ignoring(mut case: Case, ignored: &'static [&'static str]) -> Case {
    case.ignored = ignored;
    case
}

#[test]
fn adding_and_deleting_changes_what_it_names() {
    let new = Request::new;
    judge([
        case(
            "a new name",
            "",
            new().add("www 5 A 192.0.2.1"),
            "www 5 A 192.0.2.1",
        ),
        case(
            "a second record brings its TTL",
            "www 60 A 192.0.2.1",
            new().add("www 5 A 192.0.2.2"),
            "www 5 A 192.0.2.1\nwww 5 A 192.0.2.2",
        ),
        case(
            "the same data with another TTL change the TTL alone",
            "www 60 A 192.0.2.1\nwww 60 A 192.0.2.2",
            new().add("www 5 A 192.0.2.1"),
            "www 5 A 192.0.2.1\nwww 5 A 192.0.2.2",
        ),
        case(
            "a duplicate changes nothing",
            "www 60 A 192.0.2.1",
            new().add("WWW 60 A 192.0.2.1"),
            "www 60 A 192.0.2.1",
        ),
        case(
            "one record goes",
            "www 60 A 192.0.2.1\nwww 60 A 192.0.2.2",
            new().delete("www 0 A 192.0.2.1\nwww 0 A 192.0.2.77\nno 0 A 192.0.2.1"),
            "www 60 A 192.0.2.2",
        ),
        case(
            "the same data in another spelling change nothing",
            "www 60 MX 10 Mx\nalias 60 CNAME Www\nsub 60 DNAME Www",
            new()
                .add("www 60 MX 10 mX")
                .add("alias 60 CNAME wWW")
                .add("sub 60 DNAME wwW"),
            "www 60 MX 10 Mx\nalias 60 CNAME Www\nsub 60 DNAME Www",
        ),
        case(
            "names in data are compared without case",
            "@ 60 MX 5 Mail",
            new().delete("@ 0 MX 5 mAIL"),
            "",
        ),
        case(
            "an RRset goes, its neighbour stays",
            "www 60 A 192.0.2.1\nwww 60 TXT x",
            new().delete_rrset("Www.example.com.", Rtype::A),
            "www 60 TXT x",
        ),
        case(
            "a name goes, what is below stays",
            "www 60 A 192.0.2.1\nwww 60 TXT x\na.www 60 A 192.0.2.2",
            new().delete_name("www.example.com."),
            "a.www 60 A 192.0.2.2",
        ),
        case(
            "an RRset is replaced in one message",
            "www 60 A 192.0.2.1\nwww 60 A 192.0.2.2",
            new()
                .delete_rrset("www.example.com.", Rtype::A)
                .add("www 30 A 192.0.2.3"),
            "www 30 A 192.0.2.3",
        ),
        case(
            "the order of the message counts",
            "",
            new()
                .add("www 60 A 192.0.2.1")
                .delete_name("www.example.com."),
            "",
        ),
        case(
            "a wildcard and what stands below a cut are plain names here",
            "cut 60 NS ns.cut",
            new().add("*.w 60 A 192.0.2.1\nns.cut 60 A 192.0.2.2"),
            "cut 60 NS ns.cut\n*.w 60 A 192.0.2.1\nns.cut 60 A 192.0.2.2",
        ),
        case(
            "one service per address and protocol",
            "www 60 TYPE11 \\# 6 C0000201 06 40\nwww 60 TYPE11 \\# 6 C0000201 11 40",
            new().add("www 60 TYPE11 \\# 6 C0000201 06 80"),
            "www 60 TYPE11 \\# 6 C0000201 06 80\nwww 60 TYPE11 \\# 6 C0000201 11 40",
        ),
    ]);
}

#[test]
fn an_alias_and_other_data_do_not_give_way_to_each_other() {
    let new = Request::new;
    judge([
        ignoring(
            case(
                "CNAME onto data",
                "www 60 A 192.0.2.1",
                new().add("www 60 CNAME api"),
                "www 60 A 192.0.2.1",
            ),
            &["www.example.com. CNAME was not added: it cannot stand beside the A there"],
        ),
        ignoring(
            case(
                "data onto CNAME",
                "www 60 CNAME api",
                new().add("www 60 A 192.0.2.1\nwww 60 DNAME x"),
                "www 60 CNAME api",
            ),
            &[
                "www.example.com. A was not added: it cannot stand beside the CNAME there",
                "www.example.com. DNAME was not added: it cannot stand beside the CNAME there",
            ],
        ),
        ignoring(
            case("CNAME at the apex", "", new().add("@ 60 CNAME api"), ""),
            &["example.com. CNAME was not added: it cannot stand beside the NS there"],
        ),
        case(
            "CNAME in the place of CNAME, DNAME of DNAME",
            "www 60 CNAME api\nd 60 DNAME a",
            new().add("www 5 CNAME web\nd 5 DNAME b"),
            "www 5 CNAME web\nd 5 DNAME b",
        ),
        case(
            "once the data are gone the alias may come",
            "www 60 A 192.0.2.1",
            new().delete("www 0 A 192.0.2.1").add("www 60 CNAME api"),
            "www 60 CNAME api",
        ),
        case(
            "and the other way round",
            "www 60 CNAME api",
            new()
                .delete_rrset("www.example.com.", Rtype::CNAME)
                .add("www 60 A 192.0.2.1"),
            "www 60 A 192.0.2.1",
        ),
    ]);
}

#[test]
fn the_apex_keeps_its_soa_and_ns() {
    let new = Request::new;
    judge([
        ignoring(
            case(
                "the whole apex",
                "@ 60 MX 5 mail",
                new().delete_name("example.com."),
                "",
            ),
            &["example.com. keeps its SOA and NS: the apex of a zone cannot be without"],
        ),
        ignoring(
            case(
                "the RRsets",
                "@ 60 NS ns2",
                new()
                    .delete_rrset("example.com.", Rtype::NS)
                    .delete_rrset("example.com.", Rtype::SOA)
                    .delete("@ 0 SOA ns1 h 10 2 3 4 5"),
                "@ 60 NS ns2",
            ),
            &[
                "example.com. keeps its NS: the apex of a zone cannot be without",
                "example.com. keeps its SOA: the apex of a zone cannot be without",
                "example.com. keeps its SOA: the apex of a zone cannot be without",
            ],
        ),
        case(
            "a delegation below may go",
            "cut 60 NS ns1",
            new().delete("cut 0 NS ns1"),
            "",
        ),
    ]);
}

#[test]
fn the_last_name_server_stays_when_all_are_deleted_one_by_one() {
    let before = image(&format!("{APEX}\n@ 60 NS ns2"));
    let request = Request::new().delete("@ 0 NS ns1\n@ 0 NS none\n@ 0 NS NS2");
    let applied = update(&before, request).unwrap();
    let after = image("@ 60 SOA ns1 h 10 2 3 4 5\n@ 60 NS ns2");
    assert_eq!(lines(&applied.after), lines(&after));
    assert_eq!(
        applied.ignored,
        ["example.com. keeps its last NS: the apex of a zone cannot be without"]
    );
}

#[test]
fn a_soa_is_taken_only_when_its_serial_goes_forward() {
    let before = image(APEX);
    for (serial, taken) in [
        (11, true),
        (10, false),
        (9, false),
        (10 + (1 << 31) - 1, true),
        (10 + (1 << 31), false),
        (u32::MAX, false),
    ] {
        let request = Request::new().add(&format!("@ 30 SOA ns9 h {serial} 2 3 4 5"));
        let applied = update(&before, request).unwrap();
        let soa = applied.after.soa().unwrap();
        let expected = if taken { (serial, "ns9") } else { (10, "ns1") };
        let mname = name(&format!("{}.{ORIGIN}", expected.1));
        assert_eq!((soa.serial.0, soa.mname), (expected.0, mname), "{serial}");
        assert_eq!(applied.serial_set, taken, "{serial}");
        assert_eq!(applied.ignored.len(), usize::from(!taken), "{serial}");
        assert_eq!(applied.diff.is_empty(), !taken, "{serial}");
    }
    let request = Request::new().add("@ 30 SOA ns1 h 12 2 3 4 5\n@ 30 SOA ns1 h 11 2 3 4 5");
    let applied = update(&before, request).unwrap();
    assert_eq!(
        applied.ignored,
        ["example.com. SOA was not replaced: its serial 11 is not after 12"]
    );
    let request = Request::new().add("www 30 SOA ns1 h 12 2 3 4 5");
    let applied = update(&before, request).unwrap();
    assert!(applied.diff.is_empty() && applied.ignored.len() == 1);
}

#[test]
fn a_name_in_use_keeps_its_spelling() {
    let before = image(&format!("{APEX}\nWww 60 A 192.0.2.1"));
    let request = Request::new()
        .delete_rrset("www.example.com.", Rtype::A)
        .add("wWW 60 A 192.0.2.2");
    let after = update(&before, request).unwrap().after;
    assert!(lines(&after).contains(&"Www.example.com. 60 A 192.0.2.2".to_owned()));
}

#[test]
fn nothing_outside_the_zone_is_touched() {
    let before = image(APEX);
    let stranger = Operation::DeleteName {
        owner: name("example.org."),
    };
    let applied = apply(&before, &[stranger]);
    assert!(applied.diff.is_empty() && applied.ignored.len() == 1);
}

#[test]
fn the_largest_message_into_one_rrset_is_applied_in_no_time() {
    let before = image(APEX);
    let start = std::time::Instant::now();
    let mut request = Request::new();
    for n in 0..4000u16 {
        let [high, low] = n.to_be_bytes();
        let owner = &[0xC0, 12];
        request = request.raw(8, owner, Rtype::A, CLASS_IN, 60, &[10, 0, high, low]);
    }
    assert!(request.octets.len() > 64_000);
    let applied = update(&before, request).unwrap();
    assert_eq!(applied.after.record_count(), 4002);
    // Quadratic work takes many times this, even unoptimised on a busy machine.
    assert!(start.elapsed().as_secs() < 5, "{:?}", start.elapsed());
}

#[test]
fn a_serial_of_0_is_never_taken() {
    let full_circle = |serial: u32| APEX.replacen(" 10 ", &format!(" {serial} "), 1);
    for (standing, expected) in [
        (u32::MAX, 1),
        (0, 0),
        // Neither 0 nor 1 is after these, or 1 is half the circle away.
        (7, 7),
        ((1 << 31) + 1, (1 << 31) + 1),
        ((1 << 31) + 2, 1),
    ] {
        let before = image(&full_circle(standing));
        assert_eq!(before.soa().unwrap().serial.0, standing);
        let request = Request::new().add("@ 30 SOA ns9 h 0 2 3 4 5");
        let applied = update(&before, request).unwrap();
        assert_eq!(
            applied.after.soa().unwrap().serial.0,
            expected,
            "{standing}"
        );
        assert_eq!(applied.ignored.len(), 1, "{standing}");
        assert_eq!(applied.serial_set, expected == 1, "{standing}");
    }
}

/// §3.4.2.7, word by word, on a list of records.
fn model(origin: &Name, mut zone: Vec<Record>, operations: &[Operation]) -> Vec<Record> {
    let same = |a: &Record, b: &Record| {
        rdata::canonical(a.rtype, &a.rdata) == rdata::canonical(b.rtype, &b.rdata)
    };
    let is_free = |rtype| matches!(rtype, Rtype::RRSIG | Rtype::NSEC);
    let serial = |record: &Record| Soa::from_rdata(&record.rdata).unwrap().serial;
    for operation in operations {
        let owner = operation.owner();
        let at = |zone: &[Record], wanted: &dyn Fn(Rtype) -> bool| {
            zone.iter().any(|r| r.owner == *owner && wanted(r.rtype))
        };
        match operation {
            Operation::Add(new) => {
                let is_of = |r: &Record| r.owner == new.owner && r.rtype == new.rtype;
                let blocked = match new.rtype {
                    rtype if is_free(rtype) => false,
                    Rtype::CNAME => at(&zone, &|t| t != Rtype::CNAME && !is_free(t)),
                    Rtype::SOA => !zone
                        .iter()
                        .any(|r| is_of(r) && serial(new).is_after(serial(r))),
                    _ => at(&zone, &|t| t == Rtype::CNAME),
                };
                if blocked {
                    continue;
                }
                let single = [Rtype::CNAME, Rtype::SOA, Rtype::DNAME].contains(&new.rtype);
                zone.retain(|r| !(is_of(r) && (single || same(r, new))));
                zone.iter_mut()
                    .filter(|r| is_of(r))
                    .for_each(|r| r.ttl = new.ttl);
                zone.push(new.clone());
            }
            Operation::DeleteName { .. } => zone.retain(|r| {
                let kept = *owner == *origin && [Rtype::SOA, Rtype::NS].contains(&r.rtype);
                r.owner != *owner || kept
            }),
            Operation::DeleteRrset { rtype, .. } => {
                if !(*owner == *origin && [Rtype::SOA, Rtype::NS].contains(rtype)) {
                    zone.retain(|r| !(r.owner == *owner && r.rtype == *rtype));
                }
            }
            Operation::DeleteRecord(old) => {
                let of = |r: &&Record| r.owner == old.owner && r.rtype == old.rtype;
                let last = zone.iter().filter(of).count() == 1;
                let apex_ns = *owner == *origin && old.rtype == Rtype::NS;
                if old.rtype != Rtype::SOA && !(apex_ns && last) {
                    zone.retain(|r| !(of(&r) && same(r, old)));
                }
            }
        }
    }
    zone
}

fn record() -> impl Strategy<Value = Record> {
    let text = prop_oneof![
        (0..3u8).prop_map(|n| format!("A 192.0.2.{n}")),
        (0..3u8).prop_map(|n| format!("NS ns{n}")),
        (0..3u8).prop_map(|n| format!("NS NS{n}")),
        (0..3u8).prop_map(|n| format!("CNAME c{n}")),
        (0..3u8).prop_map(|n| format!("DNAME d{n}")),
        (8..14u8).prop_map(|n| format!("SOA ns1 h {n} 2 3 4 5")),
        Just("NSEC a A".to_owned()),
    ];
    ("(@|a|A|b|x\\.a)", 1..4u32, text)
        .prop_map(|(owner, ttl, text)| records(&format!("{owner} {ttl} {text}")).remove(0))
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        4 => record().prop_map(Operation::Add),
        2 => record().prop_map(Operation::DeleteRecord),
        1 => record().prop_map(|r| Operation::DeleteRrset { owner: r.owner, rtype: r.rtype }),
        1 => record().prop_map(|r| Operation::DeleteName { owner: r.owner }),
    ]
}

proptest! {
    #[test]
    fn the_zone_becomes_what_the_pseudocode_of_the_rfc_makes_of_it(
        operations in prop::collection::vec(operation(), 0..24)
    ) {
        let before = image(APEX);
        let applied = apply(&before, &operations);
        let expected = model(before.origin(), records(APEX), &operations);
        let expected = ZoneImage::from_records(before.origin().clone(), expected).unwrap();
        let lower = |image: &ZoneImage| {
            let lines = lines(image).into_iter().map(|line| line.to_lowercase());
            lines.collect::<Vec<_>>()
        };
        prop_assert_eq!(lower(&applied.after), lower(&expected));
        prop_assert_eq!(applied.after.digest(), {
            let again = lines(&applied.after).join("\n");
            image(&again).digest()
        });
        prop_assert_eq!(&applied.diff, &Diff::between(&before, &applied.after));
        let raised = applied.after.soa().unwrap().serial != before.soa().unwrap().serial;
        prop_assert_eq!(applied.serial_set, raised);
    }

    #[test]
    fn no_octets_make_it_panic(
        noise in prop::collection::vec(any::<u8>(), 0..80),
        patches in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let before = image(&format!("{APEX}\nwww 60 CNAME a\na 60 MX 5 b\nx 60 TXT y"));
        let through = |octets: Vec<u8>| drop(update(&before, Request { octets }));
        through(noise.clone());
        let whole = Request::new()
            .record(PREREQUISITE, CLASS_IN, "www 0 CNAME a")
            .add("www 5 CNAME b\n@ 5 SOA ns1 h 11 2 3 4 5\na 5 MX 5 c\nx 5 SRV 1 2 3 t")
            .raw(8, &[0xC0, 12], Rtype::CNAME, CLASS_IN, 5, &[0xC0, 12])
            .delete("a 0 MX 5 b")
            .delete_name("x.example.com.")
            .octets;
        let mut patched = whole.clone();
        for (at, octet) in patches {
            *at.get_mut(&mut patched) = octet;
        }
        through([&patched[..cut.index(patched.len())], &noise].concat());
        through(patched);
        let mut headed = Request::new().octets;
        headed[9] = 1;
        through([headed, noise].concat());
    }
}

#[test]
fn a_message_is_applied_whole_or_not_at_all() {
    let before = image(APEX);
    let request = Request::new()
        .add("www 60 A 192.0.2.1")
        .delete_rrset("www.example.org.", Rtype::A);
    assert_eq!(update(&before, request).unwrap_err().rcode, Rcode::NotZone);
}
