//! `docs/controllers.md` against the code and the shipped files: keys, excerpts, examples, and the program in it, which runs.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use road_runner::input::adapter::{self, CONTROLLER, Manifest};
use road_runner::input::catalogue;
use road_runner::input::keys::Shape;
use road_runner::input::source::Source;

use super::{Bench, shells};
use crate::pages::{blocks, read};

const PAGE: &str = "docs/controllers.md";

fn page() -> String {
    read(PAGE)
}

#[test]
fn every_key_of_a_manifest_is_described_and_no_other() {
    let page = page();
    let table = page.split("| key | meaning |\n|---|---|\n").nth(1).and_then(|rest| rest.split("\n\n").next()).unwrap();
    let said: Vec<&str> = table.lines().map(|row| row.split('`').nth(1).unwrap()).collect();
    let keys: Vec<&str> = CONTROLLER.iter().map(|key| key.name).collect();
    let sorted = |mut names: Vec<&'static str>| {
        names.sort_unstable();
        names
    };
    let mut said_sorted = said.clone();
    said_sorted.sort_unstable();
    assert_eq!(said_sorted, sorted(keys));
    for key in CONTROLLER {
        let row = table.lines().nth(said.iter().position(|name| *name == key.name).unwrap()).unwrap();
        if let Shape::Either([Shape::Fields(inner), ..]) = key.shape {
            for field in *inner {
                assert!(row.contains(&format!("{}:", field.name)), "{} of {}", field.name, key.name);
            }
        }
        if !key.default.is_empty() && key.name != "kind" && key.name != "description" {
            assert!(row.contains(&format!("`{}`", key.default)), "the default of {}: {row}", key.name);
        }
    }
}

/// A block that begins with the name of a shipped file is a part of it, line by line.
#[test]
fn excerpts_are_what_is_shipped() {
    let mut checked = vec![];
    for block in blocks(PAGE, "yaml") {
        let Some((name, rest)) = block.strip_prefix("# ").and_then(|block| block.split_once('\n')) else { continue };
        assert!(read(name).contains(&format!("\n{rest}")), "{name} has no such lines:\n{rest}");
        checked.push(name.to_owned());
    }
    assert!(checked.iter().any(|name| name == "adapters/sim_rail.yaml"), "{checked:?}");
    assert!(checked.iter().any(|name| name == "adapters/cpufreq.yaml"), "{checked:?}");
}

#[test]
fn manifests_in_the_page_and_shipped_ones_are_sound() {
    let of_page = blocks(PAGE, "yaml").into_iter().filter(|block| block.contains("kind: controller"));
    let shipped = ["sim_rail", "cpufreq"].map(|name| read(&format!("adapters/{name}.yaml")));
    let mut names = vec![];
    for text in of_page.chain(shipped) {
        let (manifest, problems) = catalogue::document(&Source::new("a.yaml", &text), adapter::read);
        assert!(problems.is_empty(), "{text}\n{:?}", problems.list());
        let Some(Manifest::Controller(controller)) = manifest else { panic!("no controller: {text}") };
        names.push(controller.name.as_str().to_owned());
    }
    assert_eq!(names, ["sim_rail", "pmbus_vdd", "sim_rail", "cpufreq"]);
}

#[test]
fn every_option_of_the_regulator_is_described() {
    let bench = Bench::new(&[], "sim_rail.sh");
    let usage = bench.call("--help");
    let page = page();
    let options: Vec<&str> =
        usage.lines().flat_map(str::split_whitespace).filter(|word| word.starts_with("--") && word.len() > 2).collect();
    assert!(options.len() >= 9, "{usage}");
    for option in options {
        assert!(page.contains(&format!("| `{option}")) || page.contains(&format!(", `{option}")), "{option}");
    }
}

/// A regulator on a bus: registers are files, as they are addressed; a word that is not taken stays as it was.
const BUS: &str = r#"#!/bin/sh
[ "$1 $2 $3" = '-y 3 0x40' ] || exit 9
cd "${0%/*}" || exit 9
case ${0##*/}/$5 in
    i2cget/*) cat "$4" ;;
    i2cset/*) echo "$4 $5" >>writes; [ -e "$4.locked" ] || echo "$5" >"$4"
        [ "$4" != 0x21 ] || cat 0x21 >0x8b ;;
esac
"#;

/// Writes a program by another process: a descriptor of ours that a child of another test holds would keep it busy.
fn write_program(at: &Path, content: &str) {
    let mut writer = Command::new("/bin/sh");
    let mut writer =
        writer.args(["-c", "cat >\"$0\" && chmod 755 \"$0\""]).arg(at).stdin(Stdio::piped()).spawn().unwrap();
    writer.stdin.take().unwrap().write_all(content.as_bytes()).unwrap();
    assert!(writer.wait().unwrap().success());
}

#[test]
fn the_program_in_the_page_works() {
    let script = blocks(PAGE, "sh").into_iter().find(|block| block.starts_with("#!")).unwrap();
    for shell in shells() {
        // Numbers of 64 bits: a voltage in microvolts times two to the twelfth.
        if shell == ["mksh"] {
            continue;
        }
        let bench = Bench::new(shell, "pmbus_vdd.sh");
        fs::create_dir(bench.at("bus")).unwrap();
        for (name, content) in [
            ("diags/pmbus_vdd.sh", script.as_str()),
            ("bus/i2cget", BUS),
            ("bus/i2cset", BUS),
            ("bus/0x20", "0x14\n"),
            ("bus/0x21", "0x1000\n"),
            ("bus/0x8b", "0x0fff\n"),
        ] {
            write_program(&bench.at(name), content);
        }
        let call = |words: &str, expected: &str| {
            let mut command = bench.command("pmbus_vdd.sh", words);
            command.env("PATH", format!("{}:/usr/bin:/bin", bench.at("bus").display()));
            assert_eq!(bench.said(command), expected, "{words} in {shell:?}");
        };
        call("restore vdd", "");
        call("read vdd", "999756");
        call("apply vdd 850000", "");
        // 3482 of 4096, as the page says; a quarter of a millivolt a step.
        assert_eq!(bench.read("bus/0x21"), "3482\n");
        call("read vdd", "850098");
        call("apply vdd 900000", "");
        assert_eq!(bench.read("state/vout_command"), "4096\n", "the first one is home");
        call("apply vdd 699999", "1 pmbus_vdd: 699999 uV is outside 700000 to 1100000");
        call("apply vdd 1100001", "1 pmbus_vdd: 1100001 uV is outside 700000 to 1100000");
        call("restore vdd", "");
        call("read vdd", "1000000");
        let writes = bench.read("bus/writes");
        let voltages: Vec<&str> = writes.lines().filter(|line| !line.starts_with("0x00 ")).collect();
        assert_eq!(voltages, ["0x21 3482", "0x21 3686", "0x21 4096"], "{writes}");
        // Writes vanish.
        fs::write(bench.at("bus/0x21.locked"), "").unwrap();
        call("apply vdd 850000", "1 pmbus_vdd: the regulator has 4096 instead of 3482");
        fs::write(bench.at("bus/0x20"), "0x40\n").unwrap();
        call("read vdd", "1 pmbus_vdd: VOUT_MODE 64 is not one that this program knows");
    }
}
