//! One step: an event changes what is known or wanted, then every service is brought as far as it
//! can go at this moment. The decisions themselves are in the modules named by their nouns.

use crate::breaker;
use crate::command;
use crate::depend;
use crate::drain;
use crate::event::{Action, Event, Submission, TaskId};
use crate::notice::{Notice, NoticeKind};
use crate::restart;
use crate::rollout;
use crate::state::{Down, Service, State, Wanted};
use crate::task;
use crate::time::Moment;
use cais_model::name::ServiceName;
use std::collections::BTreeMap;

/// What a step leads to: what to do, and what to tell people.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Outcome {
    /// In the order in which they are to be performed.
    pub actions: Vec<Action>,
    /// In the order in which things happened.
    pub notices: Vec<Notice>,
}

/// The surroundings of a decision about one service.
pub(crate) struct Turn<'a> {
    pub(crate) now: Moment,
    pub(crate) name: &'a ServiceName,
    last_task: &'a mut u64,
    outcome: &'a mut Outcome,
}

impl Turn<'_> {
    pub(crate) fn act(&mut self, action: Action) {
        self.outcome.actions.push(action);
    }

    pub(crate) fn note(&mut self, kind: NoticeKind) {
        self.outcome.notices.push(Notice {
            service: self.name.clone(),
            kind,
        });
    }

    /// An id that no task of this stack ever had.
    pub(crate) fn fresh_task(&mut self) -> TaskId {
        *self.last_task += 1;
        TaskId(*self.last_task)
    }

    /// Grows with every action and notice: every decision shows as one of them.
    pub(crate) fn effects(&self) -> usize {
        self.outcome.actions.len() + self.outcome.notices.len()
    }
}

/// Decides. A function of its arguments: the same state, event and moment give the same outcome.
///
/// `now` is the machine's boot clock. A moment before the last one counts as the last one, except
/// with [`Event::Recovered`], where it means that the machine was started anew: then all moments in
/// the state are moved so that what was still to wait is still to wait.
///
/// A step that comes much later than `next_wake` asked for means that the machine slept or nobody
/// supervised: then no rollout has missed its deadline and no probe its answer.
///
/// Events about tasks that are over or unknown change nothing, nor does an event that comes twice.
pub fn step(state: &mut State, event: Event, now: Moment) -> Outcome {
    let mut outcome = Outcome::default();
    if now < state.clock && event == Event::Recovered {
        state.rebase(now);
    }
    let now = now.max(state.clock);
    state.excuse_absence(now);
    state.clock = now;
    take(state, event, now, &mut outcome);
    settle(state, now, &mut outcome);
    outcome
}

/// The event itself, without its consequences.
fn take(state: &mut State, event: Event, now: Moment, outcome: &mut Outcome) {
    match event {
        Event::Apply {
            services,
            remove_absent,
        } => apply(state, services, remove_absent, now, outcome),
        Event::Rollback {
            service,
            submission,
        } => apply(
            state,
            BTreeMap::from([(service, submission)]),
            false,
            now,
            outcome,
        ),
        Event::Scale { service, desired } => {
            with(state, &service, now, outcome, |service, turn| {
                command::scale(service, desired, turn);
            });
        }
        Event::Stop { services } => {
            for name in command::meant(state, services) {
                with(state, &name, now, outcome, |service, turn| {
                    command::end(service, Wanted::Stopped, turn);
                });
            }
        }
        Event::Start { services } => {
            for name in command::meant(state, services) {
                with(state, &name, now, outcome, command::start);
            }
        }
        Event::Restart { services } => {
            for name in command::meant(state, services) {
                with(state, &name, now, outcome, command::restart);
            }
        }
        Event::Cancel { services } => {
            for name in command::meant(state, services) {
                with(state, &name, now, outcome, breaker::cancel);
            }
        }
        Event::Down => {
            command::down(state);
            for name in command::meant(state, Default::default()) {
                with(state, &name, now, outcome, |service, turn| {
                    command::end(service, Wanted::Removed, turn);
                });
            }
        }
        Event::Started { task } => of_task(state, task, now, outcome, |service, turn| {
            task::started(service, task, turn);
        }),
        Event::StartFailed { task, reason } => {
            of_task(state, task, now, outcome, |service, turn| {
                restart::start_failed(service, task, &reason, turn);
            });
        }
        Event::Exited { task, status } => {
            of_task(state, task, now, outcome, |service, turn| {
                restart::exited(service, task, status, turn);
            });
        }
        Event::Probed {
            task,
            kind,
            outcome: answer,
        } => {
            of_task(state, task, now, outcome, |service, turn| {
                task::probed(service, task, kind, answer, turn);
            });
        }
        Event::Unrouted { task } => of_task(state, task, now, outcome, |service, turn| {
            drain::unrouted(service, task, turn);
        }),
        Event::Drained { task } => of_task(state, task, now, outcome, |service, turn| {
            drain::drained(service, task, turn);
        }),
        Event::Recovered => {
            for name in command::meant(state, Default::default()) {
                with(state, &name, now, outcome, command::recover);
            }
            if state.down == Down::Done {
                outcome.actions.push(Action::Finished);
            }
        }
        Event::Tick => {}
    }
}

fn apply(
    state: &mut State,
    services: BTreeMap<ServiceName, Submission>,
    remove_absent: bool,
    now: Moment,
    outcome: &mut Outcome,
) {
    state.down = Down::No;
    if remove_absent {
        let absent: Vec<_> = state
            .services
            .keys()
            .filter(|name| !services.contains_key(*name))
            .cloned()
            .collect();
        for name in absent {
            with(state, &name, now, outcome, |service, turn| {
                command::end(service, Wanted::Removed, turn);
            });
        }
    }
    for (name, submission) in services {
        let mut turn = Turn {
            now,
            name: &name,
            last_task: &mut state.last_task,
            outcome,
        };
        command::submit(&mut state.services, submission, &mut turn);
    }
}

/// Runs a decision about one service; a service that is not known has none to make.
fn with(
    state: &mut State,
    name: &ServiceName,
    now: Moment,
    outcome: &mut Outcome,
    decide: impl FnOnce(&mut Service, &mut Turn<'_>),
) {
    if let Some(service) = state.services.get_mut(name) {
        decide(
            service,
            &mut Turn {
                now,
                name,
                last_task: &mut state.last_task,
                outcome,
            },
        );
    }
}

/// Runs a decision about the service that a task belongs to; tasks that are not known any more belong to none.
fn of_task(
    state: &mut State,
    task: TaskId,
    now: Moment,
    outcome: &mut Outcome,
    decide: impl FnOnce(&mut Service, &mut Turn<'_>),
) {
    let owner = state
        .services
        .iter_mut()
        .find(|(_, service)| service.tasks.contains_key(&task));
    if let Some((name, service)) = owner {
        decide(
            service,
            &mut Turn {
                now,
                name,
                last_task: &mut state.last_task,
                outcome,
            },
        );
    }
}

/// Brings every service as far as it can go now. What one service does may open the way for
/// another, so this repeats until a whole round changes nothing.
fn settle(state: &mut State, now: Moment, outcome: &mut Outcome) {
    loop {
        let before = (outcome.actions.len(), outcome.notices.len());
        for name in command::meant(state, Default::default()) {
            let gate = depend::gate(state, &name);
            let may_stop = depend::may_stop(state, &name);
            with(state, &name, now, outcome, |service, turn| {
                advance(service, &gate, may_stop, turn);
            });
            remove(state, &name, outcome);
        }
        if state.down == Down::InProgress && state.services.is_empty() {
            state.down = Down::Done;
            outcome.actions.push(Action::Finished);
        }
        if (outcome.actions.len(), outcome.notices.len()) == before {
            return;
        }
    }
}

fn advance(service: &mut Service, gate: &depend::Gate, may_stop: bool, turn: &mut Turn<'_>) {
    for failure in task::advance(service, turn) {
        restart::unhealthy(service, failure.task, &failure.reason, turn);
    }
    match service.wanted {
        Wanted::Running => rollout::advance(service, gate, turn),
        Wanted::Stopped | Wanted::Removed if may_stop => stop_all(service, turn),
        Wanted::Stopped | Wanted::Removed => {}
    }
    drain::advance(service, turn);
    drain::forget(service, false, turn);
    if service.wanted == Wanted::Stopped
        && !service.at_rest
        && service.unfinished().next().is_none()
    {
        service.at_rest = true;
        turn.note(NoticeKind::Stopped);
    }
}

fn stop_all(service: &mut Service, turn: &mut Turn<'_>) {
    let live: Vec<TaskId> = service.live().map(|(id, _)| id).collect();
    let reason = match service.wanted {
        Wanted::Removed => "the service is removed",
        Wanted::Stopped | Wanted::Running => "the service is stopped",
    };
    for id in live {
        drain::begin(service, id, reason, turn);
    }
}

/// A service that is to leave and has no process any more is gone, after those that depend on it.
fn remove(state: &mut State, name: &ServiceName, outcome: &mut Outcome) {
    if !depend::may_stop(state, name) {
        return;
    }
    let Some(service) = state.services.get_mut(name) else {
        return;
    };
    if service.wanted != Wanted::Removed || service.unfinished().next().is_some() {
        return;
    }
    let mut turn = Turn {
        now: state.clock,
        name,
        last_task: &mut state.last_task,
        outcome,
    };
    drain::forget(service, true, &mut turn);
    turn.note(NoticeKind::Removed);
    state.services.remove(name);
}
