//! The engine's clock: milliseconds since boot, made monotonic across reboots by an offset in the journal.

use crate::shim::processes;
use crate::store::{Journal, JournalError};
use cais_engine::time::Moment;
use rustix::time::{ClockId, clock_gettime};

/// Reads the engine's time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    offset_ms: u64,
}

impl Clock {
    /// The clock of this project: after a reboot it goes on from the last moment that was committed,
    /// so that no moment in the state lies in the future.
    pub(crate) fn of(journal: &Journal) -> Result<Self, JournalError> {
        let boot = processes::boot_id().unwrap_or_default();
        let offset_ms = if journal.fact("boot_id")?.as_deref() == Some(boot.as_str()) {
            journal
                .fact("clock_offset_ms")?
                .and_then(|text| text.parse().ok())
                .unwrap_or(0)
        } else {
            journal
                .fact("clock_last_ms")?
                .and_then(|text| text.parse().ok())
                .unwrap_or(0)
        };
        journal.set_fact("clock_offset_ms", &offset_ms.to_string())?;
        journal.set_fact("boot_id", &boot)?;
        Ok(Self { offset_ms })
    }

    /// The same clock without writing, for a reader.
    pub(crate) fn look(journal: &Journal) -> Result<Self, JournalError> {
        let offset_ms = journal
            .fact("clock_offset_ms")?
            .and_then(|text| text.parse().ok())
            .unwrap_or(0);
        Ok(Self { offset_ms })
    }

    /// Now.
    pub(crate) fn now(self) -> Moment {
        let time = clock_gettime(ClockId::Boottime);
        let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
        let millis = u64::try_from(time.tv_nsec / 1_000_000).unwrap_or(0);
        Moment(seconds * 1000 + millis + self.offset_ms)
    }
}

/// Milliseconds since the Unix epoch.
pub(crate) fn epoch_ms() -> u64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| {
            u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
        })
}
