//! `$GENERATE`, the iteration that zone files borrowed from BIND: a range, then a record whose
//! tokens hold `$` or `${offset,width,base}` where the number goes.

use std::fmt::Write;

/// Lines that one directive may make: the addresses of a reverse /16.
pub(super) const LINES_MAX: i64 = 65_536;

/// The numbers of `start-stop` or `start-stop/step`.
pub(super) fn range(text: &str) -> Result<impl Iterator<Item = i64> + use<>, String> {
    let bad = || format!("{text:?} is not a range: start-stop or start-stop/step");
    let number = |part: &str| {
        part.parse::<u32>()
            .ok()
            .filter(|n| *n <= i32::MAX as u32)
            .map(i64::from)
            .ok_or_else(bad)
    };
    let (bounds, step) = text.split_once('/').unwrap_or((text, "1"));
    let (start, stop) = bounds.split_once('-').ok_or_else(bad)?;
    let (start, stop, step) = (number(start)?, number(stop)?, number(step)?);
    if step == 0 || start > stop {
        return Err(bad());
    }
    if (stop - start) / step >= LINES_MAX {
        return Err(format!("a range of more than {LINES_MAX} lines"));
    }
    let count = (stop - start) / step;
    Ok((0..=count).map(move |n| start + n * step))
}

/// `template` with the number put in.
pub(super) fn substitute(template: &[u8], number: i64) -> Result<Vec<u8>, String> {
    let mut out = Vec::with_capacity(template.len() + 4);
    let mut rest = template;
    while let Some(at) = rest.iter().position(|octet| matches!(octet, b'\\' | b'$')) {
        out.extend_from_slice(&rest[..at]);
        rest = match &rest[at..] {
            // An escaped character stays as it is: `\$` is a dollar sign.
            [b'\\', escaped, tail @ ..] => {
                out.extend([b'\\', *escaped]);
                tail
            }
            [b'$', b'$', tail @ ..] => {
                out.extend(b"\\$");
                tail
            }
            [b'$', b'{', tail @ ..] => {
                let end = tail.iter().position(|octet| *octet == b'}');
                let end = end.ok_or("there is a ${ without }")?;
                let modifier = String::from_utf8_lossy(&tail[..end]);
                out.extend(modified(&modifier, number)?.bytes());
                &tail[end + 1..]
            }
            [_, tail @ ..] => {
                out.extend(number.to_string().bytes());
                tail
            }
            [] => unreachable!("something is there"),
        };
    }
    out.extend_from_slice(rest);
    Ok(out)
}

/// The number as `offset[,width[,base]]` asks for it.
fn modified(modifier: &str, number: i64) -> Result<String, String> {
    let bad = || format!("${{{modifier}}} is not ${{offset,width,base}}, base one of d o x X n N");
    let mut parts = modifier.split(',').map(str::trim);
    let offset: i32 = parts
        .next()
        .unwrap_or_default()
        .parse()
        .map_err(|_| bad())?;
    let width: u8 = parts.next().unwrap_or("0").parse().map_err(|_| bad())?;
    let base = parts.next().unwrap_or("d");
    if parts.next().is_some() {
        return Err(bad());
    }
    let width = usize::from(width);
    let value = u64::try_from(number + i64::from(offset))
        .map_err(|_| format!("${{{modifier}}} makes {number} negative"))?;
    Ok(match base {
        "d" => format!("{value:0width$}"),
        "o" => format!("{value:0width$o}"),
        "x" => format!("{value:0width$x}"),
        "X" => format!("{value:0width$X}"),
        "n" => nibbles(value, width),
        "N" => nibbles(value, width).to_ascii_uppercase(),
        _ => return Err(bad()),
    })
}

/// Hexadecimal digits from the lowest up, a dot between them, as reverse zones for IPv6 have them;
/// the dots count for the width.
fn nibbles(mut value: u64, width: usize) -> String {
    let mut out = String::new();
    loop {
        let _ = write!(out, "{:x}", value & 0xF);
        value >>= 4;
        if value == 0 && out.len() >= width {
            return out;
        }
        out.push('.');
        if value == 0 && out.len() >= width {
            return out;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_counted_and_bounded() {
        let numbers = |text| range(text).map(|numbers| numbers.collect::<Vec<_>>());
        assert_eq!(numbers("1-3"), Ok(vec![1, 2, 3]));
        assert_eq!(numbers("0-5/2"), Ok(vec![0, 2, 4]));
        assert_eq!(numbers("7-7"), Ok(vec![7]));
        assert_eq!(numbers("0-65535").unwrap().len(), 65_536);
        for text in [
            "0-65536",
            "3-1",
            "1",
            "1-2/0",
            "-1-2",
            "1-x",
            "0-4294967295",
            "",
        ] {
            assert!(numbers(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_number_goes_where_the_dollar_is() {
        for (template, number, result) in [
            ("host-$", 7, "host-7"),
            ("$.$", 7, "7.7"),
            ("a${-5,3,d}b", 7, "a002b"),
            ("${0,2,x}", 250, "fa"),
            ("${0,3,X}", 250, "0FA"),
            ("${8,0,o}", 8, "20"),
            ("${0,4,n}", 0x1a, "a.1."),
            ("${0,3,N}", 0x1a, "A.1"),
            ("\\$$", 7, "\\$7"),
            ("$$", 7, "\\$"),
            ("\\\\$", 7, "\\\\7"),
        ] {
            let text = substitute(template.as_bytes(), number).unwrap();
            assert_eq!(String::from_utf8_lossy(&text), result, "{template}");
        }
        for template in ["${", "${0,1,q}", "${0,1,d,1}", "${-8}", "${,,}"] {
            assert!(substitute(template.as_bytes(), 7).is_err(), "{template}");
        }
    }
}
