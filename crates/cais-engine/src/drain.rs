//! How a task leaves without losing a request: out of the gateway, drained, stopped, at last killed.
//! Which task leaves is decided elsewhere; signals are sent by the edge.

use crate::event::{Action, ExitStatus, TaskId};
use crate::notice::TaskPhase;
use crate::state::{Service, policy};
use crate::step::Turn;
use crate::task::Task;
use crate::time::Moment;
use std::time::Duration;

/// How much longer than its grace period a stopped task may take before the engine asks for a
/// SIGKILL itself, and between two such requests. The edge kills first; this covers an edge that forgot.
const KILL_SLACK: Duration = Duration::from_secs(10);

/// Begins to end a task. One that never took traffic is stopped at once.
pub(crate) fn begin(service: &mut Service, id: TaskId, reason: &str, turn: &mut Turn<'_>) {
    let Service {
        tasks, revisions, ..
    } = service;
    let Some(task) = tasks.get_mut(&id) else {
        return;
    };
    let policy = policy(revisions, task.revision);
    match task.phase {
        TaskPhase::Running if policy.routed => {
            task.took_traffic = true;
            task.enter(id, TaskPhase::Draining, reason, turn);
            turn.act(Action::Unroute { task: id });
        }
        TaskPhase::Pending | TaskPhase::Activating | TaskPhase::Running => {
            stop(task, id, policy.stop_grace, reason, turn);
        }
        // On its way already.
        TaskPhase::Draining | TaskPhase::Stopping | TaskPhase::Stopped => {}
    }
}

/// Every core of the gateway has stopped picking the task.
pub(crate) fn unrouted(service: &mut Service, id: TaskId, turn: &mut Turn<'_>) {
    let Some(task) = service.tasks.get_mut(&id) else {
        return;
    };
    match task.phase {
        TaskPhase::Draining if !task.unrouted => {
            task.unrouted = true;
            task.say(
                id,
                "no new request reaches it; it finishes what it has",
                turn,
            );
        }
        // A second report; one for a task whose time was up already; one that nobody asked for.
        TaskPhase::Draining
        | TaskPhase::Stopping
        | TaskPhase::Stopped
        | TaskPhase::Pending
        | TaskPhase::Activating
        | TaskPhase::Running => {}
    }
}

/// Nothing is in flight on the task. Implies `Unrouted`, whose report may have been lost.
pub(crate) fn drained(service: &mut Service, id: TaskId, turn: &mut Turn<'_>) {
    let Service {
        tasks, revisions, ..
    } = service;
    let Some(task) = tasks.get_mut(&id) else {
        return;
    };
    match task.phase {
        TaskPhase::Draining => {
            task.unrouted = true;
            stop(
                task,
                id,
                policy(revisions, task.revision).stop_grace,
                "nothing is in flight on it",
                turn,
            );
        }
        // The same three as above.
        TaskPhase::Stopping
        | TaskPhase::Stopped
        | TaskPhase::Pending
        | TaskPhase::Activating
        | TaskPhase::Running => {}
    }
}

/// What time does to leaving tasks: `deregistration_delay` passes, a stop is not answered.
pub(crate) fn advance(service: &mut Service, turn: &mut Turn<'_>) {
    let Service {
        tasks, revisions, ..
    } = service;
    for (&id, task) in tasks.iter_mut() {
        let policy = policy(revisions, task.revision);
        match task.phase {
            TaskPhase::Draining if task.since + policy.deregistration_delay <= turn.now => {
                let delay = policy.deregistration_delay.as_secs();
                let reason = if task.unrouted {
                    format!("still has requests after {delay} s of draining")
                } else {
                    format!("the gateway has not answered for {delay} s")
                };
                stop(task, id, policy.stop_grace, &reason, turn);
            }
            TaskPhase::Stopping if task.again_at.is_some_and(|at| at <= turn.now) => {
                task.again_at = Some(turn.now + KILL_SLACK);
                task.say(id, "it was told to stop and is still there: killed", turn);
                turn.act(Action::KillTask { task: id });
            }
            TaskPhase::Draining
            | TaskPhase::Stopping
            | TaskPhase::Pending
            | TaskPhase::Activating
            | TaskPhase::Running
            | TaskPhase::Stopped => {}
        }
    }
}

/// When a leaving task needs attention.
pub(crate) fn wake(task: &Task, deregistration_delay: Duration) -> Option<Moment> {
    match task.phase {
        TaskPhase::Draining => Some(task.since + deregistration_delay),
        TaskPhase::Stopping => task.again_at,
        TaskPhase::Pending | TaskPhase::Activating | TaskPhase::Running | TaskPhase::Stopped => {
            None
        }
    }
}

fn stop(task: &mut Task, id: TaskId, grace: Duration, reason: &str, turn: &mut Turn<'_>) {
    task.enter(id, TaskPhase::Stopping, reason, turn);
    task.again_at = Some(turn.now + grace + KILL_SLACK);
    turn.act(Action::StopTask { task: id });
}

/// A task's process is gone, or never came: it is over.
pub(crate) fn over(
    task: &mut Task,
    id: TaskId,
    exit: Option<ExitStatus>,
    reason: &str,
    turn: &mut Turn<'_>,
) {
    task.exit = exit;
    task.again_at = None;
    task.enter(id, TaskPhase::Stopped, reason, turn);
}

/// Tasks that are over and still shown: enough to explain why the newest ones failed.
const REMEMBERED: usize = 3;

/// Forgets tasks that are over, except the newest few of a service that stays.
pub(crate) fn forget(service: &mut Service, all: bool, turn: &mut Turn<'_>) {
    let over: Vec<TaskId> = service
        .tasks
        .iter()
        .filter(|(_, task)| task.phase == TaskPhase::Stopped)
        .map(|(id, _)| *id)
        .collect();
    let keep = if all { 0 } else { REMEMBERED };
    for id in &over[..over.len().saturating_sub(keep)] {
        service.tasks.remove(id);
        turn.act(Action::ForgetTask { task: *id });
    }
    service.forget_unused_revisions();
}
