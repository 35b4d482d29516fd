//! The start throttle: how long a place whose task failed stays empty.

use crate::event::TaskId;
use std::time::Duration;

/// No pause is longer (ECS: 27 minutes), jitter apart.
const LONGEST: Duration = Duration::from_secs(27 * 60);

/// A task that has been healthy for so long begins a new row of failures (Docker resets after 10 s, too).
pub(crate) const RESET_AFTER: Duration = Duration::from_secs(10);

/// The pause before the next start after so many failures in a row: none after the first, then 1 s,
/// 2 s, 4 s … up to 27 minutes, each ± 20 % so that places do not start in step. The jitter is a
/// function of the task that failed, so that a step stays a function of its arguments.
pub(crate) fn pause(task: TaskId, failures: u32) -> Duration {
    let Some(doublings) = failures.checked_sub(2) else {
        return Duration::ZERO;
    };
    let base =
        Duration::from_secs(1u64.checked_shl(doublings.min(32)).unwrap_or(u64::MAX)).min(LONGEST);
    let base_ms = u64::try_from(base.as_millis()).unwrap_or(u64::MAX);
    let permille = 800 + hash(task.0, failures) % 401;
    Duration::from_millis(base_ms * permille / 1000)
}

/// FNV-1a: spread, not secrecy, is wanted.
fn hash(task: u64, failures: u32) -> u64 {
    let bytes = task.to_le_bytes().into_iter().chain(failures.to_le_bytes());
    let sum = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |sum, byte| {
        (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    sum ^ (sum >> 32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_27_minutes() {
        let cases = [
            (0, 0),
            (1, 0),
            (2, 1),
            (3, 2),
            (4, 4),
            (8, 64),
            (12, 1_024),
            (13, 1_620),
            (40, 1_620),
            (u32::MAX, 1_620),
        ];
        for (failures, seconds) in cases {
            let (mut least, mut most) = (u128::MAX, 0);
            for task in 0..2_000 {
                let pause = pause(TaskId(task), failures).as_millis();
                (least, most) = (least.min(pause), most.max(pause));
            }
            assert!(
                least >= seconds * 800 && most <= seconds * 1_200,
                "{failures}: {least} to {most} ms"
            );
            assert!(
                seconds == 0 || (least < seconds * 805 && most > seconds * 1_195),
                "{failures}: {least} to {most} ms"
            );
        }
    }

    #[test]
    fn a_pause_follows_from_its_arguments() {
        assert_eq!(pause(TaskId(7), 5), pause(TaskId(7), 5));
        assert_ne!(pause(TaskId(7), 5), pause(TaskId(8), 5));
    }
}
