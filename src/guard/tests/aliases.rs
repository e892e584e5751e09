//! Protected names whose alias leads to where nothing can be counted.

use super::*;

fn unavailable(target: &str) -> Count {
    Count {
        via_unavailable: Some(name(target)),
        end: "a zone that cannot be served".into(),
        ..Count::default()
    }
}

#[test]
fn an_alias_into_a_zone_that_cannot_be_served_is_kept_until_it_can() {
    let lost = || unavailable("x.lost.test.");
    assert!(min_members_refuses(2, lost(), count(0)));
    assert!(min_members_refuses(2, lost(), unavailable("y.lost.test.")));
    assert!(min_members_refuses(2, lost(), outside("x.elsewhere.")));
    assert!(!min_members_refuses(2, lost(), lost()));
    // Anything that is there is better than what is not, though it is too little.
    assert!(!min_members_refuses(2, lost(), count(1)));
    assert!(!min_members_refuses(2, lost(), outside("cdn.example.net.")));
    // And nobody is led there who can be served.
    assert!(min_members_refuses(2, count(2), lost()));
    assert!(min_members_refuses(1, count(1), lost()));
    assert!(!min_members_refuses(1, count(0), lost()));
    let case = Case {
        counted: vec![counted(2, lost(), count(0))],
        ..Case::default()
    };
    let reason = case.reason();
    assert!(
        reason.contains("its alias leads to x.lost.test., in a zone that cannot be served now"),
        "{reason}"
    );
}
