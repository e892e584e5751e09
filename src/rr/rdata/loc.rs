//! Locations (RFC 1876): latitude and longitude in thousandths of a second of arc, altitude and
//! sizes in centimetres.

use std::fmt::Write;

use super::scan::{Scan, ScanError};
use super::walk::Flaw;

/// The equator, and the meridian of Greenwich.
const ORIGIN: u32 = 1 << 31;
/// Centimetres below the WGS 84 ellipsoid where altitudes begin.
const ALTITUDE_ORIGIN_CM: i64 = 10_000_000;
const DEGREE: u32 = 3_600_000;
const MINUTE: u32 = 60_000;

pub(super) fn check(location: &[u8]) -> Result<&[u8], Flaw> {
    match location {
        [0, ..] if location.len() == 16 => {}
        [0, ..] => {
            return Err(format!("a location has 16 octets, this one {}", location.len()).into());
        }
        // Nothing is known of other versions (§2).
        _ => return Ok(location),
    }
    // Size, horizontal and vertical precision: mantissa and exponent, a decimal digit each.
    if location[1..4]
        .iter()
        .any(|size| size >> 4 > 9 || size & 0xF > 9)
    {
        return Err("a size is no number".into());
    }
    for (at, degrees, what) in [(4, 90, "latitude"), (8, 180, "longitude")] {
        if word(location, at).abs_diff(ORIGIN) > degrees * DEGREE {
            return Err(format!("the {what} is more than {degrees} degrees").into());
        }
    }
    Ok(location)
}

fn word(location: &[u8], at: usize) -> u32 {
    let octets = location[at..at + 4].try_into();
    u32::from_be_bytes(octets.expect("four octets"))
}

/// A checked location as it is written; `Err` when that would not read back the same.
pub(super) fn print(location: &[u8], out: &mut String) -> std::fmt::Result {
    if location[0] != 0 {
        return Err(std::fmt::Error);
    }
    for (at, [positive, negative]) in [(4, ['N', 'S']), (8, ['E', 'W'])] {
        let angle = word(location, at);
        let side = if angle >= ORIGIN { positive } else { negative };
        let angle = angle.abs_diff(ORIGIN);
        let (degrees, rest) = (angle / DEGREE, angle % DEGREE);
        let (minutes, rest) = (rest / MINUTE, rest % MINUTE);
        let (seconds, thousandths) = (rest / 1000, rest % 1000);
        write!(
            out,
            "{degrees} {minutes} {seconds}.{thousandths:03} {side} "
        )?;
    }
    let altitude = i64::from(word(location, 12)) - ALTITUDE_ORIGIN_CM;
    let sign = if altitude < 0 { "-" } else { "" };
    let altitude = altitude.unsigned_abs();
    write!(out, "{sign}{}.{:02}m", altitude / 100, altitude % 100)?;
    for &size in &location[1..4] {
        let cm = u64::from(size >> 4) * 10u64.pow(u32::from(size & 0xF));
        // Nought times a hundred is nought, and would be written so.
        if precision(cm) != Some(size) {
            return Err(std::fmt::Error);
        }
        match cm % 100 {
            0 => write!(out, " {}m", cm / 100)?,
            rest => write!(out, " {}.{rest:02}m", cm / 100)?,
        }
    }
    Ok(())
}

/// Mantissa and exponent of a size; what has more digits than one is cut.
fn precision(mut cm: u64) -> Option<u8> {
    let mut exponent = 0;
    while cm > 9 {
        cm /= 10;
        exponent += 1;
    }
    (exponent <= 9).then_some((cm as u8) << 4 | exponent)
}

pub(super) fn scan(scan: &mut Scan<'_, '_>) -> Result<(), ScanError> {
    let latitude = angle(scan, 90, "N", "S")?;
    let longitude = angle(scan, 180, "E", "W")?;
    let expected = "an altitude in metres from -100000.00 to 42849672.95";
    let altitude = scan.word(expected)?;
    let altitude = centimetres(altitude)
        .and_then(|cm| u32::try_from(cm + ALTITUDE_ORIGIN_CM).ok())
        .ok_or_else(|| scan.wrong(expected))?;
    // §3: what is left out is a metre, ten kilometres, ten metres.
    let mut sizes = [0x12, 0x16, 0x13];
    for size in &mut sizes {
        if scan.is_at_end() {
            break;
        }
        let expected = "a size in metres up to 90000000.00";
        let text = scan.word(expected)?;
        *size = centimetres(text)
            .and_then(|cm| precision(u64::try_from(cm).ok()?))
            .ok_or_else(|| scan.wrong(expected))?;
    }
    scan.wire.push(0);
    scan.wire.extend_from_slice(&sizes);
    for word in [latitude, longitude, altitude] {
        scan.wire.extend_from_slice(&word.to_be_bytes());
    }
    Ok(())
}

/// `degrees [minutes [seconds]] side`.
fn angle(
    scan: &mut Scan<'_, '_>,
    degrees_max: u32,
    positive: &str,
    negative: &str,
) -> Result<u32, ScanError> {
    let expected = match degrees_max {
        90 => "degrees from 0 to 90, minutes and seconds up to 59, N or S",
        _ => "degrees from 0 to 180, minutes and seconds up to 59, E or W",
    };
    let mut angle = 0;
    for unit in [DEGREE, MINUTE, 1000, 0] {
        let word = scan.word(expected)?;
        if unit < DEGREE && word.eq_ignore_ascii_case(positive) {
            return Ok(ORIGIN + angle);
        }
        if unit < DEGREE && word.eq_ignore_ascii_case(negative) {
            return Ok(ORIGIN - angle);
        }
        let part = match unit {
            DEGREE => super::scan::number(word).filter(|degrees: &u32| *degrees <= degrees_max),
            MINUTE => super::scan::number(word).filter(|minutes: &u32| *minutes < 60),
            1000 => decimal(word, 3)
                .and_then(|ms| u32::try_from(ms).ok())
                .filter(|ms| *ms < MINUTE),
            _ => None,
        };
        let part = part.ok_or_else(|| scan.wrong(expected))?;
        angle += if unit == 1000 { part } else { part * unit };
        if angle > degrees_max * DEGREE {
            return Err(scan.wrong(expected));
        }
    }
    Err(scan.wrong(expected))
}

fn centimetres(text: &str) -> Option<i64> {
    let text = text.strip_suffix(['m', 'M']).unwrap_or(text);
    match text.strip_prefix('-') {
        Some(text) => Some(-decimal(text, 2)?),
        None => decimal(text, 2),
    }
}

/// A decimal number with up to so many digits behind its point, in its smallest unit.
fn decimal(text: &str, digits: usize) -> Option<i64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    if part.len() > digits || !part.bytes().all(|octet| octet.is_ascii_digit()) {
        return None;
    }
    let whole: u32 = super::scan::number(whole)?;
    let scale = 10i64.pow(digits as u32);
    let part: i64 = format!("{part:0<digits$}").parse().ok()?;
    Some(i64::from(whole) * scale + part)
}
