//! From a Compose file to what the engine is asked for, field by field.

use super::*;
use crate::control::Release;
use crate::supervisor::definition;
use cais_engine::event::{RevisionNumber, TaskId};
use serde_json::{Value, json};
use std::path::PathBuf;

/// The body for the service `web` of this file.
pub(super) fn body_of(compose: &str) -> Value {
    let stack = stack_of(compose);
    let service = stack.services["web"].clone();
    let spec = spec(&stack, service);
    let scope = Scope {
        project: "shop".to_owned(),
        key: "shop-0".to_owned(),
    };
    serde_json::to_value(body(&spec, &scope, false, "json-file")).unwrap()
}

/// The stack of this file, with two more files beside it.
pub(super) fn stack_of(compose: &str) -> cais_model::stack::Stack {
    let other = "services: {base: {image: b, hostname: of-base}}\n";
    let texts = [
        ("compose.yaml", compose),
        ("/project/other.yaml", other),
        ("/project/a.env", "IN_FILE=1\n"),
    ];
    let texts = texts.map(|(name, text)| (name.into(), text.to_owned()));
    let release = Release {
        files: vec!["compose.yaml".into()],
        texts: texts.to_vec(),
        directory: "/project".into(),
        name: "shop".to_owned(),
        profiles: Vec::new(),
        env_files: Vec::new(),
    };
    definition::load(&release, &BTreeMap::new()).unwrap().stack
}

fn spec(stack: &cais_model::stack::Stack, service: cais_model::stack::Service) -> ContainerSpec {
    ContainerSpec {
        task: TaskId(17),
        revision: RevisionNumber(3),
        task_dir: PathBuf::from("/state/shop-0/tasks/17"),
        layers: PathBuf::from("/state/shop-0/layers"),
        environment: service.environment.clone(),
        run: super::super::ContainerRun {
            image: "sha256:1".to_owned(),
            files: BTreeMap::from([(
                "/run/secrets/token".to_owned(),
                PathBuf::from("/run/token-1"),
            )]),
            networks: stack.networks.clone(),
            volumes: stack.volumes.clone(),
            aliases: Vec::new(),
        },
        service,
    }
}

/// Fields of the service `web`, one to a line, and where in the body each is found.
#[track_caller]
fn check(fields: &str, pointer: &str, want: &Value) {
    let body = body_of(&format!("services:\n  web:\n    image: i\n    {fields}\n"));
    assert_eq!(body.pointer(pointer), Some(want), "{fields}");
}

#[test]
fn the_engine_decides_nothing_about_a_task() {
    check(
        "restart: always",
        "/HostConfig/RestartPolicy/Name",
        &json!("no"),
    );
    check(
        "healthcheck: {test: x}",
        "/Healthcheck/Test",
        &json!(["NONE"]),
    );
    let body = body_of("services: {web: {image: i}}");
    assert_eq!(body["HostConfig"].get("AutoRemove"), None);
    assert_eq!(body["Image"], json!("sha256:1"));
    for (label, value) in [
        ("cais.project", "shop"),
        ("cais.state", "shop-0"),
        ("cais.service", "web"),
        ("cais.revision", "3"),
        ("cais.task", "17"),
        ("cais.image", "i"),
    ] {
        assert_eq!(body["Labels"][label], json!(value));
    }
    // `docker compose` must not take tasks for its own containers.
    let labels = body["Labels"].as_object().unwrap();
    assert!(
        labels
            .keys()
            .all(|label| !label.starts_with("com.docker.compose"))
    );
}

#[test]
fn each_field_has_its_place() {
    for (fields, pointer, want) in [
        ("command: [a, 'b c']", "/Cmd", json!(["a", "b c"])),
        ("entrypoint: []", "/Entrypoint", json!([""])),
        ("user: '7:8'", "/User", json!("7:8")),
        ("working_dir: /w", "/WorkingDir", json!("/w")),
        (
            "container_name: c",
            "/NetworkingConfig/EndpointsConfig/shop_default/Aliases",
            json!(["web", "c"]),
        ),
        ("hostname: h", "/Hostname", json!("h")),
        ("stop_signal: SIGINT", "/StopSignal", json!("SIGINT")),
        ("tty: true", "/Tty", json!(true)),
        ("init: true", "/HostConfig/Init", json!(true)),
        ("read_only: true", "/HostConfig/ReadonlyRootfs", json!(true)),
        ("privileged: true", "/HostConfig/Privileged", json!(true)),
        ("cap_drop: [ALL]", "/HostConfig/CapDrop", json!(["ALL"])),
        (
            "cap_add: [SYS_PTRACE]",
            "/HostConfig/CapAdd",
            json!(["SYS_PTRACE"]),
        ),
        ("group_add: [7]", "/HostConfig/GroupAdd", json!(["7"])),
        (
            "security_opt: ['a:b']",
            "/HostConfig/SecurityOpt",
            json!(["a:b"]),
        ),
        ("dns: 1.1.1.1", "/HostConfig/Dns", json!(["1.1.1.1"])),
        (
            "extra_hosts: {a: host-gateway}",
            "/HostConfig/ExtraHosts",
            json!(["a:host-gateway"]),
        ),
        (
            "sysctls: {net.a: 1}",
            "/HostConfig/Sysctls",
            json!({"net.a": "1"}),
        ),
        (
            "tmpfs: ['/t:size=1m']",
            "/HostConfig/Tmpfs",
            json!({"/t": "size=1m"}),
        ),
        ("shm_size: 1m", "/HostConfig/ShmSize", json!(1 << 20)),
        (
            "ulimits: {nofile: {soft: 1, hard: 2}}",
            "/HostConfig/Ulimits/0",
            json!({"Name": "nofile", "Soft": 1, "Hard": 2}),
        ),
        (
            "deploy: {resources: {limits: {cpus: '0.5'}}}",
            "/HostConfig/NanoCpus",
            json!(500_000_000),
        ),
        ("mem_limit: 1m", "/HostConfig/Memory", json!(1 << 20)),
        ("pids_limit: 9", "/HostConfig/PidsLimit", json!(9)),
        (
            "devices: ['/dev/a:/dev/b:r']",
            "/HostConfig/Devices/0",
            json!({"PathOnHost": "/dev/a", "PathInContainer": "/dev/b", "CgroupPermissions": "r"}),
        ),
        (
            "network_mode: host",
            "/HostConfig/NetworkMode",
            json!("host"),
        ),
        (
            "logging: {driver: syslog, options: {tag: t}}",
            "/HostConfig/LogConfig",
            json!({"Type": "syslog", "Config": {"tag": "t"}}),
        ),
        (
            "logging: {options: {max-size: 1m}}",
            "/HostConfig/LogConfig/Config",
            json!({"max-size": "1m", "max-file": "3"}),
        ),
    ] {
        check(fields, pointer, &want);
    }
}

#[test]
fn a_container_is_made_on_its_first_network_under_its_names() {
    let body = body_of(
        "services: {web: {image: i, networks: {low: {priority: 1}, high: {priority: 9, aliases: [www], ipv4_address: 10.9.0.9}}}}\nnetworks: {low: , high: {name: theirs}}\n",
    );
    assert_eq!(body["HostConfig"]["NetworkMode"], json!("theirs"));
    let endpoints = body["NetworkingConfig"]["EndpointsConfig"]
        .as_object()
        .unwrap();
    assert_eq!(endpoints.len(), 1);
    assert_eq!(endpoints["theirs"]["Aliases"], json!(["web", "www"]));
    assert_eq!(
        endpoints["theirs"]["IPAMConfig"]["IPv4Address"],
        json!("10.9.0.9")
    );
}

#[test]
fn volumes_have_the_names_that_the_engine_knows_and_secrets_are_mounted_read_only() {
    let body = body_of(
        "services: {web: {image: i, volumes: ['data:/data:ro', './x:/x', './z:/z:z,ro']}}\nvolumes: {data: {name: kept}}\n",
    );
    let mounts = body["HostConfig"]["Mounts"].as_array().unwrap();
    let one = |index: usize, field: &str| mounts[index][field].clone();
    assert_eq!(
        (one(0, "Type"), one(0, "Source")),
        (json!("volume"), json!("kept"))
    );
    assert_eq!(one(0, "ReadOnly"), json!(true));
    assert_eq!(
        (one(1, "Type"), one(1, "Source")),
        (json!("bind"), json!("/project/x"))
    );
    assert_eq!(
        (one(2, "Source"), one(2, "ReadOnly")),
        (json!("/run/token-1"), json!(true))
    );
    assert_eq!(body["HostConfig"]["Binds"], json!(["/project/z:/z:z,ro"]));
}
