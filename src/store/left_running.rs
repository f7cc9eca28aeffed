//! Which process a dead runner may have left running: the leader of the step in flight, as its journal names it. A pid proves
//! nothing alone: it counts with its start time, and within its boot.

use super::journal::JournalTail;
use super::layout::RunDir;
use super::sub_run::begun_last;
use crate::domain::event::RunEvent;

/// The leader of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leader {
    /// Its process.
    pub pid: u32,
    /// When it started, in clock ticks since boot.
    pub start_ticks: u64,
    /// The boot that it was started in.
    pub boot_id: String,
}

/// The leader of the step that the journals of a run leave in flight. Nothing where there is none, where too little of it is
/// recorded to know it again, and where the journals cannot be read.
pub fn leader(dir: &RunDir) -> Option<Leader> {
    let steps = dir.subrun(&begun_last(dir).ok()??).ok()?.steps();
    let mut boot_id = None;
    let mut leader = None;
    let _ = JournalTail::new(&steps).poll(&mut |recorded| match recorded.event {
        RunEvent::StepStarted(event) => (boot_id, leader) = (event.boot_id, None),
        RunEvent::StepSpawned(event) => {
            leader = event.start_ticks.zip(boot_id.clone()).map(|(start_ticks, boot_id)| Leader {
                pid: event.pid,
                start_ticks,
                boot_id,
            });
        }
        RunEvent::StepFinished(_) => leader = None,
        _ => {}
    });
    leader
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::kit;
    use crate::domain::verdict::Verdict::{Fail, Pass};
    use crate::store::test_run::{TestRun, plan};

    /// The leader after so many events of a run, each of its steps told the boot it was started in.
    fn check(until: &str, nth: usize, expected: Option<u32>) {
        let mut events = kit::story(&plan(2, 2), &[vec![Pass, Fail], vec![Pass, Pass]]);
        for event in &mut events {
            if let RunEvent::StepStarted(event) = event {
                event.boot_id = Some("b".to_owned());
            }
        }
        let (at, _) = events.iter().enumerate().filter(|(_, event)| event.name() == until).nth(nth).unwrap();
        let run = TestRun::of(&plan(2, 2), &kit::recorded(events[..=at].to_vec()));
        let found = leader(&run.dir);
        assert_eq!(found, expected.map(|pid| Leader { pid, start_ticks: 5, boot_id: "b".to_owned() }), "{until} {nth}");
    }

    #[test]
    fn only_a_step_in_flight_has_one() {
        check("run_started", 0, None);
        check("subrun_started", 0, None);
        check("step_started", 0, None);
        check("step_spawned", 0, Some(100));
        check("step_finished", 0, None);
        check("step_started", 1, None);
        check("step_spawned", 3, Some(101));
        check("run_finished", 0, None);
    }
}
