//! A running container as the supervisor holds it: passes signals on and reports how it ends, also when the engine is away
//! for a while or somebody removes the container behind our back.

use super::Engine;
use super::engine::{said, status};
use super::follow::Follower;
use crate::runtime::{TaskEvent, TaskEvents};
use crate::shim::record::ExitRecord;
use crate::shim::signal::Signal;
use bollard::models::{ContainerState, ContainerStateStatusEnum};
use bollard::query_parameters::{
    InspectContainerOptions, KillContainerOptionsBuilder, WaitContainerOptionsBuilder,
};
use cais_engine::event::{ExitStatus, TaskId};
use futures_util::StreamExt;
use std::path::PathBuf;
use std::time::Duration;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::time::{Instant, sleep_until, timeout};
use tracing::warn;

/// Pause before an engine that does not answer is asked again.
const RETRY: Duration = Duration::from_millis(500);
/// How long one request may take; it is asked again after that.
const PATIENCE: Duration = Duration::from_secs(10);
const LONGEST_GRACE: Duration = Duration::from_secs(365 * 24 * 3600);

#[derive(Debug, Clone, Copy)]
enum Ask {
    Stop { signal: Signal, grace: Duration },
    Kill,
}

/// One task's container. Dropping it leaves the container running.
#[derive(Debug, Clone)]
pub(crate) struct ContainerHandle {
    pid: Option<u32>,
    container: String,
    asks: UnboundedSender<Ask>,
}

impl ContainerHandle {
    /// Holds a container that was started; reports `Exited` in the end. `follower` copies its log.
    pub(super) fn hold(
        engine: Engine,
        task: TaskId,
        container: String,
        pid: Option<u32>,
        task_dir: PathBuf,
        follower: Follower,
        events: TaskEvents,
    ) -> Self {
        let (asks, asked) = mpsc::unbounded_channel();
        let watch = Watch {
            engine,
            container: container.clone(),
            asked,
            unsent: None,
            send_at: None,
            kill_at: None,
        };
        tokio::spawn(async move {
            let status = watch.run().await;
            // What it said last is on disk before its end is told.
            follower.finish().await;
            if let Err(error) = ExitRecord::now(status).write(&task_dir) {
                warn!(%task, %error, "cannot record how a container ended");
            }
            // A receiver that is gone wants to know nothing.
            let _ = events.send((task, TaskEvent::Exited(status)));
        });
        Self {
            pid,
            container,
            asks,
        }
    }

    /// A container that is over: requests go nowhere.
    pub(super) fn over(container: String) -> Self {
        Self {
            pid: None,
            container,
            asks: mpsc::unbounded_channel().0,
        }
    }

    /// Its first process, by this machine's count.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.pid
    }

    /// The container's name.
    pub(crate) fn container(&self) -> &str {
        &self.container
    }

    /// Sends the signal, and SIGKILL after the grace. Safe to ask twice; a second, shorter grace shortens.
    pub(crate) fn stop(&self, signal: Signal, grace: Duration) {
        let _ = self.asks.send(Ask::Stop { signal, grace });
    }

    /// Sends SIGKILL.
    pub(crate) fn kill(&self) {
        let _ = self.asks.send(Ask::Kill);
    }
}

/// The background half of a handle.
struct Watch {
    engine: Engine,
    container: String,
    asked: UnboundedReceiver<Ask>,
    /// A signal that did not get through yet.
    unsent: Option<Signal>,
    send_at: Option<Instant>,
    kill_at: Option<Instant>,
}

impl Watch {
    async fn run(mut self) -> ExitStatus {
        let mut code = None;
        loop {
            code = self.until_it_ends().await.or(code);
            match inspect(&self.engine, &self.container).await {
                Ok(Some(state)) => {
                    if let Some(status) = ended(&state) {
                        return status;
                    }
                }
                // Somebody removed it. What the engine said before is all that is known.
                Ok(None) => return code.map_or(ExitStatus::Unknown, exit_code),
                Err(_) => {}
            }
            // It runs on, or the engine does not say: it is asked again.
            self.pause().await;
        }
    }

    /// Until the engine says that it ended (`Some`), or its answer breaks off.
    async fn until_it_ends(&mut self) -> Option<i64> {
        let options = WaitContainerOptionsBuilder::default()
            .condition("not-running")
            .build();
        let client = self.engine.client.clone();
        let mut wait = Box::pin(client.wait_container(&self.container, Some(options)));
        loop {
            tokio::select! {
                answer = wait.next() => return match answer {
                    Some(Ok(response)) => Some(response.status_code),
                    Some(Err(bollard::errors::Error::DockerContainerWaitError { code, .. })) => Some(code),
                    Some(Err(_)) | None => None,
                },
                () = self.attend() => {}
            }
        }
    }

    /// An interval in which requests are still attended to.
    async fn pause(&mut self) {
        let end = Instant::now() + RETRY;
        loop {
            tokio::select! {
                () = sleep_until(end) => return,
                () = self.attend() => {}
            }
        }
    }

    /// Takes one request, or does what has become due. Safe to drop at its await points.
    async fn attend(&mut self) {
        let due = self.send_at.into_iter().chain(self.kill_at).min();
        let ask = tokio::select! {
            // When every handle is gone nobody can ask any more; what is due still is.
            Some(ask) = self.asked.recv() => Some(ask),
            () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => None,
            else => std::future::pending().await,
        };
        let now = Instant::now();
        match ask {
            Some(Ask::Stop { signal, grace }) => {
                let at = now + grace.min(LONGEST_GRACE);
                self.kill_at = Some(self.kill_at.map_or(at, |known| known.min(at)));
                self.unsent = Some(signal);
                self.send_at = Some(now);
            }
            Some(Ask::Kill) => self.kill_at = Some(now),
            None => {
                if self.kill_at.is_some_and(|at| at <= now) {
                    self.unsent = Some(Signal::KILL);
                    // Should it survive that (a device that hangs), it is sent again.
                    self.kill_at = Some(now + PATIENCE);
                    self.send_at = Some(now);
                }
                if let Some(signal) = self.unsent {
                    // Kept until it got through: this future may be dropped while it is on its way.
                    self.send_at = Some(now + RETRY);
                    if self.send(signal).await {
                        self.unsent = None;
                        self.send_at = None;
                    }
                }
            }
        }
    }

    /// True when it got through, or there is nobody to get it.
    async fn send(&self, signal: Signal) -> bool {
        let options = KillContainerOptionsBuilder::default()
            .signal(&signal.to_string())
            .build();
        let request = self
            .engine
            .client
            .kill_container(&self.container, Some(options));
        match timeout(PATIENCE, request).await {
            Ok(Ok(())) => true,
            // 404: it is gone. 409: it is not running.
            Ok(Err(error)) if matches!(status(&error), Some(404 | 409)) => true,
            Ok(Err(error)) => {
                warn!(container = self.container, %signal, error = said(&error), "a signal did not get through");
                false
            }
            Err(_) => false,
        }
    }
}

/// The container's state; `None` when it is gone.
pub(super) async fn inspect(
    engine: &Engine,
    container: &str,
) -> Result<Option<ContainerState>, bollard::errors::Error> {
    let request = engine
        .client
        .inspect_container(container, None::<InspectContainerOptions>);
    match timeout(PATIENCE, request).await {
        Ok(Ok(found)) => Ok(found.state),
        Ok(Err(error)) if status(&error) == Some(404) => Ok(None),
        Ok(Err(error)) => Err(error),
        Err(_) => Err(bollard::errors::Error::RequestTimeoutError),
    }
}

/// How it ended; `None` while it has not.
pub(super) fn ended(state: &ContainerState) -> Option<ExitStatus> {
    match state.status {
        Some(ContainerStateStatusEnum::EXITED | ContainerStateStatusEnum::DEAD) => {
            let status = state.exit_code.map_or(ExitStatus::Unknown, exit_code);
            // The engine says so also when a child was killed and the first process lived on.
            let for_memory = status == ExitStatus::Signal(9) && state.oom_killed == Some(true);
            Some(if for_memory {
                ExitStatus::OutOfMemory
            } else {
                status
            })
        }
        _ => None,
    }
}

/// Engines report the end by a signal as a shell does, as 128 and its number; a program may also exit with such a code, and
/// nobody can tell the two apart, except that no program exits with what SIGKILL gives.
fn exit_code(code: i64) -> ExitStatus {
    match i32::try_from(code) {
        Ok(137) => ExitStatus::Signal(9),
        Ok(code) => ExitStatus::Code(code),
        Err(_) => ExitStatus::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_sigkill_is_told_from_an_exit_code() {
        assert_eq!(exit_code(0), ExitStatus::Code(0));
        assert_eq!(exit_code(137), ExitStatus::Signal(9));
        assert_eq!(exit_code(143), ExitStatus::Code(143));
    }
}
