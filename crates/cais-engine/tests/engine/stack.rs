//! Stories of several services: who waits for whom, who stops first, what a command leaves behind.

use crate::support::{Behaviour, GOOD, World, after, name, only, policy, submission};
use cais_engine::event::{Event, ExitStatus, Submission};
use cais_engine::notice::{NoticeKind, RolloutState, TaskPhase};
use cais_engine::policy::Policy;
use cais_model::stack::{Condition, FailureAction};
use std::collections::{BTreeMap, BTreeSet};

const JOB: Behaviour = Behaviour {
    exits: Some((400, ExitStatus::Code(0))),
    ..GOOD
};
const FAILING_JOB: Behaviour = Behaviour {
    exits: Some((400, ExitStatus::Code(3))),
    ..GOOD
};

fn job() -> Policy {
    Policy {
        one_shot: true,
        routed: false,
        liveness: None,
        readiness: None,
        ..policy()
    }
}

fn all_completed(world: &World) -> bool {
    ["db", "web"]
        .iter()
        .all(|service| world.rollout(service) == RolloutState::Completed)
}

/// `web` depends on `db`.
fn pair(condition: Condition, db: Policy) -> [(&'static str, Submission); 2] {
    [
        ("db", submission(1, 1, db)),
        ("web", submission(1, 2, after("db", condition))),
    ]
}

/// When the first task of a service was asked to start, since the beginning.
fn first_start(world: &World, service: &str) -> Option<u64> {
    world.starts(service).first().map(|at| at - 1_000)
}

#[test]
fn each_condition_is_waited_for() {
    let cases = [
        // condition, what it waits for, when it came true
        (Condition::ServiceStarted, "db to be started", 20),
        (Condition::ServiceHealthy, "db to be healthy", 335),
        (
            Condition::ServiceCompletedSuccessfully,
            "db to complete",
            420,
        ),
    ];
    for (condition, words, at) in cases {
        let mut world = World::default();
        let job_wanted = condition == Condition::ServiceCompletedSuccessfully;
        if job_wanted {
            world.behave("db", 1, JOB);
        }
        world.apply(pair(condition, if job_wanted { job() } else { policy() }));
        assert_eq!(world.view("web").waiting.as_deref(), Some(words));
        assert_eq!(world.rollout("web"), RolloutState::Pending);
        world.until("all is up", 5_000, all_completed);
        assert_eq!(first_start(&world, "web"), Some(at), "{condition:?}");
        assert_eq!(world.view("web").waiting, None);
    }
}

#[test]
fn healthy_means_all_that_are_desired() {
    let mut world = World::default();
    world.behave(
        "db",
        1,
        Behaviour {
            failing_starts: 1,
            ..GOOD
        },
    );
    world.apply([
        ("db", submission(1, 2, policy())),
        (
            "web",
            submission(1, 1, after("db", Condition::ServiceHealthy)),
        ),
    ]);
    world.until("one is healthy", 2_000, |world| {
        world.running("db").len() == 1
    });
    assert_eq!(world.started("web"), 0);
    let both = world.until("both are", 5_000, |world| world.running("db").len() == 2);
    assert!(both < 2_000);
    assert!(world.starts("web").is_empty() || world.running("db").len() == 2);
    world.until("all is up", 5_000, all_completed);
}

#[test]
fn a_dependency_that_fails_for_good_fails_its_dependents() {
    let failing = Behaviour {
        exits: Some((50, ExitStatus::Code(2))),
        ..GOOD
    };
    let cases = [
        (
            Condition::ServiceHealthy,
            policy(),
            failing,
            "`db` failed: 3 tasks failed; the last: task 3 exited with code 2; there is nothing to roll back to",
        ),
        (
            Condition::ServiceCompletedSuccessfully,
            job(),
            FAILING_JOB,
            "`db` failed: exited with code 3",
        ),
    ];
    for (condition, db, behaviour, reason) in cases {
        let mut world = World::default();
        world.behave("db", 1, behaviour);
        world.apply(pair(condition, db));
        world.until("it gives up", 20_000, |world| {
            world.rollout("web") == RolloutState::Failed
        });
        assert_eq!(
            world.view("web").rollout.unwrap().reason,
            format!("{reason}; there is nothing to roll back to")
        );
        assert_eq!(world.started("web"), 0);

        // Mended and asked again, both come up.
        world.behave(
            "db",
            1,
            if condition == Condition::ServiceHealthy {
                GOOD
            } else {
                JOB
            },
        );
        let db = if condition == Condition::ServiceHealthy {
            policy()
        } else {
            job()
        };
        world.apply(pair(condition, db));
        world.until("all is up", 9_000, all_completed);
    }
}

#[test]
fn a_release_whose_dependency_fails_keeps_what_runs() {
    for action in [
        FailureAction::Rollback,
        FailureAction::Pause,
        FailureAction::Continue,
    ] {
        let mut world = World::default();
        world.web(1, 2, policy());
        world.run(2_000);
        world.behave("db", 1, FAILING_JOB);
        let web = Policy {
            failure_action: action,
            ..after("db", Condition::ServiceCompletedSuccessfully)
        };
        world.apply([
            ("db", submission(1, 1, job())),
            ("web", submission(2, 2, web)),
        ]);
        world.run(5_000);
        let expected = if action == FailureAction::Rollback {
            RolloutState::RollbackSuccessful
        } else {
            RolloutState::Failed
        };
        assert_eq!(world.rollout("web"), expected);
        assert_eq!(
            world
                .running("web")
                .iter()
                .map(|(_, revision)| *revision)
                .collect::<Vec<_>>(),
            [1, 1]
        );
        assert_eq!(world.started("web"), 2);
    }
}

#[test]
fn later_tasks_do_not_wait() {
    let mut world = World::default();
    world.apply(pair(Condition::ServiceHealthy, policy()));
    world.until("all is up", 5_000, all_completed);
    world.feed(Event::Stop {
        services: only("db"),
    });
    world.run(1_000);
    let (task, _) = world.running("web")[0];
    world.crash(task, ExitStatus::Code(1));
    world.until("it is replaced", 2_000, |world| {
        world.running("web").len() == 2
    });
}

#[test]
fn a_job_runs_once_and_tells_how_it_ended() {
    for (behaviour, state, status) in [
        (JOB, RolloutState::Completed, ExitStatus::Code(0)),
        (FAILING_JOB, RolloutState::Failed, ExitStatus::Code(3)),
    ] {
        let mut world = World::default();
        world.behave("db", 1, behaviour);
        world.apply([("db", submission(1, 1, job()))]);
        world.run(60_000);
        assert_eq!(world.started("db"), 1);
        assert_eq!(
            (world.rollout("db"), world.view("db").completed),
            (state, Some(status))
        );
        let said = world
            .notices
            .iter()
            .filter(|(_, notice)| notice.kind == NoticeKind::Completed { status });
        assert_eq!(said.count(), 1);
    }
}

#[test]
fn a_job_that_takes_its_time_misses_no_deadline() {
    let mut world = World::default();
    world.behave(
        "db",
        1,
        Behaviour {
            exits: Some((3_600_000, ExitStatus::Code(0))),
            ..GOOD
        },
    );
    world.apply([("db", submission(1, 1, job()))]);
    world.run(3_000_000);
    assert_eq!(world.rollout("db"), RolloutState::InProgress);
    world.run(700_000);
    assert_eq!(world.rollout("db"), RolloutState::Completed);
}

#[test]
fn a_failed_or_cancelled_job_does_not_run_its_predecessor_again() {
    for cancelled in [false, true] {
        let mut world = World::default();
        world.behave("db", 1, JOB);
        world.apply([("db", submission(1, 1, job()))]);
        world.run(1_000);
        world.behave(
            "db",
            2,
            Behaviour {
                stops_ms: Some(10),
                ..FAILING_JOB
            },
        );
        world.apply([("db", submission(2, 1, job()))]);
        if cancelled {
            world.run(100);
            world.feed(Event::Cancel {
                services: BTreeSet::new(),
            });
        }
        world.run(60_000);
        assert_eq!(world.rollout("db"), RolloutState::Failed);
        assert_eq!(world.started("db"), 2);
        assert!(
            world
                .view("db")
                .tasks
                .iter()
                .all(|task| task.phase == TaskPhase::Stopped)
        );
    }
}

#[test]
fn dependents_stop_before_what_they_depend_on() {
    for command in [
        Event::Down,
        Event::Stop {
            services: BTreeSet::new(),
        },
    ] {
        let mut world = World::default();
        world.behave(
            "web",
            1,
            Behaviour {
                drains_ms: Some(3_000),
                ..GOOD
            },
        );
        world.apply(pair(Condition::ServiceHealthy, policy()));
        world.until("all is up", 5_000, all_completed);
        world.feed(command.clone());
        world.run(2_900);
        assert_eq!(world.running("db").len(), 1, "{command:?}");
        assert_eq!(world.tasks("web", TaskPhase::Draining).len(), 2);
        world.run(2_000);
        match command {
            Event::Down => assert_eq!((world.finished, world.find("db")), (1, None)),
            _ => assert!(world.view("db").stopped && world.running("db").is_empty()),
        }
    }
}

#[test]
fn stopping_one_service_leaves_the_others() {
    let mut world = World::default();
    world.apply(pair(Condition::ServiceHealthy, policy()));
    world.until("all is up", 5_000, all_completed);
    world.feed(Event::Stop {
        services: only("db"),
    });
    world.until("it stops", 2_000, |world| world.running("db").is_empty());
    world.run(10_000);
    assert_eq!(world.running("web").len(), 2);
    assert_eq!(world.started("db"), 1, "what is stopped is not replaced");
    assert!(
        world
            .notices
            .iter()
            .any(|(_, notice)| notice.kind == NoticeKind::Stopped)
    );
}

#[test]
fn a_stopped_service_starts_again_at_its_revision_and_behind_its_gates() {
    let mut world = World::default();
    world.apply(pair(Condition::ServiceHealthy, policy()));
    world.until("all is up", 5_000, all_completed);
    world.feed(Event::Stop {
        services: BTreeSet::new(),
    });
    world.run(5_000);
    world.feed(Event::Start {
        services: BTreeSet::new(),
    });
    assert_eq!(
        world.view("web").waiting.as_deref(),
        Some("db to be healthy")
    );
    world.until("all is up", 5_000, all_completed);
    assert_eq!(world.running("web").len(), 2);
    assert!(!world.view("web").stopped);
}

#[test]
fn applying_a_stopped_service_starts_it() {
    let mut world = World::default();
    world.web(1, 1, policy());
    world.run(2_000);
    world.feed(Event::Stop {
        services: BTreeSet::new(),
    });
    world.run(2_000);
    world.web(1, 3, policy());
    world.until("it is up", 5_000, |world| world.running("web").len() == 3);
}

#[test]
fn a_start_that_fails_after_a_stop_has_nothing_to_go_back_to() {
    let mut world = World::default();
    world.web(1, 1, policy());
    world.run(2_000);
    world.feed(Event::Stop {
        services: BTreeSet::new(),
    });
    world.run(2_000);
    world.behave(
        "web",
        1,
        Behaviour {
            failing_starts: 9,
            ..GOOD
        },
    );
    world.feed(Event::Start {
        services: BTreeSet::new(),
    });
    world.until("it fails", 20_000, |world| {
        world.rollout("web") == RolloutState::Failed
    });
}

#[test]
fn what_is_absent_is_removed_when_asked() {
    let mut world = World::default();
    world.apply(pair(Condition::ServiceHealthy, policy()));
    world.until("all is up", 5_000, all_completed);
    let services = BTreeMap::from([(name("db"), submission(1, 1, policy()))]);
    world.feed(Event::Apply {
        services: services.clone(),
        remove_absent: false,
    });
    world.run(2_000);
    assert_eq!(world.running("web").len(), 2);
    world.feed(Event::Apply {
        services,
        remove_absent: true,
    });
    world.until("it is gone", 2_000, |world| world.find("web").is_none());
    assert_eq!(world.running("db").len(), 1);
    assert!(
        world
            .notices
            .iter()
            .any(|(_, notice)| notice.kind == NoticeKind::Removed)
    );
    assert_eq!(world.finished, 0);
}

#[test]
fn a_service_that_is_wanted_again_while_it_leaves_stays() {
    let mut world = World::default();
    world.behave(
        "web",
        1,
        Behaviour {
            drains_ms: Some(2_000),
            ..GOOD
        },
    );
    world.web(1, 2, policy());
    world.run(2_000);
    world.feed(Event::Down);
    world.run(500);
    world.web(1, 2, policy());
    world.run(10_000);
    assert_eq!(world.running("web").len(), 2);
    assert_eq!(world.finished, 0, "`down` was taken back");
}

#[test]
fn down_of_nothing_is_answered() {
    let mut world = World::default();
    world.feed(Event::Down);
    assert_eq!(world.finished, 1);
    world.feed(Event::Recovered);
    assert_eq!(
        world.finished, 2,
        "the answer may have been lost with the supervisor"
    );
}

#[test]
fn a_circle_of_dependencies_can_be_stopped() {
    let mut world = World::default();
    world.apply([
        ("a", submission(1, 1, policy())),
        ("b", submission(1, 1, after("a", Condition::ServiceStarted))),
    ]);
    world.run(3_000);
    world.apply([("a", submission(2, 1, after("b", Condition::ServiceStarted)))]);
    world.run(3_000);
    world.feed(Event::Down);
    world.until("all is gone", 5_000, |world| world.finished == 1);
}

#[test]
fn a_dependency_that_is_not_there_is_named() {
    let mut world = World::default();
    world.apply([(
        "web",
        submission(1, 1, after("db", Condition::ServiceStarted)),
    )]);
    assert_eq!(world.rollout("web"), RolloutState::Failed);
    let reason = world.view("web").rollout.unwrap().reason;
    assert_eq!(
        reason,
        "`db` is not part of the stack; there is nothing to roll back to"
    );
}

#[test]
fn what_is_scaled_to_nothing_is_waited_for_by_nobody() {
    for condition in [
        Condition::ServiceStarted,
        Condition::ServiceHealthy,
        Condition::ServiceCompletedSuccessfully,
    ] {
        let mut world = World::default();
        world.apply([
            ("db", submission(1, 0, job())),
            ("web", submission(1, 1, after("db", condition))),
        ]);
        world.until("all is up", 5_000, all_completed);
        assert_eq!(world.running("web").len(), 1, "{condition:?}");
    }
}

#[test]
fn a_finished_job_still_stands_between_its_neighbours() {
    let mut world = World::default();
    world.behave("migrate", 1, JOB);
    world.behave(
        "web",
        1,
        Behaviour {
            drains_ms: Some(3_000),
            ..GOOD
        },
    );
    let migrate = Policy {
        depends_on: after("db", Condition::ServiceHealthy).depends_on,
        ..job()
    };
    world.apply([
        ("db", submission(1, 1, policy())),
        ("migrate", submission(1, 1, migrate)),
        (
            "web",
            submission(
                1,
                1,
                after("migrate", Condition::ServiceCompletedSuccessfully),
            ),
        ),
    ]);
    world.until("all is up", 5_000, all_completed);
    world.feed(Event::Down);
    world.run(2_900);
    assert_eq!(world.running("db").len(), 1, "{}", world.story());
    world.until("all is gone", 5_000, |world| world.finished == 1);
}
