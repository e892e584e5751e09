//! Rows at the end of the audit that others wrote, altered or took away.

use super::*;

/// What others do to an audit of three rows; what is told of it, and whether a row of its own says so.
const DEEDS: [(&str, &str, bool); 8] = [
    (
        "UPDATE audit SET hash = x'00' WHERE id = 3",
        "row 3, the last one written, is not",
        true,
    ),
    (
        "UPDATE audit SET hash = zeroblob(32) WHERE id = 3",
        "is not as it was",
        true,
    ),
    (
        "DELETE FROM audit WHERE id = 3",
        "row 3, the last one written, is gone",
        true,
    ),
    ("DELETE FROM audit", "is gone", true),
    (
        "UPDATE meta SET value = 'x' WHERE key = 'audit_head'",
        "noted of its last row",
        true,
    ),
    (
        "DELETE FROM meta WHERE key = 'audit_head'",
        "noted of its last row",
        true,
    ),
    (
        "UPDATE meta SET value = '9223372036854775807 ' || substr(value, 3) WHERE key = 'audit_head'",
        "noted of its last row",
        true,
    ),
    (
        "UPDATE audit SET id = -9223372036854775808 WHERE id = 1",
        "row -9223372036854775808 was",
        false,
    ),
];

fn do_to(s: &Scratch, deed: &str) {
    s.by_hand(&format!(
        "DROP TRIGGER IF EXISTS audit_update; DROP TRIGGER IF EXISTS audit_delete; {deed}"
    ));
}

/// A row of a stranger with everything that the table asks for.
fn stranger(id: i64) -> String {
    format!(
        "INSERT INTO audit (id, reference, at_us, path, actor, outcome, reason, rcode, detail,
            duration_us, previous, hash)
         VALUES ({id}, 'X{id}', 0, 'p', 'a', 'refused', '', 'REFUSED', '{{}}', 0, x'', x'')"
    )
}

fn outcomes(s: &Scratch) -> Vec<(i64, String)> {
    let history = History::open(&s.settings()).unwrap();
    let mut rows: Vec<(i64, String)> = history
        .list(None, 99)
        .unwrap()
        .into_iter()
        .map(|row| (row.id, row.outcome))
        .collect();
    rows.sort();
    rows
}

#[test]
fn whatever_others_do_to_the_end_of_the_audit_it_is_told_and_goes_on() {
    for (deed, told, is_row) in DEEDS {
        let mut s = scratch();
        s.add_audits(&[("a", "committed"), ("a", "committed"), ("a", "committed")]);
        do_to(&s, deed);
        let tx = s.store.begin().unwrap();
        let flaws = tx.audit_flaws().unwrap();
        let sentence = flaws.altered.or(flaws.strangers).unwrap_or_default();
        assert!(sentence.contains(told), "{deed}: {sentence}");
        drop(tx);
        s.add_audits(&[("a", "committed"), ("a", "refused")]);
        let rows = outcomes(&s);
        let continued = rows.iter().filter(|(_, outcome)| outcome == "continued");
        assert_eq!(continued.count(), usize::from(is_row), "{deed}: {rows:?}");
        assert_eq!(rows.last().unwrap().1, "refused", "{deed}: {rows:?}");
        // Once written on, the end is whole again, and what came before is not.
        let tx = s.store.begin().unwrap();
        assert_eq!(tx.audit_flaws().unwrap().altered, None, "{deed}");
        drop(tx);
        let found = verify(&s.settings(), None).unwrap();
        // Nothing shows in the rows where only the note beside them was lost.
        assert_eq!(
            found.whole,
            deed.contains("meta"),
            "{deed}: {:?}",
            found.faults
        );
    }
}

#[test]
fn rows_of_strangers_take_no_id_that_is_needed_and_are_told_with_the_way_out() {
    for ids in [vec![i64::MAX], vec![4], vec![4, 5, i64::MAX - 1, i64::MAX]] {
        let mut s = scratch();
        s.add_audits(&[("a", "committed"), ("a", "committed"), ("a", "committed")]);
        ids.iter().for_each(|id| s.by_hand(&stranger(*id)));
        s.add_audits(&[("a", "refused"), ("a", "refused")]);
        let ours: Vec<i64> = outcomes(&s)
            .into_iter()
            .filter(|(_, outcome)| outcome == "continued")
            .map(|(id, _)| id)
            .collect();
        let gap = ids.iter().filter(|id| **id < 10).count() as i64;
        assert_eq!(
            ours,
            if gap == 0 { vec![] } else { vec![4 + gap] },
            "{ids:?}"
        );
        assert!(!verify(&s.settings(), None).unwrap().whole, "{ids:?}");
        if ids != [i64::MAX] {
            continue;
        }
        let tx = s.store.begin().unwrap();
        let told = tx.audit_flaws().unwrap().strangers.unwrap();
        drop(tx);
        let (_, mend) = told.split_once("in sqlite3: ").unwrap();
        s.by_hand(mend.split_once(" (").unwrap().0);
        let found = verify(&s.settings(), None).unwrap();
        assert!(found.whole, "{:?}", found.faults);
    }
}

#[test]
fn a_revision_number_that_none_can_follow_does_not_count() {
    let mut s = scratch();
    s.by_hand("UPDATE zone SET revision = 9223372036854775807");
    let tx = s.store.begin().unwrap();
    tx.restore_zone(&name(ZONE), 1).unwrap();
    tx.commit().unwrap();
    let before = image(&company());
    assert_eq!(commit(&mut s.store, &before, &before, 2), 2);
}

#[test]
fn numbers_at_the_ends_of_what_there_is_make_nothing_panic() {
    let mut s = scratch();
    for number in [i64::MAX, i64::MIN] {
        s.by_hand(&format!(
            "INSERT INTO revision (zone, number, at_us, path, actor, old_serial, new_serial, digest, diff)
             SELECT zone, {number}, at_us, path, actor, old_serial, new_serial,
                 digest, diff FROM revision WHERE number = 1"
        ));
    }
    s.by_hand(&stranger(i64::MIN));
    s.by_hand(&stranger(i64::MAX));
    assert!(!verify(&s.settings(), None).unwrap().whole);
    let history = History::open(&s.settings()).unwrap();
    let end = u64::try_from(i64::MAX).unwrap();
    for (from, to) in [(end, end), (1, end), (0, u64::MAX)] {
        let _ = history.between(&name(ZONE), from, to);
    }
    let tx = s.store.begin().unwrap();
    tx.prune(Retention::default(), i64::MAX).unwrap();
    tx.prune(Retention::default(), i64::MIN).unwrap();
}
