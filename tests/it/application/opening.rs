//! How it opens, how a flow and a margin are chosen, and what refuses to start.

use super::bench::Rig;

#[test]
fn the_first_frame_previews_the_default_pair() {
    let rig = Rig::new();
    for size in [(80, 24), (120, 36), (200, 60)] {
        let mut terminal = rig.open(&[], size);
        terminal.wait_taken();
        for wanted in
            ["1 Flows", "2 Margins", "3 Runs", "4 Shmoo", "5 Steps", "6 Log", ". planned 3", "3 points, 3 exec"]
        {
            terminal.wait_text(wanted);
        }
        // The flow that has a margin of its name.
        terminal.wait_text("▸ smoke");
        terminal.wait_text("no run yet");
        assert_eq!(terminal.shown().contains("7 Telemetry"), size.0 >= 160);
        if size.1 >= 30 {
            terminal.wait_text("= road_runner run --flow flows/smoke.yaml --margin margins/smoke.yaml --seed 7");
        }
        terminal.wait_text("bounds ok: S starts it");
        terminal.press("q");
        assert_eq!(terminal.left(), 0);
    }
    assert_eq!(rig.runs(), Vec::<String>::new());
}

#[test]
fn a_flow_and_a_margin_are_chosen_by_keys() {
    let rig = Rig::new();
    let mut terminal = rig.open(&[], (120, 36));
    terminal.wait_text("3 points, 3 executions");
    terminal.press("1g\r");
    terminal.wait_text("3 points, 6 executions");
    terminal.press("2/squ\r\r");
    terminal.wait_text("9 points, 18 executions");
    terminal.wait_text("core.voltage over core.frequency");
    terminal.wait_text("= road_runner run --flow flows/memory.yaml --margin margins/square.yaml --seed 7");
    terminal.press("q");
    assert_eq!(terminal.left(), 0);
}

#[test]
fn what_leaves_the_policy_is_shown_and_cannot_be_started() {
    let rig = Rig::new();
    let mut terminal = rig.open(&[], (120, 36));
    terminal.wait_text("3 points, 3 executions");
    terminal.press("2/bey\r\r");
    terminal.wait_text("1 outside the policy: S says why");
    terminal.wait_text("# outside 1");
    terminal.press("S");
    terminal.wait_text("Refused");
    for wanted in ["650mV", "700mV", "margins/beyond.yaml:4:", "policy/safety.yaml:3:"] {
        terminal.wait_text(wanted);
    }
    terminal.press("\x1b");
    terminal.wait_gone("Refused");
    terminal.press("q");
    assert_eq!(terminal.left(), 0);
    assert_eq!(rig.runs(), Vec::<String>::new());
}
