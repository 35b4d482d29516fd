//! `depends_on`: may a service's first task start, and may a service stop before the others? Waiting
//! and failing are the rollout's business.

use crate::notice::{RolloutState, TaskHealth, TaskPhase};
use crate::restart;
use crate::state::{Service, State, Wanted};
use cais_model::name::ServiceName;
use cais_model::stack::Condition;
use std::collections::BTreeSet;

/// What the dependencies of a service say to its first task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Gate {
    Open,
    /// In words: "redis to be healthy".
    Waiting(String),
    /// It can never open by itself: "`redis` failed: …".
    Failed(String),
}

/// Asks all dependencies of a service; a failed one outweighs those that are still awaited.
pub(crate) fn gate(state: &State, name: &ServiceName) -> Gate {
    let Some(service) = state.services.get(name) else {
        return Gate::Open;
    };
    let mut waiting = Vec::new();
    for (dependency, condition) in &service.target_policy().depends_on {
        let Some(other) = state.services.get(dependency) else {
            return Gate::Failed(format!("`{dependency}` is not part of the stack"));
        };
        if is_met(other, *condition) {
            continue;
        }
        if let Some(reason) = failed_for_good(other) {
            return Gate::Failed(format!("`{dependency}` failed: {reason}"));
        }
        let wish = match condition {
            Condition::ServiceStarted => "to be started",
            Condition::ServiceHealthy => "to be healthy",
            Condition::ServiceCompletedSuccessfully => "to complete",
        };
        waiting.push(format!("{dependency} {wish}"));
    }
    if waiting.is_empty() {
        Gate::Open
    } else {
        Gate::Waiting(waiting.join(", "))
    }
}

fn is_met(other: &Service, condition: Condition) -> bool {
    if other.wanted != Wanted::Running {
        return false;
    }
    match condition {
        Condition::ServiceStarted => {
            other.desired == 0
                || other.succeeded > 0
                || other
                    .live()
                    .any(|(_, task)| task.phase > TaskPhase::Pending)
        }
        Condition::ServiceHealthy => is_healthy(other),
        // A job that is scaled to nothing has nothing to complete.
        Condition::ServiceCompletedSuccessfully => other.succeeded >= other.desired,
    }
}

/// As many healthy tasks of its target as desired; where its rollout is over, one is enough, for a
/// crashed replica of an old service must not hold up a new one.
fn is_healthy(other: &Service) -> bool {
    let generation = other.target.generation;
    let fit = other
        .live()
        .filter(|(_, task)| task.generation == generation && task.phase == TaskPhase::Running)
        .filter(|(_, task)| task.health == TaskHealth::Healthy)
        .count();
    let fit = u32::try_from(fit)
        .unwrap_or(u32::MAX)
        .saturating_add(other.succeeded);
    let wanted = match other.rollout.state {
        RolloutState::Completed | RolloutState::RollbackSuccessful => other.desired.min(1),
        _ => other.desired,
    };
    fit >= wanted && other.rollout.state != RolloutState::Pending
}

/// Why the condition cannot come true without a person.
fn failed_for_good(other: &Service) -> Option<String> {
    let halted = matches!(
        other.rollout.state,
        RolloutState::Failed | RolloutState::RollbackFailed
    );
    if halted && other.rollout.hold.is_some() {
        return Some(other.rollout.reason.clone());
    }
    // A service that gave up after its rollout: nothing will start it again by itself.
    (other.given_up > 0).then(|| {
        other
            .completed
            .map_or_else(|| "given up".to_owned(), restart::words)
    })
}

/// May a service that is to stop do so now? Dependents stop first, each drained, so that nobody
/// loses a request because something it needs went away.
pub(crate) fn may_stop(state: &State, name: &ServiceName) -> bool {
    !state.services.iter().any(|(other, service)| {
        other != name
            && service.wanted != Wanted::Running
            && service.unfinished().next().is_some()
            // Through others, too: a migration that is over still stands between web and database.
            && reaches(state, other, name)
            // A circle has no order; nobody in it waits.
            && !reaches(state, name, other)
    })
}

fn reaches(state: &State, from: &ServiceName, to: &ServiceName) -> bool {
    let mut seen = BTreeSet::new();
    let mut open = vec![from];
    while let Some(name) = open.pop() {
        if name == to {
            return true;
        }
        if let (true, Some(service)) = (seen.insert(name), state.services.get(name)) {
            open.extend(
                service
                    .revisions
                    .values()
                    .flat_map(|policy| policy.depends_on.keys()),
            );
        }
    }
    false
}
