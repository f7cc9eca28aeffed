//! Themes as they are written: a palette, and how each slot is painted, before parents are looked up. Never knows
//! which other themes there are; `themes` puts them together.

use std::collections::BTreeMap;

use super::doc::{Doc, Fields};
use super::keys::{Key, Shape};
use super::problem::{near, quote};
use super::yaml::Node;
use crate::domain::name::Name;
use crate::domain::place::{Place, Placed};
use crate::domain::problem::Problem;
use crate::domain::theme::{Colour, Ground, NotAColour, Slot};

/// A colour, or a name of the palette.
const INK: Shape = Shape::Either(&[Shape::Colour, Shape::Name]);

const STYLE: &[Key] = &[
    Key::optional("fg", INK, "", "The ink: a colour, or a name of the palette."),
    Key::optional("bg", INK, "", "The ground behind it, likewise."),
    Key::optional("bold", Shape::Bool, "", "Bold."),
    Key::optional("dim", Shape::Bool, "", "Faint, where the terminal can."),
    Key::optional("italic", Shape::Bool, "", "Italic, where the terminal can."),
    Key::optional("underline", Shape::Bool, "", "Underlined."),
    Key::optional("reverse", Shape::Bool, "", "Ink and ground exchanged."),
];

/// A key for each slot.
const STYLES: [Key; Slot::ALL.len()] = {
    let mut keys = [Key::optional("", Shape::Fields(STYLE), "", ""); Slot::ALL.len()];
    let mut at = 0;
    while at < keys.len() {
        let slot = Slot::ALL[at];
        keys[at] = Key::optional(slot.as_str(), Shape::Fields(STYLE), "", slot.describe());
        at += 1;
    }
    keys
};

const GROUNDS: [&str; 3] = [Ground::Terminal.as_str(), Ground::Dark.as_str(), Ground::Light.as_str()];

/// The keys of a theme.
pub const THEME: &[Key] = &[
    Key::required("name", Shape::Name, "Its name."),
    Key::optional("description", Shape::Text, "", "One line for people."),
    Key::optional("inherits", Shape::Name, "", "Another theme: what is not said here is said there."),
    Key::optional("ground", Shape::Choice(&GROUNDS), "", "For which ground: the terminal's own, dark or light."),
    Key::optional("palette", Shape::Named(&Shape::Colour), "{}", "Names for colours, to be used below."),
    Key::optional("styles", Shape::Fields(&STYLES), "{}", "How each slot is painted; else it is painted as `text`."),
];

/// A theme without its parents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThemeDocument {
    /// Its name.
    pub name: Name,
    /// One line for people.
    pub description: Option<String>,
    /// The theme that says what this one does not.
    pub inherits: Option<Placed<Name>>,
    /// For which ground it is made.
    pub ground: Option<Ground>,
    /// Colours by name.
    pub palette: BTreeMap<Name, Placed<Colour>>,
    /// What is said of slots.
    pub styles: BTreeMap<Slot, SlotStyle>,
}

/// What a theme says of one slot; what it does not say is its parent's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SlotStyle {
    /// The ink.
    pub fg: Option<Ink>,
    /// The ground.
    pub bg: Option<Ink>,
    /// Bold.
    pub bold: Option<bool>,
    /// Faint.
    pub dim: Option<bool>,
    /// Italic.
    pub italic: Option<bool>,
    /// Underlined.
    pub underline: Option<bool>,
    /// Ink and ground exchanged.
    pub reverse: Option<bool>,
}

/// A colour as a style names it. At least one of the two is there; the palette goes first, so that it may have a `red`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ink {
    /// What it is called in a palette.
    pub name: Option<Name>,
    /// What it is without one.
    pub colour: Option<Colour>,
    /// Where it stands.
    pub place: Place,
}

/// Reads a theme.
pub fn read(doc: &Doc<'_>, root: &Node<'_>) -> Option<ThemeDocument> {
    let fields = doc.fields(root, "the theme", THEME)?;
    let description = fields.text("description").map(|text| text.value);
    let name = fields.name("name");
    let inherits = fields.name("inherits");
    let ground = fields.choice("ground");
    let palette = palette(doc, &fields);
    let styles = styles(doc, &fields);
    if fields.key_span("styles").is_none() && fields.key_span("inherits").is_none() {
        doc.push(
            doc.error(fields.span, "the theme paints nothing")
                .help("write `styles`, or `inherits` with the name of another theme"),
        );
    }
    Some(ThemeDocument {
        name: name?.value,
        description,
        inherits,
        ground: ground.and_then(|word| Ground::ALL.into_iter().find(|ground| ground.as_str() == word.value)),
        palette,
        styles,
    })
}

fn palette(doc: &Doc<'_>, fields: &Fields<'_, '_>) -> BTreeMap<Name, Placed<Colour>> {
    let mut palette = BTreeMap::new();
    for item in fields.items("palette") {
        let name = doc.name_of(item.key, item.span, "a colour of the palette");
        if item.key == Colour::DEFAULT {
            let problem = doc.error(item.span, "`default` is always the terminal's own colour");
            doc.push(problem.help("give it another name"));
            continue;
        }
        let what = quote(item.key);
        let Some(text) = doc.text_taking(item.node, &what, || Shape::Colour.words()) else { continue };
        match Colour::parse(&text.value) {
            Ok(colour) => {
                if let Some(name) = name {
                    palette.insert(name.value, Placed::new(colour, text.place));
                }
            }
            Err(error) => {
                doc.push(not_a_colour(doc, item.node, (&what, &Shape::Colour.words()), &text.value, error));
            }
        }
    }
    palette
}

fn not_a_colour(doc: &Doc<'_>, node: &Node<'_>, (what, takes): (&str, &str), text: &str, error: NotAColour) -> Problem {
    let problem = doc.error(node.span, format!("{what} takes {takes}, not {}", quote(text)));
    match (error, near(text, Colour::NAMES)) {
        (NotAColour::Word, _) if is_six_digits(text) => problem.help(format!("write `\"#{text}\"`")),
        (NotAColour::Word, Some(close)) => problem.help(format!("did you mean {}?", quote(close))),
        (NotAColour::Word, None) => problem,
        _ => problem.help(error.to_string()),
    }
}

/// What has only lost its `#`.
pub(super) fn is_six_digits(text: &str) -> bool {
    text.len() == 6 && text.bytes().all(|digit| digit.is_ascii_hexdigit())
}

fn styles(doc: &Doc<'_>, fields: &Fields<'_, '_>) -> BTreeMap<Slot, SlotStyle> {
    let slots = fields.node("styles").and_then(|node| doc.fields(node, "`styles`", &STYLES));
    let Some(slots) = slots else { return BTreeMap::new() };
    let read = |slot: &Slot| {
        let node = slots.node(slot.as_str())?;
        let style = doc.fields(node, &format!("the style of `{}`", slot.as_str()), STYLE)?;
        let flag = |name: &str| style.boolean(name).map(|flag| flag.value);
        let ink = |name: &str| style.node(name).and_then(|node| ink(doc, node, name));
        let style = SlotStyle {
            fg: ink("fg"),
            bg: ink("bg"),
            bold: flag("bold"),
            dim: flag("dim"),
            italic: flag("italic"),
            underline: flag("underline"),
            reverse: flag("reverse"),
        };
        Some((*slot, style))
    };
    Slot::ALL.iter().filter_map(read).collect()
}

fn takes() -> String {
    format!("{}, or a name of the palette", Shape::Colour.words())
}

/// Whether the palette has the name is seen when parents are known.
fn ink(doc: &Doc<'_>, node: &Node<'_>, key: &str) -> Option<Ink> {
    let what = format!("`{key}`");
    let text = doc.text_taking(node, &what, takes)?;
    let (name, colour) = (Name::new(&text.value).ok(), Colour::parse(&text.value));
    match (&name, colour) {
        (None, Err(error)) => {
            doc.push(not_a_colour(doc, node, (&what, &takes()), &text.value, error));
            None
        }
        (_, colour) => Some(Ink {
            // `default` is never a palette's.
            name: name.filter(|name| name.as_str() != Colour::DEFAULT),
            colour: colour.ok(),
            place: text.place,
        }),
    }
}

#[cfg(test)]
#[expect(clippy::too_many_lines, reason = "the report on a file with many mistakes is long")]
mod tests;
