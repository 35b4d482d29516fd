//! What a container may use beyond CPUs, memory and processes: `ulimits`, `sysctls`, block I/O and the kernel's finer knobs.

use super::container::pairs;
use super::entries;
use super::read::{Reader, text};
use crate::node::Node;
use crate::stack::{BlockIo, ContainerLimits};
use std::collections::BTreeMap;
use std::time::Duration;

/// Reads them.
pub(super) fn of(node: &Node, reader: &mut Reader<'_>) -> ContainerLimits {
    ContainerLimits {
        ulimits: ulimits(node.get("ulimits"), reader),
        sysctls: pairs(node.get("sysctls")),
        shm_size: reader.bytes(node.get("shm_size")),
        storage_opt: pairs(node.get("storage_opt")),
        memswap_limit: swap(node.get("memswap_limit"), reader),
        mem_swappiness: reader.integer(node.get("mem_swappiness")),
        oom_kill_disable: reader
            .boolean(node.get("oom_kill_disable"))
            .unwrap_or(false),
        oom_score_adj: reader.integer(node.get("oom_score_adj")),
        cpu_count: reader.integer(node.get("cpu_count")),
        cpu_percent: reader.integer(node.get("cpu_percent")),
        cpu_shares: reader.integer(node.get("cpu_shares")),
        cpu_quota: microseconds(node.get("cpu_quota"), reader).and_then(whole_micros),
        cpu_period: microseconds(node.get("cpu_period"), reader),
        cpu_rt_period: microseconds(node.get("cpu_rt_period"), reader),
        cpu_rt_runtime: microseconds(node.get("cpu_rt_runtime"), reader),
        cpuset: text(node.get("cpuset")).filter(|set| !set.is_empty()),
        blkio: block_io(node.get("blkio_config"), reader),
    }
}

/// One number is both limits.
fn ulimits(node: Option<&Node>, reader: &mut Reader<'_>) -> BTreeMap<String, (i64, i64)> {
    let mut limits = BTreeMap::new();
    for (name, entry) in entries(node) {
        let value = &entry.value;
        let both = match value.as_mapping() {
            Some(_) => (
                reader.integer(value.get("soft")),
                reader.integer(value.get("hard")),
            ),
            None => {
                let limit = reader.integer(Some(value));
                (limit, limit)
            }
        };
        if let (Some(soft), Some(hard)) = both {
            limits.insert(name.clone(), (soft, hard));
        }
    }
    limits
}

/// -1 is no limit.
fn swap(node: Option<&Node>, reader: &mut Reader<'_>) -> Option<i64> {
    if text(node).as_deref() == Some("-1") {
        return Some(-1);
    }
    reader
        .bytes(node)
        .and_then(|bytes| i64::try_from(bytes).ok())
}

/// A bare number is microseconds; `50ms` is a duration.
fn microseconds(node: Option<&Node>, reader: &mut Reader<'_>) -> Option<Duration> {
    let written = text(node)?;
    match written.trim().parse() {
        Ok(micros) => Some(Duration::from_micros(micros)),
        Err(_) => reader.duration(node),
    }
}

fn whole_micros(duration: Duration) -> Option<i64> {
    i64::try_from(duration.as_micros()).ok()
}

fn block_io(node: Option<&Node>, reader: &mut Reader<'_>) -> BlockIo {
    let Some(node) = node else {
        return BlockIo::default();
    };
    let mut by_device = |key: &str, value: &str, in_bytes: bool| {
        let items = node.get(key).and_then(Node::as_sequence);
        let mut limits = BTreeMap::new();
        for item in items.unwrap_or_default() {
            let amount = item.get(value);
            let amount = if in_bytes {
                reader.bytes(amount).and_then(|b| i64::try_from(b).ok())
            } else {
                reader.integer(amount)
            };
            if let (Some(path), Some(amount)) = (text(item.get("path")), amount) {
                limits.insert(path, amount);
            }
        }
        limits
    };
    BlockIo {
        weight_device: by_device("weight_device", "weight", false),
        device_read_bps: by_device("device_read_bps", "rate", true),
        device_write_bps: by_device("device_write_bps", "rate", true),
        device_read_iops: by_device("device_read_iops", "rate", false),
        device_write_iops: by_device("device_write_iops", "rate", false),
        weight: reader.integer(node.get("weight")),
    }
}
