//! `watch` and `up --watch`: what somebody saves while requests come in is built, copied, restarted, and no request is lost.

use crate::support::containers::{Containers, docker, image};
use crate::support::http::{Load, get};
use crate::support::run::{Ran, Running};
use crate::support::{Machine, Stack, eventually, processes};
use rustix::process::Signal;

/// The build says that it began, fails where the source is broken, and else makes what the program reads.
const BUILD: &str =
    "echo begun >> builds; sleep 0.3; ! grep broken src/revision && cp src/revision revision";

const WEB: &str = "services:
  web:
    environment: {NAME: web}
    deploy: {replicas: 2}
    develop:
      watch:
        - {action: rebuild, path: src, ignore: [notes/]}
    x-cais:
      process: {build: 'sh build.sh', command: python3 service.py}
      route: {path: /}
      health: {path: /healthz, ready: /readyz, interval: 100ms, retries: 2}
x-cais: {listen: '127.0.0.1:<port>'}
";

/// A stack whose `web` answers with what `src/revision` says, and what watches it.
fn watched(words: &str) -> (Stack, u16, Running) {
    let machine = Machine::new();
    let port = machine.port();
    let stack = machine.stack("demo", &WEB.replace("<port>", &port.to_string()));
    let service = include_str!("support/service.py");
    let from_environment = "os.environ.get(\"REVISION\", \"1\")";
    assert!(service.contains(from_environment));
    let service = service.replace(from_environment, "open(\"revision\").read().strip()");
    stack.write("service.py", &service);
    stack.write("build.sh", BUILD);
    std::fs::create_dir_all(stack.folder().join("src/notes")).unwrap();
    stack.write("src/revision", "first");
    let watch = stack.start(words);
    serves(port, "first");
    (stack, port, watch)
}

fn serves(port: u16, revision: &str) {
    eventually(&format!("`{revision}` is served"), || {
        get(port, "/").is_ok_and(|answer| answer.body.contains(revision))
    });
}

/// How many builds have begun.
fn builds(stack: &Stack) -> usize {
    let begun = std::fs::read_to_string(stack.folder().join("builds"));
    begun.unwrap_or_default().lines().count()
}

fn interrupted(watch: Running) -> Ran {
    processes::signal(watch.pid(), Signal::INT);
    watch.wait()
}

#[test]
fn what_is_saved_is_served_and_no_request_is_lost() {
    let (stack, port, watch) = watched("watch");
    let load = Load::start(port, "/");
    load.more(20);
    stack.write("src/revision", "second");
    eventually("it is built", || builds(&stack) == 2);
    // Saved while that is built and rolled out: one more build at the end, of the last of them.
    for number in 0..5 {
        stack.write("src/revision", &format!("third-{number}"));
        load.more(2);
    }
    serves(port, "third-4");
    // The build that was under way may have read it already; nobody knows, so there is one more.
    eventually("there is one more build", || builds(&stack) == 3);
    // What is ignored, and what is saved without a change, is nothing to build for; what is broken fails to build.
    stack.write("src/notes/todo", "later");
    stack.write("src/revision", "third-4");
    stack.write("src/revision", "broken");
    eventually("it is built", || builds(&stack) == 4);
    load.more(100);
    serves(port, "third-4");
    stack.write("src/revision", "fourth");
    serves(port, "fourth");
    assert_eq!(builds(&stack), 5);
    load.more(20);
    let report = load.stop();
    assert_eq!(report.failed, [], "of {} requests", report.sent);
    assert!(!report.bodies.iter().any(|body| body.contains("broken")));
    println!("0 of {} requests failed", report.sent);

    let said = interrupted(watch).ok().stderr;
    for line in [
        "watching web: src (rebuild)",
        "web: `src/revision` changed, rebuilding",
        "the build of `web` failed with exit code 1",
        "what ran before still runs",
        "no longer watching; the stack runs on",
    ] {
        assert!(said.contains(line), "no `{line}` in\n{said}");
    }
    serves(port, "fourth");
}

#[test]
fn up_watches_beside_its_log_and_stops_everything_at_the_end() {
    let (stack, port, up) = watched("up --watch");
    stack.write("src/revision", "second");
    serves(port, "second");
    let said = interrupted(up).ok();
    assert!(said.stdout.contains("GET /"), "{said:?}");
    assert!(said.stderr.contains("`src/revision` changed"), "{said:?}");
    assert_eq!(stack.machine.is_clean(), Ok(()));
}

#[test]
fn what_cannot_be_watched_is_refused_before_anything_starts() {
    let cases = [
        ("", "no service is watched by the file"),
        (
            "develop: {watch: [{action: rebuild, path: nowhere}]}",
            "nowhere` is watched for `web`, and is not there",
        ),
        (
            "develop: {watch: [{action: rebuild, path: ., ignore: ['a[']}]}",
            "`a[` is not a pattern",
        ),
    ];
    for (develop, message) in cases {
        let stack = Stack::new(&format!(
            "services:\n  web:\n    command: sleep 600\n    {develop}\n"
        ));
        let said = stack.cais("watch").ended_with(2).stderr;
        assert!(said.contains(message), "no `{message}` in\n{said}");
    }
}

const CONTAINERS: &str = "services:
  web:
    image: <image>
    init: true
    command: [sh, -c, 'mkdir -p /www && exec httpd -f -p 8080 -h /www']
    environment: {PORT: '8080'}
    stop_grace_period: 2s
    deploy: {replicas: 2}
    develop:
      watch:
        - {action: sync, path: www, target: /www, initial_sync: true}
        - {action: sync+restart, path: settings, target: /etc/settings}
    x-cais:
      route: {path: /}
      health: {path: /, interval: 200ms, start_period: 20s}
x-cais: {listen: '127.0.0.1:<port>'}
";

#[test]
fn files_are_copied_into_containers_and_into_those_that_come_later() {
    let test = "files_are_copied_into_containers_and_into_those_that_come_later";
    let Some(image) = image(test) else { return };
    let machine = Machine::new();
    let port = machine.port();
    let compose = CONTAINERS.replace("<port>", &port.to_string());
    let stack = Containers::on(&machine, image, &compose);
    std::fs::create_dir(stack.folder().join("www")).unwrap();
    stack.write("www/index.html", "first");
    stack.write("settings", "old");
    // Healthy only once the first copy is there: `up` does not wait for it.
    stack.cais("up -d").ok();
    let watch = stack.start("watch --no-up");
    serves(port, "first");
    eventually("both are healthy", || stack.healthy("web").len() == 2);
    stack.write("www/index.html", "second");
    stack.write("www/gone", "for a while");
    for task in stack.healthy("web") {
        let read = [
            "exec",
            &stack.container(task.id),
            "cat",
            "/www/index.html",
            "/www/gone",
        ];
        eventually("every container has it", || {
            std::process::Command::new("docker")
                .args(read)
                .output()
                .is_ok_and(|ran| ran.stdout == b"secondfor a while")
        });
    }
    // From here on: the engine replaces a file of a running container in two steps, and a request may come in between.
    serves(port, "second");
    let load = Load::start(port, "/");
    load.more(20);
    stack.remove("www/gone");
    let before = stack.healthy("web");
    stack.write("settings", "new");
    eventually("the tasks are others", || {
        let now = stack.healthy("web");
        now.len() == 2
            && now
                .iter()
                .all(|task| before.iter().all(|old| old.id != task.id))
    });
    load.more(20);
    let report = load.stop();
    assert_eq!(report.failed, [], "of {} requests", report.sent);
    // The new containers have what was copied into the old ones, and not what was removed there.
    for task in stack.healthy("web") {
        let container = stack.container(task.id);
        let script = "cat /www/index.html /etc/settings; ls /www";
        let said = docker(&["exec", &container, "sh", "-c", script]);
        assert_eq!(said, "secondnewindex.html");
    }
    interrupted(watch).ok();
}
