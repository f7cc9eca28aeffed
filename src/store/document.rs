//! The JSON documents of a record: each says the version of its format, and one of a later version is no damage, whether or
//! not it can still be made sense of.

use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::StoreError;

/// Makes sense of the document at `path`; `version` is what it says of itself, `known` the newest that this program reads.
/// Errors: it is of a later version, or no such document.
pub(super) fn parse<T: DeserializeOwned>(
    path: &Path,
    text: &[u8],
    known: u32,
    version: impl FnOnce(&T) -> u32,
) -> Result<T, StoreError> {
    #[derive(Deserialize)]
    struct Version {
        format_version: u32,
    }
    let (found, parsed) = match serde_json::from_slice::<T>(text) {
        Ok(document) => (version(&document), Ok(document)),
        // What a later version has changed may be why.
        Err(error) => (serde_json::from_slice::<Version>(text).map_or(0, |version| version.format_version), Err(error)),
    };
    if found > known {
        return Err(StoreError::Newer { path: path.to_path_buf(), found, known });
    }
    parsed.map_err(|error| StoreError::Damaged { path: path.to_path_buf(), message: error.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    struct Document {
        format_version: u32,
        name: String,
    }

    #[test]
    fn a_later_version_is_no_damage() {
        let check = |text: &str, expected: &str| {
            let parsed = parse::<Document>(Path::new("x.json"), text.as_bytes(), 2, |document| document.format_version);
            assert_eq!(parsed.map_or_else(|error| error.to_string(), |document| document.name), expected);
        };
        let newer = "read x.json: written by a newer version (format 3, this one reads up to 2)";
        check(r#"{"format_version":2,"name":"a"}"#, "a");
        check(r#"{"format_version":3,"name":"a"}"#, newer);
        check(r#"{"format_version":3,"names":["a"]}"#, newer);
        check(r#"{"format_version":2}"#, "read x.json: missing field `name` at line 1 column 20");
        check(r#"{"name":"a""#, "read x.json: EOF while parsing an object at line 1 column 11");
    }
}
