//! Brings every short form of a tree into its long form, so that merging and typing see one form only; [`defaults()`] then fills in what a long form leaves out. Values are checked elsewhere, except where a short form cannot be read.

use crate::diagnostic::Diagnostic;
use crate::interpolate;
use crate::node::{Entry, Mapping, Node, Value};
use crate::path::Path;
use std::sync::Arc;

mod defaults;
mod mounts;
mod ports;

/// Fields that may be one text or a list of them.
const STRING_OR_LIST: [&str; 6] = [
    "tmpfs",
    "dns",
    "dns_opt",
    "dns_search",
    "label_file",
    "env_file",
];
/// Fields that may be a list of `K=V` or a mapping.
const LIST_OR_MAPPING: [&str; 4] = ["environment", "labels", "annotations", "sysctls"];

pub(crate) use defaults::fill as defaults;

/// Rewrites the short forms; what is of the wrong type is left for the schema's diagnostics.
pub(crate) fn long_forms(tree: &mut Node, diagnostics: &mut Vec<Diagnostic>) {
    let mut pass = Pass { diagnostics };
    for block in ["services", "jobs"] {
        let path = Path::root().key(block);
        for (name, entry) in entries_mut(tree, block) {
            pass.service(&mut entry.value, &path.key(name));
        }
    }
    for block in ["networks", "volumes", "secrets", "configs"] {
        for (_, entry) in entries_mut(tree, block) {
            pass.resource(&mut entry.value);
        }
    }
}

fn entries_mut<'t>(
    tree: &'t mut Node,
    block: &str,
) -> impl Iterator<Item = (&'t String, &'t mut Entry)> {
    let mapping = tree
        .as_mapping_mut()
        .and_then(|top| top.get_mut(block))
        .and_then(Node::as_mapping_mut);
    mapping.into_iter().flat_map(Mapping::iter_mut)
}

struct Pass<'d> {
    diagnostics: &'d mut Vec<Diagnostic>,
}

impl Pass<'_> {
    fn service(&mut self, service: &mut Node, path: &Path) {
        let Some(fields) = service.as_mapping_mut() else {
            return;
        };
        for (key, entry) in fields.iter_mut() {
            let (node, path) = (&mut entry.value, path.key(key));
            match key.as_str() {
                key if STRING_OR_LIST.contains(&key) => one_to_list(node),
                key if LIST_OR_MAPPING.contains(&key) => pairs_to_mapping(node),
                "command" | "entrypoint" => self.split_words(node, &path),
                "build" => build(node),
                "depends_on" => list_to_mapping(node, started_dependency),
                "networks" | "models" => list_to_mapping(node, |_| {}),
                "extends" => text_to_mapping(node, "service"),
                "extra_hosts" => mapping_to_pairs(node),
                "devices" => each(node, mounts::device),
                "gpus" => gpus(node),
                "healthcheck" => healthcheck(node),
                "expose" => each(node, number_to_text),
                "ports" => ports::expand(node, &path, self.diagnostics),
                "volumes" => mounts::volumes(node, &path, self.diagnostics),
                "secrets" | "configs" => each(node, |item| text_to_mapping(item, "source")),
                "deploy" => deploy(node),
                _ => {}
            }
            if key == "env_file" {
                each(node, |item| text_to_mapping(item, "path"));
            }
        }
    }

    /// A top-level network, volume, secret or config: `external: {name: x}` is the old way to say `external: true, name: x`.
    fn resource(&mut self, node: &mut Node) {
        if let Some(labels) = node
            .as_mapping_mut()
            .and_then(|mapping| mapping.get_mut("labels"))
        {
            pairs_to_mapping(labels);
        }
        let Some(mapping) = node.as_mapping_mut() else {
            return;
        };
        let Some(external) = mapping.get("external") else {
            return;
        };
        let Some(fields) = external.as_mapping() else {
            return;
        };
        let (name, place) = (fields.get("name").cloned(), external.clone());
        match (name, mapping.get("name")) {
            (Some(name), Some(other)) if name != *other => {
                self.diagnostics
                    .push(name.error("`external.name` and `name` differ; keep `name` only"));
            }
            (Some(name), _) => mapping.set("name", name),
            (None, _) => {}
        }
        mapping.set(
            "external",
            Node {
                value: Value::Bool(true),
                raw: None,
                ..place
            },
        );
    }

    /// `command: run "a b"` is split by the shell's quoting rules, without a shell.
    fn split_words(&mut self, node: &mut Node, path: &Path) {
        let Some(text) = node.as_str() else { return };
        match shell_words::split(text) {
            Ok(words) => {
                let items = words
                    .into_iter()
                    .map(|word| Node::string_at(word, node))
                    .collect();
                node.raw = raw_of(node);
                node.value = Value::Sequence(items);
            }
            Err(_) => self.diagnostics.push(
                node.error(format!("{path}: a quote in `{text}` is not closed"))
                    .with_help("close it, or write the command as a list"),
            ),
        }
    }
}

/// What a node keeps of its written text when its form changes: only text with variables matters later.
pub(crate) fn raw_of(node: &Node) -> Option<Arc<str>> {
    node.raw
        .clone()
        .filter(|raw| interpolate::has_variables(raw))
}

fn each(node: &mut Node, change: impl Fn(&mut Node)) {
    if let Value::Sequence(items) = &mut node.value {
        items.iter_mut().for_each(change);
    }
}

fn one_to_list(node: &mut Node) {
    if matches!(node.value, Value::String(_)) {
        let item = node.clone();
        node.value = Value::Sequence(vec![item]);
        node.raw = None;
    }
}

fn number_to_text(node: &mut Node) {
    if let Value::Int(_) | Value::Float(_) = node.value
        && let Some(text) = node.scalar_text()
    {
        node.value = Value::String(text);
    }
}

/// `x` to `{key: x}`.
fn text_to_mapping(node: &mut Node, key: &str) {
    if matches!(node.value, Value::String(_)) {
        let inner = node.clone();
        let mut mapping = Mapping::default();
        mapping.set(key, inner);
        node.value = Value::Mapping(mapping);
        node.raw = None;
    }
}

fn set_default(node: &mut Node, key: &str, value: Value) {
    let value = Node::new(value, node.position.clone());
    set_default_node(node, key, value);
}

fn set_default_node(node: &mut Node, key: &str, value: Node) {
    if let Some(mapping) = node.as_mapping_mut()
        && mapping.get(key).is_none()
    {
        mapping.set(key, value);
    }
}

/// What a dependency in a plain list means.
fn started_dependency(node: &mut Node) {
    node.value = Value::Mapping(Mapping::default());
    set_default(node, "condition", Value::String("service_started".into()));
    set_default(node, "required", Value::Bool(true));
}

/// `[a, b]` to `{a: …, b: …}`, each value made by `fill` from nothing.
fn list_to_mapping(node: &mut Node, fill: impl Fn(&mut Node)) {
    let Value::Sequence(items) = &node.value else {
        return;
    };
    let mut mapping = Mapping::default();
    for item in items {
        let Some(name) = item.as_str() else { return };
        let mut value = Node {
            value: Value::Null,
            raw: None,
            ..item.clone()
        };
        fill(&mut value);
        mapping.insert(
            name,
            Entry {
                key_position: item.position.clone(),
                key_raw: raw_of(item),
                value,
            },
        );
    }
    node.value = Value::Mapping(mapping);
}

/// `[A=1, B]` to `{A: "1", B: null}`, the last of a name wins; values become texts.
fn pairs_to_mapping(node: &mut Node) {
    if let Value::Sequence(items) = &node.value {
        let mut mapping = Mapping::default();
        for item in items {
            let Some((name, entry)) = pair(item) else {
                return;
            };
            mapping.insert(name, entry);
        }
        node.value = Value::Mapping(mapping);
    }
    if let Value::Mapping(mapping) = &mut node.value {
        for (_, entry) in mapping.iter_mut() {
            if let Some(text) = entry.value.scalar_text() {
                entry.value.value = Value::String(text);
            }
        }
    }
}

fn pair(item: &Node) -> Option<(String, Entry)> {
    let text = item.as_str()?;
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name, Value::String(value.to_owned())),
        None => (text, Value::Null),
    };
    // Where the name itself came from a variable, the whole text stands for the key.
    let (key_raw, raw) = match raw_of(item) {
        Some(written) => match written.split_once('=') {
            Some((key, value)) if key == name => (None, Some(Arc::from(value))),
            _ => (Some(written), None),
        },
        None => (None, None),
    };
    let raw = raw.filter(|raw: &Arc<str>| interpolate::has_variables(raw));
    let value = match key_raw {
        Some(_) => Node {
            value,
            raw: key_raw.clone(),
            ..item.clone()
        },
        None => Node {
            value,
            raw,
            ..item.clone()
        },
    };
    Some((
        name.to_owned(),
        Entry {
            key_position: item.position.clone(),
            key_raw,
            value,
        },
    ))
}

/// `{A: 1, B: [2, 3]}` to `[A=1, B=2, B=3]`.
fn mapping_to_pairs(node: &mut Node) {
    let Value::Mapping(mapping) = &node.value else {
        return;
    };
    let mut items = Vec::new();
    for (name, entry) in mapping.iter() {
        let values = entry
            .value
            .as_sequence()
            .unwrap_or(std::slice::from_ref(&entry.value));
        for value in values {
            let Some(text) = value.scalar_text() else {
                return;
            };
            let raw = raw_of(value).map(|raw| Arc::from(format!("{name}={raw}")));
            items.push(Node {
                raw,
                ..Node::string_at(format!("{name}={text}"), value)
            });
        }
    }
    // Compose sorts what it makes of a mapping.
    items.sort_by(|a, b| a.as_str().cmp(&b.as_str()));
    node.value = Value::Sequence(items);
}

/// `gpus: all` is one request for all of them.
fn gpus(node: &mut Node) {
    if node.as_str() == Some("all") {
        let mut request = node.clone();
        text_to_mapping(&mut request, "count");
        node.value = Value::Sequence(vec![request]);
    }
}

fn build(node: &mut Node) {
    text_to_mapping(node, "context");
    let Some(fields) = node.as_mapping_mut() else {
        return;
    };
    for (key, entry) in fields.iter_mut() {
        match key.as_str() {
            "args" | "labels" | "additional_contexts" | "ssh" => pairs_to_mapping(&mut entry.value),
            "secrets" => each(&mut entry.value, |item| text_to_mapping(item, "source")),
            "extra_hosts" => mapping_to_pairs(&mut entry.value),
            "tags" | "cache_from" | "cache_to" => one_to_list(&mut entry.value),
            _ => {}
        }
    }
}

/// A text as `test` runs in a shell (Compose Specification, "healthcheck").
fn healthcheck(node: &mut Node) {
    let Some(test) = node
        .as_mapping_mut()
        .and_then(|fields| fields.get_mut("test"))
    else {
        return;
    };
    if matches!(test.value, Value::String(_)) {
        let shell = Node::string_at("CMD-SHELL", test);
        let command = test.clone();
        test.value = Value::Sequence(vec![shell, command]);
        test.raw = None;
    }
}

fn deploy(node: &mut Node) {
    if let Some(labels) = node
        .as_mapping_mut()
        .and_then(|fields| fields.get_mut("labels"))
    {
        pairs_to_mapping(labels);
    }
}
