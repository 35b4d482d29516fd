//! Stories of single tasks: health, traffic, leaving, crashing.

use crate::support::{Behaviour, GOOD, World, ms, name, only, policy, timing};
use cais_engine::event::{Action, Event, ExitStatus, ProbeKind, TaskId};
use cais_engine::notice::{NoticeKind, RolloutState, TaskHealth, TaskPhase};
use cais_engine::policy::Policy;
use cais_engine::state::{traffic, views};
use cais_model::stack::{ProbeTiming, Restart};

fn deployed(desired: u32, policy: Policy) -> World {
    let mut world = World::default();
    world.web(1, desired, policy);
    world.until("it is up", 60_000, |world| {
        world.rollout("web") == RolloutState::Completed
    });
    world
}

fn health(world: &World, task: TaskId) -> TaskHealth {
    world
        .view("web")
        .tasks
        .iter()
        .find(|view| view.task == task)
        .unwrap()
        .health
}

fn probes(world: &World, kind: ProbeKind) -> Vec<u64> {
    let asked = |(at, action): &(u64, Action)| {
        matches!(action, Action::Probe { kind: of, .. } if *of == kind).then_some(*at)
    };
    world.actions.iter().filter_map(asked).collect()
}

#[test]
fn failures_in_the_start_period_do_not_count_and_a_pass_counts_at_once() {
    let mut world = World::default();
    world.behave(
        "web",
        1,
        Behaviour {
            alive_ms: Some(2_500),
            ready_ms: Some(0),
            ..GOOD
        },
    );
    world.web(1, 1, policy());
    let took = world.until("it is healthy", 5_000, |world| {
        world.running("web").len() == 1
    });
    assert!((2_500..2_800).contains(&took), "{took} ms");
    assert_eq!(world.started("web"), 1);
}

#[test]
fn the_start_is_probed_more_often_than_the_rest() {
    let mut world = deployed(1, policy());
    world.run(10_000);
    let asked = probes(&world, ProbeKind::Liveness);
    let pauses: Vec<u64> = asked.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(asked[0], 1_000 + 20 + 100, "first after `start_interval`");
    assert_eq!(pauses[0], 105, "`start_interval` until the first pass");
    assert!(
        pauses[2..].iter().all(|pause| *pause == 1_005),
        "`interval` after it: {pauses:?}"
    );
}

#[test]
fn without_a_start_period_nothing_counts_before_one_interval() {
    let slow = ProbeTiming {
        interval: ms(5_000),
        start_period: ms(0),
        ..timing(1)
    };
    let mut world = World::default();
    world.behave(
        "web",
        1,
        Behaviour {
            alive_ms: Some(4_900),
            ready_ms: Some(0),
            ..GOOD
        },
    );
    world.web(
        1,
        1,
        Policy {
            liveness: Some(slow),
            ..policy()
        },
    );
    world.run(5_500);
    assert_eq!(
        (world.started("web"), world.running("web").len()),
        (1, 1),
        "{}",
        world.story()
    );
}

#[test]
fn retries_failures_in_a_row_replace_a_task_and_fewer_do_not() {
    let mut world = deployed(1, policy());
    let (task, _) = world.running("web")[0];
    // Two failures, a pass, two failures: never three in a row.
    for _ in 0..2 {
        world.processes.get_mut(&task).unwrap().sick = true;
        world.run(2_000);
        world.processes.get_mut(&task).unwrap().sick = false;
        world.run(1_500);
    }
    assert_eq!(health(&world, task), TaskHealth::Healthy);
    world.processes.get_mut(&task).unwrap().sick = true;
    let took = world.until("it is unhealthy", 9_000, |world| {
        health(world, task) == TaskHealth::Unhealthy
    });
    assert!((2_000..3_100).contains(&took), "{took} ms");
    let reason = "health check failed 3 times in a row: GET /healthz answered 500";
    assert_eq!(world.said_of(task).last().unwrap(), reason);
    world.until("another takes over", 3_000, |world| {
        !world.running("web").iter().any(|(id, _)| *id == task)
    });
    assert_eq!(world.serving("web").len(), 1);
    assert!(
        world
            .said_of(task)
            .contains(&format!("unhealthy: {reason}")),
        "{:?}",
        world.said_of(task)
    );
}

#[test]
fn the_last_task_serves_on_while_it_is_unhealthy() {
    let mut world = deployed(1, policy());
    let (task, _) = world.running("web")[0];
    world.behave(
        "web",
        1,
        Behaviour {
            starts_ms: 5_000,
            ..GOOD
        },
    );
    world.processes.get_mut(&task).unwrap().sick = true;
    for _ in 0..1_200 {
        world.run(10);
        assert!(!world.serving("web").is_empty(), "{}", world.story());
    }
    assert!(!world.serving("web").contains(&task));
}

#[test]
fn an_unhealthy_task_that_recovers_before_it_is_replaced_stays() {
    let mut world = deployed(1, policy());
    let (task, _) = world.running("web")[0];
    world.behave(
        "web",
        1,
        Behaviour {
            starts_ms: 60_000,
            ..GOOD
        },
    );
    world.processes.get_mut(&task).unwrap().sick = true;
    world.until("it is unhealthy", 9_000, |world| {
        health(world, task) == TaskHealth::Unhealthy
    });
    world.processes.get_mut(&task).unwrap().sick = false;
    world.run(5_000);
    assert_eq!(world.serving("web"), [task]);
    assert_eq!(
        world
            .view("web")
            .tasks
            .iter()
            .filter(|view| view.phase < TaskPhase::Draining)
            .count(),
        1
    );
}

#[test]
fn not_ready_takes_no_traffic_restarts_nothing_and_recovers() {
    let mut world = deployed(2, policy());
    world
        .processes
        .values_mut()
        .for_each(|process| process.unready = true);
    world.until("none serves", 3_000, |world| {
        world.serving("web").is_empty()
    });
    assert_eq!(
        traffic(&world.state)["web"],
        [],
        "the service is known and has nobody to serve"
    );
    world.run(120_000);
    assert_eq!(world.started("web"), 2);
    assert!(
        world
            .view("web")
            .tasks
            .iter()
            .all(|task| task.health == TaskHealth::NotReady)
    );
    assert!(
        world.view("web").tasks[0]
            .reason
            .as_deref()
            .unwrap()
            .contains("GET /readyz answered 503")
    );
    world
        .processes
        .values_mut()
        .for_each(|process| process.unready = false);
    world.until("both serve again", 3_000, |world| {
        world.serving("web").len() == 2
    });
}

#[test]
fn one_task_not_ready_leaves_the_others_serving() {
    let mut world = deployed(3, policy());
    let (task, _) = world.running("web")[1];
    world.processes.get_mut(&task).unwrap().unready = true;
    world.until("two serve", 3_000, |world| world.serving("web").len() == 2);
    assert!(!world.serving("web").contains(&task));
}

#[test]
fn a_probe_that_is_never_answered_has_failed() {
    let mut world = deployed(
        1,
        Policy {
            readiness: None,
            routed: false,
            ..policy()
        },
    );
    let (task, _) = world.running("web")[0];
    world.lose = Some(ProbeKind::Liveness);
    world.until("it is unhealthy", 20_000, |world| {
        health(world, task) == TaskHealth::Unhealthy
    });
    assert_eq!(
        world.said_of(task).last().unwrap(),
        "health check failed 3 times in a row: no answer within 1000 ms"
    );
    let asked = probes(&world, ProbeKind::Liveness);
    let silent = &asked[asked.len() - 3..];
    assert_eq!(
        silent[1] - silent[0],
        3_000,
        "timeout, slack, interval: {silent:?}"
    );
}

#[test]
fn without_any_check_a_task_is_healthy_after_it_has_settled() {
    let mut world = World::default();
    world.web(
        1,
        1,
        Policy {
            liveness: None,
            readiness: None,
            routed: false,
            ..policy()
        },
    );
    let took = world.until("it runs", 5_000, |world| world.running("web").len() == 1);
    assert!((2_020..2_040).contains(&took), "{took} ms");
    assert!(
        !traffic(&world.state).contains_key("web"),
        "what is not routed is not the gateway's"
    );
}

#[test]
fn a_task_leaves_in_order() {
    let mut world = deployed(1, policy());
    let (task, _) = world.running("web")[0];
    world.feed(Event::Stop {
        services: only("web"),
    });
    assert_eq!(world.view("web").tasks[0].phase, TaskPhase::Draining);
    assert_eq!(world.serving("web"), []);
    world.run(5_000);
    let [
        _,
        (unroute_at, Action::Unroute { .. }),
        (stop_at, Action::StopTask { .. }),
    ] = &world.done_to(task)[..]
    else {
        panic!("{:?}", world.done_to(task))
    };
    assert_eq!(stop_at - unroute_at, 60, "as soon as it is drained");
    assert_eq!(world.view("web").tasks[0].exit, Some(ExitStatus::Code(0)));
}

#[test]
fn a_task_that_took_no_traffic_is_stopped_at_once() {
    for (routed, ready_ms) in [(false, Some(0)), (true, None)] {
        let mut world = World::default();
        world.behave("web", 1, Behaviour { ready_ms, ..GOOD });
        world.web(1, 1, Policy { routed, ..policy() });
        world.run(500);
        let task = world.view("web").tasks[0].task;
        world.feed(Event::Stop {
            services: only("web"),
        });
        assert_eq!(world.view("web").tasks[0].phase, TaskPhase::Stopping);
        assert!(
            !world
                .done_to(task)
                .iter()
                .any(|(_, action)| matches!(action, Action::Unroute { .. }))
        );
    }
}

#[test]
fn what_never_drains_is_stopped_after_the_deregistration_delay() {
    for (gateway, says) in [
        (true, "still has requests after 30 s of draining"),
        (false, "the gateway has not answered for 30 s"),
    ] {
        let mut world = World::default();
        world.behave(
            "web",
            1,
            Behaviour {
                drains_ms: None,
                ..GOOD
            },
        );
        world.web(1, 1, policy());
        world.run(2_000);
        world.gateway = gateway;
        let task = world.view("web").tasks[0].task;
        world.feed(Event::Stop {
            services: only("web"),
        });
        world.run(40_000);
        let done = world.done_to(task);
        assert_eq!(done[2].0 - done[1].0, 30_000, "{done:?}");
        assert!(
            world.said_of(task).iter().any(|reason| reason == says),
            "{:?}",
            world.said_of(task)
        );
    }
}

#[test]
fn what_does_not_stop_is_killed_and_killed_again() {
    let mut world = World::default();
    world.behave(
        "web",
        1,
        Behaviour {
            stops_ms: None,
            ..GOOD
        },
    );
    world.web(
        1,
        1,
        Policy {
            routed: false,
            ..policy()
        },
    );
    world.run(2_000);
    let task = world.view("web").tasks[0].task;
    world.ignore_kills = true;
    world.feed(Event::Stop {
        services: only("web"),
    });
    world.run(45_000);
    let done: Vec<u64> = world.done_to(task).iter().map(|(at, _)| *at).collect();
    assert_eq!(
        [done[2] - done[1], done[3] - done[2], done[4] - done[3]],
        [20_000, 10_000, 10_000]
    );
    world.ignore_kills = false;
    world.until("it is gone", 11_000, |world| {
        world.tasks("web", TaskPhase::Stopped).len() == 1
    });
}

#[test]
fn a_crash_is_made_good_at_once_the_first_time() {
    let mut world = deployed(3, policy());
    world.run(20_000);
    let now = world.now;
    for (task, _) in world.running("web") {
        world.crash(task, ExitStatus::Signal(9));
    }
    world.run(100);
    assert_eq!(
        world.starts("web")[3..],
        [now, now, now],
        "each place on its own account"
    );
    world.until("all are back", 2_000, |world| {
        world.serving("web").len() == 3
    });
}

#[test]
fn a_crash_loop_backs_off_twice_as_long_each_time() {
    let mut world = deployed(1, policy());
    world.run(20_000);
    world.behave(
        "web",
        1,
        Behaviour {
            exits: Some((10, ExitStatus::Code(1))),
            ..GOOD
        },
    );
    let (task, _) = world.running("web")[0];
    world.crash(task, ExitStatus::Code(1));
    world.run(40_000_000);
    let starts = &world.starts("web")[1..];
    // From one end to the next start: each task lives for 20 + 10 ms.
    let pauses: Vec<u64> = starts
        .windows(2)
        .map(|pair| pair[1] - pair[0] - 30)
        .collect();
    for (nth, pause) in pauses.iter().enumerate() {
        let base = (1_000_u64 << nth.min(20)).min(27 * 60 * 1_000);
        assert!(
            (base * 8 / 10..=base * 12 / 10).contains(pause),
            "{nth}: {pause} of {base}: {pauses:?}"
        );
    }
    assert!(pauses.len() > 15);
    assert!(
        pauses
            .windows(2)
            .any(|pair| pair[0] / 1_000 * 2 != pair[1] / 1_000),
        "there is jitter: {pauses:?}"
    );
    let throttled = world
        .notices
        .iter()
        .filter(|(_, notice)| matches!(notice.kind, NoticeKind::Throttled { .. }));
    assert!(throttled.count() > 15);
}

#[test]
fn ten_healthy_seconds_begin_a_new_row_of_failures() {
    for (lives_ms, restarted_at_once) in [(9_900, false), (10_400, true)] {
        let mut world = deployed(1, policy());
        world.behave(
            "web",
            1,
            Behaviour {
                exits: Some((lives_ms, ExitStatus::Code(1))),
                ..GOOD
            },
        );
        let (task, _) = world.running("web")[0];
        world.crash(task, ExitStatus::Code(1));
        world.run(40_000);
        let starts = &world.starts("web")[1..];
        let at_once = starts
            .windows(2)
            .all(|pair| pair[1] - pair[0] == 20 + lives_ms);
        assert_eq!(at_once, restarted_at_once, "{starts:?}");
    }
}

#[test]
fn a_new_revision_ends_the_waiting() {
    let mut world = deployed(1, policy());
    world.behave(
        "web",
        1,
        Behaviour {
            failing_starts: 9,
            ..GOOD
        },
    );
    let (task, _) = world.running("web")[0];
    world.crash(task, ExitStatus::Code(1));
    world.run(60_000);
    world.web(2, 1, policy());
    let took = world.until("it is up", 5_000, |world| world.running("web").len() == 1);
    assert!(took < 1_000, "{took} ms");
}

#[test]
fn crashes_while_a_release_waits_back_off_too() {
    let mut world = deployed(1, policy());
    world.apply([("db", crate::support::submission(1, 1, policy()))]);
    world.feed(Event::Stop {
        services: only("db"),
    });
    world.run(1_000);
    world.web(
        2,
        1,
        crate::support::after("db", cais_model::stack::Condition::ServiceHealthy),
    );
    assert_eq!(world.rollout("web"), RolloutState::Pending);
    world.behave(
        "web",
        1,
        Behaviour {
            exits: Some((10, ExitStatus::Code(1))),
            ..GOOD
        },
    );
    let (task, _) = world.running("web")[0];
    world.crash(task, ExitStatus::Code(1));
    world.run(60_000);
    assert!(
        (3..10).contains(&world.started("web")),
        "{:?}",
        world.starts("web")
    );
}

#[test]
fn a_start_that_is_not_answered_is_asked_for_again() {
    let mut world = World::default();
    world.fault = Some(crate::support::Fault::Lost);
    world.web(1, 1, policy());
    world.until("it is up", 40_000, |world| {
        world.rollout("web") == RolloutState::Completed
    });
    assert_eq!(world.processes.len(), 1);
    let done = world.done_to(TaskId(1));
    assert_eq!(done[1].0 - done[0].0, 30_000);
}

#[test]
fn a_start_revoked_before_it_was_answered_ends_either_way() {
    for failing_starts in [0, 1] {
        let mut world = World::default();
        world.behave(
            "web",
            1,
            Behaviour {
                failing_starts,
                starts_ms: 100,
                ..GOOD
            },
        );
        world.web(1, 1, policy());
        world.feed(Event::Stop {
            services: only("web"),
        });
        world.run(1_000);
        assert_eq!(world.tasks("web", TaskPhase::Stopped).len(), 1);
        assert!(
            matches!(world.notices.last().unwrap().1.kind, NoticeKind::Stopped),
            "{}",
            world.story()
        );
    }
}

#[test]
fn restart_policies_decide_what_follows_an_end() {
    let on_failure = |max_attempts| Restart::OnFailure { max_attempts };
    // restart, exit code, starts within a minute of crash loops
    let cases = [
        (Restart::Unset, 0, 2..20),
        (Restart::Unset, 1, 2..20),
        (Restart::Always, 0, 2..20),
        (Restart::UnlessStopped, 1, 2..20),
        (on_failure(None), 0, 1..2),
        (on_failure(None), 1, 2..20),
        (on_failure(Some(2)), 1, 3..4),
        (on_failure(Some(0)), 1, 1..2),
        (Restart::No, 0, 1..2),
        (Restart::No, 1, 1..2),
    ];
    for (restart, code, expected) in cases {
        let mut world = World::default();
        world.behave(
            "web",
            1,
            Behaviour {
                exits: Some((30, ExitStatus::Code(code))),
                ..GOOD
            },
        );
        world.web(
            1,
            1,
            Policy {
                restart,
                breaker: None,
                one_shot: restart == Restart::No,
                ..policy()
            },
        );
        world.run(60_000);
        assert!(
            expected.contains(&world.started("web")),
            "{restart:?} and {code}: {}",
            world.started("web")
        );
        let ends_for_good = expected.end - expected.start == 1;
        assert_eq!(
            world.view("web").completed.is_some(),
            ends_for_good,
            "{restart:?} and {code}"
        );
        let state = world.rollout("web");
        match (ends_for_good, code) {
            (true, 0) => assert_eq!(state, RolloutState::Completed),
            (true, _) => assert_eq!(state, RolloutState::Failed),
            (false, _) => assert_eq!(state, RolloutState::InProgress),
        }
    }
}

#[test]
fn only_the_newest_tasks_that_are_over_are_remembered() {
    let mut world = deployed(1, policy());
    for _ in 0..6 {
        world.run(20_000);
        let (task, _) = world.running("web")[0];
        world.crash(task, ExitStatus::Code(7));
    }
    world.run(2_000);
    assert_eq!(
        world.tasks("web", TaskPhase::Stopped),
        [TaskId(4), TaskId(5), TaskId(6)]
    );
    assert_eq!(world.view("web").tasks[0].exit, Some(ExitStatus::Code(7)));
    let forgotten = world
        .actions
        .iter()
        .filter(|(_, action)| matches!(action, Action::ForgetTask { .. }));
    assert_eq!(forgotten.count(), 3);
}

#[test]
fn a_recovered_engine_asks_again_for_what_it_still_wants() {
    let mut world = World::default();
    world.behave(
        "web",
        1,
        Behaviour {
            stops_ms: Some(5_000),
            drains_ms: Some(5_000),
            ..GOOD
        },
    );
    world.web(1, 4, policy());
    world.run(2_000);
    let tasks = world.running("web");
    world.feed(Event::Scale {
        service: name("web"),
        desired: 2,
    });
    world.run(5_500);
    world.crash(tasks[0].0, ExitStatus::Code(1));
    world.feed(Event::Scale {
        service: name("web"),
        desired: 1,
    });
    world.run(1);
    world.feed(Event::Scale {
        service: name("web"),
        desired: 2,
    });
    let phases: Vec<TaskPhase> = views(&world.state)[0]
        .tasks
        .iter()
        .map(|task| task.phase)
        .collect();
    assert!(
        phases.contains(&TaskPhase::Pending) && phases.contains(&TaskPhase::Stopping),
        "{phases:?}"
    );
    let before = world.actions.len();
    world.feed(Event::Recovered);
    let again: Vec<&Action> = world.actions[before..]
        .iter()
        .map(|(_, action)| action)
        .collect();
    for view in &views(&world.state)[0].tasks {
        let wanted = match view.phase {
            TaskPhase::Pending => again
                .iter()
                .any(|a| matches!(a, Action::StartTask { task, .. } if *task == view.task)),
            TaskPhase::Draining => again.contains(&&Action::Unroute { task: view.task }),
            TaskPhase::Stopping => again.contains(&&Action::StopTask { task: view.task }),
            TaskPhase::Activating | TaskPhase::Running | TaskPhase::Stopped => true,
        };
        assert!(wanted, "{view:?}: {again:?}");
    }
}

#[test]
fn reports_about_nothing_change_nothing() {
    let mut world = deployed(1, policy());
    let before = world.state.clone();
    let task = TaskId(99);
    for event in [
        Event::Started { task },
        Event::StartFailed {
            task,
            reason: "no".to_owned(),
        },
        Event::Exited {
            task,
            status: ExitStatus::Code(0),
        },
        Event::Unrouted { task },
        Event::Drained { task },
        Event::Probed {
            task,
            kind: ProbeKind::Liveness,
            outcome: Ok(()),
        },
        Event::Scale {
            service: name("nobody"),
            desired: 3,
        },
        Event::Stop {
            services: only("nobody"),
        },
        Event::Cancel {
            services: only("nobody"),
        },
    ] {
        let acted = world.actions.len();
        world.feed(event);
        assert_eq!(world.actions.len(), acted);
    }
    // Of a running task, too: it is not draining.
    let (task, _) = world.running("web")[0];
    world.feed(Event::Unrouted { task });
    world.feed(Event::Drained { task });
    world.feed(Event::Started { task });
    world.feed(Event::StartFailed {
        task,
        reason: "late".to_owned(),
    });
    assert_eq!(views(&world.state), views(&before));
}

#[test]
fn a_changed_health_check_reaches_running_tasks_without_a_rollout() {
    let mut world = deployed(
        1,
        Policy {
            liveness: None,
            ..policy()
        },
    );
    let (task, _) = world.running("web")[0];
    let rollouts = world.rollout_states("web").len();
    world.web(1, 1, policy());
    world.run(5_000);
    assert_eq!(
        (world.running("web"), world.rollout_states("web").len()),
        (vec![(task, 1)], rollouts)
    );
    assert!(probes(&world, ProbeKind::Liveness).len() > 3);
    world.processes.get_mut(&task).unwrap().sick = true;
    world.until("it is replaced", 9_000, |world| {
        !world.serving("web").contains(&task)
    });

    let (task, _) = world.running("web")[0];
    world.web(
        1,
        1,
        Policy {
            liveness: None,
            ..policy()
        },
    );
    world.processes.get_mut(&task).unwrap().sick = true;
    world.run(20_000);
    assert_eq!(
        world.serving("web"),
        [task],
        "what is not asked cannot fail"
    );
}

#[test]
fn a_reboot_lengthens_no_wait() {
    let mut world = deployed(1, policy());
    world.run(10_000_000);
    world.behave(
        "web",
        1,
        Behaviour {
            failing_starts: 6,
            ..GOOD
        },
    );
    let (task, _) = world.running("web")[0];
    world.crash(task, ExitStatus::Code(1));
    // 1 + 2 + 4 + 8 s of waiting have passed, 16 s are to come.
    world.until("it waits for the sixth time", 60_000, |world| {
        world.started("web") == 7
    });
    world.run(100);
    world.reboot();
    let waited = world.until("it is tried again", 60_000, |world| {
        world.started("web") == 8
    });
    assert!((1_000..40_000).contains(&waited), "{waited} ms");
}
