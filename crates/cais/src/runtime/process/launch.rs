//! Starts a task: takes its lock, spawns its shim with the lock as standard error, and waits for the handshake.

use super::adopt::{self, AdoptError, Found};
use super::handle::TaskHandle;
use super::remains;
use super::{TaskEvent, TaskEvents};
use crate::shim::protocol::Handshake;
use crate::shim::record::{ExitRecord, LOCK, TaskRecord};
use crate::shim::spec::{TaskSpec, mark};
use cais_engine::event::ExitStatus;
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// The running program itself, also after its file was replaced by a newer version.
const MYSELF: &str = "/proc/self/exe";
/// A birth waits for the disk twice; more than this is a hung disk.
const BIRTH: Duration = Duration::from_secs(30);
/// A shim that has nothing to hold leaves at once.
const PARTING: Duration = Duration::from_secs(5);

/// Why a task does not run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    /// The shim said why: no such program, no such folder.
    #[error("{0}")]
    Task(String),
    /// The shim itself failed.
    #[error("the shim of task {task} {reason}")]
    Shim {
        /// Of which task.
        task: u64,
        /// What it did.
        reason: String,
    },
    /// The task's folder cannot be used.
    #[error("cannot use `{}`", path.display())]
    Folder {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Its shim lives already and cannot be adopted.
    #[error(transparent)]
    Adopt(#[from] AdoptError),
}

/// Starts a task or, when its shim already lives, adopts it. Safe to perform twice: a task that already
/// ended is not run again, its end is reported.
///
/// `events` gets `Started` and, in the end, `Exited`; after an error it gets nothing.
///
/// # Errors
/// When the task does not run; nothing of it is left then.
pub(crate) async fn start(spec: TaskSpec, events: TaskEvents) -> Result<TaskHandle, StartError> {
    start_with(Path::new(MYSELF), spec, events).await
}

/// [`start`] with a shim from another program, which is called with the argument `shim` and the task's name.
///
/// # Errors
/// As [`start`].
pub(crate) async fn start_with(
    program: &Path,
    spec: TaskSpec,
    events: TaskEvents,
) -> Result<TaskHandle, StartError> {
    let folder = |source| StartError::Folder {
        path: spec.task_dir.clone(),
        source,
    };
    create_private(&spec.task_dir).map_err(folder)?;
    if let Some(parent) = spec.socket.parent() {
        create_private(parent).map_err(|source| StartError::Folder {
            path: parent.to_owned(),
            source,
        })?;
    }
    let tried_before = spec.task_dir.join(LOCK).exists();
    let lock = loop {
        if let Some(lock) = lock(&spec.task_dir).map_err(folder)? {
            break lock;
        }
        match adopt::living(&spec.task_dir, &events).await? {
            Found::Alive(handle) => return Ok(handle),
            Found::Over(record, status) => return Ok(over(&spec, &record, status, &events)),
            Found::Unborn => {}
        }
    };
    if tried_before
        && let Some((record, status)) = earlier_run(&spec, &lock).await.map_err(folder)?
    {
        return Ok(over(&spec, &record, status, &events));
    }
    let pid = give_birth(program, &spec, lock).await?;
    let record = TaskRecord::read(&spec.task_dir).map_err(folder)?;
    let record = record.ok_or_else(|| folder(io::ErrorKind::NotFound.into()))?;
    debug_assert_eq!(
        record.pid, pid,
        "the handshake and the record come from one spawn"
    );
    Ok(TaskHandle::hold(spec.task_dir, record, events))
}

/// An earlier attempt left something: its end is the task's end. What ran without a record (the shim was
/// killed before it wrote one) is ended, and the task may start: nobody was told of that run.
async fn earlier_run(spec: &TaskSpec, lock: &File) -> io::Result<Option<(TaskRecord, ExitStatus)>> {
    if let Some(record) = TaskRecord::read(&spec.task_dir)? {
        let status = match ExitRecord::read(&spec.task_dir)? {
            Some(exit) => exit.status,
            None => remains::end(&spec.task_dir, &record, lock).await,
        };
        return Ok(Some((record, status)));
    }
    remains::end_marked(
        &mark(&spec.task_dir, spec.task),
        spec.stop_signal,
        spec.stop_grace,
    )
    .await;
    Ok(None)
}

fn over(
    spec: &TaskSpec,
    record: &TaskRecord,
    status: ExitStatus,
    events: &TaskEvents,
) -> TaskHandle {
    // A receiver that is gone wants to know nothing.
    let _ = events.send((spec.task, TaskEvent::Started { pid: record.pid }));
    let _ = events.send((spec.task, TaskEvent::Exited(status)));
    TaskHandle::over(record.pid)
}

fn create_private(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Takes the task's lock; `None` while a shim (or another supervisor) has it.
pub(super) fn lock(dir: &Path) -> io::Result<Option<File>> {
    let file = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(dir.join(LOCK))?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(file)),
        Err(Errno::WOULDBLOCK) => Ok(None),
        Err(e) => Err(e.into()),
    }
}

/// The shim inherits the lock as its standard error: flock(2) locks belong to the open file, so it is
/// held without a gap until the shim is gone.
async fn give_birth(program: &Path, spec: &TaskSpec, lock: File) -> Result<u32, StartError> {
    let failed = |reason: String| StartError::Shim {
        task: spec.task.0,
        reason,
    };
    let mut command = Command::new(program);
    // The second word is for people who type `ps`.
    command
        .args(["shim", &format!("{}-{}", spec.service, spec.task)])
        .arg0("cais")
        .env_clear();
    let command = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(lock);
    let mut shim = command
        .spawn()
        .map_err(|e| failed(format!("cannot be executed: {e}")))?;
    match timeout(BIRTH, converse(&mut shim, spec)).await {
        Ok(Ok(Handshake::Started { pid })) => {
            // Reaps it when it ends, which may be long after.
            tokio::spawn(async move { shim.wait().await });
            Ok(pid)
        }
        Ok(Ok(Handshake::Failed(reason))) => {
            end(shim).await;
            Err(StartError::Task(reason))
        }
        Ok(Err(e)) => {
            end(shim).await;
            Err(failed(format!(
                "ended without an answer: {}",
                last_words(&spec.task_dir, &e)
            )))
        }
        Err(_) => {
            end(shim).await;
            Err(failed(format!(
                "did not answer within {} s",
                BIRTH.as_secs()
            )))
        }
    }
}

/// Waits for a shim that failed, so that its lock is free; one that hangs is killed.
async fn end(mut shim: Child) {
    if timeout(PARTING, shim.wait()).await.is_err() {
        let _ = shim.kill().await;
    }
}

async fn converse(shim: &mut Child, spec: &TaskSpec) -> io::Result<Handshake> {
    let spec = serde_json::to_vec(spec)?;
    let (Some(mut input), Some(output)) = (shim.stdin.take(), shim.stdout.take()) else {
        return Err(io::ErrorKind::BrokenPipe.into());
    };
    // A shim that dies early closes its input; its answer, if any, says more than our write error.
    let written = input.write_all(&spec).await;
    drop(input);
    let mut line = Vec::new();
    BufReader::new(output).read_until(b'\n', &mut line).await?;
    if line.is_empty() {
        written?;
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(serde_json::from_slice(&line)?)
}

/// What the shim wrote before it died (a panic's text).
fn last_words(dir: &Path, error: &io::Error) -> String {
    let text = std::fs::read(dir.join(LOCK)).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    match text.trim().lines().next_back() {
        Some(line) => line.to_owned(),
        None => error.to_string(),
    }
}
