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
    rate(node.get("requests"), reader);
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
        bounds(name, alarm, reader);
        datapoints(alarm.get("datapoints"), reader);
        missing(alarm.get("missing"), reader);
    }
}

/// `500/s`: requests of one task in a second.
fn rate(node: Option<&Node>, reader: &mut Reader<'_>) {
    let Some(node) = node else { return };
    let written = node.scalar_text().unwrap_or_default();
    let number = written
        .strip_suffix("/s")
        .and_then(|number| number.trim().parse::<u32>().ok());
    if number.is_none_or(|number| number == 0) {
        reader.error(
            node,
            format!("`{written}` is not a rate: write it like `500/s`"),
        );
    }
}

/// An alarm has one bound, a number, a percentage or a duration.
fn bounds(name: &str, alarm: &Node, reader: &mut Reader<'_>) {
    let given: Vec<&Node> = ["above", "below"]
        .iter()
        .filter_map(|key| alarm.get(key))
        .collect();
    if given.len() != 1 {
        reader.error(
            alarm,
            format!("alarm `{name}` needs one of `above` and `below`"),
        );
    }
    for bound in given {
        let written = bound.scalar_text().unwrap_or_default();
        let is_number = written
            .trim_end_matches('%')
            .trim()
            .parse::<f64>()
            .is_ok_and(f64::is_finite);
        if !is_number && crate::duration::parse(&written).is_err() {
            reader.error(
                bound,
                format!("`{written}` is not a number, a percentage or a duration"),
            );
        }
    }
}

/// `3 of 5`: how many of the last periods must breach (CloudWatch's M of N).
fn datapoints(node: Option<&Node>, reader: &mut Reader<'_>) {
    let Some(node) = node else { return };
    let written = node.scalar_text().unwrap_or_default();
    let number = |text: &str| text.trim().parse::<u32>().ok().filter(|number| *number > 0);
    let is_right = match written.split_once(" of ") {
        Some((some, all)) => {
            matches!((number(some), number(all)), (Some(some), Some(all)) if some <= all)
        }
        None => number(&written).is_some(),
    };
    if !is_right {
        reader.error(
            node,
            format!("`{written}` is not a number of datapoints: write it like `3 of 5`"),
        );
    }
}

/// CloudWatch's four words for periods without data.
fn missing(node: Option<&Node>, reader: &mut Reader<'_>) {
    const WORDS: [&str; 4] = ["missing", "breaching", "notBreaching", "ignore"];
    let Some(node) = node else { return };
    let written = node.scalar_text().unwrap_or_default();
    if !WORDS.contains(&written.as_str()) {
        let mut diagnostic = node.error(format!("`{written}` is no way to treat missing data"));
        diagnostic.help = crate::suggest::did_you_mean(&written, WORDS).or_else(|| {
            Some("write `missing`, `breaching`, `notBreaching` or `ignore`".to_owned())
        });
        reader.diagnostics.push(diagnostic);
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
