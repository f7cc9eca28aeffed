//! What the fold needs of a line in a sub-run's journal. Verdicts, effects and counts are made of this and of nothing else,
//! so that a record of a hundred thousand executions can be opened without decoding what it does not need.

use std::borrow::Cow;

use crate::domain::event::{Applied, RunEvent};
use crate::domain::verdict::{Effects, Verdict};

/// An event as the fold sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gist<'e> {
    /// A step is about to start.
    StepStarted {
        /// The execution.
        index: u32,
        /// What runs it.
        adapter: Cow<'e, str>,
        /// The fields of its rails that nobody moves, as `applied` names them.
        nobody: Vec<Cow<'e, str>>,
    },
    /// A step has ended.
    StepFinished {
        /// The execution.
        index: u32,
        /// How.
        verdict: Verdict,
        /// What was seen.
        effects: Cow<'e, Effects>,
        /// The diagnostic has ended by itself, with an exit code.
        spoke: bool,
    },
    /// A sub-run has its last line.
    SubrunClosed {
        /// How it ended.
        verdict: Verdict,
        /// Why it or part of it was not measured.
        reason: Option<Cow<'e, str>>,
        /// What was seen beside its steps.
        effects: Cow<'e, Effects>,
    },
    /// A rail was not where it was told to be.
    RailNotHeld,
    /// Anything that no verdict depends on.
    Nothing,
}

impl<'e> Gist<'e> {
    /// The gist of an event.
    pub fn of(event: &'e RunEvent) -> Self {
        match event {
            RunEvent::StepStarted(event) => {
                let unmoved = event.applied.iter().filter(|(_, by)| **by == Applied::None);
                Self::StepStarted {
                    index: event.index,
                    adapter: event.adapter.as_str().into(),
                    nobody: unmoved.map(|(field, _)| field.into()).collect(),
                }
            }
            RunEvent::StepFinished(event) => Self::StepFinished {
                index: event.index,
                verdict: event.verdict,
                effects: Cow::Borrowed(&event.effects),
                spoke: event.exit_code.is_some(),
            },
            RunEvent::SubrunClosed(event) => {
                let (reason, effects) = (event.reason.as_deref().map(Cow::from), Cow::Borrowed(&event.effects));
                Self::SubrunClosed { verdict: event.verdict, reason, effects }
            }
            RunEvent::RailNotHeld(_) => Self::RailNotHeld,
            _ => Self::Nothing,
        }
    }
}
