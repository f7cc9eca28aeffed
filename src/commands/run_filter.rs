//! Which runs of the past are meant: a few words, each a piece of text or `key:text`, all of which must match; `-word`
//! must not. Parsed once, asked of each row; touches no file.

use crate::domain::event::RunStatus;
use crate::domain::sanitize;
use crate::domain::verdict::Verdict;
use crate::store::history::RunEntry;

/// A parsed filter. The empty one matches every run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RunFilter {
    words: Vec<Word>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Word {
    /// None: any of them.
    key: Option<Key>,
    /// In lower case.
    text: String,
    negated: bool,
}

/// What can be asked for by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    Id,
    Flow,
    Margin,
    Unit,
    Verdict,
    Status,
    Date,
}

/// A text that is no filter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// No such key.
    #[error("a run has no `{key}` to filter by; there are {}", keys())]
    UnknownKey {
        /// As written, without what a terminal would obey.
        key: String,
    },
    /// A verdict or status that no run can have.
    #[error("no {key} is like `{text}`; there are {known}")]
    NoSuchValue {
        /// `verdict` or `status`.
        key: &'static str,
        /// As written, without what a terminal would obey.
        text: String,
        /// All there are.
        known: String,
    },
}

/// What a run whose summary cannot be read has for its status, as the list says it.
const UNREADABLE: &str = "unreadable";

impl Key {
    const ALL: [Self; 7] = [Self::Id, Self::Flow, Self::Margin, Self::Unit, Self::Verdict, Self::Status, Self::Date];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Flow => "flow",
            Self::Margin => "margin",
            Self::Unit => "unit",
            Self::Verdict => "verdict",
            Self::Status => "status",
            Self::Date => "date",
        }
    }

    /// What a run has there, in lower case.
    fn of(self, entry: &RunEntry) -> Option<String> {
        let summary = entry.summary.as_ref().ok();
        let text = match self {
            Self::Id => entry.id.to_string(),
            Self::Flow => summary?.flow.to_string(),
            Self::Margin => summary?.margin.to_string(),
            Self::Unit => summary?.unit.clone()?,
            Self::Verdict => summary?.verdict?.to_string(),
            Self::Status => summary.map_or_else(|| UNREADABLE.to_owned(), |summary| summary.status.to_string()),
            Self::Date => summary.and_then(|s| s.started_at).unwrap_or_else(|| entry.id.prepared_at()).to_string(),
        };
        Some(text.to_lowercase())
    }

    /// All values that it can have, where they are few.
    fn values(self) -> Option<Vec<&'static str>> {
        use RunStatus::{Cancelled, Completed, DryRun, Interrupted, Planned, Running};
        match self {
            Self::Verdict => Some(Verdict::ALL.map(Verdict::as_str).to_vec()),
            Self::Status => {
                let all = [Planned, Running, Completed, Cancelled, Interrupted, DryRun].map(RunStatus::as_str);
                Some(all.into_iter().chain([UNREADABLE]).collect())
            }
            _ => None,
        }
    }
}

fn keys() -> String {
    Key::ALL.map(Key::as_str).join(", ")
}

impl RunFilter {
    /// Reads words that blanks part: `fail`, `flow:mem`, `unit:SN12`, `verdict:timeout`, `2025-01`, `-status:planned`.
    pub fn parse(text: &str) -> Result<Self, FilterError> {
        let words: Result<_, _> = text.split_whitespace().map(Word::parse).collect();
        Ok(Self { words: words? })
    }

    /// Whether it matches every run.
    pub const fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// Whether a run is meant.
    pub fn matches(&self, entry: &RunEntry) -> bool {
        self.words.iter().all(|word| word.matches(entry))
    }
}

impl Word {
    fn parse(written: &str) -> Result<Self, FilterError> {
        let (rest, negated) = match written.strip_prefix('-') {
            Some(rest) if !rest.is_empty() => (rest, true),
            _ => (written, false),
        };
        let (key, text) = match rest.split_once(':') {
            // A time of day has colons as well.
            Some((key, text)) if !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphabetic()) => {
                let known = Key::ALL.into_iter().find(|known| known.as_str().eq_ignore_ascii_case(key));
                (Some(known.ok_or_else(|| FilterError::UnknownKey { key: sanitize::escaped(key).into_owned() })?), text)
            }
            _ => (None, rest),
        };
        let text_lower = text.to_lowercase();
        if let Some((key, values)) = key.and_then(|key| Some((key, key.values()?)))
            && !values.iter().any(|value| value.contains(&text_lower))
        {
            let text = sanitize::escaped(text).into_owned();
            return Err(FilterError::NoSuchValue { key: key.as_str(), text, known: values.join(", ") });
        }
        Ok(Self { key, text: text_lower, negated })
    }

    fn matches(&self, entry: &RunEntry) -> bool {
        let has = |key: Key| key.of(entry).is_some_and(|text| text.contains(&self.text));
        let found = match self.key {
            Some(key) => has(key),
            None => Key::ALL.into_iter().any(has),
        };
        found != self.negated
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::testing::{Past, history};

    /// The days of January whose runs are meant, or why the text is no filter.
    fn check(text: &str, expected: &str) {
        let runs = [
            Past { flow: "mem_soak", unit: Some("SN12"), verdict: Some(Verdict::Fail), ..Past::default() },
            Past { margin: "up", unit: Some("sn13"), verdict: Some(Verdict::Timeout), ..Past::default() },
            Past { status: RunStatus::Interrupted, verdict: None, ..Past::default() },
            Past { unreadable: true, ..Past::default() },
        ];
        let found = match RunFilter::parse(text) {
            Err(error) => error.to_string(),
            Ok(filter) => {
                let days = history(&runs).into_iter().filter(|entry| filter.matches(entry));
                days.map(|entry| entry.id.to_string()[9..11].to_owned()).collect::<Vec<_>>().join(" ")
            }
        };
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn words_are_found_anywhere() {
        check("", "04 03 02 01");
        check("fail", "04");
        check("  FAIL  ", "04");
        check("sn1", "04 03");
        check("sn1 up", "03");
        check("sample", "03 02");
        check("2025-01-03", "03");
        check("2025-01-03T01:01", "03");
        check("20250103", "03");
        check("abc002", "02");
        check("unread", "01");
        check("nothing", "");
        check("-", "04 03 02 01");
    }

    #[test]
    fn words_with_a_key_are_found_there() {
        check("flow:mem", "04");
        check("flow:up", "");
        check("Margin:UP", "03");
        check("unit:sn13", "03");
        check("unit:", "04 03");
        check("verdict:timeout", "03");
        check("status:interrupted", "02");
        check("status:unreadable", "01");
        check("id:0103", "03");
        check("date:2025-01-0 status:comp", "04 03");
    }

    #[test]
    fn negated_words_must_not_match() {
        check("-fail", "03 02 01");
        check("-unit:", "02 01");
        check("-verdict:fail -verdict:timeout status:i", "02");
        check("-id:04 sn", "03");
    }

    #[test]
    fn what_cannot_be_meant_is_said() {
        check(
            "colour:red",
            "a run has no `colour` to filter by; there are id, flow, margin, unit, verdict, status, date",
        );
        check("-x:y", "a run has no `x` to filter by; there are id, flow, margin, unit, verdict, status, date");
        check(
            "verdict:tiemout",
            "no verdict is like `tiemout`; there are skipped, pass, inconclusive, fail, timeout, crashed, aborted, error",
        );
        check(
            "status:\u{1b}[2J",
            "no status is like `\\u{1b}[2J`; there are planned, running, completed, cancelled, interrupted, dry_run, unreadable",
        );
    }
}
