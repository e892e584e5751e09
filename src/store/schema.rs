//! Whether the tables are those that this program writes to, and putting right what can be: somebody
//! with `sqlite3` may drop a trigger or an index as easily as a row.
//!
//! Tables hold data: one that is missing or has other columns is damage. What can be derived from
//! them (indexes, triggers, the view) is made anew. Tables, indexes and triggers that somebody added
//! are theirs, and so are columns added to ours.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use rusqlite::Connection;
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

#[derive(Debug, Default)]
struct Schema {
    tables: BTreeMap<String, BTreeMap<String, Column>>,
    derived: Derived,
}

fn of(connection: &Connection) -> Result<Schema, StoreError> {
    let mut schema = Schema::default();
    // What SQLite made by itself for a key has no statement.
    let mut objects =
        connection.prepare("SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL")?;
    let mut rows = objects.query([])?;
    while let Some(row) = rows.next()? {
        let (kind, name, sql): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        match kind.as_str() {
            "table" => {
                schema.tables.insert(name, BTreeMap::new());
            }
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
            columns.insert(row.get(0)?, column);
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
        of(&memory).expect("an empty database can be read")
    })
}

/// Statements and what they put right, a sentence each; an error where data are missing.
fn repairs(found: &Schema) -> Result<Vec<(String, String)>, StoreError> {
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
    let mut repairs = Vec::new();
    for ((kind, name), sql) in &ours().derived {
        match found.derived.get(&(kind.clone(), name.clone())) {
            Some(there) if there == sql => {}
            Some(_) => repairs.push((
                format!("DROP {kind} {name}; {sql}"),
                format!("the {kind} {name} had been changed, and was made anew"),
            )),
            None => repairs.push((
                sql.clone(),
                format!("the {kind} {name} was missing, and was made anew"),
            )),
        }
    }
    Ok(repairs)
}

/// Whether every table and column is there.
pub(super) fn check(connection: &Connection) -> Result<(), StoreError> {
    repairs(&of(connection)?).map(drop)
}

/// Makes anew what is missing and can be, within a transaction; tells of it in sentences.
pub(super) fn mend(connection: &Connection) -> Result<Vec<String>, StoreError> {
    let repairs = repairs(&of(connection)?)?;
    repairs
        .into_iter()
        .map(|(statements, sentence)| {
            connection.execute_batch(&statements)?;
            Ok(sentence)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fresh() -> Connection {
        let mut memory = Connection::open_in_memory().unwrap();
        migrations().to_latest(&mut memory).unwrap();
        memory
    }

    #[test]
    fn what_holds_no_data_is_made_anew() {
        let store = fresh();
        assert!(mend(&store).unwrap().is_empty());
        store
            .execute_batch(
                "DROP TRIGGER record_delete;
                 DROP TRIGGER record_update;
                 CREATE TRIGGER record_update BEFORE UPDATE ON record BEGIN SELECT 1; END;
                 DROP INDEX record_by_rrset;
                 DROP VIEW zone_file;",
            )
            .unwrap();
        let told = mend(&store).unwrap().join("\n");
        for name in [
            "record_delete",
            "record_update",
            "record_by_rrset",
            "zone_file",
        ] {
            assert!(told.contains(name), "{told}");
        }
        assert!(mend(&store).unwrap().is_empty());
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
        assert!(mend(&store).unwrap().is_empty());
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
}
