//! Snapshots: what the command line and the dashboard read. They decide nothing.

use crate::breaker;
use crate::event::{ExitStatus, RevisionNumber, TaskId};
use crate::notice::{RolloutState, TaskHealth, TaskPhase};
use crate::state::{Service, State, Wanted};
use crate::task::Task;
use crate::time::Moment;
use cais_model::name::ServiceName;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

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

/// What the gateway should do with each task, by service; a routed service without a fit task is
/// there with none, so that the gateway answers 503 for it rather than 404.
///
/// Serving are tasks that are alive and ready. A task that is not ready is left out, even when all
/// are: it said itself that it cannot answer. Where only tasks that fail their liveness check are
/// left, those that are ready serve on until they are replaced: an answer from a sick task is worth
/// more than a certain 503 (as with ECS, where the load balancer's own check decides).
pub fn traffic(state: &State) -> BTreeMap<ServiceName, Vec<(TaskId, RevisionNumber, Traffic)>> {
    let routed = |service: &Service| {
        service.target_policy().routed
            || service
                .unfinished()
                .any(|(_, task)| service.policy(task.revision).routed)
    };
    let services = state.services.iter().filter(|(_, service)| routed(service));
    services
        .map(|(name, service)| (name.clone(), targets(service)))
        .collect()
}

fn targets(service: &Service) -> Vec<(TaskId, RevisionNumber, Traffic)> {
    let routed = || {
        service
            .unfinished()
            .filter(|(_, task)| service.policy(task.revision).routed)
    };
    let any_fit = routed()
        .any(|(_, task)| task.phase == TaskPhase::Running && task.health == TaskHealth::Healthy);
    let traffic = |task: &Task| match (task.phase, task.health) {
        (TaskPhase::Running, TaskHealth::Healthy) => Some(Traffic::Serve),
        (TaskPhase::Running, TaskHealth::Unhealthy) if !any_fit && task.is_ready() => {
            Some(Traffic::Serve)
        }
        (TaskPhase::Draining, _) => Some(Traffic::Drain),
        // Told to stop while requests were left: they may still finish.
        (TaskPhase::Stopping, _) if task.took_traffic => Some(Traffic::Drain),
        (
            TaskPhase::Running
            | TaskPhase::Pending
            | TaskPhase::Activating
            | TaskPhase::Stopping
            | TaskPhase::Stopped,
            _,
        ) => None,
    };
    routed()
        .filter_map(|(id, task)| Some((id, task.revision, traffic(task)?)))
        .collect()
}

/// Every service as it is.
pub fn views(state: &State) -> Vec<ServiceView> {
    state
        .services
        .iter()
        .map(|(name, service)| service_view(name, service))
        .collect()
}

fn service_view(name: &ServiceName, service: &Service) -> ServiceView {
    let rollout = &service.rollout;
    ServiceView {
        service: name.clone(),
        desired: service.desired,
        stopped: service.wanted == Wanted::Stopped,
        current: service.current.map(|current| current.revision),
        target: service.target.revision,
        rollout: Some(RolloutView {
            from: rollout.from,
            to: rollout.to.revision,
            state: rollout.state,
            failed: rollout.failed,
            threshold: breaker::of(service),
            reason: rollout.reason.clone(),
            started_at: rollout.started_at,
            ended_at: rollout.ended_at,
        }),
        waiting: service.waiting.clone(),
        completed: service.completed,
        tasks: service
            .tasks
            .iter()
            .map(|(id, task)| task_view(*id, task))
            .collect(),
    }
}

fn task_view(id: TaskId, task: &Task) -> TaskView {
    TaskView {
        task: id,
        revision: task.revision,
        phase: task.phase,
        health: task.health,
        since: task.since,
        started_at: task.started_at,
        exit: task.exit,
        reason: task.reason.clone(),
    }
}
