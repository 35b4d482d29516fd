//! How tasks run on this machine.

pub(crate) mod docker;
pub(crate) mod process;
