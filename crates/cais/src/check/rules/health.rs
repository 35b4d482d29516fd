//! Whether anybody would notice that a service does not answer.

use super::super::Service;
use super::Hit;
use cais_model::node::Node;
use cais_model::stack::HealthTest;

/// A service that is reached and has no check. One with a route has a rule of its own.
pub(super) fn no_health_check(service: &Service<'_>, hits: &mut Vec<Hit>) {
    let could_have_one_inside = service.typed.build.is_some() && service.dockerfile().is_none();
    if service.is_reached()
        && service.typed.routes.is_empty()
        && !service.has_health_check()
        && !service.is_one_shot()
        && !could_have_one_inside
    {
        hits.push(service.hit(format!("`{}` has no health check", service.name)));
    }
}

/// A route to a service that nobody asks whether it is ready.
pub(super) fn routed_unchecked(service: &Service<'_>, hits: &mut Vec<Hit>) {
    let Some(route) = service.at(&["x-cais", "route"]) else {
        return;
    };
    if service.typed.healthcheck.is_none() && service.typed.health.is_none() {
        hits.push(Hit::on(
            route,
            "a new task takes requests as soon as its process is there: nothing says when it is ready",
        ));
    }
}

/// `exit 0`, `… || true`.
pub(super) fn cannot_fail(service: &Service<'_>, hits: &mut Vec<Hit>) {
    let (Some(check), Some(node)) = (
        &service.typed.healthcheck,
        service.at(&["healthcheck", "test"]),
    ) else {
        return;
    };
    let always = match &check.test {
        HealthTest::Shell(text) => {
            let text = text.trim().trim_end_matches(';').trim_end();
            matches!(text, "true" | "exit 0" | ":")
                || ["|| true", "|| exit 0", "|| :", "; exit 0", "; true"]
                    .iter()
                    .any(|end| text.ends_with(end))
        }
        HealthTest::Command(words) => words.len() == 1 && words[0] == "true",
    };
    if always {
        hits.push(Hit::on(node, "this health check passes whatever happens"));
    }
}

/// `depends_on: [db]`, where `db` has a health check that could be waited for.
pub(super) fn unawaited_dependency(service: &Service<'_>, hits: &mut Vec<Hit>) {
    let services = &service.subject.loaded.stack.services;
    for (name, entry) in service.entries(&["depends_on"]) {
        let is_short = entry
            .value
            .get("condition")
            .is_some_and(|condition| condition.position == entry.key_position);
        let has_check = services
            .iter()
            .find(|(other, _)| other.as_str() == name)
            .is_some_and(|(_, other)| other.healthcheck.is_some() || other.health.is_some());
        if is_short && has_check {
            let width = u32::try_from(name.chars().count()).unwrap_or(1);
            hits.push(Hit::new(
                &entry.key_position,
                width,
                format!("waits until `{name}` is started, not until its health check passes"),
            ));
        }
    }
}

/// A `healthcheck` that is switched off where somebody depends on the service.
pub(super) fn switched_off(service: &Service<'_>, hits: &mut Vec<Hit>) {
    let Some(node) = service.at(&["healthcheck"]) else {
        return;
    };
    let off = node.get("disable").and_then(Node::as_bool) == Some(true)
        || node
            .get("test")
            .and_then(Node::as_sequence)
            .is_some_and(|words| words.first().and_then(Node::as_str) == Some("NONE"));
    if off && service.typed.health.is_none() {
        hits.push(Hit::on(
            node,
            "the image's own health check is switched off",
        ));
    }
}
