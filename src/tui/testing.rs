//! For tests of the screen: a model as a workspace with runs gives it, without a file, a clock or a thread.

use std::path::PathBuf;
use std::sync::Arc;

use crate::commands::launch::{Launch, What};
use crate::commands::preview::Preview;
use crate::commands::proposal::Proposal;
use crate::domain::chord::Keys;
use crate::domain::event::{EvidenceLate, EvidenceSources, RunEvent, RunStatus};
use crate::domain::keymap::Keymap;
use crate::domain::kit;
use crate::domain::plan::Plan;
use crate::domain::run_state::RunState;
use crate::domain::theme::{Depth, Theme};
use crate::domain::time::Timestamp;
use crate::domain::verdict::Verdict;
use crate::host::source::Source;
use crate::host::telemetry::{Reading, Telemetry};
use crate::input::problem::Problems;
use crate::input::source::Sources;
use crate::store::history::{RowCount, RunEntry};
use crate::store::layout::RunDir;
use crate::store::run_id::RunId;
use crate::tui::actions;
use crate::tui::canvas::Look;
use crate::tui::lists::{FlowLine, MarginLine, RunLine};
use crate::tui::message::{Effect, Msg, Opened, Proposed, Workspace};
use crate::tui::model::{Model, Surroundings};
use crate::tui::palette::Palette;
use crate::tui::rows;
use crate::tui::update::update;

/// The clock of tests.
pub(crate) fn now() -> Timestamp {
    Timestamp::parse("1970-01-01T00:00:50.000Z").unwrap()
}

/// A look with every colour.
pub(crate) fn look() -> Look {
    Look { palette: Palette::new(&Theme::colourless(), Depth::None), ascii: true, motion: false }
}

/// An empty screen.
pub(crate) fn empty(size: (u16, u16)) -> Model {
    let around = Surroundings {
        workspace: PathBuf::from("/ws"),
        workspace_is_found: true,
        runs: None,
        depth: Depth::None,
        host: "bench-03".to_owned(),
    };
    Model::new(size, look(), around, Keymap::defaults(&actions::bindable()).unwrap(), now())
}

/// A screen over a workspace with two flows, one of them broken, and two margins; the first of each is chosen.
pub(crate) fn workspace(size: (u16, u16)) -> Model {
    let mut model = empty(size);
    let flow = |name: &str, problems: &[&str]| FlowLine {
        name: name.to_owned(),
        file: format!("flows/{name}.yaml"),
        path: PathBuf::from(format!("/ws/flows/{name}.yaml")),
        about: "3 steps".to_owned(),
        problems: problems.iter().map(|line| (*line).to_owned()).collect(),
        broken: !problems.is_empty(),
    };
    let margin = |name: &str| MarginLine {
        name: name.to_owned(),
        file: format!("margins/{name}.yaml"),
        path: PathBuf::from(format!("/ws/margins/{name}.yaml")),
        about: "4x3 = 12 pts".to_owned(),
        bounds: "bounds ok".to_owned(),
        ..MarginLine::default()
    };
    let listed = Workspace {
        flows: vec![
            flow("cpu_smoke", &[]),
            flow("mem_only", &["line 14:7 unknown adapter `mem-marsh`", "did you mean `mem-march`?"]),
        ],
        margins: vec![margin("vcore_sweep"), margin("nominal")],
        errors: vec![],
        first: Some(("flows/cpu_smoke.yaml".to_owned(), "margins/vcore_sweep.yaml".to_owned())),
    };
    drop(send(&mut model, Msg::Workspace(Box::new(listed))));
    model
}

/// The plan of the tests: so many voltages by so many frequencies, two repetitions.
pub(crate) fn plan(voltages: u32, frequencies: u32) -> Arc<Plan> {
    let mut world = kit::World::grid(voltages, frequencies);
    world.flow.steps[0].repeat = 2;
    Arc::new(world.plan())
}

/// A preview of a plan in which these sub-runs lie outside.
pub(crate) fn preview_of(plan: &Arc<Plan>, outside: &[usize]) -> Preview {
    let count = plan.experiment.sub_runs() as usize;
    let refusal =
        (!outside.is_empty()).then(|| crate::commands::failure::Failure::safety("the plan leaves the bounds"));
    let proposal = Proposal::new(plan, plan.experiment.bounds.clone(), &[], vec![]);
    Preview {
        plan: Some(Arc::clone(plan)),
        outside: if outside.is_empty() { vec![] } else { (0..count).map(|at| outside.contains(&at)).collect() },
        proposal: refusal.is_none().then_some(proposal),
        refusal,
        warnings: Problems::default(),
        sources: Sources::default(),
    }
}

/// A screen with a preview of 4 by 3 points.
pub(crate) fn previewed(size: (u16, u16), outside: &[usize]) -> Model {
    let mut model = workspace(size);
    let ticket = model.pending.unwrap();
    drop(send(&mut model, Msg::Previewed(ticket, Box::new(preview_of(&plan(4, 3), outside)), Some(43_000))));
    model
}

/// A run with these verdicts a sub-run, as its record has it.
pub(crate) fn state(plan: &Arc<Plan>, verdicts: &[Vec<Verdict>]) -> RunState {
    let mut state = kit::state(plan);
    for recorded in kit::recorded(kit::story(plan, verdicts)) {
        state.apply(&recorded);
    }
    state
}

/// Opens a run on the screen.
pub(crate) fn open(model: &mut Model, state: RunState, live: bool) {
    let ticket = model.ticket();
    model.pending = Some(ticket);
    let id = RunId::parse(&state.header.run_id).unwrap();
    let dir = RunDir::at(std::path::Path::new("/ws/runs"), &id);
    let opened = Opened { dir, state, live, stands_in: false, damage: vec![] };
    drop(send(model, Msg::Opened(ticket, Box::new(opened))));
}

/// A screen with a past run of 4 by 3 points, of which some failed.
pub(crate) fn past(size: (u16, u16)) -> Model {
    use Verdict::{Fail, Pass, Timeout};
    let mut model = previewed(size, &[]);
    let (good, bad) = (vec![Pass, Pass], vec![Pass, Fail]);
    let mut verdicts = vec![good; 12];
    for at in [3, 7] {
        verdicts[at] = bad.clone();
    }
    verdicts[11] = vec![Timeout, Timeout];
    open(&mut model, state(&plan(4, 3), &verdicts), false);
    model
}

/// A screen with a past run of 4 by 3 points on a host with some sources of evidence: the fourth sub-run has news, and some
/// that came late.
pub(crate) fn observed(size: (u16, u16)) -> Model {
    let mut model = previewed(size, &[]);
    let plan = plan(4, 3);
    let mut verdicts = vec![vec![Verdict::Pass, Verdict::Pass]; 4];
    verdicts[3] = vec![Verdict::Pass, Verdict::Fail];
    let mut events = kit::story(&plan, &verdicts);
    events.insert(1, EvidenceSources { sources: kit::sources() }.into());
    if let Some(RunEvent::StepFinished(finished)) =
        events.iter_mut().rfind(|event| matches!(event, RunEvent::StepFinished(_)))
    {
        finished.observed = kit::alarming();
        finished.reason = Some("exit code 1".to_owned());
    }
    events.push(EvidenceLate { index: 3, observed: kit::alarming() }.into());
    let mut state = kit::state(&plan);
    for recorded in kit::recorded(events) {
        state.absorb(recorded);
    }
    open(&mut model, state, false);
    model.telemetry = Some(Box::new(telemetry()));
    model
}

/// A host with one sensor.
fn telemetry() -> Telemetry {
    let reading = Reading { chip: "k10temp".to_owned(), label: "Tctl".to_owned(), value: 61_250 };
    Telemetry {
        load: absent(),
        busy_permille: Source::Available { value: 250 },
        memory: absent(),
        memory_pressure: absent(),
        frequencies: absent(),
        temperatures: Source::Available { value: vec![reading] },
        fans: absent(),
        voltages: Source::found(None, "hwmon"),
        power: absent(),
    }
}

fn absent<T>() -> Source<T> {
    Source::Absent { detail: "/sys".to_owned() }
}

/// A screen with a run that is in its fifth sub-run.
pub(crate) fn live(size: (u16, u16)) -> Model {
    let mut model = previewed(size, &[]);
    let plan = plan(4, 3);
    let mut state = kit::state(&plan);
    let events = kit::recorded(kit::story(&plan, &vec![vec![Verdict::Pass, Verdict::Pass]; 5]));
    // All but what ends the fifth and the run.
    let cut = events.len().saturating_sub(5);
    events.iter().take(cut).for_each(|recorded| state.apply(recorded));
    state.end = None;
    state.status = RunStatus::Running;
    open(&mut model, state, true);
    model
}

/// A line of the history.
pub(crate) fn run_line(id: &str, status: RunStatus, verdict: Option<Verdict>) -> RunLine {
    let plan = plan(4, 3);
    let mut state = kit::state(&plan);
    state.header.run_id = id.to_owned();
    state.status = status;
    state.end = verdict.map(|verdict| (verdict, 0));
    let summary = state.summary();
    let json = serde_json::to_vec(&summary).unwrap();
    let mut summary: crate::domain::summary::RunSummary<RowCount> = serde_json::from_slice(&json).unwrap();
    if let Some(verdict) = verdict {
        *summary.counts.entry(verdict).or_default() = 12;
    }
    let id = RunId::parse(id).unwrap();
    let entry = RunEntry { dir: RunDir::at(std::path::Path::new("/ws/runs"), &id), id, summary: Ok(summary) };
    rows::runs(vec![entry], now()).remove(0)
}

/// Gives the screen three runs: one that passed, one that failed, one that was interrupted.
pub(crate) fn with_runs(model: &mut Model) {
    let runs = vec![
        run_line("rr-20250101T010101Z-abc123", RunStatus::Completed, Some(Verdict::Pass)),
        run_line("rr-20241231T230000Z-9f3c1e", RunStatus::Completed, Some(Verdict::Fail)),
        run_line("rr-20241122T120000Z-77ab02", RunStatus::Interrupted, None),
    ];
    drop(send(model, Msg::Runs(runs)));
}

/// What is asked before 4 by 3 points, so many of which sit on a limit.
pub(crate) fn proposed(on_a_limit: u32, unit: Option<&str>) -> Proposed {
    let mut plan: Plan = (*plan(4, 3)).clone();
    plan.unit = unit.map(str::to_owned);
    let plan = Arc::new(plan);
    let mut proposal = Proposal::new(&plan, plan.experiment.bounds.clone(), &[], vec![]);
    proposal.on_a_limit = on_a_limit;
    let what = What::Fresh { flow: "flows/cpu_smoke.yaml".to_owned(), margin: "margins/v.yaml".to_owned(), seed: 7 };
    let digest = plan.digest.clone();
    let launch =
        Launch { what, unit: unit.map(str::to_owned), dry_run: false, max_fail: None, allow_concurrent: false, digest };
    Proposed { proposal, launch, margin_file: Some("/ws/margins/v.yaml".into()), estimate: Some(43_000) }
}

/// Sends one message.
pub(crate) fn send(model: &mut Model, msg: Msg) -> Vec<Effect> {
    update(model, msg, Timestamp::from_millis(now().millis() + 1000).unwrap())
}

/// Presses keys, written as in the key file, blanks between.
pub(crate) fn press(model: &mut Model, keys: &str) -> Vec<Effect> {
    let mut effects = vec![];
    for word in keys.split(' ').filter(|word| !word.is_empty()) {
        let keys: Keys = word.parse().unwrap();
        for chord in keys.chords() {
            effects.extend(send(model, Msg::Key(chord)));
        }
    }
    effects
}
