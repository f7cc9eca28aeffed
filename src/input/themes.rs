//! The themes there are: those compiled in, overlaid by the workspace's and then by the user's own, parents looked up.
//! A broken theme never takes down any but those that build on it. Never picks one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::catalogue::{Entry, folder, same_names};
use super::problem::{Problems, near, near_or_all, quote};
use super::samples::SAMPLES;
use super::source::{Source, Sources};
use super::theme::{self, Ink, SlotStyle, ThemeDocument, is_six_digits};
use crate::domain::name::Name;
use crate::domain::place::Placed;
use crate::domain::problem::{Problem, Severity};
use crate::domain::theme::{Colour, Ground, Paint, Slot, Theme};

/// Where themes lie, in a workspace and among the samples.
pub const FOLDER: &str = "ui-themes";

/// How many themes may build one on the other.
const DEEPEST: usize = 16;

/// Whose theme it is. A later one replaces those before that have its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// Compiled in.
    BuiltIn,
    /// The workspace's.
    Workspace,
    /// The user's own.
    User,
}

impl Origin {
    /// In one word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BuiltIn => "built-in",
            Self::Workspace => "workspace",
            Self::User => "user",
        }
    }
}

/// One theme, sound or not.
#[derive(Debug, Clone)]
pub struct ThemeEntry {
    /// Its name, or its file's stem where it cannot be read.
    pub name: String,
    /// Whose it is.
    pub origin: Origin,
    /// The file as shown to people.
    pub file: Arc<str>,
    /// Its text, unless it could not be read.
    pub source: Option<Source>,
    /// What it says; nothing when it has an error.
    pub theme: Option<Theme>,
    /// What is wrong with it.
    pub problems: Problems,
}

/// Every theme, by name; of those with one name the last origin's.
#[derive(Debug, Clone, Default)]
pub struct Themes {
    /// Sorted by name. Two files of one folder that share a name are both here, both refused.
    pub entries: Vec<ThemeEntry>,
}

/// A file and whose it is.
struct Read {
    origin: Origin,
    entry: Entry<ThemeDocument>,
}

impl Themes {
    /// Reads the themes of a workspace and those in the user's own folder, which need not be there.
    pub fn read(workspace: &Path, user: Option<&Path>) -> Self {
        let mut all = Layers::default();
        all.add(Origin::BuiltIn, built_in());
        all.add(Origin::Workspace, folder(&workspace.join(FOLDER), FOLDER, false, theme::read));
        if let Some(user) = user {
            // People keep their settings elsewhere and link to them.
            all.add(Origin::User, folder(user, &user.to_string_lossy(), true, theme::read));
        }
        all.themes()
    }

    /// The shipped theme of that name, whatever workspace and user say.
    pub fn shipped(name: &str) -> Option<Theme> {
        let mut all = Layers::default();
        all.add(Origin::BuiltIn, built_in());
        all.themes().find(name).and_then(|entry| entry.theme.clone())
    }

    /// The theme of that name.
    pub fn find(&self, name: &str) -> Option<&ThemeEntry> {
        self.entries.iter().find(|entry| entry.name == name)
    }

    /// What helps whoever asked for a theme that is not there.
    pub fn near_or_all(&self, name: &str) -> String {
        let names: Vec<&str> = self.entries.iter().map(|entry| entry.name.as_str()).collect();
        near_or_all(name, "themes", &names)
    }

    /// The texts of every file.
    pub fn sources(&self) -> Sources {
        let mut sources = Sources::default();
        self.entries.iter().filter_map(|entry| entry.source.clone()).for_each(|source| sources.add(source));
        sources
    }

    /// What is wrong with any of them.
    pub fn problems(&self) -> Problems {
        let mut all = Problems::default();
        self.entries.iter().for_each(|entry| all.extend(entry.problems.clone()));
        all
    }
}

fn built_in() -> Vec<Entry<ThemeDocument>> {
    let of_folder = |path: &str| path.strip_prefix(FOLDER).is_some_and(|rest| rest.starts_with('/'));
    let samples = SAMPLES.iter().filter(|sample| of_folder(sample.path));
    let entry = |(path, content): (&str, &[u8])| {
        let source = Source::new(&format!("built-in/{path}"), &String::from_utf8_lossy(content));
        Entry::of(&PathBuf::from(path), source, theme::read)
    };
    samples.map(|sample| entry((sample.path, sample.content))).collect()
}

/// What was read, the last origin at the end.
#[derive(Default)]
struct Layers {
    read: Vec<Read>,
}

/// A theme with all that its parents say.
#[derive(Clone, Default)]
struct Inherited {
    ground: Option<Ground>,
    palette: BTreeMap<Name, Colour>,
    styles: BTreeMap<Slot, SlotStyle>,
    warnings: Problems,
}

impl Layers {
    fn add(&mut self, origin: Origin, mut entries: Vec<Entry<ThemeDocument>>) {
        same_names(&mut entries, "themes");
        self.read.extend(entries.into_iter().map(|entry| Read { origin, entry }));
    }

    fn themes(self) -> Themes {
        let mut last: BTreeMap<&str, Origin> = BTreeMap::new();
        for read in &self.read {
            last.insert(&read.entry.name, read.origin);
        }
        let mut indices: Vec<usize> = (0..self.read.len()).collect();
        indices.retain(|index| {
            self.read.get(*index).is_some_and(|read| last.get(read.entry.name.as_str()) == Some(&read.origin))
        });
        let resolved: Vec<(usize, Result<Inherited, Problems>)> =
            indices.into_iter().map(|index| (index, self.resolve(index))).collect();
        let mut read: Vec<Option<Read>> = self.read.into_iter().map(Some).collect();
        let mut entries: Vec<ThemeEntry> = resolved
            .into_iter()
            .filter_map(|(index, outcome)| Some(finished(read.get_mut(index)?.take()?, outcome)))
            .collect();
        entries.sort_by(|a, b| (&a.name, &a.file).cmp(&(&b.name, &b.file)));
        Themes { entries }
    }

    /// The parent that `read` names: of its own origin or one before, so that what is added on top changes nothing
    /// below. A theme that names itself builds on the one it replaces.
    fn parent(&self, read: &Read, name: &Name) -> Option<usize> {
        let own = read.entry.name == name.as_str();
        let before = |other: &Read| other.origin < read.origin || (other.origin == read.origin && !own);
        self.read.iter().rposition(|other| other.entry.name == name.as_str() && before(other))
    }

    /// A theme and its parents, the theme itself first.
    fn chain(&self, index: usize) -> Result<Vec<(usize, &ThemeDocument)>, Problems> {
        let mut chain = vec![];
        let mut at = index;
        let mut child: Option<&Placed<Name>> = None;
        loop {
            let read = self.read.get(at);
            let Some((read, document)) = read.and_then(|read| Some((read, read.entry.value.as_ref()?))) else {
                // Its own errors are told already.
                return Err(child.map(|wanted| self.broken(at, wanted).into()).unwrap_or_default());
            };
            chain.push((at, document));
            let Some(wanted) = &document.inherits else { return Ok(chain) };
            let first = chain.get(1).map(|(parent, _)| *parent);
            let parent = self.parent(read, &wanted.value);
            // Only the first parent is named here, the others where they are written.
            child = child.or(Some(wanted));
            let own = child.unwrap_or(wanted);
            at = match (parent, first) {
                (Some(parent), _) if parent == index => return Err(circle(&chain, own).into()),
                (Some(parent), Some(first)) if chain.iter().any(|(passed, _)| *passed == parent) => {
                    return Err(self.broken(first, own).into());
                }
                (Some(_), _) if chain.len() >= DEEPEST => {
                    let message = format!("more than {DEEPEST} themes build one on the other");
                    return Err(Problem::error(own.place.clone(), message).help("take an `inherits` out").into());
                }
                (Some(parent), _) => parent,
                (None, None) => return Err(self.unknown(read, own).into()),
                (None, Some(first)) => return Err(self.broken(first, own).into()),
            };
        }
    }

    /// A theme with all that its parents say.
    fn resolve(&self, index: usize) -> Result<Inherited, Problems> {
        let chain = self.chain(index)?;
        let mut inherited = Inherited::default();
        for (at, document) in chain.iter().rev() {
            match (overlay(inherited, document), chain.first().and_then(|own| own.1.inherits.as_ref())) {
                (Ok(with), _) => inherited = with,
                (Err(_), Some(wanted)) if *at != index => {
                    return Err(self.broken(chain.get(1).map_or(*at, |parent| parent.0), wanted).into());
                }
                (Err(problems), _) => return Err(problems),
            }
        }
        Ok(inherited)
    }

    fn unknown(&self, read: &Read, wanted: &Placed<Name>) -> Problem {
        let name = wanted.value.as_str();
        let names = self.read.iter().filter(|other| other.origin <= read.origin).map(|other| other.entry.name.as_str());
        let mut names: Vec<&str> = names.filter(|name| *name != read.entry.name).collect();
        names.sort_unstable();
        names.dedup();
        let other = if read.entry.name == name { "other " } else { "" };
        Problem::error(wanted.place.clone(), format!("there is no {other}theme {} to build on", quote(name)))
            .help(near_or_all(name, "themes", &names))
    }

    fn broken(&self, parent: usize, wanted: &Placed<Name>) -> Problem {
        let problem =
            Problem::error(wanted.place.clone(), format!("the theme {} has errors", quote(wanted.value.as_str())));
        let Some(Read { entry, .. }) = self.read.get(parent) else { return problem };
        // One that is replaced is in no list, so that its error has to be told here.
        let first = entry.problems.list().iter().find(|problem| problem.severity == Severity::Error);
        problem.help(match first {
            Some(first) => format!("see {}: {}", first.place, first.message),
            None => format!("see {}", entry.file),
        })
    }
}

fn circle(chain: &[(usize, &ThemeDocument)], wanted: &Placed<Name>) -> Problem {
    let names = chain.iter().chain(chain.first()).map(|(_, document)| quote(document.name.as_str()));
    let names: Vec<String> = names.collect();
    Problem::error(wanted.place.clone(), format!("themes build on one another in a circle: {}", names.join(", ")))
        .help("take one `inherits` out")
}

/// Puts a theme over what its parents say, and holds the names in it against the palette.
fn overlay(mut inherited: Inherited, document: &ThemeDocument) -> Result<Inherited, Problems> {
    let mut problems = Problems::default();
    inherited.ground = document.ground.or(inherited.ground);
    inherited.palette.extend(document.palette.iter().map(|(name, colour)| (name.clone(), colour.value)));
    for (slot, style) in &document.styles {
        for ink in [&style.fg, &style.bg].into_iter().flatten() {
            if colour(ink, &inherited.palette).is_none() {
                problems.push(no_colour(ink, &inherited.palette));
            }
        }
        let over = inherited.styles.entry(*slot).or_default();
        let SlotStyle { fg, bg, bold, dim, italic, underline, reverse } = style;
        over.fg = fg.clone().or_else(|| over.fg.take());
        over.bg = bg.clone().or_else(|| over.bg.take());
        over.bold = bold.or(over.bold);
        over.dim = dim.or(over.dim);
        over.italic = italic.or(over.italic);
        over.underline = underline.or(over.underline);
        over.reverse = reverse.or(over.reverse);
    }
    if problems.has_errors() {
        return Err(problems);
    }
    let inks = || inherited.styles.values().flat_map(|style| [&style.fg, &style.bg]).flatten();
    let used: Vec<&Name> = inks().filter_map(|ink| ink.name.as_ref()).collect();
    for (name, colour) in document.palette.iter().filter(|(name, _)| !used.contains(name)) {
        let problem =
            Problem::warning(colour.place.clone(), format!("nothing is painted with {}", quote(name.as_str())));
        problems.push(match near(name.as_str(), used.iter().map(|name| name.as_str())) {
            Some(close) => problem.help(format!("did you mean {}?", quote(close))),
            None => problem,
        });
    }
    inherited.warnings = problems;
    Ok(inherited)
}

fn colour(ink: &Ink, palette: &BTreeMap<Name, Colour>) -> Option<Colour> {
    ink.name.as_ref().and_then(|name| palette.get(name)).copied().or(ink.colour)
}

fn no_colour(ink: &Ink, palette: &BTreeMap<Name, Colour>) -> Problem {
    let name = ink.name.as_ref().map_or("", Name::as_str);
    let problem = Problem::error(ink.place.clone(), format!("no colour {}", quote(name)));
    if is_six_digits(name) {
        return problem.help(format!("write `\"#{name}\"`"));
    }
    let of_palette: Vec<&str> = palette.keys().map(Name::as_str).collect();
    match near(name, of_palette.iter().copied().chain(Colour::NAMES)) {
        Some(close) => problem.help(format!("did you mean {}?", quote(close))),
        None if of_palette.is_empty() => problem.help("the theme has no palette, and it is none of the sixteen"),
        None => problem.help(near_or_all(name, "colours of the palette", &of_palette)),
    }
}

fn finished(read: Read, outcome: Result<Inherited, Problems>) -> ThemeEntry {
    let Read { origin, entry } = read;
    let mut problems = entry.problems;
    let theme = match (outcome, entry.value) {
        (Ok(inherited), Some(document)) => {
            problems.extend(inherited.warnings.clone());
            Some(painted(&document, &inherited))
        }
        (Err(found), _) => {
            problems.extend(found);
            None
        }
        (Ok(_), None) => None,
    };
    ThemeEntry { name: entry.name, origin, file: entry.file, source: entry.source, theme, problems }
}

fn painted(document: &ThemeDocument, inherited: &Inherited) -> Theme {
    let ground = inherited.ground.unwrap_or(Ground::Terminal);
    let paint = |style: &SlotStyle| Paint {
        fg: style.fg.as_ref().and_then(|ink| colour(ink, &inherited.palette)),
        bg: style.bg.as_ref().and_then(|ink| colour(ink, &inherited.palette)),
        bold: style.bold.unwrap_or_default(),
        dim: style.dim.unwrap_or_default(),
        italic: style.italic.unwrap_or_default(),
        underline: style.underline.unwrap_or_default(),
        reverse: style.reverse.unwrap_or_default(),
    };
    let text = inherited.styles.get(&Slot::Text).map(paint).unwrap_or_default();
    let of_slot = |slot: Slot| inherited.styles.get(&slot).map_or(text, paint);
    Theme::new(document.name.as_str(), document.description.clone(), ground, of_slot)
}

#[cfg(test)]
mod shipped;
#[cfg(test)]
#[expect(clippy::too_many_lines, reason = "the report on a file with many mistakes is long")]
mod tests;
