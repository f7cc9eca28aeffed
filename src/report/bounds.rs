//! The bounds in force as a report shows them: each with where it was written, what of it was planned, and who applied it.

use serde::Serialize;

use crate::domain::event::{AppliedFields, applied_key};
use crate::domain::headroom::{self, RailUse};
use crate::domain::margin::{FieldKey, RailField};
use crate::domain::name::Name;
use crate::domain::plan::Experiment;
use crate::domain::policy::{Bound, Interval};
use crate::domain::sanitize;

/// All bounds.
#[derive(Debug, Serialize)]
pub struct ShownBounds {
    rails: Vec<ShownRail>,
    params: Vec<ShownParam>,
    limits: Vec<ShownLimit>,
}

#[derive(Debug, Serialize)]
struct ShownRail {
    field: String,
    min: String,
    max: String,
    from: Vec<String>,
    planned: Option<String>,
    jitter: bool,
    below: Option<String>,
    above: Option<String>,
    at_limit: bool,
    applied: Option<&'static str>,
    swept: bool,
    #[serde(rename = "use")]
    bar: Option<Bar>,
}

/// What part of the allowed range is planned, in percent of it.
#[derive(Debug, Serialize)]
struct Bar {
    start: f64,
    width: f64,
}

#[derive(Debug, Serialize)]
struct ShownParam {
    name: String,
    allowed: String,
    from: Vec<String>,
}

#[derive(Debug, Serialize)]
struct ShownLimit {
    name: &'static str,
    value: String,
    from: Vec<String>,
}

/// The bounds of a plan; `applied` says who applies its fields.
pub fn shown(experiment: &Experiment, applied: &AppliedFields) -> ShownBounds {
    let bounds = &experiment.bounds;
    let uses = headroom::rail_uses(experiment, bounds);
    let mut rails = vec![];
    for (name, fields) in &bounds.rails {
        for (field, bound) in fields {
            let planned = uses.iter().find(|u| u.rail == *name && u.field == *field);
            rails.push(rail(experiment, name, *field, bound, planned, applied));
        }
    }
    let params = bounds.params.iter().map(|(key, bound)| ShownParam {
        name: key.to_string(),
        allowed: sanitize::escaped(&bound.is.shown()).into_owned(),
        from: places(&bound.from),
    });
    ShownBounds {
        rails,
        params: params.collect(),
        limits: vec![
            limit("max_subruns", &bounds.max_subruns.is, &bounds.max_subruns.from),
            limit("max_step_timeout", &bounds.max_step_timeout.is, &bounds.max_step_timeout.from),
            limit("max_log", &bounds.max_log.is, &bounds.max_log.from),
        ],
    }
}

fn rail(
    experiment: &Experiment,
    name: &Name,
    field: RailField,
    bound: &Bound<Interval<u64>>,
    planned: Option<&RailUse>,
    applied: &AppliedFields,
) -> ShownRail {
    let is_this = |key: &FieldKey| key.rail == *name && key.field == field;
    let ends = |at: Interval<u64>| {
        let (min, max) = (field.show(at.min), field.show(at.max));
        if at.min == at.max { min } else { format!("{min} .. {max}") }
    };
    ShownRail {
        field: format!("{name}.{field}"),
        min: field.show(bound.is.min),
        max: field.show(bound.is.max),
        from: places(&bound.from),
        planned: planned.map(|planned| ends(planned.planned)),
        jitter: experiment.jitter.iter().any(|jitter| is_this(&jitter.field)),
        below: planned.map(|planned| field.show(planned.headroom().0)),
        above: planned.map(|planned| field.show(planned.headroom().1)),
        at_limit: planned.is_some_and(RailUse::is_at_limit),
        applied: applied.get(&applied_key(name, field)).map(|by| by.as_str()),
        swept: experiment.axes.iter().flat_map(|axis| axis.columns.keys()).any(is_this),
        bar: planned.and_then(bar),
    }
}

#[expect(clippy::cast_precision_loss, reason = "a bar of some pixels")]
fn bar(planned: &RailUse) -> Option<Bar> {
    let whole = planned.allowed.max.checked_sub(planned.allowed.min).filter(|whole| *whole > 0)?;
    let percent = |part: u64| ((part as f64 / whole as f64) * 1000.0).round() / 10.0;
    Some(Bar {
        start: percent(planned.headroom().0),
        width: percent(planned.planned.max.saturating_sub(planned.planned.min)),
    })
}

fn limit(name: &'static str, value: &impl ToString, from: &[String]) -> ShownLimit {
    ShownLimit { name, value: value.to_string(), from: places(from) }
}

fn places(from: &[String]) -> Vec<String> {
    from.iter().map(|place| sanitize::escaped(place).into_owned()).collect()
}
