//! The engine's two vocabularies: what happened ([`Event`]) and what to do ([`Action`]).

use crate::policy::Policy;
use cais_model::name::ServiceName;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// One running instance of a service at one revision. Unique within a stack for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TaskId(pub u64);

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// The number of a revision within its service, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RevisionNumber(pub u32);

impl fmt::Display for RevisionNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExitStatus {
    /// `exit(code)`.
    Code(i32),
    /// Killed by a signal (its number).
    Signal(i32),
    /// Killed by the kernel, because it used more memory than it may. Only containers tell it apart.
    OutOfMemory,
    /// Nobody saw it end: its shim was killed, or the machine went down.
    Unknown,
}

/// Which of the two questions a probe asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProbeKind {
    /// Is it alive? Failing replaces the task.
    Liveness,
    /// May it take traffic? Failing takes it out of the gateway, nothing more.
    Readiness,
}

/// What the caller wants a service to be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Submission {
    /// The revision to run. The caller numbers revisions; an unchanged definition keeps its number.
    pub revision: RevisionNumber,
    /// What that revision asks of the engine.
    pub policy: Policy,
    /// Tasks wanted.
    pub desired: u32,
    /// Roll it even when the revision is already the current one (`--force`).
    pub force: bool,
}

/// What happened.
#[expect(
    clippy::large_enum_variant,
    reason = "events live for one step; a box would show in every caller"
)]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// These services are wanted. A stopped service among them starts again.
    Apply {
        /// By name.
        services: BTreeMap<ServiceName, Submission>,
        /// Are services that are not among them removed?
        remove_absent: bool,
    },
    /// `scale SERVICE=N`.
    Scale {
        /// Which.
        service: ServiceName,
        /// The new desired count.
        desired: u32,
    },
    /// `stop`: tasks end, the service stays known. Empty: all.
    Stop {
        /// Which.
        services: BTreeSet<ServiceName>,
    },
    /// `start`: a stopped service runs again. Empty: all.
    Start {
        /// Which.
        services: BTreeSet<ServiceName>,
    },
    /// `restart`: every task is replaced by one of the same revision, by the rollout's own rules. Empty: all.
    Restart {
        /// Which.
        services: BTreeSet<ServiceName>,
    },
    /// `rollback`: go to this revision, which the caller looked up.
    Rollback {
        /// Which.
        service: ServiceName,
        /// Target revision with its policy.
        submission: Submission,
    },
    /// The first Ctrl-C of a deploy: roll back what is in progress. Empty: all.
    Cancel {
        /// Which.
        services: BTreeSet<ServiceName>,
    },
    /// `down`: everything ends, dependents before their dependencies.
    Down,
    /// The task's process exists.
    Started {
        /// Which.
        task: TaskId,
    },
    /// The task could not be started.
    StartFailed {
        /// Which.
        task: TaskId,
        /// Why, in words.
        reason: String,
    },
    /// The task's process ended.
    Exited {
        /// Which.
        task: TaskId,
        /// How.
        status: ExitStatus,
    },
    /// A probe asked for by [`Action::Probe`] answered.
    Probed {
        /// Which.
        task: TaskId,
        /// Which question.
        kind: ProbeKind,
        /// `Err` says what was answered instead.
        outcome: Result<(), String>,
    },
    /// Every core of the gateway has stopped picking the task.
    Unrouted {
        /// Which.
        task: TaskId,
    },
    /// Nothing is in flight on the task any more (only after `Unrouted`).
    Drained {
        /// Which.
        task: TaskId,
    },
    /// The supervisor started anew on an old state; what it found about each task follows as
    /// `Started`, `Exited` or `StartFailed`. The engine answers with every action that the state's
    /// intents still need: all are safe to perform twice.
    Recovered,
    /// Time passed; see `next_wake`.
    Tick,
}

/// What to do. Each is recorded before it is performed and is safe to perform twice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Start a task; answer with `Started` or `StartFailed`.
    StartTask {
        /// Of which service.
        service: ServiceName,
        /// Its id, fresh.
        task: TaskId,
        /// At which revision.
        revision: RevisionNumber,
    },
    /// Ask one question of a task; answer with `Probed` within the probe's timeout.
    Probe {
        /// Which.
        task: TaskId,
        /// Which question.
        kind: ProbeKind,
    },
    /// Take the task out of the gateway; answer with `Unrouted`, then `Drained`.
    Unroute {
        /// Which.
        task: TaskId,
    },
    /// Send the stop signal to the task's group and SIGKILL after its grace; answer with `Exited`,
    /// also for a task that was never started or is over already.
    StopTask {
        /// Which.
        task: TaskId,
    },
    /// Send SIGKILL to the task's group at once; answer with `Exited`, as for `StopTask`.
    KillTask {
        /// Which.
        task: TaskId,
    },
    /// The task is over and recorded: its files may go. Of each service the newest three tasks that
    /// are over stay until newer ones are, so that what they said last can still be shown.
    ForgetTask {
        /// Which.
        task: TaskId,
    },
    /// Every service is gone (after `Down`).
    Finished,
}
