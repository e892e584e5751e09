//! Pages of documentation: their commands, run in their order, print what the pages say they print.
//!
//! A block fenced as `sh` is run; a block fenced as `text` right after it is what it prints. What is
//! fenced as `console` is for root, and is run by docker/package. Numbers,
//! times and references differ from run to run and are not compared; nor is what a page leaves out:
//! its lines must come in their order among those printed. A block that only looks (see `looks`) is
//! asked again until it shows what it should, since a hold is noticed a moment after the damage.
//!
//! What no reader sees: `<!-- rehearsal` … `-->` is run as well, and brings about what the page is
//! about to mend; `<!-- file PATH -->` says where the `toml` below it belongs.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::eventually;
use super::programs::Ran;

pub struct Page {
    name: String,
    pub text: String,
    pub blocks: Vec<Block>,
    /// References to changes, as they stand on the page.
    references: Vec<String>,
}

pub struct Block {
    line: usize,
    pub commands: String,
    /// Nothing when the page shows no output.
    pub prints: Option<String>,
    /// The file that this is, instead of commands.
    pub file: Option<PathBuf>,
}

/// What a reader sees of a block.
pub struct Shown {
    pub line: usize,
    pub language: String,
    /// The language of the block before it.
    pub above: String,
    pub body: String,
}

/// Where a page is followed.
pub trait Scene {
    /// Runs commands as a person would type them.
    fn run(&self, commands: &str) -> Ran;
    /// The newest rows of the history first.
    fn log(&self) -> Vec<Value>;
    fn write(&self, path: &Path, text: &str);
}

impl Page {
    pub fn read(name: &str) -> Page {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
        let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{name}: {error}"));
        let blocks = blocks(&text);
        Page {
            name: name.to_owned(),
            references: references(&blocks),
            text,
            blocks,
        }
    }

    /// The blocks of a language, wherever they stand.
    pub fn fenced(&self, language: &str) -> Vec<String> {
        let of_it = self.shown().into_iter();
        let of_it = of_it.filter(|shown| shown.language == language);
        of_it.map(|shown| shown.body).collect()
    }

    /// Every block that a reader sees.
    pub fn shown(&self) -> Vec<Shown> {
        let mut above = String::new();
        let fences = fences(&self.text).into_iter().map(|(fence, _)| fence);
        let seen = fences.filter(|fence| fence.language != REHEARSAL);
        seen.map(|fence| {
            let language = fence.language.to_owned();
            Shown {
                line: fence.line,
                above: std::mem::replace(&mut above, language.clone()),
                language,
                body: fence.body,
            }
        })
        .collect()
    }

    /// Runs one block and compares what it prints.
    pub fn follow(&self, scene: &dyn Scene, block: &Block) {
        if let Some(path) = &block.file {
            return scene.write(path, &block.commands);
        }
        let mut commands = self.with_references_of(scene, block);
        if block.prints.is_none() {
            // Each of them has to succeed.
            commands.insert_str(0, "set -e\n");
        }
        let attempt = || {
            let ran = scene.run(&commands);
            let Some(prints) = &block.prints else {
                return if ran.ok() {
                    Ok(())
                } else {
                    Err(ran.to_string())
                };
            };
            let now: Vec<String> = scene.log().iter().filter_map(reference).collect();
            let printed = comparable(&ran.both(), &now);
            match missing(&comparable(prints, &self.references), &printed) {
                None => Ok(()),
                Some(line) => Err(format!("no line `{line}` in its place in {printed:#?}")),
            }
        };
        let what = format!("{} line {}: {commands}", self.name, block.line);
        if looks(&block.commands) {
            eventually(&what, attempt);
        } else if let Err(reason) = attempt() {
            panic!("{what}: {reason}");
        }
    }

    /// `lastgood why` is asked about the newest change that ended as the page says.
    fn with_references_of(&self, scene: &dyn Scene, block: &Block) -> String {
        let mut commands = block.commands.clone();
        for written in asked_why(&commands).map(str::to_owned).collect::<Vec<_>>() {
            let told = block.prints.as_deref().unwrap_or_default();
            let outcome = told
                .strip_prefix(&format!("{written}: "))
                .and_then(|rest| rest.split_whitespace().next())
                .unwrap_or("refused");
            let rows = scene.log();
            let found = rows.iter().find(|row| row["outcome"] == outcome);
            let found = found.and_then(reference);
            let found = found.unwrap_or_else(|| panic!("a change that was {outcome}"));
            commands = commands.replace(&written, &found);
        }
        commands
    }
}

fn reference(row: &Value) -> Option<String> {
    row["reference"].as_str().map(str::to_owned)
}

/// Something fenced, or a rehearsal.
struct Fence<'a> {
    language: &'a str,
    line: usize,
    /// In a list it is indented: what is in it counts from there.
    indent: &'a str,
    body: String,
}

const REHEARSAL: &str = "rehearsal";

fn fences(text: &str) -> Vec<(Fence<'_>, Option<PathBuf>)> {
    let mut fences = Vec::new();
    let mut open: Option<Fence> = None;
    let mut file = None;
    for (number, line) in text.lines().enumerate() {
        if let Some(fence) = &mut open {
            let line = line.strip_prefix(fence.indent).unwrap_or(line);
            let end = match fence.language {
                REHEARSAL => "-->",
                _ => "```",
            };
            if line != end {
                fence.body += &format!("{line}\n");
            } else if let Some(fence) = open.take() {
                fences.push((fence, file.take()));
            }
            continue;
        }
        let start = line.trim_start();
        if let Some(path) = start.strip_prefix("<!-- file ") {
            file = path.strip_suffix(" -->").map(PathBuf::from);
        }
        let hidden = start.strip_prefix("<!-- ");
        let hidden = hidden.filter(|mark| *mark == REHEARSAL);
        open = start.strip_prefix("```").or(hidden).map(|language| Fence {
            language,
            line: number + 1,
            indent: &line[..line.len() - start.len()],
            body: String::new(),
        });
    }
    if let Some(fence) = open {
        panic!("what begins in line {} has an end", fence.line);
    }
    fences
}

fn blocks(text: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut above = "";
    for (fence, file) in fences(text) {
        let block = |commands: String, file| Block {
            line: fence.line,
            commands,
            prints: None,
            file,
        };
        match fence.language {
            "sh" | REHEARSAL => blocks.push(block(fence.body, None)),
            "toml" if file.is_some() => blocks.push(block(fence.body, file)),
            "text" if above != "console" => {
                assert_eq!(above, "sh", "line {}: commands right above", fence.line);
                let block = blocks.last_mut().expect("just seen");
                block.prints = Some(fence.body);
            }
            _ => {}
        }
        above = fence.language;
    }
    blocks
}

/// Commands that change nothing may be repeated.
fn looks(commands: &str) -> bool {
    let verbs = [
        "ask ",
        "dig ",
        "curl ",
        "journalctl ",
        "lastgood status",
        "lastgood why",
        "lastgood log",
        "lastgood diff",
        "lastgood zone list",
        "lastgood snapshot show",
    ];
    commands
        .lines()
        .all(|line| verbs.iter().any(|verb| line.starts_with(verb)))
}

/// Digits as `0`, references and hashes as `0`, one space between words, small times alike.
pub fn comparable(text: &str, references: &[String]) -> Vec<String> {
    let plain = |line: &str| {
        let mut line = line.replace("µs", "ms");
        for reference in references {
            line = line.replace(reference, "0");
        }
        let words: Vec<&str> = line
            .split_whitespace()
            .map(|word| if is_hash(word) { "0" } else { word })
            .collect();
        let mut told = String::new();
        for letter in words.join(" ").chars() {
            if !letter.is_ascii_digit() {
                told.push(letter);
            } else if !told.ends_with('0') {
                told.push('0');
            }
        }
        // A time of one digit or of two.
        told.replace("0.0 ms", "0 ms")
    };
    text.lines()
        .map(plain)
        .filter(|line| !line.is_empty())
        .collect()
}

fn is_hash(word: &str) -> bool {
    word.len() == 64 && word.bytes().all(|octet| octet.is_ascii_hexdigit())
}

/// The first expected line that does not come where it should.
pub fn missing(expected: &[String], printed: &[String]) -> Option<String> {
    let mut rest = printed.iter();
    expected
        .iter()
        .filter(|line| *line != "…")
        .find(|line| !rest.any(|other| other == *line))
        .cloned()
}

fn asked_why(commands: &str) -> impl Iterator<Item = &str> {
    let lines = commands.lines();
    lines.filter_map(|line| line.strip_prefix("lastgood why "))
}

/// What `lastgood why` is given, and what looks like it in the outputs.
fn references(blocks: &[Block]) -> Vec<String> {
    let asked = blocks.iter().flat_map(|block| asked_why(&block.commands));
    let printed = blocks.iter().filter_map(|block| block.prints.as_deref());
    let words = printed.flat_map(|text| text.split(|c: char| !c.is_ascii_alphanumeric()));
    let references = words.filter(|word| {
        let has = |kind: fn(&u8) -> bool| word.bytes().any(|octet| kind(&octet));
        word.len() == 4 && has(u8::is_ascii_digit) && has(u8::is_ascii_uppercase)
    });
    asked.chain(references).map(str::to_owned).collect()
}

#[test]
fn a_missing_line_of_output_is_noticed() {
    let expected = comparable(
        "api   60 IN A 192.0.2.10\n…\nref=7Q2K\n",
        &["7Q2K".to_owned()],
    );
    let printed = comparable(
        "x\napi 60 IN A 192.0.2.77\ny\nref=9ZZZ",
        &["9ZZZ".to_owned()],
    );
    assert_eq!(missing(&expected, &printed), None);
    assert_eq!(missing(&expected, &printed[1..2]), Some("ref=0".to_owned()));
}
