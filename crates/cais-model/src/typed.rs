//! From the canonical tree to the typed [`Stack`]: every text is parsed here, once. Relations between entries are `consistency`'s.

use crate::diagnostic::Diagnostic;
use crate::name::{ProjectName, ServiceName};
use crate::node::{Entry, Mapping, Node};
use crate::source::Source;
use crate::stack::{FileOrigin, FileSource, Places, Service, Stack};
use crate::variables::Variables;
use crate::{paths, x_cais};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

mod build;
mod container;
mod container_limits;
mod deploy;
mod develop;
mod environment;
pub(crate) mod health;
pub(crate) mod read;
mod resources;
mod service;
mod tops;

use read::Reader;

/// What the typed stack is made from, besides the tree.
pub(crate) struct Inputs<'i, 'v> {
    /// Reads env files.
    pub(crate) source: &'i dyn Source,
    /// Variables of the caller, for `environment` keys without a value and for `.env`-style files.
    pub(crate) variables: &'i mut Variables<'v>,
    /// What relative paths are relative to.
    pub(crate) directory: &'i Path,
    /// Its name.
    pub(crate) name: ProjectName,
    /// Are `env_file`s read, or is the file looked at by itself?
    pub(crate) reads_env_files: bool,
}

/// Builds the stack. What cannot be read is reported and left out, so that one mistake hides no other.
pub(crate) fn stack(
    tree: &Node,
    inputs: &mut Inputs<'_, '_>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Stack {
    let mut reader = Reader { diagnostics };
    let services = services(tree, inputs, &mut reader);
    let top = x_cais::top(tree.get("x-cais"), &mut reader);
    Stack {
        name: inputs.name.clone(),
        directory: inputs.directory.to_path_buf(),
        secrets: file_sources(tree.get("secrets"), inputs, &mut reader),
        configs: file_sources(tree.get("configs"), inputs, &mut reader),
        volumes: tops::volumes(tree.get("volumes"), &inputs.name, &mut reader),
        networks: tops::networks(
            tree.get("networks"),
            &inputs.name,
            services.values(),
            &mut reader,
        ),
        services,
        listen: top.listen,
        cloud: top.cloud,
        places: Places::of(tree),
    }
}

/// The entries of a block, where it is a mapping.
pub(crate) fn entries(block: Option<&Node>) -> impl Iterator<Item = (&String, &Entry)> {
    block
        .and_then(Node::as_mapping)
        .into_iter()
        .flat_map(Mapping::iter)
}

fn services(
    tree: &Node,
    inputs: &mut Inputs<'_, '_>,
    reader: &mut Reader<'_>,
) -> BTreeMap<ServiceName, Service> {
    let mut services = BTreeMap::new();
    for (key, entry) in entries(tree.get("services")) {
        // A key outside the rule is the schema's finding.
        let Ok(name) = ServiceName::parse(key) else {
            continue;
        };
        if entry.value.as_mapping().is_none() {
            continue;
        }
        let service = service::service(&name, entry, inputs, reader);
        services.insert(name, service);
    }
    services
}

fn file_sources(
    block: Option<&Node>,
    inputs: &Inputs<'_, '_>,
    reader: &mut Reader<'_>,
) -> BTreeMap<String, FileSource> {
    let mut sources = BTreeMap::new();
    for (name, entry) in entries(block) {
        let generate = x_cais::generate(entry.value.get("x-cais"), reader);
        if let Some(origin) = origin(&entry.value, inputs) {
            if generate && !matches!(origin, FileOrigin::File(_)) {
                let place = entry.value.get("x-cais").unwrap_or(&entry.value);
                reader.error(
                    place,
                    format!(
                        "`generate` of `{name}` writes a file, and it has none: give it `file:`"
                    ),
                );
            }
            sources.insert(name.clone(), FileSource { origin, generate });
        }
    }
    sources
}

fn origin(node: &Node, inputs: &Inputs<'_, '_>) -> Option<FileOrigin> {
    let text = |key: &str| node.get(key).and_then(Node::scalar_text);
    if node.get("external").and_then(Node::as_bool) == Some(true) {
        Some(FileOrigin::External)
    } else if let Some(file) = text("file") {
        Some(FileOrigin::File(resolve(&file, inputs)))
    } else if let Some(name) = text("environment") {
        Some(FileOrigin::Environment(name))
    } else {
        text("content").map(FileOrigin::Content)
    }
}

/// A path of the file, absolute; `~` is the caller's home.
pub(crate) fn resolve(path: &str, inputs: &Inputs<'_, '_>) -> PathBuf {
    let home = || inputs.variables.peek("HOME");
    if let Some(below) = path.strip_prefix("~/")
        && let Some(home) = home()
    {
        return Path::new(&home).join(below);
    }
    paths::normalise(&inputs.directory.join(path))
}
