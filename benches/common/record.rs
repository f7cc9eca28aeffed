//! A stored run of many executions, as a runner leaves it: the dispatcher decides every line, and answers that nobody had to
//! wait for stand in for the diagnostics. Logs are left out; readers of the record never open them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use road_runner::commands::plan::{self, Asked};
use road_runner::commands::record::{self, NewRecord};
use road_runner::domain::event::{Evidence, Journal, Metric};
use road_runner::domain::name::Name;
use road_runner::domain::time::Timestamp;
use road_runner::domain::verdict::{Effect as Seen, Verdict};
use road_runner::engine::dispatcher::{Dispatcher, Orders};
use road_runner::engine::effect::{Effect, Input, Judged, Now, Start, Usage};
use road_runner::engine::logs::LogSizes;
use road_runner::host::command::Limits;
use road_runner::host::roots::Roots;
use road_runner::host::sysinfo::{Snapshot, Sysinfo};
use road_runner::store::atomic;
use road_runner::store::journal::JournalWriter;
use road_runner::store::layout::RunDir;

use super::workspace::{Workspace, context};

/// Executions of each sub-run, and how many sub-runs.
pub const EXECUTIONS: u32 = 40;
/// A square of points.
pub const SUB_RUNS: u32 = 2500;

/// Makes the run in a workspace of its own; the run goes with it.
pub fn large_run(workspace: &Workspace) -> RunDir {
    write(workspace);
    let context = context(workspace.path());
    let asked =
        Asked { flow: "large".to_owned(), margin: "square".to_owned(), unit: Some("SN1".to_owned()), seed: None };
    let prepared = plan::prepare(&context, &asked).expect("a plan");
    let new = NewRecord { plan: prepared.plan(), inputs: &prepared.inputs, source_run: None, dry_run: false };
    let (dir, header) = record::persist(&context, &new).expect("a record");
    let sysinfo = Sysinfo::started(Snapshot::take(&Roots::default(), &[], Limits::default()));
    atomic::replace_json_indented(&dir.sysinfo(), &sysinfo).expect("a record");
    let program = workspace.path().join("diags/mem_pattern.sh").to_string_lossy().into_owned();
    let orders = Orders {
        retry_crashed: 0,
        boot_id: Some("4f6e2f1e-6f0e-4b3b-9a51-0d9a1b2c3d4e".to_owned()),
        pid: 4242,
        programs: BTreeMap::from([(Name::new("mem_pattern").expect("a name"), program)]),
        max_fail: None,
        sources: BTreeMap::new(),
    };
    let mut runner = Runner {
        dispatcher: Dispatcher::new(&prepared.admitted, header, orders),
        events: JournalWriter::create(&dir.events()).expect("a journal"),
        steps: None,
        dir: &dir,
        millis: 0,
        executions: 0,
    };
    runner.run();
    assert_eq!(runner.executions, SUB_RUNS * EXECUTIONS);
    dir
}

fn write(workspace: &Workspace) {
    workspace.write("diags/mem_pattern.sh", "#!/bin/sh\n");
    workspace.write("adapters/mem_pattern.yaml", include_str!("../../adapters/mem_pattern.yaml"));
    workspace.write(
        "flows/large.yaml",
        "name: large\nsteps:\n  - name: mem-pattern\n    adapter: mem_pattern\n    sweep:\n      size_mb: [16, 32]\n      \
         pattern: [walking_ones, walking_zeros, checkerboard, seeded]\n    repeat: 5\n    pass_rule: { at_least: 3 }\n",
    );
    workspace.write(
        "margins/square.yaml",
        "name: square\nglobal_seed: 1\nstop_line: { after: crashed, count: 50 }\ndefault:\n  core:\n    \
         frequency: { from: 2GHz, to: 2490MHz, step: 10MHz }\n    voltage: { from: 1V, to: 902mV, step: -2mV }\n",
    );
}

/// Performs what the dispatcher asks for as far as it concerns the record.
struct Runner<'d> {
    dispatcher: Dispatcher,
    events: JournalWriter,
    steps: Option<JournalWriter>,
    dir: &'d RunDir,
    millis: u64,
    executions: u32,
}

impl Runner<'_> {
    fn run(&mut self) {
        let mut inputs = VecDeque::from([Input::Begin]);
        let mut start = None;
        while let Some(input) = inputs.pop_front() {
            let now = self.now();
            let effects = self.dispatcher.handle(now, input);
            for effect in effects {
                match effect {
                    Effect::Record(recorded) => {
                        let journal = match recorded.event.journal() {
                            Journal::Run => &mut self.events,
                            Journal::SubRun => self.steps.as_mut().expect("a sub-run is open"),
                        };
                        journal.append(&recorded).expect("a line");
                    }
                    Effect::OpenSubRun(index) => self.open(index),
                    Effect::Enter => inputs.push_back(Input::Entered),
                    Effect::Leave => inputs.push_back(Input::Left),
                    Effect::Start(started) => {
                        inputs.push_back(Input::Spawned { pid: 31337, start_ticks: Some(123_456) });
                        inputs.push_back(Input::LeaderEnded { left: 0 });
                        start = Some(started);
                    }
                    Effect::Judge(_) => {
                        let start = start.take().expect("a step was started");
                        inputs.push_back(Input::Judged(Box::new(self.judged(&start))));
                    }
                    Effect::CloseSubRun(index) => self.close(index),
                    Effect::Finish(_) => {
                        let summary = self.dispatcher.state().summary();
                        atomic::replace_json_indented(&self.dir.summary(), &summary).expect("a summary");
                    }
                    _ => {}
                }
            }
        }
    }

    /// Every look at the clock is 13 ms after the one before.
    fn now(&mut self) -> Now {
        self.millis += 13;
        let wall = i64::try_from(1_735_693_261_000 + self.millis).expect("a time");
        Now { monotonic: Duration::from_millis(self.millis), wall: Timestamp::from_millis(wall).expect("a time") }
    }

    fn open(&mut self, index: u32) {
        let state = self.dispatcher.state();
        let dir = self.dir.subrun(&state.header.sub_run_id(SUB_RUNS, index)).expect("an id");
        dir.create().expect("a folder");
        self.steps = Some(JournalWriter::create(&dir.steps()).expect("a journal"));
    }

    fn close(&mut self, index: u32) {
        let state = self.dispatcher.state();
        let dir = self.dir.subrun(&state.header.sub_run_id(SUB_RUNS, index)).expect("an id");
        let summary = state.sub_run_summary(index).expect("a sub-run");
        atomic::replace_json_indented(&dir.summary(), &summary).expect("a summary");
        self.dispatcher.forget_steps(index);
    }

    /// The lower and the faster, the more fails: an edge across the square, ragged by the seed.
    fn judged(&mut self, start: &Start) -> Judged {
        self.executions += 1;
        let (line, place) = (start.sub_run / 50, start.sub_run % 50);
        let fails = line + place + start.seed.to_string().bytes().map(u32::from).sum::<u32>() % 12 > 80;
        let name = |text: &str| Name::new(text).expect("a name");
        let metric = |value, unit: Option<&str>| Metric { value, unit: unit.map(str::to_owned) };
        let evidence = |check: &str, held, found: &str| Evidence {
            check: check.to_owned(),
            held: Some(held),
            found: Some(found.to_owned()),
        };
        let rate = 1000.0 + f64::from(start.index) * 7.25;
        Judged {
            verdict: if fails { Verdict::Fail } else { Verdict::Pass },
            effects: if fails { BTreeSet::from([Seen::Sdc]) } else { BTreeSet::new() },
            reason: fails.then(|| "exit code 1".to_owned()),
            exit_code: Some(i32::from(fails)),
            signal: None,
            sizes: LogSizes { stdout: 142, stderr: 0 },
            usage: Some(Usage { user_ms: 9, system_ms: 3, max_rss_kb: None }),
            metrics: BTreeMap::from([
                (name("mib_per_s"), metric(rate, Some("MiB/s"))),
                (name("passes"), metric(1.0, None)),
                (name("verified_mib"), metric(16.0, Some("MiB"))),
            ]),
            evidence: vec![
                evidence("exit code", !fails, if fails { "1" } else { "0" }),
                evidence("expect 1: stdout matches", !fails, "verified 16777216 bytes, pattern walking_ones: OK"),
                evidence("expect 2: stdout does not match", true, "no line"),
                evidence("expect 3: verified_mib is at least 16", !fails, "16"),
            ],
            observed: BTreeMap::new(),
            artifacts: vec!["pattern.bin".to_owned()],
            error: None,
        }
    }
}
