//! From files to a stack, in Compose's order: read, interpolate, cast, include, extend, merge, validate, complete, type. Each step is another file's; the order is this one's.

use crate::diagnostic::{Diagnostic, Position};
use crate::name::ProjectName;
use crate::node::{Mapping, Node, Value};
use crate::path::Path as TreePath;
use crate::source::{Failed, LoadOptions, Loaded, Source};
use crate::stack::Stack;
use crate::typed;
use crate::variables::{Variables, interpolate_tree};
use crate::{canonical, consistency, merge, profiles, schema, unique};
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

#[cfg(test)]
mod corpus;
mod extends;
mod files;
mod include;
mod labels;
mod project;

/// Loads a project.
///
/// # Errors
/// [`Failed`] with everything that could be found wrong, by position. YAML that cannot be read ends the search in its file.
pub fn load(source: &dyn Source, options: &LoadOptions) -> Result<Loaded, Failed> {
    Loading::new(source, options, Steps::All).finish()
}

/// Loads a project as [`load`] does, but leaves out what Compose calls consistency: names that nothing defines, circles, ports and routes taken twice.
///
/// # Errors
/// As [`load`].
pub fn load_without_consistency(
    source: &dyn Source,
    options: &LoadOptions,
) -> Result<Loaded, Failed> {
    Loading::new(source, options, Steps::AllButConsistency).finish()
}

/// How far a project is loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Steps {
    /// All steps.
    All,
    /// Entries are not checked against each other.
    AllButConsistency,
    /// One file by itself: no other file is read and no entry is looked up in another.
    #[cfg(test)]
    FileAlone,
}

impl Steps {
    /// Are the files that a file names read?
    fn other_files(self) -> bool {
        matches!(self, Self::All | Self::AllButConsistency)
    }
}

/// A project being loaded.
struct Loading<'l> {
    source: &'l dyn Source,
    options: &'l LoadOptions,
    steps: Steps,
    variables: Variables<'l>,
    diagnostics: Vec<Diagnostic>,
    /// How many of the diagnostics belong to finished steps.
    settled: usize,
    /// Every Compose file read.
    files: Vec<(PathBuf, String)>,
    /// Files that services extend, ready to be taken from.
    bases: HashMap<PathBuf, Option<Node>>,
}

/// A file's documents, not interpolated yet.
struct ComposeFile {
    path: PathBuf,
    documents: Vec<Node>,
}

impl<'l> Loading<'l> {
    fn new(source: &'l dyn Source, options: &'l LoadOptions, steps: Steps) -> Self {
        Self {
            source,
            options,
            steps,
            variables: Variables::new(source),
            diagnostics: Vec::new(),
            settled: 0,
            files: Vec::new(),
            bases: HashMap::new(),
        }
    }

    fn finish(mut self) -> Result<Loaded, Failed> {
        let outcome = self.run();
        self.settle();
        let mut diagnostics = self.diagnostics;
        diagnostics.sort_by(|a, b| a.position.cmp(&b.position));
        let mut said = HashSet::new();
        diagnostics.retain(|it| said.insert((it.position.clone(), it.message.clone())));
        match outcome {
            Some((stack, tree)) if !diagnostics.iter().any(Diagnostic::is_error) => Ok(Loaded {
                stack,
                tree,
                warnings: diagnostics,
                files: self.files,
                variables: self.variables.asked,
            }),
            _ => Err(Failed {
                diagnostics,
                files: self.files,
            }),
        }
    }

    fn run(&mut self) -> Option<(Stack, Node)> {
        self.env_files();
        let files: Vec<ComposeFile> = self
            .options
            .files
            .iter()
            .filter_map(|path| self.read(path, None))
            .collect();
        if files.is_empty() {
            if self.options.files.is_empty() {
                self.without_place("no Compose file was given");
            }
            return None;
        }
        let name = self.project_name(&files);
        let directory = self.options.project_directory.clone();
        let mut tree = self.model(files, &directory, &[])?;
        let name = name?;
        if let Some(top) = tree.as_mapping_mut() {
            let place = top
                .get("name")
                .cloned()
                .unwrap_or_else(|| Node::new(Value::Null, first_position(top)));
            top.set(
                "name",
                Node {
                    raw: place.raw.clone(),
                    ..Node::string_at(name.as_str(), &place)
                },
            );
            top.remove("version");
        }
        canonical::defaults(&mut tree);
        let disabled = profiles::disable(&mut tree, &self.profiles());
        self.label_files(&mut tree);
        let stack = self.typed(&tree, name);
        self.settle();
        consistency::check_entries(&tree, &mut self.diagnostics);
        if self.steps == Steps::All {
            consistency::check_relations(&tree, &stack, &disabled, &mut self.diagnostics);
        }
        Some((stack, tree))
    }

    /// The caller's, else those of the variable, which may stand in an env file that the caller has not read.
    fn profiles(&self) -> Vec<String> {
        if !self.options.profiles.is_empty() {
            return self.options.profiles.clone();
        }
        let listed = self.variables.peek("COMPOSE_PROFILES").unwrap_or_default();
        listed
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty())
            .map(str::to_owned)
            .collect()
    }

    fn typed(&mut self, tree: &Node, name: ProjectName) -> Stack {
        let mut inputs = typed::Inputs {
            source: self.source,
            variables: &mut self.variables,
            directory: &self.options.project_directory,
            name,
            reads_env_files: self.steps.other_files(),
        };
        typed::stack(tree, &mut inputs, &mut self.diagnostics)
    }

    /// The merged tree, in long form, of files that belong together: the project's, or those of one `include`.
    fn model(
        &mut self,
        files: Vec<ComposeFile>,
        directory: &Path,
        including: &[PathBuf],
    ) -> Option<Node> {
        let mut merged: Option<Node> = None;
        for file in files {
            if file.documents.is_empty() {
                self.diagnostics.push(empty_file(&file.path));
            }
            let chain: Vec<PathBuf> = including.iter().chain([&file.path]).cloned().collect();
            for mut document in file.documents {
                if document.as_mapping().is_none_or(Mapping::is_empty) {
                    self.diagnostics.push(no_content(&document));
                    continue;
                }
                self.prepare(&mut document);
                if self.steps.other_files() {
                    self.include(&mut document, directory, &chain);
                    self.extend(&mut document, directory, &file.path);
                }
                let mut tree = match merged.take() {
                    None => document,
                    Some(base) => {
                        merge::merge(base, document, &mut TreePath::root(), &mut self.diagnostics)
                    }
                };
                merge::strip_tags(&mut tree);
                unique::enforce(&mut tree);
                self.settle();
                schema::check(&tree, &mut self.diagnostics);
                self.settle();
                merged = Some(tree);
            }
        }
        merged
    }

    /// Fills in the variables of a document and brings it into long form.
    fn prepare(&mut self, document: &mut Node) {
        interpolate_tree(document, &mut self.variables, &mut self.diagnostics);
        canonical::long_forms(document, &mut self.diagnostics);
    }

    /// Ends a step: where an earlier step found an error, later ones say nothing more.
    fn settle(&mut self) {
        let fresh = self.diagnostics.split_off(self.settled);
        let errors = self.diagnostics.iter().filter(|it| it.is_error());
        let known: HashSet<Position> = errors.filter_map(|it| it.position.clone()).collect();
        let is_new = |it: &Diagnostic| {
            it.position
                .as_ref()
                .is_none_or(|position| !known.contains(position))
        };
        self.diagnostics.extend(fresh.into_iter().filter(is_new));
        self.settled = self.diagnostics.len();
    }

    fn without_place(&mut self, message: impl Into<String>) {
        self.diagnostics
            .push(Diagnostic::error_without_place(message));
    }
}

fn first_position(top: &Mapping) -> Position {
    let first = top
        .iter()
        .next()
        .map(|(_, entry)| entry.key_position.clone());
    first.unwrap_or_else(|| start_of(Path::new("-")))
}

fn start_of(path: &Path) -> Position {
    Position {
        file: std::sync::Arc::new(path.to_path_buf()),
        line: 1,
        column: 1,
    }
}

fn empty_file(path: &Path) -> Diagnostic {
    Diagnostic::error(&start_of(path), "the file is empty")
        .with_help("it needs at least `services:`")
}

fn no_content(document: &Node) -> Diagnostic {
    match &document.value {
        Value::Null | Value::Mapping(_) => document
            .error("the file is empty")
            .with_help("it needs at least `services:`"),
        _ => document.error(format!(
            "a Compose file is a mapping, and this is a {}",
            document.kind()
        )),
    }
}
