//! What help says below the options: what a command does in a few sentences, examples to type, exit codes.

/// The table that stands below every command that runs something.
pub const EXIT_CODES: &str = "\
Exit codes:
  0    everything passed; plan and dry run
  1    the unit failed somewhere: fail, timeout, crashed
  2    bad usage or invalid input
  3    safety violation, or the limits were declined
  4    the rig failed, or artifacts could not be written
  5    nothing was judged: all skipped
  6    inconclusive
  129, 130, 131, 143  ended by SIGHUP, by SIGINT or the operator, by SIGQUIT, by SIGTERM";

/// What the program is.
pub const ABOUT: &str = "\
Sweeps voltage and frequency margins with real diagnostics, and leaves a record to trust.

A workspace is a folder with flows/, margins/, policy/, adapters/ and diags/. Without a command, Road Runner opens the \
full-screen application on it; with --no-tui, or where there is no terminal, it says what the workspace holds and what to do next.";

/// `resume`.
pub const RESUME: &str = "\
The step in flight when the host went down is `crashed`, when only the runner died `error`; what has ended stays. Rails \
that were left away come home first. After a crash the rest of its sub-run is not measured, and the rest of its line by \
`stop_line`. What has changed since is shown before anything starts.

With --auto nothing to go on with is no failure (0), and it refuses (3) once something has changed that the run depends on: \
board, processor, profiles, policy, programs.

Examples:
  road_runner resume latest
  road_runner resume --last --retry-crashed 1
  road_runner resume --auto --no-tui        in a service, after each boot

Exit codes: those of `road_runner run`; 2 where there is nothing to go on with; 3 also after too many resumes in a row \
that ended in another boot.";

/// How to begin, and what is read from the environment.
pub const EXAMPLES: &str = "\
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
  ROAD_RUNNER_SYSFS, ROAD_RUNNER_PROCFS   folders in place of /sys and /proc, for tests";

/// Of `clean`.
pub const CLEAN: &str = "\
The age is that of the run id. A run that is running always stays, and whatever is no run is never touched; one that was \
interrupted (it can be resumed) or cannot be read stays unless --force is given. What killed commands left behind more \
than a day ago goes as well.

Examples:
  road_runner clean --older-than 90 --keep 20 --dry-run
  road_runner clean --older-than 90 --keep 20

Exit codes: 0 done, also with nothing to do; 2 bad usage; 4 something could not be deleted";

/// Of `plan`.
pub const PLAN: &str = "\
Prints a line per sub-run and under it each step's arguments (-q: counts only), and stores the plan with copies of its \
inputs in the runs folder. Nothing is executed.

Example:
  road_runner plan --flow flows/sample_flow.yaml --margin margins/sample_margin.yaml --seed 7

Exit codes: 0 planned, 2 invalid input, 3 outside the policy (nothing is written), 4 could not be written";

/// Of `report`.
pub const REPORT: &str = "\
Made of what is stored, with the templates as they are now: templates/report.md.hbs and report.html.hbs of the workspace \
where it has them, else those compiled in. A record that is damaged is reported as far as it can be read.

Examples:
  road_runner report --run-id latest
  road_runner report --run-id abc123

Exit codes: 0 written, 2 no such run or a template has errors, 4 part of the record cannot be read, or not written";

/// Of `export`.
pub const EXPORT: &str = "\
The columns are described in docs/artifacts.md. Without --out the file is export.csv or export.json in the run's \
directory; its path is printed. In CSV, text that a spreadsheet would take for a formula begins with '.

Examples:
  road_runner export --run latest --format csv
  road_runner export --run latest --format json --out - | jq '.[] | select(.verdict == \"fail\")'

Exit codes: 0 written, 2 no such run, 4 part of the record cannot be read, or not written";

/// Of `list-flows`.
pub const LIST_FLOWS: &str = "\
Example:
  road_runner list-flows --output json

Exit codes: 0 all can be read, 2 a flow has errors (shown on stderr; the others are listed)";

/// Of `init`.
pub const INIT: &str = "\
Flows, margins, policy, adapters with their diagnostics, and what else a workspace may hold: all to be changed. An \
installed binary needs no checkout for it.

Example:
  road_runner init bench && cd bench && road_runner adapters check

Exit codes: 0 written, 2 the folder is not empty (it is left as it is), 4 could not be written";

/// Of `completions`.
pub const COMPLETIONS: &str = "\
Examples:
  road_runner completions bash > ~/.local/share/bash-completion/completions/road_runner
  road_runner completions zsh > /usr/local/share/zsh/site-functions/_road_runner
  road_runner completions fish > ~/.config/fish/completions/road_runner.fish";

/// Of `runs-list`.
pub const RUNS_LIST: &str = "\
A run that says `running` while nobody holds its lock is shown as interrupted: its runner died. A run whose summary cannot \
be read is listed with the reason.

--filter takes words that must all match, in any letter case: a piece of id, flow, margin, unit, verdict, status or date, or \
of one of these as `flow:mem`; -word must not match.

Examples:
  road_runner runs list
  road_runner runs list --filter 'flow:mem unit:SN12 -verdict:pass 2025-01'
  road_runner runs list --output json | jq -r '.[] | select(.verdict == \"fail\") | .run_id'

Exit codes: 0 listed, also when there is none; 2 no such key to filter by";

/// Of `runs compare`.
pub const COMPARE: &str = "\
Points are matched by their values, so that runs of two plans can be compared where they meet. A cell is what the shmoo \
shows: pass, fail, flaky and so on.

Examples:
  road_runner runs compare rr-20250101T010101Z-abc123
  road_runner runs compare abc123 latest --output json | jq '.cells.changes[] | select(.now == \"fail\")'

Exit codes: 0 compared, whatever came of it; 2 no such run; 4 part of a record cannot be read";

/// Of `follow`.
pub const FOLLOW: &str = "\
Example:
  road_runner runs follow latest --output json

Exit codes: the run's own; 4 when nobody runs it any more; 2 no such run";

/// Of `stop`.
pub const STOP: &str = "\
The runner is the process that the run's lock names; it ends with 130 either way.

Example:
  road_runner runs stop latest --now

Exit codes: 0 asked to stop, 2 no such run or not running, 4 could not be signalled";

/// Of `runs verify`.
pub const VERIFY: &str = "\
Every file must be readable, the journals in order, the summaries what the journals say, and every file what it was when \
the run ended, by the hashes that were recorded then (hashes.json). A run that is going on, was interrupted or has no hashes \
is no damage; that is noted, and so are torn ends of journals, half-written files, rails that are not home and processes \
that dead runs left. Under each finding stands how to mend it. Nothing is changed.

The hashes show what was damaged or edited, not who did it: whoever may write to the runs folder may write new ones.

Examples:
  road_runner runs verify
  road_runner runs verify latest --output json | jq '.[].findings[] | select(.damage)'

Exit codes: 0 no damage, 2 no such run, 4 something is damaged or cannot be read";

/// Of `margins-list`.
pub const MARGINS_LIST: &str = "\
Example:
  road_runner margins list --output json

Exit codes: 0 all can be read, 2 a profile has errors (shown on stderr; the others are listed)";

/// Of `validate`.
pub const VALIDATE: &str = "\
Example:
  road_runner margins validate --file margins/sample_margin.yaml

Exit codes: 0 valid and within the policy for this host, 2 invalid, 3 outside the policy";

/// Of `adapters-list`.
pub const ADAPTERS_LIST: &str = "\
An adapter without proof makes its exit code the proof of a pass; `adapters check` says more.

Example:
  road_runner adapters list

Exit codes: 0 all can be read, 2 a manifest has errors (shown on stderr; the others are listed)";

/// Of `check`.
pub const CHECK: &str = "\
Nothing is started but dpkg, which is asked for the package of a program on PATH.

Example:
  road_runner adapters check stress_ng

Exit codes: 0 all is well, 2 a check fails";

/// Of `policy-list`.
pub const POLICY_LIST: &str = "\
`policy explain` says which of them apply to this host.

Example:
  road_runner policy list

Exit codes: 0 all can be read, 2 a document has errors (shown on stderr; the others are listed)";

/// Of `themes-list`.
pub const THEMES_LIST: &str = "\
Themes of the full-screen application: those compiled in, those in ui-themes/ of the workspace, and your own in \
$XDG_CONFIG_HOME/road_runner/ui-themes (else ~/.config); each replaces those before that have its name.

Examples:
  road_runner themes list
  road_runner --theme light

Exit codes: 0 all can be used, 2 a theme has errors (shown on stderr; the others are listed)";

/// Of `rails-status`.
pub const RAILS_STATUS: &str = "\
Calls each controller of the workspace to read, armed by the policy or not. Moves nothing.

Example:
  road_runner rails status

Exit codes: 0 all were read, 2 policy or profiles are invalid, 4 a rail cannot be read";

/// Of `rails-restore`.
pub const RAILS_RESTORE: &str = "\
A run brings its rails home itself, and its guardian does when it dies; this is for when both could not.

Example:
  road_runner rails restore

Exit codes: 0 all are home, 2 a run is going on, 4 a rail is not home";

/// Of `explain`.
pub const EXPLAIN: &str = "\
Example:
  road_runner policy explain

Exit codes: 0 explained, 2 policy or profiles are invalid or contradict each other";
