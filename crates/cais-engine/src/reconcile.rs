//! From counts to tasks: which tasks the planner's numbers mean, and which starts are held back.

use crate::drain;
use crate::event::TaskId;
use crate::notice::{RolloutState, TaskHealth, TaskPhase};
use crate::planner::{self, Counts, Limits, Plan};
use crate::state::{Deployment, Service};
use crate::step::Turn;
use crate::task::{self, Task};
use crate::time::Moment;

/// What the service's tasks are measured against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Aim {
    /// Nothing is started or stopped.
    Nothing,
    /// Replace what is not of the target.
    Target,
    /// The new deployment waits for its dependencies; what is there keeps its number.
    Maintain(Deployment),
    /// Halted: what was healthy keeps its number.
    Hold(u32, Deployment),
}

/// What to aim at, by where the rollout is.
pub(crate) fn aim(service: &Service) -> Aim {
    let rollout = &service.rollout;
    match (rollout.state, rollout.hold, service.current) {
        (_, Some(keep), Some(current)) => Aim::Hold(keep, current),
        (_, Some(_), None) => Aim::Nothing,
        (RolloutState::Pending, None, Some(current)) if rollout.replaces => Aim::Maintain(current),
        (RolloutState::Pending, None, _) => Aim::Nothing,
        (_, None, _) => Aim::Target,
    }
}

/// Starts and stops tasks until the plan is empty. Says whether the service is stuck: its bounds let
/// it neither start nor stop what it would have to.
pub(crate) fn reconcile(service: &mut Service, turn: &mut Turn<'_>) -> bool {
    let aim = aim(service);
    let deployment = match aim {
        Aim::Nothing => return false,
        Aim::Target => service.target,
        Aim::Maintain(current) | Aim::Hold(_, current) => current,
    };
    // Each pass either starts or stops at least one task, or is the last.
    loop {
        let counts = count(service, aim);
        let limits = Limits::of(service.policy(deployment.revision).bounds, service.desired);
        let mut plan = match aim {
            Aim::Hold(keep, _) => planner::hold(counts, keep, service.desired, limits),
            Aim::Nothing | Aim::Target | Aim::Maintain(_) => {
                planner::plan(counts, service.desired, limits)
            }
        };
        let stuck = aim == Aim::Target && plan.is_stuck(counts);
        if aim == Aim::Target && is_between_batches(service, counts, turn.now) {
            plan.start = 0;
            plan.stop_old_healthy -= plan.forced;
        }
        let begun = turn.effects();
        stop_planned(service, plan, aim, turn);
        start_planned(service, plan, deployment, turn);
        if turn.effects() == begun {
            return stuck;
        }
    }
}

fn is_between_batches(service: &Service, counts: Counts, now: Moment) -> bool {
    // A way back does not dawdle.
    service.rollout.state == RolloutState::InProgress
        && counts.old_healthy > 0
        && now < service.rollout.batch_at
}

/// The next moment at which a start that is held back may be made.
pub(crate) fn held_back_until(service: &Service, now: Moment) -> Option<Moment> {
    let aim = aim(service);
    if aim == Aim::Nothing {
        return None;
    }
    // A place that is due and still empty waits for room, not for time.
    let place = service
        .backoff
        .iter()
        .map(|place| place.due)
        .filter(|due| *due > now)
        .min();
    let batch =
        is_between_batches(service, count(service, aim), now).then_some(service.rollout.batch_at);
    place.into_iter().chain(batch).min()
}

/// The five kinds that the planner tells apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    OldHealthy,
    OldUnhealthy,
    NewPending,
    NewHealthy,
    NewUnhealthy,
}

fn kind(service: &Service, task: &Task, aim: Aim) -> Kind {
    let new = aim != Aim::Target || task.generation == service.target.generation;
    match (new, task.phase, task.health) {
        (true, TaskPhase::Running, TaskHealth::Unhealthy)
        | (true, TaskPhase::Activating, TaskHealth::Unhealthy) => Kind::NewUnhealthy,
        // It was healthy and is not ready now: it keeps its place and is not replaced, but it
        // releases nobody who may be serving in its stead.
        (true, _, TaskHealth::NotReady) if aim == Aim::Target => Kind::NewPending,
        (true, _, _) if task.proven => Kind::NewHealthy,
        // Of a deployment that is only kept, what serves counts; there is nothing to prove.
        (true, TaskPhase::Running, _) if aim != Aim::Target => Kind::NewHealthy,
        (true, _, _) => Kind::NewPending,
        (false, _, _) if task.is_healthy() => Kind::OldHealthy,
        (false, _, _) => Kind::OldUnhealthy,
    }
}

/// The live tasks by kind.
pub(crate) fn count(service: &Service, aim: Aim) -> Counts {
    let mut counts = Counts {
        ended: service.succeeded + service.given_up,
        ..Counts::default()
    };
    for (_, task) in service.live() {
        match kind(service, task, aim) {
            Kind::OldHealthy => counts.old_healthy += 1,
            Kind::OldUnhealthy => counts.old_unhealthy += 1,
            Kind::NewPending => counts.new_pending += 1,
            Kind::NewHealthy => counts.new_healthy += 1,
            Kind::NewUnhealthy => counts.new_unhealthy += 1,
        }
    }
    counts
}

fn stop_planned(service: &mut Service, plan: Plan, aim: Aim, turn: &mut Turn<'_>) {
    let replaced = match service.rollout.state {
        RolloutState::RollbackInProgress => {
            format!("rolled back to revision {}", service.target.revision)
        }
        _ => format!("replaced by revision {}", service.target.revision),
    };
    let fewer = format!("only {} wanted", service.desired);
    let kinds = [
        (Kind::OldHealthy, plan.stop_old_healthy, replaced.as_str()),
        (
            Kind::OldUnhealthy,
            plan.stop_old_unhealthy,
            replaced.as_str(),
        ),
        (Kind::NewPending, plan.stop_new_pending, fewer.as_str()),
        (Kind::NewHealthy, plan.stop_new_healthy, fewer.as_str()),
        (Kind::NewUnhealthy, plan.stop_new_unhealthy, "unhealthy"),
    ];
    // All are chosen before any is stopped: the plan counted them in one state.
    let mut chosen = Vec::new();
    for (wanted, number, reason) in kinds {
        let mut candidates: Vec<(TaskId, &Task)> = service
            .live()
            .filter(|(_, task)| kind(service, task, aim) == wanted)
            .collect();
        // What serves least goes first; of what serves, an old deployment's oldest, the target's newest.
        let newest_first = matches!(wanted, Kind::NewPending | Kind::NewHealthy);
        candidates.sort_by_key(|(id, task)| {
            let serving = task.phase == TaskPhase::Running && task.health == TaskHealth::Healthy;
            (
                serving,
                task.phase,
                if newest_first { u64::MAX - id.0 } else { id.0 },
            )
        });
        for (id, task) in candidates
            .into_iter()
            .take(usize::try_from(number).unwrap_or(usize::MAX))
        {
            let reason = match (wanted, &task.reason) {
                (Kind::NewUnhealthy, Some(answer)) => format!("{reason}: {answer}"),
                _ => reason.to_owned(),
            };
            chosen.push((id, reason));
        }
    }
    for (id, reason) in chosen {
        drain::begin(service, id, &reason, turn);
    }
}

/// Starts what is planned and not held back: places that never failed at once, the others when they are due.
fn start_planned(service: &mut Service, plan: Plan, deployment: Deployment, turn: &mut Turn<'_>) {
    let need = usize::try_from(plan.need).unwrap_or(usize::MAX);
    service
        .backoff
        .sort_by_key(|place| (place.due, place.attempt));
    // A place that is not wanted any more is no longer held back: the longest wait is dropped last.
    let surplus = service.backoff.len().saturating_sub(need);
    service.backoff.drain(..surplus);
    let fresh = need - service.backoff.len();
    let due = service
        .backoff
        .iter()
        .take_while(|place| place.due <= turn.now)
        .count();
    let start = usize::try_from(plan.start)
        .unwrap_or(usize::MAX)
        .min(fresh + due);
    let again = start.min(due);
    let places: Vec<u32> = service
        .backoff
        .drain(..again)
        .map(|place| place.attempt)
        .collect();
    for attempt in places {
        task::start(
            service,
            deployment,
            attempt,
            "started again in place of one that failed",
            turn,
        );
    }
    for _ in again..start {
        task::start(service, deployment, 0, "a task is wanted", turn);
    }
}
