//! One small zone for each situation that a look-up can come upon (`zones/situations`), asked with dig.

use std::fs;

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RecordType;

use crate::harness::dig::Reply;
use crate::harness::lab::{self, Lab};
use crate::harness::library::{self, Transport};

/// A server for every zone of the folder.
fn every_situation() -> Lab {
    let mut config = lab::head();
    let mut files = Vec::new();
    for entry in fs::read_dir(lab::zones().join("situations")).expect("the situations") {
        let path = entry.expect("a file").path();
        let file = path
            .file_name()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        let zone = file.strip_suffix(".zone").expect("a zone file");
        config += &format!("[[zone]]\nname = \"{zone}.\"\nfile = \"{file}\"\n");
        files.push((
            file.clone(),
            fs::read_to_string(&path).expect("a zone file"),
        ));
    }
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(name, text)| (name.as_str(), text.as_str()))
        .collect();
    Lab::of(&config, &files)
}

/// `host.cname.test. 300 IN A 192.0.2.1` of the zone cname.test as `host A 192.0.2.1`.
fn short(record: &str, zone: &str) -> String {
    let mut words: Vec<String> = record.split(' ').map(str::to_owned).collect();
    words.drain(1..3);
    for word in &mut words {
        let apex = format!("{zone}.");
        if *word == apex {
            *word = "@".to_owned();
        } else if let Some(relative) = word.strip_suffix(&format!(".{apex}")) {
            *word = relative.to_owned();
        }
    }
    if words[1] == "SOA" {
        "SOA".to_owned()
    } else {
        words.join(" ")
    }
}

fn shortened(records: &[String], zone: &str) -> Vec<String> {
    let mut records: Vec<String> = records.iter().map(|record| short(record, zone)).collect();
    records.sort();
    records
}

/// The response in one line: `NOERROR aa; answer, answer; authority`.
fn told(reply: &Reply, zone: &str) -> String {
    let aa = if reply.has("aa") { " aa" } else { "" };
    let line = format!(
        "{}{aa}; {}; {}",
        reply.status,
        shortened(&reply.answer, zone).join(", "),
        shortened(&reply.authority, zone).join(", ")
    );
    line.trim_end().to_owned()
}

/// Each line: a question relative to the zone, `=`, and the response as `told` tells it.
fn check(lab: &Lab, zone: &str, table: &str) {
    let mut wrong = Vec::new();
    for line in table.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (question, expected) = line.split_once(" = ").expect("question = response");
        let (name, rtype) = question.trim().split_once(' ').expect("a name and a type");
        let name = if name == "@" {
            zone.to_owned()
        } else {
            format!("{name}.{zone}")
        };
        for tcp in ["", " +tcp"] {
            let reply = lab.dig(&format!("-q {name} -t {}{tcp}", rtype.trim()));
            let told = told(&reply, zone);
            if told != expected.trim() {
                wrong.push(format!(
                    "{question}{tcp}\n  is {told}\n not {}",
                    expected.trim()
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn the_apex_answers_with_its_data() {
    check(
        &every_situation(),
        "apex.test",
        "
        @ A     = NOERROR aa; @ A 192.0.2.1; 
        @ NS    = NOERROR aa; @ NS ns1.example.net., @ NS ns2.example.net.; 
        @ SOA   = NOERROR aa; SOA; 
        @ TXT   = NOERROR aa; ; SOA
        @ DS    = NOERROR aa; ; SOA
        www A   = NXDOMAIN aa; ; SOA
    ",
    );
}

#[test]
fn a_name_without_the_type_is_no_error_and_a_missing_one_is() {
    check(
        &every_situation(),
        "nodata.test",
        "
        host AAAA      = NOERROR aa; ; SOA
        text A         = NOERROR aa; ; SOA
        below.host A   = NOERROR aa; below.host A 192.0.2.2; 
        nothing A      = NXDOMAIN aa; ; SOA
        nothing.host A = NXDOMAIN aa; ; SOA
        a.b.c.d A      = NXDOMAIN aa; ; SOA
    ",
    );
}

#[test]
fn an_empty_non_terminal_exists() {
    check(
        &every_situation(),
        "ent.test",
        "
        a.b.c A      = NOERROR aa; a.b.c A 192.0.2.1; 
        b.c A        = NOERROR aa; ; SOA
        c A          = NOERROR aa; ; SOA
        x.b.c A      = NXDOMAIN aa; ; SOA
        x.c A        = NXDOMAIN aa; ; SOA
        _udp SRV     = NOERROR aa; ; SOA
        all TXT      = NOERROR aa; ; SOA
        est.of.all A = NOERROR aa; ; SOA
        x.of.all A   = NXDOMAIN aa; ; SOA
    ",
    );
}

#[test]
fn a_wildcard_covers_what_does_not_exist_and_nothing_else() {
    check(
        &every_situation(),
        "wildcard.test",
        "
        any A          = NOERROR aa; any A 192.0.2.1; 
        deeper.any A   = NOERROR aa; deeper.any A 192.0.2.1; 
        any MX         = NOERROR aa; any MX 10 mail.example.net.; 
        any AAAA       = NOERROR aa; ; SOA
        * A            = NOERROR aa; * A 192.0.2.1; 
        host A         = NOERROR aa; ; SOA
        x.host A       = NXDOMAIN aa; ; SOA
        ent A          = NOERROR aa; ; SOA
        x.ent A        = NXDOMAIN aa; ; SOA
        leaf.ent A     = NOERROR aa; leaf.ent A 192.0.2.2; 
        alias A        = NOERROR aa; ; SOA
        x.alias CNAME  = NOERROR aa; x.alias CNAME host; 
        x.alias TXT    = NOERROR aa; host TXT \"not covered\", x.alias CNAME host; 
        x.alias A      = NOERROR aa; x.alias CNAME host; SOA
        sub.*.odd TXT  = NOERROR aa; sub.*.odd TXT \"an asterisk inside\"; 
        *.odd TXT      = NOERROR aa; ; SOA
        x.odd TXT      = NOERROR aa; ; SOA
        sub.x.odd TXT  = NOERROR aa; ; SOA
        x.cut A        = NOERROR; ; cut NS ns.example.net.
    ",
    );
}

#[test]
fn an_alias_is_followed_inside_its_zone() {
    check(&every_situation(), "cname.test", "
        chain1 A      = NOERROR aa; chain1 CNAME chain2, chain2 CNAME chain3, chain3 CNAME chain4, chain4 A 192.0.2.4; 
        chain1 MX     = NOERROR aa; chain1 CNAME chain2, chain2 CNAME chain3, chain3 CNAME chain4; SOA
        chain1 CNAME  = NOERROR aa; chain1 CNAME chain2; 
        dangling A    = NXDOMAIN aa; dangling CNAME nothing; SOA
        nodata A      = NOERROR aa; nodata CNAME text; SOA
        outside A     = NOERROR aa; outside CNAME host.example.net.; 
        wild A        = NOERROR aa; covered.by.wild-card A 192.0.2.5, wild CNAME covered.by.wild-card; 
        wild-card A   = NOERROR aa; ; SOA
        referred A    = NOERROR aa; referred CNAME host.cut; cut NS ns.example.net.
    ");
}

#[test]
fn aliases_in_a_circle_end() {
    let lab = every_situation();
    for (name, first) in [("self", "self"), ("ping", "pong"), ("one", "two")] {
        for tcp in ["", " +tcp"] {
            let reply = lab.dig(&format!("{name}.loop.test A{tcp}"));
            assert!(
                shortened(&reply.answer, "loop.test").contains(&format!("{name} CNAME {first}")),
                "{}",
                reply.text
            );
        }
    }
    assert_eq!(lab.data("host.loop.test A"), ["192.0.2.1"]);
}

#[test]
fn below_a_dname_every_name_is_an_alias() {
    let lab = every_situation();
    check(&lab, "dname.test", "
        old A         = NOERROR aa; ; SOA
        old TXT       = NOERROR aa; old TXT \"data at the owner stay\"; 
        old DNAME     = NOERROR aa; old DNAME new; 
        host.old A    = NOERROR aa; host.new A 192.0.2.2, host.old CNAME host.new, old DNAME new; 
        nothing.old A = NXDOMAIN aa; nothing.old CNAME nothing.new, old DNAME new; SOA
        alias.old A   = NOERROR aa; alias.new CNAME host.new, alias.old CNAME alias.new, host.new A 192.0.2.2, old DNAME new; 
        a.b.away A    = NOERROR aa; a.b.away CNAME a.b.example.net., away DNAME example.net.; 
    ");
    let prefix = "x".repeat(60);
    let reply = lab.dig(&format!("{prefix}.long.dname.test A"));
    assert_eq!(reply.status, "YXDOMAIN", "{}", reply.text);
    assert!(reply.answer[0].contains("DNAME"), "{}", reply.text);
}

#[test]
fn a_delegation_is_referred_with_the_glue_it_needs() {
    let lab = every_situation();
    check(
        &lab,
        "delegation.test",
        "
        host.in A      = NOERROR; ; in NS ns1.in, in NS ns2.in
        in NS          = NOERROR; ; in NS ns1.in, in NS ns2.in
        in A           = NOERROR; ; in NS ns1.in, in NS ns2.in
        ns1.in A       = NOERROR; ; in NS ns1.in, in NS ns2.in
        hidden.in TXT  = NOERROR; ; in NS ns1.in, in NS ns2.in
        in DS          = NOERROR aa; ; SOA
        x.sibling A    = NOERROR; ; sibling NS ns1.in
        x.outside A    = NOERROR; ; outside NS ns.example.net.
        x.ours A       = NOERROR; ; ours NS host
        host A         = NOERROR aa; host A 192.0.2.3; 
    ",
    );
    let glue = |words: &str| shortened(&lab.dig(words).additional, "delegation.test");
    assert_eq!(
        glue("x.in.delegation.test A"),
        [
            "ns1.in A 192.0.2.1",
            "ns1.in AAAA 2001:db8::1",
            "ns2.in A 192.0.2.2"
        ]
    );
    assert_eq!(
        glue("x.sibling.delegation.test A"),
        ["ns1.in A 192.0.2.1", "ns1.in AAAA 2001:db8::1"]
    );
    assert_eq!(glue("x.outside.delegation.test A"), [""; 0]);
    let reply = lab.dig("signed.delegation.test DS");
    assert!(reply.has("aa") && reply.answer.len() == 1, "{}", reply.text);
}

#[test]
fn an_answer_that_does_not_fit_is_truncated_and_whole_over_tcp() {
    let lab = every_situation();
    for (name, rtype, records) in [
        ("many.longtxt.test.", RecordType::TXT, 12),
        ("strings.longtxt.test.", RecordType::TXT, 1),
        ("addresses.longtxt.test.", RecordType::A, 40),
    ] {
        for edns in [None, Some(512), Some(1232), Some(4096), Some(65535)] {
            let request = library::query(name, rtype, edns);
            let octets = request.to_vec().expect("a request");
            let response = library::exchange(lab.v4(), Transport::Udp, &octets);
            let limit = usize::from(edns.unwrap_or(512).min(1232));
            assert!(
                response.len() <= limit,
                "{name} {edns:?}: {} octets",
                response.len()
            );
            let response = library::ask(lab.v4(), Transport::Udp, &request);
            assert_eq!(response.edns.is_some(), edns.is_some());
            let fits = name.starts_with("addresses") && limit == 1232;
            assert_eq!(response.metadata.truncation, !fits, "{name} {edns:?}");
            let whole = library::ask(lab.v6(), Transport::Tcp, &request);
            assert!(!whole.metadata.truncation);
            assert_eq!(whole.answers.len(), records, "{name} {edns:?}");
        }
    }
    // dig turns to TCP by itself.
    assert_eq!(lab.dig("many.longtxt.test TXT").answer.len(), 12);
}

#[test]
fn data_of_every_type_come_as_they_were_given() {
    let lab = every_situation();
    for (words, data) in [
        ("caa.types.test CAA", "0 issue \"ca.example.net\""),
        ("svcb.types.test TYPE64", "0 svc.example.net."),
        (
            "tlsa._tcp.types.test TLSA",
            "3 1 1 0D6FCE13243AA7F1B3C5A5B0B4F9E28D6C6B8E2F0C7D9A1B2C3D4E5F 60718293",
        ),
        (
            "naptr.types.test NAPTR",
            "100 10 \"U\" \"E2U+sip\" \"!^.*$!sip:info@example.net!\" .",
        ),
        ("hinfo.types.test HINFO", "\"PC\" \"Linux\""),
        (
            "loc.types.test LOC",
            "52 22 23.000 N 4 53 32.000 E -2.00m 0.00m 10000m 10m",
        ),
        ("unknown.types.test TYPE65280", "\\# 4 0A000001"),
        ("dotted\\.label.types.test A", "192.0.2.1"),
        (
            "with\\032space.types.test TXT",
            "\"quoted \\\"text\\\" and \\\\ backslash\"",
        ),
        ("mixed.types.test A", "192.0.2.2"),
    ] {
        assert_eq!(lab.data(words), [data], "{words}");
    }
    let https = library::query("https.types.test.", RecordType::HTTPS, None);
    let response = library::ask(lab.v4(), Transport::Udp, &https);
    assert_eq!(response.metadata.response_code, ResponseCode::NoError);
    let text = response.answers[0].to_string();
    assert!(text.contains("h2") && text.contains("192.0.2.1"), "{text}");
}
