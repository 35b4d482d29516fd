//! A running app and whoever rolls it out: what the scenarios that cais and its peers share need of either.

use super::command::Ended;
use super::processes::TaskProcess;
use super::stack::App;
use std::net::SocketAddr;
use std::path::PathBuf;

/// The test app, running somewhere. Dropping it takes it down.
pub trait Site {
    /// Where requests go.
    fn address(&self) -> SocketAddr;

    /// How it is rolled out.
    fn app(&self) -> &App;

    /// The newest `REVISION` is `r<this>`.
    fn revision(&self) -> u32;

    /// Writes down the next `REVISION`, with these variables changed.
    ///
    /// # Errors
    /// When it cannot be written.
    fn edit(&mut self, variables: &[(&'static str, &str)]) -> anyhow::Result<()>;

    /// Rolls out what is written down, by one command, to its end.
    ///
    /// # Errors
    /// When the command cannot be run; one that fails is no error here.
    fn deploy(&self) -> anyhow::Result<Ended>;

    /// Its task processes, as the system sees them.
    fn processes(&self) -> Vec<TaskProcess>;

    /// Keeps what tells people why a scenario failed, and says where.
    fn keep(&mut self) -> PathBuf;
}
