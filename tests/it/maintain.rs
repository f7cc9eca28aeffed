//! `init`, `clean`, `completions` and `man` as a shell sees them.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, below: &str) -> PathBuf {
        self.0.path().join(below)
    }

    fn command(&self, words: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_road_runner"));
        command
            .args(words.split_whitespace())
            .current_dir(self.0.path())
            .env_clear()
            .env("PATH", "/usr/bin:/bin:/usr/sbin:/sbin")
            .env("ROAD_RUNNER_HOST_LOCK", self.path("host.lock"))
            .stdin(Stdio::null());
        command
    }

    fn told(&self, words: &str) -> (Option<i32>, String, String) {
        let Output { status, stdout, stderr } = self.command(words).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (status.code(), text(stdout), text(stderr))
    }

    /// The sample workspace in `w`.
    fn with_workspace(self) -> Self {
        let (code, _, said) = self.told("init w");
        assert_eq!(code, Some(0), "{said}");
        self
    }

    fn names(&self, folder: &str) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.path(folder))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// A finished run with that id, made of a real one.
    fn aged(&self, id: &str) {
        let runs = self.path("w/runs");
        let (code, _, said) = self.told("run --workspace w --no-tui --yes -q --dry-run --flow vc707 --margin nominal");
        assert_eq!(code, Some(0), "{said}");
        let made = fs::read_dir(&runs)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .find(|path| {
                path.file_name().unwrap().to_str().unwrap().starts_with("rr-202") && !path.join("kept").exists()
            })
            .unwrap();
        let summary = fs::read_to_string(made.join("summary.json")).unwrap();
        let own = made.file_name().unwrap().to_str().unwrap();
        fs::write(made.join("summary.json"), summary.replace(own, id)).unwrap();
        fs::write(made.join("kept"), "").unwrap();
        fs::rename(&made, runs.join(id)).unwrap();
    }
}

#[test]
fn an_installed_binary_needs_no_checkout() {
    let place = Place::new().with_workspace();
    let (code, said, errors) = place.told("adapters check cpu_smoke --workspace w");
    assert_eq!((code, errors.as_str()), (Some(0), ""), "{said}");
    let (code, _, errors) =
        place.told("run --workspace w --no-tui --yes --flow sample_flow --margin sample_margin --unit SN1");
    assert_eq!(code, Some(0), "{errors}");
    // What was written is what is shipped, byte for byte, and nobody else may change what root would run.
    for file in ["flows/sample_flow.yaml", "diags/cpu_smoke.sh", "policy/profiles/virtual-machine.yaml"] {
        let shipped = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
        let written = place.path("w").join(file);
        assert!(fs::read(&written).unwrap() == shipped, "{file}");
        assert_eq!(fs::metadata(&written).unwrap().permissions().mode() & 0o022, 0, "{file}");
    }
}

#[test]
fn a_folder_with_anything_in_it_is_left_alone() {
    let place = Place::new();
    fs::create_dir(place.path("full")).unwrap();
    fs::write(place.path("full/mine"), "x").unwrap();
    let (code, _, said) = place.told("init full");
    assert_eq!(code, Some(2));
    assert!(said.contains("is not empty"), "{said}");
    assert_eq!(place.names("full"), ["mine"]);
    assert_eq!(place.names("."), ["full"]);
}

#[test]
fn clean_takes_old_runs_and_nothing_else() {
    let place = Place::new().with_workspace();
    let (old, older, future) =
        ("rr-20250101T000000Z-aaaaaa", "rr-20240101T000000Z-bbbbbb", "rr-21250101T000000Z-cccccc");
    for id in [old, older, future] {
        place.aged(id);
    }
    let runs = place.path("w/runs");
    // What is no run, or not the run that it seems.
    fs::create_dir(runs.join("notes")).unwrap();
    fs::write(runs.join("rr-20200101T000000Z-dddddd"), "a file").unwrap();
    fs::create_dir(place.path("elsewhere")).unwrap();
    fs::write(place.path("elsewhere/precious"), "x").unwrap();
    symlink(place.path("elsewhere"), runs.join("rr-20200101T000000Z-eeeeee")).unwrap();
    symlink(place.path("elsewhere"), runs.join(older).join("artifacts")).unwrap();
    fs::create_dir(runs.join("rr-20200101T000000Z-ffffff")).unwrap();
    fs::write(runs.join("rr-20200101T000000Z-ffffff/summary.json"), "{").unwrap();
    let everything = place.names("w/runs");

    let (code, said, errors) = place.told("clean --workspace w --older-than 30 --dry-run");
    assert_eq!(code, Some(0), "{errors}");
    assert!(said.contains(old) && said.contains(older), "{said}");
    assert_eq!(place.names("w/runs"), everything, "a dry run deletes nothing");

    let (code, said, errors) = place.told("clean --workspace w --older-than 30 --keep 1");
    assert_eq!(code, Some(0), "{said}{errors}");
    let gone: Vec<&String> = everything.iter().filter(|name| !runs.join(name).exists()).collect();
    assert_eq!(gone, [older], "{said}");

    let (code, ..) = place.told("clean --workspace w --older-than 30");
    assert_eq!(code, Some(0));
    let left = place.names("w/runs");
    assert!(!left.contains(&old.to_owned()) && left.contains(&future.to_owned()), "{left:?}");
    for stays in ["notes", "rr-20200101T000000Z-dddddd", "rr-20200101T000000Z-eeeeee", "rr-20200101T000000Z-ffffff"] {
        assert!(left.contains(&stays.to_owned()), "{stays} of {left:?}");
    }
    assert_eq!(place.names("elsewhere"), ["precious"]);
}

#[test]
fn a_running_run_stays_whatever_is_asked() {
    let place = Place::new().with_workspace();
    let program = place.path("w/diags/wait.sh");
    fs::write(&program, "#!/bin/sh\necho up\nexec sleep 600\n").unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(place.path("w/adapters/wait.yaml"), "name: wait\npath: diags/wait.sh\n").unwrap();
    fs::write(place.path("w/flows/wait.yaml"), "name: wait\nsteps: [ { name: w, adapter: wait } ]\n").unwrap();
    let words = "run --workspace w --no-tui --yes --output json --flow wait --margin nominal";
    let mut run = place.command(words).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(run.stdout.take().unwrap()));
    assert!(lines.any(|line| line.unwrap().contains("step_spawned")));
    let (code, said, _) = place.told("clean --workspace w --older-than 0 --force");
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(place.names("w/runs").len(), 1, "{said}");
    let (code, ..) = place.told("runs stop latest --now --workspace w");
    assert_eq!(code, Some(0));
    let rest: Vec<String> = lines.map(Result::unwrap).collect();
    assert!(rest.last().unwrap().contains("run_finished"), "{rest:?}");
    assert_eq!(run.wait().unwrap().code(), Some(130));
}

#[test]
fn completions_are_scripts_of_their_shell() {
    let place = Place::new();
    for shell in ["bash", "zsh", "fish"] {
        let (code, script, _) = place.told(&format!("completions {shell}"));
        assert_eq!(code, Some(0), "{shell}");
        assert!(script.contains("older-than") && script.contains("rerun-last"), "{shell}");
        if shell == "bash" {
            let mut bash = Command::new("bash").arg("-n").stdin(Stdio::piped()).spawn().unwrap();
            bash.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
            assert!(bash.wait().unwrap().success());
        }
    }
    assert_eq!(place.told("completions tcsh").0, Some(2));
}

#[test]
fn the_manual_has_every_command() {
    let (code, page, _) = Place::new().told("man");
    assert_eq!(code, Some(0));
    assert!(page.contains(".TH"), "{page}");
    for command in ["rerun\\-last", "follow", "explain", "clean", "init"] {
        assert!(page.contains(command), "{command}");
    }
}
