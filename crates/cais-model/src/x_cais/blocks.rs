//! The blocks of `x-cais` that are checked here but not carried in the stack yet: `scale`, `cache`, `alarms`, `notify`, `aws`.

use super::{block, keys, percent, word};
use crate::node::Node;
use crate::typed::entries;
use crate::typed::read::Reader;

/// `scale: {min, max, cpu, requests}`.
pub(super) fn check_scale(node: Option<&Node>, reader: &mut Reader<'_>) {
    let Some(node) = block(node, "scale", reader) else {
        return;
    };
    keys(
        node,
        "scale",
        &["min", "max", "cpu", "memory", "requests"],
        reader,
    );
    let (min, max) = (reader.whole(node.get("min")), reader.whole(node.get("max")));
    if let (Some(min), Some(max)) = (min, max)
        && min > max
    {
        reader.error(node, format!("`min` is {min} and `max` is {max}"));
    }
    percent(node.get("cpu"), 1..=100, reader);
    percent(node.get("memory"), 1..=100, reader);
}

/// `cache: {ttl, stale_while_revalidate, stale_if_error}`.
pub(super) fn check_cache(node: Option<&Node>, reader: &mut Reader<'_>) {
    let Some(node) = block(node, "cache", reader) else {
        return;
    };
    keys(
        node,
        "cache",
        &["ttl", "stale_while_revalidate", "stale_if_error"],
        reader,
    );
    for (_, entry) in entries(Some(node)) {
        reader.duration(Some(&entry.value));
    }
}

/// `alarms: {name: {metric, above|below, period, datapoints, missing, notify}}`.
pub(super) fn check_alarms(node: Option<&Node>, reader: &mut Reader<'_>) {
    for (name, entry) in entries(block(node, "alarms", reader)) {
        let Some(alarm) = block(Some(&entry.value), name, reader) else {
            continue;
        };
        keys(
            alarm,
            name,
            &[
                "metric",
                "above",
                "below",
                "period",
                "datapoints",
                "missing",
                "notify",
            ],
            reader,
        );
        if alarm.get("metric").is_none() {
            reader.error(alarm, format!("alarm `{name}` needs a `metric`"));
        }
        word(alarm.get("metric"), "metric", reader);
        reader.duration(alarm.get("period"));
    }
}

/// `notify: {name: {webhook}}`.
pub(super) fn check_notify(node: Option<&Node>, reader: &mut Reader<'_>) {
    for (name, entry) in entries(block(node, "notify", reader)) {
        let Some(channel) = block(Some(&entry.value), name, reader) else {
            continue;
        };
        keys(channel, name, &["webhook"], reader);
        word(channel.get("webhook"), "webhook", reader);
    }
}

/// `aws: {region, domain}`.
pub(super) fn check_aws(node: Option<&Node>, reader: &mut Reader<'_>) {
    let Some(node) = block(node, "aws", reader) else {
        return;
    };
    keys(node, "aws", &["region", "domain"], reader);
    word(node.get("region"), "region", reader);
    word(node.get("domain"), "domain", reader);
}
