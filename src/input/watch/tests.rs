//! Tests of the watch, each in both ways: edits as editors make them, folders that come and go, and silence.

use std::fs;
use std::sync::mpsc::TryRecvError;

use super::*;

/// Longer than any machine needs; nothing waits for it unless it fails.
const PATIENCE: Duration = Duration::from_secs(30);

struct Bench {
    dir: tempfile::TempDir,
    changes: Receiver<Changed>,
    watch: Option<Watch>,
}

impl Bench {
    fn new(way: Way, folders: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        for folder in folders {
            fs::create_dir_all(dir.path().join(folder)).unwrap();
        }
        fs::write(dir.path().join("flows/a.yaml"), "name: a\n").unwrap();
        let (to, changes) = mpsc::channel();
        let user = dir.path().join("home/.config/road_runner");
        let folders = Folders { workspace: dir.path().join("ws"), ..Folders::of(dir.path(), Some(&user)) };
        let folders = Folders { workspace: dir.path().to_owned(), ..folders };
        let watch = Watch::start_by(way, folders, move |changed| drop(to.send(changed)));
        Self { dir, changes, watch: Some(watch) }
    }

    fn write(&self, file: &str, text: &str) {
        fs::write(self.dir.path().join(file), text).unwrap();
    }

    /// Waits until all of these were told, in as many parts as it takes; nothing else may be.
    fn expect(&self, expected: &[&str]) {
        let expected: BTreeSet<PathBuf> = expected.iter().map(PathBuf::from).collect();
        let mut told = BTreeSet::new();
        while told != expected {
            let changed = self.changes.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("{told:?} of {expected:?}"));
            assert!(!changed.everything);
            told.extend(
                changed
                    .paths
                    .into_iter()
                    .map(|path| path.strip_prefix(self.dir.path()).map_or(path.clone(), Path::to_owned)),
            );
            assert!(told.is_subset(&expected), "{told:?} of {expected:?}");
        }
    }
}

/// Runs a test in both ways.
fn check(folders: &[&str], test: impl Fn(&Bench)) {
    for way in [Way::Notices, Way::Looks] {
        test(&Bench::new(way, folders));
    }
}

#[test]
fn a_new_file_an_edit_and_a_removal() {
    check(&["flows", "margins", "policy/profiles"], |bench| {
        bench.write("flows/b.yaml", "name: b\n");
        bench.expect(&["flows/b.yaml"]);
        bench.write("flows/a.yaml", "name: other\n");
        bench.expect(&["flows/a.yaml"]);
        bench.write("policy/profiles/p.yaml", "name: p\n");
        bench.expect(&["policy/profiles/p.yaml"]);
        fs::remove_file(bench.dir.path().join("flows/a.yaml")).unwrap();
        bench.expect(&["flows/a.yaml"]);
    });
}

#[test]
fn editors_rename_over_the_file_and_leave_their_own_alone() {
    check(&["flows"], |bench| {
        let at = |name: &str| bench.dir.path().join("flows").join(name);
        for scratch in [".a.yaml.swp", "4913", "a.yaml~", "#a.yaml#", ".#a.yaml"] {
            fs::write(at(scratch), "x").unwrap();
        }
        fs::write(at("a.yaml.tmp"), "name: new\n").unwrap();
        fs::rename(at("a.yaml.tmp"), at("a.yaml")).unwrap();
        bench.expect(&["flows/a.yaml"]);
        // Vim, where it keeps a backup: away, written anew, the backup removed.
        fs::rename(at("a.yaml"), at("a.yaml~")).unwrap();
        fs::write(at("a.yaml"), "name: newer\n").unwrap();
        fs::remove_file(at("a.yaml~")).unwrap();
        bench.expect(&["flows/a.yaml"]);
    });
}

#[test]
fn a_folder_made_later_is_watched_and_one_that_goes_is_told() {
    check(&["flows"], |bench| {
        let at = |path: &str| bench.dir.path().join(path);
        fs::create_dir(at("margins")).unwrap();
        bench.write("margins/m.yaml", "name: m\n");
        bench.expect(&["margins", "margins/m.yaml"]);
        bench.write("margins/n.yaml", "name: n\n");
        bench.expect(&["margins/n.yaml"]);
        fs::create_dir_all(at("policy/profiles")).unwrap();
        bench.expect(&["policy", "policy/profiles"]);
        bench.write("policy/profiles/p.yaml", "name: p\n");
        bench.expect(&["policy/profiles/p.yaml"]);
        // Another folder of the same name.
        fs::rename(at("margins"), at("old")).unwrap();
        fs::create_dir(at("margins")).unwrap();
        bench.expect(&["margins", "margins/m.yaml", "margins/n.yaml"]);
        bench.write("margins/m.yaml", "name: m\n");
        bench.expect(&["margins/m.yaml"]);
        fs::remove_dir_all(at("flows")).unwrap();
        bench.expect(&["flows", "flows/a.yaml"]);
    });
}

#[test]
fn the_users_own_folder_may_be_made_from_the_ground() {
    check(&["flows"], |bench| {
        fs::create_dir_all(bench.dir.path().join("home/.config/road_runner")).unwrap();
        bench.expect(&["home/.config/road_runner"]);
        bench.write("home/.config/road_runner/config.yaml", "theme: dark\n");
        bench.expect(&["home/.config/road_runner/config.yaml"]);
    });
}

#[test]
fn a_burst_is_told_once() {
    let bench = Bench::new(Way::Notices, &["flows"]);
    let files: Vec<String> = (0..50).map(|n| format!("flows/f{n}.yaml")).collect();
    for file in &files {
        bench.write(file, "name: f\n");
        bench.write(file, "name: g\n");
    }
    let first = bench.changes.recv_timeout(PATIENCE).unwrap();
    // A machine that is busy for long may make two of it.
    let mut told = first.paths;
    while told.len() < files.len() {
        told.extend(bench.changes.recv_timeout(PATIENCE).unwrap().paths);
    }
    assert_eq!(told, files.iter().map(PathBuf::from).collect());
}

#[test]
fn nothing_is_told_of_what_is_not_meant_nor_of_reading() {
    let bench = Bench::new(Way::Notices, &["flows", "flows/deep", "runs"]);
    bench.write("flows/.a.yaml.swp", "x");
    bench.write("flows/deep/x.yaml", "x");
    bench.write("runs/x.yaml", "x");
    bench.write("README.md", "x");
    fs::read(bench.dir.path().join("flows/a.yaml")).unwrap();
    // The one that is meant comes last, so all that might have been told has been.
    bench.write("flows/z.yaml", "name: z\n");
    bench.expect(&["flows/z.yaml"]);
    assert_eq!(bench.changes.try_recv(), Err(TryRecvError::Empty));
}

#[test]
fn dropping_it_ends_its_threads() {
    check(&["flows"], |_| ());
    for way in [Way::Notices, Way::Looks] {
        let mut bench = Bench::new(way, &["flows"]);
        drop(bench.watch.take());
        // The thread held the only sender.
        assert_eq!(bench.changes.recv(), Err(mpsc::RecvError));
    }
}

#[test]
fn lost_notices_are_said() {
    let (to, notices) = mpsc::channel();
    let dir = tempfile::tempdir().unwrap();
    let folders = Folders::of(dir.path(), None);
    let (out, told) = mpsc::channel();
    let follower = Follower {
        seen: Look::at(&folders),
        watcher: Notices::start(&folders, to.clone()),
        folders,
        notices,
        tell: move |changed: Changed| drop(out.send(changed)),
    };
    to.send(Notice::Lost).unwrap();
    let thread = std::thread::spawn(move || follower.follow());
    let changed = told.recv_timeout(PATIENCE).unwrap();
    assert!(changed.everything && changed.paths.is_empty() && changed.is_in("flows"));
    to.send(Notice::Broken).unwrap();
    assert!(told.recv_timeout(PATIENCE).unwrap().everything);
    // By looking from now on.
    fs::create_dir(dir.path().join("flows")).unwrap();
    let changed = told.recv_timeout(PATIENCE).unwrap();
    assert!(changed.is_in("flows") && !changed.is_in("margins"), "{changed:?}");
    to.send(Notice::End).unwrap();
    thread.join().unwrap();
}

#[test]
fn names_that_are_meant() {
    let check = |name: &str, expected: bool| assert_eq!(is_meant(OsStr::new(name)), expected, "{name}");
    check("a.yaml", true);
    check("report.md.hbs", true);
    check("12.yaml", true);
    check("4913", false);
    check("5036", false);
    check(".hidden.yaml", false);
    check("a.yaml~", false);
    check("a.yaml.swp", false);
    check("#a.yaml#", false);
    check("", false);
}
