//! Tasks with real shims: what they report, what they leave on disk, and that nothing of them survives its end.
#![expect(dead_code, unused_imports, reason = "the modules are the binary's; a test crate uses a part of them")]

#[path = "../src/logs/mod.rs"]
mod logs;
#[path = "../src/runtime/process/mod.rs"]
mod process;
#[path = "../src/shim/mod.rs"]
mod shim;

use cais_engine::event::{ExitStatus, RevisionNumber, TaskId};
use cais_model::name::ServiceName;
use cais_model::stack::LogRotation;
use process::{Adopted, Signal, TaskEvent, TaskHandle, TaskSpec};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{sleep, timeout};

/// Nothing here takes so long unless it hangs.
const PATIENCE: Duration = Duration::from_secs(20);

/// A state folder, and the events of the tasks in it.
struct Stack {
    dir: TempDir,
    events: UnboundedSender<(TaskId, TaskEvent)>,
    heard: UnboundedReceiver<(TaskId, TaskEvent)>,
}

impl Stack {
    fn new() -> Self {
        let (events, heard) = unbounded_channel();
        Self { dir: tempfile::tempdir().unwrap(), events, heard }
    }

    fn task_dir(&self, task: u64) -> PathBuf {
        self.dir.path().join("tasks").join(task.to_string())
    }

    fn spec(&self, task: u64, argv: &[&str]) -> TaskSpec {
        let path = std::env::var("PATH").unwrap();
        TaskSpec {
            task: TaskId(task),
            service: ServiceName::parse("web").unwrap(),
            revision: RevisionNumber(1),
            task_dir: self.task_dir(task),
            socket: self.dir.path().join(format!("{task}.sock")),
            argv: argv.iter().map(|word| (*word).to_owned()).collect(),
            env: BTreeMap::from([("PATH".to_owned(), path), ("SECRET".to_owned(), "hunter2".to_owned())]),
            cwd: self.dir.path().to_owned(),
            stop_signal: Signal::TERM,
            stop_grace: Duration::from_secs(5),
            log: LogRotation { max_bytes: 10 << 20, max_files: 3 },
        }
    }

    async fn start(&self, spec: TaskSpec) -> Result<TaskHandle, process::StartError> {
        process::start_with(Path::new(env!("CARGO_BIN_EXE_cais")), spec, self.events.clone()).await
    }

    async fn sh(&self, task: u64, script: &str) -> TaskHandle {
        self.start(self.spec(task, &["sh", "-c", script])).await.unwrap()
    }

    async fn next(&mut self) -> TaskEvent {
        timeout(PATIENCE, self.heard.recv()).await.expect("an event").unwrap().1
    }

    /// Hears `Started`, then waits for the end.
    async fn end(&mut self) -> ExitStatus {
        match self.next().await {
            TaskEvent::Started { .. } => {}
            other => panic!("{other:?} came before the start"),
        }
        match self.next().await {
            TaskEvent::Exited(status) => status,
            other => panic!("{other:?} instead of an end"),
        }
    }

    fn log(&self, task: u64) -> String {
        String::from_utf8_lossy(&fs::read(self.task_dir(task).join("log")).unwrap()).into_owned()
    }

    /// Waits until the task wrote this.
    async fn says(&self, task: u64, text: &str) {
        let seen = async {
            while !fs::read_to_string(self.task_dir(task).join("log")).is_ok_and(|log| log.contains(text)) {
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(PATIENCE, seen).await.unwrap_or_else(|_| panic!("the task never said `{text}`"));
    }
}

fn alive(pid: u32) -> bool {
    shim::processes::look(pid).is_some_and(|p| !p.zombie)
}

async fn check_end(script: &str, expected: ExitStatus) {
    let mut stack = Stack::new();
    let handle = stack.sh(1, script).await;
    assert_eq!(stack.end().await, expected, "{script}");
    assert!(!alive(handle.pid()));
}

#[tokio::test]
async fn the_end_is_reported_as_it_was() {
    check_end("exit 0", ExitStatus::Code(0)).await;
    check_end("exit 3", ExitStatus::Code(3)).await;
    check_end("kill -9 $$", ExitStatus::Signal(9)).await;
    check_end("kill -SEGV $$", ExitStatus::Signal(11)).await;
}
