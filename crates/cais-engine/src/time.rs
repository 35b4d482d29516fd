//! The engine's clock: milliseconds since boot, given by the caller.

use serde::{Deserialize, Serialize};
use std::ops::{Add, Sub};
use std::time::Duration;

/// A moment, in milliseconds of the machine's boot clock (it goes on while the machine sleeps and
/// never jumps when somebody sets the time).
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct Moment(pub u64);

impl Add<Duration> for Moment {
    type Output = Moment;
    fn add(self, span: Duration) -> Moment {
        Moment(
            self.0
                .saturating_add(u64::try_from(span.as_millis()).unwrap_or(u64::MAX)),
        )
    }
}

impl Sub for Moment {
    type Output = Duration;
    /// The time from `earlier` to `self`; zero when `earlier` is later.
    fn sub(self, earlier: Moment) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_neither_overflow_nor_go_below_zero() {
        assert_eq!(Moment(5) + Duration::from_millis(7), Moment(12));
        assert_eq!(Moment(5) + Duration::MAX, Moment(u64::MAX));
        assert_eq!(Moment(5) - Moment(2), Duration::from_millis(3));
        assert_eq!(Moment(2) - Moment(5), Duration::ZERO);
    }
}
