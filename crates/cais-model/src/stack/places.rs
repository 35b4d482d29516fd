//! Where the values of a project stand in its files, for whoever finds a typed value wrong and has to say where it is.

use crate::diagnostic::{Diagnostic, Position};
use crate::node::{Node, Value};
use std::collections::BTreeMap;

/// Values by their path in the merged tree: `services.web.x-cais.route.0.host`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Places(BTreeMap<String, (Position, u32)>);

impl Places {
    pub(crate) fn of(tree: &Node) -> Self {
        let mut places = BTreeMap::new();
        collect(tree, "", &mut places);
        Self(places)
    }

    /// An error about the value at a path, or the nearest value around it; `None` where the files have nothing of the path.
    pub fn error(&self, path: &str, message: impl Into<String>) -> Option<Diagnostic> {
        let mut path = path;
        loop {
            if let Some((position, width)) = self.0.get(path) {
                return Some(Diagnostic::error(position, message).with_width(*width));
            }
            path = path.rsplit_once('.')?.0;
        }
    }
}

fn collect(node: &Node, path: &str, places: &mut BTreeMap<String, (Position, u32)>) {
    let below = |key: &str| match path {
        "" => key.to_owned(),
        path => format!("{path}.{key}"),
    };
    match &node.value {
        Value::Mapping(mapping) => {
            for (key, entry) in mapping.iter() {
                let path = below(key);
                // A block is meant by its key, a value by itself.
                let width = u32::try_from(key.chars().count()).unwrap_or(1);
                let place = match entry.value.value {
                    Value::Mapping(_) | Value::Null => (entry.key_position.clone(), width),
                    _ => (entry.value.position.clone(), entry.value.width),
                };
                collect(&entry.value, &path, places);
                places.insert(path, place);
            }
        }
        Value::Sequence(items) => {
            for (index, item) in items.iter().enumerate() {
                let path = below(&index.to_string());
                collect(item, &path, places);
                places.insert(path, (item.position.clone(), item.width));
            }
        }
        _ => {}
    }
}
