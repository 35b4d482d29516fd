//! From a task to the body of the engine's request that creates its container. Pure.

use super::mounts::{mounts, selinux_binds};
use super::start::{ContainerSpec, networks_of};
use super::{Scope, labels};
use crate::shim::spec::{MARK, mark};
use bollard::models::{
    ContainerCreateBody, DeviceMapping, DeviceRequest, EndpointIpamConfig, EndpointSettings,
    HealthConfig, HostConfig, HostConfigCgroupnsModeEnum, HostConfigLogConfig, NetworkingConfig,
    PortBinding, ResourcesBlkioWeightDevice, ResourcesUlimits, RestartPolicy,
    RestartPolicyNameEnum, ThrottleDevice,
};
use cais_model::stack::{self, Attachment, NetworkMode};
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

/// Drivers that know `max-size` and `max-file`.
const ROTATING: [&str; 2] = ["json-file", "local"];

/// What the engine is asked to create.
pub(super) fn body(
    spec: &ContainerSpec,
    scope: &Scope,
    publish: bool,
    log_driver: &str,
) -> ContainerCreateBody {
    let service = &spec.service;
    let container = &service.container;
    let mut all_labels: HashMap<String, String> = container.labels.clone().into_iter().collect();
    all_labels.extend(labels::of_task(
        scope,
        &service.name,
        spec.revision,
        spec.task,
    ));
    if let Some(image) = &service.image {
        all_labels.insert(labels::IMAGE.to_owned(), image.clone());
    }
    let first = attachments(spec).into_iter().next();
    ContainerCreateBody {
        hostname: container.names.hostname.clone(),
        domainname: container.names.domainname.clone(),
        user: service.user.clone(),
        exposed_ports: Some(
            service
                .container_ports()
                .iter()
                .map(|port| format!("{port}/tcp"))
                .collect(),
        ),
        tty: Some(container.tty),
        open_stdin: Some(container.stdin_open),
        env: Some(environment(spec)),
        cmd: service.command.clone(),
        entrypoint: service.entrypoint.clone().map(|words| {
            // An empty list clears the image's; the engine reads one empty word so.
            if words.is_empty() {
                vec![String::new()]
            } else {
                words
            }
        }),
        // Health is asked by cais, by its own clock and rules.
        healthcheck: Some(HealthConfig {
            test: Some(vec!["NONE".to_owned()]),
            ..HealthConfig::default()
        }),
        image: Some(spec.run.image.clone()),
        working_dir: service.working_dir.clone(),
        labels: Some(all_labels),
        stop_signal: Some(service.stop_signal.clone()),
        stop_timeout: i64::try_from(service.stop_grace_period.as_secs()).ok(),
        host_config: Some(host_config(spec, publish, log_driver)),
        networking_config: first.map(|(network, endpoint)| NetworkingConfig {
            endpoints_config: Some(HashMap::from([(network, endpoint)])),
        }),
        ..ContainerCreateBody::default()
    }
}

/// `NAME=value`; `CAIS_TASK` tells a program which task it is, as in the process runtime.
fn environment(spec: &ContainerSpec) -> Vec<String> {
    let mut variables = spec.environment.clone();
    variables.insert(MARK.to_owned(), mark(&spec.task_dir, spec.task));
    variables
        .into_iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect()
}

fn host_config(spec: &ContainerSpec, publish: bool, log_driver: &str) -> HostConfig {
    let service = &spec.service;
    let container = &service.container;
    let (rights, names) = (&container.rights, &container.names);
    HostConfig {
        init: container.init,
        network_mode: Some(network_mode(spec)),
        // `restart` is cais' to honour.
        restart_policy: Some(RestartPolicy {
            name: Some(RestartPolicyNameEnum::NO),
            maximum_retry_count: None,
        }),
        port_bindings: publish.then(|| {
            let forwarded = |port: &u16| {
                let binding = PortBinding {
                    host_ip: Some("127.0.0.1".to_owned()),
                    host_port: Some(String::new()),
                };
                (format!("{port}/tcp"), Some(vec![binding]))
            };
            service.container_ports().iter().map(forwarded).collect()
        }),
        mounts: some(mounts(spec)),
        // A file's permissions are the image's business; only `binds` relabels for SELinux.
        binds: some(selinux_binds(spec)),
        tmpfs: some_map(&container.tmpfs),
        log_config: log_config(service, log_driver),
        cap_add: some(rights.cap_add.clone()),
        cap_drop: some(rights.cap_drop.clone()),
        privileged: Some(rights.privileged),
        readonly_rootfs: Some(rights.read_only.unwrap_or(false)),
        security_opt: some(rights.security_opt.clone()),
        group_add: some(rights.group_add.clone()),
        userns_mode: rights.userns_mode.clone(),
        ipc_mode: rights.ipc.clone(),
        pid_mode: rights.pid.clone(),
        uts_mode: rights.uts.clone(),
        cgroupns_mode: match rights.cgroup.as_deref() {
            Some("host") => Some(HostConfigCgroupnsModeEnum::HOST),
            Some("private") => Some(HostConfigCgroupnsModeEnum::PRIVATE),
            _ => None,
        },
        cgroup_parent: rights.cgroup_parent.clone(),
        dns: some(names.dns.clone()),
        dns_options: some(names.dns_opt.clone()),
        dns_search: some(names.dns_search.clone()),
        extra_hosts: some(names.extra_hosts.clone()),
        annotations: some_map(&container.annotations),
        runtime: container.runtime.clone(),
        isolation: container
            .isolation
            .as_ref()
            .and_then(|isolation| isolation.parse().ok()),
        ..limits(service)
    }
}

/// What it may use.
fn limits(service: &stack::Service) -> HostConfig {
    let (amounts, reserved) = (service.resources.limits, service.resources.reservations);
    let (limits, devices) = (&service.container.limits, &service.container.devices);
    let bytes = |amount: Option<u64>| amount.and_then(|bytes| i64::try_from(bytes).ok());
    let micros =
        |time: Option<Duration>| time.and_then(|time| i64::try_from(time.as_micros()).ok());
    HostConfig {
        nano_cpus: amounts
            .cpu_millis
            .map(|millis| i64::from(millis) * 1_000_000),
        memory: bytes(amounts.memory_bytes),
        memory_reservation: bytes(reserved.memory_bytes),
        pids_limit: amounts.pids.map(i64::from),
        memory_swap: limits.memswap_limit,
        memory_swappiness: limits.mem_swappiness,
        oom_kill_disable: limits.oom_kill_disable.then_some(true),
        oom_score_adj: limits.oom_score_adj,
        shm_size: bytes(limits.shm_size),
        storage_opt: some_map(&limits.storage_opt),
        sysctls: some_map(&limits.sysctls),
        ulimits: some(
            limits
                .ulimits
                .iter()
                .map(|(name, (soft, hard))| ResourcesUlimits {
                    name: Some(name.clone()),
                    soft: Some(*soft),
                    hard: Some(*hard),
                })
                .collect(),
        ),
        cpu_count: limits.cpu_count,
        cpu_percent: limits.cpu_percent,
        cpu_shares: limits.cpu_shares,
        cpu_quota: limits.cpu_quota,
        cpu_period: micros(limits.cpu_period),
        cpu_realtime_period: micros(limits.cpu_rt_period),
        cpu_realtime_runtime: micros(limits.cpu_rt_runtime),
        cpuset_cpus: limits.cpuset.clone(),
        devices: some(devices.devices.iter().map(device).collect()),
        device_cgroup_rules: some(devices.cgroup_rules.clone()),
        device_requests: some(devices.requests.iter().map(device_request).collect()),
        ..block_io(&limits.blkio)
    }
}

fn block_io(blkio: &stack::BlockIo) -> HostConfig {
    let throttles = |rates: &BTreeMap<String, i64>| {
        some(
            rates
                .iter()
                .map(|(path, rate)| ThrottleDevice {
                    path: Some(path.clone()),
                    rate: Some(*rate),
                })
                .collect(),
        )
    };
    HostConfig {
        blkio_weight: blkio.weight.and_then(|weight| u16::try_from(weight).ok()),
        blkio_weight_device: some(
            blkio
                .weight_device
                .iter()
                .map(|(path, weight)| ResourcesBlkioWeightDevice {
                    path: Some(path.clone()),
                    weight: usize::try_from(*weight).ok(),
                })
                .collect(),
        ),
        blkio_device_read_bps: throttles(&blkio.device_read_bps),
        blkio_device_write_bps: throttles(&blkio.device_write_bps),
        blkio_device_read_iops: throttles(&blkio.device_read_iops),
        blkio_device_write_iops: throttles(&blkio.device_write_iops),
        ..HostConfig::default()
    }
}

fn device(device: &stack::Device) -> DeviceMapping {
    DeviceMapping {
        path_on_host: Some(device.source.clone()),
        path_in_container: Some(
            device
                .target
                .clone()
                .unwrap_or_else(|| device.source.clone()),
        ),
        cgroup_permissions: Some(device.permissions.clone()),
    }
}

fn device_request(request: &stack::DeviceRequest) -> DeviceRequest {
    DeviceRequest {
        driver: request.driver.clone(),
        count: request.count,
        device_ids: some(request.device_ids.clone()),
        capabilities: Some(vec![request.capabilities.clone()]),
        options: some_map(&request.options),
    }
}

/// The first network of a container, or what it has instead of one.
fn network_mode(spec: &ContainerSpec) -> String {
    match &spec.service.container.network {
        NetworkMode::Host => "host".to_owned(),
        NetworkMode::None => "none".to_owned(),
        NetworkMode::Bridge => "bridge".to_owned(),
        NetworkMode::Other(other) => other.clone(),
        NetworkMode::Networks(_) => attachments(spec)
            .first()
            .map_or_else(|| "none".to_owned(), |(network, _)| network.clone()),
    }
}

/// The networks that it is on, the one of the highest priority first (of equals by name), with its place on each.
pub(super) fn attachments(spec: &ContainerSpec) -> Vec<(String, EndpointSettings)> {
    let on = networks_of(&spec.service);
    let mut on: Vec<(&String, &Attachment)> = on.into_iter().flatten().collect();
    on.sort_by_key(|(key, attachment)| (-attachment.priority, *key));
    on.into_iter()
        .filter_map(|(key, attachment)| {
            let network = spec.run.networks.get(key)?;
            Some((network.name.clone(), endpoint(spec, attachment)))
        })
        .collect()
}

fn endpoint(spec: &ContainerSpec, attachment: &Attachment) -> EndpointSettings {
    let mut aliases = attachment.aliases.clone();
    if attachment.use_service_name_alias {
        aliases.insert(0, spec.service.name.to_string());
    }
    // Two containers are there while a rollout lasts, so the name is their networks' and not the engine's.
    aliases.extend(spec.service.container.names.container_name.clone());
    aliases.extend(spec.run.aliases.iter().cloned());
    let is_static = attachment.ipv4_address.is_some()
        || attachment.ipv6_address.is_some()
        || !attachment.link_local_ips.is_empty();
    EndpointSettings {
        aliases: Some(aliases),
        mac_address: attachment
            .mac_address
            .clone()
            .or_else(|| spec.service.container.names.mac_address.clone()),
        driver_opts: some_map(&attachment.driver_opts),
        gw_priority: attachment.gw_priority,
        ipam_config: is_static.then(|| EndpointIpamConfig {
            ipv4_address: attachment.ipv4_address.clone(),
            ipv6_address: attachment.ipv6_address.clone(),
            link_local_ips: some(attachment.link_local_ips.clone()),
        }),
        ..EndpointSettings::default()
    }
}

/// The file's driver and options. Where it names none, the engine's default keeps no more than cais does: Docker's own
/// default lets a log grow until the disk is full.
fn log_config(service: &stack::Service, engine_default: &str) -> Option<HostConfigLogConfig> {
    let logging = &service.container.logging;
    let driver = logging.driver.as_deref().unwrap_or(engine_default);
    let mut options: HashMap<String, String> = logging.options.clone().into_iter().collect();
    if ROTATING.contains(&driver) {
        let rotation = service.log_rotation;
        options
            .entry("max-size".to_owned())
            .or_insert_with(|| rotation.max_bytes.to_string());
        options
            .entry("max-file".to_owned())
            .or_insert_with(|| rotation.max_files.to_string());
    }
    if logging.driver.is_none() && options.is_empty() {
        return None;
    }
    Some(HostConfigLogConfig {
        typ: Some(driver.to_owned()),
        config: Some(options),
    })
}

fn some<T>(list: Vec<T>) -> Option<Vec<T>> {
    (!list.is_empty()).then_some(list)
}

fn some_map(map: &BTreeMap<String, String>) -> Option<HashMap<String, String>> {
    (!map.is_empty()).then(|| map.clone().into_iter().collect())
}

#[cfg(test)]
mod honoured;
#[cfg(test)]
mod tests;
