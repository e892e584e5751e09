//! Zone files in odd spellings: what BIND, Knot DNS and NSD all load, we load, and what BIND makes of
//! a file it makes of our reading of it.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use lastgood::admin::examine;
use lastgood::rr::token::Lexer;
use lastgood::rr::{Name, Record, rdata};
use lastgood::server::read_zone_file;
use lastgood::zone::ZoneImage;
use lastgood::zonefile;
use tempfile::TempDir;

use crate::harness::programs;

const THREADS: usize = 4;
/// Of random files in a run of the tests; `LASTGOOD_ZONE_FILES=500` makes more.
const RANDOM_FILES: u64 = 20;

const HEAD: &str = "$ORIGIN example.com.\n$TTL 60\n@ SOA ns1 h 1 7200 900 1209600 300\n\
                    @ NS ns1\n@ NS ns2\nns1 A 192.0.2.1\nns2 A 192.0.2.2\n";

/// Where we differ, each for its reason.
const DIFFERENT: [(&str, &str); 7] = [
    (
        "an RRset of 1001 records",
        "a limit of our own, for what no answer can hold",
    ),
    (
        "a byte order mark",
        "nobody else reads past it; it is no part of a name",
    ),
    ("a target in two cases", "of duplicates we keep the first"),
    ("@ NS a.⏎@ NS A.", "as above"),
    (
        "a A 192.0.2.1⏎$TTL 9⏎ A 192.0.2.2",
        "the lowest TTL counts (RFC 2181 §5.2)",
    ),
    ("a 60 A 192.0.2.1⏎A 70 A 192.0.2.1", "as above"),
    ("$GENERATE 1-2 a$ TXT \"x $\"", "BIND forgets the quotes"),
];

fn origin() -> Name {
    "example.com.".parse().expect("a name")
}

fn zonefiles(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/zonefiles")
        .join(name)
}

struct Case {
    label: String,
    text: Vec<u8>,
}

/// Whether the zone is fit to be served, and how we write it.
fn ours(file: &Path) -> Option<String> {
    let parsed = read_zone_file(file, &origin()).expect("a file");
    if !examine(&origin(), parsed.clone()).is_fit() {
        return None;
    }
    let image = ZoneImage::from_records(origin(), parsed.records).expect("records of the zone");
    Some(zonefile::print(&image))
}

/// The zone as BIND compiles it, whatever else it would complain of.
fn named(file: &Path) -> Option<String> {
    let mut command = Command::new("named-compilezone");
    command.args(["-i", "none", "-F", "text", "-s", "full", "-o", "-"]);
    for check in ["-k", "-m", "-n", "-r", "-M", "-S", "-T", "-W"] {
        command.args([check, "ignore"]);
    }
    let ran = programs::run(command.arg("example.com").arg(file), "");
    ran.ok().then_some(ran.stdout)
}

fn knot(file: &Path) -> bool {
    let mut command = Command::new("kzonecheck");
    programs::run(command.args(["-o", "example.com"]).arg(file), "").ok()
}

fn nsd(file: &Path) -> bool {
    let mut command = Command::new("nsd-checkzone");
    programs::run(command.arg("example.com").arg(file), "").ok()
}

/// How we differ from the others on one file.
fn difference(folder: &Path, at: usize, case: &Case) -> Option<String> {
    let file = folder.join(format!("{at}.zone"));
    fs::write(&file, &case.text).expect("a scratch file");
    match (named(&file), ours(&file)) {
        (Some(theirs), Some(text)) => {
            // One record a line, every name absolute: no two readers differ over that.
            let plain = folder.join(format!("{at}.named.zone"));
            fs::write(&plain, theirs).expect("a scratch file");
            let theirs = ours(&plain).unwrap_or_default();
            (theirs != text).then(|| format!("named reads {theirs}\nwe read {text}"))
        }
        (Some(_), None) if knot(&file) && nsd(&file) => Some("the others load it".to_owned()),
        (None, Some(_)) if !knot(&file) && !nsd(&file) => Some("nobody else loads it".to_owned()),
        _ => None,
    }
}

#[track_caller]
fn compare(cases: &[Case]) {
    let folder = TempDir::new().expect("a scratch folder");
    let next = AtomicUsize::new(0);
    let work = || {
        let mut found = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(case) = cases.get(at) else {
                return found;
            };
            let is_known = DIFFERENT.iter().any(|(label, _)| *label == case.label);
            match difference(folder.path(), at, case) {
                Some(difference) if !is_known => {
                    found.push(format!("{}\n{difference}", case.label));
                }
                None if is_known => found.push(format!("{} is no difference", case.label)),
                _ => {}
            }
        }
    };
    let found: Vec<String> = thread::scope(|scope| {
        let workers: Vec<_> = (0..THREADS).map(|_| scope.spawn(work)).collect();
        let found = workers
            .into_iter()
            .map(|worker| worker.join().expect("no panic"));
        found.flatten().collect()
    });
    assert!(
        found.is_empty(),
        "{} of {}:\n{}",
        found.len(),
        cases.len(),
        found.join("\n\n")
    );
}

#[test]
fn odd_lines_are_read_as_bind_reads_them() {
    let text = fs::read_to_string(zonefiles("odd-lines.txt")).expect("the odd lines");
    let cases: Vec<Case> = text
        .lines()
        .map(|line| Case {
            label: line.to_owned(),
            text: format!("{HEAD}{}\n", line.replace('⏎', "\n")).into_bytes(),
        })
        .collect();
    assert!(cases.len() > 400, "{}", cases.len());
    compare(&cases);
}

type Files = Vec<(&'static str, String)>;

/// Line ends, blanks, comments, characters.
fn odd_layouts() -> Files {
    vec![
        (
            "CRLF",
            format!("{HEAD}a TXT ( x ; y\n z )\n").replace('\n', "\r\n"),
        ),
        ("no newline at the end", format!("{HEAD}a A 192.0.2.3")),
        ("a comment at the end", format!("{HEAD}a A 192.0.2.3 ; x")),
        ("a quote at the end", format!("{HEAD}a TXT \"x\"")),
        ("tabs", format!("{HEAD}a A 192.0.2.3").replace(' ', "\t")),
        ("a byte order mark", format!("\u{FEFF}{HEAD}")),
        (
            "blanks at the ends",
            format!("{HEAD}a A 192.0.2.3 \t \n  \t\n\n").replace('\n', "  \n"),
        ),
        (
            "blank lines and comments",
            format!("{HEAD}  ; x\n;\n\t;;\n\n"),
        ),
        ("a form feed", format!("{HEAD}\u{c}\na A 192.0.2.3\n")),
        ("a vertical tab", format!("{HEAD}a\u{b}A 192.0.2.3\n")),
        ("a NUL", format!("{HEAD}a TXT \"x\0y\"\n")),
        ("a control-Z", format!("{HEAD}\u{1a}")),
        ("carriage returns alone", HEAD.replace('\n', "\r")),
        (
            "a long comment",
            format!("{HEAD}a A 192.0.2.3 ;{}\n", "x".repeat(100_000)),
        ),
        (
            "long blanks",
            format!("{HEAD}a{}A 192.0.2.3\n", " ".repeat(100_000)),
        ),
        (
            "long parentheses",
            format!("{HEAD}a TXT ({}x )\n", " ; x\n".repeat(10_000)),
        ),
    ]
}

/// As long as can be, and longer.
fn odd_sizes() -> Files {
    let strings = |count: usize, octets: usize| {
        let string = format!("\"{}\" ", "x".repeat(octets));
        format!("{HEAD}a TXT {}\n", string.repeat(count))
    };
    let name = |last: usize| {
        let label = "a".repeat(63);
        format!(
            "{HEAD}{label}.{label}.{label}.{} A 192.0.2.1\n",
            "b".repeat(last)
        )
    };
    let many = |count: usize| {
        (0..count).fold(HEAD.to_owned(), |text, n| {
            text + &format!("a A 10.0.{}.{}\n", n / 256, n % 256)
        })
    };
    vec![
        ("a string of 255 octets", strings(1, 255)),
        ("a string of 256 octets", strings(1, 256)),
        ("a line of 60 kilobytes", strings(300, 200)),
        ("data of 65535 octets", strings(255, 255) + " a TXT x\n"),
        ("data of 65536 octets", strings(256, 255)),
        ("a name of 255 octets", name(49)),
        ("a name of 256 octets", name(50)),
        (
            "122 labels",
            format!("{HEAD}{}A 192.0.2.3\n", "a.".repeat(120) + "a "),
        ),
        ("an RRset of 1000 records", many(1000)),
        ("an RRset of 1001 records", many(1001)),
    ]
}

/// SOA, NS, TTLs, owners, and ends that are missing.
fn odd_zones() -> Files {
    let soa = |text: &str| HEAD.replace("@ SOA ns1 h 1 7200 900 1209600 300", text);
    vec![
        ("nothing", String::new()),
        ("a comment alone", "; x\n".to_owned()),
        ("no $ORIGIN", HEAD.replace("$ORIGIN example.com.\n", "")),
        ("no TTL at all", HEAD.replace("$TTL 60\n", "")),
        (
            "a TTL on the SOA alone",
            soa("@ 70 SOA ns1 h 1 2 3 4 5").replace("$TTL 60\n", ""),
        ),
        (
            "a TTL before the SOA",
            "a.example.com. 9 A 192.0.2.3\n".to_owned() + HEAD,
        ),
        (
            "the SOA last",
            format!("$TTL 60\n{}", HEAD.replace("$TTL 60\n", "")),
        ),
        (
            "the SOA in lines",
            soa("@ IN SOA ns1 h (\n 1 ; serial\n 1d ; refresh\n 2h\n 4w\n 1h )"),
        ),
        (
            "the SOA from its first name",
            soa("@ IN SOA ( ns1 h 1\n 1d\n 2h\n 4w\n 1h\n)"),
        ),
        (
            "the SOA on the next line",
            soa("@ (\n SOA ns1 h 1 2 3 4 5 )"),
        ),
        (
            "an @ in the mailbox",
            soa("@ SOA ns1 h@example.com. 1 2 3 4 5"),
        ),
        ("a dot in the mailbox", soa("@ SOA ns1 a\\.b 1 2 3 4 5")),
        ("serial 0", soa("@ SOA ns1 h 0 2 3 4 5")),
        ("serial 4294967295", soa("@ SOA ns1 h 4294967295 2 3 4 5")),
        ("serial 4294967296", soa("@ SOA ns1 h 4294967296 2 3 4 5")),
        ("a serial with a dot", soa("@ SOA ns1 h 1.2 2 3 4 5")),
        ("one NS", HEAD.replace("@ NS ns2\n", "")),
        (
            "no NS",
            HEAD.replace("@ NS ns2\n", "").replace("@ NS ns1\n", ""),
        ),
        (
            "NS without addresses",
            HEAD.replace("ns1 A 192.0.2.1\n", ""),
        ),
        (
            "a record five times",
            format!("{HEAD}{}", "a A 192.0.2.3\n".repeat(5)),
        ),
        ("a target in two cases", format!("{HEAD}a NS B.\na NS b.\n")),
        (
            "an owner in three cases",
            format!("{HEAD}Foo A 192.0.2.3\nfoo A 192.0.2.4\nFOO TXT x\n"),
        ),
        ("an open parenthesis", format!("{HEAD}a TXT ( x\n")),
        ("an open quote", format!("{HEAD}a TXT \"x\nb A 192.0.2.3\n")),
        ("a backslash at the end", format!("{HEAD}a TXT x\\")),
        (
            "a file that is not there",
            format!("{HEAD}$INCLUDE nowhere\n"),
        ),
    ]
}

#[test]
fn odd_files_are_read_as_bind_reads_them() {
    let files = [odd_layouts(), odd_sizes(), odd_zones()].concat();
    let cases: Vec<Case> = files
        .into_iter()
        .map(|(label, text)| Case {
            label: label.to_owned(),
            text: text.into_bytes(),
        })
        .collect();
    assert!(cases.len() > 50, "{}", cases.len());
    compare(&cases);
}

/// Small and repeatable (Steele, Lea and Flood, 2014).
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) % end as u64) as usize
    }

    fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    fn of<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[self.below(list.len())]
    }
}

/// A zone file of these records, spelled at random.
struct Scribe {
    random: Random,
    origin: Name,
    text: String,
    /// Parentheses opened in this entry, and those that may still be opened.
    open: usize,
}

impl Scribe {
    fn blank(&mut self) {
        let blank = match self.random.below(12) {
            0 => "\t",
            1 => "   ",
            2 if self.open == 0 => {
                self.open += 1;
                " ( "
            }
            3 | 4 if self.open > 0 => {
                self.random
                    .of(&["\n", "\n\t", " ; a \"comment\" )\n ", "\r\n"])
            }
            5 if self.open > 0 => {
                self.open -= 1;
                " ) "
            }
            _ => " ",
        };
        self.text.push_str(blank);
    }

    /// Absolute, relative or `@`, its letters sometimes escaped.
    fn name(&mut self, name: &str) {
        let suffix = format!(".{}", self.origin);
        let text = match name.strip_suffix(&suffix) {
            _ if self.random.one_in(4) => name,
            Some(relative) => relative,
            None if name == self.origin.to_string() => "@",
            None => name,
        };
        for character in text.chars() {
            // A character behind a backslash belongs to it.
            let is_plain = character.is_ascii_lowercase() && !self.text.ends_with('\\');
            match self.random.below(60) {
                0 if is_plain => write!(self.text, "\\{:03}", character as u32).expect("a String"),
                1 if is_plain => write!(self.text, "\\{character}").expect("a String"),
                _ => self.text.push(character),
            }
        }
    }

    fn string(&mut self, octets: &[u8]) {
        let quoted = octets.is_empty() || !self.random.one_in(3);
        let quote = if quoted { "\"" } else { "" };
        self.text.push_str(quote);
        let mut octets = octets.iter().copied();
        while let Some(octet) = octets.next() {
            match octet {
                b'\\' => {
                    self.text.push('\\');
                    self.text.extend(octets.next().map(char::from));
                }
                // Outside quotes NSD takes `@` and BIND `$` for something else now and then.
                b' ' | b';' | b'(' | b')' | b'@' | b'$' | b'=' if !quoted => {
                    write!(self.text, "\\{octet:03}").expect("a String");
                }
                _ => self.text.push(char::from(octet)),
            }
        }
        self.text.push_str(quote);
    }

    fn entry(&mut self, record: &Record, same_owner: bool) {
        if !(same_owner && self.random.one_in(2)) {
            self.name(&record.owner.to_string());
        }
        self.blank_before_fields();
        let ttl = match record.ttl.is_multiple_of(60) && self.random.one_in(3) {
            true => format!("{}{}", record.ttl / 60, self.random.of(&["m", "M"])),
            false => record.ttl.to_string(),
        };
        let class = self.random.of(&["IN", "in", "CLASS1", ""]);
        let fields = match self.random.below(2) {
            0 => [class, ttl.as_str()],
            _ => [ttl.as_str(), class],
        };
        for field in fields.iter().filter(|field| !field.is_empty()) {
            self.text.push_str(field);
            self.blank();
        }
        let generic = self.random.one_in(6);
        let (rtype, data) = match generic {
            true => (
                format!("TYPE{}", record.rtype.0),
                rdata::generic_text(&record.rdata),
            ),
            false => (record.rtype.to_string(), record.rdata_text()),
        };
        match self.random.below(5) {
            0 => write!(self.text, "TYPE{}", record.rtype.0).expect("a String"),
            1 => self.text.push_str(&rtype.to_ascii_lowercase()),
            _ => self.text.push_str(&rtype),
        }
        self.data(&data);
        while self.open > 0 {
            self.open -= 1;
            self.text.push_str(" )");
        }
        let end = self
            .random
            .of(&["\n", "\n", "\r\n", " ; (\n", "\n\n \n", "\n;\n"]);
        self.text.push_str(end);
    }

    fn blank_before_fields(&mut self) {
        // A line that begins in a parenthesis would not begin with a blank.
        self.text.push_str(self.random.of(&[" ", "\t", "    "]));
    }

    fn data(&mut self, data: &str) {
        let mut tokens = Vec::new();
        if let Some(opening) = Lexer::new(data.as_bytes()).entry(&mut tokens) {
            opening.expect("what we write ourselves");
        }
        let is_text = tokens.iter().all(|token| token.quoted);
        for token in tokens {
            if !token.adjacent {
                self.blank();
            }
            let text = String::from_utf8_lossy(token.text).into_owned();
            match token.quoted {
                // Where all is text; BIND wants some of the others in quotes.
                true if is_text => self.string(token.text),
                true => write!(self.text, "\"{text}\"").expect("a String"),
                false if text.ends_with('.') && text.len() > 1 => self.name(&text),
                false => self.text.push_str(&text),
            }
        }
    }
}

fn random_file(records: &[Record], seed: u64) -> Case {
    let mut scribe = Scribe {
        random: Random(seed),
        origin: origin(),
        text: String::new(),
        open: 0,
    };
    let mut last: Option<&Name> = None;
    for record in records {
        if scribe.random.one_in(8) {
            let name = scribe
                .random
                .of(&["types.example.com.", "example.com.", ".", "com."]);
            scribe.text += &format!("$ORIGIN {name}\n");
            scribe.origin = name.parse().expect("a name");
        }
        let same_owner = last.is_some_and(|last| last.same_spelling(&record.owner));
        scribe.entry(record, same_owner);
        last = Some(&record.owner);
    }
    Case {
        label: format!("seed {seed}:\n{}", scribe.text),
        text: scribe.text.into_bytes(),
    }
}

fn random_files() -> u64 {
    let count = std::env::var("LASTGOOD_ZONE_FILES");
    count.map_or(RANDOM_FILES, |count| count.parse().expect("a number"))
}

#[test]
fn random_spellings_are_read_as_bind_reads_them() {
    let mut records = Vec::new();
    for name in ["every-type.zone", "seldom-read.zone"] {
        let parsed = read_zone_file(&zonefiles(name), &origin()).expect("a file");
        let is_second = |record: &Record| name == "seldom-read.zone" && record.owner == origin();
        records.extend(
            parsed
                .records
                .into_iter()
                .filter(|record| !is_second(record)),
        );
    }
    assert!(records.len() > 80, "{}", records.len());
    let cases: Vec<Case> = (0..random_files())
        .map(|seed| random_file(&records, seed))
        .collect();
    compare(&cases);
}

/// Data of known types with octets changed, missing or too many, in the generic form.
fn malformed(records: &[Record], seed: u64) -> Case {
    let mut random = Random(seed);
    let record = &records[random.below(records.len())];
    let mut data = record.rdata.to_vec();
    match random.below(4) {
        0 => data.truncate(random.below(data.len() + 1)),
        1 => data.push(random.below(256) as u8),
        _ => {
            for _ in 0..=random.below(2) {
                let at = random.below(data.len().max(1));
                if let Some(octet) = data.get_mut(at) {
                    *octet = random.below(256) as u8;
                }
            }
        }
    }
    let line = format!("x TYPE{} {}", record.rtype.0, rdata::generic_text(&data));
    Case {
        text: format!("{HEAD}{line}\n").into_bytes(),
        label: format!("{line} ; {}", record.rtype),
    }
}

#[test]
fn malformed_data_are_refused_only_where_others_refuse_them() {
    let parsed = read_zone_file(&zonefiles("every-type.zone"), &origin()).expect("a file");
    let mut records = parsed.records;
    records
        .retain(|record| !["SOA", "CNAME", "DNAME"].contains(&record.rtype.to_string().as_str()));
    let folder = TempDir::new().expect("a scratch folder");
    let is_refused = |case: &Case| {
        let file = folder.path().join("ours.zone");
        fs::write(&file, &case.text).expect("a scratch file");
        ours(&file).is_none()
    };
    let tried = random_files() * 20;
    let cases: Vec<Case> = (0..tried)
        .map(|seed| malformed(&records, seed))
        .filter(is_refused)
        .collect();
    assert!(cases.len() > 30, "{}", cases.len());
    compare(&cases);
}
