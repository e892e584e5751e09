//! Retention, verification, changes between revisions, backups.

use std::os::unix::fs::PermissionsExt;

use super::*;

const DAY_US: i64 = 86_400 * 1_000_000;

/// Revisions that change nothing, and an audit row for each, all of one moment.
fn add_old(store: &mut Store, count: usize, at_unix_us: i64) {
    let zone = name(ZONE);
    let after = image(&store.load(&zone).unwrap().records);
    let tx = store.begin().unwrap();
    for _ in 0..count {
        let diff = Diff::default();
        let new = NewRevision {
            at_unix_us,
            ..revision(&zone, &after, &diff, 1)
        };
        let number = tx.add_revision(new).unwrap();
        tx.add_audit(NewAudit {
            at_unix_us,
            zone: Some(&zone),
            revision: Some(number),
            new_serial: Some(1),
            ..audit("a", "committed")
        })
        .unwrap();
    }
    tx.commit().unwrap();
}

fn prune(store: &mut Store, now_unix_us: i64) -> Pruned {
    let tx = store.begin().unwrap();
    let pruned = tx.prune(Retention::default(), now_unix_us).unwrap();
    tx.commit().unwrap();
    pruned
}

impl Scratch {
    fn history(&self) -> History {
        History::open(&self.settings()).unwrap()
    }

    fn verify(&self, head: Option<&str>) -> Verification {
        self.history().verify(head).unwrap()
    }

    fn numbers(&self) -> (i64, i64, i64) {
        let sql = "SELECT min(number), max(number), count(*) FROM revision";
        let row = |row: &rusqlite::Row| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
        self.person().query_row(sql, [], row).unwrap()
    }
}

#[test]
fn what_is_old_goes_in_small_batches_and_a_thousand_always_stay() {
    let mut s = scratch();
    add_old(&mut s.store, 1_700, 1_000_000);
    let now = 200 * DAY_US;
    let first = prune(&mut s.store, now);
    assert_eq!((first.revisions, first.audit), (500, 500));
    while !prune(&mut s.store, now).is_nothing() {}
    assert_eq!(s.numbers(), (702, 1_701, 1_000));
    let found = s.verify(None);
    assert!(found.whole, "{found:#?}");
    assert!(found.audit_pruned >= 600, "{found:?}");
    assert!(found.audit_rows < 1_102, "{found:?}");
    let told: String = s
        .person()
        .query_row(
            "SELECT reason FROM audit WHERE outcome = 'checkpoint' ORDER BY id DESC LIMIT 1",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert!(told.starts_with("pruned "), "{told}");
}

#[test]
fn what_is_young_stays_however_much_it_is() {
    let mut s = scratch();
    add_old(&mut s.store, 1_200, 50 * DAY_US);
    // The one revision that the zone began with is older.
    let pruned = prune(&mut s.store, 100 * DAY_US);
    assert_eq!((pruned.revisions, pruned.audit), (1, 0));
    add_old(&mut s.store, 1_200, 90 * DAY_US);
    while !prune(&mut s.store, 150 * DAY_US).is_nothing() {}
    let (first, last, count) = s.numbers();
    assert_eq!((first, last, count), (1_202, 2_401, 1_200));
}

#[test]
fn a_pruned_audit_verifies_and_one_cut_off_by_hand_does_not() {
    let mut s = scratch();
    add_old(&mut s.store, 1_200, 1_000_000);
    let head = s.verify(None).head;
    assert!(!prune(&mut s.store, 200 * DAY_US).is_nothing());
    assert!(
        s.verify(Some(&head)).whole,
        "the head before is still on the chain"
    );
    let again = "DROP TRIGGER audit_update; DROP TRIGGER audit_delete;";
    s.by_hand(&format!(
        "{again} DELETE FROM audit WHERE id = (SELECT min(id) FROM audit)"
    ));
    let found = s.verify(None);
    assert!(!found.whole);
    assert!(
        found.faults[0].contains("rows before this one are missing"),
        "{found:?}"
    );
}

#[test]
fn the_head_of_a_checkpoint_is_known_after_its_row_has_gone() {
    let mut s = scratch();
    add_old(&mut s.store, 200, 1_000_000);
    let head = s.verify(None).head;
    add_old(&mut s.store, 1_000, 1_000_000);
    assert_eq!(prune(&mut s.store, 200 * DAY_US).audit, 200);
    let witness = s.verify(Some(&head)).witness.unwrap();
    assert_eq!(
        (witness.id, witness.reference, witness.since),
        (200, None, 1_001)
    );
}

#[test]
fn an_earlier_head_proves_that_nothing_was_rewritten() {
    let mut s = scratch();
    s.add_audits(&[("a", "refused"), ("a", "committed")]);
    let head = s.verify(None).head;
    let references = s.add_audits(&[("a", "refused")]);
    let found = s.verify(Some(&head.to_uppercase()));
    let witness = found.witness.unwrap();
    assert_eq!((witness.id, witness.since), (2, 1));
    assert_eq!(
        s.verify(Some(&found.head)).witness.unwrap().reference,
        Some(references[0].clone())
    );
    for wrong in ["", "12", &"0".repeat(64), &"g".repeat(64)] {
        let found = s.verify(Some(wrong));
        assert!(
            !found.whole && found.witness.is_none(),
            "{wrong}: {found:?}"
        );
    }
    // Somebody who computes the whole chain anew is found out by a head noted before.
    let mut other = scratch();
    other.add_audits(&[("b", "refused"), ("a", "committed")]);
    let found = other.verify(Some(&head));
    assert!(found.faults[0].contains("rewritten"), "{found:?}");
}

#[test]
fn whatever_was_changed_behind_the_servers_back_is_a_fault() {
    let silent =
        "DROP TRIGGER record_insert; DROP TRIGGER record_update; DROP TRIGGER record_delete;";
    for (sql, word) in [
        (
            "UPDATE record SET rdata = '192.0.2.66' WHERE rdata = '192.0.2.10'",
            "this is damage",
        ),
        ("DELETE FROM record WHERE type = 'NS'", "this is damage"),
        (
            "UPDATE record SET rdata = 'x' WHERE rdata = '192.0.2.10'",
            "row 8 (API.example.com. A x)",
        ),
        (
            "UPDATE zone SET digest = printf('%064d', 1)",
            "which its last revision is not",
        ),
        (
            "UPDATE zone SET revision = 9",
            "which its last revision is not",
        ),
        (
            "UPDATE revision SET diff = replace(diff, '192.0.2.12', '192.0.2.13') WHERE number = 2",
            "not as its diff says",
        ),
        (
            "UPDATE revision SET diff = 'x' WHERE number = 2",
            "revision 2",
        ),
        (
            "DELETE FROM revision WHERE number = 2",
            "from 2 to 2 are missing",
        ),
        (
            "DELETE FROM revision WHERE number = 3",
            "which its last revision is not",
        ),
        (
            "UPDATE revision SET digest = (SELECT digest FROM revision WHERE number = 2), diff = '[]' WHERE number = 3; UPDATE zone SET digest = (SELECT digest FROM revision WHERE number = 3)",
            "that audit row",
        ),
        ("DROP TABLE revision", "no such table"),
    ] {
        let mut s = scratch();
        three_revisions(&mut s);
        let found = s.verify(None);
        assert!(found.whole, "{found:#?}");
        assert_eq!((found.zones, found.revisions, found.records), (1, 3, 8));
        s.by_hand(&format!("{silent} {sql}"));
        let found = s.verify(None);
        assert!(!found.whole, "{sql}");
        assert!(
            found.faults.iter().any(|fault| fault.contains(word)),
            "{sql}: {found:#?}"
        );
    }
}

/// Two more, with their audit rows: an address comes, a text goes and a TTL changes.
fn three_revisions(s: &mut Scratch) {
    let mut records = company();
    let mut before = image(&records);
    for serial in [2, 3] {
        match serial {
            2 => records.push(record("api.example.com.", 60, Rtype::A, "192.0.2.12")),
            _ => {
                records.retain(|record| record.rtype != Rtype::TXT);
                records.push(record("new.example.com.", 5, Rtype::TXT, "\"x\""));
            }
        }
        let after = image(&records);
        let zone = name(ZONE);
        let diff = Diff::between(&before, &after);
        let tx = s.store.begin().unwrap();
        tx.write_diff(&zone, &diff).unwrap();
        let number = tx
            .add_revision(revision(&zone, &after, &diff, serial))
            .unwrap();
        tx.add_audit(NewAudit {
            zone: Some(&zone),
            revision: Some(number),
            new_serial: Some(serial),
            ..audit("a", "committed")
        })
        .unwrap();
        tx.commit().unwrap();
        before = after;
    }
}

#[test]
fn an_edit_by_hand_is_told_and_no_fault() {
    let s = scratch();
    s.by_hand("UPDATE record SET ttl = 61 WHERE owner = 'other.example.com.'");
    let found = s.verify(None);
    assert!(found.whole, "{found:?}");
    assert!(
        found.notes[0].contains("edited by hand since revision 1, at other.example.com."),
        "{found:?}"
    );
}

#[test]
fn pages_that_rotted_are_faults_and_not_a_failure() {
    let mut s = scratch();
    add_old(&mut s.store, 300, 1_000_000);
    let (path, settings) = (s.path(), s.settings());
    let Scratch { dir, store } = s;
    store.close().unwrap();
    let mut octets = fs::read(&path).unwrap();
    let middle = octets.len() / 2;
    octets[middle..middle + 20_000].fill(0xA5);
    fs::write(&path, octets).unwrap();
    let found = History::open(&settings).unwrap().verify(None).unwrap();
    assert!(!found.whole && !found.faults.is_empty());
    drop(dir);
}

#[test]
fn changes_between_revisions_go_both_ways_and_only_the_net_is_told() {
    let mut s = scratch();
    three_revisions(&mut s);
    let zone = name(ZONE);
    let history = s.history();
    let between = |from, to| history.between(&zone, from, to).unwrap();
    let told = between(1, 3);
    assert_eq!(
        (told.from_serial, told.to_serial, told.notes.len()),
        (Some(1), Some(3), 0)
    );
    let flat = |changes: &Changes| -> Vec<String> {
        let mut lines = Vec::new();
        for change in &changes.changes {
            lines.extend(change.removed.iter().map(|text| format!("- {text}")));
            lines.extend(change.added.iter().map(|text| format!("+ {text}")));
        }
        lines
    };
    assert_eq!(
        flat(&told),
        [
            "- a\\.b\\032c.example.com. 60 TXT \"x ' y\" \"\\000\"",
            "+ API.example.com. 60 A 192.0.2.12",
            "+ new.example.com. 5 TXT \"x\"",
        ]
    );
    assert_eq!(
        flat(&between(3, 2)),
        flat(&between(2, 3))
            .iter()
            .rev()
            .map(|line| {
                let sign = if line.starts_with('-') { '+' } else { '-' };
                format!("{sign}{}", &line[1..])
            })
            .rev()
            .collect::<Vec<_>>()
    );
    assert_eq!(between(2, 2).changes, []);
    assert_eq!(between(0, 3).changes.len(), 6);
    assert!(matches!(
        history.between(&zone, 1, 4),
        Err(StoreError::NoRevision { newest: 3, .. })
    ));
    assert!(matches!(
        history.between(&name("x.test."), 1, 1),
        Err(StoreError::NoZone(_))
    ));
}

#[test]
fn changes_that_were_pruned_say_what_is_left() {
    let mut s = scratch();
    add_old(&mut s.store, 1_100, 1_000_000);
    while !prune(&mut s.store, 200 * DAY_US).is_nothing() {}
    let zone = name(ZONE);
    assert_eq!(s.history().between(&zone, 101, 1_101).unwrap().changes, []);
    let error = s.history().between(&zone, 100, 1_101).unwrap_err();
    assert!(
        matches!(error, StoreError::Pruned { earliest: 101, .. }),
        "{error}"
    );
}

#[test]
fn a_backup_is_one_whole_file_for_its_owner_made_while_others_write() {
    let mut s = scratch();
    add_old(&mut s.store, 500, 1_000_000);
    let (settings, file) = (s.settings(), s.dir.path().join("copy.db"));
    let made = std::thread::scope(|scope| {
        let (quit, asked) = std::sync::mpsc::channel::<()>();
        let store = &mut s.store;
        scope.spawn(move || {
            while asked.try_recv() != Err(std::sync::mpsc::TryRecvError::Disconnected) {
                add_old(store, 1, 1_000_000);
            }
        });
        let made = backup(&settings, &file).unwrap();
        drop(quit);
        made
    });
    assert!(made.verification.whole, "{:#?}", made.verification);
    assert!(made.verification.revisions >= 501);
    assert_eq!(
        fs::metadata(&file).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let beside: Vec<_> = fs::read_dir(s.dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .filter(|name| name != "data")
        .collect();
    assert_eq!(beside, ["copy.db"]);
    let octets = fs::read(&file).unwrap();
    assert!(matches!(
        backup(&settings, &file),
        Err(StoreError::InTheWay(_))
    ));
    assert_eq!(fs::read(&file).unwrap(), octets);
    let restored = Store::open_existing(&Settings {
        path: file,
        ..settings
    })
    .unwrap();
    assert_eq!(
        image(&restored.load(&name(ZONE)).unwrap().records).digest(),
        image(&company()).digest()
    );
}

#[test]
fn every_table_is_strict_and_every_connection_on_its_guard() {
    use rusqlite::config::DbConfig;
    let s = scratch();
    let loose: i64 = s
        .person()
        .query_row(
            "SELECT count(*) FROM pragma_table_list
             WHERE schema = 'main' AND type = 'table' AND NOT strict AND name NOT LIKE 'sqlite_%'",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(loose, 0);
    let text = |connection: &Connection, pragma| -> String {
        connection
            .pragma_query_value(None, pragma, |row| row.get(0))
            .unwrap()
    };
    let reader = open::read_only(&s.settings()).unwrap();
    for connection in [&s.store.connection, &reader] {
        assert_eq!(text(connection, "journal_mode"), "wal");
        let is = |config| connection.db_config(config).unwrap();
        assert!(is(DbConfig::SQLITE_DBCONFIG_DEFENSIVE));
        assert!(!is(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA));
        assert!(!is(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER));
    }
    let full: i64 = s
        .store
        .connection
        .pragma_query_value(None, "synchronous", |row| row.get(0))
        .unwrap();
    assert_eq!(full, 2);
    // DEFENSIVE: the schema is not to be written past SQLite.
    assert!(
        reader
            .execute_batch("PRAGMA writable_schema = on; DELETE FROM sqlite_schema")
            .is_err()
    );
}

#[test]
fn a_database_of_a_newer_program_is_left_alone_with_both_numbers() {
    let s = scratch();
    s.by_hand("PRAGMA user_version = 99");
    let settings = s.settings();
    drop(s.store);
    let known = schema::known();
    for error in [
        Store::open(&settings).unwrap_err(),
        History::open(&settings).unwrap_err(),
    ] {
        assert_eq!(
            error.to_string(),
            format!("the store is at schema 99, newer than this program's {known}")
        );
    }
}
