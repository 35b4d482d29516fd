//! Fields of a service, from text to type.

use crate::{one, web};
use cais_model::stack::{FailureAction, HealthTest, Order, Restart};
use std::time::Duration;

#[test]
fn a_file_becomes_a_stack() {
    let loaded = one("name: shop
services:
  web:
    image: nginx:${TAG:-1}
    command: serve --on 'a b'
    environment: [A=1, 'SECRET=${TOKEN}', HOME]
    ports: ['8080:80', '127.0.0.2:53:53/udp']
    expose: [9000, '9100-9101']
    depends_on: [db]
    stop_grace_period: 1m30s
    deploy: {replicas: 2, update_config: {order: start-first, monitor: 5s, failure_action: rollback}}
    healthcheck: {test: curl -f localhost, interval: 1.5s}
    logging: {options: {max-size: 10m, max-file: '5'}}
    secrets: [token, {source: token, target: /t, mode: 0440}]
  db:
    image: postgres
secrets: {token: {file: ./token}}
")
    .variable("TOKEN", "hunter2")
    .variable("HOME", "/root")
    .load();
    let web = &loaded.stack.services["web"];
    assert_eq!(loaded.stack.name.as_str(), "shop");
    assert_eq!(web.image.as_deref(), Some("nginx:1"));
    assert_eq!(
        web.command.as_deref(),
        Some(&["serve", "--on", "a b"].map(String::from)[..])
    );
    assert_eq!(web.environment["SECRET"], "hunter2");
    assert_eq!(web.environment["HOME"], "/root");
    assert_eq!(web.expose, [9000, 9100, 9101]);
    assert_eq!(web.replicas, 2);
    assert_eq!(web.stop_grace_period, Duration::from_secs(90));
    assert_eq!(web.log_rotation.max_bytes, 10 << 20);
    assert_eq!(web.log_rotation.max_files, 5);
    let update = web.update.unwrap();
    assert_eq!(
        (update.order, update.failure_action),
        (Order::StartFirst, FailureAction::Rollback)
    );
    let check = web.healthcheck.as_ref().unwrap();
    assert_eq!(check.test, HealthTest::Shell("curl -f localhost".into()));
    assert_eq!(check.timing.interval, Duration::from_millis(1500));
    assert_eq!(check.timing.timeout, Duration::from_secs(30));
    let mounts: Vec<_> = web
        .secrets
        .iter()
        .map(|mount| (mount.target.as_str(), mount.mode))
        .collect();
    assert_eq!(mounts, [("/run/secrets/token", None), ("/t", Some(0o440))]);
    assert_eq!(loaded.variables["TOKEN"].as_deref(), Some("hunter2"));
    assert_eq!(loaded.files.len(), 1);
}

#[test]
fn a_local_command_is_the_process_block_or_entrypoint_and_command() {
    for (fields, want) in [
        ("command: run it", Some("run it")),
        (
            "entrypoint: [sh, -c], command: run it",
            Some("sh -c run it"),
        ),
        (
            "command: run, x-cais: {process: {command: own}}",
            Some("own"),
        ),
        ("entrypoint: ''", None),
        ("tty: true", None),
    ] {
        let words = web(fields).service().local_command();
        assert_eq!(
            words.map(|words| words.join(" ")).as_deref(),
            want,
            "{fields}"
        );
    }
}

#[test]
fn ports_bind_loopback_unless_the_file_says_otherwise() {
    let ports = web("ports: ['80', '8080:80', '0.0.0.0:81:81', '[::1]:82:82', {target: 83, published: '9083'}, 6000-6001:7000-7001]")
        .service()
        .ports;
    let shown: Vec<String> = ports
        .iter()
        .map(|port| {
            format!(
                "{} {} {:?}>{}",
                port.host, port.host_is_explicit, port.published, port.target
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            "127.0.0.1 false None>80",
            "127.0.0.1 false Some(8080)>80",
            "0.0.0.0 true Some(81)>81",
            "::1 true Some(82)>82",
            "127.0.0.1 false Some(9083)>83",
            "127.0.0.1 false Some(6000)>7000",
            "127.0.0.1 false Some(6001)>7001",
        ]
    );
}

#[test]
fn restart_policies_are_read() {
    for (text, want) in [
        ("restart: 'no'", Restart::No),
        ("restart: always", Restart::Always),
        ("restart: unless-stopped", Restart::UnlessStopped),
        (
            "restart: on-failure",
            Restart::OnFailure { max_attempts: None },
        ),
        (
            "restart: on-failure:3",
            Restart::OnFailure {
                max_attempts: Some(3),
            },
        ),
        ("tty: true", Restart::Unset),
        // Compose's YAML reads `no` as text, not as false.
        ("restart: no", Restart::No),
    ] {
        assert_eq!(web(text).service().restart, want, "{text}");
    }
}

#[test]
fn a_disabled_healthcheck_is_none() {
    for text in [
        "healthcheck: {disable: true}",
        "healthcheck: {test: [NONE]}",
        "healthcheck: {test: [CMD, x], disable: true}",
    ] {
        assert_eq!(web(text).service().healthcheck, None, "{text}");
    }
}

#[test]
fn all_mistakes_are_reported_at_once() {
    let errors = one("services:
  web:
    imgae: nginx
    ports: [web]
    deploy: {replicas: many, update_config: {failure_action: rolback}}
    x-cais: {rout: {path: /}}
    stop_grace_period: soon
    command: run 'it
    environment: {A: [1]}
    depends_on: [db]
")
    .errors();
    assert_eq!(
        errors,
        [
            "3:5: error: unknown key `imgae` in services.web (did you mean `image`?)",
            "4:13: error: services.web.ports[0]: `web` is not a port: write a number from 1 to 65535, or a range like `8000-8010`",
            "5:24: error: services.web.deploy.replicas: `many` is not a whole number",
            "5:62: error: `rolback` is no failure action: write `continue`, `pause` or `rollback` (did you mean `rollback`?)",
            "6:14: error: unknown key `rout` in x-cais (did you mean `route`?)",
            "7:24: error: `soon` is not a duration: write it like `1m30s`, `10s` or `500ms`",
            "8:14: error: services.web.command: a quote in `run 'it` is not closed (close it, or write the command as a list)",
            "9:22: error: services.web.environment.A must be a boolean or a number or a string or empty, and it is a list",
            "10:18: error: service `web` depends on `db`, which is not defined",
        ]
    );
}

#[test]
fn values_outside_their_range_are_refused() {
    for (fields, want) in [
        (
            "deploy: {replicas: -1}",
            "`-1` is not a whole number from 0 to 4294967295",
        ),
        (
            "scale: 2, deploy: {replicas: 3}",
            "`scale` is 2 and `deploy.replicas` is 3; give one of them",
        ),
        (
            "ports: [{target: 70000}]",
            "`70000` is not a port from 1 to 65535",
        ),
        (
            "ports: [{target: 80, published: x}]",
            "`x` is not a port: write a number from 1 to 65535, or a range like `8000-8010`",
        ),
        (
            "ports: ['localhost:80:80']",
            "services.web.ports[0]: `localhost` is not an IP address",
        ),
        (
            "logging: {options: {max-size: ten}}",
            "`ten` is not a size: write it like `10m`, `512k` or `1gb`",
        ),
        (
            "healthcheck: {test: [curl, x]}",
            "a test begins with `CMD`, `CMD-SHELL` or `NONE`, not `curl`",
        ),
        (
            "deploy: {update_config: {max_failure_ratio: 2}}",
            "`2` is not a share from 0 to 1",
        ),
        (
            "environment: {'A ': 1}",
            "the variable name `A ` ends with a space",
        ),
    ] {
        let errors = web(fields).errors();
        assert_eq!(errors.len(), 1, "{fields}: {errors:?}");
        assert!(errors[0].contains(want), "{fields}: {errors:?}");
    }
}

#[test]
fn what_a_task_may_use_is_said_in_either_place() {
    let amounts = |fields: &str| {
        let loaded = web(fields).load();
        let resources = loaded.stack.services["web"].resources;
        let (limits, reserved) = (resources.limits, resources.reservations);
        (
            (limits.cpu_millis, limits.memory_bytes, limits.pids),
            (reserved.cpu_millis, reserved.memory_bytes),
        )
    };
    assert_eq!(
        amounts(
            "deploy: {resources: {limits: {cpus: '0.25', memory: 64m, pids: 9}, reservations: {cpus: 0.1, memory: 1g}}}"
        ),
        (
            (Some(250), Some(64 << 20), Some(9)),
            (Some(100), Some(1 << 30))
        )
    );
    assert_eq!(
        amounts("cpus: 1.5, mem_limit: 2g, pids_limit: 5, mem_reservation: 1k"),
        ((Some(1500), Some(2 << 30), Some(5)), (None, Some(1024)))
    );
    assert_eq!(
        amounts("cpus: 0, mem_limit: 0, pids_limit: -1"),
        ((None, None, None), (None, None))
    );
}

#[test]
fn two_amounts_of_one_thing_are_an_error() {
    let errors = web("mem_limit: 1g, deploy: {resources: {limits: {memory: 2g}}}").errors();
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(
        errors[0].contains("`mem_limit` and `deploy.resources.limits.memory` differ"),
        "{errors:?}"
    );
}
