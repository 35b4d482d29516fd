//! `ports` entries in the long form; a range gives one entry a port.

use super::raw_of;
use crate::diagnostic::Diagnostic;
use crate::node::{Mapping, Node, Value};
use crate::path::Path;
use crate::port::{self, PortRange, PortSpec};

/// Entries a list may have once its ranges are written out: every port of both protocols.
const MAX_ENTRIES: usize = 2 * 65_535;

/// Replaces every short entry by its long ones and completes the long ones.
pub(super) fn expand(node: &mut Node, path: &Path, diagnostics: &mut Vec<Diagnostic>) {
    let Value::Sequence(items) = &mut node.value else {
        return;
    };
    let mut long = Vec::with_capacity(items.len());
    for (index, mut item) in std::mem::take(items).into_iter().enumerate() {
        let Some(text) = item.scalar_text() else {
            complete(&mut item);
            long.push(item);
            continue;
        };
        if long.len() > MAX_ENTRIES {
            diagnostics.push(item.error(format!("{path}: more than {MAX_ENTRIES} ports")));
            break;
        }
        match port::parse(&text) {
            Ok(specs) => long.extend(specs.iter().map(|spec| entry(&item, spec))),
            Err(error) => diagnostics.push(item.error(format!("{}: {error}", path.index(index)))),
        }
    }
    *items = long;
}

fn entry(item: &Node, spec: &PortSpec) -> Node {
    let mut mapping = Mapping::default();
    if let Some(host) = spec.host {
        mapping.set("host_ip", Node::string_at(host.to_string(), item));
    }
    mapping.set(
        "target",
        Node {
            value: Value::Int(i64::from(spec.target)),
            raw: None,
            ..item.clone()
        },
    );
    if let Some(range) = spec.published {
        mapping.set("published", Node::string_at(range_text(range), item));
    }
    mapping.set("protocol", Node::string_at(spec.protocol, item));
    mapping.set("mode", Node::string_at("ingress", item));
    Node {
        value: Value::Mapping(mapping),
        raw: raw_of(item),
        ..item.clone()
    }
}

fn range_text(range: PortRange) -> String {
    if range.first == range.last {
        range.first.to_string()
    } else {
        format!("{}-{}", range.first, range.last)
    }
}

fn complete(item: &mut Node) {
    if let Some(published) = item
        .as_mapping_mut()
        .and_then(|mapping| mapping.get_mut("published"))
    {
        super::number_to_text(published);
    }
}
