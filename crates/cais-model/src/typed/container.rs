//! The container fields of a service: networks, files, names, rights and limits. What a runtime makes of them is `fields`'.

use super::read::{Reader, text, texts};
use super::{Inputs, container_limits, entries, resolve};
use crate::node::Node;
use crate::stack::{
    Attachment, Container, Device, DeviceRequest, Devices, Logging, Mount, MountKind, Names,
    NetworkMode, PullPolicy, Rights,
};
use std::collections::BTreeMap;
use std::time::Duration;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// Reads the container fields.
pub(super) fn of(node: &Node, inputs: &Inputs<'_, '_>, reader: &mut Reader<'_>) -> Container {
    let field = |key: &str| text(node.get(key));
    Container {
        network: network(node, reader),
        volumes: mounts(node.get("volumes"), inputs, reader),
        tmpfs: tmpfs(node.get("tmpfs")),
        names: names(node),
        rights: rights(node, reader),
        limits: container_limits::of(node, reader),
        devices: devices(node, reader),
        labels: pairs(node.get("labels")),
        annotations: pairs(node.get("annotations")),
        logging: Logging {
            driver: text(node.at(&["logging", "driver"])).filter(|driver| !driver.is_empty()),
            options: pairs(node.at(&["logging", "options"])),
        },
        init: reader.boolean(node.get("init")),
        tty: reader.boolean(node.get("tty")).unwrap_or(false),
        stdin_open: reader.boolean(node.get("stdin_open")).unwrap_or(false),
        platform: field("platform").filter(|platform| !platform.is_empty()),
        runtime: field("runtime"),
        isolation: field("isolation"),
        pull_policy: pull_policy(node.get("pull_policy"), reader),
        ignores_image_healthcheck: ignores_image_healthcheck(node.get("healthcheck"), reader),
    }
}

/// Keys and scalars; a key without a value has an empty one, as Docker's labels have.
pub(super) fn pairs(node: Option<&Node>) -> BTreeMap<String, String> {
    entries(node)
        .map(|(key, entry)| (key.clone(), entry.value.scalar_text().unwrap_or_default()))
        .collect()
}

fn list(node: Option<&Node>) -> Vec<String> {
    texts(node).unwrap_or_default()
}

fn network(node: &Node, reader: &mut Reader<'_>) -> NetworkMode {
    match text(node.get("network_mode")).as_deref() {
        None | Some("" | "default") => {}
        Some("host") => return NetworkMode::Host,
        Some("none") => return NetworkMode::None,
        Some("bridge") => return NetworkMode::Bridge,
        Some(other) => return NetworkMode::Other(other.to_owned()),
    }
    let attachments: BTreeMap<String, Attachment> = entries(node.get("networks"))
        .map(|(name, entry)| (name.clone(), attachment(&entry.value, reader)))
        .collect();
    if attachments.is_empty() {
        NetworkMode::default()
    } else {
        NetworkMode::Networks(attachments)
    }
}

fn attachment(node: &Node, reader: &mut Reader<'_>) -> Attachment {
    let alias = reader.boolean(node.get("use_service_name_alias"));
    Attachment {
        aliases: list(node.get("aliases")),
        use_service_name_alias: alias.unwrap_or(true),
        ipv4_address: text(node.get("ipv4_address")),
        ipv6_address: text(node.get("ipv6_address")),
        link_local_ips: list(node.get("link_local_ips")),
        mac_address: text(node.get("mac_address")),
        driver_opts: pairs(node.get("driver_opts")),
        priority: reader.integer(node.get("priority")).unwrap_or(0),
        gw_priority: reader.integer(node.get("gw_priority")),
    }
}

fn mounts(node: Option<&Node>, inputs: &Inputs<'_, '_>, reader: &mut Reader<'_>) -> Vec<Mount> {
    let items = node.and_then(Node::as_sequence).unwrap_or_default();
    let mut mounts = Vec::new();
    for item in items {
        let Some(target) = text(item.get("target")) else {
            continue;
        };
        mounts.push(Mount {
            target,
            read_only: reader.boolean(item.get("read_only")).unwrap_or(false),
            kind: mount_kind(item, inputs, reader),
        });
    }
    mounts
}

fn mount_kind(item: &Node, inputs: &Inputs<'_, '_>, reader: &mut Reader<'_>) -> MountKind {
    let source = text(item.get("source")).filter(|source| !source.is_empty());
    match text(item.get("type")).as_deref() {
        Some("bind") => {
            let create = reader.boolean(item.at(&["bind", "create_host_path"]));
            MountKind::Bind {
                source: resolve(&source.unwrap_or_default(), inputs),
                create_host_path: create.unwrap_or(true),
                propagation: text(item.at(&["bind", "propagation"])),
                selinux: text(item.at(&["bind", "selinux"])),
            }
        }
        Some("tmpfs") => MountKind::Tmpfs {
            size: reader.bytes(item.at(&["tmpfs", "size"])),
            mode: super::service::mode(item.at(&["tmpfs", "mode"]), reader),
        },
        Some("image") => MountKind::Image {
            source: source.unwrap_or_default(),
            subpath: text(item.at(&["image", "subpath"])),
        },
        Some("volume") | None => MountKind::Volume {
            source,
            nocopy: reader
                .boolean(item.at(&["volume", "nocopy"]))
                .unwrap_or(false),
            subpath: text(item.at(&["volume", "subpath"])),
        },
        Some(other) => MountKind::Other(other.to_owned()),
    }
}

/// `/run:size=64m` is a target with options.
fn tmpfs(node: Option<&Node>) -> BTreeMap<String, String> {
    list(node)
        .into_iter()
        .map(|entry| match entry.split_once(':') {
            Some((target, options)) => (target.to_owned(), options.to_owned()),
            None => (entry, String::new()),
        })
        .collect()
}

fn names(node: &Node) -> Names {
    let hosts = list(node.get("extra_hosts")).into_iter();
    Names {
        container_name: text(node.get("container_name")),
        hostname: text(node.get("hostname")),
        domainname: text(node.get("domainname")),
        mac_address: text(node.get("mac_address")),
        // `name=address` is the newer form; an IPv6 address may stand in brackets.
        extra_hosts: hosts
            .map(|host| match host.split_once('=').or(host.split_once(':')) {
                Some((name, address)) => {
                    format!("{name}:{}", address.trim_matches(['[', ']']))
                }
                None => host,
            })
            .collect(),
        dns: list(node.get("dns")),
        dns_opt: list(node.get("dns_opt")),
        dns_search: list(node.get("dns_search")),
        links: list(node.get("links")),
    }
}

fn rights(node: &Node, reader: &mut Reader<'_>) -> Rights {
    let field = |key: &str| text(node.get(key)).filter(|value| !value.is_empty());
    Rights {
        group_add: list(node.get("group_add")),
        cap_add: list(node.get("cap_add")),
        cap_drop: list(node.get("cap_drop")),
        privileged: reader.boolean(node.get("privileged")).unwrap_or(false),
        read_only: reader.boolean(node.get("read_only")),
        security_opt: list(node.get("security_opt")),
        userns_mode: field("userns_mode"),
        ipc: field("ipc"),
        pid: field("pid"),
        uts: field("uts"),
        cgroup: field("cgroup"),
        cgroup_parent: field("cgroup_parent"),
    }
}

fn devices(node: &Node, reader: &mut Reader<'_>) -> Devices {
    let items = |node: Option<&Node>| {
        node.and_then(Node::as_sequence)
            .unwrap_or_default()
            .to_vec()
    };
    let reserved = node.at(&["deploy", "resources", "reservations", "devices"]);
    let mut requests = items(node.get("gpus"));
    requests.extend(items(reserved));
    Devices {
        devices: items(node.get("devices")).iter().map(device).collect(),
        cgroup_rules: list(node.get("device_cgroup_rules")),
        requests: requests
            .iter()
            .map(|request| device_request(request, reader))
            .collect(),
    }
}

fn device(item: &Node) -> Device {
    let source = item.scalar_text().or(text(item.get("source")));
    Device {
        source: source.unwrap_or_default(),
        target: text(item.get("target")),
        permissions: text(item.get("permissions")).unwrap_or_else(|| "rwm".to_owned()),
    }
}

fn device_request(item: &Node, reader: &mut Reader<'_>) -> DeviceRequest {
    let count = item.get("count");
    let mut capabilities = list(item.get("capabilities"));
    if capabilities.is_empty() {
        capabilities.push("gpu".to_owned());
    }
    DeviceRequest {
        driver: text(item.get("driver")),
        count: match text(count).as_deref() {
            Some("all") => Some(-1),
            _ => reader.integer(count),
        },
        device_ids: list(item.get("device_ids")),
        capabilities,
        options: pairs(item.get("options")),
    }
}

fn pull_policy(node: Option<&Node>, reader: &mut Reader<'_>) -> PullPolicy {
    let written = text(node).unwrap_or_default();
    match written.as_str() {
        "always" => PullPolicy::Always,
        "never" => PullPolicy::Never,
        "build" => PullPolicy::Build,
        "daily" => PullPolicy::Every(DAY),
        "weekly" => PullPolicy::Every(7 * DAY),
        other => match other.strip_prefix("every_") {
            Some(span) => match crate::duration::parse(span) {
                Ok(span) => PullPolicy::Every(span),
                Err(error) => {
                    if let Some(node) = node {
                        reader.error(node, error.to_string());
                    }
                    PullPolicy::Missing
                }
            },
            None => PullPolicy::Missing,
        },
    }
}

fn ignores_image_healthcheck(node: Option<&Node>, reader: &mut Reader<'_>) -> bool {
    let Some(node) = node else { return false };
    let first = texts(node.get("test")).and_then(|words| words.into_iter().next());
    reader.boolean(node.get("disable")).unwrap_or(false) || first.as_deref() == Some("NONE")
}
