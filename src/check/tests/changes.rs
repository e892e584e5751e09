//! What a change adds, wherever in the zone.

use super::*;

#[test]
fn what_a_zone_already_had_is_not_added_by_an_unrelated_change() {
    let mut lines = vec![SOA];
    lines.extend(NS);
    lines.extend(["a CNAME a.example.com.", "@ NS gone.example.com."]);
    let before = image(&lines);
    lines.push("b A 192.0.2.1");
    let after = image(&lines);
    let diff = Diff::between(&before, &after);
    let limits = Limits::default();
    assert_eq!(
        told(&added(&before, &diff, &after, &limits)),
        [] as [&str; 0]
    );
    let diff = Diff::between(&after, &before);
    assert_eq!(
        told(&added(&after, &diff, &before, &limits)),
        [] as [&str; 0]
    );
}

/// What is added when the records of `goes` leave a good zone that has those of `stays` too, and
/// those of `comes` enter.
fn added_by(stays: &[&str], goes: &[&str], comes: &[&str]) -> Vec<String> {
    let zone = |extra: &[&str]| image(&[&[SOA], &NS[..], stays, extra].concat());
    let (before, after) = (zone(goes), zone(comes));
    let diff = Diff::between(&before, &after);
    let limits = Limits::default();
    let found = added(&before, &diff, &after, &limits);
    let old = full(&before, &limits);
    let mut expected = full(&after, &limits);
    expected.retain(|finding| !old.contains(finding));
    assert_eq!(told(&found), told(&expected));
    told(&found)
}

#[test]
fn findings_far_from_the_change_are_found() {
    assert_eq!(
        added_by(
            &[
                "@ MX 10 mail.example.com.",
                "www CNAME mail.example.com.",
                "w CNAME www.example.com."
            ],
            &["mail A 192.0.2.25"],
            &[],
        ),
        [
            "warning mx-no-address @ mail.example.com.",
            "warning alias-no-data w www.example.com.",
            "warning alias-no-data www mail.example.com.",
        ]
    );
    assert_eq!(
        added_by(
            &[
                "a CNAME x.d.example.com.",
                "d DNAME e.example.com.",
                "e DNAME f.example.com.",
                "y.f A 192.0.2.1"
            ],
            &["x.f A 192.0.2.1"],
            &[],
        ),
        ["warning alias-no-data a x.d.example.com."],
        "through two DNAMEs"
    );
    assert_eq!(
        added_by(
            &[
                "a CNAME y.d.example.com.",
                "d DNAME t.example.com.",
                "* A 192.0.2.1"
            ],
            &[],
            &["t A 192.0.2.1"],
        ),
        ["warning alias-no-data a y.d.example.com."],
        "a name that comes shuts out the wildcard from those that a DNAME leads below it"
    );
    assert_eq!(
        added_by(
            &["a CNAME x.w.example.com.", "*.w CNAME t.example.com."],
            &["t A 192.0.2.1"],
            &[],
        ),
        [
            "warning alias-no-data a x.w.example.com.",
            "warning alias-no-data *.w t.example.com.",
        ],
        "through a wildcard"
    );
    assert_eq!(
        added_by(
            &["@ MX 10 x.y.w.example.com.", "*.w A 192.0.2.1"],
            &[],
            &["z.y.w A 192.0.2.1"]
        ),
        ["warning mx-no-address @ x.y.w.example.com."],
        "an empty non-terminal shuts out the wildcard"
    );
}

#[test]
fn findings_around_a_delegation_follow_its_name_servers() {
    assert_eq!(
        added_by(
            &["ns.sub A 192.0.2.1"],
            &["sub NS ns.sub.example.com."],
            &["sub NS ns1.example.com."],
        ),
        ["warning glue-orphan ns.sub A"]
    );
    let glue = |count| -> Vec<String> {
        (0..count)
            .map(|n| format!("ns.sub A 192.0.2.{n}"))
            .collect()
    };
    let (few, many) = (glue(20), glue(200));
    fn lines(glue: &[String]) -> Vec<&str> {
        glue.iter().map(String::as_str).collect()
    }
    assert_eq!(
        added_by(&["sub NS ns.sub.example.com."], &lines(&few), &lines(&many),),
        ["warning referral-large sub"]
    );
    assert_eq!(
        added_by(
            &[
                "@ MX 10 x.sub.example.com.",
                "x.sub A 192.0.2.1",
                "y.sub TXT \"x\""
            ],
            &[],
            &["sub NS ns1.example.com."],
        ),
        ["warning glue-orphan x.sub A", "warning occluded y.sub TXT"]
    );
}
