//! Times of signatures (RFC 4034 §3.2): 32 bits of seconds since 1970, written as a date.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// Which of the times that the 32 bits may mean does not matter here: it is written as the first
/// since 1970.
pub(super) fn print(secs: u32) -> String {
    let time = Timestamp::from_second(secs.into()).expect("jiff reaches the year 9999");
    time.to_zoned(TimeZone::UTC)
        .strftime("%Y%m%d%H%M%S")
        .to_string()
}

pub(super) fn scan(text: &str) -> Option<u32> {
    if text.len() != 14 {
        return super::scan::number(text);
    }
    let part = |from: usize, to: usize| super::scan::number::<u16>(&text[from..to]);
    let digits = text.bytes().all(|octet| octet.is_ascii_digit());
    let small = |from: usize| part(from, from + 2).map(|part| part as i8);
    digits.then_some(())?;
    // No leap second is a time of the clock that signatures count by.
    let time = DateTime::new(
        part(0, 4)? as i16,
        small(4)?,
        small(6)?,
        small(8)?,
        small(10)?,
        small(12)?,
        0,
    );
    let secs = time
        .ok()?
        .to_zoned(TimeZone::UTC)
        .ok()?
        .timestamp()
        .as_second();
    u64::try_from(secs).ok().map(|secs| secs as u32)
}
