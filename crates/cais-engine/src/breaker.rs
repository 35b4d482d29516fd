//! The deployment circuit breaker: what counts against a rollout, when it is given up, and what
//! follows: the way back, or a halt. Starting and stopping tasks is the reconciler's business.

use crate::drain;
use crate::event::TaskId;
use crate::notice::RolloutState;
use crate::rollout;
use crate::state::{Deployment, Service};
use crate::step::Turn;
use crate::task::Task;
use cais_model::stack::{FailureAction, Threshold};

/// A task of the target failed in a way that counts. Trips the breaker at its threshold.
pub(crate) fn count_failure(service: &mut Service, reason: &str, turn: &mut Turn<'_>) {
    let policy = service.target_policy();
    let (action, one_shot) = (policy.failure_action, policy.one_shot);
    if !rollout::is_active(service.rollout.state) || one_shot {
        return;
    }
    service.rollout.failed = service.rollout.failed.saturating_add(1);
    match of(service) {
        Some(threshold) if service.rollout.failed >= threshold => {
            let why = match service.rollout.failed {
                1 => reason.to_owned(),
                failed => format!("{failed} tasks failed; the last: {reason}"),
            };
            trip(service, &why, action, turn);
        }
        Some(_) | None => rollout::say(service, reason, turn),
    }
}

/// At how many failures the breaker of this rollout trips.
pub(crate) fn of(service: &Service) -> Option<u32> {
    service
        .target_policy()
        .breaker
        .map(|rule| threshold(rule, service.desired))
}

/// The restart policy allows no further attempt in a place of the target.
pub(crate) fn given_up(service: &mut Service, reason: &str, turn: &mut Turn<'_>) {
    let policy = service.target_policy();
    // What has begun to run to its end is not undone by running its predecessor once more.
    let action = if policy.one_shot {
        FailureAction::Pause
    } else {
        policy.failure_action
    };
    match (service.rollout.state, action) {
        (state, FailureAction::Continue) if rollout::is_active(state) => {
            trip(service, reason, FailureAction::Pause, turn);
        }
        (_, action) => trip(service, reason, action, turn),
    }
}

/// A person gives a rollout up.
pub(crate) fn cancel(service: &mut Service, turn: &mut Turn<'_>) {
    match service.rollout.state {
        RolloutState::Pending | RolloutState::InProgress | RolloutState::Baking => {
            if service.target_policy().one_shot {
                trip(service, "cancelled", FailureAction::Pause, turn);
                stop_target(service, "its rollout was cancelled", |_| true, turn);
            } else {
                trip(service, "cancelled", FailureAction::Rollback, turn);
            }
        }
        // Already on the way back, or over.
        RolloutState::RollbackInProgress
        | RolloutState::Completed
        | RolloutState::Failed
        | RolloutState::RollbackSuccessful
        | RolloutState::RollbackFailed
        | RolloutState::Stopped => {}
    }
}

/// Gives a rollout up. What is not under way cannot be given up, and a rollback is never rolled back.
pub(crate) fn trip(
    service: &mut Service,
    reason: &str,
    action: FailureAction,
    turn: &mut Turn<'_>,
) {
    service.waiting = None;
    match (service.rollout.state, action) {
        (
            RolloutState::Pending | RolloutState::InProgress | RolloutState::Baking,
            FailureAction::Rollback,
        ) => {
            match service
                .current
                .filter(|current| current.generation != service.target.generation)
            {
                Some(current) => roll_back(service, current, reason, turn),
                None => {
                    rollout::end(
                        service,
                        RolloutState::Failed,
                        &format!("{reason}; there is nothing to roll back to"),
                        turn,
                    );
                    halt(service);
                    stop_target(
                        service,
                        "its rollout failed before it was healthy",
                        |task| !task.is_healthy(),
                        turn,
                    );
                }
            }
        }
        (
            RolloutState::Pending | RolloutState::InProgress | RolloutState::Baking,
            FailureAction::Pause,
        ) => {
            rollout::end(service, RolloutState::Failed, reason, turn);
            halt(service);
        }
        (
            RolloutState::Pending | RolloutState::InProgress | RolloutState::Baking,
            FailureAction::Continue,
        ) => {
            rollout::end(
                service,
                RolloutState::Failed,
                &format!("{reason}; goes on trying"),
                turn,
            );
        }
        (RolloutState::RollbackInProgress, _) => {
            let reason = format!(
                "{}; the way back failed too: {reason}",
                service.rollout.reason
            );
            rollout::end(service, RolloutState::RollbackFailed, &reason, turn);
            halt(service);
        }
        (
            RolloutState::Completed
            | RolloutState::Failed
            | RolloutState::RollbackSuccessful
            | RolloutState::RollbackFailed
            | RolloutState::Stopped,
            _,
        ) => {}
    }
}

fn roll_back(service: &mut Service, to: Deployment, reason: &str, turn: &mut Turn<'_>) {
    service.target = to;
    service.backoff.clear();
    service.succeeded = 0;
    service.given_up = 0;
    service.completed = None;
    let rollout = &mut service.rollout;
    rollout.failed = 0;
    rollout.progress_at = turn.now;
    rollout.batch_at = turn.now;
    rollout::change(service, RolloutState::RollbackInProgress, reason, turn);
}

fn halt(service: &mut Service) {
    let healthy = service.live().filter(|(_, task)| task.is_healthy()).count();
    let keep = if service.target_policy().one_shot {
        0
    } else {
        u32::try_from(healthy).unwrap_or(u32::MAX)
    };
    service.rollout.hold = Some(keep.min(service.desired));
    service.backoff.clear();
}

/// A task of a halted service ended for good: its place is not kept.
pub(crate) fn keep_one_fewer(service: &mut Service) {
    if let Some(keep) = &mut service.rollout.hold {
        *keep = keep.saturating_sub(1);
    }
}

fn stop_target(
    service: &mut Service,
    reason: &str,
    which: impl Fn(&Task) -> bool,
    turn: &mut Turn<'_>,
) {
    let generation = service.target.generation;
    let ids: Vec<TaskId> = service
        .live()
        .filter(|(_, task)| task.generation == generation && which(task))
        .map(|(id, _)| id)
        .collect();
    for id in ids {
        drain::begin(service, id, reason, turn);
    }
}

/// At how many failures the breaker trips, for the latest desired count (ECS, July 2026). Never 0.
pub(crate) fn threshold(rule: Threshold, desired: u32) -> u32 {
    let share = |percent: u32| {
        u32::try_from((u64::from(desired) * u64::from(percent)).div_ceil(100)).unwrap_or(u32::MAX)
    };
    match rule {
        Threshold::BoundedPercent(percent) => share(percent).clamp(3, 200),
        Threshold::UnboundedPercent(percent) => share(percent).max(1),
        Threshold::Count(count) => count.max(1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_are_rounded_and_bounded_as_ecs_documents() {
        let cases = [
            (Threshold::BoundedPercent(50), 1, 3),
            (Threshold::BoundedPercent(50), 6, 3),
            (Threshold::BoundedPercent(50), 7, 4),
            (Threshold::BoundedPercent(50), 399, 200),
            (Threshold::BoundedPercent(50), 401, 200),
            (Threshold::BoundedPercent(50), 4_000, 200),
            (Threshold::BoundedPercent(10), 41, 5),
            (Threshold::UnboundedPercent(50), 0, 1),
            (Threshold::UnboundedPercent(50), 1, 1),
            (Threshold::UnboundedPercent(50), 3, 2),
            (Threshold::UnboundedPercent(1), 100, 1),
            (Threshold::UnboundedPercent(1), 101, 2),
            (Threshold::UnboundedPercent(50), 4_000, 2_000),
            (Threshold::Count(5), 1, 5),
            (Threshold::Count(1), 100, 1),
            (Threshold::Count(0), 100, 1),
        ];
        for (rule, desired, expected) in cases {
            assert_eq!(threshold(rule, desired), expected, "{rule:?} of {desired}");
        }
    }
}
