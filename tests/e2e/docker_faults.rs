//! What happens to containers behind our back, and to the supervisor above them: nothing hangs, nothing is told wrong.

use crate::support::containers::{Containers, docker, image};
use crate::support::engine_proxy::EngineProxy;
use crate::support::{Machine, Task, eventually, processes, skip};
use std::collections::BTreeSet;

/// Two tasks that end with code 7 when told to.
const WEB: &str = "services:
  web:
    image: <image>
    deploy: {replicas: 2}
    stop_grace_period: 0s
    volumes: ['./told:/told']
    command: [sh, -c, 'while [ ! -e /told/$$HOSTNAME ]; do sleep 0.1; done; exit 7']
";

fn ids(stack: &Containers, tasks: &[Task]) -> BTreeSet<String> {
    tasks.iter().map(|task| stack.container(task.id)).collect()
}

/// How a task ended, once it has.
fn end(stack: &Containers, id: u64) -> String {
    let mut exit = None;
    eventually("the end of the task is told", || {
        let tasks = stack.tasks();
        let ended = tasks
            .iter()
            .find(|task| task.id == id && task.state == "stopped");
        exit = ended.and_then(|task| task.exit.clone());
        exit.is_some()
    });
    exit.unwrap()
}

#[test]
fn containers_outlive_a_killed_supervisor_and_the_next_adopts_them() {
    let Some(image) = image("containers_outlive_a_killed_supervisor_and_the_next_adopts_them")
    else {
        return;
    };
    let stack = Containers::new(image, WEB);
    stack.cais("up -d --wait").ok();
    let before = ids(&stack, &stack.healthy("web"));
    processes::kill(stack.process("cais supervise").pid);
    let up = stack.cais("up -d --wait").ok();
    assert!(up.stderr.contains("unchanged"), "{up:?}");
    assert_eq!(ids(&stack, &stack.healthy("web")), before);
    stack.cais("scale web=3").ok();
    assert_eq!(stack.healthy("web").len(), 3);
}

#[test]
fn a_container_that_ends_while_nobody_supervises_is_told_with_its_code_and_replaced() {
    let Some(image) =
        image("a_container_that_ends_while_nobody_supervises_is_told_with_its_code_and_replaced")
    else {
        return;
    };
    let stack = Containers::new(image, WEB);
    stack.cais("up -d --wait").ok();
    let victim = stack.healthy("web")[0].id;
    let container = stack.container(victim);
    processes::kill(stack.process("cais supervise").pid);
    stack.write(&format!("told/{}", &container[..12]), "");
    eventually("the container ended", || {
        docker(&["inspect", "-f", "{{.State.Running}}", &container]) == "false"
    });
    stack.cais("up -d --wait").ok();
    assert_eq!(end(&stack, victim), "exit code 7");
    eventually("there are two again", || stack.healthy("web").len() == 2);
}

#[test]
fn a_container_that_is_killed_or_removed_behind_our_back_is_replaced() {
    let Some(image) = image("a_container_that_is_killed_or_removed_behind_our_back_is_replaced")
    else {
        return;
    };
    let stack = Containers::new(image, WEB);
    stack.cais("up -d --wait").ok();
    let tasks = stack.healthy("web");
    docker(&["kill", &stack.container(tasks[0].id)]);
    assert_eq!(end(&stack, tasks[0].id), "signal 9");
    docker(&["rm", "-f", &stack.container(tasks[1].id)]);
    assert_eq!(end(&stack, tasks[1].id), "signal 9");
    eventually("there are two again", || stack.healthy("web").len() == 2);
    // And while nobody supervises: what became of it cannot be known, and is told so.
    let victim = stack.healthy("web")[0].id;
    let container = stack.container(victim);
    processes::kill(stack.process("cais supervise").pid);
    docker(&["rm", "-f", &container]);
    stack.cais("up -d --wait").ok();
    assert_eq!(end(&stack, victim), "an unknown exit code");
    eventually("there are two again", || stack.healthy("web").len() == 2);
}

#[test]
fn a_line_is_logged_once_whoever_supervises() {
    let Some(image) = image("a_line_is_logged_once_whoever_supervises") else {
        return;
    };
    let stack = Containers::new(
        image,
        "services:
  count:
    image: <image>
    stop_grace_period: 2s
    command: [sh, -c, 'trap \"echo last words; exit 0\" TERM; i=0; while [ $$i -lt 400 ]; do i=$$((i+1)); echo $$i; [ $$((i % 2)) = 0 ] || echo err $$i >&2; sleep 0.01; done; while :; do sleep 0.05; done']
",
    );
    stack.cais("up -d --wait").ok();
    for text in ["| 60\n", "| 180\n"] {
        stack.logs_have(text);
        processes::kill(stack.process("cais supervise").pid);
        stack.cais("up -d").ok();
    }
    stack.logs_have("| 400\n");
    let log = stack.cais("logs --no-log-prefix").ok().stdout;
    let lines: Vec<&str> = log.lines().collect();
    let want = |line: &str| lines.iter().filter(|have| **have == line).count();
    for i in 1..=400 {
        assert_eq!(want(&i.to_string()), 1, "line {i}");
        assert_eq!(want(&format!("err {i}")), i % 2, "err {i}");
    }
    let tail = stack
        .cais("logs --no-log-prefix -n 2 --grep 40")
        .ok()
        .stdout;
    assert_eq!(tail.lines().last(), Some("400"), "{tail}");
    assert_eq!(stack.cais("logs --until 1h").ok().stdout, "");
    // What a stopped container said last is there when the container is gone.
    stack.cais("down").ok();
    assert_eq!(stack.all(), Vec::<String>::new());
    let log = stack.cais("logs --no-log-prefix -n 1").ok().stdout;
    assert_eq!(log.trim(), "last words");
}

#[test]
fn an_engine_that_goes_away_is_waited_for_and_changes_are_refused_meanwhile() {
    let test = "an_engine_that_goes_away_is_waited_for_and_changes_are_refused_meanwhile";
    let Some(image) = image(test) else { return };
    let machine = Machine::new();
    let Some(engine) = EngineProxy::start(machine.root()) else {
        return skip(test, "the engine is not behind a Unix socket");
    };
    let stack = Containers::on(
        &machine,
        image,
        "services:
  web:
    image: <image>
    deploy: {replicas: 2}
    stop_grace_period: 0s
    command: [sh, -c, 'i=0; while [ $$i -lt 100000 ]; do i=$$((i+1)); echo line $$i; sleep 0.05; done']
",
    );
    machine.set("DOCKER_HOST", &engine.host());
    stack.cais("up -d --wait").ok();
    let tasks = stack.healthy("web");
    let (victim, other) = (&tasks[0], &tasks[1]);
    engine.take_away();
    docker(&["kill", &stack.container(victim.id)]);
    for change in ["down", "scale web=3", "restart", "up -d"] {
        let ran = stack.cais(change).ended_with(1);
        assert!(
            ran.stderr.contains("the Docker engine does not answer at"),
            "{ran:?}"
        );
    }
    // What is known is still shown, and nothing is made up: nobody saw the end yet.
    assert_eq!(stack.healthy("web").len(), 2);
    engine.give_back();
    assert_eq!(end(&stack, victim.id), "signal 9");
    eventually("there are two again", || stack.healthy("web").len() == 2);
    assert!(stack.healthy("web").iter().any(|task| task.id == other.id));
    // Lines that were said while the engine was away are there, each once, in their order.
    let prefix = format!("web-{} ", other.id);
    let numbers = || -> Vec<usize> {
        let log = stack.cais("logs").ok().stdout;
        let own = log.lines().filter(|line| line.starts_with(&prefix));
        own.map(|line| line.rsplit(' ').next().unwrap().parse().unwrap())
            .collect()
    };
    let before = numbers().len();
    eventually("the log goes on", || numbers().len() > before + 20);
    let numbers = numbers();
    assert_eq!(numbers, (1..=numbers.len()).collect::<Vec<_>>());
}

#[test]
fn containers_of_a_state_that_was_deleted_are_found_by_clean() {
    let Some(image) = image("containers_of_a_state_that_was_deleted_are_found_by_clean") else {
        return;
    };
    let stack = Containers::new(image, WEB);
    stack.cais("up -d --wait").ok();
    let state = stack.state();
    processes::kill(stack.process("cais supervise").pid);
    processes::kill(stack.process("cais gateway").pid);
    std::fs::remove_dir_all(state).unwrap();
    assert_eq!(stack.all().len(), 2);
    stack.cais("clean -y").ok();
    assert_eq!(stack.all(), Vec::<String>::new());
    assert_eq!(stack.networks(), Vec::<String>::new());
}

#[test]
fn a_task_that_uses_more_memory_than_it_may_is_told_as_that() {
    let Some(image) = image("a_task_that_uses_more_memory_than_it_may_is_told_as_that") else {
        return;
    };
    let stack = Containers::new(
        image,
        "services:
  web:
    image: <image>
    restart: 'no'
    deploy: {resources: {limits: {memory: 16m, pids: 20}}}
    command: [tail, /dev/zero]
",
    );
    stack.cais("up -d");
    let first = || stack.tasks().first().map(|task| task.id);
    eventually("it was started", || first().is_some());
    assert_eq!(end(&stack, first().unwrap()), "out of memory");
    let events = stack.cais("events").ok().stdout;
    assert!(events.contains("it used more than it may"), "{events}");
}
