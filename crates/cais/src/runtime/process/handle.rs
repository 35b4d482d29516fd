//! A running task as the supervisor holds it: passes requests to its shim and reports how it ends, whatever happens to the shim.

use super::launch::lock;
use super::remains;
use super::{Signal, TaskEvent, TaskEvents};
use crate::shim::protocol::{Answer, Request};
use crate::shim::record::{ExitRecord, TaskRecord};
use cais_engine::event::ExitStatus;
use std::path::PathBuf;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::time::sleep;
use tracing::warn;

/// Pause before a shim that lives and does not answer is asked again.
const RETRY: Duration = Duration::from_millis(50);

/// One task with a shim. Dropping it leaves the task running.
#[derive(Debug, Clone)]
pub(crate) struct TaskHandle {
    pid: u32,
    requests: UnboundedSender<Request>,
}

impl TaskHandle {
    /// Connects to the shim in the background; reports `Started` and, in the end, `Exited`.
    pub(super) fn hold(task_dir: PathBuf, record: TaskRecord, events: TaskEvents) -> Self {
        let (requests, asked) = mpsc::unbounded_channel();
        let pid = record.pid;
        // A receiver that is gone wants to know nothing.
        let _ = events.send((record.task, TaskEvent::Started { pid }));
        tokio::spawn(async move {
            let task = record.task;
            let status = Watch {
                task_dir,
                record,
                asked,
                unanswered: Vec::new(),
            }
            .run()
            .await;
            let _ = events.send((task, TaskEvent::Exited(status)));
        });
        Self { pid, requests }
    }

    /// A task that is over: requests go nowhere.
    pub(super) fn over(pid: u32) -> Self {
        Self {
            pid,
            requests: mpsc::unbounded_channel().0,
        }
    }

    /// The leader's process id.
    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// Sends the signal to the task's group, and SIGKILL after the grace. Safe to ask twice; a second,
    /// shorter grace shortens. The end is reported as an event.
    pub(crate) async fn stop(&self, signal: Signal, grace: Duration) {
        let grace_ms = u64::try_from(grace.as_millis()).unwrap_or(u64::MAX);
        self.ask(Request::Stop { signal, grace_ms });
    }

    /// Sends SIGKILL to the task's group at once.
    pub(crate) async fn kill(&self) {
        self.ask(Request::Kill {});
    }

    /// A task that is over needs no request.
    fn ask(&self, request: Request) {
        let _ = self.requests.send(request);
    }
}

/// The background half of a handle.
struct Watch {
    task_dir: PathBuf,
    record: TaskRecord,
    asked: UnboundedReceiver<Request>,
    /// Asked for, and perhaps lost with a connection: said again on the next one.
    unanswered: Vec<Request>,
}

impl Watch {
    async fn run(mut self) -> ExitStatus {
        loop {
            if let Ok(stream) = UnixStream::connect(&self.record.socket).await
                && let Some(status) = self.converse(stream).await
            {
                return status;
            }
            if let Some(status) = self.truth().await {
                return status;
            }
            sleep(RETRY).await;
        }
    }

    /// Until the connection ends; `Some` when the shim said how the task ended. The end of the connection is
    /// awaited, for it means that the shim has gone and its lock is free.
    async fn converse(&mut self, stream: UnixStream) -> Option<ExitStatus> {
        let (read, mut write) = stream.into_split();
        let mut lines = BufReader::new(read).lines();
        for request in &self.unanswered {
            say(&mut write, request).await?;
        }
        let mut handles_live = true;
        loop {
            tokio::select! {
                line = lines.next_line() => match serde_json::from_str(&line.ok()??) {
                    Ok(Answer::Exited(status)) => {
                        drain(&mut lines).await;
                        return Some(status);
                    }
                    Ok(Answer::Started { .. }) => {}
                    Ok(Answer::Error(error)) => warn!(task = %self.record.task, error, "a shim refused a request"),
                    Err(error) => warn!(task = %self.record.task, %error, "a shim said something else"),
                },
                asked = self.asked.recv(), if handles_live => match asked {
                    Some(request) => {
                        if !matches!(request, Request::Signal { .. }) {
                            self.unanswered.push(request.clone());
                        }
                        say(&mut write, &request).await?;
                    }
                    // Nobody can ask any more; the end is still to be reported.
                    None => handles_live = false,
                },
            }
        }
    }

    /// What the disk and the lock say; `None` while the shim lives.
    async fn truth(&self) -> Option<ExitStatus> {
        let lock = match lock(&self.task_dir) {
            Ok(lock) => lock?,
            Err(error) => {
                warn!(task = %self.record.task, %error, "cannot look at a task's lock");
                return None;
            }
        };
        match ExitRecord::read(&self.task_dir) {
            Ok(Some(exit)) => Some(exit.status),
            Ok(None) => Some(remains::end(&self.task_dir, &self.record, &lock).await),
            Err(error) => {
                warn!(task = %self.record.task, %error, "cannot read how a task ended");
                Some(ExitStatus::Unknown)
            }
        }
    }
}

async fn say(write: &mut OwnedWriteHalf, request: &Request) -> Option<()> {
    let mut line = serde_json::to_vec(request).ok()?;
    line.push(b'\n');
    write.write_all(&line).await.ok()
}

async fn drain(lines: &mut Lines<BufReader<OwnedReadHalf>>) {
    while let Ok(Some(_)) = lines.next_line().await {}
}
