//! (state, keys, state) for every action of the table, in a preview, a past run and a live one: what changed, what is
//! asked for, or why it may not act.

use std::fmt::Write as _;

use super::*;
use crate::domain::event::RunStatus;
use crate::domain::verdict::Verdict;
use crate::tui::actions::{Pane, TABLE};
use crate::tui::dialogs::Dialog;
use crate::tui::testing::{live, open, past, plan, press, previewed, run_line, send, state, with_runs};

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
    insta::assert_snapshot!("every_action_in_every_state", out);
}

/// Presses keys one after the other and tells each change.
fn check(mut model: Model, focus: Pane, keys: &[&str]) -> String {
    with_runs(&mut model);
    model.focus = focus;
    drop(send(&mut model, Msg::Tick));
    let mut out = String::new();
    for key in keys {
        writeln!(out, "{key}: {}", change(&mut model, key)).unwrap();
    }
    out
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
fn the_cursor_goes_to_the_run_that_was_started_and_stays_where_it_is_put() {
    let id = "rr-20250101T010101Z-abc123";
    let list = |model: &mut Model, ids: &[&str]| {
        let runs = ids.iter().map(|id| run_line(id, RunStatus::Completed, Some(Verdict::Pass))).collect();
        drop(send(model, Msg::Runs(runs)));
        model.selected_run().unwrap().id.clone()
    };
    let older = ["rr-20241231T230000Z-9f3c1e", "rr-20241122T120000Z-77ab02"];
    let all = [id, older[0], older[1]];
    // It is open before the list has it, and the list has it before it is open.
    let mut model = live(SIZE);
    assert_eq!(list(&mut model, &older), older[0]);
    assert_eq!(list(&mut model, &all), id);
    model.run_at.at = 2;
    assert_eq!(list(&mut model, &all), older[1]);
    let mut model = previewed(SIZE, &[]);
    assert_eq!(list(&mut model, &all), id);
    model.run_at.at = 1;
    assert_eq!(list(&mut model, &all), older[0]);
    open(&mut model, state(&plan(4, 3), &[vec![Verdict::Pass; 2]]), true);
    assert_eq!(model.selected_run().unwrap().id, id);
}

#[test]
fn only_an_interrupted_run_can_be_gone_on_with() {
    insta::assert_snapshot!(check(previewed(SIZE, &[]), Pane::Runs, &["c", "G", "c"]), @r#"
    c: says resume: only an interrupted run can be resumed
    G: run 2; says nothing; asks Drift
    c: waiting Some("looking at the limits"); asks Propose
    "#);
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
    Esc: no dialog; says nothing
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

#[test]
fn a_rerun_keeps_the_unit_of_its_run() {
    let check = |own: Option<&str>, expected: Option<&str>| {
        let mut model = previewed(SIZE, &[]);
        with_runs(&mut model);
        model.choice.unit = Some("SN1".to_owned());
        model.runs[0].unit = own.map(str::to_owned);
        model.focus = Pane::Runs;
        let asked = press(&mut model, "r").into_iter().find_map(|effect| match effect {
            Effect::Propose(_, order) => Some(order.unit),
            _ => None,
        });
        assert_eq!(asked.unwrap().as_deref(), expected, "{own:?}");
    };
    check(Some("SN2"), None);
    check(None, Some("SN1"));
}

#[test]
fn what_the_command_line_says_of_a_plan_without_a_seed_names_none() {
    let mut model = previewed(SIZE, &[]);
    if let Subject::Preview(previewed) = &mut model.subject {
        previewed.choice.seed = None;
        previewed.choice.unit = Some("1".to_owned());
    }
    let line = crate::tui::command_line::of(&model);
    assert_eq!(line, "road_runner run --flow flows/cpu_smoke.yaml --margin margins/vcore_sweep.yaml --unit 1");
}
