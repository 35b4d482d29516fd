//! Snapshots: what the command line and the dashboard read. They decide nothing.

use crate::event::{ExitStatus, RevisionNumber, TaskId};
use crate::notice::{RolloutState, TaskHealth, TaskPhase};
use crate::time::Moment;
use cais_model::name::ServiceName;
use serde::{Deserialize, Serialize};

/// One service as the engine sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ServiceView {
    /// Its name.
    pub service: ServiceName,
    /// Tasks wanted.
    pub desired: u32,
    /// Stopped by hand?
    pub stopped: bool,
    /// The newest completed revision.
    pub current: Option<RevisionNumber>,
    /// The revision that new tasks get.
    pub target: RevisionNumber,
    /// The newest rollout, finished or not.
    pub rollout: Option<RolloutView>,
    /// What it waits for before its first task.
    pub waiting: Option<String>,
    /// How a one-shot service ended.
    pub completed: Option<ExitStatus>,
    /// Its tasks, oldest first.
    pub tasks: Vec<TaskView>,
}

/// A rollout as the engine sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RolloutView {
    /// From the last completed revision.
    pub from: Option<RevisionNumber>,
    /// To this one.
    pub to: RevisionNumber,
    /// Where it is.
    pub state: RolloutState,
    /// Failures counted.
    pub failed: u32,
    /// At how many the breaker trips.
    pub threshold: Option<u32>,
    /// Why it is where it is.
    pub reason: String,
    /// When it began.
    pub started_at: Moment,
    /// When it ended.
    pub ended_at: Option<Moment>,
}

/// A task as the engine sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskView {
    /// Its id.
    pub task: TaskId,
    /// Its revision.
    pub revision: RevisionNumber,
    /// Where it is.
    pub phase: TaskPhase,
    /// Its health.
    pub health: TaskHealth,
    /// Since when it is in this phase.
    pub since: Moment,
    /// When its process started.
    pub started_at: Option<Moment>,
    /// How it ended.
    pub exit: Option<ExitStatus>,
    /// Last answer of a failing check, or why it was stopped.
    pub reason: Option<String>,
}

/// Should the gateway send a task new requests?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Traffic {
    /// Yes.
    Serve,
    /// No new ones; report what is still in flight.
    Drain,
}
