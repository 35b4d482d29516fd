//! Finds the containers of a stack that an earlier supervisor left, and what became of each.

use super::engine::said;
use super::handle::ended;
use super::record::ContainerRecord;
use super::{Engine, follow, labels, start};
use crate::exit::Outcome;
use crate::logs::archive;
use crate::runtime::{Adopted, TaskEvents, TaskHandle};
use crate::shim::record::{ExitRecord, TaskOwner};
use bollard::models::ContainerStateStatusEnum;
use bollard::query_parameters::{InspectContainerOptions, ListContainersOptionsBuilder};
use cais_engine::event::{ExitStatus, TaskId};
use std::collections::BTreeMap;
use std::io;
use std::path::Path;

/// The stack's containers, running or not: task to container.
///
/// # Errors
/// When the engine does not answer.
pub(crate) async fn found(engine: &Engine) -> Outcome<BTreeMap<u64, String>> {
    let options = ListContainersOptionsBuilder::default()
        .all(true)
        .filters(&labels::with(labels::STATE, &engine.scope.key))
        .build();
    let listed = engine
        .client
        .list_containers(Some(options))
        .await
        .map_err(|error| engine.endpoint.unreachable(&error))?;
    Ok(listed
        .into_iter()
        .filter_map(|container| {
            let task = container.labels?.get(labels::TASK)?.parse().ok()?;
            Some((task, container.id?))
        })
        .collect())
}

/// What became of a task whose folder is `task_dir` and whose container, if there is one, is `container`.
///
/// # Errors
/// In words, when its folder or its container cannot be looked at.
pub(crate) async fn adopt(
    engine: &Engine,
    task_dir: &Path,
    container: Option<&str>,
    events: TaskEvents,
) -> Result<Adopted, String> {
    let cannot = |error: io::Error| format!("cannot read `{}`: {error}", task_dir.display());
    if let Some(exit) = ExitRecord::read(task_dir).map_err(cannot)? {
        return Ok(Adopted::Exited(exit.status));
    }
    let record = ContainerRecord::read(task_dir).map_err(cannot)?;
    let (Some(container), Some(record)) = (container, record) else {
        // The record is written first: without one nothing was begun, and without a container nothing can be told.
        let begun = ContainerRecord::read(task_dir).map_err(cannot)?.is_some();
        return Ok(if begun {
            Adopted::Lost
        } else {
            Adopted::NeverStarted
        });
    };
    let found = engine
        .client
        .inspect_container(container, None::<InspectContainerOptions>)
        .await
        .map_err(|error| said(&error))?;
    let state = found.state.clone().unwrap_or_default();
    if let Some(status) = ended(&state) {
        let follower = follow::Follower::begin(engine, &record.container, task_dir, record.log);
        follower.finish().await;
        ExitRecord::now(status).write(task_dir).map_err(cannot)?;
        return Ok(Adopted::Exited(status));
    }
    match state.status {
        Some(ContainerStateStatusEnum::CREATED) => Ok(Adopted::NeverStarted),
        Some(ContainerStateStatusEnum::REMOVING) => Ok(Adopted::Exited(ExitStatus::Unknown)),
        _ => {
            let (handle, addresses) =
                start::hold(engine, &record, &found, task_dir.to_owned(), events);
            Ok(Adopted::Alive(
                TaskHandle::Container(handle),
                Some(addresses),
            ))
        }
    }
}

impl Engine {
    /// Removes a task's container; its log stays readable among those of forgotten tasks. Safe to perform twice.
    pub(crate) async fn forget(&self, task_dir: &Path, container: Option<&str>) -> io::Result<()> {
        let record = ContainerRecord::read(task_dir)?;
        let name = record.as_ref().map(|record| record.container.as_str());
        if let Some(container) = container.or(name) {
            start::remove(self, container).await;
        }
        match TaskOwner::read(task_dir)? {
            Some(owner) => archive(task_dir, &owner.service, owner.task),
            None if task_dir.try_exists()? => std::fs::remove_dir_all(task_dir),
            None => Ok(()),
        }
    }

    /// A container that belongs to no task that anybody knows of.
    pub(crate) async fn end_orphan(&self, task: TaskId, container: &str) {
        tracing::warn!(%task, container, "a container that belongs to nothing is removed");
        start::remove(self, container).await;
    }
}
