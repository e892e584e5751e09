//! Well-known services, of which a name has one per address and protocol (RFC 2136 §3.4.2.2).

use super::*;

// Address, protocol (6: TCP, 17: UDP), bits of ports; in the form of RFC 3597.
const TCP: &str = "w 60 WKS \\# 6 C000020106 40";
const UDP: &str = "w 60 WKS \\# 6 C000020111 40";
const OTHER: &str = "w 60 WKS \\# 6 C000020206 40";
const TCP_ANEW: &str = "w 60 WKS \\# 7 C000020106 0080";

fn after(requests: &[&str]) -> Vec<String> {
    let before = image(&[APEX, TCP, UDP, OTHER].join("\n"));
    let request = requests
        .iter()
        .fold(Request::new(), |request, text| request.add(text));
    let applied = update(&before, request).unwrap();
    assert_eq!(applied.diff, Diff::between(&before, &applied.after));
    assert_eq!(applied.ignored, [""; 0]);
    lines(&applied.after)
}

fn zone(records: &[&str]) -> Vec<String> {
    lines(&image(&format!("{APEX}\n{}", records.join("\n"))))
}

#[test]
fn a_service_takes_the_place_of_that_of_the_same_address_and_protocol_alone() {
    assert_eq!(after(&[TCP_ANEW]), zone(&[TCP_ANEW, UDP, OTHER]));
    // Within one message too: the last one counts.
    let third = "w 60 WKS \\# 6 C000020106 01";
    assert_eq!(after(&[TCP_ANEW, third]), zone(&[third, UDP, OTHER]));
    assert_eq!(after(&[TCP]), zone(&[TCP, UDP, OTHER]));
    let further = "w 60 WKS \\# 6 C000020211 40";
    assert_eq!(after(&[further]), zone(&[TCP, UDP, OTHER, further]));
}

#[test]
fn data_too_short_to_name_a_service_replace_nothing() {
    let short = "w 60 WKS \\# 4 C0000201";
    assert_eq!(after(&[short]), zone(&[TCP, UDP, OTHER, short]));
}
