//! What the tests of the readers share: a text in, the report that people would see out.

use super::catalogue::document;
use super::doc::Doc;
use super::problem::Problems;
use super::render::render;
use super::source::{Source, Sources};
use super::yaml::Node;
use crate::schemas::accepts_what_was_read;

/// Draws problems over the texts given as file and text.
pub fn drawn(problems: &Problems, files: &[(&str, &str)]) -> String {
    let mut sources = Sources::default();
    for (file, text) in files {
        sources.add(Source::new(file, text));
    }
    render(problems, &sources, false)
}

/// The report on `text` as read by `read`; `sound` when there is nothing to report.
pub fn report<T>(file: &str, text: &str, read: impl FnOnce(&Doc<'_>, &Node<'_>) -> Option<T>) -> String {
    report_beside(("", ""), file, text, read)
}

/// As [`report`], with another file that problems can point into.
pub fn report_beside<T>(
    other: (&str, &str),
    file: &str,
    text: &str,
    read: impl FnOnce(&Doc<'_>, &Node<'_>) -> Option<T>,
) -> String {
    let (value, problems) = document(&Source::new(file, text), read);
    assert_eq!(value.is_some(), !problems.has_errors(), "a value comes exactly when there is no error");
    if value.is_some() {
        accepts_what_was_read::<T>(text);
    }
    if problems.is_empty() { "sound".to_owned() } else { drawn(&problems, &[(file, text), other]) }
}

/// What `read` makes of a text that is sound.
pub fn sound<T>(text: &str, read: impl FnOnce(&Doc<'_>, &Node<'_>) -> Option<T>) -> T {
    let (value, problems) = document(&Source::new("x.yaml", text), read);
    let value = value.unwrap_or_else(|| panic!("{}", drawn(&problems, &[("x.yaml", text)])));
    accepts_what_was_read::<T>(text);
    value
}
