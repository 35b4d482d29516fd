//! A world that obeys the engine: tasks that start, turn healthy, drain and exit after delays, with
//! seeded faults. The engine is driven exactly as the supervisor drives it.

#![allow(
    unreachable_pub,
    reason = "a module of test binaries has no crate to be reached from"
)]
#![allow(clippy::unwrap_used, reason = "support of tests, in which a panic is a failure")]
#![allow(dead_code, reason = "each test binary uses its own part")]

pub mod invariants;

use cais_engine::event::{
    Action, Event, ExitStatus, ProbeKind, RevisionNumber, Submission, TaskId,
};
use cais_engine::notice::{Notice, RolloutState, TaskPhase};
use cais_engine::policy::{Bounds, Policy};
use cais_engine::state::{State, next_wake, step, views};
use cais_engine::time::Moment;
use cais_engine::view::ServiceView;
use cais_model::name::ServiceName;
use cais_model::stack::{Condition, FailureAction, Percent, ProbeTiming, Restart, Threshold};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

pub fn name(text: &str) -> ServiceName {
    ServiceName::parse(text).unwrap()
}

pub fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// A routed service with both checks and ECS's defaults.
pub fn policy() -> Policy {
    Policy {
        routed: true,
        liveness: Some(timing(3)),
        readiness: Some(timing(1)),
        settle: ms(2_000),
        depends_on: BTreeMap::new(),
        restart: Restart::Unset,
        one_shot: false,
        bounds: percent(100, 200),
        delay: ms(0),
        monitor: ms(0),
        breaker: Some(Threshold::BoundedPercent(50)),
        failure_action: FailureAction::Rollback,
        reset_on_healthy: true,
        progress_deadline: ms(600_000),
        deregistration_delay: ms(30_000),
        stop_grace: ms(10_000),
    }
}

pub fn timing(retries: u32) -> ProbeTiming {
    ProbeTiming {
        interval: ms(1_000),
        timeout: ms(1_000),
        retries,
        start_period: ms(3_000),
        start_interval: ms(100),
    }
}

pub fn percent(minimum: u32, maximum: u32) -> Bounds {
    Bounds::Percent {
        minimum: Percent(minimum),
        maximum: Percent(maximum),
    }
}

pub fn after(dependency: &str, condition: Condition) -> Policy {
    Policy {
        depends_on: BTreeMap::from([(name(dependency), condition)]),
        ..policy()
    }
}

pub fn submission(revision: u32, desired: u32, policy: Policy) -> Submission {
    Submission {
        revision: RevisionNumber(revision),
        policy,
        desired,
        force: false,
    }
}

pub fn only(service: &str) -> BTreeSet<ServiceName> {
    BTreeSet::from([name(service)])
}

/// How the tasks of one revision behave.
#[derive(Debug, Clone, Copy)]
pub struct Behaviour {
    /// From `StartTask` to `Started`.
    pub starts_ms: u64,
    /// The first so many starts fail.
    pub failing_starts: u32,
    /// From `Started` until its liveness passes; `None`: never.
    pub alive_ms: Option<u64>,
    /// From `Started` until it is ready; `None`: never.
    pub ready_ms: Option<u64>,
    /// From `Started` until it ends by itself.
    pub exits: Option<(u64, ExitStatus)>,
    /// From `Unrouted` to `Drained`; `None`: never.
    pub drains_ms: Option<u64>,
    /// From `StopTask` to `Exited`; `None`: only a SIGKILL ends it, and the edge forgets to send it.
    pub stops_ms: Option<u64>,
}

pub const GOOD: Behaviour = Behaviour {
    starts_ms: 20,
    failing_starts: 0,
    alive_ms: Some(200),
    ready_ms: Some(300),
    exits: None,
    drains_ms: Some(50),
    stops_ms: Some(30),
};

/// A process of the world.
#[derive(Debug, Clone)]
pub struct Process {
    pub service: ServiceName,
    pub revision: RevisionNumber,
    pub behaviour: Behaviour,
    pub started_at: Option<u64>,
    pub exit: Option<ExitStatus>,
    pub start_failed: bool,
    pub stop_at: Option<u64>,
    /// Overrides what the behaviour says.
    pub sick: bool,
    pub unready: bool,
}

/// The world and the engine in it.
pub struct World {
    pub state: State,
    pub now: u64,
    pub processes: BTreeMap<TaskId, Process>,
    pub behaviours: BTreeMap<(ServiceName, RevisionNumber), Behaviour>,
    pub notices: Vec<(u64, Notice)>,
    pub actions: Vec<(u64, Action)>,
    pub finished: u32,
    /// Does the gateway answer?
    pub gateway: bool,
    queue: BTreeMap<(u64, u64), Event>,
    sequence: u64,
    pub checks: invariants::Checks,
}

impl Default for World {
    fn default() -> Self {
        Self {
            state: State::default(),
            now: 1_000,
            processes: BTreeMap::new(),
            behaviours: BTreeMap::new(),
            notices: Vec::new(),
            actions: Vec::new(),
            finished: 0,
            gateway: true,
            queue: BTreeMap::new(),
            sequence: 0,
            checks: invariants::Checks::default(),
        }
    }
}

impl World {
    pub fn behave(&mut self, service: &str, revision: u32, behaviour: Behaviour) {
        self.behaviours
            .insert((name(service), RevisionNumber(revision)), behaviour);
    }

    pub fn apply(&mut self, services: impl IntoIterator<Item = (&'static str, Submission)>) {
        let services = services
            .into_iter()
            .map(|(service, submission)| (name(service), submission))
            .collect();
        self.feed(Event::Apply {
            services,
            remove_absent: false,
        });
    }

    /// One service `web`, applied.
    pub fn web(&mut self, revision: u32, desired: u32, policy: Policy) {
        self.apply([("web", submission(revision, desired, policy))]);
    }

    /// One step of the engine, its actions performed, its promises checked.
    pub fn feed(&mut self, event: Event) {
        let before = self.state.clone();
        let outcome = step(&mut self.state, event.clone(), Moment(self.now));
        self.checks
            .after_step(&before, &event, &outcome, &self.state, self.now);
        self.notices
            .extend(outcome.notices.into_iter().map(|notice| (self.now, notice)));
        for action in outcome.actions {
            self.actions.push((self.now, action.clone()));
            self.perform(action);
        }
    }

    pub fn later(&mut self, in_ms: u64, event: Event) {
        self.sequence += 1;
        self.queue.insert((self.now + in_ms, self.sequence), event);
    }

    fn perform(&mut self, action: Action) {
        match action {
            Action::StartTask {
                service,
                task,
                revision,
            } => self.start(service, task, revision),
            Action::Probe { task, kind } => {
                let outcome = self.answer(task, kind);
                self.later(
                    5,
                    Event::Probed {
                        task,
                        kind,
                        outcome,
                    },
                );
            }
            Action::Unroute { task } => {
                if !self.gateway {
                    return;
                }
                self.later(10, Event::Unrouted { task });
                if let Some(drains) = self.processes[&task].behaviour.drains_ms {
                    self.later(10 + drains, Event::Drained { task });
                }
            }
            Action::StopTask { task } => {
                let stops = self.processes[&task].behaviour.stops_ms;
                if let Some(stops) = stops {
                    self.end(task, stops, ExitStatus::Code(0));
                }
            }
            Action::KillTask { task } => self.end(task, 1, ExitStatus::Signal(9)),
            Action::ForgetTask { task } => {
                self.processes.remove(&task);
            }
            Action::Finished => self.finished += 1,
        }
    }

    fn start(&mut self, service: ServiceName, task: TaskId, revision: RevisionNumber) {
        if let Some(process) = self.processes.get(&task) {
            // Asked twice: the edge reports what it has.
            match (process.exit, process.start_failed) {
                (Some(status), _) => self.later(1, Event::Exited { task, status }),
                (None, true) => self.later(
                    1,
                    Event::StartFailed {
                        task,
                        reason: "no such program".to_owned(),
                    },
                ),
                (None, false) => self.later(1, Event::Started { task }),
            }
            return;
        }
        let behaviour = self
            .behaviours
            .entry((service.clone(), revision))
            .or_insert(GOOD);
        let start_failed = behaviour.failing_starts > 0;
        behaviour.failing_starts = behaviour.failing_starts.saturating_sub(1);
        let behaviour = *behaviour;
        let started_at = (!start_failed).then_some(self.now + behaviour.starts_ms);
        let process = Process {
            service,
            revision,
            behaviour,
            started_at,
            exit: None,
            start_failed,
            stop_at: None,
            sick: false,
            unready: false,
        };
        self.processes.insert(task, process);
        if start_failed {
            return self.later(
                behaviour.starts_ms,
                Event::StartFailed {
                    task,
                    reason: "no such program".to_owned(),
                },
            );
        }
        self.later(behaviour.starts_ms, Event::Started { task });
        if let Some((exits, status)) = behaviour.exits {
            self.later(behaviour.starts_ms + exits, Event::Exited { task, status });
        }
    }

    fn end(&mut self, task: TaskId, in_ms: u64, status: ExitStatus) {
        let process = self.processes.get_mut(&task).unwrap();
        let status = *process.exit.get_or_insert(status);
        self.later(in_ms, Event::Exited { task, status });
    }

    /// A task ends by itself now.
    pub fn crash(&mut self, task: TaskId, status: ExitStatus) {
        self.end(task, 0, status);
    }

    fn answer(&self, task: TaskId, kind: ProbeKind) -> Result<(), String> {
        let process = &self.processes[&task];
        if process.exit.is_some() {
            return Err("connection refused".to_owned());
        }
        let up = self
            .now
            .saturating_sub(process.started_at.unwrap_or(u64::MAX));
        let (from, broken, says) = match kind {
            ProbeKind::Liveness => (
                process.behaviour.alive_ms,
                process.sick,
                "GET /healthz answered 500",
            ),
            ProbeKind::Readiness => (
                process.behaviour.ready_ms,
                process.unready,
                "GET /readyz answered 503",
            ),
        };
        if from.is_some_and(|from| up >= from) && !broken {
            Ok(())
        } else {
            Err(says.to_owned())
        }
    }

    /// Lets so much time pass.
    pub fn run(&mut self, for_ms: u64) {
        let until = self.now + for_ms;
        let mut ticks_in_place = 0;
        loop {
            let queued = self.queue.keys().next().map(|(at, _)| *at);
            let wake = next_wake(&self.state).map(|wake| wake.0);
            let Some(at) = queued
                .into_iter()
                .chain(wake)
                .min()
                .filter(|at| *at <= until)
            else {
                break;
            };
            if queued.is_some_and(|queued| queued <= at) {
                self.now = self.now.max(at);
                let (_, event) = self.queue.pop_first().unwrap();
                if let Event::Exited { task, status } = event
                    && let Some(process) = self.processes.get_mut(&task)
                {
                    process.exit.get_or_insert(status);
                }
                self.feed(event);
                ticks_in_place = 0;
            } else {
                ticks_in_place += usize::from(at <= self.now);
                assert!(
                    ticks_in_place < 3,
                    "the engine asks to be woken at {at}, and it is {}",
                    self.now
                );
                self.now = self.now.max(at);
                self.feed(Event::Tick);
            }
        }
        self.now = until;
    }

    /// Lets time pass until the condition holds; returns how long that took.
    pub fn until(&mut self, what: &str, limit_ms: u64, holds: impl Fn(&World) -> bool) -> u64 {
        let begun = self.now;
        while !holds(self) {
            assert!(
                self.now < begun + limit_ms,
                "not within {limit_ms} ms: {what}\n{}",
                self.story()
            );
            self.run(10);
        }
        self.now - begun
    }

    pub fn view(&self, service: &str) -> ServiceView {
        self.find(service)
            .unwrap_or_else(|| panic!("`{service}` is not known\n{}", self.story()))
    }

    pub fn find(&self, service: &str) -> Option<ServiceView> {
        views(&self.state)
            .into_iter()
            .find(|view| view.service.as_str() == service)
    }

    pub fn rollout(&self, service: &str) -> RolloutState {
        self.view(service).rollout.unwrap().state
    }

    /// Ids of the tasks in a phase.
    pub fn tasks(&self, service: &str, phase: TaskPhase) -> Vec<TaskId> {
        self.view(service)
            .tasks
            .iter()
            .filter(|task| task.phase == phase)
            .map(|task| task.task)
            .collect()
    }

    pub fn running(&self, service: &str) -> Vec<(TaskId, u32)> {
        let view = self.view(service);
        let running = view
            .tasks
            .iter()
            .filter(|task| task.phase == TaskPhase::Running);
        running.map(|task| (task.task, task.revision.0)).collect()
    }

    /// Everything that was said, one line each.
    pub fn story(&self) -> String {
        let lines = self
            .notices
            .iter()
            .map(|(at, notice)| format!("{at:>8} {} {:?}\n", notice.service, notice.kind));
        lines.collect()
    }
}
