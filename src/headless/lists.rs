//! What a workspace holds, as tables. Text from files is sanitised by the tables; nothing is left out but by `-q`.

use std::fmt::Write as _;

use serde::Serialize;

use crate::commands::adapters::{AdapterRow, Checked, Outcome};
use crate::commands::context::Context;
use crate::commands::inspect::{FlowRow, Overview};
use crate::commands::margins::{AxisRow, FieldBounds, MarginRow, Validated};
use crate::commands::policy::PolicyRow;
use crate::commands::rails::RailRow;
use crate::commands::themes::ThemeRow;
use crate::domain::event::RailLevel;
use crate::domain::sanitize;
use crate::headless::confirm::count;
use crate::headless::history::{self, RunRow};
use crate::headless::tables::Table;

/// Flows.
pub fn flows(rows: &[FlowRow]) -> String {
    let mut table = Table::new(&["FLOW", "STEPS", "EXECUTIONS", "ADAPTERS", "DESCRIPTION"]);
    for row in rows {
        if row.errors > 0 {
            table.row([&row.name, "-", "-", "-", &broken(row.errors, &row.file)]);
            continue;
        }
        let (steps, executions) = (row.steps.len().to_string(), row.executions.to_string());
        let adapters = row.adapters().join(" ");
        table.row([&row.name, &steps, &executions, &adapters, row.description.as_deref().unwrap_or_default()]);
    }
    or_none(&table, rows.is_empty(), "no flow in flows/")
}

/// Margin profiles.
pub fn margins(rows: &[MarginRow]) -> String {
    let mut table = Table::new(&["MARGIN", "POINTS", "AXES", "DESCRIPTION"]);
    for row in rows {
        if row.errors > 0 {
            table.row([&row.name, "-", "-", &broken(row.errors, &row.file)]);
            continue;
        }
        let description = row.description.as_deref().unwrap_or_default();
        table.row([&row.name, &row.points.to_string(), &axes(&row.axes), description]);
    }
    or_none(&table, rows.is_empty(), "no margin profile in margins/")
}

/// `core.frequency x3, core.voltage x6`.
fn axes(axes: &[AxisRow]) -> String {
    if axes.is_empty() {
        return "nothing swept".to_owned();
    }
    axes.iter().map(|axis| format!("{} x{}", axis.name, axis.values)).collect::<Vec<_>>().join(", ")
}

/// Adapters.
pub fn adapters(rows: &[AdapterRow]) -> String {
    let mut table = Table::new(&["ADAPTER", "PROGRAM", "PROOF", "RAILS", "FLOWS", "DESCRIPTION"]);
    for row in rows {
        let Some(path) = &row.path else {
            table.row([&row.name, "-", "-", "-", "-", &broken(row.errors, &row.file)]);
            continue;
        };
        let proof = match row.proof {
            Some(true) => "declared",
            Some(false) => "no proof declared",
            None => "controller",
        };
        let (rails, flows) = (dashed(&row.rails), dashed(&row.flows));
        table.row([&row.name, path, proof, &rails, &flows, row.description.as_deref().unwrap_or_default()]);
    }
    or_none(&table, rows.is_empty(), "no adapter in adapters/")
}

/// Base policy and profiles.
pub fn policies(rows: &[PolicyRow]) -> String {
    let mut table = Table::new(&["POLICY", "KIND", "PRIORITY", "RULES", "RAILS", "PARAMS", "FILE"]);
    for row in rows {
        if row.errors > 0 {
            table.row([&row.name, row.kind, "-", "-", "-", "-", &broken(row.errors, &row.file)]);
            continue;
        }
        let priority = row.priority.map_or_else(|| "-".to_owned(), |priority| priority.to_string());
        let rules = row.rules.map_or_else(|| "-".to_owned(), |rules| rules.to_string());
        let params = row.params.len().to_string();
        table.row([&row.name, row.kind, &priority, &rules, &dashed(&row.rails), &params, &row.file]);
    }
    or_none(&table, rows.is_empty(), "no policy in policy/: nothing can be planned")
}

/// Rails that have a controller.
pub fn rails(rows: &[RailRow]) -> String {
    let shown = |level: Option<RailLevel>| level.map_or_else(|| "-".to_owned(), |level| level.shown());
    let mut table = Table::new(&["RAIL", "CONTROLLER", "SETPOINT", "READBACK", "NOMINAL", ""]);
    for row in rows {
        let says = match (&row.error, &row.run) {
            (Some(error), _) if row.armed => error.clone(),
            (Some(error), _) => format!("not armed by the policy; {error}"),
            (None, Some(run)) => format!("moved by {run}"),
            (None, None) if !row.armed => "not armed by the policy".to_owned(),
            (None, None) => String::new(),
        };
        let (setpoint, readback, nominal) = (shown(row.setpoint), shown(row.readback), shown(row.nominal));
        table.row([row.rail.as_str(), row.controller.as_str(), &setpoint, &readback, &nominal, &says]);
    }
    or_none(&table, rows.is_empty(), "no rail has a controller here")
}

/// Themes.
pub fn themes(rows: &[ThemeRow]) -> String {
    let mut table = Table::new(&["THEME", "GROUND", "FROM", "DESCRIPTION"]);
    for row in rows {
        let says = match &row.description {
            _ if row.errors > 0 => broken(row.errors, &row.file),
            description => description.clone().unwrap_or_default(),
        };
        table.row([&row.name, row.ground.unwrap_or("-"), row.origin, &says]);
    }
    table.text()
}

fn broken(errors: usize, file: &str) -> String {
    format!("{} in {file}", count(errors as u64, "error"))
}

fn dashed(names: &[String]) -> String {
    if names.is_empty() { "-".to_owned() } else { names.join(" ") }
}

fn or_none(table: &Table, is_empty: bool, says: &str) -> String {
    if is_empty { format!("{says}\n") } else { table.text() }
}

/// Adapters, checked. Quiet: only what failed.
pub fn checked(adapters: &[Checked], quiet: bool) -> String {
    let mut out = String::new();
    for adapter in adapters.iter().filter(|adapter| !quiet || !adapter.ok) {
        let verdict = if adapter.ok { "ok" } else { "FAILED" };
        let _ = writeln!(out, "{}  {}  {verdict}", sanitize::escaped(&adapter.name), sanitize::escaped(&adapter.file));
        let mut table = Table::indented(2);
        for finding in adapter.findings.iter().filter(|finding| !quiet || finding.outcome == Outcome::Fail) {
            let mark = match finding.outcome {
                Outcome::Ok => "ok",
                Outcome::Note => "note",
                Outcome::Fail => "FAIL",
            };
            table.row([mark, finding.check, &finding.says]);
        }
        out.push_str(&table.text());
    }
    if adapters.is_empty() { "no adapter in adapters/\n".to_owned() } else { out }
}

/// A valid profile beside the policy, as data.
#[derive(Debug, Serialize)]
pub struct ValidatedJson<'a> {
    #[serde(flatten)]
    row: &'a MarginRow,
    fields: &'a [FieldBounds],
}

/// A valid profile beside the policy, as data.
pub fn validated_json(validated: &Validated) -> ValidatedJson<'_> {
    ValidatedJson { row: &validated.row, fields: &validated.fields }
}

/// A valid profile beside the policy.
pub fn validated(validated: &Validated) -> String {
    let row = &validated.row;
    let points = count(u64::try_from(row.points).unwrap_or(u64::MAX), "point");
    let mut out = format!("{} is valid: {points}, {}\n", sanitize::escaped(&row.file), axes(&row.axes));
    let mut table = Table::new(&["FIELD", "PLANNED", "ALLOWED HERE", "", "BOUND"]);
    for field in &validated.fields {
        let planned = if field.lowest == field.highest {
            field.lowest.clone()
        } else {
            format!("{} .. {}", field.lowest, field.highest)
        };
        let allowed = format!("{} .. {}", field.min, field.max);
        let limit = if field.at_limit { "AT LIMIT" } else { "within" };
        table.row([&field.field, &planned, &allowed, limit, &field.from.join(", ")]);
    }
    if validated.fields.is_empty() {
        out.push_str("it plans no rail\n");
    } else {
        out.push_str(&table.text());
    }
    out
}

/// The workspace at a glance, as data.
#[derive(Debug, Serialize)]
pub struct OverviewJson<'a> {
    workspace: String,
    runs_dir: String,
    errors: usize,
    flows: &'a [FlowRow],
    margins: &'a [MarginRow],
    adapters: &'a [AdapterRow],
    policies: &'a [PolicyRow],
    runs_in_all: usize,
    runs: Vec<RunRow>,
}

/// The workspace at a glance, as data.
pub fn overview_json<'a>(context: &Context, overview: &'a Overview) -> OverviewJson<'a> {
    OverviewJson {
        workspace: context.workspace.display().to_string(),
        runs_dir: context.runs.display().to_string(),
        errors: overview.errors,
        flows: &overview.flows,
        margins: &overview.margins,
        adapters: &overview.adapters,
        policies: &overview.policies,
        runs_in_all: overview.runs_in_all,
        runs: overview.runs.iter().map(RunRow::new).collect(),
    }
}

/// The workspace at a glance, and what to do next.
pub fn overview(context: &Context, overview: &Overview) -> String {
    let mut out = String::new();
    let version = env!("CARGO_PKG_VERSION");
    let workspace = sanitize::escaped(&context.workspace.display().to_string()).into_owned();
    let _ = writeln!(out, "Road Runner {version}, workspace {workspace}");
    section(&mut out, ["flow", "flows"], overview.flows.len(), |table| {
        for row in &overview.flows {
            let steps = count(row.steps.len() as u64, "step");
            let says = note(row.errors, row.description.as_deref());
            table.row([row.name.as_str(), if row.errors > 0 { "-" } else { &steps }, &says]);
        }
    });
    section(&mut out, ["margin", "margins"], overview.margins.len(), |table| {
        for row in &overview.margins {
            let points = count(u64::try_from(row.points).unwrap_or(u64::MAX), "point");
            let says = if row.errors > 0 { note(row.errors, None) } else { axes(&row.axes) };
            table.row([row.name.as_str(), if row.errors > 0 { "-" } else { &points }, &says]);
        }
    });
    section(&mut out, ["adapter", "adapters"], overview.adapters.len(), |table| {
        for row in &overview.adapters {
            let proof = if row.proof == Some(false) { "no proof declared" } else { "" };
            let path = row.path.clone().unwrap_or_else(|| "-".to_owned());
            let says = note(row.errors, (!proof.is_empty()).then_some(proof));
            table.row([&row.name, &path, &says]);
        }
    });
    section(&mut out, ["policy", "policies"], overview.policies.len(), |table| {
        for row in &overview.policies {
            table.row([&row.name, row.kind, &note(row.errors, Some(&row.rails.join(" ")))]);
        }
    });
    let runs = sanitize::escaped(&context.runs.display().to_string()).into_owned();
    let _ = writeln!(out, "\n{} in {runs}", count(overview.runs_in_all as u64, "run"));
    if !overview.runs.is_empty() {
        out.push_str(&history::table(overview.runs.iter().map(RunRow::new)).text());
    }
    next(&mut out, overview);
    out
}

fn section(out: &mut String, [one, many]: [&str; 2], rows: usize, fill: impl FnOnce(&mut Table)) {
    let mut table = Table::indented(2);
    fill(&mut table);
    let _ = writeln!(out, "\n{rows} {}", if rows == 1 { one } else { many });
    out.push_str(&table.text());
}

fn note(errors: usize, else_: Option<&str>) -> String {
    if errors > 0 { count(errors as u64, "error") } else { else_.unwrap_or_default().to_owned() }
}

/// The commands to try next.
fn next(out: &mut String, overview: &Overview) {
    out.push_str("\nnext\n");
    if overview.errors > 0 {
        let _ = writeln!(
            out,
            "  {} in files: list-flows, margins list, adapters check and policy list show them",
            count(overview.errors as u64, "error")
        );
    }
    if let Some((flow, margin)) = &overview.example {
        let chosen = sanitize::escaped(&format!("--flow {flow} --margin {margin}")).into_owned();
        let _ = writeln!(out, "  road_runner plan {chosen}");
        let _ = writeln!(out, "  road_runner run {chosen} --unit SN");
    }
    if overview.runs.is_empty() {
        out.push_str("  road_runner adapters check\n  road_runner policy explain\n");
    } else {
        out.push_str("  road_runner runs show latest\n  road_runner rerun-last\n");
    }
    out.push_str("  road_runner --help\n");
}
