//! How one request ended: who answered, or what went wrong and whether an answer had begun.

use crate::kind::Kind;
use serde::Serialize;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// What went wrong with a request.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Nobody listened.
    Refused,
    /// No connection for another cause.
    NotConnected,
    /// The connection ended before the answer's head was complete.
    ResetBeforeHead,
    /// The connection ended within the answer's body.
    ResetInBody,
    /// Nothing came in time.
    Timeout,
    /// An answer, but this status.
    Status(u16),
    /// A body that is not the one asked for.
    WrongBody,
    /// What came is not HTTP.
    NotHttp,
    /// The other side ended a WebSocket session, or broke its protocol.
    WsEnded,
    /// Not sent at all: too many requests were under way.
    NotSent,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Reason::Refused => "refused",
            Reason::NotConnected => "not connected",
            Reason::ResetBeforeHead => "reset before head",
            Reason::ResetInBody => "reset in body",
            Reason::Timeout => "timeout",
            Reason::Status(code) => return write!(f, "status {code}"),
            Reason::WrongBody => "wrong body",
            Reason::NotHttp => "not HTTP",
            Reason::WsEnded => "WebSocket ended",
            Reason::NotSent => "not sent",
        };
        f.write_str(text)
    }
}

/// A failed request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// What went wrong.
    pub reason: Reason,
    /// Had a byte of the answer come by then?
    pub answer_begun: bool,
}

/// Which task answered, by its own headers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Default)]
pub struct Who {
    /// `x-task`.
    pub task: String,
    /// `x-revision`.
    pub revision: String,
    /// `x-pid`.
    pub pid: u32,
}

/// One request from its schedule to its end. Moments count from the start of the run.
#[derive(Debug, Clone)]
pub struct Sample {
    /// Its number in the run, which its `n` parameter and `x-request-id` bear.
    pub number: u64,
    /// Its kind.
    pub kind: Kind,
    /// When it was meant to be sent.
    pub due: Duration,
    /// When it was sent.
    pub sent: Duration,
    /// When the answer's head was complete.
    pub head: Option<Duration>,
    /// When it was over.
    pub end: Duration,
    /// Latency from `due`: to the end of the answer for GETs; for a POST without the time that its
    /// body takes by design; to the head for answers that are long by design.
    pub latency: Option<Duration>,
    /// Who answered.
    pub who: Option<Arc<Who>>,
    /// How it ended.
    pub result: Result<(), Fault>,
}

impl Sample {
    /// Failed although it could have been sent again unseen: idempotent, and no task had begun to answer. An error
    /// status from nobody is the gateway's own and counts as none.
    pub fn is_failed_retryable(&self) -> bool {
        let nobody = |fault: &Fault| {
            !fault.answer_begun
                || (self.who.is_none() && matches!(fault.reason, Reason::Status(500..)))
        };
        self.kind.is_idempotent() && self.result.as_ref().is_err_and(nobody)
    }
}
