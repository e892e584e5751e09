//! Tables, triggers and indexes that somebody takes away or changes.

use super::*;
use crate::harness::querier::Querier;

#[test]
fn a_table_that_goes_while_serving_holds_everything_until_it_is_back() {
    let lab = demo();
    acknowledge(&lab, "before");
    let querier = Querier::of_demo(lab.v4());
    for (gone, back) in [
        (
            "ALTER TABLE record RENAME TO elsewhere",
            "ALTER TABLE elsewhere RENAME TO record",
        ),
        (
            "ALTER TABLE zone RENAME TO elsewhere",
            "ALTER TABLE elsewhere RENAME TO zone",
        ),
        (
            "ALTER TABLE record RENAME COLUMN rdata TO data",
            "ALTER TABLE record RENAME COLUMN data TO rdata",
        ),
        ("PRAGMA user_version = 99", "PRAGMA user_version = 1"),
        (
            "PRAGMA application_id = 7",
            "PRAGMA application_id = 1279349588",
        ),
    ] {
        lab.sql(gone);
        holds_as_it_should(&lab, ZONE);
        lab.until(OTHER, "holding");
        refuses_with_not_ready(&lab);
        lab.sql(back);
        live(&lab);
    }
    acknowledge(&lab, "after");
    querier.end();
    is_there(&lab, "before");
}

#[test]
fn a_table_dropped_while_serving_is_made_anew_from_what_is_served() {
    let mut lab = demo();
    acknowledge(&lab, "before");
    let querier = Querier::of_demo(lab.v4());
    lab.sql("DROP TABLE record");
    let status = holds_as_it_should(&lab, ZONE);
    assert!(
        status["reason"].to_string().contains("no table `record`"),
        "{status}"
    );
    lab.cli(&["snapshot", "restore", "--all"]).expect_ok();
    live(&lab);
    acknowledge(&lab, "after");
    querier.end();
    lab.restart();
    for name in ["before", "after"] {
        is_there(&lab, name);
    }
    assert_eq!(lab.state(ZONE), "live");
}

#[test]
fn triggers_and_indexes_that_were_dropped_are_there_again() {
    let lab = demo();
    let querier = Querier::of_demo(lab.v4());
    let count = "SELECT count(*) FROM sqlite_schema
                 WHERE sql IS NOT NULL AND (sql NOT LIKE '% BEGIN SELECT 1; END')";
    let whole = lab.sql(count);
    lab.sql(
        "DROP TRIGGER record_delete; DROP TRIGGER record_update; DROP INDEX record_by_rrset;
         DROP TRIGGER record_insert; DROP VIEW zone_file;
         CREATE TRIGGER record_insert BEFORE INSERT ON record BEGIN SELECT 1; END;",
    );
    eventually("they are made anew", || match lab.sql(count) {
        now if now == whole => Ok(()),
        now => Err(now),
    });
    live(&lab);
    // And they do what they are there for: this is an edit, and no damage.
    lab.sql("UPDATE record SET rdata = '192.0.2.111' WHERE owner = 'vip.customers.example.com.' AND type = 'A'");
    lab.sql(
        "INSERT INTO record (zone, owner, ttl, type, rdata)
         VALUES ('example.com.', 'new.example.com.', 60, 'A', '192.0.2.112')",
    );
    eventually("the edit is served", || {
        match lab.dig("new.example.com A") {
            reply if reply.data() == ["192.0.2.112"] => Ok(()),
            reply => Err(format!("{} {}", reply.text, lab.status(ZONE))),
        }
    });
    live(&lab);
    acknowledge(&lab, "after");
    querier.end();
}

#[test]
fn triggers_dropped_while_no_server_ran_are_there_again_at_the_start() {
    let mut lab = demo();
    lab.stop();
    lab.sql("DROP TRIGGER record_update; DROP TRIGGER record_insert;");
    lab.start();
    let querier = Querier::of_demo(lab.v4());
    lab.sql(
        "UPDATE record SET rdata = '192.0.2.91' WHERE owner = 'vip.customers.example.com.' AND type = 'A'",
    );
    eventually("the edit is served", || {
        let reply = lab.dig("vip.customers.example.com A");
        match reply.data() == ["192.0.2.91"] {
            true => Ok(()),
            false => Err(format!("{} {}", reply.text, lab.status(ZONE))),
        }
    });
    live(&lab);
    querier.end();
}

#[test]
fn an_edit_behind_the_back_of_dropped_triggers_is_damage() {
    let lab = demo();
    let querier = Querier::of_demo(lab.v4());
    lab.sql(
        "DROP TRIGGER record_update;
         UPDATE record SET rdata = '192.0.2.99' WHERE owner = 'chat.example.com.' AND type = 'A';",
    );
    let status = holds_as_it_should(&lab, ZONE);
    assert!(status["reason"].to_string().contains("damage"), "{status}");
    assert_eq!(lab.state(OTHER), "live");
    mend(&lab, ZONE);
    querier.end();
}

#[test]
fn tables_columns_and_indexes_of_somebody_else_are_left_alone() {
    let mut lab = demo();
    let querier = Querier::of_demo(lab.v4());
    lab.sql(
        "CREATE TABLE notes (text); ALTER TABLE record ADD COLUMN note TEXT;
         CREATE INDEX mine ON record (rdata);",
    );
    acknowledge(&lab, "after");
    live(&lab);
    querier.end();
    lab.restart();
    assert_eq!(lab.state(ZONE), "live");
    is_there(&lab, "after");
}

/// Rows that are there and cannot be found along the index, which is how a zone is read.
fn spoil_an_index(lab: &Lab) {
    let mut command = Command::new("sqlite3");
    command.args([
        "-cmd",
        ".timeout 5000",
        "-cmd",
        ".imposter record_by_rrset imposter",
    ]);
    let damage = "DELETE FROM imposter WHERE owner = 'chat.example.com.'";
    programs::run(command.arg(lab.database()), damage).expect_ok();
}

#[test]
fn an_index_that_does_not_fit_its_table_is_damage_that_reindexing_mends() {
    let lab = demo();
    acknowledge(&lab, "before");
    let querier = Querier::of_demo(lab.v4());
    spoil_an_index(&lab);
    let status = holds_as_it_should(&lab, ZONE);
    assert!(status["reason"].to_string().contains("damage"), "{status}");
    refuses_with_not_ready(&lab);
    lab.sql("REINDEX");
    live(&lab);
    acknowledge(&lab, "after");
    querier.end();
    is_there(&lab, "before");
    lab.cli(&["verify"]).expect_ok();
}

/// Somebody's object, what it stands in the place of, and what the status is to say about it.
const IN_THE_WAY: [(&str, &str, &str); 4] = [
    (
        "DROP VIEW zone_file; CREATE TABLE zone_file (text)",
        "view zone_file",
        "ALTER TABLE zone_file RENAME TO",
    ),
    (
        "DROP VIEW zone_file; CREATE INDEX zone_file ON record (rdata)",
        "view zone_file",
        "DROP index zone_file",
    ),
    (
        "DROP INDEX record_by_rrset; CREATE TABLE record_by_rrset (text)",
        "index record_by_rrset",
        "ALTER TABLE record_by_rrset RENAME TO",
    ),
    (
        "DROP INDEX audit_by_mac; CREATE VIEW audit_by_mac AS SELECT 1",
        "index audit_by_mac",
        "DROP view audit_by_mac",
    ),
];

#[track_caller]
fn is_told(lab: &Lab, what: &str, way_out: &str) {
    eventually("the status tells of it", || {
        let told = notices(lab);
        match told.contains(what) && told.contains(way_out) {
            true => Ok(()),
            false => Err(told),
        }
    });
    for zone in [ZONE, OTHER] {
        assert_eq!(lab.state(zone), "live", "{}", lab.status(zone));
    }
}

/// Does what the status says is to be done, and sees to it that nothing is left to be told.
#[track_caller]
fn make_way(lab: &Lab, way_out: &str, what: &str) {
    let told = notices(lab);
    let at = told.find(way_out).expect("told just now");
    let (statement, _) = told[at..].split_once(';').expect("a statement");
    lab.sql(statement);
    eventually("there is nothing to tell any more", || {
        match notices(lab).contains(what) {
            false => Ok(()),
            true => Err(notices(lab)),
        }
    });
    let (kind, name) = what.split_once(' ').expect("kind and name");
    let made =
        format!("SELECT count(*) FROM sqlite_schema WHERE type = '{kind}' AND name = '{name}'");
    assert_eq!(lab.sql(&made).trim(), "1", "{what}");
}

#[test]
fn what_stands_in_the_place_of_a_view_or_an_index_is_told_and_nothing_holds() {
    let lab = demo();
    let querier = Querier::of_demo(lab.v4());
    for (number, (statements, what, way_out)) in IN_THE_WAY.into_iter().enumerate() {
        lab.sql(statements);
        is_told(&lab, what, way_out);
        acknowledge(&lab, &format!("n{number}"));
        is_told(&lab, what, way_out);
        make_way(&lab, way_out, what);
    }
    let seen = querier.end();
    assert!(seen.marks.is_empty(), "{:?}", seen.marks);
}

#[test]
fn what_stood_in_the_place_of_a_view_or_an_index_before_the_start_is_told_as_well() {
    let mut lab = demo();
    for (number, (statements, what, way_out)) in IN_THE_WAY.into_iter().enumerate() {
        lab.stop();
        lab.sql(statements);
        lab.start();
        is_told(&lab, what, way_out);
        acknowledge(&lab, &format!("n{number}"));
        lab.cli(&["verify"]).expect_ok();
        make_way(&lab, way_out, what);
    }
}

/// Tables that need what `sqlite3` has and this program has not.
const BEYOND_US: &str = "CREATE TABLE notes (text CHECK (text REGEXP '^[a-z]'));
     INSERT INTO notes VALUES ('one');
     CREATE INDEX notes_by_hash ON notes (sha3(text));
     CREATE TABLE zone_of_mine (origin, serial TEXT);
     CREATE VIEW broken AS SELECT absent FROM nowhere;";

#[test]
fn tables_of_somebody_else_never_matter_whatever_they_need() {
    let mut lab = demo();
    let querier = Querier::of_demo(lab.v4());
    lab.sql(BEYOND_US);
    let scrubs = metric(&lab, "lastgood_scrubs_total");
    eventually("the store was read through after that", || {
        match metric(&lab, "lastgood_scrubs_total") >= scrubs + 2.0 {
            true => Ok(()),
            false => Err("not yet".into()),
        }
    });
    live(&lab);
    acknowledge(&lab, "after");
    live(&lab);
    let seen = querier.end();
    assert!(seen.marks.is_empty(), "{:?}", seen.marks);
    lab.cli(&["verify"]).expect_ok();
    lab.restart();
    assert_eq!(lab.state(ZONE), "live");
    is_there(&lab, "after");
    // Damage to ours is found all the same.
    spoil_an_index(&lab);
    let status = holds_as_it_should(&lab, ZONE);
    assert!(status["reason"].to_string().contains("damage"), "{status}");
    lab.sql("REINDEX record_by_rrset");
    live(&lab);
}
