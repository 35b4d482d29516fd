//! Logs of tasks on disk: written by shims, read by whoever may read the state folder, with or without a supervisor.
//!
//! `<state>/tasks/<task>/log` is being written, `log.1`, `log.2`, … are older, the youngest last. When a task is forgotten its
//! folder moves whole to `<state>/logs/<service>/<task>`, where the newest of each service are kept.

mod archive;
mod cursor;
mod filter;
mod folder;
mod follow;
pub(crate) mod line;
mod read;
#[cfg(test)]
mod tests;
pub(crate) mod writer;

pub(crate) use archive::archive;
pub(crate) use filter::{Options, Tail};
pub(crate) use follow::follow;
pub(crate) use line::Stream;
pub(crate) use read::read;

use cais_engine::event::TaskId;
use cais_model::name::ServiceName;
use jiff::Timestamp;
use std::borrow::Cow;

/// One line that a task wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    /// When the shim read it.
    pub(crate) at: Timestamp,
    /// Whose.
    pub(crate) service: ServiceName,
    /// Which task's.
    pub(crate) task: TaskId,
    /// From which of its streams.
    pub(crate) stream: Stream,
    /// The bytes as they were written, without the newline.
    pub(crate) text: Vec<u8>,
}

impl Line {
    /// The text, with what is not UTF-8 replaced.
    pub(crate) fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.text)
    }
}
