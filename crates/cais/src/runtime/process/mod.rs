//! The supervisor's side of a task that runs as a process: starts its shim, adopts it, talks to it, and finds out the truth when it is gone.
//!
//! The supervisor is never a task's parent; the shim is. What holds everything together is the lock on
//! `shim.lock`: while it is held a shim lives (or is being born), and once it is free nobody but the one
//! who takes it may touch the task.

mod adopt;
mod forget;
mod handle;
pub(crate) mod launch;
mod remains;

pub(crate) use crate::shim::signal::Signal;
pub(crate) use crate::shim::spec::TaskSpec;
pub(crate) use adopt::{Adopted, adopt};
pub(crate) use forget::forget;
pub(crate) use handle::TaskHandle;
pub(crate) use launch::start;

use cais_engine::event::{ExitStatus, TaskId};
use tokio::sync::mpsc::UnboundedSender;

/// What a task's handle reports, each once: `Started` first, `Exited` last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TaskEvent {
    /// The task's process exists.
    Started {
        /// The leader.
        pid: u32,
    },
    /// Nothing of the task is left.
    Exited(ExitStatus),
}

/// Where handles report to.
pub(crate) type TaskEvents = UnboundedSender<(TaskId, TaskEvent)>;
