//! How many tasks to start and to stop: arithmetic over counts, by ECS's rolling update. Which task
//! is meant by a count, and whether a start is held back, is decided by the caller.

use crate::policy::Bounds;
use cais_model::stack::Percent;

/// How far the number of tasks may leave the desired count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Healthy tasks that must remain.
    pub(crate) lower: u32,
    /// Live tasks that may exist.
    pub(crate) upper: u32,
}

impl Limits {
    /// The limits for a desired count. Percentages as ECS rounds them: the minimum up, the maximum down.
    pub(crate) fn of(bounds: Bounds, desired: u32) -> Self {
        match bounds {
            Bounds::Percent {
                minimum: Percent(minimum),
                maximum: Percent(maximum),
            } => Self {
                lower: narrow((u64::from(desired) * u64::from(minimum)).div_ceil(100)),
                upper: narrow(u64::from(desired) * u64::from(maximum) / 100),
            },
            Bounds::StartFirst { parallelism: 0 } => Self {
                lower: desired,
                upper: desired.saturating_mul(2),
            },
            Bounds::StartFirst { parallelism } => Self {
                lower: desired,
                upper: desired.saturating_add(parallelism),
            },
            Bounds::StopFirst { parallelism: 0 } => Self {
                lower: 0,
                upper: desired,
            },
            Bounds::StopFirst { parallelism } => Self {
                lower: desired.saturating_sub(parallelism),
                upper: desired,
            },
        }
    }
}

fn narrow(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

impl Bounds {
    /// Can a rollout of so many tasks replace any of them? It cannot where no task may be added and
    /// none may be missing: 1 task within 100 and 150 percent. ECS leaves such a service stuck.
    pub fn can_progress(self, desired: u32) -> bool {
        let limits = Limits::of(self, desired);
        desired == 0 || limits.upper > desired || (limits.lower < desired && limits.upper > 0)
    }
}

/// The live tasks of a service by what the planner distinguishes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Counts {
    /// Of an older deployment, healthy.
    pub(crate) old_healthy: u32,
    /// Of an older deployment, anything else.
    pub(crate) old_unhealthy: u32,
    /// Of the target, not healthy for `monitor` yet.
    pub(crate) new_pending: u32,
    /// Of the target, healthy.
    pub(crate) new_healthy: u32,
    /// Of the target, failing their health check.
    pub(crate) new_unhealthy: u32,
    /// Places of the target whose task ended for good; they need none.
    pub(crate) ended: u32,
}

impl Counts {
    fn live(self) -> u32 {
        self.old_healthy
            + self.old_unhealthy
            + self.new_pending
            + self.new_healthy
            + self.new_unhealthy
    }
}

/// How many tasks to start, and how many of each kind to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Plan {
    /// Places of the target that are empty.
    pub(crate) need: u32,
    pub(crate) start: u32,
    pub(crate) stop_old_healthy: u32,
    pub(crate) stop_old_unhealthy: u32,
    pub(crate) stop_new_pending: u32,
    pub(crate) stop_new_healthy: u32,
    pub(crate) stop_new_unhealthy: u32,
    /// Healthy old tasks stopped only because nothing could start otherwise; part of `stop_old_healthy`.
    pub(crate) forced: u32,
}

impl Plan {
    /// Can a rollout in this position never move again by itself? Tasks are wanted, but nothing may be
    /// started, nothing may be stopped, and nothing is on its way.
    pub(crate) fn is_stuck(self, counts: Counts) -> bool {
        let idle = Self {
            need: self.need,
            ..Self::default()
        };
        self == idle && self.need > 0 && counts.new_pending == 0
    }
}

/// One pass of the rolling update. Apply it, count again and plan again until nothing is left to do.
pub(crate) fn plan(counts: Counts, desired: u32, limits: Limits) -> Plan {
    let mut plan = Plan::default();
    let taken = counts.new_pending + counts.new_healthy + counts.ended;
    plan.need = desired.saturating_sub(taken);
    plan.start = limits.upper.saturating_sub(counts.live()).min(plan.need);

    // Scaled in: the target's own surplus goes, what is not healthy yet before what is.
    let surplus = taken.saturating_sub(desired);
    plan.stop_new_pending = surplus.min(counts.new_pending);
    plan.stop_new_healthy = (surplus - plan.stop_new_pending).min(counts.new_healthy);

    // Unhealthy tasks go when they are not needed or stand in the way of a start. That never lowers the number of healthy ones.
    let healthy = counts.old_healthy + counts.new_healthy - plan.stop_new_healthy + counts.ended;
    let mut blocked = plan.need - plan.start;
    let enough = healthy >= desired;
    plan.stop_old_unhealthy = if enough {
        counts.old_unhealthy
    } else {
        counts.old_unhealthy.min(blocked)
    };
    blocked -= plan.stop_old_unhealthy.min(blocked);
    plan.stop_new_unhealthy = if enough {
        counts.new_unhealthy
    } else {
        counts.new_unhealthy.min(blocked)
    };
    blocked -= plan.stop_new_unhealthy.min(blocked);

    // Old ones go as new ones stand in for them.
    plan.stop_old_healthy = healthy.saturating_sub(desired).min(counts.old_healthy);
    let stopped = plan.stop_old_healthy
        + plan.stop_old_unhealthy
        + plan.stop_new_unhealthy
        + plan.stop_new_healthy;
    if blocked > 0 && plan.start == 0 && counts.new_pending == plan.stop_new_pending && stopped == 0
    {
        plan.forced = counts
            .old_healthy
            .min(healthy.saturating_sub(limits.lower))
            .min(blocked);
        plan.stop_old_healthy = plan.forced;
    }
    plan
}

/// What a halted service does: it replaces what was healthy and ended, makes room for that, and goes
/// no further. Here `new_…` counts the tasks of all deployments.
pub(crate) fn hold(counts: Counts, keep: u32, desired: u32, limits: Limits) -> Plan {
    let keep = keep.min(desired);
    let need = keep.saturating_sub(counts.new_pending + counts.new_healthy);
    let start = limits.upper.saturating_sub(counts.live()).min(need);
    Plan {
        need,
        start,
        stop_new_healthy: counts.new_healthy.saturating_sub(desired),
        stop_new_unhealthy: counts.new_unhealthy.min(need - start),
        ..Plan::default()
    }
}
