//! What the hardware said and where rails were, in every form of a report: a host with some sources, and one with none.

use std::sync::Arc;

use super::export::{Columns, RowForm};
use super::render;
use super::template::Form;
use super::tests::{gathered, rendered, rows};
use crate::domain::event::{
    EvidenceLate, EvidenceSources, RailHeld, RailLevel, RailNotHeld, RailNotRestored, RailRestored, RestoredBy,
    RunEvent,
};
use crate::domain::evidence::{Observation, SourceId, Sources};
use crate::domain::kit::{self, World, name};
use crate::domain::verdict::Verdict::{Fail, Pass};
use crate::store::record::Record;
use crate::store::test_run::{TestRun, frozen};

fn level(millivolts: u64, megahertz: u64) -> RailLevel {
    RailLevel { voltage_uv: Some(millivolts * 1000), frequency_khz: Some(megahertz * 1000) }
}

/// Two sub-runs of two steps: nothing in the first, news in the second, and rails that did not all do as they were told.
fn run(sources: Option<&Sources>, moves: bool) -> TestRun {
    let mut world = World::grid(2, 1);
    world.flow.steps[0].repeat = 2;
    let plan = Arc::new((*frozen(&world)).clone());
    let mut events = vec![];
    let mut sub_run = 0;
    for mut event in kit::story(&plan, &[vec![Pass, Pass], vec![Pass, Fail]]) {
        let core = name("core");
        let mut rails: Vec<RunEvent> = vec![];
        match &mut event {
            RunEvent::SubrunOpened(opened) => {
                sub_run = opened.index;
                let setpoint = level(1000 - u64::from(sub_run), 3000);
                let held = |readback| RailHeld { rail: core.clone(), setpoint, readback };
                rails.extend([held(setpoint).into(), held(level(998, 3001)).into()]);
            }
            RunEvent::StepFinished(finished) if sources.is_some_and(|s| s.contains_key(&SourceId::Energy)) => {
                finished.observed = if finished.verdict == Fail { kit::alarming() } else { kit::quiet() };
                if sub_run == 1 && finished.index == 0 {
                    finished.observed.remove(&SourceId::EdacCe);
                    let gone = Observation::NotChecked { not_checked: "gone".to_owned() };
                    finished.observed.insert(SourceId::Temperature, gone);
                }
            }
            RunEvent::SubrunClosed(_) if sub_run == 1 => {
                let reason = "voltage reads 998mV\u{1b} where 999mV was set".to_owned();
                let (setpoint, readback) = (level(999, 3000), Some(level(998, 3000)));
                rails.extend([
                    RailNotHeld { rail: core.clone(), setpoint, readback, reason }.into(),
                    RailNotRestored { rail: core.clone(), by: RestoredBy::Runner, reason: "exit code 1".to_owned() }
                        .into(),
                    RailRestored { rail: core, by: RestoredBy::Guardian, readback: level(1050, 3000) }.into(),
                ]);
            }
            RunEvent::SubrunClosed(_) => {
                rails.push(RailRestored { rail: core, by: RestoredBy::Runner, readback: level(1050, 3000) }.into());
            }
            RunEvent::RunFinished(_) if sources.is_some() => {
                events.push(EvidenceLate { index: 1, observed: kit::alarming() }.into());
                events.push(EvidenceLate { index: 0, observed: kit::quiet() }.into());
            }
            _ => {}
        }
        let is_first = matches!(event, RunEvent::RunStarted(_));
        let is_last = matches!(event, RunEvent::SubrunClosed(_));
        let rails = if moves { rails } else { vec![] };
        // What is said of rails stands behind the first line of the sub-run's journal and before its last.
        if is_last {
            events.extend(rails);
            events.push(event);
        } else {
            events.push(event);
            events.extend(rails);
        }
        if let (true, Some(sources)) = (is_first, sources) {
            events.push(EvidenceSources { sources: sources.clone() }.into());
        }
    }
    TestRun::of(&plan, &kit::recorded(events))
}

/// What templates know of such a run.
pub(super) fn facts() -> serde_json::Value {
    let (record, gathered) = gathered(&run(Some(&kit::sources()), true));
    render::facts(&record, &gathered).unwrap().data().clone()
}

/// A section of the report, from its heading to the next.
fn section(run: &TestRun, form: Form, from: &str, to: &str) -> String {
    let workspace = tempfile::tempdir().unwrap();
    let text = rendered(run, workspace.path(), form).unwrap();
    assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'), "{text}");
    let Some((_, text)) = text.split_once(from) else { return String::new() };
    text.split_once(to).unwrap().0.to_owned()
}

fn markdown(run: &TestRun) -> String {
    section(run, Form::Markdown, "## Evidence from the hardware\n", "\n## ")
}

#[test]
fn what_was_seen_stands_in_the_report() {
    let run = run(Some(&kit::sources()), true);
    insta::assert_snapshot!(markdown(&run), @r"
    | Source | Here | Detail |
    |---|---|---|
    | edac\_ce | available |  |
    | energy | denied | /sys/class/powercap: permission denied |
    | frequency | available |  |
    | kernel\_log | available |  |
    | temperature | available |  |
    | throttle | absent | no thermal\_throttle |

    - Along the run, hottest sensor: 61.2 C to 93.5 C
    - Along the run, corrected errors: 0 to 3
    - Along the run, mean clock: 3150 MHz to 3150 MHz

    | Sub-run | Point | # | Step | Outcome | What was seen |
    |---|---|---:|---|---|---|
    | s01 | core 3GHz 999mV | 1 | cpu-smoke | X fail | edac\_ce +3 mc0/dimm2; kernel\_log 1 corrected, 1 other; throttle +5 cpu0 2, cpu1 3; EDAC MC0: 1 CE; usb\\u{202e} gone |

    What came after the step and its lag, by the sub-run in which it was seen last that nothing had come:

    - Late, s01, at 1970-01-01T00:00:31.000Z: edac\_ce +3 mc0/dimm2; kernel\_log 1 corrected, 1 other; throttle +5 cpu0 2, cpu1 3; EDAC MC0: 1 CE; usb\\u{202e} gone
    ");
    insta::assert_snapshot!(section(&run, Form::Markdown, "## Rails as read\n", "\n## "), @r"
    | Not held | Rail | Setpoint | Readback | Why |
    |---|---|---:|---:|---|
    | s01 | core | 999mV 3GHz | 998mV 3GHz | voltage reads 998mV\\u{1b} where 999mV was set |

    | Brought home | Rail | By | Read afterwards |
    |---|---|---|---|
    | s01 | core | the runner | **NOT RESTORED**: exit code 1 |
    | s01 | core | the guardian, after the runner died | 1050mV 3GHz |

    | Held | Rail | Setpoint | Readback | Off by |
    |---|---|---:|---:|---:|
    | s00 | core | 1000mV 3GHz | 998mV 3.001GHz | -2mV +1MHz |
    | s01 | core | 999mV 3GHz | 998mV 3.001GHz | -1mV +1MHz |
    ");
    insta::assert_snapshot!(section(&run, Form::Html, "<h2 id=\"h-evidence\">", "</section>"), @r##"
    Evidence from the hardware</h2>
    <div class="grids">
    <figure class="plot"><figcaption>hottest sensor <span class="m soft">61.2 C .. 93.5 C</span></figcaption>
    <svg viewBox="0 0 400 40" preserveAspectRatio="none" role="img" aria-label="hottest sensor along the run, 61.2 C to 93.5 C"><path d="M50.0 37.0h.1L150.0 37.0M350.0 3.0h.1"/></svg></figure>
    <figure class="plot"><figcaption>corrected errors <span class="m soft">0 .. 3</span></figcaption>
    <svg viewBox="0 0 400 40" preserveAspectRatio="none" role="img" aria-label="corrected errors along the run, 0 to 3"><path d="M50.0 37.0h.1L150.0 37.0M350.0 3.0h.1"/></svg></figure>
    <figure class="plot"><figcaption>mean clock <span class="m soft">3150 MHz .. 3150 MHz</span></figcaption>
    <svg viewBox="0 0 400 40" preserveAspectRatio="none" role="img" aria-label="mean clock along the run, 3150 MHz to 3150 MHz"><path d="M50.0 37.0h.1L150.0 37.0L250.0 37.0L350.0 37.0"/></svg></figure>
    </div>
    <div class="scroll"><table>
    <thead><tr><th scope="col">sub-run</th><th scope="col">point</th><th scope="col" class="num">#</th><th scope="col">step</th><th scope="col">outcome</th><th scope="col">what was seen</th></tr></thead>
    <tbody>
    <tr><th scope="row" class="m"><a href="#subrun=s01&amp;view=executions">s01</a></th><td class="m">core 3GHz 999mV</td><td class="num">1</td><td class="m">cpu-smoke</td><td class="nowrap"><span class="g c-fail">X</span> fail</td><td class="m">edac_ce +3 mc0/dimm2<br>kernel_log 1 corrected, 1 other<br>throttle +5 cpu0 2, cpu1 3<br><span class="soft">EDAC MC0: 1 CE</span><br><span class="soft">usb\u{202e} gone</span></td></tr>
    </tbody>
    </table></div>

    <h3>Came late</h3>
    <p class="soft">After the step and its lag; told of the sub-run in which it was seen last that nothing had come.</p>
    <div class="scroll"><table>
    <thead><tr><th scope="col">sub-run</th><th scope="col">at</th><th scope="col">what was seen</th></tr></thead>
    <tbody>
    <tr><th scope="row" class="m"><a href="#subrun=s01">s01</a></th><td class="m">1970-01-01T00:00:31.000Z</td><td class="m">edac_ce +3 mc0/dimm2<br>kernel_log 1 corrected, 1 other<br>throttle +5 cpu0 2, cpu1 3<br><span class="soft">EDAC MC0: 1 CE</span><br><span class="soft">usb\u{202e} gone</span></td></tr>
    </tbody>
    </table></div>

    <h3>Sources</h3>
    <div class="scroll"><table>
    <thead><tr><th scope="col">source</th><th scope="col">here</th><th scope="col">detail</th></tr></thead>
    <tbody>
    <tr><th scope="row" class="m k">edac_ce</th><td>available</td><td class="m soft"></td></tr>
    <tr><th scope="row" class="m k">energy</th><td class="soft">denied</td><td class="m soft">/sys/class/powercap: permission denied</td></tr>
    <tr><th scope="row" class="m k">frequency</th><td>available</td><td class="m soft"></td></tr>
    <tr><th scope="row" class="m k">kernel_log</th><td>available</td><td class="m soft"></td></tr>
    <tr><th scope="row" class="m k">temperature</th><td>available</td><td class="m soft"></td></tr>
    <tr><th scope="row" class="m k">throttle</th><td class="soft">absent</td><td class="m soft">no thermal_throttle</td></tr>
    </tbody>
    </table></div>
    "##);
    insta::assert_snapshot!(section(&run, Form::Html, "<h2 id=\"h-rails\">", "</section>"), @r##"
    Rails as read</h2>
    <div class="scroll"><table>
    <thead><tr><th scope="col">not held</th><th scope="col">rail</th><th scope="col" class="num">setpoint</th><th scope="col" class="num">readback</th><th scope="col">why</th></tr></thead>
    <tbody>
    <tr><th scope="row" class="m"><a href="#subrun=s01">s01</a></th><td class="m k">core</td><td class="num">999mV 3GHz</td><td class="num">998mV 3GHz</td><td>voltage reads 998mV\u{1b} where 999mV was set</td></tr>
    </tbody>
    </table></div>

    <div class="scroll"><table>
    <thead><tr><th scope="col">brought home</th><th scope="col">rail</th><th scope="col">by</th><th scope="col">read afterwards</th></tr></thead>
    <tbody>
    <tr><th scope="row" class="m"><a href="#subrun=s01">s01</a></th><td class="m k">core</td><td>the runner</td><td class="m"><span class="tag">NOT RESTORED</span> exit code 1</td></tr>
    <tr><th scope="row" class="m"><a href="#subrun=s01">s01</a></th><td class="m k">core</td><td>the guardian, after the runner died</td><td class="m">1050mV 3GHz</td></tr>
    </tbody>
    </table></div>

    <div class="scroll"><table>
    <thead><tr><th scope="col">held</th><th scope="col">rail</th><th scope="col" class="num">setpoint</th><th scope="col" class="num">readback</th><th scope="col" class="num">off by</th></tr></thead>
    <tbody>
    <tr><th scope="row" class="m"><a href="#subrun=s00">s00</a></th><td class="m k">core</td><td class="num">1000mV 3GHz</td><td class="num">998mV 3.001GHz</td><td class="num">-2mV +1MHz</td></tr>
    <tr><th scope="row" class="m"><a href="#subrun=s01">s01</a></th><td class="m k">core</td><td class="num">999mV 3GHz</td><td class="num">998mV 3.001GHz</td><td class="num">-1mV +1MHz</td></tr>
    </tbody>
    </table></div>
    "##);
    let html = section(&run, Form::Html, "<html", "</html>");
    assert!(html.contains("<dt>hardware</dt><dd class=\"m\">edac_ce +3 mc0/dimm2; "));
}

#[test]
fn without_any_source_one_line_says_so() {
    assert_eq!(
        markdown(&run(Some(&kit::no_sources()), false)),
        "\nNo source of evidence on this host: nothing was checked.\n"
    );
    let html = section(&run(Some(&kit::no_sources()), false), Form::Html, "<h2 id=\"h-evidence\">", "</section>");
    assert_eq!(html.lines().count(), 2, "{html}");
}

#[test]
fn a_record_that_names_no_source_has_nothing_of_it() {
    let run = run(None, false);
    for form in Form::ALL {
        let workspace = tempfile::tempdir().unwrap();
        let text = rendered(&run, workspace.path(), form).unwrap();
        assert!(!text.contains("vidence from the hardware") && !text.contains("Rails as read"), "{text}");
    }
    let columns = Columns::of(&run.state.plan.experiment).observing(&Record::open(run.entry()).sources());
    assert_eq!(columns, Columns::of(&run.state.plan.experiment));
}

#[test]
fn every_source_that_the_run_names_has_a_column_and_not_checked_is_no_zero() {
    let run = run(Some(&kit::sources()), false);
    let record = Record::open(run.entry());
    let columns = Columns::of(&record.plan.experiment).observing(&record.sources());
    let titles = columns.titles();
    let wanted = |title: &String| title.starts_with("evidence.") || title == "index" || title == "subrun_index";
    let text = rows(&record, &columns, RowForm::Csv);
    let kept: Vec<String> = text
        .lines()
        .map(|line| {
            let cells = line.split(',').zip(&titles).filter(|(_, title)| wanted(title));
            cells.map(|(cell, _)| cell).collect::<Vec<_>>().join(",")
        })
        .collect();
    insta::assert_snapshot!(kept.join("\n"), @r"
    subrun_index,index,evidence.edac_ce,evidence.energy,evidence.frequency,evidence.kernel_log,evidence.temperature,evidence.throttle
    0,0,0,not checked,3200000,0,61250,not checked
    0,1,0,not checked,3200000,0,61250,not checked
    1,0,not checked,not checked,3200000,0,not checked,not checked
    1,1,3,not checked,3200000,2,93500,5
    ");
    let json: Vec<serde_json::Value> = serde_json::from_str(&rows(&record, &columns, RowForm::Json)).unwrap();
    assert_eq!((&json[3]["evidence.edac_ce"], &json[3]["evidence.energy"]), (&3.into(), &"not checked".into()));
}
