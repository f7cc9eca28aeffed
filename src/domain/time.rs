//! Moments as recorded: whole milliseconds since the epoch, written as RFC 3339 in UTC. Never reads a clock.

use std::fmt;

use chrono::{DateTime, Datelike as _, NaiveDate, SecondsFormat, Timelike as _, Utc};
use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A moment in UTC, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(DateTime<Utc>);

impl Timestamp {
    /// From a clock's reading; parts of a millisecond are dropped.
    pub fn new(moment: DateTime<Utc>) -> Self {
        Self(DateTime::from_timestamp_millis(moment.timestamp_millis()).unwrap_or(moment))
    }

    /// From milliseconds since the epoch; `None` outside of what a calendar can say.
    pub fn from_millis(millis: i64) -> Option<Self> {
        DateTime::from_timestamp_millis(millis).map(Self)
    }

    /// Milliseconds since the epoch.
    pub const fn millis(self) -> i64 {
        self.0.timestamp_millis()
    }

    /// Milliseconds from `earlier` to this; zero when the clock went back.
    pub fn since(self, earlier: Self) -> u64 {
        u64::try_from(self.millis() - earlier.millis()).unwrap_or(0)
    }

    /// As in a run id: `20250101T010101Z`.
    pub fn compact(self) -> String {
        self.0.format("%Y%m%dT%H%M%SZ").to_string()
    }

    /// Reads RFC 3339. An offset or a leap second may lead out of the years that it can write: then it is none.
    pub fn parse(text: &str) -> Option<Self> {
        // As we write it ourselves by hand, a record being full of them; anything else goes the long way.
        own_form(text.as_bytes()).map(Self).or_else(|| {
            let moment = Self::new(DateTime::parse_from_rfc3339(text).ok()?.with_timezone(&Utc));
            (0..=9999).contains(&moment.0.year()).then_some(moment)
        })
    }
}

/// A length of time for people: `50ms`, `1.25s`, `11.2s`, `1h02m`.
pub fn span(millis: u64) -> String {
    match millis {
        0..1_000 => format!("{millis}ms"),
        1_000..10_000 => format!("{}.{:02}s", millis / 1000, millis % 1000 / 10),
        10_000..600_000 => format!("{}.{}s", millis / 1000, millis % 1000 / 100),
        600_000..3_600_000 => format!("{}m{:02}s", millis / 60_000, millis / 1000 % 60),
        _ => format!("{}h{:02}m", millis / 3_600_000, millis / 60_000 % 60),
    }
}

/// A length of time as a clock shows it, whole seconds: `00:12:41`.
pub fn clock(millis: u64) -> String {
    let seconds = millis / 1000;
    format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// The same without hours that there are none of: `12:41`, `1:02:05`. For lines with little room.
pub fn short_clock(millis: u64) -> String {
    let seconds = millis / 1000;
    match seconds / 3600 {
        0 => format!("{:02}:{:02}", seconds / 60, seconds % 60),
        hours => format!("{hours}:{:02}:{:02}", seconds / 60 % 60, seconds % 60),
    }
}

/// A length of time in hours and minutes, begun minutes counted: `00:43`. For what can only be estimated.
pub fn hours_and_minutes(millis: u64) -> String {
    let minutes = millis.div_ceil(60_000);
    format!("{:02}:{:02}", minutes / 60, minutes % 60)
}

/// Reads exactly `2025-01-01T01:01:01.007Z`.
fn own_form(text: &[u8]) -> Option<DateTime<Utc>> {
    const MARKS: [(usize, u8); 7] = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':'), (19, b'.'), (23, b'Z')];
    if text.len() != 24 || MARKS.iter().any(|(at, mark)| text[*at] != *mark) {
        return None;
    }
    let number = |from: usize, to: usize| {
        let digit = |n: u32, byte: &u8| byte.is_ascii_digit().then(|| n * 10 + u32::from(byte - b'0'));
        text[from..to].iter().try_fold(0, digit)
    };
    let date = NaiveDate::from_ymd_opt(number(0, 4)?.cast_signed(), number(5, 7)?, number(8, 10)?)?;
    Some(date.and_hms_milli_opt(number(11, 13)?, number(14, 16)?, number(17, 19)?, number(20, 23)?)?.and_utc())
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // By hand as well: every line of a record begins with one.
        let Ok(year @ 0..=9999) = u16::try_from(self.0.year()) else {
            return f.pad(&self.0.to_rfc3339_opts(SecondsFormat::Millis, true));
        };
        let mut text = *b"0000-00-00T00:00:00.000Z";
        let mut put = |at: usize, digits: usize, mut number: u32| {
            for slot in text.iter_mut().skip(at).take(digits).rev() {
                *slot = b'0' + u8::try_from(number % 10).unwrap_or_default();
                number /= 10;
            }
        };
        let moment = &self.0;
        put(0, 4, year.into());
        put(5, 2, moment.month());
        put(8, 2, moment.day());
        put(11, 2, moment.hour());
        put(14, 2, moment.minute());
        put(17, 2, moment.second());
        put(20, 3, moment.timestamp_subsec_millis());
        f.pad(std::str::from_utf8(&text).unwrap_or_default())
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Text)
    }
}

/// Takes a text as it stands: a copy of each on the way would show.
struct Text;

impl Visitor<'_> for Text {
    type Value = Timestamp;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Timestamp, E> {
        Timestamp::parse(text).ok_or_else(|| E::custom("not an RFC 3339 time"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks() {
        let check = |millis: u64, expected: &str, minutes: &str| {
            assert_eq!((clock(millis).as_str(), hours_and_minutes(millis).as_str()), (expected, minutes), "{millis}");
        };
        check(0, "00:00:00", "00:00");
        check(50, "00:00:00", "00:01");
        check(60_000, "00:01:00", "00:01");
        check(754_000, "00:12:34", "00:13");
        check(3_725_000, "01:02:05", "01:03");
        check(u64::MAX, "5124095576030:25:51", "5124095576030:26");
        assert_eq!([50, 754_000, 3_725_000].map(short_clock), ["00:00", "12:34", "1:02:05"]);
    }

    #[test]
    fn written_in_utc_with_milliseconds() {
        let moment = Timestamp::parse("2025-01-01T02:01:01.5+01:00");
        assert_eq!(moment.map(|m| m.to_string()).as_deref(), Some("2025-01-01T01:01:01.500Z"));
        assert_eq!(moment.map(Timestamp::compact).as_deref(), Some("20250101T010101Z"));
        assert_eq!(moment.and_then(|m| Timestamp::from_millis(m.millis())), moment);
        assert_eq!(Timestamp::parse("yesterday"), None);
    }

    #[test]
    fn written_as_the_long_way_writes_it() {
        for millis in [0, 1, -1, 1_735_693_261_007, -62_135_596_800_000, 253_402_300_799_999, 253_402_300_800_000] {
            let moment = Timestamp::from_millis(millis).unwrap();
            assert_eq!(moment.to_string(), moment.0.to_rfc3339_opts(SecondsFormat::Millis, true));
            assert_eq!(format!("{moment:>30}").trim_start(), moment.to_string());
        }
    }

    #[test]
    fn lengths_of_time() {
        let check = |millis: u64, expected: &str| assert_eq!(span(millis), expected, "{millis}");
        check(50, "50ms");
        check(1_250, "1.25s");
        check(11_250, "11.2s");
        check(754_000, "12m34s");
        check(3_725_000, "1h02m");
    }

    #[test]
    fn what_cannot_be_written_is_not_read() {
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(Timestamp::parse(text).map(|moment| moment.to_string()).as_deref(), expected, "{text}");
        };
        check("9999-12-31T23:59:59.999Z", Some("9999-12-31T23:59:59.999Z"));
        check("9999-12-31T23:59:60.999Z", None);
        check("9999-12-31T23:59:59-00:01", None);
        check("0000-01-01T00:00:00+00:00", Some("0000-01-01T00:00:00.000Z"));
        check("0000-01-01T00:00:00+00:01", None);
    }

    #[test]
    fn the_own_form_is_read_as_the_long_way_reads_it() {
        let check = |text: &str| {
            let long = DateTime::parse_from_rfc3339(text).ok().map(|moment| moment.timestamp_millis());
            assert_eq!(Timestamp::parse(text).map(Timestamp::millis), long, "{text}");
            own_form(text.as_bytes()).is_some()
        };
        for own in ["2025-01-01T01:01:01.007Z", "2024-02-29T23:59:59.999Z", "0001-01-01T00:00:00.000Z"] {
            assert!(check(own), "{own}");
        }
        for other in [
            "2025-02-29T01:01:01.007Z",
            "2025-13-01T01:01:01.007Z",
            "2025-01-01T24:00:00.000Z",
            "2016-12-31T23:59:60.500Z",
            "2025-01-01t01:01:01.007z",
            "2025-01-01T01:01:01.0070",
            "2025-01-01T01:01:01,007Z",
            "+025-01-01T01:01:01.007Z",
            "2025-01-01T01:01:01.00\u{e9}Z",
            "2025-01-01T01:01:01.7Z",
            "",
        ] {
            assert!(!check(other), "{other}");
        }
    }
}
