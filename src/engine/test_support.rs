//! What the engine's tests share: plans made by hand, and a process of one's own for tests that reap.
//! Never part of the program.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::domain::adapter::Judgement;
use crate::domain::admission::{Admitted, admit};
use crate::domain::evidence::rules::EvidenceRules;
use crate::domain::flow::{OnFailure, PassRule};
use crate::domain::host::HostFacts;
use crate::domain::margin::{FieldKey, Order, RailField, StopAfter};
use crate::domain::name::Name;
use crate::domain::plan::{
    Argument, Axis, Combination, Executable, Experiment, Plan, PlannedAdapter, PlannedStopLine, StepTemplate,
};
use crate::domain::policy::{Bound, Bounds, Interval, Severities};
use crate::domain::table::Table;
use crate::domain::units::{Bytes, Millis};

/// Set in the process that runs one test alone.
pub const ALONE: &str = "ROAD_RUNNER_TEST_ALONE";

/// Runs the test called `name` in a process of its own, this test binary again: reaping concerns every child.
pub fn alone(name: &str, body: impl FnOnce()) {
    if std::env::var_os(ALONE).is_some() {
        return body();
    }
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args([name, "--exact", "--nocapture", "--test-threads=1"])
        .env(ALONE, "1")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("1 passed"), "{text}{errors}");
}

/// Runs `body` in a runtime like the runner's.
pub fn in_runtime(body: impl AsyncFnOnce()) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(body());
}

/// The deliberately bad diagnostics.
pub fn diag(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/diags").join(name)
}

pub fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

/// An adapter of that absolute program.
pub fn adapter(program: &str) -> PlannedAdapter {
    PlannedAdapter {
        executable: Executable { path: program.to_owned(), sha256: String::new() },
        env: BTreeMap::new(),
        rails: vec![],
        restore: vec![],
        judgement: Judgement::default(),
        silence_ms: None,
        grace_ms: Millis(5000),
        version_args: vec![],
    }
}

/// A step of the adapter with the step's own name, started once with `args`.
pub fn step(text: &str, args: &[&str]) -> StepTemplate {
    StepTemplate {
        name: name(text),
        adapter: name(text),
        timeout_ms: Millis(30_000),
        repeat: 1,
        pass_rule: PassRule::All,
        optional: false,
        on_failure: OnFailure::Continue,
        combinations: vec![Combination {
            key: String::new(),
            params: BTreeMap::new(),
            argv: args.iter().map(|arg| Argument::Text((*arg).to_owned())).collect(),
        }],
    }
}

/// An experiment over the given grid, `core.frequency` slowest and `core.voltage` fastest, each position a sub-run.
pub fn experiment(
    frequencies: u32,
    voltages: u32,
    adapters: BTreeMap<Name, PlannedAdapter>,
    steps: Vec<StepTemplate>,
) -> Experiment {
    let key = |field| FieldKey { adapter: None, rail: name("core"), field };
    let axis = |field, of: u32, from: u64, step: u64| Axis {
        name: format!("core.{field}"),
        labels: vec![],
        columns: BTreeMap::from([(key(field), (0..of).map(|n| Some(from - u64::from(n) * step)).collect())]),
    };
    let mut points = Table::with_capacity(2, 0);
    for frequency in 0..frequencies {
        for voltage in 0..voltages {
            assert!(points.push(&[frequency, voltage]));
        }
    }
    let rails = BTreeMap::from([
        (RailField::Frequency, bound(Interval { min: 800_000, max: 4_200_000 })),
        (RailField::Voltage, bound(Interval { min: 700_000, max: 1_100_000 })),
    ]);
    Experiment {
        flow: name("flow"),
        margin: name("margin"),
        policy: name("safety"),
        profiles: vec![],
        global_seed: 1,
        bounds: Bounds {
            max_log: bound(Bytes(1 << 20)),
            max_step_timeout: bound(Millis(3_600_000)),
            max_subruns: bound(10_000),
            params: BTreeMap::new(),
            rails: BTreeMap::from([(name("core"), rails)]),
            controllers: None,
            evidence: EvidenceRules::default(),
            severity: Severities::default(),
        },
        inputs: BTreeMap::new(),
        adapters,
        controllers: BTreeMap::new(),
        steps,
        settle_ms: Millis(0),
        stop_line: PlannedStopLine { axis: Some(1), after: StopAfter::Fail, count: 1_000_000 },
        order: Order::Raster,
        nominal: BTreeMap::new(),
        fixed: BTreeMap::new(),
        axes: vec![
            axis(RailField::Frequency, frequencies, 3_200_000, 100_000),
            axis(RailField::Voltage, voltages, 1_000_000, 10_000),
        ],
        jitter: vec![],
        points,
        offsets: Table::default(),
    }
}

fn bound<T>(is: T) -> Bound<T> {
    Bound { from: vec![], is }
}

/// Freezes and admits it by its own bounds.
pub fn admitted(experiment: Experiment) -> Admitted<Plan> {
    let bounds = experiment.bounds.clone();
    let plan = Plan::freeze(experiment, None, HostFacts::default(), BTreeMap::new()).unwrap();
    admit(Arc::new(plan), &bounds).unwrap()
}
