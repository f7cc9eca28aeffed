//! `docs/unattended.md`: the service in it is one that systemd takes, and calls the program as it is to be called.

use std::fs;
use std::process::Command;

use crate::cli::{Bench, words};
use crate::pages::{blocks, read};

const PAGE: &str = "docs/unattended.md";

fn unit() -> String {
    blocks(PAGE, "ini").into_iter().find(|block| block.starts_with("[Unit]")).unwrap()
}

/// What the unit says of this key.
fn value(key: &str) -> String {
    let unit = unit();
    let line = unit.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    line.unwrap_or_else(|| panic!("{key}")).to_owned()
}

#[test]
fn the_unit_is_one_that_systemd_takes() {
    let verify = "/usr/bin/systemd-analyze";
    if !std::path::Path::new(verify).exists() {
        return crate::tools::skipped("there is no systemd-analyze");
    }
    let check = |change: &dyn Fn(String) -> String, is_sound: bool| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("road_runner-resume.service");
        // It has to be there.
        let unit = unit().replace("/usr/local/bin/road_runner", env!("CARGO_BIN_EXE_road_runner"));
        fs::write(&path, change(unit)).unwrap();
        let output = Command::new(verify).args(["verify", "--man=no"]).arg(&path).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let about_it: Vec<&str> = said.lines().filter(|line| line.contains("road_runner-resume")).collect();
        assert_eq!(output.status.success() && about_it.is_empty(), is_sound, "{said}");
    };
    check(&|unit| unit, true);
    // And it would say so if it were not.
    check(&|unit| unit.replace("KillMode=mixed", "KillMode=mixt"), false);
    check(&|unit| unit.replace("ExecStart=", "ExecStart=/no/such/"), false);
}

#[test]
fn what_it_calls_does_nothing_where_there_is_nothing_to_do() {
    let line = value("ExecStart");
    let arguments = line.strip_prefix("/usr/local/bin/road_runner ").unwrap().to_owned();
    let bench = Bench::new();
    let here = bench.workspace().display().to_string();
    let told = bench.told(&arguments.replace("/srv/bench", &here));
    assert_eq!((told.code, told.all().as_str()), (0, "=> 0"));
    // Where its file system was not mounted it is not even called.
    assert_eq!(value("ConditionPathIsDirectory"), "/srv/bench/flows");
    let told = bench.told(&arguments);
    assert_eq!(told.code, 2, "{}", told.all());
}

#[test]
fn its_limits_are_those_that_the_page_speaks_of() {
    let seconds = |key: &str| value(key).parse::<u32>().unwrap();
    let delay: u32 = value("ExecStartPre").strip_prefix("/bin/sleep ").unwrap().parse().unwrap();
    assert!(delay >= 60 && delay < seconds("TimeoutStartSec"), "the delay must not be taken for a hang");
    assert!(read(PAGE).contains("within two minutes") && delay == 120);
    // Fails and inconclusive runs are results; refusals and rig errors are to be seen.
    assert_eq!(words(&value("SuccessExitStatus")), ["1", "6"]);
}

#[test]
fn the_number_of_boots_is_that_of_the_code() {
    assert_eq!(road_runner::commands::resume::MOST_BOOTS, 3);
    assert!(read(PAGE).contains("When three resumes in a row"));
}
