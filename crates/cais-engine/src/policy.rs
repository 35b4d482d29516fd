//! What a revision asks of the engine: everything about a service that decisions depend on.

use cais_model::name::ServiceName;
use cais_model::stack::{Condition, FailureAction, Percent, ProbeTiming, Restart, Threshold};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// The part of a revision's definition that the engine reads. Nothing secret is in it, so it may be journalled.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Policy {
    /// Does the gateway send traffic to it? (a route, a published port or an exposed port)
    pub routed: bool,
    /// Liveness: a command or `health.path`.
    pub liveness: Option<ProbeTiming>,
    /// Readiness: `health.ready`; where there is none and the service is routed, a TCP connect.
    pub readiness: Option<ProbeTiming>,
    /// Where no check is defined: how long a task must have been running to count as healthy. 2 s.
    pub settle: Duration,
    /// What must be true of other services before the first task starts.
    pub depends_on: BTreeMap<ServiceName, Condition>,
    /// What happens when a task ends by itself.
    pub restart: Restart,
    /// A service that runs to its end: `restart: no`, or another service waits for its completion.
    pub one_shot: bool,
    /// Rolling update bounds: either percentages or `update_config`'s batches.
    pub bounds: Bounds,
    /// Pause between batches (`update_config.delay`).
    pub delay: Duration,
    /// A new task counts only after it has been healthy for so long.
    pub monitor: Duration,
    /// Breaker threshold; `None`: no breaker (`failure_action: continue`).
    pub breaker: Option<Threshold>,
    /// What a tripped breaker does.
    pub failure_action: FailureAction,
    /// Does a task that becomes healthy zero the breaker's count?
    pub reset_on_healthy: bool,
    /// A rollout without a new healthy task for so long has failed.
    pub progress_deadline: Duration,
    /// How long a draining task may finish what it has.
    pub deregistration_delay: Duration,
    /// `stop_grace_period`: SIGKILL after it.
    pub stop_grace: Duration,
}

/// How far the number of tasks may leave the desired count during a rollout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bounds {
    /// ECS's minimum and maximum healthy percent: `lower = ceil(D·min/100)`, `upper = floor(D·max/100)`.
    Percent {
        /// Minimum healthy percent.
        minimum: Percent,
        /// Maximum percent.
        maximum: Percent,
    },
    /// `update_config` with `order: start-first`: `p` more than desired at a time.
    StartFirst {
        /// Tasks at a time; 0 is all.
        parallelism: u32,
    },
    /// `update_config` with `order: stop-first`: `p` fewer than desired at a time.
    StopFirst {
        /// Tasks at a time; 0 is all.
        parallelism: u32,
    },
}
