//! A stack in containers: the same commands, the same gateway, the same rules as with processes.

use crate::support::containers::{Containers, docker, image};
use crate::support::http::{Load, get};
use crate::support::{Machine, eventually};
use std::os::unix::fs::MetadataExt;

/// Says which revision and which container answers.
const WEB: &str = "services:
  web:
    image: <image>
    init: true
    command: [sh, -c, 'mkdir -p /tmp/w && echo $$REVISION $$HOSTNAME >/tmp/w/index.html && exec httpd -f -p 8080 -h /tmp/w']
    environment: {PORT: '8080', REVISION: '${REV:-1}'}
    stop_grace_period: 2s
    deploy: {replicas: 2}
    x-cais:
      route: {path: /}
      health: {path: /index.html, interval: 200ms}
x-cais: {listen: '127.0.0.1:<port>'}
";

#[test]
fn containers_are_rolled_out_and_rolled_back_without_a_failed_request() {
    let Some(image) = image("containers_are_rolled_out_and_rolled_back_without_a_failed_request")
    else {
        return;
    };
    let machine = Machine::new();
    let port = machine.port();
    let stack = Containers::on(&machine, image, &WEB.replace("<port>", &port.to_string()));
    let up = stack.cais("up -d --wait").ok();
    assert!(
        up.stdout.contains(&format!("http://127.0.0.1:{port}/")),
        "{up:?}"
    );
    assert_eq!(stack.all().len(), 2);
    let load = Load::start(port, "/");
    load.more(20);
    machine.set("REV", "2");
    let deploy = stack.cais("deploy").ok();
    load.more(20);
    stack.cais("rollback web").ok();
    load.more(20);
    let report = load.stop();
    assert_eq!(report.failed, [], "of {} requests", report.sent);
    let revisions: Vec<&str> = report
        .bodies
        .iter()
        .map(|body| body.split(' ').next().unwrap())
        .collect();
    assert!(
        revisions.contains(&"1") && revisions.contains(&"2"),
        "{revisions:?}"
    );
    println!(
        "deployed within {:?}, 0 of {} failed",
        deploy.took, report.sent
    );
    stack.cais("scale web=3").ok();
    assert_eq!(stack.healthy("web").len(), 3);
}

#[test]
fn a_service_is_found_by_its_name_and_its_aliases() {
    let Some(image) = image("a_service_is_found_by_its_name_and_its_aliases") else {
        return;
    };
    let stack = Containers::new(
        image,
        "services:
  web:
    image: <image>
    init: true
    command: [sh, -c, 'mkdir /tmp/w && echo here >/tmp/w/index.html && exec httpd -f -p 80 -h /tmp/w']
    expose: ['80']
    networks: {back: {aliases: [www]}}
  asks:
    image: <image>
    restart: 'no'
    networks: [back, default]
    depends_on: {web: {condition: service_healthy}}
    command: [sh, -c, 'wget -qO- http://web/ && wget -qO- http://www/']
networks: {back: {internal: true}}
",
    );
    stack.cais("up -d --wait").ok();
    eventually("both names were asked", || {
        let ran = stack.cais("logs --no-log-prefix asks");
        ran.stdout.matches("here").count() == 2
    });
    let internal = docker(&[
        "network",
        "inspect",
        "-f",
        "{{.Internal}}",
        &format!("{}_back", stack.name()),
    ]);
    assert_eq!(internal, "true");
}

#[test]
fn each_condition_is_waited_for_in_containers() {
    let Some(image) = image("each_condition_is_waited_for_in_containers") else {
        return;
    };
    let stack = Containers::new(
        image,
        "services:
  db:
    image: <image>
    command: [sh, -c, 'sleep 0.5; touch /tmp/ready; echo db-ready; exec sleep 1000']
    stop_grace_period: 0s
    healthcheck: {test: 'test -e /tmp/ready', interval: 100ms, start_period: 10s, start_interval: 50ms}
  migrate:
    image: <image>
    restart: 'no'
    depends_on: {db: {condition: service_healthy}}
    command: [sh, -c, 'echo migrates; sleep 0.5; echo migrated']
  helper:
    image: <image>
    stop_grace_period: 0s
    depends_on: {db: {condition: service_started}}
    command: [sh, -c, 'echo helps; exec sleep 1000']
  app:
    image: <image>
    stop_grace_period: 0s
    depends_on:
      migrate: {condition: service_completed_successfully}
      helper: {condition: service_started}
    command: [sh, -c, 'echo runs; exec sleep 1000']
",
    );
    stack.cais("up -d --wait").ok();
    stack.logs_have("runs");
    let log = stack.cais("logs --json").ok().stdout;
    let at = |text: &str| -> String {
        let line = log.lines().find(|line| line.contains(text));
        let line: serde_json::Value =
            serde_json::from_str(line.unwrap_or_else(|| panic!("{text}: {log}"))).unwrap();
        line["at"].as_str().unwrap().to_owned()
    };
    assert!(at("db-ready") < at("migrates"), "{log}");
    assert!(at("migrated") < at("runs"), "{log}");
    assert!(at("helps") < at("runs"), "{log}");
}

#[test]
fn a_secret_is_readable_for_the_container_s_user_and_for_no_other_user_of_the_machine() {
    let Some(image) =
        image("a_secret_is_readable_for_the_container_s_user_and_for_no_other_user_of_the_machine")
    else {
        return;
    };
    let stack = Containers::new(
        image,
        "services:
  web:
    image: <image>
    user: '65532:65532'
    read_only: true
    cap_drop: [ALL]
    secrets: [token, {source: token, target: /etc/own, mode: 0440}]
    configs: [{source: greeting, target: /greeting}]
    tmpfs: ['/scratch:mode=1777']
    stop_grace_period: 0s
    command: [sh, -c, 'cat /run/secrets/token /greeting; ls -ln /etc/own; touch /no 2>&1; touch /scratch/yes && echo writes; exec sleep 1000']
secrets: {token: {file: ./token}}
configs: {greeting: {content: hello-there}}
",
    );
    stack.write("token", "hunter2\n");
    stack.cais("up -d --wait").ok();
    stack.logs_have("writes");
    let log = stack.cais("logs --no-log-prefix").ok().stdout;
    for part in [
        "hunter2",
        "hello-there",
        "-r--r-----",
        "Read-only file system",
    ] {
        assert!(log.contains(part), "{part}: {log}");
    }
    let inspected = docker(&["inspect", &stack.container(1)]);
    assert!(!inspected.contains("hunter2"), "{inspected}");
    // The file on the host is behind a folder that is its user's alone.
    let source = docker(&[
        "inspect",
        "-f",
        "{{range .Mounts}}{{.Source}}\n{{end}}",
        &stack.container(1),
    ]);
    let folder = std::path::Path::new(source.lines().next().unwrap())
        .parent()
        .unwrap();
    assert_eq!(std::fs::metadata(folder).unwrap().mode() & 0o777, 0o700);
}

#[test]
fn volumes_keep_what_is_written_until_they_are_removed() {
    let Some(image) = image("volumes_keep_what_is_written_until_they_are_removed") else {
        return;
    };
    let stack = Containers::new(
        image,
        "services:
  web:
    image: <image>
    stop_grace_period: 0s
    volumes: ['data:/data', './made:/made', '/anonymous']
    command: [sh, -c, 'echo $$HOSTNAME >>/data/who; echo x >/made/x; wc -l </data/who; exec sleep 1000']
volumes: {data: {labels: {owner: me}}}
",
    );
    stack.cais("up -d --wait").ok();
    eventually("it wrote", || stack.folder().join("made/x").exists());
    stack.cais("down").ok();
    assert_eq!(stack.volumes(), [format!("{}_data", stack.name())]);
    stack.cais("up -d --wait").ok();
    eventually("both are in the volume", || {
        stack
            .cais("logs --no-log-prefix")
            .stdout
            .lines()
            .any(|line| line.trim() == "2")
    });
    let labels = docker(&[
        "volume",
        "inspect",
        "-f",
        "{{json .Labels}}",
        &format!("{}_data", stack.name()),
    ]);
    assert!(
        labels.contains("\"com.docker.compose.volume\":\"data\""),
        "{labels}"
    );
    assert!(labels.contains("\"owner\":\"me\""), "{labels}");
}

#[test]
fn exec_runs_in_the_task_and_gives_its_exit_code() {
    let Some(image) = image("exec_runs_in_the_task_and_gives_its_exit_code") else {
        return;
    };
    let stack = Containers::new(
        image,
        "services: {web: {image: <image>, environment: {A: one}, stop_grace_period: 0s, command: [sleep, '1000']}}\n",
    );
    stack.cais("up -d --wait").ok();
    let ran = stack
        .cais("exec -e B=two -w /tmp -u 65534 web sh -c env;pwd;id")
        .ok();
    for part in ["A=one", "B=two"] {
        assert!(ran.stdout.contains(part), "{ran:?}");
    }
    let ran = stack.cais("exec -w /tmp -u 65534 web id").ok();
    assert!(ran.stdout.contains("uid=65534(nobody)"), "{ran:?}");
    stack.cais("exec web false").ended_with(1);
    let top = stack.cais("top").ok();
    assert!(top.stdout.contains("sleep 1000"), "{top:?}");
}

#[test]
fn what_the_file_leaves_out_the_image_says() {
    let Some(image) = image("what_the_file_leaves_out_the_image_says") else {
        return;
    };
    let machine = Machine::new();
    let port = machine.port();
    let compose = "services:
  web:
    build:
      dockerfile_inline: |
        FROM <image>
        EXPOSE 8080
        HEALTHCHECK --interval=200ms --start-period=20s CMD test -e /tmp/well
    init: true
    stop_grace_period: 2s
    command: [sh, -c, 'mkdir /tmp/w && echo <answer> >/tmp/w/index.html; (sleep 1; touch /tmp/well) & exec httpd -f -p 8080 -h /tmp/w']
    x-cais: {route: {path: /}}
x-cais: {listen: '127.0.0.1:<port>'}
";
    let compose = compose.replace("<port>", &port.to_string());
    let stack = Containers::on(&machine, image, &compose.replace("<answer>", "one"));
    let up = stack.cais("up -d --wait").ok();
    assert!(up.took > std::time::Duration::from_secs(1), "{up:?}");
    assert_eq!(get(port, "/").unwrap().body, "one");
    let events = stack.cais("events").ok().stdout;
    assert!(events.contains("its health check passed"), "{events}");
    stack.compose(&compose.replace("<image>", image).replace("<answer>", "two"));
    let plan = stack.cais("plan").ok().stdout;
    assert!(plan.contains("rolls"), "{plan}");
    stack.cais("deploy").ok();
    assert_eq!(get(port, "/").unwrap().body, "two");
    let unchanged = stack.cais("deploy").ok();
    assert!(unchanged.stdout.contains("unchanged"), "{unchanged:?}");
    let clean = stack.cais("clean -y").ok();
    assert!(clean.stderr.contains("image "), "{clean:?}");
    assert_eq!(stack.all(), Vec::<String>::new());
}

#[test]
fn containers_whose_network_is_elsewhere_are_reached_through_loopback() {
    let Some(image) = image("containers_whose_network_is_elsewhere_are_reached_through_loopback")
    else {
        return;
    };
    let machine = Machine::new();
    let port = machine.port();
    machine.set("CAIS_DOCKER_REACH", "loopback");
    let stack = Containers::on(&machine, image, &WEB.replace("<port>", &port.to_string()));
    stack.cais("up -d --wait").ok();
    let ports: Vec<_> = stack.healthy("web").iter().map(|task| task.port).collect();
    assert!(
        ports
            .iter()
            .all(|port| port.is_some_and(|port| port != 8080)),
        "{ports:?}"
    );
    let load = Load::start(port, "/");
    load.more(10);
    stack.cais("restart").ok();
    load.more(10);
    assert_eq!(load.stop().failed, []);
}
