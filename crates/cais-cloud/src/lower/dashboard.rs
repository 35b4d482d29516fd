//! The CloudWatch dashboard: for each service what comes in, how long it takes, what fails, and what it costs.

use super::{Kind, Plan, Planned};
use crate::resource::Instance;
use crate::value::{Value, json, list, map, output_of};

/// A widget is half as wide as the dashboard, and so high.
const WIDTH: i64 = 12;
const HEIGHT: i64 = 6;

impl Plan<'_> {
    /// `None` where nothing stays that could be looked at.
    pub(super) fn dashboard(&self) -> Option<Instance> {
        let mut widgets: Vec<Value> = Vec::new();
        let staying = self.services.iter().filter(|planned| planned.stays());
        for (row, planned) in staying.enumerate() {
            let y = i64::try_from(row).unwrap_or_default() * HEIGHT;
            widgets.push(self.widget(
                0,
                y,
                &format!("{}: CPU and memory", planned.name()),
                self.tasks(planned),
            ));
            if let Kind::Web(_) = planned.kind {
                widgets.push(self.widget(
                    WIDTH,
                    y,
                    &format!("{}: requests", planned.name()),
                    self.requests(planned),
                ));
            }
        }
        if widgets.is_empty() {
            return None;
        }
        let dashboard = Instance::new("dashboard", "dashboard", "main")
            .set("name", self.names.dashboard())
            .set("body", json(map([("widgets", Value::List(widgets))])));
        Some(dashboard)
    }

    fn widget(&self, x: i64, y: i64, title: &str, metrics: Vec<Value>) -> Value {
        map([
            ("type", "metric".into()),
            ("x", x.into()),
            ("y", y.into()),
            ("width", WIDTH.into()),
            ("height", HEIGHT.into()),
            (
                "properties",
                map([
                    ("region", self.place.region.as_str().into()),
                    ("title", title.into()),
                    ("period", 60_i64.into()),
                    ("metrics", Value::List(metrics)),
                ]),
            ),
        ])
    }

    fn tasks(&self, planned: &Planned<'_>) -> Vec<Value> {
        let metric = |name: &str| {
            list([
                "AWS/ECS".into(),
                name.into(),
                "ClusterName".into(),
                output_of("cluster", "name"),
                "ServiceName".into(),
                self.names.service(planned.name()).into(),
            ])
        };
        vec![metric("CPUUtilization"), metric("MemoryUtilization")]
    }

    fn requests(&self, planned: &Planned<'_>) -> Vec<Value> {
        let metric = |name: &str, options: Value| {
            list([
                "AWS/ApplicationELB".into(),
                name.into(),
                "LoadBalancer".into(),
                self.balancer("arn_suffix"),
                "TargetGroup".into(),
                output_of(&format!("{}_target_group", planned.id), "arn_suffix"),
                options,
            ])
        };
        let sum = || map([("stat", "Sum".into())]);
        let latency = map([("stat", "p99".into()), ("yAxis", "right".into())]);
        vec![
            metric("RequestCount", sum()),
            metric("HTTPCode_Target_5XX_Count", sum()),
            metric("TargetResponseTime", latency),
        ]
    }
}
