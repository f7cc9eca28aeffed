//! The picture of the confirmation: host, policy, plan, every rail with its limits, and what a careful engineer would
//! ask about. Fits 80 by 24; where there is more, the middle scrolls and the question stays.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use unicode_width::UnicodeWidthStr as _;

use crate::commands::proposal::Proposal;
use crate::domain::headroom::RailUse;
use crate::domain::sanitize;
use crate::domain::theme::Slot;
use crate::domain::time::short_clock as clock;
use crate::tui::canvas::{Line, Look, put, row, wrapped};
use crate::tui::dialogs::confirm::{Confirm, Focus};
use crate::tui::dialogs::{boxed, buttons, field, titles};
use crate::tui::model::Model;
use crate::tui::update::clock_of_day;

/// Columns of the label at the start of a line.
const LABEL: usize = 8;

/// Draws the confirmation.
pub fn view(confirm: &Confirm, model: &Model, screen: Rect, buf: &mut Buffer) {
    let look = &model.look;
    let body = lines(confirm, screen.width.min(100).saturating_sub(4), look);
    let below = if confirm.asks_serial() { 5 } else { 4 };
    let wanted = u16::try_from(body.len()).unwrap_or(u16::MAX).saturating_add(below + 2);
    let checked = match &confirm.changed {
        None => format!("checked {}", clock_of_day(confirm.checked)),
        Some(_) => "DISARMED".to_owned(),
    };
    let inside =
        boxed(screen, buf, (100, wanted), &titles(look, "CONFIRM HARDWARE MARGINS", &checked), Slot::Danger, look);
    let room = usize::from(inside.height.saturating_sub(below));
    let top = confirm.top.min(body.len().saturating_sub(room));
    for (at, line) in body.iter().skip(top).take(room).enumerate() {
        line.draw(row(inside, u16::try_from(at).unwrap_or(u16::MAX)), buf);
    }
    let mut at = inside.height.saturating_sub(below);
    if body.len() > room {
        let more = format!("lines {} to {} of {}: j k", top + 1, top + room, body.len());
        crate::tui::canvas::put_right(buf, row(inside, at), &more, look.of(Slot::Dim));
    }
    at += 1;
    if confirm.asks_serial() {
        serial(confirm, look, row(inside, at), buf);
        at += 1;
    }
    if let Some(why) = confirm.refusal() {
        put(buf, row(inside, at), &why, look.of(Slot::Warning));
    }
    at += 1;
    let (begins, sub_runs) = confirm.proposed.proposal.begins();
    let run = format!("{begins} {sub_runs} point{}", if sub_runs == 1 { "" } else { "s" });
    let stops: Vec<Focus> = confirm.stops().into_iter().filter(|stop| *stop != Focus::Serial).collect();
    let labels: Vec<&str> = stops
        .iter()
        .map(|stop| match stop {
            Focus::Edit => "Edit margin",
            Focus::Run => run.as_str(),
            _ => "Abort",
        })
        .collect();
    let focus = stops.iter().position(|stop| *stop == confirm.focus);
    buttons(row(inside, at), buf, &labels, focus, look);
    Line::new()
        .then("Esc n ctrl-c", look.of(Slot::Key))
        .then(" abort   ", look.of(Slot::Dim))
        .then("Tab h l", look.of(Slot::Key))
        .then(" move   ", look.of(Slot::Dim))
        .then("Enter", look.of(Slot::Key))
        .then(" presses the marked button", look.of(Slot::Dim))
        .draw(row(inside, at + 1), buf);
}

fn serial(confirm: &Confirm, look: &Look, area: Rect, buf: &mut Buffer) {
    let asks = match confirm.unit() {
        Some(_) => "A point on a limit needs the unit's serial once more: ",
        None => "A point on a limit needs the unit's serial: ",
    };
    let end = put(buf, area, asks, look.of(Slot::Warning));
    let rest = Rect { x: end, width: area.right().saturating_sub(end).min(40), ..area };
    field(rest, buf, &confirm.serial, confirm.focus == Focus::Serial, look);
}

/// Everything above the question.
fn lines(confirm: &Confirm, width: u16, look: &Look) -> Vec<Line> {
    let proposal = &confirm.proposed.proposal;
    let plan = &proposal.plan;
    let experiment = &plan.experiment;
    let mut lines = vec![];
    let width = usize::from(width);
    let mut say = |label: &str, text: &str| {
        for (at, text) in wrapped(&sanitize::line(text), width.saturating_sub(LABEL)).into_iter().enumerate() {
            let label = if at == 0 { label } else { "" };
            lines.push(
                Line::new().then(format!("{label:<LABEL$}"), look.of(Slot::Dim)).then(text, look.of(Slot::Dialog)),
            );
        }
    };
    let host = &plan.host;
    let mut about = vec![host.hostname.clone().unwrap_or_else(|| "unnamed host".to_owned())];
    about.extend(host.cpu_model.clone());
    about.extend(host.cores.map(|cores| format!("{cores} cores")));
    about.extend(host.kernel.as_ref().map(|kernel| format!("kernel {kernel}")));
    say("host", &about.join("  "));
    say("unit", plan.unit.as_deref().unwrap_or("not named"));
    let names: Vec<&str> = proposal.profiles.iter().map(|(name, ..)| name.as_str()).collect();
    let profiles = if names.is_empty() {
        "no hardware profile matches this host".to_owned()
    } else {
        format!("tightened by {}", names.join(", "))
    };
    say("policy", &format!("{}, {profiles}", experiment.policy));
    for (name, priority, outcomes) in &proposal.profiles {
        let rules: Vec<String> = outcomes.iter().map(ToString::to_string).collect();
        let rules = if rules.is_empty() { "matches every host".to_owned() } else { rules.join(", ") };
        say("", &format!("{name}, priority {priority}: {rules}"));
    }
    let took = confirm.proposed.estimate.map_or_else(
        || format!("at most {}", clock(proposal.longest.0)),
        |estimate| format!("about {}, at most {}", clock(estimate), clock(proposal.longest.0)),
    );
    let (sub_runs, executions) = (experiment.sub_runs(), proposal.executions);
    let (flow, margin, seed) = (&experiment.flow, &experiment.margin, experiment.global_seed);
    say("plan", &format!("{flow} x {margin}: {sub_runs} points, {executions} executions, seed {seed}"));
    let evidence = proposal.evidence_counts().map(|(here, all)| format!("  evidence from {here} of {all} sources"));
    say("time", &format!("{took}{}", evidence.unwrap_or_default()));
    lines.push(Line::new());
    if proposal.rails.is_empty() {
        lines.push(Line::new().then("no rail is planned: the unit runs as it stands", look.of(Slot::Dialog)));
    } else {
        lines.extend(rails(proposal, width, look));
    }
    lines.push(Line::new());
    let inside = format!("{sub_runs} of {sub_runs} points inside the policy.");
    let on_a_limit = match proposal.on_a_limit {
        0 => String::new(),
        1 => " 1 point sits on a limit.".to_owned(),
        more => format!(" {more} points sit on a limit."),
    };
    lines.push(Line::new().then(inside, look.of(Slot::Dialog)).then(on_a_limit, look.of(Slot::Warning)));
    for text in proposal.warnings() {
        for (at, text) in wrapped(&sanitize::line(&text), width.saturating_sub(2)).into_iter().enumerate() {
            let mark = if at == 0 { "! " } else { "  " };
            lines.push(Line::new().then(mark, look.of(Slot::Warning)).then(text, look.of(Slot::Warning)));
        }
    }
    lines
}

/// A row a rail field: what is allowed, what is planned, how far it is from its bounds, what of the range it uses, who
/// applies it. The bar is the first to go where there is little room; how far a rail is from its bounds and who applies it
/// is always said.
fn rails(proposal: &Proposal, width: usize, look: &Look) -> Vec<Line> {
    let rails = &proposal.rails;
    let show = |rail: &RailUse, base: u64| rail.field.show(base);
    let range = |rail: &RailUse, min: u64, max: u64| {
        if min == max { show(rail, min) } else { format!("{} .. {}", show(rail, min), show(rail, max)) }
    };
    let headroom = |rail: &RailUse| match rail.headroom() {
        (below, above) if rail.is_at_limit() => {
            let end = |room: u64| if room == 0 { "AT LIMIT".to_owned() } else { show(rail, room) };
            format!("{} / {}", end(below), end(above))
        }
        (below, above) => format!("{} / {}", show(rail, below), show(rail, above)),
    };
    let mut table = vec![["rail", "allowed", "planned", "headroom"].map(str::to_owned)];
    table.extend(rails.iter().map(|rail| {
        let name = format!("{}.{}", rail.rail, rail.field);
        let allowed = range(rail, rail.allowed.min, rail.allowed.max);
        [name, allowed, range(rail, rail.planned.min, rail.planned.max), headroom(rail)]
    }));
    let column = |at: usize| table.iter().filter_map(|row| row.get(at)).map(|text| text.width()).max().unwrap_or(0) + 2;
    let columns = [column(0), column(1), column(2), column(3)];
    let is_wide = columns.iter().sum::<usize>() <= width;
    let by_width =
        rails.iter().map(|rail| proposal.applied_by(rail).width()).max().unwrap_or(0).max("applied by".len());
    let mut lines = vec![];
    for (at, [name, allowed, planned, headroom]) in table.iter().enumerate() {
        let rail = at.checked_sub(1).and_then(|at| rails.get(at));
        let plain = look.of(if rail.is_some() { Slot::Dialog } else { Slot::Dim });
        let [first, second, third, fourth] = columns;
        let tone = if rail.is_some_and(RailUse::is_at_limit) { look.of(Slot::Warning) } else { plain };
        let mut line = Line::new()
            .then(format!("{name:<first$}"), if rail.is_some() { look.of(Slot::Strong) } else { plain })
            .then(format!("{allowed:<second$}{planned:<third$}"), plain);
        if !is_wide {
            lines.push(line);
            line = Line::new().then("  ", plain);
        }
        line.push(format!("{headroom:<fourth$}"), tone);
        let by = rail.map_or_else(|| "applied by".to_owned(), |rail| proposal.applied_by(rail));
        if line.width() + 12 + by_width + 2 <= width {
            match rail {
                Some(rail) => {
                    let cells: String = rail.used(10).map(|used| if used { '#' } else { '.' }).collect();
                    line.push(format!("[{cells}]  "), look.of(Slot::BarDone));
                }
                None => line.push("use of range  ", plain),
            }
        }
        if line.width() + by_width > width {
            lines.push(line);
            line = Line::new().then("  ", plain);
        }
        line.push(by, plain);
        lines.push(line);
    }
    lines
}
