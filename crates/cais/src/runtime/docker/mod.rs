//! Tasks as containers: what the supervisor holds instead of shims.
//!
//! A container is named after its task and labelled with its stack, so that every action is safe to perform twice and the
//! next supervisor finds what this one left. The engine neither restarts nor removes it: both are decided by cais. Its output
//! is copied into the same files that shims write (`follow`), so that `logs` is one thing for both runtimes.

mod adopt;
mod body;
pub(crate) mod clean;
pub(crate) mod engine;
mod exec;
pub(crate) mod files;
mod follow;
mod handle;
pub(crate) mod image;
pub(crate) mod labels;
mod mounts;
pub(crate) mod network;
mod record;
mod start;
pub(crate) mod sync;
pub(crate) mod volume;

pub(crate) use adopt::{adopt, found};
pub(crate) use exec::Exec;
pub(crate) use handle::ContainerHandle;
pub(crate) use start::{ContainerRun, ContainerSpec, start};

use crate::exit::{Failure, Outcome};
use bollard::Docker;
use engine::Endpoint;
use std::path::Path;
use std::time::Duration;

/// How long the engine may take to begin an answer: the supervisor's loop waits for some of them.
const PATIENCE: Duration = Duration::from_secs(60);

/// The engine as one stack uses it.
#[derive(Debug, Clone)]
pub(crate) struct Engine {
    pub(crate) client: Docker,
    pub(crate) endpoint: Endpoint,
    pub(crate) scope: Scope,
    reach: Reach,
    /// Logging driver of containers that name none.
    log_driver: String,
}

/// Whose containers, networks and volumes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Scope {
    /// The project's name.
    pub(crate) project: String,
    /// The name of the state folder: one project in one folder, unique on this machine.
    pub(crate) key: String,
}

impl Scope {
    /// Of the project whose state is in this folder.
    pub(crate) fn of(project: &str, state: &Path) -> Self {
        Self {
            project: project.to_owned(),
            key: state
                .file_name()
                .map(|name| name.to_string_lossy().into_owned())
                .unwrap_or_default(),
        }
    }
}

/// How this machine reaches a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// At its own address: the engine's bridges are this machine's.
    Address,
    /// At a port that the engine forwards from loopback: its bridges are in a virtual machine or in a namespace.
    Loopback,
}

impl Engine {
    /// Connects for running a stack.
    ///
    /// # Errors
    /// The engine does not answer, or it is another machine's.
    pub(crate) async fn connect(endpoint: Endpoint, scope: Scope) -> Outcome<Self> {
        endpoint.must_be_local()?;
        let mut client = endpoint.connect().await?;
        client.set_timeout(PATIENCE);
        let info = client
            .info()
            .await
            .map_err(|error| endpoint.unreachable(&error))?;
        let rootless = info
            .security_options
            .iter()
            .flatten()
            .any(|option| option.contains("rootless"));
        let virtual_machine = info
            .operating_system
            .is_some_and(|system| system.contains("Docker Desktop"));
        let is_here = cfg!(target_os = "linux") && !rootless && !virtual_machine;
        let reach = if is_here && !endpoint.by_loopback {
            Reach::Address
        } else {
            Reach::Loopback
        };
        Ok(Self {
            client,
            endpoint,
            scope,
            reach,
            log_driver: info.logging_driver.unwrap_or_default(),
        })
    }

    /// Why nothing can be changed just now, where the engine does not answer.
    pub(crate) async fn fault(&self) -> Option<Failure> {
        match tokio::time::timeout(engine::GREETING, self.client.ping()).await {
            Ok(Ok(_)) => None,
            Ok(Err(error)) => Some(self.endpoint.unreachable(&error)),
            Err(_) => {
                let error = bollard::errors::Error::RequestTimeoutError;
                Some(self.endpoint.unreachable(&error))
            }
        }
    }
}
