//! Entries that contradict themselves.

use crate::diagnostic::Diagnostic;
use crate::node::Node;
use crate::typed::entries;

/// Checks resources, then services.
pub(super) fn check(tree: &Node, diagnostics: &mut Vec<Diagnostic>) {
    for (name, entry) in entries(tree.get("volumes")) {
        external_volume(name, &entry.value, diagnostics);
    }
    for (block, origins) in [
        ("configs", &["file", "environment", "content"][..]),
        ("secrets", &["file", "environment"][..]),
    ] {
        for (name, entry) in entries(tree.get(block)) {
            origin(block, name, &entry.value, origins, diagnostics);
        }
    }
    for (name, entry) in entries(tree.get("services")) {
        service(name, &entry.value, diagnostics);
    }
}

/// Fields of one service that exclude each other.
pub(super) fn exclusions(tree: &Node, diagnostics: &mut Vec<Diagnostic>) {
    for (name, entry) in entries(tree.get("services")) {
        let node = &entry.value;
        if let Some(build) = node.get("build")
            && let Some(inline) = build.get("dockerfile_inline")
            && build.get("dockerfile").is_some()
        {
            diagnostics.push(inline.error(format!(
                "service `{name}` has both `dockerfile` and `dockerfile_inline`"
            )));
        }
        if let Some(mode) = node.get("network_mode")
            && node
                .get("networks")
                .and_then(Node::as_mapping)
                .is_some_and(|networks| !networks.is_empty())
        {
            diagnostics.push(mode.error(format!(
                "service `{name}` has both `network_mode` and `networks`"
            )));
        }
    }
}

/// An external volume is made elsewhere: nothing here can say how.
fn external_volume(name: &str, node: &Node, diagnostics: &mut Vec<Diagnostic>) {
    if node.get("external").and_then(Node::as_bool) != Some(true) {
        return;
    }
    for (key, entry) in entries(Some(node)) {
        if !matches!(key.as_str(), "name" | "external") && !key.starts_with("x-") {
            diagnostics.push(
                Diagnostic::error(
                    &entry.key_position,
                    format!("volume `{name}` is external and cannot have `{key}`"),
                )
                .with_width(width(key)),
            );
        }
    }
}

fn origin(
    block: &str,
    name: &str,
    node: &Node,
    origins: &[&str],
    diagnostics: &mut Vec<Diagnostic>,
) {
    let what = block.trim_end_matches('s');
    let given: Vec<&str> = origins
        .iter()
        .copied()
        .filter(|key| node.get(key).is_some())
        .collect();
    let list = origins
        .iter()
        .map(|key| format!("`{key}`"))
        .collect::<Vec<_>>()
        .join(", ");
    if given.len() > 1 {
        diagnostics.push(node.error(format!(
            "{what} `{name}` has {}; it can have one of {list}",
            given.join(" and ")
        )));
    }
    if given.is_empty() && node.get("external").is_none() && node.get("driver").is_none() {
        diagnostics.push(node.error(format!(
            "{what} `{name}` needs one of {list}, or `external: true`"
        )));
    }
}

fn service(name: &str, node: &Node, diagnostics: &mut Vec<Diagnostic>) {
    let reservations = node.at(&["deploy", "resources", "reservations", "devices"]);
    for request in [reservations, node.get("gpus")].into_iter().flatten() {
        for device in request.as_sequence().unwrap_or_default() {
            device_request(device, diagnostics);
        }
    }
    for volume in node
        .get("volumes")
        .and_then(Node::as_sequence)
        .unwrap_or_default()
    {
        if volume.as_mapping().is_some() && volume.get("target").is_none() {
            diagnostics
                .push(volume.error(format!("a volume of service `{name}` needs a `target`")));
        }
    }
    for rule in node
        .at(&["develop", "watch"])
        .and_then(Node::as_sequence)
        .unwrap_or_default()
    {
        if let Some(path) = rule.get("path").filter(|path| path.as_str() == Some("")) {
            diagnostics.push(path.error("the path to watch is empty"));
        }
    }
}

fn device_request(device: &Node, diagnostics: &mut Vec<Diagnostic>) {
    let Some(count) = device.get("count") else {
        return;
    };
    if device.get("device_ids").is_some() {
        diagnostics.push(count.error("a device request has `count` or `device_ids`, not both"));
    }
    let is_number = count
        .scalar_text()
        .is_some_and(|text| text.parse::<i64>().is_ok());
    if !is_number && count.as_str() != Some("all") {
        let written = count.scalar_text().unwrap_or_default();
        diagnostics.push(
            count
                .error(format!("`{written}` is not a number of devices"))
                .with_help("write a number, or `all`"),
        );
    }
}

fn width(key: &str) -> u32 {
    u32::try_from(key.chars().count()).unwrap_or(1)
}
