//! The rollout's state machine: from the gate through the batches to its end. How many tasks that
//! takes is the planner's arithmetic; how it fails is the breaker's.

use crate::breaker;
use crate::depend::Gate;
use crate::event::TaskId;
use crate::notice::{NoticeKind, RolloutState, TaskHealth, TaskPhase};
use crate::reconcile::{self, Aim};
use crate::state::{Deployment, Rollout, Service};
use crate::step::Turn;
use crate::task::Task;
use crate::time::Moment;
use cais_model::stack::FailureAction;

/// Begins a rollout to a deployment. One that is under way is superseded.
pub(crate) fn begin(service: &mut Service, to: Deployment, reason: &str, turn: &mut Turn<'_>) {
    supersede(
        service,
        &format!("superseded by revision {}", to.revision),
        turn,
    );
    if to.generation != service.target.generation {
        service.succeeded = 0;
    }
    service.given_up = 0;
    service.completed = None;
    service.target = to;
    service.backoff.clear();
    service.waiting = None;
    service.at_rest = false;
    let replaces = service.live().next().is_some();
    service.rollout = Rollout::new(service.current, to, replaces, reason, turn.now);
    say(service, reason, turn);
}

/// Ends a rollout that is under way because something else is wanted now.
pub(crate) fn supersede(service: &mut Service, reason: &str, turn: &mut Turn<'_>) {
    if is_active(service.rollout.state) {
        end(service, RolloutState::Stopped, reason, turn);
    }
}

impl Rollout {
    pub(crate) fn new(
        from: Option<Deployment>,
        to: Deployment,
        replaces: bool,
        reason: &str,
        now: Moment,
    ) -> Self {
        Self {
            from: from.map(|from| from.revision),
            to,
            state: RolloutState::Pending,
            failed: 0,
            reason: reason.to_owned(),
            started_at: now,
            ended_at: None,
            progress_at: now,
            batch_at: now,
            replaces,
            hold: None,
        }
    }
}

/// Is it under way?
pub(crate) fn is_active(state: RolloutState) -> bool {
    match state {
        RolloutState::Pending
        | RolloutState::InProgress
        | RolloutState::Baking
        | RolloutState::RollbackInProgress => true,
        RolloutState::Completed
        | RolloutState::Failed
        | RolloutState::RollbackSuccessful
        | RolloutState::RollbackFailed
        | RolloutState::Stopped => false,
    }
}

/// One pass over a service that is meant to run. Whatever it changes shows as an action or a notice.
pub(crate) fn advance(service: &mut Service, gate: &Gate, turn: &mut Turn<'_>) {
    pass_gate(service, gate, turn);
    observe(service, turn);
    let stuck = reconcile::reconcile(service, turn);
    conclude(service, turn);
    if stuck && is_active(service.rollout.state) {
        let reason = format!(
            "the bounds leave no room to replace any of {} tasks",
            service.desired
        );
        breaker::trip(service, &reason, FailureAction::Rollback, turn);
    }
    check_deadline(service, turn);
}

fn pass_gate(service: &mut Service, gate: &Gate, turn: &mut Turn<'_>) {
    if service.rollout.state != RolloutState::Pending {
        return;
    }
    match gate {
        _ if service.desired == 0 => open(service, turn),
        Gate::Open => open(service, turn),
        Gate::Waiting(reason) if service.waiting.as_ref() == Some(reason) => {}
        Gate::Waiting(reason) => {
            service.waiting = Some(reason.clone());
            turn.note(NoticeKind::Waiting {
                reason: reason.clone(),
            });
        }
        Gate::Failed(reason) => {
            let action = match service.target_policy().failure_action {
                // Without what it depends on there is nothing to continue with.
                FailureAction::Continue => FailureAction::Pause,
                action => action,
            };
            breaker::trip(service, reason, action, turn);
        }
    }
}

fn open(service: &mut Service, turn: &mut Turn<'_>) {
    service.waiting = None;
    service.backoff.clear();
    service.rollout.progress_at = turn.now;
    let reason = if service.rollout.replaces {
        "tasks are being replaced"
    } else {
        "tasks are being started"
    };
    change(service, RolloutState::InProgress, reason, turn);
}

/// Tasks that have been healthy for `monitor` count from now on.
fn observe(service: &mut Service, turn: &mut Turn<'_>) {
    let target = service.target;
    let policy = service.target_policy();
    let (delay, reset) = (policy.delay, policy.reset_on_healthy);
    let due: Vec<TaskId> = service
        .live()
        .filter(|(_, task)| proven_at(service, task).is_some_and(|at| at <= turn.now))
        .map(|(id, _)| id)
        .collect();
    for id in due {
        let Some(task) = service.tasks.get_mut(&id) else {
            continue;
        };
        task.proven = true;
        if task.generation != target.generation || !is_active(service.rollout.state) {
            continue;
        }
        let rollout = &mut service.rollout;
        rollout.batch_at = turn.now + delay;
        rollout.progress_at = rollout.batch_at;
        if reset && rollout.failed > 0 {
            rollout.failed = 0;
            say(
                service,
                &format!("task {id} is healthy: failures are counted anew"),
                turn,
            );
        }
    }
}

/// When a healthy task that is still under observation counts.
pub(crate) fn proven_at(service: &Service, task: &Task) -> Option<Moment> {
    let observed =
        task.phase == TaskPhase::Running && task.health == TaskHealth::Healthy && !task.proven;
    task.healthy_at
        .filter(|_| observed)
        .map(|at| at + service.policy(task.revision).monitor)
}

/// Is the rollout, or its way back, done?
fn conclude(service: &mut Service, turn: &mut Turn<'_>) {
    let rollout = &service.rollout;
    let trying = rollout.state == RolloutState::Failed && rollout.hold.is_none();
    let under_way = is_active(rollout.state) && rollout.state != RolloutState::Pending;
    if !(under_way || trying) {
        return;
    }
    let counts = reconcile::count(service, Aim::Target);
    let no_old = counts.old_healthy + counts.old_unhealthy == 0
        && !service.unfinished().any(|(_, task)| {
            task.generation != service.target.generation
                && task.phase == TaskPhase::Draining
                && !task.unrouted
        });
    let filled = if service.target_policy().one_shot {
        service.succeeded >= service.desired
    } else {
        counts.new_healthy + service.succeeded >= service.desired
    };
    if no_old && filled && counts.new_pending + counts.new_unhealthy == 0 {
        service.current = Some(service.target);
        return match rollout.state {
            RolloutState::RollbackInProgress => {
                let reason = format!(
                    "{}; back at revision {}",
                    rollout.reason, service.target.revision
                );
                end(service, RolloutState::RollbackSuccessful, &reason, turn);
            }
            _ => end(
                service,
                RolloutState::Completed,
                "every task is of this revision and healthy",
                turn,
            ),
        };
    }
    let running = service
        .live()
        .filter(|(_, task)| task.generation == service.target.generation && task.is_healthy())
        .count();
    let all_up = no_old && running + service.succeeded as usize >= service.desired as usize;
    match service.rollout.state {
        RolloutState::InProgress if all_up && !service.target_policy().one_shot => {
            change(
                service,
                RolloutState::Baking,
                "every task is replaced and healthy; under observation",
                turn,
            );
        }
        RolloutState::Baking if !all_up => {
            change(
                service,
                RolloutState::InProgress,
                "a task was lost under observation",
                turn,
            );
        }
        _ => {}
    }
}

/// When a rollout without a new healthy task has failed. One-shot tasks take the time they take.
pub(crate) fn deadline(service: &Service) -> Option<Moment> {
    let rollout = &service.rollout;
    let counts = match rollout.state {
        RolloutState::InProgress | RolloutState::Baking | RolloutState::RollbackInProgress => true,
        RolloutState::Pending
        | RolloutState::Completed
        | RolloutState::Failed
        | RolloutState::RollbackSuccessful
        | RolloutState::RollbackFailed
        | RolloutState::Stopped => false,
    };
    let policy = service.target_policy();
    // While a healthy task is under observation, the rollout progresses.
    let observed = service
        .live()
        .filter_map(|(_, task)| proven_at(service, task))
        .max();
    let from = rollout.progress_at.max(observed.unwrap_or_default());
    (counts && !policy.one_shot).then(|| from + policy.progress_deadline)
}

fn check_deadline(service: &mut Service, turn: &mut Turn<'_>) {
    if deadline(service).is_some_and(|at| at <= turn.now) {
        let policy = service.target_policy();
        let (action, seconds) = (policy.failure_action, policy.progress_deadline.as_secs());
        breaker::trip(
            service,
            &format!("no new healthy task for {seconds} s"),
            action,
            turn,
        );
    }
}

/// Ends the rollout and says why.
pub(crate) fn end(service: &mut Service, state: RolloutState, reason: &str, turn: &mut Turn<'_>) {
    service.rollout.ended_at = Some(turn.now);
    change(service, state, reason, turn);
}

/// Moves the rollout on and says why.
pub(crate) fn change(
    service: &mut Service,
    state: RolloutState,
    reason: &str,
    turn: &mut Turn<'_>,
) {
    service.rollout.state = state;
    reason.clone_into(&mut service.rollout.reason);
    say(service, reason, turn);
}

/// Says where the rollout is.
pub(crate) fn say(service: &Service, reason: &str, turn: &mut Turn<'_>) {
    let rollout = &service.rollout;
    turn.note(NoticeKind::Rollout {
        from: rollout.from,
        to: rollout.to.revision,
        state: rollout.state,
        failed: rollout.failed,
        threshold: breaker::of(service),
        reason: reason.to_owned(),
    });
}
