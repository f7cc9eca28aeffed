//! Rails in the run's rules: what is read, recorded and written in which order, and the way home from every place.

use super::*;
use crate::domain::event::RailLevel;
use crate::domain::plan::Executable;
use crate::domain::policy::Interval;
use crate::domain::rails::{Levels, PlannedController};
use crate::domain::verdict::exit;

const NOMINAL: RailLevel = RailLevel { voltage_uv: Some(1_050_000), frequency_khz: Some(3_000_000) };

/// The sub-runs of [`super::bench`], with a controller on rail core.
fn railed(voltages: u32) -> Bench {
    bench(voltages, false, None, arm)
}

fn arm(plan: &mut Plan) {
    let texts = |list: &[&str]| list.iter().map(ToString::to_string).collect();
    let controller = PlannedController {
        executable: Executable { path: "/bin/true".to_owned(), sha256: String::new() },
        rails: vec![name("core")],
        apply: texts(&["{voltage_uv}", "{frequency_khz}"]),
        read: vec![],
        restore: vec![],
        voltage_tolerance_uv: 1_000,
        frequency_tolerance_khz: 0,
        max_step_uv: None,
        settle_ms: Millis(0),
        timeout_ms: Millis(1000),
    };
    plan.experiment.controllers.insert(name("regulator"), controller);
}

fn core(level: RailLevel) -> Levels {
    Levels::from([(name("core"), level)])
}

impl Bench {
    /// Where core was told to be last.
    fn told(&self) -> Levels {
        self.dispatcher.rails.setpoints().clone()
    }

    fn rails_read(&mut self, level: RailLevel) -> String {
        self.hear(Input::RailsRead(Ok(core(level))))
    }

    fn reads_what_was_told(&mut self) -> String {
        let told = self.told();
        self.hear(Input::RailsRead(Ok(told)))
    }

    fn homes(&mut self) -> String {
        self.hear(Input::RailsHome([(name("core"), Ok(NOMINAL))].into()))
    }

    /// Up to rail core being at home and read.
    fn at_home(&mut self) -> String {
        self.hear(Input::Begin);
        self.hear(Input::Entered);
        self.rails_read(NOMINAL)
    }

    /// Up to the first step's process, core at its setpoint.
    fn held(&mut self) {
        self.at_home();
        let told = self.told();
        self.hear(Input::RailsMoved(Ok(told)));
        self.spawned();
    }

    /// Both steps pass; what that leads to.
    fn both_pass(&mut self) -> String {
        self.ends(Verdict::Pass);
        self.spawned();
        self.ends(Verdict::Pass)
    }
}

#[test]
fn rails_move_before_the_first_step_and_come_home_after_the_last() {
    let mut bench = railed(1);
    bench.held();
    bench.both_pass();
    bench.reads_what_was_told();
    bench.homes();
    insta::assert_snapshot!(bench.said, @r"
    +run_started +subrun_started sync open:0 +subrun_opened enter
    read
    keep:1 +rail_moving sync move:2
    +rail_held +started:a sync start:a
    +step_spawned
    judge
    +finished:a:pass +started:b sync start:b
    +step_spawned
    judge
    +finished:b:pass sync read
    +rail_held home
    +rail_restored are_home files +closed:pass sync close:0 +subrun_finished:0:pass +run_finished:completed:pass sync finish:0
    ");
}

#[test]
fn a_second_sub_run_reads_home_again() {
    let mut bench = railed(2);
    bench.held();
    bench.both_pass();
    bench.reads_what_was_told();
    assert!(bench.homes().ends_with("+subrun_opened enter"));
    assert_eq!(bench.hear(Input::Entered), "read");
    // Somebody moved it between the two: nothing is known of this rig any more.
    let elsewhere = RailLevel { voltage_uv: Some(1_000_000), ..NOMINAL };
    assert_eq!(bench.rails_read(elsewhere), "+cancelling:restore_failed leave");
    assert_eq!(bench.hear(Input::Left).rsplit(' ').next(), Some("finish:4"));
}

#[test]
fn a_rail_that_does_not_hold_is_no_failure_of_the_unit() {
    let mut bench = railed(1);
    bench.at_home();
    let off = RailLevel { voltage_uv: Some(1), ..NOMINAL };
    assert_eq!(bench.hear(Input::RailsMoved(Ok(core(off)))), "+rail_not_held home");
    let end = bench.homes();
    assert!(end.starts_with("+rail_restored are_home files +closed:inconclusive"), "{end}");
    let state = bench.dispatcher.state();
    assert!(state.sub_runs[0].says_nothing());
    let reason = state.sub_runs[0].reason.as_deref().unwrap();
    assert!(reason.starts_with("the point was not held: core "), "{reason}");
    assert_eq!(state.end, Some((Verdict::Inconclusive, exit::INCONCLUSIVE)));
}

#[test]
fn a_controller_that_fails_is_a_point_not_held() {
    let mut bench = railed(1);
    bench.at_home();
    let said = bench.hear(Input::RailsMoved(Err("controller regulator, apply: ended with exit code 1".to_owned())));
    assert_eq!(said, "+rail_not_held home");
    assert!(bench.homes().contains("+closed:inconclusive"));
    // One that cannot even be read has moved nothing.
    let mut bench = railed(1);
    bench.hear(Input::Begin);
    bench.hear(Input::Entered);
    assert_eq!(bench.hear(Input::RailsRead(Err("gone".to_owned()))), "+rail_not_held leave");
    assert!(bench.hear(Input::Left).contains("+closed:inconclusive"));
}

#[test]
fn a_rail_that_firmware_moved_during_the_steps_was_not_held() {
    let mut bench = railed(1);
    bench.held();
    assert!(bench.both_pass().ends_with("read"));
    let off = RailLevel { voltage_uv: Some(1), ..NOMINAL };
    assert_eq!(bench.rails_read(off), "+rail_not_held home");
    assert!(bench.homes().contains("+closed:inconclusive"));
}

#[test]
fn a_rail_outside_of_the_bounds_is_not_moved() {
    let mut bench = bench(1, false, None, |plan| {
        arm(plan);
        let core = plan.experiment.bounds.rails.get_mut(&name("core")).unwrap();
        core.get_mut(&RailField::Voltage).unwrap().is = Interval { min: 700_000, max: 1_040_000 };
    });
    assert_eq!(bench.at_home(), "+cancelling:safety_violation leave");
    assert_eq!(bench.hear(Input::Left).rsplit(' ').next(), Some("finish:3"));
    assert!(!bench.said.contains("move:"));
}

#[test]
fn rails_that_do_not_come_home_stop_the_run() {
    let mut bench = railed(2);
    bench.held();
    bench.both_pass();
    bench.reads_what_was_told();
    let said = bench.hear(Input::RailsHome([(name("core"), Err("stays at 850mV".to_owned()))].into()));
    assert_eq!(
        said,
        "+rail_not_restored +cancelling:restore_failed files +closed:error sync close:0 +subrun_finished:0:error \
         +run_finished:completed:error sync finish:4"
    );
}

#[test]
fn a_second_interrupt_goes_home_without_another_look() {
    let mut bench = railed(1);
    bench.held();
    assert_eq!(bench.hear(Input::Interrupt), "TERM +cancelling:interrupt");
    assert_eq!(bench.hear(Input::Interrupt), "KILL +cancelling:kill");
    assert_eq!(bench.hear(Input::LeaderEnded { left: 0 }), "judge");
    assert!(bench.judged(Verdict::Aborted).ends_with("home"));
}

#[test]
fn a_run_that_is_stopped_before_rails_move_moves_none() {
    let mut bench = railed(1);
    bench.hear(Input::Begin);
    bench.hear(Input::Entered);
    bench.hear(Input::Terminate);
    assert_eq!(bench.rails_read(NOMINAL), "leave");
}

#[test]
fn a_dry_run_moves_nothing() {
    let mut bench = bench(1, true, None, arm);
    let end = bench.hear(Input::Begin);
    assert!(bench.finish_from(end).starts_with("finish:"));
    for word in ["read", "move:", "home", "keep:"] {
        assert!(!bench.said.split_whitespace().any(|said| said.starts_with(word)), "{word}\n{}", bench.said);
    }
}

/// The record fails at every place of a run: what was moved goes home, what was not stays.
#[test]
fn a_record_that_fails_brings_rails_home_from_every_place() {
    for place in 1..=11 {
        let mut bench = railed(1);
        for step in 1..=place {
            match step {
                1 => bench.hear(Input::Begin),
                2 => bench.hear(Input::Entered),
                3 => bench.rails_read(NOMINAL),
                4 => {
                    let told = bench.told();
                    bench.hear(Input::RailsMoved(Ok(told)))
                }
                5 | 8 => bench.hear(Input::Spawned { pid: 1, start_ticks: None }),
                6 | 9 => bench.hear(Input::LeaderEnded { left: 0 }),
                7 | 10 => bench.judged(Verdict::Pass),
                _ => bench.reads_what_was_told(),
            };
        }
        let mut last = bench.hear(Input::RecordFailed("disk full".to_owned()));
        for _ in 0..10 {
            last = match last.split(' ').find(|word| !word.starts_with('+') && *word != "sync").unwrap_or_default() {
                "TERM" => bench.hear(Input::LeaderEnded { left: 0 }),
                "judge" => bench.judged(Verdict::Error),
                "read" => bench.reads_what_was_told(),
                "home" => bench.homes(),
                "leave" => bench.hear(Input::Left),
                _ => break,
            };
        }
        assert!(last.ends_with("finish:4"), "{place}: {last}\n{}", bench.said);
        let moved = bench.said.contains("move:");
        assert_eq!(moved, bench.said.contains("are_home"), "{place}\n{}", bench.said);
        assert!(!bench.dispatcher.rails.has_moved(), "{place}");
    }
}

#[test]
fn a_host_that_is_too_hot_goes_home_and_cools_down_before_the_next_sub_run() {
    let mut bench = railed(2);
    bench.held();
    assert_eq!(bench.hear(Input::TooHot("k10temp Tctl says 96C".to_owned())), "TERM");
    assert_eq!(bench.hear(Input::LeaderEnded { left: 0 }), "judge");
    // The other step of the sub-run is not begun.
    assert_eq!(bench.judged(Verdict::Inconclusive), "+finished:a:inconclusive sync read");
    bench.reads_what_was_told();
    let home = bench.homes();
    assert!(home.contains("+closed:inconclusive") && home.ends_with("cool"), "{home}");
    assert!(bench.hear(Input::Cooled(Ok(()))).ends_with("enter"));
    let reason = bench.dispatcher.state().sub_runs[0].reason.clone();
    assert_eq!(reason.as_deref(), Some("k10temp Tctl says 96C"));
}

#[test]
fn a_host_that_does_not_cool_down_ends_the_run() {
    let mut bench = plain(2);
    bench.running();
    bench.hear(Input::TooHot("hot".to_owned()));
    bench.hear(Input::LeaderEnded { left: 0 });
    assert_eq!(bench.judged(Verdict::Inconclusive), "+finished:a:inconclusive leave");
    assert!(bench.hear(Input::Left).ends_with("cool"));
    let end = bench.hear(Input::Cooled(Err("still hot".to_owned())));
    assert_eq!(end, "+cancelling:too_hot +run_finished:completed:inconclusive sync finish:6");
    // After the last sub-run nothing has to be waited for.
    let mut bench = plain(1);
    bench.running();
    bench.hear(Input::TooHot("hot".to_owned()));
    bench.hear(Input::LeaderEnded { left: 0 });
    bench.judged(Verdict::Inconclusive);
    assert!(bench.hear(Input::Left).ends_with("finish:6"));
}

#[test]
fn late_evidence_belongs_to_the_sub_run_that_was_watched_last() {
    use crate::domain::evidence::{Counted, Observation, Observed, SourceId};
    let counted = Counted { delta: 1, ..Counted::default() };
    let late = || Observed::from([(SourceId::EdacCe, Observation::Counted(counted.clone()))]);
    let mut bench = plain(2);
    bench.hear(Input::Begin);
    // Before the first step there is nothing that it could belong to.
    assert_eq!(bench.hear(Input::Late(late())), "");
    bench.hear(Input::Entered);
    bench.spawned();
    bench.ends(Verdict::Pass);
    assert_eq!(bench.hear(Input::Late(late())), "+evidence_late");
    bench.spawned();
    let last = bench.ends(Verdict::Pass);
    assert!(bench.finish_from(last).starts_with("finish:"));
    assert_eq!(bench.hear(Input::Late(late())), "", "the run is over");
}
