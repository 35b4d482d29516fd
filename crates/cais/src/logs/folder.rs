//! Finds the tasks that have logs: those of the state's present and those that were forgotten.

use super::archive::FORGOTTEN;
use crate::shim::record::TaskOwner;
use cais_engine::event::TaskId;
use cais_model::name::ServiceName;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// One task's log folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TaskFolder {
    /// Whose.
    pub(crate) task: TaskId,
    /// Of which service.
    pub(crate) service: ServiceName,
    /// Where `log` and its elders are.
    pub(crate) dir: PathBuf,
    /// Nothing is written there any more.
    pub(crate) is_forgotten: bool,
}

/// Lists the tasks that have a record and that `wanted` does not refuse, by id. Where there is no state there are none.
///
/// A task that is forgotten while we look is found: present tasks are listed first, and a folder only
/// moves from there to the forgotten ones.
pub(crate) fn list(state: &Path, wanted: impl Fn(TaskId) -> bool) -> io::Result<Vec<TaskFolder>> {
    let mut found = BTreeMap::new();
    for dir in subfolders(&state.join("tasks"))? {
        add(&mut found, dir, false, &wanted);
    }
    for service in subfolders(&state.join(FORGOTTEN))? {
        for dir in subfolders(&service)? {
            add(&mut found, dir, true, &wanted);
        }
    }
    Ok(found.into_values().collect())
}

/// A folder without a record is of a task that is only being born, or never was: it has no service yet.
fn add(
    found: &mut BTreeMap<TaskId, TaskFolder>,
    dir: PathBuf,
    is_forgotten: bool,
    wanted: &impl Fn(TaskId) -> bool,
) {
    let task = dir
        .file_name()
        .and_then(|name| name.to_str()?.parse().ok())
        .map(TaskId);
    let Some(task) = task.filter(|task| wanted(*task)) else {
        return;
    };
    if let Ok(Some(TaskOwner { service, .. })) = TaskOwner::read(&dir) {
        found.insert(
            task,
            TaskFolder {
                task,
                service,
                dir,
                is_forgotten,
            },
        );
    }
}

pub(crate) fn subfolders(dir: &Path) -> io::Result<Vec<PathBuf>> {
    match fs::read_dir(dir) {
        Ok(entries) => Ok(entries.flatten().map(|entry| entry.path()).collect()),
        Err(e)
            if matches!(
                e.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            Ok(Vec::new())
        }
        Err(e) => Err(e),
    }
}
