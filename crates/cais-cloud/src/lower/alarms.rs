//! Alarms: those that the file asks for and those that every service has, who is told of them, and which end a rollout.

use super::{Kind, Plan, Planned, instance};
use crate::names::{identifier, webhook_variable};
use crate::resource::{Instance, Root};
use crate::task::seconds;
use crate::value::{Value, input, map, output_of};
use cais_model::diagnostic::Diagnostic;
use cais_model::stack::{Alarm, Bound, Metric, Missing, Stack};
use cais_model::suggest;
use std::collections::BTreeMap;
use std::time::Duration;

/// Who is told where the file names nobody.
const DEFAULT_CHANNEL: &str = "alarms";
/// The alarm that ends a rollout where the file does not say which.
const DEFAULT_ROLLOUT_ALARM: &str = "errors";

/// An alarm, of the file or one that every service has.
struct Watch {
    metric: Metric,
    bound: Bound,
    period: Duration,
    datapoints: u32,
    of: u32,
    missing: Missing,
    /// `None`: everybody.
    notify: Option<Vec<String>>,
}

/// Channels and alarms that are named and not there; metrics that a service does not have.
pub(super) fn check(stack: &Stack, services: &[Planned<'_>], diagnostics: &mut Vec<Diagnostic>) {
    let channels: Vec<&str> = stack.cloud.notify.keys().map(String::as_str).collect();
    for planned in services {
        let cloud = &planned.service.cloud;
        let is_routed = matches!(planned.kind, Kind::Web(_));
        for (name, alarm) in &cloud.alarms {
            for channel in &alarm.notify {
                if !channels.contains(&channel.value.as_str()) {
                    let message = format!("`{}` is no channel of `x-cais.notify`", channel.value);
                    let help = suggest::did_you_mean(&channel.value, channels.iter().copied())
                        .unwrap_or_else(|| format!("write `x-cais: {{notify: {{{}: {{email: …}}}}}}` at the top of the file", channel.value));
                    diagnostics.push(channel.error(message).with_help(help));
                }
            }
            if alarm.metric.needs_route() && !is_routed {
                let message = format!(
                    "alarm `{name}` measures requests, and service `{}` has no route that they come by",
                    planned.name()
                );
                diagnostics.push(
                    Diagnostic::error(&alarm.position, message)
                        .with_width(crate::task::width(name))
                        .with_help("take `cpu`, `memory` or `log_matches`"),
                );
            }
            check_period(name, alarm, diagnostics);
        }
        let known = watches(planned);
        for alarm in cloud.shift.alarms.iter().flatten() {
            if !known.contains_key(&alarm.value) {
                let message = format!(
                    "`{}` is no alarm of service `{}`",
                    alarm.value,
                    planned.name()
                );
                let names: Vec<&str> = known.keys().map(String::as_str).collect();
                let help = suggest::did_you_mean(&alarm.value, names.iter().copied())
                    .unwrap_or_else(|| format!("it has {}", names.join(", ")));
                diagnostics.push(alarm.error(message).with_help(help));
            }
        }
    }
}

/// CloudWatch's periods, and how far back it looks.
fn check_period(name: &str, alarm: &Alarm, diagnostics: &mut Vec<Diagnostic>) {
    let period = seconds(alarm.period);
    let is_right = alarm.period.subsec_nanos() == 0
        && (matches!(period, 10 | 30) || (period > 0 && period.is_multiple_of(60)));
    let error = |message: String| {
        Diagnostic::error(&alarm.position, message).with_width(crate::task::width(name))
    };
    if !is_right {
        let message = format!(
            "alarm `{name}` has a period of {} s",
            alarm.period.as_secs_f64()
        );
        diagnostics.push(error(message).with_help("CloudWatch has 10 s, 30 s and whole minutes"));
    } else if u64::from(period) * u64::from(alarm.of) > 86_400 {
        let message = format!(
            "alarm `{name}` looks back {} periods of {period} s, and CloudWatch looks back a day",
            alarm.of
        );
        diagnostics.push(error(message).with_help("take fewer or shorter periods"));
    }
}

/// The alarms of a service, the file's before those of every service.
fn watches(planned: &Planned<'_>) -> BTreeMap<String, Watch> {
    let mut watches = BTreeMap::new();
    for (name, alarm) in &planned.service.cloud.alarms {
        let named = alarm.notify.iter().map(|channel| channel.value.clone());
        let watch = Watch {
            metric: alarm.metric.clone(),
            bound: alarm.bound,
            period: alarm.period,
            datapoints: alarm.datapoints,
            of: alarm.of,
            missing: alarm.missing,
            notify: (!alarm.notify.is_empty()).then(|| named.collect()),
        };
        watches.insert(name.clone(), watch);
    }
    if !planned.stays() {
        return watches;
    }
    let mut every = vec![
        ("cpu", Metric::Cpu, 90.0, 5, 5),
        ("memory", Metric::Memory, 90.0, 5, 5),
    ];
    if matches!(planned.kind, Kind::Web(_)) {
        every.push((DEFAULT_ROLLOUT_ALARM, Metric::ErrorRate, 5.0, 2, 3));
    }
    for (name, metric, above, datapoints, of) in every {
        watches.entry(name.to_owned()).or_insert(Watch {
            metric,
            bound: Bound::Above(above),
            period: Duration::from_secs(60),
            datapoints,
            of,
            missing: Missing::NotBreaching,
            notify: None,
        });
    }
    watches
}

impl Plan<'_> {
    /// The channels' names; one of its own where the file has none.
    pub(super) fn channels(&self) -> Vec<&str> {
        let named: Vec<&str> = self.stack.cloud.notify.keys().map(String::as_str).collect();
        let has_alarms = self.services.iter().any(|it| !watches(it).is_empty());
        if named.is_empty() && has_alarms {
            vec![DEFAULT_CHANNEL]
        } else {
            named
        }
    }

    /// A topic for each channel, and its subscribers.
    pub(super) fn topics(&self, root: &mut Root) {
        for name in self.channels() {
            let id = identifier(name);
            let topic = format!("{id}_topic");
            let mut instance = Instance::new("notification_topic", topic.clone(), "main")
                .set("name", self.names.topic(name))
                .set("key_arn", crate::value::foundation("key_arn"));
            let channel = self.stack.cloud.notify.get(name);
            if channel.is_none() {
                instance = instance.comment("Nobody listens yet: x-cais.notify names who is told.");
            }
            root.instances.push(instance);
            let Some(channel) = channel else { continue };
            if let Some(email) = &channel.email {
                root.instances.push(
                    Instance::new("email_subscription", format!("{id}_email"), "main")
                        .set("topic_arn", output_of(&topic, "arn"))
                        .set("address", email.as_str()),
                );
            }
            if channel.webhook.is_some() {
                root.instances.push(
                    Instance::new("webhook_subscription", format!("{id}_webhook"), "main")
                        .set("topic_arn", output_of(&topic, "arn"))
                        .set("url", input(&webhook_variable(name))),
                );
            }
        }
    }

    /// The alarms of a service.
    pub(super) fn alarms(&self, root: &mut Root, planned: &Planned<'_>) {
        for (name, watch) in watches(planned) {
            if let Metric::LogMatches(pattern) = &watch.metric {
                root.instances.push(
                    instance(
                        "log_metric",
                        planned,
                        &format!("{}_metric", identifier(&name)),
                    )
                    .set("name", self.names.alarm(planned.name(), &name))
                    .set("namespace", self.log_namespace())
                    .set("log_group", self.names.log_group(planned.name()))
                    .set("pattern", pattern.as_str())
                    .after(vec![format!("{}_task", planned.id)]),
                );
            }
            let alarm = self.alarm(planned, &name, &watch);
            root.instances.push(alarm);
        }
    }

    /// The names of the alarms that end a rollout, as edges.
    pub(super) fn rollout_alarms(&self, planned: &Planned<'_>) -> Vec<Value> {
        let own = &planned.service.cloud.shift.alarms;
        let names: Vec<String> = match own {
            Some(named) => named.iter().map(|alarm| alarm.value.clone()).collect(),
            None if matches!(planned.kind, Kind::Web(_)) => vec![DEFAULT_ROLLOUT_ALARM.to_owned()],
            None => Vec::new(),
        };
        names
            .iter()
            .map(|name| {
                output_of(
                    &format!("{}_{}_alarm", planned.id, identifier(name)),
                    "name",
                )
            })
            .collect()
    }

    fn log_namespace(&self) -> String {
        format!("{}/logs", self.names.path())
    }

    fn alarm(&self, planned: &Planned<'_>, name: &str, watch: &Watch) -> Instance {
        let (comparison, threshold) = match watch.bound {
            Bound::Above(number) => ("GreaterThanThreshold", number),
            Bound::Below(number) => ("LessThanThreshold", number),
        };
        // CloudWatch has latencies in seconds.
        let threshold = match watch.metric {
            Metric::Latency(_) => threshold / 1000.0,
            _ => threshold,
        };
        let missing = match watch.missing {
            Missing::Missing => "missing",
            Missing::Breaching => "breaching",
            Missing::NotBreaching => "notBreaching",
            Missing::Ignore => "ignore",
        };
        let module = match watch.metric {
            Metric::ErrorRate => "error_rate_alarm",
            Metric::Latency(_) => "percentile_alarm",
            _ => "alarm",
        };
        let channels = match &watch.notify {
            Some(named) => named.iter().map(String::as_str).collect(),
            None => self.channels(),
        };
        let alarm = instance(module, planned, &format!("{}_alarm", identifier(name)))
            .set("name", self.names.alarm(planned.name(), name))
            .set("description", described(planned.name(), watch))
            .set("comparison", comparison)
            .set("threshold", number(threshold))
            .set("period", seconds(watch.period))
            .set("datapoints_to_alarm", watch.datapoints)
            .set("evaluation_periods", watch.of)
            .set("treat_missing_data", missing)
            .set("topic_arns", Value::List(topics_of(channels)));
        self.measured(alarm, planned, name, &watch.metric)
    }

    /// The arguments that say what is measured.
    fn measured(
        &self,
        alarm: Instance,
        planned: &Planned<'_>,
        name: &str,
        metric: &Metric,
    ) -> Instance {
        let target_group = || output_of(&format!("{}_target_group", planned.id), "arn_suffix");
        let edge = || {
            map([
                ("LoadBalancer", self.balancer("arn_suffix")),
                ("TargetGroup", target_group()),
            ])
        };
        let task = || {
            map([
                ("ClusterName", output_of("cluster", "name")),
                ("ServiceName", self.names.service(planned.name()).into()),
            ])
        };
        let one =
            |alarm: Instance, namespace: &str, metric: &str, statistic: &str, dimensions: Value| {
                alarm
                    .set("namespace", namespace)
                    .set("metric", metric)
                    .set("statistic", statistic)
                    .set("dimensions", dimensions)
            };
        const EDGE: &str = "AWS/ApplicationELB";
        match metric {
            Metric::ErrorRate => alarm
                .set("load_balancer", self.balancer("arn_suffix"))
                .set("target_group", target_group()),
            Metric::Errors => one(alarm, EDGE, "HTTPCode_Target_5XX_Count", "Sum", edge()),
            Metric::ClientErrors => one(alarm, EDGE, "HTTPCode_Target_4XX_Count", "Sum", edge()),
            Metric::Requests => one(alarm, EDGE, "RequestCount", "Sum", edge()),
            Metric::HealthyTargets => one(alarm, EDGE, "HealthyHostCount", "Minimum", edge()),
            Metric::Latency(percentile) => alarm
                .set("namespace", EDGE)
                .set("metric", "TargetResponseTime")
                .set("percentile", format!("p{percentile}"))
                .set("dimensions", edge()),
            Metric::Cpu => one(alarm, "AWS/ECS", "CPUUtilization", "Average", task()),
            Metric::Memory => one(alarm, "AWS/ECS", "MemoryUtilization", "Average", task()),
            Metric::LogMatches(_) => one(
                alarm,
                &self.log_namespace(),
                &self.names.alarm(planned.name(), name),
                "Sum",
                map([]),
            ),
        }
    }
}

/// The topics of these channels.
pub(super) fn topics_of(channels: Vec<&str>) -> Vec<Value> {
    let channels = channels.into_iter();
    channels
        .map(|channel| output_of(&format!("{}_topic", identifier(channel)), "arn"))
        .collect()
}

/// A sentence for whoever is woken by it.
fn described(service: &str, watch: &Watch) -> String {
    let (side, bound) = match watch.bound {
        Bound::Above(bound) => ("above", bound),
        Bound::Below(bound) => ("below", bound),
    };
    let (what, unit) = match &watch.metric {
        Metric::ErrorRate => ("requests answered with a 5xx", "%"),
        Metric::Errors => ("5xx answers", ""),
        Metric::ClientErrors => ("4xx answers", ""),
        Metric::Requests => ("requests", ""),
        Metric::Latency(50) => ("median latency", " ms"),
        Metric::Latency(90) => ("latency of the slowest tenth", " ms"),
        Metric::Latency(95) => ("latency of the slowest twentieth", " ms"),
        Metric::Latency(_) => ("latency of the slowest hundredth", " ms"),
        Metric::Cpu => ("CPU", "%"),
        Metric::Memory => ("memory", "%"),
        Metric::HealthyTargets => ("tasks that take traffic", ""),
        Metric::LogMatches(_) => ("log lines that match", ""),
    };
    format!("{service}: {what} {side} {bound}{unit}")
}

/// A number as it is written, without a fraction where it has none.
fn number(number: f64) -> Value {
    let text = format!("{number}");
    match text.parse::<i64>() {
        Ok(whole) => Value::Number(whole),
        Err(_) => Value::Decimal(text),
    }
}
