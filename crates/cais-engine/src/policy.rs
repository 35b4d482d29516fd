//! What a revision asks of the engine: everything about a service that decisions depend on, and how
//! the words of the file become it.

use crate::event::ProbeKind;
use cais_model::name::ServiceName;
use cais_model::stack::{
    Condition, FailureAction, Order, Percent, ProbeTiming, Restart, RolloutConfig, Service, Stack,
    Threshold, UpdateConfig,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// The part of a revision's definition that the engine reads. Nothing secret is in it, so it may be journalled.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Policy {
    /// Does the gateway send traffic to it? (a route, a published port or an exposed port)
    pub routed: bool,
    /// Liveness: a command or `health.path`.
    pub liveness: Option<ProbeTiming>,
    /// Readiness: `health.ready`; where there is none and the service is routed, a TCP connect.
    pub readiness: Option<ProbeTiming>,
    /// Where no check is defined: how long a task must have been running to count as healthy. 2 s.
    pub settle: Duration,
    /// What must be true of other services before the first task starts.
    pub depends_on: BTreeMap<ServiceName, Condition>,
    /// What happens when a task ends by itself.
    pub restart: Restart,
    /// A service that runs to its end: `restart: no`, or another service waits for its completion.
    pub one_shot: bool,
    /// Rolling update bounds: either percentages or `update_config`'s batches.
    pub bounds: Bounds,
    /// Pause between batches (`update_config.delay`).
    pub delay: Duration,
    /// A new task counts only after it has been healthy for so long.
    pub monitor: Duration,
    /// Breaker threshold; `None`: no breaker (`failure_action: continue`).
    pub breaker: Option<Threshold>,
    /// What a tripped breaker does.
    pub failure_action: FailureAction,
    /// Does a task that becomes healthy zero the breaker's count?
    pub reset_on_healthy: bool,
    /// A rollout without a new healthy task for so long has failed.
    pub progress_deadline: Duration,
    /// How long a draining task may finish what it has.
    pub deregistration_delay: Duration,
    /// `stop_grace_period`: SIGKILL after it.
    pub stop_grace: Duration,
}

/// A TCP connect to a routed service that names no readiness check. It decides traffic only, so one
/// failure is enough.
const CONNECT: ProbeTiming = ProbeTiming {
    interval: Duration::from_secs(1),
    timeout: Duration::from_secs(1),
    retries: 1,
    start_period: Duration::ZERO,
    start_interval: Duration::from_millis(100),
};

/// `deregistration_delay` where requests can be told apart: an idle task drains at once.
const DRAIN_HTTP: Duration = Duration::from_secs(30);
/// The same where only connections are seen: a client's pool keeps them open for ever, and what it
/// needs is to be told by their end that it must connect anew.
const DRAIN_TCP: Duration = Duration::from_secs(1);

impl Policy {
    /// What a service of a stack asks for.
    ///
    /// - Bounds: `x-cais.rollout`, else `update_config`, else 100 and 200 percent. Compose's own
    ///   default is to stop first, one by one; a deploy that refuses requests unasked is nobody's wish.
    /// - Breaker: `x-cais.rollout.breaker`; else `max_failure_ratio` r > 0 as `floor(r·D) + 1`
    ///   failures; else ECS's default. `failure_action: continue` means none, whoever set a threshold.
    /// - `failure_action`: `update_config`'s, else `rollback`.
    /// - Liveness: `x-cais.health.path`, else `healthcheck`. Readiness: `x-cais.health.ready`, else
    ///   a TCP connect where the service is routed.
    /// - `deregistration_delay`: 30 s, or 1 s for a service that nobody reaches by HTTP.
    /// - One-shot: `restart: no`, or some service waits for it to complete.
    pub fn of(service: &Service, stack: &Stack) -> Self {
        let routed = !service.container_ports().is_empty();
        let health = service.health.as_ref();
        let by_path = health
            .filter(|health| health.path.is_some())
            .map(|health| health.timing);
        let by_ready = health
            .filter(|health| health.ready.is_some())
            .map(|health| health.timing);
        let (rollout, update) = (service.rollout.as_ref(), service.update.as_ref());
        let failure_action = update.map_or(FailureAction::Rollback, |update| update.failure_action);
        Self {
            routed,
            liveness: by_path.or_else(|| service.healthcheck.as_ref().map(|check| check.timing)),
            readiness: by_ready.or(routed.then_some(CONNECT)),
            settle: Duration::from_secs(2),
            depends_on: service
                .depends_on
                .iter()
                .map(|(name, wish)| (name.clone(), wish.condition))
                .collect(),
            restart: service.restart,
            one_shot: service.restart == Restart::No || is_awaited(&service.name, stack),
            bounds: bounds(rollout, update),
            delay: update.map_or(Duration::ZERO, |update| update.delay),
            monitor: rollout
                .and_then(|rollout| rollout.monitor)
                .or_else(|| update.and_then(|update| update.monitor))
                .unwrap_or_default(),
            breaker: breaker(rollout, update, service.replicas)
                .filter(|_| failure_action != FailureAction::Continue),
            failure_action,
            reset_on_healthy: rollout.is_none_or(|rollout| rollout.reset_on_healthy),
            progress_deadline: rollout.map_or(Duration::from_secs(600), |rollout| {
                rollout.progress_deadline
            }),
            deregistration_delay: rollout
                .and_then(|rollout| rollout.deregistration_delay)
                .unwrap_or(if service.speaks_http() {
                    DRAIN_HTTP
                } else {
                    DRAIN_TCP
                }),
            stop_grace: service.stop_grace_period,
        }
    }

    /// When to ask one of the two questions; `None` when it is not asked.
    pub(crate) fn probe(&self, kind: ProbeKind) -> Option<&ProbeTiming> {
        match kind {
            ProbeKind::Liveness => self.liveness.as_ref(),
            ProbeKind::Readiness => self.readiness.as_ref(),
        }
    }
}

fn is_awaited(name: &ServiceName, stack: &Stack) -> bool {
    let waits = |other: &Service| {
        other
            .depends_on
            .get(name)
            .is_some_and(|wish| wish.condition == Condition::ServiceCompletedSuccessfully)
    };
    stack.services.values().any(waits)
}

fn bounds(rollout: Option<&RolloutConfig>, update: Option<&UpdateConfig>) -> Bounds {
    match (rollout, update) {
        (Some(rollout), _) => Bounds::Percent {
            minimum: rollout.minimum_healthy,
            maximum: rollout.maximum,
        },
        (
            None,
            Some(UpdateConfig {
                order: Order::StartFirst,
                parallelism,
                ..
            }),
        ) => Bounds::StartFirst {
            parallelism: *parallelism,
        },
        (
            None,
            Some(UpdateConfig {
                order: Order::StopFirst,
                parallelism,
                ..
            }),
        ) => Bounds::StopFirst {
            parallelism: *parallelism,
        },
        (None, None) => Bounds::Percent {
            minimum: Percent(100),
            maximum: Percent(200),
        },
    }
}

fn breaker(
    rollout: Option<&RolloutConfig>,
    update: Option<&UpdateConfig>,
    replicas: u32,
) -> Option<Threshold> {
    let ratio = update.map_or(0.0, |update| update.max_failure_ratio);
    match rollout {
        Some(rollout) => Some(rollout.breaker),
        None if ratio > 0.0 => Some(Threshold::Count(
            tolerated(ratio, replicas).saturating_add(1),
        )),
        None => Some(Threshold::BoundedPercent(50)),
    }
}

/// `floor(r·D)`, by trying: the numbers are small, and no conversion can go wrong.
fn tolerated(ratio: f64, replicas: u32) -> u32 {
    let product = ratio * f64::from(replicas);
    (1..=replicas)
        .take_while(|count| f64::from(*count) <= product + 1e-9)
        .count()
        .try_into()
        .unwrap_or(u32::MAX)
}

/// How far the number of tasks may leave the desired count during a rollout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bounds {
    /// ECS's minimum and maximum healthy percent: `lower = ceil(D·min/100)`, `upper = floor(D·max/100)`.
    Percent {
        /// Minimum healthy percent.
        minimum: Percent,
        /// Maximum percent.
        maximum: Percent,
    },
    /// `update_config` with `order: start-first`: `p` more than desired at a time.
    StartFirst {
        /// Tasks at a time; 0 is all.
        parallelism: u32,
    },
    /// `update_config` with `order: stop-first`: `p` fewer than desired at a time.
    StopFirst {
        /// Tasks at a time; 0 is all.
        parallelism: u32,
    },
}

#[cfg(test)]
mod tests;
