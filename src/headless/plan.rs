//! A plan for people: a line a sub-run, and under it the arguments of each step. Streams, since plans may be large.

use std::io::{self, Write};

use crate::domain::event::Applied;
use crate::domain::plan::{Plan, PlannedStep};
use crate::domain::sanitize;
use crate::domain::summary::{padding, short_name};

/// Writes every sub-run with its steps.
pub fn write(plan: &Plan, out: &mut dyn Write) -> io::Result<()> {
    let experiment = &plan.experiment;
    for sub_run in (0..experiment.sub_runs()).filter_map(|index| experiment.sub_run(index)) {
        writeln!(
            out,
            "{} {}  seed {}",
            short_name(experiment.sub_runs(), sub_run.index),
            sub_run.point.shown(),
            sub_run.seed
        )?;
        for step in (0..experiment.executions()).filter_map(|i| experiment.step(&sub_run, i, plan.unit_text())) {
            match step {
                Ok(step) => writeln!(out, "    {}", step_line(plan, &step))?,
                Err(error) => writeln!(out, "    {error}")?,
            }
        }
    }
    Ok(())
}

/// `01 mem-pattern diags/mem_pattern.sh --size-mb 16 ..`, quoted as a shell would need it.
fn step_line(plan: &Plan, step: &PlannedStep<'_>) -> String {
    let width = padding(plan.experiment.executions());
    let program = plan
        .experiment
        .adapters
        .get(&step.template.adapter)
        .map(|adapter| plan.found.get(&adapter.executable.path).unwrap_or(&adapter.executable.path));
    let mut line = format!("{:0width$} {}", step.index, step.template.name);
    for argument in program.into_iter().chain(&step.argv) {
        line.push(' ');
        line.push_str(&sanitize::shell_word(argument));
    }
    line
}

/// What a plan comes to, in a few lines.
pub fn write_counts(plan: &Plan, out: &mut dyn Write) -> io::Result<()> {
    let experiment = &plan.experiment;
    let axes: Vec<String> = experiment.axes.iter().map(|axis| format!("{} x{}", axis.name, axis.len())).collect();
    let axes = if axes.is_empty() { "nothing swept".to_owned() } else { axes.join(", ") };
    let executions = u64::from(experiment.sub_runs()) * u64::from(experiment.executions());
    writeln!(out, "plan      {} x {}  seed {}", experiment.flow, experiment.margin, experiment.global_seed)?;
    writeln!(out, "sub-runs  {} ({axes}), {executions} executions", experiment.sub_runs())?;
    let unapplied: Vec<String> = crate::domain::headroom::applied_fields(experiment)
        .into_iter()
        .filter(|(_, by)| *by == Applied::None)
        .map(|(field, _)| field)
        .collect();
    if !unapplied.is_empty() {
        writeln!(out, "unapplied {}: nobody moves it, so its points say nothing about it", unapplied.join(", "))?;
    }
    writeln!(out, "digest    {}", plan.digest)
}
