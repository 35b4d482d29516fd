//! The deployment circuit breaker: at how many failures a rollout is given up. What follows from
//! that is the rollout's decision.

use cais_model::stack::Threshold;

/// At how many failures the breaker trips, for the latest desired count (ECS, July 2026). Never 0.
pub(crate) fn threshold(rule: Threshold, desired: u32) -> u32 {
    let share = |percent: u32| {
        u32::try_from((u64::from(desired) * u64::from(percent)).div_ceil(100)).unwrap_or(u32::MAX)
    };
    match rule {
        Threshold::BoundedPercent(percent) => share(percent).clamp(3, 200),
        Threshold::UnboundedPercent(percent) => share(percent).max(1),
        Threshold::Count(count) => count.max(1),
    }
}
