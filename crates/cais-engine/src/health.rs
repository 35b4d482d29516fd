//! Health checks: when a probe is due and what a row of answers means. What an unhealthy task leads
//! to is decided elsewhere.

use crate::event::ProbeKind;
use crate::notice::{TaskHealth, TaskPhase};
use crate::policy::Policy;
use crate::task::Task;
use crate::time::Moment;
use cais_model::stack::ProbeTiming;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// An answer may be this much later than the probe's own timeout before it is given up.
pub(crate) const ANSWER_SLACK: Duration = Duration::from_secs(1);

/// How long a task that was never ready is asked at the quick pace of its start, at least.
const QUICK_READINESS: Duration = Duration::from_secs(30);

/// No pause between two probes is shorter: a zero in a file must not become a busy loop.
const SHORTEST_PAUSE: Duration = Duration::from_millis(10);

/// One question asked of one task again and again.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Check {
    verdict: Verdict,
    /// Has it ever passed? A pass ends the start period.
    passed: bool,
    /// Failures in a row that count.
    failures: u32,
    /// When the probe that is under way was asked for.
    asked_at: Option<Moment>,
    /// When the next one is due.
    next_at: Option<Moment>,
    /// The last failing answer.
    answer: Option<String>,
}

/// What the row of answers means so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Verdict {
    #[default]
    Unknown,
    Passing,
    Failing,
}

impl Check {
    /// The task has started: the first probe comes one short pause later.
    pub(crate) fn begin(&mut self, timing: &ProbeTiming, now: Moment) {
        *self = Self {
            next_at: Some(now + quick_pause(timing)),
            ..Self::default()
        };
    }

    /// Takes note that a probe is asked for, when one is due. At most one is under way.
    pub(crate) fn ask(&mut self, now: Moment) -> bool {
        let due = self.asked_at.is_none() && self.next_at.is_none_or(|at| at <= now);
        if due {
            self.asked_at = Some(now);
            self.next_at = None;
        }
        due
    }

    /// Forgets a probe whose answer cannot arrive any more (the supervisor was away) and asks again at once.
    pub(crate) fn ask_again(&mut self, now: Moment) {
        if self.asked_at.take().is_some() {
            self.next_at = Some(now);
        }
    }

    /// Has the probe under way been silent for too long?
    pub(crate) fn is_overdue(&self, timing: &ProbeTiming, now: Moment) -> bool {
        self.asked_at
            .is_some_and(|asked| asked + timing.timeout + ANSWER_SLACK <= now)
    }

    /// When something is to be done about it next.
    pub(crate) fn wake(&self, timing: &ProbeTiming) -> Option<Moment> {
        self.asked_at
            .map(|asked| asked + timing.timeout + ANSWER_SLACK)
            .or(self.next_at)
    }

    /// Takes an answer. One that nobody waits for is ignored: it was reported twice, or too late.
    pub(crate) fn answer(
        &mut self,
        kind: ProbeKind,
        timing: &ProbeTiming,
        started_at: Moment,
        now: Moment,
        outcome: Result<(), String>,
    ) {
        if self.asked_at.take().is_none() {
            return;
        }
        let pause = match outcome {
            Ok(()) => {
                self.passed = true;
                self.failures = 0;
                self.verdict = Verdict::Passing;
                timing.interval
            }
            Err(answer) => {
                self.answer = Some(answer);
                self.fail(kind, timing, started_at, now)
            }
        };
        self.next_at = Some(now + pause.max(SHORTEST_PAUSE));
    }

    /// Counts a failure where it counts; returns the pause until the next probe.
    fn fail(
        &mut self,
        kind: ProbeKind,
        timing: &ProbeTiming,
        started_at: Moment,
        now: Moment,
    ) -> Duration {
        let starting = !self.passed && now < started_at + start_period(timing);
        match kind {
            // Within the start period a failure does not count, and a pass counts at once.
            ProbeKind::Liveness if starting => return quick_pause(timing),
            ProbeKind::Liveness => {}
            // A task that was never ready is not ready from its first answer on; it is only asked
            // more often while it can be expected to be starting.
            ProbeKind::Readiness if !self.passed => {
                self.verdict = Verdict::Failing;
                let quick = now < started_at + start_period(timing).max(QUICK_READINESS);
                return if quick {
                    quick_pause(timing)
                } else {
                    timing.interval
                };
            }
            ProbeKind::Readiness => {}
        }
        self.failures = self.failures.saturating_add(1);
        if self.failures >= timing.retries.max(1) {
            self.verdict = Verdict::Failing;
        }
        timing.interval
    }

    pub(crate) fn is_failing(&self) -> bool {
        self.verdict == Verdict::Failing
    }

    pub(crate) fn shift(&mut self, by: &impl Fn(Moment) -> Moment) {
        self.asked_at = self.asked_at.map(by);
        self.next_at = self.next_at.map(by);
    }

    fn words(&self, what: &str) -> String {
        let answer = self.answer.as_deref().unwrap_or("no answer");
        match self.failures {
            0 | 1 => format!("{what} failed: {answer}"),
            times => format!("{what} failed {times} times in a row: {answer}"),
        }
    }
}

/// How long failures do not count. Docker and ECS ask for the first time after one `interval`, even
/// without a `start_period`; we ask sooner, so that a quick task counts sooner, but hold nothing
/// against it before they would have asked.
fn start_period(timing: &ProbeTiming) -> Duration {
    timing.start_period.max(timing.interval)
}

fn quick_pause(timing: &ProbeTiming) -> Duration {
    timing
        .start_interval
        .min(timing.interval)
        .max(SHORTEST_PAUSE)
}

/// What the checks of a task say, taken together.
pub(crate) struct Health {
    pub(crate) health: TaskHealth,
    pub(crate) reason: String,
}

impl Health {
    /// Alive and ready; where no check is defined, running for `settle`.
    pub(crate) fn of(task: &Task, policy: &Policy, now: Moment) -> Self {
        let liveness = policy.liveness.map(|_| task.liveness.verdict);
        let readiness = policy.readiness.map(|_| task.readiness.verdict);
        let (health, reason) = match (liveness, readiness) {
            (Some(Verdict::Failing), _) => {
                (TaskHealth::Unhealthy, task.liveness.words("health check"))
            }
            (Some(Verdict::Unknown), _) | (_, Some(Verdict::Unknown)) => {
                (task.health, "not asked yet".to_owned())
            }
            (_, Some(Verdict::Failing)) => (
                TaskHealth::NotReady,
                task.readiness.words("readiness check"),
            ),
            (Some(Verdict::Passing), _) => {
                (TaskHealth::Healthy, "its health check passed".to_owned())
            }
            (None, Some(Verdict::Passing)) => {
                (TaskHealth::Healthy, "it is ready for traffic".to_owned())
            }
            (None, None) if settled(task, policy, now) => (
                TaskHealth::Healthy,
                format!("it has been running for {} ms", policy.settle.as_millis()),
            ),
            (None, None) => (TaskHealth::Unknown, "it has just started".to_owned()),
        };
        Self { health, reason }
    }
}

fn settled(task: &Task, policy: &Policy, now: Moment) -> bool {
    task.phase == TaskPhase::Running
        || task
            .started_at
            .is_some_and(|started| started + policy.settle <= now)
}
