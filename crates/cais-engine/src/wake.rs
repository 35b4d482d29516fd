//! When the engine wants to be asked again although nothing has happened.

use crate::drain;
use crate::notice::TaskPhase;
use crate::reconcile;
use crate::rollout;
use crate::state::{Service, State, Wanted};
use crate::task::{KINDS, Task};
use crate::time::Moment;

/// The earliest moment at which `Event::Tick` must be fed; `None` when only an event can change
/// anything. After a step at that moment it is later, or `None`.
pub fn next_wake(state: &State) -> Option<Moment> {
    state
        .services
        .values()
        .flat_map(|service| of_service(service, state.clock))
        .min()
}

fn of_service(service: &Service, now: Moment) -> Vec<Moment> {
    let mut moments: Vec<Moment> = service
        .tasks
        .values()
        .flat_map(|task| of_task(service, task))
        .collect();
    if service.wanted == Wanted::Running {
        moments.extend(
            service
                .live()
                .filter_map(|(_, task)| rollout::proven_at(service, task)),
        );
        moments.extend(rollout::deadline(service));
        moments.extend(reconcile::held_back_until(service, now));
    }
    moments
}

fn of_task(service: &Service, task: &Task) -> Vec<Moment> {
    let policy = service.policy(task.revision);
    match task.phase {
        TaskPhase::Pending => task.again_at.into_iter().collect(),
        TaskPhase::Activating | TaskPhase::Running => {
            let checks = KINDS
                .into_iter()
                .filter_map(|kind| task.check(kind).wake(policy.probe(kind)?));
            let unchecked = policy.liveness.is_none() && policy.readiness.is_none();
            let settles = task
                .started_at
                .filter(|_| unchecked && task.phase == TaskPhase::Activating);
            checks
                .chain(settles.map(|started| started + policy.settle))
                .collect()
        }
        TaskPhase::Draining | TaskPhase::Stopping => drain::wake(task, policy.deregistration_delay)
            .into_iter()
            .collect(),
        TaskPhase::Stopped => Vec::new(),
    }
}
