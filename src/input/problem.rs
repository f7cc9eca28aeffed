//! What goes with the domain's problems: a bounded collection of them, quoting from files, near names. Never
//! decides how a problem is drawn.

use crate::domain::place::Place;
use crate::domain::problem::{Problem, Severity};
use crate::domain::sanitize;

/// The problems of one or more files; what is past a thousand is only counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Problems {
    list: Vec<Problem>,
    dropped: usize,
    errors: usize,
}

impl Problems {
    /// How many are kept.
    pub const KEPT: usize = 1000;

    /// Adds one.
    pub fn push(&mut self, problem: Problem) {
        self.errors += usize::from(problem.severity == Severity::Error);
        if self.list.len() < Self::KEPT {
            self.list.push(problem);
        } else {
            self.dropped += 1;
        }
    }

    /// Adds all of `other`.
    pub fn extend(&mut self, other: Self) {
        self.dropped += other.dropped;
        self.errors += other.errors;
        self.list.extend(other.list);
    }

    /// Whether anything in it refuses the input.
    pub const fn has_errors(&self) -> bool {
        self.errors > 0
    }

    /// How many errors there are, dropped ones included.
    pub const fn errors(&self) -> usize {
        self.errors
    }

    /// How many problems were only counted.
    pub const fn dropped(&self) -> usize {
        self.dropped
    }

    /// The problems kept, in the order found.
    pub fn list(&self) -> &[Problem] {
        &self.list
    }

    /// Whether there is nothing at all.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        let mut problems = Self::default();
        problems.push(problem);
        problems
    }
}

/// A file as a whole, for what has no line: it could not even be read.
pub fn whole_file(file: &str) -> Place {
    Place::new(file, 0, 0, 1)
}

/// How much of a file's text a message may quote, in characters.
const QUOTED: usize = 60;

/// A piece of a file as it may be quoted in a message: in backticks, short, with what hides made visible.
pub fn quote(text: &str) -> String {
    let mut short: String = text.chars().take(QUOTED).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    format!("`{}`", sanitize::escaped(&short))
}

/// Names in backticks with commas between, a dozen at most.
pub fn quoted_list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let mut names: Vec<String> = names.into_iter().take(13).map(quote).collect();
    if names.len() > 12 {
        names.pop();
        names.push("…".to_owned());
    }
    names.join(", ")
}

/// The candidate that `name` was probably meant to be.
pub fn near<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let plain = |s: &str| s.to_lowercase().replace(['-', ' '], "_");
    if name.len() > 2 * QUOTED {
        return None;
    }
    let wanted = plain(name);
    let close = |candidate: &str| (candidate.chars().count().max(wanted.chars().count()) / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| (strsim::osa_distance(&wanted, &plain(candidate)), candidate))
        .filter(|(distance, candidate)| *distance <= close(candidate) && *distance < wanted.chars().count())
        .min()
        .map(|(_, candidate)| candidate)
}

/// What helps against an unknown name: the near one, else all there are.
pub fn near_or_all(name: &str, what: &str, candidates: &[&str]) -> String {
    match near(name, candidates.iter().copied()) {
        Some(close) => format!("did you mean {}?", quote(close)),
        None if candidates.is_empty() => format!("there are no {what}"),
        None => format!("{what}: {}", quoted_list(candidates.iter().copied())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names() {
        let check = |name: &str, expected: Option<&str>| {
            assert_eq!(near(name, ["timeout", "repeat", "on_failure", "a"]), expected, "{name}");
        };
        check("timeuot", Some("timeout"));
        check("Timeout", Some("timeout"));
        check("on-failure", Some("on_failure"));
        check("repeats", Some("repeat"));
        check("voltage", None);
        check(&"x".repeat(1000), None);
    }

    #[test]
    fn what_is_quoted_is_short_and_shows_what_hides() {
        assert_eq!(quote("a\u{1b}[2J\u{202e}b"), "`a\\u{1b}[2J\\u{202e}b`");
        assert_eq!(quote(&"x".repeat(99)).chars().count(), 63);
    }

    #[test]
    fn thousands_are_counted_not_kept() {
        let mut problems = Problems::default();
        for _ in 0..1500 {
            problems.push(Problem::error(whole_file("a"), "x"));
        }
        problems.push(Problem::warning(whole_file("a"), "y"));
        assert_eq!((problems.list().len(), problems.errors(), problems.dropped()), (1000, 1500, 501));
    }
}
