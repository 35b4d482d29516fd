//! A state folder with real tasks in it, and what tests ask of it.

use crate::process::{self, Signal, TaskEvent, TaskHandle, TaskSpec};
use crate::{logs, shim};
use cais_engine::event::{ExitStatus, RevisionNumber, TaskId};
use cais_model::name::ServiceName;
use cais_model::stack::LogRotation;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{sleep, timeout};

/// Nothing here takes so long unless it hangs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A state folder, and the events of the tasks in it.
pub(crate) struct Stack {
    pub(crate) dir: TempDir,
    pub(crate) events: UnboundedSender<(TaskId, TaskEvent)>,
    pub(crate) heard: UnboundedReceiver<(TaskId, TaskEvent)>,
}

impl Stack {
    pub(crate) fn new() -> Self {
        let (events, heard) = unbounded_channel();
        Self {
            dir: tempfile::tempdir().unwrap(),
            events,
            heard,
        }
    }

    pub(crate) fn task_dir(&self, task: u64) -> PathBuf {
        self.dir.path().join("tasks").join(task.to_string())
    }

    pub(crate) fn spec(&self, task: u64, argv: &[&str]) -> TaskSpec {
        let path = std::env::var("PATH").unwrap();
        TaskSpec {
            task: TaskId(task),
            service: ServiceName::parse("web").unwrap(),
            revision: RevisionNumber(1),
            task_dir: self.task_dir(task),
            socket: self.dir.path().join(format!("{task}.sock")),
            argv: argv.iter().map(|word| (*word).to_owned()).collect(),
            env: BTreeMap::from([
                ("PATH".to_owned(), path),
                ("SECRET".to_owned(), "hunter2".to_owned()),
            ]),
            cwd: self.dir.path().to_owned(),
            stop_signal: Signal::TERM,
            stop_grace: Duration::from_secs(5),
            log: LogRotation {
                max_bytes: 10 << 20,
                max_files: 3,
            },
        }
    }

    pub(crate) async fn start(
        &self,
        spec: TaskSpec,
    ) -> Result<TaskHandle, process::launch::StartError> {
        process::launch::start_with(
            Path::new(env!("CARGO_BIN_EXE_cais")),
            spec,
            self.events.clone(),
        )
        .await
    }

    pub(crate) async fn sh(&self, task: u64, script: &str) -> TaskHandle {
        self.start(self.spec(task, &["sh", "-c", script]))
            .await
            .unwrap()
    }

    pub(crate) async fn next(&mut self) -> TaskEvent {
        timeout(PATIENCE, self.heard.recv())
            .await
            .expect("an event")
            .unwrap()
            .1
    }

    /// Hears `Started`, then waits for the end.
    pub(crate) async fn end(&mut self) -> ExitStatus {
        match self.next().await {
            TaskEvent::Started { .. } => {}
            other => panic!("{other:?} came before the start"),
        }
        match self.next().await {
            TaskEvent::Exited(status) => status,
            other => panic!("{other:?} instead of an end"),
        }
    }

    pub(crate) fn log(&self, task: u64) -> String {
        String::from_utf8_lossy(&fs::read(self.task_dir(task).join("log")).unwrap()).into_owned()
    }

    /// Waits until the task wrote this.
    pub(crate) async fn says(&self, task: u64, text: &str) {
        let seen = async {
            while !fs::read_to_string(self.task_dir(task).join("log"))
                .is_ok_and(|log| log.contains(text))
            {
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(PATIENCE, seen)
            .await
            .unwrap_or_else(|_| panic!("the task never said `{text}`"));
    }
}

impl Stack {
    /// Starts a task from a supervisor that is gone when this returns. The task has said `ready`.
    pub(crate) async fn left_behind(&self, task: u64, script: &str) -> u32 {
        let spec = self.spec(task, &["sh", "-c", script]);
        let supervisor = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let (events, _) = unbounded_channel();
        let start = async move {
            process::launch::start_with(Path::new(env!("CARGO_BIN_EXE_cais")), spec, events)
                .await
                .unwrap()
                .pid()
        };
        let pid = supervisor.spawn(start).await.unwrap();
        self.says(task, "ready").await;
        // Waits until its last thread is gone: it must not see what happens next.
        tokio::task::spawn_blocking(move || supervisor.shutdown_timeout(PATIENCE))
            .await
            .unwrap();
        pid
    }
}

/// A test that ends early, or only asked for an end, leaves nothing running.
impl Drop for Stack {
    fn drop(&mut self) {
        for entry in fs::read_dir(self.dir.path().join("tasks"))
            .into_iter()
            .flatten()
            .flatten()
        {
            if let Ok(Some(record)) = shim::record::TaskRecord::read(&entry.path())
                && let Some(leader) = shim::processes::look(record.pid)
                && leader.start == record.pid_start
            {
                let _ = shim::processes::signal(&leader, Signal::KILL);
            }
        }
    }
}

pub(crate) fn alive(pid: u32) -> bool {
    shim::processes::look(pid).is_some_and(|p| !p.zombie)
}

pub(crate) fn shim_lives(task_dir: &Path) -> bool {
    let record = shim::record::TaskRecord::read(task_dir).unwrap().unwrap();
    alive(record.shim_pid)
}

pub(crate) fn kill_shim(task_dir: &Path) -> u32 {
    let record = shim::record::TaskRecord::read(task_dir).unwrap().unwrap();
    let shim = shim::processes::look(record.shim_pid).unwrap();
    shim::processes::signal(&shim, Signal::KILL).unwrap();
    record.pid
}

/// Live processes that carry the task's mark.
pub(crate) fn marked(spec: &TaskSpec) -> Vec<u32> {
    let mark = shim::spec::mark(&spec.task_dir, spec.task);
    let living = shim::processes::all().into_iter().filter(|p| !p.zombie);
    living
        .map(|p| p.pid)
        .filter(|pid| shim::processes::carries(*pid, &mark))
        .collect()
}

/// The shim of a task that may have no record yet: whoever has its lock file as standard error.
pub(crate) fn find_shim(spec: &TaskSpec) -> Option<shim::processes::Process> {
    let lock = spec.task_dir.join(shim::record::LOCK);
    let has_lock = |p: &shim::processes::Process| {
        fs::read_link(format!("/proc/{}/fd/2", p.pid)).is_ok_and(|file| file == lock)
    };
    shim::processes::all().into_iter().find(has_lock)
}

pub(crate) fn read_all(stack: &Stack) -> Vec<logs::Line> {
    logs::read(stack.dir.path(), &logs::Options::default())
        .unwrap()
        .collect()
}
