//! A stack's ordinary day: up, one address, ps, logs, down; in the foreground and in the background.

use crate::support::http::{Failed, get};
use crate::support::{Machine, Stack, eventually, golden, processes, skip};
use rustix::process::Signal;
use std::rc::Rc;

/// Two services behind one address.
const TWO: &str = "services:
  clock: &service
    command: python3 service.py
    environment: {NAME: clock-service, MAX_AGE: \"10\"}
    deploy: {replicas: 2}
    x-cais:
      route: {path: /clock}
      health: {path: /healthz, ready: /readyz, interval: 200ms}
  calendar:
    <<: *service
    environment: {NAME: calendar-service, MAX_AGE: \"60\"}
    x-cais:
      route: {path: /calendar}
      health: {path: /healthz, ready: /readyz, interval: 200ms}
x-cais: {listen: \"127.0.0.1:<port>\"}
";

fn stack(compose: &str) -> (Stack, u16) {
    on(&Machine::new(), compose)
}

fn on(machine: &Rc<Machine>, compose: &str) -> (Stack, u16) {
    let port = machine.port();
    let stack = machine.stack("demo", &compose.replace("<port>", &port.to_string()));
    (stack, port)
}

#[test]
fn two_services_answer_behind_one_address_until_down_removes_them() {
    let (stack, port) = stack(TWO);
    let up = stack.cais("up -d --wait").ok();
    assert!(
        up.stdout
            .contains(&format!("http://127.0.0.1:{port}/clock")),
        "{}",
        up.stdout
    );

    let clock = get(port, "/clock").unwrap();
    assert!(clock.body.starts_with("clock-service 1 "), "{clock:?}");
    assert!(clock.head.contains("max-age=10"), "{clock:?}");
    assert!(
        get(port, "/calendar/time")
            .unwrap()
            .body
            .starts_with("calendar-service 1 ")
    );
    assert!(matches!(get(port, "/"), Err(Failed::Status(404, _))));
    assert!(matches!(
        get(port, "/clockwork"),
        Err(Failed::Status(404, _))
    ));
    // Both tasks take their share.
    let mut bodies = std::collections::BTreeSet::new();
    eventually("both tasks of clock answer", || {
        bodies.insert(get(port, "/clock").unwrap().body);
        bodies.len() == 2
    });

    let logs = stack.cais("logs").ok().stdout;
    assert!(
        logs.contains("| GET /clock\n") && logs.contains("| GET /calendar/time\n"),
        "{logs}"
    );
    let prefixes: std::collections::BTreeSet<&str> = logs
        .lines()
        .filter_map(|line| line.split(' ').next())
        .collect();
    assert_eq!(prefixes.len(), 4, "each line says its task: {prefixes:?}");
    let one = stack.cais("logs --grep /calendar calendar").ok().stdout;
    assert!(
        one.lines().all(|line| line.contains("calendar")) && one.contains("GET"),
        "{one}"
    );

    stack.cais("down").ok();
    assert_eq!(stack.machine.is_clean(), Ok(()));
    assert_eq!(get(port, "/clock").unwrap_err(), Failed::Refused);
    // What it said outlives it.
    assert!(stack.cais("logs clock").ok().stdout.contains("GET /clock"));
    let again = stack.cais("down").ok();
    assert!(
        again.stderr.contains("`demo` is not running"),
        "{}",
        again.stderr
    );
}

#[test]
fn ps_as_json_has_the_documented_fields() {
    let (stack, port) = stack(TWO);
    stack.cais("up -d --wait").ok();
    let rows = stack.cais("ps --json").ok().json();
    let rows = rows.as_array().unwrap();
    assert_eq!(rows.len(), 4);
    for row in rows {
        let fields: Vec<&str> = row
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        assert_eq!(
            fields,
            [
                "name",
                "service",
                "task",
                "revision",
                "state",
                "health",
                "pid",
                "container",
                "uptime_seconds",
                "reason",
                "exit",
                "published",
                "internal",
                "ports"
            ]
        );
        let service = row["service"].as_str().unwrap();
        assert_eq!(row["name"], format!("{service}-{}", row["task"]));
        assert_eq!(
            row["published"][0],
            format!("http://127.0.0.1:{port}/{service}")
        );
        assert!(processes::is_alive(
            row["pid"].as_u64().unwrap().try_into().unwrap()
        ));
        assert!(row["ports"]["8080"].as_u64().unwrap() >= 20_000, "{row}");
        assert_eq!(
            (row["state"].as_str(), row["health"].as_str()),
            (Some("running"), Some("healthy"))
        );
    }
    let names = stack.cais("ps --quiet").ok().stdout;
    assert_eq!(names.lines().count(), 4, "{names}");
    assert_eq!(stack.cais("ps --services").ok().stdout, "calendar\nclock\n");
}

#[test]
fn a_python_service_in_a_file_of_its_own_is_routed_checked_and_logged() {
    let (stack, port) = stack(
        "services:
  hello:
    command: python3 service.py
    environment: {NAME: hello-from-python}
    x-cais:
      route: {path: /}
      health: {path: /healthz}
x-cais: {listen: \"127.0.0.1:<port>\"}
",
    );
    std::fs::rename(
        stack.folder().join("compose.yaml"),
        stack.folder().join("hello.yaml"),
    )
    .unwrap();
    stack.cais("-f hello.yaml up -d --wait").ok();
    assert!(
        get(port, "/any/path")
            .unwrap()
            .body
            .starts_with("hello-from-python")
    );
    assert!(
        stack
            .cais("-f hello.yaml logs")
            .ok()
            .stdout
            .contains("| GET /any/path")
    );
    let table = stack.cais("-f hello.yaml ps").ok().stdout;
    assert!(table.contains("healthy"), "{table}");
    stack.cais("-f hello.yaml down").ok();
}

#[test]
fn a_service_finds_another_by_its_name() {
    let (stack, port) = stack(
        "services:
  front:
    command: python3 front.py
    environment: {BACK_URL: \"http://back:9000/x\", BACK_HOST: back, TITLE: back}
    depends_on: [back]
    x-cais: {route: {path: /}}
  back:
    command: python3 service.py
    environment: {NAME: behind}
    expose: [9000]
x-cais: {listen: \"127.0.0.1:<port>\"}
",
    );
    stack.write(
        "front.py",
        "import os, urllib.request, wsgiref.simple_server as s
def app(environ, start):
    start('200 OK', [])
    text = urllib.request.urlopen(os.environ['BACK_URL'], timeout=5).read()
    return [' '.join([os.environ['TITLE'], os.environ['BACK_HOST'], '']).encode() + text]
s.make_server('127.0.0.1', int(os.environ['PORT']), app).serve_forever()
",
    );
    stack.cais("up -d --wait").ok();
    let body = get(port, "/").unwrap().body;
    assert!(
        body.starts_with("back 127.") && body.contains(" behind 1 "),
        "{body}"
    );
}

const CACHE: &str = "services:
  web:
    command: python3 service.py
    environment: {NAME: \"cache=${NOTHING:-}\", CACHE_URL: \"redis://redis:6379\"}
    depends_on: {redis: {condition: service_healthy, required: false}}
    x-cais: {route: {path: /}, health: {path: /healthz}}
  redis:
    command: [sh, -c, \"exec redis-server --bind 127.0.0.1 --port $$PORT --save ''\"]
    expose: [6379]
    healthcheck:
      test: [CMD-SHELL, \"redis-cli -p $$PORT ping | grep -q PONG\"]
      interval: 1s
      start_period: 10s
      start_interval: 100ms
    x-cais: {process: {optional: true}}
x-cais: {listen: \"127.0.0.1:<port>\"}
";

#[test]
fn redis_runs_where_it_is_installed() {
    if !std::path::Path::new("/usr/bin/redis-server").exists() {
        return skip(
            "redis_runs_where_it_is_installed",
            "no /usr/bin/redis-server",
        );
    }
    let (stack, _) = stack(CACHE);
    stack.cais("up -d --wait").ok();
    assert_eq!(stack.healthy("redis").len(), 1);
    let environment = environment_of(stack.healthy("web")[0].pid.unwrap());
    assert!(
        environment.contains("CACHE_URL=redis://127."),
        "{environment}"
    );
}

#[test]
fn where_redis_is_not_installed_the_stack_runs_without_it() {
    let machine = Machine::new();
    // A PATH with python3 and nothing that could be Redis.
    let programs = machine.root().join("bin");
    std::fs::create_dir(&programs).unwrap();
    for program in ["python3", "sh"] {
        std::os::unix::fs::symlink(crate::support::program(program), programs.join(program))
            .unwrap();
    }
    machine.set("PATH", programs.to_str().unwrap());
    let (stack, port) = on(&machine, CACHE);
    let up = stack.cais("up -d --wait").ok();
    assert!(
        up.stderr
            .contains("`redis` is skipped: `redis-server` is not installed"),
        "{}",
        up.stderr
    );
    assert!(get(port, "/").is_ok());
    let environment = environment_of(stack.healthy("web")[0].pid.unwrap());
    assert!(!environment.contains("CACHE_URL"), "{environment}");
    let table = stack.cais("ps").ok().stdout;
    assert!(table.contains("skipped: not installed"), "{table}");
}

fn environment_of(pid: u32) -> String {
    let bytes = std::fs::read(format!("/proc/{pid}/environ")).unwrap();
    String::from_utf8_lossy(&bytes).replace('\0', "\n")
}

#[test]
fn in_the_foreground_the_log_streams_and_ctrl_c_stops_everything() {
    let (stack, port) = stack(TWO);
    let up = stack.start("up");
    eventually("both services answer", || {
        get(port, "/clock").is_ok() && get(port, "/calendar").is_ok()
    });
    stack.logs_have("GET /calendar");
    processes::signal(up.pid(), Signal::INT);
    let ran = up.wait().ok();
    assert!(ran.stdout.contains("| GET /clock"), "{}", ran.stdout);
    assert!(ran.stderr.contains("stopping everything"), "{}", ran.stderr);
    assert_eq!(stack.machine.is_clean(), Ok(()));
}

#[test]
fn a_second_ctrl_c_kills_a_task_that_ignores_the_first() {
    let (stack, _) = stack(
        "services:
  stubborn:
    command: [sh, -c, \"trap '' TERM; echo here to stay; while :; do sleep 0.1; done\"]
    stop_grace_period: 10m
",
    );
    let up = stack.start("up");
    stack.logs_have("here to stay");
    processes::signal(up.pid(), Signal::INT);
    eventually("the task was told to stop", || {
        stack.tasks().iter().any(|task| task.state == "stopping")
    });
    processes::signal(up.pid(), Signal::INT);
    // 1 where the first one came before the start was answered: what was asked for did not come true.
    let code = up.wait().code;
    assert!(matches!(code, Some(0 | 1)), "{code:?}");
    assert_eq!(stack.machine.is_clean(), Ok(()));
}

#[test]
fn the_foreground_ends_when_the_stack_was_taken_down_elsewhere() {
    let (stack, port) = stack(TWO);
    let mut up = stack.start("up");
    eventually("it answers", || get(port, "/clock").is_ok());
    stack.cais("down").ok();
    eventually("the foreground command ends", || up.has_ended());
    up.wait().ok();
}

#[test]
fn the_foreground_ends_when_every_service_has_run_to_its_end() {
    let jobs = "services:
  first:
    command: [sh, -c, \"echo first is done\"]
    restart: \"no\"
  second:
    command: [sh, -c, \"sleep 0.2; echo second is done; exit <code>\"]
    restart: \"no\"
";
    for (end, code) in [("0", 0), ("4", 1)] {
        let stack = Stack::new(&jobs.replace("<code>", end));
        let ran = stack.cais("up").ended_with(code);
        for told in ["| first is done", "| second is done"] {
            assert!(ran.stdout.contains(told), "{ran:?}");
        }
        assert_eq!(stack.machine.is_clean(), Ok(()));
        assert_eq!(
            ran.stderr.contains("`second` ended with exit code 4"),
            code == 1,
            "{}",
            ran.stderr
        );
    }
}

#[test]
fn help_is_as_it_was_read() {
    let stack = Stack::new(TWO);
    for (name, words) in [
        ("help", "--help"),
        ("help-up", "up --help"),
        ("help-logs", "logs -h"),
    ] {
        let ran = stack.cais(words).ok();
        golden::check(name, &stack, &ran);
    }
}

#[test]
fn a_port_without_a_number_is_published_on_a_free_one_and_keeps_it() {
    let text = "services:
  web:
    command: python3 service.py
    ports: ['8080']
    environment: {NAME: web}
    x-cais: {health: {path: /healthz, interval: 100ms}}
";
    let stack = Stack::new(text);
    let said = stack.cais("up -d --wait").ok().stderr;
    let note = "note: published on a free port, because the file names none of this machine: web 8080; `cais ps` shows it";
    assert!(said.contains(note), "{said}");
    let url = || {
        let rows = stack.cais("ps --json").ok().json();
        rows[0]["published"][0].as_str().expect("a URL").to_owned()
    };
    let port = |url: &str| -> u16 {
        let port = url.strip_prefix("http://127.0.0.1:").expect(url);
        port.trim_end_matches('/').parse().unwrap()
    };
    let first = url();
    assert!(
        get(port(&first), "/").unwrap().body.starts_with("web 1 "),
        "{first}"
    );
    // Another supervisor gives what the first one gave, and so does the next `up`.
    processes::kill(stack.process("cais supervise").pid);
    stack.cais("up -d --wait").ok();
    assert_eq!(url(), first);
    stack.cais("down").ok();
    // Unless another program has it by then.
    let other = std::net::TcpListener::bind(("127.0.0.1", port(&first))).unwrap();
    stack.cais("up -d --wait").ok();
    assert_ne!(url(), first);
    drop(other);
}
