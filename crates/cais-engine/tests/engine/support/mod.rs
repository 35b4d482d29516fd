//! A world that obeys the engine: tasks that start, turn healthy, drain and exit after delays, with
//! seeded faults. The engine is driven exactly as the supervisor drives it.

pub(crate) mod invariants;

use cais_engine::event::{
    Action, Event, ExitStatus, ProbeKind, RevisionNumber, Submission, TaskId,
};
use cais_engine::notice::{Notice, NoticeKind, RolloutState, TaskPhase};
use cais_engine::policy::{Bounds, Policy};
use cais_engine::state::{State, next_wake, step, traffic, views};
use cais_engine::time::Moment;
use cais_engine::view::{ServiceView, Traffic};
use cais_model::name::ServiceName;
use cais_model::stack::{Condition, FailureAction, Percent, ProbeTiming, Restart, Threshold};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

pub(crate) fn name(text: &str) -> ServiceName {
    ServiceName::parse(text).unwrap()
}

pub(crate) const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// A routed service with both checks and ECS's defaults.
pub(crate) fn policy() -> Policy {
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

pub(crate) fn timing(retries: u32) -> ProbeTiming {
    ProbeTiming {
        interval: ms(1_000),
        timeout: ms(1_000),
        retries,
        start_period: ms(3_000),
        start_interval: ms(100),
    }
}

pub(crate) fn percent(minimum: u32, maximum: u32) -> Bounds {
    Bounds::Percent {
        minimum: Percent(minimum),
        maximum: Percent(maximum),
    }
}

pub(crate) fn after(dependency: &str, condition: Condition) -> Policy {
    Policy {
        depends_on: BTreeMap::from([(name(dependency), condition)]),
        ..policy()
    }
}

pub(crate) fn submission(revision: u32, desired: u32, policy: Policy) -> Submission {
    Submission {
        revision: RevisionNumber(revision),
        policy,
        desired,
        force: false,
    }
}

pub(crate) fn only(service: &str) -> BTreeSet<ServiceName> {
    BTreeSet::from([name(service)])
}

/// How the tasks of one revision behave.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Behaviour {
    /// From `StartTask` to `Started`.
    pub(crate) starts_ms: u64,
    /// The first so many starts fail.
    pub(crate) failing_starts: u32,
    /// From `Started` until its liveness passes; `None`: never.
    pub(crate) alive_ms: Option<u64>,
    /// From `Started` until it is ready; `None`: never.
    pub(crate) ready_ms: Option<u64>,
    /// From `Started` until it ends by itself.
    pub(crate) exits: Option<(u64, ExitStatus)>,
    /// From `Unrouted` to `Drained`; `None`: never.
    pub(crate) drains_ms: Option<u64>,
    /// From `StopTask` to `Exited`; `None`: only a SIGKILL ends it, and the edge forgets to send it.
    pub(crate) stops_ms: Option<u64>,
}

pub(crate) const GOOD: Behaviour = Behaviour {
    starts_ms: 20,
    failing_starts: 0,
    alive_ms: Some(200),
    ready_ms: Some(300),
    exits: None,
    drains_ms: Some(50),
    stops_ms: Some(30),
};

/// What can happen to a report on its way to the engine.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fault {
    Lost,
    Doubled,
    /// By so many milliseconds.
    Late(u64),
}

/// A process of the world.
#[derive(Debug, Clone)]
pub(crate) struct Process {
    pub(crate) service: ServiceName,
    pub(crate) revision: RevisionNumber,
    pub(crate) behaviour: Behaviour,
    pub(crate) started_at: Option<u64>,
    pub(crate) exit: Option<ExitStatus>,
    pub(crate) start_failed: bool,
    /// Overrides what the behaviour says.
    pub(crate) sick: bool,
    pub(crate) unready: bool,
}

/// The world and the engine in it.
pub(crate) struct World {
    pub(crate) state: State,
    pub(crate) now: u64,
    /// The engine's clock is so far behind the world's: the machine was started anew in between.
    pub(crate) booted_at: u64,
    pub(crate) processes: BTreeMap<TaskId, Process>,
    pub(crate) behaviours: BTreeMap<(ServiceName, RevisionNumber), Behaviour>,
    pub(crate) notices: Vec<(u64, Notice)>,
    pub(crate) actions: Vec<(u64, Action)>,
    pub(crate) finished: u32,
    /// Does the gateway answer?
    pub(crate) gateway: bool,
    /// Check that every step, not one in sixty-four, is repeatable and survives the journal.
    pub(crate) thorough: bool,
    /// What happens to the next report of the world.
    pub(crate) fault: Option<Fault>,
    /// Answers to these probes never arrive.
    pub(crate) lose: Option<ProbeKind>,
    /// A SIGKILL does nothing.
    pub(crate) ignore_kills: bool,
    queue: BTreeMap<(u64, u64), Event>,
    sequence: u64,
    pub(crate) checks: invariants::Checks,
}

impl Default for World {
    fn default() -> Self {
        Self {
            state: State::default(),
            now: 1_000,
            booted_at: 0,
            processes: BTreeMap::new(),
            behaviours: BTreeMap::new(),
            notices: Vec::new(),
            actions: Vec::new(),
            finished: 0,
            gateway: true,
            thorough: true,
            fault: None,
            lose: None,
            ignore_kills: false,
            queue: BTreeMap::new(),
            sequence: 0,
            checks: invariants::Checks::default(),
        }
    }
}

impl World {
    pub(crate) fn behave(&mut self, service: &str, revision: u32, behaviour: Behaviour) {
        self.behaviours
            .insert((name(service), RevisionNumber(revision)), behaviour);
    }

    pub(crate) fn apply(&mut self, services: impl IntoIterator<Item = (&'static str, Submission)>) {
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
    pub(crate) fn web(&mut self, revision: u32, desired: u32, policy: Policy) {
        self.apply([("web", submission(revision, desired, policy))]);
    }

    /// One step of the engine, its actions performed, its promises checked.
    pub(crate) fn feed(&mut self, event: Event) {
        let moment = self.now - self.booted_at;
        let before = self.state.clone();
        // Checking every step three times over would make the sequences few.
        if self.thorough || self.checks.steps.is_multiple_of(64) {
            self.checks.before_step(&before, &event, moment);
        }
        let outcome = step(&mut self.state, event.clone(), Moment(moment));
        self.checks
            .after_step(&before, &event, &outcome, &self.state, self.now, moment);
        self.notices
            .extend(outcome.notices.into_iter().map(|notice| (self.now, notice)));
        for action in outcome.actions {
            self.actions.push((self.now, action.clone()));
            self.perform(action);
        }
    }

    pub(crate) fn later(&mut self, in_ms: u64, event: Event) {
        match self.fault.take() {
            // The end of a task is on disk before it is reported; it is never lost as long as anybody listens.
            Some(Fault::Lost) if !matches!(event, Event::Exited { .. }) => return,
            Some(Fault::Doubled) => self.send(in_ms + 40, event.clone()),
            Some(Fault::Late(by)) => return self.send(in_ms + by, event),
            Some(Fault::Lost) | None => {}
        }
        self.send(in_ms, event);
    }

    fn send(&mut self, in_ms: u64, event: Event) {
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
            Action::Probe { kind, .. } if self.lose == Some(kind) => {}
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
                let stops = self
                    .processes
                    .get(&task)
                    .map(|process| process.behaviour.stops_ms);
                if let Some(stops) = stops.unwrap_or(Some(1)) {
                    self.end(task, stops, ExitStatus::Code(0));
                }
            }
            Action::KillTask { .. } if self.ignore_kills => {}
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

    /// The supervisor dies and a new one takes over from the journal: reports under way are lost,
    /// and what is found about each task is told first.
    pub(crate) fn restart_supervisor(&mut self) {
        self.state = invariants::through_json(&self.state);
        self.queue.clear();
        let known: Vec<_> = views(&self.state)
            .into_iter()
            .flat_map(|view| view.tasks)
            .collect();
        for task in known {
            let Some(process) = self.processes.get(&task.task) else {
                continue;
            };
            let event = match (process.exit, process.started_at) {
                (Some(status), _) => Event::Exited {
                    task: task.task,
                    status,
                },
                (None, Some(at)) if at <= self.now => Event::Started { task: task.task },
                // It was never started: the engine asks again where it still wants it.
                (None, _) if task.phase == TaskPhase::Pending => {
                    self.processes.remove(&task.task);
                    continue;
                }
                (None, _) => Event::Exited {
                    task: task.task,
                    status: ExitStatus::Unknown,
                },
            };
            self.feed(event);
        }
        self.feed(Event::Recovered);
    }

    /// The machine goes down and comes back: its clock begins anew and no process is left.
    pub(crate) fn reboot(&mut self) {
        self.now += 500;
        self.booted_at = self.now - 100;
        for process in self.processes.values_mut() {
            process.exit.get_or_insert(ExitStatus::Unknown);
        }
        self.restart_supervisor();
    }

    pub(crate) fn end(&mut self, task: TaskId, in_ms: u64, status: ExitStatus) {
        let status = match self.processes.get_mut(&task) {
            Some(process) => *process.exit.get_or_insert(status),
            // The edge does not hold it: nobody will ever see its end.
            None => ExitStatus::Unknown,
        };
        self.later(in_ms, Event::Exited { task, status });
    }

    /// A task ends by itself now.
    pub(crate) fn crash(&mut self, task: TaskId, status: ExitStatus) {
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
    pub(crate) fn run(&mut self, for_ms: u64) {
        let until = self.now + for_ms;
        let mut ticks_in_place = 0;
        loop {
            let queued = self.queue.keys().next().map(|(at, _)| *at);
            let wake = next_wake(&self.state).map(|wake| wake.0 + self.booted_at);
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
    pub(crate) fn until(
        &mut self,
        what: &str,
        limit_ms: u64,
        holds: impl Fn(&World) -> bool,
    ) -> u64 {
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

    pub(crate) fn view(&self, service: &str) -> ServiceView {
        self.find(service)
            .unwrap_or_else(|| panic!("`{service}` is not known\n{}", self.story()))
    }

    pub(crate) fn find(&self, service: &str) -> Option<ServiceView> {
        views(&self.state)
            .into_iter()
            .find(|view| view.service.as_str() == service)
    }

    pub(crate) fn rollout(&self, service: &str) -> RolloutState {
        self.view(service).rollout.unwrap().state
    }

    /// Ids of the tasks in a phase.
    pub(crate) fn tasks(&self, service: &str, phase: TaskPhase) -> Vec<TaskId> {
        self.view(service)
            .tasks
            .iter()
            .filter(|task| task.phase == phase)
            .map(|task| task.task)
            .collect()
    }

    pub(crate) fn running(&self, service: &str) -> Vec<(TaskId, u32)> {
        let view = self.view(service);
        let running = view
            .tasks
            .iter()
            .filter(|task| task.phase == TaskPhase::Running);
        running.map(|task| (task.task, task.revision.0)).collect()
    }

    /// Tasks of a service that the gateway sends requests to.
    pub(crate) fn serving(&self, service: &str) -> Vec<TaskId> {
        let traffic = traffic(&self.state);
        let targets = traffic.get(service).map(Vec::as_slice).unwrap_or_default();
        targets
            .iter()
            .filter(|target| target.2 == Traffic::Serve)
            .map(|target| target.0)
            .collect()
    }

    /// When each task of a service was asked to start, for the first time.
    pub(crate) fn starts(&self, service: &str) -> Vec<u64> {
        let mut seen = BTreeSet::new();
        let starts = self.actions.iter().filter_map(|(at, action)| match action {
            Action::StartTask {
                service: of, task, ..
            } if of.as_str() == service => Some((*at, *task)),
            _ => None,
        });
        starts
            .filter(|(_, task)| seen.insert(*task))
            .map(|(at, _)| at)
            .collect()
    }

    pub(crate) fn started(&self, service: &str) -> usize {
        self.starts(service).len()
    }

    /// Every state that the service's rollouts went through, repetitions apart.
    pub(crate) fn rollout_states(&self, service: &str) -> Vec<RolloutState> {
        let mut states: Vec<RolloutState> = Vec::new();
        for (_, notice) in self
            .notices
            .iter()
            .filter(|(_, notice)| notice.service.as_str() == service)
        {
            if let NoticeKind::Rollout { state, .. } = notice.kind
                && states.last() != Some(&state)
            {
                states.push(state);
            }
        }
        states
    }

    /// The actions about one task, in order, probes apart.
    pub(crate) fn done_to(&self, task: TaskId) -> Vec<(u64, Action)> {
        let about = |action: &Action| match action {
            Action::StartTask { task: of, .. }
            | Action::Unroute { task: of }
            | Action::StopTask { task: of }
            | Action::KillTask { task: of }
            | Action::ForgetTask { task: of } => *of == task,
            Action::Probe { .. } | Action::Finished => false,
        };
        self.actions
            .iter()
            .filter(|(_, action)| about(action))
            .cloned()
            .collect()
    }

    /// What was said of one task.
    pub(crate) fn said_of(&self, task: TaskId) -> Vec<String> {
        let said = self
            .notices
            .iter()
            .filter_map(|(_, notice)| match &notice.kind {
                NoticeKind::Task {
                    task: of, reason, ..
                } if *of == task => Some(reason.clone()),
                _ => None,
            });
        said.collect()
    }

    /// Everything that was said, one line each.
    pub(crate) fn story(&self) -> String {
        let lines = self
            .notices
            .iter()
            .map(|(at, notice)| format!("{at:>8} {} {:?}\n", notice.service, notice.kind));
        lines.collect()
    }
}
