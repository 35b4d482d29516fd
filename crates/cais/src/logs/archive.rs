//! Moves a forgotten task's logs aside, so that `logs` still shows why it ended, and lets the oldest go.

use super::folder::subfolders;
use crate::shim::record::LOCK;
use cais_engine::event::TaskId;
use cais_model::name::ServiceName;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// Under the state folder: `logs/<service>/<task>`.
pub(crate) const FORGOTTEN: &str = "logs";
/// Forgotten tasks kept of each service.
const KEPT: usize = 20;

/// Moves `<state>/tasks/<task>` to where forgotten tasks are. The caller sees to it that nothing is written there
/// any more. One rename,
/// so a reader sees the folder in one place or the other.
pub(crate) fn archive(task_dir: &Path, service: &ServiceName, task: TaskId) -> io::Result<()> {
    let to = place(task_dir, service, task.0).ok_or(io::ErrorKind::InvalidInput)?;
    if let Some(parent) = to.parent() {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(parent)?;
    }
    // An older state with the same ids (its journal was deleted) gives way.
    missing_is_fine(fs::remove_dir_all(&to))?;
    fs::rename(task_dir, &to)?;
    missing_is_fine(fs::remove_file(to.join(LOCK)))?;
    to.parent().map_or(Ok(()), prune)
}

/// Where a task's folder is once it is forgotten.
pub(crate) fn place(task_dir: &Path, service: &ServiceName, task: u64) -> Option<PathBuf> {
    let state = task_dir.parent()?.parent()?;
    // `.` and `..` are legal service names (Compose Specification) and no folder names.
    let name = match service.as_str() {
        dots if dots.bytes().all(|b| b == b'.') => format!("dots{}", dots.len()),
        name => name.to_owned(),
    };
    Some(state.join(FORGOTTEN).join(name).join(task.to_string()))
}

/// Ids only grow, so the smallest are the oldest.
fn prune(service: &Path) -> io::Result<()> {
    let mut tasks: Vec<(u64, PathBuf)> = subfolders(service)?
        .into_iter()
        .filter_map(|dir| Some((dir.file_name()?.to_str()?.parse().ok()?, dir)))
        .collect();
    tasks.sort_unstable();
    let excess = tasks.len().saturating_sub(KEPT);
    tasks[..excess]
        .iter()
        .try_for_each(|(_, dir)| missing_is_fine(fs::remove_dir_all(dir)))
}

fn missing_is_fine(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
