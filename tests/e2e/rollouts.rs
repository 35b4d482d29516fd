//! Changes to a running stack: a second up, rollouts, counts, stop and start, health and readiness.

use crate::support::http::{Failed, Load, get};
use crate::support::run::Running;
use crate::support::{Machine, Stack, eventually, processes};
use rustix::process::Signal;
use std::collections::BTreeSet;

const WEB: &str = "services:
  web:
    command: python3 service.py
    environment: {NAME: web-service, REVISION: \"1\"}
    deploy: {replicas: 2}
    x-cais:
      route: {path: /}
      health: {path: /healthz, ready: /readyz, interval: 100ms, retries: 2}
  worker:
    command: [sh, -c, \"echo at work; exec sleep 600\"]
x-cais: {listen: \"127.0.0.1:<port>\"}
";

fn web() -> (Stack, u16) {
    let machine = Machine::new();
    let port = machine.port();
    let stack = machine.stack("demo", &WEB.replace("<port>", &port.to_string()));
    stack.cais("up -d --wait").ok();
    (stack, port)
}

fn change(stack: &Stack, from: &str, to: &str) {
    let file = stack.folder().join("compose.yaml");
    let text = std::fs::read_to_string(file).unwrap();
    assert!(text.contains(from), "{text}");
    stack.compose(&text.replace(from, to));
}

#[test]
fn a_second_up_names_what_is_unchanged_and_rolls_what_changed_without_a_failed_request() {
    let (stack, port) = web();
    let before = stack.tasks();
    let up = stack.cais("up -d --wait").ok();
    for service in ["web", "worker"] {
        let told = format!("{service}: unchanged, revision 1");
        assert!(up.stderr.contains(&told), "{}", up.stderr);
    }
    assert_eq!(stack.tasks(), before);

    let load = Load::start(port, "/");
    load.more(20);
    change(&stack, "REVISION: \"1\"", "REVISION: \"2\"");
    let up = stack.cais("up -d --wait").ok();
    assert!(
        up.stderr.contains("worker: unchanged, revision 1"),
        "{}",
        up.stderr
    );
    assert!(
        up.stderr.contains("web: revision 2 completed"),
        "{}",
        up.stderr
    );
    assert!(get(port, "/").unwrap().body.starts_with("web-service 2 "));
    load.more(20);
    let report = load.stop();
    assert_eq!(report.failed, [], "of {} requests", report.sent);
    let worker = |tasks: &[crate::support::Task]| {
        tasks
            .iter()
            .find(|task| task.service == "worker")
            .and_then(|task| task.pid)
    };
    assert_eq!(worker(&stack.tasks()), worker(&before));
    assert!(stack.healthy("web").iter().all(|task| task.revision == 2));
}

#[test]
fn a_bad_revision_is_rolled_back_with_exit_code_3_and_no_failed_request() {
    let (stack, port) = web();
    let load = Load::start(port, "/");
    load.more(20);
    change(
        &stack,
        "command: python3 service.py",
        "command: [sh, -c, \"echo no such column >&2; exit 1\"]",
    );
    let up = stack.cais("up -d --wait").ended_with(3);
    assert!(
        up.stderr.contains("was rolled back") && up.stderr.contains("no such column"),
        "{}",
        up.stderr
    );
    load.more(20);
    let report = load.stop();
    assert_eq!(report.failed, [], "of {} requests", report.sent);
    assert!(
        report
            .bodies
            .iter()
            .all(|body| body.starts_with("web-service 1 "))
    );
    assert!(stack.healthy("web").iter().all(|task| task.revision == 1));
}

#[test]
fn scale_changes_the_count_and_nothing_else() {
    let (stack, port) = web();
    let before: BTreeSet<u64> = stack.healthy("web").iter().map(|task| task.id).collect();
    let load = Load::start(port, "/");
    stack.cais("scale web=4 worker=2").ok();
    let more: BTreeSet<u64> = stack.healthy("web").iter().map(|task| task.id).collect();
    assert!(
        more.len() == 4 && more.is_superset(&before),
        "{more:?} {before:?}"
    );
    assert_eq!(stack.healthy("worker").len(), 2);
    stack.cais("scale web=1").ok();
    eventually("one is left", || stack.healthy("web").len() == 1);
    stack.cais("scale worker=0").ok();
    eventually("no worker is left", || stack.healthy("worker").is_empty());
    let report = load.stop();
    assert_eq!(report.failed, [], "of {} requests", report.sent);
}

#[test]
fn stopped_services_stay_known_and_start_again() {
    let (stack, port) = web();
    stack.cais("stop web").ok();
    assert!(
        stack.healthy("web").is_empty(),
        "stop returns when it is done"
    );
    assert!(matches!(get(port, "/"), Err(Failed::Status(503, _))));
    assert_eq!(stack.healthy("worker").len(), 1);
    let table = stack.cais("ps").ok().stdout;
    assert!(
        table
            .lines()
            .any(|line| line.contains("web") && line.contains("stopped")),
        "{table}"
    );
    stack.cais("start web").ok();
    assert_eq!(stack.healthy("web").len(), 2);
    get(port, "/").unwrap();
    stack.cais("stop").ok();
    assert!(stack.tasks().iter().all(|task| task.state == "stopped"));
    stack.cais("up -d --wait").ok();
    assert_eq!(stack.healthy("web").len(), 2);
}

#[test]
fn a_restart_replaces_every_task_without_a_failed_request() {
    let (stack, port) = web();
    let before: BTreeSet<u64> = stack.healthy("web").iter().map(|task| task.id).collect();
    let load = Load::start(port, "/");
    stack.cais("restart web").ok();
    let report = load.stop();
    assert_eq!(report.failed, [], "of {} requests", report.sent);
    let after: BTreeSet<u64> = stack.healthy("web").iter().map(|task| task.id).collect();
    assert!(
        after.len() == 2 && after.is_disjoint(&before),
        "{before:?} {after:?}"
    );
    assert!(stack.healthy("web").iter().all(|task| task.revision == 1));
}

#[test]
fn a_service_that_left_the_file_is_removed() {
    let (stack, _) = web();
    change(
        &stack,
        "  worker:\n    command: [sh, -c, \"echo at work; exec sleep 600\"]\n",
        "",
    );
    let up = stack.cais("up -d --wait").ok();
    assert!(up.stderr.contains("worker: removed"), "{}", up.stderr);
    assert!(stack.tasks().iter().all(|task| task.service == "web"));
}

#[test]
fn a_task_that_is_not_ready_gets_no_request_and_is_not_restarted() {
    let (stack, port) = web();
    let before: BTreeSet<u64> = stack.healthy("web").iter().map(|task| task.id).collect();
    stack.write("web-service.not-ready", "");
    eventually("all are out of the gateway", || {
        matches!(get(port, "/"), Err(Failed::Status(503, _)))
    });
    let table = stack.cais("ps").ok().stdout;
    for told in [
        "running, not ready",
        "GET /readyz answered 503: readiness is off",
    ] {
        assert!(table.contains(told), "{table}");
    }
    stack.remove("web-service.not-ready");
    eventually("they are back", || {
        get(port, "/").is_ok() && stack.healthy("web").len() == 2
    });
    let after: BTreeSet<u64> = stack.healthy("web").iter().map(|task| task.id).collect();
    assert_eq!(after, before);
}

#[test]
fn a_task_that_fails_its_liveness_check_is_replaced() {
    let (stack, port) = web();
    let [victim, other] = &stack.healthy("web")[..] else {
        panic!("two tasks")
    };
    let load = Load::start(port, "/");
    stack.write(&format!("{}.unhealthy", victim.pid.unwrap()), "");
    eventually("it is replaced", || {
        let now = stack.healthy("web");
        now.len() == 2 && now.iter().all(|task| task.id != victim.id)
    });
    let report = load.stop();
    assert_eq!(report.failed, [], "of {} requests", report.sent);
    assert!(
        stack
            .healthy("web")
            .iter()
            .any(|task| task.pid == other.pid)
    );
    let events = stack.cais("events").ok().stdout;
    assert!(
        events.contains(
            "health check failed 2 times in a row: GET /healthz answered 500: liveness is off"
        ),
        "{events}"
    );
}

#[test]
fn a_command_decides_health() {
    let stack = Stack::new(
        "services:
  db:
    command: sleep 600
    healthcheck:
      test: [CMD-SHELL, \"test -e db.ready || { echo replaying the log; exit 1; }\"]
      interval: 100ms
      retries: 2
      start_period: 60s
      start_interval: 50ms
",
    );
    let up = stack.start("up -d --wait");
    eventually("it is asked", || {
        stack.cais("ps").stdout.contains("starting")
    });
    assert!(stack.healthy("db").is_empty());
    stack.write("db.ready", "");
    up.wait().ok();
    stack.remove("db.ready");
    eventually("another is started in its place", || {
        stack.tasks().len() == 2
    });
    let events = stack.cais("events").ok().stdout;
    assert!(events.contains("replaying the log"), "{events}");
    stack.write("db.ready", "");
    eventually("one is left", || {
        let tasks = stack.tasks();
        let alive = tasks.iter().filter(|task| task.state != "stopped");
        alive.count() == 1 && stack.healthy("db").len() == 1
    });
}

/// A deploy that has come half way, of a service that stops first, where whoever starts waits for the file `open`: the
/// way on, and the way back, is as long as the test wants.
fn half_way() -> (Stack, Running) {
    let stack = Stack::new(
        "services:
  db:
    command: sleep 600
    environment: {REVISION: \"1\"}
    healthcheck: {test: [CMD-SHELL, \"test -e open\"], interval: 100ms, start_period: 60s}
    deploy: {update_config: {order: stop-first}}
",
    );
    stack.write("open", "");
    stack.cais("up -d --wait").ok();
    stack.remove("open");
    change(&stack, "REVISION: \"1\"", "REVISION: \"2\"");
    let deploy = stack.start("deploy");
    eventually("revision 2 starts", || starts(&stack, 2));
    (stack, deploy)
}

fn starts(stack: &Stack, revision: u64) -> bool {
    let mut tasks = stack.tasks().into_iter();
    tasks.any(|task| task.revision == revision && task.state == "activating")
}

#[test]
fn the_first_ctrl_c_rolls_a_deploy_back_and_the_second_leaves_the_rollback_to_itself() {
    let (stack, deploy) = half_way();
    processes::signal(deploy.pid(), Signal::INT);
    eventually("revision 1 starts again", || starts(&stack, 1));
    processes::signal(deploy.pid(), Signal::INT);
    let ran = deploy.wait().ended_with(1);
    for told in [
        "rolling back; Ctrl-C again leaves it to itself",
        "error: detached; the rollback goes on without you",
        "see how it ends: `cais status`",
    ] {
        assert!(ran.stderr.contains(told), "no `{told}` in\n{}", ran.stderr);
    }
    assert!(stack.healthy("db").is_empty());
    stack.write("open", "");
    eventually("the rollback ends without anybody", || {
        stack.cais("status").stdout.contains("rolled back") && stack.healthy("db").len() == 1
    });
}

#[test]
fn a_second_ctrl_c_right_after_the_first_is_not_lost() {
    let (stack, deploy) = half_way();
    processes::signal(deploy.pid(), Signal::INT);
    // Two that the kernel holds at once are one; a second key press comes later than this.
    std::thread::sleep(std::time::Duration::from_millis(20));
    processes::signal(deploy.pid(), Signal::INT);
    let ran = deploy.wait().ended_with(1);
    assert!(ran.stderr.contains("error: detached"), "{}", ran.stderr);
    stack.write("open", "");
    eventually("the rollback ends without anybody", || {
        stack.healthy("db").len() == 1
    });
}
