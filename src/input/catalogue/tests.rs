//! The catalogue of whole workspaces: what is read, what is refused, what is found.

use super::super::render::render;
use super::*;

fn workspace(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (file, text) in files {
        let path = dir.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    dir
}

const FLOW: &str = "name: a\nsteps: [ { name: s, adapter: t } ]\n";
const ADAPTER: &str = "name: t\npath: diags/t.sh\n";

#[test]
fn the_sample_workspace_is_sound() {
    let catalogue = Catalogue::read(Path::new(env!("CARGO_MANIFEST_DIR")));
    let problems = catalogue.all_problems();
    assert!(problems.is_empty(), "{}", render(&problems, &catalogue.sources(), false));
    assert!(catalogue.flows.len() > 3 && catalogue.margins.len() > 3 && catalogue.profiles.len() == 4);
    let (adapters, controllers) = (catalogue.adapters.adapters.len(), catalogue.adapters.controllers.len());
    assert!(catalogue.policy().is_some() && controllers == 2 && adapters + controllers == catalogue.manifests.len());
}

#[test]
fn odd_files_are_errors_of_their_own() {
    let dir = workspace(&[
        ("flows/a.yaml", FLOW),
        ("flows/bad.yml", "name: bad\nsteps: []\n"),
        ("flows/.hidden.yaml", "["),
        ("flows/notes.txt", "["),
        ("flows/other.yaml", "name: unlike\nsteps: [ { name: s, adapter: t } ]\n"),
        ("adapters/t.yaml", ADAPTER),
    ]);
    let at = |name: &str| dir.path().join(name);
    std::fs::create_dir(at("flows/folder.yaml")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", at("flows/link.yaml")).unwrap();
    std::fs::write(at("flows/latin.yaml"), b"name: \xe9\n").unwrap();
    let fifo = rustix::fs::FileType::Fifo;
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    rustix::fs::mknodat(rustix::fs::CWD, at("flows/fifo.yaml"), fifo, mode, 0).unwrap();
    let catalogue = Catalogue::read(dir.path());
    let good: Vec<&str> = catalogue.flows.iter().filter(|f| f.value.is_some()).map(|f| f.name.as_str()).collect();
    assert_eq!(good, ["a", "unlike"]);
    insta::assert_snapshot!(render(&catalogue.all_problems(), &catalogue.sources(), false), @r"
    error: `steps` is empty: it needs at least one
     --> flows/bad.yml:2:8
      |
    2 | steps: []
      |        ^^

    error: not a regular file but a FIFO
    --> flows/fifo.yaml

    error: not a regular file but a directory
    --> flows/folder.yaml

    error: not UTF-8: line 1 has the byte 0xe9
    --> flows/latin.yaml

    error: a symbolic link, not a file
    --> flows/link.yaml
     = help: put the file itself into the workspace

    warning: the name `unlike` is unlike its file's
     --> flows/other.yaml:1:7
      |
    1 | name: unlike
      |       ^^^^^^
      |
      = help: rename one of them: the file's is `other`
    ");
}

#[test]
fn one_name_one_document() {
    let dir = workspace(&[
        ("adapters/t.yaml", ADAPTER),
        ("adapters/u.yaml", ADAPTER),
        ("flows/a.yaml", FLOW),
        ("policy/safety.yaml", "name: safety\nlimits: {}\n"),
        ("policy/second.yaml", "name: second\nlimits: {}\n"),
    ]);
    let catalogue = Catalogue::read(dir.path());
    assert!(catalogue.policy().is_none());
    insta::assert_snapshot!(render(&catalogue.all_problems(), &catalogue.sources(), false), @r"
    error: two manifests are named `t`
     --> adapters/t.yaml:1:7
      |
    1 | name: t
      |       ^
      |
     ::: adapters/u.yaml:1:7
      |
    1 | name: t
      |       - the other
      |
      = help: rename one

    error: two manifests are named `t`
     --> adapters/u.yaml:1:7
      |
    1 | name: t
      |       ^
      |
     ::: adapters/t.yaml:1:7
      |
    1 | name: t
      |       - the other
      |
      = help: rename one

    warning: the name `t` is unlike its file's
     --> adapters/u.yaml:1:7
      |
    1 | name: t
      |       ^
      |
      = help: rename one of them: the file's is `u`

    error: the manifest of adapter `t` has errors
     --> flows/a.yaml:2:30
      |
    2 | steps: [ { name: s, adapter: t } ]
      |                              ^
      |
      = help: see adapters/u.yaml

    error: a workspace has one base policy, this has several
     --> policy/safety.yaml:1:7
      |
    1 | name: safety
      |       ^^^^^^
      |
     ::: policy/second.yaml:1:7
      |
    1 | name: second
      |       ------ another
      |
      = help: keep one in policy/; what tightens it for a kind of host goes into policy/profiles/

    error: a workspace has one base policy, this has several
     --> policy/second.yaml:1:7
      |
    1 | name: second
      |       ^^^^^^
      |
     ::: policy/safety.yaml:1:7
      |
    1 | name: safety
      |       ------ another
      |
      = help: keep one in policy/; what tightens it for a kind of host goes into policy/profiles/
    ");
}

#[test]
fn a_document_is_found_by_path_or_name() {
    let dir = workspace(&[
        ("flows/a.yaml", FLOW),
        ("adapters/t.yaml", ADAPTER),
        ("elsewhere/b.yaml", "name: b\nsteps: [ { name: s, adapter: t } ]\n"),
        ("elsewhere/a/x", ""),
    ]);
    let catalogue = Catalogue::read(dir.path());
    let elsewhere = dir.path().join("elsewhere");
    let check = |wanted: &str, expected: &str| {
        let found = match catalogue.flow(wanted, &elsewhere) {
            Ok(entry) => format!("{} in {}", entry.name, entry.file),
            Err(error) => error.to_string(),
        };
        assert_eq!(found, expected, "{wanted}");
    };
    check("a", "a in flows/a.yaml");
    check("flows/a.yaml", "a in flows/a.yaml");
    check("../flows/a.yaml", "a in flows/a.yaml");
    check("b.yaml", "b in elsewhere/b.yaml");
    check("b", "no flow `b`: neither a file nor a name; flows in the workspace: `a`");
    check("zzzz", "no flow `zzzz`: neither a file nor a name; flows in the workspace: `a`");
    check("", "no flow ``: neither a file nor a name; flows in the workspace: `a`");
}

#[test]
fn an_empty_workspace_holds_nothing() {
    let dir = workspace(&[]);
    let catalogue = Catalogue::read(dir.path());
    assert!(catalogue.all_problems().is_empty() && catalogue.flows.is_empty() && catalogue.policy().is_none());
    std::fs::write(dir.path().join("flows"), "x").unwrap();
    insta::assert_snapshot!(render(&Catalogue::read(dir.path()).all_problems(), &Sources::default(), false), @r"
    error: cannot list the folder: Not a directory (os error 20)
    --> flows
    ");
}
