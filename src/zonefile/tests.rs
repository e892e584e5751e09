use std::io;
use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::rr::rdata::testing::any_rdata;
use crate::rr::{Name, RrSet, Rtype};
use crate::zone::ZoneImage;

mod bounds;

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn no_files(_: &Path, file: &str) -> io::Result<Vec<u8>> {
    Err(io::Error::new(
        io::ErrorKind::NotFound,
        format!("no {file}"),
    ))
}

fn read(text: &str) -> Parsed {
    parse(text.as_bytes(), &name("example.com."), &no_files)
}

fn lines(parsed: &Parsed) -> Vec<String> {
    parsed.records.iter().map(|r| r.to_string()).collect()
}

fn problems(text: &str) -> Vec<String> {
    read(text).problems.iter().map(|p| p.to_string()).collect()
}

#[test]
fn a_zone_file_as_people_write_them() {
    let parsed = read(
        "$TTL 1h ; default
@ IN SOA ns1 hostmaster.example.com. (
        2024010101 ; serial
        1d 2h 4w 5m )
    NS ns1
    IN NS ns2.example.net.
ns1 300 IN A 192.0.2.1
    IN 60 AAAA 2001:db8::1
$ORIGIN sub.example.com.
Www CNAME @
txt TXT \"a ; b\" c\\\"d @
_sip._tcp.example.com. SRV 0 5 5060 sip
svc HTTPS 1 . alpn=\"h2,h3\"
loc LOC \\# 16 000016138B3CF018810CBCE0009895B8
hip TYPE55 2 00FF AA== rvs
other TYPE65280 \\# 2 ABCD
a\\.b A 192.0.2.9
",
    );
    assert_eq!(parsed.problems, []);
    assert_eq!(
        lines(&parsed),
        [
            "example.com. 3600 SOA ns1.example.com. hostmaster.example.com. 2024010101 86400 7200 2419200 300",
            "example.com. 3600 NS ns1.example.com.",
            "example.com. 3600 NS ns2.example.net.",
            "ns1.example.com. 300 A 192.0.2.1",
            "ns1.example.com. 60 AAAA 2001:db8::1",
            "Www.sub.example.com. 3600 CNAME sub.example.com.",
            "txt.sub.example.com. 3600 TXT \"a ; b\" \"c\\\"d\" \"@\"",
            "_sip._tcp.example.com. 3600 SRV 0 5 5060 sip.sub.example.com.",
            "svc.sub.example.com. 3600 HTTPS 1 . alpn=h2,h3",
            "loc.sub.example.com. 3600 LOC 52 22 23.000 N 4 53 32.000 E -2.00m 0m 10000m 10m",
            "hip.sub.example.com. 3600 HIP 2 00FF AA== rvs.sub.example.com.",
            "other.sub.example.com. 3600 TYPE65280 \\# 2 ABCD",
            "a\\.b.sub.example.com. 3600 A 192.0.2.9",
        ]
    );
}

#[test]
fn a_missing_ttl_is_the_default_or_the_last_or_the_minimum_of_the_soa() {
    let ttls = |text: &str| {
        let parsed = read(text);
        assert_eq!(parsed.problems, []);
        parsed.records.iter().map(|r| r.ttl).collect::<Vec<_>>()
    };
    let soa = "@ SOA a b 1 2 3 4 555\n";
    assert_eq!(
        ttls(&format!(
            "{soa}a A 192.0.2.1\nb 7 A 192.0.2.1\nc A 192.0.2.1"
        )),
        [555, 555, 7, 7]
    );
    assert_eq!(
        ttls(&format!(
            "{soa}$TTL 9\na A 192.0.2.1\nb 7 A 192.0.2.1\nc A 192.0.2.1"
        )),
        [555, 9, 7, 9]
    );
    assert_eq!(
        problems("a A 192.0.2.1"),
        ["line 1 column 3: expected a TTL: there is none here, by $TTL, or before"]
    );
}

#[test]
fn each_bad_line_is_named_and_the_others_are_read() {
    let text = "$TTL 60
a A 192.0.2.300
b CH TXT x
c LOC 52 22 23 N 4 53 32 E 0x
www.example.org. A 192.0.2.1
d A \"192.0.2.1
  A 192.0.2.2
e NONSENSE x
f A
$FOO bar
g 4294967296 A 192.0.2.1
h 1y A 192.0.2.1
$TTL
i..j A 192.0.2.1
  A 192.0.2.2
k A 192.0.2.1 192.0.2.2
l ANY x
m
n TXT \"x\" (
  \"y\" )
$ORIGIN a.b. c
";
    let found = problems(text);
    let expected = [
        "2 column 5: A data: expected an IPv4 address, read 192.0.2.300",
        "3 column 3: expected class IN, the only one that is served, read CH",
        "4 column 28: LOC data: expected an altitude in metres from -100000.00 to 42849672.95, read 0x",
        "5 column 1: www.example.org. is outside the zone example.com.",
        "6 column 5: a quoted string does not end on its line",
        "7 column 3: the line begins with white space, and there is no owner before it",
        "8 column 3: expected a record type, read NONSENSE",
        "9 column 3: A data: expected an IPv4 address, but the record ends",
        "10 column 1: expected $ORIGIN, $TTL, $INCLUDE or $GENERATE, or a record, read $FOO",
        "11 column 3: expected a TTL in seconds, as 3600 or 1h30m, read 4294967296",
        "12 column 3: expected a TTL in seconds, as 3600 or 1h30m, read 1y",
        "13 column 1: expected a TTL behind $TTL, but the line ends",
        "14 column 1: expected a name, read i..j: a label is empty",
        "15 column 3: the line begins with white space, and there is no owner before it",
        "16 column 15: A data: expected the end of the record, read 192.0.2.2",
        "17 column 3: expected a record type, not one of questions, read ANY",
        "18 column 1: expected a record type, but the line ends",
        "21 column 14: expected a name behind $ORIGIN, read 2 words",
    ];
    let expected: Vec<String> = expected.iter().map(|e| format!("line {e}")).collect();
    assert_eq!(found, expected);
    assert_eq!(lines(&read(text)), ["n.example.com. 60 TXT \"x\" \"y\""]);
}

#[test]
fn included_files_have_their_own_origin_and_owner() {
    let files = |folder: &Path, file: &str| match file {
        "hosts" => {
            Ok(b"a A 192.0.2.1\n$ORIGIN elsewhere.example.com.\nb A 192.0.2.2\nc A x\n".to_vec())
        }
        "loop" => Ok(b"$INCLUDE loop\n$INCLUDE loop\n".to_vec()),
        _ => no_files(folder, file),
    };
    let origin = name("example.com.");
    let text = b"$TTL 60\nw A 192.0.2.3\n$INCLUDE \"hosts\" sub\n  A 192.0.2.4\nd A 192.0.2.5\n$INCLUDE gone\n";
    let parsed = parse(text, &origin, &files);
    assert_eq!(
        lines(&parsed),
        [
            "w.example.com. 60 A 192.0.2.3",
            "a.sub.example.com. 60 A 192.0.2.1",
            "b.elsewhere.example.com. 60 A 192.0.2.2",
            "w.example.com. 60 A 192.0.2.4",
            "d.example.com. 60 A 192.0.2.5",
        ]
    );
    let found: Vec<String> = parsed.problems.iter().map(|p| p.to_string()).collect();
    assert_eq!(
        found,
        [
            "hosts line 4 column 5: A data: expected an IPv4 address, read x",
            "line 6 column 10: gone is not included: no gone",
        ]
    );
    let endless = parse(b"$INCLUDE loop\n", &origin, &files);
    assert!(endless.problems[0].reason.contains("not included"));
}

#[test]
fn generate_makes_the_records_of_its_range() {
    let parsed = read(
        "$TTL 60
$GENERATE 1-3 host-$ A 192.0.2.$
$GENERATE 0-2/2 ${10,3,d} 300 IN CNAME host-$
$GENERATE 200-300 x-$ A 192.0.2.$
$GENERATE 1-70000 y-$ A 192.0.2.1
$GENERATE 1-2 z A
",
    );
    assert_eq!(
        lines(&parsed)[..5],
        [
            "host-1.example.com. 60 A 192.0.2.1",
            "host-2.example.com. 60 A 192.0.2.2",
            "host-3.example.com. 60 A 192.0.2.3",
            "010.example.com. 300 CNAME host-0.example.com.",
            "012.example.com. 300 CNAME host-2.example.com.",
        ]
    );
    assert_eq!(parsed.records.len(), 5 + 56, "up to the first bad one");
    let found: Vec<String> = parsed.problems.iter().map(|p| p.to_string()).collect();
    assert_eq!(
        found,
        [
            "line 4 column 25: at 256: A data: expected an IPv4 address, read 192.0.2.256",
            "line 5 column 11: expected a range, read 1-70000: a range of more than 65536 lines",
            "line 6 column 17: expected a range, an owner, perhaps a TTL and a class, a type and \
             data behind $GENERATE, read 3 words",
        ]
    );
}

#[test]
fn garbage_ends_in_problems() {
    let garbage: Vec<u8> = (0..200_000u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect();
    let parsed = parse(&garbage, &name("example.com."), &no_files);
    assert!(parsed.records.is_empty());
    assert!((1..=1_001).contains(&parsed.problems.len()));
    let many = "x\n".repeat(5_000);
    assert_eq!(problems(&many).len(), 1_001);
    assert!(problems(&many)[1_000].contains("more than 1000 problems"));
}

#[test]
fn a_printed_zone_has_its_soa_first_and_one_record_a_line() {
    let text = "$TTL 60\n@ A 192.0.2.1\n@ NS ns1\nns1 A 192.0.2.2\n@ SOA ns1 h 1 2 3 4 5\n";
    let image = ZoneImage::from_records(name("example.com."), read(text).records).unwrap();
    assert_eq!(
        print(&image),
        "$ORIGIN example.com.
example.com.     60      IN SOA    ns1.example.com. h.example.com. 1 2 3 4 5
example.com.     60      IN A      192.0.2.1
example.com.     60      IN NS     ns1.example.com.
ns1.example.com. 60      IN A      192.0.2.2
"
    );
}

fn any_name() -> impl Strategy<Value = Name> {
    proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..20), 0..4).prop_map(
        |labels| {
            labels.iter().fold(name("example.com."), |below, label| {
                below.child(label).unwrap()
            })
        },
    )
}

fn any_record() -> impl Strategy<Value = (Name, Rtype, Vec<u8>)> {
    (any_name(), any_rdata()).prop_map(|(owner, (rtype, data))| (owner, rtype, data))
}

proptest! {
    /// Whatever octets names and data have, what is printed reads back to the same zone.
    #[test]
    fn a_printed_zone_reads_back(records in proptest::collection::vec(any_record(), 0..30), ttl in 0..=i32::MAX as u32) {
        let origin = name("example.com.");
        let mut editor = ZoneImage::empty(origin.clone()).edit();
        for (owner, rtype, wire) in records {
            editor.set(&owner, rtype, RrSet::new(rtype, ttl, [wire])).unwrap();
        }
        let image = editor.finish().0;
        let text = print(&image);
        let parsed = parse(text.as_bytes(), &origin, &no_files);
        prop_assert_eq!(&parsed.problems, &vec![]);
        prop_assert_eq!(parsed.records.len(), text.lines().count() - 1);
        let back = ZoneImage::from_records(origin, parsed.records).unwrap();
        prop_assert_eq!(back.digest(), image.digest());
        prop_assert_eq!(print(&back), text);
    }

    /// No text makes the reader panic, however near to a record it is.
    #[test]
    fn any_text_is_survived(
        lines in proptest::collection::vec(
            (any::<u8>(), proptest::collection::vec((0..56usize, "[ -~]{0,12}"), 0..12)),
            0..20,
        )
    ) {
        const WORDS: [&str; 32] = [
            "\n", " ", "(", ")", "\"", "\\", "\\#", ";", "@", "$ORIGIN", "$GENERATE 1-3", "A", "NS",
            "1", "0", "255", "65536", "20240101000000", "alpn=", "ipv4hint=", "key0=", "mandatory=",
            "port=\"1\"", "a.b.", "a", "ech=", "00FF", "AA==", "SHA-256", "\\255", "\u{e9}", "*",
        ];
        let text: String = lines
            .iter()
            .map(|(rtype, words)| {
                let words: Vec<&str> = words
                    .iter()
                    .map(|(at, free)| WORDS.get(*at).copied().unwrap_or(free.as_str()))
                    .collect();
                format!("x 1 {} {}\n", Rtype(u16::from(*rtype)), words.join(" "))
            })
            .collect();
        read(&text);
    }
}
