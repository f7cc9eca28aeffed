//! The real loop on a test backend: every screen in every size and theme once, its text and a legend of its styles, and
//! properties from 1x1 to 300x100.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::mpsc::channel;

use proptest::prelude::*;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::style::Style;

use super::*;
use crate::commands::proposal::GoesOn;
use crate::domain::event::Applied;
use crate::domain::theme::Depth;
use crate::domain::time::Timestamp;
use crate::input::themes::Themes;
use crate::tui::message::{Effect, Exit, Msg};
use crate::tui::palette::Palette;
use crate::tui::run_loop::{self, Stage};
use crate::tui::schedule::Schedule;
use crate::tui::testing::{empty, live, now, observed, past, press, previewed, proposed, send, with_runs};

/// A stage on which nothing is done.
struct Nothing;

impl Stage<TestBackend> for Nothing {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(now().millis() + 1000).unwrap()
    }

    fn perform(&mut self, _: &mut Terminal<TestBackend>, _: &mut Model, _: Effect) -> std::io::Result<()> {
        Ok(())
    }
}

/// Runs the real loop over some messages until all of them are drawn; the screen.
fn drawn(mut model: Model, messages: Vec<Msg>) -> Buffer {
    let (width, height) = model.size;
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    let (out, inbox) = channel();
    for message in messages {
        out.send(message).unwrap();
    }
    // Nobody sends any more: the loop ends once it has drawn the last change.
    drop(out);
    let exit = run_loop::run(&mut terminal, &mut model, &inbox, &mut Nothing, Schedule::new(false)).unwrap();
    assert_eq!(exit, Exit::Left);
    terminal.backend().buffer().clone()
}

fn text(buffer: &Buffer) -> String {
    let area = buffer.area;
    let line = |y: u16| (0..area.width).map(|x| buffer[(x, y)].symbol()).collect::<String>().trim_end().to_owned();
    (0..area.height).map(line).collect::<Vec<_>>().join("\n")
}

/// Each style with how many cells have it and the first words in it.
fn legend(buffer: &Buffer) -> String {
    let mut styles: BTreeMap<String, (usize, String)> = BTreeMap::new();
    for cell in &buffer.content {
        let style: Style = cell.style();
        let name = format!("{:?}/{:?} {:?}", style.fg.unwrap_or_default(), style.bg.unwrap_or_default(), cell.modifier);
        let (count, sample) = styles.entry(name).or_default();
        *count += 1;
        if sample.chars().count() < 12 && cell.symbol() != " " {
            sample.push_str(cell.symbol());
        }
    }
    let mut out = String::new();
    for (name, (count, sample)) in styles {
        writeln!(out, "{name}: {count} {sample}").unwrap();
    }
    out
}

/// The screens: what is shown, and the keys that lead there.
fn screens(size: (u16, u16)) -> Vec<(&'static str, Model)> {
    let keyed = |mut model: Model, keys: &str| {
        with_runs(&mut model);
        drop(press(&mut model, keys));
        model
    };
    vec![
        ("empty", empty(size)),
        ("preview", keyed(previewed(size, &[]), "")),
        ("outside", keyed(previewed(size, &[2, 5]), "4")),
        ("past", keyed(past(size), "4 } Space")),
        ("news", keyed(observed(size), "4 }")),
        ("step", keyed(observed(size), "4 } 5 j z")),
        ("sources", keyed(observed(size), "7 z")),
        ("live", keyed(live(size), "5")),
        ("runs", keyed(past(size), "3 j Space")),
        ("refused", keyed(previewed(size, &[2]), "S")),
        ("stop", keyed(live(size), "x")),
        ("leave", keyed(live(size), "q")),
        ("unit", keyed(previewed(size, &[]), "u")),
        ("help", keyed(previewed(size, &[]), "?")),
        ("palette", keyed(past(size), ": r e")),
        ("theme", keyed(past(size), "T")),
        ("axes", keyed(past(size), "4 X")),
        ("filter", keyed(past(size), "3 / f a")),
        ("zoom", keyed(past(size), "4 z")),
        ("telemetry", keyed(past(size), "7")),
        ("confirm", asked(size, 3)),
    ]
}

/// The confirmation over a preview.
fn asked(size: (u16, u16), on_a_limit: u32) -> Model {
    let mut model = previewed(size, &[]);
    let mut proposed = proposed(on_a_limit, Some("SN123456"));
    proposed.proposal.unapplied = vec!["core.voltage".to_owned()];
    proposed.proposal.applied.insert("core.voltage".to_owned(), Applied::None);
    model.dialog = Some(dialogs::confirm::open(proposed, now()));
    model
}

/// One screen at one size.
fn screen(name: &str, size: (u16, u16)) -> String {
    let (_, model) = screens(size).into_iter().find(|(screen, _)| *screen == name).unwrap();
    text(&drawn(model, vec![]))
}

#[test]
fn a_preview_in_three_sizes() {
    insta::assert_snapshot!("a_preview_in_three_sizes", screen("preview", (80, 24)));
    insta::assert_snapshot!("a_preview_in_three_sizes_2", screen("preview", (120, 36)));
    insta::assert_snapshot!("a_preview_in_three_sizes_3", screen("preview", (200, 60)));
}

#[test]
fn a_past_run_in_two_sizes() {
    insta::assert_snapshot!("a_past_run_in_two_sizes", screen("past", (80, 24)));
    insta::assert_snapshot!("a_past_run_in_two_sizes_2", screen("past", (120, 36)));
}

#[test]
fn what_the_hardware_said() {
    insta::assert_snapshot!("what_the_hardware_said", screen("news", (80, 24)));
    insta::assert_snapshot!("what_the_hardware_said_2", screen("news", (120, 36)));
    insta::assert_snapshot!("what_the_hardware_said_3", screen("step", (80, 24)));
    insta::assert_snapshot!("what_the_hardware_said_4", screen("sources", (80, 24)));
}

#[test]
fn a_live_run() {
    insta::assert_snapshot!("a_live_run", screen("live", (80, 24)));
    insta::assert_snapshot!("a_live_run_2", screen("live", (200, 60)));
}

#[test]
fn what_lies_outside() {
    insta::assert_snapshot!("what_lies_outside", screen("outside", (80, 24)));
    insta::assert_snapshot!("what_lies_outside_2", screen("refused", (80, 24)));
}

#[test]
fn the_confirmation_says_how_far_a_rail_is_from_its_bounds_in_every_size() {
    insta::assert_snapshot!("confirm", screen("confirm", (80, 24)));
    for width in 60..=200 {
        let shown = text(&drawn(asked((width, 40), 0), vec![]));
        for wanted in ["headroom", "applied by", "nobody", "[ Abort ]", "[ Run 12 points ]", "nothing here moves it"] {
            assert!(shown.contains(wanted), "{wanted} at {width}\n{shown}");
        }
    }
}

#[test]
fn the_confirmation_of_a_run_that_goes_on_says_from_where() {
    let mut model = previewed((80, 24), &[]);
    let mut proposed = proposed(0, None);
    proposed.proposal.goes_on = Some(GoesOn { says: "run rr-1: the host went down".to_owned(), sub_runs: 1 });
    model.dialog = Some(dialogs::confirm::open(proposed, now()));
    let shown = text(&drawn(model, vec![]));
    for wanted in ["! run rr-1: the host went down", "[ Go on with 1 point ]"] {
        assert!(shown.contains(wanted), "{wanted}\n{shown}");
    }
}

#[test]
fn dialogs() {
    insta::assert_snapshot!("dialogs", screen("stop", (80, 24)));
    insta::assert_snapshot!("dialogs_2", screen("leave", (80, 24)));
    insta::assert_snapshot!("dialogs_3", screen("unit", (80, 24)));
    insta::assert_snapshot!("dialogs_4", screen("help", (80, 24)));
    insta::assert_snapshot!("dialogs_5", screen("palette", (80, 24)));
    insta::assert_snapshot!("dialogs_6", screen("axes", (80, 24)));
}

#[test]
fn lists_and_small_screens() {
    insta::assert_snapshot!("lists_and_small_screens", screen("runs", (120, 36)));
    insta::assert_snapshot!("lists_and_small_screens_2", screen("filter", (80, 24)));
    insta::assert_snapshot!("lists_and_small_screens_3", screen("zoom", (80, 24)));
    insta::assert_snapshot!("lists_and_small_screens_4", screen("past", (50, 14)));
    insta::assert_snapshot!("lists_and_small_screens_5", screen("live", (36, 6)));
    insta::assert_snapshot!("lists_and_small_screens_6", screen("empty", (80, 24)));
}

#[test]
fn every_theme_has_its_styles_on_a_run() {
    let themes = Themes::read(std::path::Path::new("/nonexistent"), None);
    let mut out = String::new();
    for theme in themes.entries.iter().filter_map(|entry| entry.theme.as_ref()) {
        let mut model = past((80, 24));
        model.look.palette = Palette::new(theme, Depth::True);
        writeln!(out, "# {}\n{}", theme.name, legend(&drawn(model, vec![]))).unwrap();
    }
    insta::assert_snapshot!("every_theme_has_its_styles_on_a_run", out);
}

#[test]
fn without_colours_what_matters_has_an_attribute() {
    insta::assert_snapshot!("without_colours_what_matters_has_an_attribute", legend(&drawn(past((80, 24)), vec![])));
}

#[test]
fn every_screen_in_every_small_size() {
    for size in
        [(1, 1), (2, 2), (5, 3), (10, 10), (39, 9), (40, 10), (41, 11), (59, 12), (60, 10), (79, 23), (300, 100)]
    {
        for (name, model) in screens(size) {
            let buffer = drawn(model, vec![]);
            assert_eq!((buffer.area.width, buffer.area.height), size, "{name}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn no_size_and_no_storm_of_sizes_brings_it_down(
        sizes in proptest::collection::vec((1_u16..=300, 1_u16..=100), 1..6),
        which in 0_usize..18,
    ) {
        let mut all = screens((80, 24));
        let (name, mut model) = all.swap_remove(which);
        let focus = model.focus;
        for (width, height) in sizes {
            drop(send(&mut model, Msg::Resize(width, height)));
            let area = Rect::new(0, 0, width, height);
            let mut buffer = Buffer::empty(area);
            view(&model, area, &mut buffer);
            // A frame that is late: the screen is smaller than the model thinks.
            let small = Rect::new(0, 0, width.div_ceil(2), height.div_ceil(2));
            let mut buffer = Buffer::empty(small);
            view(&model, small, &mut buffer);
        }
        drop(send(&mut model, Msg::Resize(80, 24)));
        prop_assert_eq!(model.focus, focus);
        let (_, before) = screens((80, 24)).swap_remove(which);
        prop_assert_eq!(text(&drawn(model, vec![])), text(&drawn(before, vec![])), "{}", name);
    }

    #[test]
    fn no_keys_bring_it_down(keys in proptest::collection::vec(0_usize..70, 1..60), which in 0_usize..18) {
        let all = ["1", "2", "3", "4", "5", "6", "7", "Tab", "S-Tab", "j", "k", "h", "l", "g", "G", "ctrl-d", "ctrl-u",
            "Enter", "S", "u", "p", "D", "e", "r", "R", "c", "d", "o", "E", "/", "n", "N", "Space", "v", "}", "{", "]",
            "[", "X", "a", "f", "w", "t", "s", "&", "y", "x", "ctrl-c", "z", ":", "?", "T", "Y", "Esc", "M", "q", "i",
            "Backspace", "ctrl-w", "ctrl-a", "ctrl-e", "Delete", "Left", "Right", "Up", "Down", "Home", "End", "PgUp",
            "PgDn"];
        let (_, mut model) = screens((120, 36)).swap_remove(which);
        for key in keys {
            drop(press(&mut model, all[key]));
            let area = Rect::new(0, 0, 120, 36);
            view(&model, area, &mut Buffer::empty(area));
        }
    }
}

#[test]
fn a_thousand_changes_are_drawn_and_the_last_one_is_seen() {
    let mut messages: Vec<Msg> = (0..1000).map(|_| Msg::Tick).collect();
    messages.push(Msg::Done(Ok("the last word".to_owned())));
    let shown = text(&drawn(previewed((80, 24), &[]), messages));
    assert!(shown.contains("the last word"), "{shown}");
}
