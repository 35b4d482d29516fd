//! A stack to its infrastructure: every decision about the cloud is made here, once. What is wrong for AWS is collected with
//! its place in the file; how things are spelt is the printers' matter.

use crate::modules;
use crate::names::{Names, identifier};
use crate::resource::{Infrastructure, Instance, Root};
use crate::task::{self, Image, TaskDefinition};
use cais_model::diagnostic::Diagnostic;
use cais_model::stack::{Aws, Condition, Service, Stack, Strategy};
use std::collections::BTreeMap;

mod alarms;
mod dashboard;
mod foundation;
mod overrides;
mod place;
mod rights;
mod routes;
mod schedule;
mod secrets;
mod services;

use place::Place;

/// A stack and what was decided about it.
struct Plan<'s> {
    stack: &'s Stack,
    aws: &'s Aws,
    names: Names,
    environment: &'s str,
    place: Place,
    services: Vec<Planned<'s>>,
}

/// A service and what it is on AWS.
struct Planned<'s> {
    service: &'s Service,
    /// As instances are called after it.
    id: String,
    kind: Kind,
    /// `None` for a cache.
    task: Option<TaskDefinition>,
}

/// What a service is on AWS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Behind the load balancer.
    Web(Strategy),
    /// Called by other services.
    Internal,
    /// Called by nobody.
    Worker,
    /// A task that runs when something asks for it: a migration.
    Job,
    /// A task that runs by the clock.
    Scheduled,
    /// ElastiCache.
    Cache,
}

impl Planned<'_> {
    fn name(&self) -> &str {
        self.service.name.as_str()
    }

    /// Does it stay, so that ECS keeps a number of its tasks?
    fn stays(&self) -> bool {
        matches!(self.kind, Kind::Web(_) | Kind::Internal | Kind::Worker)
    }

    /// Is its image in a repository of the environment's own?
    fn is_in_ecr(&self) -> bool {
        let image = self.task.as_ref().map(|task| &task.container.image);
        matches!(image, Some(Image::Own { .. }))
    }

    /// The port that others call, where it has one.
    fn port(&self) -> Option<u16> {
        match self.kind {
            Kind::Cache => Some(6379),
            _ => self.service.container_ports().first().copied(),
        }
    }

    fn error(&self, message: String) -> Diagnostic {
        let name = self.name();
        Diagnostic::error(&self.service.position, message).with_width(task::width(name))
    }
}

/// What a stack is on AWS in an environment.
///
/// # Errors
/// All that AWS does not have or that the file does not say, with its place.
pub fn lower(stack: &Stack, environment: &str) -> Result<Infrastructure, Vec<Diagnostic>> {
    let mut diagnostics = Vec::new();
    let plan = plan(stack, environment, &mut diagnostics);
    let infrastructure = match plan {
        Some(plan) if diagnostics.is_empty() => Some(plan.infrastructure(&mut diagnostics)),
        _ => None,
    };
    match infrastructure {
        Some(infrastructure) if diagnostics.is_empty() => Ok(infrastructure),
        _ => {
            diagnostics.sort_by(|a, b| a.position.cmp(&b.position));
            diagnostics.dedup();
            Err(diagnostics)
        }
    }
}

fn plan<'s>(
    stack: &'s Stack,
    environment: &'s str,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Plan<'s>> {
    let Some(aws) = &stack.cloud.aws else {
        diagnostics.push(
            Diagnostic::error_without_place(format!(
                "the file does not say where on AWS `{environment}` is"
            ))
            .with_help(format!(
                "write `x-cais: {{aws: {{region: sa-east-1}}}}` into compose.{environment}.yaml"
            )),
        );
        return None;
    };
    let names = Names::new(stack.name.as_str(), environment);
    let mut services: Vec<Planned<'_>> = stack
        .services
        .values()
        .map(|service| Planned {
            service,
            id: identifier(service.name.as_str()),
            kind: kind(stack, service),
            task: None,
        })
        .collect();
    for planned in &mut services {
        if planned.kind == Kind::Cache {
            continue;
        }
        match task::task_definition(stack, planned.service, environment) {
            Ok(task) => planned.task = Some(task),
            Err(found) => diagnostics.extend(found),
        }
    }
    check_names(stack, &names, &services, diagnostics);
    for planned in &services {
        check_service(stack, planned, diagnostics);
    }
    alarms::check(stack, &services, diagnostics);
    let place = place::of(aws, &services, diagnostics)?;
    Some(Plan {
        stack,
        aws,
        names,
        environment,
        place,
        services,
    })
}

fn kind(stack: &Stack, service: &Service) -> Kind {
    let aws = &service.cloud.aws;
    let is_awaited = stack.services.values().any(|other| {
        let dependency = other.depends_on.get(&service.name);
        dependency.is_some_and(|it| it.condition == Condition::ServiceCompletedSuccessfully)
    });
    if aws.managed.is_some() {
        Kind::Cache
    } else if aws.schedule.is_some() {
        Kind::Scheduled
    } else if is_awaited {
        Kind::Job
    } else if !service.routes.is_empty() {
        let rollout = service.rollout.as_ref();
        Kind::Web(rollout.map_or(Strategy::Rolling, |rollout| rollout.strategy))
    } else if service.container_ports().is_empty() {
        Kind::Worker
    } else {
        Kind::Internal
    }
}

/// Names that AWS does not take, and services that would have one name there.
fn check_names(
    stack: &Stack,
    names: &Names,
    services: &[Planned<'_>],
    diagnostics: &mut Vec<Diagnostic>,
) {
    for found in names.too_long() {
        let message = format!(
            "the {} would be called `{}`, {} characters, and AWS takes {}",
            found.what,
            found.name,
            found.name.len(),
            found.limit
        );
        let help = "give the project or the environment a shorter name";
        let named = stack.places.error(&["name"], message.clone());
        let diagnostic = match services.first() {
            // The project's name may come from the folder: the first service is as near as it gets.
            Some(planned) if named.position.is_none() => planned.error(message),
            _ => named,
        };
        diagnostics.push(diagnostic.with_help(help));
    }
    if !names.too_long().is_empty() {
        // Each service's names would be too long with it.
        return;
    }
    let mut seen: BTreeMap<&str, &Planned<'_>> = BTreeMap::new();
    for planned in services {
        let has = crate::names::Has {
            is_routed: matches!(planned.kind, Kind::Web(_)),
            shifts_traffic: matches!(planned.kind, Kind::Web(strategy) if strategy != Strategy::Rolling),
            is_cache: planned.kind == Kind::Cache,
        };
        if let Some(found) = names.too_long_of(planned.name(), has).first() {
            let message = format!(
                "the {} of service `{}` would be called `{}`, {} characters, and AWS takes {}",
                found.what,
                planned.name(),
                found.name,
                found.name.len(),
                found.limit
            );
            let room = (found.limit + planned.name().len()).saturating_sub(found.name.len());
            let help = format!(
                "give the service a name of at most {room} characters, or the project a shorter one"
            );
            diagnostics.push(planned.error(message).with_help(help));
        }
        if let Some(other) = seen.insert(&planned.id, planned) {
            diagnostics.push(planned.error(format!(
                "services `{}` and `{}` would have one name on AWS, where names are lower case with hyphens",
                other.name(),
                planned.name()
            )));
        }
    }
}

/// What one service asks for that does not go together.
fn check_service(stack: &Stack, planned: &Planned<'_>, diagnostics: &mut Vec<Diagnostic>) {
    let service = planned.service;
    let error_at = |block: &str, key: &str, message: String| {
        let path = ["services", planned.name(), "x-cais", block, key];
        stack.places.error(&path, message)
    };
    let strategy = service.rollout.as_ref().map(|rollout| rollout.strategy);
    let moves = strategy.filter(|strategy| *strategy != Strategy::Rolling);
    if let Some(strategy) = moves {
        let word = match strategy {
            Strategy::BlueGreen => "blue-green",
            Strategy::Canary => "canary",
            Strategy::Linear | Strategy::Rolling => "linear",
        };
        if !matches!(planned.kind, Kind::Web(_)) {
            diagnostics.push(
                error_at("rollout", "strategy", format!(
                        "service `{}` has no route, and `strategy: {word}` moves the traffic of one",
                        planned.name()
                    ))
                    .with_help("give it `x-cais: {route: {path: /}}`, or leave `strategy` out"),
            );
        } else if service.routes.len() > 1 {
            diagnostics.push(
                error_at(
                    "rollout",
                    "strategy",
                    format!(
                        "service `{}` has {} routes, and with `strategy: {word}` ECS moves one",
                        planned.name(),
                        service.routes.len()
                    ),
                )
                .with_help("leave one route, or take `strategy: rolling`"),
            );
        }
    }
    if let (Some(scale), false) = (&service.cloud.scale, matches!(planned.kind, Kind::Web(_)))
        && scale.requests.is_some()
    {
        diagnostics.push(
            error_at("scale", "requests", format!(
                    "service `{}` is to be scaled by requests, and it has no route that they come by",
                    planned.name()
                ))
                .with_help("scale it by `cpu` or `memory`"),
        );
    }
    if service.image.is_none() && !task::is_own(service) && planned.kind != Kind::Cache {
        diagnostics.push(
            planned
                .error(format!(
                    "service `{}` has no image, and containers run one",
                    planned.name()
                ))
                .with_help("give it `build: .`, or `x-cais: {image: {artifact: FILE}}` for a static program"),
        );
    }
}

impl<'s> Plan<'s> {
    fn infrastructure(&self, diagnostics: &mut Vec<Diagnostic>) -> Infrastructure {
        let foundation = self.foundation();
        let services = self.services_root();
        let mut all = BTreeMap::new();
        for instance in foundation.instances.iter().chain(&services.instances) {
            if !all.contains_key(&instance.module)
                && let Some(module) = modules::module(&instance.module)
            {
                all.insert(instance.module.clone(), module);
            }
        }
        let mut infrastructure = Infrastructure {
            project: self.stack.name.to_string(),
            environment: self.environment.to_owned(),
            region: self.place.region.clone(),
            account: self
                .aws
                .account
                .as_ref()
                .map(|account| account.value.clone()),
            images_elsewhere: self
                .services
                .iter()
                .filter_map(|planned| {
                    let task = planned.task.as_ref()?;
                    let Image::Elsewhere(image) = &task.container.image else {
                        return None;
                    };
                    Some((planned.name().to_owned(), image.clone()))
                })
                .collect(),
            modules: all,
            foundation,
            services,
        };
        overrides::apply(&mut infrastructure, &self.aws.overrides, diagnostics);
        infrastructure
    }

    fn with_kind(&self, kind: Kind) -> impl Iterator<Item = &Planned<'s>> {
        self.services
            .iter()
            .filter(move |planned| planned.kind == kind)
    }

    fn has_routes(&self) -> bool {
        self.services
            .iter()
            .any(|planned| matches!(planned.kind, Kind::Web(_)))
    }

    /// Who calls whom.
    fn calls(&self) -> Vec<(&Planned<'s>, &Planned<'s>, u16)> {
        let callers = self.services.iter();
        callers
            .flat_map(|from| {
                let calls = self.calls_of(from).into_iter();
                calls.map(move |(to, port)| (from, to, port))
            })
            .collect()
    }

    /// Whom a service calls: by `depends_on`, or because a variable names the other's host.
    fn calls_of(&self, from: &Planned<'_>) -> Vec<(&Planned<'s>, u16)> {
        if from.kind == Kind::Cache {
            return Vec::new();
        }
        let service = from.service;
        let is_called = |to: &&Planned<'s>| {
            service.depends_on.contains_key(&to.service.name)
                || service
                    .environment
                    .values()
                    .any(|value| names_host(value, to.name()))
        };
        let others = self.services.iter().filter(|to| {
            to.service.name != service.name
                && matches!(to.kind, Kind::Web(_) | Kind::Internal | Kind::Cache)
        });
        others
            .filter(is_called)
            .filter_map(|to| to.port().map(|port| (to, port)))
            .collect()
    }
}

/// Is the text this host, with or without a port, or a URL that leads there?
fn names_host(text: &str, host: &str) -> bool {
    let authority = match text.split_once("://") {
        Some((_, rest)) => rest.split(['/', '?', '#']).next().unwrap_or_default(),
        None => text,
    };
    let host_port = authority.rsplit('@').next().unwrap_or_default();
    host_port.split(':').next() == Some(host)
}

/// The root with its instances in reading order: `main` first, then a file a service.
fn sorted(mut root: Root) -> Root {
    root.instances
        .sort_by_key(|instance| instance.file != "main");
    root
}

/// What an instance of a root is called that belongs to a service.
fn instance(module: &str, planned: &Planned<'_>, suffix: &str) -> Instance {
    let name = if suffix.is_empty() {
        planned.id.clone()
    } else {
        format!("{}_{suffix}", planned.id)
    };
    Instance::new(module, name, &planned.id)
}
