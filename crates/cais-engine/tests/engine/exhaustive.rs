//! Every sequence of a small world: one service that goes from revision 1 to revision 2 and is
//! scaled on the way, in every order of events and with a bounded number of faults. Each state is
//! visited once: moments are compared by how far they are from now, task ids by their order.
//!
//! `CAIS_EXHAUSTIVE=1` searches the large worlds as well (minutes, with `--release`).

use crate::support::invariants::Checks;
use crate::support::{ms, name, percent, policy, submission};
use cais_engine::event::{Action, Event, ExitStatus, ProbeKind, TaskId};
use cais_engine::notice::{RolloutState, TaskHealth, TaskPhase};
use cais_engine::policy::{Bounds, Policy};
use cais_engine::state::{State, next_wake, step, views};
use cais_engine::time::Moment;
use cais_model::stack::{FailureAction, ProbeTiming, Threshold};
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

/// One position: the engine, and what the world still owes it.
#[derive(Clone)]
struct Position {
    state: State,
    now: u64,
    /// Probes that are under way.
    asked: BTreeSet<TaskId>,
    faults: u32,
    /// Wishes still to come, in this order, each at any time.
    wishes: Vec<Event>,
}

/// A search: the first deploy is done, then these wishes come, with so many faults.
struct Search {
    title: String,
    policy: Policy,
    desired: u32,
    scaled_to: Option<u32>,
    faults: u32,
}

/// Asked rarely, answered at once: few events, and failures that count.
const RARE: ProbeTiming = ProbeTiming {
    interval: ms(3_600_000),
    timeout: ms(1_000),
    retries: 1,
    start_period: ms(0),
    start_interval: ms(100),
};

impl Search {
    fn run(&self) -> (usize, usize) {
        let mut checks = Checks::default();
        let mut positions = vec![self.first(&mut checks)];
        let mut known = HashMap::from([(key(&positions[0]), 0)]);
        let mut open = VecDeque::from([0]);
        // Which positions lead to this one without a fault.
        let mut from: Vec<Vec<usize>> = vec![Vec::new()];
        let mut edges = 0;
        while let Some(index) = open.pop_front() {
            for (event, fault) in positions[index].events() {
                let next = positions[index].after(&event, fault, &mut checks);
                let place = *known.entry(key(&next)).or_insert_with(|| {
                    open.push_back(positions.len());
                    positions.push(next);
                    from.push(Vec::new());
                    positions.len() - 1
                });
                edges += 1;
                if !fault {
                    from[place].push(index);
                }
            }
            assert!(
                positions.len() < 5_000_000,
                "{}: too many states",
                self.title
            );
        }
        self.all_reach_the_end(&positions, &from);
        (positions.len(), edges)
    }

    fn first(&self, checks: &mut Checks) -> Position {
        let web = |revision, desired| {
            let services = BTreeMap::from([(
                name("web"),
                submission(revision, desired, self.policy.clone()),
            )]);
            Event::Apply {
                services,
                remove_absent: false,
            }
        };
        let mut wishes = vec![web(2, self.desired)];
        wishes.extend(self.scaled_to.map(|desired| Event::Scale {
            service: name("web"),
            desired,
        }));
        let mut position = Position {
            state: State::default(),
            now: 1_000,
            asked: BTreeSet::new(),
            faults: 0,
            wishes: Vec::new(),
        };
        position = position.after(&web(1, self.desired), false, checks);
        while rollout(&position.state) != Some(RolloutState::Completed) {
            let (event, _) = position.events().into_iter().next().unwrap();
            position = position.after(&event, false, checks);
        }
        checks.learn(&wishes[0]);
        Position {
            faults: self.faults,
            wishes,
            ..position
        }
    }

    /// From everywhere, without a further fault, the service gets to its end.
    fn all_reach_the_end(&self, positions: &[Position], from: &[Vec<usize>]) {
        let mut good: Vec<bool> = positions.iter().map(is_at_its_end).collect();
        let mut open: Vec<usize> = (0..positions.len()).filter(|index| good[*index]).collect();
        while let Some(index) = open.pop() {
            for &before in &from[index] {
                if !std::mem::replace(&mut good[before], true) {
                    open.push(before);
                }
            }
        }
        let stuck = good.iter().position(|good| !good);
        assert!(
            stuck.is_none(),
            "{}: no way out of {:?}",
            self.title,
            stuck.map(|index| views(&positions[index].state))
        );
    }
}

impl Position {
    /// What may happen next; `true` marks a fault. Time passes only when nothing else is owed.
    fn events(&self) -> Vec<(Event, bool)> {
        let mut events = Vec::new();
        let tasks = views(&self.state).into_iter().flat_map(|view| view.tasks);
        for view in tasks {
            let task = view.task;
            let crash = Event::Exited {
                task,
                status: ExitStatus::Code(1),
            };
            match view.phase {
                TaskPhase::Pending => {
                    events.push((Event::Started { task }, false));
                    events.push((
                        Event::StartFailed {
                            task,
                            reason: "no".to_owned(),
                        },
                        true,
                    ));
                }
                TaskPhase::Activating | TaskPhase::Running => events.push((crash, true)),
                TaskPhase::Draining => events.push((Event::Drained { task }, false)),
                TaskPhase::Stopping => events.push((
                    Event::Exited {
                        task,
                        status: ExitStatus::Code(0),
                    },
                    false,
                )),
                TaskPhase::Stopped => {}
            }
            if self.asked.contains(&task) {
                let answer = |outcome| Event::Probed {
                    task,
                    kind: ProbeKind::Liveness,
                    outcome,
                };
                events.push((answer(Ok(())), false));
                events.push((answer(Err("sick".to_owned())), true));
            }
        }
        if events.iter().all(|(_, fault)| *fault) && next_wake(&self.state).is_some() {
            events.push((Event::Tick, false));
        }
        events.extend(self.wishes.first().map(|wish| (wish.clone(), false)));
        events.retain(|(_, fault)| !fault || self.faults > 0);
        events
    }

    fn after(&self, event: &Event, fault: bool, checks: &mut Checks) -> Self {
        let mut next = self.clone();
        match event {
            Event::Tick => {
                next.now = next_wake(&self.state).map_or(self.now, |wake| wake.0.max(self.now));
            }
            Event::Probed { task, .. } => {
                next.asked.remove(task);
            }
            _ if self.wishes.first() == Some(event) => {
                next.wishes.remove(0);
            }
            _ => {}
        }
        next.faults -= u32::from(fault);
        checks.learn(event);
        let outcome = step(&mut next.state, event.clone(), Moment(next.now));
        checks.check_states(&self.state, &next.state);
        for action in outcome.actions {
            if let Action::Probe { task, .. } = action {
                next.asked.insert(task);
            }
        }
        let alive: BTreeSet<TaskId> = views(&next.state)
            .into_iter()
            .flat_map(|view| view.tasks)
            .filter(|task| matches!(task.phase, TaskPhase::Activating | TaskPhase::Running))
            .map(|task| task.task)
            .collect();
        next.asked.retain(|task| alive.contains(task));
        next
    }
}

fn rollout(state: &State) -> Option<RolloutState> {
    views(state)
        .first()
        .and_then(|view| view.rollout.as_ref())
        .map(|rollout| rollout.state)
}

fn is_at_its_end(position: &Position) -> bool {
    let view = &views(&position.state)[0];
    let unfinished: Vec<_> = view
        .tasks
        .iter()
        .filter(|task| task.phase != TaskPhase::Stopped)
        .collect();
    let fit = unfinished.iter().all(|task| {
        task.phase == TaskPhase::Running
            && task.health == TaskHealth::Healthy
            && task.revision == view.target
    });
    let whole =
        unfinished.len() == view.desired as usize && fit && view.current == Some(view.target);
    position.wishes.is_empty()
        && match view.rollout.as_ref().map(|rollout| rollout.state) {
            Some(RolloutState::Completed | RolloutState::RollbackSuccessful) => whole,
            // A person decides.
            Some(RolloutState::Failed | RolloutState::RollbackFailed) => unfinished
                .iter()
                .all(|task| task.phase == TaskPhase::Running),
            _ => false,
        }
}

/// What tells two positions apart.
fn key(position: &Position) -> String {
    let mut state = serde_json::to_value(&position.state).unwrap();
    let clock = position.now;
    let ids: Vec<TaskId> = views(&position.state)
        .into_iter()
        .flat_map(|view| view.tasks)
        .map(|task| task.task)
        .collect();
    let rank: BTreeMap<String, String> = ids
        .iter()
        .enumerate()
        .map(|(rank, task)| (task.to_string(), rank.to_string()))
        .collect();
    abstracted(&mut state, clock, &rank);
    let asked: Vec<_> = position
        .asked
        .iter()
        .map(|task| &rank[&task.to_string()])
        .collect();
    format!(
        "{state}{asked:?}{}{}",
        position.faults,
        position.wishes.len()
    )
}

fn abstracted(value: &mut serde_json::Value, clock: u64, rank: &BTreeMap<String, String>) {
    const MOMENTS: [&str; 11] = [
        "clock",
        "since",
        "started_at",
        "ended_at",
        "healthy_at",
        "again_at",
        "asked_at",
        "next_at",
        "due",
        "progress_at",
        "batch_at",
    ];
    let serde_json::Value::Object(fields) = value else {
        if let serde_json::Value::Array(values) = value {
            values
                .iter_mut()
                .for_each(|value| abstracted(value, clock, rank));
        }
        return;
    };
    // Words, and the policies, which are the same everywhere.
    for words in ["reason", "answer", "last_task", "revisions", "exit"] {
        fields.remove(words);
    }
    for (field, value) in fields.iter_mut() {
        match (MOMENTS.contains(&field.as_str()), value.as_u64()) {
            // Jitter differs from task to task; that something is due later is enough.
            (true, Some(at)) if field == "due" => *value = (at > clock).into(),
            (true, Some(at)) => {
                let away = i128::from(at) - i128::from(clock);
                *value = away.max(-10_000).to_string().into();
            }
            _ => abstracted(value, clock, rank),
        }
    }
    if let Some(tasks) = fields
        .get_mut("tasks")
        .and_then(serde_json::Value::as_object_mut)
    {
        // What is over matters to nobody but people.
        tasks.retain(|_, task| task["phase"] != "stopped");
        *tasks = std::mem::take(tasks)
            .into_iter()
            .map(|(id, task)| (rank[&id].clone(), task))
            .collect();
    }
}

#[test]
fn every_order_of_events_keeps_the_promises_and_reaches_an_end() {
    let large = std::env::var_os("CAIS_EXHAUSTIVE").is_some();
    let bounds = [
        percent(100, 200),
        percent(50, 100),
        percent(0, 100),
        percent(67, 134),
        Bounds::StartFirst { parallelism: 1 },
        Bounds::StopFirst { parallelism: 1 },
    ];
    let (mut states, mut edges) = (0, 0);
    for bounds in bounds {
        // desired, scaled to, faults, with a health check
        let small = [
            (1, Some(2), 2, false),
            (2, None, 1, true),
            (3, Some(2), 0, false),
        ];
        let big = [
            (1, Some(3), 2, true),
            (2, Some(1), 2, false),
            (2, Some(3), 2, false),
            (2, Some(1), 2, true),
            (3, Some(1), 2, false),
            (3, Some(2), 2, true),
        ];
        let worlds = small.into_iter().chain(big.into_iter().filter(|_| large));
        for (desired, scaled_to, faults, checked) in worlds {
            let policy = Policy {
                bounds,
                liveness: checked.then_some(RARE),
                readiness: None,
                settle: ms(0),
                breaker: Some(Threshold::Count(2)),
                failure_action: FailureAction::Rollback,
                progress_deadline: ms(360_000_000),
                ..policy()
            };
            let title = format!(
                "{bounds:?}, {desired} to {scaled_to:?}, {faults} faults, checked: {checked}"
            );
            let search = Search {
                title: title.clone(),
                policy,
                desired,
                scaled_to,
                faults,
            };
            let (found, tried) = search.run();
            println!("{found:>8} states, {tried:>8} steps: {title}");
            (states, edges) = (states + found, edges + tried);
        }
    }
    println!("{states} states, {edges} steps");
}
