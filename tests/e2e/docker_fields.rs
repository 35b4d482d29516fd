//! What a file asks of a container, the engine says that it is, and the program in it finds.

use crate::support::containers::{Containers, docker, image};
use serde_json::{Value, json};

const WEB: &str = "services:
  web:
    image: <image>
    init: true
    hostname: quay
    working_dir: /scratch
    user: '1000:1000'
    group_add: ['2000']
    stop_signal: SIGUSR1
    stop_grace_period: 20s
    labels: {team: port, empty: ''}
    cap_drop: [ALL]
    cap_add: [NET_BIND_SERVICE]
    security_opt: ['no-new-privileges:true']
    ulimits: {nproc: 512, nofile: {soft: 1000, hard: 2000}}
    tmpfs: ['/scratch:size=1m,mode=1777']
    volumes: [{type: tmpfs, target: /cache, tmpfs: {size: 2m, mode: 0700}}]
    shm_size: 8m
    sysctls: {net.ipv4.ip_unprivileged_port_start: '0'}
    extra_hosts: ['db:192.0.2.7']
    dns: [192.0.2.53]
    dns_search: [quay.example]
    dns_opt: ['ndots:1']
    logging: {driver: json-file, options: {max-size: 1m, labels: team}}
    deploy: {resources: {limits: {cpus: '0.5', memory: 64m, pids: 50}, reservations: {memory: 32m}}}
    oom_score_adj: 500
    restart: unless-stopped
    networks: {front: {priority: 10, ipv4_address: <subnet>.9, aliases: [www]}, back: {}}
    command:
      - sh
      - -c
      - |
        trap 'echo told by USR1; exit 0' USR1
        echo pid 1 is $$(cat /proc/1/comm), host $$(hostname), folder $$(pwd), user $$(id -u):$$(id -g), groups $$(id -G)
        echo files $$(ulimit -n) $$(ulimit -Hn), new privileges $$(grep NoNewPrivs /proc/self/status | cut -f2), may have rights $$(grep CapBnd /proc/self/status | cut -f2)
        grep -E ' /(scratch|cache|dev/shm) ' /proc/mounts; grep db /etc/hosts
        echo there
        while :; do sleep 0.1; done
networks:
  front: {ipam: {config: [{subnet: <subnet>.0/24}]}, labels: {team: port}}
  back: {internal: true, driver_opts: {com.docker.network.bridge.enable_icc: 'false'}}
";

fn inspect(kind: &str, name: &str) -> Value {
    let said = docker(&[kind, "inspect", name]);
    serde_json::from_str::<Value>(&said).unwrap()[0].take()
}

#[track_caller]
fn check(found: &Value, wanted: &[(&str, Value)]) {
    let differs: Vec<String> = wanted
        .iter()
        .filter(|(pointer, value)| found.pointer(pointer) != Some(value))
        .map(|(pointer, value)| format!("{pointer}: {value}, not {:?}", found.pointer(pointer)))
        .collect();
    assert!(differs.is_empty(), "{}", differs.join("\n"));
}

#[test]
fn what_is_asked_of_a_container_the_engine_says_and_its_program_finds() {
    let test = "what_is_asked_of_a_container_the_engine_says_and_its_program_finds";
    let Some(image) = image(test) else { return };
    // Two runs of this test on one engine are on two networks.
    let subnet = format!("10.213.{}", std::process::id() % 256);
    let stack = Containers::new(image, &WEB.replace("<subnet>", &subnet));
    stack.cais("up -d --wait").ok();
    let (front, back) = (
        format!("{}_front", stack.name()),
        format!("{}_back", stack.name()),
    );
    let on = |network: &str, field: &str| format!("/NetworkSettings/Networks/{network}/{field}");
    let config = [
        ("Hostname", json!("quay")),
        ("WorkingDir", json!("/scratch")),
        ("User", json!("1000:1000")),
        ("StopSignal", json!("SIGUSR1")),
        ("StopTimeout", json!(20)),
        ("Labels/team", json!("port")),
        ("Labels/empty", json!("")),
        ("Labels/cais.service", json!("web")),
    ];
    let host = [
        ("Init", json!(true)),
        ("GroupAdd", json!(["2000"])),
        ("CapDrop", json!(["ALL"])),
        ("SecurityOpt", json!(["no-new-privileges:true"])),
        (
            "Ulimits",
            json!([{"Name": "nofile", "Soft": 1000, "Hard": 2000}, {"Name": "nproc", "Soft": 512, "Hard": 512}]),
        ),
        ("Tmpfs", json!({"/scratch": "size=1m,mode=1777"})),
        (
            "Mounts",
            json!([{"Type": "tmpfs", "Target": "/cache", "TmpfsOptions": {"SizeBytes": 2 << 20, "Mode": 0o700}}]),
        ),
        ("ShmSize", json!(8 << 20)),
        ("Sysctls/net.ipv4.ip_unprivileged_port_start", json!("0")),
        ("ExtraHosts", json!(["db:192.0.2.7"])),
        ("Dns", json!(["192.0.2.53"])),
        ("DnsSearch", json!(["quay.example"])),
        ("DnsOptions", json!(["ndots:1"])),
        ("LogConfig/Type", json!("json-file")),
        ("LogConfig/Config/max-size", json!("1m")),
        ("LogConfig/Config/labels", json!("team")),
        ("NanoCpus", json!(500_000_000)),
        ("Memory", json!(64 << 20)),
        ("MemoryReservation", json!(32 << 20)),
        ("PidsLimit", json!(50)),
        ("OomScoreAdj", json!(500)),
        // cais honours it.
        ("RestartPolicy/Name", json!("no")),
        ("NetworkMode", json!(front)),
    ];
    let networks = [
        (on(&front, "IPAddress"), json!(format!("{subnet}.9"))),
        (on(&front, "IPPrefixLen"), json!(24)),
    ];
    let found = inspect("container", &stack.container(1));
    let under = |folder: &str, fields: &[(&str, Value)]| -> Vec<(String, Value)> {
        let named = |(field, value): &(&str, Value)| (format!("{folder}/{field}"), value.clone());
        fields.iter().map(named).collect()
    };
    let wanted = [
        under("/Config", &config),
        under("/HostConfig", &host),
        networks.to_vec(),
    ];
    let wanted: Vec<(&str, Value)> = wanted
        .iter()
        .flatten()
        .map(|(pointer, value)| (pointer.as_str(), value.clone()))
        .collect();
    check(&found, &wanted);
    let aliases = found.pointer(&on(&front, "Aliases")).unwrap();
    for alias in ["web", "www"] {
        assert!(
            aliases.as_array().unwrap().contains(&json!(alias)),
            "{aliases}"
        );
    }
    check(
        &inspect("network", &front),
        &[("/Internal", json!(false)), ("/Labels/team", json!("port"))],
    );
    check(
        &inspect("network", &back),
        &[
            ("/Internal", json!(true)),
            (
                "/Options",
                json!({"com.docker.network.bridge.enable_icc": "false"}),
            ),
        ],
    );

    stack.logs_have("there");
    stack.cais("stop").ok();
    let log = stack.cais("logs --no-log-prefix").ok().stdout;
    for line in [
        "pid 1 is docker-init, host quay, folder /scratch, user 1000:1000, groups 1000 2000",
        "files 1000 2000, new privileges 1, may have rights 0000000000000400",
        "tmpfs /scratch tmpfs rw,nosuid,nodev,noexec,relatime,size=1024k",
        "tmpfs /cache tmpfs rw,nosuid,nodev,noexec,relatime,size=2048k,mode=700",
        "/dev/shm tmpfs rw,nosuid,nodev,noexec,relatime,size=8192k",
        "192.0.2.7\tdb",
        "told by USR1",
    ] {
        assert!(log.contains(line), "no `{line}` in\n{log}");
    }
}

#[test]
fn a_container_that_fails_is_started_again_as_often_as_restart_says() {
    let test = "a_container_that_fails_is_started_again_as_often_as_restart_says";
    let Some(image) = image(test) else { return };
    let stack = Containers::new(
        image,
        "services:
  never: {image: <image>, restart: 'no', command: [sh, -c, 'echo never; exit 3']}
  twice: {image: <image>, restart: 'on-failure:2', command: [sh, -c, 'echo twice; exit 4']}
  well: {image: <image>, restart: on-failure, command: [sh, -c, 'echo well']}
",
    );
    let said = stack.cais("up -d --wait").ended_with(1).stderr;
    for line in [
        "`never` failed: ended with exit code 3",
        "`twice` failed: ended with exit code 4",
        "well: ran to its end with exit code 0",
    ] {
        assert!(said.contains(line), "no `{line}` in\n{said}");
    }
    let mut log: Vec<String> = stack
        .cais("logs --no-log-prefix")
        .ok()
        .stdout
        .lines()
        .map(str::to_owned)
        .collect();
    log.sort();
    assert_eq!(log, ["never", "twice", "twice", "twice", "well"]);
}
