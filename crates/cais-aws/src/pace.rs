//! How long to pause between two questions to AWS: soon at first, slower with time, much slower while AWS asks for it.

use std::time::Duration;

/// The pauses of one watch. With the defaults a watch makes at most 30 calls a minute, whatever the
/// number of services, because one call asks for twenty deployments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pace {
    /// The first pause, and the one after something changed.
    pub first: Duration,
    /// The longest pause in the first ten minutes.
    pub usual: Duration,
    /// The longest pause after that.
    pub patient: Duration,
    /// The longest pause while AWS cannot be reached or asks for fewer calls.
    pub troubled: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            first: Duration::from_secs(2),
            usual: Duration::from_secs(4),
            patient: Duration::from_secs(10),
            troubled: Duration::from_secs(30),
        }
    }
}

/// After this long a deployment is not expected to end within seconds.
const PATIENT_AFTER: Duration = Duration::from_secs(600);

impl Pace {
    /// The same pause always; what tests and impatient people use.
    pub fn every(pause: Duration) -> Self {
        Self {
            first: pause,
            usual: pause,
            patient: pause,
            troubled: pause.saturating_mul(8),
        }
    }

    /// The pause after the `quiet`th answer in a row without a change, at `now` since the watch began.
    pub fn after_answer(&self, quiet: u32, now: Duration, jitter: f64) -> Duration {
        let longest = if now >= PATIENT_AFTER {
            self.patient
        } else {
            self.usual
        };
        spread(doubled(self.first, quiet).min(longest), jitter)
    }

    /// The pause after the `failed`th failure in a row, counted from 1.
    pub fn after_trouble(&self, failed: u32, jitter: f64) -> Duration {
        spread(
            doubled(self.first, failed.saturating_sub(1)).min(self.troubled),
            jitter,
        )
    }
}

fn doubled(pause: Duration, times: u32) -> Duration {
    pause.saturating_mul(1 << times.min(16))
}

/// Up to a fifth more, so that many watches do not ask in step. `jitter` is between 0 and 1.
fn spread(pause: Duration, jitter: f64) -> Duration {
    pause.mul_f64(1.0 + jitter.clamp(0.0, 1.0) / 5.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_their_bound_and_start_again_after_a_change() {
        let pace = Pace::default();
        let seconds = |quiet, now| {
            pace.after_answer(quiet, Duration::from_secs(now), 0.0)
                .as_secs()
        };
        assert_eq!([0, 1, 2, 40].map(|quiet| seconds(quiet, 60)), [2, 4, 4, 4]);
        assert_eq!(seconds(40, 601), 10);
        let troubled = [1, 2, 3, 4, 5, 40].map(|n| pace.after_trouble(n, 0.0).as_secs());
        assert_eq!(troubled, [2, 4, 8, 16, 30, 30]);
    }

    #[test]
    fn jitter_only_ever_slows_down() {
        let pace = Pace::default();
        let longest = pace.after_answer(9, Duration::ZERO, 1.0);
        assert_eq!(longest, Duration::from_millis(4800));
    }
}
