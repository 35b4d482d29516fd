//! One task on its way from `Pending` to `Stopped`: what it is and what time does to it. Whether a
//! task is wanted is the planner's decision; how one leaves is in `drain`.

use crate::event::{Action, ExitStatus, ProbeKind, RevisionNumber, TaskId};
use crate::health::{Check, Health};
use crate::notice::{NoticeKind, TaskHealth, TaskPhase};
use crate::policy::Policy;
use crate::state::{Deployment, Service, policy};
use crate::step::Turn;
use crate::time::Moment;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A start that nobody answered is asked for again after this; the edge answers for a task that is
/// already there, so asking twice is safe.
pub(crate) const START_RETRY: Duration = Duration::from_secs(30);

/// One task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Task {
    pub(crate) revision: RevisionNumber,
    pub(crate) generation: u32,
    pub(crate) phase: TaskPhase,
    pub(crate) health: TaskHealth,
    /// Since when it is in this phase.
    pub(crate) since: Moment,
    pub(crate) started_at: Option<Moment>,
    pub(crate) liveness: Check,
    pub(crate) readiness: Check,
    /// Since when it has been healthy without an interruption by its liveness check.
    pub(crate) healthy_at: Option<Moment>,
    /// Healthy for `monitor`: it may release an old task.
    pub(crate) proven: bool,
    /// Failures in a row in its place before it.
    pub(crate) attempt: u32,
    /// Its failure was counted already.
    pub(crate) blamed: bool,
    /// It has been drained, so the gateway may still be busy with it.
    pub(crate) took_traffic: bool,
    /// The gateway has stopped picking it.
    pub(crate) unrouted: bool,
    /// When its outstanding start or stop is asked for again.
    pub(crate) again_at: Option<Moment>,
    pub(crate) exit: Option<ExitStatus>,
    pub(crate) reason: Option<String>,
}

/// A task's failure that time brought about, to be counted by `restart`.
pub(crate) struct Failure {
    pub(crate) task: TaskId,
    pub(crate) reason: String,
}

impl Task {
    fn new(deployment: Deployment, attempt: u32, now: Moment) -> Self {
        Self {
            revision: deployment.revision,
            generation: deployment.generation,
            phase: TaskPhase::Pending,
            health: TaskHealth::Unknown,
            since: now,
            started_at: None,
            liveness: Check::default(),
            readiness: Check::default(),
            healthy_at: None,
            proven: false,
            attempt,
            blamed: false,
            took_traffic: false,
            unrouted: false,
            again_at: Some(now + START_RETRY),
            exit: None,
            reason: None,
        }
    }

    /// Does it hold a place? (ECS counts neither DEACTIVATING nor later states.)
    pub(crate) fn is_live(&self) -> bool {
        matches!(
            self.phase,
            TaskPhase::Pending | TaskPhase::Activating | TaskPhase::Running
        )
    }

    /// Has it been healthy, and is it still alive? A task that is not ready counts: it is not replaced for that.
    pub(crate) fn is_healthy(&self) -> bool {
        self.phase == TaskPhase::Running && self.health != TaskHealth::Unhealthy
    }

    /// Does its readiness check, where it has one, pass?
    pub(crate) fn is_ready(&self) -> bool {
        !self.readiness.is_failing()
    }

    pub(crate) fn check(&self, kind: ProbeKind) -> &Check {
        match kind {
            ProbeKind::Liveness => &self.liveness,
            ProbeKind::Readiness => &self.readiness,
        }
    }

    pub(crate) fn check_mut(&mut self, kind: ProbeKind) -> &mut Check {
        match kind {
            ProbeKind::Liveness => &mut self.liveness,
            ProbeKind::Readiness => &mut self.readiness,
        }
    }

    /// Moves to a phase and says so.
    pub(crate) fn enter(
        &mut self,
        id: TaskId,
        phase: TaskPhase,
        reason: &str,
        turn: &mut Turn<'_>,
    ) {
        self.phase = phase;
        self.since = turn.now;
        self.say(id, reason, turn);
    }

    /// Says where the task is and why.
    pub(crate) fn say(&mut self, id: TaskId, reason: &str, turn: &mut Turn<'_>) {
        self.reason = Some(reason.to_owned());
        turn.note(NoticeKind::Task {
            task: id,
            revision: self.revision,
            phase: self.phase,
            health: self.health,
            reason: reason.to_owned(),
        });
    }
}

impl Task {
    pub(crate) fn shift(&mut self, by: &impl Fn(Moment) -> Moment) {
        self.since = by(self.since);
        for moment in [
            &mut self.started_at,
            &mut self.healthy_at,
            &mut self.again_at,
        ] {
            *moment = moment.map(by);
        }
        self.liveness.shift(by);
        self.readiness.shift(by);
    }
}

/// Starts one more task of a deployment.
pub(crate) fn start(
    service: &mut Service,
    deployment: Deployment,
    attempt: u32,
    reason: &str,
    turn: &mut Turn<'_>,
) {
    let id = turn.fresh_task();
    let mut task = Task::new(deployment, attempt, turn.now);
    task.say(id, reason, turn);
    service.tasks.insert(id, task);
    turn.act(Action::StartTask {
        service: turn.name.clone(),
        task: id,
        revision: deployment.revision,
    });
}

/// The task's process exists.
pub(crate) fn started(service: &mut Service, id: TaskId, turn: &mut Turn<'_>) {
    let Service {
        tasks, revisions, ..
    } = service;
    let Some(task) = tasks.get_mut(&id) else {
        return;
    };
    match task.phase {
        TaskPhase::Pending => {
            task.started_at = Some(turn.now);
            task.again_at = None;
            let policy = policy(revisions, task.revision);
            for kind in KINDS {
                if let Some(timing) = policy.probe(kind) {
                    task.check_mut(kind).begin(timing, turn.now);
                }
            }
            task.enter(id, TaskPhase::Activating, "its process has started", turn);
        }
        // A second report of a start; a start that was revoked before it was reported; a late one.
        TaskPhase::Activating
        | TaskPhase::Running
        | TaskPhase::Draining
        | TaskPhase::Stopping
        | TaskPhase::Stopped => {}
    }
}

/// A probe answered.
pub(crate) fn probed(
    service: &mut Service,
    id: TaskId,
    kind: ProbeKind,
    outcome: Result<(), String>,
    turn: &Turn<'_>,
) {
    let Service {
        tasks, revisions, ..
    } = service;
    let Some(task) = tasks.get_mut(&id) else {
        return;
    };
    let Some(timing) = policy(revisions, task.revision).probe(kind) else {
        return;
    };
    match task.phase {
        TaskPhase::Activating | TaskPhase::Running => {
            let started_at = task.started_at.unwrap_or(task.since);
            task.check_mut(kind)
                .answer(kind, timing, started_at, turn.now, outcome);
        }
        // Nothing asks them any more: an answer that was under way.
        TaskPhase::Pending | TaskPhase::Draining | TaskPhase::Stopping | TaskPhase::Stopped => {}
    }
}

/// Both questions, in the order in which they are asked.
pub(crate) const KINDS: [ProbeKind; 2] = [ProbeKind::Liveness, ProbeKind::Readiness];

/// What time alone does to the live tasks of a service: probes fall due or expire, health settles.
/// Returns the tasks that failed their health check; counting them is not this module's business.
pub(crate) fn advance(service: &mut Service, turn: &mut Turn<'_>) -> Vec<Failure> {
    let Service {
        tasks, revisions, ..
    } = service;
    let mut failures = Vec::new();
    for (&id, task) in tasks.iter_mut() {
        let policy = policy(revisions, task.revision);
        match task.phase {
            TaskPhase::Pending => {
                if task.again_at.is_some_and(|at| at <= turn.now) {
                    task.again_at = Some(turn.now + START_RETRY);
                    turn.act(Action::StartTask {
                        service: turn.name.clone(),
                        task: id,
                        revision: task.revision,
                    });
                }
            }
            TaskPhase::Activating | TaskPhase::Running => {
                probe(task, id, policy, turn);
                failures.extend(assess(task, id, policy, turn));
            }
            TaskPhase::Draining | TaskPhase::Stopping | TaskPhase::Stopped => {}
        }
    }
    failures
}

/// Asks what is due to be asked, and takes an answer that is overdue for a failure.
fn probe(task: &mut Task, id: TaskId, policy: &Policy, turn: &mut Turn<'_>) {
    let started_at = task.started_at.unwrap_or(task.since);
    for kind in KINDS {
        let Some(timing) = policy.probe(kind) else {
            continue;
        };
        let check = task.check_mut(kind);
        if check.is_overdue(timing, turn.now) {
            let silence = format!("no answer within {} ms", timing.timeout.as_millis());
            check.answer(kind, timing, started_at, turn.now, Err(silence));
        }
        if check.ask(turn.now) {
            turn.act(Action::Probe { task: id, kind });
        }
    }
}

/// Draws the consequences of what the checks say.
fn assess(task: &mut Task, id: TaskId, policy: &Policy, turn: &mut Turn<'_>) -> Option<Failure> {
    let verdict = Health::of(task, policy, turn.now);
    let before = task.health;
    task.health = verdict.health;
    match (task.phase, verdict.health) {
        (TaskPhase::Activating, TaskHealth::Healthy) => {
            task.healthy_at = Some(turn.now);
            task.enter(id, TaskPhase::Running, &verdict.reason, turn);
        }
        _ if before != verdict.health => task.say(id, &verdict.reason, turn),
        _ => {}
    }
    if verdict.health == TaskHealth::Unhealthy {
        return (!task.blamed).then_some(Failure {
            task: id,
            reason: verdict.reason,
        });
    }
    match verdict.health {
        // Under observation an interruption begins it anew.
        TaskHealth::NotReady if !task.proven => task.healthy_at = None,
        // It recovered before it was replaced.
        TaskHealth::Healthy if task.healthy_at.is_none() => {
            task.healthy_at = Some(turn.now);
            task.blamed = false;
        }
        TaskHealth::NotReady
        | TaskHealth::Healthy
        | TaskHealth::Unknown
        | TaskHealth::Unhealthy => {}
    }
    None
}
