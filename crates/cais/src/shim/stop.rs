//! Decides what a stop request means, given those before it. Sending the signals is left to the keeper.

use super::signal::Signal;
use std::time::Duration;
use tokio::time::Instant;

/// Longer graces than this mean "for ever".
const LONGEST_GRACE: Duration = Duration::from_secs(365 * 24 * 3600);

/// The stop requests so far.
#[derive(Debug, Default)]
pub(crate) struct Stopping {
    sent: Vec<Signal>,
    kill_at: Option<Instant>,
}

impl Stopping {
    /// A stop was asked for: which signal is to be sent now, if any. The same signal is sent once;
    /// of several deadlines the earliest holds, so asking twice is safe and a shorter grace shortens.
    pub(crate) fn ask(&mut self, signal: Signal, grace: Duration, now: Instant) -> Option<Signal> {
        let deadline = now + grace.min(LONGEST_GRACE);
        self.kill_at = Some(
            self.kill_at
                .map_or(deadline, |earlier| earlier.min(deadline)),
        );
        if self.sent.contains(&signal) {
            return None;
        }
        self.sent.push(signal);
        Some(signal)
    }

    /// When patience ends; `None` while nobody asked for a stop.
    pub(crate) fn kill_at(&self) -> Option<Instant> {
        self.kill_at
    }

    /// Was a stop asked for whose grace is not over?
    pub(crate) fn is_patient(&self, now: Instant) -> bool {
        self.kill_at.is_some_and(|at| now < at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_stop_may_only_shorten() {
        let now = Instant::now();
        let seconds = |n| Duration::from_secs(n);
        let mut stopping = Stopping::default();
        assert!(!stopping.is_patient(now));
        assert_eq!(
            stopping.ask(Signal::TERM, seconds(10), now),
            Some(Signal::TERM)
        );
        assert_eq!(stopping.ask(Signal::TERM, seconds(30), now), None);
        assert_eq!(stopping.kill_at(), Some(now + seconds(10)));
        assert_eq!(stopping.ask(Signal::TERM, seconds(3), now), None);
        assert_eq!(stopping.kill_at(), Some(now + seconds(3)));
        assert!(stopping.is_patient(now + seconds(2)) && !stopping.is_patient(now + seconds(3)));
    }

    #[test]
    fn another_signal_is_sent_and_an_endless_grace_does_not_overflow() {
        let now = Instant::now();
        let mut stopping = Stopping::default();
        assert_eq!(
            stopping.ask(Signal::TERM, Duration::MAX, now),
            Some(Signal::TERM)
        );
        let quit = "SIGQUIT".parse().unwrap();
        assert_eq!(stopping.ask(quit, Duration::MAX, now), Some(quit));
        assert!(stopping.is_patient(now));
    }
}
