//! Who is told, and what is seen: topics, their subscriptions, and the dashboard of a stack.

use crate::resource::{Body, Kind, Module, Resource};
use crate::value::{Value, attribute, input, json, list, map};

/// A topic that alarms speak to.
pub(crate) fn topic() -> Module {
    Module::new("topic", "A topic that alarms speak to, encrypted; CloudWatch of this account may publish, and nobody else.")
        .input("name", Kind::Text, "What the topic is called.")
        .input("account_id", Kind::Text, "The account.")
        .input("key_arn", Kind::Text, "The KMS key; its policy lets CloudWatch use it.")
        .resource(Resource::new(
            "aws_sns_topic",
            "this",
            Body::new()
                .set("name", input("name"))
                .set("kms_master_key_id", input("key_arn")),
        ))
        .resource(Resource::new(
            "aws_sns_topic_policy",
            "this",
            Body::new()
                .set("arn", attribute("aws_sns_topic.this.arn"))
                .set("policy", json(super::policy(vec![map([
                    ("Sid", "Alarms".into()),
                    ("Effect", "Allow".into()),
                    ("Principal", map([("Service", "cloudwatch.amazonaws.com".into())])),
                    ("Action", "sns:Publish".into()),
                    ("Resource", attribute("aws_sns_topic.this.arn")),
                    ("Condition", map([(
                        "StringEquals",
                        map([("aws:SourceAccount", input("account_id"))]),
                    )])),
                ])]))),
        ))
        .output("arn", "The topic.", attribute("aws_sns_topic.this.arn"))
}

/// Somebody who hears a topic.
pub(crate) fn subscription() -> Module {
    Module::new(
        "subscription",
        "Somebody who hears a topic. A mail address or a webhook confirms it once, by the link in the first message.",
    )
    .input("topic_arn", Kind::Text, "The topic.")
    .input("protocol", Kind::Text, "`email` or `https`.")
    .input("endpoint", Kind::Text, "The mail address, or the webhook's.")
    .resource(Resource::new(
        "aws_sns_topic_subscription",
        "this",
        Body::new()
            .set("topic_arn", input("topic_arn"))
            .set("protocol", input("protocol"))
            .set("endpoint", input("endpoint")),
    ))
}

/// The dashboard of a stack.
pub(crate) fn dashboard() -> Module {
    Module::new(
        "dashboard",
        "A CloudWatch dashboard: a row of graphs for each service.",
    )
    .input("name", Kind::Text, "What the dashboard is called.")
    .input("widgets", Kind::Text, "Its widgets, as JSON.")
    .resource(Resource::new(
        "aws_cloudwatch_dashboard",
        "this",
        Body::new()
            .set("dashboard_name", input("name"))
            .set("dashboard_body", input("widgets")),
    ))
    .output(
        "arn",
        "The dashboard.",
        attribute("aws_cloudwatch_dashboard.this.dashboard_arn"),
    )
}

/// What of a service is drawn.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Panel {
    /// Its name in ECS.
    pub(crate) service: String,
    /// Its log group.
    pub(crate) log_group: String,
    /// Load balancer and target group, as CloudWatch's dimensions have them, of a service that is routed.
    pub(crate) traffic: Option<(Value, Value)>,
}

/// Columns of CloudWatch's grid.
const COLUMNS: i64 = 24;
/// Rows of one graph.
const HEIGHT: i64 = 6;

/// The widgets of a dashboard: a title and a row of graphs for each service, then the last errors of all.
pub(crate) fn widgets(region: &str, cluster: &str, panels: &[Panel]) -> Value {
    let mut widgets = Vec::new();
    let mut y = 0;
    for panel in panels {
        widgets.push(title(&format!("## {}", panel.service), y));
        y += 1;
        let graphs = graphs(region, cluster, panel);
        let width = COLUMNS / i64::try_from(graphs.len()).unwrap_or(1);
        for (place, properties) in (0_i64..).zip(graphs) {
            widgets.push(widget("metric", place * width, y, width, properties));
        }
        y += HEIGHT;
    }
    let groups: Vec<String> = panels
        .iter()
        .map(|panel| format!("SOURCE '{}'", panel.log_group))
        .collect();
    if !groups.is_empty() {
        let query = format!(
            "{} | fields @timestamp, @logStream, @message | filter @message like /(?i)error/ | sort @timestamp desc | limit 50",
            groups.join(" | ")
        );
        widgets.push(title("## Last errors", y));
        widgets.push(widget(
            "log",
            0,
            y + 1,
            COLUMNS,
            map([
                ("region", region.into()),
                ("title", "Log lines that speak of an error".into()),
                ("view", "table".into()),
                ("query", query.into()),
            ]),
        ));
    }
    json(map([("widgets", Value::List(widgets))]))
}

fn graphs(region: &str, cluster: &str, panel: &Panel) -> Vec<Value> {
    let mut graphs = Vec::new();
    if let Some((load_balancer, target_group)) = &panel.traffic {
        let metric = |name: &str, label: &str, stat: &str| {
            list([
                "AWS/ApplicationELB".into(),
                name.into(),
                "TargetGroup".into(),
                target_group.clone(),
                "LoadBalancer".into(),
                load_balancer.clone(),
                map([("label", label.into()), ("stat", stat.into())]),
            ])
        };
        graphs.push(graph(
            region,
            "Requests",
            vec![
                metric("RequestCount", "all", "Sum"),
                metric("HTTPCode_Target_4XX_Count", "4xx", "Sum"),
                metric("HTTPCode_Target_5XX_Count", "5xx", "Sum"),
            ],
        ));
        graphs.push(graph(
            region,
            "Seconds to the answer",
            vec![
                metric("TargetResponseTime", "median", "p50"),
                metric("TargetResponseTime", "p99", "p99"),
            ],
        ));
        graphs.push(graph(
            region,
            "Targets",
            vec![
                metric("HealthyHostCount", "healthy", "Minimum"),
                metric("UnHealthyHostCount", "unhealthy", "Maximum"),
            ],
        ));
    }
    let used = |name: &str, label: &str| {
        list([
            "AWS/ECS".into(),
            name.into(),
            "ClusterName".into(),
            cluster.into(),
            "ServiceName".into(),
            panel.service.as_str().into(),
            map([("label", label.into()), ("stat", "Average".into())]),
        ])
    };
    graphs.push(graph(
        region,
        "CPU and memory, percent",
        vec![
            used("CPUUtilization", "CPU"),
            used("MemoryUtilization", "memory"),
        ],
    ));
    graphs
}

fn graph(region: &str, title: &str, metrics: Vec<Value>) -> Value {
    map([
        ("region", region.into()),
        ("title", title.into()),
        ("view", "timeSeries".into()),
        ("period", 60_i64.into()),
        ("metrics", Value::List(metrics)),
    ])
}

fn title(markdown: &str, y: i64) -> Value {
    map([
        ("type", "text".into()),
        ("x", 0_i64.into()),
        ("y", y.into()),
        ("width", COLUMNS.into()),
        ("height", 1_i64.into()),
        ("properties", map([("markdown", markdown.into())])),
    ])
}

fn widget(kind: &str, x: i64, y: i64, width: i64, properties: Value) -> Value {
    map([
        ("type", kind.into()),
        ("x", x.into()),
        ("y", y.into()),
        ("width", width.into()),
        ("height", HEIGHT.into()),
        ("properties", properties),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn panel(service: &str, is_routed: bool) -> Panel {
        Panel {
            service: service.to_owned(),
            log_group: format!("/ecs/shop/{service}"),
            traffic: is_routed.then(|| ("app/lb".into(), "targetgroup/web".into())),
        }
    }

    fn number(widget: &Value, key: &str) -> i64 {
        let Value::Map(entries) = widget else {
            panic!("{widget:?}")
        };
        match entries.iter().find(|(name, _)| name == key) {
            Some((_, Value::Number(number))) => *number,
            other => panic!("{other:?}"),
        }
    }

    fn drawn(panels: &[Panel]) -> Vec<Value> {
        let Value::Json(body) = widgets("eu-west-1", "shop", panels) else {
            panic!("no JSON")
        };
        let Value::Map(mut entries) = *body else {
            panic!("no map")
        };
        match entries.remove(0).1 {
            Value::List(widgets) => widgets,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn no_widget_covers_another_and_none_leaves_the_grid() {
        let widgets = drawn(&[
            panel("web", true),
            panel("worker", false),
            panel("api", true),
        ]);
        let boxes: Vec<[i64; 4]> = widgets
            .iter()
            .map(|w| ["x", "y", "width", "height"].map(|key| number(w, key)))
            .collect();
        for (index, [x, y, width, height]) in boxes.iter().enumerate() {
            assert!(x + width <= COLUMNS);
            for [x2, y2, width2, height2] in &boxes[..index] {
                let apart = x + width <= *x2
                    || x2 + width2 <= *x
                    || y + height <= *y2
                    || y2 + height2 <= *y;
                assert!(apart, "{:?}", boxes);
            }
        }
    }

    #[test]
    fn a_service_without_a_route_has_no_graph_of_requests() {
        let graphs = |panels: &[Panel]| {
            drawn(panels)
                .iter()
                .filter(|widget| format!("{widget:?}").contains("\"metric\""))
                .count()
        };
        assert_eq!(graphs(&[panel("web", true)]), 4);
        assert_eq!(graphs(&[panel("worker", false)]), 1);
        assert!(drawn(&[]).is_empty());
    }
}
