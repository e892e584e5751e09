//! Metrics as Prometheus reads them, in both of its text formats: fetched, and taken apart by the
//! letter of the formats. Whatever is not in order is a panic.

use std::collections::{BTreeMap, HashSet};
use std::io::{Read, Write};

/// The answer to an HTTP request.
#[derive(Debug)]
pub struct Http {
    pub status: u16,
    pub head: String,
    pub body: String,
}

/// Sends one request, and reads until the other end closes.
pub fn request(mut stream: impl Read + Write, line: &str, headers: &str) -> Http {
    let request = format!("{line} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).expect("sent");
    let mut response = String::new();
    stream.read_to_string(&mut response).expect("a response");
    let (head, body) = response.split_once("\r\n\r\n").expect("a head");
    assert!(
        !head.to_lowercase().contains("transfer-encoding"),
        "a page has a length: {head}"
    );
    let status = head.split(' ').nth(1).expect("a status");
    Http {
        status: status.parse().expect("a status"),
        head: head.to_owned(),
        body: body.to_owned(),
    }
}

/// A page: its samples by name and labels, as in `name{label="value"}`.
#[derive(Debug)]
pub struct Page {
    samples: BTreeMap<String, f64>,
    /// Family, type.
    pub families: BTreeMap<String, String>,
}

impl Page {
    #[track_caller]
    pub fn value(&self, sample: &str) -> f64 {
        match self.samples.get(sample) {
            Some(value) => *value,
            None => panic!("{sample} is on the page: {:#?}", self.samples),
        }
    }

    pub fn has(&self, sample: &str) -> bool {
        self.samples.contains_key(sample)
    }

    /// OpenMetrics 1.0.
    pub fn modern(text: &str) -> Page {
        let text = text.strip_suffix("# EOF\n").expect("an end that is marked");
        assert!(!text.contains("# EOF"), "one end");
        Page::read(text, true)
    }

    /// Prometheus's format 0.0.4.
    pub fn classic(text: &str) -> Page {
        for absent in ["# EOF", "# UNIT"] {
            assert!(!text.contains(absent), "{absent}");
        }
        Page::read(text, false)
    }

    fn read(text: &str, modern: bool) -> Page {
        assert!(text.ends_with('\n'), "the last line is whole");
        let mut page = Page {
            samples: BTreeMap::new(),
            families: BTreeMap::new(),
        };
        let mut helped = HashSet::new();
        let mut family = (String::new(), String::new());
        for line in text.lines() {
            let words: Vec<&str> = line.splitn(4, ' ').collect();
            match words[..] {
                ["#", "HELP", name, help] => {
                    assert!(!help.trim().is_empty(), "{line}");
                    assert!(helped.insert(name.to_owned()), "helped once: {line}");
                }
                ["#", "TYPE", name, kind] => {
                    assert!(helped.contains(name), "{line}: the help goes before it");
                    check_family(name, kind, modern);
                    family = (name.to_owned(), kind.to_owned());
                    let before = page.families.insert(name.to_owned(), kind.to_owned());
                    assert!(before.is_none(), "all of a family stands together: {line}");
                }
                ["#", "UNIT", name, unit] => {
                    assert_eq!(name, family.0, "{line}");
                    assert!(name.ends_with(&format!("_{unit}")), "{line}");
                }
                ["#", ..] => panic!("{line}"),
                _ => page.sample(line, &family, modern),
            }
        }
        page
    }

    fn sample(&mut self, line: &str, family: &(String, String), modern: bool) {
        let (name, labels, value) = sample(line);
        let suffix = name.strip_prefix(&family.0);
        let suffix = suffix.unwrap_or_else(|| panic!("{line} stands in {}", family.0));
        let allowed: &[&str] = match (&*family.1, modern) {
            ("counter", true) => &["_total"],
            ("info", true) => &["_info"],
            ("histogram", _) => &["_bucket", "_count", "_sum"],
            _ => &[""],
        };
        assert!(allowed.contains(&suffix), "{line} in a {}", family.1);
        if family.1 == "counter" || suffix == "_bucket" || suffix == "_count" {
            assert!(value >= 0.0, "{line}");
        }
        let mut names = HashSet::new();
        for (label, _) in &labels {
            assert!(names.insert(label), "{line}: a label twice");
        }
        let (whole, _) = line.rsplit_once(' ').expect("a value");
        let before = self.samples.insert(whole.to_owned(), value);
        assert!(before.is_none(), "{line} twice");
    }

    /// The buckets of a histogram grow, and the last has them all.
    #[track_caller]
    pub fn check_histogram(&self, name: &str, labels: &str) {
        let start = format!("{name}_bucket{{");
        let mut buckets: Vec<(f64, f64)> = self
            .samples
            .iter()
            .filter(|(sample, _)| sample.starts_with(&start) && sample.contains(labels))
            .map(|(sample, count)| {
                let (_, labels, _) = self::sample(&format!("{sample} 0"));
                let bound = labels.iter().find(|(label, _)| label == "le");
                (number(&bound.expect("a bound").1), *count)
            })
            .collect();
        buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
        assert!(buckets.len() > 2 && buckets.is_sorted_by(|a, b| a.0 < b.0 && a.1 <= b.1));
        let (bound, all) = buckets[buckets.len() - 1];
        assert_eq!(bound, f64::INFINITY);
        assert_eq!(all, self.value(&format!("{name}_count{{{labels}}}")));
    }
}

fn check_family(name: &str, kind: &str, modern: bool) {
    assert!(is_name(name), "{name}");
    let known = match modern {
        true => ["counter", "gauge", "histogram", "info"].contains(&kind),
        false => ["counter", "gauge", "histogram"].contains(&kind),
    };
    assert!(known, "{name} is a {kind}");
    // https://prometheus.io/docs/practices/naming/
    assert!(name.starts_with("lastgood_") || name.starts_with("process_"));
    let counts = name.ends_with("_total");
    assert_eq!(counts, kind == "counter" && !modern, "{name} is a {kind}");
    for odd in [
        "_millis", "_ms", "_micros", "_minutes", "_octets", "_kib", "_secs",
    ] {
        assert!(!name.contains(odd), "{name} is not in a base unit");
    }
}

fn is_name(text: &str) -> bool {
    let first = |octet: u8| octet.is_ascii_alphabetic() || octet == b'_';
    let octets = text.as_bytes();
    octets.first().is_some_and(|&octet| first(octet))
        && octets
            .iter()
            .all(|&octet| first(octet) || octet.is_ascii_digit())
}

/// Name, labels, value of a line; what stands between them is one space and nothing else.
fn sample(line: &str) -> (String, Vec<(String, String)>, f64) {
    let end = line.find(['{', ' ']).unwrap_or_else(|| panic!("{line}"));
    let (name, mut rest) = line.split_at(end);
    assert!(is_name(name), "{line}");
    let mut labels = Vec::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        loop {
            let (label, value) = rest.split_once("=\"").unwrap_or_else(|| panic!("{line}"));
            assert!(is_name(label), "{line}");
            let (value, after) = quoted(value).unwrap_or_else(|| panic!("{line}"));
            labels.push((label.to_owned(), value));
            rest = match (after.strip_prefix(','), after.strip_prefix('}')) {
                (Some(more), _) => more,
                (_, Some(end)) => {
                    rest = end;
                    break;
                }
                _ => panic!("{line}"),
            };
        }
    }
    let value = rest.strip_prefix(' ').unwrap_or_else(|| panic!("{line}"));
    (name.to_owned(), labels, number(value))
}

/// The text up to a quote that is not escaped, and what follows it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, char)) = chars.next() {
        match char {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => value.push(match chars.next()?.1 {
                'n' => '\n',
                escaped @ ('\\' | '"') => escaped,
                _ => return None,
            }),
            other => value.push(other),
        }
    }
    None
}

fn number(text: &str) -> f64 {
    match text {
        "+Inf" => f64::INFINITY,
        _ => {
            let plain = |c: char| c.is_ascii_digit() || ".-+e".contains(c);
            assert!(text.chars().all(plain), "{text} is a number");
            text.parse()
                .unwrap_or_else(|_| panic!("{text} is a number"))
        }
    }
}
