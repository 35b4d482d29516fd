//! What a stack asks for beyond one machine: scaling, alarms, and its place on AWS. The local runtimes read none of it yet.

use super::Percent;
use crate::diagnostic::{Diagnostic, Position};
use crate::duration;
use std::collections::BTreeMap;
use std::time::Duration;

/// A value, and where it stands, for those who find out later that it cannot be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// Where it stands in the file.
    pub position: Position,
    /// How many characters it has there.
    pub width: u32,
}

impl<T> Located<T> {
    /// An error about the value.
    pub fn error(&self, message: impl Into<String>) -> Diagnostic {
        Diagnostic::error(&self.position, message).with_width(self.width)
    }
}

/// What a service asks for beyond one machine.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ServiceCloud {
    /// `x-cais.scale`.
    pub scale: Option<Scale>,
    /// `x-cais.alarms`, in name order.
    pub alarms: BTreeMap<String, Alarm>,
    /// The parts of `x-cais.rollout` that move traffic by shares or watch alarms.
    pub shift: Shift,
    /// `x-cais.aws` of the service.
    pub aws: ServiceAws,
}

/// `x-cais.scale`: how many tasks, by what they do.
#[derive(Debug, Clone, PartialEq)]
pub struct Scale {
    /// Fewest tasks.
    pub min: u32,
    /// Most tasks.
    pub max: u32,
    /// Average CPU to keep, of what a task has.
    pub cpu: Option<Percent>,
    /// Average memory to keep, of what a task has.
    pub memory: Option<Percent>,
    /// Requests of one task in a second to keep.
    pub requests: Option<u32>,
    /// Pause after tasks were added. Default 1 min.
    pub out_cooldown: Duration,
    /// Pause after tasks were taken away. Default 5 min.
    pub in_cooldown: Duration,
}

/// One entry of `x-cais.alarms`.
#[derive(Debug, Clone, PartialEq)]
pub struct Alarm {
    /// What is measured.
    pub metric: Metric,
    /// Which side of it is bad.
    pub bound: Bound,
    /// One datapoint. Default 1 min.
    pub period: Duration,
    /// Datapoints that must be bad …
    pub datapoints: u32,
    /// … of so many last ones. Default 3 of 3.
    pub of: u32,
    /// What a period without data counts as.
    pub missing: Missing,
    /// Channels of the top-level `x-cais.notify`.
    pub notify: Vec<Located<String>>,
    /// Where its key stands.
    pub position: Position,
}

/// What an alarm measures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Metric {
    /// `error_rate`: share of requests answered with a 5xx, in percent.
    ErrorRate,
    /// `errors`: requests answered with a 5xx, in a period.
    Errors,
    /// `client_errors`: requests answered with a 4xx, in a period.
    ClientErrors,
    /// `requests`: requests in a period.
    Requests,
    /// `latency_p50`, `latency_p90`, `latency_p95`, `latency_p99`: milliseconds.
    Latency(u32),
    /// `cpu`: average, in percent of what a task has.
    Cpu,
    /// `memory`: average, in percent of what a task has.
    Memory,
    /// `healthy_targets`: tasks that take traffic.
    HealthyTargets,
    /// `log_matches`: log lines of a period that match this CloudWatch filter pattern.
    LogMatches(String),
}

impl Metric {
    /// Every word that `metric:` takes.
    pub const WORDS: [&str; 12] = [
        "error_rate",
        "errors",
        "client_errors",
        "requests",
        "latency_p50",
        "latency_p90",
        "latency_p95",
        "latency_p99",
        "cpu",
        "memory",
        "healthy_targets",
        "log_matches",
    ];

    /// Is it measured where requests come in, so that a service without a route does not have it?
    pub fn needs_route(&self) -> bool {
        match self {
            Self::ErrorRate
            | Self::Errors
            | Self::ClientErrors
            | Self::Requests
            | Self::Latency(_)
            | Self::HealthyTargets => true,
            Self::Cpu | Self::Memory | Self::LogMatches(_) => false,
        }
    }
}

/// The bad side of a metric: a number of its own unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Bound {
    /// `above`.
    Above(f64),
    /// `below`.
    Below(f64),
}

/// What a period without data counts as; CloudWatch's four words.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Missing {
    /// The alarm has too little data.
    Missing,
    /// It is bad.
    Breaching,
    /// It is good; the default, because a service without requests has no datapoints.
    #[default]
    NotBreaching,
    /// The alarm stays what it was.
    Ignore,
}

/// How a rollout moves traffic by shares, and which alarms end it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Shift {
    /// `rollout.step`: the first share of a canary, or each share of a linear rollout.
    pub step: Option<Percent>,
    /// `rollout.step_bake`: pause after a share was moved.
    pub step_bake: Option<Duration>,
    /// `rollout.bake`: how long the old tasks stay after all traffic has moved.
    pub bake: Option<Duration>,
    /// `rollout.alarms`; `None` where the file does not say.
    pub alarms: Option<Vec<Located<String>>>,
}

/// `x-cais.notify.<channel>`.
#[derive(Debug, Clone, PartialEq)]
pub struct Channel {
    /// `webhook`: an address that takes a POST.
    pub webhook: Option<String>,
    /// `email`: an address that takes a mail.
    pub email: Option<String>,
    /// Where its key stands.
    pub position: Position,
}

/// `x-cais.aws` of a service.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ServiceAws {
    /// `cpu`: CPU units of a task, 1024 a vCPU.
    pub cpu: Option<Located<u32>>,
    /// `memory` of a task, in MiB.
    pub memory: Option<Located<u32>>,
    /// `architecture`.
    pub architecture: Option<Architecture>,
    /// `spot`: share of the tasks beyond the first that may be interrupted.
    pub spot: Option<Percent>,
    /// `execute_command`: may `exec` reach into a task? Default false.
    pub execute_command: bool,
    /// `egress`: TCP ports of the internet that tasks may call. Default 443.
    pub egress: Option<Vec<u16>>,
    /// `permissions` of the service's program.
    pub permissions: Vec<Permission>,
    /// `schedule`: when a job runs, `cron(…)` or `rate(…)`; such a service has no task otherwise.
    pub schedule: Option<Located<String>>,
    /// `managed: elasticache`: AWS runs it instead of a task.
    pub managed: Option<Managed>,
}

/// What AWS runs instead of a task.
#[derive(Debug, Clone, PartialEq)]
pub struct Managed {
    /// Where `managed` stands.
    pub position: Position,
    /// `node_type`. Default `cache.t4g.micro`.
    pub node_type: String,
    /// `multi_az`: a second node in another zone that takes over. Default false.
    pub multi_az: bool,
}

/// An allowance of a service's program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permission {
    /// IAM actions: `s3:GetObject`.
    pub actions: Vec<String>,
    /// ARNs.
    pub resources: Vec<String>,
}

/// What a task's program is compiled for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Architecture {
    /// `x86_64`.
    #[default]
    X86_64,
    /// `arm64`.
    Arm64,
}

/// The top-level part.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StackCloud {
    /// `x-cais.notify`.
    pub notify: BTreeMap<String, Channel>,
    /// `x-cais.aws`; absent where the file has none.
    pub aws: Option<Aws>,
}

/// The top-level `x-cais.aws`.
#[derive(Debug, Clone, PartialEq)]
pub struct Aws {
    /// Where its key stands.
    pub position: Position,
    /// `region`.
    pub region: Option<Located<String>>,
    /// `account`: twelve digits.
    pub account: Option<Located<String>>,
    /// `domain`: the name that the load balancer answers to.
    pub domain: Option<Located<String>>,
    /// `zone`: the Route 53 zone that the domain is in.
    pub zone: Option<Located<String>>,
    /// `certificate`: an ARN, instead of one that is made.
    pub certificate: Option<Located<String>>,
    /// `load_balancer`: the name of one that is there, instead of one that is made.
    pub load_balancer: Option<Located<String>>,
    /// `vpc`: the id of one that is there, instead of one that is made.
    pub vpc: Option<Located<String>>,
    /// `subnets.public` of that VPC.
    pub public_subnets: Vec<Located<String>>,
    /// `subnets.private` of that VPC.
    pub private_subnets: Vec<Located<String>>,
    /// `cidr` of the VPC that is made. Default `10.0.0.0/16`.
    pub cidr: Option<Located<String>>,
    /// `peers`: networks that the VPC will be connected with, so must not overlap.
    pub peers: Vec<Located<String>>,
    /// `zones`: letters of the availability zones. Default: the region's first two.
    pub zones: Vec<Located<String>>,
    /// `nat`.
    pub nat: Nat,
    /// `endpoints`: AWS services that are reached without the NAT gateway.
    pub endpoints: Vec<Located<String>>,
    /// `deletion_protection` of what holds traffic or data. Default true.
    pub deletion_protection: bool,
    /// `log_retention` in days. Default 365.
    pub log_retention: Option<Located<u32>>,
    /// `waf`: the ARN of a web ACL for the load balancer.
    pub waf: Option<Located<String>>,
    /// `architecture` of all services. Default `x86_64`.
    pub architecture: Architecture,
    /// `registry`: where images are pushed to, instead of the environment's own repositories (ECR).
    pub registry: Option<Registry>,
    /// `github`: the pipeline that may plan, push and deploy.
    pub github: Option<Github>,
    /// `overrides` by resource address, merged last.
    pub overrides: Vec<Override>,
}

/// `x-cais.aws.nat`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Nat {
    /// `single`: one gateway for all zones; the default. A zone's outage may cut the others off.
    #[default]
    Single,
    /// `per_zone`: one in each zone.
    PerZone,
    /// `none`: tasks reach AWS through `endpoints` only.
    None,
}

/// `x-cais.aws.registry`.
#[derive(Debug, Clone, PartialEq)]
pub struct Registry {
    /// `repository`: registry and path without a tag, such as `ghcr.io/acme/{service}`.
    pub repository: Located<String>,
    /// `credentials`: the secret whose JSON text, `{"username": …, "password": …}`, lets ECS pull from there. Public images
    /// need none.
    pub credentials: Option<Located<String>>,
}

/// `x-cais.aws.github`.
#[derive(Debug, Clone, PartialEq)]
pub struct Github {
    /// `repository`: `owner/name`.
    pub repository: Located<String>,
    /// `repository_id`: its number, which stays when the name is given to somebody else.
    pub repository_id: Option<String>,
    /// `provider`: the ARN of GitHub's OIDC provider, where the account has one.
    pub provider: Option<Located<String>>,
}

/// An entry of `x-cais.aws.overrides`.
#[derive(Debug, Clone, PartialEq)]
pub struct Override {
    /// `module.NAME.TYPE.NAME`, or `MODULE.TYPE.NAME` without an instance: `cluster.aws_ecs_cluster.this`.
    pub address: Located<String>,
    /// What its attributes are set to.
    pub attributes: serde_json::Map<String, serde_json::Value>,
}

impl Registry {
    /// The registry's host.
    pub fn host(&self) -> &str {
        registry_of(&self.repository.value)
    }

    /// The name of a service's image, without a tag: `{service}` stands for the service, which comes last where it does not.
    /// Docker Hub's host is left out, as ECS knows its images.
    pub fn image_of(&self, service: &str) -> String {
        let pattern = self.repository.value.trim_end_matches('/');
        let name = if pattern.contains(SERVICE) {
            pattern.replace(SERVICE, service)
        } else {
            format!("{pattern}/{service}")
        };
        match name.split_once('/') {
            Some((DOCKER_HUB, path)) => path.to_owned(),
            _ => name,
        }
    }
}

/// What stands for the service in `registry.repository`.
const SERVICE: &str = "{service}";
/// The registry of names without a host.
pub const DOCKER_HUB: &str = "docker.io";

/// The host in the name of an image. A first part with a dot or a port is one, by the rule of `docker pull`.
pub fn registry_of(image: &str) -> &str {
    match image.split_once('/') {
        Some((host, _)) if host.contains(['.', ':']) || host == "localhost" => host,
        _ => DOCKER_HUB,
    }
}

impl Alarm {
    /// The bound's number.
    pub fn threshold(&self) -> f64 {
        match self.bound {
            Bound::Above(number) | Bound::Below(number) => number,
        }
    }
}

/// A bound as its metric's unit has it: `1%`, `250ms` (milliseconds) or a number.
pub(crate) fn threshold(written: &str, metric: &Metric) -> Result<f64, &'static str> {
    let number = |text: &str| text.trim().parse().ok().filter(|n: &f64| n.is_finite());
    match metric {
        Metric::ErrorRate | Metric::Cpu | Metric::Memory => number(written.trim_end_matches('%'))
            .filter(|share| (0.0..=100.0).contains(share))
            .ok_or("a share from 0% to 100%, like `1%`"),
        Metric::Latency(_) => duration::parse(written)
            .map(|duration| duration.as_secs_f64() * 1000.0)
            .map_err(|_| "a duration, like `250ms`"),
        Metric::Errors
        | Metric::ClientErrors
        | Metric::Requests
        | Metric::HealthyTargets
        | Metric::LogMatches(_) => number(written)
            .filter(|count| *count >= 0.0)
            .ok_or("a number, like `100`"),
    }
}
