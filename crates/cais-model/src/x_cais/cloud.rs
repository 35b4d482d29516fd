//! The blocks of a service that ask for more than one machine: `scale`, `rollout`'s shares, `aws`; its alarms are read in `alarms.rs`.

use super::{alarms, block, is_scalar, keys, percent, word, words};
use crate::node::Node;
use crate::stack::{
    Architecture, Located, Managed, Permission, Scale, ServiceAws, ServiceCloud, Shift,
};
use crate::typed::read::{Reader, texts};
use std::time::Duration;

/// `scale`, `alarms`, `aws`, and what of `rollout` belongs here.
pub(super) fn service(node: &Node, reader: &mut Reader<'_>) -> ServiceCloud {
    ServiceCloud {
        scale: block(node.get("scale"), "scale", reader).and_then(|node| scale(node, reader)),
        alarms: alarms::alarms(node.get("alarms"), reader),
        shift: node
            .get("rollout")
            .map(|node| shift(node, reader))
            .unwrap_or_default(),
        aws: block(node.get("aws"), "aws", reader)
            .map(|node| aws(node, reader))
            .unwrap_or_default(),
    }
}

/// `scale: {min, max, cpu, memory, requests, out_cooldown, in_cooldown}`.
fn scale(node: &Node, reader: &mut Reader<'_>) -> Option<Scale> {
    keys(node, "scale", &words::SCALE, reader);
    let (min, max) = (reader.whole(node.get("min")), reader.whole(node.get("max")));
    if let (Some(min), Some(max)) = (min, max)
        && min > max
    {
        reader.error(node, format!("`min` is {min} and `max` is {max}"));
    }
    if max.is_none() {
        reader
            .diagnostics
            .push(node.error("`scale` needs a `max`").with_help(
                "write the most tasks you would pay for: `scale: {min: 2, max: 10, cpu: 60%}`",
            ));
    }
    let scale = Scale {
        min: min.unwrap_or(1),
        max: max?,
        cpu: percent(node.get("cpu"), 1..=100, reader),
        memory: percent(node.get("memory"), 1..=100, reader),
        requests: rate(node.get("requests"), reader),
        out_cooldown: cooldown(node.get("out_cooldown"), 60, reader),
        in_cooldown: cooldown(node.get("in_cooldown"), 300, reader),
    };
    let has_target = ["cpu", "memory", "requests"]
        .iter()
        .any(|key| node.get(key).is_some());
    if !has_target {
        reader
            .diagnostics
            .push(node.error("`scale` has nothing to go by").with_help(
                "give it `cpu: 60%`, `memory: 70%` or `requests: 500/s`, the average to keep",
            ));
    }
    Some(scale)
}

fn cooldown(node: Option<&Node>, default_seconds: u64, reader: &mut Reader<'_>) -> Duration {
    reader
        .duration(node)
        .unwrap_or(Duration::from_secs(default_seconds))
}

/// `500/s`: requests of one task in a second.
fn rate(node: Option<&Node>, reader: &mut Reader<'_>) -> Option<u32> {
    let node = node?;
    let written = node.scalar_text().unwrap_or_default();
    let number = written
        .strip_suffix("/s")
        .and_then(|number| number.trim().parse::<u32>().ok())
        .filter(|number| *number > 0);
    if number.is_none() {
        reader.error(
            node,
            format!("`{written}` is not a rate: write it like `500/s`"),
        );
    }
    number
}

/// `step`, `step_bake`, `bake` and `alarms` of `rollout`.
fn shift(node: &Node, reader: &mut Reader<'_>) -> Shift {
    Shift {
        step: percent(node.get("step"), 1..=100, reader),
        step_bake: reader.duration(node.get("step_bake")),
        bake: reader.duration(node.get("bake")),
        alarms: node
            .get("alarms")
            .map(|node| located_texts(node, "alarms", reader)),
    }
}

/// `x-cais.aws` of a service.
fn aws(node: &Node, reader: &mut Reader<'_>) -> ServiceAws {
    keys(node, "aws", &words::SERVICE_AWS, reader);
    ServiceAws {
        cpu: cpu(node.get("cpu"), reader),
        memory: memory(node.get("memory"), reader),
        architecture: node
            .get("architecture")
            .and_then(|node| architecture(node, reader)),
        spot: percent(node.get("spot"), 0..=100, reader),
        execute_command: reader.boolean(node.get("execute_command")).unwrap_or(false),
        egress: node.get("egress").map(|node| ports(node, reader)),
        permissions: permissions(node.get("permissions"), reader),
        schedule: schedule(node.get("schedule"), reader),
        managed: managed(node, reader),
    }
}

/// CPU units: `256`, or vCPUs: `0.25`.
fn cpu(node: Option<&Node>, reader: &mut Reader<'_>) -> Option<Located<u32>> {
    let node = node?;
    let written = node.scalar_text().unwrap_or_default();
    let units = match written.parse::<u32>() {
        // Nobody has 16 CPU units; 16 vCPUs is the most there is.
        Ok(count) if count <= 16 => Some(count * 1024),
        Ok(units) => Some(units),
        Err(_) => written
            .parse::<f64>()
            .ok()
            .map(|vcpus| vcpus * 1024.0)
            .filter(|units| units.fract() == 0.0 && (1.0..=16384.0).contains(units))
            .and_then(|units| format!("{units:.0}").parse().ok()),
    };
    if units.is_none() {
        reader.error(
            node,
            format!("`{written}` is no amount of CPU: write units (`256`) or vCPUs (`0.25`)"),
        );
    }
    units.map(|units| located(node, units))
}

/// `512m`, `1g`.
fn memory(node: Option<&Node>, reader: &mut Reader<'_>) -> Option<Located<u32>> {
    let node = node?;
    let bytes = reader.bytes(Some(node))?;
    let mebibytes = u32::try_from(bytes >> 20).ok()?;
    if mebibytes == 0 {
        let written = node.scalar_text().unwrap_or_default();
        reader.error(
            node,
            format!("`{written}` is less than a megabyte: write it with its unit, like `512m`"),
        );
        return None;
    }
    Some(located(node, mebibytes))
}

/// `x86_64` or `arm64`.
pub(super) fn architecture(node: &Node, reader: &mut Reader<'_>) -> Option<Architecture> {
    let written = word(Some(node), "architecture", reader)?;
    match written.as_str() {
        "x86_64" | "amd64" => Some(Architecture::X86_64),
        "arm64" | "aarch64" => Some(Architecture::Arm64),
        _ => {
            reader.error(
                node,
                format!("`{written}` is no architecture of Fargate: write `x86_64` or `arm64`"),
            );
            None
        }
    }
}

fn ports(node: &Node, reader: &mut Reader<'_>) -> Vec<u16> {
    let mut ports = Vec::new();
    for item in node.as_sequence().unwrap_or_default() {
        match reader.whole(Some(item)).map(u16::try_from) {
            Some(Ok(port)) if port > 0 => ports.push(port),
            _ => reader.error(item, "a port is a number from 1 to 65535"),
        }
    }
    if node.as_sequence().is_none() {
        reader.error(node, "`egress` is a list of ports: `[443, 5432]`");
    }
    ports
}

fn permissions(node: Option<&Node>, reader: &mut Reader<'_>) -> Vec<Permission> {
    let mut permissions = Vec::new();
    let Some(node) = node else { return permissions };
    if node.as_sequence().is_none() {
        reader.error(node, "`permissions` is a list of `{actions, resources}`");
    }
    for item in node.as_sequence().unwrap_or_default() {
        let Some(item) = block(Some(item), "permissions", reader) else {
            continue;
        };
        keys(item, "permissions", &words::PERMISSION, reader);
        let actions = texts(item.get("actions")).unwrap_or_default();
        let resources = texts(item.get("resources")).unwrap_or_default();
        if actions.is_empty() || resources.is_empty() {
            reader.error(item, "a permission needs `actions` and `resources`");
        }
        for (list, name) in [(&actions, "actions"), (&resources, "resources")] {
            let items = item.get(name).and_then(Node::as_sequence);
            if let Some(odd) = items.into_iter().flatten().find(|item| !is_scalar(item)) {
                reader.error(odd, format!("`{name}` is a list of texts"));
            }
            if list.iter().any(|entry| entry == "*") {
                let place = item.get(name).unwrap_or(item);
                reader.error(
                    place,
                    format!("`*` in `{name}` allows everything; name them"),
                );
            }
        }
        permissions.push(Permission { actions, resources });
    }
    permissions
}

fn schedule(node: Option<&Node>, reader: &mut Reader<'_>) -> Option<Located<String>> {
    let node = node?;
    let written = word(Some(node), "schedule", reader)?;
    let inner = |name: &str| {
        written
            .strip_prefix(name)
            .and_then(|rest| rest.strip_prefix('('))
            .and_then(|rest| rest.strip_suffix(')'))
    };
    let is_right = match (inner("cron"), inner("rate")) {
        (Some(fields), _) => fields.split_whitespace().count() == 6,
        (_, Some(rate)) => {
            let words: Vec<&str> = rate.split_whitespace().collect();
            matches!(words.as_slice(), [number, unit]
                if number.parse::<u32>().is_ok_and(|number| number > 0)
                    && matches!(*unit, "minute" | "minutes" | "hour" | "hours" | "day" | "days"))
        }
        _ => false,
    };
    if !is_right {
        let help = "write `rate(5 minutes)`, or `cron(0 3 * * ? *)` for each day at 03:00 UTC (minutes, hours, day of month, month, day of week, year)";
        reader.diagnostics.push(
            node.error(format!("`{written}` is no schedule"))
                .with_help(help),
        );
        return None;
    }
    Some(located(node, written))
}

fn managed(block: &Node, reader: &mut Reader<'_>) -> Option<Managed> {
    let node_type = word(block.get("node_type"), "node_type", reader);
    let multi_az = reader.boolean(block.get("multi_az"));
    let Some(node) = block.get("managed") else {
        for key in ["node_type", "multi_az"] {
            if let Some(node) = block.get(key) {
                reader.error(node, format!("`{key}` belongs to `managed: elasticache`"));
            }
        }
        return None;
    };
    let written = word(Some(node), "managed", reader)?;
    if written != "elasticache" {
        reader.error(
            node,
            format!("`{written}` is nothing that AWS runs here: write `elasticache`"),
        );
        return None;
    }
    if let (Some(written), Some(node)) = (&node_type, block.get("node_type"))
        && !written.starts_with("cache.")
    {
        reader.error(
            node,
            format!(
                "`{written}` is no node type: they begin with `cache.`, like `cache.t4g.small`"
            ),
        );
    }
    Some(Managed {
        position: node.position.clone(),
        node_type: node_type.unwrap_or_else(|| "cache.t4g.micro".to_owned()),
        multi_az: multi_az.unwrap_or(false),
    })
}

/// A value with its place.
pub(super) fn located<T>(node: &Node, value: T) -> Located<T> {
    let width = node
        .scalar_text()
        .and_then(|text| u32::try_from(text.chars().count()).ok());
    Located {
        value,
        position: node.position.clone(),
        width: width.unwrap_or(1).max(1),
    }
}

/// A text with its place.
pub(super) fn located_word(
    node: Option<&Node>,
    name: &str,
    reader: &mut Reader<'_>,
) -> Option<Located<String>> {
    let value = word(node, name, reader)?;
    node.map(|node| located(node, value))
}

/// A list of texts with their places.
pub(super) fn located_texts(
    node: &Node,
    name: &str,
    reader: &mut Reader<'_>,
) -> Vec<Located<String>> {
    let Some(items) = node.as_sequence() else {
        reader.error(node, format!("`{name}` is a list"));
        return Vec::new();
    };
    items
        .iter()
        .filter_map(|item| located_word(Some(item), name, reader))
        .collect()
}

/// The words of a message: `a`, `b`.
pub(super) fn listed(words: &[&str]) -> String {
    let words: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    words.join(", ")
}
