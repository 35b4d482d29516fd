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

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{BTreeMap, BTreeSet};

    fn percent(minimum: u32, maximum: u32) -> Bounds {
        Bounds::Percent {
            minimum: Percent(minimum),
            maximum: Percent(maximum),
        }
    }

    #[test]
    fn the_minimum_is_rounded_up_and_the_maximum_down() {
        let cases = [
            // minimum, maximum, desired: lower, upper
            (100, 200, 1, 1, 2),
            (100, 200, 3, 3, 6),
            (100, 150, 1, 1, 1),
            (100, 150, 3, 3, 4),
            (50, 100, 1, 1, 1),
            (50, 100, 3, 2, 3),
            (50, 150, 5, 3, 7),
            (66, 134, 3, 2, 4),
            (67, 133, 3, 3, 3),
            (67, 134, 3, 3, 4),
            (75, 125, 4, 3, 5),
            (75, 125, 7, 6, 8),
            (1, 101, 99, 1, 99),
            (1, 101, 100, 1, 101),
            (1, 101, 101, 2, 102),
            (0, 100, 4, 0, 4),
            (100, 200, 0, 0, 0),
            (33, 166, 3, 1, 4),
            (34, 167, 3, 2, 5),
            (100, u32::MAX, u32::MAX, u32::MAX, u32::MAX),
        ];
        for (minimum, maximum, desired, lower, upper) in cases {
            let limits = Limits::of(percent(minimum, maximum), desired);
            assert_eq!(
                limits,
                Limits { lower, upper },
                "{minimum}/{maximum} of {desired}"
            );
        }
    }

    #[test]
    fn batches_are_counted_not_rounded() {
        let cases = [
            (Bounds::StartFirst { parallelism: 1 }, 3, 3, 4),
            (Bounds::StartFirst { parallelism: 0 }, 3, 3, 6),
            (Bounds::StartFirst { parallelism: 5 }, 3, 3, 8),
            (Bounds::StopFirst { parallelism: 1 }, 3, 2, 3),
            (Bounds::StopFirst { parallelism: 0 }, 3, 0, 3),
            (Bounds::StopFirst { parallelism: 5 }, 3, 0, 3),
            (Bounds::StopFirst { parallelism: 1 }, 0, 0, 0),
        ];
        for (bounds, desired, lower, upper) in cases {
            assert_eq!(
                Limits::of(bounds, desired),
                Limits { lower, upper },
                "{bounds:?} of {desired}"
            );
        }
    }

    #[test]
    fn bounds_that_cannot_progress_are_told() {
        let cases = [
            (percent(100, 150), 1, false),
            (percent(100, 150), 2, true),
            (percent(50, 100), 1, false),
            (percent(50, 100), 2, true),
            (percent(0, 100), 1, true),
            (percent(100, 100), 5, false),
            (percent(100, 100), 0, true),
            (percent(67, 133), 3, false),
            (percent(100, 200), 1, true),
            (Bounds::StartFirst { parallelism: 1 }, 1, true),
            (Bounds::StopFirst { parallelism: 1 }, 1, true),
        ];
        for (bounds, desired, progress) in cases {
            assert_eq!(
                bounds.can_progress(desired),
                progress,
                "{bounds:?} of {desired}"
            );
        }
    }

    /// Old healthy, old unhealthy, new pending, new healthy, new unhealthy.
    type Ledger = [u32; 5];

    fn counts(
        [
            old_healthy,
            old_unhealthy,
            new_pending,
            new_healthy,
            new_unhealthy,
        ]: Ledger,
    ) -> Counts {
        Counts {
            old_healthy,
            old_unhealthy,
            new_pending,
            new_healthy,
            new_unhealthy,
            ended: 0,
        }
    }

    /// The ledger after a plan, as a string of what it did: `+2 -1 old`.
    fn check(bounds: Bounds, desired: u32, ledger: Ledger, expected: Ledger) {
        let plan = plan(counts(ledger), desired, Limits::of(bounds, desired));
        assert_eq!(
            apply(ledger, plan),
            expected,
            "{bounds:?} of {desired} at {ledger:?}: {plan:?}"
        );
    }

    fn apply([old, old_bad, pending, new, new_bad]: Ledger, plan: Plan) -> Ledger {
        [
            old - plan.stop_old_healthy,
            old_bad - plan.stop_old_unhealthy,
            pending + plan.start - plan.stop_new_pending,
            new - plan.stop_new_healthy,
            new_bad - plan.stop_new_unhealthy,
        ]
    }

    #[test]
    fn one_pass_does_what_ecs_does() {
        let default = percent(100, 200);
        // A first deploy; an update; the old go as the new are healthy.
        check(default, 3, [0, 0, 0, 0, 0], [0, 0, 3, 0, 0]);
        check(default, 3, [3, 0, 0, 0, 0], [3, 0, 3, 0, 0]);
        check(default, 3, [3, 0, 2, 1, 0], [2, 0, 2, 1, 0]);
        check(default, 3, [3, 0, 0, 3, 0], [0, 0, 0, 3, 0]);
        // Without room above, old ones go first, as many as may be missing.
        check(percent(50, 100), 4, [4, 0, 0, 0, 0], [2, 0, 0, 0, 0]);
        check(percent(50, 100), 4, [2, 0, 0, 0, 0], [2, 0, 2, 0, 0]);
        check(percent(50, 100), 4, [2, 0, 2, 0, 0], [2, 0, 2, 0, 0]);
        check(percent(50, 100), 4, [2, 0, 0, 2, 0], [0, 0, 0, 2, 0]);
        check(percent(100, 100), 2, [2, 0, 0, 0, 0], [2, 0, 0, 0, 0]);
        // Unhealthy ones go before healthy ones, and only when they are in the way or not needed.
        check(percent(50, 100), 2, [1, 1, 0, 0, 0], [1, 0, 0, 0, 0]);
        check(default, 2, [1, 1, 0, 0, 0], [1, 1, 2, 0, 0]);
        check(default, 2, [1, 1, 1, 1, 0], [1, 0, 1, 1, 0]);
        check(default, 1, [0, 0, 0, 0, 1], [0, 0, 1, 0, 1]);
        check(percent(100, 100), 1, [0, 0, 0, 0, 1], [0, 0, 0, 0, 0]);
        check(default, 2, [0, 0, 0, 2, 1], [0, 0, 0, 2, 0]);
        // Scaled in: pending ones first; scaled to nothing.
        check(default, 2, [0, 0, 1, 3, 0], [0, 0, 0, 2, 0]);
        check(default, 0, [2, 1, 1, 1, 1], [0, 0, 0, 0, 0]);
        // Scaled out in the middle.
        check(percent(100, 150), 4, [2, 0, 1, 0, 0], [2, 0, 4, 0, 0]);
    }

    #[test]
    fn what_ended_for_good_needs_no_task_and_holds_no_place() {
        let counts = Counts {
            ended: 1,
            new_healthy: 1,
            ..Counts::default()
        };
        let plan = plan(counts, 3, Limits { lower: 3, upper: 3 });
        assert_eq!((plan.need, plan.start), (1, 1));
    }

    #[test]
    fn a_halted_service_only_makes_good_what_it_had() {
        let limits = Limits { lower: 3, upper: 4 };
        let cases = [
            // pending, healthy, unhealthy, kept, desired: started, healthy stopped, unhealthy stopped
            ([0, 2, 0], 3, 3, 1, 0, 0),
            ([1, 2, 0], 3, 3, 0, 0, 0),
            ([0, 2, 2], 3, 3, 0, 0, 1),
            ([0, 3, 1], 3, 3, 0, 0, 0),
            ([2, 3, 0], 3, 3, 0, 0, 0),
            ([0, 3, 0], 3, 1, 0, 2, 0),
            ([0, 0, 0], 0, 3, 0, 0, 0),
        ];
        for ([pending, healthy, unhealthy], keep, desired, started, stopped, unfit) in cases {
            let plan = hold(
                counts([0, 0, pending, healthy, unhealthy]),
                keep,
                desired,
                limits,
            );
            let did = (plan.start, plan.stop_new_healthy, plan.stop_new_unhealthy);
            assert_eq!(
                did,
                (started, stopped, unfit),
                "{pending} {healthy} {unhealthy}, keep {keep}"
            );
        }
    }

    /// Every position that up to three faults can lead to, for every desired count up to 6: the
    /// bounds hold, and without a further fault the rollout gets to its end.
    #[test]
    fn every_position_is_safe_and_leads_to_the_end() {
        const FAULTS: u32 = 3;
        let mut states = 0;
        for desired in 0..=6 {
            for minimum in [0, 25, 33, 50, 66, 75, 80, 100] {
                for maximum in [100, 110, 125, 133, 134, 150, 200] {
                    let bounds = percent(minimum, maximum);
                    let limits = Limits::of(bounds, desired);
                    let mut seen = BTreeSet::new();
                    let mut open = vec![([desired, 0, 0, 0, 0], 0)];
                    while let Some((ledger, faults)) = open.pop() {
                        if !seen.insert((ledger, faults)) {
                            continue;
                        }
                        let plan = plan(counts(ledger), desired, limits);
                        let next = apply(ledger, plan);
                        let healthy = |ledger: Ledger| ledger[0] + ledger[3];
                        let total: u32 = ledger.iter().sum();
                        let case = format!("{bounds:?} of {desired} at {ledger:?}: {plan:?}");
                        assert!(healthy(next) >= healthy(ledger).min(limits.lower), "{case}");
                        assert!(
                            plan.start == 0 || total + plan.start <= limits.upper,
                            "{case}"
                        );
                        assert!(
                            plan.is_stuck(counts(ledger)) <= !bounds.can_progress(desired),
                            "{case}"
                        );
                        open.push((next, faults));
                        open.extend(
                            events(next, faults < FAULTS)
                                .into_iter()
                                .map(|(to, fault)| (to, faults + fault)),
                        );
                        if bounds.can_progress(desired) {
                            assert_eq!(
                                undisturbed(ledger, desired, limits),
                                [0, 0, 0, desired, 0],
                                "{case}"
                            );
                        }
                    }
                    states += seen.len();
                }
            }
        }
        assert_eq!(
            states, 54_583,
            "as many as the model of this arithmetic has"
        );
    }

    /// What may happen to a ledger: a pending task turns healthy; with faults it fails, and healthy ones fall ill or end.
    fn events([old, old_bad, pending, new, new_bad]: Ledger, faults: bool) -> Vec<(Ledger, u32)> {
        let mut events = Vec::new();
        if pending > 0 {
            events.push(([old, old_bad, pending - 1, new + 1, new_bad], 0));
        }
        if faults && pending > 0 {
            events.push(([old, old_bad, pending - 1, new, new_bad], 1));
        }
        if faults && new > 0 {
            events.push(([old, old_bad, pending, new - 1, new_bad + 1], 1));
            events.push(([old, old_bad, pending, new - 1, new_bad], 1));
        }
        if faults && old > 0 {
            events.push(([old - 1, old_bad + 1, pending, new, new_bad], 1));
            events.push(([old - 1, old_bad, pending, new, new_bad], 1));
        }
        events
    }

    fn undisturbed(mut ledger: Ledger, desired: u32, limits: Limits) -> Ledger {
        for _ in 0..200 {
            let next = apply(ledger, plan(counts(ledger), desired, limits));
            if next != ledger {
                ledger = next;
            } else if ledger[2] > 0 {
                ledger[2] -= 1;
                ledger[3] += 1;
            } else {
                break;
            }
        }
        ledger
    }

    #[test]
    fn scaling_in_the_middle_leads_to_the_end_too() {
        let mut ends: BTreeMap<bool, u32> = BTreeMap::new();
        for (from, to) in (0..=4).flat_map(|from| (0..=4).map(move |to| (from, to))) {
            for bounds in [
                percent(100, 200),
                percent(50, 100),
                percent(75, 134),
                Bounds::StopFirst { parallelism: 1 },
            ] {
                for old in 0..=from {
                    let ledger = [old, from - old, from, 0, 1];
                    let end = undisturbed(ledger, to, Limits::of(bounds, to));
                    let at_end = end == [0, 0, 0, to, 0];
                    assert!(
                        at_end || !bounds.can_progress(to),
                        "{bounds:?} from {from} to {to}: {end:?}"
                    );
                    *ends.entry(at_end).or_default() += 1;
                }
            }
        }
        assert!(ends[&true] > 200, "{ends:?}");
    }
}
