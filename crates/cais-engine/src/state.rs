//! What the engine remembers between two steps: intents, never observations that the world can be
//! asked for again. It is journalled whole; how it changes is decided by the other modules.

use crate::event::{ExitStatus, RevisionNumber, TaskId};
use crate::notice::{RolloutState, TaskPhase};
use crate::policy::Policy;
use crate::task::Task;
use crate::time::Moment;
use cais_model::name::ServiceName;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

pub use crate::step::{Outcome, step};
pub use crate::view::{traffic, views};
pub use crate::wake::next_wake;

/// A step that comes later than this after it was asked for comes after an absence.
const PUNCTUAL: Duration = Duration::from_secs(10);

/// The whole state of the engine. Serialises to a small JSON document without anything secret in it:
/// of the tasks that are over, a service keeps only the few newest (they explain what failed), and
/// of its rollouts only the newest.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct State {
    /// The latest moment that a step was given; time never runs backwards between two steps.
    pub(crate) clock: Moment,
    /// The last task id given out.
    pub(crate) last_task: u64,
    /// By name.
    pub(crate) services: BTreeMap<ServiceName, Service>,
    /// How far `down` is.
    pub(crate) down: Down,
}

/// How far `down` is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Down {
    /// Not asked for.
    #[default]
    No,
    /// Services are ending.
    InProgress,
    /// Every service is gone, and the edge was told.
    Done,
}

/// One service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Service {
    /// Tasks wanted.
    pub(crate) desired: u32,
    /// Is it meant to run at all?
    pub(crate) wanted: Wanted,
    /// What each revision that is still in use asks for.
    pub(crate) revisions: BTreeMap<RevisionNumber, Policy>,
    /// The generation given out last.
    pub(crate) last_generation: u32,
    /// The newest that completed a rollout: what a rollback goes back to.
    pub(crate) current: Option<Deployment>,
    /// What new tasks get.
    pub(crate) target: Deployment,
    /// The newest rollout.
    pub(crate) rollout: Rollout,
    /// Every task that is not over, and the newest that are.
    pub(crate) tasks: BTreeMap<TaskId, Task>,
    /// Places whose last task failed, and when each may be filled again.
    pub(crate) backoff: Vec<Backoff>,
    /// Places of the target whose task ended well and is not replaced.
    pub(crate) succeeded: u32,
    /// Places of the target that the restart policy has given up.
    pub(crate) given_up: u32,
    /// How a service that runs to its end has ended.
    pub(crate) completed: Option<ExitStatus>,
    /// What its first task waits for.
    pub(crate) waiting: Option<String>,
    /// Stopped, without a process, and said so.
    pub(crate) at_rest: bool,
}

/// Is a service meant to run?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Wanted {
    /// Yes.
    Running,
    /// Stopped by hand; it stays known.
    Stopped,
    /// It is to leave the stack.
    Removed,
}

/// What a task belongs to. Two deployments of one revision (a restart) differ by their generation;
/// a rollback returns to the old generation, so that tasks still running from it count as its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Deployment {
    /// Unique within the service.
    pub(crate) generation: u32,
    /// The revision.
    pub(crate) revision: RevisionNumber,
}

/// The newest rollout of a service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Rollout {
    /// From the last completed revision.
    pub(crate) from: Option<RevisionNumber>,
    /// To this.
    pub(crate) to: Deployment,
    /// Where it is.
    pub(crate) state: RolloutState,
    /// Failures counted since it began, since its way back began, or since the last healthy task.
    pub(crate) failed: u32,
    /// Why it is where it is.
    pub(crate) reason: String,
    /// When it began.
    pub(crate) started_at: Moment,
    /// When it ended.
    pub(crate) ended_at: Option<Moment>,
    /// When it last came nearer to its end, and the pause after that is over; the progress deadline
    /// counts from here.
    pub(crate) progress_at: Moment,
    /// Before this no further batch is begun (`update_config.delay`).
    pub(crate) batch_at: Moment,
    /// Did it begin while tasks of an earlier deployment were running?
    pub(crate) replaces: bool,
    /// Halted: how many healthy tasks are kept, and nothing else is done.
    pub(crate) hold: Option<u32>,
}

/// A place whose last task failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Backoff {
    /// Failures in a row in this place.
    pub(crate) attempt: u32,
    /// The next task may start now.
    pub(crate) due: Moment,
}

impl State {
    /// Nobody was there between the last step and this one: silence in that time means nothing.
    pub(crate) fn excuse_absence(&mut self, now: Moment) {
        if now - self.clock < PUNCTUAL {
            return;
        }
        let Some(wake) = next_wake(self).filter(|wake| *wake + PUNCTUAL < now) else {
            return;
        };
        for service in self.services.values_mut() {
            service.rollout.progress_at = service.rollout.progress_at + (now - wake);
            for task in service.tasks.values_mut() {
                task.liveness.ask_again(now);
                task.readiness.ask_again(now);
            }
        }
    }

    /// The machine was started anew and its clock with it: what was past is past, and what was
    /// still to wait is still to wait.
    pub(crate) fn rebase(&mut self, now: Moment) {
        let clock = self.clock;
        let by = |moment: Moment| now + (moment - clock);
        for service in self.services.values_mut() {
            service.tasks.values_mut().for_each(|task| task.shift(&by));
            service
                .backoff
                .iter_mut()
                .for_each(|place| place.due = by(place.due));
            let rollout = &mut service.rollout;
            rollout.started_at = by(rollout.started_at);
            rollout.ended_at = rollout.ended_at.map(by);
            rollout.progress_at = by(rollout.progress_at);
            rollout.batch_at = by(rollout.batch_at);
        }
        self.clock = now;
    }
}

impl Service {
    /// Tasks that hold a place: everything before draining.
    pub(crate) fn live(&self) -> impl Iterator<Item = (TaskId, &Task)> {
        self.tasks
            .iter()
            .filter(|(_, task)| task.is_live())
            .map(|(id, task)| (*id, task))
    }

    /// Tasks whose process may still exist.
    pub(crate) fn unfinished(&self) -> impl Iterator<Item = (TaskId, &Task)> {
        self.tasks
            .iter()
            .filter(|(_, task)| task.phase != TaskPhase::Stopped)
            .map(|(id, task)| (*id, task))
    }

    /// What a revision in use asks for.
    pub(crate) fn policy(&self, revision: RevisionNumber) -> &Policy {
        policy(&self.revisions, revision)
    }

    /// What the target revision asks for.
    pub(crate) fn target_policy(&self) -> &Policy {
        self.policy(self.target.revision)
    }

    /// Drops the policies that no task and no deployment refers to.
    pub(crate) fn forget_unused_revisions(&mut self) {
        let Self {
            revisions,
            tasks,
            current,
            target,
            rollout,
            ..
        } = self;
        revisions.retain(|revision, _| {
            *revision == target.revision
                || *revision == rollout.to.revision
                || current.is_some_and(|current| current.revision == *revision)
                || tasks.values().any(|task| task.revision == *revision)
        });
    }
}

/// What a revision in use asks for.
///
/// # Panics
/// When the revision is not in use: every task's and deployment's policy is kept as long as it is.
pub(crate) fn policy(
    revisions: &BTreeMap<RevisionNumber, Policy>,
    revision: RevisionNumber,
) -> &Policy {
    revisions
        .get(&revision)
        .unwrap_or_else(|| panic!("revision {revision} is in use without a policy"))
}
