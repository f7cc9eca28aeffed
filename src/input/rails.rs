//! Rails of a margin as written: fields fixed or swept, AVT pairs, the fixed settings of recipes. Never judges
//! whether a value is safe.

use super::doc::{Doc, Item};
use super::keys::{Key, Shape};
use super::problem::quote;
use super::sweep::{self, RANGE};
use super::yaml::{Kind, Node};
use crate::domain::margin::{FieldKey, FieldSpec, Pair, RailField, RailShape, RailSpec};
use crate::domain::name::Name;
use crate::domain::place::Placed;
use crate::domain::sweep::Sweep;
use crate::domain::units::{Kilohertz, Microvolts, Quantity};

const VOLTAGES: Shape = Shape::Either(&[Shape::Voltage, Shape::List(&Shape::Voltage), Shape::Fields(RANGE)]);
const FREQUENCIES: Shape = Shape::Either(&[Shape::Frequency, Shape::List(&Shape::Frequency), Shape::Fields(RANGE)]);

/// The keys of a rail, each fixed or swept.
pub const RAIL: &[Key] = &[
    Key::optional("voltage", VOLTAGES, "", "One voltage, a list or a range."),
    Key::optional("frequency", FREQUENCIES, "", "One frequency, a list or a range."),
];

/// The keys of an AVT pair.
pub const PAIR: &[Key] = &[
    Key::required("voltage", Shape::Voltage, "The pair's voltage."),
    Key::required("frequency", Shape::Frequency, "The pair's frequency."),
];

/// The keys of a rail at a fixed point.
pub const SETTING: &[Key] = &[
    Key::optional("voltage", Shape::Voltage, "", "Its voltage."),
    Key::optional("frequency", Shape::Frequency, "", "Its frequency."),
];

/// Reads a map of rails, each with its fields or a list of AVT pairs.
pub fn read(doc: &Doc<'_>, node: &Node<'_>, what: &str) -> Vec<RailSpec> {
    let mut rails = vec![];
    let items =
        doc.items(node, what, || "a map of rails, as in `core: { voltage: 1V }`".to_owned()).unwrap_or_default();
    if items.is_empty() && matches!(&node.kind, Kind::Map(entries) if entries.is_empty()) {
        doc.push(doc.error(node.span, format!("{what} names no rail")));
    }
    for item in items {
        let rail = doc.name_of(item.key, item.span, "a rail");
        let shape = match &item.node.kind {
            Kind::List(_) => pairs(doc, &item).map(RailShape::Pairs),
            _ => fields(doc, &item).map(RailShape::Fields),
        };
        rails.extend(rail.zip(shape).map(|(rail, shape)| RailSpec { rail, shape }));
    }
    rails
}

fn fields(doc: &Doc<'_>, item: &Item<'_, '_>) -> Option<Vec<(RailField, FieldSpec)>> {
    let what = format!("rail {}", quote(item.key));
    if !matches!(item.node.kind, Kind::Map(_)) {
        doc.mismatch(item.node, &what, || "a map of `voltage` and `frequency`, or a list of AVT pairs".to_owned());
        return None;
    }
    let map = doc.fields(item.node, &what, RAIL)?;
    if let Kind::Map(entries) = &item.node.kind
        && entries.is_empty()
    {
        doc.push(doc.error(item.span, format!("{what} has neither voltage nor frequency")));
    }
    // In the order written, which is the default order of the axes.
    let mut written: Vec<(u32, RailField)> =
        RailField::ALL.into_iter().filter_map(|field| Some((map.key_span(field.as_str())?.start, field))).collect();
    written.sort_unstable();
    let list = written.into_iter().filter_map(|(_, field)| {
        let node = map.node(field.as_str())?;
        let what = format!("`{}.{field}`", item.key);
        let spec = match field {
            RailField::Voltage => field_spec::<Microvolts>(doc, node, &what),
            RailField::Frequency => field_spec::<Kilohertz>(doc, node, &what),
        };
        Some((field, spec?))
    });
    Some(list.collect())
}

fn field_spec<Q: Quantity>(doc: &Doc<'_>, node: &Node<'_>, what: &str) -> Option<FieldSpec> {
    let base = |q: Q| i64::try_from(q.base()).unwrap_or(i64::MAX);
    match &node.kind {
        Kind::List(_) => {
            let nodes = doc.full_list(node, what, String::new)?;
            let values: Vec<Placed<Q>> = nodes.iter().filter_map(|node| doc.quantity(node, what)).collect();
            sweep::twice(doc, &values, "each value is one point: more runs of it are a flow's `repeat`");
            let places = values.iter().map(|value| value.place.clone()).collect();
            let sweep = Sweep::List(values.iter().map(|value| base(value.value)).collect());
            (values.len() == nodes.len()).then_some(FieldSpec::Swept { sweep, places })
        }
        Kind::Map(_) => {
            let end = |node: &Node<'_>, what: &str| doc.quantity::<Q>(node, what).map(|q| q.map(base));
            let range = sweep::range(doc, node, what, end, |node, what| doc.signed::<Q>(node, what))?;
            Some(FieldSpec::Swept { sweep: Sweep::Range(range), places: vec![doc.place(doc.spot(node))] })
        }
        _ => doc.quantity::<Q>(node, what).map(|q| FieldSpec::Fixed(q.map(Quantity::base))),
    }
}

fn pairs(doc: &Doc<'_>, item: &Item<'_, '_>) -> Option<Vec<Pair>> {
    let what = format!("rail {}", quote(item.key));
    let nodes = doc.full_list(item.node, &what, String::new)?;
    let mut pairs: Vec<Pair> = vec![];
    for node in nodes {
        let Some(map) = doc.fields(node, &format!("an AVT pair of {what}"), PAIR) else { continue };
        let (Some(voltage), Some(frequency)) = (map.quantity("voltage"), map.quantity("frequency")) else { continue };
        let same = |pair: &&Pair| pair.voltage.value == voltage.value && pair.frequency.value == frequency.value;
        if let Some(before) = pairs.iter().find(same) {
            doc.push(
                doc.error(map.span, "the same pair stands twice").related(before.voltage.place.clone(), "first here"),
            );
        }
        pairs.push(Pair { voltage, frequency });
    }
    (pairs.len() == nodes.len()).then_some(pairs)
}

/// The fixed fields of one rail of a recipe.
pub fn settings(doc: &Doc<'_>, item: &Item<'_, '_>, adapter: Option<&Name>) -> Vec<(FieldKey, Placed<u64>)> {
    let mut settings = vec![];
    let rail = doc.name_of(item.key, item.span, "a rail");
    let Some(map) = doc.fields(item.node, &format!("rail {}", quote(item.key)), SETTING) else { return settings };
    if let Kind::Map(entries) = &item.node.kind
        && entries.is_empty()
    {
        doc.push(doc.error(item.span, format!("rail {} has neither voltage nor frequency", quote(item.key))));
    }
    for field in RailField::ALL {
        if let Some(node) = map.node(field.as_str())
            && matches!(node.kind, Kind::List(_) | Kind::Map(_))
        {
            doc.push(
                doc.error(doc.spot(node), format!("`{}.{field}` is fixed in a recipe: it takes one value", item.key))
                    .help("write a recipe for each point, or sweep under `default`"),
            );
            continue;
        }
        let value = match field {
            RailField::Voltage => map.quantity::<Microvolts>("voltage").map(|q| q.map(Quantity::base)),
            RailField::Frequency => map.quantity::<Kilohertz>("frequency").map(|q| q.map(Quantity::base)),
        };
        if let (Some(rail), Some(value)) = (&rail, value) {
            settings.push((FieldKey { adapter: adapter.cloned(), rail: rail.value.clone(), field }, value));
        }
    }
    settings
}
