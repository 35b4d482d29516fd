//! `deploy.resources`, `cpus`, `mem_limit`, `mem_reservation` and `pids_limit`. Each amount may be said in two places; two
//! different amounts are an error.

use super::read::Reader;
use crate::node::{Node, Value};
use crate::stack::{Amounts, Resources};

/// Reads what a service may use.
pub(super) fn of(service: &Node, reader: &mut Reader<'_>) -> Resources {
    let limits = service.at(&["deploy", "resources", "limits"]);
    let reservations = service.at(&["deploy", "resources", "reservations"]);
    let old = Amounts {
        cpu_millis: cpus(service.get("cpus"), reader),
        memory_bytes: memory(service.get("mem_limit"), reader),
        pids: pids(service.get("pids_limit"), reader),
    };
    let old_reservations = Amounts {
        memory_bytes: memory(service.get("mem_reservation"), reader),
        ..Amounts::default()
    };
    Resources {
        limits: either(amounts(limits, reader), old, service, &OLD_LIMITS, reader),
        reservations: either(
            amounts(reservations, reader),
            old_reservations,
            service,
            &OLD_RESERVATIONS,
            reader,
        ),
    }
}

/// The older field of each amount, and where `deploy` says it.
const OLD_LIMITS: [(&str, &str); 3] = [
    ("cpus", "deploy.resources.limits.cpus"),
    ("mem_limit", "deploy.resources.limits.memory"),
    ("pids_limit", "deploy.resources.limits.pids"),
];
const OLD_RESERVATIONS: [(&str, &str); 3] = [
    ("cpus", "deploy.resources.reservations.cpus"),
    ("mem_reservation", "deploy.resources.reservations.memory"),
    ("pids_limit", "deploy.resources.reservations.pids"),
];

fn amounts(node: Option<&Node>, reader: &mut Reader<'_>) -> Amounts {
    let field = |key: &str| node.and_then(|node| node.get(key));
    Amounts {
        cpu_millis: cpus(field("cpus"), reader),
        memory_bytes: memory(field("memory"), reader),
        pids: pids(field("pids"), reader),
    }
}

fn either(
    new: Amounts,
    old: Amounts,
    service: &Node,
    names: &[(&str, &str); 3],
    reader: &mut Reader<'_>,
) -> Amounts {
    let [cpus, memory, pids] = names;
    let mut one = |differ: bool, (field, path): &(&str, &str)| {
        if differ && let Some(node) = service.get(field) {
            reader.error(
                node,
                format!("`{field}` and `{path}` differ; give one of them"),
            );
        }
    };
    one(differ(new.cpu_millis, old.cpu_millis), cpus);
    one(differ(new.memory_bytes, old.memory_bytes), memory);
    one(differ(new.pids, old.pids), pids);
    Amounts {
        cpu_millis: new.cpu_millis.or(old.cpu_millis),
        memory_bytes: new.memory_bytes.or(old.memory_bytes),
        pids: new.pids.or(old.pids),
    }
}

fn differ<T: PartialEq>(one: Option<T>, other: Option<T>) -> bool {
    one.is_some() && other.is_some() && one != other
}

/// `0.5` is half a CPU; 0 is no limit, as Docker has it.
fn cpus(node: Option<&Node>, reader: &mut Reader<'_>) -> Option<u32> {
    let value = reader.number(node)?;
    let millis = (value * 1000.0).round();
    if !(0.0..=f64::from(u32::MAX)).contains(&millis) {
        if let Some(node) = node {
            reader.error(node, format!("`{value}` is not a number of CPUs"));
        }
        return None;
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "whole and in range"
    )]
    let millis = millis as u32;
    (millis > 0).then_some(millis)
}

/// 0 is no limit, as Docker has it.
fn memory(node: Option<&Node>, reader: &mut Reader<'_>) -> Option<u64> {
    reader.bytes(node).filter(|bytes| *bytes > 0)
}

/// -1 and 0 are no limit.
fn pids(node: Option<&Node>, reader: &mut Reader<'_>) -> Option<u32> {
    let value = node?;
    if matches!(value.value, Value::Int(-1)) || value.as_str() == Some("-1") {
        return None;
    }
    reader.whole(node).filter(|pids| *pids > 0)
}
