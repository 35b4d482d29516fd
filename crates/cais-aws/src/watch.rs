//! What is made of each answer while deployments run: what to tell, when to ask again, how each one ended. Time,
//! answers and jitter are arguments; `follow` does the asking and the waiting.

use crate::deployment::{Deployment, Status, StoppedTask, Tasks};
use crate::outcome::Outcome;
use crate::pace::Pace;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How long nothing may change before that is said, and said again.
const STILL_EVERY: Duration = Duration::from_secs(60);
/// Answers in a row that lack a deployment before it counts as gone: a new one may take a moment to be seen everywhere.
const MISSING_LIMIT: u32 = 10;

/// One deployment to watch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// The service's name, as people call it.
    pub service: String,
    /// The service deployment's ARN: this one, not whichever is the service's current one.
    pub deployment: String,
}

/// What came of asking AWS.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// AWS answered.
    Seen(Sight),
    /// It did not.
    Trouble(Trouble),
}

/// What AWS said.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sight {
    /// The deployments that it knows.
    pub deployments: Vec<Deployment>,
    /// For a deployment that stopped: the ARN of one of the same service that was made after it.
    pub newer: BTreeMap<String, String>,
    /// Tasks that ended unasked.
    pub stopped: Vec<StoppedTask>,
    /// What ECS wrote into a service's events, by service.
    pub remarks: Vec<(String, String)>,
}

/// Why AWS did not answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// Whether asking again can help.
    pub kind: TroubleKind,
    /// The error in a sentence, with the request's id.
    pub message: String,
}

/// Whether asking again can help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TroubleKind {
    /// AWS asks for fewer calls.
    Throttled,
    /// No answer, or a broken one.
    Unreachable,
    /// AWS refuses: credentials that ran out, a permission that is missing.
    Refused,
}

/// Something worth telling.
#[derive(Debug, Clone, PartialEq)]
pub enum Happening {
    /// A deployment is in another state, or was seen for the first time.
    Moved {
        /// The service.
        service: String,
        /// The state before.
        from: Option<Status>,
        /// The state now.
        to: Status,
        /// ECS's reason.
        reason: Option<String>,
    },
    /// Its counts of tasks are others.
    Counted {
        /// The service.
        service: String,
        /// Of the new revision.
        target: Tasks,
        /// Of the revisions before.
        replaced: Tasks,
    },
    /// A blue/green, linear or canary deployment is in another stage.
    Stage {
        /// The service.
        service: String,
        /// ECS's name of it.
        stage: String,
    },
    /// The breaker counted more failures.
    Failures {
        /// The service.
        service: String,
        /// So many.
        failures: u32,
        /// So many trigger it.
        threshold: u32,
    },
    /// Alarms fired.
    Alarms {
        /// The service.
        service: String,
        /// Their names.
        names: Vec<String>,
    },
    /// A task ended unasked.
    Task(StoppedTask),
    /// A sentence from the service's events.
    Remark {
        /// The service.
        service: String,
        /// The sentence.
        text: String,
    },
    /// Nothing changed for a while.
    Still {
        /// The service.
        service: String,
        /// The state it is in.
        status: Status,
        /// Tasks of the new revision.
        target: Tasks,
        /// For so long.
        quiet: Duration,
    },
    /// AWS did not answer; it is asked again.
    Trouble {
        /// Why.
        message: String,
        /// After this pause.
        again: Duration,
    },
    /// AWS answers again.
    Recovered {
        /// After so long.
        after: Duration,
    },
    /// A deployment is over.
    Ended {
        /// The service.
        service: String,
        /// How.
        outcome: Outcome,
    },
}

/// What follows an answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Then {
    /// Ask again after this pause.
    Ask(Duration),
    /// Every deployment has its outcome.
    Done,
}

/// One step's result.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// What to tell, in order.
    pub happenings: Vec<Happening>,
    /// What follows.
    pub then: Then,
}

/// Deployments that are watched together.
#[derive(Debug)]
pub struct Watch {
    pace: Pace,
    timeout: Duration,
    tracked: Vec<Tracked>,
    told_tasks: BTreeSet<String>,
    quiet_answers: u32,
    trouble: Option<Since>,
}

#[derive(Debug)]
struct Since {
    began: Duration,
    failures: u32,
}

#[derive(Debug)]
struct Tracked {
    subject: Subject,
    last: Option<Deployment>,
    changed: Duration,
    still_told: Duration,
    missing: u32,
    failures_told: u32,
    outcome: Option<Outcome>,
}

impl Watch {
    /// Watches these until each has ended, or until `timeout` after the beginning.
    pub fn new(subjects: Vec<Subject>, pace: Pace, timeout: Duration) -> Self {
        let tracked = subjects
            .into_iter()
            .map(|subject| Tracked {
                subject,
                last: None,
                changed: Duration::ZERO,
                still_told: Duration::ZERO,
                missing: 0,
                failures_told: 0,
                outcome: None,
            })
            .collect();
        Self {
            pace,
            timeout,
            tracked,
            told_tasks: BTreeSet::new(),
            quiet_answers: 0,
            trouble: None,
        }
    }

    /// Those that have not ended: what to ask about.
    pub fn open(&self) -> Vec<Subject> {
        self.tracked
            .iter()
            .filter(|one| one.outcome.is_none())
            .map(|one| one.subject.clone())
            .collect()
    }

    /// How each ended, in the order they were given.
    pub fn outcomes(&self) -> Vec<(Subject, Outcome)> {
        self.tracked
            .iter()
            .filter_map(|one| Some((one.subject.clone(), one.outcome.clone()?)))
            .collect()
    }

    /// What was seen last of a service's deployment.
    pub fn last(&self, service: &str) -> Option<&Deployment> {
        self.tracked
            .iter()
            .find(|one| one.subject.service == service)
            .and_then(|one| one.last.as_ref())
    }

    /// What an answer means. `now` counts from the beginning of the watch; `jitter` is between 0 and 1.
    pub fn step(&mut self, answer: Answer, now: Duration, jitter: f64) -> Step {
        let mut happenings = Vec::new();
        let pause = match answer {
            Answer::Seen(sight) => self.seen(sight, now, jitter, &mut happenings),
            Answer::Trouble(trouble) => self.trouble(trouble, now, jitter, &mut happenings),
        };
        if now >= self.timeout {
            self.give_up(&mut happenings);
        }
        let then = if self.tracked.iter().all(|one| one.outcome.is_some()) {
            Then::Done
        } else {
            // The last look is at the deadline itself, not a pause past it.
            Then::Ask(pause.min(self.timeout.saturating_sub(now)))
        };
        Step { happenings, then }
    }

    fn seen(
        &mut self,
        sight: Sight,
        now: Duration,
        jitter: f64,
        happenings: &mut Vec<Happening>,
    ) -> Duration {
        if let Some(since) = self.trouble.take() {
            happenings.push(Happening::Recovered {
                after: now.saturating_sub(since.began),
            });
        }
        let before = happenings.len();
        for task in sight.stopped {
            if self.told_tasks.insert(task.task.clone()) {
                happenings.push(Happening::Task(task));
            }
        }
        for (service, text) in sight.remarks {
            happenings.push(Happening::Remark { service, text });
        }
        for one in &mut self.tracked {
            if one.outcome.is_some() {
                continue;
            }
            let arn = &one.subject.deployment;
            match sight.deployments.iter().find(|d| d.arn == *arn) {
                Some(deployment) => {
                    let newer = sight.newer.get(arn).map(String::as_str);
                    one.look(deployment, newer, now, happenings);
                }
                None => one.miss(happenings),
            }
        }
        if happenings.len() == before {
            self.quiet_answers = self.quiet_answers.saturating_add(1);
        } else {
            self.quiet_answers = 0;
        }
        self.pace.after_answer(self.quiet_answers, now, jitter)
    }

    fn trouble(
        &mut self,
        trouble: Trouble,
        now: Duration,
        jitter: f64,
        happenings: &mut Vec<Happening>,
    ) -> Duration {
        match trouble.kind {
            TroubleKind::Refused => {
                for one in self.tracked.iter_mut().filter(|one| one.outcome.is_none()) {
                    let reason = format!(
                        "AWS refuses to say how it goes on: {}; it goes on without being watched",
                        trouble.message
                    );
                    one.end(Outcome::Unknown { reason }, happenings);
                }
                Duration::ZERO
            }
            TroubleKind::Throttled | TroubleKind::Unreachable => {
                let since = self.trouble.get_or_insert(Since {
                    began: now,
                    failures: 0,
                });
                since.failures = since.failures.saturating_add(1);
                let again = self.pace.after_trouble(since.failures, jitter);
                // Said once, and again when the pauses have grown to a minute's worth.
                if since.failures == 1 || since.failures.is_multiple_of(10) {
                    happenings.push(Happening::Trouble {
                        message: trouble.message,
                        again,
                    });
                }
                again
            }
        }
    }

    fn give_up(&mut self, happenings: &mut Vec<Happening>) {
        for one in self.tracked.iter_mut().filter(|one| one.outcome.is_none()) {
            let status = one
                .last
                .as_ref()
                .map_or_else(|| "not seen yet".to_owned(), |d| d.status.to_string());
            one.end(Outcome::TimedOut { status }, happenings);
        }
    }
}

impl Tracked {
    fn look(
        &mut self,
        now_is: &Deployment,
        newer: Option<&str>,
        now: Duration,
        happenings: &mut Vec<Happening>,
    ) {
        self.missing = 0;
        let before = happenings.len();
        self.compare(now_is, happenings);
        if happenings.len() > before {
            self.changed = now;
            self.still_told = now;
        } else if now.saturating_sub(self.still_told) >= STILL_EVERY {
            self.still_told = now;
            happenings.push(Happening::Still {
                service: self.subject.service.clone(),
                status: now_is.status.clone(),
                target: now_is.target,
                quiet: now.saturating_sub(self.changed),
            });
        }
        let failures = now_is.breaker.as_ref().map_or(0, |b| b.failures);
        self.failures_told = self.failures_told.max(failures);
        self.last = Some(now_is.clone());
        if let Some(outcome) = Outcome::of(now_is, newer) {
            self.end(outcome, happenings);
        }
    }

    fn compare(&self, now_is: &Deployment, happenings: &mut Vec<Happening>) {
        let service = || self.subject.service.clone();
        let was = self.last.as_ref();
        if was.map(|d| &d.status) != Some(&now_is.status) {
            happenings.push(Happening::Moved {
                service: service(),
                from: was.map(|d| d.status.clone()),
                to: now_is.status.clone(),
                reason: now_is.reason.clone(),
            });
        }
        if now_is.stage.is_some() && was.and_then(|d| d.stage.as_ref()) != now_is.stage.as_ref() {
            happenings.push(Happening::Stage {
                service: service(),
                stage: now_is.stage.clone().unwrap_or_default(),
            });
        }
        let counts = |d: &Deployment| (d.target, d.replaced);
        if was.map(counts) != Some(counts(now_is)) {
            happenings.push(Happening::Counted {
                service: service(),
                target: now_is.target,
                replaced: now_is.replaced,
            });
        }
        if let Some(breaker) = &now_is.breaker
            && breaker.failures > self.failures_told
        {
            happenings.push(Happening::Failures {
                service: service(),
                failures: breaker.failures,
                threshold: breaker.threshold,
            });
        }
        let known = was.map(|d| d.alarms.as_slice()).unwrap_or_default();
        let names: Vec<String> = now_is
            .alarms
            .iter()
            .filter(|name| !known.contains(name))
            .cloned()
            .collect();
        if !names.is_empty() {
            happenings.push(Happening::Alarms {
                service: service(),
                names,
            });
        }
    }

    fn miss(&mut self, happenings: &mut Vec<Happening>) {
        self.missing += 1;
        if self.missing >= MISSING_LIMIT {
            let reason = format!("ECS no longer knows `{}`", self.subject.deployment);
            self.end(Outcome::Unknown { reason }, happenings);
        }
    }

    fn end(&mut self, outcome: Outcome, happenings: &mut Vec<Happening>) {
        happenings.push(Happening::Ended {
            service: self.subject.service.clone(),
            outcome: outcome.clone(),
        });
        self.outcome = Some(outcome);
    }
}
