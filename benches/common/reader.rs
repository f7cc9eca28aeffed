//! Ways of reading a record, each in a process of its own, so that its time is that of a program that has just started and
//! its peak of memory is what it took.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::figures::{self, Figure};
use super::process;

/// Ways, each as the child is told it and as a table calls it.
pub type Ways<'w> = [(&'w str, &'w str)];

/// The run and the way that this process was started for; none when it is the bench itself.
pub fn asked() -> Option<(PathBuf, String)> {
    match std::env::args().collect::<Vec<_>>().as_slice() {
        [_, child, run, way] if child == "--reader" => Some((PathBuf::from(run), way.clone())),
        _ => None,
    }
}

/// What the child says: how long it took, in the unit of the table, and its peak of memory in MiB.
pub fn answer(took: f64) {
    println!("{took} {}", process::own_peak_mib());
}

/// Takes each way in turn with its floor, and prints times and peaks.
pub fn compare(
    title: &str,
    unit: &'static str,
    run: &Path,
    ways: &Ways<'_>,
    rounds: usize,
    floor: impl Fn(&str) -> &str,
) {
    let mut figures: Vec<(Figure, Figure)> = ways
        .iter()
        .map(|(_, what)| (Figure::new(what, unit), Figure::new(&format!("peak memory: {what}"), "MiB")))
        .collect();
    for _ in 0..rounds {
        for ((way, _), (time, peak)) in ways.iter().zip(&mut figures) {
            let (floor_took, floor_peak) = read(run, floor(way));
            let (took, mib) = read(run, way);
            time.add(floor_took, took);
            peak.add(floor_peak, mib);
        }
    }
    let (times, peaks): (Vec<_>, Vec<_>) = figures.into_iter().unzip();
    let figures: Vec<Figure> = times.into_iter().chain(peaks).collect();
    figures::print(&format!("{title}; {rounds} rounds"), &figures);
}

/// Time and peak of one way.
fn read(run: &Path, way: &str) -> (f64, f64) {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.arg("--reader").arg(run).arg(way);
    let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output().expect("it runs");
    assert!(output.status.success(), "{}", output.status);
    let text = String::from_utf8(output.stdout).expect("text");
    let (took, mib) = text.trim().split_once(' ').expect("two numbers");
    (took.parse().expect("a number"), mib.parse().expect("a number"))
}
