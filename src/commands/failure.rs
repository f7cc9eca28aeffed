//! Why a command did nothing or could not end well, and its exit code. Never rendered here.

use crate::domain::problem::Problem;
use crate::domain::verdict::exit;

/// Why a command did not do what was asked.
#[derive(Debug)]
pub enum Failure {
    /// Bad usage: something that was typed.
    Usage {
        /// What is wrong.
        message: String,
        /// What to do.
        hint: Option<String>,
    },
    /// Documents that cannot be used, each error with its place.
    Input(Vec<Problem>),
    /// The bounds refuse, or the limits were declined.
    Safety {
        /// What is refused.
        message: String,
        /// Values and bounds with their places.
        problems: Vec<Problem>,
        /// What to do.
        hint: Option<String>,
    },
    /// Artifacts could not be written or read, or the rig failed.
    Rig {
        /// What is wrong.
        message: String,
        /// What to do.
        hint: Option<String>,
    },
}

impl Failure {
    /// Bad usage with nothing more to say.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::Usage { message: message.into(), hint: None }
    }

    /// A rig failure with nothing more to say.
    pub fn rig(message: impl Into<String>) -> Self {
        Self::Rig { message: message.into(), hint: None }
    }

    /// A refusal with nothing more to say.
    pub fn safety(message: impl Into<String>) -> Self {
        Self::Safety { message: message.into(), problems: vec![], hint: None }
    }

    /// The same with what to do.
    #[must_use]
    pub fn hinted(mut self, text: impl Into<String>) -> Self {
        match &mut self {
            Self::Usage { hint, .. } | Self::Safety { hint, .. } | Self::Rig { hint, .. } => *hint = Some(text.into()),
            Self::Input(_) => {}
        }
        self
    }

    /// The documented exit code.
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Usage { .. } | Self::Input(_) => exit::USAGE,
            Self::Safety { .. } => exit::SAFETY,
            Self::Rig { .. } => exit::RIG,
        }
    }
}
