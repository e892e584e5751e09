//! Whether the tables are those that this program writes to, and putting right what can be: somebody
//! with `sqlite3` may drop a trigger or an index as easily as a row.
//!
//! Tables hold data: one that is missing or has other columns is damage. What can be derived from
//! them (indexes, triggers, the view) is made anew, or it is told what stands in its place: nothing is
//! lost for want of it. Tables, indexes and triggers that somebody added are theirs, and so are
//! columns added to ours.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use rusqlite::{Connection, ErrorCode};
use rusqlite_migration::{M, Migrations};

use super::StoreError;

const MIGRATIONS: &[M<'static>] = &[M::up(include_str!("../../migrations/001_store.sql"))];

pub(super) fn migrations() -> Migrations<'static> {
    Migrations::from_slice(MIGRATIONS)
}

/// The schema that this program writes.
pub(super) fn known() -> i64 {
    MIGRATIONS.len() as i64
}

/// What can be dropped and made anew: (kind, name), and the statement that makes it.
type Derived = BTreeMap<(String, String), String>;

#[derive(Debug, PartialEq, Eq)]
struct Column {
    declared: String,
    not_null: bool,
    key: i64,
}

/// Names are in lower case here: SQLite does not tell them apart by it.
#[derive(Debug, Default)]
struct Schema {
    tables: BTreeMap<String, BTreeMap<String, Column>>,
    derived: Derived,
    /// Tables, views and indexes share one space of names. What stands under each.
    kinds: BTreeMap<String, String>,
}

/// What became of a schema that others have changed, a sentence each.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Mended {
    pub made_anew: Vec<String>,
    /// What could not be made, why, and what to do about it.
    pub hindered: Vec<String>,
}

/// Everything there is by name; columns only of the tables that are asked for: others may be of a kind
/// that this program cannot even look at.
fn of(connection: &Connection, is_wanted: impl Fn(&str) -> bool) -> Result<Schema, StoreError> {
    let mut schema = Schema::default();
    // What SQLite made by itself for a key has no statement.
    let mut objects =
        connection.prepare("SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL")?;
    let mut rows = objects.query([])?;
    while let Some(row) = rows.next()? {
        let (kind, name, sql): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let name = name.to_ascii_lowercase();
        if kind != "trigger" {
            schema.kinds.insert(name.clone(), kind.clone());
        }
        match kind.as_str() {
            "table" if is_wanted(&name) => {
                schema.tables.insert(name, BTreeMap::new());
            }
            "table" => {}
            _ => {
                schema.derived.insert((kind, name), sql);
            }
        }
    }
    for (table, columns) in &mut schema.tables {
        let mut statement =
            connection.prepare("SELECT name, type, \"notnull\", pk FROM pragma_table_xinfo(?)")?;
        let mut rows = statement.query([table])?;
        while let Some(row) = rows.next()? {
            let column = Column {
                declared: row.get(1)?,
                not_null: row.get(2)?,
                key: row.get(3)?,
            };
            columns.insert(row.get::<_, String>(0)?.to_ascii_lowercase(), column);
        }
    }
    Ok(schema)
}

fn ours() -> &'static Schema {
    static OURS: OnceLock<Schema> = OnceLock::new();
    OURS.get_or_init(|| {
        let mut memory = Connection::open_in_memory().expect("memory can be had");
        let made = migrations().to_latest(&mut memory);
        made.expect("our own migrations apply to an empty database");
        of(&memory, |_| true).expect("an empty database can be read")
    })
}

/// What is there under our names. An error where data are missing.
fn found(connection: &Connection) -> Result<Schema, StoreError> {
    let found = of(connection, is_table_of_ours)?;
    for (table, columns) in &ours().tables {
        let Some(there) = found.tables.get(table) else {
            return Err(StoreError::Damaged(format!("there is no table `{table}`")));
        };
        for (name, column) in columns {
            match there.get(name) {
                Some(found) if found == column => {}
                Some(_) => {
                    return Err(StoreError::Damaged(format!(
                        "the column `{name}` of the table `{table}` is of another type"
                    )));
                }
                None => {
                    return Err(StoreError::Damaged(format!(
                        "the table `{table}` has no column `{name}`"
                    )));
                }
            }
        }
    }
    Ok(found)
}

fn is_table_of_ours(name: &str) -> bool {
    ours().tables.contains_key(name)
}

/// The tables that this program writes to.
pub(super) fn tables() -> impl Iterator<Item = &'static str> {
    ours().tables.keys().map(String::as_str)
}

/// Whether every table and column is there.
pub(super) fn check(connection: &Connection) -> Result<(), StoreError> {
    found(connection).map(drop)
}

/// Makes anew what is missing and can be, within a transaction.
pub(super) fn mend(connection: &Connection) -> Result<Mended, StoreError> {
    let found = found(connection)?;
    let mut mended = Mended::default();
    for ((kind, name), sql) in &ours().derived {
        let (statements, what) = match found.derived.get(&(kind.clone(), name.clone())) {
            Some(there) if there == sql => continue,
            Some(_) => (format!("DROP {kind} {name}; {sql}"), "had been changed"),
            None => (sql.clone(), "was missing"),
        };
        match connection.execute_batch(&statements) {
            Ok(()) => mended
                .made_anew
                .push(format!("the {kind} {name} {what}, and was made anew")),
            // Without triggers edits by hand are taken for damage: all else only helps.
            Err(error) if kind != "trigger" && is_about_the_statement(&error) => mended
                .hindered
                .push(hindrance(kind, name, found.kinds.get(name), &error)),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(mended)
}

/// And not about the disk, the pages or whoever else writes.
fn is_about_the_statement(error: &rusqlite::Error) -> bool {
    matches!(error, rusqlite::Error::SqlInputError { .. })
        || error.sqlite_error_code() == Some(ErrorCode::Unknown)
}

fn hindrance(
    kind: &str,
    name: &str,
    in_the_way: Option<&String>,
    error: &rusqlite::Error,
) -> String {
    let (why, mend) = match in_the_way.map(String::as_str) {
        Some("table") => (
            "somebody made a table of that name".to_owned(),
            format!("ALTER TABLE {name} RENAME TO {name}_of_mine; (or DROP TABLE {name};)"),
        ),
        Some(other) => (
            format!("somebody made a {other} of that name").replace("a index", "an index"),
            format!("DROP {other} {name}; (it may be made again under another name)"),
        ),
        None => (
            error.to_string(),
            "see with .schema what is wrong".to_owned(),
        ),
    };
    let without = match kind {
        "index" => "some look-ups are slower without it",
        _ => "nothing the server does needs it",
    };
    format!("the {kind} {name} cannot be made: {why}; {without}; to mend it, in sqlite3: {mend}")
}

#[cfg(test)]
mod tests {
    use rusqlite::config::DbConfig;

    use super::*;

    fn fresh() -> Connection {
        let mut memory = Connection::open_in_memory().unwrap();
        migrations().to_latest(&mut memory).unwrap();
        memory
    }

    #[test]
    fn what_holds_no_data_is_made_anew() {
        let store = fresh();
        assert!(mend(&store).unwrap() == Mended::default());
        store
            .execute_batch(
                "DROP TRIGGER record_delete;
                 DROP TRIGGER record_update;
                 CREATE TRIGGER record_update BEFORE UPDATE ON record BEGIN SELECT 1; END;
                 DROP INDEX record_by_rrset;
                 DROP VIEW zone_file;",
            )
            .unwrap();
        let told = mend(&store).unwrap().made_anew.join("\n");
        for name in [
            "record_delete",
            "record_update",
            "record_by_rrset",
            "zone_file",
        ] {
            assert!(told.contains(name), "{told}");
        }
        assert!(mend(&store).unwrap() == Mended::default());
    }

    #[test]
    fn a_table_that_is_missing_or_another_is_damage_and_what_people_add_is_not() {
        let store = fresh();
        store
            .execute_batch(
                "CREATE TABLE notes (text); ALTER TABLE record ADD COLUMN note TEXT;
                 CREATE INDEX mine ON record (rdata);",
            )
            .unwrap();
        assert!(mend(&store).unwrap() == Mended::default());
        for damage in [
            "DROP TABLE record",
            "ALTER TABLE record DROP COLUMN ttl",
            "ALTER TABLE zone RENAME COLUMN serial TO number",
            "DROP TABLE touched",
            "ALTER TABLE audit RENAME TO log",
        ] {
            let store = fresh();
            store
                .execute_batch("DROP VIEW zone_file; DROP INDEX audit_by_mac;")
                .unwrap();
            store.execute_batch(damage).unwrap();
            let error = mend(&store).unwrap_err();
            assert!(matches!(error, StoreError::Damaged(_)), "{damage}: {error}");
        }
    }

    #[test]
    fn what_stands_under_the_name_of_a_view_or_an_index_is_told_and_is_no_damage() {
        for (other, theirs, way_out) in [
            (
                "table",
                "CREATE TABLE zone_file (text)",
                "ALTER TABLE zone_file RENAME",
            ),
            (
                "table",
                "CREATE TABLE Zone_FILE (text)",
                "ALTER TABLE zone_file RENAME",
            ),
            (
                "index",
                "CREATE INDEX zone_file ON record (rdata)",
                "DROP index zone_file",
            ),
            (
                "table",
                "CREATE TABLE audit_by_mac (text)",
                "ALTER TABLE audit_by_mac RENAME",
            ),
            (
                "view",
                "CREATE VIEW audit_by_mac AS SELECT 1",
                "DROP view audit_by_mac",
            ),
        ] {
            let store = fresh();
            store
                .execute_batch("DROP VIEW zone_file; DROP INDEX audit_by_mac")
                .unwrap();
            store.execute_batch(theirs).unwrap();
            check(&store).unwrap();
            let mended = mend(&store).unwrap();
            assert_eq!(mended.made_anew.len(), 1, "{mended:?}");
            let [told] = &mended.hindered[..] else {
                panic!("{theirs}: {mended:?}");
            };
            for part in [other, "of that name", way_out] {
                assert!(told.contains(part), "{told}");
            }
            // What is told to be done is what makes room.
            let (_, statement) = told.split_once("in sqlite3: ").unwrap();
            let (statement, _) = statement.split_once(';').unwrap();
            store.execute_batch(statement).unwrap();
            let mended = mend(&store).unwrap();
            assert_eq!((mended.made_anew.len(), mended.hindered.len()), (1, 0));
        }
    }

    #[test]
    fn an_index_or_view_of_another_make_under_our_name_is_made_anew() {
        let store = fresh();
        store
            .execute_batch(
                "DROP VIEW zone_file; CREATE VIEW Zone_File AS SELECT 1;
                 DROP INDEX audit_by_mac; CREATE TABLE notes (text);
                 CREATE UNIQUE INDEX audit_by_mac ON notes (text);",
            )
            .unwrap();
        let mended = mend(&store).unwrap();
        assert_eq!((mended.made_anew.len(), mended.hindered.len()), (2, 0));
        assert_eq!(mend(&store).unwrap(), Mended::default());
    }

    #[test]
    fn tables_that_cannot_be_looked_at_are_nobodys_business_unless_they_are_ours() {
        let store = fresh();
        let _: bool = store
            .set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, false)
            .unwrap();
        // As a table of a module that `sqlite3` has and this program has not.
        store
            .execute_batch(
                "PRAGMA writable_schema = on;
                 INSERT INTO sqlite_schema VALUES ('table', 'theirs', 'theirs', 0,
                     'CREATE VIRTUAL TABLE theirs USING nobody_has_it(x)');
                 PRAGMA writable_schema = reset;",
            )
            .unwrap();
        let looked = store.prepare("SELECT * FROM theirs").map(drop);
        assert!(looked.unwrap_err().to_string().contains("no such module"));
        assert_eq!(mend(&store).unwrap(), Mended::default());
        // A name in another case is the same name.
        store
            .execute_batch("ALTER TABLE freeze RENAME TO froze; ALTER TABLE froze RENAME TO Freeze")
            .unwrap();
        check(&store).unwrap();
    }
}
