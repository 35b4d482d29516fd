//! What a service's file makes of its policy, field by field.

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
        format!("deploy: {{ replicas: 10, update_config: {{ failure_action: rollback{more} }} }}")
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
        let interval = |timing: Option<ProbeTiming>| timing.map(|timing| timing.interval.as_secs());
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
        let more =
            format!("api:\n  image: api:1\n  depends_on: {{ web: {{ condition: {condition} }} }}");
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
    let expected = BTreeMap::from([(ServiceName::parse("db").unwrap(), Condition::ServiceHealthy)]);
    assert_eq!(policy.depends_on, expected);
}
