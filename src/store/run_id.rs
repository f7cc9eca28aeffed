//! The name of a run: `rr-20250101T010101Z-abc123`, with `-2` and so on where that was taken.
//! Nothing that is not exactly such a name ever becomes part of a path.

use std::fmt;

use chrono::NaiveDateTime;
use serde::{Deserialize, Serialize};

use super::StoreError;
use crate::domain::time::Timestamp;

const TIME: &str = "%Y%m%dT%H%M%SZ";
/// `rr-`, sixteen characters of time, `-`, six of the digest.
const BASE_LEN: usize = 26;

/// A valid run id. Ordered by time, then digest, then number.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RunId {
    started: Timestamp,
    digest: String,
    number: u32,
}

impl RunId {
    /// The id of a run prepared at `at` from a plan with this digest (lower-case hex, at least six digits).
    pub fn new(at: Timestamp, digest: &str) -> Result<Self, StoreError> {
        Self::parse(&format!("rr-{}-{}", at.compact(), digest.get(..6).unwrap_or(digest)))
    }

    /// Reads an id; anything but the exact form is refused.
    pub fn parse(text: &str) -> Result<Self, StoreError> {
        Self::read(text).ok_or_else(|| StoreError::Name { what: "run", name: text.to_owned() })
    }

    fn read(text: &str) -> Option<Self> {
        let (base, rest) = text.split_at_checked(BASE_LEN)?;
        let (time, digest) = base.strip_prefix("rr-")?.split_once('-')?;
        let started = NaiveDateTime::parse_from_str(time, TIME).ok()?.and_utc();
        // chrono reads more forms than it writes (a sign, a leap second); only what it writes is an id.
        let leap = started.timestamp_subsec_nanos() > 0;
        if leap || started.format(TIME).to_string() != time || digest.len() != 6 || !digest.bytes().all(is_hex) {
            return None;
        }
        let number = match rest.strip_prefix('-') {
            None if rest.is_empty() => 1,
            None => return None,
            Some(number) => number.parse().ok().filter(|n: &u32| *n >= 2 && n.to_string() == number)?,
        };
        Some(Self { started: Timestamp::new(started), digest: digest.to_owned(), number })
    }

    /// The same id with another number; 1 stands for none.
    #[must_use]
    pub fn numbered(&self, number: u32) -> Self {
        Self { number: number.max(1), ..self.clone() }
    }

    /// When the run was prepared, to the second.
    pub const fn prepared_at(&self) -> Timestamp {
        self.started
    }

    /// The first six hex digits of the plan's digest.
    pub fn short_digest(&self) -> &str {
        &self.digest
    }

    /// Whole days between the id's time and `now`; zero for an id from the future.
    pub fn age_days(&self, now: Timestamp) -> u64 {
        now.since(self.started) / 86_400_000
    }
}

fn is_hex(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rr-{}-{}", self.started.compact(), self.digest)?;
        if self.number > 1 {
            write!(f, "-{}", self.number)?;
        }
        Ok(())
    }
}

impl TryFrom<String> for RunId {
    type Error = StoreError;

    fn try_from(text: String) -> Result<Self, StoreError> {
        Self::parse(&text)
    }
}

impl From<RunId> for String {
    fn from(id: RunId) -> Self {
        id.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, valid: bool) {
        let read = RunId::parse(text);
        assert_eq!(read.is_ok(), valid, "{text:?}");
        if let Ok(id) = read {
            assert_eq!(id.to_string(), text);
        }
    }

    #[test]
    fn only_the_exact_form_is_an_id() {
        check("rr-20250101T010101Z-abc123", true);
        check("rr-20250101T010101Z-abc123-2", true);
        check("rr-20250101T010101Z-abc123-4294967295", true);
        for bad in [
            "",
            ".",
            "..",
            "../../etc",
            "/etc",
            "rr-20250101T010101Z-abc123/",
            "rr-20250101T010101Z-abc123/..",
            "rr-20250101T010101Z-../../",
            "rr-20250101T010101Z-ABC123",
            "rr-20250101T010101Z-abc12",
            "rr-20250101T010101Z-abc1234",
            "rr-20250101T010101Z-abc123-1",
            "rr-20250101T010101Z-abc123-02",
            "rr-20250101T010101Z-abc123-",
            "rr-20250101T010101Z-abc123-4294967296",
            "rr-20250101T010101Z-abc123-s00",
            "rr-20251301T010101Z-abc123",
            "rr-20250101T010160Z-abc123",
            "rr-20250101T250101Z-abc123",
            "rr-+0250101T010101Z-abc123",
            " rr-20250101T010101Z-abc123",
            "rr-20250101T010101Z-abc123\n",
            ".rr-20250101T010101Z-abc123",
            "rr-20250101T010101Z-äbc12",
            "\u{0}",
        ] {
            check(bad, false);
        }
    }

    #[test]
    fn is_made_from_time_and_digest() {
        let at = Timestamp::from_millis(1_735_693_261_999).unwrap();
        let id = RunId::new(at, "abc123ffff").unwrap();
        assert_eq!(id.to_string(), "rr-20250101T010101Z-abc123");
        assert_eq!(id.numbered(3).to_string(), "rr-20250101T010101Z-abc123-3");
        assert!(RunId::new(at, "abc").is_err());
    }

    #[test]
    fn ages_in_whole_days_and_orders_by_time_and_number() {
        let id = RunId::parse("rr-20250101T010101Z-abc123").unwrap();
        let after = |seconds: i64| Timestamp::from_millis((1_735_693_261 + seconds) * 1000).unwrap();
        assert_eq!(id.age_days(after(86_399)), 0);
        assert_eq!(id.age_days(after(86_400)), 1);
        assert_eq!(id.age_days(after(-86_400)), 0);
        assert!(id < id.numbered(2) && id.numbered(2) < id.numbered(10));
        assert!(id.numbered(10) < RunId::parse("rr-20250101T010102Z-000000").unwrap());
    }
}
