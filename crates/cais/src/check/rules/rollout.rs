//! Whether a service can be replaced without losing a request, and whether one of it is enough.

use super::super::Service;
use super::Hit;
use cais_model::node::Node;
use cais_model::stack::{FailureAction, Order, Restart};

/// A bound that lets every task go before a new one is there.
pub(super) fn may_go_to_zero(service: &Service<'_>, hits: &mut Vec<Hit>) {
    let (Some(rollout), true) = (&service.typed.rollout, service.is_reached()) else {
        return;
    };
    let Some(node) = service.at(&["x-cais", "rollout", "minimum_healthy"]) else {
        return;
    };
    let replicas = service.typed.replicas.max(1);
    // As the engine has it: the bound is rounded up.
    let kept = (replicas * rollout.minimum_healthy.0).div_ceil(100);
    if kept == 0 {
        hits.push(Hit::on(
            node,
            "a rollout may stop every task before a new one is healthy",
        ));
    }
}

/// `order: stop-first` where one task, or all of them, stop at once.
pub(super) fn stop_first(service: &Service<'_>, hits: &mut Vec<Hit>) {
    let (Some(update), true) = (&service.typed.update, service.is_reached()) else {
        return;
    };
    let Some(node) = service.at(&["deploy", "update_config", "order"]) else {
        return;
    };
    let replicas = service.typed.replicas.max(1);
    let all_at_once = update.parallelism == 0 || update.parallelism >= replicas;
    // `x-cais.rollout` decides where it stands.
    if update.order == Order::StopFirst && all_at_once && service.typed.rollout.is_none() {
        let what = if replicas == 1 {
            "the only task stops"
        } else {
            "all tasks stop"
        };
        hits.push(Hit::on(node, format!("{what} before a new one starts")));
    }
}

/// A task that is stopped with its requests still in it.
pub(super) fn no_drain(service: &Service<'_>, hits: &mut Vec<Hit>) {
    let delay = service
        .typed
        .rollout
        .as_ref()
        .and_then(|it| it.deregistration_delay);
    if let Some(node) = service.at(&["x-cais", "rollout", "deregistration_delay"])
        && delay.is_some_and(|delay| delay.is_zero())
        && service.is_reached()
    {
        hits.push(Hit::on(
            node,
            "a task is stopped with the requests that it is answering",
        ));
    }
}

/// `failure_action: continue`.
pub(super) fn no_breaker(service: &Service<'_>, hits: &mut Vec<Hit>) {
    let continues = service
        .typed
        .update
        .is_some_and(|update| update.failure_action == FailureAction::Continue);
    if let Some(node) = service.at(&["deploy", "update_config", "failure_action"])
        && continues
    {
        hits.push(Hit::on(node, "a rollout goes on although its tasks fail"));
    }
}

/// The time that a task gets to finish is Docker's default.
pub(super) fn no_stop_grace(service: &Service<'_>, hits: &mut Vec<Hit>) {
    if !service.typed.routes.is_empty() && service.at(&["stop_grace_period"]).is_none() {
        hits.push(service.hit(format!(
            "`{}` is killed 10 s after it is asked to stop",
            service.name
        )));
    }
}

/// One task in production.
pub(super) fn single_replica(service: &Service<'_>, hits: &mut Vec<Hit>) {
    let scaled = service
        .at(&["x-cais", "scale", "min"])
        .and_then(Node::scalar_text)
        .and_then(|text| text.parse::<u32>().ok());
    let replicas = scaled.unwrap_or(service.typed.replicas);
    let is_served =
        !service.typed.routes.is_empty() || (service.is_reached() && service.typed.build.is_some());
    if replicas != 1 || !is_served || service.is_one_shot() {
        return;
    }
    let place = service
        .at(&["deploy", "replicas"])
        .or_else(|| service.at(&["scale"]));
    hits.push(match place {
        Some(node) => Hit::on(
            node,
            format!(
                "one task of `{}`: when it goes, nobody answers",
                service.name
            ),
        ),
        None => service.hit(format!(
            "one task of `{}`: when it goes, nobody answers",
            service.name
        )),
    });
}

/// Docker leaves a task that ended where it lies.
pub(super) fn no_restart(service: &Service<'_>, hits: &mut Vec<Hit>) {
    if service.typed.restart == Restart::Unset
        && service.at(&["restart"]).is_none()
        && service.at(&["deploy", "restart_policy"]).is_none()
        && service.at(&["x-cais"]).is_none()
        && service.is_reached()
        && !service.is_one_shot()
        && !service.is_optional()
    {
        hits.push(service.hit(format!(
            "under Docker `{}` stays down after a crash or a reboot",
            service.name
        )));
    }
}
