//! Fills in what the long forms of a merged tree leave out, and the dependencies that other fields imply.

use super::{each, set_default, set_default_node};
use crate::name::ServiceName;
use crate::node::{Mapping, Node, Value};

/// Fields whose `service:NAME` means that the other service's container must exist first.
const NAMESPACES: [&str; 5] = ["network_mode", "ipc", "pid", "uts", "cgroup"];

/// Completes services and jobs. Done after merging: a default of a later file must not hide a value of an earlier one.
pub(crate) fn fill(tree: &mut Node) {
    for block in ["services", "jobs"] {
        for (_, entry) in super::entries_mut(tree, block) {
            service(&mut entry.value);
        }
    }
}

fn service(service: &mut Node) {
    imply_dependencies(service);
    let Some(fields) = service.as_mapping_mut() else {
        return;
    };
    for (key, entry) in fields.iter_mut() {
        let node = &mut entry.value;
        match key.as_str() {
            "build" => set_default(node, "context", Value::String(".".into())),
            "depends_on" => {
                for (_, dependency) in node
                    .as_mapping_mut()
                    .into_iter()
                    .flat_map(Mapping::iter_mut)
                {
                    set_default(&mut dependency.value, "required", Value::Bool(true));
                }
            }
            "env_file" => each(node, |item| {
                set_default(item, "required", Value::Bool(true));
            }),
            "secrets" => each(node, |item| {
                if let Some(source) = item.get("source").and_then(Node::as_str) {
                    let target = format!("/run/secrets/{source}");
                    let raw = item
                        .get("source")
                        .and_then(super::raw_of)
                        .map(|raw| format!("/run/secrets/{raw}").into());
                    let target = Node {
                        raw,
                        ..Node::string_at(target, item)
                    };
                    set_default_node(item, "target", target);
                }
            }),
            "gpus" => each(node, every_device),
            "ports" => each(node, |item| {
                set_default(item, "protocol", Value::String("tcp".into()));
                set_default(item, "mode", Value::String("ingress".into()));
            }),
            _ => {}
        }
    }
}

fn every_device(request: &mut Node) {
    if request.get("device_ids").is_none() {
        set_default(request, "count", Value::String("all".into()));
    }
}

/// `links`, `volumes_from` and shared namespaces imply `depends_on` (Compose Specification, "links").
fn imply_dependencies(service: &mut Node) {
    let mut implied: Vec<Node> = Vec::new();
    for link in service
        .get("links")
        .and_then(Node::as_sequence)
        .unwrap_or_default()
    {
        let name = link
            .as_str()
            .unwrap_or_default()
            .split(':')
            .next()
            .unwrap_or_default();
        implied.push(Node::string_at(name, link));
    }
    for key in NAMESPACES {
        if let Some(node) = service.get(key)
            && let Some(name) = node.as_str().and_then(|text| text.strip_prefix("service:"))
        {
            implied.push(Node::string_at(name, node));
        }
    }
    for volumes in service
        .get("volumes_from")
        .and_then(Node::as_sequence)
        .unwrap_or_default()
    {
        let name = volumes.as_str().unwrap_or_default();
        if !name.starts_with("container:") {
            implied.push(Node::string_at(
                name.split(':').next().unwrap_or_default(),
                volumes,
            ));
        }
    }
    for name in implied
        .iter()
        .filter(|name| name.as_str().is_some_and(|name| !name.is_empty()))
    {
        depend(service, name);
    }
}

fn depend(service: &mut Node, on: &Node) {
    let Some(name) = on.as_str().filter(|name| ServiceName::parse(name).is_ok()) else {
        return;
    };
    let place = Node::mapping_at(on);
    let Some(fields) = service.as_mapping_mut() else {
        return;
    };
    if fields.get("depends_on").is_none() {
        fields.set("depends_on", place.clone());
    }
    let Some(dependencies) = fields.get_mut("depends_on").and_then(Node::as_mapping_mut) else {
        return;
    };
    if dependencies.get(name).is_some() {
        return;
    }
    let mut dependency = place;
    set_default(
        &mut dependency,
        "condition",
        Value::String("service_started".into()),
    );
    set_default(&mut dependency, "restart", Value::Bool(true));
    set_default(&mut dependency, "required", Value::Bool(true));
    dependencies.set(name, dependency);
}
