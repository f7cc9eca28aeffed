//! Targets that read back what a run has stored: its journals, its plan, the whole record, and the report made of it.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::fs;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use road_runner::commands::compare::{Comparison, Side};
use road_runner::commands::report::columns;
use road_runner::commands::stored::StoredRun;
use road_runner::domain::event::{Recorded, RunEvent};
use road_runner::domain::headroom;
use road_runner::domain::plan::Plan;
use road_runner::domain::progress::{Remaining, StepProgress};
use road_runner::domain::rails::{setpoints, walk};
use road_runner::domain::run_state::{RunHeader, RunState};
use road_runner::domain::shmoo;
use road_runner::domain::shmoo_edge::Edges;
use road_runner::domain::shmoo_grid::{Grid, View};
use road_runner::domain::time::Timestamp;
use road_runner::headless::{self, history::RunRow};
use road_runner::report::export::Columns;
use road_runner::report::gathered::Gathered;
use road_runner::report::machine;
use road_runner::report::render::{self, RenderFault};
use road_runner::report::template::{Form, Templates};
use road_runner::store::history;
use road_runner::store::journal::{self, JournalTail, JournalWriter};
use road_runner::store::layout::RunDir;
use road_runner::store::rails::{KeptRails, away};
use road_runner::store::record::{Record, read_plan};
use road_runner::store::run_id::RunId;
use road_runner::store::sub_run;

use super::fixture::{admitted, fixture, samples};
use super::{files, is_fit_to_show, told, unpack};

/// The run that an input is a record of.
const RUN: &str = "rr-20250101T010101Z-abc123";
/// A small run as a runner left it.
const SMALL: &[u8] = include_bytes!("small-run.txt");

fn header() -> RunHeader {
    RunHeader { run_id: RUN.to_owned(), source_run: None, dry_run: false, version: "0.1.0".to_owned() }
}

/// The plan of the small run.
fn small_plan() -> &'static Arc<Plan> {
    static PLAN: OnceLock<Arc<Plan>> = OnceLock::new();
    PLAN.get_or_init(|| {
        let plan = files(SMALL, "").into_iter().find(|(path, _)| *path == "plan.json").unwrap().1;
        Arc::new(serde_json::from_slice(plan).unwrap())
    })
}

/// A journal of either kind. A line that is read is written and read as itself; the tail of a growing file hands over what is
/// complete and no more; what a dead runner left is cut to complete lines; a prefix says no more than the whole.
pub fn journal(data: &[u8]) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("steps.ldjson");
    let mut expected = vec![];
    for line in data.split_inclusive(|byte| *byte == b'\n') {
        match journal::decode(line) {
            Ok(Some(recorded)) => {
                again(&recorded);
                expected.push(recorded);
            }
            Ok(None) => {}
            Err(why) => {
                assert!(!why.is_empty());
                break;
            }
        }
    }
    fs::write(&path, data).unwrap();
    let mut tail = JournalTail::new(&path);
    let mut all = vec![];
    let read = tail.poll(&mut |recorded| all.push(recorded));
    assert!(all.len() <= expected.len() && all == expected[..all.len()]);
    let offset = usize::try_from(tail.offset()).unwrap();
    assert!(offset == 0 || data.get(offset - 1) == Some(&b'\n'), "not behind a line: {offset}");
    // As it grows: the same lines, whatever was there when it was looked at first.
    fs::write(&path, &data[..data.len() / 2]).unwrap();
    let (mut tail, mut grown) = (JournalTail::new(&path), vec![]);
    let first = tail.poll(&mut |recorded| grown.push(recorded));
    fs::write(&path, data).unwrap();
    if first.is_ok() && tail.poll(&mut |recorded| grown.push(recorded)).is_ok() {
        assert!(read.is_ok());
        assert_eq!(grown, all);
    }
    match JournalWriter::resume(&path) {
        Ok((mut writer, last)) => {
            assert!(read.is_ok());
            assert_eq!(last, all.iter().map(|recorded| recorded.seq).max());
            assert_eq!(fs::read(&path).unwrap(), &data[..offset]);
            if let Some(recorded) = all.last() {
                writer.append(recorded).unwrap();
                let more = journal::read(&path).unwrap();
                assert_eq!((more.len(), more.last()), (all.len() + 1, Some(recorded)));
            }
        }
        Err(_) => assert!(read.is_err()),
    }
    folded(&all);
}

/// What was read is written, and read as itself.
fn again(recorded: &Recorded) {
    let mut line = vec![];
    journal::encode(recorded, &mut line).unwrap();
    assert_eq!(line.iter().position(|byte| *byte == b'\n'), Some(line.len() - 1), "not one line");
    assert_eq!(journal::decode(&line).unwrap().as_ref(), Some(recorded), "{}", String::from_utf8_lossy(&line));
}

/// Folds any events at all over the small run's plan, and asks the state everything that it can be asked.
fn folded(events: &[Recorded]) {
    let mut state = RunState::new(header(), Arc::clone(small_plan()));
    let now = Timestamp::from_millis(1_735_693_261_000).unwrap();
    let mut finished = 0;
    for recorded in events {
        state.apply(recorded);
        assert!(state.finished_sub_runs() >= finished, "a sub-run that had ended has not");
        finished = state.finished_sub_runs();
        assert!(finished <= state.sub_runs.len());
        if let Some(step) = StepProgress::of(&state, recorded.at) {
            assert!(step.permille() <= 1000);
        }
    }
    assert!(state.sub_runs.iter().all(|sub_run| sub_run.executions.len() <= events.len()));
    asked(&state, now);
    state.forget_steps(0);
    asked(&state, now);
}

fn asked(state: &RunState, now: Timestamp) {
    assert!(Remaining::of(state, now).permille() <= 1000);
    drop(serde_json::to_string(&state.summary()).unwrap());
    drop(state.stop_reason());
    let _ = (state.run_verdict(), state.failures(), state.failed_sub_runs(), state.in_flight());
    for index in samples(u32::try_from(state.sub_runs.len()).unwrap()) {
        drop(serde_json::to_string(&state.sub_run_summary(index)).unwrap());
        let _ = (state.sub_run_verdict(index, None), shmoo::outcome(state, index));
    }
    let experiment = &state.plan.experiment;
    if let Some(view) = View::default_of(experiment)
        && let Some(grid) = Grid::of(experiment, &view, |index| shmoo::outcome(state, index))
    {
        assert_eq!(grid.cells().len(), grid.rows() * grid.columns());
        if let Some(edges) = Edges::of(experiment, &grid) {
            assert!(!format!("{edges:?}").is_empty());
        }
    }
}

/// `plan.json`: read, and where its tables fit each other, made whole, counted, admitted, and walked along.
pub fn plan(data: &[u8]) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plan.json");
    fs::write(&path, data).unwrap();
    let plan = match read_plan(&path) {
        Ok(plan) => plan,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    let text = serde_json::to_vec(&plan).unwrap();
    assert_eq!(serde_json::from_slice::<Plan>(&text).unwrap(), plan);
    assert_eq!(plan.is_intact(), serde_json::from_slice::<Plan>(&text).unwrap().is_intact());
    let _ = (plan.short_digest(), plan.unit_text());
    let experiment = &plan.experiment;
    if !experiment.is_sound() || experiment.sub_runs() > 1000 {
        return;
    }
    for sub_run in samples(experiment.sub_runs()) {
        let sub_run = experiment.sub_run(sub_run).expect("a sound plan has the sub-runs that it counts");
        let mut before = BTreeMap::new();
        for index in samples(experiment.executions()) {
            let Some(Ok(step)) = experiment.step(&sub_run, index, plan.unit_text()) else { continue };
            let levels = setpoints(&experiment.controllers, &step.rails);
            let writes = walk(&experiment.controllers, &before, &levels);
            for (rail, level) in &levels {
                let last =
                    writes.iter().rfind(|write| write.rail == *rail).map_or(before.get(rail), |w| Some(&w.level));
                assert_eq!(last, Some(level), "{rail} does not arrive");
            }
            before = levels;
        }
    }
    drop(Columns::of(experiment).titles());
    let _ = (headroom::rail_uses(experiment, &experiment.bounds), headroom::applied_fields(experiment));
    let _ = headroom::sub_runs_on_a_limit(experiment, &experiment.bounds);
    asked(&RunState::new(header(), Arc::new(plan.clone())), Timestamp::from_millis(0).unwrap());
    // A stored plan is admitted by its own bounds and by today's.
    let bounds = experiment.bounds.intersect(&fixture().bounds.bounds);
    admitted(plan.clone(), &plan.experiment.bounds);
    if let Some(bounds) = bounds {
        admitted(plan, &bounds);
    }
}

/// The files of an input as the run [`RUN`] below `runs`. Behind a line `+` they take the place of those of the small run.
pub fn stored(runs: &Path, data: &[u8]) -> RunDir {
    let id = RunId::parse(RUN).unwrap();
    let folder = runs.join(RUN);
    fs::create_dir_all(&folder).unwrap();
    let changes = data.strip_prefix(b"+\n");
    if changes.is_some() {
        unpack(&folder, &files(SMALL, ""));
    }
    unpack(&folder, &files(changes.unwrap_or(data), "events.ldjson"));
    RunDir::open(runs, &id).unwrap()
}

/// What the commands print of a run, and of what changed since the small one, holds nothing that a terminal would obey.
fn printed(run: &StoredRun) {
    static SMALL_STATE: OnceLock<RunState> = OnceLock::new();
    let small = SMALL_STATE.get_or_init(|| RunState::new(header(), Arc::clone(small_plan())));
    let mut listing = vec![];
    headless::plan::write(&run.state.plan, &mut listing).unwrap();
    headless::plan::write_counts(&run.state.plan, &mut listing).unwrap();
    let (then, now) = (Side { state: small, host: None }, Side { state: &run.state, host: None });
    for text in [
        headless::history::table(std::iter::once(RunRow::new(&run.entry))).text(),
        headless::history::shown(run, true),
        headless::progress::result(&run.state, Path::new("runs")),
        headless::compare::text(&Comparison::of(then, now)),
        String::from_utf8(listing).unwrap(),
    ] {
        assert!(is_fit_to_show(&text), "something hostile in {text:?}");
    }
}

/// A whole record: read in order and by several threads, asked for its rails, listed and shown.
pub fn record(data: &[u8]) {
    let runs = tempfile::tempdir().unwrap();
    let dir = stored(runs.path(), data);
    let listed = history::list(runs.path()).unwrap();
    assert_eq!(listed.len(), 1);
    let record = Record::open(listed.into_iter().next().unwrap());
    let experiment = &record.plan.experiment;
    if experiment.sub_runs() > 2000 {
        return;
    }
    let mut seen = 0;
    let Ok(whole) = record.fold(|state, index| {
        seen += 1;
        let sub_run = &state.sub_runs[index as usize];
        assert!(sub_run.executions.is_sorted_by_key(|execution| execution.started.index));
        Ok::<(), Infallible>(())
    });
    assert_eq!(seen, experiment.sub_runs());
    for damage in &whole.damage {
        assert!(!damage.to_string().contains('\0') || data.contains(&0));
    }
    asked(&whole.state, Timestamp::from_millis(0).unwrap());
    let cells = record.cells();
    // Cells are read in short; of a record in which every line can be read they say the same.
    if whole.damage == record.damage {
        assert_eq!(cells.damage, whole.damage);
        assert_eq!(told_of(cells.state), told_of(whole.state.clone()));
    }
    // A journal that stands where the run's own says is read alone as it is read with the others.
    let count = experiment.sub_runs();
    let begun = journal::read(&dir.events()).unwrap_or_default();
    let begun: BTreeMap<u32, String> = begun.into_iter().filter_map(|recorded| started(&recorded.event)).collect();
    let is_where_said = |index: &u32| begun.get(index).is_some_and(|id| *id == header().sub_run_id(count, *index));
    for index in samples(count).filter(is_where_said) {
        let (executions, _) = sub_run::executions(&dir, &whole.state, index);
        assert_eq!(format!("{executions:?}"), format!("{:?}", whole.state.sub_runs[index as usize].executions));
    }
    let (stands_in, entry) = (record.stands_in, record.entry);
    printed(&StoredRun { entry, state: whole.state, stands_in, damage: whole.damage });
    drop(machine::sysinfo(&dir));
    let kept = KeptRails::read(&dir);
    if let Ok(Some(away)) = away(&dir) {
        let known: BTreeSet<_> = away.rails.keys().collect();
        assert_eq!(known.len(), away.rails.len());
        if let Ok(Some(kept)) = &kept {
            let controllers = kept.controllers.iter().map(|(name, driver)| (name.clone(), driver.controller.clone()));
            drop(walk(&controllers.collect(), &away.rails, &kept.nominal));
        }
    }
    if let Ok(Some(kept)) = kept {
        kept.write(&dir).unwrap();
        assert_eq!(KeptRails::read(&dir).unwrap(), Some(kept));
    }
}

fn started(event: &RunEvent) -> Option<(u32, String)> {
    match event {
        RunEvent::SubrunStarted(started) => Some((started.index, started.id.clone())),
        _ => None,
    }
}

/// All that a state says beside its executions.
fn told_of(mut state: RunState) -> String {
    (0..u32::try_from(state.sub_runs.len()).unwrap()).for_each(|index| state.forget_steps(index));
    format!(
        "{:?} {:?} {:?} {:?} {:?}",
        state.status,
        state.current,
        state.sessions,
        state.sub_runs,
        state.run_verdict()
    )
}

/// A whole record to its CSV and both reports by the shipped templates.
pub fn report(data: &[u8]) {
    static TEMPLATES: OnceLock<[Templates; 2]> = OnceLock::new();
    let runs = tempfile::tempdir().unwrap();
    stored(runs.path(), data);
    let record = Record::open(history::list(runs.path()).unwrap().into_iter().next().unwrap());
    if record.plan.experiment.sub_runs() > 100 {
        return;
    }
    let templates = TEMPLATES.get_or_init(|| {
        Form::ALL.map(|form| Templates::load(Path::new("/nowhere"), form).unwrap_or_else(|bad| panic!("{bad:?}")))
    });
    let mut csv = vec![];
    let columns = columns(&record);
    let gathered = Gathered::read(&record, &columns, Some((Path::new("export.csv"), &mut csv))).unwrap();
    let facts = render::facts(&record, &gathered).unwrap();
    assert!(std::str::from_utf8(&csv).is_ok());
    for templates in templates {
        let mut page = vec![];
        match render::render(&record, &gathered, &facts, templates, &mut page) {
            Ok(()) => {}
            Err(RenderFault::Write(error)) => panic!("{error}"),
            Err(RenderFault::Template(bad)) => panic!("{:?}", bad.problems),
        }
        let page = String::from_utf8(page).unwrap();
        assert!(!page.contains('\u{1b}'), "an escape in the report");
        if templates.form == Form::Html {
            assert!(!page.contains("<script>alert"), "text of the record became part of the page");
        }
    }
}

/// Renders the small run by this text as its Markdown template, with what it includes.
pub fn rendered(text: &str) {
    static RUNS: OnceLock<(tempfile::TempDir, Record)> = OnceLock::new();
    // A list within a list within a list: the limit on rows holds, and takes its time.
    if text.matches("each").count() > 2 {
        return;
    }
    let (_, record) = RUNS.get_or_init(|| {
        let runs = tempfile::tempdir().unwrap();
        stored(runs.path(), b"+\n");
        let entry = history::list(runs.path()).unwrap().into_iter().next().unwrap();
        (runs, Record::open(entry))
    });
    let workspace = tempfile::tempdir().unwrap();
    unpack(workspace.path(), &[("templates/report.md.hbs", text.as_bytes())]);
    match Templates::load(workspace.path(), Form::Markdown) {
        Ok(templates) => {
            let gathered = Gathered::read(record, &columns(record), None).unwrap();
            let facts = render::facts(record, &gathered).unwrap();
            match render::render(record, &gathered, &facts, &templates, &mut std::io::sink()) {
                Ok(()) => {}
                Err(RenderFault::Write(error)) => panic!("{error}"),
                Err(RenderFault::Template(bad)) => told(&bad.problems, &bad.sources),
            }
        }
        Err(bad) => told(&bad.problems, &bad.sources),
    }
}
