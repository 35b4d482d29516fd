//! Names and labels: how a container, network or volume says whose it is.

use super::Scope;
use cais_engine::event::{RevisionNumber, TaskId};
use cais_model::name::ServiceName;
use std::collections::HashMap;

pub(crate) const PROJECT: &str = "cais.project";
/// Of which state folder: containers of another checkout of the same project are not ours.
pub(crate) const STATE: &str = "cais.state";
pub(crate) const SERVICE: &str = "cais.service";
pub(crate) const REVISION: &str = "cais.revision";
pub(crate) const TASK: &str = "cais.task";
/// What the file calls the image: containers are made by its id.
pub(crate) const IMAGE: &str = "cais.image";

/// Docker Compose's own labels. Networks and volumes bear them, so that it takes them for its own, and the other way
/// round; tasks do not, or `docker compose up` would replace them by its own containers.
pub(crate) const COMPOSE_PROJECT: &str = "com.docker.compose.project";
pub(crate) const COMPOSE_NETWORK: &str = "com.docker.compose.network";
pub(crate) const COMPOSE_VOLUME: &str = "com.docker.compose.volume";

/// A task's container: `shop-web-r3-17`. Docker Compose's own are `shop-web-1`.
pub(super) fn container_name(
    scope: &Scope,
    service: &ServiceName,
    revision: RevisionNumber,
    task: TaskId,
) -> String {
    format!("{}-{service}-r{revision}-{task}", scope.project)
}

/// The labels of a task's container.
pub(super) fn of_task(
    scope: &Scope,
    service: &ServiceName,
    revision: RevisionNumber,
    task: TaskId,
) -> HashMap<String, String> {
    [
        (PROJECT, scope.project.clone()),
        (STATE, scope.key.clone()),
        (SERVICE, service.to_string()),
        (REVISION, revision.to_string()),
        (TASK, task.to_string()),
    ]
    .map(|(label, value)| (label.to_owned(), value))
    .into()
}

/// The labels of a network or a volume, beside the file's own.
pub(super) fn of_resource(scope: &Scope, kind: &str, key: &str) -> HashMap<String, String> {
    [
        (COMPOSE_PROJECT, scope.project.clone()),
        (kind, key.to_owned()),
        (STATE, scope.key.clone()),
    ]
    .map(|(label, value)| (label.to_owned(), value))
    .into()
}

/// A filter for what has this label.
pub(crate) fn with(label: &str, value: &str) -> HashMap<String, Vec<String>> {
    HashMap::from([("label".to_owned(), vec![format!("{label}={value}")])])
}
