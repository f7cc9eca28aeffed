//! Templates: compiled in, or as the workspace's `templates/` has them, with every partial that they include. Whatever
//! could not be rendered is found here, with its line, before anything is: the engine has no limit of its own.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use handlebars::template::Template;

use super::template_check;
use crate::domain::place::Place;
use crate::domain::problem::Problem;
use crate::input::problem::{Problems, near_or_all, quote, whole_file};
use crate::input::samples::{SAMPLES, Sample};
use crate::input::source::{Source, Sources};

/// Partials within partials.
const DEPTH: usize = 16;
/// Partials in all.
const PARTIALS: usize = 64;

/// A form of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `report.md`.
    Markdown,
    /// `report.html`.
    Html,
}

impl Form {
    /// Both, in the order in which they are written.
    pub const ALL: [Self; 2] = [Self::Markdown, Self::Html];

    /// The template's name.
    pub const fn template(self) -> &'static str {
        match self {
            Self::Markdown => "report.md",
            Self::Html => "report.html",
        }
    }
}

/// A template and all that it includes, checked.
#[derive(Debug, Clone)]
pub struct Templates {
    /// Which.
    pub form: Form,
    /// By name as `{{> name}}` has it; each knows the file that it is of.
    pub by_name: BTreeMap<String, Template>,
    /// Their texts.
    pub sources: Sources,
}

/// What is wrong with a template, and the texts to show it in.
#[derive(Debug, Clone)]
pub struct BadTemplate {
    /// Errors with their places.
    pub problems: Problems,
    /// The texts.
    pub sources: Sources,
}

impl BadTemplate {
    /// With one problem.
    pub fn new(problem: Problem, sources: &Sources) -> Self {
        Self { problems: problem.into(), sources: sources.clone() }
    }
}

impl Templates {
    /// Whether every template of the workspace is as we ship it; then none has to be looked at.
    pub fn are_ours(workspace: &Path) -> bool {
        let ours = |sample: &Sample| match fs::read(workspace.join(sample.path)) {
            Ok(text) => text == sample.content,
            Err(error) => error.kind() == std::io::ErrorKind::NotFound,
        };
        SAMPLES.iter().filter(|sample| sample.path.starts_with("templates/")).all(ours)
    }

    /// The template of a form with its partials, from the workspace where it has them, else as compiled in.
    pub fn load(workspace: &Path, form: Form) -> Result<Self, BadTemplate> {
        let mut loader = Loader {
            folder: workspace.join("templates"),
            by_name: BTreeMap::new(),
            sources: Sources::default(),
            problems: Problems::default(),
        };
        loader.load(form.template(), None, &mut vec![]);
        let Loader { by_name, sources, problems, .. } = loader;
        if problems.has_errors() { Err(BadTemplate { problems, sources }) } else { Ok(Self { form, by_name, sources }) }
    }
}

struct Loader {
    folder: PathBuf,
    by_name: BTreeMap<String, Template>,
    sources: Sources,
    problems: Problems,
}

impl Loader {
    /// Loads a template that is included at `at`, within `chain`: each name with where it is included.
    fn load(&mut self, name: &str, at: Option<&Place>, chain: &mut Vec<(String, Place)>) {
        let shown: Arc<str> = format!("templates/{name}.hbs").into();
        let here = at.cloned().unwrap_or_else(|| whole_file(&shown));
        if let Some(first) = chain.iter().position(|(other, _)| other == name) {
            let mut problem = Problem::error(here, format!("{} includes itself", quote(name)))
                .label("and so without end")
                .help("take one of these includes out");
            for (other, place) in chain.iter().skip(first + 1) {
                problem = problem.related(place.clone(), format!("{} is included here", quote(other)));
            }
            return self.problems.push(problem);
        }
        if self.by_name.contains_key(name) {
            return;
        }
        if chain.len() >= DEPTH {
            return self.problems.push(
                Problem::error(here, format!("partials are nested more than {DEPTH} deep"))
                    .help("include fewer partials from within partials"),
            );
        }
        if self.by_name.len() > PARTIALS {
            return self.problems.push(Problem::error(here, format!("more than {PARTIALS} partials in one report")));
        }
        let Some(source) = self.read(name, &shown, &here) else { return };
        self.sources.add(source.clone());
        let template = match template_check::compile(&source) {
            Ok(template) => template,
            Err(problems) => return self.problems.extend(problems),
        };
        let included = template_check::partials(&source, &template);
        self.by_name.insert(name.to_owned(), template);
        chain.push((name.to_owned(), here));
        for (partial, place) in included {
            self.load(&partial, Some(&place), chain);
        }
        chain.pop();
    }

    /// The text of a template; pushes the problem where there is none.
    fn read(&mut self, name: &str, shown: &str, here: &Place) -> Option<Source> {
        let path = self.folder.join(format!("{name}.hbs"));
        match fs::symlink_metadata(&path) {
            Ok(kind) if kind.is_symlink() => {
                self.problems.push(
                    Problem::error(whole_file(shown), "a symlink is not followed here").help("put a copy in its place"),
                );
                None
            }
            Ok(_) => match Source::read(&path, shown) {
                Ok(source) => Some(source),
                Err(error) => {
                    self.problems.push(Problem::error(whole_file(shown), error.to_string()));
                    None
                }
            },
            Err(error) => {
                let is_absent = error.kind() == std::io::ErrorKind::NotFound;
                let problem = match compiled_in(shown) {
                    Some(text) if is_absent => return Some(Source::new(shown, text)),
                    _ if is_absent => {
                        let there = self.there();
                        let names: Vec<&str> = there.iter().map(String::as_str).collect();
                        Problem::error(here.clone(), format!("there is no {shown}"))
                            .label("included here")
                            .help(near_or_all(name, "partials", &names))
                    }
                    _ => Problem::error(here.clone(), format!("cannot read {shown}: {error}")),
                };
                self.problems.push(problem);
                None
            }
        }
    }

    /// The names of the templates in the folder.
    fn there(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().filter_map(Result::ok);
        let here = entries.filter_map(|entry| entry.file_name().into_string().ok());
        let compiled_in = SAMPLES.iter().filter_map(|sample| sample.path.strip_prefix("templates/").map(str::to_owned));
        let names = here.chain(compiled_in).filter_map(|file| file.strip_suffix(".hbs").map(str::to_owned));
        let mut names: Vec<String> = names.filter(|name| !name.starts_with("report.")).collect();
        names.sort();
        names.dedup();
        names
    }
}

fn compiled_in(shown: &str) -> Option<&'static str> {
    let sample = SAMPLES.iter().find(|sample| sample.path == shown)?;
    std::str::from_utf8(sample.content).ok()
}
