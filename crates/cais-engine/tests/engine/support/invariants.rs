//! What must hold after every single step, whatever the world does. The numbers are worked out here
//! from the submitted policies, not asked of the engine.

use cais_engine::event::{Action, Event, ProbeKind, RevisionNumber, TaskId};
use cais_engine::notice::{NoticeKind, RolloutState, TaskHealth, TaskPhase};
use cais_engine::policy::{Bounds, Policy};
use cais_engine::state::{Outcome, State, next_wake, step, traffic, views};
use cais_engine::time::Moment;
use cais_engine::view::{ServiceView, TaskView, Traffic};
use cais_model::name::ServiceName;
use cais_model::stack::Restart;
use std::collections::{BTreeMap, BTreeSet};

/// What is known of the past, as far as a promise spans several steps.
#[derive(Default)]
pub(crate) struct Checks {
    policies: BTreeMap<(ServiceName, RevisionNumber), Policy>,
    tasks: BTreeMap<TaskId, Past>,
    rollouts: BTreeMap<ServiceName, RolloutState>,
    /// The highest threshold of the rollout under way: scaling in lowers it without a failure.
    thresholds: BTreeMap<ServiceName, u32>,
    /// Services that were told to stop or to go.
    leaving: BTreeSet<ServiceName>,
    pub(crate) steps: u64,
}

/// What was seen of one task.
#[derive(Default)]
struct Past {
    service: Option<ServiceName>,
    revision: Option<RevisionNumber>,
    started: bool,
    served: bool,
    unroute_asked_at: Option<u64>,
    drained: bool,
    /// When a probe was asked for that has not been answered.
    asked: BTreeMap<ProbeKind, u64>,
    forgotten: bool,
}

impl Checks {
    /// Called before the step is made: twice the same event, and a step after a round trip through
    /// the journal, must lead to the same.
    pub(crate) fn before_step(&mut self, state: &State, event: &Event, now: u64) {
        let (mut once, mut again) = (state.clone(), through_json(state));
        assert_eq!(&again, state, "a state does not survive its journal");
        let first = step(&mut once, event.clone(), Moment(now));
        assert_eq!(
            step(&mut again, event.clone(), Moment(now)),
            first,
            "{event:?} is not decided alike"
        );
        if is_idempotent(event) && !gave_up(&first) && !asked_anew(event, &first) {
            let second = step(&mut again, event.clone(), Moment(now));
            // A `down` of what is down already is answered, too.
            let acts = second
                .actions
                .iter()
                .any(|action| *action != Action::Finished);
            assert!(!acts, "{event:?} twice led to {:?}", second.actions);
            let loud = second
                .notices
                .iter()
                .find(|notice| !matches!(notice.kind, NoticeKind::Unchanged { .. }));
            assert_eq!(loud, None, "{event:?} twice");
            assert_eq!(once, again, "{event:?} twice");
        }
    }

    /// Takes note of what is asked for.
    pub(crate) fn learn(&mut self, event: &Event) {
        let known: Vec<_> = match event {
            Event::Apply {
                services,
                remove_absent,
            } => {
                if *remove_absent {
                    self.leaving.extend(self.rollouts.keys().cloned());
                }
                self.leaving
                    .retain(|service| !services.contains_key(service));
                services.iter().collect()
            }
            Event::Rollback {
                service,
                submission,
            } => {
                self.leaving.remove(service);
                vec![(service, submission)]
            }
            Event::Down => return self.leaving.extend(self.rollouts.keys().cloned()),
            _ => return,
        };
        for (service, submission) in known {
            self.policies.insert(
                (service.clone(), submission.revision),
                submission.policy.clone(),
            );
        }
    }

    pub(crate) fn after_step(
        &mut self,
        before: &State,
        event: &Event,
        outcome: &Outcome,
        after: &State,
        now: u64,
        moment: u64,
    ) {
        self.steps += 1;
        self.learn(event);
        self.past_of_event(event);
        for action in &outcome.actions {
            self.check_action(action, now);
        }
        for notice in &outcome.notices {
            self.check_notice(&notice.service, &notice.kind);
        }
        self.check_states(before, after);
        if matches!(event, Event::Tick) {
            let wake = next_wake(after);
            assert!(
                wake.is_none_or(|wake| wake > Moment(moment)),
                "still due at {wake:?} after a tick at {moment}"
            );
        }
    }

    /// What can be said of two states in a row without knowing what came before.
    pub(crate) fn check_states(&mut self, before: &State, after: &State) {
        self.check_traffic(after);
        let before: BTreeMap<_, _> = views(before)
            .into_iter()
            .map(|view| (view.service.clone(), view))
            .collect();
        for view in views(after) {
            let empty = ServiceView {
                tasks: Vec::new(),
                ..view.clone()
            };
            self.check_numbers(before.get(&view.service).unwrap_or(&empty), &view);
        }
    }

    fn past_of_event(&mut self, event: &Event) {
        // Reports about tasks that do not exist yet say nothing about those that will.
        let mut known = |task: &TaskId, learn: &dyn Fn(&mut Past)| {
            if let Some(past) = self.tasks.get_mut(task) {
                learn(past);
            }
        };
        match event {
            Event::Started { task } => known(task, &|past| past.started = true),
            Event::Drained { task } => known(task, &|past| past.drained = true),
            Event::Probed { task, kind, .. } => known(task, &|past| {
                past.asked.remove(kind);
            }),
            // Whatever was under way is lost with the supervisor that asked.
            Event::Recovered => self.tasks.values_mut().for_each(|past| past.asked.clear()),
            _ => {}
        }
    }

    fn past(&mut self, task: TaskId) -> &mut Past {
        self.tasks.entry(task).or_default()
    }

    fn check_action(&mut self, action: &Action, now: u64) {
        let task = match action {
            Action::StartTask { task, .. }
            | Action::Probe { task, .. }
            | Action::Unroute { task }
            | Action::StopTask { task }
            | Action::KillTask { task }
            | Action::ForgetTask { task } => *task,
            Action::Finished => return,
        };
        if let Action::StartTask {
            service, revision, ..
        } = action
        {
            let past = self.past(task);
            let same = past.service.as_ref().is_none_or(|known| known == service);
            assert!(
                same && past.revision.is_none_or(|known| known == *revision),
                "task {task} has two meanings"
            );
            assert!(
                !past.started && !past.forgotten,
                "task {task} is started again"
            );
            (past.service, past.revision) = (Some(service.clone()), Some(*revision));
            return;
        }
        let past = self.tasks.get(&task).filter(|past| past.service.is_some());
        let Some(past) = past else {
            panic!("{action:?} is about a task that was never started")
        };
        assert!(!past.forgotten, "{action:?} is about a forgotten task");
        let policy = &self.policies[&(past.service.clone().unwrap(), past.revision.unwrap())];
        match action {
            Action::Probe { kind, .. } => {
                assert!(past.started, "{action:?} before its task has started");
                let timing = match kind {
                    ProbeKind::Liveness => policy.liveness,
                    ProbeKind::Readiness => policy.readiness,
                };
                let patience = timing.unwrap().timeout.as_millis() as u64 + 1_000;
                let asked_at = self.past(task).asked.insert(*kind, now);
                assert!(
                    asked_at.is_none_or(|at| at + patience <= now),
                    "{action:?} while one is under way"
                );
            }
            Action::Unroute { .. } => {
                self.past(task).unroute_asked_at.get_or_insert(now);
            }
            Action::StopTask { .. } if past.served => {
                let delay = policy.deregistration_delay.as_millis() as u64;
                let waited = past.unroute_asked_at.map(|at| now - at);
                assert!(
                    waited.is_some_and(|waited| past.drained || waited >= delay),
                    "task {task} served and is stopped {waited:?} ms after the gateway was told"
                );
            }
            Action::ForgetTask { .. } => self.past(task).forgotten = true,
            _ => {}
        }
    }

    /// Only these steps exist; so a rollback is never rolled back, and what is over stays over.
    fn check_notice(&mut self, service: &ServiceName, kind: &NoticeKind) {
        use RolloutState::{
            Baking, Completed, Failed, InProgress, Pending, RollbackFailed, RollbackInProgress,
            RollbackSuccessful, Stopped,
        };
        if matches!(kind, NoticeKind::Removed) {
            self.rollouts.remove(service);
        }
        let NoticeKind::Rollout {
            state,
            failed,
            threshold,
            reason,
            ..
        } = kind
        else {
            return;
        };
        let before = self.rollouts.insert(service.clone(), *state);
        let legal = match (before, *state) {
            (None, Pending) => true,
            (Some(before), after) if before == after => true,
            (Some(Pending), InProgress | RollbackInProgress | Failed | Stopped) => true,
            (Some(InProgress), Baking | Completed | RollbackInProgress | Failed | Stopped) => true,
            (Some(Baking), InProgress | Completed | RollbackInProgress | Failed | Stopped) => true,
            (Some(RollbackInProgress), RollbackSuccessful | RollbackFailed | Stopped) => true,
            // `failure_action: continue` goes on trying.
            (Some(Failed), Completed) => true,
            (Some(Completed | Failed | RollbackSuccessful | RollbackFailed | Stopped), Pending) => {
                true
            }
            _ => false,
        };
        assert!(
            legal,
            "`{service}` went from {before:?} to {state:?}: {reason}"
        );
        if before != Some(*state) && matches!(state, Pending | RollbackInProgress) {
            self.thresholds.remove(service);
        }
        // A failure may be counted while the gate is shut, and the count scaled down before it opens.
        if let (Some(threshold), Pending | InProgress | Baking | RollbackInProgress) =
            (*threshold, *state)
        {
            let highest = self.thresholds.entry(service.clone()).or_default();
            *highest = threshold.max(*highest);
            assert!(
                failed < highest,
                "the breaker did not trip at {highest}: {reason}"
            );
        }
        assert!(!reason.is_empty());
    }

    fn check_traffic(&mut self, after: &State) {
        let views = views(after);
        let phases: BTreeMap<TaskId, &TaskView> = views
            .iter()
            .flat_map(|view| &view.tasks)
            .map(|task| (task.task, task))
            .collect();
        for (service, targets) in traffic(after) {
            let ids: BTreeSet<TaskId> = targets.iter().map(|(task, ..)| *task).collect();
            assert_eq!(
                ids.len(),
                targets.len(),
                "a task of `{service}` is listed twice"
            );
            for (task, revision, traffic) in targets {
                let view = phases[&task];
                assert_eq!(view.revision, revision);
                match traffic {
                    Traffic::Serve => {
                        assert_eq!(view.phase, TaskPhase::Running, "task {task} is served");
                        assert_ne!(view.health, TaskHealth::NotReady, "task {task} is served");
                        self.past(task).served = true;
                    }
                    Traffic::Drain => assert!(matches!(
                        view.phase,
                        TaskPhase::Draining | TaskPhase::Stopping
                    )),
                }
            }
        }
    }

    /// Our own actions never take the number of healthy tasks below the minimum, nor the number of
    /// live ones above the maximum.
    fn check_numbers(&self, before: &ServiceView, after: &ServiceView) {
        let leaving = after.stopped || self.leaving.contains(&after.service);
        for (was, is) in before.tasks.iter().flat_map(|was| {
            after
                .tasks
                .iter()
                .filter(|is| is.task == was.task)
                .map(move |is| (was, is))
        }) {
            assert!(
                was.phase <= is.phase,
                "task {} went back from {:?} to {:?}",
                was.task,
                was.phase,
                is.phase
            );
        }
        let revisions = [Some(after.target), after.current];
        let policies: Vec<&Policy> = revisions
            .into_iter()
            .flatten()
            .filter_map(|revision| self.policies.get(&(after.service.clone(), revision)))
            .collect();
        let limits = || {
            policies
                .iter()
                .map(|policy| limits(policy.bounds, after.desired))
        };
        let (lower, upper) = (
            limits().map(|l| l.0).min().unwrap(),
            limits().map(|l| l.1).max().unwrap(),
        );

        let (lived, live) = (count(before, is_live), count(after, is_live));
        assert!(
            live <= upper.max(lived),
            "{live} live of at most {upper}, {lived} before: {after:?}"
        );

        let ends = policies
            .iter()
            .any(|policy| policy.one_shot || matches!(policy.restart, Restart::OnFailure { .. }));
        if leaving || ends {
            return;
        }
        for (what, fit) in [
            ("healthy", is_healthy as fn(&TaskView) -> bool),
            ("serving", is_serving),
        ] {
            let was: BTreeSet<TaskId> = before
                .tasks
                .iter()
                .filter(|task| fit(task))
                .map(|task| task.task)
                .collect();
            // What the event itself took away is not ours: a task that ended or failed its check.
            let ours = |task: &&TaskView| {
                was.contains(&task.task)
                    && matches!(task.phase, TaskPhase::Draining | TaskPhase::Stopping)
                    && !matches!(task.health, TaskHealth::Unhealthy | TaskHealth::NotReady)
            };
            let taken = u32::try_from(after.tasks.iter().filter(ours).count()).unwrap();
            let left = count(after, fit);
            assert!(
                taken == 0 || left >= lower.min(left + taken),
                "{taken} {what} tasks stopped, {left} left, at least {lower} must be: {after:?}"
            );
        }
    }
}

/// ECS's rounding, written down a second time.
pub(crate) fn limits(bounds: Bounds, desired: u32) -> (u32, u32) {
    match bounds {
        Bounds::Percent { minimum, maximum } => (
            (desired * minimum.0).div_ceil(100),
            desired * maximum.0 / 100,
        ),
        Bounds::StartFirst { parallelism } => (
            desired,
            desired
                + if parallelism == 0 {
                    desired
                } else {
                    parallelism
                },
        ),
        Bounds::StopFirst { parallelism } => (
            if parallelism == 0 {
                0
            } else {
                desired - parallelism.min(desired)
            },
            desired,
        ),
    }
}

fn count(view: &ServiceView, which: fn(&TaskView) -> bool) -> u32 {
    u32::try_from(view.tasks.iter().filter(|task| which(task)).count()).unwrap()
}

fn is_live(task: &TaskView) -> bool {
    matches!(
        task.phase,
        TaskPhase::Pending | TaskPhase::Activating | TaskPhase::Running
    )
}

fn is_healthy(task: &TaskView) -> bool {
    task.phase == TaskPhase::Running && task.health != TaskHealth::Unhealthy
}

fn is_serving(task: &TaskView) -> bool {
    task.phase == TaskPhase::Running && task.health == TaskHealth::Healthy
}

/// Commands that ask for something new each time are not; nor is an answer to a fresh question.
fn is_idempotent(event: &Event) -> bool {
    match event {
        Event::Apply { services, .. } => services.values().all(|submission| !submission.force),
        Event::Rollback { submission, .. } => !submission.force,
        Event::Restart { .. } | Event::Recovered => false,
        _ => true,
    }
}

/// Was the question asked once more in the same step, so that a second report answers that one?
fn asked_anew(event: &Event, outcome: &Outcome) -> bool {
    let Event::Probed { task, kind, .. } = event else {
        return false;
    };
    outcome.actions.contains(&Action::Probe {
        task: *task,
        kind: *kind,
    })
}

/// Did the step end a rollout that cannot be? Asking again is then a new attempt.
fn gave_up(outcome: &Outcome) -> bool {
    outcome.notices.iter().any(|notice| {
        let NoticeKind::Rollout { state, .. } = &notice.kind else {
            return false;
        };
        matches!(
            state,
            RolloutState::Failed | RolloutState::RollbackInProgress | RolloutState::RollbackFailed
        )
    })
}

pub(crate) fn through_json(state: &State) -> State {
    serde_json::from_str(&serde_json::to_string(state).unwrap()).unwrap()
}
