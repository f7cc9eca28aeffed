//! Lists and ranges: what a swept field or parameter is written as. Never expands a range.

use std::collections::BTreeMap;
use std::fmt::Display;

use super::doc::Doc;
use super::keys::{Key, Shape};
use super::problem::quote;
use super::yaml::{Kind, Node};
use crate::domain::place::Placed;
use crate::domain::sweep::{Range, RangeError};

/// The keys of a range.
pub const RANGE: &[Key] = &[
    Key::required("from", Shape::Value, "The first value."),
    Key::required("to", Shape::Value, "The end; taken when it falls on a step."),
    Key::required("step", Shape::Value, "From one value to the next; negative when it goes down."),
];

/// Reads `{ from: , to: , step: }` with `end` for both ends and `step` for the step, which give base units.
pub fn range<'s>(
    doc: &Doc<'s>,
    node: &Node<'s>,
    what: &str,
    end: impl Fn(&Node<'s>, &str) -> Option<Placed<i64>>,
    step: impl Fn(&Node<'s>, &str) -> Option<Placed<i64>>,
) -> Option<Range> {
    let fields = doc.fields(node, &format!("the range of {what}"), RANGE)?;
    let from = fields.node("from").and_then(|node| end(node, "`from`"));
    let to = fields.node("to").and_then(|node| end(node, "`to`"));
    let by = fields.node("step").and_then(|node| step(node, "`step`"));
    let (from, to, by) = (from?, to?, by?);
    match Range::new(from.value, to.value, by.value) {
        Ok(range) => Some(range),
        Err(error) => {
            let node = fields.node("step")?;
            let mut problem = doc.error(node.span, error.to_string());
            if error == RangeError::WrongSign
                && let Kind::Scalar { text, .. } = &node.kind
            {
                let turned = text.strip_prefix('-').map_or_else(|| format!("-{text}"), str::to_owned);
                let way = if to.value < from.value { "down" } else { "up" };
                problem = problem.help(format!("from here it goes {way}: write {}", quote(&format!("step: {turned}"))));
            } else {
                problem = problem.help("write one value instead of a range, or a step that arrives");
            }
            doc.push(problem);
            None
        }
    }
}

/// Reports values that a list names twice: each would be measured twice under one name.
pub fn twice<T: Ord + Clone + Display>(doc: &Doc<'_>, values: &[Placed<T>], help: &str) {
    let mut first = BTreeMap::new();
    for value in values {
        if let Some(before) = first.get(&value.value) {
            doc.push(
                crate::domain::problem::Problem::error(
                    value.place.clone(),
                    format!("{} stands twice in this list", quote(&value.value.to_string())),
                )
                .related(Clone::clone(before), "first here")
                .help(help),
            );
        } else {
            first.insert(value.value.clone(), value.place.clone());
        }
    }
}
