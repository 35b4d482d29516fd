//! `task.json` of a task in a container: what the next supervisor needs to go on with it.

use crate::shim::record;
use cais_engine::event::{RevisionNumber, TaskId};
use cais_model::name::ServiceName;
use cais_model::stack::LogRotation;
use serde::{Deserialize, Serialize};
use std::io;
use std::path::Path;

/// Written before the container is made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ContainerRecord {
    /// Its id.
    pub(super) task: TaskId,
    /// Of which service.
    pub(super) service: ServiceName,
    /// At which revision.
    pub(super) revision: RevisionNumber,
    /// The container's name.
    pub(super) container: String,
    /// Ports that it is reached by.
    pub(super) ports: Vec<u16>,
    /// How much of its log is kept.
    pub(super) log: LogRotation,
}

impl ContainerRecord {
    pub(super) fn read(dir: &Path) -> io::Result<Option<Self>> {
        record::read(&dir.join(record::TASK))
    }

    pub(super) fn write(&self, dir: &Path) -> io::Result<()> {
        record::write(dir, record::TASK, self)
    }
}
