//! Files that are edited while the application shows them: lists and preview follow, a live run does not, and a
//! confirmation is disarmed.

use super::bench::{Rig, cells};
use super::running::held;

#[test]
fn an_edit_shows_in_list_and_preview() {
    let rig = Rig::new();
    let mut terminal = rig.open(&[], (120, 36));
    terminal.wait_text("3 points, 3 executions");
    rig.0.edit("margins/smoke.yaml", "to: 900mV", "to: 850mV");
    terminal.wait_text("4 points, 4 executions");
    terminal.wait_text("margins/smoke.yaml changed on disk");
    // As an editor saves: another file takes the name.
    let text = super::bench::read(rig.0.path("margins/smoke.yaml"));
    rig.0.write("margins/.smoke.yaml.swp", &text.replace("to: 850mV", "to: 800mV"));
    std::fs::rename(rig.0.path("margins/.smoke.yaml.swp"), rig.0.path("margins/smoke.yaml")).unwrap();
    terminal.wait_text("5 points, 5 executions");
    // A new file is a new row.
    rig.0.write("flows/zeta.yaml", "name: zeta\ndescription: Z.\nsteps: [ { name: a, adapter: probe } ]\n");
    terminal.wait_text("zeta.yaml");
    terminal.press("q");
    assert_eq!(terminal.left(), 0);
}

#[test]
fn a_broken_file_says_where() {
    let rig = Rig::new();
    let mut terminal = rig.open(&[], (120, 36));
    terminal.wait_text("3 points, 3 executions");
    rig.0.edit("margins/smoke.yaml", "step: -50mV", "step: -50mX");
    terminal.wait_text("! errors");
    terminal.wait_text("line 4:");
    terminal.wait_text("REFUSED: S shows all of it");
    terminal.press("S");
    terminal.wait_text("margins/smoke.yaml:4:");
    terminal.press("\x1b");
    rig.0.edit("margins/smoke.yaml", "step: -50mX", "step: -50mV");
    terminal.wait_text("bounds ok: S starts it");
    terminal.press("q");
    assert_eq!(terminal.left(), 0);
}

#[test]
fn a_live_run_keeps_its_plan() {
    let rig = Rig::holding();
    let mut terminal = held(&rig, (140, 36));
    rig.0.edit("margins/smoke.yaml", "to: 900mV", "to: 850mV");
    terminal.wait_text("margins/smoke.yaml changed on disk");
    terminal.wait_text("this run keeps its frozen plan, the next one uses the new file");
    terminal.wait_text("4 points");
    terminal.wait_text("0/3");
    rig.leave("go");
    terminal.wait_text("the run has ended: pass (exit 0)");
    terminal.press("q");
    assert_eq!(terminal.left(), 0);
    assert_eq!(cells(&rig.ended().1), "+++");
}

#[test]
fn what_changes_under_a_confirmation_disarms_it() {
    let rig = Rig::new();
    let mut terminal = rig.open(&[], (100, 30));
    terminal.wait_text("3 points, 3 exec");
    terminal.press("S");
    terminal.wait_text("CONFIRM HARDWARE MARGINS");
    terminal.wait_typed_ahead();
    terminal.press("\x1b[Z");
    terminal.wait_text("▸ [ Run 3 points ]");
    rig.0.edit("policy/safety.yaml", "max: 1100mV", "max: 1050mV");
    terminal.wait_text("DISARMED");
    // The focus goes back to Abort, and the button that starts does not.
    terminal.wait_text("▸ [ Abort ]");
    terminal.press("\x1b[Z");
    terminal.wait_text("▸ [ Run 3 points ]");
    terminal.press("\r");
    terminal.wait_text("policy/safety.yaml changed on disk: Esc, then look again");
    terminal.press("\x1b");
    terminal.wait_gone("CONFIRM HARDWARE MARGINS");
    terminal.press("q");
    assert_eq!(terminal.left(), 0);
    assert_eq!(rig.runs(), Vec::<String>::new());
}
