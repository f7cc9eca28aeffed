//! The target that opens a record on the screen and presses keys.

use std::path::PathBuf;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use road_runner::domain::chord::Keys;
use road_runner::domain::keymap::Keymap;
use road_runner::domain::sanitize;
use road_runner::domain::theme::{Depth, Theme};
use road_runner::domain::time::Timestamp;
use road_runner::store::record::Record;
use road_runner::store::{history, sub_run};
use road_runner::tui::actions;
use road_runner::tui::canvas::Look;
use road_runner::tui::message::{Effect, Msg, Opened};
use road_runner::tui::model::{Model, Surroundings};
use road_runner::tui::palette::Palette;
use road_runner::tui::update::update;
use road_runner::tui::{rows, view};

use super::records::stored;

/// A moment behind most records.
const NOW: i64 = 1_735_700_000_000;
/// Keys that are pressed.
const MOST: usize = 60;

/// The keys of its first line, on the record that the rest is: whatever is pressed, the screen can be drawn in any size, and
/// nothing that stands on it would move a cursor.
pub fn screen(data: &[u8]) {
    let cut = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
    let Ok(keys) = std::str::from_utf8(&data[..cut]) else { return };
    let runs = tempfile::tempdir().unwrap();
    let dir = stored(runs.path(), data.get(cut + 1..).unwrap_or_default());
    let listed = || history::list(runs.path()).unwrap();
    let lines = rows::runs(listed(), now());
    let record = Record::open(listed().remove(0));
    if record.plan.experiment.sub_runs() > 2000 {
        return;
    }
    let live = keys.starts_with("live");
    let folded = record.cells();
    let damage = folded.damage.iter().map(|damage| sanitize::escaped(&damage.to_string()).into_owned()).collect();
    let mut model = empty();
    let ticket = model.ticket();
    model.pending = Some(ticket);
    let opened = Opened { dir, state: folded.state, live, stands_in: record.stands_in, damage };
    sent(&mut model, Msg::Runs(lines));
    sent(&mut model, Msg::Opened(ticket, Box::new(opened)));
    drawn(&model);
    for word in keys.split(' ').take(MOST) {
        if let Some((width, height)) = word.split_once('x').and_then(|(w, h)| Some((w.parse().ok()?, h.parse().ok()?)))
        {
            let _: (u16, u16) = (width, height);
            sent(&mut model, Msg::Resize(width.min(200), height.min(60)));
        } else if let Some((column, row)) =
            word.split_once(',').and_then(|(c, r)| Some((c.parse().ok()?, r.parse().ok()?)))
        {
            sent(&mut model, Msg::Click { column, row });
        } else if let Ok(keys) = word.parse::<Keys>() {
            for chord in keys.chords() {
                sent(&mut model, Msg::Key(chord));
            }
        } else {
            sent(&mut model, Msg::Paste(word.to_owned()));
        }
        drawn(&model);
    }
}

fn now() -> Timestamp {
    Timestamp::from_millis(NOW).unwrap()
}

fn empty() -> Model {
    let around = Surroundings {
        workspace: PathBuf::from("/ws"),
        workspace_is_found: true,
        runs: None,
        depth: Depth::True,
        host: "bench".to_owned(),
    };
    let look = Look { palette: Palette::new(&Theme::colourless(), Depth::True), ascii: false, motion: false };
    Model::new((120, 36), look, around, Keymap::defaults(&actions::bindable()).unwrap(), now())
}

/// Sends a message, and answers what the screen asks of the record.
fn sent(model: &mut Model, msg: Msg) {
    for effect in update(model, msg, now()) {
        if let Effect::ReadSubRun(ticket, dir, header, plan, index) = effect {
            let state = road_runner::domain::run_state::RunState::new(*header, plan);
            let (executions, _) = sub_run::executions(&dir, &state, index);
            drop(update(model, Msg::SubRun(ticket, index, executions), now()));
        }
    }
}

fn drawn(model: &Model) {
    let area = Rect::new(0, 0, model.size.0, model.size.1);
    let mut buffer = Buffer::empty(area);
    view::view(model, area, &mut buffer);
    for cell in &buffer.content {
        let is_fit = !cell.symbol().chars().any(|c| sanitize::is_hostile(c) || matches!(c, '\n' | '\t'));
        assert!(is_fit, "{:?} on the screen", cell.symbol());
    }
}
