//! Every way to stop a sweep from the keyboard, and what its journals say of it.

use super::bench::Rig;
use super::running::held;
use super::{Terminal, wait_until};

/// The question how the run is to be stopped, which begins on keeping it.
fn asked(terminal: &mut Terminal, key: &str) {
    terminal.press(key);
    terminal.wait_text("Stop the run?");
    terminal.wait_text("▸ [ Keep running ]");
}

/// Waits until the run of the application has been cancelled; returns why.
fn cancelled(rig: &Rig, terminal: &mut Terminal) -> Vec<String> {
    terminal.wait_text("the run has ended: aborted (exit 130)");
    let (_, state) = rig.ended();
    assert_eq!(state.end.map(|(_, code)| code), Some(130));
    // What was only watched has no code for us.
    terminal.press("q");
    assert_eq!(terminal.left(), 0);
    state.cancels.iter().map(|reason| reason.as_str().to_owned()).collect()
}

#[test]
fn after_this_step() {
    let rig = Rig::holding();
    let mut terminal = held(&rig, (100, 30));
    asked(&mut terminal, "x");
    terminal.press("j");
    terminal.wait_text("▸ [ Finish this step, then stop ]");
    terminal.press("\r");
    terminal.wait_text("asked to stop after this step");
    terminal.wait_text("stopping: ");
    rig.leave("go");
    assert_eq!(cancelled(&rig, &mut terminal), ["stop_after_step"]);
}

#[test]
fn now() {
    let rig = Rig::holding();
    let mut terminal = held(&rig, (100, 30));
    asked(&mut terminal, "x");
    terminal.press("k");
    terminal.wait_text("▸ [ Stop now ]");
    terminal.press("\r");
    assert_eq!(cancelled(&rig, &mut terminal), ["interrupt"]);
}

#[test]
fn by_interrupts_which_kill_at_last() {
    let rig = Rig::holding();
    let deaf = super::bench::PROBE.replacen('\n', "\ntrap '' TERM INT\n", 1);
    rig.0.program("diags/probe.sh", &deaf);
    let mut terminal = held(&rig, (100, 30));
    asked(&mut terminal, "\x03");
    terminal.wait_text("0 of 3 sub-runs are done; what is recorded stays");
    terminal.press("\x03");
    terminal.wait_text("it was asked to stop");
    let id = rig.runs().pop().unwrap();
    wait_until("the interrupt in the journal", || (rig.state(&id).cancels.len() == 1).then_some(()));
    terminal.press("\x03");
    terminal.wait_text("it has ended");
    terminal.press("\x1b");
    assert_eq!(cancelled(&rig, &mut terminal), ["interrupt", "kill"]);
}

#[test]
fn not_at_all() {
    let rig = Rig::holding();
    let mut terminal = held(&rig, (80, 24));
    for key in ["\r", "\x1b", "n", "q"] {
        asked(&mut terminal, "x");
        terminal.press(key);
        terminal.wait_gone("Stop the run?");
    }
    rig.goes_on_to_its_end();
    terminal.wait_text("the run has ended: pass (exit 0)");
    terminal.press("q");
    assert_eq!(terminal.left(), 0);
}

#[test]
fn when_leaving() {
    let rig = Rig::holding();
    let mut terminal = held(&rig, (80, 24));
    terminal.press("q");
    terminal.wait_text("▸ [ Leave ]");
    terminal.press("\t");
    terminal.wait_text("▸ [ Stop the run ]");
    terminal.press("\r");
    terminal.wait_text("▸ [ Keep running ]");
    terminal.press("k\r");
    assert_eq!(cancelled(&rig, &mut terminal), ["interrupt"]);
}

#[test]
fn a_run_of_a_command_line_gives_its_code() {
    let rig = Rig::holding();
    let mut terminal = rig.open(&["run", "--yes", "--flow", "smoke", "--margin", "smoke"], (80, 24));
    rig.wait_file("up-1000000");
    terminal.wait_text("RUN ");
    asked(&mut terminal, "x");
    terminal.press("k\r");
    terminal.wait_text("the run has ended: aborted (exit 130)");
    terminal.press("q");
    assert_eq!(terminal.left(), 130);
    assert!(terminal.shown().contains("verdict   aborted (exit 130)"), "{}", terminal.shown());
}
