//! The merged tree with everything said that a reader would have to know: absolute paths, env files in `environment`, the
//! default network, the names that resources get. Printing it, and hiding secrets, is the caller's.

use crate::node::{Mapping, Node, Value};
use crate::paths;
use crate::source::Loaded;
use crate::stack::Service;
use std::path::PathBuf;

/// What is resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolve {
    /// Are relative paths made absolute?
    pub paths: bool,
    /// What `~` stands for in a path; without one it stays.
    pub home: Option<PathBuf>,
    /// Do env files join `environment`, and names without a value take the caller's?
    pub environment: bool,
    /// Are the default network and the names of resources written out?
    pub names: bool,
}

/// The tree of a project, resolved.
pub fn resolved(loaded: &Loaded, what: &Resolve) -> Node {
    let mut tree = loaded.tree.clone();
    if what.paths {
        paths::make_absolute(&mut tree, &loaded.stack.directory, what.home.as_deref());
    }
    if what.environment {
        for service in loaded.stack.services.values() {
            if let Some(fields) = service_of(&mut tree, service) {
                environment(fields, service);
            }
        }
    }
    if what.names {
        for service in loaded.stack.services.values() {
            if let Some(fields) = service_of(&mut tree, service) {
                default_network(fields, loaded);
            }
        }
        names(&mut tree, loaded);
    }
    tree
}

/// The tree as its files wrote it, variables not filled in.
pub fn as_written(tree: &Node) -> Node {
    let mut tree = tree.clone();
    unfill(&mut tree);
    tree
}

fn unfill(node: &mut Node) {
    if let Some(raw) = node.raw.take() {
        node.value = Value::String(raw.to_string());
        return;
    }
    match &mut node.value {
        Value::Sequence(items) => items.iter_mut().for_each(unfill),
        Value::Mapping(mapping) => mapping
            .iter_mut()
            .for_each(|(_, entry)| unfill(&mut entry.value)),
        _ => {}
    }
}

fn service_of<'t>(tree: &'t mut Node, service: &Service) -> Option<&'t mut Mapping> {
    let services = tree.as_mapping_mut()?.get_mut("services")?;
    services
        .as_mapping_mut()?
        .get_mut(service.name.as_str())?
        .as_mapping_mut()
}

/// A name that nothing gives a value stays, empty.
fn environment(fields: &mut Mapping, service: &Service) {
    let files = fields.remove("env_file").map(|entry| entry.value);
    let own = fields.remove("environment").map(|entry| entry.value);
    let Some(place) = own.as_ref().or(files.as_ref()) else {
        return;
    };
    let mut environment = Node::mapping_at(place);
    let mut all = own
        .as_ref()
        .and_then(Node::as_mapping)
        .cloned()
        .unwrap_or_default();
    for (name, value) in &service.environment {
        if all.get(name).is_none_or(Node::is_null) {
            all.set_value(name, Node::string_at(value, place));
        }
    }
    environment.value = Value::Mapping(all);
    fields.set("environment", environment);
}

fn default_network(fields: &mut Mapping, loaded: &Loaded) {
    let is_free = fields.get("networks").is_none() && fields.get("network_mode").is_none();
    let Some(first) = fields.iter().next().map(|(_, entry)| entry.value.clone()) else {
        return;
    };
    if is_free && loaded.stack.networks.contains_key("default") {
        let mut networks = Node::mapping_at(&first);
        if let Some(mapping) = networks.as_mapping_mut() {
            mapping.set("default", Node::new(Value::Null, first.position.clone()));
        }
        fields.set("networks", networks);
    }
}

fn names(tree: &mut Node, loaded: &Loaded) {
    let stack = &loaded.stack;
    for (key, network) in &stack.networks {
        name(tree, "networks", key, &network.name);
    }
    for (key, volume) in &stack.volumes {
        name(tree, "volumes", key, &volume.name);
    }
    for (block, keys) in [
        ("secrets", stack.secrets.keys()),
        ("configs", stack.configs.keys()),
    ] {
        for key in keys {
            let external = tree.at(&[block, key, "external"]).and_then(Node::as_bool);
            let named = match external {
                Some(true) => key.clone(),
                _ => format!("{}_{key}", stack.name),
            };
            name(tree, block, key, &named);
        }
    }
}

/// Gives a resource its name, unless it has one.
fn name(tree: &mut Node, block: &str, key: &str, name: &str) {
    let place = Node::mapping_at(tree);
    let Some(top) = tree.as_mapping_mut() else {
        return;
    };
    if top.get(block).is_none_or(Node::is_null) {
        top.set_value(block, place.clone());
    }
    let Some(entries) = top.get_mut(block).and_then(Node::as_mapping_mut) else {
        return;
    };
    if entries.get(key).is_none_or(Node::is_null) {
        entries.set_value(key, place.clone());
    }
    if let Some(fields) = entries.get_mut(key).and_then(Node::as_mapping_mut)
        && fields.get("name").is_none()
    {
        fields.set("name", Node::string_at(name, &place));
    }
}
