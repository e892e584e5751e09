//! Text in RDATA: escapes (RFC 1035 §5.1), and character-strings.

use crate::rr::name;

/// What is asked of a text whose escapes cannot be read.
pub(super) const ESCAPES: &str =
    "text in which a backslash is followed by a character or three digits up to 255";

/// Text without its escapes.
pub fn unescaped(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut octets = text.iter().copied();
    while let Some(octet) = octets.next() {
        match octet {
            b'\\' => out.push(name::escaped(&mut octets)?),
            _ => out.push(octet),
        }
    }
    Some(out)
}

/// Octets between quotes.
pub(super) fn print(octets: &[u8], out: &mut String) {
    out.push('"');
    for &octet in octets {
        match octet {
            b'"' | b'\\' => out.extend(['\\', char::from(octet)]),
            0x20..=0x7E => out.push(char::from(octet)),
            _ => out.push_str(&format!("\\{octet:03}")),
        }
    }
    out.push('"');
}

/// Checked character-strings, each between quotes.
pub(super) fn print_strings(strings: &[u8], out: &mut String) {
    let mut rest = strings;
    let mut separator = "";
    while let [len, tail @ ..] = rest {
        let (string, tail) = tail.split_at(usize::from(*len));
        out.push_str(separator);
        print(string, out);
        separator = " ";
        rest = tail;
    }
}
