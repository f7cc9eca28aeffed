//! What a frame costs: a matrix of 3,600 cells, steps and a log on screens of 120 by 36 and 200 by 60, against filling a
//! bare buffer of that size in the same run; and the bytes that reach the terminal when one cell has changed.

#![expect(clippy::expect_used, reason = "a bench that cannot do its work stops")]

mod common;

use std::cell::RefCell;
use std::io::{self, Write};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::{Terminal, TerminalOptions, Viewport};
use road_runner::commands::plan::{self, Asked};
use road_runner::domain::event::{Recorded, RunEvent, SubrunClosed, SubrunFinished, SubrunStarted};
use road_runner::domain::keymap::Keymap;
use road_runner::domain::run_state::{RunHeader, RunState};
use road_runner::domain::theme::Depth;
use road_runner::domain::time::Timestamp;
use road_runner::domain::verdict::{Effects, Verdict};
use road_runner::input::themes::Themes;
use road_runner::store::layout::RunDir;
use road_runner::store::run_id::RunId;
use road_runner::tui::actions;
use road_runner::tui::canvas::Look;
use road_runner::tui::message::{Msg, Opened};
use road_runner::tui::model::{Model, Surroundings};
use road_runner::tui::palette::Palette;
use road_runner::tui::screen::Screen;
use road_runner::tui::update::update;
use road_runner::tui::view::view;

use common::figures::{self, Figure};
use common::workspace::{Workspace, context};

const FRAMES: u32 = 400;
const ID: &str = "rr-20250101T010101Z-abc123";

fn main() {
    let workspace = Workspace::on_disk();
    workspace.write("diags/true.sh", "#!/bin/sh\n");
    workspace.write("adapters/nothing.yaml", "name: nothing\ndescription: Nothing.\npath: diags/true.sh\n");
    workspace.write("flows/one.yaml", "name: one\nsteps: [ { name: t, adapter: nothing, repeat: 3 } ]\n");
    workspace.write(
        "margins/square.yaml",
        "name: square\nglobal_seed: 1\ndefault:\n  core:\n    frequency: { from: 2GHz, to: 2590MHz, step: 10MHz }\n    \
         voltage: { from: 1V, to: 882mV, step: -2mV }\n",
    );
    let context = context(workspace.path());
    let asked = Asked { flow: "one".to_owned(), margin: "square".to_owned(), unit: None, seed: None };
    let plan = Arc::clone(plan::prepare(&context, &asked).expect("a plan").plan());
    assert_eq!(plan.experiment.sub_runs(), 3600);
    let mut figures = vec![];
    let mut bytes = vec![];
    for (width, height) in [(120, 36), (200, 60)] {
        let mut frame = Figure::new(&format!("a frame at {width}x{height}"), "ms");
        let mut event = Figure::new(&format!("a cell's events and the frame at {width}x{height}"), "ms");
        let mut state = RunState::new(header(), Arc::clone(&plan));
        for index in 0..2000 {
            for recorded in finish(index) {
                state.apply(&recorded);
            }
        }
        state.status = road_runner::domain::event::RunStatus::Running;
        let mut model = opened(&workspace, (width, height), state);
        let sink = Counted::default();
        let area = Rect::new(0, 0, width, height);
        let options = TerminalOptions { viewport: Viewport::Fixed(area) };
        let mut terminal = Terminal::with_options(Screen::new(sink.clone()), options).expect("a terminal");
        let mut draw = |model: &Model| {
            terminal.draw(|frame| view(model, frame.area(), frame.buffer_mut())).expect("a frame");
        };
        draw(&model);
        // The cursor stays where it is: one cell changes, and what counts it.
        let ticket = model.run().expect("a run").ticket;
        for index in 2000..2000 + FRAMES {
            let floor = bare(area);
            let begun = Instant::now();
            draw(&model);
            frame.add(floor, millis(begun));
            let floor = bare(area);
            sink.0.borrow_mut().clear();
            let begun = Instant::now();
            drop(update(&mut model, Msg::Events(ticket, finish(index)), now()));
            draw(&model);
            event.add(floor, millis(begun));
            bytes.push((width, sink.0.borrow().len()));
        }
        figures.extend([frame, event]);
    }
    figures::print(&format!("frames of 3,600 cells, against a bare buffer; {FRAMES} frames"), &figures);
    for wanted in [120, 200] {
        let mut sizes: Vec<usize> = bytes.iter().filter(|(width, _)| *width == wanted).map(|(_, size)| *size).collect();
        sizes.sort_unstable();
        let (median, most) = (sizes[sizes.len() / 2], sizes[sizes.len() - 1]);
        println!("bytes when one cell has changed, {wanted} columns: median {median}, most {most}");
    }
}

fn header() -> RunHeader {
    RunHeader { run_id: ID.to_owned(), source_run: None, dry_run: false, version: "0".to_owned() }
}

fn now() -> Timestamp {
    Timestamp::parse("2025-01-01T01:30:00.000Z").expect("a time")
}

/// A sub-run from its start to its end.
fn finish(index: u32) -> Vec<Recorded> {
    let id = format!("{ID}-s{index:04}");
    let verdict = if index % 60 > 40 { Verdict::Fail } else { Verdict::Pass };
    let events: [RunEvent; 3] = [
        SubrunStarted { id: id.clone(), index }.into(),
        SubrunClosed { verdict, reason: None, effects: Effects::new() }.into(),
        SubrunFinished { id, index, verdict, effects: std::collections::BTreeSet::new(), reason: None }.into(),
    ];
    let seq = u64::from(index) * 3;
    let numbered = events.into_iter().zip(seq..);
    numbered.map(|(event, seq)| Recorded { seq, at: now(), event }).collect()
}

fn opened(workspace: &Workspace, size: (u16, u16), state: RunState) -> Model {
    let themes = Themes::read(workspace.path(), None);
    let theme = themes.find("default").and_then(|entry| entry.theme.clone()).expect("a theme");
    let look = Look { palette: Palette::new(&theme, Depth::True), ascii: false, motion: true };
    let around = Surroundings {
        workspace: PathBuf::from("/ws"),
        workspace_is_found: true,
        runs: None,
        depth: Depth::True,
        host: "bench".to_owned(),
    };
    let keymap = Keymap::defaults(&actions::bindable()).expect("keys");
    let mut model = Model::new(size, look, around, keymap, now());
    let ticket = model.ticket();
    model.pending = Some(ticket);
    let runs = workspace.path().join("runs");
    std::fs::create_dir_all(runs.join(ID)).expect("a folder");
    let dir = RunDir::open(&runs, &RunId::parse(ID).expect("an id")).expect("a run");
    let opened = Opened { dir, state, live: true, stands_in: false, damage: vec![] };
    drop(update(&mut model, Msg::Opened(ticket, Box::new(opened)), now()));
    model.board.following = false;
    model
}

/// A buffer of that size made and filled.
fn bare(area: Rect) -> f64 {
    let begun = Instant::now();
    let mut buffer = Buffer::empty(area);
    for y in 0..area.height {
        buffer.set_stringn(0, y, "x".repeat(area.width.into()), area.width.into(), Style::new());
    }
    std::hint::black_box(buffer);
    millis(begun)
}

fn millis(begun: Instant) -> f64 {
    begun.elapsed().as_secs_f64() * 1000.0
}

/// What would reach the terminal.
#[derive(Clone, Default)]
struct Counted(Rc<RefCell<Vec<u8>>>);

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
