//! One entry under `services:`.

use super::read::{self, Reader, text, texts};
use super::{Inputs, build, container, deploy, develop, entries, environment, health, resources};
use crate::name::ServiceName;
use crate::node::{Entry, Node};
use crate::port::PortRange;
use crate::stack::{
    Condition, Dependency, FileMount, LogRotation, PortMapping, Protocol, Restart, Service,
};
use crate::{definition, x_cais};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

const STOP_GRACE_PERIOD: Duration = Duration::from_secs(10);
const LOG_FILE_BYTES: u64 = 10 << 20;
const LOG_FILES: u32 = 3;

/// Reads a service.
pub(super) fn service(
    name: &ServiceName,
    entry: &Entry,
    inputs: &mut Inputs<'_, '_>,
    reader: &mut Reader<'_>,
) -> Service {
    let node = &entry.value;
    let extension = x_cais::service(node.get("x-cais"), reader);
    let definition = definition::of(node);
    Service {
        name: name.clone(),
        position: entry.key_position.clone(),
        image: text(node.get("image")),
        build: node.get("build").map(|node| build::of(node, reader)),
        watch: develop::watch(node, reader),
        entrypoint: texts(node.get("entrypoint")),
        command: texts(node.get("command")),
        working_dir: text(node.get("working_dir")),
        user: text(node.get("user")),
        environment: environment::of(node, inputs, reader),
        ports: ports(node.get("ports"), reader),
        expose: expose(node.get("expose"), reader),
        depends_on: depends_on(node.get("depends_on"), reader),
        healthcheck: health::check(node.get("healthcheck"), reader),
        restart: restart(node.get("restart"), reader),
        replicas: deploy::replicas(node, reader),
        update: deploy::update(node.at(&["deploy", "update_config"]), reader),
        rollback: deploy::update(node.at(&["deploy", "rollback_config"]), reader),
        stop_signal: text(node.get("stop_signal")).unwrap_or_else(|| "SIGTERM".to_owned()),
        stop_grace_period: reader
            .duration(node.get("stop_grace_period"))
            .unwrap_or(STOP_GRACE_PERIOD),
        secrets: mounts(node.get("secrets"), "/run/secrets/", reader),
        configs: mounts(node.get("configs"), "/", reader),
        log_rotation: log_rotation(node.at(&["logging", "options"]), reader),
        resources: resources::of(node, reader),
        container: container::of(node, inputs, reader),
        process: extension.process,
        artifact: extension.artifact,
        ci: extension.ci,
        routes: extension.routes,
        health: extension.health,
        rollout: extension.rollout,
        cloud: extension.cloud,
        definition: definition.service,
        task_definition: definition.task,
        used_variables: definition.used,
    }
}

fn ports(node: Option<&Node>, reader: &mut Reader<'_>) -> Vec<PortMapping> {
    let items = node.and_then(Node::as_sequence).unwrap_or_default();
    items.iter().filter_map(|item| port(item, reader)).collect()
}

fn port(item: &Node, reader: &mut Reader<'_>) -> Option<PortMapping> {
    item.as_mapping()?;
    let Some(target) = item.get("target") else {
        reader.error(item, "a port needs a `target`");
        return None;
    };
    let Some(number) = target
        .scalar_text()
        .and_then(|text| text.parse().ok())
        .filter(|port| *port != 0)
    else {
        reader.error(
            target,
            format!(
                "`{}` is not a port from 1 to 65535",
                target.scalar_text().unwrap_or_default()
            ),
        );
        return None;
    };
    let host = host(item.get("host_ip"), reader)?;
    let protocol = match text(item.get("protocol")).as_deref() {
        Some("udp") => Protocol::Udp,
        Some("sctp") => {
            reader
                .diagnostics
                .push(item.warning("sctp ports are not carried; this one is left out"));
            return None;
        }
        _ => Protocol::Tcp,
    };
    Some(PortMapping {
        host: host.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        host_is_explicit: host.is_some(),
        published: published(item.get("published")),
        target: number,
        protocol,
        app_protocol: text(item.get("app_protocol")),
        position: item.position.clone(),
    })
}

/// `None` after an error, `Some(None)` where the file names no address.
fn host(node: Option<&Node>, reader: &mut Reader<'_>) -> Option<Option<IpAddr>> {
    let Some(node) = node else { return Some(None) };
    let written = node.scalar_text().unwrap_or_default();
    match written.parse() {
        Ok(address) => Some(Some(address)),
        Err(_) => {
            reader.error(node, format!("`{written}` is not an IP address"));
            None
        }
    }
}

/// `None` where the system chooses. Of a range, which Docker spreads over replicas, the first port is taken for all of
/// them; another text is `consistency`'s finding.
fn published(node: Option<&Node>) -> Option<u16> {
    let written = node?.scalar_text()?;
    let range = PortRange::parse(&written).ok()?;
    Some(range.first).filter(|port| *port != 0)
}

/// Container ports, each once; `8000-8002` gives three.
fn expose(node: Option<&Node>, reader: &mut Reader<'_>) -> Vec<u16> {
    let mut ports = BTreeSet::new();
    for item in node.and_then(Node::as_sequence).unwrap_or_default() {
        let written = item.scalar_text().unwrap_or_default();
        let range = written.split('/').next().unwrap_or_default();
        match PortRange::parse(range) {
            Ok(range) => ports.extend(range.first..=range.last),
            Err(error) => reader.error(item, error.to_string()),
        }
    }
    ports.into_iter().collect()
}

fn depends_on(node: Option<&Node>, reader: &mut Reader<'_>) -> BTreeMap<ServiceName, Dependency> {
    let mut dependencies = BTreeMap::new();
    for (key, entry) in entries(node) {
        let Ok(name) = ServiceName::parse(key) else {
            continue;
        };
        let condition = match text(entry.value.get("condition")).as_deref() {
            Some("service_healthy") => Condition::ServiceHealthy,
            Some("service_completed_successfully") => Condition::ServiceCompletedSuccessfully,
            _ => Condition::ServiceStarted,
        };
        let dependency = Dependency {
            condition,
            restart: reader.boolean(entry.value.get("restart")).unwrap_or(false),
            required: reader.boolean(entry.value.get("required")).unwrap_or(true),
        };
        dependencies.insert(name, dependency);
    }
    dependencies
}

fn restart(node: Option<&Node>, reader: &mut Reader<'_>) -> Restart {
    let Some(node) = node else {
        return Restart::Unset;
    };
    let written = node.scalar_text().unwrap_or_default();
    let (policy, attempts) = match written.split_once(':') {
        Some((policy, attempts)) => (policy, Some(attempts)),
        None => (written.as_str(), None),
    };
    match (policy, attempts.map(str::parse)) {
        // `restart: ""` is what an unset variable leaves.
        ("", None) => Restart::Unset,
        ("no", None) => Restart::No,
        ("always", None) => Restart::Always,
        ("unless-stopped", None) => Restart::UnlessStopped,
        ("on-failure", None) => Restart::OnFailure { max_attempts: None },
        ("on-failure", Some(Ok(attempts))) => Restart::OnFailure {
            max_attempts: Some(attempts),
        },
        _ => {
            const KNOWN: [&str; 4] = ["no", "always", "unless-stopped", "on-failure"];
            let mut diagnostic = node.warning(format!(
                "`{written}` is no restart policy; it is taken as absent"
            ));
            diagnostic.help = crate::suggest::did_you_mean(policy, KNOWN).or_else(|| {
                Some("write `no`, `always`, `unless-stopped` or `on-failure[:max]`".to_owned())
            });
            reader.diagnostics.push(diagnostic);
            Restart::Unset
        }
    }
}

pub(super) fn mounts(node: Option<&Node>, folder: &str, reader: &mut Reader<'_>) -> Vec<FileMount> {
    let items = node.and_then(Node::as_sequence).unwrap_or_default();
    let mut mounts = Vec::new();
    for item in items {
        let Some(source) = text(item.get("source")) else {
            continue;
        };
        let target = match text(item.get("target")) {
            None => format!("{folder}{source}"),
            Some(target) if target.starts_with('/') => target,
            Some(target) => format!("{folder}{target}"),
        };
        mounts.push(FileMount {
            source,
            target,
            mode: mode(item.get("mode"), reader),
            uid: reader.whole(item.get("uid")),
            gid: reader.whole(item.get("gid")),
        });
    }
    mounts
}

/// `0440` is octal as a number and as a text.
pub(super) fn mode(node: Option<&Node>, reader: &mut Reader<'_>) -> Option<u32> {
    let node = node?;
    let written = node.scalar_text()?;
    let mode = match &node.value {
        crate::node::Value::String(text) => {
            u32::from_str_radix(text.trim_start_matches("0o"), 8).ok()
        }
        _ => read::text(Some(node)).and_then(|text| text.parse().ok()),
    };
    let mode = mode.filter(|mode| *mode <= 0o7777);
    if mode.is_none() {
        reader.error(
            node,
            format!("`{written}` is not a file mode: write it like `0440`"),
        );
    }
    mode
}

fn log_rotation(options: Option<&Node>, reader: &mut Reader<'_>) -> LogRotation {
    let option = |key: &str| options.and_then(|options| options.get(key));
    LogRotation {
        max_bytes: reader.bytes(option("max-size")).unwrap_or(LOG_FILE_BYTES),
        max_files: reader.whole(option("max-file")).unwrap_or(LOG_FILES).max(1),
    }
}
