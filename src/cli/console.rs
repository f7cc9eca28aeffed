//! Stdout and stderr of a command, and how they are to look. Decides nothing but colours.

use std::io::{BufWriter, IsTerminal as _, Stderr, Stdout};

use serde::Serialize;

use crate::cli::args::{ColorWhen, Global, OutputForm};
use crate::commands::failure::Failure;
use crate::domain::sanitize;
use crate::domain::verdict::exit;
use crate::headless::output::Output;
use crate::headless::problems;
use crate::headless::progress::Verbosity;
use crate::input::problem::Problems;
use crate::input::render;
use crate::input::source::Sources;
use crate::store::record::Damage;

/// The two streams.
pub struct Console {
    /// Results.
    pub out: Output<BufWriter<Stdout>>,
    /// Everything else.
    pub err: Output<Stderr>,
    /// For whom stdout is.
    pub form: OutputForm,
    /// How much is said.
    pub verbosity: Verbosity,
    /// The flags of every command, as typed.
    pub global: Global,
    colour: bool,
}

impl Console {
    /// As the flags say.
    pub fn new(global: &Global) -> Self {
        Self {
            out: Output::stdout(),
            err: Output::stderr(),
            form: global.output,
            global: global.clone(),
            verbosity: match (global.quiet, global.verbose) {
                (true, _) => Verbosity::Quiet,
                (false, true) => Verbosity::Verbose,
                (false, false) => Verbosity::Normal,
            },
            colour: match global.color {
                ColorWhen::Always => true,
                ColorWhen::Never => false,
                ColorWhen::Auto => {
                    let unwanted = |key: &str, off: fn(&str) -> bool| {
                        std::env::var_os(key).is_some_and(|value| off(&value.to_string_lossy()))
                    };
                    std::io::stderr().is_terminal()
                        && !unwanted("NO_COLOR", |value| !value.is_empty())
                        && !unwanted("TERM", |value| value == "dumb")
                }
            },
        }
    }

    /// A result: JSON for programs, else the text.
    pub fn result<T: Serialize + ?Sized>(&mut self, value: &T, text: impl FnOnce() -> String) {
        match self.form {
            OutputForm::Json => self.out.json(value),
            OutputForm::Human => self.out.text(&text()),
        }
    }

    /// Problems of files, after what stdout has to say.
    pub fn problems(&mut self, problems: &Problems, sources: &Sources) {
        self.out.flush();
        self.err.text(&render::render(problems, sources, self.colour));
    }

    /// A failure on stderr; its exit code.
    pub fn failure(&mut self, failure: &Failure) -> u8 {
        self.out.flush();
        self.err.text(&problems::failure(failure, self.colour));
        failure.exit_code()
    }

    /// An error that changes no exit code by itself.
    pub fn error(&mut self, message: &str) {
        self.out.flush();
        self.err.text(&problems::error(message, self.colour));
    }

    /// What is not as it should be in a record.
    pub fn damage(&mut self, damage: &[Damage]) {
        for damage in damage {
            self.error(&sanitize::escaped(&damage.to_string()));
        }
    }

    /// The exit code, once everything is written: results that could not be written are no success.
    pub fn finish(mut self, code: u8) -> u8 {
        match self.out.finish() {
            Ok(()) => code,
            Err(error) => {
                self.err.text(&problems::error(&format!("failed to write to stdout: {error}"), self.colour));
                if code == exit::PASS { exit::RIG } else { code }
            }
        }
    }
}
