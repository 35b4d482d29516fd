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
                self.answer = Some(shorten(&answer));
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

/// The first line of what somebody else wrote, cut to a length that the journal and a terminal can
/// bear: the output of a health check may be anything.
pub(crate) fn shorten(text: &str) -> String {
    const LONGEST: usize = 200;
    let line = text.trim().lines().next().unwrap_or_default();
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
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

#[cfg(test)]
mod tests {
    use super::*;

    const TIMING: ProbeTiming = ProbeTiming {
        interval: Duration::from_secs(5),
        timeout: Duration::from_secs(2),
        retries: 2,
        start_period: Duration::from_secs(10),
        start_interval: Duration::from_millis(100),
    };

    /// Answers one after the other, each as soon as it is asked for; what they mean and when the next is due.
    fn check(
        kind: ProbeKind,
        timing: ProbeTiming,
        from_ms: u64,
        answers: &[bool],
        expected: Verdict,
        pause_ms: u64,
    ) {
        let mut check = Check::default();
        check.begin(&timing, Moment(0));
        let mut now = Moment(from_ms);
        for passes in answers {
            now = check.next_at.unwrap().max(now);
            assert!(check.ask(now), "due at {now:?}");
            assert!(!check.ask(now), "one at a time");
            let outcome = if *passes {
                Ok(())
            } else {
                Err("no".to_owned())
            };
            check.answer(kind, &timing, Moment(0), now, outcome.clone());
            let once = check.clone();
            check.answer(kind, &timing, Moment(0), now, outcome);
            assert_eq!(check, once, "an answer counts once");
        }
        assert_eq!(
            check.verdict, expected,
            "{kind:?} from {from_ms}: {answers:?}"
        );
        assert_eq!(
            check.next_at.unwrap() - now,
            Duration::from_millis(pause_ms),
            "{kind:?} from {from_ms}: {answers:?}"
        );
    }

    #[test]
    fn rows_of_answers_mean_what_compose_says() {
        use ProbeKind::{Liveness, Readiness};
        use Verdict::{Failing, Passing, Unknown};
        let (yes, no) = (true, false);
        // In the start period a failure is nothing and a pass counts at once.
        check(Liveness, TIMING, 0, &[no, no, no, no], Unknown, 100);
        check(Liveness, TIMING, 0, &[no, no, yes], Passing, 5_000);
        // A pass ends it.
        check(Liveness, TIMING, 0, &[yes, no], Passing, 5_000);
        check(Liveness, TIMING, 0, &[yes, no, no], Failing, 5_000);
        // After it `retries` in a row count, and one pass begins anew.
        check(Liveness, TIMING, 10_000, &[no], Unknown, 5_000);
        check(Liveness, TIMING, 10_000, &[no, no], Failing, 5_000);
        check(Liveness, TIMING, 10_000, &[no, yes, no], Passing, 5_000);
        check(Liveness, TIMING, 10_000, &[no, no, yes], Passing, 5_000);
        // Without a start period, one interval of patience.
        let hasty = ProbeTiming {
            start_period: Duration::ZERO,
            ..TIMING
        };
        check(Liveness, hasty, 4_900, &[no], Unknown, 100);
        check(Liveness, hasty, 5_000, &[no, no], Failing, 5_000);
        // Without retries, the first failure.
        check(
            Liveness,
            ProbeTiming {
                retries: 0,
                ..TIMING
            },
            10_000,
            &[no],
            Failing,
            5_000,
        );
        // Readiness: not ready until it passes, and asked quickly for a while.
        check(Readiness, TIMING, 0, &[no], Failing, 100);
        check(Readiness, TIMING, 29_900, &[no], Failing, 100);
        check(Readiness, TIMING, 30_000, &[no], Failing, 5_000);
        check(Readiness, TIMING, 30_000, &[no, yes], Passing, 5_000);
        check(Readiness, TIMING, 0, &[yes, no], Passing, 5_000);
        check(Readiness, TIMING, 0, &[yes, no, no], Failing, 5_000);
    }

    #[test]
    fn a_zero_interval_is_no_busy_loop() {
        let zero = ProbeTiming {
            interval: Duration::ZERO,
            start_interval: Duration::ZERO,
            ..TIMING
        };
        check(
            ProbeKind::Liveness,
            zero,
            0,
            &[true, true],
            Verdict::Passing,
            10,
        );
        check(
            ProbeKind::Liveness,
            zero,
            0,
            &[false, false],
            Verdict::Unknown,
            10,
        );
    }

    #[test]
    fn silence_is_overdue_after_the_timeout_and_some_slack() {
        let mut check = Check::default();
        check.begin(&TIMING, Moment(0));
        assert!(check.ask(Moment(100)));
        assert_eq!(check.wake(&TIMING), Some(Moment(3_100)));
        assert!(!check.is_overdue(&TIMING, Moment(3_099)));
        assert!(check.is_overdue(&TIMING, Moment(3_100)));
    }

    #[test]
    fn what_others_wrote_is_cut_short() {
        let long = "é".repeat(300);
        let cases = [
            ("no", "no".to_owned()),
            (" two\nlines", "two".to_owned()),
            ("", String::new()),
            (&long, format!("{}…", "é".repeat(200))),
        ];
        for (text, expected) in cases {
            assert_eq!(shorten(text), expected);
        }
    }
}
