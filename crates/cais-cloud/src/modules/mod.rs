//! The modules: what each makes, whatever the stack. Which of them a stack instantiates, and with what, is `lower`'s.

mod alarms;
mod cache;
mod edge;
mod foundation;
mod network;
mod pipeline;
mod scaling;
mod schedule;
mod service;
mod task;

use crate::resource::Module;
use crate::value::{Value, map};

/// The module of this name.
pub(crate) fn module(name: &str) -> Option<Module> {
    let make = ALL.iter().find(|(known, _)| *known == name)?.1;
    Some(make())
}

/// Makes a module.
type Make = fn() -> Module;

/// Every module, by name.
pub(crate) const ALL: &[(&str, Make)] = &[
    ("additional_certificate", edge::additional_certificate),
    ("alarm", alarms::alarm),
    ("blue_green_service", service::blue_green_service),
    ("cache", cache::cache),
    ("canary_service", service::canary_service),
    ("certificate", edge::certificate),
    ("cluster", service::cluster),
    ("connection", foundation::connection),
    ("dashboard", alarms::dashboard),
    ("discovery", service::discovery),
    ("dns_record", edge::dns_record),
    ("email_subscription", alarms::email_subscription),
    ("encryption", foundation::encryption),
    ("error_rate_alarm", alarms::error_rate_alarm),
    ("github_provider", pipeline::github_provider),
    ("http_listener", edge::http_listener),
    ("https_listener", edge::https_listener),
    ("iam", task::iam),
    ("iam_policy", task::iam_policy),
    ("image_access", pipeline::image_access),
    ("interface_endpoints", foundation::interface_endpoints),
    ("job_failures", schedule::job_failures),
    ("linear_service", service::linear_service),
    ("load_balancer", edge::load_balancer),
    ("log_bucket", foundation::log_bucket),
    ("log_metric", alarms::log_metric),
    ("network", network::network),
    ("notification_topic", alarms::notification_topic),
    ("percentile_alarm", alarms::percentile_alarm),
    ("pipeline_access", pipeline::pipeline_access),
    ("registry", foundation::registry),
    ("request_scaling_policy", scaling::request_scaling_policy),
    ("route", edge::route),
    ("scaling", scaling::scaling),
    ("scaling_policy", scaling::scaling_policy),
    ("schedule", schedule::schedule),
    ("secret", foundation::secret),
    ("security_group", foundation::security_group),
    ("service", service::service),
    ("shifting_route", edge::shifting_route),
    ("target_group", edge::target_group),
    ("task", task::task),
    ("traffic_role", service::traffic_role),
    ("watched_schedule", schedule::watched_schedule),
    ("web_acl_association", edge::web_acl_association),
    ("web_service", service::web_service),
    ("webhook_subscription", alarms::webhook_subscription),
    ("worker", service::worker),
];

/// A policy document.
pub(crate) fn policy(statements: Vec<Value>) -> Value {
    map([
        ("Version", "2012-10-17".into()),
        ("Statement", Value::List(statements)),
    ])
}

/// A statement that allows actions on resources.
pub(crate) fn allow(actions: &[&str], resources: impl Into<Value>) -> Value {
    map([
        ("Effect", "Allow".into()),
        ("Action", actions.to_vec().into()),
        ("Resource", resources.into()),
    ])
}

/// The same under a condition.
pub(crate) fn allow_if(actions: &[&str], resources: impl Into<Value>, condition: Value) -> Value {
    let Value::Map(mut entries) = allow(actions, resources) else {
        unreachable!("a statement is a map");
    };
    entries.push(("Condition".to_owned(), condition));
    Value::Map(entries)
}

/// The document by which a service of AWS may take a role.
pub(crate) fn trust(service: &str) -> Value {
    policy(vec![map([
        ("Effect", "Allow".into()),
        ("Action", "sts:AssumeRole".into()),
        ("Principal", map([("Service", service.into())])),
    ])])
}

/// The same, for this account's own resources only: without it, somebody else's could have the service act for them
/// (the "confused deputy").
pub(crate) fn trust_within(service: &str, account: Value, source: Value) -> Value {
    policy(vec![map([
        ("Effect", "Allow".into()),
        ("Action", "sts:AssumeRole".into()),
        ("Principal", map([("Service", service.into())])),
        (
            "Condition",
            map([
                ("StringEquals", map([("aws:SourceAccount", account)])),
                ("ArnLike", map([("aws:SourceArn", source)])),
            ]),
        ),
    ])])
}
