//! Entries that contradict themselves or each other.

use crate::{one, web};

fn check(text: &str, want: &str) {
    assert_eq!(one(text).errors(), [want], "{text}");
}

#[test]
fn a_circle_of_dependencies_is_said_whole() {
    check(
        "services: {a: {image: i, depends_on: [b]}, b: {image: i, depends_on: [c]}, c: {image: i, depends_on: [a]}}",
        "1:103: error: services depend on each other in a circle: a → b → c → a",
    );
    check(
        "services: {a: {image: i, links: [b]}, b: {image: i, network_mode: 'service:a'}}",
        "1:67: error: services depend on each other in a circle: a → b → a",
    );
}

#[test]
fn names_must_be_defined() {
    for (fields, want) in [
        (
            "depends_on: [wbe]",
            "1:41: error: service `web` depends on `wbe`, which is not defined (did you mean `web`?)",
        ),
        (
            "networks: [front]",
            "1:39: error: service `web` uses the network `front`, which is not defined (define it under the top-level `networks:`)",
        ),
        (
            "volumes: ['data:/d']",
            "1:38: error: service `web` uses the volume `data`, which is not defined (define it under the top-level `volumes:`)",
        ),
        (
            "secrets: [s]",
            "1:38: error: service `web` uses the secret `s`, which is not defined (define it under the top-level `secrets:`)",
        ),
        (
            "configs: [{source: c}]",
            "1:47: error: service `web` uses the config `c`, which is not defined (define it under the top-level `configs:`)",
        ),
        (
            "build: {secrets: [s]}",
            "1:46: error: service `web` uses the secret `s`, which is not defined (define it under the top-level `secrets:`)",
        ),
    ] {
        assert_eq!(web(fields).errors(), [want], "{fields}");
    }
    assert!(
        web("networks: [default], volumes: [/anonymous, './bind:/b']")
            .try_load()
            .is_ok()
    );
}

#[test]
fn a_service_needs_something_to_run() {
    check(
        "services: {web: {tty: true}}",
        "1:12: error: service `web` has nothing to run (give it an `image`, a `build`, or `x-cais.process.command`)",
    );
    for fields in [
        "build: .",
        "command: run",
        "x-cais: {process: {command: run}}",
    ] {
        assert!(
            one(&format!("services: {{web: {{{fields}}}}}"))
                .try_load()
                .is_ok(),
            "{fields}"
        );
    }
}

#[test]
fn a_port_is_published_once() {
    check(
        "services: {a: {image: i, ports: ['80:80']}, b: {image: i, ports: ['0.0.0.0:80:81']}}",
        "1:67: error: service `b` publishes port 80, which service `a` publishes (it was published first at 1:34)",
    );
    let apart = "services: {a: {image: i, ports: ['80:80', '80:80/udp', '127.0.0.2:80:80']}, b: {image: i, ports: ['80']}}";
    assert!(one(apart).try_load().is_ok());
}

#[test]
fn a_route_belongs_to_one_service() {
    let services = |first: &str, second: &str| {
        format!(
            "services: {{a: {{image: i, x-cais: {{route: {{{first}}}}}}}, b: {{image: i, x-cais: {{route: {{{second}}}}}}}}}"
        )
    };
    check(
        &services("path: /x", "path: /x/"),
        "1:79: error: services `a` and `b` have one route: `/x`",
    );
    assert!(
        one(&services("path: /x", "path: /x, host: a.example"))
            .try_load()
            .is_ok()
    );
}

#[test]
fn a_service_that_runs_once_has_no_route() {
    assert_eq!(
        web("restart: no, x-cais: {route: {path: /}}").errors(),
        ["1:50: error: service `web` has a route, and `restart: no` runs it once"]
    );
    check(
        "services: {once: {image: i, x-cais: {route: {path: /}}}, web: {image: i, depends_on: {once: {condition: service_completed_successfully}}}}",
        "1:38: error: service `once` has a route, and service `web` waits for its end",
    );
}

#[test]
fn a_rollout_must_be_able_to_move() {
    for (fields, moves) in [
        (
            "deploy: {replicas: 1}, x-cais: {rollout: {maximum: 150%}}",
            false,
        ),
        (
            "deploy: {replicas: 1}, x-cais: {rollout: {maximum: 200%}}",
            true,
        ),
        (
            "deploy: {replicas: 1}, x-cais: {rollout: {minimum_healthy: 0, maximum: 100}}",
            true,
        ),
        (
            "deploy: {replicas: 3}, x-cais: {rollout: {minimum_healthy: 67%, maximum: 133%}}",
            false,
        ),
        (
            "deploy: {replicas: 3}, x-cais: {rollout: {minimum_healthy: 66%, maximum: 100%}}",
            true,
        ),
        (
            "deploy: {replicas: 0}, x-cais: {rollout: {maximum: 100%}}",
            true,
        ),
    ] {
        assert_eq!(web(fields).try_load().is_ok(), moves, "{fields}");
    }
    assert_eq!(
        web("x-cais: {rollout: {maximum: 150%}}").errors(),
        [
            "1:37: error: a rollout of service `web` can never move: of 1 tasks 100% is at least 1 and 150% at most 1 (lower `minimum_healthy` or raise `maximum`, e.g. to 200%)"
        ]
    );
}

#[test]
fn fields_that_exclude_each_other_are_refused() {
    for (text, want) in [
        (
            "services: {web: {image: i, network_mode: host, networks: [default]}}",
            "1:42: error: service `web` has both `network_mode` and `networks`",
        ),
        (
            "services: {web: {build: {dockerfile: a, dockerfile_inline: b}}}",
            "1:60: error: service `web` has both `dockerfile` and `dockerfile_inline`",
        ),
        (
            "services: {web: {image: i, container_name: one, scale: 2}}",
            "1:44: error: service `web` has 2 tasks and one `container_name` (remove `container_name`)",
        ),
        (
            "secrets: {s: {file: a, environment: B}}",
            "1:14: error: secret `s` has `file` and `environment`; it can have one of `file`, `environment`",
        ),
        (
            "configs: {c: {name: x}}",
            "1:14: error: config `c` needs one of `file`, `environment`, `content`, or `external: true`",
        ),
        (
            "volumes: {v: {external: true, driver: local}}",
            "1:31: error: volume `v` is external and cannot have `driver`",
        ),
    ] {
        check(text, want);
    }
}
