//! `volumes` and `devices` entries of a service in the long form.

use super::raw_of;
use crate::diagnostic::Diagnostic;
use crate::node::{Mapping, Node, Value};
use crate::path::Path;
use crate::volume::{self, VolumeSpec};

const PROPAGATIONS: [&str; 6] = [
    "private", "rprivate", "shared", "rshared", "slave", "rslave",
];

/// Replaces every short entry by its long one.
pub(super) fn volumes(node: &mut Node, path: &Path, diagnostics: &mut Vec<Diagnostic>) {
    let Value::Sequence(items) = &mut node.value else {
        return;
    };
    for (index, item) in items.iter_mut().enumerate() {
        let Some(text) = item.as_str() else {
            clean_target(item);
            continue;
        };
        match volume::parse(text) {
            Ok(spec) => {
                let long = entry(item, &spec);
                item.raw = raw_of(item);
                item.value = Value::Mapping(long);
            }
            Err(error) => diagnostics.push(item.error(format!("{}: {error}", path.index(index)))),
        }
    }
}

fn entry(item: &Node, spec: &VolumeSpec<'_>) -> Mapping {
    let boolean = |value| Node {
        value: Value::Bool(value),
        raw: None,
        ..item.clone()
    };
    let is_bind = spec.source.is_some_and(volume::is_path);
    let mut mapping = Mapping::default();
    mapping.set(
        "type",
        Node::string_at(if is_bind { "bind" } else { "volume" }, item),
    );
    if let Some(source) = spec.source {
        mapping.set("source", Node::string_at(source, item));
    }
    mapping.set("target", Node::string_at(without_slash(spec.target), item));
    let mut details = Mapping::default();
    if is_bind {
        // The short form creates a missing folder on the host (Compose Specification, "Volumes", short syntax).
        details.set("create_host_path", boolean(true));
    }
    for option in &spec.options {
        match *option {
            "ro" => mapping.set("read_only", boolean(true)),
            "nocopy" if !is_bind => details.set("nocopy", boolean(true)),
            "z" | "Z" if is_bind => details.set("selinux", Node::string_at(*option, item)),
            option if is_bind && PROPAGATIONS.contains(&option) => {
                details.set("propagation", Node::string_at(option, item));
            }
            _ => {}
        }
    }
    if !details.is_empty() {
        let details = Node {
            value: Value::Mapping(details),
            ..Node::mapping_at(item)
        };
        mapping.set(if is_bind { "bind" } else { "volume" }, details);
    }
    mapping
}

/// `/data/` and `/data` are one place.
fn clean_target(item: &mut Node) {
    let Some(target) = item
        .as_mapping_mut()
        .and_then(|mapping| mapping.get_mut("target"))
    else {
        return;
    };
    if let Value::String(text) = &mut target.value {
        *text = without_slash(text).to_owned();
    }
}

fn without_slash(path: &str) -> &str {
    match path.trim_end_matches('/') {
        "" => path,
        trimmed => trimmed,
    }
}

/// `host[:container[:permissions]]`.
pub(super) fn device(item: &mut Node) {
    let Some(text) = item.as_str() else { return };
    let parts: Vec<&str> = text.split(':').collect();
    let (source, target, permissions) = match parts.as_slice() {
        [source] => (*source, *source, "rwm"),
        [source, target] => (*source, *target, "rwm"),
        [source, target, permissions] => (*source, *target, *permissions),
        // A device of another kind, e.g. a CDI name; it stays as it is.
        _ => return,
    };
    let mut mapping = Mapping::default();
    for (key, value) in [
        ("source", source),
        ("target", target),
        ("permissions", permissions),
    ] {
        mapping.set(key, Node::string_at(value, item));
    }
    item.raw = raw_of(item);
    item.value = Value::Mapping(mapping);
}
