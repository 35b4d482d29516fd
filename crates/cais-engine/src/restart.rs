//! What a task's end or failure means: is it counted, is its place filled again, and when. Starting
//! the next task is the planner's business; giving up a rollout is the rollout's.

use crate::breaker;
use crate::drain;
use crate::event::{ExitStatus, TaskId};
use crate::health;
use crate::notice::{NoticeKind, TaskPhase};
use crate::policy::Policy;
use crate::reconcile::{self, Aim};
use crate::state::{Backoff, Service};
use crate::step::Turn;
use crate::task::Task;
use crate::throttle;
use cais_model::stack::Restart;

/// The task could not be started.
pub(crate) fn start_failed(service: &mut Service, id: TaskId, reason: &str, turn: &mut Turn<'_>) {
    let Some(task) = service.tasks.get_mut(&id) else {
        return;
    };
    match task.phase {
        TaskPhase::Pending => {
            let reason = format!("could not be started: {}", health::shorten(reason));
            drain::over(task, id, None, &reason, turn);
            ended_by_itself(service, id, None, &reason, turn);
        }
        // Its stop was decided before the start failed: over, and nobody's fault.
        TaskPhase::Stopping => drain::over(task, id, None, "it had not been started", turn),
        // It was reported as started, so this report is about an earlier attempt; or it is over.
        TaskPhase::Activating | TaskPhase::Running | TaskPhase::Draining | TaskPhase::Stopped => {}
    }
}

/// The task's process ended.
pub(crate) fn exited(service: &mut Service, id: TaskId, status: ExitStatus, turn: &mut Turn<'_>) {
    let Some(task) = service.tasks.get_mut(&id) else {
        return;
    };
    let reason = words(status);
    match task.phase {
        TaskPhase::Pending | TaskPhase::Activating | TaskPhase::Running => {
            drain::over(task, id, Some(status), &reason, turn);
            ended_by_itself(service, id, Some(status), &reason, turn);
        }
        TaskPhase::Draining | TaskPhase::Stopping => {
            drain::over(task, id, Some(status), &reason, turn);
        }
        // A second report.
        TaskPhase::Stopped => {}
    }
}

/// A live task failed its health check; it is still there.
pub(crate) fn unhealthy(service: &mut Service, id: TaskId, reason: &str, turn: &mut Turn<'_>) {
    count_failure(service, id, true, reason, turn);
    if let Some(task) = service.tasks.get_mut(&id) {
        task.healthy_at = None;
        task.proven = false;
    }
}

/// How a process ended, in words.
pub(crate) fn words(status: ExitStatus) -> String {
    match status {
        ExitStatus::Code(code) => format!("exited with code {code}"),
        ExitStatus::Signal(signal) => format!("killed by signal {signal}"),
        ExitStatus::OutOfMemory => "killed for want of memory: it used more than it may".to_owned(),
        ExitStatus::Unknown => "ended while nobody watched".to_owned(),
    }
}

/// What follows from the end of a task that nobody asked to end.
enum Sequel {
    /// Its place is filled again; the end counts as a failure.
    Replace,
    /// It did what it was for.
    Succeeded,
    /// The restart policy allows no further attempt.
    GiveUp,
}

/// By Compose's `restart`; unset replaces, as ECS does.
fn sequel(policy: &Policy, task: &Task, status: Option<ExitStatus>) -> Sequel {
    let success = status == Some(ExitStatus::Code(0));
    // Attempts so far: the first task of a place is not a restart.
    let used_up = |max: Option<u32>| max.is_some_and(|max| task.attempt >= max);
    match policy.restart {
        Restart::OnFailure { .. } if success => Sequel::Succeeded,
        Restart::OnFailure { max_attempts } if used_up(max_attempts) => Sequel::GiveUp,
        Restart::OnFailure { .. } => Sequel::Replace,
        Restart::No | Restart::Unset | Restart::Always | Restart::UnlessStopped
            if policy.one_shot =>
        {
            if success {
                Sequel::Succeeded
            } else {
                Sequel::GiveUp
            }
        }
        Restart::No => Sequel::GiveUp,
        Restart::Unset | Restart::Always | Restart::UnlessStopped => Sequel::Replace,
    }
}

fn ended_by_itself(
    service: &mut Service,
    id: TaskId,
    status: Option<ExitStatus>,
    reason: &str,
    turn: &mut Turn<'_>,
) {
    let task = &service.tasks[&id];
    // What became of a deployment that is being replaced changes nothing for the target.
    let of_target = task.generation == service.target.generation;
    match (
        sequel(service.policy(task.revision), task, status),
        of_target,
    ) {
        (Sequel::Replace, _) => {
            // Neither the release nor the program is to blame when the machine went down.
            let counts = status != Some(ExitStatus::Unknown);
            count_failure(service, id, counts, reason, turn);
        }
        (Sequel::Succeeded, true) => {
            service.succeeded += 1;
            breaker::keep_one_fewer(service);
            if service.succeeded >= service.desired {
                finish(service, status, turn);
            }
        }
        (Sequel::GiveUp, true) => {
            service.given_up += 1;
            breaker::keep_one_fewer(service);
            finish(service, status, turn);
            let attempts = task_attempts(service, id);
            breaker::given_up(service, &format!("{reason}{attempts}"), turn);
        }
        (Sequel::Succeeded | Sequel::GiveUp, false) => breaker::keep_one_fewer(service),
    }
}

fn task_attempts(service: &Service, id: TaskId) -> String {
    match service.tasks[&id].attempt {
        0 => String::new(),
        again => format!(" after {again} restarts"),
    }
}

fn finish(service: &mut Service, status: Option<ExitStatus>, turn: &mut Turn<'_>) {
    if let Some(status) = status {
        service.completed = Some(status);
        turn.note(NoticeKind::Completed { status });
    }
}

/// Holds the place of a failed task back, and tells the breaker when the failure is one of the rollout's.
fn count_failure(
    service: &mut Service,
    id: TaskId,
    blame_rollout: bool,
    reason: &str,
    turn: &mut Turn<'_>,
) {
    let now = turn.now;
    let Some(task) = service.tasks.get_mut(&id) else {
        return;
    };
    if std::mem::replace(&mut task.blamed, true) {
        // It was unhealthy before it ended: one failure.
        return;
    }
    let lasted = task
        .healthy_at
        .is_some_and(|at| at + throttle::RESET_AFTER <= now);
    let failures = if lasted {
        1
    } else {
        task.attempt.saturating_add(1)
    };
    let (generation, proven) = (task.generation, task.proven);
    let of_target = generation == service.target.generation;
    // An old task's place is not filled again, unless the service only keeps what it has.
    if of_target || reconcile::aim(service) != Aim::Target {
        let pause = throttle::pause(id, failures);
        service.backoff.push(Backoff {
            attempt: failures,
            due: now + pause,
        });
        if !pause.is_zero() {
            let wait_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
            turn.note(NoticeKind::Throttled {
                wait_ms,
                reason: format!("task {id} {reason}; failure {failures} in a row"),
            });
        }
    }
    // ECS does not count a task that ends after it was healthy; we count it within `monitor`
    // (containers-roadmap #1206). A failed health check counts at any time.
    let alive = service.tasks.get(&id).is_some_and(Task::is_live);
    if of_target && blame_rollout && (alive || !proven) {
        breaker::count_failure(service, &format!("task {id} {reason}"), turn);
    }
}
