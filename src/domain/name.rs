//! Names of flows, margins, adapters, steps, rails, parameters: one grammar for all of them.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A name: `[a-z0-9][a-z0-9_-]{0,63}`. Safe as a file name, an environment key and a column title.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Arc<str>);

/// Why a text is no name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a name is 1 to 64 of a-z, 0-9, `_` and `-`, and begins with a letter or digit")]
pub struct NotAName;

impl Name {
    /// The longest a name can be, in bytes.
    pub const MAX_LEN: usize = 64;

    /// Checks the grammar.
    pub fn new(text: &str) -> Result<Self, NotAName> {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let bytes = text.as_bytes();
        let fits = bytes.len() <= Self::MAX_LEN
            && bytes.first().is_some_and(|&b| plain(b))
            && bytes.iter().all(|&b| plain(b) || b == b'_' || b == b'-');
        if fits { Ok(Self(text.into())) } else { Err(NotAName) }
    }

    /// What stands where a damaged record no longer says a name.
    pub fn unknown() -> Self {
        Self("unknown".into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As part of an environment variable: upper case, `-` as `_`.
    pub fn environment_key(&self) -> String {
        self.0.to_ascii_uppercase().replace('-', "_")
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl Serialize for Name {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Text)
    }
}

/// Takes a text as it stands: a record is full of names, and a copy of each on the way would show.
struct Text;

impl Visitor<'_> for Text {
    type Value = Name;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Name, E> {
        Name::new(text).map_err(E::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grammar() {
        let check = |text: &str, fits: bool| assert_eq!(Name::new(text).is_ok(), fits, "{text:?}");
        for good in ["a", "0", "cpu-smoke", "mem_pattern", &"x".repeat(64)] {
            check(good, true);
        }
        for bad in ["", "-a", "_a", "A", "a b", "a.b", "../x", "ä", &"x".repeat(65)] {
            check(bad, false);
        }
    }

    #[test]
    fn environment_keys() {
        let key = Name::new("vdd-soc_1").map(|n| n.environment_key());
        assert_eq!(key.as_deref(), Ok("VDD_SOC_1"));
    }
}
