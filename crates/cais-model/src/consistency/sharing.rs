//! What two services cannot share, and rollouts that could never move: ports, routes, bounds.

use crate::diagnostic::{Diagnostic, Position};
use crate::node::Node;
use crate::stack::{Condition, PortMapping, Restart, RolloutConfig, Service, Stack};
use std::collections::{BTreeMap, HashMap, HashSet};

/// Checks the services of a stack against each other.
pub(super) fn check(tree: &Node, stack: &Stack, diagnostics: &mut Vec<Diagnostic>) {
    ports(stack, diagnostics);
    routes(tree, stack, diagnostics);
    for service in stack.services.values() {
        one_shot(tree, stack, service, diagnostics);
        if let Some(rollout) = &service.rollout {
            progress(tree, service, rollout, diagnostics);
        }
        container_name(tree, service, diagnostics);
    }
}

fn ports(stack: &Stack, diagnostics: &mut Vec<Diagnostic>) {
    let mut taken: HashMap<u16, Vec<(&Service, &PortMapping)>> = HashMap::new();
    // A range that collides is said once, not for each of its ports.
    let mut said: HashSet<&Position> = HashSet::new();
    for service in stack.services.values() {
        for port in &service.ports {
            let Some(number) = port.published else {
                continue;
            };
            let others = taken.entry(number).or_default();
            match others.iter().find(|(_, other)| collide(port, other)) {
                Some(_) if !said.insert(&port.position) => {}
                Some((other, first)) => {
                    let (name, other) = (&service.name, &other.name);
                    let message = format!(
                        "service `{name}` publishes port {number}, which service `{other}` publishes"
                    );
                    let help = format!("it was published first at {}", first.position);
                    diagnostics.push(Diagnostic::error(&port.position, message).with_help(help));
                }
                None => others.push((service, port)),
            }
        }
    }
}

fn collide(a: &PortMapping, b: &PortMapping) -> bool {
    let same_host = a.host == b.host || a.host.is_unspecified() || b.host.is_unspecified();
    a.protocol == b.protocol && same_host
}

fn routes(tree: &Node, stack: &Stack, diagnostics: &mut Vec<Diagnostic>) {
    let mut taken: BTreeMap<(Option<&str>, &str), &Service> = BTreeMap::new();
    let all = stack.services.values().flat_map(|service| {
        let routes = service.routes.iter();
        routes.map(move |route| (service, route))
    });
    for (service, route) in all {
        let key = (route.host.as_deref(), route.path.as_str());
        if let Some(first) = taken.get(&key) {
            let place = position_of(tree, service, &["x-cais", "route"]);
            let shown = format!(
                "{}{}",
                route.host.as_deref().unwrap_or_default(),
                route.path
            );
            diagnostics.push(Diagnostic::error(
                &place,
                format!(
                    "services `{}` and `{}` have one route: `{shown}`",
                    first.name, service.name
                ),
            ));
        } else {
            taken.insert(key, service);
        }
    }
}

/// A service that runs once and ends cannot serve a route.
fn one_shot(tree: &Node, stack: &Stack, service: &Service, diagnostics: &mut Vec<Diagnostic>) {
    if service.routes.is_empty() {
        return;
    }
    let waits = |other: &&Service| {
        let dependency = other.depends_on.get(&service.name);
        dependency.is_some_and(|it| it.condition == Condition::ServiceCompletedSuccessfully)
    };
    let waiting = stack.services.values().find(waits);
    let why = match (waiting, service.restart) {
        (Some(other), _) => format!("service `{}` waits for its end", other.name),
        (None, Restart::No) => "`restart: no` runs it once".to_owned(),
        (None, _) => return,
    };
    let place = position_of(tree, service, &["x-cais", "route"]);
    diagnostics.push(Diagnostic::error(
        &place,
        format!("service `{}` has a route, and {why}", service.name),
    ));
}

/// With no task above and none below the desired count, nothing may start and nothing may stop.
fn progress(
    tree: &Node,
    service: &Service,
    rollout: &RolloutConfig,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let desired = u64::from(service.replicas);
    let lower = (desired * u64::from(rollout.minimum_healthy.0)).div_ceil(100);
    let upper = desired * u64::from(rollout.maximum.0) / 100;
    if desired == 0 || upper > desired || lower < desired {
        return;
    }
    let place = position_of(tree, service, &["x-cais", "rollout"]);
    let (minimum, maximum) = (rollout.minimum_healthy.0, rollout.maximum.0);
    let message = format!(
        "a rollout of service `{}` can never move: of {desired} tasks {minimum}% is at least {lower} and {maximum}% at most {upper}",
        service.name
    );
    diagnostics.push(
        Diagnostic::error(&place, message)
            .with_help("lower `minimum_healthy` or raise `maximum`, e.g. to 200%"),
    );
}

/// Container names are unique on a host (Compose Specification, "container_name").
fn container_name(tree: &Node, service: &Service, diagnostics: &mut Vec<Diagnostic>) {
    let name = tree.at(&["services", service.name.as_str(), "container_name"]);
    if let (Some(name), true) = (name, service.replicas > 1) {
        let message = format!(
            "service `{}` has {} tasks and one `container_name`",
            service.name, service.replicas
        );
        diagnostics.push(name.error(message).with_help("remove `container_name`"));
    }
}

fn position_of(tree: &Node, service: &Service, path: &[&str]) -> Position {
    let mut place = service.position.clone();
    let mut node = tree.at(&["services", service.name.as_str()]);
    for key in path {
        let entry = node
            .and_then(Node::as_mapping)
            .and_then(|mapping| mapping.entry(key));
        let Some(entry) = entry else { break };
        place = entry.key_position.clone();
        node = Some(&entry.value);
    }
    place
}
