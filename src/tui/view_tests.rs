//! The real loop on a test backend: every screen in every size and theme once, its text and a legend of its styles, and
//! properties from 1x1 to 300x100.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::mpsc::channel;

use proptest::prelude::*;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::style::Style;

use super::*;
use crate::domain::theme::Depth;
use crate::domain::time::Timestamp;
use crate::input::themes::Themes;
use crate::tui::message::{Effect, Exit, Msg};
use crate::tui::palette::Palette;
use crate::tui::run_loop::{self, Stage};
use crate::tui::schedule::Schedule;
use crate::tui::testing::{empty, live, now, past, press, previewed, send, with_runs};

/// A stage on which nothing is done.
struct Nothing;

impl Stage<TestBackend> for Nothing {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(now().millis() + 1000).unwrap()
    }

    fn perform(&mut self, _: &mut Terminal<TestBackend>, _: &mut Model, _: Effect) -> std::io::Result<()> {
        Ok(())
    }
}

/// Runs the real loop over some messages until all of them are drawn; the screen.
fn drawn(mut model: Model, messages: Vec<Msg>) -> Buffer {
    let (width, height) = model.size;
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    let (out, inbox) = channel();
    for message in messages {
        out.send(message).unwrap();
    }
    // Nobody sends any more: the loop ends once it has drawn the last change.
    drop(out);
    let exit = run_loop::run(&mut terminal, &mut model, &inbox, &mut Nothing, Schedule::new(false)).unwrap();
    assert_eq!(exit, Exit::Left);
    terminal.backend().buffer().clone()
}

fn text(buffer: &Buffer) -> String {
    let area = buffer.area;
    let line = |y: u16| (0..area.width).map(|x| buffer[(x, y)].symbol()).collect::<String>().trim_end().to_owned();
    (0..area.height).map(line).collect::<Vec<_>>().join("\n")
}

/// Each style with how many cells have it and the first words in it.
fn legend(buffer: &Buffer) -> String {
    let mut styles: BTreeMap<String, (usize, String)> = BTreeMap::new();
    for cell in &buffer.content {
        let style: Style = cell.style();
        let name = format!("{:?}/{:?} {:?}", style.fg.unwrap_or_default(), style.bg.unwrap_or_default(), cell.modifier);
        let (count, sample) = styles.entry(name).or_default();
        *count += 1;
        if sample.chars().count() < 12 && cell.symbol() != " " {
            sample.push_str(cell.symbol());
        }
    }
    let mut out = String::new();
    for (name, (count, sample)) in styles {
        writeln!(out, "{name}: {count} {sample}").unwrap();
    }
    out
}

/// The screens: what is shown, and the keys that lead there.
fn screens(size: (u16, u16)) -> Vec<(&'static str, Model)> {
    let keyed = |mut model: Model, keys: &str| {
        with_runs(&mut model);
        drop(press(&mut model, keys));
        model
    };
    vec![
        ("empty", empty(size)),
        ("preview", keyed(previewed(size, &[]), "")),
        ("outside", keyed(previewed(size, &[2, 5]), "4")),
        ("past", keyed(past(size), "4 } Space")),
        ("live", keyed(live(size), "5")),
        ("runs", keyed(past(size), "3 j Space")),
        ("refused", keyed(previewed(size, &[2]), "S")),
        ("stop", keyed(live(size), "x")),
        ("leave", keyed(live(size), "q")),
        ("unit", keyed(previewed(size, &[]), "u")),
        ("help", keyed(previewed(size, &[]), "?")),
        ("palette", keyed(past(size), ": r e")),
        ("theme", keyed(past(size), "T")),
        ("axes", keyed(past(size), "4 X")),
        ("filter", keyed(past(size), "3 / f a")),
        ("zoom", keyed(past(size), "4 z")),
        ("telemetry", keyed(past(size), "7")),
    ]
}

/// One screen at one size.
fn screen(name: &str, size: (u16, u16)) -> String {
    let (_, model) = screens(size).into_iter().find(|(screen, _)| *screen == name).unwrap();
    text(&drawn(model, vec![]))
}

#[test]
fn a_preview_in_three_sizes() {
    insta::assert_snapshot!(screen("preview", (80, 24)), @r"
    road_runner  bench-03  policy safety  no unit  seed 20250101  preview
    += 1 Flows ==== 1 of 2 =++- 4 Shmoo  core.voltage over core.frequency ---------+
    |> cpu_smoke    3 steps ||1000mV |[.]  .   .    s00 core 3GHz 1000mV           |
    +=======================+| 999mV | .   .   .    . planned                      |
    +- 2 Margins -- 1 of 2 -+| 998mV | .   .   .    headroom 1000mV to core minimum|
    |> vcore_sweep   12 pts || 997mV | .   .   .                                   |
    +-----------------------+|        3GHz                                         |
    +- 3 Runs ---------- 3 -+|                                                     |
    |  2025 abc123 + 12/12 f||12 points, 24 executions  bounds ok: S starts it  abo|
    |  2024 9f3c1e X 12/12 f||                                                     |
    |  2024 77ab02 A  0/12 i||. planned 12                                         |
    |                       |+-----------------------------------------------------+
    |                       |+- 5 Steps  s00 core 3GHz 1000mV ------------ 1 of 2 -+
    |                       ||. cpu-smoke 1/2                                      |
    |                       ||. cpu-smoke 2/2                                      |
    |                       ||                                                     |
    |                       |+-----------------------------------------------------+
    |abc123 flow x margin   |+- 6 Log ---------------------------------------------+
    |nothing has drifted sin||                                                     |
    |                       ||                                                     |
    |                       ||                                                     |
    +-----------------------++-----------------------------------------------------+

    jk move  ? help  S start  Enter open  u unit  / search  p plan  e edit  y yank
    ");
    insta::assert_snapshot!(screen("preview", (120, 36)), @r"
    road_runner  bench-03  policy safety  no unit  seed 20250101  preview
    += 1 Flows =============== 1 of 2 =++- 4 Shmoo  core.voltage over core.frequency --------------------------------------+
    |> cpu_smoke.yaml          3 steps ||1000mV |[.]  .   .    s00 core 3GHz 1000mV                                        |
    |  mem_only.yaml          ! errors || 999mV | .   .   .    . planned                                                   |
    |    line 14:7 unknown adapter `me~|| 998mV | .   .   .    headroom 1000mV to core minimum                             |
    |    did you mean `mem-march`?     || 997mV | .   .   .                                                                |
    |                                  ||        3GHz                                                                      |
    |                                  ||                                                                                  |
    +==================================+|                                                                                  |
    +- 2 Margins ------------- 1 of 2 -+|                                                                                  |
    |> vcore_sweep.yaml   4x3 = 12 pts ||                                                                                  |
    |  nominal.yaml       4x3 = 12 pts ||                                                                                  |
    |                                  ||                                                                                  |
    |                                  ||12 points, 24 executions  bounds ok: S starts it  about 00:43                     |
    |  est 00:43  bounds ok  seed 20250||                                                                                  |
    +----------------------------------+|. planned 12                                                                      |
    +- 3 Runs --------------------- 3 -++----------------------------------------------------------------------------------+
    |  2025 abc123 + 12/12 flow        |+- 5 Steps  s00 core 3GHz 1000mV ----------------------------------------- 1 of 2 -+
    |  2024 9f3c1e X 12/12 flow        ||    #  step                         verdict         time  ended                   |
    |  2024 77ab02 A  0/12 interrupted ||.   0  cpu-smoke 1/2                queued                                        |
    |                                  ||.   1  cpu-smoke 2/2                queued                                        |
    |                                  ||                                                                                  |
    |                                  |+----------------------------------------------------------------------------------+
    |                                  |+- 6 Log --------------------------------------------------------------------------+
    |                                  ||                                                                                  |
    |                                  ||                                                                                  |
    |                                  ||                                                                                  |
    |                                  ||                                                                                  |
    |abc123 flow x margin              ||                                                                                  |
    |nothing has drifted since         ||                                                                                  |
    |                                  ||                                                                                  |
    |                                  ||                                                                                  |
    +----------------------------------++----------------------------------------------------------------------------------+

    = road_runner run --flow flows/cpu_smoke.yaml --margin margins/vcore_sweep.yaml --seed 20250101
    jk move  ? help  S start  Enter open  u unit  / search  p plan  e edit  D dry run  Y copy command  y yank  z zoom
    ");
    insta::assert_snapshot!(screen("preview", (200, 60)), @r"
    road_runner  bench-03  policy safety  no unit  seed 20250101  preview
    += 1 Flows =============== 1 of 2 =++- 4 Shmoo  core.voltage over core.frequency -----------------------------------------------------++- 5 Steps  s00 core 3GHz 1000mV ---------------------- 1 of 2 -+
    |> cpu_smoke.yaml          3 steps ||1000mV |[.]  .   .    s00 core 3GHz 1000mV                                                       ||    #  step                         verdict         time  ended|
    |  mem_only.yaml          ! errors || 999mV | .   .   .    . planned                                                                  ||.   0  cpu-smoke 1/2                queued                     |
    |    line 14:7 unknown adapter `me~|| 998mV | .   .   .    headroom 1000mV to core minimum                                            ||.   1  cpu-smoke 2/2                queued                     |
    |    did you mean `mem-march`?     || 997mV | .   .   .                                                                               ||                                                               |
    |                                  ||        3GHz                                                                                     ||                                                               |
    |                                  ||                                                                                                 ||                                                               |
    |                                  ||                                                                                                 ||                                                               |
    |                                  ||                                                                                                 ||                                                               |
    |                                  ||                                                                                                 ||                                                               |
    |                                  ||                                                                                                 ||                                                               |
    +==================================+|                                                                                                 ||                                                               |
    +- 2 Margins ------------- 1 of 2 -+|                                                                                                 ||                                                               |
    |> vcore_sweep.yaml   4x3 = 12 pts ||                                                                                                 ||                                                               |
    |  nominal.yaml       4x3 = 12 pts ||                                                                                                 ||                                                               |
    |                                  ||                                                                                                 ||                                                               |
    |                                  ||                                                                                                 ||                                                               |
    |                                  ||                                                                                                 ||                                                               |
    |                                  ||                                                                                                 ||                                                               |
    |                                  ||                                                                                                 ||                                                               |
    |                                  ||                                                                                                 ||                                                               |
    |  est 00:43  bounds ok  seed 20250||                                                                                                 ||                                                               |
    +----------------------------------+|                                                                                                 ||                                                               |
    +- 3 Runs --------------------- 3 -+|                                                                                                 ||                                                               |
    |  2025 abc123 + 12/12 flow        ||                                                                                                 ||                                                               |
    |  2024 9f3c1e X 12/12 flow        ||                                                                                                 ||argv     cpu_smoke --vcore 1000 --fcore 3000                   |
    |  2024 77ab02 A  0/12 interrupted ||                                                                                                 ||seed     1121014604                                            |
    |                                  ||                                                                                                 ||limit    10m00s                                                |
    |                                  ||                                                                                                 ||                                                               |
    |                                  ||12 points, 24 executions  bounds ok: S starts it  about 00:43                                    ||                                                               |
    |                                  ||                                                                                                 ||                                                               |
    |                                  ||. planned 12                                                                                     ||                                                               |
    |                                  |+-------------------------------------------------------------------------------------------------++---------------------------------------------------------------+
    |                                  |+- 6 Log -----------------------------------------------------------------------------------------++- 7 Telemetry  as it was when you looked ----------------------+
    |                                  ||                                                                                                 ||looking ...                                                    |
    |                                  ||                                                                                                 ||                                                               |
    |                                  ||                                                                                                 ||                                                               |
    |                                  ||                                                                                                 ||                                                               |
    |                                  ||                                                                                                 ||                                                               |
    |                                  ||                                                                                                 ||                                                               |
    |                                  ||                                                                                                 ||                                                               |
    |                                  ||                                                                                                 ||                                                               |
    |                                  ||                                                                                                 ||                                                               |
    |                                  ||                                                                                                 ||                                                               |
    |                                  ||                                                                                                 ||                                                               |
    |                                  ||                                                                                                 ||                                                               |
    |                                  ||                                                                                                 ||                                                               |
    |                                  ||                                                                                                 ||                                                               |
    |                                  ||                                                                                                 ||                                                               |
    |                                  ||                                                                                                 ||                                                               |
    |                                  ||                                                                                                 ||                                                               |
    |abc123 flow x margin              ||                                                                                                 ||                                                               |
    |nothing has drifted since         ||                                                                                                 ||                                                               |
    |                                  ||                                                                                                 ||                                                               |
    |                                  ||                                                                                                 ||                                                               |
    +----------------------------------++-------------------------------------------------------------------------------------------------++---------------------------------------------------------------+

    = road_runner run --flow flows/cpu_smoke.yaml --margin margins/vcore_sweep.yaml --seed 20250101
    jk move  ? help  S start  Enter open  u unit  / search  p plan  e edit  D dry run  Y copy command  y yank  z zoom  q quit  : palette  Tab next
    ");
}

#[test]
fn a_past_run_in_two_sizes() {
    insta::assert_snapshot!(screen("past", (80, 24)), @r"
    road_runner  bench-03  policy safety  past run abc123 12/12 X2 T1 02:01
    +- 1 Flows ---- 1 of 2 -++= 4 Shmoo  core.voltage over core.frequency =========+
    |> cpu_smoke    3 steps ||1000mV | +   +   +    s03 core 3GHz 997mV            |
    +-----------------------+| 999mV | +   +   +    X fail                         |
    +- 2 Margins -- 1 of 2 -+| 998mV | +   +   +    + cpu-smoke 12ms               |
    |> vcore_sweep   12 pts || 997mV |[X]  X   T    X cpu-smoke 12ms               |
    +-----------------------+|        3GHz          headroom 997mV to core minimum |
    +- 3 Runs ---------- 3 -+|edge 3GHz: last pass 998mV, first fail 997mV downward|
    |> 2025 abc123 + 12/12 f||last pass/first fail core.voltage  3GHz 998mV/997mV  |
    |  2024 9f3c1e X 12/12 f||+ pass 9  X fail 2  T timeout 1                      |
    |  2024 77ab02 A  0/12 i||12/12 [###########] 100%  02:01  timeout, exit 0     |
    |                       |+=====================================================+
    |                       |+- 5 Steps  s03 core 3GHz 997mV ------------- 2 of 2 -+
    |                       ||+ cpu-smoke 1/2        12ms  not started             |
    |                       ||X cpu-smoke 2/2        12ms  not started             |
    |                       ||                                                     |
    |                       |+-----------------------------------------------------+
    |abc123 flow x margin   |+- 6 Log  s03/01_cpu-smoke stdout+stderr -------------+
    |nothing has drifted sin||                                                     |
    |                       ||                                                     |
    |                       ||                                                     |
    +-----------------------++-----------------------------------------------------+

    hjkl move  ? help  S start  R rerun fails  Enter open  u unit  } next fail
    ");
    insta::assert_snapshot!(screen("past", (120, 36)), @r"
    road_runner  bench-03  policy safety  no unit  seed 20250101  past run abc123 12/12 X2 T1 02:01
    +- 1 Flows --------------- 1 of 2 -++= 4 Shmoo  core.voltage over core.frequency ======================================+
    |> cpu_smoke.yaml          3 steps ||1000mV | +   +   +    s03 core 3GHz 997mV                                         |
    |  mem_only.yaml          ! errors || 999mV | +   +   +    X fail                                                      |
    |    line 14:7 unknown adapter `me~|| 998mV | +   +   +    + cpu-smoke 12ms                                            |
    |    did you mean `mem-march`?     || 997mV |[X]  X   T    X cpu-smoke 12ms                                            |
    |                                  ||        3GHz          headroom 997mV to core minimum                              |
    |                                  ||                                                                                  |
    +----------------------------------+|                                                                                  |
    +- 2 Margins ------------- 1 of 2 -+|                                                                                  |
    |> vcore_sweep.yaml   4x3 = 12 pts ||                                                                                  |
    |  nominal.yaml       4x3 = 12 pts ||                                                                                  |
    |                                  ||edge 3GHz: last pass 998mV, first fail 997mV downward                             |
    |                                  ||last pass/first fail core.voltage  3GHz 998mV/997mV  3.001GHz 998mV/997mV  ..     |
    |  bounds ok                       ||+ pass 9  X fail 2  T timeout 1                                                   |
    +----------------------------------+|12/12 [##################] 100%  02:01  timeout, exit 0                           |
    +- 3 Runs --------------------- 3 -++==================================================================================+
    |> 2025 abc123 + 12/12 flow        |+- 5 Steps  s03 core 3GHz 997mV ------------------------------------------ 2 of 2 -+
    |  2024 9f3c1e X 12/12 flow        ||    #  step                         verdict         time  ended                   |
    |  2024 77ab02 A  0/12 interrupted ||+   0  cpu-smoke 1/2                pass            12ms  not started             |
    |                                  ||X   1  cpu-smoke 2/2                fail            12ms  not started             |
    |                                  ||                                                                                  |
    |                                  |+----------------------------------------------------------------------------------+
    |                                  |+- 6 Log  s03/01_cpu-smoke stdout+stderr -------------- wrap time 0+ ln 0 dropped -+
    |                                  ||                                                                                  |
    |                                  ||                                                                                  |
    |                                  ||                                                                                  |
    |                                  ||                                                                                  |
    |abc123 flow x margin              ||                                                                                  |
    |nothing has drifted since         ||                                                                                  |
    |                                  ||                                                                                  |
    |                                  ||                                                                                  |
    +----------------------------------++----------------------------------------------------------------------------------+

    = road_runner runs show rr-20250101T010101Z-abc123
    hjkl move  ? help  S start  R rerun fails  Enter open  u unit  } next fail  Space mark  X axes  o report  E export
    ");
}

#[test]
fn a_live_run() {
    insta::assert_snapshot!(screen("live", (80, 24)), @r"
    road_runner  bench-03  policy safety  no unit  RUN abc123 4/12 00:50 ~01:23
    +- 1 Flows ---- 1 of 2 -++- 4 Shmoo  core.voltage over core.frequency ---------+
    |> cpu_smoke    3 steps ||1000mV | +  [>]  .    s04 core 3.001GHz 1000mV       |
    +-----------------------+| 999mV | +   .   .    > running                      |
    +- 2 Margins -- 1 of 2 -+| 998mV | +   .   .    + cpu-smoke 12ms               |
    |> vcore_sweep   12 pts || 997mV | +   .   .    headroom 1000mV to core minimum|
    +-----------------------+|        3GHz                                         |
    +- 3 Runs ---------- 3 -+|edge 3.001GHz: not measured                          |
    |> 2025 abc123 >  4/12 f||last pass/first fail core.voltage  3GHz 997mV/-  ..  |
    |  2024 9f3c1e X 12/12 f||+ pass 4  > running 1  . planned 7                   |
    |  2024 77ab02 A  0/12 i||4/12 [####.......] 37%  00:50  left ~01:23  s04 step |
    |                       |+-----------------------------------------------------+
    |                       |+= 5 Steps  s04 core 3.001GHz 1000mV ======== 2 of 2 =+
    |                       ||+ cpu-smoke 1/2        12ms  not started             |
    |                       ||> cpu-smoke 2/2    00:04 of ~00:00 [##############.] |
    |                       ||                                                     |
    |                       |+=====================================================+
    |abc123 flow x margin   |+- 6 Log  s04/01_cpu-smoke stdout+stderr -------------+
    |nothing has drifted sin||                                                     |
    |                       ||                                                     |
    |                       ||                                                     |
    +-----------------------++-----------------------------------------------------+

    jk move  ? help  x stop  Enter open  f follow  / search  o report  E export
    ");
    insta::assert_snapshot!(screen("live", (200, 60)), @r"
    road_runner  bench-03  policy safety  no unit  seed 20250101  RUN abc123 4/12 00:50 ~01:23
    +- 1 Flows --------------- 1 of 2 -++- 4 Shmoo  core.voltage over core.frequency -----------------------------------------------------++= 5 Steps  s04 core 3.001GHz 1000mV ================== 2 of 2 =+
    |> cpu_smoke.yaml          3 steps ||1000mV | +  [>]  .    s04 core 3.001GHz 1000mV                                                   ||    #  step                         verdict         time  ended|
    |  mem_only.yaml          ! errors || 999mV | +   .   .    > running                                                                  ||+   0  cpu-smoke 1/2                pass            12ms  not s|
    |    line 14:7 unknown adapter `me~|| 998mV | +   .   .    + cpu-smoke 12ms                                                           ||>   1  cpu-smoke 2/2                running     00:04 of ~00:00|
    |    did you mean `mem-march`?     || 997mV | +   .   .    headroom 1000mV to core minimum                                            ||                                                               |
    |                                  ||        3GHz                                                                                     ||                                                               |
    |                                  ||                                                                                                 ||                                                               |
    |                                  ||                                                                                                 ||                                                               |
    |                                  ||                                                                                                 ||                                                               |
    |                                  ||                                                                                                 ||                                                               |
    |                                  ||                                                                                                 ||                                                               |
    +----------------------------------+|                                                                                                 ||                                                               |
    +- 2 Margins ------------- 1 of 2 -+|                                                                                                 ||                                                               |
    |> vcore_sweep.yaml   4x3 = 12 pts ||                                                                                                 ||                                                               |
    |  nominal.yaml       4x3 = 12 pts ||                                                                                                 ||                                                               |
    |                                  ||                                                                                                 ||                                                               |
    |                                  ||                                                                                                 ||                                                               |
    |                                  ||                                                                                                 ||                                                               |
    |                                  ||                                                                                                 ||                                                               |
    |                                  ||                                                                                                 ||                                                               |
    |                                  ||                                                                                                 ||                                                               |
    |  bounds ok                       ||                                                                                                 ||                                                               |
    +----------------------------------+|                                                                                                 ||                                                               |
    +- 3 Runs --------------------- 3 -+|                                                                                                 ||                                                               |
    |> 2025 abc123 >  4/12 flow        ||                                                                                                 ||                                                               |
    |  2024 9f3c1e X 12/12 flow        ||                                                                                                 ||argv     --vcore 1000 --fcore 3001                             |
    |  2024 77ab02 A  0/12 interrupted ||                                                                                                 ||env      ROAD_RUNNER_STEP=cpu-smoke ROAD_RUNNER_SEED=1215218931|
    |                                  ||                                                                                                 ||applied  core.frequency adapter, core.voltage adapter          |
    |                                  ||edge 3.001GHz: not measured                                                                      ||pid      not spawned                                           |
    |                                  ||last pass/first fail core.voltage  3GHz 997mV/-  3.001GHz -/-  3.002GHz -/-                      ||                                                               |
    |                                  ||+ pass 4  > running 1  . planned 7                                                               ||                                                               |
    |                                  ||4/12 [########..............] 37%  00:50  left ~01:23  s04 step 2/2 [###########.]               ||                                                               |
    |                                  |+-------------------------------------------------------------------------------------------------++===============================================================+
    |                                  |+- 6 Log  s04/01_cpu-smoke stdout+stderr ---------------------- FOLLOW wrap time 0+ ln 0 dropped -++- 7 Telemetry -------------------------------------------------+
    |                                  ||                                                                                                 ||looking ...                                                    |
    |                                  ||                                                                                                 ||                                                               |
    |                                  ||                                                                                                 ||                                                               |
    |                                  ||                                                                                                 ||                                                               |
    |                                  ||                                                                                                 ||                                                               |
    |                                  ||                                                                                                 ||                                                               |
    |                                  ||                                                                                                 ||                                                               |
    |                                  ||                                                                                                 ||                                                               |
    |                                  ||                                                                                                 ||                                                               |
    |                                  ||                                                                                                 ||                                                               |
    |                                  ||                                                                                                 ||                                                               |
    |                                  ||                                                                                                 ||                                                               |
    |                                  ||                                                                                                 ||                                                               |
    |                                  ||                                                                                                 ||                                                               |
    |                                  ||                                                                                                 ||                                                               |
    |                                  ||                                                                                                 ||                                                               |
    |                                  ||                                                                                                 ||                                                               |
    |abc123 flow x margin              ||                                                                                                 ||                                                               |
    |nothing has drifted since         ||                                                                                                 ||                                                               |
    |                                  ||                                                                                                 ||                                                               |
    |                                  ||                                                                                                 ||                                                               |
    +----------------------------------++-------------------------------------------------------------------------------------------------++---------------------------------------------------------------+

    = road_runner runs follow rr-20250101T010101Z-abc123
    jk move  ? help  x stop  Enter open  f follow  / search  o report  E export  Y copy command  y yank  z zoom  q quit  : palette  Tab next
    ");
}

#[test]
fn what_lies_outside() {
    insta::assert_snapshot!(screen("outside", (80, 24)), @r"
    road_runner  bench-03  policy safety  no unit  seed 20250101  preview
    +- 1 Flows ---- 1 of 2 -++= 4 Shmoo  core.voltage over core.frequency =========+
    |> cpu_smoke    3 steps ||1000mV |[.]  .   .    s00 core 3GHz 1000mV           |
    +-----------------------+| 999mV | .   #   .    . planned                      |
    +- 2 Margins -- 1 of 2 -+| 998mV | #   .   .    headroom 1000mV to core minimum|
    |> vcore_sweep   12 pts || 997mV | .   .   .                                   |
    +-----------------------+|        3GHz                                         |
    +- 3 Runs ---------- 3 -+|                                                     |
    |  2025 abc123 + 12/12 f||12 points, 24 executions  2 outside the policy: S say|
    |  2024 9f3c1e X 12/12 f||                                                     |
    |  2024 77ab02 A  0/12 i||. planned 10  # outside 2                            |
    |                       |+=====================================================+
    |                       |+- 5 Steps  s00 core 3GHz 1000mV ------------ 1 of 2 -+
    |                       ||. cpu-smoke 1/2                                      |
    |                       ||. cpu-smoke 2/2                                      |
    |                       ||                                                     |
    |                       |+-----------------------------------------------------+
    |abc123 flow x margin   |+- 6 Log ---------------------------------------------+
    |nothing has drifted sin||                                                     |
    |                       ||                                                     |
    |                       ||                                                     |
    +-----------------------++-----------------------------------------------------+

    hjkl move  ? help  S start  Enter open  u unit  } next fail  X axes  z zoom
    ");
    insta::assert_snapshot!(screen("refused", (80, 24)), @r"
    road_runner  bench-03  policy safety  no unit  seed 20250101  preview
    +- 1 Flows ---- 1 of 2 -++- 4 Shmoo  core.voltage over core.frequency ---------+
    |> cpu_smoke    3 steps ||1000mV |[.]  .   .    s00 core 3GHz 1000mV           |
    +-----------------------+| 999mV | .   .   .    . planned                      |
    +- 2 Margins -- 1 of 2 -+| 998mV | #   .   .    headroom 1000mV to core minimum|
    |> vcore_sweep   12 pts || 997mV | .   .   .                                   |
    +-----------------------+|        3GHz                                         |
    +- 3 Runs ---------- 3 -+|                                                     |
    |  2025 abc123 + 12/12 f||12 points, 24 executions  1 outside the policy: S say|
    |  2024 9f3c1e X 12/+= Refused =============== Esc closes =+                   |
    |  2024 77ab02 A  0/| the plan leaves the bounds           |                   |
    |                   |                                      |-------------------+
    |                   |                                      |---------- 1 of 2 -+
    |                   +======================================+                   |
    |                       ||. cpu-smoke 2/2                                      |
    |                       ||                                                     |
    |                       |+-----------------------------------------------------+
    |abc123 flow x margin   |+- 6 Log ---------------------------------------------+
    |nothing has drifted sin||                                                     |
    |                       ||                                                     |
    |                       ||                                                     |
    +-----------------------++-----------------------------------------------------+

    jk move  ? help  S start  Enter open  u unit  / search  e edit  Y copy command
    ");
}

#[test]
fn dialogs() {
    insta::assert_snapshot!(screen("stop", (80, 24)), @r"
    road_runner  bench-03  policy safety  no unit  RUN abc123 4/12 00:50 ~01:23
    +- 1 Flows ---- 1 of 2 -++- 4 Shmoo  core.voltage over core.frequency ---------+
    |> cpu_smoke    3 steps ||1000mV | +  [>]  .    s04 core 3.001GHz 1000mV       |
    +-----------------------+| 999mV | +   .   .    > running                      |
    +- 2 Margins -- 1 of 2 -+| 998mV | +   .   .    + cpu-smoke 12ms               |
    |> vcore_sweep   12 pts || 997mV | +   .   .    headroom 1000mV to core minimum|
    +-----------------------+|        3GHz                                         |
    +- 3 Ru+= Stop the run? ================================================+      |
    |> 2025| rr-20250101T010101Z-abc123                                     |  ..  |
    |  2024| 4 of 12 sub-runs are done; what is recorded stays              |      |
    |  2024|                                                                | step |
    |      |   [ Finish this step, then stop ]                              |------+
    |      |   [ Stop now ]                                                 |of 2 -+
    |      | > [ Keep running ]                                             |      |
    |      |                                                                |###.] |
    |      | ctrl-c stop it now   j k choose   Esc keep running             |      |
    |      +================================================================+------+
    |abc123 flow x margin   |+- 6 Log  s04/01_cpu-smoke stdout+stderr -------------+
    |nothing has drifted sin||                                                     |
    |                       ||                                                     |
    |                       ||                                                     |
    +-----------------------++-----------------------------------------------------+

    jk move  ? help  x stop  Enter open  u unit  / search  e edit  Y copy command
    ");
    insta::assert_snapshot!(screen("leave", (80, 24)), @r"
    road_runner  bench-03  policy safety  no unit  RUN abc123 4/12 00:50 ~01:23
    +- 1 Flows ---- 1 of 2 -++- 4 Shmoo  core.voltage over core.frequency ---------+
    |> cpu_smoke    3 steps ||1000mV | +  [>]  .    s04 core 3.001GHz 1000mV       |
    +-----------------------+| 999mV | +   .   .    > running                      |
    +- 2 Margins -- 1 of 2 -+| 998mV | +   .   .    + cpu-smoke 12ms               |
    |> vcore_sweep   12 pts || 997mV | +   .   .    headroom 1000mV to core minimum|
    +-----------------------+|        3GHz                                         |
    +- 3 Runs ---------- 3 -+|edge 3.001GHz: not measured                          |
    |> 2025 a+= Leave? ===================================================+/-  ..  |
    |  2024 9| rr-20250101T010101Z-abc123 goes on without this screen.    |        |
    |  2024 7| Come back with                                             |04 step |
    |        |   road_runner                                              |--------+
    |        |                                                            |2 of 2 -+
    |        | > [ Leave ]     [ Stop the run ]     [ Stay ]              |        |
    |        | q once more leaves                                         |#####.] |
    |        +============================================================+        |
    |                       |+-----------------------------------------------------+
    |abc123 flow x margin   |+- 6 Log  s04/01_cpu-smoke stdout+stderr -------------+
    |nothing has drifted sin||                                                     |
    |                       ||                                                     |
    |                       ||                                                     |
    +-----------------------++-----------------------------------------------------+

    jk move  ? help  x stop  Enter open  u unit  / search  e edit  Y copy command
    ");
    insta::assert_snapshot!(screen("unit", (80, 24)), @r"
    road_runner  bench-03  policy safety  no unit  seed 20250101  preview
    +- 1 Flows ---- 1 of 2 -++- 4 Shmoo  core.voltage over core.frequency ---------+
    |> cpu_smoke    3 steps ||1000mV |[.]  .   .    s00 core 3GHz 1000mV           |
    +-----------------------+| 999mV | .   .   .    . planned                      |
    +- 2 Margins -- 1 of 2 -+| 998mV | .   .   .    headroom 1000mV to core minimum|
    |> vcore_sweep   12 pts || 997mV | .   .   .                                   |
    +-----------------------+|        3GHz                                         |
    +- 3 Runs ---------- 3 -+|                                                     |
    |  2025 abc123 + 12/12 f||12 points, 24 executions  bounds ok: S starts it  abo|
    |  2024 9f3c1e += Unit under test ==============================+              |
    |  2024 77ab02 |                                                |              |
    |              |                                                |--------------+
    |              |                                                |----- 1 of 2 -+
    |              | Enter takes it, empty is none, Esc leaves it   |              |
    |              +================================================+              |
    |                       ||                                                     |
    |                       |+-----------------------------------------------------+
    |abc123 flow x margin   |+- 6 Log ---------------------------------------------+
    |nothing has drifted sin||                                                     |
    |                       ||                                                     |
    |                       ||                                                     |
    +-----------------------++-----------------------------------------------------+

    jk move  ? help  S start  Enter open  u unit  / search  p plan  e edit  y yank
    ");
    insta::assert_snapshot!(screen("help", (80, 24)), @r"
    road_runner  bench-03  policy safety  no unit  seed 20250101  preview
    += Keys ======================================= type to filter, Enter runs it =+
    |                                                                              |
    |            1  Go to the flows                                                |
    |            2  Go to the margin profiles                                      |
    |            3  Go to the runs                                                 |
    |            4  Go to the shmoo                                                |
    |            5  Go to the steps                                                |
    |            6  Go to the log                                                  |
    |            7  Go to the telemetry                                            |
    |          Tab  Go to the next pane                                            |
    |        S-Tab  Go to the pane before                                          |
    |       j Down  Move down                                                      |
    |         k Up  Move up                                                        |
    |       g Home  Go to the first                                                |
    |        G End  Go to the last                                                 |
    |  ctrl-d PgDn  Move down by half a page                                       |
    |  ctrl-u PgUp  Move up by half a page                                         |
    |        Enter  Choose and preview a flow or a margin, open a run, look at a ~ |
    |            S  Start what is previewed, after the limits were confirmed       |
    |                                                                              |
    | pane-flows   in dialogs: Esc close without doing anything, Tab S-Tab h l Lef |
    +==============================================================================+
    jk move  ? help  S start  Enter open  u unit  / search  p plan  e edit  y yank
    ");
    insta::assert_snapshot!(screen("palette", (80, 24)), @r"
    road_runner  bench-03  policy safety  past run abc123 12/12 X2 T1 02:01
    += Actions ==================================================== Enter runs it =+
    | re                                                                           |
    |       ctrl-l  Draw everything again                                          |
    |            r  Run the selected run's plan again, after showing what has dri~ |
    |            R  Run again what failed, timed out, was inconclusive or in erro~ |
    |            c  Go on with an interrupted run where it stopped                 |
    |            o  Make the reports of the run again and show where they are      |
    |        S-Tab  Go to the pane before                                          |
    |            N  Go to the one before that the search found                     |
    |            {  Go to the cell before that is not a pass                       |
    |            [  Show the slice before of the hidden axes                       |
    |           [e  Go to the line of stderr before                                |
    |            D  Leave the record of a run without starting anything            |
    |            s  Show stdout, stderr or both                                    |
    |            a  Sum up the hidden axes: worst, last, pass rate, or slice by s~ |
    |            v  Mark everything from here to where it is pressed again         |
    |            d  Compare the selected run with the marked one, else with the o~ |
    |            }  Go to the next cell that is not a pass                         |
    |       ctrl-z  Back to the shell; a run goes on                               |
    |                                                                              |
    | redraw   in dialogs: Esc close without doing anything, Tab S-Tab h l Left Ri |
    +==============================================================================+
    jk move  ? help  S start  Enter open  u unit  / search  e edit  Y copy command
    ");
    insta::assert_snapshot!(screen("axes", (80, 24)), @r"
    road_runner  bench-03  policy safety  past run abc123 12/12 X2 T1 02:01
    +- 1 Flows ---- 1 of 2 -++- 4 Shmoo  core.voltage over core.frequency ---------+
    |> cpu_smoke    3 steps ||1000mV | +   +   +    s11 core 3.002GHz 997mV        |
    +-----------------------+| 999mV | +   +   +    T timeout                      |
    +- 2 Margins -- 1 of 2 -+| 998mV | +   +   +    T cpu-smoke 12ms               |
    |> vcore_sweep   12 pts || 997mV | X   X  [T]   T cpu-smoke 12ms               |
    +-----------------------+|        3GHz          headroom 997mV to core minimum |
    +- 3 Runs ---------- 3 -+|edge 3.002GHz: last pass 998mV, first fail 997mV dow~|
    |> 2025 abc123 + 12/12 f||last pass/first fail core.voltage  3GHz 998mV/997mV  |
    |  2024 9f+= Axes ================================ Enter shows them =+         |
    |  2024 77| core.voltage over core.frequency                         |it 0     |
    |         | core.frequency over core.voltage                         |---------+
    |         | core.frequency alone                                     | 1 of 2 -+
    |         | core.voltage alone                                       |         |
    |         +==========================================================+         |
    |                       ||                                                     |
    |                       |+-----------------------------------------------------+
    |abc123 flow x margin   |+- 6 Log  s11/00_cpu-smoke stdout+stderr -------------+
    |nothing has drifted sin||                                                     |
    |                       ||                                                     |
    |                       ||                                                     |
    +-----------------------++-----------------------------------------------------+

    hjkl move  ? help  S start  R rerun fails  Enter open  u unit  } next fail
    ");
}

#[test]
fn lists_and_small_screens() {
    insta::assert_snapshot!(screen("runs", (120, 36)), @r"
    road_runner  bench-03  policy safety  no unit  seed 20250101  past run abc123 12/12 X2 T1 02:01
    +- 1 Flows --------------- 1 of 2 -++- 4 Shmoo  core.voltage over core.frequency --------------------------------------+
    |> cpu_smoke.yaml          3 steps ||1000mV | +   +   +    s11 core 3.002GHz 997mV                                     |
    |  mem_only.yaml          ! errors || 999mV | +   +   +    T timeout                                                   |
    |    line 14:7 unknown adapter `me~|| 998mV | +   +   +    T cpu-smoke 12ms                                            |
    |    did you mean `mem-march`?     || 997mV | X   X  [T]   T cpu-smoke 12ms                                            |
    |                                  ||        3GHz          headroom 997mV to core minimum                              |
    |                                  ||                                                                                  |
    +----------------------------------+|                                                                                  |
    +- 2 Margins ------------- 1 of 2 -+|                                                                                  |
    |> vcore_sweep.yaml   4x3 = 12 pts ||                                                                                  |
    |  nominal.yaml       4x3 = 12 pts ||                                                                                  |
    |                                  ||edge 3.002GHz: last pass 998mV, first fail 997mV downward                         |
    |                                  ||last pass/first fail core.voltage  3GHz 998mV/997mV  3.001GHz 998mV/997mV  ..     |
    |  bounds ok                       ||+ pass 9  X fail 2  T timeout 1                                                   |
    +----------------------------------+|12/12 [##################] 100%  02:01  timeout, exit 0                           |
    += 3 Runs ===================== 3 =++----------------------------------------------------------------------------------+
    |> 2025 abc123 + 12/12 flow        |+- 5 Steps  s11 core 3.002GHz 997mV -------------------------------------- 1 of 2 -+
    |* 2024 9f3c1e X 12/12 flow        ||    #  step                         verdict         time  ended                   |
    |  2024 77ab02 A  0/12 interrupted ||T   0  cpu-smoke 1/2                timeout         12ms  not started             |
    |                                  ||T   1  cpu-smoke 2/2                timeout         12ms  not started             |
    |                                  ||                                                                                  |
    |                                  |+----------------------------------------------------------------------------------+
    |                                  |+- 6 Log  s11/00_cpu-smoke stdout+stderr -------------- wrap time 0+ ln 0 dropped -+
    |                                  ||                                                                                  |
    |                                  ||                                                                                  |
    |                                  ||                                                                                  |
    |                                  ||                                                                                  |
    |9f3c1e flow x margin              ||                                                                                  |
    |nothing has drifted since         ||                                                                                  |
    |                                  ||                                                                                  |
    |                                  ||                                                                                  |
    +==================================++----------------------------------------------------------------------------------+

    = road_runner runs show rr-20250101T010101Z-abc123
    jk move  ? help  r rerun  R rerun fails  Enter open  / search  Space mark  d diff  o report  E export  Y copy command
    ");
    insta::assert_snapshot!(screen("filter", (80, 24)), @r"
    road_runner  bench-03  policy safety  past run abc123 12/12 X2 T1 02:01
    +- 1 Flows ---- 1 of 2 -++- 4 Shmoo  core.voltage over core.frequency ---------+
    |> cpu_smoke    3 steps ||1000mV | +   +   +    s11 core 3.002GHz 997mV        |
    +-----------------------+| 999mV | +   +   +    T timeout                      |
    +- 2 Margins -- 1 of 2 -+| 998mV | +   +   +    T cpu-smoke 12ms               |
    |> vcore_sweep   12 pts || 997mV | X   X  [T]   T cpu-smoke 12ms               |
    +-----------------------+|        3GHz          headroom 997mV to core minimum |
    += 3 Runs ===== 1 of 3 =+|edge 3.002GHz: last pass 998mV, first fail 997mV dow~|
    |  2024 9f3c1e X 12/12 f||last pass/first fail core.voltage  3GHz 998mV/997mV  |
    |                       ||+ pass 9  X fail 2  T timeout 1                      |
    |                       ||12/12 [###########] 100%  02:01  timeout, exit 0     |
    |                       |+-----------------------------------------------------+
    |                       |+- 5 Steps  s11 core 3.002GHz 997mV --------- 1 of 2 -+
    |                       ||T cpu-smoke 1/2        12ms  not started             |
    |                       ||T cpu-smoke 2/2        12ms  not started             |
    |                       ||                                                     |
    |                       |+-----------------------------------------------------+
    |9f3c1e flow x margin   |+- 6 Log  s11/00_cpu-smoke stdout+stderr -------------+
    |nothing has drifted sin||                                                     |
    |                       ||                                                     |
    |                       ||                                                     |
    +================= /fa =++-----------------------------------------------------+
    filter (fail, flow:mem, unit:SN12): fa
    jk move  ? help  r rerun  R rerun fails  Enter open  / search  Space mark
    ");
    insta::assert_snapshot!(screen("zoom", (80, 24)), @r"
    road_runner  bench-03  policy safety  past run abc123 12/12 X2 T1 02:01
    += 4 Shmoo  core.voltage over core.frequency ==================================+
    |1000mV | +   +   +    s11 core 3.002GHz 997mV                                 |
    | 999mV | +   +   +    T timeout                                               |
    | 998mV | +   +   +    T cpu-smoke 12ms                                        |
    | 997mV | X   X  [T]   T cpu-smoke 12ms                                        |
    |        3GHz          headroom 997mV to core minimum                          |
    |                                                                              |
    |                                                                              |
    |                                                                              |
    |                                                                              |
    |                                                                              |
    |                                                                              |
    |                                                                              |
    |                                                                              |
    |                                                                              |
    |                                                                              |
    |edge 3.002GHz: last pass 998mV, first fail 997mV downward                     |
    |last pass/first fail core.voltage  3GHz 998mV/997mV  3.001GHz 998mV/997mV  .. |
    |+ pass 9  X fail 2  T timeout 1                                               |
    |12/12 [#################] 100%  02:01  timeout, exit 0                        |
    +==============================================================================+

    hjkl move  ? help  S start  R rerun fails  Enter open  u unit  } next fail
    ");
    insta::assert_snapshot!(screen("past", (50, 14)), @r"
    past run abc123 12/12 X2 T1 02:01
    1 2 3 4 Shmoo 5 6 7
    += 4 Shmoo  core.voltage over core.frequency ====+
    |1000mV | +   +   +    s03 core 3GHz 997mV       |
    | 999mV | +   +   +    X fail                    |
    | 998mV | +   +   +    + cpu-smoke 12ms          |
    | 997mV |[X]  X   T    X cpu-smoke 12ms          |
    |        3GHz          headroom 997mV to core min|
    |edge 3GHz: last pass 998mV, first fail 997mV do~|
    |+ pass 9  X fail 2  T timeout 1                 |
    |12/12 [##########] 100%  02:01  timeout, exit 0 |
    +================================================+

    hjkl move  ? help  S start  R rerun fails  u unit
    ");
    insta::assert_snapshot!(screen("live", (36, 6)), @"RUN abc123 4/12 00:50 ~01:23");
    insta::assert_snapshot!(screen("empty", (80, 24)), @r"
    road_runner  bench-03  no unit
    += 1 Flows ========= 0 =++- 4 Shmoo -------------------------------------------+
    |no flow in flows/      ||this workspace has no flow: road_runner init DIR writ|
    +=======================+|                                                     |
    +- 2 Margins ------- 0 -+|                                                     |
    |no profile in margins/ |+-----------------------------------------------------+
    +-----------------------++- 5 Steps -------------------------------------------+
    +- 3 Runs ---------- 0 -+|nothing is chosen                                    |
    |no run yet: S starts on||                                                     |
    |                       ||                                                     |
    |                       ||                                                     |
    |                       ||                                                     |
    |                       ||                                                     |
    |                       ||                                                     |
    |                       ||                                                     |
    |                       |+-----------------------------------------------------+
    |                       |+- 6 Log ---------------------------------------------+
    |                       ||                                                     |
    |                       ||                                                     |
    |                       ||                                                     |
    |                       ||                                                     |
    +-----------------------++-----------------------------------------------------+

    jk move  ? help  u unit  / search  z zoom  q quit  : palette  Tab next
    ");
}

#[test]
fn every_theme_has_its_styles_on_a_run() {
    let themes = Themes::read(std::path::Path::new("/nonexistent"), None);
    let mut out = String::new();
    for theme in themes.entries.iter().filter_map(|entry| entry.theme.as_ref()) {
        let mut model = past((80, 24));
        model.look.palette = Palette::new(theme, Depth::True);
        writeln!(out, "# {}\n{}", theme.name, legend(&drawn(model, vec![]))).unwrap();
    }
    insta::assert_snapshot!(out, @r"
    # colour-blind-safe
    Rgb(123, 132, 146)/Rgb(22, 25, 31) NONE: 350 +----------+
    Rgb(154, 163, 177)/Rgb(22, 25, 31) NONE: 283 1of24Shmooco
    Rgb(154, 163, 177)/Rgb(34, 38, 46) NONE: 92 bench-03poli
    Rgb(208, 213, 222)/Rgb(22, 25, 31) NONE: 898 core3.002GHz
    Rgb(208, 213, 222)/Rgb(34, 38, 46) BOLD: 4 >T
    Rgb(208, 213, 222)/Rgb(34, 38, 46) NONE: 108 pastrunabc12
    Rgb(22, 25, 31)/Rgb(255, 255, 255) BOLD: 3 [T]
    Rgb(240, 109, 34)/Rgb(22, 25, 31) BOLD: 3 XXX
    Rgb(240, 109, 34)/Rgb(34, 38, 46) BOLD: 3 X2
    Rgb(247, 238, 106)/Rgb(22, 25, 31) BOLD: 16 TtimeoutTTTT
    Rgb(247, 238, 106)/Rgb(34, 38, 46) BOLD: 3 T1
    Rgb(255, 255, 255)/Rgb(22, 25, 31) BOLD: 32 s11997mV12/1
    Rgb(255, 255, 255)/Rgb(34, 38, 46) BOLD: 13 road_runner
    Rgb(255, 255, 255)/Rgb(46, 52, 63) BOLD: 23 >cpu_smoke3s
    Rgb(95, 215, 184)/Rgb(22, 25, 31) BOLD: 16 1Flows||||ed
    Rgb(95, 215, 184)/Rgb(22, 25, 31) NONE: 50 +======+||+=
    Rgb(95, 215, 184)/Rgb(34, 38, 46) BOLD: 13 jk?SEnteru/e
    Rgb(98, 189, 240)/Rgb(22, 25, 31) NONE: 10 ++++++++++

    # dark
    Rgb(108, 182, 255)/Rgb(22, 25, 31) BOLD: 16 1Flows||||ed
    Rgb(108, 182, 255)/Rgb(22, 25, 31) NONE: 50 +======+||+=
    Rgb(108, 182, 255)/Rgb(34, 38, 46) BOLD: 13 jk?SEnteru/e
    Rgb(123, 132, 146)/Rgb(22, 25, 31) NONE: 350 +----------+
    Rgb(127, 208, 138)/Rgb(22, 25, 31) NONE: 10 ++++++++++
    Rgb(154, 163, 177)/Rgb(22, 25, 31) NONE: 283 1of24Shmooco
    Rgb(154, 163, 177)/Rgb(34, 38, 46) NONE: 92 bench-03poli
    Rgb(203, 166, 247)/Rgb(22, 25, 31) BOLD: 16 TtimeoutTTTT
    Rgb(203, 166, 247)/Rgb(34, 38, 46) BOLD: 3 T1
    Rgb(208, 213, 222)/Rgb(22, 25, 31) NONE: 898 core3.002GHz
    Rgb(208, 213, 222)/Rgb(34, 38, 46) BOLD: 4 >T
    Rgb(208, 213, 222)/Rgb(34, 38, 46) NONE: 108 pastrunabc12
    Rgb(22, 25, 31)/Rgb(255, 255, 255) BOLD: 3 [T]
    Rgb(255, 130, 121)/Rgb(22, 25, 31) BOLD: 3 XXX
    Rgb(255, 130, 121)/Rgb(34, 38, 46) BOLD: 3 X2
    Rgb(255, 255, 255)/Rgb(22, 25, 31) BOLD: 32 s11997mV12/1
    Rgb(255, 255, 255)/Rgb(34, 38, 46) BOLD: 13 road_runner
    Rgb(255, 255, 255)/Rgb(46, 52, 63) BOLD: 23 >cpu_smoke3s

    # default
    Cyan/Reset BOLD: 68 +=1Flows====
    Cyan/Reset BOLD | DIM: 6 1of2
    Cyan/Reset BOLD | REVERSED: 2 >
    Cyan/Reset BOLD | UNDERLINED: 2 >
    Cyan/Reset NONE: 11 ###########
    Green/Reset NONE: 10 ++++++++++
    Magenta/Reset BOLD: 19 T1TtimeoutTT
    Magenta/Reset BOLD | REVERSED: 3 [T]
    Magenta/Reset BOLD | UNDERLINED: 2 T
    Red/Reset BOLD: 6 X2XXX
    Reset/Reset BOLD: 81 road_runnerp
    Reset/Reset BOLD | DIM: 25 bench-03poli
    Reset/Reset DIM: 627 +-4Shmoocore
    Reset/Reset DIM | REVERSED: 7 3steps
    Reset/Reset DIM | UNDERLINED: 19 12ptsnotstar
    Reset/Reset NONE: 965 core3.002GHz
    Reset/Reset REVERSED: 14 cpu_smoke
    Reset/Reset UNDERLINED: 53 vcore_sweepc

    # high-contrast
    Rgb(0, 0, 0)/Rgb(255, 255, 255) BOLD: 3 [T]
    Rgb(125, 255, 140)/Rgb(0, 0, 0) BOLD: 10 ++++++++++
    Rgb(127, 212, 255)/Rgb(0, 0, 0) BOLD: 55 +=1Flows====
    Rgb(127, 212, 255)/Rgb(0, 0, 0) NONE: 11 ###########
    Rgb(127, 212, 255)/Rgb(12, 12, 12) BOLD: 13 jk?SEnteru/e
    Rgb(180, 180, 180)/Rgb(0, 0, 0) NONE: 350 +----------+
    Rgb(214, 214, 214)/Rgb(0, 0, 0) BOLD: 6 1of2
    Rgb(214, 214, 214)/Rgb(0, 0, 0) NONE: 277 4Shmoocore.v
    Rgb(214, 214, 214)/Rgb(12, 12, 12) NONE: 92 bench-03poli
    Rgb(226, 196, 255)/Rgb(0, 0, 0) BOLD: 16 TtimeoutTTTT
    Rgb(226, 196, 255)/Rgb(12, 12, 12) BOLD: 3 T1
    Rgb(255, 156, 148)/Rgb(0, 0, 0) BOLD: 3 XXX
    Rgb(255, 156, 148)/Rgb(12, 12, 12) BOLD: 3 X2
    Rgb(255, 255, 255)/Rgb(0, 0, 0) BOLD: 32 s11997mV12/1
    Rgb(255, 255, 255)/Rgb(0, 0, 0) NONE: 898 core3.002GHz
    Rgb(255, 255, 255)/Rgb(12, 12, 12) BOLD: 17 road_runner>
    Rgb(255, 255, 255)/Rgb(12, 12, 12) NONE: 108 pastrunabc12
    Rgb(255, 255, 255)/Rgb(28, 44, 76) BOLD | UNDERLINED: 23 >cpu_smoke3s

    # light
    Rgb(0, 0, 0)/Rgb(220, 223, 229) BOLD: 23 >cpu_smoke3s
    Rgb(0, 0, 0)/Rgb(238, 238, 234) BOLD: 13 road_runner
    Rgb(0, 0, 0)/Rgb(251, 251, 249) BOLD: 32 s11997mV12/1
    Rgb(111, 60, 192)/Rgb(238, 238, 234) BOLD: 3 T1
    Rgb(111, 60, 192)/Rgb(251, 251, 249) BOLD: 16 TtimeoutTTTT
    Rgb(114, 121, 130)/Rgb(251, 251, 249) NONE: 350 +----------+
    Rgb(179, 20, 29)/Rgb(238, 238, 234) BOLD: 3 X2
    Rgb(179, 20, 29)/Rgb(251, 251, 249) BOLD: 3 XXX
    Rgb(20, 101, 44)/Rgb(251, 251, 249) NONE: 10 ++++++++++
    Rgb(251, 251, 249)/Rgb(0, 0, 0) BOLD: 3 [T]
    Rgb(36, 41, 47)/Rgb(238, 238, 234) BOLD: 4 >T
    Rgb(36, 41, 47)/Rgb(238, 238, 234) NONE: 108 pastrunabc12
    Rgb(36, 41, 47)/Rgb(251, 251, 249) NONE: 898 core3.002GHz
    Rgb(5, 80, 174)/Rgb(238, 238, 234) BOLD: 13 jk?SEnteru/e
    Rgb(5, 80, 174)/Rgb(251, 251, 249) BOLD: 16 1Flows||||ed
    Rgb(5, 80, 174)/Rgb(251, 251, 249) NONE: 50 +======+||+=
    Rgb(80, 87, 95)/Rgb(238, 238, 234) NONE: 92 bench-03poli
    Rgb(80, 87, 95)/Rgb(251, 251, 249) NONE: 283 1of24Shmooco
    ");
}

#[test]
fn without_colours_what_matters_has_an_attribute() {
    insta::assert_snapshot!(legend(&drawn(past((80, 24)), vec![])), @r"
    Reset/Reset BOLD: 174 road_runnerp
    Reset/Reset BOLD | DIM: 31 bench-03poli
    Reset/Reset BOLD | REVERSED: 5 >[T]
    Reset/Reset BOLD | UNDERLINED: 4 >T
    Reset/Reset DIM: 627 +-4Shmoocore
    Reset/Reset DIM | REVERSED: 7 3steps
    Reset/Reset DIM | UNDERLINED: 19 12ptsnotstar
    Reset/Reset NONE: 986 +++core3.002
    Reset/Reset REVERSED: 14 cpu_smoke
    Reset/Reset UNDERLINED: 53 vcore_sweepc
    ");
}

#[test]
fn every_screen_in_every_small_size() {
    for size in
        [(1, 1), (2, 2), (5, 3), (10, 10), (39, 9), (40, 10), (41, 11), (59, 12), (60, 10), (79, 23), (300, 100)]
    {
        for (name, model) in screens(size) {
            let buffer = drawn(model, vec![]);
            assert_eq!((buffer.area.width, buffer.area.height), size, "{name}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn no_size_and_no_storm_of_sizes_brings_it_down(
        sizes in proptest::collection::vec((1_u16..=300, 1_u16..=100), 1..6),
        which in 0_usize..17,
    ) {
        let mut all = screens((80, 24));
        let (name, mut model) = all.swap_remove(which);
        let focus = model.focus;
        for (width, height) in sizes {
            drop(send(&mut model, Msg::Resize(width, height)));
            let area = Rect::new(0, 0, width, height);
            let mut buffer = Buffer::empty(area);
            view(&model, area, &mut buffer);
            // A frame that is late: the screen is smaller than the model thinks.
            let small = Rect::new(0, 0, width.div_ceil(2), height.div_ceil(2));
            let mut buffer = Buffer::empty(small);
            view(&model, small, &mut buffer);
        }
        drop(send(&mut model, Msg::Resize(80, 24)));
        prop_assert_eq!(model.focus, focus);
        let (_, before) = screens((80, 24)).swap_remove(which);
        prop_assert_eq!(text(&drawn(model, vec![])), text(&drawn(before, vec![])), "{}", name);
    }

    #[test]
    fn no_keys_bring_it_down(keys in proptest::collection::vec(0_usize..70, 1..60), which in 0_usize..17) {
        let all = ["1", "2", "3", "4", "5", "6", "7", "Tab", "S-Tab", "j", "k", "h", "l", "g", "G", "ctrl-d", "ctrl-u",
            "Enter", "S", "u", "p", "D", "e", "r", "R", "c", "d", "o", "E", "/", "n", "N", "Space", "v", "}", "{", "]",
            "[", "X", "a", "f", "w", "t", "s", "&", "y", "x", "ctrl-c", "z", ":", "?", "T", "Y", "Esc", "M", "q", "i",
            "Backspace", "ctrl-w", "ctrl-a", "ctrl-e", "Delete", "Left", "Right", "Up", "Down", "Home", "End", "PgUp",
            "PgDn"];
        let (_, mut model) = screens((120, 36)).swap_remove(which);
        for key in keys {
            drop(press(&mut model, all[key]));
            let area = Rect::new(0, 0, 120, 36);
            view(&model, area, &mut Buffer::empty(area));
        }
    }
}

#[test]
fn a_thousand_changes_are_drawn_and_the_last_one_is_seen() {
    let mut messages: Vec<Msg> = (0..1000).map(|_| Msg::Tick).collect();
    messages.push(Msg::Done(Ok("the last word".to_owned())));
    let shown = text(&drawn(previewed((80, 24), &[]), messages));
    assert!(shown.contains("the last word"), "{shown}");
}
