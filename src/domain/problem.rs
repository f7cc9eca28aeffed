//! What is wrong with an input, where, and what would be right. Rendering is done elsewhere.

use crate::domain::place::Place;

/// One error or warning about an input document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What is wrong, a sentence fragment in lower case.
    pub message: String,
    /// Where.
    pub place: Place,
    /// A few words beside the caret; may be empty.
    pub label: String,
    /// What would be right, if it can be said.
    pub help: Option<String>,
    /// Other places that belong to it, such as the bound that a value exceeds.
    pub related: Vec<(Place, String)>,
    /// A warning refuses nothing.
    pub severity: Severity,
}

/// Whether a problem refuses the document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Said, and that is all.
    Warning,
    /// The document cannot be used.
    Error,
}

impl Problem {
    /// An error at `place`.
    pub fn error(place: Place, message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            place,
            label: String::new(),
            help: None,
            related: vec![],
            severity: Severity::Error,
        }
    }

    /// A warning at `place`.
    pub fn warning(place: Place, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(place, message) }
    }

    /// With a few words beside the caret.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// With what would be right.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// With another place that belongs to it.
    #[must_use]
    pub fn related(mut self, place: Place, label: impl Into<String>) -> Self {
        self.related.push((place, label.into()));
        self
    }
}
