//! One sub-run of a record with its executions, for whoever looks at it: a journal of its own, so it takes a millisecond
//! however long the run is. Reads that journal and nothing else, also of a run that is going on. Never keeps what it read.

use super::StoreError;
use super::journal::JournalTail;
use super::layout::RunDir;
use super::record::{Damage, read_journal};
use crate::domain::event::RunEvent;
use crate::domain::run_state::{Execution, RunState, SubRunState};

/// The id of the sub-run that began last, as far as the run's own journal can be read.
pub(super) fn begun_last(dir: &RunDir) -> Result<Option<String>, StoreError> {
    let mut last = None;
    lenient(JournalTail::new(&dir.events()).poll(&mut |recorded| {
        if let RunEvent::SubrunStarted(event) = recorded.event {
            last = Some(event.id);
        }
    }))?;
    Ok(last)
}

/// That a journal is damaged ends the reading, and what was read before counts.
pub(super) fn lenient(read: Result<(), StoreError>) -> Result<(), StoreError> {
    match read {
        Err(StoreError::Line { .. }) => Ok(()),
        read => read,
    }
}

/// The executions of a sub-run, as far as its journal goes, and what is wrong with that. `state` is the run in `dir`, with or
/// without executions; of a sub-run that never began there are none.
pub fn executions(dir: &RunDir, state: &RunState, index: u32) -> (Vec<Execution>, Vec<Damage>) {
    let mut damage = vec![];
    let Some(known) = state.sub_runs.get(index as usize) else { return (vec![], damage) };
    let id = state.header.sub_run_id(state.plan.experiment.sub_runs(), index);
    let path = match dir.subrun(&id) {
        Ok(folder) => folder.steps(),
        Err(error) => return (vec![], vec![Damage::of(dir, &error)]),
    };
    // What was skipped as a whole has a verdict and no journal.
    let must = known.verdict.is_some() && known.started_at.is_some();
    let mut sub_run = SubRunState::default();
    read_journal(dir, &path, must, &mut damage, &mut |recorded| state.absorb_into(&mut sub_run, recorded));
    (sub_run.executions, damage)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;
    use crate::domain::verdict::Verdict::{Fail, Pass, Timeout};
    use crate::store::record::Record;
    use crate::store::test_run::{TestRun, plan};

    const STEPS: &str = "subruns/rr-20250101T010101Z-abc123-s01/steps.ldjson";

    /// What is wrong with the second sub-run after a change, and how many executions it has.
    fn check(change: impl FnOnce(&TestRun), expected: &[&str], count: usize) {
        let run = TestRun::write(&plan(2, 2), &[vec![Pass, Pass], vec![Pass, Fail], vec![Timeout], vec![]]);
        let open = Record::open(run.entry()).cells();
        change(&run);
        let (found, damage) = executions(&run.dir, &open.state, 1);
        assert_eq!(damage.iter().map(ToString::to_string).collect::<Vec<_>>(), expected);
        assert_eq!(found.len(), count);
    }

    #[test]
    fn executions_are_those_of_the_whole_fold() {
        let run = TestRun::write(&plan(2, 2), &[vec![Pass, Pass], vec![Pass, Fail], vec![Timeout], vec![]]);
        let record = Record::open(run.entry());
        let open = record.cells();
        let Ok(whole) = record.fold(|_, _| Ok::<(), Infallible>(()));
        for (index, sub_run) in (0..).zip(&whole.state.sub_runs) {
            let (found, damage) = executions(&run.dir, &open.state, index);
            assert_eq!((format!("{found:?}"), damage), (format!("{:?}", sub_run.executions), vec![]));
        }
        assert_eq!(executions(&run.dir, &open.state, 4).0.len(), 0);
    }

    #[test]
    fn what_is_wrong_with_the_journal_is_said() {
        let missing = format!("{STEPS}: No such file or directory");
        let broken = format!("{STEPS}:4: expected value at line 1 column 1");
        check(|_| (), &[], 2);
        check(|run| std::fs::remove_file(run.dir.root().join(STEPS)).unwrap(), &[&missing], 0);
        check(|run| run.edit(STEPS, |text| text.replacen("{\"event\":\"step_finished\"", "garbage", 1)), &[&broken], 1);
        // What a runner is writing has no newline yet.
        check(|run| run.edit(STEPS, |text| text[..text.len() / 2].to_owned()), &[], 1);
    }
}
