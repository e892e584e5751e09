//! Every block of the pages is run, read or compared by somebody.

use std::fs;
use std::path::Path;

use crate::harness::pages::{Page, Shown};
use crate::{docs, readme};

fn top() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn pages() -> Vec<String> {
    let folder = fs::read_dir(top().join("docs")).expect("docs");
    let names = folder.map(|entry| entry.expect("an entry").file_name());
    let names = names.map(|name| format!("docs/{}", name.to_string_lossy()));
    let mut pages: Vec<String> = names.filter(|name| name.ends_with(".md")).collect();
    pages.push("README.md".to_owned());
    pages
}

/// The beginnings of the blocks for root that docker/package takes from the pages, in their order there.
fn taken_by_the_package() -> Vec<String> {
    let script = fs::read_to_string(top().join("docker/package")).expect("docker/package");
    let words = script
        .lines()
        .filter_map(|line| line.strip_prefix("console '"));
    words
        .map(|words| words.trim_end_matches('\'').to_owned())
        .collect()
}

/// Who takes it, or nobody.
fn taker(page: &str, shown: &Shown) -> Option<&'static str> {
    let followed = page == "README.md" || docs::FOLLOWED.contains(&page);
    match &*shown.language {
        "sh" if shown.body == readme::ITSELF => Some("whoever runs the tests"),
        "sh" if followed => Some("the follower of the page"),
        "text" if shown.above == "sh" && followed => Some("the follower of the page"),
        "text" if shown.above == "console" => Some("docker/package"),
        "toml" if page == "README.md" || docs::CONFIGURED.contains(&page) => Some("a reader"),
        "console" => {
            let taken = taken_by_the_package();
            let begun = taken.iter().filter(|words| shown.body.starts_with(*words));
            (begun.count() == 1).then_some("docker/package")
        }
        // A picture.
        "" if page == "README.md" && shown.body.contains('▼') => Some("nobody, it is no command"),
        _ => None,
    }
}

#[test]
fn every_block_of_every_page_is_run_or_read_by_a_test() {
    let mut seen = 0;
    for name in pages() {
        for shown in Page::read(&name).shown() {
            seen += 1;
            let Shown { line, body, .. } = &shown;
            let taker = taker(&name, &shown);
            assert!(taker.is_some(), "{name} line {line}: nobody runs\n{body}");
        }
    }
    assert!(seen > 90, "{seen} blocks are not all");
}

#[test]
fn the_package_test_takes_nothing_that_no_page_says() {
    let mut blocks = Vec::new();
    for name in pages() {
        let shown = Page::read(&name).shown().into_iter();
        blocks.extend(shown.filter(|shown| shown.language == "console"));
    }
    let taken = taken_by_the_package();
    assert_eq!(taken.len(), blocks.len(), "{taken:?}");
    for words in taken {
        let found = blocks.iter().any(|shown| shown.body.starts_with(&words));
        assert!(found, "{words}");
    }
}

/// What stands outside a fence by mistake is run by nobody.
#[test]
fn no_line_of_a_page_looks_like_a_command_outside_a_block() {
    for name in pages() {
        let page = Page::read(&name);
        let inside: String = page.shown().into_iter().map(|shown| shown.body).collect();
        for line in page.text.lines().map(str::trim) {
            let command = ["$ ", "# lastgood ", "~~~"]
                .iter()
                .any(|mark| line.starts_with(mark));
            assert!(!command || inside.contains(line), "{name}: {line}");
        }
    }
}
