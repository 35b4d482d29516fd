//! `build` of a service.

use super::entries;
use super::read::{Reader, text, texts};
use super::service::mounts;
use crate::node::Node;
use crate::stack::Build;
use std::collections::BTreeMap;

/// Reads `build`, in its long form.
pub(super) fn of(node: &Node, reader: &mut Reader<'_>) -> Build {
    let list = |key: &str| texts(node.get(key)).unwrap_or_default();
    Build {
        context: text(node.get("context")).unwrap_or_else(|| ".".to_owned()),
        dockerfile: text(node.get("dockerfile")),
        dockerfile_inline: text(node.get("dockerfile_inline")),
        target: text(node.get("target")),
        args: optional_values(node.get("args")),
        labels: values(node.get("labels")),
        cache_from: list("cache_from"),
        cache_to: list("cache_to"),
        additional_contexts: values(node.get("additional_contexts")),
        platforms: list("platforms"),
        network: text(node.get("network")),
        extra_hosts: list("extra_hosts"),
        shm_size: reader.bytes(node.get("shm_size")),
        // The target of a build's secret is the id that `RUN --mount` names, not a path.
        secrets: mounts(node.get("secrets"), "", reader),
        ssh: optional_values(node.get("ssh")),
        tags: list("tags"),
        no_cache: reader.boolean(node.get("no_cache")).unwrap_or(false),
        pull: reader.boolean(node.get("pull")).unwrap_or(false),
        entitlements: entitlements(node, reader),
    }
}

/// `privileged` is the old way to say `security.insecure`.
fn entitlements(node: &Node, reader: &mut Reader<'_>) -> Vec<String> {
    let mut entitlements = texts(node.get("entitlements")).unwrap_or_default();
    let insecure = "security.insecure";
    if reader.boolean(node.get("privileged")).unwrap_or(false)
        && !entitlements.iter().any(|word| word == insecure)
    {
        entitlements.push(insecure.to_owned());
    }
    entitlements
}

fn optional_values(node: Option<&Node>) -> BTreeMap<String, Option<String>> {
    entries(node)
        .map(|(name, entry)| (name.clone(), entry.value.scalar_text()))
        .collect()
}

fn values(node: Option<&Node>) -> BTreeMap<String, String> {
    entries(node)
        .map(|(name, entry)| (name.clone(), entry.value.scalar_text().unwrap_or_default()))
        .collect()
}
