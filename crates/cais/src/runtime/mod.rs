//! How tasks run on this machine: as processes under shims, or as containers of a Docker engine. What holds for both is here.

pub(crate) mod docker;
pub(crate) mod process;

use crate::shim::signal::Signal;
use cais_engine::event::ExitStatus;
use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

/// Where the tasks of a stack run. All of a stack's tasks run in one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Runtime {
    /// Supervised processes
    #[default]
    Process,
    /// Containers of a Docker engine
    Docker,
}

impl Runtime {
    /// What it makes of each field.
    pub(crate) fn of_fields(self) -> cais_model::fields::Runtime {
        match self {
            Self::Process => cais_model::fields::Runtime::Process,
            Self::Docker => cais_model::fields::Runtime::Docker,
        }
    }

    /// By the name that the journal has.
    pub(crate) fn named(name: &str) -> Option<Self> {
        [Self::Process, Self::Docker]
            .into_iter()
            .find(|runtime| runtime.to_string() == name)
    }
}

impl fmt::Display for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Process => "process",
            Self::Docker => "docker",
        })
    }
}

/// Where a task is reached: container port to address.
pub(crate) type Addresses = BTreeMap<u16, SocketAddr>;

pub(crate) use process::{TaskEvent, TaskEvents};

/// A running task as the supervisor holds it. Dropping it leaves the task running.
#[derive(Debug, Clone)]
pub(crate) enum TaskHandle {
    /// A process, through its shim.
    Shim(process::TaskHandle),
    /// A container, through the engine.
    Container(docker::ContainerHandle),
}

impl TaskHandle {
    /// The process id of the task's leader, where it means something on this machine.
    pub(crate) fn pid(&self) -> Option<u32> {
        match self {
            Self::Shim(shim) => Some(shim.pid()),
            Self::Container(container) => container.pid(),
        }
    }

    /// The container's name, where it is one.
    pub(crate) fn container(&self) -> Option<&str> {
        match self {
            Self::Shim(_) => None,
            Self::Container(container) => Some(container.container()),
        }
    }

    /// Sends the signal, and SIGKILL after the grace. Safe to ask twice; a second, shorter grace shortens.
    /// The end is reported as an event.
    pub(crate) async fn stop(&self, signal: Signal, grace: Duration) {
        match self {
            Self::Shim(shim) => shim.stop(signal, grace).await,
            Self::Container(container) => container.stop(signal, grace),
        }
    }

    /// Sends SIGKILL at once.
    pub(crate) async fn kill(&self) {
        match self {
            Self::Shim(shim) => shim.kill().await,
            Self::Container(container) => container.kill(),
        }
    }
}

/// What became of a task that an earlier supervisor left.
#[derive(Debug)]
pub(crate) enum Adopted {
    /// It lives; the handle reports `Exited` in the end. Its addresses, where they are not known beforehand.
    Alive(TaskHandle, Option<Addresses>),
    /// It ended while nobody watched.
    Exited(ExitStatus),
    /// Nobody can tell how it ended. What was left of it has been ended.
    Lost,
    /// Its start was decided and never happened; it may be started.
    NeverStarted,
}

impl From<process::Adopted> for Adopted {
    /// A process's addresses are its ports, which the journal has.
    fn from(adopted: process::Adopted) -> Self {
        match adopted {
            process::Adopted::Alive(shim) => Self::Alive(TaskHandle::Shim(shim), None),
            process::Adopted::Exited(status) => Self::Exited(status),
            process::Adopted::Lost => Self::Lost,
            process::Adopted::NeverStarted => Self::NeverStarted,
        }
    }
}
