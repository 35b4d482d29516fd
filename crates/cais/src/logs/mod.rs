//! Logs of tasks on disk.
pub(crate) mod line;
pub(crate) mod writer;
