//! A job that runs by the clock: its schedule, and where its failures go.

use super::{allow, policy, trust_within};
use crate::resource::{Body, Kind, Module, Resource};
use crate::value::{Value, attribute, data, input, json, list, map, template};

/// When a job runs; nobody is told where it fails.
pub(super) fn schedule() -> Module {
    shape("schedule", "When a job runs.", false)
}

/// The same, where a start that fails for good is told.
pub(super) fn watched_schedule() -> Module {
    shape(
        "watched_schedule",
        "When a job runs; a start that fails for good is put where failures are told from.",
        true,
    )
}

fn shape(name: &str, description: &'static str, is_watched: bool) -> Module {
    let pass = allow(
        &["iam:PassRole"],
        list([input("execution_role_arn"), input("task_role_arn")]),
    );
    let run = allow(
        &["ecs:RunTask"],
        list([
            input("task_family_arn"),
            template([input("task_family_arn"), ":*".into()]),
        ]),
    );
    let account = || data("aws_caller_identity.current.account_id");
    let source = template([
        "arn:aws:scheduler:".into(),
        input("region"),
        ":".into(),
        account(),
        ":schedule-group/default".into(),
    ]);
    let network = Body::new()
        .set("subnets", input("subnet_ids"))
        .set("security_groups", list([input("security_group_id")]))
        .set("assign_public_ip", false);
    let mut target = Body::new()
        .set("arn", input("cluster_arn"))
        .set("role_arn", attribute("aws_iam_role.this.arn"))
        .block(
            "ecs_parameters",
            Body::new()
                .because(
                    "Without a revision the newest one runs, so that a deploy reaches the job too.",
                    "task_definition_arn",
                    input("task_family_arn"),
                )
                .set("launch_type", "FARGATE")
                .set("propagate_tags", "TASK_DEFINITION")
                .block("network_configuration", network),
        )
        .block(
            "retry_policy",
            Body::new()
                .set("maximum_retry_attempts", 3_i64)
                .set("maximum_event_age_in_seconds", 3600_i64),
        );
    let mut statements = vec![run, pass];
    if is_watched {
        target = target.block(
            "dead_letter_config",
            Body::new().set("arn", input("failures_arn")),
        );
        statements.push(allow(&["sqs:SendMessage"], input("failures_arn")));
    }
    let module = Module::new(name, description)
        .input("name", Kind::Text, "The schedule.")
        .input("role", Kind::Text, "The role by which it starts a task.")
        .input("expression", Kind::Text, "When, in UTC.")
        .input("region", Kind::Text, "The region.")
        .input("cluster_arn", Kind::Text, "The cluster.")
        .input("task_family_arn", Kind::Text, "What runs.")
        .input(
            "execution_role_arn",
            Kind::Text,
            "The role by which ECS starts the task.",
        )
        .input(
            "task_role_arn",
            Kind::Text,
            "The role that the program has.",
        )
        .input("subnet_ids", Kind::texts(), "Where it runs.")
        .input("security_group_id", Kind::Text, "Its security group.")
        .input("key_arn", Kind::Text, "The KMS key.")
        .data("aws_caller_identity", "current", Body::new())
        .resource(Resource::new(
            "aws_iam_role",
            "this",
            Body::new().set("name", input("role")).set(
                "assume_role_policy",
                json(trust_within("scheduler.amazonaws.com", account(), source)),
            ),
        ))
        .resource(Resource::new(
            "aws_iam_role_policy",
            "this",
            Body::new()
                .set("name", "run")
                .set("role", attribute("aws_iam_role.this.id"))
                .set("policy", json(policy(statements))),
        ))
        .resource(Resource::new(
            "aws_scheduler_schedule",
            "this",
            Body::new()
                .set("name", input("name"))
                .set("schedule_expression", input("expression"))
                .set("schedule_expression_timezone", "UTC")
                .set("kms_key_arn", input("key_arn"))
                .block("flexible_time_window", Body::new().set("mode", "OFF"))
                .block("target", target),
        ));
    if is_watched {
        module.input("failures_arn", Kind::Text, "The queue of failed runs.")
    } else {
        module
    }
}

/// Seconds that a failed run stays in the queue: shorter than a day, so that a job that fails every day is told every day.
const TOLD_FOR: i64 = 12 * 3600;

/// A queue that gets every failed run of a job, for an alarm to look at.
pub(super) fn job_failures() -> Module {
    let from_rule = map([
        ("Effect", "Allow".into()),
        ("Action", "sqs:SendMessage".into()),
        (
            "Principal",
            map([("Service", "events.amazonaws.com".into())]),
        ),
        ("Resource", attribute("aws_sqs_queue.this.arn")),
        (
            "Condition",
            map([(
                "ArnEquals",
                map([(
                    "aws:SourceArn",
                    attribute("aws_cloudwatch_event_rule.this.arn"),
                )]),
            )]),
        ),
    ]);
    Module::new(
        "job_failures",
        "A queue of the runs of a job that failed: tasks that ended with another status than 0 or could not be started, and starts that the scheduler gave up.",
    )
    .input("name", Kind::Text, "The queue, and the rule that fills it.")
    .input("description", Kind::Text, "Whose failures they are.")
    .input("cluster_arn", Kind::Text, "The cluster.")
    .input("family", Kind::Text, "The family of the job's tasks.")
    .input("container", Kind::Text, "The container whose exit status counts.")
    .resource(Resource::new(
        "aws_sqs_queue",
        "this",
        Body::new()
            .set("name", input("name"))
            .set("sqs_managed_sse_enabled", true)
            .because(
                "Shorter than a day: a job that fails every day is told every day.",
                "message_retention_seconds",
                TOLD_FOR,
            ),
    ))
    .resource(Resource::new(
        "aws_cloudwatch_event_rule",
        "this",
        Body::new()
            .set("name", input("name"))
            .set("description", input("description"))
            .set("event_pattern", json(failed_task())),
    ))
    .resource(Resource::new(
        "aws_sqs_queue_policy",
        "this",
        Body::new()
            .set("queue_url", attribute("aws_sqs_queue.this.url"))
            .set("policy", json(policy(vec![from_rule]))),
    ))
    .resource(
        Resource::new(
            "aws_cloudwatch_event_target",
            "this",
            Body::new()
                .set("rule", attribute("aws_cloudwatch_event_rule.this.name"))
                .set("target_id", "failures")
                .set("arn", attribute("aws_sqs_queue.this.arn")),
        )
        .after(&["aws_sqs_queue_policy.this"]),
    )
    .output("arn", "The queue.", attribute("aws_sqs_queue.this.arn"))
    .output("name", "Its name.", attribute("aws_sqs_queue.this.name"))
}

/// The event of a task that failed ("Amazon ECS task state change events"). A container is named, because ECS and
/// GuardDuty put others beside it; a task that never ran has no exit status.
fn failed_task() -> Value {
    let anything_but_0 = map([("anything-but", 0_i64.into())]);
    let ended = map([(
        "containers",
        map([
            ("name", list([input("container")])),
            ("exitCode", list([anything_but_0])),
        ]),
    )]);
    let not_started = map([("stopCode", list(["TaskFailedToStart".into()]))]);
    map([
        ("source", list(["aws.ecs".into()])),
        ("detail-type", list(["ECS Task State Change".into()])),
        (
            "detail",
            map([
                ("clusterArn", list([input("cluster_arn")])),
                (
                    "group",
                    list([template(["family:".into(), input("family")])]),
                ),
                ("lastStatus", list(["STOPPED".into()])),
                ("$or", list([ended, not_started])),
            ]),
        ),
    ])
}
