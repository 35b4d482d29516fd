//! What is watched, and who is told: `alarms` of a service, `notify` of the stack. Which metrics and channels there are is known
//! where the infrastructure is made.

use super::cloud::{listed, located_texts};
use super::{block, keys, word, words};
use crate::node::Node;
use crate::stack::{Alarm, Bound, Channel, Metric, Missing, cloud};
use crate::suggest;
use crate::typed::entries;
use crate::typed::read::Reader;
use std::collections::BTreeMap;
use std::time::Duration;

/// `alarms: {name: {metric, above|below, period, datapoints, missing, pattern, notify}}`.
pub(super) fn alarms(node: Option<&Node>, reader: &mut Reader<'_>) -> BTreeMap<String, Alarm> {
    let mut alarms = BTreeMap::new();
    for (name, entry) in entries(block(node, "alarms", reader)) {
        let Some(node) = block(Some(&entry.value), name, reader) else {
            continue;
        };
        keys(node, name, &words::ALARM, reader);
        let period = reader.duration(node.get("period"));
        let (datapoints, of) = datapoints(node.get("datapoints"), reader).unwrap_or((3, 3));
        let missing = missing(node.get("missing"), reader);
        let notify = node
            .get("notify")
            .map(|node| located_texts(node, "notify", reader))
            .unwrap_or_default();
        let metric = metric(name, node, reader);
        let Some(bound) = bound(name, node, metric.as_ref(), reader) else {
            continue;
        };
        let Some(metric) = metric else { continue };
        let alarm = Alarm {
            metric,
            bound,
            period: period.unwrap_or(Duration::from_secs(60)),
            datapoints,
            of,
            missing,
            notify,
            position: entry.key_position.clone(),
        };
        alarms.insert(name.clone(), alarm);
    }
    alarms
}

fn metric(name: &str, alarm: &Node, reader: &mut Reader<'_>) -> Option<Metric> {
    let Some(node) = alarm.get("metric") else {
        reader.error(alarm, format!("alarm `{name}` needs a `metric`"));
        return None;
    };
    let written = word(Some(node), "metric", reader)?;
    let pattern = word(alarm.get("pattern"), "pattern", reader);
    let metric = match written.as_str() {
        "error_rate" => Metric::ErrorRate,
        "errors" => Metric::Errors,
        "client_errors" => Metric::ClientErrors,
        "requests" => Metric::Requests,
        "latency_p50" => Metric::Latency(50),
        "latency_p90" => Metric::Latency(90),
        "latency_p95" => Metric::Latency(95),
        "latency_p99" => Metric::Latency(99),
        "cpu" => Metric::Cpu,
        "memory" => Metric::Memory,
        "healthy_targets" => Metric::HealthyTargets,
        "log_matches" => match &pattern {
            Some(pattern) => Metric::LogMatches(pattern.clone()),
            None => {
                reader.error(
                    node,
                    "`log_matches` needs a `pattern`, like `{ $.level = \"error\" }`",
                );
                return None;
            }
        },
        other => {
            let mut diagnostic = node.error(format!("`{other}` is no metric"));
            diagnostic.help = suggest::did_you_mean(other, Metric::WORDS)
                .or_else(|| Some(format!("it is one of {}", listed(&Metric::WORDS))));
            reader.diagnostics.push(diagnostic);
            return None;
        }
    };
    if let Some(node) = alarm.get("pattern")
        && !matches!(metric, Metric::LogMatches(_))
    {
        reader.error(node, "`pattern` belongs to `metric: log_matches`");
    }
    Some(metric)
}

/// An alarm has one bound, in the unit of its metric.
fn bound(
    name: &str,
    alarm: &Node,
    metric: Option<&Metric>,
    reader: &mut Reader<'_>,
) -> Option<Bound> {
    let (above, below) = (alarm.get("above"), alarm.get("below"));
    let (node, is_above) = match (above, below) {
        (Some(node), None) => (node, true),
        (None, Some(node)) => (node, false),
        _ => {
            reader.error(
                alarm,
                format!("alarm `{name}` needs one of `above` and `below`"),
            );
            return None;
        }
    };
    let written = node.scalar_text().unwrap_or_default();
    match cloud::threshold(&written, metric?) {
        Ok(number) if is_above => Some(Bound::Above(number)),
        Ok(number) => Some(Bound::Below(number)),
        Err(rule) => {
            reader.error(node, format!("`{written}` is not {rule}"));
            None
        }
    }
}

/// `3 of 5`: how many of the last periods must breach (CloudWatch's M of N).
fn datapoints(node: Option<&Node>, reader: &mut Reader<'_>) -> Option<(u32, u32)> {
    let node = node?;
    let written = node.scalar_text().unwrap_or_default();
    let number = |text: &str| text.trim().parse::<u32>().ok().filter(|number| *number > 0);
    let both = match written.split_once(" of ") {
        Some((some, all)) => number(some).zip(number(all)),
        None => number(&written).map(|all| (all, all)),
    };
    let both = both.filter(|(some, all)| some <= all);
    if both.is_none() {
        reader.error(
            node,
            format!("`{written}` is not a number of datapoints: write it like `3 of 5`"),
        );
    }
    both
}

fn missing(node: Option<&Node>, reader: &mut Reader<'_>) -> Missing {
    let Some(node) = node else {
        return Missing::default();
    };
    let written = node.scalar_text().unwrap_or_default();
    match written.as_str() {
        "missing" => Missing::Missing,
        "breaching" => Missing::Breaching,
        "notBreaching" => Missing::NotBreaching,
        "ignore" => Missing::Ignore,
        _ => {
            let mut diagnostic = node.error(format!("`{written}` is no way to treat missing data"));
            diagnostic.help = suggest::did_you_mean(&written, words::MISSING).or_else(|| {
                Some("write `missing`, `breaching`, `notBreaching` or `ignore`".to_owned())
            });
            reader.diagnostics.push(diagnostic);
            Missing::default()
        }
    }
}

/// `notify: {name: {webhook, email}}`.
pub(super) fn notify(node: Option<&Node>, reader: &mut Reader<'_>) -> BTreeMap<String, Channel> {
    let mut channels = BTreeMap::new();
    for (name, entry) in entries(block(node, "notify", reader)) {
        let Some(channel) = block(Some(&entry.value), name, reader) else {
            continue;
        };
        keys(channel, name, &words::CHANNEL, reader);
        let webhook = word(channel.get("webhook"), "webhook", reader);
        let email = word(channel.get("email"), "email", reader);
        if let (Some(email), Some(node)) = (&email, channel.get("email"))
            && !email.contains('@')
        {
            reader.error(node, format!("`{email}` is not a mail address"));
        }
        let position = entry.key_position.clone();
        channels.insert(
            name.clone(),
            Channel {
                webhook,
                email,
                position,
            },
        );
    }
    channels
}
