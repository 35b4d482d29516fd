//! Lists that say each thing once: of two entries for one name, target or port the later stays, in the earlier's place (Compose Specification, "Merge").

use crate::node::{Node, Value};
use crate::path::Path;
use std::collections::HashMap;

/// What makes two entries of a list the same thing. `None` never equals anything.
type KeyOf = fn(&Node) -> Option<String>;

const LISTS: [(&str, KeyOf); 22] = [
    ("build.cache_from", name),
    ("build.tags", name),
    ("cap_add", name),
    ("cap_drop", name),
    ("configs", config),
    ("device_cgroup_rules", name),
    ("devices", target),
    ("dns", name),
    ("dns_opt", name),
    ("dns_search", name),
    ("env_file", path),
    ("expose", name),
    ("external_links", name),
    ("group_add", name),
    ("links", name),
    ("networks.*.aliases", name),
    ("networks.*.link_local_ips", name),
    ("ports", port),
    ("profiles", name),
    ("secrets", secret),
    ("tmpfs", name),
    ("volumes", target),
];

/// Drops the earlier of two equal entries, everywhere in services and jobs.
pub(crate) fn enforce(tree: &mut Node) {
    for block in ["services", "jobs"] {
        if let Some(block_node) = tree.as_mapping_mut().and_then(|top| top.get_mut(block)) {
            walk(block_node, &mut Path::root().key(block));
        }
    }
}

fn walk(node: &mut Node, path: &mut Path) {
    match &mut node.value {
        Value::Mapping(mapping) => {
            for (key, entry) in mapping.iter_mut() {
                path.push_key(key);
                walk(&mut entry.value, path);
                path.pop();
            }
        }
        Value::Sequence(items) => {
            let found = LISTS.iter().find(|(list, _)| path.matches_after(2, list));
            if let Some((_, key_of)) = found {
                *items = once(std::mem::take(items), *key_of);
            }
        }
        _ => {}
    }
}

fn once(items: Vec<Node>, key_of: KeyOf) -> Vec<Node> {
    let mut kept: Vec<Node> = Vec::with_capacity(items.len());
    let mut places = HashMap::new();
    for item in items {
        let key = key_of(&item);
        match key.as_ref().and_then(|key| places.get(key)) {
            Some(&place) => kept[place] = item,
            None => {
                if let Some(key) = key {
                    places.insert(key, kept.len());
                }
                kept.push(item);
            }
        }
    }
    kept
}

fn text(node: &Node, key: &str) -> Option<String> {
    node.get(key).and_then(Node::scalar_text)
}

/// The text before `=`, where there is one.
fn name(node: &Node) -> Option<String> {
    let text = node.as_str()?;
    Some(text.split('=').next().unwrap_or(text).to_owned())
}

fn target(node: &Node) -> Option<String> {
    text(node, "target")
}

fn path(node: &Node) -> Option<String> {
    text(node, "path")
}

fn config(node: &Node) -> Option<String> {
    target(node).or_else(|| text(node, "source").map(|source| format!("/{source}")))
}

fn secret(node: &Node) -> Option<String> {
    target(node).or_else(|| text(node, "source").map(|source| format!("/run/secrets/{source}")))
}

fn port(node: &Node) -> Option<String> {
    let or = |key: &str, default: &str| text(node, key).unwrap_or_else(|| default.to_owned());
    let target = text(node, "target")?;
    let (host, published) = (or("host_ip", "0.0.0.0"), or("published", ""));
    Some(format!(
        "{host}:{published}:{target}/{}",
        or("protocol", "tcp")
    ))
}
