//! Margin profiles: rails, what they take, the order of points. Never makes points.

use std::collections::BTreeSet;

use super::doc::{Doc, Fields};
use super::keys::{Key, Shape};
use super::problem::{near_or_all, quote};
use super::rails::{self, PAIR, RAIL, SETTING};
use super::yaml::Node;
use crate::domain::margin::{
    FieldKey, FieldSpec, Jitter, MarginProfile, Nominal, Order, RailField, RailShape, RailSpec, Recipe, StopAfter,
    StopLine,
};
use crate::domain::name::Name;
use crate::domain::place::Placed;
use crate::domain::units::{Kilohertz, Microvolts, Millis, Quantity};

const STOP_LINE: &[Key] = &[
    Key::optional("axis", Shape::Text, "the fastest", "The axis along which it counts."),
    Key::optional("after", Shape::Choice(&["crashed", "fail"]), "crashed", "The verdict that ends a line."),
    Key::optional("count", Shape::Int(1, 1_000_000), "1", "So many in a row."),
];

const JITTER: &[Key] = &[
    Key::required("max", Shape::Either(&[Shape::Voltage, Shape::Frequency]), "The largest offset either way."),
    Key::required("step", Shape::Either(&[Shape::Voltage, Shape::Frequency]), "The grid of the offsets."),
];

const RAILS: Shape = Shape::Named(&Shape::Either(&[Shape::Fields(RAIL), Shape::List(&Shape::Fields(PAIR))]));

/// The keys of a margin profile.
pub const MARGIN: &[Key] = &[
    Key::required("name", Shape::Name, "Its name."),
    Key::optional("description", Shape::Text, "", "One line for people."),
    Key::optional("global_seed", Shape::Int(1, 2_147_483_647), "drawn and recorded", "The seed of everything."),
    Key::optional("nominal", Shape::Named(&Shape::Fields(SETTING)), "{}", "The datasheet point of each rail."),
    Key::optional("axes", Shape::List(&Shape::Field), "as written", "The swept fields, slowest first."),
    Key::optional("order", Shape::Choice(&["raster", "snake", "shuffled"]), "raster", "The order of the points."),
    Key::optional("settle", Shape::Duration, "0s", "After a setpoint is applied."),
    Key::optional("stop_line", Shape::Fields(STOP_LINE), "", "When the rest of a line is skipped."),
    Key::optional("default", RAILS, "{}", "Rails that every adapter sees."),
    Key::optional("adapters", Shape::Named(&RAILS), "{}", "Rails, or fields of one, for one adapter."),
    Key::optional("recipes", Shape::List(&Shape::Named(&Shape::Value)), "[]", "Fixed points instead of sweeps."),
    Key::optional("jitter", Shape::Named(&Shape::Fields(JITTER)), "{}", "Uniform offsets."),
];

/// Reads a margin profile.
pub fn read(doc: &Doc<'_>, root: &Node<'_>) -> Option<MarginProfile> {
    let before = doc.errors();
    let fields = doc.fields(root, "the margin", MARGIN)?;
    let name = fields.name("name");
    let default = fields.node("default").map_or(vec![], |node| rails::read(doc, node, "`default`"));
    let mut adapters = vec![];
    for item in fields.items("adapters") {
        let Some(name) = doc.name_of(item.key, item.span, "an adapter") else { continue };
        adapters.push((name, rails::read(doc, item.node, &format!("`adapters.{}`", item.key))));
    }
    let recipes = recipes(doc, &fields);
    if !["default", "adapters", "recipes"].iter().any(|key| fields.key_span(key).is_some()) && doc.errors() == before {
        doc.push(
            doc.error(fields.span, "the margin has no point")
                .help("write `default:` with rails, `adapters:` or `recipes:`"),
        );
    }
    let sound = doc.errors() == before;
    let axes = axes_of(&default, &adapters);
    if let (false, Some(axis), Some(span)) = (recipes.is_empty(), axes.first(), fields.key_span("recipes")) {
        doc.push(
            doc.error(span, format!("recipes are instead of sweeps, and {} is swept", quote(axis)))
                .help("fix that field, or write the points as one or the other"),
        );
    }
    let (axis_names, stop_line) = (named_axes(doc, &fields, &axes, sound), stop_line(doc, &fields, &axes, sound));
    let jitter = jitter(doc, &fields, &keys_of(&default, &adapters, &recipes), sound);
    Some(MarginProfile {
        file: doc.source.shown.clone(),
        description: fields.text("description").map(|d| d.value),
        global_seed: fields.count("global_seed").map(|seed| seed.value),
        nominal: nominal(doc, &fields),
        axes: axis_names,
        order: match fields.choice("order").map(|word| word.value) {
            Some("snake") => Order::Snake,
            Some("shuffled") => Order::Shuffled,
            _ => Order::Raster,
        },
        settle: fields.quantity::<Millis>("settle").map_or(Millis(0), |settle| settle.value),
        stop_line,
        default,
        adapters,
        recipes,
        jitter,
        name: name?.value,
    })
}

/// The names of all axes in the order written.
fn axes_of(default: &[RailSpec], adapters: &[(Placed<Name>, Vec<RailSpec>)]) -> Vec<String> {
    let mut axes = vec![];
    each_rail(default, adapters, |prefix, rail| match &rail.shape {
        RailShape::Pairs(_) => axes.push(format!("{prefix}{}", rail.rail.value)),
        RailShape::Fields(list) => axes.extend(
            list.iter()
                .filter(|(_, spec)| matches!(spec, FieldSpec::Swept { .. }))
                .map(|(field, _)| format!("{prefix}{}.{field}", rail.rail.value)),
        ),
    });
    axes
}

/// Every field that the margin sets, swept or not.
fn keys_of(default: &[RailSpec], adapters: &[(Placed<Name>, Vec<RailSpec>)], recipes: &[Recipe]) -> BTreeSet<String> {
    let mut keys = BTreeSet::new();
    each_rail(default, adapters, |prefix, rail| {
        let fields = match &rail.shape {
            RailShape::Pairs(_) => RailField::ALL.to_vec(),
            RailShape::Fields(list) => list.iter().map(|(field, _)| *field).collect(),
        };
        keys.extend(fields.iter().map(|field| format!("{prefix}{}.{field}", rail.rail.value)));
    });
    keys.extend(recipes.iter().flat_map(|recipe| recipe.settings.iter().map(|(key, _)| key.to_string())));
    keys
}

fn each_rail(default: &[RailSpec], adapters: &[(Placed<Name>, Vec<RailSpec>)], mut visit: impl FnMut(&str, &RailSpec)) {
    for rail in default {
        visit("", rail);
    }
    for (adapter, rails) in adapters {
        for rail in rails {
            visit(&format!("{}/", adapter.value), rail);
        }
    }
}

fn named_axes(doc: &Doc<'_>, fields: &Fields<'_, '_>, swept: &[String], sound: bool) -> Option<Vec<Placed<String>>> {
    let node = fields.node("axes")?;
    let mut named: Vec<Placed<String>> = vec![];
    for node in doc.list(node, "`axes`", || fields.takes("axes"))? {
        let Some(axis) = doc.text(node, "an axis") else { continue };
        if let Some(before) = named.iter().find(|n| n.value == axis.value) {
            doc.push(
                doc.error(node.span, format!("axis {} stands twice", quote(&axis.value)))
                    .related(before.place.clone(), "first here"),
            );
        } else if sound {
            unknown_axis(doc, node, &axis.value, swept);
        }
        named.push(axis);
    }
    // With errors in the rails it is not known what is swept.
    for axis in swept.iter().filter(|axis| sound && !named.iter().any(|n| n.value == **axis)) {
        doc.push(
            doc.error(node.span, format!("{} is swept and missing from `axes`", quote(axis)))
                .help("name every swept field once, the slowest first, or leave `axes` out"),
        );
    }
    Some(named)
}

fn unknown_axis(doc: &Doc<'_>, node: &Node<'_>, name: &str, axes: &[String]) {
    if axes.iter().any(|axis| axis == name) {
        return;
    }
    let known: Vec<&str> = axes.iter().map(String::as_str).collect();
    doc.push(doc.error(node.span, format!("nothing is swept that is called {}", quote(name))).help(near_or_all(
        name,
        "swept here",
        &known,
    )));
}

fn stop_line(doc: &Doc<'_>, fields: &Fields<'_, '_>, axes: &[String], sound: bool) -> StopLine {
    let mut stop = StopLine::default();
    let Some(node) = fields.node("stop_line") else { return stop };
    let Some(inner) = doc.fields(node, "`stop_line`", STOP_LINE) else { return stop };
    stop.axis = inner.text("axis");
    if let (Some(axis), Some(node), true) = (&stop.axis, inner.node("axis"), sound) {
        unknown_axis(doc, node, &axis.value, axes);
    }
    if inner.choice("after").is_some_and(|word| word.value == "fail") {
        stop.after = StopAfter::Fail;
    }
    stop.count = inner.count("count").map_or(1, |count| count.value);
    stop
}

fn jitter(
    doc: &Doc<'_>,
    fields: &Fields<'_, '_>,
    keys: &BTreeSet<String>,
    sound: bool,
) -> Vec<(Placed<FieldKey>, Jitter)> {
    let mut list = vec![];
    for item in fields.items("jitter") {
        let key = match item.key.parse::<FieldKey>() {
            Ok(key) => key,
            Err(error) => {
                let known: Vec<&str> = keys.iter().map(String::as_str).collect();
                doc.push(doc.error(item.span, format!("{}: {error}", quote(item.key))).help(near_or_all(
                    item.key,
                    "fields here",
                    &known,
                )));
                continue;
            }
        };
        if sound && !keys.contains(item.key) {
            let known: Vec<&str> = keys.iter().map(String::as_str).collect();
            doc.push(doc.error(item.span, format!("no field {} in this margin", quote(item.key))).help(near_or_all(
                item.key,
                "fields here",
                &known,
            )));
        }
        let Some(inner) = doc.fields(item.node, &format!("the jitter of {}", quote(item.key)), JITTER) else {
            continue;
        };
        let amount = |name: &str| match key.field {
            RailField::Voltage => inner.quantity::<Microvolts>(name).map(|q| q.value.base()),
            RailField::Frequency => inner.quantity::<Kilohertz>(name).map(|q| q.value.base()),
        };
        let (Some(max), Some(step)) = (amount("max"), amount("step")) else { continue };
        let wrong = match (max, step) {
            (_, 0) => Some(("step", "a grid of zero holds nothing")),
            (0, _) => Some(("max", "an offset of at most zero is none: leave it out")),
            (max, step) if step > max => Some(("step", "`step` is above `max`: no offset but zero would be left")),
            _ => None,
        };
        if let Some((name, message)) = wrong
            && let Some(node) = inner.node(name)
        {
            doc.push(doc.error(node.span, message));
        }
        list.push((doc.placed(item.span, key), Jitter { max, step, place: doc.place(item.span) }));
    }
    list
}

fn nominal(doc: &Doc<'_>, fields: &Fields<'_, '_>) -> Vec<(Name, Nominal)> {
    let mut list = vec![];
    for item in fields.items("nominal") {
        let name = doc.name_of(item.key, item.span, "a rail");
        let Some(inner) = doc.fields(item.node, &format!("nominal {}", quote(item.key)), SETTING) else { continue };
        let nominal = Nominal {
            voltage: inner.quantity("voltage").map(|q| q.value),
            frequency: inner.quantity("frequency").map(|q| q.value),
        };
        list.extend(name.map(|name| (name.value, nominal)));
    }
    list
}

fn recipes(doc: &Doc<'_>, fields: &Fields<'_, '_>) -> Vec<Recipe> {
    let mut list: Vec<Recipe> = vec![];
    for node in fields.full_list("recipes") {
        let Some(items) = doc.items(node, "a recipe", || "a map of `name` and rails".to_owned()) else { continue };
        let mut name = None;
        let mut settings = vec![];
        for item in &items {
            match item.key {
                "name" => name = doc.name(item.node, "`name`"),
                "adapters" => {
                    for adapter in
                        doc.items(item.node, "`adapters`", || "a map of adapters".to_owned()).unwrap_or_default()
                    {
                        let Some(named) = doc.name_of(adapter.key, adapter.span, "an adapter") else { continue };
                        let what = format!("`adapters.{}`", adapter.key);
                        for rail in doc.items(adapter.node, &what, || "a map of rails".to_owned()).unwrap_or_default() {
                            settings.extend(rails::settings(doc, &rail, Some(&named.value)));
                        }
                    }
                }
                _ => settings.extend(rails::settings(doc, item, None)),
            }
        }
        let span = doc.spot(node);
        if !items.iter().any(|item| item.key == "name") {
            doc.push(doc.error(span, "the recipe has no `name`"));
        }
        if !items.iter().any(|item| item.key != "name") {
            doc.push(doc.error(span, "the recipe sets nothing").help("write `RAIL: { voltage: … }`"));
        }
        let Some(name) = name else { continue };
        if let Some(before) = list.iter().find(|recipe| recipe.name.value == name.value) {
            doc.push(
                crate::domain::problem::Problem::error(
                    name.place.clone(),
                    format!("two recipes are named {}", quote(name.value.as_str())),
                )
                .related(before.name.place.clone(), "first here"),
            );
        }
        settings.sort_by(|a, b| a.0.cmp(&b.0));
        list.push(Recipe { name, settings });
    }
    list
}

#[cfg(test)]
mod tests;
