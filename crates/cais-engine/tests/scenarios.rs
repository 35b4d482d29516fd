//! Whole stories, told step by step: each test is a claim about what a person sees.

mod support;

use cais_engine::event::{Event, ExitStatus};
use cais_engine::notice::{RolloutState, TaskPhase};
use cais_model::stack::Condition;
use std::collections::BTreeSet;
use support::{GOOD, World, after, name, only, policy, submission};

fn deployed(desired: u32) -> World {
    let mut world = World::default();
    world.web(1, desired, policy());
    world.until("the first deploy completes", 5_000, |world| {
        world.rollout("web") == RolloutState::Completed
    });
    world
}

#[test]
fn a_first_deploy_is_a_rollout_from_nothing() {
    let world = deployed(3);
    assert_eq!(world.running("web").len(), 3, "{}", world.story());
}

#[test]
fn a_rolling_update_replaces_every_task() {
    let mut world = deployed(3);
    world.web(2, 3, policy());
    world.until("the update completes", 5_000, |world| {
        world.rollout("web") == RolloutState::Completed
    });
    world.run(1_000);
    assert!(
        world
            .running("web")
            .iter()
            .all(|(_, revision)| *revision == 2),
        "{}",
        world.story()
    );
    assert_eq!(world.running("web").len(), 3);
}

#[test]
fn dependents_wait_for_their_dependencies() {
    let mut world = World::default();
    world.apply([
        ("db", submission(1, 1, policy())),
        (
            "web",
            submission(1, 1, after("db", Condition::ServiceHealthy)),
        ),
    ]);
    assert_eq!(
        world.view("web").waiting.as_deref(),
        Some("db to be healthy")
    );
    world.until("all is up", 5_000, |world| {
        world.rollout("web") == RolloutState::Completed
    });
    world.feed(Event::Down);
    assert!(
        world.tasks("db", TaskPhase::Draining).is_empty(),
        "dependents first"
    );
    world.until("all is gone", 5_000, |world| world.finished == 1);
}

#[test]
fn stop_and_start_keep_the_revision() {
    let mut world = deployed(2);
    world.feed(Event::Stop {
        services: only("web"),
    });
    world.until("it stops", 5_000, |world| world.running("web").is_empty());
    world.run(1_000);
    world.feed(Event::Start {
        services: BTreeSet::new(),
    });
    world.until("it starts", 5_000, |world| world.running("web").len() == 2);
}

#[test]
fn a_crashed_task_is_replaced_at_once() {
    let mut world = deployed(2);
    let (first, _) = world.running("web")[0];
    world.crash(first, ExitStatus::Signal(9));
    let took = world.until("two are running", 2_000, |world| {
        world.running("web").len() == 2 && !world.running("web").iter().any(|(id, _)| *id == first)
    });
    assert!(took < 1_000, "{took} ms");
}

#[test]
fn scale_is_not_a_rollout() {
    let mut world = deployed(1);
    world.feed(Event::Scale {
        service: name("web"),
        desired: 4,
    });
    world.until("four", 2_000, |world| world.running("web").len() == 4);
    world.feed(Event::Scale {
        service: name("web"),
        desired: 0,
    });
    world.until("none", 2_000, |world| world.running("web").is_empty());
    assert_eq!(world.rollout("web"), RolloutState::Completed);
}

#[test]
fn a_bad_release_is_rolled_back() {
    let mut world = deployed(3);
    world.behave(
        "web",
        2,
        support::Behaviour {
            exits: Some((50, ExitStatus::Code(1))),
            ..GOOD
        },
    );
    world.web(2, 3, policy());
    let took = world.until("it is back", 10_000, |world| {
        world.rollout("web") == RolloutState::RollbackSuccessful
    });
    assert!(took < 3_000, "{took} ms");
    assert_eq!(world.view("web").current.unwrap().0, 1);
}
