//! Looks at a task folder that an earlier supervisor left, and finds out what became of the task.

use super::TaskEvents;
use super::handle::TaskHandle;
use super::launch::lock;
use super::remains;
use crate::shim::record::{ExitRecord, LOCK, TaskRecord};
use crate::shim::signal::Signal;
use crate::shim::spec::mark;
use cais_engine::event::{ExitStatus, TaskId};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How long a shim may take from its lock to its record.
const BIRTH: Duration = Duration::from_secs(30);
/// What a task that never got a record is given to end by itself; its spec died with its shim.
const UNKNOWN_GRACE: Duration = Duration::from_secs(10);

/// What became of a task.
#[derive(Debug)]
pub(crate) enum Adopted {
    /// Its shim lives; the handle reports `Started` and, in the end, `Exited`.
    Alive(TaskHandle),
    /// It ended while nobody watched.
    Exited(ExitStatus),
    /// Its shim was killed, or the machine went down. What was left of the task has been ended.
    Lost,
    /// Its start was decided and never happened; it may be started.
    NeverStarted,
}

/// Why a task cannot be adopted.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AdoptError {
    /// Its folder cannot be read.
    #[error("cannot read `{}`", path.display())]
    Folder {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The lock is held, yet there is no record to find the shim by.
    #[error("the shim of `{}` holds its lock but does not answer", .0.display())]
    Unresponsive(PathBuf),
}

/// Looks at a task folder, `<state>/tasks/<task id>`. Ending what a killed shim left takes up to the
/// task's stop grace, so adopt several tasks at the same time.
///
/// # Errors
/// When the folder cannot be read, or a shim lives that cannot be reached.
pub(crate) async fn adopt(task_dir: &Path, events: TaskEvents) -> Result<Adopted, AdoptError> {
    let folder = |source| AdoptError::Folder {
        path: task_dir.to_owned(),
        source,
    };
    if !task_dir.join(LOCK).try_exists().map_err(folder)? {
        return Ok(Adopted::NeverStarted);
    }
    let lock = loop {
        if let Some(lock) = lock(task_dir).map_err(folder)? {
            break lock;
        }
        match living(task_dir, &events).await? {
            Found::Alive(handle) => return Ok(Adopted::Alive(handle)),
            Found::Over(_, status) => return Ok(ended(status)),
            Found::Unborn => {}
        }
    };
    if let Some(exit) = ExitRecord::read(task_dir).map_err(folder)? {
        return Ok(ended(exit.status));
    }
    if let Some(record) = TaskRecord::read(task_dir).map_err(folder)? {
        remains::end(task_dir, &record, &lock).await;
        return Ok(Adopted::Lost);
    }
    let mark = task_id(task_dir).map(|task| mark(task_dir, task));
    let found = match &mark {
        Some(mark) => remains::end_marked(mark, Signal::TERM, UNKNOWN_GRACE).await,
        None => false,
    };
    Ok(if found {
        Adopted::Lost
    } else {
        Adopted::NeverStarted
    })
}

fn ended(status: ExitStatus) -> Adopted {
    match status {
        ExitStatus::Unknown => Adopted::Lost,
        status => Adopted::Exited(status),
    }
}

/// What is found where the lock was held.
pub(super) enum Found {
    /// A living shim.
    Alive(TaskHandle),
    /// It ended before we could reach it.
    Over(TaskRecord, ExitStatus),
    /// It let go of the lock without ever having had a task.
    Unborn,
}

/// Adopts the shim that holds the lock, waiting for its record where it is only being born.
pub(super) async fn living(task_dir: &Path, events: &TaskEvents) -> Result<Found, AdoptError> {
    let folder = |source| AdoptError::Folder {
        path: task_dir.to_owned(),
        source,
    };
    let deadline = Instant::now() + BIRTH;
    loop {
        if let Some(record) = TaskRecord::read(task_dir).map_err(folder)? {
            return Ok(match ExitRecord::read(task_dir).map_err(folder)? {
                Some(exit) => Found::Over(record, exit.status),
                None => Found::Alive(TaskHandle::hold(
                    task_dir.to_owned(),
                    record,
                    events.clone(),
                )),
            });
        }
        if lock(task_dir).map_err(folder)?.is_some() {
            return Ok(Found::Unborn);
        }
        if Instant::now() >= deadline {
            return Err(AdoptError::Unresponsive(task_dir.to_owned()));
        }
        sleep(Duration::from_millis(20)).await;
    }
}

fn task_id(task_dir: &Path) -> Option<TaskId> {
    task_dir.file_name()?.to_str()?.parse().ok().map(TaskId)
}
