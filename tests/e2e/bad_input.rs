//! Bad input: what a user reads, the exit code, and that nothing is left running. The answers are
//! golden files; each says what is wrong, where, and what to type next.

use crate::support::small_disk::SmallDisk;
use crate::support::{Machine, Stack, golden};
use std::os::unix::fs::PermissionsExt;

/// Runs `words` on a fresh stack: the exit code, the golden file, and nothing left.
#[track_caller]
fn check(name: &str, compose: &str, words: &str, code: i32) {
    let machine = Machine::new();
    let listen = machine.port();
    let stack = machine.stack("demo", &compose.replace("<port>", &listen.to_string()));
    check_on(&stack, name, words, code);
}

#[track_caller]
fn check_on(stack: &Stack, name: &str, words: &str, code: i32) {
    let ran = stack.cais(words).ended_with(code);
    assert_eq!(stack.machine.is_clean(), Ok(()), "after `{words}`");
    golden::check(&format!("bad-input/{name}"), stack, &ran);
}

const WEB: &str = "services:
  web:
    command: python3 service.py
    expose: [8080]
";

#[test]
fn an_invalid_file_is_refused_with_the_place_of_the_fault() {
    let files = [
        ("empty-file", ""),
        (
            "invalid-yaml",
            "services:\n  web:\n    command: [sleep, \"1\"\n    image: x\n",
        ),
        (
            "unknown-field",
            "services:\n  web:\n    command: sleep 1\n    enviroment: {A: b}\n",
        ),
        (
            "unknown-cais-field",
            "services:\n  web:\n    command: sleep 1\n    x-cais:\n      helth: {path: /}\n",
        ),
        (
            "wrong-type",
            "services:\n  web:\n    command: sleep 1\n    deploy: {replicas: two}\n",
        ),
        (
            "missing-variable",
            "services:\n  web:\n    command: sleep 1\n    environment:\n      TOKEN: ${TOKEN:?ask the team for it}\n",
        ),
        (
            "unknown-dependency",
            "services:\n  web:\n    command: sleep 1\n    depends_on: [databse]\n  database:\n    command: sleep 1\n",
        ),
        (
            "dependency-cycle",
            "services:\n  a:\n    command: sleep 1\n    depends_on: [b]\n  b:\n    command: sleep 1\n    depends_on: [c]\n  c:\n    command: sleep 1\n    depends_on: [a]\n",
        ),
        (
            "two-services-on-one-route",
            "services:\n  a:\n    command: sleep 1\n    x-cais: {route: {path: /api}}\n  b:\n    command: sleep 1\n    x-cais: {route: {path: /api/}}\n",
        ),
        ("no-services", "name: demo\n"),
        (
            "cannot-progress",
            "services:\n  web:\n    command: sleep 1\n    x-cais:\n      rollout: {minimum_healthy: 100%, maximum: 100%}\n",
        ),
    ];
    for (name, compose) in files {
        check(name, compose, "up -d", 2);
    }
    check(
        "no-local-command",
        "services:\n  web:\n    image: nginx:1.27\n",
        "--runtime process up -d",
        2,
    );
}

#[test]
fn a_file_that_is_not_there_is_refused() {
    let machine = Machine::new();
    let stack = machine.stack("demo", WEB);
    stack.remove("compose.yaml");
    check_on(&stack, "no-compose-file", "up -d", 2);
    check_on(&stack, "named-file-not-there", "-f other.yaml up -d", 2);
}

#[test]
fn a_name_that_no_service_has_is_refused() {
    for (name, words, code) in [
        ("unknown-service-up", "up -d wbe", 2),
        ("unknown-service-logs", "logs wbe", 2),
        ("unknown-service-ps", "ps wbe", 2),
        ("unknown-service-up-scale", "up -d --scale wbe=2", 2),
        ("scale-without-number", "scale web=many", 2),
        ("scale-not-running", "scale web=2", 1),
        ("unknown-verb", "upp", 2),
        ("unknown-flag", "up --detached", 2),
    ] {
        check(name, WEB, words, code);
    }
}

#[test]
fn a_command_about_an_unknown_service_leaves_a_running_stack_alone() {
    let stack = Stack::new(WEB);
    stack.cais("up -d --wait").ok();
    let before = stack.tasks();
    for verb in ["scale wbe=2", "restart wbe", "stop wbe", "start wbe"] {
        let ran = stack.cais(verb).ended_with(2);
        let name = verb.split(' ').next().unwrap();
        golden::check(&format!("bad-input/unknown-service-{name}"), &stack, &ran);
    }
    assert_eq!(stack.tasks(), before);
}

#[test]
fn a_program_that_is_not_there_is_named() {
    check(
        "missing-program",
        "services:\n  web:\n    command: no-such-program --flag\n",
        "up -d",
        1,
    );
    check(
        "missing-program-path",
        "services:\n  web:\n    command: ./bin/web\n",
        "up -d",
        1,
    );
}

#[test]
fn a_build_that_fails_starts_nothing() {
    let compose = "services:
  web:
    x-cais:
      process:
        build: echo 'web.c:3:1 expected a semicolon' >&2; exit 7
        command: ./web
  other:
    command: sleep 100
";
    check("failing-build", compose, "up -d", 1);
    let compose = "services:
  web:
    x-cais:
      process: {build: \"true\", command: ./web}
";
    check("build-makes-no-program", compose, "up -d", 1);
}

#[test]
fn a_health_check_that_never_passes_fails_with_its_answer_and_takes_everything_back() {
    let compose = "services:
  web:
    command: python3 service.py
    environment: {NAME: web}
    x-cais:
      route: {path: /}
      health: {path: /healthz, interval: 100ms, retries: 2, start_period: 300ms}
      rollout: {breaker: {count: 1}}
x-cais: {listen: \"127.0.0.1:<port>\"}
";
    let machine = Machine::new();
    let port = machine.port();
    let stack = machine.stack("demo", &compose.replace("<port>", &port.to_string()));
    stack.write("web.unhealthy", "");
    check_on(&stack, "never-healthy", "up -d --wait", 1);
}

#[test]
fn a_task_that_exits_at_once_fails_with_its_last_words() {
    let compose = "services:
  web:
    command: [sh, -c, \"echo cannot open the database >&2; exit 3\"]
    x-cais: {rollout: {breaker: {count: 1}}}
";
    check("exits-at-once", compose, "up -d --wait", 1);
}

#[test]
fn a_port_of_another_program_is_not_taken_from_it() {
    let machine = Machine::new();
    let port = machine.port();
    let _other = std::net::TcpListener::bind(("127.0.0.1", port)).unwrap();
    let compose = format!(
        "services:\n  web:\n    command: python3 service.py\n    ports: [\"{port}:8080\"]\n"
    );
    let stack = machine.stack("demo", &compose);
    check_on(&stack, "published-port-taken", "up -d", 1);
    let compose = format!(
        "services:\n  web:\n    command: python3 service.py\n    x-cais: {{route: {{path: /}}}}\nx-cais: {{listen: \"127.0.0.1:{port}\"}}\n"
    );
    stack.compose(&compose);
    check_on(&stack, "listen-port-taken", "up -d", 1);
}

#[test]
fn a_port_of_another_stack_is_not_shared() {
    let machine = Machine::new();
    let port = machine.port();
    let compose = format!(
        "services:\n  web:\n    command: python3 service.py\n    ports: [\"{port}:8080\"]\n"
    );
    let first = machine.stack("first", &compose);
    first.cais("up -d --wait").ok();
    let second = machine.stack("second", &compose);
    let ran = second.cais("up -d").ended_with(1);
    golden::check("bad-input/port-of-another-stack", &second, &ran);
    assert_eq!(first.healthy("web").len(), 1);
    assert_eq!(second.cais("ps --json").ok().stdout.trim(), "[]");
}

#[test]
fn a_project_that_runs_from_another_folder_is_not_touched() {
    let machine = Machine::new();
    let first = machine.stack("one/demo", WEB);
    first.cais("up -d --wait").ok();
    let second = machine.stack("two/demo", WEB);
    let ran = second.cais("up -d").ended_with(1);
    golden::check("bad-input/same-name-elsewhere", &second, &ran);
    assert_eq!(first.healthy("web").len(), 1);
}

#[test]
fn a_socket_that_a_dead_supervisor_left_is_no_obstacle() {
    let stack = Stack::new(WEB);
    stack.cais("up -d --wait").ok();
    let pid = stack.tasks()[0].pid;
    crate::support::processes::kill(stack.process("cais supervise").pid);
    let ran = stack.cais("ps").ok();
    assert!(ran.stderr.contains("`cais up -d` adopts"), "{ran:?}");
    let ran = stack.cais("scale web=2").ended_with(1);
    golden::check("bad-input/dead-supervisor", &stack, &ran);
    stack.cais("up -d --wait").ok();
    assert_eq!(stack.tasks()[0].pid, pid);
}

#[test]
fn a_state_folder_that_cannot_be_written_is_named() {
    let machine = Machine::new();
    let stack = machine.stack("demo", WEB);
    // Root may write anywhere: a file in place of the folder stops it, too.
    std::fs::write(machine.root().join("state/cais"), "").unwrap();
    check_on(&stack, "state-folder-is-a-file", "up -d", 1);
    std::fs::remove_file(machine.root().join("state/cais")).unwrap();
    std::fs::remove_dir(machine.root().join("run")).unwrap();
    std::fs::write(machine.root().join("run"), "").unwrap();
    check_on(&stack, "runtime-folder-is-a-file", "up -d", 1);
}

#[test]
fn a_journal_that_cannot_be_written_is_named() {
    let stack = Stack::new(WEB);
    stack.cais("up -d --wait").ok();
    stack.cais("down").ok();
    let journal = stack.state().join("journal.db");
    std::fs::remove_file(&journal).unwrap();
    std::fs::create_dir(&journal).unwrap();
    check_on(&stack, "journal-is-a-folder", "up -d", 1);
    std::fs::remove_dir(&journal).unwrap();
    std::fs::write(&journal, "this is no database\n".repeat(400)).unwrap();
    check_on(&stack, "journal-is-no-database", "up -d", 1);
    check_on(&stack, "journal-is-no-database-ps", "ps", 1);
}

#[test]
fn a_full_disk_refuses_changes_and_lets_everything_stop() {
    let machine = Machine::new();
    let folder = machine.root().join("state");
    let Some(disk) = SmallDisk::mount(&folder) else {
        return crate::support::skip(
            "a_full_disk_refuses_changes_and_lets_everything_stop",
            "only root may mount a small disk",
        );
    };
    let stack = machine.stack("demo", WEB);
    stack.cais("up -d --wait").ok();
    disk.fill();
    let ran = stack.cais("scale web=2").ended_with(1);
    golden::check("bad-input/full-disk", &stack, &ran);
    // What runs goes on, and says why nothing can be decided.
    assert_eq!(stack.healthy("web").len(), 1);
    let down = stack.cais("down");
    assert_eq!(machine.is_clean(), Ok(()), "{down:?}");
    down.ok();
}

#[test]
fn a_journal_of_a_newer_cais_is_left_alone() {
    let stack = Stack::new(WEB);
    stack.cais("up -d --wait").ok();
    stack.cais("down").ok();
    let journal = stack.state().join("journal.db");
    rusqlite::Connection::open(&journal)
        .unwrap()
        .execute_batch("PRAGMA user_version = 999")
        .unwrap();
    check_on(&stack, "newer-journal", "up -d", 1);
}

#[test]
fn a_folder_of_somebody_else_is_refused() {
    if !rustix::process::geteuid().is_root() {
        return crate::support::skip(
            "a_folder_of_somebody_else_is_refused",
            "only root gives folders away",
        );
    }
    let machine = Machine::new();
    let stack = machine.stack("demo", WEB);
    let folder = machine.root().join("run/cais");
    std::fs::create_dir(&folder).unwrap();
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o777)).unwrap();
    std::os::unix::fs::chown(&folder, Some(12345), None).unwrap();
    check_on(&stack, "folder-of-somebody-else", "up -d", 1);
    std::fs::remove_dir_all(&folder).unwrap();
}

/// With the feature, these verbs ask AWS; `tests/ecs` tries that.
#[cfg(not(feature = "aws"))]
#[test]
fn a_binary_without_aws_says_for_each_verb_how_to_get_one_that_has_it() {
    let stack = Stack::new(WEB);
    stack.write("compose.staging.yaml", "services: {}\n");
    let verbs = [
        "deploy -y",
        "plan",
        "rollback",
        "history",
        "events",
        "status",
        "ps",
        "logs",
        "scale web=2",
        "exec web id",
        "secret list",
        "verify",
        "lock",
        "destroy",
    ];
    for verb in verbs {
        let ran = stack.cais(&format!("-E staging {verb}")).ended_with(2);
        assert!(
            ran.stderr.contains("`staging` is on AWS"),
            "{verb}: {ran:?}"
        );
        assert!(
            ran.stderr
                .contains("cargo build --release --features aws -p cais"),
            "{verb}: {ran:?}"
        );
        assert_eq!(stack.machine.is_clean(), Ok(()), "after `{verb}`");
    }
}
