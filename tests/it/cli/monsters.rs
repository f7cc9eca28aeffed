//! Files made to hurt their reader: exit code 2 in under a second and 100 MB.

use std::fmt::Write as _;
use std::fs;
use std::time::Duration;

use wait4::Wait4 as _;

use super::{Bench, PLAN, words};

/// A flow file that is not what a reader expects: 2, in under a second of processor time and 100 MB.
fn monster(write: impl FnOnce(&Bench), says: &str) {
    let bench = Bench::new();
    write(&bench);
    for line in ["list-flows", PLAN] {
        let mut child = bench
            .command(&words(line))
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let stderr = std::io::read_to_string(child.stderr.take().unwrap()).unwrap();
        let ended = child.wait4().unwrap();
        assert_eq!(ended.status.code(), Some(2), "{line}: {stderr}");
        assert!(stderr.contains(says), "{line}: {stderr}");
        let used = ended.rusage.utime + ended.rusage.stime;
        assert!(used < Duration::from_secs(1), "{line}: {used:?} for {says}");
        assert!(ended.rusage.maxrss < 100_000_000, "{line}: {} bytes for {says}", ended.rusage.maxrss);
        assert!(stderr.len() < 20_000, "{line}: {} bytes of report", stderr.len());
    }
    assert_eq!(bench.runs(), Vec::<String>::new());
}

#[test]
fn monsters() {
    let smoke = |bench: &Bench| bench.path("flows/smoke.yaml");
    monster(|bench| fs::write(smoke(bench), "a: b\n".repeat(10_000_000)).unwrap(), "larger than 4 MiB");
    monster(|bench| fs::write(smoke(bench), "[".repeat(100_000)).unwrap(), "error: ");
    monster(
        |bench| fs::write(smoke(bench), format!("name: smoke\nsteps: {}", "{a: ".repeat(100_000))).unwrap(),
        "error: ",
    );
    let bomb = |list: bool| {
        let mut text = "name: smoke\na0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..20 {
            let before = format!("*a{}", level - 1);
            let body = if list { vec![before; 10].join(", ") } else { format!("{before}, {before}") };
            writeln!(text, "a{level}: &a{level} [{body}]").unwrap();
        }
        text
    };
    monster(|bench| fs::write(smoke(bench), bomb(true)).unwrap(), "error: ");
    monster(|bench| fs::write(smoke(bench), bomb(false)).unwrap(), "error: ");
    let wide = || format!("name: smoke\na: &a [{}]\nsteps: [{}]\n", "x, ".repeat(10_000), "*a, ".repeat(10_000));
    monster(|bench| fs::write(smoke(bench), wide()).unwrap(), "error: ");
    monster(|bench| fs::write(smoke(bench), b"name: smoke\nsteps: \xff\n").unwrap(), "not UTF-8: line 2");
    monster(
        |bench| {
            fs::remove_file(smoke(bench)).unwrap();
            fs::create_dir(smoke(bench)).unwrap();
        },
        "not a regular file but a directory",
    );
    monster(
        |bench| {
            fs::remove_file(smoke(bench)).unwrap();
            let mode = rustix::fs::Mode::from_raw_mode(0o600);
            rustix::fs::mknodat(rustix::fs::CWD, smoke(bench), rustix::fs::FileType::Fifo, mode, 0).unwrap();
        },
        "not a regular file but a FIFO",
    );
}
