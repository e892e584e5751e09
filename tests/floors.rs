//! Rooms import only from floors below (the table of `src/lib.rs`), and the libraries that must stay
//! in one place do. Read by words, not by a compiler: comments and strings are dropped, then every
//! path that starts at `crate::`, or climbs there by `super::`, is followed to the room it names.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Floor by floor. Rooms on one floor never import each other, except where `SIDE_BY_SIDE` says so.
const FLOORS: &[(u8, &[&str])] = &[
    (9, &["cli", "drill"]),
    (8, &["server", "config"]),
    (7, &["wire", "admin"]),
    (6, &["transfer"]),
    (5, &["change"]),
    (4, &["publish"]),
    (3, &["store", "health"]),
    (
        2,
        &[
            "answer", "update", "guard", "check", "dnssec", "tsig", "zonefile",
        ],
    ),
    (1, &["zone"]),
    (0, &["rr", "metrics"]),
];

/// Importer, imported: `server` is assembled from what `config` read.
const SIDE_BY_SIDE: &[(&str, &str)] = &[("server", "config")];

/// A library, and the files or folders below `src` that may name it.
const KEPT: &[(&str, &[&str])] = &[
    ("rusqlite", &["store/"]),
    ("rusqlite_migration", &["store/"]),
    ("axum", &["admin/", "cli/"]),
    ("hyper", &["admin/", "cli/"]),
    ("hyper_util", &["admin/", "cli/"]),
    ("http_body_util", &["admin/", "cli/"]),
    ("hickory_server", &["wire/hickory.rs"]),
];

fn floor_of(room: &str) -> Option<u8> {
    FLOORS
        .iter()
        .find(|(_, rooms)| rooms.contains(&room))
        .map(|(floor, _)| *floor)
}

/// What is wrong with one file; `path` is relative to `src`.
fn check(path: &str, text: &str) -> Vec<String> {
    let tokens = tokens(text);
    let mut wrong = Vec::new();
    let modules = module_path(path);
    if let Some(room) = modules.first() {
        match floor_of(room) {
            None => wrong.push(format!("{path}: the room `{room}` stands on no floor")),
            Some(floor) => {
                for imported in imports(&tokens, modules.len()) {
                    wrong.extend(direction(path, room, floor, &imported));
                }
            }
        }
    }
    for (library, places) in KEPT {
        let named = roots(&tokens).any(|word| word == *library);
        if named && !places.iter().any(|place| path.starts_with(place)) {
            wrong.push(format!("{path}: `{library}` belongs in {places:?} alone"));
        }
    }
    wrong
}

fn direction(path: &str, room: &str, floor: u8, imported: &str) -> Option<String> {
    if imported == room || SIDE_BY_SIDE.contains(&(room, imported)) {
        return None;
    }
    match floor_of(imported) {
        None => Some(format!("{path}: `crate::{imported}` is no room")),
        Some(below) if below < floor => None,
        Some(level) => Some(format!(
            "{path}: `{room}` (floor {floor}) imports `{imported}` (floor {level})"
        )),
    }
}

/// `answer/lookup.rs` is `[answer, lookup]`, `answer/mod.rs` is `[answer]`, `lib.rs` is `[]`.
fn module_path(path: &str) -> Vec<&str> {
    path.trim_end_matches(".rs")
        .split('/')
        .filter(|part| !matches!(*part, "mod" | "lib" | "main"))
        .collect()
}

/// The rooms that paths from the root of the crate lead to. `depth` is how many `super` lead there
/// from the top of the file.
fn imports(tokens: &[&str], depth: usize) -> Vec<String> {
    let mut found = Vec::new();
    // One entry for each open brace: does it open an inline module, which is one `super` deeper?
    let mut braces: Vec<bool> = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        match tokens[at] {
            "{" => braces.push(at >= 2 && tokens[at - 2] == "mod"),
            "}" => {
                braces.pop();
            }
            "crate" if tokens.get(at + 1) == Some(&"::") && !inside_path(tokens, at) => {
                heads(tokens, at + 2, &mut found);
            }
            "super" if !inside_path(tokens, at) => {
                let mut climbed = 1;
                while tokens.get(at + 1) == Some(&"::") && tokens.get(at + 2) == Some(&"super") {
                    climbed += 1;
                    at += 2;
                }
                let deep = depth + braces.iter().filter(|inline| **inline).count();
                if climbed >= deep && tokens.get(at + 1) == Some(&"::") {
                    heads(tokens, at + 2, &mut found);
                }
            }
            _ => {}
        }
        at += 1;
    }
    found
}

fn inside_path(tokens: &[&str], at: usize) -> bool {
    at > 0 && tokens[at - 1] == "::"
}

/// The first words of a path or of each member of a group: `a::b` is a, `{a, b::{c, d}}` is a, b.
fn heads(tokens: &[&str], start: usize, found: &mut Vec<String>) {
    if tokens.get(start) != Some(&"{") {
        found.extend(tokens.get(start).map(|word| word.to_string()));
        return;
    }
    let mut open = 0;
    for (at, token) in tokens.iter().enumerate().skip(start) {
        match *token {
            "{" => open += 1,
            "}" => open -= 1,
            "," => {}
            word if open == 1 && matches!(tokens[at - 1], "{" | ",") => {
                found.push(word.to_string());
            }
            _ => {}
        }
        if open == 0 {
            return;
        }
    }
}

/// The words that begin a path: `hyper` in `hyper::body` and in `use hyper as h`, not in `x::hyper`.
fn roots<'a>(tokens: &'a [&'a str]) -> impl Iterator<Item = &'a str> {
    tokens.iter().enumerate().filter_map(|(at, token)| {
        let before = |back: usize| at.checked_sub(back).map(|place| tokens[place]);
        // `::hyper` at the start of a path begins one too.
        let continues = before(1) == Some("::") && before(2).is_some_and(is_word);
        let leads = tokens.get(at + 1) == Some(&"::");
        let imported = matches!(before(1), Some("use" | "crate"));
        (!continues && (leads || imported)).then_some(*token)
    })
}

fn is_word(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphanumeric() || c == '_')
}

/// Words, `::` and single signs, without comments, strings and characters.
fn tokens(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let taken = if let Some(skipped) = skipped(rest) {
            skipped
        } else if first.is_alphanumeric() || first == '_' {
            let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_'));
            let word = &rest[..end.unwrap_or(rest.len())];
            // r"…", br#"…"#, b'…', r#word: the prefix is no word of its own.
            let prefix = matches!(word, "r" | "b" | "br" | "c" | "cr")
                && rest[word.len()..].starts_with(['"', '#', '\'']);
            if prefix && word != "b" && word != "c" {
                raw_string(&rest[word.len()..]).map_or(word.len(), |raw| word.len() + raw)
            } else {
                if !prefix {
                    found.push(word);
                }
                word.len()
            }
        } else if rest.starts_with("::") {
            found.push(&rest[..2]);
            2
        } else {
            if !first.is_whitespace() {
                found.push(&rest[..first.len_utf8()]);
            }
            first.len_utf8()
        };
        rest = &rest[taken..];
    }
    found
}

/// The length of the comment, string or character that begins here.
fn skipped(rest: &str) -> Option<usize> {
    if rest.starts_with("//") {
        return Some(rest.find('\n').unwrap_or(rest.len()));
    }
    if rest.starts_with("/*") {
        return Some(rest.find("*/").map_or(rest.len(), |end| end + 2));
    }
    if rest.starts_with('"') {
        return Some(quoted(rest, '"').unwrap_or(rest.len()));
    }
    if let Some(inside) = rest.strip_prefix('\'') {
        // A character closes; a lifetime does not.
        let mut letters = inside.chars();
        let character = letters.next() == Some('\\') || letters.next() == Some('\'');
        return character.then(|| quoted(rest, '\'').unwrap_or(1));
    }
    None
}

fn quoted(rest: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    for (at, letter) in rest.char_indices().skip(1) {
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            letter if letter == quote => return Some(at + quote.len_utf8()),
            _ => {}
        }
    }
    None
}

fn raw_string(rest: &str) -> Option<usize> {
    let hashes = rest.len() - rest.trim_start_matches('#').len();
    let inside = rest[hashes..].strip_prefix('"')?;
    let close = format!("\"{}", "#".repeat(hashes));
    inside
        .find(&close)
        .map(|end| hashes + 1 + end + close.len())
}

fn sources(folder: &Path, found: &mut BTreeMap<String, String>, root: &Path) {
    for entry in fs::read_dir(folder).expect("src can be listed") {
        let path: PathBuf = entry.expect("src can be listed").path();
        if path.is_dir() {
            sources(&path, found, root);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            let name = path.strip_prefix(root).expect("below src");
            let text = fs::read_to_string(&path).expect("a source file is text");
            found.insert(name.to_string_lossy().into_owned(), text);
        }
    }
}

fn all_sources() -> BTreeMap<String, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = BTreeMap::new();
    sources(&root, &mut found, &root);
    assert!(found.contains_key("lib.rs"), "the sources were found");
    found
}

#[test]
fn rooms_import_only_from_floors_below() {
    let wrong: Vec<String> = all_sources()
        .iter()
        .flat_map(|(path, text)| check(path, text))
        .collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn unsafe_lives_in_at_most_one_file() {
    let files: Vec<String> = all_sources()
        .into_iter()
        .filter(|(_, text)| tokens(text).contains(&"unsafe"))
        .map(|(path, _)| path)
        .collect();
    assert!(files.len() <= 1, "unsafe in {files:?}");
}

#[test]
fn an_import_from_above_is_seen_however_it_is_written() {
    for text in [
        "use crate::store::Store;",
        "use crate::{rr::Name, store};",
        "use crate::{\n    rr::{Name, Rtype},\n    zone::Diff,\n    change::{self, Submission},\n};",
        "pub(crate) use crate::store as keep;",
        "fn f() { crate::store::open(); }",
        "fn f(x: &'static crate::store::Store) {}",
        "use super::super::store;",
        "mod tests { use super::super::super::store::Store; }",
        "macro_rules! m { () => { $crate::store::open() } }",
        "use crate::update;",
        "use crate::*;",
        "use crate::nowhere;",
    ] {
        assert!(!check("answer/lookup.rs", text).is_empty(), "{text}");
    }
    assert!(!check("answer/mod.rs", "use super::store;").is_empty());
    assert!(!check("answer.rs", "use super::store;").is_empty());
    assert!(!check("misc/mod.rs", "").is_empty(), "a room on no floor");
}

#[test]
fn what_is_allowed_is_not_called_wrong() {
    for text in [
        "use crate::rr::{Name, Rtype};",
        "use crate::{rr::Name, zone::{Diff, ZoneImage}};",
        "use crate::answer::Context;",
        "use super::Context; use super::name::store;",
        "mod tests { use super::*; use super::super::Context; }",
        "// use crate::store;\n/* crate::store */ let x = \"crate::store\";",
        "let x = r#\"crate::store \" rusqlite::open\"#; let c = '\"'; let d = '\\''; use crate::rr;",
        "pub(crate) fn f<'a>(x: &'a str) -> &'a str { x }",
    ] {
        assert_eq!(check("answer/lookup.rs", text), [""; 0], "{text}");
    }
    assert_eq!(
        check("server/mod.rs", "use crate::config::Config;"),
        [""; 0]
    );
    assert_eq!(check("main.rs", "use lastgood::cli;"), [""; 0]);
}

#[test]
fn a_library_outside_its_place_is_seen() {
    for (path, text) in [
        ("change/mod.rs", "use rusqlite::Connection;"),
        ("change/mod.rs", "fn f() { rusqlite::version(); }"),
        ("change/mod.rs", "fn f() { ::rusqlite::version(); }"),
        ("server/mod.rs", "use axum::Router;"),
        ("server/mod.rs", "use hyper as h;"),
        ("wire/tcp.rs", "use hickory_server::Server;"),
    ] {
        assert!(!check(path, text).is_empty(), "{path}: {text}");
    }
    for (path, text) in [
        ("store/mod.rs", "use rusqlite::Connection;"),
        ("admin/mod.rs", "use axum::Router;"),
        ("cli/client.rs", "use hyper::Request;"),
        ("wire/hickory.rs", "use hickory_server::Server;"),
        ("change/mod.rs", "fn f(hyper: u8) { self::axum::x(); }"),
    ] {
        assert_eq!(check(path, text), [""; 0], "{path}: {text}");
    }
}
