//! A service's task definition, as a value that the infrastructure and a deploy both read: what a container gets. How it is
//! spelt for ECS is `definition`'s.

use crate::fargate::{self, Size};
use crate::names::Names;
use cais_model::diagnostic::Diagnostic;
use cais_model::stack::{Architecture, HealthTest, Healthcheck, Service, Stack, registry_of};
use std::collections::BTreeMap;
use std::time::Duration;

pub use secrets::SecretVariable;
pub(crate) use secrets::{cache_of_password, in_capitals};

mod definition;
mod secrets;

/// The user that a program runs as where its file names none: `nonroot` of distroless images.
const USER: &str = "65532:65532";

/// What one task is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskDefinition {
    /// The family of its revisions.
    pub family: String,
    /// CPU units and MiB.
    pub size: Size,
    /// What its program is compiled for.
    pub architecture: Architecture,
    /// Name of the role by which ECS starts it.
    pub execution_role: String,
    /// Name of the role that its program has.
    pub task_role: String,
    /// Its container.
    pub container: Container,
}

/// The container of a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Container {
    /// Its name.
    pub name: String,
    /// What it runs.
    pub image: Image,
    /// `repositoryCredentials`: the name of the secret that ECS pulls the image with; `None` where it needs none.
    pub credentials: Option<String>,
    /// `entryPoint`; `None` is the image's.
    pub entry_point: Option<Vec<String>>,
    /// `command`; `None` is the image's.
    pub command: Option<Vec<String>>,
    /// `workingDirectory`.
    pub working_directory: Option<String>,
    /// `user`; `None` is the image's.
    pub user: Option<String>,
    /// Variables with their values.
    pub environment: BTreeMap<String, String>,
    /// Variables whose values ECS fetches from Secrets Manager.
    pub secrets: Vec<SecretVariable>,
    /// Ports that it listens on.
    pub ports: Vec<Port>,
    /// `healthCheck`.
    pub health: Option<HealthCheck>,
    /// Seconds from SIGTERM to SIGKILL.
    pub stop_timeout: u32,
    /// `readonlyRootFilesystem`.
    pub is_read_only: bool,
    /// `initProcessEnabled`.
    pub has_init: bool,
    /// Capabilities that are taken away.
    pub drop: Vec<String>,
    /// Capabilities that are given.
    pub add: Vec<String>,
    /// Open files, soft and hard limit.
    pub open_files: Option<(i64, i64)>,
    /// Where its log goes.
    pub log_group: String,
    /// In which region.
    pub region: String,
}

/// What a container runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Image {
    /// An image of the stack's own, in this ECR repository.
    Own {
        /// The repository's name.
        repository: String,
    },
    /// An image of the stack's own in another registry, under this name without a tag.
    Elsewhere(String),
    /// An image by its name, as the file has it.
    Named(String),
}

/// A port of a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    /// By which Service Connect finds it.
    pub name: String,
    /// Its number.
    pub port: u16,
    /// Does HTTP go over it?
    pub is_http: bool,
}

/// `healthCheck` of a container, within ECS's bounds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthCheck {
    /// `CMD` or `CMD-SHELL`, then what to run.
    pub command: Vec<String>,
    /// Seconds, 5 to 300.
    pub interval: u32,
    /// Seconds, 2 to 60.
    pub timeout: u32,
    /// 1 to 10.
    pub retries: u32,
    /// Seconds, 0 to 300.
    pub start_period: u32,
}

/// The task definition of a service.
///
/// # Errors
/// What Fargate does not have, with its place in the file.
pub fn task_definition(
    stack: &Stack,
    service: &Service,
    environment: &str,
) -> Result<TaskDefinition, Vec<Diagnostic>> {
    let mut diagnostics = Vec::new();
    let names = Names::new(stack.name.as_str(), environment);
    let aws = stack.cloud.aws.as_ref();
    let region = aws
        .and_then(|aws| aws.region.as_ref())
        .map(|region| region.value.clone())
        .unwrap_or_default();
    let name = service.name.as_str();
    let size = size(stack, service, &mut diagnostics);
    let stop_timeout = stop_timeout(stack, service, &mut diagnostics);
    let variables = secrets::variables(stack, service, &names, &mut diagnostics);
    if !diagnostics.is_empty() {
        return Err(diagnostics);
    }
    let is_own = is_own(service);
    let registry = aws.and_then(|aws| aws.registry.as_ref());
    let (image, image_name) = match (is_own, registry) {
        (true, None) => {
            let repository = names.repository(name);
            (Image::Own { repository }, String::new())
        }
        (true, Some(registry)) => {
            let image = registry.image_of(name);
            (Image::Elsewhere(image.clone()), image)
        }
        (false, _) => {
            let image = service.image.clone().unwrap_or_default();
            (Image::Named(image.clone()), image)
        }
    };
    let rights = &service.container.rights;
    let container = Container {
        name: names.container(name),
        credentials: registry
            .filter(|registry| registry.host() == registry_of(&image_name))
            .and_then(|registry| registry.credentials.as_ref())
            .map(|secret| names.secret(&secret.value)),
        image,
        entry_point: service.entrypoint.clone(),
        command: service.command.clone(),
        working_directory: service.working_dir.clone(),
        user: service
            .user
            .clone()
            .or_else(|| is_own.then(|| USER.to_owned())),
        environment: variables.plain,
        secrets: variables.secret,
        ports: ports(service),
        health: service.healthcheck.as_ref().map(health_check),
        stop_timeout,
        is_read_only: rights.read_only.unwrap_or(is_own),
        has_init: service.container.init.unwrap_or(true),
        drop: if is_own && rights.cap_drop.is_empty() {
            vec!["ALL".to_owned()]
        } else {
            rights.cap_drop.clone()
        },
        add: rights.cap_add.clone(),
        open_files: service.container.limits.ulimits.get("nofile").copied(),
        log_group: names.log_group(name),
        region,
    };
    let default = aws.map(|aws| aws.architecture).unwrap_or_default();
    Ok(TaskDefinition {
        family: names.task_family(name),
        size,
        architecture: architecture(service, default),
        execution_role: names.execution_role(name),
        task_role: names.task_role(name),
        container,
    })
}

/// Is the image made from this project?
pub fn is_own(service: &Service) -> bool {
    service.build.is_some() || service.artifact.is_some()
}

/// The ports of a service's container.
pub(crate) fn ports(service: &Service) -> Vec<Port> {
    let is_http = service.speaks_http();
    let ports = service.container_ports().into_iter();
    ports
        .enumerate()
        .map(|(index, port)| Port {
            name: format!("port-{port}"),
            port,
            is_http: is_http && index == 0,
        })
        .collect()
}

/// What the file says, else what the platform of the service says, else what the stack says.
fn architecture(service: &Service, default: Architecture) -> Architecture {
    let platform = service.container.platform.as_deref().unwrap_or_default();
    let of_platform = if platform.contains("arm64") || platform.contains("aarch64") {
        Some(Architecture::Arm64)
    } else if platform.contains("amd64") || platform.contains("x86_64") {
        Some(Architecture::X86_64)
    } else {
        None
    };
    let own = service.cloud.aws.architecture;
    own.or(of_platform).unwrap_or(default)
}

/// `x-cais.aws.cpu` and `memory`, which must be a pair; else the smallest that holds what `deploy.resources` asks for.
fn size(stack: &Stack, service: &Service, diagnostics: &mut Vec<Diagnostic>) -> Size {
    let nothing = Size { cpu: 0, memory: 0 };
    let (reserved, limits) = (service.resources.reservations, service.resources.limits);
    let millis = reserved.cpu_millis.or(limits.cpu_millis).unwrap_or(0);
    let bytes = reserved.memory_bytes.max(limits.memory_bytes).unwrap_or(0);
    let asked_cpu = u32::try_from(u64::from(millis) * 1024 / 1000).unwrap_or(u32::MAX);
    let asked_memory = u32::try_from(bytes.div_ceil(1 << 20)).unwrap_or(u32::MAX);
    let aws = &service.cloud.aws;
    if let Some(cpu) = &aws.cpu {
        let memories = fargate::memories(cpu.value);
        if memories.is_empty() {
            let help = format!("it has {}", listed(&fargate::cpus()));
            let message = format!("Fargate has no task of {} CPU units", cpu.value);
            diagnostics.push(cpu.error(message).with_help(help));
            return nothing;
        }
        if let Some(memory) = &aws.memory
            && !memories.contains(&memory.value)
        {
            let message = format!(
                "Fargate has no task of {} CPU units with {} MiB",
                cpu.value, memory.value
            );
            let help = format!(
                "with {} CPU units it has {} MiB",
                cpu.value,
                shortened(&memories)
            );
            diagnostics.push(memory.error(message).with_help(help));
            return nothing;
        }
    }
    let cpu = aws.cpu.as_ref().map_or(asked_cpu, |cpu| cpu.value);
    let memory = aws
        .memory
        .as_ref()
        .map_or(asked_memory, |memory| memory.value);
    match fargate::smallest(cpu, memory) {
        Some(size) if aws.cpu.is_none() || size.cpu == cpu => size,
        _ => {
            let message = format!(
                "service `{}` asks for {}, and Fargate has no such task",
                service.name,
                amounts(cpu, memory)
            );
            let help = "the largest has 16384 CPU units (16 vCPUs) and 122880 MiB; with fewer CPU units there is less memory";
            let diagnostic = match (&aws.memory, &aws.cpu) {
                (Some(memory), _) => memory.error(message),
                (None, Some(cpu)) => cpu.error(message),
                (None, None) => stack.places.error(&asked_at(service, cpu), message),
            };
            diagnostics.push(diagnostic.with_help(help));
            nothing
        }
    }
}

/// "32768 CPU units and 512 MiB"; memory that nobody asked for is left out.
fn amounts(cpu: u32, memory: u32) -> String {
    match (cpu, memory) {
        (_, 0) => format!("{cpu} CPU units"),
        (0, _) => format!("{memory} MiB"),
        _ => format!("{cpu} CPU units and {memory} MiB"),
    }
}

/// The path of the amount in `deploy.resources` that no task of Fargate holds.
fn asked_at(service: &Service, cpu: u32) -> [&str; 6] {
    let (reserved, limits) = (service.resources.reservations, service.resources.limits);
    let is_cpu = fargate::smallest(cpu, 0).is_none();
    let is_reserved = match is_cpu {
        true => reserved.cpu_millis.is_some(),
        false => reserved.memory_bytes >= limits.memory_bytes,
    };
    [
        "services",
        service.name.as_str(),
        "deploy",
        "resources",
        if is_reserved {
            "reservations"
        } else {
            "limits"
        },
        if is_cpu { "cpus" } else { "memory" },
    ]
}

/// Seconds, rounded up; Fargate takes 2 to 120.
fn stop_timeout(stack: &Stack, service: &Service, diagnostics: &mut Vec<Diagnostic>) -> u32 {
    let grace = service.stop_grace_period;
    if grace < Duration::from_secs(2) || grace > Duration::from_secs(120) {
        let message = format!(
            "`stop_grace_period` of service `{}` is {} s, and Fargate takes 2 s to 120 s",
            service.name,
            grace.as_secs_f64()
        );
        let path = ["services", service.name.as_str(), "stop_grace_period"];
        let diagnostic = stack.places.error(&path, message);
        diagnostics.push(diagnostic.with_help("write `stop_grace_period: 30s`"));
    }
    seconds(grace)
}

fn health_check(check: &Healthcheck) -> HealthCheck {
    let command = match &check.test {
        HealthTest::Command(words) => std::iter::once("CMD".to_owned())
            .chain(words.iter().cloned())
            .collect(),
        HealthTest::Shell(text) => vec!["CMD-SHELL".to_owned(), text.clone()],
    };
    HealthCheck {
        command,
        interval: seconds(check.timing.interval).clamp(5, 300),
        timeout: seconds(check.timing.timeout).clamp(2, 60),
        retries: check.timing.retries.clamp(1, 10),
        start_period: seconds(check.timing.start_period).min(300),
    }
}

/// Whole seconds, rounded up.
pub(crate) fn seconds(duration: Duration) -> u32 {
    let whole = duration.as_secs() + u64::from(duration.subsec_nanos() > 0);
    u32::try_from(whole).unwrap_or(u32::MAX)
}

/// Characters of a name.
pub(crate) fn width(name: &str) -> u32 {
    u32::try_from(name.chars().count()).unwrap_or(1)
}

fn listed(numbers: &[u32]) -> String {
    let numbers: Vec<String> = numbers.iter().map(ToString::to_string).collect();
    numbers.join(", ")
}

/// All of a few; of many the first, the second and the last.
fn shortened(numbers: &[u32]) -> String {
    match numbers {
        [first, second, .., last] if numbers.len() > 4 => format!("{first}, {second} … {last}"),
        _ => listed(numbers),
    }
}
