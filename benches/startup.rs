//! What it costs to start: `--version` and `--help` against an empty Rust program that is compiled here with `rustc -O`,
//! each started in turn.

#![expect(clippy::expect_used, reason = "a bench that cannot do its work stops")]

mod common;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use common::figures::{self, Figure};
use common::process;

const ROUNDS: usize = 301;

fn main() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a temporary folder");
    let empty = folder.path().join("empty");
    fs::write(empty.with_extension("rs"), "fn main() {}\n").expect("a source");
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let mut compile = Command::new(rustc);
    compile.args(["-O", "--edition=2024", "-o"]).arg(&empty).arg(empty.with_extension("rs"));
    process::run_well(&mut compile);
    let ours = Path::new(env!("CARGO_BIN_EXE_road_runner"));
    let mut figures = [Figure::new("--version", "ms"), Figure::new("--help", "ms")];
    for _ in 0..ROUNDS {
        for (argument, figure) in ["--version", "--help"].into_iter().zip(&mut figures) {
            figure.add(start(&empty, argument), start(ours, argument));
        }
    }
    figures::print(&format!("a start, against an empty program; {ROUNDS} rounds"), &figures);
}

fn start(program: &Path, argument: &str) -> f64 {
    let mut command = Command::new(program);
    command.arg(argument).stdin(Stdio::null()).stdout(Stdio::null());
    process::run_well(&mut command).elapsed.as_secs_f64() * 1000.0
}
