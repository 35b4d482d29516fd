//! Starts a task: makes its container, joins it to its networks, starts it. What is already so stays so.

use super::body;
use super::engine::{said, status};
use super::follow::Follower;
use super::handle::ContainerHandle;
use super::record::ContainerRecord;
use super::sync::Layer;
use super::{Engine, Reach, labels, network};
use crate::runtime::{Addresses, TaskEvent, TaskEvents};
use crate::shim::record::ExitRecord;
use bollard::errors::Error;
use bollard::models::{ContainerInspectResponse, NetworkConnectRequest};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, InspectContainerOptions, RemoveContainerOptionsBuilder,
    StartContainerOptions,
};
use cais_engine::event::{RevisionNumber, TaskId};
use cais_model::stack::{Network, NetworkMode, Service, Volume};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;

/// What a revision runs in a container, beside its service and its environment.
#[derive(Debug, Clone)]
pub(crate) struct ContainerRun {
    /// The image's id: a tag may move on, a revision does not.
    pub(crate) image: String,
    /// Secrets and configs: path in the container to the file on this machine.
    pub(crate) files: BTreeMap<String, PathBuf>,
    /// The stack's networks that the service is on, by key.
    pub(crate) networks: BTreeMap<String, Network>,
    /// The stack's volumes that the service mounts, by key.
    pub(crate) volumes: BTreeMap<String, Volume>,
    /// Names that other services gave it by `links: [service:name]`.
    pub(crate) aliases: Vec<String>,
}

/// One task to run.
#[derive(Debug, Clone)]
pub(crate) struct ContainerSpec {
    /// Its id.
    pub(crate) task: TaskId,
    /// At which revision.
    pub(crate) revision: RevisionNumber,
    /// `<state>/tasks/<task id>`, absolute.
    pub(crate) task_dir: PathBuf,
    /// Where what `watch` copied is kept.
    pub(crate) layers: PathBuf,
    /// The typed service.
    pub(crate) service: Service,
    /// What it runs.
    pub(crate) run: ContainerRun,
    /// The variables that the file gives it. The image's own are beneath them.
    pub(crate) environment: BTreeMap<String, String>,
}

/// Starts a task or, when its container already runs, adopts it. Safe to perform twice: a container that already ended is not
/// run again, its end is reported.
///
/// `events` gets `Exited` in the end; after an error it gets nothing.
///
/// # Errors
/// In words, when the task does not run; nothing of it is left then.
pub(crate) async fn start(
    engine: &Engine,
    spec: ContainerSpec,
    events: TaskEvents,
) -> Result<(ContainerHandle, Addresses), String> {
    let name = labels::container_name(&engine.scope, &spec.service.name, spec.revision, spec.task);
    let record = prepare(&spec, &name)
        .map_err(|error| format!("cannot use `{}`: {error}", spec.task_dir.display()))?;
    if let Ok(Some(exit)) = ExitRecord::read(&spec.task_dir) {
        let _ = events.send((spec.task, TaskEvent::Exited(exit.status)));
        return Ok((ContainerHandle::over(name), Addresses::new()));
    }
    create(engine, &spec, &name).await?;
    let layer = Layer::of(&spec.layers, &spec.service.name, &spec.run.image);
    if let Err(reason) = layer.put(&engine.client, &name).await {
        remove(engine, &name).await;
        return Err(reason);
    }
    let started = engine
        .client
        .start_container(&name, None::<StartContainerOptions>)
        .await;
    if let Err(error) = started {
        let reason = plain(&said(&error));
        remove(engine, &name).await;
        return Err(reason);
    }
    let found = engine
        .client
        .inspect_container(&name, None::<InspectContainerOptions>)
        .await
        .map_err(|error| said(&error))?;
    Ok(hold(engine, &record, &found, spec.task_dir, events))
}

/// Takes a container that was started under its wing.
pub(super) fn hold(
    engine: &Engine,
    record: &ContainerRecord,
    found: &ContainerInspectResponse,
    task_dir: PathBuf,
    events: TaskEvents,
) -> (ContainerHandle, Addresses) {
    let follower = Follower::begin(engine, &record.container, &task_dir, record.log);
    let pid = found
        .state
        .as_ref()
        .and_then(|state| u32::try_from(state.pid?).ok())
        .filter(|pid| *pid != 0 && engine.reach == Reach::Address);
    let addresses = addresses(engine, found, &record.ports);
    let handle = ContainerHandle::hold(
        engine.clone(),
        record.task,
        record.container.clone(),
        pid,
        task_dir,
        follower,
        events,
    );
    (handle, addresses)
}

/// The task's folder and record, before there is anything else of it.
fn prepare(spec: &ContainerSpec, name: &str) -> std::io::Result<ContainerRecord> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&spec.task_dir)?;
    let record = ContainerRecord {
        task: spec.task,
        service: spec.service.name.clone(),
        revision: spec.revision,
        container: name.to_owned(),
        ports: spec.service.container_ports(),
        log: spec.service.log_rotation,
    };
    record.write(&spec.task_dir)?;
    Ok(record)
}

/// Makes the container and joins it to its networks, unless that was done before.
async fn create(engine: &Engine, spec: &ContainerSpec, name: &str) -> Result<(), String> {
    let attached = body::attachments(spec);
    let mut result = try_create(engine, spec, name).await;
    if matches!(&result, Err(error) if status(error) == Some(404)) {
        // A network or a volume of an older revision that is no longer there.
        network::ensure(engine, spec.run.networks.iter())
            .await
            .map_err(|failure| failure.message)?;
        result = try_create(engine, spec, name).await;
    }
    match result {
        Ok(()) => {}
        Err(error) if status(&error) == Some(409) => owned(engine, spec, name).await?,
        Err(error) => return Err(plain(&said(&error))),
    }
    for (network, endpoint) in attached.into_iter().skip(1) {
        let request = NetworkConnectRequest {
            container: name.to_owned(),
            endpoint_config: Some(endpoint),
        };
        match engine.client.connect_network(&network, request).await {
            Ok(()) => {}
            // It is on it already.
            Err(error)
                if status(&error) == Some(403) || said(&error).contains("already exists") => {}
            Err(error) => {
                let reason = plain(&said(&error));
                remove(engine, name).await;
                return Err(reason);
            }
        }
    }
    Ok(())
}

async fn try_create(engine: &Engine, spec: &ContainerSpec, name: &str) -> Result<(), Error> {
    let mut options = CreateContainerOptionsBuilder::default().name(name);
    if let Some(platform) = &spec.service.container.platform {
        options = options.platform(platform);
    }
    let body = body::body(spec, &engine.scope, engine.publishes(), &engine.log_driver);
    engine
        .client
        .create_container(Some(options.build()), body)
        .await
        .map(drop)
}

/// A container of the task's name is there: it must be the task's own.
async fn owned(engine: &Engine, spec: &ContainerSpec, name: &str) -> Result<(), String> {
    let found = engine
        .client
        .inspect_container(name, None::<InspectContainerOptions>)
        .await
        .map_err(|error| said(&error))?;
    let labels = found
        .config
        .and_then(|config| config.labels)
        .unwrap_or_default();
    let is = |label: &str, value: &str| labels.get(label).is_some_and(|found| found == value);
    if is(labels::STATE, &engine.scope.key) && is(labels::TASK, &spec.task.to_string()) {
        return Ok(());
    }
    Err(format!(
        "the name `{name}` is taken by a container of somebody else; look at it with `docker inspect {name}`"
    ))
}

/// Removes a container with its anonymous volumes, running or not. One that is gone is as good.
pub(super) async fn remove(engine: &Engine, container: &str) -> bool {
    let options = RemoveContainerOptionsBuilder::default()
        .force(true)
        .v(true)
        .build();
    match engine
        .client
        .remove_container(container, Some(options))
        .await
    {
        Ok(()) => true,
        // 409: it is being removed already.
        Err(error) if matches!(status(&error), Some(404 | 409)) => true,
        Err(error) => {
            tracing::warn!(container, error = said(&error), "a container stays");
            false
        }
    }
}

/// Where each port is reached from this machine.
fn addresses(engine: &Engine, found: &ContainerInspectResponse, ports: &[u16]) -> Addresses {
    let Some(settings) = &found.network_settings else {
        return Addresses::new();
    };
    let mode = found
        .host_config
        .as_ref()
        .and_then(|config| config.network_mode.as_deref());
    if mode == Some("host") {
        let host = |port: &u16| (*port, SocketAddr::from((Ipv4Addr::LOCALHOST, *port)));
        return ports.iter().map(host).collect();
    }
    if engine.reach == Reach::Loopback {
        let published = settings.ports.as_ref();
        let forwarded = |port: &u16| {
            let bindings = published?.get(&format!("{port}/tcp"))?.as_ref()?;
            let own = bindings.first()?.host_port.as_ref()?.parse().ok()?;
            Some((*port, SocketAddr::from((Ipv4Addr::LOCALHOST, own))))
        };
        return ports.iter().filter_map(forwarded).collect();
    }
    let networks = settings.networks.as_ref();
    let on = |name: &str| networks.and_then(|networks| networks.get(name));
    // The network that it was made on first: the one of the highest priority.
    let first = mode.and_then(on).into_iter();
    let all = first.chain(networks.into_iter().flat_map(|networks| networks.values()));
    let address = all
        .flat_map(|endpoint| [&endpoint.ip_address, &endpoint.global_ipv6_address])
        .flatten()
        .find_map(|address| address.parse::<IpAddr>().ok());
    let Some(address) = address else {
        return Addresses::new();
    };
    let own = |port: &u16| (*port, SocketAddr::from((address, *port)));
    ports.iter().map(own).collect()
}

/// The engine's sentence without the layers that it came through.
fn plain(text: &str) -> String {
    const LAYERS: [&str; 6] = [
        "OCI runtime create failed: ",
        "failed to create shim task: ",
        "failed to create task for container: ",
        "container_linux.go:",
        "runc create failed: ",
        "runc did not terminate successfully: ",
    ];
    let mut text = text.trim().trim_end_matches(": unknown").trim();
    for layer in LAYERS {
        if let Some((_, rest)) = text.split_once(layer)
            && !rest.is_empty()
        {
            text = rest;
        }
    }
    text.trim_start_matches("unable to start container process: ")
        .to_owned()
}

impl Engine {
    /// Are container ports forwarded from loopback, for want of a way to the containers themselves?
    fn publishes(&self) -> bool {
        self.reach == Reach::Loopback
    }
}

/// What the service is on, where it is on networks of the stack.
pub(super) fn networks_of(
    service: &Service,
) -> Option<&BTreeMap<String, cais_model::stack::Attachment>> {
    match &service.container.network {
        NetworkMode::Networks(networks) => Some(networks),
        NetworkMode::Host | NetworkMode::None | NetworkMode::Bridge | NetworkMode::Other(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn the_reason_is_found_below_its_layers() {
        assert_eq!(
            plain(
                "OCI runtime create failed: runc create failed: unable to start container process: exec: \"/nope\": \
                 stat /nope: no such file or directory: unknown"
            ),
            "exec: \"/nope\": stat /nope: no such file or directory"
        );
        assert_eq!(plain("No such image: a:1"), "No such image: a:1");
    }
}
