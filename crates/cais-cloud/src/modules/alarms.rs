//! What is watched, who is told, and the dashboard that shows it.

use crate::resource::{Body, Kind, Module, Resource};
use crate::value::{attribute, input, map};

/// A topic that alarms speak to.
pub(super) fn notification_topic() -> Module {
    Module::new("notification_topic", "A topic that alarms speak to.")
        .input("name", Kind::Text, "Its name.")
        .input("key_arn", Kind::Text, "The KMS key.")
        .resource(Resource::new(
            "aws_sns_topic",
            "this",
            Body::new()
                .set("name", input("name"))
                .set("kms_master_key_id", input("key_arn")),
        ))
        .output("arn", "The topic.", attribute("aws_sns_topic.this.arn"))
}

/// A mail for each alarm.
pub(super) fn email_subscription() -> Module {
    Module::new(
        "email_subscription",
        "A mail for each alarm, once its receiver has confirmed.",
    )
    .input("topic_arn", Kind::Text, "The topic.")
    .input("address", Kind::Text, "Who is told.")
    .resource(subscription("email", "address"))
}

/// A POST for each alarm.
pub(super) fn webhook_subscription() -> Module {
    Module::new(
        "webhook_subscription",
        "A POST for each alarm, once the receiver has confirmed.",
    )
    .input("topic_arn", Kind::Text, "The topic.")
    .input("url", Kind::Text, "Where it goes.")
    .resource(subscription("https", "url"))
}

fn subscription(protocol: &str, endpoint: &str) -> Resource {
    Resource::new(
        "aws_sns_topic_subscription",
        "this",
        Body::new()
            .set("topic_arn", input("topic_arn"))
            .set("protocol", protocol)
            .set("endpoint", input(endpoint)),
    )
}

/// The inputs and attributes that all alarms have.
fn alarm_module(name: &str, description: &'static str) -> Module {
    Module::new(name, description)
        .input("name", Kind::Text, "The alarm.")
        .input("description", Kind::Text, "What it means.")
        .input(
            "comparison",
            Kind::Text,
            "Which side of the threshold is bad.",
        )
        .input("threshold", Kind::Number, "The threshold.")
        .input("period", Kind::Number, "Seconds of one datapoint.")
        .input(
            "datapoints_to_alarm",
            Kind::Number,
            "Datapoints that must be bad …",
        )
        .input(
            "evaluation_periods",
            Kind::Number,
            "… of so many last ones.",
        )
        .input(
            "treat_missing_data",
            Kind::Text,
            "What a period without data counts as.",
        )
        .input("topic_arns", Kind::texts(), "Who is told.")
}

fn common() -> Body {
    Body::new()
        .set("alarm_name", input("name"))
        .set("alarm_description", input("description"))
        .set("comparison_operator", input("comparison"))
        .set("threshold", input("threshold"))
        .set("datapoints_to_alarm", input("datapoints_to_alarm"))
        .set("evaluation_periods", input("evaluation_periods"))
        .set("treat_missing_data", input("treat_missing_data"))
        .set("alarm_actions", input("topic_arns"))
        .set("ok_actions", input("topic_arns"))
}

fn finished(module: Module, body: Body) -> Module {
    module
        .resource(Resource::new("aws_cloudwatch_metric_alarm", "this", body))
        .output(
            "name",
            "The alarm.",
            attribute("aws_cloudwatch_metric_alarm.this.alarm_name"),
        )
}

/// One metric.
pub(super) fn alarm() -> Module {
    let module = alarm_module("alarm", "An alarm on one metric.")
        .input("namespace", Kind::Text, "Whose metric it is.")
        .input("metric", Kind::Text, "What is measured.")
        .input("statistic", Kind::Text, "How a period's values become one.")
        .input("dimensions", Kind::text_map(), "Of what.");
    let body = common()
        .set("namespace", input("namespace"))
        .set("metric_name", input("metric"))
        .set("statistic", input("statistic"))
        .set("period", input("period"))
        .set("dimensions", input("dimensions"));
    finished(module, body)
}

/// A percentile.
pub(super) fn percentile_alarm() -> Module {
    let module = alarm_module(
        "percentile_alarm",
        "An alarm on a percentile of one metric.",
    )
    .input("namespace", Kind::Text, "Whose metric it is.")
    .input("metric", Kind::Text, "What is measured.")
    .input("percentile", Kind::Text, "Which percentile: p99.")
    .input("dimensions", Kind::text_map(), "Of what.");
    let body = common()
        .set("namespace", input("namespace"))
        .set("metric_name", input("metric"))
        .set("extended_statistic", input("percentile"))
        .set("period", input("period"))
        .set("dimensions", input("dimensions"));
    finished(module, body)
}

/// The share of requests that fail.
pub(super) fn error_rate_alarm() -> Module {
    let metric = |id: &str, name: &str| {
        Body::new().set("id", id).block(
            "metric",
            Body::new()
                .set("namespace", "AWS/ApplicationELB")
                .set("metric_name", name)
                .set("period", input("period"))
                .set("stat", "Sum")
                .set(
                    "dimensions",
                    map([
                        ("LoadBalancer", input("load_balancer")),
                        ("TargetGroup", input("target_group")),
                    ]),
                ),
        )
    };
    let rate = Body::new()
        .set("id", "rate")
        .because(
            "A period without a failure has no datapoint of failures.",
            "expression",
            "100 * FILL(errors, 0) / requests",
        )
        .set("label", "5xx, percent of requests")
        .set("return_data", true);
    let module = alarm_module(
        "error_rate_alarm",
        "An alarm on the share of requests that are answered with a 5xx.",
    )
    .input(
        "load_balancer",
        Kind::Text,
        "The load balancer, as CloudWatch names it.",
    )
    .input(
        "target_group",
        Kind::Text,
        "The target group, as CloudWatch names it.",
    );
    let body = common()
        .block("metric_query", rate)
        .block(
            "metric_query",
            metric("errors", "HTTPCode_Target_5XX_Count"),
        )
        .block("metric_query", metric("requests", "RequestCount"));
    finished(module, body)
}

/// Log lines, counted.
pub(super) fn log_metric() -> Module {
    Module::new(
        "log_metric",
        "Counts the lines of a log that match a pattern.",
    )
    .input("name", Kind::Text, "The metric.")
    .input("namespace", Kind::Text, "Whose it is.")
    .input("log_group", Kind::Text, "Whose lines are counted.")
    .input("pattern", Kind::Text, "Which lines.")
    .resource(Resource::new(
        "aws_cloudwatch_log_metric_filter",
        "this",
        Body::new()
            .set("name", input("name"))
            .set("log_group_name", input("log_group"))
            .set("pattern", input("pattern"))
            .block(
                "metric_transformation",
                Body::new()
                    .set("name", input("name"))
                    .set("namespace", input("namespace"))
                    .set("value", "1")
                    .set("default_value", "0"),
            ),
    ))
}

/// The dashboard.
pub(super) fn dashboard() -> Module {
    Module::new("dashboard", "What there is to see of all services.")
        .input("name", Kind::Text, "Its name.")
        .input("body", Kind::Text, "What it shows.")
        .resource(Resource::new(
            "aws_cloudwatch_dashboard",
            "this",
            Body::new()
                .set("dashboard_name", input("name"))
                .set("dashboard_body", input("body")),
        ))
}
