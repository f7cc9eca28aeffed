//! What a step costs: 200 steps of `/bin/true` with all artifacts, against a bare spawn and wait of the same program in the
//! same process just before and after. With every sync on a disk, with a runs folder in memory, where a sync costs nothing,
//! and with 1 GiB of heap in the runner. There is no switch that turns syncing off.

#![expect(clippy::expect_used, reason = "a bench that cannot do its work stops")]

mod common;

use std::fs::{self, File};
use std::hint::black_box;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::time::Instant;

use road_runner::commands::plan::{self, Asked};
use road_runner::commands::proposal::{Answer, Proposal};
use road_runner::commands::run::{self, Face, Options};
use road_runner::domain::event::{Recorded, RunEvent};
use road_runner::domain::run_state::RunState;
use road_runner::engine::guardian;

use common::figures::{self, Figure};
use common::journals;
use common::workspace::{self, Workspace};

const STEPS: u32 = 200;
const ROUNDS: usize = 7;
const MEMORY: &str = "/dev/shm";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    // A run starts its own program as its guardian.
    if arguments.get(1).is_some_and(|first| [guardian::LAUNCH, guardian::GUARD].contains(&first.as_str())) {
        return road_runner::cli::main();
    }
    if let [_, child, folder, heap_mib] = arguments.as_slice()
        && child == "--in-runner"
    {
        in_runner(Path::new(folder), heap_mib.parse().expect("a number"));
        return ExitCode::SUCCESS;
    }
    let disk = Workspace::on_disk();
    let memory = Path::new(MEMORY).is_dir().then(|| Workspace::below(Path::new(MEMORY)));
    // What no runner with such a record can do without.
    let mut recorded = Figure::new("every sync, against that and a folder, two files, a synced line", "ms");
    let mut rows = [
        (Figure::new("every sync", "ms"), Some(&disk), 0),
        (Figure::new("every sync, 1 GiB of heap", "ms"), Some(&disk), 1024),
        (Figure::new("runs in memory", "ms"), memory.as_ref(), 0),
        (Figure::new("runs in memory, 1 GiB of heap", "ms"), memory.as_ref(), 1024),
    ];
    [Some(&disk), memory.as_ref()].into_iter().flatten().for_each(write);
    for _ in 0..ROUNDS {
        for (figure, workspace, heap_mib) in &mut rows {
            if let Some(workspace) = workspace {
                let [floor, artifacts, measured] = round(workspace, *heap_mib);
                figure.add(floor, measured);
                if workspace.path() == disk.path() && *heap_mib == 0 {
                    recorded.add(artifacts, measured);
                }
            }
        }
    }
    let title = format!("{STEPS} steps of /bin/true, a step, against spawn and wait; {ROUNDS} rounds");
    let figures: Vec<Figure> = rows.into_iter().map(|(figure, ..)| figure).chain([recorded]).collect();
    figures::print(&title, &figures);
    ExitCode::SUCCESS
}

fn write(workspace: &Workspace) {
    workspace.write("adapters/true.yaml", "name: 'true'\ndescription: Does nothing, well.\npath: /bin/true\n");
    let flow = format!("name: 'true'\nsteps: [ {{ name: t, adapter: 'true', repeat: {STEPS} }} ]\n");
    workspace.write("flows/true.yaml", &flow);
}

/// One process that is the floor and the runner in turn: both start their children from the same heap. Nothing is deleted
/// before the end: ext4 takes up to a millisecond to make a file where many were deleted within minutes.
fn round(workspace: &Workspace, heap_mib: usize) -> [f64; 3] {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.arg("--in-runner").arg(workspace.path()).arg(heap_mib.to_string());
    let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output().expect("it runs");
    assert!(output.status.success(), "{}", output.status);
    let text = String::from_utf8(output.stdout).expect("text");
    let numbers: Vec<f64> = text.split_whitespace().map(|number| number.parse().expect("a number")).collect();
    numbers.try_into().expect("three numbers")
}

/// In the child: prints both floors and what was measured, in milliseconds a step.
fn in_runner(folder: &Path, heap_mib: usize) {
    let heap = vec![1_u8; heap_mib << 20];
    let before = floor(|| ());
    let measured = steps(folder);
    let after = floor(|| ());
    let made = tempfile::tempdir_in(folder).expect("a folder").keep();
    let mut journal = File::create(made.join("journal")).expect("a file");
    let mut number = 0;
    let artifacts = floor(|| {
        number += 1;
        fs::create_dir(made.join(number.to_string())).expect("a folder");
        let logs = ["out", "err"].map(|log| File::create_new(made.join(format!("{number}.{log}"))).expect("a file"));
        // As many bytes as the lines of a step have.
        journal.write_all(&[b'x'; 1024]).expect("room");
        journal.sync_data().expect("on disk");
        drop(logs);
    });
    black_box(&heap);
    println!("{} {artifacts} {measured}", f64::midpoint(before, after));
}

/// A bare spawn and wait, per step, and what else is to be done. The standard library uses `posix_spawn` for this.
fn floor(mut also: impl FnMut()) -> f64 {
    let start = Instant::now();
    for _ in 0..STEPS {
        let status = Command::new("/bin/true").env_clear().stdin(Stdio::null()).status().expect("/bin/true runs");
        assert!(status.success());
        also();
    }
    start.elapsed().as_secs_f64() * 1000.0 / f64::from(STEPS)
}

/// A run of one sub-run with that many executions, per step, from the first start to the last end in its journal.
fn steps(folder: &Path) -> f64 {
    let context = workspace::context(folder);
    let asked = Asked { flow: "true".to_owned(), margin: "none".to_owned(), unit: None, seed: None };
    let prepare = || plan::prepare(&context, &asked);
    let prepared = prepare().expect("a plan");
    let options = Options { yes: true, allow_concurrent: true, ..Options::default() };
    let ended = run::run(&context, &prepared, options, &mut Silent, &prepare).expect("a run");
    assert_eq!(ended.exit_code, 0, "every step passes");
    let lines = journals::lines(&ended.dir);
    assert_eq!(journals::finished(&lines).len(), STEPS as usize);
    let first = lines.iter().find(|line| matches!(line.event, RunEvent::StepStarted(_))).expect("a first start");
    let last = lines.iter().rfind(|line| matches!(line.event, RunEvent::StepFinished(_))).expect("a last end");
    let span = u32::try_from(last.at.since(first.at)).expect("less than weeks");
    f64::from(span) / f64::from(STEPS)
}

/// Nobody is asked, and whoever looks does what every face does.
struct Silent;

impl Face for Silent {
    fn tell(&mut self, _line: &str) {}

    fn ask(&mut self, _: &Proposal) -> Answer {
        Answer::Run
    }

    fn watch(&mut self, mut state: RunState, _: &Path) -> Sender<Recorded> {
        let (events, received) = channel();
        std::thread::spawn(move || received.iter().for_each(|recorded| state.apply(&recorded)));
        events
    }
}
