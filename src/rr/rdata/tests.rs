use proptest::prelude::*;

use super::testing::{any_rdata, of_type, own_forms};
use super::*;

mod bindings;

fn rtype(text: &str) -> Rtype {
    text.parse().unwrap()
}

/// What is read from zone text under the origin `example.`, written again.
fn rewritten(type_text: &str, data: &str) -> Result<String, String> {
    let origin: Name = "example.".parse().unwrap();
    let mut tokens = Vec::new();
    if let Some(opening) = Lexer::new(data.as_bytes()).entry(&mut tokens) {
        opening.unwrap();
    }
    let wire = from_tokens(rtype(type_text), &tokens, Some(&origin));
    let wire = wire.map_err(|error| format!("{}: {}", error.token, error.reason))?;
    Ok(to_text(rtype(type_text), &wire))
}

/// Type, data as they may be written, data as we write them (`=`: the same).
const WRITTEN: &[(&str, &str, &str)] = &[
    ("A", "192.0.2.1", "="),
    ("A", "\\# 4 C0 00 0201", "192.0.2.1"),
    ("TYPE1", "192.0.2.1", "="),
    ("AAAA", "2001:DB8:0::1", "2001:db8::1"),
    ("NS", "@", "example."),
    ("CNAME", "WwW", "WwW.example."),
    ("DNAME", "a\\.b.\\000\\@.", "a\\.b.\\000\\@."),
    ("PTR", ".", "="),
    ("MB", "a", "a.example."),
    ("MG", "a", "a.example."),
    ("MR", "a", "a.example."),
    (
        "SOA",
        "ns h\\.m 1 2h 1w2d 4S 5",
        "ns.example. h\\.m.example. 1 7200 777600 4 5",
    ),
    ("HINFO", "PC \"a b\"", "\"PC\" \"a b\""),
    ("MINFO", "a b.", "a.example. b."),
    ("MX", "10 mail", "10 mail.example."),
    (
        "TXT",
        "a \"b c\" \\\"\\;d \"\" \\065\\200",
        "\"a\" \"b c\" \"\\\";d\" \"\" \"A\\200\"",
    ),
    ("SPF", "\"v=spf1 -all\"", "="),
    ("RP", "a b", "a.example. b.example."),
    ("AFSDB", "1 a", "1 a.example."),
    ("X25", "311061700956", "\"311061700956\""),
    ("ISDN", "150862028003217 004", "\"150862028003217\" \"004\""),
    ("ISDN", "1", "\"1\""),
    ("RT", "1 a", "1 a.example."),
    ("NSAP", "0x47.0005.80", "0x47000580"),
    ("PX", "10 a b", "10 a.example. b.example."),
    (
        "GPOS",
        "-32.6882 116.8652 10.0",
        "\"-32.6882\" \"116.8652\" \"10.0\"",
    ),
    (
        "SIG",
        "A RSASHA256 2 60 20300101000000 1577836800 1 a aGVs bG8=",
        "A 8 2 60 20300101000000 20200101000000 1 a.example. aGVsbG8=",
    ),
    ("KEY", "256 3 8 aGVsbG8=", "="),
    ("KEY", "49152 3 8", "="),
    (
        "LOC",
        "52 22 23.000 N 4 53 32.000 E -2.00m 0.00m 10000m 10m",
        "52 22 23.000 N 4 53 32.000 E -2.00m 0m 10000m 10m",
    ),
    (
        "LOC",
        "90 S 180 w 1.5",
        "90 0 0.000 S 180 0 0.000 W 1.50m 1m 10000m 10m",
    ),
    (
        "LOC",
        "0 0 .5 N 0 59 59.999 E 42849672.95M 90000000 0.01",
        "!",
    ),
    (
        "LOC",
        "0 0 0.5 N 0 59 59.999 E 42849672.95M 90000000 0.01",
        "0 0 0.500 N 0 59 59.999 E 42849672.95m 90000000m 0.01m 10m",
    ),
    ("SRV", "0 5 5060 sip", "0 5 5060 sip.example."),
    (
        "NAPTR",
        "1 2 u \"E2U+sip\" \"!^.*$!sip:a@b!\" .",
        "1 2 \"u\" \"E2U+sip\" \"!^.*$!sip:a@b!\" .",
    ),
    ("KX", "1 a", "1 a.example."),
    ("CERT", "PGP 0 0 aGVsbG8=", "3 0 0 aGVsbG8="),
    (
        "APL",
        "1:192.168.32.0/21 !1:192.168.38.0/28 2:FF00::/8",
        "1:192.168.32.0/21 !1:192.168.38.0/28 2:ff00::/8",
    ),
    ("APL", "", "="),
    ("DS", "1 8 9 AA bb", "1 8 9 AABB"),
    ("CDS", "0 0 0 00", "="),
    ("SSHFP", "1 1 aabb", "1 1 AABB"),
    ("IPSECKEY", "10 0 2 . aGVsbG8=", "="),
    ("IPSECKEY", "10 0 0 .", "="),
    ("IPSECKEY", "10 1 2 192.0.2.38 aGVsbG8=", "="),
    ("IPSECKEY", "10 2 2 2001:db8::1 aGVsbG8=", "="),
    (
        "IPSECKEY",
        "10 3 2 Gw aGVsbG8=",
        "10 3 2 Gw.example. aGVsbG8=",
    ),
    (
        "RRSIG",
        "TYPE65280 8 2 60 20300101000000 21060207062815 1 a aGVsbG8=",
        "TYPE65280 8 2 60 20300101000000 21060207062815 1 a.example. aGVsbG8=",
    ),
    ("NSEC", "a", "a.example."),
    (
        "NSEC",
        "A NS TYPE1 TYPE65280 RRSIG",
        "A.example. A NS RRSIG TYPE65280",
    ),
    ("DNSKEY", "256 3 ED25519 aGVsbG8=", "256 3 15 aGVsbG8="),
    ("CDNSKEY", "0 3 0 AA==", "="),
    (
        "DHCID",
        "AAIBY2/AuCccgoJbsaxcQc9TUapptP69lOjxfNuVAA2kjEA=",
        "=",
    ),
    (
        "NSEC3",
        "1 1 12 aabb 2t7b4g4vsa5smi47k61mv5bv1a22bojr MX CAA",
        "1 1 12 AABB 2T7B4G4VSA5SMI47K61MV5BV1A22BOJR MX CAA",
    ),
    ("NSEC3PARAM", "1 0 0 -", "="),
    ("TLSA", "3 1 1 aabb", "3 1 1 AABB"),
    ("SMIMEA", "3 1 1 AABB", "="),
    (
        "HIP",
        "2 200100107b1a74df AwEAAbdx rvs a.",
        "2 200100107B1A74DF AwEAAbdx rvs.example. a.",
    ),
    ("OPENPGPKEY", "aGVs bG8=", "aGVsbG8="),
    ("CSYNC", "66 3 AAAA A", "66 3 A AAAA"),
    ("ZONEMD", "1 1 1 AABB", "="),
    ("SVCB", "0 a", "0 a.example."),
    (
        "HTTPS",
        "1 . port=\"53\" alpn=h2,h3 mandatory=port,alpn ipv4hint=192.0.2.1,192.0.2.2 no-default-alpn",
        "1 . mandatory=alpn,port alpn=h2,h3 no-default-alpn port=53 ipv4hint=192.0.2.1,192.0.2.2",
    ),
    (
        "SVCB",
        "1 . alpn=f\\\\\\\\oo\\\\,bar,h2",
        "1 . alpn=\"f\\\\\\\\oo\\\\,bar,h2\"",
    ),
    (
        "SVCB",
        "1 . ech=\"aGVsbG8=\" ipv6hint=2001:db8::1",
        "1 . ech=aGVsbG8= ipv6hint=2001:db8::1",
    ),
    (
        "SVCB",
        "1 . key1=\\002h2 key667=\"a b\" key668",
        "1 . alpn=h2 key667=\"a b\" key668",
    ),
    ("SVCB", "1 . dohpath=/q{?dns}", "1 . key7=\"/q{?dns}\""),
    ("EUI48", "00-00-5E-00-53-2a", "00-00-5e-00-53-2a"),
    ("EUI64", "00-00-5e-ef-10-00-00-2a", "="),
    ("NID", "10 14:4fff:ff20:ee64", "10 0014:4fff:ff20:ee64"),
    ("L32", "10 10.1.2.0", "="),
    ("L64", "10 2001:0DB8:1140:1000", "10 2001:0db8:1140:1000"),
    ("LP", "10 a", "10 a.example."),
    ("URI", "10 1 \"ftp://f/\"", "="),
    ("URI", "10 1 \"\"", "="),
    ("CAA", "0 issue ca", "0 issue \"ca\""),
    ("AVC", "a", "\"a\""),
    ("DLV", "1 8 9 AABB", "="),
    ("TYPE65280", "\\# 3 ab C dEF", "\\# 3 ABCDEF"),
    ("TYPE65280", "\\# 0", "="),
    ("EID", "\\# 1 00", "="),
];

#[test]
fn every_type_is_read_and_written_in_its_own_form() {
    for (type_text, data, written) in WRITTEN {
        let found = rewritten(type_text, data);
        match *written {
            "!" => assert!(found.is_err(), "{type_text} {data}: {found:?}"),
            "=" => assert_eq!(found.as_deref(), Ok(*data), "{type_text} {data}"),
            _ => assert_eq!(found.as_deref(), Ok(*written), "{type_text} {data}"),
        }
    }
    let missing: Vec<Rtype> = own_forms()
        .into_iter()
        .filter(|own| !matches!(own.0, 3 | 4))
        .filter(|own| !WRITTEN.iter().any(|(text, ..)| rtype(text) == *own))
        .collect();
    assert_eq!(missing, []);
}

#[test]
fn what_is_wrong_is_named_by_its_token_with_what_was_expected() {
    for (type_text, data, expected) in [
        (
            "A",
            "192.0.2.300",
            "0: expected an IPv4 address, read 192.0.2.300",
        ),
        (
            "A",
            "\"192.0.2.1\"",
            "0: expected an IPv4 address, read \"192.0.2.1\"",
        ),
        ("A", "", "0: expected an IPv4 address, but the record ends"),
        (
            "A",
            "192.0.2.1 x",
            "1: expected the end of the record, read x",
        ),
        ("A", "\\# 3 C00002", "2: they end too early"),
        (
            "A",
            "\\# 4 C00002",
            "2: expected 4 octets in hexadecimal, read 3",
        ),
        (
            "A",
            "\\# 4 C000021",
            "2: expected an even number of hexadecimal digits, read C000021",
        ),
        ("MX", "x a", "0: expected a number from 0 to 65535, read x"),
        (
            "MX",
            "+1 a",
            "0: expected a number from 0 to 65535, read +1",
        ),
        (
            "MX",
            "1 a..b",
            "1: expected a name, read a..b: a label is empty",
        ),
        (
            "TXT",
            "\\256",
            "0: expected text in which a backslash is followed by a character or three digits up to 255, read \\256",
        ),
        (
            "LOC",
            "91 N 0 E 0",
            "0: expected degrees from 0 to 90, minutes and seconds up to 59, N or S, read 91",
        ),
        (
            "DS",
            "1 8 2 AABB",
            "3: a digest of type 2 has 32 octets, this one 2",
        ),
        (
            "DS",
            "1 8 2",
            "3: expected hexadecimal digits, but the record ends",
        ),
        (
            "CAA",
            "0 is-sue x",
            "1: expected a property tag: letters and digits, up to 255, read is-sue",
        ),
        (
            "SVCB",
            "1 . mandatory=alpn",
            "2: alpn is mandatory and not there",
        ),
        (
            "SVCB",
            "1 . alpn=h2 alpn=h3",
            "3: expected each parameter once, read alpn=h3",
        ),
        (
            "SVCB",
            "1 . port=\"x\"",
            "3: expected a port from 0 to 65535, read \"x\"",
        ),
        (
            "SVCB",
            "1 . no-default-alpn=x",
            "2: expected no value, read no-default-alpn=x",
        ),
        (
            "RRSIG",
            "A 8 2 60 20301301000000 0 1 a AA==",
            "4: expected a time as YYYYMMDDHHmmSS, or seconds since 1970, read 20301301000000",
        ),
        (
            "TYPE65280",
            "x",
            "0: expected \\# LENGTH HEX, the form of TYPE65280 data (RFC 3597 §5)",
        ),
        (
            "IPSECKEY",
            "1 4 0 . AA==",
            "2: expected a gateway type from 0 to 3, read 4",
        ),
        (
            "EUI48",
            "00-00-5e-00-53-2",
            "0: expected six octets as 00-00-5e-00-53-2a, read 00-00-5e-00-53-2",
        ),
        (
            "NSEC3",
            "1 0 0 - 2T7 NONSENSE",
            "4: expected a hash in base32 with extended alphabet, read 2T7",
        ),
        (
            "CSYNC",
            "1 2 NONSENSE",
            "2: expected a record type, read NONSENSE",
        ),
    ] {
        assert_eq!(
            rewritten(type_text, data),
            Err(expected.to_owned()),
            "{type_text} {data}"
        );
    }
}

#[test]
fn rows_cannot_smuggle_a_second_record() {
    for (rtype, text) in [
        (Rtype::A, "192.0.2.1\nx. 0 IN A 192.0.2.2"),
        (Rtype::A, "192.0.2.1\n$INCLUDE /etc/passwd"),
        (Rtype::A, "192.0.2.1 192.0.2.2"),
        (Rtype::A, ""),
        (Rtype::A, "\\# 3 000000"),
        (Rtype::CNAME, "relative"),
        (Rtype::CNAME, "@"),
        (Rtype::OPT, "\\# 0"),
        (Rtype::A, "192.0.2.1 ("),
        (Rtype::A, "192.0.2.1 )"),
        (Rtype::A, "192.0.2.1 \"x"),
        (Rtype::TXT, "a text("),
        (Rtype::TXT, "(\"a)\" ;)"),
        (Rtype::TXT, "\\# 0"),
    ] {
        assert!(from_text(rtype, text).is_err(), "{rtype} {text:?}");
    }
    assert_eq!(
        from_text(Rtype::A, "300.1.1.1").unwrap_err().to_string(),
        "A data do not parse: expected an IPv4 address, read 300.1.1.1"
    );
    assert_eq!(
        *from_text(Rtype::A, "192.0.2.1 ; a note").unwrap(),
        [192, 0, 2, 1]
    );
}

/// Type and octets that name, and mostly others, refuse too.
#[test]
fn malformed_wire_data_of_known_types_are_refused() {
    for (type_text, octets) in [
        ("A", &b"\xC0\0\x02"[..]),
        ("A", b"\xC0\0\x02\x01\x01"),
        ("AAAA", b"\0"),
        ("NS", b""),
        ("NS", b"\x02a"),
        ("NS", b"\0\0"),
        ("MX", b"\0"),
        ("TXT", b""),
        ("TXT", b"\x05a"),
        ("HINFO", b"\x01a"),
        ("SOA", b"\0\0\0\0\0\x01"),
        ("LOC", b"\0"),
        ("LOC", b"\0\0\0\0\x80\0\0\0\x80\0\0\0\0\0\0"),
        ("LOC", b"\0\xA0\0\0\x80\0\0\0\x80\0\0\0\0\0\0\0"),
        ("LOC", b"\0\0\0\0\xFF\0\0\0\x80\0\0\0\0\0\0\0"),
        ("NSEC", b"\0\0\x01\0"),
        ("NSEC", b"\0\0\x21"),
        ("NSEC", b"\0\x01\x01\x40\0\x01\x40"),
        ("NSEC3", b"\x01\0\0\0\0\0"),
        ("DNSKEY", b"\x01\0\x03\x08"),
        ("IPSECKEY", b"\x01\x04\0"),
        ("HIP", b"\0\x02\0\x01a"),
        ("CAA", b"\0\0x"),
        ("CAA", b"\0\x01-x"),
        ("SVCB", b"\0\x01\0\0\x03\0\x01\x35"),
        ("SVCB", b"\0\x01\0\0\x03\0\x02\0\x35\0\x01\0\x03\x02h2"),
        ("SVCB", b"\0\x01\0\0\0\0\x02\0\x01"),
        ("APL", b"\0\x01\x21\x01\x0A"),
        ("APL", b"\0\x01\x18\x02\x0A\0"),
        ("DS", b"\0\x01\x08\x02\xAA"),
        ("EUI48", b"\0\0\0\0\0"),
        ("NAPTR", b"\0\x01\0\x01\0\0\0"),
    ] {
        let rtype = rtype(type_text);
        assert!(check(rtype, octets).is_err(), "{rtype} {octets:?}");
        assert!(
            from_message(rtype, octets, 0, octets.len()).is_err(),
            "{rtype} {octets:?}"
        );
        assert!(
            from_text(rtype, &generic_text(octets)).is_err(),
            "{rtype} {octets:?}"
        );
    }
}

#[test]
fn what_its_own_form_cannot_say_is_written_in_the_generic_one() {
    for (type_text, octets) in [
        // A size of nought times ten: on the wire it differs from nought.
        (
            "LOC",
            &b"\0\x01\x16\x13\x80\0\0\0\x80\0\0\0\0\x98\x96\x80"[..],
        ),
        // A version and an address family of which nothing is known.
        ("LOC", b"\x01\x02"),
        ("APL", b"\0\x01\x08\x01\x0A\0\x03\xFF\x02\xAA\0"),
    ] {
        let text = to_text(rtype(type_text), octets);
        assert_eq!(text, generic_text(octets));
        assert_eq!(*from_text(rtype(type_text), &text).unwrap(), *octets);
    }
}

#[test]
fn names_in_a_message_are_uncompressed_and_keep_their_case() {
    let mut message = vec![0u8; 12];
    message.extend_from_slice(b"\x07Example\x00\x00\x0A\x01m\xC0\x0C");
    let rdata = from_message(Rtype::MX, &message, 21, 6).unwrap();
    assert_eq!(*rdata, *b"\x00\x0A\x01m\x07Example\x00");
    assert_eq!(
        *canonical(Rtype::MX, &rdata),
        *b"\x00\x0A\x01m\x07example\x00"
    );
    assert_eq!(
        target(Rtype::MX, &rdata),
        Some("m.example.".parse().unwrap())
    );
    assert!(from_message(Rtype::A, &message, 21, 6).is_err());
    assert!(from_message(Rtype::A, &message, 21, 60).is_err());
    // Types younger than RFC 3597 have no pointers.
    assert!(from_message(rtype("LP"), &message, 21, 6).is_err());
    assert!(from_message(rtype("KX"), &message, 21, 6).is_err());
    assert!(from_message(rtype("AFSDB"), &message, 21, 6).is_ok());
}

#[test]
fn names_are_compared_without_case_in_the_types_of_rfc_4034_alone() {
    for (type_text, data, is_lowered) in [
        ("NS", "A.", true),
        ("MINFO", "A. B.", true),
        ("RP", "A. B.", true),
        ("AFSDB", "1 A.", true),
        ("PX", "1 A. B.", true),
        ("SRV", "1 2 3 A.", true),
        ("KX", "1 A.", true),
        ("DNAME", "A.", true),
        ("RRSIG", "A 8 2 60 0 0 1 A. AA==", true),
        ("NSEC", "A. A", false),
        ("SVCB", "1 A.", false),
        ("LP", "1 A.", false),
        ("HIP", "2 AA AA== A.", false),
        ("TXT", "A.", false),
    ] {
        let wire = from_text(rtype(type_text), data).unwrap();
        let is_changed = *canonical(rtype(type_text), &wire) != *wire;
        assert_eq!(is_changed, is_lowered, "{type_text}");
    }
    // The strings of a NAPTR keep theirs.
    let wire = from_text(Rtype::NAPTR, "1 2 U X Y A.").unwrap();
    let text = to_text(Rtype::NAPTR, &canonical(Rtype::NAPTR, &wire));
    assert_eq!(text, "1 2 \"U\" \"X\" \"Y\" a.");
}

#[test]
fn every_type_has_octets_of_its_own_to_be_tested_with() {
    for rtype in own_forms() {
        let octets: Vec<u8> = (0..120u8).map(|n| n.wrapping_mul(7) | 1).collect();
        for data in [of_type(rtype, &[]), of_type(rtype, &octets)] {
            assert_eq!(check(rtype, &data), Ok(()), "{rtype} {data:?}");
            let text = to_text(rtype, &data);
            assert!(!text.starts_with("\\#"), "{rtype} {text}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn what_is_written_reads_back_to_the_same_octets((rtype, data) in any_rdata()) {
        prop_assert_eq!(check(rtype, &data), Ok(()));
        for text in [to_text(rtype, &data), generic_text(&data)] {
            let back = from_text(rtype, &text);
            prop_assert_eq!(back.as_deref(), Ok(&data[..]), "{} {}", rtype, text);
        }
        let lowered = canonical(rtype, &data).into_owned();
        prop_assert_eq!(check(rtype, &lowered), Ok(()));
        prop_assert!(lowered.eq_ignore_ascii_case(&data));
        let copied = from_message(rtype, &data, 0, data.len());
        prop_assert_eq!(copied.as_deref(), Ok(&data[..]));
    }

    /// Octets that nobody meant to be data of the type.
    #[test]
    fn what_is_accepted_from_strangers_can_be_written(
        (rtype, mut data) in any_rdata(),
        flips in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
    ) {
        for (at, octet) in flips {
            if !data.is_empty() {
                *at.get_mut(&mut data) = octet;
            }
        }
        for octets in [&data[..], &data[..cut.index(data.len() + 1)]] {
            let _ = from_message(rtype, octets, 0, octets.len());
            if check(rtype, octets).is_ok() {
                let text = to_text(rtype, octets);
                let back = from_text(rtype, &text);
                prop_assert_eq!(back.as_deref(), Ok(octets), "{} {}", rtype, text);
            }
        }
    }
}
