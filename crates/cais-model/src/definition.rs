//! A service's definition for its revision: canonical JSON of the merged node, with every text that has variables as it was written.

use crate::node::{Node, Value};
use crate::variables;
use serde_json::{Map, Value as Json};
use std::collections::BTreeSet;

/// The canonical JSON of a service and the variables it uses.
pub(crate) fn of(service: &Node) -> (String, BTreeSet<String>) {
    let mut used = BTreeSet::new();
    let json = written(service, &mut used);
    // A key without a value takes the caller's variable of that name.
    if let Some(environment) = service.get("environment").and_then(Node::as_mapping) {
        let taken = environment
            .iter()
            .filter(|(_, entry)| entry.value.is_null());
        used.extend(taken.map(|(name, _)| name.clone()));
    }
    (json.to_string(), used)
}

fn written(node: &Node, used: &mut BTreeSet<String>) -> Json {
    if let Some(raw) = &node.raw {
        used.extend(variables::names_in(raw));
        return Json::String(raw.to_string());
    }
    match &node.value {
        Value::Sequence(items) => items.iter().map(|item| written(item, used)).collect(),
        Value::Mapping(mapping) => {
            let mut keys: Vec<&str> = mapping.keys().collect();
            keys.sort_unstable();
            let mut object = Map::new();
            for key in keys {
                if let Some(value) = mapping.get(key) {
                    object.insert(key.to_owned(), written(value, used));
                }
            }
            Json::Object(object)
        }
        _ => node.to_json(),
    }
}
