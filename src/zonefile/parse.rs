//! From entries to records: directives, owners, TTLs and classes here, RDATA by the library.

use bytes::Bytes;
use domain::base::Name as LibraryName;
use domain::zonefile::inplace::{Entry as ScannedEntry, Zonefile};

use super::entry::{Entries, Entry};
use super::{Parsed, Problem, generate};
use crate::rr::{Name, Record, Rtype, Soa, rdata};

/// Files inside files inside files: deeper is taken for a loop.
const INCLUDE_DEPTH_MAX: usize = 8;
/// `$INCLUDE`s in all, so that files which include each other twice come to an end too.
const INCLUDES_MAX: usize = 1_000;
/// Records that all `$GENERATE`s of a zone may make.
const GENERATED_MAX: usize = 1_000_000;
/// Behind that many problems the rest is not worth reading.
const PROBLEMS_MAX: usize = 1_000;
/// RFC 2181 §8.
const TTL_MAX: u32 = i32::MAX as u32;

/// Reads the zone file of the zone `origin`. What is wrong is told line by line, and reading goes
/// on behind it. `include` gives the content of the files that `$INCLUDE` names.
pub fn parse(
    text: &[u8],
    origin: &Name,
    include: &dyn Fn(&str) -> std::io::Result<Vec<u8>>,
) -> Parsed {
    let mut parser = Parser {
        zone: origin,
        include,
        default_ttl: None,
        last_ttl: None,
        includes: 0,
        generated: 0,
        parsed: Parsed::default(),
    };
    parser.file(text, &mut Scope::of_file(origin.clone(), None));
    parser.parsed
}

struct Parser<'a> {
    zone: &'a Name,
    include: &'a dyn Fn(&str) -> std::io::Result<Vec<u8>>,
    /// Of `$TTL` (RFC 2308 §4).
    default_ttl: Option<u32>,
    /// Of the last record that stated one (RFC 1035 §5.1).
    last_ttl: Option<u32>,
    includes: usize,
    generated: usize,
    parsed: Parsed,
}

/// What holds within one file; an included one begins anew (RFC 1035 §5.1).
struct Scope {
    origin: Name,
    last_owner: Option<Name>,
    /// The line of the outermost `$INCLUDE`, and the name of this file.
    included: Option<(usize, String)>,
    depth: usize,
}

impl Scope {
    fn of_file(origin: Name, included: Option<(usize, String)>) -> Scope {
        Scope {
            origin,
            last_owner: None,
            included,
            depth: 0,
        }
    }

    /// A name as written: relative to the origin unless it ends in a dot.
    fn name(&self, token: &str) -> Result<Name, String> {
        let wrong = |error| format!("{token:?} is not a name: {error}");
        if token == "@" {
            return Ok(self.origin.clone());
        }
        if token.starts_with('"') {
            return Err(format!("{token} is not a name: it is quoted"));
        }
        let name: Name = token.parse().map_err(wrong)?;
        if is_absolute(token) {
            return Ok(name);
        }
        let labels = &name.as_wire()[..name.len() - 1];
        Name::from_wire(&[labels, self.origin.as_wire()].concat()).map_err(wrong)
    }
}

/// Whether the last dot is one, and not escaped.
fn is_absolute(token: &str) -> bool {
    token.strip_suffix('.').is_some_and(|before| {
        let backslashes = before.bytes().rev().take_while(|octet| *octet == b'\\');
        backslashes.count() % 2 == 0
    })
}

impl Parser<'_> {
    fn file(&mut self, text: &[u8], scope: &mut Scope) {
        for entry in Entries::new(text) {
            if self.parsed.problems.len() > PROBLEMS_MAX {
                return;
            }
            match entry {
                Err(problem) => {
                    // Whose record it was is unknown, so nothing may inherit from it.
                    scope.last_owner = None;
                    self.note(scope, problem.line, problem.reason);
                }
                Ok(entry) => {
                    if let Err(reason) = self.entry(&entry, scope) {
                        self.note(scope, entry.line, reason);
                    }
                }
            }
        }
    }

    fn note(&mut self, scope: &Scope, line: usize, reason: String) {
        let problem = match &scope.included {
            None => Problem { line, reason },
            Some((outer, file)) => Problem {
                line: *outer,
                reason: format!("{file} line {line}: {reason}"),
            },
        };
        let stop = (self.parsed.problems.len() + 1 == PROBLEMS_MAX).then(|| Problem {
            line: problem.line,
            reason: format!("more than {PROBLEMS_MAX} problems, the rest was not read"),
        });
        self.parsed.problems.push(problem);
        self.parsed.problems.extend(stop);
    }

    fn entry(&mut self, entry: &Entry, scope: &mut Scope) -> Result<(), String> {
        let tokens: Vec<&str> = entry.tokens.iter().map(String::as_str).collect();
        if entry.indented || !tokens[0].starts_with('$') {
            let record = self.record(entry.indented, &tokens, scope)?;
            self.parsed.records.push(record);
            return Ok(());
        }
        match (tokens[0].to_ascii_uppercase().as_str(), &tokens[1..]) {
            ("$ORIGIN", [name]) => scope.origin = scope.name(name)?,
            ("$TTL", [ttl]) => self.default_ttl = Some(self::ttl(ttl)?),
            ("$INCLUDE", [file]) => self.included(file, scope.origin.clone(), entry, scope)?,
            ("$INCLUDE", [file, origin]) => {
                self.included(file, scope.name(origin)?, entry, scope)?
            }
            ("$GENERATE", [range, template @ ..]) if template.len() >= 3 => {
                self.generate(range, template, scope)?
            }
            ("$ORIGIN" | "$TTL" | "$INCLUDE" | "$GENERATE", _) => {
                return Err(format!(
                    "{} has too few or too many arguments",
                    tokens[0].to_ascii_uppercase()
                ));
            }
            (directive, _) => return Err(format!("{directive} is not a directive")),
        }
        Ok(())
    }

    fn included(
        &mut self,
        file: &str,
        origin: Name,
        entry: &Entry,
        scope: &Scope,
    ) -> Result<(), String> {
        let file = unquoted(file);
        self.includes += 1;
        if scope.depth == INCLUDE_DEPTH_MAX || self.includes > INCLUDES_MAX {
            return Err(format!(
                "{file} is not included: more than {INCLUDE_DEPTH_MAX} files inside one another, \
                 or {INCLUDES_MAX} in all"
            ));
        }
        let text = (self.include)(&file).map_err(|error| format!("{file}: {error}"))?;
        let outer = scope
            .included
            .as_ref()
            .map_or(entry.line, |(line, _)| *line);
        let mut inner = Scope::of_file(origin, Some((outer, file)));
        inner.depth = scope.depth + 1;
        self.file(&text, &mut inner);
        Ok(())
    }

    fn generate(
        &mut self,
        range: &str,
        template: &[&str],
        scope: &mut Scope,
    ) -> Result<(), String> {
        for number in generate::range(range)? {
            self.generated += 1;
            if self.generated > GENERATED_MAX {
                return Err(format!("more than {GENERATED_MAX} generated records"));
            }
            let tokens = template
                .iter()
                .map(|token| generate::substitute(token, number))
                .collect::<Result<Vec<_>, _>>()?;
            let tokens: Vec<&str> = tokens.iter().map(String::as_str).collect();
            let record = self
                .record(false, &tokens, scope)
                .map_err(|reason| format!("at {number}: {reason}"))?;
            self.parsed.records.push(record);
        }
        Ok(())
    }

    /// `[owner] [TTL] [class] type RDATA`, TTL and class in either order.
    fn record(
        &mut self,
        indented: bool,
        tokens: &[&str],
        scope: &mut Scope,
    ) -> Result<Record, String> {
        let mut rest = tokens;
        if !indented {
            scope.last_owner = None;
            scope.last_owner = Some(scope.name(tokens[0])?);
            rest = &tokens[1..];
        }
        let owner = scope
            .last_owner
            .clone()
            .ok_or("the line begins with white space, and there is no owner before it")?;
        let (stated, rtype, data) = fields(rest)?;
        if stated.is_some() {
            self.last_ttl = stated;
        }
        if !owner.is_at_or_below(self.zone) {
            return Err(format!("{owner} is outside the zone {}", self.zone));
        }
        let rdata = scan(rtype, data, &scope.origin)?;
        if rtype == Rtype::SOA && self.last_ttl.is_none() {
            self.last_ttl = Soa::from_rdata(&rdata).map(|soa| soa.minimum.min(TTL_MAX));
        }
        let ttl = stated
            .or(self.default_ttl)
            .or(self.last_ttl)
            .ok_or("no TTL: neither here, nor by $TTL, nor before")?;
        Ok(Record {
            owner,
            rtype,
            ttl,
            rdata,
        })
    }
}

/// A token without quotes and escapes, for what is not DNS data.
fn unquoted(token: &str) -> String {
    let inner = token
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
        .unwrap_or(token);
    inner.replace('\\', "")
}

/// TTL if stated, type, and the tokens of the RDATA.
fn fields<'t, 'a>(tokens: &'t [&'a str]) -> Result<(Option<u32>, Rtype, &'t [&'a str]), String> {
    let (mut stated, mut class_seen) = (None, false);
    for (at, token) in tokens.iter().enumerate() {
        if stated.is_none() && token.starts_with(|c: char| c.is_ascii_digit()) {
            stated = Some(ttl(token)?);
        } else if !class_seen && is_class(token)? {
            class_seen = true;
        } else {
            let rtype = token
                .parse()
                .map_err(|_| format!("{token:?} is not a record type"))?;
            return Ok((stated, rtype, &tokens[at + 1..]));
        }
    }
    Err("the line ends before the record type".to_owned())
}

/// Whether the token is the class IN; another class is an error.
fn is_class(token: &str) -> Result<bool, String> {
    let class = token.to_ascii_uppercase();
    match class.as_str() {
        "IN" | "CLASS1" => Ok(true),
        "CH" | "CHAOS" | "HS" | "HESIOD" | "CS" | "CSNET" | "NONE" => {
            Err(format!("class {class}: only IN is served"))
        }
        _ if class.strip_prefix("CLASS").is_some_and(is_number) => {
            Err(format!("class {class}: only IN is served"))
        }
        _ => Ok(false),
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_digit())
}

/// Seconds, or numbers with the units w, d, h, m, s as most servers read them: `1h30m`.
fn ttl(token: &str) -> Result<u32, String> {
    match duration_secs(token) {
        Some(secs) if secs <= u64::from(TTL_MAX) => Ok(secs as u32),
        Some(_) => Err(format!("TTL {token} is more than {TTL_MAX} seconds")),
        None => Err(format!("{token:?} is not a TTL")),
    }
}

fn duration_secs(token: &str) -> Option<u64> {
    if is_number(token) {
        return token.parse().ok();
    }
    let mut sum = 0u64;
    let mut rest = token;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, tail) = rest.split_at(digits);
        let unit = match tail.bytes().next()?.to_ascii_lowercase() {
            b'w' => 604_800,
            b'd' => 86_400,
            b'h' => 3_600,
            b'm' => 60,
            b's' => 1,
            _ => return None,
        };
        sum = sum.checked_add(number.parse::<u64>().ok()?.checked_mul(unit)?)?;
        rest = &tail[1..];
    }
    Some(sum)
}

/// Which tokens of the RDATA are names.
fn names_at(rtype: Rtype) -> &'static [usize] {
    match rtype.0 {
        // NS, MD, MF, CNAME, MB, MG, MR, PTR, DNAME, NSEC
        2..=5 | 7..=9 | 12 | 39 | 47 => &[0],
        // SOA, MINFO
        6 | 14 => &[0, 1],
        // MX, SVCB, HTTPS
        15 | 64 | 65 => &[1],
        // SRV
        33 => &[3],
        // NAPTR
        35 => &[5],
        // RRSIG
        46 => &[7],
        _ => &[],
    }
}

/// RDATA from its tokens.
fn scan(rtype: Rtype, tokens: &[&str], origin: &Name) -> Result<Box<[u8]>, String> {
    let generic = tokens.first() == Some(&"\\#");
    let mut line = format!(". 0 IN {rtype}");
    for (at, token) in tokens.iter().enumerate() {
        line.push(' ');
        // The timers of a SOA may have units as TTLs do, which the library does not read.
        match duration_secs(token) {
            Some(secs) if rtype == Rtype::SOA && !generic && (3..7).contains(&at) => {
                line.push_str(&secs.to_string());
            }
            // The library reads `@` as a label, where it is the origin (RFC 1035 §5.1).
            _ if *token == "@" && !generic && names_at(rtype).contains(&at) => {
                line.push_str(&origin.to_string());
            }
            _ => line.push_str(token),
        }
    }
    line.push('\n');
    let mut file = Zonefile::from(line.as_str());
    file.set_origin(library_name(origin));
    match file.next_entry() {
        Ok(Some(ScannedEntry::Record(record))) => {
            rdata::from_scanned(rtype, record.into_data()).map_err(|error| error.to_string())
        }
        Ok(_) => Err(format!("{rtype} data do not parse")),
        Err(error) => {
            let text = error.to_string();
            // The place is within the line made above, which nobody has seen.
            let reason = text
                .split_once(": ")
                .map_or(text.as_str(), |(_, reason)| reason);
            if reason == "unknown record type with concrete data" {
                return Err(format!(
                    "{rtype} data are read in the generic form alone: \\# LENGTH HEX (RFC 3597 §5)"
                ));
            }
            Err(format!("{rtype} data do not parse: {reason}"))
        }
    }
}

fn library_name(name: &Name) -> LibraryName<Bytes> {
    LibraryName::from_octets(Bytes::copy_from_slice(name.as_wire()))
        .expect("a name of ours is one of the library's")
}
