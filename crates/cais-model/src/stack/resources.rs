//! What a task may use and what is set aside for it: `deploy.resources`, and the older fields of the service that mean the same.

use serde::{Deserialize, Serialize};

/// `deploy.resources`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resources {
    /// What a task cannot go beyond. `cpus`, `mem_limit` and `pids_limit` of the service count where `deploy` is silent.
    pub limits: Amounts,
    /// What is set aside for a task. `mem_reservation` of the service counts where `deploy` is silent.
    pub reservations: Amounts,
}

/// Amounts of a machine.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amounts {
    /// Thousandths of a CPU: `cpus: "0.5"` is 500.
    pub cpu_millis: Option<u32>,
    /// Bytes of memory.
    pub memory_bytes: Option<u64>,
    /// Processes and threads; limits only.
    pub pids: Option<u32>,
}
