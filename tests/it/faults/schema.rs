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

#[test]
fn an_index_that_does_not_fit_its_table_is_damage_that_reindexing_mends() {
    let lab = demo();
    acknowledge(&lab, "before");
    let querier = Querier::of_demo(lab.v4());
    // Rows that are there and cannot be found along the index, which is how a zone is read.
    let mut command = Command::new("sqlite3");
    command.args([
        "-cmd",
        ".timeout 5000",
        "-cmd",
        ".imposter record_by_rrset imposter",
    ]);
    let damage = "DELETE FROM imposter WHERE owner = 'chat.example.com.'";
    programs::run(command.arg(lab.database()), damage).expect_ok();
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
