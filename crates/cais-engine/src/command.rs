//! What people ask for: each command changes what is wanted, and may begin, end or turn a rollout.
//! How the wish is carried out is decided step by step elsewhere.

use crate::event::{Action, ProbeKind, Submission};
use crate::notice::{NoticeKind, RolloutState, TaskPhase};
use crate::rollout;
use crate::state::{Deployment, Down, Rollout, Service, State, Wanted};
use crate::step::Turn;
use crate::time::Moment;
use cais_model::name::ServiceName;
use std::collections::{BTreeMap, BTreeSet};

/// These services are wanted in this form.
pub(crate) fn submit(
    services: &mut BTreeMap<ServiceName, Service>,
    submission: Submission,
    turn: &mut Turn<'_>,
) {
    let Some(service) = services.get_mut(turn.name) else {
        let mut service = Service::new(submission, turn.now);
        let to = service.target;
        rollout::begin(&mut service, to, "first deploy", turn);
        services.insert(turn.name.clone(), service);
        return;
    };
    let was = std::mem::replace(&mut service.wanted, Wanted::Running);
    let Submission {
        revision,
        policy,
        desired,
        force,
    } = submission;
    let scaled = std::mem::replace(&mut service.desired, desired) != desired;
    service.revisions.insert(revision, policy);
    let to = match (was, force, service.current) {
        (Wanted::Running, false, _) if revision == service.target.revision => service.target,
        (Wanted::Stopped | Wanted::Removed, _, _) if revision == service.target.revision => {
            return resume(service, turn);
        }
        (_, false, Some(current)) if revision == current.revision => current,
        _ => service.next_deployment(revision),
    };
    if to.generation != service.target.generation {
        let reason = if force {
            "forced".to_owned()
        } else {
            format!("revision {revision} was submitted")
        };
        return rollout::begin(service, to, &reason, turn);
    }
    match service.rollout.state {
        RolloutState::Failed | RolloutState::RollbackFailed => {
            rollout::begin(service, to, "tried again", turn);
        }
        RolloutState::Completed | RolloutState::RollbackSuccessful if service.given_up > 0 => {
            rollout::begin(service, to, "tried again", turn);
        }
        RolloutState::Completed | RolloutState::RollbackSuccessful | RolloutState::Stopped
            if !scaled =>
        {
            turn.note(NoticeKind::Unchanged { revision });
        }
        // It is on its way there already; or it is only scaled.
        RolloutState::Pending
        | RolloutState::InProgress
        | RolloutState::Baking
        | RolloutState::RollbackInProgress
        | RolloutState::Completed
        | RolloutState::RollbackSuccessful
        | RolloutState::Stopped => {}
    }
}

/// `start`: the same revision again, behind the same gates. What ran to its end runs once more.
pub(crate) fn start(service: &mut Service, turn: &mut Turn<'_>) {
    match service.wanted {
        Wanted::Stopped => {
            service.wanted = Wanted::Running;
            resume(service, turn);
        }
        // It runs; or it is on its way out, and only `up` knows whether it belongs to the stack.
        Wanted::Running | Wanted::Removed => {}
    }
}

fn resume(service: &mut Service, turn: &mut Turn<'_>) {
    service.succeeded = 0;
    // Tasks that wait for their turn to stop stay.
    rollout::begin(service, service.target, "started again", turn);
}

/// `stop` and `remove`: no task is wanted any more.
pub(crate) fn end(service: &mut Service, wanted: Wanted, turn: &mut Turn<'_>) {
    let reason = match wanted {
        Wanted::Removed => "the service is removed",
        Wanted::Stopped | Wanted::Running => "the service is stopped",
    };
    match (service.wanted, wanted) {
        (Wanted::Running, _) => {
            rollout::supersede(service, reason, turn);
            service.wanted = wanted;
            service.waiting = None;
            service.backoff.clear();
        }
        (Wanted::Stopped, Wanted::Removed) => service.wanted = wanted,
        // Asked twice; or a service that leaves the stack is stopped on its way.
        (Wanted::Stopped | Wanted::Removed, _) => {}
    }
}

/// `restart`: every task is replaced by one of the same revision.
pub(crate) fn restart(service: &mut Service, turn: &mut Turn<'_>) {
    match service.wanted {
        Wanted::Running => {
            let to = service.next_deployment(service.target.revision);
            rollout::begin(service, to, "restarted", turn);
        }
        Wanted::Stopped => start(service, turn),
        Wanted::Removed => {}
    }
}

/// `scale`: not a rollout.
pub(crate) fn scale(service: &mut Service, desired: u32, turn: &mut Turn<'_>) {
    match service.wanted {
        Wanted::Running | Wanted::Stopped => {
            let changed = std::mem::replace(&mut service.desired, desired) != desired;
            if changed && service.rollout.hold.is_some() {
                let reason =
                    format!("halted: {desired} tasks are wanted when it is deployed again");
                rollout::say(service, &reason, turn);
            }
        }
        Wanted::Removed => {}
    }
}

/// `down`: every service goes.
pub(crate) fn down(state: &mut State) {
    state.down = Down::InProgress;
}

/// Every action that the intents of a service still need: all may be performed twice.
pub(crate) fn recover(service: &mut Service, turn: &mut Turn<'_>) {
    for (&id, task) in &mut service.tasks {
        task.check_mut(ProbeKind::Liveness).ask_again(turn.now);
        task.check_mut(ProbeKind::Readiness).ask_again(turn.now);
        match task.phase {
            TaskPhase::Pending => {
                turn.act(Action::StartTask {
                    service: turn.name.clone(),
                    task: id,
                    revision: task.revision,
                });
            }
            TaskPhase::Draining => turn.act(Action::Unroute { task: id }),
            TaskPhase::Stopping => turn.act(Action::StopTask { task: id }),
            TaskPhase::Activating | TaskPhase::Running | TaskPhase::Stopped => {}
        }
    }
}

/// The services meant by a command: those named, or all.
pub(crate) fn meant(state: &State, named: BTreeSet<ServiceName>) -> Vec<ServiceName> {
    if named.is_empty() {
        return state.services.keys().cloned().collect();
    }
    named
        .into_iter()
        .filter(|name| state.services.contains_key(name))
        .collect()
}

impl Service {
    fn new(submission: Submission, now: Moment) -> Self {
        let target = Deployment {
            generation: 1,
            revision: submission.revision,
        };
        Self {
            desired: submission.desired,
            wanted: Wanted::Running,
            revisions: BTreeMap::from([(submission.revision, submission.policy)]),
            last_generation: 1,
            current: None,
            target,
            // Replaced before anybody sees it.
            rollout: Rollout {
                state: RolloutState::Stopped,
                ..Rollout::new(None, target, false, "", now)
            },
            tasks: BTreeMap::new(),
            backoff: Vec::new(),
            succeeded: 0,
            given_up: 0,
            completed: None,
            waiting: None,
            at_rest: false,
        }
    }

    fn next_deployment(&mut self, revision: crate::event::RevisionNumber) -> Deployment {
        self.last_generation += 1;
        Deployment {
            generation: self.last_generation,
            revision,
        }
    }
}
