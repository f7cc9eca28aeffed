//! Moments as recorded: whole milliseconds since the epoch, written as RFC 3339 in UTC. Never reads a clock.

use std::fmt;

use chrono::{DateTime, SecondsFormat, Utc};
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

    /// Reads RFC 3339.
    pub fn parse(text: &str) -> Option<Self> {
        DateTime::parse_from_rfc3339(text).ok().map(|m| Self::new(m.with_timezone(&Utc)))
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

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0.to_rfc3339_opts(SecondsFormat::Millis, true))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("not an RFC 3339 time"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_in_utc_with_milliseconds() {
        let moment = Timestamp::parse("2025-01-01T02:01:01.5+01:00");
        assert_eq!(moment.map(|m| m.to_string()).as_deref(), Some("2025-01-01T01:01:01.500Z"));
        assert_eq!(moment.map(Timestamp::compact).as_deref(), Some("20250101T010101Z"));
        assert_eq!(moment.and_then(|m| Timestamp::from_millis(m.millis())), moment);
        assert_eq!(Timestamp::parse("yesterday"), None);
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
}
