//! From the text of a zone file to its tokens: one entry at a time, over as many lines as its
//! parentheses span (RFC 1035 §5.1).
//!
//! Tokens are pieces of the text as it was written: escapes are still in them.

/// A run of text between blanks, or what stands between two quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token<'a> {
    /// Without the quotes; escapes are still in it.
    pub text: &'a [u8],
    pub quoted: bool,
    /// Nothing stands between it and the token before: `alpn="h2"` is two tokens.
    pub adjacent: bool,
    pub place: Place,
}

/// Where something begins in a file, counted from 1. Columns count octets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub line: usize,
    pub column: usize,
}

/// What keeps an entry from being cut into tokens. Reading goes on behind the entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct Uncut {
    pub place: Place,
    pub what: &'static str,
}

pub struct Lexer<'a> {
    text: &'a [u8],
    at: usize,
    line: usize,
    line_start: usize,
}

/// The start of one entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opening {
    pub place: Place,
    /// It begins with white space: the owner is the one before.
    pub indented: bool,
}

/// How many characters of a token an error shows.
const SHOWN_MAX: usize = 60;

impl std::fmt::Display for Token<'_> {
    /// As it was written, cut when it is long; what is not printable is escaped.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let quote = if self.quoted { "\"" } else { "" };
        write!(f, "{quote}")?;
        for &octet in self.text.iter().take(SHOWN_MAX) {
            match octet {
                0x20..=0x7E => write!(f, "{}", octet as char)?,
                _ => write!(f, "\\{octet:03}")?,
            }
        }
        match self.text.len() > SHOWN_MAX {
            true => write!(f, "…{quote}"),
            false => write!(f, "{quote}"),
        }
    }
}

impl<'a> Lexer<'a> {
    pub fn new(text: &'a [u8]) -> Self {
        Lexer {
            text,
            at: 0,
            line: 1,
            line_start: 0,
        }
    }

    /// Cuts the next entry that has tokens into them. `None` at the end of the text.
    pub fn entry(&mut self, tokens: &mut Vec<Token<'a>>) -> Option<Result<Opening, Uncut>> {
        loop {
            tokens.clear();
            let opening = Opening {
                place: self.place(),
                indented: matches!(self.peek()?, b' ' | b'\t'),
            };
            match self.cut(tokens) {
                Err(uncut) => return Some(Err(uncut)),
                Ok(()) if tokens.is_empty() => {}
                Ok(()) => return Some(Ok(opening)),
            }
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn place(&self) -> Place {
        Place {
            line: self.line,
            column: self.at - self.line_start + 1,
        }
    }

    fn end_line(&mut self) {
        self.at += 1;
        self.line += 1;
        self.line_start = self.at;
    }

    /// The tokens up to the end of the entry. The first thing wrong with them is the error, but the
    /// entry is read to its end all the same, so that the next one begins where it should.
    fn cut(&mut self, tokens: &mut Vec<Token<'a>>) -> Result<(), Uncut> {
        let mut wrong = None;
        let mut open: Vec<Place> = Vec::new();
        let mut behind_token = usize::MAX;
        while let Some(octet) = self.peek() {
            let place = self.place();
            match octet {
                b'\n' => {
                    self.end_line();
                    if open.is_empty() {
                        return wrong.map_or(Ok(()), Err);
                    }
                }
                b' ' | b'\t' | b'\r' => self.at += 1,
                b';' => {
                    let comment = self.text[self.at..].iter();
                    self.at += comment.take_while(|octet| **octet != b'\n').count();
                }
                b'(' => {
                    self.at += 1;
                    open.push(place);
                }
                b')' => {
                    self.at += 1;
                    if open.pop().is_none() {
                        let what = "a parenthesis is closed that was never opened";
                        wrong.get_or_insert(Uncut { place, what });
                    }
                }
                _ => {
                    let adjacent = self.at == behind_token;
                    match self.token(place, adjacent) {
                        Ok(token) => tokens.push(token),
                        Err(what) => {
                            wrong.get_or_insert(Uncut { place, what });
                        }
                    }
                    behind_token = self.at;
                }
            }
        }
        if let Some(&place) = open.first() {
            let what = "a parenthesis is opened and never closed; nothing behind it could be read";
            wrong.get_or_insert(Uncut { place, what });
        }
        wrong.map_or(Ok(()), Err)
    }

    fn token(&mut self, place: Place, adjacent: bool) -> Result<Token<'a>, &'static str> {
        let quoted = self.peek() == Some(b'"');
        self.at += usize::from(quoted);
        let start = self.at;
        while let Some(octet) = self.peek() {
            match octet {
                b'\n' => break,
                b'"' => break,
                b' ' | b'\t' | b'\r' | b';' | b'(' | b')' if !quoted => break,
                b'\\' => {
                    self.at += 1;
                    match self.text[self.at..] {
                        [] | [b'\n', ..] | [b'\r', b'\n', ..] => {
                            return Err("a backslash ends the line");
                        }
                        _ => self.at += 1,
                    }
                }
                _ => self.at += 1,
            }
        }
        let text = &self.text[start..self.at];
        if quoted {
            if self.peek() != Some(b'"') {
                return Err("a quoted string does not end on its line");
            }
            self.at += 1;
        }
        Ok(Token {
            text,
            quoted,
            adjacent,
            place,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each entry's tokens, or where it is wrong and how.
    fn entries(text: &[u8]) -> Vec<Result<Vec<String>, String>> {
        let mut lexer = Lexer::new(text);
        let mut tokens = Vec::new();
        let mut all = Vec::new();
        while let Some(opening) = lexer.entry(&mut tokens) {
            all.push(match opening {
                Ok(_) => Ok(tokens.iter().map(|token| token.to_string()).collect()),
                Err(Uncut { place, what }) => {
                    Err(format!("{}:{}: {what}", place.line, place.column))
                }
            });
        }
        all
    }

    fn words(list: &[&str]) -> Result<Vec<String>, String> {
        Ok(list.iter().map(|word| word.to_string()).collect())
    }

    #[test]
    fn parentheses_comments_and_quotes_are_those_of_rfc_1035() {
        assert_eq!(
            entries(b"a ( b ; not ) this\n\n c ) d\r\n; nothing\ne \"f ; (g\" k=\"v w\"\\;h"),
            [
                words(&["a", "b", "c", "d"]),
                words(&["e", "\"f ; (g\"", "k=", "\"v w\"", "\\;h"])
            ]
        );
        assert_eq!(
            entries("é \"\té\"".as_bytes()),
            [words(&["\\195\\169", "\"\\009\\195\\169\""])]
        );
    }

    #[test]
    fn a_token_knows_where_it_stands_and_what_it_touches() {
        let mut tokens = Vec::new();
        let mut lexer = Lexer::new(b"\n\ta (\n  b\"c\" d )");
        let opening = lexer.entry(&mut tokens).unwrap().unwrap();
        assert!(opening.indented);
        let found: Vec<_> = tokens
            .iter()
            .map(|t| (t.place.line, t.place.column, t.quoted, t.adjacent))
            .collect();
        assert_eq!(
            found,
            [
                (2, 2, false, false),
                (3, 3, false, false),
                (3, 4, true, true),
                (3, 8, false, false)
            ]
        );
        assert!(lexer.entry(&mut tokens).is_none());
    }

    #[test]
    fn a_broken_entry_does_not_break_the_next() {
        let broken = |place: &str, what: &str| Err(format!("{place}: {what}"));
        assert_eq!(
            entries(b"a \"b\nc (\n\"d )\ne ) f\ng\nh (\ni\n"),
            [
                broken("1:3", "a quoted string does not end on its line"),
                broken("3:1", "a quoted string does not end on its line"),
                words(&["g"]),
                broken(
                    "6:3",
                    "a parenthesis is opened and never closed; nothing behind it could be read"
                ),
            ]
        );
        assert_eq!(
            entries(b"a )\nb\\\nc\\\r\nd\n"),
            [
                broken("1:3", "a parenthesis is closed that was never opened"),
                broken("2:1", "a backslash ends the line"),
                broken("3:1", "a backslash ends the line"),
                words(&["d"])
            ]
        );
    }
}
