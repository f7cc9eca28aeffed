//! The application as its user has it, in a pseudo-terminal: the first frame with a thousand past runs, opening a run of
//! 100,000 executions, a key's answer while a step floods its stdout, what is written when nothing goes on and at one step
//! a second, and what watching costs the runner. Each against a floor in the same run where there is one.

#![expect(clippy::expect_used, reason = "a bench that cannot do its work stops")]

mod common;

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

use common::figures::{self, Figure};
use common::workspace::Workspace;
use common::{process, record};

/// A screen that the application is on.
struct Terminal {
    seen: Arc<(Mutex<Seen>, Condvar)>,
    writer: Box<dyn std::io::Write + Send>,
    child: Box<dyn Child + Send + Sync>,
    _master: Box<dyn MasterPty + Send>,
}

fn size_of(cells: u16) -> std::num::NonZeroU16 {
    std::num::NonZeroU16::new(cells).expect("a screen has cells")
}

struct Seen {
    parser: vt100::Parser,
    bytes: u64,
}

impl Terminal {
    /// Opens the application on a workspace.
    fn open(workspace: &Workspace, (columns, rows): (u16, u16), arguments: &[&str]) -> Self {
        let size = PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).expect("a pseudo-terminal");
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_road_runner"));
        command.args(arguments);
        command.arg("--workspace");
        command.arg(workspace.path());
        command.cwd(workspace.path());
        command.env("TERM", "xterm-256color");
        command.env_remove("NO_COLOR");
        command.env_remove("SSH_CONNECTION");
        command.env_remove("SSH_TTY");
        let child = pair.slave.spawn_command(command).expect("it starts");
        let mut reader = pair.master.try_clone_reader().expect("a reader");
        let writer = pair.master.take_writer().expect("a writer");
        let seen = Seen { parser: vt100::Parser::new(size_of(rows), size_of(columns), 0), bytes: 0 };
        let seen = Arc::new((Mutex::new(seen), Condvar::new()));
        let shared = Arc::clone(&seen);
        thread::spawn(move || {
            let mut buffer = vec![0; 65536];
            while let Ok(count @ 1..) = reader.read(&mut buffer) {
                let mut seen = shared.0.lock().expect("nobody panics");
                seen.parser.process(&buffer[..count]);
                seen.bytes += count as u64;
                shared.1.notify_all();
            }
        });
        Self { seen, writer, child, _master: pair.master }
    }

    /// Waits until the screen shows something.
    fn wait(&self, wanted: impl Fn(&str) -> bool) {
        let (seen, changed) = &*self.seen;
        let guard = seen.lock().expect("nobody panics");
        let (guard, waited) = changed
            .wait_timeout_while(guard, Duration::from_secs(60), |seen| !wanted(&seen.parser.screen().contents()))
            .expect("nobody panics");
        assert!(!waited.timed_out(), "never seen:\n{}", guard.parser.screen().contents());
    }

    fn press(&mut self, keys: &str) {
        self.writer.write_all(keys.as_bytes()).expect("it reads");
        self.writer.flush().expect("it reads");
    }

    /// Bytes that were written so far.
    fn bytes(&self) -> u64 {
        self.seen.0.lock().expect("nobody panics").bytes
    }

    fn leave(mut self) {
        self.press("\u{1b}");
        self.press("qq");
        drop(self.child.wait());
    }
}

fn main() {
    first_frame();
    opening();
    idle();
    one_step_a_second();
    flood();
    watched();
}

fn small(workspace: &Workspace) {
    workspace.write("adapters/true.yaml", "name: 'true'\ndescription: Does nothing, well.\npath: /bin/true\n");
    workspace.write("flows/true.yaml", "name: 'true'\nsteps: [ { name: t, adapter: 'true' } ]\n");
    workspace.write("margins/true.yaml", "name: 'true'\nglobal_seed: 1\ndefault: { core: { voltage: [1V, 0.9V] } }\n");
}

/// The time to the first frame with runs, flows and a preview, against `--version`.
fn first_frame() {
    const ROUNDS: usize = 15;
    let workspace = Workspace::on_disk();
    small(&workspace);
    process::run_well(&mut workspace.command("plan", "true", "true"));
    let run = workspace.only_run();
    let id = run.file_name().expect("a name").to_string_lossy().into_owned();
    for number in 0..999 {
        let other = format!("rr-20240101T{:02}{:02}{:02}Z-abcdef", number / 3600, number / 60 % 60, number % 60);
        let folder = run.with_file_name(&other);
        fs::create_dir(&folder).expect("a folder");
        for file in ["summary.json", "plan.json"] {
            let text = fs::read_to_string(run.join(file)).expect("a file").replace(&id, &other);
            fs::write(folder.join(file), text).expect("a file");
        }
    }
    let mut frame = Figure::new("first frame, 1,000 past runs", "ms");
    let mut whole = Figure::new("runs and preview on it", "ms");
    for _ in 0..ROUNDS {
        let mut version = Command::new(env!("CARGO_BIN_EXE_road_runner"));
        version.arg("--version").stdout(Stdio::null());
        let floor = process::run_well(&mut version).elapsed.as_secs_f64() * 1000.0;
        let begun = Instant::now();
        let terminal = Terminal::open(&workspace, (120, 36), &[]);
        terminal.wait(|screen| screen.contains("1 Flows"));
        frame.add(floor, millis(begun));
        terminal.wait(|screen| screen.contains("1000") && screen.contains("points"));
        whole.add(floor, millis(begun));
        terminal.leave();
    }
    figures::print(&format!("opening the application, against --version; {ROUNDS} rounds"), &[frame, whole]);
}

/// Opening a run of 100,000 executions by its key, against reading its journals.
fn opening() {
    const ROUNDS: usize = 7;
    let workspace = Workspace::on_disk();
    let dir = record::large_run(&workspace);
    let mut figure = Figure::new("open 100,000 executions", "ms");
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        read_all(dir.root());
        let floor = millis(begun);
        let mut terminal = Terminal::open(&workspace, (120, 36), &["--theme", "default"]);
        terminal.wait(|screen| screen.contains("3 Runs") && screen.contains("large"));
        terminal.press("3");
        terminal.wait(|screen| screen.contains("drifted") || screen.contains("->") || screen.contains("more: r"));
        let begun = Instant::now();
        terminal.press("\r");
        terminal.wait(|screen| screen.contains("2500/2500") && screen.contains("past run"));
        figure.add(floor, millis(begun));
        terminal.leave();
    }
    figures::print(&format!("a run of 100,000 executions, against reading its journals; {ROUNDS} rounds"), &[figure]);
}

fn read_all(folder: &Path) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            read_all(&path);
        } else if path.extension().is_some_and(|extension| extension == "ldjson") {
            std::hint::black_box(fs::read(&path).expect("a file"));
        }
    }
}

/// What is written while nothing goes on.
fn idle() {
    let workspace = Workspace::on_disk();
    small(&workspace);
    for size in [(120, 36), (200, 60)] {
        let terminal = Terminal::open(&workspace, size, &[]);
        terminal.wait(|screen| screen.contains("points"));
        settle(&terminal);
        let before = terminal.bytes();
        thread::sleep(Duration::from_secs(10));
        println!("bytes in 10 s when nothing goes on, {} columns: {}", size.0, terminal.bytes() - before);
        terminal.leave();
    }
}

/// Until nothing was written for a second.
fn settle(terminal: &Terminal) {
    let mut before = u64::MAX;
    while before != terminal.bytes() {
        before = terminal.bytes();
        thread::sleep(Duration::from_secs(1));
    }
}

/// What is written at one step a second.
fn one_step_a_second() {
    let workspace = Workspace::on_disk();
    workspace.write("diags/second.sh", "#!/bin/sh\nsleep 1\necho done\n");
    workspace.write("adapters/second.yaml", "name: second\ndescription: A second.\npath: diags/second.sh\n");
    workspace.write("flows/true.yaml", "name: 'true'\nsteps: [ { name: t, adapter: second, repeat: 20 } ]\n");
    workspace.write("margins/true.yaml", "name: 'true'\nglobal_seed: 1\ndefault: { core: { voltage: [1V, 0.9V] } }\n");
    let terminal = run(&workspace, (120, 36));
    thread::sleep(Duration::from_secs(2));
    let before = terminal.bytes();
    thread::sleep(Duration::from_secs(10));
    println!("bytes in 10 s at one step a second, 120 columns: {}", terminal.bytes() - before);
    stop(terminal);
}

/// Opens the application on a run that is started at once.
fn run(workspace: &Workspace, size: (u16, u16)) -> Terminal {
    let words = ["run", "--yes", "--allow-concurrent", "--flow", "true", "--margin", "true"];
    let terminal = Terminal::open(workspace, size, &words);
    terminal.wait(|screen| screen.contains("RUN "));
    terminal
}

fn stop(mut terminal: Terminal) {
    terminal.press("\u{3}\u{3}");
    terminal.wait(|screen| !screen.contains("RUN "));
    terminal.leave();
}

/// From a key to its frame while a step writes as fast as it can.
fn flood() {
    const KEYS: usize = 200;
    let workspace = Workspace::on_disk();
    // Ten times a second ten mebibytes: what is measured is the screen, not who gets the processor.
    let step = "#!/bin/sh\nyes 0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz | head -c 10M > chunk\n\
                while :; do cat chunk; sleep 0.09; done\n";
    workspace.write("diags/flood.sh", step);
    workspace.write("adapters/flood.yaml", "name: flood\ndescription: A flood.\npath: diags/flood.sh\n");
    workspace.write("flows/true.yaml", "name: 'true'\nsteps: [ { name: t, adapter: flood } ]\n");
    workspace.write("margins/true.yaml", "name: 'true'\nglobal_seed: 1\ndefault: { core: { voltage: [1V, 0.9V] } }\n");
    let mut terminal = run(&workspace, (120, 36));
    thread::sleep(Duration::from_secs(2));
    let log = find_log(&workspace);
    let (size, begun) = (length(&log), Instant::now());
    let mut answers = vec![];
    for key in 0..KEYS {
        let pressed = Instant::now();
        if key % 2 == 0 {
            terminal.press("u");
            terminal.wait(|screen| screen.contains("Unit under test"));
        } else {
            // Enter takes the empty name.
            terminal.press("\r");
            terminal.wait(|screen| !screen.contains("Unit under test"));
        }
        answers.push(millis(pressed));
        thread::sleep(Duration::from_millis(17));
    }
    let written = length(&log).saturating_sub(size);
    let mebibytes = f64::from(u32::try_from(written >> 20).expect("less than 4 PiB"));
    let rate = mebibytes / begun.elapsed().as_secs_f64();
    answers.sort_by(f64::total_cmp);
    let at = |part: usize| answers[(answers.len() - 1) * part / 100];
    println!(
        "key to frame while a step writes {rate:.0} MiB/s: median {:.1} ms, 99 of 100 within {:.1} ms, most {:.1} ms",
        at(50),
        at(99),
        at(100)
    );
    stop(terminal);
}

/// Runs that can be seen: while one is prepared its name begins with a dot.
fn published(workspace: &Workspace) -> usize {
    let runs = fs::read_dir(workspace.path().join("runs")).into_iter().flatten().flatten();
    runs.filter(|entry| !entry.file_name().to_string_lossy().starts_with('.')).count()
}

fn find_log(workspace: &Workspace) -> std::path::PathBuf {
    let sub_runs = fs::read_dir(workspace.only_run().join("subruns")).expect("sub-runs");
    let first = sub_runs.flatten().map(|entry| entry.path()).min().expect("a sub-run");
    first.join("stdout/00_t.log")
}

fn length(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |metadata| metadata.len())
}

/// The runner's throughput with the application watching, against nobody watching.
fn watched() {
    const ROUNDS: usize = 5;
    let workspace = Workspace::on_disk();
    workspace.write("adapters/true.yaml", "name: 'true'\ndescription: Does nothing, well.\npath: /bin/true\n");
    workspace.write("flows/true.yaml", "name: 'true'\nsteps: [ { name: t, adapter: 'true', repeat: 2000 } ]\n");
    let mut figure = Figure::new("2,000 steps of /bin/true, watched", "s");
    for _ in 0..ROUNDS {
        let floor = process::run_well(&mut workspace.command("run", "true", "none")).elapsed.as_secs_f64();
        let before = published(&workspace);
        let mut command = workspace.command("run", "true", "none");
        let begun = Instant::now();
        let mut child = command.spawn().expect("it starts");
        // A run that is there when the application begins is opened at once.
        while published(&workspace) <= before {
            thread::sleep(Duration::from_millis(1));
        }
        let mut terminal = Terminal::open(&workspace, (120, 36), &[]);
        terminal.wait(|screen| screen.contains("RUN "));
        terminal.press("6");
        let status = child.wait().expect("it ends");
        let elapsed = begun.elapsed().as_secs_f64();
        assert!(status.success(), "{status}");
        figure.add(floor, elapsed);
        terminal.leave();
    }
    figures::print(&format!("what watching costs the runner, against nobody watching; {ROUNDS} rounds"), &[figure]);
}

fn millis(begun: Instant) -> f64 {
    begun.elapsed().as_secs_f64() * 1000.0
}
