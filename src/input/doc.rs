//! Reading values out of a document's tree: each with its place, each error kept rather than stopping at the
//! first. Never knows which documents there are.

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::keys::{Key, Shape};
use super::problem::{Problems, near, quote, quoted_list};
use super::source::Source;
use super::yaml::{COMMENT, Kind, Node, Span};
use crate::domain::name::Name;
use crate::domain::param::Decimal;
use crate::domain::place::{Place, Placed};
use crate::domain::problem::Problem;
use crate::domain::units::{Quantity, QuantityError, parse_signed};

/// A document being read: its text, and what was found wrong so far.
#[derive(Debug)]
pub struct Doc<'s> {
    /// The text.
    pub source: &'s Source,
    problems: RefCell<Problems>,
}

/// A key of a map with free keys.
#[derive(Debug, Clone, Copy)]
pub struct Item<'d, 's> {
    /// The key's text.
    pub key: &'d str,
    /// Where the key stands.
    pub span: Span,
    /// What stands after it.
    pub node: &'d Node<'s>,
}

impl<'s> Doc<'s> {
    /// Begins to read `source`.
    pub fn new(source: &'s Source) -> Self {
        Self { source, problems: RefCell::default() }
    }

    /// What was found wrong.
    pub fn into_problems(self) -> Problems {
        self.problems.into_inner()
    }

    /// Keeps a problem.
    pub fn push(&self, problem: Problem) {
        self.problems.borrow_mut().push(problem);
    }

    /// How many errors there are so far: a value is good when reading it added none.
    pub fn errors(&self) -> usize {
        self.problems.borrow().errors()
    }

    /// A span as people see it.
    pub fn place(&self, span: Span) -> Place {
        let text = span.slice(&self.source.text);
        let len = text.lines().next().map_or(1, |line| line.chars().count().max(1));
        Place::new(self.source.shown.clone(), span.line, span.column, u32::try_from(len).unwrap_or(u32::MAX))
    }

    /// An error at a span, still to be pushed.
    pub fn error(&self, span: Span, message: impl Into<String>) -> Problem {
        Problem::error(self.place(span), message)
    }

    /// A value together with its place.
    pub fn placed<T>(&self, span: Span, value: T) -> Placed<T> {
        Placed::new(value, self.place(span))
    }

    /// Says that `what` takes something else.
    pub fn mismatch(&self, node: &Node<'s>, what: &str, takes: impl FnOnce() -> String) {
        let label = match &node.kind {
            Kind::Map(_) => "this is a map",
            Kind::List(_) => "this is a list",
            Kind::Null => return self.nothing(node.span, what),
            Kind::Scalar { quoted: true, .. } => "this is quoted text",
            Kind::Scalar { .. } => "not this",
        };
        self.push(self.error(node.span, format!("{what} takes {}", takes())).label(label));
    }

    fn nothing(&self, span: Span, what: &str) {
        let line = self.source.line(span.line).unwrap_or_default();
        let hidden =
            line.split_once(": #").is_some_and(|(_, behind)| behind.starts_with(|c: char| c.is_alphanumeric()));
        let help = if hidden { COMMENT } else { "write a value, or take the key out" };
        self.push(self.error(span, format!("{what} has nothing after it")).help(help));
    }

    /// The text of a scalar as written, and whether it was quoted.
    fn scalar<'d>(&self, node: &'d Node<'s>, what: &str, takes: impl FnOnce() -> String) -> Option<(&'d str, bool)> {
        if let Kind::Scalar { text, quoted } = &node.kind {
            return Some((text.as_ref(), *quoted));
        }
        self.mismatch(node, what, takes);
        None
    }

    /// Text, quoted or not. Without NUL; newlines only where `lines` allows them.
    pub fn text(&self, node: &Node<'s>, what: &str) -> Option<Placed<String>> {
        self.text_taking(node, what, || Shape::Text.words())
    }

    /// As [`Doc::text`], for text that is still to be read as something else.
    pub fn text_taking(&self, node: &Node<'s>, what: &str, takes: impl FnOnce() -> String) -> Option<Placed<String>> {
        let (text, _) = self.scalar(node, what, takes)?;
        if text.contains('\0') {
            self.push(self.error(node.span, format!("{what} holds a NUL")));
            return None;
        }
        Some(self.placed(node.span, text.to_owned()))
    }

    /// A name.
    pub fn name(&self, node: &Node<'s>, what: &str) -> Option<Placed<Name>> {
        let (text, _) = self.scalar(node, what, || Shape::Name.words())?;
        self.name_of(text, node.span, what)
    }

    /// A name from text that stands at `span`, such as a key.
    pub fn name_of(&self, text: &str, span: Span, what: &str) -> Option<Placed<Name>> {
        match Name::new(text) {
            Ok(name) => Some(self.placed(span, name)),
            Err(e) => {
                let mut problem = self.error(span, format!("{what} is {}: {e}", quote(text)));
                let fixed: String = text
                    .to_lowercase()
                    .chars()
                    .map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' })
                    .collect();
                let fixed = fixed.trim_start_matches(['_', '-']);
                if Name::new(fixed).is_ok() {
                    problem = problem.help(format!("{} would be one", quote(fixed)));
                }
                self.push(problem);
                None
            }
        }
    }

    /// A whole number within `min` and `max`.
    pub fn int(&self, node: &Node<'s>, what: &str, min: i64, max: i64) -> Option<Placed<i64>> {
        let takes = || Shape::Int(min, max).words();
        let (text, quoted) = self.scalar(node, what, takes)?;
        let digits = text.strip_prefix('-').unwrap_or(text);
        let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        match text.parse::<i64>() {
            Ok(value) if !quoted && plain && (min..=max).contains(&value) => Some(self.placed(node.span, value)),
            _ => {
                let mut problem =
                    self.error(node.span, format!("{what} takes {}, not {}", takes(), written(text, quoted)));
                if quoted && plain {
                    problem = problem.help(format!("write {text} without quotes"));
                }
                self.push(problem);
                None
            }
        }
    }

    /// An exact decimal number.
    pub fn number(&self, node: &Node<'s>, what: &str) -> Option<Placed<Decimal>> {
        let takes = || Shape::Number.words();
        let (text, quoted) = self.scalar(node, what, takes)?;
        match Decimal::parse(text) {
            Some(value) if !quoted => Some(self.placed(node.span, value)),
            _ => {
                self.push(
                    self.error(node.span, format!("{what} takes {}, not {}", takes(), written(text, quoted)))
                        .help("write a plain decimal number of at most 15 digits, as in `-1.25`"),
                );
                None
            }
        }
    }

    /// `true` or `false`, nothing else.
    pub fn boolean(&self, node: &Node<'s>, what: &str) -> Option<Placed<bool>> {
        let takes = || Shape::Bool.words();
        match self.scalar(node, what, takes)? {
            ("true", false) => Some(self.placed(node.span, true)),
            ("false", false) => Some(self.placed(node.span, false)),
            (text, quoted) => {
                let mut problem =
                    self.error(node.span, format!("{what} takes {}, not {}", takes(), written(text, quoted)));
                if let Some(meant) = truth(text) {
                    problem = problem.help(format!("write `{meant}`"));
                }
                self.push(problem);
                None
            }
        }
    }

    /// One of `words`.
    pub fn choice<'w>(&self, node: &Node<'s>, what: &str, words: &[&'w str]) -> Option<Placed<&'w str>> {
        let takes = || format!("one of {}", quoted_list(words.iter().copied()));
        let (text, _) = self.scalar(node, what, takes)?;
        if let Some(word) = words.iter().find(|word| **word == text) {
            return Some(self.placed(node.span, word));
        }
        let mut problem = self.error(node.span, format!("{what} takes {}, not {}", takes(), quote(text)));
        if let Some(close) = near(text, words.iter().copied()) {
            problem = problem.help(format!("did you mean {}?", quote(close)));
        }
        self.push(problem);
        None
    }

    /// A quantity with its unit, never negative.
    pub fn quantity<Q: Quantity>(&self, node: &Node<'s>, what: &str) -> Option<Placed<Q>> {
        let (text, _) = self.scalar(node, what, quantity_words::<Q>)?;
        self.judged::<Q, _>(node, what, text, Q::parse(text))
    }

    /// A quantity with its unit that may be negative, in base units.
    pub fn signed<Q: Quantity>(&self, node: &Node<'s>, what: &str) -> Option<Placed<i64>> {
        let (text, _) = self.scalar(node, what, quantity_words::<Q>)?;
        self.judged::<Q, _>(node, what, text, parse_signed::<Q>(text))
    }

    fn judged<Q: Quantity, T>(
        &self,
        node: &Node<'s>,
        what: &str,
        text: &str,
        read: Result<T, QuantityError>,
    ) -> Option<Placed<T>> {
        let error = match read {
            Ok(value) => return Some(self.placed(node.span, value)),
            Err(error) => error,
        };
        let exponent = text.to_lowercase().replace(|c: char| c.is_ascii_digit(), "").starts_with('e');
        let (message, help) = match &error {
            QuantityError::NoUnit { .. } => {
                let with = Q::UNITS.iter().take(3).map(|(unit, _)| quote(&format!("{}{unit}", text.trim())));
                (format!("{what}: {error}"), Some(format!("write {}", with.collect::<Vec<_>>().join(" or "))))
            }
            QuantityError::WrongUnit { .. } if exponent => {
                (format!("{what}: {} has an exponent", quote(text)), Some("write the number out".to_owned()))
            }
            QuantityError::NotANumber { .. } => (
                format!("{what}: {} is not a number with a unit", quote(text)),
                Some(format!("write {}", quantity_words::<Q>())),
            ),
            _ => (format!("{what}: {error}"), None),
        };
        let problem = self.error(node.span, message);
        self.push(match help {
            Some(help) => problem.help(help),
            None => problem,
        });
        None
    }

    /// The items of a list; `what` must have at least one unless `empty` allows none.
    pub fn list<'d>(&self, node: &'d Node<'s>, what: &str, takes: impl FnOnce() -> String) -> Option<&'d [Node<'s>]> {
        let Kind::List(items) = &node.kind else {
            self.mismatch(node, what, takes);
            return None;
        };
        Some(items)
    }

    /// As [`Doc::list`], and never empty.
    pub fn full_list<'d>(
        &self,
        node: &'d Node<'s>,
        what: &str,
        takes: impl FnOnce() -> String,
    ) -> Option<&'d [Node<'s>]> {
        let items = self.list(node, what, takes)?;
        if items.is_empty() {
            self.push(self.error(node.span, format!("{what} is empty: it needs at least one")));
            return None;
        }
        Some(items)
    }

    /// The entries of a map with free keys, in the order written: duplicates, `<<` and keys with nothing
    /// after them are reported and left out.
    pub fn items<'d>(
        &self,
        node: &'d Node<'s>,
        what: &str,
        takes: impl FnOnce() -> String,
    ) -> Option<Vec<Item<'d, 's>>> {
        let Kind::Map(entries) = &node.kind else {
            self.mismatch(node, what, takes);
            return None;
        };
        let mut first: BTreeMap<&str, Span> = BTreeMap::new();
        let mut items = Vec::with_capacity(entries.len());
        for entry in entries {
            let Kind::Scalar { text, .. } = &entry.key.kind else {
                self.push(self.error(entry.key.span, "a key is a plain word"));
                continue;
            };
            let span = entry.key.span;
            if text == "<<" {
                self.push(self.error(span, "merge keys are not read").help("write the keys out"));
                continue;
            }
            if let Some(before) = first.insert(text, span) {
                self.push(
                    self.error(span, format!("the key {} stands twice", quote(text)))
                        .label("again")
                        .related(self.place(before), "first here"),
                );
                continue;
            }
            items.push(Item { key: text, span, node: &entry.value });
        }
        Some(items)
    }

    /// A map with known keys. Reports unknown, duplicate and empty keys, and required ones that are missing.
    pub fn fields<'d>(&'d self, node: &'d Node<'s>, what: &str, keys: &'static [Key]) -> Option<Fields<'d, 's>> {
        let mut found = Vec::new();
        for item in self.items(node, what, || Shape::Fields(keys).words())? {
            let Some(key) = keys.iter().find(|key| key.name == item.key) else {
                let names = || keys.iter().map(|key| key.name);
                let problem = self.error(item.span, format!("unknown key {} in {what}", quote(item.key)));
                self.push(match near(item.key, names()) {
                    Some(close) => problem.help(format!("did you mean {}?", quote(close))),
                    None => problem.help(format!("keys here: {}", quoted_list(names()))),
                });
                continue;
            };
            found.push((key, item));
        }
        let span = self.spot(node);
        for key in keys.iter().filter(|key| key.required) {
            if !found.iter().any(|(k, _)| k.name == key.name) {
                self.push(self.error(span, format!("{what} has no `{}`", key.name)).help(format!(
                    "`{}` takes {}",
                    key.name,
                    key.shape.words()
                )));
            }
        }
        found.retain(|(key, item)| {
            let empty = item.node.kind == Kind::Null && !allows_null(key.shape);
            if empty {
                self.nothing(item.span, &format!("`{}`", key.name));
            }
            !empty
        });
        Some(Fields { doc: self, found, span })
    }

    /// Where to point for a map or list as a whole: at its first key rather than at nothing.
    pub fn spot(&self, node: &Node<'s>) -> Span {
        match &node.kind {
            Kind::Map(entries) if node.span.len == 0 => entries.first().map_or(node.span, |entry| entry.key.span),
            _ => node.span,
        }
    }
}

fn allows_null(shape: Shape) -> bool {
    match shape {
        Shape::Null => true,
        Shape::Either(shapes) => shapes.iter().any(|shape| allows_null(*shape)),
        _ => false,
    }
}

/// A scalar as it was written: quotes make a difference.
fn written(text: &str, quoted: bool) -> String {
    if quoted { quote(&format!("\"{text}\"")) } else { quote(text) }
}

fn quantity_words<Q: Quantity>() -> String {
    let unit = Q::UNITS.first().map_or("", |unit| unit.0);
    let number = if unit == "C" { 95 } else { 850 };
    format!("a {} with its unit, as in `{number}{unit}`", Q::KIND)
}

fn truth(text: &str) -> Option<bool> {
    match text.to_lowercase().as_str() {
        "true" | "yes" | "on" | "y" | "1" => Some(true),
        "false" | "no" | "off" | "n" | "0" => Some(false),
        _ => None,
    }
}

/// A map whose keys were checked against a table.
#[derive(Debug)]
pub struct Fields<'d, 's> {
    doc: &'d Doc<'s>,
    found: Vec<(&'static Key, Item<'d, 's>)>,
    /// Where the map begins.
    pub span: Span,
}

impl<'d, 's> Fields<'d, 's> {
    /// What stands after a key; nothing where it is absent or was refused.
    pub fn node(&self, name: &str) -> Option<&'d Node<'s>> {
        self.found.iter().find(|(key, _)| key.name == name).map(|(_, item)| item.node)
    }

    /// Where a key stands.
    pub fn key_span(&self, name: &str) -> Option<Span> {
        self.found.iter().find(|(key, _)| key.name == name).map(|(_, item)| item.span)
    }

    /// Whether the key was written.
    pub fn has(&self, name: &str) -> bool {
        self.node(name).is_some()
    }

    fn entry(&self, name: &str) -> Option<(&'static Key, &'d Node<'s>)> {
        self.found.iter().find(|(key, _)| key.name == name).map(|(key, item)| (*key, item.node))
    }

    /// What the key's value takes, in words.
    pub fn takes(&self, name: &str) -> String {
        self.entry(name).map_or_else(String::new, |(key, _)| key.shape.words())
    }

    /// Text.
    pub fn text(&self, name: &str) -> Option<Placed<String>> {
        self.doc.text(self.node(name)?, &format!("`{name}`"))
    }

    /// A name.
    pub fn name(&self, name: &str) -> Option<Placed<Name>> {
        self.doc.name(self.node(name)?, &format!("`{name}`"))
    }

    /// A whole number within the range that the key's table gives.
    pub fn int(&self, name: &str) -> Option<Placed<i64>> {
        let (key, node) = self.entry(name)?;
        let (min, max) = match key.shape {
            Shape::Int(min, max) => (min, max),
            _ => (i64::MIN, i64::MAX),
        };
        self.doc.int(node, &format!("`{name}`"), min, max)
    }

    /// As [`Fields::int`], for what fits 32 bits by its table.
    pub fn count(&self, name: &str) -> Option<Placed<u32>> {
        let value = self.int(name)?;
        let narrow = u32::try_from(value.value).unwrap_or(u32::MAX);
        Some(value.map(|_| narrow))
    }

    /// `true` or `false`.
    pub fn boolean(&self, name: &str) -> Option<Placed<bool>> {
        self.doc.boolean(self.node(name)?, &format!("`{name}`"))
    }

    /// One of the words of the key's table.
    pub fn choice(&self, name: &str) -> Option<Placed<&'static str>> {
        let (key, node) = self.entry(name)?;
        match key.shape {
            Shape::Choice(words) => self.doc.choice(node, &format!("`{name}`"), words),
            _ => None,
        }
    }

    /// A quantity.
    pub fn quantity<Q: Quantity>(&self, name: &str) -> Option<Placed<Q>> {
        self.doc.quantity(self.node(name)?, &format!("`{name}`"))
    }

    /// The items of a list, none where the key is absent.
    pub fn list(&self, name: &str) -> &'d [Node<'s>] {
        self.node(name)
            .and_then(|node| self.doc.list(node, &format!("`{name}`"), || self.takes(name)))
            .unwrap_or_default()
    }

    /// The items of a list that must not be empty where the key is written.
    pub fn full_list(&self, name: &str) -> &'d [Node<'s>] {
        self.node(name)
            .and_then(|node| self.doc.full_list(node, &format!("`{name}`"), || self.takes(name)))
            .unwrap_or_default()
    }

    /// The texts of a list.
    pub fn texts(&self, name: &str) -> Vec<Placed<String>> {
        self.list(name).iter().filter_map(|node| self.doc.text(node, &format!("an item of `{name}`"))).collect()
    }

    /// The entries of a map with free keys, none where the key is absent; keys with nothing after them are reported.
    pub fn items(&self, name: &str) -> Vec<Item<'d, 's>> {
        let items = self.node(name).and_then(|node| self.doc.items(node, &format!("`{name}`"), || self.takes(name)));
        items.unwrap_or_default()
    }
}
