//! How many tasks a service has, by what they do.

use crate::resource::{Body, Kind, Module, Resource};
use crate::value::{attribute, input, template};

/// What is scaled, and how far.
pub(super) fn scaling() -> Module {
    Module::new("scaling", "How few and how many tasks a service may have.")
        .input("cluster_name", Kind::Text, "The cluster.")
        .input("service_name", Kind::Text, "The service.")
        .input("min_capacity", Kind::Number, "Fewest tasks.")
        .input("max_capacity", Kind::Number, "Most tasks.")
        .resource(Resource::new(
            "aws_appautoscaling_target",
            "this",
            Body::new()
                .set("service_namespace", "ecs")
                .set(
                    "resource_id",
                    template([
                        "service/".into(),
                        input("cluster_name"),
                        "/".into(),
                        input("service_name"),
                    ]),
                )
                .set("scalable_dimension", "ecs:service:DesiredCount")
                .set("min_capacity", input("min_capacity"))
                .set("max_capacity", input("max_capacity")),
        ))
        .output(
            "resource_id",
            "What is scaled.",
            attribute("aws_appautoscaling_target.this.resource_id"),
        )
}

fn policy(name: &str, description: &'static str, metric: Body, with_label: bool) -> Module {
    let mut module = Module::new(name, description)
        .input("name", Kind::Text, "The policy.")
        .input("resource_id", Kind::Text, "What is scaled.")
        .input("target_value", Kind::Number, "The average to keep.")
        .input(
            "out_cooldown",
            Kind::Number,
            "Seconds to wait after tasks were added.",
        )
        .input(
            "in_cooldown",
            Kind::Number,
            "Seconds to wait after tasks were taken away.",
        );
    module = if with_label {
        module.input(
            "resource_label",
            Kind::Text,
            "The load balancer and the target group, as CloudWatch names them.",
        )
    } else {
        module.input("metric", Kind::Text, "What is measured.")
    };
    let tracking = Body::new()
        .set("target_value", input("target_value"))
        .set("scale_out_cooldown", input("out_cooldown"))
        .set("scale_in_cooldown", input("in_cooldown"))
        .block("predefined_metric_specification", metric);
    module.resource(Resource::new(
        "aws_appautoscaling_policy",
        "this",
        Body::new()
            .set("name", input("name"))
            .set("policy_type", "TargetTrackingScaling")
            .set("service_namespace", "ecs")
            .set("resource_id", input("resource_id"))
            .set("scalable_dimension", "ecs:service:DesiredCount")
            .block("target_tracking_scaling_policy_configuration", tracking),
    ))
}

/// By CPU or memory.
pub(super) fn scaling_policy() -> Module {
    let metric = Body::new().set("predefined_metric_type", input("metric"));
    policy(
        "scaling_policy",
        "Adds and takes away tasks so that an average of CPU or memory is kept.",
        metric,
        false,
    )
}

/// By requests.
pub(super) fn request_scaling_policy() -> Module {
    let metric = Body::new()
        .set("predefined_metric_type", "ALBRequestCountPerTarget")
        .set("resource_label", input("resource_label"));
    policy(
        "request_scaling_policy",
        "Adds and takes away tasks so that each has so many requests a minute.",
        metric,
        true,
    )
}
