//! Everything that panes show of a workspace, from one reading of it: flows and margins as rows, what is wrong with each
//! file in a line, how each margin stands to the bounds, and which of them to begin with. Never fails and starts nothing.

use crate::commands::context::Context;
use crate::commands::inspect::{FlowRow, is_pair};
use crate::commands::margins::{MarginRow, Within, within};
use crate::commands::plan;
use crate::domain::host::HostFacts;
use crate::domain::margin::MarginProfile;
use crate::domain::policy::BoundsInForce;
use crate::domain::problem::{Problem, Severity};
use crate::domain::sanitize;
use crate::input::catalogue::{Catalogue, Entry};
use crate::input::problem::Problems;
use crate::input::source::Sources;
use crate::store::history::RunEntry;

/// A workspace as panes show it.
#[derive(Debug)]
pub struct WorkspaceView {
    /// Its flows, in the order of their files.
    pub flows: Vec<FlowView>,
    /// Its margin profiles, likewise.
    pub margins: Vec<MarginView>,
    /// What is wrong with policy, hardware profiles and adapters, file by file.
    pub others: Vec<FileProblems>,
    /// What refuses the bounds as a whole, where no file by itself does: no policy, or profiles that contradict it.
    pub bounds: Option<String>,
    /// Everything that is wrong with any file, to be drawn with its lines.
    pub problems: Problems,
    /// The texts of all files.
    pub sources: Sources,
    /// What to begin with.
    pub choice: Choice,
}

/// A flow and what is wrong with its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlowView {
    /// What it is.
    pub row: FlowRow,
    /// What is wrong, errors first.
    pub problems: Vec<RowProblem>,
}

/// A margin profile, what is wrong with its file, and how it stands to the bounds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MarginView {
    /// What it is.
    pub row: MarginRow,
    /// What is wrong, errors first.
    pub problems: Vec<RowProblem>,
    /// Whether it would be allowed here.
    pub within: Within,
}

/// A file that has problems.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileProblems {
    /// The file, as shown.
    pub file: String,
    /// What is wrong, errors first.
    pub problems: Vec<RowProblem>,
}

/// Something that is wrong with a file, in one line and without what a terminal would obey.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowProblem {
    /// Line and column, from 1; none of a file as a whole.
    pub place: Option<(u32, u32)>,
    /// What is wrong.
    pub message: String,
    /// What would be right, if it can be said.
    pub help: Option<String>,
    /// Whether it refuses the file.
    pub is_error: bool,
}

/// What to begin with, as indices of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Choice {
    /// The flow; none where there is none.
    pub flow: Option<usize>,
    /// The margin profile, likewise.
    pub margin: Option<usize>,
}

impl RowProblem {
    fn new(problem: &Problem) -> Self {
        Self {
            place: (problem.place.line > 0).then_some((problem.place.line, problem.place.column)),
            message: sanitize::line(&problem.message).into_owned(),
            help: problem.help.as_deref().map(|help| sanitize::line(help).into_owned()),
            is_error: problem.severity == Severity::Error,
        }
    }

    fn all(problems: &Problems) -> Vec<Self> {
        let mut all: Vec<Self> = problems.list().iter().map(Self::new).collect();
        all.sort_by_key(|problem| (!problem.is_error, problem.place));
        all
    }

    /// `line 14:7 unknown adapter`.
    pub fn shown(&self) -> String {
        match self.place {
            Some((line, column)) => format!("line {line}:{column} {}", self.message),
            None => self.message.clone(),
        }
    }
}

/// Looks at the workspace once. `host` chooses the hardware profiles; `runs`, newest first, what to begin with.
pub fn view(context: &Context, host: &HostFacts, runs: &[RunEntry]) -> WorkspaceView {
    let catalogue = Catalogue::read(&context.workspace);
    let sources = catalogue.sources();
    let bounds = Standing::of(&catalogue, host, &sources);
    let flow = |entry: &Entry<_>| FlowView { row: FlowRow::new(entry), problems: RowProblem::all(&entry.problems) };
    let flows: Vec<FlowView> = catalogue.flows.iter().map(flow).collect();
    let margins: Vec<MarginView> = catalogue.margins.iter().map(|entry| bounds.margin(entry)).collect();
    let mut others = vec![];
    add(&mut others, &catalogue.policies);
    add(&mut others, &catalogue.profiles);
    add(&mut others, &catalogue.manifests);
    WorkspaceView {
        choice: Choice::of(&flows, &margins, runs),
        flows,
        margins,
        others,
        bounds: if let Standing::Refused(why) = bounds { Some(why) } else { None },
        problems: catalogue.all_problems(),
        sources,
    }
}

fn add<T>(others: &mut Vec<FileProblems>, entries: &[Entry<T>]) {
    for entry in entries.iter().filter(|entry| !entry.problems.is_empty()) {
        let file = sanitize::line(&entry.file).into_owned();
        others.push(FileProblems { file, problems: RowProblem::all(&entry.problems) });
    }
}

/// How the bounds themselves stand.
enum Standing {
    InForce(Box<BoundsInForce>),
    NoPolicy,
    /// A file has errors, which are its own to tell.
    Errors,
    /// The files are sound and do not fit together.
    Refused(String),
}

impl Standing {
    fn of(catalogue: &Catalogue, host: &HostFacts, sources: &Sources) -> Self {
        let is_broken = catalogue.policies.iter().any(|entry| entry.problems.has_errors())
            || catalogue.profiles.iter().any(|entry| entry.problems.has_errors());
        if is_broken {
            return Self::Errors;
        }
        if catalogue.policies.is_empty() {
            return Self::NoPolicy;
        }
        match plan::bounds_in_force(catalogue, host, sources) {
            Ok((bounds, _)) => Self::InForce(Box::new(bounds)),
            Err(failure) => {
                let first = failure.problems.list().first().map(|p| format!("{}: {}", p.place, p.message));
                Self::Refused(sanitize::line(&first.unwrap_or(failure.message)).into_owned())
            }
        }
    }

    fn margin(&self, entry: &Entry<MarginProfile>) -> MarginView {
        let row = MarginRow::new(entry);
        let within = match (&entry.value, self) {
            (None, _) => Within::Errors,
            (Some(margin), Self::InForce(bounds)) => within(margin, row.points, bounds),
            (Some(_), Self::NoPolicy) => Within::NoPolicy,
            (Some(_), Self::Errors | Self::Refused(_)) => Within::PolicyErrors,
        };
        MarginView { row, problems: RowProblem::all(&entry.problems), within }
    }
}

impl Choice {
    /// The newest run's flow and margin, where both are still here; else the first flow that has a margin of its name;
    /// else the first of each. What has errors comes last, but for the newest run's: somebody is at work on it.
    fn of(flows: &[FlowView], margins: &[MarginView], runs: &[RunEntry]) -> Self {
        let newest = || {
            let summary = runs.first()?.summary.as_ref().ok()?;
            let flow = flows.iter().position(|flow| flow.row.name == summary.flow.as_str())?;
            let margin = margins.iter().position(|margin| margin.row.name == summary.margin.as_str())?;
            Some(Self { flow: Some(flow), margin: Some(margin) })
        };
        let sound_flows = || flows.iter().enumerate().filter(|(_, flow)| flow.row.errors == 0);
        let sound_margins = || margins.iter().enumerate().filter(|(_, margin)| margin.row.errors == 0);
        let pair = |is_pair: &dyn Fn(&str, &str) -> bool| {
            sound_flows().find_map(|(at, flow)| {
                let (margin, _) = sound_margins().find(|(_, margin)| is_pair(&flow.row.name, &margin.row.name))?;
                Some(Self { flow: Some(at), margin: Some(margin) })
            })
        };
        let namesake = || pair(&|flow, margin| flow == margin);
        newest().or_else(namesake).or_else(|| pair(&is_pair)).unwrap_or_else(|| Self {
            flow: sound_flows().next().map(|(at, _)| at).or_else(|| (!flows.is_empty()).then_some(0)),
            margin: sound_margins().next().map(|(at, _)| at).or_else(|| (!margins.is_empty()).then_some(0)),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;
    use crate::commands::margins;
    use crate::commands::testing::{Bench, Past, history};

    fn looked(bench: &Bench, runs: &[Past<'_>]) -> WorkspaceView {
        view(&bench.context, &HostFacts::default(), &history(runs))
    }

    /// Rows with what is wrong, the chosen ones marked.
    fn drawn(bench: &Bench, runs: &[Past<'_>]) -> String {
        let view = looked(bench, runs);
        let mut out = String::new();
        let mark = |chosen: Option<usize>, at: usize| if chosen == Some(at) { '>' } else { ' ' };
        let problems = |out: &mut String, problems: &[RowProblem]| {
            for problem in problems {
                let help = problem.help.as_deref().map(|help| format!(" ({help})")).unwrap_or_default();
                let _ = writeln!(out, "    {}{help}", problem.shown());
            }
        };
        for (at, flow) in view.flows.iter().enumerate() {
            let _ = writeln!(out, "{} {} {}", mark(view.choice.flow, at), flow.row.file, flow.row.steps.len());
            problems(&mut out, &flow.problems);
        }
        for (at, margin) in view.margins.iter().enumerate() {
            let (file, within) = (&margin.row.file, margin.within.shown());
            let _ = writeln!(out, "{} {file} {} {within}", mark(view.choice.margin, at), margin.row.points);
            problems(&mut out, &margin.problems);
        }
        for other in &view.others {
            let _ = writeln!(out, "{}", other.file);
            problems(&mut out, &other.problems);
        }
        out + view.bounds.as_deref().unwrap_or_default()
    }

    fn bench() -> Bench {
        let bench = Bench::new();
        bench.write("flows/mem.yaml", "name: mem\nsteps:\n  - { name: m, adapter: prob }\n");
        bench.write("flows/wide_flow.yaml", "name: wide_flow\nsteps: [ { name: s, adapter: probe } ]\n");
        bench.write("margins/broken.yaml", "name: broken\nordr: raster\ndefault: { core: { voltage: [1V, 2] } }\n");
        bench.write(
            "margins/wide_margin.yaml",
            "name: wide_margin\ndefault: { core: { voltage: { from: 600mV, to: 1200mV, step: 100mV } } }\n",
        );
        bench
    }

    #[test]
    fn rows_with_their_problems_and_bounds() {
        let bench = bench();
        insta::assert_snapshot!(drawn(&bench, &[]), @r"
          flows/mem.yaml 0
            line 3:25 no adapter `prob` (did you mean `probe`?)
          flows/smoke.yaml 1
        > flows/wide_flow.yaml 1
          margins/broken.yaml 0 has errors
            line 2:1 unknown key `ordr` in the margin (did you mean `order`?)
            line 3:34 `core.voltage`: a voltage needs its unit (write `2mV` or `2V` or `2uV`)
          margins/down.yaml 1 bounds ok
        > margins/wide_margin.yaml 7 2 of 7 outside
        ");
        bench.policy("core: { voltage: 7 }");
        bench.write("policy/profiles/p.yaml", "name: q\n");
        insta::assert_snapshot!(drawn(&bench, &[]), @r"
          flows/mem.yaml 0
            line 3:25 no adapter `prob` (did you mean `probe`?)
          flows/smoke.yaml 1
        > flows/wide_flow.yaml 1
          margins/broken.yaml 0 has errors
            line 2:1 unknown key `ordr` in the margin (did you mean `order`?)
            line 3:34 `core.voltage`: a voltage needs its unit (write `2mV` or `2V` or `2uV`)
          margins/down.yaml 1 policy has errors
        > margins/wide_margin.yaml 7 policy has errors
        policy/safety.yaml
            line 3:20 `core.voltage` takes a map of `min`, `max`
        policy/profiles/p.yaml
            line 1:1 the profile has no `match` (`match` takes a map of `cpu_vendor`, `cpu_model_contains`, `arch`, `min_cores`, `max_cores`, `min_memory`, `kernel_min`, `kernel_max`, `hypervisor`)
            line 1:1 the profile has no `policy` (`policy` takes a map of `limits`, `params`, `max_subruns`, `max_step_timeout`, `max_log`, `severity`, `controllers`, `evidence`)
            line 1:7 the name `q` is unlike its file's (rename one of them: the file's is `p`)
        ");
        std::fs::remove_dir_all(bench.context.workspace.join("policy")).unwrap();
        insta::assert_snapshot!(drawn(&bench, &[]), @r"
          flows/mem.yaml 0
            line 3:25 no adapter `prob` (did you mean `probe`?)
          flows/smoke.yaml 1
        > flows/wide_flow.yaml 1
          margins/broken.yaml 0 has errors
            line 2:1 unknown key `ordr` in the margin (did you mean `order`?)
            line 3:34 `core.voltage`: a voltage needs its unit (write `2mV` or `2V` or `2uV`)
          margins/down.yaml 1 no policy
        > margins/wide_margin.yaml 7 no policy
        ");
    }

    #[test]
    fn profiles_that_contradict_the_policy_refuse_the_bounds() {
        let bench = Bench::new();
        bench.write(
            "policy/profiles/p.yaml",
            "name: p\npriority: 1\nmatch: {}\npolicy: { limits: { core: { voltage: { min: 1.2V, max: 1.3V } } } }\n",
        );
        insta::assert_snapshot!(drawn(&bench, &[]), @r"
        > flows/smoke.yaml 1
        > margins/down.yaml 1 policy has errors
        policy/profiles/p.yaml:4:38: no value of core.voltage is allowed any more
        ");
    }

    #[test]
    fn what_to_begin_with() {
        let check = |bench: &Bench, runs: &[Past<'_>], expected: (Option<&str>, Option<&str>)| {
            let view = looked(bench, runs);
            let flow = view.choice.flow.map(|at| view.flows[at].row.name.clone());
            let margin = view.choice.margin.map(|at| view.margins[at].row.name.clone());
            assert_eq!((flow.as_deref(), margin.as_deref()), expected);
        };
        let bench = bench();
        let run = Past { flow: "smoke", margin: "down", ..Past::default() };
        check(&bench, &[], (Some("wide_flow"), Some("wide_margin")));
        check(&bench, &[run, Past { flow: "mem", ..run }], (Some("smoke"), Some("down")));
        check(&bench, &[Past { flow: "mem", ..run }], (Some("mem"), Some("down")));
        check(&bench, &[Past { flow: "gone", ..run }, run], (Some("wide_flow"), Some("wide_margin")));
        check(&bench, &[Past { unreadable: true, ..run }], (Some("wide_flow"), Some("wide_margin")));
        std::fs::remove_file(bench.context.workspace.join("flows/wide_flow.yaml")).unwrap();
        check(&bench, &[], (Some("smoke"), Some("down")));
        std::fs::remove_file(bench.context.workspace.join("flows/smoke.yaml")).unwrap();
        check(&bench, &[], (Some("mem"), Some("down")));
        std::fs::remove_dir_all(bench.context.workspace.join("margins")).unwrap();
        std::fs::remove_file(bench.context.workspace.join("flows/mem.yaml")).unwrap();
        check(&bench, &[], (None, None));
    }

    #[test]
    fn a_margin_is_allowed_exactly_when_it_validates() {
        let bench = bench();
        for rails in [
            "core: { voltage: [900mV, 1V] }",
            "core: { voltage: [900mV, 1.2V] }",
            "core: { frequency: { from: 1GHz, to: 5GHz, step: 1GHz } }",
            "soc: { voltage: 1V }",
            "core: { voltage: { from: 700mV, to: 1100mV, step: 1uV } }",
            "core: { avt: [ { voltage: 1V, frequency: 3GHz } ] }",
        ] {
            bench.margin(rails);
            let view = looked(&bench, &[]);
            let within = &view.margins.iter().find(|margin| margin.row.name == "down").unwrap().within;
            let validated = margins::validate(&bench.context, "down");
            assert_eq!(*within == Within::Allowed, validated.is_ok(), "{rails}: {within:?}");
        }
    }

    #[test]
    fn what_hides_in_a_file_is_shown_harmless() {
        let bench = Bench::new();
        bench.write("flows/bad.yaml", "name: bad\nsteps: [ { name: s, adapter: \"x\\e[2Jy\" } ]\n");
        let view = looked(&bench, &[]);
        let said: String = view.flows.iter().flat_map(|flow| &flow.problems).map(RowProblem::shown).collect();
        assert!(!said.is_empty() && !said.chars().any(char::is_control), "{said:?}");
    }
}
