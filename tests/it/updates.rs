//! Updates that are let in, and requests that are wrong: what nsupdate, knsupdate and a library see.

use std::process::Command;

use domain::tsig::Algorithm;
use hickory_proto::op::ResponseCode;

use crate::harness::lab::{self, Lab, PUBLIC_SECRET};
use crate::harness::library::{self, Transport};
use crate::harness::programs;

#[test]
fn an_added_record_is_served_when_nsupdate_returns() {
    let lab = Lab::demo();
    for number in 1..=20 {
        let script =
            format!("zone example.com\nupdate add new{number}.example.com. 60 A 192.0.2.{number}");
        assert_eq!(lab.update(&script), "NOERROR");
        let data = lab.data(&format!("new{number}.example.com A"));
        assert_eq!(data, [format!("192.0.2.{number}")]);
    }
}

#[test]
fn a_protected_rrset_is_replaced_in_one_message() {
    let lab = Lab::demo();
    let status = lab.update(
        "zone example.com
         update delete api.example.com. A
         update add api.example.com. 60 A 192.0.2.20
         update add api.example.com. 60 A 192.0.2.21",
    );
    assert_eq!(status, "NOERROR");
    assert_eq!(lab.data("api.example.com A"), ["192.0.2.20", "192.0.2.21"]);
    assert_eq!(
        lab.data("developer.example.com A").len(),
        3,
        "seen through the alias as well"
    );
}

#[test]
fn updates_come_over_both_transports_and_both_families() {
    let lab = Lab::demo();
    let key = format!("hmac-sha256:demo:{PUBLIC_SECRET}");
    for (number, at) in [(1, lab.v4()), (2, lab.v6())] {
        for (transport, word) in [("udp", "-t"), ("tcp", "-v")] {
            let name = format!("{transport}{number}.example.com");
            let words: &[&str] = if word == "-v" {
                &["-v", "-y", &key]
            } else {
                &["-y", &key]
            };
            // A second `server` line replaces the first.
            let status = lab.nsupdate(
                words,
                &format!(
                    "server {} {}\nzone example.com\nupdate add {name}. 60 TXT {transport}",
                    at.ip(),
                    at.port()
                ),
            );
            assert_eq!(status, "NOERROR", "{name}");
            assert_eq!(
                lab.data(&format!("{name} TXT")),
                [format!("\"{transport}\"")]
            );
        }
    }
}

#[test]
fn nsupdate_finds_the_zone_by_itself() {
    let lab = Lab::demo();
    assert_eq!(
        lab.update("update add found.example.com. 60 A 192.0.2.1"),
        "NOERROR"
    );
    assert_eq!(
        lab.update("update add 99.2.0.192.in-addr.arpa. 60 PTR found.example.com."),
        "NOERROR"
    );
    assert_eq!(lab.data("-x 192.0.2.99"), ["found.example.com."]);
}

#[test]
fn knsupdate_is_understood_as_well() {
    let lab = Lab::demo();
    let at = lab.v4();
    let mut command = Command::new("knsupdate");
    command.args(["-y", &format!("hmac-sha256:demo:{PUBLIC_SECRET}")]);
    let script = |line: &str| {
        format!(
            "server {} {}\nzone example.com.\n{line}\nsend\nquit\n",
            at.ip(),
            at.port()
        )
    };
    let ran = programs::run(
        &mut command,
        &script("update add knot.example.com. 60 A 192.0.2.5"),
    );
    assert!(ran.ok(), "{ran}");
    assert_eq!(lab.data("knot.example.com A"), ["192.0.2.5"]);
    let ran = programs::run(&mut command, &script("update delete api.example.com. A"));
    assert!(ran.both().contains("REFUSED"), "{ran}");
    assert_eq!(lab.data("api.example.com A").len(), 2);
}

#[test]
fn every_algorithm_signs() {
    let secret = "hmx1bmcgb2YgYSBrZXkgZm9yIHRlc3RzLCBsb25nIGVub3VnaCBmb3IgdGhlbSBhbGwsIHN1cmVseSE=";
    let mut config = lab::head();
    for algorithm in ["hmac-sha384", "hmac-sha512"] {
        config += &format!(
            "[[key]]\nname = \"{algorithm}.\"\nalgorithm = \"{algorithm}\"\nsecret = \"{secret}\"\n\
             allow = [{{ zone = \"a.test.\", names = [\"**\"] }}]\n"
        );
    }
    config += "[[zone]]\nname = \"a.test.\"\nfile = \"a.zone\"\n";
    let lab = Lab::of(&config, &[("a.zone", &lab::apex("a.test."))]);
    for (algorithm, kind) in [
        ("hmac-sha384", Algorithm::Sha384),
        ("hmac-sha512", Algorithm::Sha512),
    ] {
        let key = format!("{algorithm}:{algorithm}:{secret}");
        let script = format!("zone a.test\nupdate add {algorithm}.a.test. 60 A 192.0.2.1");
        assert_eq!(lab.update_as(&key, &script), "NOERROR", "{algorithm}");
        let key = library::key(&format!("{algorithm}."), kind, secret);
        let update = library::update("a.test.", key, false, |section| {
            section.add_a(&format!("{algorithm}.a.test."), [192, 0, 2, 2]);
        });
        let response = update.send(lab.v4(), Transport::Udp);
        assert_eq!(
            response.metadata.response_code,
            ResponseCode::NoError,
            "{algorithm}"
        );
        assert_eq!(
            lab.data(&format!("{algorithm}.a.test A")),
            ["192.0.2.1", "192.0.2.2"]
        );
    }
}

#[test]
fn a_wrong_key_no_key_and_a_key_without_the_right_change_nothing() {
    let lab = Lab::demo();
    let serial = lab.serial("example.com");
    let script = "zone example.com\nupdate add intruder.example.com. 60 A 192.0.2.66";
    let other = "d3Jvbmcgd3Jvbmcgd3Jvbmcgd3Jvbmcgd3Jvbmcgd3I=";
    let wrong = lab.update_as(&format!("hmac-sha256:demo:{other}"), script);
    assert!(wrong.starts_with("NOTAUTH"), "{wrong}");
    let unknown = lab.update_as(&format!("hmac-sha256:nobody:{other}"), script);
    assert!(unknown.starts_with("NOTAUTH"), "{unknown}");
    // The right secret under the wrong algorithm is another key.
    let algorithm = lab.update_as(&format!("hmac-sha512:demo:{PUBLIC_SECRET}"), script);
    assert!(algorithm.starts_with("NOTAUTH"), "{algorithm}");
    assert_eq!(lab.nsupdate(&[], script), "REFUSED");

    let acme = acme_key(&lab);
    assert_eq!(lab.update_as(&acme, script), "REFUSED");
    for line in [
        "update add _acme-challenge.www.example.com. 60 SRV 0 0 1 x.example.com.",
        "update add other.example.com. 60 TXT token",
        "update add x._acme-challenge.www.example.com. 60 TXT token",
        "update delete _dmarc.example.com.",
        "update delete www.example.com. CNAME",
    ] {
        assert_eq!(
            lab.update_as(&acme, &format!("zone example.com\n{line}")),
            "REFUSED",
            "{line}"
        );
    }
    let reverse = "zone 2.0.192.in-addr.arpa\nupdate add 1.2.0.192.in-addr.arpa. 60 TXT token";
    assert_eq!(lab.update_as(&acme, reverse), "REFUSED");
    assert_eq!(lab.serial("example.com"), serial);
    assert_eq!(lab.dig("intruder.example.com A").status, "NXDOMAIN");

    let allowed = "zone example.com\nupdate add _acme-challenge.www.example.com. 60 TXT token";
    assert_eq!(lab.update_as(&acme, allowed), "NOERROR");
    assert_eq!(
        lab.data("_acme-challenge.www.example.com TXT"),
        ["\"token\""]
    );
}

/// The second key of the demo, as `nsupdate -y` takes it.
fn acme_key(lab: &Lab) -> String {
    let config = lab.read("lastgood.toml");
    let stanza = config
        .split("name = \"acme.\"")
        .nth(1)
        .expect("the key acme.");
    let secret = stanza
        .split("secret = \"")
        .nth(1)
        .and_then(|rest| rest.split('"').next());
    format!("hmac-sha512:acme:{}", secret.expect("its secret"))
}

#[test]
fn a_message_is_taken_whole_or_not_at_all() {
    let lab = Lab::demo();
    let serial = lab.serial("example.com");
    let status = lab.update(
        "zone example.com
         update add first.example.com. 60 A 192.0.2.1
         update delete mail2.example.com. A
         update delete api.example.com. A
         update add last.example.com. 60 A 192.0.2.2",
    );
    assert_eq!(status, "REFUSED");
    assert_eq!(lab.dig("first.example.com A").status, "NXDOMAIN");
    assert_eq!(lab.dig("last.example.com A").status, "NXDOMAIN");
    assert_eq!(lab.data("mail2.example.com A"), ["198.51.100.25"]);
    assert_eq!(lab.data("api.example.com A").len(), 2);
    assert_eq!(lab.serial("example.com"), serial);
}

#[test]
fn the_serial_goes_up_with_each_change_and_only_then() {
    let lab = Lab::demo();
    let serial = lab.serial("example.com");
    let add = "zone example.com\nupdate add one.example.com. 60 A 192.0.2.1";
    assert_eq!(lab.update(add), "NOERROR");
    assert_eq!(lab.serial("example.com"), serial + 1);
    assert_eq!(lab.update(add), "NOERROR");
    assert_eq!(lab.serial("example.com"), serial + 1, "nothing changed");
    assert_eq!(
        lab.update("zone example.com\nupdate delete none.example.com."),
        "NOERROR"
    );
    assert_eq!(lab.serial("example.com"), serial + 1, "nothing changed");
    assert_eq!(
        lab.update("zone example.com\nupdate delete one.example.com."),
        "NOERROR"
    );
    assert_eq!(lab.serial("example.com"), serial + 2);
}

#[test]
fn a_serial_that_the_update_itself_raises_is_kept_and_an_older_one_is_ignored() {
    let lab = Lab::demo();
    let soa = |serial: u32| {
        format!(
            "zone example.com\nupdate add example.com. 3600 SOA ns1.example.com. \
             hostmaster.example.com. {serial} 7200 900 1209600 300"
        )
    };
    assert_eq!(lab.update(&soa(2_030_000_000)), "NOERROR");
    assert_eq!(lab.serial("example.com"), 2_030_000_000);
    assert_eq!(lab.update(&soa(5)), "NOERROR");
    assert_eq!(lab.serial("example.com"), 2_030_000_000);
}

#[test]
fn prerequisites_decide_and_say_which_kind_failed() {
    let lab = Lab::demo();
    let serial = lab.serial("example.com");
    for (prerequisite, status) in [
        ("prereq yxdomain nothing.example.com.", "NXDOMAIN"),
        ("prereq nxdomain api.example.com.", "YXDOMAIN"),
        ("prereq yxrrset chat.example.com. MX", "NXRRSET"),
        ("prereq nxrrset api.example.com. A", "YXRRSET"),
        ("prereq yxrrset api.example.com. A 192.0.2.10", "NXRRSET"),
    ] {
        let script = format!(
            "zone example.com\n{prerequisite}\nupdate add conditional.example.com. 60 A 192.0.2.1"
        );
        assert_eq!(lab.update(&script), status, "{prerequisite}");
    }
    assert_eq!(lab.dig("conditional.example.com A").status, "NXDOMAIN");
    assert_eq!(lab.serial("example.com"), serial);
    let script = "zone example.com
        prereq nxdomain conditional.example.com.
        prereq yxrrset api.example.com. A 192.0.2.10
        prereq yxrrset api.example.com. A 192.0.2.11
        update add conditional.example.com. 60 A 192.0.2.1";
    assert_eq!(lab.update(script), "NOERROR");
    assert_eq!(lab.update(script), "YXDOMAIN");
}

#[test]
fn a_zone_that_is_not_ours_is_not_updated() {
    let config = lab::head() + "[[zone]]\nname = \"a.test.\"\nfile = \"a.zone\"\n";
    let lab = Lab::of(&config, &[("a.zone", &lab::apex("a.test."))]);
    assert_eq!(
        lab.update("zone b.test\nupdate add x.b.test. 60 A 192.0.2.1"),
        "NOTAUTH"
    );
    assert_eq!(
        lab.update("zone x.a.test\nupdate add y.x.a.test. 60 A 192.0.2.1"),
        "NOTAUTH"
    );
    assert_eq!(
        lab.update("zone a.test\nupdate add x.b.test. 60 A 192.0.2.1"),
        "NOTZONE"
    );
}

#[test]
fn a_large_update_comes_over_tcp() {
    let lab = Lab::demo();
    let text = "t".repeat(200);
    let mut script = "zone example.com\n".to_owned();
    for number in 0..150 {
        script += &format!("update add bulk{number}.example.com. 60 TXT {text}\n");
    }
    assert_eq!(lab.update(&script), "NOERROR");
    for number in [0, 75, 149] {
        assert_eq!(
            lab.data(&format!("bulk{number}.example.com TXT")),
            [format!("\"{text}\"")]
        );
    }
    let serial = lab.serial("example.com");
    let update = library::update("example.com.", library::demo_key(), true, |section| {
        for number in 0..=255 {
            section.add_txt(&format!("wide{number}.example.com."), &text);
        }
    });
    assert!(
        update.octets.len() > 50_000,
        "a message near the limit of TCP"
    );
    let response = update.send(lab.v6(), Transport::Tcp);
    assert_eq!(response.metadata.response_code, ResponseCode::NoError);
    assert_eq!(lab.serial("example.com"), serial + 1);
    assert_eq!(lab.data("wide255.example.com TXT"), [format!("\"{text}\"")]);
}

#[test]
fn a_packet_that_is_sent_again_is_applied_once_and_answered_twice() {
    let lab = Lab::demo();
    let serial = lab.serial("example.com");
    let add = || {
        library::update("example.com.", library::demo_key(), false, |section| {
            section.add_a("again.example.com.", [192, 0, 2, 1]);
        })
    };
    let first = add();
    let response = library::exchange(lab.v4(), Transport::Udp, &first.octets);
    // In between, somebody else takes the record away: a second application would bring it back.
    assert_eq!(
        lab.update("zone example.com\nupdate delete again.example.com."),
        "NOERROR"
    );
    let again = library::exchange(lab.v4(), Transport::Udp, &first.octets);
    assert_eq!(response[3] & 15, 0, "NOERROR");
    assert_eq!(again[3] & 15, 0, "NOERROR");
    first.verify(again);
    assert_eq!(lab.dig("again.example.com A").status, "NXDOMAIN");
    assert_eq!(lab.serial("example.com"), serial + 2);
    assert_eq!(
        add().send(lab.v4(), Transport::Udp).metadata.response_code,
        ResponseCode::NoError
    );
    assert_eq!(
        lab.serial("example.com"),
        serial + 3,
        "a message of its own is applied"
    );
}

#[test]
fn what_rfc_2136_ignores_is_ignored_without_an_error_and_told_in_the_audit() {
    let lab = Lab::demo();
    let serial = lab.serial("example.com");
    let soa = |owner: &str, serial: u32| {
        format!(
            "update add {owner} 3600 SOA ns1.example.com. hostmaster.example.com. {serial} 7200 900 \
             1209600 300"
        )
    };
    let names = |line: &str| format!("update delete example.com. NS {line}.example.com.");
    let (first, second) = (names("ns1"), names("ns2"));
    for (lines, told) in [
        // RFC 2136 §3.4.2.2.
        (
            "update add chat.example.com. 60 CNAME api.example.com.",
            "chat.example.com. CNAME was not added",
        ),
        (
            "update add shop.example.com. 60 A 192.0.2.1",
            "shop.example.com. A was not added",
        ),
        (
            &soa("example.com.", serial),
            "example.com. SOA was not replaced",
        ),
        (&soa("example.com.", serial.wrapping_sub(1)), "is not after"),
        (
            &soa("chat.example.com.", serial + 9),
            "chat.example.com. SOA was not added",
        ),
        // §3.4.2.3, §3.4.2.4.
        (
            "update delete example.com. SOA",
            "example.com. keeps its SOA",
        ),
        ("update delete example.com. NS", "example.com. keeps its NS"),
        (
            "update delete chat.example.com. A 192.0.2.250\nupdate delete example.com. SOA",
            "keeps its SOA",
        ),
    ] {
        let script = format!("zone example.com\n{lines}");
        assert_eq!(lab.update(&script), "NOERROR", "{lines}");
        assert_eq!(lab.serial("example.com"), serial, "{lines}");
        let ignored = ignored_last(&lab);
        assert_eq!(ignored.len(), 1, "{lines}: {ignored:?}");
        assert!(ignored[0].contains(told), "{lines}: {ignored:?}");
    }
    assert_eq!(lab.data("chat.example.com CNAME"), [""; 0]);
    assert_eq!(lab.data("shop.example.com A").len(), 3);
    assert_eq!(lab.data("example.com SOA").len(), 1);
    // The last of the name servers stays; that it is the only one is what the guard refuses.
    let script = format!("zone example.com\n{first}\n{second}");
    assert_eq!(lab.update(&script), "REFUSED");
    let ignored = ignored_last(&lab);
    assert!(
        ignored[0].contains("example.com. keeps its last NS"),
        "{ignored:?}"
    );
    // With the rest done, and said.
    let script = "zone example.com
        update add chat.example.com. 60 CNAME api.example.com.
        update add rest.example.com. 60 A 192.0.2.1";
    assert_eq!(lab.update(script), "NOERROR");
    assert_eq!(lab.data("rest.example.com A"), ["192.0.2.1"]);
    assert_eq!(ignored_last(&lab).len(), 1);
}

/// What the last row of the audit says was ignored.
fn ignored_last(lab: &Lab) -> Vec<String> {
    let rows = lab
        .cli(&["--json", "log", "example.com.", "--limit", "1"])
        .json();
    let reference = rows[0]["reference"].as_str().expect("a reference");
    let row = lab.cli(&["--json", "why", reference]).json();
    let ignored = row["detail"]["ignored"].as_array().expect("a list");
    let texts = ignored.iter().map(|text| text.as_str().expect("a text"));
    texts.map(str::to_owned).collect()
}
