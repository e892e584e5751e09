//! Zones with one error each.

use super::*;

#[test]
fn ns_target_without_address() {
    assert_eq!(
        with(&["@ NS ns9.example.com."]),
        ["error ns-no-address @ ns9.example.com."]
    );
    assert_eq!(
        with(&["sub NS NS9.example.com.", "ns9 TXT \"x\""]),
        ["error ns-no-address sub ns9.example.com."]
    );
    sound(&["sub NS ns9.w.example.com.", "*.w A 192.0.2.1"]);
    assert_eq!(
        with(&[
            "sub NS ns9.w.example.com.",
            "*.w A 192.0.2.1",
            "x.ns9.w TXT \"x\""
        ]),
        ["error ns-no-address sub ns9.w.example.com."],
        "an empty non-terminal is not covered by the wildcard"
    );
}

#[test]
fn ns_target_that_is_an_alias() {
    assert_eq!(
        with(&["@ NS a.example.com.", "a CNAME ns1.example.com."]),
        ["error ns-alias @ a.example.com."]
    );
    assert_eq!(
        with(&["@ NS x.d.example.com.", "d DNAME example.net."]),
        ["error ns-alias @ x.d.example.com."]
    );
    assert_eq!(
        with(&["@ NS a.w.example.com.", "*.w CNAME ns1.example.com."]),
        ["error ns-alias @ a.w.example.com."]
    );
}

#[test]
fn glue_missing() {
    assert_eq!(
        with(&["sub NS ns.sub.example.com.", "sub NS ns1.example.com."]),
        ["error glue-missing sub ns.sub.example.com."]
    );
    assert_eq!(
        with(&["sub NS sub.example.com."]),
        ["error glue-missing sub sub.example.com."]
    );
    sound(&["sub NS sub.example.com.", "sub A 192.0.2.1"]);
    // The glue of a sibling is that sibling's to have.
    sound(&["a NS ns.b.example.com.", "b NS ns1.example.com."]);
}

#[test]
fn data_below_a_dname() {
    assert_eq!(
        with(&["d DNAME example.net.", "x.y.d A 192.0.2.1", "d TXT \"x\""]),
        ["error below-dname x.y.d A"]
    );
}

#[test]
fn ns_beside_a_dname_off_the_apex() {
    assert_eq!(
        with(&["d DNAME example.net.", "d NS ns1.example.com."]),
        ["error ns-beside-dname d"]
    );
    let apex = of(&[SOA, "@ NS ns.example.net.", NS[1], "@ DNAME example.net."]);
    assert_eq!(apex, [] as [&str; 0]);
}

#[test]
fn alias_loops() {
    let alone = with(&["a CNAME a.example.com."]);
    assert_eq!(alone, ["error alias-loop a a.example.com."]);
    assert_eq!(
        with(&[
            "a CNAME b.example.com.",
            "b CNAME c.example.com.",
            "c CNAME b.example.com."
        ]),
        [
            "error alias-loop a b.example.com.",
            "error alias-loop b c.example.com.",
            "error alias-loop c b.example.com.",
        ]
    );
    assert_eq!(
        with(&["d DNAME x.d.example.com."]),
        ["error alias-loop d x.d.example.com."]
    );
    assert_eq!(
        with(&["d DNAME e.example.com.", "e DNAME d.example.com."]),
        [
            "error alias-loop d e.example.com.",
            "error alias-loop e d.example.com.",
        ]
    );
    assert_eq!(
        with(&["a CNAME x.w.example.com.", "*.w CNAME a.example.com."]),
        [
            "error alias-loop a x.w.example.com.",
            "error alias-loop *.w a.example.com.",
        ]
    );
}

#[test]
fn ds_where_no_delegation_is() {
    let ds = "DS 1 13 2 0000000000000000000000000000000000000000000000000000000000000000";
    assert_eq!(
        with(&[&format!("a {ds}"), &format!("@ {ds}")]),
        [
            "error ds-without-delegation @",
            "error ds-without-delegation a"
        ]
    );
}

#[test]
fn ns_and_other_data_below_a_cut() {
    assert_eq!(
        with(&[
            "sub NS ns.sub.example.com.",
            "ns.sub A 192.0.2.1",
            "x.sub NS ns2.example.net.",
            "y.sub TXT \"x\"",
            "sub MX 10 ns1.example.com.",
            "z.sub AAAA 2001:db8::1",
        ]),
        [
            "error ns-below-cut x.sub",
            "warning occluded sub MX",
            "warning occluded y.sub TXT",
            "warning glue-orphan z.sub AAAA",
        ]
    );
}

#[test]
fn mx_or_srv_target_that_is_an_alias() {
    assert_eq!(
        with(&[
            "@ MX 10 a.example.com.",
            "_sip._tcp SRV 0 5 5060 a.example.com.",
            "a CNAME ns1.example.com.",
        ]),
        [
            "error mx-alias @ a.example.com.",
            "error srv-alias _sip._tcp a.example.com.",
        ]
    );
}
