//! What a shim is told to run: travels through a pipe once and is never written to disk, because its variables may be secrets.

use super::signal::Signal;
use cais_engine::event::{RevisionNumber, TaskId};
use cais_model::name::ServiceName;
use cais_model::stack::LogRotation;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The variable that marks a task's processes, so that they are found in `/proc/*/environ` without their shim.
pub(crate) const MARK: &str = "CAIS_TASK";

/// One task to run.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct TaskSpec {
    /// Its id.
    pub(crate) task: TaskId,
    /// Of which service.
    pub(crate) service: ServiceName,
    /// At which revision.
    pub(crate) revision: RevisionNumber,
    /// `<state>/tasks/<task id>`, absolute.
    pub(crate) task_dir: PathBuf,
    /// Where the shim listens; at most 107 bytes (`sun_path`, unix(7)).
    pub(crate) socket: PathBuf,
    /// The program and its arguments; not empty.
    pub(crate) argv: Vec<String>,
    /// The whole environment of the task: nothing is inherited from the shim.
    pub(crate) env: BTreeMap<String, String>,
    /// Where it runs, absolute.
    pub(crate) cwd: PathBuf,
    /// `stop_signal`; also used on what a killed shim leaves behind.
    pub(crate) stop_signal: Signal,
    /// `stop_grace_period`; the same.
    pub(crate) stop_grace: Duration,
    /// How much log is kept.
    pub(crate) log: LogRotation,
}

/// Variables by name only: their values may be secrets.
impl fmt::Debug for TaskSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskSpec")
            .field("task", &self.task)
            .field("service", &self.service)
            .field("revision", &self.revision)
            .field("task_dir", &self.task_dir)
            .field("socket", &self.socket)
            .field("argv", &self.argv)
            .field("env", &self.env.keys().collect::<Vec<_>>())
            .field("cwd", &self.cwd)
            .finish_non_exhaustive()
    }
}

/// The value of [`MARK`] for a task: unique on the machine, because the state folder is.
pub(crate) fn mark(task_dir: &Path, task: TaskId) -> String {
    let state = task_dir.parent().and_then(Path::parent).unwrap_or(task_dir);
    let state = state.canonicalize().unwrap_or_else(|_| state.to_owned());
    let hash = blake3::hash(state.as_os_str().as_encoded_bytes()).to_hex();
    format!("{}-{task}", &hash[..16])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_tells_stacks_and_tasks_apart() {
        let one = mark(Path::new("/nowhere/a/tasks/1"), TaskId(1));
        assert_eq!(one, mark(Path::new("/nowhere/a/tasks/1"), TaskId(1)));
        assert!(one.ends_with("-1") && one.len() == 18, "{one}");
        assert_ne!(one, mark(Path::new("/nowhere/b/tasks/1"), TaskId(1)));
        assert_ne!(one, mark(Path::new("/nowhere/a/tasks/2"), TaskId(2)));
    }
}
