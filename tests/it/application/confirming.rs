//! The confirmation before hardware is moved: what it takes, what it passes over, and that nothing starts without it.

use super::Terminal;
use super::bench::{Rig, read};

/// The confirmation of what is previewed, ready for keys.
fn asked(terminal: &mut Terminal) {
    terminal.press("S");
    terminal.wait_text("CONFIRM HARDWARE MARGINS");
    terminal.wait_typed_ahead();
}

/// The application on the margin whose last point sits on a limit.
fn on_the_edge(rig: &Rig, arguments: &[&str]) -> Terminal {
    let mut terminal = rig.open(arguments, (100, 30));
    terminal.wait_text("3 points, 3 exec");
    terminal.press("2/edge\r\r");
    terminal.wait_text("▸ edge");
    terminal.wait_text("700mV");
    terminal
}

#[test]
fn what_was_typed_ahead_is_passed_over() {
    let rig = Rig::new();
    let mut terminal = rig.open(&[], (100, 30));
    terminal.wait_text("3 points, 3 exec");
    // On a busy machine a key may be read too late to be early; never thrice.
    let passed_over = (0..3).any(|_| {
        terminal.press("S");
        terminal.wait_text("CONFIRM HARDWARE MARGINS");
        terminal.press("n");
        terminal.wait_typed_ahead();
        let is_open = terminal.shown().contains("CONFIRM HARDWARE MARGINS");
        terminal.press("n");
        terminal.wait_gone("CONFIRM HARDWARE MARGINS");
        is_open
    });
    assert!(passed_over, "an early key aborted");
    terminal.wait_text("declined; nothing was started");
    terminal.press("q");
    assert_eq!(terminal.left(), 0);
    assert_eq!(rig.runs(), Vec::<String>::new());
}

#[test]
fn it_begins_on_abort_and_every_way_out_starts_nothing() {
    let rig = Rig::new();
    let mut terminal = rig.open(&[], (80, 24));
    terminal.wait_text("3 points, 3 exec");
    for key in ["n", "\x1b", "\x03", "\r"] {
        asked(&mut terminal);
        terminal.wait_text("▸ [ Abort ]");
        terminal.press(key);
        terminal.wait_gone("CONFIRM HARDWARE MARGINS");
        terminal.wait_text("declined; nothing was started");
    }
    // A mouse confirms nothing.
    asked(&mut terminal);
    terminal.press("\t\t");
    terminal.wait_text("▸ [ Run 3 points ]");
    let shown = terminal.shown();
    let row = shown.lines().position(|line| line.contains("[ Run 3 points ]")).unwrap();
    let line = shown.lines().nth(row).unwrap();
    let column = line[..line.find("Run 3").unwrap()].chars().count();
    terminal.press(&format!("\x1b[<0;{};{}M\x1b[<0;{};{}m", column + 1, row + 1, column + 1, row + 1));
    // A key after it: by then the mouse has been heard.
    terminal.press("\t");
    terminal.wait_text("▸ [ Abort ]");
    terminal.press("n");
    terminal.wait_gone("CONFIRM HARDWARE MARGINS");
    terminal.press("q");
    assert_eq!(terminal.left(), 0);
    assert_eq!(rig.runs(), Vec::<String>::new());
}

#[test]
fn a_point_on_a_limit_needs_the_serial() {
    let rig = Rig::new();
    let mut terminal = on_the_edge(&rig, &[]);
    asked(&mut terminal);
    terminal.wait_text("1 point sits on a limit.");
    terminal.wait_text("AT LIMIT");
    // Without one it does not start, and says where it is typed.
    terminal.press("\t\t\t");
    terminal.wait_text("▸ [ Run 3 points ]");
    terminal.press("\r");
    terminal.wait_gone("▸ [ Run 3 points ]");
    // Letters are text, and a scanner's Enter only moves on.
    terminal.press("SNnq1\r");
    terminal.wait_text("SNnq1");
    terminal.wait_text("▸ [ Edit margin ]");
    assert_eq!(rig.runs(), Vec::<String>::new());
    terminal.press("\t");
    terminal.wait_text("▸ [ Run 3 points ]");
    terminal.press("\r");
    terminal.wait_text("the run has ended: pass (exit 0)");
    terminal.press("q");
    assert_eq!(terminal.left(), 0);
    let (id, state) = rig.ended();
    assert_eq!(state.plan.unit.as_deref(), Some("SNnq1"));
    assert!(read(rig.run_dir(&id).join("summary.json")).contains("\"unit\": \"SNnq1\""));
}

#[test]
fn the_serial_of_another_unit_is_refused() {
    let rig = Rig::new();
    let mut terminal = on_the_edge(&rig, &[]);
    terminal.press("u");
    terminal.wait_text("Unit under test");
    terminal.press("SN1\r");
    terminal.wait_gone("Unit under test");
    asked(&mut terminal);
    terminal.wait_text("needs the unit's serial once more");
    // A scanner may paste.
    terminal.press("\t\x1b[200~SN2\n\x1b[201~\r\t");
    terminal.wait_text("▸ [ Run 3 points ]");
    terminal.wait_text("that is not the unit that was named");
    terminal.press("\r");
    terminal.wait_gone("▸ [ Run 3 points ]");
    assert_eq!(rig.runs(), Vec::<String>::new());
    terminal.press("\x7f1\r\t");
    terminal.wait_gone("┃ that is not the unit");
    terminal.wait_text("▸ [ Run 3 points ]");
    terminal.press("\r");
    terminal.wait_text("the run has ended: pass (exit 0)");
    terminal.press("q");
    assert_eq!(terminal.left(), 0);
    assert_eq!(rig.ended().1.plan.unit.as_deref(), Some("SN1"));
}

#[test]
fn what_a_command_line_asked_for_and_was_declined_has_its_exit_code() {
    let rig = Rig::new();
    let mut terminal = rig.open(&["run", "--flow", "smoke", "--margin", "square", "--unit", "SN7"], (80, 24));
    terminal.wait_text("CONFIRM HARDWARE MARGINS");
    for wanted in ["SN7", "smoke x square: 9 points, 9 executions, seed 7", "9 of 9 points inside the policy."] {
        terminal.wait_text(wanted);
    }
    terminal.wait_typed_ahead();
    terminal.press("n");
    assert_eq!(terminal.left(), 3);
    assert!(terminal.shown().contains("declined; nothing was started"), "{}", terminal.shown());
    assert_eq!(rig.runs(), Vec::<String>::new());
}
