//! Stories of rollouts: each test is a claim about what a person sees.

use crate::support::{Behaviour, GOOD, World, ms, name, only, percent, policy, submission};
use cais_engine::event::{Event, ExitStatus, RevisionNumber};
use cais_engine::notice::{NoticeKind, RolloutState, TaskPhase};
use cais_engine::policy::{Bounds, Policy};
use cais_model::stack::{FailureAction, Threshold};

const EXITS: Behaviour = Behaviour {
    exits: Some((50, ExitStatus::Code(1))),
    ..GOOD
};
const NEVER_READY: Behaviour = Behaviour {
    ready_ms: None,
    ..GOOD
};
const SICK: Behaviour = Behaviour {
    alive_ms: None,
    ..GOOD
};
/// Turns healthy, then dies.
const SHORT_LIVED: Behaviour = Behaviour {
    exits: Some((900, ExitStatus::Code(1))),
    ..GOOD
};

/// Revision 1 of `web` is up.
fn deployed(desired: u32, policy: Policy) -> World {
    let mut world = World::default();
    world.web(1, desired, policy);
    world.until("the first deploy completes", 60_000, |world| {
        world.rollout("web") == RolloutState::Completed
    });
    world
}

/// Revision 2 of `web` behaves like this; what becomes of its rollout.
fn released(
    world: &mut World,
    behaviour: Behaviour,
    desired: u32,
    policy: Policy,
    ends: RolloutState,
) -> u64 {
    world.behave("web", 2, behaviour);
    world.web(2, desired, policy);
    world.until(&format!("the rollout is {ends:?}"), 700_000, |world| {
        world.rollout("web") == ends
    })
}

fn revisions(world: &World) -> Vec<u32> {
    world
        .running("web")
        .into_iter()
        .map(|(_, revision)| revision)
        .collect()
}

fn reason(world: &World) -> String {
    world.view("web").rollout.unwrap().reason
}

/// The failures that the breaker had counted whenever the rollout said so.
fn counted(world: &World) -> Vec<u32> {
    let failed = world
        .notices
        .iter()
        .filter_map(|(_, notice)| match &notice.kind {
            NoticeKind::Rollout { failed, .. } => Some(*failed),
            _ => None,
        });
    failed.collect()
}

#[test]
fn a_first_deploy_is_a_rollout_from_nothing() {
    let world = deployed(3, policy());
    assert_eq!(revisions(&world), [1, 1, 1]);
    let view = world.view("web").rollout.unwrap();
    assert_eq!((view.from, view.to), (None, RevisionNumber(1)));
}

#[test]
fn an_update_replaces_every_task_and_keeps_the_number_serving() {
    let mut world = deployed(3, policy());
    let took = released(&mut world, GOOD, 3, policy(), RolloutState::Completed);
    assert!(took < 1_000, "{took} ms");
    world.run(1_000);
    assert_eq!(revisions(&world), [2, 2, 2]);
}

#[test]
fn what_is_already_so_is_left_alone() {
    let mut world = deployed(2, policy());
    let before = world.actions.len();
    world.web(1, 2, policy());
    assert_eq!(
        world.notices.last().unwrap().1.kind,
        NoticeKind::Unchanged {
            revision: RevisionNumber(1)
        }
    );
    assert_eq!(world.actions.len(), before);
}

#[test]
fn force_rolls_the_same_revision() {
    let mut world = deployed(2, policy());
    let before = world.running("web");
    let mut again = submission(1, 2, policy());
    again.force = true;
    world.apply([("web", again)]);
    world.until("it completes", 5_000, |world| {
        world.rollout("web") == RolloutState::Completed
    });
    assert!(
        world
            .running("web")
            .iter()
            .all(|task| !before.contains(task))
    );
}

#[test]
fn a_release_that_exits_is_rolled_back_and_says_why() {
    let mut world = deployed(3, policy());
    let took = released(
        &mut world,
        EXITS,
        3,
        policy(),
        RolloutState::RollbackSuccessful,
    );
    assert!(took < 3_000, "{took} ms");
    assert_eq!(revisions(&world), [1, 1, 1]);
    assert_eq!(
        reason(&world),
        "3 tasks failed; the last: task 6 exited with code 1; back at revision 1"
    );
    let view = world.view("web");
    assert_eq!(
        (view.current, view.target),
        (Some(RevisionNumber(1)), RevisionNumber(1))
    );
}

#[test]
fn a_release_that_is_never_healthy_is_rolled_back_within_ten_seconds() {
    let mut world = deployed(3, policy());
    let took = released(
        &mut world,
        SICK,
        3,
        policy(),
        RolloutState::RollbackSuccessful,
    );
    assert!(took < 10_000, "{took} ms");
    assert!(
        reason(&world).contains("health check failed 3 times in a row: GET /healthz answered 500"),
        "{}",
        reason(&world)
    );
}

#[test]
fn a_release_that_cannot_start_is_rolled_back() {
    let mut world = deployed(1, policy());
    released(
        &mut world,
        Behaviour {
            failing_starts: 9,
            ..GOOD
        },
        1,
        policy(),
        RolloutState::RollbackSuccessful,
    );
    assert!(
        reason(&world).contains("could not be started: no such program"),
        "{}",
        reason(&world)
    );
}

#[test]
fn the_breaker_trips_at_its_threshold_and_not_before() {
    for threshold in 1..=4 {
        let policy = Policy {
            breaker: Some(Threshold::Count(threshold)),
            ..policy()
        };
        let mut world = deployed(1, policy.clone());
        released(
            &mut world,
            EXITS,
            1,
            policy,
            RolloutState::RollbackSuccessful,
        );
        let ended = world
            .processes
            .values()
            .filter(|process| process.revision == RevisionNumber(2));
        let ends = world.notices.iter().filter(|(_, notice)| {
            matches!(
                notice.kind,
                NoticeKind::Task {
                    revision: RevisionNumber(2),
                    phase: TaskPhase::Stopped,
                    ..
                }
            )
        });
        assert_eq!(ends.count(), threshold as usize, "{}", world.story());
        assert!(ended.count() <= threshold as usize);
        assert_eq!(counted(&world).into_iter().max(), Some(threshold - 1));
    }
}

#[test]
fn a_healthy_task_zeroes_the_count_unless_the_file_says_no() {
    for (reset, ends) in [
        (true, RolloutState::Completed),
        (false, RolloutState::RollbackSuccessful),
    ] {
        let bounds = Bounds::StartFirst { parallelism: 1 };
        let policy = Policy {
            bounds,
            reset_on_healthy: reset,
            breaker: Some(Threshold::Count(2)),
            ..policy()
        };
        let mut world = deployed(2, policy.clone());
        // In each of the two batches the first task fails and the second one is good.
        let fails_once = Behaviour {
            failing_starts: 1,
            ..GOOD
        };
        world.behave("web", 2, fails_once);
        world.web(2, 2, policy);
        let activating = |world: &World| !world.tasks("web", TaskPhase::Activating).is_empty();
        world.until("the first batch starts", 2_000, activating);
        world.behave("web", 2, fails_once);
        world.until("it ends", 9_000, |world| world.rollout("web") == ends);
        let failed = counted(&world)
            .into_iter()
            .skip_while(|failed| *failed == 0);
        let mut changes: Vec<u32> = failed.collect();
        changes.dedup();
        assert_eq!(changes, if reset { vec![1, 0, 1, 0] } else { vec![1, 0] });
    }
}

#[test]
fn a_first_deploy_that_fails_has_nothing_to_go_back_to() {
    let mut world = World::default();
    world.behave("web", 1, EXITS);
    world.web(1, 2, policy());
    world.until("it fails", 20_000, |world| {
        world.rollout("web") == RolloutState::Failed
    });
    assert!(
        reason(&world).ends_with("; there is nothing to roll back to"),
        "{}",
        reason(&world)
    );
    let started = world.started("web");
    world.run(600_000);
    assert_eq!(world.started("web"), started, "nothing is started any more");
    assert_eq!(world.running("web"), []);

    // Asked again, it is tried again.
    world.behave("web", 1, GOOD);
    world.web(1, 2, policy());
    world.until("it completes", 5_000, |world| {
        world.rollout("web") == RolloutState::Completed
    });
}

#[test]
fn a_failed_first_deploy_keeps_its_healthy_tasks() {
    let mut world = World::default();
    world.behave(
        "web",
        1,
        Behaviour {
            failing_starts: 4,
            ..GOOD
        },
    );
    world.web(
        1,
        2,
        Policy {
            breaker: Some(Threshold::Count(2)),
            reset_on_healthy: false,
            ..policy()
        },
    );
    world.run(50);
    assert_eq!(
        world.rollout("web"),
        RolloutState::Failed,
        "{}",
        world.story()
    );

    let mut world = World::default();
    world.web(
        1,
        2,
        Policy {
            breaker: Some(Threshold::Count(2)),
            ..policy()
        },
    );
    world.until("both run", 5_000, |world| {
        world
            .view("web")
            .tasks
            .iter()
            .all(|task| task.phase > TaskPhase::Pending)
    });
    let second = world.view("web").tasks[1].task;
    world.processes.get_mut(&second).unwrap().sick = true;
    world.until("one is healthy", 5_000, |world| {
        world.running("web").len() == 1
    });
    world.feed(Event::Cancel {
        services: only("web"),
    });
    world.run(2_000);
    assert_eq!(world.rollout("web"), RolloutState::Failed);
    assert_eq!(world.running("web").len(), 1, "{}", world.story());
    assert!(!world.running("web").iter().any(|(task, _)| *task == second));
}

#[test]
fn pause_leaves_everything_to_a_person() {
    let policy = Policy {
        failure_action: FailureAction::Pause,
        ..policy()
    };
    let mut world = deployed(2, policy.clone());
    released(&mut world, SICK, 2, policy, RolloutState::Failed);
    let started = world.started("web");
    world.run(100_000);
    assert_eq!(revisions(&world), [1, 1]);
    assert_eq!(world.rollout("web"), RolloutState::Failed);
    assert_eq!(world.started("web"), started, "no more starts");

    // What was healthy is kept: a crash is made good from the last completed revision.
    let (task, _) = world.running("web")[0];
    world.crash(task, ExitStatus::Signal(9));
    world.run(2_000);
    assert_eq!(revisions(&world), [1, 1]);
}

#[test]
fn continue_goes_on_trying() {
    let policy = Policy {
        failure_action: FailureAction::Continue,
        breaker: None,
        progress_deadline: ms(20_000),
        ..policy()
    };
    let mut world = deployed(1, policy.clone());
    released(&mut world, EXITS, 1, policy, RolloutState::Failed);
    assert_eq!(
        reason(&world),
        "no new healthy task for 20 s; goes on trying"
    );
    assert_eq!(revisions(&world), [1]);
    world.behave("web", 2, GOOD);
    world.until("it completes after all", 120_000, |world| {
        world.rollout("web") == RolloutState::Completed
    });
    assert_eq!(revisions(&world), [2]);
}

#[test]
fn a_rollback_is_never_rolled_back() {
    let mut world = deployed(2, policy());
    // Stop-first in effect: the way back needs new tasks of revision 1, and they fail.
    let policy = Policy {
        bounds: percent(0, 100),
        ..policy()
    };
    world.behave("web", 1, EXITS);
    world.behave("web", 2, EXITS);
    world.web(2, 2, policy);
    world.until("a person is needed", 100_000, |world| {
        world.rollout("web") == RolloutState::RollbackFailed
    });
    assert!(
        reason(&world).contains("; the way back failed too: 3 tasks failed"),
        "{}",
        reason(&world)
    );
    let back = world
        .rollout_states("web")
        .into_iter()
        .filter(|state| *state == RolloutState::RollbackInProgress);
    assert_eq!(back.count(), 1);
    let started = world.started("web");
    world.run(600_000);
    assert_eq!(world.started("web"), started, "nothing is started any more");
}

#[test]
fn a_release_that_dies_within_monitor_never_replaces_the_old_one() {
    let policy = Policy {
        monitor: ms(2_000),
        ..policy()
    };
    let mut world = deployed(1, policy.clone());
    let old = world.running("web")[0];
    released(
        &mut world,
        SHORT_LIVED,
        1,
        policy,
        RolloutState::RollbackSuccessful,
    );
    assert_eq!(world.running("web"), [old]);
    assert_eq!(
        world
            .rollout_states("web")
            .iter()
            .filter(|state| **state == RolloutState::RollbackInProgress)
            .count(),
        1
    );
}

#[test]
fn a_healthy_task_under_observation_takes_traffic_at_once() {
    let policy = Policy {
        monitor: ms(5_000),
        ..policy()
    };
    let mut world = deployed(1, policy.clone());
    world.web(2, 1, policy);
    world.until("both serve", 2_000, |world| world.serving("web").len() == 2);
    world.run(4_000);
    assert_eq!(
        world.serving("web").len(),
        2,
        "the old one stays until the new one is proven"
    );
    world.until("the old one leaves", 2_000, |world| {
        world.serving("web").len() == 1
    });
}

#[test]
fn observation_is_baking() {
    let mut world = World::default();
    world.web(
        1,
        2,
        Policy {
            monitor: ms(5_000),
            ..policy()
        },
    );
    world.until("all are healthy", 2_000, |world| {
        world.rollout("web") == RolloutState::Baking
    });
    world.until("observation ends", 6_000, |world| {
        world.rollout("web") == RolloutState::Completed
    });
}

#[test]
fn a_rollout_without_progress_fails_at_its_deadline() {
    let policy = Policy {
        progress_deadline: ms(60_000),
        ..policy()
    };
    let mut world = deployed(1, policy.clone());
    let took = released(
        &mut world,
        NEVER_READY,
        1,
        policy,
        RolloutState::RollbackSuccessful,
    );
    assert!((60_000..61_000).contains(&took), "{took} ms");
    assert_eq!(
        reason(&world),
        "no new healthy task for 60 s; back at revision 1"
    );
    assert_eq!(revisions(&world), [1]);
}

#[test]
fn each_new_healthy_task_extends_the_deadline() {
    let policy = Policy {
        bounds: Bounds::StartFirst { parallelism: 1 },
        progress_deadline: ms(2_000),
        ..policy()
    };
    let mut world = deployed(4, policy.clone());
    let slow = Behaviour {
        starts_ms: 1_200,
        ..GOOD
    };
    let took = released(&mut world, slow, 4, policy, RolloutState::Completed);
    assert!(took > 4_000, "{took} ms");
}

#[test]
fn a_newer_revision_takes_over() {
    let mut world = deployed(2, policy());
    world.behave("web", 2, NEVER_READY);
    world.web(2, 2, policy());
    world.run(1_000);
    world.web(3, 2, policy());
    assert!(world.rollout_states("web").contains(&RolloutState::Stopped));
    world.until("the newest completes", 5_000, |world| {
        world.rollout("web") == RolloutState::Completed
    });
    world.run(1_000);
    assert_eq!(revisions(&world), [3, 3]);
    assert!(
        world
            .view("web")
            .tasks
            .iter()
            .all(|task| task.phase == TaskPhase::Stopped || task.revision.0 == 3)
    );
}

#[test]
fn asking_for_the_completed_revision_again_returns_to_its_tasks() {
    let mut world = deployed(2, policy());
    let old = world.running("web");
    world.behave("web", 2, NEVER_READY);
    world.web(2, 2, policy());
    world.run(1_000);
    world.web(1, 2, policy());
    world.until("it is back", 5_000, |world| {
        world.rollout("web") == RolloutState::Completed
    });
    assert_eq!(world.running("web"), old);
}

#[test]
fn cancel_rolls_back() {
    let mut world = deployed(2, policy());
    let old = world.running("web");
    world.behave("web", 2, NEVER_READY);
    world.web(2, 2, policy());
    world.run(1_000);
    world.feed(Event::Cancel {
        services: Default::default(),
    });
    world.until("it is back", 2_000, |world| {
        world.rollout("web") == RolloutState::RollbackSuccessful
    });
    assert_eq!(world.running("web"), old);
    assert_eq!(reason(&world), "cancelled; back at revision 1");
    world.feed(Event::Cancel {
        services: Default::default(),
    });
    assert_eq!(world.rollout("web"), RolloutState::RollbackSuccessful);
}

#[test]
fn rollback_by_command_is_a_rollout_like_any_other() {
    let mut world = deployed(2, policy());
    released(&mut world, GOOD, 2, policy(), RolloutState::Completed);
    world.feed(Event::Rollback {
        service: name("web"),
        submission: submission(1, 2, policy()),
    });
    world.until("it completes", 5_000, |world| {
        world.rollout("web") == RolloutState::Completed
    });
    assert_eq!(revisions(&world), [1, 1]);

    world.behave("web", 2, EXITS);
    world.feed(Event::Rollback {
        service: name("web"),
        submission: submission(2, 2, policy()),
    });
    world.until("it goes back", 9_000, |world| {
        world.rollout("web") == RolloutState::RollbackSuccessful
    });
    assert_eq!(revisions(&world), [1, 1]);
}

#[test]
fn restart_replaces_every_task_by_the_same_revision() {
    let mut world = deployed(2, policy());
    let old = world.running("web");
    world.feed(Event::Restart {
        services: only("web"),
    });
    world.until("it completes", 5_000, |world| {
        world.rollout("web") == RolloutState::Completed
    });
    assert_eq!(revisions(&world), [1, 1]);
    assert!(world.running("web").iter().all(|task| !old.contains(task)));
}

#[test]
fn a_restart_that_fails_returns_to_the_old_tasks() {
    let mut world = deployed(2, policy());
    let old = world.running("web");
    world.behave("web", 1, EXITS);
    world.feed(Event::Restart {
        services: only("web"),
    });
    world.until("it is back", 9_000, |world| {
        world.rollout("web") == RolloutState::RollbackSuccessful
    });
    assert_eq!(world.running("web"), old);
}

#[test]
fn scaling_is_not_a_rollout_and_reaches_a_rollout_under_way() {
    let mut world = deployed(1, policy());
    let rollouts = world.rollout_states("web").len();
    world.feed(Event::Scale {
        service: name("web"),
        desired: 4,
    });
    world.until("four", 2_000, |world| world.running("web").len() == 4);
    assert_eq!(world.rollout_states("web").len(), rollouts);

    world.web(2, 4, policy());
    world.run(200);
    world.feed(Event::Scale {
        service: name("web"),
        desired: 2,
    });
    world.until("the update completes", 5_000, |world| {
        world.rollout("web") == RolloutState::Completed
    });
    world.run(500);
    assert_eq!(revisions(&world), [2, 2]);
    world.feed(Event::Scale {
        service: name("web"),
        desired: 0,
    });
    world.until("none", 2_000, |world| world.running("web").is_empty());
    assert_eq!(world.rollout("web"), RolloutState::Completed);
}

#[test]
fn bounds_that_leave_no_room_are_refused_at_once() {
    let policy = Policy {
        bounds: percent(100, 150),
        ..policy()
    };
    let mut world = deployed(1, policy.clone());
    let took = released(
        &mut world,
        GOOD,
        1,
        policy,
        RolloutState::RollbackSuccessful,
    );
    assert!(took < 100);
    assert_eq!(
        reason(&world),
        "the bounds leave no room to replace any of 1 tasks; back at revision 1"
    );
}

#[test]
fn batches_are_as_large_as_parallelism_and_wait_between() {
    let cases = [
        // bounds, desired, most live at once, fewest serving
        (Bounds::StartFirst { parallelism: 1 }, 3, 4, 3),
        (Bounds::StartFirst { parallelism: 2 }, 3, 5, 3),
        (Bounds::StartFirst { parallelism: 0 }, 3, 6, 3),
        (Bounds::StopFirst { parallelism: 1 }, 3, 3, 2),
        (Bounds::StopFirst { parallelism: 2 }, 3, 3, 1),
        (Bounds::StopFirst { parallelism: 0 }, 3, 3, 0),
        (percent(50, 100), 4, 4, 2),
        (percent(100, 125), 4, 5, 4),
        (percent(100, 200), 3, 6, 3),
    ];
    for (bounds, desired, most, fewest) in cases {
        let policy = Policy { bounds, ..policy() };
        let mut world = deployed(desired, policy.clone());
        world.web(2, desired, policy);
        let (mut live, mut serving) = (0, usize::MAX);
        for _ in 0..500 {
            world.run(10);
            let tasks = world.view("web").tasks;
            let lives = |task: &&cais_engine::view::TaskView| task.phase < TaskPhase::Draining;
            live = live.max(tasks.iter().filter(lives).count());
            serving = serving.min(world.serving("web").len());
        }
        assert_eq!(world.rollout("web"), RolloutState::Completed, "{bounds:?}");
        assert_eq!((live, serving), (most, fewest), "{bounds:?} of {desired}");
    }
}

#[test]
fn delay_passes_between_batches_but_not_on_the_way_back() {
    let policy = Policy {
        bounds: Bounds::StartFirst { parallelism: 1 },
        delay: ms(3_000),
        ..policy()
    };
    let mut world = deployed(3, policy.clone());
    let took = released(&mut world, GOOD, 3, policy.clone(), RolloutState::Completed);
    assert!(
        (6_000..8_000).contains(&took),
        "two pauses between three batches: {took} ms"
    );

    world.behave("web", 3, EXITS);
    world.web(3, 3, policy);
    let took = world.until("it is back", 20_000, |world| {
        world.rollout("web") == RolloutState::RollbackSuccessful
    });
    assert!(took < 5_000, "{took} ms");
}

#[test]
fn new_tasks_that_turn_unready_release_no_old_one() {
    let policy = Policy {
        monitor: ms(3_000),
        ..policy()
    };
    let mut world = deployed(2, policy.clone());
    world.web(2, 2, policy);
    world.until("the new ones serve", 3_000, |world| {
        world.serving("web").len() == 4
    });
    for process in world
        .processes
        .values_mut()
        .filter(|process| process.revision == RevisionNumber(2))
    {
        process.unready = true;
    }
    world.run(20_000);
    assert_eq!(revisions(&world), [1, 1, 2, 2], "{}", world.story());
    for process in world.processes.values_mut() {
        process.unready = false;
    }
    world.until("it goes on", 9_000, |world| {
        world.rollout("web") == RolloutState::Completed
    });
}

#[test]
fn a_rollout_is_done_only_when_the_gateway_has_let_go_of_the_old_tasks() {
    let mut world = deployed(1, policy());
    world.gateway = false;
    world.web(2, 1, policy());
    world.run(20_000);
    assert_eq!(world.rollout("web"), RolloutState::InProgress);
    world.until("nobody waits for the gateway for ever", 20_000, |world| {
        world.rollout("web") == RolloutState::Completed
    });
}

#[test]
fn a_long_sleep_fails_no_rollout() {
    let policy = Policy {
        progress_deadline: ms(60_000),
        ..policy()
    };
    let mut world = deployed(1, policy.clone());
    world.behave(
        "web",
        2,
        Behaviour {
            starts_ms: 10_000,
            ..GOOD
        },
    );
    world.web(2, 1, policy);
    world.run(1_000);
    world.now += 3_600_000;
    world.until("it completes", 30_000, |world| {
        world.rollout("web") == RolloutState::Completed
    });
    assert!(
        !world
            .rollout_states("web")
            .contains(&RolloutState::RollbackInProgress)
    );
}

#[test]
fn what_waits_goes_on_waiting_after_a_reboot() {
    let mut world = deployed(2, policy());
    world.run(50_000);
    world.reboot();
    let took = world.until("all are back", 5_000, |world| {
        world.running("web").len() == 2
    });
    assert!(took < 2_000, "{took} ms");
    assert_eq!(world.rollout("web"), RolloutState::Completed);
}

#[test]
fn a_task_that_falls_ill_and_then_ends_has_failed_once() {
    let mut world = World::default();
    world.behave("web", 1, SICK);
    world.web(
        1,
        1,
        Policy {
            breaker: Some(Threshold::Count(2)),
            ..policy()
        },
    );
    world.run(1_000);
    world.behave(
        "web",
        1,
        Behaviour {
            starts_ms: 3_000,
            ..GOOD
        },
    );
    world.until("it is counted", 9_000, |world| counted(world).contains(&1));
    let ill = world.view("web").tasks[0].task;
    world.crash(ill, ExitStatus::Code(1));
    world.until("its successor is up", 9_000, |world| {
        world.rollout("web") == RolloutState::Completed
    });
    assert_eq!(counted(&world).into_iter().max(), Some(1));
}

#[test]
fn a_halted_service_is_scaled_when_it_is_deployed_again() {
    let policy = Policy {
        failure_action: FailureAction::Pause,
        ..policy()
    };
    let mut world = deployed(2, policy.clone());
    released(&mut world, EXITS, 2, policy.clone(), RolloutState::Failed);
    world.feed(Event::Scale {
        service: name("web"),
        desired: 4,
    });
    let NoticeKind::Rollout { reason, .. } = &world.notices.last().unwrap().1.kind else {
        panic!("{}", world.story())
    };
    assert_eq!(
        reason,
        "halted: 4 tasks are wanted when it is deployed again"
    );
    world.run(10_000);
    assert_eq!(revisions(&world), [1, 1]);
    world.feed(Event::Scale {
        service: name("web"),
        desired: 1,
    });
    world.run(2_000);
    assert_eq!(revisions(&world), [1]);
    world.web(1, 3, policy);
    world.until("it is up", 5_000, |world| {
        world.rollout("web") == RolloutState::Completed
    });
    assert_eq!(revisions(&world), [1, 1, 1]);
}

#[test]
fn a_proven_task_that_turns_unready_does_not_count_for_an_old_one() {
    let policy = Policy {
        bounds: Bounds::StartFirst { parallelism: 1 },
        ..policy()
    };
    let mut world = deployed(2, policy.clone());
    world.behave(
        "web",
        2,
        Behaviour {
            starts_ms: 2_000,
            ..GOOD
        },
    );
    world.web(2, 2, policy);
    world.until("the first batch is done", 5_000, |world| {
        revisions(world) == [1, 2]
    });
    let (first, _) = world.running("web")[1];
    world.processes.get_mut(&first).unwrap().unready = true;
    world.until("the second is healthy", 5_000, |world| {
        revisions(world) == [1, 2, 2]
    });
    world.run(5_000);
    assert_eq!(
        (revisions(&world), world.serving("web").len()),
        (vec![1, 2, 2], 2),
        "{}",
        world.story()
    );
    world.processes.get_mut(&first).unwrap().unready = false;
    world.until("it completes", 5_000, |world| {
        world.rollout("web") == RolloutState::Completed
    });
}

#[test]
fn the_deadline_is_kept_to_the_moment() {
    let policy = Policy {
        progress_deadline: ms(45_000),
        ..policy()
    };
    let mut world = deployed(1, policy.clone());
    // Nothing else happens: not even the start is answered.
    let hangs = Behaviour {
        starts_ms: 10_000_000,
        ..GOOD
    };
    let took = released(
        &mut world,
        hangs,
        1,
        policy,
        RolloutState::RollbackSuccessful,
    );
    assert!((45_000..45_100).contains(&took), "{took} ms");
}
