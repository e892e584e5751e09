//! From text to entries: one record or directive each, over as many lines as its parentheses span.
//!
//! The library's scanner cannot go on behind an error, so entries are cut here and each is scanned
//! alone. Tokens keep their quotes and escapes for it; octets that are not printable ASCII become
//! `\DDD`.

use super::Problem;

/// One entry of a zone file, without comments and parentheses.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// Where it begins, counted from 1.
    pub line: usize,
    /// It begins with white space: the owner is the one before (RFC 1035 §5.1).
    pub indented: bool,
    /// As written: escapes and quotes are still in them.
    pub tokens: Vec<String>,
}

pub(super) struct Entries<'a> {
    text: &'a [u8],
    at: usize,
    line: usize,
}

impl<'a> Entries<'a> {
    pub fn new(text: &'a [u8]) -> Self {
        Entries {
            text,
            at: 0,
            line: 1,
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn skip_comment(&mut self) {
        while self.peek().is_some_and(|octet| octet != b'\n') {
            self.at += 1;
        }
    }

    /// Reads a run of quoted and unquoted text. What is wrong with it is the error, but the run is
    /// read to its end all the same, so that the next entry begins where it should.
    fn token(&mut self) -> Result<String, &'static str> {
        let mut token = String::new();
        let mut quoted = false;
        while let Some(octet) = self.peek() {
            match octet {
                b'\n' if quoted => return Err("a quoted string does not end on its line"),
                b'\n' => break,
                b' ' | b'\t' | b'\r' | b';' | b'(' | b')' if !quoted => break,
                b'"' => quoted = !quoted,
                _ => {}
            }
            self.at += 1;
            if octet != b'\\' {
                push(&mut token, octet);
                continue;
            }
            match self.peek() {
                None | Some(b'\n') => return Err("a backslash ends the line"),
                Some(escaped) => {
                    self.at += 1;
                    if matches!(escaped, 0x20..=0x7E) {
                        token.push('\\');
                    }
                    push(&mut token, escaped);
                }
            }
        }
        match quoted {
            true => Err("a quoted string does not end on its line"),
            false => Ok(token),
        }
    }

    /// The tokens up to the end of the entry, and the first thing wrong with them.
    fn tokens(&mut self) -> (Vec<String>, Option<Problem>) {
        let first_line = self.line;
        let (mut tokens, mut problem) = (Vec::new(), None);
        let mut open = 0usize;
        let note = |problem: &mut Option<Problem>, line, reason: &str| {
            problem.get_or_insert_with(|| Problem {
                line,
                reason: reason.to_owned(),
            });
        };
        while let Some(octet) = self.peek() {
            match octet {
                b'\n' => {
                    self.at += 1;
                    self.line += 1;
                    if open == 0 {
                        return (tokens, problem);
                    }
                }
                b' ' | b'\t' | b'\r' => self.at += 1,
                b';' => self.skip_comment(),
                b'(' => {
                    self.at += 1;
                    open += 1;
                }
                b')' => {
                    self.at += 1;
                    match open.checked_sub(1) {
                        Some(left) => open = left,
                        None => note(
                            &mut problem,
                            self.line,
                            "a parenthesis is closed that was never opened",
                        ),
                    }
                }
                _ => match self.token() {
                    Ok(token) => tokens.push(token),
                    Err(reason) => note(&mut problem, self.line, reason),
                },
            }
        }
        if open > 0 {
            note(
                &mut problem,
                first_line,
                "a parenthesis is opened and never closed; nothing behind it could be read",
            );
        }
        (tokens, problem)
    }
}

fn push(token: &mut String, octet: u8) {
    match octet {
        0x20..=0x7E => token.push(octet as char),
        _ => token.push_str(&format!("\\{octet:03}")),
    }
}

impl Iterator for Entries<'_> {
    type Item = Result<Entry, Problem>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let line = self.line;
            let indented = matches!(self.peek()?, b' ' | b'\t');
            match self.tokens() {
                (_, Some(problem)) => return Some(Err(problem)),
                (tokens, None) if tokens.is_empty() => {}
                (tokens, None) => {
                    return Some(Ok(Entry {
                        line,
                        indented,
                        tokens,
                    }));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(text: &[u8]) -> Vec<Result<Vec<String>, String>> {
        Entries::new(text)
            .map(|entry| entry.map(|e| e.tokens).map_err(|p| p.to_string()))
            .collect()
    }

    fn words(list: &[&str]) -> Result<Vec<String>, String> {
        Ok(list.iter().map(|word| word.to_string()).collect())
    }

    #[test]
    fn parentheses_comments_and_quotes_are_those_of_rfc_1035() {
        assert_eq!(
            tokens(b"a ( b ; not ) this\n\n c ) d\r\n; nothing\ne \"f ; (g\" k=\"v w\"\\;h"),
            [
                words(&["a", "b", "c", "d"]),
                words(&["e", "\"f ; (g\"", "k=\"v w\"\\;h"])
            ]
        );
        assert_eq!(tokens("é \"\t\\é\"".as_bytes())[0], {
            words(&["\\195\\169", "\"\\009\\195\\169\""])
        });
    }

    #[test]
    fn a_broken_entry_does_not_break_the_next() {
        let broken = |line: usize, what: &str| Err(format!("line {line}: {what}"));
        assert_eq!(
            tokens(b"a \"b\nc (\n\"d )\ne ) f\ng\nh (\ni\n"),
            [
                broken(1, "a quoted string does not end on its line"),
                broken(3, "a quoted string does not end on its line"),
                words(&["g"]),
                broken(
                    6,
                    "a parenthesis is opened and never closed; nothing behind it could be read"
                ),
            ]
        );
        assert_eq!(
            tokens(b"a )\nb\\\nc\n"),
            [
                broken(1, "a parenthesis is closed that was never opened"),
                broken(2, "a backslash ends the line"),
                words(&["c"])
            ]
        );
    }
}
