//! A service's definition for its revision: canonical JSON of the merged node, with every text that has variables as it was written.

use crate::node::{Node, Value};
use crate::variables;
use serde_json::{Map, Value as Json};
use std::collections::BTreeSet;

/// What only says how many tasks there are, when, and how traffic reaches them: changing it changes no task.
const NOT_OF_A_TASK: [&str; 5] = ["scale", "deploy", "depends_on", "profiles", "develop"];

/// A service in canonical JSON.
pub(crate) struct Definition {
    /// All of it.
    pub(crate) service: String,
    /// What a task is made of.
    pub(crate) task: String,
    /// Variables it names.
    pub(crate) used: BTreeSet<String>,
}

/// The definition of a service in long form.
pub(crate) fn of(service: &Node) -> Definition {
    let mut used = BTreeSet::new();
    let json = written(service, &mut used);
    // A key without a value takes the caller's variable of that name.
    if let Some(environment) = service.get("environment").and_then(Node::as_mapping) {
        let taken = environment
            .iter()
            .filter(|(_, entry)| entry.value.is_null());
        used.extend(taken.map(|(name, _)| name.clone()));
    }
    Definition {
        service: json.to_string(),
        task: task(json).to_string(),
        used,
    }
}

fn written(node: &Node, used: &mut BTreeSet<String>) -> Json {
    if let Some(raw) = &node.raw {
        used.extend(variables::names_in(raw));
        return Json::String(raw.to_string());
    }
    match &node.value {
        Value::Sequence(items) => items.iter().map(|item| written(item, used)).collect(),
        Value::Mapping(mapping) => {
            let mut pairs = Vec::with_capacity(mapping.len());
            for (key, entry) in mapping.iter() {
                if let Some(raw) = &entry.key_raw {
                    used.extend(variables::names_in(raw));
                }
                let key = entry.key_raw.as_deref().unwrap_or(key);
                pairs.push((key.to_owned(), written(&entry.value, used)));
            }
            pairs.sort_by(|a, b| a.0.cmp(&b.0));
            Json::Object(pairs.into_iter().collect::<Map<_, _>>())
        }
        _ => node.to_json(),
    }
}

/// Leaves out what changes no task; of `deploy` the resources stay, of `x-cais` the process.
fn task(mut service: Json) -> Json {
    let Some(fields) = service.as_object_mut() else {
        return service;
    };
    let resources = fields
        .get("deploy")
        .and_then(|deploy| deploy.get("resources"))
        .cloned();
    let process = fields
        .get("x-cais")
        .and_then(|block| block.get("process"))
        .cloned();
    fields.retain(|key, _| !NOT_OF_A_TASK.contains(&key.as_str()) && key != "x-cais");
    for (key, below, value) in [
        ("deploy", "resources", resources),
        ("x-cais", "process", process),
    ] {
        if let Some(value) = value {
            fields.insert(
                key.to_owned(),
                Json::Object(Map::from_iter([(below.to_owned(), value)])),
            );
        }
    }
    service.sort_all_objects();
    service
}
