//! What the engine tells people: every transition with its reason. The edge logs it, journals it and draws it.

use crate::event::{ExitStatus, RevisionNumber, TaskId};
use cais_model::name::ServiceName;
use serde::{Deserialize, Serialize};

/// One thing that people may want to know.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Notice {
    /// Which service it is about.
    pub service: ServiceName,
    /// What happened.
    #[serde(flatten)]
    pub kind: NoticeKind,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum NoticeKind {
    /// The service is already as wanted.
    Unchanged {
        /// Its revision.
        revision: RevisionNumber,
    },
    /// The first task waits for another service.
    Waiting {
        /// In words: "redis to be healthy".
        reason: String,
    },
    /// A task moved on.
    Task {
        /// Which.
        task: TaskId,
        /// Its revision.
        revision: RevisionNumber,
        /// Where it is now.
        phase: TaskPhase,
        /// What the engine believes of its health.
        health: TaskHealth,
        /// Why.
        reason: String,
    },
    /// A rollout moved on.
    Rollout {
        /// From the last completed revision; `None` on a first deploy.
        from: Option<RevisionNumber>,
        /// To this one.
        to: RevisionNumber,
        /// Where it is now.
        state: RolloutState,
        /// Failures that the breaker has counted.
        failed: u32,
        /// At how many it trips; `None` without a breaker.
        threshold: Option<u32>,
        /// Why.
        reason: String,
    },
    /// A one-shot service ran to its end.
    Completed {
        /// How it ended.
        status: ExitStatus,
    },
    /// A start is held back.
    Throttled {
        /// Milliseconds until the next attempt.
        wait_ms: u64,
        /// Why.
        reason: String,
    },
    /// All of its tasks are stopped.
    Stopped,
    /// It is no longer part of the stack.
    Removed,
}

/// ECS's task states, as far as they exist here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskPhase {
    /// Its start was decided.
    Pending,
    /// Its process exists; it is not healthy yet.
    Activating,
    /// It has been healthy.
    Running,
    /// Taken out of the gateway; finishing what it has.
    Draining,
    /// Told to stop.
    Stopping,
    /// It is over.
    Stopped,
}

/// What the engine believes of a task's health.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskHealth {
    /// Not known yet.
    Unknown,
    /// Alive and, where routed, ready.
    Healthy,
    /// Alive, but not ready for traffic.
    NotReady,
    /// Failed its liveness check `retries` times in a row.
    Unhealthy,
}

/// Where a rollout is; ECS's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RolloutState {
    /// Waits for its dependencies.
    Pending,
    /// Tasks are being replaced.
    InProgress,
    /// All replaced; under observation (`monitor`).
    Baking,
    /// Done.
    Completed,
    /// The breaker tripped or the deadline passed, and nothing is left to go back to, or `pause` was asked for.
    Failed,
    /// On the way back to the last completed revision.
    RollbackInProgress,
    /// Back there.
    RollbackSuccessful,
    /// The way back failed too; a person decides.
    RollbackFailed,
    /// A newer revision took over.
    Stopped,
}
