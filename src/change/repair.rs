//! What to tell the operator of a zone that holds: the lines to type, where they are few.

use crate::guard;
use crate::rr::{Name, Record};
use crate::store::ZoneRow;
use crate::zone::{Diff, RrsetChange};

/// More lines than this nobody types.
const STATEMENTS_MAX: usize = 12;

/// SQL that brings the rows of a zone back to what is served: `diff` leads from the image served to
/// the rows, `bad` are the rows that could not be read.
pub(super) fn sql(path: &std::path::Path, zone: &Name, bad: &[i64], diff: &Diff) -> String {
    // A row may be written in other ways than ours, so where one has to go its RRset goes whole.
    let is_to_go = |change: &&RrsetChange| !change.added().is_empty();
    let come = diff.changes.iter().filter(is_to_go);
    let wanted: Vec<Record> = diff
        .changes
        .iter()
        .flat_map(|change| match (&change.before, change.added().is_empty()) {
            (Some(before), false) => before.records(&change.owner).collect(),
            _ => change.removed(),
        })
        .collect();
    let count = bad.len() + come.clone().count() + wanted.len();
    if count > STATEMENTS_MAX {
        return format!(
            "{} rows are missing, {} are new and {} cannot be read; `lastgood zone export {zone}` \
             prints what is served, and `lastgood zone import {zone} FILE --replace` puts it back",
            diff.removed().count(),
            diff.added().count(),
            bad.len(),
        );
    }
    let mut statements: Vec<String> = bad
        .iter()
        .map(|id| format!("DELETE FROM record WHERE id = {id};"))
        .collect();
    statements.extend(come.map(|change| {
        let types = change.rtype.spellings().map(|text| quoted(&text));
        format!(
            "DELETE FROM record WHERE zone = {} AND owner = {} AND type IN ({});",
            quoted(&zone.to_string()),
            quoted(&change.owner.to_string()),
            types.join(", "),
        )
    }));
    statements.extend(wanted.iter().map(|record| {
        format!(
            "INSERT INTO record (zone, owner, ttl, type, rdata) VALUES ({}, {}, {}, {}, {});",
            quoted(&zone.to_string()),
            quoted(&record.owner.to_string()),
            record.ttl,
            quoted(&record.rtype.to_string()),
            quoted(&record.rdata_text()),
        )
    }));
    format!(
        // The server may be writing at this moment.
        "sqlite3 {} <<'SQL'\n.timeout 5000\n{}\nSQL",
        for_shell(&path.display().to_string()),
        statements.join("\n")
    )
}

/// SQL that puts the row of a zone back to what is served, or was committed last.
pub(super) fn zone_row(path: &std::path::Path, row: &ZoneRow) -> String {
    let serial = row
        .serial
        .map_or_else(|| "NULL".to_owned(), |serial| serial.to_string());
    format!(
        "sqlite3 {} <<'SQL'\n.timeout 5000\n\
         UPDATE zone SET revision = {}, serial = {serial}, digest = '{}' WHERE origin = {};\nSQL\n{}",
        for_shell(&path.display().to_string()),
        row.revision,
        row.digest,
        quoted(&row.origin.to_string()),
        restore_hint(&row.origin),
    )
}

/// For a zone that nobody serves; its name as SQL finds it.
pub(super) fn unclaimed(path: &std::path::Path, origin: &str) -> String {
    let statements = format!(
        "DELETE FROM zone WHERE origin = {origin}; DELETE FROM record WHERE zone = {origin};"
    );
    let words = [path.display().to_string(), statements];
    let [path, statements] = words.map(|word| for_shell(&word));
    format!("to take it away: sqlite3 {path} {statements}")
}

/// For a freeze that freezes nothing.
pub(super) fn odd_freeze(path: &std::path::Path, scope: &str) -> String {
    let scope = crate::store::literal(scope.as_bytes());
    let words = [
        path.display().to_string(),
        format!("DELETE FROM freeze WHERE scope = {scope};"),
    ];
    let [path, statement] = words.map(|word| for_shell(&word));
    format!("to take it away: sqlite3 {path} {statement}")
}

/// For a zone whose rows are lost, or not worth mending by hand.
pub(super) fn restore_hint(zone: &Name) -> String {
    format!("# or, to write the rows anew from what is served: lastgood snapshot restore {zone}")
}

/// Before what else helps where nothing is left of any zone.
pub(super) fn lost_hint(store: &std::path::Path) -> String {
    format!(
        "# put a whole copy of the database back at {}\n# or, to begin anew from a file: ",
        store.display()
    )
}

/// For a zone that the store never had.
pub(super) fn first_import_hint(zone: &Name) -> String {
    format!("lastgood zone import {zone} FILE")
}

/// For a zone whose rows were refused by a rule that may be set aside. What `validate` refuses of an
/// edit by hand is fatal, and that is let in by nobody.
pub(super) fn accept_hint_for(zone: &Name, rule: &str) -> Option<String> {
    let is_open = guard::OVERRIDABLE.contains(&rule) && rule != "validate";
    is_open.then(|| accept_hint(zone, rule))
}

/// For a zone whose rows may be fit.
pub(super) fn accept_hint(zone: &Name, rule: &str) -> String {
    format!(
        "# or, to take the rows as they are: \
         lastgood zone accept {zone} --override {rule} --reason TEXT"
    )
}

/// For a zone whose rows changed and nobody knows why.
pub(super) fn accept_plain_hint(zone: &Name) -> String {
    format!("# or, to take the rows as they are: lastgood zone accept {zone}")
}

/// A text as a shell takes it for one word.
fn for_shell(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@%".contains(c);
    match text.chars().all(is_plain) && !text.starts_with('-') {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', "'\\''")),
    }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rr::{RrSet, Rtype};
    use std::sync::Arc;

    #[test]
    fn the_lines_put_back_what_went_and_take_away_what_came() {
        let set = |last: u8| RrSet::new(Rtype::A, 60, [[192, 0, 2, last]]).map(Arc::new);
        let diff = Diff {
            changes: vec![RrsetChange {
                owner: "it's.example.".parse().unwrap(),
                rtype: Rtype::A,
                before: set(1),
                after: set(2),
            }],
        };
        let zone = "example.".parse().unwrap();
        let text = sql("x.db".as_ref(), &zone, &[7], &diff);
        assert_eq!(
            text,
            "sqlite3 x.db <<'SQL'\n\
             .timeout 5000\n\
             DELETE FROM record WHERE id = 7;\n\
             DELETE FROM record WHERE zone = 'example.' AND owner = 'it''s.example.' AND type IN ('TYPE1', 'A');\n\
             INSERT INTO record (zone, owner, ttl, type, rdata) VALUES ('example.', 'it''s.example.', 60, 'A', '192.0.2.1');\n\
             SQL"
        );
        assert!(sql("x.db".as_ref(), &zone, &[1; 20], &diff).contains("zone import"));
        let spaced = sql("my data/it's.db".as_ref(), &zone, &[7], &diff);
        assert!(
            spaced.starts_with("sqlite3 'my data/it'\\''s.db' <<"),
            "{spaced}"
        );
    }
}
