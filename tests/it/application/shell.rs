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
    for (signal, code) in [(Signal::TERM, 143), (Signal::HUP, 129), (Signal::INT, 130), (Signal::QUIT, 131)] {
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

#[test]
fn a_terminal_that_goes_without_a_signal() {
    use std::io::Read as _;

    let rig = Rig::new();
    let size = portable_pty::PtySize { rows: 24, cols: 80, pixel_width: 0, pixel_height: 0 };
    let pair = portable_pty::native_pty_system().openpty(size).unwrap();
    // In a session of its own nobody tells it of the hangup.
    let mut command = portable_pty::CommandBuilder::new("setsid");
    command.args(["--wait", env!("CARGO_BIN_EXE_road_runner"), "--workspace"]);
    command.arg(rig.workspace());
    command.env_clear();
    for (key, value) in rig.environment() {
        command.env(key, value);
    }
    command.env("TERM", "xterm-256color");
    command.cwd(rig.workspace());
    let mut child = pair.slave.spawn_command(command).unwrap();
    drop(pair.slave);
    let mut reader = pair.master.try_clone_reader().unwrap();
    let (mut seen, mut piece) = (vec![], [0; 4096]);
    while !String::from_utf8_lossy(&seen).contains("Flows") {
        let count = reader.read(&mut piece).unwrap();
        assert!(count > 0, "it ended before its first frame");
        seen.extend_from_slice(&piece[..count]);
    }
    drop((reader, pair.master));
    let workspace = rig.workspace().to_string_lossy().into_owned();
    let is_there = || {
        let all =
            fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| fs::read(entry.path().join("cmdline")).ok());
        all.into_iter().any(|line| String::from_utf8_lossy(&line).contains(&workspace))
    };
    wait_until("its end", || (!is_there()).then_some(()));
    child.wait().unwrap();
}
