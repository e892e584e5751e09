//! Every refusal says why, in four ways: `why`, class CHAOS, the extended error, one line of the log.

use domain::tsig::Algorithm;
use hickory_proto::op::ResponseCode;

use crate::harness::lab::{Lab, PUBLIC_SECRET};
use crate::harness::library::{self, Transport, Update};

/// A refused emptying of `api`, and the reference that the log has for it.
fn refuse(lab: &Lab) -> String {
    assert_eq!(
        lab.update("zone example.com\nupdate delete api.example.com. A"),
        "REFUSED"
    );
    let status = lab.status("example.com.");
    let reference = status["last_refusal"]["reference"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    assert!(reference.len() >= 4, "{status}");
    reference
}

fn emptying(edns: bool) -> Update {
    library::update("example.com.", library::demo_key(), edns, |section| {
        section.delete_a("api.example.com.");
    })
}

#[test]
fn why_tells_the_rule_the_numbers_and_what_would_pass() {
    let lab = Lab::demo();
    let reference = refuse(&lab);
    let text = lab.cli(&["why", &reference]).expect_ok();
    for word in [
        &reference,
        "min-members",
        "api.example.com.",
        "demo.",
        "REFUSED",
    ] {
        assert!(text.contains(word), "{word} in:\n{text}");
    }
    let value = lab.cli(&["--json", "why", &reference]).json();
    assert_eq!(value["rule"], "min-members", "{value}");
    assert_eq!(value["outcome"], "refused", "{value}");
    assert_eq!(value["reference"], reference.as_str(), "{value}");
    assert!(!value.to_string().contains(PUBLIC_SECRET), "never a secret");

    let ran = lab.cli(&["why", "ZZZZZZ"]);
    assert_eq!(ran.code, Some(1), "{ran}");
}

#[test]
fn the_last_refusal_is_asked_for_with_dig() {
    let lab = Lab::demo();
    let key = format!("-y hmac-sha256:demo:{PUBLIC_SECRET}");
    let reference = refuse(&lab);
    for tcp in ["", " +tcp"] {
        let reply = lab.dig(&format!("{key} CH TXT last-refusal.demo.lastgood.{tcp}"));
        assert_eq!(reply.status, "NOERROR", "{}", reply.text);
        let text = reply.answer.join(" ");
        assert!(
            text.contains(&reference) && text.contains("min-members"),
            "{}",
            reply.text
        );
        assert!(!reply.text.contains("Couldn't verify"), "{}", reply.text);
    }
    // Not for other keys, nor for strangers that say a wrong secret.
    let wrong = "-y hmac-sha256:demo:d3Jvbmcgd3Jvbmcgd3Jvbmcgd3Jvbmcgd3Jvbmcgd3I=";
    let reply = lab.dig(&format!("{wrong} CH TXT last-refusal.demo.lastgood."));
    assert_eq!(reply.status, "NOTAUTH", "{}", reply.text);
    let reply = lab.dig(&format!("{key} CH TXT last-refusal.acme.lastgood."));
    assert!(reply.answer.is_empty(), "{}", reply.text);
}

#[test]
fn the_extended_error_of_a_refusal_names_rule_and_reference() {
    let lab = Lab::demo();
    for transport in [Transport::Udp, Transport::Tcp] {
        let response = emptying(true).send(lab.v4(), transport);
        assert_eq!(response.metadata.response_code, ResponseCode::Refused);
        let errors = library::extended_errors(&response);
        let [(code, text)] = errors.as_slice() else {
            panic!("one extended error: {errors:?}");
        };
        assert_eq!(*code, 0, "{text}");
        let reference = text
            .strip_prefix("guard=min-members ref=")
            .expect("guard and reference");
        lab.cli(&["why", reference]).expect_ok();

        let plain = emptying(false).send(lab.v4(), transport);
        assert!(plain.edns.is_none(), "no EDNS asked, none given");
    }
}

#[test]
fn the_extended_error_tells_prohibited_and_frozen_apart() {
    let lab = Lab::demo();
    let config = lab.read("lastgood.toml");
    let secret = config
        .split("secret = \"")
        .nth(2)
        .and_then(|rest| rest.split('"').next());
    let acme = library::key("acme.", Algorithm::Sha512, secret.expect("the key acme."));
    let forbidden = library::update("example.com.", acme, true, |section| {
        section.add_a("x.example.com.", [192, 0, 2, 1]);
    });
    let response = forbidden.send(lab.v4(), Transport::Udp);
    assert_eq!(response.metadata.response_code, ResponseCode::Refused);
    assert_eq!(codes(&response), [18]);

    lab.cli(&["freeze", "--reason", "quiet"]).expect_ok();
    let response = emptying(true).send(lab.v4(), Transport::Udp);
    assert_eq!(response.metadata.response_code, ResponseCode::Refused);
    assert_eq!(codes(&response), [14]);
}

fn codes(response: &hickory_proto::op::Message) -> Vec<u16> {
    library::extended_errors(response)
        .into_iter()
        .map(|(code, _)| code)
        .collect()
}

#[test]
fn the_log_has_what_was_let_in_and_what_was_not() {
    let lab = Lab::demo();
    assert_eq!(
        lab.update("zone example.com\nupdate add x.example.com. 60 A 192.0.2.1"),
        "NOERROR"
    );
    let reference = refuse(&lab);
    let text = lab.cli(&["log"]).expect_ok();
    assert!(
        text.contains(&reference) && text.contains("min-members"),
        "{text}"
    );
    let rows = lab.cli(&["--json", "log", "example.com."]).json();
    let rows = rows.as_array().expect("rows");
    let outcomes: Vec<_> = rows
        .iter()
        .filter_map(|row| row["outcome"].as_str())
        .collect();
    assert!(
        outcomes.contains(&"committed") && outcomes.contains(&"refused"),
        "{outcomes:?}"
    );
    assert!(
        rows.iter()
            .any(|row| row["reference"] == reference.as_str()),
        "{rows:?}"
    );
}

#[test]
fn the_reason_survives_a_restart() {
    let mut lab = Lab::demo();
    let reference = refuse(&lab);
    lab.stop();
    let offline = lab.cli(&["why", &reference]);
    assert!(offline.ok(), "without a server: {offline}");
    lab.start();
    assert!(
        lab.cli(&["why", &reference])
            .expect_ok()
            .contains("min-members")
    );
}
