//! Every way out of the application gives the terminal back as it was, and leaves the sweep running.

use std::fs;

use rustix::process::{Pid, Signal};

use super::bench::Rig;
use super::running::{held, start};
use super::{Terminal, wait_until};

/// The state of a process, after its name in brackets, which may hold anything; none where there is none.
fn state_of(pid: Pid) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
    stat.rsplit_once(')')?.1.trim_start().chars().next()
}

#[test]
fn suspended_and_back() {
    let rig = Rig::holding();
    let mut terminal = held(&rig, (100, 30));
    let pid = terminal.pid();
    terminal.wait_taken();
    terminal.press("\x1a");
    terminal.wait_text("[stopped]");
    terminal.wait_sane();
    assert_eq!(state_of(pid), Some('T'));
    assert!(!terminal.shown().contains("4 Shmoo"), "{}", terminal.shown());
    // The sweep goes on meanwhile.
    rig.leave("go-1000000");
    rig.wait_file("up-950000");
    terminal.press("\n");
    terminal.wait_taken();
    for wanted in ["1 Flows", "6 Log", "RUN ", "1/3", "+ pass 1"] {
        terminal.wait_text(wanted);
    }
    assert_eq!(terminal.pid(), pid);
    // And once more: nothing is used up.
    terminal.press("\x1a");
    terminal.wait_for("the shell once more", |screen| !screen.alternate_screen());
    terminal.wait_sane();
    rig.goes_on_to_its_end();
    terminal.press("\n");
    terminal.wait_taken();
    terminal.wait_text("the run has ended: pass (exit 0)");
    terminal.press("q");
    assert_eq!(terminal.left(), 0);
}

#[test]
fn stopped_by_somebody_else() {
    let rig = Rig::new();
    let mut terminal = rig.open(&[], (80, 24));
    terminal.wait_text("3 points, 3 exec");
    // It cannot give the terminal back, and others write on its screen meanwhile.
    terminal.kill(Signal::STOP);
    terminal.wait_text("topped]");
    terminal.press("\n");
    terminal.wait_gone("topped]");
    terminal.press("4");
    for wanted in ["┏━ 4 Shmoo", "1 Flows", ". planned 3", "6 Log"] {
        terminal.wait_text(wanted);
    }
    terminal.wait_taken();
    terminal.press("q");
    assert_eq!(terminal.left(), 0);
}

/// What a signal leaves behind while a sweep is held; the sweep then goes to its end.
fn signalled(signal: Signal) -> (i32, Terminal) {
    let rig = Rig::holding();
    let terminal = held(&rig, (80, 24));
    terminal.wait_taken();
    terminal.kill(signal);
    let code = terminal.left();
    rig.goes_on_to_its_end();
    (code, terminal)
}

#[test]
fn a_signal_that_asks_it_to_leave() {
    for (signal, code) in [(Signal::TERM, 143), (Signal::HUP, 129), (Signal::INT, 130)] {
        assert_eq!(signalled(signal).0, code, "{signal:?}");
    }
}

#[test]
fn a_signal_that_asks_nobody() {
    // The sentry mends what the application could not.
    let (code, terminal) = signalled(Signal::KILL);
    assert_eq!(code, 137);
    assert!(!terminal.shown().contains("4 Shmoo"), "{}", terminal.shown());
}

#[test]
fn a_terminal_that_goes_away() {
    let rig = Rig::holding();
    let terminal = held(&rig, (80, 24));
    let pid = terminal.pid();
    terminal.hang_up();
    wait_until("the end of the application", || state_of(pid).is_none_or(|state| state == 'Z').then_some(()));
    rig.goes_on_to_its_end();
}

#[test]
fn a_panic_while_it_draws() {
    let rig = Rig::holding();
    let mut terminal = rig.open_with(&[], (100, 30), &[("ROAD_RUNNER_PANIC_IN_VIEW", "5")]);
    start(&mut terminal);
    rig.wait_file("up-1000000");
    terminal.wait_text("RUN ");
    terminal.press("5");
    assert_eq!(terminal.left(), 101);
    // The report is on the normal screen, each line from its beginning.
    let shown = terminal.shown();
    assert!(shown.lines().any(|line| line.starts_with("The application panicked")), "{shown}");
    assert!(shown.contains("asked for by ROAD_RUNNER_PANIC_IN_VIEW"), "{shown}");
    rig.goes_on_to_its_end();
}

#[test]
fn an_editor_has_the_terminal_to_itself() {
    let rig = Rig::new();
    // It says what it finds, waits for a line, and changes the file.
    let editor = "#!/bin/sh\nstty -a | grep -o ' icanon' \nread -r line\necho \"got $line\"\n\
                  sed -i 's/900mV/850mV/' \"$1\"\n: > \"$HOME/edited\"\n";
    rig.0.program("editor.sh", editor);
    let path = rig.0.path("editor.sh");
    let mut terminal = rig.open_with(&[], (100, 30), &[("EDITOR", path.to_str().unwrap())]);
    terminal.wait_text("3 points, 3 exec");
    terminal.press("2e");
    terminal.wait_text(" icanon");
    terminal.press("S q x\n");
    rig.wait_file("edited");
    terminal.wait_text("4 points, 4 exec");
    terminal.wait_taken();
    assert!(!terminal.shown().contains("CONFIRM"), "no key of the editor reached it");
    terminal.press("q");
    assert_eq!(terminal.left(), 0);
}
