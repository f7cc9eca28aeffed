//! Pane 7: the host. Load, memory, clocks, temperatures, fans, power: what it offers, and "not available" where it offers
//! nothing, never a zero. Looked at every other second while a run goes on, once otherwise. With a run on the screen also which
//! evidence its steps have.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::domain::evidence;
use crate::domain::theme::Slot;
use crate::domain::units::gibibytes;
use crate::host::source::Source;
use crate::host::telemetry::{Reading, Telemetry};
use crate::tui::actions::Pane;
use crate::tui::canvas::{Line, Look, bar, put, row, wrapped};
use crate::tui::message::Sampling;
use crate::tui::model::Model;
use crate::tui::panes::framed;

/// Columns of the label.
const LABEL: u16 = 10;

/// Rows that every host has, before those of its sensors.
const FIGURES: usize = 5;

/// One row: its label, what it says, and how much of a bar is filled, in thousandths.
struct Row {
    label: &'static str,
    text: Option<String>,
    permille: Option<u64>,
}

/// Draws it.
pub fn view(model: &Model, area: Rect, buf: &mut Buffer) {
    let look = &model.look;
    let about = if model.sampling == Sampling::Steady { "" } else { "as it was when you looked" };
    let inside = framed(model, Pane::Telemetry, area, buf, about, Line::new(), Line::new());
    let Some(telemetry) = &model.telemetry else {
        put(buf, row(inside, 0), "looking ...", look.of(Slot::Dim));
        return;
    };
    let mut rows = rows(telemetry);
    // Which evidence the steps of the run on the screen have; a record of before there was any does not say.
    if let Some(run) = model.run().filter(|run| !run.state.sources.is_empty()) {
        let room = usize::from(inside.width.saturating_sub(LABEL));
        let labels = std::iter::once("evidence").chain(std::iter::repeat(""));
        let lines = wrapped(&evidence::sources_shown(&run.state.sources), room).into_iter().zip(labels);
        let lines = lines.map(|(text, label)| Row { label, text: Some(text), permille: None });
        rows.splice(FIGURES.min(rows.len())..FIGURES.min(rows.len()), lines);
    }
    for (at, line) in rows.iter().take(inside.height.into()).enumerate() {
        draw(line, row(inside, u16::try_from(at).unwrap_or(u16::MAX)), look, buf);
    }
}

fn draw(line: &Row, area: Rect, look: &Look, buf: &mut Buffer) {
    put(buf, area, line.label, look.of(Slot::Dim));
    let rest = crate::tui::canvas::from(area, LABEL);
    let Some(text) = &line.text else {
        put(buf, rest, "not available", look.of(Slot::Dim));
        return;
    };
    let end = match line.permille {
        Some(permille) if rest.width > 40 => {
            bar(buf, Rect { width: 16, ..rest }, permille, 1000, look);
            rest.x + 17
        }
        _ => rest.x,
    };
    put(buf, Rect { x: end, width: area.right().saturating_sub(end), ..area }, text, look.of(Slot::Text));
}

fn rows(telemetry: &Telemetry) -> Vec<Row> {
    let mut rows = vec![
        of("load", &telemetry.load, |load| {
            (
                format!(
                    "{} {} {}",
                    hundredths(load.hundredths_1m),
                    hundredths(load.hundredths_5m),
                    hundredths(load.hundredths_15m)
                ),
                None,
            )
        }),
        of("busy", &telemetry.busy_permille, |permille| (format!("{}%", permille / 10), Some(*permille))),
        of("memory", &telemetry.memory, |memory| {
            let text = format!("{} of {} GiB", gibibytes(memory.used()), gibibytes(memory.total));
            (text, Some((memory.used() * 1000).checked_div(memory.total).unwrap_or(0)))
        }),
        of("pressure", &telemetry.memory_pressure, |pressure| {
            let text = format!("some {}%  full {}%", hundredths(pressure.some), hundredths(pressure.full));
            (text, None)
        }),
        of("clocks", &telemetry.frequencies, |f| {
            let mega = |khz: u64| khz / 1000;
            let text = format!("{} to {} MHz, mean {}", mega(f.min_khz), mega(f.max_khz), mega(f.mean_khz));
            (text, None)
        }),
    ];
    sensors(&mut rows, "temp", &telemetry.temperatures, |value| format!("{} C", tenths(value / 100)));
    sensors(&mut rows, "fan", &telemetry.fans, |value| format!("{value} rpm"));
    sensors(&mut rows, "power", &telemetry.power, |value| format!("{} W", tenths(value / 100_000)));
    rows
}

fn of<T>(label: &'static str, source: &Source<T>, show: impl Fn(&T) -> (String, Option<u64>)) -> Row {
    match source {
        Source::Available { value } => {
            let (text, permille) = show(value);
            Row { label, text: Some(text), permille }
        }
        _ => Row { label, text: None, permille: None },
    }
}

/// A row a sensor, the label at the first.
fn sensors(rows: &mut Vec<Row>, label: &'static str, source: &Source<Vec<Reading>>, show: impl Fn(i64) -> String) {
    let readings = match source {
        Source::Available { value } if !value.is_empty() => value,
        _ => return rows.push(Row { label, text: None, permille: None }),
    };
    for (at, reading) in readings.iter().enumerate() {
        let label = if at == 0 { label } else { "" };
        let text = format!("{:<8} {} {}", show(reading.value), reading.chip, reading.label);
        rows.push(Row { label, text: Some(text), permille: None });
    }
}

fn tenths(value: i64) -> String {
    let sign = if value < 0 { "-" } else { "" };
    format!("{sign}{}.{}", value.unsigned_abs() / 10, value.unsigned_abs() % 10)
}

fn hundredths(value: u64) -> String {
    format!("{}.{:02}", value / 100, value % 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures() {
        assert_eq!((tenths(812), tenths(-5)), ("81.2".to_owned(), "-0.5".to_owned()));
        assert_eq!(hundredths(107), "1.07");
        assert_eq!(gibibytes(3 << 29), "1.5");
    }
}
