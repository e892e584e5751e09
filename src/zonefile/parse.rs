//! From entries to records: directives, owners, TTLs and classes.

use std::path::{Path, PathBuf};

use super::{Include, Parsed, Problem, generate};
use crate::rr::token::{Lexer, Place, Token};
use crate::rr::{Name, Record, Rtype, Soa, rdata};

/// Files inside files inside files: deeper is taken for a loop.
const INCLUDE_DEPTH_MAX: usize = 8;
/// What a short file may grow to.
#[derive(Clone, Copy)]
pub(super) struct Bounds {
    /// `$INCLUDE`s in all, so that files which include each other twice come to an end too.
    pub includes: usize,
    /// Records that all `$GENERATE`s of a zone may make.
    pub generated: usize,
    /// Octets that all `$INCLUDE`s and `$GENERATE`s may add: they must not fill the memory.
    pub octets: usize,
}

/// What files may be included of, at most; one that is larger need not be read.
pub const INCLUDED_OCTETS_MAX: usize = 512 << 20;
const BOUNDS: Bounds = Bounds {
    includes: 1_000,
    generated: 1_000_000,
    octets: INCLUDED_OCTETS_MAX,
};
/// Behind that many problems the rest is not worth reading.
const PROBLEMS_MAX: usize = 1_000;
/// RFC 2181 §8.
const TTL_MAX: u32 = i32::MAX as u32;
/// What some editors put before a text; no name begins with it.
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// Reads the zone file of the zone `origin`. What is wrong is told place by place, and reading goes
/// on behind it. `include` gives the content of the files that `$INCLUDE` names.
pub fn parse(text: &[u8], origin: &Name, include: Include) -> Parsed {
    parse_within(BOUNDS, text, origin, include)
}

pub(super) fn parse_within(bounds: Bounds, text: &[u8], origin: &Name, include: Include) -> Parsed {
    let mut parser = Parser {
        zone: origin,
        include,
        bounds,
        default_ttl: None,
        last_ttl: None,
        includes: 0,
        generated: 0,
        octets: 0,
        parsed: Parsed::default(),
    };
    parser.file(text, &mut Scope::of_file(origin.clone(), None, 0));
    parser.parsed
}

impl Bounds {
    fn too_large(&self) -> String {
        let most = self.octets >> 20;
        format!("more than {most} MiB are included or generated")
    }
}

struct Parser<'a> {
    zone: &'a Name,
    include: Include<'a>,
    bounds: Bounds,
    /// Of `$TTL` (RFC 2308 §4).
    default_ttl: Option<u64>,
    /// Of the last record that stated one (RFC 1035 §5.1).
    last_ttl: Option<u64>,
    includes: usize,
    generated: usize,
    /// Of what was included and generated.
    octets: usize,
    parsed: Parsed,
}

/// What holds within one file; an included one begins anew (RFC 1035 §5.1).
struct Scope {
    origin: Name,
    last_owner: Option<Name>,
    /// The path of an included file, from the folder of the outermost one.
    file: Option<PathBuf>,
    depth: usize,
}

impl Scope {
    fn of_file(origin: Name, file: Option<PathBuf>, depth: usize) -> Scope {
        Scope {
            origin,
            last_owner: None,
            file,
            depth,
        }
    }

    /// A name as written: relative to the origin unless it ends in a dot.
    fn name(&self, token: &Token) -> Result<Name, Wrong> {
        let wrong =
            |reason: String| Wrong::at(token, format!("expected a name, read {token}{reason}"));
        if token.quoted {
            return Err(wrong(": it is quoted".to_owned()));
        }
        Name::from_zone_text(token.text, Some(&self.origin))
            .map_err(|error| wrong(format!(": {error}")))
    }
}

/// What is wrong, and where in the file being read.
struct Wrong {
    place: Place,
    reason: String,
}

impl Wrong {
    fn at(token: &Token, reason: String) -> Wrong {
        Wrong {
            place: token.place,
            reason,
        }
    }

    fn expected(expected: &str, token: &Token) -> Wrong {
        Wrong::at(token, format!("expected {expected}, read {token}"))
    }
}

impl Parser<'_> {
    fn file(&mut self, text: &[u8], scope: &mut Scope) {
        let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
        let mut lexer = Lexer::new(text);
        let mut tokens = Vec::new();
        while let Some(opening) = lexer.entry(&mut tokens) {
            if self.parsed.problems.len() > PROBLEMS_MAX {
                return;
            }
            let result = match opening {
                Ok(opening) => self.entry(opening.indented, &tokens, scope),
                Err(uncut) => {
                    // Whose record it was is unknown, so nothing may inherit from it.
                    scope.last_owner = None;
                    Err(Wrong {
                        place: uncut.place,
                        reason: uncut.what.to_owned(),
                    })
                }
            };
            if let Err(wrong) = result {
                self.note(scope, wrong);
            }
        }
    }

    fn note(&mut self, scope: &Scope, wrong: Wrong) {
        let problem = |reason| Problem {
            file: scope.file.as_ref().map(|file| file.display().to_string()),
            line: wrong.place.line,
            column: wrong.place.column,
            reason,
        };
        self.parsed.problems.push(problem(wrong.reason));
        if self.parsed.problems.len() == PROBLEMS_MAX {
            let reason = format!("more than {PROBLEMS_MAX} problems, the rest was not read");
            self.parsed.problems.push(problem(reason));
        }
    }

    fn entry(&mut self, indented: bool, tokens: &[Token], scope: &mut Scope) -> Result<(), Wrong> {
        let first = &tokens[0];
        if indented || first.quoted || !first.text.starts_with(b"$") {
            let record = self.record(indented, tokens, scope)?;
            self.parsed.records.push(record);
            return Ok(());
        }
        let arguments = match first.text.to_ascii_uppercase().as_slice() {
            b"$ORIGIN" => "a name",
            b"$TTL" => "a TTL",
            b"$INCLUDE" => "a file, and perhaps an origin",
            b"$GENERATE" => "a range, an owner, perhaps a TTL and a class, a type and data",
            _ => {
                let known = "$ORIGIN, $TTL, $INCLUDE or $GENERATE, or a record";
                return Err(Wrong::expected(known, first));
            }
        };
        match (first.text.to_ascii_uppercase().as_slice(), &tokens[1..]) {
            (b"$ORIGIN", [name]) => scope.origin = scope.name(name)?,
            (b"$TTL", [ttl]) => self.default_ttl = Some(self::ttl(ttl)?),
            (b"$INCLUDE", [file]) => self.included(file, scope.origin.clone(), scope)?,
            (b"$INCLUDE", [file, origin]) => self.included(file, scope.name(origin)?, scope)?,
            (b"$GENERATE", [range, template @ ..]) if template.len() >= 3 => {
                self.generate(range, template, scope)?
            }
            (_, []) => {
                return Err(Wrong::at(
                    first,
                    format!("expected {arguments} behind {first}, but the line ends"),
                ));
            }
            (_, [.., last]) => {
                return Err(Wrong::at(
                    last,
                    format!(
                        "expected {arguments} behind {first}, read {} words",
                        tokens.len() - 1
                    ),
                ));
            }
        }
        Ok(())
    }

    fn included(&mut self, file: &Token, origin: Name, scope: &Scope) -> Result<(), Wrong> {
        let wrong = |reason: String| Wrong::at(file, format!("{file} is not included: {reason}"));
        self.includes += 1;
        let most = self.bounds.includes;
        if scope.depth == INCLUDE_DEPTH_MAX || self.includes > most {
            return Err(wrong(format!(
                "there are more than {INCLUDE_DEPTH_MAX} files inside one another, or {most} in all"
            )));
        }
        // Nothing more is even read then.
        if self.octets > self.bounds.octets {
            return Err(wrong(self.bounds.too_large()));
        }
        let name = rdata::unescaped(file.text)
            .and_then(|name| String::from_utf8(name).ok())
            .ok_or_else(|| wrong("it is not the name of a file".to_owned()))?;
        let folder = scope
            .file
            .as_deref()
            .and_then(Path::parent)
            .unwrap_or(Path::new(""));
        let text = (self.include)(folder, &name).map_err(|error| wrong(error.to_string()))?;
        self.octets += text.len();
        if self.octets > self.bounds.octets {
            return Err(wrong(self.bounds.too_large()));
        }
        let mut inner = Scope::of_file(origin, Some(folder.join(name)), scope.depth + 1);
        self.file(&text, &mut inner);
        Ok(())
    }

    fn generate(
        &mut self,
        range: &Token,
        template: &[Token],
        scope: &mut Scope,
    ) -> Result<(), Wrong> {
        let numbers = std::str::from_utf8(range.text).map_err(|_| "it is no text".to_owned());
        let numbers = numbers.and_then(generate::range).map_err(|reason| {
            Wrong::at(range, format!("expected a range, read {range}: {reason}"))
        })?;
        for number in numbers {
            self.generated += 1;
            let most = self.bounds.generated;
            if self.generated > most {
                return Err(Wrong::at(
                    range,
                    format!("more than {most} generated records"),
                ));
            }
            let mut texts = Vec::with_capacity(template.len());
            for token in template {
                let text = generate::substitute(token.text, number);
                texts.push(text.map_err(|reason| Wrong::at(token, reason))?);
            }
            let tokens: Vec<Token> = template
                .iter()
                .zip(&texts)
                .map(|(token, text)| Token { text, ..*token })
                .collect();
            let record = self.record(false, &tokens, scope).map_err(|wrong| Wrong {
                reason: format!("at {number}: {}", wrong.reason),
                ..wrong
            })?;
            self.octets += record.owner.len() + record.rdata.len();
            if self.octets > self.bounds.octets {
                return Err(Wrong::at(range, self.bounds.too_large()));
            }
            self.parsed.records.push(record);
        }
        Ok(())
    }

    /// `[owner] [TTL] [class] type RDATA`, TTL and class in either order.
    fn record(
        &mut self,
        indented: bool,
        tokens: &[Token],
        scope: &mut Scope,
    ) -> Result<Record, Wrong> {
        let mut rest = tokens;
        if !indented {
            scope.last_owner = None;
            scope.last_owner = Some(scope.name(&tokens[0])?);
            rest = &tokens[1..];
        }
        let no_owner = "the line begins with white space, and there is no owner before it";
        let owner = scope
            .last_owner
            .clone()
            .ok_or_else(|| Wrong::at(&tokens[0], no_owner.to_owned()))?;
        let (stated, at, rtype) = fields(&tokens[0], rest)?;
        if stated.is_some() {
            self.last_ttl = stated;
        }
        if !owner.is_at_or_below(self.zone) {
            let reason = format!("{owner} is outside the zone {}", self.zone);
            return Err(Wrong::at(&tokens[0], reason));
        }
        let data = &rest[at + 1..];
        let rdata = rdata::from_tokens(rtype, data, Some(&scope.origin)).map_err(|error| {
            let token = data.get(error.token).unwrap_or(&tokens[tokens.len() - 1]);
            Wrong::at(token, format!("{rtype} data: {}", error.reason))
        })?;
        if rtype == Rtype::SOA && self.last_ttl.is_none() {
            self.last_ttl = Soa::from_rdata(&rdata).map(|soa| soa.minimum.min(TTL_MAX).into());
        }
        let ttl = stated
            .or(self.default_ttl)
            .or(self.last_ttl)
            .ok_or_else(|| {
                let reason = "expected a TTL: there is none here, by $TTL, or before";
                Wrong::at(&rest[at], reason.to_owned())
            })?;
        // What is larger counts as nothing (RFC 2181 §8).
        let secs = u32::try_from(ttl).ok().filter(|secs| *secs <= TTL_MAX);
        if secs.is_none() {
            self.parsed.large_ttls.push((owner.clone(), ttl));
        }
        Ok(Record {
            owner,
            rtype,
            ttl: secs.unwrap_or_default(),
            rdata,
        })
    }
}

/// TTL if stated, where the type stands, and the type.
fn fields(first: &Token, tokens: &[Token]) -> Result<(Option<u64>, usize, Rtype), Wrong> {
    let (mut stated, mut class_seen) = (None, false);
    for (at, token) in tokens.iter().enumerate() {
        let word = match token.quoted {
            true => "",
            false => std::str::from_utf8(token.text).unwrap_or_default(),
        };
        if stated.is_none() && word.starts_with(|c: char| c.is_ascii_digit()) {
            stated = Some(ttl(token)?);
        } else if !class_seen && is_class(word, token)? {
            class_seen = true;
        } else {
            let rtype: Rtype = word
                .parse()
                .map_err(|_| Wrong::expected("a record type", token))?;
            if rtype.is_meta() {
                let expected = "a record type, not one of questions";
                return Err(Wrong::expected(expected, token));
            }
            return Ok((stated, at, rtype));
        }
    }
    let reason = "expected a record type, but the line ends".to_owned();
    Err(Wrong::at(tokens.last().unwrap_or(first), reason))
}

/// Whether the word is the class IN; another class is an error.
fn is_class(word: &str, token: &Token) -> Result<bool, Wrong> {
    let class = word.to_ascii_uppercase();
    let other = || Wrong::expected("class IN, the only one that is served", token);
    match class.as_str() {
        "IN" | "CLASS1" => Ok(true),
        "CH" | "CHAOS" | "HS" | "HESIOD" | "CS" | "CSNET" | "NONE" => Err(other()),
        _ => match class.strip_prefix("CLASS").map(str::parse::<u16>) {
            Some(Ok(_)) => Err(other()),
            _ => Ok(false),
        },
    }
}

/// As it is stated: it may be larger than a TTL can be.
fn ttl(token: &Token) -> Result<u64, Wrong> {
    let expected = "a TTL in seconds, as 3600 or 1h30m";
    let word = std::str::from_utf8(token.text).ok();
    word.and_then(rdata::duration_secs)
        .filter(|secs| *secs <= u64::from(u32::MAX))
        .ok_or_else(|| Wrong::expected(expected, token))
}
