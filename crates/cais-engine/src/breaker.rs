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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_are_rounded_and_bounded_as_ecs_documents() {
        let cases = [
            (Threshold::BoundedPercent(50), 1, 3),
            (Threshold::BoundedPercent(50), 6, 3),
            (Threshold::BoundedPercent(50), 7, 4),
            (Threshold::BoundedPercent(50), 399, 200),
            (Threshold::BoundedPercent(50), 401, 200),
            (Threshold::BoundedPercent(50), 4_000, 200),
            (Threshold::BoundedPercent(10), 41, 5),
            (Threshold::UnboundedPercent(50), 0, 1),
            (Threshold::UnboundedPercent(50), 1, 1),
            (Threshold::UnboundedPercent(50), 3, 2),
            (Threshold::UnboundedPercent(1), 100, 1),
            (Threshold::UnboundedPercent(1), 101, 2),
            (Threshold::UnboundedPercent(50), 4_000, 2_000),
            (Threshold::Count(5), 1, 5),
            (Threshold::Count(1), 100, 1),
            (Threshold::Count(0), 100, 1),
        ];
        for (rule, desired, expected) in cases {
            assert_eq!(threshold(rule, desired), expected, "{rule:?} of {desired}");
        }
    }
}
