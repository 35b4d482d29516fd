//! What a service asks of its containers, from text to type.

use crate::{one, web};
use cais_model::stack::{Attachment, MountKind, NetworkMode, PullPolicy};
use std::path::Path;

#[test]
fn volumes_keep_what_they_mount_and_how() {
    let service = one("services:
  web:
    image: i
    volumes:
      - data:/data:ro
      - ./site:/site
      - /anon
      - {type: bind, source: /etc, target: /e, bind: {create_host_path: false, propagation: rslave}}
      - {type: tmpfs, target: /t, tmpfs: {size: 1m, mode: 0700}}
    tmpfs: ['/run:size=64m', /tmp]
volumes: {data: }
")
    .service();
    let kinds: Vec<(&str, bool, &MountKind)> = service
        .container
        .volumes
        .iter()
        .map(|mount| (mount.target.as_str(), mount.read_only, &mount.kind))
        .collect();
    let volume = |source: Option<&str>| MountKind::Volume {
        source: source.map(str::to_owned),
        nocopy: false,
        subpath: None,
    };
    let bind = |source: &str, create_host_path, propagation: Option<&str>| MountKind::Bind {
        source: Path::new(source).to_owned(),
        create_host_path,
        propagation: propagation.map(str::to_owned),
        selinux: None,
    };
    let tmpfs = MountKind::Tmpfs {
        size: Some(1 << 20),
        mode: Some(0o700),
    };
    assert_eq!(
        kinds,
        [
            ("/data", true, &volume(Some("data"))),
            ("/site", false, &bind("/project/site", true, None)),
            ("/anon", false, &volume(None)),
            ("/e", false, &bind("/etc", false, Some("rslave"))),
            ("/t", false, &tmpfs),
        ]
    );
    assert_eq!(service.container.tmpfs["/run"], "size=64m");
    assert_eq!(service.container.tmpfs["/tmp"], "");
}

#[test]
fn the_default_network_is_there_where_somebody_is_on_it() {
    let names = |text: &str| -> Vec<(String, String)> {
        let stack = one(text).load().stack;
        let networks = stack.networks.into_iter();
        networks.map(|(key, network)| (key, network.name)).collect()
    };
    let pair = |key: &str, name: &str| (key.to_owned(), name.to_owned());
    assert_eq!(
        names("name: p\nservices: {a: {image: i}}"),
        [pair("default", "p_default")]
    );
    assert_eq!(
        names(
            "name: p\nservices: {a: {image: i, networks: [x, y]}}\nnetworks: {x: , y: {external: true}}"
        ),
        [pair("x", "p_x"), pair("y", "y")]
    );
    assert_eq!(
        names("name: p\nservices: {a: {image: i, network_mode: host}}"),
        []
    );
    assert_eq!(
        names("name: p\nservices: {a: {image: i}}\nnetworks: {default: {name: shared}}"),
        [pair("default", "shared")]
    );
}

#[test]
fn a_place_on_a_network_has_aliases_and_addresses() {
    let service = one("services: {web: {image: i, networks: {n: {aliases: [w, v], ipv4_address: 10.1.0.9, priority: 7}}}}\nnetworks: {n: }")
        .service();
    let NetworkMode::Networks(on) = service.container.network else {
        panic!("on networks")
    };
    let want = Attachment {
        aliases: vec!["w".to_owned(), "v".to_owned()],
        ipv4_address: Some("10.1.0.9".to_owned()),
        priority: 7,
        ..Attachment::default()
    };
    assert_eq!(on["n"], want);
}

#[test]
fn limits_rights_and_names_are_read() {
    let container = web(
        "ulimits: {nofile: 9, nproc: {soft: 1, hard: -1}}, sysctls: [net.a=1], shm_size: 1g, \
         cap_add: [A], cap_drop: [ALL], read_only: true, group_add: [1, two], memswap_limit: -1, \
         extra_hosts: {a: 1.2.3.4, b: '::1'}, dns: 1.1.1.1, labels: [x=1, y], init: true, \
         cpu_quota: 50000, cpu_period: 100000, devices: ['/dev/null:/dev/n:r'], pull_policy: every_2h",
    )
    .service()
    .container;
    assert_eq!(container.limits.ulimits["nofile"], (9, 9));
    assert_eq!(container.limits.ulimits["nproc"], (1, -1));
    assert_eq!(container.limits.sysctls["net.a"], "1");
    assert_eq!(container.limits.shm_size, Some(1 << 30));
    assert_eq!(container.limits.memswap_limit, Some(-1));
    assert_eq!(container.limits.cpu_quota, Some(50_000));
    assert_eq!(container.limits.cpu_period.unwrap().as_millis(), 100);
    assert_eq!(container.rights.group_add, ["1", "two"]);
    assert!(container.rights.read_only == Some(true) && !container.rights.privileged);
    assert_eq!(container.names.extra_hosts, ["a:1.2.3.4", "b:::1"]);
    assert_eq!(container.names.dns, ["1.1.1.1"]);
    assert_eq!(container.labels["y"], "");
    assert_eq!(container.init, Some(true));
    assert_eq!(container.devices.devices[0].permissions, "r");
    assert_eq!(
        container.pull_policy,
        PullPolicy::Every(std::time::Duration::from_secs(7200))
    );
}

#[test]
fn a_disabled_check_silences_the_image_s_own() {
    let ignores = |fields: &str| web(fields).service().container.ignores_image_healthcheck;
    assert!(ignores("healthcheck: {disable: true}"));
    assert!(ignores("healthcheck: {test: [NONE]}"));
    assert!(!ignores("healthcheck: {interval: 3s}") && !ignores("tty: true"));
}
