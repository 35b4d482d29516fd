//! What a service uses up, leaves behind, and brings along from the developer's machine.

use super::super::Service;
use super::Hit;
use cais_model::node::Node;

/// No bound on memory.
pub(super) fn no_memory_limit(service: &Service<'_>, hits: &mut Vec<Hit>) {
    let has_limit = service
        .at(&["deploy", "resources", "limits", "memory"])
        .is_some()
        || service.at(&["mem_limit"]).is_some();
    if !has_limit && !service.is_one_shot() && !service.is_optional() {
        hits.push(service.hit(format!(
            "`{}` may take all the memory there is",
            service.name
        )));
    }
}

/// The `json-file` driver without a size.
pub(super) fn unrotated_logs(service: &Service<'_>, hits: &mut Vec<Hit>) {
    let Some(node) = service.at(&["logging"]) else {
        return;
    };
    let driver = service.text(&["logging", "driver"]);
    let is_file = matches!(driver.as_deref(), None | Some("json-file"));
    if is_file && service.at(&["logging", "options", "max-size"]).is_none() {
        hits.push(Hit::on(node, "the log grows until the disk is full"));
    }
}

/// A folder of the developer's machine in an environment that has none.
pub(super) fn bind_mount(service: &Service<'_>, hits: &mut Vec<Hit>) {
    for node in service.items("volumes") {
        let source = node
            .get("source")
            .and_then(Node::as_str)
            .unwrap_or_default();
        if node.get("type").and_then(Node::as_str) == Some("bind") && !source.ends_with(".sock") {
            hits.push(Hit::on(
                node,
                format!("`{source}` is a folder of this machine: the environment has none of it"),
            ));
        }
    }
}

/// A framework's switch for development.
pub(super) fn debug_mode(service: &Service<'_>, hits: &mut Vec<Hit>) {
    const MODES: [&str; 7] = [
        "NODE_ENV",
        "RAILS_ENV",
        "RACK_ENV",
        "FLASK_ENV",
        "APP_ENV",
        "ASPNETCORE_ENVIRONMENT",
        "MIX_ENV",
    ];
    const SWITCHES: [&str; 5] = [
        "DEBUG",
        "FLASK_DEBUG",
        "DJANGO_DEBUG",
        "APP_DEBUG",
        "WERKZEUG_DEBUG_PIN",
    ];
    for (name, entry) in service.entries(&["environment"]) {
        let value = entry
            .value
            .as_str()
            .unwrap_or_default()
            .to_ascii_lowercase();
        let is_mode = MODES.contains(&name.as_str())
            && matches!(value.as_str(), "development" | "dev" | "local");
        let is_switch = SWITCHES.contains(&name.as_str())
            && matches!(value.as_str(), "1" | "true" | "yes" | "on");
        if is_mode || is_switch {
            hits.push(Hit::on(
                &entry.value,
                format!("`{name}` is `{value}`: error pages and consoles meant for developers"),
            ));
        }
    }
}

/// A database whose files go with its task.
pub(super) fn data_without_volume(service: &Service<'_>, hits: &mut Vec<Hit>) {
    const KEPT: [&str; 11] = [
        "postgres",
        "postgresql",
        "postgis",
        "timescaledb",
        "mysql",
        "mariadb",
        "mongo",
        "mongodb",
        "cassandra",
        "couchdb",
        "neo4j",
    ];
    let name = service.image_name();
    let keeps = !service.items("volumes").is_empty()
        || service.at(&["tmpfs"]).is_some()
        || service.at(&["volumes_from"]).is_some();
    if KEPT.contains(&name.as_str()) && !keeps {
        hits.push(service.hit(format!(
            "the data of `{}` goes when its task is replaced",
            service.name
        )));
    }
}
