//! Names that an entry uses and another must define.

use crate::diagnostic::Diagnostic;
use crate::node::{Entry, Mapping, Node};
use crate::port::PortRange;
use crate::suggest;
use crate::typed::entries;
use std::collections::BTreeSet;

/// Checks every reference of every service.
pub(super) fn check(tree: &Node, disabled: &BTreeSet<String>, diagnostics: &mut Vec<Diagnostic>) {
    let mut check = Check {
        tree,
        disabled,
        diagnostics,
    };
    for (name, entry) in entries(tree.get("services")) {
        check.service(name, entry);
    }
}

struct Check<'c> {
    tree: &'c Node,
    disabled: &'c BTreeSet<String>,
    diagnostics: &'c mut Vec<Diagnostic>,
}

impl Check<'_> {
    fn service(&mut self, name: &str, entry: &Entry) {
        let node = &entry.value;
        self.source_of_tasks(name, entry);
        for port in node
            .get("ports")
            .and_then(Node::as_sequence)
            .unwrap_or_default()
        {
            self.published(port);
        }
        for (dependency, entry) in entries(node.get("depends_on")) {
            self.dependency(name, dependency, entry);
        }
        for (network, entry) in entries(node.get("networks")) {
            // Every project has the network `default`.
            if network != "default" {
                self.defined(
                    "networks",
                    network,
                    &entry.key_position,
                    &format!("service `{name}`"),
                );
            }
        }
        for (model, entry) in entries(node.get("models")) {
            self.defined(
                "models",
                model,
                &entry.key_position,
                &format!("service `{name}`"),
            );
        }
        for (block, list) in [
            ("secrets", node.get("secrets")),
            ("configs", node.get("configs")),
            ("secrets", node.at(&["build", "secrets"])),
        ] {
            for item in list.and_then(Node::as_sequence).unwrap_or_default() {
                if let Some(source) = item.get("source")
                    && let Some(text) = source.as_str()
                {
                    self.defined(block, text, &source.position, &format!("service `{name}`"));
                }
            }
        }
        for volume in node
            .get("volumes")
            .and_then(Node::as_sequence)
            .unwrap_or_default()
        {
            self.volume(name, volume);
        }
    }

    /// A service needs something to run.
    fn source_of_tasks(&mut self, name: &str, entry: &Entry) {
        let node = &entry.value;
        let has = |path: &[&str]| node.at(path).is_some_and(|node| !node.is_null());
        let image_is_empty = node.get("image").and_then(Node::as_str) == Some("");
        let runs = (has(&["image"]) && !image_is_empty)
            || has(&["build"])
            || has(&["provider"])
            // Of something that could not be found, and that is reported.
            || has(&["extends"])
            || has(&["command"])
            || has(&["x-cais", "process", "command"])
            || has(&["x-cais", "image", "artifact"]);
        // A slip in one of these keys is the schema's finding.
        let slip = |key: &str| {
            suggest::nearest(key, ["image", "build", "command"]).is_some_and(|word| word != key)
        };
        let misspelt = node
            .as_mapping()
            .is_none_or(|fields| fields.keys().any(slip));
        if !runs && !misspelt {
            self.diagnostics.push(
                Diagnostic::error(
                    &entry.key_position,
                    format!("service `{name}` has nothing to run"),
                )
                .with_width(width(name))
                .with_help("give it an `image`, a `build`, or `x-cais.process.command`"),
            );
        }
    }

    /// Compose leaves this check to the runtime; here nothing may be ignored.
    fn published(&mut self, port: &Node) {
        let Some(published) = port.get("published") else {
            return;
        };
        let written = published.scalar_text().unwrap_or_default();
        if let (false, Err(error)) = (written.is_empty(), PortRange::parse(&written)) {
            self.diagnostics.push(published.error(error.to_string()));
        }
    }

    fn dependency(&mut self, name: &str, dependency: &str, entry: &Entry) {
        let services = self.block("services");
        if services.is_some_and(|services| services.get(dependency).is_some()) {
            return;
        }
        let position = &entry.key_position;
        if self.disabled.contains(dependency) {
            let message =
                format!("service `{name}` depends on `{dependency}`, which no enabled profile has");
            let help = "enable its profile with `--profile`, or write `required: false`";
            self.diagnostics.push(
                Diagnostic::error(position, message)
                    .with_width(width(dependency))
                    .with_help(help),
            );
            return;
        }
        let known = services.into_iter().flat_map(Mapping::keys);
        let help = suggest::did_you_mean(dependency, known);
        let message = format!("service `{name}` depends on `{dependency}`, which is not defined");
        let mut diagnostic = Diagnostic::error(position, message).with_width(width(dependency));
        diagnostic.help = help;
        self.diagnostics.push(diagnostic);
    }

    fn volume(&mut self, name: &str, volume: &Node) {
        let is_named = volume.get("type").and_then(Node::as_str) == Some("volume");
        if let (true, Some(source)) = (is_named, volume.get("source"))
            && let Some(text) = source.as_str().filter(|text| !text.is_empty())
        {
            self.defined(
                "volumes",
                text,
                &source.position,
                &format!("service `{name}`"),
            );
        }
    }

    fn block(&self, block: &str) -> Option<&Mapping> {
        self.tree.get(block).and_then(Node::as_mapping)
    }

    fn defined(
        &mut self,
        block: &str,
        name: &str,
        position: &crate::diagnostic::Position,
        user: &str,
    ) {
        let defined = self.block(block);
        if defined.is_some_and(|defined| defined.get(name).is_some()) {
            return;
        }
        let what = block.trim_end_matches('s');
        let help = suggest::did_you_mean(name, defined.into_iter().flat_map(Mapping::keys))
            .unwrap_or_else(|| format!("define it under the top-level `{block}:`"));
        self.diagnostics.push(
            Diagnostic::error(
                position,
                format!("{user} uses the {what} `{name}`, which is not defined"),
            )
            .with_width(width(name))
            .with_help(help),
        );
    }
}

fn width(text: &str) -> u32 {
    u32::try_from(text.chars().count()).unwrap_or(1)
}
