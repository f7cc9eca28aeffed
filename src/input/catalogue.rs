//! What a workspace holds: every flow, margin, policy, profile and manifest, read, with the errors of each file
//! kept beside it. Never fails as a whole and never starts anything.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::adapter::{self, Adapters, Manifest};
use super::doc::Doc;
use super::problem::{Problems, near_or_all, quote, whole_file};
use super::source::{Source, Sources};
use super::yaml::{self, Kind, Node};
use super::{check, flow, margin, policy};
use crate::domain::flow::Flow;
use crate::domain::margin::MarginProfile;
use crate::domain::name::Name;
use crate::domain::place::Place;
use crate::domain::policy::{Profile, SafetyPolicy};
use crate::domain::problem::Problem;

/// One file of a workspace.
#[derive(Debug, Clone)]
pub struct Entry<T> {
    /// Where it lies.
    pub path: PathBuf,
    /// The path as shown to people.
    pub file: Arc<str>,
    /// The document's name, or the file's stem where it has none that can be read.
    pub name: String,
    /// Where the name stands.
    pub name_place: Place,
    /// Its text, unless it could not be read.
    pub source: Option<Source>,
    /// What it says; nothing when it has an error.
    pub value: Option<T>,
    /// What is wrong with it.
    pub problems: Problems,
}

/// Reads a text as one document. A value comes only with a document free of errors.
pub fn document<T>(source: &Source, read: impl FnOnce(&Doc<'_>, &Node<'_>) -> Option<T>) -> (Option<T>, Problems) {
    let (value, problems, _) = named_document(source, read);
    (value, problems)
}

fn named_document<T>(
    source: &Source,
    read: impl FnOnce(&Doc<'_>, &Node<'_>) -> Option<T>,
) -> (Option<T>, Problems, Option<(String, Place)>) {
    let doc = Doc::new(source);
    let root = match yaml::parse(&source.text) {
        Ok(root) => root,
        Err(error) => {
            let place = error.span.map_or_else(|| Place::start_of(source.shown.clone()), |span| doc.place(span));
            let mut problem = Problem::error(place, error.message);
            problem.help = error.help;
            return (None, problem.into(), None);
        }
    };
    let name = name_of(&doc, &root);
    let value = read(&doc, &root);
    let problems = doc.into_problems();
    (value.filter(|_| !problems.has_errors()), problems, name)
}

fn name_of(doc: &Doc<'_>, root: &Node<'_>) -> Option<(String, Place)> {
    let Kind::Map(entries) = &root.kind else { return None };
    let is_name = |node: &Node<'_>| matches!(&node.kind, Kind::Scalar { text, .. } if text == "name");
    let node = &entries.iter().find(|entry| is_name(&entry.key))?.value;
    match &node.kind {
        Kind::Scalar { text, .. } if Name::new(text).is_ok() => Some((text.to_string(), doc.place(node.span))),
        _ => None,
    }
}

impl<T> Entry<T> {
    fn empty(path: &Path, shown: &str) -> Self {
        Self {
            path: path.to_owned(),
            file: shown.into(),
            name: path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned()),
            name_place: whole_file(shown),
            source: None,
            value: None,
            problems: Problems::default(),
        }
    }

    fn refused(path: &Path, shown: &str, problem: Problem) -> Self {
        Self { problems: problem.into(), ..Self::empty(path, shown) }
    }

    /// Adds what a check of the value finds; an error takes the value away.
    fn check(&mut self, find: impl Fn(&T) -> Problems) {
        if let Some(value) = &self.value {
            let found = find(value);
            if found.has_errors() {
                self.value = None;
            }
            self.problems.extend(found);
        }
    }

    /// Reads one file.
    pub fn read(path: &Path, shown: &str, read: impl FnOnce(&Doc<'_>, &Node<'_>) -> Option<T>) -> Self {
        match Source::read(path, shown) {
            Err(error) => Self::refused(path, shown, Problem::error(whole_file(shown), error.to_string())),
            Ok(source) => Self::of(path, source, read),
        }
    }

    /// Takes a text that was read already.
    pub fn of(path: &Path, source: Source, read: impl FnOnce(&Doc<'_>, &Node<'_>) -> Option<T>) -> Self {
        let mut entry = Self::empty(path, &source.shown);
        let (value, problems, name) = named_document(&source, read);
        (entry.value, entry.problems) = (value, problems);
        if let Some((name, place)) = name {
            if name != entry.name {
                entry.problems.push(
                    Problem::warning(place.clone(), format!("the name {} is unlike its file's", quote(&name)))
                        .help(format!("rename one of them: the file's is {}", quote(&entry.name))),
                );
            }
            (entry.name, entry.name_place) = (name, place);
        }
        entry.source = Some(source);
        entry
    }
}

/// A document that was asked for and is not there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no {kind} {wanted}: neither a file nor a name; {help}")]
pub struct NotFound {
    /// What was wanted.
    pub kind: &'static str,
    /// As asked for.
    pub wanted: String,
    /// A near name, or all there are.
    pub help: String,
}

/// Everything that a workspace holds, each kind in the order of its file names.
#[derive(Debug, Clone, Default)]
pub struct Catalogue {
    /// The folder.
    pub workspace: PathBuf,
    /// `flows/`.
    pub flows: Vec<Entry<Flow>>,
    /// `margins/`.
    pub margins: Vec<Entry<MarginProfile>>,
    /// `policy/`; a sound workspace has one.
    pub policies: Vec<Entry<SafetyPolicy>>,
    /// `policy/profiles/`.
    pub profiles: Vec<Entry<Profile>>,
    /// `adapters/`.
    pub manifests: Vec<Entry<Manifest>>,
    /// The sound manifests by name.
    pub adapters: Adapters,
}

impl Catalogue {
    /// Reads a workspace.
    pub fn read(workspace: &Path) -> Self {
        fn documents<T>(
            workspace: &Path,
            name: &str,
            read: impl Fn(&Doc<'_>, &Node<'_>) -> Option<T>,
        ) -> Vec<Entry<T>> {
            folder(&workspace.join(name), name, false, read)
        }
        let mut catalogue = Self { workspace: workspace.to_owned(), ..Self::default() };
        catalogue.manifests = documents(workspace, "adapters", adapter::read);
        same_names(&mut catalogue.manifests, "manifests");
        one_controller_a_rail(&mut catalogue.manifests);
        catalogue.adapters = adapters_of(&catalogue.manifests);
        catalogue.flows = documents(workspace, "flows", |doc, root| flow::read(doc, root, &catalogue.adapters));
        same_names(&mut catalogue.flows, "flows");
        catalogue.margins = documents(workspace, "margins", margin::read);
        same_names(&mut catalogue.margins, "margins");
        catalogue.policies = documents(workspace, "policy", policy::read);
        one_policy(&mut catalogue.policies);
        catalogue.profiles = documents(workspace, "policy/profiles", policy::read_profile);
        same_names(&mut catalogue.profiles, "profiles");
        for entry in &mut catalogue.policies {
            entry.check(|policy| check::bounds(&policy.limits, &catalogue.adapters));
        }
        for entry in &mut catalogue.profiles {
            entry.check(|profile| check::bounds(&profile.limits, &catalogue.adapters));
        }
        catalogue
    }

    /// The flow of that path or name.
    ///
    /// # Errors
    /// When there is neither a file nor a flow of that name.
    pub fn flow(&self, wanted: &str, current: &Path) -> Result<Entry<Flow>, NotFound> {
        self.find("flow", &self.flows, wanted, current, |doc, root| flow::read(doc, root, &self.adapters))
    }

    /// The margin of that path or name.
    ///
    /// # Errors
    /// When there is neither a file nor a margin of that name.
    pub fn margin(&self, wanted: &str, current: &Path) -> Result<Entry<MarginProfile>, NotFound> {
        self.find("margin", &self.margins, wanted, current, margin::read)
    }

    /// A path from the current folder, else from the workspace, else a name.
    fn find<T: Clone>(
        &self,
        kind: &'static str,
        entries: &[Entry<T>],
        wanted: &str,
        current: &Path,
        read: impl Fn(&Doc<'_>, &Node<'_>) -> Option<T>,
    ) -> Result<Entry<T>, NotFound> {
        let named = entries.iter().find(|entry| entry.name == wanted);
        for base in [current, &self.workspace] {
            let path = base.join(wanted);
            let Ok(metadata) = path.metadata() else { continue };
            // A folder that happens to be called like a document does not hide it.
            if wanted.is_empty() || (metadata.is_dir() && named.is_some()) {
                continue;
            }
            let resolved = path.canonicalize().unwrap_or_else(|_| path.clone());
            let same = |entry: &&Entry<T>| entry.path.canonicalize().is_ok_and(|other| other == resolved);
            return Ok(match entries.iter().find(same) {
                Some(entry) => entry.clone(),
                None => Entry::read(&path, &self.shown(&resolved, wanted), &read),
            });
        }
        named.cloned().ok_or_else(|| {
            let all: Vec<&str> = entries.iter().map(|entry| entry.name.as_str()).collect();
            NotFound {
                kind,
                wanted: quote(wanted),
                help: near_or_all(wanted, &format!("{kind}s in the workspace"), &all),
            }
        })
    }

    /// Relative to the workspace where it lies inside, else as asked for.
    fn shown(&self, resolved: &Path, wanted: &str) -> String {
        let root = self.workspace.canonicalize().unwrap_or_else(|_| self.workspace.clone());
        resolved.strip_prefix(root).map_or_else(|_| wanted.to_owned(), |inside| inside.to_string_lossy().into_owned())
    }

    /// The base policy, if there is exactly one and it is sound.
    pub fn policy(&self) -> Option<&Entry<SafetyPolicy>> {
        self.policies.first().filter(|entry| entry.value.is_some())
    }

    /// The texts of every file, for reports that show lines.
    pub fn sources(&self) -> Sources {
        let mut sources = Sources::default();
        let mut add = |source: &Option<Source>| {
            if let Some(source) = source {
                sources.add(source.clone());
            }
        };
        self.flows.iter().for_each(|e| add(&e.source));
        self.margins.iter().for_each(|e| add(&e.source));
        self.policies.iter().for_each(|e| add(&e.source));
        self.profiles.iter().for_each(|e| add(&e.source));
        self.manifests.iter().for_each(|e| add(&e.source));
        sources
    }

    /// What is wrong with any file, all of it.
    pub fn all_problems(&self) -> Problems {
        let mut all = Problems::default();
        self.flows.iter().for_each(|e| all.extend(e.problems.clone()));
        self.margins.iter().for_each(|e| all.extend(e.problems.clone()));
        self.policies.iter().for_each(|e| all.extend(e.problems.clone()));
        self.profiles.iter().for_each(|e| all.extend(e.problems.clone()));
        self.manifests.iter().for_each(|e| all.extend(e.problems.clone()));
        all
    }
}

/// Reads every document of a folder, each path shown behind `prefix`; a folder that is not there holds none.
/// `links` says whether a symbolic link is followed.
pub(super) fn folder<T>(
    folder: &Path,
    prefix: &str,
    links: bool,
    read: impl Fn(&Doc<'_>, &Node<'_>) -> Option<T>,
) -> Vec<Entry<T>> {
    let names = match yaml_files(folder) {
        Ok(names) => names,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return vec![],
        // What the folder holds is unknown: an entry of its own carries that to whoever asks for it.
        Err(error) => {
            let problem = Problem::error(whole_file(prefix), format!("cannot list the folder: {error}"));
            return vec![Entry::refused(folder, prefix, problem)];
        }
    };
    let entry = |name: std::ffi::OsString| {
        let path = folder.join(&name);
        let shown = format!("{prefix}/{}", name.to_string_lossy());
        // A link could lead anywhere, and the report would show what stands there.
        if !links && path.symlink_metadata().is_ok_and(|metadata| metadata.is_symlink()) {
            let problem = Problem::error(whole_file(&shown), "a symbolic link, not a file")
                .help("put the file itself into the workspace");
            return Entry::refused(&path, &shown, problem);
        }
        Entry::read(&path, &shown, &read)
    };
    names.into_iter().map(entry).collect()
}

/// The names of the YAML files of a folder, sorted, hidden ones left out.
fn yaml_files(folder: &Path) -> std::io::Result<Vec<std::ffi::OsString>> {
    let mut names = vec![];
    for entry in std::fs::read_dir(folder)? {
        let name = entry?.file_name();
        let is_yaml = Path::new(&name).extension().is_some_and(|e| e == "yaml" || e == "yml");
        if is_yaml && !name.to_string_lossy().starts_with('.') {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// Two documents of one kind with one name: which was meant cannot be known, so neither is used.
pub(super) fn same_names<T>(entries: &mut [Entry<T>], kind: &str) {
    let mut by_name: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (index, entry) in entries.iter().enumerate() {
        by_name.entry(entry.name.clone()).or_default().push(index);
    }
    for (name, indices) in by_name.into_iter().filter(|(_, indices)| indices.len() > 1) {
        let places: Vec<Place> =
            indices.iter().filter_map(|index| entries.get(*index)).map(|entry| entry.name_place.clone()).collect();
        for index in indices {
            let Some(entry) = entries.get_mut(index) else { continue };
            let mut problem =
                Problem::error(entry.name_place.clone(), format!("two {kind} are named {}", quote(&name)))
                    .help("rename one");
            for place in places.iter().filter(|place| **place != entry.name_place) {
                problem = problem.related(place.clone(), "the other");
            }
            entry.problems.push(problem);
            entry.value = None;
        }
    }
}

fn one_policy(policies: &mut [Entry<SafetyPolicy>]) {
    let places: Vec<Place> = policies.iter().map(|entry| entry.name_place.clone()).collect();
    if places.len() < 2 {
        return;
    }
    for entry in policies {
        let mut problem = Problem::error(entry.name_place.clone(), "a workspace has one base policy, this has several")
            .help("keep one in policy/; what tightens it for a kind of host goes into policy/profiles/");
        for place in places.iter().filter(|place| **place != entry.name_place) {
            problem = problem.related(place.clone(), "another");
        }
        entry.problems.push(problem);
        entry.value = None;
    }
}

/// Two controllers that drive one rail would undo each other's work: neither can be used.
fn one_controller_a_rail(manifests: &mut [Entry<Manifest>]) {
    let mut claims: BTreeMap<Name, Vec<(usize, Place)>> = BTreeMap::new();
    for (index, entry) in manifests.iter().enumerate() {
        let Some(Manifest::Controller(controller)) = &entry.value else { continue };
        for rail in &controller.rails {
            claims.entry(rail.value.clone()).or_default().push((index, rail.place.clone()));
        }
    }
    for (rail, claims) in claims.into_iter().filter(|(_, claims)| claims.len() > 1) {
        for (index, place) in &claims {
            let Some(entry) = manifests.get_mut(*index) else { continue };
            let mut problem =
                Problem::error(place.clone(), format!("rail {} has two controllers", quote(rail.as_str())))
                    .help("a rail has at most one: take it out of one of the manifests");
            for (_, other) in claims.iter().filter(|(other, _)| other != index) {
                problem = problem.related(other.clone(), "the other");
            }
            entry.problems.push(problem);
            entry.value = None;
        }
    }
}

fn adapters_of(manifests: &[Entry<Manifest>]) -> Adapters {
    let mut adapters = Adapters::default();
    for entry in manifests {
        match &entry.value {
            Some(Manifest::Adapter(adapter)) => {
                adapters.adapters.insert(adapter.name.clone(), adapter.as_ref().clone());
            }
            Some(Manifest::Controller(controller)) => {
                adapters.controllers.insert(controller.name.clone(), controller.as_ref().clone());
            }
            None => {
                adapters.broken.insert(entry.name.clone(), entry.file.clone());
            }
        }
    }
    adapters
}

#[cfg(test)]
mod tests;
