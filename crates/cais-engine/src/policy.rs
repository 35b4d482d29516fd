//! What a revision asks of the engine: everything about a service that decisions depend on, and how
//! the words of the file become it.

use crate::event::ProbeKind;
use cais_model::name::ServiceName;
use cais_model::stack::{
    Condition, FailureAction, Order, Percent, ProbeTiming, Restart, RolloutConfig, Service, Stack,
    Threshold, UpdateConfig,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// The part of a revision's definition that the engine reads. Nothing secret is in it, so it may be journalled.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Policy {
    /// Does the gateway send traffic to it? (a route, a published port or an exposed port)
    pub routed: bool,
    /// Liveness: a command or `health.path`.
    pub liveness: Option<ProbeTiming>,
    /// Readiness: `health.ready`; where there is none and the service is routed, a TCP connect.
    pub readiness: Option<ProbeTiming>,
    /// Where no check is defined: how long a task must have been running to count as healthy. 2 s.
    pub settle: Duration,
    /// What must be true of other services before the first task starts.
    pub depends_on: BTreeMap<ServiceName, Condition>,
    /// What happens when a task ends by itself.
    pub restart: Restart,
    /// A service that runs to its end: `restart: no`, or another service waits for its completion.
    pub one_shot: bool,
    /// Rolling update bounds: either percentages or `update_config`'s batches.
    pub bounds: Bounds,
    /// Pause between batches (`update_config.delay`).
    pub delay: Duration,
    /// A new task counts only after it has been healthy for so long.
    pub monitor: Duration,
    /// Breaker threshold; `None`: no breaker (`failure_action: continue`).
    pub breaker: Option<Threshold>,
    /// What a tripped breaker does.
    pub failure_action: FailureAction,
    /// Does a task that becomes healthy zero the breaker's count?
    pub reset_on_healthy: bool,
    /// A rollout without a new healthy task for so long has failed.
    pub progress_deadline: Duration,
    /// How long a draining task may finish what it has.
    pub deregistration_delay: Duration,
    /// `stop_grace_period`: SIGKILL after it.
    pub stop_grace: Duration,
}

/// A TCP connect to a routed service that names no readiness check. It decides traffic only, so one
/// failure is enough.
const CONNECT: ProbeTiming = ProbeTiming {
    interval: Duration::from_secs(1),
    timeout: Duration::from_secs(1),
    retries: 1,
    start_period: Duration::ZERO,
    start_interval: Duration::from_millis(100),
};

/// `deregistration_delay` where requests can be told apart: an idle task drains at once.
const DRAIN_HTTP: Duration = Duration::from_secs(30);
/// The same where only connections are seen: a client's pool keeps them open for ever, and what it
/// needs is to be told by their end that it must connect anew.
const DRAIN_TCP: Duration = Duration::from_secs(1);

impl Policy {
    /// What a service of a stack asks for.
    ///
    /// - Bounds: `x-cais.rollout`, else `update_config`, else 100 and 200 percent. Compose's own
    ///   default is to stop first, one by one; a deploy that refuses requests unasked is nobody's wish.
    /// - Breaker: `x-cais.rollout.breaker`; else `max_failure_ratio` r > 0 as `floor(r·D) + 1`
    ///   failures; else ECS's default. `failure_action: continue` means none, whoever set a threshold.
    /// - `failure_action`: `update_config`'s, else `rollback`.
    /// - Liveness: `x-cais.health.path`, else `healthcheck`. Readiness: `x-cais.health.ready`, else
    ///   a TCP connect where the service is routed.
    /// - `deregistration_delay`: 30 s, or 1 s for a service that nobody reaches by HTTP.
    /// - One-shot: `restart: no`, or some service waits for it to complete.
    pub fn of(service: &Service, stack: &Stack) -> Self {
        let routed = !service.container_ports().is_empty();
        let health = service.health.as_ref();
        let by_path = health
            .filter(|health| health.path.is_some())
            .map(|health| health.timing);
        let by_ready = health
            .filter(|health| health.ready.is_some())
            .map(|health| health.timing);
        let (rollout, update) = (service.rollout.as_ref(), service.update.as_ref());
        let failure_action = update.map_or(FailureAction::Rollback, |update| update.failure_action);
        Self {
            routed,
            liveness: by_path.or_else(|| service.healthcheck.as_ref().map(|check| check.timing)),
            readiness: by_ready.or(routed.then_some(CONNECT)),
            settle: Duration::from_secs(2),
            depends_on: service
                .depends_on
                .iter()
                .map(|(name, wish)| (name.clone(), wish.condition))
                .collect(),
            restart: service.restart,
            one_shot: service.restart == Restart::No || is_awaited(&service.name, stack),
            bounds: bounds(rollout, update),
            delay: update.map_or(Duration::ZERO, |update| update.delay),
            monitor: rollout
                .and_then(|rollout| rollout.monitor)
                .or_else(|| update.and_then(|update| update.monitor))
                .unwrap_or_default(),
            breaker: breaker(rollout, update, service.replicas)
                .filter(|_| failure_action != FailureAction::Continue),
            failure_action,
            reset_on_healthy: rollout.is_none_or(|rollout| rollout.reset_on_healthy),
            progress_deadline: rollout.map_or(Duration::from_secs(600), |rollout| {
                rollout.progress_deadline
            }),
            deregistration_delay: rollout
                .and_then(|rollout| rollout.deregistration_delay)
                .unwrap_or(if service.speaks_http() {
                    DRAIN_HTTP
                } else {
                    DRAIN_TCP
                }),
            stop_grace: service.stop_grace_period,
        }
    }

    /// When to ask one of the two questions; `None` when it is not asked.
    pub(crate) fn probe(&self, kind: ProbeKind) -> Option<&ProbeTiming> {
        match kind {
            ProbeKind::Liveness => self.liveness.as_ref(),
            ProbeKind::Readiness => self.readiness.as_ref(),
        }
    }
}

fn is_awaited(name: &ServiceName, stack: &Stack) -> bool {
    let waits = |other: &Service| {
        other
            .depends_on
            .get(name)
            .is_some_and(|wish| wish.condition == Condition::ServiceCompletedSuccessfully)
    };
    stack.services.values().any(waits)
}

fn bounds(rollout: Option<&RolloutConfig>, update: Option<&UpdateConfig>) -> Bounds {
    match (rollout, update) {
        (Some(rollout), _) => Bounds::Percent {
            minimum: rollout.minimum_healthy,
            maximum: rollout.maximum,
        },
        (
            None,
            Some(UpdateConfig {
                order: Order::StartFirst,
                parallelism,
                ..
            }),
        ) => Bounds::StartFirst {
            parallelism: *parallelism,
        },
        (
            None,
            Some(UpdateConfig {
                order: Order::StopFirst,
                parallelism,
                ..
            }),
        ) => Bounds::StopFirst {
            parallelism: *parallelism,
        },
        (None, None) => Bounds::Percent {
            minimum: Percent(100),
            maximum: Percent(200),
        },
    }
}

fn breaker(
    rollout: Option<&RolloutConfig>,
    update: Option<&UpdateConfig>,
    replicas: u32,
) -> Option<Threshold> {
    let ratio = update.map_or(0.0, |update| update.max_failure_ratio);
    match rollout {
        Some(rollout) => Some(rollout.breaker),
        None if ratio > 0.0 => Some(Threshold::Count(
            tolerated(ratio, replicas).saturating_add(1),
        )),
        None => Some(Threshold::BoundedPercent(50)),
    }
}

/// `floor(r·D)`, by trying: the numbers are small, and no conversion can go wrong.
fn tolerated(ratio: f64, replicas: u32) -> u32 {
    let product = ratio * f64::from(replicas);
    (1..=replicas)
        .take_while(|count| f64::from(*count) <= product + 1e-9)
        .count()
        .try_into()
        .unwrap_or(u32::MAX)
}

/// How far the number of tasks may leave the desired count during a rollout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bounds {
    /// ECS's minimum and maximum healthy percent: `lower = ceil(D·min/100)`, `upper = floor(D·max/100)`.
    Percent {
        /// Minimum healthy percent.
        minimum: Percent,
        /// Maximum percent.
        maximum: Percent,
    },
    /// `update_config` with `order: start-first`: `p` more than desired at a time.
    StartFirst {
        /// Tasks at a time; 0 is all.
        parallelism: u32,
    },
    /// `update_config` with `order: stop-first`: `p` fewer than desired at a time.
    StopFirst {
        /// Tasks at a time; 0 is all.
        parallelism: u32,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use cais_model::{LoadOptions, Source, SourceError, load};
    use std::path::{Path, PathBuf};

    /// One file, no variables.
    struct Text(String);

    impl Source for Text {
        fn read(&self, path: &Path) -> Result<String, SourceError> {
            if path.ends_with("compose.yaml") {
                Ok(self.0.clone())
            } else {
                Err(SourceError::NotFound)
            }
        }

        fn variable(&self, _: &str) -> Option<String> {
            None
        }
    }

    /// The policy of `web`, whose definition is these lines; `more` are further services.
    fn web(definition: &str, more: &str) -> Policy {
        let indented = |text: &str, by: &str| {
            text.lines()
                .map(|line| format!("{by}{line}\n"))
                .collect::<String>()
        };
        let text = format!(
            "name: test\nservices:\n  web:\n    image: web:1\n{}{}",
            indented(definition, "    "),
            indented(more, "  ")
        );
        let options = LoadOptions {
            files: vec![PathBuf::from("/stack/compose.yaml")],
            project_directory: PathBuf::from("/stack"),
            ..LoadOptions::default()
        };
        let stack = load(&Text(text.clone()), &options)
            .unwrap_or_else(|failed| panic!("{text}\n{failed:?}"))
            .stack;
        Policy::of(&stack.services["web"], &stack)
    }

    /// What a definition makes of one part of the policy.
    fn check<T: PartialEq + std::fmt::Debug>(part: impl Fn(&Policy) -> T, cases: &[(&str, T)]) {
        for (definition, expected) in cases {
            assert_eq!(part(&web(definition, "")), *expected, "{definition}");
        }
    }

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn without_a_word_about_rollouts_nothing_stops_before_its_successor_is_healthy() {
        let policy = web("", "");
        let expected = Policy {
            routed: false,
            liveness: None,
            readiness: None,
            settle: seconds(2),
            depends_on: BTreeMap::new(),
            restart: Restart::Unset,
            one_shot: false,
            bounds: Bounds::Percent {
                minimum: Percent(100),
                maximum: Percent(200),
            },
            delay: Duration::ZERO,
            monitor: Duration::ZERO,
            breaker: Some(Threshold::BoundedPercent(50)),
            failure_action: FailureAction::Rollback,
            reset_on_healthy: true,
            progress_deadline: seconds(600),
            deregistration_delay: seconds(1),
            stop_grace: seconds(10),
        };
        assert_eq!(policy, expected);
    }

    #[test]
    fn bounds_come_from_update_config_unless_x_cais_has_its_own() {
        let percent = |minimum, maximum| Bounds::Percent {
            minimum: Percent(minimum),
            maximum: Percent(maximum),
        };
        check(
            |policy| policy.bounds,
            &[
                (
                    "deploy: { update_config: { order: start-first } }",
                    Bounds::StartFirst { parallelism: 1 },
                ),
                (
                    "deploy: { update_config: { parallelism: 2, order: stop-first } }",
                    Bounds::StopFirst { parallelism: 2 },
                ),
                (
                    "deploy: { update_config: { parallelism: 0, order: start-first } }",
                    Bounds::StartFirst { parallelism: 0 },
                ),
                (
                    "deploy: { replicas: 4 }\nx-cais: { rollout: { minimum_healthy: 50%, maximum: 150% } }",
                    percent(50, 150),
                ),
                (
                    "deploy: { update_config: { parallelism: 2 } }\nx-cais: { rollout: { minimum_healthy: 50% } }",
                    percent(50, 200),
                ),
            ],
        );
    }

    #[test]
    fn failure_action_and_ratio_make_the_breaker() {
        let rollback = |more: &str| {
            format!(
                "deploy: {{ replicas: 10, update_config: {{ failure_action: rollback{more} }} }}"
            )
        };
        check(
            |policy| (policy.failure_action, policy.breaker),
            &[
                (
                    &rollback(""),
                    (FailureAction::Rollback, Some(Threshold::BoundedPercent(50))),
                ),
                (
                    &rollback(", max_failure_ratio: 0.3"),
                    (FailureAction::Rollback, Some(Threshold::Count(4))),
                ),
                (
                    &rollback(", max_failure_ratio: 0.35"),
                    (FailureAction::Rollback, Some(Threshold::Count(4))),
                ),
                (
                    &rollback(", max_failure_ratio: 0.05"),
                    (FailureAction::Rollback, Some(Threshold::Count(1))),
                ),
                (
                    &rollback(", max_failure_ratio: 1"),
                    (FailureAction::Rollback, Some(Threshold::Count(11))),
                ),
                (
                    "deploy: { update_config: { failure_action: pause } }",
                    (FailureAction::Pause, Some(Threshold::BoundedPercent(50))),
                ),
                (
                    "deploy: { update_config: { failure_action: continue, max_failure_ratio: 0.3 } }",
                    (FailureAction::Continue, None),
                ),
            ],
        );
    }

    #[test]
    fn a_tolerated_share_is_rounded_down_exactly() {
        // 0.29 · 100 is 28.999… in binary; nobody means 28.
        let cases = [
            (0.29, 100, 29),
            (0.1, 30, 3),
            (0.999, 10, 9),
            (1.0, 3, 3),
            (0.5, 0, 0),
            (0.3, 3, 0),
        ];
        for (ratio, replicas, expected) in cases {
            assert_eq!(
                tolerated(ratio, replicas),
                expected,
                "{ratio} of {replicas}"
            );
        }
    }

    #[test]
    fn times_come_from_where_the_file_has_them() {
        check(
            |policy| (policy.delay, policy.monitor, policy.stop_grace),
            &[
                (
                    "stop_grace_period: 3s",
                    (seconds(0), seconds(0), seconds(3)),
                ),
                (
                    "deploy: { update_config: { delay: 5s, monitor: 7s } }",
                    (seconds(5), seconds(7), seconds(10)),
                ),
                (
                    "x-cais: { rollout: { monitor: 1s } }",
                    (seconds(0), seconds(1), seconds(10)),
                ),
                (
                    "deploy: { update_config: { monitor: 7s } }\nx-cais: { rollout: { monitor: 1s } }",
                    (seconds(0), seconds(1), seconds(10)),
                ),
                (
                    "deploy: { update_config: { monitor: 7s } }\nx-cais: { rollout: { maximum: 300% } }",
                    (seconds(0), seconds(7), seconds(10)),
                ),
            ],
        );
    }

    #[test]
    fn requests_are_waited_for_longer_than_connections() {
        let delay = |more: &str| {
            format!("expose: ['80']\nx-cais: {{ route: {{ path: / }}, rollout: {{ {more} }} }}")
        };
        check(
            |policy| policy.deregistration_delay,
            &[
                ("expose: ['6379']", seconds(1)),
                (
                    "expose: ['80']\nx-cais: { route: { path: / } }",
                    seconds(30),
                ),
                (&delay("monitor: 1s"), seconds(30)),
                (&delay("deregistration_delay: 7s"), seconds(7)),
                (
                    "x-cais: { rollout: { deregistration_delay: 7s } }",
                    seconds(7),
                ),
            ],
        );
    }

    #[test]
    fn what_is_reached_is_asked_whether_it_is_ready() {
        let health = "x-cais: { health: { path: /healthz, interval: 9s } }";
        let ready = "x-cais: { health: { ready: /readyz, interval: 9s } }";
        let check_of = "healthcheck: { test: [CMD, 'true'], interval: 4s }";
        let intervals = |policy: &Policy| {
            let interval =
                |timing: Option<ProbeTiming>| timing.map(|timing| timing.interval.as_secs());
            (
                policy.routed,
                interval(policy.liveness),
                interval(policy.readiness),
            )
        };
        check(
            intervals,
            &[
                ("", (false, None, None)),
                ("ports: ['8080:80']", (true, None, Some(1))),
                ("expose: ['80']", (true, None, Some(1))),
                (
                    "expose: ['80']\nx-cais: { route: { path: / } }",
                    (true, None, Some(1)),
                ),
                (check_of, (false, Some(4), None)),
                (
                    &format!("expose: ['80']\n{check_of}"),
                    (true, Some(4), Some(1)),
                ),
                (
                    &format!("expose: ['80']\n{health}"),
                    (true, Some(9), Some(1)),
                ),
                (&format!("expose: ['80']\n{ready}"), (true, None, Some(9))),
                (
                    &format!("expose: ['80']\n{check_of}\n{health}"),
                    (true, Some(9), Some(1)),
                ),
            ],
        );
    }

    #[test]
    fn what_does_not_restart_or_is_awaited_runs_once() {
        check(
            |policy| policy.one_shot,
            &[
                ("restart: 'no'", true),
                ("restart: always", false),
                ("restart: on-failure:3", false),
            ],
        );
        let waits = |condition: &str| {
            let more = format!(
                "api:\n  image: api:1\n  depends_on: {{ web: {{ condition: {condition} }} }}"
            );
            web("", &more).one_shot
        };
        assert!(waits("service_completed_successfully"));
        assert!(!waits("service_healthy"));
    }

    #[test]
    fn dependencies_keep_their_conditions() {
        let policy = web(
            "depends_on: { db: { condition: service_healthy } }",
            "db:\n  image: db:1",
        );
        let expected =
            BTreeMap::from([(ServiceName::parse("db").unwrap(), Condition::ServiceHealthy)]);
        assert_eq!(policy.depends_on, expected);
    }
}
