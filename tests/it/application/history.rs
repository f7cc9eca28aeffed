//! Past runs from the keyboard: opened, run again whole or only where they failed, with what has changed since.

use std::fs;

use super::bench::{Rig, cells};
use super::running::confirm;

/// A workspace with a past run that failed at its last point.
fn failed() -> (Rig, String) {
    let rig = Rig::new();
    rig.leave("fails");
    assert_eq!(rig.told("run --yes -q --flow smoke --margin smoke --unit SN1").code, 1);
    let (id, _) = rig.ended();
    (rig, id)
}

#[test]
fn a_past_run_is_opened_in_the_same_panes() {
    let (rig, id) = failed();
    let mut terminal = rig.open(&[], (120, 36));
    terminal.wait_text("3 points, 3 exec");
    terminal.press("3");
    terminal.wait_text("nothing has drifted since");
    terminal.press("\r");
    for wanted in ["past run", "+ pass 2", "X fail 1", "fail, exit 1", "SN1"] {
        terminal.wait_text(wanted);
    }
    // To the cell that failed: its steps are those of its own sub-run.
    terminal.press("4}");
    terminal.wait_text("5 Steps  s02");
    terminal.wait_text("exit 1");
    terminal.wait_text(&format!("= road_runner runs show {id}"));
    terminal.press("q");
    assert_eq!(terminal.left(), 0);
    assert_eq!(rig.runs(), [id]);
}

#[test]
fn the_whole_run_again() {
    let (rig, id) = failed();
    fs::remove_file(rig.home().join("fails")).unwrap();
    let mut terminal = rig.open(&[], (100, 30));
    terminal.wait_text("3 points, 3 exec");
    terminal.press("3r");
    terminal.wait_text("3 of 3 points inside the policy.");
    confirm(&mut terminal, "Run 3 points");
    terminal.wait_text("the run has ended: pass (exit 0)");
    terminal.press("q");
    assert_eq!(terminal.left(), 0);
    let (_, state) = rig.ended_beside(&id);
    assert_eq!((state.header.source_run.as_deref(), cells(&state)), (Some(&*id), "+++".to_owned()));
    assert_eq!(state.plan.unit.as_deref(), Some("SN1"));
}

#[test]
fn only_what_failed_again_after_what_has_drifted() {
    let (rig, id) = failed();
    fs::remove_file(rig.home().join("fails")).unwrap();
    rig.0.edit("policy/safety.yaml", "max: 1100mV", "max: 1050mV");
    let mut terminal = rig.open(&[], (100, 30));
    terminal.wait_text("3 points, 3 exec");
    terminal.press("3R");
    terminal.wait_text("1 of 1 points inside the policy.");
    terminal.wait_text("! changed since the plan was made: bounds are tighter than when it was planned");
    terminal.wait_text("! changed since the plan was made: policy policy/safety.yaml was edited since");
    confirm(&mut terminal, "Run 1 point");
    terminal.wait_text("the run has ended: pass (exit 0)");
    terminal.press("q");
    assert_eq!(terminal.left(), 0);
    let (_, state) = rig.ended_beside(&id);
    assert_eq!((state.header.source_run.as_deref(), cells(&state)), (Some(&*id), "+".to_owned()));
    assert_eq!(state.plan.experiment.point(0).unwrap().shown(), "core 3.2GHz 900mV");
}

#[test]
fn only_what_is_marked_again() {
    let (rig, id) = failed();
    let mut terminal = rig.open(&[], (100, 30));
    terminal.wait_text("3 points, 3 exec");
    terminal.press("3\r");
    terminal.wait_text("past run");
    // The axis goes up to the right: 950 mV, which passed.
    terminal.press("4gl ");
    terminal.wait_text("s01 core 3.2GHz 950mV");
    terminal.press("R");
    terminal.wait_text("1 of 1 points inside the policy.");
    confirm(&mut terminal, "Run 1 point");
    terminal.wait_text("the run has ended: pass (exit 0)");
    terminal.press("q");
    assert_eq!(terminal.left(), 0);
    let (_, state) = rig.ended_beside(&id);
    assert_eq!(state.header.source_run.as_deref(), Some(&*id));
    assert_eq!(state.plan.experiment.point(0).unwrap().shown(), "core 3.2GHz 950mV");
}
