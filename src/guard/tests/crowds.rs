//! Changes that very many names have to do with: what is said of them stays readable.

use super::*;

#[test]
fn a_change_that_thousands_of_protected_names_lose_by_is_refused_in_a_few_sentences() {
    let verdict = |after| {
        Case {
            counted: vec![counted(1, count(1), count(after)); 10_000],
            ..Case::default()
        }
        .judge()
    };
    let refused = verdict(0).refusal.expect("they lose all");
    assert_eq!(refused.rule, "min-members");
    assert!(
        refused.reason.ends_with("; and 9995 more"),
        "{}",
        refused.reason
    );
    assert!(refused.reason.len() < 1_000, "{}", refused.reason);
    let passed = verdict(1);
    assert!(passed.rules.iter().all(|rule| rule.text.len() < 1_000));
}

#[test]
fn of_thousands_of_protected_names_those_that_lose_something_are_the_ones_named() {
    let mut all = vec![counted(1, count(3), count(3)); 10_000];
    all.push(counted(1, count(3), count(2)));
    let judged = Case {
        counted: all,
        ..Case::default()
    }
    .judge();
    let said = judged.rules.iter().find(|rule| rule.rule == "min-members");
    let text = &said.expect("it judged").text;
    assert!(
        text.starts_with("api.example.com. A: 3 to 2, at least 1"),
        "{text}"
    );
}
