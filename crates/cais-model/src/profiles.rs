//! Which services a project has under the profiles in force (Compose Specification, "Profiles").

use crate::node::{Mapping, Node};
use std::collections::BTreeSet;

/// Removes the services and jobs whose profiles are not enabled and gives back their names.
pub(crate) fn disable(tree: &mut Node, enabled: &[String]) -> BTreeSet<String> {
    let mut disabled = BTreeSet::new();
    for block in ["services", "jobs"] {
        let mapping = tree
            .as_mapping_mut()
            .and_then(|top| top.get_mut(block))
            .and_then(Node::as_mapping_mut);
        let Some(mapping): Option<&mut Mapping> = mapping else {
            continue;
        };
        mapping.retain(|name, entry| {
            let keeps = is_enabled(&entry.value, enabled);
            if !keeps {
                disabled.insert(name.to_owned());
            }
            keeps
        });
    }
    forget_optional_dependencies(tree, &disabled);
    disabled
}

/// A dependency that is not required and not enabled is as if it were not written.
fn forget_optional_dependencies(tree: &mut Node, disabled: &BTreeSet<String>) {
    let services = tree
        .as_mapping_mut()
        .and_then(|top| top.get_mut("services"))
        .and_then(Node::as_mapping_mut);
    for (_, entry) in services.into_iter().flat_map(Mapping::iter_mut) {
        let fields = entry.value.as_mapping_mut();
        let dependencies = fields
            .and_then(|fields| fields.get_mut("depends_on"))
            .and_then(Node::as_mapping_mut);
        if let Some(dependencies) = dependencies {
            dependencies.retain(|name, dependency| {
                let required = dependency
                    .value
                    .get("required")
                    .and_then(Node::as_bool)
                    .unwrap_or(true);
                required || !disabled.contains(name)
            });
        }
    }
}

fn is_enabled(service: &Node, enabled: &[String]) -> bool {
    let profiles = service
        .get("profiles")
        .and_then(Node::as_sequence)
        .unwrap_or_default();
    let is_on = |profile: &Node| {
        profile.as_str().is_some_and(|name| {
            enabled
                .iter()
                .any(|enabled| enabled == name || enabled == "*")
        })
    };
    profiles.is_empty() || profiles.iter().any(is_on)
}
