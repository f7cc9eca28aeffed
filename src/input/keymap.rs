//! The user's own keys, `keys.yaml`, over those of a table of actions. Whatever could mean two things, or leave no way
//! out, is refused with its place; the defaults then stay. Never learns what the actions do.

use std::path::Path;

use super::catalogue::document;
use super::doc::{Doc, Item};
use super::keys::{Key, Shape};
use super::problem::{Problems, near, near_or_all, quote, whole_file};
use super::source::{ReadError, Source};
use super::yaml::{Kind, Node};
use crate::domain::chord::{self, Keys, NotKeys};
use crate::domain::keymap::{Bindable, Conflict, Keymap};
use crate::domain::place::{Place, Placed};
use crate::domain::problem::Problem;

/// The file's name, in the user's own folder.
pub const FILE: &str = "keys.yaml";

/// The word for no keys at all.
pub const NONE: &str = "none";

/// What an action may be given.
const BINDING: Shape = Shape::Either(&[Shape::Keys, Shape::List(&Shape::Keys), Shape::Choice(&[NONE])]);

/// The keys of `keys.yaml`.
pub const KEYS: &[Key] = &[
    Key::required("name", Shape::Name, "Its name, `keys`."),
    Key::required("keys", Shape::Named(&BINDING), "Actions with their keys, instead of those they have."),
];

/// What is written for an action.
struct Binding {
    action: usize,
    /// Where the action stands.
    place: Place,
    /// Nothing where it was refused: what would follow from the defaults is then not of interest.
    keys: Option<Vec<Placed<Keys>>>,
}

impl Binding {
    fn keys(&self) -> &[Placed<Keys>] {
        self.keys.as_deref().unwrap_or_default()
    }
}

/// Reads keys over those of a table.
pub fn read(doc: &Doc<'_>, root: &Node<'_>, table: &[Bindable]) -> Option<Keymap> {
    let before = doc.errors();
    let fields = doc.fields(root, "the file", KEYS)?;
    fields.name("name");
    let bindings: Vec<Binding> = fields.items("keys").iter().filter_map(|item| binding(doc, item, table)).collect();
    let overrides: Vec<(usize, Vec<Keys>)> =
        bindings.iter().map(|of| (of.action, of.keys().iter().map(|keys| keys.value).collect())).collect();
    match Keymap::with(table, &overrides) {
        Ok(map) => Some(map).filter(|_| doc.errors() == before),
        Err(conflicts) => {
            let refused = |action: usize| bindings.iter().any(|of| of.action == action && of.keys.is_none());
            let follows =
                |conflict: &Conflict| matches!(conflict, Conflict::Unreachable { action } if refused(*action));
            for conflict in conflicts.iter().filter(|conflict| !follows(conflict)) {
                doc.push(told(doc, table, &bindings, conflict));
            }
            None
        }
    }
}

/// The keymap of a file. One that is not there is the defaults. Without a map there is an error among the problems.
pub fn load(path: &Path, table: &[Bindable]) -> (Option<Keymap>, Problems, Option<Source>) {
    let shown = path.to_string_lossy();
    match Source::read(path, &shown) {
        Ok(source) => {
            let (map, problems) = document(&source, |doc, root| read(doc, root, table));
            (map, problems, Some(source))
        }
        Err(ReadError::Io(error)) if error.kind() == std::io::ErrorKind::NotFound => match Keymap::defaults(table) {
            Ok(map) => (Some(map), Problems::default(), None),
            Err(conflict) => {
                let message = format!("the keys that are built in cannot be used: {}", in_words(table, &conflict));
                (None, Problem::error(whole_file(&shown), message).into(), None)
            }
        },
        Err(error) => (None, Problem::error(whole_file(&shown), error.to_string()).into(), None),
    }
}

/// What is written for one action, unless there is none of that name.
fn binding(doc: &Doc<'_>, item: &Item<'_, '_>, table: &[Bindable]) -> Option<Binding> {
    let what = quote(item.key);
    let found = table.iter().position(|bindable| bindable.name == item.key);
    if found.is_none() {
        let names: Vec<&str> = table.iter().map(|bindable| bindable.name).collect();
        let problem = doc.error(item.span, format!("there is no action {what}"));
        doc.push(problem.help(near_or_all(item.key, "actions", &names)));
    }
    let keys = bound(doc, item, &what);
    Some(Binding { action: found?, place: doc.place(item.span), keys })
}

/// The keys of one action; nothing where they are refused.
fn bound(doc: &Doc<'_>, item: &Item<'_, '_>, what: &str) -> Option<Vec<Placed<Keys>>> {
    Some(match &item.node.kind {
        Kind::Null => {
            let problem = doc.error(item.span, format!("{what} has nothing after it"));
            doc.push(problem.help(some_or_none()));
            return None;
        }
        Kind::Scalar { text, .. } if text == NONE => vec![],
        Kind::List(_) => {
            let items = doc.full_list(item.node, what, || BINDING.words())?;
            let mut all: Vec<Placed<Keys>> = vec![];
            for node in items {
                let keys = keys(doc, node, &format!("an item of {what}"))?;
                if let Some(before) = all.iter().find(|other| other.value == keys.value) {
                    let problem = doc.error(node.span, format!("{} stands twice", quote(&keys.value.to_string())));
                    doc.push(problem.label("again").related(before.place.clone(), "first here"));
                } else {
                    all.push(keys);
                }
            }
            all
        }
        _ => vec![keys(doc, item.node, what)?],
    })
}

fn some_or_none() -> String {
    format!("write its keys, or `{NONE}` for none at all")
}

fn keys(doc: &Doc<'_>, node: &Node<'_>, what: &str) -> Option<Placed<Keys>> {
    let text = doc.text_taking(node, what, || Shape::Keys.words())?;
    match text.value.parse() {
        Ok(keys) => Some(Placed::new(keys, text.place)),
        Err(error) => {
            let problem =
                doc.error(node.span, format!("{what} takes {}, not {}", Shape::Keys.words(), quote(&text.value)));
            let names = chord::Key::NAMED.map(|(name, _)| name);
            if text.value.is_empty() {
                doc.push(problem.help(some_or_none()));
                return None;
            }
            let meant = match &error {
                NotKeys::Unknown(word) => near(word, names.into_iter().chain([NONE])),
                NotKeys::Blank | NotKeys::Long => None,
            };
            doc.push(problem.help(match meant {
                Some(close) => format!("did you mean {}?", quote(close)),
                None => error.to_string(),
            }));
            None
        }
    }
}

/// A conflict at the places where it is written, as far as it is.
fn told(doc: &Doc<'_>, table: &[Bindable], bindings: &[Binding], conflict: &Conflict) -> Problem {
    let of = |action: usize| bindings.iter().find(|binding| binding.action == action);
    let written = |action: usize, keys: &Keys| {
        of(action)?.keys().iter().find(|placed| placed.value == *keys).map(|placed| placed.place.clone())
    };
    let at = |place: Option<Place>| place.unwrap_or_else(|| Place::start_of(doc.source.shown.clone()));
    let message = in_words(table, conflict);
    match conflict {
        Conflict::Unreachable { action } => {
            Problem::error(at(of(*action).map(|binding| binding.place.clone())), message)
                .help(format!("without {} nobody could go on or leave: give it a key", quote(name(table, *action))))
        }
        Conflict::Unreadable { .. } => Problem::error(at(None), message),
        Conflict::Clash { one, keys, other, others } => {
            let default = |action: usize| {
                let named = quote(name(table, action));
                format!("this is a default of {named}: give {named} other keys, or choose others here")
            };
            match (written(*one, keys), written(*other, others)) {
                (Some(first), Some(second)) => {
                    let (late, early) = if first < second { (second, first) } else { (first, second) };
                    Problem::error(late, message).related(early, "and here").help("change one of them")
                }
                (Some(first), None) => Problem::error(first, message).help(default(*other)),
                (None, second) => Problem::error(at(second), message).help(default(*one)),
            }
        }
    }
}

fn name(table: &[Bindable], action: usize) -> &'static str {
    table.get(action).map_or("", |bindable| bindable.name)
}

fn in_words(table: &[Bindable], conflict: &Conflict) -> String {
    let action = |index: usize| quote(name(table, index));
    match conflict {
        Conflict::Unreachable { action: index } => format!("{} is left without keys", action(*index)),
        Conflict::Unreadable { action: index, keys } => {
            format!("{} has keys that cannot be read, {}", action(*index), quote(keys))
        }
        Conflict::Clash { one, keys, other, others } if keys == others => {
            format!("{} would do both {} and {}", quote(&keys.to_string()), action(*one), action(*other))
        }
        Conflict::Clash { one, keys, other, others } => {
            // The longer one can never be typed.
            let ((short, by), (long, of)) =
                if keys.then.is_none() { ((keys, one), (others, other)) } else { ((others, other), (keys, one)) };
            format!(
                "{} of {} begins {} of {}, which could never be typed",
                quote(&short.to_string()),
                action(*by),
                quote(&long.to_string()),
                action(*of)
            )
        }
    }
}

#[cfg(test)]
mod tests;
