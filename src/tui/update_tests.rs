//! (state, keys, state) for every action of the table, in a preview, a past run and a live one: what changed, what is
//! asked for, or why it may not act.

use std::fmt::Write as _;

use super::*;
use crate::tui::actions::{Pane, TABLE};
use crate::tui::dialogs::Dialog;
use crate::tui::testing::{live, past, press, previewed, send, with_runs};

const SIZE: (u16, u16) = (120, 36);

/// What can be seen to change, a fact each.
fn facts(model: &Model) -> Vec<String> {
    let mut facts = vec![format!("focus {}", model.focus.title()), format!("zoom {}", model.zoom)];
    facts.push(match &model.dialog {
        None => "no dialog".to_owned(),
        Some(Dialog::Confirm(_)) => "dialog confirm".to_owned(),
        Some(Dialog::Stop(_)) => "dialog stop".to_owned(),
        Some(Dialog::Leave(_)) => "dialog leave".to_owned(),
        Some(Dialog::Unit(_)) => "dialog unit".to_owned(),
        Some(Dialog::Find(_)) => "dialog find".to_owned(),
        Some(Dialog::Theme(_)) => "dialog theme".to_owned(),
        Some(Dialog::Axes(_)) => "dialog axes".to_owned(),
        Some(Dialog::Text(_)) => "dialog text".to_owned(),
    });
    facts.push(format!("flow {}", model.flow_at.at));
    facts.push(format!("margin {}", model.margin_at.at));
    facts.push(format!("run {}", model.run_at.at));
    facts.push(format!("cell {},{}", model.board.row, model.board.column));
    facts.push(format!("step {}", model.step_at.at));
    facts.push(format!("following {}", model.board.following));
    facts.push(format!("step follows {}", model.step_follows));
    facts.push(format!("view {:?}", model.board.view));
    facts.push(format!("cells marked {:?}", model.board.marks));
    facts.push(format!("runs marked {:?}", model.run_marks));
    facts.push(format!("range {:?} {:?}", model.run_range, model.board.range));
    facts.push(format!("prompt {:?}", model.prompt.as_ref().map(|prompt| prompt.asks)));
    facts.push(format!("waiting {:?}", model.waiting.map(|(_, what)| what)));
    facts.push(format!("mouse {}", model.mouse));
    facts.push(format!("exit {:?}", model.exit));
    facts.push(format!("says {}", model.notice.as_ref().map_or("nothing", |notice| &notice.text)));
    facts
}

/// The name of an effect.
fn name(effect: &Effect) -> String {
    let text = format!("{effect:?}");
    text.split(['(', ' ', '{']).next().unwrap_or_default().to_owned()
}

/// What a key does: facts that were none before, and what is asked for.
fn change(model: &mut Model, keys: &str) -> String {
    let before = facts(model);
    let effects = press(model, keys);
    let mut said: Vec<String> = facts(model).into_iter().filter(|fact| !before.contains(fact)).collect();
    said.extend(effects.iter().map(name).filter(|name| name != "Log").map(|name| format!("asks {name}")));
    if said.is_empty() { "nothing".to_owned() } else { said.join("; ") }
}

fn starts() -> [(&'static str, Model); 3] {
    let mut all = [("preview", previewed(SIZE, &[])), ("past", past(SIZE)), ("live", live(SIZE))];
    for (_, model) in &mut all {
        with_runs(model);
        model.notice = None;
    }
    all
}

#[test]
fn every_action_in_every_state() {
    let mut out = String::new();
    for row in TABLE {
        let pane = Pane::ALL.into_iter().find(|pane| row.places & pane.place() != 0).unwrap();
        writeln!(out, "{} {} in {}", row.keys[0], row.name, pane.title()).unwrap();
        for (start, mut model) in starts() {
            model.focus = pane;
            drop(send(&mut model, Msg::Tick));
            writeln!(out, "  {start:<8} {}", change(&mut model, row.keys[0])).unwrap();
        }
    }
    insta::assert_snapshot!(out, @r#"
    1 pane-flows in Flows
      preview  nothing
      past     nothing
      live     nothing
    2 pane-margins in Flows
      preview  focus Margins
      past     focus Margins
      live     focus Margins
    3 pane-runs in Flows
      preview  focus Runs; asks Drift
      past     focus Runs; asks Drift
      live     focus Runs; asks Drift
    4 pane-shmoo in Flows
      preview  focus Shmoo
      past     focus Shmoo
      live     focus Shmoo
    5 pane-steps in Flows
      preview  focus Steps
      past     focus Steps
      live     focus Steps
    6 pane-log in Flows
      preview  focus Log
      past     focus Log
      live     focus Log
    7 pane-telemetry in Flows
      preview  focus Telemetry; asks Sample
      past     focus Telemetry; asks Sample
      live     focus Telemetry; asks Sample
    Tab next-pane in Flows
      preview  focus Margins
      past     focus Margins
      live     focus Margins
    S-Tab previous-pane in Flows
      preview  focus Log
      past     focus Log
      live     focus Log
    j down in Flows
      preview  flow 1
      past     flow 1
      live     flow 1
    k up in Flows
      preview  nothing
      past     nothing
      live     nothing
    h left in Shmoo
      preview  nothing
      past     cell 0,1; step 1
      live     cell 3,0; following false
    l right in Shmoo
      preview  cell 3,1
      past     nothing
      live     cell 3,2; step 0; following false
    g first in Flows
      preview  nothing
      past     nothing
      live     nothing
    G last in Flows
      preview  flow 1
      past     flow 1
      live     flow 1
    ctrl-d page-down in Flows
      preview  flow 1
      past     flow 1
      live     flow 1
    ctrl-u page-up in Flows
      preview  nothing
      past     nothing
      live     nothing
    Enter open in Flows
      preview  asks Preview
      past     asks Preview
      live     asks Preview
    S start in Flows
      preview  waiting Some("looking at the limits"); asks Propose
      past     says this is what S starts: once more asks for the limits; asks Preview
      live     says start: a run is going on: x stops it
    u unit in Flows
      preview  dialog unit
      past     dialog unit
      live     dialog unit
    p plan in Flows
      preview  asks WritePlan
      past     says plan: a run is open: S or Enter previews what is chosen
      live     says plan: a run is open: S or Enter previews what is chosen
    D dry-run in Flows
      preview  asks DryRun
      past     says dry-run: a run is open: S or Enter previews what is chosen
      live     says dry-run: a run is open: S or Enter previews what is chosen
    e edit in Flows
      preview  asks Edit
      past     asks Edit
      live     asks Edit
    r rerun in Runs
      preview  waiting Some("looking at the limits"); asks Propose
      past     waiting Some("looking at the limits"); asks Propose
      live     says rerun: a run is going on: x stops it
    R rerun-failed in Runs
      preview  says rerun-failed: nothing in it failed, timed out, was inconclusive or in error
      past     says rerun-failed: nothing in it failed, timed out, was inconclusive or in error
      live     says rerun-failed: a run is going on: x stops it
    c resume in Runs
      preview  says resume: only an interrupted run can be resumed
      past     says resume: only an interrupted run can be resumed
      live     says resume: only an interrupted run can be resumed
    d compare in Runs
      preview  says compare: mark another run with Space, or open one
      past     says compare: mark another run with Space, or open one
      live     says compare: mark another run with Space, or open one
    o report in Runs
      preview  asks Report
      past     asks Report
      live     asks Report
    E export in Runs
      preview  asks Export
      past     asks Export
      live     asks Export
    / search in Flows
      preview  prompt Some(Find(Flows))
      past     prompt Some(Find(Flows))
      live     prompt Some(Find(Flows))
    n next-hit in Flows
      preview  says next-hit: nothing was searched for: / does
      past     says next-hit: nothing was searched for: / does
      live     says next-hit: nothing was searched for: / does
    N previous-hit in Flows
      preview  says previous-hit: nothing was searched for: / does
      past     says previous-hit: nothing was searched for: / does
      live     says previous-hit: nothing was searched for: / does
    Space mark in Runs
      preview  runs marked {"rr-20250101T010101Z-abc123"}
      past     runs marked {"rr-20250101T010101Z-abc123"}
      live     runs marked {"rr-20250101T010101Z-abc123"}
    v range in Runs
      preview  range Some(0) None
      past     range Some(0) None
      live     range Some(0) None
    } next-failure in Shmoo
      preview  says every cell that was measured is a pass
      past     cell 0,0; step 1
      live     says every cell that was measured is a pass
    { previous-failure in Shmoo
      preview  says every cell that was measured is a pass
      past     cell 0,1; step 1
      live     says every cell that was measured is a pass
    ] next-slice in Shmoo
      preview  says next-slice: no axis is hidden here
      past     says next-slice: no axis is hidden here
      live     says next-slice: no axis is hidden here
    [ previous-slice in Shmoo
      preview  says previous-slice: no axis is hidden here
      past     says previous-slice: no axis is hidden here
      live     says previous-slice: no axis is hidden here
    X axes in Shmoo
      preview  dialog axes
      past     dialog axes
      live     dialog axes
    a aggregate in Shmoo
      preview  says aggregate: no axis is hidden here
      past     says aggregate: no axis is hidden here
      live     says aggregate: no axis is hidden here
    f follow in Shmoo
      preview  says follow: nothing is going on here
      past     says follow: nothing is going on here
      live     nothing
    w wrap in Log
      preview  nothing
      past     nothing
      live     nothing
    t time in Log
      preview  nothing
      past     nothing
      live     nothing
    s streams in Log
      preview  nothing
      past     nothing
      live     nothing
    & filter in Log
      preview  prompt Some(LogFilter)
      past     prompt Some(LogFilter)
      live     prompt Some(LogFilter)
    ]e next-stderr in Log
      preview  nothing
      past     nothing
      live     nothing
    [e previous-stderr in Log
      preview  nothing
      past     nothing
      live     nothing
    y yank in Flows
      preview  says copied /ws/flows/cpu_smoke.yaml; asks Yank
      past     says copied /ws/flows/cpu_smoke.yaml; asks Yank
      live     says copied /ws/flows/cpu_smoke.yaml; asks Yank
    x stop in Flows
      preview  says stop: no run is going on
      past     says stop: no run is going on
      live     dialog stop
    z zoom in Flows
      preview  zoom true
      past     zoom true
      live     zoom true
    : palette in Flows
      preview  dialog find
      past     dialog find
      live     dialog find
    ? help in Flows
      preview  dialog find
      past     dialog find
      live     dialog find
    T theme in Flows
      preview  dialog theme
      past     dialog theme
      live     dialog theme
    Y copy-command in Flows
      preview  says copied road_runner run --flow flows/cpu_smoke.yaml --margin margins/vcore_sweep.yaml --seed 20250101; asks Yank
      past     says copied road_runner runs show rr-20250101T010101Z-abc123; asks Yank
      live     says copied road_runner runs follow rr-20250101T010101Z-abc123; asks Yank
    Esc back in Flows
      preview  nothing
      past     nothing
      live     nothing
    M mouse in Flows
      preview  mouse false; says the mouse is the terminal's; asks Mouse
      past     mouse false; says the mouse is the terminal's; asks Mouse
      live     mouse false; says the mouse is the terminal's; asks Mouse
    ctrl-l redraw in Flows
      preview  asks Redraw
      past     asks Redraw
      live     asks Redraw
    ctrl-z suspend in Flows
      preview  asks Suspend
      past     asks Suspend
      live     asks Suspend
    q quit in Flows
      preview  exit Some(Left)
      past     exit Some(Left)
      live     dialog leave
    "#);
}

/// Presses keys one after the other and tells each change.
fn check(mut model: Model, focus: Pane, keys: &[&str]) -> String {
    with_runs(&mut model);
    model.focus = focus;
    drop(send(&mut model, Msg::Tick));
    keys.iter().map(|key| format!("{key}: {}\n", change(&mut model, key))).collect()
}

#[test]
fn the_cursor_of_the_shmoo_shows_that_sub_run() {
    insta::assert_snapshot!(check(past(SIZE), Pane::Shmoo, &["{", "}", "j", "l", "G", "g", "ctrl-d", "Enter"]), @r"
    {: cell 0,1; step 1
    }: cell 0,2; step 0
    j: nothing
    l: nothing
    G: nothing
    g: cell 0,0; step 1
    ctrl-d: nothing
    Enter: focus Steps
    ");
}

#[test]
fn cells_are_marked_and_run_again() {
    insta::assert_snapshot!(check(past(SIZE), Pane::Shmoo, &["Space", "v", "j", "v", "Esc", "R"]), @r#"
    Space: cells marked {11}
    v: range None Some((0, 2))
    j: nothing
    v: range None None
    Esc: cells marked {}
    R: waiting Some("looking at the limits"); asks Propose
    "#);
}

#[test]
fn runs_are_filtered_marked_and_compared() {
    insta::assert_snapshot!(check(previewed(SIZE, &[]), Pane::Runs, &["Space", "j", "d", "v", "G", "v", "Esc", "/", "f", "a", "i", "l", "Enter", "Esc"]), @r#"
    Space: runs marked {"rr-20250101T010101Z-abc123"}
    j: run 1; asks Drift
    d: asks Compare
    v: range Some(1) None
    G: run 2; asks Drift
    v: runs marked {"rr-20241122T120000Z-77ab02", "rr-20241231T230000Z-9f3c1e", "rr-20250101T010101Z-abc123"}; range None None
    Esc: runs marked {}
    /: prompt Some(Runs)
    f: nothing
    a: run 0; asks Drift
    i: nothing
    l: nothing
    Enter: prompt None
    Esc: run 1
    "#);
}

#[test]
fn an_interrupted_run_says_that_it_cannot_be_resumed_yet() {
    insta::assert_snapshot!(check(previewed(SIZE, &[]), Pane::Runs, &["c", "G", "c"]), @r"
    c: says resume: only an interrupted run can be resumed
    G: run 2; says nothing; asks Drift
    c: says resume: resume does not exist yet: r runs the whole plan again
    ");
}

#[test]
fn what_lies_outside_is_refused_with_a_dialog_and_never_proposed() {
    insta::assert_snapshot!(check(previewed(SIZE, &[3]), Pane::Flows, &["S", "Esc", "p", "D"]), @r"
    S: dialog text
    Esc: no dialog
    p: says plan: the plan cannot be started: S says why
    D: says dry-run: the plan cannot be started: S says why
    ");
}

#[test]
fn stopping_begins_on_keeping_and_goes_on_to_graver_ways() {
    insta::assert_snapshot!(check(live(SIZE), Pane::Shmoo, &["x", "Enter", "x", "Tab", "Enter", "ctrl-c", "ctrl-c", "ctrl-c", "Esc"]), @r"
    x: dialog stop
    Enter: no dialog
    x: dialog stop
    Tab: nothing
    Enter: no dialog; says asked to stop after this step; asks Stop
    ctrl-c: dialog stop; says nothing
    ctrl-c: says asked to stop now; asks Stop
    ctrl-c: says asked to kill; asks Stop
    Esc: no dialog
    ");
}

#[test]
fn leaving_a_live_run_says_so_first() {
    insta::assert_snapshot!(check(live(SIZE), Pane::Log, &["q", "Esc", "q", "q"]), @r"
    q: dialog leave
    Esc: no dialog
    q: dialog leave
    q: exit Some(Left)
    ");
}

#[test]
fn palette_and_help_run_what_they_find_where_it_works() {
    insta::assert_snapshot!(check(past(SIZE), Pane::Flows, &[":", "z", "o", "o", "m", "Enter", "?", "w", "r", "a", "p", "Enter"]), @r"
    :: dialog find
    z: nothing
    o: nothing
    o: nothing
    m: nothing
    Enter: zoom true; no dialog
    ?: dialog find
    w: nothing
    r: nothing
    a: nothing
    p: nothing
    Enter: focus Log; no dialog
    ");
}

#[test]
fn keys_that_mean_nothing_here_say_where_they_do() {
    insta::assert_snapshot!(check(previewed(SIZE, &[]), Pane::Flows, &["}", "]", "w", "Q"]), @r"
    }: says next-failure works in Shmoo
    ]: says next-slice works in Shmoo
    w: says wrap works in Log
    Q: says nothing
    ");
}

#[test]
fn a_number_goes_to_a_pane_and_tab_through_those_that_are_seen() {
    insta::assert_snapshot!(check(previewed(SIZE, &[]), Pane::Flows, &["4", "6", "7", "Tab", "S-Tab", "Tab", "Tab"]), @r"
    4: focus Shmoo
    6: focus Log
    7: focus Telemetry; asks Sample
    Tab: focus Flows; asks Sample
    S-Tab: focus Log
    Tab: focus Flows
    Tab: focus Margins
    ");
}
