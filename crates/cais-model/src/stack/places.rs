//! Where the values of a project stand in its files, for whoever finds a typed value wrong and has to say where it is.

use crate::diagnostic::{Diagnostic, Position};
use crate::node::{Node, Value};
use std::collections::BTreeMap;

/// Keys have dots, and no line breaks.
const BETWEEN: &str = "\n";

/// Places by the path of the value in the merged tree: `["services", "web", "x-cais", "route", "0", "host"]`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Places(BTreeMap<String, (Position, u32)>);

impl Places {
    pub(crate) fn of(tree: &Node) -> Self {
        let mut places = BTreeMap::new();
        collect(tree, "", &mut places);
        Self(places)
    }

    /// An error about the value at a path, or about the nearest thing around it that the files have.
    pub fn error(&self, path: &[&str], message: impl Into<String>) -> Diagnostic {
        let found = (1..=path.len())
            .rev()
            .find_map(|length| self.0.get(&path[..length].join(BETWEEN)));
        match found {
            Some((position, width)) => Diagnostic::error(position, message).with_width(*width),
            None => Diagnostic::error_without_place(message),
        }
    }
}

fn collect(node: &Node, path: &str, places: &mut BTreeMap<String, (Position, u32)>) {
    let below = |key: &str| match path {
        "" => key.to_owned(),
        path => format!("{path}{BETWEEN}{key}"),
    };
    match &node.value {
        Value::Mapping(mapping) => {
            for (key, entry) in mapping.iter() {
                let path = below(key);
                let width = u32::try_from(key.chars().count()).unwrap_or(1);
                // A block is meant by its key, a value by itself.
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
