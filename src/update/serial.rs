//! Which serial comes next (RFC 2136 §3.6, RFC 1982), and putting it into the SOA.

use crate::rr::{RrSet, Rtype, Serial};
use crate::zone::ZoneImage;

/// How a zone's serials are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SerialPolicy {
    #[default]
    Increment,
    /// The seconds since 1970.
    UnixTime,
    /// The day in UTC and a number: YYYYMMDDnn.
    Date,
}

/// The serial after `current`. Where the clock's is not after it (a second update in one second, a
/// hundred and first on one day, a zone that used another scheme), it is the next number.
pub fn next_serial(policy: SerialPolicy, current: Serial, now_unix: u64) -> Serial {
    let from_clock = match policy {
        SerialPolicy::Increment => None,
        // Serials wrap as the seconds will in 2106.
        SerialPolicy::UnixTime => Some(now_unix as u32),
        SerialPolicy::Date => first_of_day(now_unix),
    };
    from_clock
        .map(Serial)
        .filter(|serial| serial.0 != 0 && serial.is_after(current))
        .unwrap_or_else(|| current.next())
}

fn first_of_day(now_unix: u64) -> Option<u32> {
    let now = jiff::Timestamp::from_second(i64::try_from(now_unix).ok()?).ok()?;
    let date = now.to_zoned(jiff::tz::TimeZone::UTC).date();
    let (year, month, day) = (date.year(), date.month(), date.day());
    let day = u32::try_from(year).ok()? * 10_000 + month as u32 * 100 + day as u32;
    day.checked_mul(100)
}

/// The image with this serial in its SOA; one without a SOA stays as it is.
pub fn with_serial(image: &ZoneImage, serial: Serial) -> ZoneImage {
    let origin = image.origin().clone();
    let (Some(mut soa), Some(standing)) = (image.soa(), image.rrset(&origin, Rtype::SOA)) else {
        return image.clone();
    };
    soa.serial = serial;
    let rrset = RrSet::new(Rtype::SOA, standing.ttl(), [soa.to_rdata()]);
    let mut editor = image.edit();
    editor
        .set(&origin, Rtype::SOA, rrset)
        .expect("the apex is in the zone");
    editor.finish().0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::update::testing::{image, name};
    use proptest::prelude::*;

    /// 2025-11-23 12:00:00 UTC.
    const NOON: u64 = 1_763_899_200;

    #[test]
    fn serials_follow_the_policy_and_never_go_back() {
        use SerialPolicy::*;
        for (policy, current, next) in [
            (Increment, 7, 8),
            (Increment, u32::MAX, 1),
            (UnixTime, 7, NOON as u32),
            (UnixTime, NOON as u32, NOON as u32 + 1),
            (UnixTime, NOON as u32 + 100, NOON as u32 + 101),
            (Date, 7, 2_025_112_300),
            (Date, 2_025_112_300, 2_025_112_301),
            (Date, 2_025_112_399, 2_025_112_400),
            (Date, 2_025_120_100, 2_025_120_101),
            (
                Date,
                2_025_112_300u32.wrapping_sub(1 << 31),
                2_025_112_300u32.wrapping_sub(1 << 31) + 1,
            ),
        ] {
            let got = next_serial(policy, Serial(current), NOON);
            assert_eq!(got, Serial(next), "{policy:?} after {current}");
        }
        assert_eq!(
            serde_json::from_str::<SerialPolicy>("\"unixtime\"").unwrap(),
            UnixTime
        );
    }

    #[test]
    fn a_new_serial_leaves_the_rest_of_the_soa_alone() {
        let before = image("@ 3600 SOA ns1 hostmaster 5 6 7 8 9\n@ 60 NS ns1");
        let after = with_serial(&before, Serial(9));
        let soa = after.rrset(&name("example.com."), Rtype::SOA).unwrap();
        assert_eq!(soa.ttl(), 3600);
        let (mut old, new) = (before.soa().unwrap(), after.soa().unwrap());
        assert_eq!(new.serial, Serial(9));
        old.serial = new.serial;
        assert_eq!(old, new);
        let bare = image("@ 60 NS ns1");
        assert_eq!(with_serial(&bare, Serial(9)).digest(), bare.digest());
    }

    proptest! {
        #[test]
        fn the_next_serial_is_always_after_and_never_zero(current: u32, now: u64, which in 0..3usize) {
            let policy = [SerialPolicy::Increment, SerialPolicy::UnixTime, SerialPolicy::Date][which];
            let next = next_serial(policy, Serial(current), now);
            prop_assert!(next.is_after(Serial(current)));
            prop_assert_ne!(next, Serial(0));
        }
    }
}
