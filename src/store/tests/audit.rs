//! The audit, its hash chain, and freezes.

use serde_json::json;

use super::*;
use crate::store::audit::normal_reference;

#[test]
fn the_audit_is_read_back_by_its_reference_zone_and_actor() {
    let mut s = scratch();
    let references = s.add_audits(&[
        ("a", "refused"),
        ("b", "refused"),
        ("a", "committed"),
        ("b", "refused"),
    ]);
    assert_eq!(references[0].len(), 4);
    let history = History::open(&s.settings()).unwrap();
    let row = history
        .audit(&references[0].to_lowercase())
        .unwrap()
        .unwrap();
    assert_eq!(
        (row.actor.as_str(), row.outcome.as_str(), row.ede),
        ("a", "refused", Some(0))
    );
    assert_eq!(row.detail, json!({"rules": [1, 2]}));
    assert_eq!(history.audit("????").unwrap(), None);
    let listed = |rows: Vec<AuditRow>| {
        rows.into_iter()
            .map(|row| row.reference)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        listed(history.list(None, 2).unwrap()),
        [references[3].clone(), references[2].clone()]
    );
    assert_eq!(listed(history.list(Some(&name(ZONE)), 9).unwrap()), [""; 0]);
    assert_eq!(
        listed(history.last_refusals().unwrap()),
        [references[0].clone(), references[3].clone()]
    );
    assert!(
        serde_json::to_string(&row)
            .unwrap()
            .contains("\"reference\"")
    );
    assert_eq!(normal_reference("o1-iL"), "0111");
}

#[test]
fn a_retransmission_is_found_by_its_mac() {
    let mut s = scratch();
    let tx = s.store.begin().unwrap();
    let reference = tx
        .add_audit(NewAudit {
            mac: Some(b"mac"),
            revision: Some(7),
            rcode: "NOERROR",
            ..audit("a", "committed")
        })
        .unwrap();
    assert_eq!(tx.find_mac(b"mac", 5).unwrap(), Some((7, reference, 0)));
    assert_eq!(tx.find_mac(b"mac", 6).unwrap(), None);
    assert_eq!(tx.find_mac(b"other", 0).unwrap(), None);
}

#[test]
fn tampering_with_the_audit_is_found() {
    let tampering = [
        (
            "UPDATE audit SET reason = 'none' WHERE id = 2",
            "its columns do not give its hash",
        ),
        (
            "UPDATE audit SET rule = NULL WHERE id = 2",
            "its columns do not give its hash",
        ),
        (
            "DELETE FROM audit WHERE id = 2",
            "rows before this one are missing",
        ),
        (
            "DELETE FROM audit WHERE id = 3",
            "the last one written was another",
        ),
        ("DELETE FROM audit", "the last one written was another"),
        (
            "UPDATE audit SET previous = zeroblob(32) WHERE id = 3",
            "the hash of the row before",
        ),
        ("DELETE FROM meta", "the last one written was another"),
    ];
    for (sql, sentence) in tampering {
        let mut s = scratch();
        s.add_audits(&[("a", "refused"), ("a", "refused")]);
        s.add_audits(&[("a", "refused")]);
        assert!(matches!(s.chain(), Chain::Whole { rows: 3, .. }));
        if sql.contains(" audit") {
            let refused = s.person().execute_batch(sql).unwrap_err().to_string();
            assert!(refused.contains("audit rows are never"), "{refused}");
        }
        s.by_hand(&format!(
            "DROP TRIGGER audit_update; DROP TRIGGER audit_delete; {sql}"
        ));
        match s.chain() {
            Chain::Broken { reason, .. } => assert!(reason.contains(sentence), "{reason}"),
            whole => panic!("{sql}: {whole:?}"),
        }
    }
}

#[test]
fn freezes_last_until_they_are_cleared() {
    let mut s = scratch();
    let tx = s.store.begin().unwrap();
    tx.set_freeze("zone example.com.", "move", "cli root", 9)
        .unwrap();
    tx.set_freeze("zone example.com.", "still", "cli root", 10)
        .unwrap();
    tx.commit().unwrap();
    let frozen = (
        "zone example.com.".to_owned(),
        10,
        "still".to_owned(),
        "cli root".to_owned(),
    );
    assert_eq!(s.store.freezes().unwrap(), [frozen]);
    let tx = s.store.begin().unwrap();
    assert!(tx.clear_freeze("zone example.com.").unwrap());
    assert!(!tx.clear_freeze("server").unwrap());
    tx.commit().unwrap();
    assert_eq!(s.store.freezes().unwrap(), []);
}

#[test]
fn history_reads_beside_the_server_and_without_it_and_cannot_write() {
    let mut s = scratch();
    s.add_audits(&[("a", "refused")]);
    let settings = s.settings();
    let rows = || {
        History::open(&settings)
            .unwrap()
            .list(None, 9)
            .unwrap()
            .len()
    };
    assert_eq!(rows(), 1);
    let reader = open::read_only(&settings).unwrap();
    assert!(reader.execute_batch("DELETE FROM record").is_err());
    drop(reader);
    s.store.close().unwrap();
    assert_eq!(rows(), 1);
}
