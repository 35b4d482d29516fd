//! `include`: other Compose files with their own folder and env files, whose services and resources join this one's.

use super::{ComposeFile, Loading, files};
use crate::merge;
use crate::node::{Mapping, Node, Value};
use crate::path::Path as TreePath;
use crate::paths;
use crate::source::SourceError;
use std::path::{Path, PathBuf};

/// The blocks that an included file brings.
const BLOCKS: [&str; 7] = [
    "services", "jobs", "volumes", "networks", "secrets", "configs", "models",
];

/// One entry of `include`.
struct Include<'n> {
    /// The first is the file, those after it override it.
    paths: Vec<&'n Node>,
    project_directory: Option<&'n str>,
    env_files: Vec<&'n Node>,
}

impl Loading<'_> {
    /// Brings in everything that a document includes. `chain` is the files that led here, this one last.
    pub(super) fn include(&mut self, document: &mut Node, directory: &Path, chain: &[PathBuf]) {
        let Some(list) = document
            .as_mapping_mut()
            .and_then(|top| top.remove("include"))
        else {
            return;
        };
        let Value::Sequence(entries) = list.value.value else {
            self.diagnostics
                .push(list.value.error("`include` must be a list"));
            return;
        };
        for entry in &entries {
            let Some(include) = Include::read(entry) else {
                self.diagnostics.push(
                    entry.error("an entry of `include` is a path, or a mapping with a `path`"),
                );
                continue;
            };
            let before = self.variables.files();
            // Files that services extend are read anew: their variables may have other values here.
            let bases = std::mem::take(&mut self.bases);
            if let Some(tree) = self.included(&include, entry, directory, chain) {
                self.join(document, tree);
            }
            self.variables.restore_files(before);
            self.bases = bases;
        }
    }

    fn included(
        &mut self,
        include: &Include<'_>,
        entry: &Node,
        directory: &Path,
        chain: &[PathBuf],
    ) -> Option<Node> {
        let mut files: Vec<ComposeFile> = Vec::new();
        for node in &include.paths {
            let written = node.as_str()?;
            if paths::is_remote(written) {
                self.diagnostics.push(files::remote(written, Some(node)));
                return None;
            }
            let path = paths::normalise(&directory.join(written));
            if is_in(&path, chain, &self.options.project_directory) {
                let names: Vec<String> = chain
                    .iter()
                    .chain([&path])
                    .map(|path| format!("`{}`", path.display()))
                    .collect();
                self.diagnostics
                    .push(node.error(format!("`include` goes in a circle: {}", names.join(" → "))));
                return None;
            }
            files.push(self.read(&path, Some(node))?);
        }
        let first = files
            .first()
            .and_then(|file| file.path.parent())
            .unwrap_or(directory)
            .to_path_buf();
        let below = include
            .project_directory
            .map_or(first, |written| paths::normalise(&directory.join(written)));
        self.include_env(include, entry, directory, &below)?;
        let mut tree = self.model(files, &below, chain)?;
        paths::rebase(&mut tree, &below, directory);
        Some(tree)
    }

    /// The included file's own variables; the including project's win.
    fn include_env(
        &mut self,
        include: &Include<'_>,
        entry: &Node,
        directory: &Path,
        below: &Path,
    ) -> Option<()> {
        let default = include.env_files.is_empty();
        let paths: Vec<(PathBuf, &Node)> = if default {
            vec![(below.join(".env"), entry)]
        } else {
            let written = include.env_files.iter();
            written
                .filter_map(|node| Some((paths::normalise(&directory.join(node.as_str()?)), *node)))
                .collect()
        };
        let mut variables = std::collections::BTreeMap::new();
        for (path, node) in paths {
            match self.source.read(&path) {
                Ok(text) => match self.env_variables(&path, &text) {
                    Ok(found) => variables.extend(found),
                    Err(message) => {
                        self.diagnostics.push(node.error(message));
                        return None;
                    }
                },
                Err(SourceError::NotFound) if default => {}
                Err(error) => {
                    let message = format!("env file `{}` cannot be read: {error}", path.display());
                    self.diagnostics.push(node.error(message));
                    return None;
                }
            }
        }
        self.variables.add_file(variables, false);
        Some(())
    }

    /// Adds what is not there; where both define a name, the including file's definition lies over the included one.
    fn join(&mut self, document: &mut Node, mut included: Node) {
        let place = Node::mapping_at(document);
        for block in BLOCKS {
            let Some(from) = included.as_mapping_mut().and_then(|top| top.remove(block)) else {
                continue;
            };
            let Value::Mapping(entries) = from.value.value else {
                continue;
            };
            let Some(top) = document.as_mapping_mut() else {
                return;
            };
            if top.get(block).is_none_or(Node::is_null) {
                top.set(block, place.clone());
            }
            let Some(to) = top.get_mut(block).and_then(Node::as_mapping_mut) else {
                continue;
            };
            for (name, entry) in entries {
                self.join_entry(to, block, &name, entry);
            }
        }
    }

    fn join_entry(&mut self, to: &mut Mapping, block: &str, name: &str, entry: crate::node::Entry) {
        match to.get(name).cloned() {
            None => to.insert(name, entry),
            // The same resource by two ways: laying it over itself would double its lists.
            Some(own) if own == entry.value => {}
            Some(own) => {
                let mut path = TreePath::root().key(block).key(name);
                let merged = merge::merge(entry.value, own, &mut path, &mut self.diagnostics);
                to.set_value(name, merged);
            }
        }
    }
}

impl<'n> Include<'n> {
    fn read(entry: &'n Node) -> Option<Self> {
        if entry.as_str().is_some() {
            return Some(Self {
                paths: vec![entry],
                project_directory: None,
                env_files: Vec::new(),
            });
        }
        let paths = one_or_more(entry.get("path")?);
        let env_files = entry.get("env_file").map(one_or_more).unwrap_or_default();
        let project_directory = entry.get("project_directory").and_then(Node::as_str);
        (!paths.is_empty()).then_some(Self {
            paths,
            project_directory,
            env_files,
        })
    }
}

fn one_or_more(node: &Node) -> Vec<&Node> {
    match node.as_sequence() {
        Some(items) => items.iter().collect(),
        None => vec![node],
    }
}

/// Is the file one of the chain? The project's own files may be named relative to the caller's folder.
fn is_in(path: &Path, chain: &[PathBuf], project_directory: &Path) -> bool {
    chain.iter().any(|known| {
        let by_name = known.file_name().map(|name| project_directory.join(name));
        known == path || (known.is_relative() && by_name.as_deref() == Some(path))
    })
}
