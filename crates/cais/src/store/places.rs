//! Where things are reached: the loopback address of each service, the ports of each task.

use super::{Journal, JournalError};
use rusqlite::params;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

impl Journal {
    /// The loopback address of each service, kept for ever so that it is stable.
    pub(crate) fn addresses(&self) -> Result<BTreeMap<String, Ipv4Addr>, JournalError> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT service, address FROM addresses")
            .map_err(|e| self.unusable(e))?;
        let rows = statement
            .query_map([], |row| {
                Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))
            })
            .map_err(|e| self.unusable(e))?;
        let mut addresses = BTreeMap::new();
        for row in rows {
            let (service, address) = row.map_err(|e| self.unusable(e))?;
            if let Ok(address) = address.parse() {
                addresses.insert(service, address);
            }
        }
        Ok(addresses)
    }

    /// Keeps a service's loopback address.
    pub(crate) fn keep_address(
        &self,
        service: &str,
        address: Ipv4Addr,
    ) -> Result<(), JournalError> {
        self.connection
            .execute(
                "INSERT OR REPLACE INTO addresses (service, address) VALUES (?1, ?2)",
                params![service, address.to_string()],
            )
            .map(drop)
            .map_err(|e| self.unusable(e))
    }

    /// The ports given to each task that is not forgotten: container port to its own.
    pub(crate) fn task_ports(&self) -> Result<BTreeMap<u64, BTreeMap<u16, u16>>, JournalError> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT task, ports FROM task_ports")
            .map_err(|e| self.unusable(e))?;
        let rows = statement
            .query_map([], |row| {
                Ok((row.get::<_, u64>(0)?, row.get::<_, String>(1)?))
            })
            .map_err(|e| self.unusable(e))?;
        let mut all = BTreeMap::new();
        for row in rows {
            let (task, json) = row.map_err(|e| self.unusable(e))?;
            let ports = serde_json::from_str(&json).map_err(|cause| JournalError::Corrupt {
                what: "task's ports",
                cause,
            })?;
            all.insert(task, ports);
        }
        Ok(all)
    }

    /// Keeps the ports given to a task, before it is started.
    pub(crate) fn keep_task_ports(
        &self,
        task: u64,
        ports: &BTreeMap<u16, u16>,
    ) -> Result<(), JournalError> {
        let json = serde_json::to_string(ports).map_err(|cause| JournalError::Corrupt {
            what: "task's ports",
            cause,
        })?;
        self.connection
            .execute(
                "INSERT OR REPLACE INTO task_ports (task, ports) VALUES (?1, ?2)",
                params![task, json],
            )
            .map(drop)
            .map_err(|e| self.unusable(e))
    }

    /// Forgets a task's ports.
    pub(crate) fn forget_task(&self, task: u64) -> Result<(), JournalError> {
        self.connection
            .execute("DELETE FROM task_ports WHERE task = ?1", [task])
            .map(drop)
            .map_err(|e| self.unusable(e))
    }
}
