//! Margin profiles: the list with axes and points, and the validation of one against the policy. Expands no sweep.

mod within;

pub use within::{Within, within};

use serde::Serialize;

use crate::commands::context::Context;
use crate::commands::failure::Failure;
use crate::commands::inspect::Listing;
use crate::commands::plan;
use crate::domain::margin::{FieldKey, FieldSpec, MarginProfile, Order, RailField, RailShape, RailSpec};
use crate::domain::name::Name;
use crate::domain::place::Place;
use crate::domain::policy::BoundsInForce;
use crate::domain::problem::Problem;
use crate::domain::sweep::Sweep;
use crate::host::collect;
use crate::input::catalogue::{Catalogue, Entry};
use crate::input::problem::Problems;
use crate::input::source::Sources;

/// A margin profile in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MarginRow {
    /// Its name, or its file's stem where it cannot be read.
    pub name: String,
    /// The file, as shown.
    pub file: String,
    /// One line for people.
    pub description: Option<String>,
    /// What is swept, slowest first.
    pub axes: Vec<AxisRow>,
    /// Points with every adapter's axes; a flow that lacks an adapter has fewer.
    pub points: u128,
    /// In which order they are visited.
    pub order: Option<Order>,
    /// The profile's own seed.
    pub global_seed: Option<u32>,
    /// Errors in its file; with any it cannot be used, and the rest is empty.
    pub errors: usize,
}

/// An axis in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AxisRow {
    /// `core.voltage`, `mem_pattern/mem.voltage`, `core` for pairs, `recipe`.
    pub name: String,
    /// Values on it.
    pub values: u64,
    /// The first, for people.
    pub from: String,
    /// The last, for people.
    pub to: String,
}

impl MarginRow {
    /// The row of one file.
    pub fn new(entry: &Entry<MarginProfile>) -> Self {
        let margin = entry.value.as_ref();
        let axes = margin.map(axes).unwrap_or_default();
        let product = axes.iter().map(|axis| u128::from(axis.values)).fold(1, u128::saturating_mul);
        Self {
            name: entry.name.clone(),
            file: entry.file.to_string(),
            description: margin.and_then(|m| m.description.clone()),
            points: if margin.is_some() { product } else { 0 },
            order: margin.map(|m| m.order),
            global_seed: margin.and_then(|m| m.global_seed),
            errors: entry.problems.errors(),
            axes,
        }
    }
}

/// Every margin profile.
pub fn list(context: &Context) -> Listing<MarginRow> {
    let catalogue = Catalogue::read(&context.workspace);
    Listing::of(&catalogue, &catalogue.margins, MarginRow::new)
}

/// What a profile sweeps, in the order of its `axes`, else as written.
fn axes(margin: &MarginProfile) -> Vec<AxisRow> {
    let mut axes = vec![];
    of_rails(&margin.default, None, &mut axes);
    for (adapter, rails) in &margin.adapters {
        of_rails(rails, Some(&adapter.value), &mut axes);
    }
    if let (Some(first), Some(last)) = (margin.recipes.first(), margin.recipes.last()) {
        axes.push(AxisRow {
            name: "recipe".to_owned(),
            values: margin.recipes.len() as u64,
            from: first.name.value.to_string(),
            to: last.name.value.to_string(),
        });
    }
    if let Some(order) = &margin.axes {
        axes.sort_by_key(|axis| order.iter().position(|name| name.value == axis.name));
    }
    axes
}

fn of_rails(rails: &[RailSpec], adapter: Option<&Name>, axes: &mut Vec<AxisRow>) {
    let prefix = adapter.map(|name| format!("{name}/")).unwrap_or_default();
    for RailSpec { rail, shape } in rails {
        match shape {
            RailShape::Fields(fields) => {
                for (field, spec) in fields {
                    let FieldSpec::Swept { sweep, .. } = spec else { continue };
                    let at = |index: u64| {
                        let value = sweep.at(index).and_then(|v| u64::try_from(v).ok()).unwrap_or_default();
                        field.show(value)
                    };
                    axes.push(AxisRow {
                        name: format!("{prefix}{}.{field}", rail.value),
                        values: sweep.len(),
                        from: at(0),
                        to: at(sweep.len().saturating_sub(1)),
                    });
                }
            }
            RailShape::Pairs(pairs) => {
                let show =
                    |pair: &crate::domain::margin::Pair| format!("{} {}", pair.frequency.value, pair.voltage.value);
                axes.push(AxisRow {
                    name: format!("{prefix}{}", rail.value),
                    values: pairs.len() as u64,
                    from: pairs.first().map(show).unwrap_or_default(),
                    to: pairs.last().map(show).unwrap_or_default(),
                });
            }
        }
    }
}

/// A profile that was found valid.
#[derive(Debug)]
pub struct Validated {
    /// What it is.
    pub row: MarginRow,
    /// Each field that it sets, beside its bound.
    pub fields: Vec<FieldBounds>,
    /// Warnings.
    pub problems: Problems,
    /// The text they are in.
    pub sources: Sources,
}

/// The extremes of one field, with jitter, beside the bound in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FieldBounds {
    /// `core.voltage`, `mem_pattern/mem.voltage`.
    pub field: String,
    /// The least that is planned, for people.
    pub lowest: String,
    /// The most.
    pub highest: String,
    /// The least that is allowed.
    pub min: String,
    /// The most.
    pub max: String,
    /// Where the bound was written.
    pub from: Vec<String>,
    /// Whether a planned value is on the bound.
    pub at_limit: bool,
}

/// Reads one profile, then holds its values against the policy for this host. Errors: the profile or the policy is
/// invalid (2), a value is outside a bound or has none (3).
pub fn validate(context: &Context, file: &str) -> Result<Validated, Failure> {
    let catalogue = Catalogue::read(&context.workspace);
    let entry = catalogue.margin(file, &context.current).map_err(|error| Failure::usage(error.to_string()))?;
    let mut sources = catalogue.sources();
    sources.extend(&sources_of(&entry));
    let Some(margin) = &entry.value else { return Err(Failure::input(entry.problems, sources)) };
    let mut problems = entry.problems.clone();
    catalogue.policies.iter().for_each(|policy| problems.extend(policy.problems.clone()));
    catalogue.profiles.iter().for_each(|profile| problems.extend(profile.problems.clone()));
    if problems.has_errors() {
        return Err(Failure::input(problems, sources));
    }
    let host = collect::host_facts(&context.roots);
    let (bounds, _) = plan::bounds_in_force(&catalogue, &host, &sources)?;
    let row = MarginRow::new(&entry);
    let mut outside = Problems::default();
    let fields = fields(margin).iter().filter_map(|field| field.judge(&bounds, &mut outside)).collect();
    let max = bounds.bounds.max_subruns.is;
    if row.points > u128::from(max) {
        outside.push(
            Problem::error(
                Place::start_of(entry.file.clone()),
                format!("it has {} points, and a plan may have at most {max} sub-runs", row.points),
            )
            .help("sweep fewer values, or raise max_subruns in the policy"),
        );
    }
    if outside.has_errors() {
        return Err(Failure::safety(format!("{} leaves the bounds in force on this host", entry.file))
            .hinted("road_runner policy explain shows every bound and where it was written")
            .with(outside, sources));
    }
    Ok(Validated { row, fields, problems, sources })
}

fn sources_of<T>(entry: &Entry<T>) -> Sources {
    let mut sources = Sources::default();
    if let Some(source) = &entry.source {
        sources.add(source.clone());
    }
    sources
}

/// Every value of one field that the profile writes, with its place. A range has its two ends.
struct FieldValues {
    key: FieldKey,
    values: Vec<(u64, Place)>,
    jitter: u64,
}

/// Every field that the profile sets, by name.
fn fields(margin: &MarginProfile) -> Vec<FieldValues> {
    let mut all: Vec<FieldValues> = vec![];
    let mut add = |key: FieldKey, values: Vec<(u64, Place)>| {
        if let Some(known) = all.iter_mut().find(|f| f.key == key) {
            known.values.extend(values);
        } else {
            let jitter = margin.jitter.iter().find(|(name, _)| name.value == key).map_or(0, |(_, j)| j.max);
            all.push(FieldValues { key, values, jitter });
        }
    };
    let rails = margin.default.iter().map(|rail| (None, rail));
    let own = margin.adapters.iter().flat_map(|(name, rails)| rails.iter().map(move |rail| (Some(&name.value), rail)));
    for (adapter, spec) in rails.chain(own) {
        let key = |field| FieldKey { adapter: adapter.cloned(), rail: spec.rail.value.clone(), field };
        match &spec.shape {
            RailShape::Fields(fields) => fields.iter().for_each(|(field, spec)| add(key(*field), values(spec))),
            RailShape::Pairs(pairs) => {
                for pair in pairs {
                    add(key(RailField::Frequency), vec![(pair.frequency.value.0, pair.frequency.place.clone())]);
                    add(key(RailField::Voltage), vec![(pair.voltage.value.0, pair.voltage.place.clone())]);
                }
            }
        }
    }
    for (key, value) in margin.recipes.iter().flat_map(|recipe| &recipe.settings) {
        add(key.clone(), vec![(value.value, value.place.clone())]);
    }
    all.sort_by(|a, b| a.key.cmp(&b.key));
    all
}

fn values(spec: &FieldSpec) -> Vec<(u64, Place)> {
    match spec {
        FieldSpec::Fixed(value) => vec![(value.value, value.place.clone())],
        FieldSpec::Swept { sweep: Sweep::List(list), places } => {
            let placed = list.iter().zip(places);
            placed.filter_map(|(value, place)| Some((u64::try_from(*value).ok()?, place.clone()))).collect()
        }
        FieldSpec::Swept { sweep, places } => {
            let ends = [0, sweep.len().saturating_sub(1)];
            let at = |index: &u64| Some((u64::try_from(sweep.at(*index)?).ok()?, places.first()?.clone()));
            ends.iter().filter_map(at).collect()
        }
    }
}

impl FieldValues {
    /// The extremes beside the bound; values outside it, or a bound that is missing, become problems.
    fn judge(&self, bounds: &BoundsInForce, outside: &mut Problems) -> Option<FieldBounds> {
        let FieldKey { rail, field, .. } = &self.key;
        let show = |base: u64| field.show(base);
        let Some(bound) = bounds.bounds.rails.get(rail).and_then(|fields| fields.get(field)) else {
            let (_, place) = self.values.first()?;
            outside.push(
                Problem::error(place.clone(), format!("no policy bounds {rail}.{field}"))
                    .help(format!("write limits for {rail}.{field}, min and max, into policy/safety.yaml")),
            );
            return None;
        };
        let places = bounds.rail_places.get(&(rail.clone(), *field));
        let with =
            if self.jitter > 0 { format!(" with jitter of {} either way", show(self.jitter)) } else { String::new() };
        for (value, place) in &self.values {
            if bound.is.contains_either_way(*value, self.jitter) {
                continue;
            }
            let is_below = value.checked_sub(self.jitter).is_none_or(|low| low < bound.is.min);
            let (written, says) = if is_below {
                (places.map(|(low, _)| low), format!("at least {} is allowed", show(bound.is.min)))
            } else {
                (places.map(|(_, high)| high), format!("at most {} is allowed", show(bound.is.max)))
            };
            let range = format!("{} .. {}", show(bound.is.min), show(bound.is.max));
            let message = format!("{} = {}{with} is outside {range}", self.key, show(*value));
            let problem = Problem::error(place.clone(), message).label(says.clone());
            outside.push(match written {
                Some(written) => problem.related(written.clone(), "the bound"),
                None => problem,
            });
        }
        let lowest = self.values.iter().map(|(value, _)| value.saturating_sub(self.jitter)).min()?;
        let highest = self.values.iter().map(|(value, _)| value.saturating_add(self.jitter)).max()?;
        Some(FieldBounds {
            field: self.key.to_string(),
            lowest: show(lowest),
            highest: show(highest),
            min: show(bound.is.min),
            max: show(bound.is.max),
            from: bound.from.clone(),
            at_limit: lowest == bound.is.min || highest == bound.is.max,
        })
    }
}
