//! kill -9 of each of cais' own processes, under load: what is lost, what is adopted, what comes back.

use crate::support::http::{Failed, Load, get};
use crate::support::{Machine, Stack, Task, eventually, processes};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

const WEB: &str = "services:
  web:
    command: python3 service.py
    environment: {NAME: web-service, EXIT_CODE: \"7\"}
    deploy: {replicas: 3}
    x-cais:
      route: {path: /}
      health: {path: /healthz, ready: /readyz, interval: 200ms}
x-cais: {listen: \"127.0.0.1:<port>\"}
";

/// Three tasks behind a port.
fn three() -> (Stack, u16) {
    let machine = Machine::new();
    let port = machine.port();
    let stack = machine.stack("demo", &WEB.replace("<port>", &port.to_string()));
    stack.cais("up -d --wait").ok();
    (stack, port)
}

fn pids(tasks: &[Task]) -> BTreeSet<u32> {
    tasks.iter().filter_map(|task| task.pid).collect()
}

#[test]
fn a_killed_supervisor_costs_no_request_and_the_next_adopts_every_task() {
    let (stack, port) = three();
    let before = stack.healthy("web");
    let gateway = stack.process("cais gateway").pid;
    let load = Load::start(port, "/");
    load.more(50);
    processes::kill(stack.process("cais supervise").pid);
    load.more(100);
    // The next one begins under load as well.
    let up = stack.cais("up -d --wait").ok();
    assert!(up.stderr.contains("unchanged"), "{}", up.stderr);
    load.more(100);
    let report = load.stop();
    assert_eq!(report.failed, [], "of {} requests", report.sent);
    assert_eq!(pids(&stack.healthy("web")), pids(&before));
    assert_eq!(stack.process("cais gateway").pid, gateway);
    // The adopted stack is a stack like any other.
    stack.cais("scale web=4").ok();
    assert_eq!(stack.healthy("web").len(), 4);
    println!("supervisor killed: 0 of {} requests failed", report.sent);
}

#[test]
fn a_task_that_exits_while_nobody_supervises_is_reported_with_its_code_and_replaced() {
    let (stack, port) = three();
    let before = stack.healthy("web");
    let victim = before[0].clone();
    processes::kill(stack.process("cais supervise").pid);
    let _ = get(victim.port.unwrap(), "/exit");
    eventually("the task is gone", || {
        !processes::is_alive(victim.pid.unwrap())
    });
    // The gateway goes on without it.
    for _ in 0..10 {
        get(port, "/").unwrap();
    }
    stack.cais("up -d --wait").ok();
    eventually("there are three again", || stack.healthy("web").len() == 3);
    let kept: BTreeSet<u32> = pids(&before[1..]);
    assert!(pids(&stack.healthy("web")).is_superset(&kept));
    let ended = stack.tasks();
    let ended = ended.iter().find(|task| task.id == victim.id).unwrap();
    assert_eq!(
        (ended.state.as_str(), ended.exit.as_deref()),
        ("stopped", Some("exit code 7"))
    );
    let events = stack.cais("events").ok().stdout;
    let told = format!("task {} stopped: exited with code 7", victim.id);
    assert!(events.contains(&told), "{events}");
}

#[test]
fn a_killed_gateway_fails_only_what_was_in_flight_and_is_back_within_a_second() {
    let (stack, port) = three();
    let loads: Vec<Load> = (0..2).map(|_| Load::start(port, "/")).collect();
    loads.iter().for_each(|load| load.more(50));
    let gateway = stack.process("cais gateway").pid;
    let killed = Instant::now();
    processes::kill(gateway);
    get(port, "/").expect("a connection made after the kill waits for the next gateway");
    let back = killed.elapsed();
    loads.iter().for_each(|load| load.more(100));
    for load in loads {
        let report = load.stop();
        assert!(!report.failed.contains(&Failed::Refused), "{report:?}");
        assert!(
            report.failed.len() <= 1,
            "only what was in flight: {:?}",
            report.failed
        );
        assert!(report.longest_pause < Duration::from_secs(2), "{report:?}");
    }
    println!("gateway killed: answers again after {back:?}");
    assert!(back < Duration::from_secs(1), "{back:?}");
    assert_ne!(stack.process("cais gateway").pid, gateway);
}

#[test]
fn a_killed_shim_loses_no_task_and_the_count_is_restored() {
    let (stack, port) = three();
    let before = stack.healthy("web");
    let victim = before[0].clone();
    let found = stack.machine.processes();
    let shim = found
        .iter()
        .find(|process| Some(process.pid) == victim.pid)
        .unwrap()
        .parent;
    let load = Load::start(port, "/");
    load.more(20);
    processes::kill(shim);
    eventually("the task without a shim is ended", || {
        !processes::is_alive(victim.pid.unwrap())
    });
    eventually("there are three again", || {
        let now = stack.healthy("web");
        now.len() == 3 && now.iter().all(|task| task.id != victim.id)
    });
    load.more(20);
    let report = load.stop();
    // The task was killed unasked: a request on it may be cut off, none is refused.
    assert!(!report.failed.contains(&Failed::Refused), "{report:?}");
    println!(
        "shim killed: {} of {} requests failed: {:?}",
        report.failed.len(),
        report.sent,
        report.failed
    );
    // One process a task: nothing runs twice.
    let services = stack
        .machine
        .processes()
        .into_iter()
        .filter(|p| p.command.contains("service.py"));
    assert_eq!(services.count(), 3);
}

#[test]
fn everything_killed_at_once_is_cleaned_up_by_down() {
    let (stack, _) = three();
    let mut own = stack.machine.processes();
    own.retain(|process| process.command.starts_with("cais"));
    assert_eq!(own.len(), 5, "supervisor, gateway and three shims: {own:?}");
    own.iter().for_each(|process| processes::kill(process.pid));
    eventually("they are gone", || {
        own.iter().all(|process| !processes::is_alive(process.pid))
    });
    stack.cais("down").ok();
    assert_eq!(stack.machine.is_clean(), Ok(()));
    assert_eq!(stack.cais("ps --json").ok().stdout.trim(), "[]");
}

#[test]
fn a_killed_task_is_replaced() {
    let (stack, port) = three();
    let victim = stack.healthy("web").remove(0);
    processes::kill(victim.pid.unwrap());
    eventually("there are three again", || {
        let now = stack.healthy("web");
        now.len() == 3 && now.iter().all(|task| task.id != victim.id)
    });
    get(port, "/").unwrap();
    let events = stack.cais("events").ok().stdout;
    assert!(
        events.contains(&format!("task {} stopped: killed by signal 9", victim.id)),
        "{events}"
    );
}
