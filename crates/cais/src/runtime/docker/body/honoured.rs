//! No row of the field table says "honoured" with nothing behind it: the field changes what the engine is asked for, or the stack that the supervisor goes by.

use super::tests::{body_of, stack_of};
use Seen::{Body, Stack, Standing};
use cais_model::fields::{Support, TABLE};
use std::collections::BTreeSet;

/// Where a field that is set is seen.
#[derive(Clone, Copy, PartialEq)]
enum Seen {
    /// In the request for a container.
    Body,
    /// In the typed stack: the supervisor, the gateway or who makes images reads it there.
    Stack,
    /// Nowhere: it says what happens in any case.
    Standing,
}

/// A row, a value for its field, and where it is seen. Fields without a dot before them are of the service `web`.
const FIELDS: &[(&str, &str, Seen)] = &[
    ("image", "image: other", Stack),
    ("build", "build: ./web", Stack),
    ("command", "command: [a]", Body),
    ("entrypoint", "entrypoint: [a]", Body),
    ("working_dir", "working_dir: sub", Body),
    ("working_dir=/*", "working_dir: /sub", Body),
    ("environment", "environment: {A: b}", Body),
    ("env_file", "env_file: a.env", Body),
    ("user", "user: '7'", Body),
    ("group_add", "group_add: ['7']", Body),
    ("platform", "platform: linux/arm64", Stack),
    ("pull_policy", "pull_policy: always", Stack),
    ("profiles", "profiles: [p]", Stack),
    (
        "extends",
        "extends: {file: other.yaml, service: base}",
        Body,
    ),
    ("x-cais.process", "x-cais: {process: {command: a}}", Stack),
    (
        "x-cais.image",
        "x-cais: {image: {artifact: a, build: b}}",
        Stack,
    ),
    ("depends_on", "depends_on: [db]", Stack),
    ("restart", "restart: 'no'", Stack),
    (
        "healthcheck.disable",
        "healthcheck: {test: x, disable: true}",
        Standing,
    ),
    ("healthcheck.test", "healthcheck: {test: x}", Stack),
    (
        "healthcheck.interval",
        "healthcheck: {test: x, interval: 7s}",
        Stack,
    ),
    (
        "healthcheck.retries",
        "healthcheck: {test: x, retries: 7}",
        Stack,
    ),
    (
        "healthcheck.start_interval",
        "healthcheck: {test: x, start_interval: 7s}",
        Stack,
    ),
    (
        "healthcheck.start_period",
        "healthcheck: {test: x, start_period: 7s}",
        Stack,
    ),
    (
        "healthcheck.timeout",
        "healthcheck: {test: x, timeout: 7s}",
        Stack,
    ),
    ("stop_signal", "stop_signal: SIGINT", Body),
    ("stop_grace_period", "stop_grace_period: 7s", Stack),
    ("init", "init: true", Body),
    ("tty", "tty: true", Body),
    ("stdin_open", "stdin_open: true", Body),
    (
        "develop.watch.*.action=sync",
        "develop: {watch: [{path: ., action: sync, target: /a}]}",
        Stack,
    ),
    (
        "develop",
        "develop: {watch: [{path: ., action: restart}]}",
        Stack,
    ),
    ("x-cais.ci", "x-cais: {ci: {lint: l}}", Stack),
    ("x-cais.health", "x-cais: {health: {path: /h}}", Stack),
    ("scale", "scale: 3", Stack),
    ("deploy.replicas", "deploy: {replicas: 3}", Stack),
    (
        "deploy.mode=replicated",
        "deploy: {mode: replicated}",
        Standing,
    ),
    (
        "deploy.update_config.delay",
        "deploy: {update_config: {delay: 7s}}",
        Stack,
    ),
    (
        "deploy.update_config",
        "deploy: {update_config: {order: start-first, parallelism: 3}}",
        Stack,
    ),
    (
        "deploy.resources",
        "deploy: {resources: {limits: {memory: 64m}}}",
        Body,
    ),
    (
        "x-cais.rollout.strategy=rolling",
        "x-cais: {rollout: {strategy: rolling}}",
        Standing,
    ),
    (
        "x-cais.rollout",
        "x-cais: {rollout: {maximum: 300%}}",
        Stack,
    ),
    ("ports", "ports: ['80:81']", Stack),
    ("expose", "expose: ['81']", Stack),
    ("networks", "networks: [back]", Body),
    ("network_mode=host", "network_mode: host", Body),
    ("network_mode=bridge", "network_mode: bridge", Body),
    ("network_mode=default", "network_mode: default", Standing),
    ("network_mode=none", "network_mode: none", Body),
    ("links", "links: ['db:x']", Stack),
    ("hostname", "hostname: h", Body),
    ("domainname", "domainname: d", Body),
    ("extra_hosts", "extra_hosts: {a: 1.1.1.1}", Body),
    ("dns", "dns: 1.1.1.1", Body),
    ("dns_opt", "dns_opt: [a]", Body),
    ("dns_search", "dns_search: a.b", Body),
    ("x-cais.route", "x-cais: {route: {path: /}}", Stack),
    ("secrets", "secrets: [s]", Stack),
    ("secrets.*.uid", "secrets: [{source: s, uid: '7'}]", Stack),
    ("secrets.*.gid", "secrets: [{source: s, gid: '7'}]", Stack),
    (
        "secrets.*.mode",
        "secrets: [{source: s, mode: 0400}]",
        Stack,
    ),
    ("configs", "configs: [c]", Stack),
    ("configs.*.uid", "configs: [{source: c, uid: '7'}]", Stack),
    ("configs.*.gid", "configs: [{source: c, gid: '7'}]", Stack),
    (
        "configs.*.mode",
        "configs: [{source: c, mode: 0400}]",
        Stack,
    ),
    ("volumes", "volumes: ['data:/d']", Body),
    ("tmpfs", "tmpfs: /t", Body),
    ("storage_opt", "storage_opt: {size: 1g}", Body),
    ("read_only", "read_only: true", Body),
    ("shm_size", "shm_size: 1g", Body),
    ("logging.driver", "logging: {driver: syslog}", Body),
    (
        "logging.driver=json-file",
        "logging: {driver: json-file}",
        Standing,
    ),
    ("logging.driver=local", "logging: {driver: local}", Body),
    (
        "logging.options.max-size",
        "logging: {options: {max-size: 7m}}",
        Stack,
    ),
    (
        "logging.options.max-file",
        "logging: {options: {max-file: '7'}}",
        Stack,
    ),
    (
        "logging.options.*",
        "logging: {driver: syslog, options: {tag: x}}",
        Body,
    ),
    ("labels", "labels: {a: b}", Body),
    ("label_file", "label_file: a.env", Body),
    ("annotations", "annotations: {a: b}", Body),
    ("cpus", "cpus: 0.5", Body),
    ("mem_limit", "mem_limit: 64m", Body),
    ("mem_reservation", "mem_reservation: 64m", Body),
    ("mem_swappiness", "mem_swappiness: 7", Body),
    ("memswap_limit", "memswap_limit: 64m", Body),
    ("cpu_count", "cpu_count: 1", Body),
    ("cpu_percent", "cpu_percent: 7", Body),
    ("cpu_shares", "cpu_shares: 7", Body),
    ("cpu_quota", "cpu_quota: 7000", Body),
    ("cpu_period", "cpu_period: 7000", Body),
    ("cpu_rt_period", "cpu_rt_period: 7000", Body),
    ("cpu_rt_runtime", "cpu_rt_runtime: 7000", Body),
    ("cpuset", "cpuset: '0'", Body),
    ("blkio_config", "blkio_config: {weight: 70}", Body),
    ("pids_limit", "pids_limit: 7", Body),
    ("oom_kill_disable", "oom_kill_disable: true", Body),
    ("oom_score_adj", "oom_score_adj: 7", Body),
    ("ulimits", "ulimits: {nproc: 7}", Body),
    ("ulimits.nofile", "ulimits: {nofile: 7}", Body),
    ("ulimits.*", "ulimits: {core: 7}", Body),
    ("sysctls", "sysctls: {net.a: 1}", Body),
    ("privileged", "privileged: true", Body),
    ("privileged=false", "privileged: false", Standing),
    ("cap_add", "cap_add: [NET_ADMIN]", Body),
    ("cap_add=SYS_PTRACE", "cap_add: [SYS_PTRACE]", Body),
    ("cap_drop", "cap_drop: [ALL]", Body),
    ("security_opt", "security_opt: ['a:b']", Body),
    ("userns_mode", "userns_mode: host", Body),
    ("uts", "uts: host", Body),
    ("ipc", "ipc: private", Body),
    ("ipc=host", "ipc: host", Body),
    ("pid", "pid: 'host'", Body),
    ("pid=host", "pid: host", Body),
    ("cgroup", "cgroup: host", Body),
    ("cgroup_parent", "cgroup_parent: p", Body),
    ("devices", "devices: ['/dev/a:/dev/a']", Body),
    (
        "device_cgroup_rules",
        "device_cgroup_rules: ['c 1:3 mr']",
        Body,
    ),
    ("gpus", "gpus: all", Body),
    ("isolation", "isolation: default", Body),
    ("runtime", "runtime: runc", Body),
];

/// The same for what stands outside of services: what is written over the base.
const TOP: &[(&str, &str)] = &[
    // `-p` or the file: who loads a release says its name.
    ("name", ""),
    ("include", "include: [other.yaml]"),
    ("services", ""),
    ("networks", "networks: {back: {internal: true}}"),
    ("volumes", "volumes: {data: {driver: x}}"),
    ("secrets", "secrets: {s: {file: ./other}}"),
    ("configs", "configs: {c: {file: ./other}}"),
    ("x-cais.listen", "x-cais: {listen: '127.0.0.1:7'}"),
];

/// A file with one field of `web`, last so that it moves nothing.
fn with(field: &str) -> String {
    format!(
        "networks: {{back: {{}}}}\nvolumes: {{data: {{}}}}\nsecrets: {{s: {{file: ./s}}}}\nconfigs: {{c: {{file: ./c}}}}\n\
         services:\n  db: {{image: d}}\n  web:\n    image: i\n    {field}\n"
    )
}

/// What the supervisor goes by: the types, without the texts they were read from and where those stand in the file.
fn shown(compose: &str) -> String {
    let mut stack = stack_of(compose);
    for service in stack.services.values_mut() {
        service.definition.clear();
        service.task_definition.clear();
        service.used_variables.clear();
    }
    let places = regex::Regex::new(r"Position \{[^}]*\}").unwrap();
    places.replace_all(&format!("{stack:?}"), "").into_owned()
}

fn is_honoured(row: &cais_model::fields::Row) -> bool {
    row.1 == Support::Honoured || row.2 == Support::Honoured
}

#[test]
fn every_honoured_field_of_a_service_is_read() {
    let (plain, mut wrong) = (with(""), Vec::new());
    let honoured = TABLE.iter().filter(|row| is_honoured(row));
    let fields: BTreeSet<&str> = honoured
        .filter_map(|row| row.0.strip_prefix("services.*."))
        .collect();
    for field in &fields {
        let Some((_, text, seen)) = FIELDS.iter().find(|(name, ..)| name == field) else {
            wrong.push(format!("{field}: no example"));
            continue;
        };
        let base = match text.strip_prefix("healthcheck: {test: x, ") {
            Some(_) => with("healthcheck: {test: x}"),
            None => plain.clone(),
        };
        // Without its image a service has another; a key stands once.
        let changed = match text.strip_prefix("image: ") {
            Some(image) => plain.replace("image: i", &format!("image: {image}")),
            None => with(text),
        };
        let is_seen = match seen {
            Body => body_of(&changed) != body_of(&base),
            Stack => shown(&changed) != shown(&base),
            Standing => true,
        };
        if !is_seen {
            wrong.push(format!("{field}: `{text}` changes nothing"));
        }
    }
    for (name, ..) in FIELDS {
        if !fields.contains(name) {
            wrong.push(format!("{name}: not honoured, or no row"));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn every_honoured_field_outside_of_services_is_read() {
    let honoured = TABLE.iter().filter(|row| is_honoured(row));
    let rows = honoured.filter(|row| !row.0.starts_with("services.*."));
    for (name, ..) in rows {
        let example = TOP.iter().find(|(row, _)| row == name);
        let (_, text) = example.unwrap_or_else(|| panic!("{name}: no example"));
        let plain = with("networks: [back]\n    volumes: ['data:/d']");
        let key = text.split(':').next().unwrap_or_default();
        let others = plain
            .lines()
            .filter(|line| !line.starts_with(&format!("{key}:")) || key.is_empty());
        let kept: Vec<&str> = others.collect();
        let changed = format!("{}\n{text}\n", kept.join("\n"));
        if !text.is_empty() {
            assert!(
                shown(&changed) != shown(&plain),
                "{name}: `{text}` changes nothing"
            );
        }
    }
}
