//! The lines at the bottom: what has to be said, the headless command of what is on screen, and the keys that work here
//! and now, from the one table of actions.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::domain::sanitize;
use crate::domain::theme::Slot;
use crate::tui::actions::{Pane, Row, TABLE};
use crate::tui::available;
use crate::tui::canvas::{Line, fitting, paint, put};
use crate::tui::command_line;
use crate::tui::dialogs;
use crate::tui::model::{Asks, Model, Subject, Tone};

/// What has to be said, or the line that is being typed.
pub fn message(model: &Model, area: Rect, buf: &mut Buffer) {
    let look = &model.look;
    if let Some(prompt) = &model.prompt {
        let label = match prompt.asks {
            Asks::Find(_) => "search: ",
            Asks::Runs => "filter (fail, flow:mem, unit:SN12): ",
            Asks::Log => "search the log: ",
            Asks::LogFilter => "show only lines with: ",
        };
        let end = put(buf, area, label, look.of(Slot::Accent));
        let rest = Rect { x: end, width: area.right().saturating_sub(end), ..area };
        dialogs::field(rest, buf, &prompt.field, true, look);
        return;
    }
    if let Some(notice) = &model.notice {
        let slot = match notice.tone {
            Tone::Good => Slot::Good,
            Tone::Warning => Slot::Warning,
            Tone::Error => Slot::Error,
        };
        let text = format!("! {}", sanitize::line(&notice.text));
        put(buf, area, &fitting(&text, area.width.into()), look.of(slot));
        return;
    }
    if let Some((_, what)) = model.waiting {
        put(buf, area, &format!("{what} ..."), look.of(Slot::Accent));
        return;
    }
    if let Some(error) = model.workspace_errors.first() {
        let more = model.workspace_errors.len() - 1;
        let more = if more > 0 { format!(" (and {more} more)") } else { String::new() };
        put(buf, area, &fitting(&format!("! {error}{more}"), area.width.into()), look.of(Slot::Error));
        return;
    }
    if let Subject::Run(run) = &model.subject
        && let Some(damage) = run.damage.first()
    {
        put(buf, area, &fitting(&format!("! record damaged: {damage}"), area.width.into()), look.of(Slot::Warning));
    }
}

/// `= road_runner run ...`.
pub fn command(model: &Model, area: Rect, buf: &mut Buffer) {
    let look = &model.look;
    let text = format!("= {}", command_line::of(model));
    put(buf, area, &fitting(&text, area.width.into()), look.of(Slot::Dim));
}

/// The keys that work here and now, the most wanted first, as many as fit.
pub fn keys(model: &Model, area: Rect, buf: &mut Buffer) {
    let look = &model.look;
    paint(buf, area, look.of(Slot::Footer));
    let base = look.of(Slot::Footer);
    let mut rows: Vec<&Row> = TABLE
        .iter()
        .filter(|row| row.rank > 0 && row.places & model.focus.place() != 0)
        .filter(|row| available::refusal(model, row.action).is_none())
        .collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.rank));
    let mut line = Line::new();
    let movement = match model.focus {
        Pane::Shmoo => Some("hjkl"),
        Pane::Telemetry => None,
        _ => Some("jk"),
    };
    if let Some(movement) = movement {
        line.push(movement, base.patch(look.of(Slot::Key)));
        line.push(" move  ", base);
    }
    for row in rows {
        let Some(keys) = model.keymap.keys(row.action as usize).first() else { continue };
        let keys = keys.to_string();
        let label = format!(" {}  ", row.label);
        if line.width() + keys.len() + label.len() > usize::from(area.width) + 2 {
            continue;
        }
        line.push(keys, base.patch(look.of(Slot::Key)));
        line.push(label, base);
    }
    line.draw(area, buf);
}

/// The panes by number, where one is shown at a time.
pub fn bar(model: &Model, area: Rect, buf: &mut Buffer) {
    let look = &model.look;
    let mut line = Line::new();
    for pane in Pane::ALL {
        let here = pane == model.focus;
        let text = if here || area.width >= 56 {
            format!("{} {}", pane.number(), pane.title())
        } else {
            pane.number().to_string()
        };
        line.push(text, look.of(if here { Slot::TitleFocus } else { Slot::Title }));
        line.push(" ", look.of(Slot::Text));
    }
    line.draw(area, buf);
}
