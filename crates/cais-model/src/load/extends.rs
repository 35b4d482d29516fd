//! `extends`: a service begins with another's definition, of this file or of another one, and lays its own over it.

use super::{Loading, files};
use crate::merge;
use crate::node::{Mapping, Node};
use crate::path::Path as TreePath;
use crate::paths;
use crate::suggest;
use std::path::{Path, PathBuf};

/// Services that may extend each other in a row: a bound on recursion for hostile files.
const MAX_CHAIN: usize = 50;

/// Where services are looked up.
struct Place<'p> {
    /// The file they stand in.
    file: &'p Path,
    /// What its paths are relative to.
    directory: &'p Path,
    /// `services` or `jobs`.
    block: &'static str,
}

/// Services on the way from the first that extends, each with its file.
type Chain = Vec<(PathBuf, String)>;

impl Loading<'_> {
    /// Completes every service of a document that extends another.
    pub(super) fn extend(&mut self, document: &mut Node, directory: &Path, file: &Path) {
        for block in ["services", "jobs"] {
            let Some(node) = document.as_mapping_mut().and_then(|top| top.get_mut(block)) else {
                continue;
            };
            let Some(services) = node.as_mapping_mut() else {
                continue;
            };
            let names: Vec<String> = services.keys().map(str::to_owned).collect();
            let place = Place {
                file,
                directory,
                block,
            };
            for name in names {
                self.extend_service(services, &name, &place, &mut Chain::new());
            }
        }
    }

    /// Replaces a service by its base with the service over it; what it extends in turn is completed first.
    fn extend_service(
        &mut self,
        services: &mut Mapping,
        name: &str,
        place: &Place<'_>,
        chain: &mut Chain,
    ) {
        let Some(extends) = services
            .get(name)
            .and_then(|service| service.get("extends"))
            .cloned()
        else {
            return;
        };
        // Another form is the schema's finding.
        let Some(reference) = extends
            .get("service")
            .and_then(Node::as_str)
            .map(str::to_owned)
        else {
            return;
        };
        let step = (place.file.to_path_buf(), name.to_owned());
        if chain.contains(&step) {
            let names: Vec<&str> = chain
                .iter()
                .map(|(_, name)| name.as_str())
                .chain([name])
                .collect();
            self.diagnostics
                .push(extends.error(format!("`extends` goes in a circle: {}", names.join(" → "))));
            return;
        }
        if chain.len() >= MAX_CHAIN {
            self.diagnostics
                .push(extends.error(format!("`extends` is more than {MAX_CHAIN} services deep")));
            return;
        }
        chain.push(step);
        let base = match extends.get("file") {
            Some(file) => self.base_of_file(file, &reference, &extends, place, chain),
            None => self.base_of_same_file(services, &reference, &extends, place, chain),
        };
        chain.pop();
        let Some(mut service) = services.get(name).cloned() else {
            return;
        };
        let Some(mut base) = base else {
            // It keeps its `extends`: what it would have been is not known.
            return;
        };
        merge::strip_tags(&mut base);
        let mut path = TreePath::root().key(place.block).key(name);
        service = merge::merge(base, service, &mut path, &mut self.diagnostics);
        if let Some(fields) = service.as_mapping_mut() {
            fields.remove("extends");
        }
        services.set_value(name, service);
    }

    fn base_of_same_file(
        &mut self,
        services: &mut Mapping,
        reference: &str,
        extends: &Node,
        place: &Place<'_>,
        chain: &mut Chain,
    ) -> Option<Node> {
        if services.get(reference).is_none() {
            self.diagnostics
                .push(unknown(extends, reference, services, None));
            return None;
        }
        self.extend_service(services, reference, place, chain);
        services.get(reference).cloned()
    }

    fn base_of_file(
        &mut self,
        file: &Node,
        reference: &str,
        extends: &Node,
        place: &Place<'_>,
        chain: &mut Chain,
    ) -> Option<Node> {
        let written = file.as_str()?;
        if paths::is_remote(written) {
            self.diagnostics.push(files::remote(written, Some(file)));
            return None;
        }
        let path = paths::normalise(&place.directory.join(written));
        let tree = self.base_tree(&path, file)?;
        let mut services = tree
            .get(place.block)
            .and_then(Node::as_mapping)
            .cloned()
            .unwrap_or_default();
        if services.get(reference).is_none() {
            self.diagnostics
                .push(unknown(extends, reference, &services, file.as_str()));
            return None;
        }
        let directory = path.parent().unwrap_or(Path::new("/")).to_path_buf();
        let base_place = Place {
            file: &path,
            directory: &directory,
            block: place.block,
        };
        self.extend_service(&mut services, reference, &base_place, chain);
        let mut base = services.get(reference).cloned()?;
        rebase_service(&mut base, place.block, &directory, place.directory);
        Some(base)
    }

    /// A file that services extend: interpolated and in long form, not validated by itself.
    fn base_tree(&mut self, path: &Path, asked_by: &Node) -> Option<Node> {
        if let Some(known) = self.bases.get(path) {
            return known.clone();
        }
        let mut merged: Option<Node> = None;
        if let Some(file) = self.read(path, Some(asked_by)) {
            for mut document in file.documents {
                self.prepare(&mut document);
                merged = Some(match merged.take() {
                    None => document,
                    Some(base) => {
                        merge::merge(base, document, &mut TreePath::root(), &mut self.diagnostics)
                    }
                });
            }
        }
        self.bases.insert(path.to_path_buf(), merged.clone());
        merged
    }
}

/// Moves the paths of one service, which paths name below `services.NAME`.
fn rebase_service(service: &mut Node, block: &str, from: &Path, to: &Path) {
    let mut tree = Node::mapping_at(service);
    let mut entries = Node::mapping_at(service);
    let taken = service.clone();
    if let Some(mapping) = entries.as_mapping_mut() {
        mapping.set("x", taken);
    }
    if let Some(mapping) = tree.as_mapping_mut() {
        mapping.set(block, entries);
    }
    paths::rebase(&mut tree, from, to);
    if let Some(moved) = tree.at(&[block, "x"]) {
        *service = moved.clone();
    }
}

fn unknown(
    extends: &Node,
    reference: &str,
    services: &Mapping,
    file: Option<&str>,
) -> crate::diagnostic::Diagnostic {
    let at = extends.get("service").unwrap_or(extends);
    let place = file.map(|file| format!(" in `{file}`")).unwrap_or_default();
    let mut diagnostic = at.error(format!(
        "there is no service `{reference}`{place} to extend"
    ));
    diagnostic.help = suggest::did_you_mean(reference, services.keys());
    diagnostic
}
