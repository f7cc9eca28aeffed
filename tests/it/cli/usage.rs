//! What is typed wrongly, where there is no workspace, where nobody reads.

use std::fs::File;
use std::process::{Command, Stdio};

use super::Bench;

fn check(line: &str) -> String {
    Bench::new().told(line).all()
}

#[test]
fn usage_errors() {
    insta::assert_snapshot!(check("resume latest"), @r"
    --- stderr
    error: no run in BENCH/ws/runs
    help: road_runner run --flow FLOW --margin MARGIN makes one
    => 2
    ");
    insta::assert_snapshot!(check("list-flows --teme x"), @r"
    --- stderr
    error: unexpected argument '--teme' found

      tip: a similar argument exists: '--theme'

    Usage: road_runner list-flows --theme <NAME>

    For more information, try '--help'.
    => 2
    ");
    insta::assert_snapshot!(check("plan --flow smoke"), @r"
    --- stderr
    error: the following required arguments were not provided:
      --margin <MARGIN>

    Usage: road_runner plan --flow <FLOW> --margin <MARGIN>

    For more information, try '--help'.
    => 2
    ");
    insta::assert_snapshot!(check("run --flow smoke --margin down --max-fail 0"), @r"
    --- stderr
    error: invalid value '0' for '--max-fail <N>': 0 is not in 1..=4294967295

    For more information, try '--help'.
    => 2
    ");
    insta::assert_snapshot!(check("plan --flow smoke --margin down --seed 2147483648"), @r"
    --- stderr
    error: invalid value '2147483648' for '--seed <N>': a seed is a whole number from 1 to 2147483647

    For more information, try '--help'.
    => 2
    ");
    insta::assert_snapshot!(check("list-flows -q -v"), @r"
    --- stderr
    error: the argument '--quiet' cannot be used with '--verbose'

    Usage: road_runner list-flows --quiet

    For more information, try '--help'.
    => 2
    ");
    insta::assert_snapshot!(check("margins"), @r"
    --- stderr
    Margin profiles

    Usage: road_runner margins [OPTIONS] <COMMAND>

    Commands:
      list      List margin profiles with their axes and points
      validate  Check one margin profile: all its errors at once, then its values against the policy

    Options:
      -h, --help  Print help (see more with '--help')

    Global options:
          --workspace <DIR>  The workspace [default: the nearest folder upward with flows/ and
                             adapters/]
          --runs-dir <DIR>   Where runs are kept [default: runs/ in the workspace]
          --no-tui           Print lines; never open the full-screen application
          --output <FORM>    Text for people, or JSON for programs [default: human] [possible values:
                             human, json]
          --color <WHEN>     When to use colours [default: auto] [possible values: auto, always, never]
          --theme <NAME>     The theme of the full-screen application, one of `themes list`
          --ascii            Draw with ASCII only
          --no-motion        Nothing moves by itself
      -q, --quiet            Say only the results
      -v, --verbose          Say more
    => 2
    ");
}

#[test]
fn help() {
    insta::assert_snapshot!(check("--help"), @r"
    Sweeps voltage and frequency margins with real diagnostics, and leaves a record to trust.

    A workspace is a folder with flows/, margins/, policy/, adapters/ and diags/. Without a command,
    Road Runner opens the full-screen application on it; with --no-tui, or where there is no terminal,
    it says what the workspace holds and what to do next.

    Usage: road_runner [OPTIONS] [COMMAND]

    Commands:
      plan         Plan without running: every sub-run with its arguments, kept as a run that can be
                   started later
      run          Plan, ask, run
      rerun        Run the stored plan of an earlier run again
      rerun-last   Repeat the newest run that completed without rig errors
      resume       Go on with a run that was interrupted, from where it stopped
      runs         History and control of runs
      report       Make the reports of a stored run again: report.md and report.html
      export       Write a row for every execution of a stored run, as CSV or JSON
      list-flows   List flows with their steps
      margins      Margin profiles
      adapters     Diagnostics and their manifests
      policy       Safety policy and hardware profiles
      rails        Rails that have a controller: where they are, and the way home
      themes       Themes of the full-screen application
      clean        Delete runs of the past, by age
      init         Write the sample workspace into a new or empty folder
      completions  Print the completion script of a shell
      man          Print the manual page

    Options:
      -h, --help
              Print help (see a summary with '-h')

      -V, --version
              Print version

    Global options:
          --workspace <DIR>
              The workspace [default: the nearest folder upward with flows/ and adapters/]

          --runs-dir <DIR>
              Where runs are kept [default: runs/ in the workspace]

          --no-tui
              Print lines; never open the full-screen application

          --output <FORM>
              Text for people, or JSON for programs

              Possible values:
              - human: Text for people
              - json:  JSON for programs
              
              [default: human]

          --color <WHEN>
              When to use colours

              Possible values:
              - auto:   On a terminal, unless `NO_COLOR` is set
              - always: Always
              - never:  Never
              
              [default: auto]

          --theme <NAME>
              The theme of the full-screen application, one of `themes list`

          --ascii
              Draw with ASCII only

          --no-motion
              Nothing moves by itself

      -q, --quiet
              Say only the results

      -v, --verbose
              Say more

    Examples:
      road_runner                                    the full-screen application
      road_runner plan --flow sample_flow --margin sample_margin
      road_runner run --flow sample_flow --margin sample_margin --unit SN123456
      road_runner runs show latest

    Environment:
      ROAD_RUNNER_WORKSPACE   the workspace, where --workspace is not given
      ROAD_RUNNER_RUNS        the runs folder, where --runs-dir is not given
      XDG_CONFIG_HOME         where your themes and keys are, in road_runner/ [default: ~/.config]
      NO_COLOR                no colours, unless --color always
      ROAD_RUNNER_HOST_LOCK   the lock that keeps two runs on one host apart
      ROAD_RUNNER_SYSFS, ROAD_RUNNER_PROCFS   folders in place of /sys and /proc, for tests

    Exit codes:
      0    everything passed; plan and dry run
      1    the unit failed somewhere: fail, timeout, crashed
      2    bad usage or invalid input
      3    safety violation, or the limits were declined
      4    the rig failed, or artifacts could not be written
      5    nothing was judged: all skipped
      6    inconclusive
      129, 130, 131, 143  ended by SIGHUP, by SIGINT or the operator, by SIGQUIT, by SIGTERM
    => 0
    ");
}

#[test]
fn help_of_a_command() {
    insta::assert_snapshot!(check("run --help"), @r"
    Plan, ask, run

    Usage: road_runner run [OPTIONS]

    Options:
          --flow <FLOW>
              The flow: a path from the current folder, else from the workspace, else a name

          --margin <MARGIN>
              The margin profile, found likewise

          --plan <RUN_ID|FILE>
              The stored plan of a run, or a plan.json

          --seed <N>
              The seed of everything, 1 to 2147483647 [default: the margin's, else drawn and recorded]

          --unit <SN>
              The unit under test, any text to 128 bytes

          --yes
              Do not ask; with a point on a limit this also needs --unit

          --dry-run
              Leave the artifacts of a run without starting anything

          --max-fail <N>
              Stop after so many failed sub-runs

          --allow-concurrent
              Run although another run is going on on this host

      -h, --help
              Print help (see a summary with '-h')

    Global options:
          --workspace <DIR>
              The workspace [default: the nearest folder upward with flows/ and adapters/]

          --runs-dir <DIR>
              Where runs are kept [default: runs/ in the workspace]

          --no-tui
              Print lines; never open the full-screen application

          --output <FORM>
              Text for people, or JSON for programs

              Possible values:
              - human: Text for people
              - json:  JSON for programs
              
              [default: human]

          --color <WHEN>
              When to use colours

              Possible values:
              - auto:   On a terminal, unless `NO_COLOR` is set
              - always: Always
              - never:  Never
              
              [default: auto]

          --theme <NAME>
              The theme of the full-screen application, one of `themes list`

          --ascii
              Draw with ASCII only

          --no-motion
              Nothing moves by itself

      -q, --quiet
              Say only the results

      -v, --verbose
              Say more

    Shows host, profile, bounds and headroom and asks before anything starts; with nobody to ask it
    refuses unless --yes is given. With a point on a limit --yes also needs --unit. SIGINT stops now,
    twice kills; `runs stop` finishes the step.

    Examples:
      road_runner run --flow sample_flow --margin sample_margin --unit SN123456
      road_runner run --no-tui --yes --flow flows/vc707.yaml --margin margins/vc707.yaml
      road_runner run --plan rr-TIME-DIGEST

    Exit codes:
      0    everything passed; plan and dry run
      1    the unit failed somewhere: fail, timeout, crashed
      2    bad usage or invalid input
      3    safety violation, or the limits were declined
      4    the rig failed, or artifacts could not be written
      5    nothing was judged: all skipped
      6    inconclusive
      129, 130, 131, 143  ended by SIGHUP, by SIGINT or the operator, by SIGQUIT, by SIGTERM
    => 0
    ");
    insta::assert_snapshot!(check("--version"), @r"
    road_runner 0.1.0
    => 0
    ");
}

#[test]
fn every_command_has_help() {
    let bench = Bench::new();
    for line in [
        "plan",
        "run",
        "rerun",
        "rerun-last",
        "runs",
        "runs list",
        "runs compare",
        "runs show",
        "runs follow",
        "runs stop",
        "runs verify",
        "list-flows",
        "margins",
        "margins list",
        "margins validate",
        "adapters",
        "adapters list",
        "adapters check",
        "policy",
        "policy list",
        "policy explain",
        "themes",
        "themes list",
    ] {
        let told = bench.told(&format!("{line} --help"));
        assert_eq!((told.code, told.stderr.as_str()), (0, ""), "{line}");
        assert!(told.stdout.contains(&format!("Usage: road_runner {line}")), "{}", told.stdout);
        let widest = told.stdout.lines().map(|line| line.chars().count()).max().unwrap();
        assert!(widest <= 120, "{line}: {widest} columns");
    }
}

#[test]
fn a_unit_is_a_short_text() {
    let bench = Bench::new();
    let long = "x".repeat(129);
    for unit in ["", "a\tb", "a\u{9b}b", long.as_str()] {
        let told = bench.outcome(&mut bench.command(&["plan", "--flow", "smoke", "--margin", "down", "--unit", unit]));
        assert_eq!(told.code, 2, "{unit:?}: {}", told.stderr);
    }
    let longest = "x".repeat(128);
    let told =
        bench.outcome(&mut bench.command(&["plan", "-q", "--flow", "smoke", "--margin", "down", "--unit", &longest]));
    assert_eq!(told.code, 0, "{}", told.stderr);
}

#[test]
fn where_there_is_no_workspace() {
    let bench = Bench::new();
    let elsewhere = bench.path("..");
    insta::assert_snapshot!(bench.outcome(bench.command(&[]).current_dir(&elsewhere)).all(), @r"
    --- stderr
    error: no workspace at or above BENCH
    help: go into a folder with both flows/ and adapters/, or name one with --workspace
    => 2
    ");
    insta::assert_snapshot!(bench.outcome(bench.command(&["--workspace", "host"]).current_dir(&elsewhere)).all(), @r"
    --- stderr
    error: BENCH/host is not a workspace
    help: a workspace is a folder with both flows/ and adapters/
    => 2
    ");
    let found = |command: &mut Command| {
        let told = bench.outcome(command);
        assert!(told.stdout.starts_with("FLOW "), "{}", told.all());
    };
    found(bench.command(&["list-flows", "--workspace", "ws"]).current_dir(&elsewhere));
    found(bench.command(&["list-flows"]).current_dir(&elsewhere).env("ROAD_RUNNER_WORKSPACE", "ws"));
    found(bench.command(&["list-flows"]).current_dir(bench.path("policy/profiles")).env("ROAD_RUNNER_WORKSPACE", ""));
}

#[test]
fn where_runs_go() {
    let bench = Bench::new();
    let listed = |command: &mut Command| bench.outcome(command).stdout;
    assert_eq!(listed(&mut bench.command(&["runs", "list"])), "no run in BENCH/ws/runs\n");
    assert_eq!(listed(&mut bench.command(&["runs", "list", "--runs-dir", "r"])), "no run in BENCH/ws/r\n");
    assert_eq!(
        listed(bench.command(&["runs", "list"]).env("ROAD_RUNNER_RUNS", "/nonexistent/r")),
        "no run in /nonexistent/r\n"
    );
}

#[test]
fn colours_are_asked_for() {
    let bench = Bench::new();
    let colourful = |words: &[&str], environment: &[(&str, &str)]| {
        let output = bench.command(words).envs(environment.iter().copied()).output().unwrap();
        String::from_utf8(output.stderr).unwrap().contains('\u{1b}')
    };
    for words in [&["runs", "show", "x"][..], &["nonsense"]] {
        assert!(!colourful(words, &[]), "{words:?}: stderr is no terminal");
        let always = [words, &["--color", "always"]].concat();
        assert!(colourful(&always, &[("NO_COLOR", "1")]), "{words:?}");
        let never = [words, &["--color=never"]].concat();
        assert!(!colourful(&never, &[]), "{words:?}");
    }
}

#[test]
fn a_closed_stdout_is_quiet_and_a_full_one_is_an_error() {
    let bench = Bench::new();
    for line in ["", "list-flows", "policy explain --output json", "--help", "plan --flow smoke --margin down"] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let told = bench.outcome(bench.command(&super::words(line)).stdout(Stdio::from(writer)));
        assert_eq!((told.code, told.stderr.as_str()), (0, ""), "{line}");
    }
    let full = || Stdio::from(File::options().write(true).open("/dev/full").unwrap());
    insta::assert_snapshot!(bench.outcome(bench.command(&["list-flows"]).stdout(full())).all(), @r"
    --- stderr
    error: failed to write to stdout: No space left on device (os error 28)
    => 4
    ");
}
