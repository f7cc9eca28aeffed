//! The confirmation before a run: what is about to be done to the hardware, and the question. Fits 80 columns.
//! Never decides what needs asking.

use std::fmt::Write as _;
use std::io::{self, BufRead, Write};

use unicode_width::UnicodeWidthStr as _;

use crate::commands::proposal::{Answer, Proposal};
use crate::domain::evidence::sources_shown;
use crate::domain::headroom::RailUse;
use crate::domain::host::HostFacts;
use crate::domain::units::gibibytes;
use crate::domain::{sanitize, time};

/// Columns of a line at most.
const WIDTH: usize = 80;
/// Columns of the label at the start of a line.
const LABEL: usize = 10;
/// Columns of what is planned of what is allowed, where a bar stands behind it.
const PLANNED: usize = 46;

/// What a person should know before saying yes.
pub fn text(proposal: &Proposal) -> String {
    let experiment = &proposal.plan.experiment;
    let mut out = String::new();
    let mut say = |label: &str, text: &str| paragraph(&mut out, label, text);
    say("host", &host(&proposal.plan.host));
    if let Some(unit) = &proposal.plan.unit {
        say("unit", &sanitize::escaped(unit));
    }
    let digest = proposal.plan.digest.get(..8).unwrap_or_default();
    let (flow, margin, seed) = (&experiment.flow, &experiment.margin, experiment.global_seed);
    say("plan", &format!("{flow} x {margin}, seed {seed}, digest {digest}"));
    let names: Vec<&str> = proposal.profiles.iter().map(|(name, ..)| name.as_str()).collect();
    if names.is_empty() {
        say("policy", &format!("{}; no hardware profile matches this host", experiment.policy));
    } else {
        say("policy", &format!("{}, tightened by {}", experiment.policy, names.join(", ")));
    }
    for (name, priority, outcomes) in &proposal.profiles {
        let rules: Vec<String> = outcomes.iter().map(ToString::to_string).collect();
        let rules = if rules.is_empty() { "matches every host".to_owned() } else { rules.join(", ") };
        say("", &format!("{name}, priority {priority}: {rules}"));
    }
    let (sub_runs, longest) = (experiment.sub_runs(), time::clock(proposal.longest.0));
    say(
        "counts",
        &format!(
            "{}, {}, at most {longest}",
            count(sub_runs.into(), "sub-run"),
            count(proposal.executions, "execution")
        ),
    );
    if !proposal.evidence.is_empty() {
        say("evidence", &sources_shown(&proposal.evidence));
    }
    if proposal.rails.is_empty() {
        say("rails", "none planned: the unit runs as it stands");
    } else {
        out.push_str("\nrails     planned, allowed, use of the range; headroom in % of the range\n");
        proposal.rails.iter().for_each(|rail| self::rail(&mut out, rail, proposal));
    }
    out.push('\n');
    warnings(&mut out, proposal);
    out
}

fn host(facts: &HostFacts) -> String {
    let mut parts = vec![facts.hostname.clone().unwrap_or_else(|| "unnamed host".to_owned())];
    parts.extend(facts.cpu_model.clone());
    parts.extend(facts.cores.map(|cores| count(cores.into(), "core")));
    parts.extend(facts.memory_bytes.map(|bytes| format!("{} GiB", gibibytes(bytes))));
    parts.extend(facts.kernel.as_ref().map(|kernel| format!("kernel {kernel}")));
    parts.join(", ")
}

/// Some lines for one rail.
fn rail(out: &mut String, rail: &RailUse, proposal: &Proposal) {
    let show = |base: u64| rail.field.show(base);
    let range = |min: u64, max: u64| if min == max { show(min) } else { format!("{} .. {}", show(min), show(max)) };
    let jittered =
        proposal.plan.experiment.jitter.iter().any(|j| j.field.rail == rail.rail && j.field.field == rail.field);
    let (below, above) = rail.headroom();
    let width = rail.allowed.max.saturating_sub(rail.allowed.min);
    let end = |room: u64, word: &str| match room {
        0 => format!("{word} AT LIMIT"),
        _ => format!("{word} {} ({} %)", show(room), percent(room, width)),
    };
    let mut name = format!("{}.{}", rail.rail, rail.field);
    if name.width() > LABEL + 8 {
        let _ = writeln!(out, "  {name}");
        name.clear();
    }
    let planned = format!(
        "{}{}  of  {}",
        range(rail.planned.min, rail.planned.max),
        if jittered { " with jitter" } else { "" },
        range(rail.allowed.min, rail.allowed.max)
    );
    if planned.width() > PLANNED {
        let _ = writeln!(out, "  {name:<18}{planned}\n  {:<18}{}", "", bar(rail));
    } else {
        let _ = writeln!(out, "  {name:<18}{planned:<PLANNED$}{}", bar(rail));
    }
    let _ = writeln!(out, "  {:<18}headroom {}, {}", "", end(below, "below"), end(above, "above"));
    lines(out, &" ".repeat(20), &format!("applied by {}", proposal.applied_by(rail)));
    lines(out, &" ".repeat(20), &format!("bounds from {}", rail.from.join(", ")));
}

/// `[...####..]`: what part of the allowed range is planned.
fn bar(rail: &RailUse) -> String {
    let cells: String = rail.used(10).map(|used| if used { '#' } else { '.' }).collect();
    format!("[{cells}]")
}

fn percent(part: u64, whole: u64) -> u128 {
    (u128::from(part) * 100).checked_div(u128::from(whole)).unwrap_or(0)
}

/// What a careful engineer would ask about.
fn warnings(out: &mut String, proposal: &Proposal) {
    let sub_runs = u64::from(proposal.plan.experiment.sub_runs());
    let mut warn = |text: &str| paragraph(out, "       !", text);
    if proposal.on_a_limit > 0 {
        warn(&format!("{} of {} have a value ON A LIMIT", proposal.on_a_limit, count(sub_runs, "sub-run")));
    }
    proposal.warnings().iter().for_each(|text| warn(text));
}

/// `1 sub-run`, `36 sub-runs`.
pub fn count(number: u64, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

fn paragraph(out: &mut String, label: &str, text: &str) {
    let mut body = String::new();
    lines(&mut body, &" ".repeat(LABEL), text);
    let _ = write!(out, "{label:<LABEL$}{}", body.trim_start_matches(' '));
}

/// Words over as many lines as they need, each begun by `indent`.
fn lines(out: &mut String, indent: &str, text: &str) {
    let text = sanitize::line(text);
    let room = WIDTH - indent.len();
    let mut line = String::new();
    for word in text.split(' ').flat_map(|word| pieces(word, room)) {
        if !line.is_empty() && line.width() + 1 + word.width() > room {
            let _ = writeln!(out, "{indent}{line}");
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(&word);
    }
    let _ = writeln!(out, "{indent}{line}");
}

/// A word in pieces that fit.
fn pieces(word: &str, room: usize) -> Vec<String> {
    let mut all = vec![String::new()];
    for c in word.chars() {
        let mut buffer = [0; 4];
        let full = all.last().is_some_and(|piece| piece.width() + c.encode_utf8(&mut buffer).width() > room);
        if full {
            all.push(String::new());
        }
        if let Some(piece) = all.last_mut() {
            piece.push(c);
        }
    }
    all
}

/// How often a serial number may be mistyped.
const TRIES: u32 = 3;

/// Shows a proposal and asks. Anything but `yes` declines; so does the end of the input. With a point on a limit the
/// unit's serial number is asked for first, and must be the planned one.
pub fn ask(proposal: &Proposal, mut from: impl BufRead, mut to: impl Write) -> io::Result<Answer> {
    to.write_all(text(proposal).as_bytes())?;
    if proposal.on_a_limit > 0 && !serial(proposal, &mut from, &mut to)? {
        return Ok(Answer::Declined);
    }
    let (begins, sub_runs) = proposal.begins();
    write!(to, "{begins} {}? Type yes: ", count(sub_runs.into(), "sub-run"))?;
    to.flush()?;
    let word = reply(&mut from)?;
    Ok(if word.as_deref() == Some("yes") { Answer::Run } else { Answer::Declined })
}

fn serial(proposal: &Proposal, mut from: impl BufRead, mut to: impl Write) -> io::Result<bool> {
    let Some(unit) = &proposal.plan.unit else {
        writeln!(to, "A point on a limit needs the unit named: give --unit SN.")?;
        return Ok(false);
    };
    for _ in 0..TRIES {
        write!(to, "A point on a limit needs the unit's serial number. Type it: ")?;
        to.flush()?;
        match reply(&mut from)? {
            None => return Ok(false),
            Some(typed) if typed == unit.trim() => return Ok(true),
            Some(_) => writeln!(to, "That is not the unit of this plan.")?,
        }
    }
    Ok(false)
}

/// A line as typed, without blanks at its ends; `None` at the end of the input. At most 4 KiB of it.
fn reply(from: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut bytes = vec![];
    let read = io::Read::take(from, 4096).read_until(b'\n', &mut bytes)?;
    Ok((read > 0).then(|| String::from_utf8_lossy(&bytes).trim().to_owned()))
}

#[cfg(test)]
#[path = "confirm_tests.rs"]
mod tests;
