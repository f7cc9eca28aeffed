//! The shipped workspace, run for real: what a new user sees first, and what the published data say.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use road_runner::commands::context::{Context, Given};
use road_runner::commands::stored;
use serde_json::{Value, json};
use tempfile::TempDir;

const WORKSPACE: &str = env!("CARGO_MANIFEST_DIR");

/// A runs folder of its own for the shipped workspace.
struct Shipped(TempDir);

impl Shipped {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn runs(&self) -> PathBuf {
        self.0.path().join("runs")
    }

    /// The binary in the given workspace, with an environment of its own.
    fn command(&self, workspace: &Path, words: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_road_runner"));
        command
            .args(words.split_whitespace())
            .arg("--no-tui")
            .arg("--workspace")
            .arg(workspace)
            .arg("--runs-dir")
            .arg(self.runs())
            .env_clear()
            .env("PATH", "/usr/bin:/bin:/usr/sbin:/sbin")
            .env("ROAD_RUNNER_HOST_LOCK", self.0.path().join("lock"))
            .stdin(Stdio::null());
        command
    }

    /// Runs the command, and gives the one run that there is then.
    fn run(&self, words: &str) -> (Output, PathBuf) {
        self.run_in(Path::new(WORKSPACE), words)
    }

    /// A copy of the shipped workspace, for what moves its regulator: other tests would move it as well.
    fn copy(&self) -> PathBuf {
        let workspace = self.0.path().join("somewhere");
        copy(Path::new(WORKSPACE), &workspace);
        workspace
    }

    fn run_in(&self, workspace: &Path, words: &str) -> (Output, PathBuf) {
        let output = self.command(workspace, words).output().unwrap();
        let mut runs: Vec<PathBuf> = fs::read_dir(self.runs()).unwrap().map(|e| e.unwrap().path()).collect();
        assert_eq!(runs.len(), 1, "{}", String::from_utf8_lossy(&output.stderr));
        (output, runs.remove(0))
    }

    /// The stored run again: what its journals fold to is what its summary says.
    fn check_rebuilt(&self, run: &Path) {
        let given = Given {
            workspace: Some(WORKSPACE.into()),
            runs: Some(self.runs()),
            current: "/".into(),
            ..Given::default()
        };
        let context = Context::find(given).unwrap();
        let stored = stored::load(&context, "latest").unwrap();
        assert_eq!(stored.damage, []);
        let rebuilt = serde_json::to_value(stored.state.summary()).unwrap();
        assert_eq!(rebuilt, json(&run.join("summary.json")));
        for index in 0..stored.state.plan.experiment.sub_runs() {
            let summary = stored.state.sub_run_summary(index).unwrap();
            let path = run.join("subruns").join(&summary.id).join("summary.json");
            assert_eq!(serde_json::to_value(summary).unwrap(), json(&path));
        }
    }
}

fn json(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))).unwrap()
}

/// What stands below a folder, with the run's id and what differs from host to host left out.
fn tree(root: &Path, id: &str) -> Vec<String> {
    fn walk(folder: &Path, all: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, all);
            }
            all.push(path);
        }
    }
    let mut all = vec![];
    walk(root, &mut all);
    let mut shown: Vec<String> =
        all.iter().map(|p| p.strip_prefix(root).unwrap().display().to_string().replace(id, "ID")).collect();
    shown.sort();
    shown
}

#[test]
fn the_sample_flow_passes_and_leaves_a_complete_record() {
    let shipped = Shipped::new();
    let (output, run) =
        shipped.run("run --yes --flow flows/sample_flow.yaml --margin margins/sample_margin.yaml --unit SN123456");
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let id = run.file_name().unwrap().to_str().unwrap().to_owned();
    let tree = tree(&run, &id);
    for file in ["plan.json", "summary.json", "sysinfo.json", "events.ldjson", "lock"] {
        assert!(tree.contains(&file.to_owned()), "{file} in {tree:?}");
    }
    for file in ["inputs/flows/sample_flow.yaml", "inputs/margins/sample_margin.yaml", "inputs/policy/safety.yaml"] {
        assert!(tree.contains(&file.to_owned()), "{file} in {tree:?}");
    }
    let sub_run: Vec<&str> = tree.iter().filter_map(|path| path.strip_prefix("subruns/ID-s00/")).collect();
    for file in ["steps.ldjson", "summary.json", "logs.idx", "stdout/00_cpu-smoke.log", "stderr/00_cpu-smoke.log"] {
        assert!(sub_run.contains(&file), "{file} in {sub_run:?}");
    }
    let summary = json(&run.join("summary.json"));
    assert_eq!(summary["unit"], "SN123456");
    assert_eq!((&summary["status"], &summary["verdict"]), (&"completed".into(), &"pass".into()));
    shipped.check_rebuilt(&run);
}

#[test]
fn the_demo_has_a_clear_boundary_and_exits_1() {
    let shipped = Shipped::new();
    let workspace = shipped.copy();
    let (output, run) = shipped.run_in(&workspace, "run --yes --flow shmoo_demo --margin shmoo_demo");
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    let summary = json(&run.join("summary.json"));
    let mut columns: BTreeMap<u64, BTreeMap<u64, String>> = BTreeMap::new();
    for row in summary["subruns"].as_array().unwrap() {
        let sim = &row["point"]["rails"]["sim"];
        let at = (sim["frequency_khz"].as_u64().unwrap(), sim["nominal_uv"].as_u64().unwrap());
        check_rails(&run.join("subruns").join(row["id"].as_str().unwrap()), at);
        columns.entry(at.0).or_default().insert(at.1, row["verdict"].as_str().unwrap().to_owned());
    }
    assert_eq!((columns.len(), columns.values().map(BTreeMap::len).sum::<usize>()), (12, 108));
    // The boundary rises with frequency: the lowest voltage that passes never falls from one column to the next.
    let lowest_pass: Vec<u64> = columns
        .values()
        .map(|column| *column.iter().find(|(_, verdict)| *verdict == "pass").expect("each column passes somewhere").0)
        .collect();
    assert!(lowest_pass.is_sorted(), "{lowest_pass:?}");
    assert!(lowest_pass.first() < lowest_pass.last());
    for verdict in ["pass", "fail", "timeout"] {
        assert!(summary["counts"][verdict].as_u64().unwrap() > 0, "{verdict} in {}", summary["counts"]);
    }
    shipped.check_rebuilt(&run);
    let regulator = fs::read_to_string(workspace.join(".sim_rail/sim")).unwrap();
    assert!(
        regulator.starts_with("set_uv=1000000 set_khz=3000000 ") && regulator.ends_with(" khz=3000000\n"),
        "{regulator}"
    );
    assert!(regulator.contains(" to_uv=1000000 "), "{regulator}");
}

/// The rail of a sub-run was moved to its point by the controller, was there before and after the steps, the device got
/// just that, and it went home.
fn check_rails(sub_run: &Path, (khz, uv): (u64, u64)) {
    let journal = fs::read_to_string(sub_run.join("steps.ldjson")).unwrap();
    let lines: Vec<Value> = journal.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |event: &str| lines.iter().filter(|line| line["event"] == event).cloned().collect::<Vec<_>>();
    let here = json!({ "voltage_uv": uv, "frequency_khz": khz });
    let nominal = json!({ "voltage_uv": 1_000_000, "frequency_khz": 3_000_000 });
    let moved: Vec<_> = of("rail_moving").into_iter().map(|line| (line["from"].clone(), line["to"].clone())).collect();
    assert_eq!(moved, [(nominal.clone(), here.clone())]);
    let held: Vec<_> =
        of("rail_held").into_iter().map(|line| (line["setpoint"].clone(), line["readback"].clone())).collect();
    assert_eq!(held, vec![(here.clone(), here); 2]);
    let started = of("step_started");
    assert_eq!(started.len(), 3);
    for step in started {
        assert_eq!(step["applied"], json!({ "sim.voltage": "controller", "sim.frequency": "controller" }));
    }
    for step in of("step_finished") {
        let metric = |name: &str| step["metrics"][name]["value"].as_f64();
        if step["verdict"] == "pass" {
            let exact = |value: u64| Some(f64::from(u32::try_from(value).unwrap()));
            assert_eq!((metric("rail_uv"), metric("rail_khz")), (exact(uv), exact(khz)));
        }
    }
    let home = of("rail_restored");
    assert_eq!(home.len(), 1);
    assert_eq!((&home[0]["by"], &home[0]["readback"]), (&json!("runner"), &nominal));
    // Home before anything else, and nothing after it but the end.
    let order: Vec<&str> = lines.iter().rev().take(3).map(|line| line["event"].as_str().unwrap()).collect();
    assert_eq!(order, ["subrun_closed", "rail_restored", "rail_held"]);
}

/// Total bit faults by voltage from 0.65 V down, as published (doi 10.1109/MICRO.2018.00064, data set
/// FPGA-BRAMs-Undervoltig-Study); `None` is the crash.
#[test]
fn the_boards_give_the_published_counts() {
    let check = |flow: &str, published: [Option<f64>; 8]| {
        let shipped = Shipped::new();
        let (output, run) = shipped.run(&format!("run --yes --flow {flow} --margin vc707"));
        assert_eq!(output.status.code(), Some(1), "{flow}");
        let summary = json(&run.join("summary.json"));
        let counts: Vec<(u64, Option<f64>, String)> = summary["subruns"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| {
                let own = json(&run.join("subruns").join(row["id"].as_str().unwrap()).join("summary.json"));
                let faults = own["steps"][0]["metrics"]["faults"]["value"].as_f64();
                let voltage = row["point"]["rails"]["bram"]["voltage_uv"].as_u64().unwrap();
                (voltage, faults, row["verdict"].as_str().unwrap().to_owned())
            })
            .collect();
        let voltages: Vec<u64> = (53..=65).rev().map(|hundredths| hundredths * 10_000).collect();
        assert_eq!(counts.iter().map(|c| c.0).collect::<Vec<_>>(), voltages, "{flow}");
        // 0.65 to 0.61 V without a fault, then the table.
        let expected: Vec<Option<f64>> = std::iter::repeat_n(Some(0.0), 5).chain(published).collect();
        assert_eq!(counts.iter().map(|c| c.1).collect::<Vec<_>>(), expected, "{flow}");
        for (voltage, faults, verdict) in &counts {
            assert_eq!(verdict == "pass", *faults == Some(0.0), "{flow} {voltage}");
        }
    };
    let some = |counts: [f64; 8]| counts.map(Some);
    let mut vc707 = some([4.0, 24.0, 146.0, 772.0, 2732.0, 7520.0, 23706.0, 0.0]);
    vc707[7] = None;
    check("vc707", vc707);
    check("kc705b", some([0.0, 2.0, 8.0, 26.0, 62.0, 252.0, 690.0, 2274.0]));
}

/// The same inputs, planned in another folder, another time zone, another language, with other file times.
#[test]
fn the_same_inputs_give_the_same_plan_byte_for_byte() {
    let plan = |prepare: &dyn Fn(&Path), surroundings: &[(&str, &str)], words: &str| {
        let shipped = Shipped::new();
        let workspace = shipped.copy();
        prepare(&workspace);
        let mut command = shipped.command(&workspace, words);
        command.envs(surroundings.iter().copied()).current_dir(shipped.0.path());
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        let run = fs::read_dir(shipped.runs()).unwrap().next().unwrap().unwrap().path();
        (fs::read(run.join("plan.json")).unwrap(), output.stdout)
    };
    let words = "plan -q --flow shmoo_demo --margin shmoo_demo";
    let first = plan(&|_| (), &[], words).0;
    let aged = |workspace: &Path| {
        let long_ago = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
        for entry in fs::read_dir(workspace.join("flows")).unwrap() {
            fs::File::open(entry.unwrap().path()).unwrap().set_modified(long_ago).unwrap();
        }
    };
    let elsewhere = [("TZ", "Pacific/Auckland"), ("LC_ALL", "tr_TR.UTF-8"), ("LANG", "de_DE.UTF-8"), ("COLUMNS", "7")];
    assert!(plan(&aged, &elsewhere, words).0 == first, "another plan");
    let behind_a_link = |workspace: &Path| {
        let real = workspace.with_file_name("real");
        fs::rename(workspace, &real).unwrap();
        symlink(&real, workspace).unwrap();
    };
    assert!(plan(&behind_a_link, &[], words).0 == first, "another plan behind a link");
    let digest = |plan: &[u8]| serde_json::from_slice::<Value>(plan).unwrap()["digest"].clone();
    let reseeded = plan(&|_| (), &[], &format!("{words} --seed 5")).0;
    assert_ne!(digest(&reseeded), digest(&first));
}

/// Copies what a workspace is made of.
fn copy(from: &Path, to: &Path) {
    for part in ["flows", "margins", "policy", "policy/profiles", "adapters", "diags"] {
        fs::create_dir_all(to.join(part)).unwrap();
        for entry in fs::read_dir(from.join(part)).unwrap().map(Result::unwrap) {
            if entry.path().is_file() {
                fs::copy(entry.path(), to.join(part).join(entry.file_name())).unwrap();
            }
        }
    }
}

#[test]
fn the_real_tools_record_real_metrics() {
    let there = |tool: &str| ["/usr/bin", "/usr/sbin"].iter().any(|folder| Path::new(folder).join(tool).exists());
    if !(there("stress-ng") && there("memtester")) {
        return crate::tools::skipped("stress-ng or memtester is not installed");
    }
    let shipped = Shipped::new();
    let (output, run) = shipped.run("run --yes --flow real_smoke --margin nominal");
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let sub_run = fs::read_dir(run.join("subruns")).unwrap().next().unwrap().unwrap().path();
    let steps = json(&sub_run.join("summary.json"))["steps"].clone();
    assert!(steps[0]["metrics"]["cpu_bogo_ops"]["value"].as_f64().unwrap() > 0.0, "{steps}");
    assert!(steps[1]["metrics"]["loops"]["value"].as_f64().unwrap() >= 1.0, "{steps}");
}
