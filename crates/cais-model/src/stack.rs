//! The typed stack: what a Compose file means, after everything textual was decided.

use crate::diagnostic::Position;
use crate::name::{ProjectName, ServiceName};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

mod build;
pub(crate) mod cloud;
mod container;
mod develop;
mod places;
mod resources;

pub use build::{Artifact, Build, Ci};
pub use cloud::{
    Alarm, Architecture, Aws, Bound, Channel, DOCKER_HUB, Github, Located, Managed, Metric,
    Missing, Nat, Override, Permission, Registry, Scale, ServiceAws, ServiceCloud, Shift,
    StackCloud, registry_of,
};
pub use container::{
    Attachment, BlockIo, Container, ContainerLimits, Device, DeviceRequest, Devices, Ipam,
    IpamPool, Logging, Mount, MountKind, Names, Network, NetworkMode, PullPolicy, Rights, Volume,
};
pub use develop::{WatchAction, WatchRule};
pub use places::Places;
pub use resources::{Amounts, Resources};

/// All services of one Compose project.
#[derive(Debug, Clone, PartialEq)]
pub struct Stack {
    /// Project name, by Compose's rules.
    pub name: ProjectName,
    /// Folder that relative paths in the file are relative to.
    pub directory: PathBuf,
    /// Services in name order.
    pub services: BTreeMap<ServiceName, Service>,
    /// Top-level `secrets:`.
    pub secrets: BTreeMap<String, FileSource>,
    /// Top-level `configs:`.
    pub configs: BTreeMap<String, FileSource>,
    /// Top-level `volumes:`.
    pub volumes: BTreeMap<String, Volume>,
    /// Top-level `networks:`, with `default` where a service is on it.
    pub networks: BTreeMap<String, Network>,
    /// `x-cais.listen`: where the gateway serves all routes. Default `127.0.0.1:8080`.
    pub listen: SocketAddr,
    /// Its place on AWS, and who is told of alarms.
    pub cloud: StackCloud,
    /// Where its values stand.
    pub places: Places,
}

/// One entry under `services:`.
#[derive(Debug, Clone, PartialEq)]
pub struct Service {
    /// Its key.
    pub name: ServiceName,
    /// Where its key stands in the file.
    pub position: Position,
    /// `image`.
    pub image: Option<String>,
    /// `build`.
    pub build: Option<Build>,
    /// `develop.watch`.
    pub watch: Vec<WatchRule>,
    /// `entrypoint`, split into words. `Some(vec![])` clears the image's.
    pub entrypoint: Option<Vec<String>>,
    /// `command`, split into words.
    pub command: Option<Vec<String>>,
    /// `working_dir`.
    pub working_dir: Option<String>,
    /// `user`.
    pub user: Option<String>,
    /// `env_file` and `environment`, merged and interpolated; a name without a value that no variable fills is absent.
    pub environment: BTreeMap<String, String>,
    /// `ports`, in the long form, ranges expanded.
    pub ports: Vec<PortMapping>,
    /// `expose`: container ports.
    pub expose: Vec<u16>,
    /// `depends_on`, in the long form.
    pub depends_on: BTreeMap<ServiceName, Dependency>,
    /// `healthcheck`; `None` when absent or disabled.
    pub healthcheck: Option<Healthcheck>,
    /// `restart`.
    pub restart: Restart,
    /// `deploy.replicas` or `scale`. Default 1.
    pub replicas: u32,
    /// `deploy.update_config`, where the file has one.
    pub update: Option<UpdateConfig>,
    /// `deploy.rollback_config`, where the file has one.
    pub rollback: Option<UpdateConfig>,
    /// `stop_signal`. Default `SIGTERM`.
    pub stop_signal: String,
    /// `stop_grace_period`. Default 10 s.
    pub stop_grace_period: Duration,
    /// `secrets` of the service.
    pub secrets: Vec<FileMount>,
    /// `configs` of the service.
    pub configs: Vec<FileMount>,
    /// `logging.options` `max-size` in bytes and `max-file`. Default 10 MiB and 3.
    pub log_rotation: LogRotation,
    /// `deploy.resources`, and the older fields that mean the same.
    pub resources: Resources,
    /// What it asks of its containers.
    pub container: Container,
    /// `x-cais.process`.
    pub process: Option<Process>,
    /// `x-cais.image`.
    pub artifact: Option<Artifact>,
    /// `x-cais.ci`.
    pub ci: Ci,
    /// `x-cais.route`: one, or a list of them.
    pub routes: Vec<Route>,
    /// `x-cais.health`.
    pub health: Option<HttpHealth>,
    /// `x-cais.rollout`.
    pub rollout: Option<RolloutConfig>,
    /// What it asks for beyond one machine.
    pub cloud: ServiceCloud,
    /// The service's merged definition as canonical JSON (keys sorted, long forms), variables **not** filled in: where a
    /// text has variables it stands as written, and a variable's value never does. Contents of `env_file` are not in it
    /// either, only the files' paths. Hashing it therefore never hashes a secret that came from outside the file; a change
    /// of such a value shows only in [`Self::environment`], which wants a keyed hash.
    pub definition: String,
    /// [`Self::definition`] without what changes no task: how many there are, how they are replaced, what they wait for, and
    /// how traffic reaches them. Two services equal in it may share a revision.
    pub task_definition: String,
    /// Variables that the definition names, and keys of `environment` that take the caller's value.
    pub used_variables: BTreeSet<String>,
}

impl Service {
    /// The words the process runtime runs: `x-cais.process.command`, else `entrypoint` followed by `command`; `None` where there are none.
    pub fn local_command(&self) -> Option<Vec<String>> {
        let own = self
            .process
            .as_ref()
            .and_then(|process| process.command.clone());
        let words = own.unwrap_or_else(|| {
            let parts = [&self.entrypoint, &self.command];
            parts.into_iter().flatten().flatten().cloned().collect()
        });
        (!words.is_empty()).then_some(words)
    }

    /// The container ports that other services, routes and published ports reach it by; the first is the
    /// one that `PORT` stands for. A file that sets `PORT` tells its program, and us, where it listens;
    /// where something reaches it and nothing names a port, that is 8080.
    pub fn container_ports(&self) -> Vec<u16> {
        let own = self
            .environment
            .get("PORT")
            .and_then(|value| value.parse().ok());
        let tcp = self
            .ports
            .iter()
            .filter(|port| port.protocol == Protocol::Tcp);
        let named = own
            .into_iter()
            .chain(tcp.map(|port| port.target))
            .chain(self.expose.iter().copied());
        let mut ports = Vec::new();
        for port in named {
            if !ports.contains(&port) {
                ports.push(port);
            }
        }
        if ports.is_empty() && (!self.routes.is_empty() || self.health.is_some()) {
            ports.push(8080);
        }
        ports
    }

    /// Is it reached by HTTP, as far as the file says: a route, an HTTP health check, or a port's `app_protocol`?
    pub fn speaks_http(&self) -> bool {
        let port = |port: &PortMapping| port.app_protocol.as_deref().is_some_and(is_http);
        !self.routes.is_empty() || self.health.is_some() || self.ports.iter().any(port)
    }
}

/// One published or exposed port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortMapping {
    /// Address on the host; loopback where the file names none.
    pub host: IpAddr,
    /// Did the file name the address itself?
    pub host_is_explicit: bool,
    /// Port on the host; `None`: the file names none. Of a range the first: all tasks share it.
    pub published: Option<u16>,
    /// Port in the container.
    pub target: u16,
    /// `tcp` or `udp`.
    pub protocol: Protocol,
    /// `app_protocol` of the long form, e.g. `http`.
    pub app_protocol: Option<String>,
    /// Where it stands in the file.
    pub position: Position,
}

/// Does a port's `app_protocol` mean HTTP?
pub fn is_http(app_protocol: &str) -> bool {
    matches!(app_protocol, "http" | "http2" | "grpc" | "h2c")
}

/// Transport of a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// TCP, the default.
    Tcp,
    /// UDP.
    Udp,
}

/// One entry of `depends_on`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dependency {
    /// What to wait for.
    pub condition: Condition,
    /// Restart the dependent service when the dependency was restarted by a command.
    pub restart: bool,
    /// When false, an absent dependency is only warned about.
    pub required: bool,
}

/// `depends_on.*.condition`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// Its tasks were started.
    ServiceStarted,
    /// Its tasks are healthy.
    ServiceHealthy,
    /// Its task ran to its end with exit code 0.
    ServiceCompletedSuccessfully,
}

/// `healthcheck` (Compose Specification; unset fields take Docker's defaults).
#[derive(Debug, Clone, PartialEq)]
pub struct Healthcheck {
    /// What to run.
    pub test: HealthTest,
    /// When and how often.
    pub timing: ProbeTiming,
}

/// `healthcheck.test`.
#[derive(Debug, Clone, PartialEq)]
pub enum HealthTest {
    /// `["CMD", …]`: executed as it is.
    Command(Vec<String>),
    /// `["CMD-SHELL", "…"]` or a string: through `/bin/sh -c`.
    Shell(String),
}

/// Timing of a health check, under Compose's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeTiming {
    /// Pause between probes once the start period is over or a probe passed.
    pub interval: Duration,
    /// A probe that takes longer has failed.
    pub timeout: Duration,
    /// Failures in a row that make a task unhealthy.
    pub retries: u32,
    /// How long after its start a task's failures do not count.
    pub start_period: Duration,
    /// Pause between probes during the start period.
    pub start_interval: Duration,
}

/// `x-cais.health`: probes over HTTP against the task's own port.
#[derive(Debug, Clone, PartialEq)]
pub struct HttpHealth {
    /// Liveness: failing `retries` times in a row replaces the task.
    pub path: Option<String>,
    /// Readiness: decides traffic only.
    pub ready: Option<String>,
    /// Timing of both. Defaults: interval 1 s, timeout 1 s, retries 3, start period 10 s, start interval 100 ms.
    pub timing: ProbeTiming,
}

/// `restart`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Restart {
    /// The file says nothing: a task that ends is replaced, as ECS does.
    Unset,
    /// `no`: a task runs once.
    No,
    /// `always`.
    Always,
    /// `unless-stopped`.
    UnlessStopped,
    /// `on-failure[:max]`.
    OnFailure {
        /// Attempts before giving up; `None` never gives up.
        max_attempts: Option<u32>,
    },
}

/// `deploy.update_config` or `deploy.rollback_config`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct UpdateConfig {
    /// Tasks replaced at a time; 0 is all at once. Compose's default is 1.
    pub parallelism: u32,
    /// Pause between batches.
    pub delay: Duration,
    /// What starts or stops first.
    pub order: Order,
    /// A task that exits within this time of becoming healthy counts as failed.
    pub monitor: Option<Duration>,
    /// What to do when the breaker trips.
    pub failure_action: FailureAction,
    /// Share of tasks that may fail, 0 to 1.
    pub max_failure_ratio: f64,
}

/// `update_config.order`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// The old task stops before the new one starts (Compose's default).
    StopFirst,
    /// The new task is healthy before the old one stops.
    StartFirst,
}

/// `update_config.failure_action`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureAction {
    /// No breaker.
    Continue,
    /// The breaker stops the rollout and leaves it to a person.
    Pause,
    /// The breaker goes back to the last completed revision.
    Rollback,
}

/// `x-cais.rollout`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RolloutConfig {
    /// How traffic moves. Only `rolling` is honoured so far.
    pub strategy: Strategy,
    /// `minimum_healthy`, percent of the desired count, 0 to 100. Default 100.
    pub minimum_healthy: Percent,
    /// `maximum`, percent of the desired count, 100 or more. Default 200.
    pub maximum: Percent,
    /// Breaker threshold; default `BoundedPercent(50)`.
    pub breaker: Threshold,
    /// Does a task that becomes healthy reset the breaker's count? Default true.
    pub reset_on_healthy: bool,
    /// A task that exits within this time of becoming healthy counts as failed. Default: `update_config.monitor`, else 0.
    pub monitor: Option<Duration>,
    /// How long a draining task may finish its requests. Default 30 s, or 1 s for a service that is
    /// reached by TCP alone.
    pub deregistration_delay: Option<Duration>,
    /// A rollout without a new healthy task for so long has failed. Default 10 min.
    pub progress_deadline: Duration,
}

/// Whole percent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Percent(pub u32);

/// `x-cais.rollout.strategy`; ECS's four words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// Tasks are replaced a few at a time.
    Rolling,
    /// All new tasks first, then the switch.
    BlueGreen,
    /// A share first, then the rest.
    Canary,
    /// Equal steps.
    Linear,
}

/// The breaker's threshold (ECS, July 2026).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Threshold {
    /// `clamp(ceil(D·v/100), 3, 200)`.
    BoundedPercent(u32),
    /// `max(1, ceil(D·v/100))`.
    UnboundedPercent(u32),
    /// `v` failures.
    Count(u32),
}

/// A top-level `secrets:` or `configs:` entry.
#[derive(Debug, Clone, PartialEq)]
pub struct FileSource {
    /// Where the content comes from.
    pub origin: FileOrigin,
    /// `x-cais.generate: true`: cais writes a random value (0600) where the file is missing.
    pub generate: bool,
}

/// Where a secret's or config's content comes from.
#[derive(Debug, Clone, PartialEq)]
pub enum FileOrigin {
    /// `file:`, absolute: a relative one is joined to the project directory.
    File(PathBuf),
    /// `environment:` a variable's name.
    Environment(String),
    /// `content:` inline (configs).
    Content(String),
    /// `external: true`.
    External,
}

/// A secret or config of a service.
#[derive(Debug, Clone, PartialEq)]
pub struct FileMount {
    /// Key under the top-level block.
    pub source: String,
    /// Path in the container: `/run/secrets/<name>` or as the file says.
    pub target: String,
    /// File mode, where given.
    pub mode: Option<u32>,
    /// Owner in the container, where given.
    pub uid: Option<u32>,
    /// Group in the container, where given.
    pub gid: Option<u32>,
}

/// How much log of one task is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogRotation {
    /// A file is closed at this size.
    pub max_bytes: u64,
    /// Files kept, the open one included.
    pub max_files: u32,
}

/// `x-cais.process`: how the service runs without a container.
#[derive(Debug, Clone, PartialEq)]
pub struct Process {
    /// A shell command that builds it.
    pub build: Option<String>,
    /// The command to run, split into words; falls back on `command`.
    pub command: Option<Vec<String>>,
    /// Skip the service where its program is not installed.
    pub optional: bool,
}

/// An entry of `x-cais.route`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// Host name without port, lower case; `None` is any.
    pub host: Option<String>,
    /// Path prefix on whole segments; `/` is everything.
    pub path: String,
}
