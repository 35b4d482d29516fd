//! Where the cache takes the time from: the system, or a hand that a test moves.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Source of the current time in milliseconds since the Unix epoch.
#[derive(Debug, Clone)]
pub struct Clock(Source);

#[derive(Debug, Clone)]
enum Source {
    System,
    Manual(Arc<AtomicU64>),
}

impl Clock {
    /// The system's clock.
    #[must_use]
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that stands still until whoever holds `now_ms` moves it.
    #[must_use]
    pub fn manual(now_ms: Arc<AtomicU64>) -> Self {
        Self(Source::Manual(now_ms))
    }

    /// Milliseconds since the Unix epoch; 0 on a system clock that stands before it.
    #[must_use]
    pub fn now_ms(&self) -> u64 {
        match &self.0 {
            Source::System => SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |since| {
                    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
                }),
            Source::Manual(now_ms) => now_ms.load(Ordering::SeqCst),
        }
    }
}
