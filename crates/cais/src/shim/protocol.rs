//! What travels between a shim and a supervisor: one handshake line on the shim's standard output, then JSON lines on its socket.

use super::signal::Signal;
use cais_engine::event::ExitStatus;
use serde::{Deserialize, Serialize};

/// A shim's first and only line on standard output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Handshake {
    /// The task runs, and `task.json` is on disk.
    Started {
        /// Its leader.
        pid: u32,
    },
    /// It does not, and the shim is gone.
    Failed(String),
}

/// What a supervisor may ask.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Request {
    /// The signal to the whole group, SIGKILL after the grace. Safe to ask twice: the same signal is
    /// not sent again, and the earlier of the two deadlines holds.
    Stop {
        /// Which signal.
        signal: Signal,
        /// How long the task may take.
        grace_ms: u64,
    },
    /// SIGKILL to the whole group at once.
    Kill {},
    /// A signal to the whole group, with no consequence (`cais kill -s HUP`).
    Signal {
        /// Which.
        signal: Signal,
    },
}

/// What a shim tells each supervisor that is connected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Answer {
    /// First line on each connection.
    Started {
        /// The leader.
        pid: u32,
        /// Since when, epoch milliseconds.
        at_ms: i64,
    },
    /// Nothing of the task is left, and `exit.json` is on disk. The connection ends when the shim has gone.
    Exited(ExitStatus),
    /// A request that was not understood.
    Error(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wire_is_as_documented() {
        let stop: Request =
            serde_json::from_str(r#"{"stop":{"signal":"SIGTERM","grace_ms":10000}}"#).unwrap();
        assert_eq!(
            stop,
            Request::Stop {
                signal: Signal::TERM,
                grace_ms: 10_000
            }
        );
        assert_eq!(
            serde_json::from_str::<Request>(r#"{"kill":{}}"#).unwrap(),
            Request::Kill {}
        );
        let cases = [
            (
                Answer::Exited(ExitStatus::Code(0)),
                r#"{"exited":{"code":0}}"#,
            ),
            (
                Answer::Exited(ExitStatus::Signal(9)),
                r#"{"exited":{"signal":9}}"#,
            ),
            (
                Answer::Started { pid: 7, at_ms: 1 },
                r#"{"started":{"pid":7,"at_ms":1}}"#,
            ),
        ];
        for (answer, text) in cases {
            assert_eq!(serde_json::to_string(&answer).unwrap(), text);
        }
        assert_eq!(
            serde_json::to_string(&Handshake::Started { pid: 3 }).unwrap(),
            r#"{"started":{"pid":3}}"#
        );
    }
}
