//! What an execution left in its artifact folder: the names of its files, and numbers read from one of them.
//! Never follows a link out of the folder, never reads more than a bounded file, never keeps a file's text.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use rustix::fs::{Mode, OFlags, ResolveFlags, openat2};
use serde_json::Value;

/// A metrics file larger than this is not read.
const LARGEST: u64 = 16 << 20;
/// At most so many files are named.
const NAMED: usize = 1000;
/// At most so many entries are looked at: a flood of files must not hold up the run.
const LOOKED_AT: usize = 100_000;

/// The files below `folder`, relative to it, in order of their names.
pub fn files(folder: &Path) -> io::Result<Vec<String>> {
    let mut found = vec![];
    let mut folders = vec![folder.to_path_buf()];
    let mut looked_at = 0;
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next)? {
            let entry = entry?;
            looked_at += 1;
            if looked_at > LOOKED_AT {
                break;
            }
            if entry.file_type()?.is_dir() {
                folders.push(entry.path());
            } else if let Ok(relative) = entry.path().strip_prefix(folder) {
                found.push(relative.to_string_lossy().into_owned());
            }
        }
    }
    found.sort();
    found.truncate(NAMED);
    Ok(found)
}

/// The number at `pointer` (RFC 6901) of a JSON or YAML file in `folder`; what is missing or no number says why.
pub fn number(folder: &Path, file: &str, pointer: &str) -> Result<f64, String> {
    let text = read(folder, file).map_err(|error| format!("{file}: {error}"))?;
    let document: Value = match serde_json::from_str(&text) {
        Ok(document) => document,
        Err(_) => {
            serde_yaml::from_str_with_options(&text, yaml()).map_err(|_| format!("{file} is neither JSON nor YAML"))?
        }
    };
    let value = document.pointer(pointer).ok_or_else(|| format!("{file} has nothing at {pointer}"))?;
    let number = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => parse(text),
        _ => None,
    };
    number.filter(|number| number.is_finite()).ok_or_else(|| format!("{pointer} of {file} is no number"))
}

/// A number that is none becomes text, so that the rest of the file can be read.
fn yaml() -> serde_yaml::Options {
    serde_yaml::options! { non_finite_float_policy: serde_yaml::options::NonFiniteFloatPolicy::AsString }
}

/// A finite number as diagnostics print them.
pub fn parse(text: &str) -> Option<f64> {
    text.trim().parse().ok().filter(|number: &f64| number.is_finite())
}

fn read(folder: &Path, file: &str) -> io::Result<String> {
    let folder = File::open(folder)?;
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
    let file = File::from(openat2(&folder, file, flags, Mode::empty(), resolve)?);
    let metadata = file.metadata()?;
    if !metadata.is_file() || metadata.len() > LARGEST {
        return Err(io::Error::other("not a regular file of at most 16 MiB"));
    }
    let mut text = String::new();
    file.take(LARGEST).read_to_string(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, pointer: &str, expected: Result<f64, &str>) {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("m"), text).unwrap();
        assert_eq!(number(folder.path(), "m", pointer), expected.map_err(str::to_owned), "{text}");
    }

    #[test]
    fn json_and_yaml_alike() {
        check(r#"{"metrics":[{"bogo-ops":12}]}"#, "/metrics/0/bogo-ops", Ok(12.0));
        let yaml = "---\nmetrics:\n    - stressor: cpu\n      bogo-ops: 5471\n      bogo-ops-per-second: 2731.9\n...\n";
        check(yaml, "/metrics/0/bogo-ops", Ok(5471.0));
        check(yaml, "/metrics/0/bogo-ops-per-second", Ok(2731.9));
        check(yaml, "/metrics/0/stressor", Err("/metrics/0/stressor of m is no number"));
        check(yaml, "/metrics/1/bogo-ops", Err("m has nothing at /metrics/1/bogo-ops"));
        check("a: .nan", "/a", Err("/a of m is no number"));
        check("{", "/a", Err("m is neither JSON nor YAML"));
    }

    #[test]
    fn nothing_outside_is_read_and_names_are_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path();
        fs::create_dir_all(at.join("in/deep")).unwrap();
        fs::write(at.join("secret"), "1").unwrap();
        fs::write(at.join("in/deep/b"), "1").unwrap();
        fs::write(at.join("in/a"), "1").unwrap();
        std::os::unix::fs::symlink("../secret", at.join("in/link")).unwrap();
        assert_eq!(files(&at.join("in")).unwrap(), ["a", "deep/b", "link"]);
        assert_eq!(number(&at.join("in"), "deep/b", ""), Ok(1.0));
        for outside in ["../secret", "link", "deep", "gone"] {
            assert!(number(&at.join("in"), outside, "").is_err(), "{outside}");
        }
    }
}
