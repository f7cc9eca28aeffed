//! Why a command did nothing or could not end well, and its exit code. Never rendered here.

use crate::domain::verdict::exit;
use crate::input::problem::Problems;
use crate::input::source::Sources;

/// Why a command did not do what was asked.
#[derive(Debug)]
pub struct Failure {
    /// Which exit code it has.
    pub kind: Kind,
    /// What is wrong, a sentence fragment; may be empty where the problems say it all.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
    /// Errors with their places.
    pub problems: Problems,
    /// The texts that the places are in.
    pub sources: Sources,
}

/// What kind of failure it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Bad usage, or documents that cannot be used.
    Usage,
    /// The bounds refuse, or the limits were declined.
    Safety,
    /// Artifacts could not be written or read, or the rig failed.
    Rig,
}

impl Failure {
    fn new(kind: Kind, message: impl Into<String>) -> Self {
        let (problems, sources) = (Problems::default(), Sources::default());
        Self { kind, message: message.into(), hint: None, problems, sources }
    }

    /// Bad usage: something that was typed.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Kind::Usage, message)
    }

    /// A rig failure.
    pub fn rig(message: impl Into<String>) -> Self {
        Self::new(Kind::Rig, message)
    }

    /// A refusal.
    pub fn safety(message: impl Into<String>) -> Self {
        Self::new(Kind::Safety, message)
    }

    /// Documents that cannot be used.
    pub fn input(problems: Problems, sources: Sources) -> Self {
        Self { problems, sources, ..Self::new(Kind::Usage, "") }
    }

    /// The same with what to do.
    #[must_use]
    pub fn hinted(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same with errors and their places.
    #[must_use]
    pub fn with(mut self, problems: Problems, sources: Sources) -> Self {
        self.problems = problems;
        self.sources = sources;
        self
    }

    /// The documented exit code.
    pub const fn exit_code(&self) -> u8 {
        match self.kind {
            Kind::Usage => exit::USAGE,
            Kind::Safety => exit::SAFETY,
            Kind::Rig => exit::RIG,
        }
    }
}
