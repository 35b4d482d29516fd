//! Alarms: what CloudWatch watches, and whom it tells. One module for each shape of alarm; which of them an alarm of the file
//! becomes, and its dimensions, is `lower`'s.

use crate::resource::{Body, Kind, Module, Resource};
use crate::value::{attribute, input};

/// An alarm on a statistic of one metric.
pub(crate) fn alarm() -> Module {
    let module = Module::new("alarm", "An alarm on a statistic of one metric.")
        .input("namespace", Kind::Text, "The metric's namespace.")
        .input("metric_name", Kind::Text, "The metric.")
        .input("dimensions", Kind::text_map(), "What it is measured of.")
        .input(
            "statistic",
            Kind::Text,
            "What a period is summed up to: `Sum`, `Average`, `Minimum`, `Maximum`.",
        );
    let measured = measured(Body::new()).set("statistic", input("statistic"));
    watched(module, measured)
}

/// An alarm on a percentile of one metric.
pub(crate) fn percentile_alarm() -> Module {
    let module = Module::new(
        "percentile_alarm",
        "An alarm on a percentile of one metric.",
    )
    .input("namespace", Kind::Text, "The metric's namespace.")
    .input("metric_name", Kind::Text, "The metric.")
    .input("dimensions", Kind::text_map(), "What it is measured of.")
    .input("percentile", Kind::Text, "`p99`.");
    let measured = measured(Body::new())
        .set("extended_statistic", input("percentile"))
        .because(
            "With few requests a percentile is one of them, and says nothing.",
            "evaluate_low_sample_count_percentiles",
            "ignore",
        );
    watched(module, measured)
}

/// An alarm on the share of requests that were answered with an error of the server.
pub(crate) fn error_rate_alarm() -> Module {
    let module = Module::new(
        "error_rate_alarm",
        "An alarm on the share of requests that a service answered with a 5xx.",
    )
    .input(
        "dimensions",
        Kind::text_map(),
        "Load balancer and target group.",
    );
    let metric = |id: &str, name: &str| {
        Body::new().set("id", id).block(
            "metric",
            Body::new()
                .set("namespace", "AWS/ApplicationELB")
                .set("metric_name", name)
                .set("dimensions", input("dimensions"))
                .set("period", input("period"))
                .set("stat", "Sum"),
        )
    };
    let rate = Body::new()
        .set("id", "rate")
        .set("label", "5xx, percent of requests")
        .because(
            "Without a request there is no share; without an error the metric has no datapoint.",
            "expression",
            "IF(requests > 0, 100 * FILL(errors, 0) / requests)",
        )
        .set("return_data", true);
    let measured = Body::new()
        .block("metric_query", rate)
        .block(
            "metric_query",
            metric("errors", "HTTPCode_Target_5XX_Count"),
        )
        .block("metric_query", metric("requests", "RequestCount"));
    watched(module, measured)
}

/// An alarm on log lines that match a pattern.
pub(crate) fn log_alarm() -> Module {
    let module = Module::new(
        "log_alarm",
        "A metric that counts the log lines that match a pattern, and an alarm on it.",
    )
    .input("log_group", Kind::Text, "The log group.")
    .input("pattern", Kind::Text, "CloudWatch's filter pattern.")
    .input(
        "namespace",
        Kind::Text,
        "The namespace of the metric that is made.",
    )
    .input("metric_name", Kind::Text, "The metric that is made.")
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
                    .set("namespace", input("namespace"))
                    .set("name", input("metric_name"))
                    .set("value", "1")
                    .because(
                        "A period whose lines do not match is a zero, not a gap.",
                        "default_value",
                        "0",
                    ),
            ),
    ));
    let measured = Body::new()
        .set("namespace", input("namespace"))
        .set("metric_name", input("metric_name"))
        .set("period", input("period"))
        .set("statistic", "Sum");
    watched(module, measured)
}

/// A metric of AWS's own.
fn measured(body: Body) -> Body {
    body.set("namespace", input("namespace"))
        .set("metric_name", input("metric_name"))
        .set("dimensions", input("dimensions"))
        .set("period", input("period"))
}

/// The alarm itself: the same of every shape.
fn watched(module: Module, measured: Body) -> Module {
    let mut body = Body::new()
        .set("alarm_name", input("name"))
        .set("alarm_description", input("description"));
    body.items.extend(measured.items);
    let body = body
        .set("comparison_operator", input("comparison"))
        .set("threshold", input("threshold"))
        .set("evaluation_periods", input("evaluation_periods"))
        .set("datapoints_to_alarm", input("datapoints_to_alarm"))
        .set("treat_missing_data", input("missing_data"))
        .set("alarm_actions", input("topic_arns"))
        .set("ok_actions", input("topic_arns"));
    module
        .input("name", Kind::Text, "What the alarm is called.")
        .input(
            "description",
            Kind::Text,
            "What it means and what to look at.",
        )
        .input("period", Kind::Number, "Seconds of one datapoint.")
        .input(
            "comparison",
            Kind::Text,
            "`GreaterThanThreshold` or `LessThanThreshold`.",
        )
        .input("threshold", Kind::Number, "The bound.")
        .input(
            "evaluation_periods",
            Kind::Number,
            "Datapoints that are looked at.",
        )
        .input(
            "datapoints_to_alarm",
            Kind::Number,
            "Of them, how many must be bad.",
        )
        .input(
            "missing_data",
            Kind::Text,
            "`missing`, `breaching`, `notBreaching` or `ignore`.",
        )
        .input("topic_arns", Kind::texts(), "Topics that are told.")
        .resource(Resource::new("aws_cloudwatch_metric_alarm", "this", body))
        .output(
            "name",
            "For the deployments that it ends.",
            attribute("aws_cloudwatch_metric_alarm.this.alarm_name"),
        )
        .output(
            "arn",
            "The alarm.",
            attribute("aws_cloudwatch_metric_alarm.this.arn"),
        )
}
