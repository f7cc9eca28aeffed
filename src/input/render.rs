//! Draws problems for people: `file:line:column`, the line, a caret, what is wrong and what would be right,
//! with both lines where two files disagree. Never prints, and never lets a file's bytes reach a terminal raw.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use annotate_snippets::{Annotation, AnnotationKind, Element, Group, Level, Origin, Renderer, Snippet};

use super::problem::Problems;
use super::source::Sources;
use crate::domain::place::Place;
use crate::domain::problem::{Problem, Severity};
use crate::domain::sanitize;

/// The most that one file's report may take, in bytes; formats.md promises less than 20 kB.
const REPORT_BYTES: usize = 18_000;
/// How much of a long line is shown around the caret, in characters.
const SHOWN: usize = 120;

/// Draws `problems`, file by file in order of place.
pub fn render(problems: &Problems, sources: &Sources, colour: bool) -> String {
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
    let mut by_file: BTreeMap<&str, Vec<&Problem>> = BTreeMap::new();
    for problem in problems.list() {
        by_file.entry(&problem.place.file).or_default().push(problem);
    }
    let mut out = String::new();
    let mut unshown = problems.dropped();
    for of_file in by_file.values_mut() {
        of_file.sort_by(|a, b| (&a.place, b.severity).cmp(&(&b.place, a.severity)));
        of_file.dedup();
        let mut used = 0;
        for (at, problem) in of_file.iter().enumerate() {
            let drawn = draw(problem, sources, &renderer);
            if used > 0 && used + drawn.len() > REPORT_BYTES {
                unshown += of_file.len() - at;
                break;
            }
            used += drawn.len();
            out.push_str(&drawn);
            out.push_str("\n\n");
        }
    }
    match unshown {
        0 => {}
        1 => out.push_str("and one more\n"),
        n => {
            let _ = writeln!(out, "and {n} more");
        }
    }
    out
}

fn draw(problem: &Problem, sources: &Sources, renderer: &Renderer) -> String {
    let level = match problem.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let mut group = Group::with_title(level.primary_title(sanitize::line(&problem.message)));
    group = group.elements(shown(&problem.place, AnnotationKind::Primary, &problem.label, sources));
    for (place, label) in &problem.related {
        group = group.elements(shown(place, AnnotationKind::Context, label, sources));
    }
    if let Some(help) = &problem.help {
        group = group.element(Level::HELP.message(sanitize::text(help)));
    }
    let mut drawn = renderer.render(&[group]);
    for place in std::iter::once(&problem.place).chain(problem.related.iter().map(|(place, _)| place)) {
        set_column(&mut drawn, place, sources);
    }
    drawn
}

/// The header with the place and the line with its caret.
fn shown<'a>(place: &Place, kind: AnnotationKind, label: &str, sources: &Sources) -> Vec<Element<'a>> {
    let path = sanitize::line(&place.file).into_owned();
    if place.line == 0 {
        return vec![Origin::path(path).into()];
    }
    let Some(line) = sources.find(&place.file).and_then(|source| source.line(place.line)) else {
        return vec![Origin::path(path).line(place.line as usize).char_column(place.column as usize).into()];
    };
    let window = Window::of(line, place);
    let mut annotation: Annotation<'a> = kind.span(window.marked);
    if !label.is_empty() {
        annotation = annotation.label(sanitize::line(label).into_owned());
    }
    vec![Snippet::source(window.text).line_start(place.line as usize).path(path).annotation(annotation).into()]
}

/// A header names the column within the window; people need the one within the line.
fn set_column(drawn: &mut String, place: &Place, sources: &Sources) {
    let Some(line) = sources.find(&place.file).and_then(|source| source.line(place.line)) else { return };
    let window = Window::of(line, place);
    if window.column == place.column {
        return;
    }
    let path = sanitize::line(&place.file);
    let header = format!("{path}:{}:{}", place.line, window.column);
    // The title, which may quote anything, is the first line; headers follow.
    let below = drawn.find('\n').unwrap_or(0);
    if let Some(at) = drawn.get(below..).and_then(|rest| rest.find(&header)) {
        let range = below + at..below + at + header.len();
        drawn.replace_range(range, &format!("{path}:{}:{}", place.line, place.column));
    }
}

/// The part of a line around a place.
struct Window {
    text: String,
    /// The bytes to underline.
    marked: std::ops::Range<usize>,
    /// The column of the place within, from 1.
    column: u32,
}

impl Window {
    fn of(line: &str, place: &Place) -> Self {
        let column = (place.column as usize).saturating_sub(1);
        let len = (place.len as usize).clamp(1, SHOWN / 2);
        let long = line.chars().nth(SHOWN).is_some();
        let first = if long { column.saturating_sub(SHOWN / 3) } else { 0 };
        let mut text = String::new();
        if first > 0 {
            text.push('…');
        }
        let (mut from, mut to) = (None, None);
        for (at, c) in line.chars().enumerate().skip(first) {
            if at == column {
                from = Some(text.len());
            }
            if at == column + len {
                to = Some(text.len());
            }
            if at == first + SHOWN {
                text.push('…');
                break;
            }
            text.push(match c {
                '\t' => ' ',
                c if sanitize::is_hostile(c) => char::REPLACEMENT_CHARACTER,
                c => c,
            });
        }
        let from = from.unwrap_or(text.len());
        let to = to.unwrap_or(text.len()).max(from);
        let cut = u32::try_from(first.saturating_sub(usize::from(first > 0))).unwrap_or(0);
        Self { text, marked: from..to, column: place.column.saturating_sub(cut) }
    }
}

#[cfg(test)]
mod tests {
    use super::super::problem::whole_file;
    use super::super::source::Source;
    use super::*;

    fn place(file: &str, line: u32, column: u32, len: u32) -> Place {
        Place::new(file, line, column, len)
    }

    fn sources() -> Sources {
        let mut sources = Sources::default();
        sources
            .add(Source::new("margins/a.yaml", "name: a\ndefault:\n  core:\n    voltage: { from: 1.2V, to: 850mV }\n"));
        sources.add(Source::new("policy/safety.yaml", "limits:\n  core: { voltage: { min: 700mV, max: 1100mV } }\n"));
        sources.add(Source::new("long.yaml", &format!("{}\u{1b}[2J\tbad{}", "é".repeat(5000), "x".repeat(5000))));
        sources
    }

    #[test]
    fn two_files_in_one_report() {
        let problem =
            Problem::error(place("margins/a.yaml", 4, 22, 4), "1.2V is above the limit of 1100mV for core.voltage")
                .label("1200mV")
                .related(place("policy/safety.yaml", 2, 40, 6), "the limit")
                .help("lower the range, or raise the limit with whoever owns the policy");
        insta::assert_snapshot!(render(&problem.into(), &sources(), false), @r"
        error: 1.2V is above the limit of 1100mV for core.voltage
         --> margins/a.yaml:4:22
          |
        4 |     voltage: { from: 1.2V, to: 850mV }
          |                      ^^^^ 1200mV
          |
         ::: policy/safety.yaml:2:40
          |
        2 |   core: { voltage: { min: 700mV, max: 1100mV } }
          |                                        ------ the limit
          |
          = help: lower the range, or raise the limit with whoever owns the policy
        ");
    }

    #[test]
    fn long_lines_and_control_characters() {
        let problem = Problem::error(place("long.yaml", 1, 5006, 3), "bad\u{1b}[31m");
        insta::assert_snapshot!(render(&problem.into(), &sources(), false), @r"
        error: bad[31m
         --> long.yaml:1:5006
          |
        1 | …ééééééééééééééééééééééééééééééééééé�[2J badxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…
          |                                          ^^^
        ");
    }

    #[test]
    fn a_file_without_a_line_and_a_line_without_a_text() {
        let mut problems = Problems::default();
        problems.push(Problem::error(whole_file("x.yaml"), "not UTF-8"));
        problems.push(Problem::error(place("none.yaml", 3, 1, 1), "a text that nobody kept").help("one\ntwo"));
        problems.push(Problem::warning(place("margins/a.yaml", 5, 1, 1), "past the end"));
        insta::assert_snapshot!(render(&problems, &sources(), false), @r"
        warning: past the end
         --> margins/a.yaml:5:1
          |
        5 |
          | ^

        error: a text that nobody kept
        --> none.yaml:3:1
         = help: one
                 two

        error: not UTF-8
        --> x.yaml
        ");
    }

    #[test]
    fn colour_is_asked_for() {
        let problem = Problem::error(place("margins/a.yaml", 1, 7, 1), "bad");
        assert!(render(&problem.clone().into(), &sources(), true).contains("\u{1b}["));
        assert!(!render(&problem.into(), &sources(), false).contains('\u{1b}'));
    }

    #[test]
    fn a_report_stays_small() {
        let mut problems = Problems::default();
        for at in 0..100_000 {
            problems.push(Problem::error(place("long.yaml", 1, at, 9), format!("problem {at}")));
        }
        let text = render(&problems, &sources(), true);
        assert!(text.len() < 20_000, "{}", text.len());
        assert!(text.trim_end().ends_with("more"), "{text}");
        assert_eq!(problems.errors(), 100_000);
    }
}
