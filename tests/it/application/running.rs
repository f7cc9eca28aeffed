//! Watching a sweep: to its end, at any size, from another terminal; and coming back to one that went on.

use super::bench::{Rig, cells, read};
use super::{Terminal, text, wait_until};

/// Starts what is previewed.
pub fn start(terminal: &mut Terminal) {
    terminal.wait_text("3 points, 3 exec");
    terminal.press("S");
    confirm(terminal, "Run 3 points");
}

/// Presses a button of the confirmation, the last one.
pub fn confirm(terminal: &mut Terminal, button: &str) {
    terminal.wait_text("CONFIRM HARDWARE MARGINS");
    terminal.wait_typed_ahead();
    terminal.press("\x1b[Z");
    terminal.wait_text(&format!("▸ [ {button} ]"));
    terminal.press("\r");
    terminal.wait_gone("CONFIRM HARDWARE MARGINS");
}

/// A run that is held in its first step, in the application.
pub fn held(rig: &Rig, size: (u16, u16)) -> Terminal {
    let mut terminal = rig.open(&[], size);
    start(&mut terminal);
    rig.wait_file("up-1000000");
    terminal.wait_text("RUN ");
    terminal
}

#[test]
fn cells_fill_and_the_end_is_told() {
    let rig = Rig::holding();
    rig.leave("fails");
    let mut terminal = held(&rig, (120, 36));
    terminal.wait_text("0/3");
    terminal.wait_text("> running 1");
    rig.leave("go-1000000");
    terminal.wait_text("1/3");
    terminal.wait_text("+ pass 1");
    rig.leave("go-950000");
    terminal.wait_text("2/3");
    rig.leave("go");
    terminal.wait_text("the run has ended: fail (exit 1)");
    terminal.wait_text("+ pass 2");
    terminal.wait_text("X fail 1");
    terminal.wait_text("past run");
    terminal.wait_text("fail, exit 1");
    // Nothing goes on any more: it leaves at once, and the end of a run that was only watched is no failure of ours.
    terminal.press("q");
    assert_eq!(terminal.left(), 0);
    assert_eq!(cells(&rig.ended().1), "++X");
}

#[test]
fn a_command_line_gets_the_code_and_the_summary_of_its_run() {
    let rig = Rig::new();
    rig.leave("fails");
    let mut terminal = rig.open(&["run", "--flow", "smoke", "--margin", "smoke", "--unit", "SN1"], (100, 30));
    confirm(&mut terminal, "Run 3 points");
    terminal.wait_text("the run has ended: fail (exit 1)");
    terminal.press("q");
    assert_eq!(terminal.left(), 1);
    let shown = terminal.shown();
    for wanted in ["run       rr-", "verdict   fail (exit 1)", "sub-runs  3: 2 pass, 1 fail", "record    "] {
        assert!(shown.contains(wanted), "{wanted}\n{shown}");
    }
    let (id, _) = rig.ended();
    assert!(read(rig.run_dir(&id).join("summary.json")).contains("\"unit\": \"SN1\""));
}

#[test]
fn what_was_confirmed_by_a_flag_is_watched_at_once() {
    let rig = Rig::holding();
    let mut terminal = rig.open(&["run", "--yes", "--flow", "smoke", "--margin", "smoke"], (80, 24));
    rig.wait_file("up-1000000");
    terminal.wait_text("RUN ");
    terminal.wait_text("0/3");
    assert!(!terminal.shown().contains("CONFIRM"));
    rig.leave("go");
    terminal.wait_text("the run has ended: pass (exit 0)");
    terminal.press("q");
    assert_eq!(terminal.left(), 0);
}

#[test]
fn leaving_lets_it_go_on_and_coming_back_finds_it() {
    let rig = Rig::holding();
    let mut terminal = held(&rig, (100, 30));
    terminal.press("q");
    terminal.wait_text("goes on without this screen.");
    terminal.press("q");
    assert_eq!(terminal.left(), 0);
    let id = rig.runs().pop().unwrap();
    let shown = terminal.shown();
    assert!(shown.contains(&format!("{id} goes on; come back with\n  road_runner\n")), "{shown}");
    drop(terminal);
    // It is opened by itself, and its cells are those of before.
    let mut again = rig.open(&[], (100, 30));
    again.wait_text("RUN ");
    again.wait_text("0/3");
    rig.leave("go-1000000");
    again.wait_text("1/3");
    rig.leave("go");
    again.wait_text("the run has ended: pass (exit 0)");
    again.press("q");
    assert_eq!(again.left(), 0);
    assert_eq!(rig.runs(), [id]);
    rig.goes_on_to_its_end();
}

#[test]
fn a_headless_run_of_another_terminal_is_watched() {
    let rig = Rig::holding();
    let words = crate::cli::words("run --no-tui --yes --flow memory --margin smoke -q");
    let headless = rig.0.real(&words).stdout(std::process::Stdio::piped()).spawn().unwrap();
    rig.wait_file("up-1000000");
    let mut terminal = rig.open(&[], (120, 36));
    terminal.wait_text("RUN ");
    terminal.wait_text("step 1/2");
    rig.leave("go-1000000");
    terminal.wait_text("1/3");
    // Leaving says that it goes on.
    terminal.press("q");
    terminal.wait_text("goes on without this screen.");
    terminal.press("\x1b");
    terminal.wait_gone("goes on without");
    rig.leave("go");
    terminal.wait_text("the run has ended: pass (exit 0)");
    terminal.press("q");
    assert_eq!(terminal.left(), 0);
    assert_eq!(headless.wait_with_output().unwrap().status.code(), Some(0));
}

#[test]
fn every_size_shows_the_sweep_and_none_harms_it() {
    let rig = Rig::holding();
    let mut terminal = held(&rig, (120, 36));
    for (size, wanted, unwanted) in [
        ((80, 24), "5 Steps", "= road_runner"),
        // One pane and a bar of panes.
        ((40, 10), "1 Flows 2 3 4 5 6 7", "5 Steps"),
        // A status line.
        ((20, 5), "RUN ", "1 Flows"),
        ((1, 1), "", "RUN "),
        ((200, 60), "7 Telemetry", "1 Flows 2 3"),
    ] {
        terminal.resize(size.0, size.1);
        terminal.wait_for(&format!("{wanted}, no {unwanted} at {size:?}"), |screen| {
            let shown = text(screen);
            shown.contains(wanted) && !shown.contains(unwanted)
        });
    }
    terminal.wait_text("0/3");
    rig.leave("go");
    terminal.wait_text("the run has ended: pass (exit 0)");
    // Everything was drawn anew: frames stand where they belong.
    wait_until("corners", || terminal.shown().lines().nth(1)?.contains("┐┌").then_some(()));
    terminal.press("q");
    assert_eq!(terminal.left(), 0);
    assert_eq!(cells(&rig.ended().1), "+++");
}
