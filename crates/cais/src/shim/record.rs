//! What a shim leaves on disk about its task: `task.json` at its birth, `exit.json` at its end. Each appears whole or not at all.

use super::signal::Signal;
use cais_engine::event::{ExitStatus, RevisionNumber, TaskId};
use cais_model::name::ServiceName;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The file whose lock says that a shim lives (or is being born). A shim's own faults are written into it.
pub(crate) const LOCK: &str = "shim.lock";
/// What a task is; a shim writes a [`TaskRecord`], the container runtime its own.
pub(crate) const TASK: &str = "task.json";
const EXIT: &str = "exit.json";

/// `task.json`: enough to find the task again, nothing secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TaskRecord {
    /// Its id.
    pub(crate) task: TaskId,
    /// Of which service.
    pub(crate) service: ServiceName,
    /// At which revision.
    pub(crate) revision: RevisionNumber,
    /// `/proc/sys/kernel/random/boot_id`: process ids mean nothing after a reboot.
    pub(crate) boot_id: String,
    /// The task's leader, which is also its process group.
    pub(crate) pid: u32,
    /// The leader's start time in clock ticks since boot (`/proc/<pid>/stat`, field 22).
    pub(crate) pid_start: u64,
    /// The shim.
    pub(crate) shim_pid: u32,
    /// The shim's start time.
    pub(crate) shim_start: u64,
    /// Epoch milliseconds.
    pub(crate) started_at_ms: i64,
    /// Where the shim listens.
    pub(crate) socket: PathBuf,
    /// The value of `CAIS_TASK` in the task's environment.
    pub(crate) mark: String,
    /// How what is left of the task is asked to end.
    pub(crate) stop_signal: Signal,
    /// For how long.
    pub(crate) stop_grace_ms: u64,
}

/// `exit.json`: how the task ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ExitRecord {
    /// How.
    pub(crate) status: ExitStatus,
    /// Epoch milliseconds.
    pub(crate) at_ms: i64,
}

/// What every runtime's `task.json` says.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct TaskOwner {
    /// Its id.
    pub(crate) task: TaskId,
    /// Of which service.
    pub(crate) service: ServiceName,
}

impl TaskOwner {
    /// Reads it; `None` where there is none.
    pub(crate) fn read(dir: &Path) -> io::Result<Option<Self>> {
        read(&dir.join(TASK))
    }
}

impl TaskRecord {
    /// Reads it; `None` where there is none.
    pub(crate) fn read(dir: &Path) -> io::Result<Option<Self>> {
        read(&dir.join(TASK))
    }

    /// Writes it and waits for the disk.
    pub(crate) fn write(&self, dir: &Path) -> io::Result<()> {
        write(dir, TASK, self)
    }
}

impl ExitRecord {
    /// Reads it; `None` where there is none.
    pub(crate) fn read(dir: &Path) -> io::Result<Option<Self>> {
        read(&dir.join(EXIT))
    }

    /// Writes it and waits for the disk.
    pub(crate) fn write(&self, dir: &Path) -> io::Result<()> {
        write(dir, EXIT, self)
    }

    /// An end at this moment.
    pub(crate) fn now(status: ExitStatus) -> Self {
        Self {
            status,
            at_ms: jiff::Timestamp::now().as_millisecond(),
        }
    }
}

/// Reads a record; `None` where there is none.
pub(crate) fn read<T: DeserializeOwned>(path: &Path) -> io::Result<Option<T>> {
    match fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|e| {
            io::Error::new(
                io::ErrorKind::InvalidData,
                format!("`{}`: {e}", path.display()),
            )
        }),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

/// Only the holder of the lock writes, so one temporary name is enough.
pub(crate) fn write(dir: &Path, name: &str, value: &impl Serialize) -> io::Result<()> {
    let temporary = dir.join(format!(".{name}.new"));
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&temporary)?;
    file.write_all(&serde_json::to_vec(value)?)?;
    file.sync_all()?;
    fs::rename(&temporary, dir.join(name))?;
    File::open(dir)?.sync_all()
}
