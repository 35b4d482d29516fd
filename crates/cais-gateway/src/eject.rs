//! Judges a target by what requests meet on it: consecutive failures eject it for a growing pause. How many
//! of a pool may be out at once is the balancer's business.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Failures in a row (connection refused, reset before a head) that eject.
const CONSECUTIVE_FAILURES: u32 = 3;
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// A target's standing. Written by every core; a lost update delays an ejection by one failure, no more.
#[derive(Debug, Default)]
pub(crate) struct Standing {
    failures: AtomicU32,
    ejections: AtomicU32,
    /// Milliseconds of the gateway's clock; 0 is "never ejected".
    until_ms: AtomicU64,
}

impl Standing {
    /// The target answered: the count begins anew, and so do the pauses.
    pub(crate) fn succeeded(&self) {
        // Read before write: the common case dirties no cache line that other cores read.
        if self.failures.load(Relaxed) != 0 {
            self.failures.store(0, Relaxed);
        }
        if self.ejections.load(Relaxed) != 0 {
            self.ejections.store(0, Relaxed);
            self.until_ms.store(0, Relaxed);
        }
    }

    /// The target failed; returns the pause when this ejects it. After a pause one more failure ejects again.
    pub(crate) fn failed(&self, now_ms: u64) -> Option<Duration> {
        let failures = self.failures.fetch_add(1, Relaxed) + 1;
        let before = self.ejections.load(Relaxed);
        let needed = if before == 0 { CONSECUTIVE_FAILURES } else { 1 };
        if failures < needed || self.is_ejected(now_ms) {
            return None;
        }
        let pause = FIRST_PAUSE
            .saturating_mul(1 << before.min(5))
            .min(LONGEST_PAUSE);
        self.failures.store(0, Relaxed);
        self.ejections.store(before.saturating_add(1), Relaxed);
        self.until_ms
            .store(now_ms + pause.as_millis() as u64, Relaxed);
        Some(pause)
    }

    /// Out of the choice at this time.
    pub(crate) fn is_ejected(&self, now_ms: u64) -> bool {
        self.until_ms.load(Relaxed) > now_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_third_failure_in_a_row_ejects() {
        let standing = Standing::default();
        assert_eq!(standing.failed(0), None);
        assert_eq!(standing.failed(0), None);
        standing.succeeded();
        assert_eq!(standing.failed(0), None);
        assert_eq!(standing.failed(0), None);
        assert_eq!(standing.failed(0), Some(Duration::from_secs(1)));
        assert!(standing.is_ejected(999));
        assert!(!standing.is_ejected(1000));
    }

    #[test]
    fn pauses_double_up_to_thirty_seconds_and_begin_anew_after_an_answer() {
        let standing = Standing::default();
        let mut now = 0;
        for _ in 0..2 {
            standing.failed(now);
        }
        let mut pauses = Vec::new();
        for _ in 0..7 {
            let pause = standing.failed(now).unwrap();
            pauses.push(pause.as_secs());
            now += pause.as_millis() as u64;
        }
        assert_eq!(pauses, [1, 2, 4, 8, 16, 30, 30]);
        standing.succeeded();
        assert_eq!(standing.failed(now), None);
    }
}
