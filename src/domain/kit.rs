//! Builders for tests: flows, margins, adapters, bounds, plans, events. Plain values with everything optional left out;
//! a test changes the public fields that it is about. Compiled for tests only.

#![expect(clippy::missing_panics_doc, reason = "a builder for tests panics where the test is wrong")]

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::domain::adapter::{Adapter, Controller, Judgement};
use crate::domain::bounds;
use crate::domain::event::{
    Cancelling, Recorded, RunEvent, RunFinished, RunStarted, RunStatus, StepFinished, StepSpawned, StepStarted,
    SubrunClosed, SubrunFinished, SubrunOpened, SubrunStarted,
};
use crate::domain::evidence::{Counted, Found, Logged, Measured, Observation, Observed, SourceId, Sources, Status};
use crate::domain::flow::{Flow, FlowStep, OnFailure, ParamSweep, PassRule};
use crate::domain::host::HostFacts;
use crate::domain::margin::{
    FieldKey, FieldSpec, Jitter, MarginProfile, Order, Pair, RailField, RailShape, RailSpec, Recipe, StopLine,
};
use crate::domain::name::Name;
use crate::domain::param::{Binding, ParamKind, ParamSpec, ParamValue};
use crate::domain::place::{Place, Placed};
use crate::domain::plan::{Executable, Experiment, InputFile, Plan};
use crate::domain::planner::{self, Ingredients, PlanError};
use crate::domain::policy::{BoundsInForce, Interval, Limits, ParamBound, ParamKey, SafetyPolicy};
use crate::domain::problem::Problem;
use crate::domain::run_state::{RunHeader, RunState};
use crate::domain::seed::Seed;
use crate::domain::sweep::{Range, Sweep};
use crate::domain::time::Timestamp;
use crate::domain::units::{Kilohertz, Microvolts, Millis};
use crate::domain::verdict::{CancelReason, Effects, Verdict};

/// A name that is one.
pub fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

/// Some place in `file`.
pub fn place(file: &str) -> Place {
    Place::new(file, 1, 1, 1)
}

/// A value written somewhere.
pub fn placed<T>(value: T) -> Placed<T> {
    Placed::new(value, place("test.yaml"))
}

/// `core.voltage`, `mem_pattern/mem.voltage`.
pub fn key(text: &str) -> FieldKey {
    text.parse().unwrap()
}

/// A moment, in milliseconds since the epoch.
pub fn moment(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis).unwrap()
}

// Flows.

/// A flow of those steps.
pub fn flow(steps: Vec<FlowStep>) -> Flow {
    Flow { name: name("flow"), file: "flows/flow.yaml".into(), description: None, steps }
}

/// A step that sets nothing.
pub fn step(step: &str, adapter: &str) -> FlowStep {
    FlowStep {
        name: placed(name(step)),
        adapter: placed(name(adapter)),
        params: vec![],
        sweep: vec![],
        repeat: 1,
        pass_rule: PassRule::All,
        optional: false,
        on_failure: OnFailure::Continue,
        timeout: None,
    }
}

/// Integers to sweep, as a list.
pub fn ints(values: &[i64]) -> ParamSweep {
    ParamSweep::List(values.iter().map(|v| placed(ParamValue::Int(*v))).collect())
}

/// Texts to sweep, as a list.
pub fn texts(values: &[&str]) -> ParamSweep {
    ParamSweep::List(values.iter().map(|v| placed(ParamValue::Text((*v).to_owned()))).collect())
}

/// A range to sweep, in base units.
pub fn param_range(kind: ParamKind, from: i64, to: i64, step: i64, scale: u32) -> ParamSweep {
    let range = Range::new(from, to, step).unwrap();
    ParamSweep::Range { range, kind, scale, place: place("flows/flow.yaml") }
}

// Adapters.

/// An adapter without parameters, its program being `diags/<name>.sh`.
pub fn adapter(adapter: &str, params: Vec<ParamSpec>) -> Adapter {
    Adapter {
        name: name(adapter),
        file: format!("adapters/{adapter}.yaml").into(),
        description: None,
        path: placed(format!("diags/{adapter}.sh")),
        args: vec![],
        params,
        env: BTreeMap::new(),
        rails: vec![],
        restore: vec![],
        judgement: Judgement::default(),
        timeout: None,
        silence: None,
        grace: Adapter::DEFAULT_GRACE,
        version_args: vec![],
    }
}

/// An optional parameter with the flag `--<name>`.
pub fn param(param: &str, kind: ParamKind) -> ParamSpec {
    ParamSpec {
        name: name(param),
        place: place("adapters/a.yaml"),
        kind,
        unit: None,
        decimals: 0,
        flag: Some(format!("--{param}")),
        default: None,
        min: None,
        max: None,
        choices: vec![],
        required: false,
        from: None,
        allow_leading_dash: false,
        help: None,
    }
}

/// A parameter bound to a rail's field, shown in millivolts or megahertz.
pub fn from_margin(text: &str, rail: &str, field: RailField) -> ParamSpec {
    let (kind, unit) = match field {
        RailField::Voltage => (ParamKind::Voltage, "mV"),
        RailField::Frequency => (ParamKind::Frequency, "MHz"),
    };
    let from = Some(Binding::Margin { rail: name(rail), field });
    ParamSpec { unit: Some(unit.to_owned()), from, ..param(text, kind) }
}

// Margins.

/// A profile of those rails, in raster order.
pub fn margin(default: Vec<RailSpec>) -> MarginProfile {
    MarginProfile {
        name: name("margin"),
        file: "margins/margin.yaml".into(),
        description: None,
        global_seed: None,
        nominal: vec![],
        axes: None,
        order: Order::Raster,
        settle: Millis(0),
        stop_line: StopLine::default(),
        default,
        adapters: vec![],
        recipes: vec![],
        jitter: vec![],
    }
}

/// A rail with those fields.
pub fn rail(rail: &str, fields: Vec<(RailField, FieldSpec)>) -> RailSpec {
    RailSpec { rail: placed(name(rail)), shape: RailShape::Fields(fields) }
}

/// A rail of AVT pairs: microvolts, kilohertz.
pub fn pairs(rail: &str, pairs: &[(u64, u64)]) -> RailSpec {
    let pair = |&(voltage, frequency): &(u64, u64)| Pair {
        voltage: placed(Microvolts(voltage)),
        frequency: placed(Kilohertz(frequency)),
    };
    RailSpec { rail: placed(name(rail)), shape: RailShape::Pairs(pairs.iter().map(pair).collect()) }
}

/// One value, in base units.
pub fn fixed(value: u64) -> FieldSpec {
    FieldSpec::Fixed(placed(value))
}

/// A list of values, in base units.
pub fn list(values: &[i64]) -> FieldSpec {
    let places = values.iter().map(|_| place("margins/margin.yaml")).collect();
    FieldSpec::Swept { sweep: Sweep::List(values.to_vec()), places }
}

/// A range, in base units.
pub fn range(from: i64, to: i64, step: i64) -> FieldSpec {
    let sweep = Sweep::Range(Range::new(from, to, step).unwrap());
    FieldSpec::Swept { sweep, places: vec![place("margins/margin.yaml")] }
}

/// A recipe of those settings, in base units.
pub fn recipe(recipe: &str, settings: &[(&str, u64)]) -> Recipe {
    let mut settings: Vec<_> = settings.iter().map(|(field, value)| (key(field), placed(*value))).collect();
    settings.sort_by(|a, b| a.0.cmp(&b.0));
    Recipe { name: placed(name(recipe)), settings }
}

/// Jitter of a field, in base units.
pub fn jitter(field: &str, max: u64, step: u64) -> (Placed<FieldKey>, Jitter) {
    (placed(key(field)), Jitter { max, step, place: place("margins/margin.yaml") })
}

// Bounds.

/// A base policy with those rail bounds, in base units.
pub fn policy(rails: &[(&str, u64, u64)]) -> SafetyPolicy {
    SafetyPolicy {
        name: name("safety"),
        file: "policy/safety.yaml".into(),
        limits: limits("policy/safety.yaml", rails),
    }
}

/// Limits of a document with those rail bounds, in base units.
pub fn limits(file: &str, rails: &[(&str, u64, u64)]) -> Limits {
    let rails = rails.iter().enumerate().map(|(line, &(field, min, max))| {
        let FieldKey { rail, field, .. } = key(field);
        let place = Place::new(file, u32::try_from(line).unwrap() + 10, 3, 4);
        ((rail, field), Placed::new(Interval { max, min }, place))
    });
    Limits { rails: rails.collect(), ..Limits::default() }
}

/// `size_mb` or `cpu_smoke.iterations`.
pub fn param_key(text: &str) -> ParamKey {
    ParamKey::try_from(text.to_owned()).unwrap()
}

/// Adds a bound for a parameter.
pub fn bound_param(limits: &mut Limits, param: &str, min: Option<ParamValue>, max: Option<ParamValue>) {
    limits.params.insert(param_key(param), placed(ParamBound { max, min }));
}

/// The bounds of a base policy alone.
pub fn bounds(base: &SafetyPolicy) -> BoundsInForce {
    bounds::in_force(base, &[]).unwrap()
}

// Plans.

/// Everything that a plan is made of.
#[derive(Debug, Clone)]
pub struct World {
    /// What is run.
    pub flow: Flow,
    /// Where.
    pub margin: MarginProfile,
    /// With what.
    pub adapters: BTreeMap<Name, Adapter>,
    /// Programs, made for every adapter by [`World::new`].
    pub executables: BTreeMap<String, Executable>,
    /// What moves rails.
    pub controllers: BTreeMap<Name, Controller>,
    /// Within which bounds.
    pub policy: SafetyPolicy,
    /// The seed of everything.
    pub seed: Seed,
    /// The unit.
    pub unit: Option<String>,
}

impl World {
    /// Of a flow, a margin, adapters, and bounds that let `core`, `mem` and `soc` be nearly anything.
    pub fn new(flow: Flow, margin: MarginProfile, adapters: Vec<Adapter>) -> Self {
        let wide = ["core", "mem", "soc"].map(|rail| (format!("{rail}.voltage"), format!("{rail}.frequency")));
        let wide: Vec<(&str, u64, u64)> = wide
            .iter()
            .flat_map(|(voltage, frequency)| {
                [(voltage.as_str(), 0, 1_000_000_000_000), (frequency.as_str(), 0, 1_000_000_000_000)]
            })
            .collect();
        let mut policy = policy(&wide);
        policy.limits.max_subruns = Some(placed(1_000_000));
        let paths = adapters.iter().flat_map(|a| std::iter::once(&a.path).chain(&a.restore));
        let executables = paths.map(|path| {
            (path.value.clone(), Executable { path: path.value.clone(), sha256: format!("hash of {}", path.value) })
        });
        Self {
            executables: executables.collect(),
            flow,
            margin,
            adapters: adapters.into_iter().map(|a| (a.name.clone(), a)).collect(),
            controllers: BTreeMap::new(),
            policy,
            seed: 20_250_101,
            unit: None,
        }
    }

    /// One step of an adapter that is handed `core.voltage` and `core.frequency`, over that margin.
    pub fn sweeping(margin: MarginProfile) -> Self {
        let params =
            vec![from_margin("vcore", "core", RailField::Voltage), from_margin("fcore", "core", RailField::Frequency)];
        Self::new(flow(vec![step("cpu-smoke", "cpu_smoke")]), margin, vec![adapter("cpu_smoke", params)])
    }

    /// A grid of `voltages` x `frequencies` points on rail `core` with one step at each.
    pub fn grid(voltages: u32, frequencies: u32) -> Self {
        let voltage = range(1_000_000, 1_000_000 - i64::from(voltages - 1) * 1_000, -1_000);
        let frequency = range(3_000_000, 3_000_000 + i64::from(frequencies - 1) * 1_000, 1_000);
        let fields = vec![(RailField::Frequency, frequency), (RailField::Voltage, voltage)];
        Self::sweeping(margin(vec![rail("core", fields)]))
    }

    /// The adapter of that name, to be changed.
    pub fn adapter(&mut self, adapter: &str) -> &mut Adapter {
        self.adapters.get_mut(adapter).unwrap()
    }

    /// The experiment, or why there is none.
    pub fn try_plan(&self) -> Result<Experiment, PlanError> {
        let bounds = bounds(&self.policy);
        let file = InputFile { kind: "flow".to_owned(), sha256: "hash of the flow".to_owned() };
        planner::plan(&Ingredients {
            flow: &self.flow,
            margin: &self.margin,
            adapters: &self.adapters,
            controllers: &self.controllers,
            executables: &self.executables,
            bounds: &bounds,
            inputs: &BTreeMap::from([("flows/flow.yaml".to_owned(), file)]),
            global_seed: self.seed,
            unit: self.unit.as_deref(),
        })
    }

    /// The experiment that there must be.
    pub fn experiment(&self) -> Experiment {
        self.try_plan().unwrap()
    }

    /// What the planner finds wrong.
    pub fn problems(&self) -> Vec<Problem> {
        match self.try_plan() {
            Err(PlanError::Problems(problems)) => problems,
            other => panic!("no problems but {other:?}"),
        }
    }

    /// The frozen plan.
    pub fn plan(&self) -> Plan {
        Plan::freeze(self.experiment(), self.unit.clone(), HostFacts::default(), BTreeMap::new()).unwrap()
    }
}

/// The grid points of an experiment in the order of execution, as [`crate::domain::point::MarginPoint::key`] names them.
pub fn keys(experiment: &Experiment) -> Vec<String> {
    (0..experiment.sub_runs()).map(|index| experiment.point(index).unwrap().key()).collect()
}

/// The arguments of each execution of a sub-run, joined by spaces.
pub fn argvs(experiment: &Experiment, sub_run: u32, unit: &str) -> Vec<String> {
    let sub_run = experiment.sub_run(sub_run).unwrap();
    let step = |index| experiment.step(&sub_run, index, unit).unwrap().unwrap().argv.join(" ");
    (0..experiment.executions()).map(step).collect()
}

// Events.

/// A run of that plan before its first event.
pub fn state(plan: &Arc<Plan>) -> RunState {
    RunState::new(header(), Arc::clone(plan))
}

/// What is known of a run before its first event.
pub fn header() -> RunHeader {
    RunHeader {
        run_id: "rr-20250101T010101Z-abc123".to_owned(),
        source_run: None,
        dry_run: false,
        version: "0.1.0".to_owned(),
    }
}

/// Numbers events from 1, a second apart. Executions that have ended say when they began, and how their leader ended.
pub fn recorded(events: Vec<RunEvent>) -> Vec<Recorded> {
    let number = |(seq, mut event)| {
        let millis = i64::try_from(seq).unwrap() * 1000;
        if let RunEvent::StepFinished(finished) = &mut event {
            let took = i64::try_from(finished.duration_ms).unwrap();
            finished.started_at = finished.started_at.or(Some(moment(millis - took)));
            finished.ended_at = finished.ended_at.or(Some(moment(millis)));
            match finished.verdict {
                _ if finished.exit_code.is_some() || finished.signal.is_some() => {}
                Verdict::Pass => finished.exit_code = Some(0),
                Verdict::Fail => finished.exit_code = Some(1),
                Verdict::Timeout => finished.signal = Some(15),
                _ => {}
            }
        }
        Recorded { seq, at: moment(millis), event }
    };
    (1..).zip(events).map(number).collect()
}

/// The start of an execution, as the plan has it.
pub fn step_started(plan: &Plan, sub_run: u32, index: u32, attempt: u32) -> RunEvent {
    let sub_run = plan.experiment.sub_run(sub_run).unwrap();
    let planned = plan.experiment.step(&sub_run, index, plan.unit_text()).unwrap().unwrap();
    let params = planned.params.iter().map(|(name, value)| (name.clone(), value.to_string().into()));
    RunEvent::from(Box::new(StepStarted {
        index,
        step: planned.template.name.clone(),
        adapter: planned.template.adapter.clone(),
        combination: planned.combination.key.clone(),
        repetition: planned.repetition,
        attempt,
        params: params.collect(),
        rails: planned.rails,
        applied: planned.applied,
        argv: planned.argv,
        seed: planned.seed,
        boot_id: None,
    }))
}

/// The end of an execution with that verdict and nothing else to say.
pub fn finished(index: u32, verdict: Verdict) -> StepFinished {
    StepFinished {
        index,
        step: name("cpu-smoke"),
        verdict,
        effects: Effects::new(),
        reason: None,
        exit_code: None,
        signal: None,
        started_at: None,
        ended_at: None,
        duration_ms: 12,
        stdout_bytes: 0,
        stderr_bytes: 0,
        user_ms: None,
        system_ms: None,
        max_rss_kb: None,
        metrics: BTreeMap::new(),
        evidence: vec![],
        observed: BTreeMap::new(),
        artifacts: vec![],
        error: None,
    }
}

/// As [`finished`], as an event.
pub fn step_finished(index: u32, verdict: Verdict) -> RunEvent {
    Box::new(finished(index, verdict)).into()
}

/// A sub-run's first lines in both journals.
pub fn sub_run_opened(plan: &Plan, index: u32) -> Vec<RunEvent> {
    let sub_run = plan.experiment.sub_run(index).unwrap();
    let id = header().sub_run_id(plan.experiment.sub_runs(), index);
    vec![
        SubrunStarted { id: id.clone(), index }.into(),
        SubrunOpened { id, index, point: sub_run.point, seed: sub_run.seed }.into(),
    ]
}

/// A sub-run's last lines in both journals.
pub fn sub_run_closed(plan: &Plan, index: u32, verdict: Verdict) -> Vec<RunEvent> {
    let id = header().sub_run_id(plan.experiment.sub_runs(), index);
    vec![
        SubrunClosed { verdict, reason: None, effects: Effects::new() }.into(),
        SubrunFinished { id, index, verdict, effects: Effects::new(), reason: None }.into(),
    ]
}

/// A whole run in which each sub-run's executions end as told; sub-runs and executions without a verdict never start.
pub fn story(plan: &Arc<Plan>, verdicts: &[Vec<Verdict>]) -> Vec<RunEvent> {
    let mut state = state(plan);
    let mut events: Vec<RunEvent> = vec![RunStarted { boot_id: None, pid: 7, dry_run: false, max_fail: None }.into()];
    let mut told = 0;
    let mut tell = |events: &[RunEvent]| {
        for event in recorded(events.to_vec()).into_iter().skip(told) {
            state.apply(&event);
        }
        told = events.len();
        state.clone()
    };
    for (index, steps) in (0..plan.experiment.sub_runs()).zip(verdicts) {
        events.extend(sub_run_opened(plan, index));
        for (step, verdict) in (0..plan.experiment.executions()).zip(steps) {
            events.push(step_started(plan, index, step, 1));
            events.push(StepSpawned { index: step, pid: 100 + step, start_ticks: Some(5) }.into());
            events.push(step_finished(step, *verdict));
        }
        let gap = (steps.len() < plan.experiment.executions() as usize).then_some(crate::domain::tally::Gap::Rule);
        let verdict = tell(&events).sub_run_verdict(index, gap);
        events.extend(sub_run_closed(plan, index, verdict));
    }
    let verdict = tell(&events).run_verdict();
    events.push(RunFinished { status: RunStatus::Completed, verdict, exit_code: 0 }.into());
    events
}

/// The run is being ended.
pub fn cancelling(reason: CancelReason) -> RunEvent {
    Cancelling { reason, detail: None }.into()
}

// Evidence.

/// Sources of a host that has some of them.
pub fn sources() -> Sources {
    let found = |status, detail: &str| Found { status, detail: Some(detail.to_owned()) };
    let available = Found { status: Status::Available, detail: None };
    [
        (SourceId::EdacCe, available.clone()),
        (SourceId::Energy, found(Status::Denied, "/sys/class/powercap: permission denied")),
        (SourceId::Frequency, available.clone()),
        (SourceId::KernelLog, available.clone()),
        (SourceId::Temperature, available),
        (SourceId::Throttle, found(Status::Absent, "no thermal_throttle")),
    ]
    .into()
}

/// Sources of a host that has none.
pub fn no_sources() -> Sources {
    let absent = || Found { status: Status::Absent, detail: None };
    [(SourceId::EdacCe, absent()), (SourceId::Temperature, absent())].into()
}

/// What sensors of a kind said.
pub fn measured(min: i64, mean: i64, max: i64, unit: &str, of: &str) -> Observation {
    Observation::Measured(Measured { min, mean, max, samples: 4, unit: Some(unit.to_owned()), of: Some(of.to_owned()) })
}

/// A step in which nothing went wrong, on a host with [`sources`].
pub fn quiet() -> Observed {
    [
        (SourceId::EdacCe, Observation::Counted(Counted::default())),
        (SourceId::Frequency, measured(3_100_000, 3_150_000, 3_200_000, "kHz", "cpu3")),
        (SourceId::KernelLog, Observation::Logged(Logged::default())),
        (SourceId::Temperature, measured(41_000, 52_500, 61_250, "mC", "k10temp Tctl")),
    ]
    .into()
}

/// A step with corrected errors, throttling and words of the kernel, some of them hostile.
pub fn alarming() -> Observed {
    let places = |places: &[(&str, u64)]| places.iter().map(|(place, up)| ((*place).to_owned(), *up)).collect();
    let counted = |delta, at: &[(&str, u64)]| Observation::Counted(Counted { delta, places: places(at), unit: None });
    let lines = vec!["EDAC MC0: 1 CE".to_owned(), "usb\u{202e} gone".to_owned()];
    let mut observed = quiet();
    observed.extend([
        (SourceId::EdacCe, counted(3, &[("mc0/dimm2", 3)])),
        (SourceId::KernelLog, Observation::Logged(Logged { corrected: 1, note: 1, lines, ..Logged::default() })),
        (SourceId::Temperature, measured(41_000, 70_000, 93_500, "mC", "k10temp Tctl")),
        (SourceId::Throttle, counted(5, &[("cpu0", 2), ("cpu1", 3)])),
    ]);
    observed
}
